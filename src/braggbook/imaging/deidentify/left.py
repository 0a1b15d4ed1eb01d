"""What a run did not do, in sentences for whoever decides about sharing: silence must not be taken for safety."""

from __future__ import annotations

from collections.abc import Sequence

from braggbook.imaging.deidentify.file import FileResult
from braggbook.imaging.deidentify.options import Options

_OUT = ("written", "there already")


def not_done(results: Sequence[FileResult], options: Options) -> list[str]:
    """Returns sentences about text in pixels, faces, times and what else stays."""
    sentences = [_text(results, options), _faces(results, options), _dates(options)]
    sentences.append(
        "Pixels, contours and doses are as they were. Whoever has the originals can find the patient by comparing them."
    )
    sentences.append(
        "Numbers, terms and codes of the allow-list stay when they are plausible for their attribute;"
        " that nobody put something else into them was not and cannot be checked."
    )
    if options.has("113111"):
        sentences.append("The private elements of a short list stay; what their vendors say about them was believed.")
    return sentences


def _text(results: Sequence[FileResult], options: Options) -> str:
    head = "Text burnt into pixels was not searched for."
    if options.regions:
        blanked = _counted(len(options.regions), "region was", "regions were")
        return f"{head} {blanked} blanked in every frame; nothing looked at the rest."
    if options.pixels_reviewed:
        return f"{head} A person has declared all images free of it."
    held = sum(bool(result.text) for result in results)
    return (
        f"{head} Images of kinds that often have it, or that say so, were held back ({held});"
        " the other images went out without being looked at."
    )


def _faces(results: Sequence[FileResult], options: Options) -> str:
    head = "Faces were not removed: Braggbook has no defacer."
    if options.faces_removed:
        return f"{head} A person has declared that a defacer has been at work or that no head is shown."
    faces = [result.face for result in results if result.outcome in _OUT and result.face]
    if not faces:
        return f"{head} No image that went out is a CT, MR or PET that shows a head or leaves open whether it does."
    shown = sum(face.startswith("NOT DONE") for face in faces)
    said = _counted(shown, "file says that it shows", "files say that they show")
    silent = _counted(len(faces) - shown, "does not say what it shows", "do not say what they show")
    return f"{head} {said} a head; {silent}."


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def _dates(options: Options) -> str:
    if options.dates == "keep":
        return "Dates and times were kept."
    if options.dates == "remove":
        return "Dates and times were removed where the object may lack them, and replaced by fillers where it may not."
    return "Times of day were kept: dates were moved by whole days, so that every interval stays."

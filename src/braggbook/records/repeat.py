"""A received record, verified: a run repeated in an environment made from its own lock, a dataset by its hashes.

A stranger's notebook is a stranger's program. It runs in a kernel's process of its own, with none of our environment's
variables, and so does the stranger's wheel: neither is ever loaded into this process. It runs as the person who asked
for it, though, and can read and write what that person can.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

from braggbook.datasets.catalogue import Dataset
from braggbook.datasets.verify import verify_dataset
from braggbook.errors import BraggbookError, Issue, KernelUnavailable, NotVerifiable, OutsideError
from braggbook.formats.dataset import CARD_NAME, read_card
from braggbook.kernels.catalogue import Kernel, read_kernel
from braggbook.kernels.install import choose_environment, install_kernel
from braggbook.notebooks.source import read_notebook
from braggbook.progress import Progress
from braggbook.records.board_plan import read_closed, read_design
from braggbook.records.receive import Received
from braggbook.records.sweep_plan import POINTS, gather_point
from braggbook.records.unpack import check_zip
from braggbook.runs.folder import CHANGED, changed_files, read_record, scratch
from braggbook.runs.folder import RECORD as RUN_RECORD
from braggbook.runs.record import KERNEL_FOLDER, SOURCE_FOLDER
from braggbook.runs.sweep_folder import read_sweep
from braggbook.runs.verify import Verification, verify
from braggbook.settings import Settings

Say = Callable[[str], None]
WARNING = "its code comes from there and runs here with your rights; ctrl-C stops it"
_WORSE = ("identical", "within tolerance", "not verifiable", "drifted")  # a number that differs says more than none
_SAFE_LOCK_LINE = re.compile(
    r"\s*(?:#[^\\]*)?"
    r"|[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[A-Za-z0-9._, -]+\])?\s*==\s*[A-Za-z0-9.!+_-]+\s*"  # name[extra]==version
    r"(?:;(?:(?!--)[^#\\])*)?(?:\\|\s#[^\\]*)?"  # ; marker, then its hashes follow, or a comment
    r"|\s+--hash=sha256:[0-9a-f]{64}\s*\\?"
)


def verify_received(
    received: Received, *, settings: Settings, progress: Progress | None = None, say: Say = lambda _: None
) -> Verification:
    """Verifies what has come, as it would be verified where it was made; of a sweep, each of its points.

    Args:
        received: What has come.
        settings: Limits and places.
        progress: Told of what takes time.
        say: Told, before anything of the record is executed, what it is and by whom.

    Raises:
        NotVerifiable: It is a board, whose rows are more than runs; see :mod:`braggbook.challenges.verify`.
        RecordError: It is not what it looks like.
        OutsideError: The disk refuses, or a dataset that was not copied cannot be downloaded.
    """
    if received.kind == "board":
        raise NotVerifiable("a board is no run", where=received.name, wanted="braggbook.challenges.verify")
    if received.kind == "dataset":
        found = _dataset(received, settings, progress)
    elif received.kind == "sweep":
        found = _sweep(received, settings, progress, say)
    else:
        say(f"about to run {told(received)}")
        say(WARNING)
        found = repeat_run(received.folder, settings=settings, progress=progress, say=say)
        made_for, lies_in = read_record(received.folder).doi, received.record.doi if received.record else None
        if made_for and lies_in and made_for != lies_in:
            found.notes.append(f"the run was made for {made_for}, and lies in {lies_in}")
    found.notes[:0] = received.notes
    return found


def repeat_run(
    folder: Path, *, settings: Settings, progress: Progress | None = None, say: Say = lambda _: None
) -> Verification:
    """Verifies a stranger's run: its lock is looked at, its environment made where none fits, then it is repeated.

    Args:
        folder: The run's.
        settings: Limits and places.
        progress: Told of what takes time.
        say: Told when an environment is made.

    Raises:
        RecordError: It is no run.
        OutsideError: The disk refuses, or a dataset that was not copied cannot be downloaded.
    """
    record = read_record(folder)
    try:
        if record.verdict == "complete" and all(issue.what == CHANGED for issue in changed_files(folder, record)):
            check_zip(folder / record.braggbook.wheel)
            kernel = dataclasses.replace(read_kernel(folder / KERNEL_FOLDER), slug=record.kernel.slug)
            fit_environment(kernel, settings=settings, say=say)
    except OutsideError:
        raise
    except BraggbookError as error:
        return Verification(record.id, verdict="not verifiable", reason=str(error))
    return verify(folder, settings=settings, progress=progress)


def _sweep(received: Received, settings: Settings, progress: Progress | None, say: Say) -> Verification:
    sweep = read_sweep(received.folder)
    points = sorted(path.parent.name for path in (received.folder / POINTS).glob(f"*/{RUN_RECORD}"))
    found = Verification(sweep.id)
    if len(points) != sweep.points:
        found.verdict, found.reason = "not verifiable", f"{len(points)} of {sweep.points} points are in the record"
        return found
    say(f"about to run the {len(points)} points of {told(received)}")
    say(WARNING)
    for number, run_id in enumerate(points, 1):
        say(f"point {number} of {len(points)}: {run_id}")
        with scratch() as place:
            gather_point(received.folder, run_id, place / run_id)
            point = repeat_run(place / run_id, settings=settings, progress=progress, say=say)
            _add_point(found, point)
    found.notes.append("the points were repeated; the table of all results was not compared with them")
    return found


def _add_point(found: Verification, point: Verification) -> None:
    """Adds what came of one point to what came of the sweep."""
    found.rows += [dataclasses.replace(row, name=f"{point.run}/{row.name}") for row in point.rows]
    found.files += [dataclasses.replace(issue, where=f"{point.run}/{issue.where}") for issue in point.files]
    found.held |= {f"{point.run}/{name}": results for name, results in point.held.items()}
    found.notes += [note for note in point.notes if note not in found.notes]
    if _WORSE.index(point.verdict) > _WORSE.index(found.verdict):
        found.verdict = point.verdict
    if point.reason:
        found.reason = "; ".join(filter(None, (found.reason, f"{point.run}: {point.reason}")))


def told(received: Received) -> str:
    """Returns what a record is, by whom and from where, as it says itself."""
    title, creators = received.record.title if received.record else received.zip.name, ""
    if received.kind == "run":
        record = read_record(received.folder)
        try:
            front = read_notebook(received.folder / SOURCE_FOLDER / f"{record.notebook}.ipynb").front
        except BraggbookError:
            title = record.title
        else:
            title = front.title
            creators = f", by {', '.join(author.name for author in front.authors)}" if front.authors else ""
    elif received.kind == "board":
        title = f"Board of: {read_closed(received.folder).title}"
        organisers = read_design(received.folder).organisation.organisers
        creators = f", by {', '.join(author.name for author in organisers)}"
    return f'"{title}"{creators}, from {received.name} (sha256 {received.sha256[:12]}…)'


def odd_lines(lock: bytes) -> list[Issue]:
    """Returns every line of a lock that is no pin, hash or comment: options and addresses install from elsewhere."""
    lines = lock.decode("utf-8", "replace").split("\n")
    return [
        Issue("not a pin", f"line {number}", "name==version and its hashes", repr(line[:80]))
        for number, line in enumerate(lines, 1)
        if not _SAFE_LOCK_LINE.fullmatch(line) or not line.replace("\t", " ").isprintable()
    ]


def fit_environment(kernel: Kernel, *, settings: Settings, say: Say = lambda _: None) -> None:
    """Makes a stranger's kernel's environment from its own lock where none fits.

    Args:
        kernel: As it came.
        settings: Where environments are kept.
        say: Told when one is made.

    Raises:
        NotVerifiable: Its lock has options, addresses or anything but pins in it.
        KernelUnavailable: The environment cannot be made here and now.
    """
    if odd := odd_lines(kernel.lock_path.read_bytes()):
        raise NotVerifiable("a lock that says more than versions", where=kernel.slug, issues=odd)
    try:
        choose_environment(kernel, cache=settings.cache)
    except KernelUnavailable as unfit:
        say(f"no environment here fits its kernel {kernel.slug}; making one from its lock")
        try:
            install_kernel(kernel, cache=settings.cache, register=False)
        except BraggbookError as error:
            command = error.next_command or "the same command again, where the packages can be had"
            raise KernelUnavailable(
                "no environment for its kernel, and none can be made",
                where=kernel.slug,
                got=f"{error.what}: {error.got}",
                issues=unfit.issues,
                next_command=command,
            ) from error


def _dataset(received: Received, settings: Settings, progress: Progress | None) -> Verification:
    """Looks at every file of a dataset that came; nothing of it is executed."""
    card = read_card(received.folder / CARD_NAME)
    sent = tuple(file for file in card.files if file.copy_allowed)
    found = Verification(f"{card.title}, version {card.version}")
    if left := [file.path for file in card.files if not file.copy_allowed]:
        found.notes.append(f"not in the record, since it may not be handed on, and not looked at: {', '.join(left)}")
    if gone := [file.path for file in sent if not (received.folder / file.path).is_file()]:
        found.verdict, found.reason = "not verifiable", f"{', '.join(gone)} is missing"
        return found
    ours = Dataset(received.folder.name, card.model_copy(update={"files": sent}), received.folder)
    found.files = verify_dataset(ours, cache=settings.cache, progress=progress, download=False)
    if found.files:
        found.verdict, found.reason = "drifted", "; ".join(map(str, found.files[:5]))
    return found

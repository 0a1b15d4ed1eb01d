"""De-identifies a folder: every file on its own, in parallel, and one report about all of them."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path

from braggbook.errors import ImagingError
from braggbook.files import storage
from braggbook.formats.deidentification import (
    REPORT_FORMAT,
    DeidentificationReport,
    FileRecord,
    MethodRecord,
    StepRecord,
)
from braggbook.imaging.deidentify.clean import Step
from braggbook.imaging.deidentify.file import NO_PIXELS, PART, FileResult, Job, deidentify_file
from braggbook.imaging.deidentify.key import check_outside, default_key, make_key, read_key
from braggbook.imaging.deidentify.left import not_done
from braggbook.imaging.deidentify.options import Options, make_options
from braggbook.imaging.deidentify.tables import EDITION
from braggbook.imaging.deidentify.uids import is_uid
from braggbook.progress import Progress, Silent

_FEW = 150  # files that one process does before others have started
_WAITING = 4  # files per worker that are handed out at once
_HEAD = 200  # bytes of a report that say that it is one
_OPEN = ("quarantined", "blocked", "not readable")


@dataclass(frozen=True)
class Deidentified:
    """A finished run: its report, which may be given away, and what may not."""

    report: DeidentificationReport
    sources: tuple[Path, ...]  # by the numbers of the report's files; paths may hold names
    key: Path
    new_key: bool


def deidentify(
    source: Path,
    output: Path,
    *,
    options: Options | None = None,
    key: Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Deidentified:
    """De-identifies a DICOM file or folder (PS3.15, annex E) into a folder of files named by their new UIDs.

    Args:
        source: A file, or a folder of any depth; symbolic links are not followed.
        output: The folder to write to; files of an earlier run with the same key may be in it.
        options: What goes beyond the basic profile; dates are shifted unless they say otherwise.
        key: The secret's file, made when it is not there; ``OUTPUT.key.json`` beside the output by default.
        workers: Processes; as many as processors by default.
        progress: Told of every file.

    Raises:
        ImagingError: Source, output and key lie inside each other, or the key is not usable.
        StorageError: The output cannot be written; what is in place by then is whole and clean.
    """
    paths, secret_file = tuple(_files(source)), key or default_key(output)
    _check_places(source, output, secret_file)
    with storage(output):
        output.mkdir(parents=True, exist_ok=True)
    new_key = not os.path.lexists(secret_file)
    job = Job(output, options or make_options(), make_key(secret_file) if new_key else read_key(secret_file))
    _sweep(output)
    results, steps = _work(paths, job, workers=workers, progress=progress or Silent())
    return Deidentified(_report(results, steps, job), paths, secret_file, new_key)


def _files(source: Path) -> Iterator[Path]:
    if source.is_file():
        yield source.resolve()
        return
    if not source.is_dir():
        raise ImagingError("no such file or folder", where=str(source), wanted="DICOM files")
    for parent, folders, names in os.walk(source):
        folders.sort()
        for name in sorted([*names, *(one for one in folders if Path(parent, one).is_symlink())]):
            path = Path(parent, name)
            if path.is_file() or path.is_symlink():
                yield path


def _check_places(source: Path, output: Path, key: Path) -> None:
    inside, outside = source.resolve(), output.resolve()
    if inside.is_dir() and (inside == outside or inside in outside.parents or outside in inside.parents):
        wanted = "an output folder beside the source"
        raise ImagingError("source and output lie inside each other", where=str(output), wanted=wanted)
    if output.is_symlink() or (output.exists() and not output.is_dir()):
        raise ImagingError("the output is not a folder", where=str(output), wanted="a new folder")
    check_outside(key, output, what="key")
    foreign = next((path for path in sorted(output.rglob("*")) if not path.is_dir() and not _is_ours(path)), None)
    if foreign is not None:
        raise ImagingError(
            "the output holds something that no run put there", where=str(foreign), wanted="a new folder"
        )
    if output.is_dir() and any(output.iterdir()) and not os.path.lexists(key):
        wanted = "a new folder, or the key of the run that filled this one"
        raise ImagingError("the output is not empty, and its key is not there", where=str(key), wanted=wanted)


def _is_ours(path: Path) -> bool:
    if path.is_symlink():
        return False
    if path.suffix in (".html", ".json"):
        return _is_report(path.with_suffix(".json"))
    return path.name.endswith(PART) or (path.suffix == ".dcm" and is_uid(path.stem))


def _is_report(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as stream:
        return REPORT_FORMAT.encode() in stream.read(_HEAD)
    return False


def _sweep(output: Path) -> None:
    """Takes away what an interrupted run left unfinished."""
    for parent, _, names in os.walk(output):
        for name in names:
            if name.endswith(PART):
                with suppress(OSError):
                    os.unlink(Path(parent, name))


def _work(
    paths: tuple[Path, ...], job: Job, *, workers: int | None, progress: Progress
) -> tuple[list[FileResult], Counter[Step]]:
    """Returns results in the order of the paths, and what was done in all files together."""
    results: list[FileResult | None] = [None] * len(paths)
    steps: Counter[Step] = Counter()
    count = min(workers or os.cpu_count() or 1, len(paths))
    progress.start("de-identify", len(paths))
    try:
        done = _in_turn(paths, job) if count <= 1 or len(paths) <= _FEW else _in_parallel(paths, job, count)
        for step, (number, result) in enumerate(done, start=1):
            results[number] = result
            steps.update(result.steps)
            result.steps = Counter()  # of ten thousand files they would be large
            progress.step(step)
    finally:
        progress.stop()
    return [result for result in results if result is not None], steps


def _in_turn(paths: Iterable[Path], job: Job) -> Iterator[tuple[int, FileResult]]:
    for number, path in enumerate(paths):
        yield number, deidentify_file(path, job)


def _in_parallel(paths: tuple[Path, ...], job: Job, count: int) -> Iterator[tuple[int, FileResult]]:
    """Yields results as they come, with few files handed out at a time, so that a long list costs no memory.

    Should a worker end early, what is left is done here: one process needs less memory than many, and a script
    without a main guard cannot start others at all.
    """
    context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
    left = dict(enumerate(paths))
    with suppress(BrokenProcessPool), ProcessPoolExecutor(count, context, _end_with_parent) as pool:
        waiting: dict[Future[FileResult], int] = {}
        numbers = iter(enumerate(paths))
        while True:
            while len(waiting) < count * _WAITING and (item := next(numbers, None)) is not None:
                waiting[pool.submit(deidentify_file, item[1], job)] = item[0]
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                number = waiting.pop(future)
                result = future.result()
                del left[number]
                yield number, result
    for number, path in left.items():
        yield number, deidentify_file(path, job)


def _end_with_parent() -> None:
    """Ends a worker when who started it is gone, also when that was killed and could tell nobody."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _report(results: list[FileResult], steps: Counter[Step], job: Job) -> DeidentificationReport:
    outcomes = Counter(result.outcome for result in results)
    return DeidentificationReport(
        edition=EDITION,
        tables_sha256=_tables_digest(),
        braggbook=metadata.version("braggbook"),
        pydicom=metadata.version("pydicom"),
        methods=[MethodRecord(code=code, meaning=meaning) for code, meaning in job.options.methods()],
        dates=job.options.dates,
        outcomes=dict(outcomes),
        open_findings=_open(results),
        warnings=_warnings(results, job.options),
        not_done=not_done(results, job.options),
        steps=[
            StepRecord(element=element, inside=inside, done=done, why=why, count=count)
            for (element, inside, done, why), count in sorted(steps.items())
        ],
        files=[_record(number, result) for number, result in enumerate(results)],
    )


def _record(number: int, result: FileResult) -> FileRecord:
    return FileRecord(
        number=number, outcome=result.outcome, output=result.output, reason=result.reason, text=result.text,
        face=result.face, notes=result.notes,
    )  # fmt: skip


def _open(results: list[FileResult]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for result in results:
        if result.outcome in _OPEN:
            found[result.outcome] += 1
        if NO_PIXELS in result.notes and result.outcome not in _OPEN:
            found["images without pixels"] += 1
        if result.face and result.outcome in ("written", "there already"):
            found["face " + result.face.split(":")[0].lower()] += 1
    if all(result.outcome == "skipped" for result in results):
        found["source without any DICOM object"] = 1
    return dict(found)


def _warnings(results: list[FileResult], options: Options) -> list[str]:
    warnings = []
    if any(result.suv_lost for result in results):
        warnings.append(
            "PET without the patient's weight and size: no SUV can be computed from it;"
            " retain-patient-characteristics keeps them"
        )
    if options.has("113108"):
        warnings.append("age, sex, weight and size stay: with other data they can single out a person")
    if options.dates == "keep":
        warnings.append("full dates stay: whoever knows when somebody was examined finds the images")
    if options.pixels_reviewed:
        warnings.append("burnt-in text was not searched for: a person has declared the pixels free of it")
    if options.faces_removed:
        warnings.append("faces were not searched for: a person has declared that there are none")
    return warnings


def _tables_digest() -> str:
    """Returns a digest of all tables that decide, so that a report names its recipe."""
    digest = hashlib.sha256()
    folder = resources.files("braggbook.imaging.deidentify").joinpath("data")
    for item in sorted(folder.iterdir(), key=lambda one: one.name):
        digest.update(item.name.encode() + b"\0" + item.read_bytes())
    return digest.hexdigest()

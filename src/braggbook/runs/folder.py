"""Run folders: made aside, shown by one rename, owned by one process at a time."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from braggbook.errors import Issue, RecordError, unknown_name
from braggbook.files import sha256_file, short_temporary_folder, storage, sync_tree
from braggbook.formats.common import issues_from
from braggbook.formats.result import ResultsFile
from braggbook.formats.run import RUN_FORMAT, RunRecord

RECORD, RESULTS = "run.json", "results.json"
FAILED = "failed"  # runs that did not complete lie here, so that they never stand under a run's name
_STAGING, _LOCKS = ".staging", ".locks"
_ID = re.compile(r"[0-9a-f]{24}")


@contextmanager
def only_one(runs: Path, run_id: str, *, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Waits until no other process works on the run ``run_id``, and keeps others waiting meanwhile."""
    with storage(runs):
        (runs / _LOCKS).mkdir(parents=True, exist_ok=True)
        lock = (runs / _LOCKS / run_id).open("w")
    with lock:
        if not _lock(lock.fileno()):
            on_wait()
            fcntl.flock(lock, fcntl.LOCK_EX)
        for target in (runs / run_id, runs / FAILED / run_id):
            _restore(target, _old(runs, target))
        yield


def _old(runs: Path, target: Path) -> Path:
    """Returns where a run lies while another takes its place; a failed one never under a complete one's name."""
    return runs / _STAGING / ("-".join(target.relative_to(runs).parts) + ".old")


def _restore(target: Path, old: Path) -> None:
    """Ends what :func:`show` had begun in a process that was killed between its two renames."""
    if old.is_dir() and target.exists():
        shutil.rmtree(old, ignore_errors=True)
    elif old.is_dir():
        os.rename(old, target)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def staging(runs: Path) -> Iterator[Path]:
    """Gives a new folder beside the runs, and removes what is left of it (and of killed processes) afterwards."""
    base = runs / _STAGING
    with storage(base):
        base.mkdir(parents=True, exist_ok=True)
    _sweep(base)
    with _owned(base, prefix="run-") as folder:
        yield folder


@contextmanager
def scratch() -> Iterator[Path]:
    """Gives a new private folder with a short path in the system's temporary folder.

    Raises:
        StorageError: No temporary folder has a path short enough, or the disk refuses.
    """
    base = short_temporary_folder()
    _sweep(base, prefix=f"bb{os.getuid()}-")
    with _owned(base, prefix=f"bb{os.getuid()}-") as folder:
        yield folder


@contextmanager
def _owned(base: Path, *, prefix: str) -> Iterator[Path]:
    with storage(base):
        # The lock is held before the folder is there: a sweep in between cannot take it for a dead process's.
        handle, name = tempfile.mkstemp(dir=base, prefix=prefix, suffix=".lock")
    with os.fdopen(handle, "w") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        folder = Path(name).with_suffix("")
        try:
            with storage(folder):
                folder.mkdir(mode=0o700)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):
                os.unlink(name)


def _sweep(base: Path, *, prefix: str = "run-") -> None:
    """Removes folders whose owner was killed: their lock is free."""
    for folder in base.glob(f"{prefix}*"):
        if not folder.is_dir():
            continue
        with suppress(OSError), folder.with_name(folder.name + ".lock").open("r+") as mark:
            if _lock(mark.fileno()):
                shutil.rmtree(folder, ignore_errors=True)
                os.unlink(mark.name)


def show(staged: Path, target: Path, *, runs: Path) -> None:
    """Puts a whole folder in its place by one rename; an older one is moved away first and removed afterwards.

    To be called by the owner of the run's lock (:func:`only_one`), which also mends a kill in between.
    """
    old = _old(runs, target)
    with storage(target):
        sync_tree(staged)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            os.rename(target, old)
        os.rename(staged, target)
        shutil.rmtree(old, ignore_errors=True)


def read_record(folder: Path) -> RunRecord:
    """Reads ``run.json``.

    Raises:
        RecordError: There is none, or it is not one; all findings are listed.
    """
    path = folder / RECORD
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecordError(
            "not a run",
            where=folder.name,
            wanted=f"a folder with {RECORD}",
            next_command="braggbook list run",
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError("the run's record cannot be read", where=f"{folder.name}/{RECORD}", got=str(error)) from None
    if isinstance(data, dict) and data.get("format") != RUN_FORMAT:
        raise RecordError("a run of another format", where=RECORD, wanted=RUN_FORMAT, got=str(data.get("format")))
    try:
        return RunRecord.model_validate(data)
    except ValidationError as error:
        raise RecordError(
            "the run's record is not valid", issues=issues_from(error, where=RECORD, known=RunRecord)
        ) from None


def read_results(folder: Path) -> ResultsFile:
    """Reads ``results.json``.

    Raises:
        RecordError: There is none, or it is not one.
    """
    try:
        return ResultsFile.model_validate_json((folder / RESULTS).read_bytes())
    except OSError as error:
        raise RecordError("the run's results cannot be read", where=RESULTS, got=error.strerror or "") from None
    except ValidationError as error:
        raise RecordError("the run's results are not valid", issues=issues_from(error, where=RESULTS)) from None


CHANGED = "changed since the run"


def changed_files(folder: Path, record: RunRecord) -> list[Issue]:
    """Returns every file of a run that is missing, unreadable or changed, and whether its id is still its own."""
    issues = []
    for name, wanted in record.files.items():
        path = folder / name
        if path.exists() and not path.is_file():
            issues.append(Issue("unreadable", name, "a file"))
            continue
        try:
            digest = sha256_file(path)
        except OSError as error:
            what = "missing" if isinstance(error, FileNotFoundError) else "unreadable"
            issues.append(Issue(what, name, got="" if what == "missing" else error.strerror or ""))
            continue
        if digest != wanted.sha256:
            issues.append(Issue(CHANGED, name, f"sha256 {wanted.sha256[:12]}…", f"{digest[:12]}…"))
    if record.identity.run_id != record.id:
        issues.append(Issue(CHANGED, RECORD, f"an identity whose digest is {record.id}", record.identity.run_id))
    if record.parameters != record.identity.parameters:
        issues.append(Issue(CHANGED, RECORD, "the parameters that the id was made of", "others"))
    return issues


def run_folders(runs: Path) -> list[Path]:
    """Returns the folders of all runs, complete ones first."""
    complete = sorted(path for path in runs.glob("*") if _ID.fullmatch(path.name) and path.is_dir())
    failed = sorted(path for path in (runs / FAILED).glob("*") if _ID.fullmatch(path.name) and path.is_dir())
    return [*complete, *failed]


def find_run(name: str, *, runs: Path) -> Path:
    """Returns a run's folder by its id, by the beginning of its id, or by a path.

    Raises:
        UnknownName: There is none, or several begin so.
    """
    if "/" in name or (Path(name) / RECORD).is_file():
        folder = Path(name).absolute()
        if not folder.is_dir():
            raise unknown_name(
                "run", name, [path.name for path in run_folders(runs)], next_command="braggbook list run"
            )
        return folder
    folders = run_folders(runs)
    matches = [path for path in folders if path.name.startswith(name)] if name else []
    if len({path.name for path in matches}) != 1:
        known = [path.name for path in (matches or folders)]
        raise unknown_name("run", name, known, next_command="braggbook list run")
    return matches[0]

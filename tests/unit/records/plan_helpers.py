"""What the tests of plans build with: a run that can be published, made by hand, and whom it must not name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from braggbook.files import sha256_file, write_json
from braggbook.formats.run import FileRecord
from braggbook.notebooks.source import read_notebook
from braggbook.runs.crate import write_crate
from braggbook.runs.folder import read_record
from braggbook.runs.record import SOURCE_FOLDER
from braggbook.runs.scrub import Scrubber

from ..runs.run_helpers import make_run

USER, HOST, HOME, SECRET = "qzhansen", "lab-pc-17.clinic.invalid", "/remote/homes/qzhansen", "s3cr3t-of-this-shell"
SCRUBBER = Scrubber(
    paths=((HOME, "<home>"), ("/tmp", "<tmp>")),
    words=((HOST, "<host>"), (USER, "<user>")),
    secrets=(SECRET,),
)
GITHUB = "ghp_" + "a1B2c3D4e5F6" * 3


def settle(folder: Path, **changes: Any) -> Path:
    """Writes into a run's record what its files are."""
    path = folder / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    files = [one for one in folder.rglob("*") if one.is_file() and one != path]
    listed = {
        one.relative_to(folder).as_posix(): FileRecord(sha256=sha256_file(one), bytes=one.stat().st_size).model_dump()
        for one in sorted(files)
    }
    write_json(path, {**record, "files": listed, **changes})
    return folder


def published_run(runs: Path, *, files: Mapping[str, bytes] | None = None, **more: Any) -> Path:
    """Makes a complete run with a lock, a report and a crate, and whatever ``files`` there are besides."""
    folder = make_run(runs, datasets={}, **more)
    usual = {"kernel/requirements.lock": b"numpy==2.4.6\n", "report.html": b"<!doctype html><p>x = 2</p>\n"}
    for name, data in {**usual, **(files or {})}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    settle(folder)
    record = read_record(folder)
    write_crate(folder, read_notebook(folder / SOURCE_FOLDER / f"{record.notebook}.ipynb"), record, [])
    return settle(folder)

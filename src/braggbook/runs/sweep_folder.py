"""Sweeps' folders: where they lie, and what their records say; reading them needs no cluster."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from braggbook.errors import RecordError
from braggbook.formats.common import issues_from
from braggbook.formats.sweep_record import SWEEP_FORMAT, SweepRecord

SWEEPS, RECORD, STORE = "sweeps", "sweep.json", "results.zarr"


def sweep_folders(runs: Path) -> list[Path]:
    """Returns the folders of all sweeps."""
    return sorted(path.parent for path in (runs / SWEEPS).glob(f"*/{RECORD}"))


def read_sweep(folder: Path) -> SweepRecord:
    """Reads ``sweep.json``.

    Raises:
        RecordError: There is none, or it is not one; all findings are listed.
    """
    path = folder / RECORD
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecordError("not a sweep", where=folder.name, wanted=f"a folder with {RECORD}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError("the sweep's record cannot be read", where=str(path), got=str(error)) from None
    if not isinstance(data, dict) or data.get("format") != SWEEP_FORMAT:
        got = str(data.get("format")) if isinstance(data, dict) else "not a table of keys"
        raise RecordError("a sweep of another format", where=str(path), wanted=SWEEP_FORMAT, got=got)
    try:
        return SweepRecord.model_validate(data)
    except ValidationError as error:
        issues = issues_from(error, where=RECORD, known=SweepRecord)
        raise RecordError("the sweep's record is not valid", where=folder.name, issues=issues) from None

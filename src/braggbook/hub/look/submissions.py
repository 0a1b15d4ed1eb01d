"""What the vault has of a submission, as far as somebody may see it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from braggbook.challenges.evaluate import ERROR, means_of
from braggbook.challenges.vault import Vault
from braggbook.formats.challenge import Phase
from braggbook.formats.submission import RECEIPT_NAME, Evaluation, Receipt
from braggbook.hub.store.tables import Entry

REPLAY = "replay"  # in an evaluation's folder: what a notebook said on public cases
_PRINTED = "what the notebook printed"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
MOST_LOG_BYTES = 256 << 10  # of one log that is shown; its end, where the failure is


@dataclass(frozen=True)
class Log:
    """A log of the same failure on public cases.

    Attributes:
        name: Of the file.
        size: In bytes.
        text: Its end.
        cut: Whether something before is left out.
    """

    name: str
    size: int
    text: str
    cut: bool


@dataclass(frozen=True)
class Made:
    """An evaluation, as an organiser sees it.

    Attributes:
        evaluation: All of it.
        means: Metric -> mean over the cases, or the score of all cases together.
        error: What went wrong in the organiser's part.
    """

    evaluation: Evaluation
    means: dict[str, float]
    error: str


def receipt_file(vault: Vault, entry: Entry) -> Path | None:
    """Returns the newest receipt of a submission; None where there is none yet."""
    if entry.evaluation is None:
        return None
    path = vault.evaluation_folder(entry.id, entry.evaluation) / RECEIPT_NAME
    return path if path.is_file() else None


def receipt_of(vault: Vault, entry: Entry) -> Receipt | None:
    """Returns the newest receipt of a submission; None where there is none yet.

    Raises:
        RecordError: It cannot be read.
    """
    found = vault.evaluation(entry.id, entry.evaluation) if entry.evaluation else None
    return vault.receipt(found) if found else None


def made_of(vault: Vault, entry: Entry) -> list[Made]:
    """Returns all evaluations of a submission for an organiser, the newest first.

    Raises:
        RecordError: One cannot be read.
    """
    found = []
    for one in reversed(vault.evaluations(entry.id)):
        path = vault.evaluation_folder(entry.id, one.id) / ERROR
        error = path.read_text(encoding="utf-8", errors="replace").strip() if path.is_file() else ""
        found.append(Made(one, means_of(one.cases, one.overall), error))
    return found


def may_see_logs(phase: Phase, *, organiser: bool) -> bool:
    """Tells whether a phase shows logs to whoever asks: an organiser, or the submission's own team."""
    return organiser or phase.shows.logs != "organiser"


def logs_of(vault: Vault, entry: Entry) -> list[Log]:
    """Returns what a notebook that failed said on the public cases; nothing where it did not fail."""
    if entry.evaluation is None:
        return []
    folder = vault.evaluation_folder(entry.id, entry.evaluation) / REPLAY
    return [_log(path) for path in sorted(folder.glob("*")) if path.is_file() and path.stat().st_size]


def _log(path: Path) -> Log:
    size = path.stat().st_size
    if path.suffix == ".ipynb" and (printed := _printed(path)):
        return Log(_PRINTED, size, printed[-MOST_LOG_BYTES:], len(printed) > MOST_LOG_BYTES)
    with path.open("rb") as stream:
        stream.seek(max(size - MOST_LOG_BYTES, 0))
        text = stream.read(MOST_LOG_BYTES).decode("utf-8", errors="replace")
    return Log(path.name, size, text, size > MOST_LOG_BYTES)


def _printed(path: Path) -> str:
    """Returns what an executed notebook printed and raised, cell by cell; nothing if it cannot be read as one."""
    said: list[str] = []
    try:
        code = [cell for cell in json.loads(path.read_bytes())["cells"] if cell["cell_type"] == "code"]
        for number, cell in enumerate(code, start=1):
            outputs = [_text(one) for one in cell["outputs"]]
            said += [f"code cell {number}:", *outputs] if any(outputs) else []
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
    return _COLOUR.sub("", "\n".join(said))


def _text(output: Mapping[str, Any]) -> str:
    parts = output.get("traceback") or output.get("text") or output.get("data", {}).get("text/plain") or ""
    return "\n".join(parts) if output["output_type"] == "error" else "".join(parts)

"""Progress and what is handed in: files of earlier releases, and what the model refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from braggbook.formats.common import issues_from
from braggbook.formats.progress import Progress, ProgressExport
from braggbook.learn.handing_in import digest, read_export
from braggbook.learn.state import LOG_LENGTH, fault_of

ARCHIVE = Path(__file__).parents[2] / "archives" / "progress"
EXPORT: dict[str, Any] = json.loads((ARCHIVE / "0.1.0-export.json").read_bytes())


@pytest.mark.parametrize("path", sorted(ARCHIVE.glob("*-progress.json")), ids=lambda path: path.name)
def test_progress_of_every_release_is_read_by_both_sides(path: Path) -> None:
    data = json.loads(path.read_bytes())
    assert Progress.model_validate(data).questions["q2"].attempts == 3
    assert fault_of(data) == ""
    assert read_export(path) == data


@pytest.mark.parametrize("path", sorted(ARCHIVE.glob("*-export.json")), ids=lambda path: path.name)
def test_exports_of_every_release_are_read_by_both_sides(path: Path) -> None:
    export = ProgressExport.model_validate_json(path.read_bytes())
    assert (export.name, export.sha256) == ("Ada Lovelace", digest(json.loads(path.read_bytes())))
    assert read_export(path)["questions"]["q2"]["right_at"] == "2026-11-23T09:39:05Z"


ENTRY = {"attempts": 1, "hints": 0, "log": []}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": ""}, "name: not a name"),
        ({"name": "x" * 101}, "at most 100"),
        ({"name": "a\nb"}, "name: not a name"),
        ({"exported": "2026-11-23"}, "exported: not a time"),
        ({"exported": "2026-13-23T00:00:00Z"}, "exported: not a time"),
        ({"more": 1}, "unknown key 'more'"),
        ({"format": "braggbook.progress_export/2"}, "not a possible value"),
        ({"questions": {"q1": {**ENTRY, "attempts": "1"}}}, "a whole number"),
        ({"questions": {"q1": {**ENTRY, "attempts": 10**9}}}, "less than or equal to"),
        ({"questions": {"q1": {**ENTRY, "hints": 4}}}, "less than or equal to 3"),
        ({"questions": {"../q1": ENTRY}}, "pattern"),
        ({"questions": {f"q{k}": ENTRY for k in range(201)}}, "at most 200"),
        ({"lesson": "../etc/passwd"}, "pattern"),
        (
            {"questions": {"q1": {**ENTRY, "log": [{"at": "2026-11-23T09:30:00Z", "right": True, "slip": ""}] * 2}}},
            "more attempts listed than counted",
        ),
    ],
)
def test_what_is_refused(change: dict[str, Any], says: str) -> None:
    outer = {key: value for key, value in change.items() if key not in ("questions", "lesson")}
    inner = {key: value for key, value in change.items() if key in ("questions", "lesson")}
    with pytest.raises(ValidationError) as caught:
        ProgressExport.model_validate(EXPORT | outer | {"progress": EXPORT["progress"] | inner})
    assert says in "\n".join(map(str, issues_from(caught.value, where="a.json", known=ProgressExport)))


def test_both_sides_agree_on_the_length_of_the_log() -> None:
    attempt = {"at": "2026-11-23T09:30:00Z", "right": False, "slip": ""}
    for length, good in ((LOG_LENGTH, True), (LOG_LENGTH + 1, False)):
        entry = {"attempts": 1000, "hints": 0, "log": [attempt] * length}
        data = EXPORT["progress"] | {"questions": {"q1": entry}}
        assert (fault_of(data) == "") is good
        if good:
            Progress.model_validate(data)
        else:
            with pytest.raises(ValidationError):
                Progress.model_validate(data)

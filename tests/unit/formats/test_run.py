"""The record of a run: what it must say, and that it can be read by whoever finds it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from pydantic import ValidationError

from braggbook.formats.common import issues_from
from braggbook.formats.run import RUN_FORMAT, Identity, RunRecord

DIGEST = "0123456789abcdef" * 4
RECORD: dict[str, Any] = {
    "format": RUN_FORMAT,
    "id": DIGEST[:24],
    "verdict": "complete",
    "notebook": "survival",
    "title": "Does it work?",
    "identity": {
        "notebook": DIGEST,
        "parameters": {"level": 0.1},
        "datasets": {"counts@1": DIGEST},
        "kernel_lock": DIGEST,
        "python": "3.11.7",
        "braggbook": DIGEST,
        "seed": 0,
    },
    "parameters": {"level": 0.1, "doses": [1, 2.5], "plating": None},
    "datasets": [
        {"reference": "counts@1", "title": "Counts", "license": "CC0-1.0", "files": {"a/b.csv": {"sha256": DIGEST, "bytes": 0}}}
    ],
    "kernel": {"slug": "radiobiology", "lock_sha256": DIGEST, "origin": "current"},
    "python": "3.11.7",
    "braggbook": {"version": "0.1.0", "wheel": "software/braggbook.whl", "sha256": DIGEST},
    "determinism": {
        "seed": 0,
        "environment": {"TZ": "UTC"},
        "matplotlib_hashsalt": "braggbook",
        "cell_timeout_s": 3600,
        "memory_limit_mb": 1,
    },
    "cells": [{"index": 1, "status": "complete", "seconds": 0.5}, {"index": 2, "status": "not run"}],
    "started": "2026-05-04T10:00:00+00:00",
    "ended": "2026-05-04T10:00:02+00:00",
    "results": ["dose"],
    "files": {"results.json": {"sha256": DIGEST, "bytes": 412}},
}  # fmt: skip


def _with(path: str, value: Any) -> dict[str, Any]:
    record = copy.deepcopy(RECORD)
    *parents, last = path.split(".")
    part: Any = record
    for name in parents:
        part = part[int(name) if name.isdigit() else name]
    part[last] = value
    return record


def _issues(record: dict[str, Any]) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        RunRecord.model_validate(record)
    return [str(issue) for issue in issues_from(caught.value, where="run.json", known=RunRecord)]


def test_a_record_reads_back_from_its_json() -> None:
    record = RunRecord.model_validate(RECORD)
    assert RunRecord.model_validate(json.loads(json.dumps(record.model_dump(mode="json")))) == record
    assert record.parameters["doses"] == [1, 2.5]
    assert record.failure is None


@pytest.mark.parametrize("verdict", ["complete", "failed", "timed out", "killed", "interrupted"])
def test_every_verdict_has_its_word(verdict: str) -> None:
    assert RunRecord.model_validate(_with("verdict", verdict)).verdict == verdict


@pytest.mark.parametrize("kind", ["cell", "timeout", "kernel", "results", "interrupt", "kernel start"])
def test_every_failure_has_its_kind(kind: str) -> None:
    failure = {
        "kind": kind,
        "message": "why",
        "cell": 3,
        "issues": [{"what": "x", "where": "", "wanted": "", "got": ""}],
    }
    record = RunRecord.model_validate(_with("failure", failure))
    assert record.failure is not None
    assert (record.failure.kind, record.failure.cell) == (kind, 3)


@pytest.mark.parametrize(
    ("path", "value", "issue"),
    [
        ("id", DIGEST, "run.json id: String should match pattern"),
        ("id", DIGEST[:24].upper(), "run.json id: String should match pattern"),
        ("id", DIGEST[:24] + "\n", "run.json id: String should match pattern"),
        ("verdict", "ok", "run.json verdict: not a possible value; wanted 'complete'"),
        ("notebook", "My Notebook", "run.json notebook: not a slug"),
        ("files", {"../x": {"sha256": DIGEST, "bytes": 1}}, "a path that leaves its folder; got '../x'"),
        ("files", {"/etc/passwd": {"sha256": DIGEST, "bytes": 1}}, "a path that leaves its folder; got '/etc/passwd'"),
        ("files", {"a//b": {"sha256": DIGEST, "bytes": 1}}, "a path that leaves its folder; got 'a//b'"),
        ("files", {"x": {"sha256": "abc", "bytes": 1}}, "run.json files.x.sha256"),
        ("files", {"x": {"sha256": DIGEST, "bytes": -1}}, "run.json files.x.bytes: not a possible value"),
        ("datasets.0.reference", "counts", "run.json datasets[0].reference: not a dataset and its version"),
        ("datasets.0.reference", "../../x@1", "run.json datasets[0].reference: not a dataset and its version"),
        ("datasets.0.not_copied", ["/x"], "run.json datasets[0].not_copied[0]: a path that leaves its folder"),
        ("braggbook.wheel", "../x.whl", "run.json braggbook.wheel: a path that leaves its folder"),
        ("kernel.origin", "elsewhere", "run.json kernel.origin: not a possible value"),
        ("kernel.slug", "../x", "run.json kernel.slug: not a slug"),
        ("determinism.cell_timeout_s", float("inf"), "run.json determinism.cell_timeout_s: a value of another type"),
        ("cells.0.status", "completed", "run.json cells[0].status: not a possible value"),
        ("host", "proton", "run.json host: unknown key 'host'"),
        ("verdikt", "complete", "run.json verdikt: unknown key 'verdikt'; did you mean verdict?"),
    ],
)
def test_a_damaged_record_is_refused_with_the_place(path: str, value: Any, issue: str) -> None:
    issues = _issues(_with(path, value))
    assert any(issue in text for text in issues), issues


@pytest.mark.parametrize(
    "name", ["files/2026-05-04T10:00:00.csv", "files/a b", "files/Was?*.txt", "files/..x", "files/µ"]
)
def test_a_notebook_may_write_files_of_any_name(name: str) -> None:
    record = RunRecord.model_validate(_with("files", {name: {"sha256": DIGEST, "bytes": 1}}))
    assert list(record.files) == [name]


@pytest.mark.parametrize("name", sorted(set(RECORD) - {"format"}))
def test_nothing_of_a_record_may_be_missing(name: str) -> None:
    record = {key: value for key, value in RECORD.items() if key != name}
    assert _issues(record) == [f"run.json: the key {name!r} is missing"]


def test_an_identity_has_nothing_that_changes_from_run_to_run() -> None:
    assert set(Identity.model_fields) == {
        "notebook", "parameters", "datasets", "kernel_lock", "python", "braggbook", "seed",
    }  # fmt: skip


def test_a_record_does_not_change() -> None:
    record = RunRecord.model_validate(RECORD)
    with pytest.raises(ValidationError, match="frozen"):
        record.verdict = "failed"

"""Several processes at one archive, and processes that are killed: it is whole at every moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from braggbook.progress import Silent
from braggbook.records.folder import FolderArchive
from braggbook.testing.archive import make_metadata

from .archive_helpers import publish

pytestmark = pytest.mark.full
SCRIPT = Path(__file__).with_name("processes.py")


def start(verb: str, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), verb, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is one: the work is done a few hundred times, and each time synced to the disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Path(folder)


def test_killed_at_every_step_the_same_call_again_ends_in_one_record(quick_folder: Path) -> None:
    out, err = start("kill", quick_folder).communicate(timeout=300)
    assert err == ""
    outcome = json.loads(out)
    whole = {"latest": True, "drafts": 0, "left": [], "last": True}
    work = ["The work", "2", ["a.bin"]]
    assert outcome["new"]["ends"] == [{"records": [work], "pages": 2, **whole}]
    assert outcome["base"]["ends"] == [{"records": [["The first", "1", ["a.bin"]], work], "pages": 2, **whole}]
    assert outcome["new"]["steps"] > 50
    assert outcome["base"]["steps"] > 50


def test_who_may_only_read_reads(quick_folder: Path) -> None:
    archive = FolderArchive(quick_folder / "archive")
    record = publish(archive, quick_folder, content={"a.bin": b"first"}, plan="a" * 64)
    (archive.root / ".stale").write_text("1\n")  # which only somebody who may write can mend
    quick_folder.chmod(0o755)
    archive.root.chmod(0o555)
    out, err = start("read", quick_folder).communicate(timeout=60)
    archive.root.chmod(0o755)
    assert err == ""
    assert json.loads(out) == {"found": True, "got": 5, "refusal": "StorageError"}
    assert archive.record(record.doi) == record


def test_processes_publish_at_the_same_time(tmp_path: Path) -> None:
    answers = [process.communicate(timeout=120) for process in [start("together", tmp_path) for _ in range(4)]]
    assert [err for _, err in answers] == [""] * 4
    made = [doi for out, _ in answers for doi in json.loads(out)]
    assert len(set(made)) == len(made) == 24
    archive = FolderArchive(tmp_path / "archive")
    index = (archive.root / "index.html").read_text()
    for doi in made:
        record = archive.record(doi)
        assert record.title in index
        archive.download(record, "a.bin", tmp_path / "out", progress=Silent())
    assert len(archive.search("", most=100)) == 24
    assert list((archive.root / "drafts").iterdir()) == []
    assert list((archive.root / ".staging").iterdir()) == []


def test_processes_publish_the_same_draft_at_the_same_time(tmp_path: Path) -> None:
    archive = FolderArchive(tmp_path / "archive")
    draft = archive.create(make_metadata(title="The only one"), plan="a" * 64)
    (tmp_path / "a.bin").write_bytes(b"x" * 1_000_000)
    archive.upload(draft.id, "a.bin", tmp_path / "a.bin", progress=Silent())
    answers = [process.communicate(timeout=120) for process in [start("mint", tmp_path) for _ in range(3)]]
    assert [err for _, err in answers] == [""] * 3
    said = sorted(json.loads(out) for out, _ in answers)
    assert said[0] == draft.doi
    refusals = {"a published record cannot be changed", "the draft changed while it was being published"}
    assert set(said[1:]) <= refusals, "one publishes it, and the others are told"
    assert [record.title for record in archive.search("")] == ["The only one"]
    assert archive.own("a" * 64)[0].state == "published"
    assert list((archive.root / "drafts").iterdir()) == []

"""What zenodo-client 0.4.2 gets wrong, and ours must not; that the package has each is pinned by its own tests.

See ``serve/test_zenodo_client.py``, in the same order.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from braggbook.errors import ArchiveError, HashMismatch, NetworkError
from braggbook.formats.record import Creator
from braggbook.progress import Silent
from braggbook.records.archive import Archive, Record
from braggbook.records.deposit import mint, push
from braggbook.records.serve import (
    CorruptStored,
    Fault,
    WrongChecksum,
    gateway_timeout,
    internal_error,
    too_many_requests,
)
from braggbook.testing.archive import make_metadata, make_plan

from .deposit_helpers import TOKEN, Place

pytestmark = pytest.mark.full  # each starts a server


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place("zenodo", tmp_path)
    yield made
    made.stop()


@pytest.fixture
def archive(place: Place) -> Archive:
    return place.archive()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.txt"
    path.write_bytes(b"hello")
    return path


def published(archive: Archive, path: Path, *names: str, version_of: str | None = None, **changes: Any) -> Record:
    draft = archive.create(make_metadata(**changes), plan=make_plan(), version_of=version_of)
    for name in names or (path.name,):
        archive.upload(draft.id, name, path, progress=Silent())
    return archive.publish(draft.id)


def faults_of(place: Place) -> Any:
    assert place.server is not None
    return place.server.faults


def calls_of(place: Place) -> Any:
    assert place.server is not None
    return place.server.calls


def test_these_are_the_defects_of_this_version() -> None:
    assert version("zenodo-client") == "0.4.2"


def test_the_token_is_in_the_header_and_in_no_error(place: Place, archive: Archive, file: Path) -> None:
    record = published(archive, file)
    archive.download(record, "a.txt", file.with_name("got"), progress=Silent())
    with pytest.raises(ArchiveError) as caught:
        archive.publish("1")
    assert {call.token_in for call in calls_of(place)} == {"header"}
    assert TOKEN not in f"{caught.value}{caught.value!r}{vars(caught.value)}"


def test_every_call_says_who_asks(place: Place, archive: Archive, file: Path) -> None:
    record = published(archive, file)
    archive.download(record, "a.txt", file.with_name("got"), progress=Silent())
    assert {call.user_agent.partition("/")[0] for call in calls_of(place)} == {"braggbook"}


@pytest.mark.parametrize("answer", [too_many_requests(retry_after=1), internal_error(), gateway_timeout()])
def test_a_file_is_sent_again(place: Place, archive: Archive, file: Path, answer: Any) -> None:
    fault = faults_of(place).add(Fault(answer, method="PUT"))
    published(archive, file)
    assert fault.fired == 1


def test_a_publication_that_timed_out_is_looked_up(place: Place) -> None:
    job = place.job()
    fault = faults_of(place).add(Fault(gateway_timeout(after=True), path="*/publish"))
    push(job)
    assert mint(job).step == "checked"
    assert (fault.fired, place.states()) == (1, ["published"])


def test_a_failed_next_version_blocks_nothing(place: Place, archive: Archive, file: Path) -> None:
    first = published(archive, file)
    job = place.job()
    job = replace(job, plan=job.plan.model_copy(update={"version_of": first.doi}))
    faults_of(place).add(Fault(internal_error(), method="PUT", path="/api/files/*", times=40))
    with pytest.raises(NetworkError):
        push(job)
    faults_of(place).clear()
    push(job)
    mint(job)
    assert place.states() == ["published", "published"]


def test_what_somebody_else_s_tool_left_blocks_nothing_either(place: Place, archive: Archive, file: Path) -> None:
    """The package's own stale draft, with files in it."""
    first = published(archive, file)
    left = archive.create(make_metadata(), plan=make_plan(), version_of=first.doi)
    archive.upload(left.id, "left.txt", file, progress=Silent())
    second = published(archive, file, "b.txt", version_of=first.doi)
    assert (second.id, [one.name for one in second.files]) == (left.id, ["b.txt"])


def test_a_next_version_that_is_not_published_is_the_one_that_comes_back(archive: Archive, file: Path) -> None:
    first = published(archive, file)
    draft = archive.create(make_metadata(), plan=make_plan(), version_of=first.doi)
    assert (draft.state, draft.id != first.id) == ("draft", True)


def test_old_files_do_not_stay_in_a_new_version(archive: Archive, file: Path) -> None:
    first = published(archive, file, "a.txt", "b.txt")
    second = published(archive, file, "renamed.txt", version_of=first.doi)
    assert [one.name for one in second.files] == ["renamed.txt"]


@pytest.mark.parametrize("said", ["1.2.0", "2026-11-22", "first"])
def test_the_version_is_the_one_that_was_said(archive: Archive, file: Path, said: str) -> None:
    first = published(archive, file, version="1")
    assert published(archive, file, version_of=first.doi, version=said).version == said


def test_files_of_one_base_name_are_both_kept_or_refused(archive: Archive, file: Path) -> None:
    draft = archive.create(make_metadata(), plan=make_plan())
    with pytest.raises(ArchiveError, match="no folders"):
        archive.upload(draft.id, "other/a.txt", file, progress=Silent())


@pytest.mark.parametrize("name", ["b c#1.txt", "what?.txt", "100%25.txt", "a&b=c;d.txt", "ü\u00df\u6f22.txt", "+.txt"])
def test_names_are_whole(archive: Archive, file: Path, name: str) -> None:
    record = published(archive, file, name)
    assert [one.name for one in record.files] == [name]
    archive.download(record, name, file.with_name("got"), progress=Silent())
    assert file.with_name("got").read_bytes() == b"hello"


def test_metadata_are_checked_before_anything_is_asked() -> None:
    with pytest.raises(ValueError, match="creators"):
        make_metadata(creators=[])
    with pytest.raises(ValueError, match="license"):
        make_metadata(license=None)


def test_an_organisation_is_a_creator(archive: Archive, file: Path) -> None:
    team = Creator(name="The PTCOG Collaboration", type="organizational")
    assert published(archive, file, creators=[team]).doi


@pytest.mark.parametrize("action", [WrongChecksum(), CorruptStored()])
def test_what_arrived_is_compared(place: Place, action: Any) -> None:
    job = place.job()
    fault = faults_of(place).add(Fault(action, method="PUT"))

    def work() -> None:
        push(job)
        mint(job)

    with pytest.raises(HashMismatch):  # on arrival, or when the record is read back
        work()
    assert fault.fired == 1


def test_an_empty_file_does_not_go_in_chunks(place: Place, archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    record = published(archive, tmp_path / "empty.txt")
    assert [one.bytes for one in record.files] == [0]
    puts = [call for call in calls_of(place) if call.method == "PUT"]
    assert [(call.headers.get("transfer-encoding"), call.headers["content-length"]) for call in puts] == [(None, "0")]


def test_metadata_of_a_second_push_are_the_second_ones(place: Place) -> None:
    push(place.job())
    told = make_metadata(title="Another title")
    job = place.job(metadata=told)
    push(job)
    mint(job)
    (draft,) = place.archive().own(job.plan.digest)
    assert place.archive().record(draft.id).title == "Another title"


def test_the_latest_record_is_the_latest(archive: Archive, file: Path) -> None:
    first = published(archive, file)
    second = published(archive, file, version_of=first.doi)
    assert archive.record(first.doi, latest=True).id == second.id


# What the package does when it is imported

IMPORT = """
import os, sys
before = dict(os.environ)
import {module}
assert dict(os.environ) == before, set(os.environ.items()) ^ set(before.items())
print(*sorted(set(sys.modules) & {{"zenodo_client", "pystow", "requests", "urllib3", "tqdm"}}))
"""


def imported(module: str, home: Path, **environment: str) -> list[str]:
    """Imports a module with an empty home, and returns which of the packages it brought along."""
    kept = {name: value for name, value in os.environ.items() if not re.match("PYSTOW|XDG|HOME", name)}
    env = {**kept, "HOME": str(home), "TMPDIR": str(home.parent), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    command = [sys.executable, "-c", IMPORT.format(module=module)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("own", [None, "chosen"])
def test_nothing_is_made_in_a_home(tmp_path: Path, own: str | None) -> None:
    home = tmp_path / "somewhere" / "home"
    home.mkdir(parents=True)
    more = {"PYSTOW_HOME": str(tmp_path / own)} if own else {}
    assert "zenodo_client" in imported("braggbook.records.zenodo", home, **more)
    assert list(home.rglob("*")) == []
    assert list(home.parent.iterdir()) == [home]  # nor is anything left where temporary things are
    assert not (tmp_path / "chosen").exists()


@pytest.mark.parametrize(
    "module", ["braggbook.records.archives", "braggbook.records.deposit", "braggbook.records.folder"]
)
def test_the_folder_archive_needs_no_network_library(tmp_path: Path, module: str) -> None:
    home = tmp_path / "somewhere" / "home"
    home.mkdir(parents=True)
    assert imported(module, home) == []
    assert list(home.rglob("*")) == []

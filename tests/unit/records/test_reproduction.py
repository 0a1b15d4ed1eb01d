"""A verdict as a record: what it says, of whom, and that nothing of this machine is in it."""

from __future__ import annotations

import getpass
import json
import platform
import socket
from pathlib import Path
from typing import Any

import pytest

from braggbook.errors import InputError, Issue, NotVerifiable
from braggbook.formats.notebook import ResultSpec
from braggbook.formats.result import ScalarResult
from braggbook.formats.verification import VerificationFile
from braggbook.records.archive import Record, RemoteFile
from braggbook.records.archives import Shelf
from braggbook.records.deposit import Job, mint, push
from braggbook.records.folder import FolderArchive
from braggbook.records.invenio import InvenioArchive
from braggbook.records.receive import Received, receive
from braggbook.records.reproduction import creators_given, plan_reproduction, require_related
from braggbook.records.serve import Account, ArchiveServer
from braggbook.records.transport import Transport
from braggbook.records.zenodo import ZenodoArchive
from braggbook.runs.compare import Comparison
from braggbook.runs.verify import Verification
from braggbook.settings import Settings

DOI, RUN, SHA256 = "10.5281/zenodo.12345", "0123456789abcdef01234567", "ab" * 32
RECORD = Record(
    id="12345",
    doi=DOI,
    concept_doi="10.5281/zenodo.12344",
    version="1",
    title="Run of: A test",
    published="2026-11-22",
    plan=None,
    files=(RemoteFile("test.zip", 10, "0" * 32),),
    url="https://zenodo.org/records/12345",
)
CREATORS = [{"name": "Curie, Marie", "type": "personal", "orcid": "0000-0002-1825-0097"}]


def received(**other: Any) -> Received:
    given = {"kind": "run", "folder": Path("f"), "zip": Path("test.zip"), "sha256": SHA256, "record": RECORD}
    return Received(**{**given, **other})


def found(**other: Any) -> Verification:
    first, second = (ScalarResult(name="x", value=value, unit="Gy") for value in (1.0, 1.1))
    row = Comparison("x", first, second, ResultSpec(unit="Gy"), same=False, identical=False, difference="differs")
    given = {"verdict": "drifted", "reason": "x (value: differs)", "rows": [row]}
    return Verification(RUN, **{**given, **other})


def settings(folder: Path) -> Settings:
    return Settings(
        folder / "project", folder / "project" / "runs", folder / "cache", folder / "archive", folder / "vault"
    )


def plan(folder: Path, one: Verification | None = None, of: Received | None = None, **more: Any) -> Any:
    more = {"creators": CREATORS, "archive": "folder", "settings": settings(folder), **more}
    return plan_reproduction(one or found(), of or received(), **more)


def test_it_says_what_was_verified_and_what_came_of_it(tmp_path: Path) -> None:
    planned, place = plan(tmp_path, software="https://example.org/braggbook")
    said = planned.plan
    assert (said.kind, [file.name for file in said.files]) == ("reproduction", ["README.md", "verification.json"])
    assert {(one.relation, one.identifier) for one in said.metadata.relations} == {
        ("reviews", DOI),
        ("isVariantFormOf", DOI),
        ("isCompiledBy", "https://example.org/braggbook"),
    }
    assert said.metadata.title == "Reproduction: Run of: A test"
    for told in (DOI, "Verdict: drifted. 0 of 1 results are the same.", "x (value: differs)"):
        assert told in said.metadata.description
        assert told in (place / "README.md").read_text()
    file = VerificationFile.model_validate_json((place / "verification.json").read_bytes())
    assert (file.record.doi, file.record.sha256, file.run, file.verdict) == (DOI, SHA256, RUN, "drifted")
    assert [(row.name, row.expected, row.actual, row.same) for row in file.results] == [("x", 1.0, 1.1, False)]


def test_the_same_verdict_is_the_same_plan_and_another_is_another(tmp_path: Path) -> None:
    first, place = plan(tmp_path)
    again, same_place = plan(tmp_path)
    assert (first.plan.digest, place) == (again.plan.digest, same_place)
    other, other_place = plan(tmp_path, found(verdict="identical", reason="", rows=[]))
    assert other.plan.digest != first.plan.digest
    assert other_place != place


def test_nothing_of_this_machine_is_in_it(tmp_path: Path) -> None:
    home, cache = Path.home(), tmp_path / "cache" / "records"
    reason = f"{home}/secret, {tmp_path}/project/x, {cache}/y: No such file; on {socket.gethostname()}"
    issue = Issue("unreadable", f"{home}/z", got=str(cache))
    _, place = plan(tmp_path, found(reason=reason, files=[issue], notes=[str(tmp_path / "project")]))
    text = "".join(path.read_text() for path in place.iterdir())
    names = [str(home), str(tmp_path), f"/{getpass.getuser()}/"]
    assert [name for name in names if name in text and len(name) > 3] == []
    told = json.loads((place / "verification.json").read_text())["verified_with"]
    assert platform.node() not in told["platform"].values()


def test_it_goes_the_way_of_every_record(tmp_path: Path) -> None:
    planned, place = plan(tmp_path)
    archive = FolderArchive(tmp_path / "archive")
    job = Job(planned.plan, planned.paths, archive, place)
    push(job)
    minted = mint(job)
    assert minted.step == "checked"
    planned, place = plan(tmp_path)
    assert mint(Job(planned.plan, planned.paths, archive, place)) == minted
    assert len(archive.search("")) == 1


@pytest.mark.full
@pytest.mark.parametrize("kind", [ZenodoArchive, InvenioArchive])
def test_servers_take_it_and_say_what_it_reviews(tmp_path: Path, kind: Any) -> None:
    token = "of-the-one-who-verified"
    with ArchiveServer(tmp_path / "server", {token: Account()}) as server:
        transport = Transport(server.url, token)
        planned, place = plan(tmp_path)
        job = Job(planned.plan, planned.paths, kind(transport), place)
        push(job)
        minted = mint(job)
        assert minted.step == "checked"
        said = transport.ask("GET", f"/api/records/{minted.id}").json()["metadata"]
        related = {(one["relation"], one["identifier"]) for one in said["related_identifiers"]}
        assert related == {("reviews", DOI), ("isVariantFormOf", DOI)}
        address = f"{'invenio+' * (kind is InvenioArchive)}{server.url}/records/{minted.id}"
        with pytest.raises(NotVerifiable, match="how another one was verified"):
            receive(address, shelf=Shelf(tmp_path, {}), cache=tmp_path / "cache")


def test_without_a_comparison_there_is_nothing_to_publish(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing was compared"):
        plan(tmp_path, found(verdict="not verifiable", reason="no kernel"))
    assert not (tmp_path / "project").exists()


def test_a_zip_alone_cannot_be_related_to(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a verdict on nothing that others could find"):
        require_related(received(record=None))
    with pytest.raises(InputError, match="a verdict on nothing that others could find"):
        plan(tmp_path, of=received(record=None))


@pytest.mark.parametrize(
    ("names", "orcids", "affiliations", "wanted"),
    [
        (("Curie, Marie",), (), (), [{"name": "Curie, Marie", "type": "personal"}]),
        (("A team",), (), ("A place",), [{"name": "A team", "type": "organizational", "affiliation": "A place"}]),
        (("Curie, Marie",), ("https://orcid.org/0000-0002-1825-0097",), (), CREATORS),
    ],
)
def test_who_verified_it_is_who_says_so(
    names: tuple[str, ...], orcids: tuple[str, ...], affiliations: tuple[str, ...], wanted: list[dict[str, str]]
) -> None:
    assert creators_given(names, orcids, affiliations) == wanted


@pytest.mark.parametrize(
    ("names", "orcids", "affiliations", "told"),
    [
        ((), (), (), "nobody to sign the verdict"),
        ((" , ",), (), (), "an empty name"),
        (("A, B", "C, D"), ("0000-0002-1825-0097",), (), "not one for each --creator"),
        (("A, B",), ("0000-0002-1825-0098",), ("x", "y"), "check digit"),
    ],
)
def test_who_is_not_told_or_wrong_is_refused(
    names: tuple[str, ...], orcids: tuple[str, ...], affiliations: tuple[str, ...], told: str
) -> None:
    with pytest.raises(InputError) as caught:
        creators_given(names, orcids, affiliations)
    assert told in str(caught.value)
    assert "--creator" in caught.value.next_command

"""Plans and records in a terminal: all of it, and nothing that others wrote does anything there."""

from __future__ import annotations

import io
import shlex
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from braggbook.cli.face import Face
from braggbook.cli.record_shown import MOST_MEMBERS, deposit_lines, plain, plan_lines, record_lines, spelled
from braggbook.formats.record import Creator, Deposit, Funding, PlanFile, PublishPlan, RecordMetadata, Relation
from braggbook.records.archive import Record, RemoteFile
from braggbook.settings import load_settings

MD5, SHA256 = "0" * 32, "a" * 64
FILE = PlanFile(name="run.zip", sha256=SHA256, md5=MD5, bytes=1_234_567)
HOSTILE = "[/red] \x1b[31mred\x1b]0;x\x07 [bold]"


def plan(**changes: Any) -> PublishPlan:
    facts: dict[str, Any] = {
        "title": "Runs of a test", "description": "First.\n\nSecond.", "resource_type": "dataset", "license": "CC-BY-4.0",
        "creators": [Creator(name="Curie, Marie", orcid="0000-0002-1825-0097", affiliation="Sorbonne", ror="https://ror.org/02en5vm52")],
        "keywords": ["dose", "cells"], "subjects": ["Physics"], "version": "1", "notes": "a note",
        "relations": [Relation(relation="isDerivedFrom", identifier="10.1234/data", resource_type="dataset")],
        "funding": [Funding(funder="A fund", funder_id="10.13039/1", award="77")],
    }  # fmt: skip
    return PublishPlan(
        kind="run", source="abc", metadata=RecordMetadata(**{**facts, **changes}), files=[FILE], missing=["an ORCID iD"],
        version_of="10.5072/braggbook.abc.1",
    )  # fmt: skip


def printed(lines: Any) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=300, highlight=False)
    for line in lines:
        console.print(line)
    return stream.getvalue()


def test_a_plan_is_shown_whole() -> None:
    made = plan()
    told = printed(
        plan_lines(made, archive="zenodo", members={"run.zip": [{"name": "a", "bytes": 5, "sha256": SHA256}]})
    )
    said = made.metadata
    for text in (
        said.title, "First.", "Second.", "zenodo", "Curie, Marie", "ORCID 0000-0002-1825-0097", "Sorbonne",
        "https://ror.org/02en5vm52", "CC-BY-4.0", "eng", "dose, cells", "Physics", "a note", "isDerivedFrom", "10.1234/data",
        "A fund; 10.13039/1; award 77", "10.5072/braggbook.abc.1", "run, as dataset", "run.zip", "1,234,567", SHA256,
        "in run.zip", "missing  an ORCID iD", made.digest,
    ):  # fmt: skip
        assert text in told


def test_what_is_not_known_has_no_line() -> None:
    told = printed(plan_lines(plan(funding=[], keywords=[], relations=[], notes=""), archive="folder", members={}))
    assert not [word for word in ("funding", "keywords", "relation", "notes", "reserved") if word in told]


@pytest.mark.parametrize(
    ("count", "more"), [(MOST_MEMBERS, ""), (MOST_MEMBERS + 1, "and 1 more files; --json has all")]
)
def test_a_very_long_list_is_cut_and_says_so(count: int, more: str) -> None:
    members = {"run.zip": [{"name": f"member {n}", "bytes": n, "sha256": SHA256} for n in range(count)]}
    told = printed(plan_lines(plan(), archive="folder", members=members))
    assert told.count("member ") == MOST_MEMBERS
    assert ("more files" in told) == bool(more)
    assert more in told


def test_nothing_that_others_wrote_does_anything() -> None:
    relations = [Relation(relation="cites", identifier=HOSTILE)]
    record = Record(HOSTILE, HOSTILE, None, HOSTILE, HOSTILE, HOSTILE, None, (RemoteFile(HOSTILE, 1, MD5),), HOSTILE)
    members = {HOSTILE: [{"name": HOSTILE, "bytes": 1, "sha256": SHA256}]}
    made = plan().model_copy(update={"missing": [HOSTILE], "version_of": HOSTILE})
    made = made.model_copy(
        update={"metadata": made.metadata.model_copy(update={"title": HOSTILE, "relations": relations})}
    )
    told = printed([*plan_lines(made, archive=HOSTILE, members=members), *record_lines(record, archive=HOSTILE)])
    assert "\x1b" not in told
    assert "\x07" not in told
    assert told.count("[/red] \N{REPLACEMENT CHARACTER}[31mred") == told.count("[bold]") > 8


def test_one_line_stays_one_line() -> None:
    assert plain("a\nb\tc\x00") == "a b c\N{REPLACEMENT CHARACTER}"
    assert plain(None) == ""
    assert plain("Größe 5 µm") == "Größe 5 µm"


@pytest.mark.parametrize(
    ("archive", "step", "named"),
    [
        ("folder", "uploaded", "10.5281/zenodo.7"),
        ("zenodo", "uploaded", "10.5281/zenodo.7"),
        ("https://archive.example", "uploaded", "7"),
        ("https://archive.example", "published", "10.5281/zenodo.7"),
    ],
)
def test_a_doi_that_a_server_only_announces_is_not_told(archive: str, step: Any, named: str) -> None:
    deposit = Deposit(
        archive=archive, plan=SHA256, step=step, id="7", doi="10.5281/zenodo.7", url="https://x.example/7"
    )
    told = printed(deposit_lines(deposit)).splitlines()
    assert (told[0].rpartition(": ")[2], told[1]) == (named, "https://x.example/7")


def test_a_command_is_spelled_as_a_shell_takes_it(tmp_path: Path) -> None:
    runs = tmp_path / "it's $HOME; runs"
    settings, origins = load_settings({"runs": runs}, environment={}, start=tmp_path)
    face = Face(settings, origins, out=Console(), talk=Console())
    words = ["publish", "plan", "a b", "--to", "invenio+https://x.example"]
    assert shlex.split(spelled(face, *words)) == ["braggbook", "--runs", str(runs), *words]

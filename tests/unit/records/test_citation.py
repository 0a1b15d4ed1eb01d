"""How a record is cited: our own expectations, and what programs that read such files make of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from braggbook.formats.record import Creator, Deposit, RecordMetadata
from braggbook.records.citation import bibtex, citation_cff, citation_line
from braggbook.testing.archive import make_metadata

from ...oracle_environments import oracle_environment

FOLDER = "10.5072/braggbook.abc234.2"
ZENODO = "10.5281/zenodo.1234567"
ODD = [
    "100 % of {one brace & a #hash_tag \\ ~ ^ $ \" ' @ < > |",
    "a line\nbreak, a\ttab and \x00\x1b[31m control",
    "Größenverhältnisse, naïve ß, Ω and 中文",
    "}{ } unbalanced } braces",
    "x",
    "@article{key, title={other}}",
]


def deposit(doi: str = FOLDER, **changes: Any) -> Deposit:
    said = {"archive": "folder", "published": "2026-11-22", "concept_doi": "10.5072/braggbook.abc234.1", **changes}
    return Deposit(plan="a" * 64, step="published", doi=doi, **said)


def people(*names: str) -> list[Creator]:
    return [Creator(name=name, type="personal" if "," in name else "organizational") for name in names]


def told(*names: str, **changes: Any) -> RecordMetadata:
    return make_metadata(
        **{"title": "Doses", "version": "2", "creators": people(*(names or ("Lovelace, Ada",)))} | changes
    )


@pytest.mark.parametrize(
    ("names", "who"),
    [
        (["Lovelace, Ada Augusta"], "Lovelace, A. A."),
        (["Curie, Marie", "Meitner, Lise"], "Curie, M., & Meitner, L."),
        (["Joliot-Curie, Irène Anne-Marie", "Helium Group"], "Joliot-Curie, I. A.-M., & Helium Group."),
        (["Helium Group"], "Helium Group."),
        (["Aristoteles, "], "Aristoteles."),
        ([f"N{n:02d}, A" for n in range(21)], ", ".join(f"N{n:02d}, A." for n in range(19)) + ", … N20, A."),
        ([f"N{n:02d}, A" for n in range(20)], ", ".join(f"N{n:02d}, A." for n in range(19)) + ", & N19, A."),
    ],
)
def test_a_line(names: list[str], who: str) -> None:
    rest = "(2026). Doses (Version 2) [Data set]. Braggbook archive abc234. doi:10.5072/braggbook.abc234.2"
    assert citation_line(told(*names), deposit()) == f"{who} {rest} (test identifier, not registered)"


def test_a_line_with_a_real_doi() -> None:
    rest = f"(2026). Doses (Version 2) [Data set]. Zenodo. https://doi.org/{ZENODO}"
    assert citation_line(told(), deposit(ZENODO, archive="zenodo")) == f"Lovelace, A. {rest}"


def test_an_entry_for_bibtex() -> None:
    text = bibtex(told("Lovelace, Ada", "Helium Group", "King, Martin Luther, Jr.", "Band and Sons, Anna"), deposit())
    assert text.startswith("@dataset{lovelace2026doses-abc234-2,\n")
    for line in (
        "author       = {Lovelace, Ada and {Helium Group} and King, {Martin Luther, Jr.} and {Band and Sons}, Anna},",
        "title        = {{Doses}},",
        "publisher    = {Braggbook archive abc234},",
        "howpublished = {Braggbook archive abc234, doi:10.5072/braggbook.abc234.2},",
        "doi          = {10.5072/braggbook.abc234.2},",
        "year         = {2026},",
        "note         = {test identifier, not registered},",
    ):
        assert f"  {line}\n" in text
    assert "note" not in bibtex(told(), deposit(ZENODO, archive="zenodo"))
    assert bibtex(told(resource_type="software"), deposit()).startswith("@software{")


def test_keys() -> None:
    def key(doi: str, *names: str, title: str = "Doses") -> str:
        return bibtex(told(*names, title=title), deposit(doi)).partition("{")[2].partition(",")[0]

    assert key(FOLDER, "Müller-Lüdenscheidt, Ä", title="Run of: Do 中文 curves differ?") == (
        "mullerludenscheidt2026curves-abc234-2"
    )
    assert key(ZENODO) == key(ZENODO) == "lovelace2026doses-1234567"
    assert key(ZENODO) != key(ZENODO + "0")
    assert key(FOLDER, "居里, 玛丽", title="中") == "record2026record-abc234-2"


def test_a_path_of_this_machine_is_not_told() -> None:
    local = deposit(url="file:///home/ada/archive/records/2/index.html")
    for text in (bibtex(told(), local), citation_cff(told(), local), citation_line(told(), local)):
        assert "file:" not in text
    address = "https://example.org/records/7"
    away = deposit("10.1234/x.7", url=address, archive="https://example.org:8443/api")
    assert f"url          = {{{address}}}," in bibtex(told(), away)
    assert "publisher    = {example.org}," in bibtex(told(), away)
    assert yaml.safe_load(citation_cff(told(), away))["url"] == address


def test_citation_cff() -> None:
    people = [
        Creator(name="Lovelace, Ada", orcid="0000-0002-1825-0097", affiliation="Institut für\nGrößen"),
        Creator(name="Helium Group", type="organizational", affiliation="Nowhere"),
    ]
    metadata = told(creators=people, keywords=["ions", "ions", " "], license="CC-BY-4.0")
    assert yaml.safe_load(citation_cff(metadata, deposit())) == {
        "cff-version": "1.2.0",
        "message": "If you use this record, please cite it. Its DOI is a test identifier, not registered.",
        "type": "dataset",
        "title": "Doses",
        "authors": [
            {
                "family-names": "Lovelace",
                "given-names": "Ada",
                "orcid": "https://orcid.org/0000-0002-1825-0097",
                "affiliation": "Institut für Größen",
            },
            {"name": "Helium Group"},
        ],
        "version": "2",
        "date-released": "2026-11-22",
        "license": "CC-BY-4.0",
        "keywords": ["ions"],
        "doi": FOLDER,
        "identifiers": [
            {"type": "doi", "value": "10.5072/braggbook.abc234.1", "description": "All versions; leads to the latest"}
        ],
    }


@pytest.mark.parametrize("license", ["LicenseRef-own", "MIT OR Apache-2.0"])
def test_a_licence_that_the_format_cannot_say_is_left_out(license: str) -> None:
    assert "license" not in yaml.safe_load(citation_cff(told(license=license), deposit()))


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return oracle_environment(tmp_path_factory, "citations", "cffconvert==2.0.0", "pybtex==0.26.1")


@pytest.mark.full
def test_programs_read_it(programs: Path, tmp_path: Path) -> None:
    """Pybtex, which parses as the old bibtex does, gives every text back; cffconvert finds every file valid."""
    names = ["Lovelace, Ada", "Band and Sons, Anna", "Group of {one} & 100 %", "Müller, Ä_", "King, Martin Luther, Jr."]
    metadata = [
        told(*names, title=title, version=title[:30], keywords=[title, "", "ions"], license=license)
        for title, license in zip(
            ODD, ["CC-BY-4.0", "MIT OR ISC", "LicenseRef-x", "CC0-1.0", "MIT", "ISC"], strict=True
        )
    ]
    dois = [FOLDER, ZENODO, "10.1234/odd<doi>&#%{7}", "10.1234/a_b", "10.5072/zenodo.7", "10.1234/}8"]
    known = [deposit(doi, url=f"https://example.org/records/{doi}") for doi in dois]
    text = "".join(bibtex(one, where) for one, where in zip(metadata, known, strict=True))
    (tmp_path / "all.bib").write_text(text)
    code = (
        "import json, sys\nfrom pybtex.database import parse_file\nfound = parse_file(sys.argv[1])\n"
        "print(json.dumps([[e.type, e.fields['title'], e.fields.get('doi', ''), "
        "[str(p) for p in e.persons['author']]] for e in found.entries.values()]))"
    )
    done = subprocess.run(
        [programs / "python", "-c", code, tmp_path / "all.bib"], check=True, capture_output=True, text=True
    )
    entries = json.loads(done.stdout)
    assert [entry[0] for entry in entries] == ["dataset"] * len(ODD)
    people = ["Lovelace, Ada", "{Band and Sons}, Anna", r"{Group of \textbraceleft{}one\textbraceright{} \& 100 \%}"]
    assert all(entry[3][:3] == people and len(entry[3]) == len(names) for entry in entries)
    for number, (one, where) in enumerate(zip(metadata, known, strict=True)):
        path = tmp_path / f"{number}.cff"
        path.write_text(citation_cff(one, where))
        answer = subprocess.run(
            [programs / "cffconvert", "--validate", "--infile", path], check=False, capture_output=True, text=True
        )
        assert answer.returncode == 0, (answer.stdout + answer.stderr, path.read_text())

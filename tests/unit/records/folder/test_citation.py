"""How a record is cited."""

from __future__ import annotations

import pytest

from braggbook.formats.record import Creator
from braggbook.records.folder.citation import apa, bibtex_entry
from braggbook.records.folder.model import ArchiveCard, Entry
from braggbook.testing.archive import make_metadata

CARD = ArchiveCard(id="abc234", made="2026-11-22T12:00:00+00:00")


def entry(*names: str, kind: str = "dataset") -> Entry:
    creators = [Creator(name=name, type="personal" if "," in name else "organizational") for name in names]
    told = make_metadata(title="Doses", version="2", creators=creators, resource_type=kind)
    when = "2026-11-22T12:00:00+00:00"
    return Entry(number=2, concept=1, plan="a" * 64, created=when, published=when, metadata=told)


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
def test_apa(names: list[str], who: str) -> None:
    rest = "(2026). Doses (Version 2) [Data set]. Braggbook archive abc234. doi:10.5072/braggbook.abc234.2"
    assert apa(entry(*names), card=CARD) == f"{who} {rest} (test identifier, not registered)"


def test_bibtex() -> None:
    text = bibtex_entry(entry("Lovelace, Ada", "Helium Group", kind="software"), card=CARD)
    assert text.startswith("@software{lovelace2026doses,\n")
    for line in (
        "author    = {Lovelace, Ada and {Helium Group}},",
        "doi       = {10.5072/braggbook.abc234.2},",
        "year      = {2026},",
    ):
        assert line in text

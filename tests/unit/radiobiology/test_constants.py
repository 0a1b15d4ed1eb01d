"""The constants court: who says what, who is taken, and what is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from braggbook.errors import DuplicateName, ScienceError, UnitError, UnknownName
from braggbook.radiobiology import constants as court
from braggbook.radiobiology.constants import (
    Constant,
    Source,
    constant,
    constants,
    constants_read,
    constants_version,
    find_constant,
    suppose,
    supposing,
    taking,
)

PAPER = Source("paper", "A. Author, J Made Up 1 (2000) 1")
PROGRAM = Source("program", "a program, version 1")
THIRD = Source("third", "a third one")


@pytest.fixture(autouse=True)
def _own_court() -> Iterator[None]:
    known, read = dict(court._CONSTANTS), dict(court._READ)
    yield
    for store, before in ((court._CONSTANTS, known), (court._READ, read)):
        store.clear()
        store.update(before)
    suppose({})


def enter(name: str = "test_model.slope", **readings: float) -> Constant:
    sources = {"paper": PAPER, "program": PROGRAM, "third": THIRD}
    return constant(name, unit="um/keV", readings={sources[key]: value for key, value in readings.items()})


@pytest.mark.parametrize(
    ("readings", "ruling", "status"),
    [
        ({PAPER: 1.0}, "", "single source"),
        ({PAPER: 1.0, PROGRAM: 1.0}, "", "agreed"),
        ({PAPER: 1.0, PROGRAM: 2.0}, "", "disputed"),
        ({PAPER: 1.0, PROGRAM: 2.0}, "the program slipped", "ruled"),
    ],
)
def test_status_follows_from_the_readings(readings: dict[Source, float], ruling: str, status: str) -> None:
    record = constant("test_model.slope", unit="1", readings=readings, ruling=ruling)
    assert record.status == status
    if status != "disputed":
        assert record.value == 1.0


def test_a_disputed_constant_is_not_used_until_a_source_is_chosen() -> None:
    record = enter(paper=0.00074, program=0.000074)
    with pytest.raises(ScienceError) as caught:
        _ = record.value
    assert str(caught.value) == (
        "the sources of test_model.slope disagree and nobody has ruled; wanted "
        'sources={"test_model.slope": "paper"} or sources={"test_model.slope": "program"}, '
        "got 0.00074 (paper); 7.4e-05 (program)\nnext: braggbook show constants test_model.slope"
    )
    with taking({"test_model.slope": "program"}):
        assert record.value == 0.000074
        with taking({"test_model.slope": "paper"}):
            assert record.value == 0.00074
        assert record.value == 0.000074
    with pytest.raises(ScienceError):
        _ = record.value


def test_any_source_can_be_chosen_also_against_a_ruling() -> None:
    record = constant("test_model.slope", unit="1", readings={PAPER: 1.0, PROGRAM: 2.0}, ruling="a slip")
    with taking({"test_model.slope": "program"}):
        assert record.value == 2.0
    with taking(None):
        assert record.value == 1.0


def test_a_source_or_constant_that_is_not_there_is_named() -> None:
    record = enter(paper=1.0)
    with pytest.raises(UnknownName, match=r"source of test_model\.slope"), taking({"test_model.slope": "papr"}):
        _ = record.value
    with pytest.raises(UnknownName, match="constant") as caught, taking({"test_model.slop": "paper"}):
        pass
    assert "test_model.slope" in str(caught.value)
    with pytest.raises(UnknownName), supposing({"nobody.knows": 1.0}):
        pass
    with pytest.raises(ScienceError, match="finite"), supposing({"test_model.slope": float("nan")}):
        pass


def test_a_supposition_ends_where_it_is_said_to() -> None:
    record = enter(paper=1.0)
    with supposing({"test_model.slope": 5.0}):
        assert record.value == 5.0
    assert record.value == 1.0
    suppose({"test_model.slope": 6.0})
    assert record.value == 6.0
    with supposing({"test_model.slope": 7.0}):
        assert record.value == 7.0
    suppose({})
    assert record.value == 1.0


def test_what_was_read_is_known_and_what_was_not_is_not() -> None:
    first, _ = enter("test_model.first", paper=1.0), enter("test_model.second", paper=2.0)
    before = constants_read()
    assert "test_model.first" not in before
    _ = first.value
    assert constants_read() == {**before, "test_model.first": 1.0}


def test_a_record_that_is_not_usable_is_refused_with_every_reason() -> None:
    with pytest.raises(ScienceError) as caught:
        constant("Slope", unit="1", readings={PAPER: float("inf"), Source("paper", "again"): float("inf")}, ruling="x")
    text = str(caught.value)
    for reason in ("not a finite number", "not a constant's name", "two sources of one key", "a ruling on sources"):
        assert reason in text
    with pytest.raises(ScienceError, match="no source"):
        constant("test_model.slope", unit="1", readings={})
    with pytest.raises(UnitError):
        constant("test_model.slope", unit="furlong", readings={PAPER: 1.0})
    enter(paper=1.0)
    with pytest.raises(DuplicateName):
        enter(paper=1.0)


def test_the_version_follows_every_part_of_a_record() -> None:
    versions = [constants_version()]
    for unit, readings, ruling in (
        ("1", {PAPER: 1.0}, ""),
        ("Gy", {PAPER: 1.0}, ""),
        ("Gy", {PAPER: 1.5}, ""),
        ("Gy", {PAPER: 1.5, PROGRAM: 1.0}, ""),
        ("Gy", {PAPER: 1.5, PROGRAM: 1.0}, "the program slipped"),
    ):
        court._CONSTANTS.pop("test_model.slope", None)
        constant("test_model.slope", unit=unit, readings=readings, ruling=ruling)
        versions.append(constants_version())
    assert len(set(versions)) == len(versions)
    court._CONSTANTS.pop("test_model.slope")
    assert constants_version() == versions[0]


def test_every_record_of_the_project_has_a_citation_and_none_is_read_at_import() -> None:
    records = constants()
    assert list(records) == sorted(records)
    for record in records.values():
        assert find_constant(record.name) is record
        assert all(len(source.citation) > 10 for source in record.readings), record.name
        assert not (record.status == "single source" and record.ruling), record.name


@pytest.mark.parametrize("given", ["review", 3, [("a", "b")], {1: "review"}])
def test_a_choice_is_a_mapping_of_names(given: Any) -> None:
    with pytest.raises(ScienceError, match="not a choice of sources"), taking(given):
        pass


def test_a_supposed_value_is_a_number() -> None:
    with pytest.raises(ScienceError, match="finite number"), supposing({"peeler.rbe_min_slope": "x"}):  # type: ignore[dict-item]
        pass
    with pytest.raises(ScienceError, match="not values to suppose"):
        suppose(3)  # type: ignore[arg-type]
    with pytest.raises(UnknownName):
        find_constant(3)  # type: ignore[arg-type]

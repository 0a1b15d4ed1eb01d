"""Which standard name a given one may stand for, and that nothing is renamed unseen."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from braggbook.errors import ImagingError
from braggbook.imaging.structures.contours import Structure, Structures
from braggbook.imaging.structures.names import (
    COLUMNS,
    edit_distance,
    is_standard,
    map_names,
    rename,
    standard_names,
)

CASES = [
    # given, proposed, how, needs review
    ("SpinalCord", "SpinalCord", "exact", False),
    ("Parotid_L", "Parotid_L", "exact", False),
    ("Lung~_L", "Lung~_L", "exact", False),
    ("Lung_L^Exp", "Lung_L^Exp", "exact", False),
    ("SpinalCord_PRV05", "SpinalCord_PRV05", "exact", False),
    ("OpticNrv_PRV03_L", "OpticNrv_PRV03_L", "exact", False),
    ("PTV_5040", "PTV_5040", "exact", False),
    ("CTVn1", "CTVn1", "exact", False),
    ("Lungs-GTV", "Lungs-GTV", "exact", False),
    ("spinal cord", "SpinalCord", "spelling", False),
    ("BRAIN_STEM", "Brainstem", "spelling", False),
    ("CORD", "SpinalCord", "alias", False),
    ("Oesophagus", "Esophagus", "alias", False),
    ("chiasma", "OpticChiasm", "alias", False),
    ("bowel bag", "Bag_Bowel", "alias", False),
    ("Lt Lung", "Lung_L", "side rule", False),
    ("lung left", "Lung_L", "side rule", False),
    ("RtKidney", "Kidney_R", "side rule", False),
    ("R. Parotid Gland", "Parotid_R", "alias, side rule", False),
    ("Optic nerve, right", "OpticNrv_R", "alias, side rule", False),
    ("FemHeadL", "Femur_Head_L", "alias, side rule", False),
    ("both lungs", "Lungs", "both sides", False),
    ("hippocampus bilateral", "Hippocampi", "both sides", False),
    ("Cord PRV 5 mm", "SpinalCord_PRV05", "PRV rule", False),
    ("Optic Nerve L + 3mm", "OpticNrv_PRV03_L", "PRV rule", False),
    ("brain stem prv", "Brainstem_PRV", "PRV rule", True),
    ("PTV 50.4 Gy", "PTV_5040", "target rule", False),
    ("ptv_high", "PTV_High", "target rule", False),
    ("GTV-N2", "GTVn2", "target rule", False),
    ("PTV60", "PTV_6000", "target rule", True),
    ("ptv opt", "PTV", "target rule", True),
    ("lungs - PTV", "Lungs-PTV", "derived rule", False),
    ("Heart - PTV", "Heart-PTV", "derived rule", True),
    ("Esophagous", "Esophagus", "fuzzy, distance 1", True),
    ("Larnyx", "Larynx", "fuzzy, distance 1", True),
    ("Parotid", "", "side missing", True),
    ("Heart L", "", "none", True),
    ("Tumor Bed Block", "", "none", True),
    ("zRing", "zRing", "helper", False),
    ("_opt", "_opt", "helper", False),
    ("", "", "none", True),
    ("%$!", "", "none", True),
]


@pytest.mark.parametrize(("name", "proposed", "how", "review"), CASES)
def test_one_name(name: str, proposed: str, how: str, review: bool) -> None:
    (row,) = map_names([name]).to_dict("records")
    assert (row["proposed"], row["how"], row["needs_review"]) == (proposed, how, review)
    assert (row["confidence"] == 1.0) == (how in ("exact", "helper"))


def test_a_missing_side_lists_the_choices() -> None:
    assert map_names(["Kidney"])["note"][0] == "one of Kidney_L, Kidney_R, Kidneys"


def test_the_table_keeps_order_and_columns() -> None:
    table = map_names(["Heart", "cord", "?"])
    assert tuple(table.columns) == COLUMNS
    assert table["given"].tolist() == ["Heart", "cord", "?"]
    assert map_names([]).empty


def test_two_names_for_one_standard_name_need_review() -> None:
    table = map_names(["Cord", "Spinal Cord", "Heart"])
    assert table["needs_review"].tolist() == [True, True, False]
    assert "several" in table["note"][0]


def test_every_standard_name_is_its_own_and_sides_come_in_pairs() -> None:
    rows = standard_names()
    names = [f"{row.name}{side}" for row in rows for side in (("_L", "_R") if row.sides else ("",))]
    assert len(names) == len(set(names)) > 600
    assert all(is_standard(name) for name in names)
    table = map_names(names)
    assert (table["proposed"] == table["given"]).all()
    assert (table["how"] == "exact").all()
    assert max(map(len, names)) <= 16  # of TG-263, for systems that cut names there


def test_no_alias_stands_for_two_names() -> None:
    aliases = [alias for row in standard_names() for alias in row.aliases]
    assert len(aliases) == len(set(aliases))
    assert all(alias == alias.lower().strip() for alias in aliases)


@pytest.mark.parametrize("row", [row for row in standard_names() if row.aliases], ids=lambda row: row.name)
def test_aliases_find_their_name(row: object) -> None:
    for alias in row.aliases:
        found = map_names([alias, f"{alias} left"])["proposed"].tolist()
        assert f"{row.name}_L" in found or row.name in found


def structures(*names: str) -> Structures:
    return Structures(tuple(Structure(name, number) for number, name in enumerate(names, start=1)))


def test_renaming_follows_the_table_alone() -> None:
    table = map_names(["Lt Lung", "Heart"])
    found = rename(structures("Lt Lung", "Heart", "Block"), table)
    assert found.names == ("Lung_L", "Heart", "Block")
    table.loc[0, "proposed"] = ""
    assert rename(structures("Lt Lung"), table).names == ("Lt Lung",)


def test_renaming_waits_for_review_and_refuses_doubles() -> None:
    table = map_names(["Larnyx", "Cord", "SpinalCord"])
    with pytest.raises(ImagingError) as caught:
        rename(structures("Larnyx", "Cord", "SpinalCord"), table)
    assert len(caught.value.issues) == 4
    table["needs_review"] = False
    with pytest.raises(ImagingError, match="several structures would have one name"):
        rename(structures("Cord", "SpinalCord"), table)
    assert rename(structures("Larnyx"), table).names == ("Larynx",)
    with pytest.raises(ImagingError, match="not a table of names"):
        rename(structures("Larnyx"), pd.DataFrame({"given": []}))


@pytest.mark.parametrize(
    ("one", "two", "distance"),
    [("", "", 0), ("abc", "abc", 0), ("abc", "acb", 1), ("kitten", "sitting", 3), ("ab", "", 2)],
)
def test_edit_distance(one: str, two: str, distance: int) -> None:
    assert edit_distance(one, two) == edit_distance(two, one) == distance


@settings(max_examples=15)
@given(st.text(max_size=30))
def test_any_text_has_an_answer(name: str) -> None:
    (row,) = map_names([name]).to_dict("records")
    assert row["given"] == name
    assert 0 <= row["confidence"] <= 1
    assert row["proposed"] == "" or is_standard(row["proposed"]) or row["needs_review"]

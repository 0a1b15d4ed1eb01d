"""Authors as archives want them."""

from __future__ import annotations

import pytest

from braggbook.formats.common import Author, check_ror
from braggbook.formats.record import Creator
from braggbook.records.people import creators_of, family_first, missing_of

HEIDELBERG = "https://ror.org/038t36y30"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("Ada Lovelace", "Lovelace, Ada"), ("Ludwig van Beethoven", "van Beethoven, Ludwig"),
        ("Søren Aabye Kierkegaard", "Kierkegaard, Søren Aabye"), ("María de la Cruz", "de la Cruz, María"),
        ("王 小明", "小明, 王"), ("Ørsted, Hans Christian", "Ørsted, Hans Christian"), ("Zoë  Łuczak", "Łuczak, Zoë"),
    ],
)  # fmt: skip
def test_a_person_is_family_given(name: str, wanted: str) -> None:
    assert creators_of([Author(name=name)]) == [{"name": wanted, "type": "personal"}]


@pytest.mark.parametrize("name", ["CERN", "Particle Therapy Co-Operative Group", "Universität Heidelberg", "A team"])
def test_a_group_keeps_its_name(name: str) -> None:
    assert creators_of([Author(name=name)]) == [{"name": name, "type": "organizational"}]


def test_where_they_are_goes_with_them() -> None:
    author = Author(name="Ada Lovelace", orcid="0000-0002-1825-0097", affiliation="Heidelberg", ror=HEIDELBERG)
    (told,) = creators_of([author])
    assert (told["orcid"], told["affiliation"], told["ror"]) == ("0000-0002-1825-0097", "Heidelberg", HEIDELBERG)
    assert missing_of([Creator.model_validate(told)]) == []
    assert missing_of([Creator(name="Doe, Jane")]) == ["the ORCID iD of Doe, Jane", "the affiliation of Doe, Jane"]


def test_one_word_is_not_turned_round() -> None:
    assert family_first("Aristoteles") == "Aristoteles"


# of the registry: Caltech, CERN, DKFZ, Dryad
@pytest.mark.parametrize("name", ["05dxps055", "01ggx4157", "04cdgtt98", "00x6h5n95"])
def test_identifiers_of_organisations_are_checked_to_the_last_digit(name: str) -> None:
    for spelling in (name, f"ror.org/{name}", f"https://ror.org/{name}", f"https://ROR.org/{name.upper()}"):
        assert check_ror(spelling) == f"https://ror.org/{name}"
    for wrong in (
        name[:-1] + str((int(name[-1]) + 1) % 10),
        name[:3] + name[4:],
        f"https://ror.org/{name}x",
        "",
        "0" * 9,
    ):
        with pytest.raises(ValueError, match="not a ROR identifier"):
            check_ror(wrong)

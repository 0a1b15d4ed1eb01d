"""The card of a kernel."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from braggbook.errors import InputError
from braggbook.formats.common import issues_from
from braggbook.formats.kernel import KernelCard
from braggbook.kernels.catalogue import CARD, read_kernel
from braggbook.kernels.scaffold import new_kernel

ROOT = Path(__file__).parents[3]


def _issues(text: str) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        KernelCard.model_validate(tomllib.loads(text))
    return [str(issue) for issue in issues_from(caught.value, where="kernel.toml", known=KernelCard)]


def test_a_card_needs_a_title_alone() -> None:
    card = KernelCard.model_validate({"title": "Radiobiology"})
    assert (card.format, card.language, card.description) == ("braggbook.kernel/1", "python", "")


@pytest.mark.parametrize(
    ("text", "issues"),
    [
        ("", ["kernel.toml: the key 'title' is missing"]),
        ('title = ""', ["kernel.toml title: an empty text"]),
        ("title = 3", ["kernel.toml title: a value of another type; wanted a text, got 3"]),
        (
            'title = "x"\nlangage = "R"\nformat = "braggbook.kernel/2"',
            [
                "kernel.toml format: not a possible value; wanted 'braggbook.kernel/1', got 'braggbook.kernel/2'",
                "kernel.toml langage: unknown key 'langage'; did you mean language?",
            ],
        ),
    ],
    ids=["empty", "empty title", "number", "typos"],
)
def test_a_bad_card_says_all_that_is_wrong(text: str, issues: list[str]) -> None:
    assert _issues(text) == issues


def test_the_cards_in_the_project_are_read() -> None:
    folders = sorted((ROOT / "kernels").iterdir())
    assert folders
    assert all(read_kernel(folder).card.title for folder in folders)


def test_a_bad_card_on_disk_is_an_input_error_that_names_it(tmp_path: Path) -> None:
    folder = new_kernel("radiobiology", project=tmp_path)
    folder = folder if folder.is_dir() else folder.parent
    (folder / CARD).write_text('titel = "x"')
    with pytest.raises(InputError) as caught:
        read_kernel(folder)
    assert [str(issue) for issue in caught.value.issues] == [
        "kernels/radiobiology/kernel.toml: the key 'title' is missing",
        "kernels/radiobiology/kernel.toml titel: unknown key 'titel'; did you mean title?",
    ]
    (folder / CARD).write_text("title = ")
    with pytest.raises(InputError, match="not a kernel"):
        read_kernel(folder)

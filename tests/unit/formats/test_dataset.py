"""The card: every good example reads and writes back, every bad one says all that is wrong with it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from braggbook.errors import DatasetError
from braggbook.formats.common import Author, check_orcid, toml_lines
from braggbook.formats.dataset import (
    Beam,
    CellLine,
    Column,
    DatasetCard,
    DatasetFile,
    Experiment,
    FileOrigin,
    Source,
    card_text,
    read_card,
    write_card,
)

EXAMPLES = Path(__file__).parents[2] / "formats" / "dataset"
GOOD = sorted((EXAMPLES / "good").glob("*.toml"))
BAD = sorted((EXAMPLES / "bad").glob("*.toml"))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_card_reads_and_writes_back(path: Path, tmp_path: Path) -> None:
    card = read_card(path)
    write_card(tmp_path / "dataset.toml", card)
    (tmp_path / "slug").mkdir()
    (tmp_path / "dataset.toml").rename(tmp_path / "slug" / "dataset.toml")
    assert read_card(tmp_path / "slug" / "dataset.toml") == card


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_card_says_all_that_is_wrong(path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        read_card(path)
    text = str(caught.value).replace(str(path), "<card>")
    assert text == path.with_suffix(".txt").read_text(encoding="utf-8").rstrip("\n")
    assert caught.value.exit_code == 2


def test_a_missing_card_and_a_folder_in_its_place_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"slug/dataset.toml: no dataset card\nnext: braggbook check datasets/slug"):
        read_card(tmp_path / "slug" / "dataset.toml")
    (tmp_path / "slug" / "dataset.toml").mkdir(parents=True)
    with pytest.raises(DatasetError, match="cannot read the dataset card; got Is a directory"):
        read_card(tmp_path / "slug" / "dataset.toml")


def test_a_folder_that_is_no_slug_is_refused_with_everything_else(tmp_path: Path) -> None:
    (tmp_path / "My Data").mkdir()
    shutil.copy(EXAMPLES / "bad" / "no_files.toml", tmp_path / "My Data" / "dataset.toml")
    with pytest.raises(DatasetError) as caught:
        read_card(tmp_path / "My Data" / "dataset.toml")
    assert [issue.what for issue in caught.value.issues] == [
        "the folder's name is not a slug",
        "the key 'files' is missing",
    ]


def test_the_written_card_helps_whoever_edits_it() -> None:
    text = card_text(read_card(EXAMPLES / "good" / "everything.toml"))
    assert text.startswith("# The card of a Braggbook dataset.")
    assert "version = 12 # notebooks name this dataset as slug@version" in text
    assert "[files.columns.dose_gy]" in text
    assert "[[files.from]]" in text


def test_every_check_digit_of_an_orcid_is_verified() -> None:
    assert check_orcid("0000-0001-5109-3700") == "0000-0001-5109-3700"  # ORCID's own example
    assert check_orcid("0000-0002-1694-233X") == "0000-0002-1694-233X"  # the same page's example with an X
    with pytest.raises(ValueError, match="check digit"):
        check_orcid("0000-0002-1694-2330")


def test_lines_are_found_behind_lists_of_tables_and_long_texts() -> None:
    text = 'a = """\nb = 1\n"""\n[[f]]\nx = 1\n[f.c."d e"]\ny = 2\n[[f]]\nx = 3\n[[f.g]]\n[[f.g]]\nz.w = 1\n'
    assert toml_lines(text) == {
        "a": 1, "f[0]": 4, "f[0].x": 5, 'f[0].c."d e"': 6, 'f[0].c."d e".y': 7,
        "f[1]": 8, "f[1].x": 9, "f[1].g[0]": 10, "f[1].g[1]": 11, "f[1].g[1].z.w": 12,
    }  # fmt: skip


text = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)
slugs = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
columns = st.one_of(
    st.builds(Column, type=st.just("number"), unit=st.sampled_from(["Gy", "1/Gy", "1"]), meaning=text, minimum=numbers),
    st.builds(Column, type=st.just("text"), meaning=text, values=st.lists(text, max_size=2), missing=st.booleans()),
)  # fmt: skip
files = st.builds(
    DatasetFile, path=slugs, sha256=st.from_regex(r"[0-9a-f]{64}", fullmatch=True), bytes=st.integers(0, 2**40),
    copy_allowed=st.booleans(), columns=st.dictionaries(slugs, columns, max_size=3),
    origins=st.lists(st.builds(FileOrigin, package=slugs, path=slugs), max_size=2), sheet=st.none() | text,
)  # fmt: skip
beams = st.builds(Beam, particle=text, let_kev_um=st.none() | st.floats(0.1, 1000))
cards = st.builds(
    DatasetCard, title=text, version=st.integers(1, 10**6), license=st.just("MIT"), provenance=text, abstract=text,
    keywords=st.lists(text, max_size=2), authors=st.lists(st.builds(Author, name=text), max_size=2),
    sources=st.lists(st.builds(Source, id=slugs, citation=text), max_size=2, unique_by=lambda source: source.id),
    files=st.lists(files, min_size=1, max_size=3, unique_by=lambda file: file.path),
    experiment=st.none() | st.builds(Experiment, beams=st.lists(beams, max_size=2), cell_lines=st.lists(
        st.builds(CellLine, name=text), max_size=2)),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(cards)
def test_any_card_reads_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, card: DatasetCard) -> None:
    folder = tmp_path_factory.mktemp("cards") / "slug"
    folder.mkdir()
    write_card(folder / "dataset.toml", card)
    assert read_card(folder / "dataset.toml") == card


PAGE = Path(__file__).parents[3] / "docs" / "formats" / "dataset.md"


def test_the_page_of_the_format_has_a_card_that_reads_and_names_every_key(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    (tmp_path / "slug").mkdir()
    (tmp_path / "slug" / "dataset.toml").write_text(page.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    read_card(tmp_path / "slug" / "dataset.toml")
    for model in (DatasetCard, DatasetFile, FileOrigin, Column, Source, Experiment, Beam, CellLine, Author):
        for name, field in model.model_fields.items():
            assert f"`{field.serialization_alias or name}`" in page or f"experiment.{name}" in page, (model, name)

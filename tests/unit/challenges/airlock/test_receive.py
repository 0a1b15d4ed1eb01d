"""The first door: what is taken of a file, a folder and a zip, and what every refusal says."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from braggbook.challenges.airlock import receive_submission
from braggbook.errors import DuplicateName, InputError
from braggbook.files import sha256_file
from braggbook.formats.challenge import SubmissionKind, SubmissionRules

from .airlock_helpers import GOOD, GOOD_MASKS, MASKS, TABLE, notebook, refusal, zip_of

BOTH: tuple[SubmissionKind, ...] = ("predictions", "notebook")


def write(folder: Path, files: Mapping[str, bytes | str]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


def taken(source: Path, rules: SubmissionRules = TABLE, kinds: Sequence[SubmissionKind] = BOTH) -> list[str]:
    """Hands in, and returns what lies in the target, which is what the answer says."""
    target = source.parent / "received"
    kind, files = receive_submission(source, target, rules=rules, kinds=kinds)
    there = sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())
    assert there == list(files)
    for name, record in files.items():
        assert (record.sha256, record.bytes) == (sha256_file(target / name), (target / name).stat().st_size)
    return [kind, *there]


def refused(source: Path, rules: SubmissionRules = TABLE, kinds: Sequence[SubmissionKind] = BOTH) -> str:
    """Hands in what is refused; nothing may be left of it."""
    before = sorted(source.parent.iterdir())
    with pytest.raises(InputError) as caught:
        receive_submission(source, source.parent / "received", rules=rules, kinds=kinds)
    assert sorted(source.parent.iterdir()) == before
    return refusal(caught.value)


def test_a_table_alone_may_have_any_name(tmp_path: Path) -> None:
    source = write(tmp_path, {"my table.CSV": GOOD}) / "my table.CSV"
    assert taken(source) == ["predictions", "predictions.csv"]


@pytest.mark.parametrize("top", ["", "my submission/"])
def test_a_folder_or_a_zip_of_a_table(tmp_path: Path, top: str) -> None:
    files = {f"{top}predictions.csv": GOOD, f"{top}.DS_Store": b"\0", "__MACOSX/._predictions.csv": b"\0"}
    assert taken(write(tmp_path / "handed_in", files)) == ["predictions", "predictions.csv"]
    (tmp_path / "zips").mkdir()
    assert taken(zip_of(tmp_path / "zips/a.zip", files)) == ["predictions", "predictions.csv"]


@pytest.mark.parametrize("names", [list(GOOD_MASKS), [name.removeprefix("masks/") for name in GOOD_MASKS]])
@pytest.mark.parametrize("top", ["", "mine/"])
def test_masks_in_their_folder_or_in_none(tmp_path: Path, names: list[str], top: str) -> None:
    files = dict(zip([f"{top}{name}" for name in names], GOOD_MASKS.values(), strict=True))
    assert taken(write(tmp_path / "handed_in", files), MASKS) == ["predictions", *GOOD_MASKS]


def test_a_notebook_alone_in_a_folder_or_in_a_zip(tmp_path: Path) -> None:
    source = notebook(tmp_path / "a", datasets=["inputs@1"])
    assert taken(source) == ["notebook", "my_method.ipynb"]
    folder = notebook(tmp_path / "b/handed_in").parent
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints/my_method-checkpoint.ipynb").write_bytes(b"{}")
    assert taken(folder) == ["notebook", "my_method.ipynb"]
    (tmp_path / "c").mkdir()
    assert taken(zip_of(tmp_path / "c/a.zip", {"x/my_method.ipynb": source.read_bytes()})) == [
        "notebook",
        "my_method.ipynb",
    ]


def test_a_notebook_may_name_what_the_design_allows(tmp_path: Path) -> None:
    source = notebook(tmp_path, datasets=["colony_counts@2", "inputs@1"])
    assert "colony_counts@2 is not among what the design allows; wanted inputs@1" in refused(source)
    kind, _ = receive_submission(
        source, tmp_path / "received", rules=TABLE, kinds=BOTH, datasets=("inputs@1", "colony_counts@2")
    )
    assert kind == "notebook"


@pytest.mark.parametrize("reference", ["truth@1", "estimate@1"])
def test_a_notebook_never_sees_the_truth(tmp_path: Path, reference: str) -> None:
    assert f"{reference} is not for participants" in refused(notebook(tmp_path, datasets=["inputs@1", reference]))


def test_a_notebook_without_the_cases_is_refused(tmp_path: Path) -> None:
    assert "it does not name inputs@1, which has the cases" in refused(notebook(tmp_path, datasets=[]))


def test_what_the_phase_does_not_take_is_refused(tmp_path: Path) -> None:
    assert "this phase takes no notebook; wanted predictions" in refused(notebook(tmp_path), kinds=["predictions"])
    source = write(tmp_path / "x", {"predictions.csv": GOOD})
    words = refused(source, kinds=["notebook"])
    assert "this phase takes no predictions; wanted notebook" in words
    assert "wanted one notebook (<name>.ipynb)" in words


def test_notebooks_that_are_none_are_refused_as_the_contract_says_it(tmp_path: Path) -> None:
    good = notebook(tmp_path / "good").read_text()
    bad = {
        "my_method.ipynb": good[:-50],
        "b.ipynb": "[]",
        "c.ipynb": b"\xff",
        "d.ipynb": "[" * 100_000,
        "E e.ipynb": good,
    }
    words = {name: refused(write(tmp_path / name[0], {name: data}) / name) for name, data in bad.items()}
    assert "cut short" in words["my_method.ipynb"]
    assert "not a notebook" in words["b.ipynb"]
    assert "UTF-8" in words["c.ipynb"]
    assert "lists inside lists without end" in words["d.ipynb"]
    assert "the file's name is not a slug" in words["E e.ipynb"]


def test_front_matter_that_grows_when_it_is_read_is_refused(tmp_path: Path) -> None:
    path = notebook(tmp_path)
    node = json.loads(path.read_text())
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
    )
    node["cells"][0]["source"] = f"---\n{laughs}title: x\n---\n"
    path.write_text(json.dumps(node))
    assert "front matter with anchors or aliases (& and *); wanted every value written out" in refused(path)
    node["cells"][0]["source"] = f"---\n{'# long' * 10_000}\ntitle: x\n---\n"
    path.write_text(json.dumps(node))
    assert "front matter that is too long" in refused(path)


@pytest.mark.parametrize(
    ("front", "words"),
    [
        ("a: " + "[" * 20_000, "front matter with lists inside lists without end"),
        ("- " * 20_000, "front matter with lists inside lists without end"),
        ("title: " + "1:" * 10_000 + "1.0", "not YAML; got int too large to convert to float"),
        ("a: !!python/object/apply:os.system ['touch burnt']", "could not determine a constructor"),
        ("\U0001f600" * 40_000, "not a mapping"),
        ("? " + "k" * 40_000 + "\n: 1", "unknown key"),
    ],
    ids=["flow", "block", "sexagesimal", "tag", "emoji", "key"],
)
def test_front_matter_that_breaks_its_reader_is_refused(tmp_path: Path, front: str, words: str) -> None:
    path = notebook(tmp_path)
    node = json.loads(path.read_text())
    node["cells"][0]["source"] = f"---\n{front}\n---\n"
    path.write_text(json.dumps(node))
    said = refused(path)
    assert words in said
    assert len(said) < 4000


@pytest.mark.parametrize(
    "code", ["(" * 100_000, "-" * 100_000 + "1", "9" * 100_000, "1\0", "'\ud800'", "'\x1b[2J'("], ids=range(6)
)
def test_parameters_that_break_their_reader_are_refused(tmp_path: Path, code: str) -> None:
    path = notebook(tmp_path)
    node = json.loads(path.read_text())
    node["cells"][1]["source"] = f"x = {code}"
    path.write_text(json.dumps(node))
    said = refused(path)
    assert "parameters cell" in said
    assert "\x1b" not in said
    assert len(said) < 4000


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "handed_in",
        {
            "Predictions.csv": GOOD, "predictions.csv": GOOD, "model.pkl": b"x", "data.npy": b"x", "run.sh": b"x",
            "more.zip": b"x", ".secret": b"x", "a\nb.txt": b"x", "dataset.toml": b"x", "readme.md": b"x",
            "n" * 210: b"x",
        },
    )  # fmt: skip
    os.symlink("/etc/passwd", folder / "link.csv")
    os.mkfifo(folder / "pipe")
    words = refused(folder)
    for line in (
        "Predictions.csv: a name that stands twice; wanted names that differ in more than case",
        "predictions.csv: a name that stands twice",
        "model.pkl: a pickle or NumPy file; wanted only predictions.csv",
        "data.npy: a pickle or NumPy file",
        "run.sh: a program",
        "more.zip: an archive",
        ".secret: a hidden file; wanted names that do not begin with a point",
        "'a\\nb.txt': a name with control characters",
        "dataset.toml: a dataset's card: the evaluation writes its own",
        "readme.md: a file that the design does not name",
        "a name that is too long; wanted at most 200 bytes",
        "link.csv: a link or a device; wanted ordinary files",
        "pipe: a link or a device",
    ):
        assert line in words


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    assert "neither a file nor a folder" in refused(tmp_path / "pipe.csv")
    assert "no such file" in refused(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "nothing was handed in; wanted predictions.csv or one notebook (<name>.ipynb)"),
        ({".DS_Store": b"x"}, "nothing was handed in"),
        ({"predictions.csv": b""}, "predictions.csv: an empty file"),
        ({"predictions.csv": b"\x80\x04\x95"}, "predictions.csv: it is a pickle, whatever its name says"),
        ({"predictions.csv": b"\x7fELF"}, "it is a program"),
        ({"a.ipynb": b"{}", "b.ipynb": b"{}"}, "several notebooks; wanted one, got 2"),
        ({"a.IPYNB": b"{}"}, "a.IPYNB: a notebook with another ending; wanted .ipynb"),
        ({"a.ipynb": b"{}", "model.pt": b"x"}, "model.pt: beside a notebook, a pickle or NumPy file"),
        ({"a.ipynb": b" " * (3 << 20)}, "a notebook that is too large; wanted at most 2 MB; clear its outputs"),
    ],
    ids=["none", "litter", "empty", "pickle", "program", "two notebooks", "capitals", "weights", "large notebook"],
)
def test_folders_that_are_refused(tmp_path: Path, files: dict[str, bytes], words: str) -> None:
    (tmp_path / "handed_in").mkdir()
    assert words in refused(write(tmp_path / "handed_in", files))


def test_masks_that_are_none_are_refused_at_the_door(tmp_path: Path) -> None:
    words = refused(write(tmp_path / "a", {"masks/a.nii.gz": b"PK\x03\x04", "masks/b.nii.gz": b"text"}), MASKS)
    assert "masks/a.nii.gz: it is a zip, or an Excel workbook; wanted .nii.gz" in words
    assert "masks/b.nii.gz: it is no gzip file" in words


def test_too_much_is_refused(tmp_path: Path) -> None:
    rules = TABLE.model_copy(update={"max_mb": 1})
    large = bytes(range(256)) * 5000
    assert "too large; wanted at most 1 MB, got 1.2 MB" in refused(write(tmp_path, {"a.csv": large}) / "a.csv", rules)
    (tmp_path / "b").mkdir()
    folder = write(tmp_path / "b/handed_in", {"predictions.csv": large})
    assert "all files together: too large; wanted at most 1 MB, got 1.2 MB" in refused(folder, rules)


def test_a_target_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    source = write(tmp_path, {"a.csv": GOOD}) / "a.csv"
    (tmp_path / "received").mkdir()
    taken(source)
    with pytest.raises(DuplicateName, match="something is there already"):
        taken(source)


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_a_damaged_zip_is_refused_or_whole(tmp_path: Path, data: st.DataObject) -> None:
    place = tmp_path / f"{len(list(tmp_path.iterdir()))}"
    place.mkdir()
    good = bytearray(zip_of(place / "a.zip", {"predictions.csv": GOOD}).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(good)))
        good[start : start + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    (place / "a.zip").write_bytes(good)
    try:
        receive_submission(place / "a.zip", place / "received", rules=TABLE, kinds=BOTH)
    except InputError:
        assert [path.name for path in place.iterdir()] == ["a.zip"]
    else:
        assert (place / "received/predictions.csv").read_text() == GOOD

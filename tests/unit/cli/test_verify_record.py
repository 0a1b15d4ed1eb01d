"""``braggbook verify`` of what is no record, or of one that is not there: said at once, and before anything runs."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from braggbook.cli.main import main
from braggbook.errors import BraggbookError

SIGNED = ["--publish", "--creator", "Curie, Marie"]


def refused(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> BraggbookError:
    """Returns the error of a call in an empty folder."""
    monkeypatch.chdir(folder)
    for name in ("CACHE", "ARCHIVE"):
        monkeypatch.setenv(f"BRAGGBOOK_{name}", str(folder / name.lower()))
    with pytest.raises(BraggbookError) as caught:
        CliRunner().invoke(main, ["verify", *words], standalone_mode=False, catch_exceptions=False)
    return caught.value


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        (["10.5072/braggbook.none.2"], "no archive", 2),
        (["10.1000/xyz"], "not the identifier of a record", 2),
        (["https://example.org/about"], "not the identifier of a record", 2),
        (["http://example.org/records/1"], "not an archive's address", 2),
        (["http://example.org/run.zip"], "not an archive's address", 2),
        (["none.zip"], "no such file", 2),
        (["some.zip"], "nothing of Braggbook's in the zip", 2),
        (["text.txt"], "not a zip that can be read", 2),
        (["0123", *SIGNED], "a verdict on nothing that others could find", 2),
        (["0123", "--publish"], "nobody to sign the verdict", 2),
        (["0123", "--creator", "Curie, Marie"], "nothing to sign", 2),
        (["0123", "--yes"], "nothing to sign", 2),
        (["0123", *SIGNED, "--to", "zenodo"], "no token for the archive", 2),
        (["0123", *SIGNED, "--to", "moon"], "no such archive", 2),
        (["0123", *SIGNED, "--orcid", "1"], "not an ORCID iD", 2),
    ],
)
def test_what_cannot_be_verified_or_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str, code: int
) -> None:
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.writestr("thesis.txt", "")
    (tmp_path / "text.txt").write_text("no zip")
    for name in ("BRAGGBOOK_ZENODO_TOKEN", "ZENODO_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    error = refused(tmp_path, monkeypatch, *words)
    assert told in str(error)
    assert error.exit_code == code
    assert not (tmp_path / "runs").exists()

"""A challenge of a project is found by its slug or its folder, and says what it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tomlkit

from braggbook.challenges.design import challenge_folders, find_challenge, open_challenge
from braggbook.errors import BraggbookError, InputError, UnknownName

from .desk import DAY, NOW, Desk, edit


def _design(folder: Path) -> str:
    return (folder / "challenge.toml").read_text(encoding="utf-8")


def _rewrite(folder: Path, old: str, new: str) -> None:
    text = _design(folder)
    assert old in text
    (folder / "challenge.toml").write_text(text.replace(old, new, 1), encoding="utf-8")


def test_it_is_found_by_its_slug_and_by_its_folder(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    project = desk.settings.project
    assert find_challenge("signals", project=project) == desk.challenge
    assert find_challenge(str(desk.challenge.folder), project=project / "elsewhere") == desk.challenge
    monkeypatch.chdir(desk.challenge.folder.parent)
    assert find_challenge("signals", project=project / "elsewhere") == desk.challenge
    monkeypatch.chdir(desk.challenge.folder)
    assert find_challenge(".", project=project) == desk.challenge


def test_an_unknown_name_gets_the_nearest(desk: Desk) -> None:
    with pytest.raises(UnknownName) as caught:
        find_challenge("signal", project=desk.settings.project)
    assert "did you mean signals?" in str(caught.value)
    assert caught.value.next_command == "braggbook list challenge"
    with pytest.raises(InputError, match="no challenge's design"):
        find_challenge("challenges/no_such", project=desk.settings.project)


def test_a_folder_without_a_design_is_no_challenge(desk: Desk) -> None:
    (desk.challenge.folder.parent / "notes").mkdir()
    assert challenge_folders(desk.settings.project) == {"signals": desk.challenge.folder}
    assert challenge_folders(desk.folder / "nowhere") == {}


def test_what_is_wrong_is_said_with_its_line(desk: Desk) -> None:
    folder = desk.challenge.folder
    _rewrite(folder, 'better = "smaller"', 'beter = "smaller"')
    _rewrite(folder, 'unit = "1"', 'unit = "Gray"')
    with pytest.raises(InputError) as caught:
        find_challenge("signals", project=desk.settings.project)
    found = {issue.what: issue.where for issue in caught.value.issues}
    lines = _design(folder).splitlines()
    metric = f"challenge.toml:{lines.index('[[metrics]]') + 1} metrics[0]"
    beter = f"challenge.toml:{lines.index('beter = ' + chr(34) + 'smaller' + chr(34)) + 1} metrics[0].beter"
    unit = lines.index("unit = " + chr(34) + "Gray" + chr(34)) + 1
    assert found == {
        "unknown unit 'Gray'": f"challenge.toml:{unit} submission.columns.value.unit",
        "the key 'better' is missing": metric,
        "unknown key 'beter'": beter,
    }
    assert caught.value.next_command == "braggbook challenge check signals"


def test_the_digest_is_of_what_the_design_says_and_not_of_how(desk: Desk) -> None:
    folder, digest = desk.challenge.folder, desk.challenge.digest
    keys = tomlkit.parse(_design(folder)).unwrap()
    turned = dict(reversed(keys.items())) | {"limits": {"wall_s": 600.0}, "keywords": []}
    (folder / "challenge.toml").write_text("# another layout\n" + tomlkit.dumps(turned), encoding="utf-8")
    assert open_challenge(folder).digest == digest
    edit(folder, closes=NOW + DAY + DAY)
    assert open_challenge(folder).digest != digest


def test_a_name_of_the_folder_is_no_part_of_the_digest(desk: Desk) -> None:
    moved = desk.challenge.folder.rename(desk.folder / "renamed")
    assert open_challenge(moved).slug == "renamed"
    assert open_challenge(moved).digest == desk.challenge.digest


def test_the_only_phase_needs_no_name(desk: Desk) -> None:
    assert desk.challenge.phase() == desk.challenge.phase("final")
    with pytest.raises(UnknownName, match="no phase of signals named 'finale'") as caught:
        desk.challenge.phase("finale")
    assert "did you mean final?" in str(caught.value)


def test_one_of_several_phases_is_named(desk: Desk) -> None:
    text = _design(desk.challenge.folder)
    at = text.index("[[phases]]")
    second = text[at : text.index("[[metrics]]")].replace('id = "final"', 'id = "practice"')
    (desk.challenge.folder / "challenge.toml").write_text(text[:at] + second + text[at:], encoding="utf-8")
    challenge = open_challenge(desk.challenge.folder)
    assert challenge.phase("practice").id == "practice"
    with pytest.raises(UnknownName, match="which phase") as caught:
        challenge.phase()
    assert caught.value.wanted == "--phase practice or final"


def test_the_twin_and_the_scorer_are_found_beside_it(desk: Desk) -> None:
    names = ("inputs", "truth", "estimate")
    assert [desk.challenge.twin(name).reference for name in names] == [f"{name}@1" for name in names]
    assert desk.challenge.scorer.path == desk.challenge.folder / "score.ipynb"
    with pytest.raises(BraggbookError, match="no dataset card"):
        desk.challenge.twin("secrets")


def test_it_is_not_open_until_it_has_a_seal(desk: Desk) -> None:
    assert desk.challenge.sealed is None
    desk.open()
    assert desk.challenge.sealed is not None
    assert desk.challenge.sealed.latest("public") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "the seal cannot be read"),
        ("[" * 100_000, "the seal cannot be read"),
        ("[]", "the seal is not valid"),
        (json.dumps({"challenge": "signals", "key": "ff"}), "sealed.json key"),
        (json.dumps({"challenge": "signals", "key": "f" * 64, "salt": "0"}), "sealed.json salt"),
    ],
)
def test_a_seal_that_is_none_is_refused(desk: Desk, text: str, words: str) -> None:
    (desk.challenge.folder / "sealed.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        _ = desk.challenge.sealed
    assert words in str(caught.value)

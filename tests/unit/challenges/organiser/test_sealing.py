"""Opening: what goes into the vault, what goes beside the design, and what never does."""

from __future__ import annotations

import hashlib
import hmac
import json
import stat
from pathlib import Path

import pytest

from braggbook.challenges.design import open_challenge
from braggbook.challenges.sealing import commitment, open_split
from braggbook.challenges.signing import sign, verify_signature
from braggbook.challenges.vault import open_vault
from braggbook.datasets.catalogue import open_dataset
from braggbook.errors import InputError
from braggbook.files import sha256_bytes

from .desk import CASES, NOW, Desk, make_desk, write_table


def test_the_commitment_is_a_keyed_hash_of_the_truths_digest() -> None:
    """RFC 2104 over SHA-256, by the definition: H((K ^ opad) || H((K ^ ipad) || text))."""
    truth, salt = "ab" * 32, bytes(range(32))
    block = salt.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in block) + bytes.fromhex(truth)).digest()
    assert commitment(truth, salt=salt) == hashlib.sha256(bytes(b ^ 0x5C for b in block) + inner).hexdigest()


def test_the_seal_says_what_can_be_checked_later(desk: Desk) -> None:
    sealed = desk.open()
    hidden = desk.vault.hidden("final", 1)
    assert (sealed.split, sealed.version, sealed.cases) == ("final", 1, len(CASES))
    assert sealed.inputs == hidden.inputs.digest
    assert sealed.truth == hmac.new(hidden.salt, bytes.fromhex(hidden.truth.digest), "sha256").hexdigest()
    kept = json.loads((desk.challenge.folder / "sealed.json").read_text())
    assert kept["splits"] == [sealed.model_dump(mode="json")]
    assert verify_signature(kept["key"], b"text", sign(desk.vault.key, b"text"))


def test_two_openings_of_the_same_truth_have_other_hashes(tmp_path: Path) -> None:
    one, other = (make_desk(tmp_path / name).open() for name in ("a", "b"))
    assert one.inputs == other.inputs
    assert one.truth != other.truth


def test_nothing_of_the_truth_lies_in_the_project(desk: Desk) -> None:
    desk.open()
    hidden = desk.vault.hidden("final", 1)
    secrets = [hidden.salt.hex(), hidden.truth.digest, sha256_bytes((hidden.folder / "truth/truth.csv").read_bytes())]
    texts = [
        p.read_text()
        for p in desk.settings.project.rglob("*")
        if p.is_file() and p.suffix in (".json", ".toml", ".csv")
    ]
    assert not any(secret in text for secret in secrets for text in texts)
    assert not any("k4,2.0" in text for text in texts)


def test_released_inputs_lie_beside_the_design(desk: Desk) -> None:
    desk.open()
    released = open_dataset(desk.challenge.folder / "inputs" / "final")
    assert released.folder.joinpath("cases.csv").read_text().splitlines()[1:] == [
        f"{k},{v[0]}" for k, v in CASES.items()
    ]


def test_hidden_inputs_do_not(tmp_path: Path) -> None:
    desk = make_desk(tmp_path, kinds=["notebook"], inputs="hidden")
    desk.open()
    assert not (desk.challenge.folder / "inputs").exists()


def test_the_canary_is_in_the_inputs_card_and_not_in_the_digest(desk: Desk) -> None:
    inputs, _ = desk.draw("mine")
    desk.open()
    hidden = desk.vault.hidden("final", 1)
    assert hidden.canary in (hidden.folder / "inputs" / "dataset.toml").read_text()
    assert hidden.canary not in (hidden.folder / "truth" / "dataset.toml").read_text()
    assert hidden.inputs.digest == open_dataset(inputs).digest


def test_the_vault_and_its_key_are_the_organisers_alone(desk: Desk) -> None:
    desk.open()
    assert stat.S_IMODE(desk.vault.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(desk.vault.folder.stat().st_mode) == 0o700


def test_a_corrected_truth_is_a_new_version_with_a_reason(desk: Desk) -> None:
    desk.open()
    sealed = desk.open(k4=1.75)
    assert (sealed.version, sealed.because) == (2, "a slip")
    assert desk.vault.hidden("final", 1).truth.digest != desk.vault.hidden("final", 2).truth.digest
    known = open_challenge(desk.challenge.folder).sealed
    assert known is not None
    assert [one.version for one in known.splits] == [1, 2]
    assert known.latest("final") == sealed


def test_an_open_split_is_not_opened_again_without_a_reason(desk: Desk) -> None:
    desk.open()
    inputs, truth = desk.draw("again")
    with pytest.raises(InputError, match="the split final is open") as caught:
        open_split(desk.challenge, desk.vault, "final", inputs=inputs, truth=truth, now=NOW)
    assert "--because" in caught.value.next_command


def test_nothing_to_correct_before_it_was_opened(desk: Desk) -> None:
    inputs, truth = desk.draw()
    with pytest.raises(InputError, match="nothing to correct"):
        open_split(desk.challenge, desk.vault, "final", inputs=inputs, truth=truth, now=NOW, because="why")


@pytest.mark.parametrize(
    ("dataset", "file", "text", "words"),
    [
        ("truth", "truth.csv", "case,value\nk1,0.5\nk2,1\nk3,1.5\nk9,2\n", "cases of the inputs that are not those of"),
        ("truth", "truth.csv", "case,value\nk1,0.5\nk1,1\nk3,1.5\nk4,2\n", "a case twice"),
        ("truth", "truth.csv", "case,value\nk1,0.5\nk2,1\nk3,1.5\nk4,99\n", "truth.csv"),
        ("truth", "truth.csv", "case,other\nk1,0.5\nk2,1\nk3,1.5\nk4,2\n", "truth.csv"),
        ("inputs", "cases.csv", "case,signal\n", "no case"),
    ],
)
def test_cases_that_do_not_fit_are_refused_and_leave_nothing(
    desk: Desk, dataset: str, file: str, text: str, words: str
) -> None:
    inputs, truth = desk.draw()
    write_table({"inputs": inputs, "truth": truth}[dataset], file, text)
    with pytest.raises(InputError) as caught:
        open_split(desk.challenge, desk.vault, "final", inputs=inputs, truth=truth, now=NOW)
    assert words in str(caught.value)
    assert not desk.vault.hidden_folder("final", 1).exists()
    assert desk.challenge.sealed is None


def test_a_changed_file_is_not_taken_in(desk: Desk) -> None:
    inputs, truth = desk.draw()
    (truth / "truth.csv").write_text("case,value\nk1,0.5\n")
    with pytest.raises(InputError, match="hidden cases that cannot be used") as caught:
        open_split(desk.challenge, desk.vault, "final", inputs=inputs, truth=truth, now=NOW)
    assert any("truth.csv" in str(issue) for issue in caught.value.issues)


def test_a_vault_inside_the_project_is_refused(desk: Desk) -> None:
    import dataclasses

    settings = dataclasses.replace(desk.settings, vault=desk.settings.project / "vault")
    with pytest.raises(InputError, match="the vault lies in the project"):
        open_vault("signals", settings=settings)


def test_another_vaults_key_is_noticed(desk: Desk) -> None:
    desk.open()
    desk.vault.key.unlink()
    with pytest.raises(InputError, match="no key of this challenge's organiser"):
        desk.open(k1=0.25)
    other = make_desk(desk.folder / "other")
    other.open()
    desk.vault.key.write_bytes(other.vault.key.read_bytes())
    with pytest.raises(InputError, match="not the one that the challenge was opened with"):
        desk.open(k1=0.25)


def test_a_seal_that_the_project_lost_comes_from_the_vault(desk: Desk) -> None:
    """Otherwise the first version would be opened anew over the hidden cases that are there."""
    desk.open()
    seal = desk.challenge.folder / "sealed.json"
    kept, salt = seal.read_text(), desk.vault.hidden("final", 1).salt
    seal.unlink()
    with pytest.raises(InputError, match="the split final is open"):
        desk.open()
    assert seal.read_text() == kept
    assert desk.vault.hidden("final", 1).salt == salt


def test_a_seal_that_is_not_the_vaults_is_refused(desk: Desk) -> None:
    desk.open()
    seal = desk.challenge.folder / "sealed.json"
    data = json.loads(seal.read_text())
    data["splits"][0]["truth"] = "0" * 64
    seal.write_text(json.dumps(data))
    with pytest.raises(InputError, match="the seal in the project is not the vault's"):
        desk.open(k1=0.25)


def test_what_was_left_by_an_opening_that_was_killed_is_done_again(desk: Desk) -> None:
    left = desk.vault.hidden_folder("final", 1)
    left.mkdir(parents=True)
    (left / "salt").write_text("half")
    assert desk.open().version == 1
    assert len(desk.vault.hidden("final", 1).salt) == 32


def test_a_challenge_that_nobody_stands_for_is_not_opened(desk: Desk) -> None:
    path = desk.challenge.folder / "score.ipynb"
    path.write_text(path.read_text().replace("Ada Lovelace", "Your Name"))
    with pytest.raises(InputError, match="nobody stands for the challenge yet") as caught:
        desk.open()
    assert [issue.where for issue in caught.value.issues] == ["score.ipynb"]
    assert not desk.vault.key.exists()

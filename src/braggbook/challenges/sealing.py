"""Opening a split with hidden cases: they go into the vault, and a salted hash of their truth goes beside the design.

A truth that was drawn from a seed, or that has few possible values, could be guessed from a plain hash by trying. The
hash is keyed with 256 random bits (HMAC-SHA256), which are published with the truth when the challenge is closed.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from braggbook.challenges.cases import cases_of
from braggbook.challenges.design import BASELINE, INPUTS, SCORER, TRUTH, Challenge
from braggbook.challenges.signing import new_key, public_key
from braggbook.challenges.vault import SALT, Hidden, Vault
from braggbook.datasets.catalogue import Dataset, open_dataset
from braggbook.datasets.verify import verify_dataset
from braggbook.errors import BraggbookError, InputError, Issue
from braggbook.files import storage, sync_tree, write_json, write_text
from braggbook.formats.challenge import Split
from braggbook.formats.common import CHALLENGE_NAME
from braggbook.formats.dataset import CARD_NAME, Column, DatasetCard, write_card
from braggbook.formats.placeholders import AUTHOR
from braggbook.formats.submission import SEALED_NAME, Sealed, SealedSplit
from braggbook.notebooks.source import read_notebook

_SALT_BYTES, _CANARY_BYTES = 32, 16
_WHAT = "hidden cases that cannot be used"


def commitment(truth: str, *, salt: bytes) -> str:
    """Returns the salted hash of a truth.

    Args:
        truth: Digest of the dataset, 64 hexadecimal digits.
        salt: 32 random bytes.
    """
    return hmac.new(salt, bytes.fromhex(truth), hashlib.sha256).hexdigest()


def open_split(
    challenge: Challenge,
    vault: Vault,
    split: Split,
    *,
    inputs: Path,
    truth: Path,
    now: datetime.datetime,
    because: str = "",
) -> SealedSplit:
    """Takes hidden cases into the vault, and seals their truth.

    Args:
        challenge: Which.
        vault: The organiser's own.
        split: Which cases these are.
        inputs: A folder with a dataset, as participants' notebooks will see it.
        truth: A folder with a dataset of the same cases.
        now: The time.
        because: Why the version before was wrong; there must be one then, and only then.

    Returns:
        What is public of it.

    Raises:
        InputError: The cases do not fit the design; all findings are listed.
        StorageError: The disk refuses; nothing is opened then.
    """
    with vault.alone():
        _require_named(challenge)
        sealed = _sealed(challenge, vault)
        before = sealed.latest(split)
        _require_reason(challenge, split, before, because)
        version = before.version + 1 if before else 1
        hidden = _take_in(challenge, vault, split, version, inputs=inputs, truth=truth)
        found = SealedSplit(
            split=split,
            version=version,
            opened=now.isoformat(timespec="seconds"),
            cases=len(cases_of(hidden.truth, rules=challenge.design.submission)),
            inputs=hidden.inputs.digest,
            truth=commitment(hidden.truth.digest, salt=hidden.salt),
            because=because,
        )
        if any(phase.inputs == "released" for phase in challenge.design.phases if phase.split == split):
            _release(challenge, hidden)
        sealed = sealed.model_copy(update={"splits": [*sealed.splits, found]})
        for folder in (vault.folder, challenge.folder):
            write_json(folder / SEALED_NAME, sealed.model_dump(mode="json"))
    return found


def _sealed(challenge: Challenge, vault: Vault) -> Sealed:
    """Returns the seal so far; at first with a new key. One that the project has lost comes from the vault."""
    known, kept = challenge.sealed, vault.sealed
    key = public_key(vault.key) if vault.key.is_file() or known or kept else new_key(vault.key)
    wanted = known or kept
    if wanted is None:
        return Sealed(challenge=challenge.slug, key=key)
    if wanted.key != key:
        raise InputError(
            "the vault's key is not the one that the challenge was opened with", where=str(vault.key),
            wanted=f"the key {wanted.key[:12]}…",
        )  # fmt: skip
    if kept is not None and known != kept:
        lost = known is None or known.splits == kept.splits[: len(known.splits)]
        if not lost:
            raise InputError(
                "the seal in the project is not the vault's", where=str(challenge.folder / SEALED_NAME),
                wanted=f"what {vault.folder / SEALED_NAME} says",
            )  # fmt: skip
        write_json(challenge.folder / SEALED_NAME, kept.model_dump(mode="json"))
        return kept
    return wanted


def _require_named(challenge: Challenge) -> None:
    """Refuses a challenge that nobody stands for: later its design could not be mended without scoring all again."""
    authors = {CHALLENGE_NAME: challenge.design.organisation.organisers}
    authors |= {name: tuple(read_notebook(challenge.folder / name).front.authors) for name in (SCORER, BASELINE)}
    issues = [
        Issue("a name that is to be replaced", name, got=repr(AUTHOR))
        for name, people in authors.items()
        if any(one.name == AUTHOR for one in people)
    ]
    if issues:
        raise InputError("nobody stands for the challenge yet", where=challenge.slug, issues=issues)


def _require_reason(challenge: Challenge, split: Split, before: SealedSplit | None, because: str) -> None:
    command = f"braggbook challenge open {challenge.slug} --split {split} --inputs DIR --truth DIR"
    if before is None and because:
        raise InputError("nothing to correct: the split was never opened", where=split, next_command=command)
    if before is not None and not because.strip():
        raise InputError(
            f"the split {split} is open", where=challenge.slug,
            wanted="a reason, if its truth was wrong and this is the right one",
            next_command=f'{command} --because "..."',
        )  # fmt: skip


def _take_in(challenge: Challenge, vault: Vault, split: Split, version: int, *, inputs: Path, truth: Path) -> Hidden:
    """Copies the two datasets into the vault, whole or not at all."""
    target = vault.hidden_folder(split, version)
    part = target.with_name(f".{target.name}.part")
    with storage(target):
        for left in (part, target):  # of a process that was killed before the seal was written
            shutil.rmtree(left, ignore_errors=True)
        part.mkdir(parents=True)
    canary = f"canary-{secrets.token_hex(_CANARY_BYTES)}"
    try:
        for name, folder in ((INPUTS, inputs), (TRUTH, truth)):
            _copy(_named(folder, name), part / name)
        _mark(part / INPUTS, canary)
        write_text(part / SALT, secrets.token_bytes(_SALT_BYTES).hex())
        write_text(part / "canary", canary)
        hidden = Hidden(split, version, part)
        _require_fitting(challenge, hidden, cache=vault.folder / ".cache")
        with storage(target):
            sync_tree(part)
            os.rename(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Hidden(split, version, target)


def _named(folder: Path, name: str) -> Dataset:
    dataset = open_dataset(folder.absolute())
    if dataset.card.version != 1:
        raise InputError(_WHAT, where=f"{name}/{CARD_NAME}", wanted="version = 1", got=str(dataset.card.version))
    return dataset


def _copy(dataset: Dataset, target: Path) -> None:
    with storage(target):
        target.mkdir()
        for name in (CARD_NAME, *(file.path for file in dataset.card.files)):
            source = dataset.folder / name
            if not source.is_file():
                raise InputError(_WHAT, where=str(source), wanted="every file of the card, beside it")
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / name)


def _mark(folder: Path, canary: str) -> None:
    """Writes the canary into the card, which is no part of what a computation can see."""
    dataset = open_dataset(folder)
    text = f"{dataset.card.abstract} {canary}".strip()
    write_card(folder / CARD_NAME, dataset.card.model_copy(update={"abstract": text}))


def _require_fitting(challenge: Challenge, hidden: Hidden, *, cache: Path) -> None:
    """Refuses cases that are not like the twin's."""
    rules = challenge.design.submission
    issues: list[Issue] = []
    for name, dataset in ((INPUTS, hidden.inputs), (TRUTH, hidden.truth)):
        found = verify_dataset(dataset, cache=cache, download=False)
        issues += [Issue(one.what, f"{name}: {one.where}", one.wanted, one.got) for one in found]
        issues += _unlike(challenge.twin(name).card, dataset.card, name)
    try:
        cases = cases_of(hidden.truth, rules=rules)
        if (others := cases_of(hidden.inputs, rules=rules)) != cases:
            odd = sorted(set(cases) ^ set(others))
            issues.append(Issue("cases of the inputs that are not those of the truth", got=", ".join(odd[:10])))
    except BraggbookError as error:
        issues += error.issues or [Issue(error.what, error.where, error.wanted, error.got)]
    if issues:
        raise InputError(_WHAT, where=hidden.split, issues=issues)


def _unlike(twin: DatasetCard, card: DatasetCard, name: str) -> list[Issue]:
    """Tables must have the columns that the twin's have, or notebooks that work there would not work here."""
    known = {file.path: file for file in card.files}
    issues = []
    for file in twin.files:
        if not file.columns:
            continue
        where = f"{name}/{file.path}"
        if file.path not in known:
            issues.append(Issue("a table that the twin has is missing", where))
        elif (got := _read_as(known[file.path].columns)) != (wanted := _read_as(file.columns)):
            issues.append(Issue("columns that are not the twin's", where, ", ".join(wanted), ", ".join(got)))
    return issues


def _read_as(columns: Mapping[str, Column]) -> list[str]:
    return [f"{name} ({one.type}, {one.unit or 'no unit'})" for name, one in columns.items()]


def _release(challenge: Challenge, hidden: Hidden) -> None:
    """Shows the inputs, without their truth, beside the design."""
    target = challenge.folder / INPUTS / hidden.split
    part = target.with_name(f".{target.name}.part")
    with storage(target):
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(hidden.inputs.folder, part)
        shutil.rmtree(target, ignore_errors=True)
        os.rename(part, target)

"""What an organiser keeps to himself: the key, hidden cases and their truth, submissions, evaluations.

::

    <vault>/<challenge>/key.pem                          the private key
    <vault>/<challenge>/sealed.json                      a copy of the seal that lies beside the design
    <vault>/<challenge>/hidden/<split>@<version>/        inputs/  truth/  salt  canary
    <vault>/<challenge>/submissions/<id>/                submission.json  received/  withdrawn.json
    <vault>/<challenge>/evaluations/<submission>/<id>/   evaluation.json  receipt.json  estimate/  replay/  error.txt
    <vault>/<challenge>/runs/                            the scoring runs
    <vault>/<challenge>/ended                            when it was closed
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from braggbook.challenges.design import INPUTS, TRUTH
from braggbook.datasets.catalogue import Dataset, open_dataset
from braggbook.errors import InputError, RecordError, unknown_name
from braggbook.files import sha256_bytes, storage, write_text
from braggbook.formats.challenge import Split
from braggbook.formats.common import issues_from, shown
from braggbook.formats.submission import (
    EVALUATION_NAME,
    RECEIPT_NAME,
    SEALED_NAME,
    SUBMISSION_NAME,
    WITHDRAWN_NAME,
    Evaluation,
    Receipt,
    Sealed,
    Submission,
    Withdrawal,
)
from braggbook.settings import Settings

# of the vault, and of the closed folder that is made of it
SUBMISSIONS, EVALUATIONS, HIDDEN, RUNS, SALT = "submissions", "evaluations", "hidden", "runs", "salt"
_ONLY_ME = 0o700
_ID_DIGITS = 16
_ID = re.compile(f"[0-9a-f]{{{_ID_DIGITS}}}")
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class Hidden:
    """The hidden cases of one version of a split."""

    split: Split
    version: int
    folder: Path

    @property
    def inputs(self) -> Dataset:
        """What a participant's notebook sees."""
        return open_dataset(self.folder / INPUTS)

    @property
    def truth(self) -> Dataset:
        """What it is scored against."""
        return open_dataset(self.folder / TRUTH)

    @property
    def salt(self) -> bytes:
        """The key of the commitment to the truth, 32 bytes."""
        return bytes.fromhex((self.folder / SALT).read_text(encoding="ascii"))

    @property
    def canary(self) -> str:
        """A text that stands in the inputs, and that no submission may repeat."""
        return (self.folder / "canary").read_text(encoding="ascii")


@dataclass(frozen=True)
class Vault:
    """The vault of one challenge."""

    folder: Path

    @property
    def key(self) -> Path:
        """The private key's file."""
        return self.folder / "key.pem"

    @property
    def runs(self) -> Path:
        """Where the scoring runs lie."""
        return self.folder / RUNS

    @property
    def sealed(self) -> Sealed | None:
        """The vault's own copy of the seal; None before the challenge was opened."""
        path = self.folder / SEALED_NAME
        return read_model(path, Sealed) if path.is_file() else None

    @property
    def ended(self) -> str | None:
        """When the challenge was closed; None while it was not. From then on nothing is taken in."""
        path = self.folder / "ended"
        return path.read_text(encoding="ascii").strip() if path.is_file() else None

    def end(self, when: str) -> None:
        """Marks the challenge as closed, once."""
        if self.ended is None:
            write_text(self.folder / "ended", when)

    def hidden_folder(self, split: Split, version: int) -> Path:
        """Returns where a version of a split lies, or would."""
        return self.folder / HIDDEN / f"{split}@{version}"

    def hidden(self, split: Split, version: int) -> Hidden:
        """Returns the hidden cases of a split.

        Raises:
            InputError: They are not here.
        """
        folder = self.hidden_folder(split, version)
        if not folder.is_dir():
            wanted = "the vault that the challenge was opened with"
            raise InputError(f"no hidden cases of the split {split}", where=str(folder), wanted=wanted)
        return Hidden(split, version, folder)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Waits until no other process changes this vault, and keeps others waiting meanwhile."""
        with storage(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True, mode=_ONLY_ME)
            lock = (self.folder / ".lock").open("w")
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def submission_folder(self, id: str) -> Path:
        """Returns where a submission lies."""
        return self.folder / SUBMISSIONS / id

    def submission_ids(self) -> set[str]:
        """Returns the ids of all submissions; nothing is read."""
        return {folder.name for folder in _folders(self.folder / SUBMISSIONS)}

    def submissions(self) -> list[Submission]:
        """Returns all submissions, in the order in which they came."""
        found = [read_model(folder / SUBMISSION_NAME, Submission) for folder in _folders(self.folder / SUBMISSIONS)]
        return sorted(found, key=lambda one: (one.received, one.id))

    def submission(self, name: str) -> Submission:
        """Returns a submission by its id, or by the beginning of it.

        Raises:
            UnknownName: There is none, or several begin so.
        """
        if (found := self.received(name)) is not None:
            return found
        known = {one.id: one for one in self.submissions()}
        matches = [one for id, one in known.items() if name and id.startswith(name)]
        if len(matches) != 1:
            raise unknown_name("submission", name, known)
        return matches[0]

    def received(self, id: str) -> Submission | None:
        """Returns the submission with a whole id; None where there is none. The others are not looked at."""
        path = self.submission_folder(id) / SUBMISSION_NAME
        return read_model(path, Submission) if is_id(id) and path.is_file() else None

    def withdrawal(self, id: str) -> Withdrawal | None:
        """Returns from when on a submission does not stand on the board, and why; None where it was not withdrawn."""
        path = self.submission_folder(id) / WITHDRAWN_NAME
        return read_model(path, Withdrawal) if is_id(id) and path.is_file() else None

    def withdrawals(self) -> list[Withdrawal]:
        """Returns all of them, by the ids of the submissions."""
        found = (self.withdrawal(folder.name) for folder in _folders(self.folder / SUBMISSIONS))
        return [one for one in found if one is not None]

    def evaluation_folder(self, submission: str, id: str) -> Path:
        """Returns where an evaluation lies."""
        return self.folder / EVALUATIONS / submission / id

    def evaluations(self, submission: str | None = None) -> list[Evaluation]:
        """Returns all evaluations, or those of one submission, in the order in which they were made."""
        place = self.folder / EVALUATIONS
        parents = _folders(place) if submission is None else [place / submission]
        folders = [folder for parent in parents for folder in _folders(parent)]
        found = [read_model(folder / EVALUATION_NAME, Evaluation) for folder in folders]
        return sorted(found, key=lambda one: (one.evaluated, one.id))

    def evaluation(self, submission: str, id: str) -> Evaluation | None:
        """Returns one evaluation; None where there is none."""
        path = self.evaluation_folder(submission, id) / EVALUATION_NAME
        return read_model(path, Evaluation) if path.is_file() else None

    def next_evaluation(self, submission: str) -> str:
        """Returns the id of the next evaluation of a submission, until there is one more.

        Whoever asks at the same time gets the same id, and :func:`~braggbook.challenges.evaluate.evaluate_submission`
        makes one evaluation of an id.
        """
        made = sorted(folder.name for folder in _folders(self.folder / EVALUATIONS / submission))
        return sha256_bytes("\n".join([submission, *made]).encode())[:_ID_DIGITS]

    def receipt(self, evaluation: Evaluation) -> Receipt:
        """Returns the receipt of an evaluation."""
        return read_model(self.evaluation_folder(evaluation.submission, evaluation.id) / RECEIPT_NAME, Receipt)


def is_id(text: str) -> bool:
    """Tells whether a text is the id of a submission or an evaluation."""
    return _ID.fullmatch(text) is not None


def require_id(text: str, *, what: str) -> str:
    """Returns an id that somebody gave.

    Raises:
        InputError: It is none.
    """
    if not is_id(text):
        raise InputError(f"not the id of {what}", wanted=f"{_ID_DIGITS} hexadecimal digits", got=shown(text))
    return text


def open_vault(slug: str, *, settings: Settings) -> Vault:
    """Returns the vault of a challenge; nothing is written yet.

    Raises:
        InputError: It would lie in the project, where everybody sees it.
    """
    place = settings.vault.resolve()
    if place.is_relative_to(settings.project.resolve()):
        raise InputError(
            "the vault lies in the project, which is public", where=str(place), wanted="a folder outside of it",
            next_command="braggbook list settings   (its variable is BRAGGBOOK_VAULT)",
        )  # fmt: skip
    return Vault(place / slug)


def read_model(path: Path, model: type[_Model]) -> _Model:
    """Reads a file that we wrote.

    Raises:
        RecordError: It is not there, or not as we write it.
    """
    try:
        return model.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        issues = issues_from(error, where=path.name, known=model)
        raise RecordError("a file that is not valid", where=str(path), issues=issues) from None
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError("a file that cannot be read", where=str(path), got=str(error)) from None


def _folders(parent: Path) -> list[Path]:
    try:
        with os.scandir(parent) as found:
            names = sorted(one.name for one in found if not one.name.startswith(".") and one.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [parent / name for name in names]

"""A closed challenge, read from its folder: what is in it, and where each part of a row lies.

What an organiser withheld may lie in a vault, which has the same layout below the challenge's name.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from braggbook.challenges.design import ESTIMATE, Challenge, open_challenge
from braggbook.challenges.signing import public_key
from braggbook.challenges.vault import EVALUATIONS, HIDDEN, RUNS, SUBMISSIONS, Vault, read_model
from braggbook.datasets.catalogue import Dataset
from braggbook.errors import BraggbookError, Issue, RecordError
from braggbook.files import sha256_file
from braggbook.formats.board import BOARD_NAME, Board, Closed
from braggbook.formats.dataset import CARD_NAME, read_card
from braggbook.formats.run import FileRecord
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
from braggbook.records.board_plan import BOARDS, DESIGN, read_closed

KERNELS = "kernels"  # in the design: those that the notebooks name
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class ClosedChallenge:
    """A closed challenge.

    Attributes:
        folder: Where it lies.
        closed: Its ``closed.json``.
        challenge: Its design.
        sealed: The organiser's public key, and what was sealed.
        boards: By the name of the file: ``board.json``, ``boards/<phase>.json``.
        submissions: By the name of the folder, as evaluations, receipts and withdrawals.
        unread: Files that are not what they should be.
        vault: Where the organiser keeps what was not published of this challenge.
    """

    folder: Path
    closed: Closed
    challenge: Challenge
    sealed: Sealed
    boards: Mapping[str, Board]
    submissions: Mapping[str, Submission]
    evaluations: Mapping[str, Evaluation]
    receipts: Mapping[str, Receipt]
    withdrawals: Mapping[str, Withdrawal]
    unread: tuple[Issue, ...]
    vault: Path | None = None

    @property
    def standing(self) -> dict[str, Evaluation]:
        """The evaluations that stand on a board, by id."""
        named = (row.evaluation for board in self.boards.values() for row in board.rows)
        return {id: self.evaluations[id] for id in named if id in self.evaluations}

    def hidden(self, split: str, version: int) -> Path | None:
        """Returns where the hidden cases of a version of a split lie, if they are at hand."""
        return self._find(f"{HIDDEN}/{split}@{version}")

    def run(self, id: str) -> Path | None:
        """Returns where a scoring run lies, if it is at hand."""
        return self._find(f"{RUNS}/{id}")

    def estimate(self, evaluation: str) -> Path:
        """Returns where the checked predictions of an evaluation lie."""
        return self.folder / EVALUATIONS / evaluation / ESTIMATE

    def _find(self, name: str) -> Path | None:
        places = [self.folder, *([self.vault] if self.vault else [])]
        return next((place / name for place in places if (place / name).is_dir()), None)


def open_closed(folder: Path, *, vault: Path | None = None) -> ClosedChallenge:
    """Reads a closed challenge; a file of a team that cannot be read is a finding, and not the end.

    Args:
        folder: The closed challenge's.
        vault: The folder of all the organiser's vaults; used only where its key is the one that sealed the truth.

    Raises:
        RecordError: It is no closed challenge, or its seal cannot be read.
        InputError: Its design cannot be used.
    """
    folder = folder.absolute()
    closed = read_closed(folder)
    challenge = dataclasses.replace(open_challenge(folder / DESIGN), slug=closed.challenge)
    sealed = read_model(folder / DESIGN / SEALED_NAME, Sealed)
    unread: list[Issue] = []
    boards = [BOARD_NAME, *(f"{BOARDS}/{phase}.json" for phase in closed.phases)]
    return ClosedChallenge(
        folder=folder,
        closed=closed,
        challenge=challenge,
        sealed=sealed,
        boards={name: board for name in boards if (board := _read(folder, name, Board, unread))},
        submissions=_all(folder, closed, f"{SUBMISSIONS}/*/{SUBMISSION_NAME}", Submission, unread),
        evaluations=_all(folder, closed, f"{EVALUATIONS}/*/{EVALUATION_NAME}", Evaluation, unread),
        receipts=_all(folder, closed, f"{EVALUATIONS}/*/{RECEIPT_NAME}", Receipt, unread),
        withdrawals=_all(folder, closed, f"{SUBMISSIONS}/*/{WITHDRAWN_NAME}", Withdrawal, unread),
        unread=tuple(unread),
        vault=_own_vault(closed, sealed, vault),
    )


def _own_vault(closed: Closed, sealed: Sealed, vaults: Path | None) -> Path | None:
    """Returns the vault of this very challenge, where something was withheld and the vault's key is the seal's."""
    if vaults is None or closed.truth == "published":
        return None
    vault = Vault(vaults / closed.challenge)
    return vault.folder if vault.key.is_file() and public_key(vault.key) == sealed.key else None


def named_dataset(folder: Path, slug: str) -> Dataset:
    """Returns a dataset of a challenge under the name that it was sealed and scored by.

    Raises:
        DatasetError: Its card cannot be used.
    """
    return Dataset(slug, read_card(folder / CARD_NAME), folder)


def dataset_issues(folder: Path, slug: str, *, wanted: str | None, where: str) -> list[Issue]:
    """Returns in what a dataset differs from its card, and its digest from the one that is wanted.

    Args:
        folder: The dataset's.
        slug: Its name in notebooks: inputs, truth or estimate.
        wanted: Its digest; None where none is known.
        where: How the folder is named in a finding.
    """
    try:
        dataset = named_dataset(folder, slug)
    except BraggbookError as error:
        return [Issue(error.what, where, got=error.got or "; ".join(map(str, error.issues[:3])))]
    issues = []
    for file in dataset.card.files:
        path = folder / file.path
        if not path.is_file():
            issues.append(Issue("missing", f"{where}/{file.path}"))
        elif (got := sha256_file(path)) != file.sha256:
            issues.append(Issue("not the file of its card", f"{where}/{file.path}", *_short(file.sha256, got)))
    if wanted is not None and dataset.digest != wanted:
        issues.append(Issue("another dataset", where, *_short(wanted, dataset.digest)))
    return issues


def received_issues(folder: Path, files: Mapping[str, FileRecord], *, where: str) -> list[Issue]:
    """Returns in what received files differ from what a receipt says came.

    Args:
        folder: The files'.
        files: By name.
        where: How the folder is named in a finding.
    """
    issues = []
    for name, wanted in files.items():
        path = folder / name
        if not path.is_file():
            issues.append(Issue("missing", f"{where}/{name}"))
        elif (got := sha256_file(path)) != wanted.sha256:
            issues.append(Issue("not the file that was handed in", f"{where}/{name}", *_short(wanted.sha256, got)))
    return issues


def _short(wanted: str, got: str) -> tuple[str, str]:
    return f"sha256 {wanted[:12]}…", f"{got[:12]}…"


def _all(folder: Path, closed: Closed, pattern: str, model: type[_Model], unread: list[Issue]) -> dict[str, _Model]:
    """Returns what lies in the listed files of one kind, by the folder that each lies in."""
    before, _, name = pattern.partition("*")
    names = sorted(one for one in closed.files if re.fullmatch(f"{re.escape(before)}[^/]+{re.escape(name)}", one))
    found = {Path(one).parent.name: _read(folder, one, model, unread) for one in names}
    return {id: one for id, one in found.items() if one is not None}


def _read(folder: Path, name: str, model: type[_Model], unread: list[Issue]) -> _Model | None:
    try:
        return read_model(folder / name, model)
    except RecordError as error:
        unread.append(Issue(error.what, name, got="; ".join(map(str, error.issues[:3]))))
        return None

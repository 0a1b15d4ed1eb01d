"""Verifying a closed challenge: what a stranger can know of a board from its folder alone.

Five checks execute nothing: the files, the design, the seal of the truth, the signatures, and the board, which is made
again from the signed evaluations. Then rows are repeated, all or one, where the truth was published (or lies in the
organiser's own vault): see :mod:`braggbook.challenges.verify_row`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from braggbook.challenges.board import make_board
from braggbook.challenges.cases import cases_of
from braggbook.challenges.closed_folder import (
    KERNELS,
    ClosedChallenge,
    dataset_issues,
    named_dataset,
    open_closed,
    received_issues,
)
from braggbook.challenges.design import ESTIMATE, INPUTS, TRUTH
from braggbook.challenges.evaluate import means_of
from braggbook.challenges.sealing import commitment
from braggbook.challenges.signing import verify_signature
from braggbook.challenges.submissions import RECEIVED, same_team
from braggbook.challenges.vault import EVALUATIONS, HIDDEN, SALT, SUBMISSIONS
from braggbook.challenges.verify_row import WITHHELD, WORSE, RowVerification, verify_row
from braggbook.errors import BraggbookError, Issue, OutsideError, unknown_name
from braggbook.formats.board import BOARD_NAME, CLOSED_NAME, Board, Closed, Row
from braggbook.formats.submission import WITHDRAWN_NAME, Evaluation, Receipt, SealedSplit, Withdrawal
from braggbook.kernels.catalogue import read_kernel
from braggbook.progress import Progress
from braggbook.records.board_plan import BOARDS, DESIGN, changed_in, read_closed, unlisted_in
from braggbook.records.repeat import WARNING, Say
from braggbook.runs.verify import Verdict
from braggbook.settings import Settings

Outcome = Literal["passed", "failed", "withheld"]
_SHOWN = 3  # findings of a check in the verdict's reason
_MOST_DIFFERENCES = 10  # of one board
_BOTH_SAY = (
    "submission", "challenge", "phase", "team", "received", "evaluated", "verdict", "charged", "problem", "used",
    "predictions", "scorer", "sealed",
)  # fmt: skip
_WITHDRAWN_OF = ("challenge", "phase", "team")
_FROM_SUBMISSION = ("challenge", "phase", "team", "title", "kind", "received")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: files, design, seal, signatures or board.
        what: What it says when it is passed.
        outcome: Withheld: it could not be looked at, since the truth was not published.
        issues: What is wrong.
    """

    name: str
    what: str
    outcome: Outcome
    issues: tuple[Issue, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Returns the check for ``--json``."""
        issues = [issue.as_json() for issue in self.issues]
        return {"name": self.name, "what": self.what, "outcome": self.outcome, "issues": issues}


@dataclass
class BoardVerification:
    """What came of verifying a closed challenge.

    Attributes:
        challenge: Its slug.
        verdict: identical, within tolerance, drifted or not verifiable.
        reason: Why, and what the verdict is about where that is not all of it.
        checks: What was looked at without executing anything.
        rows: What was repeated.
        notes: What else a person should know.
    """

    challenge: str
    title: str
    verdict: Verdict = "identical"
    reason: str = ""
    checks: list[Check] = field(default_factory=list)
    rows: list[RowVerification] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Returns the verification for ``--json``."""
        return {
            "challenge": self.challenge,
            "title": self.title,
            "verdict": self.verdict,
            "reason": self.reason,
            "checks": [check.as_json() for check in self.checks],
            "rows": [row.as_json() for row in self.rows],
            "notes": self.notes,
        }


def verify_closed(
    folder: Path,
    *,
    settings: Settings,
    row: str | None = None,
    vault: Path | None = None,
    progress: Progress | None = None,
    say: Say = lambda _: None,
) -> BoardVerification:
    """Verifies a closed challenge; its folder is only read.

    Args:
        folder: The closed challenge's.
        settings: Limits and places.
        row: The team whose row is repeated; all rows where None.
        vault: The folder of the organiser's vaults, for a truth that was withheld.
        progress: Told of what takes time.
        say: Told, before anything is executed, what it is.

    Raises:
        RecordError: It is no closed challenge.
        UnknownName: No such team stands on a board.
        OutsideError: The disk refuses, or a dataset that was not copied cannot be downloaded.
    """
    found, opened = check_closed(folder, vault=vault)
    if opened is None:
        return found
    rows = _chosen(opened, row)
    if any(_at_hand(opened, one) for _, one in rows):
        count = "a row" if len(rows) == 1 else f"{len(rows)} rows"
        say(f'about to run the scoring notebook of "{found.title}" for {count}')
        say(WARNING)
    for phase, one in rows:
        done = verify_row(opened, one, phase=phase, settings=settings, progress=progress, say=say)
        found.rows.append(done)
        notes = done.scoring.notes if done.scoring else []
        found.notes += [note for note in notes if note not in found.notes]
    return _judge(opened, found, named=row is not None)


def check_closed(folder: Path, *, vault: Path | None = None) -> tuple[BoardVerification, ClosedChallenge | None]:
    """Checks a closed challenge without executing anything of it.

    Args:
        folder: The closed challenge's.
        vault: As in :func:`verify_closed`.

    Returns:
        What was found, and the challenge for what comes next; None where it cannot be read, and the verdict says so.

    Raises:
        RecordError: It is no closed challenge.
        OutsideError: The disk refuses.
    """
    closed = read_closed(folder)
    found = BoardVerification(closed.challenge, closed.title, checks=[_files(folder, closed)])
    if extra := unlisted_in(folder, closed):
        found.notes.append(f"not listed in {CLOSED_NAME}, and ignored: {', '.join(extra[:5])}")
    try:
        opened = open_closed(folder, vault=vault)
        found.checks += [_design(opened), _seal(opened), _signatures(opened), _board(opened)]
        if opened.vault is not None:
            found.notes.append("the hidden cases and the scoring runs are those of the organiser's vault")
    except OutsideError:
        raise
    except BraggbookError as error:
        found.verdict = "drifted" if found.checks[0].issues else "not verifiable"
        found.reason = str(error)
        return found, None
    return found, opened


def _chosen(opened: ClosedChallenge, team: str | None) -> list[tuple[str, Row]]:
    """Returns rows with their phase, the last phase first; a team's where one is named."""
    boards = [opened.boards.get(f"{BOARDS}/{phase}.json") for phase in reversed(opened.closed.phases)]
    rows = [(board.phase, row) for board in boards if board is not None for row in board.rows]
    if team is None:
        return rows
    chosen = [(phase, row) for phase, row in rows if same_team(row.team, team)]
    if not chosen and not opened.unread:
        raise unknown_name("team on the board", team, {row.team for _, row in rows})
    return chosen


def _at_hand(opened: ClosedChallenge, row: Row) -> bool:
    made = opened.evaluations.get(row.evaluation)
    return made is not None and opened.hidden(made.split, made.truth_version) is not None


def _judge(opened: ClosedChallenge, found: BoardVerification, *, named: bool) -> BoardVerification:
    board: Verdict = "drifted" if any(check.outcome == "failed" for check in found.checks) else "identical"
    told = [f"{check.name}: {issue}" for check in found.checks for issue in check.issues[:_SHOWN]]
    closed_to_us = [row for row in found.rows if row.reason == WITHHELD]
    if opened.closed.truth == "withheld" and not named and len(closed_to_us) == len(found.rows):
        found.verdict = board
        about = "the board was made again from the signed evaluations" if board == "identical" else ""
        told += [about, f"a row's own verdict is not verifiable: {WITHHELD}"]
    else:
        found.verdict = max([board, *(row.verdict for row in found.rows)], key=WORSE.index)
        told += [f"{row.team} ({row.phase}): {row.reason}" for row in found.rows if row.reason]
        told += ["the board itself: identical"] if closed_to_us and board == "identical" else []
    found.reason = "; ".join(filter(None, told))
    return found


def _check(name: str, what: str, issues: list[Issue], *, withheld: bool = False) -> Check:
    outcome: Outcome = "failed" if issues else "withheld" if withheld else "passed"
    return Check(name, what, outcome, tuple(issues))


def _files(folder: Path, closed: Closed) -> Check:
    what = f"{len(closed.files)} files are those that {CLOSED_NAME} lists"
    return _check("files", what, changed_in(folder, closed))


def _design(opened: ClosedChallenge) -> Check:
    """Looks whether what stands on the boards was made by this design and this scoring notebook."""
    closed, challenge, issues = opened.closed, opened.challenge, []
    facts = {"title": challenge.design.title, "license": challenge.design.license, "truth": challenge.design.truth}
    for name, wanted in facts.items():
        if (got := getattr(closed, name)) != wanted:
            issues.append(Issue(f"another {name} than the design's", CLOSED_NAME, wanted, got))
    try:
        scorer = challenge.scorer
        lock = read_kernel(challenge.folder / KERNELS / scorer.front.braggbook.kernel).lock_sha256
    except BraggbookError as error:
        issues.append(
            Issue(error.what, f"{DESIGN}/score.ipynb", got=error.got or "; ".join(map(str, error.issues[:3])))
        )
        return _check("design", "", issues)
    for id, made in opened.standing.items():
        where = f"{EVALUATIONS}/{id}"
        if made.design != challenge.digest:
            issues.append(Issue("made by another design", where, _short(challenge.digest), _short(made.design)))
        if made.scorer is not None and made.scorer.notebook != scorer.identity:
            got = _short(made.scorer.notebook)
            issues.append(Issue("scored by another notebook than the design's", where, _short(scorer.identity), got))
        if made.scorer is not None and made.scorer.kernel_lock != lock:
            issues.append(Issue("scored in another environment", where, _short(lock), _short(made.scorer.kernel_lock)))
    return _check("design", "every row was scored by this design and this scoring notebook", issues)


def _seal(opened: ClosedChallenge) -> Check:
    """Looks whether the hidden cases are those that were sealed when the challenge was opened."""
    issues, withheld = [], False
    evaluations = opened.evaluations.values()
    for one in opened.sealed.splits:
        folder, name = opened.hidden(one.split, one.version), f"{one.split}@{one.version}"
        if folder is not None:
            issues += _unsealed(opened, one, folder)
        elif opened.closed.truth == "withheld":
            withheld = True
        elif any((made.split, made.truth_version) == (one.split, one.version) for made in evaluations):
            issues.append(Issue("missing", f"{HIDDEN}/{name}"))
        released = opened.challenge.folder / INPUTS / one.split
        if released.is_dir() and one == opened.sealed.latest(one.split):
            where = f"{DESIGN}/{INPUTS}/{one.split}"
            issues += dataset_issues(released, INPUTS, wanted=one.inputs, where=where)
    known: dict[tuple[str, int], str] = {(one.split, one.version): one.truth for one in opened.sealed.splits}
    for id, made in opened.evaluations.items():
        where, wanted = f"{EVALUATIONS}/{id}", known.get((made.split, made.truth_version))
        if wanted is not None and made.sealed != wanted:
            issues.append(Issue("another truth than was sealed", where, _short(wanted), _short(made.sealed or "none")))
        if wanted is None:
            issues.append(Issue("a truth that was never sealed", where, got=f"{made.split}@{made.truth_version}"))
    return _check("seal", "the hidden cases and their truth are those that were sealed", issues, withheld=withheld)


def _unsealed(opened: ClosedChallenge, one: SealedSplit, folder: Path) -> list[Issue]:
    where = f"{HIDDEN}/{folder.name}"
    issues = dataset_issues(folder / INPUTS, INPUTS, wanted=one.inputs, where=f"{where}/{INPUTS}")
    issues += dataset_issues(folder / TRUTH, TRUTH, wanted=None, where=f"{where}/{TRUTH}")
    try:
        salt = bytes.fromhex((folder / SALT).read_text(encoding="ascii"))
        truth = named_dataset(folder / TRUTH, TRUTH)
        if (got := commitment(truth.digest, salt=salt)) != one.truth:
            issues.append(Issue("the truth or its salt is not what was sealed", where, _short(one.truth), _short(got)))
        if not issues and len(cases_of(truth, rules=opened.challenge.design.submission)) != one.cases:
            issues.append(Issue("another number of cases than was sealed", where, str(one.cases)))
    except BraggbookError as error:
        issues.append(Issue(error.what, where, error.wanted, error.got))
    except (OSError, ValueError):
        issues.append(Issue("no salt", f"{where}/{SALT}", "64 hexadecimal digits"))
    return issues


def _signatures(opened: ClosedChallenge) -> Check:
    """Looks at what the organiser signed, and whether it belongs together."""
    issues = [issue for issue in opened.unread if not _is_board(issue.where)]
    for id in sorted({*opened.evaluations, *opened.receipts}):
        made, receipt = opened.evaluations.get(id), opened.receipts.get(id)
        where = f"{EVALUATIONS}/{id}"
        for what, one in (("evaluation", made), ("receipt", receipt)):
            if one is None:
                issues.append(Issue(f"no {what}", where))
            elif not verify_signature(opened.sealed.key, one.message, one.signature):
                wanted = f"the key {_short(opened.sealed.key)} of {DESIGN}/sealed.json"
                issues.append(Issue(f"the {what} is not signed by the organiser", where, wanted))
        if made is not None:
            issues += _misplaced(opened, made, id)
        if made is not None and receipt is not None:
            issues += _at_odds(made, receipt, where)
            issues += _not_received(opened, receipt)
    issues += [issue for id, one in opened.withdrawals.items() for issue in _withdrawn(opened, one, id)]
    return _check("signatures", f"{len(opened.evaluations)} evaluations and their receipts are signed", issues)


def _misplaced(opened: ClosedChallenge, made: Evaluation, id: str) -> list[Issue]:
    """Returns in what an evaluation is not that of its folder, of this challenge, or of its submission."""
    where, issues = f"{EVALUATIONS}/{id}", []
    if made.id != id:
        issues.append(Issue("another evaluation", where, id, made.id))
    if made.challenge != opened.closed.challenge:
        issues.append(Issue("of another challenge", where, opened.closed.challenge, made.challenge))
    if made.phase not in opened.closed.phases:
        issues.append(Issue("of a phase without a board", where, ", ".join(opened.closed.phases), made.phase))
    submission = opened.submissions.get(made.submission)
    if submission is None or submission.id != made.submission:
        issues.append(Issue("no submission", f"{SUBMISSIONS}/{made.submission}"))
    else:
        issues += [
            Issue(f"another {name} than its submission's", where, f"{wanted}", f"{got}")
            for name in _FROM_SUBMISSION
            if (wanted := getattr(submission, name)) != (got := getattr(made, name))
        ]
    if made.verdict == "scored" and made.submission not in opened.withdrawals:
        estimate = f"{where}/{ESTIMATE}"
        issues += dataset_issues(opened.estimate(id), ESTIMATE, wanted=made.predictions, where=estimate)
    return issues


def _withdrawn(opened: ClosedChallenge, one: Withdrawal, id: str) -> list[Issue]:
    """Returns in what a withdrawal is not the organiser's, or not that of the submission beside it."""
    where = f"{SUBMISSIONS}/{id}/{WITHDRAWN_NAME}"
    issues = []
    if not verify_signature(opened.sealed.key, one.message, one.signature):
        wanted = f"the key {_short(opened.sealed.key)} of {DESIGN}/sealed.json"
        issues.append(Issue("the withdrawal is not signed by the organiser", where, wanted))
    submission = opened.submissions.get(id)
    facts = {"id": id} | {name: getattr(submission, name) for name in _WITHDRAWN_OF if submission is not None}
    got = {"id": one.submission} | {name: getattr(one, name) for name in _WITHDRAWN_OF}
    issues += [
        Issue(f"another {name} than its submission's", where, wanted, got[name])
        for name, wanted in facts.items()
        if wanted != got[name]
    ]
    return issues


def _at_odds(made: Evaluation, receipt: Receipt, where: str) -> list[Issue]:
    """Returns in what a receipt is not that of its evaluation."""
    facts: dict[str, tuple[object, object]] = {
        name: (getattr(made, name), getattr(receipt, name)) for name in _BOTH_SAY
    }
    facts["evaluation"] = (made.id, receipt.evaluation)
    if receipt.scores is not None:
        facts["scores"] = (means_of(made.cases, made.overall), receipt.scores)
    if receipt.cases is not None:
        facts["cases"] = (made.cases, receipt.cases)
    return [
        Issue(f"the receipt says another {name} than the evaluation", where)
        for name, (wanted, got) in facts.items()
        if wanted != got
    ]


def _not_received(opened: ClosedChallenge, receipt: Receipt) -> list[Issue]:
    """Returns which files of a submission are not those of its receipt; of one without a score there may be none."""
    where = f"{SUBMISSIONS}/{receipt.submission}"
    submission = opened.submissions.get(receipt.submission)
    issues = []
    if submission is not None and submission.files != receipt.files:
        issues.append(Issue("other files than the receipt's", f"{where}/submission.json"))
    folder = opened.folder / where / RECEIVED
    published = receipt.verdict == "scored" and receipt.submission not in opened.withdrawals
    if published or folder.is_dir():
        issues += received_issues(folder, receipt.files, where=f"{where}/{RECEIVED}")
    return issues


def _board(opened: ClosedChallenge) -> Check:
    """Makes every board again."""
    phases, issues = opened.closed.phases, [issue for issue in opened.unread if _is_board(issue.where)]
    made: dict[str, Board] = {}
    for phase in phases:
        try:
            made[phase] = _again(opened, phase)
        except BraggbookError as error:
            issues += list(error.issues) or [Issue(error.what, phase, error.wanted, error.got)]
    for name, phase in ((BOARD_NAME, phases[-1] if phases else ""), *((f"{BOARDS}/{one}.json", one) for one in phases)):
        if name in opened.boards and phase in made:
            issues += _differences(made[phase], opened.boards[name], name)
    what = f"made again from the signed evaluations: {', '.join(phases)}"
    return _check("board", what, issues)


def _again(opened: ClosedChallenge, phase: str) -> Board:
    return make_board(
        opened.challenge.design,
        challenge=opened.closed.challenge,
        design_sha256=opened.challenge.digest,
        key=opened.sealed.key,
        phase=opened.challenge.phase(phase),
        evaluations=[made for made in opened.evaluations.values() if made.phase == phase],
        closed=True,
        truth=opened.closed.truth,
        withdrawals=list(opened.withdrawals.values()),
    )


def _differences(made: Board, got: Board, where: str) -> list[Issue]:
    """Returns in what a board is not what the evaluations give; a record's DOI comes later, and is no part of it."""
    wanted, there = (board.model_dump(mode="json", exclude={"rows": {"__all__": {"doi"}}}) for board in (made, got))
    found = islice(_apart(wanted, there, ""), _MOST_DIFFERENCES)
    return [Issue("not what the evaluations give", f"{where} {place}", one, other) for place, one, other in found]


def _apart(wanted: Any, got: Any, place: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(wanted, Mapping) and isinstance(got, Mapping):
        for key in {**wanted, **got}:
            yield from _apart(wanted.get(key), got.get(key), f"{place}.{key}".lstrip("."))
    elif isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        for number, (one, other) in enumerate(zip(wanted, got, strict=True)):
            yield from _apart(one, other, f"{place}[{number}]")
    elif wanted != got:
        yield place, _told(wanted), _told(got)


def _told(value: Any) -> str:
    return f"{len(value)} entries" if isinstance(value, list | Mapping) else str(value)


def _is_board(name: str) -> bool:
    return name == BOARD_NAME or name.startswith(f"{BOARDS}/")


def _short(digest: str) -> str:
    return f"{digest[:12]}…"

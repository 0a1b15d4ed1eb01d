"""What comes in: from whom, when, in which phase, and whether it still may."""

from __future__ import annotations

import datetime
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from braggbook.challenges.airlock import clean_label, receive_submission
from braggbook.challenges.design import INPUTS, Challenge
from braggbook.challenges.parts import part_of, show
from braggbook.challenges.signing import sign
from braggbook.challenges.vault import Vault, require_id
from braggbook.errors import InputError, Issue
from braggbook.files import sha256_bytes, storage, sync_tree, write_json
from braggbook.formats.challenge import Phase, SubmissionKind
from braggbook.formats.run import FileRecord
from braggbook.formats.submission import (
    LONGEST_REASON,
    SUBMISSION_NAME,
    WITHDRAWN_NAME,
    Evaluation,
    Submission,
    Withdrawal,
)
from braggbook.records.traces import find_traces
from braggbook.runs.scrub import make_scrubber

RECEIVED = "received"
_ID_BYTES = 8


def submit(  # noqa: PLR0913 - who, what, where, when, by which name: a hub says all of it
    challenge: Challenge,
    vault: Vault,
    source: Path,
    *,
    phase: Phase,
    team: str,
    accepted: bool,
    now: datetime.datetime,
    title: str = "",
    id: str | None = None,
) -> Submission:
    """Takes a submission in; with an id that the vault knows, it returns that submission and takes nothing in.

    Args:
        challenge: Which.
        vault: The organiser's.
        source: Predictions (a file, a folder, or a zip of it) or a notebook.
        phase: That it is for.
        team: Whose it is.
        accepted: Whether the phase's terms were.
        now: When it came, with a time zone.
        title: What the team calls it.
        id: Its id, 16 hexadecimal digits [default: drawn]. Who was interrupted calls again with the same one.

    Returns:
        What came. If it is not what the design asks for, nothing of it is kept but the reasons (``refused``), of which
        its evaluation makes a receipt; that costs no quota.

    Raises:
        InputError: The phase is not open, the team has no submission left, the terms were not accepted, or the id is
            none.
    """
    id = secrets.token_hex(_ID_BYTES) if id is None else require_id(id, what="a submission")
    if (known := vault.received(id)) is not None:
        return known
    team = clean_label(team, what="team")
    title = clean_label(title, what="title") if title else ""
    _require_open(challenge, vault, phase, now)
    if not accepted:
        raise InputError(
            "the terms of the phase are not accepted", where=phase.id, wanted=phase.terms,
            next_command="the same with --accept-terms",
        )  # fmt: skip
    _as_known(vault, team, phase=phase, now=now)
    target = vault.submission_folder(id)
    with part_of(target, alone=vault.alone()) as part:
        kind, files, refused = _received(challenge, source, part / RECEIVED, phase=phase)  # others need not wait for it
        sync_tree(part)
        with vault.alone():
            if (known := vault.received(id)) is not None:
                return known
            _require_open(challenge, vault, phase, now)
            made = Submission(
                id=id,
                challenge=challenge.slug,
                phase=phase.id,
                team=_as_known(vault, team, phase=phase, now=now),
                title=title,
                kind=kind,
                received=now.isoformat(timespec="milliseconds"),
                terms=sha256_bytes(phase.terms.encode()),
                files=files,
                refused=refused,
            )
            write_json(part / SUBMISSION_NAME, made.model_dump(mode="json"))
            show(part, target, card=SUBMISSION_NAME)
    return made


def _as_known(vault: Vault, team: str, *, phase: Phase, now: datetime.datetime) -> str:
    """Returns a team's name as it was first spelled.

    Raises:
        InputError: It has no submission left.
    """
    mine = submissions_of(vault, team)
    if _left(vault, mine, phase=phase, now=now) == 0:
        raise InputError("no submission left", where=f"{team}, {phase.id}", wanted=quota_text(phase))
    return mine[0].team if mine else team


def _require_open(challenge: Challenge, vault: Vault, phase: Phase, now: datetime.datetime) -> None:
    if vault.ended is not None:
        raise InputError("the challenge was closed", where=challenge.slug, got=vault.ended)
    challenge.opened(phase.split)
    if not phase.opens <= now < phase.closes:
        state = "not open yet" if now < phase.opens else "closed"
        wanted = f"from {phase.opens.isoformat()} to before {phase.closes.isoformat()}"
        raise InputError(f"the phase is {state}", where=phase.id, wanted=wanted, got=now.isoformat(timespec="seconds"))


def _received(
    challenge: Challenge, source: Path, target: Path, *, phase: Phase
) -> tuple[SubmissionKind, dict[str, FileRecord], list[str]]:
    """Lets what came in, and returns its kind, its files, and why it is refused; then there are no files."""
    with storage(target):
        target.mkdir()
    try:
        return (*take_in(challenge, source, target, kinds=phase.kinds), [])
    except InputError as error:
        kind: SubmissionKind = "notebook" if source.suffix == ".ipynb" else phase.kinds[0]
        said = [str(issue) for issue in error.issues] or [str(Issue(error.what, wanted=error.wanted))]
        return kind, {}, said


def take_in(
    challenge: Challenge, source: Path, target: Path, *, kinds: Sequence[SubmissionKind]
) -> tuple[SubmissionKind, dict[str, FileRecord]]:
    """Lets what a person hands in through the airlock, into an empty folder.

    Raises:
        InputError: It is not what the design asks for; all findings are listed.
    """
    kind, files = receive_submission(
        source, target, rules=challenge.design.submission, kinds=kinds, datasets=allowed_datasets(challenge)
    )
    if kind == "notebook":
        _require_publishable({name: target / name for name in files})
    return kind, files


def _require_publishable(notebooks: Mapping[str, Path]) -> None:
    """Refuses a notebook that names a machine's folders or holds a secret: it is published with the board.

    Raises:
        InputError: All findings are listed.
    """
    own_words = "\n".join(path.read_text(encoding="utf-8") for path in notebooks.values())
    nothing = make_scrubber({}, vocabulary=own_words)
    if issues := find_traces(notebooks, scrubber=nothing, own_words=own_words):
        raise InputError("a notebook that tells more than it should: it is published with the board", issues=issues)


def allowed_datasets(challenge: Challenge) -> tuple[str, ...]:
    """Returns what a participant's notebook may name."""
    return (f"{INPUTS}@1", *challenge.design.data.training)


def left(
    vault: Vault, *, phase: Phase, team: str, now: datetime.datetime, told: Mapping[str, bool] | None = None
) -> int | None:
    """Returns how many submissions a team has left in a phase at a time; None where there is no limit.

    A submission counts when it got a score, or when the participant's own code was at fault; one that waits counts
    until that is known. Who withdraws a submission gets nothing back: what counted counts.

    Args:
        vault: The organiser's.
        phase: Which.
        team: Whose.
        now: The time.
        told: Whether submissions count of which the vault does not know it yet, by their ids.
    """
    if phase.quota.total is None and phase.quota.per_day is None:
        return None
    return _left(vault, submissions_of(vault, team), phase=phase, now=now, told=told or {})


def submissions_of(vault: Vault, team: str) -> list[Submission]:
    """Returns a team's submissions to all phases, in the order in which they came."""
    folded = _folded(team)
    return [one for one in vault.submissions() if _folded(one.team) == folded]


def _left(
    vault: Vault,
    mine: Sequence[Submission],
    *,
    phase: Phase,
    now: datetime.datetime,
    told: Mapping[str, bool] = MappingProxyType({}),
) -> int | None:
    counted = [one for one in mine if one.phase == phase.id and _does_count(vault, one, told)]
    quota, zone = phase.quota, phase.opens.tzinfo
    today = [one for one in counted if _day(one.received, zone) == now.astimezone(zone).date()]
    rest = [] if quota.total is None else [quota.total - len(counted)]
    rest += [] if quota.per_day is None else [quota.per_day - len(today)]
    return max(min(rest), 0) if rest else None


def _does_count(vault: Vault, one: Submission, told: Mapping[str, bool]) -> bool:
    return told[one.id] if one.id in told else counts(vault.evaluations(one.id))


def quota_text(phase: Phase) -> str:
    """Returns what a phase allows, in words."""
    quota = phase.quota
    parts = [f"{quota.total} in all"] if quota.total else []
    parts += [f"{quota.per_day} a day ({phase.opens.tzname()})"] if quota.per_day else []
    return "at most " + ", ".join(parts) if parts else "any number"


def same_team(one: str, other: str) -> bool:
    """Whether two names are one team's, however they are typed."""
    return _folded(one) == _folded(other)


def withdraw(vault: Vault, submission: Submission, *, now: datetime.datetime, by: str, because: str) -> Withdrawal:
    """Takes a submission off the board for good: it stays in the vault, is not scored again, and counts as it counted.

    Args:
        vault: The organiser's.
        submission: Which.
        now: The time, with a time zone.
        by: Who withdraws it, as everybody may read it once the challenge is closed.
        because: Why, in a sentence or two; as public.

    Returns:
        What is written beside it, signed. Of a submission that was withdrawn before, what was written then.

    Raises:
        InputError: The challenge was closed, there is no key, or who or why cannot be shown.
        StorageError: The disk refuses.
    """
    made = Withdrawal(
        submission=submission.id,
        challenge=submission.challenge,
        phase=submission.phase,
        team=submission.team,
        withdrawn=now.isoformat(timespec="milliseconds"),
        by=clean_label(by, what="name of who withdraws it"),
        because=clean_label(because, what="reason", longest=LONGEST_REASON),
    )
    with vault.alone():
        if (known := vault.withdrawal(submission.id)) is not None:
            return known
        if vault.ended is not None:
            raise InputError("the challenge was closed", where=submission.challenge, got=vault.ended)
        signed = made.signed(sign(vault.key, made.message))
        write_json(vault.submission_folder(submission.id) / WITHDRAWN_NAME, signed.model_dump(mode="json"))
    return signed


def standing(vault: Vault) -> list[Submission]:
    """Returns the submissions that were not withdrawn, in the order in which they came."""
    return [one for one in vault.submissions() if vault.withdrawal(one.id) is None]


def waiting(vault: Vault) -> Sequence[Submission]:
    """Returns the submissions that were not evaluated, or whose last evaluation failed through our own fault.

    What was withdrawn waits for nothing.
    """
    found = []
    for one in standing(vault):
        made = vault.evaluations(one.id)
        if not made or made[-1].verdict == "platform":
            found.append(one)
    return found


def counts(evaluations: Sequence[Evaluation]) -> bool:
    """Tells whether a submission counts in the quota; a later fault of ours gives back nothing that was counted."""
    sound = [one for one in evaluations if one.verdict != "platform"]
    return sound[-1].charged if sound else not evaluations


def _day(when: str, zone: datetime.tzinfo | None) -> datetime.date:
    return datetime.datetime.fromisoformat(when).astimezone(zone).date()


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())

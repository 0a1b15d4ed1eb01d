"""What comes in: from whom, when, in which phase, and whether it still may."""

from __future__ import annotations

import datetime
import os
import secrets
import shutil
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from braggbook.challenges.airlock import clean_label, receive_submission
from braggbook.challenges.design import INPUTS, Challenge
from braggbook.challenges.vault import Vault
from braggbook.errors import InputError, Issue
from braggbook.files import sha256_bytes, storage, sync_tree, write_json
from braggbook.formats.challenge import Phase, SubmissionKind
from braggbook.formats.run import FileRecord
from braggbook.formats.submission import SUBMISSION_NAME, Evaluation, Submission
from braggbook.records.traces import find_traces
from braggbook.runs.scrub import make_scrubber

RECEIVED = "received"
_ID_BYTES = 8


def submit(
    challenge: Challenge,
    vault: Vault,
    source: Path,
    *,
    phase: Phase,
    team: str,
    accepted: bool,
    now: datetime.datetime,
    title: str = "",
) -> Submission:
    """Takes a submission in.

    Args:
        challenge: Which.
        vault: The organiser's.
        source: Predictions (a file, a folder, or a zip of it) or a notebook.
        phase: That it is for.
        team: Whose it is.
        accepted: Whether the phase's terms were.
        now: When it came, with a time zone.
        title: What the team calls it.

    Returns:
        What came. If it is not what the design asks for, nothing of it is kept but the reasons (``refused``), of which
        its evaluation makes a receipt; that costs no quota.

    Raises:
        InputError: The phase is not open, the team has no submission left, or the terms were not accepted.
    """
    team = clean_label(team, what="team")
    title = clean_label(title, what="title") if title else ""
    _require_open(challenge, vault, phase, now)
    if not accepted:
        raise InputError(
            "the terms of the phase are not accepted", where=phase.id, wanted=phase.terms,
            next_command="the same with --accept-terms",
        )  # fmt: skip
    with vault.alone():
        team = next((one.team for one in vault.submissions() if same_team(one.team, team)), team)  # as it was first
        if left(vault, phase=phase, team=team, now=now) == 0:
            raise InputError("no submission left", where=f"{team}, {phase.id}", wanted=quota_text(phase))
        return _keep(challenge, vault, source, phase=phase, team=team, title=title, now=now)


def _require_open(challenge: Challenge, vault: Vault, phase: Phase, now: datetime.datetime) -> None:
    if vault.ended is not None:
        raise InputError("the challenge was closed", where=challenge.slug, got=vault.ended)
    sealed = challenge.sealed
    if sealed is None or sealed.latest(phase.split) is None:
        command = f"braggbook challenge open {challenge.slug} --split {phase.split} --inputs DIR --truth DIR"
        raise InputError("the challenge was not opened", where=f"split {phase.split}", next_command=command)
    if not phase.opens <= now < phase.closes:
        state = "not open yet" if now < phase.opens else "closed"
        wanted = f"from {phase.opens.isoformat()} to before {phase.closes.isoformat()}"
        raise InputError(f"the phase is {state}", where=phase.id, wanted=wanted, got=now.isoformat(timespec="seconds"))


def _keep(
    challenge: Challenge, vault: Vault, source: Path, *, phase: Phase, team: str, title: str, now: datetime.datetime
) -> Submission:
    id = secrets.token_hex(_ID_BYTES)
    target = vault.submission_folder(id)
    part = target.with_name(f".{id}.part")
    kind: SubmissionKind = "notebook" if source.suffix == ".ipynb" else phase.kinds[0]
    files: dict[str, FileRecord] = {}
    refused: list[str] = []
    try:
        with storage(target):
            (part / RECEIVED).mkdir(parents=True)
        try:
            kind, files = take_in(challenge, source, part / RECEIVED, kinds=phase.kinds)
        except InputError as error:
            refused = [str(issue) for issue in error.issues] or [str(Issue(error.what, wanted=error.wanted))]
        made = Submission(
            id=id,
            challenge=challenge.slug,
            phase=phase.id,
            team=team,
            title=title,
            kind=kind,
            received=now.isoformat(timespec="milliseconds"),
            terms=sha256_bytes(phase.terms.encode()),
            files=files,
            refused=refused,
        )
        write_json(part / SUBMISSION_NAME, made.model_dump(mode="json"))
        with storage(target):
            sync_tree(part)
            os.rename(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return made


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
    until that is known.

    Args:
        vault: The organiser's.
        phase: Which.
        team: Whose.
        now: The time.
        told: Whether submissions count of which the vault does not know it yet, by their ids.
    """
    mine = [one for one in vault.submissions() if one.phase == phase.id and same_team(one.team, team)]
    counted = [one for one in mine if (told or {}).get(one.id, counts(vault.evaluations(one.id)))]
    quota, zone = phase.quota, phase.opens.tzinfo
    today = [one for one in counted if _day(one.received, zone) == now.astimezone(zone).date()]
    rest = [] if quota.total is None else [quota.total - len(counted)]
    rest += [] if quota.per_day is None else [quota.per_day - len(today)]
    return max(min(rest), 0) if rest else None


def quota_text(phase: Phase) -> str:
    """Returns what a phase allows, in words."""
    quota = phase.quota
    parts = [f"{quota.total} in all"] if quota.total else []
    parts += [f"{quota.per_day} a day ({phase.opens.tzname()})"] if quota.per_day else []
    return "at most " + ", ".join(parts) if parts else "any number"


def same_team(one: str, other: str) -> bool:
    """Whether two names are one team's, however they are typed."""
    return _folded(one) == _folded(other)


def waiting(vault: Vault) -> Sequence[Submission]:
    """Returns the submissions that were not evaluated, or whose last evaluation failed through our own fault."""
    found = []
    for one in vault.submissions():
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

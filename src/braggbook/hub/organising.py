"""What organisers do to a challenge, without HTTP: open it, close it, publish it, see how ranks moved."""

from __future__ import annotations

import datetime
import json
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from braggbook.challenges.closing import close
from braggbook.challenges.design import INPUTS, TRUTH, Challenge
from braggbook.challenges.sealing import open_split
from braggbook.challenges.seen import Change
from braggbook.challenges.submissions import waiting
from braggbook.datasets.catalogue import open_dataset
from braggbook.errors import BraggbookError, InputError, Issue
from braggbook.files import storage
from braggbook.formats.board import Board, Closed
from braggbook.formats.challenge import Phase, Split
from braggbook.formats.dataset import CARD_NAME
from braggbook.formats.submission import SealedSplit
from braggbook.hub import entries as entering
from braggbook.hub.desk import Desk
from braggbook.hub.errands import key_of
from braggbook.hub.store import boards, entries, jobs, people
from braggbook.hub.store.tables import Entry, Person
from braggbook.records.board_plan import BOARDS, read_closed
from braggbook.records.unpack import unpack

Part = Literal["inputs", "truth"]
PARTS: tuple[Part, Part] = (INPUTS, TRUTH)  # type: ignore[assignment]
_JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db")  # what systems put into a zip unasked
_BLOCK_BYTES = 1 << 20
_CLOSED_PARTS = (
    ("index.html", "the board of the last phase, as a page that opens from disk"),
    ("boards/", "the board of each phase, as a page and as JSON"),
    ("bias.html", "the design, block by block"),
    ("design/", "the challenge as it was: design, notebooks, public twin, seal, kernels"),
    ("submissions/", "what came in; of what never had a score only that it came"),
    ("evaluations/", "signed evaluations with the scores of each case, and the receipts that teams got"),
    ("software/, binder/", "Braggbook itself, and what Binder needs"),
)
_TRUTH_PARTS = (
    ("hidden/", "the hidden cases, their truth, and the salt of its hash"),
    ("runs/", "the scoring runs"),
)


def open_from_zips(
    desk: Desk, challenge: Challenge, split: Split, *, zips: Mapping[Part, IO[bytes]], because: str, by: Person
) -> SealedSplit:
    """Opens a split with two zips, each of a dataset's folder.

    Args:
        desk: The hub's.
        challenge: Which.
        split: Which cases these are.
        zips: Of inputs and truth.
        because: Why the truth before was wrong; only where there is one.
        by: Who does it.

    Raises:
        InputError: A zip is not safe or no dataset, or the cases do not fit the design. Each finding's ``where`` begins
            with ``inputs`` or ``truth`` where it is about one of them.
        StorageError: The disk refuses; nothing is opened then.
    """
    with _workplace(desk) as work:
        issues: list[Issue] = []
        for name in PARTS:
            issues += _unpacked(zips.get(name), name, work)
        if issues:
            raise InputError("hidden cases that cannot be used", where=split, issues=issues)
        try:
            made = open_split(
                challenge, desk.vault(challenge.slug), split, inputs=work / INPUTS, truth=work / TRUTH,
                now=desk.clock(), because=because,
            )  # fmt: skip
        except BraggbookError as error:
            raise _without(error, work, desk.vault(challenge.slug).folder) from None
    text = f"split {split}, version {made.version}, {made.cases} cases" + (f": {because}" if because else "")
    note(desk, by, "open", challenge.slug, text)
    return made


def field_of(issue: Issue) -> str:
    """Returns the part that a finding is about: inputs, truth, or "" for both together."""
    return next((name for name in PARTS if issue.where.startswith(name)), "")


@contextmanager
def _workplace(desk: Desk) -> Iterator[Path]:
    """Gives a folder below the spool, and removes it afterwards."""
    work = desk.config.spool / f"opening-{secrets.token_hex(8)}"
    with storage(work):
        work.mkdir(parents=True, mode=0o700)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _unpacked(stream: IO[bytes] | None, name: Part, work: Path) -> list[Issue]:
    """Unpacks a zip to ``work/name``; returns what is wrong with it."""
    if stream is None:
        return [Issue("no file was sent", name, wanted="a zip of the folder of a dataset")]
    archive, folder = work / f"{name}.zip", work / f"{name}-unpacked"
    with storage(archive), archive.open("wb") as out:
        shutil.copyfileobj(stream, out, _BLOCK_BYTES)
    try:
        unpack(archive, folder)
        _dataset_folder(folder).rename(work / name)
        open_dataset(work / name)
    except BraggbookError as error:
        told = _without(error, work)
        found = told.issues or (Issue(told.what, "", told.wanted, told.got),)
        return [Issue(one.what, f"{name}: {one.where}" if one.where else name, one.wanted, one.got) for one in found]
    finally:
        archive.unlink(missing_ok=True)
    return []


def _dataset_folder(folder: Path) -> Path:
    """Returns where the card lies: at the top, or in the one folder that is there."""
    if (folder / CARD_NAME).is_file():
        return folder
    inside = [path for path in folder.iterdir() if path.name not in _JUNK]
    if len(inside) == 1 and (inside[0] / CARD_NAME).is_file():
        return inside[0]
    there = ", ".join(sorted(path.name for path in inside)[:5]) or "nothing"
    raise InputError("no dataset in the zip", wanted=f"{CARD_NAME} at the top, or in its one folder", got=there)


def _without(error: BraggbookError, work: Path, vault: Path | None = None) -> InputError:
    """Returns an error that does not say where on this machine the files lay for a while, nor a command line."""
    places = [f"{re.escape(str(work))}/?"]
    if vault is not None:
        places += [rf"{re.escape(str(vault))}/hidden/\.[^/]+\.part/", re.escape(str(vault))]
    where_they_lay = re.compile("|".join(places))

    def clean(text: str) -> str:
        return where_they_lay.sub("", text).replace("-unpacked/", "/")

    issues = [Issue(one.what, clean(one.where), clean(one.wanted), clean(one.got)) for one in error.issues]
    return InputError(
        error.what, where=clean(error.where), wanted=clean(error.wanted), got=clean(error.got), issues=issues
    )  # fmt: skip


def rescore_phase(desk: Desk, challenge: Challenge, *, phase: str | None, by: Person, because: str) -> int:
    """Has a phase, or all of them, scored again; what the ranks were is kept. Returns how many submissions."""
    _keep_ranks(desk, challenge, because=because)
    return entering.rescore(desk, challenge, phase=phase, by=by, because=because)


def rescore_one(desk: Desk, challenge: Challenge, entry: Entry, *, by: Person, because: str) -> None:
    """Has one submission scored again; what the ranks were is kept.

    Raises:
        InputError: It is on its way, was withdrawn, or never came.
    """
    if entry.state in entries.MOVING or entry.state == "withdrawn" or not entry.kind:
        raise InputError("the submission cannot be scored again now", wanted="one that has ended", got=entry.state)
    _keep_ranks(desk, challenge, because=because)
    now = desk.clock()
    with desk.database.write() as session:
        fresh = entries.find_entry(session, entry.id)
        if fresh is None or fresh.state in entries.MOVING:
            raise InputError("the submission cannot be scored again now", wanted="one that has ended")
        entering.score_again(session, fresh, now=now, because=because)
        people.note_deed(session, person=by.id, what="rescore", about=entry.id, text=because, now=now)


@dataclass(frozen=True)
class Moved:
    """How the ranks of a phase moved since it was last scored again.

    Attributes:
        phase: Which.
        since: When that was asked for.
        because: Why.
        changes: Of every team whose rank is another one, or which stands with another submission.
        teams: How many there are.
    """

    phase: str
    since: datetime.datetime
    because: str
    changes: tuple[Change, ...]
    teams: int


def moved_since(desk: Desk, slug: str, current: Mapping[str, Board]) -> list[Moved]:
    """Compares boards with what they were when all was last scored again."""
    with desk.database.read() as session:
        text = people.kept(session, _ranks_key(slug))
    if text is None:
        return []
    kept = json.loads(text)
    since = datetime.datetime.fromisoformat(kept["since"])
    found = []
    for phase, before in kept["phases"].items():
        if phase not in current:
            continue
        after = {row.team: (row.rank, row.submission) for row in current[phase].rows}
        every = [_change(team, before.get(team), after.get(team)) for team in {**after, **before}]
        changes = tuple(one for one in every if one.moved or one.other_submission)
        found.append(Moved(phase, since, kept["because"], changes, len(every)))
    return found


def _change(team: str, before: list[Any] | None, after: tuple[float, str] | None) -> Change:
    other = before is not None and after is not None and before[1] != after[1]
    return Change(team, before[0] if before else None, after[0] if after else None, other)


def _keep_ranks(desk: Desk, challenge: Challenge, *, because: str) -> None:
    phases = {}
    with desk.database.read() as session:
        for phase in challenge.design.phases:
            if (made := boards.find_board(session, challenge.slug, phase.id)) is not None:
                rows = Board.model_validate_json(made.board).rows
                phases[phase.id] = {row.team: [row.rank, row.submission] for row in rows}
    kept = {"since": desk.clock().isoformat(), "because": because, "phases": phases}
    with desk.database.write() as session:
        people.keep(session, _ranks_key(challenge.slug), json.dumps(kept))


def _ranks_key(slug: str) -> str:
    return key_of("ranks", slug)


@dataclass(frozen=True)
class ClosePlan:
    """What closing a challenge would do, and what is in the way.

    Attributes:
        ended: When it was closed.
        closed: What the closed folder holds, once there is one.
        early: Phases that go on: closing now is early.
        obstacles: Why it cannot be closed now.
        truth: What becomes of it.
        counts: (what, how many) of what goes into the folder.
        parts: (file or folder, what it is) of the closed folder.
    """

    ended: str | None
    closed: Closed | None
    early: tuple[Phase, ...]
    obstacles: tuple[str, ...]
    truth: str
    counts: tuple[tuple[str, int], ...]
    parts: tuple[tuple[str, str], ...]

    @property
    def possible(self) -> bool:
        """Whether nothing is in the way."""
        return self.closed is None and not self.obstacles


def closed_folder(desk: Desk, slug: str) -> Path:
    """Returns where the closed folder of a challenge lies, or will.

    Raises:
        UnknownName: There is no such challenge.
    """
    return desk.settings.runs / BOARDS / desk.challenge(slug).slug


def plan_close(desk: Desk, challenge: Challenge) -> ClosePlan:
    """Returns what closing a challenge would do; nothing is changed."""
    vault, now = desk.vault(challenge.slug), desk.clock()
    folder = closed_folder(desk, challenge.slug)
    closed = read_closed(folder) if folder.is_dir() else None
    made, came, gone = vault.evaluations(), vault.submissions(), vault.withdrawals()
    last = {one.submission: one for one in made}
    obstacles = list(_obstacles(desk, challenge, [one.id for one in waiting(vault)]))
    changed = sum(one.design != challenge.digest for one in last.values())
    if changed:
        obstacles.append(
            f"submissions that were scored before the design was changed: {changed}; score all again first"
        )
    if not made:
        obstacles.append("there is no evaluation: nothing to close")
    truth = challenge.design.truth
    counts = (
        ("phases with a score", len({one.phase for one in made})), ("teams", len({one.team for one in came})),
        ("submissions", len(came)), ("of these withdrawn", len(gone)), ("evaluations", len(made)),
        ("scoring runs", len({one.scorer.run for one in made if one.scorer}) if truth == "published" else 0),
    )  # fmt: skip
    early = () if vault.ended else tuple(phase for phase in challenge.design.phases if now < phase.closes)
    parts = _CLOSED_PARTS + (_TRUTH_PARTS if truth == "published" else ())
    return ClosePlan(vault.ended, closed, early, tuple(obstacles), truth, counts, parts)


def _obstacles(desk: Desk, challenge: Challenge, waits: list[str]) -> Iterable[str]:
    with desk.database.read() as session:
        _, moving = entries.list_entries(session, challenge=challenge.slug, states=entries.MOVING, limit=0)
        _, ours = entries.list_entries(session, challenge=challenge.slug, states=("platform",), limit=0)
    if moving:
        yield f"submissions that arrive, wait or are being evaluated: {moving}; wait until they have ended"
    if ours:
        yield f"submissions that the hub could not evaluate by its own fault: {ours}; score again or withdraw them"
    if waits and not moving and not ours:
        yield f"submissions that wait for their score: {len(waits)}, {', '.join(waits[:5])}"


def close_challenge(desk: Desk, challenge: Challenge, *, early: bool, by: Person) -> Closed:
    """Closes a challenge, for good.

    Raises:
        InputError: A phase goes on and ``early`` is not said, or something is in the way.
        StorageError: The disk refuses; nothing is closed then.
    """
    plan = plan_close(desk, challenge)
    if plan.obstacles:
        raise InputError("the challenge cannot be closed yet", issues=[Issue(text) for text in plan.obstacles])
    target = closed_folder(desk, challenge.slug)
    vault, now = desk.vault(challenge.slug), desk.clock()
    closed = close(challenge, vault, target, settings=desk.settings, now=now, early=early)
    with desk.database.write() as session:
        for phase in closed.phases:
            jobs.add_board(session, challenge=challenge.slug, phase=phase, now=now)
    note(desk, by, "close", challenge.slug, "early" if plan.early else "")
    return closed


def note(desk: Desk, by: Person, what: str, about: str, text: str) -> None:
    """Notes what an organiser did."""
    with desk.database.write() as session:
        people.note_deed(session, person=by.id, what=what, about=about, text=text, now=desk.clock())

"""Publishing a closed challenge: a plan that is seen, a draft, a DOI; each a step of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from braggbook.errors import ArchiveError, InputError
from braggbook.formats.record import Deposit, PublishPlan
from braggbook.hub.desk import Desk
from braggbook.hub.errands import key_of
from braggbook.hub.organising import closed_folder, note
from braggbook.hub.store import people
from braggbook.hub.store.tables import Person
from braggbook.progress import Progress
from braggbook.records.archives import Shelf
from braggbook.records.board_plan import read_closed
from braggbook.records.deposit import Job, mint, push, read_deposit
from braggbook.records.plans import plan_what
from braggbook.records.receipt import keep_receipt
from braggbook.records.run_plan import Planned, place_of


@dataclass(frozen=True)
class ArchiveShown:
    """An archive that a closed challenge can go to.

    Attributes:
        name: As commands call it.
        title: As people do.
        why: Why it cannot be used here; "" if it can.
    """

    name: str
    title: str
    why: str = ""


_ARCHIVES = (
    ("folder", "The archive of this hub"), ("zenodo", "Zenodo"), ("zenodo_sandbox", "Zenodo’s sandbox, for trying"),
)  # fmt: skip


def archives(desk: Desk, environment: Mapping[str, str]) -> tuple[ArchiveShown, ...]:
    """Returns the archives, and why one cannot be used: only those whose token the hub was started with can."""
    shown = []
    for name, title in _ARCHIVES:
        try:
            Shelf(desk.settings.archive, environment).open(name, own=True)
        except InputError as error:
            shown.append(ArchiveShown(name, title, f"{error.what}; {error.next_command}"))
        else:
            shown.append(ArchiveShown(name, title))
    return tuple(shown)


@dataclass(frozen=True)
class Publication:
    """How far the publishing of a closed challenge is.

    Attributes:
        archive: Where to.
        plan: What would be sent, if it was planned.
        deposit: What was sent, if anything was.
    """

    archive: str
    plan: PublishPlan | None
    deposit: Deposit | None

    @property
    def step(self) -> Literal["plan", "push", "mint", "done"]:
        """What comes next; a draft of another plan is pushed again."""
        if self.deposit is not None and self.deposit.step == "checked":
            return "done"
        if self.plan is None:
            return "plan"
        sent = self.deposit is not None and self.deposit.plan == self.plan.digest
        return "mint" if sent and self.deposit and self.deposit.step not in ("begun", "drafted") else "push"


def publication(desk: Desk, slug: str, archive: str) -> Publication:
    """Returns how far the publishing of a closed challenge to an archive is."""
    with desk.database.read() as session:
        text = people.kept(session, _plan_key(slug, archive))
    plan = PublishPlan.model_validate_json(text) if text else None
    return Publication(archive, plan, read_deposit(place_of(desk.settings.runs / slug, archive)))


def plan_publication(desk: Desk, slug: str, archive: str) -> PublishPlan:
    """Plans to publish a closed challenge, and keeps the plan to be looked at; nothing is sent.

    Raises:
        InputError: It was not closed, or cannot be published as it is; all findings are listed.
    """
    planned, _ = _planned(desk, slug, archive)
    with desk.database.write() as session:
        people.keep(session, _plan_key(slug, archive), planned.plan.model_dump_json())
    return planned.plan


@dataclass(frozen=True)
class Order:
    """A step of publishing that an organiser asks for.

    Attributes:
        slug: Of the challenge.
        archive: Where to.
        digest: Of the plan that was seen.
        by: Who asks.
        environment: Where archives' tokens are.
    """

    slug: str
    archive: str
    digest: str
    by: Person
    environment: Mapping[str, str]


def push_publication(desk: Desk, order: Order, progress: Progress | None = None) -> Deposit:
    """Sends a closed challenge as a draft, which only the organiser can see.

    Raises:
        InputError: What would be sent is not what was seen.
        OutsideError: The archive refuses or does not answer; the same call goes on.
    """
    deposit = push(_job(desk, order), progress=progress)
    note(desk, order.by, "push", order.slug, f"to {order.archive}, plan {order.digest[:12]}")
    return deposit


def mint_publication(desk: Desk, order: Order, progress: Progress | None = None) -> Deposit:
    """Publishes the draft, for good, reads it back, and keeps how it is cited.

    Raises:
        InputError: What would be published is not what was seen, or was not sent.
        OutsideError: The archive refuses or does not answer; the same call goes on.
        HashMismatch: The archive has not what was sent.
    """
    job = _job(desk, order)
    deposit = mint(job, progress=progress)
    keep_receipt(job.plan, deposit, paths=job.paths, place=job.place)
    for path in job.paths.values():  # the archive has it
        path.unlink(missing_ok=True)
    note(desk, order.by, "publish", order.slug, f"{deposit.doi}, in {order.archive}")
    return deposit


def _job(desk: Desk, order: Order) -> Job:
    archive = Shelf(desk.settings.archive, order.environment).open(order.archive, own=True)
    planned, place = _planned(desk, order.slug, order.archive)
    if planned.plan.digest != order.digest:
        raise InputError(
            "what would be sent is not what you saw", wanted=f"the plan {order.digest[:12]}",
            got=f"the plan {planned.plan.digest[:12]}", next_command="plan it again, look at it, and go on then",
        )  # fmt: skip
    return Job(planned.plan, planned.paths, archive, place)


def _planned(desk: Desk, slug: str, archive: str) -> tuple[Planned, Path]:
    if archive not in {name for name, _ in _ARCHIVES}:
        raise ArchiveError("no such archive", got=archive, wanted=", ".join(name for name, _ in _ARCHIVES))
    folder = closed_folder(desk, slug)
    if not folder.is_dir():
        raise InputError("the challenge was not closed", where=slug)
    return plan_what(str(folder), settings=desk.settings, archive=archive)


def _plan_key(slug: str, archive: str) -> str:
    return key_of(f"plan-{archive}", slug)


def public_files(desk: Desk, slug: str) -> dict[str, Path]:
    """Returns every file of a closed challenge, all of them public, by its name in the folder.

    Raises:
        InputError: It was not closed.
    """
    folder = closed_folder(desk, slug)
    if not folder.is_dir():
        raise InputError("the challenge was not closed", where=slug)
    closed = read_closed(folder)
    return {name: folder / name for name in (*closed.files, "closed.json")}

"""``braggbook publish plan|push|mint``."""

from __future__ import annotations

import datetime
import io
import os
import select
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from braggbook.cli.face import Face, verb
from braggbook.cli.record_shown import deposit_lines, plain, plan_lines, spelled
from braggbook.errors import BraggbookError, InputError

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

    from braggbook.formats.record import Deposit, Kind
    from braggbook.records.archive import Archive
    from braggbook.records.deposit import Job
    from braggbook.records.run_plan import Planned

_PATIENCE_S = 2.0  # a title that is piped in is there by then: the plan was made meanwhile
_LONGEST_TITLE = 1 << 16
_BLOCK_BYTES = 1 << 20
_PUSHED = ("uploaded", "publishing")


class _InOrder(click.Group):
    """Lists its verbs in the order in which they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)


@click.group("publish", cls=_InOrder)
def group() -> None:
    """Give a run, a dataset, a sweep or a closed challenge a DOI, in three steps that can each be looked at."""


_what = click.argument("what")
_to = click.option(
    "--to",
    "archive",
    default="folder",
    show_default=True,
    metavar="ARCHIVE",
    help="folder, zenodo, zenodo_sandbox, the address of a server like Zenodo, or invenio+ and an address.",
)
_version = click.option("--new-version-of", metavar="DOI", help="Make it the next version of a record of yours.")


@dataclass(frozen=True)
class Order:
    """What a person asked for, so that it can be said again."""

    face: Face
    what: str
    archive: str
    version_of: str | None

    def command(self, step: str, *more: str) -> str:
        """Returns a command of the same order, to be pasted into a shell."""
        words = ["publish", step, self.what, "--to", self.archive]
        words += ["--new-version-of", self.version_of] if self.version_of else []
        return spelled(self.face, *words, *more)

    @contextmanager
    def understood(self) -> Iterator[None]:
        """Lets the next command of an error be this order's own: who sends a plan knows no options."""
        try:
            yield
        except BraggbookError as error:
            for step in ("plan", "push", "mint"):
                if error.next_command.startswith(f"braggbook publish {step} "):
                    again = replace(self, version_of=error.where) if "--new-version" in error.next_command else self
                    error.next_command = again.command(step)
            raise


@group.command("plan", short_help="Show exactly what would be sent.")
@_what
@_to
@_version
@verb
def plan_command(face: Face, what: str, archive: str, new_version_of: str | None) -> None:
    """Show exactly what would be sent of WHAT, and send nothing.

    WHAT is a run (its id, the beginning of its id, or its folder), a dataset (SLUG or SLUG@VERSION), a sweep (its id or
    its folder), or a closed challenge (its slug or its folder).
    """
    from braggbook.records.deposit import read_deposit  # noqa: PLC0415 - help need not wait for it

    order = Order(face, what, archive, new_version_of)
    _open(order)  # what is no archive is said before anything is planned
    planned, place = _planned(order)
    plan, members = planned.plan, _members(planned)
    deposit = read_deposit(place)
    sent = deposit is not None and deposit.plan == plan.digest
    step = "mint" if deposit is not None and sent and deposit.step in _PUSHED else "push"
    done = deposit is not None and sent and deposit.step in ("published", "checked")
    command = _use(order, deposit, kind=plan.kind) if deposit is not None and done else order.command(step)
    data = {
        **plan.model_dump(mode="json"),
        "digest": plan.digest,
        "to": archive,
        "members": members,
        "paths": {name: str(path) for name, path in planned.paths.items()},
        "deposit": deposit.model_dump(mode="json") if deposit else None,
        "next": command,
    }
    lines = [*plan_lines(plan, archive=archive, members=members)]
    lines += [Text("\nsent before"), *deposit_lines(deposit)] if deposit is not None and sent else []
    face.emit(data, *lines, Text(f"next: {command}"))


@group.command("push", short_help="Send it as a draft that only you can see.")
@_what
@_to
@_version
@verb
def push_command(face: Face, what: str, archive: str, new_version_of: str | None) -> None:
    """Send WHAT to an archive as a draft, which only you can see.

    The same command after a crash goes on where it stopped, and sends no file that has arrived. The token of an archive
    is read from the environment: BRAGGBOOK_ZENODO_TOKEN, BRAGGBOOK_ZENODO_SANDBOX_TOKEN, and for an address
    BRAGGBOOK_ARCHIVE_TOKEN.
    """
    from braggbook.records.deposit import push  # noqa: PLC0415 - help need not wait for it

    order = Order(face, what, archive, new_version_of)
    job = _job(order)
    with order.understood():
        deposit = push(job, progress=face.bar)
    _emit(
        face, deposit, _use(order, deposit, kind=job.plan.kind) if deposit.step == "checked" else order.command("mint")
    )


@group.command("mint", short_help="Publish the draft, for good.")
@_what
@_to
@_version
@click.option("--yes", is_flag=True, help="Publish without asking for the title.")
@verb
def mint_command(face: Face, what: str, archive: str, new_version_of: str | None, yes: bool) -> None:
    """Publish the draft of WHAT, for good: a DOI cannot be taken back.

    It shows the plan once more and asks for the title to be typed. Afterwards every file is downloaded again and
    compared byte by byte, and the receipt is kept beside the runs.
    """
    from braggbook.records.deposit import mint, read_deposit  # noqa: PLC0415 - help need not wait for it

    order = Order(face, what, archive, new_version_of)
    job = _job(order)
    deposit = read_deposit(job.place)
    pushed = deposit is not None and deposit.plan == job.plan.digest and deposit.step in _PUSHED
    if pushed and not yes:
        confirm(order, job)
    with order.understood():
        deposit = mint(job, progress=face.bar)
    written = keep(job, deposit)
    _emit(face, deposit, _use(order, deposit, kind=job.plan.kind), receipt=written)


def _planned(order: Order) -> tuple[Planned, Path]:
    from braggbook.records.plans import plan_what  # noqa: PLC0415 - help need not wait for it

    settings = order.face.settings
    with order.understood():
        _require_free(order)
        return plan_what(order.what, settings=settings, archive=order.archive, version_of=order.version_of)


def _require_free(order: Order) -> None:
    """Refuses a scoring run that holds a truth which is not to be seen."""
    from braggbook.records.plans import find_what  # noqa: PLC0415 - help need not wait for it

    settings = order.face.settings
    kind, folder = find_what(order.what, settings=settings)
    if kind == "run" and folder.resolve().is_relative_to(settings.vault.resolve()):
        from braggbook.challenges.closing import require_free  # noqa: PLC0415 - other runs need no challenges

        require_free(folder, settings=settings, now=datetime.datetime.now(datetime.UTC))


def _open(order: Order, *, own: bool = False) -> Archive:
    from braggbook.records.archives import Shelf  # noqa: PLC0415 - help need not wait for it

    return Shelf(order.face.settings.archive, os.environ).open(order.archive, own=own)


def _job(order: Order) -> Job:
    """Returns what is to be sent; the archive is looked for first, since planning may take a while."""
    from braggbook.records.deposit import Job  # noqa: PLC0415 - help need not wait for it

    archive = _open(order, own=True)
    planned, place = _planned(order)
    return Job(planned.plan, planned.paths, archive, place)


def _members(planned: Planned) -> dict[str, list[dict[str, Any]]]:
    """Returns what is in each zip of a plan, for that is what a person wants to see."""
    import zipfile  # noqa: PLC0415 - help need not wait for it

    found: dict[str, list[dict[str, Any]]] = {}
    for name, path in planned.paths.items():
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as zipped:
                found[name] = [_member(zipped, entry) for entry in zipped.infolist()]
    return found


def _member(zipped: ZipFile, entry: ZipInfo) -> dict[str, Any]:
    digest = sha256()
    with zipped.open(entry) as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return {"name": entry.filename, "bytes": entry.file_size, "sha256": digest.hexdigest()}


def keep(job: Job, deposit: Deposit) -> list[Path]:
    """Keeps how it is cited beside the deposit, and no longer what was sent: the archive has it."""
    from braggbook.records.receipt import keep_receipt  # noqa: PLC0415 - help need not wait for it

    written = keep_receipt(job.plan, deposit, paths=job.paths, place=job.place)
    for path in job.paths.values():
        path.unlink(missing_ok=True)
    return written


def confirm(order: Order, job: Job) -> None:
    """Asks for the title to be typed: what cannot be undone must not be done in passing.

    Raises:
        InputError: Something else was typed, or there is nobody to type.
    """
    title = job.plan.metadata.title
    for line in plan_lines(job.plan, archive=order.archive, members={}):
        order.face.talk.print(line)
    typed = _typed("\nThis cannot be undone. Type the title to publish it")
    if typed is None:
        wanted = "a terminal to type it in, or --yes"
        command = order.command("mint", "--yes")
        raise InputError("the title must be typed", wanted=wanted, got="no terminal", next_command=command)
    if _same(typed) != _same(title):
        command = order.command("mint")
        raise InputError(
            "not published: that is not the title", wanted=plain(title), got=plain(typed), next_command=command
        )


def _same(text: str) -> str:
    """Returns a text as titles are compared: however it was typed or pasted."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _typed(question: str) -> str | None:
    """Returns the line that a person types, or that is piped in; None when nobody says anything."""
    if sys.stdin is None or sys.stdin.closed:
        return None
    if sys.stdin.isatty():
        return str(click.prompt(question, err=True, default="", show_default=False))
    try:
        handle = sys.stdin.fileno()
    except (io.UnsupportedOperation, OSError):
        return sys.stdin.readline() or None
    ready, _, _ = select.select([handle], [], [], _PATIENCE_S)
    said = os.read(handle, _LONGEST_TITLE).decode(errors="replace") if ready else ""
    return said.partition("\n")[0] or None


def _emit(face: Face, deposit: Deposit, command: str, *, receipt: Sequence[Path] = ()) -> None:
    face.emit(
        {**deposit.model_dump(mode="json"), "receipt": [str(path) for path in receipt], "next": command},
        *deposit_lines(deposit),
        *(Text(f"kept: {path}") for path in receipt),
        Text(f"next: {command}"),
    )


def _use(order: Order, deposit: Deposit, *, kind: Kind) -> str:
    """Returns how a record is used; one of another server is known by its address, for its DOI may be a test's."""
    from braggbook.records.archives import NAMES  # noqa: PLC0415 - help need not wait for it

    words = ("dataset", "add") if kind == "dataset" else ("verify",)
    known = order.archive in NAMES
    return spelled(order.face, *words, str((deposit.doi if known else deposit.url) or deposit.doi))


COMMANDS: dict[str, click.Command] = {"publish": group}

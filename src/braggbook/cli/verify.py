"""``braggbook verify``."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from braggbook.cli.board_shown import board_lines
from braggbook.cli.face import Face, verb
from braggbook.cli.publish import Order, confirm
from braggbook.cli.record_shown import deposit_lines, grid, plain, spelled
from braggbook.cli.run import with_limits
from braggbook.errors import InputError
from braggbook.formats.board import CLOSED_NAME

if TYPE_CHECKING:
    from braggbook.challenges.verify import BoardVerification
    from braggbook.records.receive import Received
    from braggbook.runs.verify import Verification

EXIT_CODES = {"identical": 0, "within tolerance": 0, "drifted": 1, "not verifiable": 3}
_STYLES = {
    "identical": "bold green",
    "within tolerance": "green",
    "drifted": "bold red",
    "not verifiable": "bold yellow",
}


@dataclass(frozen=True)
class _Signed:
    """That a verdict shall be published, where, and by whom."""

    creators: list[dict[str, Any]]
    archive: str
    yes: bool

    def words(self) -> tuple[str, ...]:
        """Returns it as options of the command line."""
        options = {"name": "--creator", "orcid": "--orcid", "affiliation": "--affiliation"}
        people = [(option, one[key]) for one in self.creators for key, option in options.items() if key in one]
        return ("--publish", "--to", self.archive, *(word for pair in people for word in pair))


@click.command("verify")
@click.argument("run")
@click.option("--row", metavar="TEAM", help="Of a board: repeat this team's row alone.")
@click.option("--cell-timeout", type=click.FloatRange(1), metavar="SECONDS", help="Stop a cell that takes longer.")
@click.option("--memory-limit", type=click.IntRange(64), metavar="MB", help="Memory that the kernel may take.")
@click.option("--publish", is_flag=True, help="Publish the verdict as a record that relates to the one verified.")
@click.option("--creator", "creators", multiple=True, metavar="'FAMILY, GIVEN'", help="Who verified it; repeatable.")
@click.option("--orcid", "orcids", multiple=True, metavar="ORCID", help="Theirs, in the same order.")
@click.option("--affiliation", "affiliations", multiple=True, metavar="NAME", help="Theirs, in the same order.")
@click.option("--to", "archive", default="folder", show_default=True, metavar="ARCHIVE", help="Where the verdict goes.")
@click.option("--yes", is_flag=True, help="Publish the verdict without asking for its title.")
@verb
def command(
    face: Face,
    run: str,
    row: str | None,
    cell_timeout: float | None,
    memory_limit: int | None,
    publish: bool,
    creators: tuple[str, ...],
    orcids: tuple[str, ...],
    affiliations: tuple[str, ...],
    archive: str,
    yes: bool,
) -> None:
    """Repeat RUN from its record alone, and compare.

    RUN is an id, its beginning, or a folder. Or it is a record: its DOI, the address of its page or of its zip, or
    its zip. It is then downloaded (once), and a kernel is made from its lock where none here fits. It is somebody
    else's code, which runs with your rights: what runs, and whose it is, is said first.

    Of a closed challenge (a record, or its folder) the board is made again from the signed evaluations, and every row
    is scored again; notebooks of teams run in the sandbox.

    Verdicts: identical, within tolerance (exit code 0), drifted (1), not verifiable (3).
    """
    from braggbook.records.archives import Shelf  # noqa: PLC0415 - help need not wait for it
    from braggbook.records.receive import is_record  # noqa: PLC0415 - the same
    from braggbook.records.reproduction import creators_given  # noqa: PLC0415 - the same
    from braggbook.runs.folder import find_run  # noqa: PLC0415 - the same
    from braggbook.runs.verify import verify  # noqa: PLC0415 - the same

    face = dataclasses.replace(face, settings=with_limits(face.settings, cell_timeout, memory_limit))
    signed = None
    if (creators or orcids or affiliations or yes) and not publish:
        raise InputError("nothing to sign", wanted="--publish with --creator, --orcid, --affiliation and --yes")
    if publish:
        signed = _Signed(creators_given(creators, orcids, affiliations), archive, yes)
        Shelf(face.settings.archive, os.environ).open(archive, own=True)  # before anything takes long
    found: Verification | BoardVerification
    if is_record(run):
        found, more = _verify_record(face, run, row, signed)
    elif (Path(run) / CLOSED_NAME).is_file() and not publish:
        found, more = _verify_board(face, Path(run), row), {}
    elif publish:
        wanted = "a record in an archive, by its DOI or the address of its page"
        raise InputError("a verdict on nothing that others could find", wanted=wanted, got=run)
    else:
        _require_no_row(row, run)
        found, more = verify(find_run(run, runs=face.settings.runs), settings=face.settings, progress=face.bar), {}
    face.emit({**found.as_json(), **more}, *(shown(found) if signed is None else []))
    if code := EXIT_CODES[found.verdict]:
        raise click.exceptions.Exit(code)


def _require_no_row(row: str | None, what: str) -> None:
    if row is not None:
        raise InputError("only a board has rows", where=what, wanted="a closed challenge: its record or its folder")


def _verify_board(face: Face, folder: Path, row: str | None) -> BoardVerification:
    from braggbook.challenges.verify import verify_closed  # noqa: PLC0415 - help need not wait for it

    settings, bar = face.settings, face.bar
    return verify_closed(
        folder, settings=settings, row=row, vault=settings.vault, progress=bar, say=lambda text: face.say(plain(text))
    )


def _verify_record(
    face: Face, what: str, row: str | None, signed: _Signed | None
) -> tuple[Verification | BoardVerification, dict[str, Any]]:
    from braggbook.records.archives import Shelf  # noqa: PLC0415 - help need not wait for it
    from braggbook.records.receive import receive  # noqa: PLC0415 - the same
    from braggbook.records.repeat import verify_received  # noqa: PLC0415 - the same
    from braggbook.records.reproduction import require_related  # noqa: PLC0415 - the same

    settings = face.settings
    shelf = Shelf(settings.archive, os.environ)
    received = receive(what, shelf=shelf, cache=settings.cache, progress=face.bar)
    if signed:
        require_related(received)
    if received.kind == "board":
        return _verify_received_board(face, received, row, signed), {"record": _about(received)}
    _require_no_row(row, what)
    found = verify_received(received, settings=settings, progress=face.bar, say=lambda text: face.say(plain(text)))
    more: dict[str, Any] = {"record": _about(received)}
    if signed:
        if not face.json:
            face.emit(None, *shown(found))
        more["reproduction"] = _publish(face, found, received, signed, what)
    return found, more


def _verify_received_board(
    face: Face, received: Received, row: str | None, signed: _Signed | None
) -> BoardVerification:
    from braggbook.records.board_plan import read_closed  # noqa: PLC0415 - help need not wait for it
    from braggbook.records.repeat import told  # noqa: PLC0415 - the same

    if signed:
        wanted = "the verdict on a run, a sweep or a dataset"
        raise InputError("verdicts on boards cannot be published", where=received.name, wanted=wanted)
    face.say(plain(told(received)))
    found = _verify_board(face, received.folder, row)
    made_for, lies_in = read_closed(received.folder).doi, received.record.doi if received.record else None
    if made_for and lies_in and made_for != lies_in:
        found.notes.append(f"the board was made for {made_for}, and lies in {lies_in}")
    found.notes[:0] = received.notes
    return found


def _publish(face: Face, found: Verification, received: Received, signed: _Signed, what: str) -> dict[str, Any] | None:
    """Publishes a verdict; the same command after a crash goes on."""
    from braggbook.records.archives import Shelf  # noqa: PLC0415 - help need not wait for it
    from braggbook.records.deposit import Job, mint, push  # noqa: PLC0415 - the same
    from braggbook.records.receipt import keep_receipt  # noqa: PLC0415 - the same
    from braggbook.records.reproduction import plan_reproduction  # noqa: PLC0415 - the same
    from braggbook.records.run_plan import software_identifier  # noqa: PLC0415 - the same

    if found.verdict == "not verifiable":
        face.say("not published: nothing was compared")
        return None
    archive = Shelf(face.settings.archive, os.environ).open(signed.archive, own=True)
    software = software_identifier(face.settings.project / "CITATION.cff")
    planned, place = plan_reproduction(
        found, received, creators=signed.creators, settings=face.settings, archive=signed.archive, software=software
    )
    job = Job(planned.plan, planned.paths, archive, place)
    pushed = push(job, progress=face.bar)
    if not signed.yes and pushed.step not in ("published", "checked"):
        confirm(_Order(face, what, signed.archive, None, signed.words()), job)
    deposit = mint(job, progress=face.bar)
    keep_receipt(job.plan, deposit, paths=job.paths, place=job.place)
    if not face.json:
        face.emit(None, Text(""), *deposit_lines(deposit))
    return deposit.model_dump(mode="json")


@dataclass(frozen=True)
class _Order(Order):
    """What a person asked for, so that it can be said again."""

    words: tuple[str, ...] = ()

    def command(self, step: str, *more: str) -> str:  # noqa: ARG002 - as publish asks for it
        """Returns the command that goes on."""
        return spelled(self.face, "verify", self.what, *self.words, *more)


def _about(received: Received) -> dict[str, Any]:
    """Returns where a record came from, for ``--json``."""
    record = received.record
    return {
        "kind": received.kind,
        "doi": record.doi if record else None,
        "concept_doi": record.concept_doi if record else None,
        "version": record.version if record else None,
        "title": record.title if record else None,
        "url": record.url if record else None,
        "zip": received.zip.name,
        "sha256": received.sha256,
        "folder": str(received.folder),
    }


def shown(found: Verification | BoardVerification) -> list[Any]:
    """Returns a verification for a terminal: the table, what differs, the verdict."""
    from braggbook.runs.verify import Verification  # noqa: PLC0415 - help need not wait for it

    return [*(_run_lines(found) if isinstance(found, Verification) else board_lines(found)), _verdict(found)]


def _run_lines(found: Verification) -> list[Any]:
    lines: list[Any] = []
    if found.rows:
        rows = [
            (
                row.name,
                row.expected,
                row.actual,
                row.tolerance,
                _mark(row.same, row.identical),
                f"{row.where} {row.difference}".strip(),
            )
            for row in found.rows
        ]
        lines += [grid("result", "record", "repeated", "tolerance", "", "difference", rows=rows), ""]
    lines += [f"file  {plain(issue)}" for issue in found.files]
    lines += [f"note  {plain(note)}" for note in found.notes]
    return [Text(line) if isinstance(line, str) else line for line in lines]


def _verdict(found: Verification | BoardVerification) -> Text:
    reason = "\n".join(plain(line) for line in found.reason.split("\n"))
    return Text(found.verdict + (f": {reason}" if reason else ""), style=_STYLES[found.verdict])


def _mark(same: bool, identical: bool) -> str:
    return "identical" if identical else "within" if same else "drifted"


COMMANDS = {"verify": command}

"""``braggbook archive list|show|serve``, and what ``list record`` and ``show record`` are made of."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import click
from rich.text import Text

from braggbook.cli.face import Face, verb
from braggbook.cli.record_shown import STEPS, grid, record_lines, spelled

if TYPE_CHECKING:
    from braggbook.formats.record import Deposit
    from braggbook.records.archive import Archive, Record
    from braggbook.records.serve import ArchiveServer

_TOKEN = "BRAGGBOOK_ARCHIVE_TOKEN"  # noqa: S105 - the name of a variable
TITLES = ("record", "state", "archive", "title", "published", "made of")
_OF_DATASET = re.compile(r"-[0-9]{1,9}\.zip$")  # slug-version.zip; that of a run or a sweep ends with its id
_ALL = 1_000_000  # more records than a folder archive will have


@click.group("archive")
def group() -> None:
    """Look into an archive of records, or serve one on this machine."""


_in = click.option(
    "--in",
    "archive",
    metavar="ARCHIVE",
    help="folder, zenodo, zenodo_sandbox, the address of a server like Zenodo, or invenio+ and an address.",
)


@group.command("list", short_help="Search published records.")
@click.argument("text", default="")
@_in
@click.option("--most", type=click.IntRange(1, 100), default=25, show_default=True, help="How many to show.")
@verb
def list_command(face: Face, text: str, archive: str | None, most: int) -> None:
    """List published records that have all words of TEXT; without TEXT, all of them.

    They are looked for in titles, descriptions, keywords and the names of creators, in the folder archive unless --in
    names another. Of several versions the latest is listed.
    """
    found = _open(face, archive or "folder").search(text, most=most)
    rows = [(record.doi, record.published, record.version, record.title) for record in found]
    lines = [grid("record", "published", "version", "title", rows=rows)] if rows else [Text("no such record here")]
    if found:
        lines += [
            "",
            Text(f"next: {spelled(face, 'archive', 'show', found[0].doi, *(['--in', archive] if archive else []))}"),
        ]
    face.emit([_json(record) for record in found], *lines)


@group.command("show", short_help="Show one published record.")
@click.argument("doi")
@_in
@click.option("--latest", is_flag=True, help="Its newest version instead.")
@verb
def show_command(face: Face, doi: str, archive: str | None, latest: bool) -> None:
    """Show one published record: what it is, its files, where its page lies, and how to repeat it.

    DOI is the identifier of a version or of all versions together, or the address of the record's page; with --in, also
    the archive's own number for it.
    """
    data, lines = shown(face, doi, archive=archive, latest=latest)
    face.emit(data, *lines)


@group.command("serve", short_help="Serve the folder archive here.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Port; 0 is any free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="An address of this machine that only it reaches.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Keep what is sent to it there; else it is gone when the server ends.",
)
@verb
def serve_command(face: Face, port: int, host: str, keep: Path | None) -> None:
    """Serve the folder archive on this machine, for demonstrations, until ctrl-C.

    The server speaks Zenodo's deposit API and InvenioRDM's records API, as the real ones do. It shows what is published
    in the folder archive, and takes deposits under the token that it prints. These are not put into the folder archive,
    and no identifier of it is registered anywhere.
    """
    with ExitStack() as stack:
        kept = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="braggbook-archive-")))
        token, server = _served(face, kept, host=host, port=port)
        stack.callback(server.stop)
        try:
            _announce(face, server, token=token, keep=keep)
            server.wait()
        except KeyboardInterrupt:
            face.say("stopped")


def _served(face: Face, kept: Path, *, host: str, port: int) -> tuple[str, ArchiveServer]:
    """Starts the server, and returns the token that may write."""
    import secrets  # noqa: PLC0415 - help need not wait for it

    from braggbook.records.serve import Account, check_host  # noqa: PLC0415 - the same
    from braggbook.records.serve.demonstration import serve_demonstration  # noqa: PLC0415 - the same

    check_host(host)
    token = os.environ.get(_TOKEN, "").strip() or secrets.token_urlsafe(24)
    tokens = {token: Account()}
    return token, serve_demonstration(face.settings.archive, kept=kept, tokens=tokens, host=host, port=port)


def _announce(face: Face, server: ArchiveServer, *, token: str, keep: Path | None) -> None:
    given = token == os.environ.get(_TOKEN, "").strip()
    export = f"export {_TOKEN}={'...  # as it is now' if given else token}"
    push = spelled(face, "publish", "push", "RUN", "--to", server.url)
    data = {
        "url": server.url,
        "token": None if given else token,
        "folder": str(face.settings.archive),
        "keep": str(keep) if keep else None,
        "next": push,
    }
    where = f"in {keep}" if keep else "until it ends"
    face.emit(
        data,
        Text(server.url, style="bold"),
        Text(f"shows {face.settings.archive}, and keeps what is sent to it {where}"),
        Text("a demonstration: nothing here is registered, and only this machine reaches it; ctrl-C ends it"),
        Text(f"\nin another terminal:\n  {export}\n  {push}"),
        Text(f"  {spelled(face, 'publish', 'push', 'RUN', '--to', f'invenio+{server.url}')}   (InvenioRDM's API)"),
    )
    face.out.file.flush()


def deposits(runs: Path) -> Iterator[tuple[Path, Deposit]]:
    """Yields the deposits beside the runs, and where each lies; what cannot be read as one is left out."""
    from braggbook.errors import RecordError  # noqa: PLC0415 - help need not wait for it
    from braggbook.records.deposit import DEPOSIT, read_deposit  # noqa: PLC0415 - the same
    from braggbook.records.run_plan import RECORDS  # noqa: PLC0415 - the same

    for path in sorted((runs / RECORDS).glob(f"*/*/{DEPOSIT}")):
        try:
            deposit = read_deposit(path.parent)
        except RecordError:
            continue
        if deposit is not None:
            yield path.parent, deposit


def list_records(face: Face) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Returns the deposits beside the runs, and the records of the folder archive that none of them made."""
    folder = _open(face, "folder")
    known = {record.doi: record for record in folder.search("", most=_ALL)}
    rows = []
    for place, deposit in deposits(face.settings.runs):
        record = known.pop(deposit.doi or "", None)
        rows.append(
            {
                "record": deposit.doi or deposit.id or "",
                "state": STEPS[deposit.step],
                "archive": deposit.archive,
                "title": record.title if record else "",
                "published": deposit.published or "",
                "made_of": place.parent.name,
                "url": deposit.url or "",
            }
        )
    for record in known.values():
        about = {"record": record.doi, "state": "published", "archive": folder.name, "title": record.title}
        rows.append({**about, "published": record.published, "made_of": "", "url": record.url})
    return rows, TITLES


def show_record(face: Face, name: str) -> tuple[Any, list[Any]]:
    """Returns a record by its identifier, or what became of a run or dataset by its own, as JSON and as lines."""
    from braggbook.records.folder.report import REPORT  # noqa: PLC0415 - help need not wait for it
    from braggbook.records.receipt import BIBTEX, CITATION  # noqa: PLC0415 - the same

    found = [(place, one) for place, one in deposits(face.settings.runs) if place.parent.name.startswith(name)]
    if not name or not found:
        return shown(face, name)
    data: list[dict[str, Any]] = []
    lines: list[Any] = []
    for place, deposit in found:
        receipt = [str(path) for name in (BIBTEX, CITATION, REPORT) if (path := place / name).is_file()]
        data.append({**deposit.model_dump(mode="json"), "made_of": place.parent.name, "receipt": receipt})
        facts = [
            ("made of", place.parent.name), ("archive", deposit.archive), ("state", STEPS[deposit.step]),
            ("DOI", deposit.doi), ("all versions", deposit.concept_doi), ("published", deposit.published),
            ("page", deposit.url), ("plan", deposit.plan), *(("receipt", path) for path in receipt),
        ]  # fmt: skip
        lines += [grid("", "", rows=[(fact, value) for fact, value in facts if value]), ""]
    return data, lines


def shown(face: Face, doi: str, *, archive: str | None = None, latest: bool = False) -> tuple[Any, list[Any]]:
    """Returns a published record as JSON and as lines.

    Args:
        face: Of this call.
        doi: Its DOI or address; in a named archive also the number there.
        archive: As a person names it; the one that the DOI says when there is none.
        latest: Its newest version instead.
    """
    from braggbook.records.archives import Shelf  # noqa: PLC0415 - help need not wait for it

    if archive is None:
        opened, name = Shelf(face.settings.archive, os.environ).of(doi)
    else:
        opened, name = _open(face, archive), doi
    record = opened.record(name, latest=latest)
    zipped = [file for file in record.files if file.name.endswith(".zip")]
    known = record.doi if archive is None or archive == "folder" else record.url or record.doi
    repeatable = len(zipped) == 1 and not _OF_DATASET.search(zipped[0].name)
    command = spelled(face, *(("verify",) if repeatable else ("dataset", "add")), known)
    data = {**_json(record), "archive": opened.name, "next": command}
    lines = [*record_lines(record, archive=opened.name)]
    if opened.name == "folder":
        page = Path(unquote(urlsplit(record.url).path))
        data |= {"page": str(page)}
        lines.append(Text(f"its page, which any browser opens: {page}"))
    return data, [*lines, Text(f"next: {command}")]


def _open(face: Face, archive: str) -> Archive:
    from braggbook.records.archives import Shelf  # noqa: PLC0415 - help need not wait for it

    return Shelf(face.settings.archive, os.environ).open(archive)


def _json(record: Record) -> dict[str, Any]:
    return {**asdict(record), "files": [asdict(file) for file in record.files]}


COMMANDS: dict[str, click.Command] = {"archive": group}

"""A backup brought back: all of it, or nothing.

Everything is unpacked and looked through beside the vault first. Then the challenges and the vault are put where they
belong, and at last the rows come in one transaction; whatever fails before its end, the rest is taken back.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from pydantic import ValidationError

from braggbook.errors import InputError, StorageError
from braggbook.files import storage, sync_tree
from braggbook.formats.common import SLUG
from braggbook.formats.hub_backup import BACKUP_FORMAT, BACKUP_NAME, ROWS_NAME, BackupCard
from braggbook.hub.desk import Desk
from braggbook.hub.operations.backup import CHALLENGES, VAULT
from braggbook.hub.store.dump import load
from braggbook.hub.store.older import Row, brought_up, is_known

_BLOCK_BYTES = 1 << 20
_ONLY_ME = 0o700
_LONGEST_CARD = 1 << 16


def restore(desk: Desk, source: Path) -> BackupCard:
    """Brings a backup back, into an empty database and an empty vault; returns its card.

    Challenges that the project has stay as they are.

    Raises:
        InputError: It is no backup, or is damaged, or of a later Braggbook; or there is something that it would
            overwrite. Nothing is changed then.
        StorageError: The disk or the database refuses. Nothing is changed then.
    """
    vault = desk.settings.vault
    _require_empty(vault)
    with storage(vault):
        vault.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(dir=vault.parent, prefix=f".{vault.name}.", suffix=".part"))
    try:
        card = _unpack(source, place)
        rows = brought_up(_rows(place / ROWS_NAME, card, source), revision=card.revision, place=place)
        with ExitStack() as undo:
            _bring_challenges(place / CHALLENGES, desk.settings.project / CHALLENGES, undo)
            _bring_vault(place / VAULT, vault, undo)
            load(desk.database, rows)
            undo.pop_all()
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return card


def _require_empty(vault: Path) -> None:
    if vault.exists() and (not vault.is_dir() or any(vault.iterdir())):
        raise InputError(
            "the vault is not empty", where=str(vault), wanted="a new one",
            next_command="BRAGGBOOK_VAULT=FOLDER braggbook hub restore ...",
        )  # fmt: skip


def _unpack(source: Path, place: Path) -> BackupCard:
    try:
        with gzip.open(source) as packed, tarfile.open(fileobj=packed, mode="r|") as archive:
            archive.extractall(place, filter=_ours)  # noqa: S202 - the filter lets nothing else through
            while packed.read(_BLOCK_BYTES):
                pass  # to the end, where the checksum is
    except (gzip.BadGzipFile, tarfile.TarError, zlib.error, EOFError, ValueError) as error:
        raise InputError("not a backup of a hub, or a damaged one", where=str(source), got=str(error)) from None
    except OSError as error:
        raise StorageError(
            "the backup cannot be unpacked", where=str(error.filename or place), got=error.strerror or str(error),
            next_command=f"df -h {place.parent}",
        ) from error  # fmt: skip
    return _card(place / BACKUP_NAME, source)


def _ours(info: tarfile.TarInfo, place: str) -> tarfile.TarInfo:
    """Lets files and folders of a backup through, and nothing else."""
    top, _, rest = info.name.partition("/")
    known = info.name in (BACKUP_NAME, ROWS_NAME) or (
        top in (VAULT, CHALLENGES) and SLUG.fullmatch(rest.partition("/")[0])
    )
    if not known or not (info.isfile() or info.isdir()):
        raise InputError("something that is not of a backup of a hub", got=info.name[:200])
    checked = tarfile.data_filter(info, place)
    return checked.replace(mode=_ONLY_ME) if info.isdir() and top == VAULT else checked


def _card(path: Path, source: Path) -> BackupCard:
    try:
        text = path.read_bytes()[:_LONGEST_CARD]
        card = BackupCard.model_validate_json(text)
    except (OSError, ValidationError):
        said = "a card that cannot be read" if path.is_file() else "no card"
        raise InputError("not a backup of a hub", where=str(source), wanted=BACKUP_FORMAT, got=said) from None
    if not is_known(card.revision):
        raise InputError(
            "a backup of a later Braggbook", where=str(source), wanted="a schema that is known here",
            got=f"schema {card.revision} of Braggbook {card.braggbook}", next_command="pip install --upgrade braggbook",
        )  # fmt: skip
    return card


def _rows(path: Path, card: BackupCard, source: Path) -> Iterator[Row]:
    """Gives the rows; fewer or more than the card says are none of ours."""
    count = 0
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                table, row = json.loads(line)
                count += 1
                yield str(table), dict(row)
    except (OSError, ValueError, TypeError) as error:
        raise InputError("rows that cannot be read", where=str(source), got=str(error)[:200]) from None
    if count != card.rows:
        raise InputError("rows are missing", where=str(source), wanted=str(card.rows), got=str(count))


def _bring_vault(source: Path, vault: Path, undo: ExitStack) -> None:
    if not source.is_dir():
        return
    with storage(vault):
        os.chmod(source, _ONLY_ME)
        sync_tree(source)
        _require_empty(vault)
        os.rename(source, vault)  # over an empty folder too
    undo.callback(_take_back, vault)


def _bring_challenges(source: Path, target: Path, undo: ExitStack) -> None:
    for folder in sorted(source.iterdir()) if source.is_dir() else ():
        if (target / folder.name).exists():
            continue
        with storage(target):
            target.mkdir(exist_ok=True)
            undo.callback(_take_back, target / folder.name)
            shutil.copytree(folder, target / folder.name)


def _take_back(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)

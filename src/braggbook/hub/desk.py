"""What the pages, the API and the workers share."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from braggbook.challenges.design import Challenge, challenge_folders, open_challenge
from braggbook.challenges.vault import Vault, open_vault
from braggbook.errors import BraggbookError, unknown_name
from braggbook.formats.common import CHALLENGE_NAME
from braggbook.formats.submission import SEALED_NAME
from braggbook.hub.config import HubConfig
from braggbook.hub.store.database import Database
from braggbook.settings import Settings

Clock = Callable[[], datetime.datetime]
_Stamp = tuple[int, ...]
_LONGEST_SHOWN = 100  # characters of a name that is none


@dataclass
class Desk:
    """One hub.

    Attributes:
        settings: Where challenges, vaults, datasets and runs are.
        config: What its organiser has set.
        database: Its own.
        clock: Gives the time, with a zone.
    """

    settings: Settings
    config: HubConfig
    database: Database
    clock: Clock = field(default=lambda: datetime.datetime.now(datetime.UTC))
    _opened: dict[str, tuple[_Stamp, Challenge]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def challenge(self, slug: str) -> Challenge:
        """Returns a challenge; it is read again only when its files have changed.

        Raises:
            UnknownName: There is none of this name.
            InputError: Its design is not usable.
        """
        folder = challenge_folders(self.settings.project).get(slug)
        if folder is None:
            raise unknown_name("challenge", slug[:_LONGEST_SHOWN], ())
        stamp = _stamp(folder)
        with self._lock:
            known = self._opened.get(slug)
        if known is not None and stamp and known[0] == stamp:
            return known[1]
        found = open_challenge(folder)
        with self._lock:
            self._opened[slug] = (stamp, found)
        return found

    def challenges(self) -> list[Challenge | BraggbookError]:
        """Returns all challenges by name, and for those that cannot be read what is wrong with them."""
        found: list[Challenge | BraggbookError] = []
        parent = self.settings.project / "challenges"
        for path in sorted(parent.glob(f"*/{CHALLENGE_NAME}")):
            try:
                found.append(self.challenge(path.parent.name))
            except BraggbookError as error:
                found.append(error)
        return found

    def vault(self, slug: str) -> Vault:
        """Returns the vault of a challenge."""
        return open_vault(slug, settings=self.settings)


def _stamp(folder: Path) -> _Stamp:
    """Returns what changes when the public part of a challenge does."""
    try:
        paths = [folder / CHALLENGE_NAME, *sorted(folder.glob("*.ipynb"))]
        sealed = folder / SEALED_NAME
        return tuple(path.stat().st_mtime_ns for path in [*paths, *([sealed] if sealed.exists() else [])])
    except OSError:
        return ()

"""Work of the hub itself that takes longer than a page may: closing a challenge, sending it to an archive.

It is done in a thread, one piece for each challenge at a time, and every page can say how far it is. All of this work
can be repeated, so that nothing is lost when the hub ends meanwhile: it says so then, and the same button goes on.
"""

from __future__ import annotations

import datetime
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from braggbook.errors import BraggbookError, InternalError
from braggbook.files import sha256_bytes
from braggbook.hub.desk import Desk
from braggbook.hub.store import people
from braggbook.progress import Progress

_LONGEST_KEY = 64  # of the database's column
State = Literal["going on", "done", "failed", "interrupted"]
Work = Callable[[Progress], object]
log = logging.getLogger(__name__)


class Errand(BaseModel):
    """A piece of work, as it was last heard of.

    Attributes:
        kind: What is done: close, plan, push, mint.
        by: The name of who asked for it.
        title, done, total, note: How far it is.
        error: Why it failed, as the API says errors.
    """

    model_config = ConfigDict(extra="ignore")

    kind: str
    by: str
    state: State
    began: datetime.datetime
    ended: datetime.datetime | None = None
    title: str = ""
    done: int = 0
    total: int = 0
    note: str = ""
    error: dict[str, Any] | None = None


def key_of(kind: str, slug: str) -> str:
    """Returns under which name the hub keeps something of a challenge."""
    key = f"{kind}:{slug}"
    return key if len(key) <= _LONGEST_KEY else f"{kind}:{sha256_bytes(slug.encode())[:32]}"


@dataclass
class Errands:
    """The work that goes on in this process, by challenge."""

    desk: Desk
    _going: dict[str, _Going] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def begin(self, slug: str, kind: str, *, by: str, work: Work) -> bool:
        """Begins work on a challenge; False, and nothing is begun, if some goes on.

        Args:
            slug: Of the challenge.
            kind: What is done.
            by: Who asks for it.
            work: Does it, tells a progress how far it is, and raises what is wrong.
        """
        errand = Errand(kind=kind, by=by, state="going on", began=self.desk.clock())
        with self._lock:
            if slug in self._going:
                return False
            going = self._going[slug] = _Going(errand)
        try:
            self._keep(slug, errand)
            thread = threading.Thread(target=self._do, args=(slug, going, work), name=f"{kind} {slug}", daemon=True)
            going.thread = thread
            thread.start()
        except BaseException:
            self._forget(slug)
            raise
        return True

    def look(self, slug: str) -> Errand | None:
        """Returns the work on a challenge that goes on, or was the last one; None if there never was any."""
        with self._lock:
            going = self._going.get(slug)
            if going is not None:
                return going.errand.model_copy()
        with self.desk.database.read() as session:
            text = people.kept(session, key_of("errand", slug))
        try:
            found = Errand.model_validate_json(text) if text else None
        except ValidationError:  # of another version
            return None
        if found is not None and found.state == "going on":
            return found.model_copy(update={"state": "interrupted"})
        return found

    def wait(self, slug: str, *, timeout_s: float) -> Errand | None:
        """Waits until the work on a challenge has ended."""
        with self._lock:
            going = self._going.get(slug)
        if going is not None and going.thread is not None:
            going.thread.join(timeout_s)
        return self.look(slug)

    def _do(self, slug: str, going: _Going, work: Work) -> None:
        state: State = "done"
        error: BraggbookError | None = None
        try:
            work(going)
        except BraggbookError as found:
            state, error = "failed", found
        except Exception:
            log.exception("an errand went wrong", extra={"challenge": slug, "errand": going.errand.kind})
            state, error = "failed", InternalError("a fault in the hub itself", wanted="the log says more")
        told = {name: value for name, value in error.as_json().items() if name != "exit_code"} if error else None
        ended = going.errand.model_copy(update={"state": state, "ended": self.desk.clock(), "error": told})
        try:
            self._keep(slug, ended)
        except BraggbookError:
            log.exception("how an errand ended could not be kept", extra={"challenge": slug})
        finally:
            self._forget(slug)

    def _keep(self, slug: str, errand: Errand) -> None:
        with self.desk.database.write() as session:
            people.keep(session, key_of("errand", slug), errand.model_dump_json())

    def _forget(self, slug: str) -> None:
        with self._lock:
            self._going.pop(slug, None)


@dataclass
class _Going:
    """Work that goes on; a progress (:class:`braggbook.progress.Progress`) that only remembers."""

    errand: Errand
    thread: threading.Thread | None = None

    def start(self, title: str, total: int) -> None:
        """Says what begins."""
        self.errand = self.errand.model_copy(update={"title": title, "total": total, "done": 0, "note": ""})

    def step(self, done: int, note: str = "") -> None:
        """Says how far it is."""
        self.errand = self.errand.model_copy(update={"done": done, "note": note})

    def stop(self) -> None:
        """Says nothing: what comes next will."""

"""Workers as children of the hub: started, started again when they die, ended with it."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

_PR_SET_PDEATHSIG = 1
_PARENT = "BRAGGBOOK_HUB_PROCESS"  # the hub's number, told to its workers
_LOOK_S = 1.0  # between looks for the hub, where the system does not say that it has ended
log = logging.getLogger(__name__)


@dataclass
class Supervisor:
    """Keeps some workers alive.

    Attributes:
        command: That starts one.
        count: How many.
        environment: Of theirs.
        soon_s, latest_s: Before a worker is started again: twice as long each time that it did not live well.
        well_s: A worker that lived so long did not die of its start.
        grace_s: That all of them have to end by themselves.
    """

    command: Sequence[str]
    count: int
    environment: Mapping[str, str]
    soon_s: float = 0.5
    latest_s: float = 30.0
    well_s: float = 60.0
    grace_s: float = 10.0
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _children: set[subprocess.Popen[bytes]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Starts them."""
        for number in range(self.count):
            thread = threading.Thread(target=self._keep, name=f"worker {number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Ends them; what they were at is taken up by others, or when they are started again."""
        with self._lock:  # from here on none is started
            self._stop.set()
            children = list(self._children)
        for child in children:
            child.terminate()
        ends = time.monotonic() + self.grace_s
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))
        for child in children:
            _kill(child)
        for thread in self._threads:
            thread.join()

    def _keep(self) -> None:
        pause_s = self.soon_s
        while not self._stop.is_set():
            began = time.monotonic()
            said = self._one_life()
            if self._stop.is_set():
                return
            if time.monotonic() - began > self.well_s:
                pause_s = self.soon_s
            log.warning("a worker ended; another is started", extra={"said": said, "in_s": pause_s})
            self._stop.wait(pause_s)
            pause_s = min(pause_s * 2, self.latest_s)

    def _one_life(self) -> str:
        """Starts a worker and waits for its end; returns how it ended."""
        try:
            child = self._start_one()
        except OSError as error:
            return f"it cannot be started: {error}"
        if child is None:
            return ""
        code = child.wait()
        self._children.discard(child)
        return f"exit code {code}" if code >= 0 else f"signal {-code}"

    def _start_one(self) -> subprocess.Popen[bytes] | None:
        """Starts a worker; None once they are being stopped."""
        with self._lock:
            if self._stop.is_set():
                return None
            # a session of its own, so that ctrl-C in a terminal interrupts the hub and no participant's notebook
            child = subprocess.Popen(
                self.command,
                env={**self.environment, _PARENT: str(os.getpid())},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._children.add(child)
            return child


def _kill(child: subprocess.Popen[bytes]) -> None:
    """Ends a worker that does not end by itself, with all that it has started."""
    if child.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def end_with_parent() -> None:
    """Has this process end when the hub that started it does, also when that is killed."""
    if (parent := os.environ.pop(_PARENT, None)) is None:
        return
    if sys.platform == "linux":
        # the signal comes when the thread ends that started this process: it lasts as long as this process
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(int(parent),), daemon=True).start()
    if str(os.getppid()) != parent:
        sys.exit("the hub that started this worker has ended")


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os.kill(os.getpid(), signal.SIGTERM)

"""Before a stranger's code runs: a program of our own tries to break out, and nothing runs if it succeeds.

Baits lie outside: a server, a datagram socket, an abstract socket, files with a secret, a process with a token. Whether
one was reached is asked of both sides. The test runs once in a process.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from braggbook.errors import Issue, KernelUnavailable
from braggbook.runs.sandbox.entry import landlock_version
from braggbook.runs.sandbox.places import environment_places
from braggbook.runs.sandbox.session import Ending, best_meter, run_inside
from braggbook.runs.sandbox.usage import Meter
from braggbook.runs.sandbox.walls import DEVICES, UNLISTED, WRITABLE, Limits, Walls, bubblewrap, python

_PROBE = "/braggbook/probe.py"
_NAMESPACES = ("net", "pid", "ipc", "uts", "mnt")  # a cgroup's is not to be had everywhere, and shows nothing here
_READ_ONLY = ("/", "/usr", "/usr/lib", "/etc", "/proc", "/proc/sys/kernel/hostname", "/dev", "/braggbook")
# mounts that may be written to, as far as a user may at all
_OF_THE_KERNEL = ("/proc", "/dev/console", "/dev/mqueue", *(f"/dev/{name}" for name in DEVICES))
_LIMITS = Limits(wall_s=30, cpu_s=20, memory_mb=192, processes=24, work_mb=8, file_mb=4, open_files=64)
_BEFORE_LAST = "processes"  # the attempt before the one that a watchdog ends with everything
_SHORT_S = 0.2  # of wall clock, for the attempt to stay
_STAYS = "import os, sys, time\nif not os.fork():\n    os.setsid()\n    os.fork()\ntime.sleep(600)"


@dataclass(frozen=True)
class Attempt:
    """One attempt to reach what must not be reached.

    Attributes:
        held: Whether the walls held.
        why: What they answered, or what was reached.
    """

    held: bool
    why: str


@dataclass(frozen=True)
class SelfTest:
    """What came of all attempts.

    Attributes:
        attempts: By name.
        layers: Which walls stood.
        seconds: How long it took.
    """

    attempts: dict[str, Attempt]
    layers: tuple[str, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether all were held."""
        return all(attempt.held for attempt in self.attempts.values())

    @property
    def issues(self) -> tuple[Issue, ...]:
        """What was reached."""
        return tuple(Issue(name, got=one.why) for name, one in self.attempts.items() if not one.held)


def self_test(walls: Walls | None = None, *, meter: Callable[[Limits], Meter] = best_meter) -> SelfTest:
    """Starts the program that tries to break out.

    Args:
        walls: To be tested; what is in them and their limits are the test's own.
        meter: Makes what counts and bounds the memory.

    Raises:
        KernelUnavailable: The walls do not stand.
    """
    began = time.monotonic()
    bubblewrap()  # where there is none, the baits cannot be laid either
    probe = Path(str(files("braggbook.runs.sandbox").joinpath("probe.py")))
    readable = environment_places(Path(python())) | {_PROBE: probe}
    tested = replace(walls or Walls(), readable=readable, variables={"LANG": "C.UTF-8"}, limits=_LIMITS, unlisted=True)
    with _baits() as (told, reached):
        told |= {
            "variables": [*tested.variables, "PWD", "LC_CTYPE"],  # the shell's and Python's own
            "readonly": [*_READ_ONLY, *readable], "writable": WRITABLE,
            "mounts": [*WRITABLE, UNLISTED, *_OF_THE_KERNEL], "unlisted": UNLISTED,
            "limits": {**vars(_LIMITS), "address_mb": _LIMITS.address_mb},
        }  # fmt: skip
        said: list[bytes] = []
        command = [python(), "-I", "-S", _PROBE, json.dumps(told)]
        ending = run_inside(tested, command, receive=said.append, meter=meter(_LIMITS))
        attempts = _read(b"".join(said), ending)
        for name in reached():
            attempts[name] = Attempt(held=False, why="it arrived outside")
    attempts |= _stays(tested, meter(_LIMITS))
    return SelfTest(attempts, ending.layers, round(time.monotonic() - began, 3))


@cache
def require_walls(test: Callable[[], SelfTest] = self_test) -> SelfTest:
    """Tests the walls, once in a process.

    Args:
        test: Makes the attempts.

    Raises:
        KernelUnavailable: They do not stand, or something was reached; nothing of a stranger's may run here.
    """
    found = test()
    if not found.ok:
        raise KernelUnavailable(
            "the sandbox does not hold on this machine, and refuses to run a stranger's code",
            issues=found.issues,
            next_command="see docs/explain/sandbox.md",
        )
    return found


def _read(said: bytes, ending: Ending) -> dict[str, Attempt]:
    attempts = {}
    for line in said.splitlines():
        name, held, why = json.loads(line)
        attempts[name] = Attempt(held, why)
    if ending.landlock != landlock_version():
        attempts["the second wall"] = Attempt(held=False, why="this kernel has Landlock, and it is not used inside")
    elif not ending.landlock:  # named among the layers, and no fault: the first wall stands alone
        attempts.pop("the second wall", None)
    if ending.cause == "memory" and _BEFORE_LAST in attempts:
        attempts["memory"] = Attempt(held=True, why="all was ended")
    elif ending.cause != "ended" or ending.code != 0:
        why = f"{ending.cause}, exit code {ending.code}: {ending.stderr.strip()[-200:]}"
        attempts["the test itself"] = Attempt(held=False, why=why)
    return attempts


def _stays(walls: Walls, meter: Meter) -> dict[str, Attempt]:
    """Tries to stay: beyond the wall clock, and as a process that has left its parents."""
    mark = f"braggbook-stays-{secrets.token_hex(8)}"
    short = replace(walls, limits=replace(_LIMITS, wall_s=_SHORT_S))
    ending = run_inside(short, [python(), "-I", "-S", "-c", _STAYS, mark], receive=lambda data: None, meter=meter)
    left = _with_mark(mark)
    for pid in left:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    return {
        "wall clock": Attempt(ending.cause == "wall clock", ending.cause),
        "processes left behind": Attempt(not left, f"{len(left)} left" if left else "none"),
    }


def _with_mark(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


@contextmanager
def _baits() -> Iterator[tuple[dict[str, Any], Callable[[], list[str]]]]:
    """Lays the baits; gives where they lie, and a function that says which were reached."""
    token, mark = secrets.token_hex(16), f"braggbook-bait-{secrets.token_hex(8)}"
    with ExitStack() as stack:
        sockets = {
            "tcp": stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM)),
            "udp": stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
            "abstract socket": stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)),
        }
        abstract = secrets.token_hex(16)
        for name, bait in sockets.items():
            bait.bind("\0" + abstract if name == "abstract socket" else ("127.0.0.1", 0))
            bait.setblocking(False)
            if name != "udp":
                bait.listen()
        secret = [stack.enter_context(tempfile.NamedTemporaryFile("w", dir=place)) for place in _hiding_places()]
        for file in secret:
            os.fchmod(file.fileno(), 0o644)  # so that only the walls keep it
            file.write(token)
            file.flush()
        process = subprocess.Popen(
            [python(), "-I", "-S", "-c", "import time; time.sleep(600)", mark], env={"TOKEN": token}
        )
        stack.callback(process.wait)
        stack.callback(process.kill)
        told = {
            "tcp": sockets["tcp"].getsockname()[1], "udp": sockets["udp"].getsockname()[1], "abstract": abstract,
            "files": [file.name for file in secret], "token": token, "mark": [mark[:9], mark[9:]], "pid": process.pid,
            "namespaces": {name: str(Path(f"/proc/self/ns/{name}").readlink()) for name in _NAMESPACES},
        }  # fmt: skip
        yield told, lambda: [name for name, bait in sockets.items() if _arrived(bait, name)]


def _hiding_places() -> list[str]:
    places = [tempfile.gettempdir(), str(Path.home())]
    return [place for place in dict.fromkeys(places) if os.access(place, os.W_OK)]


def _arrived(bait: socket.socket, name: str) -> bool:
    with suppress(OSError):
        if name == "udp":
            bait.recv(16)
        else:
            bait.accept()[0].close()
        return True
    return False

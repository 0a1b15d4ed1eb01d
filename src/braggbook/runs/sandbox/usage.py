"""What the processes inside have used, counted from outside by looking at each of them.

A watchdog of this kind is needed where no control group can be made (:mod:`braggbook.runs.sandbox.groups`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

MIB = 1 << 20
_KIB = 1 << 10
_INODE_BYTES = 1024  # what the kernel takes for a file of a tmpfs, however small: an inode and a name in its cache
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_MEMORY = ("RssAnon", "RssShmem", "VmSwap")  # of /proc/PID/status, proc(5); pages of files are everybody's
_SHARED_OUT = ("Pss_Anon", "Pss_Shmem", "SwapPss")  # of /proc/PID/smaps_rollup: a page of n processes counts 1/n


@dataclass(frozen=True)
class Used:
    """What was used.

    Attributes:
        wall_s: Seconds from the start to the end.
        cpu_s: Seconds of processor time of all processes together.
        memory_mb: The most memory that all had together, files in the writable folders included, in MiB.
        processes: The most processes and threads that were seen at a time.
    """

    wall_s: float = 0.0
    cpu_s: float = 0.0
    memory_mb: int = 0
    processes: int = 0


class Meter(Protocol):
    """Counts, from outside, what everything inside has used.

    Attributes:
        name: What is counted and bounded, for people.
        every_s: Seconds between two looks.
    """

    name: str
    every_s: float

    def add(self, pid: int) -> None:
        """Counts a process, and all that come of it."""

    def read(self) -> Used:
        """Returns what was used up to now; ``wall_s`` is 0."""

    def out_of_memory(self) -> bool:
        """Returns whether too much memory was, or is, in use."""

    def remove(self) -> None:
        """Ends the counting; to be called when no process is left."""


class Watchdog:
    """Sums up what ``/proc`` says of every process below a first one.

    It does not see memory that the kernel holds for processes (full sockets and pipes): a control group does.

    Args:
        memory_mb: What all may have together.
        places: Writable folders inside, whose files are memory too.
        size_mb: The size of each; what has another one is not yet there.
    """

    name = "watchdog (memory)"
    every_s = 0.1

    def __init__(self, *, memory_mb: int, places: tuple[str, ...], size_mb: int) -> None:
        self._limit, self._places, self._size = memory_mb * MIB, places, size_mb * MIB
        self._roots: list[int] = []
        self._peak, self._cpu_s, self._most = 0, 0.0, 0
        self._over = False

    def add(self, pid: int) -> None:
        """Counts a process, and all that come of it."""
        self._roots.append(pid)

    def read(self) -> Used:
        """Looks at every process."""
        found = list(_below(self._roots))
        self._cpu_s = max(self._cpu_s, sum(process.cpu_s for process in found))
        self._most = max(self._most, sum(process.threads for process in found))
        pids = [process.pid for process in found]
        files = _file_bytes(pids, self._places, size=self._size)
        memory = files + sum(_kibibytes(pid, "status", _MEMORY) for pid in pids) * _KIB
        if memory > self._limit:  # forked processes share pages, which the first sum counts for each of them
            memory = files + sum(_shared_out(pid) for pid in pids) * _KIB
        self._peak = max(self._peak, memory)
        self._over |= memory > self._limit
        return Used(0.0, self._cpu_s, self._peak // MIB, self._most)

    def out_of_memory(self) -> bool:
        """Returns whether, at any look, too much memory was in use."""
        return self._over

    def remove(self) -> None:
        """Nothing is left of it."""


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    cpu_s: float
    threads: int


def _below(roots: list[int]) -> Iterator[_Process]:
    """Gives some processes and all their descendants; who loses its parent goes to the first process inside."""
    children: dict[int, list[_Process]] = {}
    known = {}
    for process in _processes():
        known[process.pid] = process
        children.setdefault(process.parent, []).append(process)
    waiting = [known[pid] for pid in roots if pid in known]
    seen: set[int] = set()
    while waiting:
        process = waiting.pop()
        if process.pid not in seen:
            seen.add(process.pid)
            yield process
            waiting += children.get(process.pid, [])


def _processes() -> Iterator[_Process]:
    for name in os.listdir("/proc"):  # noqa: PTH208 - names are wanted, ten times a second
        if not name.isdecimal():
            continue
        with suppress(OSError, ValueError, IndexError):  # it has ended
            text = Path(f"/proc/{name}/stat").read_bytes()
            fields = text[text.rindex(b")") + 2 :].split()  # a process may have ") " in its name
            ticks = sum(map(int, fields[11:15]))  # its own and its ended children's, in user and system mode
            yield _Process(int(name), int(fields[1]), ticks * _TICK_S, int(fields[17]))


def _kibibytes(pid: int, name: str, fields: tuple[str, ...]) -> int:
    with suppress(OSError, ValueError):
        lines = Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace").splitlines()
        return sum(int(line.split()[1]) for line in lines if line.split(":")[0] in fields)
    return 0


def _shared_out(pid: int) -> int:
    return _kibibytes(pid, "smaps_rollup", _SHARED_OUT) or _kibibytes(pid, "status", _MEMORY)


def _file_bytes(pids: list[int], places: tuple[str, ...], *, size: int) -> int:
    """Returns how much memory the files in the writable folders take, as a process inside sees them."""
    most = 0
    for pid in pids:
        with suppress(OSError):
            states = [os.statvfs(f"/proc/{pid}/root{place}") for place in places]
            ours = [state for state in states if state.f_blocks * state.f_frsize == size]
            blocks = sum((state.f_blocks - state.f_bfree) * state.f_frsize for state in ours)
            most = max(most, blocks + sum(state.f_files - state.f_ffree for state in ours) * _INODE_BYTES)
            if len(ours) == len(places):
                break
    return most

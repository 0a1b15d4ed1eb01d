"""Control groups: the kernel's own count and bound of everything that a set of processes uses (Linux, cgroups(7)).

Found at run time: version 1 has a folder for each controller, version 2 one for all. A group is made below the group
that this process is in, or, where that may have none (version 2 allows no processes in inner groups), beside it.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from braggbook.runs.sandbox.usage import MIB, Used

_MARK = "braggbook"
_PERIOD_US = 100_000  # in which a group's share of the processors is given out
_LEAST_US = 1000  # the smallest share of a period that the kernel takes
_OWN = 2  # bubblewrap's own processes, which are in the group too
_GONE_S = 5.0  # for the last process of a group to be gone
_NEEDED_1 = ("memory", "pids", "cpuacct")


@dataclass(frozen=True)
class _Names:
    """The memory controller's files in one version."""

    limit: str
    now: str
    peak: str
    events: str
    swap: str
    swap_is_extra: bool  # the file bounds swap alone, and not memory and swap together


_V1 = _Names("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control",
             "memory.memsw.limit_in_bytes", swap_is_extra=False)  # fmt: skip
_V2 = _Names("memory.max", "memory.current", "memory.peak", "memory.events", "memory.swap.max", swap_is_extra=True)


class Group:
    """A control group of one run's own, which bounds memory, processes and processors of all in it together.

    Args:
        version: 1 or 2.
        folders: Its new folder for each controller; one and the same in version 2.
        memory_mb, processes, cpus: The bounds; ``cpus`` may be a part of one.

    Raises:
        OSError: A bound cannot be set.
    """

    every_s = 0.25

    def __init__(self, version: int, folders: dict[str, Path], *, memory_mb: int, processes: int, cpus: float) -> None:
        self._folders, self._version, self._names = folders, version, _V1 if version == 1 else _V2
        self._peak, self._most = 0, 0
        held = ["memory", "processes"]
        self._write("memory", self._names.limit, memory_mb * MIB)
        with suppress(OSError):  # a kernel that does not count swap, or a machine without
            self._write("memory", self._names.swap, 0 if self._names.swap_is_extra else memory_mb * MIB)
        self._write("pids", "pids.max", processes + _OWN)
        with suppress(OSError, KeyError):
            self._share(max(_LEAST_US, round(cpus * _PERIOD_US)))
            held.append("processors")
        self.name = f"control group v{version} ({', '.join(held)})"

    def add(self, pid: int) -> None:
        """Puts a process into the group."""
        for folder in set(self._folders.values()):
            (folder / "cgroup.procs").write_text(str(pid), encoding="ascii")

    def read(self) -> Used:
        """Reads the group's counters."""
        for name in (self._names.now, self._names.peak):
            with suppress(OSError, ValueError):
                self._peak = max(self._peak, int(self._read("memory", name)))
        with suppress(OSError, ValueError):
            self._most = max(self._most, int(self._read("pids", "pids.current")))
        return Used(0.0, self._cpu_s(), self._peak // MIB, self._most)

    def out_of_memory(self) -> bool:
        """Returns whether the kernel has ended a process of the group for want of memory."""
        with suppress(OSError, ValueError):
            return int(_table(self._read("memory", self._names.events)).get("oom_kill", 0)) > 0
        return False

    def remove(self) -> None:
        """Removes the group once its last process is gone."""
        end = time.monotonic() + _GONE_S
        for folder in set(self._folders.values()):
            while not _removed(folder) and time.monotonic() < end:
                time.sleep(0.01)

    def _share(self, quota_us: int) -> None:
        if self._version == 2:
            self._write("cpu", "cpu.max", f"{quota_us} {_PERIOD_US}")
        else:
            self._write("cpu", "cpu.cfs_period_us", _PERIOD_US)
            self._write("cpu", "cpu.cfs_quota_us", quota_us)

    def _cpu_s(self) -> float:
        with suppress(OSError, ValueError, KeyError):
            if self._version == 2:
                return int(_table(self._read("cpu", "cpu.stat"))["usage_usec"]) / 1e6
            return int(self._read("cpuacct", "cpuacct.usage")) / 1e9
        return 0.0

    def _read(self, controller: str, name: str) -> str:
        return (self._folders[controller] / name).read_text(encoding="ascii")

    def _write(self, controller: str, name: str, value: object) -> None:
        path = self._folders[controller] / name
        with path.open("r+", encoding="ascii") as stream:  # a file that is not there must not be made
            stream.write(str(value))


def _table(text: str) -> dict[str, str]:
    return {line.split()[0]: line.split()[-1] for line in text.splitlines() if line}


def _removed(folder: Path) -> bool:
    with suppress(OSError):
        folder.rmdir()
    return not folder.is_dir()


def make_group(
    *, memory_mb: int, processes: int, cpus: float, proc: Path = Path("/proc/self"), root: Path = Path("/")
) -> Group | None:
    """Makes a control group, of whichever version can be had.

    Args:
        memory_mb, processes, cpus: Its bounds.
        proc: Where the kernel tells about this process.
        root: What the places that it tells begin with.

    Returns:
        The group; None where none can be made.
    """
    for version, folders in _candidates(proc, root):
        made: list[Path] = []
        try:
            for folder in sorted(set(folders.values())):
                _sweep(folder.parent)
                folder.mkdir()
                made.append(folder)
            return Group(version, folders, memory_mb=memory_mb, processes=processes, cpus=cpus)
        except OSError:
            for folder in made:
                _removed(folder)
    return None


def _sweep(parent: Path) -> None:
    """Removes groups whose maker was killed; one that still holds a process cannot be removed."""
    for folder in parent.glob(f"{_MARK}-*-*"):
        if not Path(f"/proc/{folder.name.split('-')[1]}").exists():
            _removed(folder)


def _candidates(proc: Path, root: Path) -> Iterator[tuple[int, dict[str, Path]]]:
    name = f"{_MARK}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        groups = [line.split(":", 2) for line in (proc / "cgroup").read_text(encoding="utf-8").splitlines()]
        mounts = list(_mounts((proc / "mountinfo").read_text(encoding="utf-8"), root))
    except (OSError, ValueError):
        return
    ours = {controller: path for _, names, path in groups for controller in names.split(",")}
    first = {}
    for controller in (*_NEEDED_1, "cpu"):
        for mount in mounts:
            if mount.version == 1 and controller in mount.controllers and controller in ours:
                first[controller] = mount.folder(ours[controller]) / name
    if all(controller in first for controller in _NEEDED_1):
        yield 1, first
    for mount in mounts:
        if mount.version == 2 and "" in ours:
            own = mount.folder(ours[""])
            for parent in (own, *own.parents):
                if parent.is_relative_to(mount.place):
                    _enable(parent)
                    yield 2, dict.fromkeys(("memory", "pids", "cpu"), parent / name)


def _enable(parent: Path) -> None:
    """Hands controllers on to a group's children; refused where it has processes of its own, or is not ours."""
    for controller in ("memory", "pids", "cpu"):
        with suppress(OSError), (parent / "cgroup.subtree_control").open("r+", encoding="ascii") as stream:
            stream.write(f"+{controller}")


@dataclass(frozen=True)
class _Mount:
    version: int
    place: Path
    shown: str  # the part of the hierarchy that is mounted there
    controllers: frozenset[str]

    def folder(self, group: str) -> Path:
        """Returns where a group lies."""
        inner = group[len(self.shown) :] if self.shown != "/" and group.startswith(self.shown) else group
        return self.place / inner.strip("/")


def _mounts(text: str, root: Path) -> Iterator[_Mount]:
    """Reads /proc/PID/mountinfo, proc(5): ... ROOT PLACE OPTIONS [MORE] - TYPE SOURCE SUPER_OPTIONS."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            shown, place = before.split()[3:5]
            yield _Mount(2 if kind == "cgroup2" else 1, root / place.lstrip("/"), shown, frozenset(options.split(",")))

"""The walls around a stranger's code: what bubblewrap shows of this machine, and what it may use.

Nothing of the machine is there but what is listed: an interpreter and inputs to read, one folder of a stated size to
write to. All namespaces are new (no network, no other process, no host's name), there are no capabilities, the
environment is empty but for what is given, :mod:`braggbook.runs.sandbox.seccomp` filters the system calls, and where
the kernel has Landlock, it holds all this a second time.

Limits bind a real user, and not root. So root starts the walls, and a small program inside
(:mod:`braggbook.runs.sandbox.entry`) sets the limits and becomes a user whom nobody else is, before anything of the
stranger's is read. An ordinary user is already one.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from braggbook.errors import KernelUnavailable
from braggbook.runs.sandbox.usage import MIB

WORK = "/desk"  # the writable folder
WRITABLE = (WORK, "/tmp", "/dev/shm")  # noqa: S108 - of the sandbox
UNLISTED = "/braggbook/unlisted"  # where only Landlock keeps from writing; see :attr:`Walls.unlisted`
INSTALL = "apt install bubblewrap"
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts")
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts")
_FIRST_UID, _UIDS = 2_000_000_000, 100_000_000  # of users that no machine has
_UIDS_MAPPED = Path("/proc/self/uid_map")  # fewer in a container
ENTRY = "/braggbook/entry.py"
_LEAST_ADDRESS_MB = 2048  # that Python needs to import NumPy, pandas and matplotlib at all
_OLDEST = (0, 8)  # bubblewrap's --disable-userns, --size and --perms


@dataclass(frozen=True)
class Limits:
    """What a stranger's code may use.

    Attributes:
        wall_s: Seconds until it is ended from outside.
        cpu_s: Seconds of processor time of everything inside together.
        cpus: Processors at a time, where a control group can be made.
        memory_mb: Memory of everything inside together, files in the writable folders included, in MiB; no process
            has more address space either (but 2048 MiB, without which Python's libraries do not load).
        processes: Processes and threads together, of which the run itself has about 20.
        work_mb: Size of each of the writable folders, in MiB.
        file_mb: Size of any one file, in MiB.
        open_files: Of any one process.
        output_mb: Of all files that are taken out, in MiB.
        output_files: How many are taken out.
    """

    wall_s: float = 600.0
    cpu_s: int = 600
    cpus: float = 2.0
    memory_mb: int = 4096
    processes: int = 256
    work_mb: int = 512
    file_mb: int = 512
    open_files: int = 1024
    output_mb: int = 512
    output_files: int = 2000

    @property
    def address_mb(self) -> int:
        """Address space of any one process, in MiB."""
        return max(self.memory_mb, _LEAST_ADDRESS_MB)


@dataclass(frozen=True)
class Walls:
    """What is inside.

    Attributes:
        readable: Where each file or folder of this machine is seen, read-only.
        variables: The whole environment.
        limits: What may be used.
        unlisted: Whether there is a small place to write to that Landlock is not told of: the self-test tries it.
    """

    readable: Mapping[str, Path] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    unlisted: bool = False

    def command(self, inner: Sequence[str], *, rules: int, ready: int, start: int) -> list[str]:
        """Returns the command that builds the walls and runs another one inside, in the writable folder.

        Args:
            inner: The command inside, with its whole path.
            rules: Descriptor of the system call filter.
            ready: Descriptor that bubblewrap writes to once its first process inside is there.
            start: Descriptor that it then waits for.

        Raises:
            KernelUnavailable: There is no bubblewrap here, or one that is too old.
        """
        waiting = ["--info-fd", str(ready), "--block-fd", str(start)]
        entry = [python(), "-I", "-S", ENTRY, json.dumps(self.entry_settings()), *inner]
        return [bubblewrap(), *self.options(), "--seccomp", str(rules), *waiting, "--", *entry]

    def options(self) -> list[str]:
        """Returns bubblewrap's options that make the walls."""
        options = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
        options += ["--cap-drop", "ALL"]
        if os.getuid() == 0:
            options += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]  # the entry uses and so loses them
        else:
            options += ["--unshare-user", "--uid", "1000", "--gid", "1000", "--disable-userns"]
        options += ["--die-with-parent", "--new-session", "--clearenv", "--hostname", "sandbox"]
        options += ["--perms", "0755", "--tmpfs", "/", "--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
        size = str(self.limits.work_mb * MIB)
        for place in WRITABLE:
            options += ["--perms", "1777", "--size", size, "--tmpfs", place]
        options += ["--perms", "0755", "--dir", "/etc"]
        for place in _SYSTEM:
            options += ["--ro-bind-try", place, place]
        for place, path in {**self.readable, ENTRY: _entry_file()}.items():
            for parent in reversed(Path(place).parents[:-1]):
                options += ["--perms", "0755", "--dir", str(parent)]
            options += ["--ro-bind", str(path), place]
        if self.unlisted:
            options += ["--perms", "1777", "--size", str(MIB), "--tmpfs", UNLISTED]
        for name, value in self.variables.items():
            options += ["--setenv", name, value]
        return [*options, "--remount-ro", "/", "--chdir", WORK]

    def entry_settings(self) -> dict[str, Any]:
        """Returns what the first program inside does before anything else."""
        limit = self.limits
        return {
            "uid": some_uid() if os.getuid() == 0 else 0,
            "limits": {
                "CPU": limit.cpu_s, "AS": limit.address_mb * MIB, "NPROC": limit.processes,
                "FSIZE": limit.file_mb * MIB, "NOFILE": limit.open_files, "CORE": 0,
            },
            "landlock": {
                "read": [*_SYSTEM, "/proc", "/dev", ENTRY, *self.readable],
                "write": list(WRITABLE),
                "devices": [f"/dev/{name}" for name in DEVICES],
            },
        }  # fmt: skip


def some_uid(mapped: Path = _UIDS_MAPPED) -> int:
    """Returns the number of a user whom nobody else is; in a container, of one that there can be."""
    lines = [tuple(map(int, line.split())) for line in mapped.read_text(encoding="ascii").splitlines()]
    first, _, count = max(lines, key=lambda line: line[2])
    if first + count >= _FIRST_UID + _UIDS:
        return _FIRST_UID + secrets.randbelow(_UIDS)
    return first + count // 2 + secrets.randbelow(max(1, count - count // 2))


@cache
def bubblewrap() -> str:
    """Returns the program.

    Raises:
        KernelUnavailable: There is none, or one that is too old.
    """
    program = shutil.which("bwrap")
    if program is None:
        raise KernelUnavailable("no sandbox on this machine", wanted="bubblewrap", next_command=INSTALL)
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    version = tuple(map(int, re.findall(r"\d+", said)[:2]))
    if version < _OLDEST:
        wanted = f"bubblewrap {'.'.join(map(str, _OLDEST))} or newer"
        raise KernelUnavailable("the sandbox is too old", wanted=wanted, got=said.strip(), next_command=INSTALL)
    return program


def python() -> str:
    """Returns the plain interpreter, which the first program inside is run by."""
    return str(Path(sys.executable).resolve())


def _entry_file() -> Path:
    return Path(str(files("braggbook.runs.sandbox").joinpath("entry.py")))

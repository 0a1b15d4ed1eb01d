"""The walls around a stranger's code: what bubblewrap shows of this machine, and what it may use.

Nothing of the machine is there but what is listed: an interpreter and inputs to read, one folder of a stated size to
write to. All namespaces are new (no network, no other process, no host's name), there are no capabilities, the
environment is empty but for what is given, and :mod:`braggbook.runs.sandbox.seccomp` filters the system calls.

Limits bind a real user, and not root. So root starts the walls, and a small program inside
(:mod:`braggbook.runs.sandbox.entry`) sets the limits and becomes a user whom nobody else is, before anything of the
stranger's is read. An ordinary user is already one.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from braggbook.errors import KernelUnavailable
from braggbook.runs.sandbox.seccomp import seccomp_filter

WORK = "/work"  # the one writable folder
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts")
_FIRST_UID, _UIDS = 2_000_000_000, 100_000_000  # of users that no machine has
_ENTRY = "/braggbook/entry.py"
_MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What a stranger's code may use.

    Attributes:
        wall_s: Seconds until it is ended from outside.
        cpu_s: Seconds of processor time of any one process.
        memory_mb: Address space of any one process.
        processes: Processes and threads together.
        work_mb: Size of the writable folder, and of /tmp and /dev/shm.
        file_mb: Size of any one file.
        open_files: Of any one process.
    """

    wall_s: float = 600.0
    cpu_s: int = 600
    memory_mb: int = 4096
    processes: int = 256
    work_mb: int = 512
    file_mb: int = 512
    open_files: int = 1024


@dataclass(frozen=True)
class Walls:
    """What is inside.

    Attributes:
        readable: Where each file or folder of this machine is seen, read-only.
        variables: The whole environment.
        limits: What may be used.
    """

    readable: Mapping[str, Path] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)

    @contextmanager
    def started(self, command: Sequence[str], **streams: int | None) -> Iterator[subprocess.Popen[bytes]]:
        """Starts a command inside; whatever it left is ended with the block.

        Args:
            command: Run in the writable folder.
            streams: ``stdin``, ``stdout``, ``stderr`` of :class:`subprocess.Popen`.

        Raises:
            KernelUnavailable: There is no bubblewrap here.
        """
        program = shutil.which("bwrap")
        if program is None:
            raise KernelUnavailable(
                "no sandbox on this machine", wanted="bubblewrap", next_command="apt install bubblewrap"
            )
        with tempfile.TemporaryFile() as rules:
            rules.write(seccomp_filter())
            rules.seek(0)
            process = subprocess.Popen(
                [program, *self._options(rules.fileno()), "--", *self._entry(command)],
                pass_fds=(rules.fileno(),),
                env={},
                **streams,  # type: ignore[call-overload]
            )
        try:
            yield process
        finally:
            process.kill()  # all inside dies with it
            process.wait()

    def _options(self, rules: int) -> list[str]:
        size = str(self.limits.work_mb * _MIB)
        options = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
        if os.getuid() != 0:
            options += ["--unshare-user", "--uid", "1000", "--gid", "1000", "--disable-userns", "--cap-drop", "ALL"]
        options += [
            "--die-with-parent",
            "--new-session",
            "--clearenv",
            "--hostname",
            "sandbox",
            "--seccomp",
            str(rules),
        ]
        options += ["--perms", "0755", "--tmpfs", "/", "--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
        for place in ("/dev/shm", "/tmp", WORK):  # noqa: S108 - of the sandbox
            options += ["--perms", "1777", "--size", size, "--tmpfs", place]
        for place in _SYSTEM:
            options += ["--ro-bind-try", place, place]
        for place, path in {**self.readable, _ENTRY: _entry_file()}.items():
            for parent in reversed(Path(place).parents[:-1]):
                options += ["--perms", "0755", "--dir", str(parent)]
            options += ["--ro-bind", str(path), place]
        for name, value in self.variables.items():
            options += ["--setenv", name, value]
        return [*options, "--remount-ro", "/", "--chdir", WORK]

    def _entry(self, command: Sequence[str]) -> list[str]:
        uid = str(_FIRST_UID + secrets.randbelow(_UIDS)) if os.getuid() == 0 else "0"
        limit = self.limits
        numbers = (limit.cpu_s, limit.memory_mb * _MIB, limit.processes, limit.file_mb * _MIB, limit.open_files)
        return [_python(), "-I", "-S", _ENTRY, uid, *map(str, numbers), *command]


def _python() -> str:
    return str(Path(sys.executable).resolve())


def _entry_file() -> Path:
    return Path(str(files("braggbook.runs.sandbox").joinpath("entry.py")))

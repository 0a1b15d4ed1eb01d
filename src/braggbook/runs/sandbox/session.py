"""One command inside the walls, from its start to its certain end, watched from outside."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import IO, Literal

from braggbook.errors import KernelUnavailable
from braggbook.runs.sandbox.groups import make_group
from braggbook.runs.sandbox.seccomp import seccomp_filter
from braggbook.runs.sandbox.usage import Meter, Used, Watchdog
from braggbook.runs.sandbox.walls import INSTALL, WRITABLE, Limits, Walls

Cause = Literal["ended", "wall clock", "processor time", "memory", "refused"]
_BLOCK_BYTES = 1 << 16
_STDERR_BYTES = 1 << 16  # of its last words that are kept
_FIRST_LINE_BYTES = 1 << 12
_GONE_S = 5.0  # for the last process to be gone; one that waits for a disk may take longer, and does nothing more
_START_S = 60.0  # for the walls to stand: on a busy machine Python takes its time


class Refused(Exception):
    """What came out of the walls is not accepted; it is ended there and then."""


@dataclass(frozen=True)
class Ending:
    """How a command inside came to its end.

    Attributes:
        cause: It ended by itself, was ended for the limit named, or because of what came out.
        code: Its exit code; negative when a signal ended it; what was ended from outside has -9.
        used: What was used.
        layers: Which walls stood.
        landlock: Landlock's version inside; 0 where the kernel has none.
        stderr: Its last words, which are the stranger's.
        out_of_memory: Whether a process inside was ended for want of memory; it need not have been the last one.
        problem: What was not accepted.
    """

    cause: Cause
    code: int
    used: Used
    layers: tuple[str, ...]
    landlock: int
    stderr: str
    out_of_memory: bool = False
    problem: Refused | None = None


def run_inside(
    walls: Walls, command: Sequence[str], *, receive: Callable[[bytes], None], meter: Meter | None = None
) -> Ending:
    """Runs a command inside the walls until it ends or reaches a limit; nothing of it is left afterwards.

    Args:
        walls: What is inside.
        command: Run in the writable folder.
        receive: Given what the command writes to its standard output, as it comes; may raise :class:`Refused`.
        meter: Counts and bounds what is used; of the best kind that can be had here, where none is given.

    Raises:
        KernelUnavailable: The walls do not stand, which is not the command's fault: it was not begun.
    """
    try:
        return _run(walls, command, receive, meter or best_meter(walls.limits))
    except _NotCounted:
        return _run(walls, command, receive, watchdog(walls.limits))


def _run(walls: Walls, command: Sequence[str], receive: Callable[[bytes], None], meter: Meter) -> Ending:
    try:
        with _started(walls, command, meter) as process:
            return _Session(walls, process, meter, receive).ending()
    finally:
        meter.remove()


class _NotCounted(Exception):
    """A control group could be made, but no process may be put into it (version 2 asks for rights above both)."""


def best_meter(limits: Limits) -> Meter:
    """Returns a control group with these limits, or else a watchdog."""
    group = make_group(memory_mb=limits.memory_mb, processes=limits.processes, cpus=limits.cpus)
    return group or watchdog(limits)


def watchdog(limits: Limits) -> Watchdog:
    """Returns a watchdog with these limits."""
    return Watchdog(memory_mb=limits.memory_mb, places=WRITABLE, size_mb=limits.work_mb)


@contextmanager
def _started(walls: Walls, command: Sequence[str], meter: Meter) -> Iterator[subprocess.Popen[bytes]]:
    """Starts bubblewrap, counts its processes before they do anything, and ends them with the block."""
    with ExitStack() as stack:
        rules = stack.enter_context(tempfile.TemporaryFile())
        rules.write(seccomp_filter())
        rules.seek(0)
        told, ready = _pipe(stack)
        waits, start = _pipe(stack)
        words = walls.command(command, rules=rules.fileno(), ready=ready.fileno(), start=waits.fileno())
        given = (rules.fileno(), ready.fileno(), waits.fileno())
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        process = subprocess.Popen(words, pass_fds=given, env={}, stdin=nothing, stdout=pipe, stderr=pipe)
        stack.callback(_end, process)
        ready.close()
        waits.close()
        first = _first_inside(told, process)
        try:
            handle = os.pidfd_open(first)
            stack.callback(os.close, handle)
            stack.callback(_kill, handle)
            meter.add(process.pid)
            meter.add(first)
        except ProcessLookupError:
            raise _fell(process) from None
        except OSError as error:
            raise _NotCounted from error
        start.write(b"1")
        start.flush()
        yield process


def _pipe(stack: ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    reading, writing = os.pipe()
    ends = os.fdopen(reading, "rb", buffering=0), os.fdopen(writing, "wb", buffering=0)
    return stack.enter_context(ends[0]), stack.enter_context(ends[1])


def _first_inside(told: IO[bytes], process: subprocess.Popen[bytes]) -> int:
    """Returns the process that bubblewrap has started, as this machine numbers it.

    Raises:
        KernelUnavailable: There is none: the walls do not stand.
    """
    said = b""
    end = time.monotonic() + _START_S
    with selectors.DefaultSelector() as selector:
        selector.register(told, selectors.EVENT_READ)
        while b"}" not in said and selector.select(max(0.0, end - time.monotonic())):
            part = told.read(_FIRST_LINE_BYTES)
            if not part:
                break
            said += part
    try:
        return int(json.loads(said)["child-pid"])
    except (ValueError, KeyError):
        raise _fell(process) from None


def _fell(process: subprocess.Popen[bytes]) -> KernelUnavailable:
    process.kill()
    return walls_fell(process.communicate()[1])


def walls_fell(words: bytes) -> KernelUnavailable:
    """Builds the error for walls that do not stand, with the last words of what builds them."""
    text = words.decode(errors="replace").strip()[-500:]
    refused = "namespace" in text or "uid map" in text or "Operation not permitted" in text
    command = "see docs/explain/sandbox.md: on Ubuntu 24.04 AppArmor must let bubblewrap make user namespaces"
    return KernelUnavailable("the sandbox does not start", got=text, next_command=command if refused else INSTALL)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()  # all inside dies with it
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _kill(first: int) -> None:
    """Ends the first process inside, and waits until it has taken all the others with it (pid_namespaces(7))."""
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(first, signal.SIGKILL)
    with selectors.DefaultSelector() as selector:
        selector.register(first, selectors.EVENT_READ)  # as soon as it is gone
        selector.select(_GONE_S)


class _Session:
    """What is read from a started command, and the clock beside it."""

    def __init__(
        self, walls: Walls, process: subprocess.Popen[bytes], meter: Meter, receive: Callable[[bytes], None]
    ) -> None:
        self._walls, self._process, self._meter, self._receive = walls, process, meter, receive
        self._began = self._stood = time.monotonic()  # the command's own time begins when the walls stand
        self._first_line: bytes | None = b""  # None once it has been read
        self._landlock = 0
        self._stderr = b""
        self._used = Used()

    def ending(self) -> Ending:
        """Reads until the end."""
        cause: Cause = "ended"
        problem = None
        try:
            cause = self._read()
        except Refused as found:
            cause, problem = "refused", found
        if self._first_line is not None:
            self._rest_of_stderr()
            raise walls_fell(self._stderr)
        if cause != "ended":
            self._process.kill()
        code = self._process.wait()
        self._look()
        if cause == "ended" and code != 0 and self._meter.out_of_memory():
            cause = "memory"
        used = replace(self._used, wall_s=round(time.monotonic() - self._began, 3))
        return Ending(
            cause, code, used, self._layers(), self._landlock, self._text(), self._meter.out_of_memory(), problem
        )

    def _read(self) -> Cause:
        """Returns why there is nothing more to read."""
        looked = 0.0
        with selectors.DefaultSelector() as selector:
            for stream in (self._process.stdout, self._process.stderr):
                selector.register(stream, selectors.EVENT_READ)  # type: ignore[arg-type]
            while selector.get_map():
                for key, _ in selector.select(self._meter.every_s):
                    data = os.read(key.fd, _BLOCK_BYTES)
                    if not data:
                        selector.unregister(key.fileobj)
                    elif key.fileobj is self._process.stdout:
                        self._take(data)
                    else:
                        self._stderr = (self._stderr + data)[-_STDERR_BYTES:]
                if time.monotonic() - looked >= self._meter.every_s:
                    looked = time.monotonic()
                    if cause := self._over():
                        return cause
        return "ended"

    def _take(self, data: bytes) -> None:
        if self._first_line is not None:
            self._first_line += data
            line, found, data = self._first_line.partition(b"\n")
            if not found:
                return
            self._landlock = int(json.loads(line)["landlock"])
            self._first_line = None
            self._stood = time.monotonic()
        if data:
            self._receive(data)

    def _over(self) -> Cause | None:
        self._look()
        limits = self._walls.limits
        if time.monotonic() - self._stood > (limits.wall_s if self._first_line is None else _START_S):
            return "wall clock"
        if self._used.cpu_s > limits.cpu_s:
            return "processor time"
        if isinstance(self._meter, Watchdog) and self._meter.out_of_memory():
            return "memory"
        return None

    def _look(self) -> None:
        now = self._meter.read()
        self._used = replace(
            now,
            cpu_s=max(now.cpu_s, self._used.cpu_s),
            memory_mb=max(now.memory_mb, self._used.memory_mb),
            processes=max(now.processes, self._used.processes),
        )

    def _layers(self) -> tuple[str, ...]:
        landlock = f"Landlock {self._landlock}" if self._landlock else "no Landlock in this kernel"
        return ("namespaces", "system call filter", landlock, "process limits", self._meter.name, "wall clock")

    def _rest_of_stderr(self) -> None:
        self._process.kill()
        if self._process.stderr is not None:
            self._stderr += self._process.stderr.read()[:_STDERR_BYTES]

    def _text(self) -> str:
        return self._stderr.decode(errors="replace")

"""Calling a student's function in a forked child with limits, so that an endless loop does not cost the kernel.

A kernel has threads, sockets and an event loop, and ``fork`` copies one thread only: the child may touch none of them.
It replaces the process's standard streams, silences the kernel's messages, calls the function, writes plain data into a
pipe, and leaves with ``os._exit``, so that nothing that was registered for the end of the kernel runs in it.

Linux only. On macOS a fork without a new program is not safe once Apple's frameworks are in use (Python's own
``multiprocessing`` left it for that reason in 3.8), and Windows has none: see elsewhere.py.
"""

from __future__ import annotations

import builtins
import gc
import math
import os
import select
import signal
import stat
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

try:
    import fcntl
    import resource
except ImportError:  # Windows and the browser; no child is forked there
    fcntl = resource = None  # type: ignore[assignment]

from braggbook.learn.calls import LARGEST_LINE, Kind, Limits, Outcome, Work, as_line, do, from_line, raised

_BLOCK_BYTES = 1 << 16
_MEGABYTE = 1 << 20
_LOOK_S = 0.2  # a signal that another thread took does not end a wait; so soon an interrupt is heard
_LARGEST_FILE = 64 * _MEGABYTE
_MOST_PROCESSES = 64  # a pool of workers has one for each core; a function that forks in a loop has thousands
_MAPPED = Path("/proc/self/statm")
_leave = os._exit  # a function may replace the one of `os`, and nothing of the kernel may run in the child
_FILES = Path("/proc/self/fd")


def can_fork() -> bool:
    """Returns whether a child of this process is safe to use."""
    return sys.platform.startswith("linux") and hasattr(os, "fork")


def call_in_fork(function: Callable[..., Any], work: Work, limits: Limits) -> list[Outcome]:
    """Returns the outcomes of all calls, the last of which may be a limit that was reached or the end of the child.

    Raises:
        OSError: The system starts no process.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of threads; see above what is done
        try:
            child = os.fork()
        except OSError:
            os.close(reading)
            os.close(writing)
            raise
    if child == 0:
        _live(function, work, limits, writing)
    os.close(writing)
    outcomes: list[Outcome] = []
    status = 0
    try:
        for line in _lines(reading, child, until=time.monotonic() + limits.waiting_s):
            outcomes.append(from_line(line))
            if len(outcomes) == len(work):
                return outcomes
    except TimeoutError:
        return [*outcomes, Outcome("time")]
    except _TooManyError as error:
        return [*outcomes, Outcome(error.kind)]
    finally:
        os.close(reading)
        status = _end(child)
    return outcomes if _is_final(outcomes) else [*outcomes, ended(os.waitstatus_to_exitcode(status))]


def _is_final(outcomes: list[Outcome]) -> bool:
    return bool(outcomes) and outcomes[-1].kind not in ("value", "none", "blank", "holds", "broken")


class _TooManyError(Exception):
    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind
        super().__init__(kind)


def _lines(reading: int, child: int, *, until: float) -> Iterator[bytes]:
    buffer = b""
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if not select.select([reading], [], [], min(left, _LOOK_S))[0]:
            if _group_size(child) > _MOST_PROCESSES:
                raise _TooManyError("processes")
            continue
        block = os.read(reading, _BLOCK_BYTES)
        if not block:
            return
        *whole, buffer = (buffer + block).split(b"\n")
        if len(buffer) > LARGEST_LINE:
            raise _TooManyError("large")
        yield from whole


def _group_size(leader: int) -> int:
    """Returns how many processes a child has started that are still there, with itself."""
    count = 0
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            with suppress(OSError, IndexError):  # it has ended meanwhile
                state = Path(entry.path, "stat").read_bytes().rpartition(b")")[2].split()
                count += int(state[2]) == leader
    return count


def _end(child: int) -> int:
    """Ends the child and what it has started; returns how it ended."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)  # it may not have come to be a group's leader yet
    with suppress(ChildProcessError):  # somebody else in the kernel has waited for all children
        return os.waitpid(child, 0)[1]
    return 0


def ended(code: int) -> Outcome:
    """Returns what is said of a process by its exit code, or minus the number of the signal that ended it."""
    if code >= 0:
        return Outcome("died", shown=f"exit code {code}")
    name = signal.Signals(-code).name
    return Outcome("time") if name == "SIGXCPU" else Outcome("died", shown=name)


def _live(function: Callable[..., Any], work: Work, limits: Limits, writing: int) -> NoReturn:
    """The child's whole life; nothing of the parent's may run in it, whatever happens."""
    try:
        own = os.getpid()
        os.setsid()
        _detach(writing)
        set_limits(limits)

        def send(outcome: Outcome) -> None:
            if os.getpid() != own:
                _leave(0)  # the function has forked: only its first process answers
            _write(writing, as_line(outcome))

        do(work, function, send)
    except BaseException as error:  # SystemExit, KeyboardInterrupt and the like, raised by the function itself
        _last(writing, raised(error))
    finally:
        _leave(0)


def _last(writing: int, outcome: Outcome) -> None:
    with suppress(BaseException):
        _write(writing, as_line(outcome))


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _detach(writing: int) -> None:
    """Cuts the ties to the kernel: signals, streams, sockets, messages, input, and garbage that would be collected."""
    gc.freeze()
    for name in ("SIGINT", "SIGTERM", "SIGCHLD", "SIGALRM", "SIGUSR1"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    signal.set_wakeup_fd(-1)  # an event loop's
    nothing = os.open(os.devnull, os.O_RDWR)
    for file in (0, 1, 2, *_ties({nothing, writing})):
        os.dup2(nothing, file, inheritable=file <= 2)
    for stream in (sys.stdout, sys.stderr):  # others may hold the kernel's streams, such as handlers of loggers
        for method in ("write", "flush"):
            with suppress(Exception):
                setattr(stream, method, _silent)
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123 - open for as long as the child lives
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    builtins.input = _no_input
    _silence_kernel()
    if (handler := sys.modules.get("faulthandler")) is not None:
        handler.disable()  # it would tell of a crash in the kernel's log
    sys.settrace(None)


def _ties(own: set[int]) -> list[int]:
    """Returns what a function may neither read nor write: the kernel's sockets, pipes, event counters and logs."""
    kept = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFCHR, stat.S_IFBLK)  # files and devices: a data set that is open
    found = []
    for file in sorted({int(each.name) for each in _FILES.iterdir()} - own - {0, 1, 2}):
        with suppress(OSError):  # the one that listed them
            kind = stat.S_IFMT(os.fstat(file).st_mode)
            log = kind == stat.S_IFREG and fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
            if kind not in kept or log:
                found.append(file)
    return found


def _silence_kernel() -> None:
    if (module := sys.modules.get("IPython")) is None or (shell := module.get_ipython()) is None:
        return
    session = getattr(getattr(shell, "kernel", None), "session", None)
    for owner, name in ((session, "send"), (shell.display_pub, "publish")):
        with suppress(Exception):
            setattr(owner, name, _silent)


def _silent(*_: Any, **__: Any) -> int:
    return 0


def _no_input(*_: Any) -> NoReturn:
    raise RuntimeError("input() has nobody to ask here: the function gets all that it needs as arguments")


def set_limits(limits: Limits) -> None:
    """Sets what this process may take from now on, as far as the system can limit it."""
    if resource is None:
        return
    _lower(resource.RLIMIT_CPU, math.ceil(time.process_time() + limits.seconds))  # whole seconds only
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, _LARGEST_FILE)
    if _MAPPED.is_file():  # what a kernel with NumPy has mapped is far more than it uses: the limit counts from there
        mapped = int(_MAPPED.read_text().split()[0]) * resource.getpagesize()
        _lower(resource.RLIMIT_AS, mapped + limits.megabytes * _MEGABYTE)


def _lower(which: int, wanted: int) -> None:
    _, hard = resource.getrlimit(which)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with suppress(ValueError, OSError):
        resource.setrlimit(which, (most, hard))

"""Kernels that are forked from a template which has already imported their libraries.

A :class:`Template` is one process per interpreter, environment and list of modules; :meth:`Template.fork` gives a
kernel's process that looks like :class:`subprocess.Popen`. See :mod:`braggbook.kernels.process.template` for what
happens on the other side. A template never runs a notebook's code: it imports installed packages, and its children run
the code of people whom the user trusts as much as to run it cold.
"""

from __future__ import annotations

import array
import atexit
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from braggbook.errors import KernelUnavailable
from braggbook.files import short_temporary_folder

_SCRIPT = Path(__file__).with_name("process") / "template.py"
_START_TIMEOUT_S = 120.0
_MOST_STARTS = 12  # each leaves out one more module that cannot be shared,
_SINGLE_STARTS = 4  # and from then on all of its package: ipywidgets has dozens that ask for the notebook's shell
# A pool of threads does not survive a fork: what a template loads computes in one.
_ONE_THREAD = tuple(f"{name}_NUM_THREADS" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "BLIS", "NUMBA"))

# pyarrow, which pandas imports where it is installed, would start a thread that gives memory back to the system
_NO_THREAD = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}


def can_fork() -> bool:
    """Whether this system can fork a process that has loaded scientific libraries; only Linux safely can."""
    return sys.platform == "linux" and hasattr(os, "fork")


Learn = Callable[[Sequence[str]], None]


class ForkedProcess:
    """A forked process, with the parts of :class:`subprocess.Popen` that kernel managers use."""

    stdin = stdout = stderr = None

    def __init__(self, connection: socket.socket, *, learn: Learn | None = None) -> None:
        self._connection, self._learn = connection, learn
        self._buffer = b""
        self._lock = threading.Lock()
        self.returncode: int | None = None
        self.usage: dict[str, Any] = {}
        answer = self._line(timeout=_START_TIMEOUT_S)
        if "pid" not in answer:
            raise KernelUnavailable("a warm kernel could not be forked", got=str(answer.get("refused")))
        self.pid = int(answer["pid"])

    def fileno(self) -> int:
        """A file that becomes readable when the process has ended."""
        return self._connection.fileno()

    def _line(self, timeout: float | None) -> dict[str, Any]:
        end = None if timeout is None else time.monotonic() + timeout
        while b"\n" not in self._buffer:
            left = None if end is None else max(0.0, end - time.monotonic())
            if not select.select([self._connection], [], [], left)[0]:
                raise TimeoutError
            part = self._connection.recv(4096)
            if not part:
                raise EOFError
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def poll(self) -> int | None:
        """Returns the exit code, or None while it runs."""
        return self._wait(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end and returns the exit code.

        Raises:
            subprocess.TimeoutExpired: It still runs.
        """
        code = self._wait(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("kernel", timeout or 0.0)
        return code

    def _wait(self, timeout: float | None) -> int | None:
        with self._lock:
            if self.returncode is None:
                try:
                    self.usage = self._line(timeout)
                    self.returncode = int(self.usage["exit"])
                    if self._learn is not None:
                        self._learn(self.usage["learned"])
                except TimeoutError:
                    return None
                except (EOFError, OSError, ValueError):  # the template died, and every child with it
                    self.returncode = -signal.SIGKILL
                self._connection.close()
            return self.returncode

    @property
    def template_died(self) -> bool:
        """Whether it ended because its template did."""
        return self.returncode is not None and not self.usage

    def send_signal(self, number: int) -> None:
        """Sends a signal to the process."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Asks it to end."""
        self.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """Ends it, with all that it started, if it still runs."""
        with self._lock:
            self._connection.close()
            if self.returncode is None:
                self.returncode = -signal.SIGKILL
                self.usage = {"exit": self.returncode}


class Forks(Protocol):
    """What can be asked for a forked process: a template, or the process that has run a sweep's shared cells."""

    def fork(self, request: Mapping[str, Any], files: Sequence[int]) -> ForkedProcess:
        """Returns a new process; see :func:`ask`."""


def ask(path: str, request: Mapping[str, Any], files: Sequence[int], *, learn: Learn | None = None) -> ForkedProcess:
    """Asks the template behind a socket for a new process.

    Args:
        path: Of the socket.
        request: ``cwd``, ``env``, ``memory_limit_mb``, ``seed``, and ``argv`` of a kernel.
        files: The process's standard output and error; a shell's channel is the third.
        learn: Told, when the process has ended well, which modules it imported that were not there.

    Raises:
        KernelUnavailable: The template is gone.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _send(connection, path, request, files)
        return ForkedProcess(connection, learn=learn)
    except (OSError, EOFError, TimeoutError) as error:
        connection.close()
        raise KernelUnavailable("the template of a warm kernel is gone", got=str(error) or "no answer") from None


def ask_to_import(path: str, modules: Sequence[str]) -> dict[str, Any] | None:
    """Asks the template behind a socket to import modules.

    Returns:
        ``left_out`` (with the reason; the last of them has spoiled the template), ``missing``, and ``watched``; None
        if it does not answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_START_TIMEOUT_S)
        try:
            _send(connection, path, {"preload": list(modules)}, (0, 0))
            answer: dict[str, Any] = json.loads(connection.makefile("rb").readline())
        except (OSError, ValueError):
            return None
    return answer


def _send(connection: socket.socket, path: str, request: Mapping[str, Any], files: Sequence[int]) -> None:
    body = json.dumps(request).encode()
    passed = array.array("i", files).tobytes()
    connection.connect(path)
    connection.sendmsg([struct.pack("!I", len(body))], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)])
    connection.sendall(body)


def _package(module: str) -> str:
    """Returns the package that a module is of."""
    return module.partition(".")[0]


class Template:
    """A template process that this process owns: it ends when this one does, however that ends.

    Attributes:
        left_out: Modules that it does not import, because they can only be imported in the kernel, with the reason.
        missing: Modules that are not there.
        asked: Modules that it was asked to import.
        learned: Modules that its children have imported since, in that order.
    """

    def __init__(
        self, *, python: Path, modules: Sequence[str], variables: Mapping[str, str], options: Sequence[str] = ()
    ) -> None:
        self._folder = tempfile.mkdtemp(prefix="bbt-", dir=short_temporary_folder())
        self._command = [str(python), *options, str(_SCRIPT)]
        self._variables = {"HOME": self._folder, **_NO_THREAD, **variables, **dict.fromkeys(_ONE_THREAD, "1")}
        self.left_out: dict[str, str] = {}
        self.missing: list[str] = []
        self.asked = list(modules)
        self.learned: dict[str, None] = {}
        try:
            self._start(list(modules))
        except OSError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise KernelUnavailable("the template of a warm kernel did not start", got=str(error)) from None
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def _start(self, modules: list[str]) -> None:
        for attempt in range(_MOST_STARTS):
            self.path = f"{self._folder}/{attempt}"
            whole = {_package(name) for name in self.left_out} if attempt >= _SINGLE_STARTS else set()
            wanted = [name for name in modules if name not in self.left_out and _package(name) not in whole]
            greeting = self._try([self.path, *wanted])
            if "ready" in greeting:
                self.missing = list(greeting["missing"])
                self._watched: dict[str, int] = greeting["watched"]
                return
            self._release()
            if not greeting.get("left_out"):
                break
            self.left_out |= greeting["left_out"]
        got = f"{greeting.get('threads', 0)} threads" if greeting else f"exit code {self._process.returncode}"
        raise KernelUnavailable("the template of a warm kernel did not start", got=got)

    def _try(self, arguments: list[str]) -> dict[str, Any]:
        self._process = subprocess.Popen(
            [*self._command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._variables,
            cwd=self._folder,
            text=True,
            start_new_session=True,
        )
        self.pid = self._process.pid
        assert self._process.stdout is not None
        timer = threading.Timer(_START_TIMEOUT_S, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        greeting: dict[str, Any] = json.loads(line) if line else {}
        return greeting

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    @property
    def current(self) -> bool:
        """Whether it can be asked, and a new one would import the same: nothing was installed or edited since."""
        return self.alive and all(_changed_ns(path) == moment for path, moment in self._watched.items())

    def fork(self, request: Mapping[str, Any], files: Sequence[int]) -> ForkedProcess:
        """Returns a new process; see :func:`ask`."""
        return ask(self.path, request, files, learn=self._learn)

    def _learn(self, modules: Sequence[str]) -> None:
        self.learned |= dict.fromkeys(modules)

    def preload(self, modules: Sequence[str]) -> bool:
        """Imports more modules; returns whether it is still fit to be forked after that."""
        new = [name for name in dict.fromkeys(modules) if name not in self.asked]
        self.learned.clear()
        if not new:
            return True
        self.asked += new
        answer = ask_to_import(self.path, new)
        if answer is None:
            return False
        self.left_out |= answer["left_out"]
        self.missing += answer["missing"]
        self._watched |= answer["watched"]
        return not any(name in new for name in answer["left_out"])

    def _release(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Ends it and all its children."""
        self._release()
        shutil.rmtree(self._folder, ignore_errors=True)


def _changed_ns(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 - a hundred of them at each run
    except OSError:
        return None


class Templates:
    """The templates of this process: one for each interpreter and environment, with every module asked for so far."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], Template] = {}
        self._retired: list[Template] = []
        self._lock = threading.Lock()
        self._owner = os.getpid()
        atexit.register(self.close)

    def get(
        self, *, python: Path, modules: Sequence[str], variables: Mapping[str, str], options: Sequence[str] = ()
    ) -> Template:
        """Returns a living template, started now if there is none.

        Args:
            python: The interpreter.
            modules: What it imports beside ipykernel's own.
            variables: Its whole environment; what libraries read of it at import holds for every child. Without
                ``HOME``, it is given an empty folder.
            options: Of the interpreter, such as ``-Xfrozen_modules=off``.

        Raises:
            KernelUnavailable: It does not start.
        """
        key = (python, tuple(options), tuple(sorted(variables.items())))
        with self._lock:
            if self._owner != os.getpid():  # a fork of the owner has the table, but not the templates
                self._known, self._retired, self._owner = {}, [], os.getpid()
            template = self._known.get(key)
            if template is None or not template.current:
                template = self._start(key, modules, variables)
            elif not template.preload([*modules, *template.learned]):
                template = self._start(key, template.asked, variables)
            return template

    def ready(
        self, *, python: Path, modules: Sequence[str], variables: Mapping[str, str], options: Sequence[str] = ()
    ) -> Template | None:
        """Returns the template that :meth:`get` would, if it is there and that takes no time."""
        if self._owner != os.getpid() or not self._lock.acquire(blocking=False):
            return None
        try:
            template = self._known.get((python, tuple(options), tuple(sorted(variables.items()))))
            fit = template is not None and template.current and set(modules) <= set(template.asked)
            return template if fit else None
        finally:
            self._lock.release()

    def _start(self, key: tuple[Any, ...], modules: Sequence[str], variables: Mapping[str, str]) -> Template:
        if key in self._known:
            self._retired.append(self._known.pop(key))  # its children may still run
        wanted = list(dict.fromkeys(modules))
        self._known[key] = Template(python=key[0], modules=wanted, variables=variables, options=key[1])
        return self._known[key]

    def close(self) -> None:
        """Ends them all."""
        with self._lock:
            if self._owner == os.getpid():
                for template in (*self._known.values(), *self._retired):
                    template.close()
                self._known.clear()
                self._retired.clear()


TEMPLATES = Templates()

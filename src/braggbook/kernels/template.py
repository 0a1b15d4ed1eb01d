"""A template process: imports a kernel's libraries once, then forks a child for every kernel that is asked for.

Run as a file by the kernel's own interpreter: ``python template.py SOCKET MODULE ...``. It must stay what can be
forked: one thread, no event loop, no ZMQ context, no BLAS or OpenMP start-up; it looks at its own task list and
refuses to serve when an import broke that. What a live kernel has of these is born in the child.

A request is one connection to the socket: a length, a JSON object, and the child's standard output and error as file
descriptors. Answers are JSON lines: ``{"pid": ...}``, later ``{"exit": ..., "cpu_s": ..., "max_rss_kb": ...}``. A
connection that its client closes ends the child; a template whose standard input is closed ends with all children.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import ctypes
import gc
import importlib
import io
import json
import os
import random
import resource
import select
import signal
import socket
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_REQUEST_TIMEOUT_S = 10.0
_LARGEST_REQUEST = 1 << 22
_LENGTH = struct.Struct("!I")

# What an ordinary ipykernel imports on its way up, and what IPython imports when it is first used.
KERNEL_MODULES = (
    "ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell", "ipykernel.iostream", "ipykernel.debugger",
    "IPython.core.completer", "IPython.core.pylabtools", "IPython.extensions.storemagic",
    "IPython.core.historyapp", "jedi", "psutil", "sqlite3",
)  # fmt: skip
# It hooks itself to a shell when it is imported. In a template there is none yet, and figures would vanish silently.
_NEVER = "matplotlib_inline.backend_inline"


class Child:
    """A forked kernel and the connection that asked for it."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid, self.connection = pid, connection


class Template:
    """The serving loop; one instance per process."""

    def __init__(self, path: str) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _umask(0o177):
            self._listener.bind(path)
        self._listener.listen(64)
        self._children: dict[int, Child] = {}
        self._wake, wake = os.pipe()
        for end in (self._wake, wake):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C is for the owner, who then closes our standard input
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._private = (self._listener.fileno(), self._wake, wake)

    def serve(self) -> NoReturn:
        """Forks on request until the owner is gone."""
        while True:
            connections = {child.connection.fileno(): child for child in self._children.values()}
            ready, _, _ = select.select([self._listener, self._wake, 0, *connections], [], [])
            for item in ready:
                if item is self._listener:
                    self._accept()
                elif item == self._wake:
                    self._reap()
                elif item == 0:
                    self._end()
                elif item in connections:
                    self._abandon(connections[item])

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(_REQUEST_TIMEOUT_S)
        try:
            request, files = _receive(connection)
        except (OSError, ValueError, KeyError):
            connection.close()
            return
        connection.settimeout(None)
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._become(request, files, connection)
        for file in files:
            os.close(file)
        self._children[pid] = Child(pid, connection)
        _answer(connection, {"pid": pid})

    def _become(self, request: dict[str, Any], files: list[int], connection: socket.socket) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for file in self._private:
                os.close(file)
            for child in self._children.values():
                child.connection.close()
            connection.close()
            _prepare(request, files)
            code = _run_kernel(request["argv"])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:  # the child of a fork must never return into the parent's loop
            sys.excepthook(*sys.exc_info())
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake, 512):
                pass
        while self._children:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is not None:
                code = os.waitstatus_to_exitcode(status)
                cpu = round(usage.ru_utime + usage.ru_stime, 3)
                _answer(child.connection, {"exit": code, "cpu_s": cpu, "max_rss_kb": usage.ru_maxrss})
                child.connection.close()

    def _abandon(self, child: Child) -> None:
        # a client sends nothing after its request: readable means that it is gone
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.connection.close()
        self._children.pop(child.pid, None)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child.pid, 0)

    def _end(self) -> NoReturn:
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        os._exit(0)


@contextlib.contextmanager
def _umask(mask: int) -> Any:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    head, extra, _, _ = connection.recvmsg(_LENGTH.size, socket.CMSG_SPACE(2 * array.array("i").itemsize))
    files = array.array("i")
    for level, kind, data in extra:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            files.frombytes(data[: len(data) - len(data) % files.itemsize])
    (size,) = _LENGTH.unpack(head)
    if size > _LARGEST_REQUEST or len(files) != 2:
        raise ValueError(size)
    body = b""
    while len(body) < size:
        part = connection.recv(size - len(body))
        if not part:
            raise ValueError("cut short")
        body += part
    return json.loads(body), list(files)


def _answer(connection: socket.socket, answer: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the client may be gone
        connection.sendall(json.dumps(answer).encode() + b"\n")


def _prepare(request: dict[str, Any], files: list[int]) -> None:
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    null = os.open(os.devnull, os.O_RDONLY)
    for target, source in enumerate((null, *files)):
        os.dup2(source, target)
        os.close(source)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    tempfile.tempdir = None
    if request.get("memory_limit_mb"):
        limit = request["memory_limit_mb"] << 20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _reread_matplotlibrc()
    _seed(request.get("seed"))


def _reread_matplotlibrc() -> None:
    """Settings are read when matplotlib is imported; this folder and environment may have others."""
    matplotlib = sys.modules.get("matplotlib")
    if matplotlib is not None:
        matplotlib.rcParams.update(matplotlib.rc_params())
        matplotlib.rcParamsOrig.update(matplotlib.rcParams)


def _seed(seed: int | None) -> None:
    # a child has its parent's streams: without this, every kernel would draw the same "random" numbers unasked
    random.seed(seed)
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed(seed)


def _run_kernel(argv: list[str]) -> int:
    sys.argv = argv
    from ipykernel.kernelapp import IPKernelApp  # noqa: PLC0415 - imported by then

    app = IPKernelApp.instance()
    app.no_stdout = app.no_stderr = False
    app.initialize(argv[1:])
    if "matplotlib.pyplot" in sys.modules:  # its import hooks it to the shell, which was not there then
        sys.modules["matplotlib.pyplot"].install_repl_displayhook()
    try:
        app.start()
    finally:
        # it would wait for a thread that waits for one that has ended; the process ends a moment later anyway
        atexit.unregister(app.close)
        _leave_well()
    return 0


def _leave_well() -> None:
    """Does what a notebook may rely on at the end; tearing down every module, which takes a second, is not of it."""
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public name for it
    for item in gc.get_objects():
        if isinstance(item, io.IOBase) and not isinstance(item, io.RawIOBase):
            with contextlib.suppress(Exception):
                item.flush()


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _threads() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def main() -> None:
    """Imports the modules, makes sure that the process can be forked, and serves."""
    path, *modules = sys.argv[1:]
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    missing = []
    for name in (*KERNEL_MODULES, *modules):
        if name == _NEVER:
            continue
        try:
            importlib.import_module(name)
        except ImportError as error:
            missing.append(f"{name}: {error}")
    if _threads() != 1:
        _say({"refused": f"an import started {_threads() - 1} threads"})
        sys.exit(3)
    gc.collect()
    gc.freeze()  # the children's collector must not touch, and so copy, the template's pages
    template = Template(path)
    _say({"ready": os.getpid(), "missing": missing})
    template.serve()


if __name__ == "__main__":
    main()

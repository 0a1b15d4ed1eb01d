"""A template process: imports a kernel's libraries once, then forks a child for every kernel that is asked for.

Run as a file by the kernel's own interpreter: ``python template.py SOCKET MODULE ...``. It must stay what can be
forked: one thread, no event loop, no ZMQ context, no BLAS or OpenMP start-up; it looks at its own task list and
refuses to serve when an import broke that. What a live kernel has of these is born in the child.

A request is one connection to the socket: a length, a JSON object, and files: the child's standard output and error,
and for a shell its channel. Answers are JSON lines: ``{"pid": ...}``, later ``{"exit": ..., "cpu_s": ...,
"max_rss_kb": ..., "learned": ...}``, the last being what it imported that was not there. Or it asks for more modules to
be imported. A connection that its client closes ends the child
with all that it started; a template whose standard input is closed ends with all children.

A child is either an ordinary ipykernel or a shell (see ``shell.py``). A shell that has run the cells which many runs
share can become a template itself: its children go on from there.
"""

from __future__ import annotations

import array
import atexit
import builtins
import contextlib
import ctypes
import gc
import importlib
import importlib.machinery
import importlib.util
import io
import json
import os
import resource
import select
import shutil
import signal
import socket
import struct
import sys
import sysconfig
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_ENDED_FIRST = "500"  # of -1000 to 1000, see proc(5)
_REQUEST_TIMEOUT_S = 10.0
_LARGEST_REQUEST = 1 << 22
_MOST_FILES = 3
_FOLDER = "bbt-"  # how the name of a folder begins that its owner made for a template alone
_LENGTH = struct.Struct("!I")

# What an ordinary ipykernel imports on its way up, and what IPython imports when it is first used.
KERNEL_MODULES = (
    "ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell", "ipykernel.iostream", "ipykernel.debugger",
    "ipykernel.comm.manager", "IPython.core.completer", "IPython.core.pylabtools", "IPython.extensions.storemagic",
    "IPython.core.historyapp", "jedi", "psutil", "sqlite3", "comm", "jupyter_client.session",
)  # fmt: skip
# It hooks itself to a shell when it is imported. In a template there is none yet, and figures would vanish silently.
_NEVER = "matplotlib_inline"
# They ask for the shell when they are imported. matplotlib can be told of it later (in some versions it looks then); to
# pandas it only matters that there is one with a kernel: in a terminal, it would print tables as wide as that.
_MAY_ASK = ("matplotlib", "pandas")


class Child:
    """A forked process and the connection that asked for it."""

    def __init__(self, pid: int, connection: socket.socket, news: int) -> None:
        self.pid, self.connection, self._news = pid, connection, news

    def learned(self) -> list[str]:
        """Returns which modules it has imported, if it said so at its end, and forgets them."""
        os.lseek(self._news, 0, os.SEEK_SET)
        data = os.read(self._news, _LARGEST_REQUEST)
        os.close(self._news)
        with contextlib.suppress(ValueError, RecursionError):  # a notebook can write there what it likes
            names = json.loads(data)
            if isinstance(names, list):
                return [name for name in names if isinstance(name, str) and _is_module_name(name)]
        return []


class Template:
    """The serving loop; one instance per process.

    Args:
        path: Of the socket.
        owner: A file whose end means that the owner is gone.
        cells: A shell that children go on with, instead of beginning anew.
    """

    def __init__(self, path: str, *, owner: int | None = None, cells: Any = None) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _umask(0o177):
            self._listener.bind(path)
        self._listener.listen(64)
        self._path, self._owner, self._cells = path, owner, cells
        self._children: dict[int, Child] = {}
        self._wake, wake = os.pipe()
        for end in (self._wake, wake):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C is for the owner, who then closes our standard input
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        # what a notebook started and left alone becomes this process's child when its own has ended, and can be ended
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
        self._private = (self._listener.fileno(), self._wake, wake)

    def serve(self) -> NoReturn:
        """Forks on request until the owner is gone."""
        owner = [] if self._owner is None else [self._owner]
        while True:
            connections = {child.connection.fileno(): child for child in self._children.values()}
            waited: list[Any] = [self._listener, self._wake, *owner, *connections]
            ready, _, _ = select.select(waited, [], [])
            if self._wake in ready:
                self._reap()
            for item in ready:
                if item is self._listener:
                    self._accept()
                elif item in owner:
                    self._end()
                elif item in connections:
                    self._abandon(connections[item])

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(_REQUEST_TIMEOUT_S)
        files: list[int] = []
        try:
            request, files = _receive(connection)
            if "preload" in request:
                left, missing = preload(request["preload"])
                gc.freeze()
                _answer(connection, {"left_out": left, "missing": missing, "watched": watched()})
                connection.close()
                return
            if (threads := _threads()) != 1:
                raise RuntimeError(f"{threads} threads in the template")
            child = self._fork(request, files, connection)
        except Exception as error:  # whatever is wrong with a request must not hurt the others
            _answer(connection, {"refused": str(error)})
            connection.close()
        else:
            connection.settimeout(None)
            self._children[child.pid] = child
            _answer(connection, {"pid": child.pid})
        finally:
            for file in files:
                os.close(file)

    def _fork(self, request: dict[str, Any], files: list[int], connection: socket.socket) -> Child:
        sys.stdout.flush()
        sys.stderr.flush()
        news = os.memfd_create("modules")
        try:
            pid = os.fork()
        except OSError:
            os.close(news)
            raise
        if pid == 0:
            global _news  # noqa: PLW0603 - of this child, and no other process
            _news = news
            self._become(request, files, connection)
        return Child(pid, connection, news)

    def _become(self, request: dict[str, Any], files: list[int], connection: socket.socket) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for file in self._private:
                os.close(file)
            for child in self._children.values():
                child.connection.close()
                child.learned()
            connection.close()
            _of_the_template.update(sys.modules)
            _prepare(request, files)
            code = _run_shell(request, files[2], self._cells) if len(files) > 2 else _run_kernel(request)
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
        while (ended := _ended_child()) is not None:
            child = self._children.pop(ended, None)
            if child is not None:
                _kill_group(ended)  # while it is not yet waited for, its number cannot be another's
            _, status, usage = os.wait4(ended, 0)
            if child is not None:
                code = os.waitstatus_to_exitcode(status)
                cpu = round(usage.ru_utime + usage.ru_stime, 3)
                told = {"exit": code, "cpu_s": cpu, "max_rss_kb": usage.ru_maxrss, "learned": child.learned()}
                _answer(child.connection, told)
                child.connection.close()
        self._tidy()

    def _abandon(self, child: Child) -> None:
        # a client sends nothing after its request: readable means that it is gone
        if child.pid in self._children:
            _kill_group(child.pid)
            child.connection.close()
            self._children.pop(child.pid)
            os.waitpid(child.pid, 0)
            child.learned()
        self._tidy()

    def _tidy(self) -> None:
        # a child is given what its notebook leaves running, so that this comes here only when the child has ended
        _kill_strays(set(self._children))

    def _end(self) -> NoReturn:
        for child in self._children.values():
            _kill_group(child.pid)
        _kill_strays(set())
        folder = Path(self._path).parent
        if folder.name.startswith(_FOLDER):  # made for this template; the owner cannot remove it if it was killed
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)


def _ended_child() -> int | None:
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if found is None else found.si_pid


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):  # it may not lead a group yet
        os.kill(leader, signal.SIGKILL)


def _kill_strays(known: set[int]) -> None:
    """Ends children that are not known, which notebooks left running; new ones may appear while the others die."""
    for _ in range(1000):
        found = _child_pids() - known
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in found:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.001)


def _child_pids() -> set[int]:
    listed = Path(f"/proc/self/task/{os.getpid()}/children")
    if listed.is_file():
        return set(map(int, listed.read_text(encoding="ascii").split()))
    found = set()
    for entry in Path("/proc").iterdir():  # a kernel built without that list
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if int((entry / "stat").read_bytes().rpartition(b") ")[2].split()[1]) == os.getpid():
                    found.add(int(entry.name))
    return found


@contextlib.contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    head, extra, _, _ = connection.recvmsg(_LENGTH.size, socket.CMSG_SPACE(_MOST_FILES * array.array("i").itemsize))
    files = array.array("i")
    for level, kind, data in extra:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            files.frombytes(data[: len(data) - len(data) % files.itemsize])
    (size,) = _LENGTH.unpack(head.ljust(_LENGTH.size, b"\xff"))
    try:
        if size > _LARGEST_REQUEST or len(files) < 2:  # standard output and error
            raise ValueError("not a request")
        return json.loads(_read(connection, size)), list(files)
    except BaseException:
        for file in files:
            os.close(file)
        raise


def _read(connection: socket.socket, size: int) -> bytes:
    body = b""
    while len(body) < size:
        part = connection.recv(size - len(body))
        if not part:
            raise ValueError("a request that is cut short")
        body += part
    return body


def _answer(connection: socket.socket, answer: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the client may be gone
        connection.sendall(json.dumps(answer).encode() + b"\n")


def _prepare(request: dict[str, Any], files: list[int]) -> None:
    os.setsid()
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    prctl(_PR_SET_CHILD_SUBREAPER, 1)  # what its notebook leaves running stays below it, and so is known to be its own
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    null = os.open(os.devnull, os.O_RDONLY)
    for target, source in enumerate((null, *files[:2])):
        os.dup2(source, target)
        os.close(source)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update({**_set_by_imports, **request["env"]})
    time.tzset()
    tempfile.tempdir = None
    with contextlib.suppress(OSError):  # where memory runs out, Linux is to end this and not who asked for it
        Path("/proc/self/oom_score_adj").write_text(_ENDED_FIRST, encoding="ascii")
    if request.get("memory_limit_mb"):
        limit = request["memory_limit_mb"] << 20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _forget_hidden() -> None:
    """Modules in the working directory come before installed ones of their name, which the notebook must not get."""
    loaded = set(sys.modules) - _of_the_kernel  # a cold kernel, too, has its own before it looks in the directory
    found = importlib.machinery.PathFinder.find_spec
    hidden = set()
    for name in {module.partition(".")[0] for module in loaded}:
        spec = found(name, [os.getcwd()])  # noqa: PTH109 - importlib wants text
        if spec is not None and spec.has_location:
            hidden.add(name)
    for module in loaded:
        if module.partition(".")[0] in hidden:
            del sys.modules[module]


def _reread_matplotlibrc() -> None:
    """Settings are read when matplotlib is imported; this folder and environment may have others."""
    matplotlib = sys.modules.get("matplotlib")
    if matplotlib is not None:
        matplotlib.rcParams.update(matplotlib.rc_params())
        matplotlib.rcParamsOrig.update(matplotlib.rcParams)


def _hook_pyplot() -> None:
    """Older versions of matplotlib look for the notebook's shell when they are imported, and it was not there then."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None and pyplot._REPL_DISPLAYHOOK.name == "PLAIN":  # noqa: SLF001 - there is no other way to know
        pyplot.install_repl_displayhook()


def _file_of(module: str) -> str:
    spec = importlib.util.find_spec(module)
    return module if spec is None or spec.origin is None else spec.origin


def _run_kernel(request: dict[str, Any]) -> int:
    _forget_hidden()
    _reread_matplotlibrc()
    sys.argv = [_file_of(request["argv"][0]), *request["argv"][1:]]
    from ipykernel.kernelapp import IPKernelApp  # noqa: PLC0415 - imported by then

    app: Any = IPKernelApp.instance(parent_handle=1)  # it has no parent to look after, and need not talk of ctrl-C
    app.no_stdout = app.no_stderr = False
    app.initialize(sys.argv[1:])
    _hook_pyplot()
    _sibling("seeding").seed_streams(request.get("seed"))
    try:
        app.start()
    finally:
        # it would wait for a thread that waits for one that has ended; the process ends a moment later anyway
        atexit.unregister(app.close)
        _leave_well()
    return 0


def _run_shell(request: dict[str, Any], file: int, cells: Any) -> int:
    os.set_inheritable(file, False)
    shell = _sibling("shell")
    channel = shell.Channel(file)
    if cells is None:
        _forget_hidden()
        _reread_matplotlibrc()
        sys.argv = [_file_of("ipykernel_launcher")]
        cells = shell.Cells(channel)
        _hook_pyplot()
        _sibling("seeding").seed_streams(request.get("seed"))
    else:
        cells.resume(channel)  # with the random streams where the shared cells left them
    try:
        path = cells.serve()
    except BrokenPipeError:  # nobody is there any more
        return 1
    if path is None:
        _leave_well()
        return 0
    return _become_template(path, cells, channel)


def _become_template(path: str, cells: Any, channel: Any) -> NoReturn:
    if reason := cells.unsharable():
        channel.send({"refused": reason})
        sys.exit(1)
    gc.collect()
    gc.freeze()
    template = Template(path, cells=cells)
    channel.send({"serving": os.getpid()})
    channel.close()
    template.serve()


def _leave_well() -> None:
    """Does what a notebook may rely on at the end; tearing down every module, which takes a second, is not of it."""
    _tell_modules()
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public name for it
    for item in gc.get_objects():
        if isinstance(item, io.IOBase) and not isinstance(item, io.RawIOBase):
            with contextlib.suppress(Exception):
                item.flush()


def _tell_modules() -> None:
    """Tells the template which modules were imported here: libraries import much when they are first used."""
    names = [name for name, module in list(sys.modules.items()) if name not in _of_the_template and _below(module)]
    with contextlib.suppress(OSError, TypeError, ValueError):  # the notebook may have closed it
        os.write(_news, json.dumps(names).encode())


def _below(module: Any) -> bool:
    """Whether a module was found where the template looks for modules."""
    origin = _origin(module)
    return origin is not None and any(parent in _paths for parent in Path(origin).parents)


def _origin(module: Any) -> str | None:
    origin = getattr(getattr(module, "__spec__", None), "origin", None)
    return origin if isinstance(origin, str) and origin.endswith((".py", ".so")) else None


def watched() -> dict[str, int]:
    """Returns what must not change while a template lives, with the moment of its last change in ns.

    Folders into which packages are installed, and the files of modules from elsewhere.
    """
    installed = {path for path in _paths if path.name in ("site-packages", "dist-packages")}
    known = {*installed, *map(Path, set(sysconfig.get_paths().values()))}
    files = [Path(origin) for module in list(sys.modules.values()) if (origin := _origin(module)) is not None]
    found = {}
    for path in (*installed, *(file for file in files if not known.intersection(file.parents))):
        with contextlib.suppress(OSError):
            found[str(path)] = path.stat().st_mtime_ns
    return found


def _is_module_name(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


_news = -1  # in a child, the file by which it tells its template what it has imported
_paths: set[Path] = set()  # where the template finds modules
_of_the_template: set[str] = set()
_siblings: dict[str, ModuleType] = {}
_of_the_kernel: set[str] = set()
_set_by_imports: dict[str, str] = {}  # variables by which libraries tell others, and their own parts, where things are


def _sibling(name: str) -> ModuleType:
    """Returns the module of a file beside this one, under no name that a notebook could import or hide."""
    if name not in _siblings:
        spec = importlib.util.spec_from_file_location(f"_braggbook_{name}", Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        _siblings[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(_siblings[name])
    return _siblings[name]


class _Watch:
    """Notes what an import does that must happen in the child: printing, warning, threads, asking for the shell."""

    def __init__(self) -> None:
        self._seen = os.memfd_create("import")
        self._asked = False
        self._get_ipython: Any = None
        self._filters = list(warnings.filters)

    def begin(self) -> None:
        """Watches from now on; Jupyter's own modules have been imported."""
        import IPython  # noqa: PLC0415 - a kernel has it; this file must be importable without

        self._get_ipython = real = IPython.core.getipython.get_ipython

        def get_ipython() -> Any:
            self._note(sys._getframe(1).f_globals)  # noqa: SLF001 - the only way to know who asks
            return real()

        def get_ipython_of_builtins() -> Any:
            self._note(sys._getframe(1).f_globals)  # noqa: SLF001 - the same
            return SimpleNamespace(kernel=None)

        IPython.get_ipython = IPython.core.getipython.get_ipython = get_ipython
        builtins.get_ipython = get_ipython_of_builtins  # type: ignore[attr-defined]
        self._kept = [os.dup(number) for number in (1, 2)]
        for number in (1, 2):
            os.dup2(self._seen, number)

    def end(self) -> None:
        """Puts everything back."""
        import IPython  # noqa: PLC0415

        IPython.get_ipython = IPython.core.getipython.get_ipython = self._get_ipython
        del builtins.get_ipython  # type: ignore[attr-defined]
        for number, kept in zip((1, 2), self._kept, strict=True):
            os.dup2(kept, number)
            os.close(kept)
        os.close(self._seen)

    def _note(self, asking: dict[str, Any]) -> None:
        if str(asking.get("__name__")).partition(".")[0] not in _MAY_ASK:
            self._asked = True

    def reason(self) -> str:
        """Returns why the module that was just imported must not stay in a template; empty if it may."""
        sys.stdout.flush()
        sys.stderr.flush()
        if (threads := _threads()) != 1:
            return f"starts {threads - 1} threads"
        if os.fstat(self._seen).st_size:
            return "prints or warns when it is imported"
        if self._asked:
            return "asks for the notebook's shell when it is imported"
        before, self._filters = self._filters, list(warnings.filters)
        if any(_of_all_warnings(entry) for entry in self._filters if entry not in before):
            return "changes which warnings are shown when it is imported"
        return ""


def _of_all_warnings(entry: Any) -> bool:
    # kernels share the template: what one notebook imports must not hide another's warnings, or show more of them
    _, message, category, module, _ = entry
    return message is None and module is None and category.__module__ == "builtins"


def preload(modules: list[str]) -> tuple[dict[str, str], list[str]]:
    """Imports modules; returns those that must be left to the child, with the reason, and those that are not there."""
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # otherwise the debugger's import prints a warning
    for name in KERNEL_MODULES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    if not _of_the_kernel:
        _of_the_kernel.update(sys.modules)
    given = dict(os.environ)
    left, missing = {}, []
    watch = _Watch()
    watch.begin()
    try:
        for name in modules:
            if name.partition(".")[0] == _NEVER:
                continue
            try:
                importlib.import_module(name)
            except ImportError:
                missing.append(name)
            except BaseException as error:  # whatever a library raises when it is imported is the notebook's to see
                left[name] = f"raises {type(error).__name__} when it is imported"
            if reason := watch.reason():
                left[name] = reason
                break  # it cannot be undone in this process
    finally:
        watch.end()
    _set_by_imports.update({name: value for name, value in os.environ.items() if name not in given})
    return left, missing


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _threads() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def main() -> None:
    """Imports the modules, makes sure that the process can be forked, and serves."""
    path, *modules = sys.argv[1:]
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]
    _paths.update(Path(entry) for entry in sys.path if entry)
    left, missing = preload(modules)
    for name in ("shell", "seeding"):
        _sibling(name)
    if left or _threads() != 1:
        _say({"left_out": left, "threads": _threads()})
        sys.exit(3)
    gc.collect()
    gc.freeze()  # the children's collector must not touch, and so copy, the template's pages
    template = Template(path, owner=0)
    _say({"ready": os.getpid(), "missing": missing, "watched": watched()})
    template.serve()


if __name__ == "__main__":
    main()

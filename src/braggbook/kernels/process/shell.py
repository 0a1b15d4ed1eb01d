"""The child's side of the in-process engine: cells run in IPython's shell, outputs go back over a socket.

There is no ZMQ, no thread and no event loop of our own here. The shell is ipykernel's, with a session that writes each
message as a JSON line, so that outputs have the same types, MIME keys and texts as from a real kernel. Standard output
and error are the process's own: what Python prints and what programs below it print arrive in the order of writing.
Every message waits for an answer of one byte: by then, the reader has taken all that was printed before it.

What needs a client that talks back (widgets, input, event loops, debugging) is not here, and says so.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import getpass
import json
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MethodType, SimpleNamespace
from typing import Any, TextIO

_PART = 1 << 16
NO_KERNEL = "it runs in a shell without a Jupyter kernel; run it with the real kernel: --engine kernel"
Send = Callable[[Mapping[str, Any]], None]


class Channel:
    """One JSON object a line, both ways, over a socket."""

    def __init__(self, file: int) -> None:
        self._socket = socket.socket(fileno=file)
        self._buffer = b""
        self._lock = threading.Lock()

    def send(self, message: Mapping[str, Any]) -> None:
        """Writes a message whole, and waits until it has been taken."""
        data = json.dumps(message, default=str).encode() + b"\n"
        with self._lock:
            self._socket.sendall(data)
            if not self._socket.recv(1):
                raise BrokenPipeError("nobody reads the outputs any more")

    def receive(self) -> dict[str, Any] | None:
        """Waits for the next command; None when nobody is there to give one."""
        while b"\n" not in self._buffer:
            part = self._socket.recv(_PART)
            if not part:
                return None
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        command: dict[str, Any] = json.loads(line)
        return command

    def close(self) -> None:
        """Ends it on this side."""
        self._socket.close()


def _printer(file: int) -> TextIO:
    """Standard output or error of the notebook; it hands on whole lines, so that a program's do not fall into them."""
    return open(file, "w", buffering=1, encoding="utf-8", errors="replace", newline="\n", closefd=False)


class Cells:
    """An IPython shell that runs cells as they are asked for over a channel."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self._owner, self._random = os.getpid(), random.getstate()
        self._shell = _make_shell(self._send)
        self._files = open_files()
        sys.stdout, sys.stderr = self._printers = _printer(1), _printer(2)
        os.register_at_fork(before=self._flush)  # otherwise a copy would print it once more
        python = sys.version_info
        info = {
            "name": "python", "version": f"{python.major}.{python.minor}.{python.micro}", "mimetype": "text/x-python",
            "codemirror_mode": {"name": "ipython", "version": 3}, "pygments_lexer": "ipython3",
            "nbconvert_exporter": "python", "file_extension": ".py",
        }  # fmt: skip
        self.greeting = {"language_info": info}

    def _send(self, message: Mapping[str, Any]) -> None:
        if os.getpid() == self._owner:  # a process that the notebook forked must not talk in its parent's place
            self.channel.send(message)

    def _flush(self) -> None:
        for printer in self._printers:
            with contextlib.suppress(OSError, ValueError):  # the notebook may have closed it
                printer.flush()

    def resume(self, channel: Channel) -> None:
        """Goes on in a forked process, with another reader."""
        self.channel, self._owner = channel, os.getpid()
        random.setstate(self._random)

    def serve(self) -> str | None:
        """Runs cells until the asking side is gone (None), or asks this process to become a template (its socket)."""
        self._send(self.greeting)
        while (command := self.channel.receive()) is not None:
            if path := command.get("become_template"):
                self._random = random.getstate()  # Python seeds its stream anew in every forked process
                return str(path)
            self._run(command)
            if self._shell.exit_now:
                return None
        return None

    def _run(self, command: Mapping[str, Any]) -> None:
        shell = self._shell
        shell.execution_count = command["count"]
        began = time.monotonic()
        result = shell.run_cell(command["source"], store_history=True)
        self._flush()
        if os.getpid() != self._owner:
            os._exit(0)  # the cell forked, and this is the copy
        error = result.error_before_exec if result.error_before_exec is not None else result.error_in_exec
        failed = not result.success or getattr(shell, "_last_traceback_during_displayhook", False)
        ended = {"ended": True, "ok": not failed, "count": command["count"], "seconds": time.monotonic() - began}
        if failed:
            traceback = getattr(shell, "_last_traceback", None) or []
            ended |= {"ename": type(error).__name__, "evalue": str(error), "traceback": traceback}
        shell.payload_manager.clear_payload()
        self._send(ended)

    def unsharable(self) -> str:
        """Returns why this process cannot be forked for many runs; empty if it can."""
        tasks = len(list(Path("/proc/self/task").iterdir()))
        if tasks != 1:
            return f"the shared cells started {tasks - 1} threads"
        children = Path(f"/proc/self/task/{os.getpid()}/children")
        if children.is_file() and children.read_text(encoding="ascii").split():
            return "the shared cells started processes"
        if " rw-s " in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace"):
            return "the shared cells left memory that processes would share"
        _close_fonts()
        if opened := open_files() - self._files:
            return f"the shared cells left files open: {', '.join(sorted(opened)[:3])}"
        return ""


def _close_fonts() -> None:
    """Closes the font files that matplotlib keeps for the next figure; a child opens them itself."""
    kept = getattr(sys.modules.get("matplotlib.font_manager"), "_get_font", None)  # there is no public way
    if kept is not None:
        kept.cache_clear()
        gc.collect()


def open_files() -> set[str]:
    """Returns what this process has open, by name."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.add(f"{entry.name} {entry.readlink()}")
        except OSError:  # the listing's own
            continue
    return found


def _make_shell(send: Send) -> Any:
    """Builds ipykernel's shell around a session that hands its messages to ``send``."""
    import comm  # noqa: PLC0415 - in a template all of these are there
    from ipykernel.compiler import XCachingCompiler  # noqa: PLC0415
    from ipykernel.kernelapp import IPKernelApp  # noqa: PLC0415
    from ipykernel.kernelbase import Kernel  # noqa: PLC0415
    from ipykernel.zmqshell import ZMQInteractiveShell  # noqa: PLC0415
    from IPython.core.error import UsageError  # noqa: PLC0415
    from jupyter_client.session import Session  # noqa: PLC0415
    from traitlets.config import Config  # noqa: PLC0415

    class Told(Session):
        def send(self, stream: Any, msg_or_type: Any, content: Any = None, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002
            if isinstance(msg_or_type, Mapping):
                kind, body = msg_or_type["header"]["msg_type"], msg_or_type["content"]
            else:
                kind, body = msg_or_type, content
            send({"msg_type": kind, "content": body})

    class Shell(ZMQInteractiveShell):
        def enable_gui(self, gui: Any = None) -> None:
            if gui not in (None, "inline"):
                raise UsageError(f"no event loop for {gui!r}: {NO_KERNEL}")

    def no_comm(*_: Any, **__: Any) -> Any:
        raise RuntimeError(f"the notebook opens a widget: {NO_KERNEL}")

    session = Told(key=b"")
    comm.create_comm = no_comm
    kernel = SimpleNamespace(
        session=session, iopub_socket=None, eventloop=None, _topic=lambda name: name.encode(),
        get_parent=lambda *_: {}, shell_streams=[], do_one_iteration=lambda: None, _allow_stdin=False,
    )  # fmt: skip
    builtins.input, getpass.getpass = MethodType(Kernel.raw_input, kernel), MethodType(Kernel.getpass, kernel)
    app: Any = IPKernelApp
    app().init_path()  # where a kernel finds the modules of its working directory
    # Libraries that look for "IPKernelApp" mean: is this a notebook? History in SQLite would need a thread.
    config = Config({"IPKernelApp": {"parent_appname": "braggbook"}, "HistoryManager": {"enabled": False}})
    shell: Any = Shell.instance(kernel=kernel, config=config, compiler_class=XCachingCompiler)
    shell.extension_manager.load_extension("storemagic")
    parts: tuple[Any, Any] = (shell.displayhook, shell.display_pub)
    for part in parts:
        part.session = session
        part.pub_socket = object()
    parts[0].topic = b"execute_result"
    return shell

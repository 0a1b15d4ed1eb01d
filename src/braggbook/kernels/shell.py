"""The child's side of the in-process engine: cells run in IPython's shell, outputs go back as messages.

There is no ZMQ, no thread and no event loop of our own here. The shell is ipykernel's, with a session that writes each
message as a JSON line instead of sending it, so that outputs have the same types, MIME keys and texts as from a real
kernel. What needs a client that talks back (widgets, input, debugging) is not here; see ``needs_a_real_kernel``.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

Send = Callable[[dict[str, Any]], None]
_LARGEST_BUFFER = 1 << 16


class Channel:
    """One JSON object a line, to the process that asked."""

    def __init__(self, file: int) -> None:
        self._file = file

    def send(self, message: dict[str, Any]) -> None:
        """Writes a message whole."""
        data = memoryview(json.dumps(message, default=str).encode() + b"\n")
        while data:
            data = data[os.write(self._file, data) :]


class Stream(io.TextIOBase):
    """Standard output or error of the notebook; texts are gathered until something else is shown."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, name: str, send: Send, *, memory: int) -> None:
        self.name = name
        self._send, self._memory = send, memory
        self._parts: list[str] = []
        self._size = 0
        self._read = 0

    def fileno(self) -> int:
        """The file that programs started by the notebook write to."""
        return self._memory

    def isatty(self) -> bool:  # noqa: D102 - io's
        return False

    def writable(self) -> bool:  # noqa: D102 - io's
        return True

    def write(self, text: str) -> int:  # noqa: D102 - io's
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text)}")
        self._parts.append(text)
        self._size += len(text)
        if self._size > _LARGEST_BUFFER:
            self.flush()
        return len(text)

    def flush(self) -> None:  # noqa: D102 - io's
        text = "".join(self._parts) + self._from_below()
        self._parts.clear()
        self._size = 0
        if text:
            self._send({"msg_type": "stream", "content": {"name": self.name, "text": text}})

    def _from_below(self) -> str:
        # what libraries and programs wrote past Python, to the file descriptor itself
        found = os.pread(self._memory, 1 << 24, self._read)
        self._read += len(found)
        return found.decode("utf-8", "replace")


def make_shell(send: Send) -> Any:
    """Builds ipykernel's shell around a session that hands its messages to ``send``."""
    import comm  # noqa: PLC0415 - in a template all of these are there
    from ipykernel.comm.manager import CommManager  # noqa: PLC0415
    from ipykernel.zmqshell import ZMQInteractiveShell  # noqa: PLC0415
    from jupyter_client.session import Session  # noqa: PLC0415

    class Told(Session):
        def send(self, stream: Any, msg_or_type: Any, content: Any = None, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002
            if isinstance(msg_or_type, Mapping):
                kind, body = msg_or_type["header"]["msg_type"], msg_or_type["content"]
            else:
                kind, body = msg_or_type, content
            send({"msg_type": kind, "content": body})

    session = Told(key=b"")
    comm.get_comm_manager = CommManager
    kernel = SimpleNamespace(
        session=session, iopub_socket=None, eventloop=None, _topic=lambda name: name.encode(),
        get_parent=lambda *_: {}, shell_streams=[],
    )  # fmt: skip

    class Shell(ZMQInteractiveShell):
        def enable_gui(self, gui: Any = None) -> None:
            if gui not in (None, "inline"):
                raise ValueError(f"no event loop for {gui!r} here: run it with the real kernel")

    shell = Shell.instance(kernel=kernel)
    for part in (shell.displayhook, shell.display_pub):
        part.session = session
        part.pub_socket = object()
    shell.displayhook.topic = b"execute_result"
    return shell


def run_cells(cells: Iterable[Mapping[str, Any]], *, channel: Channel, memory: tuple[int, int]) -> None:
    """Runs cells in order, up to the first that fails.

    Args:
        cells: ``index``, ``source`` and ``may_fail`` of each.
        channel: Where messages go.
        memory: Files that stand for the descriptors 1 and 2.
    """
    shell = make_shell(channel.send)
    sys.stdout, sys.stderr = (Stream(n, channel.send, memory=m) for n, m in zip(("stdout", "stderr"), memory, strict=True))
    for cell in cells:
        began = time.monotonic()
        channel.send({"cell": cell["index"]})
        result = shell.run_cell(cell["source"], store_history=True, silent=False)
        sys.stdout.flush()
        sys.stderr.flush()
        shell.payload_manager.clear_payload()
        ended = {"ended": cell["index"], "ok": bool(result.success), "count": shell.execution_count - 1}
        channel.send({**ended, "seconds": round(time.monotonic() - began, 4)})
        if not result.success and not cell.get("may_fail"):
            return

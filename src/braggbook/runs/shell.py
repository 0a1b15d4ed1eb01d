"""A forked shell as its owner sees it: commands go in, messages and printed text come out.

The other side is :mod:`braggbook.kernels.process.shell`.
"""

from __future__ import annotations

import codecs
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from braggbook.kernels.warm import ForkedProcess, Forks

_PART = 1 << 16
_GRACE_S = 5.0  # for functions that a notebook registered to run at its end
_STREAMS = ("stdout", "stderr")


class ShellEnded(Exception):
    """The shell's process ended while it was asked for something."""


class ShellProcess:
    """A forked shell: commands go to it, messages and printed text come back.

    Args:
        forks: What it is forked from.
        request: See :func:`braggbook.kernels.warm.ask`.
    """

    def __init__(self, forks: Forks, request: Mapping[str, Any]) -> None:
        self._channel, theirs = socket.socketpair()
        pipes = {name: os.pipe() for name in _STREAMS}
        try:
            files = (*(write for _, write in pipes.values()), theirs.fileno())
            self.process: ForkedProcess = forks.fork(request, files)
        except BaseException:
            self._channel.close()
            for read, _ in pipes.values():
                os.close(read)
            raise
        finally:
            theirs.close()
            for _, write in pipes.values():
                os.close(write)
        self._pipes = {read: name for name, (read, _) in pipes.items()}
        for read in self._pipes:
            os.set_blocking(read, False)
        self._decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in _STREAMS}
        self._buffer = bytearray()

    def tell(self, command: Mapping[str, Any]) -> None:
        """Sends a command.

        Raises:
            ShellEnded: It is gone.
        """
        try:
            self._channel.sendall(json.dumps(command).encode() + b"\n")
        except OSError:
            raise ShellEnded from None

    def messages(self, *, deadline: float | None = None) -> Any:
        """Yields what comes: ``(name, text)`` of printed text and the shell's own messages, in the order of writing.

        Raises:
            ShellEnded: The process ended.
            TimeoutError: The deadline (of the monotonic clock) has passed.
        """
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError
            waited: list[Any] = [self._channel, *self._pipes]
            if self.process.returncode is None:
                waited.append(self.process)
            ready, _, _ = select.select(waited, [], [], left)
            yield from self._printed()
            if self._channel in ready and (message := self._message()) is not None:
                yield from self._printed()
                with suppress(OSError):
                    self._channel.sendall(b"\0")
                yield message
            elif self._channel in ready or (self.process in ready and self.process.poll() is not None):
                self._await_end()
                yield from self._printed()
                raise ShellEnded

    def _message(self) -> dict[str, Any] | None:
        """Returns the next message whole; None when no more can come."""
        while True:
            try:
                part = self._channel.recv(_PART)
            except ConnectionResetError:
                return None
            if not part:
                return None
            self._buffer += part
            if self._buffer.endswith(b"\n"):  # it waits for an answer: nothing stands behind a whole message
                message: dict[str, Any] = json.loads(self._buffer)
                self._buffer.clear()
                return message

    def _await_end(self) -> None:
        # the channel closes a moment before the template says how the process ended; unless the notebook closed it
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_GRACE_S)
        self.end()

    def _printed(self) -> Any:
        for read, name in list(self._pipes.items()):
            with suppress(BlockingIOError):
                while part := os.read(read, _PART):
                    if text := self._decoders[name].decode(part):
                        yield name, text
                os.close(read)  # an end of file: nobody can print there any more
                del self._pipes[read]

    def leave(self) -> None:
        """Lets it end by itself, within a short time."""
        with suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)
        end = time.monotonic() + _GRACE_S
        while self.process.returncode is None and (left := end - time.monotonic()) > 0:
            waited: list[Any] = [*self._pipes, self.process]
            ready, _, _ = select.select(waited, [], [], left)
            for _ in self._printed():
                pass  # nobody is shown what is printed after the last cell
            if self.process in ready:
                self.process.poll()
        self.end()

    def end(self) -> None:
        """Ends it and all that it started."""
        if self.process.poll() is None:
            for kill in (os.killpg, os.kill):  # it leads a group of its own, unless it has only just begun
                with suppress(ProcessLookupError):
                    kill(self.process.pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_GRACE_S)
            self.process.close()

    def close(self) -> None:
        """Ends it if it still runs, and closes what connects to it."""
        self.end()
        self._channel.close()
        for read in self._pipes:
            os.close(read)
        self._pipes.clear()

"""Kernels that are forked from a template which has already imported their libraries.

A :class:`Template` is one process per interpreter, environment and list of modules; :meth:`Template.fork` gives a
kernel's process that looks like :class:`subprocess.Popen`. See :mod:`braggbook.kernels.template` for what happens on
the other side.
"""

from __future__ import annotations

import array
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from braggbook.errors import KernelUnavailable

_SCRIPT = Path(__file__).with_name("template.py")
_START_TIMEOUT_S = 120.0


def can_fork() -> bool:
    """Whether this system can fork a process that has loaded scientific libraries; only Linux safely can."""
    return sys.platform == "linux" and hasattr(os, "fork")


class ForkedProcess:
    """A forked kernel, with the parts of :class:`subprocess.Popen` that kernel managers use."""

    stdin = stdout = stderr = None

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""
        self.returncode: int | None = None
        self.usage: dict[str, Any] = {}
        self.pid = int(self._line(timeout=_START_TIMEOUT_S)["pid"])

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
        if self.returncode is None:
            try:
                self.usage = self._line(timeout)
                self.returncode = int(self.usage["exit"])
            except TimeoutError:
                return None
            except (EOFError, OSError):  # the template died, and every child with it
                self.returncode = -signal.SIGKILL
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends a signal to the kernel."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Asks it to end."""
        self.send_signal(signal.SIGTERM)


class Template:
    """A template process that this process owns: it ends when this one does, however that ends."""

    def __init__(self, *, python: Path, modules: Sequence[str], variables: Mapping[str, str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="braggbook-template-")
        self.path = str(Path(self._folder.name) / "socket")
        command = [str(python), str(_SCRIPT), self.path, *modules]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(variables),
            cwd=self._folder.name,
            text=True,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self.missing = self._greeting()

    def _greeting(self) -> list[str]:
        assert self._process.stdout is not None
        timer = threading.Timer(_START_TIMEOUT_S, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        greeting = json.loads(line) if line else {}
        if "ready" not in greeting:
            got = greeting.get("refused") or f"exit code {self._process.wait()}"
            raise KernelUnavailable("the template of a warm kernel did not start", got=got)
        return list(greeting["missing"])

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def fork(self, request: Mapping[str, Any], *, stdout: int, stderr: int) -> ForkedProcess:
        """Returns a new child.

        Raises:
            KernelUnavailable: The template is gone.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        body = json.dumps(request).encode()
        files = array.array("i", [stdout, stderr])
        try:
            connection.connect(self.path)
            connection.sendmsg(
                [struct.pack("!I", len(body))], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files.tobytes())]
            )
            connection.sendall(body)
            return ForkedProcess(connection)
        except (OSError, EOFError, TimeoutError) as error:
            connection.close()
            raise KernelUnavailable("the template of a warm kernel is gone", got=str(error)) from None

    def close(self) -> None:
        """Ends it and all its children."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.stdout is not None:
            self._process.stdout.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

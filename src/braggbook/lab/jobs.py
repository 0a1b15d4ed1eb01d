"""What the panel has asked for and is being done: each job is a child, and found again by any browser."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from braggbook.errors import InputError, InternalError, UnknownName
from braggbook.lab.orders import read_order

State = Literal["running", "stopping", "done", "failed", "stopped"]
COMMAND = (sys.executable, "-m", "braggbook.lab.work")
MOST_AT_ONCE = 4  # each has a kernel; more would only wait for each other
_KEPT = 50  # jobs that have ended
_LONGEST_LINE = 1 << 26  # of what a child says: a plan lists its files
_TAIL_BYTES = 4000  # of what it wrote elsewhere, shown when it died without a word
_GRACE_S = 15.0  # to end after it was interrupted
_SHOWN_LINES = 20


@dataclass
class Job:
    """One order, and how far it is.

    Attributes:
        id: Drawn; no browser can guess another's.
        kind: As in the order.
        path: The notebook, as JupyterLab names it.
        version: Grows with everything that happens, so that a browser can wait for what it does not know.
    """

    id: str
    kind: str
    path: str
    about: dict[str, Any]
    state: State = "running"
    began: float = field(default_factory=time.time)
    ended: float | None = None
    progress: dict[str, Any] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    version: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _process: asyncio.subprocess.Process | None = field(default=None, repr=False)

    @property
    def over(self) -> bool:
        """Whether it has ended, however."""
        return self.state in ("done", "failed", "stopped")

    def as_json(self) -> dict[str, Any]:
        """Returns it for a browser; no token is in it."""
        return {
            "id": self.id, "kind": self.kind, "path": self.path, "about": self.about, "state": self.state,
            "seconds": round((self.ended or time.time()) - self.began, 1), "progress": self.progress,
            "said": self.said[-_SHOWN_LINES:], "result": self.result, "error": self.error, "version": self.version,
        }  # fmt: skip

    def change(self, **what: Any) -> None:
        """Changes it, and tells all who wait."""
        for name, value in what.items():
            setattr(self, name, value)
        self.version += 1
        self._news.set()
        self._news = asyncio.Event()

    async def news(self, seen: int, *, seconds: float) -> None:
        """Waits until something has happened that a browser has not seen, or until the time is over."""
        if self.version <= seen and not self.over:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), seconds)


@dataclass
class Jobs:
    """All jobs of a server.

    Attributes:
        root: The folder that JupyterLab shows.
        environment: Of the children; tokens are never in it.
        command: That starts a child.
    """

    root: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    command: tuple[str, ...] = COMMAND
    _all: dict[str, Job] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, data: Any) -> Job:
        """Begins an order.

        Raises:
            InputError: It is none, the same is being done for this notebook, or too much is.
        """
        order = read_order(data)
        running = [job for job in self._all.values() if not job.over]
        if any(job.path == order.path and job.kind == order.kind for job in running):
            raise InputError("this is being done already", where=order.path, wanted="its end, or Stop")
        if len(running) >= MOST_AT_ONCE:
            raise InputError("too much is being done", wanted=f"at most {MOST_AT_ONCE} at once", got=str(len(running)))
        about = order.model_dump(mode="json", exclude={"token", "kind", "path"})
        job = Job(secrets.token_hex(8), order.kind, order.path, about)
        self._all[job.id] = job
        self._forget()
        task = asyncio.ensure_future(self._do(job, {"root": str(self.root), "order": order.model_dump(mode="json")}))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    def job(self, id: str) -> Job:
        """Returns a job.

        Raises:
            UnknownName: There is none; the server was started again, or it is long over.
        """
        if id not in self._all:
            raise UnknownName("no such job", where=id, wanted="one that this server was asked for")
        return self._all[id]

    def of(self, path: str) -> list[Job]:
        """Returns the jobs of a notebook, newest first."""
        return [job for job in reversed(self._all.values()) if job.path == path]

    def stop(self, id: str) -> Job:
        """Interrupts a job, as ctrl-C does; what does not end by itself is ended."""
        job = self.job(id)
        if job.state == "running":
            job.change(state="stopping")
            if job._process is not None:  # noqa: SLF001 - a job is of this module
                _signal(job._process, signal.SIGINT)  # noqa: SLF001 - the same
                asyncio.get_running_loop().call_later(_GRACE_S, _signal, job._process, signal.SIGKILL)  # noqa: SLF001
        return job

    def _forget(self) -> None:
        """Forgets the oldest jobs that are over."""
        over = [job.id for job in self._all.values() if job.over]
        for id in over[: max(0, len(over) - _KEPT)]:
            del self._all[id]

    async def _do(self, job: Job, order: dict[str, Any]) -> None:
        tail = bytearray()
        try:
            process = await asyncio.create_subprocess_exec(
                *self.command, cwd=self.root, env=dict(self.environment), stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=_LONGEST_LINE,
                start_new_session=True,
            )  # fmt: skip
            job._process = process  # noqa: SLF001 - a job is of this module
            if job.state == "stopping":
                _signal(process, signal.SIGINT)
            assert process.stdin is not None
            process.stdin.write(json.dumps(order).encode() + b"\n")
            await process.stdin.drain()
            await asyncio.gather(_read(job, process), _keep(process, tail))
            await process.wait()
        except (OSError, ValueError) as error:
            job.change(error=job.error or InternalError("the child cannot be asked", got=str(error)).as_json())
        if job.result is None and job.error is None:
            got = tail.decode(errors="replace").strip().rpartition("\n")[2]
            job.change(error=InternalError("the child ended without a word", got=got).as_json())
        job.change(state=_ending(job), ended=time.time())


def _ending(job: Job) -> State:
    if job.result is not None:
        return "stopped" if job.result.get("verdict") == "interrupted" else "done"
    return "stopped" if job.state == "stopping" else "failed"


async def _read(job: Job, process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        said = json.loads(line)
        if said["event"] == "progress":
            job.change(progress={name: said[name] for name in ("title", "done", "total", "note")})
        elif said["event"] == "say":
            job.change(said=[*job.said, said["text"]])
        elif said["event"] == "done":
            job.change(result=said["result"])
        else:
            job.change(error=said["error"])


async def _keep(process: asyncio.subprocess.Process, tail: bytearray) -> None:
    assert process.stderr is not None
    while block := await process.stderr.read(1 << 16):
        tail += block
        del tail[:-_TAIL_BYTES]


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(number)

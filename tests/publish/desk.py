"""Somebody who publishes: their run, their archive, their token, and the command as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from braggbook.records.serve import ArchiveServer

from ..conftest import Answer

TOKEN = "tok-5d0e8a7c1f-nobody-may-read-this"
TITLE = "Run of: A test experiment"

# Importing everything takes longer than the commands do: one process does it once, and each command is a fork of it.
_FORKS = """
import importlib, json, os, sys, traceback
import zarr
from braggbook.cli.main import entry
for name in ("cli.publish", "cli.archive", "cli.catalogue", "records.plans", "records.archives", "records.receipt"):
    importlib.import_module(f"braggbook.{name}")
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if child == 0:
        os.environ.update(asked["env"])
        os.chdir(asked["cwd"])
        for number, path in enumerate(asked["files"]):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
        sys.argv = ["braggbook", *asked["words"]]
        code = 1
        try:
            entry()
        except SystemExit as stop:
            code = stop.code
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(code)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Forks:
    """Starts commands, one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        env = {name: value for name, value in os.environ.items() if not name.startswith(("BRAGGBOOK_", "ZENODO_"))}
        self._parent = subprocess.Popen(
            [sys.executable, "-c", _FORKS], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, words: list[str], *, env: dict[str, str], cwd: Path) -> Fork:
        """Starts a command."""
        files = [str(self.folder / name) for name in ("in", "out", "err")]
        self.say({"words": words, "env": env, "cwd": str(cwd), "files": files})
        return Fork(self, int(self.heard()))

    def say(self, asked: Any) -> None:
        assert self._parent.stdin is not None
        self._parent.stdin.write(json.dumps(asked) + "\n")
        self._parent.stdin.flush()

    def heard(self) -> str:
        assert self._parent.stdout is not None
        return self._parent.stdout.readline()

    def close(self) -> None:
        self._parent.communicate()


@dataclass
class Fork:
    """A command that runs."""

    forks: Forks
    pid: int
    code: int | None = None

    def kill(self) -> None:
        """Ends it as ``kill -9`` does, and waits for that."""
        os.kill(self.pid, signal.SIGKILL)
        while self.alive():
            time.sleep(0.01)

    def alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def end(self) -> Answer:
        """Waits for its end."""
        if self.code is None:
            self.code = int(self.forks.heard())
        out, err = ((self.forks.folder / name).read_text(encoding="utf-8") for name in ("out", "err"))
        return Answer(self.code, out, err)


@dataclass
class Desk:
    """Somebody with a complete run, a folder archive of their own, and a token in the environment."""

    forks: Forks
    project: Path
    runs: Path
    archive: Path
    run_id: str = ""
    more: dict[str, str] = field(default_factory=dict)
    said: list[Answer] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        variables = {"RUNS": self.runs, "ARCHIVE": self.archive, "ARCHIVE_TOKEN": TOKEN}
        return {f"BRAGGBOOK_{name}": str(value) for name, value in variables.items()} | self.more

    def start(self, *words: str) -> Fork:
        return self.forks.start(list(words), env=self.env, cwd=self.project)

    def call(self, *words: str) -> Answer:
        self.said.append(self.start(*words).end())
        return self.said[-1]

    def publish(self, step: str, to: str, *more: str) -> Answer:
        return self.call("publish", step, self.run_id[:8], "--to", to, "--json", *more)

    def process(self, *words: str, **pipes: Any) -> subprocess.Popen[str]:
        """Starts a command as a shell does, with the streams that are given."""
        command = [sys.executable, "-m", "braggbook", *words]
        env = {name: value for name, value in os.environ.items() if not name.startswith(("BRAGGBOOK_", "ZENODO_"))}
        return subprocess.Popen(command, cwd=self.project, env={**env, **self.env}, text=True, **pipes)


def assert_one_record(server: ArchiveServer) -> None:
    assert [entry.published is not None for entry in server.archive.store.entries()] == [True]


def assert_nobody_saw_the_token(desk: Desk, *folders: Path) -> None:
    """Looks for it in all that was said, and in every file, those in zips included."""
    assert not [answer for answer in desk.said if TOKEN in answer.out + answer.err]
    for path in (path for folder in (desk.runs, desk.archive, *folders) for path in folder.rglob("*")):
        assert TOKEN not in str(path)
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes(), path
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as zipped:
                    assert not [name for name in zipped.namelist() if TOKEN.encode() in zipped.read(name)]


def processes_with_the_token() -> list[str]:
    """Returns the processes whose command line anybody can read it in."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += [str(path)] if TOKEN.encode() in path.read_bytes() else []
        except OSError:
            continue  # it has ended
    return found

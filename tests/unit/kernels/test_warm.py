"""A forked process as its owner sees it, told by the template's side of the connection; and seeding."""

from __future__ import annotations

import json
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from braggbook.errors import KernelUnavailable
from braggbook.kernels import warm
from braggbook.kernels.process.seeding import seed_streams
from braggbook.kernels.warm import ForkedProcess, Templates, ask, can_fork


class Side:
    """The template's side of a connection."""

    def __init__(self) -> None:
        self.theirs, self.connection = socket.socketpair()

    def tell(self, *lines: object) -> None:
        self.connection.sendall(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


@pytest.fixture
def side() -> Iterator[Side]:
    made = Side()
    yield made
    made.theirs.close()
    made.connection.close()


def test_a_process_that_runs_and_ends(side: Side) -> None:
    side.tell({"pid": 2**22 + 5})
    process = ForkedProcess(side.theirs)
    assert process.pid == 2**22 + 5
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    side.tell({"exit": -11, "cpu_s": 0.5, "max_rss_kb": 7})
    assert process.wait(5) == -11
    assert process.poll() == -11
    assert process.usage == {"exit": -11, "cpu_s": 0.5, "max_rss_kb": 7}
    assert not process.template_died
    process.kill()  # is gone: nobody else may be hit


def test_answers_that_come_in_parts(side: Side) -> None:
    side.connection.sendall(b'{"pid": 2')
    side.connection.sendall(b'5}\n{"ex')
    process = ForkedProcess(side.theirs)
    assert process.pid == 25
    assert process.poll() is None
    side.connection.sendall(b'it": 0}\n')
    assert process.poll() == 0


def test_a_template_that_dies(side: Side) -> None:
    side.tell({"pid": 2**22 + 5})
    process = ForkedProcess(side.theirs)
    side.connection.close()
    assert process.wait(5) == -signal.SIGKILL
    assert process.template_died


def test_a_process_that_is_let_go(side: Side) -> None:
    side.tell({"pid": 2**22 + 5})
    process = ForkedProcess(side.theirs)
    process.close()
    assert side.connection.recv(1) == b"", "the template sees it, and ends the process"
    assert process.poll() == -signal.SIGKILL
    assert not process.template_died


def test_a_template_that_refuses(side: Side) -> None:
    side.tell({"refused": "not a request"})
    with pytest.raises(KernelUnavailable, match="not a request"):
        ForkedProcess(side.theirs)


def test_a_template_that_is_gone(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path / "deaf"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            if path.name == "deaf":
                listener.bind(str(path))  # and nobody listens there any more
            with pytest.raises(KernelUnavailable, match="gone"):
                ask(str(path), {}, (1, 2))


def test_only_linux_can_fork_what_has_loaded_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    assert can_fork() == (sys.platform == "linux")
    for system in ("darwin", "win32"):
        monkeypatch.setattr(warm, "sys", SimpleNamespace(platform=system))
        assert not can_fork()


def test_templates_of_nobody_end_without_a_word() -> None:
    templates = Templates()
    templates.close()
    assert templates._known == {}


@pytest.fixture
def _streams() -> Iterator[None]:
    state, numpy_state, found = random.getstate(), np.random.mtrand.get_state(), list(sys.meta_path)
    yield
    random.setstate(state)
    np.random.mtrand.set_state(numpy_state)
    sys.meta_path[:] = found


def _drawn() -> tuple[float, float]:
    return random.random(), float(np.random.mtrand.rand())


@pytest.mark.usefixtures("_streams")
def test_both_streams_are_seeded_and_repeatable() -> None:
    found = []
    for seed in (3, 3, 4, 2**32 + 3):
        seed_streams(seed)
        found.append(_drawn())
    assert found[0] == found[1]
    assert len({first for first, _ in found}) == 3
    assert found[3][1] == found[0][1], "NumPy takes 32 bits"
    assert found[0][1] == np.random.RandomState(3).rand()
    assert found[0][0] == random.Random(3).random()


@pytest.mark.usefixtures("_streams")
def test_without_a_seed_the_system_gives_one() -> None:
    found = set()
    for _ in range(3):
        seed_streams(3)
        seed_streams(None)
        found.add(_drawn())
    assert len(found) == 3


@pytest.mark.usefixtures("_streams")
def test_a_stream_that_is_not_there_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """That it is then seeded, only a process without NumPy can tell: see tests/notebooks/test_engines.py."""
    monkeypatch.delitem(sys.modules, "numpy.random.mtrand")
    before = list(sys.meta_path)
    seed_streams(None)
    assert sys.meta_path == before, "without a seed NumPy takes one from the system itself"
    seed_streams(5)
    (finder,) = [item for item in sys.meta_path if item not in before]
    assert sys.meta_path[0] is finder
    assert finder.find_spec("json", None) is None
    assert finder in sys.meta_path
    assert finder.find_spec("numpy.random.mtrand", None) is not None
    assert finder not in sys.meta_path, "once is enough"

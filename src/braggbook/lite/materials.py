"""What a site is made of, brought together once and kept in the cache: tools, Pyodide's core, wheels for the browser.

The tools have an environment of their own: JupyterLite takes along every extension of the environment it runs in, so
beside JupyterLab it would put all of that into the site.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from braggbook.errors import HashMismatch, InputError, NetworkError
from braggbook.files import sha256_bytes, storage
from braggbook.lite import pins

_LAST_WORDS = 1500  # characters of what a tool said when it failed
_DIFFERS = ("DO NOT MATCH THE HASHES", "EINTEGRITY")  # pip's and npm's words
_QUIET = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"]
_TARGET = ["--platform", pins.PLATFORM, "--python-version", pins.PYTHON, "--implementation", "cp"]
_ABIS = ["--abi", "cp" + pins.PYTHON.replace(".", ""), "--abi", "none"]
_VENV = "apt-get install python3-venv   (or the venv package of this system)"
_NPM = "apt-get install npm, or give the core yourself: braggbook lite build --core FOLDER|TARBALL"
_AGAIN = "the same command again, with a network; what was fetched is kept"


@dataclass(frozen=True)
class Materials:
    """Where the parts of a site lie."""

    tools: Path  # the Python of an environment with JupyterLite
    core: Path  # a folder with Pyodide's core
    wheels: tuple[Path, ...]  # what runs in the browser


def gather(cache: Path, *, core: Path | None = None, say: Callable[[str], None] = lambda _: None) -> Materials:
    """Brings together what a site is made of; each part is fetched once for each state of the pins.

    Args:
        cache: Braggbook's cache folder.
        core: Pyodide's core as a folder or as npm's tarball; by default npm fetches it.
        say: Is told what takes long.

    Raises:
        InputError: A tool is missing: npm, or Python's own venv.
        NetworkError: Something could not be fetched.
        HashMismatch: What was fetched or given is not what is pinned.
        StorageError: The cache cannot be written.
    """
    with _only_one(cache / "lite") as folder:
        tools = (
            folder / f"tools-{_digest(pins.TOOLS.read_text(encoding='utf-8'), sys.prefix, platform.python_version())}"
        )
        _once(tools, _make_tools, say, "installing JupyterLite into an environment of its own")
        python = tools / "bin" / "python"
        wheels = folder / f"wheels-{_digest(pins.WHEELS.read_text(encoding='utf-8'))}"
        _once(wheels, lambda to: _fetch_wheels(python, to), say, "fetching wheels for the browser")
        found = sorted(wheels.glob("*.whl"))
        pins.check_wheels(found)
        return Materials(python, _core(folder, core, say), tuple(found))


def _core(folder: Path, given: Path | None, say: Callable[[str], None]) -> Path:
    if given is not None and given.is_dir():
        pins.check_core(given)
        return given
    if given is not None:  # a wrong one is refused even where the right one is kept
        with tempfile.TemporaryDirectory() as aside:
            _unpack(given, Path(aside))
    kept = folder / f"pyodide-{_digest(pins.VERSION, *pins.CORE.values())}"
    made = (lambda to: _unpack(given, to)) if given is not None else _fetch_core
    _once(kept, made, say, f"fetching Pyodide {pins.VERSION}")
    pins.check_core(kept)
    return kept


def _once(folder: Path, make: Callable[[Path], None], say: Callable[[str], None], what: str) -> None:
    """Makes a folder of the cache under another name, and gives it its own when it is whole."""
    if folder.is_dir():
        return
    say(what)
    with storage(folder):
        part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part"))
        try:
            make(part)
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _make_tools(folder: Path) -> None:
    _call([sys.executable, "-m", "venv", str(folder)], "no virtual environment can be made here", _VENV, InputError)
    install = [
        str(folder / "bin" / "python"),
        "-m",
        "pip",
        "install",
        *_QUIET,
        "--no-compile",
        "--no-deps",
        "-r",
        str(pins.TOOLS),
    ]
    _call(install, "JupyterLite could not be installed", _AGAIN)


def _fetch_wheels(python: Path, folder: Path) -> None:
    download = [str(python), "-m", "pip", "download", *_QUIET, "--no-deps", *_TARGET, *_ABIS, "--dest", str(folder)]
    _call([*download, "-r", str(pins.WHEELS)], "the wheels for the browser could not be fetched", _AGAIN)


def _fetch_core(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise InputError("npm is not installed", wanted="npm, which fetches Pyodide's core", next_command=_NPM)
    with tempfile.TemporaryDirectory() as aside:
        pack = [npm, "pack", f"pyodide@{pins.VERSION}", "--silent", "--pack-destination", aside]
        _call(pack, "Pyodide could not be fetched", _AGAIN)
        _unpack(next(Path(aside).glob("*.tgz")), folder)


def _unpack(tarball: Path, folder: Path) -> None:
    """Takes the core's files, and no others, out of npm's tarball."""
    try:
        with tarfile.open(tarball) as archive:
            for name in pins.CORE:
                member = archive.extractfile(f"package/{name}")
                (folder / name).write_bytes(member.read() if member else b"")
    except (tarfile.TarError, KeyError, EOFError) as error:
        wanted = f"the tarball of npm's package pyodide@{pins.VERSION}, or a folder with its files"
        raise InputError("not Pyodide's core", where=str(tarball), wanted=wanted, got=str(error)[:200]) from None
    pins.check_core(folder)


def _call(
    command: list[str], what: str, next_command: str, kind: type[InputError | NetworkError] = NetworkError
) -> None:
    # pip speaks of paths that a person's own configuration names; nothing of that goes into the site
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment())
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip())[-_LAST_WORDS:]
        if any(word in words for word in _DIFFERS):
            raise HashMismatch(what, wanted="what the pins name", got=words, next_command=next_command)
        raise kind(what, got=words, next_command=next_command)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "PYTHONHOME"))}


def _digest(*texts: str) -> str:
    return sha256_bytes("\n".join(texts).encode())[:16]


@contextmanager
def _only_one(folder: Path) -> Iterator[Path]:
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder

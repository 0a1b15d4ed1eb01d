"""Environments that kernels run in: the current one where it satisfies the lock, else one made from the lock."""

from __future__ import annotations

import fcntl
import json
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager

from braggbook.errors import KernelUnavailable, NetworkError
from braggbook.files import sha256_file, storage, write_json
from braggbook.kernels.catalogue import Kernel
from braggbook.kernels.lock import installed_here, read_pins, unmet_pins, uv_command

_COMPLETE = "braggbook.json"  # written last: an environment without it was interrupted


_FACTS = """
import json, platform, importlib.metadata as metadata
names = {d.metadata["Name"].lower().replace("_", "-").replace(".", "-"): d.version for d in metadata.distributions()}
print(json.dumps([platform.python_version(), names]))
"""


@dataclass(frozen=True)
class KernelEnvironment:
    """A Python that has a kernel's locked packages."""

    python: Path
    prefix: Path
    python_version: str
    packages: dict[str, str]
    origin: str  # "current" or "installed"


def choose_environment(kernel: Kernel, *, cache: Path) -> KernelEnvironment:
    """Returns the current environment if every pin of the lock is installed in it, else the installed kernel.

    Raises:
        KernelUnavailable: Neither is there; the pins that the current environment lacks are listed.
    """
    installed = installed_here()
    issues = unmet_pins(read_pins(kernel.lock_path), installed)
    if not issues:
        return KernelEnvironment(
            Path(sys.executable), Path(sys.prefix), platform.python_version(), installed, "current"
        )
    folder = environment_folder(kernel, cache=cache)
    if (folder / _COMPLETE).is_file():
        return _read(folder)
    raise KernelUnavailable(
        "no environment satisfies the kernel's lock",
        where=kernel.slug,
        issues=issues[:10],
        next_command=f"braggbook kernel install {kernel.slug}",
    )


def environment_folder(kernel: Kernel, *, cache: Path) -> Path:
    """Returns where the kernel's own environment lies: one folder for each lock and Python."""
    version = ".".join(platform.python_version_tuple()[:2])
    return cache / "kernels" / f"{kernel.lock_sha256[:16]}-py{version}"


def install_kernel(kernel: Kernel, *, cache: Path, register: bool = True) -> KernelEnvironment:
    """Makes the environment of a kernel's lock (or finds it made) and registers its kernelspec with Jupyter.

    Raises:
        NetworkError: The packages could not be installed.
        StorageError: The environment could not be written.
    """
    folder = environment_folder(kernel, cache=cache)
    with _only_one(folder):
        if not (folder / _COMPLETE).is_file():
            shutil.rmtree(folder, ignore_errors=True)
            _make(folder, kernel)
    environment = _read(folder)
    if register:
        _register(kernel, environment)
    return environment


def _make(folder: Path, kernel: Kernel) -> None:
    uv, lock = uv_command(), kernel.lock_path
    hashes = ["--require-hashes"] if "--hash=" in lock.read_text(encoding="utf-8") else []
    _call([*uv, "venv", "--quiet", "--python", sys.executable, str(folder)], kernel)
    python = folder / "bin" / "python"
    _sync([*uv, "pip", "sync", "--quiet", "--compile-bytecode", "--python", str(python), *hashes, str(lock)], kernel)
    version, packages = json.loads(_call([str(python), "-c", _FACTS], kernel))
    write_json(
        folder / _COMPLETE,
        {"python_version": version, "packages": packages, "lock_sha256": sha256_file(lock)},
    )


def _sync(command: list[str], kernel: Kernel) -> None:
    """Installs from the net, or else from what uv has in its cache."""
    try:
        _call(command, kernel)
    except NetworkError as error:
        try:
            _call([*command, "--offline"], kernel)
        except NetworkError:
            raise error from None


def _call(command: list[str], kernel: Kernel) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NetworkError("the kernel could not be installed", where=kernel.slug, got=done.stderr.strip()[-2000:])
    return done.stdout


def _read(folder: Path) -> KernelEnvironment:
    facts = json.loads((folder / _COMPLETE).read_text(encoding="utf-8"))
    return KernelEnvironment(folder / "bin" / "python", folder, facts["python_version"], facts["packages"], "installed")


def _register(kernel: Kernel, environment: KernelEnvironment) -> None:
    argv = [str(environment.python) if part in ("python", "python3") else part for part in kernel.spec["argv"]]
    with tempfile.TemporaryDirectory() as folder:
        write_json(Path(folder) / "kernel.json", {**kernel.spec, "argv": argv})
        KernelSpecManager().install_kernel_spec(folder, f"braggbook-{kernel.slug}", user=True)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    with storage(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = (folder.parent / f".{folder.name}.lock").open("w")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

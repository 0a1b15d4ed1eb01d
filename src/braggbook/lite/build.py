"""Builds the site, whole or not at all: JupyterLite's own builder, then notebooks, packages and a first page."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from braggbook.browser import BINDER_VARIABLE
from braggbook.errors import InputError, InternalError
from braggbook.files import storage
from braggbook.lite import pins
from braggbook.lite.contents import Contents, collect, listings
from braggbook.lite.materials import Materials, gather
from braggbook.lite.packages import AT_START, site_lock, take_science
from braggbook.lite.start_page import start_page
from braggbook.lite.wheel import browser_wheel
from braggbook.settings import Settings

_KERNEL = "@jupyterlite/pyodide-kernel-extension:kernel"
_THEMES = "@jupyterlab/apputils-extension:themes"
_EPOCH = "315532800"  # 1980: no file of the site says when it was built
_JUNK = ("rspack.config*.js",)  # of JupyterLite's own build
_ICONS = (
    "favicon-notebook",
    "favicon-file",
    "favicon-busy-1",
    "favicon-busy-2",
    "favicon-busy-3",
)  # asked for by Jupyter
_LAST_WORDS = 1500


@dataclass(frozen=True)
class Site:
    """A site that was built."""

    folder: Path
    notebooks: tuple[str, ...]
    files: int
    bytes: int
    packages_from: str  # "" where NumPy and its kin lie in the site


@dataclass(frozen=True)
class Wishes:
    """What a site is to be like."""

    notebooks: tuple[str, ...] = ()  # slugs, paths or folders; by default the tutorials
    pyodide: str = pins.PUBLIC_ADDRESS  # Pyodide's distribution: an address, or a folder that is copied from
    core: Path | None = None  # Pyodide's core as a folder or tarball; by default npm fetches it
    binder: str = ""  # the repository on a Binder, such as https://mybinder.org/v2/gh/ORG/REPO/TAG


def build_site(to: Path, wishes: Wishes, *, settings: Settings, say: Callable[[str], None] = lambda _: None) -> Site:
    """Builds a site into a folder that is empty or not there yet.

    Args:
        to: The folder.
        wishes: What the site is to be like.
        settings: The project with its notebooks, and the cache.
        say: Is told what takes long.

    Raises:
        InputError: The folder is not empty, there are no notebooks, a tool is missing, or an address is none.
        NetworkError: Something could not be fetched.
        HashMismatch: Something is not what is pinned.
        StorageError: The folder cannot be written.
    """
    mirror, address = _distribution(wishes.pyodide)
    _require_binder(wishes.binder)
    with _aside(to) as part:
        contents = collect(settings.project, wishes.notebooks)
        core = wishes.core or (mirror if mirror and (mirror / "pyodide.asm.wasm").is_file() else None)
        materials = gather(settings.cache, core=core, say=say)
        say("building the site")
        site = part / "site"
        _run_builder(materials, part, site, _configuration(wishes.binder, address))
        _put_packages(materials, site / "static" / "pyodide", mirror, address)
        _put_contents(contents, site)
        _put_icons(site)
        _put_style(site)
        (site / "index.html").write_text(start_page(contents.pages, address or "", wishes.binder), encoding="utf-8")
        for pattern in _JUNK:
            for path in site.glob(pattern):
                path.unlink()
        inside = [path for path in site.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in inside)
    return Site(to, tuple(page.path for page in contents.pages), len(inside), size, address or "")


def _distribution(pyodide: str) -> tuple[Path | None, str | None]:
    """Returns the folder or the address that NumPy and its kin come from."""
    if pyodide.startswith(("https://", "http://")):
        return None, pyodide.rstrip("/") + "/"
    if Path(pyodide).is_dir():
        return Path(pyodide), None
    raise InputError(
        "no distribution of Pyodide there",
        got=pyodide,
        wanted="an address that begins with https://, or a folder",
        next_command=f"braggbook lite build --pyodide {pins.PUBLIC_ADDRESS} --to FOLDER",
    )


def _require_binder(address: str) -> None:
    if address and not address.startswith(("https://", "http://")):
        wanted = "an address such as https://mybinder.org/v2/gh/ORG/REPO/TAG"
        raise InputError("not the address of a repository on Binder", wanted=wanted, got=address)


@contextmanager
def _aside(to: Path) -> Iterator[Path]:
    """Gives a folder beside ``to``; when all went well, its ``site/`` becomes ``to``."""
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise InputError(
            "there is something already",
            where=str(to),
            wanted="an empty folder, or one that is not there yet",
            next_command=f"rm -r {to}, or give another folder with --to",
        )
    with storage(to):
        to.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=to.parent, prefix=f".{to.name}.", suffix=".part"))
    try:
        with storage(to):
            yield part
            if to.is_dir():
                to.rmdir()
            (part / "site").rename(to)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _configuration(binder: str, address: str | None) -> dict[str, Any]:
    options: dict[str, Any] = {"packages": list(AT_START)}
    if binder:
        options["env"] = {BINDER_VARIABLE: binder}
    kernel = {"loadPyodideOptions": options, "disablePyPIFallback": address is None}
    data = {
        "appName": "Braggbook",
        "contentsAllJsonFile": "all.json",
        "litePluginSettings": {_KERNEL: kernel},
        "settingsOverrides": {_THEMES: {"adaptive-theme": True}},  # light or dark, as the reader's system is
    }
    return {"jupyter-lite-schema-version": 0, "jupyter-config-data": data}


def _run_builder(materials: Materials, part: Path, site: Path, configuration: dict[str, Any]) -> None:
    work = part / "work"  # the builder keeps its notes in the folder that it is called in
    pyodide = work / "static" / "pyodide"
    pyodide.mkdir(parents=True)
    for name in pins.CORE:
        shutil.copyfile(materials.core / name, pyodide / name)
    (work / "jupyter-lite.json").write_text(json.dumps(configuration), encoding="utf-8")
    command = [str(materials.tools), "-m", "jupyterlite_core", "build", "--lite-dir", ".", "--output-dir", str(site)]
    command += ["--apps", "lab", "--apps", "notebooks", "--no-sourcemaps", "--no-unused-shared-packages"]
    hidden = ("PYTHON", "JUPYTER")  # neither another Python's packages nor a person's own Jupyter settings
    environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    environment |= {"SOURCE_DATE_EPOCH": _EPOCH, "JUPYTER_NO_CONFIG": "1"}
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False, env=environment)
    if done.returncode or not (site / "lab" / "index.html").is_file():
        words = (done.stderr + done.stdout).strip()[-_LAST_WORDS:]
        raise InternalError("JupyterLite's builder failed", got=words, next_command="report what it printed")


def _put_packages(materials: Materials, folder: Path, mirror: Path | None, address: str | None) -> None:
    own = browser_wheel()
    (folder / own.name).write_bytes(own.data)
    wheels = list(materials.wheels)
    if mirror is not None:
        wheels += take_science(materials.core, mirror, wheels)
    for wheel in wheels:
        shutil.copyfile(wheel, folder / wheel.name)
    lock = site_lock(materials.core, sorted(folder.glob("*.whl")), address=address)
    (folder / "pyodide-lock.json").write_text(json.dumps(lock, indent=1) + "\n", encoding="utf-8")


def _put_contents(contents: Contents, site: Path) -> None:
    for path, data in contents.files.items():
        _write(site / "files" / path, data)
    for path, data in listings(contents.files, changed=contents.changed).items():
        _write(site / "api" / "contents" / path, data)


def _put_icons(site: Path) -> None:
    # JupyterLite takes them from an installed Jupyter server, which the tools do not have
    for name in _ICONS:
        _write(site / "static" / "favicons" / f"{name}.ico", (site / "lab" / "favicon.ico").read_bytes())


def _put_style(site: Path) -> None:
    """Folds the front matter of notebooks, which is for machines: their own heading says the same to readers."""
    style = (files("braggbook.lite") / "templates" / "front_matter.css").read_text(encoding="utf-8")
    for page in sorted(site.glob("*/index.html")):
        html = page.read_text(encoding="utf-8")
        page.write_text(html.replace("</head>", f"<style>\n{style}</style>\n</head>", 1), encoding="utf-8")


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)

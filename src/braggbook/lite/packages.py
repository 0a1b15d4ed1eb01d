"""Which packages the browser finds where: a list in the form of Pyodide's own ``pyodide-lock.json``.

What lies in the site is named by its file, everything else of Pyodide's distribution by its address. Pyodide asks that
address for nothing until a cell imports such a package, and checks what it gets by the hash.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from braggbook.errors import HashMismatch, InputError
from braggbook.files import sha256_file

SCIENCE = ("numpy", "scipy", "xarray", "matplotlib", "pandas", "pyyaml")  # what notebooks are written with
AT_START = ("micropip", "packaging", "ipython", "jedi", "comm")  # what the kernel itself begins with
# Packages that are not in Pyodide's distribution: what each needs, and the module that it is imported by.
_ADDED = {
    # `bb.result` needs these two, and they lie in the site: nobody has to ask for them in a cell
    "braggbook": (["packaging", "pydantic"], ["braggbook"]),
    "comm": ([], ["comm"]),
    "ipywidgets": (["comm", "ipython", "traitlets"], ["ipywidgets"]),
    "tomlkit": ([], ["tomlkit"]),
}


def read_packages(core: Path) -> dict[str, dict[str, Any]]:
    """Returns Pyodide's own packages by the name it has for them."""
    lock: dict[str, dict[str, dict[str, Any]]] = json.loads((core / "pyodide-lock.json").read_text(encoding="utf-8"))
    return lock["packages"]


def site_lock(core: Path, wheels: Iterable[Path], *, address: str | None) -> dict[str, Any]:
    """Returns the list of a site's packages.

    Args:
        core: A folder with Pyodide's core.
        wheels: What lies in the site.
        address: Where all others are; None where there are no others.
    """
    lock = json.loads((core / "pyodide-lock.json").read_text(encoding="utf-8"))
    theirs = {_plain(name): entry for name, entry in lock["packages"].items()}
    keys = {_plain(name): name for name in lock["packages"]}
    here = {entry["name"]: entry for entry in (_entry(wheel, theirs) for wheel in wheels)}
    there = {} if address is None else {name: _elsewhere(entry, address) for name, entry in theirs.items()}
    lock["packages"] = {keys.get(name, name): entry for name, entry in sorted({**there, **here}.items())}
    for name, entry in lock["packages"].items():
        entry["name"] = name
    return dict(lock)


def _entry(wheel: Path, theirs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    name, version = _plain(wheel.name.split("-")[0]), wheel.name.split("-")[1]
    known = theirs.get(name, {})
    depends, imports = _ADDED.get(name, (known.get("depends", []), known.get("imports", [])))
    return {
        "depends": list(depends),
        "file_name": wheel.name,
        "imports": list(imports),
        "install_dir": "site",
        "name": name,
        "package_type": "package",
        "sha256": sha256_file(wheel),
        "unvendored_tests": False,
        "version": version,
    }


def _elsewhere(entry: Mapping[str, Any], address: str) -> dict[str, Any]:
    return {**entry, "name": _plain(entry["name"]), "file_name": f"{address.rstrip('/')}/{entry['file_name']}"}


def take_science(core: Path, mirror: Path, have: Iterable[Path]) -> list[Path]:
    """Returns the wheels of :data:`SCIENCE`, with all that they need, out of a folder with Pyodide's distribution.

    Raises:
        InputError: Some are not in the folder; all are listed.
        HashMismatch: One is not the file that Pyodide's own list names.
    """
    packages = {_plain(name): entry for name, entry in read_packages(core).items()}
    present = {_plain(wheel.name.split("-")[0]) for wheel in have}
    wanted = [packages[name] for name in _closure(SCIENCE, packages) if name not in present]
    missing = [entry["file_name"] for entry in wanted if not (mirror / entry["file_name"]).is_file()]
    if missing:
        raise InputError(
            "not a whole distribution of Pyodide",
            where=str(mirror),
            wanted="pyodide-<version>.tar.bz2 of https://github.com/pyodide/pyodide/releases, unpacked",
            got=f"no {', '.join(missing)}",
        )
    for entry in wanted:
        if (got := sha256_file(mirror / entry["file_name"])) != entry["sha256"]:
            wanted_hash = f"sha256 {entry['sha256'][:12]}…"
            raise HashMismatch(
                "not the file that Pyodide's list names",
                where=entry["file_name"],
                wanted=wanted_hash,
                got=got[:12] + "…",
            )
    return [mirror / entry["file_name"] for entry in wanted]


def _closure(names: Iterable[str], packages: Mapping[str, Mapping[str, Any]]) -> list[str]:
    found: set[str] = set()
    queue = list(names)
    while queue:
        name = _plain(queue.pop())
        if name not in found:
            found.add(name)
            queue += packages[name]["depends"]
    return sorted(found)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()

"""What is pinned: version and hash of everything that goes into a site. ``scripts/lock_lite.py`` makes the files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from braggbook.errors import HashMismatch
from braggbook.files import sha256_file

_HERE = Path(__file__).parent
TOOLS = _HERE / "requirements.lock"  # the environment that JupyterLite's builder runs in
WHEELS = _HERE / "browser.lock"  # what runs in the browser
_PYODIDE: dict[str, Any] = json.loads((_HERE / "pyodide.json").read_text(encoding="utf-8"))

VERSION: str = _PYODIDE["version"]
PYTHON: str = _PYODIDE["python"]  # of the browser
PLATFORM: str = _PYODIDE["platform"]  # as wheels name it (PEP 783)
PUBLIC_ADDRESS: str = _PYODIDE["packages"]  # where Pyodide's own people keep its packages
CORE: dict[str, str] = _PYODIDE["core"]  # SHA-256 of each file of the core

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def check_core(folder: Path) -> None:
    """Checks each file of Pyodide's core.

    Raises:
        HashMismatch: One is missing, or is not the pinned one.
    """
    for name, wanted in CORE.items():
        path = folder / name
        got = sha256_file(path) if path.is_file() else ""
        if got != wanted:
            raise HashMismatch(
                f"not Pyodide {VERSION}",
                where=str(path),
                wanted=f"sha256 {wanted[:12]}…",
                got=f"sha256 {got[:12]}…" if got else "no such file",
                next_command=f"npm pack pyodide@{VERSION}, then: braggbook lite build --core pyodide-{VERSION}.tgz",
            )


def check_wheels(wheels: list[Path]) -> None:
    """Checks that each pinned wheel is there, once, with a pinned hash.

    Raises:
        HashMismatch: One is missing, is there twice, or is another file.
    """
    text = WHEELS.read_text(encoding="utf-8")
    known, pins = set(_HASH.findall(text)), text.count("==")
    wrong = [path for path in wheels if sha256_file(path) not in known]
    if wrong or len(wheels) != pins:
        raise HashMismatch(
            "not the wheels that are pinned",
            where=str(wrong[0] if wrong else WHEELS.name),
            wanted=f"{pins} wheels with the hashes of {WHEELS.name}",
            got=f"{len(wrong)} with another hash" if wrong else f"{len(wheels)} wheels",
        )

"""Where the tables of a benchmark go, and on what machine they were measured."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path


def write_tables(path: Path, text: str, *, marks: tuple[str, str]) -> None:
    """Puts the tables into a page between its two marks; a file without them becomes the tables."""
    page = path.read_text(encoding="utf-8") if path.exists() else ""
    if all(mark in page for mark in marks):
        before, rest = page.split(marks[0])
        text = f"{before}{marks[0]}\n\n{text}\n{marks[1]}{rest.split(marks[1])[1]}"
    path.write_text(text, encoding="utf-8")


def facts(packages: Sequence[str], *, rounds: int, load: float, programs: Sequence[str] = ()) -> str:
    """Returns what machine and versions these are, as a list.

    Args:
        packages: Whose versions are told.
        rounds: How often everything was measured.
        load: The load average before.
        programs: Versions of what is no package, as they are shown.
    """
    model = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    versions = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages), *programs]
    told = {
        "processor": f"{model[1] if model else platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "system": f"{platform.system()} {platform.release()}",
        "versions": ", ".join(versions),
        "date": f"{datetime.now(UTC).date()}, {rounds} rounds",
        "load average": f"{load:.1f} before, {os.getloadavg()[0]:.1f} after",
    }
    return "\n".join(f"- {name}: {value}" for name, value in told.items())

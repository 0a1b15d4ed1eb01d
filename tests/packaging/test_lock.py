"""The locks: what `uv run` resolves is what is committed, and nothing committed names a host or a machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from braggbook.kernels.lock import needed_here, read_pins, uv_command

from ..conftest import ROOT

EXPORT = ["export", "--quiet", "--no-emit-project", "--no-annotate", "--no-header", "--all-groups", "--all-extras"]
HOSTS = r"pypi\.org|pythonhosted\.org|registry\.npmjs|deb\.debian\.org"  # of indexes and downloads
PLACES = (
    r"(?<!\w)/(?:home|Users|root)/\w"  # of one machine, not of a web address; tests invent such places to find them
)


@pytest.mark.full
def test_what_uv_resolves_has_exactly_the_committed_hashes(tmp_path: Path) -> None:
    command = [*uv_command(), *EXPORT, "--output-file", str(tmp_path / "exported")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    exported, committed = (tmp_path / "exported").read_text(), (ROOT / "requirements.lock").read_text()
    assert exported == committed, "uv export " + " ".join(EXPORT[1:]) + " > requirements.lock"


def test_every_pin_has_hashes() -> None:
    for lock in (ROOT / "requirements.lock", *ROOT.glob("kernels/*/requirements.lock")):
        entries = re.split(r"\n(?=\S)", lock.read_text().strip())
        pins = [entry for entry in entries if "==" in entry.partition("\n")[0]]
        assert pins
        assert all("--hash=sha256:" in pin for pin in pins)
        assert needed_here(read_pins(lock))


def test_locks_that_record_addresses_stay_out() -> None:
    ignored = (ROOT / ".gitignore").read_text().split()
    assert "/uv.lock" in ignored
    assert "/pylock*.toml" in ignored


def test_no_file_names_a_host_or_a_machine() -> None:
    own = Path(__file__).relative_to(ROOT).as_posix()
    names: list[str] = []
    if git := shutil.which("git"):
        done = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
        names = done.stdout.split("\0")
    files = [ROOT / name for name in names if name] or [
        path
        for part in ("src", "docs", "tests", "kernels", "datasets", "notebooks")
        for path in (ROOT / part).rglob("*")
    ]
    found = []
    for path in files:
        if not path.is_file() or path.relative_to(ROOT).as_posix() == own or path.suffix in {".png", ".pyc"}:
            continue
        name = path.relative_to(ROOT).as_posix()
        elsewhere = name.startswith("tests/") or name.endswith("/static/viewer.js")  # whose folders are a browser's own
        pattern = HOSTS if elsewhere else f"{HOSTS}|{PLACES}"
        match = re.search(pattern, path.read_text(encoding="utf-8", errors="replace"))
        if match:
            found.append(f"{path.relative_to(ROOT)}: {match[0]}")
    assert found == []

"""Control groups are found by what the kernel tells of this process; a folder stands for the kernel where it can."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from braggbook.runs.sandbox.groups import make_group
from braggbook.runs.sandbox.usage import Watchdog

LIMITS = {"memory_mb": 64, "processes": 8, "cpus": 0.5}


def _told(folder: Path, groups: str, mounts: str) -> Path:
    proc = folder / "self"
    proc.mkdir(parents=True)
    (proc / "cgroup").write_text(groups, encoding="utf-8")
    (proc / "mountinfo").write_text(mounts, encoding="utf-8")
    return proc


def test_no_control_groups(tmp_path: Path) -> None:
    assert make_group(**LIMITS, proc=tmp_path / "nowhere", root=tmp_path) is None
    proc = _told(tmp_path, "0::/\n", "1 1 0:1 / / rw - ext4 /dev/a rw\n")
    assert make_group(**LIMITS, proc=proc, root=tmp_path) is None


def test_groups_that_bound_nothing_are_not_used(tmp_path: Path) -> None:
    """A plain folder has no file that a bound is written to: none may be made there, and nothing may be left."""
    (tmp_path / "groups").mkdir()
    proc = _told(tmp_path, "0::/\n", "2 1 0:2 / /groups rw - cgroup2 none rw\n")
    assert make_group(**LIMITS, proc=proc, root=tmp_path) is None
    assert list((tmp_path / "groups").iterdir()) == []


@pytest.mark.full
def test_a_real_group_or_a_watchdog_counts_and_bounds() -> None:
    """On a machine without writable control groups, that there is none is the answer, and the watchdog takes over."""
    meter = make_group(**LIMITS) or Watchdog(memory_mb=64, places=("/tmp",), size_mb=1)
    code = "import time; input(); x = bytearray(b'x') * (150 << 20); time.sleep(5)"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    assert process.stdin is not None
    try:
        meter.add(process.pid)
        process.stdin.write(b"\n")
        process.stdin.close()
        end = time.monotonic() + 10
        while not meter.out_of_memory() and time.monotonic() < end:
            used = meter.read()
            time.sleep(0.02)
        assert meter.out_of_memory()
        assert used.processes >= 1
        assert meter.read().memory_mb >= 50
    finally:
        process.kill()
        process.wait()
        meter.remove()
    assert not list(Path("/sys/fs/cgroup").glob(f"**/braggbook-{os.getpid()}-*"))

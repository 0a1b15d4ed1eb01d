"""Control groups are found by what the kernel tells of this process; a folder stands for the kernel where it can."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from braggbook.runs.sandbox.groups import Group, _candidates, make_group
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


_FILES = {
    1: {
        "memory.limit_in_bytes": "", "memory.memsw.limit_in_bytes": "", "memory.usage_in_bytes": f"{20 << 20}",
        "memory.max_usage_in_bytes": f"{30 << 20}", "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
        "pids.max": "", "pids.current": "5", "cpu.cfs_period_us": "", "cpu.cfs_quota_us": "", "cpuacct.usage": "1500000000",
        "cgroup.procs": "",
    },
    2: {
        "memory.max": "", "memory.swap.max": "", "memory.current": f"{20 << 20}", "memory.peak": f"{30 << 20}",
        "memory.events": "low 0\nhigh 0\nmax 9\noom 1\noom_kill 2\noom_group_kill 0\n", "pids.max": "", "pids.current": "5",
        "cpu.max": "", "cpu.stat": "usage_usec 1500000\nuser_usec 1\n", "cgroup.procs": "",
    },
}  # fmt: skip
_WRITTEN = {
    1: {
        "memory.limit_in_bytes": str(64 << 20), "memory.memsw.limit_in_bytes": str(64 << 20), "pids.max": "10",
        "cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "50000",
    },
    2: {"memory.max": str(64 << 20), "memory.swap.max": "0", "pids.max": "10", "cpu.max": "50000 100000"},
}  # fmt: skip


@pytest.mark.parametrize("version", [1, 2])
def test_both_versions_have_their_own_files(tmp_path: Path, version: int) -> None:
    """Files as cgroups(7) and the kernel's Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst describe them."""
    for name, text in _FILES[version].items():
        (tmp_path / name).write_text(text, encoding="ascii")
    group = Group(version, dict.fromkeys(("memory", "pids", "cpu", "cpuacct"), tmp_path), **LIMITS)
    assert group.name == f"control group v{version} (memory, processes, processors)"
    for name, wanted in _WRITTEN[version].items():
        assert (tmp_path / name).read_text(encoding="ascii") == wanted
    group.add(4711)
    assert (tmp_path / "cgroup.procs").read_text(encoding="ascii") == "4711"
    used = group.read()
    assert (used.cpu_s, used.memory_mb, used.processes) == (1.5, 30, 5)
    assert group.out_of_memory()


def test_a_group_without_a_bound_for_memory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        Group(2, dict.fromkeys(("memory", "pids", "cpu"), tmp_path), **LIMITS)


def test_where_groups_lie(tmp_path: Path) -> None:
    """In a container a part of the hierarchy is mounted, and the group's name begins above it."""
    proc = _told(
        tmp_path,
        "3:memory:/docker/a1\n2:pids:/docker/a1\n1:cpu,cpuacct:/docker/a1/inner\n0::/x/y\n",
        "1 1 0:1 /docker/a1 /c/memory rw - cgroup none rw,memory\n"
        "2 1 0:2 /docker/a1 /c/pids rw - cgroup none rw,pids\n"
        "3 1 0:3 /docker/a1 /c/cpu rw shared:1 - cgroup none rw,cpu,cpuacct\n"
        "4 1 0:4 / /c/unified rw - cgroup2 none rw\n",
    )
    found = list(_candidates(proc, tmp_path))
    places = [
        (version, sorted({str(path.parent.relative_to(tmp_path)) for path in folders.values()}))
        for version, folders in found
    ]
    assert places == [
        (1, ["c/cpu/inner", "c/memory", "c/pids"]),
        (2, ["c/unified/x/y"]), (2, ["c/unified/x"]), (2, ["c/unified"]),
    ]  # fmt: skip


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

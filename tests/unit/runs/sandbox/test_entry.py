"""The second wall by itself: Landlock without bubblewrap and without a filter, as far as this kernel has it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from braggbook.runs.sandbox import entry
from braggbook.runs.sandbox.entry import landlock_version

pytestmark = pytest.mark.full

_CODE = """
import ctypes, json, os, signal, socket, sys
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)  # no new rights: who is not root must say so before
sys.path.insert(0, {folder!r})
from entry import restrict
restrict(read=["/usr", "/lib", "/lib64", {python!r}, {venv!r}, "/proc", {read!r}, "/not/there"], write=[{write!r}], devices=["/dev/null"])
told = {{}}
def attempt(name, action):
    try:
        action()
        told[name] = "done"
    except OSError as error:
        told[name] = type(error).__name__
attempt("write where allowed", lambda: open({write!r} + "/a", "w").write("x"))
attempt("rename where allowed", lambda: (os.mkdir({write!r} + "/d"), os.rename({write!r} + "/a", {write!r} + "/d/a")))
attempt("read what is listed", lambda: open({read!r} + "/seen.txt").read())
attempt("write what is listed", lambda: open({read!r} + "/seen.txt", "a"))
attempt("read what is not listed", lambda: open({hidden!r} + "/secret.txt").read())
attempt("list what is not listed", lambda: os.listdir({hidden!r}))
attempt("write what is not listed", lambda: open({hidden!r} + "/new.txt", "w"))
attempt("make a device", lambda: os.mknod({write!r} + "/disk", 0o60600, os.makedev(254, 0)))
attempt("device that is listed", lambda: open("/dev/null", "w").write("x"))
attempt("device that is not listed", lambda: open("/dev/zero").read(1))
attempt("connect", lambda: socket.create_connection(("127.0.0.1", {port}), timeout=2))
attempt("bind", lambda: socket.socket().bind(("127.0.0.1", 0)))
attempt("abstract socket", lambda: socket.socket(socket.AF_UNIX).connect("\\0" + {abstract!r}))
attempt("signal", lambda: os.kill({pid}, 0))
print(json.dumps(told))
"""


def _refused_since(version: int) -> set[str]:
    """What Landlock refuses in one version, of the attempts above: landlock(7)."""
    refused = set()
    if version >= 1:
        refused |= {"write what is listed", "read what is not listed", "list what is not listed"}
        refused |= {"write what is not listed", "device that is not listed", "make a device"}
    if version >= 4:
        refused |= {"connect", "bind"}
    if version >= 6:
        refused |= {"abstract socket", "signal"}
    return refused


def test_landlock_alone(tmp_path: Path) -> None:
    for name in ("read", "write", "hidden"):
        (tmp_path / name).mkdir()
    (tmp_path / "read" / "seen.txt").write_text("seen", encoding="utf-8")
    (tmp_path / "hidden" / "secret.txt").write_text("secret", encoding="utf-8")
    abstract = f"landlock-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as here:
        here.bind("\0" + abstract)
        here.listen()
        code = _CODE.format(
            folder=str(Path(entry.__file__).parent), python=sys.base_prefix, venv=sys.prefix, pid=os.getpid(),
            port=server.getsockname()[1], abstract=abstract,
            **{name: str(tmp_path / name) for name in ("read", "write", "hidden")},
        )  # fmt: skip
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    unprivileged = {"make a device"} if os.getuid() else set()
    refused = {name for name, what in told.items() if what == "PermissionError"}
    assert refused == _refused_since(landlock_version()) | unprivileged
    assert {what for name, what in told.items() if name not in refused} == {"done"}

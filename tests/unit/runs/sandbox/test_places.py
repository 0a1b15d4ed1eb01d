"""What must be seen inside for a Python, and which users there can be."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from braggbook.errors import KernelUnavailable
from braggbook.runs.sandbox.places import environment_places
from braggbook.runs.sandbox.walls import Limits, Walls, some_uid


def test_this_environment() -> None:
    places = environment_places(Path(sys.executable))
    shown = [Path(place) for place in (*places, "/usr", "/bin", "/lib")]
    for wanted in (sys.prefix, sys.base_prefix, Path(sys.executable).resolve()):
        assert any(Path(wanted).is_relative_to(place) for place in shown)
    assert all(path.is_dir() for path in places.values())
    assert not any(Path.home().is_relative_to(place) for place in places)


def test_every_name_of_an_interpreter_is_shown(tmp_path: Path) -> None:
    for name in ("real/bin", "first/bin", "second/bin"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "real" / "bin" / "python3.99").symlink_to(sys.executable)
    (tmp_path / "alias").symlink_to(tmp_path / "real")
    (tmp_path / "first" / "bin" / "python").symlink_to("../../alias/bin/python3.99")
    places = environment_places(tmp_path / "first" / "bin" / "python")
    assert {str(tmp_path / name) for name in ("first", "alias")} <= set(places)
    assert places[str(tmp_path / "alias")] == tmp_path / "real"


def test_an_environment_that_is_a_home_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "bin").mkdir(parents=True)
    (tmp_path / "home" / "bin" / "python").symlink_to(sys.executable)
    with pytest.raises(KernelUnavailable, match="more than that in it"):
        environment_places(tmp_path / "home" / "bin" / "python")


def test_an_interpreter_that_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to("/bin/false")
    with pytest.raises(KernelUnavailable, match="does not start"):
        environment_places(tmp_path / "python")


@pytest.mark.parametrize(
    ("mapped", "least", "most"),
    [
        ("         0          0 4294967295\n", 2_000_000_000, 2_100_000_000),
        ("0 100000 65536\n", 32768, 65535),
        ("0 1000 1\n1 100000 65536\n", 32769, 65536),
    ],
)
def test_some_user_that_there_can_be(tmp_path: Path, mapped: str, least: int, most: int) -> None:
    (tmp_path / "map").write_text(mapped, encoding="ascii")
    found = {some_uid(tmp_path / "map") for _ in range(50)}
    assert all(least <= uid <= most for uid in found)
    assert len(found) > 10, "each run has a user of its own"


def test_the_options_say_what_is_inside() -> None:
    walls = Walls({"/data/x": Path("/srv/secret")}, {"LANG": "C"}, Limits(work_mb=3))
    words = " ".join(walls.options())
    for option in (
        "--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--clearenv", "--die-with-parent",
        "--new-session", "--cap-drop ALL", "--ro-bind /srv/secret /data/x", "--setenv LANG C",
        "--perms 0755 --dir /data", f"--size {3 << 20} --tmpfs /desk", "--remount-ro / --chdir /desk",
    ):  # fmt: skip
        assert option in words
    assert " --bind " not in words
    assert ("--disable-userns" in words) == (os.getuid() != 0)


def test_address_space_is_never_less_than_python_needs() -> None:
    assert Limits(memory_mb=100).address_mb == 2048
    assert Limits(memory_mb=8000).address_mb == 8000

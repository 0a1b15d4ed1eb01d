"""The hashed requirements: made of the locks, the same each time, and nothing but pins."""

from __future__ import annotations

from pathlib import Path

import pytest

from braggbook.binder.apt import known_names
from braggbook.binder.check import check_binder
from braggbook.binder.files import APT_NAMES, fixed_files, write_binder
from braggbook.binder.pins import need_issues
from braggbook.binder.requirements import (
    applies,
    asked_for,
    compose_requirements,
    is_checkout,
    read_entries,
    stated_digest,
)
from braggbook.binder.size import measure, size_issues
from braggbook.errors import InputError

from ...conftest import ROOT
from .conftest import PINS, pins_of

HASH = "--hash=sha256:" + "0" * 64


def test_entries_and_their_lines() -> None:
    text = f"# a\n\nNumPy==2.0 ; python_version < '3.12' \\\n    {HASH} \\\n    {HASH[:-1]}1\n# b\nsix>=1\n-e .  # c\n"
    first, second, third = read_entries(text)
    assert (first.line, first.name, first.version, len(first.hashes), first.applies) == (3, "numpy", "2.0", 2, True)
    assert (second.line, second.name, second.version, second.hashes) == (7, "six", "", frozenset())
    assert (third.line, third.requirement, third.name, third.applies) == (8, None, "", False)


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("python_full_version < '3.12'", True),
        ("python_version >= '3.12'", False),
        ("sys_platform == 'win32'", False),
        ("platform_machine == 'aarch64'", False),
        ("platform_machine == 'x86_64' and platform_python_implementation != 'PyPy'", True),
        ("extra == 'rle'", False),
    ],
)
def test_markers_are_those_of_the_image_and_not_of_this_machine(marker: str, holds: bool) -> None:
    (entry,) = read_entries(f"x==1 ; {marker} {HASH}")
    assert entry.applies is holds
    assert entry.requirement is not None
    assert applies(entry.requirement.marker, extras=["rle"]) is (holds or "extra" in marker)


def test_the_same_bytes_whatever_the_order(checkout: Path) -> None:
    exported = {name: PINS[name] for name in PINS if name != "ipykernel"}
    backwards = dict(reversed(exported.items()))
    first = compose_requirements(checkout, exported=pins_of(exported))
    assert first == compose_requirements(checkout, exported=pins_of(backwards))
    assert first == (checkout / "binder" / "requirements.txt").read_text()
    assert [entry.name for entry in read_entries(first)] == sorted(PINS), "the kernel's pin is among them"
    assert len(stated_digest(first)) == 64


def test_a_kernel_of_another_resolution_is_refused(checkout: Path) -> None:
    with pytest.raises(InputError, match="not of the project's resolution") as caught:
        compose_requirements(checkout, exported=pins_of({"ipykernel": "9"}))
    assert "braggbook kernel lock radiobiology" in str(caught.value)


def test_only_braggbook_s_own_source_is_a_checkout(tmp_path: Path, checkout: Path) -> None:
    assert is_checkout(checkout)
    assert not is_checkout(tmp_path)
    (checkout / "pyproject.toml").write_text('[project]\nname = "other"\n')
    assert not is_checkout(checkout)
    (checkout / "pyproject.toml").write_text("[project\n")
    with pytest.raises(InputError, match="cannot be read"):
        is_checkout(checkout)


def test_writing_twice_changes_nothing(checkout: Path) -> None:
    text = (checkout / "binder" / "requirements.txt").read_bytes()
    content = {**fixed_files(checkout), "requirements.txt": text}
    assert write_binder(checkout, content) == []
    (checkout / "binder" / "start").chmod(0o644)
    (checkout / "binder" / "apt.txt").unlink()
    assert sorted(write_binder(checkout, content)) == ["apt.txt", "start"]
    assert (checkout / "binder" / "start").stat().st_mode & 0o777 == 0o755


def test_needs_of_what_is_installed_are_followed() -> None:
    """pytest is installed here, at a known version, and needs pluggy and iniconfig."""
    from importlib.metadata import version

    entries = {entry.name: entry for entry in read_entries(f"pytest=={version('pytest')} {HASH}")}
    (wanted,) = [one.requirement for one in read_entries("pytest")]
    assert wanted is not None
    missing = " ".join(issue.wanted for issue in need_issues([wanted], entries))
    assert "pluggy" in missing
    assert "iniconfig" in missing
    assert "colorama" not in missing, "which it needs on Windows only"


def test_measuring(tmp_path: Path) -> None:
    place = tmp_path / "lib" / "python3.11" / "site-packages"
    (place / "x-1.0.dist-info").mkdir(parents=True)
    (place / "x.py").write_bytes(b"a" * 1000)
    (place / "x-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: X\nVersion: 1.0\n")
    (place / "x-1.0.dist-info" / "RECORD").write_text("x.py,,\nx-1.0.dist-info/METADATA,,\ngone.py,,\n")
    (tmp_path / "more.bin").write_bytes(b"b" * 500)
    sizes = measure(tmp_path)
    assert sizes.distributions["x"] == 1000 + (place / "x-1.0.dist-info" / "METADATA").stat().st_size
    assert sizes.total >= sizes.distributions["x"] + 500
    entries = read_entries(f"x==1.0 {HASH}\ny==2 {HASH}\n")
    assert [issue.where for issue in size_issues(sizes, entries)] == ["y"]
    assert [issue.what for issue in size_issues(sizes, entries[:1], budget=1200)] == ["too large"]
    with pytest.raises(InputError, match="not an environment"):
        measure(tmp_path / "lib")


def test_names_of_apt_are_looked_up_ones() -> None:
    assert set(APT_NAMES) <= known_names()
    assert "libgl1-mesa-glx" not in known_names(), "gone since 24.04"


def test_this_project_s_own() -> None:
    """`braggbook check` fails on drift; so does this test."""
    assert list(map(str, check_binder(ROOT))) == []
    asked = {requirement.name for requirement in asked_for(ROOT)}
    pinned = {entry.name for entry in read_entries((ROOT / "binder" / "requirements.txt").read_text())}
    assert {"jupyterlab", "papermill", "hatchling"} <= asked & pinned
    assert not {"pytest", "mypy", "ruff", "playwright"} & pinned, "tools of developers stay out"

"""Pins, markers, drift, and telling whether an environment satisfies a lock."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from braggbook.errors import InputError, KernelUnavailable, LockDrift, UnknownName
from braggbook.kernels.catalogue import find_kernel
from braggbook.kernels.install import choose_environment, environment_folder
from braggbook.kernels.lock import installed_here, lock_findings, needed_here, read_pins, require_locked, unmet_pins

ROOT = Path(__file__).parents[3]


@pytest.fixture
def kernels(tmp_path: Path, kernel_template: Path) -> Path:
    shutil.copytree(kernel_template, tmp_path / "p")
    return tmp_path / "p"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_pins_with_markers_and_hashes(tmp_path: Path) -> None:
    lock = write(
        tmp_path / "requirements.lock",
        "# a comment\nnumpy==2.4.6 ; python_full_version < '3.12' \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
        "numpy==2.5.0 ; python_full_version >= '3.12' \\\n    --hash=sha256:cc\nColorama==0.4.6 ; sys_platform == 'win32'\nsix==1.17\n",
    )
    pins = read_pins(lock)
    assert len(pins) == 4
    old = {"python_full_version": "3.11.7", "python_version": "3.11", "sys_platform": "linux"}
    assert needed_here(pins, old) == {"numpy": "2.4.6", "six": "1.17"}
    new = {"python_full_version": "3.13.0", "python_version": "3.13", "sys_platform": "win32"}
    assert needed_here(pins, new) == {"numpy": "2.5.0", "colorama": "0.4.6", "six": "1.17"}


@pytest.mark.parametrize("line", ["numpy>=2", "numpy", "numpy @ https://example.org/x.whl", "no such (thing"])
def test_what_is_no_pin_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(InputError, match="not a pin"):
        read_pins(write(tmp_path / "requirements.lock", f"six==1.17\n{line}\n"))


def test_more_may_be_installed_but_no_other_version(tmp_path: Path) -> None:
    pins = read_pins(write(tmp_path / "requirements.lock", "six==1.17\nattrs==1.0\n"))
    assert unmet_pins(pins, {"six": "1.17", "attrs": "1.0", "jupyterlab": "4.6"}) == []
    issues = unmet_pins(pins, {"six": "1.16"})
    assert [(issue.where, issue.wanted, issue.got) for issue in issues] == [
        ("attrs", "1.0", "not installed"),
        ("six", "1.17", "1.16"),
    ]


def test_the_current_environment_is_chosen_when_it_satisfies_the_lock(kernels: Path, tmp_path: Path) -> None:
    kernel = find_kernel("radiobiology", project=kernels)
    environment = choose_environment(kernel, cache=tmp_path)
    assert environment.origin == "current"
    assert environment.packages == installed_here()


def test_no_environment_says_which_pins_are_missing_and_what_to_do(kernels: Path, tmp_path: Path) -> None:
    lock = kernels / "kernels" / "radiobiology" / "requirements.lock"
    lock.write_text(lock.read_text() + "certainly-not-installed==1.0\n")
    with pytest.raises(KernelUnavailable) as caught:
        choose_environment(find_kernel("radiobiology", project=kernels), cache=tmp_path)
    assert caught.value.exit_code == 3
    assert [issue.where for issue in caught.value.issues] == ["certainly-not-installed"]
    assert caught.value.next_command == "braggbook kernel install radiobiology"


def test_an_interrupted_installation_is_not_an_environment(kernels: Path, tmp_path: Path) -> None:
    lock = kernels / "kernels" / "radiobiology" / "requirements.lock"
    lock.write_text(lock.read_text() + "certainly-not-installed==1.0\n")
    kernel = find_kernel("radiobiology", project=kernels)
    (environment_folder(kernel, cache=tmp_path) / "bin").mkdir(parents=True)
    with pytest.raises(KernelUnavailable):
        choose_environment(kernel, cache=tmp_path)


def test_changed_requirements_are_drift(kernels: Path) -> None:
    kernel = find_kernel("radiobiology", project=kernels)
    assert lock_findings(kernel, project=kernels) == []
    requirements = kernel.folder / "requirements.in"
    requirements.write_text(requirements.read_text() + "seaborn\n")
    with pytest.raises(LockDrift, match=r"made from another requirements\.in") as caught:
        require_locked(kernel, project=kernels)
    assert caught.value.next_command == "braggbook kernel lock radiobiology"


def test_a_pin_outside_the_projects_resolution_is_drift(kernels: Path) -> None:
    kernel = find_kernel("radiobiology", project=kernels)
    shared = kernel.lock_path.read_text().replace("numpy==", "numpy==0+")
    (kernels / "requirements.lock").write_text(shared)
    issues = lock_findings(kernel, project=kernels)
    assert [issue.what for issue in issues] == ["not in the project's resolution"]
    assert issues[0].got.startswith("numpy==")


def test_unknown_and_broken_kernels(kernels: Path) -> None:
    with pytest.raises(UnknownName, match=r"did you mean radiobiology"):
        find_kernel("radiobiologie", project=kernels)
    (kernels / "kernels" / "radiobiology" / "kernel.json").write_text("{")
    with pytest.raises(InputError, match="not a kernel"):
        find_kernel("radiobiology", project=kernels)
    (kernels / "kernels" / "radiobiology" / "kernel.json").unlink()
    with pytest.raises(InputError, match=r"kernel\.json: missing"):
        find_kernel("radiobiology", project=kernels)


def test_the_projects_own_kernels_are_locked() -> None:
    for folder in sorted((ROOT / "kernels").iterdir()):
        assert lock_findings(find_kernel(folder.name, project=ROOT), project=ROOT) == []

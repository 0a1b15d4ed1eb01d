"""A project of one's own: Braggbook comes as a wheel, and kernels must go together."""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from braggbook.binder.check import check_binder
from braggbook.binder.files import fixed_files, write_binder
from braggbook.binder.own import own_needs, resolve_requirements
from braggbook.binder.requirements import is_checkout, read_entries, sources_digest, spelled
from braggbook.binder.wheel import lab_wheel, shared_files
from braggbook.errors import InputError
from braggbook.testing.experiments import write_experiment

from .conftest import pins_of

NOT_HERE = {  # which the tests' environment need not have; the last two are for Pythons before 3.12
    "jupyterlab": "4.99", "jupyter-server-proxy": "4.99", "importlib-metadata": "9.0", "importlib-resources": "9.0",
}  # fmt: skip


@pytest.fixture
def own(tmp_path: Path, kernel_template: Path) -> Path:
    """A project with one kernel, one notebook and its binder/; the pins are what is installed here."""
    folder = tmp_path / "own"
    shutil.copytree(kernel_template, folder)
    write_experiment(folder / "notebooks", "good", code=["import numpy\nimport braggbook"])
    here = {canonicalize_name(one.metadata["Name"]): one.version for one in metadata.distributions()}
    pins = pins_of({**NOT_HERE, **{name: version for name, version in here.items() if name != "braggbook"}})
    text = spelled(read_entries(pins), digest=sources_digest(folder, own_needs()))
    write_binder(folder, {**fixed_files(folder), "requirements.txt": text.encode()})
    return folder


def test_nothing_is_found(own: Path) -> None:
    assert not is_checkout(own)
    assert list(map(str, check_binder(own))) == []


def test_the_wheel_is_checked_for_drift(own: Path) -> None:
    wheel = own / "binder" / lab_wheel().name
    assert wheel.name in (own / "binder" / "postBuild").read_text()
    wheel.write_bytes(b"x")
    assert [(issue.what, issue.where) for issue in check_binder(own)] == [("has drifted", f"binder/{wheel.name}")]
    wheel.rename(own / "binder" / "braggbook-0.0-py3-none-any.whl")
    assert sorted(issue.what for issue in check_binder(own)) == ["a wheel that nobody installs", "missing"]


def test_another_kernel_s_pin_is_drift(own: Path) -> None:
    lock = own / "kernels" / "radiobiology" / "requirements.lock"
    lock.write_text(lock.read_text() + "no-such-one==1.0\n")
    found = {issue.what for issue in check_binder(own)}
    assert found == {"made of other kernels or another Braggbook", "not what kernel radiobiology is locked to"}


def test_the_wheel_has_what_a_server_finds_it_by() -> None:
    wheel = lab_wheel()
    with zipfile.ZipFile(io.BytesIO(wheel.data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    switch = next(name for name in files if name.endswith("jupyter_server_config.d/braggbook.json"))
    assert switch.partition("/")[0].endswith(".data")
    assert set(shared_files()) == {name.partition(".data/data/")[2] for name in files if ".data/data/" in name}
    record = next(name for name in files if name.endswith("RECORD"))
    listed = dict(line.split(",")[:2] for line in files.pop(record).decode().splitlines())
    assert listed.pop(record) == ""
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        assert listed.pop(name) == f"sha256={digest}"
    assert listed == {}


def test_what_braggbook_and_jupyterlab_need() -> None:
    names = {need.name for need in own_needs()}
    assert {"jupyterlab", "jupyter-server-proxy", "papermill"} <= names
    assert not {"uproot", "pg8000", "pytest"} & names, "what other extras and developers need stays out"
    assert all(need.marker is None for need in own_needs())


def test_without_a_kernel_it_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no kernel") as caught:
        resolve_requirements(tmp_path, have="")
    assert "braggbook new kernel" in str(caught.value)


def test_kernels_that_do_not_go_together(own: Path) -> None:
    """Every pin that differs is named, with both versions."""
    other = own / "kernels" / "other"
    shutil.copytree(own / "kernels" / "radiobiology", other)
    lock = other / "requirements.lock"
    numpy = metadata.version("numpy")
    lock.write_text(lock.read_text().replace(f"numpy=={numpy}", "numpy==0.1"))
    with pytest.raises(InputError, match="do not go together") as caught:
        resolve_requirements(own, have="")
    (issue,) = caught.value.issues
    assert {numpy, "0.1"} <= {issue.got, issue.wanted.partition("==")[2].partition(" ")[0]}

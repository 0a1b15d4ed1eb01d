"""The door: what it lists is what it offers, and opening it costs nothing."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import json
import subprocess
import sys
import types

import pytest

import braggbook

HEAVY = {"IPython", "matplotlib", "nbformat", "numpy", "pandas", "papermill", "pydantic", "scipy", "xarray", "zarr"}


def _loaded(code: str) -> list[str]:
    """Returns the modules that a fresh interpreter has loaded after ``code``."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _ours(modules: list[str]) -> list[str]:
    return [name for name in modules if name.partition(".")[0] == "braggbook"]


def _foreign(modules: list[str]) -> set[str]:
    known = {*sys.stdlib_module_names, "__main__", "braggbook"}
    found = {top for name in modules if not (top := name.partition(".")[0]).startswith("_")}
    return found - known - set(_loaded(""))  # a system may load its own sitecustomize into every interpreter


def test_every_listed_name_is_there() -> None:
    for name in braggbook.__all__:
        assert getattr(braggbook, name) is not None
    assert dir(braggbook) == sorted(braggbook.__all__)


def test_nothing_else_is_offered() -> None:
    script = (
        "import json, types, braggbook\n"
        "own = {n for n, v in vars(braggbook).items() if not n.startswith('_') and not isinstance(v, types.ModuleType)}\n"
        "print(json.dumps(sorted(own - {'annotations', 'Any', 'TYPE_CHECKING'})))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_every_lazy_home_is_behind_a_listed_name() -> None:
    assert {*braggbook._HOMES, *braggbook._MODULES, "__version__"} == set(braggbook.__all__)
    assert not set(braggbook._HOMES) & braggbook._MODULES


def test_everything_public_says_what_it_is() -> None:
    public = [getattr(braggbook, name) for name in braggbook.__all__ if name != "__version__"]
    assert [item for item in public if not inspect.getdoc(item)] == []


def test_the_public_modules_list_what_is_theirs() -> None:
    for name in ("errors", "imaging", "radiobiology", "units"):
        module = getattr(braggbook, name)
        assert isinstance(module, types.ModuleType)
        assert module is importlib.import_module(f"braggbook.{name}")
    for module in (braggbook.radiobiology, braggbook.imaging):
        assert [name for name in module.__all__ if getattr(module, name) is None] == []
        assert dir(module) == sorted(module.__all__)


def test_the_door_of_imaging_names_what_the_rooms_offer() -> None:
    assert {*braggbook.imaging._HOMES, *braggbook.imaging._ROOMS} == set(braggbook.imaging.__all__)
    with pytest.raises(AttributeError, match=r"module 'braggbook\.imaging' has no attribute 'read_dicon'"):
        braggbook.imaging.read_dicon  # noqa: B018 - looking is the test


def test_the_version_is_the_installed_one() -> None:
    assert braggbook.__version__ == importlib.metadata.version("braggbook")


def test_an_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'braggbook' has no attribute 'lod'"):
        braggbook.lod  # noqa: B018 - looking is the test


def test_the_door_opens_with_the_standard_library_alone() -> None:
    modules = _loaded("import braggbook")
    assert _foreign(modules) == set()
    assert _ours(modules) == ["braggbook"]


@pytest.mark.parametrize(
    ("code", "most", "foreign"),
    [
        ("import braggbook as bb; bb.units.parse_unit('Gy'); bb.errors", 3, set()),
        ("import braggbook as bb; bb.rng", 3, set()),
        ("import braggbook as bb; bb.result", 12, HEAVY - {"pydantic"}),
        ("import braggbook as bb; bb.load", 22, {"matplotlib", "papermill", "scipy", "zarr", "IPython", "nbformat"}),
        ("import braggbook as bb; bb.imaging", 2, set()),
        ("import braggbook.cli.main", 8, HEAVY),
    ],
    ids=["units", "rng", "result", "load", "imaging", "command line"],
)
def test_a_name_brings_only_what_it_needs(code: str, most: int, foreign: set[str]) -> None:
    modules = _loaded(code)
    assert len(_ours(modules)) <= most
    assert _foreign(modules) & foreign == set()
    if not foreign:
        assert _foreign(modules) == set()


def test_help_brings_no_science() -> None:
    code = "from braggbook.cli.main import main\nmain.main(['--help'], standalone_mode=False)"
    modules = _loaded(code)
    assert _foreign(modules) & HEAVY == set()
    assert len(_ours(modules)) <= 8

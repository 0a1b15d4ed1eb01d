"""What a kernel's process sees: nothing of the caller's but the way to programs, and what every run holds fixed."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from braggbook.runs.environment import cpu_flags, fixed_variables, kernel_variables, machine_facts

CALLER = {
    "PATH": "/usr/bin:/bin",
    "LD_LIBRARY_PATH": "/opt/lib",
    "SSL_CERT_FILE": "/etc/ssl/cert.pem",
    "REQUESTS_CA_BUNDLE": "/etc/ssl/ca.pem",
    "GITHUB_TOKEN": "ghp_secret",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "HOME": "/home/lovelace",
    "USER": "lovelace",
    "LOGNAME": "lovelace",
    "PYTHONPATH": "/home/lovelace/lib",
    "PYTHONSTARTUP": "/home/lovelace/.pythonrc",
    "PYTHONHASHSEED": "random",
    "LANG": "de_DE.UTF-8",
    "LC_NUMERIC": "de_DE.UTF-8",
    "TZ": "Europe/Berlin",
    "OMP_NUM_THREADS": "16",
    "MPLBACKEND": "qtagg",
    "BRAGGBOOK_RUNS": "/home/lovelace/runs",
    "BRAGGBOOK_SEED": "3",
    "MY_PATH": "/home/lovelace",
    "PATHEXT": ".py",
    "http_proxy": "http://lovelace:secret@proxy",
    "JUPYTER_PATH": "/home/lovelace/jupyter",
}
PASSED = {"LD_LIBRARY_PATH", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"}


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    return kernel_variables(
        tmp_path / "scratch", cache=tmp_path / "cache", python=Path("/env/bin/python"), software=tmp_path / "software",
        seed=7, caller=CALLER,
    )  # fmt: skip


def test_nothing_of_the_callers_is_passed_but_the_way_to_programs(variables: dict[str, str]) -> None:
    assert {name for name in CALLER if variables.get(name) == CALLER[name]} == PASSED
    values = " ".join(variables.values())
    assert "secret" not in values
    assert "lovelace" not in values


def test_the_kernels_own_interpreter_comes_first_in_the_path(variables: dict[str, str]) -> None:
    assert variables["PATH"] == f"/env/bin{os.pathsep}/usr/bin:/bin"
    bare = kernel_variables(
        Path(variables["HOME"]).parent, cache=Path(variables["HOME"]), python=Path("/env/bin/python"), software=Path("/s"),
        seed=0, caller={},
    )  # fmt: skip
    assert bare["PATH"] == f"/env/bin{os.pathsep}{os.defpath}"


def test_the_notebook_imports_the_runs_own_braggbook_alone(variables: dict[str, str], tmp_path: Path) -> None:
    assert variables["PYTHONPATH"] == str(tmp_path / "software")


def test_home_configuration_and_temporary_files_are_private_and_there(
    variables: dict[str, str], tmp_path: Path
) -> None:
    for name in ("HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "TMPDIR", "MATPLOTLIBRC"):
        assert Path(variables[name]).is_dir()
        assert Path(variables[name]).is_relative_to(tmp_path / "scratch")
    assert (variables["USER"], variables["LOGNAME"]) == ("braggbook", "braggbook")
    assert Path(variables["MPLCONFIGDIR"]).is_relative_to(tmp_path / "cache")
    assert (Path(variables["MATPLOTLIBRC"]) / "matplotlibrc").read_text() == "svg.hashsalt: braggbook\n"


def test_what_every_run_holds_fixed() -> None:
    fixed = fixed_variables(7)
    threads = {name: value for name, value in fixed.items() if name.endswith("_NUM_THREADS")}
    assert {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"} <= set(threads)
    assert set(threads.values()) == {"1"}
    expected = {
        "BRAGGBOOK_SEED": "7", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0", "PYTHONNOUSERSITE": "1", "TZ": "UTC",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }  # fmt: skip
    assert {name: fixed[name] for name in expected} == expected
    assert set(fixed) - set(threads) - set(expected) <= {"OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES"}


def test_fixed_variables_win_over_the_callers(variables: dict[str, str]) -> None:
    fixed = fixed_variables(7)
    assert {name: variables[name] for name in fixed} == fixed


def test_only_the_seed_differs_between_runs() -> None:
    one, other = fixed_variables(1), fixed_variables(2)
    assert {name for name in one if one[name] != other[name]} == {"BRAGGBOOK_SEED"}


def test_wider_vectors_than_avx2_are_switched_off_where_the_processor_has_them() -> None:
    fixed, flags = fixed_variables(0), cpu_flags()
    assert ("OPENBLAS_CORETYPE" in fixed) == ("avx2" in flags)
    disabled = fixed.get("NPY_DISABLE_CPU_FEATURES", "").split()
    assert ("X86_V4" in disabled) == ({"avx2", "avx512f"} <= flags)


def test_machine_facts_name_neither_machine_nor_user() -> None:
    facts = machine_facts()
    assert set(facts) == {"system", "machine", "libc", "python_build"}
    assert socket.gethostname() not in facts.values()

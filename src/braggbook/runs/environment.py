"""What the kernel's process may see, and what is held fixed so that a run can be repeated to the digit."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

# Passed on from the caller's environment; everything else, tokens first of all, stays outside.
_PASSED = re.compile(r"PATH|LD_LIBRARY_PATH|DYLD_.*|SSL_CERT_.*|REQUESTS_CA_BUNDLE|SYSTEMROOT|COVERAGE_PROCESS_START")
HASHSALT = "braggbook"  # identifiers inside an SVG are hashes; without it, matplotlib salts them at random
# A kernel that is asked who it is answers with a tip of the day, drawn from the random stream that notebooks draw from.
_NO_TIPS = "c.InteractiveShell.enable_tip = False\n"
_ONE_THREAD = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM", "BLIS", "NUMBA")
# AVX-512 has other roundings in NumPy's and OpenBLAS's vector loops than AVX2: one number, two last digits. Every
# x86-64 machine of the last decade has AVX2, so all are held to it. Names as NumPy spells them.
_AVX512 = {"avx512f": "X86_V4", "avx512_vbmi2": "AVX512_ICL", "avx512_fp16": "AVX512_SPR"}


def fixed_variables(seed: int) -> dict[str, str]:
    """Returns the environment variables that every run sets to the same values, on every machine."""
    fixed = {f"{name}_NUM_THREADS": "1" for name in _ONE_THREAD}
    fixed |= {
        "BRAGGBOOK_SEED": str(seed),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        "TZ": "UTC",
    }
    return fixed | _vector_width()


def _vector_width() -> dict[str, str]:
    flags = cpu_flags()
    if "avx2" not in flags:
        return {}
    disabled = [name for flag, name in _AVX512.items() if flag in flags]
    held = {"OPENBLAS_CORETYPE": "Haswell"}
    return held | ({"NPY_DISABLE_CPU_FEATURES": " ".join(disabled)} if disabled else {})


def cpu_flags() -> set[str]:
    """Returns what the processor can do, as Linux names it; empty where that cannot be read."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return set()
    match = re.search(r"^flags\s*:\s*(.*)$", text, re.MULTILINE)
    return set(match[1].split()) if match else set()


def kernel_variables(
    scratch: Path, *, cache: Path, python: Path, software: Path, seed: int, caller: Mapping[str, str]
) -> dict[str, str]:
    """Returns the whole environment of the kernel's process.

    Args:
        scratch: A private folder that stands for home, configuration and temporary files.
        cache: Where matplotlib keeps its list of fonts, which takes a second to make.
        python: The kernel's interpreter; its folder comes first in ``PATH``.
        software: The unpacked wheel of the Braggbook that the notebook imports.
        seed: Of ``bb.rng()``.
        caller: The runner's own environment.
    """
    passed = {name: value for name, value in caller.items() if _PASSED.fullmatch(name)}
    for name in ("home", "ipython", "jupyter", "matplotlib", "tmp"):
        (scratch / name).mkdir(parents=True, exist_ok=True)
    (cache / "matplotlib").mkdir(parents=True, exist_ok=True)
    (scratch / "ipython" / "profile_default").mkdir(exist_ok=True)
    (scratch / "ipython" / "profile_default" / "ipython_kernel_config.py").write_text(_NO_TIPS, encoding="utf-8")
    (scratch / "matplotlib" / "matplotlibrc").write_text(f"svg.hashsalt: {HASHSALT}\n", encoding="utf-8")
    private = {
        "HOME": str(scratch / "home"),
        "IPYTHONDIR": str(scratch / "ipython"),
        "JUPYTER_CONFIG_DIR": str(scratch / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(scratch / "jupyter"),
        "MPLCONFIGDIR": str(cache / "matplotlib"),
        "MATPLOTLIBRC": str(scratch / "matplotlib"),
        "TMPDIR": str(scratch / "tmp"),
        "USER": "braggbook",
        "LOGNAME": "braggbook",
        "PATH": f"{python.parent}{os.pathsep}{passed.get('PATH', os.defpath)}",
        "PYTHONPATH": str(software),
    }
    return {**passed, **private, **fixed_variables(seed)}


def template_variables(*, cache: Path, python: Path, software: Path, caller: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment of a template: what is the same in every kernel of :func:`kernel_variables`."""
    shared = {
        "MPLCONFIGDIR": str(cache / "matplotlib"),
        "PATH": f"{python.parent}{os.pathsep}{caller.get('PATH', os.defpath)}",
        "PYTHONPATH": str(software),
    }
    passed = {name: value for name, value in caller.items() if _PASSED.fullmatch(name)}
    fixed = {name: value for name, value in fixed_variables(0).items() if name != "BRAGGBOOK_SEED"}
    return {**passed, **shared, **fixed}


def machine_facts() -> dict[str, str]:
    """Returns what kind of machine this is, without its name or its user's."""
    libc = " ".join(platform.libc_ver())
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "libc": libc,
        "python_build": platform.python_implementation(),
    }

"""The notebooks of `benchmarks/engine.py`, made by code, each as a plain notebook and as an experiment of a project.

A plain notebook prints its values in its last cell; the experiment declares them with ``bb.result``. All other cells
are the same. The first cell holds the parameters, which are given other values for every execution, so that nothing can
be answered from an earlier one.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

KERNEL = "radiobiology"
MARK = "VALUES "  # what the line with a plain notebook's values begins with
_KERNELSPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}
_LINES = 99  # one-line cells of the long notebook between its parameters and its values


@dataclass(frozen=True)
class Source:
    """A notebook to be made.

    Attributes:
        about: What it does, for people.
        parameters: Source of the parameters cell.
        cells: Sources of the cells behind it.
        values: What it computes: names of variables that hold numbers.
        libraries: What it imports, for a kernelspec that names them.
    """

    slug: str
    about: str
    parameters: str
    cells: tuple[str, ...]
    values: tuple[str, ...]
    libraries: tuple[str, ...] = ()


_IMPORTS = """\
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr"""
_SURVIVAL = """\
dose_gy = np.linspace(0.0, 10.0, 201)
one_fraction = xr.DataArray(np.exp(-alpha * dose_gy - beta * dose_gy**2), dims="dose", coords={"dose": dose_gy})
survival = one_fraction**fractions"""
_TABLE = """\
table = pd.DataFrame({"dose_gy": dose_gy, "one_fraction": one_fraction, "survival": survival})
table.describe()"""
_PLOT = """\
figure, axes = plt.subplots()
axes.semilogy(dose_gy, one_fraction, label="one fraction")
axes.semilogy(dose_gy, survival, label="all fractions")
axes.set(xlabel="dose / Gy", ylabel="survival")
axes.legend();"""
_NUMBERS = """\
mean_survival = float(survival.mean())
d10_gy = float(np.interp(-np.log(0.1), -np.log(one_fraction), dose_gy))"""

TRIVIAL = Source(
    "trivial", "3 code cells that import nothing", "alpha = 0.3", ("total = sum(alpha * k for k in range(1000))",),
    ("total",),
)  # fmt: skip
SCIENTIFIC = Source(
    "scientific",
    "imports NumPy, pandas, xarray and matplotlib; a linear-quadratic curve, `describe()`, a figure",
    "alpha = 0.3\nbeta = 0.03\nfractions = 1",
    (_IMPORTS, _SURVIVAL, _TABLE, _PLOT, _NUMBERS),
    ("mean_survival", "d10_gy"),
    ("numpy", "pandas", "xarray", "matplotlib.pyplot"),
)
CELLS100 = Source(
    "cells100", "101 code cells of one line each", "alpha = 0.3",
    ("x = alpha", *(f"x = 0.5 * x + {number}" for number in range(_LINES - 1))), ("x",),
)  # fmt: skip
PLAIN = {source.slug: source for source in (TRIVIAL, SCIENTIFIC, CELLS100)}

_ANATOMY = """\
random = np.random.default_rng(7)
ct = random.normal(40.0, 300.0, (220, 256, 256)).astype(np.float32)"""
_DOSE = """\
z, y, x = (np.arange(length) - length / 2 for length in ct.shape)
fall_off = np.exp(-(x[None, None, :] ** 2) / 900.0 - y[None, :, None] ** 2 / 1600.0)
dose = (2.0 * fall_off * (1.0 + 0.02 * np.cos(z / 9.0))[:, None, None]).astype(np.float32)
for _ in range(150):
    dose = 0.5 * dose + 0.25 * (np.roll(dose, 1, axis=0) + np.roll(dose, -1, axis=0))
order = np.sort((dose * (1.0 + 1e-4 * ct)).ravel())"""
_SHIFT = """\
rows = int(round(shift_mm / 0.5))
target = dose[90:130, 100 + rows : 156 + rows, 100:156]
mean_dose_gy = float(target.mean(dtype=np.float64))
coldest_gy = float(target.min())
above = float(1.0 - np.searchsorted(order, order.dtype.type(mean_dose_gy)) / order.size)"""
HEAVY = Source(
    "heavy", "its first cells compute a dose for some ten seconds, its last one is cheap",
    "shift_mm = 0.0", ("import numpy as np", _ANATOMY, _DOSE, _SHIFT), ("mean_dose_gy", "coldest_gy", "above"),
    ("numpy",),
)  # fmt: skip
_WAIT = """\
import os, pathlib, time
here = pathlib.Path(flag)
here.write_text(str(os.getpid()))
while here.exists():
    time.sleep(0.02)"""
SLEEPER = Source(
    "sleeper", "the scientific notebook, which then waits until it may end",
    SCIENTIFIC.parameters + '\nflag = ""', (*SCIENTIFIC.cells, _WAIT), SCIENTIFIC.values, SCIENTIFIC.libraries,
)  # fmt: skip


def write_plain(source: Source, folder: Path) -> Path:
    """Writes a plain notebook; returns its path."""
    listed = ", ".join(f'"{name}": {name}' for name in source.values)
    last = f"import json\nprint({MARK!r} + json.dumps({{{listed}}}))"
    return _write(folder / f"{source.slug}.ipynb", _code(source, last))


def write_experiment(source: Source, project: Path) -> Path:
    """Writes an experiment notebook into a project; returns its path."""
    results = "\n".join(f'    {name}: {{unit: "1"}}' for name in source.values)
    front = (
        f"---\ntitle: Benchmark, {source.slug}\nauthors:\n  - name: Ada Lovelace\nlicense: CC0-1.0\n"
        f"braggbook:\n  kernel: {KERNEL}\n  results:\n{results}\n---\n\n# Benchmark, {source.slug}"
    )
    lines = ["import braggbook as bb", *(f'bb.result("{name}", {name}, unit="1")' for name in source.values)]
    cells = [new_markdown_cell(front, id="front"), *_code(source, "\n".join(lines))]
    return _write(project / "notebooks" / f"{source.slug}.ipynb", cells)


def make_project(folder: Path, kernels: Path) -> Path:
    """Makes a project with the repository's kernel and every notebook as an experiment."""
    shutil.copytree(kernels / KERNEL, folder / "kernels" / KERNEL)
    for source in (*PLAIN.values(), HEAVY, SLEEPER):
        write_experiment(source, folder)
    return folder


def _code(source: Source, last: str) -> list[nbformat.NotebookNode]:
    parameters = new_code_cell(source.parameters, id="parameters", metadata={"tags": ["parameters"]})
    return [parameters, *(new_code_cell(text, id=f"cell-{n}") for n, text in enumerate((*source.cells, last), 1))]


def _write(path: Path, cells: list[nbformat.NotebookNode]) -> Path:
    node = new_notebook(cells=cells, metadata={"kernelspec": _KERNELSPEC, "language_info": {"name": "python"}})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(nbformat.writes(node)) + "\n", encoding="utf-8")
    return path


def write_kernelspec(folder: Path, name: str, libraries: tuple[str, ...]) -> None:
    """Writes a kernelspec below a Jupyter data folder whose kernels are forked from a template with these libraries."""
    provisioner = {"provisioner_name": "braggbook", "config": {"modules": list(libraries)}}
    spec = {
        "argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": name, "language": "python", "metadata": {"kernel_provisioner": provisioner},
    }  # fmt: skip
    (folder / "kernels" / name).mkdir(parents=True)
    (folder / "kernels" / name / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")

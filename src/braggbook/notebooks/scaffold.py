"""A new experiment notebook that keeps to the contract and runs as it is."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from braggbook.errors import DuplicateName
from braggbook.files import storage, write_text
from braggbook.formats.common import check_slug
from braggbook.formats.placeholders import AUTHOR, NOTEBOOK_ABSTRACT
from braggbook.notebooks.catalogue import notebook_paths

_FRONT = """---
title: {title}
authors:
  - name: {author}
license: CC-BY-4.0
keywords: [linear-quadratic model]
abstract: {abstract}
braggbook:
  kernel: {kernel}
  datasets: []
  goals:
    - id: survival
      text: Which fraction of the cells survives the dose?
      answered_by: [surviving_fraction]
  parameters:
    dose_gy: {{unit: Gy, minimum: 0, maximum: 20, help: absorbed dose}}
    alpha_per_gy: {{unit: 1/Gy, minimum: 0}}
    beta_per_gy2: {{unit: 1/Gy^2, minimum: 0}}
  results:
    surviving_fraction: {{unit: "1", help: survival at the dose}}
    curve: {{kind: figure}}
---

# {title}

Everything between the two lines of dashes is front matter: what the notebook needs, asks and promises.
"""

_PARAMETERS = """dose_gy: float = 2.0
alpha_per_gy: float = 0.3  # linear coefficient
beta_per_gy2: float = 0.03  # quadratic coefficient"""

_CODE = """import matplotlib.pyplot as plt
import numpy as np

import braggbook as bb

survival = np.exp(-alpha_per_gy * dose_gy - beta_per_gy2 * dose_gy**2)
bb.result("surviving_fraction", survival, unit="1")"""

_FIGURE = """doses_gy = np.linspace(0, max(2 * dose_gy, 1), 100)
figure, axes = plt.subplots(figsize=(6, 4))
axes.semilogy(doses_gy, np.exp(-alpha_per_gy * doses_gy - beta_per_gy2 * doses_gy**2))
axes.plot(dose_gy, survival, "o")
axes.set(xlabel="dose (Gy)", ylabel="surviving fraction")
bb.result("curve", figure, alt="Surviving fraction falls with dose; the chosen dose is marked.")"""


def new_notebook_file(slug: str, *, project: Path, kernel: str) -> Path:
    """Writes ``notebooks/<slug>.ipynb``.

    Raises:
        DuplicateName: The project has a notebook of that name.
        ValueError: ``slug`` is no slug.
    """
    check_slug(slug)
    if slug in notebook_paths(project):
        raise DuplicateName(f"there is a notebook named {slug!r}", where=str(notebook_paths(project)[slug]))
    title = slug.replace("_", " ").capitalize()
    node = new_notebook(
        cells=[
            new_markdown_cell(
                _FRONT.format(title=title, kernel=kernel, author=AUTHOR, abstract=NOTEBOOK_ABSTRACT), id="front-matter"
            ),
            new_code_cell(_PARAMETERS, id="parameters", metadata={"tags": ["parameters"]}),
            new_code_cell(_CODE, id="survival"),
            new_markdown_cell("The same model over a range of doses.", id="about-curve"),
            new_code_cell(_FIGURE, id="curve"),
        ],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        },
    )
    path = project / "notebooks" / f"{slug}.ipynb"
    with storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, str(nbformat.writes(node)) + "\n")
    return path

"""Draws the pictures of the documentation: `python scripts/draw_pictures.py [name ...]`.

Each `docs/pictures/<name>.py` has one function, `draw()`, that returns a matplotlib figure; this writes it as
`<name>.svg` beside it, the same bytes each time.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
STYLE = {
    "svg.hashsalt": "braggbook",
    "figure.figsize": (7.0, 4.0),
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "font.size": 10,
}


def draw(name: str) -> Path:
    """Draws one picture and returns where it lies."""
    spec = importlib.util.spec_from_file_location(name, PICTURES / f"{name}.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(PICTURES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = PICTURES / f"{name}.svg"
    with mpl.rc_context(STYLE):
        module.draw().savefig(path, format="svg", facecolor="white", metadata={"Date": None})
    return path


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(path.stem for path in PICTURES.glob("*.py")):
        print(draw(name).relative_to(PICTURES.parents[1]))

"""Takes a figure out of a tutorial's run for the documentation: `python scripts/take_tutorial_picture.py RUN [FIGURE]`.

RUN is the folder of a complete run, FIGURE the name of the result [default: the first figure]. The picture goes to
`docs/pictures/tutorials/<tutorial>.svg` (`.png` where the drawing is larger than a picture of it), its alternative text
beside it; the pages and cards of the tutorials show it.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures" / "tutorials"
LARGEST_SVG = 150_000  # bytes


def take(run: Path, figure: str = "") -> Path:
    """Copies one figure with its alternative text, and returns where it lies."""
    notebook = _file_of(json.loads((run / "run.json").read_text(encoding="utf-8"))["notebook"])
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))["results"]
    found = {name: one for name, one in results.items() if one["kind"] == "figure" and figure in ("", name)}
    if not found:
        raise SystemExit(f"{run}: no figure {figure}")
    name, result = next(iter(found.items()))
    if not result.get("alt"):
        raise SystemExit(f"{run}: the figure {name} has no alternative text")
    drawing = run / "figures" / f"{name}.svg"
    suffix = ".svg" if drawing.stat().st_size <= LARGEST_SVG else ".png"
    PICTURES.mkdir(parents=True, exist_ok=True)
    for old in PICTURES.glob(f"{notebook}.*"):
        old.unlink()
    (PICTURES / f"{notebook}.txt").write_text(result["alt"] + "\n", encoding="utf-8")
    return Path(shutil.copyfile(drawing.with_suffix(suffix), PICTURES / f"{notebook}{suffix}"))


def _file_of(notebook: str) -> str:
    """Returns the name of a tutorial's file, which begins with its number."""
    found = [path.stem for path in (ROOT / "notebooks" / "tutorials").glob("[0-9]*.ipynb")]
    return next((name for name in found if notebook in (name, name.partition("_")[2])), notebook)


if __name__ == "__main__":
    print(take(Path(sys.argv[1]), *sys.argv[2:3]))

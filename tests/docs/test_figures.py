"""Figures for everybody: what shipped notebooks and pages show has words for who cannot see it, and safe colours."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from .pages import DOCS, ROOT, page_paths

NOTEBOOKS = sorted([*(ROOT / "notebooks").rglob("*.ipynb"), *(ROOT / "challenges").rglob("*.ipynb")])
PICTURES = sorted((DOCS / "pictures").glob("*.py"))
SHORTEST_ALT = 40  # letters; less names a figure and does not say what it shows
# Okabe and Ito: https://jfly.uni-koeln.de/color/
SAFE = {"#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#ffffff"}
# Lightness runs one way in each; OrRd by ColorBrewer, which tells which of its maps are safe
SAFE_MAPS = {"gray", "viridis", "cividis", "inferno", "magma", "OrRd_r"}
_HEX = re.compile(r"""["'](#[0-9a-fA-F]{6})["']""")
_CYCLE = re.compile(r"""["'](C[0-9]|tab:\w+)["']""")
_MAP = re.compile(r"""(?:cmap\s*=\s*|get_cmap\(|colormaps\[)["'](\w+)["']""")
_IMAGE = re.compile(r"(?<!\[)!\[([^\]]*)\]\([^)]*\)")  # not a badge, whose words are those of a link
_FRONT = re.compile(r"\A---\n(.*?)\n---", re.DOTALL)


def sources(path: Path, kind: str) -> list[str]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == kind]


def figures_of(path: Path) -> set[str]:
    """Returns the results of kind figure that a notebook promises."""
    front = _FRONT.match(sources(path, "markdown")[0])
    results = (yaml.safe_load(front[1])["braggbook"] if front else {}).get("results") or {}
    return {name for name, result in results.items() if (result or {}).get("kind") == "figure"}


def alts_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yields name and alternative text of each `bb.result`; of an f-string the parts that stand there."""
    for text in sources(path, "code"):
        lines = ("pass" if line.lstrip().startswith(("%", "!")) else line for line in text.splitlines())
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "result":
                alt = next((word.value for word in node.keywords if word.arg == "alt"), None)
                words = ast.walk(alt) if alt is not None else ()
                said = "".join(str(word.value) for word in words if isinstance(word, ast.Constant))
                yield ast.literal_eval(node.args[0]) if isinstance(node.args[0], ast.Constant) else "", said


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_figure_of_a_notebook_is_told_in_words(path: Path) -> None:
    said = dict(alts_of(path))
    assert figures_of(path), "each shipped notebook shows something"
    short = {name for name in figures_of(path) if len(said.get(name, "")) < SHORTEST_ALT}
    assert not short, f"bb.result(..., alt=...) of {sorted(short)}"


def test_every_picture_of_a_page_is_told_in_words() -> None:
    pages = [*page_paths(), ROOT / "README.md"]
    texts = [(path, path.read_text(encoding="utf-8")) for path in pages]
    texts += [(path, text) for path in NOTEBOOKS for text in sources(path, "markdown")]
    found = [(path, alt) for path, text in texts for alt in _IMAGE.findall(text)]
    assert len(found) > 10
    assert [f"{path.name}: {alt!r}" for path, alt in found if len(alt) < SHORTEST_ALT] == []


@pytest.mark.parametrize(
    "path", [*PICTURES, *(one for one in NOTEBOOKS if "notebooks" in one.parts)], ids=lambda path: path.stem
)
def test_colours_are_told_apart_by_any_reader(path: Path) -> None:
    code = path.read_text(encoding="utf-8") if path.suffix == ".py" else "\n".join(sources(path, "code"))
    colours = {one.lower() for one in _HEX.findall(code)}
    strange = {one for one in colours - SAFE if not one[1:3] == one[3:5] == one[5:7]}
    strange |= {one for one in _MAP.findall(code) if one not in SAFE_MAPS} | set(_CYCLE.findall(code))
    assert not strange, f"not of Okabe and Ito, nor grey, nor a safe colour map: {sorted(strange)}"

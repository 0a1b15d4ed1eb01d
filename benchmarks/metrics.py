"""Segmentation metrics in turn with the surface-distance package and MONAI; prints ratios.

    python benchmarks/metrics.py [--rounds 5] [--quick] [--markdown FILE] [--cache FOLDER]

Two masks of a body such as a liver on a grid of 256 x 256 x 256 voxels of 2.5 x 0.9 x 0.9 mm: overlapping ellipsoids
with a rough surface, made from a seed; the estimate is moved, rougher, and has a piece too many. Sides are processes
that have imported all they need (and called it once) and hold both masks; the clock runs inside them, over everything
from the masks to the scores. In each round every side does the same once, in an order that moves on; a ratio is of one
round. What the sides say is compared first, to one part in a million; where they differ no time is told, and the script
ends with 1.

Each peer has a virtual environment of its own in the cache folder: surface-distance, and MONAI with PyTorch, for which
a CPU build is enough (UV_FIND_LINKS or PIP_FIND_LINKS may name a folder that has one). A peer that cannot be installed
is left out, and said to be.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from engine_tables import Rounds
from imaging_sides import Failed, Side, in_turn, run, say
from imaging_tables import OURS, compare_table
from page import facts, write_tables
from scipy import ndimage

MARKS = ("<!-- metrics: begin -->", "<!-- metrics: end -->")
SIZE, QUICK_SIZE = 256, 96
SPACING_MM, TOLERANCE_MM = (2.5, 0.9, 0.9), 2.0
SAME = 1e-6  # relative: MONAI's distances have seven digits
AIM = 5.0
SEED = 7
PEERS: Mapping[str, tuple[str, ...]] = {
    "surface-distance": ("surface-distance==0.1", f"scipy=={version('scipy')}", f"numpy=={version('numpy')}"),
    "MONAI": ("monai==1.6.1", "torch==2.13.0", f"scipy=={version('scipy')}"),
}
OPEN = {OURS: "open_braggbook", "surface-distance": "open_surface_distance", "MONAI": "open_monai"}
# title: our call, the peer, its call
ROWS = {
    "HD, HD95, ASSD and NSD between weighted triangles": ("surfel", "surface-distance", "surface_distance"),
    "HD95, ASSD and NSD between voxels": ("voxel", "MONAI", "monai"),
    "HD95 between voxels alone": ("voxel_hd95", "MONAI", "monai_hd95"),
}


def body(random: np.random.Generator, *, size: int, rough: float, shift: float) -> Any:
    """Returns a mask (size, size, size): ellipsoids that overlap, with a surface that is moved by smooth noise."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    z, y, x = axis[:, None, None] - shift, axis[:, None] + shift, axis
    lobes = (
        (z / 0.55) ** 2 + (y / 0.5) ** 2 + ((x + 0.15) / 0.6) ** 2,
        ((z - 0.1) / 0.35) ** 2 + ((y + 0.1) / 0.35) ** 2 + ((x - 0.4) / 0.4) ** 2,
    )
    noise = ndimage.gaussian_filter(random.standard_normal((size,) * 3, dtype=np.float32), size / 40)
    return np.minimum(*lobes) + rough * noise / noise.std() < 1


def make_masks(path: Path, *, size: int) -> None:
    """Writes the pair."""
    random = np.random.default_rng(SEED)
    reference = body(random, size=size, rough=0.06, shift=0.0)
    estimate = body(random, size=size, rough=0.09, shift=0.012)
    estimate[size * 4 // 5 : size * 4 // 5 + size // 32, size // 2 : size * 9 // 16, size // 2 : size * 9 // 16] = True
    np.savez(path, reference=reference, estimate=estimate)


def python_of(peer: str, folder: Path) -> str:
    """Returns the interpreter of a peer's environment, made when it is first asked for.

    Raises:
        Failed: It cannot be made.
    """
    place, stamp = folder / peer.lower(), "\n".join(PEERS[peer])
    done, python = place / "installed.txt", str(place / "bin" / "python")
    if not done.is_file() or done.read_text() != stamp:
        say(f"making the environment of {peer} in {place}")
        shutil.rmtree(place, ignore_errors=True)
        uv = shutil.which("uv")
        run([sys.executable, "-m", "venv", *(["--without-pip"] if uv else []), str(place)])
        install = ["uv", "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
        run([*install, "--quiet", *PEERS[peer]])
        done.write_text(stamp)
    return python


def open_sides(stack: ExitStack, masks: Path, *, cache: Path, scratch: Path) -> tuple[dict[str, Side], list[str]]:
    """Starts all sides that can be had, with the masks in them; returns them, and what is said of the others."""
    sides, missing = {}, []
    for name in (OURS, *PEERS):
        try:
            python = sys.executable if name == OURS else python_of(name, cache / "environments")
        except Failed as error:
            missing.append(f"{name} is not compared: {error}")
            say(missing[-1])
            continue
        side = Side(name, python=python, script="metrics_side.py", log=scratch / f"{name}.log")
        sides[name] = stack.enter_context(closing(side))
        side.ask("open_masks", path=str(masks), spacing_mm=SPACING_MM, tolerance_mm=TOLERANCE_MM)
        side.ask(OPEN[name])
    return sides, missing


def differing(ours: Mapping[str, float], theirs: Mapping[str, float]) -> list[str]:
    """Returns the scores that are not the same."""
    if ours.keys() != theirs.keys():
        return [f"{sorted(ours)} and {sorted(theirs)}"]
    return [
        f"{name} {ours[name]!r} and {theirs[name]!r}"
        for name in ours
        if abs(ours[name] - theirs[name]) > SAME * abs(theirs[name])
    ]


def row(title: str, sides: Mapping[str, Side], *, rounds: int) -> tuple[str, bool]:
    """Measures one row; returns its section, and whether the sides agree."""
    call, peer, theirs = ROWS[title]
    said = sides[OURS].ask(call).value, sides[peer].ask(theirs).value
    if unlike := differing(*said):
        return f"### {title}\n\nNothing is compared: {peer} differs in {'; '.join(unlike)}.", False
    measured: Rounds = in_turn(
        rounds, {OURS: lambda: sides[OURS].ask(call).cost, peer: lambda: sides[peer].ask(theirs).cost}
    )
    scores = ", ".join(f"{name} {value:.6g}" for name, value in said[0].items())
    return f"### {title}\n\nBoth say: {scores}.\n\n{compare_table(measured, aims={peer: AIM})}", True


def told(sides: Mapping[str, Side], masks: Path, *, rounds: int, load: float) -> str:
    """Returns what machine, versions and masks these are, as a list."""
    peers = {name: [one.partition("==")[0] for one in PEERS[name]] for name in sides if name != OURS}
    programs = [
        f"{n} {v}" for peer, names in peers.items() for n, v in sides[peer].ask("versions", names=names).value.items()
    ]
    with np.load(masks) as both:
        parts = [both[name] for name in ("reference", "estimate")]
        filled = ", ".join(f"{100 * part.mean():.1f} %" for part in parts)
        shape = " x ".join(map(str, parts[0].shape))
    known = facts(("braggbook", "numpy", "scipy"), rounds=rounds, load=load, programs=programs)
    return f"{known}\n- masks: {shape}, {filled} filled"


def main(words: Sequence[str] | None = None) -> int:
    """Runs the benchmark; 1 when sides disagree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--quick", action="store_true", help=f"masks of {QUICK_SIZE} voxels a side, to see that it works"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help=f"write the tables; between the marks {MARKS[0]}")
    cache = platformdirs.user_cache_path("braggbook") / "benchmarks"
    parser.add_argument("--cache", type=Path, metavar="FOLDER", default=cache, help=f"of environments; else {cache}")
    options, load = parser.parse_args(words), os.getloadavg()[0]
    options.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        masks = Path(scratch) / "masks.npz"
        make_masks(masks, size=QUICK_SIZE if options.quick else SIZE)
        sides, missing = open_sides(stack, masks, cache=options.cache, scratch=Path(scratch))
        done = [row(title, sides, rounds=options.rounds) for title, (_, peer, _) in ROWS.items() if peer in sides]
        about = told(sides, masks, rounds=options.rounds, load=load)
    text = "\n\n".join([about, *missing, *(section for section, _ in done)]) + "\n"
    print(text)
    if options.markdown:
        write_tables(options.markdown, text, marks=MARKS)
    return 0 if all(agreed for _, agreed in done) else 1


if __name__ == "__main__":
    sys.exit(main())

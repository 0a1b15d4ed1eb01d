"""The rows of `benchmarks/imaging.py` about radiotherapy: masks, dose-volume histograms, gamma."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from engine_tables import Cost, Rounds, middle_and_range, table
from imaging_data import dose_pair, made, read_image, structures_on_ct
from imaging_rows import scratch_in_memory
from imaging_sides import Bench, Disagreement, Side, Sides, in_turn, program, say
from imaging_tables import OURS, Section, compare_table, ratios
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

import braggbook as bb

CASE = "breast_boost_plan@1"
BODY = "BODY"
DICE = 0.999  # of masks by the same rule; of centres on an edge each has its own
# rt-utils rounds contours to whole pixels and fills their edge too, so that it closes clefts narrower than two pixels.
PIXELS, NEAR = 1, 0.999
DVH_LARGE_CC, DVH_PERCENT = 10.0, 1.5
CUTOFF_PERCENT, MAXIMUM = 10.0, 2.0
GAMMA_EQUAL, CLOSED_FORM = 5e-3, 1e-3
PLACES = (10, 20, 40, 80, 160, 250)  # per distance criterion, between which the peer searches; 10 is its default
SIDE = 6  # of a block of points
PASS_PERCENT = 0.5  # of points, by which plastimatch's search between voxels, which is no exact one, may differ

Masks = dict[str, NDArray[np.uint8]]


def summed(costs: Sequence[Cost]) -> Cost:
    """Returns what several calls took together."""
    return Cost(sum(each.seconds for each in costs), sum(each.cpu_s for each in costs))


def masks(bench: Bench) -> Section:
    """Structures to masks on a CT of 512 x 512 pixels."""
    paths = {name: str(path) for name, path in bb.load(CASE, to="paths").items()}
    folder = made(bench.data / "structures-on-ct", partial(structures_on_ct, structures=Path(paths["rtss.dcm"])))
    grid = np.load(folder / "grid.npz")
    place: dict[str, Any] = {"affine": grid["affine"].tolist(), "shape": grid["shape"].tolist()}
    structures, images = str(folder / "rs.dcm"), str(folder / "ct")
    with bench.ours() as ours, bench.peer("rt_utils") as rt, bench.peer("dicompyler") as dc:
        names = list(ours.ask("open_structures", structures=structures, **place).value)
        own = save_masks(ours, names, bench.scratch)
        rt.ask("open_rt_utils", images=images, structures=structures)
        dc.ask("open_dicompyler", structures=structures, dose=paths["rtdose.dcm"])
        dc.ask("open_grid", **place)
        few = [name for name in names if name != BODY]
        parts = [
            against_rt_utils(bench, ours, rt, own, shape=place["shape"]),
            against_dicompyler(bench, ours, dc, {name: own[name] for name in few}),
            against_plastimatch(bench, ours, own, images=images, structures=structures),
        ]
    size = " x ".join(str(n) for n in place["shape"])
    note = (
        f"The {len(names)} structures of a breast plan that have contours, on a generated CT ({size}). Libraries in "
        "warm processes with contours read and the peers' series loaded beforehand; time of all structures, one "
        f"after the other. Compared: every mask, Dice {DICE:g} or more; rt-utils has another rule, see below."
    )
    return Section("RTSTRUCT to masks", [note, *parts])


def save_masks(ours: Side, names: Sequence[str], folder: Path) -> Masks:
    """Returns our masks, packed; compiles all on the way."""
    found = {}
    for name in names:
        ours.ask("mask", name=name)
        path = folder / "mask.npy"
        ours.ask("save_mask", path=str(path))
        found[name] = np.load(path)
    return found


def dice(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Returns the Dice coefficient of two packed masks."""
    both, whole = np.bitwise_count(one & other).sum(), np.bitwise_count(one).sum() + np.bitwise_count(other).sum()
    return float(2 * both / whole) if whole else 1.0


def alike(peer: str, own: Masks, theirs: Mapping[str, NDArray[np.uint8]], *, shape: Sequence[int] = ()) -> str:
    """Asks that all masks of a peer are as ours, with a shape but for a pixel at their edges; tells how far they are.

    Raises:
        Disagreement: One is not.
    """
    found = {name: dice(own[name], theirs[name]) for name in own}
    say(f"  {peer}, Dice: " + ", ".join(f"{name} {value:.4f}" for name, value in found.items()))
    for name, value in found.items():
        if not (value >= DICE or (shape and near(own[name], theirs[name], shape=shape))):
            raise Disagreement(f"masks of {name}: Dice {value:.4f} with {peer}")
    said = f"{peer} against ours: Dice {min(found.values()):.4f} to {max(found.values()):.4f}"
    return said + (f", {100 * NEAR:g} % or more within a pixel." if shape else ".")


def near(one: NDArray[np.uint8], other: NDArray[np.uint8], *, shape: Sequence[int]) -> bool:
    """Whether nearly all of each of two packed masks lies in the other, grown in its planes by a pixel."""
    count = int(np.prod(shape))
    both = [np.unpackbits(each, count=count).reshape(shape).astype(bool) for each in (one, other)]
    around = np.ones((1, 2 * PIXELS + 1, 2 * PIXELS + 1), bool)
    grown = [binary_dilation(each, around) for each in both]
    return all((mask & wide).sum() >= NEAR * mask.sum() for mask, wide in zip(both, grown[::-1], strict=True))


def all_masks(ours: Side, names: Sequence[str]) -> Cost:
    """Returns what our masks take."""
    return summed([ours.ask("mask", name=name).cost for name in names])


def against_rt_utils(bench: Bench, ours: Side, peer: Side, own: Masks, *, shape: Sequence[int]) -> str:
    """Compares with rt-utils."""
    theirs, path = {}, bench.scratch / "mask.npy"
    for name in own:
        peer.ask("rt_utils_mask", name=name)
        peer.ask("save_mask", path=str(path), order="yxz")
        theirs[name] = np.load(path)
    told = alike("rt-utils", own, theirs, shape=shape)

    def rt_utils() -> Cost:
        return summed([peer.ask("rt_utils_mask", name=name).cost for name in own])

    rounds = in_turn(bench.rounds, {OURS: lambda: all_masks(ours, list(own)), "rt-utils": rt_utils})
    return told + "\n\n" + compare_table(rounds, aims={"rt-utils": 10.0})


def against_dicompyler(bench: Bench, ours: Side, peer: Side, own: Masks) -> str:
    """Compares with the rasteriser of dicompyler-core, one pass over the structures in a round."""
    path = bench.scratch / "mask.npy"

    def one_pass(theirs: dict[str, Any]) -> Cost:
        costs = []
        for name in own:
            peer.ask("open_planes", name=name)
            costs.append(peer.ask("dicompyler_mask").cost)
            peer.ask("save_mask", path=str(path), order="zyx")
            theirs[name] = np.load(path)
        return summed(costs)

    theirs: dict[str, Any] = {}
    one_pass(theirs)
    told = alike("dicompyler-core", own, theirs)
    label = "dicompyler-core's rasteriser"
    few = 1 if bench.quick else min(bench.rounds, 3)
    rounds = in_turn(few, {OURS: lambda: all_masks(ours, list(own)), label: lambda: one_pass({})})
    note = f"{told} Without {BODY}, which takes it minutes."
    return note + "\n\n" + compare_table(rounds, aims={label: 10.0})


def against_plastimatch(bench: Bench, ours: Side, own: Masks, *, images: str, structures: str) -> str:
    """Compares with plastimatch's command: both sides read contours and the image's grid, and write a file each."""
    found, command = scratch_in_memory(bench), bench.environments.program("plastimatch")
    target, files = found / "plastimatch", found / "ours"
    words = [command, "convert", "--input", structures, "--referenced-ct", images, "--xor-contours"]
    words += ["--output-prefix", str(target), "--prefix-format", "mha"]

    def plastimatch() -> Cost:
        shutil.rmtree(target, ignore_errors=True)
        return program(words)

    def braggbook() -> Cost:
        shutil.rmtree(files, ignore_errors=True)
        files.mkdir()
        return ours.ask("mask_files", images=images, structures=structures, target=str(files)).cost

    label = "plastimatch convert"
    try:
        sides = {OURS: braggbook, label: plastimatch}
        in_turn(1, sides)
        theirs = {name: np.packbits(read_image(target / f"{name}.mha") > 0) for name in own}
        told = alike("plastimatch", own, theirs)
        rounds = in_turn(bench.rounds, sides)
    finally:
        if found != bench.scratch:
            shutil.rmtree(found, ignore_errors=True)
    note = (
        f"{told} Both sides read the structure set and the CT's headers and write one uncompressed file a structure, "
        "to memory; plastimatch as a program, without its Python launcher."
    )
    return note + "\n\n" + compare_table(rounds, aims={label: 1.0})


def dvh(bench: Bench) -> Section:
    """Dose-volume histograms of a real plan, structure by structure."""
    paths = {name: str(path) for name, path in bb.load(CASE, to="paths").items()}
    structures, dose = paths["rtss.dcm"], paths["rtdose.dcm"]
    unit: dict[str, Any] = {"affine": np.eye(4).tolist(), "shape": (1, 1, 1)}
    with bench.ours() as ours, bench.peer("dicompyler") as peer:
        numbers = ours.ask("open_structures", structures=structures, **unit).value
        planned = ours.ask("open_dose", dose=dose).value
        peer.ask("open_dicompyler", structures=structures, dose=dose)
        names = {name: number for name, number in numbers.items() if str(number) in planned}
        own = {name: ours.ask("dvh", name=name).value for name in names}
        theirs = {name: peer.ask("dvh", number=number).value for name, number in names.items()}
        accurate(own, theirs, {name: planned[str(number)] for name, number in names.items()})
        rounds: Rounds = []
        each: dict[str, Rounds] = {name: [] for name in names}
        for _ in range(bench.rounds):
            together: dict[str, list[Cost]] = {OURS: [], "dicompyler-core": []}
            for name, number in names.items():
                sides = {
                    OURS: partial(cost_of, ours, "dvh", name=name),
                    "dicompyler-core": partial(cost_of, peer, "dvh", number=number),
                }
                (costs,) = in_turn_quietly(sides, first=len(rounds) % 2)
                each[name].append(costs)
                for side, cost in costs.items():
                    together[side].append(cost)
            rounds.append({side: summed(costs) for side, costs in together.items()})
            say(f"  round {len(rounds)}: " + ", ".join(f"{k} {v.seconds:.3g} s" for k, v in rounds[-1].items()))
    rows = [dvh_row(name, planned[str(number)], own[name], theirs[name], each[name]) for name, number in names.items()]
    head = [
        "structure",
        "planning system, cc",
        "volume",
        "peer's",
        "mean dose",
        "peer's",
        "ours, ms",
        "peer, ms",
        "times",
    ]
    note = (
        f"The {len(names)} structures of a breast plan that have contours and a curve of the planning system's own. "
        "Both libraries in warm processes, contours read and dose decoded beforehand. Compared: volume and mean dose "
        f"within {DVH_PERCENT} % of the planning system's for structures above {DVH_LARGE_CC:g} cc other than {BODY}, "
        "volume of the smaller ones nearer to it than the peer's. Deviations below are from the planning system. "
        f"{BODY} has the 100 cc beyond the dose grid in it, and the planning system's curve lacks what gets less than "
        "half a bin of dose: see [histograms](dvh_and_gamma.md)."
    )
    slower = statistics.median(statistics.median(ratios(one, "dicompyler-core")) for one in each.values())
    told = f"Above are all structures together; of the structures below, the one in the middle has {slower:.1f} times."
    parts = [note, compare_table(rounds, aims={"dicompyler-core": 20.0}), told, table(head, rows)]
    return Section("Dose-volume histograms", parts)


def cost_of(side: Side, call: str, **arguments: Any) -> Cost:
    """Returns what a call takes."""
    return side.ask(call, **arguments).cost


def in_turn_quietly(sides: Mapping[str, Any], *, first: int) -> Rounds:
    """Measures all sides once, the given one first; short calls that write nothing."""
    names = list(sides)
    return [{name: sides[name]() for name in names[first:] + names[:first]}]


def accurate(own: Mapping[str, Any], theirs: Mapping[str, Any], planned: Mapping[str, Any]) -> None:
    """Asks that our numbers are the planning system's, and for small structures nearer than the peer's.

    Raises:
        Disagreement: They are not.
    """
    for name, system in planned.items():
        off = {what: abs(deviation(own[name], system, what)) for what in ("volume_cc", "mean_gy")}
        if system["volume_cc"] > DVH_LARGE_CC:
            good = name == BODY or max(off.values()) <= DVH_PERCENT
        else:
            good = off["volume_cc"] <= abs(deviation(theirs[name], system, "volume_cc"))
        if not good:
            raise Disagreement(f"histogram of {name}: ours {own[name]}, peer {theirs[name]}, planning system {system}")


def deviation(found: Mapping[str, float], system: Mapping[str, float], what: str) -> float:
    """Returns how far a number is from the planning system's, in %."""
    return 100 * (found[what] / system[what] - 1)


def dvh_row(name: str, system: Any, own: Any, theirs: Any, rounds: Rounds) -> list[str]:
    """Returns the row of one structure."""
    off = [f"{deviation(side, system, what):+.2f} %" for what in ("volume_cc", "mean_gy") for side in (own, theirs)]
    times = [1e3 * statistics.median(costs[side].seconds for costs in rounds) for side in (OURS, "dicompyler-core")]
    slower = middle_and_range(ratios(rounds, "dicompyler-core"), "{:.1f}")
    return [name, f"{system['volume_cc']:.2f}", *off, *(f"{each:.2f}" for each in times), slower]


def gamma(bench: Bench) -> Section:
    """Gamma of two doses in three dimensions."""
    size, points = (64, 24) if bench.quick else (200, 60)
    folder = made(bench.data / f"dose-pair-{size}", partial(dose_pair, size=size))
    pair, limits = str(folder / "pair.npz"), {"cutoff": CUTOFF_PERCENT, "maximum": MAXIMUM}
    with bench.ours() as ours, bench.peer("pymedphys") as peer:
        closed = ours.ask("open_gamma", pair=pair).value
        if max(closed.values()) > CLOSED_FORM:
            raise Disagreement(f"gamma is not the closed forms': {closed}")
        peer.ask("open_gamma", pair=pair)
        evaluated = ours.ask("gamma", **limits).value
        ours.ask("save_gamma", path=str(bench.scratch / "gamma.npy"))
        found = np.load(bench.scratch / "gamma.npy")
        places, told = same_as_pymedphys(peer, found, points)
        parts = [
            against_pymedphys(bench, ours, peer, found=found, places=places),
            against_plastimatch_gamma(bench, ours, folder, found),
        ]
    note = (
        f"Two doses of {size} x {size} x {size} voxels of 2 mm, {evaluated:,} of them at {CUTOFF_PERCENT:g} % or more "
        f"of the maximum; 3 % global, 3 mm, gamma up to {MAXIMUM:g}; "
        f"{100 * np.mean(found[np.isfinite(found)] <= 1):.1f} % pass. Compared: {points} random points with "
        f"pymedphys, whose answer depends on how many places per 3 mm it looks at: {told} (allowed {GAMMA_EQUAL:g}); "
        f"closed forms of uniform doses and of a shifted ramp, largest difference {max(closed.values()):.1e} (allowed "
        f"{CLOSED_FORM:g})."
    )
    return Section("Gamma in three dimensions", [note, *parts])


def same_as_pymedphys(peer: Side, found: NDArray[np.float64], points: int) -> tuple[int, str]:
    """Returns at how many places per distance criterion the peer is equal to ours on a random subset; and tells all.

    Raises:
        Disagreement: At none.
    """
    chosen = np.argwhere(np.isfinite(found))
    chosen = chosen[np.random.default_rng(0).choice(len(chosen), size=min(points, len(chosen)), replace=False)]
    told = []
    for places in PLACES:
        theirs = peer.ask("gamma_blocks", corners=chosen.tolist(), side=1, fraction=places, maximum=MAXIMUM).value
        off = np.abs(found[tuple(chosen.T)] - theirs)
        told.append(f"{off.max():.1e} at {places}")
        say(f"  pymedphys on {len(chosen)} points: largest difference {told[-1]}")
        if off.max() <= GAMMA_EQUAL:
            return places, "largest difference " + ", ".join(told)
    at = chosen[int(off.argmax())].tolist()
    raise Disagreement(f"gamma at {at}: ours {found[tuple(at)]:.5f}, pymedphys {theirs[int(off.argmax())]:.5f}")


def against_pymedphys(bench: Bench, ours: Side, peer: Side, *, found: NDArray[np.float64], places: int) -> str:
    """Compares the time per point: ours of the whole pair, the peer's of its own random subsets and of blocks."""
    limits = {"cutoff": CUTOFF_PERCENT, "maximum": MAXIMUM}
    chosen = np.argwhere(np.isfinite(found[:-SIDE, :-SIDE, :-SIDE]))
    random, few, many = np.random.default_rng(1), 1_000, 6_000 if bench.quick else 21_000

    def blocks(count: int, fraction: int) -> Cost:
        corners = chosen[random.choice(len(chosen), size=count, replace=False)].tolist()
        cost = peer.ask("gamma_blocks", corners=corners, side=SIDE, fraction=fraction, maximum=MAXIMUM).cost
        return scaled(cost, 1e6 / (count * SIDE**3))

    def subset(points: int) -> Cost:
        return peer.ask("gamma_subset", points=points, seed=0, **limits).cost

    def difference() -> Cost:
        small, large = subset(few), subset(many)
        more = Cost(large.seconds - small.seconds, large.cpu_s - small.cpu_s)
        return scaled(more, 1e6 / (many - few))

    def braggbook() -> Cost:
        return scaled(ours.ask("gamma", **limits).cost, 1e6 / np.isfinite(found).sum())

    default, equal = (f"pymedphys, {number} places" for number in (PLACES[0], places))
    sides: dict[str, Callable[[], Cost]] = {OURS: braggbook, equal: partial(blocks, 2, places), default: difference}
    sides[f"{default}, a call with random_subset={few}"] = lambda: scaled(subset(few), 1e6 / few)
    subset(few)  # it compiles, too
    rounds = in_turn(min(bench.rounds, 5), sides)
    whole = statistics.median(costs[OURS].seconds for costs in rounds) * np.isfinite(found).sum() / 1e6
    note = (
        f"Times are per point. Ours from the whole pair, {whole:.1f} s. The peer's with {places} places per 3 mm, "
        f"which it needs for an equal answer, from blocks of {SIDE} x {SIDE} x {SIDE} points at random places; with "
        f"its default of {PLACES[0]}, from its own `random_subset` of {many:,} points less {few:,}, so that what it "
        "does once for a pair is not counted; the last row counts it. Compilation by numba is left out on both sides."
    )
    return note + "\n\n" + compare_table(rounds, aims={equal: 20.0, default: 20.0}, unit="µs")


def scaled(cost: Cost, factor: float) -> Cost:
    """Returns a multiple of a cost."""
    return Cost(factor * cost.seconds, factor * cost.cpu_s)


def against_plastimatch_gamma(bench: Bench, ours: Side, folder: Path, found: NDArray[np.float64]) -> str:
    """Compares the whole pair with plastimatch's command: both sides read two files and write one."""
    scratch, command = scratch_in_memory(bench), bench.environments.program("plastimatch")
    files = [folder / "reference.mhd", folder / "estimate.mhd"]
    words = [command, "gamma", "--dose-tolerance", "0.03", "--dta-tolerance", "3", "--gamma-max", f"{MAXIMUM:g}"]
    words += ["--analysis-threshold", f"{CUTOFF_PERCENT / 100:g}", "--ref-only-threshold"]
    coarse, fine = "plastimatch gamma, at voxels only", "`plastimatch gamma --interp-search`"
    raw = [str(path.with_suffix(".raw")) for path in files]
    target = str(scratch / "gamma.raw")

    def braggbook() -> Cost:
        return ours.ask("gamma_file", files=raw, target=target, cutoff=CUTOFF_PERCENT, maximum=MAXIMUM).cost

    def plastimatch(output: str, more: list[str]) -> Cost:
        return program([*words, *more, "--output", str(scratch / output), *map(str, files)])

    sides: Sides = {
        OURS: braggbook,
        fine: partial(plastimatch, "fine.mha", ["--interp-search"]),
        coarse: partial(plastimatch, "coarse.mha", []),
    }
    try:
        rounds = in_turn(1 if bench.quick else min(bench.rounds, 2), sides)  # minutes: the answers are of these
        told = alike_gamma(fine, found, read_image(scratch / "fine.mha"), same=True)
        told += " " + alike_gamma(coarse, found, read_image(scratch / "coarse.mha"), same=False)
    finally:
        if scratch != bench.scratch:
            shutil.rmtree(scratch, ignore_errors=True)
    note = (
        f"{told} At voxels only is another question, whose answer depends on the voxels' size. Both sides read two "
        "files of single-precision doses and write one, in memory."
    )
    return note + "\n\n" + compare_table(rounds, aims={fine: 1.0})


def alike_gamma(name: str, found: NDArray[np.float64], theirs: NDArray[Any], *, same: bool) -> str:
    """Tells how far a peer's gamma is from ours where both have one.

    Raises:
        Disagreement: The share of points that pass is another, though it should be the same.
    """
    where = np.isfinite(found) & (theirs > 0)
    rates = [100 * float(np.mean(each[where] <= 1)) for each in (found, theirs)]
    off = np.abs(found - theirs)[where]
    said = (
        f"{name}: {rates[1]:.2f} % pass (ours {rates[0]:.2f} %), difference {np.median(off):.1e} in the middle, "
        f"{np.quantile(off, 0.99):.1e} at 99 %."
    )
    say(f"  {said}")
    if same and not abs(rates[0] - rates[1]) <= PASS_PERCENT:
        raise Disagreement(said)
    return said

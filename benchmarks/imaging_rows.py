"""The rows of `benchmarks/imaging.py` about files: index, series to Zarr, memory."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from engine_tables import Cost, table
from imaging_data import chest, made, small_files
from imaging_sides import Bench, Disagreement, Side, Sides, in_turn, say
from imaging_tables import OURS, Section, compare_table, middle_and_range_s, ratios

MB = 1e6
AIMS = {"pydicom loop": 5.0}
SERIES_AIMS = {"pydicom + numpy + zarr loop": 3.0, "dcm2niix to NIfTI, and its header parsed": 1.0}
SHARDS_AT_MOST = 2.0  # of memory per worker


def index(bench: Bench) -> Section:
    """Index of many instances: each side in a new process, ours with its imports, the peer's beforehand."""
    count = 1_000 if bench.quick else 10_000
    folder = str(made(bench.data / f"headers-{count}", partial(small_files, count=count)))
    ours, one, peer = OURS, "Braggbook, 1 worker", "pydicom loop"
    answers: dict[str, set[str]] = {}

    def cold(workers: int | None, name: str) -> Cost:
        with bench.ours() as side:
            cost = side.ask("index", folder=folder, workers=workers).cost
            answers.setdefault(name, set()).add(side.ask("index_digest").value)
        return cost

    def loop() -> Cost:
        with bench.peer("pydicom") as side:
            side.ask("open_pydicom")
            cost = side.ask("index", folder=folder).cost
            answers.setdefault(peer, set()).add(side.ask("index_digest").value)
        return cost

    sides: Sides = {ours: partial(cold, None, ours), one: partial(cold, 1, one), peer: loop}
    in_turn(1, sides)  # the disk's cache is warm from here on
    agree("index", answers)
    rounds = in_turn(bench.rounds, sides)
    agree("index", answers)
    note = (
        f"{count:,} CT instances of {-(-count // 400)} patients with the header of a GE scanner, in the disk's cache. "
        "Every time in a new process; ours counts its imports, the loop's are done before. The loop is "
        "`dcmread(stop_before_pixels=True)` and keeps four values; ours keeps what a series needs to become a "
        "volume, and checks it. Compared: SOP instance, series, modality and position of every instance."
    )
    return Section("Index", [note, compare_table(rounds, aims=AIMS)])


def agree(what: str, answers: dict[str, set[str]]) -> None:
    """Asks that all sides, in all rounds, gave one answer.

    Raises:
        Disagreement: They did not.
    """
    if len(set().union(*answers.values())) != 1:
        raise Disagreement(f"{what}: " + "; ".join(f"{name} {sorted(found)}" for name, found in answers.items()))


def the_chest(bench: Bench) -> tuple[str, int]:
    """Returns the folder of the large CT, and the bytes of its voxels."""
    slices = 80 if bench.quick else 400
    return str(made(bench.data / f"chest-{slices}", partial(chest, slices=slices))), slices * 512 * 512 * 2


def series(bench: Bench) -> Section:
    """A CT series to Zarr, in turn with the loop and with dcm2niix; and the disk's own rate."""
    folder, size = the_chest(bench)
    store, loop, nifti = (str(bench.scratch / name) for name in ("ours.zarr", "loop.zarr", "nifti"))
    program = bench.environments.program("dcm2niix")
    with bench.ours() as ours, bench.ours() as disk, bench.ours() as copy, bench.peer("pydicom") as peer:
        ours.ask("open_store")
        peer.ask("open_pydicom")

        def anew(side: Side, call: str, target: str, **arguments: Any) -> Cost:
            """Times a call that writes; what is there from the last round is taken away before."""
            shutil.rmtree(target, ignore_errors=True)
            return side.ask(call, folder=folder, target=target, **arguments).cost

        sides: dict[str, Callable[[], Cost]] = {
            OURS: partial(anew, ours, "series_to_zarr", store, workers=None),
            "pydicom + numpy + zarr loop": partial(anew, peer, "series_to_zarr", loop, synced=False),
            "the loop, and its files synced": partial(anew, peer, "series_to_zarr", loop, synced=True),
            "dcm2niix to NIfTI, and its header parsed": partial(anew, peer, "series_to_nifti", nifti, program=program),
        }
        in_turn(1, sides)
        agree("series", digests(ours, peer, store, loop, nifti))
        written = disk.ask("open_plain", size=size, store=None).value
        kept = copy.ask("open_plain", size=0, store=store).value

        def plain(side: Side) -> Cost:
            path = bench.scratch / "plain.bin"
            path.unlink(missing_ok=True)
            return side.ask("plain_write", target=str(path)).cost

        sides["disk: voxels, plain write and sync"] = partial(plain, disk)
        sides["disk: our store's bytes, plain write and sync"] = partial(plain, copy)
        rounds = in_turn(bench.rounds, sides)
    rate = middle_and_range_s([written / MB / costs[OURS].seconds for costs in rounds])
    share = [100 * each for each in ratios(rounds, "disk: voxels, plain write and sync")]
    note = (
        f"{size // 2**19} slices of 512 x 512, 12 bits in 16, {written / MB:.0f} MB of voxels, in the disk's cache. "
        "Both libraries in warm processes; dcm2niix as a program, without its Python launcher. Ours indexes, checks "
        f"geometry, compresses ({written / kept:.2f} times smaller), writes a manifest of hashes and waits for the "
        "disk; the loop and dcm2niix do not wait for it. Compared: all voxels."
    )
    told = (
        f"Braggbook writes {rate} MB of voxels a second, which is {middle_and_range_s(share)} % of what the disk takes "
        "when the same bytes are in memory and are only written and synced."
    )
    return Section("Series to Zarr", [note, compare_table(rounds, aims=SERIES_AIMS), told])


def digests(ours: Side, peer: Side, store: str, loop: str, nifti: str) -> dict[str, set[str]]:
    """Returns the digest of all voxels, by side."""
    return {
        "ours": {ours.ask("zarr_digest", target=store).value},
        "loop": {peer.ask("zarr_digest", target=loop).value},
        "dcm2niix": {peer.ask("nifti_digest", target=nifti).value},
    }


def memory(bench: Bench) -> Section:
    """What a conversion holds in memory above what the idle process has."""
    folder, _ = the_chest(bench)
    small = str(made(bench.data / "chest-8", partial(chest, slices=8)))
    store = str(bench.scratch / "memory.zarr")
    rows = []
    for workers in (1, 2, 4):
        used = []
        for _ in range(min(bench.rounds, 3)):
            with bench.ours() as side:
                side.ask("open_store")
                side.ask("series_to_zarr", folder=small, target=store, workers=workers)
                found = side.ask("memory", folder=folder, target=store, workers=workers).value
                shard = side.ask("shard_bytes", target=store).value / 2**20
            used.append((found["peak"] - found["idle"], found["idle"], found["peak"]))
        say(f"  {workers} workers: {[f'{above:.0f}' for above, *_ in used]} MiB above idle")
        above, idle, peak = max(used)
        shards = above / shard / workers
        met = "met" if shards < SHARDS_AT_MOST else "not met"
        numbers = [f"{value:.0f}" for value in (idle, peak, above, shard)]
        rows.append([str(workers), *numbers, f"{shards:.2f}", f"below {SHARDS_AT_MOST:g}: {met}"])
    note = (
        "The conversion of the row above in a new process that has imported all and converted 8 slices. Idle is what "
        "is resident then, the peak is the kernel's own highest mark (VmHWM) during the conversion; the worst of the "
        "rounds."
    )
    head = ["workers", "idle, MiB", "peak, MiB", "above idle, MiB", "a shard, MiB", "shards a worker", "aim"]
    return Section("Memory of series to Zarr", [note, table(head, rows)])


def scratch_in_memory(bench: Bench) -> Path:
    """Returns a scratch folder in memory where the system has one, so that no side waits for the disk."""
    shared = Path("/dev/shm") / bench.scratch.name
    if shared.parent.is_dir():
        shared.mkdir(exist_ok=True)
        return shared
    return bench.scratch

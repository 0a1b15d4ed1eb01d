"""Many tables of colony counts at once: checked, and laid out so that every sum runs over all curves.

A block holds some hundred curves as arrays of shape (depth, replicates, curves): the first axis counts the plates
within a replicate, so that sums over the plates of a replicate, or over the plates of a curve, add rows that lie
side by side in memory. Places without a plate have the offset :data:`ABSENT`, whose mean is exactly 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from braggbook.errors import Issue, ScienceError
from braggbook.radiobiology.survival.curve_model import Plating

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Flags = NDArray[np.bool_]

# Linear predictor of a place without a plate: exp() of it is exactly 0, and 0 colonies times it is 0.
ABSENT = -1e4
# R's poisson()$linkinv: a mean below the machine epsilon does not occur.
_SMALLEST_PREDICTOR = float(np.log(np.finfo(np.float64).eps))
# Numbers in one array of a block. The dozen arrays of an iteration then stay in a processor's second cache;
# a quarter or four times as many is slower by a tenth.
_BLOCK_SIZE = 16384
# So many faulty plates are named one by one; an array in the wrong unit has hundreds of thousands.
_NAMED_PLATES = 100


@dataclass(frozen=True, eq=False)
class Block:
    """Some curves of a batch; "curves or 1" is 1 where all curves share the values.

    Attributes:
        counts: Colonies, shape (depth, replicates, curves); 0 where there is no plate.
        dose_gy: Dose in Gy, shape (depth, replicates, curves or 1); 0 where there is no plate.
        offset: ln cells, plus the log plating efficiency when plating is pooled, shape (depth, replicates,
            curves); ``ABSENT`` where there is no plate in the likelihood.
        pooled_log_efficiency: Shape (replicates, curves), NaN where a replicate has no zero-dose plate with
            colonies; None when plating is fitted.
        present: Which replicates a curve has, shape (replicates, curves).
        log_counts: ln of the colonies, 0 where there are none, shape (depth, replicates, curves).
        lowest: Smallest linear predictor: ``ABSENT`` where there is no plate, else R's smallest mean, likewise.
    """

    counts: Floats
    dose_gy: Floats
    offset: Floats
    pooled_log_efficiency: Floats | None
    present: Flags
    log_counts: Floats
    lowest: Floats

    @property
    def curves(self) -> int:
        """Number of curves."""
        return len(self.counts[0, 0])

    @property
    def plates(self) -> Flags:
        """Where there is a plate in the likelihood, shape (depth, replicates, curves)."""
        return np.asarray(self.lowest > ABSENT)

    def take(self, chosen: Flags | Integers) -> Block:
        """Returns some of the curves."""
        shared = self.dose_gy.shape[2] == 1
        pooled = self.pooled_log_efficiency
        return Block(
            self.counts[:, :, chosen],
            self.dose_gy if shared else self.dose_gy[:, :, chosen],
            self.offset[:, :, chosen],
            None if pooled is None else pooled[:, chosen],
            self.present[:, chosen],
            self.log_counts[:, :, chosen],
            self.lowest[:, :, chosen],
        )


@dataclass(frozen=True, eq=False)
class BatchPlates:
    """Checked plates of many curves.

    Attributes:
        colonies: Shape (curves, plates); 0 where ``used`` is False.
        dose_gy: Dose in Gy, shape (plates,) when all curves share it, else (curves, plates).
        cells_seeded: Shape (plates,) or (curves, plates).
        used: Which plates have a count, shape (curves, plates).
        place: Place of each plate in a block, depth * replicates + replicate, shape (plates,) when all curves
            share it, else (curves, plates). Plates without a label are put behind the last place.
        shape: (depth, replicates).
        labels: Label of each curve's replicates in the order in which its plates show them, shape (curves,
            replicates); None where a curve has fewer.
        plating: How plating efficiency is treated.
    """

    colonies: Floats
    dose_gy: Floats
    cells_seeded: Floats
    used: Flags
    place: Integers
    shape: tuple[int, int]
    labels: NDArray[np.object_]
    plating: Plating

    @property
    def curves(self) -> int:
        """Number of curves."""
        return len(self.colonies)

    def blocks(self) -> Iterator[tuple[slice, Block]]:
        """Yields the blocks with the curves that they hold, in order."""
        size = max(1, _BLOCK_SIZE // max(1, self.shape[0] * self.shape[1]))
        for start in range(0, self.curves, size):
            part = slice(start, min(start + size, self.curves))
            yield part, self.block(part)

    def block(self, part: slice) -> Block:
        """Returns the curves of one slice."""
        used = self.used[part]
        counts = self._placed(self.colonies[part], part=part, empty=0.0)
        dose = self._placed(self.dose_gy if self.dose_gy.ndim == 1 else self.dose_gy[part], part=part, empty=0.0)
        cells = self.cells_seeded if self.cells_seeded.ndim == 1 else self.cells_seeded[part]
        with np.errstate(divide="ignore", invalid="ignore"):  # cells of a plate that is not used may be anything
            offset = self._placed(np.where(used, np.log(cells), ABSENT), part=part, empty=ABSENT)
        present: Flags = np.asarray((offset > 0.5 * ABSENT).any(axis=0))
        if self.plating == "fitted":
            return _block(counts, dose, offset=offset, efficiency=None, present=present)
        return _with_pooled_efficiency(counts, dose, offset=offset, present=present)

    def _placed(self, values: Floats, *, part: slice, empty: float) -> Floats:
        depth, replicates = self.shape
        if self.place.ndim == 1:
            placed = np.full((depth * replicates + 1, 1 if values.ndim == 1 else len(values)), empty)
            placed[self.place] = values[:, None] if values.ndim == 1 else values.T
        else:
            place = self.place[part]
            placed = np.full((depth * replicates + 1, len(place)), empty)
            placed[place, np.arange(len(place))[:, None]] = values
        return placed[:-1].reshape(depth, replicates, -1)


def _with_pooled_efficiency(counts: Floats, dose: Floats, *, offset: Floats, present: Flags) -> Block:
    zero = (dose == 0) & (offset > 0.5 * ABSENT)
    colonies = np.where(zero, counts, 0.0).sum(axis=0)
    cells = np.where(zero, np.exp(offset), 0.0).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        efficiency = np.where(colonies > 0, np.log(colonies / cells), np.nan)
    spent = zero | (offset <= 0.5 * ABSENT)
    shifted = np.where(spent, ABSENT, offset + np.nan_to_num(efficiency))
    return _block(np.where(spent, 0.0, counts), dose, offset=shifted, efficiency=efficiency, present=present)


def _block(counts: Floats, dose: Floats, *, offset: Floats, efficiency: Floats | None, present: Flags) -> Block:
    lowest = np.where(offset > 0.5 * ABSENT, _SMALLEST_PREDICTOR, ABSENT)
    return Block(counts, dose, offset, efficiency, present, np.log(np.maximum(counts, 1.0)), lowest)


def read_batch(
    colonies: ArrayLike,
    *,
    dose_gy: ArrayLike,
    cells_seeded: ArrayLike,
    replicate: ArrayLike,
    plating: Plating,
    simulated: bool = False,
) -> BatchPlates:
    """Checks the arrays of a batch and returns its plates.

    A simulated count may exceed the cells seeded: a Poisson variable has no upper end.

    Raises:
        ScienceError: Arrays that are not numbers, do not fit together, or hold plates that cannot be;
            ``issues`` names the curve and the plate of each, counted from 1.
    """
    counts = _numbers("colonies", colonies)
    if counts.ndim != 2 or counts.size == 0:
        raise ScienceError("colonies is not a batch", wanted="an array (curves, plates)", got=f"shape {counts.shape}")
    dose = _like(counts, "dose_gy", _numbers("dose_gy", dose_gy))
    cells = _like(counts, "cells_seeded", _numbers("cells_seeded", cells_seeded))
    codes, names = _codes(counts, replicate)
    used = ~np.isnan(counts)
    most = np.full_like(cells, np.inf) if simulated else cells
    _require_plates(counts, dose, cells=cells, codes=codes, most=most)
    place, shape, labels = _places(codes, names, used=used)
    return BatchPlates(
        colonies=np.where(used, counts, 0.0),
        dose_gy=np.where(used.any(axis=0) if dose.ndim == 1 else used, dose, 0.0),
        cells_seeded=cells,
        used=used,
        place=place,
        shape=shape,
        labels=np.broadcast_to(labels, (len(counts), shape[1])),
        plating=plating,
    )


def _numbers(name: str, values: ArrayLike) -> Floats:
    try:
        masked = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
        array = np.asarray(values)
        if array.dtype.kind == "O" and any(isinstance(item, bool | np.bool_ | str | bytes) for item in array.flat):
            raise TypeError
        if array.dtype.kind not in "iufO":
            raise TypeError
        numbers = np.asarray(array, dtype=np.float64)
        return numbers if masked is None else np.where(masked, np.nan, numbers)  # what is masked is no number
    except (TypeError, ValueError):
        raise ScienceError(f"{name} is not an array of numbers", got=type(values).__name__) from None


def _like(counts: Floats, name: str, values: Floats) -> Floats:
    if values.shape in (counts.shape, counts.shape[1:]):
        return values
    raise ScienceError(
        f"{name} does not fit the colonies",
        wanted=f"shape {counts.shape[1:]}, or {counts.shape}",
        got=f"shape {values.shape}",
    )


def _codes(counts: Floats, replicate: ArrayLike) -> tuple[Integers, NDArray[np.object_]]:
    """Returns the number of each plate's label (-1: none) and the labels, in the order in which they appear."""
    values = replicate if isinstance(replicate, np.ndarray) else np.asarray(replicate, dtype=object)
    if values.shape not in (counts.shape, counts.shape[1:]):
        raise ScienceError(
            "replicate does not fit the colonies",
            wanted=f"shape {counts.shape[1:]}, or {counts.shape}",
            got=f"shape {values.shape}",
        )
    flat, names = pd.factorize(values.ravel())
    codes = np.asarray(flat, dtype=np.intp).reshape(values.shape)
    if codes.ndim == 2 and np.array_equal(codes, np.broadcast_to(codes[0], codes.shape)):
        codes = codes[0]
    return codes, np.array([*names.tolist(), None], dtype=object)


def _require_plates(counts: Floats, dose: Floats, *, cells: Floats, codes: Integers, most: Floats) -> None:
    used = ~np.isnan(counts)
    with np.errstate(invalid="ignore"):
        faults = (
            ("colonies", counts, ~((counts >= 0) & (counts == np.floor(counts)) & np.isfinite(counts)), _WHOLE),
            ("colonies", counts, (counts > most) & (most > 0), "at most as many colonies as cells seeded"),
            ("dose_gy", dose, ~(np.isfinite(dose) & (dose >= 0)), "a number, 0 or more"),
            ("cells_seeded", cells, ~(np.isfinite(cells) & (cells > 0)), "a number above 0"),
            ("replicate", codes, codes < 0, "a label"),
        )
    issues: list[Issue] = []
    total = 0
    for name, values, fault, wanted in faults:
        bad = np.argwhere(fault & used)
        total += len(bad)
        shown = np.broadcast_to(values, counts.shape)
        issues += [
            Issue(
                f"{name} is not usable",
                where=f"curve {curve + 1}, plate {plate + 1}",
                wanted=wanted,
                got="no label" if name == "replicate" else repr(float(shown[curve, plate])),
            )
            for curve, plate in bad[:_NAMED_PLATES]
        ]
    if total:
        raise ScienceError(f"the batch of counts is not usable: {total} fault(s)", issues=issues)


_WHOLE = "a whole number, 0 or more"


def _places(
    codes: Integers, names: NDArray[np.object_], *, used: Flags
) -> tuple[Integers, tuple[int, int], NDArray[np.object_]]:
    """Returns each plate's place, (depth, replicates) and the labels of each curve's replicates."""
    absent = len(names) - 1
    table = np.where(codes < 0, absent, codes)[None, :] if codes.ndim == 1 else np.where(used, codes, absent)
    order = np.argsort(table, axis=1, kind="stable")
    ordered = np.take_along_axis(table, order, axis=1)
    first = np.ones(ordered.shape, dtype=np.bool_)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    group = np.cumsum(first, axis=1) - 1
    counted = ordered < absent  # the others come last, as a replicate of their own that nobody sees
    replicate = np.take_along_axis(_appearance(order, group, first=first & counted), group, axis=1)
    index = np.broadcast_to(np.arange(ordered.shape[1]), ordered.shape)
    depth = index - np.maximum.accumulate(np.where(first, index, 0), axis=1)
    shape = int(depth[counted].max(initial=0)) + 1, int(replicate[counted].max(initial=0)) + 1
    labels = np.full((len(table), shape[1]), None, dtype=object)
    rows, columns = np.nonzero(first & counted)
    labels[rows, replicate[rows, columns]] = names[ordered[rows, columns]]
    place = np.empty(ordered.shape, dtype=np.intp)
    behind = shape[0] * shape[1]
    np.put_along_axis(place, order, np.where(counted, depth * shape[1] + replicate, behind), axis=1)
    return (place[0] if codes.ndim == 1 else place), shape, labels


def _appearance(order: Integers, group: Integers, *, first: Flags) -> Integers:
    """Returns the rank of each curve's groups by their first plate, shape (curves, groups)."""
    rows, columns = np.nonzero(first)
    earliest = np.full((len(order), int(group.max()) + 1), order.shape[1])
    earliest[rows, group[rows, columns]] = order[rows, columns]
    return np.argsort(np.argsort(earliest, axis=1, kind="stable"), axis=1, kind="stable")

"""Many linear-quadratic fits of colony counts: `fit_survival_batch` in turn with a loop over statsmodels' GLM.

    python benchmarks/radiobiology.py [--curves 10000] [--peer-curves 200] [--repetitions 5]

Both sides get the same counts and give alpha, beta, the plating efficiencies, their standard errors, the dispersion
and 95% Wald intervals by t. The peer's designs are built beforehand, outside its time; ours includes the checks of
the input. A loop over all curves would take the peer minutes, so that it fits a random subset in each repetition,
and its time per curve is taken for the rest. Before anything is timed, the answers of the subset must agree to 1e-8.
Profile intervals are timed apart.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import pandas as pd
import statsmodels.api as sm
from numpy.typing import NDArray

from braggbook.radiobiology.survival import fit_survival, fit_survival_batch, profile_intervals_batch

Floats = NDArray[np.float64]

AGREEMENT = 1e-8  # largest relative difference between the two sides
PEER_TOLERANCE = 1e-13
DOSES_GY = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0)
CELLS = (200.0, 300.0, 600.0, 2000.0, 8000.0, 20000.0)
REPLICATES = 4


@dataclass(frozen=True)
class Workload:
    """Counts of many curves as the batch takes them, and whether the curves share their plates."""

    name: str
    colonies: Floats
    dose_gy: Floats
    cells_seeded: Floats
    replicate: NDArray[np.int64]

    def curve(self, index: int) -> pd.DataFrame:
        """Returns the plates of one curve."""
        shape = self.colonies.shape
        columns = {
            "colonies": self.colonies,
            "dose_gy": self.dose_gy,
            "cells_seeded": self.cells_seeded,
            "replicate": self.replicate,
        }
        table = pd.DataFrame({name: np.broadcast_to(values, shape)[index] for name, values in columns.items()})
        return table.dropna().reset_index(drop=True)


def workloads(curves: int, *, seed: int) -> list[Workload]:
    """Makes overdispersed counts of curves as they come from the bench, and the same as a ragged table."""
    random = np.random.default_rng(seed)
    dose, cells = np.tile(DOSES_GY, REPLICATES), np.tile(CELLS, REPLICATES)
    replicate = np.repeat(np.arange(REPLICATES), len(DOSES_GY))
    alpha, beta = random.uniform(0.1, 0.6, (curves, 1)), random.uniform(0.01, 0.08, (curves, 1))
    efficiency = random.normal(-1.2, 0.2, (curves, REPLICATES))[:, replicate]
    mean = cells * np.exp(efficiency - alpha * dose - beta * dose**2)
    colonies = np.minimum(random.poisson(random.gamma(mean / 2.0, 2.0)), cells).astype(np.float64)
    shared = Workload("all curves share their doses", colonies, dose, cells, replicate)
    order = random.permuted(np.broadcast_to(np.arange(len(dose)), colonies.shape), axis=1)
    holes = np.where(random.random(colonies.shape) < 0.05, np.nan, colonies)
    taken = [
        np.take_along_axis(np.broadcast_to(x, colonies.shape), order, axis=1) for x in (holes, dose, cells, replicate)
    ]
    return [shared, Workload("every curve has its own plates, 5% missing", *taken)]


def fit_ours(work: Workload) -> Floats:
    """Fits all curves and returns alpha, beta, their errors, Wald ends and the dispersion, shape (curves, 9)."""
    batch = fit_survival_batch(
        work.colonies, dose_gy=work.dose_gy, cells_seeded=work.cells_seeded, replicate=work.replicate
    )
    return np.column_stack(
        [
            batch.alpha_per_gy,
            batch.beta_per_gy2,
            batch.alpha_se_per_gy,
            batch.beta_se_per_gy2,
            batch.alpha_interval_per_gy,
            batch.beta_interval_per_gy2,
            batch.dispersion,
        ]
    )


def peer_problem(table: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    """Returns counts, design and offset of one curve."""
    dose, replicate = table["dose_gy"].to_numpy(), table["replicate"].to_numpy()
    design = np.column_stack([replicate[:, None] == np.unique(replicate), -dose, -(dose**2)]).astype(np.float64)
    return table["colonies"].to_numpy(), design, np.log(table["cells_seeded"].to_numpy())


def fit_peer(problems: Sequence[tuple[Floats, Floats, Floats]]) -> Floats:
    """Fits curves one at a time; returns the columns of `fit_ours`."""
    family, rows = sm.families.Poisson(), []
    for counts, design, offset in problems:
        model = sm.GLM(counts, design, family=family, offset=offset)
        fit = model.fit(scale="X2", tol=PEER_TOLERANCE, maxiter=100, use_t=True)
        rows.append([*fit.params[-2:], *fit.bse[-2:], *np.asarray(fit.conf_int())[-2:].ravel(), fit.scale])
    return np.array(rows)


def timed(work: Callable[[], object]) -> float:
    """Returns the seconds that a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(work: Workload, *, peer_curves: int, repetitions: int) -> bool:
    """Times both sides in turn and prints the ratios; False when their answers differ."""
    curves = len(work.colonies)
    chosen = np.random.default_rng(0).choice(curves, size=min(peer_curves, curves), replace=False)
    problems = [peer_problem(work.curve(int(index))) for index in chosen]
    ours, peer = fit_ours(work)[chosen], fit_peer(problems)
    difference = float(np.max(np.abs(ours - peer) / np.abs(peer)))
    print(f"\n{work.name}: {curves} curves, {work.colonies.shape[1]} plates each, {REPLICATES} replicates")
    print(
        f"  largest relative difference of any number, {len(chosen)} curves: {difference:.1e} (allowed {AGREEMENT:g})"
    )
    if not difference <= AGREEMENT:
        print("  the answers differ: nothing is timed")
        return False
    seconds, per_curve = [], []
    for _ in range(repetitions):
        seconds.append(timed(lambda: fit_ours(work)))
        per_curve.append(timed(lambda: fit_peer(problems)) / len(problems))
    ratios = [each * curves / own for each, own in zip(per_curve, seconds, strict=True)]
    print(f"  ours, all curves:      {_spread(seconds, 's')}")
    print(f"  peer, per curve:       {_spread([1e3 * each for each in per_curve], 'ms')} (measured on {len(problems)})")
    print(f"  peer, all curves:      {statistics.median(per_curve) * curves:.1f} s (the time per curve times {curves})")
    print(f"  peer / ours:           {_spread(ratios, 'times')}")
    return True


def time_profiles(work: Workload, *, peer_curves: int, repetitions: int) -> None:
    """Times profile intervals of alpha and beta: all at once, and one curve at a time with `fit_survival`."""
    curves = len(work.colonies)
    batch = fit_survival_batch(
        work.colonies, dose_gy=work.dose_gy, cells_seeded=work.cells_seeded, replicate=work.replicate
    )
    fits = [fit_survival(work.curve(index)) for index in range(min(curves, max(1, peer_curves // 10)))]
    seconds, per_curve = [], []
    for _ in range(repetitions):
        seconds.append(timed(lambda: profile_intervals_batch(batch)))
        one = timed(lambda: [(fit.intervals.alpha(), fit.intervals.beta()) for fit in fits])
        per_curve.append(one / len(fits))
    ratios = [each * curves / own for each, own in zip(per_curve, seconds, strict=True)]
    print("\nprofile intervals of alpha and beta (statsmodels has none), apart from the fits")
    print(f"  all curves at once:    {_spread(seconds, 's')}")
    print(f"  one at a time:         {_spread([1e3 * each for each in per_curve], 'ms')} per curve (on {len(fits)})")
    print(f"  one at a time / batch: {_spread(ratios, 'times')}")


def _spread(values: Sequence[float], unit: str) -> str:
    return f"{statistics.median(values):.3g} {unit} (median; {min(values):.3g} to {max(values):.3g})"


def main(words: Sequence[str] | None = None) -> int:
    """Runs the benchmark; 1 when the answers differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", type=int, default=10_000)
    parser.add_argument("--peer-curves", type=int, default=200, help="curves that the peer really fits, per repetition")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(words)
    if min(options.curves, options.peer_curves, options.repetitions) < 1:
        parser.error("--curves, --peer-curves and --repetitions are 1 or more")
    names = " ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "statsmodels"))
    print(f"Python {platform.python_version()}, {names}; {os.cpu_count()} cores")
    made = workloads(options.curves, seed=options.seed)
    agree = [compare(work, peer_curves=options.peer_curves, repetitions=options.repetitions) for work in made]
    time_profiles(made[0], peer_curves=options.peer_curves, repetitions=options.repetitions)
    return 0 if all(agree) else 1


if __name__ == "__main__":
    sys.exit(main())

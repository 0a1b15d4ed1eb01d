"""Imaging: reading, masks, histograms and gamma in turn with pydicom, dcm2niix, rt-utils, dicompyler-core, pymedphys
and plastimatch; prints ratios.

    python benchmarks/imaging.py [--rows index,series,memory,masks,dvh,gamma] [--rounds 5] [--quick]
                                 [--markdown docs/explain/performance.md] [--cache FOLDER]

It needs the development environment of this repository, Linux, 4 GB of memory and of disk, and for the first run a
package index: each peer gets a virtual environment of its own in the cache folder, with the versions that the script
names, and the product's is not touched. Generated series stay there too. The rows masks and dvh take the data set
breast_boost_plan as the notebooks do; BRAGGBOOK_DATA_MIRROR may name a folder that has it.

In each round every side does the same once, in an order that changes from round to round; a ratio is of one round, its
median is shown with its range. Libraries are timed inside processes that have imported and compiled all they need,
unless a row says otherwise; programs are timed whole. What the sides answer is compared in the same run; where they
differ, no time of the row is told, and the script ends with 1.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import imaging_rows
import imaging_rows_rt
import platformdirs
import psutil
from imaging_sides import Bench, Disagreement, Failed, say
from imaging_tables import Section
from page import write_tables

ROWS: Mapping[str, Callable[[Bench], Section]] = {
    "index": imaging_rows.index,
    "series": imaging_rows.series,
    "memory": imaging_rows.memory,
    "masks": imaging_rows_rt.masks,
    "dvh": imaging_rows_rt.dvh,
    "gamma": imaging_rows_rt.gamma,
}
MARKS = ("<!-- imaging: begin -->", "<!-- imaging: end -->")


def facts(bench: Bench, *, load: float) -> str:
    """Returns what machine and versions these are, as a list."""
    model = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    names = ("braggbook", "numpy", "numba", "pydicom", "zarr", "xarray", "dask")
    told = {
        "processor": f"{model[1] if model else platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "versions": f"Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in names),
        "peers": bench.versions(),
        "date": f"{datetime.now(UTC).date()}, {bench.rounds} rounds" + (", small sizes" if bench.quick else ""),
        "load average": f"{load:.1f} before, {os.getloadavg()[0]:.1f} after",
    }
    return "\n".join(f"- {name}: {value}" for name, value in told.items())


def measure(bench: Bench, rows: Sequence[str]) -> tuple[list[Section], list[str]]:
    """Does what was asked for; returns the sections, and what could not be compared."""
    sections, refused = [], []
    for name in rows:
        say(f"{name}:")
        try:
            sections.append(ROWS[name](bench))
        except (Disagreement, Failed) as error:
            refused.append(f"{name}: nothing is compared: {error}")
            say(refused[-1])
    return sections, refused


def read_options(words: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=",".join(ROWS), help="which, with commas between them; all, if not given")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small sizes and 2 rounds, to see that it works")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help=f"write the tables; between the marks {MARKS[0]}, if it has them"
    )
    cache = platformdirs.user_cache_path("braggbook") / "benchmarks"
    parser.add_argument("--cache", type=Path, metavar="FOLDER", default=cache, help=f"not in memory; else {cache}")
    options = parser.parse_args(words)
    options.rows = [name for name in options.rows.split(",") if name]
    if unknown := [name for name in options.rows if name not in ROWS]:
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    if options.rounds < 1:
        parser.error("--rounds is 1 or more")
    if options.quick:
        options.rounds = 2
    return options


def main(words: Sequence[str] | None = None) -> int:
    """Runs the benchmark; 1 when sides disagree or one does not work."""
    options, load = read_options(words), os.getloadavg()[0]
    options.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.cache, prefix="scratch-") as scratch:
        cache = options.cache.resolve()
        bench = Bench(cache, scratch=Path(scratch).resolve(), rounds=options.rounds, quick=options.quick)
        sections, refused = measure(bench, options.rows)
        text = "\n\n".join([facts(bench, load=load), *refused, *map(str, sections)]) + "\n"
    print(text)
    if options.markdown:
        write_tables(options.markdown, text, marks=MARKS)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())

"""Files on their way to an archive: ours in turn with zenodo-client, and one large file in turn with curl.

    python benchmarks/records.py [--rows small,invenio,large] [--rounds 5] [--quick] [--markdown FILE]

Archive and sides are processes of their own on this machine; the archive is the offline server, which waits before
each answer as long as the way to Zenodo and back takes. Before a row is printed, what arrived is compared with what was
sent.

- `small`: 50 files of 1 MB, 20 ms of latency. The peer is zenodo-client 0.4.2 as it is, pointed to the server. Both
  make a draft and send all files, and do not publish: ours is the whole `push`, with its deposit file, its checks and
  its look for stray drafts.
- `invenio`: the same files through the records API, for which there is no peer, beside the deposit API.
- `large`: one file of 2 GB without latency, against `curl -T`, which sends the same request. Also the growth of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from engine_tables import middle_and_range, table
from page import facts, write_tables

TOKEN = "of-a-server-on-this-machine"
MARKS = ("<!-- records: begin -->", "<!-- records: end -->")
LATENCY_S, FILES, FILE_BYTES, LARGE_BYTES = 0.02, 50, 1_000_000, 2_000_000_000
AIM, CURL_AIM, MEMORY_AIM = 3.0, 1.2, 100.0
SERVER = """
import sys
from pathlib import Path
from braggbook.records.serve import Account, ArchiveServer, Settings
settings = Settings(latency_s=float(sys.argv[2]), files_per_record=1000)
with ArchiveServer(Path(sys.argv[1]), {sys.argv[3]: Account()}, settings=settings) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


@contextmanager
def archive(folder: Path, *, latency_s: float) -> Iterator[str]:
    """Runs a server in a process of its own, and gives its address."""
    command = [sys.executable, "-c", SERVER, str(folder), str(latency_s), TOKEN]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def side(name: str, url: str, folder: Path, place: Path) -> dict[str, Any]:
    """Sends the files of a folder by one side, in a process of its own; returns what it measured inside."""
    command = [sys.executable, str(Path(__file__).with_name("records_side.py")), name, url, str(folder), str(place)]
    environment = {**os.environ, "PYSTOW_HOME": str(place / "pystow"), "BENCHMARK_TOKEN": TOKEN}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def curl(url: str, path: Path) -> float:
    """Sends a file with curl into a new draft, and returns seconds of the transfer."""
    head = {"Authorization": f"Bearer {TOKEN}"}
    draft = requests.post(f"{url}/api/deposit/depositions", json={}, headers=head, timeout=60).json()
    command = ["curl", "-sS", "-f", "-T", str(path), "-H", f"Authorization: Bearer {TOKEN}", "-H", "Expect:"]
    command += ["-o", os.devnull, "-w", "%{time_total}", f"{draft['links']['bucket']}/{path.name}"]
    seconds = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    requests.delete(draft["links"]["self"], headers=head, timeout=60)  # its bytes are not to fill the disk
    return seconds


def write_files(folder: Path, *, count: int, size: int) -> None:
    """Makes files that cannot be packed."""
    folder.mkdir()
    for number in range(count):
        with (folder / f"{number:03}.bin").open("wb") as stream:
            for start in range(0, size, 1 << 24):
                stream.write(os.urandom(min(1 << 24, size - start)))


def small(scratch: Path, *, rounds: int, quick: bool) -> str:
    """Many small files, in turn with zenodo-client."""
    count = 10 if quick else FILES
    write_files(scratch / "small", count=count, size=FILE_BYTES)
    times: dict[str, list[float]] = {"zenodo": [], "peer": []}
    second = []
    with archive(scratch / "small_archive", latency_s=LATENCY_S) as url:
        for number in range(rounds):
            for name, seconds in times.items():
                told = side(name, url, scratch / "small", scratch / f"{name}_{number}")
                seconds.append(told["seconds"])
                second += [told["second"]] if "second" in told else []
    ratio = [peer / ours for peer, ours in zip(times["peer"], times["zenodo"], strict=True)]
    rows = [
        ["`push`, all its requests", middle_and_range(times["zenodo"], "{:.2f}"), "1", ""],
        [
            "zenodo-client, `create(publish=False)`",
            middle_and_range(times["peer"], "{:.2f}"),
            middle_and_range(ratio, "{:.1f}"),
            f"{AIM:g}: {'met' if statistics.median(ratio) >= AIM else 'not met'}",
        ],
    ]
    sent, again_s = max(one["files"] for one in second), statistics.median(one["seconds"] for one in second)
    again = f"A second `push` of the same plan sends {sent} files in {second[0]['calls']} requests, {again_s:.2f} s."
    return (
        f"### {count} files of 1 MB, {LATENCY_S * 1000:.0f} ms of latency\n\n"
        + table(["", "wall, s", "times as long as ours", "aim"], rows)
        + f"\n\n{again}"
    )


def invenio(scratch: Path, *, rounds: int, quick: bool) -> str:
    """The same files through both APIs."""
    count = 10 if quick else FILES
    write_files(scratch / "both", count=count, size=FILE_BYTES)
    times: dict[str, list[float]] = {"zenodo": [], "invenio": []}
    calls = {}
    with archive(scratch / "both_archive", latency_s=LATENCY_S) as url:
        for number in range(rounds):
            for name, seconds in times.items():
                told = side(name, url, scratch / "both", scratch / f"both_{name}_{number}")
                seconds.append(told["seconds"])
                calls[name] = told["calls"]
    rows = [
        [f"`push` to {name}", str(calls[name]), middle_and_range(seconds, "{:.2f}")] for name, seconds in times.items()
    ]
    return f"### The same {count} files by either API\n\n" + table(["", "requests", "wall, s"], rows)


def large(scratch: Path, *, rounds: int, quick: bool) -> str:
    """One large file, in turn with curl."""
    size = LARGE_BYTES // 10 if quick else LARGE_BYTES
    write_files(scratch / "large", count=1, size=size)
    ours, theirs, grown = [], [], []
    with archive(scratch / "large_archive", latency_s=0.0) as url:
        for number in range(rounds):
            theirs.append(curl(url, scratch / "large" / "000.bin"))
            told = side("upload", url, scratch / "large", scratch / f"large_{number}")
            ours.append(told["seconds"])
            grown.append(told["grown_mb"])
    ratio = [one / other for one, other in zip(ours, theirs, strict=True)]
    rows = [
        ["`curl -T`", middle_and_range(theirs, "{:.2f}"), f"{size / statistics.median(theirs) / 1e6:.0f}", "1", ""],
        [
            "our upload, its checksum compared",
            middle_and_range(ours, "{:.2f}"),
            f"{size / statistics.median(ours) / 1e6:.0f}",
            middle_and_range(ratio, "{:.2f}"),
            f"at most {CURL_AIM:g}: {'met' if statistics.median(ratio) <= CURL_AIM else 'not met'}",
        ],
    ]
    met = "met" if max(grown) < MEMORY_AIM else "not met"
    return (
        f"### One file of {size / 1e9:g} GB\n\n"
        + table(["", "wall, s", "MB/s", "times as long as curl", "aim"], rows)
        + f"\n\nOur process grows by {max(grown):.1f} MB meanwhile (aim: less than {MEMORY_AIM:g} MB, {met})."
    )


ROWS = {"small": small, "invenio": invenio, "large": large}


def main(words: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=",".join(ROWS), help="which, with commas between them; all, if not given")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help=f"write the tables; between the marks {MARKS[0]}")
    options, load = parser.parse_args(words), os.getloadavg()[0]
    sections = []
    for name in options.rows.split(","):
        with tempfile.TemporaryDirectory() as scratch:
            sections.append(ROWS[name](Path(scratch), rounds=options.rounds, quick=options.quick))
            print(sections[-1], file=sys.stderr)
    curl_version = subprocess.run(["curl", "-V"], capture_output=True, text=True, check=True).stdout.split()[1]
    names = ("braggbook", "requests", "urllib3", "zenodo-client")
    told = facts(names, rounds=options.rounds, load=load, programs=[f"curl {curl_version}"])
    text = "\n\n".join([told, *sections]) + "\n"
    print(text)
    if options.markdown:
        write_tables(options.markdown, text, marks=MARKS)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What runs in each process of `benchmarks/records.py`: sends the files of a folder, timed inside.

python records_side.py zenodo|invenio|upload|peer ADDRESS FOLDER PLACE
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

TOKEN = os.environ["BENCHMARK_TOKEN"]


def ours(kind: str, url: str, folder: Path, place: Path) -> dict[str, Any]:
    """Pushes a plan, and once more."""
    from braggbook.formats.record import PublishPlan  # noqa: PLC0415 - the peer is not charged for it
    from braggbook.records.bundle import describe  # noqa: PLC0415
    from braggbook.records.deposit import Job, push  # noqa: PLC0415
    from braggbook.testing.archive import make_metadata  # noqa: PLC0415

    archive, asked = _archive(kind, url)
    names = sorted(path.name for path in folder.iterdir())
    files = [describe(folder / name, name=name) for name in names]
    plan = PublishPlan(kind="dataset", source="benchmark", metadata=make_metadata(), files=files)
    job = Job(plan, {name: folder / name for name in names}, archive, place)
    start = time.perf_counter()
    deposit = push(job)
    seconds, calls = time.perf_counter() - start, len(asked)
    draft = archive.look(str(deposit.id))
    assert [(file.name, file.md5) for file in draft.files] == [(file.name, file.md5) for file in files]
    asked.clear()
    start = time.perf_counter()
    push(job)
    second = {"seconds": time.perf_counter() - start, "files": asked.count("PUT"), "calls": len(asked)}
    archive.discard(str(deposit.id))
    return {"seconds": seconds, "calls": calls, "second": second}


def _archive(kind: str, url: str) -> tuple[Any, list[str]]:
    """Returns an archive, and a list that grows with the methods of its requests."""
    from braggbook.records.invenio import InvenioArchive  # noqa: PLC0415
    from braggbook.records.transport import Transport  # noqa: PLC0415
    from braggbook.records.zenodo import ZenodoArchive  # noqa: PLC0415

    asked: list[str] = []

    class Counting(Transport):
        def ask(self, method: str, *arguments: Any, **more: Any) -> Any:
            asked.append(method)
            return super().ask(method, *arguments, **more)

    transport = Counting(url, TOKEN)
    return (InvenioArchive if kind == "invenio" else ZenodoArchive)(transport), asked


def upload(url: str, folder: Path) -> dict[str, Any]:
    """Sends one file into a draft; its growth is that of the most memory that the process ever had."""
    from braggbook.progress import Silent  # noqa: PLC0415
    from braggbook.testing.archive import make_metadata, make_plan  # noqa: PLC0415

    archive, _ = _archive("zenodo", url)
    draft = archive.create(make_metadata(), plan=make_plan())
    (path,) = folder.iterdir()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    archive.upload(draft.id, path.name, path, progress=Silent())
    seconds = time.perf_counter() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
    archive.discard(draft.id)
    return {"seconds": seconds, "grown_mb": grown}


def peer(url: str, folder: Path) -> dict[str, Any]:
    """Lets zenodo-client make a draft of the files."""
    from zenodo_client import Zenodo  # noqa: PLC0415

    client = Zenodo(access_token=TOKEN)
    client.base, client.api_base = url, f"{url}/api"
    client.depositions_base = f"{url}/api/deposit/depositions"
    metadata = {"title": "Benchmark", "upload_type": "dataset", "description": "x", "creators": [{"name": "Doe, J"}]}
    paths = sorted(folder.iterdir())
    start = time.perf_counter()
    done = client.create({"metadata": metadata}, paths, publish=False).json()
    seconds = time.perf_counter() - start
    sent = {path.name: hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() for path in paths}
    assert {file["filename"]: file["checksum"] for file in done["files"]} == sent
    return {"seconds": seconds}


def main(kind: str, url: str, folder: str, place: str) -> None:
    """Does what is asked for, and prints what it took."""
    if kind == "peer":
        told = peer(url, Path(folder))
    elif kind == "upload":
        told = upload(url, Path(folder))
    else:
        told = ours(kind, url, Path(folder), Path(place))
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""What the tests of several processes run in other processes: ``processes.py kill|together|mint|read FOLDER``."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from braggbook.errors import BraggbookError
from braggbook.formats.record import Creator, RecordMetadata
from braggbook.progress import Silent
from braggbook.records.folder import FolderArchive

PLAN = "a" * 64
# Everything by which a program changes what others see of a folder (Python's own audit events).
CHANGES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "shutil.rmtree", "fcntl.flock"}


def told(title: str, version: str = "1") -> RecordMetadata:
    creators = [Creator(name="Lovelace, Ada")]
    return RecordMetadata(
        title=title, description="d", resource_type="dataset", creators=creators, license="CC0-1.0", version=version
    )


def send(archive: FolderArchive, folder: Path, *, plan: str, version_of: str | None) -> str:
    """Does what a person's command does, however far an earlier one came: one record in the end."""
    own = archive.own(plan)
    draft = own[0] if own else archive.create(told("The work", "2"), plan=plan, version_of=version_of)
    if draft.state == "published":
        return archive.record(draft.id).doi
    for name in ("a.bin", "b.bin"):
        archive.upload(draft.id, name, folder / name, progress=Silent())
    archive.remove(draft.id, "b.bin")
    return archive.publish(draft.id).doi


def die_at(step: int) -> None:
    """Kills this process, as ``kill -9`` does, just before its step number ``step``."""
    count = 0

    def hook(event: str, arguments: Any) -> None:
        nonlocal count
        if event in CHANGES:
            count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def in_child(step: int, root: Path, folder: Path, version_of: str | None) -> bool:
    """Returns whether the work came to its end before its step number ``step``."""
    child = os.fork()
    if child == 0:
        die_at(step)
        send(FolderArchive(root), folder, plan=PLAN, version_of=version_of)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status)
    assert killed or os.waitstatus_to_exitcode(status) == 0, status
    return not killed


def read_all(root: Path) -> None:
    """Reads every file of every record, as somebody who comes by at this moment."""
    archive = FolderArchive(root)
    for record in archive.search("", most=100):
        for file in record.files:
            archive.download(record, file.name, root.with_suffix(".out"), progress=Silent())


def state(root: Path) -> dict[str, Any]:
    """Returns what there is in an archive, for a comparison of one that was interrupted with one that was not."""
    read_all(root)
    archive = FolderArchive(root)
    records = [archive.record(path.name) for path in sorted((root / "records").iterdir())]
    (latest,) = [draft for draft in archive.own(PLAN) if draft.state == "published"]
    pages = [path.read_text() for path in (root / "index.html", *(root / "records").glob("*/index.html"))]
    return {
        "records": [[record.title, record.version, [file.name for file in record.files]] for record in records],
        "latest": archive.record(str(records[0].concept_doi)).id == latest.id,
        "drafts": len(list((root / "drafts").iterdir())),
        "pages": sum("The work" in page for page in pages),
        "left": sorted(path.name for path in root.iterdir() if path.name.startswith(".s")) != [".staging"]
        or [path.name for path in (root / ".staging").iterdir()],
        "last": json.loads((root / "records" / latest.id / "record.json").read_text())["links"]["latest"]
        == f"../{latest.id}/record.json",
    }


def kill(folder: Path) -> None:
    """Interrupts the same work at each of its steps, does it again, and prints how many there are and what came of them."""
    for name in ("a.bin", "b.bin"):
        (folder / name).write_bytes(name.encode() * 1000)
    first = FolderArchive(folder / "base")
    draft = first.create(told("The first"), plan="b" * 64)
    first.upload(draft.id, "a.bin", folder / "a.bin", progress=Silent())
    doi = first.publish(draft.id).doi
    outcome: dict[str, Any] = {}
    for start, version_of in (("new", None), ("base", doi)):
        step, ended, ends = 0, False, []
        while not ended:
            step += 1
            root = folder / "archive"
            shutil.rmtree(root, ignore_errors=True)
            if start == "base":
                shutil.copytree(folder / "base", root)
            ended = in_child(step, root, folder, version_of)
            read_all(root)
            send(FolderArchive(root), folder, plan=PLAN, version_of=version_of)
            FolderArchive(root).discard("99")  # whatever changes the archive next sweeps first
            ends.append(state(root))
        outcome[start] = {"steps": step, "ends": [end for index, end in enumerate(ends) if end not in ends[:index]]}
    sys.stdout.write(json.dumps(outcome))


def together(folder: Path) -> None:
    """Publishes a few records in the archive that other processes publish in at the same time."""
    archive, mine = FolderArchive(folder / "archive"), folder / f"{os.getpid()}.bin"
    mine.write_bytes(os.urandom(100_000))
    made = []
    for number in range(6):
        plan = f"{os.getpid():032x}{number:032x}"
        draft = archive.create(told(f"The work {plan}"), plan=plan)
        archive.upload(draft.id, "a.bin", mine, progress=Silent())
        made.append(archive.publish(draft.id).doi)
    sys.stdout.write(json.dumps(made))


def mint(folder: Path) -> None:
    """Publishes the one draft that other processes publish at the same time, and prints its DOI or the refusal."""
    archive = FolderArchive(folder / "archive")
    (draft,) = archive.own(PLAN)
    (folder / f"{os.getpid()}.ready").touch()
    while len(list(folder.glob("*.ready"))) < 3:
        time.sleep(0.01)
    try:
        sys.stdout.write(json.dumps(archive.publish(draft.id).doi))
    except BraggbookError as error:
        sys.stdout.write(json.dumps(error.what))


def read(folder: Path) -> None:
    """Reads an archive as somebody who may not write to it, and tries to all the same."""
    root = folder / "archive"
    record = FolderArchive(root).search("")[0]
    if os.geteuid() == 0:
        os.setuid(65_534)
    archive = FolderArchive(root)
    with tempfile.TemporaryDirectory() as place:
        archive.download(archive.record(record.doi), "a.bin", Path(place) / "out", progress=Silent())
        got = (Path(place) / "out").read_bytes()
    found = archive.record(record.doi) == record == archive.search("")[0] and len(archive.own(PLAN)) == 1
    try:
        archive.create(told("Another"), plan=PLAN)
    except BraggbookError as error:
        refusal = type(error).__name__
    sys.stdout.write(json.dumps({"found": found, "got": len(got), "refusal": refusal}))


if __name__ == "__main__":
    {"kill": kill, "together": together, "mint": mint, "read": read}[sys.argv[1]](Path(sys.argv[2]))

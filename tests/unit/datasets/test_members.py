"""Files that an archive at an address holds."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from braggbook.datasets.catalogue import Dataset
from braggbook.datasets.fetch import fetch
from braggbook.errors import DatasetMissing, HashMismatch, InputError
from braggbook.formats.dataset import FileOrigin

from .dataset_helpers import COUNTS, Make, Server, entry

OTHER = b"dose_gy,cells,colonies\n0,1,1\n"


def tarred(members: dict[str, bytes], *, mode: str = "w:gz") -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        folder = tarfile.TarInfo("package/folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        link = tarfile.TarInfo("package/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
    return body.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return body.getvalue()


def described(make: Make, url: str, **files: bytes) -> Dataset:
    """Makes a dataset whose files are members of one archive."""
    return make(
        *(
            entry(data, path=f"{name}.csv", origins=(FileOrigin(url=url, member=f"package/{name}.csv"),))
            for name, data in files.items()
        )
    )


MEMBERS = {"package/counts.csv": COUNTS, "package/other.csv": OTHER}


@pytest.mark.parametrize(
    "body", [tarred(MEMBERS), tarred(MEMBERS, mode="w:xz"), zipped(MEMBERS)], ids=["gz", "xz", "zip"]
)
def test_an_archive_is_asked_for_once(make: Make, server: Server, tmp_path: Path, body: bytes) -> None:
    url = server.serve("/package", body)
    found = fetch(described(make, url, counts=COUNTS, other=OTHER), cache=tmp_path / "cache")
    assert {name: path.read_bytes() for name, path in found.items()} == {"counts.csv": COUNTS, "other.csv": OTHER}
    assert len(server.asked) == 1
    kept = sorted(path for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert kept == sorted(found.values()), "the archive itself is not kept"


def test_another_file_under_that_name(make: Make, server: Server, tmp_path: Path) -> None:
    url = server.serve("/package", tarred({"package/counts.csv": OTHER}))
    with pytest.raises(HashMismatch, match="the address has another file than the one that the card names") as caught:
        fetch(described(make, url, counts=COUNTS), cache=tmp_path / "cache")
    assert f"taken from package/counts.csv in {url}" in str(caught.value)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (tarred({"package/others.csv": COUNTS}), "the archive has no file package/counts.csv"),
        (zipped({"package/others.csv": COUNTS}), "the archive has no file package/counts.csv"),
        (b"neither", "the archive cannot be read"),
        (tarred(MEMBERS)[:150], "the archive cannot be read"),
        (tarred({"package/counts.csv": COUNTS + b"0" * 10_000_000}), "it sends more than the"),
    ],
    ids=["no member", "no member, zip", "no archive", "cut short", "too long"],
)
def test_archives_that_are_not_usable(make: Make, server: Server, tmp_path: Path, body: bytes, words: str) -> None:
    url = server.serve("/package", body)
    with pytest.raises(DatasetMissing) as caught:
        fetch(described(make, url, counts=COUNTS), cache=tmp_path / "cache")
    assert any(words in issue.got + issue.what for issue in caught.value.issues), caught.value.issues
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


@pytest.mark.parametrize("member", ["package/link", "package/folder"])
def test_only_plain_files_are_taken(make: Make, server: Server, tmp_path: Path, member: str) -> None:
    url = server.serve("/package", tarred(MEMBERS))
    dataset = make(entry(COUNTS, origins=(FileOrigin(url=url, member=member),)))
    with pytest.raises(DatasetMissing):
        fetch(dataset, cache=tmp_path / "cache")


def test_a_member_belongs_to_an_address() -> None:
    with pytest.raises((ValueError, InputError), match="member belongs to an address"):
        FileOrigin(package="numpy", path="a.csv", member="b.csv")

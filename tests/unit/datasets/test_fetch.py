"""Getting a file: every source, every way that one can fail, and that the cache never has half a file."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from braggbook.datasets.fetch import fetch, fetch_file, read_record
from braggbook.datasets.sources import cache_path
from braggbook.errors import (
    DatasetError,
    DatasetMissing,
    HashMismatch,
    InputError,
    NetworkError,
    StorageError,
)
from braggbook.files import sha256_bytes, sha256_file
from braggbook.formats.dataset import FileOrigin
from braggbook.progress import Callback

from .dataset_helpers import COUNTS, Make, Server, entry

OTHER = COUNTS.replace(b"131", b"132")
SHA = sha256_bytes(COUNTS)


def stored(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.is_file()]


def test_a_file_beside_the_card_is_taken_as_it_lies(make: Make, tmp_path: Path) -> None:
    dataset = make(entry(COUNTS), beside={"counts.csv": COUNTS})
    assert fetch(dataset, cache=tmp_path / "cache") == {"counts.csv": dataset.folder / "counts.csv"}
    assert not (tmp_path / "cache").exists()


def test_a_changed_file_beside_the_card_ends_the_search(make: Make, server: Server, tmp_path: Path) -> None:
    url = server.serve("/counts.csv", COUNTS)
    dataset = make(entry(COUNTS, urls=(url,)), beside={"counts.csv": OTHER})
    with pytest.raises(HashMismatch) as caught:
        fetch(dataset, cache=tmp_path / "cache")
    assert str(caught.value) == (
        "counts.csv of counts@1: the file is not the one that the card names; "
        f"wanted sha256 {SHA} ({len(COUNTS)} bytes), got {sha256_bytes(OTHER)} ({len(OTHER)} bytes), "
        f"in {dataset.folder / 'counts.csv'}\nnext: braggbook dataset verify counts"
    )
    assert server.asked == []


def test_something_unreadable_beside_the_card_is_named(make: Make, tmp_path: Path) -> None:
    dataset = make(entry(COUNTS))
    (dataset.folder / "counts.csv").mkdir()
    with pytest.raises(DatasetError, match=r"counts\.csv of counts@1: cannot read the file; got .*: Is a directory"):
        fetch(dataset, cache=tmp_path)


def test_a_dangling_link_beside_the_card_is_named(make: Make, tmp_path: Path) -> None:
    dataset = make(entry(COUNTS))
    (dataset.folder / "counts.csv").symlink_to(tmp_path / "gone")
    with pytest.raises(DatasetError, match=r"cannot read the file; got .*: No such file"):
        fetch(dataset, cache=tmp_path)


def test_a_wrong_size_in_the_card_is_named(make: Make, tmp_path: Path) -> None:
    dataset = make(entry(COUNTS, bytes=3), beside={"counts.csv": COUNTS})
    with pytest.raises(HashMismatch, match=r"the card has another size than the file; wanted bytes = 54, got 3"):
        fetch(dataset, cache=tmp_path)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package with data, installed where Python looks."""
    site = tmp_path / "site"
    (site / "bb_data_example" / "data").mkdir(parents=True)
    (site / "bb_data_example" / "__init__.py").write_text("raise RuntimeError('imported')")
    (site / "bb_data_example" / "data" / "x.csv").write_bytes(COUNTS)
    (site / "bb_data_example-1.5.dist-info").mkdir()
    (site / "bb_data_example-1.5.dist-info" / "METADATA").write_text("Name: bb-data-example\nVersion: 1.5\n")
    monkeypatch.syspath_prepend(str(site))
    return "bb_data_example"


def test_a_package_gives_the_file_and_is_not_imported(make: Make, package: str, tmp_path: Path) -> None:
    origin = FileOrigin(package=package, path="data/x.csv", version="1.5")
    dataset = make(entry(COUNTS, origins=(origin,)))
    assert fetch(dataset, cache=tmp_path)["counts.csv"].parts[-3:] == (package, "data", "x.csv")


@pytest.mark.parametrize(
    ("origin", "why"),
    [
        (
            FileOrigin(package="bb_data_example", path="data/x.csv", version="2"),
            "version 1.5 is installed, 2 is wanted",
        ),
        (FileOrigin(package="bb_data_example", path="data/y.csv"), "the package has no such file"),
        (FileOrigin(package="bb_no_such_package", path="x.csv"), "not installed"),
    ],
)
def test_a_package_that_cannot_give_it_says_why(
    make: Make, package: str, tmp_path: Path, origin: FileOrigin, why: str
) -> None:
    with pytest.raises(DatasetMissing) as caught:
        fetch(make(entry(COUNTS, origins=(origin,))), cache=tmp_path)
    assert f"package {origin.package}, {origin.path}: {why}" in str(caught.value)


def test_the_mirror_is_searched_by_content(make: Make, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    (mirror / "deep").mkdir(parents=True)
    (mirror / "counts.csv").write_bytes(OTHER)  # the right name and size, but another content
    (mirror / "deep" / "anything").write_bytes(COUNTS)
    found = fetch_file(dataset := make(entry(COUNTS)), dataset.card.files[0], cache=tmp_path, mirror=mirror)
    assert found == mirror / "deep" / "anything"


def test_a_download_is_checked_kept_and_not_repeated(make: Make, server: Server, tmp_path: Path) -> None:
    dataset = make(entry(COUNTS, urls=(server.serve("/x", COUNTS),)))
    steps: list[tuple[str, int, int, str]] = []
    path = fetch(dataset, cache=tmp_path, progress=Callback(lambda *step: steps.append(step)))["counts.csv"]
    assert path == cache_path(tmp_path, SHA)
    assert path.read_bytes() == COUNTS
    assert fetch(dataset, cache=tmp_path)["counts.csv"] == path
    assert [asked for asked, _ in server.asked] == ["/x"]
    assert server.asked[0][1].startswith("braggbook/")
    assert steps[0] == ("fetch counts@1", 0, 54, "")
    assert steps[-1] == ("fetch counts@1", 54, 54, "counts.csv")


def test_a_damaged_cache_is_downloaded_again(make: Make, server: Server, tmp_path: Path) -> None:
    dataset = make(entry(COUNTS, urls=(server.serve("/x", COUNTS),)))
    path = fetch(dataset, cache=tmp_path)["counts.csv"]
    path.write_bytes(OTHER)
    assert sha256_file(fetch(dataset, cache=tmp_path)["counts.csv"]) == SHA
    path.write_bytes(OTHER)
    with pytest.raises(HashMismatch, match=r"taken from the cache \("):
        fetch(dataset, cache=tmp_path, download=False)


def test_the_second_address_helps_when_the_first_fails(make: Make, server: Server, tmp_path: Path) -> None:
    urls = (server.url + "/gone", server.serve("/x", COUNTS))
    assert fetch(make(entry(COUNTS, urls=urls)), cache=tmp_path)["counts.csv"].read_bytes() == COUNTS


def test_nothing_has_it_lists_every_source(make: Make, server: Server, tmp_path: Path) -> None:
    origins = (FileOrigin(package="bb_no_such_package", path="x.csv"), FileOrigin(url=server.url + "/gone"))
    with pytest.raises(DatasetMissing) as caught:
        fetch(make(entry(COUNTS, origins=origins)), cache=tmp_path, mirror=tmp_path)
    assert str(caught.value).splitlines() == [
        f"counts.csv of counts@1: no source has the file; wanted sha256 {SHA}",
        "  - beside the card (counts/counts.csv): no such file",
        "  - package bb_no_such_package, x.csv: not installed",
        f"  - the mirror folder {tmp_path}: no file of 54 bytes with that hash",
        "  - the cache: not there",
        f"  - {server.url}/gone: the server answers 404",
        "next: braggbook dataset fetch counts",
    ]


def test_without_the_network_no_address_is_tried(make: Make, server: Server, tmp_path: Path) -> None:
    dataset = make(entry(COUNTS, urls=(server.serve("/x", COUNTS),)))
    with pytest.raises(DatasetMissing, match="not tried: without the network"):
        fetch(dataset, cache=tmp_path, download=False)
    assert server.asked == []


@pytest.mark.parametrize(
    ("reply", "kind", "why"),
    [
        ({"status": 500}, NetworkError, "the server answers 500"),
        ({"status": 429}, NetworkError, "the server answers 429"),
        ({"status": 403}, DatasetMissing, "the server answers 403"),
        ({"body": COUNTS[:30], "promised": len(COUNTS)}, NetworkError, r"IncompleteRead|broken|bytes"),
        ({"body": OTHER}, HashMismatch, "the address has another file than the one that the card names"),
        ({"body": COUNTS + b"more"}, DatasetMissing, "it sends more than the 54 bytes that were announced"),
        ({"body": b""}, HashMismatch, r"\(0 bytes\), taken from"),
    ],
)
def test_a_bad_download_says_why_and_leaves_nothing(
    make: Make, server: Server, tmp_path: Path, reply: dict[str, object], kind: type[Exception], why: str
) -> None:
    server.serve("/x", **reply)  # type: ignore[arg-type]
    with pytest.raises(kind, match=why) as caught:
        fetch(make(entry(COUNTS, urls=(server.url + "/x",))), cache=tmp_path)
    assert type(caught.value) is kind
    assert stored(tmp_path / "files") == []


def test_a_server_that_says_nothing_is_left(
    make: Make, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.serve("/x", COUNTS, silent_s=1.0)
    dataset = make(entry(COUNTS, urls=(server.url + "/x",)))
    with pytest.raises(NetworkError, match=r"(?i)timed out"):
        fetch(dataset, cache=tmp_path, timeout_s=0.2)
    assert stored(tmp_path / "files") == []


def test_a_server_that_is_not_there_is_a_network_error(make: Make, tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="Connection refused") as caught:
        fetch(make(entry(COUNTS, urls=("http://127.0.0.1:9/x",))), cache=tmp_path)
    assert caught.value.exit_code == 4
    assert "object at 0x" not in str(caught.value)


RECORD = {
    "id": 123,
    "doi": "10.5281/zenodo.123",
    "metadata": {"title": "Counts", "creators": [{"name": "Doe, Jane"}], "license": {"id": "cc-by-4.0"}},
}


def serve_record(server: Server, *files: tuple[str, bytes]) -> None:
    listed = []
    for name, data in files:
        url = server.serve(f"/api/records/123/files/{name}/content", data)
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        listed.append({"id": "u", "key": name, "size": len(data), "checksum": f"md5:{md5}", "links": {"self": url}})
    server.serve("/api/records/123", json.dumps(RECORD | {"files": listed}).encode())


def test_a_doi_is_looked_up_at_the_archive(make: Make, server: Server, tmp_path: Path) -> None:
    serve_record(server, ("counts.csv", COUNTS))
    dataset = make(entry(COUNTS, urls=("doi:10.5281/zenodo.123/counts.csv",)))
    assert fetch(dataset, cache=tmp_path, archive=server.url)["counts.csv"].read_bytes() == COUNTS


def test_a_doi_without_the_file_says_so(make: Make, server: Server, tmp_path: Path) -> None:
    serve_record(server, ("counts.csv", COUNTS))
    dataset = make(entry(COUNTS, urls=("doi:10.5281/zenodo.123/count.csv",)))
    with pytest.raises(DatasetMissing, match=r"no file of 10.5281/zenodo.123 named 'count.csv'"):
        fetch(dataset, cache=tmp_path, archive=server.url)


@pytest.mark.parametrize(
    "doi", ["10.5281/zenodo.123", "https://doi.org/10.5281/zenodo.123", "https://zenodo.org/records/123"]
)
def test_a_record_is_found_by_its_doi_and_by_its_page(server: Server, doi: str) -> None:
    serve_record(server, ("counts.csv", COUNTS))
    assert read_record(doi, archive=server.url + "/").file("counts.csv").bytes == len(COUNTS)


def test_what_is_no_record_is_refused(server: Server) -> None:
    with pytest.raises(
        InputError, match=r"not the DOI of a Zenodo record; wanted 10.5281/zenodo.<number>, or the page .*got '10.1/x'"
    ):
        read_record("10.1/x", archive=server.url)
    with pytest.raises(DatasetMissing, match="the server does not have it; got the server answers 404"):
        read_record("10.5281/zenodo.7", archive=server.url)
    for body in (b"<html>", b"[]", b"{}", b'{"id": 123, "metadata": {"title": "x", "creators": 3}}'):
        server.serve("/api/records/123", body)
        with pytest.raises(NetworkError, match="the server did not answer with a record"):
            read_record("10.5281/zenodo.123", archive=server.url)


CHILD = """
import sys
from pathlib import Path
from braggbook.datasets.catalogue import open_dataset
from braggbook.datasets.fetch import fetch
from braggbook.errors import BraggbookError
if sys.argv[3] != "0":
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    fetch(open_dataset(Path(sys.argv[1])), cache=Path(sys.argv[2]))
except BraggbookError as error:
    print(type(error).__name__, error)
    sys.exit(error.exit_code)
"""


def child(folder: Path, cache: Path, *, limit: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(cache), str(limit)], stdout=subprocess.PIPE, text=True
    )


def test_kill_minus_nine_leaves_no_half_file(make: Make, server: Server, tmp_path: Path) -> None:
    data = os.urandom(2_000_000)
    server.serve("/x", data, silent_s=30.0)
    dataset = make(entry(data, path="x.bin", urls=(server.url + "/x",), columns={}))
    process = child(dataset.folder, tmp_path)
    deadline = time.monotonic() + 20
    while not any(path.stat().st_size for path in (tmp_path / "files").glob(".*.part")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not cache_path(tmp_path, sha256_bytes(data)).exists()
    (left,) = stored(tmp_path / "files")
    os.utime(left, (0, 0))  # a day later
    server.serve("/x", data)
    assert fetch(dataset, cache=tmp_path)["x.bin"].read_bytes() == data
    assert not left.exists()


def test_a_full_disk_is_a_storage_error_and_leaves_nothing(make: Make, server: Server, tmp_path: Path) -> None:
    data = os.urandom(300_000)
    server.serve("/x", data)
    dataset = make(entry(data, path="x.bin", urls=(server.url + "/x",), columns={}))
    process = child(dataset.folder, tmp_path, limit=100_000)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == StorageError.exit_code
    assert output.startswith("StorageError")
    assert "the disk is full" in output
    assert stored(tmp_path / "files") == []

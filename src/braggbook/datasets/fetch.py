"""Gets the files of a dataset: from this machine where they are, else by a download that is checked and kept.

The only module of the datasets that speaks HTTP (through pooch). A download goes to a temporary name in the
cache, is hashed while it arrives, and takes its place by one rename, so the cache never has half a file.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import io
import json
import os
import re
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from braggbook.datasets.catalogue import Dataset
from braggbook.datasets.rdm_record import is_rdm, lists_files, parse_rdm_record
from braggbook.datasets.record import Record, RecordFile, parse_record
from braggbook.datasets.sources import Search, cache_path
from braggbook.errors import DatasetMissing, HashMismatch, InputError, NetworkError
from braggbook.files import storage
from braggbook.formats.dataset import DatasetFile, check_url
from braggbook.progress import Progress, Silent

ZENODO, SANDBOX = "https://zenodo.org", "https://sandbox.zenodo.org"
_TEST_PREFIX = "5072"  # of the sandbox's DOIs
TIMEOUT_S = 60.0  # of silence; a slow download may take as long as it needs
_CHUNK_BYTES = 1 << 18
_LARGEST_RECORD_BYTES = 50_000_000  # of a record's description, far above the largest seen
_STALE_S = 86_400.0  # a partial download that nobody has written to for a day was abandoned
_DOI_FILE = re.compile(r"doi:(10\.[0-9]+/zenodo\.[0-9]+)/(.+)")
_ZENODO_DOI = re.compile(r"(?:doi:\s*|https?://(?:dx\.)?doi\.org/)?10\.([0-9]+)/zenodo\.([0-9]+)/?", re.IGNORECASE)
_PAGE = re.compile(r"(https?://[^/\s]+(?:/[^\s?#]*?)?)/records?/([\w-]+)/?(?:[?#]\S*)?")
_FOLDER_DOI = re.compile(r"doi:10\.5072/braggbook\..+")  # of an archive in a directory, which no server has
_NO = range(400, 500)  # a server's statuses that mean no ...
_LATER = (408, 425, 429)  # ... but for these, which mean not now


class _Refused(Exception):
    """A server answered that it will not give the file; another try would not help."""


def fetch(
    dataset: Dataset,
    *,
    cache: Path,
    mirror: Path | None = None,
    progress: Progress | None = None,
    archive: str = ZENODO,
    timeout_s: float = TIMEOUT_S,
    download: bool = True,
) -> dict[str, Path]:
    """Gets every file of a dataset, each checked by its hash; see :func:`fetch_file`.

    Returns:
        Where each file is, by its path in the card.
    """
    progress, places = progress or Silent(), _Places(cache, mirror, archive, timeout_s, download)
    progress.start(f"fetch {dataset.reference}", sum(file.bytes for file in dataset.card.files))
    try:
        done, paths = 0, {}
        for file in dataset.card.files:
            step = steps(progress, done, note=file.path)
            paths[file.path] = _fetch(dataset, file, places=places, step=step)
            done += file.bytes
            progress.step(done, file.path)
        return paths
    finally:
        progress.stop()


def fetch_file(
    dataset: Dataset,
    file: DatasetFile,
    *,
    cache: Path,
    mirror: Path | None = None,
    archive: str = ZENODO,
    timeout_s: float = TIMEOUT_S,
    download: bool = True,
) -> Path:
    """Gets one file: beside the card, in a package, in the mirror, in the cache, or by a download.

    Args:
        dataset: The dataset.
        file: One of its files.
        cache: The folder for downloads.
        mirror: A folder that is searched by content before anything is downloaded.
        archive: The server that Zenodo's DOIs are looked up at.
        timeout_s: How long a server may say nothing.
        download: Whether addresses are tried at all.

    Raises:
        HashMismatch: The file beside the card is another one; or every source that has it has another one.
        DatasetMissing: No source has it; all are listed with the reason.
        NetworkError: The same, but a download failed in a way that may pass.
        StorageError: The download could not be written.
    """
    places = _Places(cache, mirror, archive, timeout_s, download)
    return _fetch(dataset, file, places=places, step=lambda _: None)


@dataclass(frozen=True)
class _Places:
    cache: Path
    mirror: Path | None
    archive: str
    timeout_s: float
    download: bool


def steps(progress: Progress, done: int, *, note: str) -> Callable[[int], None]:
    """Returns what a download tells its bytes to, when ``done`` bytes of the work are behind."""
    return lambda received: progress.step(done + received, note)


def _fetch(dataset: Dataset, file: DatasetFile, *, places: _Places, step: Callable[[int], None]) -> Path:
    search = Search(dataset, file)
    found = search.beside() or search.in_packages() or search.in_mirror(places.mirror) or search.in_cache(places.cache)
    if found:
        return found
    network: NetworkError | None = None
    for url in (origin.url for origin in file.origins if origin.url is not None):
        if not places.download:
            search.fail(url, "not tried: without the network")
            continue
        try:
            return _download_to_cache(url, file, places=places, step=step)
        except (_Refused, InputError) as error:
            search.fail(url, str(error.args[0]))
            search.mismatch = error if isinstance(error, HashMismatch) else search.mismatch
        except NetworkError as error:
            search.fail(url, error.got or error.what)
            network = error
    raise _nowhere(search, network)


def _nowhere(search: Search, network: NetworkError | None) -> Exception:
    where = f"{search.file.path} of {search.dataset.reference}"
    command = f"braggbook dataset fetch {search.dataset.slug}"
    if search.mismatch is not None and network is None:
        search.mismatch.issues = tuple(search.tried)
        return search.mismatch
    kind, what = (NetworkError, "the download failed") if network else (DatasetMissing, "no source has the file")
    return kind(what, where=where, wanted=f"sha256 {search.file.sha256}", issues=search.tried, next_command=command)


def _download_to_cache(url: str, file: DatasetFile, *, places: _Places, step: Callable[[int], None]) -> Path:
    target = cache_path(places.cache, file.sha256)
    with _partial(places.cache) as (stream, place):
        sink = _Sink(stream, limit=file.bytes, step=step, where=target)
        _download(url, sink, archive=places.archive, timeout_s=places.timeout_s)
        if sink.sha256.hexdigest() != file.sha256:
            raise HashMismatch(
                "the address has another file than the one that the card names", where=file.path,
                wanted=f"sha256 {file.sha256} ({file.bytes} bytes)",
                got=f"{sink.sha256.hexdigest()} ({sink.received} bytes), taken from {url}",
            )  # fmt: skip
        place(target)
    return target


def download_record_file(
    file: RecordFile, *, cache: Path, step: Callable[[int], None] = lambda _: None
) -> tuple[Path, str]:
    """Downloads a file of a record into the cache, checked by the size and checksum that the record states.

    Returns:
        Where it is, and its SHA-256.

    Raises:
        HashMismatch: Another file arrived.
        DatasetMissing: The server does not have it.
        NetworkError: The download failed.
        StorageError: It could not be written.
    """
    with _partial(cache) as (stream, place):
        sink = _Sink(stream, limit=file.bytes, step=step, where=cache)
        with _refusal_as_missing(file.url):
            _download(file.url, sink)
        algorithm, _, wanted = file.checksum.partition(":")
        digest = (sink.md5 if algorithm == "md5" else sink.sha256).hexdigest()
        if digest != wanted or sink.received != file.bytes:
            raise HashMismatch(
                "the file that arrived is not the one that the record lists", where=file.url,
                wanted=f"{file.checksum} ({file.bytes} bytes)", got=f"{digest} ({sink.received} bytes)",
            )  # fmt: skip
        sha256 = sink.sha256.hexdigest()
        target = cache_path(cache, sha256)
        place(target)
    return target, sha256


def read_record(doi: str, *, archive: str = ZENODO) -> Record:
    """Asks Zenodo, or a server that answers like it or like InvenioRDM, what a record holds.

    Args:
        doi: A DOI as ``10.5281/zenodo.123``, or the record's page, then on whatever server.
        archive: The server that Zenodo's DOIs are looked up at.

    Raises:
        InputError: It is no such DOI.
        DatasetMissing: The server has no such record, or does not open it.
        NetworkError: The server could not be asked, or answered something else.
    """
    base, id = _server_of(doi.strip(), archive)
    url = f"{base}/api/records/{id}"
    answer = _ask(url)
    try:
        if not is_rdm(answer):
            return parse_record(answer)
        files = answer["files"] if lists_files(answer) else _ask(f"{url}/files")
        return parse_rdm_record(answer, files["entries"], base=base)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        got = f"{type(error).__name__}: {error}"
        raise NetworkError("the server did not answer with a record", where=url, got=got) from error


def _server_of(doi: str, archive: str) -> tuple[str, str]:
    """Returns the server that has a record, and its id there.

    Raises:
        InputError: It is neither a DOI of Zenodo's nor a record's page.
    """
    if match := _ZENODO_DOI.fullmatch(doi):
        server = SANDBOX if match[1] == _TEST_PREFIX and archive == ZENODO else archive
        return server.rstrip("/"), match[2]
    wanted = "10.5281/zenodo.<number>, or the page of a record, https://.../records/<number>"
    match = _PAGE.fullmatch(doi)
    if match is None:
        raise InputError("not the DOI of a Zenodo record", wanted=wanted, got=repr(doi))
    try:
        base = check_url(match[1])
    except ValueError:
        raise InputError("not the page of a record", wanted=wanted, got="an address without https") from None
    return (archive.rstrip("/") if base == ZENODO else base), match[2]


def _ask(url: str) -> Any:
    """Returns the JSON that a server answers.

    Raises:
        DatasetMissing: It has nothing there.
        NetworkError: It could not be asked, or answers no JSON.
    """
    body = io.BytesIO()
    with _refusal_as_missing(url):
        _download(url, _Sink(body, limit=_LARGEST_RECORD_BYTES))
    try:
        answer = json.loads(body.getvalue())
    except (ValueError, RecursionError) as error:
        got = f"{type(error).__name__}: {error}"
        raise NetworkError("the server did not answer with a record", where=url, got=got) from error
    if not isinstance(answer, dict):
        raise NetworkError("the server did not answer with a record", where=url, got=type(answer).__name__)
    return answer


@contextmanager
def _refusal_as_missing(url: str) -> Iterator[None]:
    try:
        yield
    except _Refused as error:
        raise DatasetMissing("the server does not have it", where=url, got=str(error.args[0])) from None


@contextmanager
def _partial(cache: Path) -> Iterator[tuple[IO[bytes], Callable[[Path], None]]]:
    """Opens a temporary file in the cache; the second value puts it in its place, else it is removed."""
    folder = cache / "files"
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        handle, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")
    stream = os.fdopen(handle, "wb")

    def place(target: Path) -> None:
        with storage(target):
            stream.flush()
            os.fsync(stream.fileno())
            os.chmod(name, 0o644)
            target.parent.mkdir(exist_ok=True)
            os.replace(name, target)

    try:
        yield stream, place
    finally:
        with suppress(OSError):
            stream.close()
        with suppress(OSError):
            os.unlink(name)


def _sweep(folder: Path) -> None:
    """Removes partial downloads that a killed process left behind."""
    for path in folder.glob(".*.part"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE_S:
                path.unlink()


class _Sink:
    """A file that pooch writes to: counts, hashes, stops what is too long, tells a full disk from a bad line."""

    def __init__(
        self,
        stream: IO[bytes],
        *,
        limit: int,
        step: Callable[[int], None] = lambda _: None,
        where: Path = Path("memory"),
    ) -> None:
        """Wraps an open file; ``step`` is told how many bytes have come."""
        self.sha256 = hashlib.sha256()
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.received = 0
        self._stream = stream
        self._limit = limit
        self._step = step
        self._where = where

    def write(self, block: bytes) -> int:
        """Takes the next block."""
        self.received += len(block)
        if self.received > self._limit:
            raise _Refused(f"it sends more than the {self._limit} bytes that were announced")
        with storage(self._where):
            self._stream.write(block)
        self.sha256.update(block)
        self.md5.update(block)
        self._step(self.received)
        return len(block)

    def flush(self) -> None:
        """Hands what is buffered to the system."""
        with storage(self._where):
            self._stream.flush()


def _download(url: str, sink: _Sink, *, archive: str = ZENODO, timeout_s: float = TIMEOUT_S) -> None:
    """Downloads an address into ``sink``.

    Raises:
        _Refused: The server says no.
        NetworkError: Anything else went wrong on the way.
    """
    options = {"headers": _headers(), "timeout": timeout_s, "chunk_size": _CHUNK_BYTES}
    pooch = _pooch()
    with _network(url):
        match = _DOI_FILE.fullmatch(url)
        if match:
            record = read_record(match[1], archive=archive)
            pooch.HTTPDownloader(**options)(record.file(match[2]).url, sink, None)
        elif _FOLDER_DOI.fullmatch(url):
            raise _Refused("an archive in a folder has it: add it again with braggbook dataset add")
        elif url.startswith("doi:"):
            pooch.DOIDownloader(**options)(url, sink, None)
        else:
            pooch.HTTPDownloader(**options)(url, sink, None)


def _pooch() -> Any:
    """Imports pooch when something is to be downloaded; every notebook imports this module, few download."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm's, of a widget that is not installed and that we do not use
        return importlib.import_module("pooch")


@contextmanager
def _network(url: str) -> Iterator[None]:
    """Turns what pooch and requests raise into a refusal or a :class:`NetworkError`."""
    try:
        yield
    except (OSError, ValueError, KeyError) as error:  # every error of requests is an OSError
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in _NO and status not in _LATER:
            raise _Refused(f"the server answers {status}") from None
        reason = f"the server answers {status}" if status is not None else _reason(error)
        raise NetworkError("the download failed", where=url, got=reason) from error


def _reason(error: BaseException) -> str:
    """Returns the innermost cause, without the memory addresses that its messages are full of."""
    while True:
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        if not isinstance(inner, BaseException):
            break
        error = inner
    text = re.sub(r"<[^>]*>[:,]? ?|\S*\(host=[^)]*\):? ?", "", str(error)).strip()
    return text or type(error).__name__


def _headers() -> dict[str, str]:
    try:
        version = importlib.metadata.version("braggbook")
    except importlib.metadata.PackageNotFoundError:
        version = "0"
    # Zenodo throttles the default user agents of HTTP libraries (pooch issue 502); a compressed transfer
    # would have another length than the card says.
    return {"User-Agent": f"braggbook/{version} (Python; research data)", "Accept-Encoding": "identity"}

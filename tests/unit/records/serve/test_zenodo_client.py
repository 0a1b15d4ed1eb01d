"""The package zenodo-client against the server: what it sends, and what it gets wrong (version 0.4.2).

These pin the package's own behaviour, so that what we mend in it can be seen to be broken; a release that mends
it makes a test fail here, and then our mending goes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from braggbook.records.serve import (
    ArchiveServer,
    CorruptStored,
    Fault,
    WrongChecksum,
    gateway_timeout,
    internal_error,
    too_many_requests,
)

from .serve_helpers import METADATA, TOKEN, Client

if TYPE_CHECKING:
    from zenodo_client import Zenodo

pytestmark = pytest.mark.full  # the package takes a third of a second to import

CREATE = ["POST /api/deposit/depositions 201"]
UPLOAD = ["PUT /api/files/{uuid}/a.txt 201"]
PUBLISH = ["POST /api/deposit/depositions/{id}/actions/publish 202"]
READ = ["GET /api/deposit/depositions/{id} 200"]
NEW_VERSION = ["POST /api/deposit/depositions/{id}/actions/newversion 201"]
REWRITE = ["PUT /api/deposit/depositions/{id} 200"]
DATA = {"metadata": METADATA}


@pytest.fixture(scope="module", autouse=True)
def _first_home(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The package makes its folder as it is imported; it shall not be the home of who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSTOW_HOME", str(tmp_path_factory.mktemp("pystow")))
        import zenodo_client

        assert zenodo_client
        yield


@pytest.fixture
def zenodo(server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zenodo:
    from zenodo_client import Zenodo

    class Here(Zenodo):
        """The package's class with the addresses of another server, and without its waits."""

        def __init__(self) -> None:
            super().__init__(access_token=TOKEN)
            self.base = server.url
            self.api_base = f"{server.url}/api"
            self.depositions_base = f"{server.url}/api/deposit/depositions"

        def _action(self, deposition_id: str, action: Any, sleep: bool = True) -> requests.Response:
            return super()._action(deposition_id, action, sleep=False)

    monkeypatch.setenv("PYSTOW_HOME", str(tmp_path / "pystow"))
    monkeypatch.setenv("PYSTOW_CONFIG_HOME", str(tmp_path / "config"))
    return Here()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.txt"
    path.write_bytes(b"hello")
    return path


def test_create(zenodo: Zenodo, server: ArchiveServer, file: Path, client: Client) -> None:
    done = zenodo.create(DATA, [file]).json()
    assert done["submitted"] is True
    assert server.calls.outline() == [*CREATE, *UPLOAD, *PUBLISH]
    assert client("GET", f"/records/{done['id']}/files/a.txt/content").content == b"hello"


def test_create_without_publishing(zenodo: Zenodo, server: ArchiveServer, file: Path) -> None:
    assert zenodo.create(DATA, [file], publish=False).json()["state"] == "unsubmitted"
    assert server.calls.outline() == [*CREATE, *UPLOAD, *READ]


def test_create_from_its_own_model(zenodo: Zenodo, file: Path) -> None:
    from zenodo_client import Creator, Metadata

    data = Metadata(
        title="Title", upload_type="dataset", description="x", creators=[Creator(name="Doe, Jane")], version="1"
    )
    metadata = zenodo.create(data, file).json()["metadata"]
    assert (metadata["title"], metadata["license"], metadata["version"]) == ("Title", "cc-zero", "1")


def test_create_with_what_the_server_refuses(zenodo: Zenodo, file: Path) -> None:
    with pytest.raises(ValueError, match="A validation error occurred"):
        zenodo.create({**DATA, "unknownkey": 1}, file)


def test_update(zenodo: Zenodo, server: ArchiveServer, file: Path) -> None:
    first = zenodo.create(DATA, [file]).json()
    server.calls.clear()
    second = zenodo.update(str(first["id"]), [file]).json()
    assert second["submitted"] is True
    assert second["conceptrecid"] == first["conceptrecid"]
    assert second["id"] != first["id"]
    assert server.calls.outline() == [*READ, *READ, *NEW_VERSION, *READ, *REWRITE, *UPLOAD, *READ, *PUBLISH]


def test_download(zenodo: Zenodo, file: Path) -> None:
    done = zenodo.create(DATA, [file]).json()
    path = zenodo.download(done["id"], "a.txt")
    assert path.read_bytes() == b"hello"
    assert path.parts[-3:] == (done["conceptrecid"], "1.2.0", "a.txt")
    assert [path.name for path in zenodo.download_all(done["id"])] == ["a.txt"]


# What it gets wrong


def test_the_token_is_sent_in_the_query_and_shows_in_errors(zenodo: Zenodo, server: ArchiveServer, file: Path) -> None:
    with pytest.raises(requests.HTTPError) as failed:
        zenodo.get_record(1)
    assert TOKEN in str(failed.value)
    zenodo.create(DATA, [file])
    assert {call.token_in for call in server.calls} == {"query"}


def test_files_go_under_the_name_of_a_library(zenodo: Zenodo, server: ArchiveServer, file: Path) -> None:
    done = zenodo.create(DATA, [file]).json()
    zenodo.download(done["id"], "a.txt")
    agents = {call.outline().split()[0] + call.path.rpartition("/")[2]: call.user_agent for call in server.calls}
    assert agents["POSTdepositions"].startswith("zenodo-client-python v0.4.2")
    assert agents["PUTa.txt"].startswith("python-requests/")
    assert agents["GETcontent"].startswith("Python-urllib/")


@pytest.mark.parametrize("answer", [too_many_requests(retry_after=1), internal_error(), gateway_timeout()])
def test_nothing_is_tried_again(zenodo: Zenodo, server: ArchiveServer, file: Path, answer: Any) -> None:
    fault = server.faults.add(Fault(answer, method="PUT"))
    with pytest.raises(requests.HTTPError):
        zenodo.create(DATA, [file])
    assert (fault.fired, len(server.calls)) == (1, 2)  # and the draft is left behind


def test_a_publication_that_timed_out_is_taken_for_failed(
    zenodo: Zenodo, server: ArchiveServer, file: Path, client: Client
) -> None:
    server.faults.add(Fault(gateway_timeout(after=True), path="*/publish"))
    with pytest.raises(requests.HTTPError, match="504"):
        zenodo.create(DATA, [file])
    assert client.ok("GET", "/records")["hits"]["total"] == 1


def test_a_failed_update_blocks_every_later_one(zenodo: Zenodo, server: ArchiveServer, file: Path) -> None:
    first = str(zenodo.create(DATA, [file]).json()["id"])
    server.faults.add(Fault(internal_error(), method="PUT", path="/api/files/*"))
    with pytest.raises(requests.HTTPError, match="500"):
        zenodo.update(first, [file])
    for _ in range(2):
        with pytest.raises(requests.HTTPError, match="400") as failed:
            zenodo.update(first, [file])
        assert "Please remove all files first." in failed.value.response.text


def test_an_update_without_publishing_returns_the_old_record(zenodo: Zenodo, file: Path, client: Client) -> None:
    first = zenodo.create(DATA, [file]).json()
    assert zenodo.update(str(first["id"]), [file], publish=False).json()["id"] == first["id"]
    (draft,) = client.ok("GET", "/deposit/depositions", params={"status": "draft"})
    assert draft["id"] != first["id"]


def test_old_files_stay_in_a_new_version(zenodo: Zenodo, file: Path) -> None:
    first = str(zenodo.create(DATA, [file]).json()["id"])
    second = zenodo.update(first, [file.rename(file.with_name("renamed.txt"))]).json()
    assert [one["filename"] for one in second["files"]] == ["a.txt", "renamed.txt"]


def test_an_update_writes_the_date_over_the_version(zenodo: Zenodo, file: Path) -> None:
    first = zenodo.create(DATA, [file]).json()
    assert first["metadata"]["version"] == "1.2.0"
    second = zenodo.update(str(first["id"]), [file]).json()
    assert second["metadata"]["version"].count("-") == 2
    unversioned = {name: value for name, value in METADATA.items() if name != "version"}
    without = zenodo.create({"metadata": unversioned}, [file]).json()
    with pytest.raises(KeyError, match="version"):
        zenodo.update(str(without["id"]), [file])


def test_files_of_one_base_name_overwrite_each_other(zenodo: Zenodo, file: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "a.txt"
    other.write_bytes(b"another")
    (kept,) = zenodo.create(DATA, [file, other]).json()["files"]
    assert kept["filesize"] == 7


@pytest.mark.parametrize(("name", "sent"), [("b c#1.txt", "b c"), ("what?.txt", "what"), ("100%25.txt", "100%.txt")])
def test_names_are_cut(zenodo: Zenodo, tmp_path: Path, name: str, sent: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    (kept,) = zenodo.create(DATA, [tmp_path / name]).json()["files"]
    assert kept["filename"] == sent


def test_its_checks_of_metadata_never_run(zenodo: Zenodo, file: Path) -> None:
    from zenodo_client import Creator, Metadata

    person = Creator(name="Doe, Jane")
    data = Metadata(
        title="Title", upload_type="publication", description="x", creators=[person], access_right="open", license=None
    )
    with pytest.raises(requests.HTTPError, match="400"):
        zenodo.create(data, [file])  # the server notices what the model does not


def test_an_organisation_cannot_be_a_creator() -> None:
    from zenodo_client import Creator

    with pytest.raises(ValueError, match="Family name, given names"):
        Creator(name="The PTCOG Collaboration")


@pytest.mark.parametrize("action", [WrongChecksum(), CorruptStored()])
def test_digests_are_not_compared(zenodo: Zenodo, server: ArchiveServer, file: Path, action: Any) -> None:
    fault = server.faults.add(Fault(action, method="PUT"))
    assert zenodo.create(DATA, [file]).json()["submitted"] is True
    assert fault.fired == 1


def test_an_empty_file_goes_in_chunks(zenodo: Zenodo, server: ArchiveServer, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    assert zenodo.create(DATA, [tmp_path / "empty.txt"]).json()["files"][0]["filesize"] == 0
    assert server.calls[1].headers["transfer-encoding"] == "chunked"


def test_a_second_ensure_ignores_its_data(zenodo: Zenodo, file: Path) -> None:
    first = zenodo.ensure("a-key", DATA, [file]).json()
    second = zenodo.ensure("a-key", {"metadata": {**METADATA, "title": "Another title"}}, [file]).json()
    assert second["conceptrecid"] == first["conceptrecid"]
    assert second["title"] == METADATA["title"]


def test_the_latest_record_is_the_one_that_was_asked_for(zenodo: Zenodo, file: Path) -> None:
    first = zenodo.create(DATA, [file]).json()
    second = zenodo.update(str(first["id"]), [file]).json()
    assert zenodo.get_latest_record(first["id"]) == str(first["id"])
    assert second["id"] != first["id"]

"""InvenioRDM's records API."""

from __future__ import annotations

import hashlib
import re
from typing import Any
from urllib.parse import quote

import pytest

from .conftest import Start
from .serve_helpers import RDM_JSON, RDM_METADATA, READER_TOKEN, Client, errors_of

HELLO = f"md5:{hashlib.md5(b'hello').hexdigest()}"


@pytest.fixture
def rdm(start: Start) -> Client:
    """A client of an InvenioRDM without Zenodo's deposit API."""
    return Client(start(legacy=False))


def test_the_whole_way(rdm: Client) -> None:
    made = rdm("POST", "/records", json={"metadata": RDM_METADATA, "files": {"enabled": True}})
    draft = made.json()
    id, own = draft["id"], draft["links"]["self"]
    assert made.status_code == 201
    assert re.fullmatch("[0-9a-z]{5}-[0-9a-z]{5}", id)
    assert (draft["is_published"], draft["is_draft"], draft["status"]) == (False, True, "draft")
    reserved = rdm("POST", f"{own}/pids/doi")
    assert reserved.status_code == 201
    assert reserved.json()["pids"]["doi"] == {
        "client": "datacite",
        "identifier": f"10.5281/{id}",
        "provider": "datacite",
    }
    announced = rdm("POST", f"{own}/files", json=[{"key": "a.txt"}, {"key": "b.txt"}])
    assert announced.status_code == 201
    assert [entry["status"] for entry in announced.json()["entries"]] == ["pending", "pending"]
    for entry in announced.json()["entries"]:
        put = rdm("PUT", entry["links"]["content"], data=b"hello")
        assert (put.status_code, put.json()["status"]) == (200, "pending")
        done = rdm("POST", entry["links"]["commit"])
        assert (done.status_code, done.json()["status"], done.json()["checksum"]) == (200, "completed", HELLO)
        assert done.json()["size"] == 5
        assert {"file_id", "version_id", "bucket_id"} <= set(done.json())
    current = rdm.ok("GET", own)
    changed = rdm("PUT", own, json={**current, "metadata": {**current["metadata"], "title": "Another title"}})
    assert (changed.status_code, changed.json()["pids"]) == (200, current["pids"])
    published = rdm("POST", draft["links"]["publish"])
    record = published.json()
    assert published.status_code == 202
    assert record["pids"]["doi"]["identifier"] == f"10.5281/{id}"
    assert (record["is_published"], record["is_draft"]) == (True, False)
    assert record["metadata"]["title"] == "Another title"
    assert set(record["files"]["entries"]) == {"a.txt", "b.txt"}
    files = rdm.ok("GET", record["links"]["files"])
    assert rdm("GET", files["entries"][0]["links"]["content"]).content == b"hello"
    assert rdm("GET", own).status_code == 404  # no draft any more
    assert rdm("POST", draft["links"]["publish"]).status_code == 404


def test_there_is_no_deposit_api_beside_it(rdm: Client) -> None:
    assert rdm("POST", "/deposit/depositions", json={}).status_code == 404


def test_zenodo_gives_this_json_only_when_asked(client: Client) -> None:
    plain = client.ok("POST", "/records", json={"metadata": RDM_METADATA})
    assert isinstance(plain["id"], int)
    rdm = client.ok("GET", f"/records/{plain['id']}/draft", headers={"Accept": RDM_JSON})
    assert rdm["id"] == str(plain["id"])
    assert rdm["metadata"]["publisher"] == "Institute"
    assert client.ok("GET", f"/deposit/depositions/{plain['id']}")["metadata"]["upload_type"] == "dataset"


def test_a_draft_may_lack_everything_and_is_told_so(rdm: Client) -> None:
    made = rdm("POST", "/records", json={"metadata": {"nonsense": 1, "title": "ab"}})
    assert made.status_code == 201
    fields = {error["field"]: error["messages"] for error in made.json()["errors"]}
    assert fields["metadata.nonsense"] == ["Unknown field."]
    assert fields["metadata.creators"] == ["Missing data for required field."]
    assert "metadata.title" in fields
    assert "nonsense" not in made.json()["metadata"]
    assert "errors" not in rdm.draft()


def test_publishing_asks_for_everything_at_once(rdm: Client) -> None:
    id = rdm.ok("POST", "/records", json={})["id"]
    rdm.ok("POST", f"/records/{id}/draft/files", json=[{"key": "a.txt"}])
    answer = rdm("POST", f"/records/{id}/draft/actions/publish")
    assert answer.status_code == 400
    assert set(errors_of(answer)) == {
        "metadata.title",
        "metadata.resource_type",
        "metadata.creators",
        "metadata.publication_date",
        "metadata.publisher",
        "files",
    }


def test_a_record_without_files(rdm: Client) -> None:
    draft = rdm.ok("POST", "/records", json={"metadata": RDM_METADATA, "files": {"enabled": False}})
    assert rdm("POST", draft["links"]["publish"]).status_code == 202
    with_files = rdm.draft()
    assert "files.enabled" in errors_of(rdm("POST", with_files["links"]["publish"]))


def test_a_second_reservation_and_none(rdm: Client) -> None:
    own = rdm.draft()["links"]["self"]
    assert rdm("DELETE", f"{own}/pids/doi").status_code == 400
    assert rdm("POST", f"{own}/pids/doi").status_code == 201
    answer = rdm("POST", f"{own}/pids/doi")
    assert answer.status_code == 400
    assert errors_of(answer) == {"pids.doi": ["A PID already exists for type doi"]}
    assert rdm.ok("DELETE", f"{own}/pids/doi")["pids"] == {}


def test_what_a_put_does_not_name_is_lost(rdm: Client) -> None:
    draft = rdm.draft({"a.txt": b"x"})
    rdm.ok("POST", f"{draft['links']['self']}/pids/doi")
    changed = rdm.ok("PUT", draft["links"]["self"], json={"metadata": {"title": "Only this"}})
    assert set(changed["metadata"]) == {"title"}
    assert changed["pids"] == {}
    assert set(changed["files"]["entries"]) == {"a.txt"}  # but the files stay


@pytest.mark.parametrize("key", ["figures/dose map.png", "a/b/c.txt", "what?#.txt", "content", "x/commit"])
def test_names_with_folders(rdm: Client, key: str) -> None:
    draft = rdm.draft({key: b"hello"})
    files = f"/records/{draft['id']}/draft/files"
    assert rdm.ok("GET", f"{files}/{quote(key)}")["checksum"] == HELLO
    record = rdm.ok("POST", draft["links"]["publish"])
    (entry,) = rdm.ok("GET", record["links"]["files"])["entries"]
    assert entry["key"] == key
    assert rdm("GET", entry["links"]["content"]).content == b"hello"


def test_steps_of_an_upload_out_of_order(rdm: Client) -> None:
    files = f"/records/{rdm.draft()['id']}/draft/files"
    assert rdm("PUT", f"{files}/a.txt/content", data=b"x").status_code == 404
    assert rdm("POST", f"{files}/a.txt/commit").status_code == 404
    rdm.ok("POST", files, json=[{"key": "a.txt"}])
    assert rdm("POST", f"{files}/a.txt/commit").status_code == 400
    assert rdm("GET", f"{files}/a.txt/content").status_code == 404
    assert rdm("POST", files, json=[{"key": "a.txt"}]).status_code == 400  # announced already
    rdm.ok("PUT", f"{files}/a.txt/content", data=b"wrong")
    rdm.ok("PUT", f"{files}/a.txt/content", data=b"hello")  # again, before it is committed
    assert rdm.ok("POST", f"{files}/a.txt/commit")["checksum"] == HELLO
    assert rdm("PUT", f"{files}/a.txt/content", data=b"x").status_code == 400
    assert rdm("DELETE", f"{files}/a.txt").status_code == 204
    assert rdm.ok("GET", files)["entries"] == []
    assert rdm("DELETE", f"{files}/a.txt").status_code == 404


@pytest.mark.parametrize("body", [{}, [], [{}], [{"key": ""}], [{"key": 3}], ["a.txt"], "a.txt"])
def test_announcements_that_are_none(rdm: Client, body: Any) -> None:
    assert rdm("POST", f"/records/{rdm.draft()['id']}/draft/files", json=body).status_code == 400


def test_a_draft_sends_its_files_to_its_owner(rdm: Client) -> None:
    draft = rdm.draft({"a.txt": b"hello"})
    content = f"/records/{draft['id']}/draft/files/a.txt/content"
    assert rdm("GET", content).content == b"hello"
    assert Client(rdm.server, None)("GET", content).status_code == 403
    record = rdm.ok("POST", draft["links"]["publish"])
    assert rdm.ok("GET", f"{record['links']['files']}/a.txt")["checksum"] == HELLO
    assert rdm("GET", f"{record['links']['files']}/b.txt").status_code == 404


def test_the_content_must_be_bytes(rdm: Client) -> None:
    files = f"/records/{rdm.draft()['id']}/draft/files"
    rdm.ok("POST", files, json=[{"key": "a.txt"}])
    answer = rdm("PUT", f"{files}/a.txt/content", data=b"x", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415


def test_a_new_version_is_the_same_one_each_time(rdm: Client) -> None:
    draft = rdm.draft({"a.txt": b"hello"}, version="1")
    record = rdm.ok("POST", draft["links"]["publish"])
    made = rdm("POST", record["links"]["versions"])
    second = made.json()
    assert made.status_code == 201
    assert second["id"] != record["id"]
    assert second["versions"]["index"] == 2
    assert second["parent"]["id"] == record["parent"]["id"]
    assert second["files"]["entries"] == {}
    assert not {"version", "publication_date"} & set(second["metadata"])
    assert second["pids"] == {}
    own = second["links"]["self"]
    imported = rdm("POST", f"{own}/actions/files-import")
    assert (imported.status_code, [entry["key"] for entry in imported.json()["entries"]]) == (201, ["a.txt"])
    answer = rdm("POST", f"{own}/actions/files-import")
    assert errors_of(answer) == {"files.enabled": ["Please remove all files first."]}
    assert rdm.ok("POST", record["links"]["versions"])["id"] == second["id"]  # though it has files by now


def test_an_edit_and_its_discard(rdm: Client) -> None:
    record = rdm.ok("POST", rdm.draft({"a.txt": b"x"})["links"]["publish"])
    own = record["links"]["draft"]
    draft = rdm("POST", own)
    assert (draft.status_code, draft.json()["is_published"], draft.json()["is_draft"]) == (201, True, True)
    rdm.ok("PUT", own, json={**draft.json(), "metadata": {**RDM_METADATA, "title": "Never mind"}})
    assert rdm("POST", f"{own}/files", json=[{"key": "b.txt"}]).status_code == 403
    assert rdm("DELETE", own).status_code == 204
    assert rdm.ok("GET", record["links"]["self"])["metadata"]["title"] == RDM_METADATA["title"]
    assert rdm("DELETE", own).status_code == 404


def test_an_edit_keeps_the_doi(rdm: Client) -> None:
    record = rdm.ok("POST", rdm.draft({"a.txt": b"x"})["links"]["publish"])
    rdm.ok("POST", record["links"]["draft"])
    rdm.ok("PUT", record["links"]["draft"], json={"metadata": RDM_METADATA})
    again = rdm.ok("POST", f"{record['links']['draft']}/actions/publish")
    assert again["pids"] == record["pids"]


def test_ones_own_records(rdm: Client) -> None:
    draft, record = rdm.draft(), rdm.ok("POST", rdm.draft({"a.txt": b"x"})["links"]["publish"])
    found = rdm.ok("GET", "/user/records")["hits"]
    assert ([hit["id"] for hit in found["hits"]], found["total"]) == ([record["id"], draft["id"]], 2)
    assert [hit["is_draft"] for hit in found["hits"]] == [False, True]
    assert rdm.ok("GET", "/user/records", params={"is_published": "true"})["hits"]["total"] == 1
    assert Client(rdm.server, None)("GET", "/user/records").status_code == 403


def test_who_may(rdm: Client) -> None:
    draft = rdm.draft({"a.txt": b"x"})
    own = draft["links"]["self"]
    guest, writer = Client(rdm.server, None), Client(rdm.server, READER_TOKEN)
    assert guest("POST", "/records", json={}).status_code == 403
    assert guest("GET", own).status_code == 403
    assert guest("GET", f"{own}/files").status_code == 403
    assert Client(rdm.server, "wrong")("GET", own).status_code == 401
    assert writer("POST", draft["links"]["publish"]).status_code == 403


def test_an_organisation_is_a_creator(rdm: Client) -> None:
    whole = {"person_or_org": {"type": "organizational", "name": "The Collaboration"}}
    draft = rdm.draft({"a.txt": b"x"}, creators=[whole])
    assert rdm.ok("POST", draft["links"]["publish"])["metadata"]["creators"] == [whole]
    nameless = rdm.draft({"a.txt": b"x"}, creators=[{"person_or_org": {"type": "organizational"}}])
    answer = rdm("POST", nameless["links"]["publish"])
    assert list(errors_of(answer)) == ["metadata.creators.0.person_or_org.name"]


@pytest.mark.parametrize(
    "body", [[], {"metadata": []}, {"access": {"record": "secret"}}, {"files": 3}, {"metadata": "x"}]
)
def test_bodies_that_are_refused(rdm: Client, body: Any) -> None:
    assert rdm("POST", "/records", json=body).status_code == 400


def test_values_of_the_wrong_kind_are_dropped_from_a_draft(rdm: Client) -> None:
    draft = rdm.ok("POST", "/records", json={"metadata": {"creators": "Jane", "related_identifiers": [3]}})
    assert draft["metadata"] == {"related_identifiers": []}
    assert {"metadata.creators", "metadata.related_identifiers.0"} <= {error["field"] for error in draft["errors"]}

"""Depositions: who may, what is answered, what a draft is."""

from __future__ import annotations

from typing import Any

import pytest

from braggbook.records.serve import ArchiveServer

from .serve_helpers import METADATA, READER_TOKEN, TOKEN, Client, errors_of

ALL = "/deposit/depositions"


def test_an_empty_deposition_has_an_identifier_a_concept_and_a_doi_to_come(
    client: Client, server: ArchiveServer
) -> None:
    answer = client("POST", ALL, json={})
    deposition = answer.json()
    id = deposition["id"]
    assert answer.status_code == 201
    assert isinstance(id, int)
    assert deposition["record_id"] == id
    assert deposition["conceptrecid"] == str(id - 1)
    assert deposition["metadata"]["prereserve_doi"] == {"doi": f"10.5281/zenodo.{id}", "recid": id}
    assert (deposition["title"], deposition["state"], deposition["submitted"]) == ("", "unsubmitted", False)
    assert deposition["owner"] == 7
    assert "doi" not in deposition
    assert "files" not in deposition
    assert deposition["created"].endswith("+00:00")


def test_links_are_absolute_and_lead_to_this_server(client: Client, server: ArchiveServer) -> None:
    links = client.deposit()["links"]
    own = f"{server.url}/api/deposit/depositions/"
    assert links["self"].startswith(own)
    assert links["latest_draft"] == links["self"]
    assert links["files"] == f"{links['self']}/files"
    assert links["bucket"].startswith(f"{server.url}/api/files/")
    for action in ("publish", "edit", "discard", "newversion"):
        assert links[action] == f"{links['self']}/actions/{action}"
    assert {"html", "latest_draft_html", "badge"} <= set(links)
    assert not {"record", "latest", "doi", "parent_doi"} & set(links)


def test_a_server_asked_by_another_name_answers_with_that_name(client: Client, server: ArchiveServer) -> None:
    deposition = client.ok("POST", ALL, json={}, headers={"Host": "archive.example:8080"})
    assert deposition["links"]["self"].startswith("http://archive.example:8080/api/")


def test_a_host_that_is_no_name_is_not_echoed(client: Client, server: ArchiveServer) -> None:
    deposition = client.ok("POST", ALL, json={}, headers={"Host": 'x"><script>'})
    assert deposition["links"]["self"].startswith(server.url)


def test_metadata_come_back_as_they_were_given(client: Client) -> None:
    deposition = client.deposit()
    found = client.ok("GET", deposition["links"]["self"])["metadata"]
    del found["prereserve_doi"], found["imprint_publisher"]
    assert found == METADATA


RICH: dict[str, Any] = {
    **METADATA,
    "upload_type": "publication",
    "publication_type": "article",
    "access_right": "embargoed",
    "embargo_date": "2099-01-01",
    "keywords": ["RBE", "protons"],
    "notes": "Some notes",
    "method": "A method",
    "language": "eng",
    "references": ["Reference 1"],
    "related_identifiers": [
        {"identifier": "10.1234/software", "relation": "isCompiledBy", "scheme": "doi", "resource_type": "software"},
        {"identifier": "https://example.org/x", "relation": "isSupplementTo", "scheme": "url"},
        {"identifier": "10.1234/same", "relation": "isAlternateIdentifier", "scheme": "doi"},
    ],
    "contributors": [{"name": "Roe, Richard", "affiliation": None, "type": "DataCurator"}],
    "grants": [{"id": "10.13039/501100000780::190101904"}],
    "locations": [{"place": "Darmstadt", "lat": 49.8, "lon": 8.6}],
    "dates": [{"start": "2020-01-01", "end": "2020-02-01", "type": "collected"}],
    "communities": [{"identifier": "radiobiology"}],
    "journal_title": "A journal",
    "journal_volume": "3",
    "conference_title": "A meeting",
    "imprint_isbn": "978-3-16-148410-0",
    "thesis_university": "A university",
    "subjects": [{"term": "Astronaut", "identifier": "gnd:1234567899", "scheme": "gnd"}],
    "custom": {"braggbook:plan": "sha256"},
}


def test_every_known_field_survives(client: Client) -> None:
    found = client.ok("POST", ALL, json={"metadata": RICH})["metadata"]
    del found["prereserve_doi"], found["imprint_publisher"]
    assert found == RICH


def test_unknown_keys_are_refused_at_the_top_and_dropped_in_metadata(client: Client) -> None:
    answer = client("POST", ALL, json={"metadata": {}, "unknownkey": 1})
    assert answer.status_code == 400
    assert errors_of(answer) == {"unknownkey": ["Unknown field."]}
    assert "unknownkey" not in client.deposit(unknownkey=1)["metadata"]
    assert len(client.ok("GET", ALL)) == 1  # the refused one was not made


def test_a_put_replaces_everything(client: Client) -> None:
    deposition = client.deposit(keywords=["RBE"])
    found = client.ok("PUT", deposition["links"]["self"], json={"metadata": {"title": "Another"}})
    assert found["metadata"]["title"] == "Another"
    assert not {"keywords", "creators", "description", "version"} & set(found["metadata"])


def test_a_date_and_a_licence_are_supplied(client: Client) -> None:
    data = client.ok("POST", ALL, json={"metadata": {"title": "x", "upload_type": "dataset"}})["metadata"]
    software = client.ok("POST", ALL, json={"metadata": {"title": "x", "upload_type": "software"}})["metadata"]
    assert (data["license"], software["license"]) == ("cc-zero", "cc-by-4.0")
    assert data["publication_date"] == "2026-05-28"  # the clock's day


def test_a_name_is_parted_at_its_one_comma_and_else_kept_whole(client: Client) -> None:
    names = ["Doe, Jane", "The PTCOG Collaboration", "Institute of Physics, Biology, Department 3"]
    deposition = client.deposit(creators=[{"name": name} for name in names])
    assert [creator["name"] for creator in deposition["metadata"]["creators"]] == names
    people = client.ok(
        "GET", f"/records/{deposition['id']}/draft", headers={"Accept": "application/vnd.inveniordm.v1+json"}
    )
    parts = [creator["person_or_org"] for creator in people["metadata"]["creators"]]
    assert parts[0]["family_name"] == "Doe"
    assert parts[0]["given_name"] == "Jane"
    assert parts[1]["family_name"] == names[1]
    assert "given_name" not in parts[2]


def test_closed_comes_back_as_restricted(client: Client) -> None:
    assert client.deposit(access_right="closed")["metadata"]["access_right"] == "restricted"


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"access_right": "embargoed"}, "access"),
        ({"access_right": "secret"}, "access"),
        ({"language": "english"}, "metadata.language"),
        ({"creators": "Jane"}, "metadata.creators"),
        ({"creators": ["Jane"]}, "metadata.creators.0"),
        ({"creators": [{"name": 3}]}, "metadata.creators.0.name"),
        ({"title": 3}, "metadata.title"),
        ({"dates": [{"start": "2020-01-01", "type": "collected"}]}, "metadata.dates"),
        (
            {"related_identifiers": [{"identifier": "nothing known", "relation": "cites"}]},
            "metadata.related_identifiers.scheme",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_at_once(client: Client, metadata: dict[str, Any], field: str) -> None:
    answer = client("POST", ALL, json={"metadata": {**METADATA, **metadata}})
    assert answer.status_code == 400
    assert answer.json()["message"] == "A validation error occurred."
    assert list(errors_of(answer)) == [field]


def test_a_grant_without_its_funder_breaks_the_server(client: Client) -> None:
    answer = client("POST", ALL, json={"metadata": {**METADATA, "grants": [{"id": "755021"}]}})
    assert answer.status_code == 500
    assert answer.json()["error_id"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff"])
def test_a_body_that_is_not_json(client: Client, body: bytes) -> None:
    answer = client("POST", ALL, data=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["message"]) == (400, "Unable to decode JSON data in request body.")


@pytest.mark.parametrize("body", ["[]", "3", '{"metadata": []}'])
def test_json_that_is_not_an_object(client: Client, body: str) -> None:
    assert client("POST", ALL, data=body, headers={"Content-Type": "application/json"}).status_code == 400


def test_a_body_that_does_not_say_it_is_json(client: Client) -> None:
    answer = client("POST", ALL, data="{}", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert client("POST", ALL, data=b"{}").status_code == 415


def test_a_wish_for_another_kind_of_answer(client: Client) -> None:
    assert client("GET", ALL, headers={"Accept": "text/html"}).status_code == 406
    assert client("GET", ALL, headers={"Accept": "text/html, */*;q=0.1"}).status_code == 200


# Who may


def test_a_guest_may_not_and_an_unknown_token_is_not_known(server: ArchiveServer, guest: Client) -> None:
    for method in ("GET", "POST"):
        assert guest(method, ALL, json={}).status_code == 403
        answer = Client(server, "wrong")(method, ALL, json={})
        assert answer.status_code == 401
        assert answer.json()["status"] == 401


def test_a_token_in_the_query_is_as_good(server: ArchiveServer, guest: Client) -> None:
    assert guest("POST", ALL, json={}, params={"access_token": TOKEN}).status_code == 201
    assert guest("POST", ALL, json={}, params={"access_token": "wrong"}).status_code == 401


def test_somebody_else_may_not(client: Client, other: Client, guest: Client) -> None:
    deposition = client.deposit()
    own, bucket = deposition["links"]["self"], deposition["links"]["bucket"]
    for who in (other, guest):
        assert who("GET", own).status_code == 403
        assert who("PUT", own, json={}).status_code == 403
        assert who("DELETE", own).status_code == 403
        assert who("POST", deposition["links"]["publish"]).status_code == 403
        assert who("PUT", f"{bucket}/a.txt", data=b"x").status_code == 403
        assert who("GET", bucket).status_code == 403
    assert other.ok("GET", ALL) == []
    assert client.ok("GET", own)["metadata"]["title"] == METADATA["title"]


def test_publishing_needs_its_own_scope(server: ArchiveServer, client: Client) -> None:
    writer = Client(server, READER_TOKEN)
    deposition = writer.deposit()
    assert writer.upload(deposition, "a.txt", b"x").status_code == 201
    assert writer.act(deposition["id"], "publish").status_code == 403
    assert client.act(deposition["id"], "publish").status_code == 202


def test_a_deposition_that_is_not_there(client: Client) -> None:
    for method, path in (("GET", "/1"), ("PUT", "/1"), ("DELETE", "/1"), ("POST", "/1/actions/publish")):
        answer = client(method, ALL + path, json={})
        assert answer.status_code == 404
        assert answer.json() == {"status": 404, "message": "The persistent identifier does not exist."}


def test_an_address_or_a_method_that_is_not_there(client: Client) -> None:
    id = client.deposit()["id"]
    assert client("GET", f"{ALL}/{id}/nothing").status_code == 404
    answer = client("PATCH", ALL, json={})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")


def test_deleting_a_draft(client: Client) -> None:
    own = client.deposit()["links"]["self"]
    answer = client("DELETE", own)
    assert (answer.status_code, answer.content) == (204, b"")
    assert client("DELETE", own).status_code == 404
    assert client.ok("GET", ALL) == []


def test_a_revision_that_is_not_the_last_one_any_more(client: Client) -> None:
    own = client.deposit()["links"]["self"]
    revision = client("GET", own).headers["ETag"]
    assert client("PUT", own, json={}, headers={"If-Match": revision}).status_code == 200
    answer = client("PUT", own, json={}, headers={"If-Match": revision})
    assert answer.status_code == 412


# Lists


def test_a_list_is_an_array_without_buckets(client: Client) -> None:
    ids = [client.deposit(title=f"Number {number}")["id"] for number in range(3)]
    found = client.ok("GET", ALL)
    assert [deposition["id"] for deposition in found] == ids[::-1]  # newest first
    assert all("bucket" not in deposition["links"] for deposition in found)
    assert all("bucket" in client.ok("GET", deposition["links"]["self"])["links"] for deposition in found)


def test_pages_of_a_list(client: Client) -> None:
    ids = [client.deposit()["id"] for _ in range(5)][::-1]
    pages = [
        [found["id"] for found in client.ok("GET", ALL, params={"size": 2, "page": page})] for page in (1, 2, 3, 4)
    ]
    assert pages == [ids[:2], ids[2:4], ids[4:], []]


@pytest.mark.parametrize(
    "query", [{"size": 101}, {"size": 0}, {"page": 0}, {"size": "many"}, {"size": 100, "page": 101}]
)
def test_pages_that_are_refused(client: Client, query: dict[str, Any]) -> None:
    answer = client("GET", ALL, params=query)
    assert answer.status_code == 400
    assert client("GET", ALL, params={"size": 100}).status_code == 200


def test_a_list_by_state(client: Client) -> None:
    draft, done = client.deposit()["id"], client.published()["id"]
    assert [found["id"] for found in client.ok("GET", ALL, params={"status": "draft"})] == [draft]
    assert [found["id"] for found in client.ok("GET", ALL, params={"status": "published"})] == [done]


def test_a_list_with_the_latest_versions_or_all(client: Client) -> None:
    first = client.published()["id"]
    draft = client.ok("POST", f"{ALL}/{first}/actions/newversion")
    assert client.act(draft["id"], "publish").status_code == 202
    assert [found["id"] for found in client.ok("GET", ALL)] == [draft["id"]]
    assert [found["id"] for found in client.ok("GET", ALL, params={"all_versions": "1"})] == [draft["id"], first]
    for sort, ids in (
        ("-version", [draft["id"], first]),
        ("version", [first, draft["id"]]),
        ("oldest", [first, draft["id"]]),
    ):
        # as https://github.com/zenodo/zenodo/issues/1198 has it, with a bare all_versions
        query = f"{ALL}?q=conceptrecid:{draft['conceptrecid']}&all_versions&sort={sort}"
        assert [found["id"] for found in client.ok("GET", query)] == ids

"""Publishing, editing, versions."""

from __future__ import annotations

from typing import Any

import pytest

from braggbook.records.serve import ArchiveServer

from .conftest import Start
from .serve_helpers import METADATA, Client, Clock, errors_of

ALL = "/deposit/depositions"


def test_a_published_deposition(client: Client, server: ArchiveServer) -> None:
    deposition = client.deposit()
    client.upload(deposition, "a.txt", b"hello")
    answer = client("POST", deposition["links"]["publish"])
    done = answer.json()
    id, concept = deposition["id"], deposition["conceptrecid"]
    assert answer.status_code == 202
    assert (done["id"], done["record_id"], done["conceptrecid"]) == (id, id, concept)
    assert (done["state"], done["submitted"]) == ("done", True)
    assert done["doi"] == done["metadata"]["doi"] == f"10.5281/zenodo.{id}"
    assert done["doi_url"] == f"https://doi.org/10.5281/zenodo.{id}"
    assert done["conceptdoi"] == f"10.5281/zenodo.{concept}"
    links = done["links"]
    assert links["self"] == links["record"] == f"{server.url}/api/records/{id}"
    assert links["latest"] == f"{server.url}/api/records/{id}/versions/latest"
    assert links["latest_draft"] == deposition["links"]["self"]  # its own, whatever its name says (zenodo-rdm#858)
    assert {"record_html", "latest_html", "doi", "parent_doi", "conceptbadge"} <= set(links)
    assert client.ok("GET", f"{ALL}/{id}") == done


def test_a_second_publication_is_not_found(client: Client) -> None:
    done = client.published()
    assert client.act(done["id"], "publish").status_code == 404
    assert client("PUT", f"{ALL}/{done['id']}", json={"metadata": METADATA}).status_code == 404
    assert client("DELETE", f"{ALL}/{done['id']}").status_code == 404
    assert client.act(done["id"], "discard").status_code == 404


def test_what_is_missing_is_asked_for_when_it_is_published_and_all_at_once(client: Client) -> None:
    deposition = client.ok("POST", ALL, json={"metadata": {"upload_type": "image", "creators": [{"name": ""}]}})
    answer = client.act(deposition["id"], "publish")
    assert answer.status_code == 400
    assert set(errors_of(answer)) == {
        "metadata.title",
        "metadata.description",
        "metadata.image_type",
        "metadata.creators.0.person_or_org.family_name",
        "files.enabled",
    }
    assert client.ok("GET", deposition["links"]["self"])["state"] == "unsubmitted"


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"title": ""}, "metadata.title"),
        ({"title": "ab"}, "metadata.title"),
        ({"creators": []}, "metadata.creators"),
        ({"description": ""}, "metadata.description"),
        ({"upload_type": "nonsense"}, "metadata.resource_type"),
        ({"upload_type": "publication"}, "metadata.publication_type"),
        ({"publication_date": "yesterday"}, "metadata.publication_date"),
        ({"publication_date": "2026-02-30"}, "metadata.publication_date"),
        (
            {"creators": [{"name": "Doe, J", "orcid": "0000-0002-1825-0098"}]},
            "metadata.creators.0.person_or_org.identifiers",
        ),
        ({"license": "my own licence"}, "metadata.rights"),
        ({"access_right": "embargoed", "embargo_date": "2020-01-01"}, "access.embargo.until"),
        (
            {"related_identifiers": [{"identifier": "10.1234/x", "relation": "likes"}]},
            "metadata.related_identifiers.0.relation_type",
        ),
        ({"doi": "not one"}, "pids.doi"),
    ],
)
def test_what_must_be_right_to_be_published(client: Client, metadata: dict[str, Any], field: str) -> None:
    deposition = client.deposit(**metadata)
    client.upload(deposition, "a.txt", b"x")
    answer = client.act(deposition["id"], "publish")
    assert answer.status_code == 400
    assert list(errors_of(answer)) == [field]
    client.ok("PUT", deposition["links"]["self"], json={"metadata": METADATA})
    assert client.act(deposition["id"], "publish").status_code == 202


def test_a_doi_of_somebody_elses(client: Client) -> None:
    done = client.published(doi="10.1234/own")
    assert done["doi"] == "10.1234/own"
    second = client.deposit(doi="10.1234/own")
    client.upload(second, "a.txt", b"x")
    assert errors_of(client.act(second["id"], "publish")) == {"pids.doi": ["doi:10.1234/own already exists."]}


def test_the_reserved_doi_is_the_one_that_is_given_but_not_on_another_server(start: Start) -> None:
    client = Client(start(doi_prefix="10.5072"))
    draft = client.deposit()
    client.upload(draft, "a.txt", b"x")
    done = client.ok("POST", draft["links"]["publish"])
    assert done["doi"] == f"10.5072/zenodo.{done['id']}"
    # As the real sandbox does, whose serializer has the prefix written into it.
    assert draft["metadata"]["prereserve_doi"]["doi"] == f"10.5281/zenodo.{done['id']}"


# Editing


def test_editing_changes_what_a_record_says_under_the_same_identifier(client: Client, guest: Client) -> None:
    done = client.published()
    answer = client.act(done["id"], "edit")
    draft = answer.json()
    assert (answer.status_code, draft["state"], draft["submitted"]) == (201, "inprogress", True)
    assert client.act(done["id"], "edit").status_code == 201  # already open
    changed = {"metadata": {**METADATA, "title": "A better title"}}
    assert client.ok("PUT", f"{ALL}/{done['id']}", json=changed)["title"] == "A better title"
    assert guest.ok("GET", f"/records/{done['id']}")["title"] == METADATA["title"]
    again = client.act(done["id"], "publish")
    assert (again.status_code, again.json()["state"], again.json()["doi"]) == (202, "done", done["doi"])
    assert guest.ok("GET", f"/records/{done['id']}")["title"] == "A better title"
    assert guest.ok("GET", f"/records/{done['id']}")["files"][0]["size"] == 5


def test_discarding_an_edit_leaves_the_record(client: Client, guest: Client) -> None:
    done = client.published()
    client.act(done["id"], "edit")
    client.ok("PUT", f"{ALL}/{done['id']}", json={"metadata": {"title": "Never mind"}})
    answer = client.act(done["id"], "discard")
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.ok("GET", f"{ALL}/{done['id']}") == client.ok("GET", f"{ALL}/{done['id']}") | {"state": "done"}
    assert guest.ok("GET", f"/records/{done['id']}")["title"] == METADATA["title"]


def test_discarding_a_draft_that_was_never_published_deletes_it(client: Client) -> None:
    id = client.deposit()["id"]
    assert client.act(id, "discard").status_code == 204
    assert client("GET", f"{ALL}/{id}").status_code == 404


# Versions


def test_a_new_version_is_the_draft_of_another_identifier(client: Client, clock: Clock) -> None:
    done = client.published({"a.txt": b"hello", "b.txt": b"world"}, keywords=["RBE"])
    answer = client.act(done["id"], "newversion")
    draft = answer.json()
    assert answer.status_code == 201
    assert draft["id"] != done["id"]
    assert draft["conceptrecid"] == done["conceptrecid"]
    assert (draft["state"], draft["submitted"]) == ("unsubmitted", False)
    assert (
        draft["links"]["latest_draft"] == draft["links"]["self"] == f"{done['links']['latest_draft'][:-7]}{draft['id']}"
    )
    assert "doi" not in draft
    assert "doi" not in draft["metadata"]
    assert "version" not in draft["metadata"]
    assert draft["metadata"]["publication_date"] == "2026-05-28"  # today by the clock, not the first version's
    assert draft["metadata"]["keywords"] == ["RBE"]
    assert [file["filename"] for file in draft["files"]] == ["a.txt", "b.txt"]
    assert client.ok("GET", f"{ALL}/{done['id']}")["state"] == "done"


def test_a_second_new_version_is_refused_while_the_first_has_files(client: Client) -> None:
    done = client.published()
    draft = client.act(done["id"], "newversion").json()
    answer = client.act(done["id"], "newversion")
    assert answer.status_code == 400
    assert answer.json() == {
        "status": 400,
        "message": "A validation error occurred.",
        "errors": [{"field": "files.enabled", "messages": ["Please remove all files first."]}],
    }
    (file,) = client.ok("GET", draft["links"]["files"])
    assert client("DELETE", file["links"]["self"]).status_code == 204
    again = client.act(done["id"], "newversion")
    assert (again.status_code, again.json()["id"]) == (201, draft["id"])


def test_the_versions_of_a_record(client: Client, guest: Client, server: ArchiveServer) -> None:
    first = client.published()
    draft = client.act(first["id"], "newversion").json()
    client("DELETE", f"{draft['links']['bucket']}/a.txt")
    client.upload(draft, "b.txt", b"world")
    second = client.ok("POST", draft["links"]["publish"])
    assert second["conceptdoi"] == first["conceptdoi"]
    assert second["doi"] != first["doi"]
    old, new = (guest.ok("GET", f"/records/{done['id']}") for done in (first, second))
    assert [file["key"] for file in old["files"]] == ["a.txt"]
    assert [file["key"] for file in new["files"]] == ["b.txt"]
    assert old["metadata"]["relations"]["version"][0]["index"] == 0
    assert old["metadata"]["relations"]["version"][0]["is_last"] is False
    assert new["metadata"]["relations"]["version"][0]["index"] == 1
    assert new["metadata"]["relations"]["version"][0]["is_last"] is True
    for id in (first["id"], second["id"], first["conceptrecid"]):
        assert guest.ok("GET", f"/records/{id}/versions/latest")["id"] == second["id"]
        assert [hit["id"] for hit in guest.ok("GET", f"/records/{id}/versions")["hits"]["hits"]] == [
            second["id"],
            first["id"],
        ]
    third = client.act(first["id"], "newversion").json()  # from one that is not the latest
    assert [file["filename"] for file in third["files"]] == ["b.txt"]
    assert third["conceptrecid"] == first["conceptrecid"]


def test_a_new_version_of_an_old_one_follows_the_latest(client: Client, guest: Client) -> None:
    first = client.published()
    draft = client.act(first["id"], "newversion").json()
    client.ok("PUT", draft["links"]["self"], json={"metadata": {**METADATA, "title": "The second"}})
    client.ok("POST", draft["links"]["publish"])
    third = client.act(first["id"], "newversion").json()
    assert third["title"] == "The second"
    client.ok("POST", third["links"]["publish"])
    assert guest.ok("GET", f"/records/{third['id']}")["metadata"]["relations"]["version"][0]["index"] == 2


def test_no_new_version_of_a_draft(client: Client) -> None:
    assert client.act(client.deposit()["id"], "newversion").status_code == 404

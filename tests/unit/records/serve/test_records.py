"""Records as everybody sees them: shapes, searches, access, pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from braggbook.datasets.record import parse_record
from braggbook.records.serve import Account, ArchiveServer

from .conftest import Start
from .serve_helpers import METADATA, RDM_JSON, TOKENS, Client, Clock, errors_of


def test_a_record_as_zenodo_gives_it(client: Client, guest: Client, server: ArchiveServer) -> None:
    done = client.published(keywords=["RBE"], communities=[{"identifier": "radiobiology"}])
    answer = guest("GET", f"/records/{done['id']}")
    record = answer.json()
    id, concept = done["id"], done["conceptrecid"]
    assert answer.headers["Content-Type"] == "application/json"
    assert (record["id"], record["recid"], record["conceptrecid"]) == (id, str(id), concept)
    assert (record["doi"], record["conceptdoi"]) == (done["doi"], done["conceptdoi"])
    assert (record["status"], record["state"], record["submitted"]) == ("published", "done", True)
    metadata = record["metadata"]
    assert metadata["resource_type"] == {"title": "Dataset", "type": "dataset"}
    assert metadata["license"] == {"id": "cc-by-4.0"}
    assert metadata["communities"] == [{"id": "radiobiology"}]
    assert metadata["keywords"] == ["RBE"]
    assert "prereserve_doi" not in metadata
    (version,) = metadata["relations"]["version"]
    assert version == {"index": 0, "is_last": True, "parent": {"pid_type": "recid", "pid_value": concept}}
    (file,) = record["files"]
    own = f"{server.url}/api/records/{id}"
    assert (file["key"], file["size"]) == ("a.txt", 5)
    assert file["checksum"] == "md5:5d41402abc4b2a76b9719d911017c592"
    assert file["links"] == {"self": f"{own}/files/a.txt/content"}
    assert record["links"]["latest"] == f"{own}/versions/latest"
    assert record["owners"] == [{"id": "7"}]
    assert isinstance(record["revision"], int)


def test_a_subtype_has_a_title(client: Client, guest: Client) -> None:
    done = client.published(upload_type="publication", publication_type="article")
    kind = guest.ok("GET", f"/records/{done['id']}")["metadata"]["resource_type"]
    assert kind == {"title": "Article", "type": "publication", "subtype": "article"}


def test_more_of_what_a_record_says(client: Client, guest: Client) -> None:
    done = client.published(
        grants=[{"id": "10.13039/501100000780::190101904"}],
        related_identifiers=[{"identifier": "10.1234/same", "relation": "isAlternateIdentifier"}],
        journal_title="A journal",
        contributors=[{"name": "Roe, Richard", "type": "DataCurator"}],
    )
    metadata = guest.ok("GET", f"/records/{done['id']}")["metadata"]
    assert metadata["alternate_identifiers"] == [{"identifier": "10.1234/same", "scheme": "doi"}]
    assert metadata["journal"] == {"title": "A journal"}
    assert metadata["contributors"][0]["type"] == "DataCurator"
    (grant,) = metadata["grants"]
    assert (grant["code"], grant["internal_id"]) == ("190101904", "10.13039/501100000780::190101904")


def test_what_the_datasets_read_from_a_record(client: Client, guest: Client) -> None:
    done = client.published()
    record = parse_record(guest.ok("GET", f"/records/{done['id']}"))
    assert (record.doi, record.title, record.version) == (done["doi"], METADATA["title"], "1.2.0")
    assert [author.name for author in record.authors] == ["Doe, Jane"]
    assert record.file("a.txt").checksum == "md5:5d41402abc4b2a76b9719d911017c592"


def test_the_same_record_as_inveniordm_gives_it(client: Client, guest: Client) -> None:
    done = client.published()
    answer = guest("GET", f"/records/{done['id']}", headers={"Accept": RDM_JSON})
    record = answer.json()
    assert answer.headers["Content-Type"] == RDM_JSON
    assert record["id"] == str(done["id"])
    assert record["pids"]["doi"]["identifier"] == done["doi"]
    assert record["parent"]["id"] == done["conceptrecid"]
    assert record["parent"]["pids"]["doi"]["identifier"] == done["conceptdoi"]
    assert record["versions"] == {"index": 1, "is_latest": True, "is_latest_draft": True}
    assert record["metadata"]["creators"][0]["person_or_org"]["name"] == "Doe, Jane"
    assert record["files"]["entries"]["a.txt"]["checksum"] == "md5:5d41402abc4b2a76b9719d911017c592"


def test_a_draft_is_no_record_yet(client: Client, guest: Client) -> None:
    id = client.deposit()["id"]
    answer = guest("GET", f"/records/{id}")
    assert (answer.status_code, answer.json()["message"]) == (404, "The persistent identifier is not registered.")
    answer = guest("GET", "/records/1")
    assert (answer.status_code, answer.json()["message"]) == (404, "The persistent identifier does not exist.")
    assert guest("GET", f"/records/{id}/versions/latest").status_code == 404


def test_the_identifier_of_all_versions_leads_to_the_latest(
    client: Client, guest: Client, server: ArchiveServer
) -> None:
    done = client.published()
    answer = guest("GET", f"/records/{done['conceptrecid']}")
    assert answer.status_code == 301
    assert answer.headers["Location"] == f"{server.url}/api/records/{done['id']}"


def test_a_deleted_record_is_gone(client: Client, guest: Client, server: ArchiveServer) -> None:
    done = client.published()
    server.archive.tombstone(str(done["id"]))
    for address in ("", "/files", "/files/a.txt/content"):
        answer = guest("GET", f"/records/{done['id']}{address}")
        assert answer.status_code == 410
        assert answer.json()["message"] == "The record has been deleted."
        assert answer.json()["tombstone"]["removal_date"].startswith("2026-05-28")
    assert client.ok("GET", "/deposit/depositions") == []
    assert guest.ok("GET", "/records")["hits"]["total"] == 0


def test_files_of_a_restricted_record_are_for_their_owner(client: Client, other: Client, guest: Client) -> None:
    done = client.published(access_right="restricted", license=None)
    address = guest.ok("GET", f"/records/{done['id']}")["files"][0]["links"]["self"]
    for who, status in ((guest, 403), (other, 403), (client, 200)):
        assert who("GET", address).status_code == status
        assert who("GET", done["files"][0]["links"]["download"]).status_code == status


def test_an_embargo_ends(client: Client, guest: Client, clock: Clock) -> None:
    done = client.published(access_right="embargoed", embargo_date="2026-06-01")
    address = f"/records/{done['id']}/files/a.txt/content"
    assert guest("GET", address).status_code == 403
    clock.now += 5 * 86400
    assert guest("GET", address).content == b"hello"


# Searches


def test_a_search_sees_published_latest_versions(client: Client, guest: Client) -> None:
    client.deposit()
    first = client.published()
    draft = client.act(first["id"], "newversion").json()
    assert [hit["id"] for hit in guest.ok("GET", "/records")["hits"]["hits"]] == [first["id"]]
    second = client.ok("POST", draft["links"]["publish"])
    assert [hit["id"] for hit in guest.ok("GET", "/records")["hits"]["hits"]] == [second["id"]]
    every = guest.ok("GET", "/records", params={"all_versions": "true"})["hits"]
    assert ([hit["id"] for hit in every["hits"]], every["total"]) == ([second["id"], first["id"]], 2)


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("survival", True),
        ("V79 survival", True),
        ('"V79 cells"', True),
        ('"cells V79"', False),
        ("helium", False),
        ("title:survival", True),
        ("keywords:RBE", True),
        ("keywords:survival", False),
        ("creators:Doe", True),
        ("custom_fields:0123abcd", True),
        ("filename:a.txt", True),
    ],
)
def test_what_a_search_finds(client: Client, guest: Client, q: str, found: bool) -> None:
    done = client.published(keywords=["RBE"], custom={"braggbook:plan": "0123abcd"})
    hits = guest.ok("GET", "/records", params={"q": q})["hits"]["hits"]
    assert [hit["id"] for hit in hits] == ([done["id"]] if found else [])
    mine = client.ok("GET", "/deposit/depositions", params={"q": q})
    assert [hit["id"] for hit in mine] == ([done["id"]] if found else [])


def test_a_search_by_identifiers(client: Client, guest: Client) -> None:
    done, _ = client.published(), client.published()
    for q in (f'doi:"{done["doi"]}"', f"conceptrecid:{done['conceptrecid']}", f"recid:{done['id']}"):
        assert [hit["id"] for hit in guest.ok("GET", "/records", params={"q": q})["hits"]["hits"]] == [done["id"]]


def test_a_search_that_cannot_be_read(client: Client, guest: Client) -> None:
    answer = guest("GET", "/records", params={"q": '"half'})
    assert (answer.status_code, answer.json()["message"]) == (400, "Invalid query string syntax.")


def test_a_search_lags_behind_and_ones_own_list_does_not(start: Start, clock: Clock) -> None:
    client = Client(start(search_delay_s=30))
    mine, search = "/deposit/depositions", {"q": "survival"}
    deposition = client.deposit()
    assert len(client.ok("GET", mine)) == 1
    assert client.ok("GET", mine, params=search) == []
    clock.now += 30
    assert len(client.ok("GET", mine, params=search)) == 1
    client.ok("PUT", deposition["links"]["self"], json={"metadata": {"title": "Changed"}})
    assert client.ok("GET", mine, params=search)[0]["title"] == METADATA["title"]  # as it was
    assert client.ok("GET", mine)[0]["title"] == "Changed"
    client("DELETE", deposition["links"]["self"])
    assert client.ok("GET", mine) == []
    assert len(client.ok("GET", mine, params=search)) == 1  # it is still found
    clock.now += 30
    assert client.ok("GET", mine, params=search) == []


def test_a_list_of_versions_lags_behind_too(start: Start, clock: Clock) -> None:
    client = Client(start(search_delay_s=30))
    done = client.published()
    versions = f"/records/{done['id']}/versions"
    assert client.ok("GET", versions)["hits"]["total"] == 0
    assert client.ok("GET", f"{versions}/latest")["id"] == done["id"]
    clock.now += 30
    assert client.ok("GET", versions)["hits"]["total"] == 1


def test_ones_own_list_may_lag_behind_too(start: Start, clock: Clock) -> None:
    client = Client(start(listing_delay_s=2))
    client.deposit()
    assert client.ok("GET", "/deposit/depositions") == []
    assert client.ok("GET", "/user/records")["hits"]["total"] == 0
    clock.now += 2
    assert len(client.ok("GET", "/deposit/depositions")) == 1
    assert client.ok("GET", "/user/records")["hits"]["total"] == 1


def test_a_guests_pages_are_smaller(client: Client, guest: Client) -> None:
    ids = [client.published()["id"] for _ in range(3)][::-1]
    assert guest("GET", "/records", params={"size": 26}).status_code == 400
    assert errors_of(client("GET", "/records", params={"size": 101})) == {
        "size": ["Page size cannot be greater than 100."]
    }
    first = guest.ok("GET", "/records", params={"size": 2, "q": "survival"})
    assert first["hits"]["total"] == 3
    second = guest.ok("GET", first["links"]["next"])
    assert [hit["id"] for page in (first, second) for hit in page["hits"]["hits"]] == ids
    assert "next" not in second["links"]
    assert guest.ok("GET", second["links"]["prev"])["hits"]["hits"] == first["hits"]["hits"]


# Pages for people


def test_pages(client: Client, guest: Client, server: ArchiveServer) -> None:
    done = client.published(title="<script>alert(1)</script>", description="<img src=x onerror=alert(1)>")
    page = guest("GET", f"{server.url}/records/{done['id']}")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "<script>" not in page.text
    assert "<img" not in page.text
    assert done["doi"] in page.text
    assert f"/records/{done['id']}" in guest("GET", server.url).text
    assert guest("GET", f"{server.url}/records/{done['id']}/files/a.txt").content == b"hello"
    for doi in (done["doi"], done["conceptdoi"]):
        answer = guest("GET", f"{server.url}/doi/{doi}")
        assert (answer.status_code, answer.headers["Location"]) == (302, f"{server.url}/records/{done['id']}")
    assert guest("GET", f"{server.url}/doi/10.1234/other").status_code == 404


def test_a_store_that_is_only_read(
    start: Start, client: Client, server: ArchiveServer, clock: Clock, tmp_path: Path
) -> None:
    done = client.published()
    server.archive.store.read_only = True
    shown = ArchiveServer(tmp_path, TOKENS, store=server.archive.store)
    with shown:
        reader = Client(shown)
        assert reader.ok("GET", f"/records/{done['id']}")["doi"] == done["doi"]
        assert reader("GET", f"/records/{done['id']}/files/a.txt/content").content == b"hello"
        assert reader("POST", "/deposit/depositions", json={}).status_code == 403
        assert reader.act(done["id"], "newversion").status_code == 403
        assert reader.act(done["id"], "edit").status_code == 403
        assert reader("POST", "/records", json={}).status_code == 403


def test_an_account_needs_no_more_than_a_number(client: Client) -> None:
    assert Account(3).scopes == Account().scopes

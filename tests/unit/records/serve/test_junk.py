"""Values of every wrong kind at every place: refused, dropped or kept, but never a fault of the server's."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from .serve_helpers import RDM_JSON, RDM_METADATA, Client
from .test_depositions import RICH

pytestmark = pytest.mark.full

JUNK: list[Any] = [None, -1, "", [], [None], {"id": []}]
RICH_RDM: dict[str, Any] = {
    "metadata": {
        **RDM_METADATA,
        "description": "Counts.",
        "contributors": [{"person_or_org": {"name": "A group", "type": "organizational"}, "role": {"id": "other"}}],
        "subjects": [{"subject": "RBE"}],
        "rights": [{"id": "cc-by-4.0"}],
        "related_identifiers": [{"identifier": "10.1/x", "scheme": "doi", "relation_type": {"id": "cites"}}],
        "identifiers": [{"identifier": "10.1/y", "scheme": "doi"}],
        "funding": [{"funder": {"id": "x"}, "award": {"id": "y", "number": "3"}}],
        "languages": [{"id": "eng"}],
        "dates": [{"date": "2020/2021", "type": {"id": "other"}}],
        "locations": {"features": [{"place": "x", "geometry": {"type": "Point", "coordinates": [1, 2]}}]},
        "references": [{"reference": "x"}],
        "additional_descriptions": [{"description": "x", "type": {"id": "other"}}],
    },
    "access": {"record": "public", "files": "restricted", "embargo": {"active": True, "until": "2099-01-01"}},
    "files": {"enabled": True},
    "custom_fields": {"journal:journal": {"title": "x"}, "own:field": 1},
    "pids": {"doi": {"identifier": "10.1234/x", "provider": "external"}},
}


def places(value: Any, *before: Any) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield (*before, name)
        yield from places(item, *before, name)


def spoilt(value: Any, place: tuple[Any, ...], junk: Any) -> Any:
    """A copy of a JSON value with something else at a place."""
    whole = target = copy.deepcopy(value)
    for name in place[:-1]:
        target = target[name]
    target[place[-1]] = junk
    return whole


def use(client: Client, id: Any) -> None:
    """Asks for everything that is made of what a draft says."""
    for kind in ("application/json", RDM_JSON):
        for address in (f"/records/{id}/draft", "/user/records?q=counts"):
            assert client("GET", address, headers={"Accept": kind}).status_code == 200
    assert client("GET", "/deposit/depositions?q=counts").status_code == 200
    assert client("POST", f"/deposit/depositions/{id}/actions/publish").status_code == 400  # it has no files
    assert client("DELETE", f"/deposit/depositions/{id}").status_code == 204


@pytest.mark.parametrize("place", list(places(RICH)), ids=lambda place: ".".join(map(str, place)))
def test_depositions(client: Client, place: tuple[Any, ...]) -> None:
    for junk in JUNK:
        answer = client("POST", "/deposit/depositions", json={"metadata": spoilt(RICH, place, junk)})
        grant = place[0] == "grants"  # which the real server fails on too
        assert answer.status_code in ((201, 400, 500) if grant else (201, 400)), junk
        if answer.status_code == 201:
            use(client, answer.json()["id"])


@pytest.mark.parametrize("place", list(places(RICH_RDM)), ids=lambda place: ".".join(map(str, place)))
def test_records(client: Client, place: tuple[Any, ...]) -> None:
    for junk in JUNK:
        answer = client("POST", "/records", json=spoilt(RICH_RDM, place, junk))
        assert answer.status_code in (201, 400), junk
        if answer.status_code == 201:
            use(client, answer.json()["id"])

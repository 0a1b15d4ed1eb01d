"""The flow as far as it needs no server: what is believed of what a provider says about itself."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from braggbook.errors import SignInRefused
from braggbook.hub.people.line import Line, is_local
from braggbook.hub.people.oidc import Metadata, begin, discover
from braggbook.hub.people.providers import orcid

ORCID = orcid(client_id="APP-HUB", client_secret="a secret")
BACK = "https://hub.example.org/account/orcid/back"
SAID = {  # by ORCID in 2026, as far as it is read
    "issuer": "https://orcid.org",
    "authorization_endpoint": "https://orcid.org/oauth/authorize",
    "token_endpoint": "https://orcid.org/oauth/token",
    "jwks_uri": "https://orcid.org/oauth/jwks",
    "token_endpoint_auth_methods_supported": ["client_secret_post"],
}


class Told(Line):
    """Gives what it was told, and notes where it was asked."""

    def __init__(self, **changed: Any) -> None:
        super().__init__()
        self.said = {**SAID, **changed}
        self.asked: list[str] = []

    def get(self, url: str, *, anew: bool = False) -> Mapping[str, Any]:
        self.asked.append(url)
        return self.said


def test_orcid_is_asked_where_it_says() -> None:
    line = Told()
    assert discover(ORCID, line=line) == Metadata(
        authorization="https://orcid.org/oauth/authorize",
        token="https://orcid.org/oauth/token",
        keys="https://orcid.org/oauth/jwks",
        methods=("client_secret_post",),
        names_itself=False,
    )
    assert line.asked == ["https://orcid.org/.well-known/openid-configuration"]


def test_a_person_leaves_for_orcid_with_a_challenge_and_no_secret() -> None:
    counted = iter(range(3))
    started = begin(ORCID, redirect_uri=BACK, random=lambda count: bytes([next(counted)]) * count, line=Told())
    address, _, query = started.url.partition("?")
    assert address == "https://orcid.org/oauth/authorize"
    digest = hashlib.sha256(started.verifier.encode()).digest()
    assert dict(parse_qsl(query)) == {
        "response_type": "code",
        "client_id": "APP-HUB",
        "redirect_uri": BACK,
        "scope": "openid",
        "state": started.state,
        "nonce": started.nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    assert started.verifier not in started.url
    assert "secret" not in started.url
    assert started.state == "A" * 43


def test_an_address_with_parameters_keeps_them() -> None:
    line = Told(authorization_endpoint="https://orcid.org/oauth/authorize?realm=a")
    started = begin(ORCID, redirect_uri=BACK, line=line)
    assert dict(parse_qsl(urlsplit(started.url).query))["realm"] == "a"


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize("address", ["http://127.0.0.1/x", "http://localhost/x", "http://orcid.org/oauth/x"])
def test_a_provider_elsewhere_has_no_business_on_this_machine(name: str, address: str) -> None:
    with pytest.raises(SignInRefused, match="not safe to use"):
        discover(ORCID, line=Told(**{name: address}))


@pytest.mark.parametrize("methods", [None, "client_secret_post", 7, [1, {}]])
def test_ways_to_show_a_secret_that_are_none_are_left_aside(methods: Any) -> None:
    assert discover(ORCID, line=Told(token_endpoint_auth_methods_supported=methods)).token == SAID["token_endpoint"]


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:8000/a", True),
        ("http://localhost", True),
        ("http://[::1]:80/", True),
        ("http://127.0.0.1.example.org/", False),
        ("http://127.0.0.1@example.org/", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_this_machine_is_known_by_its_names(url: str, local: bool) -> None:
    assert is_local(url) is local

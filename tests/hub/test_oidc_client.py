"""Signing in over real HTTP: with a real provider, and with one that does each thing wrong that it can."""

from __future__ import annotations

import dataclasses
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from joserfc.jwk import OctKey

from braggbook.errors import SignInRefused
from braggbook.hub.people.id_token import Identity
from braggbook.hub.people.line import LARGEST_ANSWER, Line
from braggbook.hub.people.oidc import Started, begin, discover, finish
from braggbook.hub.people.providers import Provider

from .crooked_provider import (
    CLIENT,
    SECRET,
    SUBJECT,
    Crooked,
    Key,
    Raw,
    crooked_provider,
    make_key,
    public,
    sign,
    sign_with_text,
)
from .crooked_provider import unsigned as unsigned_token
from .oidc_server import decline, oidc_server, sign_in

pytestmark = pytest.mark.full

BACK = "http://127.0.0.1:8000/account/back"


def at(issuer: str, **other: Any) -> Provider:
    usual = {
        "name": "here",
        "title": "Here",
        "client_id": CLIENT,
        "client_secret": SECRET,
        "scopes": ("openid", "profile"),
    }
    return Provider(**{"issuer": issuer, **usual, **other})


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def refused(error: pytest.ExceptionInfo[SignInRefused]) -> str:
    """Returns what a person reads, which has no secret in it."""
    text = json.dumps(error.value.as_json()) + str(error.value)
    assert SECRET not in text
    assert "eyJ" not in text
    assert error.value.next_command
    assert error.value.where == "Here"
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__ or error.value.__context__ is None
    return error.value.what


# A real provider


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with oidc_server() as address:
        yield address


def test_a_person_of_a_real_provider_signs_in(issuer: str) -> None:
    line = Line()
    started = begin(at(issuer), redirect_uri=BACK, line=line)
    back = sign_in(started.url, subject=SUBJECT)
    assert back.startswith(BACK + "?")
    found = finish(at(issuer), started, query=query_of(back), redirect_uri=BACK, now=time.time(), line=line)
    assert found == Identity(issuer=issuer, subject=SUBJECT, name="Josiah Carberry", orcid=None)


def test_a_code_of_a_real_provider_works_once(issuer: str) -> None:
    started = begin(at(issuer), redirect_uri=BACK)
    query = query_of(sign_in(started.url, subject=SUBJECT))
    finish(at(issuer), started, query=query, redirect_uri=BACK, now=time.time())
    with pytest.raises(SignInRefused) as error:
        finish(at(issuer), started, query=query, redirect_uri=BACK, now=time.time())
    assert refused(error) == "it refused the sign-in"
    assert error.value.got == "invalid_grant"
    assert query["code"] not in str(error.value)


def test_who_declines_is_told_so(issuer: str) -> None:
    started = begin(at(issuer), redirect_uri=BACK)
    query = query_of(decline(started.url))
    query.setdefault("state", started.state)  # this provider forgets it here
    with pytest.raises(SignInRefused) as error:
        finish(at(issuer), started, query=query, redirect_uri=BACK, now=time.time())
    assert refused(error) == "the sign-in was declined there"


def test_a_token_of_a_real_provider_expires() -> None:
    with oidc_server(valid_s=1) as address:
        started = begin(at(address), redirect_uri=BACK)
        query = query_of(sign_in(started.url, subject=SUBJECT))
        with pytest.raises(SignInRefused) as error:
            finish(at(address), started, query=query, redirect_uri=BACK, now=time.time() + 120)
    assert refused(error) == "its identity token is not to be trusted: it has expired"


# A provider that is told what to do


@pytest.fixture(scope="module")
def key() -> Key:
    return make_key("first")


@pytest.fixture(scope="module")
def other_key() -> Key:
    return make_key("second")


@pytest.fixture
def crooked(key: Key) -> Iterator[Crooked]:
    with crooked_provider(key) as provider:
        yield provider


def go(provider: Provider, *, line: Line, **changed: str) -> tuple[Started, dict[str, str]]:
    """Begins, lets the provider send the person back, and returns both."""
    started = begin(provider, redirect_uri=BACK, line=line)
    answer = requests.get(started.url, allow_redirects=False, timeout=10)
    assert answer.status_code == 302
    return started, {**query_of(answer.headers["Location"]), **changed}


def whole(crooked: Crooked, *, line: Line | None = None, **other: Any) -> Identity:
    line = line or Line(patience_s=5.0)
    provider = at(crooked.issuer, **other)
    started, query = go(provider, line=line)
    return finish(provider, started, query=query, redirect_uri=BACK, now=time.time(), line=line)


def paths(crooked: Crooked) -> list[str]:
    return [path for path, _, _ in crooked.asked]


def test_a_provider_that_behaves_is_asked_for_nothing_twice(crooked: Crooked) -> None:
    line = Line()
    assert (
        whole(crooked, line=line) == whole(crooked, line=line) == Identity(crooked.issuer, SUBJECT, "Josiah Carberry")
    )
    first = ["/.well-known/openid-configuration", "/authorize", "/token", "/keys"]
    assert paths(crooked) == [*first, "/authorize", "/token"]


def test_state_nonce_and_verifier_are_new_each_time(crooked: Crooked) -> None:
    line = Line()
    one, two = (begin(at(crooked.issuer), redirect_uri=BACK, line=line) for _ in range(2))
    said = [one.state, one.nonce, one.verifier, two.state, two.nonce, two.verifier]
    assert len(set(said)) == 6
    assert {len(text) for text in said} == {43}
    query = query_of(one.url)
    assert query.pop("code_challenge") not in said
    assert query == {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": BACK,
        "scope": "openid profile",
        "state": one.state,
        "nonce": one.nonce,
        "code_challenge_method": "S256",
    }


def test_what_was_begun_survives_a_session(crooked: Crooked) -> None:
    line = Line()
    started, query = go(at(crooked.issuer), line=line)
    kept = Started(**json.loads(json.dumps(dataclasses.asdict(started))))
    assert (
        finish(at(crooked.issuer), kept, query=query, redirect_uri=BACK, now=time.time(), line=line).subject == SUBJECT
    )


@pytest.mark.parametrize(
    ("methods", "secret_in"),
    [(None, "header"), (["client_secret_basic", "client_secret_post"], "header"), (["client_secret_post"], "form")],
)
def test_the_secret_is_shown_as_the_provider_wants_it(crooked: Crooked, methods: Any, secret_in: str) -> None:
    crooked.said = {"token_endpoint_auth_methods_supported": methods}
    assert whole(crooked).subject == SUBJECT
    _, form, headers = next(asked for asked in crooked.asked if asked[0] == "/token")
    assert ("client_secret" in form) == (secret_in == "form")
    assert ("authorization" in headers) == (secret_in == "header")


def test_a_public_client_is_known_by_its_verifier_alone(crooked: Crooked) -> None:
    with pytest.raises(SignInRefused) as error:  # this provider wants a secret
        whole(crooked, client_secret="")
    assert refused(error) == "it does not accept this hub"
    _, form, headers = next(asked for asked in crooked.asked if asked[0] == "/token")
    assert form["client_id"] == CLIENT
    assert "client_secret" not in form
    assert "authorization" not in headers


def test_a_wrong_secret_is_for_the_organiser_and_is_not_repeated(crooked: Crooked) -> None:
    with pytest.raises(SignInRefused) as error:
        whole(crooked, client_secret="another secret")
    assert refused(error) == "it does not accept this hub"
    assert error.value.got == "invalid_client"
    assert "organiser" in error.value.next_command
    assert "another secret" not in str(error.value)


def test_the_wrong_state_goes_no_further(crooked: Crooked) -> None:
    line = Line()
    provider = at(crooked.issuer)
    for state in ("another", "", "é\ud800"):
        started, query = go(provider, line=line, state=state)
        with pytest.raises(SignInRefused) as error:
            finish(provider, started, query=query, redirect_uri=BACK, now=time.time(), line=line)
        assert refused(error) == "this sign-in was not begun in this browser, or it was used already"
    assert "/token" not in paths(crooked)


def test_what_was_begun_with_one_provider_does_not_end_with_another(crooked: Crooked) -> None:
    line = Line()
    started, query = go(at(crooked.issuer), line=line)
    elsewhere = dataclasses.replace(started, issuer="https://other.example.org")
    with pytest.raises(SignInRefused) as error:
        finish(at(crooked.issuer), elsewhere, query=query, redirect_uri=BACK, now=time.time(), line=line)
    assert "was not begun in this browser" in refused(error)
    assert "/token" not in paths(crooked)


@pytest.mark.parametrize(
    ("says_so", "comes_back", "fine"),
    [(None, None, True), (None, "itself", True), (True, "itself", True), (None, "other", False), (True, None, False)],
)
def test_the_provider_that_answers_is_the_one_that_was_asked(
    crooked: Crooked, says_so: bool | None, comes_back: str | None, fine: bool
) -> None:
    crooked.said = {"authorization_response_iss_parameter_supported": says_so}
    if comes_back:
        crooked.comes_back = {"iss": crooked.issuer if comes_back == "itself" else "https://other.example.org"}
    if fine:
        assert whole(crooked).subject == SUBJECT
        return
    with pytest.raises(SignInRefused) as error:
        whole(crooked)
    assert refused(error) == "another provider answered in its place"
    assert "/token" not in paths(crooked)


@pytest.mark.parametrize("verifier", ["", "A" * 43])
def test_without_the_verifier_there_is_no_token(crooked: Crooked, verifier: str) -> None:
    line = Line()
    started, query = go(at(crooked.issuer), line=line)
    stolen = dataclasses.replace(started, verifier=verifier)
    with pytest.raises(SignInRefused) as error:
        finish(at(crooked.issuer), stolen, query=query, redirect_uri=BACK, now=time.time(), line=line)
    assert refused(error) == "it refused the sign-in"
    assert error.value.got == "invalid_grant"


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ({}, "it sent nobody: no code came back"),
        ({"code": ""}, "it sent nobody: no code came back"),
        ({"code": "é"}, "it sent nobody: no code came back"),
        ({"code": "a" * 5000}, "it sent nobody: no code came back"),
        ({"error": "access_denied"}, "the sign-in was declined there"),
        ({"error": "invalid_scope", "error_description": "eyJ"}, "it does not accept this hub"),
        ({"error": "temporarily_unavailable"}, "it cannot sign anybody in now"),
        ({"error": "<script>eyJ"}, "it refused the sign-in"),
    ],
)
def test_a_person_who_comes_back_without_a_code(crooked: Crooked, query: dict[str, str], what: str) -> None:
    line = Line()
    started = begin(at(crooked.issuer), redirect_uri=BACK, line=line)
    brought = {"state": started.state, **query}
    with pytest.raises(SignInRefused) as error:
        finish(at(crooked.issuer), started, query=brought, redirect_uri=BACK, now=time.time(), line=line)
    assert refused(error) == what
    assert "<script>" not in str(error.value)
    assert "/token" not in paths(crooked)


HOUR = 3600


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"nonce": "another"}, "it belongs to another sign-in"),
        ({"nonce": None}, "it belongs to another sign-in"),
        ({"iss": "https://other.example.org"}, "it was made by somebody else"),
        ({"iss": None}, "it was made by somebody else"),
        ({"aud": "another hub"}, "it was made for somebody else"),
        ({"aud": None}, "it was made for somebody else"),
        ({"aud": ["another hub", CLIENT]}, "it was made for somebody else too"),
        ({"aud": ["another hub", CLIENT], "azp": "another hub"}, "it was made for somebody else too"),
        ({"azp": "another hub"}, "it was made for somebody else too"),
        ({"exp": int(time.time()) - HOUR}, "it has expired"),
        ({"exp": None}, "it does not say from when to when it is valid"),
        ({"iat": None}, "it does not say from when to when it is valid"),
        ({"iat": int(time.time()) + HOUR}, "it is not a signed token with the claims that it must have"),
        ({"exp": "tomorrow"}, "it is not a signed token with the claims that it must have"),
        ({"sub": None}, "it does not say whom it is about"),
        ({"sub": 7}, "it does not say whom it is about"),
        ({"sub": "a" * 256}, "it does not say whom it is about"),
    ],
)
def test_a_token_with_a_wrong_claim_is_not_believed(crooked: Crooked, claims: dict[str, Any], why: str) -> None:
    crooked.claims = claims
    with pytest.raises(SignInRefused) as error:
        whole(crooked)
    assert refused(error) == f"its identity token is not to be trusted: {why}"


@pytest.mark.parametrize("claims", [{"aud": [CLIENT]}, {"aud": ["another", CLIENT], "azp": CLIENT}, {"azp": CLIENT}])
def test_other_audiences_are_fine_when_the_token_is_ours(crooked: Crooked, claims: dict[str, Any]) -> None:
    crooked.claims = claims
    assert whole(crooked).subject == SUBJECT


def test_clocks_may_differ_by_a_minute(crooked: Crooked) -> None:
    now = int(time.time())
    crooked.claims = {"exp": now - 30, "iat": now + 30}
    assert whole(crooked).subject == SUBJECT


def test_a_token_that_another_key_signed_is_not_believed(crooked: Crooked, other_key: Key) -> None:
    crooked.encode = lambda header, claims: sign(header, claims, key=other_key)
    with pytest.raises(SignInRefused) as error:
        whole(crooked)
    assert refused(error) == "its identity token is not to be trusted: its signature does not hold"
    assert paths(crooked).count("/keys") == 1


def test_a_new_key_is_fetched_once(crooked: Crooked, key: Key, other_key: Key) -> None:
    line = Line()
    assert whole(crooked, line=line).subject == SUBJECT
    crooked.key, crooked.published = other_key, [public(key, other_key)]
    assert whole(crooked, line=line).subject == whole(crooked, line=line).subject == SUBJECT
    assert paths(crooked).count("/keys") == 2


def test_a_key_that_is_not_published_is_looked_for_once_more_and_not_again(
    crooked: Crooked, key: Key, other_key: Key
) -> None:
    crooked.key, crooked.published = other_key, [public(key)]
    with pytest.raises(SignInRefused) as error:
        whole(crooked)
    assert "a key that the provider does not publish" in refused(error)
    assert paths(crooked).count("/keys") == 2


def test_keys_and_metadata_are_asked_for_again_after_an_hour(crooked: Crooked) -> None:
    seconds = [0.0]
    line = Line(clock=lambda: seconds[0])
    whole(crooked, line=line)
    seconds[0] = 3601.0
    whole(crooked, line=line)
    assert paths(crooked).count("/keys") == paths(crooked).count("/.well-known/openid-configuration") == 2


@pytest.mark.parametrize("kid", [None, "first"])
def test_a_token_without_a_key_s_name_is_tried_with_every_key(
    crooked: Crooked, key: Key, other_key: Key, kid: str | None
) -> None:
    elliptic = make_key("third", kind="EC")
    crooked.published = [public(elliptic, other_key, key)]
    crooked.header = {"kid": kid}
    assert whole(crooked).subject == SUBJECT


def test_an_elliptic_key_is_as_good(crooked: Crooked) -> None:
    crooked.key = make_key("third", kind="EC")
    crooked.header = {"alg": "ES256"}
    assert whole(crooked).subject == SUBJECT


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "HS256", "HS512", "nonsense"])
def test_a_token_that_nobody_signed_is_not_believed(crooked: Crooked, alg: str) -> None:
    crooked.header = {"alg": alg}
    crooked.encode = unsigned_token
    with pytest.raises(SignInRefused) as error:
        whole(crooked)
    assert refused(error) == "its identity token is not to be trusted: it is not signed by a key of the provider's own"


def test_the_public_key_is_not_taken_for_a_shared_one(crooked: Crooked, key: Key) -> None:
    shared = key.as_pem(private=False)
    crooked.header = {"alg": "HS256"}
    crooked.encode = lambda header, claims: sign_with_text(header, claims, shared=shared)
    also = {**OctKey.generate_key(256).as_dict(private=True), "kid": "first"}
    crooked.published = [{"keys": [*public(key)["keys"], also]}]
    with pytest.raises(SignInRefused) as error:
        whole(crooked)
    assert "not signed by a key of the provider's own" in refused(error)


def test_a_token_that_was_changed_is_not_believed(crooked: Crooked, key: Key) -> None:
    def changed(header: dict[str, Any], claims: dict[str, Any]) -> str:
        first, second = (sign(header, said, key=key).split(".") for said in (claims, {**claims, "sub": "another"}))
        return ".".join([first[0], second[1], first[2]])

    crooked.encode = changed
    with pytest.raises(SignInRefused) as error:
        whole(crooked)
    assert "its signature does not hold" in refused(error)


@pytest.mark.parametrize("token", [None, 7, "", "a.b.c", "é.b.c", "a.b.c.d.e", "e30.e30.", "..", "W10.W10.AA"])
def test_a_token_that_is_none_is_not_believed(crooked: Crooked, token: Any) -> None:
    crooked.answer = {"id_token": token}
    with pytest.raises(SignInRefused) as error:
        whole(crooked)
    assert "identity token" in refused(error)


@pytest.mark.parametrize(
    "published",
    [{}, {"keys": []}, {"keys": None}, {"keys": [{}]}, {"keys": [7]}, {"keys": [{"kty": "RSA", "kid": "first"}]}],
)
def test_keys_that_are_none_verify_nothing(crooked: Crooked, published: Any) -> None:
    crooked.published = [published]
    with pytest.raises(SignInRefused) as error:
        whole(crooked)
    assert refused(error).startswith("its ")


# What it says about itself


@pytest.mark.parametrize("other", ["http://127.0.0.1:1", "{}/", None, ["{}"]])
def test_a_provider_that_calls_itself_otherwise_is_another_one(crooked: Crooked, other: Any) -> None:
    crooked.said = {"issuer": other.format(crooked.issuer) if isinstance(other, str) else other or []}
    with pytest.raises(SignInRefused) as error:
        begin(at(crooked.issuer), redirect_uri=BACK, line=Line())
    assert refused(error) == "it is not the provider that this hub was told of"
    assert error.value.wanted == crooked.issuer


def test_what_was_wrong_is_asked_again_at_once(crooked: Crooked) -> None:
    line = Line()
    crooked.said = {"issuer": "https://other.example.org"}
    with pytest.raises(SignInRefused):
        discover(at(crooked.issuer), line=line)
    crooked.said = {}
    assert discover(at(crooked.issuer), line=line).token == f"{crooked.issuer}/token"


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize(
    "address",
    [None, 7, "", "/token", "http://example.org/token", "ftp://127.0.0.1/", "javascript:alert(1)", "https://a:b@example.org/",
     "https://example.org:port/", "https://[", "https://exa mple.org/", "https://example.org/#x"],
)  # fmt: skip
def test_an_address_that_is_not_safe_is_not_used(crooked: Crooked, name: str, address: Any) -> None:
    crooked.said = {name: address}
    with pytest.raises(SignInRefused) as error:
        begin(at(crooked.issuer), redirect_uri=BACK, line=Line())
    assert refused(error) == "it gives addresses that are missing or not safe to use"


@pytest.mark.parametrize(
    "issuer", ["http://example.org", "http://127.0.0.1.example.org", "file:///etc", "example.org", ""]
)
def test_an_issuer_without_https_is_not_asked(issuer: str) -> None:
    with pytest.raises(SignInRefused) as error:
        begin(at(issuer), redirect_uri=BACK, line=Line())
    assert refused(error) == "its issuer is not an address that is safe to use"


# The way there


def test_a_provider_that_is_down_is_said_to_be() -> None:
    with socket.socket() as taken:  # bound, and never listening
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(SignInRefused) as error:
            begin(at(f"http://127.0.0.1:{taken.getsockname()[1]}"), redirect_uri=BACK, line=Line())
    assert refused(error) == "it did not say how to sign in: it cannot be reached"
    assert "later" in error.value.next_command


METADATA, TOKEN, KEYS = "/.well-known/openid-configuration", "/token", "/keys"


@pytest.mark.parametrize("path", [METADATA, TOKEN, KEYS])
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (
            lambda: Raw(blocks=[b" " * (1 << 16)] * (LARGEST_ANSWER // (1 << 16) + 2)),
            f"more than {LARGEST_ANSWER} bytes",
        ),
        (lambda: Raw(302, {"Location": "http://127.0.0.1:1/"}), "points elsewhere"),
        (lambda: Raw(307, {"Location": "//["}), "points elsewhere"),
        (lambda: Raw(headers={"Content-Encoding": "gzip"}, blocks=[b"x"]), "packs what it was asked not to pack"),
        (lambda: Raw(500, blocks=[b"eyJ"]), ""),
        (lambda: Raw(blocks=[b"<html>eyJ"]), ""),
        (lambda: Raw(blocks=[b"[1]"]), ""),
        (lambda: Raw(blocks=[b"[" * 100_000]), ""),
        (lambda: Raw(blocks=[b'{"a": "\xff"}']), ""),
    ],
)
def test_an_answer_that_is_none_has_an_end(crooked: Crooked, path: str, make: Callable[[], Raw], why: str) -> None:
    crooked.raw = {path: make()}
    with pytest.raises(SignInRefused) as error:
        whole(crooked)
    assert why in refused(error)
    assert error.value.what.startswith(("it did not say", "its keys could not be had"))


@pytest.mark.parametrize("path", [METADATA, TOKEN, KEYS])
@pytest.mark.parametrize(
    "raw", [Raw(blocks=[b"{}"], pause_s=2.5), Raw(blocks=[b" "] * 60, pause_s=0.1)], ids=["silent", "dripping"]
)
def test_a_slow_provider_is_not_waited_for(crooked: Crooked, path: str, raw: Raw) -> None:
    crooked.raw = {path: raw}
    since = time.monotonic()
    with pytest.raises(SignInRefused) as error:
        whole(crooked, line=Line(patience_s=1.5))
    assert time.monotonic() - since < 5.5  # the drops alone take 6 s
    assert "in time" in refused(error) or "takes longer than 1.5 s" in error.value.what
    assert "later" in error.value.next_command


@pytest.mark.parametrize(
    "answer",
    [
        {"expires_in": "soon"},
        {"expires_in": 1e999},
        {"expires_in": [1]},
        {"error": "server_error"},
        {"error": {"a": 1}},
    ],
)
def test_whatever_else_comes_with_a_token_is_a_refusal(crooked: Crooked, answer: dict[str, Any]) -> None:
    crooked.answer = answer
    with pytest.raises(SignInRefused) as error:
        whole(crooked)
    assert refused(error)


def test_a_cookie_of_the_provider_is_not_kept_and_no_proxy_is_asked_here(
    crooked: Crooked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    crooked.raw = {METADATA: Raw(headers={"Set-Cookie": "a=b"}, blocks=[json.dumps(crooked.metadata()).encode()])}
    line = Line()
    provider = at(crooked.issuer)
    started = begin(provider, redirect_uri=BACK, line=line)
    back = crooked.authorize(query_of(started.url))
    assert (
        finish(provider, started, query=query_of(back), redirect_uri=BACK, now=time.time(), line=line).subject
        == SUBJECT
    )
    assert paths(crooked) == [METADATA, TOKEN, KEYS]
    assert all("cookie" not in headers for _, _, headers in crooked.asked)


def test_the_name_may_come_beside_the_token_as_orcid_sends_it(crooked: Crooked) -> None:
    crooked.claims = {"name": None}
    crooked.answer = {"name": " Josiah\n Carberry ", "orcid": SUBJECT}
    assert whole(crooked).name == "Josiah Carberry"

"""Identity tokens without a provider: which keys count, who ORCID says that somebody is, and what any text does."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey

from braggbook.hub.people.id_token import Identity, KeyUnknown, Untrusted, name_in, read_id_token
from braggbook.hub.people.providers import ORCID_ISSUER, Provider, orcid

NOW = 1_800_000_000
SUBJECT = "0000-0002-1825-0097"
KEY = ECKey.generate_key("P-256", {"kid": "one", "use": "sig"})
KEYS: dict[str, Any] = {"keys": [KEY.as_dict(private=False)]}
ORCID = orcid(client_id="APP-HUB", client_secret="a secret")


def token(key: ECKey = KEY, *, header: dict[str, Any] | None = None, **changed: Any) -> str:
    claims = {
        "iss": ORCID_ISSUER,
        "aud": "APP-HUB",
        "sub": SUBJECT,
        "nonce": "n",
        "iat": NOW,
        "exp": NOW + 60,
        **changed,
    }
    return jwt.encode(header or {"alg": "ES256", "kid": "one"}, claims, key)


def read(text: str, *, keys: Any = KEYS, provider: Provider = ORCID, now: float = NOW) -> Identity:
    return read_id_token(text, provider=provider, keys=keys, nonce="n", now=now)


def test_who_orcid_names_has_that_orcid_id() -> None:
    found = read(token(given_name="Josiah", family_name="Carberry"))
    assert found == Identity(issuer="https://orcid.org", subject=SUBJECT, name="Josiah Carberry", orcid=SUBJECT)


def test_the_sandbox_is_another_issuer() -> None:
    sandbox = orcid(client_id="APP-HUB", client_secret="a secret", sandbox=True)
    with pytest.raises(Untrusted, match="made by somebody else"):
        read(token(), provider=sandbox)
    found = read(token(iss=sandbox.issuer), provider=sandbox)
    assert (found.issuer, found.orcid) == ("https://sandbox.orcid.org", SUBJECT)


@pytest.mark.parametrize("subject", ["0000-0002-1825-0098", "somebody", "https://orcid.org/"])
def test_orcid_without_an_orcid_id_is_not_believed(subject: str) -> None:
    with pytest.raises(Untrusted):
        read(token(sub=subject))


def test_a_secret_is_not_shown_with_its_provider() -> None:
    assert "a secret" not in repr(ORCID)
    assert ORCID.scopes == ("openid",)


def test_a_token_holds_from_a_minute_before_to_a_minute_after() -> None:
    assert read(token(), now=NOW - 60).subject == SUBJECT
    assert read(token(), now=NOW + 119.5).subject == SUBJECT
    with pytest.raises(Untrusted):
        read(token(), now=NOW - 61)
    with pytest.raises(Untrusted, match="expired"):
        read(token(), now=NOW + 120)
    with pytest.raises(Untrusted):
        read(token(nbf=NOW + 61))


@pytest.mark.parametrize(
    "changed",
    [
        {"use": "enc"},
        {"alg": "ES384"},
        {"kid": "two"},
        {"crv": "P-384"},
        {"key_ops": ["encrypt"]},
        {"kty": "oct"},
        {"kty": "future"},
        {"x": "AA"},
        {"x": None},
        {"y": "é"},
    ],
)
def test_a_key_that_is_for_something_else_does_not_count(changed: dict[str, Any]) -> None:
    with pytest.raises(KeyUnknown):
        read(token(), keys={"keys": [{**KEYS["keys"][0], **changed}]})
    assert read(token(), keys={"keys": [{**KEYS["keys"][0], **changed}, *KEYS["keys"]]}).subject == SUBJECT


@pytest.mark.parametrize("bits", [512, 1024, 2040])
def test_a_short_rsa_key_does_not_count_however_long_it_is_written(bits: int) -> None:
    number = (1 << bits) - 1
    written = base64.urlsafe_b64encode(number.to_bytes(400)).rstrip(b"=").decode()
    keys = {"keys": [{"kty": "RSA", "n": written, "e": "AQAB", "kid": "one"}]}
    unsigned = token().split(".")
    head = base64.urlsafe_b64encode(b'{"alg":"RS256","kid":"one"}').rstrip(b"=").decode()
    with pytest.raises(KeyUnknown):
        read(".".join([head, *unsigned[1:]]), keys=keys)


def test_a_header_may_say_more_than_we_know() -> None:
    header = {"alg": "ES256", "kid": "one", "typ": "JWT", "jku": "https://example.org/keys", "jwk": KEYS["keys"][0]}
    assert read(token(header=header)).subject == SUBJECT


def test_a_key_in_the_header_is_no_key_of_the_provider() -> None:
    own = ECKey.generate_key("P-256", {"kid": "own"})
    header = {"alg": "ES256", "kid": "own", "jwk": own.as_dict(private=False), "jku": "https://example.org/keys"}
    with pytest.raises(KeyUnknown):
        read(token(own, header=header))
    with pytest.raises(Untrusted, match="signature does not hold"):
        read(token(own, header={**header, "kid": "one"}))


def test_what_must_be_understood_and_is_not_is_refused() -> None:
    head = base64.urlsafe_b64encode(b'{"alg":"ES256","kid":"one","crit":["x"],"x":1}').rstrip(b"=").decode()
    with pytest.raises(Untrusted):
        read(".".join([head, *token().split(".")[1:]]))


@given(st.one_of(st.text(max_size=60), st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}")))
def test_any_text_is_not_believed(text: str) -> None:
    with pytest.raises(Untrusted) as error:
        read(text)
    assert len(text) < 8 or text not in str(error.value)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(["iss", "aud", "azp", "sub", "nonce", "iat", "exp", "nbf"]), json)
def test_any_value_of_a_claim_is_judged(name: str, value: Any) -> None:
    try:
        found = read(token(**{name: value}))
    except Untrusted:
        return
    assert found.subject == SUBJECT
    assert name not in ("iss", "nonce", "sub")


@given(st.sampled_from(["alg", "kid", "kty", "crv", "x", "y", "use", "key_ops"]), json)
def test_any_value_in_a_key_is_judged(name: str, value: Any) -> None:
    try:
        found = read(token(), keys={"keys": [{**KEYS["keys"][0], name: value}]})
    except Untrusted:
        return
    assert found.subject == SUBJECT


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({}, ""),
        ({"name": "  Ada \n\t King "}, "Ada King"),
        ({"given_name": "Ada", "family_name": "King"}, "Ada King"),
        ({"given_name": "Ada", "family_name": 7}, "Ada"),
        ({"name": ["Ada"]}, ""),
        ({"name": "Ada\u2028\0\ud800King"}, "Ada King"),
        ({"name": "A" * 500}, "A" * 200),
        ({"name": "李小龙"}, "李小龙"),
    ],
)
def test_a_name_is_one_line(claims: dict[str, Any], name: str) -> None:
    assert name_in(claims) == name

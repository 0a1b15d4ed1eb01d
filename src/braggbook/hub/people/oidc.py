"""Signing in with an OpenID provider: the authorization code flow, with PKCE, a state and a nonce.

    begin    the person's browser goes to the provider, with a challenge that only this hub can answer
    finish   it comes back with a code, which the hub exchanges, itself and over TLS, for a signed identity token

What ``begin`` returns is kept in that browser's session and used once: take it out of the session before ``finish`` is
called, whatever comes of it. After OpenID Connect Core 1.0 and Discovery 1.0, RFC 7636 (PKCE), RFC 9207 (the ``iss``
parameter) and RFC 9700 (what goes wrong with OAuth). All that can go wrong is a :class:`SignInRefused`.
"""

from __future__ import annotations

import functools
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]
from authlib.integrations.requests_client import OAuth2Session  # type: ignore[import-untyped]

from braggbook.errors import SignInRefused
from braggbook.hub.people.id_token import Identity, KeyUnknown, Untrusted, name_in, read_id_token
from braggbook.hub.people.line import Line, Unheard, is_local, unheard
from braggbook.hub.people.providers import Provider
from braggbook.hub.people.secrets import Random, same, text_of

__all__ = ["Identity", "Metadata", "Started", "begin", "discover", "finish"]

_BYTES = 32  # of state, nonce and verifier: 256 bits
_CODE = re.compile(r"[\x20-\x7e]{1,4096}")  # RFC 6749, appendix A.11; the length is ours
_ERROR = re.compile(r"[a-z_]{1,64}")  # of the codes that the standards name
_AGAIN = "sign in again"
_LATER = "try again later, or sign in another way"
_TELL = "sign in again; if that comes to the same, tell an organiser of this hub"
_OURS = ("invalid_client", "unauthorized_client", "invalid_scope", "unsupported_response_type", "invalid_request")


@dataclass(frozen=True)
class Metadata:
    """What a provider says about itself, as far as it is needed.

    Attributes:
        authorization, token, keys: Its addresses.
        methods: How a client may show its secret.
        names_itself: Whether the ``iss`` parameter always comes back with the person.
    """

    authorization: str
    token: str
    keys: str
    methods: tuple[str, ...]
    names_itself: bool


@dataclass(frozen=True)
class Started:
    """A sign-in that was begun: for the session of that browser, and used once.

    Attributes:
        url: Where the browser goes.
        state: Comes back with the person.
        nonce: Comes back in the token.
        verifier: Proves at the exchange that it was this hub that began.
        issuer: With whom.
    """

    url: str
    state: str
    nonce: str
    verifier: str
    issuer: str


def discover(provider: Provider, *, line: Line | None = None) -> Metadata:
    """Returns what a provider says about itself; it is asked once an hour.

    Raises:
        SignInRefused: It does not answer, is another one, or has addresses that are not safe.
    """
    if not _is_safe(provider.issuer, local=True):
        raise _refused(provider, "its issuer is not an address that is safe to use", next_command=_TELL)
    line = line or _line()
    url = provider.issuer.rstrip("/") + "/.well-known/openid-configuration"
    try:
        said = line.get(url)
    except Unheard as error:
        raise _refused(provider, f"it did not say how to sign in: {error}", next_command=_LATER) from None
    try:
        return _metadata(provider, said)
    except SignInRefused:
        line.forget(url)
        raise


def begin(
    provider: Provider, *, redirect_uri: str, random: Random = secrets.token_bytes, line: Line | None = None
) -> Started:
    """Returns where the browser goes to sign in, and what to remember until it comes back.

    Raises:
        SignInRefused: As :func:`discover`.
    """
    metadata = discover(provider, line=line)
    state, nonce, verifier = (text_of(random(_BYTES)) for _ in range(3))
    with _client(provider, metadata, redirect_uri, line or _line()) as client:
        url, _ = client.create_authorization_url(
            metadata.authorization, state=state, nonce=nonce, code_verifier=verifier
        )
    return Started(url=url, state=state, nonce=nonce, verifier=verifier, issuer=provider.issuer)


def finish(
    provider: Provider,
    started: Started,
    *,
    query: Mapping[str, str],
    redirect_uri: str,
    now: float,
    line: Line | None = None,
) -> Identity:
    """Returns who came back from a provider.

    Args:
        provider: From whom, by the address that was called.
        started: What :func:`begin` gave to this browser.
        query: The parameters that the browser brings.
        redirect_uri: As given to :func:`begin`.
        now: Seconds since 1970.
        line: What to ask the provider by.

    Raises:
        SignInRefused: The person declined, or what came back is not to be trusted, or the provider does not answer.
    """
    line = line or _line()
    _check_belongs(provider, started, query)
    metadata = discover(provider, line=line)
    _check_came_from(provider, metadata, query)
    code = _code_in(provider, query)
    answer = _exchange(provider, metadata, started, code=code, redirect_uri=redirect_uri, line=line)
    identity = _identity(provider, metadata, started, answer=answer, now=now, line=line)
    return identity if identity.name else replace(identity, name=name_in(answer))  # where ORCID says it


@functools.cache
def _line() -> Line:
    """The one that everybody shares who brings no other, for what it remembers."""
    return Line()


def _refused(provider: Provider, what: str, *, wanted: str = "", got: str = "", next_command: str) -> SignInRefused:
    return SignInRefused(
        what, where=provider.title or provider.issuer, wanted=wanted, got=got, next_command=next_command
    )


def _is_safe(url: object, *, local: bool) -> bool:
    """Returns whether an address keeps what is sent there: HTTPS, or on this machine where that is fit."""
    try:
        parts = urlsplit(url) if isinstance(url, str) and url.isascii() and url.isprintable() else urlsplit("")
        parts.port  # noqa: B018 - raises when it is no number
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None or parts.fragment or " " in str(url):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and local and is_local(str(url)))


def _metadata(provider: Provider, said: Mapping[str, Any]) -> Metadata:
    """Returns metadata that is this provider's and whose addresses are safe."""
    if said.get("issuer") != provider.issuer:
        what, got = "it is not the provider that this hub was told of", str(said.get("issuer"))[:100]
        raise _refused(provider, what, wanted=provider.issuer, got=got, next_command=_TELL)
    urls = [said.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
    here = provider.issuer.startswith("http:")  # a provider elsewhere has nothing to send to this machine
    if not all(_is_safe(url, local=here) for url in urls):
        raise _refused(provider, "it gives addresses that are missing or not safe to use", next_command=_TELL)
    methods = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])  # the standard's own default
    return Metadata(
        authorization=str(urls[0]),
        token=str(urls[1]),
        keys=str(urls[2]),
        methods=tuple(map(str, methods)) if isinstance(methods, list) else (),
        names_itself=said.get("authorization_response_iss_parameter_supported") is True,
    )


def _client(provider: Provider, metadata: Metadata, redirect_uri: str, line: Line) -> OAuth2Session:
    """Returns Authlib's client, which keeps to the rules of the line."""
    method = "client_secret_basic"
    if not provider.client_secret:
        method = "none"
    elif method not in metadata.methods and "client_secret_post" in metadata.methods:
        method = "client_secret_post"  # ORCID takes no other
    client = OAuth2Session(
        client_id=provider.client_id,
        client_secret=provider.client_secret or None,
        scope=" ".join(provider.scopes),
        redirect_uri=redirect_uri,
        token_endpoint_auth_method=method,
        code_challenge_method="S256",
    )
    line.prepare(client, url=metadata.token)
    return client


def _check_belongs(provider: Provider, started: Started, query: Mapping[str, str]) -> None:
    """Raises unless who comes back is who left, for this provider."""
    if not same(query.get("state", ""), started.state) or started.issuer != provider.issuer:
        what = "this sign-in was not begun in this browser, or it was used already"
        raise _refused(provider, what, next_command=_AGAIN)


def _check_came_from(provider: Provider, metadata: Metadata, query: Mapping[str, str]) -> None:
    """Raises when another provider answers (RFC 9207, section 2.4)."""
    named = query.get("iss")
    if named is None and not metadata.names_itself:
        return
    if named != provider.issuer:
        raise _refused(provider, "another provider answered in its place", next_command=_TELL)


def _code_in(provider: Provider, query: Mapping[str, str]) -> str:
    """Returns the code that a person brings."""
    error = query.get("error", "")
    if error in ("access_denied", "consent_required", "login_required", "interaction_required"):
        raise _refused(provider, "the sign-in was declined there", next_command="sign in again, or sign in another way")
    if error:
        raise _said_no(provider, error)
    if not _CODE.fullmatch(query.get("code", "")):
        raise _refused(provider, "it sent nobody: no code came back", next_command=_AGAIN)
    return query["code"]


def _said_no(provider: Provider, error: object) -> SignInRefused:
    """Returns what an error of a provider means; its own words are not repeated, for they may hold what was sent."""
    got = error if isinstance(error, str) and _ERROR.fullmatch(error) else "an error of its own"
    if got in _OURS:
        what, next_command = "it does not accept this hub", "tell an organiser of this hub: its registration is wrong"
        return _refused(provider, what, got=got, next_command=next_command)
    if got in ("server_error", "temporarily_unavailable"):
        return _refused(provider, "it cannot sign anybody in now", got=got, next_command=_LATER)
    return _refused(provider, "it refused the sign-in", got=got, next_command=_TELL)


def _exchange(
    provider: Provider, metadata: Metadata, started: Started, *, code: str, redirect_uri: str, line: Line
) -> Mapping[str, Any]:
    """Returns what a provider gives for a code."""
    try:
        with _client(provider, metadata, redirect_uri, line) as client, unheard():
            answer = client.fetch_token(
                metadata.token,
                grant_type="authorization_code",
                code=code,
                code_verifier=started.verifier,
                allow_redirects=False,
            )
            return dict(answer)
    except OAuthError as error:
        raise _said_no(provider, error.error) from None
    except Unheard as error:
        raise _refused(provider, f"it did not say who signed in: {error}", next_command=_LATER) from None


def _identity(
    provider: Provider, metadata: Metadata, started: Started, *, answer: Mapping[str, Any], now: float, line: Line
) -> Identity:
    """Returns who an identity token is about; the provider's keys are fetched again when it has a new one."""
    token = answer.get("id_token")
    if not isinstance(token, str):
        raise _refused(provider, "it did not say who signed in: no identity token came", next_command=_TELL)
    read = functools.partial(read_id_token, token, provider=provider, nonce=started.nonce, now=now)
    try:
        try:
            return read(keys=line.get(metadata.keys))
        except KeyUnknown:
            return read(keys=line.get(metadata.keys, anew=True))
    except Unheard as error:
        raise _refused(provider, f"its keys could not be had: {error}", next_command=_LATER) from None
    except Untrusted as error:
        raise _refused(provider, f"its identity token is not to be trusted: {error}", next_command=_TELL) from None

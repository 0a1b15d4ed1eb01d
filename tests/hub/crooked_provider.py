"""An OpenID provider over real HTTP that behaves, PKCE and client secrets included, except as it is told not to."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

CLIENT, SECRET = "the-hub", "a secret of the hub"
SUBJECT = "0000-0002-1825-0097"
Key = RSAKey | ECKey


def make_key(kid: str | None, *, kind: str = "RSA") -> Key:
    """Returns a new key for signatures, with this name unless it has none."""
    named: Any = {"use": "sig"} if kid is None else {"use": "sig", "kid": kid}
    return RSAKey.generate_key(2048, named) if kind == "RSA" else ECKey.generate_key("P-256", named)


def public(*keys: Key) -> dict[str, Any]:
    """Returns keys as a provider publishes them."""
    return {"keys": [key.as_dict(private=False) for key in keys]}


@dataclass
class Raw:
    """What is answered instead: a status, headers and bytes, each block after a pause."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    blocks: list[bytes] = field(default_factory=list)
    pause_s: float = 0.0


@dataclass
class Crooked:
    """What the provider does, and what it was asked.

    Attributes:
        key: Signs.
        published: What is at ``/keys``, one after the other; the last one stays.
        said: Of the metadata, what is otherwise than usual; None takes it away.
        claims: Of the token, likewise.
        header: Of the token, likewise.
        encode: Makes the token from header and claims, when it is not simply signed.
        answer: Of the token endpoint, what is otherwise than usual.
        comes_back: Parameters that the person brings back besides code and state.
        raw: By path, what is answered instead.
        asked: Paths in order, each with the form that came.
    """

    key: Key
    issuer: str = ""
    published: list[Any] = field(default_factory=list)
    said: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    encode: Callable[[dict[str, Any], dict[str, Any]], str] | None = None
    answer: dict[str, Any] = field(default_factory=dict)
    comes_back: dict[str, str] = field(default_factory=dict)
    raw: dict[str, Raw] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    begun: dict[str, dict[str, str]] = field(default_factory=dict)

    def metadata(self) -> dict[str, Any]:
        usual = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return _otherwise(usual, self.said)

    def keys(self) -> Any:
        times = [path for path, _, _ in self.asked].count("/keys")
        published = self.published or [public(self.key)]
        return published[min(times, len(published)) - 1]

    def authorize(self, query: dict[str, str]) -> str:
        """Lets the person in at once, and returns where the browser goes."""
        code = secrets.token_hex(8)
        self.begun[code] = query
        back = {"code": code, "state": query["state"], **self.comes_back}
        return f"{query['redirect_uri']}?{urlencode(back)}"

    def token(self, form: dict[str, str], headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        begun = self.begun.pop(form.get("code", ""), None)
        if not _knows_secret(form, headers):
            return 401, {"error": "invalid_client", "error_description": f"not {form} {headers}"}
        if begun is None or form.get("redirect_uri") != begun["redirect_uri"] or not _proves(form, begun):
            return 400, {"error": "invalid_grant", "error_description": f"not {form}"}
        usual = {"access_token": "an access token", "token_type": "Bearer", "expires_in": 600}
        return 200, _otherwise({**usual, "id_token": self.id_token(begun["nonce"])}, self.answer)

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": CLIENT, "sub": SUBJECT, "nonce": nonce, "iat": now, "exp": now + 600}
        claims = _otherwise({**usual, "name": "Josiah Carberry"}, self.claims)
        header = _otherwise({"alg": "RS256", "kid": self.key.kid}, self.header)
        return self.encode(header, claims) if self.encode else sign(header, claims, key=self.key)


def sign(header: dict[str, Any], claims: dict[str, Any], *, key: Any) -> str:
    """Returns a token, by whatever algorithm the header names."""
    return jwt.encode(header, claims, key, algorithms=[header["alg"]])


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Returns a token with an empty signature."""
    return f"{_to_sign(header, claims)}."


def sign_with_text(header: dict[str, Any], claims: dict[str, Any], *, shared: bytes) -> str:
    """Returns a token signed with HMAC by any text at all, which libraries no longer do."""
    text = _to_sign(header, claims)
    return f"{text}.{_base64(hmac.digest(shared, text.encode(), 'sha256'))}"


def _to_sign(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return ".".join(_base64(json.dumps(part).encode()) for part in (header, claims))


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _otherwise(usual: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**usual, **other}.items() if value is not None}


def _proves(form: dict[str, str], begun: dict[str, str]) -> bool:
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    return begun.get("code_challenge_method") == "S256" and begun.get("code_challenge") == _base64(digest)


def _knows_secret(form: dict[str, str], headers: dict[str, str]) -> bool:
    basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
    in_form = (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET)
    return in_form or headers.get("authorization") == f"Basic {basic}"


class _Handler(BaseHTTPRequestHandler):
    provider: Crooked

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.provider.asked.append((parts.path, {}, self._headers()))
        if parts.path in self.provider.raw:
            self._raw(self.provider.raw[parts.path])
        elif parts.path == "/.well-known/openid-configuration":
            self._json(200, self.provider.metadata())
        elif parts.path == "/keys":
            self._json(200, self.provider.keys())
        elif parts.path == "/authorize":
            self._raw(Raw(302, {"Location": self.provider.authorize(dict(parse_qsl(parts.query)))}))
        else:
            self._json(404, {})

    def do_POST(self) -> None:
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        self.provider.asked.append((self.path, form, self._headers()))
        if self.path in self.provider.raw:
            self._raw(self.provider.raw[self.path])
        else:
            self._json(*self.provider.token(form, self._headers()))

    def _headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def _json(self, status: int, content: Any) -> None:
        self._raw(Raw(status, {"Content-Type": "application/json"}, [json.dumps(content).encode()]))

    def _raw(self, raw: Raw) -> None:
        self.send_response(raw.status)
        for name, value in raw.headers.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):  # whoever asked has gone
            for block in raw.blocks:
                time.sleep(raw.pause_s)
                self.wfile.write(block)
                self.wfile.flush()

    def log_message(self, *arguments: Any) -> None:
        """Says nothing."""


@contextlib.contextmanager
def crooked_provider(key: Key) -> Iterator[Crooked]:
    """Starts a provider that signs with this key."""
    provider = Crooked(key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"provider": provider}))
    provider.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""Identity tokens: who a provider says that somebody is, once its signature and every claim hold.

After OpenID Connect Core 1.0, section 3.1.3.7. Only signatures by a private key count: ``none`` has none, and with the
``HS`` family what a provider publishes as a public key could be taken for the shared one (RFC 8725, section 3.1).
"""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import BadSignatureError, ExpiredTokenError, JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

from braggbook.formats.common import check_orcid
from braggbook.hub.people.providers import ORCID_ISSUERS, Provider
from braggbook.hub.people.secrets import same

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
LEEWAY_S = 60  # that two clocks may differ by
_MOST_KEYS = 20
_SMALLEST_RSA_BITS = 2048  # NIST SP 800-131A
_LONGEST_SUBJECT = 255  # OpenID Connect Core, section 2
_LONGEST_NAME = 200
_WRONG = (JoseError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError)
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}  # RFC 7518, section 3.4


@dataclass(frozen=True)
class Identity:
    """Who somebody is for a provider.

    Attributes:
        issuer: The provider, as it says itself.
        subject: What it calls this person, and nobody else ever.
        name: As the person writes it; empty when it was not said.
        orcid: The person's ORCID iD, when the provider is ORCID.
    """

    issuer: str
    subject: str
    name: str = ""
    orcid: str | None = None


class Untrusted(Exception):
    """A token is not to be believed; the message says why and holds nothing of it."""


class KeyUnknown(Untrusted):
    """None of the keys at hand is the one that the token names."""


def read_id_token(text: str, *, provider: Provider, keys: Mapping[str, Any], nonce: str, now: float) -> Identity:
    """Returns who signed in.

    Args:
        text: The token, as the provider sent it.
        provider: Who should have made it.
        keys: Its JSON Web Key Set.
        nonce: That this hub sent with the person.
        now: Seconds since 1970.

    Raises:
        KeyUnknown: The keys at hand do not have the token's; newer ones may.
        Untrusted: The token is not to be believed.
    """
    try:
        claims = _signed(text, keys)
        _check_times(claims, now)
        return _checked(claims, provider, nonce)
    except ExpiredTokenError:
        raise Untrusted("it has expired") from None
    except _WRONG:
        raise Untrusted("it is not a signed token with the claims that it must have") from None


def _signed(text: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a token's claims, whose signature holds."""
    registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    header = jws.extract_compact(text.encode("ascii"), registry=registry).headers()
    if header["alg"] not in ALGORITHMS:
        raise Untrusted("it is not signed by a key of the provider's own")
    candidates = _keys_for(header, keys)
    if not candidates:
        raise KeyUnknown("it is signed by a key that the provider does not publish")
    for key in candidates:
        try:
            return jwt.decode(text, key, registry=registry).claims
        except BadSignatureError:
            continue
    raise Untrusted("its signature does not hold")


def _keys_for(header: Mapping[str, Any], keys: Mapping[str, Any]) -> list[RSAKey | ECKey]:
    """Returns the published keys that may have signed a token with this header."""
    found: list[RSAKey | ECKey] = []
    for data in keys["keys"][:_MOST_KEYS]:
        fits = data.get("use", "sig") == "sig" and data.get("alg", header["alg"]) == header["alg"]
        named = "kid" not in header or data.get("kid") == header["kid"]
        if fits and named and "verify" in data.get("key_ops", ["verify"]):
            found += _imported(header["alg"], data)
    return found


def _imported(algorithm: str, data: Mapping[str, Any]) -> list[RSAKey | ECKey]:
    """Returns the public key for an algorithm, unless it is of another kind, broken, or too short to be one."""
    try:
        if data["kty"] == "EC" and data["crv"] == _CURVES.get(algorithm):
            return [ECKey.import_key({name: data[name] for name in ("kty", "crv", "x", "y")})]
        if data["kty"] == "RSA" and algorithm not in _CURVES and _bits(data["n"]) >= _SMALLEST_RSA_BITS:
            return [RSAKey.import_key({name: data[name] for name in ("kty", "n", "e")})]
    except _WRONG:
        return []
    return []


def _bits(number: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(number + "===")).bit_length()


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    """Raises unless a token has been issued and has not ended."""
    if "exp" not in claims or "iat" not in claims:
        raise Untrusted("it does not say from when to when it is valid")
    times = {name: claims[name] for name in ("exp", "iat", "nbf") if name in claims}
    jwt.JWTClaimsRegistry(now=int(now), leeway=LEEWAY_S).validate(times)


def _checked(claims: Mapping[str, Any], provider: Provider, nonce: str) -> Identity:
    """Returns who a token is about, whose issuer, audience and nonce are the ones wanted."""
    audiences = [claims.get("aud")] if isinstance(claims.get("aud"), str) else claims.get("aud")
    if claims.get("iss") != provider.issuer:
        raise Untrusted("it was made by somebody else")
    if not isinstance(audiences, list) or provider.client_id not in audiences:
        raise Untrusted("it was made for somebody else")
    if claims.get("azp", provider.client_id if len(audiences) == 1 else None) != provider.client_id:
        raise Untrusted("it was made for somebody else too")
    if not isinstance(claims.get("nonce"), str) or not same(claims["nonce"], nonce):
        raise Untrusted("it belongs to another sign-in")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise Untrusted("it does not say whom it is about")
    orcid = check_orcid(subject) if provider.issuer in ORCID_ISSUERS else None
    return Identity(issuer=provider.issuer, subject=subject, name=name_in(claims), orcid=orcid)


def name_in(claims: Mapping[str, Any]) -> str:
    """Returns the name that claims give to a person, as one line; empty when they give none."""
    given = [claims.get(name) for name in ("given_name", "family_name")]
    whole = claims.get("name") or " ".join(part for part in given if isinstance(part, str))
    if not isinstance(whole, str):
        return ""
    seen = "".join(" " if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") else letter for letter in whole)
    return " ".join(seen.split())[:_LONGEST_NAME].rstrip()

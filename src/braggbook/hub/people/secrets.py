"""Secrets that stand for a person: tokens, sessions, invitations and links that work once.

A secret is shown once, and only its digest is kept. It reads ``bb_`` (what it is for), 43 characters of base64url (256
random bits), and 8 hexadecimal digits, the CRC-32 of all before: whoever looks through files, logs or commits for
secrets finds these without a doubt, and a mistyped one is refused before anything is looked up.

SHA-256 is enough for the digest. A slow hash makes up for passwords of few bits; nobody tries 2**256 secrets at any
speed. And a digest without a salt can be looked up, which compares in constant time what matters: an attacker who
sees how long it took learns about digests, from which no secret can be made.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import zlib
from collections.abc import Callable

Random = Callable[[int], bytes]  # gives so many random bytes

TOKEN = "bb_"  # noqa: S105 - says what a secret is for
SESSION = "bbs_"
INVITATION = "bbi_"
LINK = "bbl_"
SCOPES = ("read", "submit", "organise")  # what a token may be used for

_BYTES = 32
_BODY = 43  # characters that base64url has for them
_SECRET = re.compile(rf"bb[a-z]?_[A-Za-z0-9_-]{{{_BODY}}}[0-9a-f]{{8}}")


def new_secret(prefix: str, *, random: Random = secrets.token_bytes) -> tuple[str, str]:
    """Returns a new secret, to be shown once, and its digest, to be kept."""
    body = prefix + text_of(random(_BYTES))
    secret = body + _checksum(body)
    return secret, digest_of(secret)


def looks_right(secret: str, *, prefix: str) -> bool:
    """Returns whether a text can be a secret of this kind: its form and its checksum are right."""
    if not secret.startswith(prefix) or not _SECRET.fullmatch(secret):
        return False
    return len(secret) == len(prefix) + _BODY + 8 and same(_checksum(secret[:-8]), secret[-8:])


def digest_of(secret: str) -> str:
    """Returns what is kept of a secret: its SHA-256 in hexadecimal."""
    return hashlib.sha256(_bytes_of(secret)).hexdigest()


def same(a: str, b: str) -> bool:
    """Returns whether two texts are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(_bytes_of(a), _bytes_of(b))


def without_secrets(text: str) -> str:
    """Returns a text, such as a line of a log, with every secret of the hub in it blotted out."""
    return _SECRET.sub("<secret>", text)


def text_of(random: bytes) -> str:
    """Returns bytes as base64url without padding, which addresses and cookies take as it is."""
    return base64.urlsafe_b64encode(random).rstrip(b"=").decode("ascii")


def _checksum(body: str) -> str:
    return f"{zlib.crc32(_bytes_of(body)):08x}"


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")

"""Pseudonyms from a secret key: UIDs and patients, the same in every file and every later run with the key.

A new UID is ``2.25.`` and a UUID of version 8 (RFC 9562) made of 122 bits of HMAC-SHA-256 over the old one. Two of a
billion UIDs then collide with a probability below 1e-18, so that the map is one-to-one in practice; without the key
nobody can tell which UID became which, not even by trying all UIDs of a hospital.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import uuid

from pydicom._uid_dict import UID_dictionary

from braggbook.imaging.deidentify.tables import is_known

_FORM = re.compile(r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))+")

_SIX_DIGITS = 100_000


def is_uid(text: str) -> bool:
    """Whether a text has the form of a UID (PS3.5, 9.1)."""
    return len(text) <= 64 and _FORM.fullmatch(text) is not None


def is_standard(text: str) -> bool:
    """Whether a UID is one of the standard's own (PS3.6, annex A): it names a kind of thing, never a thing."""
    return text in UID_dictionary or is_known(text)


def new_uid(secret: bytes, uid: str) -> str:
    """Returns the pseudonym of a UID (or of whatever stands in its place)."""
    digest = hmac.new(secret, b"uid\0" + uid.encode("utf-8", "surrogateescape"), hashlib.sha256).digest()
    bits = bytearray(digest[:16])
    bits[6] = bits[6] & 0x0F | 0x80
    bits[8] = bits[8] & 0x3F | 0x80
    return f"2.25.{uuid.UUID(bytes=bytes(bits)).int}"


def new_number(secret: bytes, number: int) -> int:
    """Returns the pseudonym of a number that other objects refer to: six to ten digits, within an IS (PS3.5, 6.2)."""
    digest = hmac.new(secret, b"number\0%d" % number, hashlib.sha256).digest()
    return _SIX_DIGITS + int.from_bytes(digest[:8], "big") % (2**31 - _SIX_DIGITS)


def pseudonym(secret: bytes, patient: bytes) -> str:
    """Returns the name and id that stand for a patient: ``P`` and 16 letters or digits (80 bits)."""
    digest = hmac.new(secret, b"patient\0" + patient, hashlib.sha256).digest()
    return "P" + base64.b32encode(digest[:10]).decode()

"""The organiser's signature: Ed25519 (RFC 8032), its private key in a file that only the organiser can read."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from braggbook.errors import InputError
from braggbook.files import storage

_MODE = 0o600


def new_key(path: Path) -> str:
    """Makes a key pair, keeps the private key at ``path`` and returns the public one, as 64 hexadecimal digits.

    Raises:
        StorageError: The disk refuses, or there is a key already, which is never overwritten.
    """
    key = Ed25519PrivateKey.generate()
    data = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with storage(path), os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    return public_key(path)


def public_key(path: Path) -> str:
    """Returns the public key that belongs to a private one, as 64 hexadecimal digits.

    Raises:
        InputError: There is no key, or it is none of ours.
    """
    public = _load(path).public_key()
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw).hex()


def sign(path: Path, message: bytes) -> str:
    """Returns the signature of a message, as 128 hexadecimal digits.

    Raises:
        InputError: As :func:`public_key`.
    """
    return _load(path).sign(message).hex()


def verify_signature(key: str, message: bytes, signature: str | None) -> bool:
    """Whether a message was signed by the owner of a public key."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature or ""), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _load(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        raise InputError(
            "no key of this challenge's organiser", where=str(path), wanted="the vault that it was opened with",
            next_command="braggbook --help, option --vault",
        ) from None  # fmt: skip
    except (OSError, ValueError) as error:
        raise InputError("the organiser's key cannot be read", where=str(path), got=str(error)) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError("not the organiser's key", where=str(path), wanted="an Ed25519 key")
    return key

"""Secrets: what they look like, what is kept of them, and that they stay out of logs."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook.hub.people.secrets import (
    INVITATION,
    LINK,
    SCOPES,
    SESSION,
    TOKEN,
    digest_of,
    looks_right,
    new_secret,
    same,
    text_of,
    without_secrets,
)

KINDS = [TOKEN, SESSION, INVITATION, LINK]
random_bytes = st.binary(min_size=32, max_size=32)


def test_a_secret_is_its_kind_256_random_bits_and_a_checksum() -> None:
    asked: list[int] = []

    def zeros(count: int) -> bytes:
        asked.append(count)
        return bytes(count)

    secret, digest = new_secret(TOKEN, random=zeros)
    assert asked == [32]
    assert secret == "bb_" + "A" * 43 + "c8cf43af"
    assert digest == hashlib.sha256(secret.encode()).hexdigest() == digest_of(secret)


@pytest.mark.parametrize("prefix", KINDS)
def test_secrets_are_never_the_same(prefix: str) -> None:
    made = [new_secret(prefix) for _ in range(100)]
    assert len({secret for secret, _ in made}) == len({digest for _, digest in made}) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", secret) for secret, _ in made)  # in addresses, cookies and headers


@pytest.mark.parametrize("prefix", KINDS)
def test_a_secret_is_of_one_kind(prefix: str) -> None:
    secret, _ = new_secret(prefix)
    assert [kind for kind in KINDS if looks_right(secret, prefix=kind)] == [prefix]


@given(random_bytes, st.integers(0, 53), st.sampled_from("0aZ_-. é"))
def test_a_mistyped_secret_is_seen(random: bytes, place: int, letter: str) -> None:
    secret, _ = new_secret(TOKEN, random=lambda _: random)
    mistyped = secret[:place] + letter + secret[place + 1 :]
    assert looks_right(mistyped, prefix=TOKEN) == (mistyped == secret)


@given(st.text(max_size=80))
def test_any_text_has_an_answer(text: str) -> None:
    assert not looks_right(text, prefix=TOKEN)
    assert not looks_right(TOKEN + text, prefix=TOKEN)
    assert len(digest_of(text)) == 64


@pytest.mark.parametrize("text", ["", "bb_", "bb_\ud800", "\0" * 54])
def test_what_is_no_secret_is_no_fault(text: str) -> None:
    assert not looks_right(text, prefix=TOKEN)
    assert len(digest_of(text)) == 64


def test_texts_are_compared_whatever_they_hold() -> None:
    assert same("é\ud800", "é\ud800")
    assert not same("é", "e")
    assert not same("", "a")


@given(random_bytes, st.sampled_from(KINDS))
def test_a_log_keeps_no_secret(random: bytes, prefix: str) -> None:
    secret, digest = new_secret(prefix, random=lambda _: random)
    line = f'GET /join/{secret}?next=/ "Bearer {secret}" of {digest}'
    assert without_secrets(line) == f'GET /join/<secret>?next=/ "Bearer <secret>" of {digest}'


def test_bytes_become_text_without_padding() -> None:
    assert text_of(b"\xff\xfe") == "__4"


def test_the_scopes_are_the_three() -> None:
    assert SCOPES == ("read", "submit", "organise")

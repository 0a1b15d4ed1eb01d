"""Passwords: how they are kept, what they cost, and which are refused."""

from __future__ import annotations

import threading
import time

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type
from argon2.profiles import CHEAPEST
from hypothesis import given
from hypothesis import strategies as st

from braggbook.errors import InternalError
from braggbook.hub.people.passwords import (
    LONGEST,
    SHORTEST,
    check_password,
    hash_password,
    needs_rehash,
    password_issues,
)

GOOD = "ferry lamp sixteen otters"


def test_a_password_is_kept_as_rfc_9106_says_and_is_known_again() -> None:
    stored = hash_password(GOOD)
    cost = extract_parameters(stored)
    assert cost.type is Type.ID
    assert (cost.time_cost, cost.memory_cost, cost.parallelism, cost.salt_len) == (3, 64 * 1024, 4, 16)
    assert GOOD not in stored
    assert len(stored) < 128
    assert check_password(GOOD, stored)
    assert not check_password(GOOD + " ", stored)
    assert not needs_rehash(stored)


def test_the_same_password_is_kept_otherwise_each_time() -> None:
    assert hash_password(GOOD) != hash_password(GOOD)


def test_a_hash_of_another_cost_still_works_and_is_to_be_made_again() -> None:
    cheap = PasswordHasher.from_parameters(CHEAPEST).hash(GOOD)
    assert check_password(GOOD, cheap)
    assert needs_rehash(cheap)


def test_who_is_not_known_costs_as_much() -> None:
    stored = hash_password(GOOD)
    took = {}
    for name, kept in (("known", stored), ("unknown", None), ("known again", stored), ("unknown again", None)):
        since = time.process_time()  # of this process, whatever others do
        assert not check_password("another text", kept)
        took[name] = time.process_time() - since
    known, unknown = min(took["known"], took["known again"]), min(took["unknown"], took["unknown again"])
    assert 0.3 < known / unknown < 3


def test_nobody_s_password_is_never_right() -> None:
    assert not check_password("", None)
    assert not check_password(GOOD, None)


def test_accents_are_the_same_however_they_are_typed() -> None:
    stored = hash_password("caf\u00e9 \u00c5ngstr\u00f6m \ufb01ve")
    assert check_password("cafe\u0301 A\u030angstro\u0308m five", stored)


def test_half_a_character_and_a_null_are_hashed_as_they_are() -> None:
    stored = hash_password("half \ud800 and \0 more")
    assert check_password("half \ud800 and \0 more", stored)
    assert not check_password("half \ud800 and ", stored)


def test_a_longer_text_than_any_password_is_not_right() -> None:
    stored = hash_password("a" * (LONGEST + 1))
    assert not check_password("a" * (LONGEST + 1), stored)


@pytest.mark.parametrize("stored", ["", "!", "plain text", "$argon2id$v=19$m=65536,t=3,p=4$AAAA", "$2b$12$abcdefghij"])
def test_what_is_no_hash_is_a_fault_of_the_hub(stored: str) -> None:
    with pytest.raises(InternalError) as error:
        check_password(GOOD, stored)
    assert GOOD not in str(error.value)


def test_many_at_once_are_all_answered() -> None:
    stored = hash_password(GOOD)
    found: list[bool] = []
    threads = [threading.Thread(target=lambda: found.append(check_password(GOOD, stored))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 6


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        "x7#Kq!2vLp9z",
        "407618359242",
        "40761835924a",
        "40761835924abc",
        "4076-1835-9242",
        "7 otters and password",
        "!@#$%^&*()_+",
        "Zwölf Boxkämpfer jagen",
        "水は高きより低きに流れて行きます",
        "my braggbook is kept by otters",
        "ada writes very long passwords",
        "a" * 500 + GOOD,
    ],
)
def test_what_is_long_and_not_evident_is_taken(text: str) -> None:
    assert password_issues(text, login="ada") == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "It has 0 characters; at least 12"),
        ("x7#Kq!2vLp9", "It has 11 characters; at least 12"),
        ("ab" * 513, "at most 1024"),
        ("josiah.carberry", "the login"),
        ("Josiah.Carberry", "the login"),
        ("josiah.carberry2026", "the login"),
        ("2026!josiah.carberry!", "the login"),
        ("yrrebrac.haisoj", "the login"),
        ("josiah.carberryjosiah.carberry", "the login"),
        ("aaaaaaaaaaaa", "repeats a few"),
        ("121212121212", "repeats a few"),
        ("            ", "repeats a few"),
        ("123456789012", "a row"),
        ("098765432109", "a row"),
        ("abcdefghijklm", "a row"),
        ("qwertyuiopqwertyuiop", "a row"),
        ("password1234", "the first that anybody"),
        ("PasswordPassword", "the first that anybody"),
        ("password password", "the first that anybody"),
        ("correct horse battery staple", "the first that anybody"),
        ("2026-Braggbook!", "the first that anybody"),
        ("trustno1trustno1", "the first that anybody"),
        ("correct horse battery staple!!", "the first that anybody"),
        ("abc123456789", "the first that anybody"),
        ("test1234test", "the first that anybody"),
        ("admin_root_2026", "the first that anybody"),
        ("qwertyuiop12", "the first that anybody"),
        ("\uff50assword1234", "the first that anybody"),
    ],
)
def test_what_is_short_or_evident_is_refused_with_its_reason(text: str, why: str) -> None:
    issues = password_issues(text, login="josiah.carberry")
    assert why in " ".join(issues)
    assert not any(text in issue for issue in issues if len(text) >= 3)


def test_an_empty_login_refuses_nothing() -> None:
    assert password_issues(GOOD, login="") == []


@given(st.text(max_size=40), st.text(max_size=20))
def test_any_text_has_an_answer(text: str, login: str) -> None:
    issues = password_issues(text, login=login)
    assert any("characters; at least" in issue for issue in issues) == (len(text) < SHORTEST)
    assert len(issues) <= 2

"""Passwords of local accounts: hashed with Argon2id, refused only for what makes them easy to guess.

The cost is the low-memory choice of RFC 9106, section 4: 3 passes over 64 MiB, 4 lanes, a salt of 16 bytes. The other
choice of the RFC takes 2 GiB for every password, which a hub on a small machine does not have. Its memory is also why
only a few passwords are hashed at a time.

What a password must be follows NIST SP 800-63B (revision 4, section 3.1.1.2): long rather than colourful, no rule
about kinds of characters, no change by the calendar, all of Unicode allowed (and normalised, so that two keyboards
agree), and none that stands on everybody's list, names the service or repeats the login. Its revision 3 asks for 8
characters, its revision 4 for 15 where nothing else is asked for; 12 lie between. Rates and lock-out stop who guesses.
"""

from __future__ import annotations

import re
import threading
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from argon2.profiles import RFC_9106_LOW_MEMORY

from braggbook.errors import InternalError

SHORTEST = 12  # characters
LONGEST = 1024  # characters: any sentence, and no burden
_AT_A_TIME = 4  # 256 MiB together, whatever comes
_SHORTEST_RUN = 3  # characters side by side that are no accident
_LONGEST_YEAR = 4  # digits that people put behind a word
_FEWEST_KINDS = 4  # different characters; "aaaaaaaaaaaa" and "121212121212" have fewer
_HASHER = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
_SALT_OF_NOBODY = bytes(RFC_9106_LOW_MEMORY.salt_len)
_TURN = threading.BoundedSemaphore(_AT_A_TIME)

_ROWS = ("1234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop")
_EVIDENT = {
    "abc", "access", "admin", "administrator", "braggbook", "challenge", "changeme", "correcthorsebatterystaple",
    "default", "dragon", "football", "guest", "hello", "hub", "iloveyou", "jupyter", "letmein", "login", "master",
    "monkey", "notebook", "passphrase", "passw0rd", "password", "passwort", "princess", "qwerty", "qwertz",
    "radiobiology", "root", "secret", "sunshine", "superman", "temporary", "test", "trustno1", "user", "welcome",
}  # fmt: skip
_PARTS = re.compile(r"[^\W\d_]+|\d+")
_EDGES = re.compile(r"^[\W\d_]+|[\W\d_]+$")


def hash_password(text: str) -> str:
    """Returns what is kept of a password: its hash, with the salt and the cost in it."""
    with _TURN:
        return _HASHER.hash(_bytes_of(text))


def check_password(text: str, stored: str | None) -> bool:
    """Returns whether a password is the one that was hashed.

    Without anything stored, because there is no such person or none with a password, it takes as long to say no.

    Raises:
        InternalError: What is stored is no hash of a password.
    """
    with _TURN:
        if stored is None or len(text) > LONGEST:
            _HASHER.hash(_bytes_of(text[:LONGEST]), salt=_SALT_OF_NOBODY)
            return False
        try:
            return _HASHER.verify(stored, _bytes_of(text))
        except VerifyMismatchError:
            return False
        except (VerificationError, InvalidHashError):
            raise InternalError("what is kept of a password is not a hash", wanted="one of Argon2id") from None


def needs_rehash(stored: str) -> bool:
    """Returns whether a hash was made at another cost than new ones; the password is at hand right after a check."""
    return _HASHER.check_needs_rehash(stored)


def password_issues(text: str, *, login: str) -> list[str]:
    """Returns what keeps a text from being a password of this person, as sentences; none when it may be one."""
    found = []
    if len(text) < SHORTEST:
        found.append(f"It has {len(text)} characters; at least {SHORTEST} are needed. Several words are easy to keep.")
    if len(text) > LONGEST:
        found.append(f"It has {len(text)} characters; at most {LONGEST} are taken.")
        return found
    folded, name = _folded(text), _folded(login)
    core = _core(folded)
    if name and (name in (folded, core, folded[::-1]) or _repeats(folded, name) or _repeats(core, _core(name))):
        found.append("It is the login, or little more.")
    elif len(set(folded)) < _FEWEST_KINDS or _runs(folded):
        found.append("It repeats a few characters or follows a row of them.")
    elif _is_evident(folded) or _is_put_together(folded) or (_is_evident(core) and len(core) * 2 >= len(folded)):
        found.append("It is among the first that anybody would try.")
    return found


def _bytes_of(text: str) -> bytes:
    """Returns the same bytes for what reads the same, as SP 800-63B, section 3.1.1.2 asks."""
    return unicodedata.normalize("NFKC", text).encode("utf-8", "surrogatepass")  # JSON can hold half a character


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


def _core(folded: str) -> str:
    """Returns a text without digits and marks at its ends: "braggbook2026!" is no better than "braggbook"."""
    return _EDGES.sub("", folded)


def _is_evident(text: str) -> bool:
    return _runs(text) or any(_repeats(text, word) for word in _EVIDENT)


def _is_put_together(folded: str) -> bool:
    """Returns whether a text is made of evident words, rows, and at most one year or other short number."""
    parts = _PARTS.findall(folded)
    other = [part for part in parts if not _is_evident(part)]
    year = len(other) == 1 and other[0].isdecimal() and len(other[0]) <= _LONGEST_YEAR
    return bool(parts) and (not other or year)


def _repeats(text: str, word: str) -> bool:
    """Returns whether a text is a word, once or several times, spaces aside."""
    joined = "".join(text.split())
    return bool(word) and bool(joined) and joined == word * (len(joined) // len(word))


def _runs(text: str) -> bool:
    """Returns whether a text walks along a row of the keyboard or of the alphabet, either way."""
    if len(text) < _SHORTEST_RUN:
        return False
    rows = [turned * (len(text) // len(row) + 2) for row in _ROWS for turned in (row, row[::-1])]
    return any(text in row for row in rows)

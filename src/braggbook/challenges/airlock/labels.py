"""Names of teams and titles of submissions: what a board, a terminal and a spreadsheet may show."""

from __future__ import annotations

import unicodedata

from braggbook.errors import InputError, Issue
from braggbook.formats.common import shown

LONGEST_LABEL = 60  # characters; what a row of the board holds
_FORMULA = "=+-@"  # a spreadsheet computes a cell that begins so (OWASP, CSV injection)
_MARKS_IN_A_ROW = 3  # of accents on one letter; more only serve to write over the neighbours
# Controls, invisible and direction-changing signs, halves of signs, private and unassigned ones, line ends.
_REFUSED = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def clean_label(text: str, *, what: str = "name", longest: int = LONGEST_LABEL) -> str:
    """Returns a name in one spelling (Unicode NFC, no blanks around it).

    Args:
        text: What a person typed.
        what: Of what it is the name, for messages.
        longest: How many characters it may have.

    Raises:
        InputError: It is empty, too long, or holds signs that mean something to a terminal, a page or a spreadsheet.
    """
    label = unicodedata.normalize("NFC", text.strip(" ")) if text.isascii() or _is_text(text) else text
    if issues := list(_issues(label, longest)):
        wanted = f"1 to {longest} letters, digits, blanks and signs, beginning with a letter or a digit"
        raise InputError(f"not a {what} that can be shown", where=what, wanted=wanted, got=shown(text), issues=issues)
    return label


def _is_text(text: str) -> bool:
    return not any(unicodedata.category(sign) == "Cs" for sign in text)


def _issues(label: str, longest: int) -> list[Issue]:
    found = []
    if not label:
        found.append(Issue("it is empty"))
    if len(label) > longest:
        found.append(Issue("it is too long", wanted=f"at most {longest} characters", got=str(len(label))))
    if any(unicodedata.category(sign) in _REFUSED for sign in label):
        found.append(Issue("it has control characters, or signs that are invisible or turn the direction of writing"))
    if unicodedata.normalize("NFKC", label)[:1] in tuple(_FORMULA):
        found.append(Issue("a spreadsheet would take it for a formula", wanted=f"another first sign than {_FORMULA}"))
    if "<" in label or ">" in label:
        found.append(Issue("it looks like a tag of a web page", wanted="no < and no >"))
    if _heaped(label):
        found.append(Issue("too many accents on one letter", wanted=f"at most {_MARKS_IN_A_ROW}"))
    return found


def _heaped(label: str) -> bool:
    row = 0
    for sign in label:
        row = row + 1 if unicodedata.combining(sign) else 0
        if row > _MARKS_IN_A_ROW:
            return True
    return False

"""Numbers, times, addresses and methods as a reader sees them."""

from __future__ import annotations

import datetime
import math
import re
import shlex
from collections.abc import Iterable
from string import ascii_lowercase

from braggbook.formats.challenge import Better, Method

METHOD_NAMES: dict[Method, str] = {
    "mean_then_rank": "mean, then rank",
    "median_then_rank": "median, then rank",
    "rank_then_mean": "rank, then mean",
    "rank_then_median": "rank, then median",
    "test_then_rank": "test, then rank",
}
METHOD_SAYS: dict[Method, str] = {
    "mean_then_rank": "The scores of all cases are averaged, and the averages are ranked.",
    "median_then_rank": "The median of the scores of all cases is taken, and the medians are ranked.",
    "rank_then_mean": "Teams are ranked in every case, and the mean of their ranks is ranked.",
    "rank_then_median": "Teams are ranked in every case, and the median of their ranks is ranked.",
    "test_then_rank": "Teams are ranked by the part of the others that they are significantly better than "
    "(paired one-sided Wilcoxon tests).",
}
TIES_SAY = {
    "min": "Equals share the first of their places.",
    "max": "Equals share the last of their places.",
    "mean": "Equals share the mean of their places.",
}
TRUTH_SAYS = {
    "published": "truth published",
    "withheld": "truth withheld",
    "sealed": "truth sealed",
}
_SIGNIFICANT, _MOST_DECIMALS = 4, 6
_BLANK = "\u00a0"  # a blank at which no line ends
_SAFE = ("https://", "http://")
_ADDRESS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")  # RFC 3986


def decimals_for(values: Iterable[float]) -> int:
    """Returns with how many decimals a column is shown, so that its largest value has four significant digits."""
    largest = max((abs(value) for value in values), default=0.0)
    if largest == 0:
        return _SIGNIFICANT - 1
    return min(max(_SIGNIFICANT - 1 - math.floor(math.log10(largest)), 0), _MOST_DECIMALS)


def number_text(value: float, decimals: int) -> str:
    """Returns a number with so many decimals, and a minus as it is printed."""
    text = f"{value:.{decimals}f}"
    return "0" + text[2:] if text.strip("-0.") == "" and text.startswith("-") else text.replace("-", "−")


def rank_text(rank: float) -> str:
    """Returns a rank: ``3``, or ``2.5`` where equals share a mean."""
    return f"{rank:.0f}" if rank == round(rank) else f"{rank:.1f}"


def percent_text(part: float) -> str:
    """Returns a part in percent; what is neither none nor all is not rounded to it."""
    if 0 < part < 0.01:
        return f"< 1{_BLANK}%"
    return f"> 99{_BLANK}%" if 0.99 < part < 1 else f"{100 * part:.0f}{_BLANK}%"


def level_text(level: float) -> str:
    """Returns the level of an interval in percent."""
    return f"{100 * level:g}{_BLANK}%"


def tau_text(tau: float | None) -> str:
    """Returns Kendall's tau."""
    return "not defined" if tau is None else number_text(tau, 2)


def unit_text(unit: str) -> str:
    """Returns a unit; none for a pure number."""
    return "" if unit == "1" else unit


def better_text(better: Better, target: float | None) -> str:
    """Returns which of two scores is the better one."""
    return f"nearer to {target:g} is better" if better == "target" else f"{better} is better"


def time_text(text: str) -> str:
    """Returns a time in UTC to the minute, or the text itself where it is no time."""
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{(found.astimezone(datetime.UTC) if found.tzinfo else found):%Y-%m-%d %H:%M} UTC"


def counted(number: int, noun: str, nouns: str | None = None) -> str:
    """Returns ``1 case`` or ``1,000 cases``."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def letter(at: int) -> str:
    """Returns the name of a group: a, b, ..., z, aa, ab, ..."""
    text = ""
    at += 1
    while at:
        at, place = divmod(at - 1, len(ascii_lowercase))
        text = ascii_lowercase[place] + text
    return text


def letters(places: list[int]) -> str:
    """Returns the names of groups that follow each other: ``b c``, or ``b–f`` of more than three."""
    names = [letter(at) for at in places]
    return " ".join(names) if len(names) <= 3 else f"{names[0]}–{names[-1]}"


def safe_address(address: str | None) -> str | None:
    """Returns an address that a link may have: of the web, or relative to the page."""
    if not address or not _ADDRESS.fullmatch(address):
        return None
    lowered = address.lower()
    relative = ":" not in lowered.partition("/")[0] and not lowered.startswith("/")
    return address if relative or lowered.startswith(_SAFE) else None


def shell_word(name: str) -> str:
    """Returns a name as a shell takes it; TEAM where it has signs that a terminal does not show."""
    return shlex.quote(name) if name.isprintable() else "TEAM"

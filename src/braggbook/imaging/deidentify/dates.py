"""Dates that move together: one whole number of days per patient, so that every interval stays what it was.

The shift is whole days into the past. Times of day therefore stay, and an interval across midnight, between a date
and a time or between two date-times, is exact without knowing which elements belong together.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import re

NEAREST_SHIFT_DAYS = 365
SPREAD_DAYS = (
    3653  # ten years: wide enough that a known date does not give the shift away, near enough for the scanner's age
)
FIRST_YEAR, LAST_YEAR = 1900, 2100  # a date outside is a filler or a mistake
_DATE = re.compile(rb"(\d{4})\.?(\d\d)\.?(\d\d)")
_DATETIME = re.compile(
    rb"(\d{4})(\d\d)(\d\d)((?:(?:[01]\d|2[0-3])(?:[0-5]\d(?:[0-5]\d|60)?)?)?(?:\.\d{1,6})?)([+-](?:0\d|1[0-4])[0-5]\d)?"
)
_TIME = re.compile(rb"([01]\d|2[0-3])(?::?[0-5]\d(?::?(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?")


def shift_days(secret: bytes, patient: bytes) -> int:
    """Returns the shift of a patient's dates: negative days, the same for the same secret and patient."""
    digest = hmac.new(secret, b"dates\0" + patient, hashlib.sha256).digest()
    return -(NEAREST_SHIFT_DAYS + int.from_bytes(digest[:8], "big") % SPREAD_DAYS)


def moved_date(value: bytes, days: int) -> bytes | None:
    """Returns a DA value moved by ``days``; None when it is no plausible date."""
    found = _DATE.fullmatch(value)
    moved = _moved(found, days) if found else None
    return moved.strftime("%Y%m%d").encode() if moved else None


def moved_datetime(value: bytes, days: int) -> bytes | None:
    """Returns a DT value moved by ``days``, time and offset kept; None when it is no plausible date with a day."""
    found = _DATETIME.fullmatch(value)
    moved = _moved(found, days) if found else None
    return moved.strftime("%Y%m%d").encode() + found[4] + (found[5] or b"") if moved and found else None


def is_time(value: bytes) -> bool:
    """Whether a TM value is a time of day."""
    return _TIME.fullmatch(value) is not None


def _moved(found: re.Match[bytes], days: int) -> datetime.date | None:
    try:
        date = datetime.date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None
    return date + datetime.timedelta(days) if FIRST_YEAR <= date.year <= LAST_YEAR else None

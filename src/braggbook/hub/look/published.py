"""Under which DOIs a run or a dataset was published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from braggbook.errors import RecordError
from braggbook.records.deposit import DEPOSIT, read_deposit
from braggbook.records.run_plan import RECORDS
from braggbook.runs.links import binder_link, doi_link

_PUBLIC = ("published", "checked")  # of a draft, nobody but its owner may know the DOI
_ADDRESSES = ("https://", "http://")


@dataclass(frozen=True)
class Published:
    """A record in an archive.

    Attributes:
        doi: Its identifier.
        link: Where the DOI is resolved; None where no resolver knows it (the folder archive's).
        page: The record's own page, if a browser can open it.
        archive: Where it lies.
        when: As the archive says.
        checked: It was downloaded again, and was what had been sent.
        binder: Where Binder opens the run's notebook, if it can.
    """

    doi: str
    link: str | None
    page: str | None
    archive: str
    when: str
    checked: bool
    binder: str | None


def records_of(source: str, *, runs: Path) -> tuple[Published, ...]:
    """Returns the published records of a run (by its id) or a dataset (by ``slug@version``), the newest first.

    What cannot be read as a deposit is left out.
    """
    found = []
    for path in (runs / RECORDS / source).glob(f"*/{DEPOSIT}"):
        try:
            deposit = read_deposit(path.parent)
        except RecordError:
            continue
        if deposit is None or deposit.doi is None or deposit.step not in _PUBLIC:
            continue
        url = deposit.url if (deposit.url or "").startswith(_ADDRESSES) else None
        binder = None if "@" in source else binder_link(deposit.doi)
        when, checked = deposit.published or "", deposit.step == "checked"
        found.append(Published(deposit.doi, doi_link(deposit.doi), url, deposit.archive, when, checked, binder))
    return tuple(sorted(found, key=lambda one: (one.when, one.doi), reverse=True))

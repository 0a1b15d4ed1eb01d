"""Who may use the archive, and how it behaves."""

from __future__ import annotations

from dataclasses import dataclass

WRITE = "deposit:write"
ACTIONS = "deposit:actions"


@dataclass(frozen=True)
class Account:
    """Somebody with a token, and what the token allows."""

    id: int = 1
    scopes: frozenset[str] = frozenset({WRITE, ACTIONS})


@dataclass(frozen=True)
class Settings:
    """How the archive behaves; the defaults are Zenodo's, without its limits of speed.

    Sources of the numbers: https://developers.zenodo.org and https://help.zenodo.org (November 2025).
    """

    legacy: bool = True  # with Zenodo's deposit API; False is an InvenioRDM as institutes run it
    doi_prefix: str = "10.5281"
    doi_name: str = ""  # what follows the prefix and a slash, with {id}; zenodo.{id} or, without the deposit API, {id}
    bytes_per_record: int = 50_000_000_000
    files_per_record: int = 100
    bytes_per_form: int = 100_000_000  # of an upload by the old-style form
    requests_per_minute: int | None = None  # None is no limit; Zenodo has 100, and 60 for guests
    requests_per_hour: int | None = None  # Zenodo has 5000, and 2000 for guests
    guest_requests_per_minute: int | None = None
    guest_requests_per_hour: int | None = None
    retry_after: bool = False  # whether a 429 says when to come back; Zenodo does not promise it
    latency_s: float = 0.0  # per request
    search_delay_s: float = 0.0  # until a search with q= sees a change
    listing_delay_s: float = 0.0  # until one's own list without q= sees a change
    page_size_guest: int = 25
    page_size: int = 100

    def doi(self, id: str) -> str:
        """Returns the identifier that a record gets."""
        name = self.doi_name or ("zenodo.{id}" if self.legacy else "{id}")
        return f"{self.doi_prefix}/{name.format(id=id)}"

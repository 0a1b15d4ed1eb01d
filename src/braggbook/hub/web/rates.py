"""How often somebody may try: what guesses or costs is counted, other reading is not."""

from __future__ import annotations

from fastapi import Request
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from braggbook.errors import TooMany


class Rates:
    """The counters of a hub; they live in its process."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._sign_in = parse("20/minute")  # by address; accounts lock by themselves too
        self._tokens = parse("30/minute")  # that do not work, by address
        self._uploads = parse("60/minute")  # by person
        self._volumes = parse("60/minute")  # images for the viewer, by address: each may be read and packed anew
        self._changes = parse("240/minute")  # forms, by session

    def sign_in(self, request: Request) -> None:
        """Counts a try to sign in.

        Raises:
            TooMany: It is one too many.
        """
        self._count(self._sign_in, "sign-in", address(request))

    def failed_token(self, request: Request) -> None:
        """Counts a token that does not work.

        Raises:
            TooMany: It is one too many.
        """
        self._count(self._tokens, "token", address(request))

    def upload(self, person: int) -> None:
        """Counts an upload.

        Raises:
            TooMany: It is one too many.
        """
        self._count(self._uploads, "upload", str(person))

    def volume(self, request: Request) -> None:
        """Counts an image for the viewer.

        Raises:
            TooMany: It is one too many.
        """
        self._count(self._volumes, "volume", address(request))

    def change(self, session: str) -> None:
        """Counts a form.

        Raises:
            TooMany: It is one too many.
        """
        self._count(self._changes, "change", session)

    def _count(self, item: RateLimitItem, *who: str) -> None:
        if not self._limiter.hit(item, *who):
            raise TooMany("asked too often", wanted=str(item), next_command="wait a minute, then try again")


def address(request: Request) -> str:
    """Returns where a request comes from."""
    return request.client.host if request.client else "local"

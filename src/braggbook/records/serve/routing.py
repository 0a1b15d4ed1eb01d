"""Which function answers which address."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from functools import lru_cache
from typing import Any

from .model import Entry
from .problems import NOT_DECODED, ApiError, bad_request, forbidden, no_such_page, unauthorized, wrong_type
from .settings import Account
from .wire import Body, Reply

_SEGMENT, _PATH = r"[^/]+", r".+"
_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")


@dataclass
class Request:
    """A request as a function that answers it sees it."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Message
    base: str  # of this server, as the client calls it
    account: Account | None
    bad_token: bool = False  # a token came that nobody has
    body: Body | None = None
    content: bytes = b""  # the body, where the route does not read it itself
    parameters: Mapping[str, str] = field(default_factory=dict)
    stored: list[str] = field(default_factory=list)  # names in the store of bytes that this request brought

    def __getitem__(self, name: str) -> str:
        return self.parameters[name]

    @property
    def api(self) -> str:
        """The address of the API."""
        return f"{self.base}/api"

    def who(self, scope: str) -> Account:
        """Returns who asks.

        Raises:
            ApiError: The token is unknown (401), or there is none, or it does not allow that (403).
        """
        if self.bad_token:
            raise unauthorized()
        if self.account is None or scope not in self.account.scopes:
            raise forbidden()
        return self.account

    def json(self) -> Any:
        """Returns the body.

        Raises:
            ApiError: It is not JSON (400), or does not say that it is (415).
        """
        self.expect("application/json")
        try:
            return json.loads(self.content)
        except ValueError:
            raise bad_request(NOT_DECODED) from None

    def expect(self, content_type: str, *, default: str = "") -> None:
        """Refuses (415) a body of another type."""
        given = self.headers.get("Content-Type", default).partition(";")[0].strip().lower()
        if given != content_type:
            raise wrong_type("Content-Type", content_type)

    def accepts(self, *offered: str) -> str:
        """Returns the type of reply that the client likes best.

        Raises:
            ApiError: It likes none (406).
        """
        accept = self.headers.get("Accept", "*/*")
        for wanted, _ in sorted(_wishes(accept), key=lambda wish: -wish[1]):
            for kind in offered:
                if wanted in (kind, "*/*", f"{kind.partition('/')[0]}/*"):
                    return kind
        raise wrong_type("Accept", ", ".join(offered))


def _wishes(accept: str) -> list[tuple[str, float]]:
    wishes = []
    for wish in accept.split(","):
        kind, _, rest = wish.partition(";")
        quality = re.search(r"q\s*=\s*([0-9.]+)", rest)
        try:
            wishes.append((kind.strip().lower(), float(quality[1]) if quality else 1.0))
        except ValueError:
            wishes.append((kind.strip().lower(), 0.0))
    return wishes


Handler = Callable[[Request], Reply]


@dataclass(frozen=True)
class Route:
    """An address with parameters, as ``/files/{bucket}/{key}``, and what answers it.

    Args:
        method: Of the request.
        pattern: Of its unquoted path; ``{name:path}`` matches slashes too.
        handler: Answers.
        streams: Whether the handler reads the body itself.
    """

    method: str
    pattern: str
    handler: Handler
    streams: bool = False

    def match(self, path: str) -> dict[str, str] | None:
        """Returns the parameters in a path, or None where it is another address."""
        match = _compiled(self.pattern).fullmatch(path)
        return match.groupdict() if match else None


@lru_cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts, end = [], 0
    for found in _PARAMETER.finditer(pattern):
        parts.append(re.escape(pattern[end : found.start()]))
        parts.append(f"(?P<{found[1]}>{_PATH if found[2] else _SEGMENT})")
        end = found.end()
    return re.compile("".join(parts) + re.escape(pattern[end:]))


def find_route(routes: list[Route], method: str, path: str) -> tuple[Route, dict[str, str]]:
    """Returns the route for a request and the parameters in its path; the first that fits.

    Raises:
        ApiError: There is no such address (404), or it does not know the method (405).
    """
    allowed = []
    for route in routes:
        parameters = route.match(path)
        if parameters is None:
            continue
        if route.method == method or (method == "HEAD" and route.method == "GET"):
            return route, parameters
        allowed.append(route.method)
    if allowed:
        headers = {"Allow": ", ".join(sorted(set(allowed)))}
        raise ApiError(405, "The method is not allowed for the requested URL.", headers=headers)
    raise no_such_page()


def revision_headers(entry: Entry) -> dict[str, str]:
    """Returns the header that names the revision of a draft or record."""
    return {"ETag": f'"{entry.revision}"'}

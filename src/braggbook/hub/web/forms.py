"""Forms: what was sent, protected against being sent by another site, and what is wrong with each field."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.datastructures import FormData, UploadFile

from braggbook.errors import InputError, NotAllowed
from braggbook.hub.web.visitor import visitor_of

_FIELDS = 200
_FIELD_BYTES = 1 << 20


@dataclass
class Form:
    """What a form holds.

    Attributes:
        values: Field -> text.
        files: Field -> what was uploaded.
        errors: Field -> what is wrong with it; "" is the form itself.
    """

    values: dict[str, str] = field(default_factory=dict)
    files: dict[str, UploadFile] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)

    def text(self, name: str, *, longest: int = 1000) -> str:
        """Returns a field without blanks around it; one that is too long gets an error."""
        value = self.values.get(name, "").strip()
        if len(value) > longest:
            self.errors[name] = f"at most {longest} characters"
            return value[:longest]
        return value

    def checked(self, name: str) -> bool:
        """Whether a box is ticked."""
        return self.values.get(name, "") not in ("", "0", "false")


async def posted(request: Request) -> Form:
    """Reads a form that was sent.

    Raises:
        NotAllowed: It does not come from a page of ours.
        InputError: It cannot be read.
    """
    visitor = visitor_of(request)
    require_same_site(request)
    if visitor.session is None:
        raise NotAllowed("the page is out of date", wanted="cookies; open the page again, and send it then")
    request.app.state.rates.change(visitor.session.digest)
    try:
        data = await request.form(max_fields=_FIELDS, max_files=4, max_part_size=_FIELD_BYTES)
    except ValueError:  # a set of signs that there is not, or that holds something else
        raise InputError("the form cannot be read", wanted="UTF-8, as browsers send it") from None
    form = _form(data)
    given = form.values.pop("csrf", "")
    if not hmac.compare_digest(given.encode(errors="replace"), visitor.session.csrf.encode()):
        await data.close()
        raise NotAllowed("the page is out of date", wanted="the newest one; open it again, and send it then")
    return form


Posted = Annotated[Form, Depends(posted)]


def require_same_site(request: Request) -> None:
    """Refuses what another site has a browser send.

    Raises:
        NotAllowed: Another site's page sends it.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site in ("cross-site", "same-site") or (
        site is None and origin not in (None, "null") and urlsplit(origin or "").netloc != request.headers.get("host")
    ):
        raise NotAllowed("another site has sent this", wanted="a page of this hub", got=(origin or "")[:100])


def _form(data: FormData) -> Form:
    form = Form()
    for name, value in data.multi_items():
        if isinstance(value, UploadFile):
            form.files[name] = value
        else:
            form.values.setdefault(name, value)
            form.lists.setdefault(name, []).append(value)
    return form

"""Answers that say no, in the words of the real servers."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

INVALID = "A validation error occurred."
NOT_DECODED = "Unable to decode JSON data in request body."
TRANSFER_FAILED = "The file upload transfer failed, please try again."
QUOTA_EXCEEDED = "Bucket quota exceeded."
TOO_MANY_FILES = "Uploading selected files will result in exceeding the max amount per record."
REMOVE_FILES_FIRST = "Please remove all files first."
MISSING_FILES = "Missing uploaded files. To disable files for this record please mark it as metadata-only."
MISSING = "Missing data for required field."

Issue = tuple[str, str]  # field, message


class ApiError(Exception):
    """A request that is refused: status, message, and the fields at fault."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: Iterable[Issue] = (),
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = tuple(errors)
        self.more = dict(more or {})
        self.headers = dict(headers or {})

    def as_json(self) -> dict[str, Any]:
        """Returns the body of the answer."""
        body: dict[str, Any] = {"status": self.status, "message": self.message, **self.more}
        fields: dict[str, list[str]] = {}
        for field, message in self.errors:
            fields.setdefault(field, []).append(message)
        if fields:
            body["errors"] = [{"field": field, "messages": messages} for field, messages in fields.items()]
        return body


class HtmlError(Exception):
    """A refusal by the proxy in front of the application, which answers with a page."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


def invalid(*errors: Issue) -> ApiError:
    """Returns the answer to content that fails a check."""
    return ApiError(400, INVALID, errors=errors)


def bad_request(message: str) -> ApiError:
    """Returns a 400 that names no field."""
    return ApiError(400, message)


def unauthorized() -> ApiError:
    """Returns the answer to a token that is not known."""
    return ApiError(
        401,
        "The server could not verify that you are authorized to access the URL requested. You either supplied the "
        "wrong credentials (e.g. a bad password), or your browser doesn't understand how to supply the credentials "
        "required.",
    )


def forbidden() -> ApiError:
    """Returns the answer to somebody who may not."""
    return ApiError(403, "Permission denied.")


def no_such_page() -> ApiError:
    """Returns the answer to an address that no route has."""
    return ApiError(
        404,
        "The requested URL was not found on the server. If you entered the URL manually please check your spelling "
        "and try again.",
    )


def does_not_exist() -> ApiError:
    """Returns the answer to an identifier that was never given, or whose draft is gone."""
    return ApiError(404, "The persistent identifier does not exist.")


def not_registered() -> ApiError:
    """Returns the answer to a question for a record that is only a draft yet."""
    return ApiError(404, "The persistent identifier is not registered.")


def not_found() -> ApiError:
    """Returns the answer to a bucket that is not there."""
    return ApiError(404, "Not found.")


def no_such_file(id: str, key: str) -> ApiError:
    """Returns the answer to a file that a record does not have."""
    return ApiError(404, f'Record "{id}" has no file "{key}".')


def gone(when: str) -> ApiError:
    """Returns the answer to a record that was deleted."""
    tombstone = {"removal_date": when, "is_visible": True}
    return ApiError(410, "The record has been deleted.", more={"tombstone": tombstone})


def revision_differs(wanted: str, found: int) -> ApiError:
    """Returns the answer to an If-Match that does not hold any more."""
    return ApiError(412, f"Revision id provided({wanted}) doesn't match record's one({found})")


def wrong_type(header: str, wanted: str) -> ApiError:
    """Returns the answer to a body (415) or a wish (406) of a type that is not spoken."""
    status = 415 if header == "Content-Type" else 406
    return ApiError(status, f"Invalid '{header}' header. Expecting one of: {wanted}")


def server_error() -> ApiError:
    """Returns the answer to a fault of the server's own."""
    return ApiError(
        500,
        "The server encountered an internal error and was unable to complete your request. Either the server is "
        "overloaded or there is an error in the application.",
        more={"error_id": uuid.uuid4().hex},
    )


def proxy_page(status: int) -> bytes:
    """Returns the page that a proxy shows for a status."""
    phrase = {504: "Gateway Time-out"}.get(status, HTTPStatus(status).phrase)
    title = f"{status} {phrase}"
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        f"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    ).encode()

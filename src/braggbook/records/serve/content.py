"""Bytes of files on their way in and out."""

from __future__ import annotations

import mimetypes
import re
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import quote

from .archive import Archive
from .model import StoredFile
from .problems import QUOTA_EXCEEDED, TRANSFER_FAILED, bad_request
from .routing import Request
from .store import Receiver
from .wire import Part, Reply

_RANGE = re.compile(r"bytes=(?:([0-9]+)-([0-9]*)|-([0-9]+))")


def media_type(key: str) -> str:
    """Returns the type that a file's name stands for."""
    return mimetypes.guess_type(key, strict=False)[0] or "application/octet-stream"


def receive_body(request: Request, receiver: Receiver, *, room: int) -> None:
    """Takes the body of a request in.

    Args:
        request: What brings it.
        receiver: Where it goes.
        room: How many bytes may come.

    Raises:
        ApiError: More come (400).
    """
    if request.body is None:
        raise bad_request(TRANSFER_FAILED)
    if (request.body.length or 0) > room:
        raise bad_request(QUOTA_EXCEEDED)
    for block in request.body.blocks():
        if receiver.size + len(block) > room:
            raise bad_request(QUOTA_EXCEEDED)
        receiver.write(block)


def send_file(archive: Archive, file: StoredFile, request: Request) -> Reply:
    """Answers with the bytes of a file, or with those that a Range asks for (RFC 9110, section 14)."""
    headers = {
        "ETag": f'"{file.checksum}"',
        "Last-Modified": format_datetime(datetime.fromisoformat(file.updated), usegmt=True),
        "Accept-Ranges": "bytes",
        "Content-MD5": file.md5,
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.key.rpartition('/')[2])}",
    }
    if headers["ETag"] in request.headers.get("If-None-Match", ""):
        return Reply(304, headers=headers)
    span = _span(request, headers, file.size)
    if span is None:
        return _part(archive, file, (0, file.size), headers, 200)
    start, end = span
    if start >= end:
        return Reply(416, headers={**headers, "Content-Range": f"bytes */{file.size}"}, content_type="text/plain")
    return _part(archive, file, span, {**headers, "Content-Range": f"bytes {start}-{end - 1}/{file.size}"}, 206)


def _part(archive: Archive, file: StoredFile, span: tuple[int, int], headers: dict[str, str], status: int) -> Reply:
    part = Part(archive.open(file), span[0], span[1] - span[0])
    return Reply(status, content_type=media_type(file.key), headers=headers, part=part)


def _span(request: Request, headers: dict[str, str], size: int) -> tuple[int, int] | None:
    match = _RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    fresh = request.headers.get("If-Range", headers["ETag"]) in (headers["ETag"], headers["Last-Modified"])
    if match is None or not fresh:
        return None  # several ranges at once are answered with everything, which the standard allows
    first, last, suffix = match.groups()
    start = max(size - int(suffix), 0) if suffix else int(first)
    return start, min(int(last) + 1, size) if last else size

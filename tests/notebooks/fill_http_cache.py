"""Puts answers into the HTTP cache of roc-validator, so that it need not ask: cache_path contexts.json.

Run by the interpreter of the validator's own environment.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests_cache import CachedSession
from urllib3 import HTTPResponse


class Shelf(HTTPAdapter):
    """Answers from a table instead of from the network."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        super().__init__()
        self._answers = answers

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        body = io.BytesIO(self._answers[str(request.url)])
        kind = {"Content-Type": "application/ld+json"}
        raw = HTTPResponse(body, kind, 200, preload_content=False, request_url=request.url)
        return self.build_response(request, raw)


if __name__ == "__main__":
    contexts = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    session = CachedSession(sys.argv[1], backend="sqlite", expire_after=-1)
    session.mount("https://", Shelf({url: json.dumps({"@context": terms}).encode() for url, terms in contexts.items()}))
    for url in contexts:
        session.get(url).raise_for_status()

"""A client that says no more than a test tells it to."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from braggbook.records.serve import Account, ArchiveServer

TOKEN = "a-token-that-nobody-may-see"
OTHER_TOKEN = "somebody-elses"
READER_TOKEN = "writes-but-never-publishes"
TOKENS = {
    TOKEN: Account(7),
    OTHER_TOKEN: Account(8),
    READER_TOKEN: Account(7, scopes=frozenset({"deposit:write"})),
}
METADATA = {
    "title": "Survival of V79 cells",
    "upload_type": "dataset",
    "description": "Counts.",
    "creators": [{"name": "Doe, Jane", "affiliation": "Institute", "orcid": "0000-0002-1825-0097"}],
    "publication_date": "2026-03-01",
    "access_right": "open",
    "license": "cc-by-4.0",
    "version": "1.2.0",
}
RDM_METADATA = {
    "title": "Survival of V79 cells",
    "resource_type": {"id": "dataset"},
    "creators": [{"person_or_org": {"type": "personal", "family_name": "Doe", "given_name": "Jane"}}],
    "publication_date": "2026-03-01",
    "publisher": "Institute",
}
RDM_JSON = "application/vnd.inveniordm.v1+json"


class Clock:
    """A clock that goes when the test says so."""

    def __init__(self) -> None:
        self.now = 1_780_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Client:
    """Sends requests with a token, or with none."""

    server: ArchiveServer
    token: str | None = TOKEN

    def __post_init__(self) -> None:
        self.session = requests.Session()
        if self.token is not None:
            self.session.headers["Authorization"] = f"Bearer {self.token}"

    def __call__(self, method: str, address: str, **more: Any) -> requests.Response:
        url = address if address.startswith("http") else f"{self.server.url}/api{address}"
        return self.session.request(method, url, timeout=10, allow_redirects=False, **more)

    def ok(self, method: str, address: str, **more: Any) -> Any:
        answer = self(method, address, **more)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def deposit(self, **metadata: Any) -> Any:
        return self.ok("POST", "/deposit/depositions", json={"metadata": {**METADATA, **metadata}})

    def upload(self, deposition: Any, key: str, content: Any) -> requests.Response:
        return self("PUT", f"{deposition['links']['bucket']}/{quote(key, safe='')}", data=content)

    def act(self, id: int, action: str) -> requests.Response:
        return self("POST", f"/deposit/depositions/{id}/actions/{action}")

    def published(self, files: dict[str, bytes] | None = None, **metadata: Any) -> Any:
        deposition = self.deposit(**metadata)
        for key, content in (files or {"a.txt": b"hello"}).items():
            assert self.upload(deposition, key, content).status_code == 201
        answer = self.act(deposition["id"], "publish")
        assert answer.status_code == 202, answer.text
        return answer.json()

    def draft(self, files: dict[str, bytes] | None = None, **metadata: Any) -> Any:
        draft = self.ok(
            "POST", "/records", json={"metadata": {**RDM_METADATA, **metadata}}, headers={"Accept": RDM_JSON}
        )
        for key, content in (files or {}).items():
            self.send_file(draft, key, content)
        return draft

    def send_file(self, draft: Any, key: str, content: bytes) -> Any:
        files = f"/records/{draft['id']}/draft/files"
        self.ok("POST", files, json=[{"key": key}])
        self.ok("PUT", f"{files}/{quote(key)}/content", data=content)
        return self.ok("POST", f"{files}/{quote(key)}/commit")


def errors_of(answer: requests.Response) -> dict[str, list[str]]:
    """The fields that an answer finds fault with."""
    body = answer.json()
    assert body["status"] == answer.status_code
    return {error["field"]: error["messages"] for error in body["errors"]}


def talk(server: ArchiveServer, sent: bytes, *, half_close: bool = False) -> bytes:
    """Sends bytes as they are and returns everything that comes back until the connection ends."""
    split = urlsplit(server.url)
    with socket.create_connection((split.hostname, split.port), timeout=10) as connection:
        connection.sendall(sent)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        parts = []
        try:
            while part := connection.recv(65536):
                parts.append(part)
        except ConnectionError:
            pass
        return b"".join(parts)

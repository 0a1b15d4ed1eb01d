"""A real OpenID provider on this machine, in a process of its own, with people in it.

It takes any client, asks for a nonce, signs with RS256, and shows a page with one button for each person, so that both
a browser and :func:`sign_in` can use it. It does not look at PKCE: for that, and for providers that do not behave,
there is :mod:`crooked_provider`.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import requests

PEOPLE: dict[str, dict[str, Any]] = {
    "0000-0002-1825-0097": {"name": "Josiah Carberry", "email": "josiah@example.org"},
    "0000-0001-5109-3700": {"name": "Laure Haak"},
}
_START_S = 30.0


@contextlib.contextmanager
def oidc_server(people: Mapping[str, Mapping[str, Any]] = PEOPLE, *, valid_s: int = 3600) -> Iterator[str]:
    """Starts a provider that knows these people, by subject, and gives its issuer; its tokens last ``valid_s``."""
    users = [part for sub, claims in people.items() for part in ("--user-claims", json.dumps({"sub": sub, **claims}))]
    options = ["--host", "127.0.0.1", "--port", "0", "--require-nonce", "true", "--token-max-age", str(valid_s)]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", *options, *users]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            yield _address_in(log, process)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def sign_in(url: str, *, subject: str) -> str:
    """Signs in at the provider as a browser would, and returns the address that it sends the browser to."""
    page = requests.get(url, timeout=10)
    assert page.status_code == 200, page.text
    answer = requests.post(url, data={"sub": subject}, allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def decline(url: str) -> str:
    """Declines at the provider, and returns the address that it sends the browser to."""
    answer = requests.post(url, data={"action": "deny"}, allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def _address_in(log: Path, process: subprocess.Popen[bytes]) -> str:
    """Returns the address that the server says it listens on."""
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        said = log.read_text(errors="replace")
        if found := re.search(r"running on (http://127\.0\.0\.1:\d+)", said):
            return found[1]
        assert process.poll() is None, said
        time.sleep(0.05)
    raise AssertionError(log.read_text(errors="replace"))

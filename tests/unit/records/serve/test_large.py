"""Files that are larger than a server's memory may be."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

pytestmark = pytest.mark.full

BLOCK = bytes(range(256)) * 4096  # 1 MiB
BLOCKS = 250
MOST_MEMORY_KB = 100_000  # an interpreter with the package has 40 MB; the file would add 250 MB
SCRIPT = """
import sys, time
from pathlib import Path
from braggbook.records.serve import Account, ArchiveServer
with ArchiveServer(Path(sys.argv[1]), {"secret": Account()}) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A server in a process of its own, so that its memory is its own."""
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "archive")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("how", ["sized", "chunked", "form"])
def test_memory_does_not_grow_with_a_file(
    process: subprocess.Popen[str], tmp_path: Path, needs: Callable[[str], str], how: str
) -> None:
    curl, large = needs("curl"), tmp_path / "large.bin"
    with large.open("wb") as stream:
        for _ in range(BLOCKS):
            stream.write(BLOCK)
    assert process.stdout
    url = process.stdout.readline().strip()
    token = "Authorization: Bearer secret"
    deposition = requests.post(
        f"{url}/api/deposit/depositions", json={}, headers=dict([token.split(": ")]), timeout=10
    ).json()
    bucket = f"{deposition['links']['bucket']}/large.bin"
    ways = {
        "sized": ["-T", str(large), bucket],
        "chunked": ["-T", str(large), "-H", "Transfer-Encoding: chunked", bucket],
        "form": ["-F", f"file=@{large}", deposition["links"]["files"]],
    }
    sent = subprocess.run(
        [curl, "-sS", "-H", token, *ways[how]], capture_output=True, text=True, timeout=120, check=True
    )
    if how == "form":
        assert "413" in sent.stdout  # the old-style form takes 100 MB
    else:
        assert hashlib.md5(BLOCK * BLOCKS).hexdigest() in sent.stdout
        got = subprocess.run([curl, "-sS", "-H", token, bucket], stdout=subprocess.PIPE, timeout=120, check=True).stdout
        assert len(got) == BLOCKS * len(BLOCK)
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():  # elsewhere than on Linux only the bytes are compared
        peak = re.search(r"VmHWM:\s+([0-9]+) kB", status.read_text())
        assert peak
        assert int(peak[1]) < MOST_MEMORY_KB

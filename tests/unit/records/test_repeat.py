"""What of a stranger's record is looked at before anything of it is executed."""

from __future__ import annotations

import pytest

from braggbook.records.repeat import odd_lines

from ...conftest import ROOT

HASH = "--hash=sha256:" + "0" * 64


@pytest.mark.parametrize("path", [*ROOT.glob("kernels/*/requirements.lock"), ROOT / "requirements.lock"], ids=str)
def test_our_own_locks_are_pins_alone(path: object) -> None:
    assert odd_lines(path.read_bytes()) == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "line",
    [
        "numpy==2.3.1",
        "numpy==2.3.1 ; python_version < '3.13' and sys_platform == 'darwin' \\",
        f"    {HASH} \\",
        f"    {HASH}",
        "pylibjpeg[openjpeg,rle]==2.0.1",
        "tomlkit==0.13.2 # as it was",
        "# requirements.in sha256:abc",
        "",
    ],
)
def test_pins_hashes_and_comments_are_taken(line: str) -> None:
    assert odd_lines(f"{line}\n".encode()) == []


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.org/simple",
        "-i https://example.org/simple",
        "  --extra-index-url=https://example.org/simple",
        "--find-links /tmp",
        "--no-binary :all:",
        "-r /etc/passwd",
        "-c other.txt",
        "-e .",
        "evil @ https://example.org/evil-1.0-py3-none-any.whl",
        "https://example.org/evil-1.0-py3-none-any.whl",
        "git+https://example.org/evil",
        "./evil",
        "evil",
        "evil>=1",
        "evil==1 --config-settings=x",
        "evil==1 ; os_name == 'posix' --index-url https://example.org",
        "${EVIL}==1",
        "# a comment that goes on \\",
        "numpy==1\r--index-url https://example.org/simple",
        "numpy==1\x0c--index-url https://example.org/simple",
        "numpy==1 # \u2028--index-url https://example.org/simple",
        "--hash=sha256:" + "0" * 63,
    ],
)
def test_whatever_would_install_from_elsewhere_is_named(line: str) -> None:
    issues = odd_lines(f"numpy==2.3.1 \\\n    {HASH}\n{line}\n".encode())
    assert [issue.where for issue in issues] == ["line 3"]
    assert "\r" not in str(issues[0])

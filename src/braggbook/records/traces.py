"""What must not leave: places and names of a machine, secrets, and patients."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from braggbook.errors import Issue
from braggbook.imaging.quality import assess
from braggbook.runs.scrub import Scrubber

_LARGEST_TEXT = 64 << 20  # bytes; what is larger is data
_CODE = (".whl",)
# Shapes of tokens that services give out, and of private keys; the scrubber knows the environment's secrets by value.
_TOKENS = re.compile(
    r"gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60,}|glpat-[\w-]{20,}|AKIA[0-9A-Z]{16}|xox[abpr]-[\w-]{20,}|"
    r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----|[?&]access_token=\w+|Bearer [A-Za-z0-9._~+/-]{20,}"
)
_DICOM_AT, _DICOM = 128, b"DICM"


def find_traces(files: Mapping[str, Path | bytes], *, scrubber: Scrubber) -> list[Issue]:
    """Returns what identifies a machine, a person or a patient in what would be sent.

    Args:
        files: By name: where each is, or what is in it.
        scrubber: Which places, names and secrets to look for.
    """
    found: list[Issue] = []
    for name, content in sorted(files.items()):
        if name.endswith(_CODE):
            continue
        found += _in_text(name, name, scrubber)
        if isinstance(content, Path) and _is_dicom(content):
            found += _in_dicom(name, content)
        elif (text := _text_of(content)) is not None:
            found += _in_text(name, text, scrubber)
    return found


def _text_of(content: Path | bytes) -> str | None:
    if isinstance(content, Path):
        if content.stat().st_size > _LARGEST_TEXT:
            return None
        content = content.read_bytes()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _in_text(name: str, text: str, scrubber: Scrubber) -> list[Issue]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        where = name if text == name else f"{name}:{number}"
        if _TOKENS.search(line):
            found.append(Issue("something like a token or key", where))
        if (clean := scrubber.text(line)) != line:
            marks = ", ".join(sorted(set(re.findall(r"<(?:home|user|host|tmp|env|secret|project|run)>", clean))))
            found.append(Issue("a trace of this machine or person", where, got=marks))
    return found


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(_DICOM_AT + len(_DICOM))[_DICOM_AT:] == _DICOM


def _in_dicom(name: str, path: Path) -> list[Issue]:
    """Returns what the quality checks on identity find."""
    checks = [
        check for check in assess(path, use="sharing", pixels=False).failed if check.dimension == "identity leakage"
    ]
    return [
        Issue("may identify a patient", name, got=" ".join(filter(None, (finding.tag, finding.found))))
        for check in checks
        for finding in check.findings
    ]

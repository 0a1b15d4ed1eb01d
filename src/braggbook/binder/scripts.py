"""``postBuild`` and ``start``: strict, without secrets, and ending as repo2docker needs it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from braggbook.binder.files import EXECUTABLE, FOLDER, POST_BUILD, START
from braggbook.errors import Issue

# A build log is public and has no account; these words would only be there to use one.
_SECRET = re.compile(
    r"(?i)\$\{?\w*(?:TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|CREDENTIAL)\w*|\.netrc|\.pypirc|(?:^|\s)gh auth|://[^/\s:@]+:[^/\s@]+@"
)
_ROOT = re.compile(r"(?:^|[;&|]\s*)\s*(?:sudo|apt|apt-get|su)\s")
_UNPINNED = re.compile(
    r"\bpip3?\s+install\b(?!.*(?:--no-deps|--require-hashes))|\buv\s+pip\s+install\b(?!.*--require-hashes)"
)
_FETCHED = re.compile(r"\b(?:curl|wget)\b.*\|\s*(?:ba|z|da)?sh\b")
_UNLOCKED = re.compile(r"\bnpm\s+(?:install|i)\b")
_RULES = (
    (_SECRET, "uses a secret", "nothing that needs an account: the log of a build is public"),
    (_ROOT, "needs root", "names in apt.txt: it runs as an ordinary user"),
    (_UNPINNED, "installs what no hash holds", "pins in requirements.txt, or --no-deps for the package itself"),
    (_FETCHED, "runs what it downloads", "a pinned package"),
    (_UNLOCKED, "installs what no lock holds", "npm ci"),
)
_STRICT = ("set -euo pipefail", "set -eu -o pipefail", "set -e -u -o pipefail")


def script_issues(project: Path) -> Iterator[Issue]:
    """Yields what is wrong with the two scripts."""
    for name in EXECUTABLE:
        path = project / FOLDER / name
        if path.is_file():
            yield from _script(path.read_bytes().decode(errors="replace"), f"{FOLDER}/{name}")  # with its ends of lines
            yield from _syntax(path, f"{FOLDER}/{name}")


def _script(text: str, name: str) -> Iterator[Issue]:
    lines = text.splitlines() or [""]
    if not re.fullmatch(r"#! ?(/usr)?/bin/(env )?bash( -l)?", lines[0]):
        yield Issue("does not say what runs it", f"{name}, line 1", "#!/bin/bash", lines[0])
    if "\r" in text:
        yield Issue("lines that end as on Windows", name, "LF alone, for the interpreter's name ends with the line")
    code = [
        (number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")
    ]
    first = code[0] if code else (1, "")
    if first[1].strip() not in _STRICT:
        wanted = "set -euo pipefail before all else, or errors are swallowed"
        yield Issue("not strict", f"{name}, line {first[0]}", wanted, first[1].strip())
    for number, line in code:
        for rule, what, wanted in _RULES:
            if match := rule.search(line):
                yield Issue(what, f"{name}, line {number}", wanted, match[0].strip())
        if re.search(r"\bset\s+\+\w*e|\|\|\s*true\b", line):
            yield Issue("lets an error pass", f"{name}, line {number}", "an error ends it", line.strip())
    if name.endswith(f"/{START}") and (not code or code[-1][1].strip() != 'exec "$@"'):
        yield Issue("does not start what it is given", f"{name}, line {len(lines)}", 'exec "$@" as its last line')
    if name.endswith(f"/{POST_BUILD}") and not any("--no-deps" in line for _, line in code):
        wanted = "python -m pip install --no-deps --no-build-isolation ."
        yield Issue("does not install the package", name, wanted)


def _syntax(path: Path, name: str) -> Iterator[Issue]:
    bash = shutil.which("bash")
    if bash is None:  # on a system without it nobody can say
        return
    done = subprocess.run([bash, "-n", str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        yield Issue("not a script that bash can read", name, got=done.stderr.strip().replace(str(path), name)[:300])

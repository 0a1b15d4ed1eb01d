"""How secrets, people's addresses and machines' places look, in bytes of any kind.

Every rule has literals that its pattern cannot do without: they are looked for first, which is a hundred times quicker.
A finding names the kind of thing and the place, never the thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from braggbook.runs.scrub import Scrubber

LONGEST = 4096  # bytes that a finding may have: blocks overlap by so many
_PRIVATE_KEY = rb"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d"
_ROOTS = tuple(
    f"/{name}/".encode()
    for name in (
        "home", "Users", "root", "mnt", "media", "Volumes", "scratch", "nas", "gpfs", "lustre", "private", "cluster",
        "afs", "nfs", "net", "export", "workspace", "workspaces", "var", "srv", "tmp", "project", "projects", "data",
        "work", "storage", "opt", "run/user",
    )
)  # fmt: skip
# A path begins behind no letter, and an address's path behind its host; colours and escapes stand before one too.
_BEFORE = rb"(?:(?<![\w.\-/~>)}\]<])|(?<=\dm)|(?<=\\[ntr])|(?<=-[IL])|(?<=file://))"
_EMAIL = rb"(?<![\w.+%-])[A-Za-z0-9][\w.+%-]{1,63}@(?:[A-Za-z0-9][A-Za-z0-9-]{1,62}\.){1,4}[A-Za-z]{2,24}(?![\w-])"
_NOBODY = re.compile(
    rb"(?i)(?:git|no-?reply)@.*|.*@(?:.*\.)?(?:example\.(?:org|com|net)|users\.noreply\.github\.com)|.*\.(?:example|test"
    rb"|invalid|local|py|ipynb|json|toml|png|svg|csv)"
)


@dataclass(frozen=True)
class Rule:
    """One kind of thing that must not leave."""

    what: str
    literals: tuple[bytes, ...]
    pattern: bytes
    code: bool = True  # is it also looked for in Braggbook's own code?
    binary: bool = True  # could it be told from chance among numbers?

    @cached_property
    def compiled(self) -> re.Pattern[bytes]:
        """The pattern."""
        return re.compile(self.pattern)


_ALONE = rb"(?<![A-Za-z0-9])"
_GITHUB = tuple(f"gh{letter}_".encode() for letter in "pousr")
_URL_LOGIN = rb"[A-Za-z][A-Za-z0-9+.-]{1,15}://[^\s/:@\"'<>\\{}]{1,256}:[^\s/@\"'<>\\{}]{1,256}@"
_URL_TOKEN = (
    rb"[?&](?:amp;)?(?:access_token|private_token|token|api_?key|auth|X-Amz-Signature|[Ss]ignature)=[\w%.~-]{12,}"
)
_ASSIGNED = (
    rb"(?i)(?:token|secret|password|passwd|api_?key)\w{0,24}[\"'\\]*\s{0,4}[:=]\s{0,4}[\\]*[\"']"
    rb"(?=[^\"'\\]*\d)(?=[^\"'\\]*[A-Za-z])[\w.~+/=-]{12,200}[\\]*[\"']"
)
_ASSIGNED_WORDS = (b"oken", b"OKEN", b"ecret", b"ECRET", b"assw", b"ASSW", b"pi_key", b"PI_KEY", b"pikey")
_WINDOWS_HOME = rb"[A-Za-z]:[\\/]{1,4}(?:Users|Documents and Settings)[\\/]{1,4}\w"
_DRIVE = _ALONE + rb"[A-Z]:\\{1,4}[A-Za-z][\w .-]{1,64}\\{1,4}\w"
_SHARE = rb"(?<![\\\w:])\\\\(?:\\\\)?[A-Za-z][\w.-]{2,64}\\{1,2}[A-Za-z][\w$-]{2,64}\\{1,2}\w"
_ROOTED = _BEFORE + rb"(?:" + b"|".join(map(re.escape, _ROOTS)) + rb")[\w.~-]"
_TOKENS = (
    Rule("a GitHub token", _GITHUB, _ALONE + rb"gh[pousr]_[A-Za-z0-9]{20,}"),
    Rule("a GitHub token", (b"github_pat_",), rb"github_pat_\w{20,}"),
    Rule("a GitLab token", (b"glpat-",), rb"glpat-[\w-]{16,}"),
    Rule("an AWS key", (b"AKIA", b"ASIA"), rb"(?<![A-Za-z0-9+/=])A[KS]IA[0-9A-Z]{16}(?![A-Za-z0-9+/])"),
    Rule("a Slack token", (b"xox", b"xapp-"), _ALONE + rb"(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,}"),
    Rule("a Slack address", (b"hooks.slack.com",), rb"hooks\.slack\.com/services/[\w/]{16,}"),
    Rule("a JSON web token", (b"eyJ",), rb"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"),
    Rule("a private key", (b"PRIVATE KEY", b"PuTTY-User-Key"), _PRIVATE_KEY),
    Rule("a Google key", (b"AIza", b"ya29."), rb"AIza[\w-]{35}|ya29\.[\w-]{20,}"),
    Rule("a Hugging Face token", (b"hf_",), _ALONE + rb"hf_[A-Za-z0-9]{30,}"),
    Rule("a PyPI token", (b"pypi-",), rb"pypi-[\w-]{60,}"),
    Rule("an npm token", (b"npm_",), _ALONE + rb"npm_[A-Za-z0-9]{36}"),
    Rule("an API key", (b"sk-",), rb"(?<![A-Za-z0-9-])sk-(?:(?:ant|proj|live|test)-[\w-]{20,}|[A-Za-z0-9]{32,})"),
    Rule("a password in an address", (b"://",), _URL_LOGIN),
    Rule("a token in an address", (b"token=", b"key=", b"auth=", b"ignature="), _URL_TOKEN),
    Rule("a token of a request", (b"Bearer ", b"Basic "), rb"(?:Bearer|Basic) [A-Za-z0-9._~+/-]{20,}=*"),
    Rule("something like a password", _ASSIGNED_WORDS, _ASSIGNED, binary=False),
)
_PLACES = (
    Rule("an absolute path", _ROOTS, _ROOTED, code=False, binary=False),
    Rule("a path in somebody's home", (b"/home/", b"/Users/"), rb"/(?:home|Users)/[A-Za-z][\w.-]{2,}/", code=False),
    Rule("a path in somebody's home", (b":\\", b":/Users/"), _WINDOWS_HOME, code=False, binary=False),
    Rule("a path of a drive", (b":\\",), _DRIVE, code=False, binary=False),
    Rule("a path of a server", (b"\\\\",), _SHARE, code=False, binary=False),
)
_ADDRESS = Rule("an e-mail address", (b"@",), _EMAIL, code=False)
_MARKS = {
    "<home>": "a path in somebody's home",
    "<user>": "the user's name",
    "<host>": "the machine's name",
    "<tmp>": "a path of temporary files",
    "<env>": "a path of the Python environment",
    "<project>": "the project's path",
    "<run>": "the run's path",
    "<secret>": "a secret of the environment",
}


_ADDRESS_TO_HERE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>\\]*\Z")
_LONGEST_ADDRESS = 300


def _in_address(data: bytes, at: int) -> bool:
    """Whether what begins there is the path of a page, as in https://host/home/page, and no file's."""
    found = _ADDRESS_TO_HERE.search(data[max(0, at - _LONGEST_ADDRESS) : at])
    return found is not None and not found[0].startswith(b"file:")


@dataclass(frozen=True)
class Sought:
    """Everything to look for.

    Attributes:
        scrubber: Places, names and secrets of this machine.
        own_words: What authors wrote for all to read.
    """

    scrubber: Scrubber
    own_words: str = ""

    @cached_property
    def allowed(self) -> frozenset[bytes]:
        """E-mail addresses that authors stated themselves."""
        return frozenset(match[0].lower() for match in _ADDRESS.compiled.finditer(self.own_words.encode()))

    @cached_property
    def known(self) -> tuple[tuple[str, re.Pattern[bytes], bytes], ...]:
        """What this machine has of its own: kind, pattern, and the literal that is in all of it."""
        found = []
        for secret in self.scrubber.secrets:
            found.append((_MARKS["<secret>"], re.compile(re.escape(secret.encode())), secret.encode()))
        for prefix, mark in self.scrubber.paths:
            before = rb"" if prefix.count("/") > 1 else _BEFORE
            pattern = before + re.escape(prefix.encode()) + rb"(?![\w-])"
            found.append((_MARKS.get(mark, "a path of this machine"), re.compile(pattern), prefix.encode()))
        for word, mark in self.scrubber.words:
            pattern = rb"(?<![\w.-])" + re.escape(word.encode()) + rb"(?![\w-])"
            found.append((_MARKS[mark], re.compile(pattern), word.encode()))
        return tuple(found)

    def look(self, data: bytes, *, text: bool, code: bool = False) -> Iterator[tuple[int, str]]:
        """Yields where in a piece something is, and what.

        Args:
            data: The piece.
            text: Whether it is text, and not numbers that look like anything by chance.
            code: Whether it is Braggbook's own code, which speaks of places and names.
        """
        for what, pattern, literal in self.known:
            is_secret = what == _MARKS["<secret>"]
            if literal not in data or (code and not is_secret) or (not text and not is_secret and len(literal) < 6):
                continue
            for match in pattern.finditer(data):
                yield match.start(), what
        for rule in (*_TOKENS, *_PLACES):
            if (code and not rule.code) or not (text or rule.binary):
                continue
            if any(literal in data for literal in rule.literals):
                for match in rule.compiled.finditer(data):
                    if rule not in _PLACES or not _in_address(data, match.start()):
                        yield match.start(), rule.what
        if not code and b"@" in data:
            yield from self._addresses(data, text=text)

    def _addresses(self, data: bytes, *, text: bool) -> Iterator[tuple[int, str]]:
        for match in _ADDRESS.compiled.finditer(data):
            address = match[0].lower()
            # among numbers something like an address comes by chance, a long one in small letters does not
            if not text and not re.fullmatch(rb"[a-z][a-z.]{3,}@(?:[a-z-]{3,}\.)+[a-z]{2,6}", match[0]):
                continue
            if address not in self.allowed and not _NOBODY.fullmatch(address):
                yield match.start(), _ADDRESS.what

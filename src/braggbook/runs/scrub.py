"""Taking a machine's and a person's traces out of everything that a run keeps."""

from __future__ import annotations

import getpass
import os
import re
import socket
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

_SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|AUTH", re.IGNORECASE
)
_SHORTEST_SECRET = 8  # a shorter value is a word like "true", and would be found everywhere
_SHORTEST_NAME = 3
# Names that say nothing about a person or a machine; as words they would tear holes into ordinary text.
_COMMON_NAMES = {
    "root",
    "user",
    "users",
    "admin",
    "guest",
    "ubuntu",
    "debian",
    "nobody",
    "jovyan",
    "localhost",
    "home",
    "braggbook",
}
# Where a path or a name can begin: behind no letter, but for a colour in IPython's tracebacks (it ends in a digit and
# "m"), an escape in a printed text ("\\n") and a compiler's option ("-I").
_BEFORE = r"(?:(?<![\w.-])|(?<=\dm)|(?<=\\[ntr])|(?<=-[IL]))"
_BASE64 = re.compile(r"(base64,\n?[A-Za-z0-9+/=]+)")  # matplotlib begins a line behind the comma
_BINARY_KEYS = {"data", "png", "image/png", "image/jpeg", "image/gif", "application/pdf"}
_BASE64_ALONE = re.compile(r"(?!/(?!9j/))[A-Za-z0-9+/\n]*={0,2}\n?")  # a path is none; JPEG begins with /9j/
# A table that is printed cuts long paths short, so that the whole prefix is not there to be found.
_SOMEBODYS_HOME = re.compile(_BEFORE + r"/(?:home|Users|var/home)/[^/\s'\"<>]+")
_USUAL = {"tmp": [Path("/tmp"), Path("/var/tmp")], "home": [Path("/root")]}  # noqa: S108 - found, not used
_PYTHON_TEMPORARY = re.compile(r"<tmp>/ipykernel_\d+/\d+\.py")


@dataclass(frozen=True)
class Scrubber:
    """Replaces path prefixes by ``<home>``, ``<env>``, ``<tmp>`` and so on, and names and secrets by ``<user>`` etc."""

    paths: tuple[tuple[str, str], ...]
    words: tuple[tuple[str, str], ...]
    secrets: tuple[str, ...]

    def text(self, text: str) -> str:
        """Returns ``text`` without the traces; embedded base64 is left as it is."""
        if "base64," not in text:
            return self._plain(text)
        parts = _BASE64.split(text)
        return "".join(part if at % 2 else self._plain(part) for at, part in enumerate(parts))

    def _plain(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, "<secret>")
        for prefix, mark in self.paths:
            if prefix in text:
                # "/root" may be the end of another path; a prefix of several parts is itself wherever it stands
                before = "" if prefix.count("/") > 1 else _BEFORE
                text = re.sub(before + re.escape(prefix) + r"(?![\w-])", mark, text)
        for word, mark in self.words:
            if word in text:
                text = re.sub(_BEFORE + re.escape(word) + r"(?![\w-])", mark, text)
        text = _SOMEBODYS_HOME.sub("<home>", text)
        # IPython names a cell by the process's number: another one each time, for the same error
        return _PYTHON_TEMPORARY.sub("<cell>", text)

    def tree(self, value: Any) -> Any:
        """Returns a JSON-like value with every text in it scrubbed, keys included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): item if _binary(key, item) else self.tree(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.tree(item) for item in value]
        return value

    def sparing(self, vocabulary: str) -> Scrubber:
        """Returns a scrubber that takes a user's or machine's name for a word where it is one of ``vocabulary``."""
        known = _words_of(vocabulary)
        return replace(self, words=tuple((name, mark) for name, mark in self.words if name.lower() not in known))


def _words_of(text: str) -> set[str]:
    return set(re.findall(r"[\w-]+", text.lower()))


def _binary(key: Any, item: Any) -> bool:
    # base64 is no text: a short name could occur in it by chance, and to change it would break the data
    return key in _BINARY_KEYS and isinstance(item, str) and _BASE64_ALONE.fullmatch(item) is not None


def make_scrubber(
    *places: Mapping[str, Path],
    vocabulary: str,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
    host: str | None = None,
) -> Scrubber:
    """Builds the scrubber of a run.

    Args:
        places: Folders by their mark (``"run"``, ``"project"``, ``"env"``); home and temporary folders are added.
            More than one mapping where an execution has been in more than one place.
        vocabulary: The notebook's own source. A user's or machine's name that stands in it is the notebook's word.
        environment: Whose secrets to look for; defaults to the process's own.
        user: Whose name to take out; defaults to the one that runs this process.
        host: Likewise the machine's.
    """
    environment = os.environ if environment is None else environment
    marks: dict[str, list[Path]] = {"env": []}
    for group in places:
        for mark, path in group.items():
            marks.setdefault(mark, []).append(path)
    marks["env"] = [
        *marks["env"],
        *(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib")),
        Path(sys.prefix),
    ]
    marks["tmp"] = [*marks.get("tmp", []), Path(tempfile.gettempdir()), *_USUAL["tmp"]]
    marks["home"] = [*marks.get("home", []), Path.home(), *_USUAL["home"]]
    spellings = {
        (str(form), f"<{mark}>") for mark, paths in marks.items() for path in paths for form in (path, path.resolve())
    }
    paths = sorted((pair for pair in spellings if len(pair[0]) > 1), key=lambda pair: -len(pair[0]))
    secrets = [v for name, v in environment.items() if _SECRET_NAME.search(name) and len(v) >= _SHORTEST_SECRET]
    secrets = [value for value in secrets if not value.startswith("/")]
    words = _names(vocabulary, _user() if user is None else user, socket.gethostname() if host is None else host)
    return Scrubber(tuple(paths), tuple(words), tuple(sorted(secrets, key=len, reverse=True)))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without an entry, as in some containers
        return ""


def _names(vocabulary: str, user: str, host: str) -> list[tuple[str, str]]:
    found = [(host, "<host>"), (host.partition(".")[0], "<host>"), (user, "<user>")]
    known = _words_of(vocabulary)
    return [
        (name, mark)
        for name, mark in dict.fromkeys(found)
        if len(name) >= _SHORTEST_NAME and name.lower() not in _COMMON_NAMES and name.lower() not in known
    ]

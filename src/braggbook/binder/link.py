"""A launch link for a notebook: where it is published, pinned, with values for its parameters."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from braggbook.binder.files import BADGE, FOLDER
from braggbook.binder.launch import HUB, Launch
from braggbook.binder.repository import (
    Remote,
    pushed_commit,
    read_remote,
    remote_of,
    require_file,
    shown_address,
    top_of,
)
from braggbook.errors import InputError
from braggbook.notebooks.source import Notebook

WHERE = ("github", "gitlab", "git", "zenodo")
LOCAL_BADGE = f"{FOLDER}/{BADGE}"
_HOSTS = {"github.com": "github", "gitlab.com": "gitlab"}
_PROVIDERS = {"github": "gh", "gitlab": "gl", "git": "git"}
_COMMIT = re.compile(r"[0-9a-f]{40}")
_DOI = re.compile(r"(?:(?:https?://)?(?:dx\.)?doi\.org/|doi:)?(10\.5281/zenodo\.\d+)", re.IGNORECASE)
_HUB = re.compile(
    r"https://[\w.-]+(?::\d+)?(?:/[\w.~-]+)*/?", re.ASCII
)  # no account: whoever gets the link would have it
_PICTURE_SAFE = "/:?=&%#+,;@~!$*"  # of an address; what would end it in Markdown or HTML is written as %XX
_LONG = 8000  # characters that every server should take: RFC 9110, section 4.1
_REF = re.compile(r"[A-Za-z0-9][\w./+-]*")
_LABEL = "Open on Binder"


@dataclass(frozen=True)
class Wanted:
    """What a person asks of a link; empty where it is to be found out."""

    to: str = ""  # one of WHERE
    ref: str = ""
    repository: str = ""  # owner/name, or an address
    doi: str = ""
    hub: str = HUB


@dataclass(frozen=True)
class Link:
    """A launch link, and what is to be known of it."""

    launch: Launch
    notes: tuple[str, ...] = ()

    def badge(self, syntax: str, *, image: str = "") -> str:
        """Returns the link with a picture, for pasting.

        Args:
            syntax: ``markdown``, ``html`` or ``rst``.
            image: Where the picture lies; by default at the BinderHub, which the link leads to anyway.
        """
        url, picture = self.launch.url, quote(image, safe=_PICTURE_SAFE) or f"{self.launch.hub}/badge_logo.svg"
        if syntax == "markdown":
            return f"[![{_LABEL}]({picture})]({url})"
        if syntax == "html":
            alt, source, target = html.escape(_LABEL), html.escape(picture), html.escape(url)
            return f'<a href="{target}"><img src="{source}" alt="{alt}"></a>'
        return f".. image:: {picture}\n   :target: {url}\n   :alt: {_LABEL}"


def make_link(notebook: Notebook, given: Mapping[str, str], wanted: Wanted) -> Link:
    """Returns the link that opens a notebook.

    Args:
        notebook: Of a repository that is published.
        given: Values of parameters as text, checked here; those at their default are left out.
        wanted: Where it leads.

    Raises:
        ParameterError: The notebook does not accept a value.
        InputError: It is not known where the repository is published, or what lies here is not what is there.
    """
    link = _link(notebook, values_of_link(notebook, given), wanted)
    length = len(link.launch.url)
    note = f"the link has {length} characters; some servers take no more than {_LONG}: give long values in the notebook"
    return Link(link.launch, (*link.notes, note)) if length > _LONG else link


def _link(notebook: Notebook, values: tuple[tuple[str, str], ...], wanted: Wanted) -> Link:
    top = top_of(notebook.path)
    path = notebook.path.resolve().relative_to(top.resolve()).as_posix()  # git has no path through a symbolic link
    hub = _checked_hub(wanted.hub)
    if wanted.to == "zenodo" or (wanted.doi and not wanted.to):
        return _of_record(path, values, doi=wanted.doi, hub=hub)
    to, repository = _published(top, wanted)
    notes = []
    if wanted.ref:
        if not _REF.fullmatch(wanted.ref) or ".." in wanted.ref:
            raise InputError("not a commit, tag or branch", where="--ref", got=wanted.ref)
        ref = wanted.ref
        if not require_file(top, ref, path):
            notes.append(f"git does not know {ref} here, so nobody looked whether it has {path}")
        if not _COMMIT.fullmatch(ref):
            notes.append(f"{ref} may move: only a whole commit (40 digits) leads to the same files for ever")
    else:
        ref = pushed_commit(top, path)
    return Link(Launch(_PROVIDERS[to], repository, ref, path, values, hub), tuple(notes))


def values_of_link(notebook: Notebook, given: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Returns the given values that are no defaults, in the order of the parameters cell, as they were typed.

    Raises:
        ParameterError: The notebook does not accept one; all findings are listed.
    """
    resolved = notebook.parameters.resolve(given, where=notebook.slug)
    defaults = notebook.parameters.defaults
    return tuple((name, given[name]) for name in defaults if name in given and resolved[name] != defaults[name])


def _checked_hub(hub: str) -> str:
    if not _HUB.fullmatch(hub):
        got = "an address with an account" if "@" in hub else hub
        raise InputError("not the address of a BinderHub", where="--hub", wanted="https://HOST", got=got)
    return hub.rstrip("/")


def _of_record(path: str, values: tuple[tuple[str, str], ...], *, doi: str, hub: str) -> Link:
    match = _DOI.fullmatch(doi)
    if match is None:
        wanted = "the DOI of a record of Zenodo that holds this repository: 10.5281/zenodo.NUMBER"
        raise InputError("Binder opens records of Zenodo by their DOI", where="--doi", wanted=wanted, got=doi or "none")
    note = (
        "take the DOI of one version: Zenodo's DOI for all versions leads to the newest, whose files may be others; "
        "the record's one file must be a zip of the repository"
    )
    return Link(Launch("zenodo", match[1].lower(), "", path, values, hub), (note,))


def _published(top: Path, wanted: Wanted) -> tuple[str, str]:
    """Returns which provider, and what it calls the repository."""
    remote = _named(wanted) if wanted.repository else remote_of(top)
    if remote is None:
        got = shown_address(top, wanted.repository) or "no remote, or several and none is called origin"
        raise InputError(
            "nobody knows where this repository is published",
            where=str(top),
            wanted="a remote at GitHub, GitLab or another host (OWNER/NAME), or --repository OWNER/NAME with --to",
            got=got,
            next_command="git remote add origin ADDRESS",
        )
    found = _HOSTS.get(remote.host, "git")
    to = wanted.to or found
    if to not in ("git", found):
        raise InputError(
            "published elsewhere", where=str(top), wanted=f"--to {found}", got=f"{to}, but {remote.address}"
        )
    return to, remote.address if to == "git" else remote.repository


def _named(wanted: Wanted) -> Remote | None:
    from_address = {"github": "github.com", "gitlab": "gitlab.com"}.get(wanted.to or "github", "")
    short = re.fullmatch(r"[\w.-]+(/[\w.-]+)+", wanted.repository)
    if short and from_address:
        return read_remote(f"https://{from_address}/{wanted.repository}")
    return read_remote(wanted.repository)

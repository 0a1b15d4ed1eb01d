"""Launch links of a BinderHub: built from their parts, and taken apart again.

BinderHub's addresses are ``/v2/<provider>/<what the provider needs>?<what is opened>``. ``labpath`` is a file that
JupyterLab opens; ``urlpath`` any address below the server's, with a query of its own if need be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from braggbook.errors import InputError

HUB = "https://mybinder.org"
OPEN_ROUTE = "braggbook/open"  # of the server extension; see braggbook.binder.opening
Provider = Literal["gh", "gl", "git", "zenodo"]
_PROVIDERS = ("gh", "gl", "git", "zenodo", "gist", "figshare", "hydroshare", "dataverse", "ckan")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TREE = "lab/tree/"
# A BinderHub makes an address of `labpath` by encodeURI, which leaves these as they are: the path would end there.
# https://github.com/jupyterhub/binderhub/blob/main/js/packages/binderhub-client/lib/client.js (fromSearchParams)
_NOT_IN_LABPATH = re.compile(r"[?#]")
_SPEC = {  # what stands between /v2/<provider>/ and the query
    "gh": re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)/(?P<ref>[^?#\s]+?)/?"),
    "gl": re.compile(r"(?P<repository>[\w.-]+(?:%2[Ff][\w.-]+)+)/(?P<ref>[^?#\s]+?)/?"),
    "git": re.compile(r"(?P<repository>https?%3[Aa]%2[Ff]%2[Ff][^/?#\s]+)/(?P<ref>[^?#\s]+?)/?"),
    "zenodo": re.compile(r"(?P<repository>10\.5281/zenodo\.\d+)(?P<ref>)/?"),
}
_PREFIX = "p."


@dataclass(frozen=True)
class Launch:
    """What a launch link says.

    ``repository`` is ``owner/name``, an address (``git``) or a DOI (``zenodo``, which has no ``ref``).
    """

    provider: str
    repository: str
    ref: str
    path: str  # of the notebook in the repository, empty where the link opens none
    values: tuple[tuple[str, str], ...] = ()  # of parameters, as text
    hub: str = HUB

    @property
    def pinned(self) -> bool:
        """Whether the link leads to the same files for ever."""
        return self.provider == "zenodo" or _COMMIT.fullmatch(self.ref) is not None

    @property
    def url(self) -> str:
        """The link."""
        place = quote(self.repository, safe="/" if self.provider in ("gh", "zenodo") else "")
        spec = f"{place}/{quote(self.ref, safe='/')}"
        return f"{self.hub}/v2/{self.provider}/{spec}{self._query}"

    @property
    def _query(self) -> str:
        if not self.path:
            return ""
        if not self.values and not _NOT_IN_LABPATH.search(self.path):
            return f"?labpath={quote(self.path, safe='')}"
        if not self.values:
            return f"?urlpath={quote(_TREE + quote(self.path), safe='')}"
        return f"?urlpath={quote(open_path(self.path, dict(self.values)), safe='')}"


def open_path(path: str, values: dict[str, str]) -> str:
    """Returns the address below a Jupyter server's that opens a notebook with these values."""
    query = [("notebook", path), *((_PREFIX + name, value) for name, value in values.items())]
    return f"{OPEN_ROUTE}?{urlencode(query, quote_via=quote)}"


def read_open_query(query: str) -> tuple[str, dict[str, str]]:
    """Returns the notebook's path and the values that the query of :data:`OPEN_ROUTE` names.

    Raises:
        InputError: A name that it does not know, a parameter twice, or no notebook.
    """
    path, values = "", {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        short = name.removeprefix(_PREFIX)
        if name == "notebook" and not path:
            path = value
        elif name == "token":  # a BinderHub adds it
            continue
        elif name.startswith(_PREFIX) and short and short not in values:
            values[short] = value
        else:
            wanted = f"notebook=PATH once, and {_PREFIX}NAME=VALUE once for each parameter"
            raise InputError("not a link that opens a notebook", where="query", wanted=wanted, got=f"{name}={value}")
    if not path:
        raise InputError(
            "not a link that opens a notebook", where="query", wanted="notebook=PATH", got=query or "nothing"
        )
    return path, values


def looks_like_launch(url: str) -> bool:
    """Returns whether an address is meant to be a launch link: mybinder.org, or a known provider below ``/v2/``."""
    parts = urlsplit(url)
    below = parts.path.split("/")
    own = parts.netloc == urlsplit(HUB).netloc and len(below) > 1 and below[1] in ("v2", "repo", "build")
    return own or re.search(rf"/v2/({'|'.join(_PROVIDERS)})/", parts.path) is not None


def read_launch(url: str) -> Launch:
    """Takes a launch link apart.

    Raises:
        InputError: It is none, or not one that leads anywhere.
    """
    parts = urlsplit(url)
    match = re.fullmatch(r"(?P<base>.*)/v2/(?P<provider>\w+)/(?P<spec>.+)", parts.path)
    provider = match["provider"] if match else ""
    spec = _SPEC[provider].fullmatch(match["spec"]) if match and provider in _SPEC else None
    if parts.scheme != "https" or match is None or spec is None:
        wanted = "https://HUB/v2/gh/OWNER/NAME/REF, /v2/gl/OWNER%2FNAME/REF, /v2/git/ADDRESS/REF or /v2/zenodo/DOI"
        raise InputError("not a launch link", where=url, wanted=wanted)
    path, values = _opened(parts.query, url)
    hub = f"https://{parts.netloc}{match['base']}"
    return Launch(provider, unquote(spec["repository"]), unquote(spec["ref"]), path, tuple(values.items()), hub)


def _opened(query: str, url: str) -> tuple[str, dict[str, str]]:
    pairs = parse_qsl(query, keep_blank_values=True)
    known = {"labpath", "urlpath", "filepath"}
    if len(pairs) > 1 or any(name not in known for name, _ in pairs):
        wanted = "one of labpath, urlpath and filepath, once"
        raise InputError("not a launch link", where=url, wanted=wanted, got=query)
    if not pairs:
        return "", {}
    name, value = pairs[0]
    if name != "urlpath":
        return _inside(value, url), {}
    head, _, inner = value.lstrip("/").partition("?")
    if head == OPEN_ROUTE:
        path, values = read_open_query(inner)
        return _inside(path, url), values
    return (_inside(unquote(head.removeprefix(_TREE)), url), {}) if head.startswith(_TREE) else ("", {})


def _inside(path: str, url: str) -> str:
    if not path or path.startswith("/") or ".." in path.split("/"):
        raise InputError("not a launch link", where=url, wanted="a path inside the repository", got=path or "none")
    return path

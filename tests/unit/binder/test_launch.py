"""Launch links: what is built is read back, and what leads nowhere is refused."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from braggbook.binder.launch import (
    OPEN_ROUTE,
    Launch,
    looks_like_launch,
    open_path,
    read_launch,
    read_open_query,
)
from braggbook.errors import InputError

COMMIT = "0123456789" * 4
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
PATHS = st.lists(
    st.from_regex(r"[^\x00-\x1f/\\.\ud800-\udfff][^\x00-\x1f/\\\ud800-\udfff]{0,8}", fullmatch=True),
    min_size=1,
    max_size=3,
).map("/".join)


@pytest.mark.parametrize(
    ("launch", "url"),
    [
        (
            Launch("gh", "ada/doses", COMMIT, "notebooks/half_dose.ipynb"),
            f"https://mybinder.org/v2/gh/ada/doses/{COMMIT}?labpath=notebooks%2Fhalf_dose.ipynb",
        ),
        (
            Launch("gl", "group/sub/doses", "v1.0", "a b.ipynb"),
            "https://mybinder.org/v2/gl/group%2Fsub%2Fdoses/v1.0?labpath=a%20b.ipynb",
        ),
        (
            Launch("zenodo", "10.5281/zenodo.3242074", "", "executed.ipynb"),
            "https://mybinder.org/v2/zenodo/10.5281/zenodo.3242074/?labpath=executed.ipynb",
        ),
        (
            Launch("git", "https://codeberg.org/ada/doses", COMMIT, ""),
            f"https://mybinder.org/v2/git/https%3A%2F%2Fcodeberg.org%2Fada%2Fdoses/{COMMIT}",
        ),
        (
            Launch("gh", "ada/doses", "main", "n/x.ipynb", (("dose_gy", "200 cGy"), ("name", "a&b=c?")), "https://h.org/b"),
            (
                "https://h.org/b/v2/gh/ada/doses/main?urlpath=braggbook%2Fopen%3Fnotebook%3Dn%252Fx.ipynb"
                "%26p.dose_gy%3D200%2520cGy%26p.name%3Da%2526b%253Dc%253F"
            ),
        ),
    ],
)  # fmt: skip
def test_links_are_spelled_as_binderhub_has_them(launch: Launch, url: str) -> None:
    assert launch.url == url
    assert read_launch(url) == launch
    assert looks_like_launch(url)


@settings(max_examples=40)
@given(path=PATHS, values=st.dictionaries(NAMES, TEXT, max_size=3))
def test_whatever_is_in_a_link_comes_out_of_it(path: str, values: dict[str, str]) -> None:
    launch = Launch("gh", "ada/doses", COMMIT, path, tuple(values.items()))
    assert read_launch(launch.url) == launch
    assert launch.url.isascii()


@settings(max_examples=40)
@given(path=PATHS, values=st.dictionaries(NAMES, TEXT, max_size=3))
def test_a_server_gets_what_the_link_says(path: str, values: dict[str, str]) -> None:
    """A BinderHub decodes ``urlpath`` once, puts it behind the server's address, and adds its token."""
    url = Launch("gh", "a/b", COMMIT, path, tuple(values.items()) or (("x", ""),)).url
    asked = urlsplit("https://server/user/x/" + dict(parse_qsl(urlsplit(url).query))["urlpath"] + "&token=secret")
    assert asked.path == f"/user/x/{OPEN_ROUTE}"
    assert read_open_query(asked.query) == (path, values or {"x": ""})


@settings(max_examples=40)
@given(path=PATHS)
def test_a_hub_opens_the_path_and_not_a_part_of_it(path: str) -> None:
    """A BinderHub writes ``labpath`` into an address by JavaScript's encodeURI, which leaves ``?`` and ``#``."""
    query = dict(parse_qsl(urlsplit(Launch("gh", "a/b", COMMIT, path).url).query))
    if "labpath" in query:
        asked = "doc/tree/" + quote(query["labpath"], safe=";,/?:@&=+$-_.!~*'()#")
    else:
        asked = query["urlpath"]
    server = urlsplit("https://server/user/x/" + asked)
    assert (server.query, server.fragment) == ("", "")
    assert unquote(server.path).removeprefix("/user/x/doc/tree/").removeprefix("/user/x/lab/tree/") == path


def test_only_a_commit_or_a_record_is_pinned() -> None:
    assert Launch("gh", "a/b", COMMIT, "").pinned
    assert Launch("zenodo", "10.5281/zenodo.1", "", "").pinned
    assert not Launch("gh", "a/b", "main", "").pinned
    assert not Launch("gh", "a/b", COMMIT[:12], "").pinned


@pytest.mark.parametrize(
    "url",
    [
        "http://mybinder.org/v2/gh/a/b/c",
        "https://mybinder.org/v2/gh/a/b",
        "https://mybinder.org/v2/gh/a",
        "https://mybinder.org/v2/gl/group/doses/main",
        "https://mybinder.org/v2/zenodo/10.1234/x/",
        "https://mybinder.org/v2/nowhere/a/b/c",
        "https://mybinder.org/repo/a/b",
        "https://mybinder.org/v2/gh/a/b/c?labpath=",
        "https://mybinder.org/v2/gh/a/b/c?labpath=/etc/passwd",
        "https://mybinder.org/v2/gh/a/b/c?labpath=../x",
        "https://mybinder.org/v2/gh/a/b/c?notebook=x",
        "https://mybinder.org/v2/gh/a/b/c?labpath=x&labpath=y",
        "https://mybinder.org/v2/gh/a/b/c?urlpath=braggbook%2Fopen",
        "https://mybinder.org/v2/gh/a/b/c?urlpath=lab%2Ftree%2F..%2Fx",
    ],
)
def test_what_leads_nowhere_is_refused(url: str) -> None:
    assert looks_like_launch(url)
    with pytest.raises(InputError):
        read_launch(url)


@pytest.mark.parametrize(
    "url", ["https://mybinder.org", "https://mybinder.org/badge_logo.svg", "https://example.org/v2/x", "nothing"]
)
def test_other_addresses_are_none(url: str) -> None:
    assert not looks_like_launch(url)


@pytest.mark.parametrize("query", ["", "p.a=1", "notebook=a&notebook=b", "notebook=a&p.x=1&p.x=2", "notebook=a&q=1", "notebook=a&p.=1"])  # fmt: skip
def test_a_query_that_opens_nothing(query: str) -> None:
    with pytest.raises(InputError, match="not a link that opens a notebook"):
        read_open_query(query)


def test_a_path_into_a_tree_and_an_application() -> None:
    base = "https://mybinder.org/v2/gh/a/b/main?urlpath="
    assert read_launch(base + "lab%2Ftree%2Fn%2520x.ipynb").path == "n x.ipynb"
    assert read_launch(base + "proxy%2F8000%2F").path == ""
    assert open_path("n.ipynb", {}) == f"{OPEN_ROUTE}?notebook=n.ipynb"

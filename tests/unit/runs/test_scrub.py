"""Taking traces out of what a run keeps: whole paths, names and secrets, and nothing else."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook.runs.scrub import Scrubber, make_scrubber

PLACES = {
    "run": Path("/srv/science/runs/.staging/run-1/id"),
    "project": Path("/srv/science"),
    "env": Path("/srv/science/.venv"),
    "cache": Path("/var/lib/ada/cache"),
}
SECRETS = {
    "GITHUB_TOKEN": "ghp_0123456789",
    "db_password": "correct horse",
    "AWS_SECRET_ACCESS_KEY": "abc/def+ghi=",
    "MY_API_KEY": "ghp_0123456789-longer",
    "SSH_AUTH_SOCK": "/run/user/1000/ssh",
    "SHORT_TOKEN": "true",
    "EDITOR": "a-plain-value",
}


@pytest.fixture(scope="module")
def scrub() -> Scrubber:
    return make_scrubber(PLACES, vocabulary="alpha = 1", environment=SECRETS, user="adalove", host="proton.example.org")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("/srv/science", "<project>"),
        ("/srv/science/", "<project>/"),
        ("/srv/science/data/counts.csv", "<project>/data/counts.csv"),
        ("/srv/science/.venv/lib/python3.11/x.py", "<env>/lib/python3.11/x.py"),
        ("/srv/science/runs/.staging/run-1/id/files/a", "<run>/files/a"),
        ("'/srv/science/a' and \"/srv/science/b\"", "'<project>/a' and \"<project>/b\""),
        ("x=/srv/science:/var/lib/ada/cache", "x=<project>:<cache>"),
        ("file:///srv/science/a", "file://<project>/a"),
        ("(/srv/science)", "(<project>)"),
        ("/srv/science.old/a", "<project>.old/a"),
        ("/srv/sciences", "/srv/sciences"),
        ("/srv/science-2/a", "/srv/science-2/a"),
        ("/root/x", "<home>/x"),
        ("/tmp/x", "<tmp>/x"),
        ("/tmp/ipykernel_123/456.py", "<cell>"),
        ("/home", "/home"),
        ("a/home/b", "a/home/b"),
    ],
)
def test_paths_become_marks_and_the_longest_prefix_wins(scrub: Scrubber, text: str, clean: str) -> None:
    assert scrub.text(text) == clean


@pytest.mark.parametrize("colour", ["\x1b[0;32m", "\x1b[1m", "\x1b[38;5;28m"])
def test_a_colour_before_a_path_does_not_hide_it(scrub: Scrubber, colour: str) -> None:
    assert (
        scrub.text(f"{colour}/srv/science/a.py\x1b[0m in {colour}adalove")
        == f"{colour}<project>/a.py\x1b[0m in {colour}<user>"
    )


def test_where_a_link_leads_is_a_place_too(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    scrub = make_scrubber({"project": tmp_path / "link"}, vocabulary="", environment={}, user="", host="")
    assert scrub.text(f"{tmp_path}/link/a {tmp_path}/real/a") == "<project>/a <project>/a"


def test_the_root_folder_is_no_place(tmp_path: Path) -> None:
    scrub = make_scrubber({"project": Path("/")}, vocabulary="", environment={}, user="", host="")
    assert scrub.text("1/2 or /opt/x") == "1/2 or /opt/x"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("adalove on proton.example.org", "<user> on <host>"),
        ("on proton, as adalove.", "on <host>, as <user>."),
        ("adaloves and my-adalove", "adaloves and my-adalove"),
        ("protons", "protons"),
        ("adalove@proton", "<user>@<host>"),
    ],
)
def test_names_go_as_whole_words(scrub: Scrubber, text: str, clean: str) -> None:
    assert scrub.text(text) == clean


@pytest.mark.parametrize("user", ["alpha", "ALPHA", "root", "jovyan", "ab", ""])
def test_names_that_are_ordinary_words_stay(user: str) -> None:
    scrub = make_scrubber({}, vocabulary="alpha = 1", environment={}, user=user, host="localhost")
    assert scrub.text(f"the {user} of localhost") == f"the {user} of localhost"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("token ghp_0123456789!", "token <secret>!"),
        ("key ghp_0123456789-longer", "key <secret>"),
        ("xcorrect horsex", "x<secret>x"),
        ("abc/def+ghi=", "<secret>"),
        ("true a-plain-value", "true a-plain-value"),
    ],
)
def test_secrets_go_wherever_they_stand_and_the_longest_first(scrub: Scrubber, text: str, clean: str) -> None:
    assert scrub.text(text) == clean


def test_embedded_pictures_are_left_as_they_are(scrub: Scrubber) -> None:
    for comma in (",", ",\n"):  # matplotlib begins a new line
        picture = f"data:image/png;base64{comma}AAAA/adalove/proton/AAAA=="
        assert scrub.text(f'<img src="{picture}"> by adalove') == f'<img src="{picture}"> by <user>'


@pytest.mark.parametrize("key", ["data", "png", "image/png", "image/jpeg"])
def test_binary_data_are_left_as_they_are(scrub: Scrubber, key: str) -> None:
    packed = base64.b64encode(zlib.compress(bytes(range(256)))).decode()
    for value in (packed, "AAAA/adalove/proton/AAAA", "/9j/4AAQSkZJRg/adalove/AA==", ""):
        assert scrub.tree({key: value}) == {key: value}


@pytest.mark.parametrize("value", ["/srv/science/a", "as adalove", "/srv/science/data.csv"])
def test_a_text_that_only_stands_where_data_stand_is_scrubbed(scrub: Scrubber, value: str) -> None:
    assert scrub.tree({"data": value}) == {"data": scrub.text(value)}
    assert scrub.tree({"data": value})["data"] != value


def test_a_tree_is_scrubbed_with_its_keys_and_keeps_everything_else(scrub: Scrubber) -> None:
    tree: dict[str, Any] = {
        "/srv/science/a": [1, 2.5, None, True, {"text": ["adalove", ("proton",)]}],
        "data": {"text/plain": "/srv/science", "image/png": "AAAA"},
    }
    assert scrub.tree(tree) == {
        "<project>/a": [1, 2.5, None, True, {"text": ["<user>", ["<host>"]]}],
        "data": {"text/plain": "<project>", "image/png": "AAAA"},
    }


def test_this_process_own_places_and_names_are_known_without_being_told() -> None:
    import sys
    import tempfile

    scrub = make_scrubber({}, vocabulary="")
    assert scrub.text(f"{sys.prefix}/bin") == "<env>/bin"
    assert scrub.text(f"{tempfile.gettempdir()}/x") == "<tmp>/x"
    assert scrub.text(f"{Path.home()}/x") == "<home>/x"


words = st.text(st.characters(codec="ascii", categories=("Ll", "Nd")), min_size=1, max_size=8)


@given(words, st.lists(words, max_size=3), st.text(max_size=10))
def test_scrubbing_twice_is_scrubbing_once(place: str, parts: list[str], around: str) -> None:
    scrub = make_scrubber(
        {"project": Path("/srv") / place}, vocabulary="", environment={}, user="adalove", host="proton"
    )
    once = scrub.text("/".join([f"{around} /srv/{place}", *parts]))
    assert scrub.text(once) == once
    assert f" /srv/{place}/" not in once


@given(st.text(max_size=30).filter(lambda text: "/" not in text and "adalove" not in text and "proton" not in text))
def test_text_without_traces_is_unchanged(text: str) -> None:
    scrub = make_scrubber(PLACES, vocabulary="", environment={}, user="adalove", host="proton")
    assert scrub.text(text) == text
    assert scrub.tree({"x": [text]}) == {"x": [text]}


def test_a_path_behind_a_letter_is_found_where_it_can_be_a_path() -> None:
    scrub = make_scrubber(
        {"project": Path("/srv/lab/ann")}, vocabulary="annotate", environment={}, user="ann", host="h"
    )
    assert scrub.text("gcc -I/srv/lab/ann/x -L/root/y") == "gcc -I<project>/x -L<home>/y"
    assert scrub.text("'a\\n/srv/lab/ann/x\\n/root/y'") == "'a\\n<project>/x\\n<home>/y'"
    assert scrub.text("ann may annotate") == "<user> may annotate"
    assert scrub.text("/opt/root/y") == "/opt/root/y"

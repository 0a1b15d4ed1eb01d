"""What attackers try of a hub: each test is one of their ways in, and real parts stand in it."""

from __future__ import annotations

import io
import json
import logging
import re
import statistics
import time
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from starlette.testclient import TestClient

from braggbook.hub import accounts
from braggbook.hub.operations.logs import JsonLines, TextLines, scrub
from braggbook.hub.people.providers import Provider
from braggbook.hub.people.secrets import INVITATION, LINK, SESSION, TOKEN, new_secret
from braggbook.hub.store import people
from braggbook.hub.web.rates import Rates
from braggbook.hub.web.visitor import COOKIE
from braggbook.testing.challenges import Open

from .attack_world import OFF, PASSWORD, PLACE, SLUG, Make, World, crawl, hub_at, make_world, raw
from .conftest import Client, Hub
from .test_routes_and_roles import LINES

PROVIDER = Provider("there", "There", "https://there.example", "hub")
EVERYBODY = ("visitor", "none", "other", "member", "organiser")
GETS = sorted({line.path for line in LINES if line.method == "GET"})


@pytest.fixture(scope="module")
def made(opened: Open, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world for all tests of this module."""
    world = make_world(hub_at(tmp_path_factory.mktemp("attacked"), opened, providers=(PROVIDER,)))
    yield world
    world.hub.desk.database.close()


@pytest.fixture
def world(made: World) -> World:
    """The same, with its database as it was."""
    made.thaw()
    return made


def csrf_in(text: str) -> str:
    """Returns the proof that a page's forms carry."""
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', text)
    assert found is not None
    return found[1]


def come_in(client: Any, password: str = PASSWORD, **more: str) -> Any:
    """Signs the member in by the form."""
    proof = csrf_in(client.get("/sign-in").text)
    return client.post("/sign-in", data={"csrf": proof, "login": "member", "password": password, **more})


# what goes with every answer


def _require_guarded(answer: Any, what: str) -> None:
    policy = answer.headers.get("content-security-policy", "")
    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";") if part.strip())
    inline = [name for name, value in directives.items() if "unsafe" in value]
    assert not inline or (inline == ["style-src"] and "sandbox" in directives), f"{what}: {policy}"
    assert directives["default-src"] in ("'self'", "'none'"), what
    assert directives["frame-ancestors"] in ("'self'", "'none'"), what
    for name, wanted in (("script-src", "'self'"), ("base-uri", "'none'"), ("object-src", "'none'")):
        assert directives.get(name, directives["default-src"]) in (wanted, "'none'") or "sandbox" in directives, what
    assert answer.headers["x-content-type-options"] == "nosniff", what
    assert answer.headers["referrer-policy"] in ("same-origin", "no-referrer"), what
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"]), what
    assert "server" not in answer.headers, what


@pytest.mark.full
def test_every_answer_is_guarded(world: World) -> None:
    ways = [("GET", path.format(**world.names)) for path in GETS]
    ways += [("GET", "/nothing"), ("DELETE", "/"), ("POST", "/health"), ("PUT", "/api/v1/queue"), ("OPTIONS", "/")]
    ways += [("GET", "/static/style.css"), ("GET", "/static/nothing.css"), ("HEAD", "/"), ("BREW", "/")]
    seen = set()
    for role in ("visitor", "none", "organiser", "revoked"):
        for method, path in ways:
            answer = world.ask(role, method, path)
            seen.add(answer.status_code)
            _require_guarded(answer, f"{method} {path} as {role}: {answer.status_code}")
    assert {200, 303, 401, 403, 404, 405, 422} <= seen
    _require_guarded(world.ask("visitor", "POST", "/sign-in", content=b"x" * (5 << 20)), "too much")


@pytest.mark.full
@pytest.mark.parametrize("path", ["/", "/datasets", "/health", "/nothing", "/account", "/static/style.css"])
def test_head_is_get_without_its_body(world: World, path: str) -> None:
    head, get = world.ask("visitor", "HEAD", path), world.ask("visitor", "GET", path)
    assert head.content == b""
    assert head.status_code == get.status_code
    kept = ("content-type", "location", "content-security-policy")
    assert [head.headers.get(name) for name in kept] == [get.headers.get(name) for name in kept]


@pytest.mark.full
def test_a_fault_of_the_hub_is_guarded_too(world: World) -> None:
    client = Client(world.hub)

    def broken() -> None:
        raise RuntimeError("password=hunter2 and /some/path")

    client.app.add_api_route("/broken", broken)
    answer = client.get("/broken")
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    _require_guarded(answer, "an unforeseen fault")
    assert answer.headers["x-request-id"] in answer.text


def test_people_who_come_by_https_stay_there(make_hub: Make) -> None:
    client = Client(make_hub(public_url="https://hub.example"))
    answer = client.get("/sign-in")
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    assert "secure" in answer.headers["set-cookie"].lower().split("; ")


# sessions


@pytest.mark.full
def test_the_cookie_is_for_this_hub_and_no_script(make_hub: Make) -> None:
    client = Client(make_hub(prefix="/proxy/8000"))
    said = client.get("/proxy/8000/sign-in").headers["set-cookie"]
    parts = {part.strip().lower() for part in said.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/proxy/8000"} <= parts
    assert "domain" not in said.lower()
    assert "secure" not in parts  # without HTTPS the browser would not send it


@pytest.mark.full
def test_nobody_prepares_a_session_for_somebody_else(world: World) -> None:
    client = Client(world.hub)
    client.get("/sign-in")
    planted = client.cookies[COOKIE]
    proof = csrf_in(client.get("/sign-in").text)
    assert come_in(client).status_code == 303
    assert client.cookies[COOKIE] != planted
    old = Client(world.hub)
    old.cookies.set(COOKIE, planted)
    assert old.get("/account").status_code == 303
    new = client.get("/account").text
    assert csrf_in(new) != proof
    chosen = Client(world.hub)
    chosen.cookies.set(COOKIE, "chosen by somebody else")
    given = chosen.get("/sign-in").headers["set-cookie"]
    assert given.startswith(f"{COOKIE}=")
    assert "chosen by somebody else" not in given


@pytest.mark.full
def test_signing_out_ends_the_session_itself(world: World) -> None:
    client = Client(world.hub)
    assert come_in(client).status_code == 303
    kept = client.cookies[COOKIE]
    assert client.post("/sign-out", data={"csrf": csrf_in(client.get("/account").text)}).status_code == 303
    client.cookies.clear()
    client.cookies.set(COOKIE, kept)
    assert client.get("/account").status_code == 303


# other hosts

ELSEWHERE = (
    "https://evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
    "/\n/evil.example", "http:evil.example", "javascript:alert(1)", "data:text/html,x", "/x://evil.example",
    " //evil.example", "/%0d%0aLocation:%20https://evil.example", "/\r\nX-Evil: 1", "https:/evil.example", "/.//evil.example",
    "//evil.example/%2e%2e", "/@evil.example", "evil.example", "?x=//evil.example", "/%5cevil.example", "/\u2028/evil.example",
)  # fmt: skip


def _require_own(answer: Any, what: str) -> None:
    assert answer.status_code < 500, what
    to = answer.headers.get("location", "/")
    assert to.startswith("/"), f"{what}: {to}"
    assert not to.startswith(("//", "/\\")), f"{what}: {to}"
    assert "x-evil" not in answer.headers, what
    assert not any(sign.isspace() or sign == "\\" for sign in to), f"{what}: {to}"


@pytest.mark.full
def test_nobody_is_sent_elsewhere(world: World) -> None:
    for address in ELSEWHERE:
        _require_own(world.get("member", "/sign-in", params={"next": address}), address)
        client = Client(world.hub)
        answer = come_in(client, next=address)
        assert answer.status_code == 303
        _require_own(answer, address)
        page = world.get("visitor", "/sign-in", params={"next": address}).text
        assert f'href="{address}' not in page
    for path in (
        "/account?x=//evil.example&next=//evil.example",
        "/submissions?%0d%0aX-Evil:%201",
        "/account/%0d%0aX-Evil:%201",
        "//evil.example/account",
    ):
        _require_own(world.get("visitor", path), path)


@pytest.mark.full
def test_where_somebody_was_going_survives_signing_in(world: World) -> None:
    answer = world.get("visitor", "/submissions", params={"challenge": SLUG, "state": "timed out"})
    inside = world.get("member", answer.headers["location"])
    assert inside.headers["location"] in (
        f"/submissions?challenge={SLUG}&state=timed+out", f"/submissions?challenge={SLUG}&state=timed%20out",
    )  # fmt: skip


@pytest.mark.full
def test_a_forged_host_gets_into_no_link_of_others(world: World) -> None:
    evil = {"Host": "evil.example"}
    for path in [one.format(**world.names) for one in GETS]:
        world.get("visitor", path, headers=evil)
        answer = world.get("visitor", path)
        assert "evil.example" not in answer.text, path
    there = world.ask("visitor", "POST", "/sign-in/there", headers=evil, data={"csrf": _proof(world, "visitor")})
    assert there.status_code == 422  # whose Host may be anything is not told where to come back to
    assert "refresh" not in there.headers
    assert "redirect_uri" not in there.text


def _proof(world: World, role: str) -> str:
    return csrf_in(world.get(role, "/sign-in" if role == "visitor" else "/account").text)


@pytest.mark.full
def test_links_are_made_of_the_hubs_own_address(make_hub: Make) -> None:
    world = make_world(make_hub(public_url="https://hub.example", prefix="/bb"))
    for path in (f"/bb/challenges/{SLUG}", f"/bb/challenges/{SLUG}/submit"):
        assert "--to https://hub.example/bb" in world.get("member", path, headers={"Host": "evil.example"}).text, path
    for role, path in (
        ("organiser", "/bb/organise/-/people/invite"), ("organiser", f"/bb/organise/-/people/{world.names['person']}/recovery"),
        ("member", f"/bb/teams/{world.names['team']}/link"),
    ):  # fmt: skip
        values = {"csrf": csrf_in(world.get(role, "/bb/account").text), "days": "7", "note": "x"}
        answer = world.ask(role, "POST", path, data=values, headers={"Host": "evil.example"})
        assert answer.status_code == 200, path
        links = re.findall(r"[^\s\"<>]*/invitation/bb[a-z]_[^\s\"<>]*", answer.text)
        assert links, path
        assert all(re.fullmatch(r"https://hub\.example/bb/invitation/\S+", link) for link in links), links
        assert "evil.example" not in answer.text


@pytest.mark.full
@pytest.mark.parametrize(
    "host", ["[", "[::1", "a b", "x" * 9000, "", "hub.test:99999", "hub.test:x", "é", "<img>", "%00"]
)
def test_a_host_that_is_none(world: World, host: str) -> None:
    for path in ("/", "/sign-in", "/nothing", "/api/v1/nothing", f"/challenges/{SLUG}", f"/challenges/{SLUG}/submit"):
        answer = world.ask("member", "GET", path, headers={"Host": host.encode("latin-1")})
        assert answer.status_code < 500, (path, host)
        assert "<img>" not in answer.text


PREFIXES = (
    "//evil.example", "/a//evil.example", "javascript:alert(1)", "https://evil.example", '/a"onload="x', "/a'b", "/a<b>",
    "/a/../b", "/a\\b", "/a b", "a", "/é", "/a;b", "/a?b", "/a#b", "/a\r\nX-Evil: 1",
)  # fmt: skip


@pytest.mark.full
def test_a_prefix_is_believed_of_our_proxies_only(world: World) -> None:
    near = TestClient(world.client.app, client=("127.0.0.1", 5), follow_redirects=False)
    far = TestClient(world.client.app, client=("203.0.113.9", 5), follow_redirects=False)
    for name in ("X-Forwarded-Prefix", "X-Forwarded-Context", "X-ProxyContextPath"):
        assert 'href="/hub/sign-in"' in near.get("/", headers={name: "/hub"}).text
        assert 'href="/hub/sign-in"' not in far.get("/", headers={name: "/hub"}).text
        for prefix in PREFIXES:
            if "\r" in prefix:
                continue  # no client sends it, and no server takes it
            answer = near.get("/", headers={name: prefix.encode("latin-1")})
            assert answer.status_code == 200, prefix
            assert 'href="/sign-in"' in answer.text, prefix
            near.cookies.clear()
            cookie = near.get("/sign-in", headers={name: prefix.encode("latin-1")}).headers["set-cookie"]
            assert re.search(r"path=/(;|$)", cookie, re.IGNORECASE), cookie


@pytest.mark.full
def test_a_prefix_and_an_address_that_a_proxy_forwards(world: World) -> None:
    served = world.client.app
    near = TestClient(served, client=("127.0.0.1", 5), follow_redirects=False)
    said = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Prefix": "/hub"}
    assert 'href="/hub/sign-in"' in near.get("/", headers=said).text
    assert near.get("/metrics", headers=said).status_code != 200
    far = TestClient(served, client=("203.0.113.9", 5), follow_redirects=False)
    forged = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Prefix": "/hub"}
    assert 'href="/hub/sign-in"' not in far.get("/", headers=forged).text
    assert far.get("/metrics", headers=forged).status_code != 200
    served.state.rates = Rates()
    proof = csrf_in(near.get("/sign-in").text)
    for address, status in (("203.0.113.9", 429), ("203.0.113.10", 422)):  # each is counted apart behind a proxy
        headers = {"X-Forwarded-For": address}
        data = {"csrf": proof, "login": "nobody", "password": "x"}
        said = [
            near.post("/sign-in", data=data, headers=headers).status_code for _ in range(21 if status == 429 else 1)
        ]
        assert said[-1] == status


# requests that are none, and too much of one


@pytest.mark.full
@pytest.mark.parametrize(
    "length", [b"-1", b"1_0", b"x", b"\xb2", b"+5", b"0x10", b"1e9", b" 7", b"9" * 5000, b"5, 5", b""]
)
def test_a_length_that_is_none(world: World, length: bytes) -> None:
    form = (b"content-type", b"application/x-www-form-urlencoded")
    status, headers, _ = raw(
        world.client.app, "POST", "/sign-in", headers=[(b"content-length", length), form], body=[b"login=x"]
    )
    assert 400 <= status < 500
    assert "content-security-policy" in headers


BIG = [b"x" * (1 << 20)] * 6


@pytest.mark.full
@pytest.mark.parametrize(
    "path",
    [
        "/sign-in",
        "/account/name",
        "/sign-in/submit",
        "/sign-in/open",
        "/x/submissions",
        "/api/v1/submissions/x/withdraw",
    ],
)
def test_nobody_sends_more_than_a_form_has(world: World, path: str) -> None:
    cookie = (b"cookie", f"{COOKIE}={world.sessions['visitor']}".encode())
    kinds = [b"multipart/form-data; boundary=b", b"application/x-www-form-urlencoded", b"application/json"]
    file = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'
    for kind in kinds:
        body = [file, *BIG] if kind.startswith(b"multipart") else BIG
        status, _, _ = raw(world.client.app, "POST", path, headers=[(b"content-type", kind), cookie], body=body)
        assert status in (400, 401, 403, 404, 405, 413), (path, kind, status)
        if path.startswith("/sign-in") and not kind.endswith(b"json"):  # of which nothing is read
            assert status in (400, 413), (path, kind, status)
        told = [(b"content-type", kind), cookie, (b"content-length", b"6291456")]
        assert raw(world.client.app, "POST", path, headers=told, body=body)[0] in (404, 405, 413)


@pytest.mark.full
@pytest.mark.parametrize(
    "charset", ["unicode_escape", "undefined", "idna", "punycode", "utf-16", "rot13", "zlib", "\x00", "x" * 99]
)
def test_forms_in_strange_signs(world: World, charset: str) -> None:
    proof = b'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n\\ud800\xff-\r\n'
    body = proof + b'--b\r\nContent-Disposition: form-data; name="login"\r\n\r\n\\ud800\xff\r\n--b--\r\n'
    kind = f"multipart/form-data; boundary=b; charset={charset}".encode()
    cookie = (b"cookie", f"{COOKIE}={world.sessions['visitor']}".encode())
    status, _, _ = raw(world.client.app, "POST", "/sign-in", headers=[(b"content-type", kind), cookie], body=[body])
    assert 400 <= status < 500


# guessing


@pytest.mark.full
def test_who_guesses_passwords_is_stopped(world: World) -> None:
    client = Client(world.hub)
    proof = csrf_in(client.get("/sign-in").text)
    said = [
        client.post("/sign-in", data={"csrf": proof, "login": "nobody", "password": "x"}).status_code for _ in range(22)
    ]
    assert said == [422] * 20 + [429] * 2
    assert client.get("/").status_code == 200  # who reads is not counted
    locked = Client(world.hub)
    for _ in range(5):
        assert come_in(locked, password="wrong" * 4).status_code == 422
    assert come_in(locked).status_code == 422  # the right one comes too late
    world.hub.time.later(minutes=2)
    try:
        assert come_in(Client(world.hub)).status_code == 303
    finally:
        world.hub.time.later(minutes=-2)


@pytest.mark.full
def test_who_guesses_tokens_is_stopped(world: World) -> None:
    for path in ("/api/v1/queue", "/account", "/"):
        client = Client(world.hub)
        said = [
            client.get(path, headers={"Authorization": f"Bearer {new_secret(TOKEN)[0]}"}).status_code for _ in range(32)
        ]
        assert set(said[:30]) <= {401, 303}
        assert said[30:] == [429, 429], path


@pytest.mark.full
def test_uploads_are_counted(world: World) -> None:
    client = Client(world.hub)
    headers = {"Authorization": f"Bearer {world.tokens['member sends']}"}
    said = [
        client.post(PLACE, params={"name": "a.csv", "phase": "over"}, headers=headers).status_code for _ in range(62)
    ]
    assert said == [422] * 60 + [429] * 2


@pytest.mark.full
def test_a_login_that_is_nobodys_takes_as_long(world: World) -> None:
    def takes(login: str) -> float:
        world.thaw()
        began = time.perf_counter()
        world.send("visitor", "/sign-in", login=login, password="a wrong password")
        return time.perf_counter() - began

    both = [(takes("member"), takes("nobody_here")) for _ in range(5)]
    known, unknown = (statistics.median(one) for one in zip(*both, strict=True))
    assert 0.4 < known / unknown < 2.5, both


# uploads

NAMES = (
    "../../etc/passwd.csv", "..\\..\\x.csv", "/etc/passwd.csv", "a\0.csv", "x" * 10_000 + ".csv", ".csv", "..csv", "CON.csv",
    "a/../../b.csv", "-rf.csv", "a\r\nX-Evil: 1.csv", "\u202egpj.csv", "%2e%2e%2fx.csv", "a.csv/", "~root.csv", "$(id).csv",
    "é.csv", ".htaccess", "a.csv\0.html", "file:///etc/passwd.csv", "", ".", "..", "\ud800.csv",
)  # fmt: skip


@pytest.mark.full
def test_no_name_of_a_file_leads_anywhere(world: World) -> None:
    config, vault = world.hub.desk.config, world.hub.opened.vault
    outside = {path for path in config.data.parent.rglob("*") if path.name in ("passwd.csv", "x.csv", "b.csv")}
    for name in NAMES:
        body = b"case,dose_gy\n"
        asked = {"name": name.encode("utf-8", "surrogatepass"), "phase": "practice", "accept_terms": "true"}
        by_program = world.ask("member sends", "POST", PLACE, params=asked, content=body)
        assert by_program.status_code in (202, 413, 422), (name, by_program.text)
        disposition = name.replace("\r\n", "%0D%0A").encode("utf-8", "surrogatepass")
        form = [("csrf", _proof(world, "member")), ("phase", "practice"), ("team", world.names["team"]), ("terms", "1")]
        parts = [
            f'--b\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode() for key, value in form
        ]
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="' + disposition + b'"\r\n\r\n'
        content = b"".join([*parts, head, body, b"\r\n--b--\r\n"])
        kind = {"Content-Type": "multipart/form-data; boundary=b"}
        by_page = world.ask("member", "POST", f"/challenges/{SLUG}/submit", content=content, headers=kind)
        assert by_page.status_code in (303, 400, 422), (name, by_page.text)
        world.hub.work()
    names = {path.name for path in (vault.folder / "submissions").rglob("received/*")}
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name) for name in names), names
    there = {path for path in config.data.parent.rglob("*") if path.name in ("passwd.csv", "x.csv", "b.csv")}
    assert all(vault.folder in path.parents for path in there - outside)
    assert not [path for path in config.spool.rglob("*") if path.is_file() and path.suffix != ".lock"]


def _zip(**files: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "."), data)
    return made.getvalue()


def _bytes_below(world: World) -> int:
    return sum(path.stat().st_size for path in world.hub.desk.config.data.parent.rglob("*") if path.is_file())


@pytest.mark.full
def test_a_small_file_does_not_become_a_large_one(world: World) -> None:
    bomb = _zip(predictions__csv=b"0" * (300 << 20))
    nested = _zip(inner__zip=bomb)
    odd = _zip(**{"..__/..__/predictions__csv": b"x"})
    before = _bytes_below(world)
    asked = {"name": "a.zip", "phase": "practice", "accept_terms": "true"}
    for content in (bomb, nested, odd):
        assert len(content) < 1 << 20
        answer = world.ask("member sends", "POST", PLACE, params=asked, content=content)
        assert answer.status_code in (202, 422), answer.text
        values = {"phase": "practice", "team": world.names["team"], "terms": "1", "file": ("a.zip", content)}
        assert world.send("member", f"/challenges/{SLUG}/submit", **values).status_code in (303, 422)
        opening = {"split": "public", "inputs": ("a.zip", content), "truth": ("b.zip", content), "because": "x"}
        assert world.send("organiser", f"/organise/{SLUG}/open", **opening).status_code == 422
    assert _bytes_below(world) - before < 20 << 20


# what people type

MARK = """x" onmouseover='1' &{{7*7}}${7*7}"""  # what a name of a person, a team, a token or a title may have
TAG = """<img src=x onerror=1>"'&{{7*7}}"""  # what everything else may have


class _Tags(HTMLParser):
    """Finds what a browser would take for a tag or an attribute of somebody's making."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        names = {name for name, _ in attrs}
        if any(name.startswith("on") for name in names) or "style" in names or ("src", "x") in attrs:
            self.found.append(f"{tag} {attrs}")
        if tag == "script" and "src" not in names:
            self.found.append(tag)


@pytest.mark.full
def test_what_people_type_is_text_on_every_page(make_hub: Make) -> None:
    world = make_world(make_hub())
    names, hub = world.names, world.hub
    person, team = names["person"], names["team"]
    assert world.send("organiser", f"/organise/-/people/{person}", do=TAG).status_code == 303
    assert world.send("organiser", "/organise/-/people/invite", note=TAG, days="7").status_code == 200
    assert world.send("member", "/account/name", name=MARK).status_code == 303
    assert world.send("none", "/account/name", name=TAG).status_code == 422
    assert world.send("none", "/teams", name=TAG).status_code == 422
    assert world.send("none", "/teams", name=MARK).status_code == 303
    assert world.send("member", "/account/tokens", name=MARK, scopes="read", days="30").status_code == 200
    assert world.send("member", f"/teams/{team}/link").status_code == 200
    named = world.hand_in("member", "practice", title=MARK, name=f"{TAG}.csv")
    assert world.send("member", "/teams", name=f"{MARK} 2").status_code == 303
    hub.work()
    again = world.send("organiser", f"/organise/{SLUG}/rescore", what=named, because=TAG)
    assert again.status_code == 303, again.text
    hub.work()
    gone = world.send("member", f"/submissions/{names['mine']}/withdraw", because=MARK, sure="1")
    assert gone.status_code == 303, gone.text
    hub.work()
    path = hub.opened.challenge.folder / "challenge.toml"
    for old in ("A tiny challenge", "Dose from a signal", "The last phase", "made by code, to test with"):
        path.write_text(path.read_text().replace(f'"{old}', f'"{json.dumps(TAG)[1:-1]} {old}', 1))
    seeds = [*[one.format(**names) for one in GETS], f"/submissions/{named}", f"/organise/{SLUG}/submissions/{named}"]
    seeds += [f"{one}?{query}" for one in ("/submissions", "/runs", f"/organise/{SLUG}", f"/challenges/{SLUG}/board/practice")
              for query in ("sort=%3Cimg%20src=x%20onerror=1%3E", "find=%3Cimg%20src=x%20onerror=1%3E", "state=%22%27%3Cimg%20src=x%3E",
                            "notebook=%3Cimg%20src=x%20onerror=1%3E", "challenge=%22%3E%3Cimg%20src=x%3E")]  # fmt: skip
    seeds += ["/%3Cimg%20src=x%20onerror=1%3E", "/sign-in?next=/%22%3E%3Cimg%20src=x%20onerror=1%3E"]
    shown = 0
    for role in EVERYBODY:
        for address, answer in crawl(world, role, seeds).items():
            assert answer.status_code < 500, (role, address)
            if not answer.headers.get("content-type", "").startswith("text/html"):
                continue
            shown += "&lt;img src=x" in answer.text or "x&#34; onmouseover" in answer.text
            parser = _Tags()
            parser.feed(answer.text)
            assert not parser.found, (role, address, parser.found)
            assert not re.search(r"49\$|\$49|&49|'&49", answer.text), (role, address)
    assert shown > 25


SQL = (
    "' OR '1'='1",
    "'; DROP TABLE person; --",
    '" OR ""="',
    "1 UNION SELECT password FROM person",
    "\\",
    "%",
    "_",
    "x' AND sleep(9)--",
)


@pytest.mark.full
def test_signs_of_sql_are_only_signs(world: World) -> None:
    before = world.get("organiser", "/api/v1/queue").json()["submissions"]
    for text in SQL:
        assert world.send("visitor", "/sign-in", login=text, password=text).status_code == 422
        for path in (
            "/submissions",
            "/runs",
            f"/organise/{SLUG}",
            f"/challenges/{SLUG}/board/practice",
            "/api/v1/runs",
        ):
            for name in ("challenge", "phase", "state", "sort", "order", "find", "notebook", "dataset"):
                answer = world.get("organiser", path, params={name: text})
                assert answer.status_code in (200, 404, 422), (path, name, answer.status_code)
        found = world.get("organiser", "/api/v1/submissions", params={"challenge": text, "phase": text})
        assert (found.status_code, found.json()["total"]) == (200, 0)
        for path in ("/submissions", "/teams", "/runs", f"/organise/{SLUG}/submissions", "/invitation"):
            assert world.get("organiser", f"{path}/{text}").status_code in (404, 422), (path, text)
    assert world.get("organiser", "/api/v1/queue").json()["submissions"] == before


@pytest.mark.full
def test_signs_and_numbers_that_a_database_does_not_take(either_hub: Hub) -> None:
    hub = either_hub
    member, team = hub.person("Member", team="Mine")
    organiser, _ = hub.person("Organiser", organiser=True)
    assert team is not None
    sent = hub.client()
    sent.headers.update(hub.token(member))
    asked = {"name": "p.csv", "phase": "practice", "accept_terms": "true"}
    made = sent.post(PLACE, params=asked, content=hub.file("Mine").read_bytes()).json()["id"]
    hub.work()
    browser, over = hub.client(member), hub.client(organiser)
    nul, wrong = "a\0b", []

    def note(answer: Any, what: str) -> None:
        if answer.status_code >= 500:
            wrong.append(f"{what}: {answer.status_code}")

    for number in ("2147483648", "9223372036854775808", "99999999999999999999999", "-1"):
        for client, path in (
            (browser, f"/account/tokens/{number}/revoke"), (browser, f"/account/identities/{number}/remove"),
            (browser, f"/teams/{number}/leave"), (over, f"/organise/-/people/{number}"),
            (over, f"/organise/-/people/{number}/recovery"),
        ):  # fmt: skip
            note(client.fill(path, do="disable"), path)
        note(browser.fill(f"/teams/{team.id}/leader", to=number[:12]), f"leader {number}")
        note(browser.fill(f"/teams/{team.id}/remove", who=number[:12]), f"remove {number}")
        note(browser.get("/submissions", params={"number": number}), f"page {number}")
        note(over.get("/organise/-/people", params={"number": number}), f"people {number}")
        note(browser.get("/api/v1/submissions", params={"offset": number}), f"offset {number}")
    for path in ("/submissions/%00", "/submissions/a%00/live", "/api/v1/submissions/%00", f"/organise/{SLUG}/submissions/%00",
                 "/submissions?challenge=%00", "/api/v1/submissions?challenge=%00&phase=%00", "/invitation/%00",
                 f"/organise/{SLUG}?phase=%00", f"/organise/{SLUG}/rescore?submission=%00"):  # fmt: skip
        note(over.get(path), path)
        note(browser.get(path), path)
    note(sent.post(PLACE, params={**asked, "name": f"{nul}.csv"}, content=b"case\n"), "name of a file")
    note(sent.post(PLACE, params={**asked, "title": nul}, content=b"case\n"), "title")
    form = {"phase": "practice", "team": str(team.id), "terms": "1", "title": "x"}
    file = ("p.csv", b"case,dose_gy\n")
    note(browser.fill(f"/challenges/{SLUG}/submit", **form, key=nul, file=file), "key of a form")
    for path, values in (
        ("/sign-in", {"login": nul, "password": nul}), ("/account/name", {"name": nul}), ("/teams", {"name": nul}),
        ("/account/tokens", {"name": nul, "scopes": "read", "days": "30"}), (f"/submissions/{made}/withdraw", {"because": nul, "sure": "1"}),
    ):  # fmt: skip
        note(browser.fill(path, **values), path)
    for path, values in (
        ("/organise/-/people/invite", {"note": nul, "days": "7"}), (f"/submissions/{made}/score-again", {"because": nul}),
        (f"/organise/{SLUG}/rescore", {"what": "all", "because": nul}), (f"/organise/{SLUG}/rescore", {"what": nul, "because": "x"}),
        (f"/organise/{SLUG}/submissions/{made}/withdraw", {"because": nul, "sure": "1"}),
    ):  # fmt: skip
        note(over.fill(path, **values), path)
    program = hub.client()
    program.headers.update(hub.token(organiser))
    for text in (nul, "\ud800"):
        said = json.dumps({"because": text, "phase": "practice"})
        note(
            program.post(
                f"/api/v1/challenges/{SLUG}/rescore", content=said, headers={"Content-Type": "application/json"}
            ),
            ascii(text),
        )
        note(
            sent.post(
                f"/api/v1/submissions/{made}/withdraw", content=said, headers={"Content-Type": "application/json"}
            ),
            ascii(text),
        )
    assert not wrong, "\n".join(wrong)


# what others have


@pytest.mark.full
def test_what_is_anothers_looks_like_what_is_not_there(world: World) -> None:
    theirs, none = world.names["theirs"], "0123456789abcdef"

    def without_ids(answer: Any) -> tuple[int, str, list[str]]:
        text = answer.text.replace(theirs, "ID").replace(none, "ID").replace(answer.headers["x-request-id"], "REQUEST")
        return answer.status_code, text, sorted(name for name in answer.headers if name != "content-length")

    for role in ("none", "member", "read"):
        ways = ["/submissions/{}", "/submissions/{}/live", "/submissions/{}/receipt.json", "/submissions/{}/withdraw"]
        ways += ["/api/v1/submissions/{}", "/api/v1/submissions/{}/receipt", "/api/v1/submissions/{}/logs"]
        for way in ways:
            known, unknown = world.get(role, way.format(theirs)), world.get(role, way.format(none))
            assert known.status_code == 404, (role, way)
            assert without_ids(known) == without_ids(unknown), (role, way)
    for way in ("/submissions/{}/withdraw", "/submissions/{}/score-again"):
        known, unknown = (world.send("member", way.format(id), because="x", sure="1") for id in (theirs, none))
        assert without_ids(known) == without_ids(unknown), way
    other = str(world.teams["other"].id)
    for way in ("/teams/{}", "/teams/{}/leave"):
        method = "GET" if way == "/teams/{}" else "POST"
        data = {"csrf": _proof(world, "member")} if method == "POST" else None
        known, unknown = (world.ask("member", method, way.format(id), data=data) for id in (other, "987"))
        assert (known.status_code, unknown.status_code) == (404, 404)
    given = {"phase": "practice", "team": other, "terms": "1", "file": ("p.csv", b"case,dose_gy\n")}
    assert world.send("member", f"/challenges/{SLUG}/submit", **given).status_code == 422
    asked = {"name": "a.csv", "phase": "practice", "accept_terms": "true", "team": world.teams["other"].name}
    assert world.ask("member sends", "POST", PLACE, params=asked, content=b"x").status_code == 404


def _says(number: float) -> re.Pattern[str]:
    """Returns what finds a score, cut or rounded to three digits or more."""
    digits = f"{number:.4f}"[2:]
    rounded = f"{round(number, 3):.3f}"[2:]
    return re.compile(rf"(?<!\d)0?\.({digits[:3]}|{rounded})")


@pytest.mark.full
def test_scores_of_a_hidden_phase_are_the_organisers(world: World) -> None:
    mine, theirs = _says(OFF["member", "last"]), _says(OFF["other", "last"])
    seeds = [one.format(**world.names) for one in GETS]
    seeds += [seed.replace("practice", "last") for seed in seeds]
    seeds += [f"/challenges/{SLUG}/board/last?sort={by}&order={way}&find={name}" for by in ("error", "mean_error", "first")
              for way in ("asc", "desc") for name in ("", "Mine", "others")]  # fmt: skip
    for key, id in world.names.items():
        if key in ("hidden", "theirs_hidden"):
            seeds += [
                f"/submissions/{id}",
                f"/submissions/{id}/live",
                f"/submissions/{id}/receipt.json",
                f"/challenges/{SLUG}/board/last/{id}",
            ]
            seeds += [
                f"/api/v1/submissions/{id}",
                f"/api/v1/submissions/{id}/receipt",
                f"/api/v1/submissions/{id}/logs",
            ]
    bodies: dict[str, set[str]] = {}
    for role in ("visitor", "none", "other", "member", "read", "submit"):
        for address, answer in crawl(world, role, seeds).items():
            told = answer.text + json.dumps(dict(answer.headers))
            for what, found in (("its own", mine if role in ("member", "read") else theirs), ("another's", theirs)):
                if role in ("member", "read") and what == "its own" and "receipt" in address:
                    continue  # asked apart
                assert not found.search(told), (role, address, what, found.search(told))
            assert not mine.search(told) or role in ("member", "read"), (role, address)
            if role in ("visitor", "none"):
                bodies.setdefault(address, set()).add(answer.headers.get("etag", ""))
    organiser = world.get("organiser", f"/challenges/{SLUG}/board/last").text
    assert mine.search(organiser)  # the pattern finds what is there
    assert theirs.search(world.get("organiser", f"/challenges/{SLUG}/board/last/board.json").text)


@pytest.mark.full
def test_a_hidden_board_does_not_tell_by_its_tag_who_leads(world: World) -> None:
    paths = [f"/challenges/{SLUG}/board/last", f"/challenges/{SLUG}/board/last/board.json"]
    before = {path: world.get("visitor", path).headers.get("etag") for path in paths}
    desk = world.hub.desk
    with desk.database.write() as session:
        from braggbook.hub.store import boards

        row = boards.find_board(session, SLUG, "last")
        assert row is not None
        said = json.loads(row.board)
        said["rows"].reverse()
        for rank, one in enumerate(said["rows"], 1):
            one["rank"] = rank
        boards.keep_board(
            session, challenge=SLUG, phase="last", board=json.dumps(said), changes=row.changes, now=desk.clock()
        )  # fmt: skip
    after = {path: world.get("visitor", path).headers.get("etag") for path in paths}
    assert before[paths[1]] == after[paths[1]]


# secrets


@pytest.mark.full
def test_only_digests_of_secrets_are_kept(world: World) -> None:
    shown = [world.tokens["read"], world.sessions["member"], world.names["invitation"], PASSWORD]
    answer = world.send("member", "/account/tokens", name="laptop", scopes="read", days="30")
    shown += re.findall(r"bb_[A-Za-z0-9_-]{51}", answer.text)
    answer = world.send("member", f"/teams/{world.names['team']}/link")
    shown += re.findall(r"/invitation/([A-Za-z0-9_-]+)", answer.text)
    shown.append(accounts.recovery_link(world.hub.desk, world.people["member"].id, by=None))
    client = Client(world.hub)
    come_in(client)
    shown.append(client.cookies[COOKIE])
    assert len(shown) >= 8
    data = b"".join(
        path.read_bytes() for path in world.hub.desk.config.data.glob("hub.sqlite*") if path.suffix != ".frozen"
    )
    for secret in shown:
        assert secret.encode() not in data
        assert secret.partition("_")[2].encode() not in data or "_" not in secret
    with world.hub.desk.database.read() as session:
        assert len(people.tokens(session, world.people["member"].id)) >= 4
    page = world.get("member", "/account/tokens").text + world.get("member", "/account/data.json").text
    assert not re.search(r"bb[a-z]?_[A-Za-z0-9_-]{40}", page)  # it was shown once


@pytest.mark.parametrize("prefix", [TOKEN, SESSION, INVITATION, LINK])
def test_no_secret_of_ours_stays_in_a_line_of_the_log(prefix: str) -> None:
    secret = new_secret(prefix)[0]
    for text in (
        f"got {secret}",
        f"GET /x?a={secret}&b=1",
        f'{{"token": "{secret}"}}',
        f"Cookie: {COOKIE}={secret}; a=b",
    ):
        assert secret not in scrub(text)
        assert secret[-20:] not in scrub(text)


@pytest.mark.full
def test_the_cookie_stays_in_no_line_of_the_log(world: World) -> None:
    client = Client(world.hub)
    client.get("/sign-in")
    secret = client.cookies[COOKIE]
    assert secret not in scrub(f"a header: {COOKIE}={secret}")
    assert secret not in scrub(f"a value: {secret}")


@pytest.mark.parametrize("lines", [JsonLines(), TextLines()], ids=["json", "text"])
def test_passwords_stay_in_no_line_of_the_log(lines: logging.Formatter) -> None:
    told = (
        "postgresql://hub:hunter2@host/x", "password=hunter2&x=1", "client_secret=hunter2", "Authorization: Bearer hunter2",
        "/sign-in/there/return?code=hunter2&state=y", "/invitation/hunter2",
    )  # fmt: skip
    for text in told:
        record = logging.makeLogRecord({"msg": "a request: %s", "args": (text,), "extra_field": text})
        assert "hunter2" not in lines.format(record), text


@pytest.mark.full
def test_the_log_of_requests_tells_no_addresses_and_no_bodies(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        world.get("visitor", f"/invitation/{world.names['invitation']}")
        world.send("visitor", "/sign-in", login="member", password="a wrong password")
        world.get("read", "/api/v1/submissions")
        world.get("visitor", "/sign-in/there/return?code=hunter2&state=hunter2")
    lines = [JsonLines().format(record) for record in caplog.records]
    assert sum('"route"' in line for line in lines) == 4
    for secret in (
        world.names["invitation"],
        "a wrong password",
        world.tokens["read"],
        "hunter2",
        world.sessions["visitor"],
    ):
        assert not any(secret in line for line in lines), secret

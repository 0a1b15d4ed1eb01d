"""Signing in and out: passwords, lock-out, sessions, links that work once, and that nobody is told who is here."""

from __future__ import annotations

import datetime
import re
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from braggbook.errors import InputError, NotAllowed, SignInRefused, UnknownName
from braggbook.hub import accounts
from braggbook.hub.people.oidc import Identity
from braggbook.hub.people.passwords import hash_password
from braggbook.hub.people.providers import Provider
from braggbook.hub.people.secrets import digest_of
from braggbook.hub.store import people
from braggbook.hub.store.tables import Person
from braggbook.hub.web.visitor import COOKIE

from .oidc_server import decline, oidc_server
from .oidc_server import sign_in as sign_in_there

GOOD = "seven quiet protons"
WRONG = "seven loud protons!"


@pytest.fixture(scope="session")
def hashed() -> str:
    return hash_password(GOOD)


@pytest.fixture
def maria(hub: Any, hashed: str) -> Person:
    return local(hub, "maria", hashed)


def local(hub: Any, login: str, hashed: str, *, organiser: bool = False) -> Person:
    """Adds a local account."""
    person = Person(name=login.title(), login=login, password=hashed, organiser=organiser, created=hub.time())
    with hub.desk.database.write() as session:
        people.add(session, person)
    return person


def visit(client: Any, address: str) -> str:
    """Opens a page with a form, so that the browser can send it; returns its text."""
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    client.csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', answer.text)[1]
    return answer.text


def come_in(client: Any, login: str = "maria", password: str = GOOD, **more: str) -> Any:
    """Fills in the form and sends it."""
    visit(client, "/sign-in")
    return client.fill("/sign-in", login=login, password=password, **more)


def deeds_of(hub: Any) -> list[str]:
    with hub.desk.database.read() as session:
        return [one.what for one in people.deeds(session)]


def fresh(hub: Any, person: Person) -> Person:
    with hub.desk.database.read() as session:
        found = people.find_person(session, person.id)
    assert found is not None
    return found


# by password


def test_the_right_password_opens_a_new_session(hub: Any, maria: Person) -> None:
    client = hub.client()
    visit(client, "/sign-in")
    before, csrf = client.cookies[COOKIE], client.csrf
    answer = client.fill("/sign-in", login=" Maria ", password=GOOD, next="/account")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert client.cookies[COOKIE] != before
    with hub.desk.database.read() as session:
        assert people.find_session(session, digest_of(before), now=hub.time()) is None
    assert "Maria" in visit(client, "/account")
    assert client.csrf != csrf


def test_a_session_that_somebody_else_chose_is_not_taken(hub: Any, maria: Person) -> None:
    client = hub.client()
    client.cookies.set(COOKIE, "bbs_chosen-by-somebody-else")
    given = come_in(client).headers["set-cookie"]
    assert COOKIE in given
    assert "bbs_chosen" not in given
    spy = hub.client()
    spy.cookies.set(COOKIE, "bbs_chosen-by-somebody-else")
    assert spy.get("/account").status_code == 303


def test_the_cookie_is_kept_from_scripts_and_other_sites(hub: Any, maria: Person) -> None:
    client = hub.client()
    said = come_in(client).headers["set-cookie"].lower()
    assert "httponly" in said
    assert "samesite=lax" in said
    assert "path=/" in said


def test_behind_https_the_cookie_never_goes_by_http(make_hub: Callable[..., Any], hashed: str) -> None:
    hub = make_hub(public_url="https://hub.example.org")
    assert "secure" in hub.client().get("/sign-in").headers["set-cookie"].lower()


def test_who_is_signed_in_is_sent_on(hub: Any, maria: Person) -> None:
    client = hub.client(maria)
    assert client.get("/sign-in?next=/teams").headers["location"] == "/teams"
    assert client.get("/sign-in").headers["location"] == "/"


ELSEWHERE = (
    "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example", "https:evil.example",
    "javascript:alert(1)", "/\t/evil.example", "\t//evil.example", "/\n/evil.example", "evil.example", "",
    "/x\r\nSet-Cookie: a=b", "http:\\\\evil.example", "///evil.example", "/ /evil.example", "/\u3000/evil.example",
)  # fmt: skip


def test_nobody_is_sent_to_another_host(hub: Any, maria: Person) -> None:
    client = hub.client(maria)
    for address in ELSEWHERE:
        sent = client.get("/sign-in", params={"next": address})
        assert (sent.status_code, sent.headers["location"]) == (303, "/"), address
    for address in ELSEWHERE[:3]:
        assert come_in(hub.client(), next=address).headers["location"] == "/", address
    hidden = visit(hub.client(), "/sign-in?next=//evil.example")
    assert "evil.example" not in hidden


def test_an_encoded_host_stays_a_path_of_this_one(hub: Any, maria: Person) -> None:
    assert come_in(hub.client(), next="/%2F%2Fevil.example").headers["location"] == "/%2F%2Fevil.example"


def test_a_form_that_is_not_ours_is_refused(hub: Any, maria: Person) -> None:
    client = hub.client()
    visit(client, "/sign-in")
    for address in ("/sign-in", "/sign-out", "/invitation", "/sign-in/here"):
        for sent in ({}, {"csrf": "0" * 64}, {"csrf": ""}, {"csrf": "ä" * 64}):
            answer = client.post(address, data={"login": "maria", "password": GOOD, **sent})
            assert answer.status_code == 403, (address, sent)
    assert client.get("/account").status_code == 303


def test_a_form_of_another_session_is_refused(hub: Any, maria: Person) -> None:
    client, other = hub.client(), hub.client()
    visit(client, "/sign-in")
    visit(other, "/sign-in")
    client.csrf = other.csrf
    assert client.fill("/sign-in", login="maria", password=GOOD).status_code == 403


def test_another_site_cannot_sign_anybody_in(hub: Any, maria: Person) -> None:
    client = hub.client()
    visit(client, "/sign-in")
    data = {"csrf": client.csrf, "login": "maria", "password": GOOD}
    for site in ("cross-site", "same-site"):
        assert client.post("/sign-in", data=data, headers={"sec-fetch-site": site}).status_code == 403
    assert client.post("/sign-in", data=data, headers={"origin": "https://evil.example"}).status_code == 403


def test_signing_out_needs_the_form_and_ends_the_session(hub: Any, maria: Person) -> None:
    client = hub.client(maria)
    cookie = client.cookies[COOKIE]
    assert client.get("/sign-out").status_code == 405
    assert client.fill("/sign-out").status_code == 303
    thief = hub.client()
    thief.cookies.set(COOKIE, cookie)
    assert thief.get("/account").status_code == 303


def test_the_form_is_one_that_password_managers_know(hub: Any) -> None:
    text = visit(hub.client(), "/sign-in")
    assert re.search(r'<input type="text" id="f-login"[^>]* autocomplete="username"', text)
    password = re.search(r'<input type="password"[^>]*>', text)[0]
    assert 'autocomplete="current-password"' in password
    assert "value=" not in password
    assert "paste" not in text
    assert "maxlength" not in password


def test_what_was_typed_is_shown_again_but_not_the_password(hub: Any, maria: Person) -> None:
    answer = come_in(hub.client(), login='<b>"maria', password=WRONG)
    assert answer.status_code == 422
    assert "&lt;b&gt;" in answer.text
    assert "<b>" not in answer.text
    assert WRONG not in answer.text
    assert answer.headers["cache-control"] == "private, no-store"


def test_no_password_is_in_the_log(hub: Any, maria: Person, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        client = hub.client()
        come_in(client, password=WRONG)
        come_in(client)
        client.get("/invitation/" + accounts.invite(hub.desk, by=None))
    said = " ".join(f"{one.getMessage()} {one.__dict__}" for one in caplog.records if one.name.startswith("braggbook"))
    assert "/invitation/{secret}" in said
    for secret in (WRONG, GOOD, "bbi_", client.cookies[COOKIE]):
        assert secret not in said


def test_too_many_tries_from_one_address_are_refused(hub: Any) -> None:
    client = hub.client()
    visit(client, "/sign-in")
    codes = [client.fill("/invitation", name="x").status_code for _ in range(21)]
    assert codes == [404] * 20 + [429]
    assert client.fill("/sign-in", login="a", password="b").headers["retry-after"] == "60"


# wrong passwords


def lock(hub: Any, times: int = 5, login: str = "maria") -> None:
    for _ in range(times):
        with pytest.raises(SignInRefused):
            accounts.sign_in_local(hub.desk, login, WRONG)


def test_nobody_is_told_who_is_here(hub: Any, maria: Person, hashed: str) -> None:
    local(hub, "locked", hashed)
    with hub.desk.database.write() as session:
        people.add(session, Person(name="By a provider", login="nothing", created=hub.time()))
        session.get(Person, 2).locked_until = hub.time() + datetime.timedelta(minutes=5)
    client = hub.client()
    tries = (("maria", WRONG), ("nobody", WRONG), ("nothing", WRONG), ("locked", WRONG), ("locked", GOOD), ("", ""))
    answers = [come_in(client, login=login, password=password) for login, password in tries]
    assert {one.status_code for one in answers} == {422}
    assert len({re.sub(r'value="[^"]*"|id: ?\w+', "", one.text) for one in answers}) == 1


def test_five_wrong_passwords_lock_for_a_minute(hub: Any, maria: Person) -> None:
    lock(hub, 5)
    assert fresh(hub, maria).locked_until - hub.time() == datetime.timedelta(minutes=1)
    with pytest.raises(SignInRefused, match="locked"):
        accounts.sign_in_local(hub.desk, "maria", GOOD)
    hub.time.later(minutes=1)
    assert accounts.sign_in_local(hub.desk, "maria", GOOD).failures == 5
    assert (fresh(hub, maria).failures, fresh(hub, maria).locked_until) == (0, None)


@pytest.mark.full
def test_every_wrong_password_after_a_lock_locks_twice_as_long_up_to_an_hour(hub: Any, maria: Person) -> None:
    lock(hub, 5)
    waits = []
    for _ in range(8):
        waits.append((fresh(hub, maria).locked_until - hub.time()).total_seconds() / 60)
        hub.time.later(minutes=waits[-1])
        lock(hub, 1)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert "locked" in deeds_of(hub)


def test_tries_during_a_lock_do_not_make_it_longer(hub: Any, maria: Person) -> None:
    lock(hub, 5)
    until = fresh(hub, maria).locked_until
    lock(hub, 3)
    assert fresh(hub, maria).locked_until == until
    hub.time.later(seconds=59)
    lock(hub, 1)
    hub.time.later(seconds=1)
    assert accounts.sign_in_local(hub.desk, "maria", GOOD).person.id == maria.id


def test_many_guesses_at_once_are_not_more_guesses(either_hub: Any, hashed: str) -> None:
    hub = either_hub
    person = local(hub, "maria", hashed)

    def guess(_: int) -> None:
        with pytest.raises(SignInRefused):
            accounts.sign_in_local(hub.desk, "maria", WRONG)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(guess, range(12)))
    assert fresh(hub, person).failures == 5


def test_the_owner_hears_of_guesses(hub: Any, maria: Person) -> None:
    lock(hub, 2)
    client = hub.client()
    come_in(client)
    assert "2 wrong passwords were given" in client.get("/account").text
    assert "2 wrong passwords" not in client.get("/account").text


def test_a_disabled_person_does_not_come_in(hub: Any, maria: Person, hashed: str) -> None:
    local(hub, "chief", hashed, organiser=True)
    open_before = hub.client(maria)
    header = hub.token(maria)
    assert open_before.get("/account").status_code == 200
    accounts.disable(hub.desk, maria.id, by=None)
    assert open_before.get("/account").status_code == 303
    assert hub.client().get("/account", headers=header).status_code == 401
    answer = come_in(hub.client())
    assert "disabled" in answer.text
    assert "disabled" not in come_in(hub.client(), password=WRONG).text
    accounts.enable(hub.desk, maria.id, by=None)
    assert open_before.get("/account").status_code == 303, "a session that ended stays ended"
    assert come_in(hub.client()).status_code == 303


def test_a_password_is_hashed_anew_when_the_cost_has_changed(hub: Any) -> None:
    from argon2 import PasswordHasher

    old = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(GOOD)
    person = local(hub, "old", old)
    accounts.sign_in_local(hub.desk, "old", GOOD)
    renewed = fresh(hub, person).password
    assert renewed != old
    assert "m=65536,t=3,p=4" in renewed
    accounts.sign_in_local(hub.desk, "old", GOOD)
    assert fresh(hub, person).password == renewed


@pytest.mark.full
def test_an_unknown_login_takes_as_long_as_a_known_one(hub: Any, maria: Person) -> None:
    took: dict[str, list[float]] = {"maria": [], "nobody": []}
    for _ in range(12):
        for login, times in took.items():
            began = time.perf_counter()
            with pytest.raises(SignInRefused):
                accounts.sign_in_local(hub.desk, login, WRONG)
            times.append(time.perf_counter() - began)
    known, unknown = (statistics.median(one) for one in took.values())
    assert 0.6 < known / unknown < 1.6, "one Argon2 each; what is left is noise of the machine"


# links that work once


def fill_in(client: Any, **more: str) -> Any:
    data = {"login": "newcomer", "name": "New Comer", "password": GOOD, "again": GOOD, **more}
    return client.fill("/invitation", **data)


def test_an_invitation_makes_an_account_once(hub: Any) -> None:
    secret = accounts.invite(hub.desk, by=None, note="for the lab")
    client, late = hub.client(), hub.client()
    for one in (client, late):
        answer = one.get(f"/invitation/{secret}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/invitation")
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "no-store" in answer.headers["cache-control"]
        assert "for the lab" in visit(one, "/invitation")
    assert fill_in(client).headers["location"] == "/"
    assert "Welcome, New Comer." in visit(client, "/account")
    assert fill_in(late, login="another").status_code == 404
    assert late.get(f"/invitation/{secret}").status_code == 404
    assert come_in(hub.client(), "newcomer").status_code == 303
    assert {"link: account", "join"} <= set(deeds_of(hub))


def test_a_link_is_kept_by_its_digest_alone(hub: Any) -> None:
    secret = accounts.invite(hub.desk, by=None)
    client = hub.client()
    client.get(f"/invitation/{secret}")
    with hub.desk.database.read() as session:
        kept = people.find_session(session, digest_of(client.cookies[COOKIE]), now=hub.time()).data
        rows = [one.digest for one in people.open_invitations(session, now=hub.time())]
        noted = [f"{one.about} {one.text}" for one in people.deeds(session)]
    assert rows == [digest_of(secret)]
    assert not any(secret in text for text in [str(kept), *noted])
    assert secret not in visit(client, "/invitation")


def test_all_that_is_wrong_is_said_beside_its_field(hub: Any) -> None:
    client = hub.client()
    client.get("/invitation/" + accounts.invite(hub.desk, by=None))
    visit(client, "/invitation")
    answer = fill_in(client, login="ä b", name="=cmd", password="short", again="short")
    assert answer.status_code == 422
    for field in ("login", "name", "password"):
        assert f'id="f-{field}-error"' in answer.text
    assert "short" not in answer.text.replace("too short", "")
    assert 'id="f-again-error"' in fill_in(client, again=GOOD + " ").text
    assert fill_in(client).status_code == 303


def test_a_login_is_one_persons(hub: Any, maria: Person) -> None:
    digest = digest_of(accounts.invite(hub.desk, by=None))
    with pytest.raises(InputError) as caught:
        accounts.accept_account(hub.desk, digest, login="MARIA", name="M", password=GOOD)
    assert [one.where for one in caught.value.issues] == ["login"]
    assert accounts.look_at(hub.desk, digest).kind == "account"


def test_a_link_that_is_none_is_not_looked_up(hub: Any) -> None:
    client = hub.client()
    for secret in ("x", "bbi_" + "A" * 51, "bb_" + "A" * 51, "bbi_" + "A" * 43 + "00000000", "%2e%2e", "%00", "é"):
        assert client.get(f"/invitation/{secret}").status_code == 404, secret


def test_a_link_ends(hub: Any) -> None:
    secret = accounts.invite(hub.desk, by=None, lasts=datetime.timedelta(days=1))
    client = hub.client()
    client.get(f"/invitation/{secret}")
    visit(client, "/invitation")
    hub.time.later(hours=1)
    assert client.get("/invitation").status_code == 200
    hub.time.later(hours=24)
    assert client.get(f"/invitation/{secret}").status_code == 404
    with pytest.raises(UnknownName):
        accounts.accept_account(hub.desk, digest_of(secret), login="late", name="Late", password=GOOD)


def test_an_invitation_lasts_a_fit_time(hub: Any) -> None:
    for days in (0, -1, 91):
        with pytest.raises(InputError, match="last"):
            accounts.invite(hub.desk, by=None, lasts=datetime.timedelta(days=days))


def test_a_link_used_twice_at_once_makes_one_account(either_hub: Any) -> None:
    hub = either_hub
    digest = digest_of(accounts.invite(hub.desk, by=None))

    def use(login: str) -> str:
        try:
            return accounts.accept_account(hub.desk, digest, login=login, name=login, password=GOOD).login or ""
        except UnknownName:
            return ""

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(use, ["one", "two", "three", "four"]))
    assert len([one for one in made if one]) == 1
    with hub.desk.database.read() as session:
        assert people.list_people(session)[1] == 1


def test_the_first_organiser_comes_by_a_link_that_ends_the_one_before(hub: Any) -> None:
    first, second = accounts.first_link(hub.desk), accounts.first_link(hub.desk)
    assert first != second
    with pytest.raises(UnknownName):
        accounts.look_at(hub.desk, digest_of(first))
    person = accounts.accept_account(hub.desk, digest_of(second), login="chief", name="Chief", password=GOOD)
    assert person.organiser
    assert accounts.first_link(hub.desk) is None


def test_only_organisers_invite_and_recover(hub: Any, maria: Person) -> None:
    for act in (
        lambda: accounts.invite(hub.desk, by=maria),
        lambda: accounts.recovery_link(hub.desk, maria.id, by=maria),
    ):
        with pytest.raises(NotAllowed):
            act()


def test_an_invitation_makes_somebody_who_is_here_an_organiser(hub: Any, maria: Person) -> None:
    client = hub.client(maria)
    client.get("/invitation/" + accounts.invite(hub.desk, by=None))
    assert "You have an account already" in client.get("/invitation").text
    assert client.fill("/invitation").status_code == 422
    client.get("/invitation/" + accounts.invite(hub.desk, by=None, organiser=True))
    assert client.fill("/invitation").status_code == 303
    assert fresh(hub, maria).organiser
    assert "You are an organiser now." in client.get("/account").text
    assert client.fill("/invitation").status_code == 403, "the session is a new one"
    visit(client, "/account")
    assert client.fill("/invitation").status_code == 404


def test_recovery_gives_a_new_password_and_ends_the_rest(hub: Any, maria: Person) -> None:
    lock(hub, 5)
    thief, header = hub.client(maria), hub.token(maria)
    older = accounts.recovery_link(hub.desk, maria.id, by=None)
    secret = accounts.recovery_for(hub.desk, "Maria", by=None)
    client = hub.client()
    assert client.get(f"/invitation/{older}").status_code == 404
    client.get(f"/invitation/{secret}")
    text = visit(client, "/invitation")
    assert 'autocomplete="new-password"' in text
    assert client.fill("/invitation", password="maria", again="maria").status_code == 422
    new = "eight quiet protons"
    assert client.fill("/invitation", password=new, again=new).headers["location"] == "/account"
    assert client.get("/account").status_code == 200
    assert thief.get("/account").status_code == 303
    assert accounts.sign_in_local(hub.desk, "maria", new).failures == 0
    with hub.desk.database.read() as session:
        assert people.find_token(session, digest_of(header["Authorization"].split()[1]), now=hub.time())
    again = accounts.recovery_link(hub.desk, maria.id, by=None)
    accounts.accept_recovery(hub.desk, digest_of(again), password=GOOD, tokens=True)
    with hub.desk.database.read() as session:
        assert not people.find_token(session, digest_of(header["Authorization"].split()[1]), now=hub.time())


def test_recovery_gives_a_login_to_who_had_none(hub: Any, maria: Person) -> None:
    identity = Identity(issuer="https://idp.example", subject="1", name="Laure")
    person = accounts.sign_in_identity(hub.desk, identity)
    digest = digest_of(accounts.recovery_link(hub.desk, person.id, by=None))
    with pytest.raises(InputError, match="usable"):
        accounts.accept_recovery(hub.desk, digest, password=GOOD, login="maria")
    accounts.accept_recovery(hub.desk, digest, password=GOOD, login="laure")
    assert accounts.sign_in_local(hub.desk, "laure", GOOD).person.id == person.id


# by a provider


def test_newcomers_need_an_invitation_where_the_organiser_wants_it(make_hub: Callable[..., Any]) -> None:
    hub = make_hub(newcomers="invited")
    identity = Identity(issuer="https://idp.example", subject="1", name="Laure\u202e")
    with pytest.raises(SignInRefused, match="invited"):
        accounts.sign_in_identity(hub.desk, identity)
    digest = digest_of(accounts.invite(hub.desk, by=None, organiser=True))
    person = accounts.sign_in_identity(hub.desk, identity, invitation=digest)
    assert (person.organiser, person.name) == (True, "New participant")
    with pytest.raises(UnknownName):
        accounts.look_at(hub.desk, digest)
    assert accounts.sign_in_identity(hub.desk, identity).id == person.id


def test_a_recovery_link_lets_no_newcomer_in(make_hub: Callable[..., Any]) -> None:
    hub = make_hub(newcomers="invited")
    chief = accounts.accept_account(
        hub.desk, digest_of(accounts.first_link(hub.desk)), login="chief", name="Chief", password=GOOD
    )  # fmt: skip
    digest = digest_of(accounts.recovery_link(hub.desk, chief.id, by=chief))
    with pytest.raises(SignInRefused, match="invited"):
        accounts.sign_in_identity(hub.desk, Identity("https://idp.example", "1"), invitation=digest)


def test_one_identity_is_one_person_however_often_it_comes_at_once(either_hub: Any) -> None:
    identity = Identity(issuer="https://idp.example", subject="1", name="Laure")
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: accounts.sign_in_identity(either_hub.desk, identity).id, range(12)))
    assert len(set(found)) == 1


def test_the_same_subject_elsewhere_is_somebody_else(hub: Any) -> None:
    one = accounts.sign_in_identity(hub.desk, Identity("https://a.example", "1", name="Same"))
    other = accounts.sign_in_identity(hub.desk, Identity("https://b.example", "1", name="Same"))
    assert one.id != other.id


def test_an_identity_is_linked_to_one_person_and_not_removed_when_it_is_the_last_way(hub: Any, maria: Person) -> None:
    identity = Identity("https://idp.example", "1", name="Laure")
    laure = accounts.sign_in_identity(hub.desk, identity)
    with pytest.raises(InputError, match="another account"):
        accounts.link_identity(hub.desk, maria, identity)
    with hub.desk.database.read() as session:
        only = people.identities(session, laure.id)[0]
    with pytest.raises(InputError, match="could not sign in"):
        accounts.unlink_identity(hub.desk, laure, only.id)
    with pytest.raises(UnknownName):
        accounts.unlink_identity(hub.desk, maria, only.id)
    mine = Identity("https://idp.example", "2")
    accounts.link_identity(hub.desk, maria, mine)
    accounts.link_identity(hub.desk, maria, mine)
    assert accounts.sign_in_identity(hub.desk, mine).id == maria.id
    with hub.desk.database.read() as session:
        linked = people.identities(session, maria.id)
    assert len(linked) == 1
    assert hub.client(maria).fill(f"/account/identities/{linked[0].id}/remove").status_code == 303
    assert accounts.sign_in_identity(hub.desk, mine).id != maria.id


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with oidc_server() as address:
        yield address


@pytest.fixture
def open_hub(make_hub: Callable[..., Any], issuer: str) -> Any:
    provider = Provider("here", "Here", issuer, "hub", "secret", ("openid", "profile"))
    hub = make_hub(providers=(provider,), public_url="http://hub.test")
    hub.time.now = datetime.datetime.now(datetime.UTC)  # what the provider's own clock says
    return hub


def leave(client: Any, page: str = "/sign-in", **more: str) -> str:
    """Begins a sign-in; returns where the browser goes."""
    visit(client, page)
    answer = client.fill("/sign-in/here", **more)
    assert answer.status_code == 200, answer.text
    return answer.headers["refresh"].removeprefix("0;url=")


def back(client: Any, address: str) -> Any:
    assert address.startswith("http://hub.test/sign-in/here/return?")
    return client.get(address.removeprefix("http://hub.test"))


@pytest.mark.full
class TestAProvider:
    """A real one, in a process of its own."""

    subject = "0000-0002-1825-0097"

    def test_takes_somebody_in_under_a_new_session(self, open_hub: Any) -> None:
        client = open_hub.client()
        url = leave(client, next="/teams")
        assert "code_challenge_method=S256" in url
        before = client.cookies[COOKIE]
        answer = back(client, sign_in_there(url, subject=self.subject))
        assert (answer.status_code, answer.headers["location"]) == (303, "/teams")
        assert client.cookies[COOKIE] != before
        assert "Josiah Carberry" in client.get("/account").text
        other = open_hub.client()
        back(other, sign_in_there(leave(other), subject=self.subject))
        with open_hub.desk.database.read() as session:
            assert people.list_people(session)[1] == 1

    def test_s_answer_is_of_no_use_in_another_browser_and_works_once(self, open_hub: Any) -> None:
        client, other = open_hub.client(), open_hub.client()
        address = sign_in_there(leave(client), subject=self.subject)
        leave(other)
        assert back(other, address).status_code == 422
        assert back(open_hub.client(), address).status_code == 422
        assert back(client, address).status_code == 303
        again = open_hub.client()
        visit(again, "/sign-in")
        assert back(again, address).status_code == 422

    def test_s_answer_comes_within_ten_minutes(self, open_hub: Any) -> None:
        client = open_hub.client()
        address = sign_in_there(leave(client), subject=self.subject)
        open_hub.time.later(minutes=10, seconds=1)
        assert "more than 10 minutes" in back(client, address).text

    def test_that_is_declined_signs_nobody_in(self, open_hub: Any) -> None:
        client = open_hub.client()
        url = leave(client)
        state = re.search(r"[?&](state=[^&]+)", url)[1]  # this provider forgets it when somebody declines
        answer = back(client, f"{decline(url)}&{state}")
        assert answer.status_code == 422
        assert "declined" in answer.text

    def test_never_sends_anybody_to_another_host_afterwards(self, open_hub: Any) -> None:
        client = open_hub.client()
        answer = back(client, sign_in_there(leave(client, next="//evil.example"), subject=self.subject))
        assert answer.headers["location"] == "/"

    def test_is_linked_to_who_is_signed_in(self, open_hub: Any, hashed: str) -> None:
        person = local(open_hub, "maria", hashed)
        client = open_hub.client(person)
        url = leave(client, "/account")
        address = sign_in_there(url, subject=self.subject)
        client.fill("/sign-out")
        assert back(client, address).status_code == 422
        client = open_hub.client(person)
        address = sign_in_there(leave(client, "/account"), subject=self.subject)
        assert back(client, address).headers["location"] == "/account"
        assert self.subject in client.get("/account").text
        assert accounts.sign_in_identity(
            open_hub.desk, Identity(open_hub.desk.config.providers[0].issuer, self.subject)
        )

    def test_makes_an_account_by_an_invitation(self, open_hub: Any) -> None:
        client = open_hub.client()
        client.get("/invitation/" + accounts.invite(open_hub.desk, by=None, organiser=True))
        address = sign_in_there(leave(client, "/invitation", next="/invitation"), subject=self.subject)
        assert back(client, address).headers["location"] == "/account"
        assert "organiser" in client.get("/account").text
        assert client.get("/invitation").status_code == 404


def test_a_provider_that_is_not_set_is_unknown(hub: Any) -> None:
    client = hub.client()
    visit(client, "/sign-in")
    assert client.fill("/sign-in/nowhere").status_code == 404
    assert client.get("/sign-in/nowhere/return?code=a&state=b").status_code == 404


def test_a_host_that_somebody_made_up_is_not_believed(make_hub: Callable[..., Any]) -> None:
    hub = make_hub(providers=(Provider("here", "Here", "http://127.0.0.1:9", "hub", "secret"),))
    client = hub.client()
    visit(client, "/sign-in")
    answer = client.fill("/sign-in/here")
    assert answer.status_code == 422
    assert "public_url is not set" in answer.text


def test_a_provider_that_is_away_is_said_to_be(make_hub: Callable[..., Any]) -> None:
    provider = Provider("here", "Here", "http://127.0.0.1:9", "hub", "secret")
    hub = make_hub(providers=(provider,), public_url="http://hub.test")
    client = hub.client()
    visit(client, "/sign-in")
    answer = client.fill("/sign-in/here")
    assert answer.status_code == 422
    assert "Here: " in answer.text
    assert "refresh" not in answer.headers

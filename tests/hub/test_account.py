"""The own account, tokens, and what organisers do with accounts."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from braggbook.errors import InputError, NotAllowed, SignInRefused, UnknownName
from braggbook.hub import accounts
from braggbook.hub.accounts.tokens import MOST_TOKENS
from braggbook.hub.people.oidc import Identity
from braggbook.hub.people.passwords import hash_password
from braggbook.hub.people.secrets import TOKEN, digest_of, looks_right
from braggbook.hub.store import people, teams
from braggbook.hub.store.tables import Person

GOOD = "seven quiet protons"
NEW = "eight quiet protons"


@pytest.fixture(scope="session")
def hashed() -> str:
    return hash_password(GOOD)


@pytest.fixture
def maria(hub: Any, hashed: str) -> Person:
    return local(hub, "maria", hashed)


@pytest.fixture
def chief(hub: Any, hashed: str) -> Person:
    return local(hub, "chief", hashed, organiser=True)


def local(hub: Any, login: str, hashed: str, *, organiser: bool = False) -> Person:
    """Adds a local account."""
    person = Person(name=login.title(), login=login, password=hashed, organiser=organiser, created=hub.time())
    with hub.desk.database.write() as session:
        people.add(session, person)
    return person


def fresh(hub: Any, person: Person) -> Person:
    with hub.desk.database.read() as session:
        found = people.find_person(session, person.id)
    assert found is not None
    return found


def deeds_of(hub: Any) -> list[str]:
    with hub.desk.database.read() as session:
        return [one.what for one in people.deeds(session)]


def by_token(hub: Any, secret: str) -> Any:
    with hub.desk.database.read() as session:
        return people.find_token(session, digest_of(secret), now=hub.time())


PAGES = ("/account", "/account/tokens", "/account/data.json", "/teams")
FORMS = (
    "/account/name", "/account/password", "/account/sessions", "/account/identities/1/remove", "/account/delete",
    "/account/tokens", "/account/tokens/1/revoke", "/teams", "/teams/1/name", "/teams/1/link", "/teams/1/leave",
    "/teams/1/leader", "/teams/1/remove",
)  # fmt: skip


def test_an_account_is_its_persons_alone(hub: Any, maria: Person) -> None:
    visitor, client = hub.client(), hub.client(maria)
    for address in PAGES:
        assert visitor.get(address).headers["location"].startswith("/sign-in?next="), address
        assert client.get(address).status_code == 200, address
    for address in FORMS:
        assert visitor.fill(address).status_code in (401, 403), address
        assert client.post(address).status_code == 403, address
        assert client.post(address, data={"csrf": "0" * 64}).status_code == 403, address


def test_a_token_changes_no_account(hub: Any, maria: Person) -> None:
    client, header = hub.client(), hub.token(maria)
    for address in PAGES:
        assert client.get(address, headers=header).status_code == 403, address
    for address in FORMS:
        assert client.post(address, headers=header, data={"csrf": ""}).status_code == 403, address


def test_a_name_is_changed_and_escaped(hub: Any, maria: Person) -> None:
    client = hub.client(maria)
    assert client.fill("/account/name", name="  Maria & Söhne  ").status_code == 303
    assert fresh(hub, maria).name == "Maria & Söhne"
    assert "Maria &amp; Söhne" in client.get("/account").text
    answer = client.fill("/account/name", name="<script>alert(1)</script>")
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
    assert 'id="f-name-error"' in answer.text
    assert client.fill("/account/name", name="x" * 61).status_code == 422
    assert fresh(hub, maria).name == "Maria & Söhne"
    assert "rename" in deeds_of(hub)


def test_a_new_password_ends_all_other_sessions(hub: Any, maria: Person) -> None:
    client, other = hub.client(maria), hub.client(maria)
    wrong = client.fill("/account/password", current="something else", password=NEW, again=NEW)
    assert 'id="f-current-error"' in wrong.text
    weak = client.fill("/account/password", current=GOOD, password="maria", again="maria")
    assert 'id="f-password-error"' in weak.text
    differ = client.fill("/account/password", current=GOOD, password=NEW, again=NEW + "x")
    assert 'id="f-again-error"' in differ.text
    assert [one.status_code for one in (wrong, weak, differ)] == [422] * 3
    assert not any(secret in one.text for one in (wrong, weak, differ) for secret in (GOOD, NEW))
    assert other.get("/account").status_code == 200
    assert client.fill("/account/password", current=GOOD, password=NEW, again=NEW).status_code == 303
    assert "Your password is changed" in client.get("/account").text
    assert other.get("/account").status_code == 303
    assert accounts.sign_in_local(hub.desk, "maria", NEW).person.id == maria.id


def test_guessing_the_password_from_inside_locks_too(hub: Any, maria: Person) -> None:
    for _ in range(5):
        with pytest.raises(InputError):
            accounts.change_password(hub.desk, maria, current="something else", new=NEW)
    with pytest.raises(SignInRefused):
        accounts.sign_in_local(hub.desk, "maria", GOOD)


def test_all_sessions_end_at_once(hub: Any, maria: Person) -> None:
    client, other = hub.client(maria), hub.client(maria)
    assert client.fill("/account/sessions").headers["location"] == "/sign-in"
    assert client.get("/account").status_code == 303
    assert other.get("/account").status_code == 303


def test_what_the_hub_knows_is_given_without_secrets(hub: Any, maria: Person) -> None:
    token, secret = accounts.make_token(hub.desk, maria, name="laptop", scopes=["read"], days=30)
    team = accounts.make_team(hub.desk, maria, "Protons")
    accounts.link_identity(hub.desk, maria, Identity("https://idp.example", "77"))
    client = hub.client(maria)
    answer = client.get("/account/data.json")
    assert "attachment" in answer.headers["content-disposition"]
    told = answer.json()
    assert told["person"]["login"] == "maria"
    assert [one["name"] for one in told["tokens"]] == ["laptop"]
    assert [(one["id"], one["leader"]) for one in told["teams"]] == [(team.id, True)]
    assert [one["subject"] for one in told["identities"]] == ["77"]
    assert {"make token", "make team"} <= {one["what"] for one in told["deeds"]}
    for hidden in (secret, token.digest, maria.password, "argon2id$"):
        assert hidden not in answer.text


def test_another_persons_data_are_not_in_it(hub: Any, maria: Person, chief: Person) -> None:
    accounts.make_team(hub.desk, chief, "Chiefs")
    accounts.make_token(hub.desk, chief, name="of the chief", scopes=["read"], days=None)
    assert "hief" not in hub.client(maria).get("/account/data.json").text


def test_a_deleted_account_leaves_no_name_and_no_way_in(hub: Any, maria: Person, chief: Person) -> None:
    identity = Identity("https://idp.example", "77")
    accounts.link_identity(hub.desk, maria, identity)
    _, secret = accounts.make_token(hub.desk, maria, name="laptop", scopes=["read"], days=None)
    team = accounts.make_team(hub.desk, maria, "Protons")
    client = hub.client(maria)
    assert 'id="f-sure-error"' in client.fill("/account/delete", confirm=GOOD).text
    assert 'id="f-confirm-error"' in client.fill("/account/delete", sure="yes", confirm="wrong").text
    assert fresh(hub, maria).name == "Maria"
    answer = client.fill("/account/delete", sure="yes", confirm=GOOD)
    assert answer.headers["location"] == "/"
    assert "Your account is deleted." in client.get("/").text
    left = fresh(hub, maria)
    assert (left.name, left.login, left.password, left.disabled) == ("Deleted account", None, None, True)
    with pytest.raises(SignInRefused):
        accounts.sign_in_local(hub.desk, "maria", GOOD)
    assert by_token(hub, secret) is None
    with hub.desk.database.read() as session:
        assert people.identities(session, maria.id) == []
        assert teams.members(session, team.id) == []
        assert teams.find_team(session, team.id).name == "Protons"
    with pytest.raises(InputError, match="deleted"):
        accounts.enable(hub.desk, maria.id, by=chief)
    assert accounts.sign_in_identity(hub.desk, identity).id != maria.id


def test_the_last_organiser_and_the_last_leader_cannot_delete_themselves(
    hub: Any, maria: Person, chief: Person
) -> None:
    team = accounts.make_team(hub.desk, chief, "Protons")
    accounts.join(hub.desk, digest_of(accounts.join_link(hub.desk, team.id, by=chief)), maria)
    with pytest.raises(InputError) as caught:
        accounts.delete_account(hub.desk, chief)
    assert len(caught.value.issues) == 2
    answer = hub.client(chief).fill("/account/delete", sure="yes", confirm=GOOD)
    assert answer.status_code == 422
    assert "last organiser" in answer.text
    assert "Protons" in answer.text


# tokens


def test_a_token_is_shown_once_and_kept_by_its_digest(hub: Any, maria: Person) -> None:
    client = hub.client(maria)
    text = client.fill("/account/tokens", name="laptop", scopes="read", days="30").text
    secret = re.search(r"bb_[\w-]{51}", text)[0]
    assert looks_right(secret, prefix=TOKEN)
    assert secret not in client.get("/account/tokens").text
    found = by_token(hub, secret)
    assert (found.scopes, found.name) == (["read"], "laptop")
    assert found.expires == hub.time() + datetime.timedelta(days=30)
    hub.time.later(days=30)
    assert by_token(hub, secret) is None


def test_a_token_may_no_more_than_its_person(hub: Any, maria: Person, chief: Person) -> None:
    client = hub.client(maria)
    assert 'value="organise"' not in client.get("/account/tokens").text
    for data in (
        {"name": "a", "scopes": "organise", "days": "30"},
        {"name": "a", "scopes": "everything", "days": "30"},
        {"name": "a", "days": "30"},
        {"name": "", "scopes": "read", "days": "30"},
        {"name": "a", "scopes": "read", "days": "366"},
        {"name": "a", "scopes": "read", "days": "-1"},
        {"name": "a", "scopes": "read", "days": "²"},
        {"name": "a", "scopes": "read"},
    ):
        assert client.fill("/account/tokens", **data).status_code == 422, data
    token, secret = accounts.make_token(hub.desk, chief, name="all", scopes=["organise", "read"], days=None)
    assert token.scopes == ["organise", "read"]
    assert hub.client(chief).fill("/account/tokens", name="b", scopes="organise", days="0").status_code == 200
    accounts.set_organiser(hub.desk, maria.id, True, by=chief)
    accounts.set_organiser(hub.desk, chief.id, False, by=maria)
    assert hub.client().get("/organise", headers={"Authorization": f"Bearer {secret}"}).status_code == 403


def test_all_that_is_wrong_with_a_token_is_said_at_once(hub: Any, maria: Person) -> None:
    with pytest.raises(InputError) as caught:
        accounts.make_token(hub.desk, maria, name="=1", scopes=[], days=1000)
    assert [one.where for one in caught.value.issues] == ["name", "scopes", "days"]


def test_a_token_is_revoked_by_its_person_alone(hub: Any, maria: Person, chief: Person) -> None:
    token, secret = accounts.make_token(hub.desk, maria, name="laptop", scopes=["read"], days=None)
    assert hub.client(chief).fill(f"/account/tokens/{token.id}/revoke").status_code == 404
    assert by_token(hub, secret)
    client = hub.client(maria)
    assert client.fill(f"/account/tokens/{token.id}/revoke").status_code == 303
    assert by_token(hub, secret) is None
    assert client.fill(f"/account/tokens/{token.id}/revoke").status_code == 404
    assert client.fill("/account/tokens/9999/revoke").status_code == 404
    assert "revoked" in client.get("/account/tokens").text


def test_nobody_heaps_up_tokens(hub: Any, maria: Person) -> None:
    made = [accounts.make_token(hub.desk, maria, name="t", scopes=["read"], days=1) for _ in range(MOST_TOKENS)]
    with pytest.raises(InputError):
        accounts.make_token(hub.desk, maria, name="t", scopes=["read"], days=1)
    accounts.revoke_token(hub.desk, maria, made[0][0].id)
    assert accounts.make_token(hub.desk, maria, name="t", scopes=["read"], days=1)


# organisers


def test_there_is_always_an_organiser(hub: Any, maria: Person, chief: Person) -> None:
    for act in (
        lambda: accounts.disable(hub.desk, chief.id, by=chief),
        lambda: accounts.set_organiser(hub.desk, chief.id, False, by=chief),
        lambda: accounts.delete_account(hub.desk, chief),
    ):
        with pytest.raises(InputError):
            act()
    accounts.set_organiser(hub.desk, maria.id, True, by=chief)
    accounts.disable(hub.desk, chief.id, by=maria)
    with pytest.raises(InputError, match="last"):
        accounts.set_organiser(hub.desk, maria.id, False, by=maria)
    with pytest.raises(InputError, match="disabled"):
        accounts.recovery_link(hub.desk, chief.id, by=maria)
    with pytest.raises(NotAllowed):
        accounts.invite(hub.desk, by=fresh(hub, chief))
    assert {"make organiser", "disable"} <= set(deeds_of(hub))


def test_two_organisers_who_remove_each_other_leave_one(either_hub: Any, hashed: str) -> None:
    hub = either_hub
    one, other = (local(hub, login, hashed, organiser=True) for login in ("one", "other"))

    def remove(pair: tuple[Person, Person]) -> bool:
        try:
            accounts.set_organiser(hub.desk, pair[1].id, False, by=pair[0])
        except InputError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(remove, [(one, other), (other, one)])) == [False, True]
    with hub.desk.database.read() as session:
        assert people.organisers(session) == 1


def test_participants_change_nobody(hub: Any, maria: Person, chief: Person) -> None:
    for act in (
        lambda: accounts.disable(hub.desk, chief.id, by=maria),
        lambda: accounts.enable(hub.desk, chief.id, by=maria),
        lambda: accounts.set_organiser(hub.desk, maria.id, True, by=maria),
    ):
        with pytest.raises(NotAllowed):
            act()
    assert not fresh(hub, maria).organiser


def test_nobody_is_not_changed(hub: Any, chief: Person) -> None:
    for act in (
        lambda: accounts.disable(hub.desk, 99, by=chief),
        lambda: accounts.enable(hub.desk, 99, by=chief),
        lambda: accounts.set_organiser(hub.desk, 99, True, by=chief),
        lambda: accounts.recovery_link(hub.desk, 99, by=chief),
        lambda: accounts.recovery_for(hub.desk, "nobody", by=chief),
    ):
        with pytest.raises(UnknownName):
            act()


def test_the_address_of_a_link_is_the_hubs_own(make_hub: Callable[..., Any]) -> None:
    for config, wanted in (
        ({}, "http://127.0.0.1:8000/invitation/x"),
        ({"host": "0.0.0.0", "port": 81, "prefix": "/hub"}, "http://127.0.0.1:81/hub/invitation/x"),
        ({"host": "::1"}, "http://[::1]:8000/invitation/x"),
        ({"public_url": "https://a.example/", "prefix": "/hub/"}, "https://a.example/hub/invitation/x"),
    ):
        assert accounts.link_of(make_hub(**config).desk, "x") == wanted

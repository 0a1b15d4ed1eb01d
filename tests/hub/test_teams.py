"""Teams: names that nobody can mistake, links to join, leaving and handing over."""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from braggbook.challenges.submissions import same_team, submit
from braggbook.errors import InputError, NotAllowed, StorageError, UnknownName
from braggbook.hub import accounts, entries
from braggbook.hub.accounts.membership import MOST_TEAMS
from braggbook.hub.people.secrets import digest_of
from braggbook.hub.store import people, teams
from braggbook.hub.store.tables import Person, Team


@pytest.fixture
def anna(hub: Any) -> Person:
    return hub.person("Anna")[0]


@pytest.fixture
def bela(hub: Any) -> Person:
    return hub.person("Béla")[0]


@pytest.fixture
def team(hub: Any, anna: Person) -> Team:
    return accounts.make_team(hub.desk, anna, "Protons of Lund")


def enter(hub: Any, team: Team, by: Person, who: Person) -> None:
    accounts.join(hub.desk, digest_of(accounts.join_link(hub.desk, team.id, by=by)), who)


def hand_in(hub: Any, team: Team, person: Person) -> None:
    """Has a team hand something in, up to where its file would be read."""
    phase = hub.opened.challenge.design.phases[0].id
    wanted = entries.Wanted(
        challenge=hub.opened.challenge, phase=phase, team=team, person=person, title="", key="k", upload="x.zip"
    )  # fmt: skip
    entries.begin(hub.desk, wanted)


def test_a_team_is_made_and_led(hub: Any, anna: Person, bela: Person) -> None:
    client = hub.client(anna)
    answer = client.fill("/teams", name="  Protons & Söhne ")
    assert answer.status_code == 303
    text = client.get(answer.headers["location"]).text
    assert "Protons &amp; Söhne" in text
    assert "leads" in text
    assert "Protons &amp; Söhne" in client.get("/teams").text
    assert hub.client(bela).get(answer.headers["location"]).status_code == 404
    assert hub.client(anna).get("/teams/999").status_code == 404


@pytest.mark.parametrize(
    "other",
    [
        "protons of lund", "Protons  of Lund", "ＰＲＯＴＯＮＳ of Lund", "Prot\u043ens of Lund", "Pr0tons of Lund",
        "Protons-of-Lund", "ProtonsOfLund", "Protons of 1und", "Protons of Iund", "\u03a1rotons of Lund",
    ],
)  # fmt: skip
def test_names_that_look_alike_are_one(other: str) -> None:
    assert accounts.folded(other) == accounts.folded("Protons of Lund")


def test_names_that_do_not_look_alike_are_two() -> None:
    names = (
        "Protons of Lund",
        "Photons of Lund",
        "Protons of Lünd",
        "Protons",
        "東京",
        "京都",
        "1",
        "2",
        "...",
        "C",
        "C+",
    )
    assert len({accounts.folded(name) for name in names}) == len(names)


def test_what_a_vault_takes_for_one_team_is_one_here() -> None:
    for one, other in (("Straße 9", "STRASSE 9"), ("ﬁt team", "fit team"), ("A b", "a\u00a0 B")):
        assert same_team(one, other)
        assert accounts.folded(one) == accounts.folded(other)


def test_the_longest_name_fits(hub: Any, anna: Person) -> None:
    made = accounts.make_team(hub.desk, anna, "\ufdfa" * 60)
    assert len(made.folded) <= 180
    assert accounts.folded("\ufdfa" * 59) != made.folded


def test_a_name_is_taken_once(hub: Any, team: Team, bela: Person) -> None:
    client = hub.client(bela)
    for name in ("Protons of Lund", "pr0tons of lund", "=SUM(A1)", "<b>x</b>", "", "x" * 61, "a\u202eb"):
        answer = client.fill("/teams", name=name)
        assert answer.status_code == 422, name
        assert 'id="f-name-error"' in answer.text, name
        assert "<b>x" not in answer.text


def test_a_name_taken_twice_at_once_is_one_teams(either_hub: Any) -> None:
    hub = either_hub
    who = [hub.person(name)[0] for name in ("One", "Two", "Three", "Four")]

    def make(person: Person) -> bool:
        try:
            accounts.make_team(hub.desk, person, "Protons")
        except InputError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(make, who)) == [False, False, False, True]


def test_a_name_that_came_by_the_command_line_is_nobodys_to_take(hub: Any, anna: Person, team: Team) -> None:
    challenge, vault = hub.opened.challenge, hub.opened.vault
    phase = challenge.design.phases[0]
    submit(challenge, vault, hub.file("Anna"), phase=phase, team="Old Hands", accepted=True, now=hub.time())
    for name in ("Old Hands", "old  hands", "0ld Hands"):
        with pytest.raises(InputError) as caught:
            accounts.make_team(hub.desk, anna, name)
        assert [one.where for one in caught.value.issues] == ["name"]
        with pytest.raises(InputError):
            accounts.rename_team(hub.desk, team.id, name, by=anna)
    assert accounts.make_team(hub.desk, anna, "New Hands")


def test_where_submissions_cannot_be_read_no_name_is_free(hub: Any, anna: Person) -> None:
    challenge, vault = hub.opened.challenge, hub.opened.vault
    phase = challenge.design.phases[0]
    taken = submit(challenge, vault, hub.file("Anna"), phase=phase, team="Old Hands", accepted=True, now=hub.time())
    (vault.submission_folder(taken.id) / "submission.json").write_text("{}")
    with pytest.raises(StorageError) as caught:
        accounts.make_team(hub.desk, anna, "Whatever")
    assert str(vault.folder) not in str(caught.value)
    shutil.rmtree(Path(vault.submission_folder(taken.id)))
    assert accounts.make_team(hub.desk, anna, "Whatever")


def test_nobody_is_in_too_many_teams(hub: Any, anna: Person) -> None:
    for number in range(MOST_TEAMS):
        accounts.make_team(hub.desk, anna, f"Team {chr(0x4E00 + number)}")
    with pytest.raises(InputError):
        accounts.make_team(hub.desk, anna, "One more")


def test_a_link_lets_one_person_in(hub: Any, team: Team, anna: Person, bela: Person) -> None:
    leader = hub.client(anna)
    text = leader.fill(f"/teams/{team.id}/link").text
    address = re.search(r"http://hub\.test(/invitation/bbi_[\w-]+)", text)[1]
    assert "/invitation/bbi_" not in leader.get(f"/teams/{team.id}").text
    visitor = hub.client()
    assert visitor.get(address).status_code == 303
    assert "/sign-in?next=/invitation" in visitor.get("/invitation").text
    client = hub.client(bela)
    client.get(address)
    assert "Protons of Lund" in client.get("/invitation").text
    assert client.get(f"/teams/{team.id}").status_code == 404, "looking at a link joins nothing"
    assert client.fill("/invitation").headers["location"] == f"/teams/{team.id}"
    assert client.get(f"/teams/{team.id}").status_code == 200
    third = hub.client(hub.person("Third")[0])
    assert third.get(address).status_code == 404
    assert visitor.get("/invitation").status_code == 404


def test_who_is_in_a_team_does_not_use_its_link_up(hub: Any, team: Team, anna: Person, bela: Person) -> None:
    digest = digest_of(accounts.join_link(hub.desk, team.id, by=anna))
    with pytest.raises(InputError, match="already"):
        accounts.join(hub.desk, digest, anna)
    assert accounts.join(hub.desk, digest, bela).id == team.id


def test_a_link_used_twice_at_once_lets_one_in(either_hub: Any) -> None:
    hub = either_hub
    anna = hub.person("Anna")[0]
    team = accounts.make_team(hub.desk, anna, "Protons")
    digest = digest_of(accounts.join_link(hub.desk, team.id, by=anna))
    who = [hub.person(name)[0] for name in ("One", "Two", "Three")]

    def use(person: Person) -> bool:
        try:
            accounts.join(hub.desk, digest, person)
        except UnknownName:
            return False
        return True

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(use, who)) == [False, False, True]
    with hub.desk.database.read() as session:
        assert len(teams.members(session, team.id)) == 2


def test_only_who_leads_lets_in_renames_and_hands_over(hub: Any, team: Team, anna: Person, bela: Person) -> None:
    enter(hub, team, anna, bela)
    client, stranger = hub.client(bela), hub.client(hub.person("Stranger")[0])
    for what in ("link", "name", "leader"):
        values = {"name": "Other", "to": str(bela.id)}
        assert client.fill(f"/teams/{team.id}/{what}", **values).status_code == 403, what
        assert stranger.fill(f"/teams/{team.id}/{what}", **values).status_code == 404, what
    assert stranger.fill(f"/teams/{team.id}/leave").status_code == 404
    with pytest.raises(NotAllowed):
        accounts.join_link(hub.desk, team.id, by=bela)
    assert "Make a link" not in client.get(f"/teams/{team.id}").text


def test_a_team_is_renamed_until_it_has_handed_in(hub: Any, team: Team, anna: Person) -> None:
    client = hub.client(anna)
    assert client.fill(f"/teams/{team.id}/name", name="PROTONS of Lund").status_code == 303, (
        "its own name in other letters"
    )
    assert client.fill(f"/teams/{team.id}/name", name="Ions").status_code == 303
    assert "Ions" in client.get(f"/teams/{team.id}").text
    with hub.desk.database.read() as session:
        renamed = teams.find_team(session, team.id)
    hand_in(hub, renamed, anna)
    answer = client.fill(f"/teams/{team.id}/name", name="Electrons")
    assert answer.status_code == 422
    assert "cannot be changed" in answer.text
    assert "Change the name" not in client.get(f"/teams/{team.id}").text


def test_the_last_leader_leaves_nobody_behind(hub: Any, team: Team, anna: Person, bela: Person) -> None:
    enter(hub, team, anna, bela)
    client = hub.client(anna)
    answer = client.fill(f"/teams/{team.id}/leave")
    assert answer.status_code == 422
    assert "last leader" in answer.text
    for wrong in (anna.id, 999, "", "x", "²"):
        assert client.fill(f"/teams/{team.id}/leader", to=str(wrong)).status_code == 422, wrong
    assert client.fill(f"/teams/{team.id}/leader", to=str(bela.id)).status_code == 303
    assert client.fill(f"/teams/{team.id}/leave").headers["location"] == "/teams"
    assert client.get(f"/teams/{team.id}").status_code == 404
    alone = hub.client(bela)
    assert alone.fill(f"/teams/{team.id}/leave").status_code == 303
    with pytest.raises(InputError):
        accounts.make_team(hub.desk, anna, "Protons of Lund")


def test_members_come_and_go_as_they_like(hub: Any, team: Team, anna: Person, bela: Person) -> None:
    enter(hub, team, anna, bela)
    accounts.leave(hub.desk, team.id, bela)
    with pytest.raises(UnknownName):
        accounts.leave(hub.desk, team.id, bela)
    enter(hub, team, anna, bela)
    with hub.desk.database.read() as session:
        assert [one.leader for one in teams.members(session, team.id)] == [True, False]


def test_a_leader_takes_somebody_out(hub: Any, team: Team, anna: Person, bela: Person) -> None:
    enter(hub, team, anna, bela)
    spare = digest_of(accounts.join_link(hub.desk, team.id, by=anna))
    client, other = hub.client(anna), hub.client(bela)
    assert "Take somebody out" not in other.get(f"/teams/{team.id}").text
    assert other.fill(f"/teams/{team.id}/remove", who=str(anna.id)).status_code == 403
    for wrong in (anna.id, 999, "", "x", "²"):
        answer = client.fill(f"/teams/{team.id}/remove", who=str(wrong))
        assert answer.status_code == 422, wrong
        assert "Choose somebody else" in answer.text
    assert client.fill(f"/teams/{team.id}/remove", who=str(bela.id)).status_code == 303
    assert f"{bela.name} is not in the team any more." in client.get(f"/teams/{team.id}").text
    assert other.get(f"/teams/{team.id}").status_code == 404
    with pytest.raises(UnknownName):
        accounts.join(hub.desk, spare, bela)
    with hub.desk.database.read() as session:
        assert people.deeds(session)[0].what == "remove member"


def test_a_link_of_a_team_makes_no_account(hub: Any, team: Team, anna: Person) -> None:
    digest = digest_of(accounts.join_link(hub.desk, team.id, by=anna))
    with pytest.raises(UnknownName):
        accounts.accept_account(hub.desk, digest, login="x1", name="X", password="seven quiet protons")
    with pytest.raises(UnknownName):
        accounts.accept_as(hub.desk, digest, anna)

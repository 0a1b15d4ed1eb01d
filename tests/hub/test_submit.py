"""The pages on which one hands in and sees what happened to it."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from braggbook.formats.submission import Problem
from braggbook.hub.store import entries as rows
from braggbook.hub.store.tables import Entry
from braggbook.testing.challenges import LATE, NET

from .conftest import Client, Hub

PLACE = "/challenges/tiny_dose/submit"


def _send(client: Client, file: Path, team: Any, /, **values: Any) -> Any:
    name = values.pop("name", file.name)
    given = {"phase": "practice", "team": str(team.id), "terms": "yes", "title": "first", **values}
    with file.open("rb") as stream:
        return client.fill(PLACE, file=(name, stream), **given)


def _entry(hub: Hub) -> Entry:
    with hub.desk.database.read() as session:
        found, _ = rows.list_entries(session)
    return found[0]


@pytest.fixture
def anna(hub: Hub) -> tuple[Client, Any]:
    person, team = hub.person("Anna", team="Anna")
    return hub.client(person), team


def test_from_the_form_to_the_receipt(hub: Hub, anna: tuple[Client, Any]) -> None:
    client, team = anna
    form = client.get(PLACE).text
    for word in (
        "dose_gy",
        "Gy",
        "from 0 to 10",
        "any number",
        "made by code, to test with",
        "challenge try tiny_dose",
    ):
        assert word in form
    answer = _send(client, hub.file("Anna"), team)
    assert answer.status_code == 303, answer.text
    entry = _entry(hub)
    assert answer.headers["location"] == f"/submissions/{entry.id}"
    waiting = client.get(answer.headers["location"])
    assert waiting.status_code == 200
    assert "in the queue" in waiting.text
    assert f'data-live="/submissions/{entry.id}/live"' in waiting.text
    assert "data-done" not in waiting.text
    hub.work()
    part = client.get(f"/submissions/{entry.id}/live").text
    assert "data-done" in part
    assert "mean_error" in part
    assert "<html" not in part
    receipt = client.get(f"/submissions/{entry.id}/receipt.json")
    assert "attachment" in receipt.headers["content-disposition"]
    assert receipt.json()["verdict"] == "scored"
    assert not list(hub.desk.config.spool.glob("*/*"))


@pytest.mark.full
def test_the_command_that_checks_the_signature_works(hub: Hub, anna: tuple[Client, Any], tmp_path: Path) -> None:
    client, team = anna
    place = _send(client, hub.file("Anna"), team).headers["location"]
    hub.work()
    (tmp_path / f"receipt-{place.rpartition('/')[2]}.json").write_bytes(client.get(f"{place}/receipt.json").content)
    commands = re.findall(r"<code[^>]*>(.*?)</code>", client.get(place).text, re.DOTALL)
    command = next(html.unescape(one) for one in commands if "verify_signature" in one)
    done = subprocess.run(
        ["bash", "-c", command.replace("python3", sys.executable, 1)], cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_the_command_names_what_has_to_be_chosen(hub: Hub, anna: tuple[Client, Any]) -> None:
    client, _ = anna
    said = html.unescape(client.get(f"{PLACE}?phase=last").text)
    assert "braggbook challenge submit tiny_dose \\\n  FILE \\\n  --to http://hub.test \\\n  --phase last" in said


def test_the_same_form_twice_is_one_submission(hub: Hub, anna: tuple[Client, Any]) -> None:
    client, team = anna
    key = re.search(r'name="key" value="(\w+)"', client.get(PLACE).text).group(1)
    first, second = (_send(client, hub.file("Anna"), team, key=key) for _ in range(2))
    assert first.headers["location"] == second.headers["location"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"phase": "nowhere"}, "choose one that is open"),
        ({"team": "999"}, "choose one of your teams"),
        ({"terms": ""}, "has to accept the terms"),
        ({"title": "<b>bold"}, "tag of a web page"),
        ({"name": "run.exe"}, "not a kind of file"),
    ],
)
def test_errors_stand_beside_their_fields(
    hub: Hub, anna: tuple[Client, Any], values: dict[str, str], said: str
) -> None:
    client, team = anna
    answer = _send(client, hub.file("Anna"), team, **values)
    assert answer.status_code == 422
    assert said in answer.text
    assert 'aria-invalid="true"' in answer.text or "f-phase-error" in answer.text
    assert "<b>bold" not in answer.text
    assert hub.opened.vault.submissions() == []


def test_all_errors_at_once(hub: Hub, anna: tuple[Client, Any]) -> None:
    client, _ = anna
    answer = client.fill(PLACE, phase="", team="", title="=1")
    assert answer.status_code == 422
    assert "5 things are" in answer.text


def test_who_may_not(hub: Hub, anna: tuple[Client, Any]) -> None:
    client, team = anna
    nobody = hub.client()
    assert nobody.get(PLACE).status_code == 303
    assert nobody.post(PLACE, data={"phase": "practice"}).status_code == 401
    client.csrf = "x"
    assert _send(client, hub.file("Anna"), team).status_code == 403
    alone = hub.client(hub.person("Carl")[0])
    assert "you are in none" in alone.get(PLACE).text
    assert client.get("/challenges/nothing/submit").status_code == 404


def test_a_closed_phase_says_so(hub: Hub, anna: tuple[Client, Any]) -> None:
    client, team = anna
    hub.time.later(days=60)
    person, team = hub.person("Ben", team="Ben")
    client = hub.client(person)
    assert "No phase takes anything now" in client.get(PLACE).text
    answer = _send(client, hub.file("Anna"), team)
    assert answer.status_code == 422


def test_a_refused_file_lists_what_is_wrong(hub: Hub, anna: tuple[Client, Any]) -> None:
    client, team = anna
    place = _send(client, hub.file(LATE), team).headers["location"]
    hub.work()
    said = client.get(place).text
    assert "refused" in said
    assert "it costs nothing" in said
    assert "challenge try tiny_dose PREDICTIONS" in said


def test_a_failure_shows_own_lines_and_replay_logs(hub: Hub, anna: tuple[Client, Any]) -> None:
    client, team = anna
    place = _send(client, hub.file(NET), team).headers["location"]
    hub.work()
    fail(hub, _entry(hub))
    said = client.get(place).text
    for word in ("code cell 2, line 3", "ValueError", "dose = 1 / 0", "8 more", "kernel.log", "&lt;script&gt;"):
        assert word in said
    assert "<script>alert" not in said


def fail(hub: Hub, entry: Entry) -> None:
    """Puts a failure into the newest evaluation, as a notebook's would be; the signature is not looked at here."""
    vault = hub.opened.vault
    folder = vault.evaluation_folder(entry.id, entry.evaluation)
    problem = Problem(
        what="the notebook raised an exception", cell=2, line=3, exception="ValueError",
        source=["cells = load()", "", "dose = 1 / 0", "print(dose)"], issues=[f"finding {n}" for n in range(13)],
    )  # fmt: skip
    made = vault.evaluation(entry.id, entry.evaluation)
    receipt = vault.receipt(made)
    changes = {"verdict": "failed", "problem": problem}
    (folder / "receipt.json").write_text(receipt.model_copy(update={**changes, "scores": None}).model_dump_json())
    (folder / "evaluation.json").write_text(
        made.model_copy(update={**changes, "cases": {}, "overall": {}}).model_dump_json()
    )
    (folder / "replay").mkdir()
    (folder / "replay" / "kernel.log").write_text("Traceback <script>alert(1)</script>\n")
    with hub.desk.database.write() as session:
        found = rows.find_entry(session, entry.id)
        rows.move(session, found, "failed", why="the notebook raised an exception", now=hub.time())


def test_another_teams_page_is_not_there(hub: Hub, anna: tuple[Client, Any]) -> None:
    client, team = anna
    place = _send(client, hub.file("Anna"), team).headers["location"]
    other = hub.client(hub.person("Ben", team="Ben")[0])
    boss = hub.client(hub.person("Olga", organiser=True)[0])
    for path in ("", "/live", "/receipt.json", "/withdraw"):
        assert other.get(place + path).status_code == 404
        assert hub.client().get(place + path).status_code == 303
    assert boss.get(place).status_code == 200
    assert "For organisers" in boss.get(place).text
    assert "For organisers" not in client.get(place).text
    assert other.fill(f"{place}/withdraw", because="mine", sure="yes").status_code == 404
    assert client.fill(f"{place}/score-again", because="please").status_code == 403


def test_withdrawing_is_confirmed_and_has_a_reason(hub: Hub, anna: tuple[Client, Any]) -> None:
    client, team = anna
    place = _send(client, hub.file("Anna"), team).headers["location"]
    assert "It cannot be withdrawn now" in client.get(f"{place}/withdraw").text
    hub.work()
    assert client.fill(f"{place}/withdraw", because="", sure="").status_code == 422
    answer = client.fill(f"{place}/withdraw", because="a wrong file", sure="yes")
    assert answer.status_code == 303
    said = client.get(place).text
    assert "The submission is withdrawn." in said
    assert "withdrawn by Anna: a wrong file" in said


def test_an_organiser_scores_again_and_sees_cases(hub: Hub, anna: tuple[Client, Any]) -> None:
    client, team = anna
    place = _send(client, hub.file("Anna"), team).headers["location"]
    hub.work()
    boss = hub.client(hub.person("Olga", organiser=True)[0])
    assert "public_00" in boss.get(place).text
    assert "public_00" not in client.get(place).text
    assert boss.fill(f"{place}/score-again", because="a better scorer").status_code == 303
    assert "scored again: a better scorer" in client.get(place).text
    assert boss.fill(f"{place}/score-again", because="at once").status_code == 303
    assert "Nothing was done" in boss.get(place).text
    hub.work()
    assert len(hub.opened.vault.evaluations(_entry(hub).id)) == 2


def test_the_list(hub: Hub, anna: tuple[Client, Any]) -> None:
    client, team = anna
    assert "Nothing was handed in yet" in client.get("/submissions").text
    for _ in range(26):  # one more than a page has
        _send(client, hub.file("Anna"), team, title="")
    said = client.get("/submissions").text
    assert "26 submissions" in said
    assert said.count("<tr>") == 26
    assert 'rel="next" href="/submissions?number=2"' in said
    assert client.get("/submissions?number=2").text.count("<tr>") == 2
    assert "None of your submissions is like this" in client.get("/submissions?state=scored").text
    assert hub.client().get("/submissions").status_code == 303

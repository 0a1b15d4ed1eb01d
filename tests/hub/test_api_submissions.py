"""Handing in and following by program: one key is one submission, and each sees his own."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from braggbook.challenges.signing import verify_signature
from braggbook.formats.submission import Receipt
from braggbook.hub.entries import interrupted
from braggbook.hub.store import entries as rows
from braggbook.testing.challenges import LATE, NET

from .conftest import Client, Hub

PLACE = "/api/v1/challenges/tiny_dose/submissions"


class Program:
    """Somebody's program, with a token."""

    def __init__(self, hub: Hub, name: str, *, team: str | None = None, **person: Any) -> None:
        self.hub = hub
        self.person, self.team = hub.person(name, team=team, **person)
        self.client: Client = hub.client()
        self.client.headers.update(hub.token(self.person))

    def send(self, file: Path | bytes, key: str = "", **query: Any) -> Any:
        asked = {"phase": "practice", "accept_terms": "true", "name": "predictions.csv", **query}
        body = file.read_bytes() if isinstance(file, Path) else file
        return self.client.post(PLACE, params=asked, content=body, headers={"Idempotency-Key": key} if key else {})

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v1/submissions{path}", params=query)


@pytest.fixture
def anna(hub: Hub) -> Program:
    return Program(hub, "Anna", team="Anna")


def _spool(hub: Hub) -> list[Path]:
    return [path for path in hub.desk.config.spool.rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_a_submission_from_file_to_receipt(hub: Hub, anna: Program) -> None:
    file = hub.file("Anna")
    answer = anna.send(file, title="first")
    assert answer.status_code == 202, answer.text
    said = answer.json()
    assert (said["state"], said["ahead"], said["title"], said["file"]) == ("queued", 0, "first", "predictions.csv")
    assert said["bytes"] == file.stat().st_size
    assert said["why"]
    assert answer.headers["Location"] == said["links"]["self"] == f"/api/v1/submissions/{said['id']}"
    assert _spool(hub) == []
    assert anna.get(f"/{said['id']}/receipt").status_code == 404
    hub.work()
    after = anna.client.get(said["links"]["self"]).json()
    assert after["state"] == "scored"
    assert [one["state"] for one in after["events"]] == ["arriving", "queued", "running", "scored"]
    receipt = Receipt.model_validate(anna.client.get(after["links"]["receipt"]).json())
    assert receipt.scores
    assert verify_signature(hub.opened.challenge.sealed.key, receipt.message, receipt.signature)


def test_one_key_is_one_submission(hub: Hub, anna: Program) -> None:
    first = anna.send(hub.file("Anna"), key="mine")
    again = anna.send(b"something else", key="mine")
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["id"] == again.json()["id"]
    other = anna.send(hub.file("Anna"), key="mine", phase="last")
    assert other.status_code == 422
    assert "another submission" in other.json()["what"]
    assert anna.send(hub.file("Anna")).json()["id"] != first.json()["id"]
    assert len(hub.opened.vault.submissions()) == 2


def test_a_key_takes_the_file_again_whose_first_attempt_broke_off(hub: Hub, anna: Program) -> None:
    empty = anna.send(b"", key="mine")
    assert empty.status_code == 422
    entry = anna.get("").json()["submissions"][0]
    assert (entry["state"], "nothing was sent" in entry["why"]) == ("refused", True)
    hub.time.later(minutes=5)
    again = anna.send(hub.file("Anna"), key="mine")
    assert again.status_code == 202
    assert again.json()["id"] == entry["id"]
    assert again.json()["received"] == hub.time().isoformat().replace("+00:00", "Z")
    states = [one["state"] for one in anna.get(f"/{entry['id']}").json()["events"]]
    assert states == ["arriving", "refused", "arriving", "queued"]


def test_what_a_killed_process_left_is_taken_up(hub: Hub, anna: Program) -> None:
    sent = anna.send(hub.file("Anna"), key="mine").json()
    with hub.desk.database.write() as session:  # as if it had died between vault and queue
        entry = rows.find_entry(session, sent["id"])
        rows.move(session, entry, "arriving", why="killed here", now=hub.time())
    again = anna.send(b"not read", key="mine")
    assert (again.status_code, again.json()["state"]) == (200, "queued")
    interrupted(hub.desk, sent["id"], "nothing of this is true")
    assert anna.get(f"/{sent['id']}").json()["state"] == "queued"


def test_two_at_once_with_one_key_make_one(hub: Hub, anna: Program) -> None:
    file, answers = hub.file("Anna"), []

    def send() -> None:
        other = hub.client()
        other.headers.update(hub.token(anna.person))
        asked = {"phase": "practice", "accept_terms": "true", "name": "a.csv"}
        answers.append(other.post(PLACE, params=asked, content=file.read_bytes(), headers={"Idempotency-Key": "mine"}))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.status_code for one in answers} <= {200, 202}, [one.text for one in answers]
    assert len({one.json()["id"] for one in answers}) == 1
    assert len(hub.opened.vault.submissions()) == 1
    assert hub.work() == 2  # one evaluation, one board
    assert _spool(hub) == []


@pytest.mark.parametrize(
    ("query", "code", "said"),
    [
        ({"accept_terms": "false"}, 422, "terms"),
        ({"phase": "nowhere"}, 404, "no phase"),
        ({"phase": None}, 404, "which phase"),
        ({"team": "Nobody"}, 404, "no team"),
        ({"name": "run.exe"}, 422, "kind of file"),
        ({"title": "=1+1"}, 422, "title"),
        ({"name": "a" * 300}, 422, "has to be"),
    ],
)
def test_what_is_refused_before_the_file_is_read(
    hub: Hub, anna: Program, query: dict[str, Any], code: int, said: str
) -> None:
    answer = anna.send(hub.file("Anna"), **query)
    assert answer.status_code == code, answer.text
    assert said in answer.json()["what"] + answer.json()["got"]
    assert anna.get("").json()["total"] == 0
    assert _spool(hub) == []


def test_what_the_airlock_refuses_gets_a_receipt(hub: Hub, anna: Program) -> None:
    sent = anna.send(hub.file(LATE)).json()
    hub.work()
    assert anna.get(f"/{sent['id']}").json()["state"] == "refused"
    assert anna.get(f"/{sent['id']}/receipt").json()["verdict"] == "refused"


def test_a_notebook_is_known_by_its_ending(hub: Hub, anna: Program) -> None:
    sent = anna.send(hub.file(NET), name="../../My method.ipynb")
    assert sent.status_code == 202, sent.text
    assert (sent.json()["kind"], sent.json()["file"]) == ("notebook", "../../My method.ipynb")


def test_the_phase_has_to_be_open(hub: Hub, anna: Program) -> None:
    hub.time.later(days=60)
    answer = anna.send(hub.file("Anna"))
    assert answer.status_code == 422
    assert "closed" in answer.json()["got"]


def test_too_large_is_said_by_the_head_and_by_the_body(hub: Hub, anna: Program) -> None:
    most = (hub.opened.challenge.design.submission.max_mb + 4) << 20
    assert anna.send(bytes(most + 1)).status_code == 413
    assert anna.get("").json()["total"] == 0
    asked = {"phase": "practice", "accept_terms": "true", "name": "a.csv"}
    block = bytes(1 << 20)
    answer = anna.client.post(PLACE, params=asked, content=(block for _ in range((most >> 20) + 2)))
    assert answer.status_code == 413
    assert anna.get("").json()["submissions"][0]["state"] == "refused"
    assert _spool(hub) == []


def test_another_teams_submission_is_not_there(hub: Hub, anna: Program) -> None:
    ben = Program(hub, "Ben", team="Ben")
    boss = Program(hub, "Olga", organiser=True)
    id = anna.send(hub.file("Anna")).json()["id"]
    hub.work()
    for path in (f"/{id}", f"/{id}/receipt", f"/{id}/logs"):
        assert ben.get(path).status_code == 404
        assert boss.get(path).status_code == 200
        assert hub.client().get(f"/api/v1/submissions{path}").status_code == 401
    assert ben.client.post(f"/api/v1/submissions/{id}/withdraw", json={"because": "mine"}).status_code == 404
    assert ben.get("").json()["total"] == 0


def test_scopes_and_sessions(hub: Hub, anna: Program) -> None:
    anna.client.headers.update(hub.token(anna.person, "read"))
    assert anna.send(hub.file("Anna")).status_code == 403
    assert anna.get("").status_code == 200
    browser = hub.client(anna.person)
    asked = {"phase": "practice", "accept_terms": "true", "name": "a.csv"}
    assert browser.post(PLACE, params=asked, content=b"x").status_code == 403  # a browser sends no token: no forgery
    assert hub.client().post(PLACE, params=asked, content=b"x").status_code == 401


def test_a_leader_withdraws_with_a_reason(hub: Hub, anna: Program) -> None:
    id = anna.send(hub.file("Anna")).json()["id"]
    place = f"/api/v1/submissions/{id}/withdraw"
    assert anna.client.post(place, json={"because": "too early"}).status_code == 422  # it still waits
    hub.work()
    assert anna.client.post(place, json={"because": "  "}).status_code == 422
    answer = anna.client.post(place, json={"because": "a wrong file"})
    assert answer.status_code == 200
    assert answer.json()["state"] == "withdrawn"
    assert "a wrong file" in answer.json()["why"]


def test_the_list_has_pages_and_filters(hub: Hub, anna: Program) -> None:
    ids = []
    for _ in range(3):
        hub.time.later(minutes=1)
        ids.append(anna.send(hub.file("Anna")).json()["id"])
    said = anna.get("", limit=2).json()
    assert (said["total"], [one["id"] for one in said["submissions"]]) == (3, ids[:0:-1])
    assert [one["id"] for one in anna.get("", limit=2, offset=2).json()["submissions"]] == ids[:1]
    assert anna.get("", state="scored").json()["total"] == 0
    assert anna.get("", state=["queued", "scored"]).json()["total"] == 3
    assert anna.get("", challenge="other").json()["total"] == 0
    assert anna.get("", state="nonsense").status_code == 422


def test_waiting_ends_with_another_state_or_with_the_time(hub: Hub, anna: Program) -> None:
    id = anna.send(hub.file("Anna")).json()["id"]
    assert anna.get(f"/{id}", wait=20, state="arriving").json()["state"] == "queued"  # at once
    began = time.monotonic()
    assert anna.get(f"/{id}", wait=0.6, state="queued").json()["state"] == "queued"
    assert 0.5 < time.monotonic() - began < 10
    work = threading.Timer(0.3, hub.work)
    work.start()
    assert anna.get(f"/{id}", wait=20, state="queued").json()["state"] != "queued"
    assert time.monotonic() - began < 15
    work.join()
    assert anna.client.app.state.waiters == 0


def test_the_description_names_body_answers_and_errors(hub: Hub) -> None:
    said = hub.client().get("/api/v1/openapi.json").json()
    hand_in = said["paths"]["/api/v1/challenges/{slug}/submissions"]["post"]
    assert set(hand_in["responses"]) >= {"200", "202", "401", "403", "404", "413", "422", "429", "503"}
    assert "application/octet-stream" in hand_in["requestBody"]["content"]
    assert {one["name"] for one in hand_in["parameters"]} == {
        "slug", "name", "phase", "team", "title", "accept_terms", "idempotency-key",
    }  # fmt: skip

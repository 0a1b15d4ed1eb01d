"""Organisers: who may, how challenges go, opening by zips, scoring again, withdrawing, people."""

from __future__ import annotations

import io
import stat
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from braggbook.challenges.design import INPUTS, TRUTH
from braggbook.challenges.evaluate import ERROR
from braggbook.errors import InputError
from braggbook.hub import entries as entering
from braggbook.hub.entries import Wanted
from braggbook.hub.errands import Errands
from braggbook.hub.store import entries, people
from braggbook.hub.store.tables import Entry, Person
from braggbook.hub.work.worker import Worker
from braggbook.progress import Progress
from braggbook.testing.challenges import ANNA, BEN, LATE, SLUG, write_dataset

from .conftest import Client, Hub

_PAGES = ("", f"/{SLUG}", f"/{SLUG}/open", f"/{SLUG}/rescore", f"/{SLUG}/close", f"/{SLUG}/publish", "/-/people")
_FORMS = (f"/{SLUG}/open", f"/{SLUG}/rescore", f"/{SLUG}/close", f"/{SLUG}/publish", "/-/people/invite", "/-/people/1")


@pytest.fixture
def organiser(hub: Hub) -> Person:
    return hub.person("Ada Lovelace", organiser=True)[0]


@pytest.fixture
def browser(hub: Hub, organiser: Person) -> Client:
    return hub.client(organiser)


def hand_in(hub: Hub, team: str, *, phase: str = "practice") -> str:
    """Hands in for a team of its own name; returns the submission's id."""
    person, mine = hub.person(f"{team} {phase}", team=f"{team} {phase}")
    assert mine is not None
    split = hub.opened.challenge.phase(phase).split
    wanted = Wanted(hub.opened.challenge, phase, mine, person, "A try", "", "predictions.csv")
    entry, new = entering.begin(hub.desk, wanted)
    assert new
    entering.arrive(hub.desk, entry.id, hub.file(team, split), accepted=True)
    return entry.id


def find(hub: Hub, id: str) -> Entry:
    with hub.desk.database.read() as session:
        found = entries.find_entry(session, id)
    assert found is not None
    return found


def deeds(hub: Hub) -> list[tuple[str, str, str]]:
    with hub.desk.database.read() as session:
        return [(one.what, one.about, one.text) for one in people.deeds(session)]


def zip_of(folder: Path, *, inside: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, inside + path.relative_to(folder).as_posix())
    return out.getvalue()


def cases(folder: Path, *, shift: float = 0.0, count: int = 12, column: str = "dose_gy") -> dict[str, bytes]:
    """Returns zips of inputs and truth of new cases."""
    names = [f"fresh_{number:02}" for number in range(count)]
    doses = [round(1 + shift + 0.25 * number, 3) for number in range(count)]
    inputs = pd.DataFrame({"case": names, "signal": [round(2 * dose + 0.01, 3) for dose in doses]})
    truth = pd.DataFrame({"case": names, column: doses})
    write_dataset(folder / INPUTS, "inputs.csv", inputs)
    write_dataset(folder / TRUTH, "truth.csv", truth)
    return {name: zip_of(folder / name) for name in (INPUTS, TRUTH)}


def send_cases(browser: Client, zips: dict[str, bytes], **values: str) -> Any:
    files = {name: (f"{name}.zip", data, "application/zip") for name, data in zips.items()}
    return browser.fill(f"/organise/{SLUG}/open", **{"split": "public", **values}, **files)


def left_in_spool(hub: Hub) -> list[Path]:
    return [path for path in hub.desk.config.spool.glob("*") if path.name.startswith("opening-")]


class TestWhoMay:
    def test_a_visitor_is_sent_to_sign_in(self, hub: Hub) -> None:
        browser = hub.client()
        for address in _PAGES:
            answer = browser.get(f"/organise{address}")
            assert (answer.status_code, "/sign-in" in answer.headers["location"]) == (303, True)

    def test_a_participant_may_not(self, hub: Hub) -> None:
        browser = hub.client(hub.person("Ben", team="Ben")[0])
        id = hand_in(hub, ANNA)
        more = (f"/{SLUG}/submissions/{id}", f"/{SLUG}/boards.json", f"/{SLUG}/closed.zip", f"/{SLUG}/errand")
        assert {browser.get(f"/organise{address}").status_code for address in (*_PAGES, *more)} == {403}

    def test_a_participant_may_not_send_a_form_either(self, hub: Hub) -> None:
        browser = hub.client(hub.person("Ben", team="Ben")[0])
        assert {browser.fill(f"/organise{address}").status_code for address in _FORMS} == {403}

    def test_a_form_of_another_site_does_nothing(self, hub: Hub, browser: Client) -> None:
        answer = browser.post(f"/organise/{SLUG}/rescore", data={"csrf": "wrong", "what": "all", "because": "x"})
        assert answer.status_code == 403
        assert not [one for one in deeds(hub) if one[0] == "rescore"]

    def test_nothing_is_read_of_what_a_stranger_uploads(self, hub: Hub) -> None:
        read: list[int] = []

        def body() -> Any:
            for number in range(64):
                read.append(number)
                yield b"x" * 65536

        headers = {"content-type": "multipart/form-data; boundary=b", "content-length": str(64 * 65536)}
        answer = hub.client().post(f"/organise/{SLUG}/open", content=body(), headers=headers)
        assert answer.status_code == 401
        assert left_in_spool(hub) == []

    def test_a_token_without_the_scope_may_not(self, hub: Hub, organiser: Person) -> None:
        headers = hub.token(organiser, "read")
        assert hub.client().get("/organise", headers=headers).status_code == 403

    def test_every_page_opens_for_an_organiser(self, browser: Client) -> None:
        for address in _PAGES:
            assert browser.get(f"/organise{address}").status_code == 200, address


class TestLook:
    def test_the_first_page_says_what_waits(self, hub: Hub, browser: Client) -> None:
        hand_in(hub, ANNA)
        text = browser.get("/organise").text
        assert "A tiny challenge" in text
        assert "No worker is here" in text
        assert "1 submission, 1 under way" in text

    def test_who_needs_a_person_is_named(self, hub: Hub, browser: Client) -> None:
        id = hand_in(hub, ANNA)
        with hub.desk.database.write() as session:
            entry = entries.find_entry(session, id)
            assert entry is not None
            entries.move(session, entry, "platform", why="the disk was full", now=hub.time())
        text = browser.get("/organise").text
        assert "the disk was full" in text
        assert "1 needs a person" in text

    def test_a_challenge_that_cannot_be_read_is_shown_with_its_findings(self, hub: Hub, browser: Client) -> None:
        design = hub.opened.challenge.folder / "challenge.toml"
        design.write_text(design.read_text().replace('form = "table"', 'form = "tables"'))
        answer = browser.get("/organise")
        assert answer.status_code == 200
        assert "cannot be read" in answer.text

    def test_a_challenge_shows_phases_hashes_and_submissions(self, hub: Hub, browser: Client) -> None:
        first, second = hand_in(hub, ANNA), hand_in(hub, LATE)
        hub.work()
        text = browser.get(f"/organise/{SLUG}").text
        sealed = hub.opened.challenge.sealed
        assert sealed is not None
        assert all(one.truth in text for one in sealed.splits)
        assert first in text
        assert second in text
        only = browser.get(f"/organise/{SLUG}?state=refused").text
        assert second in only
        assert first not in only
        assert browser.get(f"/organise/{SLUG}?phase=nope").status_code == 404

    def test_an_unknown_challenge_is_none(self, browser: Client) -> None:
        assert browser.get("/organise/nothing_here").status_code == 404

    def test_a_submission_shows_each_case_and_our_own_errors(self, hub: Hub, browser: Client) -> None:
        id = hand_in(hub, ANNA)
        hub.work()
        made = hub.opened.vault.evaluations(id)[-1]
        (hub.opened.vault.evaluation_folder(id, made.id) / ERROR).write_text("the truth of <public_00> is 0.8")
        text = browser.get(f"/organise/{SLUG}/submissions/{id}").text
        assert "the truth of &lt;public_00&gt; is 0.8" in text
        assert all(case in text for case in made.cases["error"])
        handed = browser.get(f"/organise/{SLUG}/submissions/{id}/evaluations/{made.id}.json")
        assert handed.json()["cases"] == made.cases
        assert "attachment" in handed.headers["content-disposition"]
        assert browser.get(f"/organise/{SLUG}/submissions/{id}/evaluations/..%2F..json").status_code == 404
        assert browser.get(f"/organise/{SLUG}/submissions/{'0' * 16}").status_code == 404

    def test_what_a_team_writes_is_escaped(self, hub: Hub, browser: Client) -> None:
        hub.person("<script>alert(1)</script>", team="T")
        assert "<script>alert" not in browser.get("/organise/-/people").text

    def test_boards_are_handed_out_whole(self, hub: Hub, browser: Client) -> None:
        hand_in(hub, ANNA)
        hub.work()
        said = browser.get(f"/organise/{SLUG}/boards.json").json()
        assert [row["team"] for row in said["boards"]["practice"]["rows"]] == [f"{ANNA} practice"]


class TestOpening:
    def test_a_truth_is_corrected_by_two_zips(self, hub: Hub, browser: Client, tmp_path: Path) -> None:
        answer = send_cases(browser, cases(tmp_path), because="a typing error")
        assert answer.status_code == 303
        sealed = hub.desk.challenge(SLUG).sealed
        assert sealed is not None
        latest = sealed.latest("public")
        assert latest is not None
        assert (latest.version, latest.cases, latest.because) == (2, 12, "a typing error")
        text = browser.get(f"/organise/{SLUG}/open").text
        assert latest.truth in text
        assert "git add challenges" in text
        assert left_in_spool(hub) == []
        assert deeds(hub)[0][:2] == ("open", SLUG)

    def test_a_folder_around_the_dataset_is_forgiven(self, browser: Client, tmp_path: Path) -> None:
        cases(tmp_path)
        zips = {name: zip_of(tmp_path / name, inside="my cases/") for name in (INPUTS, TRUTH)}
        assert send_cases(browser, zips, because="a typing error").status_code == 303

    def test_without_a_reason_an_open_split_stays(self, hub: Hub, browser: Client, tmp_path: Path) -> None:
        answer = send_cases(browser, cases(tmp_path))
        assert answer.status_code == 422
        assert 'id="f-because-error"' in answer.text
        sealed = hub.desk.challenge(SLUG).sealed
        assert sealed is not None
        assert [one.version for one in sealed.splits if one.split == "public"] == [1]

    def test_missing_files_and_a_missing_split_are_all_said(self, browser: Client) -> None:
        text = browser.fill(f"/organise/{SLUG}/open", split="nope").text
        assert all(f'id="f-{name}-error"' in text for name in ("split", "inputs", "truth"))

    def test_columns_unlike_the_twins_are_said_beside_the_truth(self, browser: Client, tmp_path: Path) -> None:
        answer = send_cases(browser, cases(tmp_path, column="dosis_gy"), because="x")
        assert answer.status_code == 422
        assert 'id="f-truth-error"' in answer.text
        assert "columns that are not the twin" in answer.text
        assert 'id="f-inputs-error"' not in answer.text

    def test_other_cases_than_the_truths_are_said(self, browser: Client, tmp_path: Path) -> None:
        zips = cases(tmp_path / "a")
        zips[TRUTH] = cases(tmp_path / "b", count=10)[TRUTH]
        answer = send_cases(browser, zips, because="x")
        assert answer.status_code == 422
        assert "fresh_11" in answer.text

    def test_a_file_that_is_not_its_cards_is_said_without_our_folders(
        self, hub: Hub, browser: Client, tmp_path: Path
    ) -> None:
        zips = cases(tmp_path)
        (tmp_path / TRUTH / "truth.csv").write_text("case,dose_gy\nfresh_00,1\n")
        zips[TRUTH] = zip_of(tmp_path / TRUTH)
        answer = send_cases(browser, zips, because="x")
        assert answer.status_code == 422
        assert 'id="f-truth-error"' in answer.text
        assert str(hub.desk.config.data) not in answer.text
        assert str(hub.desk.settings.vault) not in answer.text

    def test_a_card_that_cannot_be_used_is_said(self, browser: Client, tmp_path: Path) -> None:
        zips = cases(tmp_path)
        (tmp_path / INPUTS / "dataset.toml").write_text('title = "x"\n')
        zips[INPUTS] = zip_of(tmp_path / INPUTS)
        answer = send_cases(browser, zips, because="x")
        assert answer.status_code == 422
        assert 'id="f-inputs-error"' in answer.text

    @pytest.mark.parametrize("kind", ["slip", "absolute", "link", "bomb", "twice", "no zip", "empty", "no card"])
    def test_a_zip_that_could_harm_opens_nothing(self, hub: Hub, browser: Client, tmp_path: Path, kind: str) -> None:
        zips = cases(tmp_path)
        zips[INPUTS] = crooked(kind)
        before = sorted(path for path in tmp_path.rglob("*"))
        answer = send_cases(browser, zips, because="x")
        assert answer.status_code == 422
        assert 'id="f-inputs-error"' in answer.text
        assert 'id="f-truth-error"' not in answer.text
        assert left_in_spool(hub) == []
        after = {path for path in tmp_path.rglob("*") if "spool" in path.parts or path.name == "evil.txt"}
        assert after <= set(before) | {hub.desk.config.spool}
        assert not hub.opened.vault.hidden_folder("public", 2).exists()


def crooked(kind: str) -> bytes:
    """Returns a zip that nobody should unpack."""
    out = io.BytesIO()
    if kind == "no zip":
        return b"PK\x03\x04 but not really"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        if kind in ("slip", "absolute"):
            archive.writestr("../../evil.txt" if kind == "slip" else "/tmp/evil.txt", "x")
        elif kind == "link":
            entry = zipfile.ZipInfo("dataset.toml")
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, "/etc/passwd")
        elif kind == "bomb":
            archive.writestr("zeros", b"\0" * (70 << 20))
        elif kind == "twice":
            archive.writestr("dataset.toml", "x")
            archive.writestr("DATASET.toml", "x")
        elif kind == "no card":
            archive.writestr("readme.txt", "x")
    return out.getvalue()


class TestScoringAgain:
    def test_all_are_scored_again_and_ranks_are_compared(self, hub: Hub, browser: Client, tmp_path: Path) -> None:
        anna, ben = hand_in(hub, ANNA), hand_in(hub, BEN)
        hub.work()
        assert browser.fill(f"/organise/{SLUG}/rescore", what="all", because="a better scorer").status_code == 303
        assert {find(hub, id).state for id in (anna, ben)} == {"queued"}
        assert "2 submissions are arriving, waiting or being evaluated" in browser.get(f"/organise/{SLUG}/rescore").text
        hub.work()
        assert {find(hub, id).state for id in (anna, ben)} == {"scored"}
        text = browser.get(f"/organise/{SLUG}/rescore").text
        assert "None of 2 teams moved" in text
        assert "a better scorer" in text

    def test_a_team_that_left_the_board_has_moved(self, hub: Hub, browser: Client) -> None:
        anna, ben = hand_in(hub, ANNA), hand_in(hub, BEN)
        hub.work()
        browser.fill(f"/organise/{SLUG}/rescore", what="practice", because="again")
        hub.work()
        browser.fill(f"/organise/{SLUG}/submissions/{anna}/withdraw", because="it was not theirs", sure="yes")
        hub.work()
        text = browser.get(f"/organise/{SLUG}/rescore").text
        assert "left the board" in text
        assert "up" in text
        assert find(hub, ben).state == "scored"

    def test_one_is_scored_again(self, hub: Hub, browser: Client) -> None:
        anna, ben = hand_in(hub, ANNA), hand_in(hub, BEN)
        hub.work()
        assert anna in browser.get(f"/organise/{SLUG}/rescore?submission={anna}").text
        assert browser.fill(f"/organise/{SLUG}/rescore", what=anna, because="it looked odd").status_code == 303
        assert (find(hub, anna).state, find(hub, ben).state) == ("queued", "scored")
        assert browser.fill(f"/organise/{SLUG}/rescore", what=anna, because="again").status_code == 422
        hub.work()
        assert len(hub.opened.vault.evaluations(anna)) == 2

    @pytest.mark.parametrize(
        "values", [{"what": "all"}, {"what": "nope", "because": "x"}, {"what": "f" * 16, "because": "x"}]
    )
    def test_what_is_missing_is_said(self, hub: Hub, browser: Client, values: dict[str, str]) -> None:
        assert browser.fill(f"/organise/{SLUG}/rescore", **values).status_code in (404, 422)
        assert not [one for one in deeds(hub) if one[0] == "rescore"]

    def test_a_closed_challenge_stays(self, hub: Hub, browser: Client) -> None:
        hub.opened.vault.end("2027-03-01")
        answer = browser.fill(f"/organise/{SLUG}/rescore", what="all", because="x")
        assert (answer.status_code, "its scores stand" in answer.text) == (422, True)


class TestWithdrawing:
    def test_it_needs_a_reason_and_a_tick(self, hub: Hub, browser: Client) -> None:
        id = hand_in(hub, ANNA)
        hub.work()
        address = f"/organise/{SLUG}/submissions/{id}/withdraw"
        text = browser.fill(address).text
        assert all(f'id="f-{name}-error"' in text for name in ("because", "sure"))
        assert find(hub, id).state == "scored"
        assert browser.fill(address, because="copied", sure="yes").status_code == 303
        assert find(hub, id).state == "withdrawn"
        again = browser.fill(address, because="copied", sure="yes")
        assert again.status_code == 422
        assert ("withdraw", id, "copied") in deeds(hub)

    def test_one_that_waits_is_not(self, hub: Hub, browser: Client) -> None:
        id = hand_in(hub, ANNA)
        answer = browser.fill(f"/organise/{SLUG}/submissions/{id}/withdraw", because="copied", sure="yes")
        assert answer.status_code == 422
        assert find(hub, id).state == "queued"


class TestClosingPlan:
    def test_what_is_in_the_way_is_said_and_nothing_begins(self, hub: Hub, browser: Client) -> None:
        hand_in(hub, ANNA)
        text = browser.get(f"/organise/{SLUG}/close").text
        assert "submissions that arrive, wait or are being evaluated: 1" in text
        answer = browser.fill(f"/organise/{SLUG}/close", slug=SLUG, early="yes")
        assert answer.status_code == 422
        assert hub.opened.vault.ended is None

    def test_early_and_the_name_must_be_said(self, hub: Hub, browser: Client) -> None:
        hand_in(hub, ANNA)
        hub.work()
        assert "This is early" in browser.get(f"/organise/{SLUG}/close").text
        answer = browser.fill(f"/organise/{SLUG}/close", slug="other")
        assert all(f'id="f-{name}-error"' in answer.text for name in ("early", "slug"))
        assert hub.opened.vault.ended is None

    def test_nothing_is_published_that_was_not_closed(self, browser: Client) -> None:
        assert "It was not closed yet" in browser.get(f"/organise/{SLUG}/publish").text
        assert browser.get(f"/organise/{SLUG}/closed.zip").status_code == 422
        assert browser.get(f"/organise/{SLUG}/publish?to=https://evil.example").status_code == 404
        answer = browser.fill(f"/organise/{SLUG}/publish", to="zenodo", step="mint")
        assert answer.status_code == 422


class TestErrands:
    def test_one_at_a_time_and_how_it_ended_is_kept(self, hub: Hub) -> None:
        errands, go, there = Errands(hub.desk), threading.Event(), threading.Event()

        def work(progress: Progress) -> None:
            progress.start("a long way", 10)
            progress.step(4, "the fifth")
            there.set()
            assert go.wait(10)

        assert errands.begin(SLUG, "close", by="Ada", work=work)
        assert there.wait(10)
        found = errands.look(SLUG)
        assert found is not None
        assert (found.state, found.done, found.total, found.note) == ("going on", 4, 10, "the fifth")
        assert not errands.begin(SLUG, "push", by="Ada", work=work)
        other = Errands(hub.desk).look(SLUG)
        assert other is not None
        assert other.state == "interrupted"
        go.set()
        ended = errands.wait(SLUG, timeout_s=10)
        assert ended is not None
        assert (ended.state, ended.error) == ("done", None)

    @pytest.mark.parametrize("error", [InputError("not so", wanted="otherwise"), ValueError("a secret")])
    def test_what_goes_wrong_is_said_and_nothing_of_our_own_faults(
        self, hub: Hub, error: Exception, caplog: pytest.LogCaptureFixture
    ) -> None:
        errands = Errands(hub.desk)

        def work(_: Progress) -> None:
            raise error

        assert errands.begin(SLUG, "close", by="Ada", work=work)
        ended = errands.wait(SLUG, timeout_s=10)
        assert ended is not None
        assert ended.error is not None
        assert ended.state == "failed"
        assert "a secret" not in ended.model_dump_json()
        assert errands.begin(SLUG, "close", by="Ada", work=lambda _: None)
        errands.wait(SLUG, timeout_s=10)
        assert ("secret" in caplog.text) == isinstance(error, ValueError)

    def test_never_begun_is_nothing(self, hub: Hub) -> None:
        assert Errands(hub.desk).look(SLUG) is None


class TestPeople:
    def test_an_invitation_is_shown_once(self, hub: Hub, browser: Client) -> None:
        answer = browser.fill("/organise/-/people/invite", note="for Ben", days="7")
        assert answer.status_code == 200
        link = answer.text.partition("http://hub.test/invitation/")[2].partition("<")[0]
        text = browser.get("/organise/-/people").text
        assert link not in text
        assert "for Ben" in text
        opened = hub.client().get(f"/invitation/{link}")
        assert opened.status_code in (200, 303)

    def test_a_strange_duration_is_refused(self, browser: Client) -> None:
        answer = browser.fill("/organise/-/people/invite", note="x" * 300, days="9999")
        assert all(f'id="f-{name}-error"' in answer.text for name in ("note", "days"))

    def test_a_recovery_link_is_shown_once(self, hub: Hub, browser: Client) -> None:
        ben, _ = hub.person("Ben")
        answer = browser.fill(f"/organise/-/people/{ben.id}/recovery")
        assert "/invitation/" in answer.text
        assert "/invitation/" not in browser.get("/organise/-/people").text
        assert browser.fill("/organise/-/people/4711/recovery").status_code == 404

    @pytest.mark.parametrize(
        ("do", "named", "disabled"),
        [("disable", False, True), ("organiser", True, False), ("enable", False, False), ("participant", False, False)],
    )
    def test_roles_change(self, hub: Hub, browser: Client, do: str, named: bool, disabled: bool) -> None:
        ben, _ = hub.person("Ben")
        assert browser.fill(f"/organise/-/people/{ben.id}", do=do).status_code == 303
        with hub.desk.database.read() as session:
            found = people.find_person(session, ben.id)
        assert found is not None
        assert (found.organiser, found.disabled) == (named, disabled)

    def test_the_last_organiser_stays(self, hub: Hub, organiser: Person, browser: Client) -> None:
        assert browser.fill(f"/organise/-/people/{organiser.id}", do="disable").status_code == 303
        assert "Not done" in browser.get("/organise/-/people").text
        assert browser.fill(f"/organise/-/people/{organiser.id}", do="nonsense").status_code == 303
        assert browser.fill("/organise/-/people/4711", do="disable").status_code == 404
        assert hub.client(organiser).get("/organise").status_code == 200


class TestApi:
    def test_programs_score_again(self, hub: Hub, organiser: Person) -> None:
        id = hand_in(hub, ANNA)
        hub.work()
        client, headers = hub.client(), hub.token(organiser)
        address = f"/api/v1/challenges/{SLUG}/rescore"
        answer = client.post(address, json={"because": " better "}, headers=headers)
        assert (answer.status_code, answer.json()) == (202, {"submissions": 1, "because": "better"})
        queue = client.get("/api/v1/queue", headers=headers).json()
        assert (queue["waiting"], queue["submissions"]) == (1, {"queued": 1})
        hub.work()
        one = client.post(address, json={"because": "x", "submission": id}, headers=headers)
        assert one.json()["submissions"] == 1

    @pytest.mark.parametrize(
        ("given", "status"),
        [
            ({}, 422), ({"because": " "}, 422), ({"because": "x", "phase": "nope"}, 404),
            ({"because": "x", "submission": "nope"}, 404), ({"because": "x", "more": 1}, 422),
            ({"because": "x", "phase": "practice", "submission": "f"}, 422),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_said(self, hub: Hub, organiser: Person, given: dict[str, Any], status: int) -> None:
        address = f"/api/v1/challenges/{SLUG}/rescore"
        assert hub.client().post(address, json=given, headers=hub.token(organiser)).status_code == status

    def test_only_organisers_with_a_token(self, hub: Hub, organiser: Person, browser: Client) -> None:
        address, said = f"/api/v1/challenges/{SLUG}/rescore", {"because": "x"}
        ben, _ = hub.person("Ben")
        assert hub.client().post(address, json=said).status_code == 401
        assert hub.client().post(address, json=said, headers=hub.token(ben)).status_code == 403
        assert hub.client().post(address, json=said, headers=hub.token(organiser, "read")).status_code == 403
        assert browser.post(address, json=said).status_code == 403
        assert hub.client().get("/api/v1/queue").status_code == 401
        assert hub.client().get("/api/v1/queue", headers=hub.token(ben)).status_code == 403


@pytest.mark.full
class TestWhole:
    def test_close_publish_and_export_for_real(self, hub: Hub, browser: Client, tmp_path: Path) -> None:
        for team in (ANNA, BEN):
            for phase in ("practice", "last"):
                hand_in(hub, team, phase=phase)
        score(hub)
        errands = ended_errands(browser)
        answer = browser.fill(f"/organise/{SLUG}/close", slug=SLUG, early="yes")
        assert answer.status_code == 303
        assert errands() == ("close", "done")
        assert hub.opened.vault.ended is not None
        assert "It was closed" in browser.get(f"/organise/{SLUG}/close").text
        hub.work()
        boards = browser.get(f"/organise/{SLUG}/boards.json").json()["boards"]
        assert {one["closed"] for one in boards.values()} == {True}
        answer = browser.get(f"/organise/{SLUG}/closed.zip")
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.testzip() is None
            assert {"closed.json", "index.html", "board.json"} <= set(archive.namelist())
        self.publish(hub, browser, errands)
        again = browser.fill(f"/organise/{SLUG}/close", slug=SLUG, early="yes")
        assert again.status_code == 422

    def publish(self, hub: Hub, browser: Client, errands: Callable[[], tuple[str, str]]) -> None:
        address = f"/organise/{SLUG}/publish"
        assert browser.fill(address, to="folder", step="push", digest="0" * 64).status_code == 303
        assert errands() == ("push", "failed")
        assert "is not what you saw" in browser.get(address).text
        browser.fill(address, to="folder", step="plan")
        assert errands() == ("plan", "done")
        text = browser.get(address).text
        digest = text.partition('name="digest" value="')[2][:64]
        title = text.partition("<dt>title</dt><dd>")[2].partition("</dd>")[0]
        browser.fill(address, to="folder", step="push", digest=digest)
        assert errands() == ("push", "done")
        wrong = browser.fill(address, to="folder", step="mint", digest=digest, title="something else")
        assert (wrong.status_code, 'id="f-title-error"' in wrong.text) == (422, True)
        browser.fill(address, to="folder", step="mint", digest=digest, title=title)
        assert errands() == ("mint", "done")
        text = browser.get(address).text
        assert "It is published" in text
        assert "10.5072/braggbook." in text
        assert [one[0] for one in deeds(hub)][:3] == ["publish", "push", "close"]

    def test_a_failure_is_shown_and_can_be_repeated(self, hub: Hub, browser: Client) -> None:
        hand_in(hub, ANNA)
        score(hub)
        errands = ended_errands(browser)
        kernels = hub.desk.settings.project / "kernels"
        kernels.rename(kernels.with_name("away"))
        browser.fill(f"/organise/{SLUG}/close", slug=SLUG, early="yes")
        assert errands() == ("close", "failed")
        assert "Closing failed" in browser.get(f"/organise/{SLUG}/close").text
        assert hub.opened.vault.ended is None
        kernels.with_name("away").rename(kernels)
        browser.fill(f"/organise/{SLUG}/close", slug=SLUG, early="yes")
        assert errands() == ("close", "done")


def ended_errands(browser: Client) -> Callable[[], tuple[str, str]]:
    """Returns what waits for work on the challenge, and says what it was and how it ended."""

    def wait() -> tuple[str, str]:
        found = browser.app.state.errands.wait(SLUG, timeout_s=120)  # type: ignore[attr-defined]
        return found.kind, found.state

    return wait


def score(hub: Hub) -> None:
    """Evaluates what waits as a hub does: with real scoring runs, which a closed challenge holds."""
    Worker(hub.desk, name="real").run(until_idle=True)

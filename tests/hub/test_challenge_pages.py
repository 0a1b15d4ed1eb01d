"""What can be entered, what a challenge asks, its public files, the API; and what stays hidden."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from braggbook.challenges.pages.template import text_of as file_of
from braggbook.hub.pages.challenges import _first_sentence, public_files
from braggbook.hub.store import jobs

from .conftest import Hub
from .test_board_page import made_up, put, text_of

PAGE = "/challenges/tiny_dose"
API = "/api/v1/challenges"


def write_broken(hub: Hub) -> Path:
    """Puts a challenge into the project whose design cannot be used."""
    folder = hub.desk.settings.project / "challenges" / "broken_one"
    folder.mkdir()
    path = folder / "challenge.toml"
    path.write_text('format = "braggbook.challenge/1"\ntitle = 3\n', encoding="utf-8")
    return path


@pytest.mark.parametrize("address", ["/", "/challenges"])
def test_the_first_page_says_what_can_be_entered(hub: Hub, address: str) -> None:
    put(hub, made_up(hub, ["Anna", "Ben"]))
    page = hub.client().get(address)
    text = text_of(page.text)
    assert page.status_code == 200
    for said in (
        "A tiny challenge", "Dose from a signal that is twice as large.", "Practice : open until 31 March 2027",
        "(in 30 days)", "predictions or a notebook; any number", "2 teams on the board", "nobody on the board yet",
        "Hand in",
    ):  # fmt: skip
        assert said in text
    assert "style=" not in page.text


def test_an_empty_hub_says_what_to_do(hub: Hub) -> None:
    organiser, _ = hub.person("Olga", organiser=True)
    folder = hub.opened.challenge.folder
    folder.rename(hub.desk.settings.project / "elsewhere")
    assert "Nothing can be entered here at the moment" in text_of(hub.client().get("/").text)
    assert "braggbook challenge new" in hub.client(organiser).get("/").text
    assert hub.client().get(API).json() == {"challenges": []}


def test_a_broken_design_is_for_organisers_alone(hub: Hub) -> None:
    path = write_broken(hub)
    organiser, _ = hub.person("Olga", organiser=True)
    anna, _ = hub.person("Anna", team="Anna")
    page = hub.client(organiser).get("/").text
    assert "A design that cannot be used" in page
    assert "braggbook challenge check broken_one" in page
    for client in (hub.client(), hub.client(anna)):
        assert "broken_one" not in client.get("/").text
        assert "A tiny challenge" in client.get("/").text
        for address in ("/challenges/broken_one", f"{API}/broken_one", "/challenges/broken_one/files.zip"):
            answer = client.get(address)
            assert answer.status_code == 404
            assert str(path.parent.parent) not in answer.text
    assert hub.client(organiser).get("/challenges/broken_one").status_code == 422


def test_a_challenge_says_what_it_asks(hub: Hub) -> None:
    page = hub.client().get(PAGE)
    text = text_of(page.text)
    for said in (
        "What is asked", "predictions.csv", "dose_gy", "smaller is better", "Mean, then rank.", "Why so:",
        "30 January 2027", "each team's last submission", "Who decides, and when",
        "challenge@example.org", "braggbook challenge try tiny_dose challenges/tiny_dose/example_submission",
        "--to http://hub.test", "All public files, as a zip", "the team itself, and the organisers",
    ):  # fmt: skip
        assert said in text.replace("&#39;", "'")
    hub.desk.vault("tiny_dose").end("2027-03-01T12:00:00+00:00")
    after = text_of(hub.client().get(PAGE).text)
    assert "Closed at 2027-03-01T12:00:00+00:00." in after
    assert "Nothing is taken in any more" in after


@pytest.mark.parametrize(("days", "said"), [(-40, "opens 30 January 2027"), (40, "ended 31 March 2027")])
def test_a_phase_before_and_after_its_time(hub: Hub, days: int, said: str) -> None:
    hub.time.later(days=days)
    assert said in text_of(hub.client().get("/").text)
    assert 'class="button main"' not in hub.client().get(PAGE).text


def test_the_zip_has_all_that_is_public_and_nothing_else(hub: Hub) -> None:
    folder = hub.opened.challenge.folder
    (folder / ".secret").write_text("not this", encoding="utf-8")
    (folder / "notes.txt").write_text("not this either", encoding="utf-8")
    (folder / "twin" / "link").symlink_to(hub.opened.vault.folder / "key.pem")
    (folder / "inputs" / "elsewhere").symlink_to(hub.opened.vault.folder, target_is_directory=True)
    answer = hub.client().get(f"{PAGE}/files.zip")
    assert answer.headers["content-disposition"] == 'attachment; filename="tiny_dose.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as made:
        assert made.testzip() is None
        names = {name.removeprefix("challenges/tiny_dose/") for name in made.namelist()}
        everything = b"".join(made.read(name) for name in made.namelist())
    for name in ("challenge.toml", "sealed.json", "score.ipynb", "baseline.ipynb", "inputs/public/dataset.toml"):
        assert name in names
    assert {name.partition("/")[0] for name in names if "/" in name} <= {"twin", "inputs", "example_submission"}
    assert not any(name.endswith(("link", ".secret", "notes.txt", ".pem")) for name in names)
    assert b"PRIVATE KEY" not in everything
    for split in ("public", "final"):
        hidden = hub.opened.vault.hidden(split, 1)
        assert hidden.salt.hex().encode() not in everything
        truth = (hidden.truth.folder / hidden.truth.card.files[0].path).read_bytes()
        assert truth not in everything
    assert len(names) == len(public_files(hub.opened.challenge))


def test_the_baseline_is_a_download(hub: Hub) -> None:
    answer = hub.client().get(f"{PAGE}/baseline.ipynb")
    assert answer.content == (hub.opened.challenge.folder / "baseline.ipynb").read_bytes()
    assert "attachment" in answer.headers["content-disposition"]
    (hub.opened.challenge.folder / "baseline.ipynb").unlink()
    assert hub.client().get(f"{PAGE}/baseline.ipynb").status_code == 404


def test_the_design_has_its_own_policy(hub: Hub) -> None:
    answer = hub.client().get(f"{PAGE}/design")
    policy = answer.headers["content-security-policy"]
    own = re.search(r"'sha256-[^']+'", policy)
    assert own is not None
    assert own.group() in answer.text.replace("&#39;", "'")
    assert file_of("style.css") in answer.text
    assert "script-src" not in policy
    assert "default-src 'none'" in policy


@pytest.mark.parametrize("slug", ["nothing", "..", "%2e%2e", "Tiny_Dose", "a b", "x" * 300])
def test_what_is_not_there(hub: Hub, slug: str) -> None:
    assert hub.client().get(f"/challenges/{slug}/design").status_code == 404
    assert hub.client().get(f"{API}/{slug}/boards/practice").status_code in (404, 422)


def test_about_says_what_is_kept_and_how_the_hub_does(hub: Hub) -> None:
    with hub.desk.database.write() as session:
        jobs.add_board(session, challenge="tiny_dose", phase="practice", now=hub.time())
    for address in ("/about", "/about/you"):
        text = text_of(hub.client().get(address).text)
        for said in ("braggbook_session", "While you only look: nothing.", "Nobody is scoring", "Braggbook"):
            assert said in text
    hub.work()
    assert "Nothing waits." in text_of(hub.client().get("/about").text)
    assert "set-cookie" not in hub.client().get("/about").headers


def test_the_api_is_listed(hub: Hub) -> None:
    text = text_of(hub.client().get("/about/api").text)
    assert "/api/v1/challenges/{slug}/boards/{phase}" in text
    assert "Gives the board of a phase" in text


def test_programs_get_challenges_and_boards(hub: Hub) -> None:
    client = hub.client()
    (short,) = client.get(API).json()["challenges"]
    assert (short["slug"], short["state"], short["opened"], short["closed"]) == ("tiny_dose", "open", True, None)
    assert [phase["id"] for phase in short["phases"]] == ["practice", "last"]
    whole = client.get(f"{API}/tiny_dose").json()
    assert whole["design"]["metrics"][0]["id"] == "error"
    assert whole["design_sha256"] == hub.opened.challenge.digest
    assert client.get(f"{API}/tiny_dose/boards/practice").status_code == 404
    put(hub, made_up(hub, ["Anna", "Ben"]), '[{"team": "Anna", "before": 2.0, "after": 1.0}]')
    board = client.get(whole["phases"][0]["board"])
    found = board.json()
    assert (found["version"], found["viewer"], found["being_made"]) == (1, "everyone", False)
    assert found["moved"] == [{"team": "Anna", "before": 2.0, "after": 1.0}]
    assert [row["team"] for row in found["board"]["rows"]] == ["Anna", "Ben"]
    again = client.get(whole["phases"][0]["board"], headers={"If-None-Match": board.headers["etag"]})
    assert again.status_code == 304


def test_errors_for_programs_are_as_described(hub: Hub) -> None:
    client = hub.client()
    told = client.app.openapi()  # type: ignore[attr-defined]
    said = told["paths"][API]["get"]["responses"]["401"]["content"]["application/json"]["schema"]["$ref"]
    wanted = set(told["components"]["schemas"][said.rpartition("/")[2]]["properties"])
    for address, code in ((f"{API}/nothing", 404), (f"{API}/tiny_dose/boards/nothing", 404)):
        answer = client.get(address)
        assert answer.status_code == code
        assert set(answer.json()) == wanted
    refused = client.get(API, headers={"Authorization": "Bearer bb_wrong"})
    assert refused.status_code == 401
    for path in ("", "/{slug}", "/{slug}/boards/{phase}"):
        assert "401" in told["paths"][f"{API}{path}"]["get"]["responses"]


def test_hidden_ranks_do_not_tell_how_many_there_are(make_hub: Callable[..., Hub]) -> None:
    hub = make_hub()
    path = hub.opened.challenge.folder / "challenge.toml"
    text = path.read_text(encoding="utf-8")
    shows = '[phases.shows]\nscore = "team"\nrank = "team"\n'

    parts = text.split("[[phases]]")
    assert len(parts) > 2
    parts[1] = parts[1].rstrip() + "\n\n" + shows + "\n"
    path.write_text("[[phases]]".join(parts), encoding="utf-8")
    put(hub, made_up(hub, [f"Team {at}" for at in range(7)]))
    client = hub.client()
    assert "ranks are shown when it is closed" in text_of(client.get("/").text)
    assert client.get(API).json()["challenges"][0]["phases"][0]["teams"] is None
    page = client.get(f"{PAGE}/board/practice").text
    assert "Ranks are hidden in this phase" in text_of(page)
    assert "Team 3" not in page
    assert client.get(f"{PAGE}/board/practice?find=Team 3").status_code == 200


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("One. Two.", "One."),
        ("A dose of 2.5 Gy\nis meant. More.", "A dose of 2.5 Gy is meant."),
        ("No end", "No end"),
        ("word " * 100 + ".", "word " * 56 + "…"),
    ],
)
def test_the_first_sentence(text: str, said: str) -> None:
    assert _first_sentence(text) == said

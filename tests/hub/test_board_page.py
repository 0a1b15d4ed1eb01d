"""The pages of a board: what each visitor sees, in which order, how it is kept, and that nobody's text is markup."""

from __future__ import annotations

import gzip
import json
import re
from typing import Any

import pytest

from braggbook.challenges.closing import board_of
from braggbook.formats.board import Board, MetricShown, Row, Spread, Standing
from braggbook.formats.submission import Scorer
from braggbook.hub.boards import make_now
from braggbook.hub.pages import board_view as views
from braggbook.hub.store import boards, jobs
from braggbook.hub.web.kept import Shelves, kept

from .conftest import Client, Hub

PAGE = "/challenges/tiny_dose/board/practice"
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "</style></title><svg onload=alert(1)>",
)


def digits(number: int, size: int) -> str:
    """Some hexadecimal digits that belong to a number."""
    return f"{number:0{size}x}"


def row_of(at: int, name: str, *, count: int) -> Row:
    """A row that was made up, at the place ``at`` from 0."""
    value = 0.05 + 0.001 * at
    spread = Spread(cases=12, missing=0, low=value / 2, q1=value * 0.8, median=value, q3=value * 1.2, high=value * 2)
    counts = [0] * count
    counts[at] = 90
    counts[min(at + 1, count - 1)] += 10
    methods = ("mean_then_rank", "median_then_rank", "rank_then_mean")
    return Row(
        team=name,
        title="with a title" if at % 3 else "",
        submission=digits(at + 1, 16),
        evaluation=digits(at + 7, 16),
        kind="predictions",
        received="2027-02-03T10:00:00+00:00",
        predictions=digits(at, 64),
        scorer=Scorer(notebook="1" * 64, kernel_lock="2" * 64, braggbook="3" * 64, run=digits(at, 24)),
        rank=at + 1,
        interval=(max(1, at - 3), min(count, at + 5)),
        first=0.9 if at == 0 else 0.02 if at < 5 else 0.0,
        first_alone=0.9 if at == 0 else 0.0,
        mean_rank=at + 1.2,
        rank_counts=counts,
        scores={
            "error": Standing(value=value, rank=at + 1, spread=spread),
            "mean_error": Standing(value=1 - value, rank=count - at),
        },
        by_method=dict.fromkeys(methods, float(at + 1)),  # type: ignore[arg-type]
        submissions=1 + at % 2,
    )


def made_up(hub: Hub, names: list[str], *, phase: str = "practice", **changes: Any) -> Board:
    """A board of the open challenge with these teams, which is not ranked but made up."""
    found = hub.opened.challenge
    empty = board_of(found, hub.opened.vault, found.phase(phase))
    rows = [row_of(at, name, count=len(names)) for at, name in enumerate(names)]
    shown = [
        MetricShown(
            id=id, definition=definition, of="dose_gy", unit="Gy", better="smaller", ranked=id == "error", task="all"
        )
        for id, definition in (("error", "absolute_error@1"), ("mean_error", "mean_absolute_error@1"))
    ]
    told = {
        "rows": rows,
        "cases": 12,
        "metrics": shown,
        "groups": {"error": [names[at : at + 4] for at in range(0, len(names), 2)]},
        "better_than": {"error": {name: names[at + 4 :] for at, name in enumerate(names)}},
        "methods_agree": dict.fromkeys(("mean_then_rank", "median_then_rank", "rank_then_mean"), 0.97),
        "tau": 0.9,
    }
    return empty.model_copy(update={**told, **changes})


def put(hub: Hub, board: Board, moved: str = "[]") -> int:
    """Puts a board into the database, as a worker does; returns its version."""
    with hub.desk.database.write() as session:
        return boards.keep_board(
            session,
            challenge=board.challenge,
            phase=board.phase,
            board=board.model_dump_json(),
            changes=moved,
            now=hub.time(),
        )


def teams_in(page: str) -> list[str]:
    """The names in the table of the board, from top to bottom."""
    body = page.partition('<table class="board">')[2].partition("</table>")[0]
    return re.findall(r'class="team"><a href="[^"]*"><bdi>(.*?)</bdi>', body)


def text_of(page: str) -> str:
    """What is read of a page."""
    return " ".join(re.sub(r"<[^>]*>", " ", page).replace("&#39;", "'").split())


def test_a_board_that_was_never_made_says_what_comes(hub: Hub) -> None:
    page = hub.client().get(PAGE)
    assert page.status_code == 200
    assert "No submission yet" in text_of(page.text)
    with hub.desk.database.write() as session:
        jobs.add_board(session, challenge="tiny_dose", phase="practice", now=hub.time())
    assert "The first board is being made" in text_of(hub.client().get(PAGE).text)
    assert hub.client().get(f"{PAGE}/board.json").status_code == 404


def test_an_empty_board_and_unknown_ones(hub: Hub) -> None:
    put(hub, made_up(hub, []))
    page = hub.client().get(PAGE)
    assert "No team on the board yet" in text_of(page.text)
    assert '<table class="board">' not in page.text
    for address in ("/challenges/tiny_dose/board/nowhere", "/challenges/nothing/board/practice", f"{PAGE}/{'0' * 16}"):
        assert hub.client().get(address).status_code == 404


def test_the_real_board_of_real_submissions(hub: Hub) -> None:
    made_now = make_now(hub.desk, "tiny_dose", "practice")
    assert made_now == 1
    assert hub.client().get(f"{PAGE}/board.json").json()["challenge"] == "tiny_dose"


def test_one_row_says_all_that_is_known(hub: Hub) -> None:
    put(hub, made_up(hub, ["Anna"]))
    page = hub.client().get(PAGE)
    text = text_of(page.text)
    for said in ("1 team", "Anna", "open: ranks may change", "Version 1", "How to read it", "Check it yourself"):
        assert said in text
    assert "style=" not in page.text
    assert page.headers["vary"] == "Cookie, Authorization, Accept-Encoding"


def test_fifty_rows_have_their_charts(hub: Hub) -> None:
    names = [f"Team {at:02d}" for at in range(50)]
    moved = [{"team": "Team 03", "before": 5.0, "after": 4.0}, {"team": "Team 09", "before": None, "after": 10.0}]
    # scores are for everybody only where the phase says so; an organiser sees all
    organiser, _ = hub.person("Olga", organiser=True)
    put(hub, made_up(hub, names), json.dumps(moved))
    page = hub.client(organiser).get(PAGE).text
    text = text_of(page)
    assert teams_in(page) == names
    for said in (
        "Scores by case",
        "Would another method rank them otherwise?",
        "Who can be told apart?",
        "Kendall's tau of 0.90",
        "Team 03 : rank 5 → 4",
        "Team 09 : new, at rank 10",
        "Find a team",
    ):
        assert said in text
    assert page.count('class="band"') == 50


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("", "Team 00"),
        ("?sort=rank&order=desc", "Team 29"),
        ("?sort=team&order=desc", "Team 29"),
        ("?sort=error&order=desc", "Team 29"),
        ("?sort=mean_error", "Team 29"),
        ("?sort=first", "Team 00"),
        ("?sort=first&order=asc", "Team 05"),
        ("?sort=interval&order=desc", "Team 29"),
        ("?sort=nothing&order=sideways&page=-3", "Team 00"),
    ],
)
def test_a_board_is_sorted(hub: Hub, query: str, first: str) -> None:
    organiser, _ = hub.person("Olga", organiser=True)
    put(hub, made_up(hub, [f"Team {at:02d}" for at in range(30)]))
    page = hub.client(organiser).get(PAGE + query).text
    assert teams_in(page)[0] == first
    assert page.count("aria-sort=") == 1


def test_who_has_no_score_is_last_in_any_order(hub: Hub) -> None:
    board = made_up(hub, ["A", "B", "C"])
    bare = board.rows[0].model_copy(update={"scores": {}})
    board = board.model_copy(update={"rows": [bare, *board.rows[1:]]})
    for order in ("asc", "desc"):
        places = views.sorted_rows(board, views.sorting_of(board, sort="error", order=order, page="1"))
        assert places[-1] == 0


def test_a_thousand_rows_come_in_pages_and_any_team_is_found(hub: Hub) -> None:
    names = [f"Team {at:04d}" for at in range(1000)]
    put(hub, made_up(hub, names))
    client = hub.client()
    first = client.get(PAGE).text
    assert teams_in(first) == names[: views.PAGE_ROWS]
    assert "page 1 of 10" in text_of(first)
    assert teams_in(client.get(f"{PAGE}?page=10").text) == names[-views.PAGE_ROWS :]
    assert teams_in(client.get(f"{PAGE}?page=99").text) == names[-views.PAGE_ROWS :]
    to = client.get(f"{PAGE}?find=team 0437")
    assert to.status_code == 303
    assert to.headers["location"] == f"{PAGE}?page=5#r-{digits(438, 16)}"
    missed = client.get(f"{PAGE}?find=<nobody>")
    assert "no team on this board is called so" in missed.text
    assert "nobody&" not in missed.text


def test_nobody_signed_in_gets_what_was_drawn_once(hub: Hub) -> None:
    put(hub, made_up(hub, [f"Team {at:04d}" for at in range(1000)]))
    client = hub.client()
    client.get(PAGE)
    drawn = client.app.state.drawn.made  # type: ignore[attr-defined]
    for _ in range(20):
        answer = client.get(PAGE, headers={"Accept-Encoding": "gzip"})
    assert client.app.state.drawn.made == drawn  # type: ignore[attr-defined]
    assert answer.headers["content-encoding"] == "gzip"
    again = client.get(PAGE, headers={"If-None-Match": answer.headers["etag"], "Accept-Encoding": "gzip"})
    assert (again.status_code, again.content) == (304, b"")
    plain = client.get(PAGE, headers={"Accept-Encoding": "gzip;q=0"})
    assert "content-encoding" not in plain.headers
    assert plain.text == answer.text
    put(hub, made_up(hub, ["Anna"]))
    newer = client.get(PAGE, headers={"If-None-Match": answer.headers["etag"], "Accept-Encoding": "gzip"})
    assert newer.status_code == 200
    assert teams_in(newer.text) == ["Anna"]


def test_a_person_sees_his_own_name_and_nobody_gets_it(hub: Hub) -> None:
    anna, _ = hub.person("Anna Lindh", team="Anna")
    put(hub, made_up(hub, ["Anna", "Ben"]))
    mine, others = hub.client(anna), hub.client()
    page = mine.get(PAGE)
    assert "Anna Lindh" in page.text
    assert "Anna Lindh" not in others.get(PAGE).text
    assert "content-encoding" not in page.headers
    assert mine.get(PAGE, headers={"If-None-Match": page.headers["etag"]}).status_code == 304


def test_each_sees_what_is_his(hub: Hub) -> None:
    """Scores are the team's while the phase is open, scores by case the organisers'."""
    anna, _ = hub.person("Anna", team="Anna")
    organiser, _ = hub.person("Olga", organiser=True)
    left = [
        {"team": "Ben", "submission": "b" * 16, "why": "refused: Ben's secret"},
        {"team": "Anna", "submission": "a" * 16, "why": "timed out"},
    ]
    board = made_up(hub, ["Anna", "Ben"])
    put(hub, Board.model_validate({**board.model_dump(), "left": left}))
    whole = board.rows[1].scores["error"].value
    for client, scores, secret in (
        (hub.client(), {"Anna": 0, "Ben": 0}, False),
        (hub.client(anna), {"Anna": 2, "Ben": 0}, False),
        (hub.client(organiser), {"Anna": 2, "Ben": 2}, True),
    ):
        found = client.get(f"{PAGE}/board.json").json()
        assert {row["team"]: len(row["scores"]) for row in found["rows"]} == scores
        page = client.get(PAGE).text
        assert ("Ben&#39;s secret" in page) is secret
        assert (str(whole) in page) is secret
    own = hub.client(anna).get(PAGE).text
    assert "stands at rank" in own
    assert "timed out" in own
    assert f"/submissions/{digits(1, 16)}" in own
    assert f"/submissions/{digits(2, 16)}" not in own


def test_who_is_in_two_teams_sees_what_each_may(hub: Hub) -> None:
    board = made_up(hub, ["A", "B", "C"])
    phase = hub.opened.challenge.phase("practice")
    seen = views.seen_by(board, phase, views.Viewing("team", ("A", "C")))
    assert [len(row.scores) for row in seen.rows] == [2, 0, 2]
    hidden = phase.model_copy(update={"shows": phase.shows.model_copy(update={"rank": "team"})})
    seen = views.seen_by(board, hidden, views.Viewing("team", ("A", "C")))
    assert [row.team for row in seen.rows] == ["A", "C"]
    assert views.seen_by(board, hidden, views.Viewing("everyone")).rows == []


def test_a_token_without_reading_sees_what_everybody_does(hub: Hub) -> None:
    anna, _ = hub.person("Anna", team="Anna")
    put(hub, made_up(hub, ["Anna"]))
    address = "/api/v1/challenges/tiny_dose/boards/practice"
    by_scope = {scope: hub.client().get(address, headers=hub.token(anna, scope)).json() for scope in ("read", "submit")}
    assert by_scope["read"]["viewer"] == "team"
    assert by_scope["submit"]["viewer"] == "everyone"
    assert by_scope["submit"]["board"]["rows"][0]["scores"] == {}


def test_names_never_become_markup(hub: Hub) -> None:
    organiser, _ = hub.person("<b>Olga</b>", organiser=True)
    board = made_up(hub, list(HOSTILE))
    titled = [row.model_copy(update={"title": HOSTILE[0], "same_as": [HOSTILE[1]]}) for row in board.rows]
    moved = json.dumps([{"team": HOSTILE[0], "before": 2.0, "after": 1.0}])
    put(hub, board.model_copy(update={"rows": titled}), moved)
    client = hub.client(organiser)
    for address in (PAGE, f"{PAGE}/{digits(1, 16)}"):
        page = client.get(address).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "<svg onload" not in page
        assert "<b>Olga" not in page
        assert "49" not in teams_in(page)


def test_a_row_says_what_repeats_it(hub: Hub) -> None:
    board = made_up(hub, ["Ben & Co.", "Anna"])
    put(hub, board)
    address = f"{PAGE}/{digits(1, 16)}"
    before = text_of(hub.client().get(address).text)
    assert "Nothing yet" in before
    assert "Scores are shown when the phase is closed." in before
    put(hub, board.model_copy(update={"closed": True, "truth": "published"}))
    hub.opened.vault.end("2027-03-01T12:00:00+00:00")
    after = text_of(hub.client().get(address).text)
    assert "braggbook verify DOI --row &#39;Ben &amp; Co.&#39;".replace("&#39;", "'") in after
    assert "closed: final" in text_of(hub.client().get(PAGE).text)


def test_a_new_board_that_is_being_made_is_said(hub: Hub) -> None:
    put(hub, made_up(hub, ["Anna"]))
    client = hub.client()
    assert "a newer board is being made" not in client.get(PAGE).text
    with hub.desk.database.write() as session:
        jobs.add_board(session, challenge="tiny_dose", phase="practice", now=hub.time())
    assert "a newer board is being made" in client.get(PAGE).text


def test_a_kept_page_does_not_outlive_its_phase(hub: Hub) -> None:
    put(hub, made_up(hub, ["Anna"]))
    client = hub.client()
    assert "open until" in client.get(PAGE).text
    hub.time.later(days=40)
    assert "open until" not in client.get(PAGE).text


def test_the_addresses_are_below_the_prefix(hub: Hub) -> None:
    put(hub, made_up(hub, ["Anna"]))
    client: Client = hub.client()
    client.get(PAGE)
    page = client.get(PAGE, headers={"X-Forwarded-Prefix": "/proxy/8000"})
    if "/proxy/8000" in page.text:  # the test's own address is one that is believed
        assert 'href="/challenges' not in page.text
    assert 'href="/proxy' not in client.get(PAGE).text


def test_pages_are_kept_as_long_as_they_fit() -> None:
    shelves = Shelves(most_bytes=250)
    for name in "abc":
        shelves.get(name, lambda name=name: kept(name * 100, pack=False))  # type: ignore[misc]
    assert shelves.made == 3
    shelves.get("c", lambda: kept("", pack=False))
    assert shelves.made == 3
    shelves.get("a", lambda: kept("a" * 100, pack=False))
    assert shelves.made == 4


def test_what_cannot_be_drawn_is_tried_again() -> None:
    shelves = Shelves()

    def fails() -> Any:
        raise ValueError("not now")

    with pytest.raises(ValueError, match="not now"):
        shelves.get("a", fails)
    assert gzip.decompress(shelves.get("a", lambda: kept("x" * 2000)).packed) == b"x" * 2000

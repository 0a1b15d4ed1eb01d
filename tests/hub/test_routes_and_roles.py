"""Every address of the hub, and what it answers to whom: one line is one address, one column is one kind of visitor.

The columns, from the left:

    visitor    nobody is signed in
    nobody     a participant of no team
    another    a participant of another team
    member     leads the team whose submissions are asked for
    organiser
    disabled   of the team, whose account was disabled while a session was open
    read       a member's token with this scope, and so for submit and (an organiser's) organise
    revoked    a token that does not work any more

A form is sent as its page has it, but for what its fields would hold: 422 says that it may be sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import compile_path

from braggbook.hub.entries import recover
from braggbook.hub.people.providers import Provider
from braggbook.testing.challenges import ANNA, Open, closed_challenge

from .attack_world import Make, World, add_session, csrf_of, make_world, routes_of

ROLES = ("visitor", "none", "other", "member", "organiser", "disabled", "read", "submit", "organise", "revoked")
#                                                                     vis nob ano mem org dis rea sub org rev
TABLE = """
# what everybody may read
GET  home                    /                                        200 200 200 200 200 200 200 200 200 401
GET  challenges              /challenges                              200 200 200 200 200 200 200 200 200 401
GET  challenge               /challenges/{slug}                       200 200 200 200 200 200 200 200 200 401
GET  bias                    /challenges/{slug}/design                200 200 200 200 200 200 200 200 200 401
GET  baseline                /challenges/{slug}/baseline.ipynb        200 200 200 200 200 200 200 200 200 401
GET  challenge_files         /challenges/{slug}/files.zip             200 200 200 200 200 200 200 200 200 401
GET  about                   /about                                   200 200 200 200 200 200 200 200 200 401
GET  about_you               /about/you                               200 200 200 200 200 200 200 200 200 401
GET  api_docs                /about/api                               200 200 200 200 200 200 200 200 200 401
GET  datasets                /datasets                                200 200 200 200 200 200 200 200 200 401
GET  dataset                 /datasets/counts/1                       200 200 200 200 200 200 200 200 200 401
GET  dataset_file            /datasets/counts/1/files/counts.csv      200 200 200 200 200 200 200 200 200 200
GET  dataset_volume          /datasets/counts/1/volumes/counts.csv    422 422 422 422 422 422 422 422 422 422
GET  health                  /health                                  200 200 200 200 200 200 200 200 200 200
*    static                  /static/style.css                        200 200 200 200 200 200 200 200 200 200
GET  openapi                 /api/v1/openapi.json                     200 200 200 200 200 200 200 200 200 200

# boards: of a phase whose ranks are everybody's, of a hidden one, of one that has ended without a submission
GET  board                   /challenges/{slug}/board/practice        200 200 200 200 200 200 200 200 200 401
GET  board                   /challenges/{slug}/board/last            200 200 200 200 200 200 200 200 200 401
GET  board                   /challenges/{slug}/board/over            200 200 200 200 200 200 200 200 200 401
GET  board                   /challenges/{slug}/board/unknown         404 404 404 404 404 404 404 404 404 401
GET  board_json              /challenges/{slug}/board/practice/board.json  200 200 200 200 200 200 200 200 200 401
GET  board_json              /challenges/{slug}/board/last/board.json 200 200 200 200 200 200 200 200 200 401
GET  board_json              /challenges/{slug}/board/over/board.json 404 404 404 404 404 404 404 404 404 401
GET  board_row               /challenges/{slug}/board/practice/{mine} 200 200 200 200 200 200 200 200 200 401
GET  board_row               /challenges/{slug}/board/last/{hidden}   404 404 404 404 200 404 404 404 200 401

# handing in, and what was handed in
GET  submit                  /challenges/{slug}/submit                303 200 200 200 200 303 403 200 403 401
POST submit_file             /challenges/{slug}/submit                401 422 422 422 422 401 403 403 403 401
GET  submissions             /submissions                             303 200 200 200 200 303 200 403 403 401
GET  submission              /submissions/{mine}                      303 404 404 200 200 303 200 403 403 401
GET  submission              /submissions/{hidden}                    303 404 404 200 200 303 200 403 403 401
GET  submission              /submissions/{theirs}                    303 404 200 404 200 303 404 403 403 401
GET  submission              /submissions/0123456789abcdef            303 404 404 404 404 303 404 403 403 401
GET  submission_live         /submissions/{mine}/live                 303 404 404 200 200 303 200 403 403 401
GET  submission_live         /submissions/{theirs}/live               303 404 200 404 200 303 404 403 403 401
GET  receipt                 /submissions/{mine}/receipt.json         303 404 404 200 200 303 200 403 403 401
GET  receipt                 /submissions/{theirs}/receipt.json       303 404 200 404 200 303 404 403 403 401
GET  submission_withdraw     /submissions/{mine}/withdraw             303 404 404 200 200 303 200 403 403 401
GET  submission_withdraw     /submissions/{theirs}/withdraw           303 404 200 404 200 303 404 403 403 401
POST submission_withdraw_now /submissions/{mine}/withdraw             401 404 404 422 422 401 403 403 403 401
POST submission_withdraw_now /submissions/{theirs}/withdraw           401 404 422 404 422 401 403 403 403 401
POST submission_score_again  /submissions/{mine}/score-again          401 403 403 403 303 401 403 403 403 401

# organisers alone
GET  organise                /organise                                303 403 403 403 200 303 403 403 200 401
GET  organise_people         /organise/-/people                       303 403 403 403 200 303 403 403 200 401
POST organise_invite         /organise/-/people/invite                401 403 403 403 422 401 403 403 403 401
POST organise_recovery       /organise/-/people/{person}/recovery     401 403 403 403 200 401 403 403 403 401
POST organise_person         /organise/-/people/{person}              401 403 403 403 303 401 403 403 403 401
GET  organise_errand         /organise/{slug}/errand                  303 403 403 403 200 303 403 403 200 401
GET  organise_challenge      /organise/{slug}                         303 403 403 403 200 303 403 403 200 401
GET  organise_submission     /organise/{slug}/submissions/{mine}      303 403 403 403 200 303 403 403 200 401
GET  organise_evaluation     /organise/{slug}/submissions/{mine}/evaluations/{evaluation}.json  303 403 403 403 200 303 403 403 200 401
GET  organise_open           /organise/{slug}/open                    303 403 403 403 200 303 403 403 200 401
POST organise_open_do        /organise/{slug}/open                    401 403 403 403 422 401 403 403 403 401
GET  organise_rescore        /organise/{slug}/rescore                 303 403 403 403 200 303 403 403 200 401
POST organise_rescore_do     /organise/{slug}/rescore                 401 403 403 403 422 401 403 403 403 401
GET  organise_withdraw       /organise/{slug}/submissions/{mine}/withdraw  303 403 403 403 200 303 403 403 200 401
POST organise_withdraw_do    /organise/{slug}/submissions/{mine}/withdraw  401 403 403 403 422 401 403 403 403 401
GET  organise_close          /organise/{slug}/close                   303 403 403 403 200 303 403 403 200 401
POST organise_close_do       /organise/{slug}/close                   401 403 403 403 422 401 403 403 403 401
GET  organise_publish        /organise/{slug}/publish                 303 403 403 403 200 303 403 403 200 401
POST organise_publish_do     /organise/{slug}/publish                 401 403 403 403 422 401 403 403 403 401
GET  organise_export         /organise/{slug}/closed.zip              303 403 403 403 422 303 403 403 422 401
GET  organise_boards         /organise/{slug}/boards.json             303 403 403 403 200 303 403 403 200 401
GET  metrics                 /metrics                                 303 403 403 403 200 303 403 403 200 401

# runs are the project's own, for people who are signed in
GET  runs                    /runs                                    303 200 200 200 200 303 200 403 200 401
GET  run                     /runs/{run}                              303 200 200 200 200 303 200 403 200 401
GET  run_crate               /runs/{run}/crate.zip                    303 200 200 200 200 303 200 403 200 401
GET  run_file                /runs/{run}/files/notes.txt              303 200 200 200 200 303 200 403 200 401
GET  run_file                /runs/{run}/files/report.html            303 200 200 200 200 303 200 403 200 401
GET  run_volume              /runs/{run}/volumes/notes.txt            303 422 422 422 422 303 422 403 422 401

# signing in; a link that was opened is used up by whom it makes an account
GET  sign_in                 /sign-in                                 200 303 303 303 303 200 303 303 303 401
POST sign_in_local           /sign-in                                 422 422 422 422 422 422 403 403 403 401
POST sign_out                /sign-out                                303 303 303 303 303 303 403 403 403 401
POST oidc_begin              /sign-in/there                           422 422 422 422 422 422 403 403 403 401
GET  oidc_return             /sign-in/there/return                    422 422 422 422 422 422 422 422 422 401
GET  invitation              /invitation/{invitation}                 303 303 303 303 303 303 303 303 303 401
GET  invitation_open         /invitation                              200 200 200 200 200 200 404 404 404 401
POST invitation_accept       /invitation                              422 422 422 422 422 422 403 403 403 401

# the own account and teams are changed in a browser only
GET  account                 /account                                 303 200 200 200 200 303 403 403 403 401
POST account_name            /account/name                            401 422 422 422 422 401 403 403 403 401
POST account_password        /account/password                        401 422 422 422 422 401 403 403 403 401
POST account_sessions        /account/sessions                        401 303 303 303 303 401 403 403 403 401
POST account_unlink          /account/identities/1/remove             401 303 303 303 303 401 403 403 403 401
GET  account_data            /account/data.json                       303 200 200 200 200 303 403 403 403 401
POST account_delete          /account/delete                          401 422 422 422 422 401 403 403 403 401
GET  tokens                  /account/tokens                          303 200 200 200 200 303 403 403 403 401
POST token_make              /account/tokens                          401 422 422 422 422 401 403 403 403 401
POST token_revoke            /account/tokens/{token}/revoke           401 404 404 303 404 401 403 403 403 401
GET  teams                   /teams                                   303 200 200 200 200 303 403 403 403 401
POST team_make               /teams                                   401 422 422 422 422 401 403 403 403 401
GET  team                    /teams/{team}                            303 404 404 200 404 303 403 403 403 401
POST team_rename             /teams/{team}/name                       401 404 404 422 404 401 403 403 403 401
POST team_link               /teams/{team}/link                       401 404 404 200 404 401 403 403 403 401
POST team_leave              /teams/{team}/leave                      401 404 404 422 404 401 403 403 403 401
POST team_leader             /teams/{team}/leader                     401 404 404 422 404 401 403 403 403 401
POST team_remove             /teams/{team}/remove                     401 404 404 422 404 401 403 403 403 401

# programs; a session may read here, but only a token changes anything
GET  api_challenges          /api/v1/challenges                       200 200 200 200 200 200 200 200 200 401
GET  api_challenge           /api/v1/challenges/{slug}                200 200 200 200 200 200 200 200 200 401
GET  api_board               /api/v1/challenges/{slug}/boards/practice  200 200 200 200 200 200 200 200 200 401
GET  api_board               /api/v1/challenges/{slug}/boards/last    200 200 200 200 200 200 200 200 200 401
POST api_submit              /api/v1/challenges/{slug}/submissions?name=a.csv&phase=over  401 403 403 403 403 401 403 422 403 401
GET  api_submissions         /api/v1/submissions                      401 200 200 200 200 401 200 403 403 401
GET  api_submission          /api/v1/submissions/{mine}               401 404 404 200 200 401 200 403 403 401
GET  api_submission          /api/v1/submissions/{theirs}             401 404 200 404 200 401 404 403 403 401
GET  api_receipt             /api/v1/submissions/{mine}/receipt       401 404 404 200 200 401 200 403 403 401
GET  api_receipt             /api/v1/submissions/{theirs}/receipt     401 404 200 404 200 401 404 403 403 401
GET  api_logs                /api/v1/submissions/{mine}/logs          401 404 404 200 200 401 200 403 403 401
GET  api_logs                /api/v1/submissions/{hidden}/logs        401 404 404 403 200 401 403 403 403 401
POST api_withdraw            /api/v1/submissions/{mine}/withdraw      401 403 403 403 403 401 403 403 403 401
POST api_rescore             /api/v1/challenges/{slug}/rescore        401 403 403 403 403 401 403 403 422 401
GET  api_queue               /api/v1/queue                            401 403 403 403 200 401 403 403 200 401
GET  api_datasets            /api/v1/datasets                         200 200 200 200 200 200 200 200 200 200
GET  api_dataset             /api/v1/datasets/counts/1                200 200 200 200 200 200 200 200 200 200
GET  api_runs                /api/v1/runs                             401 200 200 200 200 401 200 403 200 401
GET  api_run                 /api/v1/runs/{run}                       401 200 200 200 200 401 200 403 200 401
"""
# what programs send: usable, so that only who asks counts; "nothing" names both a phase and a submission
BODIES = {
    "api_withdraw": {"because": "a slip"},
    "api_rescore": {"because": "a slip", "phase": "practice", "submission": "nothing"},
}
PROVIDER = Provider("there", "There", "https://there.example", "hub")


@dataclass(frozen=True)
class Line:
    """A line of the table."""

    method: str
    name: str
    path: str
    wanted: tuple[int, ...]

    def send(self, world: World, role: str) -> Any:
        """Asks as somebody."""
        path = self.path.format(**world.names)
        if self.method != "POST":
            return world.get(role, path)
        if self.name.startswith("api_"):
            return world.ask(role, "POST", path, json=BODIES.get(self.name, {}))
        return world.send(role, path)


LINES = [
    Line(method, name, path, tuple(map(int, wanted)))
    for method, name, path, *wanted in (line.split() for line in TABLE.splitlines() if line and line[0] != "#")
]


def test_every_route_has_a_line_and_every_line_a_route(make_hub: Make) -> None:
    known: dict[tuple[str, str], list[str]] = {}
    for method, name, path in routes_of(make_hub().client().app):
        known.setdefault((method, name), []).append(f"{path}/{{path:path}}" if name == "static" else path)
    listed = {(line.method, line.name) for line in LINES}
    assert sorted(set(known) - listed) == [], "routes without a line in the table"
    assert sorted(listed - set(known)) == [], "lines of the table without a route"
    for line in LINES:
        path = line.path.partition("?")[0].replace("{", "").replace("}", "")
        assert any(compile_path(one)[0].match(path) for one in known[line.method, line.name]), line
        assert len(line.wanted) == len(ROLES), line


@pytest.mark.full
def test_every_role_gets_what_the_table_says(make_hub: Make) -> None:
    world = make_world(make_hub(providers=(PROVIDER,)))
    wrong = []
    for line in LINES:
        for role, wanted in zip(ROLES, line.wanted, strict=True):
            answer = line.send(world, role)
            if answer.status_code != wanted:
                wrong.append(f"{line.method} {line.path} as {role}: wanted {wanted}, got {answer.status_code}")
            if line.method == "POST":
                world.thaw()
    assert not wrong, "\n".join(wrong)


def _sender(line: Line) -> str:
    """Returns who may send a form, so that nothing but the proof of its origin is missing."""
    return next(
        role for role in ("member", "organiser", "visitor") if line.wanted[ROLES.index(role)] in (200, 303, 422)
    )


@pytest.mark.full
def test_no_form_comes_from_another_page(make_hub: Make) -> None:
    world = make_world(make_hub(providers=(PROVIDER,)))
    forms = [line for line in LINES if line.method == "POST" and not line.name.startswith("api_")]
    assert len(forms) > 20
    wrong = []
    for line in forms:
        role, path = _sender(line), line.path.format(**world.names)
        cookie = world.sessions[role]
        own, strange = {"csrf": csrf_of(cookie)}, {"csrf": csrf_of(world.sessions["other"])}
        for what, data, headers in (
            ("no proof", {}, {}),
            ("an empty proof", {"csrf": ""}, {}),
            ("the proof of another session", strange, {}),
            ("another origin", own, {"Origin": "https://evil.example"}),
            ("our name as a part of another", own, {"Origin": "http://hub.test.evil.example"}),
            ("another site", own, {"Sec-Fetch-Site": "cross-site", "Origin": "http://hub.test"}),
            ("a neighbour", own, {"Sec-Fetch-Site": "same-site"}),
        ):
            answer = world.ask(role, "POST", path, data=data, headers=headers)
            if answer.status_code != 403 or "location" in answer.headers:
                wrong.append(f"{path} with {what}: {answer.status_code}")
        taken = world.ask(role, "POST", path, data=own, headers={"Origin": "http://hub.test"})
        if taken.status_code not in (200, 303, 422):
            wrong.append(f"{path} as its page sends it: {taken.status_code}")
        world.thaw()
    assert not wrong, "\n".join(wrong)


@pytest.mark.full
def test_a_closed_challenge_is_everybodys_and_takes_nothing(make_hub: Make, tmp_path: Path) -> None:
    made = closed_challenge(tmp_path / "closed")
    hub = make_hub()
    desk = replace(hub.desk, settings=made.settings)
    hub = replace(hub, desk=desk, opened=Open(made.challenge, made.vault, made.settings))
    recover(desk)
    hub.work()
    world = World(hub)
    world.people["organiser"], _ = hub.person("Olga", organiser=True)
    world.people["member"], world.teams["member"] = hub.person("Mia", team="Mine")
    world.sessions = {role: add_session(hub, world.people.get(role)) for role in ("visitor", "member", "organiser")}
    slug = made.challenge.slug
    scored = next(one.id for one in made.vault.submissions() if one.team == ANNA and one.phase == "last")
    wrong = []
    for method, path, *wanted in (
        ("GET", f"/challenges/{slug}", 200, 200, 200),
        ("GET", f"/challenges/{slug}/board/last", 200, 200, 200),
        ("GET", f"/challenges/{slug}/board/last/{scored}", 200, 200, 200),
        ("GET", f"/challenges/{slug}/board/last/board.json", 200, 200, 200),
        ("GET", f"/submissions/{scored}", 303, 404, 200),  # the page of a submission stays the team's
        ("GET", f"/challenges/{slug}/submit", 303, 200, 200),
        ("POST", f"/challenges/{slug}/submit", 401, 422, 422),
        ("GET", f"/organise/{slug}/closed.zip", 303, 403, 200),
        ("GET", f"/organise/{slug}/close", 303, 403, 200),
        ("POST", f"/organise/{slug}/close", 401, 403, 422),
        ("POST", f"/organise/{slug}/rescore", 401, 403, 422),
    ):
        for role, status in zip(("visitor", "member", "organiser"), wanted, strict=True):
            values = {"because": "again", "what": "all", "slug": slug, "early": "1"}
            answer = world.get(role, path) if method == "GET" else world.send(role, path, **values)
            if answer.status_code != status:
                wrong.append(f"{method} {path} as {role}: wanted {status}, got {answer.status_code}")
    assert not wrong, "\n".join(wrong)
    board = world.get("visitor", f"/challenges/{slug}/board/last/board.json").json()
    assert [row["scores"]["error"]["spread"] is None for row in board["rows"]] == [False] * 3

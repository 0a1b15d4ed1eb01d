"""Style, script and templates of the hub: nothing from elsewhere, nothing inline, readable in both schemes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

import jinja2
import jinja2.meta
import pytest

import braggbook.hub.pages  # noqa: F401  its modules may add filters
from braggbook.errors import InputError, Issue
from braggbook.hub.web.rendering import environment

HUB = files("braggbook.hub")
STATIC = sorted(one.name for one in (HUB / "static").iterdir() if one.is_file())
STYLE = (HUB / "static" / "style.css").read_text()
BOARD_STYLE = (files("braggbook.challenges.pages") / "templates" / "style.css").read_text()
NOW = datetime(2026, 11, 22, 20, 41, 32, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\" onclick='x'"
STATES = (
    "arriving", "queued", "running", "scored", "refused", "failed", "timed out", "killed", "platform", "withdrawn",
)  # fmt: skip

TEXT_ON_GROUND = [
    (text, ground) for text in ("ink", "soft", "accent", "good", "bad", "warn") for ground in ("paper", "box")
]
TEXT_ON_FILLED = [("ink", "tint"), ("paper", "accent"), ("paper", "bad"), ("paper", "ink")]
SHAPE_ON_GROUND = [
    ("soft", "paper"),
    ("soft", "box"),
    ("accent", "box"),
    ("accent", "line"),
    ("band", "paper"),
    ("bad", "box"),
]
COURSES = [(f"c{n}", "paper") for n in range(6)]


@pytest.fixture(scope="module")
def templates() -> jinja2.Environment:
    return environment()


def tokens(scheme: str) -> dict[str, str]:
    """Returns the colours of a scheme, as #rrggbb."""
    light, _, dark = STYLE.partition("@media screen and (prefers-color-scheme: dark)")
    text = light if scheme == "light" else dark[: dark.index("} }")]
    found = re.findall(r"--([a-z0-9]+): #([0-9a-f]{3}|[0-9a-f]{6});", text)
    return {name: value if len(value) == 6 else "".join(2 * digit for digit in value) for name, value in found}


def luminance(colour: str) -> float:
    """Returns the relative luminance of WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def drawn(templates: jinja2.Environment, text: str, **more: Any) -> str:
    """Draws a template with what every page may count on."""
    every = {
        "url": lambda name, **params: "/under/" + "/".join([name, *map(str, params.values())]),
        "static": lambda name: f"/under/static/{name}",
        "hub_title": "A hub",
        "person": SimpleNamespace(name=HOSTILE, login="maria", organiser=True),
        "csrf": "token",
        "flash": [("good", "It has arrived."), ("error", HOSTILE)],
        "version": "1.2.3",
        "request_id": "4f1c09aa",
    }
    return templates.from_string(text).render(every | more)


class Reader(HTMLParser):
    """Collects elements and their attributes, and finds ends that do not fit."""

    VOID = frozenset({"meta", "link", "img", "input", "br", "hr", "path", "circle", "rect"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> on line {self.getpos()[0]}"

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]

    def with_id(self, name: str) -> dict[str, str]:
        return next(attributes for _, attributes in self.found if attributes.get("id") == name)


def test_nothing_static_names_another_host() -> None:
    assert {"style.css", "charts.css", "hub.js", "icon.svg"} <= set(STATIC)
    bundle = "viewer.js"  # NiiVue's shaders name their sources; tests/browser/test_viewer.py sees that nobody is asked
    for name in set(STATIC) - {bundle}:
        text = (HUB / "static" / name).read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"https?:|[\"'(]//|@import|@font-face", text), name


def _without_jinja(text: str) -> str:
    """Returns what stands in the page itself: `one == phase` in an expression is no handler."""
    return re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", "", text, flags=re.DOTALL)


def test_no_template_has_anything_inline_or_from_another_host(templates: jinja2.Environment) -> None:
    wrong = {
        "a style attribute": r"<[^>]*\sstyle\s*=",
        "a style element": r"<style\b",
        "an inline script": r"<script\b(?![^>]*\ssrc=)",
        "a handler": r"<[^>]*\son[a-z]+\s*=",
        "a script as an address": r"javascript:",
        "a part from another host": r"<(?:link|script|img|iframe|source|object)\b[^>]*(?:https?:)?//",
    }
    names = templates.list_templates()
    assert "base.html" in names
    found = [
        f"{name}: {what}"
        for name in names
        for what, pattern in wrong.items()
        if re.search(pattern, _without_jinja((HUB / "templates" / name).read_text()), re.IGNORECASE)
    ]
    assert not found


def test_every_template_compiles_and_finds_what_it_builds_on(templates: jinja2.Environment) -> None:
    assert templates.undefined is jinja2.StrictUndefined
    assert templates.autoescape is True
    names = templates.list_templates()
    for name in names:
        templates.get_template(name)
        text = (HUB / "templates" / name).read_text()
        for used in jinja2.meta.find_referenced_templates(templates.parse(text)):
            assert used is None or used in names, f"{name} builds on {used}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrasts_are_those_of_wcag_aa(scheme: str) -> None:
    colours = tokens(scheme)
    for wanted, pairs in ((4.5, [*TEXT_ON_GROUND, *TEXT_ON_FILLED, *COURSES]), (3.0, SHAPE_ON_GROUND)):
        found = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs}
        assert not {pair: ratio for pair, ratio in found.items() if ratio < wanted}


def test_a_contrast_is_counted_as_wcag_does() -> None:
    assert contrast("ffffff", "000000") == pytest.approx(21)
    assert contrast("777777", "ffffff") == pytest.approx(4.48, abs=0.005)


def test_the_hub_looks_like_the_page_of_a_board() -> None:
    for line in BOARD_STYLE.splitlines()[:4]:
        assert line.removesuffix(" } }").removesuffix(" }") in STYLE
    for line in (HUB / "static" / "charts.css").read_text().splitlines():
        assert line.startswith("/*") or line in BOARD_STYLE.splitlines(), line


def test_a_page_says_who_is_there_and_where(templates: jinja2.Environment) -> None:
    text = "{% extends 'base.html' %}{% set noun = 'datasets' %}{% block title %}Spots{% endblock %}{% block main %}<h1>Spots</h1>{% endblock %}"
    page = drawn(templates, text)
    read = Reader(page)
    assert "<title>Spots · A hub</title>" in page
    assert read.all("html") == [{"lang": "en"}]
    marked = [one for one in read.all("a") if "aria-current" in one]
    assert [one["href"] for one in marked] == ["/under/datasets"]
    assert all(one["href"].startswith(("/under/", "#main")) for one in [*read.all("a"), *read.all("link")])
    assert {one["action"]: one["method"] for one in read.all("form")} == {"/under/sign_out": "post"}
    assert {"type": "hidden", "name": "csrf", "value": "token"} in read.all("input")
    assert "<script>" not in page
    assert "It has arrived." in page[page.index('role="status"') :]
    assert "/under/sign_in" not in page
    assert "/under/organise" in page


def test_a_visitor_is_offered_to_sign_in(templates: jinja2.Environment) -> None:
    page = drawn(templates, "{% extends 'base.html' %}", person=None)
    assert "<title>A hub</title>" in page
    assert 'href="/under/sign_in"' in page
    assert not Reader(page).all("form")


FIELDS = """{% import 'parts/form.html' as forms %}{{ forms.error_summary(form, {'login': 'Login'}) }}
{{ forms.field(form, 'login', 'Login', help='Small letters.', required=true, attributes={'maxlength': 40}) }}
{{ forms.field(form, 'password', 'Password', type='password') }}
{{ forms.field(form, 'phase', 'Phase', type='select', options=[('a', 'First'), ('b', 'Last')]) }}
{{ forms.field(form, 'scopes', 'Scopes', type='checks', options=[('read', 'Read'), ('submit', 'Submit', 'As you.')]) }}
{{ forms.field(form, 'kind', 'Kind', type='radios', options=[(1, 'one'), (2, 'two')]) }}
{{ forms.field(form, 'agree', 'I agree', type='checkbox') }}
{{ forms.field(form, 'notes', 'Notes', type='textarea') }}
{{ forms.field(form, 'file', 'File', type='file') }}
{{ forms.button('Send', 'main') }}{{ forms.button('Closed', disabled=true, why='The phase is closed.') }}
{{ forms.button_form('Withdraw', '/w', 'token', 'danger', {'id': 'abc'}, about='abc') }}"""


def test_a_field_keeps_its_value_and_points_to_its_error(templates: jinja2.Environment) -> None:
    form = SimpleNamespace(
        values={"login": HOSTILE, "password": "secret", "phase": "b", "kind": 2, "agree": "yes", "notes": "\nkept"},
        lists={"scopes": ["submit"]},
        errors={"login": "There is a blank in it.", "": "The phase is closed."},
    )
    page = drawn(templates, FIELDS, form=form)
    read = Reader(page)
    login = read.with_id("f-login")
    assert login["value"] == HOSTILE
    assert login["aria-describedby"] == "f-login-help f-login-error"
    assert (login["aria-invalid"], login["maxlength"]) == ("true", "40")
    assert "There is a blank in it." in page[page.index('id="f-login-error"') :]
    assert "value" not in read.with_id("f-password")
    assert "aria-describedby" not in read.with_id("f-password")
    assert "secret" not in page
    assert [one["value"] for one in read.all("option") if "selected" in one] == ["b"]
    assert [one["value"] for one in read.all("input") if "checked" in one] == ["submit", "2", "yes"]
    assert ">\n\nkept</textarea>" in page
    summary = next(one for _, one in read.found if one.get("role") == "alert")
    assert (summary["tabindex"], "autofocus" in summary) == ("-1", True)
    assert "2 things are" in page
    assert [one["href"] for one in read.all("a")] == ["#f-login"]
    labelled = {one["for"] for one in read.all("label")}
    named = {
        one["id"] for tag in ("input", "select", "textarea") for one in read.all(tag) if one.get("type") != "hidden"
    }
    assert labelled == named


def test_a_form_without_errors_has_no_summary(templates: jinja2.Environment) -> None:
    page = drawn(templates, FIELDS, form=SimpleNamespace(values={}, errors={}))
    assert 'role="alert"' not in page
    assert "aria-invalid" not in page
    assert not [one for one in Reader(page).all("input") if "checked" in one]


def test_a_state_is_a_word_and_a_shape_of_its_own(templates: jinja2.Environment) -> None:
    text = "{% import 'parts/state.html' as states %}{{ states.state_badge(state) }}"
    badges = {state: drawn(templates, text, state=state) for state in STATES}
    shapes = {re.sub(r".*(<svg.*</svg>).*", r"\1", badge) for badge in badges.values()}
    assert len(shapes) == len(STATES)
    words = {state: re.sub(r"<[^>]*>", "", badge) for state, badge in badges.items()}
    assert words == {state: state for state in STATES} | {"platform": "fault of the hub"}
    assert "&lt;new&gt;" in drawn(templates, text, state="<new>")


@pytest.mark.parametrize(
    ("position", "told"), [(1, "next"), (2, "2nd"), (3, "3rd"), (11, "11th"), (21, "21st"), (112, "112th")]
)
def test_a_place_in_the_queue_is_told_in_words(templates: jinja2.Environment, position: int, told: str) -> None:
    page = drawn(
        templates, "{% import 'parts/state.html' as states %}{{ states.queue(position, 400) }}", position=position
    )
    assert f"<b>{told}</b>" in page
    assert page.count("<circle") == min(position, 12)


def test_progress_has_a_value_only_when_the_end_is_known(templates: jinja2.Environment) -> None:
    text = "{% import 'parts/state.html' as states %}{{ states.progress(done, total, 'a note') }}"
    known = Reader(drawn(templates, text, done=3, total=40)).all("progress")
    assert known == [{"aria-label": "progress", "max": "40", "value": "3"}]
    assert Reader(drawn(templates, text, done=0, total=None)).all("progress") == [{"aria-label": "progress"}]


def test_a_live_part_can_be_loaded_again_without_scripts(templates: jinja2.Environment) -> None:
    text = "{% import 'parts/state.html' as states %}{% call states.live('/part', again='/page', every=500) %}<p>now</p>{% endcall %}"
    page = drawn(templates, text)
    assert '<div data-live="/part" data-every="500"><p>now</p></div>' in page
    assert '<noscript><p class="small"><a href="/page">' in page


@pytest.mark.parametrize(
    ("after", "told"),
    [(-94, "2 min ago"), (30, "in 30 s"), (7200, "in 2 h"), (-86400 * 9, "9 days ago")],
)
def test_a_time_has_its_zone_and_how_far_it_is(templates: jinja2.Environment, after: int, told: str) -> None:
    text = "{% import 'parts/page.html' as page %}{{ page.time(when, now) }}"
    page = drawn(templates, text, when=NOW, now=NOW - timedelta(seconds=after))
    assert '<time datetime="2026-11-22T20:41:32+00:00">22 November 2026, 20:41 UTC</time>' in page
    assert f"({told})" in page


PARTS = """{% import 'parts/page.html' as page %}{{ page.crumbs([('All', '/all'), (hostile, none)]) }}
{% call page.head(hostile, kind='Dataset', lead=hostile) %}<p>below</p>{% endcall %}{{ page.head('alone') }}
{{ page.tabs('one', [('About', '/a', false), ('Board', '/b', true)]) }}
{{ page.pager({'number': 2, 'pages': 3, 'total': 60, 'previous': '/1', 'next': none}) }}
{{ page.command(hostile, 'To send it') }}{{ page.empty('Nothing', hostile, ('Begin', '/begin')) }}{{ page.time(none) }}
{% call page.callout('warn') %}<p>{{ hostile }}</p>{% endcall %}
{{ page.facts([('licence', 'CC0'), ('DOI', none), (hostile, page.digest('3f0a' * 16))]) }}{{ page.digest('short') }}
{% call page.table('A table') %}<thead><tr>{{ page.sort_head('score', '/s', 'ascending', unit='mm') }}</tr></thead>{% endcall %}"""


def test_parts_of_a_page_escape_what_people_wrote(templates: jinja2.Environment) -> None:
    page = drawn(templates, PARTS, hostile=HOSTILE)
    read = Reader(page)
    assert not read.all("script")
    assert not [one for _, one in read.found if "onclick" in one]
    assert [one.get("aria-current") for one in read.all("span") if "aria-current" in one] == ["page"]
    assert [one for one in read.all("a") if one.get("aria-current") == "page"] == [
        {"href": "/b", "aria-current": "page"}
    ]
    assert [one.get("aria-sort") for one in read.all("th")] == ["ascending"]
    assert "3f0a" * 16 in page
    assert "not known" in page
    assert "no time set" in page


def test_one_page_of_a_list_needs_no_pager(templates: jinja2.Environment) -> None:
    text = "{% import 'parts/page.html' as page %}{{ page.pager({'number': 1, 'pages': 1, 'total': 3, 'previous': none, 'next': none}) }}"
    assert not drawn(templates, text).strip()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 415, 418, 422, 429, 500, 503])
def test_every_error_says_what_happened_and_what_to_do_next(templates: jinja2.Environment, status: int) -> None:
    page = drawn(templates, "{% include 'message.html' %}", message={"status": status})
    assert Reader(page).all("h1")
    assert f"Error {status}" in page
    assert "What to do next" in page
    assert "4f1c09aa" in page
    assert 'class="button main"' in page


def test_an_error_of_ours_is_told_whole(templates: jinja2.Environment) -> None:
    error = InputError(
        "2 findings in predictions.csv",
        where="predictions.csv",
        wanted="one row for each case",
        got=HOSTILE,
        next_command="braggbook challenge check proton_range",
        issues=[Issue("no such case", where="row 3", wanted="case_01", got="case_99"), Issue("empty", where="row 9")],
    )
    page = drawn(templates, "{% include 'message.html' %}", error=error, code=422, phrase="x")
    Reader(page)
    for part in ("2 findings in predictions.csv.", "one row for each case", "row 3", "wanted case_01, got case_99"):
        assert part in page
    assert "<code>braggbook challenge check proton_range</code>" in page
    assert "<script>" not in page


def test_a_confirmation_is_one_button_that_posts(templates: jinja2.Environment) -> None:
    confirm = {"text": "Withdraw", "address": "/under/w", "values": {"id": "abc"}, "danger": True}
    message = {"status": 200, "title": "Withdraw it?", "confirm": confirm, "links": [("Keep it", "/under/s")]}
    page = drawn(templates, "{% include 'message.html' %}", message=message)
    read = Reader(page)
    assert {"method": "post", "action": "/under/w"} in read.all("form")
    assert {"type": "hidden", "name": "id", "value": "abc"} in read.all("input")
    assert "Error" not in page.replace('<span class="vh">Error: </span>', "")
    assert "4f1c09aa" not in page

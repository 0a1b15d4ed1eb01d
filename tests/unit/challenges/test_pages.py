"""The pages of a challenge: what they show, what they leave out, and that nobody's text becomes markup."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from typing import Any

import pytest

from braggbook.challenges.board import visible
from braggbook.challenges.pages import MOST_DRAWN, charts, render_bias, render_board, words
from braggbook.challenges.pages.template import text_of
from braggbook.formats.board import Board
from braggbook.formats.submission import Sealed, SealedSplit

from .board_helpers import KEY, board_of, evaluated, make_design, many, metric, phase_with, realistic, unscored

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=HYPERLINK(\"http://x\";'y')",
    "{{ 7 * 7 }}",
    "\u202eevil\u202c \u2067right\u2069 \u2069\u2069out",
    "</style></title></textarea><svg onload=alert(1)>",
)


class Reader(HTMLParser):
    """What a page is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("style", "script"):
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def board() -> Board:
    return board_of(make_design(), realistic())


def test_the_page_of_a_board_says_all_that_is_in_it(board: Board) -> None:
    page = render_board(
        board,
        design=make_design(),
        doi="10.5072/braggbook.k3mq7p.12",
        files={"board.json": "board.json", "bad": "javascript:alert(1)"},
        links={board.rows[0].submission: {"run": "runs/a/report.html", "binder": "https://mybinder.org/v2/x"}},
    )
    read = Reader(page)
    for row in board.rows:
        assert row.team in read.words
    for text in (
        "Find the algorithm that marks the liver", "closed", "12 teams", "60 final cases", "truth published",
        "Mean, then rank.", "Why so: Every case counts as much as its score.", "95 % of 200 draws",
        "dice: 1 score is missing and counts as 0.", "timed out: the notebook did not end in time",
        "braggbook verify 10.5072/braggbook.k3mq7p.12 --row", "Cannot be told apart", "open in Binder",
    ):  # fmt: skip
        assert text in read.words, text
    addresses = [link["href"] for link in read.all("a")]
    assert {"board.json", "runs/a/report.html", "https://mybinder.org/v2/x"} <= set(addresses)
    assert not any("javascript" in str(address) for address in addresses)
    assert [row["data-value"] for row in read.all("th") if row.get("scope") == "row" and "data-value" in row] == [
        row.team for row in board.rows
    ]


def test_the_page_is_one_file_without_anything_from_elsewhere(board: Board) -> None:
    read = Reader(render_board(board, design=make_design()))
    tags = {tag for tag, _ in read.tags}
    assert not tags & {"link", "img", "iframe", "object", "embed", "base", "form"}
    assert [set(script) for script in read.all("script")] == [set()], "the script lies in the page"
    assert not any("style" in attrs or any(name.startswith("on") for name in attrs) for _, attrs in read.tags)
    policy = next(attrs["content"] for attrs in read.all("meta") if "http-equiv" in attrs)
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_tables_and_drawings_have_words(board: Board) -> None:
    read = Reader(render_board(board, design=make_design()))
    assert len(read.all("table")) == len(read.all("caption")) == 5
    assert all(head.get("scope") in ("col", "row") for head in read.all("th"))
    told = [svg for svg in read.all("svg") if svg.get("aria-hidden") != "true"]
    assert len(told) == 5, "two box plots, a strip, two maps"
    ids = {attrs["id"] for _, attrs in read.tags if "id" in attrs}
    for svg in told:
        assert svg["role"] == "img"
        assert set(str(svg["aria-labelledby"]).split()) <= ids
    for section in read.all("section"):
        assert section["aria-labelledby"] in ids
    assert len(ids) == sum("id" in attrs for _, attrs in read.tags), "no id twice"


@pytest.mark.parametrize("name", HOSTILE)
def test_what_somebody_typed_stays_text(name: str) -> None:
    design = make_design(title=name, mission={"aim": name}, ranking={"why": name}, organisation={"venue": name})
    values = {"dice": [0.9, 0.8], "hd95": [1.0, 2.0]}
    found = [
        evaluated(name, values, title=name),
        evaluated("b", values, number=2, predictions=evaluated(name, values).predictions),
        unscored(name, "failed", number=3),
    ]
    board = board_of(design, found).model_copy(update={"phase_title": name, "notes": [name]})
    links = {row.submission: {"run": name, "record": f"javascript:{name}"} for row in board.rows}
    calm = board_of(make_design(), [evaluated("a", values), evaluated("b", values, number=2)])
    for page, plain in (
        (
            render_board(board, design=design, links=links, files={name: "x.json"}, doi=name),
            render_board(calm, design=make_design()),
        ),
        (render_bias(design, sealed=None, board=board), render_bias(make_design(), sealed=None, board=calm)),
    ):
        read = Reader(page)
        assert {tag for tag, _ in read.tags} - {tag for tag, _ in Reader(plain).tags} <= {"nav"}
        assert not any(key.startswith("on") for _, attrs in read.tags for key in attrs)
        assert "".join(read.text).count(name) >= 3
        assert "49" not in read.words
        assert not any(str(link["href"]).startswith(("javascript", '"', "<")) for link in read.all("a"))


def test_names_are_kept_apart_from_the_direction_of_others(board: Board) -> None:
    page = render_board(board)
    for row in board.rows:
        name = row.team.replace("&", "&amp;")
        plain = re.findall(rf">[^<>]*{re.escape(name)}[^<>]*<", page)
        assert plain
        assert all(f"<bdi>{name}</bdi>" in page for _ in plain)


def test_states_without_much_to_show() -> None:
    design = make_design()
    read = Reader(render_board(board_of(design, [], closed=False, truth="sealed"), design=design))
    assert "Nobody stands here yet." in read.words
    assert "While the phase is open, nobody but the organiser can." in read.words
    assert read.all("table") == read.all("script") == read.all("svg") == []
    assert "Nobody stands here." in Reader(render_board(board_of(design, []))).words
    one = Reader(render_board(board_of(design, realistic()[:1])))
    assert "is not defined here" in one.words
    assert "Would another method" not in one.words
    single = Reader(render_board(board_of(design, realistic(cases=1))))
    assert single.words.count("not known") >= 12
    assert "1 final case" in single.words


def test_shared_ranks_and_a_tau_that_is_not_defined() -> None:
    values = [0.5, 0.7, 0.9]
    found = [evaluated(name, {"dice": values}, number=at) for at, name in enumerate("abc", 1)]
    read = Reader(render_board(board_of(make_design(metrics=[metric("dice")]), found)))
    assert read.words.count("= shared 1") == 3
    assert "τ not defined" in read.words
    assert "is not defined here" in read.words


def test_rows_whose_scores_are_hidden() -> None:
    design = make_design()
    whole = board_of(design, realistic(cases=10), closed=False)
    everyone = Reader(render_board(visible(whole, design.phases[0], viewer="everyone"), design=design))
    for text in ("Scores by case", "told apart", "larger is better", "Not on the board"):
        assert text not in everyone.words
    assert "Scores that are not shown here are shown when the phase is closed." in everyone.words
    assert len(everyone.all("tr")) > 12
    team = Reader(render_board(visible(whole, design.phases[0], viewer="team", team="Team 7"), design=design))
    assert team.words.count("not shown") >= 22
    cases = phase_with(design, shows=design.phases[0].shows.model_copy(update={"score": "everyone"}))
    assert "Scores by case" not in Reader(render_board(visible(whole, cases, viewer="everyone"))).words


def test_withheld_truth() -> None:
    design = make_design(truth="withheld", why_withheld="The cases are of real patients.")
    board = board_of(design, realistic(cases=5), truth="withheld")
    read = Reader(render_board(board, design=design))
    assert "not verifiable: truth withheld" in read.words
    assert "(The cases are of real patients)" in read.words
    assert "--row" not in read.words


def test_a_thousand_rows() -> None:
    board = many(1000)
    links = {row.submission: {"run": f"runs/{row.scorer.run}/report.html", "record": "https://doi.org/10.5281/zenodo.1",
                              "binder": "https://mybinder.org/v2/zenodo/10.5281/zenodo.1/"} for row in board.rows}  # fmt: skip
    render_board(board_of(make_design(), []))  # compiles the template
    began = time.process_time()
    page = render_board(board, links=links, design=make_design())
    assert time.process_time() - began < 3, "it takes a third of a second"
    assert len(page.encode()) < 3_000_000
    read = Reader(page)
    assert sum(head.get("scope") == "row" and "data-value" in head for head in read.all("th")) == 1000
    assert f"the first {MOST_DRAWN} of 1000 teams" in read.words
    assert sum(svg.get("role") == "img" for svg in read.all("svg")) == 5


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.61, 0.99, ["0.6", "0.7", "0.8", "0.9", "1.0"]),
        (0, 25, ["0", "5", "10", "15", "20", "25"]),
        (-3, 3.5, ["−4", "−2", "0", "2", "4"]),
        (0.5, 0.5, ["0.44", "0.46", "0.48", "0.50", "0.52", "0.54", "0.56"]),
        (0.0, 0.0, ["−0.6", "−0.4", "−0.2", "0.0", "0.2", "0.4", "0.6"]),
        (0, 12, ["0.0", "2.5", "5.0", "7.5", "10.0", "12.5"]),
        (0, 1e6, ["0", "200000", "400000", "600000", "800000", "1000000"]),
    ],
)
def test_axes_have_round_numbers(low: float, high: float, labels: list[str]) -> None:
    scale, ticks = charts.ticks_of(low, high)
    assert [tick.text for tick in ticks] == labels
    assert ticks[0].at == charts.EDGE
    assert ticks[-1].at == 100 - charts.EDGE
    assert charts.EDGE <= scale.at(low) <= scale.at(high) <= 100 - charts.EDGE


def test_box_plots_lie_on_a_common_axis(board: Board) -> None:
    plot = charts.box_plots(board.metrics[1], board.rows)
    assert plot is not None
    for box in plot.boxes:
        spread = box.row.scores["hd95"].spread
        assert spread is not None
        assert charts.EDGE <= box.low <= box.q1 <= box.median <= box.q3 <= box.high <= 100 - charts.EDGE
        part = (spread.median - 0) / 25
        assert box.median == pytest.approx(charts.EDGE + (100 - 2 * charts.EDGE) * part, abs=0.02)
    assert [box.row.team for box in plot.boxes] == [row.team for row in board.rows]


def test_the_strip_and_the_map(board: Board) -> None:
    strip = charts.strip(board, board.rows)
    assert strip is not None
    assert [head.own for head in strip.heads] == [True, False, False, False, False]
    assert strip.heads[0].tau == "1.00"
    for course in strip.courses:
        assert [dot.text for dot in course.dots] == [words.rank_text(rank) for rank in course.row.by_method.values()]
    few = charts.strip(board, board.rows[-2:])
    assert few is not None
    assert few.height == 3 * charts.LINE, "a line for ranks below those that are drawn"
    drawn = charts.significance_map(board.metrics[0], board.better_than["dice"], board.rows)
    assert drawn is not None
    assert len(drawn.better) == len(drawn.worse) == sum(len(names) for names in board.better_than["dice"].values())
    assert not set(drawn.better) & set(drawn.worse)


def test_words() -> None:
    assert [words.letter(at) for at in (0, 25, 26, 51, 701, 702)] == ["a", "z", "aa", "az", "zz", "aaa"]
    assert [words.letters(places) for places in ([], [1], [0, 1, 2], [2, 3, 4, 5])] == ["", "b", "a b c", "c–f"]
    assert [words.percent_text(part).replace("\u00a0", " ") for part in (0, 0.004, 0.5, 0.995, 1)] == [
        "0 %",
        "< 1 %",
        "50 %",
        "> 99 %",
        "100 %",
    ]
    assert [words.rank_text(rank) for rank in (1.0, 2.5, 123456.0)] == ["1", "2.5", "123456"]
    assert [words.decimals_for(values) for values in ([], [0.0], [0.91], [12.3], [4321.0], [1e-9])] == [
        3,
        3,
        4,
        2,
        0,
        6,
    ]
    assert [words.number_text(value, 2) for value in (-0.001, -1.5, 2.0)] == ["0.00", "−1.50", "2.00"]
    assert words.time_text("2027-01-01T01:30:00+02:00") == "2026-12-31 23:30 UTC"
    assert words.time_text("yesterday") == "yesterday"
    assert words.counted(1, "case") == "1 case"
    assert words.counted(1000, "case") == "1,000 cases"
    assert words.shell_word("it's; rm -rf ~") == "'it'\"'\"'s; rm -rf ~'"
    assert words.shell_word("\u202eevil") == "TEAM"


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("runs/a/report.html", True), ("../x", True), ("#row", True), ("https://doi.org/10.5281/zenodo.1", True),
        ("HTTP://x", True), ("", False), (None, False), ("javascript:alert(1)", False), ("data:text/html,x", False),
        ("//evil.example/x", False), ("/etc/passwd", False), ("file:///etc/passwd", False), (" javascript:x", False),
        ("java\tscript:x", False), ("\\\\evil.example\\x", False), ("a/b:c", True),
    ],
)  # fmt: skip
def test_addresses(address: str | None, safe: bool) -> None:
    assert words.safe_address(address) == (address if safe else None)


def colours(scheme: str) -> dict[str, str]:
    blocks = re.findall(r":root \{([^}]*)\}", text_of("style.css"))
    found = [dict(re.findall(r"--([a-z0-9]+): (#[0-9a-f]{3,6})", block)) for block in blocks]
    return found[0] if scheme == "light" else {**found[0], **found[1]}


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * sign for sign in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(scheme: str) -> None:
    """WCAG 2.2: 4.5 for text (1.4.3), 3 for what a drawing is read from (1.4.11)."""
    known = colours(scheme)
    texts = [(ink, paper) for ink in ("ink", "soft", "accent", "warn") for paper in ("paper", "box")]
    texts += [(f"c{at}", "paper") for at in range(charts.COLOURS)]
    marks = [
        ("ink", "tint"),
        ("c1", "tint"),
        ("accent", "tint"),
        ("band", "paper"),
        *((f"c{at}", "box") for at in range(charts.COLOURS)),
    ]
    for pairs, wanted in ((texts, 4.5), (marks, 3.0)):
        for ink, paper in pairs:
            assert contrast(known[ink], known[paper]) >= wanted, (ink, paper)


def test_the_report_of_the_design() -> None:
    design = make_design()
    split = SealedSplit(
        split="final", version=2, opened="2027-01-01T00:00:00+00:00", cases=60, inputs="a" * 64, truth="b" * 64,
        because="two masks were swapped",
    )  # fmt: skip
    sealed = Sealed(challenge="organ_segmentation", key=KEY, splits=[split])
    read = Reader(render_bias(design, sealed=sealed, board=board_of(design, realistic(cases=6))))
    for text in (
        "Meitner, Lise, Institute of Examples, ORCID 0000-0002-1825-0097", "venue not stated", "funding not stated",
        "final, version 2: 60 cases, sealed 2027-01-01 00:00 UTC, because two masks were swapped",
        "2027-01-01 00:00 +0100 to 2027-02-01 23:59 +0100", "20 submissions, 2 a day", "masks in masks/ 1: liver",
        "hd95.voxel.directed_max.linear@1", "a far error", "something is there, and nothing was found: the worst score",
        "A case without a score counts as the metric's worst score.", "200 draws of the cases", "Results of Final phase",
        "Holm's correction", "b" * 64,
    ):  # fmt: skip
        assert text.lower() in read.words.lower(), text
    bare = Reader(render_bias(design, sealed=None)).words
    assert "number of hidden cases not stated" in bare
    assert "Results" not in bare


def test_every_field_of_a_design_is_in_the_report() -> None:
    column: dict[str, Any] = {"unit": "Gy", "minimum": 0.0, "maximum": 10.0, "meaning": "the dose", "missing": True}
    design = make_design(
        truth="withheld",
        why_withheld="Patients.",
        organisation={"venue": "A venue", "awards": "A cup", "publication": "All",
                      "funding": [{"funder": "A fund", "award": "A 7", "funder_id": "10.13039/501100000780"}]},
        data={"training": ["survival_curves@1"]},
        submission={"form": "table", "labels": {}, "columns": {"dose": column, "low": column},
                    "ordered": [{"lower": "low", "upper": "dose"}], "incomplete": "missing"},
        metrics=[metric("error", definition="not_known@7", of="dose", empty=None, options={"tolerance": 2.0}),
                 metric("other", of="low", empty=None, ranked=False, scope="all")],
        ranking={"missing": "refuse", "ties": "mean", "alpha": 0.01},
    )  # fmt: skip
    read = Reader(render_bias(design, sealed=None)).words
    for text in (
        "A venue", "A cup", "A fund, A 7, 10.13039/501100000780", "survival_curves@1", "Withheld: Patients.",
        "dose in Gy, 0 to 10: the dose (may be empty)", "low is nowhere above dose", "The cases that it leaves out have",
        "not_known@7", "does not know the definition", "tolerance = 2", "no: it is shown alone", "0.01",
        "A submission with a missing score is not ranked.", "Equals share the mean of their places.",
    ):  # fmt: skip
        assert text in read, text

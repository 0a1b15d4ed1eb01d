"""The report of a design: the structured description that the MICCAI society asks organisers for, made from the file.

Its blocks are those of BIAS (Maier-Hein et al., Med. Image Anal. 66, 101796 (2020), doi:10.1016/j.media.2020.101796,
supplement 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from braggbook.challenges.pages import words
from braggbook.challenges.pages.template import drawn
from braggbook.errors import UnknownName
from braggbook.formats.board import Board
from braggbook.formats.challenge import Design, EmptyRule, Metric, Phase, SubmissionRules
from braggbook.formats.common import Author, Grant
from braggbook.formats.submission import Sealed
from braggbook.metrics.definitions import Definition, definition

_WHEN_EMPTY = {
    "both": "nothing is there and nothing was found",
    "only_reference": "nothing is there, and something was found",
    "only_estimate": "something is there, and nothing was found",
}
_EMPTY_WORDS = {"not_applicable": "no score for this case", "value": "the metric's own value"}
_MISSING = {
    "worst": "A case without a score counts as the metric's worst score. A case to which a metric applies in no "
    "submission does not count for it.",
    "refuse": "A submission with a missing score is not ranked. A case to which a metric applies in no submission "
    "does not count for it.",
}
_INCOMPLETE = {"refuse": "It is refused.", "missing": "The cases that it leaves out have no score."}


@dataclass(frozen=True)
class Said:
    """A question of the description, and what the design says; nothing where it does not say it."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """A part of the description."""

    id: str
    title: str
    items: list[Said]


@dataclass(frozen=True)
class MetricTold:
    """A metric, by the design and by its definition."""

    metric: Metric
    definition: Definition | None  # None where it is not known here
    items: list[Said]


def render_bias(
    design: Design, *, sealed: Sealed | None, board: Board | None = None, back: tuple[str, str] | None = None
) -> str:
    """Returns the description of a challenge's design, one HTML file that asks nobody anything.

    Args:
        design: What is described.
        sealed: Which cases were sealed, and how many; None before the challenge is opened.
        board: What came of it, where there is something.
        back: Text and address of a link to where the reader came from, on a site.
    """
    return drawn(
        "bias.html",
        back=back,
        design=design,
        blocks=[_summary(design), _organisation(design), _mission(design), _data(design, sealed)],
        submission=_submission(design.submission, design),
        phases=[(phase, _phase(phase)) for phase in design.phases],
        metrics=[MetricTold(metric, _definition(metric.definition), _metric(metric)) for metric in design.metrics],
        ranking=_ranking(design),
        sealed=sealed,
        board=board,
        tau=words.tau_text(board.tau) if board else "",
    )


def _said(name: str, *lines: str) -> Said:
    return Said(name, tuple(line for line in lines if line.strip()))


def _author(author: Author) -> str:
    orcid = f"ORCID {author.orcid}" if author.orcid else ""
    return ", ".join(part for part in (author.name, author.affiliation, author.ror, orcid) if part)


def _grant(grant: Grant) -> str:
    return ", ".join(part for part in (grant.funder, grant.award, grant.funder_id) if part)


def _summary(design: Design) -> Block:
    items = [
        _said("title", design.title),
        _said("abstract", design.abstract),
        _said("keywords", ", ".join(design.keywords)),
        _said("version of the design", str(design.version)),
    ]
    return Block("summary", "Summary", items)


def _organisation(design: Design) -> Block:
    told = design.organisation
    truth = "Published with the hidden inputs when the challenge is closed."
    withheld = f"Withheld: {design.why_withheld}"
    items = [
        _said("organisers", *(_author(author) for author in told.organisers)),
        _said("contact", told.contact),
        _said("life cycle", told.life_cycle),
        _said("venue", told.venue),
        _said("who may take part", told.participation),
        _said("awards", told.awards),
        _said("publication of the results", told.publication),
        _said("schedule", *(f"{phase.title}: {_times(phase)}" for phase in design.phases)),
        _said("ethics", told.ethics),
        _said("licence of the design, the twin and published cases", design.license),
        _said("the truth", truth if design.truth == "published" else withheld),
        _said("availability of code", told.code_availability),
        _said("conflicts of interest", told.conflicts_of_interest),
        _said("funding", *(_grant(grant) for grant in told.funding)),
    ]
    return Block("organisation", "Organisation", items)


def _mission(design: Design) -> Block:
    told = design.mission
    items = [
        _said("field of application", told.field),
        _said("task category", told.task),
        _said("aim", told.aim),
        _said("target cohort", told.target_cohort),
        _said("challenge cohort", told.challenge_cohort),
        _said("modality", told.modality),
        _said("context of a case", told.context),
        _said("target entity", told.target_entity),
    ]
    return Block("mission", "Mission", items)


def _data(design: Design, sealed: Sealed | None) -> Block:
    told = design.data
    splits = [
        f"{split.split}, version {split.version}: {words.counted(split.cases, 'case')}, "
        f"sealed {words.time_text(split.opened)}" + (f", because {split.because}" if split.because else "")
        for split in (sealed.splits if sealed else ())
    ]
    items = [
        _said("what one case is", told.case),
        _said("number of hidden cases", *splits),
        _said("acquisition", told.acquisition),
        _said("annotation", told.annotation),
        _said("pre-processing", told.preprocessing),
        _said("sources of error", told.error_sources),
        _said("data to learn from", *map(str, told.training)),
        _said("public twin", told.twin),
    ]
    return Block("data", "Data sets", items)


def _submission(rules: SubmissionRules, design: Design) -> list[Said]:
    limits = design.limits
    executed = any("notebook" in phase.kinds for phase in design.phases)
    what = (
        f"a table {rules.file}, one row for each {rules.case}" if rules.form == "table" else f"masks in {rules.folder}/"
    )
    bounds = (
        f"{limits.wall_s:g} s, {limits.cpu_s} s of CPU, {limits.memory_mb} MB of memory, {limits.processes} processes, "
        f"{limits.work_mb} MB to write, {limits.output_mb} MB of output, no network"
    )
    columns = [
        f"{name}{_in_unit(column.unit)}, {column.minimum:g} to {column.maximum:g}: {column.meaning}"
        + (" (may be empty)" if column.missing else "")
        for name, column in rules.columns.items()
    ]
    labels = [f"{value}: {name}" for value, name in rules.labels.items()]
    ordered = [f"{pair.lower} is nowhere above {pair.upper}" for pair in rules.ordered]
    return [
        _said("what is handed in", what, *columns, *labels, *ordered),
        _said("an incomplete submission", _INCOMPLETE[rules.incomplete]),
        _said("size", f"{rules.max_mb} MB at most"),
        *([_said("a notebook may use", bounds)] if executed else []),
    ]


def _in_unit(unit: str) -> str:
    return f" in {unit}" if words.unit_text(unit) else ""


def _times(phase: Phase) -> str:
    return f"{phase.opens:%Y-%m-%d %H:%M %z} to {phase.closes:%Y-%m-%d %H:%M %z}"


def _phase(phase: Phase) -> list[Said]:
    quota, shows = phase.quota, phase.shows
    numbers = [
        words.counted(quota.total, "submission") if quota.total else "",
        f"{quota.per_day} a day" if quota.per_day else "",
    ]
    kinds = {"predictions": "predictions", "notebook": "a notebook that is executed on the hidden cases"}
    seen = (
        f"score: {shows.score}; rank: {shows.rank}; scores by case: {shows.cases}; logs of the same failure on the "
        f"twin: {shows.logs}. When it is closed, everything is everyone's."
    )
    return [
        _said("open", _times(phase)),
        _said("cases", f"the {phase.split} split, inputs {phase.inputs}"),
        _said("submission", " or ".join(kinds[kind] for kind in phase.kinds)),
        _said("quota of a team", ", ".join(number for number in numbers if number)),
        _said("which submission counts", f"the team's {phase.board}"),
        _said("who sees what while it is open", seen),
        _said("terms", phase.terms),
    ]


def _definition(id: str) -> Definition | None:
    try:
        return definition(id)
    except UnknownName:  # of a plug-in that is not here, or of a later version
        return None


def _metric(metric: Metric) -> list[Said]:
    known = _definition(metric.definition)
    options = ", ".join(f"{name} = {value:g}" for name, value in metric.options.items())
    unit = words.unit_text(metric.unit) or "none: a pure number"
    scope = "one score for each case" if metric.scope == "case" else "one number for all cases together"
    role = f"weight {metric.weight:g}, task {metric.task}" if metric.ranked else "no: it is shown alone"
    return [
        _said("definition", metric.definition, known.says if known else ""),
        _said("source", known.source if known else ""),
        _said("judges", metric.of or "the whole answer"),
        _said("why this metric", metric.why),
        _said("unit", unit),
        _said("direction", words.better_text(metric.better, metric.target)),
        _said("bounds", f"{metric.minimum:g} to {metric.maximum:g}"),
        _said("a case without a score counts as", f"{metric.worst:g}"),
        _said("scope", scope),
        *([_said("options", options)] if options else []),
        *([_said("empty masks", *_empty(metric.empty))] if metric.empty else []),
        _said("ranked", role),
    ]


def _empty(rule: EmptyRule) -> Sequence[str]:
    said = {name: getattr(rule, name) for name in _WHEN_EMPTY}
    words_of = {name: _EMPTY_WORDS.get(value, f"the {value} score") for name, value in said.items()}
    return [f"{when}: {words_of[name]}" for name, when in _WHEN_EMPTY.items()]


def _ranking(design: Design) -> list[Said]:
    told = design.ranking
    several = sum(metric.ranked for metric in design.metrics) > 1
    together = "Each ranked metric ranks alone; the weighted mean of these ranks is ranked." if several else ""
    if len({metric.task for metric in design.metrics if metric.ranked}) > 1:
        together = (
            "Metrics of a task are brought together by the weighted mean of their ranks, then the tasks likewise."
        )
    return [
        _said("method", words.METHOD_NAMES[told.method], words.METHOD_SAYS[told.method], together),
        _said("why this method", told.why),
        _said("ties", words.TIES_SAY[told.ties], f"Differences of {told.tolerance:g} or less are none."),
        _said("missing scores", _MISSING[told.missing]),
        _said(
            "uncertainty of ranks",
            f"{words.counted(told.draws, 'draw')} of the cases, with repetition; seed {told.seed}; intervals "
            f"of {words.level_text(told.level)}, the part of the draws in which a team is first, Kendall's tau.",
        ),
        _said(
            "statistical tests",
            "Paired one-sided Wilcoxon signed-rank tests between every two teams, in both directions, with Holm's "
            f"correction, at a level of {told.alpha:g}.",
        ),
        _said("further analyses", "The ranking by every method that suits, and how alike these are."),
    ]

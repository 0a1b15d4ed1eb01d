"""How challenges look on a terminal."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from braggbook.cli.face import table
from braggbook.errors import BraggbookError
from braggbook.settings import Settings

if TYPE_CHECKING:
    from braggbook.challenges.design import Challenge
    from braggbook.challenges.evaluate import Outcome
    from braggbook.challenges.seen import Change
    from braggbook.formats.board import Board
    from braggbook.formats.challenge import SubmissionRules
    from braggbook.formats.submission import Problem, Receipt

_SHOWN_ISSUES = 5
_STYLES = {"scored": "bold green", "platform": "bold yellow"}


def receipt_lines(receipt: Receipt) -> list[Any]:
    """Returns a receipt for a terminal."""
    lines: list[Any] = [
        Text.assemble(
            f"{receipt.submission}  ", (receipt.verdict, _STYLES.get(receipt.verdict, "bold red")),
            f"   {receipt.team}, {receipt.phase}",
            "" if receipt.charged else "   (not charged)",
            "" if receipt.left is None else f"   {receipt.left} left",
        )
    ]  # fmt: skip
    if receipt.scores:
        lines.append(Text("  " + ", ".join(f"{name} {value:.4g}" for name, value in receipt.scores.items())))
    lines += problem_lines(receipt.problem)
    if used := used_text(receipt.used.model_dump()):
        lines.append(Text(f"  used {used}"))
    if receipt.next and receipt.verdict != "scored":
        lines.append(Text(f"  next: {receipt.next}"))
    return lines


def problem_lines(problem: Problem | None) -> list[Text]:
    """Returns why there is no score."""
    if problem is None:
        return []
    where = [f"code cell {problem.cell}"] if problem.cell else []
    where += [f"line {problem.line}"] if problem.line else []
    where += [problem.exception] if problem.exception else []
    lines = [Text(f"  {problem.what}" + (f" ({', '.join(where)})" if where else ""))]
    lines += [Text(f"    | {line}") for line in problem.source]
    lines += [Text(f"    - {issue}") for issue in problem.issues[:_SHOWN_ISSUES]]
    more = len(problem.issues) - _SHOWN_ISSUES
    return lines + ([Text(f"      and {more} more")] if more > 0 else [])


def used_text(used: Mapping[str, Any]) -> str:
    """Returns what a notebook used, in words."""
    units = {"wall_s": "s", "cpu_s": "s of processor", "memory_mb": "MB", "processes": "processes"}
    return ", ".join(f"{used[name]:.3g} {unit}" for name, unit in units.items() if used.get(name) is not None)


def outcome_lines(challenge: Challenge, outcome: Outcome, *, kind: str, logs: Path) -> tuple[dict[str, Any], list[Any]]:
    """Returns what came of trying a submission, as JSON and for a terminal."""
    scored = outcome.scored
    means = _means(outcome) if scored else {}
    data = {
        "challenge": challenge.slug,
        "kind": kind,
        "verdict": outcome.verdict,
        "problem": outcome.problem.model_dump(mode="json") if outcome.problem else None,
        "used": outcome.used.model_dump(mode="json"),
        "walls": outcome.walls,
        "scores": means,
        "cases": scored.cases if scored else {},
        "scoring_run": str(scored.folder) if scored else None,
        "logs": str(logs) if kind == "notebook" else None,
    }
    lines: list[Any] = []
    if scored:
        metrics = {metric.id: metric for metric in challenge.design.metrics}
        rows = [(name, f"{value:.6g}", metrics[name].unit, metrics[name].better) for name, value in means.items()]
        lines += [table("metric", "score", "unit", "better", rows=rows), Text("")]
        lines.append(Text(f"report  {scored.folder / 'report.html'}"))
    lines += problem_lines(outcome.problem)
    if used := used_text(outcome.used.model_dump()):
        lines.append(Text(f"used    {used}"))
    if outcome.walls:
        lines.append(Text(f"walls   {', '.join(outcome.walls)}"))
    if data["logs"]:
        lines.append(Text(f"logs    {data['logs']}"))
    word = "it would be scored" if scored else f"it would get no score: {outcome.verdict}"
    lines.append(Text(word, style=_STYLES.get(outcome.verdict, "bold red")))
    return data, lines


def _means(outcome: Outcome) -> dict[str, float]:
    from braggbook.challenges.evaluate import means_of  # noqa: PLC0415 - help need not wait for it

    return means_of(outcome.scored.cases, outcome.scored.overall) if outcome.scored else {}


def board_lines(board: Board) -> list[Any]:
    """Returns a board for a terminal."""
    shown = [metric for metric in board.metrics if any(metric.id in row.scores for row in board.rows)]
    titles = ["rank", "team", *(f"{metric.id} [{metric.unit}]" for metric in shown), "ranks", "first"]
    rows = [
        (
            f"{row.rank:g}",
            row.team,
            *(f"{row.scores[metric.id].value:.4g}" if metric.id in row.scores else "" for metric in shown),
            f"{row.interval[0]:g} to {row.interval[1]:g}",
            f"{row.first:.0%}",
        )
        for row in board.rows
    ]
    lines: list[Any] = [Text(f"{board.title}: {board.phase_title}", style="bold")]
    lines.append(table(*titles, rows=rows) if rows else Text("nobody has a score yet"))
    lines += [Text(f"not on the board: {left.team} ({left.submission[:8]}): {left.why}") for left in board.left]
    return lines + [Text(f"note: {note}") for note in board.notes]


def change_rows(moved: Mapping[str, Sequence[Change]]) -> list[Any]:
    """Returns how ranks changed, for a terminal."""
    lines: list[Any] = []
    for phase, rows in moved.items():
        lines += [Text(f"ranks of {phase}, before and after", style="bold")]
        cells = [(row.team, _rank(row.before), _rank(row.after)) for row in rows]
        lines.append(table("team", "before", "after", rows=cells))
    return lines


def _rank(rank: float | None) -> str:
    return "none" if rank is None else f"{rank:g}"


def list_challenges(settings: Settings) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Returns a row for every challenge of a project, and the titles of the columns."""
    from braggbook.challenges.design import challenge_folders, open_challenge  # noqa: PLC0415 - help need not wait

    rows: list[dict[str, Any]] = []
    for slug, folder in challenge_folders(settings.project).items():
        try:
            design = open_challenge(folder).design
        except BraggbookError as error:
            rows.append(
                {"challenge": slug, "title": f"cannot be read: {error.what} (braggbook challenge check {slug})"}
            )
            continue
        phases = [f"{phase.id} until {phase.closes.date()}" for phase in design.phases]
        rows.append({"challenge": slug, "title": design.title, "truth": design.truth, "phases": phases})
    return rows, ("challenge", "title", "phases", "truth")


def show_challenge(settings: Settings, name: str) -> tuple[Any, list[Any]]:
    """Returns a challenge's design, as JSON and for a terminal."""
    from braggbook.challenges.design import find_challenge  # noqa: PLC0415 - help need not wait for it
    from braggbook.challenges.submissions import quota_text  # noqa: PLC0415 - the same

    challenge = find_challenge(name, project=settings.project)
    design, sealed = challenge.design, challenge.sealed
    phases = [
        (one.id, _time(one.opens), _time(one.closes), ", ".join(one.kinds), one.inputs, quota_text(one))
        for one in design.phases
    ]
    metrics = [
        (one.id, one.definition, one.of, one.unit, one.better, "" if one.ranked else "not ranked")
        for one in design.metrics
    ]
    opened = [f"{one.split} version {one.version} ({one.cases} cases)" for one in sealed.splits] if sealed else []
    data = {
        **design.model_dump(mode="json", exclude_none=True),
        "challenge": challenge.slug,
        "digest": challenge.digest,
        "sealed": sealed.model_dump(mode="json") if sealed else None,
    }
    return data, [
        Text(design.title, style="bold"),
        Text(design.abstract.strip()),
        Text(f"\nasks    {design.mission.aim}"),
        Text(f"answers {_asked(design.submission)}"),
        Text(f"ranked  {design.ranking.method}; {design.ranking.why}"),
        Text(f"truth   {design.truth} when it is closed"),
        Text(f"opened  {', '.join(opened) or 'not yet'}\n"),
        table("phase", "opens", "closes", "takes", "inputs", "submissions", rows=phases),
        "",
        table("metric", "definition", "of", "unit", "better", "", rows=metrics),
        "",
        Text(f"next: braggbook challenge try {challenge.slug} {challenge.folder / 'baseline.ipynb'}"),
    ]


def _time(when: datetime.datetime) -> str:
    return when.isoformat(sep=" ", timespec="minutes")


def _asked(rules: SubmissionRules) -> str:
    if rules.form == "masks":
        labels = ", ".join(f"{value} {name}" for value, name in rules.labels.items())
        return f"{rules.folder}/CASE.nii.gz with {labels}"
    columns = ", ".join(f"{name} [{column.unit}]" for name, column in rules.columns.items())
    return f"{rules.file} with {rules.case}, {columns}"

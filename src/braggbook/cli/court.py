"""``braggbook show constants``: the constants court, one record of it, and what another value would change."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from braggbook.cli.face import Face, table
from braggbook.radiobiology.constants import Constant, constants, constants_version, find_constant
from braggbook.runs.suppose import Consequence, consequences

_ORDER = ("disputed", "ruled", "agreed", "single source")  # what a reader must know first


def court_rows() -> list[dict[str, Any]]:
    """Returns every record of the court, disagreements first."""
    found = sorted(constants().values(), key=lambda record: (_ORDER.index(record.status), record.name))
    return [_as_json(record) for record in found]


def show_court(model: str = "") -> tuple[Any, list[Any]]:
    """Returns the whole court, or the constants of one model, as data and as a table."""
    rows = [row for row in court_rows() if not model or row["constant"].startswith(f"{model}.")]
    shown = [(r["constant"], r["unit"], _values(r), r["status"]) for r in rows]
    counts = ", ".join(f"{sum(r['status'] == status for r in rows)} {status}" for status in _ORDER)
    lines = [
        table("constant", "unit", "value: source", "status", rows=shown),
        "",
        Text(f"{len(rows)} constants: {counts}; version {constants_version()}"),
        Text("A disputed one is not used until its source is chosen. More of one: braggbook show constants NAME"),
    ]
    return {"version": constants_version(), "constants": rows}, lines


def show_constant(face: Face, name: str, *, suppose: float | None = None) -> tuple[Any, list[Any]]:
    """Returns one record (or a model's) as data and as text, and what would move if it had the value ``suppose``."""
    if suppose is None and any(known.startswith(f"{name}.") for known in constants()):
        return show_court(name)
    record = find_constant(name)
    data = _as_json(record)
    rows = [(r["value"], r["source"], r["citation"]) for r in data["readings"]]
    lines: list[Any] = [
        Text(f"{name} ({record.unit}): {record.status}", style="bold"),
        table("value", "source", "citation", rows=rows),
    ]
    lines += [Text(f"ruling: {record.ruling}")] if record.ruling else []
    lines += [Text(f"note: {record.note}")] if record.note else []
    if suppose is None:
        lines.append(Text(f"\nWhat another value would change: braggbook show constants {name} --suppose VALUE"))
        return data, lines
    found = consequences({name: suppose}, settings=face.settings, progress=face.bar)
    data["supposed"] = suppose
    data["consequences"] = [_consequence_json(item) for item in found]
    return data, [*lines, "", *_consequence_lines(found, name, suppose)]


def _as_json(record: Constant) -> dict[str, Any]:
    readings = [{"value": v, "source": s.key, "citation": s.citation} for s, v in record.readings.items()]
    taken = None if record.status == "disputed" else readings[0]["value"]
    return {
        "constant": record.name,
        "unit": record.unit,
        "status": record.status,
        "value": taken,
        "readings": readings,
        "ruling": record.ruling,
        "note": record.note,
    }


def _values(row: dict[str, Any]) -> str:
    sources: dict[float, list[str]] = {}
    for reading in row["readings"]:
        sources.setdefault(reading["value"], []).append(reading["source"])
    return "\n".join(f"{value:.10g}: {', '.join(keys)}" for value, keys in sources.items())


def _consequence_json(item: Consequence) -> dict[str, Any]:
    moved = [row.as_json() for row in item.moved]
    return {"notebook": item.notebook, "uses": item.uses, "moved": moved, "problem": item.problem}


def _consequence_lines(found: list[Consequence], name: str, suppose: float) -> list[Any]:
    rows = [
        (item.notebook, row.name, row.expected, row.actual, f"{row.where} {row.difference}".strip())
        for item in found
        for row in item.moved
    ]
    lines: list[Any] = [
        table("notebook", "result", "now", f"with {suppose:g}", "difference", rows=rows)
        if rows
        else Text(f"no result of this project's notebooks would move if {name} were {suppose:g}")
    ]
    lines += [Text(f"{item.notebook}: cannot be told: {item.problem}") for item in found if item.problem]
    still = [item.notebook for item in found if item.uses and not item.moved and not item.problem]
    lines += [Text(f"uses it, but nothing moves: {', '.join(still)}")] if still else []
    unused = [item.notebook for item in found if not item.uses]
    lines += [Text(f"does not use it: {', '.join(unused)}")] if unused else []
    return lines

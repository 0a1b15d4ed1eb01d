"""``braggbook list`` and ``braggbook show``."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from braggbook.cli.face import Face, table, verb
from braggbook.cli.run import results_table, summary
from braggbook.datasets.catalogue import Dataset, find_dataset, list_datasets
from braggbook.errors import BraggbookError, InputError, unknown_name
from braggbook.formats.result import constants_of
from braggbook.kernels.catalogue import find_kernel, kernel_folders
from braggbook.kernels.install import choose_environment
from braggbook.kernels.lock import lock_findings, needed_here, read_pins
from braggbook.notebooks.catalogue import find_notebook, notebook_paths
from braggbook.notebooks.source import Notebook, read_notebook
from braggbook.runs.folder import find_run, read_record, read_results, run_folders
from braggbook.settings import Settings

_KINDS = ("notebook", "kernel", "dataset", "run", "record", "challenge", "settings", "constants", "metric")
_kind = click.argument("kind", type=click.Choice(_KINDS))


@click.command("list")
@_kind
@click.option("--open", "only_open", is_flag=True, help="Only notebooks with goals that no result answers yet.")
@verb
def list_command(face: Face, kind: str, only_open: bool) -> None:
    """List every KIND that the project has."""
    if only_open and kind != "notebook":
        raise InputError("only notebooks have open goals", wanted="braggbook list notebook --open", got=f"list {kind}")
    rows, titles = _LISTS[kind](face)
    if only_open:
        rows = [row for row in rows if row.get("open_goals")]
    shown = [
        tuple(", ".join(v) if isinstance(v, list) else v for v in (row.get(t.replace(" ", "_")) for t in titles))
        for row in rows
    ]
    face.emit(
        rows,
        table(*titles, rows=shown) if rows else Text(f"no {kind} here; begin one: {_begin(kind)}"),
    )


def _begin(kind: str) -> str:
    made = {"run": "braggbook run NOTEBOOK", "record": "braggbook publish plan RUN"}
    return made.get(kind, f"braggbook new {kind} SLUG")


def _list_notebooks(face: Face) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    rows: list[dict[str, Any]] = []
    for slug, path in notebook_paths(face.settings.project).items():
        try:
            front = read_notebook(path).front
        except BraggbookError as error:
            rows.append({"notebook": slug, "title": f"cannot be read: {error.what} (braggbook check {slug})"})
            continue
        goals = [goal.id for goal in front.braggbook.goals if goal.status == "open"]
        rows.append(
            {
                "notebook": slug,
                "title": front.title,
                "kernel": front.braggbook.kernel,
                "datasets": front.braggbook.datasets,
                "open_goals": goals,
            }
        )
    return rows, ("notebook", "title", "kernel", "datasets", "open goals")


def _list_kernels(face: Face) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    rows = [_kernel_row(slug, face.settings) for slug in kernel_folders(face.settings.project)]
    return rows, ("kernel", "title", "pins", "environment")


def _kernel_row(slug: str, settings: Settings) -> dict[str, Any]:
    try:
        kernel = find_kernel(slug, project=settings.project)
        pins = len(needed_here(read_pins(kernel.lock_path)))
        try:
            environment = choose_environment(kernel, cache=settings.cache).origin
        except BraggbookError:
            environment = "not installed"
        if lock_findings(kernel, project=settings.project):
            environment += ", lock has drifted"
    except BraggbookError as error:
        return {"kernel": slug, "title": f"cannot be read: {error.what}", "pins": None, "environment": None}
    return {"kernel": slug, "title": kernel.card.title, "pins": pins, "environment": environment}


def _list_datasets(face: Face) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    rows = []
    for slug, dataset in list_datasets(face.settings.project).items():
        if isinstance(dataset, Dataset):
            card = dataset.card
            rows.append(
                {
                    "dataset": dataset.reference,
                    "title": card.title,
                    "license": card.license,
                    "files": len(card.files),
                    "bytes": sum(f.bytes for f in card.files),
                }
            )
        else:
            rows.append({"dataset": slug, "title": f"cannot be read: {dataset.what} (braggbook check {slug})"})
    return rows, ("dataset", "title", "license", "files", "bytes")


def _list_runs(face: Face) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    rows = []
    for folder in run_folders(face.settings.runs):
        try:
            record = read_record(folder)
            rows.append(
                {
                    "run": record.id,
                    "notebook": record.notebook,
                    "verdict": record.verdict,
                    "ended": record.ended,
                    "changed": _changed(record.parameters, folder, record.notebook),
                }
            )
        except BraggbookError as error:
            rows.append({"run": folder.name, "verdict": f"cannot be read: {error.what}"})
    rows.sort(key=lambda row: str(row.get("ended", "")))
    return rows, ("run", "notebook", "verdict", "ended", "changed")


def _changed(parameters: dict[str, Any], folder: Path, slug: str) -> str:
    """Returns the parameters that are not at their defaults, as people typed them."""
    try:
        defaults = read_notebook(folder / "notebook" / f"{slug}.ipynb").parameters.defaults
    except BraggbookError:
        return ""
    return " ".join(f"{name}={value}" for name, value in parameters.items() if defaults.get(name) != value)


def _list_records(face: Face) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    from braggbook.cli.archive import list_records  # noqa: PLC0415 - no other kind needs an archive

    return list_records(face)


def _list_challenges(face: Face) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    from braggbook.cli.challenge_shown import list_challenges  # noqa: PLC0415 - no other kind needs challenges

    return list_challenges(face.settings)


def _list_settings(face: Face) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    rows = [
        {
            "setting": f.name,
            "value": _plain(getattr(face.settings, f.name)),
            "from": face.origins[f.name],
            "variable": f"BRAGGBOOK_{f.name.upper()}",
        }
        for f in fields(Settings)
    ]
    return rows, ("setting", "value", "from", "variable")


def _list_constants(_face: Face) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    from braggbook.cli import court  # noqa: PLC0415 - as in `show`

    return court.court_rows(), ("constant", "unit", "value", "status")


def _list_metrics(_face: Face) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    from braggbook.cli.metric_shown import list_metrics  # noqa: PLC0415 - no other kind needs the metrics

    return list_metrics()


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


_LISTS = {
    "notebook": _list_notebooks,
    "kernel": _list_kernels,
    "dataset": _list_datasets,
    "run": _list_runs,
    "record": _list_records,
    "challenge": _list_challenges,
    "settings": _list_settings,
    "constants": _list_constants,
    "metric": _list_metrics,
}


@click.command("show")
@_kind
@click.argument("name", required=False)
@click.option(
    "--suppose",
    type=float,
    metavar="VALUE",
    help="With a constant: run the project's notebooks that use it with this value, and list the results that move.",
)
@verb
def show_command(face: Face, kind: str, name: str | None, suppose: float | None) -> None:
    """Show one KIND by its NAME (a run also by the beginning of its id); constants without a NAME are all shown."""
    if suppose is not None and (kind != "constants" or name is None):
        wanted = "braggbook show constants NAME --suppose VALUE"
        raise InputError("only a constant can be supposed", wanted=wanted, got=f"show {kind}")
    if kind == "constants":
        from braggbook.cli import court  # noqa: PLC0415 - only this pays for importing every model

        data, lines = court.show_court() if name is None else court.show_constant(face, name, suppose=suppose)
    elif name is None:
        raise InputError(f"which {kind}?", wanted=f"braggbook show {kind} NAME", next_command=f"braggbook list {kind}")
    else:
        data, lines = _SHOWS[kind](face, name)
    face.emit(data, *lines)


def _show_notebook(face: Face, name: str) -> tuple[Any, list[Any]]:
    notebook = find_notebook(name, project=face.settings.project)
    front = notebook.front
    data = {
        "front_matter": front.model_dump(mode="json", exclude_none=True),
        "parameters": notebook.parameters.schema,
        "goals": [{**g.model_dump(), "status": g.status} for g in front.braggbook.goals],
    }
    return data, [Text(front.title, style="bold"), Text(front.abstract or ""), *_notebook_tables(notebook)]


def _notebook_tables(notebook: Notebook) -> list[Any]:
    part = notebook.front.braggbook
    parameters = [
        (
            i.name,
            i.declaration.type_text,
            i.declaration.default,
            i.spec.unit,
            _bounds(i.spec),
            i.schema.get("description"),
        )
        for i in notebook.parameters.items
    ]
    results = [(name, spec.kind, spec.unit, f"rtol {spec.rtol:g}", spec.help) for name, spec in part.results.items()]
    goals = [(goal.status, goal.text, ", ".join(goal.answered_by)) for goal in part.goals]
    return [
        Text(f"\nkernel {part.kernel} · datasets {', '.join(part.datasets) or 'none'}\n"),
        table("parameter", "type", "default", "unit", "bounds", "help", rows=parameters), "",
        table("result", "kind", "unit", "tolerance", "help", rows=results), "",
        table("goal", "question", "answered by", rows=goals) if goals else "",
        Text(f"next: braggbook run {notebook.slug}"),
    ]  # fmt: skip


def _bounds(spec: Any) -> str:
    low, high = spec.minimum, spec.maximum
    return (
        ""
        if low is None and high is None
        else f"{'' if low is None else f'{low:g}'} … {'' if high is None else f'{high:g}'}"
    )


def _show_kernel(face: Face, name: str) -> tuple[Any, list[Any]]:
    kernel = find_kernel(name, project=face.settings.project)
    pins = needed_here(read_pins(kernel.lock_path))
    data = {
        **_kernel_row(name, face.settings),
        "lock_sha256": kernel.lock_sha256,
        "spec": kernel.spec,
        "packages": pins,
    }
    lines = [
        Text(kernel.card.title, style="bold"),
        Text(kernel.card.description),
        Text(f"environment: {data['environment']}\nlock sha256: {kernel.lock_sha256}\n"),
    ]
    return data, [*lines, table("package", "version", rows=sorted(pins.items()))]


def _show_dataset(face: Face, name: str) -> tuple[Any, list[Any]]:
    dataset = find_dataset(name, project=face.settings.project)
    card = dataset.card
    lines: list[Any] = [
        Text(f"{dataset.reference}: {card.title}", style="bold"),
        Text(card.abstract or ""),
        Text(f"licence {card.license}\n{card.provenance}\n"),
    ]
    for file in card.files:
        lines.append(Text(f"{file.path}  {file.bytes} bytes  sha256 {file.sha256[:16]}…"))
        rows = [(column, item.type, item.unit, item.meaning) for column, item in file.columns.items()]
        lines += [table("column", "type", "unit", "meaning", rows=rows), ""]
    lines += [
        Text(f"source  {source.citation}" + (f" doi:{source.doi}" if source.doi else "")) for source in card.sources
    ]
    return card.model_dump(mode="json", by_alias=True, exclude_none=True), lines


def _show_run(face: Face, name: str) -> tuple[Any, list[Any]]:
    folder = find_run(name, runs=face.settings.runs)
    record, results = read_record(folder), read_results(folder).results
    data = {
        **record.model_dump(mode="json", exclude={"files"}),
        "run_dir": str(folder),
        "values": {n: summary(r) for n, r in results.items()},
    }
    facts = [
        ("run", record.id),
        ("notebook", record.notebook),
        ("verdict", record.verdict),
        ("ended", record.ended),
    ]
    facts += [("parameter", f"{name} = {value}") for name, value in record.parameters.items()]
    facts += [("dataset", item.reference) for item in record.datasets]
    if record.constants_version:
        count = len(constants_of(results))
        facts.append(("constants", f"{count} read, version {record.constants_version}"))
    facts += [("kernel", f"{record.kernel.slug}, Python {record.python}"), ("folder", str(folder))]
    lines = [
        Text(record.title, style="bold"),
        table("", "", rows=facts),
        "",
        results_table(list(results.values())),
    ]
    if record.failure:
        lines.append(Text(record.failure.message, style="bold red"))
    return data, lines


def _show_record(face: Face, name: str) -> tuple[Any, list[Any]]:
    from braggbook.cli.archive import show_record  # noqa: PLC0415 - no other kind needs an archive

    return show_record(face, name)


def _show_challenge(face: Face, name: str) -> tuple[Any, list[Any]]:
    from braggbook.cli.challenge_shown import show_challenge  # noqa: PLC0415 - no other kind needs challenges

    return show_challenge(face.settings, name)


def _show_metric(_face: Face, name: str) -> tuple[Any, list[Any]]:
    from braggbook.cli.metric_shown import show_metric  # noqa: PLC0415 - no other kind needs the metrics

    return show_metric(name)


def _show_setting(face: Face, name: str) -> tuple[Any, list[Any]]:
    rows, titles = _list_settings(face)
    row = next((row for row in rows if row["setting"] == name), None)
    if row is None:
        raise unknown_name("setting", name, [row["setting"] for row in rows], next_command="braggbook list settings")
    return row, [table(*titles, rows=[tuple(row[title] for title in titles)])]


_SHOWS = {
    "notebook": _show_notebook,
    "kernel": _show_kernel,
    "dataset": _show_dataset,
    "run": _show_run,
    "record": _show_record,
    "challenge": _show_challenge,
    "settings": _show_setting,
    "metric": _show_metric,
}
COMMANDS = {"list": list_command, "show": show_command}

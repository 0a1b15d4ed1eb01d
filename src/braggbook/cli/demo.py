"""``braggbook demo``: the main job, end to end, on real data."""

from __future__ import annotations

import click
from rich.text import Text

from braggbook.cli.face import Face, verb
from braggbook.cli.run import results_table, summary
from braggbook.cli.verify import EXIT_CODES, shown
from braggbook.errors import InputError
from braggbook.notebooks.catalogue import find_notebook, notebook_paths
from braggbook.runs.folder import read_results
from braggbook.runs.plan import plan_run
from braggbook.runs.report import REPORT
from braggbook.runs.run import run
from braggbook.runs.verify import verify

FLAGSHIP = "clonogenic_survival"
_FAILED = 3


@click.command("demo")
@verb
def command(face: Face) -> None:
    """Run the flagship notebook on real data, print its results, and verify the run by repeating it."""
    settings = face.settings
    if FLAGSHIP not in notebook_paths(settings.project):
        raise InputError(
            "the demonstration needs Braggbook's own project",
            where=str(settings.project),
            wanted=f"a folder with notebooks/.../{FLAGSHIP}.ipynb",
            next_command="braggbook --project PATH_OF_THE_CHECKOUT demo",
        )
    notebook = find_notebook(FLAGSHIP, project=settings.project)
    face.say(f"1/2  running {FLAGSHIP}: {notebook.front.title}")
    plan = plan_run(notebook, {}, settings=settings, progress=face.bar)
    done = run(plan, settings=settings, progress=face.bar)
    results = list(read_results(done.folder).results.values())
    if not face.json:
        face.emit(None, results_table(results), "")
    if done.record.failure:
        face.emit(
            {"run_dir": str(done.folder), "verdict": done.record.verdict},
            Text(done.record.failure.message, style="bold red"),
        )
        raise click.exceptions.Exit(_FAILED)
    face.say("2/2  verifying: the same run again, from its record alone")
    found = verify(done.folder, settings=settings, progress=face.bar)
    data = {
        "run_id": done.record.id,
        "run_dir": str(done.folder),
        "report": str(done.folder / REPORT),
        "results": {result.name: summary(result) for result in results},
        "verification": found.as_json(),
    }
    paths = [Text(f"run     {done.folder}"), Text(f"report  {done.folder / REPORT}")]
    face.emit(data, *shown(found), *paths)
    if code := EXIT_CODES[found.verdict]:
        raise click.exceptions.Exit(code)


COMMANDS = {"demo": command}

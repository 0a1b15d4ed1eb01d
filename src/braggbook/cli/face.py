"""What every verb of the command line shares: settings, results on stdout, talk on stderr."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from braggbook.settings import Settings


@dataclass(frozen=True)
class Face:
    """The command line's side of one call."""

    settings: Settings
    origins: dict[str, str]
    out: Console
    talk: Console
    json: bool = False

    def emit(self, data: Any, *shown: RenderableType) -> None:
        """Prints a result: ``data`` as JSON when ``--json`` was given, else what people read."""
        if self.json:
            click.echo(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))
            return
        for item in shown:
            self.out.print(item)

    def say(self, text: str) -> None:
        """Talks to the person; never part of a result."""
        self.talk.print(text, highlight=False, markup=False)

    @property
    def bar(self) -> Bar:
        """A progress bar on stderr; it hides itself when nobody is looking."""
        return Bar(self.talk)


class Bar:
    """A progress bar (:class:`braggbook.progress.Progress`)."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task: TaskID | None = None

    def start(self, title: str, total: int) -> None:
        """Shows a new bar."""
        self._task = self._bar.add_task(title, total=total, note="")
        self._bar.start()

    def step(self, done: int, note: str = "") -> None:
        """Moves it."""
        if self._task is not None:
            self._bar.update(self._task, completed=done, note=note)

    def stop(self) -> None:
        """Takes it away."""
        self._bar.stop()
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None


def verb(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the option ``--json`` and its :class:`Face` as first argument."""

    @click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout.")
    @functools.wraps(function)
    def command(*args: Any, as_json: bool, **options: Any) -> Any:
        face: Face = click.get_current_context().obj
        return function(dataclasses.replace(face, json=as_json), *args, **options)

    return command


def table(*titles: str, rows: list[tuple[Any, ...]]) -> Table:
    """Returns a plain table; long cells fold rather than disappear, and brackets in them are brackets."""
    grid = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for title in titles:
        grid.add_column(Text(title), overflow="fold")
    for row in rows:
        grid.add_row(*(cell if isinstance(cell, Text) else Text("" if cell is None else str(cell)) for cell in row))
    return grid

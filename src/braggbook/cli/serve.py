"""``braggbook serve``, ``braggbook worker``, ``braggbook hub invite|recover|backup|restore|settings``."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from braggbook.cli.face import Face, table, verb

if TYPE_CHECKING:
    from braggbook.hub.config import HubConfig
    from braggbook.hub.desk import Desk


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which hub is meant."""
    path = click.Path(path_type=Path)
    for option in (
        click.option("--database", metavar="URL", help="Its database [default: SQLite in the data folder]."),
        click.option("--data", type=path, help="Its data folder [default: in the user's data]."),
        click.option(
            "--config", "file", type=path, help="Its file of settings [default: hub.toml in the data folder]."
        ),
    ):
        function = option(function)
    return function


@click.command("serve", short_help="Serve challenges, boards, datasets and runs as pages.")
@click.option("--host", help="Where it listens [default: 127.0.0.1].")
@click.option("--port", type=int, help="[default: 8000; 0 takes a free one]")
@click.option("--socket", type=click.Path(path_type=Path), help="A Unix socket instead.")
@click.option("--prefix", help="Path before every address, such as /proxy/8000.")
@click.option("--public-url", help="How people reach it from outside, such as https://hub.example.org.")
@click.option("--workers", type=int, help="Processes that evaluate [default: 1; 0: `braggbook worker` does it].")
@click.option("--log-format", type=click.Choice(["json", "text"]), help="Lines of the log [default: json].")
@_options
@verb
def serve_command(face: Face, file: Path | None, **given: Any) -> None:
    """Serve the hub of this project: challenges, boards, submissions, datasets, runs.

    The first start makes the database and prints a link by which the first organiser makes an account. Ctrl-C ends it;
    nothing is lost then, nor when it is killed.
    """
    from braggbook.hub.serving import serve  # noqa: PLC0415 - help need not wait for it

    desk = _desk(face, file, given)
    with suppress(KeyboardInterrupt):  # ctrl-C or SIGTERM: that is how it ends
        serve(desk, worker_command(face, desk.config, file), say=face.say)
    face.say("the hub has ended")


@click.command("worker", short_help="Evaluate what the hub has in its queue.")
@_options
@click.option("--until-idle", is_flag=True, help="End when nothing waits.")
@verb
def worker_command_(face: Face, file: Path | None, until_idle: bool, **given: Any) -> None:
    """Evaluate submissions from the queue of a hub, until it is stopped.

    On another machine it needs the hub's PostgreSQL (--database), and the same project and vault as folders.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):  # before anything that takes long: a hub may end at once
        signal.signal(number, lambda *_: stop.set())
    from braggbook.hub.operations.logs import set_up  # noqa: PLC0415 - help need not wait for it
    from braggbook.hub.work.supervise import end_with_parent  # noqa: PLC0415 - the same
    from braggbook.hub.work.worker import Worker  # noqa: PLC0415 - the same

    end_with_parent()
    desk = _desk(face, file, given)
    set_up(desk.config.log_format)
    desk.database.migrate()
    done = Worker(desk, stop=stop).run(until_idle=until_idle)
    face.emit({"jobs": done}, Text(f"{done} jobs done"))


@click.group("hub")
def group() -> None:
    """Look after a hub: people, backups, settings."""


@group.command("invite", short_help="Make a link by which somebody gets an account.")
@click.option("--organiser", is_flag=True, help="Who takes it becomes an organiser.")
@click.option("--note", default="", help="For whom it is.")
@click.option("--days", type=click.IntRange(1, 60), default=7, show_default=True, help="How long it works.")
@_options
@verb
def invite_command(face: Face, file: Path | None, organiser: bool, note: str, days: int, **given: Any) -> None:
    """Make a link that works once; hand it to one person."""
    import datetime  # noqa: PLC0415 - help need not wait for it

    from braggbook.hub import accounts  # noqa: PLC0415 - the same

    desk = _ready(face, file, given)
    secret = accounts.invite(desk, by=None, organiser=organiser, note=note, lasts=datetime.timedelta(days=days))
    link = accounts.link_of(desk, secret)
    face.emit({"link": link, "days": days}, Text(f"link  {link}"), Text(f"works once, for {days} days"))


@group.command("recover", short_help="Make a link by which somebody chooses a new password.")
@click.argument("login")
@_options
@verb
def recover_command(face: Face, login: str, file: Path | None, **given: Any) -> None:
    """Make a link by which the person with LOGIN chooses a new password; what is signed in ends."""
    from braggbook.hub import accounts  # noqa: PLC0415 - help need not wait for it

    desk = _ready(face, file, given)
    link = accounts.link_of(desk, accounts.recovery_for(desk, login, by=None))
    face.emit({"link": link}, Text(f"link  {link}"), Text("works once"))


@group.command("backup", short_help="Write all that the hub has into one file.")
@click.argument("target", type=click.Path(path_type=Path))
@_options
@verb
def backup_command(face: Face, target: Path, file: Path | None, **given: Any) -> None:
    """Write database, vault and challenges to TARGET (.tar.gz), also while the hub runs.

    It holds hidden data and keys: only its owner can read it.
    """
    from braggbook.hub.operations.backup import back_up  # noqa: PLC0415 - help need not wait for it

    card = back_up(_ready(face, file, given), target)
    face.emit({**card.model_dump(), "file": str(target)}, Text(f"wrote  {target}   ({card.rows} rows)"))


@group.command("restore", short_help="Bring a backup back.")
@click.argument("source", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_options
@verb
def restore_command(face: Face, source: Path, file: Path | None, **given: Any) -> None:
    """Bring the backup SOURCE back, into an empty database and an empty vault; nothing is overwritten."""
    from braggbook.hub.operations.restore import restore  # noqa: PLC0415 - help need not wait for it

    card = restore(_ready(face, file, given), source)
    face.emit(card.model_dump(), Text(f"restored  {card.rows} rows, as of {card.made}"), Text("next: braggbook serve"))


@group.command("settings", short_help="Show every setting of the hub and where it came from.")
@_options
@verb
def settings_command(face: Face, file: Path | None, **given: Any) -> None:
    """Show every setting, its value and its origin: flag, environment, file or default."""
    from braggbook.hub.config import describe_config, load_config, shown_config  # noqa: PLC0415 - the same

    config, origins = load_config(given, file=file)
    values, known = shown_config(config), describe_config()
    data = {name: {"value": values[name], "origin": origins[name], "variable": known[name][0]} for name in values}
    rows = [(name, one["value"], one["origin"], one["variable"]) for name, one in data.items()]
    face.emit(data, table("setting", "value", "origin", "variable", rows=rows))


def _desk(face: Face, file: Path | None, given: dict[str, Any]) -> Desk:
    from braggbook.hub.config import load_config  # noqa: PLC0415 - help need not wait for it
    from braggbook.hub.desk import Desk  # noqa: PLC0415 - the same
    from braggbook.hub.store.database import Database  # noqa: PLC0415 - the same

    config, _ = load_config(given, file=file)
    return Desk(face.settings, config, Database(config.database))


def _ready(face: Face, file: Path | None, given: dict[str, Any]) -> Desk:
    desk = _desk(face, file, given)
    desk.database.migrate()
    return desk


def worker_command(face: Face, config: HubConfig, file: Path | None) -> tuple[list[str], dict[str, str]]:
    """Returns the command that starts a worker of this hub, and its environment: passwords stand on no command line."""
    command = [
        sys.executable,
        "-m",
        "braggbook",
        "--project",
        str(face.settings.project),
        "--runs",
        str(face.settings.runs),
    ]
    command += ["worker", *(["--config", str(file.resolve())] if file else [])]
    environment = {
        **os.environ, "BRAGGBOOK_HUB_DATA": str(config.data), "BRAGGBOOK_HUB_DATABASE": config.database,
        "BRAGGBOOK_HUB_LOG_FORMAT": config.log_format,
    }  # fmt: skip
    return command, environment


COMMANDS: dict[str, click.Command] = {"serve": serve_command, "worker": worker_command_, "hub": group}

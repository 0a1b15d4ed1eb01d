"""``braggbook``: the command line's door, its help and its exit codes."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console

from braggbook.cli.face import Face
from braggbook.errors import BraggbookError, InputError, InternalError, Interrupted, StorageError
from braggbook.settings import load_settings

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}

_TRACEBACK = "BRAGGBOOK_TRACEBACK"

_EPILOG = """Exit codes: 0 done; 1 findings (drifted, check failed); 2 usage or bad input; 3 the notebook failed, timed
out or was killed, or a run cannot be verified; 4 disk, network or archive failed; 70 a fault in Braggbook itself; 130
interrupted."""


class _Lazy(click.Group):
    """Imports a verb's module only when the verb is called, so that help and errors are quick."""

    verbs = {
        "demo": "demo", "run": "run", "sweep": "sweep", "verify": "verify", "diff": "compare", "collect": "compare",
        "list": "catalogue", "show": "catalogue", "new": "new", "check": "check", "dataset": "dataset",
        "kernel": "kernel", "dicom": "dicom", "publish": "publish", "archive": "archive", "challenge": "challenge",
        "serve": "serve", "worker": "serve", "hub": "serve", "learn": "learn",
        "binder": "binder", "link": "link", "lite": "lite",
    }  # fmt: skip
    summaries = {
        "demo": "Run, print and verify the flagship notebook.",
        "run": "Execute a notebook and record everything about it.",
        "sweep": "Execute a notebook at many points of its parameters.",
        "verify": "Repeat a run from its record and compare the results.",
        "diff": "Show what differs between two runs.",
        "collect": "Gather the results of many runs into one table.",
        "list": "List notebooks, kernels, datasets, runs, records, challenges, metrics, settings or constants.",
        "show": "Show one notebook, kernel, dataset, run, record, challenge, metric or setting, or the constants.",
        "new": "Begin a notebook, dataset, kernel or challenge that works.",
        "check": "Find what is wrong without running anything.",
        "dataset": "Fetch, add and verify datasets.",
        "kernel": "Lock, install and verify kernels.",
        "dicom": "See, convert, assess and de-identify DICOM.",
        "publish": "Give a run, dataset, sweep or board a DOI: plan, push, mint.",
        "archive": "Look into an archive of records, or serve one.",
        "challenge": "Hold a challenge with hidden cases, or enter one.",
        "serve": "Serve challenges, boards, datasets and runs as pages.",
        "worker": "Evaluate what a hub has in its queue.",
        "hub": "Look after a hub: invitations, backups, settings.",
        "learn": "List lessons; gather what a class has done, and write feedback.",
        "binder": "Write what Binder builds from, and find what it would stumble over.",
        "link": "Print links that open a notebook on Binder.",
        "lite": "Build a site that runs notebooks in the browser alone.",
    }  # fmt: skip

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.verbs)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002 - the same
        if name not in self.verbs:
            return None
        module = __import__(f"braggbook.cli.{self.verbs[name]}", fromlist=["COMMANDS"])
        return module.COMMANDS[name]  # type: ignore[no-any-return]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.summaries[name]) for name in self.verbs])


@click.group(
    cls=_Lazy,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="braggbook")
@click.option(
    "--project",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with notebooks/, datasets/, kernels/ [default: found from here].",
)
@click.option("--runs", type=click.Path(path_type=Path), help="Where run folders go [default: PROJECT/runs].")
@click.pass_context
def main(context: click.Context, project: Path | None, runs: Path | None) -> None:
    """Experiments as notebooks that anyone can run, check and repeat to the digit.

    \b
    braggbook demo                          the whole story in one command
    braggbook run NOTEBOOK -p name=value    execute it, with everything recorded in a folder
    braggbook verify RUN                    repeat it and compare, to the digit
    """
    settings, origins = load_settings({"project": project, "runs": runs})
    context.obj = Face(settings, origins, out=_console(sys.stdout), talk=_console(sys.stderr))


def _console(stream: Any) -> Console:
    # a pipe has no width; what goes there must not be folded at 80 columns
    return Console(file=stream, width=None if stream.isatty() else 200, highlight=False, soft_wrap=False)


def entry() -> NoReturn:
    """Runs the command line and ends the process with one of the documented exit codes."""
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show "±" still gets the number
    context = main.make_context("braggbook", ["--help"], resilient_parsing=True)
    try:
        sys.exit(main.main(prog_name="braggbook", standalone_mode=False) or 0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(InputError.exit_code)
    except click.ClickException as error:
        _report(_usage(error))
    except (KeyboardInterrupt, click.Abort):
        _report(Interrupted("interrupted"))
    except BraggbookError as error:
        _report(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `braggbook list run | head` is no error
        sys.exit(0)
    except Exception as error:
        _report(_unforeseen(error))
    finally:
        context.close()


def _unforeseen(error: Exception) -> BraggbookError:
    if isinstance(error, OSError) and error.errno in _DISK:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return StorageError(
            "the disk is full" if full else "cannot write",
            where=str(error.filename or ""),
            got=error.strerror or "",
        )
    if os.environ.get(_TRACEBACK):
        raise error
    command = f"{_TRACEBACK}=1 braggbook ..., and report what it prints"
    return InternalError("a fault in Braggbook itself", got=f"{type(error).__name__}: {error}", next_command=command)


def _terminate(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


def _usage(error: click.ClickException) -> InputError:
    command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "braggbook"
    return InputError(error.format_message(), next_command=f"{command} --help")


def _report(error: BraggbookError) -> NoReturn:
    if "--json" in sys.argv:
        click.echo(json.dumps(error.as_json(), indent=2, ensure_ascii=False))
    click.echo(f"braggbook: {error}", err=True)
    sys.exit(error.exit_code)


if __name__ == "__main__":
    entry()

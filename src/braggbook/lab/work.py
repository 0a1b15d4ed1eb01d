"""The child that does one order of the panel: ``python -m braggbook.lab.work``.

It reads one line of JSON (the order and the places) from its standard input and writes lines of JSON: ``progress``,
``say``, and at the end ``done`` or ``error``. Being a process of its own, it can be interrupted as a person does in a
terminal, and what fills its memory does not take JupyterLab with it. The standard input stays open as long as the
server lives; when it ends, the child interrupts itself. A token comes by the same line: it stands in no file and in no
command line, and in the environment of the one program alone that needs it there.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from braggbook.errors import BraggbookError, InputError, InternalError, Interrupted
from braggbook.lab.orders import HandInOrder, PlanOrder, RunOrder, SendOrder, VerifyOrder, read_order
from braggbook.lab.places import Places
from braggbook.lab.subject import Subject, subject_of
from braggbook.progress import Callback
from braggbook.settings import Settings

_TOKENS = {"zenodo": "BRAGGBOOK_ZENODO_TOKEN", "zenodo_sandbox": "BRAGGBOOK_ZENODO_SANDBOX_TOKEN"}
_OTHER_TOKEN, _HUB_TOKEN = "BRAGGBOOK_ARCHIVE_TOKEN", "BRAGGBOOK_HUB_TOKEN"


@dataclass(frozen=True)
class Desk:
    """What an order is done with.

    Attributes:
        places: What the server shows.
        settings: Of the project of the open notebook.
        subject: The notebook that it is about.
        say: Tells the person something.
        progress: Tells how far it is.
    """

    places: Places
    settings: Settings
    subject: Subject
    say: Callable[[str], None]
    progress: Callback


def run(order: RunOrder, desk: Desk) -> dict[str, Any]:
    """Executes the open notebook, or finds the very run."""
    from braggbook.runs.plan import plan_run  # noqa: PLC0415 - each order imports what it needs
    from braggbook.runs.run import run as run_plan  # noqa: PLC0415 - the same

    plan = plan_run(desk.subject.read(), order.values, settings=desk.settings, seed=order.seed, progress=desk.progress)
    done = run_plan(
        plan, settings=desk.settings, force=order.force, progress=desk.progress,
        on_wait=lambda: desk.say("another process is executing this run; waiting for it"),
    )  # fmt: skip
    return {
        "run": done.record.id, "verdict": done.record.verdict, "cached": done.cached, "changed": list(done.changed),
    }  # fmt: skip


def verify(order: VerifyOrder, desk: Desk) -> dict[str, Any]:
    """Repeats a run of the project."""
    from braggbook.lab.shown import verification_shown  # noqa: PLC0415 - each order imports what it needs
    from braggbook.runs.folder import find_run  # noqa: PLC0415 - the same
    from braggbook.runs.verify import verify as verify_run  # noqa: PLC0415 - the same

    folder = find_run(order.run, runs=desk.settings.runs)
    return verification_shown(verify_run(folder, settings=desk.settings, progress=desk.progress))


def plan(order: PlanOrder, desk: Desk) -> dict[str, Any]:
    """Plans to publish a run; nothing is sent."""
    planned, place, _ = _planned(order.run, order.to, "", desk=desk, own=False)
    from braggbook.records.deposit import read_deposit  # noqa: PLC0415 - each order imports what it needs

    deposit = read_deposit(place)
    sent = deposit is not None and deposit.plan == planned.plan.digest
    return {
        **planned.plan.model_dump(mode="json"),
        "digest": planned.plan.digest,
        "to": order.to,
        "members": _members(planned.paths),
        "deposit": deposit.model_dump(mode="json") if deposit is not None and sent else None,
    }


def send(order: SendOrder, desk: Desk) -> dict[str, Any]:
    """Sends a run as a draft, or publishes it for good, if it is still what was shown."""
    from braggbook.records.deposit import Job, mint, push  # noqa: PLC0415 - each order imports what it needs
    from braggbook.records.receipt import keep_receipt  # noqa: PLC0415 - the same

    planned, place, archive = _planned(order.run, order.to, order.token, desk=desk, own=True)
    if planned.plan.digest != order.digest:
        raise InputError(
            "it is no longer what the plan showed", where=order.run, wanted="a look at the plan as it is now"
        )
    job = Job(planned.plan, planned.paths, archive, place)
    deposit = push(job, progress=desk.progress)
    if order.kind == "mint":
        deposit = mint(job, progress=desk.progress)
        keep_receipt(job.plan, deposit, paths=job.paths, place=job.place)
        for path in job.paths.values():
            path.unlink(missing_ok=True)  # the archive has it
    return {**deposit.model_dump(mode="json"), "to": order.to}


def _planned(run_id: str, to: str, token: str, *, desk: Desk, own: bool) -> tuple[Any, Path, Any]:
    from braggbook.records.archives import Shelf  # noqa: PLC0415 - each order imports what it needs
    from braggbook.records.plans import plan_what  # noqa: PLC0415 - the same
    from braggbook.runs.folder import find_run  # noqa: PLC0415 - the same

    variables = dict(desk.places.environment)
    if token:
        variables[_TOKENS.get(to, _OTHER_TOKEN)] = token
    archive = Shelf(desk.settings.archive, variables).open(to, own=own)
    folder = find_run(run_id, runs=desk.settings.runs)
    planned, place = plan_what(str(folder), settings=desk.settings, archive=to)
    return planned, place, archive


def _members(paths: Mapping[str, Path]) -> list[dict[str, Any]]:
    import zipfile  # noqa: PLC0415 - only a plan needs it

    found: list[dict[str, Any]] = []
    for path in paths.values():
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as zipped:
                found += [{"name": entry.filename, "bytes": entry.file_size} for entry in zipped.infolist()]
    return found


def hand_in(order: HandInOrder, desk: Desk) -> dict[str, Any]:
    """Tries a file on the public twin, or hands it in, by the command that a person would type."""
    file = desk.places.path(order.file)
    words = ["challenge", order.kind, order.challenge, str(file), "--json"]
    variables = dict(desk.places.environment)
    if order.kind == "submit":
        named = {"--phase": order.phase, "--team": order.team, "--title": order.title, "--to": order.hub}
        words += [word for option, value in named.items() if value for word in (option, value)]
        words += ["--accept-terms"] if order.accepted else []
        if order.hub and order.token:
            variables[_HUB_TOKEN] = order.token
    chosen = ["--project", str(desk.settings.project), "--runs", str(desk.settings.runs)]
    return _command([*chosen, *words], variables, desk)


def _command(words: list[str], variables: dict[str, str], desk: Desk) -> dict[str, Any]:
    """Runs a verb of the command line and returns what it says as JSON."""
    command = [sys.executable, "-m", "braggbook", *words]
    done = subprocess.run(
        command,
        env=variables,
        cwd=desk.places.root,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    try:
        said = json.loads(done.stdout)
    except ValueError:
        raise InternalError("the command said nothing that can be read", got=done.stderr[-500:]) from None
    if isinstance(said, dict) and "error" in said and "what" in said:
        raise _Said(said)
    return {"code": done.returncode, **said}


class _Said(Exception):
    """The error that a command printed."""

    def __init__(self, said: dict[str, Any]) -> None:
        self.said = said
        super().__init__(said["what"])


_DO: dict[str, Callable[[Any, Desk], dict[str, Any]]] = {
    "run": run, "verify": verify, "plan": plan, "push": send, "mint": send, "try": hand_in, "submit": hand_in,
}  # fmt: skip


def main() -> None:
    """Does the order on the standard input."""
    out = _own_output()

    def tell(event: str, **what: Any) -> None:
        with suppress(OSError):  # the server is gone; what is being done still ends as it should, and is recorded so
            out.write(json.dumps({"event": event, **what}, ensure_ascii=False) + "\n")
            out.flush()

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background
    try:
        given = json.loads(sys.stdin.readline())
        threading.Thread(target=_end_with_server, daemon=True).start()
        tell("done", result=_done(given, tell))
    except KeyboardInterrupt:
        tell("error", error=Interrupted("stopped").as_json())
    except _Said as error:
        tell("error", error=error.said)
    except BraggbookError as error:
        tell("error", error=error.as_json())
    except Exception as error:
        tell(
            "error",
            error=InternalError("a fault in Braggbook itself", got=f"{type(error).__name__}: {error}").as_json(),
        )


def _done(given: dict[str, Any], tell: Callable[..., None]) -> dict[str, Any]:
    places = Places(Path(given["root"]), os.environ)
    order = read_order(given["order"])
    subject = subject_of(places, order.path)
    report = Callback(lambda title, done, total, note: tell("progress", title=title, done=done, total=total, note=note))
    desk = Desk(places, places.settings(subject.path), subject, lambda text: tell("say", text=text), report)
    return _DO[order.kind](order, desk)


def _own_output() -> IO[str]:
    """Returns the standard output for our lines alone; what libraries print goes to the standard error."""
    mine = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return mine


def _end_with_server() -> None:
    """Interrupts this process when the server that holds the other end of the standard input is gone."""
    while sys.stdin.read(1):
        pass
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    main()

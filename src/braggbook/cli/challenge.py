"""``braggbook challenge new|check|try|open|submit|score|board|withdraw|close|demo``."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from braggbook.cli.challenge_shown import board_lines, change_rows, outcome_lines, receipt_lines
from braggbook.cli.face import Face, verb
from braggbook.errors import InputError
from braggbook.files import storage

if TYPE_CHECKING:
    from braggbook.challenges.design import Challenge
    from braggbook.challenges.vault import Vault
    from braggbook.formats.board import Board
    from braggbook.formats.run import Engine
    from braggbook.formats.submission import Receipt, Submission

_FAILED = 3
_BOARDS = "boards"  # below the runs


class _InOrder(click.Group):
    """Lists its verbs in the order in which they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)


@click.group("challenge", cls=_InOrder)
def group() -> None:
    """Hold a challenge: hidden cases, submissions, a board that anybody can make again.

    What is hidden lies in the vault, a folder of the organiser's outside of the project (setting `vault`, variable
    BRAGGBOOK_VAULT).
    """


_slug = click.argument("slug")
_phase = click.option("--phase", metavar="ID", help="Which phase [default: the only one].")
_folder = click.Path(path_type=Path, exists=True, file_okay=False)


@group.command("new", short_help="Begin a challenge that works as it is.")
@_slug
@click.option("--from", "origin", metavar="NOTEBOOK", help="Take up an open goal of an experiment.")
@click.option("--goal", metavar="ID", help="Which goal of it [default: the only open one].")
@verb
def new_command(face: Face, slug: str, origin: str | None, goal: str | None) -> None:
    """Begin a challenge named SLUG: design, baseline, scoring notebook, public twin. Nothing is overwritten."""
    from braggbook.challenges.scaffold import new_challenge  # noqa: PLC0415 - help need not wait for it

    made = new_challenge(slug, project=face.settings.project, origin=origin, goal=goal)
    face.emit(
        {"slug": slug, "path": str(made.folder)},
        Text(f"made  {made.folder}"),
        Text(f"next: braggbook challenge try {slug} {made.folder / 'example_submission'}"),
    )


@group.command("check", short_help="Find what is wrong with a design, without running anything.")
@_slug
@click.option("--mend", is_flag=True, help="Write the twin's estimate anew from the example submission.")
@verb
def check_command(face: Face, slug: str, mend: bool) -> None:
    """Check the challenge SLUG: its design, its notebooks, its twin, and that the example would be let in."""
    from braggbook.challenges.check import check_challenge, write_estimate  # noqa: PLC0415 - help need not wait for it

    challenge = _challenge(face, slug)
    if mend:
        write_estimate(challenge)
    issues = check_challenge(challenge, project=face.settings.project)
    lines = [Text(str(issue)) for issue in issues]
    word = f"{len(issues)} findings" if issues else "nothing found"
    lines.append(Text(f"{challenge.slug}: {word}", style="bold red" if issues else "bold green"))
    face.emit({"challenge": challenge.slug, "issues": [issue.as_json() for issue in issues]}, *lines)
    if issues:
        raise click.exceptions.Exit(1)


@group.command("try", short_help="Evaluate a submission on the public twin, as the challenge will.")
@_slug
@click.argument("submission", type=click.Path(path_type=Path, exists=True))
@click.option("--logs", type=click.Path(path_type=Path), help="Where a notebook's logs go [default: RUNS/tried/SLUG].")
@verb
def try_command(face: Face, slug: str, submission: Path, logs: Path | None) -> None:
    """Evaluate SUBMISSION on the public twin of the challenge SLUG, exactly as the challenge itself will.

    SUBMISSION is a notebook, a file or folder of predictions, or a zip of one. A notebook runs in the same sandbox with
    the same limits; here its logs are kept.
    """
    from braggbook.challenges.evaluate import Bench, evaluate, twin_cases  # noqa: PLC0415 - help need not wait for it
    from braggbook.challenges.submissions import take_in  # noqa: PLC0415 - the same
    from braggbook.runs.folder import scratch  # noqa: PLC0415 - the same

    challenge = _challenge(face, slug)
    kept = _emptied(logs or face.settings.runs / "tried" / challenge.slug)
    with scratch() as place:
        (place / "received").mkdir()
        (place / "work").mkdir()
        kind, _ = take_in(challenge, submission, place / "received", kinds=("predictions", "notebook"))
        bench = Bench(place / "work", face.settings.runs, face.settings, logs=kept, progress=face.bar)
        outcome = evaluate(challenge, place / "received", kind=kind, cases=twin_cases(challenge), bench=bench)
        data, lines = outcome_lines(challenge, outcome, kind=kind, logs=kept)
    face.emit(data, *lines)
    if outcome.verdict != "scored":
        raise click.exceptions.Exit(_FAILED if outcome.verdict != "refused" else 1)


@group.command("open", short_help="Open a split with hidden cases; correct their truth.")
@_slug
@click.option("--split", type=click.Choice(["public", "final"]), required=True, help="Which cases these are.")
@click.option("--inputs", type=_folder, required=True, help="Dataset that participants' notebooks see.")
@click.option("--truth", type=_folder, required=True, help="Dataset that they are scored against.")
@click.option("--because", default="", metavar="REASON", help="Why the truth before was wrong: a new version.")
@verb
def open_command(face: Face, slug: str, split: str, inputs: Path, truth: Path, because: str) -> None:
    """Take hidden cases into the vault, and put a salted hash of their truth beside the design of SLUG.

    Neither truth nor salt is ever written to the project. Where a phase releases the inputs they are copied there.
    """
    from braggbook.challenges.sealing import open_split  # noqa: PLC0415 - help need not wait for it

    challenge = _challenge(face, slug)
    sealed = open_split(
        challenge,
        _vault(face, challenge),
        split,  # type: ignore[arg-type]
        inputs=inputs,
        truth=truth,
        now=_now(),
        because=because,
    )
    then = (
        f"braggbook challenge score {slug} --all"
        if because
        else f"braggbook challenge submit {slug} FILE --team NAME --accept-terms"
    )
    face.emit(
        {"challenge": slug, **sealed.model_dump(mode="json")},
        Text(f"open   {sealed.split}, version {sealed.version}, {sealed.cases} cases"),
        Text(f"truth  {sealed.truth}   (salted hash)"),
        Text(f"commit {challenge.folder / 'sealed.json'}"),
        Text(f"next: {then}"),
    )


@group.command("submit", short_help="Take a submission in.")
@_slug
@click.argument("submission", type=click.Path(path_type=Path, exists=True))
@click.option("--team", metavar="NAME", help="Whose it is.")
@_phase
@click.option("--title", default="", help="What the team calls it.")
@click.option("--accept-terms", is_flag=True, help="The team accepts the terms of the phase.")
@click.option("--to", metavar="URL", help="Hand in to a hub, not to the vault of this machine.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the hub's token stands [default: BRAGGBOOK_HUB_TOKEN, or it is asked for].",
)
@click.option("--wait", is_flag=True, help="With --to: wait for the receipt.")
@click.option("--insecure-http", is_flag=True, help="Send the token over http:// too.")
@verb
def submit_command(
    face: Face,
    slug: str,
    submission: Path,
    team: str | None,
    phase: str | None,
    title: str,
    accept_terms: bool,
    to: str | None,
    token_file: Path | None,
    wait: bool,
    insecure_http: bool,
) -> None:
    """Take SUBMISSION in for the challenge SLUG: a notebook, a file or folder of predictions, or a zip of one.

    What is not what the design asks for is refused with a receipt, and costs nothing. With --to it is handed in to the
    hub at that address instead, as often as it takes: the same command never makes two submissions.
    """
    if to is not None:
        from braggbook.cli.remote import HandIn, hand_in, hub_at  # noqa: PLC0415 - help need not wait for it

        wanted = HandIn(slug, submission, phase=phase, team=team, title=title, accepted=accept_terms)
        hand_in(face, wanted, hub_at(to, token_file=token_file, insecure=insecure_http, face=face), wait=wait)
        return
    if team is None:
        raise InputError("whose submission is it?", wanted="--team NAME")
    from braggbook.challenges.evaluate import evaluate_submission  # noqa: PLC0415 - help need not wait for it
    from braggbook.challenges.submissions import submit  # noqa: PLC0415 - the same

    challenge = _challenge(face, slug)
    vault = _vault(face, challenge)
    made = submit(
        challenge,
        vault,
        submission,
        phase=challenge.phase(phase),
        team=team,
        accepted=accept_terms,
        now=_now(),
        title=title,
    )
    if made.refused:
        _, receipt = evaluate_submission(challenge, vault, made, settings=face.settings, clock=_now)
        face.emit(receipt.model_dump(mode="json"), *receipt_lines(receipt), _where(vault, receipt))
        raise click.exceptions.Exit(InputError.exit_code)
    face.emit(
        made.model_dump(mode="json"),
        Text(f"taken  {made.id}   {made.kind} of {made.team}, phase {made.phase}"),
        Text(f"next: braggbook challenge score {slug}"),
    )


@group.command("score", short_help="Evaluate what waits; evaluate all again.")
@_slug
@click.argument("submissions", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="Score everything again, and show how the ranks change.")
@verb
def score_command(face: Face, slug: str, submissions: tuple[str, ...], everything: bool) -> None:
    """Evaluate the submissions of the challenge SLUG that wait for it, or those with an ID.

    Each gets a signed receipt. With --all every submission is scored again with the scoring notebook and the truth of
    now; predictions that a notebook made of the same inputs are not made again. What was withdrawn is left alone.
    """
    from braggbook.challenges.evaluate import ERROR, evaluate_submission  # noqa: PLC0415 - the same
    from braggbook.challenges.seen import changes  # noqa: PLC0415 - help need not wait for it
    from braggbook.challenges.submissions import standing, waiting  # noqa: PLC0415 - the same

    challenge = _challenge(face, slug)
    vault = _vault(face, challenge)
    if everything and submissions:
        raise InputError("either all, or some", wanted="--all, or ids")
    # Before it is known what waits: what another process evaluates from now on has the id that it would get here.
    ids = {one.id: vault.next_evaluation(one.id) for one in vault.submissions()}
    named = [_standing(vault, name, slug) for name in submissions]
    chosen = standing(vault) if everything else named or list(waiting(vault))
    before = _boards(challenge, vault) if everything else {}
    receipts: list[Receipt] = []
    engine: Engine = "warm" if len(chosen) > 1 else "kernel"
    for one in chosen:
        face.say(f"{one.id}  {one.kind} of {one.team}")
        made, receipt = evaluate_submission(
            challenge,
            vault,
            one,
            settings=face.settings,
            clock=_now,
            progress=face.bar,
            engine=engine,
            id=ids.get(one.id),
        )
        receipts.append(receipt)
        if (why := vault.evaluation_folder(one.id, made.id) / ERROR).is_file():
            face.say(f"for the organiser alone: {why.read_text(encoding='utf-8').strip()}")
    after = _boards(challenge, vault) if everything else {}
    moved = {phase: changes(before[phase], board) for phase, board in after.items() if phase in before}
    lines: list[Any] = [line for receipt in receipts for line in (*receipt_lines(receipt), _where(vault, receipt))]
    lines += change_rows(moved)
    lines += [] if receipts else [Text("nothing waits for its score")]
    data = {
        "receipts": [receipt.model_dump(mode="json") for receipt in receipts],
        "changes": {phase: [dataclasses.asdict(row) for row in rows] for phase, rows in moved.items()},
    }
    phase = challenge.option(receipts[-1].phase if receipts else challenge.design.phases[-1].id)
    face.emit(data, *lines, Text(f"next: braggbook challenge board {slug}{phase}"))


@group.command("board", short_help="Show who stands where, and write it as a page.")
@_slug
@_phase
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the page [default: RUNS/boards/SLUG-PHASE].")
@click.option(
    "--as", "viewer", type=click.Choice(["everyone", "organiser"]), default="everyone", show_default=True,
    help="Who shall read it; the phase says what everyone may see.",
)  # fmt: skip
@verb
def board_command(face: Face, slug: str, phase: str | None, out: Path | None, viewer: str) -> None:
    """Make the board of a phase of SLUG from its signed evaluations, as a page that opens from disk and as JSON."""
    from braggbook.challenges.closing import board_of, write_board  # noqa: PLC0415 - the same
    from braggbook.challenges.seen import visible  # noqa: PLC0415 - help need not wait for it

    challenge = _challenge(face, slug)
    chosen = challenge.phase(phase)
    board = visible(board_of(challenge, _vault(face, challenge), chosen), chosen, viewer=viewer)  # type: ignore[arg-type]
    target = out or face.settings.runs / _BOARDS / f"{challenge.slug}-{chosen.id}"
    page = write_board(board, target, design=challenge.design)
    data = {**json.loads(board.model_dump_json()), "page": str(page)}
    face.emit(data, *board_lines(board), Text(f"page  {page}"))


@group.command("withdraw", short_help="Take a submission off the board, for good.")
@_slug
@click.argument("submission", metavar="ID")
@click.option("--because", required=True, metavar="TEXT", help="Why, in a sentence that everybody may read.")
@click.option("--by", default="the organiser", show_default=True, metavar="NAME", help="Who withdraws it.")
@verb
def withdraw_command(face: Face, slug: str, submission: str, because: str, by: str) -> None:
    """Take the submission ID (or the beginning of it) off the board of the challenge SLUG, for good.

    It stays in the vault, is not scored again, and counts in the quota as it did. Who withdrew it and why stands below
    the board; its files and predictions are not published.
    """
    from braggbook.challenges.submissions import withdraw  # noqa: PLC0415 - help need not wait for it

    challenge = _challenge(face, slug)
    vault = _vault(face, challenge)
    made = withdraw(vault, vault.submission(submission), now=_now(), by=by, because=because)
    face.emit(
        made.model_dump(mode="json"),
        Text(f"withdrawn  {made.submission}   of {made.team}, phase {made.phase}, by {made.by}: {made.because}"),
        Text(f"next: braggbook challenge board {slug}{challenge.option(made.phase)}"),
    )


@group.command("close", short_help="Make of it all one folder that can be published and repeated.")
@_slug
@click.option("--out", type=click.Path(path_type=Path), help="The folder [default: RUNS/boards/SLUG].")
@click.option("--early", is_flag=True, help="Close although a phase goes on.")
@click.option("--reserve", metavar="ARCHIVE", help="Have its DOI kept there first, so that its pages carry it.")
@verb
def close_command(face: Face, slug: str, out: Path | None, early: bool, reserve: str | None) -> None:
    """Close the challenge SLUG: boards, receipts, submissions, design and, unless it is withheld, the truth.

    Nothing is taken in any more from then on. Nothing is sent anywhere: the next command plans that.
    """
    from braggbook.challenges.closing import close  # noqa: PLC0415 - help need not wait for it

    challenge = _challenge(face, slug)
    target = out or face.settings.runs / _BOARDS / challenge.slug
    vault, now = _vault(face, challenge), _now()
    doi = _reserved(face, challenge, vault, archive=reserve, early=early) if reserve else None
    closed = close(challenge, vault, target, settings=face.settings, now=now, early=early, doi=doi)
    face.emit(
        {**closed.model_dump(mode="json", exclude={"files"}), "folder": str(target), "files": len(closed.files)},
        Text(f"closed  {target}   ({len(closed.files)} files, truth {closed.truth})"),
        Text(f"page    {target / 'index.html'}"),
        Text(f"next: braggbook publish plan {target} --to {reserve or 'folder'}"),
    )


@group.command("demo", short_help="The whole story: open, submit, score, board, close, publish, verify.")
@click.option("--keep", type=click.Path(path_type=Path), help="Where it plays [default: RUNS/challenge_demo].")
@verb
def demo_command(face: Face, keep: Path | None) -> None:
    """Play a whole challenge on this machine, with five submissions of which three misbehave.

    It opens dicentric_dose with freshly drawn hidden cases, takes a good notebook and good predictions, a notebook that
    hangs, one that answers NaN and one that tries to read the truth, scores them, writes the board, closes, publishes
    to the folder archive, and verifies a row from its DOI.
    """
    from braggbook.cli.challenge_demo import play  # noqa: PLC0415 - help need not wait for it

    if code := play(face, keep or face.settings.runs / "challenge_demo"):
        raise click.exceptions.Exit(code)


def _challenge(face: Face, slug: str) -> Challenge:
    from braggbook.challenges.design import find_challenge  # noqa: PLC0415 - help need not wait for it

    return find_challenge(slug, project=face.settings.project)


def _vault(face: Face, challenge: Challenge) -> Vault:
    from braggbook.challenges.vault import open_vault  # noqa: PLC0415 - help need not wait for it

    return open_vault(challenge.slug, settings=face.settings)


def _standing(vault: Vault, name: str, slug: str) -> Submission:
    """Returns a submission by its id, or by the beginning of it.

    Raises:
        InputError: It was withdrawn.
    """
    found = vault.submission(name)
    if (gone := vault.withdrawal(found.id)) is not None:
        what, command = "the submission was withdrawn", f"braggbook challenge board {slug} --as organiser"
        raise InputError(what, where=found.id, got=f"by {gone.by}: {gone.because}", next_command=command)
    return found


def _emptied(folder: Path) -> Path:
    """Returns a folder for logs, without those of the time before."""
    mark = folder / ".braggbook_logs"
    with storage(folder):
        if mark.is_file():
            shutil.rmtree(folder)
        if folder.exists() and any(folder.iterdir()):
            raise InputError("the folder for logs is not empty", where=str(folder), wanted="another one")
        folder.mkdir(parents=True, exist_ok=True)
        mark.touch()
    return folder


def _where(vault: Vault, receipt: Receipt) -> Text:
    """Says where a receipt lies, to be handed to the team."""
    return Text(f"  receipt {vault.evaluation_folder(receipt.submission, receipt.evaluation) / 'receipt.json'}")


def _boards(challenge: Challenge, vault: Vault) -> dict[str, Board]:
    from braggbook.challenges.closing import board_of  # noqa: PLC0415 - help need not wait for it

    there = {one.phase for one in vault.evaluations()}
    return {phase.id: board_of(challenge, vault, phase) for phase in challenge.design.phases if phase.id in there}


def _reserved(face: Face, challenge: Challenge, vault: Vault, *, archive: str, early: bool) -> str:
    """Returns the DOI that an archive keeps for the closed challenge; asked again, it is the same one."""
    from braggbook.challenges.closing import close  # noqa: PLC0415 - help need not wait for it
    from braggbook.records.archives import Shelf  # noqa: PLC0415 - the same
    from braggbook.records.deposit import reserve  # noqa: PLC0415 - the same
    from braggbook.records.plans import plan_what  # noqa: PLC0415 - the same
    from braggbook.runs.folder import scratch  # noqa: PLC0415 - the same

    opened = Shelf(face.settings.archive, os.environ).open(archive, own=True)
    with scratch() as place:
        close(challenge, vault, place / "closed", settings=face.settings, now=_now(), early=early)
        planned, home = plan_what(str(place / "closed"), settings=face.settings, archive=archive)
        deposit = reserve(f"board of {challenge.slug}", planned.plan.metadata, archive=opened, place=home)
    face.say(f"reserved {deposit.doi}; it is registered when the board is published")
    return str(deposit.doi)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


COMMANDS: dict[str, click.Command] = {"challenge": group}

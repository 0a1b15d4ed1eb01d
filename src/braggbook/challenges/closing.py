"""Closing a challenge: all of it becomes one folder that opens from disk, goes to an archive, and can be repeated."""

from __future__ import annotations

import datetime
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from braggbook.challenges.board import make_board
from braggbook.challenges.closed_folder import KERNELS
from braggbook.challenges.design import ESTIMATE, INPUTS, SCORER, TRUTH, Challenge, find_challenge
from braggbook.challenges.pages import render_bias, render_board
from braggbook.challenges.submissions import RECEIVED, waiting
from braggbook.challenges.vault import EVALUATIONS, HIDDEN, RUNS, SALT, SUBMISSIONS, Vault
from braggbook.datasets.catalogue import FOLDER as DATASETS
from braggbook.datasets.catalogue import find_dataset
from braggbook.errors import InputError, RecordError
from braggbook.files import sha256_file, storage, sync_tree, write_bytes, write_json, write_text
from braggbook.formats.board import BOARD_NAME, CLOSED_NAME, Board, Closed
from braggbook.formats.challenge import Design, Phase
from braggbook.formats.dataset import CARD_NAME
from braggbook.formats.run import FileRecord
from braggbook.formats.submission import (
    EVALUATION_NAME,
    RECEIPT_NAME,
    SUBMISSION_NAME,
    WITHDRAWN_NAME,
    Evaluation,
    Submission,
)
from braggbook.kernels.catalogue import CARD, LOCK, REQUIREMENTS, SPEC, find_kernel
from braggbook.kernels.install import choose_environment
from braggbook.notebooks.source import read_notebook
from braggbook.records.binder import binder_of
from braggbook.records.board_plan import BOARDS, DESIGN
from braggbook.records.deposit import read_deposit
from braggbook.records.run_plan import RECORDS
from braggbook.runs.links import binder_link, doi_link
from braggbook.runs.wheel import build_wheel
from braggbook.settings import Settings

SOFTWARE, PAGE, BIAS, README = "software", "index.html", "bias.html", "README.txt"
_LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*", "*.pyc")


def board_of(challenge: Challenge, vault: Vault, phase: Phase, *, closed: bool = False) -> Board:
    """Makes the board of a phase from the evaluations that there are.

    Raises:
        InputError: The challenge was not opened.
        RecordError: An evaluation cannot be read, or is of other cases.
    """
    return make_board(
        challenge.design,
        challenge=challenge.slug,
        design_sha256=challenge.digest,
        key=challenge.opened(phase.split).key,
        phase=phase,
        evaluations=[one for one in vault.evaluations() if one.phase == phase.id],
        closed=closed,
        truth=challenge.design.truth if closed else "sealed",
        withdrawals=vault.withdrawals(),
    )


def require_free(run: Path, *, settings: Settings, now: datetime.datetime) -> None:
    """Refuses to publish a scoring run whose truth is not to be seen, or not yet: the run holds it.

    Args:
        run: The folder of a run, in a vault or not.
        settings: Where vaults and challenges are.
        now: The time.

    Raises:
        InputError: Its challenge withholds the truth, or a phase of it goes on.
    """
    place = settings.vault.resolve()
    if not run.resolve().is_relative_to(place):
        return
    challenge = find_challenge(run.resolve().relative_to(place).parts[0], project=settings.project)
    if challenge.design.truth == "withheld":
        raise InputError("the truth is withheld, and the run holds it", where=challenge.slug)
    open_phases = [phase.id for phase in challenge.design.phases if now < phase.closes]
    if open_phases and Vault(place / challenge.slug).ended is None:
        got, command = ", ".join(open_phases), f"braggbook challenge close {challenge.slug} --early"
        what = "a phase goes on, and the run holds the truth"
        raise InputError(what, where=challenge.slug, got=got, next_command=command)


def record_of_run(vault: Vault, run: str) -> str | None:
    """Returns the DOI of the record of a scoring run, where it was published."""
    for place in sorted((vault.runs / RECORDS / run).glob("*")):
        deposit = read_deposit(place)
        if deposit is not None and deposit.step in ("published", "checked") and deposit.doi:
            return str(deposit.doi)
    return None


def close(
    challenge: Challenge,
    vault: Vault,
    target: Path,
    *,
    settings: Settings,
    now: datetime.datetime,
    early: bool = False,
    doi: str | None = None,
) -> Closed:
    """Makes the closed folder of a challenge, which takes nothing in any more from then on.

    Args:
        challenge: Which.
        vault: The organiser's.
        target: The folder; there must be none yet.
        settings: Where kernels and public datasets are.
        now: The time.
        early: Close although a phase goes on.
        doi: Reserved for the record that the folder will be.

    Returns:
        What is in it.

    Raises:
        InputError: A phase goes on, submissions wait for their score, or the folder is there.
        StorageError: The disk refuses; nothing is left then.
    """
    with vault.alone():  # what arrives meanwhile waits, and is told that the challenge was closed
        _require_over(challenge, vault, target, now=now, early=early)
        part = target.with_name(f".{target.name}.part")
        try:
            return _closed(challenge, vault, target, part=part, settings=settings, now=now, doi=doi)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _closed(
    challenge: Challenge,
    vault: Vault,
    target: Path,
    *,
    part: Path,
    settings: Settings,
    now: datetime.datetime,
    doi: str | None,
) -> Closed:
    """Writes the closed folder aside, gives it its name, and ends the vault."""
    with storage(target):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        _write(challenge, vault, part, settings, doi)
    closed = Closed(
        challenge=challenge.slug,
        title=challenge.design.title,
        license=challenge.design.license,
        closed=now.isoformat(timespec="seconds"),
        truth=challenge.design.truth,
        phases=[phase.id for phase in _scored_phases(challenge, vault)],
        doi=doi,
        files=_manifest(part),
    )
    write_json(part / CLOSED_NAME, closed.model_dump(mode="json"))
    with storage(target):
        sync_tree(part)
        os.rename(part, target)
    vault.end(closed.closed)
    return closed


def _require_over(challenge: Challenge, vault: Vault, target: Path, *, now: datetime.datetime, early: bool) -> None:
    open_phases = [phase for phase in challenge.design.phases if now < phase.closes]
    if open_phases and not early and vault.ended is None:
        phase = max(open_phases, key=lambda one: one.closes)
        raise InputError(
            "a phase goes on", where=phase.id, wanted=f"closed at {phase.closes.isoformat()}",
            got=now.isoformat(timespec="seconds"), next_command=f"braggbook challenge close {challenge.slug} --early",
        )  # fmt: skip
    if left := waiting(vault):
        raise InputError(
            "submissions wait for their score", where=challenge.slug, got=", ".join(one.id for one in left[:10]),
            next_command=f"braggbook challenge score {challenge.slug}",
        )  # fmt: skip
    last = {made.submission: made for made in vault.evaluations() if vault.withdrawal(made.submission) is None}
    if any(made.design != challenge.digest for made in last.values()):
        raise InputError(
            "the design was changed since submissions were scored", where=challenge.slug,
            next_command=f"braggbook challenge score {challenge.slug} --all",
        )  # fmt: skip
    if not vault.evaluations():
        raise InputError("nothing to close: there is no evaluation", where=challenge.slug)
    if target.exists():
        raise InputError("there is a closed folder already", where=str(target), wanted="another one: --out FOLDER")


def _scored_phases(challenge: Challenge, vault: Vault) -> list[Phase]:
    there = {one.phase for one in vault.evaluations()}
    return [phase for phase in challenge.design.phases if phase.id in there]


def _write(challenge: Challenge, vault: Vault, part: Path, settings: Settings, doi: str | None) -> None:
    submissions, evaluations = vault.submissions(), vault.evaluations()
    shutil.copytree(challenge.folder, part / DESIGN, ignore=_LEFT_OUT)
    _copy_needs(challenge, vault, submissions, part / DESIGN, settings)
    withdrawn = {one.submission for one in vault.withdrawals()}
    shown = [one for one in evaluations if one.verdict == "scored" and one.submission not in withdrawn]
    scored = {one.submission for one in shown}
    for submission in submissions:
        _copy_submission(vault, submission, part, whole=submission.id in scored)
    for made in evaluations:
        _copy_evaluation(vault, made, part, whole=made.submission in scored)
    if challenge.design.truth == "published":
        for run in sorted({made.scorer.run for made in shown if made.scorer}):
            shutil.copytree(vault.runs / run, part / RUNS / run)
        _copy_hidden(vault, evaluations, part)
    _write_software(challenge, part, settings)
    _write_pages(challenge, vault, part, doi)


def _copy_needs(
    challenge: Challenge, vault: Vault, submissions: Sequence[Submission], design: Path, settings: Settings
) -> None:
    """Copies the kernels and the public datasets that the notebooks name."""
    paths = [*challenge.folder.glob("*.ipynb")]
    for submission in submissions:
        paths += (vault.submission_folder(submission.id) / RECEIVED).glob("*.ipynb")
    fronts = [read_notebook(path).front.braggbook for path in paths]
    for slug in sorted({front.kernel for front in fronts}):
        kernel = find_kernel(slug, project=settings.project)
        (design / KERNELS / slug).mkdir(parents=True)
        for name in (CARD, SPEC, REQUIREMENTS, LOCK):
            shutil.copyfile(kernel.folder / name, design / KERNELS / slug / name)
    own = (f"{INPUTS}@1", f"{TRUTH}@1", f"{ESTIMATE}@1")
    for reference in sorted({name for front in fronts for name in front.datasets if name not in own}):
        dataset = find_dataset(reference, project=settings.project)
        target = design / DATASETS / dataset.slug
        target.mkdir(parents=True)
        shutil.copyfile(dataset.folder / CARD_NAME, target / CARD_NAME)
        for file in dataset.card.files:
            if file.copy_allowed and (dataset.folder / file.path).is_file():
                (target / file.path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(dataset.folder / file.path, target / file.path)


def _copy_submission(vault: Vault, submission: Submission, part: Path, *, whole: bool) -> None:
    """Copies what came; of a submission that never had a score, or was withdrawn, only that it came."""
    source, target = vault.submission_folder(submission.id), part / SUBMISSIONS / submission.id
    target.mkdir(parents=True)
    for name in (SUBMISSION_NAME, WITHDRAWN_NAME):
        if name == SUBMISSION_NAME or (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    if whole:
        shutil.copytree(source / RECEIVED, target / RECEIVED)


def _copy_evaluation(vault: Vault, made: Evaluation, part: Path, *, whole: bool) -> None:
    """Copies what was signed, and unless the submission was withdrawn the predictions that were scored."""
    source, target = vault.evaluation_folder(made.submission, made.id), part / EVALUATIONS / made.id
    target.mkdir(parents=True)
    for name in (EVALUATION_NAME, RECEIPT_NAME):
        shutil.copyfile(source / name, target / name)
    if made.verdict == "scored" and whole:
        shutil.copytree(source / ESTIMATE, target / ESTIMATE)


def _copy_hidden(vault: Vault, evaluations: Iterable[Evaluation], part: Path) -> None:
    used = sorted({(made.split, made.truth_version) for made in evaluations})
    for split, version in used:
        if split == "twin":
            raise RecordError("an evaluation on the twin among those of hidden cases", where=str(vault.folder))
        hidden = vault.hidden(split, version)
        target = part / HIDDEN / hidden.folder.name
        for name in (INPUTS, TRUTH):
            shutil.copytree(hidden.folder / name, target / name)
        write_text(target / SALT, hidden.salt.hex())


def _write_software(challenge: Challenge, part: Path, settings: Settings) -> None:
    """Writes what Binder needs to open the record: the scoring notebook's kernel, and Braggbook itself."""
    kernel = find_kernel(challenge.scorer.front.braggbook.kernel, project=settings.project)
    python = choose_environment(kernel, cache=settings.cache).python_version
    wheel = build_wheel()
    files = binder_of(kernel.lock_path.read_bytes(), python=python, wheel=f"{SOFTWARE}/{wheel.name}")
    for name, data in {**files, f"{SOFTWARE}/{wheel.name}": wheel.data}.items():
        with storage(part / name):
            (part / name).parent.mkdir(exist_ok=True)
        write_bytes(part / name, data)


def _write_pages(challenge: Challenge, vault: Vault, part: Path, doi: str | None) -> None:
    (part / BOARDS).mkdir()
    phases = _scored_phases(challenge, vault)
    boards = [with_records(board_of(challenge, vault, phase, closed=True), vault) for phase in phases]
    for board in boards:
        others = [one.phase for one in boards if one.phase != board.phase]
        write_json(part / BOARDS / f"{board.phase}.json", board.model_dump(mode="json"))
        page = _page(challenge, board, part, doi, up="../", own=f"../{BOARDS}/{board.phase}.json", others=others)
        write_text(part / BOARDS / f"{board.phase}.html", page)
    last, others = boards[-1], [one.phase for one in boards[:-1]]
    write_json(part / BOARD_NAME, last.model_dump(mode="json"))
    write_text(part / PAGE, _page(challenge, last, part, doi, up="", own=BOARD_NAME, others=others))
    write_text(part / BIAS, render_bias(challenge.design, sealed=challenge.sealed, board=last))
    write_text(part / README, _readme(challenge))


def with_records(board: Board, vault: Vault) -> Board:
    """Returns a board whose rows name the records of their scoring runs, where there are any."""
    rows = [row.model_copy(update={"doi": record_of_run(vault, row.scorer.run)}) for row in board.rows]
    return board.model_copy(update={"rows": rows})


def _page(
    challenge: Challenge, board: Board, part: Path, doi: str | None, *, up: str, own: str, others: Sequence[str]
) -> str:
    """Returns the page of a board that lies in the closed folder, with links to what lies beside it."""
    files = {"the design, block by block": f"{up}{BIAS}", BOARD_NAME: own, "what is in this folder": f"{up}{README}"}
    files |= {f"board of the phase {phase}": f"{up}{BOARDS}/{phase}.html" for phase in others}
    links = _links(board, part, doi, up=up)
    return render_board(board, links=links, design=challenge.design, doi=doi, files=files)


def write_board(board: Board, folder: Path, *, design: Design) -> Path:
    """Writes a board as a page and as JSON into a folder of its own, and returns the page.

    Raises:
        StorageError: The disk refuses.
    """
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / BOARD_NAME, board.model_dump(mode="json"))
    write_text(folder / PAGE, render_board(board, links={}, design=design, files={BOARD_NAME: BOARD_NAME}))
    return folder / PAGE


def _links(board: Board, part: Path, doi: str | None, *, up: str) -> dict[str, dict[str, str]]:
    """Returns where each row's run, record and notebook are, as the page names them."""
    found: dict[str, dict[str, str]] = {}
    for row in board.rows:
        run = f"{RUNS}/{row.scorer.run}"
        there = (part / run).is_dir()
        links = {"run": f"{up}{run}/report.html"} if there else {}
        evaluation = f"{EVALUATIONS}/{row.evaluation}"
        links["record"] = next(
            filter(None, (doi_link(one) for one in (row.doi, doi) if one)), f"{up}{evaluation}/{EVALUATION_NAME}"
        )
        opened = f"lab/tree/{run}/executed.ipynb" if there else f"lab/tree/{evaluation}"
        if doi and (address := binder_link(doi, opened=opened)):
            links["binder"] = address
        found[row.submission] = links
    return found


def _manifest(folder: Path) -> dict[str, FileRecord]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): FileRecord(sha256=sha256_file(path), bytes=path.stat().st_size)
        for path in paths
    }


def _readme(challenge: Challenge) -> str:
    hidden = {
        "published": "  hidden/       the hidden cases, their truth, and the salt of the hash in design/sealed.json\n"
        "  runs/         the scoring runs; each can be verified by itself: braggbook verify runs/ID\n",
        "withheld": "The truth stays with the organiser. The board can be made again from the signed evaluations.\n",
    }[challenge.design.truth]
    return f"""The closed challenge "{challenge.design.title}".

  index.html    the board of the last phase; opens in any browser, needs no network
  boards/       the board of each phase, as a page and as JSON
  bias.html     the design of the challenge, block by block
  design/       the challenge as it was: design, scoring notebook ({SCORER}), public twin, seal, kernels
  submissions/  what came in
  evaluations/  what came of it, signed by the organiser, with the receipts that the teams got
  software/     Braggbook itself, as a wheel; binder/ is what mybinder.org needs to open this record
{hidden}
To check all of it:   pip install braggbook && braggbook verify .
To check one row:     braggbook verify . --row TEAM
"""

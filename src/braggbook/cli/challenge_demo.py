"""``braggbook challenge demo``: a whole challenge on this machine, with submissions of which three misbehave."""

from __future__ import annotations

import dataclasses
import datetime
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import tomlkit
import yaml
from rich.text import Text

from braggbook.challenges.closing import board_of, close, write_board
from braggbook.challenges.design import BASELINE, FOLDER, INPUTS, TRUTH, Challenge, find_challenge, open_challenge
from braggbook.challenges.evaluate import evaluate_submission
from braggbook.challenges.sealing import open_split
from braggbook.challenges.submissions import submit
from braggbook.challenges.vault import Vault, open_vault
from braggbook.challenges.verify import verify_closed
from braggbook.cli.challenge_shown import board_lines, receipt_lines
from braggbook.cli.face import Face
from braggbook.cli.publish import keep
from braggbook.cli.verify import EXIT_CODES
from braggbook.datasets.catalogue import FOLDER as DATASETS
from braggbook.errors import InputError, RunError
from braggbook.files import storage, write_text
from braggbook.formats.challenge import Split
from braggbook.formats.common import CHALLENGE_NAME
from braggbook.formats.submission import Receipt
from braggbook.notebooks.source import PARAMETERS_TAG, split_front
from braggbook.records.archives import Shelf
from braggbook.records.deposit import Job, mint, push
from braggbook.records.plans import plan_what
from braggbook.records.receive import receive
from braggbook.runs.sandbox.selftest import require_walls
from braggbook.settings import Settings

SLUG, ROW = "dicentric_dose", "Baseline"
SPLIT: Split = "public"
_CASES = 30
_HANG_S = 30.0  # a notebook may take so long here; the design's own limit is for honest work
_SHARED = ("kernels", DATASETS)
_MARK = ".braggbook_demo"
_YIELD_PER_GY2 = 0.06  # dicentrics per cell and Gy2 of 60Co, to one digit: a rule of thumb
_PROMISE = {"cases": {"unit": "1"}}
_EXPECTED = {
    "Baseline": "scored",
    "Rule of thumb": "scored",
    "Sleepers": "timed out",
    "Not a number": "refused",
    "Peepers": "failed",
}
_HANG = "while True:\n    pass"
_NAN = """import pandas as pd

answers = pd.read_csv("predictions.csv")
answers["dose_gy"] = float("nan")
answers.to_csv("predictions.csv", index=False)"""
_PEEP = """from pathlib import Path

found = [path for path in Path("/").rglob("truth*") if path.is_file() and "proc" not in path.parts]
labels = [path.read_text() for path in found if path.suffix == ".csv"]
labels[0]"""


@dataclass(frozen=True)
class _Stage:
    """Where it plays."""

    face: Face
    settings: Settings
    challenge: Challenge
    vault: Vault
    place: Path


def play(face: Face, place: Path) -> int:
    """Plays the whole story below ``place``, and returns an exit code: 0 where all ended as it should.

    Raises:
        InputError: The project has no such challenge, or ``place`` holds something else.
        KernelUnavailable: There is no sandbox here, without which nobody should run others' notebooks.
    """
    require_walls()
    stage = _stage(face, place)
    face.say(f"1/6  opening {SLUG} with {_CASES} hidden cases, drawn now")
    _open(stage)
    face.say("2/6  five submissions")
    _submit(stage)
    face.say("3/6  evaluating them: notebooks behind the walls, scores by the scoring notebook")
    receipts = _score(stage)
    face.say("4/6  the board")
    phase = stage.challenge.phase()
    board = board_of(stage.challenge, stage.vault, phase)
    page = write_board(board, place / "board", design=stage.challenge.design)
    face.say("5/6  publishing the rows to the folder archive, closing, publishing the board")
    rows = {row.team: _publish(stage, stage.vault.runs / row.scorer.run) for row in board.rows}
    closed = place / "closed" / SLUG
    close(stage.challenge, stage.vault, closed, settings=stage.settings, now=_now(), early=True)
    doi = _publish(stage, closed)
    face.say(f"6/6  verifying the row of {ROW!r} from the DOI alone")
    received = receive(doi, shelf=Shelf(face.settings.archive, os.environ), cache=face.settings.cache)
    found = verify_closed(received.folder, settings=face.settings, row=ROW, progress=face.bar, say=face.say)
    ended = {receipt.team: receipt.verdict for receipt in receipts}
    data = {
        "receipts": [receipt.model_dump(mode="json") for receipt in receipts],
        "board": str(page),
        "closed": str(closed),
        "doi": doi,
        "row_dois": rows,
        "verification": found.as_json(),
        "as_expected": ended == _EXPECTED,
    }
    shown = [line for receipt in receipts for line in receipt_lines(receipt)]
    face.emit(data, *shown, Text(""), *board_lines(board), Text(""), *_told(page, closed, doi, rows, found.verdict))
    return EXIT_CODES[found.verdict] or int(ended != _EXPECTED)


def _told(page: Path, closed: Path, doi: str, rows: Mapping[str, str], verdict: str) -> list[Any]:
    return [
        Text(f"board   {page}"),
        Text(f"closed  {closed / 'index.html'}"),
        Text(f"doi     {doi}"),
        *(Text(f"row     {own}   {team}") for team, own in rows.items()),
        Text(f"row of {ROW}: {verdict}", style="bold green" if EXIT_CODES[verdict] == 0 else "bold red"),
        Text(f"next: braggbook verify {doi}"),
    ]


def _stage(face: Face, place: Path) -> _Stage:
    source = find_challenge(SLUG, project=face.settings.project)
    with storage(place):
        if (place / _MARK).is_file():
            shutil.rmtree(place)
        if place.exists() and any(place.iterdir()):
            raise InputError("the folder holds something else", where=str(place), wanted="a new one: --keep FOLDER")
        project = place / "project"
        project.mkdir(parents=True)
        (place / _MARK).touch()
        for name in _SHARED:
            shutil.copytree(face.settings.project / name, project / name)
        folder = project / FOLDER / SLUG
        shutil.copytree(source.folder, folder, ignore=shutil.ignore_patterns("__pycache__", INPUTS, "sealed.json"))
        shutil.copytree(source.folder / "twin", folder / "twin", dirs_exist_ok=True)
    write_text(folder / CHALLENGE_NAME, _design_for_now(folder / CHALLENGE_NAME))
    settings = dataclasses.replace(
        face.settings, project=project, vault=place / "vault", runs=place / "runs", cell_timeout_s=600.0
    )
    return _Stage(face, settings, open_challenge(folder), open_vault(SLUG, settings=settings), place)


def _design_for_now(path: Path) -> str:
    """Returns the design with one phase, which is open now, and less patience."""
    design = tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()
    now = _now()
    first = design["phases"][0]
    first |= {
        "opens": now - datetime.timedelta(hours=1),
        "closes": now + datetime.timedelta(hours=1),
        "kinds": ["predictions", "notebook"],
        "split": SPLIT,
        "inputs": "released",
        "quota": {"total": 3},
    }
    design["phases"] = [first]
    design["limits"]["wall_s"] = _HANG_S
    return tomlkit.dumps(design)


def _open(stage: _Stage) -> None:
    """Draws cases that nobody knows, and seals them."""
    drawn = stage.place / "drawn"
    program = stage.challenge.folder / "make_cases.py"
    command = [sys.executable, str(program), str(drawn), "--seed", secrets.token_hex(16), "--cases", str(_CASES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RunError("no cases were drawn", where=program.name, got=done.stderr.strip()[-500:])
    open_split(stage.challenge, stage.vault, SPLIT, inputs=drawn / INPUTS, truth=drawn / TRUTH, now=_now())
    shutil.rmtree(drawn)


def _submit(stage: _Stage) -> None:
    made = stage.place / "made"
    made.mkdir()
    baseline = stage.challenge.folder / BASELINE
    sources = {
        "Baseline": baseline,
        "Rule of thumb": _rule_of_thumb(stage.challenge.folder / INPUTS / SPLIT, made / "predictions.csv"),
        "Sleepers": _variant(baseline, made / "sleepers.ipynb", replaced=_HANG),
        "Not a number": _variant(baseline, made / "not_a_number.ipynb", added=_NAN),
        "Peepers": _variant(baseline, made / "peepers.ipynb", replaced=_PEEP),
    }
    for team, source in sources.items():
        phase = stage.challenge.phase()
        submit(stage.challenge, stage.vault, source, phase=phase, team=team, accepted=True, now=_now())


def _rule_of_thumb(inputs: Path, target: Path) -> Path:
    """Writes predictions as somebody with a calculator would make them: Y = 0.06 D^2, and half of it either way."""
    table = pd.read_csv(inputs / "cases.csv")
    dose = (table["aberrations"] / table["cells"] / _YIELD_PER_GY2).pow(0.5).clip(upper=10.0)
    answers = pd.DataFrame({"case": table["case"], "dose_gy": dose, "lower_gy": 0.5 * dose, "upper_gy": 1.5 * dose})
    answers["upper_gy"] = answers["upper_gy"].clip(lower=0.5, upper=10.0)
    write_text(target, answers.to_csv(index=False))
    return target


def _variant(baseline: Path, target: Path, *, replaced: str = "", added: str = "") -> Path:
    """Writes the baseline with other code in place of all of its own, or with more code at its end."""
    node = nbformat.read(baseline, as_version=4)
    if replaced:
        block, _ = split_front(node.cells[0].source)
        front = yaml.safe_load(block or "")
        front["braggbook"] = {"kernel": front["braggbook"]["kernel"], "datasets": [f"{INPUTS}@1"], "results": _PROMISE}
        text = yaml.safe_dump(front, sort_keys=False, allow_unicode=True).strip()
        node.cells = [
            nbformat.v4.new_markdown_cell(f"---\n{text}\n---"),
            nbformat.v4.new_code_cell("", metadata={"tags": [PARAMETERS_TAG]}),
            nbformat.v4.new_code_cell(replaced),
        ]
    else:
        node.cells.append(nbformat.v4.new_code_cell(added))
    write_text(target, nbformat.writes(node) + "\n")
    return target


def _score(stage: _Stage) -> list[Receipt]:
    receipts = []
    for one in stage.vault.submissions():
        stage.face.say(f"     {one.team}")
        _, receipt = evaluate_submission(
            stage.challenge, stage.vault, one, settings=stage.settings, clock=_now, progress=stage.face.bar
        )
        receipts.append(receipt)
    return receipts


def _publish(stage: _Stage, folder: Path) -> str:
    """Publishes a scoring run, or the closed challenge, to the folder archive; returns its DOI."""
    archive = Shelf(stage.settings.archive, os.environ).open("folder", own=True)
    planned, place = plan_what(str(folder), settings=stage.settings, archive="folder")
    job = Job(planned.plan, planned.paths, archive, place)
    push(job, progress=stage.face.bar)
    deposit = mint(job, progress=stage.face.bar)
    keep(job, deposit)
    return str(deposit.doi)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)

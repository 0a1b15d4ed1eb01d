"""A new challenge that works as it is: to be filled with real cases, and with who asks what of whom."""

from __future__ import annotations

import datetime
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import tomlkit
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from braggbook.challenges.check import write_estimate
from braggbook.challenges.design import BASELINE, EXAMPLE, FOLDER, INPUTS, SCORER, TRUTH, Challenge, open_challenge
from braggbook.datasets.catalogue import TWIN
from braggbook.errors import DuplicateName, InputError, UnknownName, closest
from braggbook.files import sha256_bytes, storage, sync_tree, write_bytes, write_text
from braggbook.formats.challenge import CHALLENGE_FORMAT
from braggbook.formats.common import CHALLENGE_NAME, NOT_STATED, check_slug
from braggbook.formats.dataset import CARD_NAME, Column, DatasetCard, DatasetFile, write_card
from braggbook.formats.notebook import FrontMatter, Goal
from braggbook.formats.placeholders import AUTHOR
from braggbook.kernels.catalogue import kernel_folders
from braggbook.notebooks.catalogue import find_notebook

_INPUTS = b"case,signal\na,0.1\nb,0.4\nc,0.9\nd,1.6\ne,2.5\n"
_TRUTH = b"case,value\na,0.3\nb,0.7\nc,0.9\nd,1.2\ne,1.7\n"
_SAID = b"case,value\na,0.316\nb,0.632\nc,0.949\nd,1.265\ne,1.581\n"
_HEAD = "# The design of a challenge{taken}. Every key is explained in docs/formats/challenge.md.\n"
_FIRST_KERNEL = "radiobiology"
_MONTH = datetime.timedelta(days=30)

_DESIGN = f"""
format = "{CHALLENGE_FORMAT}"
title = ""
version = 1
abstract = "What is the value that belongs to each signal?"
license = "CC-BY-4.0"
keywords = []
truth = "published"

[organisation]
organisers = [{{name = "{AUTHOR}"}}]
contact = "{NOT_STATED}"
participation = "everybody"
code_availability = "design, baseline and scoring notebook lie beside this file"
conflicts_of_interest = "{NOT_STATED}"
ethics = "{NOT_STATED}"

[mission]
field = "{NOT_STATED}"
task = "regression"
aim = "What is the value that belongs to each signal?"
target_cohort = "{NOT_STATED}"
challenge_cohort = "{NOT_STATED}"
modality = "{NOT_STATED}"
context = "{NOT_STATED}"
target_entity = "{NOT_STATED}"

[data]
case = "one signal"
acquisition = "{NOT_STATED}"
annotation = "{NOT_STATED}"
preprocessing = "none"
error_sources = "{NOT_STATED}"
training = []
twin = "five made-up cases, to be replaced by public ones of the same kind as the hidden ones"

[submission]
form = "table"
columns.value = {{unit = "1", minimum = 0.0, maximum = 10.0, meaning = "what is asked for"}}

[[phases]]
id = "final"
title = "Final"
split = "final"
kinds = ["predictions", "notebook"]
inputs = "released"
terms = "Submissions that got a score are published with the board."
quota = {{total = 5}}

[[metrics]]
id = "absolute_error"
definition = "absolute_error@1"
of = "value"
why = "it has the unit of the answer"
unit = "1"
better = "smaller"
minimum = 0.0
maximum = 10.0
worst = 10.0

[ranking]
method = "mean_then_rank"
why = "every case counts the same"
"""

_PREDICT = """inputs = bb.load("inputs@1")
answers = inputs[["case"]].assign(value=np.sqrt(inputs["signal"]).round(3))
answers.to_csv("predictions.csv", index=False)
bb.result("answers", answers, units={"value": "1"})"""

_SCORE = """truth = bb.load("truth@1").set_index("case")["value"]
estimate = bb.load("estimate@1").set_index("case")["value"]
errors = bb.metrics.score_cases("absolute_error@1", truth, estimate)
scores = pd.DataFrame({"case": list(errors), "absolute_error": list(errors.values())})
bb.result("scores", scores, units={"absolute_error": "1"})"""


def new_challenge(
    slug: str, *, project: Path, origin: str | None = None, goal: str | None = None, today: datetime.date | None = None
) -> Challenge:
    """Makes ``challenges/<slug>`` with a design, a baseline, a scoring notebook, a twin and an example.

    Args:
        slug: Its name.
        project: Where.
        origin: A notebook whose open goal it takes up.
        goal: Which goal of it; the only open one by default.
        today: The first phase opens a month later.

    Raises:
        InputError: ``slug`` is not one; the notebook has no open goal, or several.
        DuplicateName: There is one of this name already.
    """
    target = project / FOLDER / _checked(slug)
    if os.path.lexists(target):
        raise DuplicateName(f"there is a challenge named {slug!r}", where=str(target), wanted="another name")
    front, taken = _taken_up(origin, goal, project)
    kernels = sorted(kernel_folders(project))
    if not kernels:
        raise InputError(
            "no kernel to score with", where=str(project), next_command="braggbook new kernel radiobiology"
        )
    kernel = _FIRST_KERNEL if _FIRST_KERNEL in kernels else kernels[0]
    with storage(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{slug}.", suffix=".part"))
    try:
        work = scratch / slug
        with storage(target):
            (work / EXAMPLE).mkdir(parents=True)
        design = _design(slug, front, taken, today or datetime.datetime.now(datetime.UTC).date())
        write_text(
            work / CHALLENGE_NAME,
            _HEAD.format(taken=f"; takes up {taken.id} of {Path(str(origin)).stem}" if taken else "")
            + tomlkit.dumps(design),
        )
        write_bytes(work / EXAMPLE / "predictions.csv", _SAID)
        _write_twin(work / TWIN)
        _write_notebook(work / BASELINE, "Baseline", kernel, _PREDICT, {"answers": {"kind": "table"}}, ["inputs@1"])
        _write_notebook(
            work / SCORER, "Scores", kernel, _SCORE, {"scores": {"kind": "table"}}, ["truth@1", "estimate@1"]
        )
        write_estimate(open_challenge(work))
        with storage(target):
            sync_tree(work)
            os.rename(work, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return open_challenge(target)


def _checked(slug: str) -> str:
    try:
        return check_slug(slug)
    except ValueError:
        raise InputError(
            "not a slug", wanted="small letters, digits and _, beginning with a letter", got=slug
        ) from None


def _taken_up(origin: str | None, goal: str | None, project: Path) -> tuple[FrontMatter | None, Goal | None]:
    """Returns the front matter of a notebook, and the open goal of it that is taken up."""
    if origin is None:
        if goal is not None:
            raise InputError("a goal of no notebook", wanted="--from NOTEBOOK", got=goal)
        return None, None
    front = find_notebook(origin, project=project).front
    goals = {one.id: one for one in front.braggbook.goals if one.status == "open"}
    if goal is not None and goal not in goals:
        raise UnknownName(f"no open goal {goal!r}", where=origin, wanted=closest(goal, goals))
    if goal is None and len(goals) != 1:
        what = "several open goals" if goals else "no open goal"
        raise InputError(
            what, where=origin, wanted="--goal ID" if goals else "a goal without answered_by", got=", ".join(goals)
        )
    return front, goals[goal] if goal else next(iter(goals.values()))


def _design(slug: str, front: FrontMatter | None, goal: Goal | None, today: datetime.date) -> dict[str, Any]:
    """Returns a design; what only an organiser can say is written as not stated."""
    design = tomlkit.parse(_DESIGN).unwrap()
    opens = datetime.datetime.combine(today + _MONTH, datetime.time(), datetime.UTC)
    design["phases"][0] |= {"opens": opens, "closes": opens + _MONTH}
    design["title"] = slug.replace("_", " ").capitalize()
    if front is not None and goal is not None:
        design |= {"title": goal.text, "abstract": front.abstract or goal.text, "license": front.license}
        design["keywords"] = list(front.keywords)
        design["organisation"]["organisers"] = [one.model_dump(exclude_none=True) for one in front.authors]
        design["mission"]["aim"] = goal.text
        design["data"]["training"] = list(front.braggbook.datasets)
    return design


def _write_twin(folder: Path) -> None:
    case = Column(type="text", meaning="name of the case")
    tables: Mapping[str, tuple[str, bytes, str]] = {
        INPUTS: ("cases.csv", _INPUTS, "signal"),
        TRUTH: ("truth.csv", _TRUTH, "value"),
    }
    for name, (path, data, column) in tables.items():
        with storage(folder):
            (folder / name).mkdir(parents=True)
        columns = {"case": case, column: Column(type="number", unit="1", meaning="made up", minimum=0.0, maximum=10.0)}
        file = DatasetFile(path=path, sha256=sha256_bytes(data), bytes=len(data), columns=columns)
        card = DatasetCard.model_validate(
            {
                "title": f"{name.capitalize()} of the public twin",
                "version": 1,
                "license": "CC0-1.0",
                "provenance": "made up; to be replaced",
                "authors": ({"name": AUTHOR},),
                "files": (file,),
            }
        )
        write_bytes(folder / name / path, data)
        write_card(folder / name / CARD_NAME, card)


def _write_notebook(
    path: Path, title: str, kernel: str, code: str, results: dict[str, Any], datasets: list[str]
) -> None:
    front = {
        "title": title,
        "authors": [{"name": AUTHOR}],
        "license": "CC-BY-4.0",
        "braggbook": {"kernel": kernel, "datasets": datasets, "results": results},
    }
    text = yaml.safe_dump(front, sort_keys=False, allow_unicode=True)
    parameters = new_code_cell("# none", metadata={"tags": ["parameters"]})
    imports = "import numpy as np\nimport pandas as pd\n\nimport braggbook as bb"
    node = new_notebook(
        cells=[new_markdown_cell(f"---\n{text}---"), parameters, new_code_cell(imports), new_code_cell(code)],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    for index, cell in enumerate(node.cells):  # ids that do not change from one call to the next
        cell.id = f"cell-{index}"
    write_text(path, nbformat.writes(node) + "\n")

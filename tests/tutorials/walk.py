"""Walking through a tutorial in a real kernel, as a student would: cell by cell, with other answers in the exercises."""

from __future__ import annotations

import importlib.util
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import yaml
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted((ROOT / "notebooks" / "tutorials").glob("[0-9][0-9]_*.ipynb"))
ANSWERS = Path(__file__).parent / "answers"
_CELL_S = 300  # of waiting; how long a tutorial may take is counted in processor time
_TAG = "exercise:"
_KEPT, _PUBLISHED = "publish: bool = False", "publish: bool = True"


def slug_of(path: Path) -> str:
    return path.stem.partition("_")[2]


def fetches(path: Path) -> bool:
    """Returns whether a tutorial opens data that are not in the repository."""
    front = yaml.safe_load(nbformat.read(path, as_version=4).cells[0].source.strip("-"))
    slugs = [name.partition("@")[0] for name in front["braggbook"].get("datasets", [])]
    cards = {slug: tomllib.loads((ROOT / "datasets" / slug / "dataset.toml").read_text("utf-8")) for slug in slugs}
    return not all(
        (ROOT / "datasets" / slug / file["path"]).is_file() for slug in slugs for file in cards[slug]["files"]
    )


@dataclass(frozen=True)
class Answers:
    """Code by question that replaces its exercise cell; and wrong code with a piece of the message it must get."""

    solution: Mapping[str, str]
    wrong: Mapping[str, list[tuple[str, str]]]


def answers_of(path: Path) -> Answers:
    file = ANSWERS / f"{slug_of(path)}.py"
    specification = importlib.util.spec_from_file_location(f"answers_{file.stem}", file)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return Answers(module.SOLUTION, module.WRONG)


@dataclass(frozen=True)
class Step:
    """One code cell; the question that it answers, if it is an exercise."""

    source: str
    question: str = ""


def published(path: Path, folder: Path) -> Path:
    """Returns a student's own copy of a tutorial, saved after ``publish`` was set in its parameters cell."""
    text = path.read_text(encoding="utf-8")
    assert text.count(_KEPT) == 1
    copy = folder / path.name
    copy.write_text(text.replace(_KEPT, _PUBLISHED), encoding="utf-8")
    return copy


def steps_of(path: Path) -> list[Step]:
    cells = nbformat.read(path, as_version=4).cells
    return [Step(cell.source, _question(cell)) for cell in cells if cell.cell_type == "code"]


def _question(cell: Any) -> str:
    tags = [tag for tag in cell.metadata.get("tags", []) if tag.startswith(_TAG)]
    assert len(tags) <= 1, f"one question a cell: {tags}"
    return tags[0].removeprefix(_TAG) if tags else ""


@dataclass(frozen=True)
class Seen:
    """What a cell showed: its values and displays as text, its printed lines, and its error."""

    shown: list[str] = field(default_factory=list)
    printed: str = ""
    error: str = ""

    def verdict(self, question: str) -> str:
        """The verdict on a question, as the student reads it; "" when none was shown."""
        return next((text for text in self.shown if re.match(rf"{question}: [✓✗○]", text)), "")


class Student:
    """A kernel, and somebody who runs cells in it."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self._client = client

    def run(self, code: str) -> Seen:
        shown: list[str] = []
        printed: list[str] = []
        errors: list[str] = []

        def look(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] in ("execute_result", "display_data"):
                shown.append(content["data"].get("text/plain", ""))
            elif message["msg_type"] == "stream":
                printed.append(content["text"])
            elif message["msg_type"] == "error":
                errors.append(f"{content['ename']}: {content['evalue']}")

        self._client.execute_interactive(code, timeout=_CELL_S, output_hook=look)
        return Seen(shown, "".join(printed), "\n".join(errors))

    def processor_time_s(self) -> float:
        """Processor time of the kernel and of the commands that it has waited for."""
        return float(self.run("sum(__import__('os').times()[:4])").shown[0])


def surroundings(folder: Path) -> dict[str, str]:
    """Returns the environment of a student whose progress, runs and archive are in an own folder."""
    own = {"PROJECT": ROOT, "RUNS": folder / "runs", "ARCHIVE": folder / "archive", "LEARN": folder / "learn"}
    return {**os.environ, **{f"BRAGGBOOK_{name}": str(path) for name, path in own.items()}}


@contextmanager
def student(folder: Path) -> Iterator[Student]:
    """A student with an own folder, see :func:`surroundings`."""
    environment = surroundings(folder)
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder), env=environment)
    try:
        yield Student(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)

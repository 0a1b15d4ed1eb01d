"""Reading the fenced examples of the documentation, and running them the way a reader would.

The convention, for whoever writes a page:

``console``
    Lines that begin with ``$ `` are typed, in order, in one folder of the page's own; the lines below each are its
    answer (both streams). Every shown line must come in the real answer, in that order, and may leave out others.
    Runs of blanks are one blank, and ``...`` stands for anything. A command ends with ``     # exit code N`` when N
    is not 0. A run id is whatever it is: the first time one is shown it is learned, and from then on its beginning
    stands for the real one, in commands and Python too. So it is with the id of a folder archive in its DOIs.
``python``, ``pycon``
    Run in order in one namespace, in the page's folder; ``pycon`` shows what is printed.
``sh``
    Shown only: it needs the network, another machine, or is a mere outline.
``<!-- file: NAME -->`` above a fence
    Writes its text to that file.
``<!-- notebook: PATH front|parameters| -->`` above a fence
    Adds a cell to that notebook: the front matter, the parameters cell, or code. The front matter begins it anew.
``<!-- example of: MODEL -->`` above a fence in docs/formats
    Says which model it must be, where that is not the page's own.
"""

from __future__ import annotations

import contextlib
import doctest
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w-]+)?\s*$")
_NOTE = re.compile(r"^\s*<!-- (?P<note>.+) -->\s*$")
_EXIT = re.compile(r"\s{2,}# exit code (\d+)$")
_RUN_ID = re.compile(r"\b[0-9a-f]{24}\b")
_ARCHIVE_ID = re.compile(r"\b10\.5072/braggbook\.([a-z0-9]{6})\b")
_TOKEN = re.compile(r"_TOKEN$")  # no example sends anything anywhere
_STARTS_KERNEL = re.compile(r"\bbraggbook (run|sweep|verify|demo)\b")
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """One fence: its language, its text, and the comment above it."""

    line: int
    language: str
    text: str
    note: str = ""


@dataclass(frozen=True)
class Command:
    """One typed line: what the page shows of its answer, and its exit code."""

    line: int
    text: str
    shown: list[str]
    code: int

    @property
    def starts_kernel(self) -> bool:
        return bool(_STARTS_KERNEL.search(self.text)) and self.code != 2  # 2: refused before anything starts


def page_paths() -> list[Path]:
    return sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)


def name_of(path: Path) -> str:
    return path.relative_to(DOCS).as_posix()


def blocks(path: Path) -> Iterator[Block]:
    """Yields the fences of a page; directives such as ``{toctree}`` are none."""
    lines = path.read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        if match := _FENCE.match(lines[at]):
            end = next(n for n in range(at + 1, len(lines)) if lines[n].strip() == "```")
            note = _NOTE.match(lines[at - 1]) if at else None
            text = textwrap.dedent("\n".join(lines[at + 1 : end])) + "\n"
            yield Block(at + 1, match["language"] or "", text, note["note"] if note else "")
            at = end
        elif lines[at].lstrip().startswith("```"):
            at = next(n for n in range(at + 1, len(lines)) if lines[n].strip() == "```")
        at += 1


def commands(block: Block) -> list[Command]:
    """Takes a console fence apart."""
    found: list[Command] = []
    for number, line in enumerate(block.text.splitlines(), block.line + 1):
        if line.startswith("$ "):
            code = _EXIT.search(line)
            found.append(Command(number, _EXIT.sub("", line[2:]), [], int(code[1]) if code else 0))
        elif line.strip() not in ("", "..."):
            assert found, f"line {number}: an answer without a command"
            found[-1].shown.append(line)
    return found


def starts_kernel(path: Path) -> bool:
    return any(c.starts_kernel for block in blocks(path) if block.language == "console" for c in commands(block))


@dataclass
class Reader:
    """Somebody who does what a page says, in a folder of their own."""

    path: Path
    folder: Path
    tools: Path
    ids: dict[str, str] = field(default_factory=dict)
    archives: dict[str, str] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)
    notebooks: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tools.mkdir(parents=True, exist_ok=True)
        script = self.tools / "braggbook"
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m braggbook "$@"\n', encoding="utf-8")
        script.chmod(0o755)

    def follow(self) -> None:
        """Does everything that the page says, in its order."""
        for block in blocks(self.path):
            where = f"{name_of(self.path)}, line {block.line}"
            kind, _, rest = block.note.partition(": ")
            if kind == "file":
                (self.folder / rest).write_text(block.text, encoding="utf-8")
            elif kind == "notebook":
                self._add_cell(block, *rest.split())
            elif block.language == "console":
                for command in commands(block):
                    self._type(command)
            elif block.language in ("python", "pycon"):
                with contextlib.chdir(self.folder):
                    self._run(block, where)

    def _add_cell(self, block: Block, name: str, part: str = "") -> None:
        path = self.folder / name
        if part == "front":
            metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
            node = new_notebook(cells=[new_markdown_cell(f"---\n{block.text}---\n", id="front")], metadata=metadata)
            self.notebooks.append(path)
        else:
            node = nbformat.read(path, as_version=4)
            tags = {"tags": ["parameters"]} if part == "parameters" else {}
            node.cells.append(new_code_cell(block.text.rstrip("\n"), id=f"cell-{len(node.cells)}", metadata=tags))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(nbformat.writes(node)) + "\n", encoding="utf-8")

    def _run(self, block: Block, where: str) -> None:
        text = self._real(block.text)
        if block.language == "python":
            exec(compile(text, where, "exec"), self.names)
            return
        test = doctest.DocTestParser().get_doctest(text, self.names, where, str(self.path), block.line)
        report: list[str] = []
        doctest.DocTestRunner(optionflags=_FLAGS).run(test, out=report.append, clear_globs=False)
        self.names.update(test.globs)
        assert not report, "".join(report)

    def _type(self, command: Command) -> None:
        code, answer = self.call(self._real(command.text))
        where = f"{name_of(self.path)}, line {command.line}: {command.text}\n{answer}"
        assert code == command.code, f"exit code {code}, not {command.code}: {where}"
        left = [_squeezed(line) for line in answer.splitlines()]
        for line in command.shown:
            found = next((at for at, real in enumerate(left) if self._matches(line, real)), None)
            assert found is not None, f"not in the answer: {line!r}\n{where}"
            left = left[found + 1 :]

    def call(self, text: str) -> tuple[int, str]:
        """Types a line into a shell in the folder, and follows a ``cd``."""
        own = ("BRAGGBOOK_PROJECT", "BRAGGBOOK_RUNS")
        kept = {name: value for name, value in os.environ.items() if name not in own and not _TOKEN.search(name)}
        places = {f"BRAGGBOOK_{name.upper()}": str(self.tools / name) for name in ("archive", "cache", "vault")}
        path = f"{self.tools}{os.pathsep}{os.environ['PATH']}"
        environment = {**kept, **places, "PATH": path, "LC_ALL": "C.UTF-8"}
        place = self.tools / "place"
        line = f'{{ {text}\n}} 2>&1; code=$?; pwd > "{place}"; exit $code'
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            timeout=300,
            check=False,
        )
        self.folder = Path(place.read_text(encoding="utf-8").strip())
        return done.returncode, done.stdout

    def _real(self, text: str) -> str:
        """Returns a command with the real id wherever the page shows the beginning of one."""
        for shown, real in self.ids.items():
            text = re.sub(
                r"\b[0-9a-f]{5,24}\b", lambda m, s=shown, r=real: r[: len(m[0])] if s.startswith(m[0]) else m[0], text
            )
        for shown, real in self.archives.items():
            text = text.replace(f"10.5072/braggbook.{shown}", f"10.5072/braggbook.{real}")
        return text

    def _matches(self, line: str, real: str) -> bool:
        pattern = ".*".join(re.escape(part) for part in _squeezed(self._real(line)).split("..."))
        shown = [found[0] for found in _RUN_ID.finditer(line) if found[0] not in self.ids]
        for number, run_id in enumerate(dict.fromkeys(shown)):
            pattern = pattern.replace(run_id, f"(?P<run{number}>[0-9a-f]{{24}})", 1)
        archive = None if self.archives else _ARCHIVE_ID.search(line)
        if archive:
            pattern = pattern.replace(re.escape(archive[0]), r"10\.5072/braggbook\.(?P<archive>[a-z0-9]{6})", 1)
        match = re.fullmatch(pattern, real)
        if match:
            self.ids.update({run_id: match[f"run{number}"] for number, run_id in enumerate(dict.fromkeys(shown))})
            self.archives.update({archive[1]: match["archive"]} if archive else {})
        return bool(match)


def _squeezed(line: str) -> str:
    return " ".join(line.split())

"""The README's two commands: on the first screen, under the picture, and exactly what the gate runs."""

from __future__ import annotations

import re

from ..conftest import ROOT

FIRST_SCREEN = 24  # lines


def test_the_two_commands_are_on_the_first_screen_under_the_picture() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:FIRST_SCREEN]
    picture = next(number for number, line in enumerate(lines) if line.startswith("!["))
    commands = [number for number, line in enumerate(lines) if line.startswith("PIP_BREAK_SYSTEM_PACKAGES=1 ")]
    assert len(commands) == 2
    assert picture < commands[0]
    assert lines[commands[0]].endswith("uv run braggbook demo")
    assert " pytest --full" in lines[commands[1]]


def test_everything_that_the_readme_links_to_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    assert len(targets) > 3
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_gate_runs_the_readmes_own_lines() -> None:
    gate = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert """bash -c "$(line 'pytest --full')\"""" in gate
    assert """bash -c "$(line 'braggbook demo')\"""" in gate

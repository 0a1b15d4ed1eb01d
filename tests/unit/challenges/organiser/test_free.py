"""A scoring run holds the truth: when it may be published, and when not."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomlkit

from braggbook.challenges.closing import require_free
from braggbook.errors import InputError

from .desk import DAY, NOW, Desk


def _run(desk: Desk) -> Path:
    folder = desk.vault.runs / ("0" * 24)
    folder.mkdir(parents=True)
    return folder


def test_not_while_a_phase_goes_on(desk: Desk) -> None:
    run = _run(desk)
    with pytest.raises(InputError, match="a phase goes on, and the run holds the truth"):
        require_free(run, settings=desk.settings, now=NOW)
    require_free(run, settings=desk.settings, now=NOW + DAY)
    desk.vault.end(NOW.isoformat())
    require_free(run, settings=desk.settings, now=NOW)


def test_nothing_is_taken_in_after_the_end(desk: Desk) -> None:
    desk.open()
    desk.vault.end(NOW.isoformat())
    with pytest.raises(InputError, match="the challenge was closed"):
        desk.submit()


def test_never_where_the_truth_is_withheld(desk: Desk) -> None:
    run, path = _run(desk), desk.challenge.folder / "challenge.toml"
    design = tomlkit.parse(path.read_text()).unwrap()
    path.write_text(tomlkit.dumps(design | {"truth": "withheld", "why_withheld": "it comes back every year"}))
    with pytest.raises(InputError, match="the truth is withheld"):
        require_free(run, settings=desk.settings, now=NOW + DAY)


def test_other_runs_are_nobodys_concern(desk: Desk, tmp_path: Path) -> None:
    desk.challenge.folder.joinpath("challenge.toml").unlink()  # nobody asks a design
    require_free(tmp_path / "runs" / ("0" * 24), settings=desk.settings, now=NOW)
    with pytest.raises(InputError):
        require_free(_run(desk), settings=desk.settings, now=NOW)

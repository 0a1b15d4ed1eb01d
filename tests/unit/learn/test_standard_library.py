"""``bb.learn`` needs the standard library alone, so that it runs in a browser at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import braggbook

SOURCE = Path(braggbook.__file__).parents[1]


def test_checks_run_where_nothing_else_is_installed(lesson_path: Path, tmp_path: Path) -> None:
    program = f"""
import os, sys
os.environ["BRAGGBOOK_LEARN"] = {str(tmp_path / "learn")!r}
sys.path.insert(0, {str(SOURCE)!r})
import math
import braggbook as bb
from braggbook import learn, units
learn.begin({str(lesson_path)!r})
assert learn.check("q1", 2)
assert learn.check("q3", lambda dose_gy, alpha_per_gy: math.exp(-alpha_per_gy * dose_gy))
learn.hint("q1"); learn.progress(); learn.resume(learn.export("A", {str(tmp_path)!r}))
os.chdir({str(tmp_path)!r}); learn.take_away()
other = {{name.partition(".")[0] for name in sys.modules}} - set(sys.stdlib_module_names) - {{"__main__", "__mp_main__"}}
assert other == {{"braggbook"}}, other
"""
    done = subprocess.run([sys.executable, "-S", "-I", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_modules_that_are_imported_are_few(tmp_path: Path) -> None:
    """Budgets are counted: what a browser has to load before the first check."""
    program = f"import sys; sys.path.insert(0, {str(SOURCE)!r}); import braggbook.learn; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-S", "-I", "-c", program], capture_output=True, text=True, check=True)
    own = [name for name in done.stdout.split() if name.startswith("braggbook")]
    assert not {"braggbook.formats", "braggbook.settings", "braggbook.learn.classroom"} & set(own)
    assert len(own) <= 30

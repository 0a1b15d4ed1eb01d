"""The notebook's random generator: one recorded seed, and independent streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from braggbook.notebooks.random import rng


def _drawn(code: str, seed: str | None = None) -> Any:
    """Returns what a fresh interpreter draws with that seed in its environment."""
    env = {name: value for name, value in os.environ.items() if name != "BRAGGBOOK_SEED"}
    env |= {"BRAGGBOOK_SEED": seed} if seed is not None else {}
    script = f"import json\nimport braggbook as bb\nprint(json.dumps({code}))"
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_the_seed_of_the_environment_decides_and_is_0_without_one() -> None:
    draw = "bb.rng().integers(0, 2**60, 3).tolist()"
    assert _drawn(draw) == _drawn(draw, "0")
    assert _drawn(draw, "0") != _drawn(draw, "1")


def test_the_numbers_are_these_for_ever() -> None:
    # NumPy promises that SeedSequence and PCG64 stay as they are; if this changes, old runs no longer repeat
    draw = "[bb.rng(name).bit_generator.random_raw(2).tolist() for name in ('', 'bootstrap')]"
    assert _drawn(draw, "7") == [
        [11530976094092348043, 16550673365885938325],
        [1497528959810150726, 13332459821501378336],
    ]


def test_calls_with_one_name_share_one_generator() -> None:
    assert rng("a stream of this test") is rng("a stream of this test")
    first, second = rng("a stream of this test").random(2)
    assert first != second


def test_streams_do_not_depend_on_each_other_or_on_the_order_of_calls() -> None:
    alone = _drawn("bb.rng('b').random(3).tolist()")
    behind = _drawn("[bb.rng().random(5).tolist(), bb.rng('a').random(), bb.rng('b').random(3).tolist()][2]")
    assert alone == behind


@given(st.lists(st.text(max_size=6), min_size=2, max_size=5, unique=True))
def test_every_name_is_another_stream(names: list[str]) -> None:
    drawn = [rng.__wrapped__(name).bit_generator.random_raw() for name in names]
    assert len(set(drawn)) == len(names)

"""What runs in each process of `benchmarks/imaging.py`: calls by name, timed inside, the standard library alone."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any


def cpu_seconds() -> float:
    """Returns the processor time of this process and of those that it has ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def serve(calls: Mapping[str, Callable[..., Any]]) -> None:
    """Answers requests, one JSON object a line, until there are no more; what libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        call = calls[asked.pop("call")]
        cpu, start = cpu_seconds(), time.perf_counter()
        try:
            value = call(**asked)
            told = {"seconds": time.perf_counter() - start, "cpu_s": cpu_seconds() - cpu, "value": value}
        except Exception as error:
            traceback.print_exc()
            told = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(told) + "\n")
        answers.flush()

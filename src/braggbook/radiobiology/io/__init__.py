"""Readers and writers of what other programs wrote: Monte Carlo outputs, DNA damage, ion experiments.

Where to look: ``montecarlo`` (what every reader of a Monte Carlo output returns, and how it becomes a curve),
``topas``, ``shieldhit``, ``fluka``, ``root`` (one program each), ``let_benchmark`` (results of the DCPT benchmark),
``sdd`` (Standard DNA Damage), ``pide`` (a user's own copy of the PIDE database).

Nothing is imported before it is asked for: pymchelper and uproot, which some readers need, are an extra.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "fluka": ("fluka_binnings", "read_fluka_usrbin"),
    "let_benchmark": ("read_let_benchmark",),
    "montecarlo": ("Scoring", "depth_curve"),
    "pide": ("read_pide", "read_pide_entries"),
    "root": ("read_root_histogram", "read_root_tree", "root_contents"),
    "sdd": ("read_sdd", "read_sdd_header", "scan_sdd"),
    "sdd_check": ("check_sdd",),
    "sdd_write": ("write_sdd",),
    "shieldhit": ("read_shieldhit",),
    "topas": ("read_topas",),
}
_WHERE = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Scoring",
    "check_sdd",
    "depth_curve",
    "fluka_binnings",
    "read_fluka_usrbin",
    "read_let_benchmark",
    "read_pide",
    "read_pide_entries",
    "read_root_histogram",
    "read_root_tree",
    "read_sdd",
    "read_sdd_header",
    "read_shieldhit",
    "read_topas",
    "root_contents",
    "scan_sdd",
    "write_sdd",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

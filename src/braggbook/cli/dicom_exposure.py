"""``braggbook dicom exposure``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from braggbook.cli.face import Face, table, verb
from braggbook.errors import InputError
from braggbook.files import write_text

if TYPE_CHECKING:
    import pandas as pd

    from braggbook.imaging.dicom.exposure import Exposure

_SHOWN_ISSUES = 10  # --json has all
_TITLES = {  # column -> what stands above it on a terminal, and its unit
    "started": ("started", ""),
    "region": ("region", ""),
    "acquisition": ("acquisition", ""),
    "event": ("event", ""),
    "plane": ("plane", ""),
    "agent": ("agent", ""),
    "nuclide": ("nuclide", ""),
    "kvp_kv": ("kV", ""),
    "ctdi_vol_mgy": ("CTDIvol", "mGy"),
    "dlp_mgy_cm": ("DLP", "mGy cm"),
    "dap_gy_cm2": ("DAP", "Gy cm2"),
    "dose_rp_mgy": ("dose at RP", "mGy"),
    "average_glandular_dose_mgy": ("AGD", "mGy"),
    "activity_mbq": ("activity", "MBq"),
}
_SUMMED = ("dlp_mgy_cm", "dap_gy_cm2", "dose_rp_mgy", "average_glandular_dose_mgy", "activity_mbq")


@click.command("exposure")
@click.argument("path")
@click.option(
    "--csv",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write all columns of all events to this .csv file; it names patients as the reports do.",
)
@click.option(
    "--workers", type=click.IntRange(1), metavar="N", help="Processes to read with [default: one a processor]."
)
@verb
def command(face: Face, path: str, target: Path | None, workers: int | None) -> None:
    """Tabulate radiation dose reports (RDSR) in PATH: CTDIvol and DLP, or DAP, or activity, of every event.

    PATH is what inspect takes; what is no dose report is passed over. An event that two reports have is counted once.
    Stated totals are compared with the sum of their events.
    """
    if target is not None and target.suffix.lower() != ".csv":
        raise InputError("not the name of a table", where=str(target), wanted="--csv NAME.csv")
    from braggbook.imaging.dicom.exposure import read_exposure  # noqa: PLC0415 - help need not wait for it
    from braggbook.imaging.dicom.index import index_dicom  # noqa: PLC0415 - the same

    found = read_exposure(index_dicom(path, workers=workers, progress=face.bar))
    if target is not None:
        write_text(target, found.events.to_csv(index=False))
        face.say(f"{len(found.events)} events written to {target}")
    data = {
        "events": _records(found.events),
        "totals": _records(found.totals),
        "issues": [issue.as_json() for issue in found.issues],
    }
    face.emit(data, *_shown(found))


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): _plain(value) for name, value in row.items()} for row in rows.to_dict("records")]


def _plain(value: Any) -> Any:
    """Returns a value as JSON has it: nothing for NaN and for a time that is not known."""
    if hasattr(value, "isoformat"):
        return None if value != value else value.isoformat()  # noqa: PLR0124 - NaT alone is not itself
    return None if isinstance(value, float) and math.isnan(value) else value


def _shown(found: Exposure) -> list[Any]:
    """Returns a table for each patient and kind of event, with the sums, and what does not add up."""
    lines: list[Any] = []
    for (patient, kind), events in found.events.groupby(["patient_id", "kind"], sort=False):
        lines.append(Text("\n" + _text(f"patient {patient or '(no ID)'}, {kind}"), style="bold"))
        names = [name for name in _TITLES if any(map(_cell, events[name]))]
        rows = [tuple(_cell(row[name]) for name in names) for row in events.to_dict("records")]
        lines.append(table(*(" ".join(_TITLES[name]).strip() for name in names), rows=rows))
        sums = [_sum(events[name], *_TITLES[name]) for name in names if name in _SUMMED]
        lines.append(Text("; ".join([f"{len(events)} {'event' if len(events) == 1 else 'events'}", *sums])))
    lines += [Text("")] if found.issues else []
    lines += [Text(_text(f"look  {issue}"), style="yellow") for issue in found.issues[:_SHOWN_ISSUES]]
    more = len(found.issues) - _SHOWN_ISSUES
    return [*lines, Text(f"and {more:,} more findings (--json has all)")] if more > 0 else lines


def _sum(values: pd.Series[float], title: str, unit: str) -> str:
    known = values.dropna()
    partly = "" if len(known) == len(values) else f" of {len(known)} that say it"
    return f"{title} {known.sum():.6g} {unit}{partly}"


def _cell(value: Any) -> str:
    plain = _plain(value)
    if isinstance(plain, float):
        return f"{plain:.6g}"
    return "" if plain is None else _text(str(plain).replace("T", " ") if hasattr(value, "isoformat") else str(plain))


def _text(value: str) -> str:
    from braggbook.imaging.dicom.sources import printable  # noqa: PLC0415 - help need not wait for it

    return printable(value)


COMMANDS: dict[str, click.Command] = {"exposure": command}

"""``braggbook dicom inspect|convert|deidentify``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from braggbook.cli.face import Face, table, verb
from braggbook.errors import InputError, Issue

if TYPE_CHECKING:
    import xarray as xr

    from braggbook.imaging.dicom.index import Index
    from braggbook.imaging.dicom.instances import Series, Study

_SHOWN_ISSUES = 10  # of one kind; --json has all
_SHORTEST_NAME = 6  # characters of a UID's end
_FORMATS = ("zarr", "ome-zarr", "nifti")
_ENDINGS = {".ome.zarr": "ome-zarr", ".zarr": "zarr", ".nii": "nifti", ".nii.gz": "nifti"}


class _Group(click.Group):
    """Imports de-identification only when it is called or listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return ["inspect", "convert", "deidentify"]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name == "deidentify":
            from braggbook.cli.dicom_deidentify import COMMANDS as FOUND  # noqa: PLC0415 - slow to import

            return FOUND[name]
        return super().get_command(ctx, name)


@click.group("dicom", cls=_Group)
def group() -> None:
    """See, convert and de-identify DICOM."""


_workers = click.option(
    "--workers", type=click.IntRange(1), metavar="N", help="Processes; else one for each processor."
)


@group.command("inspect")
@click.argument("path")
@click.option(
    "--series",
    "uid",
    metavar="UID",
    help="All about one series: its UID or the end of it, or its modality or description if no other has it.",
)
@_workers
@verb
def inspect_command(face: Face, path: str, uid: str | None, workers: int | None) -> None:
    """List patients, studies, series and what is wrong with them, without reading a pixel.

    PATH is a folder with anything in it, a file, a DICOMDIR, a zip, or the address of a DICOMweb service.
    """
    from braggbook.imaging.dicom.index import index_dicom  # noqa: PLC0415 - help need not wait for it

    index = index_dicom(path, workers=workers, progress=face.bar)
    if uid:
        _show_series(face, index.find(uid))
        return
    names = _short_names([series.uid for series in index.series])
    data = {
        "where": index.where,
        "instances": len(index),
        "patients": [
            {"id": patient.id, "name": patient.name, "studies": [_study_data(study) for study in patient.studies]}
            for patient in index.patients
        ],
        "issues": [issue.as_json() for issue in index.issues],
    }
    counts = (
        f"{_count(len(index.patients), 'patient', 'patients')}, {_count(len(index.studies), 'study', 'studies')}, "
        f"{len(index.series)} series, {_count(len(index), 'object', 'objects')}"
    )
    face.emit(
        data,
        _series_table(index.series, names),
        *_warnings(index.series, names),
        *_issues(index.issues),
        Text(counts, style="bold"),
    )


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _study_data(study: Study) -> dict[str, Any]:
    return {
        "uid": study.uid,
        "date": study.date,
        "description": study.description,
        "series": [_series_data(series) for series in study.series],
    }


def _series_data(series: Series) -> dict[str, Any]:
    from braggbook.imaging.dicom.index import describe_series  # noqa: PLC0415 - help need not wait for it

    return {
        "uid": series.uid,
        "number": series.number,
        "modality": series.modality,
        "description": series.description,
        "instances": len(series),
        "frames": series.frames,
        **describe_series(series),
        "warnings": list(series.warnings),
    }


def _series_table(found: Sequence[Series], names: dict[str, str]) -> Table:
    rows = []
    for series in found:
        shape = _series_data(series)
        cells = (
            series.patient_id, series.tags.get("StudyDate"), series.modality, series.number, series.description,
            len(series), shape["size"], shape["orientation"], shape["spacing_mm"], names[series.uid],
        )  # fmt: skip
        rows.append(tuple(map(_cell, cells)))
    titles = ("patient", "study date", "modality", "number", "description", "count", "size", "orientation")
    return table(*titles, "spacing mm", "series", rows=rows)


def _cell(value: Any) -> str:
    """Returns what a file says as a terminal may show it: nothing in it is a command, to the terminal or to rich."""
    text = "\\".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return "" if value is None else escape(_plain(text))


def _short_names(uids: Sequence[str]) -> dict[str, str]:
    """Returns endings that tell the UIDs apart, as ``--series`` takes them."""
    names = {}
    for uid in uids:
        length = _SHORTEST_NAME
        while length < len(uid) and sum(other.endswith(uid[-length:]) for other in set(uids)) > 1:
            length += 1
        names[uid] = uid[-length:]
    return names


def _warnings(series: Sequence[Series], names: dict[str, str]) -> list[Text]:
    return [
        Text(_plain(f"look  {one.modality} {one.description} ({names[one.uid]}): {warning}"), style="yellow")
        for one in series
        for warning in one.warnings
    ]


def _issues(issues: Sequence[Issue]) -> list[Text]:
    """Returns the first findings of each kind, and how many more there are."""
    counts = Counter(issue.what for issue in issues)
    shown: Counter[str] = Counter()
    lines = []
    for issue in issues:
        shown[issue.what] += 1
        if shown[issue.what] <= _SHOWN_ISSUES:
            lines.append(Text(_plain(f"look  {issue}"), style="yellow"))
    rest = {what: count - _SHOWN_ISSUES for what, count in counts.items() if count > _SHOWN_ISSUES}
    return lines + [Text(f"and {count:,} more: {what} (--json has all)") for what, count in rest.items()]


def _plain(text: str) -> str:
    from braggbook.imaging.dicom.sources import printable  # noqa: PLC0415 - help need not wait for it

    return printable(text)


def _show_series(face: Face, series: Series) -> None:
    data = _series_data(series)
    files = [
        {"source": str(one.source), "sop_instance_uid": one.sop_instance_uid, "tags": dict(one.tags)} for one in series
    ]
    rows = [(name, _cell(value)) for name, value in data.items() if name != "warnings"]
    tags = [(_cell(name), _cell(value)) for name, value in sorted(series.tags.items())]
    face.emit(
        {**data, "files": files},
        table("series", "", rows=rows),
        *_warnings([series], {series.uid: series.uid}),
        Text(f"\nof the first of {_count(len(series), 'object', 'objects')}, {series.instances[0].source}:"),
        table("element", "value", rows=tags),
    )


@group.command("convert")
@click.argument("path")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="What to write.")
@click.option(
    "--series",
    "uid",
    metavar="UID",
    help="Which series: its UID or the end of it, or its modality or description if no other has it.",
)
@click.option("--part", type=click.IntRange(0), metavar="N", help="Which volume of a series that has several.")
@click.option("--to", "form", type=click.Choice(_FORMATS), help="What to write [default: by the ending of OUTPUT].")
@click.option(
    "--gaps", type=click.Choice(["refuse", "mark"]), default="refuse", help="Missing slices; marked with NaN."
)
@click.option("--tilt", type=click.Choice(["keep", "deskew", "refuse"]), default="keep", help="A tilted gantry.")
@click.option("--overwrite", is_flag=True, help="Replace what is there, if it is of the same kind.")
@_workers
@verb
def convert_command(
    face: Face,
    path: str,
    output: Path,
    uid: str | None,
    part: int | None,
    form: str | None,
    gaps: str,
    tilt: str,
    overwrite: bool,
    workers: int | None,
) -> None:
    """Write one series of PATH as a volume in patient coordinates (LPS, mm): Zarr, OME-Zarr or NIfTI.

    A series that is not one volume (a gap, mixed orientations, several echoes) is refused with the reason and the
    option that decides it.
    """
    form = _form(output, form)
    if not output.absolute().parent.is_dir():
        raise InputError("no folder to write to", where=str(output), next_command=f"mkdir -p {output.parent}")
    from braggbook.imaging.dicom.index import index_dicom  # noqa: PLC0415 - help need not wait for it
    from braggbook.imaging.dicom.read import read_dicom  # noqa: PLC0415 - the same

    index = index_dicom(path, workers=workers, progress=face.bar)
    options: dict[str, Any] = {"part": part, "gaps": gaps, "tilt": tilt}
    dataset = read_dicom(index.find(uid) if uid else _only(index), **options)
    _write(dataset, output, form, overwrite=overwrite, face=face)
    name = str(next(iter(dataset.data_vars)))
    volume = dataset[name]
    decisions = [str(decision) for decision in dataset.attrs.get("decisions", ())]
    data = {
        "output": str(output),
        "format": form,
        "variable": name,
        "dims": list(volume.dims),
        "shape": list(volume.shape),
        "units": volume.attrs.get("units", ""),
        "decisions": decisions,
    }
    size = ", ".join(f"{dim} {length}" for dim, length in volume.sizes.items())
    lines = [Text(_plain(f"look  {decision}"), style="yellow") for decision in decisions]
    face.emit(data, *lines, Text(f"{name} in {data['units']}: {size}"), Text(f"made  {output}"))


def _only(index: Index) -> Series:
    """Returns the only series of images."""
    images = [series for series in index.series if series.frames]
    if len(images) == 1:
        return images[0]
    raise InputError(
        f"{len(images) or 'no'} series of images",
        where=index.where,
        wanted="--series and one of these UIDs, or the end of one",
        next_command=f"braggbook dicom inspect {index.where}",
        issues=[Issue(_plain(f"{one.modality} {one.description}".strip()), one.uid) for one in images or index.series],
    )


def _form(output: Path, given: str | None) -> str:
    """Returns what to write, by the option or the ending, which must not disagree."""
    ending = next((ending for ending in _ENDINGS if output.name.lower().endswith(ending)), "")
    if not ending and (not given or given == "nifti"):
        wanted = "--to zarr|ome-zarr, or an ending " + ", ".join(_ENDINGS)
        raise InputError("an ending that does not say what to write", where=str(output), wanted=wanted)
    if given and ending and _ENDINGS[ending] != given and "nifti" in (given, _ENDINGS[ending]):
        raise InputError(
            "the ending and --to disagree", where=str(output), wanted=_ENDINGS[ending], got=f"--to {given}"
        )
    return given or _ENDINGS[ending]


def _write(dataset: xr.Dataset, output: Path, form: str, *, overwrite: bool, face: Face) -> None:
    if form == "nifti":
        from braggbook.imaging.store.nifti import write_nifti  # noqa: PLC0415 - only the writer that is used

        write_nifti(dataset, output, overwrite=overwrite)
    elif form == "ome-zarr":
        from braggbook.imaging.store.ome import write_ome  # noqa: PLC0415 - the same

        write_ome(dataset, output, overwrite=overwrite, progress=face.bar)
    else:
        from braggbook.imaging.store.zarr_store import write_volume  # noqa: PLC0415 - the same

        write_volume(dataset, output, overwrite=overwrite, progress=face.bar)


COMMANDS: dict[str, click.Command] = {"dicom": group}

"""``braggbook dicom``: ``inspect`` and ``convert`` are here, the other verbs in files of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from braggbook.cli.face import Face, table, verb
from braggbook.errors import InputError, Issue

if TYPE_CHECKING:
    import xarray as xr

    from braggbook.imaging.dicom.index import Index
    from braggbook.imaging.dicom.instances import Series, Study

_SHOWN_ISSUES = 10  # of one kind; --json has all
_TITLES = ("series", "modality", "objects", "size", "spacing mm", "plane", "description")
_ROOM = 24  # columns that a description needs to stand beside the rest, rather than below it
_SHORTEST_NAME = 6  # characters of a UID's end
_FORMATS = ("zarr", "ome-zarr", "nifti")
_ENDINGS = {".ome.zarr": "ome-zarr", ".zarr": "zarr", ".nii": "nifti", ".nii.gz": "nifti"}


class _Group(click.Group):
    """Imports a verb's module only when the verb is called, so that help is quick."""

    summaries = {
        "inspect": "List what is in a folder, without reading a pixel.",
        "convert": "Write one series as a volume: Zarr, OME-Zarr or NIfTI.",
        "quality": "Score what is in a folder, with every finding.",
        "exposure": "Tabulate dose reports: CTDIvol, DLP, DAP by event.",
        "deidentify": "De-identify files by DICOM PS3.15 annex E.",
    }  # fmt: skip

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.summaries)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in self.commands or name not in self.summaries:
            return super().get_command(ctx, name)
        module = __import__(f"braggbook.cli.dicom_{name}", fromlist=["COMMANDS"])
        return module.COMMANDS[name]  # type: ignore[no-any-return]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries.items()))


@click.group("dicom", cls=_Group)
def group() -> None:
    """See, convert, assess and de-identify DICOM."""


_workers = click.option(
    "--workers", type=click.IntRange(1), metavar="N", help="Processes to read with [default: one a processor]."
)
_series_option = click.option(
    "--series",
    "uid",
    metavar="SERIES",
    help="One series: the end of its UID as inspect shows it, or its modality or description if no other has it.",
)


@group.command("inspect")
@click.argument("path")
@_series_option
@_workers
@verb
def inspect_command(face: Face, path: str, uid: str | None, workers: int | None) -> None:
    """List patients, studies, series and what is wrong with them, without reading a pixel.

    PATH is a folder with anything in it, a file, a DICOMDIR, a zip, or the address of a DICOMweb service. Sizes and
    spacings are in the order z, y, x. With --series, all that is known of that one.
    """
    from braggbook.imaging.dicom.index import index_dicom  # noqa: PLC0415 - help need not wait for it

    index = index_dicom(path, workers=workers, progress=face.bar)
    if uid:
        _show_series(face, index.find(uid))
        return
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
    names = _short_names([series.uid for series in index.series])
    noted = [*_warnings(index.series, names), *_issues(index)]
    blank = [Text("")] if noted else []
    lines = [*_listing(index.studies, names, width=face.out.width), *blank, *noted]
    face.emit(data, *lines, Text(f"\n{counts}", style="bold"))


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


def _listing(studies: Sequence[Study], names: dict[str, str], *, width: int) -> Iterator[Text]:
    """Yields the series of each study as a table; where that is too wide, descriptions stand on lines of their own."""
    rows = [[_row(one, names) for one in study.series] for study in studies]
    wide = [max(cell_len(row[i]) for row in (_TITLES, *chain(*rows))) for i in range(len(_TITLES) - 1)]
    below = sum(wide) + 2 * len(wide) + _ROOM > width
    for study, members in zip(studies, rows, strict=True):
        title = f"patient {study.patient_id or '(no ID)'}, study of {_date(study.date)}"
        yield Text("\n" + _plain(f"{title}: {study.description}" if study.description else title), style="bold")
        yield Text(_laid_out(_TITLES[:-1] if below else _TITLES, wide), style="dim")
        for row in members:
            yield Text(_laid_out(row[:-1] if below else row, wide))
            if below and row[-1]:
                yield Text(" " * (wide[0] + 2) + row[-1], style="dim")


def _date(text: str) -> str:
    """Returns a DICOM date as people read it, where it is one."""
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 and text.isdigit() else text or "unknown date"


def _row(series: Series, names: dict[str, str]) -> tuple[str, ...]:
    shape = _series_data(series)
    cells = (series.modality, str(len(series)), shape["size"], shape["spacing_mm"], shape["orientation"])
    return tuple(map(_plain, (names[series.uid], *cells, series.description or "")))


def _laid_out(cells: Sequence[str], wide: Sequence[int]) -> str:
    padded = [set_cell_size(cell, width) for cell, width in zip(cells, wide, strict=False)]
    return "  ".join([*padded, *cells[len(wide) :]]).rstrip()


def _cell(value: Any) -> str:
    """Returns what a file says as a table may show it: nothing in it is a command, to the terminal or to rich."""
    text = "\\".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return "" if value is None else _plain(text)


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


def _issues(index: Index) -> Iterator[Text]:
    """Yields the findings by kind, the first of each; those that are only a name share a line."""
    for what, found in groupby(sorted(index.issues, key=lambda issue: issue.what), key=lambda issue: issue.what):
        members = list(found)
        first, more = members[:_SHOWN_ISSUES], len(members) - _SHOWN_ISSUES
        if any(issue.wanted or issue.got for issue in members):
            yield from (Text(_plain(f"look  {issue}"), style="yellow") for issue in first)
            if more > 0:
                yield Text(f"and {more:,} more: {what} (--json has all)")
        else:
            named = ", ".join(_within(issue.where, index.where) for issue in first)
            rest = f" and {more:,} more (--json has all)" if more > 0 else ""
            yield Text(_plain(f"{what}: {named}{rest}"), style="yellow")


def _within(path: str, folder: str) -> str:
    return path.removeprefix(folder.rstrip("/") + "/")


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
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="What to write: NAME.nii.gz, NAME.nii, NAME.zarr or NAME.ome.zarr.",
)
@_series_option
@click.option(
    "--part",
    type=click.IntRange(0),
    metavar="N",
    help="Which volume of a series that has several (echoes, phases, b-values, orientations).",
)
@click.option("--to", "form", type=click.Choice(_FORMATS), help="The format [default: by the ending of --output].")
@click.option(
    "--gaps",
    type=click.Choice(["refuse", "mark"]),
    default="refuse",
    show_default=True,
    help="What to do where slices are missing: write nothing, or put slices of NaN in their places.",
)
@click.option(
    "--tilt",
    type=click.Choice(["keep", "deskew", "refuse"]),
    default="keep",
    show_default=True,
    help="What to do with slices of a tilted gantry: keep them, with a skewed affine; shear them back, by "
    "interpolation; or write nothing.",
)
@click.option(
    "--nifti-version",
    type=click.Choice(["1", "2"]),
    help="1 keeps positions in single precision; 2 in double, but SimpleITK and 3D Slicer do not open it [default: 1, "
    "where it is good to 1e-4 mm].",
)
@click.option("--overwrite", is_flag=True, help="Replace what is there, if it is of the same format.")
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
    nifti_version: str | None,
    overwrite: bool,
    workers: int | None,
) -> None:
    """Write one series of PATH as a volume in patient coordinates (LPS, mm): Zarr, OME-Zarr or NIfTI.

    PATH is what inspect takes. CT is written in HU, PET in its stated unit, dose in Gy. A series that is not one volume
    (a gap, mixed orientations, several echoes) is refused with the reason and the option that decides it.
    """
    form = _form(output, form)
    if nifti_version and form != "nifti":
        raise InputError("--nifti-version is of NIfTI alone", wanted="--output NAME.nii.gz", got=str(output))
    if not output.absolute().parent.is_dir():
        raise InputError("no folder to write to", where=str(output), next_command=f"mkdir -p {output.parent}")
    from braggbook.imaging.dicom.index import index_dicom  # noqa: PLC0415 - help need not wait for it
    from braggbook.imaging.reading import read_dicom  # noqa: PLC0415 - the same

    index = index_dicom(path, workers=workers, progress=face.bar)
    options: dict[str, Any] = {"part": part, "gaps": gaps, "tilt": tilt}
    dataset = read_dicom(index.find(uid) if uid else _only(index), **options)
    more = _write(dataset, output, form, version=int(nifti_version or 0), overwrite=overwrite, face=face)
    data = {"output": str(output), "format": form, **_volume_data(dataset), **more}
    size = ", ".join(f"{dim} {length}" for dim, length in zip(data["dims"], data["shape"], strict=True))
    unit = "no unit" if data["units"] == "1" else data["units"]
    face.emit(
        data,
        *(Text(_plain(f"look  {decision}"), style="yellow") for decision in data["decisions"]),
        Text(f"{data['variable']}, {unit}: {size}; voxels of {_spacing(data['spacing_mm'])} mm"),
        *([Text(_precision(output, **more))] if more else []),
        Text(f"made  {output}"),
    )


def _precision(output: Path, *, nifti_version: int, position_error_mm: float) -> str:
    if not position_error_mm:
        return f"NIfTI-{nifti_version}, positions exact"
    card = f"{output.name.removesuffix('.gz').removesuffix('.nii')}.json"
    return f"NIfTI-{nifti_version}, positions within {position_error_mm:.1g} mm; exact in {card}"


def _volume_data(dataset: xr.Dataset) -> dict[str, Any]:
    from braggbook.imaging.volumes import grid_of  # noqa: PLC0415 - help need not wait for it

    name = str(next(iter(dataset.data_vars)))
    volume = dataset[name]
    return {
        "variable": name,
        "dims": list(volume.dims),
        "shape": list(volume.shape),
        "spacing_mm": list(grid_of(volume).spacing_mm),
        "units": volume.attrs.get("units", ""),
        "decisions": [str(decision) for decision in dataset.attrs.get("decisions", ())],
    }


def _spacing(values: Sequence[float]) -> str:
    return " x ".join(f"{value:.4g}" for value in values)


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


def _write(
    dataset: xr.Dataset, output: Path, form: str, *, version: int, overwrite: bool, face: Face
) -> dict[str, Any]:
    """Writes a volume, and returns what is to be said of its format."""
    if form == "nifti":
        from braggbook.imaging.store.nifti import nifti_version, write_nifti  # noqa: PLC0415 - only the one used

        chosen, lost = nifti_version(dataset, version or None)  # type: ignore[arg-type] # click knows 1 and 2 alone
        write_nifti(dataset, output, overwrite=overwrite, version=chosen)  # type: ignore[arg-type]
        return {"nifti_version": chosen, "position_error_mm": lost}
    if form == "ome-zarr":
        from braggbook.imaging.store.ome import write_ome  # noqa: PLC0415 - the same

        write_ome(dataset, output, overwrite=overwrite, progress=face.bar)
    else:
        from braggbook.imaging.store.zarr_store import write_volume  # noqa: PLC0415 - the same

        write_volume(dataset, output, overwrite=overwrite, progress=face.bar)
    return {}


COMMANDS: dict[str, click.Command] = {"dicom": group}

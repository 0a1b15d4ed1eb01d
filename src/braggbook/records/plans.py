"""What a person names, planned: a run, a dataset, a sweep, or the board of a closed challenge."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypedDict

from braggbook.datasets.catalogue import FOLDER as DATASETS
from braggbook.datasets.catalogue import find_dataset, list_datasets, open_dataset
from braggbook.errors import InputError, UnknownName, closest
from braggbook.formats.board import CLOSED_NAME
from braggbook.formats.dataset import CARD_NAME
from braggbook.formats.record import Relation
from braggbook.notebooks.catalogue import notebook_paths
from braggbook.progress import Progress
from braggbook.records.board_plan import BOARDS, plan_board, read_closed
from braggbook.records.dataset_plan import plan_dataset
from braggbook.records.run_plan import Planned, place_of, plan_run, software_identifier
from braggbook.records.sweep_plan import plan_sweep_record
from braggbook.runs.folder import RECORD as RUN_RECORD
from braggbook.runs.folder import run_folders
from braggbook.runs.scrub import Scrubber, make_scrubber
from braggbook.runs.sweep_folder import RECORD as SWEEP_RECORD
from braggbook.runs.sweep_folder import sweep_folders
from braggbook.settings import Settings

Publishable = Literal["run", "dataset", "sweep", "board"]
_MARKS: dict[str, Publishable] = {
    RUN_RECORD: "run", SWEEP_RECORD: "sweep", CARD_NAME: "dataset", CLOSED_NAME: "board",
}  # fmt: skip
_REFERENCE = re.compile(r"[a-z][a-z0-9_]*@[1-9][0-9]*")
_CITATION = "CITATION.cff"


def plan_what(
    what: str,
    *,
    settings: Settings,
    archive: str,
    version_of: str | None = None,
    relations: Sequence[Relation] = (),
    progress: Progress | None = None,
) -> tuple[Planned, Path]:
    """Plans to publish what a person names.

    Args:
        what: A run or a sweep by its id, the beginning of it, or its folder; a dataset by ``slug``, ``slug@version`` or
            its folder; the board of a closed challenge by the challenge's slug, or its folder.
        settings: Where runs, datasets and the cache are.
        archive: Where it shall go, as a person names it.
        version_of: DOI of the record whose next version this is.
        relations: What else it stands in a relation to, such as an earlier run that it is a variant of.
        progress: Is told which file of a dataset is looked at.

    Returns:
        The plan, and the folder of its deposit. The zip that would be sent lies in that folder.

    Raises:
        UnknownName: Nothing is named so.
        InputError: It cannot be published as it is; everything that is in the way is listed.
    """
    kind, folder = find_what(what, settings=settings)
    common: _Common = {"scrubber": _scrubber(settings), "version_of": version_of, "relations": relations}
    if kind == "dataset":
        dataset = open_dataset(folder)
        place = place_of(settings.runs / dataset.reference, archive)
        return plan_dataset(dataset, place, settings=settings, progress=progress, **common), place
    software = software_identifier(settings.project / _CITATION)
    if kind == "run":
        place = place_of(folder, archive)
        return plan_run(folder, place, software=software, **common), place
    if kind == "board":
        place = place_of(settings.runs / read_closed(folder).challenge, archive)
        return plan_board(folder, place, project=settings.project, software=software, **common), place
    place = place_of(settings.runs / folder.name, archive)
    return plan_sweep_record(folder, place, software=software, **common), place


class _Common(TypedDict):
    scrubber: Scrubber
    version_of: str | None
    relations: Sequence[Relation]


def find_what(what: str, *, settings: Settings) -> tuple[Publishable, Path]:
    """Returns what a person names, and its folder.

    Raises:
        UnknownName: Nothing is named so.
        InputError: Several things are.
    """
    if "/" in what or (Path(what).is_dir() and _kind_of(Path(what))):
        return _in_folder(Path(what).absolute())
    if _REFERENCE.fullmatch(what):
        return "dataset", find_dataset(what, project=settings.project).folder
    found = _named(what, settings)
    if exact := [one for one in found if one[1].name == what]:
        found = exact[:1] if len({kind for kind, _ in exact}) == 1 else exact
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(f"{folder.name} ({kind})" for kind, folder in found[:10])
        raise InputError("several things are named so", wanted="more of the name", got=f"{what!r}: {names}")
    raise _unknown(what, settings)


def _in_folder(folder: Path) -> tuple[Publishable, Path]:
    kind = _kind_of(folder)
    if kind is None:
        wanted = "a folder with " + ", ".join(_MARKS)
        got = "no such folder" if not folder.is_dir() else "none of them"
        raise InputError("nothing to publish there", where=str(folder), wanted=wanted, got=got)
    return kind, folder


def _kind_of(folder: Path) -> Publishable | None:
    return next((kind for mark, kind in _MARKS.items() if (folder / mark).is_file()), None)


def _named(what: str, settings: Settings) -> list[tuple[Publishable, Path]]:
    found: list[tuple[Publishable, Path]] = []
    if not what:
        return found
    found += [("run", path) for path in run_folders(settings.runs) if path.name.startswith(what)]
    found += [("sweep", path) for path in sweep_folders(settings.runs) if path.name.startswith(what)]
    if (settings.project / DATASETS / what / CARD_NAME).is_file():
        found.append(("dataset", settings.project / DATASETS / what))
    if (settings.runs / BOARDS / what / CLOSED_NAME).is_file():
        found.append(("board", settings.runs / BOARDS / what))
    return found


def _unknown(what: str, settings: Settings) -> InputError:
    datasets = list(list_datasets(settings.project))
    if what in notebook_paths(settings.project):
        wanted, command = "a run of it", f"braggbook run {what}, then publish the run that it names"
    else:
        boards = [path.parent.name for path in (settings.runs / BOARDS).glob(f"*/{CLOSED_NAME}")]
        runs = [path.name for path in (*run_folders(settings.runs), *sweep_folders(settings.runs))]
        known = [*runs, *datasets, *boards]
        wanted, command = closest(what, known), "braggbook list run, braggbook list dataset"
    return UnknownName(f"no run, dataset or sweep named {what!r}, nor a board", wanted=wanted, next_command=command)


def _scrubber(settings: Settings) -> Scrubber:
    places = {"project": settings.project, "cache": settings.cache, "runs": settings.runs}
    mirror = {"mirror": settings.data_mirror} if settings.data_mirror else {}
    return make_scrubber(places, mirror, vocabulary="")

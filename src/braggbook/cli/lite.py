"""``braggbook lite build``."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from braggbook.cli.face import Face, verb
from braggbook.lite import pins
from braggbook.lite.build import Wishes, build_site

_PATH = click.Path(path_type=Path)


@click.group("lite")
def group() -> None:
    """Notebooks in the browser, without any server."""


@group.command("build")
@click.option("--to", type=_PATH, required=True, help="The folder of the site: empty, or not there yet.")
@click.option(
    "--notebooks", "-n", multiple=True, metavar="NOTEBOOK|FOLDER", help="What to open there [default: the tutorials]."
)
@click.option(
    "--pyodide",
    default=pins.PUBLIC_ADDRESS,
    envvar="BRAGGBOOK_PYODIDE",
    metavar="URL|FOLDER",
    show_default=True,
    help="Where NumPy and its kin come from: an address that readers' browsers ask, or a folder that is copied from.",
)
@click.option(
    "--core", type=click.Path(path_type=Path, exists=True), metavar="FOLDER|TARBALL",
    help="Pyodide itself, where npm cannot fetch it.",
)  # fmt: skip
@click.option("--binder", default="", metavar="URL", help="The repository on Binder, for what needs a server.")
@verb
def build(face: Face, to: Path, notebooks: tuple[str, ...], pyodide: str, core: Path | None, binder: str) -> None:
    """Build a site of static files in which notebooks run in the reader's own browser.

    \b
    braggbook lite build --to site
    python3 -m http.server --directory site
    """
    wishes = Wishes(notebooks=notebooks, pyodide=pyodide, core=core, binder=binder.rstrip("/"))
    site = build_site(to.absolute(), wishes, settings=face.settings, say=face.say)
    data = {
        "folder": str(site.folder),
        "notebooks": list(site.notebooks),
        "files": site.files,
        "bytes": site.bytes,
        "packages_from": site.packages_from,
    }
    held = f"{len(site.notebooks)} notebooks, {site.files} files, {site.bytes / 1e6:.0f} MB in {to}"
    face.emit(data, Text(held), Text(f"look at it: python3 -m http.server --directory {to}"))


COMMANDS = {"lite": group}

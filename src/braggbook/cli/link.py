"""``braggbook link``."""

from __future__ import annotations

from typing import Any

import click

from braggbook.binder.launch import HUB
from braggbook.binder.link import LOCAL_BADGE, WHERE, Wanted, make_link
from braggbook.cli.face import Face, verb
from braggbook.cli.run import read_parameters
from braggbook.notebooks.catalogue import find_notebook

_SYNTAXES = ("markdown", "html", "rst")


@click.command("link")
@click.argument("notebook")
@click.option(
    "-p",
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A value that the notebook is opened with; a number may carry a unit.",
)
@click.option("--to", type=click.Choice(WHERE), help="Where it is published [default: where git's remote is].")
@click.option("--ref", default="", help="A commit, tag or branch [default: the commit that lies here].")
@click.option("--repository", default="", metavar="OWNER/NAME", help="The repository [default: git's remote].")
@click.option("--doi", default="", help="DOI of the version of a Zenodo record that holds the repository.")
@click.option("--hub", default=HUB, show_default=True, help="Address of the BinderHub.")
@click.option("--badge", type=click.Choice(_SYNTAXES), help="Print this badge alone.")
@click.option(
    "--image",
    default="",
    metavar="PLACE",
    help=f"The badge's picture, for instance {LOCAL_BADGE} [default: the BinderHub's].",
)
@verb
def command(
    face: Face,
    notebook: str,
    parameters: tuple[str, ...],
    to: str | None,
    ref: str,
    repository: str,
    doi: str,
    hub: str,
    badge: str | None,
    image: str,
) -> None:
    """Print the link that opens NOTEBOOK on Binder, with these values for its parameters, and a badge.

    The link leads to the commit that lies here, which must be pushed, so that it opens the same for ever.
    """
    source = find_notebook(notebook, project=face.settings.project)
    given = read_parameters(parameters, ())
    link = make_link(source, given, Wanted(to=to or "", ref=ref, repository=repository, doi=doi, hub=hub))
    badges = {syntax: link.badge(syntax, image=image) for syntax in _SYNTAXES}
    launch = link.launch
    data: dict[str, Any] = {
        "url": launch.url, "provider": launch.provider, "repository": launch.repository, "ref": launch.ref or None,
        "path": launch.path, "parameters": dict(launch.values), "pinned": launch.pinned, "badges": badges,
        "notes": list(link.notes),
    }  # fmt: skip
    shown = [badges[badge]] if badge else [launch.url, "", *(badges[syntax] for syntax in _SYNTAXES)]
    for note in link.notes:
        face.say(f"note: {note}")
    if badge and not face.json:
        click.echo(shown[0])
        return
    if face.json:
        face.emit(data)
        return
    for line in shown:
        click.echo(line)  # a link must not be folded


COMMANDS = {"link": command}

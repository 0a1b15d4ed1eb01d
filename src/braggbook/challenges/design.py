"""A challenge of a project: its folder, its design, and what belongs to it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from braggbook.datasets.catalogue import TWIN, Dataset, open_dataset
from braggbook.errors import InputError, Issue, UnknownName, unknown_name
from braggbook.files import canonical_json, sha256_bytes
from braggbook.formats.challenge import CHALLENGE_FORMAT, Design, Phase, Split
from braggbook.formats.common import CHALLENGE_NAME, SLUG, issues_from, read_toml, shown
from braggbook.formats.submission import SEALED_NAME, Sealed
from braggbook.notebooks.source import Notebook, read_notebook

FOLDER = "challenges"
SCORER, BASELINE, EXAMPLE = "score.ipynb", "baseline.ipynb", "example_submission"
INPUTS, TRUTH, ESTIMATE = "inputs", "truth", "estimate"  # the datasets of a challenge, always version 1
_FORMAT = re.compile(r"braggbook\.challenge/[1-9]\d*")


@dataclass(frozen=True)
class Challenge:
    """A challenge: its design, and the folder that it lies in."""

    slug: str
    folder: Path
    design: Design

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the design, however its file is laid out, without keys at their defaults (more may come)."""
        return sha256_bytes(canonical_json(self.design.model_dump(mode="json", exclude_defaults=True)))

    @cached_property
    def scorer(self) -> Notebook:
        """The scoring notebook."""
        return read_notebook(self.folder / SCORER)

    def twin(self, name: str) -> Dataset:
        """Returns one of the public twin's datasets: inputs, truth or estimate."""
        return open_dataset(self.folder / TWIN / name)

    @property
    def sealed(self) -> Sealed | None:
        """What is public of the hidden cases; None while the challenge was not opened."""
        path = self.folder / SEALED_NAME
        if not path.is_file():
            return None
        try:
            return Sealed.model_validate(json.loads(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            raise InputError("the seal is not valid", issues=issues_from(error, where=SEALED_NAME)) from None
        except (OSError, ValueError, RecursionError) as error:
            raise InputError("the seal cannot be read", where=str(path), got=str(error)) from None

    def opened(self, split: Split) -> Sealed:
        """Returns what is public of the hidden cases, once those of a split are open.

        Raises:
            InputError: They are not.
        """
        sealed = self.sealed
        if sealed is None or sealed.latest(split) is None:
            command = f"braggbook challenge open {self.slug} --split {split} --inputs DIR --truth DIR"
            raise InputError("the challenge was not opened", where=f"split {split}", next_command=command)
        return sealed

    def phase(self, id: str | None = None) -> Phase:
        """Returns a phase; the only one where none is named.

        Raises:
            UnknownName: There is no such phase, or there are several.
        """
        phases = {phase.id: phase for phase in self.design.phases}
        if id is None and len(phases) == 1:
            return self.design.phases[0]
        command = f"braggbook show challenge {self.slug}"
        if id is None:
            wanted = f"--phase {' or '.join(phases)}"
            raise UnknownName("which phase? there are several", where=self.slug, wanted=wanted, next_command=command)
        if id not in phases:
            raise unknown_name(f"phase of {self.slug}", id, phases, next_command=command)
        return phases[id]

    def option(self, phase: str) -> str:
        """Returns how a phase is named in a command: not at all, where there is only one."""
        return f" --phase {phase}" if len(self.design.phases) > 1 else ""


def challenge_folders(project: Path) -> dict[str, Path]:
    """Returns the folder of every challenge by its slug."""
    return {card.parent.name: card.parent for card in sorted((project / FOLDER).glob(f"*/{CHALLENGE_NAME}"))}


def find_challenge(name: str, *, project: Path) -> Challenge:
    """Reads a challenge by its slug in the project, or by its folder.

    Raises:
        UnknownName: There is none.
        InputError: Its design cannot be used; all findings are listed.
    """
    if "/" in name or (Path(name) / CHALLENGE_NAME).is_file():
        return open_challenge(Path(name).absolute())
    folders = challenge_folders(project)
    if name not in folders:
        raise unknown_name("challenge", name, folders, next_command="braggbook list challenge")
    return open_challenge(folders[name])


def open_challenge(folder: Path) -> Challenge:
    """Reads the challenge in one folder.

    Raises:
        InputError: Its design cannot be used; all findings are listed.
    """
    command = f"braggbook challenge check {folder.name}"
    path = folder / CHALLENGE_NAME
    keys, lines = read_toml(path, what="challenge's design", error=InputError, next_command=command)
    _check_format(keys, path, command=command)
    issues: tuple[Issue, ...] = ()
    if SLUG.fullmatch(folder.name) is None:
        wanted = "small letters, digits and _, beginning with a letter"
        issues = (Issue("the folder's name is not a slug", CHALLENGE_NAME, wanted, shown(folder.name)),)
    try:
        design = Design.model_validate(keys)
    except ValidationError as error:
        issues += issues_from(error, where=CHALLENGE_NAME, known=Design, lines=lines)
    if issues:
        raise InputError("the design is not valid", where=str(path), issues=issues, next_command=command)
    return Challenge(folder.name, folder, design)


def _check_format(keys: dict[str, Any], path: Path, *, command: str) -> None:
    """Looks at the format before anything else, for what a newer one means cannot be known."""
    text = keys.get("format")
    if text == CHALLENGE_FORMAT:
        return
    if isinstance(text, str) and _FORMAT.fullmatch(text):
        raise InputError(
            "the design was written for a newer Braggbook", where=f"{path} format", wanted=CHALLENGE_FORMAT,
            got=shown(text), next_command="python3 -m pip install --upgrade braggbook",
        )  # fmt: skip
    what = "not a challenge's design: its format is not known" if "format" in keys else "the key 'format' is missing"
    got = shown(text) if "format" in keys else ""
    raise InputError(what, where=str(path), wanted=f'format = "{CHALLENGE_FORMAT}"', got=got, next_command=command)

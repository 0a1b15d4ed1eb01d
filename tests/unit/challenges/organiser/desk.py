"""A challenge in the hands of an organiser: made anew in a project of its own, with hidden cases and a clock."""

from __future__ import annotations

import datetime
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit

from braggbook.challenges.design import Challenge, open_challenge
from braggbook.challenges.scaffold import new_challenge
from braggbook.challenges.sealing import open_split
from braggbook.challenges.submissions import submit
from braggbook.challenges.vault import Vault, open_vault
from braggbook.datasets.catalogue import open_dataset
from braggbook.files import sha256_bytes
from braggbook.formats.dataset import CARD_NAME, write_card
from braggbook.formats.submission import SealedSplit, Submission
from braggbook.settings import Settings

ROOT = Path(__file__).parents[4]
NOW = datetime.datetime(2027, 3, 1, 12, 0, tzinfo=datetime.UTC)
HOUR, DAY = datetime.timedelta(hours=1), datetime.timedelta(days=1)
CASES = {"k1": (0.25, 0.5), "k2": (1.0, 1.0), "k3": (2.25, 1.5), "k4": (4.0, 2.0)}  # signal, value


@dataclass
class Desk:
    """What an organiser has before him."""

    settings: Settings
    challenge: Challenge
    vault: Vault
    folder: Path

    def draw(self, name: str = "drawn", **values: float) -> tuple[Path, Path]:
        """Writes hidden inputs and truth; ``values`` replace true values by case."""
        place = self.folder / name
        cases = {case: (signal, values.get(case, value)) for case, (signal, value) in CASES.items()}
        for dataset, file, column in (("inputs", "cases.csv", 0), ("truth", "truth.csv", 1)):
            shutil.copytree(self.challenge.folder / "twin" / dataset, place / dataset)
            header = ("signal", "value")[column]
            rows = [f"{case},{pair[column]}" for case, pair in cases.items()]
            write_table(place / dataset, file, "\n".join([f"case,{header}", *rows, ""]))
        return place / "inputs", place / "truth"

    def open(self, **values: float) -> SealedSplit:
        inputs, truth = self.draw(f"drawn{len(list(self.folder.iterdir()))}", **values)
        because = "a slip" if values else ""
        return open_split(self.challenge, self.vault, "final", inputs=inputs, truth=truth, now=NOW, because=because)

    def predictions(self, **values: Any) -> Path:
        path = self.folder / "predictions.csv"
        said = {case: pair[1] for case, pair in CASES.items()} | values
        path.write_text("case,value\n" + "".join(f"{case},{value}\n" for case, value in said.items()))
        return path

    def submit(self, source: Path | None = None, *, team: str = "One", now: datetime.datetime = NOW) -> Submission:
        source = source or self.predictions()
        phase = self.challenge.phase()
        return submit(self.challenge, self.vault, source, phase=phase, team=team, accepted=True, now=now)


def write_table(folder: Path, file: str, text: str) -> None:
    """Puts another table into a dataset's folder, and into its card."""
    dataset = open_dataset(folder)
    data = text.encode()
    entry = dataset.file(file).model_copy(update={"sha256": sha256_bytes(data), "bytes": len(data)})
    (folder / file).write_bytes(data)
    write_card(folder / CARD_NAME, dataset.card.model_copy(update={"files": (entry,)}))


def make_desk(folder: Path, **phase: Any) -> Desk:
    """Makes a new challenge whose only phase is open for a day around ``NOW``."""
    project = folder / "project"
    (project / "notebooks").mkdir(parents=True)
    shutil.copytree(ROOT / "kernels", project / "kernels")
    challenge = new_challenge("signals", project=project)
    for name in ("score.ipynb", "baseline.ipynb"):
        path = challenge.folder / name
        path.write_text(path.read_text().replace("Your Name", "Ada Lovelace"))
    edit(challenge.folder, **{"opens": NOW - DAY, "closes": NOW + DAY, **phase})
    settings = Settings(project, folder / "runs", folder / "cache", folder / "archive", folder / "vault")
    return Desk(settings, open_challenge(challenge.folder), open_vault("signals", settings=settings), folder)


def edit(folder: Path, **phase: Any) -> None:
    """Changes keys of the design's first phase."""
    path = folder / "challenge.toml"
    design = tomlkit.parse(path.read_text()).unwrap()
    design["phases"][0] |= phase
    design["organisation"]["organisers"] = [{"name": "Ada Lovelace"}]
    path.write_text(tomlkit.dumps(design))

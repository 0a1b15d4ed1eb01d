"""A hub or a worker as a process of its own, with an evaluator that executes nothing: to be killed.

``python hub_process.py serve|work FOLDER DATABASE PORT``; FOLDER is what :func:`open_challenge_now` was given.
"""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn

from braggbook.challenges.design import find_challenge
from braggbook.challenges.vault import open_vault
from braggbook.hub import entries
from braggbook.hub.app import make_app
from braggbook.hub.config import HubConfig
from braggbook.hub.desk import Desk
from braggbook.hub.operations.logs import set_up
from braggbook.hub.store.database import Database
from braggbook.hub.work.worker import Worker
from braggbook.settings import Settings
from braggbook.testing.challenges import SLUG, Open, QuickEvaluator


def desk_of(folder: Path, database: str) -> Desk:
    """Returns the desk of a hub whose files lie in a folder."""
    project = folder / "project"
    settings = Settings(
        project=project,
        runs=project / "runs",
        cache=folder / "cache",
        archive=folder / "archive",
        vault=folder / "vault",
    )
    data = folder / "hub"
    (data / "spool").mkdir(parents=True, exist_ok=True)
    desk = Desk(settings, HubConfig(data=data, database=database), Database(database))
    desk.database.migrate()
    return desk


def main(role: str, folder: str, database: str, port: str) -> None:
    """Does one of the two."""
    set_up("text")
    desk = desk_of(Path(folder), database)
    if role == "work":
        settings = desk.settings
        opened = Open(find_challenge(SLUG, project=settings.project), open_vault(SLUG, settings=settings), settings)
        Worker(desk, evaluator=QuickEvaluator(opened)).run()
    else:
        entries.recover(desk)
        uvicorn.run(make_app(desk), port=int(port), log_config=None, lifespan="off")


if __name__ == "__main__":
    main(*sys.argv[1:])

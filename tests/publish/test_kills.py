"""A command that is killed at any step, then given again, ends in one record and no stray draft."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from queue import Queue

import pytest

from braggbook.records.folder import FolderArchive
from braggbook.records.serve import ArchiveServer, Do, Fault

from .desk import Desk, Fork, assert_nobody_saw_the_token, assert_one_record, processes_with_the_token

pytestmark = pytest.mark.full


def kill_at(server: ArchiveServer, *, method: str, path: str, after: bool) -> Callable[[Fork], None]:
    """Orders the server to kill the process that asks for something, before or after doing it."""
    asking: Queue[Fork] = Queue()

    def act(_call: object) -> None:
        assert processes_with_the_token() == []
        asking.get().kill()

    server.faults.add(Fault(Do(act, after=after), method=method, path=path))
    return asking.put


LEGACY = "/api/deposit/depositions"
KILLS = {
    ("zenodo", "begun", False): ("push", "POST", LEGACY),
    ("zenodo", "begun", True): ("push", "POST", LEGACY),
    ("zenodo", "drafted", False): ("push", "PUT", "/api/files/*"),
    ("zenodo", "drafted", True): ("push", "PUT", "/api/files/*"),
    ("zenodo", "publishing", False): ("mint", "POST", "*/actions/publish"),
    ("zenodo", "publishing", True): ("mint", "POST", "*/actions/publish"),
    ("zenodo", "published", False): ("mint", "GET", "*/content"),
    ("invenio", "begun", True): ("push", "POST", "/api/records"),
    ("invenio", "drafted", True): ("push", "PUT", "*/content"),
    ("invenio", "publishing", True): ("mint", "POST", "*/actions/publish"),
    ("invenio", "published", False): ("mint", "GET", "*/content"),
}


@pytest.mark.parametrize("kill", KILLS, ids=lambda kill: f"{kill[0]}-{kill[1]}-{'after' if kill[2] else 'before'}")
def test_a_kill_and_the_same_command_again_end_in_one_record(
    desk: Desk, server: ArchiveServer, served: Path, kill: tuple[str, str, bool]
) -> None:
    kind, step, after = kill
    verb, method, path = KILLS[kill]
    to = f"invenio+{server.url}" if kind == "invenio" else server.url
    more = ("--yes",) if verb == "mint" else ()
    if verb == "mint":
        assert desk.publish("push", to).code == 0
    dies = kill_at(server, method=method, path=path, after=after)
    process = desk.start("publish", verb, desk.run_id, "--to", to, *more)
    dies(process)
    assert process.end().code == -signal.SIGKILL
    (deposit,) = desk.runs.glob("records/*/*/deposit.json")
    assert json.loads(deposit.read_text())["step"] == step
    again = desk.publish(verb, to, *more)
    assert again.code == 0, again.err
    minted = desk.publish("mint", to, "--yes")
    assert (minted.code, minted.json["step"]) == (0, "checked"), minted.err
    assert_one_record(server)
    assert_nobody_saw_the_token(desk, served)


@pytest.mark.parametrize("step", ["begun", "drafted", "uploaded", "publishing", "published", "checked"])
def test_a_kill_between_steps_in_the_folder_archive_ends_in_one_record(desk: Desk, step: str) -> None:
    """Which step the kill meets is the machine's affair; the end is not."""
    verb = "push" if step in ("begun", "drafted", "uploaded") else "mint"
    more = ("--yes",) if verb == "mint" else ()
    if verb == "mint":
        assert desk.publish("push", "folder").code == 0
    process = desk.start("publish", verb, desk.run_id, "--to", "folder", *more)
    place = desk.runs / "records" / desk.run_id / "folder" / "deposit.json"
    while process.alive():
        if place.is_file() and f'"step": "{step}"' in place.read_text():
            process.kill()
            break
    process.end()
    assert desk.publish("push", "folder").code == 0
    minted = desk.publish("mint", "folder", "--yes")
    assert (minted.code, minted.json["step"]) == (0, "checked"), minted.err
    assert [record.doi for record in FolderArchive(desk.archive).search("")] == [minted.json["doi"]]
    assert list((desk.archive / "drafts").iterdir()) == []
    assert all(place.with_name(name).is_file() for name in ("record.bib", "CITATION.cff", "report.html"))

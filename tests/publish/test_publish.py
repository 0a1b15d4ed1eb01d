"""``braggbook publish`` and ``archive``, each command a process of its own."""

from __future__ import annotations

import os
import pty
import shlex
import shutil
import signal
from pathlib import Path
from subprocess import PIPE, STDOUT

import pytest

from braggbook.records.folder import FolderArchive
from braggbook.records.serve import ArchiveServer

from ..conftest import ROOT
from .desk import TITLE, TOKEN, Desk, Forks, assert_nobody_saw_the_token, assert_one_record

pytestmark = pytest.mark.full
FLAGSHIP = "clonogenic_survival"


@pytest.fixture(params=["", "invenio+"], ids=["zenodo", "invenio"])
def to(request: pytest.FixtureRequest, server: ArchiveServer) -> str:
    """The server by its address, through each of its APIs."""
    return f"{request.param}{server.url}"


def test_the_demonstration_s_run_gets_a_doi_in_the_folder_archive(forks: Forks, tmp_path: Path) -> None:
    desk = Desk(forks, ROOT, tmp_path / "runs", tmp_path / "archive")
    desk.run_id = desk.call("run", FLAGSHIP, "--engine", "shell", "--json").json["run_id"]
    plan = desk.publish("plan", "folder").json
    title = plan["metadata"]["title"]
    (zipped,) = plan["files"]
    names = {member["name"] for member in plan["members"][zipped["name"]]}
    assert {"run.json", "report.html", f"notebook/{FLAGSHIP}.ipynb", "kernel/requirements.lock"} <= names
    assert sum(member["bytes"] for member in plan["members"][zipped["name"]]) < zipped["bytes"]
    assert not desk.archive.exists()
    told = desk.call("publish", "plan", desk.run_id[:8]).out
    for text in (
        title,
        zipped["sha256"],
        f"{zipped['bytes']:,}",
        plan["digest"],
        "CC-BY-4.0",
        "isDerivedFrom",
        "run.json",
    ):
        assert text in told
    pushed = desk.publish("push", "folder").json
    assert (pushed["step"], pushed["plan"]) == ("uploaded", plan["digest"])
    minted = desk.publish("mint", "folder", "--yes").json
    assert (minted["step"], minted["doi"]) == ("checked", pushed["doi"])
    assert shlex.split(minted["next"]) == ["braggbook", "verify", minted["doi"]]
    assert all(Path(path).is_file() for path in minted["receipt"])
    record = FolderArchive(desk.archive).record(minted["doi"])
    assert [(file.name, file.bytes) for file in record.files] == [(zipped["name"], zipped["bytes"])]

    (row,) = desk.call("list", "record", "--json").json
    assert (row["record"], row["title"], row["made_of"]) == (minted["doi"], title, desk.run_id)
    assert desk.call("show", "record", desk.run_id[:8], "--json").json[0]["doi"] == minted["doi"]
    shown = desk.call("archive", "show", minted["doi"], "--json").json
    assert shown == desk.call("show", "record", minted["doi"], "--json").json
    assert Path(shown["page"]).is_file()
    assert shlex.split(shown["next"]) == ["braggbook", "verify", minted["doi"]]
    assert [found["doi"] for found in desk.call("archive", "list", "radiosensitivity", "--json").json] == [
        minted["doi"]
    ]
    assert desk.call("archive", "list", "glaciers", "--json").json == []


def test_a_dataset_gets_a_doi_by_the_same_verbs(forks: Forks, tmp_path: Path) -> None:
    desk = Desk(forks, ROOT, tmp_path / "runs", tmp_path / "archive", "aberration_counts")
    assert desk.call("publish", "push", "aberration_counts", "--json").json["step"] == "uploaded"
    minted = desk.call("publish", "mint", "aberration_counts", "--yes", "--json").json
    words = ["braggbook", "dataset", "add", minted["doi"]]
    assert (minted["step"], shlex.split(minted["next"])) == ("checked", words)
    assert shlex.split(desk.call("archive", "show", minted["doi"], "--json").json["next"]) == words
    (row,) = desk.call("list", "record", "--json").json
    assert (row["record"], row["made_of"]) == (minted["doi"], "aberration_counts@1")


def test_a_run_gets_a_doi_from_a_server_by_its_address(
    desk: Desk, server: ArchiveServer, served: Path, to: str
) -> None:
    plan = desk.publish("plan", to).json
    pushed = desk.publish("push", to)
    assert (pushed.code, pushed.json["step"], pushed.json["plan"]) == (0, "uploaded", plan["digest"]), pushed.err
    assert shlex.split(pushed.json["next"])[1:] == ["publish", "mint", desk.run_id[:8], "--to", to]
    minted = desk.call(*shlex.split(pushed.json["next"])[1:], "--yes", "--json")
    assert (minted.code, minted.json["step"]) == (0, "checked"), minted.err
    assert_one_record(server)
    before = [call for call in server.calls if call.method != "GET"]
    assert desk.publish("push", to).json["step"] == "checked"
    assert desk.publish("mint", to, "--yes").json["doi"] == minted.json["doi"]
    assert [call for call in server.calls if call.method != "GET"] == before
    shown = desk.call("archive", "show", minted.json["url"], "--json").json
    assert (shown["doi"], shown["title"]) == (minted.json["doi"], TITLE)
    assert_nobody_saw_the_token(desk, served)


def test_the_next_version_is_asked_for_in_every_next_command(desk: Desk, server: ArchiveServer) -> None:
    desk.publish("push", server.url)
    first = desk.publish("mint", server.url, "--yes").json["doi"]
    shutil.rmtree(desk.runs / "records")
    more = ("--new-version-of", first)
    plan = desk.publish("plan", server.url, *more).json
    words = ["braggbook", "publish", "push", desk.run_id[:8], "--to", server.url, *more]
    assert shlex.split(plan["next"]) == words
    early = desk.publish("mint", server.url, *more, "--yes")
    assert (early.code, shlex.split(early.json["next"])) == (2, words)
    pushed = desk.call(*words[1:], "--json")
    assert (pushed.code, shlex.split(pushed.json["next"])) == (0, [*words[:2], "mint", *words[3:]]), pushed.err
    assert desk.publish("mint", server.url, *more, "--yes").code == 0
    assert [entry.index for entry in server.archive.store.entries()] == [1, 2]


def test_next_commands_can_be_pasted(desk: Desk) -> None:
    strange = desk.runs.rename(desk.runs.with_name("it's $HOME; runs"))
    desk.runs = strange
    folder = str(strange / desk.run_id)
    words = ["--runs", str(strange), "publish", "plan", folder, "--json"]
    command = desk.call(*words).json["next"]
    assert shlex.split(command) == ["braggbook", "--runs", str(strange), "publish", "push", folder, "--to", "folder"]


# The title is typed


def typed(desk: Desk, text: str) -> tuple[int, str]:
    """Types a line at a terminal that ``publish mint`` asks at."""
    ours, theirs = pty.openpty()
    process = desk.process("publish", "mint", desk.run_id, stdin=theirs, stdout=PIPE, stderr=STDOUT)
    os.write(ours, text.encode())
    out, _ = process.communicate(timeout=120)
    for handle in (ours, theirs):
        os.close(handle)
    return process.returncode, out


def test_the_title_is_typed_before_anything_is_published(desk: Desk) -> None:
    desk.publish("push", "folder")
    assert typed(desk, "Run of: something else\n")[0] == 2
    assert typed(desk, "\n")[0] == 2
    assert typed(desk, "\x04")[0] == 130
    assert FolderArchive(desk.archive).search("") == ()
    code, out = typed(desk, f"  {TITLE} \n")
    assert code == 0, out
    assert "This cannot be undone" in out
    assert [record.title for record in FolderArchive(desk.archive).search("")] == [TITLE]


@pytest.mark.parametrize(
    ("piped", "code", "message"),
    [("", 2, "the title must be typed"), ("no\n", 2, "that is not the title"), (f"{TITLE}\n", 0, "")],
)
def test_without_a_terminal_nothing_hangs(desk: Desk, piped: str, code: int, message: str) -> None:
    desk.publish("push", "folder")
    process = desk.process("publish", "mint", desk.run_id, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    _, err = process.communicate(piped, timeout=120)
    assert process.returncode == code
    assert message in err
    assert "Traceback" not in err
    assert len(FolderArchive(desk.archive).search("")) == (code == 0)


def test_a_pipe_that_says_nothing_is_no_terminal(desk: Desk) -> None:
    desk.publish("push", "folder")
    process = desk.process("publish", "mint", desk.run_id, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    assert process.wait(timeout=120) == 2
    assert process.stderr is not None
    assert "wanted a terminal to type it in, or --yes" in process.stderr.read()
    process.communicate()


# The server for demonstrations


def test_the_folder_archive_is_served_and_takes_deposits(desk: Desk) -> None:
    desk.publish("push", "folder")
    doi = desk.publish("mint", "folder", "--yes").json["doi"]
    before = {path: path.read_bytes() for path in desk.archive.rglob("*") if path.is_file()}
    serving = desk.process("archive", "serve", stdout=PIPE, stderr=PIPE)
    assert serving.stdout is not None
    try:
        said = [serving.stdout.readline() for _ in range(8)]
        url = said[0].strip()
        assert [row["doi"] for row in desk.call("archive", "list", "--in", url, "--json").json] == [doi]
        assert desk.publish("push", url).code == 0
        minted = desk.publish("mint", url, "--yes").json
        assert desk.call("archive", "show", minted["url"], "--json").json["doi"] == minted["doi"] != doi
    finally:
        serving.send_signal(signal.SIGINT)
        _, err = serving.communicate(timeout=60)
    assert (serving.returncode, err.strip()) == (0, "stopped")
    assert "a demonstration" in "".join(said)
    assert TOKEN not in "".join(said) + err
    assert {path: path.read_bytes() for path in desk.archive.rglob("*") if path.is_file()} == before


def test_a_server_without_a_token_of_its_own_says_one(desk: Desk, tmp_path: Path) -> None:
    desk.more["BRAGGBOOK_ARCHIVE_TOKEN"] = ""
    serving = desk.process("archive", "serve", "--keep", str(tmp_path / "kept"), stdout=PIPE, stderr=PIPE)
    assert serving.stdout is not None
    head = [serving.stdout.readline() for _ in range(6)]
    serving.send_signal(signal.SIGTERM)
    serving.communicate(timeout=60)
    assert serving.returncode == 0
    assert head[0].startswith("http://127.0.0.1:")
    assert head[5].strip().startswith("export BRAGGBOOK_ARCHIVE_TOKEN=")
    assert (tmp_path / "kept").is_dir()
    assert not (tmp_path / "archive").exists()

"""Run folders: one owner at a time, shown by one rename, and mended after a kill at any moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from braggbook.errors import RecordError, StorageError, UnknownName
from braggbook.files import sha256_file
from braggbook.formats.run import FileRecord, RunRecord
from braggbook.runs.folder import (
    FAILED,
    RECORD,
    RESULTS,
    changed_files,
    find_run,
    only_one,
    read_record,
    read_results,
    run_folders,
    scratch,
    show,
    staging,
)

from .run_helpers import identity, make_run

ID = "0123456789abcdef01234567"
HOLDS = "import sys\nfrom pathlib import Path\nfrom braggbook.runs.folder import only_one, scratch, staging\n"


def _hold(code: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """Starts a process that holds something until its standard input ends."""
    script = f"{HOLDS}with {code} as held:\n    print(held, flush=True)\n    sys.stdin.read()"
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], stdin=pipe, stdout=pipe, text=True)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _end(process: subprocess.Popen[str]) -> None:
    process.communicate()
    assert process.returncode == 0


def _kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def _staged(runs: Path, text: str, name: str = ID) -> Path:
    folder = runs / ".staging" / "run-test" / name
    folder.mkdir(parents=True)
    (folder / "report.html").write_text(text)
    return folder


def test_a_lock_excludes_a_second_process_until_it_ends(tmp_path: Path) -> None:
    waited: list[str] = []
    first = _hold("only_one(Path(sys.argv[1]), sys.argv[2])", tmp_path, ID)
    _line(first)

    def on_wait() -> None:
        waited.append("waited")
        assert first.stdin is not None
        first.stdin.close()  # the first goes on to its end only when the second is waiting

    with only_one(tmp_path, ID, on_wait=on_wait):
        assert first.wait(timeout=10) == 0
    assert waited == ["waited"]
    first.stdout.close()  # type: ignore[union-attr]


def test_a_killed_owner_holds_nobody_up(tmp_path: Path) -> None:
    first = _hold("only_one(Path(sys.argv[1]), sys.argv[2])", tmp_path, ID)
    _line(first)
    _kill(first)
    waited: list[str] = []
    with only_one(tmp_path, ID, on_wait=lambda: waited.append("waited")):
        assert waited == []


def test_two_runs_do_not_wait_for_each_other(tmp_path: Path) -> None:
    waited: list[str] = []
    with only_one(tmp_path, ID), only_one(tmp_path, ID[::-1], on_wait=lambda: waited.append("waited")):
        assert waited == []


def test_showing_is_one_rename_of_the_same_folder(tmp_path: Path) -> None:
    staged, target = _staged(tmp_path, "new"), tmp_path / ID
    inode = staged.stat().st_ino
    show(staged, target, runs=tmp_path)
    assert target.stat().st_ino == inode
    assert (target / "report.html").read_text() == "new"
    assert not staged.exists()


def test_showing_again_puts_the_whole_new_folder_in_place_of_the_old(tmp_path: Path) -> None:
    target = tmp_path / ID
    show(_staged(tmp_path, "old"), target, runs=tmp_path)
    (target / "only in the old").touch()
    show(_staged(tmp_path, "new"), target, runs=tmp_path)
    assert [path.name for path in target.iterdir()] == ["report.html"]
    assert (target / "report.html").read_text() == "new"
    assert [path.name for path in (tmp_path / ".staging").iterdir()] == ["run-test"]


def test_a_failed_run_is_shown_apart(tmp_path: Path) -> None:
    show(_staged(tmp_path, "good"), tmp_path / ID, runs=tmp_path)
    show(_staged(tmp_path, "bad"), tmp_path / FAILED / ID, runs=tmp_path)
    assert (tmp_path / ID / "report.html").read_text() == "good"
    assert (tmp_path / FAILED / ID / "report.html").read_text() == "bad"


@pytest.mark.parametrize("place", [ID, f"{FAILED}/{ID}"])
def test_a_kill_between_the_two_renames_is_mended(tmp_path: Path, place: str) -> None:
    target = tmp_path / place
    show(_staged(tmp_path, "old"), target, runs=tmp_path)
    killed = _killed_while_showing(tmp_path, target)
    assert not target.exists(), "the old one was moved away, the new one not yet there"
    assert killed == -9
    with only_one(tmp_path, ID):
        assert (target / "report.html").read_text() == "old"
    assert run_folders(tmp_path) == [target], "and it lies where it lay, not under another's name"


def _killed_while_showing(runs: Path, target: Path) -> int:
    """Shows a run in a process that dies at its second rename, and returns how it ended."""
    staged = _staged(runs, "new")
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom braggbook.runs.folder import show\n"
        "seen = []\n"
        "def hook(event, arguments):\n"
        "    if event == 'os.rename':\n"
        "        seen.append(event)\n"
        "        if len(seen) == 2:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "sys.addaudithook(hook)\n"
        "show(*map(Path, sys.argv[1:3]), runs=Path(sys.argv[3]))"
    )
    done = subprocess.run([sys.executable, "-c", code, staged, target, runs], check=False)
    return done.returncode


def test_an_old_folder_that_a_kill_left_behind_is_removed(tmp_path: Path) -> None:
    show(_staged(tmp_path, "new"), tmp_path / ID, runs=tmp_path)
    (tmp_path / ".staging" / f"{ID}.old").mkdir()
    with only_one(tmp_path, ID):
        assert not (tmp_path / ".staging" / f"{ID}.old").exists()
    assert (tmp_path / ID / "report.html").read_text() == "new"


def test_a_staging_folder_is_removed_when_its_work_ends_or_fails(tmp_path: Path) -> None:
    with staging(tmp_path) as folder:
        (folder / "half").write_text("half")
        assert folder.parent == tmp_path / ".staging"
    assert list((tmp_path / ".staging").iterdir()) == []
    with pytest.raises(ZeroDivisionError), staging(tmp_path) as folder:
        1 / 0  # noqa: B018 - work that fails
    assert list((tmp_path / ".staging").iterdir()) == []


def test_the_next_work_sweeps_what_a_killed_one_left_and_nothing_else(tmp_path: Path) -> None:
    killed, alive = (_hold("staging(Path(sys.argv[1]))", tmp_path) for _ in range(2))
    left, kept = Path(_line(killed)), Path(_line(alive))
    _kill(killed)
    (tmp_path / ".staging" / "run-strange").mkdir()  # no owner is known: not ours to remove
    with staging(tmp_path) as folder:
        assert not left.exists()
        assert {path.name for path in (tmp_path / ".staging").iterdir() if path.is_dir()} == {
            kept.name,
            folder.name,
            "run-strange",
        }
    _end(alive)
    assert not kept.exists()


def test_a_scratch_folder_is_private_short_and_gone_afterwards() -> None:
    with scratch() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder.name.startswith(f"bb{os.getuid()}-")
        assert len(folder.name) < 24, "a socket's path has 107 bytes in all"
    assert not folder.exists()
    assert not folder.with_name(f"{folder.name}.lock").exists()


def test_places_that_cannot_be_written_are_storage_errors(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file stands here")
    for work in (staging(tmp_path / "runs"), only_one(tmp_path / "runs", ID)):
        with pytest.raises(StorageError, match="cannot write"), work:
            pass


def test_a_run_reads_back(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    record = read_record(folder)
    assert record.id == folder.name
    assert list(read_results(folder).results) == record.results == ["x"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "not a run; wanted a folder with run.json\nnext: braggbook list run"),
        ("{", "the run's record cannot be read; got Expecting property name enclosed in double quotes"),
        ("\udcff", "the run's record cannot be read"),
        ("[" * 100_000, "the run's record cannot be read; got maximum recursion depth exceeded"),
        (
            '{"format": "braggbook.run/2"}',
            "run.json: a run of another format; wanted braggbook.run/1, got braggbook.run/2",
        ),
        ("{}", "run.json: a run of another format; wanted braggbook.run/1, got None"),
        ("[]", "the run's record is not valid"),
        (
            '{"format": "braggbook.run/1", "id": 3}',
            "the run's record is not valid\n  - run.json id: a value of another type; wanted a text, got 3\n",
        ),
    ],
)
def test_a_record_that_cannot_be_read_says_why(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / RECORD).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(RecordError) as caught:
        read_record(tmp_path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "results.json: the run's results cannot be read; got No such file or directory"),
        ("{", "the run's results are not valid\n  - results.json: Invalid JSON"),
        ('{"results": {"x": {"kind": "scalar"}}}', "the key 'value' is missing"),
        ('{"format": "braggbook.results/2", "results": {}}', "wanted 'braggbook.results/1'"),
    ],
)
def test_results_that_cannot_be_read_say_why(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / RESULTS).write_text(text)
    with pytest.raises(RecordError) as caught:
        read_results(tmp_path)
    assert message in str(caught.value)


def _recorded(folder: Path) -> RunRecord:
    """Returns the record with the digests of two files of the folder in it."""
    names = ("results.json", "environment.json")
    files = {name: FileRecord(sha256=sha256_file(folder / name), bytes=1) for name in names}
    return read_record(folder).model_copy(update={"files": files})


def test_an_untouched_run_has_no_changed_file(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    assert changed_files(folder, _recorded(folder)) == []


def test_changed_missing_and_unreadable_files_are_named(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    record = _recorded(folder)
    (folder / "results.json").write_text("{}")
    (folder / "environment.json").unlink()
    issues = {issue.where: issue.what for issue in changed_files(folder, record)}
    assert issues == {"results.json": "changed since the run", "environment.json": "missing"}
    (folder / "environment.json").mkdir()
    assert changed_files(folder, record)[1].what == "unreadable"


def test_an_id_that_does_not_belong_to_the_identity_is_named(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    record = read_record(folder)
    other = identity(seed=1)
    issues = changed_files(folder, record.model_copy(update={"identity": other}))
    assert [(issue.where, issue.got) for issue in issues] == [(RECORD, other.run_id)]
    (issue,) = changed_files(folder, record.model_copy(update={"parameters": {"factor": 3.0}}))
    assert issue.wanted == "the parameters that the id was made of"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three complete runs, and one that failed and succeeded."""
    for name in ("aaaa", "aabb", "bbbb"):
        (tmp_path / "runs" / name.ljust(24, "0")).mkdir(parents=True)
    for name in ("bbbb", "cccc"):
        (tmp_path / "runs" / FAILED / name.ljust(24, "0")).mkdir(parents=True)
    for name in ("notes", "aaaa", ".staging"):
        (tmp_path / "runs" / name).mkdir()
    return tmp_path / "runs"


def test_only_ids_are_runs_and_complete_ones_come_first(runs: Path) -> None:
    names = [path.relative_to(runs).as_posix().rstrip("0") for path in run_folders(runs)]
    assert names == ["aaaa", "aabb", "bbbb", "failed/bbbb", "failed/cccc"]
    assert run_folders(runs / "none") == []


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("aaaa" + "0" * 20, "aaaa"),
        ("aaa", "aaaa"),
        ("aab", "aabb"),
        ("b", "bbbb"),
        ("c", "failed/cccc"),
        ("cccc0", "failed/cccc"),
    ],
)
def test_a_run_is_found_by_the_beginning_of_its_id(runs: Path, name: str, place: str) -> None:
    assert find_run(name, runs=runs).relative_to(runs).as_posix().rstrip("0") == place


@pytest.mark.parametrize("name", ["aa", "", "f", "failed", "notes", "zzzz", "AAAA"])
def test_a_name_of_no_run_or_of_several_is_unknown(runs: Path, name: str) -> None:
    with pytest.raises(UnknownName, match="no run named") as caught:
        find_run(name, runs=runs)
    assert caught.value.next_command == "braggbook list run"


def test_several_runs_that_begin_so_are_listed(runs: Path) -> None:
    with pytest.raises(UnknownName) as caught:
        find_run("aa", runs=runs)
    assert caught.value.wanted == f"one of {'aaaa'.ljust(24, '0')}, {'aabb'.ljust(24, '0')}"


def test_a_run_is_found_by_its_path_wherever_it_lies(tmp_path: Path, runs: Path) -> None:
    elsewhere = make_run(tmp_path / "elsewhere")
    assert find_run(str(elsewhere), runs=runs) == elsewhere
    assert find_run(f"{elsewhere}/", runs=runs) == elsewhere
    with pytest.raises(UnknownName):
        find_run(str(tmp_path / "none"), runs=runs)


def test_a_run_folder_made_by_hand_is_as_json_has_it(tmp_path: Path) -> None:
    record: dict[str, Any] = json.loads((make_run(tmp_path) / RECORD).read_text())
    assert RunRecord.model_validate(record).model_dump(mode="json") == record

"""A notebook's calls, and the progress that they leave."""

from __future__ import annotations

import fcntl
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from braggbook import learn
from braggbook.errors import InputError, UnknownName
from braggbook.formats.progress import Progress, ProgressExport
from braggbook.learn import session, state
from braggbook.learn.handing_in import digest
from braggbook.learn.state import LOG_LENGTH, Record, learn_folder, merge


def saved(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / "others" / "a_lesson.json").read_bytes())
    Progress.model_validate(data)
    return data


def test_what_a_lesson_shows_when_it_begins(lesson_path: Path, progress_folder: Path) -> None:
    note = learn.begin(lesson_path)
    assert str(note).startswith("A lesson (5 minutes)\nAfterwards you can\n• do this\n0 of 7 questions right")
    assert 'role="status"' in note._repr_html_()


def test_before_it_begins_nothing_is_checked() -> None:
    session._open.clear()
    for call in (lambda: learn.check("q1", 2), lambda: learn.hint("q1"), learn.progress, lambda: learn.export("A")):
        with pytest.raises(InputError, match="no lesson has begun"):
            call()


def test_a_question_that_is_not_there(lesson: Path) -> None:
    with pytest.raises(UnknownName, match="q77"):
        learn.check("q77", 2)


def test_attempts_hints_and_times_are_kept(lesson: Path, progress_folder: Path) -> None:
    assert learn.check("q1").state == learn.check("q1", ...).state == "unanswered"
    learn.check("q1", 200)
    learn.check("q1", 4.0)
    assert learn.check("q1", 2)
    learn.check("q1", 5)
    entry = saved(progress_folder)["questions"]["q1"]
    assert entry["attempts"] == 4
    assert [a["slip"] for a in entry["log"]] == ["unit cGy", "squared", "", ""]
    assert [a["right"] for a in entry["log"]] == [False, False, True, False]
    assert entry["right_at"] == entry["log"][2]["at"]
    assert "1 of 7 questions right\n✓ q1: 4 attempts, 0 hints" in str(learn.progress())


def test_three_levels_of_hints(lesson: Path, progress_folder: Path) -> None:
    assert [str(learn.hint("q1")) for _ in range(3)] == [
        "q1, hint 1 of 3: nudge\nThink.",
        "q1, hint 2 of 3: formula\nD = d / m",
        "q1, hint 3 of 3: code\nanswer = ...",
    ]
    assert str(learn.hint("q1")).endswith("Think.\nD = d / m\nanswer = ...")
    assert saved(progress_folder)["questions"]["q1"]["hints"] == 3


def test_a_verdict_reads_well_as_text_and_as_html(lesson: Path) -> None:
    verdict = learn.check("q2", "<b>")
    assert str(verdict).startswith("q2: ✗ Not yet. '<b>' is none of the options")
    assert "&lt;b&gt;" in verdict._repr_html_()
    assert "<b>" not in verdict._repr_html_()
    assert str(learn.check("q1", 2)) == "q1: ✓ Right. D = E / m"
    assert str(learn.check("q2")) == "q2: ○ Not answered yet.   a) It doubles.\n  b) It halves."


def test_progress_is_there_again_in_the_next_kernel(lesson: Path) -> None:
    learn.check("q1", 2)
    assert "✓ q1: 1 attempt, 0 hints" in str(learn.begin(lesson))


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"\xff\xfe", b"{}", b'{"format": "braggbook.progress/9"}', b"[" * 100_000]
)
def test_a_file_that_cannot_be_used_is_moved_aside_and_said(
    lesson: Path, progress_folder: Path, content: bytes
) -> None:
    path = progress_folder / "others" / "a_lesson.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    verdict = learn.check("q1", 2)
    assert verdict
    assert "could not be used" in verdict.note
    (aside,) = path.parent.glob("a_lesson.broken-*.json")
    assert aside.read_bytes() == content
    assert saved(progress_folder)["questions"]["q1"]["attempts"] == 1
    assert learn.check("q1", 2).note == ""


@pytest.mark.parametrize(
    "change",
    [
        {"questions": {"q1": {"attempts": -1, "hints": 0, "log": []}}},
        {"questions": {"q1": {"attempts": 1, "hints": 4, "log": []}}},
        {
            "questions": {
                "q1": {"attempts": 0, "hints": 0, "log": [{"at": "2026-01-01T00:00:00Z", "right": True, "slip": ""}]}
            }
        },
        {"questions": {"q1": {"attempts": 1, "hints": 0, "log": [{"at": "yesterday", "right": True, "slip": ""}]}}},
        {"questions": {"q1": {"attempts": 1, "hints": 0, "log": [], "right_at": 3}}},
        {"questions": {"q1": {"attempts": True, "hints": 0, "log": []}}},
        {"questions": []},
        {"started": "now"},
        {"more": 1},
    ],
)
def test_contents_that_are_not_progress_are_moved_aside(
    lesson: Path, progress_folder: Path, change: dict[str, Any]
) -> None:
    learn.check("q1", 2)
    path = progress_folder / "others" / "a_lesson.json"
    path.write_text(json.dumps(saved(progress_folder) | change))
    assert "could not be used" in learn.check("q1", 2).note


def test_a_disk_that_refuses_is_said_once_and_nothing_is_forgotten(
    lesson_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BRAGGBOOK_LEARN", str(tmp_path / "file" / "learn"))
    learn.begin(lesson_path)
    assert "is lost when the kernel ends" in learn.check("q1", 3).note
    second = learn.check("q1", 2)
    assert (bool(second), second.note) == (True, "")
    assert "✓ q1: 2 attempts" in str(learn.progress())


def test_a_notebook_that_keeps_the_lock_does_not_stop_the_others(
    lesson: Path, progress_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn.check("q1", 3)
    monkeypatch.setattr(state, "_PATIENCE_S", 0.2)
    with (progress_folder / "others" / "a_lesson.lock").open("a+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert learn.check("q1", 2)
    assert saved(progress_folder)["questions"]["q1"]["attempts"] == 2


@pytest.mark.full
def test_two_notebooks_at_once_lose_nothing(lesson_path: Path, progress_folder: Path) -> None:
    program = (
        "import sys; from braggbook import learn\n"
        f"learn.begin({str(lesson_path)!r})\n"
        "for k in range(40): learn.check(sys.argv[1], 'x')\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", program, name]) for name in ("q1", "q1", "q2")]
    assert [process.wait(120) for process in both] == [0, 0, 0]
    counts = {name: entry["attempts"] for name, entry in saved(progress_folder)["questions"].items()}
    assert counts == {"q1": 80, "q2": 40}


def test_a_loop_around_a_check_does_not_fill_the_disk(tmp_path: Path) -> None:
    record = Record(tmp_path / "x.json", slug="x", sha256="0" * 64)
    count = session._counting("q1", learn.Verdict("wrong", ""))
    data = record.read()
    for _ in range(LOG_LENGTH + 50):
        count(data)
    assert (data["questions"]["q1"]["attempts"], len(data["questions"]["q1"]["log"])) == (LOG_LENGTH + 50, LOG_LENGTH)
    Progress.model_validate(data)


def test_what_is_handed_in(lesson: Path, progress_folder: Path, tmp_path: Path) -> None:
    learn.check("q1", 200)
    path = learn.export("  Émilie du Châtelet ", tmp_path)
    assert path == tmp_path / "a_lesson-emilie_du_chatelet.json"
    export = ProgressExport.model_validate_json(path.read_bytes())
    assert (export.name, export.progress.lesson) == ("Émilie du Châtelet", "a_lesson")
    text = path.read_text()
    for private in (str(tmp_path), os.uname().nodename, str(Path.home())):
        assert private not in text


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\x00b", "\ud800", None, 3, ["Ada"], "x" * 10**7])
def test_names_that_cannot_be_handed_in_with(lesson: Path, name: str) -> None:
    with pytest.raises(InputError, match="not a name"):
        learn.export(name)


def test_an_export_replaces_nothing_but_an_export(lesson: Path, progress_folder: Path, tmp_path: Path) -> None:
    learn.check("q1", 2)
    path = learn.export("Ada", tmp_path / "ada.json")
    assert learn.export("Ada", path) == path
    (tmp_path / "notebook.ipynb").write_text("{}")
    for other in (tmp_path / "notebook.ipynb", progress_folder / "others" / "a_lesson.json"):
        before = other.read_bytes()
        with pytest.raises(InputError, match="something else stands there"):
            learn.export("Ada", other)
        assert other.read_bytes() == before


@pytest.mark.parametrize("path", [3, None, ["a"], "a\x00b", "x" * 300, "~nobody_of_this_name/x", "\ud800", "a/" * 5000])
def test_paths_that_no_system_has(lesson: Path, path: Any) -> None:
    calls = [learn.begin, learn.resume] + (
        [] if path is None else [learn.take_away, lambda to: learn.export("Ada", to)]
    )
    for call in calls:
        with pytest.raises(InputError, match="not a path"):
            call(path)


def test_progress_of_another_lesson_is_moved_aside(lesson: Path, progress_folder: Path) -> None:
    learn.check("q1", 2)
    path = progress_folder / "others" / "a_lesson.json"
    path.write_text(json.dumps(saved(progress_folder) | {"lesson": "another"}))
    assert "belongs to another lesson" in learn.check("q1", 2).note
    assert json.loads(next(path.parent.glob("*.broken-*")).read_text())["lesson"] == "another"


def test_what_is_no_file_is_not_waited_for(lesson: Path, progress_folder: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(InputError, match="no file"):
            learn.resume(path)
    (progress_folder / "others").mkdir(parents=True, exist_ok=True)
    os.mkfifo(progress_folder / "others" / "a_lesson.json")
    assert "could not be used" in learn.check("q1", 2).note
    assert saved(progress_folder)["questions"]["q1"]["attempts"] == 1


def test_markup_in_a_progress_file_is_not_shown(lesson: Path, progress_folder: Path) -> None:
    learn.check("q1", 2)
    data = saved(progress_folder)
    data["questions"]["<script>"] = data["questions"]["q1"]
    (progress_folder / "others" / "a_lesson.json").write_text(json.dumps(data))
    assert "<script" not in learn.progress()._repr_html_() + str(learn.progress())
    assert learn.check("q1", 2)


def test_on_binder_a_check_reminds_from_time_to_time(lesson: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "REMIND_S", 0.0)
    assert learn.check("q1", 2).note == ""
    monkeypatch.setenv("BINDER_LAUNCH_HOST", "https://mybinder.org/")
    assert "take_away()" in learn.check("q1", 2).note
    monkeypatch.setattr(session, "REMIND_S", 600.0)
    assert learn.check("q1", 2).note == ""


def test_work_goes_on_elsewhere(
    lesson: Path, progress_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn.check("q1", 200)
    learn.check("q1", 2)
    file = learn.export("Ada", tmp_path)
    monkeypatch.setenv("BRAGGBOOK_LEARN", str(tmp_path / "other"))
    learn.begin(lesson)
    learn.check("q2", "b")
    for _ in range(2):  # twice is once
        note = str(learn.resume(file))
        assert "2 of 7 questions right\n✓ q1: 2 attempts, 0 hints\n✓ q2: 1 attempt" in note


def test_files_that_cannot_be_continued_from(lesson: Path, tmp_path: Path) -> None:
    learn.check("q1", 2)
    good = json.loads(learn.export("Ada", tmp_path).read_text())
    path = tmp_path / "file.json"

    def refused(document: Any) -> str:
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        with pytest.raises(InputError) as caught:
            learn.resume(path)
        return str(caught.value)

    assert "changed after it was exported" in refused(good | {"name": "Bob"})
    assert "not JSON" in refused("{")
    assert "format" in refused({"format": "other"})
    assert "wanted" in refused([1])
    other = good | {"progress": good["progress"] | {"lesson": "another"}}
    assert "progress of another lesson" in refused(other | {"sha256": digest(other)})
    path.unlink()
    with pytest.raises(InputError, match="cannot read"):
        learn.resume(path)


def test_merging_keeps_the_most_of_both() -> None:
    def of(attempts: list[tuple[str, bool]], hints: int) -> dict[str, Any]:
        log = [{"at": at, "right": right, "slip": ""} for at, right in attempts]
        entry: dict[str, Any] = {"attempts": len(log), "hints": hints, "log": log}
        if times := [at for at, right in attempts if right]:
            entry["right_at"] = min(times)
        return {"started": attempts[0][0], "questions": {"q1": entry}}

    here = of([("2026-01-02T00:00:00Z", False), ("2026-01-03T00:00:00Z", True)], 1)
    there = of([("2026-01-01T00:00:00Z", False), ("2026-01-02T00:00:00Z", False)], 2)
    merge(here, there)
    entry = here["questions"]["q1"]
    assert (entry["attempts"], entry["hints"], entry["right_at"]) == (3, 2, "2026-01-03T00:00:00Z")
    assert here["started"] == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("platform", "variable", "value", "wanted"),
    [
        ("linux", "XDG_DATA_HOME", "/data", "/data/braggbook/learn"),
        ("linux", "HOME", "/home/a", "/home/a/.local/share/braggbook/learn"),
        ("darwin", "HOME", "/Users/a", "/Users/a/Library/Application Support/braggbook/learn"),
        ("win32", "LOCALAPPDATA", "/local", "/local/braggbook/learn"),
    ],
)
def test_where_progress_is_kept(
    platform: str, variable: str, value: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BRAGGBOOK_LEARN", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv(variable, value)
    assert learn_folder().as_posix() == wanted


def test_in_the_browser_progress_is_beside_the_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRAGGBOOK_LEARN", raising=False)
    monkeypatch.setattr(sys, "platform", "emscripten")
    monkeypatch.chdir(tmp_path)
    assert learn_folder() == tmp_path / "braggbook_progress"


@pytest.mark.full
def test_a_check_answers_at_once(lesson: Path) -> None:
    """Three hundred milliseconds of waiting are the budget; what is counted here is this process's own time."""
    for question, answer in (("q1", 3.0), ("q3", lambda dose_gy, alpha_per_gy: math.exp(-alpha_per_gy * dose_gy))):
        learn.check(question, answer)
        begun = time.process_time()
        for _ in range(10):
            learn.check(question, answer)
        assert (time.process_time() - begun) / 10 < 0.3

"""What a submission's own team sees of its logs."""

from __future__ import annotations

import datetime
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from braggbook.challenges.vault import Vault
from braggbook.hub.look.submissions import logs_of
from braggbook.hub.store.tables import Entry

NOW = datetime.datetime(2027, 3, 1, tzinfo=datetime.UTC)


def _entry(evaluation: str | None = "b" * 16) -> Entry:
    return Entry(
        id="a" * 16, challenge="c", phase="p", team="T", key="k", received=NOW, changed=NOW, state="failed",
        evaluation=evaluation,
    )  # fmt: skip


def _replay(vault: Vault) -> Path:
    folder = vault.evaluation_folder("a" * 16, "b" * 16) / "replay"
    folder.mkdir(parents=True)
    return folder


def test_of_a_notebook_what_it_printed_is_shown(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    outputs = [
        new_output("stream", text="reading\n"),
        new_output("execute_result", data={"text/plain": "42"}, execution_count=1),
        new_output("error", ename="ValueError", evalue="no", traceback=["\x1b[31mValueError\x1b[0m: no", "line 3"]),
    ]
    cells = [new_markdown_cell("words"), new_code_cell("1"), new_code_cell("2", outputs=outputs)]
    folder = _replay(vault)
    nbformat.write(new_notebook(cells=cells), folder / "executed.ipynb")
    (folder / "kernel.log").write_text("warned\n")
    (folder / "empty.log").write_text("")
    printed, kernel = logs_of(vault, _entry())
    assert (printed.name, kernel.name, kernel.text) == ("what the notebook printed", "kernel.log", "warned\n")
    assert printed.text == "code cell 2:\nreading\n\n42\nValueError: no\nline 3"


def test_what_is_no_notebook_is_shown_as_it_is(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    (_replay(vault) / "executed.ipynb").write_text("{not json")
    assert [(log.name, log.text) for log in logs_of(vault, _entry())] == [("executed.ipynb", "{not json")]


def test_without_an_evaluation_there_is_none(tmp_path: Path) -> None:
    assert logs_of(Vault(tmp_path), _entry(None)) == []

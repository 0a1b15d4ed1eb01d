"""The command line: help for everything, and errors that say what to do next. No kernel is started here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from braggbook import errors
from braggbook.cli.main import main
from braggbook.testing.experiments import write_experiment

from ...conftest import Answer

BAD = Path(__file__).parents[2] / "formats" / "notebook" / "bad"
DRIVER = """
import contextlib, io, json, sys
from braggbook.cli.main import entry
answers = []
for words in json.load(sys.stdin):
    sys.argv, out, err, code = ["braggbook", *words], io.StringIO(), io.StringIO(), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            entry()
        except SystemExit as stop:
            code = stop.code
    answers.append((code, out.getvalue(), err.getvalue()))
print(json.dumps(answers))
"""


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))


COMMANDS = dict(_commands(main))
VERBS = {path: command for path, command in COMMANDS.items() if not isinstance(command, click.Group)}


def test_the_verbs_are_these() -> None:
    assert {" ".join(path) for path in VERBS} == {
        "demo", "run", "sweep", "verify", "diff", "collect", "list", "show", "new", "check",
        "dataset fetch", "dataset add", "dataset verify", "kernel lock", "kernel install", "kernel verify",
        "dicom inspect", "dicom convert", "dicom quality", "dicom exposure", "dicom deidentify",
        "publish plan", "publish push", "publish mint", "archive list", "archive show", "archive serve",
        "challenge new", "challenge check", "challenge try", "challenge open", "challenge submit", "challenge score",
        "challenge board", "challenge withdraw", "challenge close", "challenge demo",
        "serve", "worker", "hub invite", "hub recover", "hub backup", "hub restore", "hub settings",
        "learn list", "learn show", "learn class", "learn feedback", "binder write", "binder check", "link", "lite build",
    }  # fmt: skip


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_verb_has_help_in_a_sentence(path: tuple[str, ...]) -> None:
    text = COMMANDS[path].help or ""
    assert re.match(r"[A-Z].*\.", text.partition("\n\n")[0], re.DOTALL)
    done = CliRunner().invoke(main, [*path, "--help"])
    assert done.exit_code == 0
    assert f"Usage: main {' '.join(path)}" in done.output
    assert CliRunner().invoke(main, [*path, "-h"]).output == done.output


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_every_verb_speaks_json_and_every_option_is_explained(path: tuple[str, ...]) -> None:
    options = [option for option in VERBS[path].params if isinstance(option, click.Option)]
    assert "--json" in [name for option in options for name in option.opts]
    assert [option.name for option in options if not option.help] == []


def test_the_first_page_lists_every_verb_with_a_summary() -> None:
    page = CliRunner().invoke(main, ["--help"]).output
    for name, *_rest in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z]", page, re.MULTILINE)
    assert set(type(main).summaries) == set(type(main).verbs)  # type: ignore[attr-defined]


def test_the_first_page_documents_every_exit_code() -> None:
    page = " ".join(CliRunner().invoke(main, ["--help"]).output.split())
    codes = {int(code) for code in re.findall(r"(\d+) [a-z]", page.partition("Exit codes: ")[2])}
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.BraggbookError)
    ]
    assert codes == {0, 1, *(kind.exit_code for kind in kinds)}


def test_help_about_dicom_waits_for_no_library() -> None:
    """All of them together take a second to import, and a page of help needs none."""
    pages = [["dicom", *verb, "--help"] for verb in ([], ["inspect"], ["convert"], ["quality"], ["exposure"])]
    program = (
        "import sys; from braggbook.cli.main import main\n"
        f"for page in {pages!r}: main(page, standalone_mode=False)\n"
        "print(sorted({'dask', 'nibabel', 'numba', 'numpy', 'pandas', 'pydicom', 'scipy', 'xarray', 'zarr'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_about_records_waits_for_no_library() -> None:
    pages = [[*verb, "--help"] for verb in VERBS if verb[0] in ("publish", "archive")]
    program = (
        "import sys; from braggbook.cli.main import main\n"
        f"for page in {pages!r}: main(page, standalone_mode=False)\n"
        "print(sorted({'jinja2', 'numpy', 'pydantic', 'requests', 'yaml', 'zenodo_client'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_told() -> None:
    assert re.search(r"\d+\.\d+", CliRunner().invoke(main, ["--version"]).output)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


UNUSABLE = {
    "frobnicate": ("No such command 'frobnicate'.", "braggbook --help"),
    "kernel frobnicate x": ("No such command 'frobnicate'.", "braggbook kernel --help"),
    "--frobnicate": ("No such option '--frobnicate'.", "braggbook --help"),
    "run good --frobnicate": ("No such option '--frobnicate'", "braggbook run --help"),
    "run": ("Missing argument 'NOTEBOOK'.", "braggbook run --help"),
    "run good bad": ("Got unexpected extra argument (bad)", "braggbook run --help"),
    "run good --seed -1": ("-1 is not in the range x>=0.", "braggbook run --help"),
    "run good --cell-timeout soon": ("'soon' is not a valid float", "braggbook run --help"),
    "list planets": ("'planets' is not one of", "braggbook list --help"),
    "run none": ("no notebook named 'none'", "braggbook list notebook"),
    "run goood": ("no notebook named 'goood'; did you mean good?", "braggbook list notebook"),
    "run ./none.ipynb": ("no such notebook", "braggbook list notebook"),
    "run bad/not_json.ipynb": ("not a notebook; wanted a Jupyter notebook (.ipynb), got not JSON", ""),
    "run bad/truncated.ipynb": ("got the file is cut short", ""),
    "run bad/not_utf8.ipynb": ("not a notebook; wanted UTF-8 text", ""),
    "run bad/another_json.ipynb": ("got other JSON", ""),
    "run bad/no_parameters.ipynb": ("needs one parameters cell; wanted one code cell tagged 'parameters', got none", "braggbook new notebook"),
    "run bad/no_front_matter.ipynb": ("first cell: no front matter", "braggbook new notebook"),
    "run bad/everything_wrong.ipynb": ("unknown licence", "braggbook new notebook"),
    "run notes.txt": ("not a notebook", ""),
    "run good -p factr=1": ("factr: unknown parameter; did you mean factor?", ""),
    "run good -p factor=two": ("factor: wrong type; wanted float, got 'two'", ""),
    "run good -p factor": ("not a parameter; wanted -p name=value, got factor", ""),
    "run good -p =1": ("not a parameter; wanted -p name=value, got =1", ""),
    "run good -f none.toml": ("none.toml: parameters cannot be read; wanted a TOML file", ""),
    "run good -f notes.txt": ("notes.txt: parameters cannot be read; wanted a TOML file", ""),
    "run other_kernel": ("no kernel named 'root'; wanted one of radiobiology", "braggbook new kernel root"),
    "run other_data": ("counts", ""),
    "sweep": ("Missing argument 'NOTEBOOK'.", "braggbook sweep --help"),
    "sweep none": ("no notebook named 'none'", "braggbook list notebook"),
    "sweep good --engine quick": ("'quick' is not one of 'shell', 'warm', 'kernel'", "braggbook sweep --help"),
    "sweep good --workers 0": ("0 is not in the range x>=1.", "braggbook sweep --help"),
    "sweep good -p factr=1,2": ("unknown parameter 'factr'; did you mean factor?", ""),
    "sweep good -p factor=1:9:20": ("factor=1:9:20, character 12: points or steps?", ""),
    "sweep good -p factor=1,x": ("factor=1,x, character 10: wrong type; wanted float, got 'x'", ""),
    "sweep good --design none.toml": ("none.toml", ""),
    "sweep other_kernel": ("no kernel named 'root'; wanted one of radiobiology", "braggbook new kernel root"),
    "verify none": ("no run named 'none'", "braggbook list run"),
    "verify ./notebooks": ("not a run", "braggbook list run"),
    "show run none": ("no run named 'none'", "braggbook list run"),
    "show notebook none": ("no notebook named 'none'", "braggbook list notebook"),
    "show kernel none": ("no kernel named 'none'", "braggbook new kernel none"),
    "show settings none": ("no setting named 'none'", "braggbook list settings"),
    "show dataset none": ("none", ""),
    "diff none other": ("no run named 'none'", "braggbook list run"),
    "collect none": ("no run named 'none'", "braggbook list run"),
    "check none": ("nothing to check at 'none'", "braggbook check"),
    "new notebook Not-A-Slug": ("not a slug; wanted small letters, digits and _, beginning with a letter, got Not-A-Slug", ""),
    "new notebook good": ("there is a notebook named 'good'", ""),
    "kernel lock none": ("no kernel named 'none'", "braggbook new kernel none"),
    "kernel verify none": ("no kernel named 'none'", "braggbook new kernel none"),
    "dataset fetch none": ("none", ""),
    "dataset verify none": ("none", ""),
    "dataset add none.csv": ("none.csv", ""),
    "dataset add notes.txt --unit dose": ("dose", ""),
    "demo": ("the demonstration needs Braggbook's own project", "braggbook --project"),
    "dicom frobnicate": ("No such command 'frobnicate'.", "braggbook dicom --help"),
    "dicom inspect none": ("none", ""),
    "dicom inspect notes.txt": ("no DICOM object here", ""),
    "dicom convert none -o none.nii": ("none", ""),
    "dicom convert notes.txt": ("Missing option '-o' / '--output'.", "braggbook dicom convert --help"),
    "dicom convert notes.txt -o out.doc": ("an ending that does not say what to write", ""),
    "dicom convert notes.txt -o out.nii --gaps squeeze": ("'squeeze' is not one of 'refuse', 'mark'", "braggbook dicom convert --help"),
    "dicom quality notes.txt": ("no DICOM object here", ""),
    "dicom quality notes.txt --report page.doc": ("not the name of a report", ""),
    "dicom exposure notes.txt": ("no DICOM object here", ""),
    "dicom exposure notes.txt --csv table.doc": ("not the name of a table", ""),
    "publish frobnicate": ("No such command 'frobnicate'.", "braggbook publish --help"),
    "publish plan": ("Missing argument 'WHAT'.", "braggbook publish plan --help"),
    "publish plan none": ("no run, dataset or sweep named 'none'", "braggbook list run"),
    "publish push none": ("no run, dataset or sweep named 'none'", "braggbook list run"),
    "publish mint none": ("no run, dataset or sweep named 'none'", "braggbook list run"),
    "publish plan good": ("wanted a run of it", "braggbook run good"),
    "publish plan none --to zenod": ("no such archive; got 'zenod'; did you mean zenodo", ""),
    "publish push none --to moon": ("wanted folder, zenodo, zenodo_sandbox, the https address of a server", ""),
    "publish push none --to http://archive.example": ("not an archive's address", ""),
    "publish push none --to ftp://archive.example": ("not an archive's address", ""),
    "publish push none --to https://": ("not an archive's address", ""),
    "publish push none --to https://[::1": ("not an archive's address", ""),
    "publish push none --to https://archive.example:99999": ("not an archive's address", ""),
    "publish push none --to invenio+": ("no such archive", ""),
    "publish push none --to https://ada:hunter2@archive.example": ("archive.example: an address with more than an address in it", ""),
    "publish push none --to https://archive.example/?access_token=hunter2": ("archive.example: an address with more", ""),
    "publish push none --to invenio+https://archive.example/#hunter2": ("archive.example: an address with more", ""),
    "publish push none --to zenodo": ("no token for the archive", "export BRAGGBOOK_ZENODO_TOKEN=..."),
    "publish mint none --to zenodo_sandbox": ("no token for the archive", "export BRAGGBOOK_ZENODO_SANDBOX_TOKEN=..."),
    "publish push none --to https://archive.example": ("no token for the archive", "export BRAGGBOOK_ARCHIVE_TOKEN=..."),
    "archive list --in moon": ("no such archive", ""),
    "archive list --in https://ada:hunter2@archive.example": ("archive.example: an address with more", ""),
    "archive list --most 0": ("0 is not in the range 1<=x<=100.", "braggbook archive list --help"),
    "archive show": ("Missing argument 'DOI'.", "braggbook archive show --help"),
    "archive show nothing": ("not the identifier of a record", ""),
    "archive show https://ada:hunter2@archive.example/records/1": ("archive.example: an address with more", ""),
    "archive show https://archive.example/x?token=hunter2": ("not the identifier of a record", ""),
    "archive show 10.5072/braggbook.none.1": ("no archive", "braggbook publish push RUN"),
    "archive serve --host 0.0.0.0": ("the archive would be open to other machines", "braggbook archive serve --host 127.0.0.1"),
    "show record none": ("not the identifier of a record", ""),
    "--project nowhere run good": ("Directory 'nowhere' does not exist", "braggbook --help"),
}  # fmt: skip
FINDINGS = ("check", "check good", "check typos", "check bad/everything_wrong.ipynb", "check bad/none.ipynb")
FINE = (
    "archive list",
    "archive list word",
    "list record",
    "list notebook",
    "list kernel",
    "list run",
    "list dataset",
    "list settings",
    "show notebook good",
    "check good",
    "show settings runs",
)
CALLS = {text: _words(text) for text in dict.fromkeys([*UNUSABLE, *FINDINGS, *FINE])}
CALLS |= {f"{text} --json": (*words, "--json") for text, words in CALLS.items()}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory, kernel_template: Path) -> dict[str, Answer]:
    """What the command line answered to each of the calls, in one process after another call."""
    folder = tmp_path_factory.mktemp("cli") / "project"
    shutil.copytree(kernel_template, folder)
    shutil.copytree(BAD, folder / "bad")
    (folder / "notes.txt").write_text("no notebook\n")
    notebooks = folder / "notebooks"
    write_experiment(notebooks, "good", code=["bb.result('x', factor, unit='1')"], parameters="factor: float = 2")
    write_experiment(notebooks, "typos", code=["np.random.rand()"])
    write_experiment(notebooks, "other_kernel", code=[], front={"kernel": "root"})
    write_experiment(notebooks, "other_data", code=[], front={"datasets": ["counts@1"]})
    env = {name: value for name, value in os.environ.items() if not name.startswith(("BRAGGBOOK_", "ZENODO_"))}
    env["BRAGGBOOK_ARCHIVE"] = str(folder.with_name("archive"))
    done = subprocess.run(
        [sys.executable, "-c", DRIVER], cwd=folder, env=env, input=json.dumps([*CALLS.values()]),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not (folder / "runs").exists(), "nothing of this starts a run"
    return {text: Answer(*answer) for text, answer in zip(CALLS, json.loads(done.stdout), strict=True)}


@pytest.mark.parametrize("text", UNUSABLE)
def test_what_cannot_be_done_is_said_with_the_next_command(answers: dict[str, Answer], text: str) -> None:
    message, command = UNUSABLE[text]
    answer = answers[text]
    assert answer.code == 2, answer
    assert answer.out == ""
    assert answer.err.startswith("braggbook: ")
    assert message in answer.err
    assert "hunter2" not in answer.err
    assert f"\nnext: {command}" in answer.err or not command
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("text", UNUSABLE)
def test_with_json_the_error_is_json_on_stdout_and_words_on_stderr(answers: dict[str, Answer], text: str) -> None:
    answer, plain = answers[f"{text} --json"], answers[text]
    assert (answer.code, answer.err) == (plain.code, plain.err)
    said = answer.json
    assert set(said) == {"error", "what", "where", "wanted", "got", "next", "issues", "exit_code"}
    assert said["exit_code"] == answer.code
    assert said["what"] in plain.err
    assert all(issue["what"] in plain.err for issue in said["issues"])
    assert UNUSABLE[text][1] in said["next"]


@pytest.mark.parametrize("text", FINE)
def test_results_are_on_stdout_and_nothing_else(answers: dict[str, Answer], text: str) -> None:
    plain, told = answers[text], answers[f"{text} --json"]
    assert (plain.code, plain.err, told.code, told.err) == (0, "", 0, "")
    assert plain.out.strip()
    assert told.json is not None


def test_a_check_with_findings_ends_with_1_and_names_them(answers: dict[str, Answer]) -> None:
    assert [answers[text].code for text in FINDINGS] == [1, 0, 1, 1, 1]
    told = answers["check typos --json"].json
    assert told["findings"] == 2
    assert told["checked"][0]["ok"] is False
    assert "random numbers from a generator without a seed" in answers["check typos"].out
    assert "the front matter names a result that is not declared" in answers["check typos"].out
    assert "no kernel named 'root'" in answers["check"].out
    assert "counts" in answers["check"].out


def test_lists_show_what_the_project_has(answers: dict[str, Answer]) -> None:
    rows = answers["list notebook --json"].json
    assert [row["notebook"] for row in rows] == ["good", "other_data", "other_kernel", "typos"]
    assert [row["kernel"] for row in answers["list kernel --json"].json] == ["radiobiology"]
    assert answers["list run --json"].json == []
    assert "no run here" in answers["list run"].out
    assert answers["show notebook good --json"].json["parameters"]["properties"]["factor"]["default"] == 2.0


def test_settings_that_cannot_be_used_end_every_verb(tmp_path: Path) -> None:
    env = {**os.environ, "BRAGGBOOK_CELL_TIMEOUT_S": "soon"}
    command = [sys.executable, "-m", "braggbook", "new", "notebook", "x", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert json.loads(done.stdout)["issues"][0]["where"] == "cell_timeout_s (environment)"
    assert "Traceback" not in done.stderr


def test_without_a_verb_help_is_shown_and_the_exit_code_says_that_nothing_was_done(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "braggbook"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.startswith("Usage: braggbook [OPTIONS] COMMAND [ARGS]...")

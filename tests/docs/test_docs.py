"""The documentation against the code: its examples run, its tables are complete, its links lead somewhere.

How examples are written is told in ``pages.py`` beside this file.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from jupyter_client.kernelspec import KernelSpec
from pydantic import BaseModel

import braggbook
from braggbook import errors, units
from braggbook.formats import (
    archive,
    board,
    challenge,
    common,
    dataset,
    deidentification,
    hub_backup,
    kernel,
    notebook,
    progress,
    quality,
    record,
    result,
    run,
    submission,
    sweep,
    sweep_record,
    verification,
    volume,
)
from braggbook.hub.config import HubConfig, describe_config
from braggbook.hub.people.providers import Provider
from braggbook.kernels.scaffold import new_kernel
from braggbook.notebooks.decode import decode_result
from braggbook.radiobiology import proton_rbe_models
from braggbook.records.archive import Announcing, Archive
from braggbook.settings import Settings

from .pages import DOCS, ROOT, Block, Reader, blocks, name_of, page_paths, starts_kernel

sys.path.insert(0, str(DOCS / "_ext"))
command_line = importlib.import_module("command_line")

PAGES = [
    pytest.param(path, id=name_of(path), marks=[pytest.mark.full] if starts_kernel(path) else [])
    for path in page_paths()
    if any(block.language in ("console", "python", "pycon") for block in blocks(path))
]
# Their examples stand in Braggbook's own project
WITH_DATA = ("explain/", "formats/", "how-to/sweep.md", "radiobiology/", "reference/")
WITH_NOTEBOOKS = ("how-to/sweep.md",)


TOPICS = ("survival", "rbe", "constants", "fractionation", "outcome", "oxygen", "biodosimetry", "damage", "beams", "io")


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


# Examples


@pytest.fixture
def reader(tmp_path: Path) -> Any:
    def make(path: Path) -> Reader:
        folder = tmp_path / "here"
        folder.mkdir()
        if name_of(path).startswith(WITH_DATA):
            new_kernel("radiobiology", project=folder)
            (folder / "datasets").symlink_to(ROOT / "datasets")
        if name_of(path) in WITH_NOTEBOOKS:
            (folder / "notebooks").symlink_to(ROOT / "notebooks")
        return Reader(path, folder, tmp_path / "tools")

    return make


@pytest.mark.full
@pytest.mark.parametrize("path", PAGES)
def test_examples_do_what_the_page_says(path: Path, reader: Any) -> None:
    somebody = reader(path)
    somebody.follow()
    for written in somebody.notebooks:
        if "BRAGGBOOK_RESULTS" in written.read_text(encoding="utf-8"):
            continue  # `check` looks for bb.result, as the page says
        code, answer = somebody.call(f"braggbook --project {written.parents[1]} check {written}")
        assert code == 0, answer


@pytest.mark.full
def test_the_worked_example_runs(reader: Any) -> None:
    somebody = reader(DOCS / "formats" / "notebook.md")
    somebody.follow()
    code, answer = somebody.call("braggbook run two_lines --json")
    assert code == 0, answer
    assert json.loads(answer)["results"]["dose_ratio"]["value"] == pytest.approx(1.2107, abs=1e-4)


def test_every_command_that_is_shown_exists() -> None:
    wrong = []
    for path in [*page_paths(), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for text in shown_commands(line):
                if problem := unknown_part(text):
                    wrong.append(f"{path.name}, line {number}: {problem} in {text!r}")
    assert not wrong, "\n".join(wrong)


def shown_commands(line: str) -> Iterator[str]:
    if match := re.match(
        r"\s*(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\S+/|python3? -m |python3 -m uv run )?(braggbook [^`]*)$", line
    ):
        yield match[1]
    yield from (match[1] for match in re.finditer(r"`(?:\$ )?(braggbook [^`]*)`", line))


def unknown_part(text: str) -> str:
    """Returns the verb or option of a shown command that does not exist."""
    try:
        words = shlex.split(text.replace("…", " "), comments=True)[1:]
    except ValueError:  # a quote that goes on in the next line
        return ""
    command: click.Command = command_line.main
    context = click.Context(command, **command.context_settings)
    options = set()
    while True:
        options |= {name for p in command.get_params(context) for name in (*p.opts, *p.secondary_opts)}
        while words and words[0].startswith("-"):
            name = words.pop(0)
            if name not in options:
                return name
            words = words[1:] if name in ("--project", "--runs") else words
        if not isinstance(command, click.Group) or not words or words[0] in ("COMMAND", "..."):
            break
        verb = re.split(r"[|,]", words.pop(0))[0]
        found = command.get_command(context, verb)
        if found is None:
            return verb
        command, context = found, click.Context(found, parent=context)
    wrong = [word for word in words if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in options]
    return wrong[0] if wrong else ""


MODELS: dict[str, Any] = {
    "RunRecord": run.RunRecord,
    "ResultsFile": result.ResultsFile,
    "VolumeCard": volume.VolumeCard,
    "Manifest": volume.Manifest,
    "OmeCard": volume.OmeCard,
    "Sidecar": volume.Sidecar,
    "CheckRecord": quality.CheckRecord,
    "DeidentificationKey": deidentification.DeidentificationKey,
    "ArchiveCard": archive.ArchiveCard,
    "Entry": archive.Entry,
    "PublishPlan": record.PublishPlan,
    "Deposit": record.Deposit,
    "VerificationFile": verification.VerificationFile,
    "Sealed": submission.Sealed,
    "Submission": submission.Submission,
    "Withdrawal": submission.Withdrawal,
    "Evaluation": submission.Evaluation,
    "Receipt": submission.Receipt,
    "BackupCard": hub_backup.BackupCard,
    "Progress": progress.Progress,
    "ProgressExport": progress.ProgressExport,
    "Board": board.Board,
    "Closed": board.Closed,
}
DEFAULTS: dict[tuple[str, str], Any] = {
    ("formats/notebook.md", "yaml"): notebook.FrontMatter,
    ("formats/kernel.md", "toml"): kernel.KernelCard,
    ("formats/kernel.md", "json"): KernelSpec,
    ("formats/result.md", "json"): result.result_adapter,
    ("formats/dataset.md", "toml"): dataset.DatasetCard,
    ("formats/challenge.md", "toml"): challenge.Design,
    ("formats/sweep.md", "json"): sweep_record.SweepRecord,
    ("formats/sweep_design.md", "toml"): sweep.SweepDesign,
    ("how-to/sweep.md", "toml"): sweep.SweepDesign,
    ("how-to/write_an_experiment.md", "yaml"): notebook.FrontMatter,
    ("how-to/other_languages.md", "yaml"): notebook.FrontMatter,
    ("how-to/other_languages.md", "json"): result.result_adapter,
}
DATA = {"yaml": yaml.safe_load, "toml": tomllib.loads, "json": json.loads}
FILES = [
    pytest.param(path, block, id=f"{name_of(path)}:{block.line}")
    for path in page_paths()
    for block in blocks(path)
    if block.language in DATA
]


@pytest.mark.parametrize(("path", "block"), FILES)
def test_examples_of_files_are_valid(path: Path, block: Block) -> None:
    data = DATA[block.language](block.text)
    kind, _, name = block.note.partition(": ")
    model = MODELS[name] if kind == "example of" else DEFAULTS.get((name_of(path), block.language))
    if model is None:
        assert not name_of(path).startswith("formats/"), "a file's example needs `<!-- example of: MODEL -->`"
    elif model is KernelSpec:
        assert KernelSpec(**data).argv
    elif model is result.result_adapter:
        decode_result(model.validate_python(data))
    elif model is dataset.DatasetCard:
        model.model_validate(data, by_alias=True, by_name=False)
    else:
        checked = model.model_validate(data)
        if isinstance(checked, run.RunRecord):
            assert checked.identity.run_id == checked.id
        if isinstance(checked, sweep_record.SweepRecord):
            assert sweep_record.sweep_id(checked.identity, checked.fixed, checked.axes) == checked.id


# Completeness


def test_every_verb_and_option_is_documented() -> None:
    page = read("reference/cli.md")
    shown = [match[1].strip() for match in re.finditer(r"^```\{verb\}(.*)$", page, re.MULTILINE)]
    verbs = [" ".join(words) for words in command_line.all_verbs()]
    assert sorted(shown) == sorted(["", *verbs])
    for verb in verbs:
        assert re.search(rf"^##+ {verb}$", page, re.MULTILINE), f"no heading {verb}"
        command, context = command_line.find_verb(verb.split())
        named = " ".join(option for option, _ in command_line.option_rows(verb.split()))
        for parameter in command.get_params(context):
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{verb} {parameter.name} has no help"
                assert parameter.opts[-1] in named


def test_every_setting_is_documented() -> None:
    rows = {row[0]: row for row in table(read("reference/settings.md"), "Settings")}
    assert set(rows) == {field.name for field in dataclasses.fields(Settings)}
    for field in dataclasses.fields(Settings):
        assert f"BRAGGBOOK_{field.name.upper()}" in rows[field.name][1]
        if isinstance(field.default, int | float):
            assert rows[field.name][2] == f"{field.default:g}"


def test_every_setting_of_the_hub_is_documented() -> None:
    page = read("reference/settings.md")
    rows = {row[0]: row for row in table(page, "The hub")}
    assert list(rows) == [field.name for field in dataclasses.fields(HubConfig)]
    flags = {option for verb in ("serve", "worker") for option in options_of(verb)}
    for name, (variable, default) in describe_config().items():
        flag = f"--{name.replace('_', '-')}"
        named = [one for one in (variable, flag if flag in flags else "") if one] or ["in the file only"]
        assert rows[name][1].split(", ") == named
        if default not in ("", "None", "()"):
            assert rows[name][2].lower() == default.lower().removesuffix(".0")
        assert rows[name][3]
    assert {row[0] for row in table(page, "A provider")} == {field.name for field in dataclasses.fields(Provider)}


def options_of(verb: str) -> list[str]:
    command, context = command_line.find_verb([verb])
    return [option for parameter in command.get_params(context) for option in parameter.opts]


def test_every_environment_variable_is_documented() -> None:
    page = read("reference/settings.md")
    texts = [
        path.read_text(encoding="utf-8") for path in [*(ROOT / "src").rglob("*.py"), ROOT / "tests" / "conftest.py"]
    ]
    known = {name for text in texts for name in re.findall(r"[\"`](BRAGGBOOK_[A-Z_]*[A-Z])[\"`]", text)}
    assert {"BRAGGBOOK_RESULTS", "BRAGGBOOK_DATASETS", "BRAGGBOOK_SEED"} <= known
    assert not {name for name in known if f"`{name}`" not in page}


def error_classes() -> dict[str, type[errors.BraggbookError]]:
    found = {name: value for name, value in vars(errors).items() if isinstance(value, type)}
    return {name: value for name, value in found.items() if issubclass(value, errors.BraggbookError)}


def test_the_tree_of_errors_is_the_code_s() -> None:
    tree = next(block.text for block in blocks(DOCS / "reference" / "errors.md") if block.language == "text")
    assert tree.split() == (errors.__doc__ or "").partition("::")[2].split()
    found: dict[str, tuple[str, int]] = {}
    above: list[str] = ["Exception"]
    for line in tree.splitlines():
        name = re.search(r"\w+", line)
        assert name is not None
        depth = name.start() // 4
        code = re.search(r"\s(\d+)\s", line)
        found[name[0]] = (above[depth], int(code[1]) if code else 2)
        above[depth + 1 :] = [name[0]]
    real = {name: (kind.__bases__[0].__name__, kind.exit_code) for name, kind in error_classes().items()}
    assert found == real


def test_every_error_has_its_cause_and_next_command() -> None:
    page = read("how-to/troubleshooting.md")
    told = {}
    for heading, body in sections(page).items():
        if code := re.search(r"exit code (\d+)", heading):
            for row in rows_of(body):
                other = re.search(r"\(code (\d+)\)", row[0])
                told[row[0].split()[0]] = int((other or code)[1])
                assert row[1], row[0]
                assert row[2], row[0]
    told = {name: code for name, code in told.items() if name in error_classes()}
    real = {name: kind.exit_code for name, kind in error_classes().items() if name != "BraggbookError"}
    assert told == real


def test_every_exit_code_is_documented() -> None:
    codes = {int(row[0]) for row in table(read("how-to/troubleshooting.md"), "Exit codes")}
    assert codes == {0, 1} | {kind.exit_code for kind in error_classes().values()}


FIELDS: dict[str, dict[str, type[BaseModel]]] = {
    "formats/challenge.md": {
        "Keys": challenge.Design,
        "`[organisation]`": challenge.Organisation,
        "`[mission]`": challenge.Mission,
        "`[data]`": challenge.Data,
        "`[submission]`": challenge.SubmissionRules,
        "`[submission.columns.<name>]`": challenge.PredictedColumn,
        "`[[submission.ordered]]`": challenge.OrderedColumns,
        "`[limits]`": challenge.NotebookLimits,
        "`[[phases]]`": challenge.Phase,
        "`[phases.quota]`": challenge.Quota,
        "`[phases.shows]`": challenge.Visibility,
        "`[[metrics]]`": challenge.Metric,
        "`[metrics.empty]`": challenge.EmptyRule,
        "`[ranking]`": challenge.RankingRules,
        "sealed.json": submission.Sealed,
        "Splits": submission.SealedSplit,
        "submission.json": submission.Submission,
        "withdrawn.json": submission.Withdrawal,
        "evaluation.json": submission.Evaluation,
        "Problem": submission.Problem,
        "Used": submission.Used,
        "Scorer": submission.Scorer,
        "receipt.json": submission.Receipt,
    },
    "formats/board.md": {
        "board.json": board.Board,
        "Metrics": board.MetricShown,
        "Rows": board.Row,
        "Scores": board.Standing,
        "Spread": board.Spread,
        "Not on the board": board.Left,
        "closed.json": board.Closed,
    },
    "formats/hub_backup.md": {"backup.json": hub_backup.BackupCard},
    "formats/progress.md": {
        "The progress file": progress.Progress,
        "Question": progress.QuestionProgress,
        "Attempt": progress.Attempt,
        "The export": progress.ProgressExport,
    },
    "formats/notebook.md": {
        "Front matter": notebook.FrontMatter,
        "Authors": common.Author,
        "braggbook": notebook.Experiment,
        "Goals": notebook.Goal,
        "Parameters": notebook.ParameterSpec,
        "Results": notebook.ResultSpec,
    },
    "formats/dataset.md": {
        "Keys": dataset.DatasetCard,
        "`[[sources]]`": dataset.Source,
        "`[[files]]`": dataset.DatasetFile,
        "`[[files.from]]`": dataset.FileOrigin,
        "`[files.columns.<name>]`": dataset.Column,
    },
    "formats/kernel.md": {"kernel.toml": kernel.KernelCard},
    "formats/run.md": {
        "run.json": run.RunRecord,
        "Failure": run.Failure,
        "Datasets": run.DatasetRecord,
        "Kernel": run.KernelRecord,
        "Braggbook": run.SoftwareRecord,
        "Determinism": run.Determinism,
        "Cells": run.CellRecord,
        "The id": run.Identity,
    },
    "formats/result.md": {
        "Scalar": result.ScalarResult,
        "Interval": result.ResultInterval,
        "Table": result.TableResult,
        "Column": result.TableColumn,
        "Dataset": result.DatasetResult,
        "Variable": result.ArrayVariable,
        "Figure": result.FigureResult,
        "results.json": result.ResultsFile,
    },
    "formats/sweep.md": {"sweep.json": sweep_record.SweepRecord, "Axes": sweep_record.AxisRecord},
    "formats/sweep_design.md": {"Keys": sweep.SweepDesign, "`[latin_hypercube.NAME]`": sweep.LatinHypercube},
    "formats/volume.md": {
        "The card of a store": volume.VolumeCard,
        "Variables": volume.VariableRecord,
        "Manifest": volume.Manifest,
        "OME-Zarr": volume.OmeCard,
        "The side-car": volume.Sidecar,
    },
    "formats/quality.md": {
        "Report": quality.Quality,
        "Dimensions": quality.DimensionRecord,
        "Checks": quality.CheckRecord,
        "Findings": quality.FindingRecord,
        "Series": quality.SeriesRecord,
        "Measurements": quality.MeasurementRecord,
    },
    "formats/record.md": {
        "The plan": record.PublishPlan,
        "Metadata": record.RecordMetadata,
        "Creators": record.Creator,
        "Relations": record.Relation,
        "Funding": record.Funding,
        "Files": record.PlanFile,
        "deposit.json": record.Deposit,
    },
    "formats/verification.md": {
        "verification.json": verification.VerificationFile,
        "Record": verification.VerifiedRecord,
        "Files": verification.FileFinding,
        "Results": verification.ResultRow,
        "Verified with": verification.Verifier,
    },
    "formats/archive.md": {"archive.json": archive.ArchiveCard, "entry.json": archive.Entry},
    "formats/deidentification.md": {
        "Key": deidentification.DeidentificationKey,
        "Report": deidentification.DeidentificationReport,
        "Methods": deidentification.MethodRecord,
        "Steps": deidentification.StepRecord,
        "Files": deidentification.FileRecord,
    },
}


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_of_a_file_is_documented(name: str) -> None:
    for heading, model in FIELDS[name].items():
        told = [field for row in table(read(name), heading) for field in row[0].split(", ")]
        real = {str(field.validation_alias or key) for key, field in model.model_fields.items()}
        assert set(told) == real, f"{name}, {heading}"
        assert len(told) == len(set(told))


def test_no_model_of_a_file_is_left_out() -> None:
    told = {model for page in FIELDS.values() for model in page.values()}
    inner = {run.FileRecord, dataset.Beam, dataset.CellLine, dataset.Experiment}  # told in words, and tested below
    modules = (
        notebook, dataset, kernel, run, result, sweep, sweep_record, volume, quality, deidentification, record, archive,
        verification, challenge, submission, board, hub_backup, progress,
    )  # fmt: skip
    for module in modules:
        models = {value for value in vars(module).values() if isinstance(value, type) and issubclass(value, BaseModel)}
        own = {m for m in models if m.__module__ == module.__name__ and not m.__name__.startswith("_")}
        assert own <= told | inner, module.__name__
    for page, models in (("run", {run.FileRecord}), ("dataset", inner - {run.FileRecord})):
        text = read(f"formats/{page}.md")
        assert not [key for model in models for key in model.model_fields if key not in text]


def test_every_verb_of_an_archive_is_documented() -> None:
    told = {
        name for row in table(read("explain/archives.md"), "What every archive does") for name in row[0].split(", ")
    }
    protocols = (Archive, Announcing)
    assert told == {
        name for kind in protocols for name in vars(kind) if callable(getattr(kind, name)) and name[0] != "_"
    }


def test_every_mark_of_a_figure_is_documented() -> None:
    source = (ROOT / "src" / "braggbook" / "notebooks" / "figures.py").read_text(encoding="utf-8")
    assert {row[0] for row in table(read("formats/result.md"), "Marks")} == set(re.findall(r'"type": "(\w+)"', source))


def test_every_unit_is_documented() -> None:
    symbols, _, rest = sections(read("reference/units.md"))["Symbols"].partition("These take a prefix:")
    assert set(re.findall(r"`([^`]+)`", symbols)) == set(units._UNITS)
    prefixed, prefixes = rest.split("The prefixes are")
    assert set(re.findall(r"`([^`]+)`", prefixed)) == units._PREFIXED
    assert set(re.findall(r"`([^`]+)`", prefixes.partition(".")[0])) == set(units._PREFIXES)


def test_every_proton_model_is_documented() -> None:
    assert {row[0] for row in table(read("radiobiology/rbe.md"), "Proton models")} == set(proton_rbe_models())


def test_the_words_of_the_house_are_in_the_glossary() -> None:
    entries = re.findall(r"^(\S.*)$", read("glossary.md").partition("{glossary}")[2].partition("```")[0], re.MULTILINE)
    assert entries == sorted(entries, key=str.lower)
    packages = [path.parent.name for path in (ROOT / "src" / "braggbook").glob("*/__init__.py")]
    rooms = {name for name in packages if (ROOT / name).is_dir()}
    assert {"notebooks", "datasets", "kernels"} <= rooms
    assert {room.removesuffix("s") for room in rooms} - {"doc", "test", "script"} <= set(entries)


def test_the_layers_are_those_that_are_checked() -> None:
    told = next(b.text for b in blocks(DOCS / "explain" / "architecture.md") if b.text.startswith("cli "))
    layers = [re.split(r"\s{2,}", line)[0] for line in told.splitlines()]
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    contract = tools["importlinter"]["contracts"][0]
    assert layers == [layer for layer in contract["layers"] if layer != "__main__"]


def test_the_rooms_of_records_that_are_told_are_there() -> None:
    layers = sections(read("explain/architecture.md"))["Layers"]
    cells = re.findall(r"^\| ((?:`[\w.]+/?`(?:, )?)+) \|", layers, re.MULTILINE)
    told = re.findall(r"`([^`]+)`", " ".join(cells))
    assert "deposit.py" in told
    assert not [name for name in told if not (ROOT / "src" / "braggbook" / "records" / name).exists()]


def test_what_is_held_fixed_is_documented() -> None:
    environment = importlib.import_module("braggbook.runs.environment")
    told = " ".join(row[0] for row in table(read("explain/architecture.md"), "What is held fixed"))
    assert set(environment.fixed_variables(0)) <= set(told.replace(",", " ").split())


# Links, and what must not be in


LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]+))?\)")


@pytest.mark.parametrize(
    "path", [*page_paths(), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"], ids=str
)
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target, anchor in LINK.findall(text):
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), f"{target}#{anchor}"


def anchors(path: Path) -> set[str]:
    """Returns what a page's headings are called in addresses: GitHub's rule, which MyST has too."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.replace("`", "").lower()).replace(" ", "-") for text in headings}


def test_every_page_is_in_the_table_of_contents() -> None:
    listed = set(re.findall(r"^[\w-]+(?:/[\w-]+)?$", read("index.md"), re.MULTILINE))
    pages = {name_of(path).removesuffix(".md") for path in page_paths()} - {"index"}
    tutorials = {page for page in pages if page.startswith("tutorials/")}  # listed by tutorials/index, by a pattern
    assert listed == pages - tutorials | {"tutorials/index"}


def test_no_page_names_a_machine() -> None:
    for path in [*page_paths(), ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.<])/(?:root|home|work|tmp|Users)/", text), path.name
        assert not re.search(r"pypi\.org|files\.pythonhosted", text), path.name


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")


OTHER_HOST = re.compile(r"<(?:script|img|link)\b[^>]*(?:src|href)=\"(?:https?:)?//")


@pytest.mark.full
def test_the_pages_build_without_a_warning(tmp_path: Path) -> None:
    options = ["-q", "-W", "--keep-going", "-b", "html", "-d", str(tmp_path / "doctrees")]
    command = [sys.executable, "-m", "sphinx", *options, str(DOCS), str(tmp_path / "html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for page in (tmp_path / "html").rglob("*.html"):
        assert not OTHER_HOST.search(page.read_text(encoding="utf-8")), page.name
    python = (tmp_path / "html" / "reference" / "python.html").read_text(encoding="utf-8")
    own = ("load", "read_dicom", "result", "rng", "run_doi", "show_volume", "sweep", "three_planes")
    functions = [f"braggbook.{name}" for name in own]
    values = {"DNA_CONTENT_MB", "Status"}  # said in the docstrings of what uses them
    for topic in TOPICS:
        module = importlib.import_module(f"braggbook.radiobiology.{topic}")
        functions += [f"{module.__name__}.{name}" for name in module.__all__ if name not in values]
    assert not [name for name in functions if f'id="{name}"' not in python]
    modules = {"__version__", "errors", "imaging", "learn", "metrics", "radiobiology", "units"}
    assert set(braggbook.__all__) == {*modules, *own}


# Reading tables


class Row(list[str]):
    """The cells of a row, code marks taken off; ``raw`` is the row as written."""

    raw: str = ""


def sections(text: str) -> dict[str, str]:
    """Returns what stands below each heading, up to the next one."""
    parts = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows_of(body: str) -> list[Row]:
    rows = []
    for line in body.splitlines():
        if line.startswith("|") and not re.fullmatch(r"[|\-: ]+", line):
            row = Row(cell.strip().replace("`", "") for cell in re.split(r"(?<!\\)\|", line)[1:-1])
            row.raw = line
            rows.append(row)
    return [row for row in rows if (row[0] and "`" in row.raw.split("|")[1]) or row[0].isdigit()]


def table(text: str, heading: str) -> list[Row]:
    """Returns the rows of the tables right below a heading whose first cell is code or a number."""
    return rows_of(sections(text)[heading])


def test_every_topic_has_one_picture_and_every_picture_its_script() -> None:
    shown: list[str] = []
    for path in sorted((DOCS / "radiobiology").glob("*.md")):
        found = re.findall(r"!\[[^\]]{40,}\]\(\.\./pictures/([\w-]+)\.svg\)", path.read_text(encoding="utf-8"))
        assert found or path.stem == "coming_from", path.name
        shown += found
    for path in sorted((DOCS / "explain").glob("*.md")):
        shown += re.findall(r"!\[[^\]]{40,}\]\(\.\./pictures/([\w-]+)\.svg\)", path.read_text(encoding="utf-8"))
    pictures = DOCS / "pictures"
    assert {path.stem for path in pictures.glob("*.py")} == set(shown)
    assert all((pictures / f"{name}.svg").is_file() for name in shown)


@pytest.mark.full
@pytest.mark.parametrize("name", sorted(path.stem for path in (DOCS / "pictures").glob("*.py")))
def test_a_picture_can_be_drawn_again(name: str) -> None:
    script = (
        "import matplotlib, runpy; matplotlib.use('svg');"
        f"figure = runpy.run_path({str(DOCS / 'pictures' / (name + '.py'))!r})['draw']();"
        "print(sum(len(axes.lines) + len(axes.collections) + len(axes.patches) for axes in figure.axes))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 0

"""Crates of runs pass roc-validator's profile Workflow Run Crate 0.5, without any network.

The profile stands on Process Run Crate 0.5, Workflow RO-Crate 1.0 and RO-Crate 1.1, which are checked with it.
The validator asks for two JSON-LD contexts, and is given those of their terms that our crates may use: a term that is
not in this list fails the check, as one that is in neither context would.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from braggbook.runs.crate import CRATE
from braggbook.runs.crate_of_many import merge_crates
from braggbook.testing.experiments import make_project, write_experiment

from ..conftest import ROOT, Project
from ..oracle_environments import oracle_environment

pytestmark = pytest.mark.full

VALIDATOR = "roc-validator==0.13.0"
PROFILE = "workflow-run-crate-0.5"
SCHEMA_ORG = [
    "ComputerLanguage", "CreateAction", "CreativeWork", "Dataset", "Organization", "Person", "PropertyValue",
    "SoftwareApplication", "SoftwareSourceCode", "about", "actionStatus", "additionalType", "affiliation", "author",
    "contentSize", "datePublished", "defaultValue", "description", "encodingFormat", "endTime", "error",
    "exampleOfWork", "hasPart", "identifier", "instrument", "keywords", "license", "mainEntity", "mentions", "name",
    "object", "programmingLanguage", "result", "softwareRequirements", "softwareVersion", "startTime", "unitText",
    "url", "value", "version",
]  # fmt: skip
ROR = "https://ror.org/02nv7yv05"
BIOSCHEMAS = "https://bioschemas.org"
CONTEXTS = {
    "https://w3id.org/ro/crate/1.1/context": {
        **{term: f"http://schema.org/{term}" for term in SCHEMA_ORG},
        "File": "http://schema.org/MediaObject",
        "ComputationalWorkflow": f"{BIOSCHEMAS}/ComputationalWorkflow",
        "FormalParameter": f"{BIOSCHEMAS}/FormalParameter",
        "input": f"{BIOSCHEMAS}/ComputationalWorkflow#input",
        "output": f"{BIOSCHEMAS}/ComputationalWorkflow#output",
        "conformsTo": "http://purl.org/dc/terms/conformsTo",
    },
    "https://w3id.org/ro/terms/workflow-run/context": {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"},
}
# What a run does not say, and why.
RECOMMENDED_AND_NOT_MET = {
    "Application url": "neither a notebook nor a build of Braggbook from a checkout has an address",
    "SoftwareApplication id": "the same",
    "README.md about": "the folder's README is a plain text",
    "README.md encodingFormat": "the same",
    "Main Workflow Bioschemas compliance": "it would ask for an address and a date of the notebook, which nobody knows",
    "Action agent": "who ran it is not recorded",
    "Root Data Entity: `publisher` property": "a run is published later, and elsewhere",
}
UNSAID = {  # by what the experiment leaves out
    "affiliation": {
        "CreativeWork Author: RECOMMENDED affiliation property",
        "CreativeWork Author: RECOMMENDED Contextual Entity linked for the organizational `affiliation` property",
    },
    "results": {"FormalParameter inverse exampleOfWork"},
}

CODE = """import braggbook as bb, pandas as pd, xarray as xr, matplotlib.pyplot as plt
from pathlib import Path
bb.result("x", dose_gy * 2, unit="Gy", uncertainty=0.5)
bb.result("table", pd.DataFrame({"n": [1, 2]}))
bb.result("grid", xr.DataArray([1.0, 2.0], dims="i", name="grid"))
figure, axes = plt.subplots()
axes.plot([1, 2])
bb.result("figure", figure)
for name in ("a file, 100 % odd #1.txt", "Größe [mm].csv", "deep/er/x.bin"):
    path = Path("files") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")"""
RESULTS = {"x": {"unit": "Gy"}, "table": {"kind": "table"}, "grid": {"kind": "dataset"}, "figure": {"kind": "figure"}}
IMAGE = """import numpy as np, braggbook as bb, xarray as xr
grid = xr.DataArray(np.zeros((4, 5, 6), "float32"), dims=("z", "y", "x"), name="dose", attrs={"units": "Gy"})
bb.result("dose", grid)"""


@dataclass(frozen=True)
class Validator:
    """The validator, with its cache filled and no way to the network."""

    programs: Path
    folder: Path

    def issues(self, crate: Path) -> list[tuple[str, str, str]]:
        """Returns severity, check and message of all that a crate does not comply with."""
        report = self.folder / f"{crate.name}.json"
        command = [
            self.programs / "rocrate-validator", "--no-interactive", "validate", "--offline", "--no-auto-profile",
            "--cache-path", self.folder / "http", "--profile-identifier", PROFILE,
            "--requirement-severity", "RECOMMENDED", "--output-format", "json", "--output-file", report, crate,
        ]  # fmt: skip
        done = subprocess.run([*map(str, command)], check=False, capture_output=True, text=True, timeout=300)
        assert report.is_file(), done.stdout + done.stderr
        found = json.loads(report.read_text())
        assert found["skipped_checks"] == 0, found["skipped_check_details"]
        return [(issue["severity"], issue["check"]["name"], issue["message"]) for issue in found["issues"]]


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Validator:
    programs = oracle_environment(tmp_path_factory, "roc_validator", VALIDATOR)
    folder = tmp_path_factory.mktemp("validator")
    (folder / "contexts.json").write_text(json.dumps(CONTEXTS))
    fill = Path(__file__).with_name("fill_http_cache.py")
    subprocess.run([programs / "python", fill, folder / "http", folder / "contexts.json"], check=True, timeout=60)
    return Validator(programs, folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs of all sorts, by name."""
    project = Project(make_project(tmp_path_factory.mktemp("crates") / "project"))
    notebooks = project.folder / "notebooks"
    dose: dict[str, Any] = {
        "parameters": "dose_gy: float = 1.0",
        "front": {"parameters": {"dose_gy": {"unit": "Gy"}}},
    }
    path = write_experiment(notebooks, "all_kinds", code=[CODE], results=RESULTS, **dose)
    orcid = "orcid: 0000-0002-1825-0097"
    path.write_text(path.read_text().replace(orcid, f"{orcid}\\n  affiliation: Institut für Größen\\n  ror: {ROR}"))
    write_experiment(notebooks, "failing", code=["1 / 0"], results=RESULTS, **dose)
    write_experiment(notebooks, "image", code=[IMAGE], results={"dose": {"kind": "dataset"}})
    runs = {slug: Path(project.run(slug).json["run_dir"]) for slug in ("all_kinds", "failing", "image")}
    swept = project.call("sweep", "all_kinds", "-p", "dose_gy=2,3", "--json")
    assert swept.code == 0, swept.err
    point = next(path for path in project.runs.iterdir() if (path / "run.json").is_file() and path not in runs.values())
    shutil.copytree(ROOT / "datasets", project.folder / "datasets")
    shutil.copy(ROOT / "notebooks" / "radiobiology" / "clonogenic_survival.ipynb", notebooks)
    flagship = project.run("clonogenic_survival")
    assert flagship.code == 0, flagship.err
    return {**runs, "point": point, "flagship": Path(flagship.json["run_dir"])}


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("all_kinds", []),
        ("failing", ["affiliation", "results"]),
        ("image", ["affiliation"]),
        ("point", []),
        ("flagship", ["affiliation"]),
    ],
)
def test_a_run_passes(validator: Validator, made: dict[str, Path], name: str, left_out: list[str]) -> None:
    found = validator.issues(made[name])
    assert [issue for issue in found if issue[0] == "REQUIRED"] == []
    allowed = RECOMMENDED_AND_NOT_MET.keys() | {check for part in left_out for check in UNSAID[part]}
    assert [issue for issue in found if issue[1] not in allowed] == []


def test_the_crate_of_a_sweep_passes(validator: Validator, made: dict[str, Path], tmp_path: Path) -> None:
    runs = [made["all_kinds"], made["point"]]
    files = [{path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()} for run in runs]
    shared = {name for name in files[0] & files[1] if name.startswith(("notebook/", "kernel/", "software/"))}
    folder = tmp_path / "sweep"
    for run in runs:
        shutil.copytree(
            run, folder / "points" / run.name, ignore=shutil.ignore_patterns("notebook", "kernel", "software")
        )
    for name in shared:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(runs[0] / name, folder / name)
    (folder / "results.csv").write_text("x\n1\n")
    shutil.copytree(runs[0] / "arrays" / "grid.zarr", folder / "results.zarr")
    merged = merge_crates(
        {run.name: json.loads((run / CRATE).read_text()) for run in runs},
        shared=shared,
        about={"name": "A sweep", "description": "Of two points", "identifier": "s1"},
        points="points",
        also=["results.csv", "results.zarr/"],
    )
    (folder / CRATE).write_text(json.dumps(merged))
    found = validator.issues(folder)
    assert [issue for issue in found if issue[0] == "REQUIRED" or issue[1] not in RECOMMENDED_AND_NOT_MET] == []
    graph = {entity["@id"]: entity for entity in merged["@graph"]}
    assert len(graph) == len(merged["@graph"])
    actions = [graph[one["@id"]] for one in graph["./"]["mentions"]]
    assert [action["name"] for action in actions] == ["Execution of A test experiment"] * 2
    values = {graph[action["object"]["@id"]]["value"] for action in actions}
    assert len(values) == 2, "each action has the values of its own point"


def test_the_validator_can_fail(validator: Validator, made: dict[str, Path], tmp_path: Path) -> None:
    crate = json.loads((made["image"] / "ro-crate-metadata.json").read_text())
    for entity in crate["@graph"]:
        if entity["@type"] == "CreateAction":
            del entity["instrument"]
        if entity["@id"] == "./":
            entity["notATerm"] = 1
    (tmp_path / "ro-crate-metadata.json").write_text(json.dumps(crate))
    names = {check for severity, check, _ in validator.issues(tmp_path) if severity == "REQUIRED"}
    assert {"Action instrument", "Validation of the compaction format of the file descriptor"} <= names

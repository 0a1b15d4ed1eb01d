"""The crate of a run keeps the rules that its profiles call MUST.

RO-Crate 1.1 (https://w3id.org/ro/crate/1.1), Workflow RO-Crate 1.0 (https://w3id.org/workflowhub/workflow-ro-crate/1.0)
and Workflow Run Crate 0.5 (https://w3id.org/ro/wfrun/workflow/0.5).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from rocrate.rocrate import ROCrate

from ..conftest import Project

pytestmark = pytest.mark.full

CODE = """import braggbook as bb, pandas as pd, xarray as xr, matplotlib.pyplot as plt
bb.result("x", dose_gy * 2, unit="Gy")
bb.result("table", pd.DataFrame({"n": [1, 2]}))
bb.result("grid", xr.DataArray([1.0, 2.0], dims="i", name="grid"))
figure, axes = plt.subplots()
axes.plot([1, 2])
bb.result("figure", figure)"""
RESULTS = {"x": {"unit": "Gy"}, "table": {"kind": "table"}, "grid": {"kind": "dataset"}, "figure": {"kind": "figure"}}


def _crate(project: Project, code: list[str]) -> tuple[Path, dict[str, Any]]:
    project.experiment(
        "made", code=code, results=RESULTS, parameters="dose_gy: float = 1.0",
        front={"parameters": {"dose_gy": {"unit": "Gy"}}},
    )  # fmt: skip
    folder = Path(project.run("made", "-p", "dose_gy=3").json["run_dir"])
    graph = json.loads((folder / "ro-crate-metadata.json").read_text())["@graph"]
    return folder, {entity["@id"]: entity for entity in graph}


def _types(entity: dict[str, Any]) -> list[str]:
    return entity["@type"] if isinstance(entity["@type"], list) else [entity["@type"]]


def _references(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [item["@id"] for item in items if isinstance(item, dict) and "@id" in item]


def test_the_musts_of_a_complete_run(project: Project) -> None:
    folder, graph = _crate(project, [CODE])
    descriptor, root = graph["ro-crate-metadata.json"], graph["./"]
    assert _references(descriptor["about"]) == ["./"]
    assert "https://w3id.org/ro/crate/1.1" in _references(descriptor["conformsTo"])
    assert {"name", "description", "datePublished", "license"} <= set(root)
    assert "https://w3id.org/ro/wfrun/workflow/0.5" in _references(root["conformsTo"])
    main = graph[_references(root["mainEntity"])[0]]
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow"} <= set(_types(main))
    assert "ComputerLanguage" in _types(graph[_references(main["programmingLanguage"])[0]])
    action = graph[_references(root["mentions"])[0]]
    assert action["@type"] == "CreateAction"
    assert _references(action["instrument"]) == [main["@id"]]
    assert action["actionStatus"].endswith("CompletedActionStatus")
    for slot, direction in (("input", "object"), ("output", "result")):
        formal = set(_references(main[slot]))
        assert all(graph[name]["@type"] == "FormalParameter" and graph[name]["additionalType"] for name in formal)
        given = [graph[name] for name in _references(action[direction])]
        assert formal <= {name for entity in given for name in _references(entity.get("exampleOfWork", []))}
    assert graph["#value-dose_gy"]["value"] == "3.0"
    assert (graph["#result-x"]["value"], graph["#result-x"]["unitText"]) == ("6.0", "Gy")
    _check_files(folder, graph)


def _check_files(folder: Path, graph: dict[str, Any]) -> None:
    """Every file entity is there, with its hash; every reference leads somewhere."""
    for name, entity in graph.items():
        if "File" in _types(entity):
            assert (folder / name).is_file(), name
            if "sha256" in entity:
                assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == entity["sha256"]
        for value in entity.values():
            for reference in _references(value):
                assert reference in graph or reference.startswith(("http://", "https://")), reference
    assert len(ROCrate(folder).data_entities) > 15, "the crate library itself reads it back"


def test_a_failed_run_says_so(project: Project) -> None:
    _, graph = _crate(project, ["1 / 0"])
    action = graph[_references(graph["./"]["mentions"])[0]]
    assert action["actionStatus"].endswith("FailedActionStatus")
    assert "ZeroDivisionError" in action["error"]

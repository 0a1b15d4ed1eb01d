"""The crates of a sweep's points become one: what is shared stands once, and what is a point's own keeps apart."""

from __future__ import annotations

from typing import Any

from braggbook.runs.crate_of_many import merge_crates

ABOUT = {"name": "A sweep", "description": "Of two", "identifier": "s"}


def ref(name: str) -> dict[str, str]:
    return {"@id": name}


def crate_of(run_id: str, *, value: str, ended: str) -> dict[str, Any]:
    return {
        "@context": ["c"],
        "@graph": [
            {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": ref("./")},
            {
                "@id": "./", "@type": "Dataset", "name": "A run", "datePublished": ended, "mentions": ref(f"#run-{run_id}"),
                "mainEntity": ref("notebook/n.ipynb"), "hasPart": [ref("notebook/n.ipynb"), ref("a%20file.txt")],
            },
            {"@id": "notebook/n.ipynb", "@type": "File", "input": ref("#parameter-x")},
            {"@id": "a%20file.txt", "@type": "File"},
            {"@id": "#parameter-x", "@type": "FormalParameter"},
            {"@id": "#value-x", "@type": "PropertyValue", "value": value, "exampleOfWork": ref("#parameter-x")},
            {
                "@id": f"#run-{run_id}", "@type": "CreateAction", "instrument": ref("notebook/n.ipynb"),
                "object": [ref("#value-x")], "result": ref("a%20file.txt"), "name": "#value-x",
            },
        ],
    }  # fmt: skip


def test_two_points() -> None:
    crates = {"r1": crate_of("r1", value="1", ended="2026-02"), "r2": crate_of("r2", value="2", ended="2026-01")}
    merged = merge_crates(
        crates, shared={"notebook/n.ipynb"}, about=ABOUT, points="points", also=["results.csv", "a b.zarr/"]
    )
    graph = {entity["@id"]: entity for entity in merged["@graph"]}
    assert len(graph) == len(merged["@graph"])
    assert merged["@context"] == ["c"]
    root = graph["./"]
    assert (root["name"], root["datePublished"], root["mainEntity"]) == ("A sweep", "2026-02", ref("notebook/n.ipynb"))
    assert root["mentions"] == [ref("#run-r1"), ref("#run-r2")]
    files = ["notebook/n.ipynb", "points/r1/a%20file.txt", "points/r2/a%20file.txt", "results.csv", "a%20b.zarr/"]
    assert root["hasPart"] == [ref(name) for name in files]
    assert set(files) <= set(graph)
    for run_id, value in (("r1", "1"), ("r2", "2")):
        action = graph[f"#run-{run_id}"]
        assert action["instrument"] == ref("notebook/n.ipynb")
        assert action["object"] == [ref(f"#value-x-{run_id}")]
        assert action["result"] == ref(f"points/{run_id}/a%20file.txt")
        assert action["name"] == "#value-x", "a text that reads like a name stays"
        assert graph[f"#value-x-{run_id}"]["value"] == value
    assert [name for name in graph if name.startswith("#parameter")] == ["#parameter-x"]
    assert crates["r1"]["@graph"][1]["name"] == "A run", "the runs' own crates stay as they are"


def test_one_point() -> None:
    merged = merge_crates({"r1": crate_of("r1", value="1", ended="2026")}, shared=(), about=ABOUT, points="points")
    graph = {entity["@id"]: entity for entity in merged["@graph"]}
    assert graph["./"]["mentions"] == ref("#run-r1")
    assert graph["./"]["mainEntity"] == ref("points/r1/notebook/n.ipynb")

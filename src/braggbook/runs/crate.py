"""The run as a Workflow Run RO-Crate, which archives and other tools understand without Braggbook.

Profile: https://w3id.org/ro/wfrun/workflow/0.5 (Workflow Run Crate), on RO-Crate 1.1.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rocrate.model import ContextEntity
from rocrate.model.computerlanguage import ComputerLanguage
from rocrate.model.entity import Entity
from rocrate.model.person import Person
from rocrate.rocrate import ROCrate

from braggbook.datasets.catalogue import FOLDER as DATASETS
from braggbook.files import sha256_file, write_json
from braggbook.formats.common import Author
from braggbook.formats.result import Result, ScalarResult
from braggbook.formats.run import RunRecord
from braggbook.notebooks.parameters import Parameter
from braggbook.notebooks.source import Notebook
from braggbook.runs.folder import RECORD

CRATE = "ro-crate-metadata.json"
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
_FORMAL_PARAMETER = "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"
_MADE_FOLDERS = ("figures/", "tables/", "arrays/")
_MADE = (*_MADE_FOLDERS, "executed.ipynb", "results.json", "report.html", "files/")
_TERMS = "https://w3id.org/ro/terms/workflow-run/context"
_SPDX = "https://spdx.org/licenses/"
_KINDS = {
    ".ipynb": "application/x-ipynb+json",
    ".jsonl": "application/jsonl",
    ".toml": "application/toml",
    ".lock": "text/plain",
}
_SCHEMA_TYPES = {"integer": "Integer", "number": "Float", "boolean": "Boolean", "string": "Text"}


def write_crate(folder: Path, notebook: Notebook, record: RunRecord, results: Iterable[Result]) -> None:
    """Writes ``ro-crate-metadata.json`` for everything that lies in ``folder``."""
    crate = ROCrate(version="1.1")
    crate.metadata.extra_contexts.append(_TERMS)
    _describe_root(crate, notebook, record)
    files = _add_files(crate, folder)
    crate.add_file(dest_path=RECORD, properties={"name": RECORD, "encodingFormat": "application/json"})
    workflow = _add_workflow(crate, notebook, record)
    outputs = _add_outputs(crate, workflow, notebook)
    inputs = [_add_parameter(crate, workflow, item, record.parameters[item.name]) for item in notebook.parameters.items]
    data = [entity for name, entity in files.items() if name.startswith(f"{DATASETS}/")]
    action = _add_action(
        crate, workflow, record, objects=[*inputs, *data], results=_results(crate, files, outputs, results)
    )
    crate.root_dataset["mentions"] = [action]
    write_json(folder / CRATE, _settled(crate.metadata.generate(), record))


def _describe_root(crate: ROCrate, notebook: Notebook, record: RunRecord) -> None:
    front = notebook.front
    crate.name = f"Run of {front.title}"
    crate.description = front.abstract or front.description or front.title
    crate.keywords = ", ".join(front.keywords) or None
    crate.license = crate.add(_license(crate, front.license))
    crate.root_dataset["identifier"] = [record.id, f"doi:{record.doi}"] if record.doi else record.id
    crate.root_dataset["conformsTo"] = [
        crate.add(
            ContextEntity(crate, address, {"@type": "CreativeWork", "name": name, "version": address.rsplit("/", 1)[1]})
        )
        for address, name in _PROFILES.items()
    ]
    crate.root_dataset["author"] = [_author(crate, author) for author in front.authors]


def _author(crate: ROCrate, author: Author) -> Entity:
    address = f"https://orcid.org/{author.orcid}" if author.orcid else _local(author.name)
    person = crate.add(Person(crate, address, {"name": author.name}))
    if author.affiliation:
        facts = {"@type": "Organization", "name": author.affiliation, **({"url": author.ror} if author.ror else {})}
        person["affiliation"] = crate.add(ContextEntity(crate, author.ror or _local(author.affiliation), facts))
    return person


def _local(name: str) -> str:
    return f"#{quote(name.replace(' ', '-'))}"


def _license(crate: ROCrate, name: str) -> ContextEntity:
    address = name if ("(" in name or " " in name) else _SPDX + name
    return ContextEntity(
        crate, address if address.startswith("http") else "#license", {"@type": "CreativeWork", "name": name}
    )


def _add_files(crate: ROCrate, folder: Path) -> dict[str, Entity]:
    found: dict[str, Entity] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        inside_store = any(part.endswith(".zarr") for part in Path(name).parent.parts)
        if path.is_dir() and path.suffix == ".zarr":
            facts = {"name": path.stem, "encodingFormat": "application/vnd.zarr"}
            found[name] = crate.add_dataset(dest_path=name, properties=facts)
        elif path.is_file() and not inside_store and not name.startswith("notebook/"):
            kind = _KINDS.get(path.suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
            facts = {
                "sha256": sha256_file(path),
                "contentSize": str(path.stat().st_size),
                "encodingFormat": kind,
            }
            found[name] = crate.add_file(dest_path=name, properties={"name": path.name, **facts})
    return found


def _add_workflow(crate: ROCrate, notebook: Notebook, record: RunRecord) -> Entity:
    python = {"name": "Python", "version": record.python, "url": "https://www.python.org"}
    language = crate.add(ComputerLanguage(crate, "#python", python))
    workflow = crate.add_workflow(dest_path=f"notebook/{notebook.slug}.ipynb", main=True, lang=language)
    workflow["name"] = notebook.front.title
    workflow["encodingFormat"] = _KINDS[".ipynb"]
    workflow["version"] = record.identity.notebook[:12]  # a notebook has no version but its digest
    software = ContextEntity(
        crate,
        f"#braggbook-{record.braggbook.sha256[:12]}",
        {"@type": "SoftwareApplication", "name": "Braggbook", "softwareVersion": record.braggbook.version},
    )
    workflow["softwareRequirements"] = [crate.add(software)]
    return workflow


def _formal(crate: ROCrate, identifier: str, facts: dict[str, Any], unit: str | None) -> Entity:
    facts = {"@type": "FormalParameter", "conformsTo": {"@id": _FORMAL_PARAMETER}, **facts}
    return crate.add(ContextEntity(crate, identifier, facts | ({"unitText": unit} if unit else {})))


def _value(crate: ROCrate, identifier: str, facts: dict[str, Any], formal: Entity) -> Entity:
    entity = crate.add(ContextEntity(crate, identifier, {"@type": "PropertyValue", **facts}))
    entity["exampleOfWork"] = formal
    return entity


def _add_outputs(crate: ROCrate, workflow: Entity, notebook: Notebook) -> dict[str, Entity]:
    outputs = {}
    for name, spec in notebook.front.braggbook.results.items():
        facts = {"name": name, "additionalType": _output_type(spec.kind), "description": spec.help}
        outputs[name] = _formal(crate, f"#output-{name}", facts, spec.unit)
    workflow["output"] = list(outputs.values())
    return outputs


def _output_type(kind: str) -> str:
    return {"scalar": "Float", "table": "File", "figure": "File", "dataset": "Dataset"}[kind]


def _add_parameter(crate: ROCrate, workflow: Entity, item: Parameter, value: Any) -> Entity:
    schema = item.schema
    facts: dict[str, Any] = {
        "name": item.name,
        "additionalType": _SCHEMA_TYPES.get(str(schema.get("type")), "PropertyValue"),
        "description": schema.get("description", ""),
        "defaultValue": _text(schema.get("default")),
    }
    formal = _formal(crate, f"#parameter-{item.name}", facts, item.spec.unit)
    workflow.append_to("input", formal)
    given = {"name": item.name, "value": _text(value), **({"unitText": item.spec.unit} if item.spec.unit else {})}
    return _value(crate, f"#value-{item.name}", given, formal)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _results(
    crate: ROCrate, files: dict[str, Entity], outputs: dict[str, Entity], results: Iterable[Result]
) -> list[Entity]:
    made = [entity for name, entity in files.items() if name.startswith(_MADE)]
    for name, entity in files.items():
        if (output := outputs.get(Path(name).stem)) and name.startswith(_MADE_FOLDERS):
            entity["exampleOfWork"] = output
    for result in results:
        if isinstance(result, ScalarResult) and result.name in outputs:
            facts = {"name": result.name, "value": _text(result.value), "unitText": result.unit}
            made.append(_value(crate, f"#result-{result.name}", facts, outputs[result.name]))
    return made


def _add_action(
    crate: ROCrate, workflow: Entity, record: RunRecord, *, objects: list[Entity], results: list[Entity]
) -> Entity:
    status = "CompletedActionStatus" if record.verdict == "complete" else "FailedActionStatus"
    facts = {
        "@type": "CreateAction",
        "name": f"Execution of {record.title}",
        "description": f"Run {record.id} of the notebook {record.notebook}, by Braggbook {record.braggbook.version}",
        "startTime": record.started,
        "endTime": record.ended,
        "actionStatus": f"http://schema.org/{status}",  # a text in the profile, not a reference
    }
    facts |= {"error": record.failure.message} if record.failure else {}
    action = crate.add(ContextEntity(crate, f"#run-{record.id}", facts))
    action["instrument"] = workflow
    action["object"] = objects
    action["result"] = results
    return action


def _settled(graph: dict[str, Any], record: RunRecord) -> dict[str, Any]:
    # rocrate dates a crate by the moment of writing; the run's own end is the honest and the repeatable date
    for entity in graph["@graph"]:
        if entity["@id"] == "./":
            entity["datePublished"] = record.ended
        if entity["@id"] == CRATE:
            profile = {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"}
            entity["conformsTo"] = [{"@id": "https://w3id.org/ro/crate/1.1"}, profile]
        entity.update({name: value[0] for name, value in entity.items() if isinstance(value, list) and len(value) == 1})
    return graph

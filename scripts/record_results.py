"""Records the numbers of the shipped notebooks: `python scripts/record_results.py [NOTEBOOK ...]`.

Runs every notebook, or those that are named, and writes tests/notebooks/shipped_results.json: each declared number,
and the constants of published models behind it. A test compares every later run with it, so that no shipped number
moves unseen; look at the difference (git diff) before you commit it, and say in the changelog why it moved.
Notebooks of imaging need their datasets: BRAGGBOOK_DATA_MIRROR names a folder that has them, else they are fetched.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]
RECORD = PROJECT / "tests" / "notebooks" / "shipped_results.json"


def numbers(run: Path) -> dict[str, dict[str, float]]:
    """Returns the declared numbers of a run, and the constants that they rest on."""
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))["results"]
    scalars = {name: result["value"] for name, result in sorted(results.items()) if result["kind"] == "scalar"}
    constants = {name: value for result in results.values() for name, value in (result.get("constants") or {}).items()}
    return {"numbers": scalars, "constants": dict(sorted(constants.items()))}


def main() -> None:
    """Runs all, or those that are named, and writes the record."""
    named = sys.argv[1:]
    paths = sorted(p for p in (PROJECT / "notebooks").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
    if unknown := set(named) - {path.stem for path in paths}:
        sys.exit(f"no such notebook: {', '.join(sorted(unknown))}")
    record = json.loads(RECORD.read_text(encoding="utf-8")) if named else {}
    for path in paths:
        if named and path.stem not in named:
            continue
        command = [sys.executable, "-m", "braggbook", "--project", str(PROJECT), "run", path.stem, "--json"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            sys.exit(f"{path.stem}: {answer.stderr}")
        record[path.stem] = numbers(Path(json.loads(answer.stdout)["run_dir"]))
        print(path.stem, *(f"{len(part)} {name}" for name, part in record[path.stem].items()))
    RECORD.write_text(json.dumps(dict(sorted(record.items())), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Makes the pins of ``braggbook lite build`` again: run it after changing a version in ``requirements.in`` or below.

    python scripts/lock_lite.py pyodide-<version>.tgz     (the tarball: npm pack pyodide@<version>)

Which Pyodide belongs to a JupyterLite is in ``jupyterlite_pyodide_kernel/constants.py`` of that release. What the
kernel needs comes at the versions of Pyodide's own lock; what Braggbook needs beside it, at the newest ones.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "src" / "braggbook" / "lite"
FILES = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
KERNEL = ("micropip", "ipython", "jedi", "packaging", "platformdirs")  # with all that these depend on
OWN = ("comm", "ipywidgets==8.1.9", "pydantic", "tomlkit")  # in no or another version in Pyodide's lock


def main(tarball: Path) -> None:
    """Writes the three files of pins."""
    version = tarball.name.removeprefix("pyodide-").removesuffix(".tgz")
    with tarfile.open(tarball) as archive:
        core = {name: archive.extractfile(f"package/{name}").read() for name in FILES}  # type: ignore[union-attr]
    lock = json.loads(core["pyodide-lock.json"])
    facts = {
        "version": version,
        "python": lock["info"]["python"].rpartition(".")[0],
        "platform": f"pyemscripten_{lock['info']['abi_version']}_wasm32",
        "packages": f"https://cdn.jsdelivr.net/pyodide/v{version}/full/",
        "core": {name: hashlib.sha256(data).hexdigest() for name, data in core.items()},
    }
    (FOLDER / "pyodide.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    (FOLDER / "browser.lock").write_text(browser_lock(lock["packages"], facts), encoding="utf-8")
    compiled = ["pip", "compile", str(FOLDER / "requirements.in"), "--universal", "--python-version", "3.11"]
    compiled += ["--generate-hashes", "--no-annotate", "--no-header", "--quiet", "--upgrade"]
    text = subprocess.run(["uv", *compiled], check=True, capture_output=True, text=True).stdout
    (FOLDER / "requirements.lock").write_text(text, encoding="utf-8")


def browser_lock(packages: dict[str, dict], facts: dict) -> str:
    """Returns name, version and hash of every wheel for the browser."""
    pins = [f"{name}=={packages[name]['version']}" for name in closure(packages)]
    abi = "cp" + facts["python"].replace(".", "")
    command = [sys.executable, "-m", "pip", "download", "-q", "--only-binary", ":all:", "--platform", facts["platform"]]
    command += ["--python-version", facts["python"], "--implementation", "cp", "--abi", abi, "--abi", "none"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*command, "--dest", folder, "--no-deps", *pins], check=True)
        subprocess.run([*command, "--dest", folder, "--no-deps", *OWN], check=True)
        subprocess.run(
            [*command, "--dest", folder, "pydantic", "packaging==" + packages["packaging"]["version"]], check=True
        )
        lines = [line(path) for path in sorted(Path(folder).glob("*.whl"))]
    return "".join(lines)


def closure(packages: dict[str, dict]) -> list[str]:
    """Returns the kernel's packages with all that they need."""
    found: set[str] = set()
    queue = list(KERNEL)
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue += [needed.replace("_", "-") for needed in packages[name]["depends"]]
    return sorted(found)


def line(wheel: Path) -> str:
    """Returns a wheel's pin."""
    name, version = wheel.name.split("-")[:2]
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return f"{name.replace('_', '-').lower()}=={version} --hash=sha256:{digest}\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))

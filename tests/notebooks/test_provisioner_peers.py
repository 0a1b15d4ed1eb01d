"""papermill and nbclient with our kernels: everything is as it is without, but for the time it takes."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ..conftest import folders

pytestmark = pytest.mark.full

_SPEC = importlib.util.find_spec("papermill")
assert _SPEC is not None
assert _SPEC.origin is not None
PAPERMILL = Path(_SPEC.origin).parent  # its tests and their notebooks come with it
OURS: dict[str, dict[str, str]] = {"provisioner": {"JUPYTER_DEFAULT_PROVISIONER_NAME": "braggbook"}, "engine": {}}
PYTHON3 = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
TIMEOUT_S = 240


def environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "NO_COLOR": "1", **more}


def write(path: Path, *cells: str, **metadata: Any) -> None:
    """Writes a notebook whose first cell has its parameters."""
    code = [new_code_cell(source) for source in cells]
    code[0].metadata["tags"] = ["parameters"]
    nbformat.write(new_notebook(cells=[*code, new_markdown_cell("end")], metadata=metadata or PYTHON3), path)


def calm(text: str, folder: Path) -> str:
    """Leaves out of a text what differs from one execution to the next."""
    text = text.replace(str(folder), "<folder>")
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    text = re.sub(r"0x[0-9a-f]+", "<address>", text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>", text)
    return re.sub(r"ipykernel_\d+", "ipykernel_<process>", text)


def without_noise(text: str) -> str:
    """Leaves out the progress bar, which knows the time, and what a kernel says of its encryption and its end."""
    noise = re.compile(r"Executing\b.*%\||\[IPKernelApp\]")
    return "\n".join(line for line in re.split(r"[\r\n]+", text) if line and not noise.match(line))


def clean(node: Any, folder: Path) -> Any:
    """Returns a notebook as JSON, without times and cell ids, the pieces of a stream together."""
    for part in (node, *node.cells):
        part.pop("id", None)
        part.metadata.pop("execution", None)
        for name in ("start_time", "end_time", "duration"):
            part.metadata.get("papermill", {}).pop(name, None)
    for cell in node.cells:
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
    return json.loads(calm(json.dumps(node), folder))


def _joined(outputs: Sequence[Any]) -> list[Any]:
    joined: list[Any] = []
    streams: dict[str, Any] = {}
    for output in outputs:
        if output.output_type != "stream":
            joined.append(output)
        elif output.name in streams:
            streams[output.name].text += output.text
        else:
            streams[output.name] = output
            joined.append(output)
    for stream in streams.values():
        stream.text = without_noise(stream.text)
    return joined


# papermill's own notebooks and tests

EXECUTE = """
import json, sys
from pathlib import Path
import papermill
engine, source, target = sys.argv[1] or None, Path(sys.argv[2]), Path(sys.argv[3])
failed = {}
for path in sorted(source.glob("*.ipynb")):
    parameters = {"msg": "Hello"} if "msg" in path.read_text() else {}
    limit = 3 if path.name == "keyboard_interrupt.ipynb" else None  # it would sleep for a minute
    try:
        papermill.execute_notebook(path, target / path.name, parameters, engine_name=engine, progress_bar=False,
                                   execution_timeout=limit, cwd=source)
    except Exception as error:
        failed[path.name] = [type(error).__name__, str(error)]
(target / "failed.json").write_text(json.dumps(failed))
"""


@dataclass(frozen=True)
class Executed:
    """What papermill made of its own notebooks: how each failed, if it did, and what was saved."""

    failed: dict[str, Any]
    notebooks: dict[str, Any]


def execute_all(folder: Path, *, engine: str = "", variables: Mapping[str, str] | None = None) -> Executed:
    source, target = folder / "papermill" / "tests" / "notebooks", folder / "executed"
    shutil.copytree(PAPERMILL / "tests" / "notebooks", source, ignore=shutil.ignore_patterns("gcs", "s3"))
    target.mkdir()
    command = [sys.executable, "-W", "ignore", "-c", EXECUTE, engine, str(source), str(target)]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(**(variables or {})),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    saved = {path.name: clean(nbformat.read(path, as_version=4), folder) for path in target.glob("*.ipynb")}
    return Executed(json.loads(calm((target / "failed.json").read_text(), folder)), saved)


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Executed:
    return execute_all(tmp_path_factory.mktemp("stock"))


@pytest.mark.parametrize("ours", OURS)
def test_papermills_own_notebooks(stock: Executed, tmp_path: Path, ours: str) -> None:
    assert len(stock.notebooks) > 20
    assert {"sysexit1.ipynb", "broken.ipynb", "notimplemented_translator.ipynb"} <= set(stock.failed)
    assert stock.failed["keyboard_interrupt.ipynb"][0] == "CellTimeoutError"
    found = execute_all(tmp_path, engine="braggbook" if ours == "engine" else "", variables=OURS[ours])
    assert found.failed == stock.failed
    assert set(found.notebooks) == set(stock.notebooks)
    different = [name for name, notebook in stock.notebooks.items() if found.notebooks[name] != notebook]
    for name in different:
        assert found.notebooks[name] == stock.notebooks[name], name


SUITE = ["test_execute", "test_autosave", "test_engines", "test_clientwrap"]
AS_DEFAULT = """
from papermill.engines import papermill_engines
from braggbook.runs.engine import RunEngine
for name in (None, "nbclient"):
    papermill_engines.register(name, RunEngine)
"""


def failing(folder: Path, *options: str, tests: Sequence[str], variables: Mapping[str, str]) -> set[str]:
    """Returns which of papermill's own tests fail."""
    (folder / "as_default.py").write_text(AS_DEFAULT)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=found.xml", *options]
    place = ["-c", "pytest.ini", f"--rootdir={PAPERMILL.parent}"]  # names are then those of modules
    done = subprocess.run(
        [*command, *place, "--pyargs", *(f"papermill.tests.{name}" for name in tests)],
        cwd=folder,
        env=environment(PYTHONPATH=str(folder), **variables),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    cases = list(ET.parse(folder / "found.xml").iter("testcase"))
    assert len(cases) > 0
    return {f"{case.get('classname')}.{case.get('name')}" for case in cases if case.find("failure") is not None}


@pytest.mark.parametrize("ours", OURS)
def test_papermills_own_tests_pass_if_they_pass_without(tmp_path: Path, ours: str) -> None:
    options = ["-p", "as_default"] if ours == "engine" else []
    failed = failing(tmp_path, *options, tests=SUITE, variables=OURS[ours])
    if failed:  # papermill's tests want another IPython than is installed
        files = [name for name in SUITE if any(f".{name}." in one for one in failed)]
        assert failed <= failing(tmp_path, tests=files, variables={})


# the command line

SAY = "import sys\nprint(x)\nprint('to stderr', file=sys.stderr)\nx"
WORK = "import os\nprint(os.path.basename(os.getcwd()))\nopen('made', 'w').close()"


@dataclass(frozen=True)
class Case:
    """One way to call papermill, and what the second cell of its notebook is; the first is ``x = 1``."""

    words: str
    code: str = SAY
    code_is_input: bool = False


CASES = {
    "parameters": Case("in.ipynb out.ipynb -p x 7 -p unknown 2"),
    "logged": Case("in.ipynb out.ipynb --log-output --no-progress-bar --stdout-file o.txt --stderr-file e.txt"),
    "not_saved_meanwhile": Case("in.ipynb out.ipynb --no-request-save-on-cell-execute"),
    "autosaved": Case("in.ipynb out.ipynb --request-save-on-cell-execute --autosave-cell-every 1"),
    "streams": Case("- -", code_is_input=True),
    "another_folder": Case("in.ipynb kept/out.ipynb --cwd work", WORK),
    "report": Case("in.ipynb out_{{x}}.ipynb --report-mode -p x 3"),
    "a_link": Case("in.ipynb link.ipynb"),
    "prepared": Case("in.ipynb out.ipynb --prepare-only -p x 3"),
    "fails": Case("in.ipynb out.ipynb", "1 / 0"),
    "takes_too_long": Case("in.ipynb out.ipynb --execution-timeout 2", "import time\ntime.sleep(60)"),
    "dies": Case("in.ipynb out.ipynb", "import os, time\ntime.sleep(0.5)\nos._exit(3)"),
    "no_such_kernel": Case("in.ipynb out.ipynb -k no_such_kernel"),
    "no_such_folder": Case("in.ipynb no/out.ipynb"),
    "no_such_input": Case("none.ipynb out.ipynb"),
    "a_folder": Case("in.ipynb kept.ipynb"),
    "a_full_disk": Case("in.ipynb /dev/full"),
    "a_name_too_long": Case(f"in.ipynb {'a' * 250}.ipynb"),
    "a_long_name": Case(f"in.ipynb {'a' * 248}.ipynb"),
    "nowhere": Case("in.ipynb /dev/null"),
    "no_notebook": Case("e.ipynb out.ipynb"),
}  # fmt: skip


def papermill(*words: str, engine: bool) -> list[str]:
    ours = ["--engine", "braggbook"] if engine else []
    return [sys.executable, "-W", "ignore", "-m", "papermill", *words, *ours]


def called(case: Case, folder: Path, *, engine: bool) -> dict[str, Any]:
    """Calls papermill in a folder; returns all that can be seen of it."""
    for name in ("kept", "work", "kept.ipynb"):
        (folder / name).mkdir(parents=True)
    (folder / "e.ipynb").write_text("{")
    (folder / "link.ipynb").symlink_to("behind.ipynb")
    write(folder / "in.ipynb", "x = 1", case.code)
    done = subprocess.run(
        papermill(*case.words.split(), engine=engine),
        cwd=folder,
        env=environment(),
        input=(folder / "in.ipynb").read_text() if case.code_is_input else None,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    said = calm(without_noise(done.stderr), folder).splitlines()
    seen: dict[str, Any] = {"exit code": done.returncode, "bar": "Executing: 100%" in done.stderr}
    # calls before an error differ; what a thread of jupyter_client says when its sockets are closed first is chance
    noise = ("  ", "Traceback", "zmq.error.ZMQError: Socket operation on non-socket")
    seen["stderr"] = [line for line in said if not line.startswith(noise)]
    seen["stdout"] = content(done.stdout, folder)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            seen[path.relative_to(folder).as_posix()] = content(path.read_text(), folder)
    return seen


def content(text: str, folder: Path) -> Any:
    if not text.startswith("{\n"):
        return calm(text, folder)
    return clean(nbformat.reads(text, as_version=4), folder)


@pytest.mark.parametrize("name", CASES)
def test_the_engine_is_called_as_papermills_own_is(tmp_path: Path, name: str) -> None:
    ours, stock = (called(CASES[name], tmp_path / str(engine), engine=engine) for engine in (True, False))
    assert ours == stock
    if name in ("parameters", "autosaved", "report"):
        assert ours["bar"]


def test_a_file_is_whole_before_and_after(tmp_path: Path) -> None:
    write(tmp_path / "in.ipynb", "x = 1", "print(x)")
    (tmp_path / "out.ipynb").write_text("what was there")
    (tmp_path / "out.ipynb").chmod(0o640)
    (tmp_path / "same").hardlink_to(tmp_path / "out.ipynb")
    subprocess.run(papermill("in.ipynb", "out.ipynb", engine=True), cwd=tmp_path, check=True, timeout=TIMEOUT_S)
    assert (tmp_path / "same").read_text() == "what was there", "a new file takes its place; nobody sees half of it"
    assert nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[1].outputs[0].text == "1\n"
    assert (tmp_path / "out.ipynb").stat().st_mode & 0o777 == 0o640
    assert folders(tmp_path) == ["in.ipynb", "out.ipynb", "same"]


def test_what_does_not_fit_on_the_disk_leaves_what_is_there(tmp_path: Path) -> None:
    write(tmp_path / "in.ipynb", "x = 1", "print('a' * 200_000)")

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run(
        papermill("in.ipynb", "out.ipynb", engine=True),
        cwd=tmp_path, preexec_fn=small_files, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("OSError: [Errno 27] File too large: 'out.ipynb'")
    assert [cell.outputs for cell in nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[:2]] == [[], []]
    assert folders(tmp_path) == ["in.ipynb", "out.ipynb"]


def within(seconds: float, found: Callable[[], Any]) -> Any:
    end = time.monotonic() + seconds
    while not (value := found()) and time.monotonic() < end:
        time.sleep(0.05)
    return value


def printed(path: Path) -> list[str]:
    """Returns what the cells of a saved notebook have printed, which must be whole at any time."""
    if not path.exists():
        return []
    node = nbformat.read(path, as_version=4)
    return [
        output.get("text", output.get("ename"))
        for cell in node.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]


def test_killed_in_a_silent_cell(tmp_path: Path) -> None:
    write(tmp_path / "in.ipynb", "x = 1", "print(x, 'was first')", "import time\ntime.sleep(600)")
    process = subprocess.Popen(
        papermill("in.ipynb", "out.ipynb", engine=True), cwd=tmp_path, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        assert within(90, lambda: printed(tmp_path / "out.ipynb")) == ["1 was first\n"], "saved while the cell runs"
        kernels = psutil.Process(process.pid).children(recursive=True)
        assert kernels
    finally:
        process.kill()
        process.wait()
    assert printed(tmp_path / "out.ipynb") == ["1 was first\n"]
    assert psutil.wait_procs(kernels, timeout=15)[1] == []


def test_interrupted_in_a_cell(tmp_path: Path) -> None:
    tidy = "import time\nprint('began')\ntry:\n    time.sleep(600)\nfinally:\n    open('tidied', 'w').close()"
    write(tmp_path / "in.ipynb", "x = 1", tidy)
    process = subprocess.Popen(
        papermill("in.ipynb", "out.ipynb", "--autosave-cell-every", "1", engine=True),
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert within(90, lambda: printed(tmp_path / "out.ipynb"))
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) != 0
    finally:
        process.kill()
        process.wait()
    assert (tmp_path / "tidied").exists(), "the cell was interrupted before the kernel was ended"
    assert printed(tmp_path / "out.ipynb") == ["began\n", "KeyboardInterrupt"]


SECOND = """
import sys, warnings
import papermill
warnings.simplefilter("error", RuntimeWarning)
for folder in sys.argv[2:]:
    node = papermill.execute_notebook(sys.argv[1], None, engine_name="braggbook", cwd=folder, progress_bar=False)
    print([output.get("text", output.get("data")) for cell in node.cells[:-1] for output in cell.outputs])
"""


def test_the_second_notebook_of_a_program_is_forked_and_finds_its_own_modules(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    (tmp_path / "c" / "yaml.py").write_text("answer = 42\n")  # also the name of an installed one
    forked = "import os\nprint('template.py' in open(f'/proc/{os.getppid()}/cmdline').read())"
    write(tmp_path / "in.ipynb", "import yaml", "print(getattr(yaml, 'answer', 'installed'))", forked)
    command = [sys.executable, "-c", SECOND, "in.ipynb", "a", "b", "c", "a"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr
    found = [line.replace("\\n", "") for line in done.stdout.splitlines()]
    assert found == ["['installed', 'False']", "['installed', 'True']", "['42', 'True']", "['installed', 'True']"]


# what a notebook can see

SEE = """
import asyncio, gc, json, locale, os, resource, signal, site, sys, tempfile, threading, warnings
import matplotlib, dask, numpy, sets_a_variable
import matplotlib.pyplot as plt
limits = [name for name in dir(resource) if name.startswith("RLIMIT")]
shell = get_ipython()
print(json.dumps({
    "argv": sys.argv[:2], "path": sys.path, "flags": str(sys.flags), "executable": sys.executable,
    "variables": dict(os.environ), "folder": os.getcwd(), "mask": os.umask(0o22),
    "locale": locale.setlocale(locale.LC_ALL), "encoding": locale.getpreferredencoding(),
    "limits": {name: resource.getrlimit(getattr(resource, name)) for name in limits},
    "signals": {str(number): str(signal.getsignal(number)).split(" at ")[0] for number in signal.Signals},
    "filters": sorted(map(str, warnings.filters)), "loop": str(type(asyncio.get_event_loop())),
    "main": sorted(name for name in vars(sys.modules["__main__"]) if not name.startswith("_i")),
    "names": sorted(name for name in shell.user_ns if not name.startswith("_")),
    "site": [site.ENABLE_USER_SITE, site.USER_SITE], "temporary": tempfile.gettempdir(),
    "matplotlib": [matplotlib.get_configdir(), matplotlib.matplotlib_fname(), plt.get_backend(), plt.isinteractive()],
    "settings": {name: str(value) for name, value in matplotlib.rcParams.items()},
    "dask": dask.config.paths, "history": str(shell.history_manager.hist_file), "profile": shell.profile_dir.location,
    "magics": sorted(shell.magics_manager.magics["line"]), "extensions": sorted(shell.extension_manager.loaded),
    "streams": [str(type(sys.stdin)), str(type(sys.stdout)), sys.stdout.encoding, sys.__stdout__.encoding],
    "session": os.getsid(0) == os.getpid(), "collector": [gc.get_threshold(), gc.isenabled()],
    "recursion": sys.getrecursionlimit(), "hooks": [str(hook).split(" at ")[0] for hook in (sys.excepthook, sys.breakpointhook)],
    "forked": "template.py" in open(f"/proc/{os.getppid()}/cmdline").read(),
}, default=str))
"""
DIFFERENT = {
    "JPY_PARENT_PID",
    "PYDEVD_USE_FRAME_EVAL",  # the debugger has read it by then
}
NBCLIENT = """
import sys
import nbformat
from nbclient import NotebookClient
node = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(node, timeout=120).execute()
nbformat.write(node, sys.argv[2])
"""


def seen(folder: Path, kernel: str, *cells: str, variables: Mapping[str, str]) -> Any:
    """Executes cells with stock nbclient."""
    spec = {"name": kernel, "display_name": kernel, "language": "python"}
    write(folder / "in.ipynb", *cells, kernelspec=spec)
    command = [sys.executable, "-c", NBCLIENT, "in.ipynb", f"{kernel}.ipynb"]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return nbformat.read(folder / f"{kernel}.ipynb", as_version=4)


@pytest.fixture
def kernels(tmp_path: Path) -> dict[str, str]:
    """Two kernelspecs that differ in nothing but the provisioner, a home folder, and a module that sets a variable."""
    argv = [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    modules = ["matplotlib.pyplot", "dask", "numpy", "sets_a_variable", "no_such_module"]
    warm = {"kernel_provisioner": {"provisioner_name": "braggbook", "config": {"modules": modules}}}
    for name, metadata in (("cold", {}), ("warm", warm)):
        folder = tmp_path / "data" / "kernels" / name
        folder.mkdir(parents=True)
        spec = {"argv": argv, "display_name": name, "language": "python", "metadata": metadata}
        (folder / "kernel.json").write_text(json.dumps(spec))
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "sets_a_variable.py").write_text("import os\nos.environ['SET_BY_AN_IMPORT'] = 'yes'\n")
    (tmp_path / "home" / ".config" / "matplotlib").mkdir(parents=True)
    (tmp_path / "home" / ".config" / "matplotlib" / "matplotlibrc").write_text("lines.linewidth: 7\n")
    own = {"HOME": str(tmp_path / "home"), "PYTHONPATH": str(tmp_path / "lib"), "TZ": "Asia/Tokyo"}
    return {**own, "JUPYTER_DATA_DIR": str(tmp_path / "data")}


def test_a_notebook_sees_the_same(tmp_path: Path, kernels: dict[str, str]) -> None:
    cold, warm = (
        json.loads(seen(tmp_path, name, SEE, variables=kernels).cells[0].outputs[0].text) for name in ("cold", "warm")
    )
    assert (cold.pop("forked"), warm.pop("forked")) == (False, True)
    assert set(cold["variables"]) ^ set(warm["variables"]) <= DIFFERENT
    for both in (cold, warm):
        both["variables"] = {name: value for name, value in both["variables"].items() if name not in DIFFERENT}
    assert warm == cold
    assert warm["settings"]["lines.linewidth"] == "7.0"
    assert warm["variables"]["SET_BY_AN_IMPORT"] == "yes"


def test_figures_of_a_library_that_the_template_has(tmp_path: Path, kernels: dict[str, str]) -> None:
    cells = ["import matplotlib.pyplot as plt\nplt.plot([1, 2])", "figure, axes = plt.subplots()\nNone", "figure"]
    cold, warm = (
        [
            [(output.output_type, sorted(output.get("data", {}))) for output in cell.get("outputs", [])]
            for cell in seen(tmp_path, name, *cells, variables=kernels).cells
        ]
        for name in ("cold", "warm")
    )
    assert warm == cold
    assert warm[1] == [("display_data", ["image/png", "text/plain"])]

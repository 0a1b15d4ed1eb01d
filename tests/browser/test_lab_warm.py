"""JupyterLab with kernels forked from a template, in a real Chromium: cells, figures, widgets, and nothing left behind.

JupyterLab is installed into an environment of its own: beside papermill, it would slow each of papermill's starts.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Browser, Locator, Page, expect

from .conftest import lab_address

pytestmark = pytest.mark.full

MODULES = ["numpy", "matplotlib.pyplot", "ipywidgets", "no_such_module"]
WHERE = "import os\nprint('process', os.getpid(), 'of', os.getppid())"
WAIT_S = 90
WAIT_MS = 1000 * WAIT_S


def until(found: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + WAIT_S
    while not (value := found()):
        assert time.monotonic() < end, f"in vain: {what}"
        time.sleep(0.1)
    return value


@dataclass
class Lab:
    """A running JupyterLab whose kernelspec asks for forked kernels."""

    folder: Path
    process: subprocess.Popen[bytes]
    url: str = ""

    def ask(self, method: str, path: str, **content: Any) -> Any:
        request = urllib.request.Request(
            f"{self.url}api/{path}",
            method=method,
            data=json.dumps(content).encode() if content else None,
            headers={"Authorization": "token t"},
        )
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return json.loads(answer.read() or b"null")

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def children(self, part: str) -> list[psutil.Process]:
        """Returns the server's children that have a word in their command."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):
                if any(word.endswith(part) for word in child.cmdline()):
                    found.append(child)
        return found

    def child(self, part: str) -> psutil.Process | None:
        return next(iter(self.children(part)), None)

    def template(self) -> psutil.Process | None:
        return self.child("template.py")

    def forked(self) -> list[int]:
        """Returns the kernels of all templates: one that has learned a module is replaced, and ends with its kernels."""
        found = []
        for template in self.children("template.py"):
            with suppress(psutil.NoSuchProcess):
                found += [child.pid for child in template.children()]
        return found

    def start_kernel(self) -> str:
        return self.ask("POST", "kernels", name="warm")["id"]

    def end_kernels(self) -> None:
        for kernel in self.ask("GET", "kernels"):
            self.ask("DELETE", f"kernels/{kernel['id']}")

    def warm_up(self) -> None:
        """Starts kernels until there is a template to fork them from."""

        def one_is_forked() -> bool:
            kernel = self.start_kernel()
            found = bool(self.forked())
            self.ask("DELETE", f"kernels/{kernel}")
            return found

        until(one_is_forked, "a forked kernel")

    def write(self, name: str, *cells: str) -> None:
        spec = {"name": "warm", "display_name": "warm", "language": "python"}
        node = new_notebook(cells=[new_code_cell(source) for source in cells], metadata={"kernelspec": spec})
        nbformat.write(node, self.folder / "work" / f"{name}.ipynb")


def started(python: Path, folder: Path) -> Lab:
    for name in ("config", "runtime", "work", "data/kernels/warm"):
        (folder / name).mkdir(parents=True)
    # as `python -m ipykernel install` writes it
    argv = [str(python), "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    warm = {"kernel_provisioner": {"provisioner_name": "braggbook", "config": {"modules": MODULES}}}
    spec = {"argv": argv, "display_name": "warm", "language": "python", "metadata": warm}
    (folder / "data/kernels/warm/kernel.json").write_text(json.dumps(spec))
    own = {f"JUPYTER_{name.upper()}_DIR": str(folder / name) for name in ("config", "data", "runtime")}
    command = [
        str(python), "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--port=0", "--allow-root",
        "--IdentityProvider.token=t", f"--ServerApp.root_dir={folder / 'work'}", "--LabApp.news_url=None",
        "--LabApp.extension_manager=readonly",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **own}, stdout=log, stderr=log, start_new_session=True
        )
    lab = Lab(folder, process)

    def address() -> str:
        assert process.poll() is None, (folder / "log").read_text()
        return lab_address(folder / "runtime")

    try:
        lab.url = until(address, "the server")
    except BaseException:
        stop(lab)
        raise
    return lab


def stop(lab: Lab) -> None:
    left = lab.processes() if lab.process.poll() is None else []
    lab.process.kill()
    lab.process.wait()
    for one in psutil.wait_procs(left, timeout=10)[1]:
        one.kill()


@pytest.fixture(scope="module")
def lab(lab_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    running = started(lab_python, tmp_path_factory.mktemp("lab"))
    try:
        running.warm_up()
        yield running
    finally:
        stop(running)


class Notebook:
    """A notebook in a window of its own."""

    def __init__(self, browser: Browser, lab: Lab, name: str) -> None:
        self.page: Page = browser.new_page(viewport={"width": 1300, "height": 1400})
        self.page.set_default_timeout(WAIT_MS)
        self.page.goto(f"{lab.url}lab/workspaces/{name}/tree/{name}.ipynb?token=t", wait_until="domcontentloaded")
        self.cells = self.page.locator(".jp-NotebookPanel .jp-CodeCell")
        self.cells.first.wait_for()
        self.is_idle()

    def is_idle(self) -> None:
        self.page.get_by_text(re.compile(r"^warm \| Idle$")).wait_for()

    def run(self, index: int) -> Locator:
        """Runs a cell; returns its output area, which fills later."""
        self.cells.nth(index).locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")
        return self.cells.nth(index).locator(".jp-OutputArea-output")

    def press(self, command: str) -> None:
        self.page.locator(f".jp-NotebookPanel-toolbar [data-command='notebook:{command}']").click()

    def process(self, index: int = 0) -> tuple[int, int]:
        """Runs the cell that prints its process's number and its parent's."""
        output = self.run(index)
        expect(output).to_contain_text("process", timeout=WAIT_MS)
        found = re.search(r"process (\d+) of (\d+)", output.inner_text())
        assert found
        return int(found[1]), int(found[2])


@pytest.fixture
def opened(browser: Browser, lab: Lab) -> Iterator[Callable[..., Notebook]]:
    pages: list[Page] = []

    def open_(name: str, *cells: str) -> Notebook:
        lab.write(name, *cells)
        notebook = Notebook(browser, lab, name)
        pages.append(notebook.page)
        return notebook

    yield open_
    for page in pages:
        page.close()
    lab.end_kernels()


def test_cells_and_figures(lab: Lab, opened: Callable[..., Notebook]) -> None:
    figure = "import matplotlib.pyplot as plt\nplt.plot([1, 2])"
    notebook = opened("cells", WHERE, figure, "1 / 0", "6 * 7")
    pid, parent = notebook.process()
    template = lab.template()
    assert template is not None
    assert (pid in lab.forked(), parent) == (True, template.pid)
    image = notebook.run(1).locator("img")
    image.wait_for()
    assert image.evaluate("image => image.complete && image.naturalWidth > 100")
    expect(notebook.run(2)).to_contain_text("ZeroDivisionError", timeout=WAIT_MS)
    expect(notebook.run(3)).to_have_text("42", timeout=WAIT_MS)


def test_a_busy_cell_is_interrupted_and_the_kernel_lives(opened: Callable[..., Notebook]) -> None:
    loop = "import time\nkept = 41\nprint('be' + 'gun')\nwhile True:\n    time.sleep(0.01)"
    notebook = opened("busy", WHERE, loop, "kept + 1")
    before = notebook.process()
    output = notebook.run(1)
    expect(output.first).to_contain_text("begun", timeout=WAIT_MS)
    notebook.press("interrupt-kernel")
    expect(output.nth(1)).to_contain_text("KeyboardInterrupt", timeout=WAIT_MS)
    expect(notebook.run(2)).to_have_text("42", timeout=WAIT_MS)
    assert notebook.process() == before


def test_a_restarted_kernel_knows_nothing(lab: Lab, opened: Callable[..., Notebook]) -> None:
    notebook = opened("restarted", WHERE, "kept = 41", "'kept' in globals()")
    first, template = notebook.process()
    notebook.run(1)
    expect(notebook.run(2)).to_have_text("True", timeout=WAIT_MS)
    notebook.press("restart-kernel")
    notebook.page.locator(".jp-Dialog .jp-mod-accept").click()
    until(lambda: not psutil.pid_exists(first), "the end of the first kernel")
    notebook.is_idle()
    expect(notebook.run(2)).to_have_text("False", timeout=WAIT_MS)
    until(lambda: notebook.process()[0] != first, "the second kernel's answer")
    second, parent = notebook.process()
    assert parent == template
    assert lab.forked() == [second]


def test_a_kernel_that_dies_is_started_again(lab: Lab, opened: Callable[..., Notebook]) -> None:
    notebook = opened("dies", WHERE, "import os\nos._exit(1)", "6 * 7")
    first, _ = notebook.process()
    said = notebook.page.locator(".jp-Dialog").get_by_text("Kernel Restarting")
    # JupyterLab says so when the server's word reaches it, which a kernel that is there again at once may outrun.
    notebook.page.add_locator_handler(said, lambda: notebook.page.locator(".jp-Dialog .jp-mod-accept").click())
    notebook.run(1)
    until(lambda: not psutil.pid_exists(first), "the end of the first kernel")
    until(lambda: len(lab.forked()) == 1, "another kernel")

    def answers() -> bool:
        """JupyterLab drops a cell that was run before it knew, and may miss the word that the new kernel is idle."""
        with suppress(AssertionError):
            expect(notebook.run(2)).to_have_text("42", timeout=15_000)
            return True
        return False

    until(answers, "an answer of the new kernel")
    assert lab.forked() != [first]


def test_two_notebooks_at_once(lab: Lab, opened: Callable[..., Notebook]) -> None:
    loop = "import time, os\nwhile not os.path.exists('go_on'):\n    time.sleep(0.05)\n'went on'"
    one, two = (
        opened("one", WHERE, "x = 1", loop),
        opened("two", WHERE, "'x' in globals()", "open('go_on', 'w').close()"),
    )
    (first, template), (second, same) = one.process(), two.process()
    assert template == same
    assert sorted(lab.forked()) == sorted([first, second])
    one.run(1)
    waiting = one.run(2)
    expect(two.run(1)).to_have_text("False", timeout=WAIT_MS)  # while the other is busy
    two.run(2)
    expect(waiting).to_have_text("'went on'", timeout=WAIT_MS)


def test_widgets_talk_to_the_kernel(opened: Callable[..., Notebook]) -> None:
    made = "from ipywidgets import interact\n@interact(n=(0, 10))\ndef double(n=3):\n    print('twice is', 2 * n)"
    notebook = opened("widgets", made)
    output = notebook.run(0)
    expect(output.first).to_contain_text("twice is 6", timeout=WAIT_MS)
    notebook.cells.first.locator(".noUi-handle").press("ArrowRight")
    expect(output.first).to_contain_text("twice is 8", timeout=WAIT_MS)


def test_the_log_says_what_each_kernel_imports_for_itself(lab: Lab) -> None:
    said = [line for line in (lab.folder / "log").read_text().splitlines() if "is left to each kernel" in line]
    assert [line.partition("ServerApp] ")[2] for line in said] == [
        "ipywidgets is left to each kernel: asks for the notebook's shell when it is imported",
        "no_such_module is left to each kernel: is not there",
    ]


def test_a_kernel_that_is_shut_down_ends_and_the_template_stays(lab: Lab) -> None:
    kernel = lab.start_kernel()
    (pid,) = lab.forked()
    lab.ask("DELETE", f"kernels/{kernel}")
    until(lambda: not psutil.pid_exists(pid), "the kernel's end")
    assert lab.template() is not None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_the_server_ends(lab_python: Path, tmp_path: Path, number: signal.Signals) -> None:
    running = started(lab_python, tmp_path)
    try:
        running.warm_up()
        # While a template that has learned something is replaced, a kernel is started cold.
        until(lambda: running.start_kernel() and len(running.forked()) >= 2, "two forked kernels")
        processes = running.processes()
        running.process.send_signal(number)
        running.process.wait(timeout=60)
        assert psutil.wait_procs(processes, timeout=30)[1] == []
    finally:
        stop(running)


def test_the_first_kernel_does_not_wait_for_the_template(lab_python: Path, tmp_path: Path) -> None:
    running = started(lab_python, tmp_path)
    try:
        running.start_kernel()
        assert running.forked() == []
        assert running.child("ipykernel_launcher") is not None
    finally:
        stop(running)


def test_nbconvert_executes_with_forked_kernels(lab_python: Path, tmp_path: Path) -> None:
    forked = "import os\nprint('template.py' in open(f'/proc/{os.getppid()}/cmdline').read(), os.getppid())"
    cells = [forked, "import matplotlib.pyplot as plt\nplt.plot([1, 2])", "6 * 7"]
    for name in ("a", "b"):
        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        node = new_notebook(cells=[new_code_cell(source) for source in cells], metadata={"kernelspec": spec})
        nbformat.write(node, tmp_path / f"{name}.ipynb")
    words = "-m nbconvert --to notebook --execute --output-dir out --WarmProvisioner.modules=matplotlib.pyplot"
    command = [str(lab_python), *words.split(), "a.ipynb", "b.ipynb"]
    warm = {**os.environ, "JUPYTER_DEFAULT_PROVISIONER_NAME": "braggbook"}
    done = subprocess.run(command, cwd=tmp_path, env=warm, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 0, done.stderr
    templates = set()
    for name in ("a", "b"):
        first, second, third = nbformat.read(tmp_path / "out" / f"{name}.ipynb", as_version=4).cells
        templates.add(first.outputs[0].text)
        assert [sorted(output.data) for output in second.outputs] == [["text/plain"], ["image/png", "text/plain"]]
        assert third.outputs[0].data["text/plain"] == "42"
    (only,) = templates
    assert only.startswith("True")

"""The site without a server: served as plain files below a sub-path, with every other host blocked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from playwright.sync_api import Browser, Page, Route

from braggbook.lite import pins
from braggbook.lite.build import Wishes, build_site
from braggbook.settings import load_settings

from ..conftest import ROOT

pytestmark = pytest.mark.full

BINDER = "https://mybinder.org/v2/gh/example/braggbook/v1"
SUB_PATH = "course/2026"  # a site is seldom at the root of its host
START_MS = 240_000  # a kernel beside a whole test run on two cores
FRONT = """---
title: {title}
authors:
  - name: Braggbook contributors
license: CC-BY-4.0
keywords: [test]
abstract: A notebook of the tests, which runs in the reader's own browser.
braggbook:
  kernel: radiobiology
  datasets: [colony_counts_cal33_okf6@1]
  results:
    dose: {{unit: Gy}}
---

# {title}
"""
LESSON = '''"""A lesson that lies beside its notebook."""

from braggbook.learn import Function, Lesson, Number

LESSON = Lesson(
    title="Two fields",
    minutes=1,
    goals=("add doses",),
    questions=(
        Number("q1", expected=2.0, unit="Gy", hints=("look", "sum", "1 + 1")),
        Function(
            "q2",
            reference=lambda dose_gy: 2 * dose_gy,
            draw=lambda random: {"dose_gy": random.uniform(1, 5)},
            unit="Gy",
            limit_steps=20_000,
            hints=("look", "sum", "2 * dose_gy"),
        ),
    ),
)
'''
CELLS = (
    "import sys\nimport braggbook as bb\nprint(sys.platform, 200 * bb.units.conversion_factor('cGy', 'Gy'), 'numpy' in sys.modules)",
    "bb.learn.begin('two_fields.py')",
    "bb.learn.check('q1', 1.0 + 1.0)",
    "bb.learn.check('q1', 200)",
    "def both(dose_gy):\n    return dose_gy + dose_gy\n\nbb.learn.check('q2', both)",
    "def endless(dose_gy):\n    while True:\n        dose_gy += 1\n\nbb.learn.check('q2', endless)",
    "bb.result('dose', 2.0, unit='Gy')",
    "print(open('../../datasets/colony_counts_cal33_okf6/counts.csv').readline())",
    "import ipywidgets\nipywidgets.IntSlider(3, description='dose')",
    "from braggbook.browser import import_here\nprint(import_here('tomlkit', name='bb.load').__name__)",
    "try:\n    import_here('braggbook.runs.lazy', name='bb.sweep')\nexcept Exception as error:\n    print(error)",
    "print('the end')",
)
FAILS = (
    "import braggbook as bb\nfrom braggbook.browser import explain_missing, import_here\nexplain_missing()",
    "try:\n    import_here('braggbook.radiobiology', name='bb.radiobiology')\nexcept Exception as error:\n    print(error)",
    "import numpy as np",
    "import subprocess\nsubprocess.run(['braggbook', 'run'])",
)


def write(path: Path, title: str, cells: tuple[str, ...]) -> None:
    code = [new_code_cell(text, id=f"cell-{number}") for number, text in enumerate(cells)]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    front = new_markdown_cell(FRONT.format(title=title), id="front")
    parameters = new_code_cell("dose: float = 2.0", id="parameters", metadata={"tags": ["parameters"]})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        str(nbformat.writes(new_notebook(cells=[front, parameters, *code], metadata=metadata))), encoding="utf-8"
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    tutorials = folder / "notebooks" / "tutorials"
    write(tutorials / "two_fields.ipynb", "Two fields", CELLS)
    write(tutorials / "no_network.ipynb", "Without a network", FAILS)
    (tutorials / "two_fields.py").write_text(LESSON, encoding="utf-8")
    dataset = "colony_counts_cal33_okf6"
    shutil.copytree(ROOT / "datasets" / dataset, folder / "datasets" / dataset)
    return folder


@pytest.fixture(scope="module")
def address(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A site on Python's own file server, which knows nothing of it."""
    root = tmp_path_factory.mktemp("host")
    settings, _ = load_settings({"project": project})  # the cache is the person's own: it is checked by hash
    build_site(root / SUB_PATH, Wishes(binder=BINDER), settings=settings)
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(root)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    port = server.stdout.readline().split(" port ")[1].split()[0]
    yield f"http://127.0.0.1:{port}/{SUB_PATH}/"
    server.terminate()
    server.wait(10)


@pytest.fixture
def outside() -> list[str]:
    """What pages asked of other hosts."""
    return []


@pytest.fixture
def page(browser: Browser, address: str, outside: list[str]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1400, "height": 900})

    def gate(route: Route) -> None:
        if route.request.url.startswith(address.removesuffix(f"{SUB_PATH}/")):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    context.route("**/*", gate)
    opened = context.new_page()
    opened.set_default_timeout(START_MS)
    yield opened
    context.close()


def run_all(page: Page, address: str, name: str, app: str = "notebooks") -> list[str]:
    """Opens a notebook, runs all its cells and returns what each cell of code shows."""
    page.goto(f"{address}{app}/index.html?path=notebooks/tutorials/{name}.ipynb")
    page.wait_for_selector(".jp-CodeCell")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.wait_for_function(
        """() => { const cells = [...document.querySelectorAll('.jp-CodeCell')];
        const ended = cells.at(-1).querySelector('.jp-OutputArea-output')
            || document.querySelector('[data-mime-type="application/vnd.jupyter.error"], [data-mime-type$="stderr"]');
        return ended && cells.every(cell => !cell.querySelector('.jp-InputPrompt').textContent.includes('*')) }"""
    )
    cells = page.locator(".jp-CodeCell")
    return [cells.nth(number).locator(".jp-Cell-outputWrapper").inner_text() for number in range(1, cells.count())]


def test_pure_python_needs_this_host_alone(page: Page, address: str, outside: list[str]) -> None:
    shown = run_all(page, address, "two_fields")
    facts, begun, right, other_unit, function, endless, result, data, slider, fetched, sweep, end = shown
    assert "emscripten 2.0 False" in facts
    assert "Two fields" in begun
    assert "Right" in right
    assert "cGy" in other_unit
    assert "Right" in function
    assert "20000 lines" in endless
    assert "2 Gy" in result
    assert "dose_gy" in data
    assert "dose" in slider
    assert page.locator(".widget-slider, .jupyter-widget-slider").count() >= 1
    assert fetched.strip() == "tomlkit"
    assert "bb.sweep does not run in this browser" in sweep
    assert BINDER in sweep
    assert end.strip() == "the end"
    assert outside == []


def test_a_library_that_does_not_come_says_so(page: Page, address: str, outside: list[str]) -> None:
    _, models, numpy, _ = run_all(page, address, "no_network")  # it stops at NumPy
    assert "bb.radiobiology does not run in this browser" in models
    assert "did not come" in models
    assert "No module named 'numpy'" in numpy
    assert "look at the network" in numpy
    assert BINDER in numpy
    program = page.locator(".jp-CodeCell").last
    program.locator(".jp-InputArea-editor").click()
    page.keyboard.press("Control+Enter")  # Shift would add a cell below
    program.get_by_text("A browser runs no other programs").wait_for()
    assert BINDER in program.inner_text()
    assert outside
    assert {url.rpartition("/")[0] + "/" for url in outside} == {pins.PUBLIC_ADDRESS}  # asked only when it was needed


@pytest.mark.parametrize(("app", "scheme"), [("notebooks", "dark"), ("lab", "light")])
def test_front_matter_is_folded_and_the_theme_is_the_reader_s(
    browser: Browser, address: str, app: str, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 900}, color_scheme=scheme)
    page.set_default_timeout(START_MS)
    page.goto(f"{address}{app}/index.html?path=notebooks/tutorials/two_fields.ipynb")
    cell = page.locator('[data-windowed-list-index="0"]')
    cell.get_by_role("heading", name="Two fields").wait_for()
    assert "license: CC-BY-4.0" in (cell.text_content() or ""), "it is there"
    assert "license" not in cell.inner_text()
    page.wait_for_selector(f"body[data-jp-theme-light={str(scheme == 'light').lower()}]", state="attached")
    if shots := os.environ.get("BRAGGBOOK_TEST_SCREENSHOTS"):
        page.screenshot(path=Path(shots) / f"lite-notebook-{app}-{scheme}.png")
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_the_first_page(browser: Browser, address: str, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert all(url.startswith(address) for url in asked)
    assert page.get_by_role("link", name="Open: Two fields").count() == 1
    for link in page.locator("a").all():
        target = link.evaluate("link => link.href")
        if target.startswith(address):
            assert urllib.request.urlopen(target).status == 200
        else:
            assert target.startswith(BINDER)
    if shots := os.environ.get("BRAGGBOOK_TEST_SCREENSHOTS"):
        page.screenshot(path=Path(shots) / f"lite-start-{width}-{scheme}.png", full_page=True)
    page.close()

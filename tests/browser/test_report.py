"""The report of a run in a real Chromium: opens from disk, asks nobody anything, fits every screen, obeys no notebook."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Page

from ..conftest import Project

pytestmark = pytest.mark.full

HOSTILE = """from IPython.display import HTML, Markdown, SVG, Javascript, display
import braggbook as bb, matplotlib.pyplot as plt
display(HTML("<script>document.title = 'taken'</script><img src=x onerror=\\"document.title='taken'\\"><b>kept</b>"))
display(HTML("<iframe src='https://example.org/'></iframe><link rel=stylesheet href='https://example.org/a.css'>"))
display(Markdown("<script>document.title = 'taken'</script> a **word** and $x^2$ ![p](https://example.org/p.png)"))
display(Javascript("document.title = 'taken'"))
display(SVG("<svg xmlns='http://www.w3.org/2000/svg' onload=\\"document.title='taken'\\"></svg>"))
print("<script>document.title = 'taken'</script>")
bb.result("x", 1.5, unit="Gy", uncertainty=0.1, interval=(1.3, float("inf")))
figure, axes = plt.subplots()
axes.plot([1, 2, 3])
axes.set_title("<script>document.title='taken'</script>")
bb.result("curve", figure, alt="<script>document.title='taken'</script> a line")"""


WIDE = "| model | RBEmax | RBEmin |\n|---|---|---|\n| a | $0.843+0.154 L/r+0.154 L/r$ | $1.09+0.006 L/r+0.154 L/r$ |"


@pytest.fixture
def report(project: Project) -> Path:
    results = {"x": {"unit": "Gy"}, "curve": {"kind": "figure"}}
    path = project.experiment("hostile", code=[HOSTILE], results=results, parameters='name: str = "<b>bold</b>"')
    node = nbformat.read(path, as_version=4)
    node.cells.append(nbformat.v4.new_markdown_cell(WIDE, id="wide"))
    nbformat.write(node, path)
    answer = project.run("hostile")
    assert answer.code == 0, answer.err
    return Path(answer.json["report"])


def opened(browser: Browser, report: Path, *, width: int, scheme: str) -> tuple[Page, list[str]]:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(report.as_uri())
    page.wait_for_load_state("networkidle")
    return page, [url for url in requests if not url.startswith("data:") and url != report.as_uri()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_the_report(browser: Browser, report: Path, tmp_path: Path, width: int, scheme: str) -> None:
    page, asked = opened(browser, report, width=width, scheme=scheme)
    assert asked == [], "the report opens without any network"
    assert page.title().startswith("A test experiment · run ")
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing is wider than the screen"
    text = page.inner_text("main")
    assert "1.50 ± 0.10 Gy" in text
    assert "1.30 to no limit" in text
    assert "kept" in text
    assert page.locator("section.prose h1").inner_text() == "A test experiment", "prose behind the front matter"
    assert page.locator("main script, main iframe, main [onerror], main [onload], main link").count() == 0
    figure = page.locator("figure img")
    assert figure.get_attribute("alt") == "<script>document.title='taken'</script> a line"
    assert figure.evaluate("image => image.complete && image.naturalWidth > 100")
    assert page.locator("math").count() == 3
    paper, ink = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert contrast(paper, ink) > 7
    page.screenshot(path=tmp_path / f"report_{width}_{scheme}.png", full_page=True)


def contrast(first: str, second: str) -> float:
    """Returns the contrast ratio of two CSS colours (WCAG 2.2, relative luminance)."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in colour[4:-1].split(",")]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def test_the_report_of_a_failed_run_says_so_first(browser: Browser, project: Project) -> None:
    project.experiment("bad", code=["1 / 0"])
    page, _ = opened(browser, Path(project.run("bad").json["report"]), width=400, scheme="light")
    assert "code cell 2 raised ZeroDivisionError: division by zero" in page.inner_text("header")
    assert page.get_by_role("alert").is_visible()
    assert page.locator("details[open] summary.bad").inner_text() == "code · failed"

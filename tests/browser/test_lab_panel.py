"""The panel in a real JupyterLab, in a real browser: fill in, run, look, verify, publish, take away."""

from __future__ import annotations

import http.client
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from .hub_site import SCREENSHOTS
from .lab_site import BASE, DATASET, NOTEBOOK, TOKEN, PanelLab, build_panel, panel_lab

pytestmark = pytest.mark.full
LOADED_MS, RUN_MS = 180_000, 600_000  # two cores may be busy with other tests
DARK = "JupyterLab Dark"
_OWN = re.compile(r"status of 4\d\d|is taking too long to activate|to activate\.$")  # answers that a test asks for


@pytest.fixture(scope="module")
def lab(lab_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PanelLab]:
    build_panel()
    with panel_lab(lab_python, tmp_path_factory.mktemp("panel")) as started:
        yield started


@pytest.fixture
def tab(browser: Browser, lab: PanelLab) -> Iterator[Callable[..., Page]]:
    """Opens JupyterLab; when the test has ended well, nothing may have gone wrong, and no other host was asked."""
    complaints: list[str] = []
    opened: list[Page] = []

    def asked(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and f"{parts.scheme}://{parts.netloc}" not in (
            lab.url, lab.url.replace("http", "ws"),
        ):  # fmt: skip
            complaints.append(f"asked for {url}")

    def open_one(path: str = f"lab/tree/{NOTEBOOK}?reset", **options: Any) -> Page:
        options.setdefault("viewport", {"width": 1400, "height": 900})
        page = browser.new_context(**options).new_page()
        page.set_default_timeout(LOADED_MS)
        page.context.on("request", lambda request: asked(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        opened.append(page)
        page.goto(lab.address(f"api/status?token={TOKEN}"))  # from now on a cookie says who this is
        page.goto(lab.address(path))
        return page

    yield open_one
    for page in opened:
        page.context.close()
    wrong = [one for one in complaints if not _OWN.search(one)]
    assert wrong == [], wrong


def panel_of(page: Page) -> Locator:
    """Opens the panel as a person does, and waits for its form."""
    expect(page.locator(".jp-Notebook .jp-CodeCell:visible").first).to_be_visible(timeout=LOADED_MS)
    chosen = page.get_by_role("tab", name="Braggbook: run")
    if chosen.get_attribute("aria-selected") != "true":  # JupyterLab remembers what was open
        chosen.click()
    panel = page.get_by_role("region", name="Braggbook", exact=True)
    expect(panel.get_by_role("button", name="Run", exact=True)).to_be_visible(timeout=LOADED_MS)
    return panel


def look(page: Page, name: str) -> None:
    """Keeps a picture, where pictures are wanted."""
    if folder := os.environ.get(SCREENSHOTS):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"lab-{name}.png")


def use_theme(page: Page, lab: PanelLab, theme: str) -> None:
    """Chooses a theme as JupyterLab's settings do."""
    page.evaluate(
        """async ([url, theme]) => {
            const xsrf = document.cookie.match(/_xsrf=([^;]+)/)[1];
            const sent = {raw: JSON.stringify({theme})};
            const init = {method: "PUT", body: JSON.stringify(sent), headers: {"X-XSRFToken": xsrf}};
            const said = await fetch(url, init);
            if (!said.ok) throw new Error(await said.text());
        }""",
        [lab.address("lab/api/settings/@jupyterlab/apputils-extension:themes"), theme],
    )


def test_the_whole_way(lab: PanelLab, tab: Callable[..., Page]) -> None:
    page = tab()
    panel = panel_of(page)
    dose, run = panel.get_by_label("dose_gy"), panel.get_by_role("button", name="Run", exact=True)
    dose.fill("50")
    run.click()
    expect(dose).to_have_attribute("aria-invalid", "true", timeout=LOADED_MS)
    expect(dose).to_have_accessible_description(re.compile("Out of bounds; wanted 0 to 20 Gy, got 50 Gy"))
    expect(dose).to_be_focused()
    look(page, "wrong")
    dose.fill("300 cGy")
    run.click()
    expect(dose).not_to_have_attribute("aria-invalid", "true", timeout=LOADED_MS)
    expect(panel.get_by_role("status").first).to_contain_text("Run complete.", timeout=RUN_MS)
    expect(panel.get_by_role("row", name=re.compile("survival 0.407 95 %: 0.366 to 0.447"))).to_be_visible()
    figure = panel.get_by_role("img", name="Surviving fraction against dose: a straight line that falls")
    expect(figure).to_be_visible()
    page.wait_for_function("one => one.complete && one.naturalWidth > 100", arg=figure.element_handle())
    figure.scroll_into_view_if_needed()
    look(page, "run")
    verify(page, panel)
    take_away(panel, page)
    publish(page, panel)
    narrow_and_dark(page, lab)


def verify(page: Page, panel: Locator) -> None:
    """Repeats the run."""
    panel.get_by_role("button", name="Verify").click()
    expect(panel.get_by_text("every result came out the same to the last digit")).to_be_visible(timeout=RUN_MS)
    rows = panel.get_by_role("table", name="Results of the record beside their repetition").get_by_role("row")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text("Identical")
    panel.get_by_text("every result came out the same").scroll_into_view_if_needed()
    look(page, "verified")


def take_away(panel: Locator, page: Page) -> None:
    """Downloads the run as one zip."""
    with page.expect_download() as waiting:
        panel.get_by_role("link", name="Download").click()
    assert re.fullmatch(r"survive-[0-9a-f]{24}\.zip", waiting.value.suggested_filename)
    with zipfile.ZipFile(waiting.value.path()) as zipped:
        names = set(zipped.namelist())
        assert {"run.json", "results.json", "executed.ipynb", "figures/curve.svg"} <= names
        assert json.loads(zipped.read("run.json"))["parameters"]["dose_gy"] == 3.0


def publish(page: Page, panel: Locator) -> None:
    """Shows the plan, then publishes exactly that to the folder archive."""
    panel.get_by_text("Publish", exact=True).click()
    panel.get_by_role("button", name="Show the plan").click()
    expect(panel.get_by_text("Run of: A test experiment")).to_be_visible(timeout=RUN_MS)
    expect(panel.get_by_text("Nothing has been sent.")).to_be_visible()
    mint = panel.get_by_role("button", name="Publish for good")
    expect(mint).to_be_disabled()
    panel.get_by_label("a DOI cannot be taken back").check()
    look(page, "plan")
    mint.click()
    expect(panel.get_by_text("Published, and read back identical.").first).to_be_visible(timeout=RUN_MS)
    expect(panel.get_by_text(re.compile(r"10\.5072/braggbook"))).to_be_visible()


def narrow_and_dark(page: Page, lab: PanelLab) -> None:
    """Looks at it in the dark, and on a phone; a page that is loaded again shows the newest run."""
    for theme, light, name in ((DARK, "false", "dark"), ("JupyterLab Light", "true", "light")):
        page.set_viewport_size({"width": 1400, "height": 900})
        use_theme(page, lab, theme)
        page.reload()
        panel = panel_of(page)
        expect(page.locator("body")).to_have_attribute("data-jp-theme-light", light, timeout=LOADED_MS)
        run = panel.get_by_role("button", name="Run", exact=True)
        assert min(contrast(run), contrast(panel.get_by_label("dose_gy"))) >= 4.5
        expect(panel.get_by_role("row", name=re.compile("survival 0.407"))).to_be_visible()
        look(page, f"wide-{name}")
        page.set_viewport_size({"width": 400, "height": 900})
        files = page.get_by_role("tab", name="File Browser")
        if files.get_attribute("aria-selected") == "true":
            files.click()  # closes it; both sides do not fit beside each other
        expect(panel.get_by_role("button", name="Defaults")).to_be_in_viewport(ratio=1)
        look(page, f"narrow-{name}")
        assert panel.evaluate("one => one.scrollWidth - one.clientWidth") <= 0, "nothing sticks out of the panel"


def contrast(element: Locator) -> float:
    """Returns the contrast of an element's text with what lies behind it (WCAG 2.2, relative luminance)."""
    return float(
        element.evaluate(
            """one => {
                const rgb = text => text.match(/[\\d.]+/g).map(Number);
                let behind = one;
                while ((rgb(getComputedStyle(behind).backgroundColor)[3] ?? 1) === 0) behind = behind.parentElement;
                const light = text => {
                    const [r, g, b] = rgb(text).slice(0, 3).map(v => v / 255)
                        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
                };
                const both = [light(getComputedStyle(one).color), light(getComputedStyle(behind).backgroundColor)];
                return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
            }"""
        )
    )


def test_by_the_keyboard_alone(tab: Callable[..., Page]) -> None:
    page = tab()
    expect(page.locator(".jp-Notebook .jp-CodeCell:visible").first).to_be_visible(timeout=LOADED_MS)
    page.get_by_role("tab", name="Braggbook: run").focus()
    page.keyboard.press("Enter")
    panel = page.get_by_role("region", name="Braggbook", exact=True)
    first = panel.get_by_label("alpha_per_gy")
    expect(first).to_be_visible(timeout=LOADED_MS)
    for _ in range(40):  # the panel stands before its tab
        if first.evaluate("one => one === document.activeElement"):
            break
        page.keyboard.press("Shift+Tab")
    expect(first).to_be_focused()
    page.keyboard.press("Tab")
    expect(panel.get_by_label("dose_gy")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("-1")
    page.keyboard.press("Enter")
    expect(panel.get_by_label("dose_gy")).to_have_attribute("aria-invalid", "true", timeout=LOADED_MS)
    expect(panel.get_by_label("dose_gy")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    expect(panel.get_by_role("status").first).to_contain_text("Run complete.", timeout=RUN_MS)


def test_a_page_that_is_loaded_again_finds_the_run_and_stops_it(tab: Callable[..., Page]) -> None:
    page = tab()
    panel = panel_of(page)
    panel.get_by_label("seconds").fill("500")
    panel.get_by_role("button", name="Run", exact=True).click()
    status = panel.get_by_role("status").first
    expect(status).to_contain_text(re.compile(r"Running: [23] of 5 cells done"), timeout=RUN_MS)
    page.reload()
    panel = panel_of(page)
    status = panel.get_by_role("status").first
    expect(status).to_contain_text(re.compile(r"Running: [23] of 5 cells done"), timeout=LOADED_MS)
    look(page, "running")
    panel.get_by_role("button", name="Stop").click()
    expect(status).to_contain_text("Run ended: interrupted.", timeout=RUN_MS)
    expect(panel.get_by_text("stopped by a person in code cell").first).to_be_visible()


def test_a_dataset_goes_into_the_open_notebook(tab: Callable[..., Page]) -> None:
    page = tab()
    panel_of(page)
    page.get_by_role("tab", name="Braggbook: datasets").click()
    data = page.get_by_role("region", name="Datasets", exact=True)
    data.locator("summary").first.click(timeout=LOADED_MS)
    expect(data.get_by_text("Licence")).to_be_visible()
    page.locator(".jp-CodeCell").last.click()
    data.get_by_role("button", name="Insert").first.click()
    line = f'{DATASET} = bb.load("{DATASET}@1"'
    expect(data.get_by_role("status")).to_contain_text(line)
    written = page.locator(".jp-Notebook .cm-line").filter(has_text=line)
    expect(written).to_have_text(re.compile(rf"^{re.escape(line)}\)$"))
    look(page, "data")


def test_a_link_opens_the_notebook_with_its_values(lab: PanelLab, tab: Callable[..., Page]) -> None:
    page = tab(f"braggbook/open?notebook={NOTEBOOK}&p.dose_gy=4")
    panel = panel_of(page)
    expect(panel.get_by_label("dose_gy")).to_have_value("4")
    expect(panel.get_by_text("This copy was opened by a link")).to_be_visible()
    assert "/lab/tree/work/survive-" in page.url
    assert len(list((lab.project / "work").glob("*.ipynb"))) == 1


def ask(lab: PanelLab, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str, dict[str, str]]:
    """Asks as a program does, without a browser's cookies."""
    connection = http.client.HTTPConnection(urlsplit(lab.url).netloc, timeout=60)
    try:
        connection.request(method, BASE + path, body=json.dumps(body) if body is not None else None, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace"), dict(answer.getheaders())
    finally:
        connection.close()


ADDRESSES = ["about", "form?path=x", "jobs?path=x", "jobs/0", "runs?path=x", "runs/0", "runs/0/zip", "runs/0/report",
             "runs/0/figures/a.svg", "datasets", "challenges"]  # fmt: skip
SIGNED_IN = {"Authorization": f"token {TOKEN}"}


def test_nobody_else_reaches_it(lab: PanelLab) -> None:
    before = sorted(lab.project.rglob("*.ipynb"))
    for path in [
        *(f"api/braggbook/{address}" for address in ADDRESSES),
        f"braggbook/open?notebook={NOTEBOOK}&p.dose_gy=7",
    ]:
        status, _, headers = ask(lab, "GET", path)
        assert status == 403 or (status == 302 and "/login" in headers["Location"]), path
    assert sorted(lab.project.rglob("*.ipynb")) == before


def cookies_of(lab: PanelLab) -> str:
    """Returns what a browser of somebody who is signed in sends along, also when another site makes it ask."""
    connection = http.client.HTTPConnection(urlsplit(lab.url).netloc, timeout=60)
    try:
        connection.request("GET", f"{BASE}api/status?token={TOKEN}")
        given = connection.getresponse().headers.get_all("Set-Cookie") or []
    finally:
        connection.close()
    return "; ".join(one.partition(";")[0] for one in given)


def test_no_other_site_begins_anything(lab: PanelLab) -> None:
    cookies = {"Cookie": cookies_of(lab)}
    assert ask(lab, "GET", "api/braggbook/about", **cookies)[0] == 200, "they say who it is"
    order = {"kind": "run", "path": NOTEBOOK, "values": {}}
    status, said, _ = ask(lab, "POST", "api/braggbook/jobs", order, **cookies)
    assert (status, "_xsrf" in said) == (403, True)
    assert ask(lab, "DELETE", "api/braggbook/jobs/0", **cookies)[0] == 403
    strange = {**SIGNED_IN, "Sec-Fetch-Mode": "no-cors"}
    status, said, _ = ask(lab, "GET", f"braggbook/open?notebook={NOTEBOOK}&p.dose_gy=9", **strange)
    assert (status, "followed by a person" in said) == (403, True)


@pytest.mark.parametrize("path", ["../secret.ipynb", "/etc/passwd", "notebooks/../../log", "%2e%2e/log"])
def test_paths_stay_inside(lab: PanelLab, path: str) -> None:
    status, said, _ = ask(lab, "GET", f"api/braggbook/form?path={path}", **SIGNED_IN)
    assert (status, json.loads(said)["what"]) == (404, "no such file in JupyterLab's folder")
    status, said, _ = ask(lab, "GET", f"braggbook/open?notebook={path}&p.a=1", **SIGNED_IN)
    assert status in (404, 422), said


def test_what_a_notebook_made_is_shown_and_never_obeyed(lab: PanelLab) -> None:
    run = lab.project / "runs" / ("a" * 24)
    (run / "figures").mkdir(parents=True)
    (run / "figures" / "evil.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    status, _, headers = ask(lab, "GET", f"api/braggbook/runs/{run.name}/figures/evil.svg", **SIGNED_IN)
    policy = headers["Content-Security-Policy"]
    assert (status, "sandbox" in policy, "default-src 'none'" in policy) == (200, True, True)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert ask(lab, "GET", f"api/braggbook/runs/{run.name}/figures/..%2frun.json", **SIGNED_IN)[0] == 404

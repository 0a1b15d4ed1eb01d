"""The panel in a real JupyterLab, in a real browser: fill in, run, look, verify, publish, take away."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from braggbook.challenges.design import ESTIMATE
from braggbook.records.serve import Account, ArchiveServer
from braggbook.testing.challenges import ANNA, LATE, hand_in

from .lab_site import (
    DARK,
    DATASET,
    LIGHT,
    LOADED_MS,
    NOTEBOOK,
    PARAMETERS,
    RUN_MS,
    TOKEN,
    PanelLab,
    ask,
    build_panel,
    contrast,
    cookies_of,
    hub_token,
    look,
    look_everywhere,
    nowhere,
    open_too,
    panel_lab,
    panel_of,
    run_it,
    shown_in,
    use_theme,
)

pytestmark = pytest.mark.full
_OWN = r"status of 4\d\d|is taking too long to activate|to activate\.$"  # answers that a test asks for
_AWAY = r"net::ERR_|WebSocket connection|Failed to fetch"  # of a server that a test ends


@pytest.fixture(scope="module")
def lab(lab_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PanelLab]:
    build_panel()
    with panel_lab(lab_python, tmp_path_factory.mktemp("panel")) as started:
        yield started


@pytest.fixture
def tab(browser: Browser, lab: PanelLab) -> Iterator[Callable[..., Page]]:
    """Opens JupyterLab; when the test has ended well, nothing may have gone wrong, and no other host was asked."""
    complaints: list[str] = []
    allowed: list[str] = []
    opened: list[Page] = []

    def asked(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and f"{parts.scheme}://{parts.netloc}" not in (
            lab.url, lab.url.replace("http", "ws"),
        ):  # fmt: skip
            complaints.append(f"asked for {url}")

    def open_one(path: str = f"lab/tree/{NOTEBOOK}?reset", *, ends: bool = False, **options: Any) -> Page:
        allowed.extend([_AWAY] if ends else [])
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
    wrong = [one for one in complaints if not any(re.search(part, one) for part in (_OWN, *allowed))]
    assert wrong == [], wrong


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
    for theme, light, name in ((DARK, "false", "dark"), (LIGHT, "true", "light")):
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


SECRET = "typed-once-and-kept-nowhere-7f3a"


def test_a_token_is_typed_once_and_kept_nowhere(lab: PanelLab, tab: Callable[..., Page]) -> None:
    with ArchiveServer(lab.folder / "archive-server", {SECRET: Account()}) as server:
        page = tab()
        panel = run_it(page, "3")
        report_in_a_tab(page, panel)
        panel.get_by_text("Publish", exact=True).click()
        panel.get_by_label("Where to").select_option("another archive, by its address")
        panel.get_by_label("Address").fill(server.url)
        panel.get_by_label("Token", exact=True).fill("not-the-one")
        panel.get_by_role("button", name="Show the plan").click()
        draft = panel.get_by_role("button", name="Send as a draft")
        draft.click(timeout=RUN_MS)
        expect(panel.get_by_role("alert")).to_contain_text(re.compile("401|token"), timeout=RUN_MS)
        panel.get_by_role("button", name="Forget it").click()
        panel.get_by_label("Token", exact=True).fill(SECRET)
        draft.click()
        expect(panel.get_by_text("A draft, complete; only you can see it.").first).to_be_visible(timeout=RUN_MS)
        expect(panel.get_by_text("The token is kept until this page is closed.")).to_be_visible()
        expect(panel.get_by_label("Token", exact=True)).to_have_count(0)
        look_everywhere(page, "draft")
        panel.get_by_label("a DOI cannot be taken back").check()
        panel.get_by_role("button", name="Publish for good").click()
        expect(panel.get_by_text("Published, and read back identical.").first).to_be_visible(timeout=RUN_MS)
        look(page, "published")
        nowhere(lab, page, SECRET)


def report_in_a_tab(page: Page, panel: Locator) -> None:
    """Opens the report of the run that is looked at, in which nothing is obeyed."""
    panel.get_by_role("button", name="Report").click()
    frame = page.locator("iframe[title^='Report of run']")
    expect(frame).to_have_attribute("sandbox", "")
    expect(frame.content_frame.get_by_role("heading", level=1, name="A test experiment").first).to_be_visible()
    expect(frame.content_frame.get_by_role("row", name=re.compile("survival 0.407")).first).to_be_visible()
    look(page, "report")
    page.get_by_role("tab", name=re.compile("^Report")).locator(".lm-TabBar-tabCloseIcon").click()


def test_it_is_tried_and_handed_in(lab: PanelLab, tab: Callable[..., Page]) -> None:
    page = tab()
    panel = panel_of(page)
    panel.get_by_text("Hand in to a challenge").click()
    what, status = panel.get_by_label("What", exact=True), panel.locator(".bb-part .bb-live").last
    what.fill(shown_in(lab, hand_in(lab.opened.challenge, LATE, "public", lab.project / "late")))
    panel.get_by_role("button", name="Try on the public twin").click()
    expect(panel.get_by_text("It would get no score.")).to_be_visible(timeout=RUN_MS)
    expect(panel.locator(".bb-part .bb-problem li").first).to_contain_text("predictions.csv")
    what.fill(shown_in(lab, lab.opened.challenge.twin(ESTIMATE).folder / "predictions.csv"))
    panel.get_by_role("button", name="Try on the public twin").click()
    scores = panel.get_by_role("table", name="Scores on the public twin")
    expect(scores.get_by_role("row", name=re.compile("mean_error 0.1417"))).to_be_visible(timeout=RUN_MS)
    look_everywhere(page, "tried")
    what.fill(shown_in(lab, hand_in(lab.opened.challenge, ANNA, "public", lab.project / "anna")))
    team, terms, send = (
        panel.get_by_label("Team", exact=True), panel.get_by_label("The team accepts"),
        panel.get_by_role("button", name="Hand in", exact=True),
    )  # fmt: skip
    send.click()
    expect(panel.get_by_role("alert")).to_contain_text("Whose submission is it?")
    expect(team).to_be_focused()
    team.fill(ANNA)
    send.click()
    expect(panel.get_by_role("alert")).to_contain_text("The terms of the phase are not accepted")
    assert lab.opened.vault.submissions() == []
    terms.check()
    send.click()
    expect(status).to_contain_text("Handed in.", timeout=RUN_MS)
    [taken] = lab.opened.vault.submissions()
    expect(panel.get_by_text(f"Taken in as {taken.id} of {ANNA}, phase practice")).to_be_visible()
    to_a_hub(lab, page, panel)


def to_a_hub(lab: PanelLab, page: Page, panel: Locator) -> None:
    """Hands the same in to a hub by its address, with a token; and looks at the project's own hub in a tab."""
    hub = lab.hub
    token = hub_token(hub, "Berta")
    hub.start(workers=0)
    try:
        panel.get_by_label("Hub", exact=True).fill(hub.url)
        panel.get_by_label("Token of the hub").fill(token)
        panel.get_by_label("Team", exact=True).fill("Berta")
        panel.get_by_role("button", name="Hand in", exact=True).click()
        link = panel.get_by_role("link", name="Its page on the hub")
        expect(link).to_have_attribute("href", re.compile(rf"^{hub.url}/submissions/[0-9a-f]{{16}}$"), timeout=RUN_MS)
        expect(panel.get_by_text(re.compile("^queued"))).to_be_visible()
        look_everywhere(page, "handed-in")
        panel.get_by_role("button", name="Open the hub").click()
        expect(page.get_by_text("The hub is starting")).to_be_visible()
        frame = page.frame_locator("iframe[title='The hub']")
        expect(frame.get_by_role("heading", level=1, name="What can I enter?")).to_be_visible(timeout=RUN_MS)
        expect(page.get_by_text("The hub is starting")).to_have_count(0)
        look(page, "hub")
        page.get_by_role("tab", name="survive.ipynb").click()
        nowhere(lab, page, token)
    finally:
        hub.stop()


def test_a_notebook_that_is_none_says_what_is_missing(lab: PanelLab, tab: Callable[..., Page]) -> None:
    page = tab()
    panel_of(page)
    panel = open_too(page, "plain")
    expect(panel.get_by_text("This notebook has no form")).to_be_visible()
    expect(panel.get_by_role("alert")).to_contain_text("no front matter")
    expect(panel.get_by_role("alert")).to_contain_text("needs one parameters cell")
    look_everywhere(page, "plain")
    panel = open_too(page, "broken")
    expect(panel.get_by_role("alert")).to_contain_text("license")
    expect(panel.get_by_role("button", name="Run", exact=True)).to_have_count(0)
    broken = lab.project / "notebooks" / "broken.ipynb"
    broken.write_text(broken.read_text().replace("license: mine alone", "license: CC-BY-4.0"))
    panel.get_by_role("button", name="Look again").click()
    expect(panel.get_by_role("button", name="Run", exact=True)).to_be_visible()
    panel = open_too(page, "dies")
    panel.get_by_role("button", name="Run", exact=True).click()
    expect(panel.get_by_role("status").first).to_contain_text("Run ended: killed.", timeout=RUN_MS)
    expect(panel.get_by_text("✗ Killed").first).to_be_visible()
    look(page, "killed")


def test_each_of_two_notebooks_has_its_own(tab: Callable[..., Page]) -> None:
    page = tab()
    panel = run_it(page, "3")
    expect(panel.get_by_role("row", name=re.compile("survival 0.407"))).to_be_visible()
    panel.get_by_label("seconds").fill("400")
    panel.get_by_role("button", name="Run", exact=True).click()
    status = panel.get_by_role("status").first
    expect(status).to_contain_text(re.compile(r"Running: [23] of 5 cells done"), timeout=RUN_MS)
    expect(panel.get_by_role("row", name=re.compile("survival"))).to_have_count(0)
    open_too(page, "second")
    expect(panel.get_by_text("notebooks/second.ipynb", exact=True)).to_be_visible()
    expect(panel.get_by_label("seconds")).to_have_value("0.0")
    expect(panel.get_by_text("None yet.")).to_be_visible()
    expect(panel.get_by_role("button", name="Stop")).to_be_hidden()
    page.get_by_role("tab", name="survive.ipynb").click()
    expect(panel.get_by_text("notebooks/survive.ipynb", exact=True)).to_be_visible()
    expect(panel.get_by_label("seconds")).to_have_value("400")
    panel.get_by_role("button", name="Stop").click()
    expect(status).to_contain_text("Run ended: interrupted.", timeout=RUN_MS)
    page.get_by_role("tab", name="second.ipynb").click()
    what_is_not_saved(page, panel)


def what_is_not_saved(page: Page, panel: Locator) -> None:
    """A notebook that is changed under its run: what runs is what is seen, and no old number passes as a new one."""
    panel.get_by_role("button", name="Run", exact=True).click()
    expect(panel.get_by_role("row", name=re.compile("survival 0.549"))).to_be_visible(timeout=RUN_MS)
    cell = page.locator(".jp-NotebookPanel:visible .jp-CodeCell .cm-content").first
    cell.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(PARAMETERS.replace("dose_gy: float = 2.0", "dose_gy: float = 4.0").rstrip())
    expect(panel.get_by_text("changes that are not saved")).to_be_visible()
    panel.get_by_role("button", name="Run", exact=True).click()
    expect(panel.get_by_label("dose_gy")).to_have_value("4.0")
    expect(panel.get_by_role("row", name=re.compile("survival 0.301"))).to_be_visible(timeout=RUN_MS)
    expect(panel.get_by_text("of the notebook before it was changed")).to_have_count(1)
    expect(panel.get_by_text("changes that are not saved")).to_be_hidden()
    panel.get_by_role("button", name=re.compile("^Show run")).last.click()
    expect(panel.get_by_text("The notebook was changed after this run")).to_be_visible()
    look_everywhere(page, "older")


def test_a_notebook_that_moves_or_goes(tab: Callable[..., Page]) -> None:
    page = tab("lab/tree/notebooks/leaves.ipynb?reset")
    panel = panel_of(page)
    panel.get_by_label("dose_gy").fill("5")
    panel.get_by_role("button", name="Run", exact=True).click()
    expect(panel.get_by_role("row", name=re.compile("survival 0.223"))).to_be_visible(timeout=RUN_MS)
    item = page.get_by_role("listitem", name=re.compile(r"^Name: leaves\.ipynb"))
    item.click()
    page.keyboard.press("F2")
    page.keyboard.press("Control+A")
    page.keyboard.type("moved.ipynb")
    page.keyboard.press("Enter")
    expect(panel.get_by_text("notebooks/moved.ipynb", exact=True)).to_be_visible()
    expect(panel.get_by_label("dose_gy")).to_have_value("5")
    expect(panel.get_by_role("button", name=re.compile("^Show run"))).to_have_count(1)  # the same code, so its own run
    expect(panel.get_by_text("of the notebook before it was changed")).to_have_count(0)
    page.get_by_role("listitem", name=re.compile(r"^Name: moved\.ipynb")).click()
    page.keyboard.press("Delete")
    page.get_by_role("dialog").locator(".jp-mod-accept").click()
    expect(panel.get_by_text("Open a notebook: its parameters, runs and results stand here.")).to_be_visible()


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


def test_a_server_that_is_started_again(lab: PanelLab, tab: Callable[..., Page]) -> None:
    """The last test: from here on it is as a session of Binder is."""
    page = tab(ends=True)
    panel = panel_of(page)
    panel.get_by_label("seconds").fill("450")
    panel.get_by_role("button", name="Run", exact=True).click()
    status = panel.get_by_role("status").first
    expect(status).to_contain_text(re.compile(r"Running: [23] of 5 cells done"), timeout=RUN_MS)
    lab.kill()
    expect(status).to_contain_text("The server does not answer; asking again.", timeout=LOADED_MS)
    lab.start(BINDER_SERVICE_HOST="127.0.0.1")
    expect(panel.get_by_role("alert")).to_contain_text("was started again meanwhile", timeout=LOADED_MS)
    look(page, "restarted")
    page.reload()
    panel = panel_of(page)
    expect(panel.get_by_role("note")).to_contain_text("This is a session of Binder. It ends after about 10 minutes")
    expect(panel.get_by_text("✗ Stopped").first).to_be_visible()
    expect(panel.get_by_role("button", name="Stop")).to_be_hidden()
    look_everywhere(page, "binder")

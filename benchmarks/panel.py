"""How long after a notebook the panel of JupyterLab is there.

    python benchmarks/panel.py [--python PYTHON] [--rounds 5] [--markdown FILE]

JupyterLab is a real one, started in a project with real notebooks; the browser is the system's Chromium. The clock is
the browser's own and begins when the first code cell of the notebook is shown; it ends at the mark
`braggbook-panel-ready`, which the panel sets when its form stands there. A panel that is there before counts as 0.

- `cold`: the first page after the server's start, with an empty cache of the browser.
- `loaded again`: the same page loaded again; the notebook's kernel is there already.
- `another notebook`: a notebook opened in a page that is there.

`--python` is the interpreter of an environment with `braggbook[lab]`; the panel is the one in `labextension/build`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from engine_tables import table
from page import facts, write_tables
from playwright.sync_api import Page, sync_playwright

MARKS = ("<!-- panel: begin -->", "<!-- panel: end -->")
ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = "notebooks/radiobiology/clonogenic_survival.ipynb"
BUDGET_MS = 1000.0
START_S, LOADED_MS = 300.0, 180_000
READY, SHOWN = "braggbook-panel-ready", "notebook-shown"
WATCH = f"""
(() => {{
  const seen = new WeakSet();
  new MutationObserver(() => {{
    for (const cell of document.querySelectorAll('.jp-NotebookPanel .jp-CodeCell')) {{
      const notebook = cell.closest('.jp-NotebookPanel');
      if (!seen.has(notebook) && cell.offsetParent !== null) {{
        seen.add(notebook);
        performance.mark('{SHOWN}');
      }}
    }}
  }}).observe(document, {{subtree: true, childList: true, attributes: true, attributeFilter: ['class', 'style']}});
}})();
"""


@contextmanager
def lab(python: str, folder: Path) -> Iterator[str]:
    """Starts JupyterLab with the panel in it; gives its address."""
    places = {f"JUPYTER_{name.upper()}_DIR": str(folder / name) for name in ("config", "data", "runtime")}
    for name in ("config/jupyter_server_config.d", "config/lab/user-settings", "data/labextensions", "runtime"):
        (folder / name).mkdir(parents=True)
    (folder / "data" / "labextensions" / "braggbook").symlink_to(ROOT / "labextension" / "build")
    shutil.copyfile(
        ROOT / "labextension" / "server.json", folder / "config" / "jupyter_server_config.d" / "braggbook.json"
    )
    command = [python, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--port=0", "--allow-root"]
    command += ["--IdentityProvider.token=t", "--LabApp.news_url=None", "--LabApp.extension_manager=readonly"]
    environment = {**os.environ, **places, "JUPYTER_PREFER_ENV_PATH": "0", "BRAGGBOOK_RUNS": str(folder / "runs")}
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(command, cwd=folder / "project", env=environment, stdout=log, stderr=log)
    try:
        yield address(child, folder)
    finally:
        left = psutil.Process(child.pid).children(recursive=True)
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(15)
        child.kill()
        for one in psutil.wait_procs(left, timeout=5)[1]:
            one.kill()


def address(child: subprocess.Popen[bytes], folder: Path) -> str:
    """Waits until a server answers; returns where it is."""
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        if child.poll() is not None:
            break
        for path in (folder / "runtime").glob("jpserver-*.json"):
            with suppress(OSError, ValueError):
                url = str(json.loads(path.read_text())["url"])
                with urllib.request.urlopen(f"{url}api", timeout=10):
                    return url
        time.sleep(0.1)
    raise SystemExit((folder / "log").read_text())


def waited(page: Page, number: int) -> float:
    """Returns the milliseconds from a notebook to its panel: of the page's first, second ... notebook."""
    count = "([ready, shown, n]) => [ready, shown].every(one => performance.getEntriesByName(one).length >= n)"
    page.wait_for_function(count, arg=[READY, SHOWN, number], timeout=LOADED_MS)
    starts = "one => performance.getEntriesByName(one).map(mark => mark.startTime)"
    ready, shown = (page.evaluate(starts, name)[number - 1] for name in (READY, SHOWN))
    return float(max(0.0, ready - shown))


def openings(url: str, browser: Any, rounds: int) -> dict[str, list[float]]:
    """Opens notebooks; returns what each kind of opening took."""
    found: dict[str, list[float]] = {"cold": [], "loaded again": [], "another notebook": []}
    page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
    page.add_init_script(WATCH)
    page.goto(f"{url}api/status?token=t")
    page.goto(f"{url}lab/tree/{NOTEBOOK}?reset")
    found["cold"].append(waited(page, 1))
    for _ in range(rounds):
        page.goto(f"{url}lab/tree/{NOTEBOOK}?reset")
        found["loaded again"].append(waited(page, 1))
    names = page.locator(".jp-DirListing-item[data-file-type=notebook] .jp-DirListing-itemText").all_inner_texts()
    others = [name for name in names if name != Path(NOTEBOOK).name][:rounds]
    for number, name in enumerate(others, 2):
        page.locator(".jp-DirListing-item").filter(has=page.get_by_text(name, exact=True)).dblclick()
        found["another notebook"].append(waited(page, number))
    page.context.close()
    return found


def measure(given: argparse.Namespace) -> dict[str, list[float]]:
    """Returns the milliseconds of all openings, by kind."""
    found: dict[str, list[float]] = {}
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(given.starts):
            with tempfile.TemporaryDirectory(prefix="panel") as name:
                folder = Path(name)
                for part in ("notebooks", "kernels", "datasets"):
                    shutil.copytree(ROOT / part, folder / "project" / part)
                with lab(given.python, folder) as url:
                    for kind, took in openings(url, browser, given.rounds).items():
                        found.setdefault(kind, []).extend(took)
        browser.close()
    return found


def main(words: Sequence[str]) -> None:
    """Measures, prints, and writes into a page where one is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="of an environment with braggbook[lab]")
    parser.add_argument("--starts", type=int, default=3, help="of the server, each with one cold opening")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markdown", type=Path, help="a page with the marks of this benchmark")
    given = parser.parse_args(words)
    if not (ROOT / "labextension" / "build" / "package.json").is_file():
        raise SystemExit("no panel: npm --prefix labextension ci, then npm --prefix labextension run build")
    load = os.getloadavg()[0]
    rows = [
        [
            kind, str(len(took)), f"{statistics.median(took):.0f} ms", f"{max(took):.0f} ms",
            "met" if max(took) < BUDGET_MS else "not met",
        ]
        for kind, took in measure(given).items()
    ]  # fmt: skip
    head = ["opening", "times", "median", "slowest", f"aim: {BUDGET_MS:.0f} ms"]
    text = "\n".join([facts(["braggbook"], rounds=given.rounds, load=load), "", table(head, rows), ""])
    print(text)
    if given.markdown:
        write_tables(given.markdown, text, marks=MARKS)


if __name__ == "__main__":
    main(sys.argv[1:])

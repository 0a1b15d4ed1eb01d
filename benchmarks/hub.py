"""What a hub bears: a board of many rows under load, its first paint, the way to the board, a large upload.

    python benchmarks/hub.py [--rows 1000] [--seconds 20] [--rate 100] [--markdown FILE]

Every number is of a real `braggbook serve` with one worker, on SQLite; the load comes from another process, at a fixed
rate whether answers come or not, so that a slow answer cannot slow the load down (coordinated omission).

- `board`: GET of the board as visitors see it, gzip accepted.
- `first paint`: of the same page in Chromium, from the navigation's start, with an empty cache.
- `predictions`, `notebook`: from the first byte of the upload until the board has the row.
- `upload`: a file of 1 GB, which the challenge then refuses; the hub's memory meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import platformdirs
import psutil
import requests
from engine_tables import table
from page import facts, write_tables
from playwright.sync_api import sync_playwright

from braggbook.challenges.submissions import submit
from braggbook.hub import boards
from braggbook.hub.config import HubConfig
from braggbook.hub.desk import Desk
from braggbook.hub.people.secrets import TOKEN, new_secret
from braggbook.hub.store import people, teams
from braggbook.hub.store.database import Database
from braggbook.hub.store.tables import Person, Token
from braggbook.testing.challenges import SLUG, Open, QuickEvaluator, hand_in, open_challenge_now

MARKS = ("<!-- hub: begin -->", "<!-- hub: end -->")
AIMS = {
    "p99": ("ms", 200.0), "paint": ("ms", 500.0), "predictions": ("s", 3.0), "notebook": ("s", 10.0),
    "memory": ("MB", 100.0),
}  # fmt: skip
_GIB = 1 << 30


@dataclass(frozen=True)
class Place:
    """Where the hub's files are, and somebody who may hand in."""

    folder: Path
    opened: Open
    headers: dict[str, str]


def prepare(folder: Path, rows: int) -> Place:
    """Makes a project with an open challenge, and a board of so many teams in its second phase."""
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    made = open_challenge_now(folder / "files", opens=now - day, closes=now + day, max_mb=2000)
    opened = replace(made, settings=replace(made.settings, cache=platformdirs.user_cache_path("braggbook")))
    (folder / "data").mkdir()
    config = HubConfig(data=folder / "data", database=f"sqlite:///{folder / 'data' / 'hub.sqlite'}")
    desk = Desk(opened.settings, config, Database(config.database))
    desk.database.migrate()
    secret, digest = new_secret(TOKEN)
    with desk.database.write() as session:
        person = Person(name="Anna", login="anna", created=now)
        people.add(session, person)
        teams.add_team(session, name="Anna", folded="anna", person=person.id, now=now)
        people.add(session, Token(person_id=person.id, name="t", digest=digest, scopes=["read", "submit"], created=now))
    evaluate = QuickEvaluator(opened)
    file = hand_in(opened.challenge, "Anna", "final", folder / "file")
    for number in range(rows):
        table_ = [line.split(",") for line in file.read_text().splitlines()]
        wrong = folder / "file" / f"{number}.csv"
        body = [f"{case},{min(10.0, float(dose) * (1 + number % 97 / 500)):.6f}" for case, dose in table_[1:]]
        wrong.write_text("\n".join([",".join(table_[0]), *body]) + "\n")
        sent = submit(
            opened.challenge, opened.vault, wrong, phase=opened.challenge.phase("last"), team=f"Team {number:04}",
            accepted=True, now=now,
        )  # fmt: skip
        evaluate(opened.challenge, opened.vault, sent, settings=opened.settings, clock=desk.clock)
    boards.make_now(desk, SLUG, "last")
    desk.database.close()
    return Place(folder, opened, {"Authorization": f"Bearer {secret}"})


@contextmanager
def serving(place: Place) -> Iterator[tuple[str, psutil.Process]]:
    """Serves the hub; gives its address and its process."""
    environment = {**os.environ, "BRAGGBOOK_VAULT": str(place.opened.settings.vault)}
    command = [sys.executable, "-m", "braggbook", "--project", str(place.opened.settings.project), "serve"]
    command += ["--port", "0", "--data", str(place.folder / "data"), "--log-format", "json"]
    with (place.folder / "log.txt").open("wb") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        address = None
        while address is None:
            if child.poll() is not None:
                raise SystemExit((place.folder / "log.txt").read_text())
            address = re.search(r"hub\s+(http://\S+?)/?\s", (place.folder / "log.txt").read_text())
            time.sleep(0.1)
        base = address[1]
        while not _answers(base):
            time.sleep(0.1)
        yield base, psutil.Process(child.pid)
    finally:
        child.terminate()
        child.wait(30)


def _answers(base: str) -> bool:
    try:
        return requests.get(f"{base}/health", timeout=5).json()["workers"] == 1
    except (requests.RequestException, KeyError):
        return False


def load(base: str, path: str, rate: float, seconds: float) -> list[float]:
    """Asks at a fixed rate; returns each answer's milliseconds from the time at which it was due."""
    return asyncio.run(_load(base.removeprefix("http://"), path, rate, seconds))


async def _load(netloc: str, path: str, rate: float, seconds: float) -> list[float]:
    host, _, port = netloc.partition(":")
    began = time.perf_counter()
    took: list[float] = []

    async def ask(due: float) -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {netloc}\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n".encode()
        )
        data = await reader.read(64)
        while await reader.read(1 << 20):
            pass
        writer.close()
        if not data.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"{path}: {data!r}")
        took.append(1000 * (time.perf_counter() - began - due))

    waiting = []
    for number in range(int(rate * seconds)):
        due = number / rate
        await asyncio.sleep(max(0.0, began + due - time.perf_counter()))
        waiting.append(asyncio.create_task(ask(due)))
    await asyncio.gather(*waiting)
    return took


def first_paint(address: str, rounds: int) -> list[float]:
    """Returns the milliseconds of first contentful paint, each in a browser context of its own."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    found = []
    script = "() => performance.getEntriesByName('first-contentful-paint').map(one => one.startTime)[0] ?? null"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        for number in range(rounds + 1):
            page = browser.new_context().new_page()
            page.goto(address)
            while page.evaluate(script) is None:
                time.sleep(0.01)
            if number:  # the first one starts the browser's own processes
                found.append(float(page.evaluate(script)))
            page.context.close()
        browser.close()
    return found


def until_on_board(base: str, place: Place, file: Path, key: str) -> float:
    """Returns the seconds from the upload until the row is on the board."""
    address = f"{base}/api/v1/challenges/{SLUG}"
    asked = {"phase": "practice", "team": "Anna", "accept_terms": "true", "name": file.name}
    began = time.perf_counter()
    with file.open("rb") as stream:
        answer = requests.post(
            f"{address}/submissions",
            params=asked,
            data=stream,
            headers={**place.headers, "Idempotency-Key": key},
            timeout=60,
        )
    answer.raise_for_status()
    id = answer.json()["id"]
    while True:
        board = requests.get(f"{address}/boards/practice", headers=place.headers, timeout=60)
        if board.ok and id in board.text:
            return time.perf_counter() - began
        if time.perf_counter() - began > 120:
            raise SystemExit(f"{file.name} is not on the board: {board.text[:500]}")
        time.sleep(0.05)


def upload(base: str, place: Place, hub: psutil.Process) -> tuple[float, float]:
    """Uploads 1 GB; returns seconds, and MB of memory that the hub had more at most than before."""
    before = highest = hub.memory_info().rss
    ended = threading.Event()

    def watch() -> None:
        nonlocal highest
        while not ended.wait(0.02):
            highest = max(highest, hub.memory_info().rss)

    thread = threading.Thread(target=watch)
    thread.start()
    block = os.urandom(1 << 20)
    asked = {"phase": "practice", "team": "Anna", "accept_terms": "true", "name": "large.zip"}
    began = time.perf_counter()
    answer = requests.post(
        f"{base}/api/v1/challenges/{SLUG}/submissions", params=asked, data=(block for _ in range(_GIB >> 20)),
        headers=place.headers, timeout=600,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    ended.set()
    thread.join()
    if answer.status_code != 202:
        raise SystemExit(f"the upload was not taken: {answer.status_code} {answer.text[:500]}")
    return seconds, (highest - before) / 1e6


def measure(given: argparse.Namespace) -> list[list[str]]:
    """Returns the rows of the table."""
    found: list[list[str]] = []

    def row(what: str, value: float, unit: str, aim: str = "", more: str = "") -> None:
        met = "" if not aim else f"{AIMS[aim][1]:g} {unit}: {'met' if value < AIMS[aim][1] else 'not met'}"
        found.append([what, f"{value:.3g} {unit}{more}", met])

    with tempfile.TemporaryDirectory(prefix="hub") as folder:
        place = prepare(Path(folder), given.rows)
        with serving(place) as (base, hub):
            path = f"/challenges/{SLUG}/board/last"
            requests.get(base + path, timeout=60).raise_for_status()
            with ProcessPoolExecutor(1) as pool:
                took = sorted(pool.submit(load, base, path, given.rate, given.seconds).result())
            said = f"board of {given.rows} rows, {given.rate:g} requests a second for {given.seconds:g} s"
            row(f"{said}: median", statistics.median(took), "ms")
            row(f"{said}: p99", took[int(0.99 * len(took))], "ms", "p99", f" (slowest {took[-1]:.0f})")
            paints = first_paint(base + path, 7)
            row(
                "its first contentful paint in Chromium",
                statistics.median(paints),
                "ms",
                "paint",
                f" (slowest {max(paints):.0f})",
            )
            for name, team in (("predictions", "Anna"), ("notebook", "Net")):
                file = hand_in(place.opened.challenge, team, "public", place.folder / name)
                seconds = [_once(base, place, file, number) for number in range(given.rounds)]
                worst = f" (first {seconds[0]:.2f}, slowest {max(seconds):.2f})"
                row(f"{name}: from upload to board", statistics.median(seconds), "s", name, worst)
            seconds, memory = upload(base, place, hub)
            row("upload of 1 GB: memory of the hub beyond what it had", memory, "MB", "memory", f", {seconds:.1f} s")
            row("memory of the hub at rest, without its worker", hub.memory_info().rss / 1e6, "MB")
    return found


def _once(base: str, place: Place, file: Path, number: int) -> float:
    """Hands in something that was never scored before: equal predictions are not scored again."""
    if file.suffix == ".ipynb":
        notebook = json.loads(file.read_text())
        notebook["cells"][-1]["source"] = [*notebook["cells"][-1]["source"], f"\n# {number}"]
        file.write_text(json.dumps(notebook))
        other = file
    else:
        head, first, *rest = file.read_text().splitlines()
        case, _ = first.split(",")
        other = file.with_name("predictions.csv")
        other.write_text("\n".join([head, f"{case},{1 + number / 100:.6f}", *rest]) + "\n")
    return until_on_board(base, place, other, f"{file.name}-{number}-{time.time()}")


def main(words: Sequence[str]) -> None:
    """Measures, prints, and writes into a page where one is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markdown", type=Path, help="a page with the marks of this benchmark")
    given = parser.parse_args(words)
    load_before = os.getloadavg()[0]
    tables = table(["", "measured", "aim"], measure(given))
    packages = ["braggbook", "fastapi", "uvicorn", "sqlalchemy"]
    text = "\n".join([facts(packages, rounds=given.rounds, load=load_before), "", tables, ""])
    print(text)
    if given.markdown:
        write_tables(given.markdown, text, marks=MARKS)


if __name__ == "__main__":
    main(sys.argv[1:])

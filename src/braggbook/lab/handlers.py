"""The addresses that the panel asks: for whoever is signed in to JupyterLab; what changes anything needs its XSRF."""

from __future__ import annotations

import asyncio
import functools
import json
import mimetypes
import re
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.utils import url_escape, url_path_join
from tornado import web

from braggbook.binder.opening import open_query
from braggbook.errors import (
    ArchiveError,
    BraggbookError,
    InputError,
    NetworkError,
    NotAllowed,
    StorageError,
    UnknownName,
)
from braggbook.lab import forms, outside, shown
from braggbook.lab.jobs import Jobs
from braggbook.lab.places import Places
from braggbook.lab.subject import Subject, subject_of
from braggbook.notebooks.source import slug_of
from braggbook.records.bundle import write_bundle
from braggbook.records.run_plan import run_content
from braggbook.runs.folder import find_run, read_record
from braggbook.runs.record import FIGURES
from braggbook.runs.report import REPORT
from braggbook.settings import Settings

API = "api/braggbook"
LONGEST_WAIT_S = 20.0  # proxies cut what is silent for longer
_BLOCK_BYTES = 1 << 20
_RUN = re.compile(r"[0-9a-f]{24}")
_DRAWING = re.compile(r"[a-z][a-z0-9_]*\.(svg|png)")
_INERT = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"  # of files that a notebook made
_STATUS: tuple[tuple[type[BraggbookError], int], ...] = (
    (UnknownName, 404), (NotAllowed, 403), (InputError, 422), (NetworkError, 502), (ArchiveError, 502),
    (StorageError, 507),
)  # fmt: skip


def status_of(error: BraggbookError) -> int:
    """Returns the HTTP status that an error is answered with."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 409)


def answered(method: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Answers our own errors as JSON: what, where, wanted, got, next."""

    @functools.wraps(method)
    async def call(self: Any, *args: str) -> None:
        try:
            await method(self, *args)
        except BraggbookError as error:
            self.set_status(status_of(error))
            self.set_header("Content-Type", "application/json")
            self.finish(json.dumps(error.as_json()))

    return call


class _Mixin:
    """What every address has at hand."""

    places: Places
    jobs: Jobs

    def initialize(self, *, places: Places, jobs: Jobs) -> None:
        """Takes what all addresses share."""
        self.places, self.jobs = places, jobs

    def subject(self) -> Subject:
        """Returns which notebook is asked about."""
        return subject_of(self.places, self.get_query_argument("path"))  # type: ignore[attr-defined]

    def settings_asked(self) -> Settings:
        """Returns the settings of the project that is asked about."""
        given = self.get_query_argument("path", "")  # type: ignore[attr-defined]
        return self.places.settings(subject_of(self.places, given).path if given else None)

    def run_folder(self, run_id: str) -> Path:
        """Returns the folder of a run of the project that is asked about."""
        if not _RUN.fullmatch(run_id):
            raise UnknownName("no such run", where=run_id[:100])
        return find_run(run_id, runs=self.settings_asked().runs)


class Base(_Mixin, APIHandler):
    """An address that is answered with JSON."""

    def said(self) -> dict[str, Any]:
        """Returns what the browser sent.

        Raises:
            InputError: It is no JSON object.
        """
        body = self.get_json_body()
        if not isinstance(body, dict):
            raise InputError("not something that the panel can ask for", wanted="a JSON object")
        return body

    def say(self, data: Any) -> None:
        """Answers."""
        self.finish(json.dumps(data, allow_nan=False))


async def aside(function: Callable[..., Any], *args: Any) -> Any:
    """Calls what reads files in a thread, so that JupyterLab goes on answering."""
    return await asyncio.get_running_loop().run_in_executor(None, functools.partial(function, *args))


class About(Base):
    """What this server is."""

    @web.authenticated
    @answered
    async def get(self) -> None:
        """Says what the panel must know before anything else."""
        self.say(await aside(outside.about, self.places))


class Form(Base):
    """The form of a notebook, and what is wrong with what was filled in."""

    @web.authenticated
    @answered
    async def get(self) -> None:
        """Returns the form, and the jobs that a browser loaded again finds here."""
        subject = self.subject()
        form = forms.form_of(await aside(subject.read))
        jobs = [job.as_json() for job in self.jobs.of(self.get_query_argument("path"))]
        self.say({**form, "values": subject.values, "source": subject.source, "jobs": jobs})

    @web.authenticated
    @answered
    async def post(self) -> None:
        """Checks values, and executes nothing."""
        values = self.said().get("values")
        if not isinstance(values, dict):
            raise InputError("no values", wanted="a JSON object")
        notebook = await aside(self.subject().read)
        self.say({"findings": forms.findings(notebook, values)})


class JobList(Base):
    """What is being done."""

    @web.authenticated
    @answered
    async def get(self) -> None:
        """Lists the jobs of a notebook."""
        self.say([job.as_json() for job in self.jobs.of(self.get_query_argument("path"))])

    @web.authenticated
    @answered
    async def post(self) -> None:
        """Begins one; values that the notebook does not accept are refused here, by field."""
        order = self.said()
        subject = subject_of(self.places, str(order.get("path", "")))
        if order.get("kind") == "run" and isinstance(order.get("values"), dict):
            found = forms.findings(await aside(subject.read), order["values"])
            if found:
                self.set_status(422)
                self.say({"what": "values that the notebook does not accept", "findings": found})
                return
        self.set_status(202)
        self.say(self.jobs.start(order).as_json())


class OneJob(Base):
    """One job."""

    @web.authenticated
    @answered
    async def get(self, id: str) -> None:
        """Returns it as soon as there is something that the browser has not seen."""
        job = self.jobs.job(id)
        seen = self.get_query_argument("seen", "")
        if seen.isdigit():
            await job.news(int(seen), seconds=LONGEST_WAIT_S)
        self.say(job.as_json())

    @web.authenticated
    @answered
    async def delete(self, id: str) -> None:
        """Stops it."""
        self.say(self.jobs.stop(id).as_json())


class RunList(Base):
    """The runs of a notebook so far."""

    @web.authenticated
    @answered
    async def get(self) -> None:
        """Lists the newest."""
        self.say(await aside(_runs_of, self.subject(), self.places))


def _runs_of(subject: Subject, places: Places) -> list[dict[str, Any]]:
    try:
        identity = subject.read().identity
    except BraggbookError:  # it cannot run as it is now, but its runs are there
        identity = ""
    return shown.runs_of(slug_of(subject.path), places.settings(subject.path).runs, identity=identity)


class OneRun(Base):
    """A run with its results."""

    @web.authenticated
    @answered
    async def get(self, id: str) -> None:
        """Returns it."""
        self.say(await aside(shown.run_shown, self.run_folder(id)))


class _Files(_Mixin, JupyterHandler):
    """Files that a notebook made: shown, and never obeyed."""

    @property
    def content_security_policy(self) -> str:
        """Forbids everything that a file made by a notebook could do with this server."""
        return f"{super().content_security_policy}; {_INERT}"

    async def send(self, path: Path, *, name: str = "") -> None:
        """Streams a file; with a name it is downloaded."""
        self.set_header("Content-Type", mimetypes.guess_type(path.name)[0] or "application/octet-stream")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Length", str(path.stat().st_size))
        if name:
            self.set_header("Content-Disposition", f'attachment; filename="{name}"')
        with path.open("rb") as stream:
            while block := await aside(stream.read, _BLOCK_BYTES):
                self.write(block)
                await self.flush()
        self.finish()


class Figure(_Files):
    """A drawing of a run."""

    @web.authenticated
    @answered
    async def get(self, id: str, name: str) -> None:
        """Sends it."""
        path = self.run_folder(id) / FIGURES / name
        if not _DRAWING.fullmatch(name) or not path.is_file() or path.is_symlink():
            raise UnknownName("no such figure", where=name[:100])
        await self.send(path)


class Report(_Files):
    """The report of a run."""

    @web.authenticated
    @answered
    async def get(self, id: str) -> None:
        """Sends it."""
        path = self.run_folder(id) / REPORT
        if not path.is_file() or path.is_symlink():
            raise UnknownName("no report", where=id)
        await self.send(path)


class Zip(_Files):
    """A run as one zip, to be taken away."""

    @web.authenticated
    @answered
    async def get(self, id: str) -> None:
        """Makes it and sends it: what a record of the run would hold."""
        folder = self.run_folder(id)
        with tempfile.TemporaryDirectory(prefix="braggbook-") as place:
            name = f"{read_record(folder).notebook}-{id}.zip"
            await aside(_pack, folder, Path(place) / name)
            await self.send(Path(place) / name, name=name)


def _pack(folder: Path, target: Path) -> None:
    write_bundle(run_content(folder, read_record(folder)), target)


class Datasets(Base):
    """The datasets of the project."""

    @web.authenticated
    @answered
    async def get(self) -> None:
        """Lists them with their cards."""
        self.say(await aside(shown.datasets_of, self.settings_asked().project))


class Challenges(Base):
    """What can be entered."""

    @web.authenticated
    @answered
    async def get(self) -> None:
        """Lists the challenges, and says whether strangers' notebooks can run here."""
        self.say(await aside(outside.challenges, self.settings_asked()))


class Open(_Mixin, JupyterHandler):
    """What a launch link of Binder opens.

    Links come from other sites, so this is a GET, which has no XSRF token. It executes nothing and changes no notebook:
    all that it can do is to write one copy, named by what is in it, into its own folder. And it answers only to a
    person who goes to the address, not to another site's page that names it as a picture.
    """

    @web.authenticated
    @answered
    async def get(self) -> None:
        """Makes the copy and goes to it."""
        if self.request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate":
            raise NotAllowed("a launch link is followed by a person", wanted="its address, opened in a tab")
        opened = await aside(open_query, self.places.root, self.request.query)
        self.redirect(url_path_join(self.base_url, "lab/tree", url_escape(opened.path)))


def routes(base_url: str, *, places: Places, jobs: Jobs) -> list[tuple[str, type[Any], dict[str, Any]]]:
    """Returns every address with its handler."""
    given = {"places": places, "jobs": jobs}
    start = re.escape(base_url.rstrip("/")) + f"/{API}"
    table: tuple[tuple[str, type[Any]], ...] = (
        ("about", About), ("form", Form), ("jobs", JobList), (r"jobs/([0-9a-f]+)", OneJob), ("runs", RunList),
        (r"runs/([0-9a-f]+)", OneRun), (r"runs/([0-9a-f]+)/figures/([^/]+)", Figure),
        (r"runs/([0-9a-f]+)/report", Report), (r"runs/([0-9a-f]+)/zip", Zip), ("datasets", Datasets),
        ("challenges", Challenges),
    )  # fmt: skip
    opening = re.escape(base_url.rstrip("/")) + "/braggbook/open"  # before the hub, which has the rest of braggbook/
    return [(opening, Open, given), *((f"{start}/{path}", handler, given) for path, handler in table)]

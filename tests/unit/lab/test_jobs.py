"""Jobs: children that are watched, waited for, stopped, and found again."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from braggbook.errors import InputError, UnknownName
from braggbook.lab.jobs import MOST_AT_ONCE, Job, Jobs

RUN = {"kind": "run", "path": "notebooks/a.ipynb", "values": {"dose_gy": "2"}}
TOKEN = "bbt_not_to_be_seen"
SEND = {"kind": "push", "path": "a.ipynb", "run": "0" * 24, "to": "zenodo", "digest": "0" * 64, "token": TOKEN}
TELL = "import json, sys, time\ngiven = json.loads(sys.stdin.readline())\ndef tell(**what):\n    print(json.dumps(what), flush=True)\n"


def jobs_of(folder: Path, program: str) -> Jobs:
    """Returns jobs whose child is a small program of this test."""
    return Jobs(folder, environment={}, command=(sys.executable, "-c", TELL + program))


async def ended(job: Job) -> Job:
    while not job.over:
        await job.news(job.version, seconds=20)
    return job


def test_a_job_tells_how_far_it_is(tmp_path: Path) -> None:
    program = """
for done in range(3):
    tell(event="progress", title="a", done=done, total=2, note="")
tell(event="say", text="waiting")
tell(event="done", result={"run": given["order"]["values"]["dose_gy"], "verdict": "complete"})
"""

    async def scene() -> dict[str, Any]:
        return (await ended(jobs_of(tmp_path, program).start(RUN))).as_json()

    said = asyncio.run(scene())
    assert (said["state"], said["result"]["run"]) == ("done", "2")
    assert said["progress"] == {"title": "a", "done": 2, "total": 2, "note": ""}
    assert said["said"] == ["waiting"]


def test_who_waits_hears_at_once(tmp_path: Path) -> None:
    async def scene() -> int:
        jobs = jobs_of(tmp_path, 'tell(event="say", text="begun")\nsys.stdin.read()')
        job = jobs.start(RUN)
        await job.news(0, seconds=20)
        seen = job.version
        assert jobs.of(RUN["path"]) == [job]
        await job.news(seen, seconds=0.05)  # nothing happens
        assert job.version == seen
        jobs.stop(job.id)
        await ended(job)
        return job.version

    assert asyncio.run(scene()) >= 3


def test_it_is_interrupted_as_a_person_does(tmp_path: Path) -> None:
    program = """
try:
    tell(event="say", text="begun")
    time.sleep(60)
except KeyboardInterrupt:
    tell(event="done", result={"run": "", "verdict": "interrupted"})
"""

    async def scene() -> Job:
        jobs = jobs_of(tmp_path, program)
        job = jobs.start(RUN)
        while not job.said:
            await job.news(job.version, seconds=20)
        jobs.stop(job.id)
        return await ended(job)

    job = asyncio.run(scene())
    assert (job.state, job.result) == ("stopped", {"run": "", "verdict": "interrupted"})


def test_a_child_that_dies_is_said(tmp_path: Path) -> None:
    async def scene() -> dict[str, Any]:
        return (await ended(jobs_of(tmp_path, "sys.exit('no memory')").start(RUN))).as_json()

    said = asyncio.run(scene())
    assert said["state"] == "failed"
    assert (said["error"]["what"], said["error"]["got"]) == ("the child ended without a word", "no memory")


def test_no_token_is_told_to_a_browser_or_stands_in_the_environment(tmp_path: Path) -> None:
    program = """
import os
listed = TOKEN in json.dumps(dict(os.environ)) + json.dumps(sys.argv)
tell(event="done", result={"arrived": given["order"]["token"] == TOKEN, "listed": listed})
""".replace("TOKEN", repr(TOKEN[:-1]) + f" + {TOKEN[-1]!r}")

    async def scene() -> Job:
        return await ended(jobs_of(tmp_path, program).start(SEND))

    job = asyncio.run(scene())
    assert job.result == {"arrived": True, "listed": False}
    assert TOKEN not in json.dumps(job.as_json()) + repr(job)


def test_one_at_a_time_for_each_notebook(tmp_path: Path) -> None:
    async def scene() -> None:
        jobs = jobs_of(tmp_path, "sys.stdin.read()")
        begun = [jobs.start(RUN)]
        with pytest.raises(InputError, match="being done already"):
            jobs.start(RUN)
        begun += [jobs.start({**RUN, "path": f"{n}.ipynb"}) for n in range(MOST_AT_ONCE - 1)]
        with pytest.raises(InputError, match="too much is being done"):
            jobs.start({**RUN, "path": "more.ipynb"})
        for job in begun:
            jobs.stop(job.id)
        for job in begun:
            await ended(job)

    asyncio.run(scene())


@pytest.mark.parametrize(
    "data",
    [
        None, {}, {"kind": "erase", "path": "a"}, {**RUN, "more": 1}, {**RUN, "values": []},
        {"kind": "verify", "path": "a", "run": "../../etc"}, {**SEND, "digest": "short"},
        {"kind": "try", "path": "a", "challenge": "../x", "file": "a"},
    ],
)  # fmt: skip
def test_what_is_no_order_is_refused(tmp_path: Path, data: Any) -> None:
    with pytest.raises(InputError, match="not something that the panel can ask for") as caught:
        jobs_of(tmp_path, "").start(data)
    assert TOKEN not in str(caught.value)


def test_an_unknown_job(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="no such job"):
        jobs_of(tmp_path, "").job("0")

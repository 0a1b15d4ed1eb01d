"""Nothing in a run's folder tells whose machine it was made on."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import string
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from ..conftest import Project
from .test_verify import CARD

pytestmark = pytest.mark.full

TALKATIVE = """import getpass, os, platform, socket, sys, tempfile, warnings
import pandas as pd
import braggbook as bb
here = {
    "cwd": os.getcwd(), "home": os.path.expanduser("~"), "python": sys.executable, "prefix": sys.prefix,
    "host": socket.gethostname(), "node": platform.node(), "user": getpass.getuser(), "tmp": tempfile.gettempdir(),
    "module": pd.__file__, "own": bb.__file__, "path": os.pathsep.join(sys.path), "environ": str(dict(os.environ)),
    "data": os.environ["BRAGGBOOK_DATASETS"],
}
print(here)
print(here, file=sys.stderr)
warnings.warn("look at " + here["module"])
open("note.txt", "w").write("nothing here")
bb.result("x", 1.0, unit="1")
bb.result("places", pd.DataFrame({"what": list(here), "where": list(here.values())}))
pd.DataFrame({"where": list(here.values())})"""


def _word() -> str:
    return "q" + "".join(random.choices(string.ascii_lowercase, k=9))


@pytest.mark.parametrize("ends", ["complete", "failed"])
def test_no_trace_of_the_machine(tmp_path: Path, kernel_template: Path, needs, ends: str) -> None:
    unshare, hostname = needs("unshare"), needs("hostname")
    user, host, place, token = _word(), _word(), _word(), "ghp_" + _word() * 2
    home = tmp_path / "people" / user
    folder = home / place / "project"
    shutil.copytree(kernel_template, folder)
    project = Project(folder)
    tail = [] if ends == "complete" else ["import json\njson.loads(str(here))"]
    results = {"x": {"unit": "1"}, "places": {"kind": "table"}}
    project.experiment("talk", code=[TALKATIVE, *tail], results=results)
    (home / "temporary").mkdir()
    env = {
        **os.environ,
        "HOME": str(home), "USER": user, "LOGNAME": user, "HOSTNAME": host, "TMPDIR": str(home / "temporary"),
        "MY_API_TOKEN": token, "AWS_SECRET_ACCESS_KEY": token[::-1],
    }  # fmt: skip
    inner = f"{hostname} {host} && exec {sys.executable} -m braggbook run talk --json"
    command = [unshare, "--uts", "sh", "-c", inner]
    if subprocess.run([unshare, "--uts", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs the right to make a namespace with a host name of its own")
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == (0 if ends == "complete" else 3), done.stderr
    run = next((folder / "runs").glob("?" * 24 if ends == "complete" else "failed/" + "?" * 24))
    files = [path for path in run.rglob("*") if path.is_file()]
    assert len(files) > 12
    forbidden = [
        user,
        host,
        place,
        token,
        token[::-1],
        str(tmp_path),
        sys.prefix,
        sysconfig.get_path("stdlib"),
        "/tmp/",
    ]
    for path in files:
        text = path.read_bytes().decode("utf-8", "replace")
        for trace in forbidden:
            at = text.find(trace)
            assert at < 0, f"{path.relative_to(run)} tells {trace!r}: …{text[max(0, at - 80) : at + 80]}…"
    executed = (run / "executed.ipynb").read_text()
    for mark in ("<env>", "<host>", "<run>"):
        assert mark in executed
    assert "braggbook" in executed  # the name that the kernel's user goes by


def test_no_trace_of_where_data_lie(project: Project, tmp_path: Path) -> None:
    """Data that are not copied are read where the mirror folder has them, and an error names the file."""
    mirror, text = tmp_path / _word(), "colonies\n12\n34\n56\n"
    mirror.mkdir()
    (mirror / "counts.csv").write_text(text)
    folder = project.folder / "datasets" / "counts"
    folder.mkdir(parents=True)
    card = CARD.format(sha256=hashlib.sha256(text.encode()).hexdigest(), bytes=len(text))
    (folder / "dataset.toml").write_text(card.replace("bytes = 18", "bytes = 18\ncopy = false"))
    code = 'import braggbook as bb\nprint(*bb.load("counts@1", to="paths").values())\nbb.result("x", 1.0, unit="1")'
    project.experiment("talk", code=[code], results={"x": {"unit": "1"}}, front={"datasets": ["counts@1"]})
    answer = project.run("talk", env={"BRAGGBOOK_DATA_MIRROR": str(mirror)})
    assert answer.code == 0, answer.err
    run = Path(answer.json["run_dir"])
    assert "<data>/counts.csv" in (run / "executed.ipynb").read_text()
    assert not [p.name for p in run.rglob("*") if p.is_file() and mirror.name.encode() in p.read_bytes()]


def test_words_of_the_notebook_are_not_taken_for_names() -> None:
    from braggbook.runs.scrub import make_scrubber

    env = {"SESSION_TOKEN": "s3cr3t-s3cr3t", "SHORT_TOKEN": "true"}
    scrub = make_scrubber(
        {"project": Path("/srv/science")}, vocabulary="alpha = 1", environment=env, user="alpha", host="proton.example"
    )
    assert scrub.text("alpha = 0.3 1/Gy, true") == "alpha = 0.3 1/Gy, true"
    assert scrub.text("on proton.example and proton") == "on <host> and <host>"
    assert scrub.text("protons stop; antiproton too") == "protons stop; antiproton too"
    assert scrub.text("key s3cr3t-s3cr3t.") == "key <secret>."
    assert scrub.text("/srv/science/a.csv and /srv/scienceman and /opt/srv/science") == (
        "<project>/a.csv and /srv/scienceman and /opt<project>"
    )
    assert make_scrubber({}, vocabulary="", environment={}, user="root", host="localhost").text("square root of 2") == (
        "square root of 2"
    )
    image = "data:image/png;base64,AAAA/proton/AAAA"
    assert scrub.text(f'<img src="{image}"> on proton') == f'<img src="{image}"> on <host>'

"""The unit of systemd and the container's file that the pages show are usable."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

from braggbook.hub.config import describe_config

from .pages import DOCS

HUB = DOCS / "how-to" / "hub"
PAGE = DOCS / "how-to" / "run_a_hub.md"
INSTRUCTIONS = {
    "FROM", "RUN", "COPY", "USER", "WORKDIR", "ENV", "VOLUME", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT", "CMD",
}  # fmt: skip


def _instructions(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in whole.splitlines()]


def _verbs(text: str) -> set[str]:
    return set(re.findall(r"braggbook\"?,? \"?(serve|worker)", text))


def test_the_page_shows_every_file() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for path in HUB.iterdir():
        assert f"{{literalinclude}} hub/{path.name}" in page
        assert f"](hub/{path.name})" in page


def test_the_container_s_file() -> None:
    found = _instructions((HUB / "Containerfile").read_text(encoding="utf-8"))
    names = [name for name, _ in found]
    assert set(names) <= INSTRUCTIONS
    assert names[0] == "FROM"
    users = [rest for name, rest in found if name == "USER"]
    assert users
    assert "root" not in users[-1]
    for name, rest in found:
        if name in ("CMD", "ENTRYPOINT"):
            assert isinstance(json.loads(rest), list)  # no shell between the system and the hub: signals arrive
        if name == "RUN":
            assert not shlex.split(rest)[0].startswith("-")
            subprocess.run(["sh", "-n", "-c", rest], check=True)
        if name == "ENV":
            assert all("=" in one for one in shlex.split(rest))
            _check_variables(dict(one.split("=", 1) for one in shlex.split(rest)))
    assert _verbs((HUB / "Containerfile").read_text(encoding="utf-8")) == {"serve"}


def _check_variables(values: dict[str, str]) -> None:
    known = {variable for variable, _ in describe_config().values()} | {"BRAGGBOOK_VAULT", "BRAGGBOOK_CACHE"}
    assert set(values) <= known
    assert not [name for name, value in values.items() if "password" in value.lower()]


def test_the_unit_of_systemd(needs: Callable[..., str], tmp_path: Path) -> None:
    text = (HUB / "braggbook.service").read_text(encoding="utf-8")
    pairs = [line.split("=", 1)[1] for line in text.splitlines() if line.startswith("Environment=")]
    _check_variables(dict(pair.split("=", 1) for pair in pairs))
    assert _verbs(text) == {"serve"}
    tool = needs("systemd-analyze")
    program = tmp_path / "braggbook"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    unit = tmp_path / "braggbook.service"
    here = text.replace("/srv/braggbook/venv/bin/braggbook", str(program)).replace(
        "User=braggbook\nGroup=braggbook\n", ""
    )
    unit.write_text(here, encoding="utf-8")
    done = subprocess.run([tool, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_settings_of_the_example_are_known() -> None:
    shown = set(re.findall(r"BRAGGBOOK_HUB_[A-Z_]*[A-Z]", PAGE.read_text(encoding="utf-8")))
    known = {variable for variable, _ in describe_config().values()}
    assert shown <= known | {"BRAGGBOOK_HUB_ORCID_SECRET"}

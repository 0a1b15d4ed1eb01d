"""The contract on the real sandbox of Zenodo, for whoever has a token of it.

::

    BRAGGBOOK_ZENODO_SANDBOX_TOKEN=... pytest --full tests/contract/test_sandbox.py

The token (https://sandbox.zenodo.org/account/settings/applications/tokens/new/) needs ``deposit:write`` and
``deposit:actions``. Drafts are discarded afterwards; about thirty small records stay in the sandbox, which is emptied now
and then. It asks some hundreds of things and obeys the limit of a hundred a minute, so that it takes ten minutes or
more. Without the token there are no tests here, and so no skipped ones.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from braggbook.records.archive import Archive, Record
from braggbook.records.archives import Shelf
from braggbook.records.deposit import Job, mint, push
from braggbook.testing.archive import CHECKS, Bench, make_metadata

TOKEN = "BRAGGBOOK_ZENODO_SANDBOX_TOKEN"
_LAG_S = 60.0  # of its search, at worst
HAS_TOKEN = bool(os.environ.get(TOKEN, "").strip())


def sandbox() -> Archive:
    return Shelf(Path("nothing"), {TOKEN: os.environ[TOKEN]}).open("zenodo_sandbox")


def said(archive: Any, record: Record) -> Any:
    return archive._transport.ask("GET", f"/api/records/{record.id}").json()["metadata"]


def check_on_the_sandbox(name: str, tmp_path: Path) -> None:
    bench = Bench(
        make=sandbox,
        folder=tmp_path,
        again=lambda _: sandbox(),
        apart=False,
        said=said,
        search_lag_s=_LAG_S,
        large_bytes=4_000_000,
    )
    CHECKS[name](bench)


def push_and_mint_twice(tmp_path: Path) -> None:
    from braggbook.formats.record import PublishPlan
    from braggbook.records.bundle import describe

    (tmp_path / "a.zip").write_bytes(b"of a test")
    plan = PublishPlan(
        kind="run", source="sandbox", metadata=make_metadata(), files=[describe(tmp_path / "a.zip", name="a.zip")]
    )
    job = Job(plan, {"a.zip": tmp_path / "a.zip"}, sandbox(), tmp_path / "place")
    push(job)
    minted = mint(job)
    assert minted.step == "checked"
    (tmp_path / "place" / "deposit.json").unlink()
    assert push(job).doi == minted.doi


if HAS_TOKEN:
    pytestmark = pytest.mark.full
    test_contract_on_the_sandbox = pytest.mark.parametrize("name", CHECKS)(check_on_the_sandbox)
    test_a_deposit_on_the_sandbox = push_and_mint_twice

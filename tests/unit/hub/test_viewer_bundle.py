"""The viewer that is vendored: it is what its sources build, its licences stand beside it, and it asks no other host."""

from __future__ import annotations

import hashlib
import json
import re

from ...conftest import ROOT

VIEWER, STATIC = ROOT / "viewer", ROOT / "src" / "braggbook" / "hub" / "static"
REBUILD = "run `npm ci && npm run build` in viewer/"
LARGEST = 3 << 20  # bytes; it is loaded only when somebody asks for it
_BUILT_IN = {"esbuild"}  # works on the bundle, and is not in it


def test_the_bundle_is_what_its_sources_build() -> None:
    sums = dict(reversed(line.split("  ")) for line in (VIEWER / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == {"package.json", "package-lock.json", "build.js", "src/viewer.js", "viewer.js"}
    for name, wanted in sums.items():
        path = STATIC / name if name == "viewer.js" else VIEWER / name
        assert hashlib.sha256(path.read_bytes()).hexdigest() == wanted, f"{name} has changed: {REBUILD}"
    assert (STATIC / "viewer.js").stat().st_size < LARGEST


def test_every_package_is_locked_by_hash_and_no_host_is_named() -> None:
    lock = json.loads((VIEWER / "package-lock.json").read_text())
    for name, package in lock["packages"].items():
        assert not name or package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name
    wanted = json.loads((VIEWER / "package.json").read_text())
    assert all(
        re.fullmatch(r"\d+\.\d+\.\d+", one) for one in {**wanted["dependencies"], **wanted["devDependencies"]}.values()
    )


def test_what_is_in_it_has_its_licence_beside_it() -> None:
    lock = json.loads((VIEWER / "package-lock.json").read_text())["packages"]
    text = (STATIC / "viewer.LICENSE.txt").read_text()
    stated = dict(re.findall(r"^(\S+) (\d+\.\d+\.\d+) \(", text, re.MULTILINE))
    assert stated["@niivue/niivue"] == "0.69.0"
    assert "Copyright (c) 2021, Niivue" in text
    for name, version in stated.items():
        assert lock[f"node_modules/{name}"]["version"] == version
        assert name not in _BUILT_IN
    assert len(stated) == text.count("-" * 80) + 1


def test_it_needs_nothing_that_the_hubs_policy_forbids() -> None:
    code = (STATIC / "viewer.js").read_text()
    for forbidden in ("new Worker(", "new Function(", "importScripts("):
        assert forbidden not in code, f"script-src 'self' does not allow {forbidden}"

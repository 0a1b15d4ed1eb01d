"""The test of the walls finds every wall that is missing: each is taken away, one by one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from braggbook.errors import KernelUnavailable
from braggbook.runs.sandbox.entry import landlock_version
from braggbook.runs.sandbox.selftest import SelfTest, require_walls, self_test
from braggbook.runs.sandbox.session import best_meter, watchdog
from braggbook.runs.sandbox.usage import Used
from braggbook.runs.sandbox.walls import Walls, bubblewrap

pytestmark = pytest.mark.full


@dataclass(frozen=True)
class Weak(Walls):
    """Walls with something left out, put in, or exchanged."""

    without: tuple[str, ...] = ()
    exchanged: tuple[tuple[str, str], ...] = ()
    late: tuple[str, ...] = ()
    unlimited: tuple[str, ...] = ()
    landlock: bool = True
    filtered: bool = True
    root: bool = False

    def command(self, inner: Sequence[str], *, rules: int, ready: int, start: int) -> list[str]:
        words = super().command(inner, rules=rules, ready=ready, start=start)
        if not self.filtered:
            place = words.index("--seccomp")
            words = words[:place] + words[place + 2 :]
        return words

    def options(self) -> list[str]:
        exchanged = dict(self.exchanged)
        words = [exchanged.get(word, word) for word in super().options() if word not in self.without]
        end = len(words) - 4  # before the root is made read-only
        return [*words[:end], *self.late, *words[end:]]

    def entry_settings(self) -> dict[str, Any]:
        settings = super().entry_settings()
        limits = {name: value for name, value in settings["limits"].items() if name not in self.unlimited}
        landlock = settings["landlock"] if self.landlock else None
        return {"uid": 0 if self.root else settings["uid"], "limits": limits, "landlock": landlock}


class Blind:
    """Counts nothing and bounds nothing."""

    name, every_s = "nothing", 0.1

    def add(self, pid: int) -> None:
        pass

    def read(self) -> Used:
        return Used()

    def out_of_memory(self) -> bool:
        return False

    def remove(self) -> None:
        pass


def _reached(found: SelfTest) -> set[str]:
    return {name for name, attempt in found.attempts.items() if not attempt.held}


@pytest.mark.parametrize("meter", [best_meter, watchdog])
def test_whole_walls_hold(meter: Any) -> None:
    found = self_test(meter=meter)
    assert found.ok, found.issues
    assert len(found.attempts) > 40
    assert any(layer.startswith(("Landlock", "no Landlock")) for layer in found.layers)
    assert any("memory" in layer for layer in found.layers)


@pytest.mark.parametrize(
    ("weak", "reached"),
    [
        (Weak(without=("--unshare-net",)), {"namespaces of outside"}),
        (Weak(without=("--unshare-net",), filtered=False, landlock=False), {"tcp", "udp", "abstract socket", "vsock"}),
        (Weak(without=("--unshare-pid", "--disable-userns")), {"namespaces of outside", "host processes"}),
        (Weak(without=("--unshare-ipc",)), {"namespaces of outside"}),
        (Weak(without=("--unshare-uts", "--hostname", "sandbox")), {"namespaces of outside"}),
        (Weak(filtered=False), {"rights", "memfd_create", "shmget", "clone3", "netlink beyond routes"}),
        (Weak(late=("--setenv", "TOKEN", "secret")), {"environment"}),
        (Weak(exchanged=(("--ro-bind", "--bind"),)), {"places that are not read-only"}),
        (Weak(late=("--perms", "1777", "--tmpfs", "/more")), {"places that are not read-only"}),
        (Weak(unlimited=("FSIZE",)), {"file size"}),
        (Weak(unlimited=("AS",)), {"address space"}),
        (Weak(unlimited=("NOFILE",)), {"open files"}),
        (Weak(exchanged=((str(8 << 20), str(16 << 20)),)), {"folder size"}),
    ],
)
def test_a_wall_that_is_missing_is_found(weak: Weak, reached: set[str]) -> None:
    found = self_test(weak)
    assert not found.ok
    assert reached <= _reached(found), found.issues


def test_processes_and_memory_without_bounds_are_found() -> None:
    assert "processes" in _reached(self_test(Weak(unlimited=("NPROC",)), meter=watchdog))
    assert _reached(self_test(meter=lambda limits: Blind())) == {"memory"}


def test_landlock_that_is_not_used_is_found() -> None:
    found = _reached(self_test(Weak(landlock=False)))
    assert found == ({"the second wall"} if landlock_version() else set())


def _showing(folder: Path) -> tuple[str, ...]:
    parents = [word for parent in reversed(folder.parents[:-1]) for word in ("--perms", "0755", "--dir", str(parent))]
    return (*parents, "--ro-bind", str(folder), str(folder))


def test_a_folder_that_is_shown_by_mistake(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", name)  # where the secret is put
        late = _showing(Path(name))
        assert _reached(self_test(Weak(late=late, landlock=False))) >= {"secret file 1"}
        with_landlock = self_test(Weak(late=late)).attempts["secret file 1"]
    assert with_landlock.held == bool(landlock_version()), "the second wall stands where the first has a hole"


def test_root_inside_is_refused() -> None:
    if os.getuid() != 0:
        pytest.skip("only root can stay root")
    with pytest.raises(KernelUnavailable, match="still root"):
        self_test(Weak(root=True))


def test_nothing_runs_where_something_was_reached() -> None:
    with pytest.raises(KernelUnavailable) as refused:
        require_walls(lambda: self_test(Weak(late=("--setenv", "TOKEN", "secret"))))
    assert refused.value.issues[0].where == ""
    assert "refuses to run a stranger's code" in str(refused.value)
    assert "environment; got TOKEN" in str(refused.value)
    assert require_walls() is require_walls()


def test_without_bubblewrap_the_next_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    bubblewrap.cache_clear()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(KernelUnavailable, match="apt install bubblewrap"):
        self_test()

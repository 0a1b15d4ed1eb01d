"""The linter: a checkout without a fault has no finding, and each fault gets its own, with file and line."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from braggbook.binder.check import check_binder, has_binder
from braggbook.binder.files import fixed_files, write_binder
from braggbook.testing.experiments import write_experiment


def test_nothing_is_found(checkout: Path) -> None:
    assert has_binder(checkout)
    assert check_binder(checkout) == []


def put(name: str, text: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    return change


def swap(name: str, old: str, new: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert re.search(old, text)
        (folder / name).write_text(re.sub(old, new, text, count=1))

    return change


def notebook(code: str, kernel: str = "radiobiology") -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        write_experiment(folder / "notebooks", "bad", code=[code], front={"kernel": kernel})

    return change


def as_on_windows(folder: Path) -> None:
    path = folder / "binder" / "start"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def not_executable_in_git(folder: Path) -> None:
    for words in (["init", "--quiet"], ["add", "binder"], ["update-index", "--chmod=-x", "binder/start"]):
        subprocess.run(["git", "-C", str(folder), *words], check=True)


REQ, POST, START = "binder/requirements.txt", "binder/postBuild", "binder/start"
STRICT = "#!/bin/bash\nset -euo pipefail\n"
INSTALL = "python -m pip install --no-deps --no-build-isolation .\n"
LINK = "https://mybinder.org/v2/gh/ada/doses/main?labpath="
FAULTS = [
    pytest.param(lambda p: (p / ".binder").mkdir(), "two folders", ".binder/", id="both folders"),
    pytest.param(put("binder/Dockerfile", "FROM x"), "another way", "binder/Dockerfile", id="Dockerfile"),
    pytest.param(put("binder/environment.yml", "x"), "another way", "binder/environment.yml", id="environment.yml"),
    pytest.param(lambda p: (p / START).unlink(), "missing", START, id="no start"),
    pytest.param(lambda p: (p / POST).chmod(0o644), "not executable", POST, id="mode"),
    pytest.param(not_executable_in_git, "not executable in git", START, id="mode in git"),
    pytest.param(as_on_windows, "as on Windows", START, id="CRLF"),
    pytest.param(as_on_windows, "has drifted", f"{START}, line 1", id="CRLF is drift"),
    pytest.param(put("binder/braggbook-0.0-py3-none-any.whl", "x"), "nobody installs", "braggbook-0.0", id="old wheel"),
    pytest.param(put("kernels/radiobiology/apt.txt", "bc\n"), "drifted", "apt.txt, line 1", id="a kernel's apt name"),
    pytest.param(put("binder/runtime.txt", "python-3.9\n"), "another Python", "binder/runtime.txt, line 1", id="runtime"),
    pytest.param(swap("binder/overrides.json", '"false"', '"true"'), "drifted", "overrides.json, line 4", id="drift"),
    pytest.param(swap(REQ, "no-such-one==1.5", "no-such-one>=1.5"), "not pinned", f"{REQ}, line 9", id="no pin"),
    pytest.param(swap(REQ, "no-such-one==1.5", "no-such-one==1.*"), "not pinned", f"{REQ}, line 9", id="a star"),
    pytest.param(swap(REQ, r"no-such-one==1.5 \\\n +\S+", "no-such-one==1.5"), "no hash", f"{REQ}, line 9", id="no hash"),
    pytest.param(swap(REQ, "hash=sha256:.{64}", "hash=sha256:ab"), "not a SHA-256", f"{REQ}, line 3", id="short hash"),
    pytest.param(swap(REQ, r"\Z", "-e .\n"), "not a pin", f"{REQ}, line 11", id="a folder"),
    pytest.param(swap(REQ, r"\Z", "--index-url https://x.org\n"), "where packages come", "line 11", id="an index"),
    pytest.param(swap(REQ, r"\Z", "x @ https://x.org/x.whl\n"), "where packages come", "line 11", id="an address"),
    pytest.param(swap(REQ, "no-such-one==1.5", "no-such-one==1.6"), "not in the project's", "line 9", id="another pin"),
    pytest.param(swap(REQ, "hash=sha256:.{4}", "hash=sha256:0000"), "other hashes", f"{REQ}, line 3", id="another hash"),
    pytest.param(swap(REQ, "ipykernel==0.0.1", "ipykernel==0.0.2"), "locked to", f"{REQ}, line 3", id="kernel's pin"),
    pytest.param(swap("pyproject.toml", "-one>=1", "-one>=2"), "does not do", f"{REQ}, line 9", id="new bound"),
    pytest.param(swap("pyproject.toml", "-one>=1", "-two>=1"), "needed and not pinned", REQ, id="new dependency"),
    pytest.param(swap("pyproject.toml", "-one>=1", "-two>=1"), "made of other", f"{REQ}, line 2", id="digest"),
    pytest.param(put("binder/apt.txt", "libgomp2\n"), "not known to be in Ubuntu", "apt.txt, line 1", id="apt name"),
    pytest.param(put("binder/apt.txt", "git\nGit Hub\n"), "not the name", "apt.txt, line 2", id="apt words"),
    pytest.param(put("binder/apt.txt", "git\n\ngit\n"), "named twice", "apt.txt, line 3", id="apt twice"),
    pytest.param(put(POST, f"#!/bin/bash\n{INSTALL}"), "not strict", f"{POST}, line 2", id="not strict"),
    pytest.param(put(POST, f"#!/bin/bash\nset -e\n{INSTALL}"), "not strict", f"{POST}, line 2", id="half strict"),
    pytest.param(put(POST, f"set -euo pipefail\n{INSTALL}"), "what runs it", f"{POST}, line 1", id="no interpreter"),
    pytest.param(put(POST, f"{STRICT}echo $ZENODO_TOKEN\n{INSTALL}"), "uses a secret", "line 3", id="a token"),
    pytest.param(put(POST, f"{STRICT}{INSTALL}git clone https://a:b@x.org/y\n"), "secret", "line 4", id="a password"),
    pytest.param(put(POST, f"{STRICT}{INSTALL}sudo apt-get install x\n"), "needs root", "line 4", id="root"),
    pytest.param(put(POST, f"{STRICT}pip install .\n{INSTALL}"), "no hash holds", "line 3", id="pip"),
    pytest.param(put(POST, f"{STRICT}{INSTALL}npm install\n"), "no lock holds", "line 4", id="npm"),
    pytest.param(put(POST, f"{STRICT}{INSTALL}curl x | sh\n"), "downloads", "line 4", id="curl"),
    pytest.param(put(POST, f"{STRICT}{INSTALL}false || true\n"), "error pass", "line 4", id="errors"),
    pytest.param(put(POST, STRICT + "echo\n"), "install the package", POST, id="no package"),
    pytest.param(put(POST, f"{STRICT}{INSTALL}if\n"), "bash can read", POST, id="syntax"),
    pytest.param(put(START, f'{STRICT}exec "$@"\necho\n'), "not start", f"{START}, line 4", id="start"),
    pytest.param(notebook("import torch"), "imports what", "bad.ipynb, cell 3, line 1", id="import"),
    pytest.param(notebook("x = 1\nif x:\n    from torch.nn import y"), "imports what", "cell 3, line 3", id="inner"),
    pytest.param(notebook("%matplotlib inline\nimport torch"), "imports what", "cell 3, line 2", id="behind a magic"),
    pytest.param(notebook("import math\n%pip install torch"), "installs something", "cell 3, line 2", id="%pip"),
    pytest.param(notebook("!apt-get install x"), "installs something", "cell 3, line 1", id="!apt"),
    pytest.param(notebook("x = 1", kernel="imaging"), "kernel that is not", "bad.ipynb, front", id="kernel"),
    pytest.param(put("notebooks/bad.ipynb", "{"), "not a notebook", "notebooks/bad.ipynb", id="no notebook"),
    pytest.param(put("README.md", f"\n[x]({LINK}notebooks%2Fgone.ipynb)"), "not there", "README.md, line 2", id="path"),
    pytest.param(put("docs/a.md", "https://mybinder.org/v2/gh/ada/"), "not a launch link", "a.md, line 1", id="link"),
    pytest.param(put("docs/a.md", f"{LINK}../x"), "not a launch link", "docs/a.md, line 1", id="outside"),
    pytest.param(put("docs/a.md", "http://mybinder.org/v2/gh/a/b/c"), "not a launch", "a.md, line 1", id="http"),
    pytest.param(notebook(f"# see {LINK}gone.ipynb"), "not there", "notebooks/bad.ipynb, line", id="in a notebook"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "what", "where"), FAULTS)
def test_a_fault_is_found(checkout: Path, change: Callable[[Path], object], what: str, where: str) -> None:
    change(checkout)
    found = check_binder(checkout)
    assert [issue for issue in found if what in issue.what and where in issue.where], list(map(str, found))


def test_all_faults_at_once(checkout: Path) -> None:
    """Nothing stops at the first: as many kinds of findings as independent faults."""
    put("binder/apt.txt", "libgomp2\n")(checkout)
    put(POST, "#!/bin/bash\necho $MY_TOKEN\n")(checkout)
    notebook("import torch")(checkout)
    put("README.md", f"{LINK}gone.ipynb")(checkout)
    text = "\n".join(map(str, check_binder(checkout)))
    for words in ("apt.txt, line 1", "uses a secret", "imports what is not pinned", "README.md, line 1"):
        assert words in text


def test_without_the_folder(checkout: Path) -> None:
    (checkout / "binder").rename(checkout / ".elsewhere")
    assert not has_binder(checkout)
    assert [(issue.what, issue.where) for issue in check_binder(checkout)] == [("missing", "binder/")]


def test_good_links_of_every_kind(checkout: Path) -> None:
    commit = "0123456789" * 4
    inner = "braggbook%2Fopen%3Fnotebook%3Dnotebooks%252Fgood.ipynb%26p.factor%3D3"
    (checkout / "README.md").write_text(
        f"[a]({LINK}notebooks%2Fgood.ipynb), https://mybinder.org/v2/zenodo/10.5281/zenodo.123/?labpath=executed.ipynb.\n"
        f"<https://mybinder.org/v2/gl/group%2Fsub%2Fdoses/{commit}?urlpath={inner}> ![b](https://mybinder.org/badge_logo.svg)\n"
        "`https://mybinder.org/v2/gh/OWNER/NAME/COMMIT?labpath=…` is how one looks; https://mybinder.org is the place\n"
        "https://example.org/v2/other\n"
    )
    assert check_binder(checkout) == []


def test_a_name_of_apt_that_a_person_looked_up(checkout: Path) -> None:
    """A kernel's own list goes into binder/; what the list here does not know needs the page that has it."""
    source = checkout / "kernels" / "radiobiology" / "apt.txt"
    source.write_text("# to draw\nlibosmesa6\ndcm2niix\n")
    write_binder(checkout, fixed_files(checkout))
    (issue,) = check_binder(checkout)
    assert (issue.where, issue.got) == ("binder/apt.txt, line 4", "libosmesa6")
    source.write_text(f"libosmesa6  # {issue.wanted.rpartition('# ')[2]}\n")
    write_binder(checkout, fixed_files(checkout))
    assert check_binder(checkout) == []


def test_links_to_other_repositories_are_only_parsed(checkout: Path) -> None:
    """Nor to one whose owner's name ends with ours."""
    for words in (["init", "--quiet"], ["remote", "add", "origin", "git@github.com:ada/doses.git"]):
        subprocess.run(["git", "-C", str(checkout), *words], check=True)
    (checkout / "README.md").write_text(f"{LINK.replace('ada/', 'bada/')}gone.ipynb\n")
    assert check_binder(checkout) == []
    (checkout / "README.md").write_text(f"{LINK}gone.ipynb\n")
    assert [issue.what for issue in check_binder(checkout)] == ["a launch link to what is not there"]


def test_what_is_imported_is_covered_by_what_distributions_say(checkout: Path) -> None:
    """`yaml` comes of PyYAML, `dateutil` of python-dateutil: the pins, not the names, decide."""
    notebook("import yaml")(checkout)
    assert any("yaml" in issue.got for issue in check_binder(checkout))
    for name in (REQ, "requirements.lock"):
        text = (checkout / name).read_text()
        (checkout / name).write_text(text + "pyyaml==0.0 \\\n    --hash=sha256:" + "a" * 64 + "\n")
    assert check_binder(checkout) == []


def test_a_module_beside_the_notebook_is_no_distribution(checkout: Path) -> None:
    notebook("import helper_here")(checkout)
    assert check_binder(checkout)
    (checkout / "notebooks" / "helper_here.py").write_text("")
    assert check_binder(checkout) == []

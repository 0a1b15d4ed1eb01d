"""`braggbook link` in repositories of git: what is pinned, and what is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from braggbook.binder.launch import read_launch
from braggbook.binder.link import LOCAL_BADGE, Link, Wanted, make_link
from braggbook.binder.repository import Remote, read_remote, remote_of
from braggbook.cli.face import Face
from braggbook.cli.link import command
from braggbook.errors import InputError, ParameterError
from braggbook.notebooks.source import read_notebook
from braggbook.settings import load_settings
from braggbook.testing.experiments import write_experiment

OTHER = "fedcba9876" * 4


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path: Path, kernel_template: Path) -> Path:
    """A clone whose commit is pushed, with the address that a person would have."""
    bare, folder = tmp_path / "bare.git", tmp_path / "clone"
    subprocess.run(["git", "init", "--quiet", "--bare", str(bare)], check=True)
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(folder)], check=True)
    write_experiment(
        folder / "notebooks",
        "half_dose",
        code=["pass"],
        parameters="dose_gy: float = 2.0\nname: str = 'a'",
        front={"parameters": {"dose_gy": {"unit": "Gy", "minimum": 0}}},
    )
    (folder / "kernels").mkdir()
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "one")
    git(folder, "remote", "add", "origin", str(bare))
    git(folder, "push", "--quiet", "origin", "main")
    git(folder, "remote", "set-url", "origin", "git@github.com:ada/doses.git")
    return folder


def link(folder: Path, wanted: Wanted = Wanted(), **values: str) -> Link:  # noqa: B008 - frozen
    return make_link(read_notebook(folder / "notebooks" / "half_dose.ipynb"), values, wanted)


@pytest.mark.parametrize(
    ("address", "remote"),
    [
        ("git@github.com:ada/doses.git", Remote("github.com", "ada/doses")),
        ("https://github.com/ada/doses", Remote("github.com", "ada/doses")),
        ("https://ada:secret@gitlab.com/group/sub/doses.git", Remote("gitlab.com", "group/sub/doses")),
        ("ssh://git@codeberg.org:22/ada/doses.git", Remote("codeberg.org", "ada/doses")),
        ("https://token@GitHub.COM/ada/doses/", Remote("github.com", "ada/doses")),
        ("ssh://git@ssh.github.com:443/ada/doses.git", Remote("github.com", "ada/doses")),
        ("git@github.com:/ada/doses.git", Remote("github.com", "ada/doses")),
        ("git+ssh://git@codeberg.org/ada/doses.git", Remote("codeberg.org", "ada/doses")),
        ("https://ada:secret@git.example.org:8443/ada/doses", Remote("git.example.org:8443", "ada/doses")),
        ("https://git.example.org:443/ada/doses", Remote("git.example.org", "ada/doses")),
        ("https://github.com/ada/doses/tree/main", None),
        ("https://gitlab.com/group/doses/-/tree/main", None),
        ("https://github.com/../doses", None),
        ("https://token@git hub.com/ada/doses", None),
        ("git@github.com-work:ada/doses.git", None),
        ("/home/of/nobody.git", None),
        ("../other", None),
        ("file:///x/y.git", None),
    ],
)
def test_addresses_of_remotes(address: str, remote: Remote | None) -> None:
    assert read_remote(address) == remote


def test_a_pushed_commit(clone: Path) -> None:
    found = link(clone)
    commit = git(clone, "rev-parse", "HEAD")
    assert found.launch.url == f"https://mybinder.org/v2/gh/ada/doses/{commit}?labpath=notebooks%2Fhalf_dose.ipynb"
    assert found.launch.pinned
    assert found.notes == ()


def test_values_are_carried_and_defaults_left_out(clone: Path) -> None:
    assert link(clone, dose_gy="200 cGy", name="a").launch.values == ()
    found = link(clone, name="b & c", dose_gy="350 cGy")
    assert found.launch.values == (("dose_gy", "350 cGy"), ("name", "b & c"))
    assert read_launch(found.launch.url) == found.launch


def test_values_that_the_notebook_does_not_accept(clone: Path) -> None:
    with pytest.raises(ParameterError) as caught:
        link(clone, dose_gy="-1", nothing="3", name="b")
    assert {issue.where for issue in caught.value.issues} == {"dose_gy", "nothing"}


def test_a_change_that_is_not_committed_is_refused(clone: Path) -> None:
    (clone / "untracked.txt").write_text("does not matter")
    assert link(clone).launch.pinned
    path = clone / "notebooks" / "half_dose.ipynb"
    path.write_text(path.read_text().replace("pass", "x = 1"))
    with pytest.raises(InputError, match="changes that no link would show") as caught:
        link(clone)
    assert "half_dose.ipynb" in str(caught.value)
    assert link(clone, Wanted(ref="main")).launch.ref == "main"


def test_a_commit_that_is_not_pushed_is_refused(clone: Path) -> None:
    git(clone, "commit", "--quiet", "--allow-empty", "-m", "two")
    with pytest.raises(InputError, match="not pushed"):
        link(clone)
    git(clone, "update-ref", "refs/remotes/origin/main", "HEAD")
    assert link(clone).launch.pinned


def test_a_notebook_that_is_not_in_the_commit_is_refused(clone: Path) -> None:
    path = write_experiment(clone / "notebooks", "fresh", code=["pass"])
    with pytest.raises(InputError, match="not in what the link leads to"):
        make_link(read_notebook(path), {}, Wanted())
    with pytest.raises(InputError, match="not in what the link leads to"):
        make_link(read_notebook(path), {}, Wanted(ref="main"))


def test_a_ref_of_ones_own_is_noted(clone: Path) -> None:
    found = link(clone, Wanted(ref="v9"))
    assert [note.split()[0] for note in found.notes] == ["git", "v9"]
    assert len(link(clone, Wanted(ref=OTHER)).notes) == 1
    for wrong in ("a b", "../x", "-x"):
        with pytest.raises(InputError, match="not a commit"):
            link(clone, Wanted(ref=wrong))


def test_gitlab_and_other_hosts(clone: Path) -> None:
    git(clone, "remote", "set-url", "origin", "https://gitlab.com/group/sub/doses.git")
    assert link(clone).launch.url.startswith("https://mybinder.org/v2/gl/group%2Fsub%2Fdoses/")
    git(clone, "remote", "set-url", "origin", "ssh://git@codeberg.org/ada/doses.git")
    assert link(clone).launch.url.startswith("https://mybinder.org/v2/git/https%3A%2F%2Fcodeberg.org%2Fada%2Fdoses/")
    with pytest.raises(InputError, match="published elsewhere"):
        link(clone, Wanted(to="github"))
    named = link(clone, Wanted(to="gitlab", repository="a/b")).launch
    assert (named.provider, named.repository) == ("gl", "a/b")


def test_a_record_of_zenodo(clone: Path) -> None:
    found = link(clone, Wanted(to="zenodo", doi="https://doi.org/10.5281/zenodo.123"), dose_gy="3")
    assert found.launch.url.startswith("https://mybinder.org/v2/zenodo/10.5281/zenodo.123/?urlpath=")
    assert "all versions" in found.notes[0]
    for wrong in ("", "10.5072/zenodo.1", "10.5281/zenodo"):
        with pytest.raises(InputError, match="Zenodo"):
            link(clone, Wanted(to="zenodo", doi=wrong))


def test_nothing_published(clone: Path, tmp_path: Path) -> None:
    git(clone, "remote", "remove", "origin")
    assert remote_of(clone) is None
    with pytest.raises(InputError, match="where this repository is published"):
        link(clone)
    alone = write_experiment(tmp_path / "alone" / "notebooks", "half_dose", code=["pass"])
    with pytest.raises(InputError, match="not in a git repository"):
        link(alone.parents[1])
    with pytest.raises(InputError, match="BinderHub"):
        link(clone, Wanted(hub="mybinder.org"))


@pytest.mark.parametrize(
    "secret", ["https://ghp_secret@git hub.com/a/b", "https://ada:ghp_secret@github.com/a/b/tree/x"]
)
def test_a_token_in_an_address_is_never_shown(clone: Path, secret: str) -> None:
    git(clone, "remote", "set-url", "origin", secret)
    for wanted in (Wanted(ref="main"), Wanted(ref="main", repository=secret)):
        with pytest.raises(InputError, match="where this repository is published") as caught:
            link(clone, wanted)
        assert "ghp_secret" not in str(caught.value)
    git(clone, "remote", "set-url", "origin", "https://ada:ghp_secret@github.com/ada/doses.git")
    assert "ghp_secret" not in repr(link(clone))


@pytest.mark.parametrize(
    "hub", ["https://ada:ghp_secret@hub.org", "https://hub.org/a)b", "http://hub.org", "https://hub.org/?x"]
)
def test_a_hub_that_no_badge_could_hold(clone: Path, hub: str) -> None:
    with pytest.raises(InputError, match="not the address of a BinderHub") as caught:
        link(clone, Wanted(hub=hub))
    assert "ghp_secret" not in str(caught.value)


def test_a_detached_head_and_a_doi_in_capitals(clone: Path) -> None:
    commit = git(clone, "rev-parse", "HEAD")
    git(clone, "checkout", "--quiet", "--detach")
    assert link(clone).launch.ref == commit
    assert link(clone, Wanted(doi="10.5281/ZENODO.7")).launch.repository == "10.5281/zenodo.7"


def test_a_folder_with_odd_characters(clone: Path) -> None:
    path = write_experiment(clone / "notebooks" / "a b'#?%41é", "half_dose_two", code=["pass"])
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "-m", "two")
    launch = make_link(read_notebook(path), {}, Wanted(ref="main")).launch
    assert launch.path == "notebooks/a b'#?%41é/half_dose_two.ipynb"
    assert read_launch(launch.url) == launch


def test_a_notebook_that_lies_elsewhere(clone: Path, tmp_path: Path) -> None:
    outside = write_experiment(tmp_path / "elsewhere", "linked", code=["pass"])
    (clone / "notebooks" / "linked.ipynb").symlink_to(outside)
    with pytest.raises(InputError, match="not in a git repository") as caught:
        make_link(read_notebook(clone / "notebooks" / "linked.ipynb"), {}, Wanted(ref="main"))
    assert str(outside) in str(caught.value)


def test_a_long_link_says_so(clone: Path) -> None:
    assert link(clone, name="x" * 100).notes == ()
    assert "characters" in link(clone, name="x" * 9000).notes[-1]


def test_badges_are_escaped(clone: Path) -> None:
    found = link(clone, name="<\"'>&)](x)")
    picture = "a b)\"<'.svg"
    markdown = found.badge("markdown", image=picture)
    assert markdown == f"[![Open on Binder](a%20b%29%22%3C%27.svg)]({found.launch.url})"
    assert not set("<>\"'() ") & set(found.launch.url)
    html = found.badge("html", image=picture)
    assert 'src="a%20b%29%22%3C%27.svg"' in html
    assert html.count('"') == 6


def test_badges(clone: Path) -> None:
    found = link(clone, dose_gy="3")
    url = found.launch.url
    assert found.badge("markdown") == f"[![Open on Binder](https://mybinder.org/badge_logo.svg)]({url})"
    assert f'href="{url.replace("&", "&amp;")}"' in found.badge("html", image=LOCAL_BADGE)
    assert 'src="binder/badge.svg"' in found.badge("html", image=LOCAL_BADGE)
    assert f":target: {url}" in found.badge("rst")


def called(folder: Path, *words: str) -> click.testing.Result:
    settings, origins = load_settings({"project": folder})
    face = Face(settings, origins, out=Console(), talk=Console(stderr=True))
    return CliRunner().invoke(command, [*words], obj=face, catch_exceptions=True)


def test_the_command(clone: Path) -> None:
    done = called(clone, "half_dose", "-p", "dose_gy=3", "--badge", "markdown", "--ref", OTHER)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("[![Open on Binder](")
    lines = called(clone, "half_dose").stdout.splitlines()
    assert read_launch(lines[0]).pinned
    wrong = called(clone, "half_dose", "-p", "dose=3")
    assert isinstance(wrong.exception, ParameterError)

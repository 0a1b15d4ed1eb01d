"""What git knows of a project: where it is published, and whether what lies here is what is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from braggbook.errors import InputError, Issue

# git@host:owner/name.git, ssh://git@host/owner/name.git, https://user@host/owner/name.git
_SCP = re.compile(r"(?:[^@/\s]+@)?(?P<host>[\w.-]+\.[A-Za-z]{2,}):(?P<path>[^\s]+)")
_URL = re.compile(
    r"(?P<scheme>https?|ssh|git|git\+ssh)://(?:[^@/\s]+@)?(?P<host>[\w.-]+\.[A-Za-z]{2,})(?P<port>:\d+)?/(?P<path>[^\s]+)"
)
_REPOSITORY = re.compile(
    r"(?!\.+(?:/|$))[\w.-]+(?:/(?!(?:\.+|-)(?:/|$))[\w.-]+)+"
)  # no part is `..`, nor GitLab's own `-`
_SSH_HOSTS = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}  # where port 22 is closed
_TWO_PARTS = ("github.com",)  # where more than owner/name is an address below a repository
_SHOWN_CHANGES = 5
_TIMEOUT_S = 60


@dataclass(frozen=True)
class Remote:
    """Where a repository is published: ``github.com``, with a port where need be, and ``owner/name``."""

    host: str
    repository: str

    @property
    def address(self) -> str:
        """Its address without an account."""
        return f"https://{self.host}/{self.repository}"


def _git(folder: Path, *words: str) -> str | None:
    """Returns what git answers, or None where it refuses or is missing."""
    git = shutil.which("git")
    if git is None:
        return None
    command = [git, "-C", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    return done.stdout.strip() if done.returncode == 0 else None


def read_remote(address: str) -> Remote | None:
    """Returns the host and repository of a remote's address, None where it is a path or a name of ssh's own.

    An account, a password or a token in the address is left out.
    """
    match = _URL.fullmatch(address) or _SCP.fullmatch(address)
    if match is None:
        return None
    host, parts = match["host"].lower(), match.groupdict()
    host = _SSH_HOSTS.get(host, host)
    if parts.get("port") not in (None, ":80", ":443") and parts["scheme"].startswith("http"):  # ssh's is another door
        host += parts["port"]
    path = match["path"].strip("/").removesuffix(".git")
    if not _REPOSITORY.fullmatch(path) or (host in _TWO_PARTS and path.count("/") != 1):
        return None
    return Remote(host, path)


def remote_of(project: Path) -> Remote | None:
    """Returns where ``origin``, or else the only remote, is published."""
    return read_remote(_address_of(project))


def shown_address(project: Path, given: str = "") -> str:
    """Returns an address, by default the remote's, as it may be printed: without account, password and token."""
    return re.sub(r"//[^/]*@", "//", given or _address_of(project))


def _address_of(project: Path) -> str:
    names = (_git(project, "remote") or "").split()
    name = "origin" if "origin" in names else names[0] if len(names) == 1 else ""
    return (_git(project, "remote", "get-url", name) or "") if name else ""


def top_of(path: Path) -> Path:
    """Returns the repository's top folder.

    Raises:
        InputError: The file is in none, or git is missing or refuses.
    """
    folder = path.resolve().parent
    found = _git(folder, "rev-parse", "--show-toplevel")
    if found is None:
        got, wanted = _refusal(folder), "a clone that is published somewhere"
        raise InputError("not in a git repository", where=str(path.resolve()), wanted=wanted, got=got)
    return Path(found)


def _refusal(folder: Path) -> str:
    """Returns why git does not answer, such as a folder that belongs to another user."""
    git = shutil.which("git")
    if git is None:
        return "git is not installed"
    command = [git, "-C", str(folder), "rev-parse", "--show-toplevel"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    said = done.stderr.strip().partition("\n")[0]
    return "" if "not a git repository" in said else said


def pushed_commit(top: Path, path: str) -> str:
    """Returns the commit that lies here, when it is published with this very file.

    What is published is read from the last fetch or push; no network is asked.

    Raises:
        InputError: Something was changed and not committed, the commit was not pushed, or the file is not in it.
    """
    commit = _git(top, "rev-parse", "--verify", "HEAD^{commit}")
    if commit is None:
        raise InputError("nothing is committed yet", where=str(top), next_command="git commit")
    changed = (_git(top, "status", "--porcelain", "--untracked-files=no") or "").splitlines()
    if changed:
        issues = [Issue("changed and not committed", line.split(maxsplit=1)[-1]) for line in changed[:_SHOWN_CHANGES]]
        raise InputError(
            "the working tree has changes that no link would show",
            where=str(top),
            got=f"{len(changed)} changed files",
            issues=issues,
            next_command="git commit, git push; or --ref REF for what is published already",
        )
    if not _git(top, "branch", "--remotes", "--contains", commit):
        raise InputError(
            "the commit is not pushed", where=commit[:12], wanted="a commit that a remote branch has",
            next_command="git push; or --ref REF for what is published already",
        )  # fmt: skip
    require_file(top, commit, path)
    return commit


def require_file(top: Path, ref: str, path: str) -> bool:
    """Checks that a file is in a commit, tag or branch; returns False where git does not know that here.

    Raises:
        InputError: It knows it, and the file is not in it.
    """
    known = [name for name in (ref, f"origin/{ref}") if _git(top, "rev-parse", "--verify", f"{name}^{{commit}}")]
    if known and not any(_git(top, "cat-file", "-e", f"{name}:{path}") is not None for name in known):
        raise InputError("the file is not in what the link leads to", where=path, wanted=f"a file of {ref}")
    return bool(known)


def mode_in_git(path: Path) -> str:
    """Returns the mode that git has for a file, such as ``100755``; nothing where it has none."""
    return (_git(path.parent, "ls-files", "--stage", "--", path.name) or "").partition(" ")[0]

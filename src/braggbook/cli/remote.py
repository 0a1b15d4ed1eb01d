"""Handing in to a hub from the command line: the only HTTP client of it.

The file is streamed, a broken connection is tried again under the same key (so that it never makes two submissions),
and the token goes to the named hub alone: no redirect is followed.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import click
import requests
from pydantic import BaseModel, ConfigDict, ValidationError
from rich.text import Text

from braggbook.cli.challenge_shown import receipt_lines
from braggbook.cli.face import Face
from braggbook.errors import (
    BraggbookError,
    HubError,
    InputError,
    Issue,
    NetworkError,
    NotAllowed,
    RunError,
    SignInNeeded,
    TooLarge,
    TooMany,
    UnknownName,
)
from braggbook.files import sha256_bytes, sha256_file, storage
from braggbook.formats.submission import Id, Receipt

TOKEN_VARIABLE = "BRAGGBOOK_HUB_TOKEN"  # noqa: S105 - the name of a variable
PATIENCE_S = 300.0  # for which a hub that does not answer is asked again
_CONNECT_S, _ANSWER_S = 10.0, 120.0  # the answer to an upload comes when the hub has looked through the file
_LONG_WAIT_S, _SHORT_WAIT_S = 20, 2  # in the queue nothing changes but the place; while it runs the bar moves
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_MOVING = ("arriving", "queued", "running")
_DATE = (1980, 1, 1, 0, 0, 0)  # of files in a zip, so that one folder makes one zip
_SECRET = re.compile(r"[\x21-\x7e]{8,500}")
_PRIVATE = 0o077
_KINDS: Mapping[str, type[BraggbookError]] = {
    "SignInNeeded": SignInNeeded, "NotAllowed": NotAllowed, "TooLarge": TooLarge, "TooMany": TooMany,
    "UnknownName": UnknownName, "InputError": InputError,
}  # fmt: skip


@dataclass(frozen=True)
class HandIn:
    """What is handed in.

    Attributes:
        slug: The challenge.
        submission: A file, or a folder that is sent as a zip.
        phase, team: None where there is only one.
        title: What the team calls it.
        accepted: Whether the phase's terms are.
    """

    slug: str
    submission: Path
    phase: str | None = None
    team: str | None = None
    title: str = ""
    accepted: bool = False


class _Links(BaseModel):
    page: str


class Shown(BaseModel):
    """What a hub says of a submission, as far as it is wanted here."""

    model_config = ConfigDict(extra="allow")
    id: Id
    state: str
    why: str
    ahead: int | None = None
    expected: str | None = None
    done: int = 0
    total: int = 0
    note: str = ""
    links: _Links


@dataclass
class Hub:
    """A hub that is asked over HTTP.

    Attributes:
        address: Such as https://hub.example.org/lab, without a stroke at the end.
        token: Sent to this address alone.
        say: Told what a person wants to know while waiting.
        patience_s: For which a hub that does not answer is asked again.
        sleep, clock: Of the time that passes.
    """

    address: str
    token: str = field(repr=False)
    say: Callable[[str], None]
    patience_s: float = PATIENCE_S
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def send(self, wanted: HandIn, file: Path) -> Shown:
        """Sends a file; again under the same key where the connection breaks.

        Raises:
            HubError, InputError: The hub refuses.
            NetworkError: It does not answer.
        """
        named = {"phase": wanted.phase, "team": wanted.team, "title": wanted.title or None}
        query = {name: value for name, value in named.items() if value is not None}
        query |= {"name": file.name, "accept_terms": "true" if wanted.accepted else "false"}
        headers = {"Content-Type": "application/octet-stream", "Idempotency-Key": key_of(wanted, file)}

        def once() -> requests.Response:
            with storage(file):
                stream = file.open("rb")
            with stream:
                return self._ask("POST", f"challenges/{wanted.slug}/submissions", query, headers=headers, data=stream)

        return self._shown(self._patiently(once))

    def state(self, id: str, *, known: str | None = None, wait_s: int = 0) -> Shown:
        """Returns where a submission is; with the state that is known, as soon as it is another one."""
        query = {"wait": str(wait_s), "state": known} if known and wait_s else {}
        return self._shown(self._patiently(lambda: self._ask("GET", f"submissions/{id}", query)))

    def receipt(self, id: str) -> Receipt | None:
        """Returns the receipt of a submission; None where there is none.

        Raises:
            NetworkError: It is not as receipts are.
        """
        try:
            return Receipt.model_validate(self._patiently(lambda: self._ask("GET", f"submissions/{id}/receipt", {})))
        except UnknownName:
            return None
        except ValidationError:
            raise NetworkError(
                "the hub's receipt is not as this Braggbook knows receipts", where=self.address,
                next_command="pip install --upgrade braggbook",
            ) from None  # fmt: skip

    def _shown(self, said: dict[str, Any]) -> Shown:
        try:
            return Shown.model_validate(said)
        except ValidationError:
            raise NetworkError("what answers is not a hub that this Braggbook knows", where=self.address) from None

    def _ask(self, method: str, path: str, query: Mapping[str, str], **options: Any) -> requests.Response:
        return requests.request(
            method, f"{self.address}/api/v1/{quote(path)}", params=query, auth=_Bearer(self.token),
            timeout=(_CONNECT_S, _ANSWER_S), allow_redirects=False, **options,
        )  # fmt: skip

    def _patiently(self, ask: Callable[[], requests.Response]) -> dict[str, Any]:
        end, pause = self.clock() + self.patience_s, _FIRST_PAUSE_S
        while True:
            try:
                answer = ask()
            except requests.exceptions.SSLError as error:
                what = "the hub's certificate is not to be trusted"
                raise NetworkError(what, where=self.address, got=_short(error)) from None
            except (requests.ConnectionError, requests.Timeout) as error:
                failed: BraggbookError = NetworkError("the hub does not answer", where=self.address, got=_short(error))
            except requests.RequestException as error:
                raise NetworkError("the hub cannot be asked", where=self.address, got=_short(error)) from None
            else:
                if answer.status_code < 500 and answer.status_code not in (409, 429):
                    return _read(answer, self.address)
                failed, pause = _refusal(answer, self.address), max(pause, _retry_after(answer))
            if self.clock() + pause > end:
                raise failed
            self.say(f"{failed.what}; asking again in {pause:.0f} s")
            self.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)


class _Bearer(requests.auth.AuthBase):
    """Sends the token, whatever a .netrc says."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def hand_in(face: Face, wanted: HandIn, hub: Hub, *, wait: bool) -> None:
    """Hands in, says where it is, and with ``wait`` ends with the receipt.

    Raises:
        click.exceptions.Exit: With ``wait``, there is no score: 2 if it was refused, else 3.
    """
    with packed(wanted.submission) as file:
        shown = hub.send(wanted, file)
    page = f"{_origin(hub.address)}{_text(shown.links.page)}"
    if not wait:
        face.emit(
            shown.model_dump(mode="json"),
            Text(f"taken  {shown.id}   {_line(shown)}"),
            Text(f"page   {page}"),
            Text("next: open the page, or the same command with --wait (it is not handed in twice)"),
        )
        return
    face.say(f"taken  {shown.id}   {page}")
    ended = follow(face, hub, shown)
    receipt = hub.receipt(ended.id)
    if receipt is None or ended.state == "withdrawn":
        face.emit(ended.model_dump(mode="json"), Text(f"{ended.id}  {_line(ended)}"), Text(f"page   {page}"))
        raise click.exceptions.Exit(RunError.exit_code)
    face.emit(receipt.model_dump(mode="json"), *receipt_lines(receipt), Text(f"page   {page}"))
    if receipt.verdict != "scored":
        raise click.exceptions.Exit(InputError.exit_code if receipt.verdict == "refused" else RunError.exit_code)


def follow(face: Face, hub: Hub, shown: Shown) -> Shown:
    """Waits until a submission has ended, with a bar."""
    bar, total, said = face.bar, 0, ""
    try:
        while shown.state in _MOVING:
            if shown.total and shown.total != total:
                total = shown.total
                bar.stop()
                bar.start("evaluating", total)
            if shown.state == "running" and total:
                bar.step(shown.done, _text(shown.note))
            if (line := _line(shown)) != said:
                said = line
                face.say(line)
            wait_s = _SHORT_WAIT_S if shown.state == "running" else _LONG_WAIT_S
            shown = hub.state(shown.id, known=shown.state, wait_s=wait_s)
    finally:
        bar.stop()
    return shown


def _line(shown: Shown) -> str:
    text = f"{shown.state}: {shown.why}"
    if shown.state == "queued" and shown.ahead is not None:
        text += f"; {shown.ahead} before it"
        text += f", probably over at {shown.expected}" if shown.expected else ""
    return _text(text)


def hub_at(
    address: str, *, token_file: Path | None, insecure: bool, face: Face, environment: Mapping[str, str] | None = None
) -> Hub:
    """Returns a hub, once its address is one that a token may be sent to.

    Args:
        address: As the person gives it.
        token_file: Where the token stands alone; otherwise the environment has it, or the person is asked.
        insecure: Whether the token may go over the network unprotected.
        face: To ask the person.
        environment: Defaults to the process's own.

    Raises:
        InputError: The address or the token is not usable.
    """
    checked = checked_address(address, insecure=insecure)
    return Hub(checked, find_token(token_file, os.environ if environment is None else environment, face=face), face.say)


def checked_address(address: str, *, insecure: bool) -> str:
    """Returns the address of a hub without a stroke at its end.

    Raises:
        InputError: It is none, or whoever listens would get the token.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment or "@" in parts.netloc:
        wanted = "https://HOST or https://HOST/PREFIX, without a name in it"
        raise InputError("not the address of a hub", where="--to", wanted=wanted)
    if parts.scheme == "http" and not insecure and not _is_loopback(host):
        raise InputError(
            "the token would go over the network unprotected", where="--to", wanted=f"https://{parts.netloc}",
            got=f"http://{parts.netloc}",
            next_command="the same with https://, or with --insecure-http on a network of your own",
        )  # fmt: skip
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def find_token(file: Path | None, environment: Mapping[str, str], *, face: Face) -> str:
    """Returns the token: from a file, the environment, or the person, who types it unseen.

    Raises:
        InputError: There is none, or it is none.
    """
    if file is not None:
        try:
            text, open_to = file.read_text(encoding="ascii"), file.stat().st_mode & _PRIVATE
        except (OSError, UnicodeDecodeError) as error:
            raise InputError("the token cannot be read", where=str(file), got=_short(error)) from None
        if open_to:
            face.say(f"note: others on this machine may read {file}   (chmod 600)")
        where = str(file)
    elif environment.get(TOKEN_VARIABLE):
        text, where = environment[TOKEN_VARIABLE], TOKEN_VARIABLE
    elif sys.stdin.isatty():
        text, where = click.prompt("token", hide_input=True, err=True), "what was typed"
    else:
        raise InputError(
            "no token", wanted=f"--token-file FILE, or the variable {TOKEN_VARIABLE}",
            next_command="make one on the hub's page 'Account and tokens'",
        )  # fmt: skip
    if _SECRET.fullmatch(text.strip()) is None:
        raise InputError("not a token", where=where, wanted="one line, as the hub has shown it")
    return text.strip()


def key_of(wanted: HandIn, file: Path) -> str:
    """Returns what stands for this submission however often it is sent: by content, challenge, phase and team."""
    with storage(file):
        digest = sha256_file(file)
    return sha256_bytes("\n".join([digest, wanted.slug, wanted.phase or "", wanted.team or ""]).encode())


@contextmanager
def packed(source: Path) -> Iterator[Path]:
    """Gives one file: the file itself, or a zip of a folder, always the same for the same files.

    Raises:
        InputError: There is no such thing.
        StorageError: The disk refuses.
    """
    if source.is_file():
        yield source
        return
    if not source.is_dir():
        raise InputError("no such file or folder", where=str(source))
    with tempfile.TemporaryDirectory(prefix="braggbook-") as place:
        made = Path(place) / "submission.zip"
        with storage(made), zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(source.rglob("*")):
                if path.is_file() and not path.is_symlink():
                    _add(archive, path, path.relative_to(source).as_posix())
        yield made


def _add(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    about = zipfile.ZipInfo(name, _DATE)
    about.compress_type, about.file_size = zipfile.ZIP_DEFLATED, path.stat().st_size
    with path.open("rb") as stream, archive.open(about, "w") as target:
        while block := stream.read(1 << 20):
            target.write(block)


def _read(answer: requests.Response, address: str) -> dict[str, Any]:
    """Returns what a hub says.

    Raises:
        HubError, InputError: It refuses, or sends elsewhere.
        NetworkError: It is not a hub.
    """
    if 300 <= answer.status_code < 400:
        raise HubError(
            "the hub sends elsewhere, and a token is never sent on", where=address,
            got=answer.headers.get("Location", "")[:200], next_command="if you trust it, give that address with --to",
        )  # fmt: skip
    if not answer.ok:
        raise _refusal(answer, address)
    said = _json(answer)
    if said is None:
        raise NetworkError("what answers is not a hub", where=address, got=answer.headers.get("Content-Type", "")[:80])
    return said


def _refusal(answer: requests.Response, address: str) -> BraggbookError:
    """Builds the error that a hub has said."""
    said = _json(answer)
    if said is None or not isinstance(said.get("what"), str):
        kind: type[BraggbookError] = NetworkError if answer.status_code >= 500 else HubError
        return kind("the hub refuses without a reason", where=address, got=f"{answer.status_code} {answer.reason}")
    kind = NetworkError if answer.status_code >= 500 else _KINDS.get(str(said.get("error")), HubError)
    found = [one for one in said.get("issues") or [] if isinstance(one, dict)]
    issues = [Issue(*(_text(one.get(name)) for name in ("what", "where", "wanted", "got"))) for one in found]
    return kind(
        _text(said["what"]), where=_text(said.get("where")), wanted=_text(said.get("wanted")),
        got=_text(said.get("got")), next_command=_text(said.get("next")), issues=issues,
    )  # fmt: skip


def _text(value: object) -> str:
    """Returns what another machine says, without signs that a terminal obeys."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "?" for sign in str(value or ""))[:2000]


def _json(answer: requests.Response) -> dict[str, Any] | None:
    try:
        said = answer.json()
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _retry_after(answer: requests.Response) -> float:
    said = answer.headers.get("Retry-After", "")
    return min(float(said), 120.0) if said.isdigit() else 0.0


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _short(error: BaseException) -> str:
    return _text(str(error).splitlines()[0] if str(error) else type(error).__name__)[:200]

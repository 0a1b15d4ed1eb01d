"""Lines of the log: JSON for machines or text for people, each with the id of the request that it belongs to."""

from __future__ import annotations

import datetime
import json
import logging
import re
import sys
import threading
from typing import Any, Literal

from braggbook.hub.people.secrets import without_secrets
from braggbook.hub.web.middleware import request_id

_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}
_GONE = "***"
_NAMED = re.compile(  # what stands behind the name of a secret, in a header, an address, a form or a mapping
    r"(?i)((?:authorization|cookie|[\w-]*(?:password|passwd|secret|token|verifier))[\"']?\s*[=:]\s*[\"']?"
    r"(?:(?:bearer|basic) )?|\b(?:code|state|nonce)=|\b(?:bearer|basic) )[^\s\"'&,;)}\]]+"
)
_IN_ADDRESS = re.compile(r"(?<=://)[^\s/:@]*:[^\s/]*(?=@)")  # name and password
_ONCE = re.compile(r"(?<=/invitation/)[^/?#\s\"']+")  # links that work once
_OF_SQL = re.compile(r"\[parameters: .*", re.DOTALL)  # SQLAlchemy repeats all values of a statement that failed
_SECRET_NAME = re.compile(r"(?i)password|secret|token|authorization|cookie|verifier|csrf")


def scrub(text: str) -> str:
    """Returns a text without secrets."""
    text = _OF_SQL.sub(f"[parameters: {_GONE}]", without_secrets(text))
    return _NAMED.sub(rf"\g<1>{_GONE}", _ONCE.sub(_GONE, _IN_ADDRESS.sub(_GONE, text)))


class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line."""
        return json.dumps(_said(self, record), ensure_ascii=False)


class TextLines(logging.Formatter):
    """A record as one line that people read; below it the traceback, where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line."""
        said = _said(self, record)
        head = f"{said.pop('time')} {said.pop('level'):7} {said.pop('message')}"
        trace = said.pop("trace", "")
        rest = " ".join(f"{name}={value}" for name, value in said.items() if value not in ("", None))
        line = f"{head}  {rest}".rstrip().replace("\r", "\\r").replace("\n", "\\n")  # nobody writes lines of his own
        return line + (f"\n{trace}" if trace else "")


def _said(formatter: logging.Formatter, record: logging.LogRecord) -> dict[str, Any]:
    when = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
    said: dict[str, Any] = {
        "time": when.isoformat(timespec="milliseconds"), "level": record.levelname.lower(), "logger": record.name,
        "message": scrub(record.getMessage()),
    }  # fmt: skip
    if id := request_id.get():
        said["request_id"] = id
    said |= {name: _clean(name, value) for name, value in record.__dict__.items() if name not in _OWN}
    if record.exc_info:
        said["trace"] = scrub(formatter.formatException(record.exc_info))
    return said


def _clean(name: str, value: Any) -> Any:
    """Returns a value that was logged under a name, without secrets, as JSON can have it."""
    if _SECRET_NAME.search(name):
        return _GONE
    if isinstance(value, dict):
        return {str(key): _clean(str(key), one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean("", one) for one in value]
    return value if isinstance(value, bool | int | float) or value is None else scrub(str(value))


def set_up(form: Literal["json", "text"]) -> None:
    """Has all of this process's log go to stderr in one form, warnings and the ends of threads included."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("alembic", "uvicorn.access", "papermill", "distributed", "asyncio", "limits"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers[:] = []
        logging.getLogger(name).propagate = True
    logging.captureWarnings(capture=True)
    threading.excepthook = _ended_by


def _ended_by(said: threading.ExceptHookArgs) -> None:
    """Logs what ended a thread."""
    if said.exc_value is not None and said.exc_type is not SystemExit:
        trace = (said.exc_type, said.exc_value, said.exc_traceback)
        logging.getLogger(__name__).error("a thread ended by an error", exc_info=trace)

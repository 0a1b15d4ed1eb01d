"""Every exception that Braggbook raises on purpose.

Each message says what went wrong, where, what was wanted, what was found, and the next command::

    BraggbookError                      exit code
    ├── InputError                      2    something that a person gave is not usable
    │   ├── UnknownName                 2    no such notebook, dataset, kernel, parameter, ...
    │   ├── DuplicateName               2    two things answer to one name
    │   ├── UnitError                   2    a unit is unknown or of another dimension
    │   ├── NotebookError               2    not a notebook, or not an experiment notebook
    │   ├── ParameterError              2    parameters that the notebook does not accept
    │   ├── DatasetError                2    a card or a table is not usable
    │   │   ├── DatasetMissing          2    none of a file's sources has it
    │   │   └── HashMismatch            2    a file is not the one that the card names
    │   ├── ResultError                 2    a declared result is not what it should be
    │   ├── RecordError                 2    a run folder is not readable as a run
    │   ├── NoValue                     2    a metric has no value for what it was given
    │   ├── ScienceError                2    numbers that a model or a fit cannot take
    │   │   └── FitError                2    a fit that has no answer
    │   ├── ImagingError                2    images, contours or dose that cannot be used as they are
    │   │   └── DicomError              2    a DICOM file or series is not usable
    │   └── HubError                    2    the hub does not do what was asked
    │       ├── SignInNeeded            2    nobody is signed in, or the token is not known
    │       ├── SignInRefused           2    signing in with an OpenID provider came to nothing
    │       ├── NotAllowed              2    who asks may not
    │       ├── TooLarge                2    more was sent than the hub takes
    │       └── TooMany                 2    asked too often
    ├── RunError                        3    the notebook could not be executed to its end
    │   ├── KernelUnavailable           3    no environment satisfies the kernel's lock
    │   ├── LockDrift                   3    a lock does not belong to its requirements
    │   ├── NotVerifiable               3    a run cannot be repeated
    │   └── SweepBusy                   3    another process is running the same sweep
    ├── OutsideError                    4    disk, network or archive failed
    │   ├── StorageError                4    a file could not be written
    │   ├── NetworkError                4    a download failed, or a server said nothing that decides
    │   └── ArchiveError                4    an archive refuses
    ├── InternalError                   70   a fault in Braggbook itself
    └── Interrupted                     130  a person pressed ctrl-C
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Issue:
    """One finding of a validation: what, where, what was wanted and what was found."""

    what: str
    where: str = ""
    wanted: str = ""
    got: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        hint = self.wanted.startswith(("did you mean", "none is known"))  # what `closest` says
        if self.wanted and not hint:
            text += f"; wanted {self.wanted}"
        if self.got:
            text += f", got {self.got}" if self.wanted and not hint else f"; got {self.got}"
        if hint:
            text += f"; {self.wanted}"
        return text

    def as_json(self) -> dict[str, str]:
        """Returns the finding as JSON has it."""
        return {"what": self.what, "where": self.where, "wanted": self.wanted, "got": self.got}


_SHOWN_ISSUES = 20  # in the text; `issues` and the JSON have all


class BraggbookError(Exception):
    """What went wrong, where, wanted versus got, and the next command to try."""

    exit_code: ClassVar[int] = 2

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        wanted: str = "",
        got: str = "",
        next_command: str = "",
        issues: Iterable[Issue] = (),
    ) -> None:
        self.what = what
        self.where = where
        self.wanted = wanted
        self.got = got
        self.next_command = next_command
        self.issues = tuple(issues)
        super().__init__(what)

    def __str__(self) -> str:
        lines = [str(Issue(self.what, self.where, self.wanted, self.got))]
        lines += [f"  - {issue}" for issue in self.issues[:_SHOWN_ISSUES]]
        if len(self.issues) > _SHOWN_ISSUES:
            lines.append(f"  and {len(self.issues) - _SHOWN_ISSUES} more")
        if self.next_command:
            lines.append(f"next: {self.next_command}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Returns the error as ``--json`` prints it."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "where": self.where,
            "wanted": self.wanted,
            "got": self.got,
            "next": self.next_command,
            "issues": [issue.as_json() for issue in self.issues],
            "exit_code": self.exit_code,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call the class with the message alone and lose the other attributes.
        return (_rebuild, (type(self), dict(self.__dict__)))


def _rebuild(cls: type[BraggbookError], state: dict[str, Any]) -> BraggbookError:
    error = cls.__new__(cls)
    Exception.__init__(error, state["what"])
    error.__dict__.update(state)
    return error


class InputError(BraggbookError):
    """Something that a person gave is not usable."""


class UnknownName(InputError):
    """No such notebook, dataset, kernel, parameter, unit, ..."""


class DuplicateName(InputError):
    """Two things answer to one name."""


class UnitError(InputError):
    """A unit is unknown or of another dimension than the one wanted."""


class NotebookError(InputError):
    """A file is not a notebook, or not an experiment notebook."""


class ParameterError(InputError):
    """Parameters that the notebook does not accept; ``issues`` lists all of them."""


class DatasetError(InputError):
    """A dataset's card or table is not usable."""


class DatasetMissing(DatasetError):
    """None of a file's sources has it."""


class HashMismatch(DatasetError):
    """A file is not the one that the card names."""


class ResultError(InputError):
    """A declared result is not what it should be."""


class RecordError(InputError):
    """A folder is not readable as a run."""


class NoValue(InputError):
    """A metric has no value for what it was given, such as a distance to an empty mask."""


class ScienceError(InputError):
    """Numbers that a model or a fit cannot take."""


class FitError(ScienceError):
    """A fit that has no answer."""


class ImagingError(InputError):
    """Images, contours or dose that cannot be used as they are."""


class DicomError(ImagingError):
    """A DICOM file or series is not usable."""


class HubError(InputError):
    """The hub does not do what was asked."""


class SignInNeeded(HubError):
    """Nobody is signed in, or the token is not known."""


class SignInRefused(HubError):
    """Signing in with an OpenID provider came to nothing."""


class NotAllowed(HubError):
    """Who asks may not."""


class TooLarge(HubError):
    """More was sent than the hub takes."""


class TooMany(HubError):
    """Asked too often."""


class RunError(BraggbookError):
    """The notebook could not be executed to its end."""

    exit_code = 3


class KernelUnavailable(RunError):
    """No environment at hand satisfies the kernel's lock."""


class LockDrift(RunError):
    """A lock does not belong to its requirements, or to the shared resolution."""


class NotVerifiable(RunError):
    """A run cannot be repeated."""


class SweepBusy(RunError):
    """Another process is running the same sweep."""


class OutsideError(BraggbookError):
    """Disk, network or archive failed."""

    exit_code = 4


class StorageError(OutsideError):
    """A file could not be written."""


class NetworkError(OutsideError):
    """A download failed."""


class ArchiveError(OutsideError):
    """An archive refuses: its reasons are listed."""


class InternalError(BraggbookError):
    """A fault in Braggbook itself, which nobody foresaw."""

    exit_code = 70


class Interrupted(BraggbookError):
    """A person stopped the work."""

    exit_code = 130


def closest(name: str, known: Iterable[str]) -> str:
    """Returns "did you mean ...?" with the known names nearest to ``name``, or all of them."""
    names = sorted(known)
    near = [other for other in names if other.lower() == name.lower()]  # "gy" is Gy, however near "g" is
    near = near or difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if near:
        return "did you mean " + " or ".join(near) + "?"
    return "one of " + ", ".join(names[:20]) if names else "none is known"


def unknown_name(kind: str, name: str, known: Iterable[str], *, next_command: str = "") -> UnknownName:
    """Builds the error for a name that is not known, with the closest matches."""
    return UnknownName(f"no {kind} named {name!r}", wanted=closest(name, known), next_command=next_command)

"""Outside validators of whole objects, which conformance names as its source when one is at hand."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from braggbook.imaging.dicom.instances import Instance
from braggbook.imaging.dicom.sources import FileSource

Validator = Callable[[Instance], Sequence[str]]

_PATIENCE_S = 60.0  # an object of some hundred megabytes takes seconds
_BLOCK = 1 << 20
_LIES = ("assert", "Assert")  # it stops at 32-bit pixels with a failed assertion, whatever the object


def dciodvfy(program: str) -> Validator:
    """Returns a validator that asks dciodvfy, of dicom3tools.

    Args:
        program: Its path.
    """

    def errors(instance: Instance) -> Sequence[str]:
        if isinstance(instance.source, FileSource):
            return _ask(program, instance.source.path)
        with tempfile.NamedTemporaryFile(suffix=".dcm") as copy, instance.source.open() as stream:
            while block := stream.read(_BLOCK):
                copy.write(block)
            copy.flush()
            return _ask(program, Path(copy.name))

    return errors


def _ask(program: str, path: Path) -> Sequence[str]:
    """Returns the lines with errors.

    Raises:
        ValueError: The program said nothing about the object.
    """
    try:
        done = subprocess.run(
            [program, "--", str(path)] if str(path).startswith("-") else [program, str(path)],
            capture_output=True, text=True, check=False, timeout=_PATIENCE_S, errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ValueError(str(error)) from error
    lines = (done.stdout + done.stderr).splitlines()
    if done.returncode not in (0, 1) or any(word in line for line in lines for word in _LIES):
        message = f"the validator ended with {done.returncode}"
        raise ValueError(message)
    return [line for line in lines if line.startswith("Error")]

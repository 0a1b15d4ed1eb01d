"""``python -m braggbook``: for people whose scripts folder is not on PATH."""

from braggbook.cli.main import entry

entry()

"""What every archive must do, whatever is behind it: checks that know nothing but the protocol.

Each check is a plain function of a :class:`Bench`, which says how to get an archive, and raises AssertionError. All of
them are in :data:`CHECKS`, for any runner::

    @pytest.mark.parametrize("name", CHECKS)
    def test_my_archive(name, tmp_path):
        CHECKS[name](Bench(make=lambda: MyArchive(...), folder=tmp_path))

or, without one, ``check_archive(lambda: MyArchive(...), folder)``. A check looks only at what it has made itself, so an
archive that others use meanwhile, as a sandbox, can be held to them too; records that they publish stay there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from braggbook.records.archive import Archive
from braggbook.testing.archive import drafts, files, finding, published  # noqa: F401 - each adds its checks
from braggbook.testing.archive.bench import CHECKS, Bench, Steps, make_metadata, make_plan
from braggbook.testing.archive.expect import expect

__all__ = ["CHECKS", "Bench", "Steps", "check_archive", "make_metadata", "make_plan"]


def check_archive(make: Callable[[], Archive], folder: Path) -> None:
    """Runs all checks, each in a folder of its own.

    Args:
        make: Returns a new and empty archive.
        folder: Where files may be made.

    Raises:
        AssertionError: With what each failing check says.
    """
    failed = []
    for name, check in CHECKS.items():
        place = folder / name
        place.mkdir(parents=True)
        try:
            check(Bench(make=make, folder=place))
        except Exception as error:  # whatever an archive does wrong, the others are still checked
            failed.append(f"{name}: {type(error).__name__}: {error}")
    expect(not failed, "\n".join(failed))

"""A new kernel: a kernelspec, requirements that a person can edit, and a lock of what is installed here."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from braggbook.errors import DuplicateName
from braggbook.files import storage, write_json, write_text
from braggbook.formats.common import check_slug
from braggbook.kernels.catalogue import CARD, REQUIREMENTS, SPEC, kernel_folders
from braggbook.kernels.lock import freeze_lock

_REQUIREMENTS = """# What notebooks of this kernel need. Edit it, then: braggbook kernel lock {slug}
ipykernel     # the kernel itself
matplotlib
numpy
openpyxl      # tables as .xlsx
pandas
platformdirs  # the last four but one: what braggbook itself needs inside a notebook
pooch
pydantic
scipy
tomlkit
xarray
"""


def new_kernel(slug: str, *, project: Path) -> Path:
    """Makes ``kernels/<slug>/`` in one rename; its lock pins what is installed in the current environment.

    Raises:
        DuplicateName: The project has a kernel of that name.
        ValueError: ``slug`` is no slug.
    """
    check_slug(slug)
    if slug in kernel_folders(project):
        raise DuplicateName(f"there is a kernel named {slug!r}", where=f"kernels/{slug}")
    target = project / "kernels" / slug
    with storage(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=target.parent, prefix=".new-"))
        try:
            title = slug.replace("_", " ").capitalize()
            write_text(
                part / CARD,
                f'format = "braggbook.kernel/1"\ntitle = "{title}"\nlanguage = "python"\ndescription = ""\n',
            )
            argv = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            write_json(part / SPEC, {"argv": argv, "display_name": f"Braggbook {slug}", "language": "python"})
            write_text(part / REQUIREMENTS, _REQUIREMENTS.format(slug=slug))
            freeze_lock(part)
            part.chmod(0o755)
            part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return target

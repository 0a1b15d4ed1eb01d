"""Python in a browser (Pyodide): what is missing is fetched where it can be, else the error says where the code runs.

Nothing here is called elsewhere: the door of the package looks at ``sys.platform`` first.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import TracebackType
from typing import Any

from braggbook.errors import DatasetMissing, KernelUnavailable, NetworkError

BINDER_VARIABLE = "BRAGGBOOK_BINDER"  # set by the site: its repository on a Binder
IN_BROWSER = sys.platform == "emscripten"
_OWN = "braggbook."
_DOWNLOADER = "pooch"  # `bb.load` imports it when a file is nowhere else
_INSTALLED = "python -m pip install braggbook   (on a computer, or open this notebook on Binder)"


def import_here(module: str, *, name: str) -> Any:
    """Imports one of Braggbook's modules, and fetches from Pyodide's distribution what it lacks.

    Args:
        module: Its dotted name.
        name: What the person wrote, such as ``bb.radiobiology``.

    Raises:
        KernelUnavailable: It does not run in a browser, or what it needs did not come.
    """
    tried: set[str] = set()
    while True:
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            own = (error.name or "").startswith(_OWN)
            if own or missing in tried or not _fetch(missing):
                raise not_here(name, "" if own else missing) from None
            tried.add(missing)


def not_here(name: str, missing: str = "") -> KernelUnavailable:
    """Builds the error for what a browser cannot do.

    Args:
        name: What the person wrote.
        missing: The library that did not come; "" where no library would help.
    """
    wanted = (
        f"{missing}, which is fetched over the network when it is first needed" if missing else "a kernel of Jupyter"
    )
    got = f"{missing} did not come" if missing else ""
    return KernelUnavailable(f"{name} does not run in this browser", wanted=wanted, got=got, next_command=elsewhere())


def elsewhere() -> str:
    """Returns where it does run: the site's Binder, or an installed Braggbook."""
    binder = os.environ.get(BINDER_VARIABLE)
    return f"open it on Binder: {binder}" if binder else _INSTALLED


def _fetch(module: str) -> bool:
    """Tells whether Pyodide's distribution was asked for a module; that may take some seconds."""
    ffi: Any = importlib.import_module("pyodide.ffi")
    if not module or not ffi.can_run_sync():  # some browsers cannot wait inside a call
        return False
    pyodide: Any = importlib.import_module("pyodide_js")
    try:
        ffi.run_sync(pyodide.loadPackagesFromImports(f"import {module}"))
    except (ffi.JsException, OSError):
        return False
    importlib.invalidate_caches()
    return True


def explain_missing() -> None:
    """Lets a cell that fails for want of a library, a program or a file say where it runs."""
    shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is not None:
        shell.set_custom_exc((ModuleNotFoundError, DatasetMissing, NetworkError, OSError), _show)


def _show(
    shell: Any, kind: type[Exception], error: Exception, trace: TracebackType | None, tb_offset: int | None = None
) -> None:
    if why := _why(error):
        error.add_note(f"{why}\nnext: {elsewhere()}")
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


def _why(error: Exception) -> str:
    """Returns what of a browser is behind an error, nothing where it is the cell's own."""
    missing = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if missing == _DOWNLOADER or isinstance(error, DatasetMissing | NetworkError):
        return "These data are not part of this site, and a page may not ask the host that has them."
    if missing:
        return (
            f"{missing} is not part of this site. If Pyodide has it, it is fetched when a cell imports it, and did not "
            "come: look at the network, then run the cell again."
        )
    if "does not support processes" in str(error):  # Python's own words: subprocess.py, _can_fork_exec
        return "A browser runs no other programs: braggbook's own commands, and every other, need a computer."
    return ""

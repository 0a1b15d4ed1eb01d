"""Starts a kernel's process: ``python launch.py MEMORY_MB PARENT SEED PROGRAM [ARGUMENT ...]``.

Run as a file by the kernel's own interpreter, so standard library only. It bounds the process's memory, asks Linux to
end it when the runner ends (a killed runner must leave no kernel behind), seeds, and then becomes the kernel.
"""

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def _bound_memory(megabytes: int) -> None:
    try:
        import resource  # noqa: PLC0415 - not there on Windows
    except ImportError:
        return
    limit = megabytes << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash must not write gigabytes


def _end_with_parent(parent: int) -> None:
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the request was in place
        os._exit(1)


def _seed(seed: int) -> None:
    from seeding import seed_streams  # type: ignore[import-not-found]  # noqa: PLC0415 - the file beside this one

    sys.modules.pop("seeding")  # a notebook may have a module of that name
    seed_streams(seed)


def main() -> None:
    """Prepares the process and becomes the kernel."""
    memory_mb, parent, seed, *command = sys.argv[1:]
    _end_with_parent(int(parent))
    _bound_memory(int(memory_mb))
    if command[:2] == [sys.executable, "-m"]:
        _seed(int(seed))
        sys.argv = command[2:]
        sys.path[0] = ""  # as `python -m` has it; otherwise the notebook could import this folder's modules
        runpy.run_module(command[2], run_name="__main__", alter_sys=True)
    else:
        os.execvp(command[0], command)  # noqa: S606 - a kernel's own command, in place of this process


if __name__ == "__main__":
    main()

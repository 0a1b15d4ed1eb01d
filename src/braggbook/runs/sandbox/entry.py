"""The first program inside the walls: sets limits, gives up being root, and becomes what was asked for.

Run as a file, by the plain interpreter and with nothing but the standard library: ``entry.py UID CPU_S ADDRESS_BYTES
PROCESSES FILE_BYTES OPEN_FILES COMMAND...``.
"""

import ctypes
import os
import resource
import sys

_PR_SET_NO_NEW_PRIVS = 38


def main(arguments: list[str]) -> None:
    """Becomes the command."""
    uid, cpu_s, address, processes, file_bytes, open_files = map(int, arguments[:6])
    for what, limit in (
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_AS, address),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NOFILE, open_files),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))
    if uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or os.getuid() == 0:
        sys.exit("the walls do not stand")
    os.execvp(arguments[6], arguments[6:])  # noqa: S606 - that is its purpose


if __name__ == "__main__":
    main(sys.argv[1:])

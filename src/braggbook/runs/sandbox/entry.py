"""The first program inside the walls: sets limits, gives up being root, adds Landlock, and becomes what was asked for.

Run as a file, by the plain interpreter and with nothing but the standard library: ``entry.py SETTINGS COMMAND...``,
where the settings are JSON. It says on standard output, in one line, that the walls stand; what follows there is the
command's. Landlock's numbers are those of linux/landlock.h.
"""

import ctypes
import json
import os
import resource
import struct
import sys
from pathlib import Path

_PR_SET_NO_NEW_PRIVS = 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on all machines
_PATH_BENEATH, _ASK_VERSION = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_BLOCK, _REFER, _TRUNCATE, _IOCTL_DEV = 1 << 6, 1 << 11, 1 << 13, 1 << 14, 1 << 15
_OF_FIRST_VERSION = (1 << 13) - 1
_ADDED = {2: _REFER, 3: _TRUNCATE, 5: _IOCTL_DEV}  # rights by the version that they came with
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_TCP, _SCOPED = 0b11, 0b11  # bind and connect; abstract Unix sockets and signals

_CAPABILITY_VERSION = 0x20080522  # linux/capability.h: three sets of 64 bits

_library = ctypes.CDLL(None, use_errno=True)


def restrict(*, read: list[str], write: list[str], devices: list[str]) -> int:
    """Lets this process, and all that come of it, reach no other files, no TCP, and no process outside.

    Args:
        read: Files and folders to read and execute; one that is not there is passed over.
        write: Folders to do anything in but make devices.
        devices: Devices to read, write and control.

    Returns:
        Landlock's version here; 0 where the kernel has none, and nothing is restricted.

    Raises:
        OSError: The kernel has it and refuses.
    """
    version = landlock_version()
    if not version:
        return 0
    handled = _OF_FIRST_VERSION
    for since, right in _ADDED.items():
        handled |= right if version >= since else 0
    attributes = struct.pack("QQQ", handled, _TCP, _SCOPED)[: 8 if version < 4 else 16 if version < 6 else 24]
    rules = _call(_CREATE_RULESET, attributes, len(attributes), 0)
    own = handled & ~(_MAKE_CHAR | _MAKE_BLOCK)
    device = handled & (_OF_A_FILE & ~_EXECUTE)
    for rights, places in ((_READ, read), (own, write), (device | _READ_DIR, devices)):
        for place in places:
            _allow(rules, place, rights)
    _call(_RESTRICT_SELF, rules, 0)
    os.close(rules)
    return version


def landlock_version() -> int:
    """Returns Landlock's version here; 0 where the kernel has none."""
    return max(0, int(_library.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)))


def _allow(rules: int, place: str, rights: int) -> None:
    try:
        handle = os.open(place, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    rights &= -1 if Path(place).is_dir() else _OF_A_FILE
    _call(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", rights, handle), 0)
    os.close(handle)


def _call(number: int, *arguments: "int | bytes") -> int:
    result = _library.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}")
    return int(result)


def _bound(limits: "dict[str, int]") -> None:
    for name, wanted in limits.items():
        which = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(which)[1]
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(which, (limit, limit))


def main(arguments: "list[str]") -> None:
    """Becomes the command."""
    settings = json.loads(arguments[0])
    _bound(settings["limits"])
    if uid := settings["uid"]:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    _library.capset(struct.pack("Ii", _CAPABILITY_VERSION, 0), bytes(24))
    if _library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or os.getuid() == 0:
        sys.exit("the walls do not stand: this is still root")
    version = restrict(**settings["landlock"]) if settings["landlock"] else 0
    os.write(1, json.dumps({"landlock": version}).encode() + b"\n")
    os.execv(arguments[1], arguments[1:])  # noqa: S606 - that is its purpose


if __name__ == "__main__":
    main(sys.argv[1:])

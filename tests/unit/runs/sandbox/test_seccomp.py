"""The filter, run by a small interpreter of its own language: which calls it lets through on both kinds of machine."""

from __future__ import annotations

import errno
import struct

import pytest

from braggbook.errors import KernelUnavailable
from braggbook.runs.sandbox.seccomp import seccomp_filter

ALLOWED, KILLED = 0x7FFF0000, 0x80000000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
I386 = 0x40000003


def _answer(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """Runs the filter as the kernel does: linux/filter.h, Documentation/networking/filter.rst."""
    program = list(struct.iter_unpack("=HBBI", seccomp_filter(machine)))
    padded = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    where = ARCHITECTURES[machine] if architecture is None else architecture
    data = struct.pack("=IIQ6Q", number, where, 0, *padded)
    place, register = 0, 0
    while True:
        code, if_true, if_false, value = program[place]
        place += 1
        if code == 0x20:
            register = struct.unpack_from("=I", data, value)[0]
        elif code == 0x06:
            return value
        else:
            true = {0x15: register == value, 0x35: register >= value, 0x45: bool(register & value)}[code]
            place += if_true if true else if_false


def _refused(answer: int) -> str:
    return errno.errorcode[answer & 0xFFFF] if answer & 0xFFFF0000 == 0x00050000 else ""


NUMBERS = {  # x86-64 and 64-bit ARM, as the kernel's tables have them
    "read": (0, 63), "execve": (59, 221), "clone": (56, 220), "clone3": (435, 435), "socket": (41, 198),
    "socketpair": (53, 199), "ioctl": (16, 29), "mount": (165, 40), "ptrace": (101, 117), "bpf": (321, 280),
    "keyctl": (250, 219), "unshare": (272, 97), "setns": (308, 268), "io_uring_setup": (425, 425), "chroot": (161, 51),
    "io_uring_enter": (426, 426), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "add_key": (248, 217),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "init_module": (175, 105), "finit_module": (313, 273),
    "kexec_load": (246, 104), "open_by_handle_at": (304, 265), "pidfd_getfd": (438, 438), "memfd_create": (319, 279),
    "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "pivot_root": (155, 41), "fsopen": (430, 430),
    "move_mount": (429, 429), "open_tree": (428, 428), "mount_setattr": (442, 442), "clock_settime": (227, 112),
    "mmap": (9, 222), "openat": (257, 56), "landlock_restrict_self": (446, 446), "setresuid": (117, 147),
    "personality": (135, 92), "syslog": (103, 116), "reboot": (169, 142), "sethostname": (170, 161),
}  # fmt: skip
LET_THROUGH = {"read", "execve", "mmap", "openat", "landlock_restrict_self", "setresuid"}
LOOKED_INTO = {"clone", "clone3", "socket", "socketpair", "ioctl"}
MACHINES = list(enumerate(ARCHITECTURES))


@pytest.mark.parametrize(("which", "machine"), MACHINES)
@pytest.mark.parametrize("name", sorted(NUMBERS.keys() - LOOKED_INTO))
def test_a_call(which: int, machine: str, name: str) -> None:
    answer = _answer(machine, NUMBERS[name][which])
    assert answer == ALLOWED if name in LET_THROUGH else _refused(answer) == "EPERM"


@pytest.mark.parametrize(("which", "machine"), MACHINES)
def test_clone_makes_threads_and_no_namespaces(which: int, machine: str) -> None:
    clone = NUMBERS["clone"][which]
    assert _answer(machine, clone, 0x3D0F00) == ALLOWED  # a thread, as the C library makes it
    assert _answer(machine, clone, 17) == ALLOWED  # fork
    for flag in (0x10000000, 0x20000000, 0x40000000, 0x08000000, 0x04000000, 0x02000000, 0x00020000):
        assert _refused(_answer(machine, clone, flag | 17)) == "EPERM"
    assert _refused(_answer(machine, NUMBERS["clone3"][which], 0)) == "ENOSYS"


@pytest.mark.parametrize(("which", "machine"), MACHINES)
@pytest.mark.parametrize("name", ["socket", "socketpair"])
def test_sockets_of_two_families(which: int, machine: str, name: str) -> None:
    number = NUMBERS[name][which]
    assert _answer(machine, number, 1, 1, 0) == ALLOWED
    assert _answer(machine, number, 16, 3, 0) == ALLOWED
    assert _answer(machine, number, 16, 0x80003, 0) == ALLOWED  # with flags, as the C library asks for addresses
    for protocol in (2, 4, 6, 9, 12, 15, 16, 21):
        assert _refused(_answer(machine, number, 16, 3, protocol)) == "EACCES"
    for family in (0, 2, 10, 17, 29, 31, 38, 40, 44, 45):  # inet, inet6, packet, can, bluetooth, alg, vsock, xdp ...
        assert _refused(_answer(machine, number, family, 1, 0)) == "EACCES"


@pytest.mark.parametrize(("which", "machine"), MACHINES)
def test_terminals_are_not_typed_into(which: int, machine: str) -> None:
    number = NUMBERS["ioctl"][which]
    assert _refused(_answer(machine, number, 0, 0x5412)) == "EPERM"
    assert _refused(_answer(machine, number, 0, 0x541C)) == "EPERM"
    assert _refused(_answer(machine, number, 0, 0x5412 | 1 << 32)) == "EPERM"  # the kernel looks at the lower half
    assert _answer(machine, number, 0, 0x5401) == ALLOWED


def test_calls_of_another_kind_end_the_process() -> None:
    assert _answer("x86_64", 0x40000000 + 39) == KILLED
    assert _answer("x86_64", 20, architecture=I386) == KILLED
    assert _answer("aarch64", 20, architecture=0x40000028) == KILLED


def test_a_machine_without_a_filter() -> None:
    with pytest.raises(KernelUnavailable, match="no system call filter"):
        seccomp_filter("riscv64")

"""Which system calls a stranger's code may make: a filter in the kernel's own language (classic BPF).

Everything is allowed but what reaches beyond the process: networks, mounts, other processes' memory, new namespaces,
kernel modules, keys, io_uring (whose operations no filter sees), and memory that belongs to no process (System V's and
``memfd_create``), which a watchdog outside could not count. ``socket`` is allowed for Unix sockets and for netlink's
routing protocol, which libzmq asks for addresses and aborts without. ``clone3`` hides its flags in memory that a filter
cannot read, so it does not exist (ENOSYS): the C library then uses ``clone``, whose flags are looked at.

Format: linux/filter.h and linux/seccomp.h; numbers of calls from the kernel's own tables, asm/unistd_64.h for x86-64
and asm-generic/unistd.h for 64-bit ARM.
"""

from __future__ import annotations

import errno
import platform
import struct
from dataclasses import dataclass

from braggbook.errors import KernelUnavailable

_LOAD, _JUMP_EQUAL, _JUMP_SET, _JUMP_FROM, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_FIRST, _SECOND, _THIRD = 16, 24, 32  # the lower halves of arguments; the kernel looks at no more of these
_X32 = 0x40000000  # calls of the x32 ABI, on x86-64
_AF_UNIX, _AF_NETLINK, _NETLINK_ROUTE = 1, 16, 0
_NEW_NAMESPACES = 0x7E020000  # CLONE_NEW* of linux/sched.h: user, pid, net, ipc, uts, cgroup, mount
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C  # put characters into a terminal

_EVERYWHERE = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_getfd": 438, "process_madvise": 440,
    "mount_setattr": 442, "quotactl_fd": 443, "memfd_secret": 447, "open_tree_attr": 467,
}  # fmt: skip
_X86_64 = {
    "shmget": 29, "shmat": 30, "shmctl": 31, "semget": 64, "msgget": 68, "ptrace": 101, "syslog": 103, "uselib": 134,
    "personality": 135, "sysfs": 139, "vhangup": 153, "modify_ldt": 154, "pivot_root": 155, "_sysctl": 156,
    "adjtimex": 159, "chroot": 161, "acct": 163, "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167,
    "swapoff": 168, "reboot": 169, "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173,
    "create_module": 174, "init_module": 175, "delete_module": 176, "quotactl": 179, "nfsservctl": 180,
    "lookup_dcookie": 212, "clock_settime": 227, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250,
    "migrate_pages": 256, "unshare": 272, "move_pages": 279, "perf_event_open": 298, "fanotify_init": 300,
    "name_to_handle_at": 303, "open_by_handle_at": 304, "clock_adjtime": 305, "setns": 308, "process_vm_readv": 310,
    "process_vm_writev": 311, "kcmp": 312, "finit_module": 313, "memfd_create": 319, "kexec_file_load": 320, "bpf": 321,
    "userfaultfd": 323,
}  # fmt: skip
_ARM64 = {
    "lookup_dcookie": 18, "umount2": 39, "mount": 40, "pivot_root": 41, "nfsservctl": 42, "chroot": 51, "vhangup": 58,
    "quotactl": 60, "acct": 89, "personality": 92, "unshare": 97, "kexec_load": 104, "init_module": 105,
    "delete_module": 106, "clock_settime": 112, "syslog": 116, "ptrace": 117, "reboot": 142, "sethostname": 161,
    "setdomainname": 162, "settimeofday": 170, "adjtimex": 171, "msgget": 186, "semget": 190, "shmget": 194,
    "shmctl": 195, "shmat": 196, "add_key": 217, "request_key": 218, "keyctl": 219, "swapon": 224, "swapoff": 225,
    "migrate_pages": 238, "move_pages": 239, "perf_event_open": 241, "fanotify_init": 262, "name_to_handle_at": 264,
    "open_by_handle_at": 265, "clock_adjtime": 266, "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271,
    "kcmp": 272, "finit_module": 273, "memfd_create": 279, "bpf": 280, "userfaultfd": 282, "kexec_file_load": 294,
}  # fmt: skip


@dataclass(frozen=True)
class _Machine:
    """One architecture: its name in the kernel, and the numbers of the calls that are looked into."""

    audit: int  # AUDIT_ARCH_* of linux/audit.h
    clone: int
    clone3: int
    socket: int
    socketpair: int
    ioctl: int
    denied: tuple[int, ...]
    x32: bool


_MACHINES = {
    "x86_64": _Machine(0xC000003E, 56, 435, 41, 53, 16, (*_X86_64.values(), *_EVERYWHERE.values()), x32=True),
    "aarch64": _Machine(0xC00000B7, 220, 435, 198, 199, 29, (*_ARM64.values(), *_EVERYWHERE.values()), x32=False),
}


def seccomp_filter(machine: str | None = None) -> bytes:
    """Returns the filter as bubblewrap's ``--seccomp`` takes it: an array of ``struct sock_filter``.

    Args:
        machine: As ``uname -m`` says it; this one where None.

    Raises:
        KernelUnavailable: No filter is known for it.
    """
    name = machine or platform.machine()
    if name not in _MACHINES:
        raise KernelUnavailable("no system call filter for this machine", wanted=", ".join(_MACHINES), got=name)
    known = _MACHINES[name]
    program = [_load(_ARCHITECTURE), _if_equal(known.audit, skip=1), _return(_KILL), _load(_NUMBER)]
    if known.x32:
        program += [_op(_JUMP_FROM, _X32, 0, 1), _return(_KILL)]
    for number in sorted(known.denied):
        program += [_unless_equal(number, skip=1), _refuse(errno.EPERM)]
    program += [_unless_equal(known.clone3, skip=1), _refuse(errno.ENOSYS)]
    program += _clone(known) + _families(known.socket) + _families(known.socketpair) + _terminal(known)
    return b"".join([*program, _return(_ALLOW)])


def _clone(machine: _Machine) -> list[bytes]:
    """``clone`` without new namespaces."""
    return [
        _unless_equal(machine.clone, skip=4),
        _load(_FIRST),
        _op(_JUMP_SET, _NEW_NAMESPACES, 0, 1),
        _refuse(errno.EPERM),
        _load(_NUMBER),
    ]


def _families(number: int) -> list[bytes]:
    """A call whose first argument is a family of sockets and whose third is a protocol: Unix, and netlink's routes."""
    return [
        _unless_equal(number, skip=7),
        _load(_FIRST),
        _if_equal(_AF_UNIX, skip=4),
        _unless_equal(_AF_NETLINK, skip=2),
        _load(_THIRD),
        _if_equal(_NETLINK_ROUTE, skip=1),
        _refuse(errno.EACCES),
        _load(_NUMBER),
    ]


def _terminal(machine: _Machine) -> list[bytes]:
    """``ioctl`` that types into a terminal, or talks to the console."""
    return [
        _unless_equal(machine.ioctl, skip=5),
        _load(_SECOND),
        _if_equal(_TIOCSTI, skip=1),
        _unless_equal(_TIOCLINUX, skip=1),
        _refuse(errno.EPERM),
        _load(_NUMBER),
    ]


def _op(code: int, value: int, if_true: int, if_false: int) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _load(offset: int) -> bytes:
    return _op(_LOAD, offset, 0, 0)


def _return(action: int) -> bytes:
    return _op(_RETURN, action, 0, 0)


def _refuse(error: int) -> bytes:
    return _return(_ERRNO | error)


def _if_equal(value: int, *, skip: int) -> bytes:
    return _op(_JUMP_EQUAL, value, skip, 0)


def _unless_equal(value: int, *, skip: int) -> bytes:
    return _op(_JUMP_EQUAL, value, 0, skip)

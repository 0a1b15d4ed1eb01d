"""The program that tries to break out, for the self-test: everything that it must not reach, it tries to reach.

Run as a file inside the walls, by the plain interpreter and with nothing but the standard library: ``probe.py BAITS``,
where the baits are JSON. It says in one line of JSON how each attempt went: its name, whether the walls held, and why.
An attempt that is held raises; one that returns has reached something, and returns what.
"""

import ctypes
import errno
import json
import mmap
import os
import platform
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

_MIB = 1 << 20
_UNIX, _NETLINK, _VSOCK, _PACKET, _ALGORITHMS, _FAMILIES = 1, 16, 40, 17, 38, 46  # linux/socket.h
_NETFILTER, _ROUTE = 12, 0  # linux/netlink.h
# name: number on x86-64, number on 64-bit ARM. None needs arguments: where no filter stands before it, the kernel
# answers a call with none by something else than "not permitted" or "not there", or does what it is asked.
_CALLS = {
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "ptrace": (101, 117), "keyctl": (250, 219),
    "add_key": (248, 217), "bpf": (321, 280), "io_uring_setup": (425, 425), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "memfd_create": (319, 279), "process_vm_writev": (311, 271), "clone3": (435, 435),
    "open_by_handle_at": (304, 265), "shmget": (29, 194),
}  # fmt: skip
_BOTH_S = 5.0  # that one process keeps its memory for the other to have its own, on a busy machine too
_GETPID_X32 = 0x40000000 + 39
_library = ctypes.CDLL(None, use_errno=True)


Baits = dict[str, Any]
Attempts = Iterator[tuple[str, Callable[[], object]]]


class Held(Exception):
    """Nothing was reached."""


def try_all(baits: Baits) -> None:
    """Tries everything, the attempts that may end this process last."""
    for family in (_tcp, _udp, _abstract, _files, _environment, _processes_seen, _namespaces, _identity):
        for name, attempt in family(baits):
            _try(name, attempt)
    for family in (_sockets, _system_calls, _writes, _limits):
        for name, attempt in family(baits):
            _try(name, attempt)


def _try(name: str, attempt: Callable[[], object]) -> None:
    try:
        reached = attempt()
    except Held as why:
        held, said = True, str(why)
    except (OSError, MemoryError) as error:
        held, said = True, _why(error)
    else:
        held, said = False, str(reached)
    sys.stdout.write(json.dumps([name, held, said[:200]]) + "\n")
    sys.stdout.flush()


def _why(error: BaseException) -> str:
    number = getattr(error, "errno", None)
    return errno.errorcode.get(number, str(error)) if number else type(error).__name__


def _tcp(baits: Baits) -> Attempts:
    def attempt() -> str:
        with socket.create_connection(("127.0.0.1", baits["tcp"]), timeout=1):
            return "a server outside answered"

    yield "tcp", attempt


def _udp(baits: Baits) -> Attempts:
    def attempt() -> str:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
            here.sendto(b"reached", ("127.0.0.1", baits["udp"]))
        if "net" in _shared(baits):
            return "a datagram went out"
        raise Held("no network beyond its own")

    def name() -> str:
        return str(socket.getaddrinfo("example.org", 80))

    yield "udp", attempt
    yield "dns", name


def _abstract(baits: Baits) -> Attempts:
    def attempt() -> str:
        with socket.socket(socket.AF_UNIX) as here:
            here.connect("\0" + baits["abstract"])
            return "a socket outside answered"

    yield "abstract socket", attempt


def _files(baits: Baits) -> Attempts:
    for number, path in enumerate(baits["files"], 1):
        yield f"secret file {number}", partial(Path(path).read_text, encoding="utf-8")

    def through_others() -> str:
        for entry in _pids():
            for path in baits["files"]:
                with suppress(OSError):
                    return Path(f"/proc/{entry}/root{path}").read_text(encoding="utf-8")
        raise Held("no other process shows it")

    yield "secret file through /proc", through_others


def _environment(baits: Baits) -> Attempts:
    def own() -> str:
        if more := set(os.environ) - set(baits["variables"]):
            return ", ".join(sorted(more))
        raise Held("nothing but what was given")

    def of_others() -> str:
        for entry in _pids():
            with suppress(OSError):
                if baits["token"].encode() in Path(f"/proc/{entry}/environ").read_bytes():
                    return f"process {entry} shows it"
        raise Held("no process shows it")

    def descriptors() -> str:
        found = [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208 - names are wanted
        if more := [number for number in found if number > 2 and _is_open(number)]:
            return f"descriptors {more}"
        raise Held("three")

    yield "environment", own
    yield "token of another process", of_others
    yield "open files of the starter", descriptors


def _is_open(number: int) -> bool:
    with suppress(OSError):
        os.fstat(number)
        return True
    return False


def _processes_seen(baits: Baits) -> Attempts:
    def seen() -> str:
        mark = "".join(baits["mark"])  # in parts, because the walls' own processes have it in their commands
        for entry in _pids():
            with suppress(OSError):
                if mark.encode() in Path(f"/proc/{entry}/cmdline").read_bytes() and int(entry) != os.getpid():
                    return f"process {entry}"
        raise Held("none of outside")

    def signalled() -> str:
        if baits["pid"] == os.getpid():
            raise Held("the number is this process's own")
        os.kill(baits["pid"], 0)
        return f"process {baits['pid']} takes signals"

    yield "host processes", seen
    yield "signal to a host process", signalled


def _namespaces(baits: Baits) -> Attempts:
    def shared() -> str:
        if found := _shared(baits):
            return ", ".join(found)
        raise Held("all are its own")

    yield "namespaces of outside", shared


def _shared(baits: Baits) -> list[str]:
    return [name for name, link in baits["namespaces"].items() if str(Path(f"/proc/self/ns/{name}").readlink()) == link]


def _identity(_: Baits) -> Attempts:
    def rights() -> str:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        state = {line.split(":")[0]: line.split(":")[1].split() for line in lines}
        bad = [name for name in ("CapInh", "CapPrm", "CapEff", "CapAmb") if int(state[name][0], 16)]
        bad += [] if state["NoNewPrivs"] == ["1"] else ["may gain rights"]
        bad += [] if state["Seccomp"] == ["2"] else ["no filter of system calls"]
        bad += ["root"] if "0" in state["Uid"] + state["Gid"] else []
        if bad:
            return ", ".join(bad)
        raise Held("none")

    yield "rights", rights


def _sockets(_: Baits) -> Attempts:
    def family(number: int, protocol: int = 0) -> str:
        problem: OSError | None = None
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
            try:
                socket.socket(number, kind, protocol).close()
            except OSError as error:
                problem = error
            else:
                return f"family {number}"
        raise problem or Held("none")

    def others() -> str:
        known = (_UNIX, _NETLINK, _VSOCK, _PACKET, _ALGORITHMS)
        found = []
        for number in range(_FAMILIES):
            with suppress(OSError):
                found += [family(number)] if number not in known else []
        if found:
            return ", ".join(found)
        raise Held("none")

    def needed() -> str:
        try:
            socket.socket(_NETLINK, socket.SOCK_RAW, _ROUTE).close()
        except OSError as error:
            return f"netlink, which kernels need: {_why(error)}"
        raise Held("netlink's routes, which kernels need, are there")

    yield "vsock", lambda: family(_VSOCK)
    yield "packet socket", lambda: family(_PACKET)
    yield "algorithm socket", lambda: family(_ALGORITHMS)
    yield "netlink beyond routes", lambda: family(_NETLINK, _NETFILTER)
    yield "other sockets", others
    yield "what kernels need", needed


def _system_calls(_: Baits) -> Attempts:
    which = {"x86_64": 0, "aarch64": 1}[platform.machine()]

    def call(number: int) -> str:
        child = os.fork()
        if not child:  # a call that is let through may do anything to its process
            result = _library.syscall(number, 0, 0, 0, 0, 0, 0)
            os._exit(ctypes.get_errno() if result < 0 else 0)
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            raise Held(f"ended by signal {os.WTERMSIG(status)}")
        if (code := os.WEXITSTATUS(status)) in (errno.EPERM, errno.ENOSYS):
            raise Held(errno.errorcode[code])
        return f"the kernel answered {errno.errorcode.get(code, code)}"

    for name, numbers in _CALLS.items():
        yield name, partial(call, numbers[which])
    if which == 0:
        yield "calls of the x32 kind", lambda: call(_GETPID_X32)


def _writes(baits: Baits) -> Attempts:
    def somewhere() -> str:
        found = []
        for place in baits["readonly"]:
            path = f"{place.rstrip('/')}/braggbook-probe"
            target = path if Path(place).is_dir() else place
            with suppress(OSError):
                os.close(os.open(target, os.O_WRONLY | (os.O_CREAT if target == path else 0), 0o600))
                found.append(place)
        if found:
            return ", ".join(found)
        raise Held(f"{len(baits['readonly'])} places")

    def mounts() -> str:
        found = []
        for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
            place, options = line.split()[4:6]
            found += [place] if "rw" in options.split(",") and place not in baits["mounts"] else []
        if found:
            return ", ".join(found)
        raise Held("all others are read-only")

    def unlisted() -> str:
        path = Path(baits["unlisted"]) / "probe"
        path.write_bytes(b"x")
        return "Landlock does not hold"

    yield "writing to what is read-only", somewhere
    yield "places that are not read-only", mounts
    if baits["unlisted"]:
        yield "the second wall", unlisted


def _limits(baits: Baits) -> Attempts:
    limits = baits["limits"]

    def folder_size() -> str:
        for place in baits["writable"]:
            written = _fill(place, pieces=limits["work_mb"] + 2)
            if written > limits["work_mb"]:
                return f"{written} MiB in {place}"
        raise Held(f"{len(baits['writable'])} places are full")

    def address() -> str:
        mmap.mmap(-1, (limits["address_mb"] + 1) * _MIB).close()
        return f"more than {limits['address_mb']} MiB"

    yield "file size", lambda: _write_large(limits["file_mb"])
    yield "folder size", folder_size
    yield "address space", address
    yield "open files", lambda: _open_many(limits["open_files"])
    yield "processes", lambda: _fork_many(limits["processes"])
    yield "memory", lambda: _use_memory(limits["memory_mb"])


def _write_large(limit_mb: int) -> str:
    with Path("/desk/large").open("wb", buffering=0) as stream:
        for _ in range(limit_mb + 1):
            if stream.write(bytes(_MIB)) < _MIB:
                raise Held("cut short")
    return f"a file of more than {limit_mb} MiB"


def _open_many(most: int) -> str:
    found: list[int] = []
    try:
        while len(found) <= most:
            found.append(os.open("/dev/null", os.O_RDONLY))
    finally:
        for number in found:
            os.close(number)
    return f"{len(found)} open files"


def _fill(place: str, *, pieces: int) -> int:
    """Returns how many files of a MiB go into a folder."""
    names = [f"{place}/piece-{number}" for number in range(pieces)]
    written = 0
    try:
        with suppress(OSError):
            for name in names:
                Path(name).write_bytes(bytes(_MIB))
                written += 1
    finally:
        for name in [*names, "/desk/large"]:
            with suppress(OSError):
                os.unlink(name)
    return written


def _fork_many(most: int) -> str:
    children: list[int] = []
    try:
        while len(children) <= most:
            child = os.fork()
            if not child:
                signal.pause()
            children.append(child)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return f"{len(children)} processes"


def _use_memory(limit_mb: int) -> str:
    """Has two processes use more than all may have, each of them less; a watchdog may need a moment to see it."""
    children = []
    for _ in range(2):
        child = os.fork()
        if not child:
            held = bytearray(b"x") * (limit_mb * 3 // 4 * _MIB)
            time.sleep(_BOTH_S)
            os._exit(len(held) == 0)
        children.append(child)
    if os.WIFSIGNALED(os.wait()[1]) or os.WIFSIGNALED(os.wait()[1]):
        raise Held("a process was ended")
    return f"{limit_mb * 3 // 2} MiB"


def _pids() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208 - names are wanted


if __name__ == "__main__":
    try_all(json.loads(sys.argv[1]))

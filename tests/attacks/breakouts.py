"""Attempts to break out, as a participant would write them: the source of this file is a cell of a hostile notebook.

Each attempt returns what it reached, or raises, or returns nothing. ``BAIT`` says where the baits are.
"""

# ruff: noqa: F821, PTH110, PTH120, PTH123, PTH207, PTH208, RET503, SIM115
import ctypes
import ctypes.util
import glob
import json
import mmap
import os
import resource
import signal
import socket
import struct
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
X86 = os.uname().machine == "x86_64"


def call(x86, arm, *arguments):
    result = LIBC.syscall(x86 if X86 else arm, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), "system call")
    return f"answered {result}"


def read(path):
    return open(path, "rb").read()[:100]


def reads_labels():
    return read(BAIT["labels"])


def reads_labels_beside_the_inputs():
    folder = os.environ["BRAGGBOOK_DATASETS"]
    card = os.path.realpath(glob.glob(f"{folder}/inputs/*.csv")[0])
    return [read(f"{os.path.dirname(card)}/{name}") for name in ("../truth/labels.csv", "not_listed.csv")]


def searches_all_files_for_the_secret():
    found = []
    for folder, _, names in os.walk("/"):
        if folder.startswith(("/proc", "/sys", "/usr", "/lib", "/desk", BAIT["python"], BAIT["venv"])):
            continue
        for name in names:
            try:
                if BAIT["secret"][1:] in open(f"{folder}/{name}", errors="replace").read(1 << 20):
                    found.append(f"{folder}/{name}")
            except OSError:
                pass
    return found


def reads_labels_through_other_processes():
    for root in glob.glob("/proc/*/root") + glob.glob("/proc/*/cwd"):
        try:
            return read(root + BAIT["labels"])
        except OSError:
            pass


def reads_other_users_files():
    found = []
    for path in (
        "/etc/shadow",
        "/etc/passwd",
        "/etc/hostname",
        "/root/.bashrc",
        "/root/.ssh",
        "/home",
        "/var/log",
        "/sys/kernel",
    ):
        if os.path.exists(path):
            found.append(path)
    return found


def writes_outside():
    found = []
    for folder, names, _ in os.walk("/"):
        if folder in ("/desk", "/tmp", "/dev/shm"):
            names.clear()
            continue
        try:
            os.close(os.open(f"{folder}/planted", os.O_CREAT | os.O_WRONLY))
            found.append(folder)
        except OSError:
            pass
        if folder.count("/") > 3:
            names.clear()
    return found


def changes_the_software():
    import braggbook

    package = os.path.dirname(braggbook.__file__)
    found = []
    for path in (
        f"{package}/__init__.py",
        f"{package}/runs/sandbox/inside.py",
        os.path.realpath(sys.executable),
        json.__file__,
    ):
        for attack in (
            lambda p: open(p, "ab"),
            lambda p: os.chmod(p, 0o777),
            os.unlink,
            lambda p: os.rename(p, p + "x"),
        ):
            try:
                attack(path)
                found.append(path)
            except OSError:
                pass
    return found


def scrapes_the_environment():
    found = [name for name, value in os.environ.items() if BAIT["token"] in value or "TOKEN" in name]
    for path in glob.glob("/proc/*/environ"):
        try:
            if BAIT["token"].encode() in open(path, "rb").read():
                found.append(path)
        except OSError:
            pass
    return found


def looks_a_name_up():
    return socket.getaddrinfo("example.org", 443)


def asks_a_name_server_itself():
    query = b"\0\1\1\0\0\1\0\0\0\0\0\0\7example\3org\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.sendto(query, ("9.9.9.9", 53))
        return "sent"


def sends_a_datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.sendto(b"secret", ("127.0.0.1", BAIT["udp"]))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as here:
        here.sendto(b"secret", ("::1", BAIT["udp"]))
    return "sent"


def connects():
    return socket.create_connection(("127.0.0.1", BAIT["tcp"]), timeout=2)


def downloads():
    import urllib.request

    return urllib.request.urlopen(f"http://127.0.0.1:{BAIT['tcp']}/", timeout=2).read()


def listens():
    with socket.socket(socket.AF_INET) as here:
        here.bind(("0.0.0.0", 0))
        here.listen()
        return here.getsockname()


def talks_to_the_host_by_vsock():
    with socket.socket(40, socket.SOCK_STREAM) as here:
        return here.connect((2, 1024)) or "connected"


def listens_to_all_packets():
    return socket.socket(17, socket.SOCK_RAW, socket.htons(3))


def uses_a_raw_socket():
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


def changes_the_network_by_netlink():
    return [socket.socket(16, socket.SOCK_RAW, protocol) for protocol in (4, 6, 9, 12, 15)]


def connects_to_an_abstract_socket():
    with socket.socket(socket.AF_UNIX) as here:
        here.connect("\0" + BAIT["abstract"])
        return "connected"


def connects_to_a_socket_file():
    with socket.socket(socket.AF_UNIX) as here:
        here.connect(BAIT["socket_file"])
        return "connected"


def sees_host_processes():
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            if BAIT["mark"].encode() in open(path, "rb").read():
                found.append(path)
        except OSError:
            pass
    return found


def ends_a_host_process():
    if BAIT["pid"] not in (os.getpid(), os.getppid()):
        os.kill(BAIT["pid"], signal.SIGKILL)
        return "a signal went out"


def traces_the_harness():
    return call(101, 117, 16, os.getppid(), 0, 0)  # PTRACE_ATTACH


def reads_the_harness_memory():
    buffer = ctypes.create_string_buffer(64)
    vector = struct.pack("QQ", ctypes.addressof(buffer), 64)
    return call(310, 270, os.getppid(), vector, 1, vector, 1, 0)


def writes_the_harness_memory():
    return open(f"/proc/{os.getppid()}/mem", "r+b")


def writes_to_the_harness_files():
    found = []
    for path in glob.glob(f"/proc/{os.getppid()}/fd/*"):
        try:
            os.write(os.open(path, os.O_WRONLY), b"O" + struct.pack(">HQ", 0, 2) + b"{}")
            found.append(path)
        except OSError:
            pass
    return found or os.listdir(f"/proc/{os.getppid()}/fd")


def takes_the_harness_files():
    handle = os.pidfd_open(os.getppid())
    return call(438, 438, handle, 1, 0)  # pidfd_getfd


def makes_a_user_namespace():
    return call(272, 97, 0x10000000)


def makes_a_namespace_by_clone():
    return call(56, 220, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)


def makes_a_namespace_by_clone3():
    return call(435, 435, struct.pack("Q", 0x10000000) + bytes(80), 88)


def makes_a_namespace_by_program():
    return subprocess.run(["unshare", "-Ur", "true"], check=True)


def mounts():
    return call(165, 40, b"none", b"/tmp", b"tmpfs", 0, 0)


def mounts_the_new_way():
    return call(430, 430, b"tmpfs", 0)


def mounts_by_a_program_of_root():
    return subprocess.run(["mount", "-t", "tmpfs", "none", "/tmp"], check=True)


def becomes_root():
    try:
        os.setuid(0)
        return "root"
    except OSError:
        return subprocess.run(["su", "-c", "true"], check=True, stdin=subprocess.DEVNULL)


def uses_io_uring():
    return call(425, 425, 8, ctypes.create_string_buffer(120))


def uses_kernel_keys():
    return call(250, 219, 0, -3, 0)


def loads_bpf():
    return call(321, 280, 0, ctypes.create_string_buffer(72), 72)


def counts_performance():
    return call(298, 241, ctypes.create_string_buffer(112), 0, -1, -1, 0)


def hides_memory():
    return call(319, 279, b"hidden", 0)


def reads_the_kernel():
    found = []
    for path in (
        "/proc/kcore",
        "/proc/kmsg",
        "/dev/mem",
        "/dev/kmsg",
        "/dev/sda",
        "/dev/vda",
        "/proc/1/environ",
        "/proc/sysrq-trigger",
    ):
        try:
            if read(path):
                found.append(path)
        except OSError:
            pass
    return found


def sets_the_kernel():
    found = []
    for path in (
        "/proc/sys/kernel/hostname",
        "/proc/sys/kernel/core_pattern",
        "/proc/sysrq-trigger",
        "/proc/self/oom_score_adj",
    ):
        try:
            with open(path, "w") as stream:
                stream.write("-1000" if "oom" in path else "x")
            found.append(path)
        except OSError:
            pass
    return found


def makes_a_device():
    os.mknod("/tmp/disk", 0o60666, os.makedev(254, 0))
    return open("/tmp/disk", "rb").read(10)


def raises_its_limits():
    for which in (resource.RLIMIT_NPROC, resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
        hard = resource.getrlimit(which)[1]
        if hard == resource.RLIM_INFINITY:
            return which
        try:
            resource.setrlimit(which, (hard + 1, hard + 1))
            return which
        except (OSError, ValueError):
            pass


def leaves_its_control_group():
    return [path for path in glob.glob("/sys/fs/cgroup/*") + glob.glob("/proc/*/cgroup") if os.access(path, os.W_OK)]


def fills_the_memory_with_one_process():
    return mmap.mmap(-1, 8 << 30).size()


def writes_a_file_of_ten_gigabytes():
    with open("/tmp/large", "wb") as stream:
        stream.writelines(bytes(1 << 20) for _ in range(10_000))
    return "written"


def fills_all_folders():
    total = 0
    for folder in ("/tmp", "/dev/shm"):
        try:
            for number in range(10_000):
                with open(f"{folder}/{number}", "wb") as stream:
                    stream.write(bytes(1 << 20))
                total += 1
        except OSError:
            pass
        for path in glob.glob(f"{folder}/[0-9]*"):
            os.unlink(path)
    return [total] if total > 2 * BAIT["work_mb"] else None


def sets_the_clock():
    return call(227, 112, 0, struct.pack("qq", 0, 0))


def types_into_the_terminal():
    import fcntl

    return fcntl.ioctl(os.open("/dev/tty", os.O_RDWR), 0x5412, b"x")


ATTEMPTS = [
    value for value in list(globals().values())
    if getattr(value, "__module__", None) == __name__ and callable(value) and value.__name__ not in ("call", "read")
]  # fmt: skip


def report(path):
    told = {}
    for attempt in ATTEMPTS:
        try:
            reached = attempt()
        except BaseException as error:
            told[attempt.__name__] = [True, f"{type(error).__name__}: {error}"]
        else:
            told[attempt.__name__] = [not reached, str(reached)[:300]]
    with open(path, "w") as stream:
        json.dump(told, stream)

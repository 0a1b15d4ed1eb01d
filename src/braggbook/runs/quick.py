"""What makes papermill's own engine quick: a kernel manager and client without fixed waits, and saves on a timer."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import stat
import tempfile
import time
import weakref
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any, ClassVar

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from papermill.iorw import LocalHandler, papermill_io
from traitlets import Type, default

from braggbook.errors import StorageError
from braggbook.files import short_temporary_folder, write_text
from braggbook.kernels.warm import can_fork

_ANSWER_S = 1.0  # then it is asked again, and looked whether it still lives
_SUBSCRIBED_S = 0.05  # longer than a message takes on one machine; if nothing came, the subscription was not there yet
_POLL_S = 0.005
_OURS, _USUAL = "braggbook", "local-provisioner"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class QuickKernelClient(AsyncKernelClient):
    """A client that is ready as soon as the kernel answers and its outputs arrive; the usual one drains for 0.2 s."""

    async def _async_wait_for_ready(self, timeout: float | None = None) -> None:
        """Waits for the kernel.

        Raises:
            RuntimeError: It died, or the time is over.
        """
        end = time.monotonic() + (float("inf") if timeout is None else timeout)
        while True:
            reply = await self._reply(self.kernel_info())
            if reply is not None and await self._hears_outputs():
                self._handle_kernel_info_reply(reply)
                return
            if not await self.is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
            if time.monotonic() > end:
                raise RuntimeError(f"Kernel didn't respond in {timeout:g} seconds")

    wait_for_ready = _async_wait_for_ready

    async def _reply(self, request: str) -> Any:
        try:
            while True:
                reply = await self.shell_channel.get_msg(timeout=_ANSWER_S)
                if reply["parent_header"].get("msg_id") == request:
                    return reply
        except Empty:
            return None

    async def _hears_outputs(self) -> bool:
        # whatever comes, the kernel's welcome among it, shows that the subscription has reached the kernel
        try:
            await self.iopub_channel.get_msg(timeout=_SUBSCRIBED_S)
        except Empty:
            return False
        return True


class QuickKernelManager(AsyncKernelManager):
    """A manager that looks every few milliseconds whether a kernel that was asked to end has ended.

    Attributes:
        in_cell: Whether the kernel is executing a cell.
    """

    client_factory = Type(QuickKernelClient, klass=AsyncKernelClient)
    in_cell: ClassVar[Any] = staticmethod(lambda: False)

    async def _async_finish_shutdown(
        self,
        waittime: float | None = None,
        pollinterval: float = _POLL_S,
        restart: bool = False,  # noqa: FBT001, FBT002 - jupyter_client's signature
    ) -> None:
        await super()._async_finish_shutdown(waittime, pollinterval, restart)

    async def _async_wait(self, pollinterval: float = _POLL_S) -> None:
        await super()._async_wait(min(pollinterval, _POLL_S))

    async def _async_interrupt_kernel(self) -> None:
        # the usual manager also interrupts an idle kernel, before it asks it to end, which sometimes loses the request
        if not self.shutting_down or self.in_cell():
            await super()._async_interrupt_kernel()


class WarmKernelManager(QuickKernelManager):
    """A manager whose kernels are forked, unless somebody has chosen another provisioner for them.

    Attributes:
        modules: What the template imports beside ipykernel's own.
    """

    modules: ClassVar[list[str]] = []

    @default("transport")
    def _files_and_not_ports(self) -> str:
        spec = self.kernel_spec
        return "ipc" if can_fork() and spec is not None and spec.language == "python" else "tcp"

    def _ip_default(self) -> str:
        if self.transport != "ipc":
            return str(super()._ip_default())
        folder = tempfile.mkdtemp(prefix="bbk-", dir=short_temporary_folder())  # that nobody else can look into
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return f"{folder}/k"

    @property
    def kernel_spec(self) -> KernelSpec | None:
        """The registered kernelspec, with our provisioner where it has none."""
        spec = super().kernel_spec
        free = os.environ.get(KernelProvisionerFactory.default_provisioner_name_env, _OURS) in (_OURS, _USUAL)
        if spec is not None and free and spec.language == "python" and "kernel_provisioner" not in spec.metadata:
            ours = {"provisioner_name": _OURS, "config": {"modules": list(self.modules)}}
            spec.metadata = {**spec.metadata, "kernel_provisioner": ours}
        return spec


class SavedOnTime:
    """Makes a notebook manager save at most every few seconds and at the end, and knows whether a cell is executed.

    papermill's own writes the whole notebook twice for each cell. What is not saved when a long cell begins is saved
    while it runs; how often that cell's outputs are is papermill's ``autosave_cell_every``.
    """

    def __init__(self, manager: Any, *, every_s: float) -> None:
        self._manager, self._every_s = manager, every_s
        self._save, self._autosave = manager.save, manager.autosave_cell
        self._last = time.monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._in_cell = False
        manager.save, manager.autosave_cell = self.save, self.autosave

    def save(self, **changed: Any) -> None:
        """Saves if it is time."""
        ended = self._manager.end_time is not None
        if ended and self._timer is not None:
            self._timer.cancel()
        if ended or time.monotonic() - self._last >= self._every_s:
            self._save(**changed)
            self._last = time.monotonic()

    def autosave(self, **changed: Any) -> None:
        """Saves if papermill, which asks at each output, says that it is time."""
        before = self._manager.last_save_time
        self._manager.save = self._save
        try:
            self._autosave(**changed)
        finally:
            self._manager.save = self.save
        if self._manager.last_save_time != before:
            self._last = time.monotonic()

    def in_cell(self) -> bool:
        """Returns whether a cell has begun and not ended."""
        return self._in_cell

    def cell_ends(self, **_: Any) -> None:
        """Notes it."""
        self._in_cell = False

    def cell_begins(self, **_: Any) -> None:
        """Looks, a few seconds from now, whether there is something to save."""
        self._in_cell = True
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._every_s, self.save)
        self._manager.last_save_time = self._manager.now()  # from which papermill counts; its own saves at each cell


class WholeFile:
    """Lets papermill write one local file whole or not at all; see :func:`write_whole`."""

    def __init__(self, local: LocalHandler) -> None:
        self._local = local
        self.read, self.listdir, self.pretty_path = local.read, local.listdir, local.pretty_path

    def write(self, text: str, path: str) -> None:
        """Writes by one rename where that can be done, and as papermill does where it cannot.

        Raises:
            OSError: As papermill's own.
        """
        target = self._target(path)
        if target is None or not _write_whole(target, text, path):
            self._local.write(text, path)

    def _target(self, path: str) -> Path | None:
        folder = self._local.cwd(None)  # papermill keeps it there, and gives it to whoever sets another
        self._local.cwd(folder)
        target = Path(os.path.realpath(Path(folder or Path.cwd()) / path))
        with suppress(OSError):  # a name that is too long, say
            if target.exists():
                fit = target.is_file() and os.access(target, os.W_OK)  # a pipe or a device cannot be renamed over
                return target if fit else None
            return target if target.parent.is_dir() else None
        return None


def _write_whole(target: Path, text: str, path: str) -> bool:
    """Returns whether it could be written; papermill's own way then says why not, or finds a way."""
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
    try:
        write_text(target, text)
    except StorageError as error:
        reason = error.__cause__
        if isinstance(reason, OSError) and reason.errno in _FULL:  # papermill would cut short what is there
            raise OSError(reason.errno, reason.strerror, path) from None
        return False
    if mode is not None:
        target.chmod(mode)
    return True


def write_whole(path: Any) -> None:
    """Lets papermill write a local file whole or not at all, from now on.

    papermill writes over the file that is there, at the beginning, while it runs, and once more when it is done.
    """
    if not isinstance(path, str) or not Path(path).suffix:  # papermill looks for handlers by how a path begins
        return
    handler = papermill_io.get_handler(path)
    if isinstance(handler, LocalHandler):
        papermill_io.register(path, WholeFile(handler))

"""What makes papermill's own engine quick: a kernel manager and client without fixed waits, and saves on a timer."""

from __future__ import annotations

import os
import time
from pathlib import Path
from queue import Empty
from typing import Any, ClassVar

import nbformat
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from papermill.iorw import LocalHandler, papermill_io, write_ipynb
from traitlets import Type

from braggbook.files import write_text

_ANSWER_S = 1.0  # then it is asked again, and looked whether it still lives
_SUBSCRIBED_S = 0.05  # longer than a message takes on one machine; if nothing came, the subscription was not there yet
_POLL_S = 0.005


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
    """A manager that looks every few milliseconds whether a kernel that was asked to end has ended."""

    client_factory = Type(QuickKernelClient, klass=AsyncKernelClient)

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
        # before it asks an idle kernel to end, the usual manager interrupts it, which sometimes loses the request
        if not self.shutting_down:
            await super()._async_interrupt_kernel()


class WarmKernelManager(QuickKernelManager):
    """A manager whose kernels are forked, unless their kernelspec names another provisioner.

    Attributes:
        modules: What the template imports beside ipykernel's own.
    """

    modules: ClassVar[list[str]] = []

    @property
    def kernel_spec(self) -> KernelSpec | None:
        """The registered kernelspec, with our provisioner where it has none."""
        spec = super().kernel_spec
        if spec is not None and "kernel_provisioner" not in spec.metadata:
            ours = {"provisioner_name": "braggbook", "config": {"modules": list(self.modules)}}
            spec.metadata = {**spec.metadata, "kernel_provisioner": ours}
        return spec


class SavedOnTime:
    """Takes the place of a notebook manager's ``save``: at most every few seconds and at the end, by one rename.

    papermill's own writes the whole notebook twice for each cell, over the file that is there.
    """

    def __init__(self, manager: Any, *, every_s: float) -> None:
        self._manager, self._every_s = manager, every_s
        self._last = time.monotonic()

    def __call__(self, **_: Any) -> None:
        """Saves if it is time."""
        manager, moment = self._manager, time.monotonic()
        if manager.end_time is None and moment - self._last < self._every_s:
            return
        if manager.output_path:
            _save(manager.nb, manager.output_path)
        manager.last_save_time = manager.now()
        self._last = moment


def _save(node: Any, path: str) -> None:
    handler = papermill_io.get_handler(path)
    if not isinstance(handler, LocalHandler):
        write_ipynb(node, path)
        return
    folder = handler.cwd(None)  # papermill keeps it there, and gives it to whoever sets another
    handler.cwd(folder)
    target = Path(folder or Path.cwd()) / path
    if target.exists() and not target.is_file():  # a pipe or a device cannot be renamed over
        write_ipynb(node, path)
    else:
        write_text(Path(os.path.realpath(target)), nbformat.writes(node))

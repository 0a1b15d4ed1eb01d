"""A kernel manager and client without fixed waits: ready when the kernel is, gone when it is gone."""

from __future__ import annotations

import time
from queue import Empty
from typing import Any

from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from traitlets import Type

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
        self, waittime: float | None = None, pollinterval: float = _POLL_S, restart: bool = False
    ) -> None:
        await super()._async_finish_shutdown(waittime, pollinterval, restart)

    async def _async_wait(self, pollinterval: float = _POLL_S) -> None:
        await super()._async_wait(min(pollinterval, _POLL_S))

    async def _async_interrupt_kernel(self) -> None:
        # before it asks an idle kernel to end, the usual manager interrupts it, which sometimes loses the request
        if not self.shutting_down:
            await super()._async_interrupt_kernel()

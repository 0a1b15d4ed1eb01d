"""A Jupyter kernel provisioner that forks kernels from a template instead of starting them cold.

Registered as ``braggbook`` under ``jupyter_client.kernel_provisioners``. A kernelspec asks for it::

    {"metadata": {"kernel_provisioner": {"provisioner_name": "braggbook", "config": {"modules": ["numpy", "pandas"]}}}}

and so does ``JUPYTER_DEFAULT_PROVISIONER_NAME=braggbook``, for every kernelspec that names none. papermill, nbclient,
nbconvert and JupyterLab all start kernels through provisioners and need not know. The template belongs to the
process that asks for kernels and ends with it; in a server, kernels are started cold until it is there. What cannot be
forked (another system than Linux, another kernel than ipykernel, a template that does not start) is started cold, and
said once.
"""

from __future__ import annotations

import asyncio
import os
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.ioloop.manager import AsyncIOLoopKernelManager, IOLoopKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Bool, List, Unicode, default

from braggbook.errors import KernelUnavailable
from braggbook.kernels.warm import TEMPLATES, ForkedProcess, Template, can_fork

_IPYKERNEL = {"ipykernel", "ipykernel_launcher"}
_WITH_VALUE = {"-X", "-W"}  # options of the interpreter whose value may stand apart
_OF_A_SERVER = (AsyncIOLoopKernelManager, IOLoopKernelManager)
_OF_ONE_KERNEL = ("JPY_PARENT_PID", "JPY_SESSION_NAME")  # everything else of the environment is the template's too
# ipykernel sets it before a notebook can import matplotlib, which reads it once: in the template, without it, figures
# would be drawn and never shown
_INLINE = "module://matplotlib_inline.backend_inline"
_said: set[str] = set()


class WarmProvisioner(LocalProvisioner):
    """Starts a kernel by forking a template that has imported its libraries."""

    modules = List(Unicode(), help="modules that the template imports beside ipykernel's own").tag(config=True)
    cold_first = Bool(
        help="start kernels cold until there is a template, which is made meanwhile, instead of waiting for it; "
        "the default in a server, whose user waits for the kernel"
    ).tag(config=True)

    @default("cold_first")
    def _in_a_server(self) -> bool:
        return isinstance(self.parent, _OF_A_SERVER)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Forks the kernel, or starts it cold where that cannot be done."""
        try:
            # in a thread, because a template may import for seconds and a server has other notebooks to serve
            process: Any = await asyncio.to_thread(self._fork, cmd, kwargs)
        except KernelUnavailable as error:
            if hasattr(self.parent, "template"):  # a run: started cold, it would be neither seeded nor bounded
                raise
            _say_once(str(error))
            process = None
        if process is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.process = process
        self.pid = self.pgid = process.pid
        self.cwd = str(kwargs.get("cwd") or Path.cwd())
        return self.connection_info

    def _fork(self, cmd: list[str], kwargs: Mapping[str, Any]) -> ForkedProcess | None:
        variables = dict(kwargs.get("env") or os.environ)
        variables["MPLBACKEND"] = variables.get("MPLBACKEND") or _INLINE
        files = _file(kwargs.get("stdout"), 1), _file(kwargs.get("stderr"), 2)
        template = getattr(self.parent, "template", None) or self._template(cmd, variables, kwargs)
        if template is None:
            return None
        request = {
            "argv": cmd[cmd.index("-m") + 1 :],
            "cwd": str(kwargs.get("cwd") or Path.cwd()),
            "env": {**variables, "JPY_PARENT_PID": str(os.getpid())},
            **getattr(self.parent, "fork_options", {}),
        }
        return template.fork(request, files)

    def _template(self, cmd: list[str], variables: Mapping[str, str], kwargs: Mapping[str, Any]) -> Template | None:
        if not can_fork():
            raise KernelUnavailable("this system cannot fork a process that has loaded libraries")
        if kwargs.get("independent"):
            raise KernelUnavailable("a forked kernel cannot outlive the program that started it, and this one should")
        wanted: dict[str, Any] = {
            "python": Path(cmd[0]).expanduser(),
            "options": _options(cmd),
            "modules": tuple(self.modules),
            "variables": {name: value for name, value in variables.items() if name not in _OF_ONE_KERNEL},
        }
        if not self.cold_first:
            return self._made(wanted)
        template = TEMPLATES.ready(**wanted)
        if template is None or template.learned:
            threading.Thread(target=self._make, args=(wanted,), daemon=True).start()
        return template

    def _made(self, wanted: dict[str, Any]) -> Template:
        template = TEMPLATES.get(**wanted)
        left = {**dict.fromkeys(template.missing, "is not there"), **template.left_out}
        for name in self.modules:
            if name in left and name not in _said:
                _said.add(name)
                self.log.info("%s is left to each kernel: %s", name, left[name])
        return template

    def _make(self, wanted: dict[str, Any]) -> None:
        try:
            self._made(wanted)
        except KernelUnavailable as error:
            _say_once(str(error))


def _options(cmd: list[str]) -> list[str]:
    """Returns what stands between the interpreter and ``-m ipykernel_launcher``.

    Raises:
        KernelUnavailable: The command is another.
    """
    end = cmd.index("-m") if "-m" in cmd else len(cmd)
    options = cmd[1:end]
    foreign = [
        part
        for before, part in zip([cmd[0], *options], options, strict=False)
        if not part.startswith("-") and before not in _WITH_VALUE
    ]
    if foreign or not _IPYKERNEL.intersection(cmd[end + 1 : end + 2]):
        raise KernelUnavailable("only ipykernel can be forked", got=" ".join(cmd[:4]))
    return options


def _say_once(reason: str) -> None:
    if reason not in _said:
        _said.add(reason)
        warnings.warn(f"kernels are started cold: {reason}", RuntimeWarning, stacklevel=2)


def _file(given: Any, default: int) -> int:
    number = default if given is None else given if isinstance(given, int) else int(given.fileno())
    if number < 0:  # subprocess.PIPE and its like
        raise KernelUnavailable("a forked kernel can print into a file, and this one should print into a pipe")
    return number

"""A Jupyter kernel provisioner that forks kernels from a template instead of starting them cold.

Registered as ``braggbook`` under ``jupyter_client.kernel_provisioners``. A kernelspec asks for it::

    {"metadata": {"kernel_provisioner": {"provisioner_name": "braggbook", "config": {"modules": ["numpy", "pandas"]}}}}

and so does ``JUPYTER_DEFAULT_PROVISIONER_NAME=braggbook``, for every kernelspec that names none. papermill, nbclient,
nbconvert and JupyterLab all start kernels through provisioners and need not know. The template belongs to the
process that asks for kernels and ends with it. What cannot be forked (another system than Linux, another kernel than
ipykernel, a template that does not start) is started cold, and said once.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import List, Unicode

from braggbook.errors import KernelUnavailable
from braggbook.kernels.warm import TEMPLATES, Template, can_fork

_IPYKERNEL = {"ipykernel", "ipykernel_launcher"}
_OF_ONE_KERNEL = ("JPY_PARENT_PID", "JPY_SESSION_NAME")  # everything else of the environment is the template's too
_said: set[str] = set()


class WarmProvisioner(LocalProvisioner):
    """Starts a kernel by forking a template that has imported its libraries."""

    modules = List(Unicode(), help="modules that the template imports beside ipykernel's own").tag(config=True)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Forks the kernel, or starts it cold where that cannot be done."""
        variables = dict(kwargs.get("env") or os.environ)
        template = getattr(self.parent, "template", None) or self._template(cmd, variables)
        process = None if template is None else self._fork(template, cmd, variables, kwargs)
        if process is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.process = process
        self.pid = self.pgid = process.pid
        self.cwd = str(kwargs.get("cwd") or Path.cwd())
        return self.connection_info

    def _fork(self, template: Template, cmd: list[str], variables: dict[str, str], kwargs: Mapping[str, Any]) -> Any:
        request = {
            "argv": cmd[2:],
            "cwd": str(kwargs.get("cwd") or Path.cwd()),
            "env": {name: value for name, value in variables.items() if name != "JPY_PARENT_PID"},
            **getattr(self.parent, "fork_options", {}),
        }
        try:
            return template.fork(request, (_file(kwargs, "stdout", 1), _file(kwargs, "stderr", 2)))
        except KernelUnavailable as error:
            _say_once(str(error))
            return None

    def _template(self, cmd: list[str], variables: Mapping[str, str]) -> Template | None:
        reason = _cannot(cmd)
        if reason is None:
            shared = {name: value for name, value in variables.items() if name not in _OF_ONE_KERNEL}
            try:
                return TEMPLATES.get(python=Path(cmd[0]), modules=tuple(self.modules), variables=shared)
            except KernelUnavailable as error:
                reason = str(error)
        _say_once(reason)
        return None


def _cannot(cmd: list[str]) -> str | None:
    if not can_fork():
        return "this system cannot fork a process that has loaded libraries"
    if cmd[1:2] != ["-m"] or cmd[2] not in _IPYKERNEL:
        return f"only ipykernel can be forked, and this is {' '.join(cmd[:3])}"
    return None


def _say_once(reason: str) -> None:
    if reason not in _said:
        _said.add(reason)
        warnings.warn(f"kernels are started cold: {reason}", RuntimeWarning, stacklevel=2)


def _file(kwargs: Mapping[str, Any], name: str, default: int) -> int:
    file = kwargs.get(name)
    if file is None:
        return default
    return file if isinstance(file, int) else int(file.fileno())

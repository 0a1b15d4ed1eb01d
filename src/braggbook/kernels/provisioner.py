"""A Jupyter kernel provisioner that forks kernels from a template instead of starting them cold.

Registered as ``braggbook`` under ``jupyter_client.kernel_provisioners``. A kernelspec asks for it::

    {"metadata": {"kernel_provisioner": {"provisioner_name": "braggbook", "config": {"modules": ["numpy", "pandas"]}}}}

and so does ``JUPYTER_DEFAULT_PROVISIONER_NAME=braggbook``, for every kernelspec that names none. papermill, nbclient,
nbconvert and JupyterLab all start kernels through provisioners and need not know. The template belongs to the
process that asks for kernels and ends with it. What cannot be forked (another system than Linux, another kernel than
ipykernel, a template that does not start) is started cold, and said once.
"""

from __future__ import annotations

import atexit
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner
from traitlets import List, Unicode

from braggbook.errors import KernelUnavailable
from braggbook.kernels.warm import Template, can_fork

_IPYKERNEL = {"ipykernel", "ipykernel_launcher"}
# What must be the same in a template as in its child, because it is read once, at import.
_AT_IMPORT = (
    "PYTHONPATH", "PYTHONHASHSEED", "PYTHONNOUSERSITE", "MPLBACKEND", "LANG", "LC_ALL", "LD_LIBRARY_PATH",
    "NPY_DISABLE_CPU_FEATURES", "OPENBLAS_CORETYPE", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
)  # fmt: skip


class WarmProvisioner(LocalProvisioner):
    """Starts a kernel by forking a template that has imported its libraries."""

    modules = List(Unicode(), help="modules that the template imports beside ipykernel's own").tag(config=True)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Forks the kernel, or starts it cold where that cannot be done."""
        variables = dict(kwargs.get("env") or os.environ)
        template = getattr(self.parent, "template", None) or self._template(cmd, variables)
        if template is None:
            return await super().launch_kernel(cmd, **kwargs)
        request = {
            "argv": cmd[2:],
            "cwd": str(kwargs.get("cwd") or Path.cwd()),
            "env": variables,
            **getattr(self.parent, "fork_options", {}),
        }
        self.process = template.fork(request, stdout=_file(kwargs, "stdout", 1), stderr=_file(kwargs, "stderr", 2))
        self.pid = self.pgid = self.process.pid
        self.cwd = request["cwd"]
        return self.connection_info

    def _template(self, cmd: list[str], variables: Mapping[str, str]) -> Template | None:
        reason = _cannot(cmd)
        if reason is None:
            try:
                return _Templates.get(Path(cmd[0]), tuple(self.modules), variables)
            except KernelUnavailable as error:
                reason = str(error)
        _Templates.say_once(reason)
        return None


def _cannot(cmd: list[str]) -> str | None:
    if not can_fork():
        return "this system cannot fork a process that has loaded libraries"
    if cmd[1:2] != ["-m"] or cmd[2] not in _IPYKERNEL:
        return f"only ipykernel can be forked, and this is {' '.join(cmd[:3])}"
    return None


class _Templates:
    """The templates of this process: one for each interpreter, list of modules and environment at import."""

    known: ClassVar[dict[tuple[Any, ...], Template]] = {}
    said: ClassVar[set[str]] = set()

    @classmethod
    def get(cls, python: Path, modules: tuple[str, ...], variables: Mapping[str, str]) -> Template:
        at_import = tuple((name, variables.get(name)) for name in _AT_IMPORT)
        key = (python, modules, at_import)
        template = cls.known.get(key)
        if template is None or not template.alive:
            template = cls.known[key] = Template(python=python, modules=modules, variables=variables)
            atexit.register(template.close)
        return template

    @classmethod
    def say_once(cls, reason: str) -> None:
        if reason not in cls.said:
            cls.said.add(reason)
            warnings.warn(f"kernels are started cold: {reason}", RuntimeWarning, stacklevel=2)


def _file(kwargs: Mapping[str, Any], name: str, default: int) -> int:
    file = kwargs.get(name)
    if file is None:
        return default
    return file if isinstance(file, int) else int(file.fileno())

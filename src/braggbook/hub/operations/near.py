"""Who asks from this machine."""

from __future__ import annotations

import ipaddress

from fastapi import Request

# a proxy on this machine asks for somebody else, and says so by one of these
_FORWARDED = ("forwarded", "via", "x-real-ip", "x-proxycontextpath")
_FORWARDED_PREFIX = "x-forwarded-"


def is_near(request: Request) -> bool:
    """Returns whether a program on this machine asks, and neither a proxy nor a page of another site in a browser."""
    if any(name in _FORWARDED or name.startswith(_FORWARDED_PREFIX) for name in request.headers):
        return False
    return _is_here(request.client.host if request.client else "") and _is_here(request.url.hostname or "")


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""OpenID providers that people may sign in with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import ConfigDict

ORCID_ISSUER = "https://orcid.org"
ORCID_SANDBOX_ISSUER = "https://sandbox.orcid.org"  # with people, and iDs, of its own
ORCID_ISSUERS = (ORCID_ISSUER, ORCID_SANDBOX_ISSUER)  # their subjects are ORCID iDs


@dataclass(frozen=True)
class Provider:
    """One provider, and this hub's registration with it.

    Attributes:
        name: Part of addresses, such as ``orcid``.
        title: On the button.
        issuer: Its address, to the letter as it says it itself.
        client_id: What it calls this hub.
        client_secret: What this hub shows to it; empty for a public client, which PKCE alone protects.
        scopes: What is asked for; ``openid`` is among them.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")  # a mistyped key is said

    name: str
    title: str
    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ("openid",)


def orcid(*, client_id: str, client_secret: str, sandbox: bool = False) -> Provider:
    """Returns ORCID, or its sandbox, which knows no scope but ``openid`` and gives names without being asked."""
    name, title = ("orcid_sandbox", "ORCID sandbox") if sandbox else ("orcid", "ORCID")
    issuer = ORCID_SANDBOX_ISSUER if sandbox else ORCID_ISSUER
    return Provider(name=name, title=title, issuer=issuer, client_id=client_id, client_secret=client_secret)

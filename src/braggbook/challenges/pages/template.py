"""How a page is drawn: its template, its style, and the policy that allows these and nothing else."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from braggbook.challenges.pages import words


def drawn(name: str, **parts: Any) -> str:
    """Draws a template, with our style and, where the page sorts, our script; their digests alone are allowed.

    Everything else is escaped, wherever it comes from.

    Args:
        name: Of the template.
        parts: What it shows; ``script`` is the name of a file of ours.
    """
    style = Markup(text_of("style.css"))  # noqa: S704 - our own file
    policy = ["default-src 'none'", f"style-src {_allowed(style)}", "base-uri 'none'", "form-action 'none'"]
    if "script" in parts:
        parts["script"] = Markup(text_of(parts["script"]))  # noqa: S704 - our own file
        policy.append(f"script-src {_allowed(parts['script'])}")
    return _environment().get_template(name).render(style=style, policy="; ".join(policy), **parts)


@cache
def text_of(name: str) -> str:
    """Returns a file of the templates."""
    loader = _environment().loader
    assert loader is not None
    return loader.get_source(_environment(), name)[0]


def _allowed(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


@cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("braggbook.challenges.pages", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters.update(rank=words.rank_text, count=words.counted, when=words.time_text)
    return made

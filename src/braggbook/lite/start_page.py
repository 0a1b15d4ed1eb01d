"""The page that a site begins with: its notebooks, and what a browser can and cannot do."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, urlsplit

import jinja2

from braggbook.lite.contents import Page


def start_page(pages: Iterable[Page], address: str, binder: str) -> str:
    """Returns the page as HTML that asks for nothing else.

    Args:
        pages: The notebooks.
        address: Where NumPy and its kin come from; "" where they lie in the site.
        binder: The repository on a Binder, or "".
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("braggbook.lite", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    rows = [
        {
            "title": page.notebook.front.title,
            "abstract": page.notebook.front.abstract,
            "query": quote(page.path, safe="/"),
            "binder": f"{binder}?labpath={quote(page.path, safe='')}" if binder else "",
            "left_out": page.left_out,
        }
        for page in pages
    ]
    return environment.get_template("start.html").render(rows=rows, host=urlsplit(address).netloc, binder=binder)

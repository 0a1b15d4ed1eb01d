"""Opening a page that lies on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page


def opened(browser: Browser, path: Path, **options: Any) -> tuple[Page, list[str]]:
    """Opens a page, and collects what else it asks for and what it complains about."""
    page = browser.new_page(**options)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: asked.append(message.text))
    page.on("pageerror", lambda error: asked.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_load_state("networkidle")
    asked.remove(path.as_uri())
    return page, asked

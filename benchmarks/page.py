"""Where the tables of a benchmark go."""

from __future__ import annotations

from pathlib import Path


def write_tables(path: Path, text: str, *, marks: tuple[str, str]) -> None:
    """Puts the tables into a page between its two marks; a file without them becomes the tables."""
    page = path.read_text(encoding="utf-8") if path.exists() else ""
    if all(mark in page for mark in marks):
        before, rest = page.split(marks[0])
        text = f"{before}{marks[0]}\n\n{text}\n{marks[1]}{rest.split(marks[1])[1]}"
    path.write_text(text, encoding="utf-8")

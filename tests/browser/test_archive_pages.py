"""The folder archive's pages in a real browser, opened from disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from braggbook.formats.record import Creator, Relation
from braggbook.progress import Silent
from braggbook.records.folder import FolderArchive
from braggbook.testing.archive import make_metadata, make_plan

from .opening import opened
from .test_report import contrast

pytestmark = pytest.mark.full
HOSTILE = "<script>document.title = 'taken'</script><img src=x onerror=\"document.title='taken'\">"
LONG = "Anunbreakablyverylongwordthatisinthetitleofsomebodysrecord" * 3


def publish(archive: FolderArchive, path: Path, *, version_of: str | None = None, **changes: object) -> str:
    draft = archive.create(make_metadata(**changes), plan=make_plan(), version_of=version_of)
    archive.upload(draft.id, "a file with a name.zip", path, progress=Silent())
    return archive.publish(draft.id).doi


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> FolderArchive:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "file").write_bytes(b"no zip in truth")
    archive = FolderArchive(folder / "archive")
    first = publish(
        archive, folder / "file", title="Survival of V79 cells", keywords=["Straße"],
        creators=[Creator(name="Lovelace, Ada", orcid="0000-0002-1825-0097", affiliation=HOSTILE),
                  Creator(name=f"{LONG} Group", type="organizational")],
        relations=[Relation(relation="isCompiledBy", identifier="10.5281/zenodo.1", resource_type="software"),
                   Relation(relation="cites", identifier=f"https://example.org/{LONG}")],
        description=f"{HOSTILE}\n\n{LONG}",
    )  # fmt: skip
    publish(
        archive,
        folder / "file",
        version_of=first,
        title="Survival of V79 cells",
        version="2",
        description="Carbon ions.",
    )
    publish(archive, folder / "file", title=f"{HOSTILE} {LONG}")
    return archive


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("name", ["index.html", "records/2/index.html", "records/3/index.html"])
def test_every_page_at_every_width(
    browser: Browser, archive: FolderArchive, tmp_path: Path, name: str, width: int, scheme: str
) -> None:
    page, asked = opened(browser, archive.root / name, viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert asked == [], "it opens without any network, and nothing goes against its policy"
    assert page.title() != "taken"
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing is wider than the screen"
    for selector in ("body", ".soft", ".badge", "a"):
        ink = page.locator(selector).first.evaluate("element => getComputedStyle(element).color")
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert contrast(paper, ink) > 4.5, selector
    page.screenshot(path=tmp_path / "page.png", full_page=True)


def test_search(browser: Browser, archive: FolderArchive) -> None:
    page, asked = opened(browser, archive.root / "index.html")
    assert not page.get_by_text("the browser's own search").is_visible()
    box = page.get_by_role("searchbox", name="Search title, description, creators and keywords")
    shown = page.locator("#records > li:visible")
    assert shown.count() == 2
    for text, count in (("CARBON survival", 1), ("carbon nothing", 0), ("  ", 2), ("lovelace", 2), ("<script>", 1)):
        box.fill(text)
        assert shown.count() == count, text
        said = f"{count} of 2 records" if text.strip() else ""
        assert page.get_by_role("status").inner_text() == said
    box.fill("carbon")
    box.press("Enter")
    assert page.url == (archive.root / "index.html").as_uri()
    assert shown.count() == 1
    box.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Survival of V79 cells"
    page.keyboard.press("Enter")
    page.wait_for_url("**/records/3/index.html")
    assert asked == [(archive.root / "records/3/index.html").as_uri()]


def test_without_scripts_all_records_are_listed(browser: Browser, archive: FolderArchive) -> None:
    page, _ = opened(browser, archive.root / "index.html", java_script_enabled=False)
    assert page.locator("#records > li").count() == 2
    assert not page.locator("form").is_visible()
    assert page.get_by_text("the browser's own search").is_visible()


def test_what_a_screen_reader_is_told(browser: Browser, archive: FolderArchive) -> None:
    page, _ = opened(browser, archive.root / "records/2/index.html")
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("note").inner_text().startswith("There is a newer version: version 2")
    for name in ("Description", "Files", "Verify", "Cite", "Related", "About", "Versions"):
        assert page.get_by_role("region", name=name).count() == 1, name
    assert page.locator("[aria-current=page]").inner_text() == "version 1"
    assert "10.5072/braggbook." in page.get_by_role("region", name="BibTeX").inner_text()
    page.get_by_text("CITATION.cff").click()
    assert "cff-version: 1.2.0" in page.get_by_role("region", name="CITATION.cff").inner_text()
    page.get_by_role("link", name="version 2").last.click()
    page.wait_for_url("**/records/3/index.html")


def test_a_file_is_there(browser: Browser, archive: FolderArchive) -> None:
    page, _ = opened(browser, archive.root / "records/2/index.html")
    with page.expect_download() as download:
        page.get_by_role("link", name="a file with a name.zip").click()
    assert download.value.path().read_bytes() == b"no zip in truth"

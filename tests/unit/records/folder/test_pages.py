"""The archive's pages as text: nothing from elsewhere, nothing that a record says is obeyed, every link leads somewhere."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest

from braggbook.formats.record import Creator, Funding, Relation
from braggbook.records.folder import FolderArchive
from braggbook.records.folder.pages import size_text

from .archive_helpers import HARMLESS, make_zip, open_archive, publish

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}"


class _Page(html.parser.HTMLParser):
    """Collects tags with their attributes."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(path.read_text())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> FolderArchive:
    tmp_path = tmp_path_factory.mktemp("pages")
    archive = open_archive(tmp_path / "archive")
    data = make_zip(tmp_path / "run.zip", report_html=HARMLESS, **{"run.json": "{}"}).read_bytes()
    first = publish(
        archive, tmp_path, content={"run.zip": data, 'ä #1?&".txt': b"odd"}, title=HOSTILE, description=HOSTILE,
        creators=[Creator(name="Lovelace, Ada", orcid="0000-0002-1825-0097", affiliation=HOSTILE, ror="javascript:alert(3)"),
                  Creator(name=HOSTILE, type="organizational")],
        relations=[Relation(relation="isCompiledBy", identifier="10.5281/zenodo.1", resource_type="software"),
                   Relation(relation="isDerivedFrom", identifier="javascript:alert(4)"),
                   Relation(relation="cites", identifier="10.5072/braggbook.others.1"),
                   Relation(relation="isSupplementTo", identifier="https://example.org/paper")],
        funding=[Funding(funder=HOSTILE, award="42")], keywords=[HOSTILE], subjects=[HOSTILE], notes=HOSTILE, version=HOSTILE,
    )  # fmt: skip
    publish(archive, tmp_path, version_of=first.doi, title="The second version", version="2")
    publish(archive, tmp_path, title="Another", relations=[Relation(relation="reviews", identifier=first.doi)])
    return archive


def pages(archive: FolderArchive) -> list[Path]:
    return [archive.root / "index.html", *sorted(archive.root.glob("records/*/index.html"))]


def test_what_a_record_says_is_shown_not_obeyed(archive: FolderArchive) -> None:
    for path in pages(archive):
        page = _Page(path)
        assert not {"img", "iframe", "link", "object", "base"} & {tag for tag, _ in page.tags}
        assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on")]
        assert "49" not in page.text.replace(archive.root.name, "").split()
    assert HOSTILE in _Page(archive.root / "records/2/index.html").text


def test_the_policy_allows_our_style_and_script_alone(archive: FolderArchive) -> None:
    for path in pages(archive):
        text = path.read_text()
        (policy,) = [
            attributes["content"]
            for attributes in _Page(path).all("meta")
            if attributes.get("http-equiv") == "Content-Security-Policy"
        ]
        assert policy is not None
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy
        for tag, rule in (("style", "style-src"), ("script", "script-src")):
            for content in re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL):
                digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
                assert f"{rule} 'sha256-{digest}'" in policy
        assert text.count("<script") == (1 if path.parent == archive.root else 0)


def test_links_lead_to_files_or_known_hosts(archive: FolderArchive) -> None:
    hosts = ("https://doi.org/10.5281/zenodo.1", "https://orcid.org/0000-0002-1825-0097", "https://example.org/paper")
    for path in pages(archive):
        for attributes in _Page(path).all("a"):
            link = attributes["href"] or ""
            if link.startswith("https://"):
                assert link in hosts or link.startswith("https://spdx.org/licenses/")
            else:
                assert (path.parent / unquote(link)).is_file(), link


def test_what_a_landing_page_says(archive: FolderArchive) -> None:
    first = archive.record("2")
    text = " ".join(_Page(archive.root / "records/2/index.html").text.split())
    for part in (
        first.doi, str(first.concept_doi), "not registered", "ORCID 0000-0002-1825-0097", f"braggbook verify {first.doi}",
        "isDerivedFrom", "CC-BY-4.0", "There is a newer version", "@dataset{", first.files[0].md5, "Open the report",
    ):  # fmt: skip
        assert part in text, part
    latest = _Page(archive.root / "records/3/index.html").text
    assert "There is a newer version" not in latest
    assert "Open the report" not in latest
    assert "braggbook verify" not in latest, "there is no run in it"
    assert _Page(archive.root / "records/3/index.html").all("details")[0].keys() == {"open"}


def test_the_sums_can_be_checked_by_the_command_that_is_shown(archive: FolderArchive, tmp_path: Path) -> None:
    folder = archive.root / "records/2"
    sums = next(
        part
        for part in re.findall(r"<pre[^>]*>(.*?)</pre>", (folder / "index.html").read_text(), re.DOTALL)
        if "files/" in part
    )
    (tmp_path / "SHA256SUMS").write_text(html.unescape(sums))
    done = subprocess.run(
        ["sha256sum", "-c", str(tmp_path / "SHA256SUMS")], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": OK") == 2


def test_the_page_of_all_records(archive: FolderArchive) -> None:
    page = _Page(archive.root / "index.html")
    rows = [attributes for attributes in page.all("li") if "data-words" in attributes]
    assert [str(row["data-words"]).partition(" a record")[0] for row in rows] == ["another", "the second version"]
    assert "2 records" in page.text
    assert "the latest of 2" in page.text
    assert page.all("form")[0].keys() >= {"hidden"}, "without a script there is no search that does nothing"


def test_a_new_archive_says_that_it_is_empty(tmp_path: Path) -> None:
    archive = open_archive(tmp_path / "archive")
    archive.redraw()
    page = _Page(archive.root / "index.html")
    assert "Nothing has been published here yet." in page.text
    assert page.all("script") == []


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1 kB"), (1234, "1.23 kB"), (12_345, "12.3 kB"),
     (999_499, "999 kB"), (999_500, "1 MB"), (2_000_000_000, "2 GB"), (5 * 10**15, "5000 TB")],
)  # fmt: skip
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text

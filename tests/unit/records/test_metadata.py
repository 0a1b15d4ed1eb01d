"""Metadata before they are sent: everything that is wrong is said at once."""

from __future__ import annotations

from typing import Any

import pytest

from braggbook.errors import InputError
from braggbook.records.legacy import paragraphs
from braggbook.records.metadata import bare_identifier, checked_metadata, metadata_issues

GOOD: dict[str, Any] = {
    "title": "Überleben nach 2 Gy: 生存率",
    "description": "First.\n\nSecond.",
    "resource_type": "dataset",
    "creators": [{"name": "Ørsted, Hans", "orcid": "0000-0002-1825-0097", "affiliation": "København"}],
    "license": "CC-BY-4.0",
    "language": "dan",
    "version": "1",
}


def said(**changes: Any) -> list[str]:
    return [f"{issue.where}: {issue.what}" for issue in metadata_issues({**GOOD, **changes})]


def test_good_ones_pass_and_names_are_as_they_were() -> None:
    metadata = checked_metadata(GOOD)
    assert (metadata.title, metadata.creators[0].name) == (GOOD["title"], "Ørsted, Hans")


def test_everything_is_said_at_once() -> None:
    with pytest.raises(InputError) as caught:
        checked_metadata({
            "title": "ab", "description": " ", "resource_type": "dataset", "version": "1", "license": "CC-BY-9",
            "language": "xyz", "keywords": ["good", " ", "bell\a"],
            "creators": [{"name": "Doe, Jane", "orcid": "0000-0002-1825-0098", "ror": "https://ror.org/038t36y31"}],
            "relations": [{"relation": "isDerivedFrom", "identifier": "a paper of ours"}],
            "funding": [{"funder": "", "funder_id": "x"}],
        })  # fmt: skip
    assert [(issue.where, issue.what) for issue in caught.value.issues] == [
        ("metadata keywords[2]", "a control character"),
        ("metadata title", "the title is too short"),
        ("metadata description", "the description is empty"),
        ("metadata keywords[1]", "an empty text"),
        ("metadata creators[0].orcid", "not an ORCID iD: its check digit is wrong"),
        ("metadata creators[0].ror", "not a ROR identifier: its check digits are wrong"),
        ("metadata license", "unknown licence"),
        ("metadata language", "not a language's code"),
        ("metadata relations[0]", "neither a DOI nor an address"),
        ("metadata funding[0].funder", "an empty text"),
        ("metadata funding[0].funder_id", "not a ROR identifier"),
    ]


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"creators": []}, "metadata creators: nobody is named as its creator"),
        ({"creators": [{"name": " - "}]}, "metadata creators[0].name: a creator without a name"),
        ({"license": "LicenseRef-not-stated"}, "metadata license: a licence that archives do not know"),
        ({"license": "CC-BY-4.0 OR MIT"}, "metadata license: a licence that archives do not know"),
        ({"license": None}, "metadata license: unknown licence"),
        ({"title": "two\nlines"}, "metadata title: a control character"),
        ({"title": "turned \u202e round"}, "metadata title: a control character"),
        ({"title": "half \ud800 a sign"}, "metadata title: a control character"),
        ({"language": "en"}, "metadata language: not a language's code"),
        ({"relations": [{"relation": "cites", "identifier": "10.1/x"}]}, "metadata relations[0]: neither a DOI nor an address"),
        ({"relations": [{"relation": "cites", "identifier": "ftp://a/b"}]}, "metadata relations[0]: neither a DOI nor an address"),
        ({"relations": [{"relation": "cites", "identifier": "https://me:pw@a/b"}]}, "metadata relations[0]: neither a DOI nor an address"),
        ({"relations": [{"relation": "likes", "identifier": "10.1234/x"}]}, "metadata relations[0].relation: not a possible value"),
        ({"version": 3}, "metadata version: a value of another type"),
    ],
)  # fmt: skip
def test_each_by_itself(changes: dict[str, Any], wanted: str) -> None:
    assert said(**changes) == [wanted]


@pytest.mark.parametrize(
    "spelling", ["10.1234/A(b)", "doi:10.1234/A(b)", "https://doi.org/10.1234/A(b)", "DOI: 10.1234/A(b)"]
)
def test_a_doi_is_bare(spelling: str) -> None:
    assert bare_identifier(spelling) == "10.1234/A(b)"


def test_html_in_a_description_is_shown_and_not_obeyed() -> None:
    assert paragraphs("<b>a</b> & b\n\n<script>x</script>") == (
        "<p>&lt;b&gt;a&lt;/b&gt; &amp; b</p><p>&lt;script&gt;x&lt;/script&gt;</p>"
    )

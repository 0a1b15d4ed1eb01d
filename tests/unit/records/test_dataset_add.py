"""``dataset add`` of what was published: from each kind of archive, over the wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from braggbook.datasets.doi import add_doi
from braggbook.datasets.verify import verify_dataset
from braggbook.records.deposit import Job, mint, push

from .deposit_helpers import Place
from .test_dataset_plan import make, plan


@pytest.mark.full
@pytest.mark.parametrize("kind", ["zenodo", "invenio"])
def test_a_published_dataset_comes_back_from_a_server(kind: str, tmp_path: Path) -> None:
    dataset = make(tmp_path / "p")
    planned = plan(dataset, tmp_path)
    place = Place(kind, tmp_path)
    assert place.server is not None
    try:
        job = Job(planned.plan, planned.paths, place.archive(), tmp_path / "place")
        push(job)
        page = f"{place.server.url}/records/{mint(job).id}"
        (tmp_path / "other" / "datasets").mkdir(parents=True)
        added = add_doi(page, project=tmp_path / "other", cache=tmp_path / "cache").dataset
    finally:
        place.stop()
    assert (added.reference, added.digest) == ("counts@1", dataset.digest)
    assert verify_dataset(added, cache=tmp_path / "cache") == []

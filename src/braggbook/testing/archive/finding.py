"""Metadata: kept, and found by search; and archives apart from each other."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from braggbook.errors import UnknownName
from braggbook.formats.record import Creator, Relation
from braggbook.records.archive import Record
from braggbook.testing.archive.bench import ORCID, Bench, begin, check, make_metadata, make_plan, publish, send
from braggbook.testing.archive.expect import equal, raises


@check
def who_and_whence_are_kept(bench: Bench) -> None:
    """Persons with ORCID, organisations, and relations by DataCite's terms."""
    creators = [
        Creator(name="Lovelace, Ada", orcid=ORCID, affiliation="Analytical Engine Institute"),
        Creator(name="Carbon, Ion and Helium Collaboration", type="organizational"),
        Creator(name="Aristoteles"),
    ]
    relations = [
        Relation(relation="isCompiledBy", identifier="10.5281/zenodo.1234", resource_type="software"),
        Relation(relation="isDerivedFrom", identifier="10.5281/zenodo.5678", resource_type="dataset"),
        Relation(relation="isSupplementTo", identifier="https://example.org/paper"),
    ]
    archive = bench.make()
    record = publish(bench, archive, {"a.txt": b"first"}, creators=creators, relations=relations, keywords=["RBE"])
    if bench.said is None:
        return
    said = bench.said(archive, record)
    wanted = [(creator.name, creator.orcid, creator.affiliation) for creator in creators]
    got = [(entry["name"], entry.get("orcid"), entry.get("affiliation")) for entry in said["creators"]]
    equal(got, wanted, "the creators")
    told = [(entry["relation"], entry["identifier"]) for entry in said["related_identifiers"]]
    equal(told, [(relation.relation, relation.identifier) for relation in relations], "the relations")
    equal((said["keywords"], said["license"]["id"]), (["RBE"], "cc-by-4.0"), "keywords and licence")


@check
def records_are_found_by_their_words(bench: Bench) -> None:
    """All words, wherever they stand; drafts are not found."""
    archive, word = bench.make(), f"w{secrets.token_hex(6)}"
    names = [Creator(name=f"Curie{word}, Marie"), Creator(name="Helium Group", type="organizational")]
    record = publish(
        bench, archive, {"a.txt": b"1"}, title=f"Dose {word}", creators=names, keywords=["proton"],
        description=f"About microdosimetry{word}.",
    )  # fmt: skip
    publish(bench, archive, {"a.txt": b"2"}, title=f"Another {word}")
    begin(bench, archive, make_metadata(title=f"Dose {word} as a draft"), plan=make_plan())
    for text in (f"{word} dose", f"curie{word}", f"microdosimetry{word} helium", f"PROTON {word}"):
        found = eventually(bench, lambda text=text: archive.search(text))  # type: ignore[misc]
        equal([one.doi for one in found], [record.doi], f"what is found by {text!r}")
    equal(archive.search(f"{word} nothingofthiskind{word}"), (), "what is found by words that no record has")
    equal(len(eventually(bench, lambda: archive.search(word, most=1))), 1, "at most one")


@check
def two_archives_know_nothing_of_each_other(bench: Bench) -> None:
    """What is done in one is not seen in the other."""
    if not bench.apart:
        return
    first, second, plan, told = bench.make(), bench.make(), make_plan(), make_metadata()
    draft = begin(bench, first, told, plan=plan)
    send(bench, first, draft.id, {"a.txt": b"first"})
    equal((second.own(plan), second.look(draft.id)), ((), None), "the first one's draft, seen in the second")
    record = first.publish(draft.id)
    equal((second.own(plan), second.search(told.title)), ((), ()), "the first one's record, seen in the second")
    raises(UnknownName, lambda: second.record(record.doi))


def eventually(bench: Bench, search: Callable[[], tuple[Record, ...]]) -> tuple[Record, ...]:
    """Asks until something is found, or for as long as a search may lag behind."""
    end = time.monotonic() + bench.search_lag_s
    while not (found := search()) and time.monotonic() < end:
        time.sleep(min(1.0, bench.search_lag_s))
    return found

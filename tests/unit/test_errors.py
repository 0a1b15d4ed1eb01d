"""Errors: what they say, what they end the process with, and that nothing of them is lost between processes."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook import errors
from braggbook.errors import BraggbookError, InputError, Issue, UnknownName, closest, unknown_name

ISSUES = (Issue("wrong type", "dose_gy", "float", "'two'"), Issue("unknown parameter", "dsoe", "did you mean dose?"))


def _classes(base: type[BraggbookError] = BraggbookError) -> Iterator[type[BraggbookError]]:
    yield base
    for child in base.__subclasses__():
        yield from _classes(child)


def _documented() -> dict[str, tuple[str, int]]:
    """Returns parent and exit code of each class in the tree that the module's docstring draws."""
    found: dict[str, tuple[str, int]] = {}
    above = ["BraggbookError"]
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r" {4}([│├└─ ]+)(\w+) +(\d+)", line):
            depth = len(match[1]) // 4
            found[match[2]] = above[depth - 1], int(match[3])
            above[depth:] = [match[2]]
    return found


def _filled(kind: type[BraggbookError]) -> BraggbookError:
    return kind("what", where="where", wanted="wanted", got="got", next_command="braggbook check", issues=iter(ISSUES))


def test_the_tree_in_the_docstring_is_the_real_one() -> None:
    real = {
        kind.__name__: (kind.__mro__[1].__name__, kind.exit_code) for kind in _classes() if kind is not BraggbookError
    }
    assert _documented() == real
    assert "├── InputError" in (errors.__doc__ or "")


def test_exit_codes_are_the_ones_that_the_contract_names() -> None:
    assert {kind.exit_code for kind in _classes()} == {2, 3, 4, 70, 130}


def test_every_class_says_what_it_is_for_and_is_defined_in_one_file() -> None:
    for kind in _classes():
        assert kind.__module__ == "braggbook.errors"
        assert kind.__doc__


@pytest.mark.parametrize("kind", [*_classes()], ids=lambda kind: kind.__name__)
def test_every_class_survives_pickle_and_copy(kind: type[BraggbookError]) -> None:
    error = _filled(kind)
    copies = [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for other in [*copies, copy.copy(error), copy.deepcopy(error)]:
        assert type(other) is kind
        assert vars(other) == vars(error)
        assert other.args == error.args == ("what",)
        assert str(other) == str(error)
        assert other.issues == ISSUES


def test_attributes_added_later_survive_pickle_too() -> None:
    error = InputError("what")
    error.add_note("seen in a test")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["seen in a test"]


def test_the_text_says_what_where_wanted_got_all_issues_and_the_next_command() -> None:
    assert str(_filled(InputError)) == (
        "where: what; wanted wanted, got got\n"
        "  - dose_gy: wrong type; wanted float, got 'two'\n"
        "  - dsoe: unknown parameter; did you mean dose?\n"
        "next: braggbook check"
    )
    assert str(InputError("what")) == "what"


@pytest.mark.parametrize(
    ("issue", "text"),
    [
        (Issue("what"), "what"),
        (Issue("what", "where"), "where: what"),
        (Issue("what", wanted="a number"), "what; wanted a number"),
        (Issue("what", got="2"), "what; got 2"),
        (Issue("what", wanted="a number", got="'2'"), "what; wanted a number, got '2'"),
        (Issue("what", "where", "did you mean x?", "y"), "where: what; got y; did you mean x?"),
        (Issue("what", wanted="none is known"), "what; none is known"),
    ],
)
def test_an_issue_in_words(issue: Issue, text: str) -> None:
    assert str(issue) == text


def test_the_text_stops_at_twenty_issues_and_the_json_does_not() -> None:
    error = InputError("many", issues=[Issue(f"issue {number}") for number in range(23)])
    lines = str(error).splitlines()
    assert len(lines) == 22
    assert lines[-2:] == ["  - issue 19", "  and 3 more"]
    assert [issue["what"] for issue in error.as_json()["issues"]] == [f"issue {number}" for number in range(23)]


def test_the_json_form_has_every_part() -> None:
    assert _filled(UnknownName).as_json() == {
        "error": "UnknownName",
        "what": "what",
        "where": "where",
        "wanted": "wanted",
        "got": "got",
        "next": "braggbook check",
        "issues": [issue.as_json() for issue in ISSUES],
        "exit_code": 2,
    }


def test_the_closest_names_are_offered() -> None:
    known = ["clonogenic_survival", "rbe_library", "proton_rbe_models"]
    assert closest("clonogenic_survivl", known) == "did you mean clonogenic_survival?"
    assert closest("RBE_Library", known) == "did you mean rbe_library?"
    assert closest("alpa", {"alpha": 1, "alpha0": 2, "beta": 3}) == "did you mean alpha or alpha0?"


def test_without_a_near_name_the_known_ones_are_listed() -> None:
    assert closest("xyz", ["beta", "alpha"]) == "one of alpha, beta"
    assert closest("xyz", []) == "none is known"
    assert closest("0", [f"name{number:02}" for number in range(50)]).count("name") == 20


@given(st.sets(st.text(st.characters(codec="ascii", categories=("Ll",)), min_size=1, max_size=8), min_size=1))
def test_a_known_name_is_always_its_own_closest(known: set[str]) -> None:
    for name in known:
        assert re.search(rf"did you mean {name}( or |\?)", closest(name, known))


def test_an_unknown_name_is_an_error_with_the_closest_and_the_next_command() -> None:
    error = unknown_name("kernel", "radiobiologie", ["radiobiology"], next_command="braggbook list kernel")
    assert isinstance(error, UnknownName)
    assert str(error) == ("no kernel named 'radiobiologie'; did you mean radiobiology?\nnext: braggbook list kernel")

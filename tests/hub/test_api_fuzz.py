"""The API by its own description, and every page by addresses that nobody would type: no answer is a fault of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode

from braggbook.hub.web.rates import Rates
from braggbook.hub.web.visitor import COOKIE
from braggbook.testing.challenges import Open

from .attack_world import World, add_token, hub_at, make_world, raw, routes_of

pytestmark = pytest.mark.full
ROLES = ("visitor", "read", "member sends", "everything")
EXAMPLES = 10  # of each operation, way and role: a minute in all
HOSTILE = (
    "", "\0", "a\0b", "\r\nX-Evil: 1", "\u202e", "\ud7ff\ue000", "é" * 50, "😀", "x" * 5000, "..", "../..", "%2e%2e%2f", "....//",
    "' OR 1=1 --", "{{7*7}}", "${7*7}", "<script>", "-1", "0", "99999999999999999999", "1e400", "NaN", "0x10", "null", "true",
    "[]", "{}", "a;b", "a&b=c", "#", "?", "//evil.example", "\\", "C:\\", "con", "~", "*", "a.json", ".ipynb", "\x7f", "\ufffe",
    "-", "_", "tiny_dose", "practice", "last", "counts", "1",
)  # fmt: skip


@pytest.fixture(scope="module")
def world(opened: Open, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = make_world(hub_at(tmp_path_factory.mktemp("fuzzed"), opened))
    add_token(made, "everything", "organiser", "read", "submit", "organise")
    made.freeze()
    yield made
    made.hub.desk.database.close()


def settled(examples: int) -> Any:
    """Returns how Hypothesis tries: always the same, so that what fails fails again."""
    return hypothesis.settings(
        max_examples=examples, derandomize=True, deadline=None, database=None, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip


@pytest.mark.parametrize("role", ROLES)
def test_answers_are_as_the_description_says(world: World, role: str) -> None:
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", world.client.app)
    headers = {"Authorization": f"Bearer {world.tokens[role]}"} if role in world.tokens else {}
    known = [found.ok() for found in schema.get_all_operations()]
    assert len(known) == len(
        [one for one in routes_of(world.client.app) if one[2].startswith("/api/v1/") and one[1] != "openapi"]
    )
    wrong: list[str] = []
    for operation in known:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            wrong += _tried(world, operation, mode, headers)
    world.thaw()
    assert not wrong, "\n".join(wrong)


def _tried(world: World, operation: Any, mode: GenerationMode, headers: dict[str, str]) -> list[str]:
    """Asks an operation in many ways; returns what is not as the description says."""

    @settled(EXAMPLES)
    @given(case=operation.as_strategy(generation_mode=mode))
    def answered(case: Any) -> None:
        world.client.app.state.rates = Rates()
        if "wait" in (case.query or {}):
            case.query["wait"] = 0
        case.call_and_validate(headers=headers)

    try:
        answered()
    except hypothesis.errors.Unsatisfiable:
        return []  # there is nothing that it refuses
    except schemathesis.errors.FailureGroup as error:
        return [f"{operation.label}: {one}" for one in error.exceptions]
    return []


QUERY = (
    "next",
    "sort",
    "order",
    "page",
    "find",
    "phase",
    "state",
    "number",
    "challenge",
    "notebook",
    "dataset",
    "file",
    "to",
)
ANYTHING = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=40))


@pytest.mark.parametrize("role", ["visitor", "member", "organiser"])
def test_no_address_is_a_fault(world: World, role: str) -> None:
    paths = sorted({path for method, _, path in routes_of(world.client.app) if method in ("GET", "*")})
    cookie = (b"cookie", f"{COOKIE}={world.sessions[role]}".encode())
    known = st.sampled_from(sorted(set(world.names.values())))
    statuses = set()

    @settled(500)
    @given(st.data())
    def answered(data: Any) -> None:
        template = data.draw(st.sampled_from([*paths, "/static/{path:path}", "/{path:path}"]))
        path = re.sub(r"\{[^}]+\}", lambda _: data.draw(st.one_of(ANYTHING, known)), template)
        query = data.draw(st.dictionaries(st.one_of(st.sampled_from(QUERY), ANYTHING), ANYTHING, max_size=3))
        world.client.app.state.rates = Rates()
        encoded = "&".join(f"{quote(name)}={quote(value)}" for name, value in query.items()).encode()
        status, headers, body = raw(world.client.app, "GET", path, query=encoded, headers=[cookie])
        statuses.add(status)
        assert status < 500, (path, query, body[-400:])
        assert "x-evil" not in headers
        assert not any(sign in value for sign in "\r\n\0" for value in headers.values()), (path, query)
        if status >= 400:
            assert headers["x-request-id"] in body.decode(), path
            assert "Traceback" not in body.decode(), path

    answered()
    world.thaw()
    assert {200, 404, 422} <= statuses

"""How results read: rounded to what their uncertainty supports, units and intervals in words."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from braggbook.formats.result import ResultInterval, ScalarResult, result_adapter
from braggbook.notebooks.show import (
    as_html,
    as_text,
    column_title,
    interval_text,
    number_text,
    quantity_text,
    short_text,
    table_html,
    value_text,
)

from .notebook_helpers import encode


def _scalar(value: Any, unit: str = "Gy", uncertainty: float | None = None, **limits: Any) -> ScalarResult:
    interval = ResultInterval(**limits) if limits else None
    return ScalarResult(name="x", value=value, unit=unit, uncertainty=uncertainty, interval=interval)


@pytest.mark.parametrize(
    ("value", "uncertainty", "text"),
    [
        (0.2712345, 0.0612345, "0.271 ± 0.061 Gy"),
        (4.645922, 0.1536, "4.65 ± 0.15 Gy"),
        (123.456, 12.3, "123 ± 12 Gy"),
        (0.00123456, 0.000123456, "0.00123 ± 0.00012 Gy"),
        (5.0, 0.099, "5.000 ± 0.099 Gy"),
        (-2.0, 0.5, "-2.00 ± 0.50 Gy"),
        (0.0, 0.5, "0 ± 0.50 Gy"),
        (1.5e-7, 1.2e-9, "1.500e-07 ± 1.2e-09 Gy"),
        (3, 0.5, "3 ± 0.50 Gy"),
        (1.25, 0.0, "1.25 ± 0 Gy"),
    ],
)
def test_a_value_is_rounded_to_two_digits_of_its_uncertainty(value: Any, uncertainty: float, text: str) -> None:
    assert quantity_text(_scalar(value, uncertainty=uncertainty)) == text


def test_without_an_uncertainty_the_interval_tells_the_digits() -> None:
    result = _scalar(4.645922, lower=4.351111, upper=5.012222)
    assert quantity_text(result) == "4.65 Gy"
    assert interval_text(result) == "95 %: 4.35 to 5.01"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4.6459219, "4.64592 Gy"), (2.0, "2 Gy"), (0.5, "0.5 Gy"), (1234567.0, "1234570 Gy"), (12345678.0, "1.23457e+07 Gy"),
        (0.000123456789, "0.000123457 Gy"), (0.0000123456789, "1.23457e-05 Gy"), (0.0, "0 Gy"), (7, "7 Gy"), (True, "True Gy"),
        (10**9, "1000000000 Gy"),
    ],
)  # fmt: skip
def test_a_value_alone_has_six_digits_and_no_needless_exponent(value: Any, text: str) -> None:
    assert quantity_text(_scalar(value)) == text


def test_pure_numbers_have_no_unit() -> None:
    assert quantity_text(_scalar(0.5, "1")) == "0.5"
    assert quantity_text(_scalar(50.0, "%")) == "50 %"


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"lower": 1, "upper": 2}, "95 %: 1.00 to 2.00"),
        ({"lower": 1}, "95 %: 1 to no limit"),
        ({"upper": 2}, "95 %: no limit to 2"),
        ({"lower": 1, "upper": 2, "level": 0.9, "method": "profile"}, "90 %: 1.00 to 2.00 (profile)"),
        ({"lower": 1, "upper": 2, "level": 0.6827}, "68.27 %: 1.00 to 2.00"),
        ({"lower": 1, "note": "no plate tells"}, "95 %: 1 to no limit; no plate tells"),
        ({"lower": 1.5, "upper": 1.5}, "95 %: 1.5 to 1.5"),
    ],
)
def test_an_interval_in_words(limits: dict[str, Any], text: str) -> None:
    assert interval_text(_scalar(1.5, **limits)) == text


def test_a_scalar_without_an_interval_says_nothing_about_one() -> None:
    assert interval_text(_scalar(1.5)) == ""
    assert value_text(_scalar(1.5)) == "1.5 Gy"
    assert as_text(_scalar(1.5, uncertainty=0.1, lower=1, upper=2)) == "x = 1.50 ± 0.10 Gy 95 %: 1.00 to 2.00"


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.1, 3, "0.100"),
        (99.99, 2, "100"),
        (999999.5, 6, "1000000"),
        (1e7, 2, "1.0e+07"),
        (1e-5, 2, "1.0e-05"),
        (-12.5, 2, "-12"),
    ],
)
def test_a_number_to_so_many_digits(value: float, digits: int, text: str) -> None:
    assert number_text(value, digits) == text


@given(st.floats(-1e300, 1e300), st.floats(0, 1e300))
def test_what_is_shown_is_within_the_shown_uncertainty(value: float, uncertainty: float) -> None:
    shown = quantity_text(_scalar(value, "1", uncertainty=uncertainty))
    number, _, spread = shown.partition(" ± ")
    assert abs(float(number) - value) <= max(uncertainty / 10, abs(value) * 1e-5)
    assert abs(float(spread) - uncertainty) <= uncertainty * 0.06


def test_larger_results_say_their_size() -> None:
    table = encode(pd.DataFrame({"dose_gy": [1.0, 2.0], "line": ["a", "b"]}), units={"dose_gy": "Gy"})
    arrays = encode(xr.Dataset({"survival": (("line", "dose"), [[1.0]])}, coords={"dose": [1.0]}))
    figure = result_adapter.validate_python({"kind": "figure", "name": "p", "axes": [{}, {}]})
    assert short_text(table) == "table, 2 rows"
    assert as_text(table) == "x: table, 2 rows: dose_gy (Gy), line"
    assert short_text(arrays) == "arrays survival(line, dose)"
    assert as_text(figure) == "p: figure, 2 axes"
    assert value_text(figure.model_copy(update={"alt": "Survival falls."})) == "Survival falls."


def test_column_titles_have_their_unit() -> None:
    assert column_title("dose", "Gy") == "dose (Gy)"
    assert column_title("n", "1") == column_title("n", None) == "n"


def test_html_is_escaped_and_long_tables_are_counted() -> None:
    table = encode(pd.DataFrame({"<b>": range(30), "text": ["<script>"] * 30}))
    html = as_html(table)
    assert "<b>" not in html
    assert "&lt;script&gt;" in html
    assert html.count("<tr>") == 1 + 12
    assert "… and 18 more rows" in html
    assert table_html(table).count("<tr>") == 31
    assert "1.5 Gy" in as_html(_scalar(1.5))


def test_a_missing_cell_is_a_dash_and_numbers_are_marked() -> None:
    html = table_html(encode(pd.DataFrame({"a": [0.123456789, None], "b": ["x", None]})))
    assert '<td class="number">0.123457</td>' in html
    assert html.count("–") == 2
    assert "<td>x</td>" in html


def test_an_empty_table_is_shown_as_one() -> None:
    assert "table, 0 rows" in as_text(encode(pd.DataFrame()))
    assert table_html(encode(pd.DataFrame())) == "<table><thead><tr></tr></thead><tbody></tbody></table>"

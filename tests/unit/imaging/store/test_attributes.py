"""Attributes come back as they were."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from braggbook.errors import ImagingError
from braggbook.imaging.store.attributes import decode_attributes, encode_attributes

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
    ),
    max_leaves=10,
)


def through_json(attrs: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(encode_attributes(attrs, where="attrs"), allow_nan=False)
    return decode_attributes(json.loads(text), where="attrs")


def typed(value: Any) -> Any:
    """Makes 1, 1.0 and True, a list and a tuple, or 0.0 and -0.0 different."""
    if isinstance(value, dict):
        return "dict", [(typed(k), typed(v)) for k, v in value.items()]
    if isinstance(value, list | tuple):
        return type(value).__name__, [typed(item) for item in value]
    return type(value).__name__, value.hex() if isinstance(value, float) else value


@settings(max_examples=40)
@given(st.dictionaries(st.text(), PLAIN, max_size=4))
def test_whatever_is_nested_comes_back_with_its_types(attrs: dict[str, Any]) -> None:
    assert typed(through_json(attrs)) == typed(attrs)


@pytest.mark.parametrize(
    "value",
    [
        b"\x00\xff",
        1 + 2j,
        datetime.datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=datetime.UTC),
        datetime.date(2024, 2, 29),
        datetime.time(23, 59, 59, 999999),
        {"$float": "nan"},
        {"$tuple": 1, "b": 2},
        {1: {2.5: "x"}},
        2**70,
        -0.0,
        5e-324,
        math.inf,
    ],
)
def test_what_json_has_no_word_for(value: Any) -> None:
    back = through_json({"it": [value]})["it"][0]
    assert (back, type(back), repr(back)) == (value, type(value), repr(value))


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f8", "i1", "u8", "?", "c16", "M8[ns]", "m8[s]", "U5"])
def test_arrays_and_numpy_s_numbers(dtype: str) -> None:
    array = np.array([[0, 1], [2, 1]]).astype("i8").astype(dtype)
    back = through_json({"array": array, "number": array[0, 1], "none": array[:0]})
    assert back["array"].dtype == array.dtype.newbyteorder("=")
    assert np.array_equal(back["array"], array)
    assert type(back["number"]) is type(array[0, 1])
    assert back["number"] == array[0, 1]
    assert back["none"].shape == (0, 2)


def test_nan_is_those_bits() -> None:
    value = np.frombuffer(b"\x01\x00\x00\x00\x00\x00\xf8\x7f", dtype="<f8")
    assert through_json({"a": value})["a"].tobytes() == value.tobytes()
    assert math.isnan(through_json({"a": [math.nan]})["a"][0])


def test_everything_that_cannot_be_stored_is_named() -> None:
    attrs = {"good": 1, "bad": object(), "deep": [{"x": (1, {3})}], "objects": np.array([None]), 5: 1}
    with pytest.raises(ImagingError) as caught:
        encode_attributes(attrs, where="ct.attrs")
    assert [issue.where for issue in caught.value.issues] == [
        "ct.attrs['bad']",
        "ct.attrs['deep'][0]['x'][1]",
        "ct.attrs['objects']",
        "ct.attrs[5]",
    ]
    assert caught.value.issues[0].got == "object"


def test_a_nesting_without_end_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ImagingError, match="nested too deeply"):
        encode_attributes({"a": endless}, where="attrs")


@pytest.mark.parametrize(
    "value",
    [
        {"$no": 1},
        {"$float": "x"},
        {"$array": "!!", "dtype": "<f8", "shape": [1]},
        {"$array": "AAAA", "dtype": "O", "shape": [1]},
        {"$array": "AAAA", "dtype": "|u1", "shape": [5]},
        {"$bytes": 5},
        {"$date": "yesterday"},
        {"$dict": [[1]]},
    ],
)
def test_damaged_attributes_are_refused(value: Any) -> None:
    with pytest.raises(ImagingError, match="attributes that cannot be read"):
        decode_attributes({"a": value}, where="attrs")

"""Attributes as JSON, and back exactly: also what JSON has no word for.

What JSON has is itself: texts, truth values, whole numbers, finite floating-point numbers (their shortest spelling is
read back to the same bits), None, lists, and dicts whose keys are texts. Anything else becomes a dict with one key that
begins with ``$``: ``{"$float": "nan"}``, ``{"$tuple": [...]}``, ``{"$array": [...], ...}``. A dict of the caller's that
looks like one, or has other keys than texts, becomes ``{"$dict": [[key, value], ...]}``.
"""

from __future__ import annotations

import base64
import datetime
import math
from collections.abc import Callable, Mapping, MutableSequence
from typing import Any

import numpy as np

from braggbook.errors import ImagingError, Issue

_TIMES: dict[str, type[datetime.datetime | datetime.date | datetime.time]] = {
    "$datetime": datetime.datetime,
    "$date": datetime.date,
    "$time": datetime.time,
}
_PLAIN_ARRAYS = "biufcMm"
_DEEPEST = 64  # levels; nothing that a person wrote is deeper, and Python's own JSON reader stops at about 1,000


def encode_attributes(attrs: Mapping[Any, Any], *, where: str) -> dict[str, Any]:
    """Returns attributes as JSON can hold them.

    Raises:
        ImagingError: Some cannot be stored; all of them are listed.
    """
    issues: list[Issue] = []
    encoded = {str(key): _encode(value, f"{where}[{key!r}]", issues) for key, value in attrs.items()}
    issues += [Issue("the key of an attribute is not a text", f"{where}[{k!r}]") for k in attrs if type(k) is not str]
    if issues:
        raise ImagingError("attributes that cannot be stored", where=where, issues=issues)
    return encoded


def _encode(value: Any, where: str, issues: list[Issue], depth: int = 0) -> Any:
    if depth > _DEEPEST:
        issues.append(Issue("nested too deeply", where, wanted=f"at most {_DEEPEST} levels"))
        return None
    if isinstance(value, np.generic | np.ndarray):
        return _encode_array(value, where, issues)
    if value is None or isinstance(value, bool | int | str):
        return value if value is None or isinstance(value, bool) else (str if isinstance(value, str) else int)(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": repr(float(value))}
    if isinstance(value, Mapping):
        return _encode_dict(value, where, issues, depth)
    if isinstance(value, tuple | MutableSequence) and not isinstance(value, bytearray):
        items = [_encode(item, f"{where}[{i}]", issues, depth + 1) for i, item in enumerate(value)]
        return {"$tuple": items} if isinstance(value, tuple) else items
    return _encode_rare(value, where, issues)


def _encode_dict(value: Mapping[Any, Any], where: str, issues: list[Issue], depth: int) -> Any:
    pairs = [
        [_encode(key, f"{where} key", issues, depth + 1), _encode(item, f"{where}[{key!r}]", issues, depth + 1)]
        for key, item in value.items()
    ]
    plain = all(type(key) is str and not key.startswith("$") for key in value)
    return dict(pairs) if plain else {"$dict": pairs}


def _encode_array(value: Any, where: str, issues: list[Issue]) -> Any:
    array = np.asarray(value)
    if array.dtype.kind == "U":
        return {"$array": array.ravel().tolist(), "dtype": array.dtype.str, "shape": list(array.shape), **_of(value)}
    if array.dtype.kind not in _PLAIN_ARRAYS:
        issues.append(Issue("an array of a type that cannot be stored", where, got=str(array.dtype)))
        return None
    little = array.astype(array.dtype.newbyteorder("<"))
    data = base64.b64encode(little.tobytes()).decode()
    return {"$array": data, "dtype": little.dtype.str, "shape": list(array.shape), **_of(value)}


def _of(value: Any) -> dict[str, bool]:
    return {"scalar": True} if isinstance(value, np.generic) else {}


def _encode_rare(value: Any, where: str, issues: list[Issue]) -> Any:
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, complex):
        return {"$complex": [_encode(value.real, where, issues), _encode(value.imag, where, issues)]}
    for word, kind in _TIMES.items():
        if isinstance(value, kind):
            return {word: value.isoformat()}
    wanted = "numbers, texts, dates, bytes, NumPy arrays, and lists, tuples and dicts of them"
    issues.append(Issue("cannot be stored", where, wanted=wanted, got=type(value).__name__))
    return None


def decode_attributes(attrs: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """Returns what :func:`encode_attributes` was given.

    Raises:
        ImagingError: They were not written by it, or are damaged.
    """
    try:
        return {key: _decode(value) for key, value in attrs.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ImagingError("attributes that cannot be read", where=where, got=str(error)[:200]) from error


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    word = next(iter(value), "")
    if not word.startswith("$"):
        return {key: _decode(item) for key, item in value.items()}
    if word == "$array":
        return _decode_array(value)
    return _WORDS[word](value[word])


def _decode_array(value: dict[str, Any]) -> Any:
    dtype = np.dtype(value["dtype"])
    data = value["$array"]
    if dtype.kind not in _PLAIN_ARRAYS + "U":
        raise ValueError(f"an array of type {dtype}")
    if isinstance(data, list):
        array = np.array(data, dtype=dtype)
    else:
        array = np.frombuffer(base64.b64decode(data, validate=True), dtype=dtype).copy()
    array = array.reshape(value["shape"])
    return array[()] if value.get("scalar") else array


_WORDS: dict[str, Callable[[Any], Any]] = {
    "$float": float,
    "$tuple": lambda items: tuple(_decode(item) for item in items),
    "$dict": lambda pairs: {_decode(key): _decode(item) for key, item in pairs},
    "$bytes": lambda text: base64.b64decode(text, validate=True),
    "$complex": lambda parts: complex(*(_decode(part) for part in parts)),
    **{word: kind.fromisoformat for word, kind in _TIMES.items()},
}

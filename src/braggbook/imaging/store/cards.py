"""The ``zarr.json`` of our stores: writing them, and reading them with a clear word on what is wrong.

Source: Zarr core specification, version 3.1, https://zarr-specs.readthedocs.io/en/latest/v3/core/index.html.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from braggbook.errors import ImagingError
from braggbook.formats.common import issues_from
from braggbook.formats.volume import VOLUME_FORMAT, VolumeCard
from braggbook.imaging.store.layout import Layout
from braggbook.imaging.store.shards import COMPRESSION

CARD = "zarr.json"
_LARGEST = 256 << 20  # bytes of a card that is read
# Bytes; ours have 1 MiB and 32 MiB. Whoever says much more wants our memory.
_LARGEST_CHUNK = 64 << 20
_LARGEST_SHARD = 1 << 30


def group_card(attrs: Mapping[str, Any]) -> bytes:
    """Returns the card of a group."""
    return _text({"zarr_format": 3, "node_type": "group", "attributes": dict(attrs)})


def array_card(layout: Layout, *, dtype: np.dtype[Any], dims: Sequence[str], attrs: Mapping[str, Any]) -> bytes:
    """Returns the card of an array whose shards :mod:`braggbook.imaging.store.shards` writes."""
    fill: Any = False if dtype.kind == "b" else 0
    little = {"name": "bytes", "configuration": {"endian": "little"}}
    inner = {
        "chunk_shape": layout.chunk,
        "codecs": [
            little if dtype.itemsize > 1 else {"name": "bytes"},
            {"name": "blosc", "configuration": {**COMPRESSION, "typesize": dtype.itemsize, "blocksize": 0}},
            {"name": "crc32c"},
        ],
        "index_codecs": [little, {"name": "crc32c"}],
        "index_location": "end",
    }
    return _text(
        {
            "zarr_format": 3,
            "node_type": "array",
            "shape": layout.shape,
            "data_type": dtype.name,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": layout.shard}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": [0.0, 0.0] if dtype.kind == "c" else 0.0 if dtype.kind == "f" else fill,
            "codecs": [{"name": "sharding_indexed", "configuration": inner}],
            "dimension_names": dims,
            "attributes": dict(attrs),
        }
    )


def _text(card: Mapping[str, Any]) -> bytes:
    return (json.dumps(card, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        ImagingError: It is missing, too large, or none.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ImagingError("too large for a card", where=str(path), wanted=f"at most {_LARGEST} bytes")
        card = json.loads(path.read_bytes())
    except OSError as error:
        raise ImagingError("cannot read", where=str(path), got=error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise ImagingError("not JSON", where=str(path), got=str(error)[:200]) from error
    if not isinstance(card, dict):
        raise ImagingError("not a card of Zarr", where=str(path), wanted="a JSON object", got=type(card).__name__)
    return card


def read_card(folder: Path) -> tuple[dict[str, Any], VolumeCard]:
    """Returns the attributes of a store, still encoded, and its card.

    Raises:
        ImagingError: It is no store of ours, or of another version.
    """
    where = f"{folder}/{CARD}"
    if not (folder / CARD).is_file():
        raise ImagingError(
            "not a store of volumes",
            where=str(folder),
            wanted="a folder that write_volume wrote",
            got="no such folder" if not folder.is_dir() else f"no {CARD} in it",
            next_command=f"ls -la {folder if folder.is_dir() else folder.parent}",
        )
    attrs = read_json(folder / CARD).get("attributes")
    ours = attrs.pop("braggbook", None) if isinstance(attrs, dict) else None
    if not isinstance(attrs, dict) or not isinstance(ours, dict):
        wanted = 'the attribute "braggbook", which write_volume writes'
        hint = "read_ome, for an OME-Zarr image; zarr.open, for any other store"
        raise ImagingError("a Zarr store, but not one of ours", where=where, wanted=wanted, next_command=hint)
    if ours.get("format") != VOLUME_FORMAT:
        got = str(ours.get("format"))
        hint = "read_ome" if got.startswith("braggbook.ome/") else "pip install --upgrade braggbook"
        raise ImagingError("another format", where=where, wanted=VOLUME_FORMAT, got=got, next_command=hint)
    try:
        return attrs, VolumeCard.model_validate(ours)
    except ValidationError as error:
        issues = issues_from(error, where=f"{where} braggbook", known=VolumeCard)
        raise ImagingError("a card that is not what it should be", where=where, issues=issues) from error


@dataclass(frozen=True)
class StoredArray:
    """What the card of an array says."""

    layout: Layout
    dtype: np.dtype[Any]
    dims: tuple[str, ...]
    attrs: dict[str, Any]  # encoded


def read_array_card(path: Path) -> StoredArray:
    """Reads the card of an array.

    Raises:
        ImagingError: It is not such an array.
    """
    card = read_json(path)
    try:
        inner = card["codecs"][0]["configuration"]
        layout = Layout(
            tuple(map(int, card["shape"])),
            tuple(map(int, inner["chunk_shape"])),
            tuple(map(int, card["chunk_grid"]["configuration"]["chunk_shape"])),
        )
        dtype, attrs = np.dtype(card["data_type"]), dict(card["attributes"])
        dims = tuple(map(str, card["dimension_names"]))
        expected = json.loads(array_card(layout, dtype=dtype, dims=dims, attrs=attrs))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ImagingError("not an array of ours", where=str(path), got=f"{type(error).__name__}: {error}") from error
    ranks = {len(dims), len(layout.shape), len(layout.chunk), len(layout.shard)}
    lengths = (*layout.shape, *layout.chunk, *layout.shard)
    if len(ranks) > 1 or min(lengths) < 1 or any(s % c for s, c in zip(layout.shard, layout.chunk, strict=True)):
        raise ImagingError("not an array of ours", where=str(path), got=str(layout))
    sizes = ((layout.chunk, _LARGEST_CHUNK), (layout.shard, _LARGEST_SHARD))
    if any(math.prod(lengths) * dtype.itemsize > most for lengths, most in sizes):
        wanted = f"at most {_LARGEST_CHUNK} bytes a chunk, {_LARGEST_SHARD} a shard"
        raise ImagingError("chunks that are too large", where=str(path), wanted=wanted, got=str(layout))
    if different := sorted(key for key in expected.keys() | card.keys() if expected.get(key) != card.get(key)):
        got = "; ".join(f"{key}: {json.dumps(card.get(key))[:200]}" for key in different)
        raise ImagingError("an array of ours that was changed", where=str(path), got=got)
    return StoredArray(layout, dtype, dims, attrs)

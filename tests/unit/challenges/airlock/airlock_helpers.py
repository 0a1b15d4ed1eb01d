"""What the tests of the airlock hand in: good predictions of both kinds, and small datasets of inputs."""

from __future__ import annotations

import gzip
import shutil
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from braggbook.challenges.airlock import Checked, check_predictions
from braggbook.datasets.catalogue import Dataset, open_dataset
from braggbook.errors import InputError
from braggbook.files import sha256_bytes
from braggbook.formats.challenge import SubmissionRules
from braggbook.formats.dataset import CARD_NAME, Column, DatasetCard, DatasetFile, write_card
from braggbook.testing.experiments import write_experiment

CASES = ("case_a", "case_b", "case_c")
CANARY = "canary-5f1dF00d5f1dF00d"
DOSE = {"unit": "Gy", "minimum": 0.0, "maximum": 10.0, "meaning": "absorbed dose"}
TABLE = SubmissionRules.model_validate(
    {
        "form": "table",
        "columns": {"dose_gy": DOSE, "lower_gy": DOSE, "upper_gy": DOSE | {"missing": True}},
        "ordered": ({"lower": "lower_gy", "upper": "upper_gy"},),
    }
)
MASKS = SubmissionRules.model_validate({"form": "masks", "labels": {"1": "liver", "2": "spleen"}, "max_mb": 4})
GOOD = "case,dose_gy,lower_gy,upper_gy\ncase_a,1.5,1,2\ncase_b,0.25,0,0.5\ncase_c,3e-1,0.1,\n"
SHAPE = (5, 6, 7)  # x, y, z
AFFINE = np.array([[-2.0, 0, 0, 90.5], [0, 1.5, 0, -120.25], [0, 0, 3.0, 1000.125], [0, 0, 0, 1]])


def dataset(
    folder: Path, files: Mapping[str, bytes], *, columns: Mapping[str, Mapping[str, Column]] | None = None
) -> Dataset:
    """Writes a dataset of those files."""
    listed = []
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        described = dict((columns or {}).get(name, {}))
        listed.append(DatasetFile(path=name, sha256=sha256_bytes(data), bytes=len(data), columns=described))
    card = DatasetCard(
        title="Inputs", version=1, license="CC0-1.0", provenance="made up", abstract=CANARY, files=tuple(listed)
    )
    write_card(folder / CARD_NAME, card)
    return open_dataset(folder)


COUNTS = "case,cells,dicentrics,remark\ncase_a,500,12,scored by two readers\ncase_b,500,3,one slide\ncase_c,900,20,\n"


def table_inputs(folder: Path) -> Dataset:
    """Returns inputs that are a table."""
    columns = {
        "case": Column(type="text", meaning="case"),
        "cells": Column(type="integer", unit="1", meaning="cells scored"),
        "dicentrics": Column(type="integer", unit="1", meaning="dicentrics counted"),
        "remark": Column(type="text", meaning="remark", missing=True),
    }
    return dataset(folder / "inputs", {"counts.csv": COUNTS.encode()}, columns={"counts.csv": columns})


def nifti(
    values: Any, *, affine: Any = AFFINE, form: str = "both", version: int = 1, big: bool = False, **header: Any
) -> bytes:
    """Returns a NIfTI file as another program (nibabel) writes it, packed with gzip."""
    kind = {1: nib.Nifti1Image, 2: nib.Nifti2Image}[version]
    template = kind.header_class(endianness=">" if big else "<")
    image = kind(np.asarray(values), affine, header=template, dtype=np.asarray(values).dtype)
    image.set_sform(affine, code=1 if form in ("both", "sform") else 0)
    image.set_qform(affine, code=1 if form in ("both", "qform") else 0)
    for name, value in header.items():
        image.header[name] = value
    return gzip.compress(image.to_bytes(), mtime=1)


def labels(seed: int = 0, *, dtype: str = "u1") -> np.ndarray[Any, Any]:
    """Returns a small mask with every declared label."""
    return np.random.default_rng(seed).integers(0, 3, SHAPE).astype(dtype)


def patched(data: bytes, offset: int, layout: str, *values: Any) -> bytes:
    """Changes bytes of a packed file's header."""
    plain = bytearray(gzip.decompress(data))
    struct.pack_into(layout, plain, offset, *values)
    return gzip.compress(bytes(plain), mtime=1)


def mask_inputs(folder: Path) -> Dataset:
    """Returns inputs that are an image for each case."""
    files = {f"{case}.nii.gz": nifti(labels(number, dtype="i2") * 100) for number, case in enumerate(CASES)}
    return dataset(folder / "inputs", files)


GOOD_MASKS = {f"masks/{case}.nii.gz": nifti(labels(number)) for number, case in enumerate(CASES)}


@dataclass
class Room:
    """A folder to hand things in from, and what is looked at afterwards."""

    folder: Path
    rules: SubmissionRules = TABLE
    cases: Sequence[str] = CASES
    canaries: Sequence[str] = (CANARY,)
    inputs: Dataset = field(init=False)

    def __post_init__(self) -> None:
        self.inputs = (table_inputs if self.rules.form == "table" else mask_inputs)(self.folder)

    @property
    def target(self) -> Path:
        return self.folder / "estimate"

    def hand_in(self, files: Mapping[str, bytes | str]) -> Path:
        """Writes files into a folder of its own."""
        place = self.folder / "handed_in"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for name, data in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(data.encode() if isinstance(data, str) else data)
        return place

    def check(self, files: Mapping[str, bytes | str] | Path) -> Checked:
        """Checks predictions; the target is complete afterwards, or absent."""
        shutil.rmtree(self.target, ignore_errors=True)
        return self.check_again(files)

    def check_again(self, files: Mapping[str, bytes | str] | Path) -> Checked:
        """Checks predictions, whatever stands in the target."""
        place = files if isinstance(files, Path) else self.hand_in(files)
        checked = check_predictions(
            place, self.target, rules=self.rules, inputs=self.inputs, cases=self.cases, canaries=self.canaries
        )
        self.assert_whole(checked)
        return checked

    def table(self, text: str | bytes) -> Checked:
        """Checks a table."""
        return self.check({self.rules.file: text})

    def mask(self, data: bytes, case: str = CASES[0]) -> Checked:
        """Checks good masks of which one was replaced."""
        return self.check(GOOD_MASKS | {f"masks/{case}.nii.gz": data})

    def assert_whole(self, checked: Checked) -> None:
        """The target is complete where nothing is wrong, and otherwise there is nothing, not even a scratch folder."""
        assert not [path.name for path in self.folder.iterdir() if path.name.endswith(".part")]
        if checked.issues:
            assert checked.digest is None
            assert not self.target.exists()
        else:
            written = open_dataset(self.target)
            assert written.digest == checked.digest
            for file in written.card.files:
                assert sha256_bytes((self.target / file.path).read_bytes()) == file.sha256


def refusal(error: InputError) -> str:
    """Returns all that a refusal says."""
    return f"{error}\n" + "\n".join(map(str, error.issues))


def notebook(folder: Path, slug: str = "my_method", *, datasets: Sequence[str] = ("inputs@1",)) -> Path:
    """Writes a participant's notebook that keeps to the contract."""
    results = {"cases": {"kind": "scalar", "unit": "1"}}
    return write_experiment(folder, slug, code=["print(1)"], results=results, front={"datasets": list(datasets)})


def zip_of(path: Path, files: Mapping[str, bytes | str]) -> Path:
    """Writes a zip, its names as they are."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path

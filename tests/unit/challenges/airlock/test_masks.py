"""Masks: what is taken, how it is written anew, and what every refusal says."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its own documentation's name
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from braggbook.challenges.airlock.nifti import HEADER_BYTES, NiftiProblem, Unpacked, apart_mm, mask_bytes, parse_header
from braggbook.errors import DatasetError
from braggbook.imaging.store.nifti import write_nifti
from braggbook.imaging.store.nifti_read import read_nifti
from braggbook.imaging.volumes import grid_of, make_volume

from .airlock_helpers import AFFINE, CASES, GOOD_MASKS, MASKS, SHAPE, Room, labels, nifti, patched

TURNED = np.array([[1.2, -0.9, 0.1, 7], [0.8, 1.3, 0.2, -40], [-0.2, 0.1, 2.4, 130], [0, 0, 0, 1.0]])


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path, rules=MASKS)


def test_good_masks_are_written_anew_on_the_grid_of_their_images(room: Room) -> None:
    checked = room.check(GOOD_MASKS)
    assert (checked.issues, checked.missing) == ([], ())
    for number, case in enumerate(CASES):
        path = room.target / f"{case}.nii.gz"
        image = nib.load(path)
        assert image.get_data_dtype() == np.uint8
        assert np.array_equal(np.asanyarray(image.dataobj), labels(number))
        assert np.array_equal(image.affine, AFFINE)
        ours, theirs = read_nifti(path)["image"], read_nifti(room.inputs.folder / path.name)["image"]
        assert grid_of(ours).is_same(grid_of(theirs))
        assert np.array_equal(ours.to_numpy(), labels(number).T)


@pytest.mark.parametrize("dtype", ["i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
@pytest.mark.parametrize("big", [False, True])
def test_however_labels_are_stored_they_are_the_same(room: Room, dtype: str, big: bool) -> None:
    same = room.check(GOOD_MASKS).digest
    stored = nifti(labels(0, dtype=(">" if big else "<") + dtype), big=big)
    checked = room.mask(stored)
    assert (checked.issues, checked.digest) == ([], same)


@pytest.mark.parametrize("options", [{"form": "sform"}, {"form": "qform"}, {"version": 2}, {"descrip": b"by a person"}])
def test_however_the_header_is_written_it_is_the_same(room: Room, options: dict[str, Any]) -> None:
    checked = room.mask(nifti(labels(0), **options))
    assert (checked.issues, checked.digest) == ([], room.check(GOOD_MASKS).digest)


def test_extensions_and_names_in_the_file_are_not_copied(room: Room) -> None:
    image = nib.Nifti1Image(labels(0), AFFINE)
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"a remark of the participant"))
    checked = room.mask(gzip.compress(image.to_bytes()))
    assert checked.digest == room.check(GOOD_MASKS).digest
    assert b"remark" not in gzip.decompress((room.target / "case_a.nii.gz").read_bytes())


def test_a_mask_off_by_less_than_a_thousandth_millimetre_is_put_on_the_grid(room: Room) -> None:
    moved = AFFINE.copy()
    moved[0, 3] += 5e-4
    assert room.mask(nifti(labels(0), affine=moved)).digest == room.check(GOOD_MASKS).digest


def test_labels_above_255_are_written_as_they_are(tmp_path: Path) -> None:
    room = Room(tmp_path, rules=MASKS.model_copy(update={"labels": {"1": "liver", "300": "spleen"}}))
    masks = {
        name: nifti(np.where(labels(number) == 2, np.int16(300), labels(number, dtype="i2")))
        for number, name in enumerate(GOOD_MASKS)
    }
    assert not room.check(masks).issues
    assert np.unique(np.asanyarray(nib.load(room.target / "case_a.nii.gz").dataobj)).tolist() == [0, 1, 300]


def moved(by: float, row: int = 0, column: int = 3) -> np.ndarray[Any, Any]:
    affine = AFFINE.copy()
    affine[row, column] += by
    return affine


MASK = nifti(labels(0))
FLOATS = labels(0, dtype="f4")
REFUSED: list[tuple[bytes, str]] = [
    (b"", "it is cut off; hand it in again, whole"),
    (MASK[:-1], "it is cut off"),
    (MASK[:30], "it is cut off"),
    (gzip.compress(gzip.decompress(MASK)[:-1]), "fewer voxels than the header announces; hand it in again, whole"),
    (gzip.compress(gzip.decompress(MASK)[:200]), "not a NIfTI file"),
    (gzip.decompress(MASK), "not a gzip file, or a damaged one; write it as .nii.gz again"),
    (MASK[:40] + b"\xff\xff" + MASK[42:], "damaged"),
    (MASK + b"\0", "bytes behind the end of the gzip stream"),
    (MASK + gzip.compress(b"more"), "bytes behind the end of the gzip stream"),
    (gzip.compress(gzip.decompress(MASK) + b"\0"), "more bytes than the header announces"),
    (gzip.compress(b"\x93NUMPY" + bytes(600)), 'not a NIfTI file of one piece (magic "n+1")'),
    (patched(MASK, 344, "4s", b"ni1\0"), "not a NIfTI file of one piece"),
    (patched(MASK, 0, "<i", 349), "a header of another length"),
    (patched(MASK, 40, "<2h", 3, 6), "another shape than the image of its case; write it on the image's own grid"),
    (patched(MASK, 40, "<8h", 4, *SHAPE, 2, 1, 1, 1), "not three dimensions"),
    (patched(MASK, 40, "<h", 2), "not three dimensions"),
    (patched(MASK, 42, "<h", -5), "not three dimensions"),
    (patched(MASK, 70, "<hh", 128, 24), "a datatype that a mask cannot have; write uint8"),
    (patched(MASK, 70, "<hh", 32, 64), "a datatype that a mask cannot have"),
    (patched(MASK, 72, "<h", 16), "a datatype that a mask cannot have"),
    (patched(MASK, 108, "<f", float("nan")), "voxels that begin at no possible place"),
    (patched(MASK, 108, "<f", 0.0), "voxels that begin at no possible place"),
    (patched(MASK, 108, "<f", 1e9), "voxels that begin at no possible place"),
    (patched(MASK, 112, "<f", float("nan")), "its values are scaled; write labels as they are"),
    (patched(MASK, 112, "<ff", 2.0, 0.0), "its values are scaled"),
    (patched(MASK, 112, "<ff", 1.0, float("inf")), "its values are scaled"),
    (nifti(labels(0), affine=moved(2e-3)), "its voxels lie elsewhere than the image's (affine); copy the image's affine"),
    (nifti(labels(0), affine=moved(1e-2, 0, 1), form="sform"), "its voxels lie elsewhere"),
    (nifti(labels(0), affine=np.diag([-1.0, -1, 1, 1]) @ AFFINE), "its voxels lie elsewhere"),
    (nifti(labels(0), affine=AFFINE, form="none"), "it does not say where its voxels are"),
    (nifti(labels(0), xyzt_units=7), "a unit of length that NIfTI does not have"),
    (nifti(labels(0), xyzt_units=1), "its voxels lie elsewhere"),
    (patched(MASK, 280, "<f", float("nan")), "an affine that is not finite"),
    (patched(MASK, 292, "<f", float("inf")), "an affine that is not finite"),
    (patched(MASK, 292, "<f", 3e38), "sform and qform place the voxels differently"),
    (patched(MASK, 268, "<f", 50.0), "sform and qform place the voxels differently"),
    (patched(nifti(labels(0), form="qform"), 256, "<f", 3.0), "a qform that is no rotation"),
    (patched(nifti(labels(0), form="qform"), 80, "<f", float("nan")), "an affine that is not finite"),
    (nifti(labels(0) + 1), "a label that the design does not declare; only 0, 1, 2"),
    (nifti(-labels(0, dtype="i2")), "a label that the design does not declare"),
    (nifti(labels(0, dtype="u8") * (1 << 63)), "a label that the design does not declare"),
    (nifti(FLOATS / 2), "voxels that are no whole numbers; write labels, not probabilities"),
    (nifti(np.where(FLOATS == 2, np.nan, FLOATS)), "voxels that are NaN or infinite"),
    (nifti(np.where(FLOATS == 2, np.inf, FLOATS)), "voxels that are NaN or infinite"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "words"), REFUSED, ids=[f"{n}-{words}" for n, (_, words) in enumerate(REFUSED)])
def test_what_is_wrong_is_said_with_its_file(room: Room, data: bytes, words: str) -> None:
    (issue,) = room.mask(data).issues
    assert issue.startswith("masks/case_a.nii.gz: ")
    assert words in issue


def test_missing_unknown_and_misspelt_masks_are_refused_at_once(room: Room) -> None:
    masks = dict(zip(["masks/Case_A.nii.gz", "masks/secret.nii.gz", "case_c.nii.gz"], GOOD_MASKS.values(), strict=True))
    issues = room.check(masks).issues
    assert "the files in masks: the mask of case_a is spelled in another way" in issues
    assert "the files in masks: a mask of a case that is not known" in issues
    assert "the files: a mask in another place; wanted only masks/<case>.nii.gz" in issues
    assert "secret" not in "".join(issues)


def test_left_out_cases_are_missing_where_the_rules_allow_it(tmp_path: Path, room: Room) -> None:
    one = {"masks/case_b.nii.gz": GOOD_MASKS["masks/case_b.nii.gz"]}
    assert room.check(one).issues == ["masks: 2 cases are missing: case_a, case_c; wanted all 3 cases"]
    (tmp_path / "lenient").mkdir()
    lenient = Room(tmp_path / "lenient", rules=MASKS.model_copy(update={"incomplete": "missing"}))
    assert lenient.check(one).missing == ("case_a", "case_c")
    assert [path.name for path in lenient.target.glob("*.nii.gz")] == ["case_b.nii.gz"]


def test_every_mask_is_looked_at_before_anything_is_said(room: Room) -> None:
    issues = room.check(dict.fromkeys(GOOD_MASKS, MASK[:50])).issues
    assert [issue.partition(":")[0] for issue in issues] == list(GOOD_MASKS)


def test_inputs_that_cannot_be_read_are_not_the_participants_fault(room: Room) -> None:
    (room.inputs.folder / "case_a.nii.gz").write_bytes(b"no image")
    with pytest.raises(DatasetError, match="the image of a case cannot be read"):
        room.check(GOOD_MASKS)
    (room.inputs.folder / "case_a.nii.gz").unlink()
    with pytest.raises(DatasetError, match="no image of a case"):
        room.check(GOOD_MASKS)
    assert not room.target.exists()


@pytest.mark.parametrize("affine", [AFFINE, TURNED])
def test_masks_that_itk_writes_are_taken(room: Room, affine: np.ndarray[Any, Any]) -> None:
    turn, _ = np.linalg.qr(affine[:3, :3])  # ITK's axes stand at right angles
    affine = np.block([[turn * [1.5, 0.7, 2.0], affine[:3, 3:]], [np.eye(4)[3]]])
    (room.inputs.folder / "case_a.nii.gz").write_bytes(nifti(labels(0, dtype="i2"), affine=affine))
    image = sitk.ReadImage(room.inputs.folder / "case_a.nii.gz")
    mask = sitk.GetImageFromArray(labels(0).T)
    mask.CopyInformation(image)
    sitk.WriteImage(mask, room.folder / "by_itk.nii.gz")
    checked = room.mask((room.folder / "by_itk.nii.gz").read_bytes())
    assert not checked.issues
    written = sitk.ReadImage(room.target / "case_a.nii.gz")
    assert np.array_equal(sitk.GetArrayFromImage(written), labels(0).T)
    assert written.GetDirection() == pytest.approx(image.GetDirection())
    assert written.GetOrigin() == pytest.approx(image.GetOrigin())


def test_masks_that_braggbook_writes_are_taken(room: Room) -> None:
    image = read_nifti(room.inputs.folder / "case_a.nii.gz")["image"]
    mask = make_volume(labels(0).T, grid_of(image), name="mask", units="1")
    data = write_nifti(mask, room.folder / "ours.nii.gz", sidecar=False).read_bytes()
    assert room.mask(data).digest == room.check(GOOD_MASKS).digest is not None


@pytest.mark.parametrize("affine", [AFFINE, TURNED])
@pytest.mark.parametrize("form", ["sform", "qform"])
def test_affines_are_those_that_nibabel_reads(affine: np.ndarray[Any, Any], form: str) -> None:
    data = gzip.decompress(nifti(labels(0), affine=affine, form=form))
    header = parse_header(data[:HEADER_BYTES])
    theirs = nib.Nifti1Image.from_bytes(data)
    assert header.shape == theirs.shape
    assert apart_mm(header.affine, theirs.affine, shape=SHAPE) < 1e-4  # single-precision quaternions
    again = parse_header(gzip.decompress(mask_bytes(labels(0), header.places))[:HEADER_BYTES])
    assert np.array_equal(again.affine, header.affine)


def test_no_more_is_unpacked_than_is_asked_for() -> None:
    taken: list[int] = []
    bomb = gzip.compress(bytes(50 << 20))

    class Source:
        def read(self, size: int) -> bytes:
            taken.append(size)
            return bomb if len(taken) == 1 else b""

    unpacked = Unpacked(Source())  # type: ignore[arg-type]
    assert len(unpacked.read(1000)) == 1000
    with pytest.raises(NiftiProblem, match="more bytes"):
        unpacked.finish()


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
def test_damage_is_a_refusal_or_harmless_and_never_half_a_dataset(room: Room, data: st.DataObject) -> None:
    plain = bytearray(gzip.decompress(MASK))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, 351))
        piece = data.draw(st.binary(min_size=1, max_size=4) | st.sampled_from([struct.pack("<f", float("nan"))]))
        plain[start : start + len(piece)] = piece
    packed = bytearray(gzip.compress(bytes(plain)))
    if data.draw(st.booleans()):
        packed[data.draw(st.integers(0, len(packed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    checked = room.mask(bytes(packed))  # which asserts that the target is complete or absent
    assert bool(checked.issues) != bool(checked.digest)

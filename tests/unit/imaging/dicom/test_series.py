"""How frames become volumes: rules on their own, where a folder of files would hide them."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from braggbook.errors import DicomError
from braggbook.imaging.dicom.frames import Frame
from braggbook.imaging.dicom.images import ImageHeader
from braggbook.imaging.dicom.planes import SPACING_MM, apart, place_planes, tolerance_mm
from braggbook.imaging.dicom.series import Decision, choose, parts_of


@dataclass(frozen=True)
class Named:
    name: str = field(default="one.dcm")

    def open(self):
        raise AssertionError("no file is needed to place planes")

    def __str__(self):
        return self.name


def frame(z: float, *, x: float = 0.0, y: float = 0.0, axes=(1, 0, 0, 0, 1, 0), **tags) -> Frame:
    geometry = {"ImagePositionPatient": [x, y, z], "ImageOrientationPatient": list(axes), "PixelSpacing": [1.0, 1.0]}
    common = {
        "Rows": 4,
        "Columns": 5,
        "BitsAllocated": 16,
        "Modality": "CT",
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
    }
    return Frame(ImageHeader(Named(f"z{z:g}.dcm"), "1.2.840.10008.1.2.1", {**common, **geometry, **tags}), 0, {})


class TestPlacing:
    @settings(deadline=None, max_examples=60)
    @given(
        count=st.integers(2, 40),
        spacing=st.floats(0.3, 12),
        tilt=st.floats(-0.5, 0.5),
        angle=st.floats(0, 6.28),
        seed=st.integers(0, 1000),
    )
    def test_any_even_stack_is_placed_where_it_is(self, count, spacing, tilt, angle, seed):
        rng = np.random.default_rng(seed)
        row, column = np.array([np.cos(angle), np.sin(angle), 0]), np.array([-np.sin(angle), np.cos(angle), 0])
        step = np.array([0, 0, spacing]) + column * tilt * spacing
        first = rng.normal(0, 100, 3)
        places = first + np.arange(count)[:, None] * step
        frames = [frame(z, x=x, y=y, axes=(*row, *column)) for x, y, z in places]
        planes = place_planes(frames)
        assert planes.index == tuple(range(count))
        found = planes.grid.to_patient([(0, 0, k) for k in range(count)])
        np.testing.assert_allclose(found, places, atol=0.1)  # a sideways shift below this is taken for none

    def test_tolerance_follows_the_rule_for_thin_usual_and_thick_slices(self):
        assert tolerance_mm(3.27) == SPACING_MM
        assert tolerance_mm(10) == pytest.approx(0.2)
        assert tolerance_mm(0.1) == pytest.approx(0.025)

    def test_a_gap_in_slices_of_a_twentieth_of_a_millimetre_is_still_a_gap(self):
        with pytest.raises(DicomError, match="missing slices"):
            place_planes([frame(z) for z in (0, 0.05, 0.1, 0.2, 0.25)])

    def test_several_gaps_are_all_listed(self):
        with pytest.raises(DicomError) as error:
            place_planes([frame(z) for z in (0, 1, 2, 4, 5, 6, 9, 10)])
        assert [issue.got for issue in error.value.issues] == ["2.0000 mm", "3.0000 mm"]

    def test_marked_slices_keep_their_places(self):
        planes = place_planes([frame(z) for z in (0, 1, 2, 4, 5, 8)], gaps="mark")
        assert planes.index == (0, 1, 2, 4, 5, 8)
        assert planes.missing == (3, 6, 7)

    def test_places_that_are_one(self):
        assert apart(np.array([3.0, 0.0, 3.0004, 1.5])) == [[1], [3], [0, 2]]


class TestParts:
    def test_a_plain_series_is_one_part(self):
        parts = parts_of([frame(z) for z in (4, 2, 0, 6)])
        assert [part.size for part in parts] == [4]
        assert [float(each.position_mm[2]) for each in parts[0].rows[0]] == [0, 2, 4, 6]
        assert choose(parts, None).findings == ()

    def test_a_small_turned_part_is_taken_for_a_localiser(self):
        parts = parts_of([*(frame(z) for z in range(8)), frame(0, axes=(0, 1, 0, 0, 0, -1))])
        assert [part.kind for part in parts] == ["volume", "localiser"]
        finding = choose(parts, None).findings[0]
        assert (finding.pitfall, finding.decision) == ("localiser", Decision.SPLIT)

    def test_two_stacks_of_a_size_need_a_choice(self):
        parts = parts_of([*(frame(z) for z in range(4)), *(frame(z, axes=(0, 1, 0, 0, 0, -1), x=z) for z in range(4))])
        with pytest.raises(DicomError, match="2 volumes") as error:
            choose(parts, None)
        assert len(error.value.issues) == 2
        with pytest.raises(DicomError, match="no such part"):
            choose(parts, 2)

    def test_cosines_that_differ_in_the_last_digit_are_one_orientation(self):
        frames = [frame(z, axes=(1, z * 1e-6, 0, 0, 1, 0)) for z in range(5)]
        assert [part.size for part in parts_of(frames)] == [5]

    def test_uneven_duplicates_are_listed_with_their_places(self):
        parts = parts_of([frame(z) for z in (0, 1, 2, 2, 3)])
        with pytest.raises(DicomError, match="no tag tells apart") as error:
            choose(parts, None)
        assert [issue.what for issue in error.value.issues] == ["2 frames at z = 2.00 mm"]

    def test_echoes_and_gradient_directions_together(self):
        frames = [
            frame(z, DiffusionBValue=b, **({"DiffusionGradientOrientation": list(g)} if g else {}))
            for z in range(3)
            for b, g in ((0.0, None), (1000.0, (1.0, 0.0, 0.0)), (1000.0, (0.0, 1.0, 0.0)))
        ]
        part = choose(parts_of(frames), None)
        assert part.times["DiffusionBValue"] == (0, 1000, 1000)
        assert [len(row) for row in part.rows] == [3, 3, 3]

    def test_trigger_times_that_drift_from_slice_to_slice_count_by_their_order(self):
        frames = [frame(z, TriggerTime=100.0 * phase + z) for z in range(3) for phase in (2, 0, 1)]
        part = choose(parts_of(frames), None)
        assert [[float(each.get("TriggerTime")) for each in row] for row in part.rows] == [
            [0, 1, 2],
            [100, 101, 102],
            [200, 201, 202],
        ]

    def test_an_image_without_a_place_among_others_is_refused(self):
        lost = Frame(
            ImageHeader(Named("lost.dcm"), "1.2.840.10008.1.2.1", {"Rows": 4, "Columns": 5, "Modality": "CT"}), 0, {}
        )
        with pytest.raises(DicomError, match="do not say where they are") as error:
            parts_of([frame(0), frame(1), lost])
        assert error.value.issues[0].where == "lost.dcm"

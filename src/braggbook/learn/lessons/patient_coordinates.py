"""Tutorial 5: from DICOM files to a volume in patient coordinates.

Conventions: LPS, mm, voxel centres; an index is (column, row, slice), an array [slice, row, column].
Source: DICOM PS3.3 C.7.6.2.1.1 (image plane), 10.7.1.3 (pixel spacing), C.11.1.1.2 (rescale).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from braggbook.learn import Choice, Figure, Function, Invariant, Lesson, Number, Slip, Values

Vector = list[float]

# The series of the tutorial: (InstanceNumber, ImagePositionPatient) in the order of the files.
_FILES: list[tuple[int, Vector]] = [
    (4, [-76.4, -45.3, 92.4]),
    (8, [-76.4, -59.3, 81.9]),
    (1, [-76.4, -36.9, 98.7]),
    (7, [-76.4, -56.5, 84.0]),
    (3, [-76.4, -42.5, 94.5]),
    (5, [-76.4, -50.9, 88.2]),
    (2, [-76.4, -39.7, 96.6]),
    (6, [-76.4, -53.7, 86.1]),
]
_ROW, _COLUMN = [1.0, 0.0, 0.0], [0.0, 0.6, -0.8]
_BETWEEN_ROWS, _BETWEEN_COLUMNS = 1.25, 0.8  # mm, PixelSpacing as in the file
_THICKNESS = 3.0  # mm
_TUMOUR_VOXELS, _TUMOUR_SPACING = 17090, (3.27, 0.976562, 0.976562)  # patient STS_002; mm (z, y, x)


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _cross(one: Sequence[float], other: Sequence[float]) -> Vector:
    a, b, c = one
    d, e, f = other
    return [b * f - c * e, c * d - a * f, a * e - b * d]


def _scaled(vector: Sequence[float], by: float) -> Vector:
    return [by * part for part in vector]


def _unit(vector: Sequence[float]) -> Vector:
    return _scaled(vector, 1 / math.sqrt(_dot(vector, vector)))


def _sum(*vectors: Sequence[float]) -> Vector:
    return [sum(parts) for parts in zip(*vectors, strict=True)]


def _three(answer: Any) -> Vector:
    """Returns what a student's function gave as three plain numbers, NaN where it gave anything else."""
    try:
        x, y, z = (float(part) for part in answer)
    except (TypeError, ValueError):
        return [math.nan] * 3
    return [x, y, z]


def _near(one: Sequence[float], other: Sequence[float]) -> bool:
    return len(one) == len(other) and all(abs(a - b) < 1e-6 for a, b in zip(one, other, strict=True))


# --- q2: the normal


def _normal(row: Sequence[float], column: Sequence[float]) -> Vector:
    return _cross(row, column)


def _directions(rng: random.Random) -> tuple[Vector, Vector]:
    """Returns two random directions at right angles, none of them near an axis."""
    row = _unit([rng.uniform(0.3, 1.0) * rng.choice((-1, 1)) for _ in range(3)])
    other = _unit([rng.uniform(0.3, 1.0), rng.uniform(-1.0, -0.3), rng.uniform(0.3, 1.0)])
    beside = _sum(other, _scaled(row, -_dot(other, row)))
    if _dot(beside, beside) < 0.05:
        return _directions(rng)
    return row, _unit(beside)


def _draw_directions(rng: random.Random) -> dict[str, Vector]:
    row, column = _directions(rng)
    return {"row": row, "column": column}


def _is_upright(function: Callable[..., Any], rng: random.Random) -> bool:
    row, column = _directions(rng)
    found = _three(function(row=row, column=column))
    return abs(_dot(found, row)) < 1e-6 and abs(_dot(found, column)) < 1e-6


def _has_length_one(function: Callable[..., Any], rng: random.Random) -> bool:
    row, column = _directions(rng)
    found = _three(function(row=row, column=column))
    return abs(_dot(found, found) - 1) < 1e-6


# --- q3, q4: slices along the normal


def _along(places: Sequence[Vector]) -> Vector:
    normal = _cross(_ROW, _COLUMN)
    return [_dot(place, normal) for place in places]


def _steps() -> tuple[Vector, Vector]:
    """Returns where each step begins, and how long it is."""
    order = sorted(_along([place for _, place in _FILES]))
    return order[:-1], [after - before for before, after in pairwise(order)]


def _step_mm() -> float:
    steps = sorted(_steps()[1])
    return steps[len(steps) // 2]


def _mean_step_mm() -> float:
    steps = _steps()[1]
    return sum(steps) / len(steps)


def _right_curve() -> dict[str, tuple[Vector, Vector]]:
    return {"steps": _steps()}


def _unsorted_curve() -> dict[str, tuple[Vector, Vector]]:
    order = _along([place for _, place in _FILES])
    return {"steps": (order[:-1], [after - before for before, after in pairwise(order)])}


def _numbered_curve() -> dict[str, tuple[Vector, Vector]]:
    """By InstanceNumber, which runs against the normal here."""
    order = _along([place for _, place in sorted(_FILES)])
    return {"steps": (order[:-1], [after - before for before, after in pairwise(order)])}


def _z_curve() -> dict[str, tuple[Vector, Vector]]:
    order = sorted(place[2] for _, place in _FILES)
    return {"steps": (order[:-1], [after - before for before, after in pairwise(order)])}


def _counted_curve() -> dict[str, tuple[Vector, Vector]]:
    steps = _steps()[1]
    return {"steps": ([float(number) for number in range(len(steps))], steps)}


def _ends_curve() -> dict[str, tuple[Vector, Vector]]:
    starts, steps = _steps()
    return {"steps": ([start + step for start, step in zip(starts, steps, strict=True)], steps)}


# --- q5: one voxel


def _place(columns_mm: float, rows_mm: float) -> Vector:
    """Returns the place so far along the row, and so far along the column, of the slice with InstanceNumber 8."""
    first = next(place for number, place in _FILES if number == 8)
    return _sum(first, _scaled(_ROW, columns_mm), _scaled(_COLUMN, rows_mm))


def _voxel() -> Vector:
    return _place(10 * _BETWEEN_COLUMNS, 20 * _BETWEEN_ROWS)


def _voxel_spacing_swapped() -> Vector:
    return _place(10 * _BETWEEN_ROWS, 20 * _BETWEEN_COLUMNS)


def _voxel_index_swapped() -> Vector:
    return _place(20 * _BETWEEN_COLUMNS, 10 * _BETWEEN_ROWS)


def _voxel_from_corner() -> Vector:
    return _place(10.5 * _BETWEEN_COLUMNS, 20.5 * _BETWEEN_ROWS)


def _voxel_from_one() -> Vector:
    return _place(9 * _BETWEEN_COLUMNS, 19 * _BETWEEN_ROWS)


def _voxel_as_ras() -> Vector:
    x, y, z = _voxel()
    return [-x, -y, z]


def _voxel_as_axial() -> Vector:
    first = next(place for number, place in _FILES if number == 8)
    return _sum(first, [10 * _BETWEEN_COLUMNS, 20 * _BETWEEN_ROWS, 0.0])


def _voxel_without_spacing() -> Vector:
    return _place(10.0, 20.0)


# --- q6: the inverse


def _forward(affine: Sequence[Sequence[float]], index: Sequence[float]) -> Vector:
    return [_dot(line[:3], index) + line[3] for line in affine[:3]]


def _to_index(affine: Sequence[Sequence[float]], point_mm: Sequence[float]) -> Vector:
    """Cramer's rule: the rows of the inverse are cross products of the columns over the determinant."""
    return _solved(affine, [point - line[3] for point, line in zip(point_mm, affine[:3], strict=True)])


def _solved(affine: Sequence[Sequence[float]], step: Sequence[float]) -> Vector:
    a, b, c = ([line[number] for line in affine[:3]] for number in range(3))
    whole = _dot(a, _cross(b, c))
    return [_dot(step, product) / whole for product in (_cross(b, c), _cross(c, a), _cross(a, b))]


def _without_origin(affine: Sequence[Sequence[float]], point_mm: Sequence[float]) -> Vector:
    return _solved(affine, point_mm)


def _transposed(affine: Sequence[Sequence[float]], point_mm: Sequence[float]) -> Vector:
    step = [point - line[3] for point, line in zip(point_mm, affine[:3], strict=True)]
    return [_dot([line[number] for line in affine[:3]], step) for number in range(3)]


def _there(affine: Sequence[Sequence[float]], point_mm: Sequence[float]) -> Vector:
    return _forward(affine, point_mm)


def _array_order(affine: Sequence[Sequence[float]], point_mm: Sequence[float]) -> Vector:
    return _to_index(affine, point_mm)[::-1]


def _rounded(affine: Sequence[Sequence[float]], point_mm: Sequence[float]) -> Vector:
    return [float(round(part)) for part in _to_index(affine, point_mm)]


def _draw_affine(rng: random.Random) -> list[Vector]:
    row, column = _directions(rng)
    axes = [row, column, _cross(row, column)]
    steps = [rng.uniform(0.5, 0.9), rng.uniform(1.1, 1.6), rng.uniform(2.0, 5.0)]
    first = [rng.uniform(-200.0, -50.0) for _ in range(3)]
    lines = [[axis[number] * step for axis, step in zip(axes, steps, strict=True)] for number in range(3)]
    return [[*line, first[number]] for number, line in enumerate(lines)] + [[0.0, 0.0, 0.0, 1.0]]


def _draw_point(rng: random.Random) -> dict[str, Any]:
    affine = _draw_affine(rng)
    return {"affine": affine, "point_mm": _forward(affine, [rng.uniform(0.1, 60.0) for _ in range(3)])}


def _comes_back(function: Callable[..., Any], rng: random.Random) -> bool:
    affine = _draw_affine(rng)
    index = [rng.uniform(0.1, 60.0) for _ in range(3)]
    return _near(_three(function(affine=affine, point_mm=_forward(affine, index))), index)


def _finds_the_first(function: Callable[..., Any], rng: random.Random) -> bool:
    affine = _draw_affine(rng)
    return _near(_three(function(affine=affine, point_mm=[line[3] for line in affine[:3]])), [0.0, 0.0, 0.0])


# --- q10: the volume


def _volume_cc() -> float:
    return _TUMOUR_VOXELS * math.prod(_TUMOUR_SPACING) / 1000


_SPACING = Choice(
    "q1",
    asks="PixelSpacing is 1.25\\0.8: how far is it to the next column of the same row?",
    options={
        "a": "1.25 mm: the first number belongs to columns, as x comes before y",
        "b": "0.8 mm: the second number is the distance between neighbouring columns",
        "c": "it depends on the numbers of Rows and Columns",
        "d": "it depends on the orientation of the image",
    },
    right="b",
    slips={
        "a": "This takes the two numbers in the order x, y. DICOM gives the distance between rows first, and going "
        "from row to row is going down the image.",
        "c": "Rows and Columns say how many pixels there are; the spacing is in mm from centre to centre.",
        "d": "The orientation says in which direction of the patient the step goes, not how long it is.",
    },
    because="Row spacing comes first; the next column is a column spacing away.",
    hints=(
        "Ask what each number is the distance between.",
        "PixelSpacing = (distance between rows) \\ (distance between columns).",
        "between_rows, between_columns = 1.25, 0.8; a step along the row goes from column to column.",
    ),
)

_NORMAL = Function(
    "q2",
    asks="The normal of the image plane, from the directions of row and column",
    reference=_normal,
    draw=_draw_directions,
    rtol=1e-6,
    atol=1e-9,
    slips=(
        Slip(
            value=lambda row, column: _cross(column, row),
            says="This is column x row. It points the other way, so that the slices would come in reverse order and "
            "the volume would be a mirror image of the patient.",
            name="order of the cross product",
        ),
        Slip(
            value=lambda row, column: [a * b for a, b in zip(row, column, strict=True)],
            says="This multiplies the parts one by one. The cross product mixes them: each part of the result comes "
            "from the two other axes.",
            name="product of the parts",
        ),
        Slip(
            value=lambda row, column: [a + b for a, b in zip(row, column, strict=True)],
            says="A sum of the two directions lies in the image plane, along its diagonal.",
            name="sum",
        ),
    ),
    invariants=(
        Invariant(says="The normal has to be at right angles to the rows and to the columns.", holds=_is_upright),
        Invariant(says="The normal of two unit vectors at right angles has length 1.", holds=_has_length_one),
    ),
    because="Right-handed: for rows to the left and columns to the back, the normal points to the head.",
    hints=(
        "There is a product of two vectors whose result is at right angles to both.",
        "n = row x column, in this order: n_x = r_y c_z - r_z c_y, and so on round the axes.",
        "import numpy as np; return np.cross(row, ...) with the direction of the columns second.",
    ),
)

_DISTANCE = Number(
    "q3",
    asks="Distance of neighbouring slices",
    expected=_step_mm,
    unit="mm",
    slips=(
        Slip(
            value=_THICKNESS,
            says="This is SliceThickness: how much tissue one slice averages. These slices leave a gap, which only "
            "the positions show.",
            name="SliceThickness",
        ),
        Slip(
            value=lambda: _step_mm() * 0.6,
            says="This is the step along z alone. The planes stand obliquely, so that a step has a part along y as "
            "well: project on the normal.",
            name="z alone",
        ),
        Slip(
            value=lambda: _step_mm() * 0.8,
            says="This is the step along y alone; a step has a part along z as well: project on the normal.",
            name="y alone",
        ),
        Slip(
            value=_mean_step_mm,
            says="This is the whole length over the number of steps. One slice is missing, and its double step pulls "
            "up the mean; what most steps are is not touched by it.",
            name="mean over a gap",
        ),
        Slip(
            value=lambda: 2 * _step_mm(),
            says="This is the one step across the missing slice.",
            name="the gap itself",
        ),
        Slip(
            value=17.5,
            says="This is the distance of the first two files. Files lie on a disk in any order: sort by position "
            "first.",
            name="order of files",
        ),
    ),
    because="The median step is not moved by one missing slice.",
    hints=(
        "Project each position on the normal, sort, and look at the steps.",
        "s = p . n; the distance is the median of the differences of the sorted s.",
        "n = normal(ROW_DIRECTION, COLUMN_DIRECTION); s = np.sort([np.dot(h[...], n) for h in HEADERS])",
    ),
)

_STEPS = Figure(
    "q4",
    asks="The step from each slice to the next, against the position of the slice where it begins",
    curves=_right_curve,
    x_unit="mm",
    y_unit="mm",
    slips=(
        Slip(
            value=_unsorted_curve,
            says="These are the steps in the order of the files, and some go backwards: sort the positions first.",
            name="order of files",
        ),
        Slip(
            value=_numbered_curve,
            says="These are the slices by InstanceNumber, which runs against the normal here: all steps are negative. "
            "The number is only a name; sort by position.",
            name="InstanceNumber",
        ),
        Slip(
            value=_z_curve,
            says="These are positions along z. The planes are oblique: use the projection on the normal.",
            name="z alone",
        ),
        Slip(
            value=_counted_curve,
            says="The horizontal axis counts the slices; the question asks for the position in mm, so that one can "
            "say where the gap is.",
            name="number instead of mm",
        ),
        Slip(
            value=_ends_curve,
            says="Each step stands at the slice where it ends; the question asks for the one where it begins.",
            name="end of the step",
        ),
    ),
    because="One step is twice as long as all others: a slice is missing there.",
    hints=(
        "Seven steps between eight sorted positions; the x of a step is the position where it begins.",
        "x_i = s_i and y_i = s_(i+1) - s_i for the sorted s.",
        "With s sorted: axes.plot(s[:-1], np.diff(s), 'o').",
    ),
)

_PLACE = Values(
    "q5",
    asks="Place (x, y, z) of the voxel in column 10, row 20",
    expected=_voxel,
    unit="mm",
    rtol=0.0,
    atol=0.05,
    slips=(
        Slip(
            value=_voxel_spacing_swapped,
            says="The two spacings are exchanged: a step to the next column is the second number of PixelSpacing.",
            name="spacings exchanged",
        ),
        Slip(
            value=_voxel_index_swapped,
            says="Row and column are exchanged: the column number counts along the direction of the row.",
            name="row and column exchanged",
        ),
        Slip(
            value=_voxel_from_corner,
            says="This is half a voxel off along both directions: ImagePositionPatient is the centre of the first "
            "voxel, not its corner.",
            name="half a voxel",
        ),
        Slip(
            value=_voxel_from_one,
            says="This counts from 1. The first voxel has column 0 and row 0, and lies at ImagePositionPatient.",
            name="counted from 1",
        ),
        Slip(
            value=_voxel_as_ras,
            says="x and y have the other sign: this is the place in RAS. DICOM is LPS.",
            name="RAS",
        ),
        Slip(
            value=_voxel_as_axial,
            says="This takes the slice for an axial one, whose columns run along y. Here they run along the second "
            "half of ImageOrientationPatient.",
            name="taken for axial",
        ),
        Slip(
            value=_voxel_without_spacing,
            says="This counts voxels as millimetres: multiply each step by its spacing.",
            name="without spacing",
        ),
    ),
    because="First voxel, plus steps along the row, plus steps along the column.",
    hints=(
        "Start at the position of that slice; take 10 steps along the row and 20 along the column.",
        "p = p0 + column * (between columns) * row direction + row * (between rows) * column direction.",
        "np.array((-76.4, -59.3, 81.9)) + 10 * 0.8 * np.array(ROW_DIRECTION) + 20 * ... * np.array(COLUMN_DIRECTION)",
    ),
)

_INVERSE = Function(
    "q6",
    asks="From a place in mm to (column, row, slice)",
    reference=_to_index,
    draw=_draw_point,
    rtol=1e-6,
    atol=1e-6,
    slips=(
        Slip(
            value=_without_origin,
            says="The place of the first voxel is not taken off: the way back undoes the shift first, or uses all "
            "four rows and columns of the inverse.",
            name="shift forgotten",
        ),
        Slip(
            value=_transposed,
            says="This transposes the matrix. That undoes a rotation, but not the spacings: steps in mm would be "
            "multiplied where they have to be divided.",
            name="transposed, not inverted",
        ),
        Slip(
            value=_there,
            says="This is the way there once more: the affine leads from index to mm, and the way back needs its "
            "inverse.",
            name="affine instead of its inverse",
        ),
        Slip(
            value=_array_order,
            says="These are slice, row, column, the order of an array; the question asks for column, row, slice.",
            name="array order",
        ),
        Slip(
            value=_rounded,
            says="The index is rounded to whole voxels; a place between voxels has an index between them.",
            name="rounded",
        ),
    ),
    invariants=(
        Invariant(says="There and back must lead to where one began, for every voxel.", holds=_comes_back),
        Invariant(
            says="The place of the first voxel, the last column of the affine, has index (0, 0, 0).",
            holds=_finds_the_first,
        ),
    ),
    because="An affine and its inverse, one after the other, are the identity.",
    hints=(
        "What undoes a matrix?",
        "index = M^-1 (p - p0), with M the upper left 3 x 3 part; or the 4 x 4 inverse times (x, y, z, 1).",
        "import numpy as np; inverse = np.linalg.inv(affine); then inverse @ [*point_mm, 1], and keep three numbers.",
    ),
)

_ORDER = Choice(
    "q7",
    asks="Column 120, row 70, slice 20 of an array of 48 slices, 143 rows, 161 columns",
    options={
        "a": "values[120, 70, 20]",
        "b": "values[20, 120, 70]",
        "c": "values[20, 70, 120]",
        "d": "values[70, 120, 20]",
    },
    right="c",
    slips={
        "a": "This is the order of the affine, x, y, z. The array has its slices first: there is no slice 120.",
        "b": "Slice first is right, but then rows come before columns. This one is dangerous: it raises no error and "
        "returns another voxel.",
        "d": "The slice comes first; there is no slice 70.",
    },
    because="What changes fastest in memory comes last: [slice, row, column].",
    hints=(
        "Compare with the shape of the array.",
        "The array is [z, y, x], that is [slice, row, column].",
        "values.shape is (48, 143, 161): a first index has to be below 48, a second one below 143.",
    ),
)

_HANDEDNESS = Choice(
    "q8",
    asks="An affine in LPS is taken for one in RAS: where does a tumour in the left thigh seem to be?",
    options={
        "a": "where it is: the voxels have not changed",
        "b": "on the right, with front and back as they are: a mirror image",
        "c": "on the right, with front and back exchanged as well: half a turn about the long axis",
        "d": "at the other end of the leg: head and feet are exchanged",
    },
    right="c",
    slips={
        "a": "The voxels are the same, but what their place means has changed: +x is left in LPS and right in RAS.",
        "b": "Two signs differ, not one: x and y. Two mirrors one after the other are a rotation.",
        "d": "z is the same in both: S, towards the head.",
    },
    because="Two signs change, so that handedness stays: the patient is turned, and the picture looks plausible.",
    hints=(
        "Which of the letters L, P, S and R, A, S differ?",
        "(x, y, z) becomes (-x, -y, z).",
        "np.linalg.det(np.diag([-1, -1, 1])) tells a mirror (-1) from a rotation (+1).",
    ),
)

_RESCALE = Number(
    "q9",
    asks="CT number of a voxel stored as 2200, slope 0.5, intercept -1024",
    expected=lambda: 2200 * 0.5 - 1024,
    unit="HU",
    slips=(
        Slip(
            value=2200,
            says="This is the stored number itself; slope and intercept make a CT number of it.",
            name="stored number",
        ),
        Slip(
            value=1100,
            says="The intercept is missing: with it, air comes out near -1000.",
            name="intercept forgotten",
        ),
        Slip(
            value=2200 - 1024,
            says="The slope is missing; it is not always 1.",
            name="slope forgotten",
        ),
        Slip(
            value=(2200 - 1024) * 0.5,
            says="This adds the intercept before it multiplies. The intercept is in the unit of the value: multiply "
            "first.",
            name="order of slope and intercept",
        ),
        Slip(
            value=1100 + 1024,
            says="The intercept is taken off instead of added; it is negative already.",
            name="sign of the intercept",
        ),
    ),
    because="Slope first, then intercept; soft tissue is a little above water.",
    hints=(
        "A straight line leads from stored numbers to values.",
        "value = slope * stored + intercept.",
        "0.5 * 2200 + (-1024)",
    ),
)

_VOLUME = Number(
    "q10",
    asks="Volume of the tumour",
    expected=_volume_cc,
    unit="cm3",
    rtol=0.002,
    slips=(
        Slip(
            value=_TUMOUR_VOXELS,
            says="This is the number of voxels; each has a volume of its own.",
            name="number of voxels",
        ),
        Slip(
            value=_TUMOUR_VOXELS / 1000,
            says="This takes a voxel for 1 mm³: multiply by the product of the three spacings.",
            name="voxels of 1 mm",
        ),
        Slip(
            value=lambda: _TUMOUR_VOXELS * _TUMOUR_SPACING[1] * _TUMOUR_SPACING[2] / 1000,
            says="This multiplies by the area of a pixel only; the distance of the slices is missing.",
            name="area instead of volume",
        ),
        Slip(
            value=lambda: _TUMOUR_VOXELS * _TUMOUR_SPACING[0] ** 3 / 1000,
            says="This takes the distance of the slices along all three axes; rows and columns are closer.",
            name="cubes of the slice distance",
        ),
        Slip(
            value=lambda: _TUMOUR_VOXELS * math.prod(_TUMOUR_SPACING) / 100,
            says="1 cm³ is 10 x 10 x 10 mm³, not 100.",
            name="mm³ in a cm³",
        ),
    ),
    because="Voxels times the volume of one. The polygons themselves say 53.27 cm³: counting centres is close.",
    hints=(
        "Count the voxels, and multiply by the volume of one.",
        "V = N * dz * dy * dx, in mm³; 1000 mm³ are 1 cm³.",
        "inside.sum() * np.prod(grid.spacing_mm) gives mm³; divide to get cm³.",
    ),
)

LESSON = Lesson(
    title="From DICOM to a volume in patient coordinates",
    minutes=50,
    goals=(
        "tell which tags say where a voxel is, and which only seem to",
        "sort slices along the normal of their planes and measure the distance between them",
        "build the affine of a volume, and its inverse",
        "keep rows and columns, index and array, LPS and RAS apart",
        "turn stored numbers into CT numbers and SUV, and voxels of a mask into a volume",
    ),
    questions=(_SPACING, _NORMAL, _DISTANCE, _STEPS, _PLACE, _INVERSE, _ORDER, _HANDEDNESS, _RESCALE, _VOLUME),
)

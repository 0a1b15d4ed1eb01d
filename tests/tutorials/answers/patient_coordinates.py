"""Answers to tutorial 5: what replaces each exercise cell, and wrong answers with a piece of what they must be told."""

from __future__ import annotations


def _check(question: str, answer: str, unit: str = "") -> str:
    given = f', unit="{unit}"' if unit else ""
    return f'answer = {answer}\nbb.learn.check("{question}", answer{given})'


def _normal(body: str) -> str:
    return f'def normal(row, column):\n    import numpy as np\n\n    {body}\n\n\nbb.learn.check("q2", normal)'


def _to_index(*lines: str) -> str:
    body = "\n    ".join(["import numpy as np", "affine = np.asarray(affine)", *lines])
    return f'def to_index(affine, point_mm):\n    {body}\n\n\nbb.learn.check("q6", to_index)'


_ALONG = "s = np.array([np.dot(h['ImagePositionPatient'], np.cross(ROW_DIRECTION, COLUMN_DIRECTION)) for h in HEADERS])"
_FIRST = "np.array((-76.4, -59.3, 81.9))"


def _step(value: str) -> str:
    return f"{_ALONG}\n{_check('q3', value, 'mm')}"


def _steps(x: str, y: str, *before: str, label: str = "position along the normal (mm)") -> str:
    lines = [
        _ALONG,
        *before,
        "figure, axis = plt.subplots()",
        f'axis.plot({x}, {y}, "o")',
        f'axis.set(xlabel="{label}", ylabel="step to the next slice (mm)")',
        'bb.learn.check("q4", figure)',
    ]
    return "\n".join(lines)


def _place(columns_mm: str, rows_mm: str, *, more: str = "") -> str:
    row, column = "np.array(ROW_DIRECTION)", "np.array(COLUMN_DIRECTION)"
    return _check("q5", f"({_FIRST} + {columns_mm} * {row} + {rows_mm} * {column}){more}", "mm")


SOLUTION = {
    "q1": _check("q1", '"b"'),
    "q2": _normal("return np.cross(row, column)"),
    "q3": _step("float(np.median(np.diff(np.sort(s))))"),
    "q4": _steps("s[:-1]", "np.diff(s)", "s = np.sort(s)"),
    "q5": _place("10 * 0.8", "20 * 1.25"),
    "q6": _to_index("return (np.linalg.inv(affine) @ [*point_mm, 1])[:3]"),
    "q7": _check("q7", '"c"'),
    "q8": _check("q8", '"c"'),
    "q9": _check("q9", "2200 * 0.5 - 1024", "HU"),
    "q10": _check("q10", "inside.sum() * np.prod(grid.spacing_mm) / 1000", "cm3"),
}

WRONG = {
    "q1": [
        (_check("q1", '"a"'), "in the order x, y"),
        (_check("q1", '"c"'), "how many pixels there are"),
        (_check("q1", '"d"'), "not how long it is"),
        (_check("q1", "0.8"), "none of the options"),
    ],
    "q2": [
        (_normal("return np.cross(column, row)"), "column x row"),
        (_normal("return np.multiply(row, column)"), "one by one"),
        (_normal("return np.add(row, column)"), "along its diagonal"),
        (_normal("return float(np.dot(row, column))"), "one number"),
    ],
    "q3": [
        (_check("q3", "3.0", "mm"), "SliceThickness"),
        (_step("float(np.median(np.diff(np.sort([h['ImagePositionPatient'][2] for h in HEADERS]))))"), "along z alone"),
        (_step("float(np.median(np.diff(np.sort([h['ImagePositionPatient'][1] for h in HEADERS]))))"), "along y alone"),
        (_step("float(np.mean(np.diff(np.sort(s))))"), "One slice is missing"),
        (_step("float(np.max(np.diff(np.sort(s))))"), "across the missing slice"),
        (_step("float(abs(s[1] - s[0]))"), "first two files"),
        (_step("-float(np.median(np.diff(np.sort(s))))"), "the sign is not"),
        (f"{_ALONG}\n{_check('q3', '0.1 * float(np.median(np.diff(np.sort(s))))')}", "looks like cm"),
    ],
    "q4": [
        (_steps("s[:-1]", "np.diff(s)"), "in the order of the files"),
        (
            _steps("s[:-1]", "np.diff(s)", "s = s[np.argsort([h['InstanceNumber'] for h in HEADERS])]"),
            "by InstanceNumber",
        ),
        (
            _steps("z[:-1]", "np.diff(z)", "z = np.sort([h['ImagePositionPatient'][2] for h in HEADERS])"),
            "positions along z",
        ),
        (_steps("np.arange(7)", "np.diff(np.sort(s))"), "counts the slices"),
        (_steps("s[1:]", "np.diff(s)", "s = np.sort(s)"), "where it ends"),
        (_steps("s[:-1]", "np.diff(s)", "s = np.sort(s)", label="position"), "does not name its unit"),
    ],
    "q5": [
        (_place("10 * 1.25", "20 * 0.8"), "spacings are exchanged"),
        (_place("20 * 0.8", "10 * 1.25"), "Row and column are exchanged"),
        (_place("10.5 * 0.8", "20.5 * 1.25"), "half a voxel"),
        (_place("9 * 0.8", "19 * 1.25"), "counts from 1"),
        (_place("10 * 0.8", "20 * 1.25", more=" * (-1, -1, 1)"), "place in RAS"),
        (_check("q5", f"{_FIRST} + (10 * 0.8, 20 * 1.25, 0)", "mm"), "for an axial one"),
        (_place("10", "20"), "voxels as millimetres"),
        (_check("q5", "-68.4", "mm"), "a list or an array"),
    ],
    "q6": [
        (_to_index("return np.linalg.solve(affine[:3, :3], point_mm)"), "first voxel is not taken off"),
        (_to_index("return affine[:3, :3].T @ (point_mm - affine[:3, 3])"), "transposes"),
        (_to_index("return (affine @ [*point_mm, 1])[:3]"), "way there once more"),
        (_to_index("return (np.linalg.inv(affine) @ [*point_mm, 1])[2::-1]"), "slice, row, column"),
        (_to_index("return np.round((np.linalg.inv(affine) @ [*point_mm, 1])[:3])"), "rounded"),
    ],
    "q7": [
        (_check("q7", '"a"'), "no slice 120"),
        (_check("q7", '"b"'), "returns another voxel"),
        (_check("q7", '"d"'), "no slice 70"),
    ],
    "q8": [
        (_check("q8", '"a"'), "what their place means"),
        (_check("q8", '"b"'), "Two mirrors"),
        (_check("q8", '"d"'), "towards the head"),
    ],
    "q9": [
        (_check("q9", "2200", "HU"), "stored number itself"),
        (_check("q9", "2200 * 0.5", "HU"), "intercept is missing"),
        (_check("q9", "2200 - 1024", "HU"), "slope is missing"),
        (_check("q9", "(2200 - 1024) * 0.5", "HU"), "before it multiplies"),
        (_check("q9", "2200 * 0.5 + 1024", "HU"), "taken off instead of added"),
        (_check("q9", "-76", "HU"), "the sign is not"),
    ],
    "q10": [
        (_check("q10", "inside.sum()"), "number of voxels"),
        (_check("q10", "inside.sum() / 1000", "cm3"), "voxel for 1 mm³"),
        (_check("q10", "inside.sum() * grid.spacing_mm[1] * grid.spacing_mm[2] / 1000", "cm3"), "area of a pixel"),
        (_check("q10", "inside.sum() * grid.spacing_mm[0] ** 3 / 1000", "cm3"), "along all three axes"),
        (_check("q10", "inside.sum() * np.prod(grid.spacing_mm) / 100", "cm3"), "not 100"),
        (_check("q10", "inside.sum() * np.prod(grid.spacing_mm)"), "looks like mm3"),
    ],
}

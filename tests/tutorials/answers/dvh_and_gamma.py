"""Answers to tutorial 6: what replaces each exercise cell, and wrong answers with a piece of what they must be told."""

from __future__ import annotations


def _check(question: str, answer: str, unit: str = "") -> str:
    given = f', unit="{unit}"' if unit else ""
    return f'answer = {answer}\nbb.learn.check("{question}", answer{given})'


def _percent(value: str) -> str:
    return (
        "def volume_percent(doses_gy, at_gy):\n    import numpy as np\n\n    doses = np.asarray(doses_gy)\n"
        f'    return {value}\n\n\nbb.learn.check("q2", volume_percent)'
    )


def _drawn(y: str, *, x: str = "doses_gy", before: str = "") -> str:
    lines = [
        "doses_gy = np.linspace(0, 30, 121)",
        "least = np.array([100 * np.mean(sphere_gy >= at) for at in doses_gy])",
        *filter(None, [before]),
        "figure, axis = plt.subplots()",
        f"axis.plot({x}, {y})",
        'axis.set(xlabel="dose (Gy)", ylabel="volume (%)")',
        'bb.learn.check("q3", figure)',
    ]
    return "\n".join(lines)


def _partial(value: str, unit: str = "%") -> str:
    table = "dose_gy = np.array([24, 22, 20, 18, 21, 12])\ncover = np.array([1.0, 1.0, 0.6, 1.0, 0.25, 0.75])\n"
    return table + _check("q5", value, unit)


def _gamma(value: str, criterion: str = "dose_percent / 100 * maximum_gy") -> str:
    lines = [
        "def gamma_at(dose_gy, distances_mm, doses_gy, dose_percent, distance_mm, maximum_gy):",
        "    import numpy as np",
        "",
        "    far = np.asarray(distances_mm) / distance_mm",
        f"    off = np.abs(np.asarray(doses_gy) - dose_gy) / ({criterion})",
        f"    return float({value})",
        "",
        "",
        'bb.learn.check("q8", gamma_at)',
    ]
    return "\n".join(lines)


SOLUTION = {
    "q1": _check("q1", '"b"'),
    "q2": _percent("100 * np.mean(doses >= at_gy)"),
    "q3": _drawn("least"),
    "q4": _check("q4", "np.percentile(sphere_gy, 5)", "Gy"),
    "q5": _partial("100 * cover[dose_gy >= 20].sum() / cover.sum()"),
    "q6": _check("q6", "1021000 * 1.4e-5 * 100", "cGy"),
    "q7": _check("q7", '"c"'),
    "q8": _gamma("np.hypot(far, off).min()"),
    "q9": _check("q9", '"b"'),
    "q10": _check("q10", "100 * (1 - bed.sum() / judged.sum())", "%"),
}

WRONG = {
    "q1": [
        (_check("q1", '"a"'), "gets 4 Gy"),
        (_check("q1", '"c"'), "gets 28 Gy"),
        (_check("q1", '"d"'), "such as a cylinder"),
    ],
    "q2": [
        (_percent("100 * np.mean(doses > at_gy)"), "more than the dose"),
        (_percent("100 * np.mean(doses < at_gy)"), "rise from 0 to 100"),
        (_percent("100 * np.mean(doses <= at_gy)"), "distribution function"),
        (_percent("100 * np.mean((doses >= at_gy) & (doses < at_gy + 1))"), "differential histogram"),
        (_percent("np.sum(doses >= at_gy)"), "number of voxels"),
        (_percent("100 * doses[doses >= at_gy].sum() / doses.sum()"), "share of the dose"),
        (_percent("np.mean(doses >= at_gy)"), "looks like a fraction"),
    ],
    "q3": [
        (_drawn("least / 100"), "from 1 to 0"),
        (_drawn("100 - least"), "The curve rises"),
        (
            _drawn("least - more", before="more = np.array([100 * np.mean(sphere_gy >= at + 1) for at in doses_gy])"),
            "a hump about the middle",
        ),
        (_drawn("least", x="100 * doses_gy"), "in cGy"),
        (_drawn("least").replace("dose (Gy)", "dose"), "does not name its unit"),
    ],
    "q4": [
        (_check("q4", "np.percentile(sphere_gy, 95)", "Gy"), "the hot end"),
        (_check("q4", "0.95 * sphere_gy.mean()", "Gy"), "95 % of the mean dose"),
        (_check("q4", "0.95 * 28", "Gy"), "95 % of the largest dose"),
        (_check("q4", "4.0", "Gy"), "D100%"),
        (_check("q4", "np.median(sphere_gy)", "Gy"), "D50%"),
        (_check("q4", "100 * np.mean(sphere_gy >= 20)"), "This is V20Gy"),
        (_check("q4", "100 * np.percentile(sphere_gy, 5)"), "looks like cGy"),
    ],
    "q5": [
        (_partial("100 * np.mean(dose_gy >= 20)"), "every voxel as whole"),
        (_partial("100 * cover[dose_gy >= 20].sum() / 6"), "sum of its parts"),
        (_partial("100 * np.mean(dose_gy[cover >= 0.5] >= 20)"), "when half of it is"),
        (_partial("100 * cover[dose_gy > 20].sum() / cover.sum()"), "exactly 20 Gy is missing"),
        (_partial("100 * cover[dose_gy < 20].sum() / cover.sum()"), "less than 20 Gy"),
        (
            _partial("100 * (dose_gy * cover)[dose_gy >= 20].sum() / (dose_gy * cover).sum()"),
            "weights the voxels with their dose",
        ),
        (
            _partial("cover[dose_gy >= 20].sum() / cover.sum()").replace(', unit="%"', ""),
            "looks like a fraction",
        ),
    ],
    "q6": [
        (_check("q6", "1021000", "cGy"), "stored number"),
        (_check("q6", "1021000 / 1.4e-5", "cGy"), "divides by DoseGridScaling"),
        (_check("q6", "1021000 * 1.4e-5 * 100 / 7", "cGy"), "one fraction"),
        (_check("q6", "1021000 * 1.4e-5 * 100 * 7", "cGy"), "multiplies by the number of fractions"),
        (_check("q6", "1021000 * 1.4e-5 / 100", "cGy"), "becomes larger"),
        (_check("q6", "1021000 * 1.4e-5"), "looks like Gy"),
    ],
    "q7": [
        (_check("q7", '"a"'), "40 mm and more"),
        (_check("q7", '"b"'), "one more or less is 17 %"),
        (_check("q7", '"d"'), "which centres are inside changes"),
    ],
    "q8": [
        (_gamma("np.hypot(far, off).min()", "dose_percent / 100 * dose_gy"), "local gamma"),
        (_gamma("(far**2 + off**2).min()"), "square root is missing"),
        (_gamma("(far + off).min()"), "adds the two terms"),
        (_gamma("np.hypot(far, off)[far.argmin()]"), "nearest place only"),
        (_gamma("np.hypot(far, off)[off.argmin()]"), "distance to agreement"),
        (_gamma("np.hypot(far, off).max()"), "the largest over all places"),
        (_gamma("np.hypot(far.min(), off.min())"), "two different places"),
        (_gamma("np.hypot(far, off).min()", "dose_percent"), "as if it were in Gy"),
        (_gamma("np.hypot(far, off).min()", "dose_percent * maximum_gy"), "not divided by 100"),
    ],
    "q9": [
        (_check("q9", '"a"'), "looks symmetrical"),
        (_check("q9", '"c"'), "judged as it is"),
    ],
    "q10": [
        (_check("q10", "100 * bed.sum() / judged.sum()", "%"), "the part that fails"),
        (_check("q10", "100 * (1 - bed.sum() / dose.size)", "%"), "all voxels of the dose grid"),
        (_check("q10", "0.0", "%"), "all points have the same weight"),
        (_check("q10", "99.0", "%"), "keep all digits"),
        (_check("q10", "1 - bed.sum() / judged.sum()"), "looks like a fraction"),
    ],
}

"""Tutorial 7: segmentation metrics, and how they mislead.

Dice: Ecology 26 (1945) 297, doi:10.2307/1932409. Surface Dice: S. Nikolov et al., doi:10.2196/26151. Choice of metrics:
L. Maier-Hein, A. Reinke et al., doi:10.1038/s41592-023-02151-z; pitfalls: doi:10.1038/s41592-023-02150-0.
Numbers of structures are those of the breast boost plan on slices of 3 mm with pixels of 1.5 mm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from braggbook.learn import Choice, Figure, Function, Invariant, Lesson, Number, Several, Slip, Values

_PIXEL_MM, _SLICE_MM = 1.5, 3.0
_SHORTEST, _LONGEST = 2.0, 50.0  # edge of a cube in voxels
# Dice after a shift by one pixel: lung, heart, breast, tumour bed block, tumour bed, borders, nodes, scar
_SHIFTED = (0.97573, 0.97647, 0.95096, 0.93198, 0.88256, 0.90104, 0.77895, 0.50704)
_SHIFTED_POOLED, _ONE_MISSED_POOLED = 0.97092, 0.99992  # of all voxels of all structures together


def _shared(reference: Sequence[int], estimate: Sequence[int]) -> int:
    return sum(bool(r) and bool(e) for r, e in zip(reference, estimate, strict=True))


def _dice(reference: Sequence[int], estimate: Sequence[int]) -> float:
    return 2 * _shared(reference, estimate) / (sum(map(bool, reference)) + sum(map(bool, estimate)))


def _iou(reference: Sequence[int], estimate: Sequence[int]) -> float:
    shared = _shared(reference, estimate)
    return shared / (sum(map(bool, reference)) + sum(map(bool, estimate)) - shared)


def _accuracy(reference: Sequence[int], estimate: Sequence[int]) -> float:
    return sum(bool(r) == bool(e) for r, e in zip(reference, estimate, strict=True)) / len(reference)


def _found(reference: Sequence[int], estimate: Sequence[int]) -> float:
    return _shared(reference, estimate) / sum(map(bool, reference))


def _masks(random: Random) -> dict[str, list[int]]:
    """Two masks of different sizes that share something, and leave something free."""
    voxels = random.randint(30, 60)
    reference = [int(random.random() < 0.4) for _ in range(voxels)]
    estimate = [r if random.random() < 0.7 else int(random.random() < 0.6) for r in reference]
    ends = ([1, 1, 0, 0, 0], [1, 0, 1, 1, 0])
    return {"reference": reference + ends[0], "estimate": estimate + ends[1]}


def _same_is_one(function: Callable[..., Any], random: Random) -> bool:
    mask = _masks(random)["reference"]
    return abs(float(function(reference=mask, estimate=list(mask))) - 1.0) < 1e-9


def _order_does_not_matter(function: Callable[..., Any], random: Random) -> bool:
    drawn = _masks(random)
    swapped = {"reference": drawn["estimate"], "estimate": drawn["reference"]}
    return abs(float(function(**drawn)) - float(function(**swapped))) < 1e-9


def _background_does_not_count(function: Callable[..., Any], random: Random) -> bool:
    drawn = _masks(random)
    wider = {name: mask + [0] * 50 for name, mask in drawn.items()}
    return abs(float(function(**drawn)) - float(function(**wider))) < 1e-9


def _curve(of: Callable[[float], float]) -> Callable[[], dict[str, tuple[list[float], list[float]]]]:
    def drawn() -> dict[str, tuple[list[float], list[float]]]:
        edges = [_SHORTEST + 0.1 * step for step in range(round(10 * (_LONGEST - _SHORTEST)) + 1)]
        return {"Dice": (edges, [of(edge) for edge in edges])}

    return drawn


_SMALL = Choice(
    "q1",
    asks="Every structure is moved by one pixel of 1.5 mm. What happens to the Dice of the scar (0.5 cm3) and of the "
    "lung (2000 cm3)?",
    options={
        "a": "about the same in both: the error is the same",
        "b": "the lung loses more: it has more wrong voxels",
        "c": "the scar loses a few per cent more than the lung",
        "d": "the scar loses about half, the lung a few per cent",
    },
    right="d",
    slips={
        "a": "The error in mm is the same. But Dice divides by the size of the structure, not by mm.",
        "b": "It has more wrong voxels, and very many more right ones. Dice is a share.",
        "c": "The direction is right, the size is not: the scar is only a few pixels thick, so one pixel is a good "
        "part of it.",
    },
    because="0.51 against 0.98 for one and the same error. A Dice says nothing before you know how large the structure "
    "is.",
    hints=(
        "Wrong voxels lie on the surface, right ones in the volume. Which share has the surface in something thin?",
        "About: lost share = area facing the shift x shift / volume.",
        "print(3.0 / 1.5)  # how many pixels across is something of 3 mm?",
    ),
    read="the cell on moving everything by one pixel",
)

_DICE = Function(
    "q2",
    asks="dice(reference, estimate): Dice of two masks, lists of 0 and 1 of the same length, none of them empty",
    reference=_dice,
    draw=_masks,
    slips=(
        Slip(
            value=_iou,
            says="This is the intersection over union (IoU, Jaccard). It tells the same with smaller numbers: Dice "
            "counts the intersection twice, over the two sizes added.",
            name="IoU",
        ),
        Slip(
            value=_accuracy,
            says="This is the share of voxels that agree, background included. With a larger image it comes as near to "
            "1 as you like: Dice leaves out what is background in both.",
            name="accuracy",
        ),
        Slip(
            value=_found,
            says="This is the share of the reference that was found (sensitivity). An estimate that fills the whole "
            "image would get 1. Divide by both sizes.",
            name="sensitivity",
        ),
        Slip(
            value=lambda reference, estimate: _found(estimate, reference),
            says="This is the share of the estimate that is right (precision). An estimate of one right voxel would "
            "get 1. Divide by both sizes.",
            name="precision",
        ),
        Slip(
            value=lambda reference, estimate: _dice(reference, estimate) / 2,
            says="A factor of 2 is missing: with it, a perfect answer gets 1.",
            name="factor 2 missing",
        ),
        Slip(
            value=lambda reference, estimate: 2 * _iou(reference, estimate),
            says="The intersection is counted twice, but divided by the union. Dice divides by the sum of the two "
            "sizes.",
            name="2 x IoU",
        ),
    ),
    invariants=(
        Invariant(says="Two equal masks do not get 1 in your function.", holds=_same_is_one, name="equal masks not 1"),
        Invariant(
            says="Reference and estimate exchanged give another Dice in your function. It must not matter.",
            holds=_order_does_not_matter,
            name="not symmetric",
        ),
        Invariant(
            says="More background around both masks changes your Dice. It must not matter how large the image is.",
            holds=_background_does_not_count,
            name="background counts",
        ),
    ),
    because="The check also exchanged the masks, and put more background around them: nothing of that matters.",
    hints=(
        "Count three things: the voxels of one, of the other, and those that are in both.",
        "Dice = 2 |A and B| / (|A| + |B|).",
        "both = (reference & estimate).sum()\nreturn 2 * both / (... + ...)",
    ),
    read="the cell on Dice",
)

_CUBES = Figure(
    "q3",
    asks="Dice of a cube that is shifted by one voxel along one edge, against its edge in voxels, 2 to 50",
    curves=_curve(lambda edge: 1 - 1 / edge),
    rtol=0.004,
    slips=(
        Slip(
            value=_curve(lambda edge: (1 - 1 / edge) ** 3),
            says="This is a shift along all three edges at once: the overlap is smaller in each. Shift along one.",
            name="shift along three axes",
        ),
        Slip(
            value=_curve(lambda edge: (edge - 1) / (edge + 1)),
            says="This is the intersection over union of the two cubes. Dice divides by the sum of their sizes.",
            name="IoU",
        ),
        Slip(
            value=_curve(lambda edge: 1 / edge),
            says="This is the part that is lost. Dice is what is left.",
            name="lost part",
        ),
    ),
    because="1 - 1/n: the same error of one voxel costs half at an edge of 2, a tenth at 10, and 2 % at 50.",
    hints=(
        "How many layers does the cube have, and how many of them are still shared?",
        "Of n layers n - 1 are in both. Both cubes have n^3 voxels.",
        'edges = np.arange(2, 51)\naxis.plot(edges, ...)\naxis.set(xlabel="edge (voxels)", ylabel="Dice")',
    ),
    read="the cell on cubes",
)

_EDGE = Number(
    "q4",
    asks="Pixels of 1.5 mm: how long, in mm, must the edge of a cube be at least, so that a shift by one pixel leaves "
    "a Dice of 0.9?",
    expected=10 * _PIXEL_MM,
    unit="mm",
    rtol=0.02,
    slips=(
        Slip(
            value=10.0,
            says="That many voxels, yes. The question asks for mm, and a voxel is 1.5 mm wide.",
            name="voxels instead of mm",
        ),
        Slip(
            value=19 * _PIXEL_MM,
            says="That would be the edge for an intersection over union of 0.9, which is a Dice of 0.95.",
            name="IoU instead of Dice",
        ),
        Slip(
            value=29 * _PIXEL_MM,
            says="That would be the edge for a shift by one pixel along all three axes.",
            name="shift along three axes",
        ),
        Slip(
            value=10.0 / _PIXEL_MM,
            says="You divided by the pixel's width. Ten pixels of 1.5 mm are longer than 10 mm, not shorter.",
            name="divided by the pixel",
        ),
    ),
    because="A cube of 3.4 cm3. Below that size a Dice of 0.9 asks for less than one pixel of error: nobody draws so "
    "well.",
    hints=(
        "Read your figure backwards: at which edge is the curve at 0.9?",
        "1 - 1/n = 0.9; then n voxels of 1.5 mm.",
        "edge_voxels = 1 / (1 - 0.9)\nanswer = edge_voxels * ...",
    ),
    read="the cell on cubes",
)

_STRAY = Choice(
    "q5",
    asks="A perfect heart, and one wrong voxel some 40 mm away from it. What do Dice, HD and HD95 say?",
    options={
        "a": "all three get much worse",
        "b": "Dice and HD95 hardly move, HD is about 40 mm",
        "c": "Dice falls to about a half, HD and HD95 are 40 mm",
        "d": "none of them notices a single voxel",
    },
    right="b",
    slips={
        "a": "Count: one voxel of 65 000 is nothing to a share, and the 95th percentile is made to leave out the worst "
        "5 %.",
        "c": "Dice counts voxels, wherever they are: one of 65 000. And HD95 leaves out the worst 5 % of the "
        "distances.",
        "d": "HD is the largest of all distances, so a single voxel decides it.",
    },
    because="HD is made by one voxel, Dice and HD95 do not see it. Whether it matters depends on what the mask is for: "
    "a margin around it would be drawn around the stray voxel too.",
    hints=(
        "Which of the three is a share, which is a maximum, which leaves something out?",
        "HD = the largest distance from one surface to the other; HD95 = the distance that 95 % of them do not exceed.",
        'print(bb.metrics.score("hd.voxel@1", heart, stray, spacing_mm=SPACING_MM))',
    ),
    read="the cell on distances",
)

_SPACING = Number(
    "q6",
    asks="Hausdorff distance of the tumour bed and the same moved by two slices, in mm",
    expected=2 * _SLICE_MM,
    unit="mm",
    rtol=0.01,
    slips=(
        Slip(
            value=2 * _PIXEL_MM,
            says="The spacing is in the order x, y, z here; arrays are z, y, x. A slice became as thin as a pixel is "
            "wide. Nothing else would have told you: both numbers look plausible.",
            name="spacing in the wrong order",
        ),
        Slip(
            value=2.0,
            says="This is in voxels: a spacing of 1 was taken along each axis. A step from slice to slice is longer "
            "than one from pixel to pixel.",
            name="voxels instead of mm",
        ),
    ),
    because="Two slices of 3 mm. Dice would be the same with any spacing: it knows no mm at all, which is one more way "
    "to be misled.",
    hints=(
        "How far apart are two slices, and in which order does the function want the spacing?",
        "spacing_mm = (z, y, x) = (slice, row, column), as the axes of the array are.",
        'answer = bb.metrics.score("hd.voxel@1", bed, moved, spacing_mm=(..., ..., ...))',
    ),
    read="the cell on distances",
)

_TOLERANCE = Choice(
    "q7",
    asks="The scar is moved by 6 mm: it shares no voxel with where it was, and Dice is 0. Its surface Dice with a "
    "tolerance of 6 mm is:",
    options={"a": "0, as they share nothing", "b": "about 0.5", "c": "1, the perfect score", "d": "not defined"},
    right="c",
    slips={
        "a": "Surface Dice does not ask what is shared. It asks which part of each surface has the other one within "
        "the tolerance.",
        "b": "Ask for one point of the surface: how far away is the same point of the moved scar? Then for all.",
        "d": "Both surfaces exist, and so do distances between them. Undefined would be the surface of an empty mask.",
    },
    because="Each point of one surface has the other one 6 mm away or nearer. A tolerance larger than the structure "
    "forgives everything: it has to come from what observers differ by, before anybody looks at results.",
    hints=(
        "Take any point of the surface. Where has it gone?",
        "NSD = part of both surfaces that lies within the tolerance of the other.",
        'print(bb.metrics.score("nsd.surfel@1", scar, moved, spacing_mm=SPACING_MM, tolerance_mm=6.0))',
    ),
    read="the cell on surface Dice",
)

_EMPTY = Number(
    "q8",
    asks="Mean Dice of the five patients, with 1 where both masks are empty and 0 where only one is",
    expected=(0.8 + 0.7 + 0.9 + 1.0 + 0.0) / 5,
    unit="1",
    rtol=0.005,
    slips=(
        Slip(
            value=(0.8 + 0.7 + 0.9) / 3,
            says="Both cases with an empty mask are left out, as many programs do with NaN. So inventing an organ "
            "costs nothing, and saying rightly that there is none earns nothing.",
            name="empty cases dropped",
        ),
        Slip(
            value=(0.8 + 0.7 + 0.9 + 0.0 + 0.0) / 5,
            says="The patient without the organ, where the program rightly drew nothing, counts as 0. A right answer "
            "must get the perfect score.",
            name="both empty as 0",
        ),
        Slip(
            value=(0.8 + 0.7 + 0.9 + 1.0) / 4,
            says="The invented organ is left out of the mean. It is an error, and the worst one: it counts as 0.",
            name="invented organ dropped",
        ),
        Slip(
            value=(0.8 + 0.7 + 0.9 + 0.0) / 4,
            says="The patient in whom both masks are empty is left out. There the program was right, which counts as "
            "1.",
            name="both empty dropped",
        ),
        Slip(
            value=(0.8 + 0.7 + 0.9 + 1.0 + 1.0) / 5,
            says="The invented organ counts as perfect here. Only where both are empty is the answer right.",
            name="invented organ as 1",
        ),
    ),
    because="The rule has to be chosen, and said, before the first result. Dropping what is undefined is a choice as "
    "well: the one that rewards leaving out.",
    hints=(
        "Which of the two last patients did the program get right?",
        "Sum over all five, with 1 for both empty and 0 for one empty, over 5.",
        "scores = [0.8, 0.7, 0.9, ..., ...]\nanswer = sum(scores) / len(scores)",
    ),
    read="the cell on empty masks",
)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


_MEANS = Values(
    "q9",
    asks="[mean Dice of program A, mean Dice of program B] over the eight structures",
    expected=[_mean(_SHIFTED), 7 / 8],
    unit="1",
    rtol=0.003,
    slips=(
        Slip(
            value=[_SHIFTED_POOLED, _ONE_MISSED_POOLED],
            says="All voxels of all structures were put together. So the lung decides alone, and the scar that program "
            "B left out has vanished. Take the mean of the eight Dice.",
            name="pooled voxels",
        ),
        Slip(
            value=[_mean(_SHIFTED), 1.0],
            says="The scar, which program B left out, is left out of its mean as well. A missed structure has a Dice "
            "of 0.",
            name="missed structure dropped",
        ),
        Slip(
            value=[(sorted(_SHIFTED)[3] + sorted(_SHIFTED)[4]) / 2, 1.0],
            says="These are medians. A median does not see one failure in eight at all.",
            name="medians",
        ),
        Slip(
            value=[7 / 8, _mean(_SHIFTED)],
            says="The numbers are right, the order is not: program A first.",
            name="other order",
        ),
    ),
    because="B, which does not see the scar at all, has the higher mean. A is one pixel off, which nobody would "
    "correct.",
    hints=(
        "One Dice for each structure and program: eight and eight. What is the Dice of a structure that was left out?",
        "Mean of eight: (sum of Dice) / 8, with 0 for what is missing.",
        'answer = [scores["A"].mean(), ...]',
    ),
    read="the cell on two programs",
)

_REPORT = Several(
    "q10",
    asks="Which of these would have shown that program B misses a structure?",
    options={
        "a": "the mean Dice over structures",
        "b": "the worst Dice of each program",
        "c": "the number of structures that were missed",
        "d": "the Dice of all voxels together",
        "e": "the median Dice",
        "f": "surface Dice at 2 mm, structure by structure",
    },
    right="bcf",
    slips={
        "a": "Look at a again: which program has the higher mean?",
        "d": "Look at d again: how many of all voxels belong to the scar?",
        "e": "Look at e again: a median of eight does not change when the worst gets still worse.",
        "b": "Look at b again: the worst of B is the scar, with 0.",
        "c": "Look at c again: it says just that, in words.",
        "f": "Look at f again: structure by structure, a missed one stands there with 0.",
    },
    because="Show every case, count failures, and give a mean last, beside them. One number for a program is where "
    "errors hide.",
    hints=(
        "For each: would it change if B drew the scar, and by how much?",
        "Whatever looks at single structures sees it; whatever makes one number of all may not.",
        'answer = "..."  # letters, as in "bc"',
    ),
    read="the cell on two programs",
)

LESSON = Lesson(
    title="Segmentation metrics, and how they mislead",
    minutes=60,
    goals=(
        "compute Dice, and say why small structures get small Dice for the same error",
        "choose between overlap, largest distance and surface Dice, and know what each cannot see",
        "give a metric its spacing in the right order, and say what an empty mask counts",
        "report many cases so that one failure cannot hide in a mean",
    ),
    questions=(_SMALL, _DICE, _CUBES, _EDGE, _STRAY, _SPACING, _TOLERANCE, _EMPTY, _MEANS, _REPORT),
)

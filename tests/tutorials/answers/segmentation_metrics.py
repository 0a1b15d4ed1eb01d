"""Tutorial 7: answers that must pass, and wrong ones with a piece of the message that each must get."""


def _answer(question: str, code: str) -> str:
    return f'answer = {code}\nbb.learn.check("{question}", answer)'


def _dice(value: str) -> str:
    return f"""\
def dice(reference, estimate):
    reference, estimate = np.asarray(reference, dtype=bool), np.asarray(estimate, dtype=bool)
    both = (reference & estimate).sum()
    return {value}


bb.learn.check("q2", dice)"""


def _cubes(value: str, label: str = "edge (voxels)", edges: str = "np.arange(2, 51)") -> str:
    return f"""\
figure, axis = plt.subplots(figsize=(5.6, 3.8), constrained_layout=True)
edges = {edges}
axis.plot(edges, {value})
axis.set(xlabel="{label}", ylabel="Dice")
bb.learn.check("q3", figure)"""


def _spacing(spacing: str, factor: str = "1") -> str:
    return f"""\
bed = masks["Tumor Bed"]
bed_moved = moved(bed, (2, 0, 0))
answer = {factor} * bb.metrics.score("hd.voxel@1", bed, bed_moved, spacing_mm={spacing})
bb.learn.check("q6", answer)"""


_SIZES = "(reference.sum() + estimate.sum())"
_POOLED = (
    "[2 * sum((m & p[n]).sum() for n, m in masks.items()) / sum(m.sum() + p[n].sum() for n, m in masks.items()) "
    "for p in (program_a, program_b)]"
)

SOLUTION = {
    "q1": _answer("q1", '"d"'),
    "q2": _dice(f"2 * both / {_SIZES}"),
    "q3": _cubes("1 - 1 / edges"),
    "q4": _answer("q4", "1 / (1 - 0.9) * 1.5"),
    "q5": _answer("q5", '"b"'),
    "q6": _spacing("SPACING_MM"),
    "q7": _answer("q7", '"c"'),
    "q8": _answer("q8", "(0.8 + 0.7 + 0.9 + 1 + 0) / 5"),
    "q9": _answer("q9", 'scores[["A", "B"]].mean()'),
    "q10": _answer("q10", '"bcf"'),
}

WRONG = {
    "q1": [
        (_answer("q1", '"a"'), "size of the structure"),
        (_answer("q1", '"b"'), "many more right ones"),
        (_answer("q1", '"c"'), "the size is not"),
    ],
    "q2": [
        (_dice(f"both / ({_SIZES} - both)"), "intersection over union"),
        (_dice("(reference == estimate).mean()"), "background included"),
        (_dice("both / reference.sum()"), "sensitivity"),
        (_dice("both / estimate.sum()"), "precision"),
        (_dice(f"both / {_SIZES}"), "factor of 2"),
        (_dice(f"2 * both / ({_SIZES} - both)"), "divided by the union"),
    ],
    "q3": [
        (_cubes("(1 - 1 / edges) ** 3"), "all three edges"),
        (_cubes("(edges - 1) / (edges + 1)"), "intersection over union"),
        (_cubes("1 / edges"), "part that is lost"),
        (_cubes("1 - 1 / edges", label=""), "no label"),
        (_cubes("1 - 1 / edges", edges="np.arange(2, 11)"), "covers the range"),
    ],
    "q4": [
        (_answer("q4", "1 / (1 - 0.9)"), "That many voxels"),
        (_answer("q4", "19 * 1.5"), "intersection over union of 0.9"),
        (_answer("q4", "29 * 1.5"), "all three axes"),
        (_answer("q4", "10 / 1.5"), "divided by the pixel"),
        (_answer("q4", "1.5"), "cm"),
    ],
    "q5": [
        (_answer("q5", '"a"'), "made to leave out"),
        (_answer("q5", '"c"'), "wherever they are"),
        (_answer("q5", '"d"'), "a single voxel decides"),
    ],
    "q6": [
        (_spacing("SPACING_MM[::-1]"), "order x, y, z"),
        (_spacing("(1, 1, 1)"), "in voxels"),
        (_spacing("SPACING_MM", factor="0.1"), "cm"),
    ],
    "q7": [
        (_answer("q7", '"a"'), "does not ask what is shared"),
        (_answer("q7", '"b"'), "one point of the surface"),
        (_answer("q7", '"d"'), "Both surfaces exist"),
    ],
    "q8": [
        (_answer("q8", "(0.8 + 0.7 + 0.9) / 3"), "with NaN"),
        (_answer("q8", "(0.8 + 0.7 + 0.9) / 5"), "rightly drew nothing"),
        (_answer("q8", "(0.8 + 0.7 + 0.9 + 1) / 4"), "the worst one"),
        (_answer("q8", "(0.8 + 0.7 + 0.9 + 0) / 4"), "There the program was right"),
        (_answer("q8", "(0.8 + 0.7 + 0.9 + 2) / 5"), "counts as perfect"),
        (_answer("q8", "100 * (0.8 + 0.7 + 0.9 + 1) / 5"), "percent"),
        (_answer("q8", 'float("nan")'), "NaN"),
    ],
    "q9": [
        (_answer("q9", _POOLED), "put together"),
        (_answer("q9", '[scores["A"].mean(), scores["B"][scores["B"] > 0].mean()]'), "left out of its mean"),
        (_answer("q9", 'scores[["A", "B"]].median()'), "medians"),
        (_answer("q9", 'scores[["B", "A"]].mean()'), "program A first"),
        (_answer("q9", 'scores["A"].mean()'), "one number"),
    ],
    "q10": [
        (_answer("q10", '"abcf"'), "Look at a again"),
        (_answer("q10", '"bcdf"'), "Look at d again"),
        (_answer("q10", '"bcef"'), "Look at e again"),
        (_answer("q10", '"cf"'), "Look at b again"),
        (_answer("q10", '"bf"'), "Look at c again"),
        (_answer("q10", '"bc"'), "Look at f again"),
    ],
}

"""Tutorial 4: answers that must pass, and wrong ones with a piece of the message that each must get."""


def _answer(question: str, code: str) -> str:
    return f'answer = {code}\nbb.learn.check("{question}", answer)'


def _bed(body: str) -> str:
    return f'def bed(fractions, dose_per_fraction_gy, alpha_beta_gy):\n    return {body}\n\n\nbb.learn.check("q3", bed)'


def _eqd2(body: str) -> str:
    names = "n, d, r = fractions, dose_per_fraction_gy, alpha_beta_gy"
    head = f"def eqd2(fractions, dose_per_fraction_gy, alpha_beta_gy):\n    {names}\n"
    return f'{head}    return {body}\n\n\nbb.learn.check("q4", eqd2)'


def _figure(y: str = "eqd2(n, d, ratios)", x: str = "ratios", labels: str = "α/β (Gy)") -> str:
    return f"""\
ratios = np.linspace(1, 10, 91)
figure, axis = plt.subplots()
for n, d in ((39, 2.0), (20, 3.0), (7, 6.1)):
    axis.plot({x}, {y}, label=f"{{n}} x {{d}} Gy")
axis.set(xlabel="{labels}", ylabel="EQD2 (Gy)")
bb.learn.check("q8", figure)"""


_D = "fractions * dose_per_fraction_gy"
_FULL = "35 * 2.0 * (1 + 2.0 / 10.0)"

SOLUTION = {
    "q1": _answer("q1", '"a"'),
    "q2": _answer("q2", "20 * 2.75 * (1 + 2.75 / 10)"),
    "q3": _bed(f"{_D} * (1 + dose_per_fraction_gy / alpha_beta_gy)"),
    "q4": _eqd2("n * d * (d + r) / (2 + r)"),
    "q5": _answer("q5", "60 * (3 + 3) / (2 + 3)"),
    "q6": _answer("q6", '"b"'),
    "q7": _answer("q7", "(60 * 3 - 78 * 2) / (78 - 60)"),
    "q8": _figure(),
    "q9": _answer("q9", f"{_FULL} - math.log(2) * (46 - 28) / (0.3 * 3)"),
    "q10": _answer("q10", '["a", "b", "c"]'),
}

WRONG = {
    "q1": [
        (_answer("q1", '"b"'), "More visits"),
        (_answer("q1", '"c"'), "two tracks that meet"),
        (_answer("q1", '"d"'), "divided out"),
    ],
    "q2": [
        (_answer("q2", "20 * 2.75"), "This is the total dose"),
        (_answer("q2", "20 * 2.75 * (1 + 10 / 2.75)"), "upside down"),
        (_answer("q2", "20 * 2.75 * (1 + 55 / 10)"), "total dose into the bracket"),
        (_answer("q2", "2.75 * (1 + 2.75 / 10)"), "BED of one fraction"),
        (_answer("q2", "20 * 2.75 * 2.75 / 10"), "The 1 in the bracket"),
        (_answer("q2", "20 * 2.75 * (1 + 2.75**2 / 10)"), "squared twice"),
        (_answer("q2", "20 * 2.75 + 2.75**2 / 10"), "for one fraction only"),
        (_answer("q2", "20 * 2.75 * (2.75 + 10) / (2 + 10)"), "the step before"),
        (_answer("q2", "2000 * 2.75 * (1 + 2.75 / 10)"), "looks like cGy"),
    ],
    "q3": [
        (_bed(_D), "gives the total dose"),
        (_bed(f"{_D} * (1 + alpha_beta_gy / dose_per_fraction_gy)"), "upside down"),
        (_bed(f"{_D} * (1 + {_D} / alpha_beta_gy)"), "total dose stands in the bracket"),
        (_bed("dose_per_fraction_gy * (1 + dose_per_fraction_gy / alpha_beta_gy)"), "number of fractions is not used"),
        (_bed(f"{_D} + dose_per_fraction_gy**2 / alpha_beta_gy"), "lacks an n"),
        (_bed(f"{_D} * (1 + dose_per_fraction_gy * alpha_beta_gy)"), "multiplied by alpha/beta"),
        (_bed(f"{_D} * (dose_per_fraction_gy + alpha_beta_gy) / (2 + alpha_beta_gy)"), "This is the EQD2"),
    ],
    "q4": [
        (_eqd2("n * d * (1 + d / r)"), "This is the BED"),
        (_eqd2("n * d"), "physical dose: BED was divided"),
        (_eqd2("n * d * (2 + r) / (d + r)"), "The fraction is upside down"),
        (_eqd2("n * d * (1 + d / r) / (1 + r / 2)"), "upside down in the divisor"),
        (_eqd2("n * d * (1 + d / r) / 2"), "BED over 2"),
        (_eqd2("n * d * (d + 10) / (2 + 10)"), "You used 10 Gy"),
        (_eqd2("n * d * (1 + d / r) * (1 + 2 / r)"), "You multiplied"),
    ],
    "q5": [
        (_answer("q5", "60 * (3 + 1.4) / (2 + 1.4)"), "EQD2 for the tumour"),
        (_answer("q5", "60 * (3 + 10) / (2 + 10)"), "react early"),
        (_answer("q5", "60 * (1 + 3 / 3)"), "This is the BED"),
        (_answer("q5", "60 * (2 + 3) / (3 + 3)"), "The fraction is upside down"),
        (_answer("q5", "60.0"), "physical dose"),
        (_answer("q5", "60 * (1 + 3 / 3) / (1 + 3 / 2)"), "upside down in the divisor"),
    ],
    "q6": [
        (_answer("q6", '"a"'), "That would have been seen"),
        (_answer("q6", '"c"'), "one equation"),
        (_answer("q6", '"d"'), "only n d^2 counts"),
    ],
    "q7": [
        (_answer("q7", "(78 - 60) / (60 * 3 - 78 * 2)"), "beta/alpha"),
        (_answer("q7", "(60 * 3 - 78 * 2) / (60 - 78)"), "A sign was lost"),
        (_answer("q7", "(78 * 3 - 60 * 2) / (78 - 60)"), "exchanged"),
        (_answer("q7", "(3**2 - 2**2) / (78 - 60)"), "numbers of fractions are missing"),
        (_answer("q7", "(60 * 3 - 78 * 2) / (78 + 60)"), "minus between them"),
        (_answer("q7", "1.3"), "Close, but"),
    ],
    "q8": [
        (_figure(y="bed(n, d, ratios)"), "These are BEDs"),
        (_figure(y="100 * eqd2(n, d, ratios)"), "looks like cGy"),
        (_figure(y="eqd2(n, d, 1 / ratios)"), "upside down"),
        (_figure(labels="α/β"), "does not name its unit"),
        (_figure(x="ratios[:20]", y="eqd2(n, d, ratios[:20])"), "nothing drawn covers"),
    ],
    "q9": [
        (_answer("q9", f"{_FULL} - math.log(2) * 46 / (0.3 * 3)"), "from the first day"),
        (_answer("q9", f"{_FULL} - (46 - 28) / (0.3 * 3)"), "ln 2 is missing"),
        (_answer("q9", f"{_FULL} - math.log10(2) * (46 - 28) / (0.3 * 3)"), "You took log10"),
        (_answer("q9", f"{_FULL} - math.log(2) * (46 - 28) / 3"), "alpha is missing"),
        (_answer("q9", f"{_FULL} + math.log(2) * (46 - 28) / (0.3 * 3)"), "is subtracted"),
        (_answer("q9", "math.log(2) * (46 - 28) / (0.3 * 3)"), "what is lost"),
        (_answer("q9", "35 * 2.0 - math.log(2) * (46 - 28) / (0.3 * 3)"), "loss of BED"),
        (_answer("q9", _FULL), "repopulation is missing"),
    ],
    "q10": [
        (_answer("q10", '"bc"'), "Look at a again"),
        (_answer("q10", '"ac"'), "Look at b again"),
        (_answer("q10", '"ab"'), "Look at c again"),
        (_answer("q10", '"abcd"'), "Look at d again"),
        (_answer("q10", '"abce"'), "Look at e again"),
    ],
}

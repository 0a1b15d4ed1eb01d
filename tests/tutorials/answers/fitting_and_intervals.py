"""Tutorial 2: answers that must pass, and wrong ones with a piece of the message that each must get."""


def _answer(question: str, code: str, *, before: str = "") -> str:
    return f'{before}answer = {code}\nbb.learn.check("{question}", answer)'


def _deviance(term: str, *, head: str = "2 * ", guard: str = "") -> str:
    return f"""\
import math


def poisson_deviance(observed, expected):
    return {head}sum({term} for y, m in zip(observed, expected){guard})


bb.learn.check("q3", poisson_deviance)"""


def _figure(
    deviance: str = "2 * (4 * np.log(4 / m) - (4 - m))", parabola: str = "(m - 4) ** 2 / 4", label: str = "m"
) -> str:
    return f"""\
m = np.linspace(1, 14, 131)
figure, axis = plt.subplots()
axis.plot(m, {deviance})
axis.plot(m, {parabola})
axis.set(xlabel="{label}", ylabel="deviance")
bb.learn.check("q4", figure)"""


def _residuals(code: str) -> str:
    return _answer("q5", code, before='residuals = fit.plates["pearson_residual"].to_numpy()\n')


_LOGARITHM = "(y * math.log(y / m) if y > 0 else 0)"
_PRODUCT = "(fit.alpha_se_per_gy * fit.beta_se_per_gy2)"

SOLUTION = {
    "q1": _answer("q1", "1 / 0.05**2"),
    "q2": _answer("q2", "-math.log(0.05)"),
    "q3": _deviance(f"{_LOGARITHM} - (y - m)"),
    "q4": _figure(),
    "q5": _residuals("(residuals**2).sum() / (24 - 6)"),
    "q6": _answer("q6", "naive_se * math.sqrt(fit.dispersion)"),
    "q7": _answer("q7", f"fit.covariance[0, 1] / {_PRODUCT}"),
    "q8": _answer("q8", '"b"'),
    "q9": _answer("q9", '"b"'),
    "q10": _answer("q10", '"ace"'),
}

WRONG = {
    "q1": [
        (_answer("q1", "1 / 0.05"), "square is missing"),
        (_answer("q1", "math.sqrt(1 / 0.05)"), "root where the square"),
        (_answer("q1", "1 / 5**2"), "5 % is 0.05"),
        (_answer("q1", "(1.96 / 0.05) ** 2"), "half the width"),
        (_answer("q1", "100"), "that is 10 %"),
    ],
    "q2": [
        (_answer("q2", "0.0"), "every third plate"),
        (_answer("q2", "-math.log10(0.05)"), "You took log10"),
        (_answer("q2", "-math.log(0.95)"), "to 95 %"),
        (_answer("q2", "-math.log(0.025)"), "two-sided"),
        (_answer("q2", "math.log(0.05)"), "cannot be negative"),
    ],
    "q3": [
        (_deviance("(y - m) ** 2", head=""), "sum of squares"),
        (_deviance("(y - m) ** 2 / m", head=""), "Pearson's chi-squared"),
        (_deviance(f"{_LOGARITHM} - (y - m)", head=""), "factor 2 in front"),
        (_deviance(_LOGARITHM), "The second part"),
        (_deviance("y * math.log(y / m) - (y - m)", guard=" if y > 0"), "Empty plates were left out"),
        (_deviance("(y * math.log(m / y) if y > 0 else 0) - (y - m)"), "upside down"),
        (_deviance("y * math.log(y / m) - (y - m)"), "ValueError"),
    ],
    "q4": [
        (_figure(deviance="4 * np.log(4 / m) - (4 - m)"), "factor 2 of the deviance"),
        (_figure(parabola="(m - 4) ** 2 / m"), "divides by the expected number"),
        (_figure(parabola="(m - 4) ** 2 / 16"), "4 squared"),
        (_figure(parabola="0 * m"), "'parabola' is not there"),
        (_figure(label=""), "has no label"),
    ],
    "q5": [
        (_residuals("(residuals**2).sum()"), "chi-squared itself"),
        (_residuals("(residuals**2).mean()"), "divided by the number of plates"),
        (_residuals("(residuals**2).sum() / 22"), "took off alpha and beta"),
        (_residuals("fit.deviance / 18"), "This is the deviance"),
        (_residuals("math.sqrt((residuals**2).sum() / 18)"), "square root"),
        (_residuals("residuals**2"), "an array"),
    ],
    "q6": [
        (_answer("q6", "naive_se"), "counting alone"),
        (_answer("q6", "naive_se * fit.dispersion"), "grows with its root"),
        (_answer("q6", "naive_se / math.sqrt(fit.dispersion)"), "You divided"),
        (_answer("q6", "naive_se * math.sqrt(18)"), "root of the degrees of freedom"),
    ],
    "q7": [
        (_answer("q7", f"-fit.covariance[0, 1] / {_PRODUCT}"), "sign was lost"),
        (_answer("q7", "fit.covariance[0, 1]"), "This is the covariance"),
        (_answer("q7", f"fit.covariance[0, 1] / {_PRODUCT} ** 2"), "divided by the variances"),
        (_answer("q7", f"(fit.covariance[0, 1] / {_PRODUCT}) ** 2"), "square of the correlation"),
    ],
    "q8": [
        (_answer("q8", '"a"'), "endless"),
        (_answer("q8", '"c"'), "95 % of 200"),
        (_answer("q8", '"d"'), "a promise about the method"),
    ],
    "q9": [
        (_answer("q9", '"a"'), "too narrow"),
        (_answer("q9", '"c"'), "in proportion"),
        (_answer("q9", '"d"'), "hit less often"),
    ],
    "q10": [
        (_answer("q10", '"ce"'), "Look at a again"),
        (_answer("q10", '"abce"'), "Look at b again"),
        (_answer("q10", '"ae"'), "Look at c again"),
        (_answer("q10", '"acde"'), "Look at d again"),
        (_answer("q10", '"ac"'), "Look at e again"),
    ],
}

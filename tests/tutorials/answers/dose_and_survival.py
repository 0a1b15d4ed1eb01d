"""Tutorial 1: answers that must pass, and wrong ones with a piece of the message that each must get."""


def _answer(question: str, code: str) -> str:
    return f'answer = {code}\nbb.learn.check("{question}", answer)'


def _function(body: str) -> str:
    return (
        "import math\n\n\ndef surviving_fraction(dose_gy, alpha_per_gy, beta_per_gy2):\n"
        f'    return {body}\n\n\nbb.learn.check("q5", surviving_fraction)'
    )


def _figure(
    x: str = "dose_gy", y: str = "lq(dose_gy, coefficients[line])", rest: str = 'axis.set_yscale("log")'
) -> str:
    return f"""\
figure, axis = plt.subplots(figsize=(5.6, 4.0), constrained_layout=True)
dose_gy = np.linspace(0, 12, 61)
for line in coefficients:
    axis.plot({x}, {y}, label=line)
axis.set(xlabel="dose (Gy)", ylabel="surviving fraction")
{rest}
bb.learn.check("q9", figure)"""


_ROOT = "math.sqrt(alpha**2 + 4 * beta * math.log(10))"
_EVENTS = "alpha_per_gy * dose_gy + beta_per_gy2 * dose_gy**2"

SOLUTION = {
    "q1": _answer("q1", '"c"'),
    "q2": _answer("q2", "(323 / 3000) / (182 / 900)"),
    "q3": _answer("q3", '"c"'),
    "q4": _answer("q4", "-math.log(0.1)"),
    "q5": _function(f"math.exp(-({_EVENTS}))"),
    "q6": _answer("q6", "alpha / beta"),
    "q7": _answer("q7", f"(-alpha + {_ROOT}) / (2 * beta)"),
    "q8": _answer("q8", '"c"'),
    "q9": _figure(),
    "q10": _answer("q10", '"ade"'),
}

WRONG = {
    "q1": [
        (_answer("q1", '"a"'), "You multiplied"),
        (_answer("q1", '"b"'), "factor of 1000"),
        (_answer("q1", '"d"'), "ends as heat"),
        (_answer("q1", '"e"'), "none of the options"),
    ],
    "q2": [
        (_answer("q2", "323 / 3000"), "plating efficiency is not divided out"),
        (_answer("q2", "323 / 182"), "colonies over colonies"),
        (_answer("q2", "323 / 3000 * 182 / 900"), "multiplied in"),
        (_answer("q2", "182 / 900"), "the step before"),
        (_answer("q2", "1 - (323 / 3000) / (182 / 900)"), "fraction killed"),
        (_answer("q2", "100 * (323 / 3000) / (182 / 900)"), "percent"),
        (_answer("q2", "(182 / 900) / (323 / 3000)"), "reciprocal"),
        (_answer("q2", '"0.53"'), "leave off the quotes"),
        (_answer("q2", "0.54"), "Close, but"),
    ],
    "q3": [
        (_answer("q3", '"a"'), "still alive"),
        (_answer("q3", '"b"'), "not a third"),
        (_answer("q3", '"d"'), "does its damage too"),
    ],
    "q4": [
        (_answer("q4", "-math.log10(0.1)"), "`log10`"),
        (_answer("q4", "math.log(0.1)"), "cannot be negative"),
        (_answer("q4", "0.9"), "two or three"),
        (_answer("q4", "-math.log(0.9)"), "takes 90 % as the survivors"),
        (_answer("q4", "math.exp(-0.1)"), "way back"),
        (_answer("q4", "math.log"), "The answer is a function"),
    ],
    "q5": [
        (_function("math.exp(-alpha_per_gy * dose_gy)"), "quadratic term is missing"),
        (_function("math.exp(-beta_per_gy2 * dose_gy**2)"), "linear term is missing"),
        (_function("math.exp(-alpha_per_gy * dose_gy - beta_per_gy2 * dose_gy)"), "not squared"),
        (_function("math.exp(-alpha_per_gy * dose_gy + beta_per_gy2 * dose_gy**2)"), "wrong sign"),
        (_function(f"math.exp({_EVENTS})"), "minus sign is missing"),
        (_function(f"-({_EVENTS})"), "the logarithm of survival"),
        (_function(f"10 ** -({_EVENTS})"), "power of 10"),
        (_function("math.exp(-alpha_per_gy * dose_gy - (beta_per_gy2 * dose_gy) ** 2)"), "squared together"),
        (_function("math.exp(-beta_per_gy2 * dose_gy - alpha_per_gy * dose_gy**2)"), "are exchanged"),
        (_function(f"1 - math.exp(-({_EVENTS}))"), "fraction killed"),
        (_function(f"100 * math.exp(-({_EVENTS}))"), "in percent"),
    ],
    "q6": [
        (_answer("q6", "beta / alpha"), "upside down"),
        (_answer("q6", "math.sqrt(alpha / beta)"), "No root"),
        (_answer("q6", "alpha * beta"), "the product of both"),
        (_answer("q6", "alpha / (2 * beta)"), "factor 2"),
        (_answer("q6", "100 * alpha / beta"), "looks like cGy"),
    ],
    "q7": [
        (_answer("q7", "math.log(10) / alpha"), "quadratic term is missing"),
        (_answer("q7", "math.sqrt(math.log(10) / beta)"), "linear term is missing"),
        (_answer("q7", "(-alpha + math.sqrt(alpha**2 + 4 * beta)) / (2 * beta)"), "You took log10"),
        (_answer("q7", f"(-alpha - {_ROOT}) / (2 * beta)"), "not negative"),
        (_answer("q7", "(-alpha + math.sqrt(alpha**2 - 4 * beta * math.log(0.9))) / (2 * beta)"), "kills 10 %"),
        (_answer("q7", "(-alpha + math.sqrt(alpha**2 + 4 * beta * 0.1)) / (2 * beta)"), "equal to the survival"),
        (_answer("q7", f"(-alpha + {_ROOT}) / 2"), "division by beta was lost"),
        (_answer("q7", f"(-alpha + {_ROOT}) / 2 * beta"), "Put brackets"),
        (_answer("q7", f"100 * (-alpha + {_ROOT}) / (2 * beta)"), "looks like cGy"),
        (_answer("q7", "4.6"), "Close, but"),
    ],
    "q8": [
        (_answer("q8", '"a"'), "larger beta"),
        (_answer("q8", '"b"'), "never reaches 0"),
        (_answer("q8", '"d"'), "Parallel curves"),
    ],
    "q9": [
        (_figure(y="np.exp(-coefficients[line][0] * dose_gy)"), "Both curves are straight"),
        (_figure(y="lq(dose_gy, coefficients[line][::-1])"), "exchanged: these curves"),
        (_figure(x="100 * dose_gy"), "looks like cGy"),
        (_figure(y="100 * lq(dose_gy, coefficients[line])"), "that is percent"),
        (_figure(rest=""), "asks for a log one"),
        (_figure(x="dose_gy / 2", y="lq(dose_gy / 2, coefficients[line])"), "nothing drawn covers"),
    ],
    "q10": [
        (_answer("q10", '"bde"'), "Look at a again"),
        (_answer("q10", '"abde"'), "Look at b again"),
        (_answer("q10", '"acde"'), "Look at c again"),
        (_answer("q10", '"ae"'), "Look at d again"),
        (_answer("q10", '"ad"'), "Look at e again"),
    ],
}

"""Tutorial 3: answers that must pass, and wrong ones with a piece of the message that each must get."""


def _answer(question: str, code: str, before: str = "") -> str:
    return f'{before}answer = {code}\nbb.learn.check("{question}", answer)'


def _let(value: str, behind: str = "0.0") -> str:
    return f"""\
def let(depth_mm, energy_mev):
    left_mm = 0.0231 * energy_mev**1.761 - depth_mm
    if left_mm <= 0:
        return {behind}
    return {value}


bb.learn.check("q2", let)"""


def _average(value: str) -> str:
    return f"""\
def dose_averaged(let_kev_um, fluence):
    let_kev_um, fluence = np.asarray(let_kev_um), np.asarray(fluence)
    return {value}


bb.learn.check("q4", dose_averaged)"""


def _rbe(value: str, ratio: str = "let_kev_um / alpha_beta_gy") -> str:
    return f"""\
def rbe(dose_gy, let_kev_um, alpha_beta_gy):
    rbe_max = 1 + 0.434 * {ratio}
    root = np.sqrt(alpha_beta_gy**2 + 4 * dose_gy * alpha_beta_gy * rbe_max + 4 * dose_gy**2)
    return {value}


bb.learn.check("q6", rbe)"""


def _at_r80(averaging: str = "dose-averaged", particles: str = "all protons", at: str = "r80_mm") -> str:
    return f"""\
summary = beams.summarize_depth_dose(dose_curve()["depth_mm"].to_numpy(), dose_curve()["dose_mev_g"].to_numpy())
r80_mm = summary.r80_mm
rows = let_curve("{averaging}", "{particles}")
answer = np.interp({at}, rows["depth_mm"], rows["let_kev_um"])
bb.learn.check("q5", answer)"""


_BY_MODEL = "np.array([float(bb.radiobiology.proton_rbe('wedenberg', dose_gy=d, let_kev_um=5.0, alpha_beta_gy=r)) {}])"
_RBE_OF_ALL = _BY_MODEL.format("for d in doses_gy")


def _figure(y: str = _RBE_OF_ALL, ratios: str = "(3.0, 10.0)", label: str = "proton dose (Gy)", grid: str = "") -> str:
    return f"""\
figure, axis = plt.subplots(figsize=(5.6, 4.0), constrained_layout=True)
doses_gy = np.linspace(0.5, 10, 96)
{grid}
for r in {ratios}:
    axis.plot(doses_gy, {y}, label=f"{{r:g}} Gy")
axis.set(xlabel="{label}", ylabel="RBE")
axis.legend()
bb.learn.check("q8", figure)"""


def _shift(answer: str, ratio: float = 3.0) -> str:
    return f"""\
model = bb.radiobiology.proton_rbe("wedenberg", dose_gy=sobp_gy, let_kev_um=let_sobp, alpha_beta_gy={ratio})
variable = falls_to(depth_mm, sobp_gy * model, 1.1)
planned = falls_to(depth_mm, 1.1 * sobp_gy, 1.1)
answer = {answer}
bb.learn.check("q10", answer)"""


_RIGHT_LET = "left_mm ** (1 / 1.761 - 1) / (1.761 * 0.0231 ** (1 / 1.761))"
_RANGE = "0.0231 * energy_mev**1.761"
_WEIGHTED = "(fluence * let_kev_um**2).sum()"
_RIGHT_RBE = "(root - alpha_beta_gy) / (2 * dose_gy)"

SOLUTION = {
    "q1": _answer("q1", '"b"'),
    "q2": _let(_RIGHT_LET),
    "q3": _answer("q3", '"c"'),
    "q4": _average(f"{_WEIGHTED} / (fluence * let_kev_um).sum()"),
    "q5": _at_r80(),
    "q6": _rbe(_RIGHT_RBE),
    "q7": _answer("q7", '"a"'),
    "q8": _figure(),
    "q9": _answer("q9", '100 * ((table["distal"] / table["centre"]).mean() - 1)'),
    "q10": _shift("variable - planned"),
}

WRONG = {
    "q1": [
        (_answer("q1", '"a"'), "not when it stops"),
        (_answer("q1", '"c"'), "other way round"),
        (_answer("q1", '"d"'), "never focuses"),
        (_answer("q1", '"e"'), "none of the options"),
    ],
    "q2": [
        (_let(_RIGHT_LET.replace("left_mm", f"({_RANGE})")), "LET at the surface"),
        (_let("(left_mm / 0.0231) ** (1 / 1.761)"), "energy that is left"),
        (_let(f"energy_mev / ({_RANGE})"), "mean over the whole track"),
        (_let(f"10 * {_RIGHT_LET}"), "MeV/cm"),
        (_let("left_mm ** (1 / 1.761 - 1) / 0.0231 ** (1 / 1.761)"), "inner factor"),
        (_let(_RIGHT_LET, behind="0.1"), "Behind its range"),
    ],
    "q3": [
        (_answer("q3", '"a"'), "track average"),
        (_answer("q3", '"b"'), "plain mean"),
        (_answer("q3", '"d"'), "not alone"),
    ],
    "q4": [
        (_average("(fluence * let_kev_um).sum() / fluence.sum()"), "track-averaged LET"),
        (_average("let_kev_um.mean()"), "plain mean"),
        (_average(f"{_WEIGHTED} / fluence.sum()"), "divided by the fluence"),
    ],
    "q5": [
        (_at_r80("track-averaged"), "track-averaged LET at R80"),
        (_at_r80(at="summary.peak_depth_mm"), "at the peak"),
        (_at_r80(particles="primary protons"), "primary protons alone"),
        (_at_r80().replace("answer = np", "answer = 10 * np"), "MeV/cm"),
        (_at_r80().replace("answer = np.interp(r80_mm, ", "answer = np.interp([r80_mm, 0], "), "array"),
    ],
    "q6": [
        (_rbe("rbe_max"), "RBEmax"),
        (_rbe(_RIGHT_RBE, "let_kev_um * alpha_beta_gy"), "multiplied by alpha/beta"),
        (_rbe("(root - alpha_beta_gy) / 2"), "photon dose"),
        (_rbe("(root - alpha_beta_gy) / dose_gy"), "factor of 2"),
    ],
    "q7": [
        (_answer("q7", '"b"'), "the tissue is not"),
        (_answer("q7", '"c"'), "the dose is not"),
        (_answer("q7", '"d"'), "Both go the other way"),
    ],
    "q8": [
        (_figure("(1 + 0.434 * 5 / r) * np.ones_like(doses_gy)"), "Both curves are flat"),
        (_figure(f"doses_gy * {_RBE_OF_ALL}"), "photon dose of the same effect"),
        (_figure(ratios="(3.0,)"), "'10 Gy' is not there"),
        (_figure(label="proton dose"), "does not name its unit"),
    ],
    "q9": [
        (_answer("q9", '(table["distal"] / table["centre"]).mean() - 1'), "fraction"),
        (_answer("q9", '100 * (table["distal"].mean() - 1)'), "above photons"),
        (_answer("q9", '100 * (table["distal"].mean() / 1.1 - 1)'), "clinical 1.1"),
        (_answer("q9", '100 * (table["distal"] / table["centre"]).mean()'), "minus 1"),
        (_answer("q9", '100 * ((table["centre"] / table["distal"]).mean() - 1)'), "below the fraction"),
    ],
    "q10": [
        (_shift("variable - falls_to(depth_mm, sobp_gy, 1.1)"), "physical dose"),
        (_shift("variable - planned", 10.0), "alpha/beta 10 Gy"),
        (_shift("variable"), "depth itself"),
        (_shift("planned - variable"), "deeper minus shallower"),
        (_shift("(variable - planned) / 10"), "cm"),
        (_shift('"1.25"'), "leave off the quotes"),
    ],
}

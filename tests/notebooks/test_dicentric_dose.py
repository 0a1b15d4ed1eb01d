"""The challenge dicentric_dose: its cases, its baseline and its scores are what its page says."""

from __future__ import annotations

import csv
import dataclasses
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from scipy import special

from braggbook.challenges.airlock import check_predictions
from braggbook.challenges.cases import cases_of
from braggbook.challenges.design import open_challenge
from braggbook.challenges.scoring import read_scores
from braggbook.files import sha256_bytes
from braggbook.formats.dataset import read_card, write_card
from braggbook.metrics.definitions import definition
from braggbook.runs.folder import read_results

from ..conftest import ROOT, Project

pytestmark = pytest.mark.full

FOLDER = ROOT / "challenges" / "dicentric_dose"
PAGE = (ROOT / "docs" / "challenges" / "dicentric_dose.md").read_text(encoding="utf-8")
PUBLIC_SEED, TWIN_CASES = "dicentric_dose twin", 24
SETS, CASES = 100, 60  # as the page says
ANSWERS = ["dose_gy", "lower_gy", "upper_gy"]
KINDS = {"no exposure": "none", "whole body": "whole body", "a part": "part of the body"}


@pytest.fixture(scope="module")
def maker() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("make_dicentric_cases", FOLDER / "make_cases.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)  # a challenge's folder is published as it lies there
        spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def many(maker: ModuleType) -> list[Any]:
    """Cases of many seeds, named apart."""
    return [
        dataclasses.replace(case, name=f"s{number}_{case.name}")
        for number in range(SETS)
        for case in maker.draw_cases(f"set {number}", CASES)
    ]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the project's content, so that runs of tests do not pile up in the checkout."""
    folder = tmp_path_factory.mktemp("dicentric_dose") / "project"
    for part in ("datasets", "kernels", "challenges/dicentric_dose"):
        shutil.copytree(ROOT / part, folder / part)
    shutil.copyfile(ROOT / "requirements.lock", folder / "requirements.lock")
    return Project(folder)


def challenge_of(home: Project) -> Path:
    return home.folder / "challenges" / "dicentric_dose"


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / "make_cases.py"), *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return {row["case"]: row for row in csv.DictReader(stream)}


def hand_scores(truth: float, dose: float, lower: float, upper: float) -> tuple[float, float, bool]:
    """Absolute error, 95 % interval score, and whether the interval holds the truth."""
    penalty = 40 * (lower - truth) if truth < lower else 40 * (truth - upper) if truth > upper else 0.0
    return abs(dose - truth), upper - lower + penalty, lower <= truth <= upper


def scored(home: Project, estimate: dict[str, Sequence[float]]) -> dict[str, Any]:
    """Puts an estimate into the place of the twin's, and scores it as the design has it."""
    folder = challenge_of(home) / "twin" / "estimate"
    lines = ["case,dose_gy,lower_gy,upper_gy", *(f"{case},{','.join(map(repr, v))}" for case, v in estimate.items())]
    data = "\n".join([*lines, ""]).encode()
    card = read_card(folder / "dataset.toml")
    file = card.files[0].model_copy(update={"sha256": sha256_bytes(data), "bytes": len(data)})
    (folder / "predictions.csv").write_bytes(data)
    write_card(folder / "dataset.toml", card.model_copy(update={"files": (file,)}))
    answer = home.run(challenge_of(home) / "score.ipynb")
    assert answer.code == 0, answer.out + answer.err
    design = open_challenge(challenge_of(home)).design
    results = read_results(Path(answer.json["run_dir"])).results
    tables, overall = read_scores(design.metrics, results, cases=sorted(estimate))
    return {**tables, **overall}


def test_the_twin_is_what_the_public_seed_makes(maker: ModuleType, tmp_path: Path) -> None:
    maker.write_cases(tmp_path, seed=PUBLIC_SEED, cases=TWIN_CASES, public=True)
    for name in ("inputs/cases.csv", "inputs/dataset.toml", "truth/truth.csv", "truth/dataset.toml"):
        assert (tmp_path / name).read_bytes() == (FOLDER / "twin" / name).read_bytes(), name
    assert PUBLIC_SEED in read_card(FOLDER / "twin" / "truth" / "dataset.toml").provenance
    assert PUBLIC_SEED in open_challenge(FOLDER).design.data.twin
    assert {row["exposure"] for row in rows(FOLDER / "twin/truth/truth.csv").values()} == set(KINDS.values())


def test_a_seed_is_drawn_where_none_is_given_and_stands_in_no_file(tmp_path: Path) -> None:
    drawn = make(tmp_path, "--cases", "5", "one")
    seed = re.search(r"^seed ([0-9a-f]{32}):", drawn.stdout, re.MULTILINE)
    assert drawn.returncode == 0, drawn.stderr
    assert seed is not None
    assert make(tmp_path, "--cases", "5", "--seed", seed[1], "two").returncode == 0
    for name in ("inputs/cases.csv", "truth/truth.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or seed[1].encode() not in path.read_bytes()
    again = make(tmp_path, "--cases", "5", "one")
    assert (again.returncode, "cases are there already" in again.stderr) == (2, True)
    assert "Traceback" not in again.stderr


def test_cases_of_two_seeds_have_nothing_in_common(maker: ModuleType) -> None:
    first, second = maker.draw_cases("one", 20), maker.draw_cases("two", 20)
    assert not {case.name for case in first} & {case.name for case in second}
    assert {case.counts for case in first} != {case.counts for case in second}
    assert [case.name for case in first] == sorted(case.name for case in first)


def test_cases_are_drawn_as_the_page_says(many: list[Any]) -> None:
    exposures = np.array([case.exposure for case in many])
    for exposure, share in (("none", 0.20), ("whole body", 0.65), ("part of the body", 0.15)):
        assert np.mean(exposures == exposure) == pytest.approx(share, abs=0.025)  # four standard errors
    bands = np.histogram([case.dose_gy for case in many if case.exposure == "whole body"], [0.1, 1, 2, 5])[0]
    assert bands / bands.sum() == pytest.approx(np.full(3, 1 / 3), abs=0.03)
    parts = [case for case in many if case.exposure == "part of the body"]
    assert all(3 <= case.dose_gy <= 5 and 0.3 <= case.fraction <= 0.8 for case in parts)
    assert {sum(case.counts) for case in parts} == {200, 500, 1000}
    assert {sum(case.counts) for case in many} == {50, 100, 200, 500, 1000}
    assert all(case.dose_gy == 0 for case in many if case.exposure == "none")
    assert len({case.name for case in many}) == SETS * CASES


def test_true_curves_scatter_as_the_calibration_is_uncertain(maker: ModuleType) -> None:
    fit = maker.calibration()
    drawn = np.array([maker.true_curve(fit, f"curve {number}") for number in range(2000)])
    assert np.all(drawn >= 0)
    offset = (drawn.mean(axis=0) - fit.coefficients) / fit.standard_errors
    assert np.abs(offset) == pytest.approx(np.zeros(3), abs=0.1)  # 4 / sqrt(2000)
    assert np.corrcoef(drawn.T) == pytest.approx(
        fit.covariance / np.outer(fit.standard_errors, fit.standard_errors), abs=0.06
    )
    assert drawn.std(axis=0) / fit.standard_errors == pytest.approx(np.ones(3), abs=0.08)


def test_counts_are_poisson_around_the_true_curve(maker: ModuleType, many: list[Any]) -> None:
    """For each kind the dicentrics add up to what the formulas expect, within four standard errors."""
    expected, found = dict.fromkeys(KINDS.values(), 0.0), dict.fromkeys(KINDS.values(), 0.0)
    for number in range(SETS):
        background, alpha, beta = maker.true_curve(maker.calibration(), f"set {number}")
        for case in many[number * CASES : (number + 1) * CASES]:
            dose, share = case.dose_gy, case.fraction
            survival = np.exp(-dose / 2.7)
            scored_share = share * survival / (1 - share + share * survival)
            mean = background + scored_share * (alpha * dose + beta * dose**2)
            expected[case.exposure] += sum(case.counts) * mean
            found[case.exposure] += np.dot(case.counts, np.arange(11))
    for kind, mean in expected.items():
        wider = 6 if kind == "part of the body" else 4  # their counts are overdispersed
        assert abs(found[kind] - mean) < wider * np.sqrt(mean), kind


def test_the_baseline_gives_the_example_submission(home: Project) -> None:
    answer = home.run(challenge_of(home) / "baseline.ipynb")
    assert answer.code == 0, answer.out + answer.err
    written = (Path(answer.json["run_dir"]) / "files" / "predictions.csv").read_bytes()
    assert written == (FOLDER / "example_submission" / "predictions.csv").read_bytes()
    assert answer.json["results"]["partly_exposed"]["value"] == 4
    assert [path.name for path in (FOLDER / "example_submission").iterdir()] == ["predictions.csv"]


def test_the_twins_estimate_is_the_example_submission_through_the_airlock(tmp_path: Path) -> None:
    challenge = open_challenge(FOLDER)
    rules, inputs = challenge.design.submission, challenge.twin("inputs")
    cases = cases_of(inputs, rules=rules)
    checked = check_predictions(
        FOLDER / "example_submission", tmp_path / "estimate", rules=rules, inputs=inputs, cases=cases
    )
    assert checked.issues == []
    assert checked.digest == challenge.twin("estimate").digest
    written = (tmp_path / "estimate" / "predictions.csv").read_bytes()
    assert written == (FOLDER / "twin" / "estimate" / "predictions.csv").read_bytes()


def test_the_scores_are_those_of_the_formulas(home: Project) -> None:
    truth = rows(FOLDER / "twin/truth/truth.csv")
    estimate = {
        case: [float(row[name]) for name in ANSWERS]
        for case, row in rows(FOLDER / "example_submission/predictions.csv").items()
    }
    missed = next(case for case in sorted(truth) if float(truth[case]["dose_gy"]) > 4)
    estimate[missed] = [1.5, 1.0, 2.0]  # the baseline holds all doses of the twin: one that it does not hold
    found = scored(home, estimate)
    by_hand = {case: hand_scores(float(truth[case]["dose_gy"]), *estimate[case]) for case in truth}
    assert found["absolute_error"] == pytest.approx({case: one[0] for case, one in by_hand.items()}, abs=1e-12)
    assert found["interval_score"] == pytest.approx({case: one[1] for case, one in by_hand.items()}, abs=1e-9)
    assert found["interval_score"][missed] > 80
    assert found["coverage"] == pytest.approx(23 / 24)


def test_a_perfect_answer_and_the_worst_one(home: Project) -> None:
    doses = {case: float(row["dose_gy"]) for case, row in rows(FOLDER / "twin/truth/truth.csv").items()}
    perfect = scored(home, {case: (dose, dose, dose) for case, dose in doses.items()})
    assert set(perfect["absolute_error"].values()) == set(perfect["interval_score"].values()) == {0.0}
    assert perfect["coverage"] == 1.0
    worst = scored(home, dict.fromkeys(doses, (10.0, 10.0, 10.0)))
    bounds = {metric.id: metric.worst for metric in open_challenge(FOLDER).design.metrics}
    for metric in ("absolute_error", "interval_score"):
        assert max(worst[metric].values()) == pytest.approx(bounds[metric])
    assert worst["coverage"] == bounds["coverage"] == 0.0


def test_the_design_takes_its_metrics_as_they_are_defined() -> None:
    for metric in open_challenge(FOLDER).design.metrics:
        known = definition(metric.definition)
        assert (known.scope, known.better) == (metric.scope, metric.better)
        assert known.unit_for("Gy") == metric.unit
        assert known.issues(metric.options) == []
        low, high = known.bounds
        assert low == metric.minimum
        assert high is None or high == metric.maximum


def baseline_of(
    cases: list[Any], *, maker: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch, figure: bool = False
) -> pd.DataFrame:
    """Runs the baseline's own cells on any cases; answers with the scores of each by hand."""
    (folder / "inputs").mkdir()
    card, data = maker.inputs_of(cases)
    (folder / "inputs" / "cases.csv").write_bytes(data)
    write_card(folder / "inputs" / "dataset.toml", card)
    shutil.copytree(ROOT / "datasets" / "aberration_counts", folder / "aberration_counts")
    monkeypatch.setenv("BRAGGBOOK_DATASETS", str(folder))
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    with matplotlib.rc_context():
        for cell in nbformat.read(FOLDER / "baseline.ipynb", as_version=4).cells:
            if cell.cell_type == "code" and (figure or cell.id != "figure"):
                exec(compile(cell.source, cell.id, "exec"), names)
        plt.close("all")
    found = pd.read_csv(folder / "predictions.csv")
    assert list(found["case"]) == [case.name for case in cases]
    return with_scores(found, cases)


def with_scores(found: pd.DataFrame, cases: list[Any]) -> pd.DataFrame:
    by_hand = [hand_scores(case.dose_gy, *row) for case, row in zip(cases, found[ANSWERS].to_numpy(), strict=True)]
    numbers = pd.DataFrame(by_hand, columns=["error", "score", "held"]).astype(float)
    return numbers.assign(exposure=[case.exposure for case in cases], set=np.arange(len(cases)) // CASES)


def test_the_baseline_reaches_what_the_page_says(
    maker: ModuleType, many: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = baseline_of(many, maker=maker, folder=tmp_path, monkeypatch=monkeypatch)
    table = dict(re.findall(r"^\| (all|no exposure|whole body|a part) \| (0\.\d.+) \|$", PAGE, re.MULTILINE))
    assert set(table) == {"all", *KINDS}
    for name, printed in table.items():
        some = found if name == "all" else found[found["exposure"] == KINDS[name]]
        error, score, held = (float(number) for number in printed.split(" | "))
        means = some[["error", "score", "held"]].mean()
        assert means["error"] == pytest.approx(error, abs=0.00051), name
        assert means["score"] == pytest.approx(score, abs=0.0051), name
        assert means["held"] == pytest.approx(held, abs=0.00051), name
    assert found["held"].mean() == pytest.approx(0.95, abs=0.015), "the intervals are honest"
    ends = found.groupby("set")[["error", "score", "held"]].mean().quantile([0.025, 0.975])
    assert ends.to_numpy().T.ravel() == pytest.approx([0.10, 0.19, 0.70, 2.04, 0.89, 1.00], abs=0.006)


class Posterior:
    """The dose given the counts and how cases are drawn, on points of exposure; the true curve is integrated over."""

    def __init__(self, maker: ModuleType) -> None:
        fit = maker.calibration()
        curves = np.random.default_rng(0).multivariate_normal(fit.coefficients, fit.covariance, size=300)
        curves = curves[(curves >= 0).all(axis=1)][:200]
        doses, fractions, shares = [[0.0]], [[1.0]], [[0.20]]
        for low, high in ((0.1, 1.0), (1.0, 2.0), (2.0, 5.0)):
            doses.append(low + (np.arange(40) + 0.5) / 40 * (high - low))
            fractions.append(np.ones(40))
            shares.append(np.full(40, 0.65 / 120))
        part, fraction = np.meshgrid(3 + (np.arange(40) + 0.5) / 20, 0.3 + (np.arange(10) + 0.5) / 20)
        doses.append(part.ravel())
        fractions.append(fraction.ravel())
        shares.append(np.full(400, 0.15 / 400))
        self.dose, share = np.concatenate(doses), np.concatenate(fractions)
        self.prior, self.is_part = np.concatenate(shares), share < 1
        survival = np.exp(-self.dose / 2.7)
        scored = share * survival / (1 - share + share * survival)
        irradiated = curves @ np.stack([np.ones_like(self.dose), self.dose, self.dose**2])
        rest = np.repeat(curves[:, :1], len(self.dose), axis=1)
        cell = scored[:, None] * _poisson(irradiated) + (1 - scored[:, None]) * _poisson(rest)
        self.log_cell = np.log(np.maximum(cell, 1e-300))  # (curves, points, dicentrics in a cell)

    def of(self, counts: Sequence[int]) -> tuple[float, float, float]:
        """Median, 2.5 and 97.5 % quantiles."""
        size = np.where(self.is_part, (1 / 3 if sum(counts) >= 200 else 0.0), 1 / 5)
        log = self.log_cell @ np.array(counts)
        weights = np.exp(log - log.max()).sum(axis=0) * self.prior * size
        order = np.argsort(self.dose, kind="stable")
        below = np.cumsum(weights[order]) / weights.sum()
        median, low, high = (float(self.dose[order][np.searchsorted(below, level)]) for level in (0.5, 0.025, 0.975))
        return median, low, high


def _poisson(mean: Any) -> Any:
    numbers = np.arange(11)
    return np.exp(special.xlogy(numbers, mean[..., None]) - mean[..., None] - special.gammaln(numbers + 1))


@pytest.mark.parametrize("exposure", sorted(KINDS.values()))
def test_the_baseline_answers_sets_of_one_kind(
    maker: ModuleType, many: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exposure: str
) -> None:
    one = [case for case in many if case.exposure == exposure][:1]
    found = baseline_of(one, maker=maker, folder=tmp_path, monkeypatch=monkeypatch, figure=True)
    assert found["error"].between(0, 10).all()


def test_there_is_something_to_be_won(
    maker: ModuleType, many: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = many[: 50 * CASES]
    posterior = Posterior(maker)
    answers = pd.DataFrame([posterior.of(case.counts) for case in some], columns=ANSWERS)
    best = with_scores(answers, some)[["error", "score"]].mean()
    baseline = baseline_of(some, maker=maker, folder=tmp_path, monkeypatch=monkeypatch)[["error", "score"]].mean()
    claimed = re.search(r"reaches ([\d.]+) Gy and ([\d.]+) Gy\s.*reaches ([\d.]+) and ([\d.]+) Gy", PAGE)
    assert claimed is not None
    assert [*best, *baseline] == pytest.approx([float(number) for number in claimed.groups()], abs=0.0055)

"""The challenge organ_segmentation: its twin, its baseline, and scores that are right where organs are missing, too."""

from __future__ import annotations

import gzip
import importlib.util
import itertools
import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from braggbook.challenges.airlock import check_predictions
from braggbook.challenges.cases import cases_of
from braggbook.challenges.design import Challenge, open_challenge
from braggbook.datasets.catalogue import open_dataset
from braggbook.datasets.verify import verify_dataset
from braggbook.imaging import grid_of, make_volume, read_nifti, write_nifti
from braggbook.metrics import EmptyPolicy, definition, score

from ..conftest import ROOT, Project

FOLDER = ROOT / "challenges" / "organ_segmentation"
LABELS = {"liver": 1, "left_kidney": 2, "spine": 3}
WHOLE_MB = 1.5  # what the folder may weigh
Labels = dict[str, npt.NDArray[np.uint8]]


@pytest.fixture(scope="module")
def challenge() -> Challenge:
    return open_challenge(FOLDER)


@pytest.fixture(scope="module")
def maker() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("organ_segmentation_cases", FOLDER / "make_cases.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses look for themselves there
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def volumes(folder: Path) -> dict[str, Any]:
    return {p.name.removesuffix(".nii.gz"): read_nifti(p)["image"].load() for p in sorted(folder.glob("*.nii.gz"))}


def labels_of(folder: Path) -> Labels:
    return {case: np.asarray(volume) for case, volume in volumes(folder).items()}


def rules() -> dict[str, Any]:
    """What the scoring notebook's own cell says."""
    node = nbformat.read(FOLDER / "score.ipynb", as_version=4)
    names: dict[str, Any] = {}
    exec(next(cell.source for cell in node.cells if cell.id == "rules"), names)
    return names


# The design


def test_the_notebook_says_what_the_design_says(challenge: Challenge) -> None:
    said = rules()
    assert {str(value): organ for value, organ in said["ORGANS"].items()} == challenge.design.submission.labels
    metrics = {metric.id: metric for metric in challenge.design.metrics}
    assert set(metrics) == {f"{name}_{organ}" for name in said["DEFINITIONS"] for organ in LABELS}
    for name, organ in itertools.product(said["DEFINITIONS"], LABELS):
        metric = metrics[f"{name}_{organ}"]
        assert metric.empty is not None
        assert (metric.of, metric.task, metric.scope) == (organ, organ, "case")
        assert (metric.definition, metric.unit) == (said["DEFINITIONS"][name], said["UNITS"][name])
        assert (metric.options, metric.worst) == (said["OPTIONS"][name], said["WORST"][name])
        assert metric.empty.model_dump() == said["EMPTY"]


def test_the_table_of_scores_has_the_metrics_and_their_units(challenge: Challenge) -> None:
    declared = challenge.scorer.front.braggbook.results["scores"]
    assert (declared.kind, declared.missing) == ("table", False)
    assert declared.units == {metric.id: metric.unit for metric in challenge.design.metrics}


def test_every_metric_is_one_that_there_is(challenge: Challenge) -> None:
    for metric in challenge.design.metrics:
        known = definition(metric.definition)
        assert known.kind == "masks"
        assert not known.issues(metric.options, empty=EmptyPolicy(*three_of(metric.empty)))
        assert (known.unit, known.better) == (metric.unit, metric.better)
        assert metric.minimum <= known.perfect_for(metric.options) <= metric.maximum
        assert metric.worst == (metric.maximum if metric.better == "smaller" else metric.minimum)


def three_of(rule: Any) -> list[str]:
    return [rule.both, rule.only_reference, rule.only_estimate]


def test_no_image_is_longer_than_the_worst_distance(challenge: Challenge, maker: ModuleType) -> None:
    """All pixels and slices that there are, with the largest body that is drawn (118 mm by 82 mm)."""
    longest = 0.0
    for pixel, step in itertools.product(maker.PIXELS_MM, maker.SLICES_MM):
        across = [math.ceil(2 * (half + maker._MARGIN_MM) / pixel) * pixel for half in (118, 82)]
        longest = max(longest, math.hypot(*across, math.ceil(maker._FIELD_MM / step) * step))
    assert longest < maker.FARTHEST_MM
    assert {m.worst for m in challenge.design.metrics if m.id.startswith("hd95")} == {maker.FARTHEST_MM}
    assert maker.LABELS == LABELS == {organ: int(value) for value, organ in challenge.design.submission.labels.items()}


# The cases


def test_the_folder_is_small_and_its_datasets_are_sound(challenge: Challenge, tmp_path: Path) -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < WHOLE_MB * 1e6
    assert max(path.stat().st_size for path in files if path.name.endswith(".nii.gz")) <= 150_000
    cases = []
    for name in ("inputs", "truth", "estimate"):
        assert verify_dataset(challenge.twin(name), cache=tmp_path, download=False) == []
        cases.append(cases_of(challenge.twin(name), rules=challenge.design.submission))
    assert cases[0] == cases[1] == cases[2]
    assert len(cases[0]) == 5


def test_images_and_labels_share_a_grid_and_some_lack_an_organ() -> None:
    images, truth = volumes(FOLDER / "twin" / "inputs"), volumes(FOLDER / "twin" / "truth")
    for case, image in images.items():
        assert (image.dtype, truth[case].dtype) == (np.int16, np.uint8)
        assert grid_of(image).is_same(grid_of(truth[case]), tolerance_mm=0)
        assert set(np.unique(truth[case])) <= {0, *LABELS.values()}
        assert float(image.min()) >= -1024
    there = {case: {organ for organ, value in LABELS.items() if (truth[case] == value).any()} for case in truth}
    assert sorted(map(len, there.values())) == [2, 2, 3, 3, 3]
    assert {organ for organs in there.values() for organ in set(LABELS) - organs} == {"liver", "left_kidney"}
    assert {bool(grid_of(image).affine[0, 0] < 0) for image in images.values()} == {False, True}


@pytest.mark.full
def test_the_twin_is_what_its_public_seed_makes(tmp_path: Path) -> None:
    cards = [open_dataset(FOLDER / "twin" / name).card for name in ("inputs", "truth")]
    seed = re.search(r"Seed: '(.+?)'\.", cards[0].provenance)
    assert seed is not None
    script, out = str(FOLDER / "make_cases.py"), tmp_path / "made"
    command = [sys.executable, script, "--seed", seed[1], "--cases", "5", "--public", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, card in zip(("inputs", "truth"), cards, strict=True):
        made = open_dataset(out / name).card
        left_out = {"files"}  # compressed by another zlib, the same image is other bytes
        assert made.model_dump(exclude=left_out) == card.model_dump(exclude=left_out)
        assert [file.path for file in made.files] == [file.path for file in card.files]
        for file in card.files:
            assert unpacked(out / name / file.path) == unpacked(FOLDER / "twin" / name / file.path)


def unpacked(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


def test_the_first_cases_of_a_seed_are_the_same_however_many(maker: ModuleType, tmp_path: Path) -> None:
    one = maker.write_cases(tmp_path / "one", seed="a", cases=1)
    two = maker.write_cases(tmp_path / "two", seed="a", cases=2)
    other = maker.write_cases(tmp_path / "other", seed="b", cases=1)
    assert two[:1] == one
    assert len({*two, *other}) == 3
    name = f"{one[0]}.nii.gz"
    assert (tmp_path / "one" / "truth" / name).read_bytes() == (tmp_path / "two" / "truth" / name).read_bytes()


def test_a_secret_seed_is_made_and_said_to_its_owner_alone(
    maker: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = []
    for name in ("first", "second"):
        assert maker.main(["--cases", "1", str(tmp_path / name)]) == 0
        found = re.search(r"seed ([0-9a-f]{32}):", capsys.readouterr().out)
        assert found is not None
        seeds.append(found[1])
        cards = [(tmp_path / name / part / "dataset.toml").read_text() for part in ("inputs", "truth")]
        assert not [card for card in cards if found[1] in card]
    assert seeds[0] != seeds[1]
    assert maker.main(["--seed", "a", str(tmp_path / "first")]) == 2
    assert "a new folder" in capsys.readouterr().err


# Runs


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("organs") / "project"
    shutil.copytree(ROOT / "kernels", folder / "kernels")
    shutil.copytree(FOLDER, folder / "challenges" / FOLDER.name)
    shutil.copyfile(ROOT / "requirements.lock", folder / "requirements.lock")
    return Project(folder)


def run(home: Project, notebook: Path) -> Path:
    answer = home.run(notebook)
    assert answer.code == 0, answer.out + answer.err
    return Path(answer.json["run_dir"])


@pytest.fixture(scope="module")
def scored(home: Project, maker: ModuleType) -> Callable[[str, Labels], pd.DataFrame]:
    """Runs the scoring notebook on an answer to the twin; returns its table by case."""

    def answer(name: str, labels: Labels) -> pd.DataFrame:
        folder = home.folder / "challenges" / name
        shutil.copytree(FOLDER, folder)
        shutil.rmtree(folder / "twin" / "estimate")
        (folder / "twin" / "estimate").mkdir()
        for case, image in volumes(FOLDER / "twin" / "inputs").items():
            volume = make_volume(labels[case], grid_of(image), name="labels", units="1")
            write_nifti(volume, folder / "twin" / "estimate" / f"{case}.nii.gz", sidecar=False)
        maker.write_dataset_card(folder / "twin" / "estimate", title=name, provenance="an answer that a test made")
        return table_of(run(home, folder / "score.ipynb"))

    return answer


def table_of(run_dir: Path) -> pd.DataFrame:
    return pd.read_csv(run_dir / "tables" / "scores.csv").set_index("case")


@pytest.mark.full
def test_the_baseline_gives_the_example_submission(home: Project) -> None:
    run_dir = run(home, home.folder / "challenges" / FOLDER.name / "baseline.ipynb")
    made, shipped = run_dir / "files" / "masks", FOLDER / "example_submission" / "masks"
    names = {path.name for path in shipped.iterdir()}
    assert names == {path.name for path in made.iterdir()}
    assert len(names) == 5
    for name in names:
        assert unpacked(made / name) == unpacked(shipped / name)


def test_the_example_submission_is_taken(challenge: Challenge, tmp_path: Path) -> None:
    inputs, rules = challenge.twin("inputs"), challenge.design.submission
    cases = cases_of(inputs, rules=rules)
    checked = check_predictions(
        FOLDER / "example_submission", tmp_path / "out", rules=rules, inputs=inputs, cases=cases
    )
    assert (checked.issues, checked.missing) == ([], ())
    assert (tmp_path / "out" / "dataset.toml").is_file()
    handed_in, shipped = volumes(FOLDER / "example_submission" / "masks"), volumes(FOLDER / "twin" / "estimate")
    assert set(handed_in) == set(shipped) == set(cases)
    for case, volume in volumes(tmp_path / "out").items():
        assert grid_of(volume).is_same(grid_of(shipped[case]))
        assert np.array_equal(volume, shipped[case])
        assert np.array_equal(volume, handed_in[case])


@pytest.mark.full
def test_the_scores_are_those_of_the_metrics(home: Project, challenge: Challenge) -> None:
    run_dir = run(home, home.folder / "challenges" / FOLDER.name / "score.ipynb")
    table = table_of(run_dir)
    truth, estimate = labels_of(FOLDER / "twin" / "truth"), labels_of(FOLDER / "twin" / "estimate")
    grids = {case: grid_of(volume) for case, volume in volumes(FOLDER / "twin" / "truth").items()}
    assert list(table.columns) == [metric.id for metric in challenge.design.metrics]
    assert sorted(table.index) == sorted(truth)
    for case, metric in itertools.product(truth, challenge.design.metrics):
        value = LABELS[str(metric.of)]
        masks = truth[case] == value, estimate[case] == value
        policy = EmptyPolicy(both="perfect", only_reference=metric.worst, only_estimate=metric.worst)
        spacing = grids[case].spacing_mm
        direct = score(metric.definition, *masks, spacing_mm=spacing, empty=policy, **metric.options)
        assert table.loc[case, metric.id] == pytest.approx(direct, rel=1e-12)
        assert metric.minimum <= table.loc[case, metric.id] <= metric.maximum
        if metric.id.startswith("dice"):
            assert table.loc[case, metric.id] == pytest.approx(dice_by_hand(*masks), rel=1e-12)
    results = json.loads((run_dir / "results.json").read_text(encoding="utf-8"))["results"]
    assert all(results[name]["alt"] for name in ("by_organ", "worst_answer"))


def dice_by_hand(reference: npt.NDArray[np.bool_], estimate: npt.NDArray[np.bool_]) -> float:
    both = int((reference & estimate).sum())
    whole = int(reference.sum()) + int(estimate.sum())
    return 2 * both / whole if whole else 1.0


@pytest.mark.full
def test_a_perfect_answer_gets_perfect_scores(
    scored: Callable[[str, Labels], pd.DataFrame], challenge: Challenge
) -> None:
    table = scored("organ_perfect", labels_of(FOLDER / "twin" / "truth"))
    for metric in challenge.design.metrics:
        assert set(table[metric.id]) == {definition(metric.definition).perfect_for(metric.options)}


@pytest.mark.full
def test_an_empty_answer_gets_the_worst_and_is_right_where_nothing_is(
    scored: Callable[[str, Labels], pd.DataFrame], challenge: Challenge
) -> None:
    truth = labels_of(FOLDER / "twin" / "truth")
    table = scored("organ_empty", {case: np.zeros_like(labels) for case, labels in truth.items()})
    for case, metric in itertools.product(truth, challenge.design.metrics):
        is_there = bool((truth[case] == LABELS[str(metric.of)]).any())
        perfect = definition(metric.definition).perfect_for(metric.options)
        assert table.loc[case, metric.id] == (metric.worst if is_there else perfect)


@pytest.mark.full
def test_an_organ_that_was_made_up_gets_the_worst(
    scored: Callable[[str, Labels], pd.DataFrame], challenge: Challenge
) -> None:
    truth = labels_of(FOLDER / "twin" / "truth")
    made_up = {case: labels.copy() for case, labels in truth.items()}
    lacking = {(case, organ) for case in truth for organ, value in LABELS.items() if not (truth[case] == value).any()}
    for case, organ in lacking:
        made_up[case][0, 0, 0] = LABELS[organ]  # one voxel of air, in a corner
    table = scored("organ_made_up", made_up)
    assert len(lacking) == 2
    for case, metric in itertools.product(truth, challenge.design.metrics):
        perfect = definition(metric.definition).perfect_for(metric.options)
        assert table.loc[case, metric.id] == (metric.worst if (case, metric.of) in lacking else perfect)

"""Settings: flag over environment over default, and where each value came from."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import platformdirs
import pytest

from braggbook.errors import InputError
from braggbook.settings import Settings, find_project, load_settings


def _load(tmp_path: Path, given: dict | None = None, **environment: str) -> tuple[Settings, dict[str, str]]:
    return load_settings(given, environment=environment, start=tmp_path)


def test_defaults_come_from_the_project_that_is_found(tmp_path: Path) -> None:
    settings, origins = _load(tmp_path)
    assert settings.project == tmp_path
    assert settings.runs == tmp_path / "runs"
    assert settings.cache == platformdirs.user_cache_path("braggbook")
    assert settings.data_mirror is None
    assert set(origins.values()) == {"default"}
    assert set(origins) == {field.name for field in fields(Settings)}


def test_a_flag_goes_before_the_environment_and_that_before_the_default(tmp_path: Path) -> None:
    environment = {"BRAGGBOOK_CELL_TIMEOUT_S": "5", "BRAGGBOOK_MEMORY_LIMIT_MB": "64"}
    settings, origins = _load(tmp_path, {"cell_timeout_s": 7, "runs": None}, **environment)
    assert (settings.cell_timeout_s, settings.memory_limit_mb, settings.output_limit_mb) == (7.0, 64, 20)
    assert origins["cell_timeout_s"] == "flag"
    assert origins["memory_limit_mb"] == "environment"
    assert origins["runs"] == origins["output_limit_mb"] == "default"


def test_every_field_is_an_environment_variable(tmp_path: Path) -> None:
    environment = {f"BRAGGBOOK_{field.name.upper()}": "3" for field in fields(Settings)}
    _, origins = _load(tmp_path, **environment)
    assert set(origins.values()) == {"environment"}


def test_runs_follow_the_project_unless_they_are_given(tmp_path: Path) -> None:
    settings, _ = _load(tmp_path, {"project": tmp_path / "other"})
    assert settings.runs == tmp_path / "other" / "runs"
    settings, _ = _load(tmp_path, {"project": tmp_path / "other", "runs": tmp_path / "here"})
    assert settings.runs == tmp_path / "here"


def test_an_empty_variable_is_not_set_and_other_names_are_not_ours(tmp_path: Path) -> None:
    _, origins = _load(tmp_path, BRAGGBOOK_RUNS="", BRAGGBOOK_SEED="abc")
    assert set(origins.values()) == {"default"}


def test_paths_are_made_absolute_and_the_home_is_known(tmp_path: Path) -> None:
    settings, _ = _load(tmp_path, {"runs": "here/../there"}, BRAGGBOOK_CACHE="~/kept")
    assert settings.runs == Path.cwd().resolve() / "there"
    assert settings.cache == Path("~/kept").expanduser().resolve()


def test_all_issues_come_at_once(tmp_path: Path) -> None:
    environment = {"BRAGGBOOK_OUTPUT_LIMIT_MB": "much", "BRAGGBOOK_EMBED_LIMIT_MB": "1.5"}
    with pytest.raises(InputError) as caught:
        _load(tmp_path, {"cell_timeout_s": "nan", "memory_limit_mb": -1}, **environment)
    text, _, command = str(caught.value).rpartition("\nnext: ")
    assert "braggbook list settings" in command
    assert text == (
        "settings that cannot be used\n"
        "  - cell_timeout_s (flag): not a setting's value; wanted float, got 'nan'\n"
        "  - memory_limit_mb (flag): not a setting's value; wanted int, got -1\n"
        "  - output_limit_mb (environment): not a setting's value; wanted int, got 'much'\n"
        "  - embed_limit_mb (environment): not a setting's value; wanted int, got '1.5'"
    )


@pytest.mark.parametrize("text", ["inf", "-0.1", "soon", "1e999"])
def test_a_timeout_is_a_finite_number(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="cell_timeout_s"):
        _load(tmp_path, BRAGGBOOK_CELL_TIMEOUT_S=text)


def test_settings_do_not_change(tmp_path: Path) -> None:
    settings, _ = _load(tmp_path)
    with pytest.raises(FrozenInstanceError):
        settings.runs = tmp_path  # type: ignore[misc]


def test_a_project_is_found_from_any_folder_inside(tmp_path: Path) -> None:
    for name in ("notebooks/radiobiology", "datasets", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    assert find_project(tmp_path / "notebooks" / "radiobiology") == tmp_path
    assert find_project(tmp_path) == tmp_path


def test_one_folder_alone_makes_no_project_but_a_mark_does(tmp_path: Path) -> None:
    (tmp_path / "notebooks" / "deep").mkdir(parents=True)
    assert find_project(tmp_path / "notebooks" / "deep") == tmp_path / "notebooks" / "deep"
    (tmp_path / "braggbook.toml").touch()
    assert find_project(tmp_path / "notebooks" / "deep") == tmp_path


def test_the_nearest_project_wins(tmp_path: Path) -> None:
    inner = tmp_path / "notebooks" / "inner"
    for folder in (tmp_path, inner):
        (folder / "notebooks").mkdir(parents=True, exist_ok=True)
        (folder / "kernels").mkdir()
    assert find_project(inner / "kernels") == inner

"""Progress: silent, or every step handed on."""

from __future__ import annotations

from braggbook.progress import Callback, Progress, Silent


def _work(progress: Progress) -> None:
    progress.start("cells", 2)
    progress.step(1, "cell 2")
    progress.step(2)
    progress.stop()


def test_a_callback_hears_every_step_with_its_title_and_total() -> None:
    heard: list[tuple[str, int, int, str]] = []
    _work(Callback(lambda *step: heard.append(step)))
    assert heard == [("cells", 0, 2, ""), ("cells", 1, 2, "cell 2"), ("cells", 2, 2, "")]


def test_silence_says_nothing(capsys) -> None:
    _work(Silent())
    assert capsys.readouterr() == ("", "")

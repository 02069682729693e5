"""Progress of long work is shown where somebody watches, and nowhere else."""

import io
import sys
from types import SimpleNamespace

import pytest

from pysd_runner.core import progress
from pysd_runner.core.progress import ProgressCallback, callback_of, is_told, with_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@with_progress("Working")
def work(steps: int, *, progress: ProgressCallback = None) -> int:
    for step in range(steps):
        callback_of(progress)("counting", step, steps)
    return steps


@with_progress("Everything")
def everything(*, progress: ProgressCallback = None) -> int:
    callback_of(progress)("all", 0, 1)
    return work(3)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AT_FIRST", "OFTEN", "SELDOM"):
        monkeypatch.setattr(progress, name, 0.0)
    is_told.set(False)


@pytest.mark.parametrize(
    ("stream", "asked", "shown"),
    [
        (Terminal(), None, "Working: counting, 2 of 3; 0 s so far, about 0 s left of this step"),
        (Terminal(), False, ""),
        (io.StringIO(), None, ""),
        (io.StringIO(), True, "Working: counting, 0 of 3; 0 s so far\n"),
    ],
)
def test_a_line_is_shown_at_a_terminal_or_when_asked_for(
    stream: io.StringIO, asked: bool | None, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    assert work(3, progress=asked) == 3
    assert shown in stream.getvalue()
    assert bool(shown) == bool(stream.getvalue())


def test_a_function_is_told_every_step_and_what_is_called_inside_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    told: list[tuple[str, int, int]] = []
    assert everything(progress=lambda *step: told.append(step)) == 3
    assert told == [("all", 0, 1)]
    everything()
    assert "Working" not in sys.stderr.getvalue()


def test_a_notebook_has_one_line_that_changes_and_keeps_the_duration(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []

    def display(shown: dict[str, str], **_: object) -> SimpleNamespace:
        lines.append(shown["text/plain"])
        return SimpleNamespace(update=display)

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=1)))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    work(3)
    assert [line.partition(";")[0] for line in lines[:-1]] == [f"Working: counting, {step} of 3" for step in range(3)]
    assert lines[-1] == "Working: 0 s"

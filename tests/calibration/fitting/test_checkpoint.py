"""A calibration that is killed goes on where it was; budgets, executors and names of the front door."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration import Fit, Problem, fit
from calibration.fitting.fit import CALIBRATION, keep_end, kept_ends
from calibration.fitting.results import record
from calibration.optimisers import LeastSquares, Minimum, MultiStart, SearchOutcome, SumOfSquares
from calibration.uncertainty import profile, sample
from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.export.records import Checkpoint
from tests.calibration.panels import made_panel, model_of

COUNT, YEARS, STARTS = 3, 4, 5
FREE = ("q_a", "q_u", "tau_m", "pi", "lambda_u")

# The same problem in a process of its own, each search made slow enough to be killed in.
SCRIPT = """
import sys, time
from calibration.optimisers import LeastSquares
from tests.calibration.fitting import test_checkpoint as here

class Slow(LeastSquares):
    def minimise(self, objective, start):
        time.sleep(0.4)
        return super().minimise(objective, start)

Slow.__name__ = "LeastSquares"
here.fit(here.made_problem(), starts=here.STARTS, optimiser=Slow(), checkpoint=sys.argv[1])
"""


def made_problem() -> Problem:
    return Problem(model_of(COUNT), made_panel(COUNT, YEARS, noise=1.0), free=FREE)


@pytest.fixture(scope="module")
def problem() -> Problem:
    return made_problem()


@pytest.fixture(scope="module")
def whole(problem: Problem) -> Fit:
    return fit(problem, starts=STARTS)


class Counting:
    """Least squares that counts the searches it is asked for."""

    def __init__(self, *, stop_after: int | None = None) -> None:
        self.asked, self._stop_after = 0, stop_after

    def minimise(self, objective: SumOfSquares, start: np.ndarray) -> Minimum:
        if self.asked == self._stop_after:
            raise KeyboardInterrupt
        self.asked += 1
        return LeastSquares().minimise(objective, start)


def ends(folder: Path) -> list[Path]:
    """Finished searches; files that are still written have hidden names."""
    return list(folder.glob("start-*.npz"))


def same(first: Fit, second: Fit) -> bool:
    """Everything but the name of the search."""
    provenance = {**first.fitted.provenance, "optimiser": second.fitted.provenance["optimiser"]}
    first = replace(first, fitted=replace(first.fitted, provenance=provenance))
    return record(first) == record(second) and repr(first.fitted) == repr(second.fitted)


def test_a_killed_calibration_goes_on_and_repeats_nothing(problem: Problem, whole: Fit, tmp_path: Path) -> None:
    file = tmp_path / "kept"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    child = subprocess.Popen([sys.executable, "-c", SCRIPT, str(file)], cwd=Path(__file__).parents[3], env=environment)
    try:
        end = time.monotonic() + 120
        while len(ends(file)) < 2:
            assert child.poll() is None, "the calibration ended before it could be killed"
            assert time.monotonic() < end
            time.sleep(0.02)
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
    finished = len(ends(file))
    assert 2 <= finished < STARTS
    told: list[int] = []
    resumed = fit(problem, starts=STARTS, checkpoint=file, progress=lambda _, done, __: told.append(done))
    assert same(resumed, whole)
    # Neither the errors nor the finished starts were fitted again.
    assert told[0] >= STARTS + 8 - (STARTS - finished)
    assert len(told) == 1 + STARTS - finished
    assert len(ends(file)) == STARTS


def test_an_interruption_keeps_what_is_finished(problem: Problem, whole: Fit, tmp_path: Path) -> None:
    file = tmp_path / "folder" / "kept"
    with pytest.raises(KeyboardInterrupt):
        fit(problem, starts=STARTS, optimiser=Counting(stop_after=3), checkpoint=file)
    rest = Counting()
    assert same(fit(problem, starts=STARTS, optimiser=rest, checkpoint=file), whole)
    assert rest.asked == STARTS - 3
    nothing = Counting()
    assert same(fit(problem, starts=STARTS, optimiser=nothing, checkpoint=file), whole)
    assert nothing.asked == 0


def test_more_starts_go_on_from_fewer(problem: Problem, whole: Fit, tmp_path: Path) -> None:
    file = tmp_path / "kept"
    fit(problem, starts=2, optimiser=Counting(), checkpoint=file)
    more = Counting()
    assert same(fit(problem, starts=STARTS, optimiser=more, checkpoint=file), whole)
    assert more.asked == STARTS - 2


def test_two_calibrations_in_one_folder_do_no_harm(whole: Fit, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(fit, made_problem(), starts=STARTS, checkpoint=tmp_path / "kept") for _ in range(2)]
        assert all(same(found.result(), whole) for found in both)
    assert len(ends(tmp_path / "kept")) == STARTS


def test_another_calibration_is_refused(problem: Problem, tmp_path: Path) -> None:
    file = tmp_path / "kept"
    fit(problem, starts=1, checkpoint=file)
    for other in ({"seed": 1}, {"optimiser": LeastSquares(tolerance=1e-6)}):
        with pytest.raises(InvalidInput, match=r"belongs to another calibration: .*seed or optimiser differ"):
            fit(problem, starts=1, checkpoint=file, **other)  # type: ignore[arg-type]
    fewer = Problem(problem.model, problem.data, free=FREE[:-1])
    with pytest.raises(InvalidInput, match="belongs to another calibration"):
        fit(fewer, starts=1, checkpoint=file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not valid JSON"),
        ('{"schema": 1, "digest": "digest"}', "this version reads the label of a calibration"),
        ("[]", "this version reads the label of a calibration"),
        ('{"schema": 2, "digest": "other"}', "is not as it was written"),
    ],
)
def test_folders_that_are_no_checkpoints(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "calibration.json").write_text(text)
    with pytest.raises(InvalidInput, match=message):
        Checkpoint(CALIBRATION, tmp_path, "digest")


def test_a_file_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept.json").write_text('{"schema": 2, "digest": "digest"}')
    with pytest.raises(InvalidInput, match="is no checkpoint of a calibration; name a new or an empty folder"):
        Checkpoint(CALIBRATION, tmp_path / "kept.json", "digest")


def test_a_search_that_was_changed_or_belongs_to_another_start_is_refused(tmp_path: Path) -> None:
    kept = Checkpoint(CALIBRATION, tmp_path, "digest")
    keep_end(kept, 0, Minimum(point=np.ones(2), cost=1.5, outcome=SearchOutcome.CONVERGED, slope=1e-9, evaluations=7))
    assert kept_ends(kept, 1)[0].evaluations == 7
    (tmp_path / "start-1.npz").write_bytes((tmp_path / "start-0.npz").read_bytes())
    with pytest.raises(InvalidInput, match=r"is not what this calibration wrote.*delete the file"):
        kept_ends(kept, 2)


def test_searches_cut_by_time_are_not_kept(tmp_path: Path) -> None:
    kept = Checkpoint(CALIBRATION, tmp_path, "digest")
    keep_end(kept, 0, Minimum(point=np.zeros(1), cost=1.0, outcome=SearchOutcome.OUT_OF_TIME, slope=1.0, evaluations=1))
    assert not kept_ends(kept, 1)


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_results_do_not_depend_on_the_executor(problem: Problem, whole: Fit, executor: str) -> None:
    assert same(fit(problem, starts=STARTS, executor=executor), whole)
    keys = ["q_a", "pi"]
    curves = profile(problem, whole, keys, executor=executor)
    for found, alone in zip(curves, profile(problem, whole, keys), strict=True):
        assert found.key == alone.key
        for name in ("values", "rise", "data_rise"):
            np.testing.assert_array_equal(getattr(found, name), getattr(alone, name))


def stop(after: int) -> Callable[..., None]:
    """Interrupt when so much is done."""

    def progress(*step: Any) -> None:
        if step[-2] >= after:
            raise KeyboardInterrupt

    return progress


def test_profiles_go_on_after_an_interruption(problem: Problem, whole: Fit, tmp_path: Path) -> None:
    keys = FREE[:3]
    alone = profile(problem, whole, keys)
    with pytest.raises(KeyboardInterrupt):
        profile(problem, whole, keys, checkpoint=tmp_path / "kept", progress=stop(2))
    told: list[int] = []
    found = profile(problem, whole, keys, checkpoint=tmp_path / "kept", progress=lambda done, _: told.append(done))
    assert told == [2, 3]
    assert repr(found) == repr(alone)
    with pytest.raises(InvalidInput, match=r"belongs to another set of profiles: .*level differ"):
        profile(problem, whole, keys, level=0.8, checkpoint=tmp_path / "kept")


def test_a_sample_goes_on_after_an_interruption(
    problem: Problem, whole: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"draws": 50, "steps": 500, "seed": 3}
    alone = sample(problem, whole, **settings)  # type: ignore[arg-type]
    for after in (100, 300):  # once while walkers warm up, once after it
        with pytest.raises(KeyboardInterrupt):
            sample(problem, whole, checkpoint=tmp_path / "kept", progress=stop(after), **settings)  # type: ignore[arg-type]
    asked: list[int] = []
    run = type(problem).log_posterior_batch

    def counted(self: Problem, points: np.ndarray) -> np.ndarray:
        asked.append(len(points))
        return run(self, points)

    monkeypatch.setattr(type(problem), "log_posterior_batch", counted)
    found = sample(problem, whole, checkpoint=tmp_path / "kept", **settings)  # type: ignore[arg-type]
    np.testing.assert_array_equal(found.chains, alone.chains)
    np.testing.assert_array_equal(found.draws, alone.draws)
    assert (found.steps, found.acceptance) == (alone.steps, alone.acceptance)
    assert len(asked) < 2 * (alone.steps - 250)  # two batches a step, and a look at the starts
    with pytest.raises(InvalidInput, match=r"belongs to another sample: .*seed differ"):
        sample(problem, whole, 50, seed=4, checkpoint=tmp_path / "kept")


def test_a_search_by_name_finds_the_same_optimum(problem: Problem, whole: Fit) -> None:
    found = fit(problem, starts=1, optimiser="cma")
    assert found.cost == pytest.approx(whole.cost, abs=1e-4)
    assert "EvolutionStrategy(" in found.fitted.provenance["optimiser"]
    with pytest.raises(UnknownName, match="Did you mean 'cma'"):
        fit(problem, optimiser="cmaes")


def test_a_budget_that_is_too_short_is_told(problem: Problem) -> None:
    began = time.monotonic()
    found = fit(problem, starts=3, seconds=0.02)
    assert time.monotonic() - began < 20
    assert found.fitted.status == "out of time"
    assert {"not-converged", "errors-moving"} <= {item.rule for item in found.findings}
    assert found.optima == ()
    with pytest.raises(InvalidInput, match="seconds must be positive; found -1"):
        fit(problem, seconds=-1)


def test_optima_are_reported(problem: Problem, whole: Fit) -> None:
    assert [item.starts for item in whole.optima] == [tuple(range(STARTS))]
    assert f"Optima: {STARTS} searches ended at the best optimum, cost" in whole.summary()
    assert whole.optima[0].point["tau_m"] == pytest.approx(whole.parameter("tau_m").estimate)
    other = replace(whole.optima[0], starts=(3,), rise=2.5, distance=1.3, furthest="pi")
    assert other.words == (
        "1 search ended at another local optimum, cost higher by 2.5, 1.3 prior standard deviations away in pi"
    )
    assert MultiStart(LeastSquares()).executor is None


def test_equally_low_optima_are_a_warning(whole: Fit) -> None:
    from calibration.fitting.estimates import twin_findings

    twin = replace(whole.optima[0], starts=(3,), rise=0.001, distance=1.3, furthest="pi")
    assert [item.rule for item in twin_findings([*whole.optima, twin])] == ["twin-optima"]

"""Behaviour patterns: every number against a plain twin, what each step finds, and where the sequence ends."""

import math

import numpy as np
import pytest
import statsmodels.api as sm

from calibration.sdeval import behaviour_patterns
from pysd_runner.core.errors import InvalidInput

TIME = np.arange(48.0)
WAVE = np.sin(2 * np.pi * TIME / 12)
BASE = 100 + 0.8 * TIME + 5 * WAVE
NOISE = np.random.default_rng(5).normal(size=48)


def status(observed: np.ndarray, simulated: np.ndarray) -> dict[str, str]:
    return {step.name: step.status for step in behaviour_patterns(observed, simulated).steps}


def test_the_trend_against_statsmodels() -> None:
    observed, simulated = BASE + NOISE, BASE + 0.01 * TIME - NOISE
    values = {step.name: step.values for step in behaviour_patterns(observed, simulated).steps}
    lines = [sm.OLS(series, sm.add_constant(TIME)).fit() for series in (observed, simulated)]
    slopes, errors = zip(*((line.params[1], line.bse[1]) for line in lines), strict=True)
    assert [values["trend"][f"{name}_1"] for name in ("observed", "simulated")] == pytest.approx(slopes, rel=1e-11)
    apart = (slopes[1] - slopes[0]) / math.hypot(*errors)
    assert values["trend"]["standard_errors_apart_1"] == pytest.approx(apart, rel=1e-9)
    assert values["trend"]["relative_difference_1"] == pytest.approx(slopes[1] / slopes[0] - 1, rel=1e-9)


def test_the_same_series_passes_every_step() -> None:
    found = behaviour_patterns(BASE, BASE)
    assert [step.name for step in found.steps] == ["trend", "mean", "variation"]
    assert {step.status for step in found.steps} == {"passed"}
    assert found.passed


def test_another_trend_ends_the_sequence() -> None:
    found = behaviour_patterns(BASE, 100 + 1.6 * TIME + 5 * WAVE)
    assert [step.status for step in found.steps] == ["failed"] + ["skipped"] * 2
    assert "because the trend differs" in found.steps[1].message


def test_mean_and_variation_are_percentages_and_do_not_end_the_sequence() -> None:
    found = behaviour_patterns(BASE, BASE + 0.1 * BASE.mean() + 5 * WAVE)
    values = {step.name: step.values for step in found.steps}
    assert values["mean"]["error"] == pytest.approx((0.1 * BASE.mean() + 5 * WAVE.mean()) / BASE.mean(), abs=1e-12)
    assert values["variation"]["error"] == pytest.approx(1, abs=0.02)
    assert [step.status for step in found.steps] == ["passed", "failed", "failed"]


def test_a_straight_line_has_no_variation() -> None:
    found = status(2 * TIME + 1, 2 * TIME + 1.01)
    assert found == {"trend": "passed", "mean": "passed", "variation": "skipped"}


def test_two_constants_have_no_trend_to_differ_in() -> None:
    found = status(np.full(9, 0.1), np.full(9, 0.103))
    # Slopes of rounding alone, many standard errors of rounding apart.
    assert status(np.full(26, -9.328), np.full(26, 4.593))["trend"] == "passed"
    assert (found["trend"], found["mean"]) == ("passed", "passed")


def test_gaps_leave_the_longest_stretch() -> None:
    broken = BASE.copy()
    broken[[0, 10]] = np.nan
    found = behaviour_patterns(broken, BASE)
    assert (found.n, found.missing) == (37, 11)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: behaviour_patterns([BASE, BASE], [BASE, BASE]), "compares one series"),
        (lambda: behaviour_patterns(BASE[:5], BASE[:5]), "at least 8"),
    ],
)
def test_bad_input(call: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        call()

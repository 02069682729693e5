"""Behaviour patterns: every number against a plain twin, what each step finds, and where the sequence ends."""

import math

import numpy as np
import pytest
import statsmodels.api as sm

from calibration.sdeval import behaviour_patterns, point_fit
from pysd_runner.core.errors import InvalidInput

TIME = np.arange(48.0)
WAVE = np.sin(2 * np.pi * TIME / 12)
BASE = 100 + 0.8 * TIME + 5 * WAVE
NOISE = np.random.default_rng(5).normal(size=48)


def status(observed: np.ndarray, simulated: np.ndarray) -> dict[str, str]:
    return {step.name: step.status for step in behaviour_patterns(observed, simulated).steps}


def test_every_number_against_statsmodels_and_plain_loops() -> None:
    observed, simulated = BASE + NOISE, BASE + 0.01 * TIME - NOISE
    values = {step.name: step.values for step in behaviour_patterns(observed, simulated).steps}
    lines = [sm.OLS(series, sm.add_constant(TIME)).fit() for series in (observed, simulated)]
    slopes, errors = zip(*((line.params[1], line.bse[1]) for line in lines), strict=True)
    assert [values["trend"][f"{name}_1"] for name in ("observed", "simulated")] == pytest.approx(slopes, rel=1e-11)
    apart = (slopes[1] - slopes[0]) / math.hypot(*errors)
    assert values["trend"]["standard_errors_apart_1"] == pytest.approx(apart, rel=1e-9)
    assert values["trend"]["relative_difference_1"] == pytest.approx(slopes[1] / slopes[0] - 1, rel=1e-9)
    left = [line.resid.tolist() for line in lines]
    memory = [_function(series) for series in left]
    differences = [memory[1](k) - memory[0](k) for k in range(1, 25)]
    spreads = [math.sqrt(sum(_variance(r, k) for r in memory)) for k in range(1, 25)]
    assert values["period"]["largest_difference"] == pytest.approx(max(map(abs, differences)), abs=1e-12)
    outside = sum(abs(gap) > 2 * spread for gap, spread in zip(differences, spreads, strict=True))
    assert values["period"]["lags_outside"] == outside
    assert values["phase"]["correlation_at_zero"] == pytest.approx(np.corrcoef(*left)[0, 1], abs=1e-12)
    assert values["discrepancy"]["at_lag_zero"] == pytest.approx(float(point_fit(*left).u1), rel=1e-9)


def _function(series: list[float]):
    """Autocorrelation by lag of a series of mean zero, zero beyond its length."""
    n, square = len(series), math.fsum(x * x for x in series)
    return lambda lag: math.fsum(series[t] * series[t - abs(lag)] for t in range(abs(lag), n)) / square


def _variance(r, k: int, n: int = len(TIME)) -> float:
    return math.fsum((n - i) * (r(k - i) + r(k + i) - 2 * r(k) * r(i)) ** 2 for i in range(1, n)) / (n * (n + 2))


def test_the_same_series_passes_every_step() -> None:
    found = behaviour_patterns(BASE, BASE)
    assert [step.name for step in found.steps] == ["trend", "period", "phase", "mean", "variation", "discrepancy"]
    assert {step.status for step in found.steps} == {"passed"}
    assert found.passed
    values = {step.name: step.values for step in found.steps}
    assert values["period"]["observed"] == 12
    assert values["discrepancy"]["coefficient"] == pytest.approx(0, abs=1e-12)


def test_another_trend_ends_the_sequence() -> None:
    found = behaviour_patterns(BASE, 100 + 1.6 * TIME + 5 * WAVE)
    assert [step.status for step in found.steps] == ["failed"] + ["skipped"] * 5
    assert "because the trend differs" in found.steps[3].message


def test_another_period_ends_the_sequence() -> None:
    found = behaviour_patterns(BASE, 100 + 0.8 * TIME + 5 * np.sin(2 * np.pi * TIME / 8))
    assert [step.status for step in found.steps] == ["passed", "failed"] + ["skipped"] * 4
    assert found.steps[1].values["simulated"] == 8


def test_a_lag_is_noted_with_its_sign_and_taken_out_of_the_discrepancy() -> None:
    later = 100 + 0.8 * TIME + 5 * np.sin(2 * np.pi * (TIME - 3) / 12)
    found = behaviour_patterns(BASE, later)
    phase, discrepancies = found.steps[2], found.steps[5].values
    assert phase.status == "noted"
    assert phase.values["lag"] == 3
    assert "later" in phase.message
    assert "earlier" in behaviour_patterns(later, BASE).steps[2].message
    assert discrepancies["coefficient"] < 0.15 < 0.4 < discrepancies["at_lag_zero"]
    assert found.passed


def test_mean_and_variation_are_percentages_and_do_not_end_the_sequence() -> None:
    found = behaviour_patterns(BASE, BASE + 0.1 * BASE.mean() + 5 * WAVE)
    values = {step.name: step.values for step in found.steps}
    assert values["mean"]["error"] == pytest.approx((0.1 * BASE.mean() + 5 * WAVE.mean()) / BASE.mean(), abs=1e-12)
    assert values["variation"]["error"] == pytest.approx(1, abs=0.02)
    assert [step.status for step in found.steps] == ["passed", "passed", "passed", "failed", "failed", "passed"]


def test_noise_of_the_same_process_passes_and_an_opposite_wave_does_not() -> None:
    assert behaviour_patterns(BASE + NOISE, BASE - NOISE).passed
    opposite = behaviour_patterns(10 + WAVE, 10 - WAVE)
    assert opposite.steps[5].values["at_lag_zero"] == pytest.approx(1, abs=1e-12)


def test_a_straight_line_has_no_period() -> None:
    found = status(2 * TIME + 1, 2 * TIME + 1.01)
    assert found == {
        "trend": "passed", "period": "skipped", "phase": "skipped",
        "mean": "passed", "variation": "skipped", "discrepancy": "skipped",
    }  # fmt: skip


def test_two_constants_have_no_trend_to_differ_in() -> None:
    found = status(np.full(9, 0.1), np.full(9, 0.103))
    # Slopes of rounding alone, many standard errors of rounding apart.
    assert status(np.full(26, -9.328), np.full(26, 4.593))["trend"] == "passed"
    assert (found["trend"], found["period"], found["mean"]) == ("passed", "skipped", "passed")


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

"""Behaviour patterns: every number against a plain twin, what each step finds, and where the sequence ends."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from calibration.sdeval import PatternLimits, behaviour_patterns, discrepancy, patterns_table, point_fit
from calibration.sdeval.components import (
    autocorrelation_errors,
    compare_autocorrelations,
    fit_trend,
    lagged_correlation,
    period,
    trend_difference,
)
from pysd_runner.core.errors import InvalidInput

TIME = np.arange(48.0)
WAVE = np.sin(2 * np.pi * TIME / 12)
BASE = 100 + 0.8 * TIME + 5 * WAVE
NOISE = np.random.default_rng(5).normal(size=48)

steps = st.integers(-(2**16), 2**16).map(lambda whole: whole / 256)
pairs = st.integers(8, 14).flatmap(lambda n: st.tuples(*(arrays(float, n, elements=steps) for _ in range(2))))


def status(observed: np.ndarray, simulated: np.ndarray, **options: object) -> dict[str, str]:
    return {step.name: step.status for step in behaviour_patterns(observed, simulated, **options).steps}


def test_trends_of_statsmodels() -> None:
    series = BASE + NOISE
    for trend, degree, values in (("linear", 1, series), ("quadratic", 2, series), ("exponential", 1, np.log(series))):
        expected = sm.OLS(values, np.vander(0.5 * TIME, degree + 1, increasing=True)).fit()
        found = fit_trend(series, trend=trend, step=0.5)
        assert found.coefficients == pytest.approx(expected.params, rel=1e-11)
        assert found.standard_errors == pytest.approx(expected.bse, rel=1e-11)
        curve = expected.fittedvalues if trend != "exponential" else np.exp(expected.fittedvalues)
        assert found.left == pytest.approx(series - curve, abs=1e-11)


def test_differences_of_trends_by_hand() -> None:
    """Slopes 1 and 2; residuals (1, -1, -1, 1)/4 of both: variance 1/8 over sum of squared time 5."""
    bump = np.array([1.0, -1.0, -1.0, 1.0]) / 4
    observed, simulated = (fit_trend(slope * np.arange(4.0) + bump, trend="linear") for slope in (1.0, 2.0))
    in_errors, relative = trend_difference(observed, simulated)
    assert in_errors[0] == pytest.approx(1 / math.sqrt(2 * (1 / 8) / 5), abs=1e-12)
    assert relative[0] == pytest.approx(1, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(pairs)
def test_errors_of_autocorrelations_and_lagged_correlations_in_loops(pair: tuple[np.ndarray, np.ndarray]) -> None:
    if min(np.ptp(series) for series in pair) == 0:
        return
    n = len(pair[0])
    functions = [_function(series.tolist()) for series in pair]
    variances = [
        [
            sum((n - i) * (r(k - i) + r(k + i) - 2 * r(k) * r(i)) ** 2 for i in range(1, n)) / (n * (n + 2))
            for k in range(n)
        ]
        for r in functions
    ]
    errors = autocorrelation_errors(np.array([functions[0](k) for k in range(n)]))
    assert errors == pytest.approx(np.sqrt(variances[0]), abs=1e-12)
    difference, error = compare_autocorrelations(*pair, lags=4)
    for k in range(1, 5):
        assert difference[k - 1] == pytest.approx(functions[1](k) - functions[0](k), abs=1e-12)
        assert error[k - 1] == pytest.approx(math.sqrt(variances[0][k] + variances[1][k]), abs=1e-12)
    observed, simulated = ([value - math.fsum(series) / n for value in series] for series in pair)
    size = n * math.sqrt(math.fsum(x * x for x in observed) / n) * math.sqrt(math.fsum(x * x for x in simulated) / n)
    found = lagged_correlation(*pair, lags=3)
    for lag in range(-3, 4):
        total = math.fsum(simulated[i] * observed[i - lag] for i in range(n) if 0 <= i - lag < n)
        assert found[lag + 3] == pytest.approx(total / size, abs=1e-12)


def _function(series: list[float]):
    n, mean = len(series), math.fsum(series) / len(series)
    square = math.fsum((x - mean) ** 2 for x in series)

    def r(lag: int) -> float:
        lag = abs(lag)
        return (
            math.fsum((series[t] - mean) * (series[t - lag] - mean) for t in range(lag, n)) / square if lag < n else 0.0
        )

    return r


@settings(max_examples=40, deadline=None)
@given(pairs)
def test_discrepancy_is_theils_u1_of_deviations(pair: tuple[np.ndarray, np.ndarray]) -> None:
    if min(np.ptp(series) for series in pair) == 0:
        return
    expected = point_fit(*(series - series.mean() for series in pair)).u1
    assert discrepancy(*pair) == pytest.approx(float(expected), rel=1e-9)
    assert -1e-12 <= discrepancy(*pair) <= 1 + 1e-12
    assert discrepancy(*reversed(pair)) == pytest.approx(discrepancy(*pair), abs=1e-12)


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
    assert found.stopped_at == "trend"
    assert [step.status for step in found.steps] == ["failed"] + ["skipped"] * 5
    assert "because the trend differs" in found.steps[3].message
    assert found.verdict == "The trend differs; revise the model before comparing what comes after it."


def test_another_period_ends_the_sequence() -> None:
    found = behaviour_patterns(BASE, 100 + 0.8 * TIME + 5 * np.sin(2 * np.pi * TIME / 8))
    assert found.stopped_at == "period"
    assert [step.status for step in found.steps] == ["passed", "failed"] + ["skipped"] * 4
    assert found.steps[1].values["simulated"] == 8


def test_a_lag_is_noted_with_its_sign_and_taken_out_of_the_discrepancy() -> None:
    later = 100 + 0.8 * TIME + 5 * np.sin(2 * np.pi * (TIME - 3) / 12)
    found = behaviour_patterns(BASE, later, step=0.5)
    phase, discrepancies = found.steps[2], found.steps[5].values
    assert phase.status == "noted"
    assert phase.values["lag"] == 1.5
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
    assert found.stopped_at is None
    assert found.verdict == "The pattern is there, but it differs in mean and variation."


def test_noise_of_the_same_process_passes_and_an_opposite_wave_does_not() -> None:
    assert behaviour_patterns(BASE + NOISE, BASE - NOISE).passed
    opposite = behaviour_patterns(10 + WAVE[:13], 10 - WAVE[:13], trend="none")
    assert opposite.steps[5].values["at_lag_zero"] == pytest.approx(1, abs=1e-12)


def test_trends_of_other_kinds_are_removed() -> None:
    growing = np.exp(0.05 * TIME)
    assert status(growing + WAVE / 50, growing + WAVE / 50, trend="exponential")["trend"] == "passed"
    assert status(growing, np.exp(0.1 * TIME), trend="exponential")["trend"] == "failed"
    assert status(TIME**2 + WAVE, TIME**2 + WAVE, trend="quadratic")["trend"] == "passed"
    assert status(BASE, BASE, trend="none")["trend"] == "skipped"


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


def test_limits_decide() -> None:
    assert status(BASE, 1.1 * BASE)["mean"] == "failed"
    wide = PatternLimits(mean=0.2, trend=0.2)
    assert status(BASE, 1.1 * BASE, limits=wide)["mean"] == "passed"


def test_gaps_leave_the_longest_stretch() -> None:
    broken = BASE.copy()
    broken[[0, 10]] = np.nan
    found = behaviour_patterns(broken, BASE)
    assert (found.n, found.missing) == (37, 11)


def test_a_table_has_a_row_for_each_series_and_says_what_could_not_be_compared() -> None:
    empty = np.full(48, np.nan)
    table = patterns_table([BASE, BASE, empty], [BASE, 1.1 * BASE, BASE])
    assert list(table["mean"]) == ["passed", "failed", "skipped"]
    assert table.loc["1", "mean error"] == pytest.approx(0.1, abs=1e-12)
    assert "longest unbroken stretch" in table.loc["2", "verdict"]
    assert list(behaviour_patterns(BASE, BASE).table().columns) == ["step", "status", "statistic", "value", "message"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: behaviour_patterns(BASE, BASE, trend="cubic"), "must be one of none, linear"),
        (lambda: behaviour_patterns([BASE, BASE], [BASE, BASE]), "patterns_table takes many"),
        (lambda: behaviour_patterns(BASE[:5], BASE[:5]), "at least 8"),
        (lambda: behaviour_patterns(WAVE, WAVE, trend="exponential"), "needs positive values"),
        (lambda: fit_trend(BASE[:2], trend="linear"), "more than 2 moments"),
    ],
)
def test_bad_input(call: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        call()


def test_period_of_a_series_without_one_is_missing() -> None:
    assert math.isnan(period(np.array([0.0, 0, 0, 0, 1, 0, 0, 0, 0])))

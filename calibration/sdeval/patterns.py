"""Barlas's sequence of tests of whether the model reproduces the observed behaviour pattern."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from calibration.sdeval.components import (
    Trend,
    check_trend,
    compare_autocorrelations,
    fit_trend,
    lagged_correlation,
    period,
    trend_difference,
)
from calibration.sdeval.pairs import Axis, FloatArray, line_up, ratio
from pysd_runner.core.errors import InvalidInput
from pysd_runner.export.tables import Tabled

Status = Literal["passed", "failed", "noted", "skipped"]
StepName = Literal["trend", "period", "phase", "mean", "variation", "discrepancy"]

#: The steps in their order.
STEPS: tuple[str, ...] = get_args(StepName)

# Minimum number of times for a comparison of patterns.
FEWEST = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class PatternLimits:
    """Limits of the differences that pass.

    Attributes
    ----------
    standard_errors
        Maximum difference of trend coefficients and autocorrelations in standard errors; Barlas uses 2.
    trend
        Relative difference of trend coefficients that always passes; with little noise any difference is significant.
    lags_outside
        Maximum share of lags at which autocorrelations differ by more than `standard_errors`; Barlas uses 0.
    phase
        Maximum lag, in steps, that is not noted.
    mean
        Maximum relative difference of means.
    variation
        Maximum relative difference of standard deviations.
    discrepancy
        Maximum discrepancy coefficient.
    """

    standard_errors: float = 2.0
    trend: float = 0.05
    lags_outside: float = 0.0
    phase: int = 0
    mean: float = 0.05
    variation: float = 0.30
    discrepancy: float = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class PatternStep:
    """One step of the comparison and its verdict.

    Attributes
    ----------
    name
        One of `STEPS`.
    status
        ``"noted"`` is an estimate without a test; ``"skipped"`` was not done, and the message gives the reason.
    values
        The statistics of the step.
    message
        One sentence.
    """

    name: StepName
    status: Status
    values: Mapping[str, float]
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BehaviourPatterns(Tabled):
    """All steps of one pair of series, in order.

    Attributes
    ----------
    steps
        The steps.
    n
        Number of times compared.
    missing
        Number of times left out.
    """

    steps: tuple[PatternStep, ...]
    n: int
    missing: int

    @property
    def passed(self) -> bool:
        """Whether no step failed."""
        return all(step.status != "failed" for step in self.steps)

    @property
    def stopped_at(self) -> str | None:
        """The failed step after which the sequence was stopped, or None."""
        failed = [step.name for step in self.steps if step.status == "failed"]
        return next((name for name in failed if name in ("trend", "period")), None)

    @property
    def verdict(self) -> str:
        """One sentence about the pair."""
        failed = [step.name for step in self.steps if step.status == "failed"]
        if not failed:
            return "The model makes the observed pattern, as far as these tests can tell."
        if self.stopped_at:
            return f"The {self.stopped_at} differs; revise the model before comparing what comes after it."
        return f"The pattern is there, but it differs in {' and '.join(failed)}."

    def table(self) -> pd.DataFrame:
        """One row per statistic of each step.

        Returns
        -------
        pandas.DataFrame
            Columns ``step``, ``status``, ``statistic``, ``value``, ``message``.
        """
        rows = [
            (step.name, step.status, name, value, step.message)
            for step in self.steps
            for name, value in (step.values or {"": float("nan")}).items()
        ]
        return pd.DataFrame(rows, columns=["step", "status", "statistic", "value", "message"])


def behaviour_patterns(
    observed: ArrayLike,
    simulated: ArrayLike,
    *,
    time: Axis = -1,
    step: float = 1.0,
    trend: Trend = "linear",
    limits: PatternLimits | None = None,
) -> BehaviourPatterns:
    r"""Compare the pattern of one simulated series with that of the observed one, in Barlas's order.

    1. *Trend*: fitted to both, the coefficients compared, then removed (`fit_trend`, `trend_difference`).
    2. *Period*: the autocorrelation functions compared lag by lag up to half the series (`compare_autocorrelations`).
    3. *Phase*: the lag at which the cross-correlation function peaks (`lagged_correlation`). An estimate without a
       test: a phase shift may be harmless, but makes point-by-point errors uninformative.
    4. *Mean*, of the series with their trends: :math:`E_1 = (\bar S-\bar A)/|\bar A|`.
    5. *Variation*, about the trend: :math:`E_2 = (s_S-s_A)/s_A`.
    6. *Discrepancy*, about the trend, of the series shifted by the lag of step 3:

    .. math:: U = \frac{\sqrt{\sum(S_i-\bar S-A_i+\bar A)^2}}{\sqrt{\sum(A_i-\bar A)^2}+\sqrt{\sum(S_i-\bar S)^2}}

    If the trends or periods differ, the sequence ends: later steps assume that they agree, so the model should be
    revised first, and the remaining steps are ``"skipped"``. A different mean or variation does not end it. (Which
    steps end the sequence is our interpretation of the procedure.)

    Parameters
    ----------
    observed, simulated
        One series each, in the same unit.
    time
        The time axis, if there are others of length one.
    step
        Time between successive values, which must be equally spaced.
    trend
        Trend to fit and remove; ``"none"`` for none.
    limits
        Limits of the differences that pass; the defaults are those of `PatternLimits`.

    Returns
    -------
    BehaviourPatterns
        Every statistic is best at 0, except the periods, which should be equal; the discrepancy coefficient lies
        between 0 (perfect) and 1 (opposite). Missing data: the longest interval without gaps in both is compared.

    Raises
    ------
    InvalidInput
        If the arrays cannot be aligned, there is more than one series, the longest interval without gaps has fewer
        than 8 times, or an exponential trend is requested for values that are not positive.

    References
    ----------
    Barlas, Y. (1985), Comparing the observed and model-generated behavior patterns to validate system dynamics models,
    International System Dynamics Conference. Barlas, Y. (1989), Multiple tests for validation of system dynamics type
    of simulation models, European Journal of Operational Research 42(1), 59-87. Barlas, Y. (1996), Formal aspects of
    model validity and validation in system dynamics, System Dynamics Review 12(3), 183-210. The limits of means and
    variations are those commonly quoted from Barlas; those of the trend and the discrepancy are ours.

    Examples
    --------
    >>> time = np.arange(48.0)
    >>> wave = 10 + 0.1 * time + np.sin(time / 2)
    >>> behaviour_patterns(wave, wave).verdict
    'The model makes the observed pattern, as far as these tests can tell.'
    """
    check_trend(trend)
    pair = line_up(observed, simulated, time=time)
    moments = pair.observed.shape[-1]
    if pair.observed.size != moments:
        raise InvalidInput(
            f"behaviour_patterns compares one series; the pair has the shape {pair.observed.shape}. "
            "patterns_table takes many"
        )
    stretch = _longest_stretch(pair.present.reshape(-1))
    length = stretch.stop - stretch.start
    if length < FEWEST:
        raise InvalidInput(
            f"the longest unbroken stretch of moments both series have is {length}; a pattern needs at least {FEWEST}"
        )
    actual, model = (array.reshape(-1)[stretch] for array in (pair.observed, pair.simulated))
    comparison = _Comparison(actual, model, step, trend, limits or PatternLimits())
    return BehaviourPatterns(steps=tuple(comparison.steps()), n=length, missing=moments - length)


def patterns_table(
    observed: ArrayLike,
    simulated: ArrayLike,
    *,
    time: Axis = -1,
    step: float = 1.0,
    trend: Trend = "linear",
    limits: PatternLimits | None = None,
) -> pd.DataFrame:
    """Compare the behaviour patterns of every series.

    Parameters
    ----------
    observed, simulated, time, step, trend, limits
        As in `behaviour_patterns`, for any number of series.

    Returns
    -------
    pandas.DataFrame
        One row per series: the status of each of `STEPS`, every statistic as ``step statistic``, and the ``verdict``. A
        series that cannot be compared has the reason as its verdict and "skipped" for every step.

    Raises
    ------
    InvalidInput
        If the arrays cannot be aligned.
    """
    check_trend(trend)
    pair = line_up(observed, simulated, time=time)
    moments = pair.observed.shape[-1]
    rows: list[dict[str, object]] = []
    for actual, model in zip(pair.observed.reshape(-1, moments), pair.simulated.reshape(-1, moments), strict=True):
        try:
            found = behaviour_patterns(actual, model, step=step, trend=trend, limits=limits)
        except InvalidInput as reason:
            rows.append({**dict.fromkeys(STEPS, "skipped"), "verdict": str(reason)})
            continue
        numbers = {f"{item.name} {name}": value for item in found.steps for name, value in item.values.items()}
        rows.append({item.name: item.status for item in found.steps} | numbers | {"verdict": found.verdict})
    table = pd.DataFrame(rows, index=pd.Index(pair.labels, name="series"))
    return table[[*STEPS, *(name for name in table.columns if name not in (*STEPS, "verdict")), "verdict"]]


@dataclass
class _Comparison:
    """The steps of the comparison of a pair without gaps; later steps use results of earlier ones."""

    observed: FloatArray
    simulated: FloatArray
    step: float
    trend: Trend
    limits: PatternLimits
    # Detrended series (observed, simulated), and the lag in steps.
    left: tuple[FloatArray, FloatArray] = field(init=False)
    lag: int = 0

    def steps(self) -> list[PatternStep]:
        """All steps; those after a failed trend or period are skipped."""
        makers: dict[StepName, Callable[[], PatternStep]] = {
            "trend": self._trend,
            "period": self._period,
            "phase": self._phase,
            "mean": self._mean,
            "variation": self._variation,
            "discrepancy": self._discrepancy,
        }
        done: list[PatternStep] = []
        for name, maker in makers.items():
            broken = [step.name for step in done if step.status == "failed" and step.name in ("trend", "period")]
            done.append(_skipped(name, f"Not done, because the {broken[0]} differs.") if broken else maker())
        return done

    def _trend(self) -> PatternStep:
        actual, model = (
            fit_trend(series, trend=self.trend, step=self.step) for series in (self.observed, self.simulated)
        )
        self.left = (_without_rounding(actual.left, self.observed), _without_rounding(model.left, self.simulated))
        if self.trend == "none":
            return _skipped("trend", "No trend was asked for.")
        in_errors, relative = trend_difference(actual, model)
        alike = (np.abs(in_errors) <= self.limits.standard_errors) | (np.abs(relative) <= self.limits.trend)
        alike |= self._is_rounding(model.coefficients[1:] - actual.coefficients[1:])
        values: dict[str, float] = {}
        for power, pair in enumerate(zip(actual.coefficients[1:], model.coefficients[1:], strict=True), start=1):
            values |= {f"observed_{power}": float(pair[0]), f"simulated_{power}": float(pair[1])}
            values |= {f"standard_errors_apart_{power}": float(in_errors[power - 1])}
            values |= {f"relative_difference_{power}": float(relative[power - 1])}
        words = "agree" if alike.all() else "differ"
        return _judged("trend", bool(alike.all()), values, f"The {self.trend} trends {words}.")

    def _period(self) -> PatternStep:
        if not self._vary():
            return _skipped("period", "A series does not vary about its trend.")
        lags = len(self.observed) // 2
        difference, error = compare_autocorrelations(*self.left, lags=lags)
        outside = np.abs(difference) > self.limits.standard_errors * error
        periods = [period(series, step=self.step) for series in self.left]
        values = {
            "observed": periods[0],
            "simulated": periods[1],
            "lags": float(lags),
            "lags_outside": float(outside.sum()),
            "largest_difference": float(np.abs(difference).max()),
        }
        passed = float(outside.mean()) <= self.limits.lags_outside
        words = "agree" if passed else f"differ at {int(outside.sum())} of {lags} lags"
        return _judged("period", passed, values, f"The autocorrelation functions {words}.")

    def _phase(self) -> PatternStep:
        if not self._vary():
            return _skipped("phase", "A series does not vary about its trend.")
        longest = len(self.observed) // 2
        function = lagged_correlation(*self.left, lags=longest)
        lags = np.arange(-longest, longest + 1)
        # The shortest of the lags with the highest correlation.
        best = lags[np.lexsort((np.abs(lags), -function.round(12)))[0]]
        self.lag = int(best)
        values = {
            "lag": float(best * self.step),
            "correlation_at_lag": float(function[longest + best]),
            "correlation_at_zero": float(function[longest]),
        }
        if abs(self.lag) <= self.limits.phase:
            return PatternStep(name="phase", status="passed", values=values, message="The series move together.")
        words = "later" if best > 0 else "earlier"
        message = f"The simulated comes {words} than the observed, by {abs(best * self.step):g}."
        return PatternStep(name="phase", status="noted", values=values, message=message)

    def _mean(self) -> PatternStep:
        level = self.observed.mean()
        error = float(ratio(self.simulated.mean() - level, abs(level)))
        if np.isnan(error):
            return _skipped("mean", "The mean of the observed is zero; a relative error has no meaning.")
        return _judged("mean", abs(error) <= self.limits.mean, {"error": error}, f"The means differ by {error:+.1%}.")

    def _variation(self) -> PatternStep:
        actual, model = (series.std() for series in self.left)
        error = float(ratio(model - actual, actual))
        if np.isnan(error):
            return _skipped("variation", "The observed does not vary about its trend.")
        passed = abs(error) <= self.limits.variation
        return _judged("variation", passed, {"error": error}, f"The variations differ by {error:+.1%}.")

    def _discrepancy(self) -> PatternStep:
        shifted = _shifted(*self.left, lag=self.lag)
        coefficient = discrepancy(*shifted)
        if np.isnan(coefficient):
            return _skipped("discrepancy", "Neither series varies about its trend.")
        values = {"coefficient": coefficient, "at_lag_zero": discrepancy(*self.left)}
        message = f"The discrepancy coefficient is {coefficient:.3f}."
        return _judged("discrepancy", coefficient <= self.limits.discrepancy, values, message)

    def _is_rounding(self, gap: FloatArray) -> NDArray[np.bool_]:
        """Whether a difference of trends changes the series by no more than rounding."""
        span = (len(self.observed) * self.step) ** np.arange(1, len(gap) + 1)
        size = 1.0 if self.trend == "exponential" else max(np.abs(self.observed).max(), np.abs(self.simulated).max())
        return np.asarray(np.abs(gap) * span <= 1e-9 * size)

    def _vary(self) -> bool:
        return all(np.ptp(series) > 0 for series in self.left)


def discrepancy(observed: FloatArray, simulated: FloatArray) -> float:
    r"""Barlas's discrepancy coefficient: Theil's U1 of the deviations from the means.

    .. math:: U = \frac{\sqrt{\sum(S_i-\bar S-A_i+\bar A)^2}}{\sqrt{\sum(A_i-\bar A)^2}+\sqrt{\sum(S_i-\bar S)^2}}
              = \frac{s_E}{s_S+s_A}

    Parameters
    ----------
    observed, simulated
        Series without gaps, shape ``(time,)``.

    Returns
    -------
    float
        From 0 (perfect except for the mean) to 1 (opposite); lower is better; NaN if both are constant.

    References
    ----------
    Barlas, Y. (1989), European Journal of Operational Research 42(1), 59-87.

    Examples
    --------
    >>> discrepancy(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0]))
    1.0
    """
    actual, model = (series - series.mean() for series in (observed, simulated))
    spread = np.sqrt((actual**2).sum()) + np.sqrt((model**2).sum())
    return float(ratio(np.sqrt(((model - actual) ** 2).sum()), spread))


def _longest_stretch(present: NDArray[np.bool_]) -> slice:
    """The longest interval without gaps in both series (the first one in ties)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], present, [False]])))
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return slice(0, 0)
    longest = int(np.argmax(ends - starts))
    return slice(int(starts[longest]), int(ends[longest]))


def _without_rounding(left: FloatArray, series: FloatArray) -> FloatArray:
    """Detrended series, set to zero if it is only rounding error."""
    noise = 1e-12 * np.abs(series).max()
    return np.where(np.ptp(left) <= noise, 0.0, left)


def _shifted(observed: FloatArray, simulated: FloatArray, *, lag: int) -> tuple[FloatArray, FloatArray]:
    """Overlapping parts of both series after the simulated one is shifted back by the lag."""
    n = len(observed)
    return observed[max(-lag, 0) : n - max(lag, 0)], simulated[max(lag, 0) : n + min(lag, 0)]


def _judged(name: StepName, passed: bool, values: Mapping[str, float], message: str) -> PatternStep:
    return PatternStep(name=name, status="passed" if passed else "failed", values=values, message=message)


def _skipped(name: StepName, message: str) -> PatternStep:
    return PatternStep(name=name, status="skipped", values={}, message=message)

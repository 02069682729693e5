"""Barlas's sequence of tests of whether the model reproduces the observed behaviour pattern."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from calibration.sdeval.pairs import Axis, FloatArray, line_up, ratio
from calibration.sdeval.residuals import autocorrelation
from pysd_runner.core.errors import InvalidInput
from pysd_runner.export.files import Tabled

Status = Literal["passed", "failed", "noted", "skipped"]
StepName = Literal["trend", "period", "phase", "mean", "variation", "discrepancy"]

# Minimum number of times for a comparison of patterns.
FEWEST = 8

# Maximum difference of trend coefficients and autocorrelations in standard errors (Barlas), and relative difference of
# trend coefficients that always passes, since with little noise any difference is significant.
STANDARD_ERRORS, TREND = 2.0, 0.05

# Maximum relative difference of means and of standard deviations, and maximum discrepancy coefficient.
MEAN, VARIATION, DISCREPANCY = 0.05, 0.30, 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class PatternStep:
    """One step of the comparison and its verdict.

    Attributes
    ----------
    name
        trend, period, phase, mean, variation or discrepancy.
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


def behaviour_patterns(observed: ArrayLike, simulated: ArrayLike, *, time: Axis = -1) -> BehaviourPatterns:
    r"""Compare the pattern of one simulated series with that of the observed one, in Barlas's order.

    1. *Trend*: a line fitted to both by least squares, the slopes :math:`b` compared, then removed:
       :math:`(b^S-b^A)/\sqrt{\operatorname{se}^2(b^S)+\operatorname{se}^2(b^A)}` and :math:`(b^S-b^A)/|b^A|`.
    2. *Period*: the autocorrelation functions compared lag by lag up to half the series, with
       :math:`\operatorname{Var}(r_k) \approx \frac{1}{N(N+2)}\sum_{i<N}(N-i)\left(r_{k-i}+r_{k+i}-2r_kr_i\right)^2`.
    3. *Phase*: the lag at which the cross-correlation function peaks, positive where the simulated lags behind. An
       estimate without a test: a phase shift may be harmless, but makes point-by-point errors uninformative.
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
        One series each, in the same unit, at equally spaced times.
    time
        The time axis, if there are others of length one.

    Returns
    -------
    BehaviourPatterns
        Every statistic is best at 0, except the periods, which should be equal; the discrepancy coefficient lies
        between 0 (perfect) and 1 (opposite). Missing data: the longest interval without gaps in both is compared.

    Raises
    ------
    InvalidInput
        If the arrays cannot be aligned, there is more than one series, or the longest interval without gaps has fewer
        than 8 times.

    References
    ----------
    Barlas, Y. (1985), Comparing the observed and model-generated behavior patterns to validate system dynamics models,
    International System Dynamics Conference. Barlas, Y. (1989), Multiple tests for validation of system dynamics type
    of simulation models, European Journal of Operational Research 42(1), 59-87. Barlas, Y. (1996), Formal aspects of
    model validity and validation in system dynamics, System Dynamics Review 12(3), 183-210. Barlas, Y. (1990), An
    autocorrelation function test for output validation, Simulation 55(1), 7-16. The limits of means and variations are
    those commonly quoted from Barlas; those of the trend and the discrepancy are ours.

    Examples
    --------
    >>> time = np.arange(48.0)
    >>> wave = 10 + 0.1 * time + np.sin(time / 2)
    >>> behaviour_patterns(wave, wave).passed
    True
    """
    pair = line_up(observed, simulated, time=time)
    moments = pair.observed.shape[-1]
    if pair.observed.size != moments:
        raise InvalidInput(f"behaviour_patterns compares one series; the pair has the shape {pair.observed.shape}")
    stretch = _longest_stretch(pair.present.reshape(-1))
    length = stretch.stop - stretch.start
    if length < FEWEST:
        raise InvalidInput(
            f"the longest unbroken stretch of moments both series have is {length}; a pattern needs at least {FEWEST}"
        )
    actual, model = (array.reshape(-1)[stretch] for array in (pair.observed, pair.simulated))
    steps = tuple(_Comparison(actual, model).steps())
    return BehaviourPatterns(steps=steps, n=length, missing=moments - length)


@dataclass
class _Comparison:
    """The steps of the comparison of a pair without gaps; later steps use results of earlier ones."""

    observed: FloatArray
    simulated: FloatArray
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
        actual, model = _line(self.observed), _line(self.simulated)
        self.left = (_without_rounding(actual.left, self.observed), _without_rounding(model.left, self.simulated))
        gap = model.slope - actual.slope
        in_errors = float(ratio(gap, np.hypot(model.standard_error, actual.standard_error)))
        relative = float(ratio(gap, abs(actual.slope)))
        size = max(np.abs(self.observed).max(), np.abs(self.simulated).max())
        is_rounding = abs(gap) * len(self.observed) <= 1e-9 * size
        alike = abs(in_errors) <= STANDARD_ERRORS or abs(relative) <= TREND or is_rounding
        values = {
            "observed_1": actual.slope,
            "simulated_1": model.slope,
            "standard_errors_apart_1": in_errors,
            "relative_difference_1": relative,
        }
        return _judged("trend", alike, values, f"The linear trends {'agree' if alike else 'differ'}.")

    def _period(self) -> PatternStep:
        if not self._vary():
            return _skipped("period", "A series does not vary about its trend.")
        lags = len(self.observed) // 2
        functions = [autocorrelation(series, lags=len(series) - 1) for series in self.left]
        error = np.hypot(*(_errors(function) for function in functions))[1 : lags + 1]
        difference = (functions[1] - functions[0])[1 : lags + 1]
        outside = np.abs(difference) > STANDARD_ERRORS * error
        periods = [_period_of(function) for function in functions]
        values = {
            "observed": periods[0],
            "simulated": periods[1],
            "lags": float(lags),
            "lags_outside": float(outside.sum()),
            "largest_difference": float(np.abs(difference).max()),
        }
        passed = not outside.any()
        words = "agree" if passed else f"differ at {int(outside.sum())} of {lags} lags"
        return _judged("period", passed, values, f"The autocorrelation functions {words}.")

    def _phase(self) -> PatternStep:
        if not self._vary():
            return _skipped("phase", "A series does not vary about its trend.")
        longest = len(self.observed) // 2
        function = _lagged_correlation(*self.left, lags=longest)
        lags = np.arange(-longest, longest + 1)
        # The shortest of the lags with the highest correlation.
        best = lags[np.lexsort((np.abs(lags), -function.round(12)))[0]]
        self.lag = int(best)
        values = {
            "lag": float(best),
            "correlation_at_lag": float(function[longest + best]),
            "correlation_at_zero": float(function[longest]),
        }
        if self.lag == 0:
            return PatternStep(name="phase", status="passed", values=values, message="The series move together.")
        words = "later" if best > 0 else "earlier"
        message = f"The simulated comes {words} than the observed, by {abs(best)}."
        return PatternStep(name="phase", status="noted", values=values, message=message)

    def _mean(self) -> PatternStep:
        level = self.observed.mean()
        error = float(ratio(self.simulated.mean() - level, abs(level)))
        if np.isnan(error):
            return _skipped("mean", "The mean of the observed is zero; a relative error has no meaning.")
        return _judged("mean", abs(error) <= MEAN, {"error": error}, f"The means differ by {error:+.1%}.")

    def _variation(self) -> PatternStep:
        actual, model = (series.std() for series in self.left)
        error = float(ratio(model - actual, actual))
        if np.isnan(error):
            return _skipped("variation", "The observed does not vary about its trend.")
        passed = abs(error) <= VARIATION
        return _judged("variation", passed, {"error": error}, f"The variations differ by {error:+.1%}.")

    def _discrepancy(self) -> PatternStep:
        shifted = _shifted(*self.left, lag=self.lag)
        coefficient = _discrepancy(*shifted)
        if np.isnan(coefficient):
            return _skipped("discrepancy", "Neither series varies about its trend.")
        values = {"coefficient": coefficient, "at_lag_zero": _discrepancy(*self.left)}
        message = f"The discrepancy coefficient is {coefficient:.3f}."
        return _judged("discrepancy", coefficient <= DISCREPANCY, values, message)

    def _vary(self) -> bool:
        return all(np.ptp(series) > 0 for series in self.left)


@dataclass(frozen=True, slots=True)
class _Line:
    """A least-squares line: its slope, the standard error of that, and the series minus the line."""

    slope: float
    standard_error: float
    left: FloatArray


def _line(series: FloatArray) -> _Line:
    powers = np.vander(np.arange(len(series), dtype=float), 2, increasing=True)
    fitted, *_ = np.linalg.lstsq(powers, series)
    left = series - powers @ fitted
    covariance = (left**2).sum() / (len(series) - 2) * np.linalg.inv(powers.T @ powers)
    return _Line(float(fitted[1]), float(np.sqrt(covariance[1, 1])), left)


def _errors(coefficients: FloatArray) -> FloatArray:
    """Standard errors of the autocorrelations of an autocorrelated series, those beyond its length taken as 0."""
    n = len(coefficients)
    lags, shifts = np.arange(n)[:, np.newaxis], np.arange(1, n)[np.newaxis, :]
    padded = np.concatenate([coefficients, np.zeros(n)])
    inner = padded[np.abs(lags - shifts)] + padded[lags + shifts] - 2 * coefficients[:, np.newaxis] * padded[shifts]
    return np.asarray(np.sqrt(((n - shifts) * inner**2).sum(axis=1) / (n * (n + 2))))


def _period_of(function: FloatArray) -> float:
    """Lag of the highest positive peak of an autocorrelation function, up to half the series; NaN if there is none."""
    inner = np.arange(1, len(function) // 2 + 1)
    inner = inner[inner < len(function) - 1]
    is_peak = (function[inner] > function[inner - 1]) & (function[inner] >= function[inner + 1]) & (function[inner] > 0)
    if not is_peak.any():
        return float("nan")
    peaks = inner[is_peak]
    return float(peaks[np.argmax(function[peaks])])


def _lagged_correlation(observed: FloatArray, simulated: FloatArray, *, lags: int) -> FloatArray:
    """Cross-correlation function at the lags ``-lags`` to ``lags``; NaN if a series is constant."""
    n = len(observed)
    actual, model = (series - series.mean() for series in (observed, simulated))
    products = [
        (model[max(lag, 0) : n + min(lag, 0)] * actual[max(-lag, 0) : n - max(lag, 0)]).sum()
        for lag in range(-lags, lags + 1)
    ]
    return ratio(np.array(products), np.sqrt((model**2).sum()) * np.sqrt((actual**2).sum()))


def _discrepancy(observed: FloatArray, simulated: FloatArray) -> float:
    """Barlas's discrepancy coefficient: Theil's U1 of the deviations from the means."""
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

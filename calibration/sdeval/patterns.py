"""Barlas's sequence of tests of whether the model reproduces the observed behaviour pattern."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from calibration.sdeval.fit import line_up, ratio
from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.types import Array, Flags, Numbers, frozen
from pysd_runner.export.files import Tabled

Status = Literal["passed", "failed", "skipped"]
StepName = Literal["trend", "mean", "variation"]

# Minimum number of times for a comparison of patterns.
FEWEST = 8

# Maximum difference of trend coefficients in standard errors (Barlas), and relative difference of them that always
# passes, since with little noise any difference is significant.
STANDARD_ERRORS, TREND = 2.0, 0.05

# Maximum relative difference of means and of standard deviations.
MEAN, VARIATION = 0.05, 0.30


@frozen
class PatternStep:
    """One step of the comparison and its verdict.

    Attributes
    ----------
    name
        trend, mean or variation.
    status
        ``"skipped"`` was not done, and the message gives the reason.
    values
        The statistics of the step.
    message
        One sentence.
    """

    name: StepName
    status: Status
    values: Numbers
    message: str


@frozen
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


def behaviour_patterns(observed: ArrayLike, simulated: ArrayLike) -> BehaviourPatterns:
    r"""Compare the pattern of one simulated series with that of the observed one, in Barlas's order.

    1. *Trend*: a line fitted to both by least squares, the slopes :math:`b` compared, then removed:
       :math:`(b^S-b^A)/\sqrt{\operatorname{se}^2(b^S)+\operatorname{se}^2(b^A)}` and :math:`(b^S-b^A)/|b^A|`.
    2. *Mean*, of the series with their trends: :math:`E_1 = (\bar S-\bar A)/|\bar A|`.
    3. *Variation*, about the trend: :math:`E_2 = (s_S-s_A)/s_A`.

    If the trends differ, the sequence ends: later steps assume that they agree, so the model should be revised first,
    and the remaining steps are ``"skipped"``. (That this ends the sequence is our interpretation of the procedure,
    whose comparisons of autocorrelations and of phase need longer series than those of regions.)

    Parameters
    ----------
    observed, simulated
        One series each, in the same unit, at equally spaced times.

    Returns
    -------
    BehaviourPatterns
        Every statistic is best at 0. Missing data: the longest interval without gaps in both is compared.

    Raises
    ------
    InvalidInput
        If the shapes differ, there is more than one series, or the longest interval without gaps has fewer
        than 8 times.

    References
    ----------
    Barlas, Y. (1985), Comparing the observed and model-generated behavior patterns to validate system dynamics models,
    International System Dynamics Conference. Barlas, Y. (1989), Multiple tests for validation of system dynamics type
    of simulation models, European Journal of Operational Research 42(1), 59-87. Barlas, Y. (1996), Formal aspects of
    model validity and validation in system dynamics, System Dynamics Review 12(3), 183-210. The limits of means and
    variations are those commonly quoted from Barlas; that of the trend is ours.

    Examples
    --------
    >>> time = np.arange(48.0)
    >>> wave = 10 + 0.1 * time + np.sin(time / 2)
    >>> behaviour_patterns(wave, wave).passed
    True
    """
    pair = line_up(observed, simulated)
    moments = pair.observed.shape[-1]
    if pair.observed.size != moments:
        raise InvalidInput(
            "behaviour_patterns compares one series; the pair has the shape {shape}", shape=pair.observed.shape
        )
    stretch = _longest_stretch(pair.present.reshape(-1))
    length = stretch.stop - stretch.start
    if length < FEWEST:
        raise InvalidInput(
            "the longest unbroken stretch of moments both series have is {length}; a pattern needs at least {least}",
            length=length,
            least=FEWEST,
        )
    actual, model = (array.reshape(-1)[stretch] for array in (pair.observed, pair.simulated))
    lines = _line(actual), _line(model)
    trend = _trend(actual, model, *lines)
    if trend.status == "failed":
        names: tuple[StepName, ...] = ("mean", "variation")
        later = [_skipped(name, Message("Not done, because the trend differs.")) for name in names]
    else:
        later = [_mean(actual.mean(), model.mean()), _variation(*(line.left.std() for line in lines))]
    return BehaviourPatterns(steps=(trend, *later), n=length, missing=moments - length)


_AGREE, _DIFFER = Message("The linear trends agree."), Message("The linear trends differ.")


def _trend(observed: Array, simulated: Array, actual: "_Line", model: "_Line") -> PatternStep:
    gap = model.slope - actual.slope
    in_errors = float(ratio(gap, np.hypot(model.standard_error, actual.standard_error)))
    relative = float(ratio(gap, abs(actual.slope)))
    size = max(np.abs(observed).max(), np.abs(simulated).max())
    is_rounding = abs(gap) * len(observed) <= 1e-9 * size
    alike = abs(in_errors) <= STANDARD_ERRORS or abs(relative) <= TREND or is_rounding
    values = {
        "observed_1": actual.slope,
        "simulated_1": model.slope,
        "standard_errors_apart_1": in_errors,
        "relative_difference_1": relative,
    }
    return _judged("trend", alike, values, _AGREE if alike else _DIFFER)


def _mean(observed: float, simulated: float) -> PatternStep:
    error = float(ratio(simulated - observed, abs(observed)))
    if np.isnan(error):
        return _skipped("mean", Message("The mean of the observed is zero; a relative error has no meaning."))
    message = Message("The means differ by {error:+.1%}.", error=error)
    return _judged("mean", abs(error) <= MEAN, {"error": error}, message)


def _variation(observed: float, simulated: float) -> PatternStep:
    error = float(ratio(simulated - observed, observed))
    if np.isnan(error):
        return _skipped("variation", Message("The observed does not vary about its trend."))
    message = Message("The variations differ by {error:+.1%}.", error=error)
    return _judged("variation", abs(error) <= VARIATION, {"error": error}, message)


@dataclass(frozen=True, slots=True)
class _Line:
    """A least-squares line: its slope, the standard error of that, and the series minus the line."""

    slope: float
    standard_error: float
    left: Array


def _line(series: Array) -> _Line:
    powers = np.vander(np.arange(len(series), dtype=float), 2, increasing=True)
    fitted, *_ = np.linalg.lstsq(powers, series)
    left = series - powers @ fitted
    covariance = (left**2).sum() / (len(series) - 2) * np.linalg.inv(powers.T @ powers)
    # What is left of a straight line is only rounding.
    left = np.where(np.ptp(left) <= 1e-12 * np.abs(series).max(), 0.0, left)
    return _Line(float(fitted[1]), float(np.sqrt(covariance[1, 1])), left)


def _longest_stretch(present: Flags) -> slice:
    """The longest interval without gaps in both series (the first one in ties)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], present, [False]])))
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return slice(0, 0)
    longest = int(np.argmax(ends - starts))
    return slice(int(starts[longest]), int(ends[longest]))


def _judged(name: StepName, passed: bool, values: Numbers, message: str) -> PatternStep:
    return PatternStep(name=name, status="passed" if passed else "failed", values=values, message=message)


def _skipped(name: StepName, message: str) -> PatternStep:
    return PatternStep(name=name, status="skipped", values={}, message=message)

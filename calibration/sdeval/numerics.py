"""Numerical tests: integration error, conservation, non-negativity, and the first NaN."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from calibration.sdeval.pairs import Axis, FloatArray, Run, arrays_of, first_where, ratio, series_of
from pysd_runner.core.errors import InvalidInput

#: Function that runs a model with a time step and a method; outcomes are saved at the same times for every step.
Integrate = Callable[[float, str], Run]


@dataclass(frozen=True, kw_only=True, slots=True)
class IntegrationError:
    """Dependence of a run on its time step and integration method.

    Attributes
    ----------
    table
        One row per outcome: ``error_halved``, ``error_reference``, ``order``, ``acceptable``.
    """

    table: pd.DataFrame

    @property
    def passed(self) -> bool:
        """Whether every outcome is acceptable."""
        return bool(self.table["acceptable"].all())


@dataclass(frozen=True, kw_only=True, slots=True)
class Conservation:
    """Conservation of a total.

    Attributes
    ----------
    drift
        Largest absolute deviation from the expected total, in its unit; 0 is best.
    relative
        ``drift`` divided by the largest absolute total; 0 is best, rounding gives about 1e-15.
    """

    drift: FloatArray
    relative: FloatArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Negative:
    """An outcome with negative values.

    Attributes
    ----------
    name
        Name of the outcome.
    index
        Index of the first negative value.
    value
        The first negative value.
    """

    name: str
    index: tuple[int, ...]
    value: float


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstNan:
    """The first NaN or infinity of a run.

    Attributes
    ----------
    name
        Name of the outcome.
    moment
        Index on the time axis.
    index
        Index on all axes of the outcome.
    also
        Other outcomes that are first not finite at that time, in order.
    """

    name: str
    moment: int
    index: tuple[int, ...]
    also: tuple[str, ...]


def integration_error(
    integrate: Integrate,
    *,
    step: float,
    method: str = "euler",
    reference: str | None = "rk4",
    outcomes: Sequence[str] | None = None,
    tolerance: float = 0.01,
) -> IntegrationError:
    r"""Estimate the integration error by halving the time step twice and by comparing with a more accurate method.

    .. math:: E_h = \frac{\max|y_h-y_{h/2}|}{\max|y_{h/2}|}, \qquad
       E_\text{reference} = \frac{\max|y_h-y^\text{reference}_{h/2}|}{\max|y^\text{reference}_{h/2}|}, \qquad
       p = \log_2\frac{\max|y_h-y_{h/2}|}{\max|y_{h/2}-y_{h/4}|}

    Parameters
    ----------
    integrate
        Runs the model with a step and a method.
    step
        The step under test.
    method, reference
        Names of methods for ``integrate``; None for no comparison of methods.
    outcomes
        Outcomes to compare; by default all.
    tolerance
        Largest acceptable error, as a fraction of the largest absolute value of the outcome.

    Returns
    -------
    IntegrationError
        For each outcome ``error_halved`` :math:`E_h` and ``error_reference``, fractions, at least 0, lower is better;
        ``order`` :math:`p`, which should be near the order of the method (1 for Euler, 4 for RK4), NaN if halving
        changes nothing, low if the model has discontinuities between the steps; ``acceptable``, whether both errors are
        within the tolerance. A NaN error is not acceptable.

    Raises
    ------
    InvalidInput
        If ``step`` is not positive, or the outcomes do not have the same shape at every step.

    References
    ----------
    Sterman, J. D. (2000), Business Dynamics, McGraw-Hill, ch. 21 and appendix A. Hairer, E., Norsett, S. P. and Wanner,
    G. (1993), Solving Ordinary Differential Equations I, Springer, ch. II.

    Examples
    --------
    >>> def integrate(step, method):
    ...     factor = 1 - step if method == "euler" else 1 - step + step**2 / 2 - step**3 / 6 + step**4 / 24
    ...     return {"level": factor ** (np.arange(5.0) / step)}
    >>> found = integration_error(integrate, step=0.125).table.loc["level"]
    >>> round(float(found["order"])), bool(found["acceptable"])
    (1, False)
    """
    if not step > 0:
        raise InvalidInput(f"step is {step}; it must be positive")
    runs = [arrays_of(integrate(step / parts, method), outcomes) for parts in (1, 2, 4)]
    better = None if reference is None else arrays_of(integrate(step / 2, reference), list(runs[0]))
    rows = {}
    for name in runs[0]:
        coarse, half, quarter = (run[name] for run in runs)
        against = half if better is None else better[name]
        _same_shape(name, coarse, half, quarter, against)
        first, second = _largest(coarse - half), _largest(half - quarter)
        halved = float(ratio(first, _largest(half))) if first else 0.0
        gap = _largest(coarse - against)
        other = float(ratio(gap, _largest(against))) if gap else 0.0
        rows[name] = {
            "error_halved": halved,
            "error_reference": np.nan if better is None else other,
            "order": float(np.log2(ratio(first, second))) if first else np.nan,
            "acceptable": max(halved, other) <= tolerance and not np.isnan(halved + other),
        }
    return IntegrationError(table=pd.DataFrame.from_dict(rows, orient="index").rename_axis("outcome"))


def conservation(
    total: ArrayLike, *, net_inflow: ArrayLike | None = None, step: float = 1.0, time: Axis = -1
) -> Conservation:
    r"""Deviation of a total from its initial value plus the cumulated net inflow.

    .. math:: D = \max_t\left|y_t - y_0 - h\sum_{s<t} f_s\right|

    Parameters
    ----------
    total
        The sum of the stocks of the conserved quantity, at every integration step.
    net_inflow
        :math:`f`, inflow minus outflow per unit of time, same shape; by default zero.
    step
        :math:`h`, the time step. Flows are cumulated as by Euler's method, exact for models integrated with it.
    time
        The time axis.

    Returns
    -------
    Conservation
        At least 0, lower is better; shape without time; NaN if a value is missing.

    Raises
    ------
    InvalidInput
        If shapes differ or a value is infinite.

    References
    ----------
    Sterman, J. D. (2000), Business Dynamics, McGraw-Hill, ch. 21 (conservation of matter).

    Examples
    --------
    >>> float(conservation([10.0, 12.0, 14.5], net_inflow=[2.0, 2.0, 2.0]).drift)
    0.5
    """
    held = series_of(total, time=time, what="total")
    expected = np.zeros_like(held)
    if net_inflow is not None:
        flow = series_of(net_inflow, time=time, what="net_inflow")
        _same_shape("net_inflow", held, flow)
        expected[..., 1:] = step * flow[..., :-1].cumsum(axis=-1)
    drift = np.abs(held - held[..., :1] - expected).max(axis=-1)
    return Conservation(drift=drift, relative=ratio(drift, np.abs(held).max(axis=-1)))


def non_negativity(run: Run, *, names: Sequence[str] | None = None, tolerance: float = 0.0) -> tuple[Negative, ...]:
    """Find outcomes with negative values.

    Parameters
    ----------
    run
        Outcomes by name.
    names
        Outcomes that must not be negative; by default all.
    tolerance
        Largest negative deviation from zero that is accepted, in the unit of the outcome.

    Returns
    -------
    tuple of Negative
        The first negative value of each such outcome; empty is best. Missing values are ignored; see `first_nan`.

    Raises
    ------
    UnknownName
        If an outcome does not exist.

    Examples
    --------
    >>> non_negativity({"stock": [1.0, -0.5]})[0].index
    (1,)
    """
    found = []
    for name, values in arrays_of(run, names).items():
        where = first_where(values < -tolerance)
        if where is not None:
            found.append(Negative(name=name, index=where, value=float(values[where])))
    return tuple(found)


def first_nan(run: Run, *, order: Sequence[str] | None = None, time: int = -1) -> FirstNan | None:
    """Find the origin of the first NaN or infinity: at the earliest time, the outcome that is computed first.

    Parameters
    ----------
    run
        Outcomes by name.
    order
        Names in the order in which the model computes them; by default that of the run.
    time
        The time axis of every outcome that has one.

    Returns
    -------
    FirstNan or None
        None, which is best, if every value is finite.

    Raises
    ------
    UnknownName
        If an outcome does not exist.

    Examples
    --------
    >>> first_nan({"rate": [1.0, np.inf, np.nan], "stock": [1.0, 2.0, np.inf]}).name
    'rate'
    """
    broken: list[tuple[int, str, tuple[int, ...]]] = []
    for name, values in arrays_of(run, order).items():
        bad = np.moveaxis(~np.isfinite(np.atleast_1d(values)), time, 0)
        where = first_where(bad)
        if where is not None:
            # Restore the axis order of the outcome.
            place = list(where[1:])
            place.insert(time % bad.ndim, where[0])
            broken.append((where[0], name, tuple(place)))
    if not broken:
        return None
    moment = min(start for start, _, _ in broken)
    there = [(name, place) for start, name, place in broken if start == moment]
    return FirstNan(name=there[0][0], moment=moment, index=there[0][1], also=tuple(name for name, _ in there[1:]))


def _largest(values: FloatArray) -> float:
    return float(np.abs(values).max(initial=0.0))


def _same_shape(name: str, *arrays: FloatArray) -> None:
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise InvalidInput(
            f"{name} has the shapes {', '.join(map(str, sorted(shapes)))}; they must be the same: report at the same "
            "moments whatever the step"
        )

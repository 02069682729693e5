"""What one change does, of a parameter, a feedback loop or the step of time: to numbers and to behaviour modes."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from calibration.sdeval.fit import BREAKDOWNS, Run, Simulate, arrays_of, ratio
from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.types import Array, Arrays, Flags, Numbers, frozen

# Changes smaller than this share of the range of a series are ignored.
MIN_CHANGE = 1e-9

#: Function that runs a model with a time step; outcomes are saved at the same times for every step.
Integrate = Callable[[float], Run]


def turning_points(values: Array) -> NDArray[np.int_]:
    """Number of turning points of each series.

    Parameters
    ----------
    values
        Time on the last axis.

    Returns
    -------
    ndarray of int
        Counts, shape without time. Intervals without change are ignored; changes smaller than 1e-9 of the range of the
        series count as none.

    Examples
    --------
    >>> turning_points(np.array([0.0, 1, 1, 0, 2])).item()
    2
    """
    series = np.asarray(values, dtype=float)
    counts = [_turns(row) for row in series.reshape(-1, series.shape[-1])]
    return np.array(counts, dtype=int).reshape(series.shape[:-1])


def mode_differs(first: Array, second: Array) -> Flags:
    """Whether two runs of a series have different modes of behaviour.

    Parameters
    ----------
    first, second
        Arrays of the same shape, time on the last axis.

    Returns
    -------
    ndarray of bool
        Shape without time: true if the numbers of turning points or the signs of the net change over time differ.
    """
    turns = turning_points(first) != turning_points(second)
    ends = [np.sign(_net_change(np.asarray(array, dtype=float))) for array in (first, second)]
    return np.asarray(turns | (ends[0] != ends[1]))


def _net_change(values: Array) -> Array:
    change = values[..., -1] - values[..., 0]
    return np.where(np.abs(change) > MIN_CHANGE * np.ptp(values, axis=-1), change, 0.0)


def _turns(row: Array) -> int:
    change = np.diff(row)
    change = change[np.abs(change) > MIN_CHANGE * np.ptp(row)]
    return int((np.diff(np.sign(change)) != 0).sum())


def behavioural_sensitivity(
    simulate: Simulate, base: Numbers, *, change: float = 0.1, outcomes: Sequence[str] | None = None
) -> pd.DataFrame:
    """Whether a change of a parameter changes the mode of behaviour, and not only numerical values.

    Parameters
    ----------
    simulate
        Runs the model.
    base
        The parameters and their values.
    change
        Fraction by which each parameter is decreased and increased; the absolute change of a parameter that is zero.
    outcomes
        Outcomes to analyse; by default all.

    Returns
    -------
    pandas.DataFrame
        One row per parameter, direction ("lower", "upper") and outcome: ``series_changed``, the share of series whose
        mode differs from the base run (`calibration.sdeval.mode_differs`), from 0 to 1, nearer 0 is more robust;
        ``status``, "run" or why there was no run.

    Raises
    ------
    InvalidInput
        If ``change`` is not between 0 and 1 or the base run fails.

    References
    ----------
    Sterman, J. D. (2000), Business Dynamics, McGraw-Hill, ch. 21.
    """
    if not 0 < change < 1:
        raise InvalidInput("change is {change}; it must be a fraction between 0 and 1, as 0.1", change=change)
    whole = _base(simulate, base, outcomes)
    rows: list[dict[str, object]] = []
    for parameter, value in base.items():
        distance = change * abs(value) if value else change
        for direction, moved in (("lower", value - distance), ("upper", value + distance)):
            try:
                run = arrays_of(simulate({**base, parameter: moved}), list(whole))
            except BREAKDOWNS as fault:
                rows += [_no_run(parameter, name, f"not run: {fault}") | {"direction": direction} for name in whole]
                continue
            rows += [
                {"parameter": parameter, "direction": direction, "outcome": name, **_mode_change(array, run[name])}
                for name, array in whole.items()
            ]
    return pd.DataFrame(rows, columns=["parameter", "direction", "outcome", "series_changed", "status"])


def _base(simulate: Simulate, base: Numbers, outcomes: Sequence[str] | None) -> Arrays:
    """Outcomes of the base run, which must have a time axis."""
    try:
        run = simulate(dict(base))
    except BREAKDOWNS as fault:
        raise InvalidInput("the base run fails, so nothing can be compared with it: {fault}", fault=fault) from fault
    found = arrays_of(run, outcomes)
    for name, array in found.items():
        if array.ndim == 0:
            raise InvalidInput(
                "outcome {name!r} is one number; an array with time on its last axis is needed", name=name
            )
    return found


def _mode_change(whole: Array, moved: Array) -> dict[str, object]:
    """Share of series whose mode differs; not computed unless all values are finite."""
    if not (np.isfinite(whole).all() and np.isfinite(moved).all()):
        return {"status": Message("not run: a value is not finite")}
    return {"series_changed": float(np.mean(mode_differs(whole, moved))), "status": "run"}


def _no_run(parameter: str, outcome: str, status: str) -> dict[str, object]:
    return {"parameter": parameter, "outcome": outcome, "status": status}


@frozen
class KnockOut:
    """A feedback loop and the parameter values that cut it.

    Attributes
    ----------
    name
        Short name.
    inputs
        Parameter values that cut the loop, for example a strength of zero.
    """

    name: str
    inputs: Numbers


def knock_out(
    simulate: Simulate,
    loops: Sequence[KnockOut],
    *,
    outcomes: Sequence[str] | None = None,
    base: Numbers | None = None,
) -> pd.DataFrame:
    r"""Cut one feedback loop at a time and measure the change of behaviour.

    .. math::
       \text{change} = \sqrt{\frac{\overline{(y^0_t-y_t)^2}}{\overline{s^2_y}}}, \qquad
       \text{end change} = \frac{\overline{y^0_T-y_T}}{\overline{|y_T|}}

    with :math:`y` the base run, :math:`y^0` the run without the loop, time on the last axis, :math:`s_y` the standard
    deviation over time, and means over times and series.

    Parameters
    ----------
    simulate
        Runs the model.
    loops
        The loops, with the parameter values that cut them.
    outcomes
        Outcomes to compare; by default all.
    base
        Parameters of the base run.

    Returns
    -------
    pandas.DataFrame
        One row per loop and outcome: ``change``, at least 0 (no effect), relative to the variation of the base run;
        ``end_change`` of either sign; ``turning_points_base`` and ``turning_points_without`` summed over series;
        ``mode_changes``, whether `mode_differs` for any series; ``status``, "run" or why there was no run. Neither
        direction is better: a loop that is claimed to matter should have an effect.

    Raises
    ------
    InvalidInput
        If the base run fails.
    UnknownName
        If an outcome does not exist.

    References
    ----------
    Ford, D. N. (1999), A behavioral approach to feedback loop dominance analysis, System Dynamics Review 15(1), 3-36.
    """
    whole = _base(simulate, base or {}, outcomes)
    rows: list[dict[str, object]] = []
    for loop in loops:
        try:
            without = arrays_of(simulate({**(base or {}), **loop.inputs}), list(whole))
        except BREAKDOWNS as fault:
            rows += [
                {"loop": loop.name, "outcome": name, "status": Message("not run: {fault}", fault=str(fault))}
                for name in whole
            ]
            continue
        rows += [{"loop": loop.name, "outcome": name} | _difference(whole[name], without[name]) for name in whole]
    table = pd.DataFrame(rows, columns=["loop", "outcome", *_MEASURES, "status"])
    # As objects, so that messages stay messages.
    return table.assign(status=pd.Series([row["status"] for row in rows], dtype=object))


_MEASURES = ("change", "end_change", "turning_points_base", "turning_points_without", "mode_changes")


def _difference(whole: Array, without: Array) -> dict[str, object]:
    """Measures of the difference between a run without a loop and the base run."""
    if whole.shape != without.shape:
        raise InvalidInput(
            "the run without the loop has the shape {shape}, the base run {other_shape}",
            shape=without.shape,
            other_shape=whole.shape,
        )
    if not (np.isfinite(whole).all() and np.isfinite(without).all()):
        return {"status": Message("not run: a value is not finite")}
    gap = without - whole
    size, ends = np.sqrt((gap**2).mean()), np.abs(whole[..., -1]).mean()
    return {
        "status": "run",
        "change": float(ratio(size, np.sqrt(whole.var(axis=-1).mean()))) if size else 0.0,
        "end_change": float(ratio(gap[..., -1].mean(), ends)),
        "turning_points_base": int(turning_points(whole).sum()),
        "turning_points_without": int(turning_points(without).sum()),
        "mode_changes": bool(mode_differs(whole, without).any()),
    }


def integration_error(integrate: Integrate, *, step: float) -> pd.DataFrame:
    r"""Estimate the integration error by halving the time step.

    .. math:: E_h = \frac{\max|y_h-y_{h/2}|}{\max|y_{h/2}|}

    Parameters
    ----------
    integrate
        Runs the model with a step.
    step
        The step under test.

    Returns
    -------
    pandas.DataFrame
        One row per outcome: ``error_halved`` :math:`E_h`, a fraction of the largest absolute value of the outcome, at
        least 0, lower is better; NaN if a value is not finite.

    Raises
    ------
    InvalidInput
        If ``step`` is not positive, or the outcomes do not have the same shape at every step.

    References
    ----------
    Sterman, J. D. (2000), Business Dynamics, McGraw-Hill, ch. 21 and appendix A.

    Examples
    --------
    >>> found = integration_error(lambda step: {"level": (1 - step) ** (np.arange(5.0) / step)}, step=0.125)
    >>> round(float(found.loc["level", "error_halved"]), 3)
    0.012
    """
    if not step > 0:
        raise InvalidInput("step is {step}; it must be positive", step=step)
    coarse, half = (arrays_of(integrate(step / parts)) for parts in (1, 2))
    rows = {}
    for name in coarse:
        _same_shape(name, coarse[name], half[name])
        gap = _size(coarse[name] - half[name])
        rows[name] = float(ratio(gap, _size(half[name]))) if gap else 0.0
    return pd.DataFrame({"error_halved": rows}).rename_axis("outcome")


def _size(values: Array) -> float:
    return float(np.abs(values).max(initial=0.0))


def _same_shape(name: str, *arrays: Array) -> None:
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise InvalidInput(
            "{name} has the shapes {shapes}; they must be the same: report at the same moments whatever the step",
            name=name,
            shapes=", ".join(map(str, sorted(shapes))),
        )

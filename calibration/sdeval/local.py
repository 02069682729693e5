"""Local sensitivity, one parameter at a time: do the numbers change, does the behaviour change."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from calibration.sdeval.modes import mode_differs
from calibration.sdeval.pairs import FloatArray, ratio
from calibration.sdeval.runs import BREAKDOWNS, Simulate, arrays_of
from pysd_runner.core.errors import InvalidInput


def numerical_sensitivity(
    simulate: Simulate, base: Mapping[str, float], *, change: float = 0.1, outcomes: Sequence[str] | None = None
) -> pd.DataFrame:
    r"""Elasticity of every outcome with respect to every parameter, by central differences.

    .. math:: E = \frac{y(p(1+c)) - y(p(1-c))}{2c\,y(p)}

    Parameters
    ----------
    simulate
        Runs the model.
    base
        The parameters and their values.
    change
        :math:`c`, a fraction.
    outcomes
        Which outcomes; all if not given.

    Returns
    -------
    pandas.DataFrame
        A row for each parameter and outcome: ``elasticity_end``, the mean over series at the last moment, per cent for
        a per cent, of either sign; ``elasticity_largest``, the largest absolute one anywhere, from 0 up; ``status``,
        "run" or why there was none. Nearer 0 is more robust. Moments where the base outcome is zero are left out.

    Raises
    ------
    InvalidInput
        If ``change`` is not between 0 and 1 or the base run fails.

    References
    ----------
    Sterman, J. D. (2000), Business Dynamics, McGraw-Hill, ch. 21 (numerical, behaviour mode and policy sensitivity).

    Examples
    --------
    >>> def simulate(parameters):
    ...     return {"area": np.array([parameters["side"] ** 2])}
    >>> round(float(numerical_sensitivity(simulate, {"side": 3.0})["elasticity_end"][0]), 12)
    2.0
    """
    whole = _base(simulate, base, change, outcomes)
    rows: list[dict[str, object]] = []
    for parameter, value in base.items():
        if value == 0:
            rows += [_no_run(parameter, name, "not run: no fraction of a parameter that is zero") for name in whole]
            continue
        try:
            lower, upper = (
                arrays_of(simulate({**base, parameter: value * factor}), list(whole))
                for factor in (1 - change, 1 + change)
            )
        except BREAKDOWNS as fault:
            rows += [_no_run(parameter, name, f"not run: {fault}") for name in whole]
            continue
        for name, array in whole.items():
            elasticity = ratio(upper[name] - lower[name], 2 * change * array)
            rows.append(
                {
                    "parameter": parameter,
                    "outcome": name,
                    "elasticity_end": _mean(elasticity[..., -1]),
                    "elasticity_largest": _largest(elasticity),
                    "status": "run",
                }
            )
    return pd.DataFrame(rows, columns=["parameter", "outcome", "elasticity_end", "elasticity_largest", "status"])


def behavioural_sensitivity(
    simulate: Simulate, base: Mapping[str, float], *, change: float = 0.1, outcomes: Sequence[str] | None = None
) -> pd.DataFrame:
    """Whether moving a parameter changes the mode of behaviour, not only the numbers.

    Parameters
    ----------
    simulate
        Runs the model.
    base
        The parameters and their values.
    change
        Each parameter is lowered and raised by this fraction; one that is zero is lowered and raised by this much.
    outcomes
        Which outcomes; all if not given.

    Returns
    -------
    pandas.DataFrame
        A row for each parameter, direction ("lower", "upper") and outcome: ``series_changed``, the share of series
        whose mode differs from the base as in `calibration.sdeval.mode_differs`, from 0 to 1, nearer 0 is more robust;
        ``status``, "run" or why there was none.

    Raises
    ------
    InvalidInput
        If ``change`` is not between 0 and 1 or the base run fails.

    References
    ----------
    Sterman, J. D. (2000), Business Dynamics, McGraw-Hill, ch. 21.
    """
    whole = _base(simulate, base, change, outcomes)
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
                {
                    "parameter": parameter,
                    "direction": direction,
                    "outcome": name,
                    **_mode_change(array, run[name]),
                }
                for name, array in whole.items()
            ]
    return pd.DataFrame(rows, columns=["parameter", "direction", "outcome", "series_changed", "status"])


def _base(
    simulate: Simulate, base: Mapping[str, float], change: float, outcomes: Sequence[str] | None
) -> dict[str, FloatArray]:
    """Outcomes of the base run, with at least an axis of time."""
    if not 0 < change < 1:
        raise InvalidInput(f"change is {change}; it must be a fraction between 0 and 1, as 0.1")
    try:
        found = arrays_of(simulate(dict(base)), outcomes)
    except BREAKDOWNS as fault:
        raise InvalidInput(f"the base run fails, so nothing can be compared with it: {fault}") from fault
    for name, array in found.items():
        if array.ndim == 0:
            raise InvalidInput(f"outcome {name!r} is one number; an array with time on its last axis is needed")
    return found


def _mode_change(whole: FloatArray, moved: FloatArray) -> dict[str, object]:
    """Share of series whose mode differs, where there are numbers to look at."""
    if not (np.isfinite(whole).all() and np.isfinite(moved).all()):
        return {"status": "not run: a value is not finite"}
    return {"series_changed": float(np.mean(mode_differs(whole, moved))), "status": "run"}


def _no_run(parameter: str, outcome: str, status: str) -> dict[str, object]:
    return {"parameter": parameter, "outcome": outcome, "status": status}


def _mean(values: FloatArray) -> float:
    given = values[~np.isnan(values)]
    return float(given.mean()) if given.size else float("nan")


def _largest(values: FloatArray) -> float:
    given = np.abs(values[~np.isnan(values)])
    return float(given.max()) if given.size else float("nan")

"""Structure tests that run a model with declared inputs: extreme conditions, reality checks, and loop knock-out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from calibration.sdeval.pairs import BREAKDOWNS, FloatArray, Run, Simulate, arrays_of, first_where, ratio
from calibration.sdeval.robustness import mode_differs, turning_points
from pysd_runner.core.errors import InvalidInput

#: Function of the run with the test input and the base run that returns whether, or where, the constraint holds.
Constraint = Callable[[Run, Run], ArrayLike]


@dataclass(frozen=True, kw_only=True, slots=True)
class RealityCheck:
    """A test input and the constraint it implies in any valid model of the system.

    Attributes
    ----------
    name
        Short name.
    inputs
        Parameter values of the test input, for example ``{"births": 0.0}``.
    constraint
        The implied constraint, usually relative to the base run.
    because
        The reason for the constraint, in one sentence.
    """

    name: str
    inputs: Mapping[str, float]
    constraint: Constraint
    because: str


class ExtremeCondition(RealityCheck):
    """A constraint that must hold when an input takes an extreme value."""

    __slots__ = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class KnockOut:
    """A feedback loop and the parameter values that cut it.

    Attributes
    ----------
    name
        Short name.
    inputs
        Parameter values that cut the loop, for example a strength of zero.
    because
        The effect of the loop, in one sentence.
    """

    name: str
    inputs: Mapping[str, float]
    because: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckOutcome:
    """The result of one declared test.

    Attributes
    ----------
    kind
        ``"extreme condition"`` or ``"reality check"``.
    name
        Name of the test.
    status
        ``"not run"`` means that the simulation failed or the constraint could not be evaluated.
    message
        One sentence.
    first
        Index of the first violation in the array returned by the constraint; None if it held or returned a scalar.
    """

    kind: str
    name: str
    status: Literal["passed", "failed", "not run"]
    message: str
    first: tuple[int, ...] | None = None


def extreme_conditions(
    simulate: Simulate, conditions: Sequence[ExtremeCondition], *, base: Mapping[str, float] | None = None
) -> tuple[CheckOutcome, ...]:
    """Run a model with extreme inputs and test the constraints that must hold.

    Parameters
    ----------
    simulate
        Runs the model.
    conditions
        The conditions to test.
    base
        Parameters of the base run; they also apply in the tests unless a condition sets them.

    Returns
    -------
    tuple of CheckOutcome
        Results in the order of the conditions. A condition also fails if any outcome of the model is missing or
        infinite.

    References
    ----------
    Forrester, J. W. and Senge, P. M. (1980), Tests for building confidence in system dynamics models, TIMS Studies in
    the Management Sciences 14, 209-228.

    Examples
    --------
    >>> def simulate(parameters):
    ...     return {"people": 100 * np.exp(parameters.get("growth", 0.02) * np.arange(5))}
    >>> still = ExtremeCondition(
    ...     name="no growth",
    ...     inputs={"growth": 0.0},
    ...     constraint=lambda run, base: run["people"] == 100,
    ...     because="nobody is born",
    ... )
    >>> extreme_conditions(simulate, [still])[0].status
    'passed'
    """
    reference = _base_run(simulate, base)
    return tuple(_judge("extreme condition", item, simulate, base, reference, finite=True) for item in conditions)


def reality_checks(
    simulate: Simulate, checks: Sequence[RealityCheck], *, base: Mapping[str, float] | None = None
) -> tuple[CheckOutcome, ...]:
    """Run a model with test inputs and check the constraints they imply.

    Parameters
    ----------
    simulate
        Runs the model.
    checks
        Test inputs and their constraints.
    base
        As in `extreme_conditions`.

    Returns
    -------
    tuple of CheckOutcome
        Results in the order of the checks. A comparison with a missing value is a violation.

    References
    ----------
    Peterson, D. W. and Eberlein, R. L. (1994), Reality check: a bridge between systems thinking and system dynamics,
    System Dynamics Review 10(2-3), 159-174.
    """
    reference = _base_run(simulate, base)
    return tuple(_judge("reality check", item, simulate, base, reference, finite=False) for item in checks)


def checks_table(outcomes: Sequence[CheckOutcome]) -> pd.DataFrame:
    """Table of the results of declared tests, one row each.

    Parameters
    ----------
    outcomes
        Results of `extreme_conditions` or `reality_checks`.

    Returns
    -------
    pandas.DataFrame
        Columns ``kind``, ``name``, ``status``, ``message``, ``first``.
    """
    columns = ["kind", "name", "status", "message", "first"]
    return pd.DataFrame([[getattr(item, column) for column in columns] for item in outcomes], columns=columns)


def knock_out(
    simulate: Simulate,
    loops: Sequence[KnockOut],
    *,
    outcomes: Sequence[str] | None = None,
    base: Mapping[str, float] | None = None,
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
    Forrester, J. W. and Senge, P. M. (1980), as in `extreme_conditions`. Ford, D. N. (1999), A behavioral approach to
    feedback loop dominance analysis, System Dynamics Review 15(1), 3-36.
    """
    whole = arrays_of(_base_run(simulate, base), outcomes)
    rows: list[dict[str, object]] = []
    for loop in loops:
        try:
            without = arrays_of(simulate({**(base or {}), **loop.inputs}), list(whole))
        except BREAKDOWNS as fault:
            rows += [{"loop": loop.name, "outcome": name, "status": f"not run: {fault}"} for name in whole]
            continue
        rows += [{"loop": loop.name, "outcome": name} | _difference(whole[name], without[name]) for name in whole]
    return pd.DataFrame(rows, columns=["loop", "outcome", *_MEASURES, "status"])


_MEASURES = ("change", "end_change", "turning_points_base", "turning_points_without", "mode_changes")


def _difference(whole: FloatArray, without: FloatArray) -> dict[str, object]:
    """Measures of the difference between a run without a loop and the base run."""
    if whole.shape != without.shape:
        raise InvalidInput(f"the run without the loop has the shape {without.shape}, the base run {whole.shape}")
    if not (np.isfinite(whole).all() and np.isfinite(without).all()):
        return {"status": "not run: a value is not finite"}
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


def _base_run(simulate: Simulate, base: Mapping[str, float] | None) -> Run:
    """Run the model with the base parameters; raises if this run fails."""
    try:
        return simulate(dict(base or {}))
    except BREAKDOWNS as fault:
        raise InvalidInput(f"the base run fails, so no test can be made: {fault}") from fault


def _judge(
    kind: str,
    item: RealityCheck,
    simulate: Simulate,
    base: Mapping[str, float] | None,
    reference: Run,
    *,
    finite: bool,
) -> CheckOutcome:
    """Run and judge one declared test."""
    try:
        run = simulate({**(base or {}), **item.inputs})
    except BREAKDOWNS as fault:
        return CheckOutcome(kind=kind, name=item.name, status="not run", message=f"The run fails: {fault}")
    if finite:
        for name, values in arrays_of(run).items():
            where = first_where(~np.isfinite(values))
            if where is not None:
                message = f"{name} is {values[where]} at index {where}."
                return CheckOutcome(kind=kind, name=item.name, status="failed", message=message, first=where)
    try:
        holds = np.asarray(item.constraint(run, reference))
    except (*BREAKDOWNS, LookupError, TypeError) as fault:
        message = f"The constraint cannot be worked out: {type(fault).__name__}: {fault}"
        return CheckOutcome(kind=kind, name=item.name, status="not run", message=message)
    if holds.dtype != bool:
        message = f"The constraint gave {holds.dtype} numbers; it must give truth values, as a comparison does."
        return CheckOutcome(kind=kind, name=item.name, status="not run", message=message)
    return _verdict(kind, item, holds)


def _verdict(kind: str, item: RealityCheck, holds: NDArray[np.bool_]) -> CheckOutcome:
    """Result of a test from the truth values of its constraint."""
    if holds.all():
        return CheckOutcome(kind=kind, name=item.name, status="passed", message=f"Holds, because {item.because}.")
    first = first_where(~holds) or None
    places = f" at {int((~holds).sum())} of {holds.size} places, first at index {first}" if first else ""
    message = f"Does not hold{places}; it should, because {item.because}."
    return CheckOutcome(kind=kind, name=item.name, status="failed", message=message, first=first)

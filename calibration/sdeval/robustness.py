"""Numerical, behaviour mode and policy sensitivity: whether numbers, behaviour modes or policy rankings change."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from calibration.sdeval.pairs import BREAKDOWNS, FloatArray, Run, Simulate, arrays_of, ratio
from pysd_runner.core.errors import InvalidInput

# Changes smaller than this share of the range of a series are ignored.
STILL = 1e-9


def turning_points(values: FloatArray) -> NDArray[np.int_]:
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


def mode_differs(first: FloatArray, second: FloatArray) -> NDArray[np.bool_]:
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


def _net_change(values: FloatArray) -> FloatArray:
    change = values[..., -1] - values[..., 0]
    return np.asarray(np.where(np.abs(change) > STILL * np.ptp(values, axis=-1), change, 0.0))


def _turns(row: FloatArray) -> int:
    change = np.diff(row)
    change = change[np.abs(change) > STILL * np.ptp(row)]
    return int((np.diff(np.sign(change)) != 0).sum())


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
        Relative change of the parameters, :math:`c`.
    outcomes
        Outcomes to analyse; by default all.

    Returns
    -------
    pandas.DataFrame
        One row per parameter and outcome: ``elasticity_end``, the mean over series at the last time, per cent per per
        cent, of either sign; ``elasticity_largest``, the largest absolute elasticity, at least 0; ``status``, "run" or
        why there was no run. Nearer 0 is more robust. Times at which the base outcome is zero are left out.

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
    """Outcomes of the base run, which must have a time axis."""
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
    """Share of series whose mode differs; not computed unless all values are finite."""
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


@dataclass(frozen=True, kw_only=True, slots=True)
class RankingSensitivity:
    """Robustness of a ranking of policies over draws.

    Attributes
    ----------
    order
        Policies by their mean score, best first.
    used, failed
        Number of draws in which all scores and parameters are finite, and of draws left out.
    probability_best
        Share of draws in which each policy is best, from 0 to 1, summing to 1; tied policies share a draw.
    best_flips
        Share of draws in which the first of ``order`` is not best, from 0 (robust) to 1.
    kendall
        Mean of Kendall's tau between the ranking of a draw and ``order``, from 1 (robust) to -1.
    flips
        One row per pair: ``better`` and ``worse`` by the mean, ``share`` of draws with a reversal, in which the worse
        one scores higher, from 0 (robust) to about 0.5.
    along
        One row per pair and parameter: ``ks``, the Kolmogorov-Smirnov distance between the parameter's values in draws
        with and without a reversal, from 0 (unrelated) to 1; its ``p_value``; and the parameter's means
        ``when_flipped`` and ``otherwise``. Largest distance first within a pair; NaN if no or every draw is reversed.
    """

    order: tuple[str, ...]
    used: int
    failed: int
    probability_best: pd.Series
    best_flips: float
    kendall: float
    flips: pd.DataFrame
    along: pd.DataFrame


def ranking_sensitivity(
    scores: Mapping[str, ArrayLike], parameters: Mapping[str, ArrayLike], *, higher_is_better: bool = True
) -> RankingSensitivity:
    r"""How often the ranking of policies is reversed over draws, and the parameters related to the reversals.

    .. math:: \text{share}_{ij} = \frac1n\sum_d \mathbf 1[s_{jd} > s_{id}] \text{ for } \bar s_i \ge \bar s_j, \qquad
       \bar\tau = \frac{1}{|P|}\sum_{(i,j)\in P}\frac1n\sum_d\operatorname{sign}(s_{id}-s_{jd})

    Parameters
    ----------
    scores
        Scores of each policy by draw, with the same draws for all, shape ``(draw,)``.
    parameters
        Values of each parameter by draw.
    higher_is_better
        Whether higher scores are better.

    Returns
    -------
    RankingSensitivity
        Draws in which a score or a parameter is not finite are left out for all policies, and counted.

    Raises
    ------
    InvalidInput
        If there are fewer than two policies or two complete draws, or the lengths differ.

    References
    ----------
    Hornberger, G. M. and Spear, R. C. (1981), An approach to the preliminary analysis of environmental systems, Journal
    of Environmental Management 12, 7-18 (parameters related to a behaviour). Kendall, M. G. (1938), A new measure of
    rank correlation, Biometrika 30(1-2), 81-93.

    Examples
    --------
    >>> scores = {"a": [1.0, 2.0, 3.0, 4.0], "b": [2.0, 1.0, 1.0, 1.0]}
    >>> found = ranking_sensitivity(scores, {"rate": [0.1, 0.2, 0.3, 0.4]})
    >>> found.order, found.best_flips
    (('a', 'b'), 0.25)
    """
    table, values, failed = _draws(scores, parameters)
    signed = table if higher_is_better else -table
    names = list(scores)
    by_mean = np.argsort(-signed.mean(axis=1), kind="stable")
    best = signed == signed.max(axis=0)
    probability = (best / best.sum(axis=0)).mean(axis=1)
    flips, along, agreement = [], [], []
    for first, second in combinations(by_mean, 2):
        pair = {"better": names[first], "worse": names[second]}
        flipped = signed[second] > signed[first]
        agreement.append(np.sign(signed[first] - signed[second]).mean())
        flips.append({**pair, "share": float(flipped.mean())})
        rows = [{**pair, "parameter": name} | _separation(values[name], flipped) for name in parameters]
        along += sorted(rows, key=lambda row: -np.nan_to_num(float(str(row["ks"]))))
    columns = ["better", "worse", "parameter", "ks", "p_value", "when_flipped", "otherwise"]
    ordered = [names[index] for index in by_mean]
    return RankingSensitivity(
        order=tuple(ordered),
        used=signed.shape[1],
        failed=failed,
        probability_best=pd.Series(probability, index=names, name="probability_best")[ordered],
        best_flips=float(1 - probability[by_mean[0]]),
        kendall=float(np.mean(agreement)),
        flips=pd.DataFrame(flips),
        along=pd.DataFrame(along, columns=columns),
    )


def ranking_along(
    simulate: Simulate,
    policies: Mapping[str, Mapping[str, float]],
    parameter: str,
    values: Sequence[float],
    *,
    score: Callable[[Run], float],
    higher_is_better: bool = True,
) -> pd.DataFrame:
    """Ranking of policies along the values of one parameter.

    Parameters
    ----------
    simulate
        Runs the model.
    policies
        Parameter values set by each policy, by its name.
    parameter
        The parameter to vary.
    values
        Values of the parameter, in order.
    score
        Function of a run that returns the score of the policy.
    higher_is_better
        Whether higher scores are better.

    Returns
    -------
    pandas.DataFrame
        One row per value: ``best``, the best policy; ``order``, all policies with a score, best first, joined by " > ";
        ``flips``, whether the order differs from that at the previous value; ``failed``, the number of policies whose
        run failed or whose score is not finite; and the scores as ``score <name>``. Fewer flips are more robust.

    Raises
    ------
    InvalidInput
        If there are fewer than two policies, or a policy sets the varied parameter.

    References
    ----------
    Sterman, J. D. (2000), Business Dynamics, McGraw-Hill, ch. 21 (policy sensitivity).
    """
    if len(policies) < 2:
        raise InvalidInput(f"a ranking needs at least two policies; there are {len(policies)}")
    setting = [name for name, inputs in policies.items() if parameter in inputs]
    if setting:
        raise InvalidInput(f"policy {setting[0]!r} sets {parameter!r} itself; vary a parameter that no policy sets")
    rows: list[dict[str, object]] = []
    for value in values:
        scores = {name: _score(simulate, {**inputs, parameter: value}, score) for name, inputs in policies.items()}
        known = {name: result for name, result in scores.items() if np.isfinite(result)}
        order = sorted(known, key=lambda name: known[name], reverse=higher_is_better)
        rows.append(
            {parameter: value, "best": order[0] if order else "", "order": " > ".join(order)}
            | {"flips": bool(rows) and rows[-1]["order"] != " > ".join(order), "failed": len(scores) - len(known)}
            | {f"score {name}": result for name, result in scores.items()}
        )
    return pd.DataFrame(rows)


def _score(simulate: Simulate, parameters: Mapping[str, float], score: Callable[[Run], float]) -> float:
    try:
        return float(score(simulate(parameters)))
    except BREAKDOWNS:
        return float("nan")


def _draws(
    scores: Mapping[str, ArrayLike], parameters: Mapping[str, ArrayLike]
) -> tuple[FloatArray, dict[str, FloatArray], int]:
    """Scores (policy, draw) and parameters of the complete draws, and the number of incomplete ones."""
    if len(scores) < 2:
        raise InvalidInput(f"a ranking needs at least two policies; there are {len(scores)}")
    rows, values = (
        {name: np.asarray(item, dtype=float) for name, item in given.items()} for given in (scores, parameters)
    )
    shapes = {item.shape for item in (*rows.values(), *values.values())}
    if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
        told = ", ".join(f"{name} {item.shape}" for name, item in {**rows, **values}.items())
        raise InvalidInput(f"scores and parameters must have one number for each draw; the shapes are {told}")
    table = np.stack(list(rows.values()))
    complete = np.isfinite(np.stack([*table, *values.values()])).all(axis=0)
    if complete.sum() < 2:
        raise InvalidInput(f"{int(complete.sum())} of {len(complete)} draws are complete; at least two are needed")
    return table[:, complete], {name: array[complete] for name, array in values.items()}, int((~complete).sum())


def _separation(values: FloatArray, flipped: NDArray[np.bool_]) -> dict[str, float]:
    """Compare the distributions of a parameter in draws with and without a reversal of a pair."""
    nothing = float("nan")
    if flipped.all() or not flipped.any():
        return {"ks": nothing, "p_value": nothing, "when_flipped": nothing, "otherwise": nothing}
    # Imported here because scipy.stats takes half a second to import.
    from scipy.stats import ks_2samp

    found = ks_2samp(values[flipped], values[~flipped])
    means = {"when_flipped": float(values[flipped].mean()), "otherwise": float(values[~flipped].mean())}
    return {"ks": float(found.statistic), "p_value": float(found.pvalue), **means}

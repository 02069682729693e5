"""Policy sensitivity: how often the ranking of policies flips, and along which parameter."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from calibration.sdeval.pairs import FloatArray
from calibration.sdeval.runs import BREAKDOWNS, Run, Simulate
from pysd_runner.core.errors import InvalidInput


@dataclass(frozen=True, kw_only=True, slots=True)
class RankingSensitivity:
    """How firm a ranking of policies is over draws.

    Attributes
    ----------
    order
        Policies by their mean score, best first.
    used, failed
        Draws in which every policy has a score and every parameter a value, and those left out.
    probability_best
        By policy the share of draws in which it is best, from 0 to 1, summing to 1; tied policies share a draw.
    best_flips
        Share of draws in which the first of ``order`` is not best, from 0 (firm) to 1.
    kendall
        Mean of Kendall's tau between the ranking of a draw and ``order``, from 1 (firm) to -1.
    flips
        A row for each pair: ``better`` and ``worse`` by the mean, ``share`` of draws in which the worse scores higher,
        from 0 (firm) to about 0.5.
    along
        A row for each pair and parameter: ``ks``, the Kolmogorov-Smirnov distance between its values in draws that flip
        and in those that do not, from 0 (the flip has nothing to do with it) to 1; its ``p_value``; and its means
        ``when_flipped`` and ``otherwise``. Largest distance first within a pair; NaN where no or every draw flips.
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
    r"""How often a ranking of policies flips over draws, and which parameters the flips go with.

    .. math:: \text{share}_{ij} = \frac1n\sum_d \mathbf 1[s_{jd} > s_{id}] \text{ for } \bar s_i \ge \bar s_j, \qquad
       \bar\tau = \frac{1}{|P|}\sum_{(i,j)\in P}\frac1n\sum_d\operatorname{sign}(s_{id}-s_{jd})

    Parameters
    ----------
    scores
        By policy its score in each draw, the same draws for all, shape ``(draw,)``.
    parameters
        By name the value in each draw.
    higher_is_better
        Which way a score counts.

    Returns
    -------
    RankingSensitivity
        Draws in which a score or a parameter is not finite are left out for every policy, and counted.

    Raises
    ------
    InvalidInput
        If there are fewer than two policies or two draws are not left, or the lengths differ.

    References
    ----------
    Hornberger, G. M. and Spear, R. C. (1981), An approach to the preliminary analysis of environmental systems, Journal
    of Environmental Management 12, 7-18 (which parameters go with a behaviour). Kendall, M. G. (1938), A new measure of
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
    """Ranking of policies along one parameter, and where it flips.

    Parameters
    ----------
    simulate
        Runs the model.
    policies
        By name the parameters a policy sets.
    parameter
        What is varied.
    values
        Its values, in order.
    score
        Takes a run, gives the score of a policy.
    higher_is_better
        Which way a score counts.

    Returns
    -------
    pandas.DataFrame
        A row for each value: ``best``, the best policy; ``order``, all that have a score, best first, joined with " >
        "; ``flips``, whether the order is another than at the value before; ``failed``, policies whose run broke down
        or whose score is not finite; and the score of each policy under ``score <name>``. Fewer flips are firmer.

    Raises
    ------
    InvalidInput
        If there are fewer than two policies, or a policy sets the parameter itself.

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
    """Scores as (policy, draw) and parameters of the draws that are complete, and how many are not."""
    if len(scores) < 2:
        raise InvalidInput(f"a ranking needs at least two policies; there are {len(scores)}")
    columns = {name: np.asarray(values, dtype=float) for name, values in (*scores.items(), *parameters.items())}
    lengths = {name: values.shape for name, values in columns.items()}
    if any(len(shape) != 1 for shape in lengths.values()) or len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {shape}" for name, shape in lengths.items())
        raise InvalidInput(f"scores and parameters must have one number for each draw; the shapes are {told}")
    table = np.stack([np.asarray(scores[name], dtype=float) for name in scores])
    values = {name: np.asarray(parameters[name], dtype=float) for name in parameters}
    complete = np.isfinite(np.stack([*table, *values.values()])).all(axis=0)
    if complete.sum() < 2:
        raise InvalidInput(f"{int(complete.sum())} of {len(complete)} draws are complete; at least two are needed")
    return table[:, complete], {name: array[complete] for name, array in values.items()}, int((~complete).sum())


def _separation(values: FloatArray, flipped: NDArray[np.bool_]) -> dict[str, float]:
    """How differently a parameter is distributed where a pair flips."""
    nothing = float("nan")
    if flipped.all() or not flipped.any():
        return {"ks": nothing, "p_value": nothing, "when_flipped": nothing, "otherwise": nothing}
    # scipy.stats takes half a second to import and only this needs it.
    from scipy.stats import ks_2samp

    found = ks_2samp(values[flipped], values[~flipped])
    means = {"when_flipped": float(values[flipped].mean()), "otherwise": float(values[~flipped].mean())}
    return {"ks": float(found.statistic), "p_value": float(found.pvalue), **means}

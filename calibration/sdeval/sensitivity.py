"""Global sensitivity of every outcome for every element and time, by SALib, and of a ranking of policies.

SALib draws the designs and computes the indices. This module adds support for outcomes of any shape and failed runs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from calibration.sdeval.pairs import BREAKDOWNS, FloatArray, Run, Simulate, arrays_of
from pysd_runner.core.errors import InvalidInput

#: Function that runs many parameter sets at once and returns None for each failed run.
Batch = Callable[[Sequence[Mapping[str, float]]], Sequence[Run | None]]

# Minimum number of complete blocks of a design for an index.
FEWEST_BLOCKS = 2

# Levels of Morris's grid.
LEVELS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Sensitivity:
    """Sensitivity indices of every outcome.

    Attributes
    ----------
    method
        ``"morris"`` or ``"sobol"``.
    parameters
        Names of the parameters, in order.
    runs
        Number of runs.
    failed
        Number of runs that failed entirely.
    indices
        By outcome, a dataset with the dims ``(parameter, *dims of the outcome)``, and ``used``, the number of blocks of
        the design (trajectories of Morris, base samples of Sobol) used for an element, with the dims of the outcome.
    """

    method: Literal["morris", "sobol"]
    parameters: tuple[str, ...]
    runs: int
    failed: int
    indices: Mapping[str, xr.Dataset]


def morris(
    simulate: Simulate,
    bounds: Mapping[str, tuple[float, float]],
    *,
    trajectories: int = 20,
    outcomes: Sequence[str] | None = None,
    seed: int = 0,
    batch: Batch | None = None,
) -> Sensitivity:
    r"""Screen parameters by Morris's elementary effects.

    .. math::
       EE_i = \frac{y(x + \Delta e_i) - y(x)}{\Delta}, \qquad \mu_i = \overline{EE_i}, \qquad
       \mu^*_i = \overline{|EE_i|}, \qquad \sigma_i = \operatorname{sd}(EE_i)

    with every parameter scaled to its bounds: an effect is the change of the outcome, in its unit, over the whole range
    of the parameter.

    Parameters
    ----------
    simulate
        Runs the model.
    bounds
        Lower and upper bound of each parameter.
    trajectories
        Number of trajectories; each takes one run more than there are parameters.
    outcomes
        Outcomes to analyse; by default all.
    seed
        Seed of the design and the resampling.
    batch
        Runs all parameter sets at once, instead of ``simulate``.

    Returns
    -------
    Sensitivity
        ``mu`` of either sign; ``mu_star``, at least 0, larger is more influential; ``sigma``, at least 0, large
        relative to ``mu_star`` for interactions or nonlinearity; ``mu_star_conf``, half-width of the 95 % interval of
        ``mu_star``, smaller is better. If an element of an outcome is not finite in a run, the trajectory of that run
        is left out for this element; ``used`` is the number left. With fewer than two the indices are NaN.

    Raises
    ------
    InvalidInput
        If bounds are invalid, the design is too small, every run fails or outcomes change their shape.

    References
    ----------
    Morris, M. D. (1991), Factorial sampling plans for preliminary computational experiments, Technometrics 33(2),
    161-174. Campolongo, F., Cariboni, J. and Saltelli, A. (2007), An effective screening design for sensitivity
    analysis of large models, Environmental Modelling and Software 22(10), 1509-1518. Iwanaga, T., Usher, W. and Herman,
    J. (2022), Toward SALib 2.0, Socio-Environmental Systems Modelling 4, 18155.
    """
    if trajectories < FEWEST_BLOCKS:
        raise InvalidInput(f"trajectories is {trajectories}; at least two are needed")
    from SALib.analyze import morris as analysis
    from SALib.sample import morris as sampling

    problem = _problem(bounds)
    design = sampling.sample(problem, trajectories, num_levels=LEVELS, seed=np.random.default_rng(seed))

    def indices(rows: FloatArray, values: FloatArray) -> dict[str, FloatArray]:
        found = analysis.analyze(problem, rows, values, num_levels=LEVELS, seed=np.random.default_rng(seed))
        return {name: np.asarray(found[name], dtype=float) for name in ("mu", "mu_star", "sigma", "mu_star_conf")}

    results = _run_design(simulate, batch, tuple(bounds), design, outcomes)
    return results.analysed("morris", block=len(bounds) + 1, indices=indices, needs_variation=False)


def sobol(
    simulate: Simulate,
    bounds: Mapping[str, tuple[float, float]],
    *,
    samples: int = 256,
    outcomes: Sequence[str] | None = None,
    seed: int = 0,
    batch: Batch | None = None,
) -> Sensitivity:
    r"""Sobol indices: share of the variance of an outcome due to each parameter, alone and with interactions.

    .. math::
       S_i = \frac{\operatorname{Var}[E(y\mid x_i)]}{\operatorname{Var}(y)}, \qquad
       S_{Ti} = 1-\frac{\operatorname{Var}[E(y\mid x_{\sim i})]}{\operatorname{Var}(y)}

    with independent parameters, uniform between their bounds, and the estimators of Saltelli et al. (2010).

    Parameters
    ----------
    simulate
        Runs the model.
    bounds
        Lower and upper bound of each parameter.
    samples
        Number of base samples, a power of two; each takes two runs more than there are parameters.
    outcomes
        Outcomes to analyse; by default all.
    seed
        Seed of the design and the resampling.
    batch
        Runs all parameter sets at once, instead of ``simulate``.

    Returns
    -------
    Sensitivity
        ``S1`` and ``ST``, from 0 to 1 except for sampling error, larger is more influential; ``ST - S1`` is the share
        of interactions; ``S1_conf`` and ``ST_conf``, half-widths of their 95 % intervals, smaller is better. If an
        element is not finite in a run, the base sample of that run is left out for this element; ``used`` is the
        number left. The remaining samples are not uniform: indices of elements with many losses apply to the region
        where the model can be run. With fewer than two base samples, or if the outcome does not vary, the indices
        are NaN.

    Raises
    ------
    InvalidInput
        If bounds are invalid, ``samples`` is not a power of two, every run fails or outcomes change their shape.

    References
    ----------
    Sobol', I. M. (2001), Global sensitivity indices for nonlinear mathematical models and their Monte Carlo estimates,
    Mathematics and Computers in Simulation 55(1-3), 271-280. Saltelli, A. et al. (2010), Variance based sensitivity
    analysis of model output, Computer Physics Communications 181(2), 259-270.
    """
    if samples < FEWEST_BLOCKS or samples & (samples - 1):
        raise InvalidInput(f"samples is {samples}; it must be a power of two, as 256 or 512")
    from SALib.analyze import sobol as analysis
    from SALib.sample import sobol as sampling

    problem = _problem(bounds)
    design = sampling.sample(problem, samples, calc_second_order=False, seed=np.random.default_rng(seed))

    def indices(_: FloatArray, values: FloatArray) -> dict[str, FloatArray]:
        # SALib treats a seed of 0 as None, hence a generator.
        found = analysis.analyze(problem, values, calc_second_order=False, seed=np.random.default_rng(seed))
        return {name: np.asarray(found[name], dtype=float) for name in ("S1", "S1_conf", "ST", "ST_conf")}

    results = _run_design(simulate, batch, tuple(bounds), design, outcomes)
    return results.analysed("sobol", block=len(bounds) + 2, indices=indices, needs_variation=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Results:
    """All runs of a design: outcomes with runs on the first axis, NaN if a run failed."""

    parameters: tuple[str, ...]
    design: FloatArray
    values: Mapping[str, FloatArray]
    labels: Mapping[str, xr.DataArray]
    failed: int

    def analysed(
        self,
        method: Literal["morris", "sobol"],
        *,
        block: int,
        indices: Callable[[FloatArray, FloatArray], dict[str, FloatArray]],
        needs_variation: bool,
    ) -> Sensitivity:
        """Indices of every element of every outcome, from the blocks of the design in which it is finite."""
        found = {name: self._dataset(name, block, indices, needs_variation=needs_variation) for name in self.values}
        return Sensitivity(
            method=method,
            parameters=self.parameters,
            runs=len(self.design),
            failed=self.failed,
            indices=MappingProxyType(found),
        )

    def _dataset(
        self,
        name: str,
        block: int,
        indices: Callable[[FloatArray, FloatArray], dict[str, FloatArray]],
        *,
        needs_variation: bool,
    ) -> xr.Dataset:
        shape = self.values[name].shape[1:]
        elements = self.values[name].reshape(len(self.design), -1).T
        whole = np.asarray(np.isfinite(elements).reshape(len(elements), -1, block).all(axis=-1))
        # A ramp, since any values that vary give the names of the indices.
        ramp = indices(self.design, np.arange(float(len(self.design))))
        collected = {key: np.full((len(self.parameters), len(elements)), np.nan) for key in ramp}
        for number, (values, kept) in enumerate(zip(elements, whole, strict=True)):
            rows = np.repeat(kept, block)
            if kept.sum() < FEWEST_BLOCKS or (needs_variation and np.ptp(values[rows]) == 0):
                continue
            for key, value in indices(self.design[rows], values[rows]).items():
                collected[key][:, number] = value
        template = self.labels[name]
        dims = [str(dim) for dim in template.dims]
        variables: dict[str, Any] = {
            key: (["parameter", *dims], value.reshape(-1, *shape)) for key, value in collected.items()
        }
        variables["used"] = (dims, whole.sum(axis=-1).reshape(shape))
        coords = {**template.coords, "parameter": list(self.parameters)}
        return xr.Dataset(variables, coords=coords, attrs={"blocks": whole.shape[1]})


def _problem(bounds: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    """Check the bounds and define the problem for SALib."""
    if not bounds:
        raise InvalidInput("bounds names no parameter")
    for name, (lower, upper) in bounds.items():
        if not (np.isfinite([lower, upper]).all() and lower < upper):
            raise InvalidInput(f"bounds of {name!r} are {lower} and {upper}; the lower must be below the upper")
    return {
        "num_vars": len(bounds),
        "names": list(bounds),
        "bounds": [[float(lower), float(upper)] for lower, upper in bounds.values()],
    }


def _run_design(
    simulate: Simulate,
    batch: Batch | None,
    parameters: tuple[str, ...],
    design: FloatArray,
    outcomes: Sequence[str] | None,
) -> _Results:
    """Run every row of a design; outcomes of failed runs are NaN."""
    rows = [dict(zip(parameters, map(float, row), strict=True)) for row in design]
    runs = [_attempt(simulate, row) for row in rows] if batch is None else list(batch(rows))
    if len(runs) != len(rows):
        raise InvalidInput(f"batch gave {len(runs)} runs for {len(rows)} parameter sets; it must give one for each")
    first = next((run for run in runs if run is not None), None)
    if first is None:
        raise InvalidInput(f"all {len(rows)} runs of the design fail; narrow the bounds, or try one run by hand")
    given = arrays_of(first, outcomes)
    values = {name: np.full((len(rows), *array.shape), np.nan) for name, array in given.items()}
    for number, run in enumerate(runs):
        for name, array in ({} if run is None else arrays_of(run, list(given))).items():
            if array.shape != given[name].shape:
                raise InvalidInput(
                    f"outcome {name!r} has the shape {array.shape} in run {number}, before it {given[name].shape}"
                )
            values[name][number] = array
    return _Results(
        parameters=parameters,
        design=design,
        values=values,
        labels={name: _labels(first[name], array) for name, array in given.items()},
        failed=sum(run is None for run in runs),
    )


def _attempt(simulate: Simulate, parameters: Mapping[str, float]) -> Run | None:
    try:
        return simulate(parameters)
    except BREAKDOWNS:
        return None


def _labels(outcome: Any, array: FloatArray) -> xr.DataArray:
    """Dims and coordinates of an outcome."""
    if isinstance(outcome, xr.DataArray):
        return outcome
    return xr.DataArray(array, dims=[f"axis_{number}" for number in range(array.ndim)])


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


def ranking_sensitivity(scores: Mapping[str, ArrayLike], parameters: Mapping[str, ArrayLike]) -> RankingSensitivity:
    r"""How often the ranking of policies is reversed over draws, and the parameters related to the reversals.

    .. math:: \text{share}_{ij} = \frac1n\sum_d \mathbf 1[s_{jd} > s_{id}] \text{ for } \bar s_i \ge \bar s_j, \qquad
       \bar\tau = \frac{1}{|P|}\sum_{(i,j)\in P}\frac1n\sum_d\operatorname{sign}(s_{id}-s_{jd})

    Parameters
    ----------
    scores
        Scores of each policy by draw, with the same draws for all, shape ``(draw,)``; higher is better.
    parameters
        Values of each parameter by draw.

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
    names = list(scores)
    by_mean = np.argsort(-table.mean(axis=1), kind="stable")
    best = table == table.max(axis=0)
    probability = (best / best.sum(axis=0)).mean(axis=1)
    flips, along, agreement = [], [], []
    for first, second in combinations(by_mean, 2):
        pair = {"better": names[first], "worse": names[second]}
        flipped = table[second] > table[first]
        agreement.append(np.sign(table[first] - table[second]).mean())
        flips.append({**pair, "share": float(flipped.mean())})
        rows = [{**pair, "parameter": name} | _separation(values[name], flipped) for name in parameters]
        along += sorted(rows, key=lambda row: -np.nan_to_num(float(str(row["ks"]))))
    columns = ["better", "worse", "parameter", "ks", "p_value", "when_flipped", "otherwise"]
    ordered = [names[index] for index in by_mean]
    return RankingSensitivity(
        order=tuple(ordered),
        used=table.shape[1],
        failed=failed,
        probability_best=pd.Series(probability, index=names, name="probability_best")[ordered],
        best_flips=float(1 - probability[by_mean[0]]),
        kendall=float(np.mean(agreement)),
        flips=pd.DataFrame(flips),
        along=pd.DataFrame(along, columns=columns),
    )


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

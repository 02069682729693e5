"""Global sensitivity of every outcome for every element and time: Morris screening and Sobol indices, by SALib.

SALib draws the designs and computes the indices. This module adds support for outcomes of any shape and failed runs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import xarray as xr

from calibration.sdeval.pairs import BREAKDOWNS, FloatArray, Run, Simulate, arrays_of
from pysd_runner.core.errors import InvalidInput

#: Function that runs many parameter sets at once and returns None for each failed run.
Batch = Callable[[Sequence[Mapping[str, float]]], Sequence[Run | None]]

# Minimum number of complete blocks of a design for an index.
FEWEST_BLOCKS = 2


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
    levels: int = 4,
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
    levels
        Levels of the grid, an even number.
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
    if trajectories < FEWEST_BLOCKS or levels < 2 or levels % 2:
        raise InvalidInput(
            f"trajectories is {trajectories} and levels {levels}; at least two trajectories "
            "and an even number of levels are needed"
        )
    from SALib.analyze import morris as analysis
    from SALib.sample import morris as sampling

    problem = _problem(bounds)
    design = sampling.sample(problem, trajectories, num_levels=levels, seed=np.random.default_rng(seed))

    def indices(rows: FloatArray, values: FloatArray) -> dict[str, FloatArray]:
        found = analysis.analyze(problem, rows, values, num_levels=levels, seed=np.random.default_rng(seed))
        return {name: np.asarray(found[name], dtype=float) for name in ("mu", "mu_star", "sigma", "mu_star_conf")}

    results = _run_design(simulate, batch, tuple(bounds), design, outcomes)
    return results.analysed("morris", block=len(bounds) + 1, indices=indices, needs_variation=False)


def sobol(
    simulate: Simulate,
    bounds: Mapping[str, tuple[float, float]],
    *,
    samples: int = 256,
    second_order: bool = False,
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
        Number of base samples, a power of two; each takes two runs more than there are parameters, or 2p + 2 runs for p
        parameters with ``second_order``.
    second_order
        Whether to estimate ``S2``, the share due to the interaction of each pair of parameters.
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
        of interactions; ``S1_conf`` and ``ST_conf``, half-widths of their 95 % intervals, smaller is better; ``S2``
        with the dims ``(parameter, with, ...)``, NaN on and below the diagonal. If an element is not finite in a run,
        the base sample of that run is left out for this element; ``used`` is the number left. The remaining samples
        are not uniform: indices of elements with many losses apply to the region where the model can be run. With
        fewer than two base samples, or if the outcome does not vary, the indices are NaN.

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
    design = sampling.sample(problem, samples, calc_second_order=second_order, seed=np.random.default_rng(seed))
    names = ["S1", "S1_conf", "ST", "ST_conf", *(["S2", "S2_conf"] if second_order else [])]

    def indices(_: FloatArray, values: FloatArray) -> dict[str, FloatArray]:
        # SALib treats a seed of 0 as None, hence a generator.
        found = analysis.analyze(problem, values, calc_second_order=second_order, seed=np.random.default_rng(seed))
        return {name: np.asarray(found[name], dtype=float) for name in names}

    block = 2 * len(bounds) + 2 if second_order else len(bounds) + 2
    results = _run_design(simulate, batch, tuple(bounds), design, outcomes)
    return results.analysed("sobol", block=block, indices=indices, needs_variation=True)


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
        # A ramp, since any values that vary give the shapes of the indices.
        ramp = indices(self.design, np.arange(float(len(self.design))))
        collected = {key: np.full((*value.shape, len(elements)), np.nan) for key, value in ramp.items()}
        for number, (values, kept) in enumerate(zip(elements, whole, strict=True)):
            rows = np.repeat(kept, block)
            if kept.sum() < FEWEST_BLOCKS or (needs_variation and np.ptp(values[rows]) == 0):
                continue
            for key, value in indices(self.design[rows], values[rows]).items():
                collected[key][..., number] = value
        template = self.labels[name]
        dims = [str(dim) for dim in template.dims]
        front = {1: ["parameter"], 2: ["parameter", "with"]}
        variables: dict[str, Any] = {
            key: ([*front[value.ndim - 1], *dims], value.reshape(*value.shape[:-1], *shape))
            for key, value in collected.items()
        }
        variables["used"] = (dims, whole.sum(axis=-1).reshape(shape))
        ahead = {
            dim: list(self.parameters) for dim in ("parameter", "with") if any(dim in v[0] for v in variables.values())
        }
        return xr.Dataset(variables, coords={**template.coords, **ahead}, attrs={"blocks": whole.shape[1]})


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

"""Global sensitivity of every outcome for every element and time, by SALib.

SALib draws the designs and computes the indices. This module adds support for outcomes of any shape and failed runs.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr

from calibration.sdeval.fit import BREAKDOWNS, Run, Simulate, arrays_of
from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Array, Interval, Numbers, Record, frozen

#: Function that runs many parameter sets at once and returns None for each failed run.
Batch = Callable[[Sequence[Numbers]], Sequence[Run | None]]

# Minimum number of complete trajectories for an index.
FEWEST_TRAJECTORIES = 2

# Levels of Morris's grid, and SALib's names of its indices.
LEVELS = 4
INDICES = ("mu", "mu_star", "sigma", "mu_star_conf")


@frozen
class Sensitivity:
    """Sensitivity indices of every outcome.

    Attributes
    ----------
    parameters
        Names of the parameters, in order.
    runs
        Number of runs.
    failed
        Number of runs that failed entirely.
    indices
        By outcome, a dataset with the dims ``(parameter, *dims of the outcome)``, and ``used``, the number of
        trajectories used for an element, with the dims of the outcome.
    """

    parameters: tuple[str, ...]
    runs: int
    failed: int
    indices: Mapping[str, xr.Dataset]


def morris(
    simulate: Simulate,
    bounds: Mapping[str, Interval],
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
    if trajectories < FEWEST_TRAJECTORIES:
        raise InvalidInput("trajectories is {trajectories}; at least two are needed", trajectories=trajectories)
    from SALib.analyze import morris as analysis
    from SALib.sample import morris as sampling

    problem = _problem(bounds)
    design = sampling.sample(problem, trajectories, num_levels=LEVELS, seed=np.random.default_rng(seed))

    def indices(rows: Array, values: Array) -> dict[str, Array]:
        found = analysis.analyze(problem, rows, values, num_levels=LEVELS, seed=np.random.default_rng(seed))
        return {name: np.asarray(found[name], dtype=float) for name in INDICES}

    rows = [dict(zip(bounds, map(float, row), strict=True)) for row in design]
    runs = [_attempt(simulate, row) for row in rows] if batch is None else list(batch(rows))
    values = _stacked(runs, len(rows), outcomes)
    return Sensitivity(
        parameters=tuple(bounds),
        runs=len(design),
        failed=sum(run is None for run in runs),
        indices=MappingProxyType(
            {name: _dataset(array, tuple(bounds), design, indices) for name, array in values.items()}
        ),
    )


def _dataset(
    outcome: xr.DataArray,
    parameters: tuple[str, ...],
    design: Array,
    indices: Callable[[Array, Array], dict[str, Array]],
) -> xr.Dataset:
    """Indices of every element of an outcome, from the trajectories in which it is finite."""
    elements = outcome.to_numpy().reshape(len(design), -1).T
    block = len(parameters) + 1
    whole = np.asarray(np.isfinite(elements).reshape(len(elements), -1, block).all(axis=-1))
    collected = {key: np.full((len(parameters), len(elements)), np.nan) for key in INDICES}
    for number, (values, kept) in enumerate(zip(elements, whole, strict=True)):
        if kept.sum() < FEWEST_TRAJECTORIES:
            continue
        rows = np.repeat(kept, block)
        for key, value in indices(design[rows], values[rows]).items():
            collected[key][:, number] = value
    _, *dims = outcome.dims
    shape = outcome.shape[1:]
    variables: dict[str, Any] = {
        key: (["parameter", *dims], value.reshape(-1, *shape)) for key, value in collected.items()
    }
    variables["used"] = (dims, whole.sum(axis=-1).reshape(shape))
    return xr.Dataset(variables, coords={**outcome.coords, "parameter": list(parameters)})


def _problem(bounds: Mapping[str, Interval]) -> Record:
    """Check the bounds and define the problem for SALib."""
    if not bounds:
        raise InvalidInput("bounds names no parameter")
    for name, (lower, upper) in bounds.items():
        if not (np.isfinite([lower, upper]).all() and lower < upper):
            raise InvalidInput(
                "bounds of {name!r} are {lower} and {upper}; the lower must be below the upper",
                name=name,
                lower=lower,
                upper=upper,
            )
    return {
        "num_vars": len(bounds),
        "names": list(bounds),
        "bounds": [[float(lower), float(upper)] for lower, upper in bounds.values()],
    }


def _stacked(runs: Sequence[Run | None], count: int, outcomes: Sequence[str] | None) -> dict[str, xr.DataArray]:
    """Outcomes of all runs of a design, with runs as first dimension; NaN if a run failed."""
    if len(runs) != count:
        raise InvalidInput(
            "batch gave {found} runs for {count} parameter sets; it must give one for each",
            found=len(runs),
            count=count,
        )
    first = next((run for run in runs if run is not None), None)
    if first is None:
        raise InvalidInput(
            "all {count} runs of the design fail; narrow the bounds, or try one run by hand", count=count
        )
    found = {}
    for name, array in arrays_of(first, outcomes).items():
        values = np.full((count, *array.shape), np.nan)
        for number, run in enumerate(runs):
            if run is None:
                continue
            own = arrays_of(run, [name])[name]
            if own.shape != array.shape:
                raise InvalidInput(
                    "outcome {name!r} has the shape {shape} in run {number}, before it {other_shape}",
                    name=name,
                    shape=own.shape,
                    number=number,
                    other_shape=array.shape,
                )
            values[number] = own
        like = first[name]
        labelled = like if isinstance(like, xr.DataArray) else xr.DataArray(array)
        found[name] = xr.DataArray(values, labelled.coords, ["run", *labelled.dims])
    return found


def _attempt(simulate: Simulate, parameters: Numbers) -> Run | None:
    try:
        return simulate(parameters)
    except BREAKDOWNS:
        return None

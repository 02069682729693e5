"""Panels the model made itself with known parameters and the declared errors."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pysd_runner.inputs import as_values, region_inputs, time_step, yearly_memory
from pysd_runner.model import Model
from pysd_runner.panel import Panel
from pysd_runner.simulation import simulate
from pysd_runner.spec import Measurement

Array = NDArray[np.float64]


def simulated_panel(
    model: Model, start: Panel, years: int, truth: Mapping[str, float], rng: np.random.Generator
) -> Panel:
    """Continue a panel by a simulation with known parameters and the errors the model declares.

    Levels of indicators follow the outcome with their loading and independent errors; output grows as the model says
    plus shocks that fade like its momentum; national levels have independent errors. The first year is as observed:
    the simulation starts from it.

    Parameters
    ----------
    model
        A model with declarations, with as many regions as the panel.
    start
        Observed years; the last is where the simulation starts.
    years
        Years to simulate.
    truth
        Parameters that differ from their declared values, by key.
    rng
        Source of randomness.

    Returns
    -------
    Panel
        The years of `start` and the simulated ones.
    """
    spec = model.spec
    if spec is None:
        raise ValueError(f"{model.path.name} has no declarations")
    known = {key: item.value for key, item in spec.parameters.items()} | dict(truth)
    origin = start.years[-1]
    observed = [item for item in spec.measurements.values() if _is_observed(item, start)]
    names = list(dict.fromkeys([item.outcome for item in observed] + ["Population"]))
    run = simulate(
        model,
        as_values(region_inputs(model, start, origin, parameters=known), known, model),
        start=origin,
        stop=origin + years,
        save_every=1,
        outcomes=names,
    )
    outcomes = {name: run[name][0, 0] for name in names}
    later = {"population": outcomes["Population"][:, 1:]}
    national = {name: dict(series) for name, series in start.national.items()}
    for item in observed:
        if item.national:
            level = outcomes[item.outcome][1:] + item.sd * rng.standard_normal(years)
            national[item.national] |= {origin + 1 + place: float(value) for place, value in enumerate(level)}
            continue
        for name in item.indicators:
            if name in start:
                later[name] = _indicator(model, item, outcomes[item.outcome], start[name][:, -1], known, rng)
    later["output"] = later["output_per_head"] * later["population"]
    return Panel(
        name="simulated",
        regions=start.regions,
        years=(*start.years, *range(origin + 1, origin + years + 1)),
        values={name: np.concatenate([start[name], later[name]], axis=1) for name in later},
        units={name: start.units[name] for name in later},
        national=national,
        currency=start.currency,
        price_basis=start.price_basis,
    )


def _is_observed(item: Measurement, start: Panel) -> bool:
    if item.requires and item.requires not in start:
        return False
    return item.national in start.national if item.national else any(name in start for name in item.indicators)


def _indicator(
    model: Model,
    item: Measurement,
    outcome: Array,
    first: Array,
    known: Mapping[str, float],
    rng: np.random.Generator,
) -> Array:
    loading = known[item.loading] if item.loading else 1.0
    shape = (len(outcome), outcome.shape[1] - 1)
    errors = item.sd * rng.standard_normal(shape)
    if item.increments:
        memory = float(yearly_memory(np.asarray(known["tau_m"]), time_step(model)))
        for year in range(1, shape[1]):
            errors[:, year] += memory * errors[:, year - 1]
        errors = np.cumsum(errors, axis=1)
    return np.asarray(first[:, None] * (outcome[:, 1:] / outcome[:, :1]) ** loading * np.exp(errors))

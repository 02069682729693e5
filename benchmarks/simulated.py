"""Panels the model made itself with known parameters and the declared errors, and what may be wrong with them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.data import Data
from pysd_runner.model import Model
from pysd_runner.simulation import simulate
from pysd_runner.spec import Measurement, ModelSpec
from pysd_runner.study.binding import RegionalModel
from pysd_runner.study.region_inputs import time_step, yearly_memory

Array = NDArray[np.float64]

DISTURBANCES = ("none", "heteroskedastic", "common", "start", "census", "persistent", "distances")

# Share of an indicator's error that is left a year later where errors are persistent: as in the shipped panel, in which
# 0.79 to 0.95 are found.
MEMORY = 0.9
# Standard deviation over regions of the logarithm of how large their errors are.
UNLIKE = 0.7
# Share of the variance of growth shocks that the regions of a group have in common, of two groups.
COMMON, GROUPS = 0.5, 2
# Standard deviation of the jump in a region's population in the census year, in logarithms; years after the start.
JUMP, CENSUS = 0.03, 6
# How far the start of each region lies from what a fit takes for it: in logarithms, or in the unit of the input.
LOG_STARTS: Mapping[str, float] = {"X": 0.5, "G": 0.3, "N": 0.5, "KY": 0.25, "terrain": 0.3}
PLAIN_STARTS: Mapping[str, float] = {"nat": 0.004, "fdev": 0.1}


def simulated_panel(
    model: Model,
    start: Data,
    years: int,
    truth: Mapping[str, float],
    rng: np.random.Generator,
    *,
    disturbance: str = "none",
    surveys: Mapping[str, Sequence[int]] | None = None,
) -> Data:
    """Continue a panel by a simulation with known parameters and the errors the model declares.

    Levels of indicators follow the outcome with their loading and independent errors; the first year is as observed,
    and how far an indicator lies from its outcome then is one of these errors. Output grows as the model says plus
    shocks that fade like its momentum; national levels have independent errors.

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
        Source of randomness; all disturbances leave it the same errors.
    disturbance
        What a fit is not told: errors of unlike size by region; shocks to growth that groups of regions share; regions
        that start elsewhere than the fallbacks; a census that finds another population, and so other values per head;
        errors of indicators of which most is left a year later; indicators that keep their distance of the first year
        for ever.
    surveys
        National series that are observed in some years only, by name.

    Returns
    -------
    Panel
        The years of `start` and the simulated ones.
    """
    spec = model.spec
    if spec is None:
        raise ValueError(f"{model.path.name} has no declarations")
    surveys = surveys or {}
    known = {key: item.value for key, item in spec.parameters.items()} | dict(truth)
    origin = start.years[-1]
    other = rng.spawn(1)[0]
    observed = [item for item in spec.measurements.values() if _is_observed(item, start, surveys)]
    names = list(dict.fromkeys([item.outcome for item in observed] + ["Population"]))
    bound = RegionalModel(model=model, panel=start, parameters=known)
    inputs = bound.inputs(origin)
    if disturbance == "start":
        inputs = replace(inputs, values=_moved(spec, inputs.values, other))
    run = simulate(
        model,
        bound.values(inputs),
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
            values = {origin + 1 + place: float(value) for place, value in enumerate(level)}
            wanted = surveys.get(item.national, values)
            national.setdefault(item.national, {}).update({year: values[year] for year in wanted})
            continue
        for name in item.indicators:
            if name in start:
                errors = item.sd * _errors(rng, other, (len(start.regions), years), disturbance, item)
                later[name] = _observed(
                    model, item, outcomes[item.outcome], start.array(name)[:, -1], known, errors, disturbance
                )
    later["output"] = later["output_per_head"] * later["population"]
    if disturbance == "census":
        _recount(later, other)
    return Data.by_region(
        name="simulated",
        regions=start.regions,
        years=(*start.years, *range(origin + 1, origin + years + 1)),
        values={name: np.concatenate([start.array(name), later[name]], axis=1) for name in later},
        units={name: start.units[name] for name in later},
        national=national,
        currency=start.currency,
        price_basis=start.price_basis,
    )


def _is_observed(item: Measurement, start: Data, surveys: Mapping[str, Sequence[int]]) -> bool:
    if item.requires and item.requires not in start:
        return False
    if item.national:
        return item.national in start.national or item.national in surveys
    return any(name in start for name in item.indicators)


def _moved(spec: ModelSpec, values: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Start values as they are, beside those a fit takes for them."""
    moved = dict(values)
    for key, item in spec.inputs.items():
        shape = np.shape(values[item.variable])
        if key in LOG_STARTS:
            away = values[item.variable] * np.exp(LOG_STARTS[key] * rng.standard_normal(shape))
        elif key in PLAIN_STARTS:
            away = values[item.variable] + PLAIN_STARTS[key] * rng.standard_normal(shape)
        else:
            continue
        moved[item.variable] = np.clip(away, item.lower, item.upper)
    return moved


def _errors(
    rng: np.random.Generator, other: np.random.Generator, shape: tuple[int, int], disturbance: str, item: Measurement
) -> Array:
    """Errors with a variance of one, shape (region, year)."""
    errors = np.asarray(rng.standard_normal(shape))
    if disturbance == "heteroskedastic":
        return errors * np.exp(UNLIKE * other.standard_normal((shape[0], 1)) - UNLIKE**2)
    if disturbance == "common" and item.increments:
        shared = other.standard_normal((GROUPS, shape[1]))[np.arange(shape[0]) % GROUPS]
        return np.asarray(np.sqrt(COMMON) * shared + np.sqrt(1 - COMMON) * errors)
    return errors


def _observed(
    model: Model,
    item: Measurement,
    outcome: Array,
    first: Array,
    known: Mapping[str, float],
    errors: Array,
    disturbance: str,
) -> Array:
    """What an indicator says after the first year, shape (region, year)."""
    logs = (known[item.loading] if item.loading else 1.0) * np.log(outcome)
    apart = np.log(first) - logs[:, 0]
    if item.increments:
        memory = float(yearly_memory(np.asarray(known["tau_m"]), time_step(model)))
        away = apart[:, None] + np.cumsum(_fading(np.zeros_like(apart), errors, memory), axis=1)
    elif disturbance == "persistent":
        away = apart.mean() + _fading(apart - apart.mean(), np.sqrt(1 - MEMORY**2) * errors, MEMORY)
    else:
        away = errors + (apart[:, None] if disturbance == "distances" else apart.mean())
    return np.asarray(np.exp(logs[:, 1:] + away))


def _fading(start: Array, news: Array, memory: float) -> Array:
    """Errors of which a share is left a year later, shape (region, year), from those of the first year."""
    found, left = np.empty_like(news), start
    for year in range(news.shape[1]):
        left = memory * left + news[:, year]
        found[:, year] = left
    return found


def _recount(later: dict[str, Array], rng: np.random.Generator) -> None:
    """From the census year on population is another, and with it all that is divided by it; totals stay."""
    jump = np.exp(JUMP * rng.standard_normal((len(later["population"]), 1)))
    for name, values in later.items():
        if name == "population":
            values[:, CENSUS - 1 :] *= jump
        elif name.endswith(("_per_head", "_per_100")):
            values[:, CENSUS - 1 :] /= jump

"""Panels made by the model itself, so that the truth is known."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pysd_runner.data import Data, Entity
from pysd_runner.model import Model, load_model
from pysd_runner.simulation import simulate
from pysd_runner.study.binding import RegionalModel

Array = NDArray[np.float64]

MODEL = "regional_digital"
FIRST = 2010
UNITS = {
    "output_per_head": "yuan/(Year*Person)",
    "population": "Person",
    "output": "yuan/Year",
    "mobile_internet_per_100": "per 100 persons",
    "broadband_ports_per_100": "per 100 persons",
    "ict_employment_share": "Dmnl",
    "firms_with_ecommerce": "Dmnl",
}
OBSERVED = {
    "mobile_internet_per_100": ("Access Share", "lambda_a"),
    "broadband_ports_per_100": ("Access Share", "lambda_a"),
    "ict_employment_share": ("Skill Share", "lambda_s"),
    "firms_with_ecommerce": ("Application Share", "lambda_u"),
}
OUTCOMES = (
    "Output per Capita",
    "Population",
    "Access Share",
    "Skill Share",
    "Application Share",
    "National Access Share",
)

# Errors used for "noisy" panels: yearly growth, and levels of the logs of each indicator.
GROWTH_SD = 0.02
LEVEL_SD = {"mobile_internet_per_100": 0.03, "broadband_ports_per_100": 0.04, "ict_employment_share": 0.08}
LEVEL_SD["firms_with_ecommerce"] = 0.08


@cache
def model_of(regions: int) -> Model:
    """The shipped model with some regions."""
    return load_model(MODEL, regions=regions)


def regions_of(count: int) -> tuple[Entity, ...]:
    """Regions with codes and names that sort in another order than they stand."""
    return tuple(
        Entity(code=f"{(7 * k) % count:02d}X", name_en=f"Region {k}", name_zh=f"地区{k}") for k in range(count)
    )


def start_panel(count: int, *, before: int = 2, seed: int = 5) -> Data:
    """What some regions look like in the first year, and their output in the years before."""
    rng = np.random.default_rng(seed)
    years = tuple(range(FIRST - before, FIRST + 1))
    shape = (count, len(years))
    ability = rng.normal(0.0, 0.4, count)
    head = 40_000 * np.exp(ability[:, None] + np.cumsum(0.05 + rng.normal(0, 0.02, shape), axis=1))
    people = np.repeat(rng.lognormal(17, 0.5, count)[:, None], len(years), axis=1)
    last = np.full(shape, np.nan)

    def spread(level: float, slope: float, sd: float) -> Array:
        values = last.copy()
        values[:, -1] = level * np.exp(slope * ability + rng.normal(0, sd, count))
        return values

    access = spread(60, 0.3, 0.08)
    values = {
        "output_per_head": head,
        "population": people,
        "output": head * people,
        "mobile_internet_per_100": access,
        "broadband_ports_per_100": access * 0.6,
        "ict_employment_share": spread(0.02, 0.6, 0.2),
        "firms_with_ecommerce": spread(0.07, 0.5, 0.2),
    }
    return Data.by_region(
        name="made",
        regions=regions_of(count),
        years=years,
        values=values,
        units=UNITS,
        national={"internet_penetration": {FIRST: 0.45}},
        currency="yuan",
        price_basis="constant 2010 prices",
    )


def made_panel(
    count: int, years: int, truth: Mapping[str, float] | None = None, *, noise: float = 0.0, seed: int = 0
) -> Data:
    """A panel the model made with known parameters.

    ``noise`` scales the errors: growth shocks that fade like momentum, and independent errors of indicators.
    """
    model, start = model_of(count), start_panel(count)
    known = {key: item.value for key, item in model.spec.parameters.items()} | dict(truth or {})
    bound = RegionalModel(model=model, panel=start, parameters=known)
    run = simulate(
        model, bound.values(bound.inputs(FIRST)), start=FIRST, stop=FIRST + years, save_every=1, outcomes=OUTCOMES
    )
    rng = np.random.default_rng([seed, 99])
    later = _later(start, run, known, years, noise, rng)
    national = run["National Access Share"][0, 0, 1:] + noise * 0.005 * rng.normal(size=years)
    levels = {FIRST + 1 + place: float(value) for place, value in enumerate(national)}
    return Data.by_region(
        name=start.name,
        regions=start.regions,
        years=(*start.years, *range(FIRST + 1, FIRST + years + 1)),
        values={name: np.concatenate([start.array(name), later[name]], axis=1) for name in start.values},
        units=start.units,
        national={"internet_penetration": {FIRST: 0.45, **levels}},
        currency=start.currency,
        price_basis=start.price_basis,
    )


def _later(
    start: Data, run: object, known: Mapping[str, float], years: int, noise: float, rng: np.random.Generator
) -> dict[str, Array]:
    count = len(start.regions)
    memory = (1 - 0.25 / known["tau_m"]) ** 4
    growth = np.zeros((count, years))
    for year in range(years):
        before = growth[:, year - 1] if year else 0.0
        growth[:, year] = memory * before + noise * GROWTH_SD * rng.normal(size=count)
    later = {
        "output_per_head": run["Output per Capita"][0, 0, :, 1:] * np.exp(np.cumsum(growth, axis=1)),
        "population": run["Population"][0, 0, :, 1:],
    }
    later["output"] = later["output_per_head"] * later["population"]
    for name, (outcome, loading) in OBSERVED.items():
        share = run[outcome][0, 0]
        errors = noise * LEVEL_SD[name] * rng.normal(size=(count, years))
        first = start.array(name)[:, -1:]
        later[name] = first * (share[:, 1:] / share[:, :1]) ** known[loading] * np.exp(errors)
    return later


def scaled(panel: Data, variable: str, cells: Sequence[tuple[int, int]], factor: float) -> Data:
    """The panel with some cells of a variable (region, position of the year) multiplied; NaN takes them out."""
    values = panel.array(variable).copy()
    for cell in cells:
        values[cell] *= factor
    return panel.with_values({**panel.values, variable: values})


def permuted(panel: Data, order: Sequence[int]) -> Data:
    """The same panel with its regions in another order."""
    rows = list(order)
    values = {name: array[rows] for name, array in panel.values.items()}
    return replace(panel.with_values(values), entities={"region": tuple(panel.regions[row] for row in rows)})


def renamed(panel: Data) -> Data:
    """The same panel with other codes and names."""
    regions = tuple(
        replace(region, code=f"région {len(panel.regions) - k}", name_en="same", name_zh="同名")
        for k, region in enumerate(panel.regions)
    )
    return replace(panel, entities={"region": regions})


def without(panel: Data, *variables: str, national: bool = True) -> Data:
    """The panel without some variables, and without its national series if asked for."""
    kept = {name: array for name, array in panel.values.items() if name not in variables}
    return panel.with_values(kept).with_national(panel.national if national else {})

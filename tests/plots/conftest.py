"""Invented futures of a few dozen regions, drawn in every test of pictures."""

import numpy as np
import pytest
import xarray as xr

from pysd_runner.indicators import indicators_of

CLASSES = ("East", "Central", "West", "Northeast")
LEVELS = {"East": 1.3, "Central": 0.8, "West": 0.7, "Northeast": 0.75}
YEARS = np.arange(2024, 2036)
PAST = np.arange(2010, 2025)
DIMS = ("scenario", "draw", "region", "year")


def region_coordinates(count):
    """Codes, names in two scripts, classes and tiles."""
    return {
        "region": [f"{11 + place}0000" for place in range(count)],
        "name_en": ("region", [f"Province {place + 1}" for place in range(count)]),
        "name_zh": ("region", ["甘肃", "新疆", "内蒙古"][:count] + [f"省份{place}" for place in range(3, count)]),
        "group": ("region", [CLASSES[place % 4] for place in range(count)]),
        "row": ("region", [place // 6 + 1 for place in range(count)]),
        "column": ("region", [place % 6 + 1 for place in range(count)]),
    }


def make_future(count=31, draws=30, seed=0):
    """Output and population of every scenario, draw, region and year; a policy helps those behind."""
    rng = np.random.default_rng(seed)
    coords = region_coordinates(count)
    start = np.array([LEVELS[name] for name in coords["group"][1]]) * np.linspace(1.2, 0.9, count)
    passed = YEARS - YEARS[0]
    shocks = rng.normal(0, 0.02, (draws, count, len(YEARS))).cumsum(-1)
    shocks -= shocks[..., :1]
    strength = rng.lognormal(0, 0.4, (draws, 1, 1))
    paths = [
        np.log(start)[:, None] * (1 - effect * 0.02 * strength * passed) + shocks for effect in (0.0, 0.4, 1.0, -0.3)
    ]
    people = np.broadcast_to(rng.uniform(5, 100, count)[:, None], (4, draws, count, len(YEARS)))
    labels = {
        "scenario": ["baseline", "uniform", "zoned_need", "integration"],
        "label_en": ("scenario", ["No policy", "Uniform, per head", "Zoned and need-weighted", "Integration only"]),
        "label_zh": ("scenario", ["无政策", "统一、按人头", "分区分类、按需分配", "只推一体化"]),
        "draw": np.arange(draws),
        "year": YEARS,
        **coords,
    }
    output = xr.DataArray(np.exp(np.stack(paths)) * people, dims=DIMS, coords=labels, attrs={"units": "Yuan/Year"})
    return output, xr.DataArray(people.copy(), dims=DIMS, coords=labels, attrs={"units": "Person"})


def make_history(output, population):
    """Observations that end where the futures start."""
    rng = np.random.default_rng(7)
    last = output.isel(scenario=0, draw=0, year=0, drop=True)
    walk = rng.normal(0, 0.01, (len(PAST), last.size))[::-1].cumsum(0)[::-1]
    walk -= walk[-1]
    past = last.expand_dims(year=PAST).transpose("region", "year") * np.exp(walk.T)
    people = population.isel(scenario=0, draw=0, year=0, drop=True)
    return past, people.expand_dims(year=PAST).transpose("region", "year")


@pytest.fixture(scope="session")
def panel():
    """Output and population, as (futures, history)."""
    output, population = make_future()
    return (output, population), make_history(output, population)


@pytest.fixture(scope="session")
def futures(panel):
    """Indicators of the futures."""
    return indicators_of(*panel[0])


@pytest.fixture(scope="session")
def history(panel):
    """Indicators of the past."""
    return indicators_of(*panel[1])

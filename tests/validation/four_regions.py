"""Inputs of the acceptance tests: four illustrative regions, twenty random ones, and runs over them."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine import Engine
from pysd_runner.model import Model, load_model
from pysd_runner.simulation import Run, simulate

Array = NDArray[np.float64]
Values = Mapping[str, Any]

START = 2014.0
NAMES = ("East", "Central", "West", "Northeast")
WEST = NAMES.index("West")

# Round numbers for 2015 that illustrate the structure; they are no data.
FOUR_REGIONS: dict[str, Array] = {
    "Initial Population": np.array([525e6, 365e6, 371e6, 109e6]),
    "Initial Output per Capita": np.array([71e3, 40e3, 39e3, 53e3]),
    "Initial Access Share": np.array([0.58, 0.44, 0.43, 0.50]),
    "Initial Skill Share": np.array([0.30, 0.17, 0.16, 0.21]),
    "Initial Application Share": np.array([0.25, 0.12, 0.11, 0.13]),
    "Initial Shared Data": np.array([0.12, 0.05, 0.05, 0.05]),
    "Initial Governance Integration": np.array([0.35, 0.25, 0.22, 0.22]),
    "Initial Platform Linkage": np.array([0.15, 0.10, 0.10, 0.10]),
    "Schooling Index": np.array([1.06, 0.97, 0.93, 1.04]),
    "Initial Capital Output Ratio": np.array([3.0, 3.2, 3.5, 3.4]),
    "Natural Population Growth Rate": np.array([0.004, 0.003, 0.005, -0.002]),
    "Terrain Cost Factor": np.array([1.0, 1.1, 1.5, 1.1]),
}

# Everything that makes relative output move by itself, switched off.
NULL: dict[str, float] = {
    "Baseline Catch Up Rate": 0.0,
    "Digital Absorptive Catch Up Rate": 0.0,
    "Skill Innovation Coefficient": 0.0,
    "Application Output Effect": 0.0,
    "Data Output Effect": 0.0,
    "Base Migration Rate": 0.0,
    "Digital Skill Productivity Premium": 0.0,
    "Agglomeration Elasticity": 0.0,
}

# Values of the design whose figures are tested, where the model has others by now: 8,000 yuan a person trained.
DESIGN: dict[str, float] = {"Cost per Training Place": 4480.0, "Skill Obsolescence Rate": 0.06}

# Growth as the design had it, from a region's lead over the nation, and unit costs that stay what they are.
OLD_FORM: dict[str, float] = {"Skill Innovation Coefficient": 0.015, "Innovation Centring": 1.0, "Cost Indexation": 0.0}

# A budget of 0.3 percent of output from year 10 on, at equal shares per head.
POLICY: dict[str, float] = {
    "Policy Budget Share": 0.003,
    "Policy Start Time": START + 10,
    "Differentiation": 0.0,
    "Redistribution Exponent": 0.0,
    "Rolling Evaluation Switch": 0.0,
}

# The assumptions about policy that have no estimate, at zero.
NO_POLICY_ASSUMPTIONS: dict[str, float] = {
    "Fiscal Capacity Sensitivity": 0.0,
    "Misfit Sensitivity": 0.0,
    "Homogenisation Sensitivity": 0.0,
}

# Everything that draws people and money out of the West.
SIPHON: dict[str, float] = {
    "Baseline Catch Up Rate": 0.0,
    "Digital Absorptive Catch Up Rate": 0.0,
    "Skill Innovation Coefficient": 0.07,
    "Structural Gap Persistence": 1.0,
    "Skilled Mobility Ratio": 4.0,
    "Base Migration Rate": 0.012,
    "Migration Income Elasticity": 1.5,
    "Mobile Investment Share": 0.5,
    "Agglomeration Elasticity": 0.05,
    "Public Service Attraction": 0.0,
}

# Shares of the levers of the design in the mix that all get, and in those of frontier, transition and lagging regions.
SHARES = {
    "access": (0.30, 0.05, 0.15, 0.40),
    "skills": (0.10, 0.15, 0.25, 0.27),
    "application": (0.25, 0.20, 0.35, 0.10),
    "data": (0.25, 0.30, 0.08, 0.03),
    "governance": (0.05, 0.15, 0.07, 0.05),
    "knowledge": (0.03, 0.15, 0.07, 0.05),
    "compensation": (0.02, 0.00, 0.03, 0.10),
}


def twenty_regions(*, alike: bool = False) -> dict[str, Array]:
    """Twenty random regions; `alike` gives all the same capital, growth, skills and application."""
    rng = np.random.default_rng(0)
    count = 20
    found = {
        "Initial Population": rng.lognormal(17, 0.6, count),
        "Initial Output per Capita": rng.lognormal(10.8, 0.4, count),
        "Initial Access Share": rng.uniform(0.35, 0.65, count),
        "Initial Skill Share": rng.uniform(0.1, 0.3, count),
        "Initial Application Share": rng.uniform(0.08, 0.25, count),
        "Initial Shared Data": np.full(count, 0.05),
        "Initial Governance Integration": rng.uniform(0.15, 0.35, count),
        "Initial Platform Linkage": np.full(count, 0.1),
        "Initial Capital Output Ratio": rng.normal(3, 0.4, count),
        "Natural Population Growth Rate": rng.normal(0, 0.005, count),
    }
    if alike:
        found |= {
            "Initial Skill Share": np.full(count, 0.2),
            "Initial Application Share": np.full(count, 0.15),
            "Initial Capital Output Ratio": np.full(count, 3.0),
            "Natural Population Growth Rate": np.zeros(count),
        }
    return found


@cache
def loaded(regions: int) -> Model:
    """The shipped model over so many regions."""
    return load_model("regional_digital", regions=regions)


def region_count(values: Values) -> int:
    """Number of regions a set of inputs is for."""
    return int(np.shape(values["Initial Population"])[-1])


def run(
    values: Values,
    years: float,
    outcomes: Sequence[str] | None = None,
    *,
    start: float = START,
    step: float = 0.25,
    engine: Engine = "numpy",
) -> Run:
    """The shipped model from `start` on, saved once a year; few cases take less time than to compile it for them."""
    return simulate(
        loaded(region_count(values)),
        {**DESIGN, **values},
        start=start,
        stop=start + years,
        step=step,
        save_every=1.0,
        outcomes=outcomes,
        engine=engine,
    )


def one(values: Values, years: float, outcome: str, *, start: float = START, step: float = 0.25) -> Array:
    """One outcome of one run, without the axes for scenarios and draws."""
    found: Array = run(values, years, [outcome], start=start, step=step)[outcome][0, 0]
    return found


def scenarios(cases: Sequence[Values]) -> dict[str, Array]:
    """Cases that set the same inputs, side by side on the axis for scenarios."""
    names = set(cases[0])
    if any(set(case) != names for case in cases):
        raise ValueError("every case must set the same inputs")
    return {name: np.stack([np.asarray(case[name], dtype=float) for case in cases])[:, None] for name in cases[0]}


def relative_log_output(values: Values, years: float, *, start: float = START) -> Array:
    """Log output per head minus the mean over regions of that year, (region, year)."""
    log_output: Array = np.log(one(values, years, "Output per Capita", start=start))
    return log_output - log_output.mean(axis=0)


def west_gap(cases: Sequence[Values], years: int) -> Array:
    """Gap of the West to the leader, (case, year)."""
    found: Array = run(scenarios(cases), years, ["Gap to Leader"])["Gap to Leader"][:, 0, WEST]
    return found


def mix(**shares: float) -> Array:
    """Shares of the levers in the order of the model; those not named get nothing."""
    return np.array([shares.get(lever.lower(), 0.0) for lever in loaded(4).ranges["Lever"]])


_MIXES = zip(*SHARES.values(), strict=True)
UNIFORM_MIX, *_BY_CLASS = (mix(**dict(zip(SHARES, shares, strict=True))) for shares in _MIXES)
MIX_BY_CLASS = np.transpose(_BY_CLASS)
EQUAL_MIX = mix(**dict.fromkeys(SHARES, 1 / len(SHARES)))

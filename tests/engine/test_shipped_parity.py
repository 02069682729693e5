"""The shipped model on the project's engine and on PySD: every variable, every saved step."""

import numpy as np
import pytest

from pysd_runner.engine.values import TimePath
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.parity import assert_same


def region_values(rng, count, *, scale=1.0):
    """Random regions, their income and people far apart, every input different from its default."""
    return {
        "Initial Population": rng.lognormal(17, 0.6, count),
        "Initial Output per Capita": rng.lognormal(10.8, 0.4, count),
        "Initial Access Share": rng.uniform(0.35, 0.65, count),
        "Initial Skill Share": rng.uniform(0.1, 0.3, count),
        "Initial Application Share": rng.uniform(0.05, 0.2, count),
        "Initial Shared Data": rng.uniform(0.02, 0.2, count),
        "Initial Governance Integration": rng.uniform(0.1, 0.4, count),
        "Initial Platform Linkage": rng.uniform(0.05, 0.2, count),
        "Schooling Index": rng.uniform(0.8, 1.2, count),
        "Initial Capital Output Ratio": rng.normal(3, 0.4, count),
        "Observed Investment Rate": np.where(rng.random(count) < 0.5, 0, rng.uniform(0.2, 0.5, count)),
        "Natural Population Growth Rate": rng.normal(0, 0.005, count),
        "Terrain Cost Factor": rng.uniform(1, 1.5, count),
        "Reference Technology Shift": rng.normal(0, 0.05, count),
        "Structural Deviation": rng.normal(0, 0.1, count) * scale,
        "Initial Growth Momentum": rng.normal(0, 0.01, count),
    }


def parameter_values(model, rng):
    """One vector drawn from the priors."""
    drawn = {}
    for item in model.spec.parameters.values():
        if item.variable and item.prior is not None and item.role != "POL":
            drawn[item.variable] = float(np.clip(item.prior.sample(rng, 1)[0], item.lower, item.upper))
    return drawn


def policy_values(model, rng, start):
    levers = len(model.ranges["Lever"])
    mixes = rng.dirichlet(np.ones(levers), size=3).T
    return {
        "Policy Budget Share": rng.uniform(0.001, 0.01),
        "Policy Start Time": start,
        "Uniform Mix": rng.dirichlet(np.ones(levers)),
        "Mix by Class": mixes,
        "Differentiation": rng.random(),
        "Redistribution Exponent": rng.uniform(-1, 2),
        "Rolling Evaluation Switch": float(rng.random() < 0.5),
        "Region Target": (np.arange(len(model.ranges["Region"])) % 3 > 0).astype(float),
        "Class Target": np.array([1.0, 1.0, 0.0]),
    }


def test_four_regions_over_the_full_horizon():
    model = load_model("regional_digital", regions=4)
    rng = np.random.default_rng(1)
    values = region_values(rng, 4) | parameter_values(model, rng) | policy_values(model, rng, 2020)
    assert_same(simulate(model, values), simulate(model, values, engine="pysd"))


def test_thirty_one_regions_with_the_policy_from_the_first_year():
    model = load_model("regional_digital", regions=31)
    rng = np.random.default_rng(2)
    values = region_values(rng, 31) | parameter_values(model, rng) | policy_values(model, rng, 2014)
    assert_same(simulate(model, values, stop=2016), simulate(model, values, stop=2016, engine="pysd"))


@pytest.mark.parametrize("seed", range(2))
def test_random_parameters_and_policies(seed):
    model = load_model("regional_digital", regions=3)
    rng = np.random.default_rng(100 + seed)
    values = region_values(rng, 3) | parameter_values(model, rng) | policy_values(model, rng, 2015)
    assert_same(simulate(model, values, stop=2018), simulate(model, values, stop=2018, engine="pysd"))


@pytest.mark.parametrize("interpolate", ["step", "linear"])
def test_schedules_and_shocks_reach_both_engines(interpolate):
    model = load_model("regional_digital", regions=3)
    rng = np.random.default_rng(7)
    years = np.array([2014.0, 2015.5, 2017.0])
    mixes = rng.dirichlet(np.ones(7), size=3)
    values = region_values(rng, 3) | {
        "Policy Start Time": 2014,
        "Policy Budget Share": TimePath(times=years, values=np.array([0.0, 0.004, 0.002]), interpolate=interpolate),
        "Uniform Mix": TimePath(times=years, values=mixes, interpolate=interpolate),
        "Technology Shock": TimePath(times=years, values=rng.normal(0, 0.02, (3, 3)), interpolate=interpolate),
    }
    assert_same(simulate(model, values, stop=2018), simulate(model, values, stop=2018, engine="pysd"))


def test_scenarios_and_draws_reach_both_engines():
    model = load_model("regional_digital", regions=2)
    values = {
        "Policy Start Time": 2014,
        "Policy Budget Share": np.array([0.0, 0.005])[:, None],
        "Application Output Effect": np.array([0.05, 0.3]),
        "Initial Output per Capita": np.array([70e3, 40e3]),
    }
    ours = simulate(model, values, stop=2015)
    assert ours["Output"].shape == (2, 2, 2, 2)
    assert_same_cases(ours, simulate(model, values, stop=2015, engine="pysd"))


def assert_same_cases(ours, theirs):
    for name, expected in theirs.data.items():
        actual = np.broadcast_to(ours.data[name], expected.shape)
        np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-12, err_msg=name)

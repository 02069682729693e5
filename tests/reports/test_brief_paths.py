"""Which quantities an answer hangs on."""

import numpy as np
import xarray as xr

from pysd_runner.reports.brief_paths import causes


def drawn(count, seed=0, quantities=40):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(quantities, count))
    return xr.DataArray(
        values, dims=["parameter", "draw"], coords={"parameter": [f"p{number}" for number in range(quantities)]}
    )


def test_the_thirds_are_those_of_the_draws():
    parameters = drawn(300)
    decisive = parameters.sel(parameter="p7").to_numpy()
    found = causes(parameters, decisive > np.quantile(decisive, 0.5))
    assert (found[0].parameter, found[0].low, found[0].high) == ("p7", 0.0, 1.0)


def test_chance_alone_names_one_in_a_brief_of_twenty_at_most():
    rng = np.random.default_rng(1)
    named = sum(bool(causes(drawn(200, seed), rng.random(200) < 0.6)) for seed in range(200))
    # Bonferroni promises 5 % of 200; a binomial count exceeds 18 in less than one of 100.
    assert named <= 18


def test_three_at_most_and_the_strongest_first():
    parameters = drawn(2000)
    holds = parameters.to_numpy()[:5].T @ np.array([5.0, 4.0, 3.0, 2.0, 1.5]) > 0
    assert [item.parameter for item in causes(parameters, holds)] == ["p0", "p1", "p2"]


def test_nothing_to_tell():
    parameters = drawn(100)
    assert not causes(parameters, np.ones(100, dtype=bool))
    assert not causes(parameters, np.zeros(100, dtype=bool))
    assert not causes(parameters[:, :59], parameters.to_numpy()[0, :59] > 0)
    assert not causes(parameters * 0, parameters.to_numpy()[0] > 0)

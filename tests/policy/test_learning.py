"""Whether to learn first: closed forms, plain loops over draws and regions, and what is drawn again with a seed."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from pysd_runner.policy import learning
from pysd_runner.policy.learning import PILOTS, WAIT, YEARS, learned, pilot, pilot_error, power, worth_of
from pysd_runner.policy.ranking import _further, compare, start_of
from pysd_runner.policy.sensitivity import draws_of, value_of_all, value_of_knowing
from pysd_runner.scenarios import load_scenario, with_comparisons
from pysd_runner.study.draws import common_draws
from pysd_runner.study.projection import project

BOUNDS = (2024, 2032)
NAMES = ("uniform_sevenths", "skills_programme")


@pytest.fixture(scope="module")
def cast(model):
    return with_comparisons([replace(load_scenario(name, model=model), compare_with=()) for name in NAMES], model=model)


@pytest.fixture(scope="module")
def common(model, panel):
    return common_draws(model, panel, None, None, bounds=BOUNDS, draws=6, seed=1)


@pytest.fixture(scope="module")
def made(model, panel, common, cast):
    return compare(model, panel, common, cast, BOUNDS)


def test_knowing_which_of_two_normal_options_is_better_has_a_closed_form():
    """Of N(0, 1) and N(-.4, 2) the better one is worth sd phi(d / sd) - d Phi(-d / sd) more, sd of the difference."""
    rng = np.random.default_rng(0)
    values = np.stack([rng.normal(0, 1, 20_000), rng.normal(-0.4, 2, 20_000)])
    sd = np.sqrt(5)
    exact = sd * norm.pdf(0.4 / sd) - 0.4 * norm.cdf(-0.4 / sd)
    gain, error = value_of_all(values, draws_of(None, 20_000))
    assert gain == pytest.approx(exact, abs=3 * error)


def test_a_group_of_parameters_is_worth_what_their_sum_is():
    """Options 0 and a + b + e: together a and b are worth what a normal of their variance is, alone each less."""
    rng = np.random.default_rng(1)
    a, b, noise = rng.normal(0, 1, (3, 5000))
    values, draws = np.stack([np.zeros(5000), a + b + noise - 0.3]), draws_of(None, 5000)
    gains = {
        name: value_of_knowing(values, known, draws, np.random.default_rng(0))
        for name, known in (("a", a), ("both", np.stack([a, b], axis=-1)), ("none", noise[::-1]))
    }
    for name, sd in (("a", 1.0), ("both", np.sqrt(2))):
        exact = sd * norm.pdf(0.3 / sd) - 0.3 * norm.cdf(-0.3 / sd)
        assert gains[name][0] == pytest.approx(exact, abs=3 * gains[name][1])
    assert gains["none"][0] == pytest.approx(0, abs=3 * gains["none"][1] + 1e-12)
    assert gains["a"][0] < gains["both"][0] < value_of_all(values, draws)[0]


def test_power_is_the_share_of_estimates_that_a_test_tells_from_nothing():
    rng = np.random.default_rng(0)
    for effect, error in ((0.0, 1.0), (0.5, 0.3), (-1.0, 0.5), (2.0, 0.1)):
        estimates = effect + error * rng.standard_normal(40_000)
        share = np.mean([abs(estimate) > 1.96 * error for estimate in estimates])
        assert float(power(np.array(effect), np.array(error))) == pytest.approx(share, abs=0.008)
    assert float(power(np.array(2.8), np.array(1.0))) == pytest.approx(0.8, abs=0.001)


def test_the_error_of_a_pilot_is_that_of_pilots_made_again():
    """Effects of eight regions differ by 30 %, and every region changes by itself."""
    rng, effect, noise = np.random.default_rng(0), 2.0, 0.5
    found = []
    for _ in range(20_000):
        own = effect * (1 + 0.3 * rng.standard_normal(8)) + noise * rng.standard_normal(8)
        found.append(own.mean() - noise * rng.standard_normal(23).mean())
    assert np.std(found) == pytest.approx(float(pilot_error(np.array(effect), noise, 8, 23)), rel=0.02)


@pytest.mark.parametrize(("error", "exact"), [(0.3, 0.251), (1.0, 0.157), (3.0, 0.029)])
def test_what_a_pilot_teaches_of_a_normal_option_has_a_closed_form(monkeypatch, error, exact):
    """Options 0 and b + 3 e with b ~ N(-.3, 1); the pilot sees b with a standard error."""
    monkeypatch.setattr(learning, "SPREAD", 0.0)
    found = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        b = rng.normal(-0.3, 1, 2500)
        values = np.stack([np.zeros(2500), b + 3 * rng.standard_normal(2500)])
        row = pilot(values, {"b": b}, {"b": error / np.sqrt(2)}, 1, 1, draws_of(None, 2500), 1000 + seed)
        assert row["b_error"] == pytest.approx(error)
        found.append(row["taught"])
    mean, errors = np.mean(found, axis=0)
    assert mean == pytest.approx(exact, abs=3 * errors / np.sqrt(10))


def test_a_pilot_of_what_it_cannot_see_teaches_nothing_and_a_seed_repeats_it():
    rng = np.random.default_rng(0)
    values, draws = rng.standard_normal((3, 1200)), draws_of(None, 1200)
    seen, noise = {"skills": np.zeros(1200)}, {"skills": 1.0}
    rows = [pilot(values, seen, noise, 8, 23, draws, seed) for seed in (7, 7, 8)]
    assert rows[0] == rows[1]
    assert rows[0]["taught"] != rows[2]["taught"]
    assert abs(rows[0]["taught"][0]) < 3 * rows[0]["taught"][1] + 1e-12
    assert rows[0]["skills_power"] == pytest.approx(0.05, abs=1e-4)


def test_with_few_draws_groups_are_not_told_but_everything_is(model, common, made):
    draws = draws_of(None, 6)
    worth = worth_of(model.declarations, common.parameters, made.effects, draws)
    for aim, row in worth.iterrows():
        values = made.effects[aim].transpose("draw", "scenario").to_numpy()
        means = made.effects[aim].mean("draw").to_series()
        assert row["best"] == means.idxmax()
        best = float(means.max())
        assert row["mean"] == pytest.approx(best)
        assert row["everything"][0] == pytest.approx(np.mean([max(own) for own in values]) - best)
        assert np.isnan(row["cost"][0])


def test_waiting_costs_nothing_if_the_late_run_is_the_run(model, common, made, panel):
    """And what it costs is the mean difference that is put into the late run."""

    def found(by):
        def run(policies, kept):
            (late,) = policies
            assert late.policy.start == BOUNDS[0] + 1 + WAIT
            return made.effects["gap_closed"].sel(scenario=[late.name]).isel(draw=kept) - by

        def paths(cast, bounds):
            shape = (("scenario", "draw", "region", "year"), np.ones((2, 6, len(panel.codes), 2)))
            return xr.Dataset({"skills": shape, "heads": shape})

        start = start_of(panel)
        return learned(model.declarations, common, made.scenarios, made.effects, run, paths, start, 0.02)

    assert found(0.0).waiting == (0.0, 0.0)
    assert found(0.25).waiting == pytest.approx((0.25, 0.0))


def test_waiting_and_pilots_are_those_of_plain_projections(model, panel, common, made):
    got = _further(model, panel, common, made, BOUNDS).learning
    best = made.scenarios[got.worth.loc["gap_closed", "best"]]
    late = replace(best, name="late", policy=replace(best.policy, start=2025.0 + WAIT))
    effects = compare(model, panel, common, [best.baseline(), best, late], BOUNDS).effects["gap_closed"]
    lost = [float(effects.sel(scenario=best.name, draw=d) - effects.sel(scenario="late", draw=d)) for d in range(6)]
    assert got.waiting[0] == pytest.approx(np.mean(lost))
    data = project(model, panel, [best], until=2025 + YEARS, draws=6, seed=1).data.sel(year=2025 + YEARS)
    behind = np.flatnonzero(start_of(panel).behind)
    gained = []
    for draw in range(6):
        own, none = (data["output_per_head"].sel(scenario=name).isel(draw=draw) for name in (best.name, "baseline"))
        gained.append(np.mean([np.log(float(own[region] / none[region])) for region in behind]))
    assert list(got.pilots.index) == [size for size in PILOTS if size <= len(behind)]
    for _, row in got.pilots.iterrows():
        assert row["output"] == pytest.approx(np.median(gained), rel=1e-9)


def test_a_policy_with_a_budget_that_changes_is_not_put_off(model, common, made, panel):
    scenarios = {
        name: replace(item, policy=replace(item.policy, start=2026.0)) for name, item in made.scenarios.items()
    }
    found = learned(model.declarations, common, scenarios, made.effects, None, None, start_of(panel), 0.02)
    assert np.isnan(found.waiting[0])
    assert found.pilots.empty

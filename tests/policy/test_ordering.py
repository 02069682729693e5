"""Schedules of two mixes: plain loops over pairs, and the run with one mix twice is that of the mix."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import xarray as xr

from pysd_runner.indicators.selection import TENTH
from pysd_runner.policy import ranking
from pysd_runner.policy.ordering import CHANGE, HALF, Order, _followed, best_order
from pysd_runner.policy.ranking import LEAST_SPLIT, answer, compare
from pysd_runner.scenarios.crossing import single_levers
from pysd_runner.study.draws import common_draws


@pytest.fixture(scope="module")
def mixes(model):
    return {item.name: item for item in single_levers(0.003, model=model)[:4]}


def _toy(mixes, together):
    """Effects of constant mixes, and a function that runs schedules: the sum of halves, and a gain of one order."""
    rng = np.random.default_rng(0)
    halves = {name: rng.normal(place, 0.5, 2 * HALF) for place, name in enumerate(mixes)}
    constant = xr.DataArray(
        [2 * values for values in halves.values()], dims=("scenario", "draw"), coords={"scenario": list(mixes)}
    )

    def run(policies, kept):
        rows = []
        for item in policies:
            first, second = item.name.split(" > ")
            assert item.policy.mix.values == (mixes[first].policy.mix, mixes[second].policy.mix)
            rows.append((halves[first] + halves[second] + together.get((first, second), 0.0))[kept])
        return xr.DataArray(rows, dims=("scenario", "draw"))

    return constant, run


@pytest.mark.parametrize(("extra", "matters"), [(4.0, True), (0.0, False), (1.2, False)])
def test_the_best_pair_is_that_of_a_plain_loop_and_matters_if_it_gains_a_tenth(mixes, extra, matters):
    names = list(mixes)
    constant, run = _toy(mixes, {(names[1], names[3]): extra + 1})
    found = best_order(mixes, constant, run)
    chosen, valued = np.arange(HALF), np.arange(HALF, 2 * HALF)
    means = {}
    for one, two in permutations(names, 2):
        means[one, two] = np.mean(run([_followed(mixes[one], mixes[two])], chosen)[0])
    best = max(means, key=means.get)
    assert (found.first, found.second) == best
    assert found.constant == names[3]
    gains = run([_followed(*(mixes[name] for name in best))], valued)[0].to_numpy() - constant[3, valued].to_numpy()
    assert found.gain == pytest.approx((gains.mean(), gains.std() / np.sqrt(HALF)), rel=1e-3)
    assert found.mean == pytest.approx(float(constant[3, valued].mean()))
    assert (found.pairs, found.half, found.matters) == (12, HALF, matters)
    assert found.delta == pytest.approx(TENTH * found.mean)
    assert best_order(mixes, constant, run, 0.7).delta == 0.7


def test_a_gain_matters_above_delta_and_two_errors():
    least = 0.2
    known = {"first": "a", "second": "b", "constant": "a", "mean": 2.0, "delta": least, "pairs": 2, "half": 9}
    for gain, error, expected in ((least + 0.01, 0.01, True), (least - 0.01, 0.01, False), (least + 0.01, 0.2, False)):
        assert Order(**known, gain=(gain, error)).matters is expected


def test_without_two_mixes_there_is_no_order(mixes):
    name, item = next(iter(mixes.items()))
    constant, run = _toy(mixes, {})
    alone = constant.sel(scenario=[name])
    assert best_order({name: item}, alone, run) is None
    # A mix for each class of regions is not one mix, and another rule of who gets the money moves it elsewhere.
    others = {
        "zoned": replace(item, policy=replace(item.policy, differentiation=1.0)),
        "by_need": replace(item, policy=replace(item.policy, redistribution=1.0)),
    }
    assert best_order({name: item, **others}, alone, run) is None


def test_a_mix_after_itself_is_the_mix_and_another_one_is_not(model, panel, mixes):
    bounds, (one, two, *_) = (2024, 2032), mixes.values()
    common = common_draws(model, panel, None, None, bounds=bounds, draws=3, seed=1)
    same, other = _followed(one, one), _followed(one, two)
    closed = {
        until: compare(model, panel, common, [one.baseline(), one, same, other], (2024, until)).effects["gap_closed"]
        for until in (2025 + CHANGE, 2032)
    }
    for values in closed.values():
        np.testing.assert_allclose(values.sel(scenario=same.name), values.sel(scenario=one.name), rtol=1e-9)
    # Until the change there is no difference.
    before, after = (
        values.sel(scenario=other.name) - values.sel(scenario=one.name).to_numpy() for values in closed.values()
    )
    np.testing.assert_allclose(before, 0, atol=1e-9)
    assert (np.abs(after) > 1e-4).all()


def test_a_few_draws_are_those_of_all(model, panel, mixes):
    """Draws keep their numbers and their results."""
    bounds, one = (2024, 2027), next(iter(mixes.values()))
    common = common_draws(model, panel, None, None, bounds=bounds, draws=5, seed=1)
    some = common.only(model, np.array([1, 4]))
    assert some.draws == (1, 4)
    whole, part = (compare(model, panel, item, [one.baseline(), one], bounds).effects for item in (common, some))
    np.testing.assert_allclose(part["gap_closed"], whole["gap_closed"].sel(draw=[1, 4]), rtol=1e-12)


def test_an_answer_has_an_order_if_there_are_enough_draws_and_years(monkeypatch, model, panel, mixes):
    monkeypatch.setattr(ranking, "scanned", lambda *_: {})
    cast = [next(iter(mixes.values())).baseline(), *list(mixes.values())[:2]]
    orders, lessons = {}, {}
    for draws, until in ((LEAST_SPLIT, 2031), (LEAST_SPLIT, 2030), (LEAST_SPLIT - 1, 2031)):
        found = answer(model, panel, cast, {"": None}, None, bounds=(2024, until), draws=draws, seed=0).main
        orders[draws, until], lessons[draws, until] = found.order, found.learning
    order = orders.pop((LEAST_SPLIT, 2031))
    assert lessons.pop((LEAST_SPLIT, 2031)).worth.loc["gap_closed", "best"] in mixes
    assert {*orders.values(), *lessons.values()} == {None}
    assert {order.first, order.second} == set(list(mixes)[:2])
    assert (order.pairs, order.half) == (2, LEAST_SPLIT // 2)

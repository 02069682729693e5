"""The shrinkage: how far regions went of the way that was predicted, and what a mixture makes of it."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from calibration.forecasting import Combination, origin_at, target_of
from calibration.forecasting.combination import EarlierOrigin, distances, fit_shrinkage, shrunk
from tests.calibration.forecasting.judging import Shifted, judged
from tests.calibration.forecasting.series import panel_of, walk

EVEN = np.array([0.5, 0.5])
ASKED = {"draws": 40, "seed": 0}


def moved(true: float, origins: int = 400, noise: float = 1.0, size: float = 1.0) -> list[EarlierOrigin]:
    """Origins whose regions go `true` times as far as was predicted, which was of some size."""
    rng = np.random.default_rng(1)
    items = []
    for item in judged(1.0, origins):
        last, predicted = rng.normal(size=10), rng.normal(0, size, size=(10, 2))
        realised = last[:, None] + true * predicted + rng.normal(0, noise, (10, 2))
        items.append(replace(item, kept=item.kept + last[:, None] + predicted, last=last, realised=realised))
    return items


@pytest.mark.parametrize(("true", "kept"), [(-0.5, 0.0), (0.0, 0.0), (0.4, 0.4), (0.8, 0.8), (1.0, 1.0), (1.6, 1.0)])
def test_it_is_how_far_regions_went_of_the_way_and_never_beyond_it(true: float, kept: float) -> None:
    assert_allclose(fit_shrinkage(moved(true), EVEN, 0.5), kept, atol=0.05)


def test_it_is_that_of_a_plain_loop_and_leans_on_one() -> None:
    weights, sd = np.array([0.3, 0.7]), 0.2
    items = [replace(item, weight=0.9**age) for age, item in enumerate(moved(0.3, origins=6))]
    above = below = 1 / sd**2
    for step in range(2):
        rows = []
        for item in items:
            for region in np.flatnonzero(item.known[:, step]):
                mean = sum(weights[m] * item.kept[m, :, region, step].mean() for m in range(2))
                rows.append((item.weight, mean - item.last[region], item.realised[region, step] - item.last[region]))
        error = sum(w * (y - x) ** 2 for w, x, y in rows) / sum(w for w, _, _ in rows)
        above += sum(w * x * y for w, x, y in rows) / error / (step + 1)
        below += sum(w * x * x for w, x, _ in rows) / error / (step + 1)
    assert 0.3 < above / below < 1
    assert_allclose(fit_shrinkage(items, weights, sd), above / below, rtol=1e-12)
    assert fit_shrinkage(items, weights, 1.0) < fit_shrinkage(items, weights, sd) < fit_shrinkage(items, weights, 0.05)


@pytest.mark.parametrize("true", [-100.0, 0.0, 1.0, 100.0])
def test_moves_next_to_nothing_tell_nothing(true: float) -> None:
    assert_allclose(fit_shrinkage(moved(true, origins=12, size=1e-6), EVEN, 0.5), 1.0, atol=0.05)


def test_a_horizon_without_moves_does_not_overrule_one_that_was_foretold() -> None:
    items = moved(1.0, origins=12, noise=0.1)
    rng = np.random.default_rng(2)
    for item in items:
        item.kept[..., 0] += item.last[:, None][:, 0] + 1e-4 * rng.normal(size=10) - item.kept[..., 0].mean(axis=(0, 1))
    assert fit_shrinkage(items, EVEN, 0.5) > 0.9


def test_nothing_known_leaves_the_whole_way() -> None:
    blind = [replace(item, known=np.zeros((10, 2), bool)) for item in moved(0.0, origins=3)]
    still = [replace(item, kept=np.zeros_like(item.kept), last=np.zeros(10)) for item in moved(0.0, origins=3)]
    unseen = [replace(item, last=np.full(10, np.nan)) for item in moved(0.0, origins=3)]
    for items in ([], blind, still, unseen):
        assert fit_shrinkage(items, EVEN, 0.5) == 1.0
    assert fit_shrinkage(moved(0.0), EVEN, 0.0) == 1.0


def test_moves_are_cut_and_widths_stay() -> None:
    item = moved(0.5, origins=1)[0]
    item.last[0] = np.nan
    found = shrunk(item, EVEN, 0.25)
    before, after = (one.kept.mean(axis=(0, 1)) - item.last[:, None] for one in (item, found))
    assert_allclose(after, 0.25 * before)
    assert_allclose(found.kept[:, :, 0], item.kept[:, :, 0])
    assert_allclose(distances(found.kept), distances(item.kept), atol=1e-12)


def test_a_mixture_is_held_back_where_its_members_went_too_far() -> None:
    target = target_of(panel_of(walk(6, 30)))
    members = (Shifted("one", 0.02), Shifted("other", 0.04))
    origin = origin_at(target, 2015)
    held, free = (Combination(name="mixture", members=members, slope_sd=sd, no_inflation=np.inf) for sd in (0.5, 0.0))
    shrinkage, last = held.learn(origin, **ASKED).shrinkage, target.until(2015).values[:, -1:]
    found, plain = held.forecast(origin, horizon=2, **ASKED), free.forecast(origin, horizon=2, **ASKED)
    assert shrinkage < 0.9
    assert free.learn(origin, **ASKED).shrinkage == 1.0
    assert_allclose(found.point - last, shrinkage * (plain.point - last))
    assert_allclose(found.draws - found.point, plain.draws - plain.point)


def test_a_region_that_is_missing_at_the_origin_is_held_back_to_its_last_level() -> None:
    logs = walk(6, 30)
    logs[2, 24:26] = np.nan
    target = target_of(panel_of(logs))
    mixture = Combination(name="mixture", members=(Shifted("one", 0.02), Shifted("other", 0.04)), no_inflation=np.inf)
    origin = origin_at(target, 2015)
    learnt, last = mixture.learn(origin, **ASKED), target.until(2013).values[2, -1]
    assert learnt.shrinkage < 0.9
    move = learnt.weights @ [0.02, 0.04]
    assert_allclose(mixture.forecast(origin, horizon=2, **ASKED).point[2] - last, learnt.shrinkage * move)

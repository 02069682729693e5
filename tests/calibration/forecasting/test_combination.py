"""Mixtures: with given weights; and learning ones, whose weights start equal and go to the better member."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from calibration.forecasting import Combination, origin_at, target_of
from calibration.forecasting.combination import (
    FACTORS,
    Mixture,
    distances,
    fit_inflation,
    inflated_scores,
    losses,
    shares,
)
from calibration.forecasting.scores import crps
from tests.calibration.forecasting.judging import Shifted, judged
from tests.calibration.forecasting.series import panel_of, walk


def test_the_score_of_a_mixture_is_a_quadratic_form_of_its_weights() -> None:
    rng = np.random.default_rng(0)
    kept = rng.normal(size=(3, 20, 1, 1)) + np.arange(3)[:, None, None, None]
    observed, weights = 0.7, np.array([0.5, 0.3, 0.2])
    near = np.abs(kept - observed).mean(axis=1)[:, 0, 0]
    apart = distances(kept)[:, :, 0, 0]
    copies = np.concatenate([np.repeat(kept[m, :, 0, 0], round(10 * weights[m])) for m in range(3)])
    assert_allclose(weights @ near - weights @ apart @ weights / 2, crps(copies, np.array(observed)), rtol=1e-9)


HALF = np.array([0.5, 0.5])


@pytest.mark.parametrize("size", [0.6, 1.0, 1.4])
def test_the_dilation_is_the_width_of_what_comes(size: float) -> None:
    assert_allclose(fit_inflation(judged(size), HALF, 0.0), [size, size], atol=0.11)
    assert_allclose(fit_inflation(judged(size), HALF, np.inf), [1.0, 1.0])


def test_scores_of_dilated_mixtures_are_those_of_a_plain_loop() -> None:
    items = judged(0.7, origins=4)
    scores = []
    for factor in FACTORS:
        total = np.zeros(2)
        for item in items:
            draws = item.kept.reshape(40, 10, 2)
            centre = draws.mean(axis=0)
            scored = crps(centre + factor * (draws - centre), item.realised)
            total += np.where(item.known, scored, 0.0).sum(axis=0)
        scores.append(total)
    relative = np.array(scores) / scores[int(np.flatnonzero(FACTORS == 1)[0])]
    assert_allclose(inflated_scores(items, HALF), relative, rtol=1e-9)


def test_each_horizon_has_its_dilation_held_near_that_of_all() -> None:
    near, far = judged(0.6, seed=1), judged(1.4, seed=2)
    items = [
        replace(one, realised=np.column_stack((one.realised[:, 0], other.realised[:, 1])), weight=0.5)
        for one, other in zip(near, far, strict=True)
    ]
    scores = inflated_scores(items, HALF)
    own, both = FACTORS[scores.argmin(axis=0)], FACTORS[scores.mean(axis=1).argmin()]
    assert own[0] < both < own[1]
    # Thirty origins that count half, overlapping two years ahead, against three.
    common, parts = both ** (15 / 18), np.array([15 / 18, 7.5 / 10.5])
    assert_allclose(fit_inflation(items, HALF, 3.0), common ** (1 - parts) * own**parts)
    # What came two years after the last ten origins is not known yet.
    young = [replace(item, known=item.known & np.array([True, place < 20])) for place, item in enumerate(items)]
    own[1] = FACTORS[inflated_scores(young, HALF)[:, 1].argmin()]
    both = FACTORS[inflated_scores(young, HALF).mean(axis=1).argmin()]
    common, parts = both ** (15 / 18), np.array([15 / 18, 5 / 8])
    assert_allclose(fit_inflation(young, HALF, 3.0), common ** (1 - parts) * own**parts)
    unknown = [replace(item, known=item.known & np.array([True, False])) for item in items]
    alone = fit_inflation(unknown, HALF, 3.0)
    assert_allclose(alone, [own[0] ** (15 / 18 * (1 - 15 / 18) + 15 / 18), own[0] ** (15 / 18)])
    certain = [
        replace(item, kept=item.kept * [1, 0], between=item.between * [1, 0], realised=item.realised * [1, 0])
        for item in items
    ]
    assert_allclose(fit_inflation(certain, HALF, 3.0), alone)
    nothing = [replace(item, known=np.zeros((10, 2), dtype=bool)) for item in items]
    assert_allclose(fit_inflation(nothing, HALF, 0.0), [1.0, 1.0])


def test_a_mixture_is_dilated_about_its_point_and_not_at_all_when_told_so() -> None:
    target = target_of(panel_of(walk(6, 30)))
    members = (Shifted("one", 0.02), Shifted("other", -0.02))
    free, plain = (
        Combination(name="mixture", members=members, no_inflation=no_inflation) for no_inflation in (0.0, np.inf)
    )
    origin = origin_at(target, 2015)
    found, as_it_is = (item.forecast(origin, horizon=7, draws=40, seed=0) for item in (free, plain))
    assert_allclose(found.point, as_it_is.point)
    ratios = (found.draws - found.point) / (as_it_is.draws - as_it_is.point)
    learnt = free.learn(origin, draws=40, seed=0).inflation
    assert learnt[0] < 0.95
    assert len(set(learnt)) > 1
    assert as_it_is.draws.std() > 0
    # At the first origins nothing is judged yet.
    early = origin_at(target, 1993)
    assert free.learn(early, draws=40, seed=0).inflation.tolist() == [1.0] * 5
    # Beyond the years by which members are judged the last one holds.
    assert_allclose(ratios, np.broadcast_to([*learnt, learnt[-1], learnt[-1]], ratios.shape))


def test_losses_are_those_of_a_plain_loop() -> None:
    items = judged(0.8, origins=3)
    steps = np.arange(1, 3)
    scores = np.zeros((2, 3, 2))
    for member in range(2):
        for place, item in enumerate(items):
            for step in range(2):
                seen = item.known[:, step]
                scores[member, place, step] = crps(item.kept[member], item.realised)[seen, step].mean()
    unit = scores.mean(axis=(0, 1))
    assert_allclose(losses(items), (scores / unit / steps).sum(axis=(1, 2)), rtol=1e-12)


def test_weights_start_equal_and_go_to_the_better_member() -> None:
    target = target_of(panel_of(walk(6, 40)))
    members = (Shifted("good", 0.0), Shifted("bad", 0.01))
    combination = Combination(name="mixture", members=members)
    first, early, late = (
        combination.learn(origin_at(target, year), draws=60, seed=0).weights for year in (1994, 1998, 2028)
    )
    assert_allclose(first, 0.5)
    assert_allclose(early.sum(), 1)
    assert 0.5 < early[0] < late[0] < 1
    stubborn = Combination(name="mixture", members=members, rate=0.0)
    assert_allclose(stubborn.learn(origin_at(target, 2028), draws=60, seed=0).weights, 0.5)


def test_recent_origins_count_more() -> None:
    # Relative output of the regions moves one way for thirty years and then the other way for eight.
    ways = np.array([1.0, -1.0, 1.0, -1.0])[:, None] * 0.02
    turn = np.concatenate([np.arange(30), 30 - np.arange(8)])
    members = (Shifted("up", ways), Shifted("down", -ways))
    target = target_of(panel_of(10 + ways * turn, 1990))
    origin = origin_at(target, 2027)
    weights = {}
    for half_life in (3.0, 1e9):
        mixture = Combination(name="mixture", members=members, half_life=half_life)
        counts = [item.weight for item in mixture._judged(origin, 60, 0)]
        assert_allclose(np.divide(counts[1:], counts[:-1]), 2 ** (1 / half_life))
        assert_allclose(counts[-1], 0.5 ** (1 / half_life))
        weights[half_life] = mixture.learn(origin, draws=60, seed=0).weights
    assert weights[3.0][1] > 0.5 > weights[1e9][1]


def test_members_that_do_alike_keep_their_weights_and_nothing_known_leaves_them_equal() -> None:
    target = target_of(panel_of(walk(6, 30)))
    members = (Shifted("one", 0.02), Shifted("same", 0.02), Shifted("far", 0.5))
    mixture = Combination(name="mixture", members=members)
    found = mixture.learn(origin_at(target, 2018), draws=60, seed=0).weights
    assert_allclose(found[0], found[1])
    assert found[2] < 0.01
    blind = [replace(item, realised=np.full((10, 2), np.nan), known=np.zeros((10, 2), bool)) for item in judged(1.0, 2)]
    assert_allclose(losses(blind), 0.0)


def test_draws_of_a_mixture_are_whole_draws_of_its_members_in_the_right_numbers() -> None:
    target = target_of(panel_of(walk(4, 12)))
    members = (Shifted("low", -5.0), Shifted("high", 5.0))
    mixture = Mixture(name="mixture", members=members, weights=(0.3, 0.7))
    found = mixture.forecast(origin_at(target, 1993), horizon=3, draws=50, seed=0)
    high = found.draws > 0
    assert (high.all(axis=(1, 2)) | ~high.any(axis=(1, 2))).all()
    assert high[:, 0, 0].sum() == 35
    assert_allclose(found.point, np.repeat(target.values[:, 3:4] + 2, 3, axis=1))
    assert_allclose(found.draws.mean(axis=0), found.point)


def test_shares_are_whole_numbers_that_add_up() -> None:
    assert np.bincount(shares([0.5, 0.25, 0.25], 10)).tolist() == [5, 3, 2]
    assert np.bincount(shares([1 / 3] * 3, 100)).sum() == 100

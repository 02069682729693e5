"""The mixture: its distances give its score, its weights start equal and go to the better member."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from calibration.forecasting import Combination, origin_at, target_of
from calibration.forecasting.combination import distances, losses, shares
from calibration.forecasting.dilation import FACTORS, best_dilation
from calibration.forecasting.scores import crps
from pysd_runner.errors import InvalidInput
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


@pytest.mark.parametrize("size", [0.6, 1.0, 1.4])
def test_the_best_dilation_is_the_width_of_what_comes(size: float) -> None:
    assert_allclose(best_dilation(judged(size), np.array([0.5, 0.5])), size, atol=0.11)


def test_the_best_dilation_has_the_least_crps_by_a_plain_loop() -> None:
    items, weights = judged(0.7, origins=4), np.array([0.5, 0.5])
    scores = []
    for factor in FACTORS:
        total = np.zeros(2)
        for item in items:
            draws = item.kept.reshape(40, 10, 2)
            centre = draws.mean(axis=0)
            scored = crps(centre + factor * (draws - centre), item.came)
            total += np.where(item.known, scored, 0.0).sum(axis=0)
        scores.append(total)
    relative = np.array(scores) / scores[int(np.flatnonzero(FACTORS == 1)[0])]
    assert best_dilation(items, weights) == FACTORS[relative.mean(axis=1).argmin()]


def test_a_mixture_is_dilated_about_its_point_and_not_at_all_when_told_so() -> None:
    target = target_of(panel_of(walk(6, 30)))
    members = (Shifted("one", 0.02), Shifted("other", -0.02))
    found, plain = (
        Combination(name="mixture", members=members, slope_sd=0.0, undilated=undilated).forecast(
            origin_at(target, 2015), horizon=2, draws=40, seed=0
        )
        for undilated in (0.0, np.inf)
    )
    assert_allclose(found.point, plain.point)
    ratios = (found.draws - found.point) / (plain.draws - plain.point)
    assert_allclose(ratios, ratios[0, 0, 0])
    assert ratios[0, 0, 0] < 0.95


def test_losses_are_those_of_a_plain_loop() -> None:
    items = judged(0.8, origins=3)
    steps = np.arange(1, 3)
    scores = np.zeros((2, 3, 2))
    for member in range(2):
        for place, item in enumerate(items):
            for step in range(2):
                seen = item.known[:, step]
                scores[member, place, step] = crps(item.kept[member], item.came)[seen, step].mean()
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


def test_members_that_do_alike_keep_their_weights_and_nothing_known_leaves_them_equal() -> None:
    target = target_of(panel_of(walk(6, 30)))
    members = (Shifted("one", 0.02), Shifted("same", 0.02), Shifted("far", 0.5))
    mixture = Combination(name="mixture", members=members)
    found = mixture.learn(origin_at(target, 2018), draws=60, seed=0).weights
    assert_allclose(found[0], found[1])
    assert found[2] < 0.01
    blind = [replace(item, came=np.full((10, 2), np.nan), known=np.zeros((10, 2), bool)) for item in judged(1.0, 2)]
    assert_allclose(losses(blind), 0.0)


@pytest.mark.parametrize("wrong", [-0.1, np.inf, np.nan])
def test_the_prior_of_the_slope_is_a_standard_deviation(wrong: float) -> None:
    with pytest.raises(InvalidInput, match="expected a standard deviation"):
        Combination(name="mixture", members=(Shifted("one", 0.0),), slope_sd=wrong)


def test_draws_of_a_mixture_are_whole_draws_of_its_members_in_the_right_numbers() -> None:
    target = target_of(panel_of(walk(4, 12)))
    members = (Shifted("low", -5.0), Shifted("high", 5.0))
    combination = Combination(name="mixture", members=members, undilated=np.inf)
    found = combination.forecast(origin_at(target, 1993), horizon=3, draws=50, seed=0)
    high = found.draws > 0
    assert (high.all(axis=(1, 2)) | ~high.any(axis=(1, 2))).all()
    assert high[:, 0, 0].sum() == 25
    assert_allclose(found.point, np.repeat(target.values[:, 3:4], 3, axis=1))


def test_shares_are_whole_numbers_that_add_up() -> None:
    assert np.bincount(shares([0.5, 0.25, 0.25], 10)).tolist() == [5, 3, 2]
    assert np.bincount(shares([1 / 3] * 3, 100)).sum() == 100

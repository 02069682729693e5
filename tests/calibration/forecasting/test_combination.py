"""The mixture: its distances give its score, its weights start equal and go to the better member."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm

from calibration.forecasting import Combination, Forecast, Origin, origin_at, target_of
from calibration.forecasting.baselines.history import last_level
from calibration.forecasting.combination import distances, losses, shares
from calibration.forecasting.dilation import FACTORS, Judged, best_dilation
from calibration.forecasting.reach import learn_reach, reached
from calibration.forecasting.scores import crps
from tests.calibration.forecasting.series import panel_of, walk


class Shifted:
    """Draws around the last level plus a constant."""

    def __init__(self, name: str, shift: float) -> None:
        self.name, self._shift = name, shift

    def __repr__(self) -> str:
        return f"Shifted({self.name})"

    def forecast(self, origin: Origin, *, horizon: int, draws: int, seed: int) -> Forecast:
        rng = np.random.default_rng((seed, origin.year))
        point = np.repeat(origin.target.values[:, -1:], horizon, axis=1) + self._shift
        return Forecast(point=point, draws=point + rng.normal(0, 0.03, (draws, *point.shape)))


class Drifting(Shifted):
    """The same around the last level that was observed, whenever that was."""

    def forecast(self, origin: Origin, *, horizon: int, draws: int, seed: int) -> Forecast:
        found = super().forecast(origin, horizon=horizon, draws=draws, seed=seed)
        moved = last_level(origin.target.values)[:, None] + self._shift
        return Forecast(point=np.broadcast_to(moved, found.point.shape), draws=found.draws - found.point + moved)


def test_the_score_of_a_mixture_is_a_quadratic_form_of_its_weights() -> None:
    rng = np.random.default_rng(0)
    kept = rng.normal(size=(3, 20, 1, 1)) + np.arange(3)[:, None, None, None]
    observed, weights = 0.7, np.array([0.5, 0.3, 0.2])
    near = np.abs(kept - observed).mean(axis=1)[:, 0, 0]
    apart = distances(kept)[:, :, 0, 0]
    copies = np.concatenate([np.repeat(kept[m, :, 0, 0], round(10 * weights[m])) for m in range(3)])
    assert_allclose(weights @ near - weights @ apart @ weights / 2, crps(copies, np.array(observed)), rtol=1e-9)


def judged(size: float, origins: int = 30, seed: int = 0) -> list[Judged]:
    """Two members, one a little off the other, with draws of width one; what comes has another width."""
    rng = np.random.default_rng(seed)
    quantiles = norm.ppf((np.arange(20) + 0.5) / 20)[None, :, None, None]
    kept = quantiles + np.array([-0.1, 0.1])[:, None, None, None] + np.zeros((2, 20, 10, 2))
    between = distances(kept)
    known = np.ones((10, 2), dtype=bool)
    known[0, 1] = False
    return [
        Judged(
            kept=kept,
            between=between,
            last=np.zeros(10),
            came=rng.normal(0, size, (10, 2)),
            known=known,
            weight=1.0,
        )
        for _ in range(origins)
    ]


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
        Combination(name="mixture", members=members, full_reach=np.inf, undilated=undilated).forecast(
            origin_at(target, 2015), horizon=2, draws=40, seed=0
        )
        for undilated in (0.0, np.inf)
    )
    assert_allclose(found.point, plain.point)
    ratios = (found.draws - found.point) / (plain.draws - plain.point)
    assert_allclose(ratios, ratios[0, 0, 0])
    assert ratios[0, 0, 0] < 0.95


def moved(true: float, origins: int = 400, noise: float = 1.0) -> list[Judged]:
    """Origins whose regions go `true` times as far as was foretold."""
    rng = np.random.default_rng(1)
    items = []
    for item in judged(1.0, origins):
        last, foretold = rng.normal(size=10), rng.normal(size=(10, 2))
        came = last[:, None] + true * foretold + rng.normal(0, noise, (10, 2))
        items.append(replace(item, kept=item.kept + last[:, None] + foretold, last=last, came=came))
    return items


@pytest.mark.parametrize(("true", "kept"), [(-0.5, 0.0), (0.0, 0.0), (0.4, 0.4), (0.8, 0.8), (1.0, 1.0), (1.6, 1.0)])
def test_the_reach_is_how_far_regions_went_of_the_way_and_never_beyond_it(true: float, kept: float) -> None:
    assert_allclose(learn_reach(moved(true), np.array([0.5, 0.5]), 0.0), kept, atol=0.05)


def test_the_reach_is_that_of_a_plain_loop_and_leans_on_one() -> None:
    weights, full = np.array([0.3, 0.7]), 5.0
    items = [replace(item, weight=0.9**age) for age, item in enumerate(moved(0.3, origins=6))]
    above, below = 0.0, 0.0
    for step in range(2):
        product = square = count = 0.0
        for item in items:
            count += item.weight
            for region in np.flatnonzero(item.known[:, step]):
                mean = sum(weights[m] * item.kept[m, :, region, step].mean() for m in range(2))
                foretold, came = mean - item.last[region], item.came[region, step] - item.last[region]
                product, square = product + item.weight * foretold * came, square + item.weight * foretold**2
        above += (count * product / square + full) / (step + 1)
        below += (count + full) / (step + 1)
    assert 0.3 < above / below < 1
    assert_allclose(learn_reach(items, weights, full), above / below, rtol=1e-12)
    assert learn_reach(items, weights, 0.0) < learn_reach(items, weights, full) < learn_reach(items, weights, 100.0)


def test_nothing_known_leaves_the_whole_way() -> None:
    weights = np.array([0.5, 0.5])
    blind = [replace(item, known=np.zeros((10, 2), bool)) for item in moved(0.0, origins=3)]
    still = [replace(item, kept=np.zeros_like(item.kept), last=np.zeros(10)) for item in moved(0.0, origins=3)]
    unseen = [replace(item, last=np.full(10, np.nan)) for item in moved(0.0, origins=3)]
    for items in ([], blind, still, unseen):
        assert learn_reach(items, weights, 0.0) == 1.0
        assert learn_reach(items, weights, 10.0) == 1.0
    assert learn_reach(moved(0.0), weights, np.inf) == 1.0


def test_moves_are_cut_and_widths_stay() -> None:
    weights, item = np.array([0.5, 0.5]), moved(0.5, origins=1)[0]
    item.last[0] = np.nan
    found = reached(item, weights, 0.25)
    before, after = (one.kept.mean(axis=(0, 1)) - item.last[:, None] for one in (item, found))
    assert_allclose(after, 0.25 * before)
    assert_allclose(found.kept[:, :, 0], item.kept[:, :, 0])
    assert_allclose(distances(found.kept), distances(item.kept), atol=1e-12)


def test_a_mixture_is_held_back_where_its_members_went_too_far() -> None:
    target = target_of(panel_of(walk(6, 30)))
    members = (Shifted("one", 0.02), Shifted("other", 0.04))
    asked = {"horizon": 2, "draws": 40, "seed": 0}
    origin = origin_at(target, 2015)
    held, free = (
        Combination(name="mixture", members=members, full_reach=full, undilated=np.inf) for full in (10.0, np.inf)
    )
    reach, last = held.reach(origin, **asked), target.until(2015).values[:, -1:]
    found, plain = held.forecast(origin, **asked), free.forecast(origin, **asked)
    assert reach < 0.9
    assert free.reach(origin, **asked) == 1.0
    assert_allclose(found.point - last, reach * (plain.point - last))
    assert_allclose(found.draws - found.point, plain.draws - plain.point)


def test_a_region_that_is_missing_at_the_origin_is_held_back_to_its_last_level() -> None:
    logs = walk(6, 30)
    logs[2, 24:26] = np.nan
    target = target_of(panel_of(logs))
    members = (Drifting("one", 0.02), Drifting("other", 0.04))
    asked = {"horizon": 2, "draws": 40, "seed": 0}
    origin = origin_at(target, 2015)
    mixture = Combination(name="mixture", members=members, undilated=np.inf)
    reach, last = mixture.reach(origin, **asked), target.until(2013).values[2, -1]
    assert reach < 0.9
    move = mixture.weights(origin, **asked) @ [0.02, 0.04]
    assert_allclose(mixture.forecast(origin, **asked).point[2] - last, reach * move)


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
        combination.weights(origin_at(target, year), horizon=2, draws=60, seed=0) for year in (1994, 1998, 2028)
    )
    assert_allclose(first, 0.5)
    assert_allclose(early.sum(), 1)
    assert 0.5 < early[0] < late[0] < 1
    stubborn = Combination(name="mixture", members=members, rate=0.0)
    assert_allclose(stubborn.weights(origin_at(target, 2028), horizon=2, draws=60, seed=0), 0.5)


def test_members_that_do_alike_keep_their_weights_and_nothing_known_leaves_them_equal() -> None:
    target = target_of(panel_of(walk(6, 30)))
    members = (Shifted("one", 0.02), Shifted("same", 0.02), Shifted("far", 0.5))
    found = Combination(name="mixture", members=members).weights(origin_at(target, 2018), horizon=2, draws=60, seed=0)
    assert_allclose(found[0], found[1])
    assert found[2] < 0.01
    blind = [replace(item, came=np.full((10, 2), np.nan), known=np.zeros((10, 2), bool)) for item in judged(1.0, 2)]
    assert_allclose(losses(blind), 0.0)


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

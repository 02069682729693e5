"""What statements depend on: closed forms, exact values of knowing, pure noise, and psense of arviz-stats."""

from importlib import import_module

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr
from scipy.stats import norm

from pysd_runner.policy.sensitivity import (
    LEAST_KNOWN,
    SLOPED,
    Draws,
    carried,
    draws_of,
    ends_of,
    explained,
    power_sensitivity,
    shift,
    value_of_all,
    value_of_knowing,
)
from pysd_runner.spec import Beta, LogNormal, Normal, Prior, Uniform

COUNT = 10_000
# The statement is a z1 + b z2 > c with the normal scores z of two parameters.
A, B, C = 1.0, 0.6, 0.4
SHARE = float(ndtr(-C / np.hypot(A, B)))
PAIRS = [
    (Normal(0.5, 0.2), LogNormal(0.1, 0.7)),
    (Normal(0.05, 0.025, -0.02, 0.06), Uniform(-1.0, 2.0)),
    (Beta(4.0, 2.5), LogNormal(1.4, 0.6, 0.5, 15.0)),
]


def first_order(a: float, b: float) -> float:
    """Exact share of the variance of the statement that the first score explains."""
    mean = quad(lambda z: norm.pdf(z) * ndtr((a * z - C) / b) ** 2, -9, 9)[0]
    return (mean - SHARE**2) / (SHARE * (1 - SHARE))


def sampled(
    pair: tuple[Prior, Prior], seed: int, *, weighted: bool = False
) -> tuple[list[np.ndarray], np.ndarray, Draws]:
    """Parameters, whether the statement holds, and draws; from a wider law with weights if `weighted`."""
    rng = np.random.default_rng(seed)
    values = [prior.sample(rng, COUNT) for prior in pair]
    one, two = (prior.normal_score(x) for prior, x in zip(pair, values, strict=True))
    weights = None
    if weighted:
        # The second parameter is drawn from one half of its prior more often, which the weights undo.
        kept = rng.permutation(COUNT)[: COUNT // 2]
        often = two > 0
        values[1][kept] = np.where(often[kept], values[1][kept], rng.permutation(values[1])[kept])
        two = pair[1].normal_score(values[1])
        weights = np.where(two > 0, 0.5 / (two > 0).mean(), 0.5 / (two <= 0).mean())
    return values, A * one + B * two > C, draws_of(None, COUNT, weights)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("pair", PAIRS, ids=repr)
def test_moved_priors_agree_with_the_closed_form(pair: tuple[Prior, Prior], weighted: bool) -> None:
    values, holds, draws = sampled(pair, 1, weighted=weighted)
    for prior, x, slope in zip(pair, values, (A, B), strict=True):
        factors = [shift(prior.normal_score(x), by) for by in (-1.0, 1.0)]
        for by, factor, end in zip((-1.0, 1.0), factors, ends_of(holds, factors, draws), strict=True):
            exact = ndtr((slope * by - C) / np.hypot(A, B))
            assert end == pytest.approx(exact, abs=2 * draws.error(holds * 1.0, factor))


@pytest.mark.parametrize("weighted", [False, True])
def test_explained_shares_agree_with_the_closed_form(weighted: bool) -> None:
    found = []
    for seed in range(20):
        values, holds, draws = sampled(PAIRS[0], seed, weighted=weighted)
        shares = [explained(holds[None].astype(float), x, draws, np.random.default_rng(seed)) for x in values]
        found.append([[share[0], chance[0]] for share, chance in shares])
    (one, least), (two, _) = found[0]
    errors = np.std(found, axis=0)[:, 0]
    assert one == pytest.approx(first_order(A, B), abs=2 * errors[0])
    assert two == pytest.approx(first_order(B, A), abs=2 * errors[1])
    assert np.mean(found, axis=0)[0, 0] == pytest.approx(first_order(A, B), abs=0.005)
    # A spline of four slopes explains four parts in as many as there are draws by chance.
    assert least == pytest.approx(4 / draws.effective(), rel=0.5)


def test_a_statement_that_always_holds_has_no_variance_to_explain() -> None:
    values, holds, draws = sampled(PAIRS[0], 2)
    share, chance = explained(
        np.stack([np.ones(COUNT), holds.astype(float)]), values[0], draws, np.random.default_rng(0)
    )
    assert np.isnan(share).tolist() == np.isnan(chance).tolist() == [True, False]


def test_draws_taken_several_times_count_once() -> None:
    values, holds, _ = sampled(PAIRS[0], 3)
    few = 500
    rows = np.repeat(np.column_stack(values)[:few], 4, axis=0)
    draws = draws_of(rows, 4 * few)
    alone = draws_of(None, few)
    score = PAIRS[0][0].normal_score(rows[:, 0])
    assert draws.effective() == pytest.approx(few)
    assert draws.effective(shift(score, 1.0)) == pytest.approx(alone.effective(shift(score[::4], 1.0)))
    assert draws.error(np.repeat(holds[:few], 4)) == pytest.approx(alone.error(holds[:few] * 1.0))
    _, chance = explained(np.repeat(holds[:few], 4)[None] * 1.0, rows[:, 0], draws, np.random.default_rng(0))
    assert chance[0] == pytest.approx(4 / few, rel=0.5)


def test_too_few_effective_draws_say_nothing() -> None:
    scores = np.full(COUNT, -4.0)
    scores[:50] = 4.0
    draws = draws_of(None, COUNT)
    low, high = ends_of(scores > 0, [shift(scores, by) for by in (-1.0, 1.0)], draws)
    assert low < 0.01
    assert np.isnan(high)
    assert not carried(0.3, (low, high))
    assert carried(0.55, (low, high))
    # What is printed as 90 % is no other word than 95 %.
    assert not carried(0.95, (0.896, 0.97))
    assert carried(0.95, (0.894, 0.97))
    few = slice(LEAST_KNOWN - 1)
    values = np.stack([scores, -scores])[:, few]
    assert np.isnan(
        value_of_knowing(values, scores[few], draws_of(None, LEAST_KNOWN - 1), np.random.default_rng(0))
    ).all()


@pytest.mark.parametrize(("error", "exact"), [(0.3, 0.251), (1.0, 0.157), (3.0, 0.029)])
def test_the_value_of_a_measurement_is_the_exact_one(error: float, exact: float) -> None:
    found = []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        size, noise = rng.normal(-0.3, 1.0, 2500), rng.normal(size=2500)
        values = np.stack([np.zeros(2500), size + 3 * noise])
        seen = size + error * rng.normal(size=2500)
        found.append(value_of_knowing(values, seen, draws_of(None, 2500), rng)[0])
    spread = np.sqrt(1 / (1 + error**2))
    assert exact == pytest.approx(spread * norm.pdf(0.3 / spread) - 0.3 * ndtr(-0.3 / spread), abs=5e-4)
    assert np.mean(found) == pytest.approx(exact, abs=0.015)


def test_noise_is_not_worth_knowing() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(4, 2500)) + np.array([[0.3], [0.2], [0.0], [-0.5]])
    gain, error = value_of_knowing(values, rng.normal(size=2500), draws_of(None, 2500), rng)
    assert abs(gain) <= 2 * error


def test_the_value_of_one_parameter_is_at_most_that_of_all() -> None:
    outside = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        options, count = rng.integers(2, 8), int(rng.integers(1000, 2500))
        parameters = rng.normal(size=(3, count))
        values = rng.normal(size=(options, 3)) @ parameters + rng.normal(size=(options, 1)) * rng.uniform(0, 2)
        values += rng.uniform(0, 2) * rng.normal(size=values.shape)
        rows = parameters[:, rng.integers(0, count, count)].T if seed % 2 else None
        weights = rng.uniform(size=count) if seed % 3 == 0 else None
        draws = draws_of(rows, count, weights)
        whole, _ = value_of_all(values, draws)
        gain, error = value_of_knowing(values, parameters[0], draws, rng)
        outside += not -3 * error <= gain <= whole + 3 * error
    assert outside == 0


def psense(values: np.ndarray, seen: np.ndarray) -> float:
    """Sensitivity to a likelihood by arviz-stats, by the part that needs nothing else where ArviZ is not there."""
    try:
        base, arviz_stats = import_module("arviz_base"), import_module("arviz_stats")
    except ImportError:
        stats = import_module("arviz_stats.base").array_stats
        weights = [np.exp(stats.power_scale_lw(seen, alpha=power, axis=(0, 1))) for power in SLOPED]
        own = [item / item.sum() for item in weights]
        return float(stats.power_scale_sense(values, *own, *SLOPED, chain_axis=0, draw_axis=1))
    tree = base.from_dict({"posterior": {"value": values}, "log_likelihood": {"y": seen[..., None]}})
    return float(arviz_stats.psense(tree, group="likelihood")["value"])


def test_power_scaling_agrees_with_psense() -> None:
    rng = np.random.default_rng(5)
    chains = rng.normal(size=(4, 500, 2))
    seen = -0.5 * (chains[..., 0] - 1.0) ** 2 / 0.3
    size = np.exp(chains[..., 0]) + chains[..., 1]
    for values in (size, (size > 1.0).astype(float)):
        found = power_sensitivity(values.ravel(), seen.ravel(), draws_of(None, size.size))
        assert found > 0.01
        assert found == pytest.approx(psense(values, seen), abs=1e-6)


def test_power_scaling_of_weighted_draws_is_that_of_draws_repeated() -> None:
    rng = np.random.default_rng(6)
    size = rng.normal(size=2000)
    seen, times = -0.5 * (size - 0.5) ** 2, rng.integers(1, 5, 2000)
    weighted = power_sensitivity(size, seen, draws_of(None, 2000, times.astype(float)))
    repeated = power_sensitivity(np.repeat(size, times), np.repeat(seen, times), draws_of(None, times.sum()))
    assert weighted == pytest.approx(repeated, rel=0.01)

"""Random functions: the same numbers for the same seed, of the right distribution, independent of each other."""

import numpy as np
import pytest
from scipy import stats

from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine.random_numbers import uniform
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from pysd_runner.simulation.task import prepared
from tests.engine.small_models import RANDOM, write_model

DRAWS = 4000
DISTRIBUTIONS = {
    "n": stats.uniform(0, 1),
    "u": stats.uniform(2, 3),
    "z": stats.norm(3, 2),
    "cut": stats.truncnorm(1, 2),
    "far": stats.truncnorm(6, 8),
    "e": stats.expon(1, 2),
    "late": stats.truncexpon(1, 2, 1),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(write_model(tmp_path_factory.mktemp("random"), RANDOM, final=1, step=0.5, saveper=0.5))


@pytest.fixture(scope="module")
def run(model):
    return simulate(model, {"few": np.ones((1, DRAWS))}, seed=11)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_random_function_follows_its_distribution(name, run):
    values = run[name].ravel()
    assert stats.kstest(values, DISTRIBUTIONS[name].cdf).pvalue > 1e-3
    low, high = DISTRIBUTIONS[name].support()
    assert (values >= low).all()
    assert (values <= high).all()


def test_no_deviation_gives_the_mean(run):
    assert (run["same"] == 4).all()


def test_numbers_are_independent_between_draws_cells_steps_and_sites(run):
    cells = np.moveaxis(run["cut"][0], -1, 1).reshape(DRAWS, -1)
    together = np.column_stack([cells, cells[::-1, 0], run["n"][0], run["u"][0], run["z"][0], run["far"][0]])
    correlation = np.corrcoef(together[: DRAWS // 2].T) - np.eye(together.shape[1])
    assert np.abs(correlation).max() < 4.5 / np.sqrt(DRAWS // 2)
    assert np.unique(run["n"]).size == run["n"].size


def test_a_seed_gives_the_same_numbers_again_and_another_seed_gives_others(model):
    first, again, other = (simulate(model, {"few": np.ones((1, 5))}, seed=seed)["z"] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not (first == other).any()


def test_scenarios_share_their_random_numbers(model):
    values = simulate(model, {"few": np.array([[1.0], [2.0]]) * np.ones((2, 7))}, seed=3)["u"]
    # The upper bound is `few` plus four, the lower one two.
    np.testing.assert_allclose((values[0] - 2) / 3, (values[1] - 2) / 4, rtol=1e-13)


def test_a_draw_has_the_same_numbers_in_whatever_block_it_is_computed(model, monkeypatch):
    import pysd_runner.engine.numpy.target as target

    few = {"few": np.ones((1, 10))}
    whole = simulate(model, few, seed=3, engine="numpy")["cut"]
    monkeypatch.setattr(target, "BLOCK_BYTES", 200)
    np.testing.assert_array_equal(simulate(model, few, seed=3, engine="numpy")["cut"], whole)


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
def test_a_part_of_a_part_has_the_numbers_of_its_draws_in_the_whole(model, engine):
    whole = prepared(model, {"few": np.ones((1, 10))}, outcomes=["z"], seed=3, engine=engine)
    part = whole.part(slice(2, 9)).part(slice(3, 6))
    np.testing.assert_array_equal(part.compute()["z"], whole.compute()["z"][:, 5:8])


def test_initial_values_see_the_numbers_of_the_first_step(tmp_path):
    equations = "n = RANDOM 0 1() ~~|\ns = INTEG(0, n) ~~|\nfrozen = INITIAL(n) ~~|"
    run = simulate(load_model(write_model(tmp_path, equations)), seed=5)
    assert run["s"][0, 0, -1] == run["frozen"][0, 0, -1] == run["n"][0, 0, 0]
    assert run["n"][0, 0, 1] != run["n"][0, 0, 0]


def test_a_failed_draw_is_traced_with_its_own_numbers(tmp_path):
    equations = "few = 1 ~~|\nn = RANDOM UNIFORM(0, few, 1) ~~|\nx = LN(n - 0.7) ~~|"
    model = load_model(write_model(tmp_path, equations, final=0))
    run = simulate(model, {"few": np.ones((1, 40))}, seed=2, throw=False)
    np.testing.assert_array_equal(run.failed[0], run["n"][0, :, 0] < 0.7)
    assert len(run.failures) == 3
    assert all(item.variable == "x" for item in run.failures)


def test_the_hash_is_what_its_docstring_says():
    mask = 2**64 - 1

    def mix(z):
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    golden = 0x9E3779B97F4A7C15
    for seed, draw, step, site, cell in [(0, 0, 0, 0, 0), (7, 3, 12, 2, 4), (-1, 10**6, 5, 1, 0)]:
        h = mix((seed + golden) & mask)
        for word in (site, step, cell, draw):
            h = mix(((h ^ word) + golden) & mask)
        assert uniform(seed, [draw], step, site, cell + 1)[0, cell] == (h >> 11) * 2.0**-53


def test_a_seed_is_a_whole_number(model):
    with pytest.raises(InvalidInput, match="seed must be a whole number"):
        simulate(model, seed=1.5)  # type: ignore[arg-type]


def test_the_normal_quantile_is_good_to_full_precision():
    from scipy.special import ndtri

    from pysd_runner.engine.frontend.lowering.distributions import FLANK, MIDDLE, TAIL_QUANTILE

    def ratio(sides, x):
        return np.polyval(sides[0][::-1], x) / np.polyval(sides[1][::-1], x)

    tail = np.array([1e-290, 1e-100, 1e-20, 1e-12, 1e-6, 0.01, 0.07])
    r = np.sqrt(-np.log(tail))
    np.testing.assert_allclose(
        -np.where(r <= 5, ratio(FLANK, r - 1.6), ratio(TAIL_QUANTILE, r - 5)), ndtri(tail), rtol=3e-15
    )
    inner = np.linspace(0.08, 0.92, 11)
    q = inner - 0.5
    np.testing.assert_allclose(q * ratio(MIDDLE, 0.425**2 - q * q), ndtri(inner), rtol=3e-15, atol=1e-16)

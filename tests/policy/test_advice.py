"""Advice: regret and ranks against plain loops, information against nested sampling, switching values by a scan."""

from dataclasses import replace

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidInput
from pysd_runner.policy.advice import BEATEN, Advice, advise, partial_information, perfect_information
from pysd_runner.policy.futures import FACTORS, Futures, futures_of
from pysd_runner.policy.study import effects_of
from tests.policy.places import policy, study


@pytest.fixture(scope="module")
def futures():
    return futures_of({"one": study(), "two": study()}, seed=0)


@pytest.fixture(scope="module")
def found(futures):
    names = ("zoned_need", "skills_programme", "uniform_per_head")
    return advise(futures, {name: policy(name) for name in names}, outcome="theil_closed")


def test_futures_differ_as_they_are_said_to(futures):
    assert len(futures) == 2 * study().draws
    for factor in futures.factors:
        levels = futures.column(factor.key)
        if factor.kind == "switch":
            assert levels.mean() == 0.5
        elif factor.kind == "choice":
            assert levels.tolist() == [0.0] * study().draws + [1.0] * study().draws
        else:
            own = np.concatenate([np.asarray(study().values[futures.costs[factor.key]]).reshape(-1)] * 2)
            ratio = levels / own
            assert (ratio > FACTORS[0]).all()
            assert (ratio < FACTORS[1]).all()
            assert np.ptp(ratio) > 0.5


def test_the_same_seed_gives_the_same_futures():
    again = [futures_of({"": study()}, seed=seed).levels for seed in (0, 0, 1)]
    assert np.array_equal(again[0], again[1])
    assert not np.array_equal(again[0], again[2])


def test_mechanisms_that_are_off_by_default_are_on_in_half_of_the_futures(futures):
    for key, variable in (("gov_on", "Governance Capacity Switch"), ("diag_on", "Diagnosis Switch")):
        values = np.concatenate([part.values[variable][0] for part in futures.studies])
        assert np.array_equal(values, futures.column(key))
        assert values.mean() == 0.5


def test_effects_are_those_of_each_future_by_itself(futures, found):
    place = 11
    part = futures.studies[1].only(np.array([place - study().draws]))
    alone = effects_of(part, [policy("skills_programme")], [part.outcomes["theil_closed"]])["theil_closed"][0, 0, -1]
    assert found.effects[1, place] == pytest.approx(alone, abs=1e-11)


def test_regret_ranks_and_shares_are_plain_counts(found):
    table = found.table()
    for place, name in enumerate(found.names):
        losses = [max(found.effects[:, future]) - found.effects[place, future] for future in range(len(found.futures))]
        assert table.loc[name, "largest_regret"] == pytest.approx(max(losses))
        assert table.loc[name, "mean_regret"] == pytest.approx(sum(losses) / len(losses))
        assert table.loc[name, "share_first"] == pytest.approx(np.mean([loss == 0 for loss in losses]))
    assert found.least_regret == table["largest_regret"].idxmin()
    assert table["mean_rank"].sum() == pytest.approx(6)


def made_up(effects):
    count = np.shape(effects)[1]
    futures = Futures(studies=(study(),), factors=(), levels=np.zeros((count, 0)))
    names = tuple("abc"[: len(effects)])
    return Advice(
        names=names, outcome=study().outcome(), effects=np.array(effects, dtype=float), others={}, futures=futures
    )


def test_nothing_is_recommended_that_another_beats_often():
    rng = np.random.default_rng(0)
    for _ in range(200):
        effects = rng.normal(size=(3, 50)) + rng.normal(size=(3, 1)) * 0.3
        advice = made_up(effects)
        if advice.recommended:
            assert advice.beaten(advice.recommended).max() <= BEATEN < 0.6
        else:
            assert advice.beaten(advice.leading).max() > BEATEN


def test_a_policy_that_is_best_on_average_by_rare_gains_is_not_robust():
    advice = made_up([[10.0] + [0.0] * 9, [0.5] * 10])
    assert advice.leading == "a"
    assert advice.recommended == ""
    assert advice.second == "b"
    assert made_up([[1.0] * 10, [0.5] * 10]).recommended == "a"


def nested(rng, outer=4000, inner=400):
    """Nested Monte Carlo of the value of x, and of everything, for two policies: e0 = x + z, e1 = 0."""
    best = []
    for level in rng.normal(size=outer):
        inside = level + rng.normal(size=inner)
        best.append(max(inside.mean(), 0.0))
    return float(np.mean(best)), float(np.std(best) / np.sqrt(outer))


def test_partial_information_agrees_with_nested_sampling():
    rng = np.random.default_rng(1)
    levels = rng.normal(size=4000)
    effects = np.stack([levels + rng.normal(size=4000), np.zeros(4000)])
    found = partial_information(effects, levels)
    expected, error = nested(np.random.default_rng(2))
    assert abs(found.value - expected) < 3 * np.hypot(found.error, error)
    # By formula: x is standard normal, so that E[max(x, 0)] is 1 / sqrt(2 pi).
    assert expected == pytest.approx(1 / np.sqrt(2 * np.pi), abs=4 * error + 0.01)
    everything = perfect_information(effects)
    assert everything.value == pytest.approx(np.sqrt(2) / np.sqrt(2 * np.pi), abs=4 * everything.error)


def test_a_factor_that_says_nothing_is_worth_nothing():
    rng = np.random.default_rng(3)
    effects = rng.normal(size=(4, 500))
    found = partial_information(effects, rng.normal(size=500))
    assert found.value <= 3 * found.error
    assert partial_information(effects, np.zeros(500)).value == 0


def test_a_switch_that_decides_is_worth_what_it_saves():
    switch = np.arange(400) % 2
    effects = np.stack([np.where(switch == 1, 2.0, 0.0), np.where(switch == 1, 0.0, 1.0)])
    found = partial_information(effects, switch.astype(float))
    assert found.value == pytest.approx(0.5, abs=0.05)
    assert perfect_information(effects).value == pytest.approx(0.5)


def test_a_planted_switching_value_is_found(futures):
    # Skills against a programme without them: dear training turns the order round, wherever that is.
    policies = {"skills": policy("skills_programme"), "mean": policy("uniform_per_head")}
    found = advise(futures, policies, outcome="theil_closed")
    for item in found.switches:
        variable = futures.costs[item.factor.key]
        means = []
        for factor in (0.97, 1.03):
            studies = tuple(
                replace(
                    part, values={**part.values, variable: np.full_like(part.values[variable], factor * item.level)}
                )
                for part in futures.studies
            )
            values = (
                replace(futures, studies=studies)
                .effects(list(policies.values()), [study().outcomes["theil_closed"]])["theil_closed"]
                .mean(axis=1)
            )
            means.append(list(policies)[int(values.argmax())])
        assert means == [item.below, item.above]


def test_the_page_says_who_loses(found):
    losers = found.losers("zoned_need")
    assert list(losers.index.sort_values()) == sorted(found.elements)
    values = found.others["region_change"][0]
    assert losers["share_worse"].max() == pytest.approx((values < 0).mean(axis=0).max())


def test_bad_questions_are_refused(futures):
    with pytest.raises(InvalidInput, match="nothing to choose between"):
        advise(futures, {"one": policy()})
    with pytest.raises(InvalidInput, match="there is no study"):
        futures_of({})


def test_what_chance_costs_a_choice_is_no_negative_worth():
    rng = np.random.default_rng(4)
    effects = rng.normal(size=(6, 80))
    assert min(partial_information(effects, rng.normal(size=80), seed=seed).value for seed in range(20)) == 0

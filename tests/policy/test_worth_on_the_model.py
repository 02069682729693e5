"""Information and scenario discovery on the shipped model: nested Monte Carlo, and shares counted one by one."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from pysd_runner import load_data, load_model
from pysd_runner.policy.advice import partial_information, perfect_information
from pysd_runner.policy.discovery import cart, prim
from pysd_runner.policy.futures import futures_of
from pysd_runner.policy.studies import policy_of, study_of
from pysd_runner.scenarios import load_scenario
from pysd_runner.study.inputs import inputs_of
from tests.policy.places import REGIONS

POLICIES = ("skills_programme", "zoned_need", "frontier_for_all")
DRAWS, TRAINING = 300, "c_S"


def bracketed(seed, draws):
    """Two definitions of a skill: with the first there is much to train, with the second hardly anything."""
    panel = load_data("china").subset(entities=REGIONS)
    model = load_model("regional_digital", regions=len(REGIONS))
    inputs = inputs_of(model, panel, until=2032, draws=draws, seed=seed)
    study = study_of(inputs)
    values = dict(study.values)
    values["Initial Skill Share"] = 0.97 * np.asarray(values["Initial Access Share"])
    return inputs, {"intermediate": study, "basic": replace(study, values=values)}


@cache
def compared(seed=1, draws=DRAWS):
    """Futures, policies, and their effects."""
    inputs, studies = bracketed(seed, draws)
    futures = futures_of(studies, seed=seed)
    policies = [policy_of(inputs, load_scenario(name, model=inputs.model)) for name in POLICIES]
    outcome = futures.studies[0].outcomes["theil_closed"]
    return futures, policies, outcome, futures.effects(policies, [outcome])[outcome.key]


def value(means):
    """Value of knowing what differs between rows, from the mean effects of each policy in each row."""
    return float(means.max(axis=1).mean() - means.mean(axis=0).max())


def resampled(samples):
    """Standard error of that value over rows and futures, by samples of shape (row, policy, future)."""
    rng = np.random.default_rng(0)
    rows, _, count = samples.shape
    found = []
    for _ in range(200):
        kept = samples[rng.integers(0, rows, rows)][:, :, rng.integers(0, count, count)]
        found.append(value(kept.mean(axis=2)))
    return float(np.std(found, ddof=1))


def test_the_unit_cost_of_training_is_worth_what_nested_sampling_says():
    futures, _, outcome, effects = compared()
    found = partial_information(effects, futures.column(TRAINING))
    inner, others, _, _ = compared(seed=2, draws=60)
    levels = np.random.default_rng(3).choice(futures.column(TRAINING), 48)
    samples = []
    for level in levels:
        variable = inner.costs[TRAINING]
        studies = tuple(
            replace(part, values={**part.values, variable: np.full_like(part.values[variable], level)})
            for part in inner.studies
        )
        samples.append(replace(inner, studies=studies).effects(others, [outcome])[outcome.key])
    nested, error = value(np.stack(samples).mean(axis=2)), resampled(np.stack(samples))
    assert found.value > 0
    assert abs(found.value - nested) < 3 * np.hypot(found.error, error)
    assert found.value < perfect_information(effects).value


def test_the_definition_of_a_skill_is_worth_what_nested_sampling_says():
    futures, _, _, effects = compared()
    found = partial_information(effects, futures.column("definition"))
    inner, _, _, other = compared(seed=2, draws=60)
    rows = [other[:, inner.column("definition") == kind] for kind in (0, 1)]
    nested, error = value(np.stack(rows).mean(axis=2)), resampled(np.stack(rows))
    assert nested > 0
    assert abs(found.value - nested) < 3 * np.hypot(found.error, error)


@pytest.mark.parametrize("pair", [(1, 0), (0, 1)])
def test_sides_of_a_box_are_those_of_conditional_shares(pair):
    futures, _, _, effects = compared()
    hits = effects[pair[0]] > effects[pair[1]]
    box = prim(futures.levels, hits)
    assert box.sides
    keys = [factor.key for factor in futures.factors]
    assert {keys[side.factor] for side in box.sides} & {TRAINING, "definition"}
    inside = np.ones(len(hits), dtype=bool)
    for side in box.sides:
        own = futures.levels[:, side.factor]
        inside &= (own >= side.low) & (own <= side.high)
    assert box.density == pytest.approx(hits[inside].mean())
    assert box.coverage == pytest.approx(hits[inside].sum() / hits.sum())
    assert hits[inside].mean() > hits.mean() > hits[~inside].mean()
    for side in box.sides:
        without = np.ones(len(hits), dtype=bool)
        for other in box.sides:
            own = futures.levels[:, other.factor]
            without &= (other is side) | ((own >= other.low) & (own <= other.high))
        assert side.gain == pytest.approx(hits[inside].mean() - hits[without].mean())
    # And in futures it never saw.
    fresh, _, _, others = compared(seed=2, draws=60)
    again, within = others[pair[0]] > others[pair[1]], box.inside(fresh.levels)
    assert again[within].mean() > again.mean()


def test_leaves_of_a_tree_are_those_of_conditional_shares():
    futures, _, _, effects = compared()
    hits = effects[1] > effects[0]
    leaves = cart(futures.levels, hits)
    assert len(leaves) > 1
    for leaf in leaves:
        own = np.ones(len(hits), dtype=bool)
        for factor, above, border in leaf.conditions:
            levels = futures.levels[:, factor]
            own &= levels > border if above else levels <= border
        assert leaf.mass == pytest.approx(own.mean())
        assert leaf.share == pytest.approx(hits[own].mean())

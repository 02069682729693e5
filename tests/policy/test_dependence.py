"""The table of what an answer depends on: known causes come first, and sets and statements follow the draws."""

import numpy as np
import pytest

from pysd_runner.indicators.selection import select
from pysd_runner.policy.dependence import dependence
from pysd_runner.policy.sensitivity import shift
from pysd_runner.spec import LogNormal, Normal

COUNT = 4000
PRIORS = {"gain": Normal(1.0, 0.5), "cost": LogNormal(1.0, 0.4), "idle": Normal(0.0, 1.0), "fixed": Normal(0.0, 1.0)}


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(8)
    return {key: prior.sample(rng, COUNT) for key, prior in PRIORS.items()} | {"fixed": np.ones(COUNT)}


@pytest.fixture(scope="module")
def effects(drawn):
    """One policy depends on the gain, one does not, and one levels down; the cost divides all alike."""
    noise = np.random.default_rng(9).normal(scale=0.1, size=COUNT)
    first = 2.1 * drawn["gain"]
    return np.stack([first, 1.9 + noise, 9.0 + noise], axis=1) / drawn["cost"][:, None]


@pytest.fixture(scope="module")
def found(drawn, effects):
    return dependence(["bold", "safe"], effects[:, :2], drawn, PRIORS, digit=0.1)


def test_the_parameter_that_decides_comes_first_without_being_named(found):
    assert set(found.sources.index) == {"gain", "cost", "idle"}
    assert found.policy == "bold"
    assert found.sources["within_share"].idxmax() == "gain"
    assert found.sources["value"].idxmax() == "gain"
    # What divides all effects alike decides their size, and not the choice.
    cost, idle = found.sources.loc["cost"], found.sources.loc["idle"]
    assert cost["size_share"] > 10 * cost["size_chance"]
    assert cost["value"] < 0.1 * found.sources.loc["gain", "value"]
    assert idle["size_share"] < 4 * idle["size_chance"]
    assert found.carrying("within") == "gain"
    assert found.carrying("need") == ""
    assert 0 < found.sources.loc["gain", "value"] <= found.value + 3 * found.value_error


def test_the_set_at_both_ends_is_that_of_the_rule_with_moved_weights(found, drawn, effects):
    for end, by in (("low", -1.0), ("high", 1.0)):
        weights = shift(PRIORS["gain"].normal_score(drawn["gain"]), by)
        members = select(["bold", "safe"], effects[:, :2], weights=weights, delta=found.delta).members
        assert found.sources.loc["gain", f"members_{end}"] == " ".join(members)
    assert found.sources.loc["gain", "members_low"] == "safe"
    assert found.sources.loc["gain", "members_high"] == "bold"


def test_statements_are_shares_of_plain_draws(found, effects):
    bold, safe = effects[:, :2].T
    assert found.shares["within"] == pytest.approx(np.mean(bold >= np.maximum(bold, safe) - found.delta))
    assert found.shares["size"] == pytest.approx(np.mean(bold > found.number))
    assert found.number == pytest.approx(0.5 * bold.mean(), abs=0.05)
    assert found.delta == pytest.approx(0.1 * bold.mean())


def test_a_policy_that_levels_down_is_not_spoken_of(drawn, effects):
    own = np.broadcast_to(np.where([True, True, False], 1.0, -1.0), effects.shape)
    whole = dependence(["bold", "safe", "down"], effects, drawn, PRIORS, own=own, need=effects[:, 0] > 1)
    assert whole.policy == "bold"
    assert list(whole.shares) == ["need", "within", "size"]
    assert not any("down" in text for text in whole.sources["members_low"])


def test_a_density_that_says_nothing_moves_nothing(drawn, effects):
    flat = dependence(
        ["bold", "safe"],
        effects[:, :2],
        drawn,
        PRIORS,
        densities={"likelihood": -0.5 * drawn["gain"] ** 2, "trial": -0.5 * drawn["idle"] ** 2},
    ).sources
    assert list(flat.loc[["likelihood", "trial"], "kind"]) == ["likelihood", "evidence"]
    assert flat.loc["likelihood", "psense"] > 5 * flat.loc["trial", "psense"]
    # The density falls with the gain: counted more often, it makes the bold policy best less often.
    assert flat.loc["likelihood", "within_high"] < flat.loc["likelihood", "within_low"]


def test_too_few_draws_nothing_drawn_or_no_help_give_no_table(drawn, effects):
    few = {key: values[:99] for key, values in drawn.items()}
    assert dependence(["bold", "safe"], effects[:99, :2], few, PRIORS) is None
    assert dependence(["bold", "safe"], effects[:, :2], {"fixed": drawn["fixed"]}, PRIORS) is None
    rows = np.repeat(np.arange(80), COUNT // 80)[:, None]
    assert dependence(["bold", "safe"], effects[:, :2], drawn, PRIORS, rows=rows) is None
    assert dependence(["bold", "safe"], -np.abs(effects[:, :2]), drawn, PRIORS) is None

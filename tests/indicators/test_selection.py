"""Which options are best: a slow twin, laws, and cases by hand."""

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from pysd_runner.core.errors import InvalidInput
from pysd_runner.indicators.selection import Selection, select

FEW = settings(max_examples=30)
WHOLE = st.integers(-40, 40).map(float)
# Whole numbers, so that ties are ties.
EFFECTS = st.tuples(st.integers(2, 9), st.integers(1, 5)).flatmap(lambda shape: arrays(float, shape, elements=WHOLE))


def chosen(effects: np.ndarray, **more: object) -> Selection:
    return select([f"m{place}" for place in range(effects.shape[1])], effects, **more)  # type: ignore[arg-type]


def twin(effects, own, weights, walkers, delta, digit):
    """The set, the delta, and P(within delta of the best of all) and the expected loss of each option, by loops."""
    count, options = len(effects), len(effects[0])
    shares = [weight / sum(weights) for weight in weights]

    def mean(values):
        return sum(share * value for share, value in zip(shares, values, strict=True))

    def error(values):
        known, middle, total = sorted(set(walkers)), mean(values), 0.0
        for walker in known:
            own = [at for at in range(count) if walkers[at] == walker]
            total += sum(shares[at] * (values[at] - middle) for at in own) ** 2
        return (len(known) / (len(known) - 1) * total) ** 0.5

    columns = [[effects[at][place] for at in range(count)] for place in range(options)]
    candidates = [place for place in range(options) if np.median([row[place] for row in own]) >= 0]
    means = [mean(values) for values in columns]
    first = max(candidates, key=lambda place: means[place], default=0)
    delta = max(max(means[first], 0) / 10, digit / 2) if delta is None else delta
    seen = any(
        means[place] > 2 * error(columns[place]) or mean([value > 0 for value in columns[place]]) >= 0.66
        for place in candidates
    )
    members = set()
    for place in candidates:
        less = [columns[first][at] - columns[place][at] for at in range(count)]
        if seen and means[first] - means[place] <= delta + 2 * error(less):
            members.add(f"m{place}")
    lost = [[max(row) - row[place] for row in effects] for place in range(options)]
    within = [mean([value <= delta for value in values]) for values in lost]
    return members, delta, within, [mean(values) for values in lost]


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("delta", [None, 0.3])
def test_the_rule_is_that_of_plain_loops(seed: int, delta: float | None) -> None:
    rng = np.random.default_rng(seed)
    effects = rng.normal(rng.normal(0.3, 0.3, 6), 1.0, (30, 6)).round(3)
    own = rng.normal(0.4, 1.0, (30, 6))
    walkers = rng.integers(0, 8, 30)
    found = chosen(effects, own=own, walkers=walkers, delta=delta, digit=0.1)
    members, used, within, loss = twin(effects.tolist(), own.tolist(), [1.0] * 30, walkers.tolist(), delta, 0.1)
    assert set(found.members) == members
    assert found.delta == pytest.approx(used)
    assert found.table["within"].tolist() == pytest.approx(within)
    assert found.table["loss"].tolist() == pytest.approx(loss)


@pytest.mark.parametrize("seed", range(20))
def test_a_draw_of_weight_two_is_two_draws_of_one_walker(seed: int) -> None:
    rng = np.random.default_rng(seed)
    effects, weights = rng.normal(0.3, 1.0, (25, 4)).round(3), rng.integers(1, 4, 25)
    found = chosen(effects, weights=weights.astype(float), digit=0.1)
    again = np.repeat(np.arange(25), weights)
    other = chosen(effects[again], walkers=again, digit=0.1)
    assert found.members == other.members
    for name in ("mean", "positive", "within", "loss", "error"):
        assert found.table[name].to_numpy() == pytest.approx(other.table[name].to_numpy())
    # Quantiles of weighted draws lie between neighbours of those of repeated ones.
    ordered = np.sort(effects, axis=0)
    places = [
        np.searchsorted(ordered[:, at], [a, b]) for at, (a, b) in enumerate(found.table[["p05", "median"]].to_numpy())
    ]
    others = [
        np.searchsorted(ordered[:, at], [a, b]) for at, (a, b) in enumerate(other.table[["p05", "median"]].to_numpy())
    ]
    assert np.abs(np.array(places) - np.array(others)).max() <= 1


@FEW
@given(EFFECTS, st.integers(2, 4))
def test_error_only_widens_the_set(effects: np.ndarray, times: int) -> None:
    """Draws that are repeated as if they were more have a smaller error and the same means."""
    more = chosen(np.repeat(effects, times, axis=0), delta=1.0)
    few = chosen(effects, delta=1.0)
    assert (more.table["error"] <= few.table["error"] + 1e-12).all()
    if more.members and few.members:
        assert set(more.members) <= set(few.members)


@FEW
@given(EFFECTS, st.randoms())
def test_the_order_of_options_does_not_matter(effects: np.ndarray, random) -> None:
    assume(len(set(effects.mean(axis=0))) == effects.shape[1])
    order = list(range(effects.shape[1]))
    random.shuffle(order)
    names = [f"m{place}" for place in order]
    found, other = chosen(effects, digit=0.1), select(names, effects[:, order], digit=0.1)
    assert found.members == other.members
    assert found.delta == other.delta


@FEW
@given(EFFECTS, st.sampled_from([0.25, 2.0, 8.0]))
def test_the_unit_does_not_matter(effects: np.ndarray, unit: float) -> None:
    found, other = chosen(effects, digit=0.1), chosen(unit * effects, digit=unit * 0.1)
    assert found.members == other.members
    assert other.delta == unit * found.delta


@FEW
@given(EFFECTS, st.integers(0, 4))
def test_a_duplicate_of_a_member_is_one_too(effects: np.ndarray, place: int) -> None:
    place %= effects.shape[1]
    found = chosen(np.column_stack([effects, effects[:, place]]), digit=0.1)
    assert (f"m{place}" in found.members) == (f"m{effects.shape[1]}" in found.members)


@FEW
@given(EFFECTS, st.floats(0.01, 30), st.floats(0.01, 30))
def test_more_indifference_admits_no_fewer(effects: np.ndarray, one: float, other: float) -> None:
    strict, lax = (chosen(effects, delta=delta) for delta in sorted((one, other)))
    assert set(strict.members) <= set(lax.members)
    assert (strict.table["within"] <= lax.table["within"]).all()


@FEW
@given(EFFECTS, st.data())
def test_what_levels_down_or_is_not_allowed_is_never_a_member(effects: np.ndarray, data) -> None:
    own = data.draw(arrays(float, effects.shape, elements=WHOLE))
    allowed = data.draw(arrays(bool, effects.shape[1]))
    found = chosen(effects, own=own, allowed=allowed, digit=0.1)
    out = {f"m{at}" for at in range(len(allowed)) if np.median(own[:, at]) < 0 or not allowed[at]}
    assert not out & set(found.members)


@FEW
@given(EFFECTS)
def test_members_lose_at_most_delta_more_than_the_least_up_to_error(effects: np.ndarray) -> None:
    found = chosen(effects, digit=0.1)
    rows = found.table.loc[list(found.members)]
    assert (rows["loss"] <= rows["loss"].min() + found.delta + 2 * rows["error"] + 1e-9).all()


def test_cases_by_hand() -> None:
    draws = np.array([[1.0, 0.9, 0.2], [3.0, 2.9, 2.4], [2.0, 1.9, 1.0]])
    near = chosen(draws)
    # A tenth of the largest mean, 2, and the second is .1 behind in every draw: no error.
    assert (near.members, near.delta, near.needed) == (("m0", "m1"), 0.2, 3)
    assert near.least_within == 1.0
    assert near.leading == "m0"
    own = np.array([-1.0, 1.0, 1.0]) * np.ones_like(draws)
    assert (chosen(draws, own=own).leading, chosen(draws, own=-np.abs(own)).leading) == ("m1", "m0")
    assert chosen(draws, delta=0.05).members == ("m0",)
    # The third is .8 behind, with an error of the mean of sqrt(((.8 - .8)^2 + .2^2 + .2^2) / 3 / 2) = .115.
    assert near.table["error"].tolist() == pytest.approx([0.0, 0.0, 0.08**0.5 / 6**0.5])
    assert chosen(draws, delta=0.6).members == ("m0", "m1", "m2")
    assert chosen(draws, delta=0.56).members == ("m0", "m1")
    # For the third to be in by its indifference and not by its error, that must be a third of it.
    assert chosen(draws, delta=0.6).needed == 3
    assert chosen(draws[:, [0, 2]], delta=0.3).members == ("m0",)
    assert chosen(np.array([[1.0, 0.0], [0.0, 1.5], [2.0, 1.0]]), delta=0.1).needed > 3


def test_no_set_where_nothing_helps_visibly() -> None:
    nothing = np.array([[-1.0, 1.0, 1.0, -1.0], [-2.0, -2.0, -1.0, -3.0]]).T
    found = chosen(nothing)
    assert found.members == ()
    assert found.needed == 4
    # Two of three draws help: as likely as "more likely than not" has to be.
    assert chosen(np.array([[1.0], [1.0], [-5.0]])).members == ("m0",)
    # Three of ten do, but the mean is beyond two errors.
    rare = np.r_[np.full(60, 2.0), np.full(40, -0.1), np.full(100, 0.0)][:, None]
    assert chosen(rare).table["positive"].item() == pytest.approx(0.3)
    assert chosen(rare).members == ("m0",)


def test_one_run_at_central_values_has_no_error_and_one_walker_an_unknown_one() -> None:
    one = chosen(np.array([[1.0, 0.5]]))
    assert (one.members, one.needed) == (("m0",), 1)
    walker = chosen(np.array([[1.0, 0.5], [1.1, 0.4]]), walkers=np.zeros(2, dtype=int))
    assert walker.members == ("m0", "m1")
    assert walker.needed == 10**9


@pytest.mark.parametrize("delta", [0.0, -1.0, np.nan, np.inf])
def test_an_indifference_that_is_none_is_refused(delta: float) -> None:
    with pytest.raises(InvalidInput, match="delta must be a positive number"):
        chosen(np.ones((2, 2)), delta=delta)

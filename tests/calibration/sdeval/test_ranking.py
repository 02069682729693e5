"""Ranking of policies: counts in plain loops, a flip along a known parameter, and draws that fail."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from calibration.sdeval import ranking_sensitivity
from pysd_runner.core.errors import InvalidInput

RNG = np.random.default_rng(11)
RATE, NOISE = RNG.uniform(size=400), RNG.uniform(size=400)
# The first two swap where the rate passes 0.6; the third is always last.
SCORES = {"steady": np.full(400, 0.6), "bold": RATE, "weak": RATE - 1.5}


def test_counts_in_plain_loops() -> None:
    scores = {name: RNG.normal(size=60) + shift for name, shift in (("a", 0.3), ("b", 0.0), ("c", 0.1))}
    found = ranking_sensitivity(scores, {"rate": RATE[:60]})
    assert found.order == tuple(sorted(scores, key=lambda name: -sum(scores[name]) / 60))
    for name in scores:
        wins = sum(all(scores[name][d] >= other[d] for other in scores.values()) for d in range(60))
        assert found.probability_best[name] == pytest.approx(wins / 60, abs=1e-12)
    for _, row in found.flips.iterrows():
        share = sum(scores[row["worse"]][d] > scores[row["better"]][d] for d in range(60)) / 60
        assert row["share"] == pytest.approx(share, abs=1e-12)
    ranks = {name: -rank for rank, name in enumerate(found.order)}
    taus = [kendalltau([ranks[n] for n in scores], [scores[n][d] for n in scores]).statistic for d in range(60)]
    assert found.kendall == pytest.approx(np.mean(taus), abs=1e-12)
    assert found.probability_best.sum() == pytest.approx(1, abs=1e-12)


def test_the_parameter_a_flip_goes_with_is_found() -> None:
    found = ranking_sensitivity(SCORES, {"noise": NOISE, "rate": RATE})
    assert found.order == ("steady", "bold", "weak")
    assert found.best_flips == pytest.approx((RATE > 0.6).mean(), abs=1e-12)
    first = found.along.iloc[0]
    assert (first["better"], first["worse"], first["parameter"]) == ("steady", "bold", "rate")
    assert first["ks"] == pytest.approx(1, abs=1e-12)
    assert first["when_flipped"] > 0.6 > first["otherwise"]
    other = found.along.iloc[1]
    assert other["ks"] == pytest.approx(_distance(NOISE[RATE > 0.6], NOISE[RATE <= 0.6]), abs=1e-12)
    assert other["p_value"] > 0.01
    never = found.along[found.along["worse"] == "weak"]
    assert never["ks"].isna().all()


def _distance(left: np.ndarray, right: np.ndarray) -> float:
    """Kolmogorov and Smirnov's distance: largest gap between two empirical distributions."""
    points = [*left.tolist(), *right.tolist()]
    return max(
        abs(sum(x <= point for x in left) / len(left) - sum(x <= point for x in right) / len(right)) for point in points
    )


def test_ties_share_a_draw_and_are_no_flip() -> None:
    found = ranking_sensitivity({"a": [1.0, 2.0], "b": [1.0, 1.0]}, {})
    assert found.probability_best.to_dict() == {"a": 0.75, "b": 0.25}
    assert found.flips["share"].tolist() == [0.0]
    assert found.kendall == 0.5


def test_draws_that_fail_are_left_out_for_all_and_counted() -> None:
    scores = {"a": [1.0, np.nan, 3.0, 1.0], "b": [0.0, 0.0, 5.0, 0.0]}
    found = ranking_sensitivity(scores, {"rate": [1.0, 2.0, 3.0, np.inf]})
    assert (found.used, found.failed) == (2, 2)
    assert found.flips["share"].tolist() == [0.5]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ranking_sensitivity({"a": [1.0, 2.0]}, {}), "at least two policies"),
        (lambda: ranking_sensitivity({"a": [1.0], "b": [1.0, 2.0]}, {}), "one number for each draw"),
        (lambda: ranking_sensitivity({"a": [1.0, np.nan], "b": [1.0, 2.0]}, {}), "1 of 2 draws are complete"),
    ],
)
def test_bad_input(call: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        call()

"""Ranking of policies: counts in plain loops, and draws that fail."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from calibration.sdeval import ranking_sensitivity
from pysd_runner.core.errors import InvalidInput

RNG = np.random.default_rng(11)


def test_counts_in_plain_loops() -> None:
    scores = {name: RNG.normal(size=60) + shift for name, shift in (("a", 0.3), ("b", 0.0), ("c", 0.1))}
    found = ranking_sensitivity(scores)
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


def test_ties_share_a_draw_and_are_no_flip() -> None:
    found = ranking_sensitivity({"a": [1.0, 2.0], "b": [1.0, 1.0]})
    assert found.probability_best.to_dict() == {"a": 0.75, "b": 0.25}
    assert found.flips["share"].tolist() == [0.0]
    assert found.kendall == 0.5


def test_draws_that_fail_are_left_out_for_all_and_counted() -> None:
    scores = {"a": [1.0, np.nan, 3.0, 1.0], "b": [0.0, 0.0, 5.0, np.inf]}
    found = ranking_sensitivity(scores)
    assert (found.used, found.failed) == (2, 2)
    assert found.flips["share"].tolist() == [0.5]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ranking_sensitivity({"a": [1.0, 2.0]}), "at least two policies"),
        (lambda: ranking_sensitivity({"a": [1.0], "b": [1.0, 2.0]}), "one number for each draw"),
        (lambda: ranking_sensitivity({"a": [1.0, np.nan], "b": [1.0, 2.0]}), "1 of 2 draws are complete"),
    ],
)
def test_bad_input(call: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        call()

"""Values from outside: published worked examples and official statistics."""

import numpy as np
import pytest

from pysd_runner.indicators import coefficient_of_variation, gini, theil

# The example of the R package ineq (Zeileis), read by many others; Theil and Gini as its users quote them.
INEQ = np.array([541, 1463, 2445, 3438, 4437, 5401, 6392, 8304, 11904, 22261], dtype=float)


def test_gini_and_theil_of_the_ineq_example():
    assert gini(INEQ, axis=-1) == pytest.approx(0.462091130267624, abs=1e-14)
    assert theil(INEQ, np.ones(10), axis=-1) == pytest.approx(0.3623412, abs=5e-8)


def test_perfect_concentration():
    assert gini([0.0, 0.0, 0.0, 1.0], axis=-1) == pytest.approx(0.75)
    assert theil([0.0, 0.0, 0.0, 1.0], np.ones(4), axis=-1) == pytest.approx(np.log(4))
    assert coefficient_of_variation([0.0, 0.0, 0.0, 1.0], axis=-1) == pytest.approx(np.sqrt(3))

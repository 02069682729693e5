"""Values from outside: published worked examples and official statistics."""

import numpy as np
import pytest

from pysd_runner.indicators import (
    coefficient_of_variation,
    gini,
    sigma_dispersion,
    theil,
    theil_decomposition,
)

# The example of the R package ineq (Zeileis), read by many others; Theil and Gini as its users quote them.
INEQ = np.array([541, 1463, 2445, 3438, 4437, 5401, 6392, 8304, 11904, 22261], dtype=float)

# Documentation of PySAL inequality 1.1: inequality.theil.Theil and TheilD, inequality tests of Gini.
PYSAL_THEIL = [0.20894344, 0.15222451, 0.10472941, 0.10194725, 0.09560113, 0.10511256, 0.10660832]
PYSAL_BETWEEN = [0.0345889, 0.02816853, 0.05260921, 0.05931219, 0.03205257, 0.02963731, 0.03635872]
PYSAL_WITHIN = [0.17435454, 0.12405598, 0.0521202, 0.04263506, 0.06354856, 0.07547525, 0.0702496]


def test_gini_and_theil_of_the_ineq_example():
    assert gini(INEQ, axis=-1) == pytest.approx(0.462091130267624, abs=1e-14)
    assert theil(INEQ, np.ones(10), axis=-1) == pytest.approx(0.3623412, abs=5e-8)


def test_theil_of_mexican_states(mexico):
    per_head, _ = mexico
    assert theil(per_head, np.ones_like(per_head)) == pytest.approx(PYSAL_THEIL, abs=5e-9)


def test_theil_decomposition_of_mexican_states(mexico):
    per_head, classes = mexico
    parts = theil_decomposition(per_head, np.ones_like(per_head), classes)
    assert parts.between == pytest.approx(PYSAL_BETWEEN, abs=5e-9)
    assert parts.within == pytest.approx(PYSAL_WITHIN, abs=5e-9)


def test_gini_of_mexican_states(mexico):
    per_head, _ = mexico
    assert gini(per_head[:, 0], axis=-1) == pytest.approx(0.35372371173452849, abs=1e-15)


def test_perfect_concentration():
    assert gini([0.0, 0.0, 0.0, 1.0], axis=-1) == pytest.approx(0.75)
    assert theil([0.0, 0.0, 0.0, 1.0], np.ones(4), axis=-1) == pytest.approx(np.log(4))
    assert coefficient_of_variation([0.0, 0.0, 0.0, 1.0], axis=-1) == pytest.approx(np.sqrt(3))


@pytest.mark.parametrize(("year", "expected"), [(2000, 0.522), (2010, 0.435), (2015, 0.376), (2024, 0.370)])
def test_sigma_of_chinese_provinces(chinese_output_per_head, year, expected):
    """Measured apart, from the same official series: convergence, then stall."""
    assert sigma_dispersion(chinese_output_per_head[year].to_numpy(), axis=-1) == pytest.approx(expected, abs=6e-4)

"""Laws every measure of dispersion obeys, and equality with the slow twins."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pysd_runner.indicators import (
    coefficient_of_variation,
    gap_to_leader,
    gini,
    log_relative_output,
    output_share,
    population_share,
    relative_output,
    sigma_dispersion,
    theil,
    theil_decomposition,
)
from tests.indicators import twins

LEVEL = st.floats(min_value=1e-3, max_value=1e6)


@st.composite
def panels(draw, least=1):
    """Output and population of a few regions, and their classes."""
    n = draw(st.integers(least, 9))
    output = np.array(draw(st.lists(LEVEL, min_size=n, max_size=n)))
    population = np.array(draw(st.lists(LEVEL, min_size=n, max_size=n)))
    classes = draw(st.lists(st.sampled_from(["East", "West", "中部"]), min_size=n, max_size=n))
    return output, population, classes


MEASURES = {
    "theil": lambda output, population: theil(output, population, axis=-1),
    "sigma": lambda output, population: sigma_dispersion(output / population, axis=-1),
    "gini": lambda output, population: gini(output / population, axis=-1),
    "weighted gini": lambda output, population: gini(output / population, population, axis=-1),
    "variation": lambda output, population: coefficient_of_variation(output / population, axis=-1),
    "weighted variation": lambda output, population: coefficient_of_variation(output / population, population, axis=-1),
}
TWINS = {
    "theil": twins.theil,
    "sigma": lambda output, population: twins.sigma(list(np.divide(output, population))),
    "gini": lambda output, population: twins.gini(list(np.divide(output, population))),
    "weighted gini": lambda output, population: twins.gini(list(np.divide(output, population)), population),
    "variation": lambda output, population: twins.variation(list(np.divide(output, population)), [1] * len(output)),
    "weighted variation": lambda output, population: twins.variation(list(np.divide(output, population)), population),
}
everywhere = pytest.mark.parametrize("name", MEASURES)


@everywhere
@given(panel=panels())
@settings(max_examples=60, deadline=None)
def test_equals_its_slow_twin(name, panel):
    output, population, _ = panel
    fast, slow = float(MEASURES[name](output, population)), TWINS[name](list(output), list(population))
    # The twins take roots of rounded differences, which costs half of the digits near zero.
    assert fast == pytest.approx(slow, rel=1e-9, abs=1e-7)


@everywhere
@given(panel=panels(), level=LEVEL)
@settings(max_examples=40, deadline=None)
def test_zero_when_all_are_equal_and_never_below(name, panel, level):
    output, population, _ = panel
    assert MEASURES[name](population * level, population) == pytest.approx(0, abs=1e-7)
    assert MEASURES[name](output, population) >= -1e-12


@given(panel=panels())
@settings(max_examples=150, deadline=None)
def test_between_and_within_sum_to_the_total(panel):
    output, population, classes = panel
    parts = theil_decomposition(output, population, classes, axis=-1)
    assert parts.between + parts.within == pytest.approx(parts.total, rel=1e-9, abs=1e-12)
    assert parts.within_classes.sum() == pytest.approx(parts.within, rel=1e-12, abs=1e-15)
    assert parts.total == pytest.approx(twins.theil(list(output), list(population)), rel=1e-9, abs=1e-12)
    assert parts.classes == tuple(dict.fromkeys(classes))
    assert min(parts.between, parts.within, *parts.within_classes) >= -1e-12


@given(panel=panels())
@settings(max_examples=60, deadline=None)
def test_one_class_is_all_within_and_own_classes_all_between(panel):
    output, population, _ = panel
    one = theil_decomposition(output, population, ["all"] * len(output), axis=-1)
    own = theil_decomposition(output, population, [str(k) for k in range(len(output))], axis=-1)
    assert one.between == pytest.approx(0, abs=1e-12)
    assert own.within == pytest.approx(0, abs=1e-12)


@given(panel=panels(), inflation=LEVEL)
@settings(max_examples=60, deadline=None)
def test_identities_of_relative_output(panel, inflation):
    output, population, _ = panel
    relative = relative_output(output, population, axis=-1)
    people = population_share(population, axis=-1)
    produced = output_share(output, axis=-1)
    assert (people * relative).sum() == pytest.approx(1)
    assert produced == pytest.approx(people * relative, rel=1e-9)
    assert produced.sum() == pytest.approx(1)
    per_head = output / population
    logs = log_relative_output(per_head, axis=-1)
    assert logs.sum() == pytest.approx(0, abs=1e-9)
    assert log_relative_output(per_head * inflation, axis=-1) == pytest.approx(logs, abs=1e-9)
    assert np.sqrt((logs**2).mean()) == pytest.approx(sigma_dispersion(per_head, axis=-1), abs=1e-9)
    gap = gap_to_leader(per_head, axis=-1)
    assert gap.min() == 0
    assert gap.max() <= 1
    assert 1 - gap == pytest.approx(per_head / per_head.max(), abs=1e-12)
    national = 1 - output.sum() / population.sum() / per_head.max()
    assert (people * gap).sum() == pytest.approx(national, rel=1e-9, abs=1e-9)

"""Axes, missing values and refusals."""

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidInput
from pysd_runner.indicators import (
    class_totals,
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

CLASSES = ["East", "West", "East", "West", "East"]
ONE_ARRAY = {
    "log_relative_output": log_relative_output,
    "gap_to_leader": gap_to_leader,
    "output_share": output_share,
    "population_share": population_share,
    "sigma_dispersion": sigma_dispersion,
    "gini": gini,
    "coefficient_of_variation": coefficient_of_variation,
    "class_totals": lambda values, axis: class_totals(values, CLASSES, axis=axis),
}
TWO_ARRAYS = {
    "relative_output": relative_output,
    "theil": theil,
    "theil_between": lambda y, p, axis: theil_decomposition(y, p, CLASSES, axis=axis).between,
    "theil_within_classes": lambda y, p, axis: theil_decomposition(y, p, CLASSES, axis=axis).within_classes,
    "gini": gini,
    "coefficient_of_variation": coefficient_of_variation,
}


@pytest.fixture
def panel():
    rng = np.random.default_rng(0)
    return rng.lognormal(size=(2, 3, 5, 4)), rng.lognormal(size=(2, 3, 5, 4))


@pytest.mark.parametrize("name", ONE_ARRAY)
def test_the_region_axis_may_lie_anywhere(name, panel):
    function, (output, _) = ONE_ARRAY[name], panel
    default = function(output, axis=-2)
    for axis in (0, 1, 3, -1):
        moved = np.moveaxis(output, -2, axis)
        answer = function(moved, axis=axis)
        if answer.ndim == 4:
            answer = np.moveaxis(answer, axis, -2)
        np.testing.assert_array_equal(answer, default)
    one = function(output[0, 0, :, 0], axis=-1)
    first = default[0, 0, ..., 0]
    np.testing.assert_allclose(one, first, rtol=1e-14)


@pytest.mark.parametrize("name", TWO_ARRAYS)
def test_arrays_with_weights_in_any_layout(name, panel):
    function, (output, population) = TWO_ARRAYS[name], panel
    default = function(output, population, axis=-2)
    moved = function(np.moveaxis(output, -2, 0), np.moveaxis(population, -2, 0), axis=0)
    if moved.ndim == 4:
        moved = np.moveaxis(moved, 0, -2)
    np.testing.assert_array_equal(moved, default)
    broadcast = function(output, population[:1, :1], axis=-2)
    assert broadcast.shape == default.shape
    np.testing.assert_allclose(broadcast[0, 0], default[0, 0], rtol=1e-14)


@pytest.mark.parametrize("name", TWO_ARRAYS)
def test_a_missing_region_makes_its_year_missing_and_no_other(name, panel):
    function, (output, population) = TWO_ARRAYS[name], panel
    holed = output.copy()
    holed[1, 2, 0, 3] = np.nan
    answer = function(holed, population, axis=-2)
    whole = function(output, population, axis=-2)
    assert np.isnan(answer[1, 2, ..., 3]).all() or name == "theil_within_classes"
    assert np.isnan(answer[1, 2, ..., 3]).any()
    np.testing.assert_array_equal(answer[0], whole[0])


@pytest.mark.parametrize("function", [log_relative_output, gap_to_leader, sigma_dispersion])
@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_logarithms_need_positive_values(function, bad):
    with pytest.raises(InvalidInput, match=r"output per head: the value at \(1,\) is .*above zero"):
        function([1.0, bad], axis=-1)


@pytest.mark.parametrize("function", [gini, output_share, population_share, coefficient_of_variation])
def test_shares_refuse_negative_infinite_and_nothing(function):
    with pytest.raises(InvalidInput, match="no value may be negative"):
        function([1.0, -1.0], axis=-1)
    with pytest.raises(InvalidInput, match="infinite"):
        function([1.0, np.inf], axis=-1)
    with pytest.raises(InvalidInput, match="together have nothing"):
        function([0.0, 0.0], axis=-1)


@pytest.mark.parametrize("function", [theil, relative_output, gini])
def test_weights_must_fit(function):
    with pytest.raises(InvalidInput, match="3 regions along its axis, population has 2"):
        function([1.0, 2.0, 3.0], [1.0, 1.0], axis=-1)
    with pytest.raises(InvalidInput, match=r"population.*above zero"):
        function([1.0, 2.0], [1.0, 0.0], axis=-1)
    with pytest.raises(InvalidInput, match="do not fit together"):
        function(np.ones((2, 3, 4)), np.ones((3, 3, 4)))


def test_axis_and_region_must_exist():
    with pytest.raises(InvalidInput, match=r"no axis -2 in an array of shape \(2,\).*pass axis="):
        gini([1.0, 2.0])
    with pytest.raises(InvalidInput, match="region axis is empty"):
        gini(np.empty((0, 3)))


def test_one_class_for_each_region():
    with pytest.raises(InvalidInput, match="2 given for 3 regions"):
        class_totals([1.0, 2.0, 3.0], ["East", "West"], axis=-1)


def test_a_class_without_output_adds_nothing():
    parts = theil_decomposition([2.0, 1.0, 0.0], [1.0, 1.0, 1.0], ["a", "a", "b"], axis=-1)
    assert parts.total == pytest.approx(parts.between + parts.within)
    assert parts.within_classes[1] == 0

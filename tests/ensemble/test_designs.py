"""Designs fill what they promise to fill, the same for the same seed."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.ensemble import Design, UnbalancedDesign, grid, latin_hypercube, random_draws, rows, sobol
from pysd_runner.model import load_model
from tests.engine.small_models import write_model

EQUATIONS = "rate = 0.1 ~~|\nLong delay = 2 ~~|\nf((0,0),(1,1)) ~~|\ns = INTEG(rate*s/Long delay, 1) ~~|"
RANGES = {"rate": (0.0, 0.5), "long_delay": stats.lognorm(0.4, scale=2)}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(write_model(tmp_path_factory.mktemp("designs"), EQUATIONS))


@pytest.fixture(scope="module")
def shipped():
    return load_model("regional_digital", regions=3)


@given(draws=st.integers(1, 60), seed=st.integers(0, 5))
def test_each_slice_of_a_latin_hypercube_is_drawn_from_once(model, draws, seed):
    design = latin_hypercube(model, RANGES, draws, seed=seed)
    assert design.names == ("rate", "Long delay")
    shares = np.stack([design.cases["rate"] / 0.5, RANGES["long_delay"].cdf(design.cases["Long delay"])])
    ordered, slices = np.sort(shares, axis=1) * draws, np.arange(draws)
    assert (slices - 1e-9 <= ordered).all()
    assert (ordered <= slices + 1 + 1e-9).all()


def test_a_balanced_sobol_sequence_has_as_many_points_in_every_quarter(model):
    design = sobol(model, {"rate": (2, 4), "Long delay": (0, 1)}, 64, seed=0)
    quarters = np.floor((design.values - [2, 0]) / [2, 1] * 2) @ [2, 1]
    assert np.bincount(quarters.astype(int)).tolist() == [16, 16, 16, 16]
    assert design.values.min(axis=0) @ [0.5, 0] >= 1


def test_a_sobol_sequence_that_is_cut_warns(model):
    with pytest.warns(UnbalancedDesign, match="take 64 or 128"):
        assert len(sobol(model, RANGES, 100)) == 100


@pytest.mark.parametrize("make", [latin_hypercube, sobol, random_draws])
def test_the_same_seed_gives_the_same_design_and_another_another(model, make):
    first, again, other = (make(model, RANGES, 32, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.values, again.values)
    assert (first.values != other.values).all()


@pytest.mark.parametrize("make", [latin_hypercube, random_draws])
def test_a_parameter_that_is_added_leaves_the_others_alone(model, make):
    alone = make(model, {"rate": (0, 1)}, 16, seed=3)
    beside = make(model, {"Long delay": (1, 2), "rate": (0, 1)}, 16, seed=3)
    np.testing.assert_array_equal(alone.cases["rate"], beside.cases["rate"])


def test_more_random_draws_keep_those_there_were(model):
    few, many = (random_draws(model, RANGES, draws, seed=0) for draws in (5, 50))
    np.testing.assert_array_equal(few.values, many.values[:5])


def test_random_draws_follow_their_distributions(model):
    laws = {"rate": stats.norm(1, 0.2), "Long delay": stats.lognorm(0.4, scale=2)}
    design = random_draws(model, laws, 2000, seed=0)
    assert stats.kstest(design.cases["rate"], stats.norm(1, 0.2).cdf).pvalue > 0.01
    assert stats.kstest(design.cases["Long delay"], stats.lognorm(0.4, scale=2).cdf).pvalue > 0.01
    assert design.made["ranges"]["rate"] == "norm(1, 0.2)"


def test_a_grid_has_every_combination_once(model):
    design = grid(model, {"rate": [1, 2], "Long delay": np.array([5.0, 6.0, 7.0])})
    assert design.values.tolist() == [[1, 5], [1, 6], [1, 7], [2, 5], [2, 6], [2, 7]]
    with pytest.raises(InvalidInput, match="take fewer levels"):
        grid(model, {"rate": np.zeros(20_000), "Long delay": np.zeros(20_000)})


def test_rows_come_from_a_table_or_a_mapping(model):
    table = pd.DataFrame({"RATE": [0.1, 0.2], "long delay": [1, 2]})
    for given_rows in (table, dict(table)):
        design = rows(model, given_rows)
        assert design.names == ("rate", "Long delay")
        assert design.to_frame().to_numpy().tolist() == [[0.1, 1], [0.2, 2]]
    with pytest.raises(InvalidInput, match=r"'Long delay' has shape \(1,\)"):
        rows(model, {"rate": [1, 2], "Long delay": [1]})


def test_bounds_come_from_the_declarations(shipped):
    parameter = shipped.spec.parameters["q_a"]
    design = latin_hypercube(shipped, ["q_a"], 50, seed=0)
    assert design.names == (parameter.variable,)
    values = design.values[:, 0]
    assert parameter.lower <= values.min() < values.max() <= parameter.upper
    mixed = latin_hypercube(shipped, {"q_a": None, "q_u": (0.1, 0.2)}, 50, seed=0)
    np.testing.assert_array_equal(mixed.values[:, 0], values)


@pytest.mark.parametrize(
    ("ranges", "draws", "seed", "error", "text"),
    [
        ({"rato": (0, 1)}, 4, 0, UnknownName, "Did you mean 'rate'"),
        ({"rate": (1, 0)}, 4, 0, InvalidInput, "low < high"),
        ({"rate": (0, np.inf)}, 4, 0, InvalidInput, "low < high"),
        ({"rate": 3}, 4, 0, InvalidInput, "expected \\(low, high\\)"),
        ({"rate": None}, 4, 0, InvalidInput, "declares no bounds"),
        ("rate", 4, 0, InvalidInput, "the text 'rate'"),
        ({}, 4, 0, InvalidInput, "at least one parameter"),
        ({"rate": (0, 1), "RATE": (0, 1)}, 4, 0, InvalidInput, "named once"),
        ({"rate": (0, 1)}, 0, 0, InvalidInput, "draws must be a whole number from 1"),
        ({"rate": (0, 1)}, 2.5, 0, InvalidInput, "draws must be a whole number"),
        ({"rate": (0, 1)}, 4, -1, InvalidInput, "seed must be a whole number from 0"),
    ],
)
@pytest.mark.parametrize("make", [latin_hypercube, sobol, random_draws])
def test_what_cannot_be_drawn_is_refused(model, make, ranges, draws, seed, error, text):
    with pytest.raises(error, match=text):
        make(model, ranges, draws, seed=seed)


def test_a_design_holds_finite_numbers_that_cannot_be_changed():
    values = np.ones((2, 1))
    design = Design(names=("a",), values=values)
    values[0, 0] = 7
    assert design.values[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        design.values[0, 0] = 2
    with pytest.raises(InvalidInput, match="'a' is inf in draw 1"):
        Design(names=("a",), values=np.array([[1], [np.inf]]))
    with pytest.raises(InvalidInput, match="found shape"):
        Design(names=("a", "b"), values=np.ones((2, 1)))
    with pytest.raises(InvalidInput, match="twice"):
        Design(names=("a", "a"), values=np.ones((2, 2)))

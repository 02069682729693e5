"""Single elements of parameters with subscripts, in designs, ensembles and derivatives."""

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.ensemble import grid, latin_hypercube, rows, run_ensemble
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from pysd_runner.simulation.sensitivities import jacobian
from tests.engine.small_models import write_model

EQUATIONS = (
    "Age: young, adult, very old ~~|\nSex: f, m ~~|\nrate[Age] = 12, 8, 4 ~ Dmnl [0,20] ~|\n"
    "k[Age,Sex] = 1, 2; 3, 4; 5, 6; ~~|\nother[Age] = 2*rate[Age] ~~|\n"
    "s[Age] = INTEG(rate[Age]*SUM(k[Age,Sex!]), 0) ~~|"
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(write_model(tmp_path_factory.mktemp("elements"), EQUATIONS, final=2, step=0.5, saveper=1))


def test_one_element_is_drawn_and_the_others_keep_their_values(model):
    design = latin_hypercube(model, {"Rate[ Very_Old ]": (5, 7), "k[adult, m]": (0, 1)}, 8)
    assert design.names == ("rate[very old]", "k[adult, m]")
    found = run_ensemble(model, design, outcomes=["s", "rate"])
    drawn = design.cases["rate[very old]"]
    assert found.parameters["rate"].tolist() == [[12, 8, value] for value in drawn]
    assert found["rate"][0, :, 2, -1].tolist() == drawn.tolist()
    np.testing.assert_allclose(found["s"][0, :, 1, -1], 2 * 8 * (3 + design.cases["k[adult, m]"]))
    np.testing.assert_allclose(found["s"][0, :, 2, -1], 2 * drawn * 11)


def test_rows_grids_and_plain_values_take_elements(model):
    for cases in (
        rows(model, {"rate[young]": [1.0, 2.0], "rate[adult]": [3.0, 3.0]}),
        grid(model, {"rate[young]": [1.0, 2.0], "rate[adult]": [3.0]}),
        {"rate[young]": [1.0, 2.0], "rate[adult]": 3},
    ):
        found = run_ensemble(model, cases, outcomes=["rate"])
        assert found["rate"][0, :, :, 0].tolist() == [[1, 3, 4], [2, 3, 4]]


def test_bounds_of_the_file_hold_for_each_element(model):
    values = latin_hypercube(model, ["rate[young]", "rate[adult]"], 64).values
    assert values.min() < 1
    assert values.max() > 19
    assert not np.array_equal(values[:, 0], values[:, 1])


def test_a_derivative_of_one_element(model):
    by_name = jacobian(model, parameters=["rate[young]", "k[adult,m]"], outcomes=["s"])
    by_pair = jacobian(model, parameters=[("rate", "young"), ("k", "adult", "m")], outcomes=["s"])
    assert by_name.parameters == by_pair.parameters == ("rate[young]", "k[adult, m]")
    np.testing.assert_array_equal(by_name["s"], by_pair["s"])
    shifted = simulate(model, {"rate": [13.0, 8, 4]}, outcomes=["s"])["s"] - simulate(model, outcomes=["s"])["s"]
    np.testing.assert_allclose(by_name["s"][..., 0], shifted)


@pytest.mark.parametrize(
    ("cases", "error", "text"),
    [
        ({"rate[yung]": 1}, UnknownName, "Did you mean 'young'"),
        ({"rote[young]": 1}, UnknownName, "Did you mean 'rate'"),
        ({"rate[young, f]": 1}, InvalidInput, "2 labels are given"),
        ({"rate[young]": 1, "Rate[Young]": 2}, InvalidInput, "given twice"),
        ({"rate[young]": 1, "rate": 2}, InvalidInput, "given twice"),
        ({"rate[young]": [1, 2], "rate[adult]": [1, 2, 3]}, InvalidInput, r"have \[2, 3\] draws"),
        ({"rate[young]": [[1, 2]]}, InvalidInput, "expected a number, or one per draw"),
        ({"rate[young]": "x"}, InvalidInput, "not numeric"),
        ({"other[young]": 1}, InvalidInput, "has an equation"),
    ],
)
def test_what_is_no_element_is_said(model, cases, error, text):
    with pytest.raises(error, match=text):
        run_ensemble(model, cases)

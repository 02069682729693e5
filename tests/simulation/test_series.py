"""A series of pandas is one value for each draw only if its index says nothing else."""

import numpy as np
import pandas as pd
import pytest

from pysd_runner import load_model, run_ensemble, simulate
from pysd_runner.core.errors import InvalidInput
from tests.engine.small_models import write_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(write_model(tmp_path_factory.mktemp("series"), "c = 1 ~~|\ns = INTEG(c, 0) ~~|", final=10))


@pytest.mark.parametrize("index", [[0, 10], [2020, 2021], pd.date_range("2020-01-01", periods=2), [0.5, 1.5]])
@pytest.mark.parametrize("run", [simulate, run_ensemble])
def test_a_series_over_time_is_no_number_of_draws(model, run, index):
    with pytest.raises(InvalidInput, match=r"value of 'c' is a series over .*TimePath"):
        run(model, {"c": pd.Series([5.0, 6.0], index=index)})


@pytest.mark.parametrize("name", ["time", "Year", "DATE", "Months"])
@pytest.mark.parametrize("run", [simulate, run_ensemble])
def test_an_index_named_as_time_is_time_even_if_it_counts_from_zero(tmp_path, run, name):
    path = write_model(tmp_path, "c = 1 ~~|\ns = INTEG(c, 0) ~~|")
    path.write_text(path.read_text("utf-8").replace("~ Year ~", "~ Month ~"), "utf-8")
    with pytest.raises(InvalidInput, match=r"value of 'c' is a series over 0 to 4"):
        run(load_model(path), {"c": pd.Series([5.0, 6.0, 7.0, 8.0, 9.0], index=pd.Index(range(5), name=name))})


def test_periods_are_times_and_counts_of_something_else_are_no_draws(model):
    for index in (pd.period_range("2020", periods=2, freq="Y"), pd.Index([0, 1], name="quarter")):
        with pytest.raises(InvalidInput, match=r"value of 'c' is a series"):
            simulate(model, {"c": pd.Series([5.0, 6.0], index=index)})


@pytest.mark.parametrize("index", [[0, 10, 20], [1, 2, 3], [0, 1, 2], pd.Index([1, 2, 3], name="age")])
@pytest.mark.parametrize("run", [simulate, run_ensemble])
def test_a_series_of_the_elements_of_a_variable_is_its_value(tmp_path, run, index):
    model = load_model(
        write_model(tmp_path, "age: young, middle, old ~~|\nw[age] = 1 ~~|\ns[age] = INTEG(w[age], 0) ~~|")
    )
    values = pd.Series([5.0, 6.0, 7.0], index=index)
    np.testing.assert_array_equal(run(model, {"w": values})["s"], run(model, {"w": values.to_numpy()})["s"])
    with pytest.raises(InvalidInput, match=r"value of 'w' is a series over 1 to 3"):
        run(model, {"w": pd.Series([5.0, 6.0, 7.0], index=pd.Index([1, 2, 3], name="year"))})


@pytest.mark.parametrize("index", [None, pd.Index([3, 8], name="draw")])
def test_a_series_of_draws_is_one(model, index):
    values = pd.Series([5.0, 6.0], index=index)
    np.testing.assert_array_equal(simulate(model, {"c": values})["s"], simulate(model, {"c": values.to_numpy()})["s"])

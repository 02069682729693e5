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


@pytest.mark.parametrize("index", [None, pd.Index([3, 8], name="draw")])
def test_a_series_of_draws_is_one(model, index):
    values = pd.Series([5.0, 6.0], index=index)
    np.testing.assert_array_equal(simulate(model, {"c": values})["s"], simulate(model, {"c": values.to_numpy()})["s"])

"""The scoreboard writes what the back-tests say, leaves out what is not there, and draws it."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from benchmarks.panels import SOURCES, read
from benchmarks.scoreboard import (
    main,
    regrets,
)
from calibration.forecasting import Backtest, backtest
from calibration.forecasting.models import baselines
from tests.calibration.forecasting.series import panel_of, walk


@pytest.fixture(scope="module")
def results() -> dict[str, Backtest]:
    """A back-test in which the final forecasts are stood in for by quick ones."""
    known = baselines()
    quick = ("persistence", "mean_reversion", "mean_of_good", "error_correction_shrunken")
    models = {name: known[name] for name in quick} | {"filtered": known["drift"], "gapsim": known["damped_drift"]}
    panel = panel_of(walk(5, 18))
    return {"Made": backtest(panel, forecasters=models, horizons=(1, 2, 3, 4, 5), draws=40)}


def test_regret_is_against_the_best_baseline(results: dict[str, Backtest]) -> None:
    table = results["Made"].table()
    found = []
    for step in (1, 2, 3, 4, 5):
        rmse = table[table["horizon"] == step].set_index("model")["rmse"]
        found.append(rmse["gapsim"] / rmse.drop(["filtered", "gapsim"]).min() - 1)
    assert_allclose(regrets(results), (np.median(found), max(found)))


def test_panels_are_read_without_the_nation_and_left_out_when_missing(tmp_path, capsys) -> None:
    source = next(item for item in SOURCES if item.name == "us_income")
    assert read(source, tmp_path) is None
    rows = [
        {"region": region, "region_code": code, "group": group, "year": year, "variable": variable, "value": value}
        for region, code, group in (("A", "01000", "x"), ("B", "02000", "y"), ("All", "00000", "NATION"))
        for year in (1959, 1960, 1961)
        for variable, value in ((source.variable, year + int(code)), ("population", 1))
    ]
    pd.DataFrame(rows).to_csv(tmp_path / source.file, index=False)
    panel = read(source, tmp_path)
    assert panel is not None
    assert [region.code for region in panel.regions] == ["01000", "02000"]
    assert panel.years == (1960, 1961)
    assert_allclose(panel.array("output_per_head"), [[2960, 2961], [3960, 3961]])
    assert main(["--panel", "world", "--data", str(tmp_path)]) == 2
    assert "world_countries.csv" in capsys.readouterr().err

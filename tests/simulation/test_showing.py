"""How models and results show themselves at a prompt, and as tables."""

import numpy as np
import pytest

from pysd_runner.ensemble import Statistics, run_ensemble
from pysd_runner.export import load_netcdf
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from pysd_runner.simulation.sensitivities import jacobian
from tests.engine.small_models import write_model

EQUATIONS = (
    "Age: young, old ~~|\nrate = 0.1 ~ 1/days ~|\nlag[Age] = 2, 3 ~ days ~|\ns[Age] = INTEG(rate*s[Age], 1) ~ Dmnl ~|"
)
SCENARIOS = {"base": {}, "fast": {"rate": 0.2}}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = write_model(tmp_path_factory.mktemp("showing"), EQUATIONS, final=4, step=1, saveper=1)
    path.write_text(path.read_text(encoding="utf-8").replace("~ Year ~", "~ days ~"), encoding="utf-8")
    return load_model(path)


@pytest.fixture(scope="module")
def found(model):
    return run_ensemble(model, {"rate": [0.1, 0.2, 0.3]}, scenarios=SCENARIOS, outcomes=["s"])


def test_everything_shows_itself_on_one_line(model, found):
    assert repr(model) == "<Model 'model', 7 variables over Age (2)>"
    run = simulate(model, engine="numpy")
    assert repr(run) == ("<Run of 'model': 3 outcomes, 1 scenario x 1 draw, 5 moments from 0 to 4, engine numpy>")
    assert repr(found).startswith("<Ensemble of 'model': s, 2 scenarios x 3 draws, 5 moments from 0 to 4, engine ")
    derivatives = jacobian(model, parameters=["rate", "lag"], outcomes=["s"])
    assert repr(derivatives).startswith("<Jacobian by 3 parameters of 'model': s, 1 scenario x 1 draw, 5 moments")
    shipped = repr(load_model("regional_digital"))
    assert len(shipped) < 120
    assert "Region (" in shipped


def test_an_ensemble_is_a_long_table(found):
    frame = found.to_frame()
    assert list(frame.columns) == ["scenario", "draw", "age", "year", "value", "variable", "unit"]
    assert len(frame) == found["s"].size
    row = frame[(frame.scenario == "fast") & (frame.draw == 2) & (frame.age == "old") & (frame.year == 3)]
    assert row["value"].item() == found["s"][1, 2, 1, 3]


def test_statistics_are_a_long_table(model):
    kept = run_ensemble(model, {"rate": [0.1, 0.3]}, outcomes=["s"], keep=Statistics(quantiles=(0.5,)))
    frame = kept.to_frame()
    assert set(frame.variable) == {f"s, {name}" for name in ("mean", "variance", "minimum", "maximum", "quantile")}
    row = frame[(frame.variable == "s, quantile") & (frame.age == "old") & (frame.year == 4)]
    assert row["value"].item() == kept.statistic("quantile", "s")[0, 0, 1, 4]


def test_the_axis_of_time_has_the_unit_of_the_model_and_stays_a_number_in_files(model, found, tmp_path):
    run = simulate(model)
    for dataset in (run.to_xarray(), found.to_xarray()):
        assert dataset["year"].attrs["units"] == "days"
    loaded = load_netcdf(run.save(tmp_path / "run.nc"))
    assert loaded["year"].attrs["units"] == "days"
    np.testing.assert_array_equal(loaded["lag"].to_numpy()[0, 0, :, 0], [2.0, 3.0])


def test_a_run_is_a_wide_table(model):
    run = simulate(model, {"rate": np.array([0.1, 0.2])[None]}, outcomes=["s", "rate"])
    table = run.table()
    assert list(table.columns) == ["s[young]", "s[old]", "rate"]
    assert table.index.names == ["draw", "days"]
    np.testing.assert_array_equal(table.loc[1, "s[old]"], run["s"][0, 1, 1])
    single = simulate(model).table()
    assert single.index.name == "days"
    assert single["rate"].tolist() == [0.1] * 5
    assert "days & " in simulate(model, outcomes=["s"]).to_latex()

"""Forecasts with the parameters of a fit: draws come from it, and it is refused where it does not belong."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from calibration import backtest, forecast
from calibration.filtering import Evidence, Filtered, FilterSettings, estimate, evidence_of
from calibration.forecasting import FilteredModel, baselines, models, origin_at, target_of
from calibration.forecasting.filtered import SinceFit, with_fit
from calibration.forecasting.words import paragraph
from pysd_runner.cli import main
from pysd_runner.core.errors import InvalidInput
from pysd_runner.model import load_model
from pysd_runner.panel import Panel
from pysd_runner.spec import FittedParameters
from tests.calibration.forecasting.series import panel_of, walk

SMALL = FilterSettings(members=40, window=3)
LAST = 2001


def panel(years: int = 12) -> Panel:
    """Four regions from 1990."""
    return panel_of(walk(4, years))


def fit(**changes: object) -> FittedParameters:
    """As if the panel had told the share of capital and the pace of networks, and a coupling."""
    made = FittedParameters(
        model="regional_digital",
        model_sha256=load_model("regional_digital", regions=4).sha256,
        panel="made",
        panel_sha256="b" * 64,
        first_year=1990,
        last_year=LAST,
        regions=panel().codes,
        keys=("q_a", "th_U", "c0"),
        estimates=(0.61, 0.09, 0.12),
        standard_errors=(0.01, 0.01, 0.01),
        covariance=((1e-4, 0.0, 0.0), (0.0, 1e-4, 0.0), (0.0, 0.0, 1e-4)),
        contraction=(0.9, 0.9, 0.9),
        at_bound=("", "", ""),
        status="converged",
        message="",
        fixed={"alpha": 0.29},
    )
    return replace(made, **changes)


def known() -> Evidence:
    target = target_of(panel())
    return evidence_of(target.values, target.years, target.regions, target.groups, panel())


def estimated(given: FittedParameters | None) -> Filtered:
    return estimate(known(), SMALL, seed=0, fit=given)


def test_draws_come_from_the_fit_where_laws_do_not_decide() -> None:
    plain, fitted = estimated(None).members.parameters, estimated(fit()).members.parameters
    assert_allclose(fitted["alpha"], 0.29)
    assert_allclose(np.median(fitted["q_a"]), 0.61, rtol=0.02)
    assert fitted["q_a"].std() < 0.05 < plain["q_a"].std()
    # A coupling is one parameter with one prior and one posterior.
    assert_allclose(np.median(fitted["th_U"]), 0.09, rtol=0.02)
    assert fitted["th_U"].std() < 0.02 < plain["th_U"].std()
    for key in set(plain) - {"q_a", "alpha", "th_U"}:
        assert_allclose(fitted[key], plain[key], rtol=0, atol=0, err_msg=key)


def test_a_sampled_posterior_is_drawn_row_by_row() -> None:
    rows = ((0.4, 0.1, 0.2), (0.7, 0.1, 0.2))
    found = estimated(fit(draws=rows)).members.parameters["q_a"]
    assert set(np.round(found, 12)) == {0.4, 0.7}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"last_year": 2002}, "saw the years to 2002, which lie after the origin 2001"),
        ({"model_sha256": "a" * 64}, "another version of the model"),
        ({"regions": ("R00", "R01", "R02", "R09")}, "R03, R09 appear in only one of the two"),
        ({"regions": ("R00", "R01", "R02")}, "R03 appears in only one of the two"),
    ],
)
def test_a_fit_that_does_not_belong_is_refused(changes: dict[str, object], text: str) -> None:
    given = fit(**changes)
    whole = panel()
    model = FilteredModel(name="filtered", settings=SMALL, fit=given)
    with pytest.raises(InvalidInput, match=text):
        model.forecast(origin_at(target_of(whole), LAST, panel=whole), horizon=2, draws=20, seed=0)
    with pytest.raises(InvalidInput, match=text):
        forecast(whole, until=2003, fit=given)


def test_a_back_test_refuses_a_fit_that_knows_what_came() -> None:
    asked = {"persistence": baselines()["persistence"], "mine": FilteredModel(name="mine", settings=SMALL, fit=fit())}
    found = backtest(panel(14), forecasters=asked, origins=[2001, 2002], horizons=[1], draws=20)
    assert list(found.scores["model"].values) == ["persistence", "mine"]
    with pytest.raises(InvalidInput, match="lie after the origin 2000"):
        backtest(panel(14), forecasters=asked, origins=[2000], horizons=[1], draws=20)


def test_before_its_last_year_the_model_has_its_priors() -> None:
    plain = FilteredModel(name="filtered", settings=SMALL)
    informed = with_fit(plain, fit())
    assert isinstance(informed, SinceFit)
    assert informed.name == "filtered"
    assert repr(informed) != repr(with_fit(plain, fit(last_year=1999)))
    whole = panel()
    for year, same in ((2000, True), (2001, False)):
        origin = origin_at(target_of(whole), year, panel=whole)
        one, other = (item.forecast(origin, horizon=2, draws=20, seed=0).draws for item in (informed, plain))
        assert np.array_equal(one, other) is same


def test_forecasters_without_the_model_take_no_fit() -> None:
    for name in ("mean_reversion", "mean_of_good"):
        with pytest.raises(InvalidInput, match="take 'gapsim' or 'filtered'"):
            with_fit(models()[name], fit())


@pytest.mark.parametrize("name", ["filtered", "gapsim"])
def test_the_result_says_which_fit_it_used(name: str) -> None:
    found = forecast(panel(), until=2003, forecaster=name, fit=fit(), draws=40, past=False)
    assert found.fit == fit()
    assert "filtered" in found.weights
    assert found.couplings is not None
    plain = forecast(panel(), until=2003, forecaster=name, draws=40, past=False)
    assert not np.array_equal(found.draws.to_numpy(), plain.draws.to_numpy())
    # Members were weighed at origins whose future the fit knows, hence without it.
    assert found.weights == plain.weights
    assert "come from the fit to made, 1990 to 2001" in paragraph(found)
    assert "对 made（1990 至 2001 年）的校准" in paragraph(found, "zh")
    assert "the fit to" not in paragraph(plain)


def test_the_command_takes_a_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = panel()
    rows = [
        f"{code},{year},{whole['output_per_head'][row, column]}"
        for row, code in enumerate(whole.codes)
        for column, year in enumerate(whole.years)
    ]
    source, folder = tmp_path / "mine.csv", tmp_path / "fit"
    source.write_text("region,year,output_per_head\n" + "\n".join(rows) + "\n", encoding="utf-8")
    line = [
        "forecast",
        str(source),
        "--until",
        "2003",
        "--draws",
        "20",
        "--no-past",
        "--forecaster",
        "filtered",
        "--json",
    ]
    fit().save(folder / "fitted.json")
    assert main([*line, "--fit", str(folder)]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["data"]["fit"]["last_year"] == LAST
    assert "the values of panel 'mine' are others" in told.err
    fit(last_year=2002).save(folder / "fitted.json")
    assert main([*line, "--fit", str(folder)]) == 2
    told = capsys.readouterr()
    assert "saw the years to 2002" in told.err
    assert "Forecasting" not in told.err

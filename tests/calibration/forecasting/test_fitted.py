"""Forecasts that are kept beside a fit: it moves none, and is refused where it does not belong."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration import forecast
from calibration.forecasting.words import paragraph
from pysd_runner.cli import main
from pysd_runner.core.errors import InvalidInput
from pysd_runner.data import Data
from pysd_runner.model import load_model
from pysd_runner.spec import FittedParameters
from tests.calibration.forecasting.series import panel_of, walk, write_panel

LAST = 2001


def panel(years: int = 12) -> Data:
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
    with pytest.raises(InvalidInput, match=text):
        forecast(panel(), until=2003, fit=fit(**changes))


def test_a_fit_moves_no_forecast_and_is_told_for_runs() -> None:
    found = forecast(panel(), until=2003, fit=fit(), draws=40, past=False)
    plain = forecast(panel(), until=2003, draws=40, past=False)
    assert np.array_equal(found.paths.to_numpy(), plain.paths.to_numpy())
    assert found.weights == plain.weights
    assert found.fit == fit()
    assert found.baseline.provenance["fit"]["sha256"] == fit().sha256
    assert plain.baseline.provenance["fit"] is None
    assert paragraph(found) == paragraph(plain)


def test_the_command_takes_a_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, folder = write_panel(tmp_path / "mine.csv", panel()), tmp_path / "fit"
    line = [
        "forecast",
        str(source),
        "--until",
        "2003",
        "--draws",
        "20",
        "--without",
        "past",
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

"""Forecasts to a year: bands, events counted from the draws, and a paragraph that holds their numbers."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from calibration import forecast
from calibration.forecasting import Combination, models, origin_at, target_of
from calibration.forecasting.events import Futures, chances
from calibration.forecasting.words import paragraph
from pysd_runner.cli import main
from pysd_runner.errors import InvalidInput, UnknownName
from tests.calibration.forecasting.series import panel_of, walk

LAST = np.array([-0.4, -0.2, 0.1, 0.5])
PLACES = {"r00": (0,), "r01": (1,), "r02": (2,), "r03": (3,), "west": (0, 1)}


def futures() -> Futures:
    """A thousand paths of four regions over two years."""
    rng = np.random.default_rng(0)
    draws = LAST[:, None] + np.cumsum(rng.normal(0, 0.1, (1000, 4, 2)), axis=2)
    return Futures(last=LAST, draws=draws, years=(2025, 2026), places=PLACES)


def counted(event: str) -> float:
    return chances([event], futures())[0].probability


def test_events_are_counted_in_the_draws() -> None:
    draws = futures().draws
    end = draws[:, :, 1]
    level = np.exp(end) / np.exp(end).mean(axis=1, keepdims=True)
    assert counted("West closes 10% of its gap by 2026") == np.mean(end[:, :2].mean(axis=1) >= 0.9 * -0.3)
    assert counted("R01 overtakes R02 by 2025") == np.mean(draws[:, 1, 0] > draws[:, 2, 0])
    assert counted("the west above 80 % of the mean in 2026") == np.mean(level[:, :2].mean(axis=1) > 0.8)
    assert counted("dispersion falls by 5% by 2026") == np.mean(end.std(axis=1) <= 0.95 * LAST.std())
    below, above = counted("R03 below 160% of the mean in 2026"), counted("R03 above 160% of the mean in 2026")
    assert_allclose(below + above, 1.0)


@pytest.mark.parametrize(
    ("event", "kind", "message"),
    [
        ("pigs fly by 2026", InvalidInput, "not understood"),
        ("West closes 10% of its gap by 2040", InvalidInput, "2025 to 2026"),
        ("R03 closes 10% of its gap by 2026", InvalidInput, "no gap to close"),
        ("R03 overtakes R00 by 2026", InvalidInput, "ahead"),
        ("Wst closes 10% of its gap by 2026", UnknownName, "west"),
        ("R00 above 0% of the mean in 2026", InvalidInput, "above 0%"),
    ],
)
def test_events_that_cannot_be_counted_are_refused(event: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        counted(event)


def test_a_forecast_holds_its_draws_events_and_past() -> None:
    panel = panel_of(walk(4, 14), groups=("a", "b"))
    event = "dispersion falls by 1% by 2005"
    found = forecast(panel, until=2005, model="damped_drift", events=[event], draws=60)
    assert found.draws.shape == (60, 4, 2)
    assert found.origin == 2003
    falls = found.draws.to_numpy()[:, :, -1].std(axis=1) <= 0.99 * found.history.to_numpy()[:, -1].std()
    assert found.chances[0].probability == falls.mean()
    assert found.past
    assert max(found.past_origins) < found.origin
    table = found.table()
    assert len(table) == 8
    assert_allclose(table["q50"], 100 * np.exp(found.bands().sel(level=0.5).to_numpy()).ravel())
    for lang in ("en", "zh"):
        text = paragraph(found, lang)
        assert f"{found.chances[0].probability:.0%}" in text
        assert "damped_drift" in text
        assert "{" not in text


def test_the_model_says_what_its_couplings_do() -> None:
    found = forecast(panel_of(walk(4, 12)), until=2003, model="filtered", draws=40, past=False)
    assert found.weights == {"filtered": 1.0}
    assert found.couplings is not None
    assert found.couplings >= 0
    assert f"{100 * np.expm1(found.couplings):.2f}" in paragraph(found)
    assert "mixture" not in paragraph(found)


def test_the_final_forecast_is_the_one_that_is_made_and_says_how_much_of_it_is_the_model() -> None:
    panel, told = panel_of(walk(4, 11)), []
    found = forecast(
        panel, until=2002, draws=40, past=False, progress=lambda what, done, total: told.append((what, done, total))
    )
    assert found.model == "gapsim"
    # Members are repeated at every year that is judged, and each says how far it is.
    assert told == [(f"from {1995 + place}", place + 1, 5) for place in range(5)]
    final = models()["gapsim"]
    assert isinstance(final, Combination)
    target = target_of(panel)
    weights = final.weights(origin_at(target, 2000, panel=panel), horizon=2, draws=40, seed=0)
    assert_allclose(list(found.weights.values()), weights)
    assert list(found.weights) == [member.name for member in final.members]
    alone = forecast(panel, until=2002, model="filtered", draws=40, past=False)
    assert alone.couplings is not None
    assert found.couplings is not None
    assert_allclose(found.couplings, found.weights["filtered"] * alone.couplings)
    for lang, whole in (("en", "is the simulation model"), ("zh", "来自仿真模型")):
        text = paragraph(found, lang)
        assert f"{found.weights['filtered']:.0%} {whole}" in text
        for name, weight in found.weights.items():
            assert f"{weight:.0%}" in text
            assert name in text


def test_years_draws_and_short_panels_are_refused() -> None:
    panel = panel_of(walk(4, 12))
    with pytest.raises(InvalidInput, match="after the last one"):
        forecast(panel, until=1999)
    with pytest.raises(InvalidInput, match="at least 2"):
        forecast(panel, until=2005, draws=1)
    with pytest.raises(InvalidInput, match="to learn from"):
        forecast(panel_of(walk(4, 4)), until=2005)
    with pytest.raises(InvalidInput, match="seed must be a whole number from 0"):
        forecast(panel, until=2005, seed=-1)
    with pytest.raises(UnknownName, match="filtered"):
        forecast(panel, until=2005, model="filterd")


def write(source: Path) -> Path:
    """A file of four regions, 1990-2001."""
    panel = panel_of(walk(4, 12))
    rows = [
        f"{code},{year},{panel['output_per_head'][row, column]}"
        for row, code in enumerate(panel.codes)
        for column, year in enumerate(panel.years)
    ]
    source.write_text("region,year,output_per_head\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return source


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--until", "1999"], "after the last one of the panel, 2001"),
        (["--until", "99999"], "at most 50 years"),
        (["--model", "filterd"], "Did you mean 'filtered'?"),
        (["--event", "pigs fly by 2005"], "not understood"),
        (["--event", "R09 overtakes R01 by 2005"], "no region or class 'R09'"),
        (["--until", "2003", "--event", "R00 overtakes R01 by 2005"], "choose a year from 2002 to 2003"),
    ],
)
def test_nothing_begins_before_everything_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], text: str
) -> None:
    assert main(["forecast", str(write(tmp_path / "mine.csv")), *options]) == 2
    told = capsys.readouterr().err
    assert text in told
    assert "Forecasting" not in told


def test_the_command_writes_figure_table_draws_and_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "mine.csv")
    out = tmp_path / "out"
    line = ["forecast", str(source), "--until", "2003", "--draws", "40", "--no-past", "--out", str(out), "--json"]
    code = main(line)
    answer = json.loads(capsys.readouterr().out)
    assert code == 0
    assert len(answer["data"]["table"]) == 8
    assert list(answer["data"]["weights"]) == ["filtered", "pull", "error_correction"]
    assert set(answer["data"]["text"]) == {"en", "zh"}
    names = {"forecast.png", "forecast.svg", "forecast.csv", "forecast.txt", "table.csv", "draws.nc", "forecast.md"}
    assert {path.name for path in out.iterdir()} == names
    assert main(["forecast", str(source), "--until", "2003", "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert "holds earlier results" in said
    assert "Forecasting" not in said

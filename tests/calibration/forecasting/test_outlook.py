"""Forecasts to a year: bands, events counted from the draws, and a paragraph that holds their numbers."""

import cProfile
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from calibration import backtest, forecast
from calibration.forecasting import FilteredModel, Forecast, Origin, Outlook, models, target_of
from calibration.forecasting.words import chance, paragraph, percent
from calibration.reporting.pages import last_year, write_outlook
from pysd_runner.cli import main
from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.indicators.events import EventDraws, chances
from pysd_runner.text import texts
from tests.calibration.forecasting.series import panel_of, walk, write_panel

LAST = np.array([-0.4, -0.2, 0.1, 0.5])
PLACES = {"West": (0, 1), "R00": (0,), "R01": (1,), "R02": (2,), "The Gap": (3,), "R03": (3,)}


def futures() -> EventDraws:
    """A thousand paths of four regions over two years."""
    rng = np.random.default_rng(0)
    draws = LAST[:, None] + np.cumsum(rng.normal(0, 0.1, (1000, 4, 2)), axis=2)
    return EventDraws(last=LAST, draws=draws, years=(2025, 2026), places=PLACES, classes=("West",))


def counted(event: str) -> float:
    return chances([event], futures())[0].probability


def calls_to_tell(regions: int) -> int:
    """Calls of functions that the words, the table and the hash of a forecast of so many marked regions take."""
    panel = panel_of(walk(regions, 8))
    (name, column), *_ = panel.columns.items()
    panel = replace(panel, columns={name: replace(column, marks=np.full(column.values.shape, "p"))})
    outlook = forecast(panel, until=1999, draws=2, past=False)
    profile = cProfile.Profile()
    profile.runcall(lambda: (paragraph(outlook, "zh"), outlook.table(), panel.sha256))
    return sum(item.callcount for item in profile.getstats())


def test_telling_a_forecast_takes_work_in_proportion_to_the_regions() -> None:
    calls_to_tell(4)
    assert calls_to_tell(120) < 2.2 * calls_to_tell(60)


def test_events_are_counted_in_the_draws() -> None:
    draws = futures().draws
    end = draws[:, :, 1]
    closed = draws[:, :2].mean(axis=1) >= 0.9 * -0.3
    assert counted("West closes 10% of its gap by 2026") == np.mean(closed.any(axis=1))
    assert counted("West closes 10% of its gap in 2026") == np.mean(closed[:, 1])
    to_leader = LAST[1] - LAST.max()
    leader = int(LAST.argmax())
    happened = np.mean(end[:, 1] - end[:, leader] >= 0.9 * to_leader)
    assert counted("R01 closes 10% of its gap to the leader in 2026") == happened
    assert counted(f"R01 closes 10% of the gap to R0{leader} in 2026") == happened
    between = end[:, :2].mean(axis=1) - end[:, 2]
    assert counted("west closes 10% of its gap to R02 in 2026") == np.mean(between >= 0.9 * (-0.3 - LAST[2]))
    assert counted("R01 overtakes R02 by 2025") == np.mean(draws[:, 1, 0] > draws[:, 2, 0])
    assert counted("the west above 80 % of the mean in 2026") == np.mean(end[:, :2].mean(axis=1) > np.log(0.8))
    assert counted("dispersion falls by 5% in 2026") == np.mean(end.std(axis=1) <= 0.95 * LAST.std())
    falls = draws.std(axis=1) <= 0.95 * LAST.std()
    assert counted("dispersion falls by 5% by 2026") == np.mean(falls.any(axis=1))
    assert counted("the gap above 150% of the mean in 2026") == counted("R03 above 150% of the mean in 2026")
    below, above = counted("R03 below 160% of the mean in 2026"), counted("R03 above 160% of the mean in 2026")
    assert_allclose(below + above, 1.0)


@pytest.mark.parametrize(
    ("event", "kind", "message"),
    [
        ("pigs fly by 2026", InvalidInput, "not understood"),
        ("West closes 10% of its gap by 2040", InvalidInput, "2025 to 2026"),
        ("R03 closes 10% of its gap by 2026", InvalidInput, "no gap to close"),
        ("R03 closes 10% of its gap to the leader by 2026", InvalidInput, "R03 is not below the leader"),
        ("R01 closes 10% of its gap to the best by 2026", UnknownName, "no region or class 'the best'"),
        ("R03 overtakes R00 by 2026", InvalidInput, "ahead"),
        ("Wst closes 10% of its gap by 2026", UnknownName, "classes are West, .* R00, R01.* Did you mean 'West'"),
        ("West closes 0% of its gap by 2026", InvalidInput, "above 0%"),
        ("R01 overtakes r01 by 2026", InvalidInput, "overtakes itself"),
        ("dispersion falls by 200% by 2026", InvalidInput, "less than 100%"),
        ("dispersion rises by 0% by 2026", InvalidInput, "above 0%"),
        ("R00 above 0% of the mean in 2026", InvalidInput, "above 0%"),
    ],
)
def test_events_that_cannot_be_counted_are_refused(event: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        counted(event)


def test_a_forecast_holds_its_draws_events_and_past() -> None:
    panel = panel_of(walk(4, 14), groups=("a", "b"))
    event = "dispersion falls by 1% by 2004"
    found = forecast(panel, until=2005, forecaster="damped_drift", events=[event], draws=60)
    assert found.paths.shape == (60, 4, 2)
    assert found.origin == 2003
    falls = found.paths.to_numpy()[:, :, 0].std(axis=1) <= 0.99 * found.history.to_numpy()[:, -1].std()
    assert found.chances[0].probability == falls.mean()
    usual = backtest(panel, forecasters={name: models()[name] for name in ("persistence", "damped_drift")})
    assert list(found.past) == [
        row for row in usual.skill() if row["model"] != "persistence" and row["horizon"] in (1, 3, 5)
    ]
    assert found.past_origins == tuple(range(1998, 2003))
    table = found.table()
    assert len(table) == 8
    assert list(table.columns[:4]) == ["region", "name_en", "name_zh", "year"]
    assert [found.names[code] for code in table["region"]] == list(zip(table["name_en"], table["name_zh"], strict=True))
    assert_allclose(table["q50"], 100 * np.exp(found.bands().sel(level=0.5).to_numpy()).ravel())
    for lang in ("en", "zh"):
        text = paragraph(found, lang)
        assert percent(found.chances[0].probability) in text
        assert "2004" in text
        assert texts(lang, "forecaster")["damped_drift"] in text
        assert "{" not in text


def test_regions_not_observed_in_the_last_year_are_named_and_start_from_their_last_level() -> None:
    logs = walk(6, 14)
    complete = forecast(panel_of(logs), until=2005, forecaster="damped_drift", draws=60, past=False)
    assert "was observed in 2003" not in paragraph(complete)
    logs[1, -1] = logs[2, -2:] = np.nan
    found = forecast(panel_of(logs), until=2005, forecaster="damped_drift", draws=60, past=False)
    text = {lang: paragraph(found, lang) for lang in ("en", "zh")}
    first, second = (found.names[str(code)][0] for code in found.paths["region"].to_numpy()[1:3])
    assert f"No output was observed in 2003 of {first}, {second} (2 of 6 regions)" in text["en"]
    assert "没有 2003 年的观测值（6 个地区中的 2 个）" in text["zh"]
    table = found.table().groupby("region")["last"].first()
    assert_allclose(table, 100 * np.exp(found.last))
    assert found.last[1] == found.history.to_numpy()[1, -2]
    years = found.table().groupby("region")["last_year"].first()
    assert years.tolist() == [2003, 2002, 2001, 2003, 2003, 2003]
    logs[:4, -1] = np.nan
    many = paragraph(forecast(panel_of(logs), until=2005, forecaster="damped_drift", draws=60, past=False))
    assert "and 1 more (4 of 6 regions)" in many


def test_dispersion_is_told_with_how_often_such_forecasts_held() -> None:
    panel = panel_of(walk(5, 20, seed=1))
    values = target_of(panel).values
    found = forecast(panel, until=2014, forecaster="damped_drift", draws=60)
    scored = backtest(panel, forecasters={name: models()[name] for name in ("persistence", "damped_drift")})
    chosen = scored.scores.sel(model="damped_drift")
    size, right, brier, base = values.std(axis=0), {}, [], []
    for step in (1, 2, 3, 4, 5):
        for origin in range(8, 20 - step):
            fell = size[origin + step] < size[origin]
            falls = chosen["dispersion_falls"].sel(origin=1990 + origin, horizon=step).item()
            known = [size[year + step] < size[year] for year in range(origin + 1 - step)]
            right.setdefault(step, []).append((falls > 0.5) == fell)
            brier.append((falls - fell) ** 2)
            base.append(((sum(known) + 1) / (len(known) + 2) - fell) ** 2)
    assert found.dispersion["held"] == {step: (sum(held), len(held)) for step, held in right.items()}
    assert_allclose([found.dispersion["brier"], found.dispersion["brier_base"]], [np.mean(brier), np.mean(base)])
    held, number = found.dispersion["held"][5]
    told = f"5 years ahead was predicted correctly from {held} of {number} past origins"
    # Better than the base rate known at the time, and than a coin.
    for brier, base_rate, better in ((0.1, 0.2, True), (0.1, 0.1, False), (0.3, 0.4, False)):
        changed = replace(found, dispersion={**found.dispersion, "brier": brier, "brier_base": base_rate})
        (sentence,) = (part for part in paragraph(changed).split(". ") if "the dispersion" in part)
        assert told in sentence
        assert ("it falls with probability" in sentence) == better
        assert ("下降的概率为" in paragraph(changed, "zh")) == better
        assert f"以往 {number} 个起点中" in paragraph(changed, "zh")
    # What was not scored is not told.
    bare = forecast(panel, until=2014, forecaster="damped_drift", draws=60, past=False)
    assert bare.dispersion == {}
    assert "probability" not in paragraph(bare)


def test_moves_are_those_of_the_table() -> None:
    found = forecast(panel_of(walk(4, 14)), until=2005, forecaster="damped_drift", draws=60, past=False)
    table = found.table()
    last = table[table["year"] == 2005].set_index("region")
    moves = last["q50"] / last["last"] - 1
    text = paragraph(found)
    assert f"{found.names[moves.idxmax()][0]} is expected to gain most ({percent(moves.max(), signed=True)} of" in text
    assert f"{found.names[moves.idxmin()][0]} to lose most ({percent(moves.min(), signed=True)})" in text


def scored(*origins: int, ratio: float = 0.8) -> Outlook:
    """A forecast whose past was 0.8 of persistence from so many origins at 1, 3 and 5 years."""
    found = forecast(panel_of(walk(4, 14)), until=2005, forecaster="damped_drift", draws=20, past=False)
    score = {"rmse_ratio_to_persistence": ratio, "coverage_90": 0.925}
    rows = tuple(
        {"horizon": ahead, "origins": number, **score} for ahead, number in zip((1, 3, 5), origins, strict=False)
    )
    return replace(found, past=rows, past_origins=tuple(range(2002, 2002 + max(origins))))


def test_how_many_origins_there_were_is_told_and_when_they_are_too_few() -> None:
    alone = scored(1)
    assert "Past origins (2002) are fewer than 8, too few to judge" in paragraph(alone)
    assert "(1 origin; intervals of 90% held 93% of realisations)" in paragraph(alone)
    assert "以往的起点（2002 年）不足 8 个" in paragraph(alone, "zh")
    assert "1 个起点" in paragraph(alone, "zh")
    mixed = scored(9, 8, 7)
    told = (
        "have done better than persistence so far: from past origins (2002 to 2010) they had, by root mean square, 20%"
    )
    assert told in paragraph(mixed)
    assert "3 years ahead (8 origins;" in paragraph(mixed)
    assert "5 years ahead (7 origins, too few to judge;" in paragraph(mixed)
    assert "5 年期比“维持不变”小 20%（7 个起点，太少，不足以评判" in paragraph(mixed, "zh")
    assert "the same errors as persistence 1 year ahead" in paragraph(scored(9, ratio=1.004))


@pytest.mark.parametrize(
    ("ratio", "english", "chinese"),
    [
        (0.9, "done better than persistence", "优于“维持不变”"),
        (1.004, "done neither better nor worse than persistence throughout", "与“维持不变”互有优劣或相差无几"),
        (1.1, "done worse than persistence", "不如“维持不变”"),
    ],
)
def test_one_sentence_says_how_such_forecasts_did_on_this_panel(ratio: float, english: str, chinese: str) -> None:
    found = scored(9, 8, 2, ratio=ratio)
    # Too few origins have no say.
    found = replace(found, past=(*found.past[:2], {**found.past[2], "rmse_ratio_to_persistence": 2.0 - ratio}))
    (sentence,) = (part for part in paragraph(found).split(". ") if "On this very panel" in part)
    assert f"such forecasts have {english} so far: from past origins (2002 to 2010)" in sentence
    assert f"就本面板而言，迄今此类预测{chinese}：" in paragraph(found, "zh")


def test_how_sure_past_scores_are_is_told() -> None:
    found = scored(9)
    sure = replace(found, past=tuple({**row, "rmse_ratio_low": 0.655, "rmse_ratio_high": 1.02} for row in found.past))
    assert "1 year ahead (-35% to +2% with nine chances in ten; 9 origins;" in paragraph(sure)
    assert "（90% 的可能在 -35% 至 +2% 之间；9 个起点" in paragraph(sure, "zh")


def test_a_gap_says_what_it_is_to_and_chances_are_never_certain() -> None:
    panel = panel_of(walk(4, 14))
    last = target_of(panel).values[:, -1]
    low, high = (f"R0{place}" for place in (int(last.argmin()), int(last.argmax())))
    events = [
        f"{low} closes 99.9% of its gap by 2004",
        f"{low} closes 0.1% of its gap to the leader by 2004",
        f"{low} below 1000% of the mean in 2004",
        f"{high} below 1% of the mean in 2004",
    ]
    found = forecast(panel, until=2005, forecaster="persistence", events=events, draws=60, past=False)
    text = paragraph(found)
    assert text.count("the gap is that to the mean of the regions") == 1
    assert text.count("(at any time until 2004") == text.count("(in 2004 alone, not on the way)") == 2
    assert f"“{events[2]}” has a probability of >99%" in text
    assert f"“{events[3]}” has a probability of <1%" in text
    assert paragraph(found, "zh").count("差距指与各地区均值的差距") == 1
    assert paragraph(found, "zh").count("（截至 2004 年的任一年") == 2
    assert [chance(share) for share in (0.0, 0.004, 0.006, 0.5, 0.994, 0.996, 1.0)] == [
        "<1%",
        "<1%",
        "1%",
        "50%",
        "99%",
        ">99%",
        ">99%",
    ]


@pytest.mark.parametrize(
    ("share", "text"), [(0.665, "67%"), (0.025, "3%"), (0.285, "29%"), (0.0, "0%"), (-0.004, "0%"), (-0.105, "-11%")]
)
def test_halves_are_rounded_up(share: float, text: str) -> None:
    assert percent(share) == text


def test_a_panel_too_short_for_a_back_test_is_scored_from_the_origins_there_are() -> None:
    found = forecast(panel_of(walk(4, 7)), until=1997, forecaster="damped_drift", draws=20)
    assert found.past_origins == (1994, 1995)
    assert [(row["horizon"], row["origins"]) for row in found.past] == [(1, 2)]


def test_years_of_which_nothing_is_known_are_no_past_origins() -> None:
    logs = walk(4, 15)
    logs[:, 10] = np.nan
    found = forecast(panel_of(logs), until=2006, forecaster="mean_reversion", draws=10)
    assert found.past_origins == (1998, 1999, 2001, 2002, 2003)


def test_the_final_forecast_is_the_one_that_is_made_and_says_what_it_is_made_of() -> None:
    found = forecast(panel_of(walk(4, 11)), until=2002, draws=40, past=False)
    assert found.model == "gapsim"
    assert found.weights == {"filtered": 0.45, "error_correction_shrunken": 0.45, "persistence": 0.1}
    for lang, whole in (("en", "is a Kalman filter"), ("zh", "来自关于水平、动量与向均值收敛的卡尔曼滤波")):
        text = paragraph(found, lang)
        assert f"45% {whole}" in text
        for name, weight in found.weights.items():
            assert percent(weight) in text
            assert texts(lang, "forecaster")[name] in text


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
        forecast(panel, until=2005, forecaster="filterd")


def write(source: Path) -> Path:
    """A file of four regions, 1990-2001."""
    return write_panel(source, panel_of(walk(4, 12)))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--until", "1999"], "after the last one of the panel, 2001"),
        (["--until", "99999"], "at most 50 years"),
        (["--forecaster", "filterd"], "Did you mean 'filtered'?"),
        (["--event", "pigs fly by 2005"], "not understood"),
        (
            ["--event", "R09 overtakes R01 by 2005"],
            "no region or class 'R09': it has no classes, its regions are R00, R01",
        ),
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
    line = [
        "forecast",
        str(source),
        "--until",
        "2003",
        "--draws",
        "40",
        "--without",
        "past",
        "--out",
        str(out),
        "--json",
    ]
    line += ["--event", "dispersion rises by 1% by 2003"]
    code = main(line)
    answer = json.loads(capsys.readouterr().out)
    assert code == 0
    assert len(answer["data"]["table"]) == 8
    assert list(answer["data"]["weights"]) == ["filtered", "error_correction_shrunken", "persistence"]
    assert pd.read_csv(out / "events.csv").to_dict("records") == answer["data"]["events"]
    assert set(answer["data"]["text"]) == {"en", "zh"}
    names = {
        "events.csv",
        "forecast.png",
        "forecast.svg",
        "forecast.csv",
        "forecast.txt",
        "table.csv",
        "baseline.nc",
        "forecast.html",
        "forecast.md",
    }
    assert {path.name for path in out.iterdir()} == names
    drawn = pd.read_csv(out / "forecast.csv")
    assert set(drawn["quantile"].dropna()) == {0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95}
    assert pd.api.types.is_float_dtype(drawn["value"])
    assert drawn[drawn["series"] == "history"]["year"].max() == 2001
    table = pd.DataFrame(answer["data"]["table"]).set_index(["region", "year"])["q50"]
    middle = drawn[drawn["quantile"] == 0.5].set_index(["region", "year"])["value"]
    assert_allclose(middle.loc[table.index], table, rtol=1e-5)
    assert main(["forecast", str(source), "--until", "2003", "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert "holds earlier results" in said
    assert "Forecasting" not in said


def test_regions_that_come_late_or_end_early_are_forecast_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        f"R{place},{1990 + year},{value:.3f}"
        for place, series in enumerate(np.exp(walk(5, 14)))
        for year, value in enumerate(series)
        if not (place == 1 and year > 6) and not (place == 3 and year < 9)
    ]
    source = tmp_path / "mine.csv"
    source.write_text("\n".join(["region,year,output_per_head", *rows]), encoding="utf-8")
    assert (
        main(["forecast", str(source), "--until", "2004", "--forecaster", "damped_drift", "--draws", "20", "--json"])
        == 0
    )
    answer = json.loads(capsys.readouterr().out)
    assert {row["region"] for row in answer["data"]["table"]} == {f"R{place}" for place in range(5)}
    assert "No output was observed in 2003 of R1 (1 of 5 regions)" in answer["data"]["text"]["en"]
    assert not [text for text in answer["warnings"] if "left out" in text or "population" in text]
    assert main(["backtest", str(source), "--forecaster", "damped_drift", "--draws", "20", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"]["regions"] == [f"R{place}" for place in range(5)]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_many_regions_are_drawn_as_dots_and_the_table_has_those_that_move_most(tmp_path: Path, lang: str) -> None:
    found = forecast(panel_of(walk(70, 14)), until=2005, forecaster="damped_drift", draws=20, past=False)
    write_outlook(found, tmp_path, lang=lang)
    figure = found.plot(lang=lang)
    (axes,) = figure.axes
    (dots,) = [line for line in axes.get_lines() if line.get_marker() == "o"]
    last = found.table().query("year == 2005").set_index("region")
    assert_allclose(np.sort(dots.get_xdata()), np.sort(last["q50"]), rtol=1e-4)
    (marks,) = [line for line in axes.get_lines() if line.get_marker() == "|"]
    assert_allclose(np.sort(marks.get_xdata()), np.sort(last["last"]))
    heading, frame = last_year(found, lang)
    moves = np.log(last["q50"] / last["last"]).abs()
    most = set(moves.nlargest(20).index)
    assert set(frame.index) == {found.names[str(code)][0 if lang == "en" else 1] for code in most}
    assert "table.csv" in heading
    written = (tmp_path / "forecast.md").read_text(encoding="utf-8")
    assert heading in written
    assert sum(line.startswith("| ") for line in written.splitlines()) == 22


def test_past_scores_are_written_as_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = write(tmp_path / "mine.csv"), tmp_path / "out"
    line = ["forecast", str(source), "--until", "2002", "--draws", "20", "--forecaster", "damped_drift", "--json"]
    assert main([*line, "--out", str(out)]) == 0
    rows = json.loads(capsys.readouterr().out)["data"]["past"]
    written = pd.read_csv(out / "past.csv")
    assert list(written["horizon"]) == [1, 3]
    assert_allclose(written["crps"], [row["crps"] for row in rows], rtol=1e-6)
    assert not (out / "events.csv").exists()


def test_with_past_scores_no_member_forecasts_the_same_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does that past scores are asked for move a draw."""
    asked = []
    original = FilteredModel.forecast

    def noted(self: FilteredModel, origin: Origin, *, horizon: int, draws: int, seed: int) -> Forecast:
        asked.append((origin.time, horizon, draws))
        return original(self, origin, horizon=horizon, draws=draws, seed=seed)

    panel = panel_of(walk(4, 12))
    plain = forecast(panel, until=2004, draws=600, past=False)
    monkeypatch.setattr(FilteredModel, "forecast", noted)
    found = forecast(panel, until=2004, draws=600)
    assert len(set(asked)) == len(asked)
    assert sorted(asked) == [*[(year, 5, 500) for year in range(1998, 2001)], (2001, 3, 600)]
    assert found.weights == plain.weights
    xr.testing.assert_equal(found.paths, plain.paths)


def test_a_forecast_that_was_kept_is_the_one_it_was_made_as_and_no_other() -> None:
    panel, settings = panel_of(walk(4, 14)), {"forecaster": "damped_drift", "past": False}
    kept = forecast(panel, until=2008, draws=60, **settings).baseline
    near = forecast(panel, until=2005, draws=40, kept=kept, **settings)
    assert_allclose(near.paths, kept.paths[:40, :, : near.paths.sizes["year"]], rtol=0, atol=0)
    for other in ({"seed": 1}, {"draws": 61}, {"until": 2009}, {"forecaster": "persistence"}):
        asked = {"until": 2005, "draws": 40, **settings, **other}
        assert_allclose(forecast(panel, kept=kept, **asked).paths, forecast(panel, **asked).paths, rtol=0, atol=0)

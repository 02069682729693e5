"""Policies on a forecast: the effect of a run is added draw by draw, and a run of something else is refused."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from calibration import forecast
from calibration.forecasting import Outlook, under_policies
from calibration.forecasting.policies import policy_table
from calibration.forecasting.words import chance, policies_paragraph
from pysd_runner.cli import main
from pysd_runner.errors import InvalidInput
from pysd_runner.export import load_netcdf
from pysd_runner.panel import Panel
from pysd_runner.projection import Projection
from tests.calibration.forecasting.series import panel_of, walk

Array = NDArray[np.float64]

REGIONS, YEARS, RUNS = 4, 12, 7
ORIGIN, UNTIL = 2001, 2004
EVENT = "R01 closes 5% of its gap by 2003"


@cache
def outlook() -> Outlook:
    """Three years of four regions; R01 is below the mean."""
    return forecast(panel(), until=UNTIL, model="damped_drift", draws=41, events=[EVENT], past=False)


def panel() -> Panel:
    logs = walk(REGIONS, YEARS)
    logs[1] -= 1.0
    return panel_of(logs)


def effects(seed: int = 0) -> Array:
    """What a policy adds to logs, shape (run, region, year); nothing at the origin."""
    found = np.random.default_rng(seed).normal(0, 0.02, (RUNS, REGIONS, UNTIL - ORIGIN + 1))
    found[:, :, 0] = 0.0
    return found


def projection(policies: Mapping[str, Array], *, order: tuple[int, ...] = (2, 0, 3, 1)) -> Projection:
    """A run with a baseline; its regions stand in another order than those of the forecast."""
    last = panel()["output_per_head"][:, -1]
    rng = np.random.default_rng(9)
    baseline = np.log(last)[:, None] + np.cumsum(rng.normal(0, 0.05, (RUNS, REGIONS, UNTIL - ORIGIN + 1)), axis=2)
    baseline[:, :, 0] = np.log(last)
    values = np.stack([baseline, *(baseline + item for item in policies.values())])[:, :, list(order)]
    names = ["baseline", *policies]
    data = xr.DataArray(
        np.exp(values),
        dims=("scenario", "draw", "region", "year"),
        coords={
            "scenario": names,
            "draw": range(RUNS),
            "region": [f"R{place:02d}" for place in order],
            "year": range(ORIGIN, UNTIL + 1),
            "label_en": ("scenario", [name.title() for name in names]),
            "label_zh": ("scenario", [f"政策{name}" for name in names]),
        },
    )
    return Projection(
        data=data.to_dataset(name="output_per_head"),
        history=xr.Dataset(),
        origin=ORIGIN,
        baselines=dict.fromkeys(names, "baseline"),
    )


def test_each_draw_gets_the_relative_effect_of_one_run() -> None:
    effect = effects()
    found = under_policies(outlook(), projection({"help": effect}))[0]
    moved = (found.draws - outlook().draws).to_numpy()
    assert_allclose(moved.mean(axis=1), 0.0, atol=1e-12)
    wanted = (effect - effect.mean(axis=1, keepdims=True))[:, :, 1:]
    taken = [int(np.abs(wanted - draw).max(axis=(1, 2)).argmin()) for draw in moved]
    assert_allclose(moved, wanted[taken], atol=1e-12)
    # Every run is as frequent as the number of draws allows.
    assert set(np.bincount(taken, minlength=RUNS)) == {5, 6}


def test_a_policy_that_does_nothing_changes_nothing_and_one_that_lifts_all_regions_neither() -> None:
    same = effects()[:, :1].repeat(REGIONS, axis=1)
    for found in under_policies(outlook(), projection({"none": 0 * effects(), "all": same})):
        assert_allclose(found.draws, outlook().draws, atol=1e-12)
        assert_allclose(found.change, 0.0, atol=1e-12)
        assert found.falls[0] == found.falls[1]
        assert found.chances == outlook().chances


def test_a_policy_for_the_poorest_makes_its_event_likelier_and_dispersion_smaller() -> None:
    effect = np.zeros((RUNS, REGIONS, UNTIL - ORIGIN + 1))
    effect[:, 1, 1:] = 0.05
    weak, strong = under_policies(outlook(), projection({"weak": effect, "strong": 4 * effect}))
    plain = outlook().chances[0].probability
    assert plain < weak.chances[0].probability < strong.chances[0].probability
    assert strong.change[1] < weak.change[1] < 0
    assert weak.falls[1] >= weak.falls[0] == strong.falls[0]
    end = strong.draws.to_numpy()[:, :, -1]
    before = np.std(outlook().history.to_numpy()[:, -1])
    assert_allclose(strong.falls[1], np.mean(end.std(axis=1) < before))
    assert_allclose(strong.change[1], np.median(end.std(axis=1) / outlook().draws.to_numpy()[:, :, -1].std(axis=1)) - 1)
    table = policy_table(outlook(), (weak, strong))
    assert list(table["scenario"]) == ["weak", "weak", "strong", "strong"]
    assert list(table["year"]) == [UNTIL, 2003, UNTIL, 2003]
    assert table["probability"][3] == strong.chances[0].probability
    assert (table["without_policy"][[1, 3]] == plain).all()
    for lang, name, lower in (("en", "Strong", "lower ("), ("zh", "政策strong", "比不实施时低")):
        text = policies_paragraph(outlook(), [strong], lang)
        assert name in text
        assert lower in text
        assert f"{100 * -strong.change[1]:.1f}%" in text
        assert chance(strong.falls[1]) in text


def test_effects_of_both_signs_of_none_and_against_another_world_are_said_as_they_are() -> None:
    good = projection({"mixed": effects(), "none": 0 * effects()})
    mixed, none = under_policies(outlook(), good)
    low, _, high = (f"{100 * value:+.1f}%" for value in mixed.change)
    for lang, same in (("en", "is the same as without it"), ("zh", "与不实施时相同")):
        assert f"{low} to {high}" in policies_paragraph(outlook(), [mixed], "en")
        assert same in policies_paragraph(outlook(), [none], lang)
    assert policies_paragraph(outlook(), []) == ""
    # The caution stands once, however many policies there are.
    assert policies_paragraph(outlook(), [mixed, none]).count("rest mostly on priors") == 1
    other = replace(good, baselines={"baseline": "baseline", "mixed": "none", "none": "none"})
    (found,) = under_policies(outlook(), other)
    assert not found.same_world
    assert "in another world than the one that is forecast, against “None”" in policies_paragraph(outlook(), [found])
    assert "another world" not in policies_paragraph(outlook(), [mixed])
    # Where a baseline stands says nothing about its world.
    turned = replace(other, data=other.data.isel(scenario=[2, 1, 0]))
    assert not under_policies(outlook(), turned)[0].same_world
    assert all(
        item.same_world for item in under_policies(outlook(), replace(good, data=good.data.isel(scenario=[2, 1, 0])))
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ((-0.03, 0.0, 0.0), "0.0% lower (nine chances in ten: 0.0% to 3.0%) than without it"),
        ((-0.0002, 0.012, 0.03), "1.2% higher (nine chances in ten: 0.0% to 3.0%) than without it"),
        ((-0.0003, 0.0001, 0.0004), "is the same as without it"),
        ((-0.01, 0.002, 0.02), "changed by +0.2% (nine chances in ten: -1.0% to +2.0%) against that without it"),
    ],
)
def test_changes_are_said_as_they_are_printed(
    change: tuple[float, float, float], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = under_policies(outlook(), projection({"help": effects()}))[0]
    monkeypatch.setattr(type(found), "change", change)
    assert text in policies_paragraph(outlook(), [found])


@pytest.mark.parametrize("words", ["dispersion falls by {}", "Dispersion falls in {}", "the  dispersion falls by {} "])
def test_that_dispersion_falls_is_listed_once(words: str) -> None:
    asked = forecast(panel(), until=UNTIL, model="damped_drift", draws=41, past=False, events=[words.format(UNTIL)])
    found = under_policies(asked, projection({"help": effects()}))
    assert len(policy_table(asked, found)) == 1
    assert len(policy_table(outlook(), under_policies(outlook(), projection({"help": effects()})))) == 2


def test_levels_with_a_policy_are_quantiles_of_its_draws() -> None:
    found = under_policies(outlook(), projection({"help": effects()}))[0]
    row = found.table().set_index(["region", "year"]).loc["R02", 2004]
    draws = 100 * np.exp(found.draws.sel(region="R02", year=2004).to_numpy())
    assert_allclose([row["q05"], row["q50"], row["q95"]], np.quantile(draws, (0.05, 0.5, 0.95)), rtol=1e-3)


def holed(data: xr.Dataset, value: float) -> xr.Dataset:
    """The same with one value in another place."""
    values = data["output_per_head"].copy(deep=True)
    values[1, 2, 0, 1] = value
    return data.assign(output_per_head=values)


def test_a_run_of_something_else_is_refused() -> None:
    good = projection({"help": effects()})
    data = good.data
    cases = {
        "holds no 'output_per_head'": replace(good, data=data.rename(output_per_head="output")),
        "by scenario, draw, region, year": replace(good, data=data.drop_vars("region")),
        "holds no policy": replace(good, baselines={"baseline": "baseline", "help": "help"}),
        "R03 is in one of the two alone": replace(good, data=data.sel(region=["R00", "R01", "R02"])),
        "starts from 2000 and the forecast from 2001; a run starts from the last year in which every region": replace(
            good, origin=2000, data=data.assign_coords(year=data["year"] - 1)
        ),
        "ends in 2003 and the forecast in 2004; give --until 2003": replace(
            good, data=data.sel(year=slice(None, 2003))
        ),
        "relative output of R02 in 2001 differs by 0.0": replace(
            good, data=data * xr.where(data["region"] == "R02", 1.01, 1.0)
        ),
        "damaged: expected draws, and every year from 2001": replace(good, data=data.sel(year=[2001, 2002, 2004])),
        "damaged: expected draws": replace(good, data=data.isel(draw=slice(0, 0))),
        "a region stands in it twice": replace(good, data=data.isel(region=[0, 1, 2, 2])),
        "output_per_head of R02 in 2002, scenario 'help', draw 2, is nan": replace(good, data=holed(data, np.nan)),
        "draw 2, is -1.0": replace(good, data=holed(data, -1.0)),
    }
    for message, case in cases.items():
        with pytest.raises(InvalidInput, match=message):
            under_policies(outlook(), case)


def test_the_command_reads_a_run_and_writes_what_its_policies_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, results, out = tmp_path / "mine.csv", tmp_path / "results", tmp_path / "out"
    panel().to_frame().to_csv(source, index=False)
    replace(projection({"help": effects()}), history=xr.Dataset({"gini": ("year", [0.0])})).save(results)
    line = ["forecast", str(source), "--model", "damped_drift", "--draws", "41", "--no-past", "--event", EVENT]
    line += ["--until", str(UNTIL), "--run", str(results)]
    assert main([*line, "--json", "--out", str(out)]) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    found = under_policies(outlook(), projection({"help": effects()}))[0]
    assert data["policies"][0]["scenario"] == "help"
    assert_allclose(list(data["policies"][0]["dispersion_change"].values()), found.change)
    written = pd.read_csv(out / "policies.csv")
    pd.testing.assert_frame_equal(written, pd.DataFrame(data["policy_events"]), rtol=1e-9)
    assert list(written["event"]) == [f"dispersion falls by {UNTIL}", EVENT]
    assert set(pd.read_csv(out / "policy_levels.csv")["scenario"]) == {"help"}
    assert data["run"]["folder"] == str(results)
    assert json.loads(load_netcdf(out / "draws.nc").attrs["run"]) == data["run"]
    draws = load_netcdf(out / "draws.nc")["log_relative_output_with_policy"]
    assert_allclose(draws.sel(scenario="help").transpose("draw", "region", "year"), found.draws, rtol=1e-6)
    text = (out / "forecast.md").read_text(encoding="utf-8")
    assert all(policies_paragraph(outlook(), [found], lang) in text for lang in ("en", "zh"))
    assert main(line) == 0
    told = capsys.readouterr()
    assert "With the policy “Help”" in told.out
    assert "The run has 7 draws" in told.err
    # Nothing begins before the run is known to belong here, and the run is never written over.
    assert main([*line[:-3], "2005", "--run", str(results)]) == 2
    told = capsys.readouterr().err
    assert "give --until 2004" in told
    assert "Forecasting" not in told
    for kept in ("--run", "--fit"):
        assert main([*line[:-2], kept, str(results), "--out", str(results), "--force"]) == 2
        assert "which is read" in capsys.readouterr().err
    assert (results / "projection.nc").is_file()
    assert main([*line[:-1], str(tmp_path / "nothing")]) == 2
    assert "there is no folder" in capsys.readouterr().err

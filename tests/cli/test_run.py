"""``gapsim run``: what it prints and writes, and that a record runs again to the same numbers."""

import json
import shutil
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.testing import assert_allclose

import gapsim as door
from pysd_runner.core.errors import Message
from pysd_runner.data import load_data
from pysd_runner.export import load_netcdf, save_netcdf
from pysd_runner.model import load_model
from pysd_runner.spec import Baseline, load_baseline
from pysd_runner.spec.baseline import kept_in
from pysd_runner.study.loading import load_future
from pysd_runner.text import translate
from tests.records import resealed
from tests.study.test_projection import fit_of

WRITTEN = {
    "baseline.nc",
    "below_baseline.csv",
    "compared.nc",
    "figures",
    "history.nc",
    "levels.csv",
    "data.json",
    "parameters.nc",
    "projection.nc",
    "ranking.csv",
    "regional_effects.csv",
    "run.json",
    "summary.csv",
    "summary.html",
    "summary.json",
    "summary.md",
}
QUICK = ("--draws", 2, "--until", 2026)


def test_the_folder_holds_everything_a_reader_needs(results):
    assert {path.name for path in results.iterdir()} == WRITTEN
    figures = {path.name for path in (results / "figures").iterdir()}
    for name in ("tiles_zoned_need", "classes_zoned_need", "mixes_nation", "differences_national_output"):
        assert {f"{name}.{ending}" for ending in ("png", "svg", "csv", "txt")} <= figures
    # What each shows and how it is read, once each.
    texts = [path.read_text(encoding="utf-8").split("\n\n") for path in sorted((results / "figures").glob("*.txt"))]
    assert len({sentence for sentence, _ in texts}) == len({caption for _, caption in texts}) == 4
    page = (results / "summary.md").read_text(encoding="utf-8")
    assert all(f"![{sentence}](figures/" in page for sentence, _ in texts)
    assert "Read before quoting" in page
    for picture in page.split("](")[1:]:
        assert (results / picture.partition(")")[0]).is_file()


def test_results_can_be_read_again(results):
    projection = load_future(results)
    assert projection.scenarios == ("baseline", "zoned_need")
    assert projection.data.sizes["draw"] == 4
    # The policy first, then those that split its effect.
    names = set(pd.read_csv(results / "summary.csv")["scenario"])
    assert names == {"zoned_need", "uniform_mean_mix", "zoned_need_per_head", "uniform_mean_mix_by_need"}


def test_the_screen_shows_each_scenario_with_intervals_and_what_it_rests_on(gapsim, small):
    answer = gapsim("run", "zoned_need", *small, *QUICK, code=0)
    said = answer.out.partition("\n\n")[0].replace("\n", " ")
    assert said.startswith("Without policy, output per head in the regions below the mean is expected to lie")
    # Two draws do not show an effect of a year or two.
    assert "None of the 4 policies compared narrows it visibly: “Zoned by class, by need”" in said
    assert "gap closed, %" in answer.out
    assert "the size rests on the literature and on judgement, not on the record of these regions." in said
    assert "…" in answer.out
    assert "Results: results/zoned_need" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 100
    assert "warning: No calibration was given" in answer.err


def test_without_out_a_new_folder_is_taken_each_time(gapsim, small, tmp_path):
    for _ in range(2):
        assert gapsim("run", "baseline", *small, *QUICK).code == 0
    assert {path.name for path in (tmp_path / "results").iterdir()} == {"baseline", "baseline-2"}


def test_json_is_one_object(gapsim, small):
    answer = gapsim("run", "zoned_need", *small, *QUICK, "--json", "--quiet", code=0)
    assert answer.err == ""
    assert set(answer.json) == {"schema_version", "data", "warnings"}
    data = answer.json["data"]
    assert data["folder"] == "results/zoned_need"
    assert data["settings"]["draws"] == 2
    assert data["answer"][1].startswith("None of the 4 policies compared narrows it visibly")
    assert data["policies"][0]["scenario"] == "zoned_need"
    assert data["policies"][0]["gap_closed_p05"] <= data["policies"][0]["gap_closed_p50"]
    assert any("No calibration" in text for text in answer.json["warnings"])


def test_without_a_policy_levels_are_shown(gapsim, small, tmp_path):
    answer = gapsim("run", "baseline", *small, *QUICK, "--out", "levels", code=0)
    assert "Without policy, output per head in the regions below the mean" in answer.out
    assert "against" not in answer.out
    assert (tmp_path / "levels" / "levels.csv").is_file()
    assert not (tmp_path / "levels" / "summary.csv").exists()


def test_a_scenario_without_money_is_its_own_baseline(gapsim, small, tmp_path):
    (tmp_path / "free.yaml").write_text("schema: 1\nextends: zoned_need\npolicy: {budget: 0}\n", encoding="utf-8")
    answer = gapsim("run", "free.yaml", *small, *QUICK, "--without", "forecast", "--out", "free", code=0)
    assert "Without policy, by the model alone, output per head" in answer.out
    assert "Under the assumptions of the policy" not in answer.out
    assert gapsim("brief", "Gansu", "--run", "free").code == 0


def test_a_changed_projection_is_named_by_all_that_read_it(gapsim, results, tmp_path):
    folder = shutil.copytree(results, tmp_path / "changed")
    data = load_netcdf(folder / "projection.nc")
    data["output_per_head"].loc[{"scenario": "zoned_need"}] *= 3
    save_netcdf(data, folder / "projection.nc")
    told = f"{folder / 'projection.nc'} is not the file this run wrote: its hash differs from the one in run.json"
    for command in (("plot", folder), ("brief", "Gansu", "--run", folder), ("explore", folder, "--out", "page.html")):
        answer = gapsim(*command, code=2)
        assert told in answer.err
    again = gapsim("run", folder / "run.json", code=0)
    assert told in again.err
    assert "The numbers differ from the recorded ones, by up to 0.667 of a value." in again.out
    assert "不是该次运行写入的文件" in gapsim("run", folder / "run.json", "--lang", "zh").err


@pytest.mark.parametrize("rate", [1, 7])
def test_present_values_are_those_of_the_kept_projection(gapsim, small_panel, rate):
    copy = Path(shutil.copytree(small_panel.parent, "study")) / small_panel.name
    gapsim(
        "data", "check", copy, "--regions", copy.with_name("regions.csv"), "--yuan-per-unit", rate, "--force", code=0
    )
    assert gapsim("run", "zoned_need", "--data", copy, *QUICK, "--out", "out").code == 0
    told = pd.read_csv("out/summary.csv").set_index("scenario").loc["zoned_need"]
    money = load_future("out").data["policy_budget"].sel(scenario="zoned_need").isel(year=slice(1, None))
    paid = (money / 1.03 ** (money["year"] - 2024)).sum("year")
    for column, share in (("p05", 0.05), ("p50", 0.5), ("p95", 0.95)):
        assert_allclose(told[f"present_cost_{column}"], np.quantile(paid, share), rtol=1e-5)


def test_a_run_repeats_the_checks_its_fit_failed(gapsim, small, small_panel, tmp_path):
    panel = load_data(small_panel, regions=str(small_panel.with_name("regions.csv")))
    failed = Message(
        "{name} ({parameter}) ended at its {side} bound, {estimate:.4g} {unit}: its standard error means "
        "little; look at the bound or the measurement.",
        name="Trend Growth of Output per Worker",
        parameter="g0",
        side=Message("upper"),
        estimate=0.15,
        unit="1/Year",
    )
    fitted = fit_of(load_model("regional_digital", regions=4), panel, 2024)
    made = replace(fitted, at_bound=("upper", ""), provenance={"yuan_per_unit": 7.0, "failed_checks": [failed]})
    made.save(tmp_path / "fit.json")
    given = ("zoned_need", *small, *QUICK, "--fit", "fit.json", "--without", "forecast")
    answer = gapsim("run", *given, "--out", "out", code=0)
    first = " ".join(answer.out.split())
    assert first.startswith("The fit failed its checks, so do not quote these numbers: trend growth of national output")
    assert "(g0) ended at its upper bound, 0.15 1/Year: its standard error means little" in first
    assert not [name for name in pd.read_csv("out/summary.csv") if name.startswith(("present_cost", "cost_per_point"))]
    page = Path("out/summary.md").read_text(encoding="utf-8")
    assert "No present value is given: trend growth of national output per worker ended at a bound of the fit" in page
    assert page.index("The fit failed its checks") < page.index("“Zoned by class, by need”")
    attributed = gapsim("attribute", *given, "--out", "parts", code=0)
    assert "in present value" not in attributed.out + Path("parts/attribution.md").read_text(encoding="utf-8")
    assert "No present value is given" in attributed.err


def test_companions_and_assumption_sets_get_their_own_baseline(gapsim, small, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "schema: 1\nextends: zoned_need\nassumptions: {alpha: 0.35}\nlabel: {en: Mine, zh: 我的}\n", encoding="utf-8"
    )
    answer = gapsim("run", "mine.yaml", "uniform_per_head", *small, *QUICK, "--json", code=0)
    assert answer.json["data"]["baselines"]["mine"] == "baseline_mine"
    assert answer.json["data"]["baselines"]["uniform_per_head"] == "baseline"
    assert answer.json["data"]["figures"] == ["mixes_nation"]


def test_earlier_results_are_replaced_whole(gapsim, small, tmp_path):
    assert gapsim("run", "zoned_need", *small, *QUICK, "--out", "again").code == 0
    (tmp_path / "again" / "stale.txt").write_text("from before")
    assert gapsim("run", "baseline", *small, *QUICK, "--out", "again", "--force").code == 0
    assert not (tmp_path / "again" / "stale.txt").exists()
    assert load_future(tmp_path / "again").scenarios == ("baseline",)
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


def test_a_fit_is_used_and_kept_beside_the_results(gapsim, small, fit, tmp_path):
    answer = gapsim("run", "zoned_need", *small, *QUICK, "--fit", fit, "--out", "fitted", code=0)
    assert translate("answer.rests_measured", "en") in " ".join(answer.out.split())
    assert "No calibration" not in answer.err
    assert "differs" not in answer.err
    assert (tmp_path / "fitted" / "fitted.json").is_file()
    again = gapsim("run", "fitted/run.json")
    assert "identical to the recorded ones, bit by bit" in again.out


@pytest.mark.parametrize("command", [("run", "zoned_need", "--fit"), ("evaluate",)])
def test_the_folder_of_a_fit_is_not_replaced(gapsim, small, fit, tmp_path, command):
    kept = tmp_path / "kept"
    shutil.copytree(fit if fit.is_dir() else fit.parent, kept)
    before = sorted(path.name for path in kept.iterdir())
    answer = gapsim(*command, "kept", "--out", "kept", "--force", code=2)
    assert "which is read and would be replaced" in answer.err
    assert sorted(path.name for path in kept.iterdir()) == before


def test_events_are_counted_under_each_scenario(gapsim, small, tmp_path):
    events = ("Gansu closes 1% of its gap by 2026", "west overtakes 310000 by 2025")
    asked = [part for event in events for part in ("--event", event)]
    answer = gapsim("run", "zoned_need", *small, *QUICK, *asked, "--out", "events", "--json")
    data = load_future(tmp_path / "events").data
    found = answer.json["data"]["events"]
    assert list(found) == list(events)
    place = list(data["region"].to_numpy()).index("620000")
    logs = np.log(data["output_per_head"].transpose("scenario", "draw", "region", "year").to_numpy())
    gap = logs.mean(axis=2) - logs[:, :, place]
    closed = np.mean((gap[:, :, 1:] <= 0.99 * gap[:, :, :1]).any(axis=-1), axis=1)
    forecast = load_baseline(tmp_path / "events").paths[:, place, : 2026 - 2024]
    always = np.mean((-forecast <= 0.99 * gap[0, 0, 0]).any(axis=-1))
    for share, scenario in zip(closed, data["scenario"].to_numpy(), strict=True):
        assert_allclose(found[events[0]][scenario], np.clip(always + share - closed[0], 0, 1), atol=1e-12)
        assert found[events[1]][scenario] == 0
    again = gapsim("run", "events/run.json", "--out", "again")
    assert "bit by bit" in again.out
    for name in sorted(WRITTEN - {"figures", "run.json"} | {"events.csv"}):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "events" / name).read_bytes(), name
    first, second = (json.loads((tmp_path / name / "run.json").read_text()) for name in ("events", "again"))
    assert first == second
    table = pd.read_csv(tmp_path / "events" / "events.csv")
    assert list(table["event"]) == list(events)
    assert "share of simulations" in (tmp_path / "events" / "summary.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--event", "Gansu does well", "is not understood; write it as one of"),
        ("--region", "Atlantis", "the panel has no region 'Atlantis': it has Beijing"),
    ],
)
def test_what_is_not_there_is_refused_before_the_work(gapsim, small, tmp_path, option, value, told):
    answer = gapsim("run", "zoned_need", *small, *QUICK, option, value, "--out", "out", code=2)
    assert told in answer.err
    assert "Projecting" not in answer.err
    assert not (tmp_path / "out").exists()


class TestReplay:
    def test_it_needs_neither_the_panel_file_nor_its_place(self, gapsim, results, small_panel, tmp_path):
        shutil.copytree(results, tmp_path / "moved")
        hidden = small_panel.with_suffix(".hidden")
        small_panel.rename(hidden)
        try:
            answer = gapsim("run", "moved/run.json", "--out", "again")
        finally:
            hidden.rename(small_panel)
        assert answer.code == 0
        assert "identical to the recorded ones, bit by bit" in answer.out
        xr.testing.assert_identical(load_future(tmp_path / "again").data, load_future(results).data)
        once_more = gapsim("run", "again/run.json")
        assert "identical" in once_more.out

    def test_what_has_changed_is_named(self, gapsim, results, tmp_path):
        shutil.copytree(results, tmp_path / "old")

        def change(record):
            record["simulation"]["model_sha256"] = "0" * 64
            record["versions"]["numpy"] = "0.9"
            record["panel"]["sha256"] = "1" * 64
            record["scenarios"][1]["policy"]["budget"] = 0.01

        resealed(tmp_path / "old" / "run.json", change)
        answer = gapsim("run", "old/run.json", code=0)
        assert "model 'regional_digital' has changed since this run: 000000000000 then" in answer.err
        assert "numpy 0.9 then" in answer.err
        assert "the panel beside the record is not the one of this run" in answer.err
        assert "the shipped scenario 'zoned_need' has changed since this run; the recorded one was used" in answer.err
        assert "The numbers differ from the recorded ones, by up to" in answer.out

    def test_a_damaged_or_incomplete_folder_is_refused(self, gapsim, results, tmp_path):
        shutil.copytree(results, tmp_path / "damaged")
        panel = tmp_path / "damaged" / "data.json"
        panel.write_text(panel.read_text(encoding="utf-8").replace("2024", "2023", 1), encoding="utf-8")
        answer = gapsim("run", "damaged/run.json", code=2)
        assert "data.json is not the file this run wrote" in answer.err
        (tmp_path / "alone").mkdir()
        for name in ("run.json", "baseline.nc"):
            shutil.copy(results / name, tmp_path / "alone")
        answer = gapsim("run", "alone/run.json", code=2)
        assert "data.json is missing; a run replays from its whole folder" in answer.err

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda record: record["settings"].update(inspect=1), "settings.inspect: unknown entry"),
            (lambda record: record["settings"].update(shocks="no"), "settings.shocks: expected true or false"),
            (lambda record: record["settings"].pop("draws"), "settings.draws: is missing"),
            (lambda record: record.update(scenarios=None), "scenarios: expected a list"),
            (lambda record: record["simulation"].update(engine="odd"), "simulation: engine: expected"),
            (lambda record: record.update(simulation=[]), "simulation"),
            (lambda record: record["simulation"].update(model="../mine.mdl"), "../mine.mdl: there is no such file"),
            (
                lambda record: record["inputs"]["panel"].update(file="../data.json"),
                "expected a file of its own folder",
            ),
            (lambda record: record["inputs"]["panel"].update(file="/etc/hosts"), "expected a file of its own folder"),
            (lambda record: record["inputs"].pop("source"), "inputs.source: is missing"),
        ],
    )
    def test_a_record_of_something_else_is_refused(self, gapsim, results, tmp_path, change, message):
        shutil.copytree(results, tmp_path / "odd")
        shutil.copy(results / "data.json", tmp_path / "data.json")
        resealed(tmp_path / "odd" / "run.json", change)
        answer = gapsim("run", "odd/run.json", code=2)
        assert message in answer.err

    def test_without_recorded_numbers_it_says_so(self, gapsim, results, tmp_path):
        shutil.copytree(results, tmp_path / "thin")
        (tmp_path / "thin" / "projection.nc").unlink()
        assert "could not be compared" in gapsim("run", "thin/run.json").out


def test_a_simulation_that_fails_leaves_nothing(gapsim, small, tmp_path, monkeypatch):
    from pysd_runner.core.errors import SimulationFailed

    def fail(*_, **__):
        raise SimulationFailed("Output is not finite in region R001 in 2025, draw 3")

    monkeypatch.setattr("pysd_runner.study.projection.projected", fail)
    answer = gapsim("run", "zoned_need", *small, *QUICK, code=4)
    assert "error: Output is not finite" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_one_region_and_no_population(gapsim, tmp_path):
    (tmp_path / "one.csv").write_text(
        "region,year,output [yuan],population [persons]\nA,2019,1000000,100\nA,2020,1100000,100\n", encoding="utf-8"
    )
    assert gapsim("run", "zoned_need", "--data", "one.csv", *QUICK, "--out", "one").code == 0
    (tmp_path / "bare.csv").write_text(
        "region,year,output_per_head [yuan/person]\nA,2019,30000\nA,2020,33000\nB,2019,20000\nB,2020,21000\n",
        encoding="utf-8",
    )
    answer = gapsim("run", "zoned_need", "--data", "bare.csv", *QUICK, "--out", "bare", code=0)
    page = (tmp_path / "bare" / "summary.md").read_text(encoding="utf-8")
    assert "Population was not observed: every region counts the same." in page
    assert "bare.csv: row 1: there is no population" in answer.err


def test_other_assumptions_are_no_forecast(gapsim, small):
    answer = gapsim("run", "data_market_full_access", *small, *QUICK, "--out", "out", code=0)
    assert "Under the assumptions of the policy, but without money for it" in answer.out


def test_a_kept_forecast_is_one_of_this_panel_fit_and_seed(tmp_path):
    panel = load_data("china")
    regions = len(panel.regions)
    made = Baseline(
        paths=np.zeros((3, regions, 2)),
        regions=panel.codes,
        years=(panel.years[-1] + 1, panel.years[-1] + 2),
        origin=panel.years[-1],
        panel=panel.name,
        panel_sha256=panel.sha256,
        provenance={"seed": 0, "fit": None, "gapsim": version("gapsim")},
    )
    made.save(tmp_path)
    fitted = fit_of(load_model("regional_digital", regions=regions), panel, panel.years[-1])
    asked = {"until": panel.years[-1] + 2, "draws": 3, "seed": 0}
    assert kept_in(tmp_path, panel, None, **asked) is not None
    for other in ({"seed": 1}, {"draws": 4}, {"until": panel.years[-1] + 3}):
        assert kept_in(tmp_path, panel, None, **{**asked, **other}) is None
    assert kept_in(tmp_path, panel, fitted, **asked) is None
    assert kept_in(tmp_path, panel.subset(times=panel.years[1:]), None, **asked) is None


def test_a_script_with_a_fit_gives_the_numbers_of_the_command(gapsim, small_panel, small, fit, tmp_path):
    line = ("run", "zoned_need", *small, "--fit", fit, "--draws", 4, "--until", 2027, "--out", tmp_path / "command")
    gapsim(*line, code=0)
    panel = load_data(small_panel, regions=small_panel.with_name("regions.csv"))
    asked = {"draws": 4, "until": 2027}
    door.project("regional_digital", panel, "zoned_need", fit, **asked).save(tmp_path / "script")
    with (
        xr.open_dataset(tmp_path / "script" / "projection.nc") as mine,
        xr.open_dataset(tmp_path / "command" / "projection.nc") as its,
    ):
        names = set(mine.data_vars) & set(its.data_vars)
        assert {name for name in names if not mine[name].equals(its[name])} == set()
        assert "output_per_head" in names

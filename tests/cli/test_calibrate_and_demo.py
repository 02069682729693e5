"""The commands that calibrate: what they print, what they leave, and failed diagnostics."""

import dataclasses
import re
import sys

import pandas as pd
import pytest

from calibration import Fit
from calibration.commands import calibrate, steps
from pysd_runner.core.findings import Finding
from pysd_runner.data import load_data
from pysd_runner.spec import load_fitted
from pysd_runner.study.loading import load_future
from tests.english import sentences_in, visible


@pytest.fixture
def small_demo(monkeypatch, small_panel):
    """The demonstration on the small panel."""
    monkeypatch.setattr(calibrate, "SHIPPED_PANEL", str(small_panel))


@pytest.fixture
def known_fit(monkeypatch, fit):
    """A calibration that is over at once."""
    found = Fit.load(fit)
    over_at_once(monkeypatch, found)
    return found


def over_at_once(monkeypatch, found):
    """Any fit is over at once and finds this, on a panel that differs by the names of its regions alone."""

    def fit(problem, **_):
        fitted = dataclasses.replace(found.fitted, panel_sha256=problem.data.sha256)
        return dataclasses.replace(found, fitted=fitted)

    monkeypatch.setattr(sys.modules["calibration.fitting.fit"], "fit", fit)
    monkeypatch.setattr(steps, "sampled", lambda _session, _problem, found, _folder, *_, **__: found)


def failed(found):
    finding = Finding("not-converged", "The search ended before it converged.", "error")
    return dataclasses.replace(found, findings=(*found.findings, finding))


def test_a_fit_is_written_with_its_figures_and_read_again(fit):
    names = {path.name for path in fit.iterdir()}
    assert names == {
        "baseline.nc",
        "figures",
        "fit.json",
        "fitted.json",
        "identifiability.csv",
        "parameters.csv",
        "profiles.csv",
        "report.html",
        "report.md",
        "residuals.csv",
    }
    assert load_fitted(fit / "fitted.json").last_year == 2024
    assert {path.stem for path in (fit / "figures").iterdir()} >= {"parameters", "series"}


@pytest.mark.usefixtures("no_pictures")
def test_a_calibration_that_is_done_again_is_the_same_to_the_byte(gapsim, small_panel, tmp_path):
    for name in ("first", "second"):
        assert gapsim("calibrate", small_panel, "--starts", 1, "--without", "profiles", "--out", name).code == 0
    first, second = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("first", "second")
    )
    assert len(first) > 10
    assert [str(path) for path in first | second if first.get(path) != second.get(path)] == []


def test_it_says_what_will_be_estimated_before_it_starts(gapsim, small_panel):
    years = ("--window", "2016:2023")
    answer = gapsim("calibrate", small_panel, "--starts", 1, *years, "--without", "profiles", "--out", "fit", code=0)
    described, _, after = answer.err.partition("Calibrating ...")
    assert "4 regions, 2016 to 2023" in described
    assert "Estimated together:" in described
    assert "searching from several starts" in after
    assert "tau_m" in answer.out
    assert "Fit: fit" in answer.out
    assert load_fitted("fit/fitted.json").first_year == 2016


def test_a_calibration_in_chinese(gapsim, small_panel, tmp_path, known_fit, monkeypatch):
    over_at_once(monkeypatch, failed(known_fit))
    answer = gapsim("calibrate", small_panel, "--without", "profiles", "--out", "fit", "--lang", "zh", code=3)
    assert "校准未通过检验" in answer.out
    assert "校准诊断未通过" in answer.err
    report = tmp_path / "fit" / "report.md"
    texts = [answer.out, answer.err, *(path.read_text("utf-8") for path in (tmp_path / "fit").rglob("*.txt"))]
    for text in (*texts, report.read_text("utf-8"), visible(report.with_suffix(".html").read_text("utf-8"))):
        # The folder of the panel has a long name; the finding that was made up here is known to nobody.
        assert not sentences_in(text.replace("The search ended before it converged.", "")), text


@pytest.mark.usefixtures("no_pictures")
def test_json_of_a_fit(gapsim, small_panel, known_fit):
    answer = gapsim("calibrate", small_panel, "--without", "profiles", "--out", "fit", "--json", "--quiet", code=0)
    assert answer.err == ""
    data = answer.json["data"]
    assert data["folder"] == "fit"
    assert {"key", "estimate", "low_90", "high_90", "contraction"} <= set(data["parameters"][0])
    assert data["diagnostics_failed"] == []


@pytest.mark.usefixtures("no_pictures")
def test_failed_diagnostics_end_with_3_and_the_fit_is_written(gapsim, small_panel, known_fit, monkeypatch):
    over_at_once(monkeypatch, failed(known_fit))
    answer = gapsim("calibrate", small_panel, "--without", "profiles", "--out", "fit", "--json", code=3)
    assert "the diagnostics of the calibration failed; look at the result in fit" in answer.err
    assert "The search ended before it converged." in answer.err
    assert answer.json["error"]["exit_code"] == 3
    assert answer.json["data"]["folder"] == "fit"
    assert load_fitted("fit/fitted.json").keys


def test_the_demonstration_goes_the_whole_way(gapsim, small_panel, small_demo, known_fit, tmp_path):
    answer = gapsim("demo", "--draws", 2, "--until", 2027, "--out", "demo", code=0)
    assert "To narrow it by digital policy, choose any of “" in answer.out
    assert "Results: demo" in answer.out
    numbers = re.findall(r"^\[(\d+)/(\d+)\]", answer.err, re.MULTILINE)
    # The sample is left out here, and this panel has one definition alone.
    assert [int(number) for number, _ in numbers] == list(range(1, int(numbers[0][1])))
    projection = load_future(tmp_path / "demo")
    policies = [name for name in projection.scenarios if projection.baselines[name] != name]
    assert set(policies) == {"zoned_need", "skills_programme"}
    table = pd.read_csv(tmp_path / "demo" / "summary.csv")
    assert len(table) == len(set(table["scenario"])) == 28
    regional = pd.read_csv(tmp_path / "demo" / "regional_effects.csv")
    kept = set(zip(regional["scenario"], regional["region"], strict=True))
    panel = load_data(small_panel, panel=True)
    places = {*panel.codes, *(item.group for item in panel.regions)}
    assert kept == {(name, code) for name in table["scenario"] for code in places}
    assert projection.compared.sizes["scenario"] == 28
    # Every page and row that counts policies means the same ones, or fewer where running them all costs much.
    ranked = pd.read_csv(tmp_path / "demo" / "ranking.csv").set_index("assumed")["policies compared"]
    assert ranked["as calibrated"] == ranked["without measured effects"] == 28
    assert ranked.between(1, 28).all()
    page = (tmp_path / "demo" / "summary.md").read_text(encoding="utf-8")
    rest = int(re.search(r"and (\d+) more, in summary.csv", page)[1])
    shown = page.partition("| Policy |")[2].partition("| and ")[0].count("\n|") - 1
    assert shown + rest == int(re.search(r"Of (\d+) policies compared", page)[1]) == 28
    assert {"zoned_need", "skills_programme", "uniform_mean_mix_by_need"} <= set(table["scenario"])
    assert {path.name for path in (tmp_path / "demo" / "fit").iterdir()} >= {"fitted.json", "figures", "parameters.csv"}
    again = gapsim("run", "demo/run.json")
    assert "identical to the recorded ones, bit by bit" in again.out


@pytest.mark.usefixtures("no_pictures")
def test_the_demonstration_goes_on_after_failed_diagnostics_and_says_so(gapsim, small_demo, known_fit, monkeypatch):
    over_at_once(monkeypatch, failed(known_fit))
    answer = gapsim("demo", "--draws", 2, "--until", 2026, "--out", "demo", "--json", code=3)
    assert set(answer.json["data"]) >= {"fit", "policies", "folder"}
    assert load_future("demo").scenarios


@pytest.mark.usefixtures("no_pictures")
def test_a_failed_projection_keeps_the_fit(gapsim, small_demo, known_fit, monkeypatch, tmp_path):
    from pysd_runner.core.errors import SimulationFailed

    def fail(*_, **__):
        raise SimulationFailed("Output is not finite")

    monkeypatch.setattr("pysd_runner.study.projection.projected", fail)
    answer = gapsim("demo", "--draws", 2, "--out", "demo", code=4)
    assert "is kept in demo/fit; go on with `gapsim run zoned_need --fit demo/fit`" in answer.err
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["fit"]
    assert load_fitted(tmp_path / "demo" / "fit" / "fitted.json").keys


def test_the_runner_finds_the_commands_without_importing_calibration(gapsim):
    from importlib.metadata import entry_points

    points = entry_points(group="gapsim.commands")
    assert [point.value for point in points if point.name == "calibration"] == ["calibration.commands:register"]


@pytest.mark.usefixtures("no_pictures")
def test_the_search_is_chosen_by_name_and_goes_on_from_its_checkpoint(gapsim, small_panel, tmp_path):
    common = ("calibrate", small_panel, "--window", "2019:", "--optimiser", "least-squares", "--store", "kept")
    first = gapsim(*common, "--starts", 1, "--out", "first", "--without", "profiles", code=0)
    second = gapsim(*common, "--starts", 2, "--workers", 2, "--out", "second", "--without", "profiles", code=0)
    assert "estimating the errors" in first.err
    assert "estimating the errors" not in second.err
    assert "Optima: 2 searches ended at the best optimum" in second.out
    assert Fit.load("second").fitted.provenance["optimiser"].startswith("LeastSquares(")


def test_an_unknown_search_is_told_before_anything_is_read(gapsim):
    answer = gapsim("calibrate", "no such panel", "--optimiser", "lest_squares", code=2)
    assert "Did you mean 'least_squares'?" in answer.err


@pytest.mark.usefixtures("no_pictures")
def test_a_budget_that_is_spent_is_a_failed_diagnostic(gapsim, small_panel):
    # The smallest budget there is: estimating the errors alone takes longer on any machine.
    answer = gapsim(
        "calibrate",
        small_panel,
        "--window",
        "2019:",
        "--seconds",
        0.001,
        "--without",
        "profiles",
        "--out",
        "fit",
        code=3,
    )
    assert "stopped at its time budget" in answer.err
    assert load_fitted("fit/fitted.json").status == "out of time"

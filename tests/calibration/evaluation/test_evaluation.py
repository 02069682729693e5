"""The evaluation of a model: the whole command on a small panel, each adapter against a direct computation, and models
that are broken on purpose and must fail the right row."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gapsim
from calibration import Fit, Problem
from calibration.evaluation import Subject, Verdict, evaluate
from calibration.evaluation.evaluate import numerical_tests
from calibration.evaluation.fit import fitted_pairs, residual_tests
from calibration.evaluation.judgement import Phrase
from calibration.evaluation.sensitivity import OutcomeRuns, factor_ranges, sensitivity_tests
from calibration.evaluation.structure import _other_units, _scaled, structure_tests, try_experiment
from pysd_runner.checks.declarations import Expectation, Experiment
from pysd_runner.cli import main
from pysd_runner.cli.data_options import DataChoice
from pysd_runner.core.errors import InvalidInput, SimulationFailed, UnknownName
from pysd_runner.data import Data
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from pysd_runner.study.future import Future
from pysd_runner.study.inputs import inputs_of, values_at
from pysd_runner.study.projection import projected as projection_of
from tests.calibration.panels import without

UNTIL = 2026
TINY = 2

CONTROL = """
INITIAL TIME = 0 ~ Year ~ |
FINAL TIME = 20 ~ Year ~ |
TIME STEP = {step} ~ Year ~ |
SAVEPER = 1 ~ Year ~ |
"""
FINITE = '[[rule]]\nname = "finite"\nkind = "finite"\nvariables = ["*"]\n'
TANK = """
Water = INTEG(Inflow - Outflow, 100) ~ Litre ~ |
Inflow = 1 ~ Litre/Year ~ |
Outflow = Water * Rate ~ Litre/Year ~ |
Rate = 0.1 ~ 1/Year ~ |
"""


@pytest.fixture(scope="module")
def subject(result: Fit, fitted_panel: Data) -> Subject:
    return Subject.of_fit(result, fitted_panel, until=UNTIL)


def alone(folder: Path, text: str, *, step: float = 0.25, checks: str = "") -> Subject:
    path = folder / "tank.mdl"
    path.write_text("{UTF-8}\n" + text + CONTROL.format(step=step), encoding="utf-8")
    if checks:
        (folder / "checks.toml").write_text("schema = 1\n" + checks, encoding="utf-8")
    return Subject.of_model(load_model(path))


def failing(*sections) -> dict[str, set[str]]:
    """Subjects that failed, by test."""
    found: dict[str, set[str]] = {}
    for section in sections:
        for item in section.judgements:
            if item.verdict is Verdict.FAILED:
                found.setdefault(item.test, set()).add(item.subject)
    return found


# ---- the whole command


@pytest.fixture(scope="module")
def report(result: Fit, fitted_panel: Data, tmp_path_factory) -> tuple[int, Path]:
    folder = tmp_path_factory.mktemp("evaluation")
    result.save(folder / "fit")
    options = ["--data", "made", "--until", UNTIL, "--quick", "--out", folder / "report", "--quiet"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["calibration.evaluation.evaluate"], "QUICK", TINY)
        patch.setattr(DataChoice, "read", lambda *_, **__: fitted_panel)
        code = main([str(item) for item in ("evaluate", folder / "fit", *options)])
    return code, folder / "report"


def test_the_command_writes_every_table_and_test(report: tuple[int, Path]) -> None:
    code, folder = report
    tests = pd.read_csv(folder / "tests.csv", keep_default_na=False)
    counted = tuple((tests["verdict"] == verdict).sum() for verdict in ("passed", "failed", "not tested"))
    assert min(counted) > 0
    line = f"passed {counted[0]}, failed {counted[1]}, not tested {counted[2]}"
    assert line in (folder / "evaluation.md").read_text(encoding="utf-8")
    needed = {"point_fit", "residuals", "loops", "integration", "modes", "morris"}
    assert needed <= {path.stem for path in (folder / "tables").iterdir() if len(pd.read_csv(path))}
    broken = set(tests.loc[tests["verdict"] == "failed", "section"])
    assert code == (4 if broken & {"structure", "numerics"} else 3)
    assert (tests.loc[tests["verdict"] == "not tested", "note"] != "").all()
    (forecasts,) = tests.loc[tests["section"] == "forecasts", "note"]
    assert forecasts == "forecast back-tests with re-calibration are not part of this report"


def test_an_earlier_report_is_not_replaced_unasked(report: tuple[int, Path], capfd) -> None:
    assert main(["evaluate", "--model", "any.mdl", "--out", str(report[1])]) == 2
    assert "--force" in capfd.readouterr().err


def test_a_model_by_itself_is_evaluated_as_far_as_it_can_be(tmp_path: Path, capfd) -> None:
    alone(tmp_path, TANK)
    code = main(["evaluate", "--model", str(tmp_path / "tank.mdl"), "--out", str(tmp_path / "out"), "--json"])
    data = json.loads(capfd.readouterr().out)["data"]
    assert (code, data["failed"]) == (0, 0)
    untested = {item["section"] for item in data["tests"] if item["verdict"] == "not tested"}
    assert {"fit", "residuals", "sensitivity", "forecasts"} <= untested
    assert {"structure", "numerics"} <= {item["section"] for item in data["tests"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere holds no fit"),
        (["--model", "m.mdl", "--data", "china"], "--data needs a model of regions"),
        (["--model", "m.mdl"], "m.mdl"),
        (["--seed", "-1"], "seed"),
        (["--data", "chima"], "Did you mean 'china'?"),
    ],
)
def test_bad_command_lines_end_with_2_and_say_what_to_do(arguments, said, capfd, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", *arguments]) == 2
    answer = capfd.readouterr()
    assert said in " ".join(re.sub(r"[│╭╰─╮╯]", " ", answer.err).split())
    assert list(tmp_path.iterdir()) == []


def test_a_fit_to_a_panel_that_does_not_ship_asks_for_it(report, capfd, tmp_path) -> None:
    fit = report[1].parent / "fit"
    assert main(["evaluate", str(fit), "--out", str(tmp_path / "out")]) == 2
    assert "give its file with --data" in capfd.readouterr().err


# ---- adapters against direct computations


@pytest.fixture(scope="module")
def projected(subject: Subject, fitted_panel: Data) -> Future:
    fitted = subject.fit.fitted
    inputs = inputs_of(subject.model, fitted_panel, fitted, until=UNTIL, draws=1, shocks=False)
    return projection_of(inputs, fitted_panel, "zoned_need")


def test_the_base_run_is_the_projection_of_the_baseline(subject: Subject, projected: Future) -> None:
    baseline = projected.data["output_per_head"].sel(scenario=projected.baselines["zoned_need"])
    np.testing.assert_allclose(subject.base["Output per Capita"][0, 0], baseline.to_numpy()[0], rtol=1e-12)


def test_fitted_values_are_those_of_the_problem(result: Fit, fitted_problem: Problem) -> None:
    moved = {item.key: item.estimate for item in result.parameters}
    point = fitted_problem.space.to_vector(moved)
    for pair, series, fitted in zip(
        fitted_pairs(result), fitted_problem.series, fitted_problem.fitted(point), strict=True
    ):
        kept = [series.years.index(year) for year in pair.observed["year"].to_numpy()]
        used = np.where(series.used, series.values, np.nan)[:, kept]
        np.testing.assert_array_equal(np.isfinite(pair.observed.to_numpy()), np.isfinite(used))
        np.testing.assert_allclose(pair.observed.to_numpy(), used, rtol=1e-12)
        np.testing.assert_allclose(pair.simulated.to_numpy(), np.where(np.isfinite(used), fitted[:, kept], np.nan))


def test_residuals_are_the_innovations_of_the_fit(result: Fit) -> None:
    pairs = list(fitted_pairs(result))
    table = residual_tests(pairs).tables["residuals"]
    frame = result.to_frame()
    frame = frame[frame["used"] & (frame["measurement"] == "output")].sort_values("year")
    for region, rows in frame.groupby("region"):
        values = rows["standardised"].to_numpy()
        found = table[(table["series"] == pairs[0].name) & (table["region"] == region)].iloc[0]
        away = values - values.mean()
        assert found["autocorrelation_1"] == pytest.approx((away[1:] * away[:-1]).sum() / (away**2).sum(), rel=1e-9)


def test_a_batch_of_runs_is_the_same_runs_one_by_one(subject: Subject) -> None:
    runs = OutcomeRuns(subject=subject)
    rows = [{"c0": 0.02}, {"lam_I": 0.05, "pi": 0.3}]
    for row, found in zip(rows, runs.batch(rows), strict=True):
        parameters = {key: np.array([value]) for key, value in (subject.estimates | row).items()}
        values = values_at(subject.inputs, parameters)
        run = simulate(subject.model, values, start=subject.start, stop=subject.stop, save_every=1)
        for name, variable in (("sigma", "Sigma Dispersion"), ("gap_to_leader", "Gap to Leader")):
            np.testing.assert_allclose(found[name], run[variable][0, 0][..., -1], rtol=1e-12)
            np.testing.assert_allclose(runs.one(row)[name], run[variable][0, 0], rtol=1e-12)


def test_a_run_that_fails_is_left_out_and_the_others_stay(subject: Subject) -> None:
    runs = OutcomeRuns(subject=subject)
    wild, good = runs.batch([{"g0": 500.0}, {"c0": 0.02}])
    assert wild is None
    np.testing.assert_array_equal(good["sigma"], runs.batch([{"c0": 0.02}])[0]["sigma"])
    with pytest.raises(SimulationFailed):
        runs.one({"g0": 500.0})


def test_parameters_move_within_what_is_believed(subject: Subject) -> None:
    ranges = factor_ranges(subject)
    spec = subject.model.spec
    assert "dep_u" not in ranges  # set by the user, not estimated
    assert "b" not in ranges  # a policy choice
    assert ranges["h_hom"][0] == 0.0  # an assumption: its absence is part of every run
    for key, (low, high) in ranges.items():
        assert spec.parameters[key].lower <= low < high <= spec.parameters[key].upper


# ---- a model of one's own with a fit


@pytest.fixture(scope="module")
def leaking(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """A tank that leaks at a rate of 0.2, fitted with errors of one litre."""
    model = alone(tmp_path_factory.mktemp("tank"), TANK).model
    times = np.arange(1.0, 20.0)
    water = simulate(model, {"Rate": 0.2}, outcomes=["Water"])["Water"][0, 0, 1:20]
    water = water + np.random.default_rng(3).standard_normal(times.size)
    data = pd.DataFrame({"Time": times, "Water": water})
    return Subject.of_fit(gapsim.fit(model, data, free={"Rate": (0.05, 0.5)}), model=model)


def test_a_fit_of_ones_own_is_tested_as_one_of_regions(leaking: Subject) -> None:
    found = {item.test: item for item in evaluate(leaking, quick=True).judgements}
    passed = ("efficiency", "bias", "no_change", "autocorrelation", "heteroscedasticity", "parameter", "draws_fail")
    assert {found[test].verdict for test in passed} == {Verdict.PASSED}
    assert found["no_change"].value == 1
    assert (found["modes"].subject, found["modes"].verdict) == ("Water", Verdict.PASSED)
    assert found["order"].verdict is Verdict.NOT_TESTED


def test_effects_on_a_stock_are_those_of_the_runs(leaking: Subject) -> None:
    ((name, (low, high)),) = factor_ranges(leaking).items()
    table = sensitivity_tests(leaking, TINY).tables["morris"].set_index("outcome")
    ends = [simulate(leaking.model, {"Rate": value}, outcomes=["Water"])["Water"][0, 0, -1] for value in (low, high)]
    assert name == "Rate"
    # One parameter: an effect is the change over two thirds of its range, and water falls all the way.
    assert table.loc["Water", "mu"] == pytest.approx(-table.loc["Water", "mu_star"])
    assert table.loc["Water", "mu_star"] == pytest.approx(ends[0] - ends[1], rel=0.2)


# ---- the shipped model


def test_structure_and_numerics_of_the_shipped_model(subject: Subject) -> None:
    found = failing(structure_tests(subject), numerical_tests(subject))
    # Known limits of the model; a new one is a finding, one that is mended leaves this list.
    assert found.pop("extreme") == {"data, governance and platform are complete", "nobody has any skill"}
    assert found.pop("halving", {"Growth Momentum"}) == {"Growth Momentum"}
    assert set(found) <= {"parameter"}


@pytest.mark.parametrize(
    ("off", "moves", "verdict", "said"),
    [
        ("Rate = 0", "Water", Verdict.PASSED, "it leaks"),
        ("Inflow = 1", "Water", Verdict.FAILED, "it leaks"),
        ("Rate = 0", "Inflow", Verdict.FAILED, "it leaks"),
        ("Inflow = 2", "Inflow", Verdict.NOT_TESTED, "not defined"),
        ("Rate = 1e308", "Water", Verdict.FAILED, "not run: Outflow became inf at time 0"),
    ],
)
def test_a_loop_is_judged_by_what_it_moves(tmp_path: Path, off, moves, verdict, said) -> None:
    loop = f'[[loop]]\nname = "leak"\noff = {{ {off} }}\nmoves = ["{moves}"]\nen = "it leaks"\nzh = "漏水"\n'
    section = structure_tests(alone(tmp_path, TANK, checks=loop + FINITE))
    (item,) = [item for item in section.judgements if item.test == "loop"]
    assert item.verdict is verdict
    assert said in item.note.text("en")


# ---- models that are broken on purpose


def test_a_sound_model_passes(tmp_path: Path) -> None:
    subject = alone(tmp_path, TANK)
    assert failing(structure_tests(subject), numerical_tests(subject)) == {}


def test_a_wrong_unit_fails_its_equation(tmp_path: Path) -> None:
    subject = alone(tmp_path, TANK.replace("Rate = 0.1 ~ 1/Year", "Rate = 0.1 ~ Year"))
    assert failing(structure_tests(subject)) == {"units": {"Outflow"}}


def test_too_large_a_step_fails_the_numerics_alone(tmp_path: Path) -> None:
    subject = alone(tmp_path, TANK.replace("Rate = 0.1", "Rate = 0.9"), step=1.0)
    assert failing(structure_tests(subject), numerical_tests(subject)) == {"halving": {"Water"}}


def test_the_step_is_halved_with_the_method_of_the_file(tmp_path: Path) -> None:
    subject = alone(tmp_path, TANK.replace("Rate = 0.1", "Rate = 0.9"), step=1.0)
    path = subject.model.path
    settings = "\\\\\\---/// Sketch\n///---\\\\\\\n:L<%^E!@\n15:0,0,0,5,0,0\n"
    path.write_text(path.read_text(encoding="utf-8") + settings, encoding="utf-8")
    assert failing(numerical_tests(Subject.of_model(load_model(path)))) == {}


def test_a_negative_stock_fails_and_says_when(tmp_path: Path) -> None:
    subject = alone(tmp_path, TANK.replace("Outflow = Water * Rate", "Outflow = 8"))
    section = numerical_tests(subject)
    assert failing(section) == {"non_negative": {"Water"}}
    (item,) = [item for item in section.judgements if item.test == "non_negative"]
    assert item.value < 0
    assert "first below zero in 15" in item.note.text("en")


def test_a_rule_that_allows_it_decides_over_negative_stocks(tmp_path: Path) -> None:
    subject = alone(tmp_path, TANK.replace("Outflow = Water * Rate", "Outflow = 8"), checks=FINITE)
    assert failing(structure_tests(subject), numerical_tests(subject)) == {}


def test_the_first_value_that_is_no_number_is_named(tmp_path: Path) -> None:
    subject = alone(tmp_path, TANK.replace("Inflow = 1 ~", "Inflow = 1 / (5 - Time) ~"))
    section = numerical_tests(subject)
    (item,) = [item for item in section.judgements if item.test == "finite"]
    assert item.verdict is Verdict.FAILED
    assert "Inflow became inf at time 5" in item.note.text("en")
    assert {item.test for item in section.judgements if item.verdict is Verdict.NOT_TESTED} >= {"halving"}


def test_a_leak_breaks_the_balance(tmp_path: Path) -> None:
    balance = '[[balance]]\nname = "what leaves arrives"\ninflows = ["Inflow"]\noutflows = ["Outflow"]\n'
    subject = alone(tmp_path, TANK, checks=balance + FINITE)
    assert failing(numerical_tests(subject)) == {"balance": {"what leaves arrives"}}


def test_a_number_with_a_unit_hidden_in_an_equation_is_found(tmp_path: Path) -> None:
    hidden = alone(tmp_path, TANK)  # starts with 100 litres, which no input says
    named = alone(tmp_path, TANK.replace(", 100)", ", Start)") + "Start = 100 ~ Litre ~ |")
    for subject, verdict in ((hidden, Verdict.FAILED), (named, Verdict.PASSED)):
        found = _scaled(subject, _other_units(subject), "litre", "Litre")
        assert (found.subject, found.verdict) == ("Litre", verdict)
    assert "Water" in _scaled(hidden, _other_units(hidden), "litre", "Litre").note.text("en")


@pytest.mark.parametrize(
    ("values", "relation", "bound", "holds"),
    [
        ({"Rate": 0.0}, "rises", None, True),
        ({"Rate": 0.0}, "falls", None, False),
        ({"Rate": 0.01}, "constant", None, True),
        ({"Rate": 0.02}, "constant", None, False),
        ({"Rate": 0.1}, "as base", None, True),
        ({"Rate": 0.11}, "as base", None, False),
        ({"Rate": 0.2}, "below base", None, True),
        ({"Rate": 0.1}, "below base", None, False),
        ({"Rate": 0.05}, "above base", None, True),
        ({"Rate": 0.2}, "above base", None, False),
        ({"Rate": 0.2}, "at most", 100.0, True),
        ({"Rate": 0.0}, "at most", 110.0, False),
        ({"Rate": 0.2}, "at least", 5.0, True),
        ({"Rate": 0.2}, "at least", 50.0, False),
        ({"Rate": 0.2}, "zero", None, False),
    ],
)
def test_expectations_hold_where_they_should(tmp_path: Path, values, relation, bound, holds) -> None:
    expectation = Expectation(variable="Water", relation=relation, bound=bound)
    experiment = Experiment(kind="reality", name="x", values=values, expectations=(expectation,), years=20)
    breaches = try_experiment(alone(tmp_path, TANK), experiment)
    assert (breaches == []) is holds
    assert all(f"expected {relation}" in item.message for item in breaches)


def test_an_experiment_with_an_unknown_variable_says_so(tmp_path: Path) -> None:
    experiment = Experiment(kind="extreme", name="x", values={"Rat": 0.0})
    with pytest.raises(UnknownName, match="Did you mean 'Rate'"):
        try_experiment(alone(tmp_path, TANK), experiment)


# ---- input that cannot be used


def test_another_panel_than_that_of_the_fit_is_refused(result: Fit, fitted_panel: Data) -> None:
    with pytest.raises(InvalidInput, match="needs the panel of the fit"):
        Subject.of_fit(result, without(fitted_panel, "firms_with_ecommerce"))


def test_years_before_the_end_of_the_fit_are_refused(result: Fit, fitted_panel: Data) -> None:
    with pytest.raises(InvalidInput, match="until must lie after"):
        Subject.of_fit(result, fitted_panel, until=2012)


def test_more_regions_than_there_are_is_refused(subject: Subject) -> None:
    with pytest.raises(InvalidInput, match="99 regions were asked for; the model has 6"):
        subject.with_regions(99)


# ---- words and documents


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(InvalidInput, match="lang='fr' is not a language"):
        Phrase("held").text("fr")

"""Checks of a model and of its runs, on request."""

import pytest

from pysd_runner.core.paths import model_folder
from tests.engine.small_models import write_model


def test_a_run_is_held_to_the_rules_beside_the_model(gapsim, small):
    answer = gapsim("run", "zoned_need", *small, "--draws", 2, "--until", 2026, "--check", "--json", code=0)
    assert answer.json["data"]["checks"]["broken"] == []
    assert "behaviour rules" in answer.json["data"]["checks"]["verdict"]


def test_a_broken_rule_is_told_and_ends_with_4_with_the_results_written(gapsim, small, tmp_path, monkeypatch):
    from pysd_runner.checks import BehaviourRule

    rule = BehaviourRule(
        name="nobody is richer than a pauper", kind="at_most", variables=("Output per Capita",), bound=1.0
    )
    monkeypatch.setattr("pysd_runner.checks.behaviour.rules_of", lambda _model: (rule,))
    answer = gapsim("run", "zoned_need", *small, "--draws", 2, "--until", 2026, "--check", "--out", "results", code=4)
    assert "nobody is richer than a pauper" in answer.err
    assert "1 broken" in answer.out
    assert (tmp_path / "results" / "run.json").is_file()


def test_units_of_the_shipped_model_fit(gapsim):
    answer = gapsim("doctor", "regional_digital", code=0)
    assert "0 errors, 0 warnings" in answer.out


def test_units_that_do_not_fit_are_named_with_their_equation(gapsim, tmp_path):
    text = (model_folder("regional_digital") / "model.mdl").read_text(encoding="utf-8")
    wrong = text.replace(
        "Connected People[Region] / Population[Region]\n\t~\tDmnl",
        "Connected People[Region] / Population[Region]\n\t~\tYear",
    )
    assert wrong != text
    (tmp_path / "mine.mdl").write_text(wrong, encoding="utf-8")
    answer = gapsim("doctor", "mine.mdl", code=2)
    told = "Access Share: Year expected, the right side gives Dmnl: Access Share[Region]= Connected People[Region] / "
    assert f"{told}Population[Region]" in answer.out


@pytest.mark.parametrize("name", ["none.mdl", "regional_digitl"])
def test_a_model_that_is_not_there(gapsim, name):
    gapsim("doctor", name, code=2)


def test_everything_that_stops_a_model_is_an_error_of_its_own(gapsim, tmp_path):
    equations = (
        "a = FIND ZERO(3, 1) ~ Dmnl ~|\nb = 2 + NOSUCH(1) ~ Dmnl ~|\nc = a + b ~ Dmnl ~|\nd = e ~ Dmnl ~|\n"
        "e = d ~ Dmnl ~|\nx ~ Dmnl ~|\n"
    )
    path = write_model(tmp_path, equations)
    answer = gapsim("doctor", path, code=2)
    errors = [line for line in answer.out.splitlines() if line.startswith("error")]
    assert len(errors) == 4
    for line, told in zip(errors, ("FIND ZERO", "NOSUCH", "'x' is data", "depend on each other"), strict=True):
        assert told in line
    assert "4 of the errors stop it" in answer.out
    kinds = [item["kind"] for item in gapsim("doctor", path, "--json").json["data"]]
    assert kinds.count("cannot run") == 4


@pytest.mark.filterwarnings("default::pysd_runner.engine.task.ProbableSlip")
def test_what_is_probably_a_slip_is_told_once_by_doctor_and_by_a_run(gapsim, tmp_path):
    equations = "f( (0,0),(1,1),(1,3),(2,4) ) ~~|\na = f(Time) ~~|\nlast = 1 ~~|\nr = RAMP(1, 3, last) ~~|\n"
    path = write_model(tmp_path, equations)
    answer = gapsim("doctor", path, code=0)
    for told in (answer.out, gapsim("simulate", path, code=0).err):
        assert told.count("the table of 'f' has x = 1 more than once, with 1 and 3") == 1
        assert told.count("the ramp in 'r' ends at 1, before it starts at 3") == 1
    assert "more than once" not in answer.err


@pytest.mark.parametrize("command", [("run",), ("list",)])
def test_a_model_file_is_no_scenario(gapsim, tmp_path, command):
    path = write_model(tmp_path, "a = 1 ~~|\n")
    answer = gapsim(*command, path, code=2)
    assert "is a model file, not a scenario: `gapsim doctor" in answer.err

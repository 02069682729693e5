import shutil
from pathlib import Path

import pytest

from pysd_runner.checks import Experiments, experiments_of, load_rules
from pysd_runner.checks.declarations import Expectation, Pulse, load_experiments
from pysd_runner.core.errors import InvalidModel
from pysd_runner.core.paths import model_folder
from pysd_runner.model import load_model

RULE = '[[rule]]\nname = "never below zero"\nkind = "non_negative"\nvariables = ["Stock"]\n'
REALITY = (
    '[[reality]]\nname = "no births"\nvalues = { "Birth Rate" = 0 }\nexpect = [{ variable = "Stock", is = "falls" }]\n'
)


def written(folder: Path, text: str) -> Path:
    path = folder / "checks.toml"
    path.write_text("schema = 1\n" + text, encoding="utf-8")
    return path


def test_an_experiment_is_read_with_everything_it_says(tmp_path: Path) -> None:
    text = (
        '[[extreme]]\nname = "a blow"\nvalues = { Births = 2 }\ngiven = { Deaths = 0 }\nregions = 1\nalike = true\n'
        'years = 12\nen = "A blow."\nzh = "冲击。"\npulse = { variable = "Shock", size = -3, highest_of = "Wealth" }\n'
        'expect = [{ variable = "Stock", is = "at most", bound = 5, over = "others", tolerance = 0.1 }]\n'
    )
    (found,) = load_experiments(written(tmp_path, text)).extremes
    assert (found.kind, found.name, dict(found.values), dict(found.given)) == (
        "extreme",
        "a blow",
        {"Births": 2.0},
        {"Deaths": 0.0},
    )
    assert (found.regions, found.is_alike, found.years, found.en, found.zh) == (1, True, 12.0, "A blow.", "冲击。")
    assert found.pulse == Pulse(variable="Shock", size=-3.0, highest_of="Wealth")
    assert found.expectations == (
        Expectation(variable="Stock", relation="at most", over="others", bound=5.0, tolerance=0.1),
    )


def test_loops_and_balances_are_read(tmp_path: Path) -> None:
    text = (
        '[[loop]]\nname = "births"\noff = { "Birth Rate" = 0 }\nmoves = ["Stock"]\ngiven = { Deaths = 1 }\n'
        '[[balance]]\nname = "moves"\ninflows = ["In"]\noutflows = ["Out"]\n'
    )
    found = load_experiments(written(tmp_path, text))
    assert (found.loops[0].values, found.loops[0].moves) == ({"Birth Rate": 0.0}, ("Stock",))
    assert dict(found.loops[0].given) == {"Deaths": 1.0}
    assert (found.balances[0].inflows, found.balances[0].tolerance) == (("In",), 1e-9)


def test_rules_and_experiments_share_a_file(tmp_path: Path) -> None:
    path = written(tmp_path, RULE + REALITY)
    assert [rule.name for rule in load_rules(path)] == ["never below zero"]
    assert [item.name for item in load_experiments(path).realities] == ["no births"]


def test_a_model_without_a_file_has_none(tmp_path: Path) -> None:
    shutil.copy(model_folder("regional_digital") / "model.mdl", tmp_path / "mine.mdl")
    assert experiments_of(load_model(tmp_path / "mine.mdl")) == Experiments()


def test_the_shipped_experiments_name_variables_of_the_model_and_speak_both_languages() -> None:
    model = load_model("regional_digital")
    found = experiments_of(model)
    for item in (*found.extremes, *found.realities):
        named = [*item.values, *item.given, *(expected.variable for expected in item.expectations)]
        named += [] if item.pulse is None else [item.pulse.variable, item.pulse.highest_of or item.pulse.variable]
        assert all(model.find(name) for name in named)
    for loop in found.loops:
        assert all(model.find(name) for name in (*loop.values, *loop.given, *loop.moves))
    for balance in found.balances:
        assert all(model.find(name) for name in (*balance.inflows, *balance.outflows))
    for item in (*found.extremes, *found.realities, *found.loops, *found.balances):
        assert item.en
        assert item.zh


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (REALITY.replace("falls", "sinks"), r"reality\[1\].expect\[1\].is: expected one of"),
        (REALITY.replace('expect = [{ variable = "Stock", is = "falls" }]', ""), "a test input and what it must imply"),
        (REALITY.replace('is = "falls"', 'is = "at least"'), "bound: is missing"),
        (REALITY.replace('is = "falls"', 'is = "falls", over = "some"'), "over: expected one of"),
        (REALITY.replace('is = "falls"', 'is = "zero", tolerance = -1'), "must not be negative"),
        (REALITY + "years = 0\n", "years: must be positive"),
        (REALITY + "regions = 1.5\n", "expected a whole number from 1"),
        (REALITY + "pulse = { variable = 'A', size = 1, where = 'B' }\n", "where: unknown key"),
        (REALITY + REALITY, "two are called 'no births'"),
        ('[[loop]]\nname = "a"\noff = { B = 0 }\n', "moves: is missing"),
        ('[[loop]]\nname = "a"\nmoves = ["B"]\n', "off: is missing"),
        ('[[balance]]\nname = "a"\ninflows = ["B"]\n', "outflows: is missing"),
        ("[[trial]]\n", "trial: unknown key"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidModel, match=said):
        load_experiments(written(tmp_path, text))

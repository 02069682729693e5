"""What a model declares to be checked is read, and what is wrong is said with its place."""

import shutil
from pathlib import Path

import pytest

from pysd_runner.checks import Experiments, experiments_of
from pysd_runner.checks.declarations import KINDS, Expectation, Pulse, load_experiments, load_rules, rules_of
from pysd_runner.core.errors import InvalidModel
from pysd_runner.core.paths import model_folder
from pysd_runner.model import load_model

RULE = '[[rule]]\nname = "never below zero"\nkind = "non_negative"\nvariables = ["Stock"]\n'
REALITY = (
    '[[reality]]\nname = "no births"\nvalues = { "Birth Rate" = 0 }\nexpect = [{ variable = "Stock", is = "falls" }]\n'
)


def written(folder: Path, text: str) -> Path:
    path = folder / "checks.toml"
    path.write_text(text, encoding="utf-8")
    return path


def declared(folder: Path, text: str) -> Path:
    return written(folder, "schema = 1\n" + text)


def test_a_rule_is_read_with_everything_it_says(tmp_path: Path) -> None:
    text = RULE + 'tolerance = 1e-6\nwhen = { "Births" = 0, Deaths = 0.5 }\nen = "No debt."\nzh = "不为负。"\n'
    (rule,) = load_rules(declared(tmp_path, text))
    assert (rule.name, rule.kind, rule.variables) == ("never below zero", "non_negative", ("Stock",))
    assert (rule.tolerance, dict(rule.when)) == (1e-6, {"Births": 0.0, "Deaths": 0.5})
    assert (rule.en, rule.zh) == ("No debt.", "不为负。")


def test_rules_of_the_shipped_model_use_every_kind_and_name_its_variables() -> None:
    model = load_model("regional_digital")
    rules = rules_of(model)
    assert {rule.kind for rule in rules} == set(KINDS)
    for rule in rules:
        assert rule.en
        assert rule.zh
        assert all(name == "*" or model.find(name) for name in (*rule.variables, *rule.when))


def test_any_model_may_have_rules_beside_it(tmp_path: Path) -> None:
    shutil.copy(model_folder("regional_digital") / "model.mdl", tmp_path / "mine.mdl")
    model = load_model(tmp_path / "mine.mdl")
    assert rules_of(model) == ()
    declared(tmp_path, RULE)
    assert rules_of(model)[0].name == "never below zero"
    (tmp_path / "mine.checks.toml").write_text(
        "schema = 1\n" + RULE.replace("never below zero", "own"), encoding="utf-8"
    )
    assert rules_of(model)[0].name == "own"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("schema = 1", r"checks\.toml: rule: is missing; a rule is a table that starts with \[\[rule\]\]"),
        ("schema = 2\n" + RULE, r"checks\.toml: schema: this version reads schema 1, found 2"),
        (RULE, r"checks\.toml: schema: is missing"),
        ("schema = 1\nrule = 3", r"expected tables that start with \[\[rule\]\], found 3"),
        ("schema = 1\nrules = 3\n" + RULE, r"checks\.toml: rules: unknown key; .* Did you mean 'rule'\?"),
        ("schema = 1\n" + RULE + "tolerence = 1", r"rule\[1\]\.tolerence: unknown key; .* Did you mean 'tolerance'\?"),
        ("schema = 1\n" + RULE + "bound = 1", r"rule\[1\]\.bound: unknown key"),
        ("schema = 1\n" + RULE + "tolerance = -1", r"rule\[1\]\.tolerance: must not be negative, found -1"),
        ("schema = 1\n" + RULE + "tolerance = nan", r"rule\[1\]\.tolerance: expected a finite number"),
        ("schema = 1\n" + RULE + "when = 3", r"rule\[1\]\.when: expected keys with values, found 3"),
        ("schema = 1\n" + RULE + 'when = { Births = "no" }', r"rule\[1\]\.when\.Births: expected a number"),
        ("schema = 1\n" + RULE.replace("non_negative", "non_negativ"), r"Did you mean 'non_negative'\?"),
        ("schema = 1\n" + RULE.replace("non_negative", "at_most"), r"rule\[1\]\.bound: is missing"),
        ("schema = 1\n" + RULE.replace("non_negative", "sums_to"), r"rule\[1\]\.over: is missing"),
        ("schema = 1\n" + RULE.replace("non_negative", "ordered"), r"expected two or more variables"),
        ("schema = 1\n" + RULE.replace('["Stock"]', "[]"), r"rule\[1\]\.variables: expected at least one variable"),
        ("schema = 1\n" + RULE.replace('["Stock"]', '"Stock"'), r"rule\[1\]\.variables: expected a list, as"),
        ("schema = 1\n" + RULE.replace('["Stock"]', '["*", "Stock"]'), r"expected it alone"),
        ("schema = 1\n" + RULE + RULE, r"two are called 'never below zero'"),
        ("schema = ", r"checks\.toml: not readable as TOML"),
    ],
)
def test_a_mistake_is_refused_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(InvalidModel, match=expected):
        load_rules(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match=r"checks\.toml: the behaviour rules cannot be read"):
        load_rules(tmp_path / "checks.toml")


def test_an_experiment_is_read_with_everything_it_says(tmp_path: Path) -> None:
    text = (
        '[[extreme]]\nname = "a blow"\nvalues = { Births = 2 }\ngiven = { Deaths = 0 }\nregions = 1\nalike = true\n'
        'years = 12\nen = "A blow."\nzh = "冲击。"\npulse = { variable = "Shock", size = -3, highest_of = "Wealth" }\n'
        'expect = [{ variable = "Stock", is = "at most", bound = 5, over = "others", tolerance = 0.1 }]\n'
    )
    (found,) = load_experiments(declared(tmp_path, text)).extremes
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
    found = load_experiments(declared(tmp_path, text))
    assert (found.loops[0].values, found.loops[0].moves) == ({"Birth Rate": 0.0}, ("Stock",))
    assert dict(found.loops[0].given) == {"Deaths": 1.0}
    assert (found.balances[0].inflows, found.balances[0].tolerance) == (("In",), 1e-9)


def test_rules_and_experiments_share_a_file(tmp_path: Path) -> None:
    path = declared(tmp_path, RULE + REALITY)
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
        (REALITY + "regions = 1.5\n", "expected a whole number"),
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
        load_experiments(declared(tmp_path, text))

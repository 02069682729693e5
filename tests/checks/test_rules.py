import shutil
from pathlib import Path

import pytest

from pysd_runner.checks.declarations import KINDS, load_rules, rules_of
from pysd_runner.core.errors import InvalidModel
from pysd_runner.core.paths import model_folder
from pysd_runner.model import load_model

RULE = '[[rule]]\nname = "never below zero"\nkind = "non_negative"\nvariables = ["Stock"]\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "checks.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_rule_is_read_with_everything_it_says(tmp_path: Path) -> None:
    text = RULE + 'tolerance = 1e-6\nwhen = { "Births" = 0, Deaths = 0.5 }\nen = "No debt."\nzh = "不为负。"\n'
    (rule,) = load_rules(written(tmp_path, "schema = 1\n" + text))
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
    written(tmp_path, "schema = 1\n" + RULE)
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
        ("schema = 1\n" + RULE + "when = 3", r"rule\[1\]\.when: expected a table, found 3"),
        ("schema = 1\n" + RULE + 'when = { Births = "no" }', r"rule\[1\]\.when\.Births: expected a number"),
        ("schema = 1\n" + RULE.replace("non_negative", "non_negativ"), r"Did you mean 'non_negative'\?"),
        ("schema = 1\n" + RULE.replace("non_negative", "at_most"), r"rule\[1\]\.bound: is missing"),
        ("schema = 1\n" + RULE.replace("non_negative", "sums_to"), r"rule\[1\]\.over: is missing"),
        ("schema = 1\n" + RULE.replace("non_negative", "ordered"), r"expected two or more variables"),
        ("schema = 1\n" + RULE.replace('["Stock"]', "[]"), r"rule\[1\]\.variables: expected at least one variable"),
        ("schema = 1\n" + RULE.replace('["Stock"]', '"Stock"'), r"rule\[1\]\.variables: expected a list of texts"),
        ("schema = 1\n" + RULE.replace('["Stock"]', '["*", "Stock"]'), r"expected it alone"),
        ("schema = 1\n" + RULE + RULE, r"two rules are called 'never below zero'"),
        ("schema = ", r"checks\.toml: not valid TOML"),
    ],
)
def test_a_mistake_is_refused_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(InvalidModel, match=expected):
        load_rules(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match=r"checks\.toml: the behaviour rules cannot be read"):
        load_rules(tmp_path / "checks.toml")

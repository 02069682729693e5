"""The page with the evaluation of the shipped model belongs to the model, the panel and the tests as they are."""

import pytest

from pysd_runner.checks import experiments_of, rules_of
from pysd_runner.data import load_data
from pysd_runner.model import Model, load_model
from pysd_runner.text import texts, translate
from tests.documentation.readme import ROOT

STALE = "run `python docs/evaluation.py`"


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("regional_digital")


def test_it_was_made_of_this_model_and_panel(page: str, model: Model) -> None:
    assert model.sha256 in page, STALE
    assert load_data("china").sha256[:12] in page, STALE


def test_every_declared_rule_and_experiment_is_on_it(page: str, model: Model) -> None:
    declared = experiments_of(model)
    for item in (*rules_of(model), *declared.extremes, *declared.realities, *declared.loops, *declared.balances):
        assert item.name in page, f"{item.name}: {STALE}"


def test_every_kind_of_test_is_on_it(page: str) -> None:
    alone = {"non_negative"}  # of models without rules
    known = texts("en", "evaluation.test")
    assert len(known) > 20
    for key, title in known.items():
        assert (f"- **{title}**: {translate(f'evaluation.criterion.{key}', 'en')}" in page) or key in alone, (
            f"{key}: {STALE}"
        )

"""The page on measured effects says what was measured and what the model implies, in one unit each."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pysd_runner import load_data, load_model
from pysd_runner.core.errors import InvalidInput
from pysd_runner.evidence.findings import AFTER, Findings, ImpliedEffects, Persistence
from pysd_runner.evidence.ledger import QUANTITIES, load_ledger
from pysd_runner.evidence.weights import terms_of
from pysd_runner.plots.policies import plot_forest
from pysd_runner.reports.measured import write_evidence
from pysd_runner.spec import ModelSpec
from pysd_runner.text import translate
from tests.english import left_in_english, names_of
from tests.plots.reading import covered_texts, cut_texts, texts_of


@pytest.fixture(scope="module")
def found():
    """Invented draws: the posterior lies above the prior, and the weights prefer its lower half."""
    model = load_model("regional_digital")
    prior = {key: np.linspace(-0.5, 1.5, 101) for key in model.spec.evidence}
    posterior = {key: np.linspace(0.0, 2.0, 101) for key in prior}
    weights = np.where(np.arange(101) < 50, 3.0, 1.0)
    years, term = np.ones((4, 1)), model.spec.evidence["training"]
    sets = ((), *((key,) for key in term.couplings), term.couplings)
    lasting = Persistence(
        term=term,
        left=years * np.linspace(0.9, 0.2, len(AFTER)),
        gains={names: years * np.linspace(0.5, 1.3, len(AFTER)) for names in sets},
        late_to_early={names: np.full(4, 2.0 / (1 + len(names))) for names in sets},
    )
    stages = {
        "prior": ImpliedEffects(prior),
        "posterior": ImpliedEffects(posterior),
        "weighted": ImpliedEffects(posterior, weights / weights.sum()),
    }
    return Findings(model=model, stages=stages, lasting=[lasting], effective=80.0)


@pytest.fixture(scope="module")
def pages(found, tmp_path_factory):
    """The page in both languages, as Markdown and HTML."""
    ledger, folder = load_ledger("regional_digital"), tmp_path_factory.mktemp("pages")
    return {
        lang: [path.read_text("utf-8") for path in write_evidence(found, ledger, folder / lang, lang=lang)]
        for lang in ("en", "zh")
    } | {"folder": folder}


def test_intervals_are_those_of_the_weighted_draws(found):
    assert found.stages["posterior"].interval("training") == pytest.approx((1.0, 0.1, 1.9), abs=0.03)
    middle, low, high = found.stages["weighted"].interval("training")
    assert middle == pytest.approx(2 / 3, abs=0.03)
    assert (low, high) == pytest.approx((0.0667, 1.8), abs=0.03)


def test_the_conflict_is_small_where_the_prior_is_far_from_what_was_measured(found):
    term = found.terms["training"]
    far = Findings(
        model=found.model, stages={"prior": ImpliedEffects({"training": np.full(400, term.high + 4 * term.spread)})}
    )
    near = Findings(model=found.model, stages={"prior": ImpliedEffects({"training": np.full(400, term.centre)})})
    assert far.conflict("training") < 0.01
    assert near.conflict("training") > 0.8


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_names_the_basis_of_every_ratio(pages, lang):
    for kind in QUANTITIES:
        assert translate(f"evidence.basis_{kind}", lang) in pages[lang][0]


def test_beside_what_is_in_use_stands_the_pool_of_its_rows_and_its_nulls(found, pages):
    page = pages["en"][0]
    for item in found.terms.values():
        (row,) = [
            line for line in page.splitlines() if line.startswith(f"| {item.en} |") and " … " in line.split("|")[2]
        ]
        used, pooled = (cell.strip() for cell in row.split("|")[2:4])
        assert used.startswith(f"{item.centre:.2f} (")
        assert pooled.startswith(f"{item.pooled[0]:.2f} (" if item.pooled else "–")
    (told,) = [line for line in page.splitlines() if "E83 Kandilov" in line]
    assert "logarithm" in told


def test_persistence_is_told_with_what_carries_it(pages):
    told = pages["en"][0].split("## How long effects last")[1]
    assert "| cohort left, % | 90 |" in told
    assert "over years 2-4" in told
    assert re.findall(r"\| (?:output a year|the same).*\| ([\d.]+) \|\n", told) == ["2.0", "1.0", "1.0", "0.7"]


def test_predictions_stand_beside_estimates(pages):
    (row,) = [line for line in pages["en"][0].splitlines() if "Structural funds 2007-13" in line]
    assert row.endswith("| yes | 1.64 (0.81 … 3.29) % | −0.4 (3.38) | 1.5 | 0.08; 0.16 | outside | inside |")


def test_the_ledger_is_folded(pages):
    page = pages["en"][1]
    assert page.count("<details>") == page.count("</details>") == 1
    assert page.index("<details>") < page.index(">E116<") < page.index("</details>")


def test_the_chinese_page_is_chinese_but_for_what_it_cites(found, pages):
    ledger = load_ledger("regional_digital")
    cited = {*ledger.effects["study"], *ledger.effects["programme"], *ledger.effects["units"], *ledger.effects["trial"]}
    names = names_of(found.model, load_data("china")) | {*QUANTITIES, *(str(name) for name in cited if str(name))}
    assert left_in_english(pages["folder"] / "zh", names, cited=r"E\d+ .*") == {}


def test_a_model_without_evidence_is_refused():
    with pytest.raises(InvalidInput, match="declares no measured effects"):
        terms_of(SimpleNamespace(declarations=ModelSpec(name="mine"), name="mine"))


def forest(**more):
    rows = pd.DataFrame(
        [
            ("Good 2020, trial", "study", 0.2, 0.1, 0.3, 5),
            ("Guess 2021, survey", "assumed", 0.4, -3.0, 3.8, 3),
            ("Silent 2022", "null", 0.0, -0.1, 0.1, 4),
            ("pool of 3, predictive", "pool", 0.2, -0.2, 0.6, 0),
            ("model, prior", "prior", 0.3, 0.1, 0.9, 0),
        ],
        columns=["label", "kind", "value", "low", "high", "rating"],
    )
    return plot_forest(rows, title="Training", basis="earnings a year over money", **more)


def test_a_forest_plot_has_every_number_and_its_basis():
    figure = forest()
    words = [text.get_text() for text in texts_of(figure)]
    assert {"0.20 (0.10 … 0.30)", "0.40 (−3.00 … 3.80)", "0.30 (0.10 … 0.90)"} <= set(words)
    assert "earnings a year over money" in words
    assert "model, prior 0.30 (0.10 … 0.90)" in figure.sentence
    assert set(figure.data["unit"]) == {"earnings a year over money"}
    assert cut_texts(figure) == covered_texts(figure) == []


def test_a_long_interval_ends_in_arrows_instead_of_squeezing_the_others():
    axes = forest().axes[0]
    low, high = axes.get_xlim()
    assert (low, high) == pytest.approx((-0.255, 0.955))
    assert [line.get_marker() for line in axes.get_lines() if line.get_marker() in "<>"] == ["<", ">"]

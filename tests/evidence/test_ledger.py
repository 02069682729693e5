"""The shipped ledger, its pools against outside numbers, and damaged ledgers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from scipy.stats import t as student
from statsmodels.stats.meta_analysis import combine_effects

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.paths import declarations_beside, model_file
from pysd_runner.evidence.ledger import QUANTITIES, VARIANTS, Ledger, load_ledger, meaning, pool, unsupported_costs
from pysd_runner.model import load_model
from pysd_runner.spec.load import load_bound_spec

EFFECTS, COSTS = "evidence/effects.csv", "evidence/costs.csv"

studies = st.lists(st.tuples(st.floats(-50, 50), st.floats(0.1, 10)), min_size=3, max_size=12)


@pytest.fixture(scope="module")
def ledger():
    return load_ledger("regional_digital")


@pytest.fixture
def copied(tmp_path):
    """A model with a copy of the shipped ledger, and a function that changes one cell of it."""
    (tmp_path / "evidence").mkdir()
    for name in ("effects.csv", "costs.csv"):
        shipped = model_file("regional_digital").parent / "evidence" / name
        (tmp_path / "evidence" / name).write_bytes(shipped.read_bytes())

    def change(row, column, value):
        table = pd.read_csv(tmp_path / EFFECTS, dtype=str, keep_default_na=False)
        table.loc[table["id"] == row, column] = value
        table.to_csv(tmp_path / EFFECTS, index=False)
        return tmp_path / "model.mdl"

    return change


# ------------------------------------------------------------------------------------------- the shipped rows


def test_every_row_has_an_experiment_or_says_why_not(ledger):
    for table, letter in ((ledger.effects, "E"), (ledger.costs, "C")):
        assert ((table["experiment"] == "") != (table["why_not"] == "")).all()
        assert table["id"].is_unique
        assert table["id"].str.fullmatch(rf"{letter}\d\d+").all()


def test_returns_and_premiums_follow_from_what_was_published(ledger):
    rows = ledger.effects[ledger.effects["return"].notna()]
    assert len(rows[rows["pool"] == "yes"]) == 15
    np.testing.assert_allclose(rows["size"] / rows["cost"], rows["return"], rtol=1e-4)
    np.testing.assert_allclose(rows["error"] / rows["cost"], rows["return_se"], rtol=1e-4)
    rows = ledger.effects[(ledger.effects["quantity"] == "P") & ledger.effects["control"].notna()]
    np.testing.assert_allclose(100 * rows["size"] / rows["control"], rows["value"], rtol=2e-3)


def test_what_was_recalled_or_assumed_is_in_no_pool_of_measured_errors(ledger):
    for quantity in QUANTITIES:
        found = ledger.chosen(quantity, "s.e. published or from p").merge(ledger.effects, on="id")
        assert found["se_from_x"].isin(["published", "p"]).all()
        assert (found["read_as"] != "recalled").all()


@pytest.mark.parametrize(("quantity", "source"), [("P", "E46"), ("B", "E55"), ("B", "E57"), ("B", "E58")])
def test_the_source_of_a_prior_never_tests_it(ledger, quantity, source):
    assert source in set(ledger.chosen(quantity, "with sources of priors")["id"])
    for variant in VARIANTS:
        assert "sources" in variant or source not in set(ledger.chosen(quantity, variant)["id"])


def test_terms_take_rows_of_their_pool_and_rows_name_terms(ledger):
    terms = load_bound_spec("regional_digital").evidence
    assert {name for cell in ledger.effects["term"] for name in cell.split()} == set(terms)
    nulls = set(ledger.effects.loc[ledger.effects["pool"] == "zero", "id"])
    for key, term in terms.items():
        pooled = set(ledger.chosen(term.pool, term.variant)["id"])
        assert {name for name in term.rows if name not in nulls} == pooled
        if term.is_used:
            assert ledger.effects.set_index("id")["term"][list(term.rows)].str.contains(rf"\b{key}\b").all()


def test_rows_that_measure_what_a_term_computes_are_yearly_earnings_in_its_years(ledger):
    effects = ledger.effects.set_index("id")
    for key, years in (("training", (1, 3)), ("training_later", (8, 12))):
        term = load_bound_spec("regional_digital").evidence[key]
        rows = effects.loc[list(term.rows)]
        is_direct = rows["outcome"].str.startswith("yearly earnings") & ~rows["outcome"].str.contains("mean of 8 years")
        is_direct &= pd.to_numeric(rows["horizon"]).between(*years)
        assert list(term.direct) == list(rows.index[is_direct])


def test_what_has_no_source_that_can_be_found_is_in_no_pool_and_no_term(ledger):
    lost = set(ledger.effects.loc[ledger.effects["source"].str.contains("earlier search"), "id"])
    assert len(lost) == 4
    pooled = {
        name for quantity in QUANTITIES for variant in VARIANTS for name in ledger.chosen(quantity, variant)["id"]
    }
    terms = load_bound_spec("regional_digital").evidence.values()
    assert not lost & (pooled | {name for term in terms for name in term.rows})
    costs = ledger.costs[ledger.costs["is_model_unit"] == "yes"]
    assert not costs["source"].str.contains("earlier search").any()


def test_a_pool_of_effects_of_access_holds_one_quantity(ledger):
    measured = {"B": "output", "T": "productivity|firm performance", "L": "employment|jobs", "C": "consumption"}
    for quantity, words in measured.items():
        rows = ledger.effects[ledger.effects["quantity"] == quantity]
        assert len(rows)
        assert (rows["outcome"] + " " + rows["unit"]).str.contains(words).all()
    assert ledger.effects.set_index("id")["quantity"][["E63", "E72", "E73"]].tolist() == ["T", "L", "C"]


def test_a_null_of_a_ratio_is_zero_stands_with_its_term_and_is_in_no_logarithm(ledger):
    row = ledger.effects.set_index("id").loc["E83"]
    assert (row["value"], row["pool"], row["term"]) == (0, "zero", "mean_mix")
    assert "E83" in load_bound_spec("regional_digital").evidence["mean_mix"].rows
    for variant in VARIANTS:
        found = ledger.chosen("PV", variant)
        assert "E83" not in set(found["id"])
        assert np.isfinite(found["value"]).all()


def test_beside_each_term_stands_what_the_pool_of_its_rows_gives(ledger):
    """The rules are those of the notes; values and errors those of the rows."""

    def band(rows, quantity="R"):
        values = ledger.values[(ledger.values["quantity"] == quantity) & (ledger.values["pool"] == "yes")]
        values = values[values["id"].isin(rows)]
        if len(values) < 3:
            return []
        found = pool(np.log(values["value"]) if quantity == "PV" else values["value"], values["se"])
        return [found.mean, found.predictive_low, found.predictive_high]

    terms = load_bound_spec("regional_digital").evidence
    training = band(terms["training"].rows)
    centre, _, _ = band(terms["mean_mix"].rows, "PV")
    _, low, high = band(ledger.effects["id"], "PV")
    expected = {
        "mean_mix": np.exp([centre, centre - (high - low) / 2, centre + (high - low) / 2]),
        "access": band(terms["access"].rows, "B"),
        "access_later": band(terms["access_later"].rows, "B"),
        "training": training,
        "training_later": np.multiply(training, [0.91**8, 0.94**8, 0.94**8]),
    }
    assert set(terms) == set(expected)
    for key, numbers in expected.items():
        assert terms[key].pooled == pytest.approx(list(numbers), rel=5e-3)


def test_at_least_four_in_five_trials_lie_where_the_others_predict(ledger):
    found = pd.concat(ledger.leave_one_out(quantity) for quantity in QUANTITIES)
    assert len(found) > 30
    assert found["is_inside"].mean() >= 0.8


# ------------------------------------------------------------------------------------------- pools


@pytest.mark.parametrize(
    ("quantity", "variant", "count", "mean", "low", "high", "tau", "ahead"),
    [  # from a separate computation
        ("R", "all", 15, 0.18073, 0.066483, 0.29499, 0.21278, (-0.21321, 0.57468)),
        ("R", "training only", 14, 0.16482, 0.060505, 0.26913, 0.18835, (-0.18691, 0.51655)),
        ("R", "training, rating 5", 4, 0.10447, -0.019055, 0.22798, 0.098696, (-0.22194, 0.43087)),
        ("M", "rating >= 3", 5, 1.3753, 0.81933, 1.9312, 0.46139, (0.12801, 2.6225)),
        ("PV", "rating >= 3", 4, 3.029, 1.6818, 5.4552, 0, (1.4597, 6.2853)),
        ("PV", "all", 9, 4.0548, 2.3139, 7.1052, 0.75428, (0.87005, 18.897)),
        ("B", "with sources of priors", 5, 1.7797, -0.08282, 3.6423, 1.5238, (-2.3539, 5.9134)),
        ("T", "all + nulls at 0", 4, 0.2275, -0.31882, 0.77382, 0, (-0.45036, 0.90536)),
        ("L", "all + nulls at 0", 3, 0.14667, -0.2816, 0.57493, 0.1189, (-1.0454, 1.3388)),
        ("P", "with sources of priors", 21, 10.733, 6.2281, 15.238, 10.48, (-7.9427, 29.409)),
    ],
)
def test_pools_are_those_of_a_separate_computation(ledger, quantity, variant, count, mean, low, high, tau, ahead):
    found = ledger.pool(quantity, variant)
    assert found.count == count
    computed = [found.mean, found.low, found.high, found.tau, found.predictive_low, found.predictive_high]
    np.testing.assert_allclose(computed, [mean, low, high, tau, *ahead], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("quantity", ["R", "P", "M"])
def test_pools_are_those_of_statsmodels(ledger, quantity):
    rows = ledger.chosen(quantity)
    found = pool(rows["value"], rows["se"])
    theirs = combine_effects(rows["value"].to_numpy(), rows["se"].to_numpy() ** 2, "iterated", use_t=True, alpha=0.1)
    assert found.mean == pytest.approx(theirs.mean_effect_re, rel=1e-4)
    assert found.tau**2 == pytest.approx(theirs.tau2, rel=1e-4)
    assert found.error == pytest.approx(max(theirs.sd_eff_w_re_hksj, theirs.sd_eff_w_re), rel=1e-4)


@given(studies, st.floats(-100, 100), st.randoms())
def test_a_pool_moves_with_its_values_and_knows_no_order(given, shift, random):
    values, errors = np.array(given).T
    found, moved = pool(values, errors), pool(values + shift, errors)
    np.testing.assert_allclose(
        [moved.mean, moved.predictive_low], np.add([found.mean, found.predictive_low], shift), atol=1e-5
    )
    assert moved.tau == pytest.approx(found.tau, abs=1e-5)
    random.shuffle(given)
    assert pool(*np.array(given).T).mean == pytest.approx(found.mean, abs=1e-6)
    assert found.predictive_low <= found.low <= found.mean <= found.high <= found.predictive_high


@given(studies)
def test_the_spread_between_studies_solves_its_equation(given):
    values, errors = np.array(given).T
    found = pool(values, errors)
    weights = 1 / (errors**2 + found.tau**2)
    left = weights @ (values - found.mean) ** 2 - (len(values) - 1)
    assert left < 1e-6
    assert found.tau == 0 or left > -1e-6


def test_a_trial_is_left_out_with_all_its_rows(ledger):
    found = ledger.leave_one_out("R").set_index("trial")
    rows = ledger.chosen("R")
    rest = rows[rows["trial"] != "JTPA"]
    assert found.loc["JTPA", "rows"] == "E24 E25 E26 E27"
    assert len(rest) == 11
    assert found.loc["JTPA", "mean"] == pytest.approx(pool(rest["value"], rest["se"]).mean)
    own = rows[rows["trial"] == "JTPA"]
    assert found.loc["JTPA", "value"] == pytest.approx(np.average(own["value"], weights=own["se"] ** -2.0))


@pytest.mark.parametrize("count", [4, 7])
def test_a_trial_left_out_has_the_prediction_interval_of_the_textbook(ledger, count):
    """Of equal trials with known errors s, one differs from the mean of the others with variance s^2 (1 + 1 / k)."""
    rows = ledger.effects.head(1).loc[[0] * count].reset_index(drop=True)
    names = [f"E{place}" for place in range(count)]
    rows = rows.assign(id=names, trial=names, quantity="P", value=7.0, se=2.0, pool="yes", used_as="")
    found = Ledger(rows, ledger.costs).leave_one_out("P")
    assert len(found) == count
    half = student.ppf(0.95, count - 3) * 2.0 * np.sqrt(1 + 1 / (count - 1))
    np.testing.assert_allclose(found["high"] - 7, half, rtol=1e-9)
    np.testing.assert_allclose(7 - found["low"], half, rtol=1e-9)


def test_too_few_values_are_no_pool(ledger):
    assert ledger.pool("M", "training only") is None
    assert Ledger(ledger.effects.head(2), ledger.costs).leave_one_out("M").empty
    with pytest.raises(InvalidInput, match="at least three"):
        pool([1, 2], [1, 1])
    with pytest.raises(InvalidInput, match=r"ledger: expected R \| M \| PV .* found 'Q'"):
        ledger.pool("Q")


def test_costs_with_two_sources_in_the_unit_of_the_model_have_evidence(tmp_path):
    declared = load_model("regional_digital").spec.parameters
    costs = {key for key, item in declared.items() if item.role == "COST"}
    unsupported = unsupported_costs("regional_digital")
    assert {"c_U", "c_X", "c_G", "c_N"} < unsupported == costs - {"c_S", "c_B"}
    assert meaning("regional_digital", declared["c_U"], "en").endswith(" (no evidence)")
    assert "no evidence" not in meaning("regional_digital", declared["c_S"], "en")
    assert not unsupported_costs(tmp_path / "model.mdl")


def test_one_source_that_is_quoted_often_is_no_evidence_of_a_cost(copied, tmp_path):
    model = copied("E05", "id", "E05")
    model.with_suffix(".toml").write_bytes(declarations_beside(model_file("regional_digital")).read_bytes())
    costs = pd.read_csv(tmp_path / COSTS, dtype=str, keep_default_na=False)
    costs.loc[costs["parameter"] == "c_S", "source"] = "one and the same"
    costs.to_csv(tmp_path / COSTS, index=False)
    assert unsupported_costs(model) == unsupported_costs("regional_digital") | {"c_S"}


# ------------------------------------------------------------------------------------------- damaged files


@pytest.mark.parametrize(
    ("row", "column", "value", "said"),
    [
        ("E05", "size", "much", "effects.csv, E05, size: expected a number or nothing, found 'much'"),
        ("E05", "se", "0", "E05, se: expected a positive number"),
        ("E05", "quantity", "Q", r"E05, quantity: expected R \| M"),
        ("E05", "why_not", "too old", "E05, experiment: expected an experiment, or a reason"),
        ("E05", "experiment", "", "E05, experiment: expected an experiment, or a reason"),
        ("E05", "id", "E06", "E06, id: expected a name that no other row has"),
        ("E05", "study", "", "E05, study: expected a text"),
    ],
)
def test_a_damaged_cell_is_named(copied, row, column, value, said):
    with pytest.raises(InvalidInput, match=said):
        load_ledger(copied(row, column, value))


def test_a_file_that_is_no_ledger_is_named(tmp_path):
    with pytest.raises(InvalidInput, match=r"effects\.csv: the ledger cannot be read"):
        load_ledger(tmp_path / "model.mdl")
    (tmp_path / "evidence").mkdir()
    (tmp_path / EFFECTS).write_text("id,study\nE01,a\n")
    with pytest.raises(InvalidInput, match=r"effects\.csv, 1: expected control, cost, design"):
        load_ledger(tmp_path / "model.mdl")

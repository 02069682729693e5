"""What the shipped model file promises: its form, its defaults, and who the money is for."""

import tomllib
from collections.abc import Iterator

import numpy as np
import pytest

from pysd_runner.core.paths import model_folder
from pysd_runner.engine.ir import Expression, Interpolation, Number, walk
from tests.validation.four_regions import FOUR_REGIONS, POLICY, START, Array, loaded, one, run, twenty_regions

FOLDER = model_folder("regional_digital")
MODEL = loaded(4)
SECTORS = (
    "Access",
    "Skills",
    "Application",
    "Data",
    "Governance",
    "Platform",
    "Technology",
    "Migration",
    "Capital and output",
    "Policy budget",
    "Evaluation",
    "Indicators",
    "Inputs",
    "Control",
)
STOCKS = {
    "Population",
    "Connected People",
    "Skilled People",
    "Application Share",
    "Shared Data",
    "Governance Integration",
    "Platform Linkage",
    "Physical Capital",
    "Digital Infrastructure",
    "Villages Reached",
    "Basic Course Share",
    "Log Technology",
    "Growth Momentum",
    "Perceived Output per Capita",
    "Public Recognition",
    "Late Score",
    "Policy Weight",
}


def expressions() -> Iterator[tuple[str, Expression]]:
    for name, variable in MODEL.variables.items():
        for block in variable.blocks:
            yield name, block.expression
            if block.initial is not None:
                yield name, block.initial


def central(name: str) -> float:
    expression = MODEL.variables[name].blocks[0].expression
    assert isinstance(expression, Number)
    return expression.value


def test_sectors_follow_one_another() -> None:
    groups = [variable.group for variable in MODEL.variables.values()]
    assert tuple(dict.fromkeys(groups)) == SECTORS
    assert groups == sorted(groups, key=SECTORS.index)


def test_every_variable_has_a_unit_and_a_meaning_in_plain_words() -> None:
    for name, variable in MODEL.variables.items():
        assert variable.unit, name
        assert len(variable.doc) > 5, name
        assert not set(variable.doc) & set("\"'\\"), name
        assert variable.doc.endswith("."), name


def test_every_equation_has_a_unit_and_a_meaning() -> None:
    text = (FOLDER / "model.mdl").read_text(encoding="utf-8")
    entries = [entry.split("~") for entry in text.split("|") if "=" in entry and "****" not in entry]
    assert len(entries) == sum(len(variable.blocks) for variable in MODEL.variables.values())
    for equation, *rest in entries:
        assert len(rest) == 2, equation
        assert all(part.strip() for part in rest), equation


def test_there_are_seventeen_stocks_and_no_table_function() -> None:
    assert {name for name, variable in MODEL.variables.items() if variable.kind == "stock"} == STOCKS
    assert not [name for name, whole in expressions() if any(isinstance(part, Interpolation) for part in walk(whole))]


def test_parameters_stand_at_their_declared_values() -> None:
    assert MODEL.spec is not None
    known = {key: item for key, item in MODEL.spec.parameters.items() if item.variable}
    assert len(known) > 60
    for key, item in known.items():
        assert central(item.variable) == item.value, key
        assert MODEL.variables[item.variable].unit == item.unit, key


def test_inputs_and_outcomes_are_declared_with_the_units_of_the_file() -> None:
    assert MODEL.spec is not None
    for item in (*MODEL.spec.inputs.values(), *MODEL.spec.outcomes.values()):
        assert MODEL.variables[item.variable].unit == item.unit, item.variable


def test_every_mix_sums_to_one() -> None:
    found = run({**FOUR_REGIONS, "Differentiation": 0.5}, 1, ["Uniform Mix", "Mix by Class", "Planned Mix"])
    assert found["Uniform Mix"].sum(axis=2) == pytest.approx(1, abs=1e-15)
    assert found["Mix by Class"].sum(axis=2) == pytest.approx(1, abs=1e-15)
    assert found["Planned Mix"].sum(axis=2) == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize("count", [1, 2, 31])
def test_any_number_of_regions_runs_without_editing_the_file(count: int) -> None:
    values = {"Initial Population": np.full(count, 1e6), **POLICY, "Rolling Evaluation Switch": 1.0}
    found = run(values, 26)
    assert MODEL.ranges["Region"] == ("R001", "R002", "R003", "R004")
    assert found["Output"].shape == (1, 1, count, 27)
    for name, variable in loaded(count).variables.items():
        if variable.kind != "constant" and variable.kind != "control":
            assert np.isfinite(found[name]).all(), name


def test_a_single_region_has_no_partners() -> None:
    alone = {name: value[:1] for name, value in FOUR_REGIONS.items()}
    found = run({**alone, **POLICY}, 26, ["Partner Weight", "Diffusion Pull", "Region Budget Share", "Gap to Leader"])
    assert not found["Partner Weight"].any()
    assert not found["Diffusion Pull"].any()
    assert not found["Gap to Leader"].any()
    assert (found["Region Budget Share"] == 1).all()


def test_output_of_the_first_year_is_the_observed_one() -> None:
    panel = twenty_regions()
    found = run(panel, 1, ["Output", "Output per Capita"])
    observed = panel["Initial Output per Capita"]
    assert found["Output per Capita"][0, 0, :, 0] == pytest.approx(observed, rel=1e-14)
    assert found["Output"][0, 0, :, 0] == pytest.approx(observed * panel["Initial Population"], rel=1e-14)


def test_sameness_acts_in_the_first_year_of_a_policy_that_starts_at_once() -> None:
    values = {**FOUR_REGIONS, **POLICY, "Policy Start Time": START}
    output = one(values, 1, "Output per Capita")[:, 0]
    spillover = one(values, 1, "Application Spillover")[:, 0]
    lost = central("Application Output Effect") * central("Industrial Synergy Share") * spillover
    sameness = 1 - np.exp(-3)
    expected = FOUR_REGIONS["Initial Output per Capita"] * np.exp(
        -central("Homogenisation Sensitivity") * sameness * lost
    )
    assert output == pytest.approx(expected, rel=1e-13)


def weights(values: dict[str, Array]) -> Array:
    return one({**FOUR_REGIONS, **values}, 1, "Partner Weight")[..., 0]


def test_partner_weights_default_to_the_output_of_the_others() -> None:
    output = FOUR_REGIONS["Initial Population"] * FOUR_REGIONS["Initial Output per Capita"]
    expected = np.tile(output, (4, 1))
    np.fill_diagonal(expected, 0)
    expected /= expected.sum(axis=1, keepdims=True)
    assert weights({}) == pytest.approx(expected, rel=1e-14)


def test_what_is_learnt_from_others_is_a_sum_over_pairs() -> None:
    names = ["Diffusion Pull", "Technology Gap", "Partner Weight"]
    found = run({**twenty_regions(), **POLICY}, 26, names)
    pull, gap, weight = (found[name][0, 0] for name in names)
    curvature = central("Catch Up Curvature")
    by_pair = (weight * (1 - np.exp(-curvature * np.maximum(0, gap)))).sum(axis=1) / curvature
    assert pull == pytest.approx(by_pair, rel=1e-12, abs=1e-14)


def test_given_partner_weights_are_used_as_they_are() -> None:
    ring = np.array([[0, 1, 0, 0], [0.5, 0, 0.5, 0], [0, 0.5, 0, 0.5], [0, 0, 1, 0]])
    assert (weights({"Given Partner Weight": ring}) == ring).all()
    nobody = np.zeros((4, 4))
    assert not weights({"Given Partner Weight": nobody}).any()


def test_giving_the_default_weights_changes_nothing() -> None:
    given = {**FOUR_REGIONS, "Given Partner Weight": weights({})}
    assert one(given, 26, "Output") == pytest.approx(one(FOUR_REGIONS, 26, "Output"), rel=1e-14)


TARGETED = {**FOUR_REGIONS, **POLICY, "Redistribution Exponent": 1.0}


def test_money_for_one_region_goes_there_and_nowhere_else() -> None:
    found = run({**TARGETED, "Region Target": np.array([0, 0, 1, 0])}, 15, ["Allocated Budget", "Policy Budget"])
    allocated, budget = found["Allocated Budget"][0, 0], found["Policy Budget"][0, 0]
    assert budget[10:].min() > 0
    assert not allocated[:, [0, 1, 3]].any()
    assert allocated.sum(axis=(0, 1)) == pytest.approx(budget, rel=1e-13)


def test_money_for_a_class_follows_membership() -> None:
    found = run(
        {**TARGETED, "Class Target": np.array([0, 0, 1]), "Redistribution Exponent": 0.0},
        15,
        ["Region Budget Share", "Class Membership", "Population"],
    )
    lagging = loaded(4).ranges["Class"].index("Lagging")
    claim = found["Class Membership"][0, 0, lagging] * found["Population"][0, 0]
    assert found["Region Budget Share"][0, 0] == pytest.approx(claim / claim.sum(axis=0), rel=1e-12)


def test_money_for_nobody_is_not_handed_out() -> None:
    found = one({**TARGETED, "Region Target": np.zeros(4)}, 15, "Allocated Budget")
    assert not found.any()


def test_targets_of_one_change_nothing() -> None:
    spelled_out = {**TARGETED, "Region Target": np.ones(4), "Class Target": np.ones(3)}
    assert (one(spelled_out, 26, "Output") == one(TARGETED, 26, "Output")).all()


def test_weights_keep_their_sum_while_levers_are_eliminated() -> None:
    values = {
        **FOUR_REGIONS,
        **POLICY,
        "Policy Budget Share": 0.02,
        "Rolling Evaluation Switch": 1.0,
        "Rolling Adjustment Rate": 1.5,
        "Elimination Threshold": 0.99,
    }
    weight = one(values, 200, "Policy Weight")
    assert weight.sum(axis=0) == pytest.approx(1, abs=1e-13)
    assert ((weight > 0) == (weight[..., :1] > 0)).all()


def test_national_shares_are_weighted_by_people() -> None:
    found = run(FOUR_REGIONS, 26, ["National Access Share", "Access Share", "Population"])
    people = found["Population"][0, 0]
    expected = (found["Access Share"][0, 0] * people).sum(axis=0) / people.sum(axis=0)
    assert found["National Access Share"][0, 0] == pytest.approx(expected, rel=1e-14)


def test_behaviour_rules_name_variables_and_ranges_of_the_model() -> None:
    rules = tomllib.loads((FOLDER / "checks.toml").read_text(encoding="utf-8"))
    assert rules["schema"] == 1
    assert {rule["kind"] for rule in rules["rule"]} == {
        "finite",
        "non_negative",
        "at_most",
        "ordered",
        "sums_to",
        "conserved",
    }
    for rule in rules["rule"]:
        assert rule["name"]
        assert rule["en"]
        assert rule["zh"]
        assert all(name == "*" or name in MODEL.variables for name in rule["variables"]), rule["name"]
        assert all(name in MODEL.variables for name in rule.get("when", {})), rule["name"]
        if rule["kind"] == "sums_to":
            assert all(rule["over"] in MODEL.variables[name].dims for name in rule["variables"]), rule["name"]

"""Rules applied to runs made by hand, and to runs of the shipped model."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pysd_runner.checks.behaviour import BehaviourProblem, check_behaviour, outcomes_of
from pysd_runner.checks.declarations import BehaviourRule, rules_of
from pysd_runner.core.errors import InvalidModel, UnknownName
from pysd_runner.model import load_model
from pysd_runner.simulation import Run, simulate

Array = NDArray[np.float64]
YEARS = np.array([2020.0, 2021.0, 2022.0])
RANGES = {"Region": ("R001", "R002"), "Lever": ("Access", "Skills")}


def run_of(**data: tuple[tuple[str, ...], Array]) -> Run:
    return Run(
        years=YEARS,
        data={name: values for name, (_, values) in data.items()},
        dims={name: dims for name, (dims, _) in data.items()},
        units=dict.fromkeys(data, "Dmnl"),
        ranges=RANGES,
        failed=np.zeros((1, 1), dtype=bool),
    )


def stock(fill: float = 1.0) -> Array:
    """Two scenarios, three draws, two regions, three years."""
    return np.full((2, 3, 2, 3), fill)


def problems(rule: BehaviourRule, **data: Array) -> list[BehaviourProblem]:
    return check_behaviour(run_of(**{name: (("Region",), values) for name, values in data.items()}), [rule])


NON_NEGATIVE = BehaviourRule(name="never below zero", kind="non_negative", variables=("Stock",))


def test_a_problem_says_where_when_in_which_case_and_by_how_much() -> None:
    values = stock()
    values[1, 2, 0, 1] = -0.25
    values[1, 2, 1, 2] = -0.5
    (problem,) = problems(NON_NEGATIVE, Stock=values)
    assert (problem.rule, problem.variable, problem.element) == ("never below zero", "Stock", "R002")
    assert (problem.year, problem.scenario, problem.draw) == (2022.0, 1, 2)
    assert (problem.value, problem.bound, problem.places) == (-0.5, 0.0, 2)
    assert problem.message == (
        "never below zero: Stock[R002] must not be below 0, is -0.5 in 2022 (scenario 1, draw 2); the worst of 2 places"
    )


@pytest.mark.parametrize("value", [0.0, 1.0, -1e-12])
def test_what_holds_gives_no_problem(value: float) -> None:
    rule = BehaviourRule(name="r", kind="non_negative", variables=("Stock",), tolerance=1e-9)
    assert problems(rule, Stock=stock(value)) == []


def test_the_tolerance_is_relative_only_above_one() -> None:
    rule = BehaviourRule(name="r", kind="non_negative", variables=("Stock",), tolerance=1e-3)
    values = stock(0.01)
    values[0, 0, 0, 0] = -0.0009
    assert problems(rule, Stock=values) == []
    values[0, 0, 0, 0] = -0.0011
    assert len(problems(rule, Stock=values)) == 1
    values[1, 1, 1, 1] = 100.0
    assert problems(rule, Stock=values) == []


def test_the_tolerance_of_one_variable_does_not_depend_on_another() -> None:
    rule = BehaviourRule(name="r", kind="non_negative", variables=("Large", "Small"), tolerance=1e-3)
    (problem,) = problems(rule, Large=stock(1e9), Small=stock(-0.01))
    assert problem.variable == "Small"


@pytest.mark.parametrize(
    "rule",
    [
        BehaviourRule(name="r", kind="finite", variables=("*",)),
        NON_NEGATIVE,
        BehaviourRule(name="r", kind="at_most", variables=("Stock",), bound=2.0),
        BehaviourRule(name="r", kind="ordered", variables=("Stock", "Other")),
        BehaviourRule(name="r", kind="ordered", variables=("Other", "Stock")),
        BehaviourRule(name="r", kind="sums_to", variables=("Stock",), over="Region", value=2.0),
        BehaviourRule(name="r", kind="conserved", variables=("Stock",)),
    ],
    ids=lambda rule: rule.kind,
)
def test_a_value_that_is_no_number_never_passes(rule: BehaviourRule) -> None:
    values = stock()
    assert problems(rule, Stock=values, Other=stock()) == []
    values[0, 1, 1, 2] = np.nan
    (problem,) = problems(rule, Stock=values, Other=stock())
    assert (problem.scenario, problem.draw, problem.year) == (0, 1, 2022.0)


def test_infinity_is_not_finite() -> None:
    (problem,) = problems(BehaviourRule(name="r", kind="finite", variables=("*",)), Stock=stock(), Other=stock(np.inf))
    assert problem.message.startswith("r: Other[R001] must be finite, is inf in 2020 (scenario 0, draw 0)")


def test_at_most() -> None:
    rule = BehaviourRule(name="r", kind="at_most", variables=("Stock",), bound=1.0)
    assert problems(rule, Stock=stock(1.0)) == []
    (problem,) = problems(rule, Stock=stock(1.5))
    assert (problem.value, problem.bound, problem.places) == (1.5, 1.0, 36)


def test_ordered_compares_each_variable_with_the_next() -> None:
    rule = BehaviourRule(name="r", kind="ordered", variables=("Low", "Middle", "High"))
    assert problems(rule, Low=stock(1), Middle=stock(1), High=stock(2)) == []
    (problem,) = problems(rule, Low=stock(1), Middle=stock(3), High=stock(2))
    assert problem.message.startswith("r: Middle[R001] must not be above High, 2, is 3")


def test_ordered_needs_equal_subscripts() -> None:
    run = run_of(A=(("Region",), stock()), B=((), np.ones((2, 3, 3))))
    with pytest.raises(InvalidModel, match="'A' and 'B' have different subscripts"):
        check_behaviour(run, [BehaviourRule(name="r", kind="ordered", variables=("A", "B"))])


def test_sums_to_sums_over_the_named_range_only() -> None:
    mix = np.zeros((1, 1, 2, 2, 3))
    mix[:, :, 0] = 0.25
    mix[:, :, 1] = 0.75
    rule = BehaviourRule(name="r", kind="sums_to", variables=("Mix",), over="lever", value=1.0)
    assert check_behaviour(run_of(Mix=(("Lever", "Region"), mix)), [rule]) == []
    mix[0, 0, 1, 1, 2] = 0.7
    (problem,) = check_behaviour(run_of(Mix=(("Lever", "Region"), mix)), [rule])
    assert (problem.element, problem.year, problem.places) == ("R002", 2022.0, 1)
    assert problem.message == "r: Mix[R002] summed over lever must be 1, is 0.95 in 2022 (scenario 0, draw 0)"


def test_sums_to_needs_the_range() -> None:
    with pytest.raises(InvalidModel, match="'Stock' has no subscript range 'Lever'; it has Region"):
        problems(BehaviourRule(name="r", kind="sums_to", variables=("Stock",), over="Lever", value=1.0), Stock=stock())


def test_conserved_allows_moves_and_no_change_of_the_total() -> None:
    values = stock(5.0)
    values[..., 0, 1:] -= 2
    values[..., 1, 1:] += 2
    rule = BehaviourRule(name="r", kind="conserved", variables=("Stock",), tolerance=1e-12)
    assert problems(rule, Stock=values) == []
    values[0, 0, 0, 2] += 1
    (problem,) = problems(rule, Stock=values)
    assert problem.message == ("r: Stock summed over all elements must stay 10, is 11 in 2022 (scenario 0, draw 0)")


def test_a_condition_selects_the_cases() -> None:
    births = np.zeros((2, 3, 2, 3))
    births[1] = 0.1
    values = stock()
    values[1] = -1
    rule = BehaviourRule(name="r", kind="non_negative", variables=("Stock",), when={"births": 0.0})
    assert problems(rule, Stock=values, Births=births) == []
    values[0, 2] = -1
    (problem,) = problems(rule, Stock=values, Births=births)
    assert (problem.scenario, problem.draw, problem.places) == (0, 2, 6)


def test_an_input_that_is_the_same_in_all_cases_may_have_short_axes() -> None:
    rule = BehaviourRule(name="r", kind="non_negative", variables=("Stock",), when={"Births": 0.0})
    short = np.full((1, 1, 2, 3), -1.0)
    (problem,) = problems(rule, Stock=short, Births=np.zeros((2, 3, 2, 3)))
    assert problem.places == 36
    (problem,) = problems(rule, Stock=stock(-1.0), Births=np.zeros((1, 1, 2, 3)))
    assert problem.places == 36


def test_a_variable_that_was_not_saved_is_an_error_with_a_suggestion() -> None:
    rule = BehaviourRule(name="r", kind="non_negative", variables=("Stocks",))
    with pytest.raises(
        UnknownName, match=r"rule 'r' needs 'Stocks', which the run did not save\. Did you mean 'Stock'\?"
    ):
        problems(rule, Stock=stock())


def test_names_are_compared_as_in_the_model() -> None:
    rule = BehaviourRule(name="r", kind="non_negative", variables=("my_stock",))
    run = run_of(**{"My Stock": (("Region",), stock(-1))})
    assert check_behaviour(run, [rule])[0].variable == "My Stock"


@pytest.fixture(scope="module")
def shipped_run() -> Run:
    model = load_model("regional_digital", regions=4)
    values = {
        "Initial Population": np.array([5e8, 4e8, 3e8, 1e8]),
        "Initial Output per Capita": np.array([7e4, 4e4, 4e4, 5e4]),
        "Policy Budget Share": np.array([0.0, 0.003, 0.02]).reshape(3, 1),
        "Redistribution Exponent": 1.0,
        "Rolling Evaluation Switch": 1.0,
    }
    return simulate(model, values)


def test_the_shipped_model_keeps_its_rules(shipped_run: Run) -> None:
    rules = rules_of(load_model("regional_digital"))
    assert set(outcomes_of(rules)) <= set(shipped_run.data)
    assert check_behaviour(shipped_run, rules) == []


@pytest.mark.unruly
def test_a_mix_that_does_not_sum_to_one_breaks_the_rules_of_the_shipped_model() -> None:
    model = load_model("regional_digital")
    run = simulate(model, {"Uniform Mix": np.full(7, 0.2)})
    broken = {(problem.rule, problem.variable) for problem in check_behaviour(run, rules_of(model))}
    assert ("the levers share the whole budget", "Planned Mix") in broken


def test_the_outcomes_of_the_rules_are_enough_to_apply_them() -> None:
    model = load_model("regional_digital")
    rules = rules_of(model)
    assert check_behaviour(simulate(model, outcomes=outcomes_of(rules)), rules) == []

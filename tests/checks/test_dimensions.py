"""Units of small models, of the shipped model, and of copies of it with a wrong unit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from pysd_runner.checks.dimensions import EquationProblem, check_dimensions
from pysd_runner.checks.inference import NODES, OPERATIONS, REDUCTIONS
from pysd_runner.core.paths import model_folder
from pysd_runner.engine import ir
from pysd_runner.engine.frontend.lowering.expressions import FUNCTIONS
from pysd_runner.engine.numpy import code as numpy_code
from pysd_runner.model import Model, load_model

BENCHMARKS = Path(__file__).parents[3] / "shared" / "benchmarks"

CONTROL = """
INITIAL TIME = 2014 ~ Year ~ |
FINAL TIME = 2040 ~ Year ~ |
TIME STEP = 0.25 ~ Year ~ |
SAVEPER = 1 ~ Year ~ |
"""
PARTS = """
Region: R1, R2, R3 ~ ~ |
People[Region] = 100 ~ Person ~ |
Money[Region] = 5 ~ Yuan ~ |
Income[Region] = 5 ~ Yuan/Year ~ |
Share = 0.5 ~ Dmnl ~ |
Start = 2020 ~ Year ~ |
Delay = 4 ~ Year ~ |
Rate = 0.1 ~ 1/Year ~ |
Person Start = 3 ~ Person ~ |
Heights((2014,3),(2020,4)) ~ Dmnl ~ |
"""

Write = Callable[[str], Model]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def model(equations: str) -> Model:
        path = tmp_path / "small.mdl"
        path.write_text("{UTF-8}\n" + PARTS + equations + CONTROL, encoding="utf-8")
        return load_model(path)

    return model


@pytest.fixture(scope="module")
def shipped() -> Model:
    return load_model("regional_digital")


def failures(model: Model) -> list[EquationProblem]:
    return [problem for problem in check_dimensions(model) if problem.is_failure]


GOOD = [
    "DELAY N(Person Start, Delay, Person Start, 3) + 0 * People[Region] ~ Person",
    "DELAY N(People[Region], 4, People[Region], 3) ~ Person",
    "SMOOTH N(People[Region], Delay, 5, 2) ~ Person",
    "SMOOTH N(People[Region], 4, 5, 2) ~ Person",
    "SMOOTH N(People[Region], 9 / 2, People[Region], 3) ~ Person",
    "DELAY N(People[Region], 9 / 2, People[Region], 3) ~ Person",
    "DELAY3(Income[Region], 9 / 2) ~ Yuan/Year",
    "FORECAST(People[Region], 9 / 2, 10 / 2) ~ Person",
    "TREND(Money[Region], 9 / 2, 0.05) ~ 1/Year",
    "DELAY FIXED(People[Region], 3, Person Start) ~ Person",
    "SAMPLE IF TRUE(Time > 2020, People[Region], 0) ~ Person",
    "FORECAST(People[Region], Delay, 5) ~ Person",
    "FORECAST(People[Region], 3, 5) ~ Person",
    "FORECAST(People[Region], 3, Delay) ~ Person",
    "RANDOM NORMAL(0, Person Start, Person Start, Person Start, 7) + 0 * People[Region] ~ Person",
    "RANDOM UNIFORM(0, Person Start, 7) + 0 * People[Region] ~ Person",
    "RANDOM POISSON(0, 1000, Person Start, 0, 1, 7) + 0 * People[Region] ~ Person",
    "RANDOM GAMMA(0, 1000, 2, 0, Person Start, 7) + 0 * People[Region] ~ Person",
    "DELAY MATERIAL(People[Region], 3, Person Start, 0) ~ Person",
    "LOOKUP AREA(Heights, 2014, Start) * People[Region] / People[Region] ~ Dmnl",
    "LOOKUP SLOPE(Heights, Time, 0) + LOOKUP INVERT(Heights, Delay) + 0 * People[Region] ~ Person",
    "VECTOR SORT ORDER(People[Region], 1) ~ Dmnl",
    "People[Region] * 3 ~ Person",
    "People[Region] + 0 ~ Person",
    "Money[Region] / Delay ~ Yuan/Year",
    "Money[Region] / Delay + Income[Region] ~ Yuan/Year",
    "MAX(0, People[Region]) ~ People",
    "MIN(Money[Region] * Rate, Income[Region]) ~ Yuan/Year",
    "IF THEN ELSE(People[Region] > Person Start, Money[Region], 0) ~ Yuan",
    "IF THEN ELSE(Share > 0.2 :AND: People[Region] > 0, 1, 0) ~ Dmnl",
    "EXP(-Rate * Delay) * People[Region] ~ Person",
    "LN(People[Region] / Person Start) ~ Dmnl",
    "SIN(Delay * Rate) ~ Dmnl",
    "People[Region] ^ 2 ~ Person*Person",
    "People[Region] ^ (1 / 3) * People[Region] ^ (2/3) ~ Person",
    "SQRT(People[Region]) * SQRT(People[Region]) ~ Person",
    "(People[Region] / Person Start) ^ Share ~ Dmnl",
    "SUM(Money[Region!] * Rate) + 0 * Money[Region] / Delay ~ Yuan/Year",
    "PROD(People[Region!]) + 0 * People[Region] ~ Person^3",
    "VMAX(Money[Region!]) / VMIN(People[Region!]) + 0 * People[Region] ~ Yuan/Person",
    "ZIDZ(Money[Region], People[Region]) ~ Yuan/Person",
    "XIDZ(Money[Region], People[Region], Money[Region] / Person Start) ~ Yuan/Person",
    "XIDZ(People[Region], Person Start, 1) ~ Dmnl",
    "ABS(People[Region] - Person Start) ~ Person",
    "INTEGER(People[Region]) ~ Person",
    "MODULO(People[Region], Person Start) ~ Person",
    "STEP(Person Start, Start) + 0 * People[Region] ~ Person",
    "STEP(Person Start, 2020) + 0 * People[Region] ~ Person",
    "RAMP(Rate, Start, Start + Delay) + 0 * Share * People[Region] / Person Start ~ Dmnl",
    "RAMP(Rate, 2020, 2030) + 0 * People[Region] / Person Start ~ Dmnl",
    "RAMP(Rate, 2020, Start) + 0 * People[Region] / Person Start ~ Dmnl",
    "PULSE(Start, Delay) + 0 * People[Region] / Person Start ~ Dmnl",
    "PULSE(2020, 5) + 0 * People[Region] / Person Start ~ Dmnl",
    "PULSE(Start, 5) + 0 * People[Region] / Person Start ~ Dmnl",
    "PULSE TRAIN(2015, 1, 5, 2030) + 0 * People[Region] / Person Start ~ Dmnl",
    "PULSE TRAIN(Start, 1, Delay, 2030) + 0 * People[Region] / Person Start ~ Dmnl",
    "IF THEN ELSE(Time > 2020, People[Region], 0) ~ Person",
    "(Time - INITIAL TIME) * Rate + 0 * People[Region] / Person Start ~ Dmnl",
    "EXP(Rate * (Time - 2014)) * People[Region] ~ Person",
    "Share * People[Region] / TIME STEP ~ Person/Year",
    "SMOOTH(People[Region], Delay) ~ Person",
    "SMOOTH(People[Region], 4) ~ Person",
    "SMOOTH3I(People[Region], Delay, 100) ~ Person",
    "DELAY1(Income[Region], Delay) ~ Yuan/Year",
    "DELAY1(Income[Region], 4) ~ Yuan/Year",
    "DELAY3I(Income[Region], Delay, 7) ~ Yuan/Year",
    "TREND(Money[Region], Delay, Rate) ~ 1/Year",
    "TREND(Money[Region], 3, 0.05) ~ 1/Year",
    "INITIAL(People[Region]) ~ Person",
    "INTEG(Income[Region] - Rate * Money[Region], Money[Region]) ~ Yuan",
    "INTEG(Income[Region], 100) ~ Yuan",
    "ACTIVE INITIAL(Money[Region], 10 * Income[Region] * Delay) ~ Yuan",
    "WITH LOOKUP(Share, ([(0,0)-(1,1)],(0,0),(1,1))) * People[Region] ~ Person",
    "ELMCOUNT(Region) * People[Region] ~ Person",
    "IF THEN ELSE(Region = 1, Person Start, People[Region]) ~ Person",
    "7 ~ Yuan/(Year*Person)",
    "1/3 ~ Person",
]


@pytest.mark.parametrize("equation", GOOD)
def test_equations_that_fit(write: Write, equation: str) -> None:
    assert [str(problem) for problem in check_dimensions(write(f"X[Region] = {equation} ~ |"))] == []


BAD = [
    ("People[Region] + Money[Region] ~ Person", "Person", "Yuan"),
    ("People[Region] + 1 ~ Person", "Person", "Dmnl"),
    ("People[Region] * Money[Region] ~ Person", "Person", "Person*Yuan"),
    ("People[Region] * Rate ~ Person", "Person", "Person/Year"),
    ("Share ~ Person", "Person", "Dmnl"),
    ("MAX(1, People[Region]) ~ Person", "Dmnl", "Person"),
    ("MIN(Money[Region], Income[Region]) ~ Yuan", "Yuan", "Yuan/Year"),
    ("IF THEN ELSE(People[Region] > Money[Region], 1, 0) ~ Dmnl", "Person", "Yuan"),
    ("IF THEN ELSE(Share > 0, People[Region], Money[Region]) ~ Person", "Person", "Yuan"),
    ("IF THEN ELSE(Share > 0, 1, 0) ~ Person", "Person", "Dmnl"),
    ("IF THEN ELSE(People[Region], 1, 0) ~ Dmnl", "Dmnl", "Person"),
    ("IF THEN ELSE(Share > 0 :AND: People[Region], 1, 0) ~ Dmnl", "Dmnl", "Person"),
    ("EXP(People[Region]) ~ Dmnl", "Dmnl", "Person"),
    ("LN(Money[Region]) ~ Dmnl", "Dmnl", "Yuan"),
    ("SIN(Time) ~ Dmnl", "Dmnl", "Year"),
    ("Share ^ People[Region] ~ Dmnl", "Dmnl", "Person"),
    ("People[Region] ^ Share ~ Dmnl", "Dmnl", "Person"),
    ("People[Region] ^ 2 ~ Person", "Person", "Person^2"),
    ("SQRT(People[Region]) ~ Person", "Person", "Person^(1/2)"),
    ("SUM(Money[Region!]) + People[Region] ~ Yuan", "Yuan", "Person"),
    ("PROD(People[Region!]) + 0 * People[Region] ~ Person", "Person", "Person^3"),
    ("ZIDZ(Money[Region], People[Region]) ~ Yuan", "Yuan", "Yuan/Person"),
    ("XIDZ(Money[Region], People[Region], Share) ~ Yuan/Person", "Yuan/Person", "Dmnl"),
    ("STEP(Person Start, Person Start) * People[Region] ~ Person^2", "Year", "Person"),
    ("IF THEN ELSE(Time > People[Region], 1, 0) ~ Dmnl", "Year", "Person"),
    ("PULSE(Start, Person Start) * People[Region] ~ Person", "Year", "Person"),
    ("RAMP(Rate, 2020, 2030) * People[Region] ~ Person/Year", "Person/Year", "Person"),
    ("(Start - 5) * People[Region] ~ Person*Year", "Year", "Dmnl"),
    ("SMOOTH(People[Region], Delay) ~ Yuan", "Yuan", "Person"),
    ("SMOOTH(People[Region], Share) ~ Person", "Person/Year", "Person"),
    ("SMOOTHI(People[Region], Delay, Money[Region]) ~ Person", "Person", "Yuan"),
    ("DELAY1(Income[Region], Share) ~ Yuan/Year", "Yuan/Year^2", "Yuan/Year"),
    ("DELAY3(Income[Region], 4) ~ Yuan", "Yuan", "Yuan/Year"),
    ("INITIAL(People[Region]) ~ Yuan", "Yuan", "Person"),
    ("TREND(Money[Region], 3, 0.05) ~ Person", "Person", "1/Year"),
    ("INTEG(Income[Region] - Money[Region], Money[Region]) ~ Yuan", "Yuan/Year", "Yuan"),
    ("INTEG(Money[Region], Money[Region]) ~ Yuan", "Yuan/Year", "Yuan"),
    ("INTEG(Income[Region], People[Region]) ~ Yuan", "Yuan", "Person"),
    ("ACTIVE INITIAL(Money[Region], Income[Region]) ~ Yuan", "Yuan", "Yuan/Year"),
    ("WITH LOOKUP(Share + People[Region], ([(0,0)-(1,1)],(0,0),(1,1))) ~ Yuan", "Dmnl", "Person"),
    ("INTEGER(People[Region]) ~ Yuan", "Yuan", "Person"),
    ("MODULO(People[Region], Money[Region]) ~ Person", "Person", "Yuan"),
]


@pytest.mark.parametrize(("equation", "expected", "found"), BAD)
def test_equations_that_do_not_fit(write: Write, equation: str, expected: str, found: str) -> None:
    problems = failures(write(f"X[Region] = {equation} ~ |"))
    assert problems
    assert all(problem.variable == "X" and problem.kind == "units differ" for problem in problems)
    assert (expected, found) in [(problem.expected, problem.found) for problem in problems]
    for problem in problems:
        assert problem.message.startswith("X: ")
        assert problem.equation.startswith("X[Region] = ")
        assert all(part in problem.message for part in (problem.equation, problem.expected, problem.found))


def test_the_message_says_variable_equation_and_both_units(write: Write) -> None:
    (problem,) = failures(write("Flow[Region] = Rate * People[Region] ~ Person ~ |"))
    assert str(problem) == (
        "Flow: Person expected, the right side gives Person/Year: Flow[Region] = Rate * People[Region]"
    )


def test_the_message_names_the_part_where_units_meet(write: Write) -> None:
    (problem,) = failures(write("X[Region] = Share * MAX(0, People[R1] - Money[Region]) ~ Person ~ |"))
    assert problem.message == (
        "X: in People[R1] - Money[Region]: Person expected, People[R1] is Person, Money[Region] is Yuan: "
        "X[Region] = Share * MAX(0, People[R1] - Money[Region])"
    )


def test_messages_hold_no_names_of_what_was_made_for_a_delay(write: Write) -> None:
    problems = check_dimensions(write("X[Region] = FORECAST(People[Region], People[Region], 5) ~ Person ~ |"))
    assert problems
    for item in problems:
        assert "\x1f" not in item.message
        assert "(value inside X)" in item.message


def test_a_long_part_is_shortened_in_the_middle(write: Write) -> None:
    terms = " + ".join("Share" for _ in range(40))
    (problem,) = failures(write(f"X[Region] = {terms} + People[Region] ~ Dmnl ~ |"))
    assert len(problem.message.split(": Dmnl expected")[0]) < 100
    assert " ... " in problem.message


def test_every_equation_of_a_variable_is_checked(write: Write) -> None:
    text = "X[R1] = People[R1] ~ Person ~ |\nX[R2] = Money[R2] ~ Person ~ |\nX[R3] = Share ~ Person ~ |"
    assert [problem.found for problem in failures(write(text))] == ["Yuan", "Dmnl"]


def test_a_missing_unit_is_a_warning_and_fits_any(write: Write) -> None:
    model = write(
        "X[R1] = Money[R1] ~ ~ |\nX[R2] = Money[R2] ~ ~ |\nX[R3] = 1 ~ ~ |\nY = X[R1] + Person Start ~ Person ~ |"
    )
    (problem,) = check_dimensions(model)
    assert (problem.kind, problem.variable, problem.is_failure) == ("no unit given", "X", False)
    assert problem.message.startswith("X: no unit given: X[R1] = ")


def test_a_unit_that_cannot_be_read_is_a_failure_of_its_own(write: Write) -> None:
    (problem,) = check_dimensions(write("X = Person Start ~ Person/(Year ~ |"))
    assert (problem.kind, problem.found) == ("unit not readable", "Person/(Year")
    assert "a bracket is not closed" in problem.message


def test_an_equation_the_engine_does_not_cover_is_said_to_be_unchecked(write: Write) -> None:
    (problem,) = check_dimensions(write("X = QUEUE AGE OLDEST(Person Start, Delay) ~ Person ~ |"))
    assert (problem.kind, problem.is_failure) == ("equation not covered", False)
    assert "X: units not checked: " in problem.message
    assert "function QUEUE AGE OLDEST in variable" in problem.message


def test_a_range_behind_a_unit_is_no_part_of_it(write: Write) -> None:
    assert check_dimensions(write("X = Person Start ~ Person [0,10] ~ |")) == []


def test_words_for_one_unit_are_read_from_the_settings_of_the_file(tmp_path: Path) -> None:
    text = "{UTF-8}\nX = 3 ~ Vixen ~ |\nY = X ~ Fox ~ |" + CONTROL
    path = tmp_path / "foxes.mdl"
    path.write_text(text, encoding="utf-8")
    assert [problem.variable for problem in check_dimensions(load_model(path))] == ["Y"]
    settings = "\n\\\\\\---/// Sketch information\nV300\n22:Z,Z\n///---\\\\\\\n:L<%^E!@\n22:Fox,Foxes,Vixen\n15:0,0\n"
    path.write_text(text + settings, encoding="utf-8")
    assert check_dimensions(load_model(path)) == []


def test_the_word_time_stands_for_the_unit_of_time(write: Write) -> None:
    assert check_dimensions(write("X[Region] = People[Region] / Delay ~ Person/time ~ |")) == []
    (problem,) = check_dimensions(write("X[Region] = People[Region] ~ Person/time ~ |"))
    assert problem.expected == "Person/Year"


def test_one_mistake_is_reported_once_however_it_is_nested(write: Write) -> None:
    text = "X[Region] = EXP(MAX(0, People[Region] + Money[Region]) / Person Start) * Share ~ Dmnl ~ |"
    assert len(failures(write(text))) == 1


def test_without_units_there_are_warnings_only() -> None:
    if not BENCHMARKS.is_dir():
        pytest.skip("the benchmark models are not beside the checkout")
    for path in sorted(BENCHMARKS.glob("*.mdl")):
        problems = check_dimensions(load_model(path))
        assert problems
        assert {problem.kind for problem in problems} == {"no unit given"}
        assert len({problem.variable for problem in problems}) == len(problems)


def test_every_node_operation_and_reduction_has_a_rule() -> None:
    assert set(NODES) == set(get_args(ir.Expression))
    assert set(OPERATIONS) == set(numpy_code.OPERATIONS)
    assert set(REDUCTIONS) == set(numpy_code.REDUCTIONS)


def test_every_function_of_the_engine_is_used_above() -> None:
    """A function that is added to the engine asks for an equation here."""
    used = " ".join([*GOOD, *(bad[0] for bad in BAD)]).casefold()
    same_rule = {"power", "tan", "cos", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "quantum", "remainder"}
    # Expanded into operations that have rules.
    expanded = {"log", "log10", "ramp on", "pi", "floor", "round", "rootn", "percent", "sinwave", "coswave"}
    expanded |= {"if missing", "normal probability", "gamma ln", "factorial", "permutations", "combinations"}
    expanded |= {"pmt", "pv", "fv", "counter", "time base"}
    assert {name for name in FUNCTIONS if name not in used} <= same_rule | expanded


def test_the_shipped_model_has_no_problem_and_no_warning(shipped: Model) -> None:
    assert [str(problem) for problem in check_dimensions(shipped)] == []


def test_the_shipped_model_has_none_with_any_number_of_regions() -> None:
    assert check_dimensions(load_model("regional_digital", regions=1)) == []
    assert check_dimensions(load_model("regional_digital", regions=31)) == []


def with_unit(model: Model, name: str, unit: str) -> Model:
    variables = {**model.ir.variables, name: replace(model.ir.variables[name], unit=unit)}
    return replace(model, lowered=replace(model.ir, variables=variables))


def test_a_wrong_unit_anywhere_in_the_shipped_model_is_caught(shipped: Model) -> None:
    unnoticed = [name for name in shipped.variables if not failures(with_unit(shipped, name, "Furlong"))]
    # Only ever saved, multiplied by nothing: nobody can tell what these are measured in.
    assert unnoticed == ["FINAL TIME", "SAVEPER"]


def test_a_unit_that_is_off_by_time_is_caught(shipped: Model) -> None:
    unnoticed = [
        name
        for name, item in shipped.variables.items()
        if item.kind != "control" and not failures(with_unit(shipped, name, f"{item.unit}/Year"))
    ]
    assert unnoticed == []


def test_a_wrong_equation_in_a_copy_of_the_shipped_model_is_caught(tmp_path: Path) -> None:
    text = (model_folder("regional_digital") / "model.mdl").read_text(encoding="utf-8")
    before = "Delivered Fraction[Access,Region] * Connection Gap[Region] / Minimum Delivery Time"
    assert text.count(before) == 1
    copy = tmp_path / "copy.mdl"
    copy.write_text(text.replace(before, before.removesuffix(" / Minimum Delivery Time")), encoding="utf-8")
    (problem,) = check_dimensions(load_model(copy))
    assert problem.variable == "Funded Connection"
    assert problem.message.startswith("Funded Connection: Person/Year expected, the right side gives Person: ")

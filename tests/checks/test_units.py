from fractions import Fraction

import pint
import pytest
from hypothesis import given, strategies as st

from pysd_runner.checks.units import DIMENSIONLESS, SYNONYMS, UnitProduct, parse_unit, with_equivalences
from pysd_runner.core.errors import InvalidInput

NAMES = ("meter", "second", "kilogram", "ampere", "mole")

powers = st.dictionaries(st.sampled_from(NAMES), st.integers(-4, 4).filter(bool).map(Fraction), max_size=4)
units = powers.map(UnitProduct)
exponents = st.fractions(min_value=-3, max_value=3, max_denominator=4)


@given(units, units, units)
def test_products_commute_and_associate(first: UnitProduct, second: UnitProduct, third: UnitProduct) -> None:
    assert first * second == second * first
    assert (first * second) * third == first * (second * third)


@given(units, units)
def test_a_quotient_undoes_a_product(first: UnitProduct, second: UnitProduct) -> None:
    assert first * second / second == first
    assert (first / first).is_dimensionless


@given(units, exponents, exponents)
def test_exponents_add_and_multiply(unit: UnitProduct, first: Fraction, second: Fraction) -> None:
    assert unit**first * unit**second == unit ** (first + second)
    assert (unit**first) ** second == unit ** (first * second)


@given(units)
def test_text_of_a_unit_reads_back_as_the_unit(unit: UnitProduct) -> None:
    assert parse_unit(str(unit)) == unit
    assert parse_unit(str(unit ** Fraction(1, 3))) == unit ** Fraction(1, 3)


@given(units, units)
def test_equal_units_have_equal_hashes(first: UnitProduct, second: UnitProduct) -> None:
    assert hash(first * second) == hash(second * first)


def _written(depth: int) -> st.SearchStrategy[str]:
    name = st.sampled_from(NAMES)
    if depth == 0:
        return name
    inner = _written(depth - 1)
    return st.one_of(
        name,
        st.tuples(inner, st.sampled_from("*/"), inner).map(lambda parts: f"{parts[0]}{parts[1]}({parts[2]})"),
        st.tuples(inner, st.sampled_from("*/"), name).map(" ".join),
        st.tuples(name, st.integers(-3, 3).filter(bool)).map(lambda parts: f"{parts[0]}^{parts[1]}"),
        inner.map(lambda text: f"1/({text})"),
    )


PINT = pint.UnitRegistry(cache_folder=None)


@given(_written(3))
def test_reading_and_algebra_agree_with_pint(text: str) -> None:
    oracle = PINT.parse_units(text.replace("^", "**"))
    found = parse_unit(text)
    expected = {str(name): power for name, power in oracle._units.items()}
    assert {name: float(power) for name, power in found.powers.items()} == pytest.approx(expected)


@given(_written(2), _written(2))
def test_sameness_agrees_with_pint(first: str, second: str) -> None:
    ours = parse_unit(first) == parse_unit(second)
    theirs = PINT.parse_units(first.replace("^", "**")) == PINT.parse_units(second.replace("^", "**"))
    assert ours == theirs


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Yuan/(Year*Person)", "Yuan/Year/Person"),
        ("Yuan/(Year*Person)", "yuan / People / years"),
        ("1/Year", "per year"),
        ("1/Year", "Year^-1"),
        ("Person*Person", "people^2"),
        ("Person*Person", "persons**2"),
        ("Dmnl", "fraction"),
        ("Dmnl", "Dimensionless"),
        ("Dmnl", "1"),
        ("Dmnl", "Year/years"),
        ("Person/Year", "People per Year"),
        ("Person [0,?]", "Person"),
        ("Person/Year [0,10,0.5]", "Person/Year"),
        ("$", "Dollars"),
        ("widget_unit", "widget unit"),
        ("m^(1/2)", "m^0.5"),
        ("元/年", "yuan/年"),
        ("%", "Percent"),
        ("Task/Week", "Tasks/Weeks"),
        ("Fox", "Foxes"),
        ("person hour", "Person Hours"),
    ],
)
def test_different_spellings_of_one_unit(first: str, second: str) -> None:
    assert parse_unit(first) == parse_unit(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Yuan/(Year*Person)", "Yuan/Year*Person"),
        ("Day", "Year"),
        ("Percent", "Dmnl"),
        ("Person", "Person^2"),
        ("Yuan", "Dollar"),
        ("1000 Yuan", "Yuan"),
        ("m", "ms"),
        ("gas", "ga"),
        ("class", "clas"),
    ],
)
def test_different_units(first: str, second: str) -> None:
    assert parse_unit(first) != parse_unit(second)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/Year",
        " ",
        "[0,1]",
        "Yuan/",
        "*Year",
        "Yuan//Year",
        "(Year",
        "Year)",
        "Year^",
        "Year^x",
        "1000",
        "m^(1/0)",
        "m^(1",
        "a]",
        "1" * 5000,
        "m^" + "1" * 5000,
    ],
)
def test_what_is_no_unit_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_unit(text)
    assert "unit" in str(caught.value)


def test_a_refusal_shows_the_text_and_what_is_expected() -> None:
    with pytest.raises(InvalidInput, match=r"'Yuan/\(Year' cannot be read: a bracket is not closed; expected names"):
        parse_unit("Yuan/(Year")


@pytest.mark.parametrize("group", SYNONYMS, ids=lambda group: group[0])
def test_every_synonym_stands_for_the_first_of_its_group(group: tuple[str, ...]) -> None:
    assert {parse_unit(word) for word in group} == {parse_unit(group[0])}
    assert parse_unit(group[-1].upper()) == parse_unit(group[0])


def test_no_word_is_in_two_groups() -> None:
    words = [word.casefold() for group in SYNONYMS for word in group]
    assert len(set(words)) == len(words)


def test_a_file_may_add_words_for_one_unit() -> None:
    words = with_equivalences([("s", "Second"), ("Fox", "Vixen"), ("head", "people")])
    assert parse_unit("m/s^2", words) == parse_unit("m/Seconds^2")
    assert parse_unit("vixen/Head", words) == parse_unit("Fox/Person", words)
    assert parse_unit("s") != parse_unit("Second")


def test_units_are_shown_as_they_were_written() -> None:
    assert str(parse_unit("Widget/(Year*people)")) == "Widget/(Year*Person)"
    assert str(parse_unit("Widget") / parse_unit("Widget")) == "Dmnl"
    assert str(DIMENSIONLESS) == "Dmnl"

"""Units as they are written, against factors worked out by hand."""

import pytest
from hypothesis import given, strategies as st

from pysd_runner.core.errors import InvalidInput
from pysd_runner.data.names import CANONICAL, VARIABLES
from pysd_runner.data.units import EXAMPLES, factor_for, parse_unit, price_basis

READ = [
    ("元", "money", 1.0, "Yuan", ""),
    ("亿元", "money", 1e8, "Yuan", ""),
    ("万元", "money", 1e4, "Yuan", ""),
    ("百万元", "money", 1e6, "Yuan", ""),
    ("万亿元", "money", 1e12, "Yuan", ""),
    ("亿元人民币", "money", 1e8, "Yuan", ""),
    ("亿美元", "money", 1e8, "US dollar", ""),
    ("（亿元，当年价）", "money", 1e8, "Yuan", "current prices"),
    ("yuan", "money", 1.0, "Yuan", ""),
    ("CNY", "money", 1.0, "Yuan", ""),
    ("10 thousand yuan", "money", 1e4, "Yuan", ""),
    ("100 million yuan", "money", 1e8, "Yuan", ""),
    ("100 million yuan, current prices", "money", 1e8, "Yuan", "current prices"),
    ("100 million yuan, current prices, spliced", "money", 1e8, "Yuan", "current prices"),
    ("billion RMB", "money", 1e9, "Yuan", ""),
    ("Yuan/Year", "money", 1.0, "Yuan", ""),
    ("yuan per year", "money", 1.0, "Yuan", ""),
    ("million current dollars", "money", 1e6, "US dollar", "current prices"),
    ("million chained 2017 dollars", "money", 1e6, "US dollar", "constant 2017 prices"),
    ("constant 2015 US dollars", "money", 1.0, "US dollar", "constant 2015 prices"),
    ("bn EUR", "money", 1e9, "Euro", ""),
    ("1e6 USD", "money", 1e6, "US dollar", ""),
    ("10^8 yuan", "money", 1e8, "Yuan", ""),
    ("local currency", "money", 1.0, "currency", ""),
    ("元/人", "money per head", 1.0, "Yuan", ""),
    ("万元/人", "money per head", 1e4, "Yuan", ""),
    ("yuan per resident", "money per head", 1.0, "Yuan", ""),
    ("chained 2017 dollars per person", "money per head", 1.0, "US dollar", "constant 2017 prices"),
    ("Yuan/(Year*Person)", "money per head", 1.0, "Yuan", ""),
    ("US dollar/(Year*Person)", "money per head", 1.0, "US dollar", ""),
    ("人", "person", 1.0, "", ""),
    ("万人", "person", 1e4, "", ""),
    ("Person", "person", 1.0, "", ""),
    ("persons, mid-year", "person", 1.0, "", ""),
    ("10 thousand persons, resident, year end", "person", 1e4, "", ""),
    ("thousand people", "person", 1e3, "", ""),
    ("10 thousand", "count", 1e4, "", ""),
    ("万", "count", 1e4, "", ""),
    ("10 thousand users", "user", 1e4, "", ""),
    ("万户", "user", 1e4, "", ""),
    ("10 thousand ports", "port", 1e4, "", ""),
    ("万个", "port", 1e4, "", ""),
    ("%", "share", 0.01, "", ""),
    ("％", "share", 0.01, "", ""),
    ("percent of enterprises", "share", 0.01, "", ""),
    ("‰", "share", 0.001, "", ""),
    ("fraction", "share", 1.0, "", ""),
    ("Dmnl", "share", 1.0, "", ""),
    ("1/Year", "rate", 1.0, "", ""),
    ("‰ per year", "rate", 0.001, "", ""),
    ("per 100 persons", "per 100", 1.0, "", ""),
    ("per 100 residents", "per 100", 1.0, "", ""),
    ("部/百人", "per 100", 1.0, "", ""),
    ("years", "duration", 1.0, "", ""),
]


@pytest.mark.parametrize(("text", "dimension", "factor", "currency", "basis"), READ)
def test_units_are_read(text: str, dimension: str, factor: float, currency: str, basis: str) -> None:
    unit = parse_unit(text)
    assert (unit.dimension, unit.currency, unit.price_basis) == (dimension, currency, basis)
    assert unit.factor == pytest.approx(factor, rel=1e-15)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "bushels",
        "km",
        "亿吨",
        "yuan per km",
        "10 thousand ducks",
        "metre/year",
        "?",
        "0 persons",
        "10^400 yuan",
    ],
)
def test_what_is_no_unit_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="unknown unit"):
        parse_unit(text)


@pytest.mark.parametrize("name", list(VARIABLES))
def test_the_canonical_unit_of_every_variable_reads_back_unchanged(name: str) -> None:
    for currency in ("Yuan", "US dollar", "Euro", "currency"):
        text = VARIABLES[name].unit.replace("currency", currency)
        assert factor_for(parse_unit(text), VARIABLES[name].kind) == 1.0


@pytest.mark.parametrize("kind", list(CANONICAL))
def test_every_example_shown_to_users_is_accepted(kind: str) -> None:
    for text in EXAMPLES[kind].split(", "):  # type: ignore[index]
        assert factor_for(parse_unit(text), kind) > 0  # type: ignore[arg-type]


def test_a_unit_of_another_kind_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not of person"):
        factor_for(parse_unit("亿元"), "person")


def test_percent_for_a_number_per_hundred() -> None:
    assert factor_for(parse_unit("%"), "per 100") == pytest.approx(1.0)
    assert factor_for(parse_unit("fraction"), "per 100") == 100.0


@given(st.text(max_size=30))
def test_any_text_is_a_unit_or_refused(text: str) -> None:
    try:
        unit = parse_unit(text)
    except InvalidInput:
        return
    assert unit.factor >= 0


@pytest.mark.parametrize("row", [row for row in READ if not row[0].startswith("（") and not row[0].endswith(")")])
@pytest.mark.parametrize("frame", [" {} ", "({})", "[{}]", "单位：{}"])
def test_space_case_and_brackets_do_not_matter(row: tuple[str, str, float, str, str], frame: str) -> None:
    text, dimension, factor, currency, _ = row
    unit = parse_unit(frame.format(text.upper()))
    assert (unit.dimension, unit.currency) == (dimension, currency)
    assert unit.factor == pytest.approx(factor)


def test_price_basis() -> None:
    assert price_basis("constant prices") == "constant prices"
    assert price_basis("不变价") == "constant prices"
    assert price_basis("whatever") == ""

"""Values and names that no region has: refused or doubted where they stand, and no warning of NumPy leaks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pysd_runner.panel import check_data, load_data
from pysd_runner.panel.problems import Problem

Write = Callable[..., Path]

YEARS = range(2015, 2021)


def table(head: str, cells: Callable[[str, int], str], regions: tuple[str, ...] = ("A", "B", "C", "D")) -> str:
    rows = (f"{region},{year},{cells(region, year)}\n" for region in regions for year in YEARS)
    return f"region,year,{head}\n{''.join(rows)}"


def of(rule: str, problems: list[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.rule == rule]


HEADS = "output per head [yuan per person],population [persons]"
UNBOUNDED = {
    "population": (HEADS, "50000,1e24", "impossible-value", "above 0, at most 2e+10 Person"),
    "population in thousands": (
        HEADS.replace("[persons]", "[thousand persons]"),
        "50000,1e8",
        "impossible-value",
        "above 0, at most 2e+10 Person",
    ),
    "beyond all numbers": ("output [100 million yuan],population [persons]", "1e303,1e6", "impossible-value", "2e+40"),
    "output by nobody": ("output [yuan],population [persons]", "1e39,1e-300", "magnitude", "output per head from"),
    "heads without a unit": ("output per head,population", "1e300,1e9", "impossible-value", "1e+30"),
    "users": (f"{HEADS},mobile_internet_users", "50000,1000,1e30", "impossible-value", "2e+10 User"),
}


@pytest.mark.parametrize("kind", UNBOUNDED)
def test_a_value_that_no_region_has_is_refused(write: Write, kind: str) -> None:
    head, cells, rule, expected = UNBOUNDED[kind]
    found = of(rule, check_data(write(table(head, lambda *_: cells)), panel=True))
    assert found
    assert found[0].severity == "error"
    assert found[0].row == 2
    assert expected in found[0].expected


def test_the_greatest_values_make_products_that_are_numbers(write: Write) -> None:
    panel = load_data(write(table("output per head,population", lambda *_: "1e30,2e10")), panel=True)
    assert panel.array("output").max() == pytest.approx(2e40)


@pytest.mark.parametrize(("zeros", "told"), [((2017,), 2017), ((2017, 2018), 2017), ((2015,), 0), ((2020,), 0)])
def test_a_share_of_zero_between_others_is_doubted(write: Write, zeros: tuple[int, ...], told: int) -> None:
    text = table(
        "output per head [yuan per person],access [%]",
        lambda region, year: f"50000,{0 if region == 'B' and year in zeros else 36 + year - 2015}",
    )
    found = of("zero", check_data(write(text), panel=True))
    assert [(item.severity, item.row, item.found) for item in found] == (
        [("warning", 8 + told - 2015, "0")] if told else []
    )


@pytest.mark.parametrize("name", ["nan", "NaN", "None", "null", "N/A"])
def test_a_region_that_is_called_like_no_value_is_doubted(write: Write, name: str) -> None:
    path = write(table(HEADS, lambda *_: "50000,1e6", ("A", name, "C")))
    (found,) = of("region-no-value", check_data(path, panel=True))
    assert (found.severity, found.row, found.found) == ("warning", 8, name)
    regions = write(f"code,name_en\nA,Alpha\n{name},Nan\nC,Gamma\n", name="regions.csv")
    assert of("region-no-value", check_data(path, regions=regions)) == []


@pytest.mark.parametrize(
    ("country", "currency", "others", "told"),
    [
        ("China", "yuan", ("A", "B"), True),
        ("中国", "yuan", ("A", "B"), True),
        ("United States", "USD", ("A", "B"), True),
        ("Germany", "euro", ("A", "B"), True),
        ("India", "INR", ("A", "B"), True),
        ("China", "currency", ("A", "B"), True),
        ("China", "USD", ("A", "B"), False),
        ("United States", "USD", ("China", "India"), False),
        ("Henan", "yuan", ("A", "B"), False),
    ],
)
def test_the_name_of_the_country_itself_is_doubted(
    write: Write, country: str, currency: str, others: tuple[str, ...], told: bool
) -> None:
    text = table(f"output per head [{currency} per person]", lambda *_: "50000", (country, *others))
    found = [item.found for item in of("total", check_data(write(text), panel=True))]
    assert found == ([country] if told else [])

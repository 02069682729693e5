"""Any panel, written in any of the accepted ways, reads back as the same panel."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st

from pysd_runner.data import Data, load_data
from pysd_runner.data.offices import wholes_of

SOME = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass(frozen=True)
class Drawn:
    """A random panel in canonical units."""

    regions: tuple[str, ...]
    years: tuple[int, ...]
    values: dict[str, np.ndarray]

    UNITS = {  # noqa: RUF012
        "output": "yuan",
        "population": "persons",
        "access": "fraction",
        "broadband_ports": "ports",
        "natural_growth": "1/year",
    }


LETTERS = st.characters(codec="gb2312", categories=("Lu", "Ll", "Lo", "Nd"))
# Names of groups of nations, such as EA, are left out where others stand beside them.
NAMES = st.text(LETTERS, min_size=1, max_size=6).filter(lambda name: not wholes_of({name: "", "a": "", "b": ""}))


@st.composite
def panels(draw: st.DrawFn) -> Drawn:
    regions = tuple(draw(st.lists(NAMES, min_size=1, max_size=5, unique_by=str.casefold)))
    first = draw(st.integers(1900, 2050))
    years = tuple(range(first, first + draw(st.integers(1, 5))))
    shape = (len(regions), len(years))

    def array(least: float, most: float, *, holes: bool) -> np.ndarray:
        numbers = st.floats(least, most, allow_nan=False, width=64)
        cell = numbers | st.just(float("nan")) if holes else numbers
        count = shape[0] * shape[1]
        return np.array(draw(st.lists(cell, min_size=count, max_size=count))).reshape(shape)

    # People and output per head within a factor of 5 of each other: greater jumps are taken for another unit.
    few, low = draw(st.sampled_from([1.0, 1e4, 2e7])), draw(st.sampled_from([1e3, 2e4, 2e5]))
    people = array(few, 5 * few, holes=False)
    values = {
        "output": people * array(low, 5 * low, holes=False),
        "population": people,
        "access": array(0, 1, holes=True),
        "broadband_ports": array(0, 1e9, holes=True),
        "natural_growth": array(-0.1, 0.1, holes=True),
    }
    chosen = draw(st.sets(st.sampled_from(list(values)[2:])))
    return Drawn(regions, years, {name: array for name, array in values.items() if name not in chosen})


def text_of(value: float) -> str:
    return "" if np.isnan(value) else repr(float(value))


def wide(drawn: Drawn) -> Iterator[list[str]]:
    yield ["region", "year", *(f"{name} [{Drawn.UNITS[name]}]" for name in drawn.values)]
    for row, region in enumerate(drawn.regions):
        for column, year in enumerate(drawn.years):
            yield [region, str(year), *(text_of(array[row, column]) for array in drawn.values.values())]


def long(drawn: Drawn) -> Iterator[list[str]]:
    yield ["region", "year", "variable", "value", "unit"]
    for row, region in enumerate(drawn.regions):
        for column, year in enumerate(drawn.years):
            for name, array in drawn.values.items():
                yield [region, str(year), name, text_of(array[row, column]), Drawn.UNITS[name]]


def by_year(drawn: Drawn) -> Iterator[list[str]]:
    yield ["region", "variable", "unit", *(f"{year}年" for year in drawn.years)]
    for row, region in enumerate(drawn.regions):
        for name, array in drawn.values.items():
            yield [region, name, Drawn.UNITS[name], *(text_of(value) for value in array[row])]


def write_csv(rows: Iterator[list[str]], path: Path, encoding: str, delimiter: str = ",") -> Path:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerows(rows)
    path.write_bytes(buffer.getvalue().encode(encoding))
    return path


def is_utf8_as_well(content: bytes) -> bool:
    """A few Chinese characters in GB18030 are letters of other scripts in UTF-8: name the encoding of such a file."""
    try:
        return not content.decode("utf-8").isascii()
    except UnicodeDecodeError:
        return False


def write_xlsx(rows: Iterator[list[str]], path: Path) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for number, row in enumerate(rows):
        sheet.append([as_cell(text) if number and place else text for place, text in enumerate(row)])
    book.save(path)
    return path


def as_cell(text: str) -> object:
    if not text:
        return None
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return text


def assert_same(panel: Data, drawn: Drawn) -> None:
    assert panel.codes == drawn.regions
    assert panel.years == drawn.years
    for name, array in drawn.values.items():
        np.testing.assert_array_equal(panel.array(name), array, err_msg=name)
    np.testing.assert_array_equal(panel.array("output_per_head"), drawn.values["output"] / drawn.values["population"])


@pytest.mark.parametrize("rows", [wide, long, by_year])
@pytest.mark.parametrize(
    ("encoding", "delimiter"), [("utf-8", ","), ("utf-8-sig", ","), ("gb18030", ","), ("utf-16", "\t"), ("utf-8", ";")]
)
@SOME
@given(drawn=panels())
def test_csv(tmp_path: Path, rows: object, encoding: str, delimiter: str, drawn: Drawn) -> None:
    path = write_csv(rows(drawn), tmp_path / "panel.csv", encoding, delimiter)  # type: ignore[operator]
    assume(encoding != "gb18030" or not is_utf8_as_well(path.read_bytes()))
    assert_same(load_data(path, panel=True), drawn)


@pytest.mark.parametrize("rows", [wide, long, by_year])
@settings(SOME, max_examples=5)
@given(drawn=panels())
def test_xlsx(tmp_path: Path, rows: object, drawn: Drawn) -> None:
    path = write_xlsx(rows(drawn), tmp_path / "panel.xlsx")  # type: ignore[operator]
    panel = load_data(path, panel=True)
    assert panel.codes == drawn.regions
    for name, array in drawn.values.items():
        # A workbook stores numbers with fifteen to seventeen digits.
        np.testing.assert_allclose(panel.array(name), array, rtol=1e-15, err_msg=name)


@SOME
@given(drawn=panels())
def test_the_shape_of_the_file_does_not_change_the_panel(tmp_path: Path, drawn: Drawn) -> None:
    digests = {
        load_data(write_csv(rows(drawn), tmp_path / name, "utf-8"), panel=True).sha256
        for name, rows in (("wide.csv", wide), ("long.csv", long), ("years.csv", by_year))
    }
    assert len(digests) == 1


@SOME
@given(drawn=panels())
def test_a_panel_written_as_a_long_table_is_the_same_panel(tmp_path: Path, drawn: Drawn) -> None:
    panel = load_data(write_csv(wide(drawn), tmp_path / "panel.csv", "utf-8"), panel=True)
    panel.to_frame().to_csv(tmp_path / "again.csv", index=False, float_format=None)
    assert load_data(tmp_path / "again.csv", panel=True).sha256 == panel.sha256


def test_the_shipped_panel_survives_its_own_table(tmp_path: Path) -> None:
    china = load_data("china")
    china.to_frame().to_csv(tmp_path / "again.csv", index=False)
    again = load_data(tmp_path / "again.csv", regions="china", national=china.national)
    for name in china.variables:
        np.testing.assert_array_equal(again.array(name), china.array(name))
    assert dict(again.flags) == dict(china.flags)
    assert again.regions == china.regions
    # The price basis of output is the one thing that the units of the table do not carry.
    assert again.price_basis == ""


@pytest.mark.parametrize(
    ("unit", "factor"), [("亿元", 1e8), ("万元", 1e4), ("元", 1.0), ("100 million yuan", 1e8), ("billion yuan", 1e9)]
)
@SOME
@given(drawn=panels())
def test_the_unit_of_the_file_does_not_change_the_panel(tmp_path: Path, unit: str, factor: float, drawn: Drawn) -> None:
    output = drawn.values["output"] / factor
    rows = [["region", "year", f"output ({unit})", "population (万人)"]]
    for row, region in enumerate(drawn.regions):
        for column, year in enumerate(drawn.years):
            people = drawn.values["population"][row, column] / 1e4
            rows.append([region, str(year), text_of(output[row, column]), text_of(people)])
    panel = load_data(write_csv(iter(rows), tmp_path / "panel.csv", "utf-8"), panel=True)
    np.testing.assert_allclose(panel.array("output"), drawn.values["output"], rtol=1e-14)
    np.testing.assert_allclose(panel.array("population"), drawn.values["population"], rtol=1e-14)


@SOME
@given(drawn=panels(), seed=st.integers(0, 2**32 - 1))
def test_row_order_changes_only_the_order_of_regions(tmp_path: Path, drawn: Drawn, seed: int) -> None:
    head, *body = wide(drawn)
    np.random.default_rng(seed).shuffle(body)
    panel = load_data(write_csv(iter([head, *body]), tmp_path / "panel.csv", "utf-8"), panel=True)
    assert panel.codes == tuple(dict.fromkeys(row[0] for row in body))
    assert panel.years == drawn.years
    for name, array in drawn.values.items():
        order = [drawn.regions.index(code) for code in panel.codes]
        np.testing.assert_array_equal(panel.array(name), array[order])

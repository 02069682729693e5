"""The shipped panel: rebuilt from the downloads, against official figures, and its own promises."""

import csv
import tomllib
from pathlib import Path

import numpy as np
import pytest

from pysd_runner.data import Data, check_data, load_data
from pysd_runner.data.sources import shipped_panels
from pysd_runner.data.units import parse_unit
from pysd_runner.spec import load_spec

FOLDER = shipped_panels()["china"].parent


@pytest.fixture(scope="module")
def china() -> Data:
    return load_data("china")


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_panel_agrees_with_an_independent_reading_of_the_downloads(china: Data, shared_data: Path) -> None:
    scales = {"gdp_nominal": ("output", 1e8), "population_yearend": ("population", 1e4)}
    seen = 0
    with (shared_data / "china_province_core.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["variable"] in scales and int(row["year"]) in china.years:
                name, scale = scales[row["variable"]]
                value = china.array(name)[china.codes.index(row["region_code"]), china.years.index(int(row["year"]))]
                # The splice is rounded to the download's two decimals.
                assert value == pytest.approx(float(row["value"]) * scale, rel=1e-12, abs=0.006 * scale)
                seen += 1
    assert seen == 2 * 31 * 25


def test_town_and_country_make_up_the_population_of_their_vintage(china: Data, shared_data: Path) -> None:
    with (shared_data / "china_province_vintage2018.csv").open(encoding="utf-8") as file:
        people = [row for row in csv.DictReader(file) if row["variable"] == "population_yearend_v3"]
    assert len(people) == 310
    for row in people:
        place = china.codes.index(row["region_code"]), china.years.index(int(row["year"]))
        parts = china.array("urban_population")[place] + china.array("rural_population")[place]
        # Each is rounded to ten thousand.
        assert parts / 1e4 == pytest.approx(float(row["value"]), abs=1.5), row


def test_urban_shares_are_those_the_bureau_published(china: Data) -> None:
    """Share of the nation in the communiques of 2010 to 2016; military personnel, in no province, are in it."""
    published = {2010: 0.4995, 2011: 0.5127, 2012: 0.5257, 2013: 0.5373, 2014: 0.5477, 2015: 0.5610, 2016: 0.5735}
    for year, share in published.items():
        place = china.years.index(year)
        town, village = (china.array(name)[:, place].sum() for name in ("urban_population", "rural_population"))
        assert town / (town + village) == pytest.approx(share, abs=0.006), year
    assert china.years_with("urban_share") == tuple(range(2007, 2017))
    at = china.years.index(2016)
    assert china.array("urban_share")[china.codes.index("540000"), at] == pytest.approx(98 / 331)
    assert china.array("urban_share")[:, at].max() == china.array("urban_share")[china.codes.index("310000"), at]


def test_nothing_is_wrong_with_it() -> None:
    assert check_data("china") == []
    assert check_data(FOLDER / "panel.csv", panel=True) == []


def test_shape_and_coverage(china: Data) -> None:
    assert len(china.regions) == 31
    assert china.years == tuple(range(2000, 2025))
    assert np.isfinite(china.array("output")).all()
    assert np.isfinite(china.array("population")).all()
    spans = {name: china.years_with(name) for name in china.variables}
    assert spans["mobile_internet_users"] == tuple(range(2014, 2024))
    for name in ("broadband_ports", "ict_employment", "urban_unit_employment", "firms_with_ecommerce"):
        assert spans[name] == tuple(range(2013, 2024))
        held = china.array(name)[:, china.years.index(2013) : china.years.index(2023) + 1]
        assert np.isfinite(held).all()


def test_units_are_canonical(china: Data) -> None:
    assert china.units["output"] == "Yuan/Year"
    assert china.units["population"] == "Person"
    assert china.currency == "Yuan"
    assert china.price_basis == "current prices"
    assert 0 < np.nanmin(china.array("firms_with_ecommerce")) < np.nanmax(china.array("firms_with_ecommerce")) < 0.3


@pytest.mark.parametrize(
    ("region", "year", "output"),
    [
        # Published figures of the bureau, 100 million yuan.
        ("Guangdong", 2023, 137905.4),
        ("Guangdong", 2024, 141488.9),
    ],
)
def test_output_is_the_newest_vintage(china: Data, region: str, year: int, output: float) -> None:
    row = china.codes.index(china.entity(region).code)
    assert china.array("output")[row, china.years.index(year)] == pytest.approx(output * 1e8)


@pytest.mark.parametrize(
    ("year", "total", "tolerance"),
    [(2013, 35945, 1), (2019, 91578, 1), (2020, 94605, 1), (2021, 101785, 1), (2022, 107104, 1), (2023, 113600, 20)],
)
def test_ports_add_up_to_the_national_totals(china: Data, year: int, total: float, tolerance: float) -> None:
    """Totals of the Ministry of Industry and Information Technology, 10 thousand ports."""
    assert china.array("broadband_ports")[:, china.years.index(year)].sum() / 1e4 == pytest.approx(total, abs=tolerance)


@pytest.mark.parametrize(("year", "sigma"), [(2000, 0.522), (2010, 0.435), (2015, 0.376), (2024, 0.370)])
def test_dispersion_of_output_per_head(china: Data, year: int, sigma: float) -> None:
    """Reference mode of the model: standard deviation of log output per head over the regions."""
    assert np.log(china.array("output_per_head")[:, china.years.index(year)]).std() == pytest.approx(sigma, abs=6e-4)


def test_regional_sums_against_quoted_official_figures(china: Data, shared_data: Path) -> None:
    """Where vintages allow: the yearbook's populations of 2005 and 2006, and the first release of East 2024."""
    groups = np.array([region.group for region in china.regions])

    def total(variable: str, group: str, year: int) -> float:
        chosen = groups == group
        return float(china.array(variable)[chosen, china.years.index(year)].sum())

    with (shared_data / "china_regions_official.csv").open(encoding="utf-8") as file:
        quoted = [row for row in csv.DictReader(file) if row["group"] == "quoted"]
    people = [row for row in quoted if row["variable"] == "population_official" and row["region"] != "China"]
    assert len(people) == 8
    for row in people:
        ours = total("population", row["region"], int(row["year"])) / 1e4
        assert ours == pytest.approx(float(row["value"]), rel=0.012), row
    for row in quoted:
        if row["variable"] != "gdp_nominal_official" or row["region"] == "China":
            continue
        year = int(row["year"])
        tolerance = {2024: 0.003, 2023: 0.037, 2020: 0.029, 2019: 0.027}.get(year)
        if tolerance is not None:
            assert total("output", row["region"], year) / 1e8 == pytest.approx(float(row["value"]), rel=tolerance), row


def test_spliced_years_are_marked(china: Data) -> None:
    for year in china.years:
        for variable, last in (("output", 2005), ("population", 2004)):
            assert (china.flags.get((variable, "110000", year)) == "spliced") == (year <= last)
    assert china.flags["output_per_head", "650000", 2020] == "derived"
    assert ("mobile_internet_per_100", "650000", 2005) not in china.flags


def test_the_splice_has_no_jump(china: Data) -> None:
    growth = np.diff(np.log(china.array("output")), axis=1)
    joint = growth[:, china.years.index(2005)]
    assert 0.05 < joint.min() < joint.max() < 0.35


def test_codes_groups_and_tiles(china: Data) -> None:
    codes = [int(code) for code in china.codes]
    assert codes == sorted(codes)
    assert all(len(code) == 6 and code.endswith("0000") for code in china.codes)
    groups = {name: [region.name_en for region in china.regions if region.group == name] for name in china.groups}
    assert {name: len(members) for name, members in groups.items()} == {
        "East": 10,
        "Central": 6,
        "West": 12,
        "Northeast": 3,
    }
    assert groups["Northeast"] == ["Liaoning", "Jilin", "Heilongjiang"]
    assert groups["Central"] == ["Shanxi", "Anhui", "Jiangxi", "Henan", "Hubei", "Hunan"]
    tiles = {(region.row, region.column) for region in china.regions}
    assert len(tiles) == 31
    assert {row for row, _ in tiles} == set(range(8))
    assert {column for _, column in tiles} == set(range(1, 8)) or {column for _, column in tiles} == set(range(8))


@pytest.mark.parametrize(
    ("north", "south"),
    [
        ("Heilongjiang", "Jilin"),
        ("Beijing", "Hebei"),
        ("Hubei", "Hunan"),
        ("Guangdong", "Hainan"),
        ("Gansu", "Sichuan"),
    ],
)
def test_tiles_keep_north_up(china: Data, north: str, south: str) -> None:
    assert china.entity(north).row < china.entity(south).row


@pytest.mark.parametrize(
    ("west", "east"), [("Xinjiang", "Gansu"), ("Tibet", "Sichuan"), ("Shanxi", "Shandong"), ("Jiangsu", "Shanghai")]
)
def test_tiles_keep_west_left(china: Data, west: str, east: str) -> None:
    assert china.entity(west).column < china.entity(east).column


def test_every_column_has_its_source() -> None:
    declared = tomllib.loads((FOLDER / "sources.toml").read_text(encoding="utf-8"))
    with (FOLDER / "panel.csv").open(encoding="utf-8") as file:
        header = next(csv.reader(file))
    assert list(declared["columns"]) == header
    for name, column in declared["columns"].items():
        assert {"unit", "series", "office", "vintage", "breaks", "reached_us"} <= set(column), name
        if name not in {"region", "year"}:
            assert parse_unit(column["unit"]).factor > 0
            assert column["reached_us"]
    assert set(declared["series"]) == {row["variable"] for row in rows("national.csv")}


def test_every_national_series_is_read_or_says_why_not() -> None:
    """By a measurement, one of its alternatives, or a start value."""
    declared = tomllib.loads((FOLDER / "sources.toml").read_text(encoding="utf-8"))["series"]
    spec = load_spec(FOLDER.parents[1] / "model.toml")
    read = {proxy.of for proxy in spec.proxies}
    for item in spec.measurements.values():
        read |= {item.national, *item.alternatives}
    for name, series in declared.items():
        reason = series.get("not_used", "")
        assert (name in read) != bool(reason), name
        assert not reason or len(reason) > 40
    assert {"internet_penetration", "digital_skill_basic", "digital_skill_intermediate"} <= read


def test_surveys_of_skills_are_one_fact_each() -> None:
    for name in ("digital_skill_basic", "digital_skill_intermediate"):
        assert [(row["year"], row["flag"]) for row in rows("national.csv") if row["variable"] == name] == [("2023", "")]


def test_no_index_that_is_not_official() -> None:
    text = (FOLDER / "panel.csv").read_text(encoding="utf-8")
    assert "pku" not in text.lower()
    assert "Peking University" in (FOLDER / "sources.toml").read_text(encoding="utf-8")


def test_national_penetration(china: Data) -> None:
    """CNNIC, end of each year; the growth is steady enough to show a slip of a digit."""
    series = china.national["internet_penetration"]
    assert list(series) == list(range(2007, 2025))
    assert series[2014] == pytest.approx(0.479)
    assert series[2015] == pytest.approx(0.503)
    assert series[2024] == pytest.approx(0.786)
    steps = np.diff(list(series.values()))
    assert 0.005 < steps.min() < steps.max() < 0.07
    assert china.national["open_data_platforms"][2022] == 208


def test_national_values_say_their_report_and_month() -> None:
    for row in rows("national.csv"):
        assert row["source"]
        assert row["period"].startswith(("20",))
        if row["variable"] == "internet_penetration":
            assert "CNNIC" in row["source"] or "communique" in row["source"]
            late = row["period"] != f"{row['year']}-12"
            assert late == (row["year"] == "2019")
            assert not late or row["flag"]


def test_penetration_agrees_with_the_international_series(china: Data, shared_data: Path) -> None:
    """The series of the International Telecommunication Union follows CNNIC until 2022, within two points."""
    with (shared_data / "world_countries.csv").open(encoding="utf-8") as file:
        union = {
            int(row["year"]): float(row["value"]) / 100
            for row in csv.DictReader(file)
            if row["region"] == "China" and row["variable"] == "internet_users"
        }
    series = china.national["internet_penetration"]
    for year in range(2007, 2023):
        assert series[year] == pytest.approx(union[year], abs=0.02), year

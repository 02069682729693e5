"""Somebody else's long file: the states of the United States."""

import csv
from pathlib import Path

import numpy as np
import pytest

from pysd_runner.panel import Data, PanelMapping, check_data, load_data, load_mapping

MAPPING = """\
schema: 1
columns: {gdp_real: output}
keep: {variable: [gdp_real, population]}
drop: {group: [NATION]}
"""


@pytest.fixture
def mapping(tmp_path: Path) -> PanelMapping:
    path = tmp_path / "mapping.yaml"
    path.write_text(MAPPING, encoding="utf-8")
    return load_mapping(path)


@pytest.fixture
def states(shared_data: Path, mapping: PanelMapping) -> Data:
    return load_data(shared_data / "us_states.csv", roles=mapping, panel=True)


def test_states_load_with_a_mapping(states: Data) -> None:
    assert len(states.regions) == 51
    assert "United States" not in {region.name_en for region in states.regions}
    assert states.currency == "US dollar"
    assert states.price_basis == "constant 2017 prices"
    assert states.years_with("output") == tuple(range(1997, 2024))
    assert states.years_with("output_per_head") == tuple(range(1997, 2021))


def test_values_are_those_of_the_file(states: Data, shared_data: Path) -> None:
    with (shared_data / "us_states.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["region_code"] != "06000" or row["variable"] not in {"gdp_real", "population"}:
                continue
            name, scale = {"gdp_real": ("output", 1e6), "population": ("population", 1.0)}[row["variable"]]
            place = states.codes.index("06000"), states.years.index(int(row["year"]))
            assert states.array(name)[place] == float(row["value"]) * scale
    row = states.codes.index(states.entity("California").code)
    # Census Bureau: 39.44 million in 2019.
    assert states.array("population")[row, states.years.index(2019)] == pytest.approx(39.44e6, rel=0.002)


def test_what_is_left_out_is_reported(states: Data) -> None:
    assert {problem.rule for problem in states.problems} == {"left-out"}
    assert len(states.problems) == 2


def test_late_states_are_no_gap(states: Data) -> None:
    people = states.array("population")
    alaska = states.codes.index(states.entity("Alaska").code)
    assert np.isnan(people[alaska, states.years.index(1940)])
    assert np.isfinite(people[alaska, states.years.index(1950)])


def test_nothing_is_dropped_or_chosen_without_being_asked(shared_data: Path) -> None:
    path = shared_data / "us_states.csv"
    errors = [problem for problem in check_data(path, panel=True) if problem.severity == "error"]
    assert [problem.rule for problem in errors] == ["ambiguous-variable"]
    assert "gdp_nominal" in errors[0].found
    assert "gdp_real" in errors[0].found
    everything = load_data(path, roles={"gdp_real": "output"}, panel=True)
    assert len(everything.regions) == 52
    assert {"gdp_nominal", "personal_income", "households_with_broadband"} <= set(everything.variables)
    assert everything.units["personal_income"] == "million current dollars"

"""The reporting tables: nothing is invented, nothing is lost."""

import pytest

from calibration.sdeval import report_tables
from pysd_runner.core.errors import UnknownName


def test_without_anything_given_nothing_is_reported() -> None:
    tables = report_tables({})
    for part in ("model", "simulation", "optimisation"):
        table = getattr(tables, part)
        assert set(table["reported"]) == {"not reported"}
        assert table["key"].is_unique
        assert set(table["level"]) == {"minimum", "preferred"}


def test_what_is_given_stands_under_its_requirement() -> None:
    tables = report_tables({"software": "gapsim 0.1.0", "seeds": 0, "objective": "  ", "optimum": None})
    reported = tables.simulation.set_index("key")["reported"]
    assert reported["software"] == "gapsim 0.1.0"
    assert reported["seeds"] == "0"
    assert set(tables.optimisation["reported"]) == {"not reported"}


def test_an_unknown_key_gets_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'software'"):
        report_tables({"sofware": "x"})

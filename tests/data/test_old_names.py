"""Names of earlier versions work on, and say what to write instead."""

import importlib

import numpy as np
import pandas as pd
import pytest

import pysd_runner
from pysd_runner.data import Data, Entity

WIDE = {"region": ["A", "B"], "year": [2000, 2000], "output_per_head [yuan]": [3e4, 4e4]}


def old(name, door="pysd_runner.data"):
    with pytest.warns(DeprecationWarning, match=f"{name} is now"):
        return getattr(importlib.import_module(door), name)


@pytest.mark.parametrize("door", ["pysd_runner", "pysd_runner.data"])
def test_a_panel_of_earlier_scripts(door):
    panel = old("load_panel", door)(WIDE, mapping={"output_per_head": "output_per_head"})
    assert isinstance(panel, Data)
    np.testing.assert_array_equal(panel["output_per_head"], [[3e4], [4e4]])
    assert isinstance(panel["output_per_head"], np.ndarray)
    assert panel.region("a").code == "A"
    assert panel.subset(regions=["B"], years=[2000]).codes == ("B",)
    assert [item.rule for item in old("check_panel", door)(WIDE)] == [item.rule for item in panel.problems]
    assert pysd_runner.load_data(WIDE).sha256 == panel.sha256
    assert [isinstance(pysd_runner.load_data(WIDE), old(kind)) for kind in ("Panel", "Table")] == [True, False]


def test_panels_made_by_earlier_scripts():
    assert old("Region") is Entity
    region = Entity(code="A", name_en="A", name_zh="A")
    made = old("Panel")(name="x", regions=(region,), years=(2000,), values={"a": [[1.0]]}, units={"a": "m"})
    assert (made.years, made.units) == ((2000,), {"a": "m"})
    np.testing.assert_array_equal(made["a"], [[1.0]])


def test_a_table_of_earlier_scripts():
    source = {"day": [0, 1], "place": ["n", "n"], "infected": [5, 6], "note": [1, 2]}
    table = old("load_table")(source, columns={"note": "ignore"}, name="obs", missing=["5"])
    assert [isinstance(pysd_runner.load_data(source), old(kind)) for kind in ("Panel", "Table")] == [False, True]
    assert (table.name, table.source, table.axes) == ("obs", "dictionary", {"place": ("n",)})
    np.testing.assert_array_equal(table.column("infected").values, [[np.nan, 6]])
    frame = old("load_table")(source)["note"]
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == ["n"]
    assert isinstance(table, Data)
    assert [item.rule for item in old("check_table")({"day": [0, 1], "a": ["x", 1]})] == ["not-a-number"]

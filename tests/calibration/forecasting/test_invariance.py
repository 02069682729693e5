"""A forecast depends neither on the unit of money nor on the order of the rows."""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from calibration.forecasting import forecast
from pysd_runner.data import Data, load_data

PAGE = Path(__file__).parents[3] / "docs" / "own_data.md"


def made_up() -> Data:
    """The four regions of the page on data of one's own, with a digital series."""
    text = re.search(r"```text\n(region,year,.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert text is not None
    return load_data(pd.read_csv(io.StringIO(text[1])), panel=True)


def munnell() -> Data:
    """Output per worker of 48 states of the US, 1975-86."""
    rows = pytest.importorskip("linearmodels.datasets.munnell").load()
    rows = rows.rename(columns={"ST_ABB": "region", "YR": "year"})
    rows["output_per_head"] = rows["GSP"] / rows["EMP"]
    return load_data(rows.loc[rows["year"] >= 1975, ["region", "year", "output_per_head"]], panel=True)


def china() -> Data:
    """Thirty-one provinces with everything that the project ships."""
    return load_data("china").subset(times=range(2013, 2025))


def in_other_money(panel: Data, factor: float) -> Data:
    """Output multiplied."""
    money = [name for name in panel.values if name in {"output", "output_per_head"}]
    return panel.with_values({**panel.values, **{name: panel.array(name) * factor for name in money}})


def reordered(panel: Data, order: np.ndarray) -> Data:
    """The regions in another order."""
    values = {name: value[order] for name, value in panel.values.items()}
    regions = tuple(panel.regions[place] for place in order)
    return replace(panel.with_values(values), entities={"region": regions})


@pytest.mark.parametrize("forecaster", ["filtered", "gapsim"])
@pytest.mark.parametrize("panel_of", [made_up, munnell, china])
def test_another_unit_and_another_order_of_rows_give_the_same_forecast(
    panel_of: Callable[[], Data], forecaster: str
) -> None:
    panel = panel_of()
    asked = {"until": panel.years[-1] + 5, "forecaster": forecaster, "draws": 60, "past": False}
    expected = forecast(panel, **asked).paths
    rows = np.arange(len(panel.regions))
    for factor, order in ((1e-3, rows[::-1]), (1e3, np.roll(rows, 2))):
        found = forecast(in_other_money(reordered(panel, order), factor), **asked).paths
        assert tuple(found["region"].to_numpy()) == tuple(panel.codes[place] for place in order)
        assert_allclose(found.sel(region=expected["region"]), expected, rtol=0, atol=1e-9)


def test_a_country_beside_a_region_is_its_group() -> None:
    rows = pd.DataFrame(
        {"region": code, "year": year, "output_per_head": 100 + 9 * place + year % (place + 3), "of": code[0]}
        for place, code in enumerate(("A1", "A2", "B1", "B2"))
        for year in range(2000, 2012)
    )
    found = {
        name: forecast(load_data(rows.rename(columns={"of": name}), panel=True), until=2013, draws=40, past=False)
        for name in ("group", "country", "Nation", "国家")
    }
    assert found["country"].target.groups == ("A", "A", "B", "B")
    for item in found.values():
        assert item.paths.to_numpy().tobytes() == found["group"].paths.to_numpy().tobytes()
    # Without other regions countries are the regions.
    alone = load_data(rows.rename(columns={"region": "country"}).drop(columns="of"), panel=True)
    assert {region.group for region in alone.regions} == {""}

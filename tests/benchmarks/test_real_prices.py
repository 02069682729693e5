"""A panel in prices of one year: with indices equal to growth it comes back, and a missing index is refused."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from numpy.testing import assert_allclose

from benchmarks.real_prices import constant_prices, indices, moved
from pysd_runner.core.errors import InvalidInput
from pysd_runner.data import Data, Entity, load_data

YEARS = range(2012, 2018)
REGIONS = [Entity(code=code, name_en=code, name_zh=code) for code in ("110000", "120000", "130000")]


def panel_of(seed: int) -> Data:
    rng = np.random.default_rng(seed)
    output, people = rng.uniform(1, 9, (2, 3, len(YEARS)))
    values = {"output": output, "population": people, "output_per_head": output / people, "ports": people}
    return Data.by_region(
        name="three", regions=REGIONS, years=YEARS, values=values, units={}, price_basis="current prices"
    )


def growth_of(panel: Data) -> pd.DataFrame:
    output = panel.array("output")
    return pd.DataFrame(100 * output[:, 1:] / output[:, :-1], index=list(panel.codes), columns=list(panel.years[1:]))


@given(st.integers(0, 10_000), st.sampled_from(YEARS[:-1]))
def test_indices_that_equal_growth_give_the_panel_back(seed: int, base: int) -> None:
    panel = panel_of(seed)
    same = constant_prices(panel, growth_of(panel), base)
    for name in panel.variables:
        assert_allclose(same.array(name), panel.array(name), rtol=1e-12)
    assert max(moved(panel, same, base).values()) < 1e-9
    assert same.price_basis == f"constant {base} prices"


@given(st.integers(0, 10_000))
def test_prices_that_rise_alike_move_nothing_relative(seed: int) -> None:
    panel = panel_of(seed)
    real = constant_prices(panel, growth_of(panel) / 1.03, 2014)
    assert max(moved(panel, real, 2014).values()) < 1e-9
    assert_allclose(real.array("output")[:, -1], panel.array("output")[:, -1] / 1.03**3)
    assert_allclose(real.array("output")[:, :3], panel.array("output")[:, :3])
    assert_allclose(real.array("output_per_head"), real.array("output") / real.array("population"))


def test_how_far_one_region_moves_by_hand() -> None:
    panel = panel_of(0)
    index = growth_of(panel)
    index.loc["110000", 2017] *= np.exp(0.3)
    assert_allclose(
        list(moved(panel, constant_prices(panel, index, 2014), 2014).values()),
        [100 * np.sqrt((0.2**2 + 2 * 0.1**2) / 3), 100 * 0.4 / 3],
    )


@pytest.mark.parametrize("spoilt", ["row", "cell", "year"])
def test_a_region_without_an_index_is_refused_in_one_sentence(spoilt: str) -> None:
    panel = panel_of(1)
    index = growth_of(panel)
    if spoilt == "row":
        index = index.drop("120000")
    elif spoilt == "cell":
        index.loc["120000", 2016] = np.nan
    else:
        index = index.drop(columns=2017)
    with pytest.raises(InvalidInput, match=r"^volume indices of 2015-2017 are missing for .*120000") as error:
        constant_prices(panel, index, 2014)
    assert "\n" not in str(error.value)
    assert ("110000" in str(error.value)) == (spoilt == "year")


def test_the_indices_are_of_every_province_and_year_of_the_fit() -> None:
    table = indices()
    assert list(table.index) == sorted(load_data("china", panel=True).codes)
    assert list(table.columns) == list(range(2015, 2025))
    assert table.notna().all(axis=None)
    assert table.loc["510000", [2020, 2021]].tolist() == [103.8, 108.3]
    assert table.stack().between(94, 113).all()

"""No text is cut off, none covers another, in either language."""

import numpy as np
import pytest
import xarray as xr

from pysd_runner.plots import plot_differences, plot_dispersion, plot_gaps, plot_tiles
from tests.plots.reading import covered_texts, cut_texts

FIGURES = {
    "gaps of one": lambda f, past, lang: plot_gaps(
        f["gap_to_leader"], past["gap_to_leader"], regions=["130000"], scenario="zoned_need", lang=lang
    ),
    "gaps of six": lambda f, past, lang: plot_gaps(f["gap_to_leader"], past["gap_to_leader"], lang=lang),
    "gaps of classes": lambda f, past, lang: plot_gaps(f["class_gap"], past["class_gap"], lang=lang),
    "gaps without history": lambda f, _, lang: plot_gaps(
        f["relative_output"], regions=["110000", "120000", "130000", "140000"], lang=lang
    ),
    "tiles": lambda f, past, lang: plot_tiles(
        f["gap_to_leader"], past["gap_to_leader"], scenario="zoned_need", lang=lang
    ),
    "tiles in order": lambda f, _, lang: plot_tiles(
        f["gap_to_leader"].drop_vars(["row", "column"]).isel(region=slice(0, 8)), lang=lang
    ),
    "differences": lambda f, _, lang: plot_differences(f["class_gap"], region="West", lang=lang),
    "differences of the nation": lambda f, _, lang: plot_differences(f["national_output"], lang=lang),
    "dispersion": lambda f, past, lang: plot_dispersion(f, past, scenario="zoned_need", lang=lang),
}


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", FIGURES)
def test_every_text_is_whole_and_free(name, lang, futures, history, has_chinese):
    if lang == "zh" and not has_chinese:
        pytest.skip("no font for Chinese on this machine")
    figure = FIGURES[name](futures, history, lang)
    assert cut_texts(figure) == []
    assert covered_texts(figure) == []


def test_hostile_names_and_many_policies():
    rng = np.random.default_rng(0)
    names = ["baseline", *(f"a_policy_with_a_very_long_name_{number}_that_goes_on_and_on" for number in range(11))]
    regions = ["$x$ & <b>", "A region whose name is longer than its tile can be", "R_3"]
    values = xr.DataArray(
        rng.normal(1e6, 1e4, (12, 20, 3, 8)),
        coords={"scenario": names, "draw": range(20), "region": regions, "year": range(2024, 2032)},
        name="wage_sum",
        attrs={"units": "Yuan/Year"},
    )
    for figure in (
        plot_gaps(values, origin=2024),
        plot_tiles(values, origin=2024),
        plot_differences(values, region="R_3"),
    ):
        assert cut_texts(figure) == []
        assert covered_texts(figure) == []

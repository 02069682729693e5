"""Small multiples on the tile grid."""

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidInput
from pysd_runner.indicators import indicators_of
from pysd_runner.plots import plot_tiles
from tests.plots.conftest import make_future
from tests.plots.reading import covered_texts, cut_texts, texts_of


@pytest.fixture(scope="module")
def figure(futures, history):
    return plot_tiles(futures["gap_to_leader"], history["gap_to_leader"], scenario="zoned_need")


def test_every_region_has_its_tile_where_the_grid_says(figure, futures):
    assert len(figure.axes) == 31
    boxes = [axes.get_position() for axes in figure.axes]
    columns, rows = futures["column"].to_numpy(), futures["row"].to_numpy()
    lefts = sorted({round(box.x0, 6) for box in boxes})
    tops = sorted({round(-box.y1, 6) for box in boxes})
    assert [lefts.index(round(box.x0, 6)) + 1 for box in boxes] == columns.tolist()
    assert [tops.index(round(-box.y1, 6)) + 1 for box in boxes] == rows.tolist()


def test_tiles_share_the_years_and_span_the_same_values_each_around_its_own(figure, futures, history):
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    limits = np.array([axes.get_ylim() for axes in figure.axes])
    assert np.ptp(limits[:, 1] - limits[:, 0]) < 1e-9
    # Nothing is cut off, and the tile that needs most room fills its own.
    ends = futures["gap_to_leader"].sel(scenario="zoned_need").quantile([0.05, 0.95], "draw")
    past = history["gap_to_leader"].sel(region=futures["region"])
    low = 100 * np.minimum(ends.min(["quantile", "year"]), past.min("year")).to_numpy()
    top = 100 * np.maximum(ends.max(["quantile", "year"]), past.max("year")).to_numpy()
    assert (limits[:, 0] <= low + 1e-9).all()
    assert (limits[:, 1] >= top - 1e-9).all()
    assert (top - low).max() > 0.8 * (limits[0, 1] - limits[0, 0])
    assert limits.min() >= 0


def test_it_fits_a_page(figure):
    width, height = figure.get_size_inches()
    assert width <= 7.5
    assert height <= 10


def test_names_and_key_are_written(figure):
    words = [text.get_text() for text in texts_of(figure)]
    assert {f"Province {number}" for number in range(1, 32)} <= set(words)
    assert {"observed", "Zoned and need-weighted, median", "No policy"} <= set(words)


def test_the_sentence_names_the_region_that_changes_most(figure, futures):
    last = futures["gap_to_leader"].isel(year=-1).median("draw")
    change = np.abs(last.sel(scenario="zoned_need") - last.sel(scenario="baseline"))
    name = str(futures["name_en"].to_numpy()[int(np.argmax(change.to_numpy()))])
    assert f" {name}, 2035" in figure.sentence
    assert figure.sentence.startswith("In 29 of 31 regions the median ends narrower than under “No policy”.")


def test_without_rows_and_columns_tiles_stand_in_order(futures):
    few = futures["gap_to_leader"].drop_vars(["row", "column"]).isel(region=slice(0, 7))
    figure = plot_tiles(few)
    assert "roughly where they lie" not in figure.caption
    assert len(figure.axes) == 7
    # Every tile has numbers of its own; years stand at the bottom only.
    assert all(axes.yaxis.get_major_ticks()[0].label1.get_visible() for axes in figure.axes)
    assert sum(axes.xaxis.get_major_ticks()[0].label1.get_visible() for axes in figure.axes) == 3


def test_two_regions_on_one_tile_are_refused(futures):
    gaps = futures["gap_to_leader"].isel(region=slice(0, 3))
    crowded = gaps.assign_coords(row=("region", [1, 2, 1]), column=("region", [3, 3, 3]))
    with pytest.raises(InvalidInput, match=r"'110000' and '130000' share the tile in row 1, column 3"):
        plot_tiles(crowded)


@pytest.fixture(scope="module")
def many():
    """Sixty-five regions that nobody has placed on a map."""
    output, population = make_future(count=65, draws=8)
    columns = 9  # as near a square as it gets, filled in the order of the regions
    tiles = {
        "row": ("region", [n // columns for n in range(65)]),
        "column": ("region", [n % columns for n in range(65)]),
    }
    return indicators_of(output, population)["gap_to_leader"].assign_coords(tiles)


def _rows_of(axes):
    """Positions of the dots from the top, and the medians they stand at."""
    ((values, places),) = [
        (line.get_xdata(), line.get_ydata()) for line in axes.get_lines() if line.get_marker() == "o"
    ]
    return values[np.argsort(-np.asarray(places))]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("count", [55, 65])
def test_many_regions_without_a_map_are_dots_ordered_by_their_median(many, count, lang):
    gaps = many.isel(region=slice(0, count))
    figure = plot_tiles(gaps, scenario="zoned_need", lang=lang)
    (axes,) = figure.axes
    medians = 100 * gaps.sel(scenario="zoned_need").isel(year=-1).median("draw").to_numpy()
    np.testing.assert_allclose(_rows_of(axes), np.sort(medians))
    baseline = 100 * gaps.sel(scenario="baseline").isel(year=-1).median("draw").to_numpy()
    (marks,) = [line for line in axes.get_lines() if line.get_marker() == "|"]
    np.testing.assert_allclose(np.sort(marks.get_xdata()), np.sort(baseline))
    assert "2035" in figure.caption
    width, height = figure.get_size_inches()
    assert width <= 7.5
    assert height <= 10
    assert not cut_texts(figure)
    assert not covered_texts(figure)


def test_the_data_behind_dots_have_every_region_in_the_year_drawn(many):
    figure = plot_tiles(many, scenario="zoned_need")
    assert set(figure.data["region"]) == set(many["region"].to_numpy())
    assert set(figure.data["year"]) == {2035}
    code = str(many["region"].to_numpy()[7])
    row = figure.data.query("scenario == 'zoned_need' and region == @code and quantile == 0.95")
    own = many.sel(scenario="zoned_need", region=code, year=2035)
    assert row["value"].item() == pytest.approx(100 * float(own.quantile(0.95, "draw")))
    assert set(figure.data["scenario"]) == {"zoned_need", "baseline"}


def test_of_too_many_rows_those_told_of_and_changed_most_are_named_and_the_caption_says_so(many):
    name = str(many["name_en"].to_numpy()[40])
    figure = plot_tiles(many, scenario="zoned_need", told=name)
    words = [text.get_text() for text in texts_of(figure) if text.get_text().startswith("Province")]
    last = many.isel(year=-1).median("draw")
    change = np.abs(last.sel(scenario="zoned_need") - last.sel(scenario="baseline")).to_numpy()
    most = {str(text) for text in many["name_en"].to_numpy()[np.argsort(-change)[:11]]}
    assert set(words) == most | {name}
    assert "12 of 65 regions are named" in figure.caption
    assert f" {name}, 2035" in figure.sentence
    few = plot_tiles(many.isel(region=slice(0, 60)), scenario="zoned_need")
    assert sum(text.get_text().startswith("Province") for text in texts_of(few)) == 60
    assert "are named" not in few.caption


def test_one_simulation_of_many_regions_is_dots_alone(many):
    figure = plot_tiles(many.isel(draw=[0]), scenario="zoned_need", baseline=None)
    assert "90 %" not in " ".join(text.get_text() for text in texts_of(figure))
    np.testing.assert_allclose(_rows_of(figure.axes[0]), 100 * np.sort(many.sel(scenario="zoned_need")[0, :, -1]))


def test_many_regions_on_a_map_keep_their_tiles(many):
    # Twelve columns and as many rows, half of them taken, not in the order of the regions.
    placed = np.random.default_rng(0).permutation(144)[:65]
    tiles = {"row": ("region", placed // 12), "column": ("region", placed % 12)}
    figure = plot_tiles(many.assign_coords(tiles), scenario="zoned_need")
    assert len(figure.axes) == 65
    assert "roughly where they lie" in figure.caption
    assert not covered_texts(figure)


def test_tiles_that_nobody_placed_are_not_called_a_map(many):
    figure = plot_tiles(many.isel(region=slice(0, 12)).drop_sel(region="150000"), scenario="zoned_need")
    assert len(figure.axes) == 11
    assert "roughly where they lie" not in figure.caption

"""Small multiples on the tile grid."""

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidInput
from pysd_runner.plots import plot_tiles
from tests.plots.reading import texts_of


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


def test_the_table_has_every_region(figure, futures):
    assert set(figure.data["region"]) == set(futures["region"].to_numpy())
    assert set(figure.data["series"]) == {"history", "projection"}


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

"""Small multiples on a tile grid map, with every region roughly at its location; dots if there are too many regions."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Interval
from pysd_runner.plots.arrays import position_of
from pysd_runner.plots.bands import MEDIAN, RegionPaths, View, table_of, view_of
from pysd_runner.plots.fan import common_limits, draw_panel
from pysd_runner.plots.figure import (
    Canvas,
    KeyEntry,
    ReportFigure,
    direction,
    fan_caption,
    figure_sentence,
    joined_sentences,
    open_canvas,
    sources_of,
)
from pysd_runner.plots.marks import (
    MOST_CHARTS,
    Row,
    draw_rows,
    label_room,
    named_rows,
    room_for,
    set_ends,
    set_values,
    set_years,
)
from pysd_runner.plots.style import (
    BASELINE,
    BASELINE_DASHES,
    FAN,
    INK,
    ORIGIN,
    SCENARIO,
    drawing,
    figure_of,
    heading_style,
    shortened,
    usable_language,
)
from pysd_runner.text import translate

_GAP, _NAME, _SMALL = 0.06, 0.17, 5.8
_NAME_SIZE = 7.2
_MOST_HEIGHT, _TALLEST_TILE = 8.0, 1.0
_TICKS = 3
# Width in inches below which three years in full do not fit under a tile.
_NARROW = 0.65
# Maximum rows and columns of readable tiles; share of filled cells from which a grid in order is not a map.
_MOST_ROWS, _MOST_COLUMNS = 14, 12
_FULL = 0.8

Cell = tuple[int, int]


@figure_of
def plot_tiles(  # noqa: PLR0913 - a public entry point
    values: xr.DataArray,
    history: xr.DataArray | None = None,
    *,
    origin: int | None = None,
    scenario: str | None = None,
    baseline: str | None = "baseline",
    includes: Sequence[str] | None = None,
    told: str | None = None,
    ax: Any = None,
    lang: str = "en",
) -> ReportFigure:
    """Draw one small fan chart for each region, on a tile grid.

    The value axes of all tiles have the same span, centred on each tile's own range, so that slopes can be compared.
    The grid is given by the coordinates ``row`` and ``column`` of the regions, counted from any number; without them
    the tiles follow the order of the regions.

    More than fifty regions are drawn as tiles only on a map with readable tiles. Otherwise each region is a row,
    ordered by the median of the last year: a dot for the median, a line for the 90 % interval and a vertical mark for
    the median of the baseline. Up to sixty rows are all named, of more only region ``told`` and those that change most.

    Parameters
    ----------
    values, history, origin, scenario, baseline, includes, ax, lang
        As in `plot_gaps`.
    told
        Code or name of the region the sentence is about; default: the one that changes most.

    Returns
    -------
    ReportFigure
        As `plot_gaps` returns it.

    Raises
    ------
    InvalidInput
        If ``values`` has no labels, two regions share a tile, or a region has no draw without missing values.
    UnknownName
        If there is no such scenario.
    """
    includes, lang = sources_of(includes, values), usable_language(lang)
    view = view_of(values, history, origin=origin, scenario=scenario, baseline=baseline, lang=lang)
    panels = [view.paths(code) for code in view.codes]
    cells, is_map = _cells(view)
    high, wide = _shape(cells)
    # Many regions are drawn as tiles only on a map whose tiles are large enough to read.
    as_dots = len(panels) > MOST_CHARTS and not (is_map and high <= _MOST_ROWS and wide <= _MOST_COLUMNS)
    told = told or max(panels, key=_change).region
    with drawing(ax):
        if as_dots:
            canvas = _draw_dots(view, panels, includes, view.codes[position_of(view.full, "region", told)])
        else:
            canvas = _draw_map(view, panels, includes, cells, is_map=is_map)
    data = table_of(view.rows(panels))
    is_drawn = (data["series"] == "projection") & (data["year"] == data["year"].max())
    sentence = figure_sentence(values, region=told, scenario=view.scenario, baseline=view.baseline, lang=lang)
    return canvas.told(
        data[is_drawn].reset_index(drop=True) if as_dots else data,
        joined_sentences([_in_how_many(view, panels), sentence], lang),
    )


def _cells(view: View) -> tuple[list[Cell], bool]:
    """Zero-based row and column of each region, and whether they form a map."""
    full, codes = view.full, view.codes
    if "row" not in full.coords or "column" not in full.coords:
        columns = min(len(codes), max(3, math.ceil(math.sqrt(0.9 * len(codes)))))
        return [divmod(position, columns) for position in range(len(codes))], False
    rows, columns_of = (np.atleast_1d(full.coords[name].to_numpy()).astype(int) for name in ("row", "column"))
    cells = list(zip((rows - rows.min()).tolist(), (columns_of - columns_of.min()).tolist(), strict=True))
    taken: dict[Cell, str] = {}
    for position, cell in enumerate(cells):
        if cell in taken:
            raise InvalidInput(
                "regions {one!r} and {other!r} share the tile in row {row}, column {column}; give each its own `row` "
                "and `column`",
                one=taken[cell],
                other=codes[position],
                row=rows[position],
                column=columns_of[position],
            )
        taken[cell] = codes[position]
    # Regions without a location on a map fill a rectangle row by row in their order, of which some may be missing.
    _, wide = _shape(cells)
    row, column = cells[-1]
    return cells, cells != sorted(cells) or len(cells) < _FULL * (row * wide + column + 1)


def _shape(cells: Sequence[Cell]) -> tuple[int, int]:
    """Rows and columns of the grid."""
    return 1 + max(row for row, _ in cells), 1 + max(column for _, column in cells)


def _key(view: View, *, is_single: bool) -> KeyEntry:
    """Legend entry of the scenario."""
    label = view.label if is_single else translate("mark.median_of", view.names.lang, scenario=view.label)
    return KeyEntry(text=label, colours=(SCENARIO,))


def _draw_map(
    view: View, panels: Sequence[RegionPaths], includes: Sequence[str], cells: Sequence[Cell], *, is_map: bool
) -> Canvas:
    """Draw one fan chart per region, each on its tile."""
    rows, _ = _shape(cells)
    lang, bands = view.names.lang, [panel.bands for panel in panels]
    key = [KeyEntry(text=translate("mark.history", lang), colours=(INK,)), _key(view, is_single=bands[0].is_single)]
    if not bands[0].is_single:
        key.append(KeyEntry(text=translate("mark.bands", lang), colours=(*FAN, *FAN[-2::-1])))
    if view.baseline is not None:
        key.append(KeyEntry(text=view.other, colours=(BASELINE,), style=BASELINE_DASHES))
    caption = [
        translate("caption.tiles" if is_map else "caption.tiles_in_order", lang),
        translate("caption.origin", lang, year=view.origin),
        fan_caption(bands, includes, lang),
    ]
    canvas = open_canvas(
        height=rows * min(_TALLEST_TILE, _MOST_HEIGHT / rows) + 0.24,
        title=translate("title.tiles", lang, quantity=view.quantity.title),
        subtitle=view.quantity.unit,
        caption=joined_sentences(caption, lang),
        key=key,
    )
    _draw_tiles(canvas, panels, cells, view.origin)
    return canvas


def _draw_dots(view: View, panels: Sequence[RegionPaths], includes: Sequence[str], told: str) -> Canvas:
    """Draw one row per region for the last year, the best first."""
    rows = [
        Row(
            region=panel.region,
            name=panel.name,
            quantiles=panel.bands.quantiles[:, -1],
            other=_seen_last(panel) if panel.baseline is None else float(panel.baseline.median[-1]),
            change=_change(panel),
        )
        for panel in panels
    ]
    rows.sort(key=lambda row: float(row.quantiles[MEDIAN]), reverse=not view.quantity.lower_is_better)
    named, bands, lang = named_rows(rows, told), panels[0].bands, view.names.lang
    year = int(bands.years[-1])
    key = [_key(view, is_single=bands.is_single)]
    if not bands.is_single:
        key.append(KeyEntry(text=translate("mark.interval_90", lang), colours=(FAN[2],)))
    caption = [translate("caption.dots", lang, year=year)]
    if view.baseline is not None:
        key.append(KeyEntry(text=translate("mark.median_of", lang, scenario=view.other), colours=(BASELINE,)))
        caption.append(translate("caption.dots_baseline", lang, baseline=view.other))
    elif view.past is not None:
        key.append(KeyEntry(text=translate("mark.origin", lang, year=view.origin), colours=(INK,)))
    if len(named) < len(rows):
        caption.append(translate("caption.named", lang, shown=len(named), all=len(rows)))
    caption.append(fan_caption([panel.bands for panel in panels], includes, lang, key="caption.interval"))
    canvas = open_canvas(
        height=room_for(len(rows)),
        title=translate("title.dots", lang, quantity=view.quantity.title, year=year),
        subtitle=view.quantity.unit,
        caption=joined_sentences(caption, lang),
        key=key,
    )
    draw_rows(canvas, rows, named, INK if view.baseline is None else BASELINE, is_single=bands.is_single)
    return canvas


def _seen_last(panel: RegionPaths) -> float:
    """Last observation of a region; NaN if there is none."""
    seen = panel.history[np.isfinite(panel.history)]
    return float(seen[-1]) if seen.size else np.nan


def _draw_tiles(canvas: Canvas, panels: Sequence[RegionPaths], cells: Sequence[Cell], origin: int) -> None:
    """Draw every tile; years are labelled only where there is no tile below."""
    rows, columns = _shape(cells)
    (first, last), _ = common_limits(panels)
    limits = _windows(panels)
    margin = label_room(canvas.figure, limits, _TICKS, size=_SMALL)
    pitched = canvas.width / columns
    wide = pitched - margin - _GAP
    pitch = (canvas.height - 0.24) / rows
    taken = set(cells)
    for panel, (low, top), (row, column) in zip(panels, limits, cells, strict=True):
        left, above = margin + column * pitched, row * pitch + _NAME
        axes = canvas.axes(left, above, wide, pitch - _NAME - 0.05, panel.name)
        if wide < _NARROW:
            set_ends(axes, first, last)
        else:
            set_years(axes, first, last, ticks=2, inward=True)
        set_values(axes, low, top, ticks=_TICKS)
        draw_panel(axes, panel, origin, width=1.0)
        is_low = (row + 1, column) not in taken
        axes.tick_params(labelbottom=is_low, labelsize=_SMALL, pad=1.5)
        axes.tick_params(axis="x", length=1.8)
        axes.spines["bottom"].set_color(ORIGIN if is_low else "#D9D9D9")
        # A name may extend over the tick labels to the left of its tile.
        name = shortened(canvas.figure, panel.name, _NAME_SIZE, margin + wide, heading_style(panel.name))
        canvas.text(
            left - margin, above - 0.045, name, size=_NAME_SIZE, color=INK, va="baseline", **heading_style(name)
        )


def _windows(panels: Sequence[RegionPaths]) -> list[Interval]:
    """Value-axis limits per tile: the same span for all (the widest needed), centred on each tile's own range."""
    own = [common_limits([panel])[1] for panel in panels]
    span = max(top - low for low, top in own)
    # No axis extends below zero unless a value does.
    lowest = 0.0 if min(low for low, _ in own) >= 0 else -math.inf
    starts = [max(lowest, (low + top - span) / 2) for low, top in own]
    return [(start, start + span) for start in starts]


def _in_how_many(view: View, panels: Sequence[RegionPaths]) -> str:
    """Sentence on the number of regions whose median ends below that of the baseline."""
    pairs = [(panel.bands.median[-1], panel.baseline.median[-1]) for panel in panels if panel.baseline is not None]
    if not pairs:
        return ""
    return translate(
        "sentence.tiles",
        view.names.lang,
        count=sum(bool(own < other) for own, other in pairs),
        all=len(pairs),
        direction=direction(-1.0, view.quantity, view.names.lang),
        baseline=view.other,
    )


def _change(panel: RegionPaths) -> float:
    """Absolute difference of the final median from that of the baseline, or from its initial value."""
    other = panel.baseline.median[-1] if panel.baseline is not None else panel.bands.median[0]
    return abs(float(panel.bands.median[-1] - other))

"""Small multiples on a tile grid: every region roughly where it lies on a map; dots where there are too many."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from pysd_runner.core.errors import InvalidInput
from pysd_runner.export.layout import in_layout
from pysd_runner.plots.arrays import PrintedNames, Quantity, history_in_layout, origin_of, position_of, quantity_of
from pysd_runner.plots.bands import MEDIAN
from pysd_runner.plots.dots import MOST_CHARTS, Row, draw_rows, named_rows, room_for
from pysd_runner.plots.fan import (
    RegionPaths,
    common_limits,
    draw_panel,
    label_room,
    panel_of,
    set_ends,
    set_values,
    set_years,
    table_behind,
)
from pysd_runner.plots.figure import PAGE_WIDTH, KeyEntry, ReportFigure, Sheet, open_sheet
from pysd_runner.plots.palette import BASELINE, BASELINE_DASHES, FAN, INK, ORIGIN, SCENARIO, drawing
from pysd_runner.plots.sentences import (
    chosen_scenarios,
    direction,
    fan_caption,
    figure_sentence,
    joined_sentences,
    sources_of,
)
from pysd_runner.plots.typography import heading_style, shortened, usable_language
from pysd_runner.text import say

_GAP, _NAME, _SMALL = 0.06, 0.17, 5.8
_NAME_SIZE = 7.2
_MOST_HEIGHT, _TALLEST_TILE = 8.0, 1.0
_TICKS = 3
# Three years in full do not fit below a tile as narrow as this.
_NARROW = 0.65
# Of a grid whose tiles are too small to read, dots are drawn; a rectangle this full in order is no map.
_MOST_ROWS, _MOST_COLUMNS = 14, 12
_FULL = 0.8

Cell = tuple[int, int]


def plot_tiles(
    values: xr.DataArray,
    history: xr.DataArray | None = None,
    *,
    origin: int | None = None,
    scenario: str | None = None,
    baseline: str | None = "baseline",
    includes: Sequence[str] | None = None,
    told: str | None = None,
    lang: str = "en",
) -> ReportFigure:
    """Draw one small fan chart for each region, on a tile grid.

    Every tile covers the same span of values, each around its own, so that slopes can be compared. The grid comes
    from the coordinates ``row`` and ``column`` of the regions, counted from any number; without them the tiles stand
    in the order of the regions.

    More than fifty regions are not drawn as tiles unless they lie on a map whose tiles can be read. Each gets a row
    instead, ordered by the median of the last year: a dot for it, a line for the 90 % interval and an upright mark for
    the median of the baseline. All rows are named up to sixty, of more only the one told of and those that change most.

    Parameters
    ----------
    values
        Gap, as a share, or any other quantity by region; dims (scenario, draw, region, year).
    history
        What was observed, in the same unit; dims (region, year).
    origin
        Last observed year; default: attribute ``origin`` of ``values``, else the last year of ``history``.
    scenario
        Drawn as the fan; default: the first that is not the baseline.
    baseline
        Drawn as the dashed line; ``None`` for no line.
    includes
        What the draws vary, from `UNCERTAINTIES`, told in the caption; default: the attribute ``includes`` of what is
        drawn, or parameters alone.
    told
        Code or name of the region the sentence is about; default: the one that changes most.
    lang
        ``"en"`` or ``"zh"``.

    Returns
    -------
    ReportFigure
        A matplotlib figure, never shown, with ``data``, ``caption`` and ``sentence``.

    Raises
    ------
    InvalidInput
        If ``values`` has no labels, two regions share a tile, or a region has no draw without missing values.
    UnknownName
        If there is no such scenario.
    """
    includes = sources_of(includes, values)
    full, past = in_layout(values), history_in_layout(history)
    lang = usable_language(lang)
    start = origin_of(full, past, origin)
    chosen, reference = chosen_scenarios(full, scenario, baseline)
    quantity, names = quantity_of(values, lang), PrintedNames(values=full, lang=lang)
    codes = [str(code) for code in full["region"].to_numpy()]
    panels = [panel_of(full, past, code, (chosen, reference), quantity, names) for code in codes]
    cells, is_map = _cells(full, codes)
    as_dots = len(codes) > MOST_CHARTS and not (is_map and _are_large(cells))
    told = told or _most_changed(panels)
    view = _View(
        panels=panels,
        quantity=quantity,
        names=names,
        scenario=chosen,
        baseline=reference,
        includes=includes,
        lang=lang,
    )
    with drawing():
        if as_dots:
            figure = _draw_dots(view, codes[position_of(full, "region", told)])
        else:
            figure = _draw_map(view, cells, start, is_map=is_map)
    drawn = [_at_the_end(panel) for panel in panels] if as_dots else panels
    figure.data = table_behind(drawn, quantity, chosen, reference)
    figure.sentence = joined_sentences(
        [
            _in_how_many(panels, quantity, names, reference, lang),
            figure_sentence(values, region=told, scenario=chosen, baseline=reference, lang=lang),
        ],
        lang,
    )
    return figure


@dataclass(frozen=True, kw_only=True, slots=True)
class _View:
    """What is drawn, and words."""

    panels: Sequence[RegionPaths]
    quantity: Quantity
    names: PrintedNames
    scenario: str
    baseline: str | None
    includes: Sequence[str]
    lang: str


def _cells(full: xr.DataArray, codes: Sequence[str]) -> tuple[list[Cell], bool]:
    """Row and column of each region from zero, and whether they are those of a map."""
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
    # Regions that nobody has placed fill a rectangle, row by row in their order; some may be left out since.
    _, wide = _shape(cells)
    row, column = cells[-1]
    return cells, cells != sorted(cells) or len(cells) < _FULL * (row * wide + column + 1)


def _shape(cells: Sequence[Cell]) -> tuple[int, int]:
    """Rows and columns of the grid."""
    return 1 + max(row for row, _ in cells), 1 + max(column for _, column in cells)


def _are_large(cells: Sequence[Cell]) -> bool:
    """Whether the tiles of a map are large enough to read what is in them."""
    high, wide = _shape(cells)
    return high <= _MOST_ROWS and wide <= _MOST_COLUMNS


def _key(names: PrintedNames, scenario: str, baseline: str | None, lang: str, *, is_single: bool) -> list[KeyEntry]:
    """What the marks in the tiles mean."""
    label = names.scenario(scenario)
    entries = [
        KeyEntry(text=say("mark.history", lang), colours=(INK,)),
        KeyEntry(text=label if is_single else say("mark.median_of", lang, scenario=label), colours=(SCENARIO,)),
    ]
    if not is_single:
        entries.append(KeyEntry(text=say("mark.bands", lang), colours=(*FAN, *FAN[-2::-1])))
    if baseline is not None:
        entries.append(KeyEntry(text=names.scenario(baseline), colours=(BASELINE,), style=BASELINE_DASHES))
    return entries


def _draw_map(view: _View, cells: Sequence[Cell], origin: int, *, is_map: bool) -> ReportFigure:
    """Draw a fan chart a region, each on its tile."""
    rows, _ = _shape(cells)
    lang, bands = view.lang, [panel.bands for panel in view.panels]
    caption = [
        say("caption.tiles" if is_map else "caption.tiles_in_order", lang),
        say("caption.origin", lang, year=origin),
        fan_caption(bands, view.includes, lang),
    ]
    sheet = open_sheet(
        width=PAGE_WIDTH,
        height=rows * min(_TALLEST_TILE, _MOST_HEIGHT / rows) + 0.24,
        title=say("title.tiles", lang, quantity=view.quantity.title),
        subtitle=view.quantity.unit,
        caption=joined_sentences(caption, lang),
        key=_key(view.names, view.scenario, view.baseline, lang, is_single=bands[0].is_single),
    )
    _draw_tiles(sheet, view.panels, cells, origin)
    return sheet.figure


def _draw_dots(view: _View, told: str) -> ReportFigure:
    """Draw a row a region in the last year, the best first."""
    rows = [
        Row(
            region=panel.region,
            name=panel.name,
            quantiles=panel.bands.quantiles[:, -1],
            other=np.nan if panel.baseline is None else float(panel.baseline.median[-1]),
            change=_change(panel),
        )
        for panel in view.panels
    ]
    rows.sort(key=lambda row: float(row.quantiles[MEDIAN]), reverse=not view.quantity.lower_is_better)
    named, bands, lang = named_rows(rows, told), view.panels[0].bands, view.lang
    year = int(bands.years[-1])
    label = view.names.scenario(view.scenario)
    key = [
        KeyEntry(text=label if bands.is_single else say("mark.median_of", lang, scenario=label), colours=(SCENARIO,))
    ]
    if not bands.is_single:
        key.append(KeyEntry(text=say("mark.interval_90", lang), colours=(FAN[2],)))
    caption = [say("caption.dots", lang, year=year)]
    if view.baseline is not None:
        other = view.names.scenario(view.baseline)
        key.append(KeyEntry(text=say("mark.median_of", lang, scenario=other), colours=(BASELINE,)))
        caption.append(say("caption.dots_baseline", lang, baseline=other))
    if len(named) < len(rows):
        caption.append(say("caption.named", lang, shown=len(named), all=len(rows)))
    caption.append(fan_caption([panel.bands for panel in view.panels], view.includes, lang, key="caption.interval"))
    sheet = open_sheet(
        width=PAGE_WIDTH,
        height=room_for(len(rows)),
        title=say("title.dots", lang, quantity=view.quantity.title, year=year),
        subtitle=view.quantity.unit,
        caption=joined_sentences(caption, lang),
        key=key,
    )
    draw_rows(sheet, rows, named, BASELINE, is_single=bands.is_single)
    return sheet.figure


def _at_the_end(panel: RegionPaths) -> RegionPaths:
    """The last year of a panel, all that a dot shows."""
    bands, baseline = (
        None if own is None else replace(own, years=own.years[-1:], quantiles=own.quantiles[:, -1:])
        for own in (panel.bands, panel.baseline)
    )
    assert bands is not None  # noqa: S101
    return replace(panel, bands=bands, baseline=baseline, years=np.empty(0), history=np.empty(0))


def _draw_tiles(sheet: Sheet, panels: Sequence[RegionPaths], cells: Sequence[Cell], origin: int) -> None:
    """Draw every tile with its own values; years are written where no neighbour stands below."""
    rows, columns = _shape(cells)
    (first, last), _ = common_limits(panels)
    limits = _windows(panels)
    margin = label_room(sheet.figure, limits, _TICKS, size=_SMALL)
    pitched = sheet.width / columns
    wide = pitched - margin - _GAP
    pitch = (sheet.height - 0.24) / rows
    taken = set(cells)
    for panel, (low, top), (row, column) in zip(panels, limits, cells, strict=True):
        left, above = margin + column * pitched, row * pitch + _NAME
        axes = sheet.axes(left, above, wide, pitch - _NAME - 0.05)
        if wide < _NARROW:
            set_ends(axes, first, last)
        else:
            set_years(axes, first, last, ticks=2, inward=True)
        set_values(axes, low, top, ticks=_TICKS)
        draw_panel(axes, panel, origin, width=1.0)
        _label_edges(axes, is_low=(row + 1, column) not in taken)
        # A name may stand over the numbers beside its tile as well.
        name = shortened(sheet.figure, panel.name, _NAME_SIZE, margin + wide, heading_style(panel.name))
        sheet.text(left - margin, above - 0.045, name, size=_NAME_SIZE, color=INK, va="baseline", **heading_style(name))


def _windows(panels: Sequence[RegionPaths]) -> list[tuple[float, float]]:
    """Limits of the values of every tile: as far apart as those that need most, and around its own."""
    own = [common_limits([panel])[1] for panel in panels]
    span = max(top - low for low, top in own)
    # What is never negative is not drawn below zero.
    lowest = 0.0 if min(low for low, _ in own) >= 0 else -math.inf
    starts = [max(lowest, (low + top - span) / 2) for low, top in own]
    return [(start, start + span) for start in starts]


def _label_edges(axes: Axes, *, is_low: bool) -> None:
    """Write years only on the lower edge of the grid."""
    axes.tick_params(labelbottom=is_low, labelsize=_SMALL, pad=1.5)
    axes.tick_params(axis="x", length=1.8)
    axes.spines["bottom"].set_color(ORIGIN if is_low else "#D9D9D9")


def _in_how_many(
    panels: Sequence[RegionPaths], quantity: Quantity, names: PrintedNames, reference: str | None, lang: str
) -> str:
    """In how many regions the median ends below the baseline's."""
    pairs = [(panel.bands.median[-1], panel.baseline.median[-1]) for panel in panels if panel.baseline is not None]
    if reference is None or not pairs:
        return ""
    word = direction(-1.0, quantity, lang)
    return say(
        "sentence.tiles",
        lang,
        count=sum(bool(own < other) for own, other in pairs),
        all=len(pairs),
        direction=word,
        baseline=names.scenario(reference),
    )


def _most_changed(panels: Sequence[RegionPaths]) -> str:
    """Region whose median ends farthest from the baseline's, or from where it started."""
    return max(panels, key=_change).region


def _change(panel: RegionPaths) -> float:
    """How far a median ends from the baseline's, or from where it started."""
    other = panel.baseline.median[-1] if panel.baseline is not None else panel.bands.median[0]
    return abs(float(panel.bands.median[-1] - other))

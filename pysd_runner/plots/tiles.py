"""Small multiples on a tile grid: every region roughly where it lies on a map, without drawing a map."""

import math
from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from pysd_runner.core.errors import InvalidInput
from pysd_runner.export.layout import in_layout
from pysd_runner.plots.arrays import history_in_layout, origin_of
from pysd_runner.plots.fan import label_room, set_values, set_years
from pysd_runner.plots.figure import PAGE_WIDTH, KeyEntry, ReportFigure, Sheet, open_sheet
from pysd_runner.plots.fonts import heading_style, usable_language
from pysd_runner.plots.naming import Names
from pysd_runner.plots.palette import BASELINE, BASELINE_DASHES, FAN, INK, ORIGIN, SCENARIO, drawing
from pysd_runner.plots.panels import Panel, common_limits, draw_panel, panel_of, table_behind
from pysd_runner.plots.quantities import Quantity, quantity_of
from pysd_runner.plots.sentences import (
    chosen_scenarios,
    direction,
    fan_caption,
    figure_sentence,
    joined_sentences,
    sources_of,
)
from pysd_runner.plots.typography import shortened
from pysd_runner.text import say

_GAP, _NAME, _SMALL = 0.06, 0.17, 5.8
_NAME_SIZE = 7.2
_MOST_HEIGHT, _TALLEST_TILE = 8.0, 1.0
_TICKS = 3

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
    quantity, names = quantity_of(values, lang), Names(values=full, lang=lang)
    codes = [str(code) for code in full["region"].to_numpy()]
    panels = [panel_of(full, past, code, (chosen, reference), quantity, names) for code in codes]
    cells, is_map = _cells(full, codes)
    layout = say("caption.tiles" if is_map else "caption.tiles_in_order", lang)
    caption = joined_sentences(
        [
            layout,
            say("caption.origin", lang, year=start),
            fan_caption([panel.bands for panel in panels], includes, lang),
        ],
        lang,
    )
    with drawing():
        sheet = _sheet(
            cells,
            title=say("title.tiles", lang, quantity=quantity.title),
            subtitle=quantity.unit,
            caption=caption,
            key=_key(names, chosen, reference, lang, is_single=panels[0].bands.is_single),
        )
        _draw_tiles(sheet, panels, cells, start)
    figure = sheet.figure
    figure.data = table_behind(panels, quantity, chosen, reference)
    figure.sentence = joined_sentences(
        [
            _in_how_many(panels, quantity, names, reference, lang),
            figure_sentence(
                values, region=told or _most_changed(panels), scenario=chosen, baseline=reference, lang=lang
            ),
        ],
        lang,
    )
    return figure


def _cells(full: xr.DataArray, codes: Sequence[str]) -> tuple[list[Cell], bool]:
    """Row and column of each region from zero, and whether they come from the data."""
    if "row" not in full.coords or "column" not in full.coords:
        columns = min(len(codes), max(3, math.ceil(math.sqrt(0.9 * len(codes)))))
        return [divmod(position, columns) for position in range(len(codes))], False
    rows, columns_of = (np.atleast_1d(full.coords[name].to_numpy()).astype(int) for name in ("row", "column"))
    cells = list(zip((rows - rows.min()).tolist(), (columns_of - columns_of.min()).tolist(), strict=True))
    for position, cell in enumerate(cells):
        if cell in cells[:position]:
            other = codes[cells.index(cell)]
            raise InvalidInput(
                f"regions {other!r} and {codes[position]!r} share the tile in row {rows[position]}, column "
                f"{columns_of[position]}; give each its own `row` and `column`"
            )
    return cells, True


def _key(names: Names, scenario: str, baseline: str | None, lang: str, *, is_single: bool) -> list[KeyEntry]:
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


def _sheet(cells: Sequence[Cell], *, title: str, subtitle: str, caption: str, key: Sequence[KeyEntry]) -> Sheet:
    """Sheet with room for all tiles."""
    rows = 1 + max(row for row, _ in cells)
    pitch = min(_TALLEST_TILE, _MOST_HEIGHT / rows)
    return open_sheet(
        width=PAGE_WIDTH, height=rows * pitch + 0.24, title=title, subtitle=subtitle, caption=caption, key=key
    )


def _draw_tiles(sheet: Sheet, panels: Sequence[Panel], cells: Sequence[Cell], origin: int) -> None:
    """Draw every tile with its own values; years are written where no neighbour stands below."""
    rows = 1 + max(row for row, _ in cells)
    columns = 1 + max(column for _, column in cells)
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
        set_years(axes, first, last, ticks=2, inward=True)
        set_values(axes, low, top, ticks=_TICKS)
        draw_panel(axes, panel, origin, width=1.0)
        _label_edges(axes, is_low=(row + 1, column) not in taken)
        # A name may stand over the numbers beside its tile as well.
        name = shortened(sheet.figure, panel.name, _NAME_SIZE, margin + wide, heading_style(panel.name))
        sheet.text(left - margin, above - 0.045, name, size=_NAME_SIZE, color=INK, va="baseline", **heading_style(name))


def _windows(panels: Sequence[Panel]) -> list[tuple[float, float]]:
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


def _in_how_many(panels: Sequence[Panel], quantity: Quantity, names: Names, reference: str | None, lang: str) -> str:
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


def _most_changed(panels: Sequence[Panel]) -> str:
    """Region whose median ends farthest from the baseline's, or from where it started."""

    def change(panel: Panel) -> float:
        other = panel.baseline.median[-1] if panel.baseline is not None else panel.bands.median[0]
        return abs(float(panel.bands.median[-1] - other))

    return max(panels, key=change).region

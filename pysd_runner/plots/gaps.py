"""Fan chart of gap trajectories."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from pysd_runner.core.errors import InvalidInput
from pysd_runner.export.layout import in_layout
from pysd_runner.plots.arrays import PrintedNames, Quantity, history_in_layout, origin_of, position_of, quantity_of
from pysd_runner.plots.fan import (
    EndLabel,
    RegionPaths,
    common_limits,
    draw_end_labels,
    draw_origin,
    draw_panel,
    is_leader,
    label_room,
    panel_of,
    set_values,
    set_years,
    table_behind,
)
from pysd_runner.plots.figure import LABEL_SIZE, PAGE_WIDTH, ReportFigure, Sheet, open_sheet
from pysd_runner.plots.palette import BASELINE, MUTED, SCENARIO, drawing
from pysd_runner.plots.sentences import chosen_scenarios, fan_caption, figure_sentence, joined_sentences, sources_of
from pysd_runner.plots.typography import balanced, heading_style, shortened, usable_language, wrapped
from pysd_runner.text import say

MOST_PANELS = 12
_CHOSEN_PANELS = 6
_LABEL_ROOM = 1.15
_PANEL_TITLE = 8.5


def plot_gaps(
    gaps: xr.DataArray,
    history: xr.DataArray | None = None,
    *,
    origin: int | None = None,
    regions: Sequence[str] | None = None,
    scenario: str | None = None,
    baseline: str | None = "baseline",
    includes: Sequence[str] | None = None,
    lang: str = "en",
) -> ReportFigure:
    """Draw a fan chart of gap trajectories, one panel for each region or class.

    History is black, an upright line marks the last observed year, tints are 30 %, 60 % and 90 % intervals
    around their median, and the baseline's median is dashed in a second hue.

    Parameters
    ----------
    gaps
        Gap, as a share, or any other quantity by region; dims (scenario, draw, region, year); those missing
        are read as one. A dimension ``class`` stands for regions. Coordinates ``name_en`` and ``name_zh`` of
        the regions, ``label_en`` and ``label_zh`` of the scenarios, are printed where present.
    history
        What was observed, in the same unit; dims (region, year).
    origin
        Last observed year; default: attribute ``origin`` of ``gaps``, else the last year of ``history``.
    regions
        Codes or names, in the order of the panels; default: all, or six spaced evenly by rank when there are
        more than twelve, without a leader whose gap is zero throughout.
    scenario
        Drawn as the fan; default: the first that is not the baseline.
    baseline
        Drawn as the dashed line; ``None`` for no line.
    includes
        What the draws vary, from `UNCERTAINTIES`, told in the caption; default: the attribute ``includes`` of what is
        drawn, or parameters alone.
    lang
        ``"en"`` or ``"zh"``.

    Returns
    -------
    ReportFigure
        A matplotlib figure, never shown, with ``data``, ``caption`` and ``sentence``.

    Raises
    ------
    InvalidInput
        If ``gaps`` has no labels, no draw without missing values, or more than twelve regions were asked for.
    UnknownName
        If there is no such scenario or region.
    """
    includes = sources_of(includes, gaps)
    full, past = in_layout(gaps, what="gaps"), history_in_layout(history)
    lang = usable_language(lang)
    start = origin_of(full, past, origin)
    chosen, reference = chosen_scenarios(full, scenario, baseline)
    quantity, names = quantity_of(gaps, lang), PrintedNames(values=full, lang=lang)
    codes = _chosen_regions(full, regions, chosen)
    panels = [panel_of(full, past, code, (chosen, reference), quantity, names) for code in codes]
    leaders: list[RegionPaths] = []
    if regions is None and quantity.is_gap:
        leaders = [panel for panel in panels if is_leader(panel)] if len(panels) > 1 else []
        panels = [panel for panel in panels if not is_leader(panel)]
    notes = [say("caption.leads", lang, region=panel.name) for panel in leaders]
    if regions is None and len(codes) < full.sizes["region"]:
        year, count = int(full["year"].max()), full.sizes["region"]
        notes.append(say("caption.selected", lang, shown=len(panels), all=count, year=year))
    texts = _Texts(
        title=_title(panels, quantity, lang),
        scenario=names.scenario(chosen),
        baseline=names.scenario(reference) if reference else "",
        caption=_caption(panels, names, reference, includes, notes),
        lang=lang,
    )
    with drawing():
        figure = _draw(panels, quantity, texts, start)
    figure.data = table_behind(panels, quantity, chosen, reference)
    figure.sentence = figure_sentence(gaps, region=panels[0].region, scenario=chosen, baseline=reference, lang=lang)
    return figure


@dataclass(frozen=True, kw_only=True, slots=True)
class _Texts:
    """Words of the figure."""

    title: str
    scenario: str
    baseline: str
    caption: str
    lang: str


def _chosen_regions(full: xr.DataArray, regions: Sequence[str] | None, scenario: str) -> list[str]:
    """Codes of the regions to draw: those asked for, all, or a few spaced evenly by rank."""
    known = [str(code) for code in full["region"].to_numpy()]
    if regions is not None:
        if not 1 <= len(regions) <= MOST_PANELS:
            raise InvalidInput(
                "{count} regions asked for; plot_gaps draws 1 to {most}, plot_tiles draws them all",
                count=len(regions),
                most=MOST_PANELS,
            )
        return [known[position_of(full, "region", region)] for region in regions]
    if len(known) <= MOST_PANELS:
        return known
    last = full[position_of(full, "scenario", scenario), :, :, -1].median("draw").to_numpy()
    ranked = np.argsort(last, kind="stable")
    places = np.round(np.linspace(0, len(known) - 1, _CHOSEN_PANELS + 1)[1:]).astype(int)
    return [known[ranked[place]] for place in places]


def _title(panels: Sequence[RegionPaths], quantity: Quantity, lang: str) -> str:
    """Title: the quantity, and the region when there is one."""
    if len(panels) == 1:
        return say("title.gaps_of_one", lang, region=panels[0].name, quantity=quantity.inline)
    return say("title.gaps", lang, quantity=quantity.title)


def _caption(
    panels: Sequence[RegionPaths],
    names: PrintedNames,
    baseline: str | None,
    includes: Sequence[str],
    notes: Sequence[str],
) -> str:
    """Frequencies, what the bands include, what is black and what dashed, and which regions are left out."""
    lang = names.lang
    parts = [fan_caption([panel.bands for panel in panels], includes, lang)]
    if any(panel.history.size for panel in panels):
        parts.append(say("caption.history", lang))
    if baseline is not None:
        parts.append(say("caption.baseline", lang, baseline=names.scenario(baseline)))
    return joined_sentences([*parts, *notes], lang)


def _draw(panels: Sequence[RegionPaths], quantity: Quantity, texts: _Texts, origin: int) -> ReportFigure:
    """Lay the panels out in rows."""
    columns = {1: 1, 2: 2, 4: 2}.get(len(panels), 3)
    rows = math.ceil(len(panels) / columns)
    high = {1: 2.9 if columns == 1 else 1.9}.get(rows, 1.45)
    above = 0.22 if columns == 1 else 0.40
    subtitle = say(
        "title.against" if texts.baseline else "title.alone",
        texts.lang,
        scenario=texts.scenario,
        baseline=texts.baseline,
    )
    sheet = open_sheet(
        width=PAGE_WIDTH,
        height=rows * (high + above) + 0.36,
        title=texts.title,
        subtitle=subtitle,
        caption=texts.caption,
    )
    (first, last), (low, top) = common_limits(panels)
    left, gap = 0.22 + label_room(sheet.figure, [(low, top)], 5), 0.18
    room = sheet.width - left - _LABEL_ROOM - gap * (columns - 1)
    for position, panel in enumerate(panels):
        row, column = divmod(position, columns)
        axes = sheet.axes(left + column * (room / columns + gap), row * (high + above) + above, room / columns, high)
        set_years(axes, first, last, ticks=6 if columns < 3 else 3, inward=columns > 1)
        set_values(axes, low, top)
        draw_panel(axes, panel, origin)
        axes.tick_params(labelleft=column == 0)
        if len(panels) > 1:
            style = heading_style(panel.name)
            title = shortened(sheet.figure, panel.name, _PANEL_TITLE, room / columns, style)
            axes.set_title(title, loc="left", size=_PANEL_TITLE, pad=13 if row == 0 else 4, **style)
        if position == 0:
            draw_origin(axes, origin, say("mark.origin", texts.lang, year=origin))
        if position + columns >= len(panels):
            axes.set_xlabel(say("axis.year", texts.lang))
        if column == columns - 1 or position == len(panels) - 1:
            draw_end_labels(axes, _end_labels(sheet, panel, texts), size=LABEL_SIZE)
    unit = "\n".join(wrapped(sheet.figure, quantity.unit, 8, rows * (high + above)))
    sheet.text(0.02, rows * (high + above) / 2 + above / 2, unit, rotation=90, va="center", size=8, color=MUTED)
    return sheet.figure


def _end_labels(sheet: Sheet, panel: RegionPaths, texts: _Texts) -> list[EndLabel]:
    """Names beside the ends of the lines."""
    named = [(float(panel.bands.median[-1]), texts.scenario, SCENARIO)]
    if panel.baseline is not None:
        named.append((float(panel.baseline.median[-1]), texts.baseline, BASELINE))
    return [
        EndLabel(
            value=value,
            text="\n".join(balanced(sheet.figure, text, LABEL_SIZE, _LABEL_ROOM - 0.1)),
            colour=colour,
        )
        for value, text, colour in named
    ]

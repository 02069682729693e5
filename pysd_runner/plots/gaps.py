"""Gaps over time: fan charts by region, and gaps between classes with the Theil index and sigma."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.kinds import Interval
from pysd_runner.plots.arrays import Quantity, position_of
from pysd_runner.plots.bands import RegionPaths, View, table_of, view_of
from pysd_runner.plots.figure import (
    ReportFigure,
    Sheet,
    fan_caption,
    figure_sentence,
    joined_sentences,
    open_sheet,
    sources_of,
)
from pysd_runner.plots.marks import (
    common_limits,
    draw_end_labels,
    draw_origin,
    draw_panel,
    label_room,
    set_values,
    set_years,
)
from pysd_runner.plots.style import (
    BASELINE,
    CLASSES,
    INK,
    MUTED,
    SCENARIO,
    LineStyle,
    drawing,
    figure_of,
    heading_style,
    shortened,
    usable_language,
    wrapped,
)
from pysd_runner.text import say

MOST_PANELS = 12
_CHOSEN_PANELS = 6
_LABEL_ROOM = 1.15
_PANEL_TITLE = 8.5


@figure_of
def plot_gaps(  # noqa: PLR0913 - a public entry point
    gaps: xr.DataArray,
    history: xr.DataArray | None = None,
    *,
    origin: int | None = None,
    regions: Sequence[str] | None = None,
    scenario: str | None = None,
    baseline: str | None = "baseline",
    includes: Sequence[str] | None = None,
    ax: Any = None,
    lang: str = "en",
) -> ReportFigure:
    """Draw a fan chart of gap trajectories, one panel for each region or class.

    History is black, a vertical line marks the last observed year, tints are 30 %, 60 % and 90 % intervals
    around their median, and the baseline's median is dashed in a second hue.

    Parameters
    ----------
    gaps
        Gap, as a share, or any other quantity by region; dims (scenario, draw, region, year), missing ones
        taken as length one. A dimension ``class`` may replace ``region``. Coordinates ``name_en`` and ``name_zh`` of
        the regions, ``label_en`` and ``label_zh`` of the scenarios, are printed where present.
    history
        Observations, in the same unit; dims (region, year).
    origin
        Last observed year; default: attribute ``origin`` of ``gaps``, else the last year of ``history``.
    regions
        Codes or names, in the order of the panels; default: all, or six spaced evenly by rank when there are
        more than twelve, without a leader whose gap is zero throughout.
    scenario
        Scenario drawn as the fan; default: the first that is not the baseline.
    baseline
        Scenario drawn as the dashed line; ``None`` for no line.
    includes
        Sources of uncertainty in the draws, from `UNCERTAINTIES`, named in the caption; default: the attribute
        ``includes`` of the data, or parameters only.
    ax
        Axes to draw in, one for each chart, without title, legend and caption; None for a figure.
    lang
        ``"en"`` or ``"zh"``.

    Returns
    -------
    ReportFigure
        A matplotlib figure, not displayed, with ``data``, ``caption`` and ``sentence``; or `ax`.

    Raises
    ------
    InvalidInput
        If ``gaps`` has no labels, no draw without missing values, or more than twelve regions are requested.
    UnknownName
        If there is no such scenario or region.
    """
    includes, lang = sources_of(includes, gaps), usable_language(lang)
    view = view_of(gaps, history, origin=origin, scenario=scenario, baseline=baseline, lang=lang, what="gaps")
    codes = _chosen_regions(view, regions)
    panels = [view.paths(code) for code in codes]
    leaders: list[RegionPaths] = []
    if regions is None and view.quantity.is_gap:
        leaders = [panel for panel in panels if panel.is_leader] if len(panels) > 1 else []
        panels = [panel for panel in panels if not panel.is_leader]
    caption = _caption(panels, view, includes)
    caption += [say("caption.leads", lang, region=panel.name) for panel in leaders]
    if regions is None and len(codes) < len(view.codes):
        year = int(view.full["year"].max())
        caption.append(say("caption.selected", lang, shown=len(panels), all=len(view.codes), year=year))
    with drawing(ax):
        figure = _draw(panels, view, _title(panels, view.quantity, lang), joined_sentences(caption, lang))
    figure.data = table_of(view.rows(panels))
    figure.sentence = figure_sentence(
        gaps, region=panels[0].region, scenario=view.scenario, baseline=view.baseline, lang=lang
    )
    return cast("ReportFigure", figure.shown)


def _chosen_regions(view: View, regions: Sequence[str] | None) -> list[str]:
    """Codes of the regions to draw: those requested, all, or a few spaced evenly by rank."""
    known = view.codes
    if regions is not None:
        if not 1 <= len(regions) <= MOST_PANELS:
            raise InvalidInput(
                "{count} regions asked for; plot_gaps draws 1 to {most}, plot_tiles draws them all",
                count=len(regions),
                most=MOST_PANELS,
            )
        return [known[position_of(view.full, "region", region)] for region in regions]
    if len(known) <= MOST_PANELS:
        return known
    last = view.full[position_of(view.full, "scenario", view.scenario), :, :, -1].median("draw").to_numpy()
    ranked = np.argsort(last, kind="stable")
    places = np.round(np.linspace(0, len(known) - 1, _CHOSEN_PANELS + 1)[1:]).astype(int)
    return [known[ranked[place]] for place in places]


def _title(panels: Sequence[RegionPaths], quantity: Quantity, lang: str) -> str:
    """Title: the quantity, and the region when there is one."""
    if len(panels) == 1:
        return say("title.gaps_of_one", lang, region=panels[0].name, quantity=quantity.inline)
    return say("title.gaps", lang, quantity=quantity.title)


def _caption(panels: Sequence[RegionPaths], view: View, includes: Sequence[str]) -> list[str]:
    """Sentences of the caption: frequencies and content of the bands, the black and the dashed line."""
    lang = view.names.lang
    parts = [fan_caption([panel.bands for panel in panels], includes, lang)]
    if any(panel.history.size for panel in panels):
        parts.append(say("caption.history", lang))
    if view.baseline is not None:
        parts.append(say("caption.baseline", lang, baseline=view.other))
    return parts


def _draw(panels: Sequence[RegionPaths], view: View, title: str, caption: str) -> ReportFigure:
    """Lay the panels out in rows."""
    columns, lang = {1: 1, 2: 2, 4: 2}.get(len(panels), 3), view.names.lang
    rows = math.ceil(len(panels) / columns)
    high = {1: 2.9 if columns == 1 else 1.9}.get(rows, 1.45)
    above = 0.22 if columns == 1 else 0.40
    height = rows * (high + above)
    sheet = open_sheet(height=height + 0.36, title=title, subtitle=view.subtitle, caption=caption)
    (first, last), (low, top) = common_limits(panels)
    left, gap = 0.22 + label_room(sheet.figure, [(low, top)], 5), 0.18
    room = sheet.width - left - _LABEL_ROOM - gap * (columns - 1)
    for position, panel in enumerate(panels):
        row, column = divmod(position, columns)
        place = (left + column * (room / columns + gap), row * (high + above) + above, room / columns, high)
        axes = sheet.axes(*place, panel.name, view.quantity.unit)
        set_years(axes, first, last, ticks=6 if columns < 3 else 3, inward=columns > 1)
        set_values(axes, low, top)
        draw_panel(axes, panel, view.origin)
        axes.tick_params(labelleft=column == 0)
        if len(panels) > 1:
            style = heading_style(panel.name)
            name = shortened(sheet.figure, panel.name, _PANEL_TITLE, room / columns, style)
            axes.set_title(name, loc="left", size=_PANEL_TITLE, pad=13 if row == 0 else 4, **style)
        if position == 0:
            draw_origin(axes, view.origin, say("mark.origin", lang, year=view.origin))
        if position + columns >= len(panels):
            axes.set_xlabel(say("axis.year", lang))
        if column == columns - 1 or position == len(panels) - 1:
            draw_end_labels(sheet.figure, axes, _ends(panel, view), room=_LABEL_ROOM - 0.1)
    unit = "\n".join(wrapped(sheet.figure, view.quantity.unit, 8, height))
    sheet.text(0.02, height / 2 + above / 2, unit, rotation=90, va="center", size=8, color=MUTED)
    return sheet.figure


def _ends(panel: RegionPaths, view: View) -> list[tuple[float, str, str]]:
    """Labels at the ends of the lines: value, name and colour."""
    found = [(float(panel.bands.median[-1]), view.label, SCENARIO)]
    if panel.baseline is not None:
        found.append((float(panel.baseline.median[-1]), view.other, BASELINE))
    return found


NEEDED = ("class_gap", "theil", "sigma")
_LEFT, _LABELS, _BETWEEN = 0.44, 0.86, 0.62
_HIGH, _ABOVE = 3.5, 0.46


@figure_of
def plot_dispersion(
    futures: xr.Dataset,
    history: xr.Dataset | None = None,
    *,
    origin: int | None = None,
    scenario: str | None = None,
    baseline: str | None = "baseline",
    includes: Sequence[str] | None = None,
    ax: Any = None,
    lang: str = "en",
) -> ReportFigure:
    """Draw the gaps of classes of regions over time, with the Theil index and sigma, observed and projected.

    Parameters
    ----------
    futures
        ``class_gap`` with dims (scenario, draw, class, year), ``theil`` and ``sigma`` with (scenario, draw,
        year), as ``pysd_runner.indicators.indicators_of`` returns them; ``theil_between`` is drawn where
        present.
    history
        The same variables without scenarios and draws.
    origin, scenario, baseline, includes, ax, lang
        As in `plot_gaps`, with axes for classes, Theil and sigma; the baseline is drawn in the charts of the last two.

    Returns
    -------
    ReportFigure
        As `plot_gaps` returns it.

    Raises
    ------
    InvalidInput
        If a variable is missing, or for the reasons given in `plot_gaps`.
    UnknownName
        If there is no such scenario.
    """
    includes, lang = sources_of(includes, futures), usable_language(lang)
    missing = [name for name in NEEDED if name not in futures]
    if missing:
        raise InvalidInput(
            "futures lacks {missing}; pysd_runner.indicators.indicators_of(output, population) makes them, the "
            "classes coming from the coordinate `group` of the regions",
            missing=", ".join(missing),
        )
    views: dict[str, View] = {}
    for name in (*NEEDED, "theil_between"):
        if name in futures:
            past = None if history is None else history.get(name)
            views[name] = view_of(
                futures[name], past, origin=origin, scenario=scenario, baseline=baseline, lang=lang, what=name
            )
            # All charts use the origin of the first one, that of the classes.
            origin = views[name].origin
    panels = {name: [view.paths(code) for code in view.codes] for name, view in views.items()}
    view, classes = views["class_gap"], panels["class_gap"]
    captions = [
        fan_caption(
            [panel.bands for part in panels.values() for panel in part],
            includes,
            lang,
            key="caption.frequencies_one_band",
        )
    ]
    if view.baseline is not None:
        captions.append(say("caption.baseline_right", lang, baseline=view.other))
    captions += [say("caption.leads", lang, region=panel.name) for panel in classes if panel.is_leader]
    with drawing(ax):
        figure = _draw_dispersion(views, panels, joined_sentences(captions, lang))
    figure.data = table_of(row for name, own in views.items() for row in own.rows(panels[name]))
    widest = max(classes, key=lambda panel: float(panel.bands.median[-1]))
    figure.sentence = figure_sentence(
        futures["class_gap"], region=widest.region, scenario=view.scenario, baseline=view.baseline, lang=lang
    )
    return cast("ReportFigure", figure.shown)


def _draw_dispersion(
    views: Mapping[str, View], panels: Mapping[str, Sequence[RegionPaths]], caption: str
) -> ReportFigure:
    """Draw classes on the left, Theil above sigma on the right."""
    view = views["class_gap"]
    lang = view.names.lang
    sheet = open_sheet(
        height=_ABOVE + _HIGH + 0.36, title=say("title.dispersion", lang), subtitle=view.subtitle, caption=caption
    )
    wide = (sheet.width - 2 * _LEFT - 2 * _LABELS - 0.12) / 2
    axes = _axes(sheet, view.quantity, 0, 0, (wide, _HIGH), lang)
    _draw_classes(sheet, axes, view, panels["class_gap"])
    half = (_HIGH - _BETWEEN) / 2
    right = wide + _LABELS + _LEFT + 0.12
    for row, name in enumerate(("theil", "sigma")):
        axes = _axes(sheet, views[name].quantity, right, row * (half + _BETWEEN), (wide, half), lang)
        _draw_index(sheet, axes, views[name], panels[name][0], panels.get("theil_between", []) if row == 0 else [])
        axes.tick_params(labelbottom=row == 1)
        axes.set_xlabel(say("axis.year", lang) if row == 1 else "")
    return sheet.figure


def _axes(sheet: Sheet, quantity: Quantity, left: float, top: float, size: Interval, lang: str) -> Axes:
    """Axes with the quantity and its unit above them."""
    axes = sheet.axes(_LEFT + left, _ABOVE + top, *size, quantity.title, quantity.unit)
    axes.set_xlabel(say("axis.year", lang))
    sheet.text(left, top, quantity.title, size=8.5, color=INK, **heading_style(quantity.title))
    unit = wrapped(sheet.figure, quantity.unit, 7, size[0] + _LABELS)[0]
    sheet.text(left, top + 0.145, unit, size=7, color=MUTED)
    return axes


def _draw_classes(sheet: Sheet, axes: Axes, view: View, panels: Sequence[RegionPaths]) -> None:
    """Draw a line and a light band for each class, with its name at the end."""
    shown = [panel for panel in panels if not panel.is_leader] or list(panels)
    (first, last), (low, top) = common_limits(shown)
    set_years(axes, first, last, ticks=5)
    set_values(axes, low, top)
    styles = {panel.region: CLASSES[place % len(CLASSES)] for place, panel in enumerate(panels)}
    for panel in shown:
        colour, style = styles[panel.region]
        _draw_line(axes, panel, colour, style, 1.5)
        bands = panel.opened(panel.bands)
        if not bands.is_single:
            tint, edge = (*to_rgb(colour), 0.10), (*to_rgb(colour), 0.55)
            axes.fill_between(bands.years, bands.low, bands.high, color=tint, linewidth=0, zorder=1)
            for values in (bands.low, bands.high):
                axes.plot(bands.years, values, color=edge, linewidth=0.5, zorder=2)
    draw_origin(axes, view.origin, say("mark.origin", view.names.lang, year=view.origin))
    ends = [(float(panel.bands.median[-1]), panel.name, styles[panel.region][0]) for panel in shown]
    draw_end_labels(sheet.figure, axes, ends, room=_LABELS)


def _draw_line(axes: Axes, panel: RegionPaths, colour: str, style: LineStyle, width: float) -> None:
    """Draw observations and median as one line."""
    bands = panel.opened(panel.bands)
    for years, values in ((panel.years, panel.history), (bands.years, bands.median)):
        axes.plot(years, values, color=colour, linestyle=style, linewidth=width, zorder=4)


def _draw_index(sheet: Sheet, axes: Axes, view: View, panel: RegionPaths, between: Sequence[RegionPaths]) -> None:
    """Draw one index with its fan, and for Theil the part between classes, as a thin dotted line."""
    (first, last), (low, top) = common_limits([panel, *between])
    set_years(axes, first, last, ticks=4)
    set_values(axes, low, top, ticks=5)
    draw_panel(axes, panel, view.origin)
    ends = _ends(panel, view)
    for part in between:
        _draw_line(axes, part, MUTED, (0, (1, 1.3)), 1.3)
        ends.append((float(part.bands.median[-1]), say("mark.between", view.names.lang), MUTED))
    draw_end_labels(sheet.figure, axes, ends, room=_LABELS - 0.06, size=7)

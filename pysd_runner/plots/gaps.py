"""Gaps over time: fan charts by region, and gaps between classes with the Theil index and sigma."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Interval
from pysd_runner.plots.arrays import Quantity, position_of
from pysd_runner.plots.bands import RegionPaths, View, table_of, view_of
from pysd_runner.plots.fan import Multiples, Trace, common_limits, draw_lines, draw_panel, shaded
from pysd_runner.plots.figure import (
    DPI,
    Canvas,
    ReportFigure,
    fan_caption,
    figure_sentence,
    joined_sentences,
    open_canvas,
    sources_of,
)
from pysd_runner.plots.marks import draw_end_labels, draw_origin, label_room, set_values, set_years
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
    usable_language,
    wrapped,
)
from pysd_runner.text import translate

MOST_PANELS = 12
_CHOSEN_PANELS = 6
_LABEL_ROOM = 1.15


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
    caption += [translate("caption.leads", lang, region=panel.name) for panel in leaders]
    if regions is None and len(codes) < len(view.codes):
        year = int(view.full["year"].max())
        caption.append(translate("caption.selected", lang, shown=len(panels), all=len(view.codes), year=year))
    with drawing(ax):
        canvas = _draw(panels, view, _title(panels, view.quantity, lang), joined_sentences(caption, lang))
    return canvas.told(
        table_of(view.rows(panels)),
        figure_sentence(gaps, region=panels[0].region, scenario=view.scenario, baseline=view.baseline, lang=lang),
    )


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
        return translate("title.gaps_of_one", lang, region=panels[0].name, quantity=quantity.inline)
    return translate("title.gaps", lang, quantity=quantity.title)


def _caption(panels: Sequence[RegionPaths], view: View, includes: Sequence[str]) -> list[str]:
    """Sentences of the caption: frequencies and content of the bands, the black and the dashed line."""
    lang = view.names.lang
    parts = [fan_caption([panel.bands for panel in panels], includes, lang)]
    if any(panel.history.size for panel in panels):
        parts.append(translate("caption.history", lang))
    if view.baseline is not None:
        parts.append(translate("caption.baseline", lang, baseline=view.other))
    return parts


def _draw(panels: Sequence[RegionPaths], view: View, title: str, caption: str) -> Canvas:
    """Lay the panels out in rows."""
    columns, lang = {1: 1, 2: 2, 4: 2}.get(len(panels), 3), view.names.lang
    limits = common_limits(panels)
    charts = Multiples(
        names=[panel.name for panel in panels],
        columns=columns,
        high={1: 2.9, 2: 1.9}.get(len(panels), 1.45),
        left=0.22 + label_room(ReportFigure(dpi=DPI), [limits[1]], 5),
        right=_LABEL_ROOM,
        gap=0.18,
        extra=0.13,
        limits=limits,
    )
    canvas = open_canvas(height=charts.height + 0.36, title=title, subtitle=view.subtitle, caption=caption)
    drawn = charts.axes(
        canvas, unit=view.quantity.unit, across=translate("axis.year", lang), ticks=(6 if columns < 3 else 3, 5)
    )
    for position, (panel, axes) in enumerate(zip(panels, drawn, strict=True), start=1):
        draw_panel(axes, panel, view.origin)
        if position == 1:
            draw_origin(axes, view.origin, translate("mark.origin", lang, year=view.origin))
        if position % columns == 0 or position == len(panels):
            draw_end_labels(canvas.figure, axes, _ends(panel, view), room=_LABEL_ROOM - 0.1)
    unit = "\n".join(wrapped(canvas.figure, view.quantity.unit, 8, charts.height))
    canvas.text(0.02, (charts.height + charts.above) / 2, unit, rotation=90, va="center", size=8, color=MUTED)
    return canvas


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
    bands = [panel.bands for part in panels.values() for panel in part]
    captions = [fan_caption(bands, includes, lang, key="caption.frequencies_one_band")]
    if view.baseline is not None:
        captions.append(translate("caption.baseline_right", lang, baseline=view.other))
    captions += [translate("caption.leads", lang, region=panel.name) for panel in classes if panel.is_leader]
    with drawing(ax):
        canvas = _draw_dispersion(views, panels, joined_sentences(captions, lang))
    widest = max(classes, key=lambda panel: float(panel.bands.median[-1]))
    return canvas.told(
        table_of(row for name, own in views.items() for row in own.rows(panels[name])),
        figure_sentence(
            futures["class_gap"], region=widest.region, scenario=view.scenario, baseline=view.baseline, lang=lang
        ),
    )


def _draw_dispersion(views: Mapping[str, View], panels: Mapping[str, Sequence[RegionPaths]], caption: str) -> Canvas:
    """Draw classes on the left, Theil above sigma on the right."""
    view = views["class_gap"]
    lang = view.names.lang
    canvas = open_canvas(
        height=_ABOVE + _HIGH + 0.36, title=translate("title.dispersion", lang), subtitle=view.subtitle, caption=caption
    )
    wide = (canvas.width - 2 * _LEFT - 2 * _LABELS - 0.12) / 2
    half, right = (_HIGH - _BETWEEN) / 2, wide + _LABELS + _LEFT + 0.12
    classes = panels["class_gap"]
    shown = [panel for panel in classes if not panel.is_leader] or classes
    lines = []
    for panel, (colour, style) in zip(classes, cycle(CLASSES), strict=False):
        tints = shaded(colour, 0.13, 1)
        lines += [_line(panel, colour, style, panel.name, tints)] if panel in shown else []
    axes = _axes(canvas, view.quantity, (0, 0, wide, _HIGH), common_limits(shown), lang)
    draw_lines(axes, lines)
    draw_origin(axes, view.origin, translate("mark.origin", lang, year=view.origin))
    draw_end_labels(canvas.figure, axes, [_end(line) for line in lines], room=_LABELS)
    for row, name in enumerate(("theil", "sigma")):
        panel, part = panels[name][0], [] if row else panels.get("theil_between", [])
        place = (right, row * (half + _BETWEEN), wide, half)
        axes = _axes(canvas, views[name].quantity, place, common_limits([panel, *part]), lang)
        draw_panel(axes, panel, view.origin)
        lines = [_line(own, MUTED, (0, (1, 1.3)), translate("mark.between", lang)) for own in part]
        draw_lines(axes, lines)
        ends = [*_ends(panel, views[name]), *map(_end, lines)]
        draw_end_labels(canvas.figure, axes, ends, room=_LABELS - 0.06, size=7)
        axes.tick_params(labelbottom=row == 1)
        axes.set_xlabel(translate("axis.year", lang) if row == 1 else "")
    return canvas


def _line(panel: RegionPaths, colour: str, style: LineStyle, name: str, tints: Sequence[Any] = ()) -> Trace:
    """Observations and median as one line."""
    past = (panel.years, panel.history)
    return Trace(bands=panel.opened(panel.bands), colour=colour, style=style, tints=tints, name=name, past=past)


def _end(line: Trace) -> tuple[float, str, str]:
    """Label at the end of a line: value, name and colour."""
    return float(line.bands.median[-1]), line.name, line.colour


def _axes(
    canvas: Canvas, quantity: Quantity, place: tuple[float, ...], limits: tuple[Interval, Interval], lang: str
) -> Axes:
    """Axes with the quantity and its unit above them."""
    left, top, wide, high = place
    axes = canvas.axes(_LEFT + left, _ABOVE + top, wide, high, quantity.title, quantity.unit)
    axes.set_xlabel(translate("axis.year", lang))
    canvas.text(left, top, quantity.title, size=8.5, color=INK, **heading_style(quantity.title))
    unit = wrapped(canvas.figure, quantity.unit, 7, wide + _LABELS)[0]
    canvas.text(left, top + 0.145, unit, size=7, color=MUTED)
    set_years(axes, *limits[0], ticks=4)
    set_values(axes, *limits[1])
    return axes

"""Gaps between classes of regions over time, with Theil and sigma beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from pysd_runner.core.errors import InvalidInput
from pysd_runner.export.layout import in_layout
from pysd_runner.plots.arrays import PrintedNames, Quantity, history_in_layout, origin_of, quantity_of
from pysd_runner.plots.bands import Bands, Behind, joined
from pysd_runner.plots.fan import (
    EndLabel,
    RegionPaths,
    common_limits,
    draw_end_labels,
    draw_origin,
    draw_panel,
    is_leader,
    last_observation,
    panel_of,
    set_values,
    set_years,
)
from pysd_runner.plots.figure import LABEL_SIZE, PAGE_WIDTH, ReportFigure, Sheet, open_sheet
from pysd_runner.plots.palette import BASELINE, CLASSES, INK, MUTED, SCENARIO, LineStyle, drawing
from pysd_runner.plots.sentences import chosen_scenarios, fan_caption, figure_sentence, joined_sentences, sources_of
from pysd_runner.plots.typography import balanced, heading_style, usable_language, wrapped
from pysd_runner.text import say

NEEDED = ("class_gap", "theil", "sigma")
_LEFT, _LABELS, _BETWEEN = 0.44, 0.86, 0.62
_HIGH, _ABOVE = 3.5, 0.46


def plot_dispersion(
    futures: xr.Dataset,
    history: xr.Dataset | None = None,
    *,
    origin: int | None = None,
    scenario: str | None = None,
    baseline: str | None = "baseline",
    includes: Sequence[str] | None = None,
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
    origin
        Last observed year; default: attribute ``origin`` of ``class_gap``, else the last year of ``history``.
    scenario
        Drawn as lines and fans; default: the first that is not the baseline.
    baseline
        Drawn as the dashed line beside Theil and sigma; ``None`` for no line.
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
        If a variable is missing, or as `plot_gaps`.
    UnknownName
        If there is no such scenario.
    """
    includes = sources_of(includes, futures)
    missing = [name for name in NEEDED if name not in futures]
    if missing:
        raise InvalidInput(
            "futures lacks {missing}; pysd_runner.indicators.indicators_of(output, population) makes them, the "
            "classes coming from the coordinate `group` of the regions",
            missing=", ".join(missing),
        )
    lang = usable_language(lang)
    gaps = in_layout(futures["class_gap"], what="class_gap")
    start = origin_of(gaps, _past(history, "class_gap"), origin)
    chosen, reference = chosen_scenarios(gaps, scenario, baseline)
    parts = {
        name: _part(futures, history, name, (chosen, reference), lang)
        for name in (*NEEDED, "theil_between")
        if name in futures
    }
    names = PrintedNames(values=gaps, lang=lang)
    texts = _texts(parts, names, chosen, reference, includes)
    with drawing():
        figure = _draw(parts, texts, start, lang)
    figure.data = _table(parts, chosen, reference)
    widest = max(parts["class_gap"].panels, key=lambda panel: float(panel.bands.median[-1]))
    figure.sentence = figure_sentence(
        futures["class_gap"], region=widest.region, scenario=chosen, baseline=reference, lang=lang
    )
    return figure


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """One of the variables drawn: a panel for each class, or one for the nation."""

    quantity: Quantity
    panels: tuple[RegionPaths, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Texts:
    """Words of the figure."""

    subtitle: str
    scenario: str
    baseline: str
    caption: str


def _past(history: xr.Dataset | None, name: str) -> xr.DataArray | None:
    """Observations of a variable, or none."""
    return history_in_layout(history[name]) if history is not None and name in history else None


def _part(
    futures: xr.Dataset, history: xr.Dataset | None, name: str, scenarios: tuple[str, str | None], lang: str
) -> _Part:
    """Bands and history of one variable."""
    full, quantity = in_layout(futures[name], what=name), quantity_of(futures[name], lang)
    names = PrintedNames(values=full, lang=lang)
    codes = [str(code) for code in full["region"].to_numpy()]
    past = _past(history, name)
    return _Part(
        quantity=quantity,
        panels=tuple(panel_of(full, past, code, scenarios, quantity, names) for code in codes),
    )


def _texts(
    parts: dict[str, _Part], names: PrintedNames, scenario: str, baseline: str | None, includes: Sequence[str]
) -> _Texts:
    """Subtitle, labels and caption."""
    lang = names.lang
    label, other = names.scenario(scenario), names.scenario(baseline) if baseline else ""
    captions = [
        fan_caption(
            [panel.bands for part in parts.values() for panel in part.panels],
            includes,
            lang,
            key="caption.frequencies_one_band",
        )
    ]
    if baseline is not None:
        captions.append(say("caption.baseline_right", lang, baseline=other))
    leaders = [panel.name for panel in parts["class_gap"].panels if is_leader(panel)]
    captions += [say("caption.leads", lang, region=name) for name in leaders]
    return _Texts(
        subtitle=say("title.against" if baseline else "title.alone", lang, scenario=label, baseline=other),
        scenario=label,
        baseline=other,
        caption=joined_sentences(captions, lang),
    )


def _draw(parts: dict[str, _Part], texts: _Texts, origin: int, lang: str) -> ReportFigure:
    """Classes on the left, Theil above sigma on the right."""
    sheet = open_sheet(
        width=PAGE_WIDTH,
        height=_ABOVE + _HIGH + 0.36,
        title=say("title.dispersion", lang),
        subtitle=texts.subtitle,
        caption=texts.caption,
    )
    wide = (sheet.width - 2 * _LEFT - 2 * _LABELS - 0.12) / 2
    axes = _axes(sheet, parts["class_gap"].quantity, 0, 0, (wide, _HIGH), lang)
    _draw_classes(axes, parts["class_gap"], origin, lang)
    half = (_HIGH - _BETWEEN) / 2
    right = wide + _LABELS + _LEFT + 0.12
    for row, name in enumerate(("theil", "sigma")):
        axes = _axes(sheet, parts[name].quantity, right, row * (half + _BETWEEN), (wide, half), lang)
        _draw_index(axes, sheet, parts, name, texts, origin, lang)
        axes.tick_params(labelbottom=row == 1)
        axes.set_xlabel(say("axis.year", lang) if row == 1 else "")
    return sheet.figure


def _axes(sheet: Sheet, quantity: Quantity, left: float, top: float, size: tuple[float, float], lang: str) -> Axes:
    """Axes with the quantity and its unit above them."""
    axes = sheet.axes(_LEFT + left, _ABOVE + top, *size)
    axes.set_xlabel(say("axis.year", lang))
    sheet.text(left, top, quantity.title, size=8.5, color=INK, **heading_style(quantity.title))
    unit = wrapped(sheet.figure, quantity.unit, 7, size[0] + _LABELS)[0]
    sheet.text(left, top + 0.145, unit, size=7, color=MUTED)
    return axes


def _draw_classes(axes: Axes, part: _Part, origin: int, lang: str) -> None:
    """Draw a line and a light band for each class, with its name at the end."""
    shown = [panel for panel in part.panels if not is_leader(panel)] or list(part.panels)
    (first, last), (low, top) = common_limits(shown)
    set_years(axes, first, last, ticks=5)
    set_values(axes, low, top)
    styles = {panel.region: CLASSES[place % len(CLASSES)] for place, panel in enumerate(part.panels)}
    for panel in shown:
        _draw_class(axes, panel, *styles[panel.region])
    draw_origin(axes, origin, say("mark.origin", lang, year=origin))
    labels = [
        EndLabel(value=float(panel.bands.median[-1]), text=panel.name, colour=styles[panel.region][0])
        for panel in shown
    ]
    draw_end_labels(axes, labels, size=LABEL_SIZE)


def _draw_class(axes: Axes, panel: RegionPaths, colour: str, style: LineStyle) -> None:
    """Draw one class: observed and median in one line, and the widest band."""
    last = last_observation(panel.years, panel.history)
    bands: Bands = joined(panel.bands, *last) if last is not None else panel.bands
    axes.plot(panel.years, panel.history, color=colour, linestyle=style, linewidth=1.5, zorder=4)
    axes.plot(bands.years, bands.median, color=colour, linestyle=style, linewidth=1.5, zorder=4)
    if not bands.is_single:
        tint, edge = (*to_rgb(colour), 0.10), (*to_rgb(colour), 0.55)
        axes.fill_between(bands.years, bands.low, bands.high, color=tint, linewidth=0, zorder=1)
        for values in (bands.low, bands.high):
            axes.plot(bands.years, values, color=edge, linewidth=0.5, zorder=2)


def _draw_index(
    axes: Axes, sheet: Sheet, parts: dict[str, _Part], name: str, texts: _Texts, origin: int, lang: str
) -> None:
    """Draw one index with its fan, and for Theil the part between classes."""
    panel = parts[name].panels[0]
    between = parts["theil_between"].panels[0] if name == "theil" and "theil_between" in parts else None
    drawn = [panel] + ([between] if between is not None else [])
    (first, last), (low, top) = common_limits(drawn)
    set_years(axes, first, last, ticks=4)
    set_values(axes, low, top, ticks=5)
    draw_panel(axes, panel, origin)
    labels = [(float(panel.bands.median[-1]), texts.scenario, SCENARIO)]
    if panel.baseline is not None:
        labels.append((float(panel.baseline.median[-1]), texts.baseline, BASELINE))
    if between is not None:
        _draw_between(axes, between)
        labels.append((float(between.bands.median[-1]), say("mark.between", lang), MUTED))
    draw_end_labels(
        axes,
        [
            EndLabel(value=value, text="\n".join(balanced(sheet.figure, text, 7, _LABELS - 0.06)), colour=colour)
            for value, text, colour in labels
        ],
        size=7,
    )


def _draw_between(axes: Axes, panel: RegionPaths) -> None:
    """Draw the part of the Theil index that lies between classes, as a thin dotted line."""
    last = last_observation(panel.years, panel.history)
    bands = joined(panel.bands, *last) if last is not None else panel.bands
    for years, values in ((panel.years, panel.history), (bands.years, bands.median)):
        axes.plot(years, values, color=MUTED, linestyle=(0, (1, 1.3)), linewidth=1.3, zorder=4)


def _table(parts: dict[str, _Part], scenario: str, baseline: str | None) -> pd.DataFrame:
    """Long table of everything drawn."""
    first = parts["class_gap"].quantity
    behind = Behind(variable=first.name, unit=first.unit)
    for part in parts.values():
        quantity = part.quantity
        for panel in part.panels:
            where = (panel.region, panel.name)
            kind = {"variable": quantity.name, "unit": quantity.unit}
            behind.add_history(*where, panel.years, panel.history, **kind)
            behind.add_bands(scenario, *where, panel.bands, **kind)
            if baseline is not None and panel.baseline is not None:
                behind.add_bands(baseline, *where, panel.baseline, **kind)
    return behind.frame()

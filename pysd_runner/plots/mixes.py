"""Figure of policy mixes: the path without policy, and below it the change by each mix over time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.numbers import written
from pysd_runner.core.types import Interval, Texts, frozen
from pysd_runner.export.layout import in_layout
from pysd_runner.plots.arrays import PrintedNames, Quantity, history_in_layout, position_of, quantity_of
from pysd_runner.plots.bands import Bands, bands_of
from pysd_runner.plots.differences import draw_directions
from pysd_runner.plots.fan import Trace, draw_history, draw_lines, reference, shaded
from pysd_runner.plots.figure import (
    LABEL_SIZE,
    PAGE_WIDTH,
    Canvas,
    ReportFigure,
    fan_caption,
    joined_sentences,
    open_canvas,
    sources_of,
)
from pysd_runner.plots.marks import (
    draw_end_labels,
    draw_origin,
    label_room,
    limits_of,
    set_values,
    set_years,
)
from pysd_runner.plots.style import (
    BASELINE,
    CLASSES,
    FAN,
    INK,
    LineStyle,
    balanced,
    can_draw,
    drawing,
    figure_of,
    heading_style,
    shortened,
    stands_for,
    usable_language,
)
from pysd_runner.text import translate

# Styles of classes, except the one in the colour of the baseline.
STYLES: tuple[tuple[str, LineStyle], ...] = tuple(style for style in CLASSES if style[0] != BASELINE)
MOST_MIXES = len(STYLES)
# Room for labels, as a share of the width, and for the interval of one mix.
_LABEL_ROOM, _BAR = 0.24, 0.11
_STRIP, _LARGE, _BETWEEN = 0.7, 2.35, 0.62
_HEAD = 9.5


@figure_of
def plot_mixes(  # noqa: PLR0913 - a public entry point
    values: xr.DataArray,
    history: xr.DataArray | None = None,
    *,
    baselines: Texts,
    origin: int,
    titles: Texts,
    changed: xr.DataArray | None = None,
    ax: Any = None,
    lang: str = "en",
    width: float = PAGE_WIDTH,
) -> ReportFigure:
    """Draw the change by each mix over time for a region, a class or the nation, the largest change first.

    A strip shows observations and the path without policy with its 90 % interval; the large panel below it the change
    by each mix, for gaps the part that is closed: medians, the 90 % interval of the first mix, and beside them the 90 %
    intervals of all in the last year.

    Parameters
    ----------
    values
        Dimensions (scenario, draw, year).
    history
        Observations, dimension (year,).
    baselines
        For each mix drawn, the scenario without policy it is compared with.
    origin
        Last observed year.
    titles
        Titles of the figure, by language; the chart falls back to English where no font can draw Chinese, and to the
        title ``"code"`` where none can draw the name in it.
    changed
        Quantity whose changes are drawn, dimensions as `values`; default: `values`.
    ax
        Axes for the levels, the effects and their last intervals; None for a figure.
    lang
        ``"en"`` or ``"zh"``; the sentence and the data are always in this language.
    width
        Width of the figure, in inches.

    Returns
    -------
    ReportFigure
        A matplotlib figure, not displayed, with ``data``, ``caption`` and ``sentence``.

    Raises
    ------
    InvalidInput
        If there are more mixes than distinguishable colours.
    UnknownName
        If there is no such scenario.
    """
    if len(baselines) > MOST_MIXES:
        raise InvalidInput(
            "one figure shows {most} policy mixes at most; {count} were asked for",
            most=MOST_MIXES,
            count=len(baselines),
        )
    lang = usable_language(lang)
    full, past = in_layout(values), history_in_layout(history)
    other = full if changed is None else in_layout(changed)
    quantity, names = quantity_of(values, lang), PrintedNames(values=full, lang=lang)
    references = list(dict.fromkeys(baselines.values())) or [str(full["scenario"].to_numpy()[0])]
    reference = position_of(full, "scenario", references[0])
    ground = bands_of(full, scenario=reference, region=0, scale=quantity.scale)
    caption = [fan_caption([ground], sources_of(None, values), lang, key="caption.mixes")]
    title = next((text for text in (titles[lang], titles["code"]) if can_draw(text)), quantity.unit)
    if title != titles[lang]:
        stands_for(title, titles[lang])
    change = quantity_of(other, lang)
    label = names.scenario(references[0])
    view = _View(
        ground=ground,
        label=label,
        past=None if past is None else past.isel(region=0) * quantity.scale,
        origin=origin,
        title=title,
        caption=joined_sentences(caption, lang),
        lang=lang,
        change=change,
        difference=change.difference(label, lang),
        digits=max(1, change.difference_digits),
    )
    lines = []
    for name, against in baselines.items():
        own = position_of(full, "scenario", name)
        line = _Line(
            scenario=name,
            name=names.scenario(name),
            level=bands_of(full, scenario=own, region=0, scale=quantity.scale),
            change=bands_of(
                other,
                scenario=own,
                baseline=position_of(full, "scenario", against),
                region=0,
                scale=change.difference_scale,
            ),
        )
        lines.append(line)
    lines.sort(key=lambda line: -line.change.median[-1])
    with drawing(ax):
        canvas = _draw(lines, view, quantity, width)
    return canvas.told(_table(lines, view, quantity), _sentence(lines, view, quantity))


@frozen
class _Line:
    """Level and effect of one mix."""

    scenario: str
    name: str
    level: Bands
    change: Bands


@frozen
class _View:
    """Settings and labels shared by all mixes."""

    ground: Bands
    label: str
    past: xr.DataArray | None
    origin: int
    title: str
    caption: str
    lang: str
    change: Quantity
    difference: str  # title of the lower panel
    digits: int  # decimal places of changes


def _draw(lines: Sequence[_Line], view: _View, quantity: Quantity, width: float) -> Canvas:
    upper = _STRIP if lines else _LARGE
    canvas = open_canvas(
        height=upper + 0.5 + (_BETWEEN + _LARGE if lines else 0.0),
        title=view.title,
        subtitle=quantity.unit,
        caption=view.caption,
        width=width,
    )
    ground, past = view.ground, view.past
    levels = [ground.low, ground.high, *([] if past is None else [past.to_numpy()])]
    changes = [line.change.quantiles[:, -1] for line in lines] + [line.change.median for line in lines]
    changes += [np.zeros(1)] + [edge for line in lines[:1] for edge in (line.change.low, line.change.high)]
    spans = [limits_of(levels), limits_of(changes)]
    left, room = label_room(canvas.figure, spans, 5) + 0.05, _LABEL_ROOM * canvas.width
    axes = canvas.axes(left, 0.2, canvas.width - left - room, upper)
    _draw_levels(axes, view, spans[0], ticks=3 if lines else 5)
    end = f"{written(float(ground.median[-1]), quantity.digits)} {view.label}"
    draw_end_labels(canvas.figure, axes, [(float(ground.median[-1]), end, BASELINE)], room=room)
    if lines:
        top = 0.2 + upper + _BETWEEN
        head, style = view.difference[:1].upper() + view.difference[1:], heading_style(view.difference)
        head = shortened(canvas.figure, head, _HEAD, canvas.width, style)
        canvas.text(0.0, top - 0.27, head, size=_HEAD, color=INK, **style)
        _draw_changes(canvas, lines, view, (left, top, room), spans[1])
    return canvas


def _draw_levels(axes: Axes, view: _View, limits: Interval, *, ticks: int) -> None:
    """History, and the path without policy with its interval."""
    ground, past = view.ground, view.past
    set_years(axes, float(ground.years[0] if past is None else past["year"].min()), float(ground.years[-1]))
    set_values(axes, *limits, ticks=ticks)
    draw_lines(axes, [reference(ground, FAN[:1])])
    if past is not None:
        draw_history(axes, past["year"].to_numpy().astype(float), past.to_numpy())
    draw_origin(axes, view.origin, translate("mark.origin", view.lang, year=view.origin))


def _draw_changes(
    canvas: Canvas, lines: Sequence[_Line], view: _View, place: tuple[float, float, float], limits: Interval
) -> None:
    """The change by each mix: lines, the interval of the first, and beside them the last intervals of all."""
    left, top, room = place
    beside = _BAR * len(lines)
    axes = canvas.axes(left, top, canvas.width - left - room, _LARGE, view.difference)
    bars = canvas.axes(canvas.width - room + 0.04, top, beside, _LARGE)
    set_years(axes, float(view.ground.years[0]), float(view.ground.years[-1]))
    set_values(axes, *limits)
    bars.set(xlim=(-0.5, len(lines) - 0.5), ylim=limits)
    bars.set_axis_off()
    axes.axhline(0, color=BASELINE, linewidth=1.0, zorder=2)
    draw_directions(axes, limits, view.change, view.lang)
    ends = []
    for number, (line, (colour, style)) in enumerate(zip(lines, STYLES, strict=False)):
        change, last = line.change, line.change.quantiles[:, -1]
        tints = () if number else shaded(colour, 0.13, 1)
        draw_lines(axes, [Trace(bands=change, colour=colour, style=style, width=2.0, tints=tints)])
        if not change.is_single:
            bars.vlines(number, last[0], last[-1], color=colour, linewidth=2.4, alpha=0.45)
        bars.plot([number], [change.median[-1]], color=colour, marker="o", markersize=4, clip_on=False)
        text = f"{written(float(change.median[-1]), view.digits, signed=True)} {line.name}"
        ends.append((float(change.median[-1]), _label(canvas, text, room - beside), colour))
    draw_end_labels(canvas.figure, bars, ends, room=room)


def _label(canvas: Canvas, text: str, room: float) -> str:
    """A name in at most four lines."""
    lines = balanced(canvas.figure, text, LABEL_SIZE, room - 0.14)[:4]
    return "\n".join(shortened(canvas.figure, line, LABEL_SIZE, room - 0.12) for line in lines)


def _table(lines: Sequence[_Line], view: _View, quantity: Quantity) -> pd.DataFrame:
    kind, unit = "closed" if view.change.lower_is_better else "change", quantity.unit
    drawn = [("baseline", view.label, "level", view.ground, unit)]
    for line in lines:
        drawn.append((line.scenario, line.name, "level", line.level, unit))
        drawn.append((line.scenario, line.name, kind, line.change, view.change.difference_unit))
    rows: list[tuple[Any, ...]] = [
        (key, name, kind, bands.years.astype(int), bands.low, bands.median, bands.high, unit)
        for key, name, kind, bands, unit in drawn
    ]
    if view.past is not None:
        name, years = translate("mark.history", view.lang), view.past["year"].to_numpy().astype(int)
        rows.insert(0, ("history", name, "observed", years, np.nan, view.past.to_numpy(), np.nan, unit))
    columns = ("line", "name", "kind", "year", "low", "median", "high", "unit")
    return pd.concat([pd.DataFrame(dict(zip(columns, row, strict=True))) for row in rows], ignore_index=True)


def _sentence(lines: Sequence[_Line], view: _View, quantity: Quantity) -> str:
    """Sentence on the final level without policy and on the effect of each mix."""
    ends = [(view.label, written(float(view.ground.median[-1]), quantity.digits))]
    ends += [(line.name, written(float(line.change.median[-1]), view.digits, signed=True)) for line in lines]
    first, *others = (translate("sentence.mix_end", view.lang, name=name, value=value) for name, value in ends)
    told = translate("list.separator", view.lang).join(others)
    changes = translate("sentence.mix_changes", view.lang, what=view.difference, ends=told) if lines else ""
    year = int(view.ground.years[-1])
    return translate("sentence.mixes", view.lang, title=view.title, unit=quantity.unit, year=year, ends=first + changes)

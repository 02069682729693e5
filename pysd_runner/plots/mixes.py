"""Policy mixes: paths over time with the effect of each mix, and spending by lever."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.numbers import written
from pysd_runner.export.layout import in_layout
from pysd_runner.plots.arrays import PrintedNames, Quantity, history_in_layout, position_of, quantity_of
from pysd_runner.plots.bands import Bands, bands_of, difference_bands
from pysd_runner.plots.figure import (
    LABEL_SIZE,
    ReportFigure,
    Sheet,
    fan_caption,
    joined_sentences,
    open_sheet,
    sources_of,
)
from pysd_runner.plots.marks import (
    draw_baseline,
    draw_end_labels,
    draw_history,
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
    MUTED,
    LineStyle,
    balanced,
    can_draw,
    drawing,
    shortened,
    text_width,
    usable_language,
)
from pysd_runner.text import say

# Styles of classes, except the one in the colour of the baseline.
STYLES: tuple[tuple[str, LineStyle], ...] = tuple(style for style in CLASSES if style[0] != BASELINE)
MOST_MIXES = len(STYLES)
_LABEL_ROOM = 1.5
_UPPER, _LOWER, _BETWEEN = 1.95, 1.25, 0.42


def plot_mixes(
    values: xr.DataArray,
    history: xr.DataArray | None = None,
    *,
    baselines: Mapping[str, str],
    origin: int,
    titles: Mapping[str, str],
    changed: xr.DataArray | None = None,
    lang: str = "en",
) -> ReportFigure:
    """Draw all mixes for one region, class or nation over time, each named at the end of its line.

    The upper panel shows observations, the path without policy with its 90 % interval, and the median under each
    mix; the lower panel the effect of each mix with its 90 % interval, for gaps the part that is closed.

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
    lang
        ``"en"`` or ``"zh"``; the sentence and the data are always in this language.

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
    _check_count(len(baselines))
    asked, lang = lang, usable_language(lang)
    full, past = in_layout(values), history_in_layout(history)
    other = full if changed is None else in_layout(changed)
    quantity, names = quantity_of(values, lang), PrintedNames(values=full, lang=lang)
    references = list(dict.fromkeys(baselines.values())) or [str(full["scenario"].to_numpy()[0])]
    reference = position_of(full, "scenario", references[0])
    ground = bands_of(full, scenario=reference, region=0, scale=quantity.scale)
    caption = [fan_caption([ground], sources_of(None, values), lang, key="caption.mixes")]
    title = next((text for text in (titles[lang], titles["code"]) if can_draw(text)), quantity.unit)
    view = _View(
        ground=ground,
        label=names.scenario(references[0]),
        past=None if past is None else past.isel(region=0) * quantity.scale,
        origin=origin,
        title=title,
        caption=joined_sentences(caption, lang),
        lang=lang,
        change=quantity_of(other, lang),
    )
    lines = [_line(full, other, name, baselines[name], quantity, names) for name in baselines]
    with drawing():
        figure = _draw(lines, view, quantity)
    # The sentence and the data need no fonts, so they are in the requested language.
    quantity, names = quantity_of(values, asked), PrintedNames(values=full, lang=asked, is_drawn=False)
    label, change = names.scenario(references[0]), quantity_of(other, asked)
    view = replace(view, label=label, title=titles[asked], lang=asked, change=change)
    lines = [replace(line, name=names.scenario(line.scenario)) for line in lines]
    figure.data = _table(lines, view, quantity)
    figure.sentence = _sentence(lines, view, quantity)
    return figure


def _check_count(count: int) -> None:
    if count > MOST_MIXES:
        raise InvalidInput(
            "one figure shows {most} policy mixes at most; {count} were asked for", most=MOST_MIXES, count=count
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """Level and effect of one mix."""

    scenario: str
    name: str
    level: Bands
    change: Bands


@dataclass(frozen=True, kw_only=True, slots=True)
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

    @property
    def difference(self) -> str:
        """Title of the lower panel."""
        key = "axis.difference_closed" if self.change.lower_is_better else "axis.difference"
        return say(key, self.lang, baseline=self.label, unit=self.change.difference_unit)


def _line(
    full: xr.DataArray, changed: xr.DataArray, name: str, reference: str, quantity: Quantity, names: PrintedNames
) -> _Line:
    own, other = (position_of(full, "scenario", item) for item in (name, reference))
    return _Line(
        scenario=name,
        name=names.scenario(name),
        level=bands_of(full, scenario=own, region=0, scale=quantity.scale),
        change=difference_bands(
            changed, scenario=own, baseline=other, region=0, scale=quantity_of(changed, "en").difference_scale
        ),
    )


def _draw(lines: Sequence[_Line], view: _View, quantity: Quantity) -> ReportFigure:
    height = _UPPER + 0.5 + (_BETWEEN + _LOWER if lines else 0.0)
    sheet = open_sheet(height=height, title=view.title, subtitle=quantity.unit, caption=view.caption)
    levels = [view.ground.low, view.ground.high, *(line.level.median for line in lines)]
    changes = [edge for line in lines for edge in (line.change.low, line.change.high)]
    if view.past is not None:
        levels.append(view.past.to_numpy())
    spans = [limits_of(levels)] + ([limits_of(changes)] if lines else [])
    left = label_room(sheet.figure, spans, 5) + 0.05
    _draw_levels(sheet, lines, view, left, spans[0])
    if lines:
        _draw_changes(sheet, lines, view, left, spans[1])
    return sheet.figure


def _draw_levels(sheet: Sheet, lines: Sequence[_Line], view: _View, left: float, limits: tuple[float, float]) -> None:
    axes = sheet.axes(left, 0.2, sheet.width - left - _LABEL_ROOM, _UPPER)
    ground = view.ground
    first = float(ground.years[0]) if view.past is None else float(view.past["year"].min())
    set_years(axes, first, float(ground.years[-1]))
    set_values(axes, *limits)
    if not ground.is_single:
        axes.fill_between(ground.years, ground.low, ground.high, color=FAN[0], linewidth=0, zorder=1)
    draw_baseline(axes, ground)
    for line, (colour, style) in zip(lines, STYLES, strict=False):
        axes.plot(line.level.years, line.level.median, color=colour, linestyle=style, linewidth=1.4, zorder=3)
    if view.past is not None:
        draw_history(axes, view.past["year"].to_numpy().astype(float), view.past.to_numpy())
    draw_origin(axes, view.origin, say("mark.origin", view.lang, year=view.origin))
    ends = [(float(ground.median[-1]), _label(sheet, view.label), BASELINE)]
    ends += [
        (float(line.level.median[-1]), _label(sheet, line.name), colour)
        for line, (colour, _) in zip(lines, STYLES, strict=False)
    ]
    draw_end_labels(sheet.figure, axes, ends, room=_LABEL_ROOM)


def _draw_changes(sheet: Sheet, lines: Sequence[_Line], view: _View, left: float, limits: tuple[float, float]) -> None:
    top = 0.2 + _UPPER + _BETWEEN
    axes = sheet.axes(left, top, sheet.width - left - _LABEL_ROOM, _LOWER)
    set_years(axes, float(view.ground.years[0]), float(view.ground.years[-1]))
    set_values(axes, *limits, ticks=4)
    axes.axhline(0, color=BASELINE, linewidth=1.0, zorder=2)
    ends = []
    for line, (colour, style) in zip(lines, STYLES, strict=False):
        change = line.change
        if not change.is_single:
            axes.fill_between(change.years, change.low, change.high, color=colour, alpha=0.12, linewidth=0, zorder=1)
        axes.plot(change.years, change.median, color=colour, linestyle=style, linewidth=1.4, zorder=3)
        ends.append((float(change.median[-1]), _label(sheet, line.name), colour))
    draw_end_labels(sheet.figure, axes, ends, room=_LABEL_ROOM)
    sheet.text(0.0, top - 0.2, shortened(sheet.figure, view.difference, 8, sheet.width), size=8, color=MUTED)
    axes.set_xlabel(say("axis.year", view.lang))


def _label(sheet: Sheet, text: str) -> str:
    """A name in at most two lines."""
    lines = balanced(sheet.figure, text, LABEL_SIZE, _LABEL_ROOM - 0.1)[:2]
    return "\n".join(shortened(sheet.figure, line, LABEL_SIZE, _LABEL_ROOM - 0.08) for line in lines)


def _table(lines: Sequence[_Line], view: _View, quantity: Quantity) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    if view.past is not None:
        rows += [
            {
                "line": "history",
                "name": say("mark.history", view.lang),
                "kind": "observed",
                "year": int(year),
                "median": value,
                "unit": quantity.unit,
            }
            for year, value in zip(view.past["year"].to_numpy(), view.past.to_numpy(), strict=True)
        ]
    drawn = [("baseline", view.label, "level", view.ground, quantity.unit)]
    kind = "closed" if view.change.lower_is_better else "change"
    for line in lines:
        drawn.append((line.scenario, line.name, "level", line.level, quantity.unit))
        drawn.append((line.scenario, line.name, kind, line.change, view.change.difference_unit))
    for key, name, kind, bands, unit in drawn:
        for year, low, median, high in zip(bands.years, bands.low, bands.median, bands.high, strict=True):
            row = {"line": key, "name": name, "kind": kind, "year": int(year)}
            rows.append({**row, "low": low, "median": median, "high": high, "unit": unit})
    return pd.DataFrame(rows, columns=["line", "name", "kind", "year", "low", "median", "high", "unit"])


def _sentence(lines: Sequence[_Line], view: _View, quantity: Quantity) -> str:
    """Sentence on the final level without policy and on the effect of each mix."""
    ends = [(view.label, written(float(view.ground.median[-1]), quantity.digits))]
    digits = view.change.difference_digits
    ends += [(line.name, written(float(line.change.median[-1]), digits, signed=True)) for line in lines]
    first, *others = (say("sentence.mix_end", view.lang, name=name, value=value) for name, value in ends)
    told = say("list.separator", view.lang).join(others)
    changes = say("sentence.mix_changes", view.lang, what=view.difference, ends=told) if lines else ""
    year = int(view.ground.years[-1])
    return say("sentence.mixes", view.lang, title=view.title, unit=quantity.unit, year=year, ends=first + changes)


_ROW, _LINE, _GAP = 0.17, 0.14, 0.12
_MOST_NAMED = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Money:
    """Spending by lever under each mix, for a region, a class or the nation, labelled in one language."""

    spent: pd.DataFrame
    totals: Mapping[str, str]
    title: str
    unit: str
    lang: str


def plot_money(told: Money, drawn: Money) -> ReportFigure:
    """Draw spending by lever under each mix."""
    rows = drawn.spent.drop_duplicates("scenario")
    levers = list(dict.fromkeys(drawn.spent["lever"]))
    _check_count(len(rows))
    heads = drawn.spent["head"].to_numpy().reshape(len(rows), len(levers))
    mixes = [_drawable(str(name), str(key)) for name, key in zip(rows["mix"], rows["scenario"], strict=True)]
    totals = [_drawable(drawn.totals[str(key)], "") for key in rows["scenario"]]
    shown = [_drawable(str(name), str(number)) for number, name in enumerate(levers, start=1)]
    with drawing():
        sheet = open_sheet(
            height=3 * _LINE + 0.05 + _ROW * len(levers) + 0.05,
            title=_drawable(drawn.title, say("brief.money_plain", drawn.lang)),
            subtitle=_drawable(drawn.unit, ""),
            caption=say("brief.money_caption", drawn.lang),
        )
        _draw_panels(sheet, heads, mixes, totals, shown)
    return sheet.told(told.spent.reset_index(drop=True), _sentence_of_money(heads, told))


def _drawable(text: str, other: str) -> str:
    """The text, or `other` if no font can draw it."""
    return text if can_draw(text) else other


def _draw_panels(
    sheet: Sheet, heads: np.ndarray, mixes: Sequence[str], totals: Sequence[str], levers: Sequence[str]
) -> None:
    left = max(text_width(sheet.figure, name, LABEL_SIZE) for name in levers) + 0.1
    room = (sheet.width - left) / len(mixes)
    largest = max(float(np.abs(heads).max()), 1e-12)
    numbers = [[written(value, _digits(largest)) for value in row] for row in heads]
    label = max(text_width(sheet.figure, text, LABEL_SIZE) for row in numbers for text in row) + 0.06
    wide = room - _GAP
    for place, (mix, total) in enumerate(zip(mixes, totals, strict=True)):
        start, colour = left + place * room, STYLES[place][0]
        above = [(line, colour) for line in balanced(sheet.figure, mix, LABEL_SIZE, wide)[:2]] + [(total, MUTED)]
        # Lines are bottom-aligned above the bars, however many there are.
        for row, (line, ink) in enumerate(above, start=3 - len(above)):
            sheet.text(start, row * _LINE, shortened(sheet.figure, line, LABEL_SIZE, wide), size=LABEL_SIZE, color=ink)
        axes = sheet.axes(start, 3 * _LINE + 0.05, wide, _ROW * len(levers))
        axes.barh(range(len(levers)), heads[place], color=colour, height=0.7)
        axes.set_ylim(len(levers) - 0.5, -0.5)
        axes.set_xlim(0, largest * wide / max(wide - label, 0.2))
        axes.set_xticks([])
        axes.set_yticks(range(len(levers)), labels=levers if place == 0 else [""] * len(levers))
        axes.tick_params(axis="y", labelcolor=INK, length=0, labelsize=LABEL_SIZE)
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        for row, value in enumerate(heads[place]):
            axes.annotate(
                numbers[place][row],
                (float(value), row),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                size=LABEL_SIZE,
                color=INK,
            )


def _digits(largest: float) -> int:
    return 0 if largest >= 100 else 1 if largest >= 1 else 3


def _sentence_of_money(heads: np.ndarray, told: Money) -> str:
    rows, levers, lang = told.spent.drop_duplicates("scenario"), list(dict.fromkeys(told.spent["lever"])), told.lang
    digits = _digits(float(np.abs(heads).max()))
    parts = []
    for key, mix, row in zip(rows["scenario"], rows["mix"], heads, strict=True):
        order = np.argsort(-row, kind="stable")[:_MOST_NAMED]
        most = say("list.separator", lang).join(
            say("brief.of_lever", lang, lever=levers[place], money=written(float(row[place]), digits))
            for place in order
            if row[place] > 0
        )
        parts.append(say("brief.money_of", lang, policy=mix, total=told.totals[str(key)], most=most))
    return say(
        "brief.money_sentence", lang, title=told.title, unit=told.unit, parts=say("report.clauses", lang).join(parts)
    )

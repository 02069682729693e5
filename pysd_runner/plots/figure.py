"""Figures that carry their data and alternative text, their generated texts and layout, and the files of figures."""

import base64
import html
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, cast
from xml.sax.saxutils import escape

import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.core.numbers import written
from pysd_runner.core.types import frozen
from pysd_runner.export.files import csv_bytes, write_bytes_whole
from pysd_runner.export.layout import in_layout
from pysd_runner.plots.arrays import PrintedNames, Quantity, position_of, position_of_year, quantity_of
from pysd_runner.plots.bands import Bands, bands_of, chosen_scenarios
from pysd_runner.plots.style import (
    BASE,
    GRID,
    INK,
    MUTED,
    LineStyle,
    drawing,
    given,
    heading_style,
    pictured,
    shortened,
    text_of_pages,
    text_width,
    wrapped,
)
from pysd_runner.text import translate

PAGE_WIDTH, DPI = 7.2, 200
TITLE_SIZE, SUBTITLE_SIZE, LABEL_SIZE, CAPTION_SIZE = 11.0, 8.5, 7.5, 7.0
# Fonts of the readers of pages, after the one that lines were broken by.
_READERS = "'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"
_MARGIN = 0.14
#: Width of the drawing area.
ROOM = PAGE_WIDTH - 2 * _MARGIN
_LINE = 1.35 / 72
_KEY_ROW, _KEY_GAP, _SAMPLE = 0.19, 0.22, 0.32


class ReportFigure(Figure):
    """A matplotlib figure with its data, alternative text and caption.

    Attributes
    ----------
    data
        The plotted data, in plotted units: a long table with a unit in each row.
    sentence
        The alternative text: what the figure shows, in words.
    caption
        The text below the figure.
    """

    data: pd.DataFrame
    sentence: str
    caption: str
    key: dict[str, str]  # names for which no font has the characters, by the symbols that replace them
    page: Any  # the same figure for web pages, with all names and in its own language
    shown: Any  # axes of a caller that hold the charts instead of this figure, or the figure

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        FigureCanvasAgg(self)
        self.data = pd.DataFrame()
        self.sentence = ""
        self.caption = ""
        self.key = {}
        self.page = self.shown = self

    def explained(self) -> str:
        """Key to the symbols that replace names for which no font has the characters."""
        return "; ".join(f"{shown} = {name}" for shown, name in self.key.items())

    def savefig(self, fname: Any, **kwargs: Any) -> None:
        """Save as matplotlib does, with the fonts the figure was drawn with; SVG is text, and has every name."""
        named = Path(fname).suffix[1:] if isinstance(fname, str | PathLike) else ""
        is_text = (kwargs.get("format") or named).lower() in {"svg", "svgz"}
        with drawing(), text_of_pages() if is_text else pictured(self):
            Figure.savefig(self.page if is_text else self, fname, **kwargs)

    def _repr_html_(self) -> str:
        """Show the figure in a notebook or a documentation page, with its alternative text."""
        # At a lower resolution letters are wider than those by which lines were broken.
        picture = base64.b64encode(png_bytes(self)).decode("ascii")
        width = 110 * self.get_size_inches()[0]
        return f'<img alt="{html.escape(self.sentence)}" width="{width:.0f}" src="data:image/png;base64,{picture}">'


@frozen
class Canvas:
    """A figure with a title above, a caption below and a drawing area between, in inches."""

    figure: ReportFigure
    width: float
    height: float
    left: float
    bottom: float

    def axes(self, left: float, top: float, width: float, height: float, name: str = "", unit: str = "") -> Axes:
        """Add axes, placed in inches from the upper left corner of the drawing area; or take and name the caller's."""
        if (of_caller := given.get()) is not None:
            free, drawn = of_caller
            drawn.append(free[len(drawn)] if len(drawn) < len(free) else self.figure.add_axes((0, 0, 1, 1)))
            drawn[-1].set_title(name, loc="left", size=LABEL_SIZE)
            drawn[-1].set_ylabel(unit, size=LABEL_SIZE)
            return cast("Axes", drawn[-1])
        whole_width, whole_height = self.figure.get_size_inches()
        axes = self.figure.add_axes(
            (
                (self.left + left) / whole_width,
                (self.bottom + self.height - top - height) / whole_height,
                width / whole_width,
                height / whole_height,
            )
        )
        axes.set_axisbelow(True)
        axes.yaxis.grid(visible=True, color=GRID, linewidth=0.6)
        axes.spines[["left", "top", "right"]].set_visible(False)
        return axes

    def told(self, data: pd.DataFrame, sentence: str) -> ReportFigure:
        """Attach the data and the alternative text, and return the figure, or the axes of the caller."""
        self.figure.data, self.figure.sentence = data, sentence
        return cast("ReportFigure", self.figure.shown)

    def text(self, left: float, top: float, text: str, **style: Any) -> None:
        """Write text, placed in inches from the upper left corner of the drawing area."""
        whole_width, whole_height = self.figure.get_size_inches()
        place = {"ha": "left", "va": "top", **style}
        self.figure.text(
            (self.left + left) / whole_width, (self.bottom + self.height - top) / whole_height, text, **place
        )


@frozen
class KeyEntry:
    """One entry of the legend."""

    text: str  # label of the entry
    colours: tuple[str, ...]  # one for a line; several for a band, drawn side by side
    style: LineStyle = "-"  # line style, ignored for bands


def open_canvas(
    *,
    height: float,
    title: str,
    subtitle: str = "",
    caption: str = "",
    key: Sequence[KeyEntry] = (),
    width: float = PAGE_WIDTH,
) -> Canvas:
    """Make a figure with title, subtitle, legend and caption, and a drawing area of the given height."""
    figure = ReportFigure(figsize=(width, height), dpi=DPI)
    if (of_caller := given.get()) is not None:
        axes = of_caller[0]
        figure.shown = axes if axes[1:] else axes[0]
    room = width - 2 * _MARGIN
    head = wrapped(figure, title, TITLE_SIZE, room, heading_style(title))
    second = wrapped(figure, subtitle, SUBTITLE_SIZE, room) if subtitle else []
    below = wrapped(figure, caption, CAPTION_SIZE, room) if caption else []
    rows = _key_rows(figure, key, room)
    heights = (
        len(head) * TITLE_SIZE * _LINE,
        len(second) * SUBTITLE_SIZE * _LINE,
        0.04 + len(rows) * _KEY_ROW if rows else 0.0,
    )
    top = sum(heights) + 0.10
    bottom = len(below) * CAPTION_SIZE * _LINE + 0.10
    whole = _MARGIN + top + height + bottom + _MARGIN / 2
    figure.set_size_inches(width, whole)
    canvas = Canvas(figure=figure, width=room, height=height, left=_MARGIN, bottom=_MARGIN / 2 + bottom)
    canvas.text(0, -top, "\n".join(head), size=TITLE_SIZE, color=INK, linespacing=1.2, **heading_style(title))
    canvas.text(0, -top + heights[0], "\n".join(second), size=SUBTITLE_SIZE, color=MUTED, linespacing=1.2)
    canvas.text(0, height + 0.08, "\n".join(below), size=CAPTION_SIZE, color=MUTED, linespacing=1.25)
    for row, entries in enumerate(rows):
        _draw_key(canvas, entries, -top + heights[0] + heights[1] + 0.04 + row * _KEY_ROW)
    figure.caption = caption
    return canvas


def _key_rows(figure: Figure, key: Sequence[KeyEntry], room: float) -> list[list[KeyEntry]]:
    """Legend entries, in as many rows as they need."""
    rows: list[list[KeyEntry]] = []
    left = room
    for entry in key:
        fitted = replace(entry, text=shortened(figure, entry.text, LABEL_SIZE, room - _SAMPLE))
        wide = _SAMPLE + text_width(figure, fitted.text, LABEL_SIZE)
        if left + wide > room:
            rows.append([])
            left = 0.0
        rows[-1].append(fitted)
        left += wide + _KEY_GAP
    return rows


def _draw_key(canvas: Canvas, entries: Sequence[KeyEntry], top: float) -> None:
    """Draw one row of the legend."""
    left = 0.0
    for entry in entries:
        _draw_sample(canvas, entry, left, top + 0.09)
        canvas.text(left + _SAMPLE, top + 0.09, entry.text, size=LABEL_SIZE, color=INK, va="center")
        left += _SAMPLE + text_width(canvas.figure, entry.text, LABEL_SIZE) + _KEY_GAP


def _draw_sample(canvas: Canvas, entry: KeyEntry, left: float, middle: float) -> None:
    """Draw the sample of a legend entry: a line, or the tints of a band."""
    whole_width, whole_height = canvas.figure.get_size_inches()
    height = (canvas.bottom + canvas.height - middle) / whole_height
    part = 0.26 / len(entry.colours)
    is_band = len(entry.colours) > 1
    for position, colour in enumerate(entry.colours):
        start = canvas.left + left + position * part
        line = Line2D(
            [start / whole_width, (start + part) / whole_width],
            [height, height],
            color=colour,
            linewidth=8 if is_band else 1.6,
            linestyle="-" if is_band else entry.style,
            solid_capstyle="butt",
            transform=canvas.figure.transFigure,
        )
        canvas.figure.add_artist(line)


def save_figure(figure: Figure, folder: str | Path, name: str) -> tuple[Path, ...]:
    """Write a figure as PNG and SVG, its data as CSV and its sentence as text.

    Everything is rendered before the first file is written, and each file is written atomically. The same data
    give the same bytes: nothing depends on the time, the host name or random numbers.

    Parameters
    ----------
    figure
        A figure returned by a plot function.
    folder
        Target folder; created if missing.
    name
        File name without extension.

    Returns
    -------
    tuple of Path
        ``name.png``, ``name.svg``, ``name.csv``, ``name.txt``.

    Raises
    ------
    InvalidInput
        If the figure carries no data (it was not made by a plot function of this package), or ``name`` is a
        path.
    OSError
        If a file cannot be written.
    """
    if not isinstance(figure, ReportFigure) or figure.data.empty:
        raise InvalidInput("this figure carries no data; save_figure writes what a plot_* function returned")
    if name in {"", ".", ".."} or Path(name).name != name:
        raise InvalidInput("name={name!r} must be a file name without folders; pass them as folder", name=name)
    picture = png_bytes(figure)
    text = "\n\n".join(part for part in (figure.sentence, figure.caption, figure.explained()) if part) + "\n"
    contents = {
        "png": picture,
        "svg": svg_bytes(figure),
        "csv": csv_bytes(figure.data),
        "txt": text.encode("utf-8"),
    }
    target = Path(folder)
    return tuple(write_bytes_whole(target / f"{name}.{ending}", content) for ending, content in contents.items())


def save_png(figure: ReportFigure, path: str | Path) -> Path:
    """Write a figure as a PNG file only, atomically."""
    return write_bytes_whole(path, png_bytes(figure))


def png_bytes(figure: ReportFigure) -> bytes:
    """PNG with the sentence as metadata, and without a time stamp."""
    stream = io.BytesIO()
    with drawing():
        figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None, "Description": figure.sentence})
    return stream.getvalue()


def svg_bytes(figure: ReportFigure) -> bytes:
    """SVG with the sentence as label and description, for screen readers; its text is text."""
    stream = io.BytesIO()
    with drawing():
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue().decode("utf-8").replace(f"'{BASE}'", f"'{BASE}', {_READERS}")
    label = escape(figure.sentence, {'"': "&quot;"})
    opened = re.sub(r"<svg ", f'<svg role="img" aria-label="{label}" '.replace("\\", r"\\"), text, count=1)
    body = opened.index(">", opened.index("<svg ")) + 1
    return (opened[:body] + f"\n <desc>{escape(figure.sentence)}</desc>" + opened[body:]).encode("utf-8")


#: Sources of uncertainty that a band may include.
UNCERTAINTIES = ("parameters", "forecast", "start", "shocks", "structure", "data")


def sources_of(includes: Sequence[str] | None, drawn: xr.DataArray | xr.Dataset) -> tuple[str, ...]:
    """Sources of uncertainty that the bands of a figure include."""
    if includes is not None:
        return tuple(includes)
    told = str(getattr(drawn, "attrs", {}).get("includes", "parameters"))
    return tuple(name.strip() for name in told.split(",") if name.strip())


def figure_sentence(
    values: xr.DataArray,
    *,
    region: str | None = None,
    year: int | None = None,
    scenario: str | None = None,
    baseline: str | None = "baseline",
    lang: str = "en",
) -> str:
    """Describe a figure in words: region, year, median, interval, difference from the baseline.

    Parameters
    ----------
    values
        A labelled array; dims from (scenario, draw, region, year).
    region
        Code or name of the region; default: the first.
    year
        Year to describe; default: the last.
    scenario
        Scenario to describe; default: the first that is not the baseline.
    baseline
        Scenario to compare with, or ``None``; ignored if the array does not contain it.
    lang
        ``"en"`` or ``"zh"``.

    Returns
    -------
    str
        One sentence on the level, and one on the paired difference where there is a baseline.

    Raises
    ------
    UnknownName
        If there is no such region or scenario.
    InvalidInput
        If there is no such year.
    """
    full = in_layout(values)
    quantity, names = quantity_of(values, lang), PrintedNames(values=full, lang=lang, is_drawn=False)
    chosen, reference = chosen_scenarios(full, scenario, baseline)
    code = str(full["region"].to_numpy()[0 if region is None else position_of(full, "region", region)])
    place, when = position_of(full, "region", code), position_of_year(full, year)
    position = position_of(full, "scenario", chosen)
    level = bands_of(full, scenario=position, region=place, scale=quantity.scale)
    label = names.scenario(chosen)
    parts = [_level_sentence(level, when, quantity, lang, region=names.region(code), scenario=label)]
    if reference is not None:
        against = position_of(full, "scenario", reference)
        difference = bands_of(full, scenario=position, baseline=against, region=place, scale=quantity.scale)
        parts.append(_difference_sentence(difference, when, quantity, lang, names.scenario(reference)))
    return translate("sentence.separator", lang).join(parts)


def fan_caption(
    all_bands: Sequence[Bands], includes: Sequence[str], lang: str, *, key: str = "caption.frequencies"
) -> str:
    """Caption that explains the bands as natural frequencies, and names the uncertainty they include and exclude."""
    for name in includes:
        if name not in UNCERTAINTIES:
            raise UnknownName(
                "includes={name!r} is no source of uncertainty; choose from {known}.{suggestion}",
                name=name,
                among=UNCERTAINTIES,
            )
    bands = max(all_bands, key=lambda own: own.failed)
    if bands.is_single:
        return translate("caption.single", lang)
    parts = [translate(key, lang), translate("caption.draws", lang, draws=bands.draws)]
    if bands.failed:
        parts.append(translate("caption.failed", lang, failed=bands.failed, draws=bands.draws))
    if includes:
        parts.append(_included(includes, lang))
    return joined_sentences(parts, lang)


def joined_sentences(parts: Sequence[str], lang: str) -> str:
    """Join sentences with the separator of the language."""
    return translate("sentence.separator", lang).join(part for part in parts if part)


def direction(value: float, quantity: Quantity, lang: str) -> str:
    """Word for the direction of a difference."""
    return translate(f"direction.{quantity.directions[not value < 0]}", lang)


def _included(includes: Sequence[str], lang: str) -> str:
    """Sentence on the sources of uncertainty that the bands include and exclude."""
    inside = _listed(
        [translate(f"uncertainty.{name}", lang) for name in UNCERTAINTIES if name in includes], "and", lang
    )
    # A forecast covers future shocks and the uncertain initial state; without one, it is not listed as excluded.
    covered = {*includes, "forecast", *(("start", "shocks") if "forecast" in includes else ())}
    outside = _listed(
        [translate(f"uncertainty.{name}", lang) for name in UNCERTAINTIES if name not in covered], "or", lang
    )
    if not outside:
        return translate("caption.includes_all", lang, included=inside)
    return translate("caption.includes", lang, included=inside, excluded=outside)


def _listed(items: Sequence[str], link: str, lang: str) -> str:
    """Items as a list in words, the last one joined by "and" or "or"."""
    first = translate("list.separator", lang).join(items[:-1])
    return translate(f"list.{link}", lang).join(part for part in (first, *items[-1:]) if part)


def _level_sentence(bands: Bands, when: int, quantity: Quantity, lang: str, *, region: str, scenario: str) -> str:
    """Sentence on the level of a region."""
    key = "sentence.level_single" if bands.is_single else "sentence.level"
    text = translate(
        key,
        lang,
        region=region,
        scenario=scenario,
        year=int(bands.years[when]),
        quantity=quantity.inline,
        median=written(bands.median[when], quantity.digits),
        low=written(bands.low[when], quantity.digits),
        high=written(bands.high[when], quantity.digits),
        unit=quantity.short_unit,
    )
    return " ".join(text.split())


def _difference_sentence(bands: Bands, when: int, quantity: Quantity, lang: str, baseline: str) -> str:
    """Sentence on the size and direction of the difference from the baseline."""
    key = "sentence.difference_single" if bands.is_single else "sentence.difference"
    middle = float(bands.median[when])
    ends = sorted(float(end[when]) * (-1 if middle < 0 else 1) for end in (bands.low, bands.high))
    return translate(
        key,
        lang,
        baseline=baseline,
        size=written(abs(middle), quantity.difference_digits),
        direction=direction(middle, quantity, lang),
        unit=quantity.counted_unit,
        low=written(ends[0], quantity.difference_digits),
        high=written(ends[1], quantity.difference_digits),
    )

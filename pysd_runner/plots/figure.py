"""Figures that carry their data and alternative text, the layout of title and caption, and the files of figures."""

import base64
import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pysd_runner.core.errors import InvalidInput
from pysd_runner.export.files import write_bytes_whole
from pysd_runner.export.tables import csv_bytes
from pysd_runner.plots.style import GRID, INK, MUTED, LineStyle, drawing, heading_style, shortened, text_width, wrapped

PAGE_WIDTH, DPI = 7.2, 200
TITLE_SIZE, SUBTITLE_SIZE, LABEL_SIZE, CAPTION_SIZE = 11.0, 8.5, 7.5, 7.0
_MARGIN = 0.14
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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        FigureCanvasAgg(self)
        self.data = pd.DataFrame()
        self.sentence = ""
        self.caption = ""

    def savefig(self, *args: Any, **kwargs: Any) -> None:
        """Save as matplotlib does, with the fonts the figure was drawn with."""
        with drawing():
            super().savefig(*args, **kwargs)

    def _repr_html_(self) -> str:
        """Show the figure in a notebook or a documentation page, with its alternative text."""
        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=110)
        picture = base64.b64encode(stream.getvalue()).decode("ascii")
        return f'<img alt="{html.escape(self.sentence)}" src="data:image/png;base64,{picture}">'


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """A figure with a title above, a caption below and a drawing area between, in inches."""

    figure: ReportFigure
    width: float
    height: float
    left: float
    bottom: float

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add axes, placed in inches from the upper left corner of the drawing area."""
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
        """Attach the data and the alternative text, and return the figure."""
        self.figure.data, self.figure.sentence = data, sentence
        return self.figure

    def text(self, left: float, top: float, text: str, **style: Any) -> None:
        """Write text, placed in inches from the upper left corner of the drawing area."""
        whole_width, whole_height = self.figure.get_size_inches()
        place = {"ha": "left", "va": "top", **style}
        self.figure.text(
            (self.left + left) / whole_width, (self.bottom + self.height - top) / whole_height, text, **place
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyEntry:
    """One entry of the legend."""

    text: str  # label of the entry
    colours: tuple[str, ...]  # one for a line; several for a band, drawn side by side
    style: LineStyle = "-"  # line style, ignored for bands


def open_sheet(
    *,
    height: float,
    title: str,
    subtitle: str = "",
    caption: str = "",
    key: Sequence[KeyEntry] = (),
) -> Sheet:
    """Make a figure with title, subtitle, legend and caption, and a drawing area of the given height."""
    figure = ReportFigure(figsize=(PAGE_WIDTH, height), dpi=DPI)
    room = PAGE_WIDTH - 2 * _MARGIN
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
    figure.set_size_inches(PAGE_WIDTH, whole)
    sheet = Sheet(figure=figure, width=room, height=height, left=_MARGIN, bottom=_MARGIN / 2 + bottom)
    sheet.text(0, -top, "\n".join(head), size=TITLE_SIZE, color=INK, linespacing=1.2, **heading_style(title))
    sheet.text(0, -top + heights[0], "\n".join(second), size=SUBTITLE_SIZE, color=MUTED, linespacing=1.2)
    sheet.text(0, height + 0.08, "\n".join(below), size=CAPTION_SIZE, color=MUTED, linespacing=1.25)
    for row, entries in enumerate(rows):
        _draw_key(sheet, entries, -top + heights[0] + heights[1] + 0.04 + row * _KEY_ROW)
    figure.caption = caption
    return sheet


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


def _draw_key(sheet: Sheet, entries: Sequence[KeyEntry], top: float) -> None:
    """Draw one row of the legend."""
    left = 0.0
    for entry in entries:
        _draw_sample(sheet, entry, left, top + 0.09)
        sheet.text(left + _SAMPLE, top + 0.09, entry.text, size=LABEL_SIZE, color=INK, va="center")
        left += _SAMPLE + text_width(sheet.figure, entry.text, LABEL_SIZE) + _KEY_GAP


def _draw_sample(sheet: Sheet, entry: KeyEntry, left: float, middle: float) -> None:
    """Draw the sample of a legend entry: a line, or the tints of a band."""
    whole_width, whole_height = sheet.figure.get_size_inches()
    height = (sheet.bottom + sheet.height - middle) / whole_height
    part = 0.26 / len(entry.colours)
    is_band = len(entry.colours) > 1
    for position, colour in enumerate(entry.colours):
        start = sheet.left + left + position * part
        line = Line2D(
            [start / whole_width, (start + part) / whole_width],
            [height, height],
            color=colour,
            linewidth=8 if is_band else 1.6,
            linestyle="-" if is_band else entry.style,
            solid_capstyle="butt",
            transform=sheet.figure.transFigure,
        )
        sheet.figure.add_artist(line)


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
    text = "\n\n".join(part for part in (figure.sentence, figure.caption) if part) + "\n"
    contents = {
        "png": png_bytes(figure),
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
    """SVG with the sentence as label and description, for screen readers."""
    stream = io.BytesIO()
    with drawing():
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue().decode("utf-8")
    label = escape(figure.sentence, {'"': "&quot;"})
    opened = re.sub(r"<svg ", f'<svg role="img" aria-label="{label}" '.replace("\\", r"\\"), text, count=1)
    body = opened.index(">", opened.index("<svg ")) + 1
    return (opened[:body] + f"\n <desc>{escape(figure.sentence)}</desc>" + opened[body:]).encode("utf-8")

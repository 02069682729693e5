"""A brief as an Excel workbook: the page, its details, its data and native charts."""

import io
from collections.abc import Sequence
from datetime import datetime
from math import ceil, floor
from typing import Any

import numpy as np
import pandas as pd

from pysd_runner.reports.document import (
    Bullets,
    Cell,
    Folded,
    Heading,
    Lead,
    Paragraph,
    Part,
    Picture,
    ReportDocument,
    TextTable,
    printable,
)
from pysd_runner.text import translate, width

_WIDE, _NARROW, _COLUMNS = 30, 9.5, 11
_TALL, _LOW = 20, 11  # heights of the charts, in rows
# Kinds of lines that are changes, and the titles of charts of them.
_CHANGES = {"change": "axis.difference", "closed": "axis.difference_closed"}
_SHADE, _RULE = "E8EEF4", "BFBFBF"


def to_workbook(document: ReportDocument, data: pd.DataFrame, lang: str) -> bytes:
    """Write a brief as a workbook."""
    from openpyxl import Workbook

    book = Workbook()
    page, more, numbers = book.active, book.create_sheet(), book.create_sheet()
    for sheet, name in ((page, "sheet"), (more, "sheet_details"), (numbers, "sheet_data")):
        sheet.title, sheet.page_setup.paperSize = translate(f"brief.{name}", lang), sheet.PAPERSIZE_A4
        sheet.sheet_properties.pageSetUpPr.fitToPage, sheet.page_setup.fitToHeight = True, int(sheet is page)
    numbers.page_setup.orientation = "landscape"
    table = _fill(numbers, data, lang)
    _lay_out(page, document.title, document.parts, _charts(numbers, table, data, lang))
    for part in document.parts:
        if isinstance(part, Folded):
            _lay_out(more, part.title, part.parts, [])
    book.properties.title, book.properties.creator = printable(document.title), "gapsim"
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _fill(sheet: Any, data: pd.DataFrame, lang: str) -> pd.DataFrame:
    """Write median, interval limits and width of each series as columns; return these by time, with headings."""
    from openpyxl.styles import Alignment

    ends = ["median", "low", "high", "band"]
    every = data.assign(band=data["high"] - data["low"]).pivot(index="time", columns=["line", "kind"], values=ends)
    names = data.drop_duplicates(["line", "kind"]).set_index(["line", "kind"])
    # A single draw has no interval.
    kept = [(end, *key) for key in names.index for end in (ends if every["band", *key].max() > 0 else ends[:1])]
    _put(sheet, 1, 1, translate("brief.time", lang), bold=True)
    for row, time in enumerate(every.index.to_series().convert_dtypes().tolist(), start=2):
        _put(sheet, row, 1, time)
    for column, (end, line, kind) in enumerate(kept, start=2):
        name, unit = map(str, names.loc[(line, kind), ["name", "unit"]])
        name = translate(f"brief.{kind}_of", lang, name=name, unit=unit) if kind in _CHANGES else name
        cell = _put(
            sheet, 1, column, name if end == "median" else translate(f"brief.{end}", lang, name=name), bold=True
        )
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        sheet.column_dimensions[cell.column_letter].width = 2 * _NARROW
        for row, value in enumerate(every[end, line, kind].tolist(), start=2):
            if pd.notna(value):
                _put(sheet, row, column, value)
    sheet.freeze_panes = "B2"
    return every[kept]


def _charts(sheet: Any, table: pd.DataFrame, data: pd.DataFrame, lang: str) -> list[tuple[Any, int]]:
    """Charts of what the mixes change and of the path without policy, with their heights."""
    from openpyxl.drawing.text import CharacterProperties

    from pysd_runner.plots.mixes import STYLES
    from pysd_runner.plots.style import BASELINE, INK

    lines = [key[1:] for key in map(tuple[str, ...], table.columns) if key[0] == "median"]
    changes = [key for key in lines if key[1] in _CHANGES]
    levels = [key for key in (("baseline", "level"), ("history", "observed")) if key in lines]
    label, unit = data.set_index("line")["name"].to_dict().get("baseline"), data.set_index("kind")["unit"].to_dict()
    charts = []
    for keys, colours, height in ((changes, [style[0] for style in STYLES], _TALL), (levels, [BASELINE, INK], _LOW)):
        if keys:
            chart = _chart(sheet, table, keys, colours)
            title = _CHANGES.get(keys[0][1], "brief.alone")
            chart.title = printable(translate(title, lang, baseline=label, unit=unit[keys[0][1]]))
            chart.title.tx.rich.p[0].r[0].rPr = CharacterProperties(sz=1200, b=True)
            charts.append((chart, height))
    return charts


def _chart(sheet: Any, table: pd.DataFrame, keys: Sequence[tuple[str, ...]], colours: Sequence[str]) -> Any:
    """Lines of some series, with the interval of the first as a band, on an axis that fits them."""
    from openpyxl.chart import AreaChart, LineChart, Reference, Series

    from pysd_runner.plots.style import FAN

    medians = [("median", *key) for key in keys]
    # The band is stacked on an area without colour, from its lower end.
    stacked = [key for key in (("low", *keys[0]), ("band", *keys[0])) if key in table]
    rows = np.flatnonzero(table[medians].notna().any(axis=1)) + 2
    lines, band = LineChart(), AreaChart(grouping="stacked")
    for chart, columns in ((band, stacked), (lines, medians)):
        for column in map(list(table).index, columns):
            cells = Reference(sheet, min_col=column + 2, min_row=rows[0], max_row=rows[-1])
            chart.series.append(Series(cells, title=sheet.cell(1, column + 2).value))
        chart.set_categories(Reference(sheet, min_col=1, min_row=rows[0], max_row=rows[-1]))
    for series, colour in zip(lines.series, colours, strict=False):
        series.smooth = False
        series.graphicalProperties.line.width, series.graphicalProperties.line.solidFill = 25400, colour[1:]
    shown = table[medians]
    if stacked:
        band.series[0].graphicalProperties.noFill = True
        band.series[1].graphicalProperties.solidFill = FAN[0][1:]
        band += lines
        shown = table[[*medians, *stacked[:1], ("high", *keys[0])]]
    return _fitted(band if stacked else lines, float(shown.min().min()), float(shown.max().max()), len(stacked))


def _fitted(chart: Any, low: float, high: float, hidden: int) -> Any:
    """Set an axis in round steps that fits the values, where Excel's would begin at zero, and name the lines alone."""
    from openpyxl.chart.legend import LegendEntry
    from openpyxl.chart.shapes import GraphicalProperties
    from openpyxl.drawing.line import LineProperties

    from pysd_runner.plots.marks import value_labels

    high += low == high
    places, axis = value_labels(low, high, 5)[0], chart.y_axis
    unit = places[1] - places[0]
    axis.scaling.min, axis.scaling.max = unit * floor(low / unit), unit * ceil(high / unit)
    axis.majorUnit, axis.number_format = unit, "General"
    # Without this, recent versions of Excel hide both axes.
    chart.x_axis.delete = axis.delete = False
    chart.x_axis.tickLblPos, chart.x_axis.tickLblSkip, chart.legend.position = "low", 5, "b"
    axis.majorGridlines.spPr = GraphicalProperties(ln=LineProperties(solidFill=_RULE))
    chart.legend.legendEntry = [LegendEntry(idx=at, delete=True) for at in range(hidden)]
    return chart


def _lay_out(sheet: Any, title: str, parts: Sequence[Part], charts: Sequence[Any]) -> None:
    """Write parts below each other."""
    from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, TwoCellAnchor
    from openpyxl.utils import get_column_letter

    sheet.sheet_view.showGridLines = False
    sheet.page_margins.left = sheet.page_margins.right = 0.4
    for column in range(1, _COLUMNS + 1):
        sheet.column_dimensions[get_column_letter(column)].width = _NARROW if column > 1 else _WIDE
    row = _sentence(sheet, 1, title, size=16, bold=True)
    for part in parts:
        match part:
            case Heading(text):
                row = _sentence(sheet, row + 1, text, bold=True)
            case Paragraph(text):
                row = _sentence(sheet, row, text)
            case Lead(items) | Bullets(items):
                for item in items:
                    row = _sentence(sheet, row, item, size=12 if isinstance(part, Lead) else 10)
            case Picture():
                for chart, height in charts:
                    ends = AnchorMarker(col=0, row=row), AnchorMarker(col=_COLUMNS, row=row + height)
                    chart.anchor = TwoCellAnchor(_from=ends[0], to=ends[1])
                    sheet.add_chart(chart)
                    row += height + 1
            case TextTable():
                row = _table(sheet, _sentence(sheet, row + 1, part.caption, bold=True), part)


def _table(sheet: Any, top: int, table: TextTable) -> int:
    """Write a table with a column for each number, and return the next row."""
    from openpyxl.styles import Alignment, Border, PatternFill, Side

    column, highest = 1, 1
    for at, head in enumerate(table.header):
        column_of = [row[at] for row in table.rows]
        cells = [text.numbers if isinstance(text, Cell) else (text,) for text in column_of]
        size = max(map(len, cells))
        _put(sheet, top, column, head, bold=True)
        sheet.merge_cells(start_row=top, end_row=top, start_column=column, end_column=column + size - 1)
        # Merged cells do not grow with their text.
        highest = max(highest, ceil(width(head) / (size * _NARROW - 1)) if at else 1)
        names = list(table.inside[:size]) if size > 1 else []
        for offset in range(size):
            for row, values in enumerate([names, *cells], start=top + 1):
                cell = _put(
                    sheet, row, column + offset, values[offset] if offset < len(values) else "", bold=row == top + 1
                )
                cell.border = Border(bottom=Side("thin", color=_RULE))
                cell.alignment = Alignment(horizontal="right" if at else "left")
        column += size
    sheet.row_dimensions[top].height = 15 * highest
    for row in sheet.iter_rows(min_row=top, max_row=top + 1, max_col=column - 1):
        for cell in row:
            cell.fill = PatternFill("solid", fgColor=_SHADE)
            side = "left" if cell.column == 1 else "center" if cell.row == top else "right"
            cell.alignment = Alignment(horizontal=side, vertical="center", wrap_text=True)
    return top + len(table.rows) + 3


def _sentence(sheet: Any, row: int, text: str, *, size: int = 10, bold: bool = False) -> int:
    """Write a paragraph across the page, and return the next row."""
    from openpyxl.styles import Alignment

    _put(sheet, row, 1, text, size=size, bold=bold).alignment = Alignment(wrap_text=True, vertical="top")
    sheet.merge_cells(start_row=row, end_row=row, start_column=1, end_column=_COLUMNS)
    room = (_WIDE + _NARROW * (_COLUMNS - 1)) * 10.5 / size
    sheet.row_dimensions[row].height = 1.35 * size * ceil(width(text) / room) + 2
    return row + 1


def _put(
    sheet: Any, row: int, column: int, value: str | float | datetime, *, size: int = 10, bold: bool = False
) -> Any:
    """Write a number, a date or a string; a string that begins with = must not become a formula."""
    from openpyxl.styles import Font

    cell = sheet.cell(row, column)
    cell.value, cell.number_format = (printable(value), "General") if isinstance(value, str) else (value, "#,##0.00")
    cell.font = Font(name="Arial", size=size, bold=bold)
    if isinstance(value, str):
        cell.data_type = "s"
    elif isinstance(value, int | datetime):
        cell.number_format = "0" if isinstance(value, int) else "yyyy-mm-dd"
    return cell

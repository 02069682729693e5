"""A brief as an Excel workbook: the page, its details, its data and native charts."""

import io
from collections.abc import Sequence
from math import ceil, floor, log10
from typing import Any

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
from pysd_runner.text import say, width

_WIDE, _NARROW, _COLUMNS = 30, 9.5, 11
_TALL, _LOW = 20, 11  # heights of the charts, in rows
_FONT = "Arial"
_ONE_DIGIT = 10  # least number of a column that is shown with one decimal
_SHADE, _RULE = "E8EEF4", "BFBFBF"


def to_workbook(document: ReportDocument, data: pd.DataFrame, lang: str) -> bytes:
    """Write a brief as a workbook."""
    from openpyxl import Workbook

    book = Workbook()
    page, more, numbers = book.active, book.create_sheet(), book.create_sheet()
    for sheet, name in ((page, "sheet"), (more, "sheet_details"), (numbers, "sheet_data")):
        sheet.title, sheet.page_setup.paperSize = say(f"brief.{name}", lang), sheet.PAPERSIZE_A4
        sheet.sheet_properties.pageSetUpPr.fitToPage, sheet.page_setup.fitToHeight = True, int(sheet is page)
    numbers.page_setup.orientation = "landscape"
    columns = _fill(numbers, data, lang)
    _lay_out(page, document.title, document.parts, _charts(numbers, data, columns, lang))
    for part in document.parts:
        if isinstance(part, Folded):
            _lay_out(more, part.title, part.parts, [])
    book.properties.title, book.properties.creator = printable(document.title), "gapsim"
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _fill(sheet: Any, data: pd.DataFrame, lang: str) -> dict[tuple[str, str, str], int]:
    """Write a column for each series and end of an interval; return the columns by line, kind and end."""
    series: dict[tuple[str, str, str], tuple[str, pd.Series[float]]] = {}
    for (line, kind), part in data.groupby(["line", "kind"], sort=False):
        values, name = part.set_index("year"), str(part["name"].iloc[0])
        if kind not in ("level", "observed"):
            name = say(f"brief.{kind}_of", lang, name=name, unit=part["unit"].iloc[0])
        series[str(line), str(kind), "median"] = (name, values["median"])
        # A single draw has no interval.
        if (values["low"] < values["high"]).any():
            series[str(line), str(kind), "low"] = (say("brief.low", lang, name=name), values["low"])
            series[str(line), str(kind), "high"] = (say("brief.high", lang, name=name), values["high"])
            series[str(line), str(kind), "band"] = (say("brief.band", lang, name=name), values["high"] - values["low"])
    years = sorted({int(year) for _, points in series.values() for year in points.index})
    _write(sheet, 1, [say("brief.year", lang), *(name for name, _ in series.values())], bold=True)
    for row, year in enumerate(years, start=2):
        _put(sheet, row, 1, year)
        for column, (_, points) in enumerate(series.values(), start=2):
            if year in points.index and pd.notna(points[year]):
                _put(sheet, row, column, float(points[year])).number_format = "0.00"
    for column in range(2, len(series) + 2):
        sheet.column_dimensions[sheet.cell(1, column).column_letter].width = 2 * _NARROW
    sheet.freeze_panes = "B2"
    return {key: column for column, key in enumerate(series, start=2)}


def _charts(sheet: Any, data: pd.DataFrame, columns: dict[tuple[str, str, str], int], lang: str) -> list[Any]:
    """Charts of what the mixes change and of the path without policy."""
    from openpyxl.drawing.text import CharacterProperties

    from pysd_runner.plots.mixes import STYLES
    from pysd_runner.plots.style import BASELINE, INK

    lines = [key[:2] for key in columns if key[2] == "median"]
    changes = [key for key in lines if key[1] in ("change", "closed")]
    levels = [key for key in (("baseline", "level"), ("history", "observed")) if key in lines]
    drawn = [(changes, [colour for colour, _ in STYLES], _TALL)] if changes else []
    charts = []
    for keys, colours, height in (*drawn, (levels, [BASELINE, INK], _LOW if changes else _TALL)):
        places = [columns[(*key, "median")] for key in keys]
        chart = _chart(sheet, places, columns.get((*keys[0], "low")), colours)
        label, unit = (data.set_index(key)[value].to_dict() for key, value in (("line", "name"), ("kind", "unit")))
        words = {"baseline": label["baseline"], "unit": unit[keys[0][1]]}
        title = {"change": "axis.difference", "closed": "axis.difference_closed", "level": "brief.alone"}[keys[0][1]]
        chart.title = printable(say(title, lang, **words))
        chart.title.tx.rich.p[0].r[0].rPr = CharacterProperties(sz=1200, b=True)
        charts.append((chart, height))
    return charts


def _chart(sheet: Any, columns: Sequence[int], low: int | None, colours: Sequence[str]) -> Any:
    """Lines of some columns, with the interval of the first as a band, on an axis that fits them."""
    from openpyxl.chart import AreaChart, LineChart, Reference, Series

    rows = [row for row in range(2, sheet.max_row + 1) if any(sheet.cell(row, at).value is not None for at in columns)]
    first, last = rows[0], rows[-1]
    lines, band = LineChart(), AreaChart(grouping="stacked")
    # The band is stacked on an area without colour, from its lower end.
    for chart, places in ((band, [] if low is None else [low, low + 2]), (lines, columns)):
        for column in places:
            cells = Reference(sheet, min_col=column, min_row=first, max_row=last)
            series = Series(cells, title=sheet.cell(1, column).value)
            chart.series.append(series)
        chart.set_categories(Reference(sheet, min_col=1, min_row=first, max_row=last))
    for series, colour in zip(lines.series, colours, strict=False):
        series.smooth = False
        series.graphicalProperties.line.width, series.graphicalProperties.line.solidFill = 25400, colour[1:]
    if low is not None:
        band.series[0].graphicalProperties.noFill = True
        band.series[1].graphicalProperties.solidFill = _tint(colours[0])
        band += lines
    ends = [*columns, *([] if low is None else [low, low + 1])]
    shown = [sheet.cell(row, column).value for row in rows for column in ends]
    values = [value for value in shown if value is not None]
    return _fitted(lines if low is None else band, values, len(band.series))


def _tint(colour: str) -> str:
    """A colour mixed with four parts of white."""
    return "".join(f"{255 - (255 - int(colour[at : at + 2], 16)) // 5:02X}" for at in (1, 3, 5))


def _fitted(chart: Any, values: Sequence[float], hidden: int) -> Any:
    """Set an axis in round steps that fits the values, where Excel's would begin at zero, and name the lines alone."""
    from openpyxl.chart.legend import LegendEntry
    from openpyxl.chart.shapes import GraphicalProperties
    from openpyxl.drawing.line import LineProperties

    span = max(max(values) - min(values), 1e-6)
    power = 10.0 ** floor(log10(span / 4))
    step = next(power * size for size in (1, 2, 5, 10) if power * size >= span / 6)
    axis = chart.y_axis
    axis.scaling.min, axis.scaling.max = step * floor(min(values) / step), step * ceil(max(values) / step)
    axis.majorUnit, axis.number_format = step, "0" if step >= 1 else f"0.{'0' * ceil(-log10(step))}"
    # Without this, recent versions of Excel hide both axes.
    chart.x_axis.delete = axis.delete = False
    chart.x_axis.tickLblPos, chart.x_axis.tickLblSkip, chart.legend.position = "low", 5, "b"
    chart.legend.legendEntry = [LegendEntry(idx=at, delete=True) for at in range(hidden)]
    chart.y_axis.majorGridlines.spPr = GraphicalProperties(ln=LineProperties(solidFill=_RULE, w=6350))
    return chart


def _lay_out(sheet: Any, title: str, parts: Sequence[Part], charts: Sequence[Any]) -> None:
    """Write parts below each other."""
    from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, TwoCellAnchor
    from openpyxl.utils import get_column_letter

    sheet.sheet_view.showGridLines = False
    sheet.page_margins.left = sheet.page_margins.right = 0.4
    sheet.column_dimensions["A"].width = _WIDE
    for column in range(2, _COLUMNS + 1):
        sheet.column_dimensions[get_column_letter(column)].width = _NARROW
    _write(sheet, 1, [title])
    sheet.cell(1, 1).font = _font(size=16, bold=True)
    row = 3
    for part in parts:
        match part:
            case Heading(text):
                _write(sheet, row + 1, [text], bold=True)
                row += 2
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
                row = _table(sheet, _sentence(sheet, row + 1, part.caption), part)


def _table(sheet: Any, top: int, table: TextTable) -> int:
    """Write a table with a column for each number, and return the next row."""
    from openpyxl.styles import Alignment, Border, PatternFill, Side

    sizes = [max(1, *(len(_numbers(row[at])) for row in table.rows)) for at in range(len(table.header))]
    starts = [1 + sum(sizes[:at]) for at in range(len(sizes))]
    are_large = [
        max((abs(value) for row in table.rows for value in _numbers(row[at])[:1]), default=0) >= _ONE_DIGIT
        for at in range(len(table.header))
    ]
    for start, size, text in zip(starts, sizes, table.header, strict=True):
        _put(sheet, top, start, text)
        sheet.merge_cells(start_row=top, end_row=top, start_column=start, end_column=start + size - 1)
        for offset, name in enumerate(table.inside[:size] if size > 1 else ()):
            _put(sheet, top + 1, start + offset, name)
    for row, cells in enumerate(table.rows, start=top + 2):
        for start, large, text in zip(starts, are_large, cells, strict=True):
            numbers = _numbers(text)
            for offset, number in enumerate(numbers):
                _put(sheet, row, start + offset, number).number_format = "#,##0.0" if large else "0.00"
            if not numbers:
                _put(sheet, row, start, text)
    bottom = top + 2 + len(table.rows)
    for row in range(top, bottom):
        for column in range(1, starts[-1] + sizes[-1]):
            cell = sheet.cell(row, column)
            cell.border = Border(bottom=Side("thin", color=_RULE))
            side = "left" if column == 1 else "right" if row > top else "center"
            cell.alignment = Alignment(horizontal=side, vertical="center", wrap_text=True)
            if row < top + 2:
                cell.fill, cell.font = PatternFill("solid", fgColor=_SHADE), _font(bold=True)
    # Merged cells do not grow with their text.
    lines = [ceil(width(text) / (size * _NARROW - 1)) for text, size in zip(table.header, sizes, strict=True)][1:]
    sheet.row_dimensions[top].height = 15 * max([1, *lines])
    return bottom + 1


def _numbers(text: str) -> tuple[float, ...]:
    return text.numbers if isinstance(text, Cell) else ()


def _sentence(sheet: Any, row: int, text: str, *, size: int = 10) -> int:
    """Write a paragraph across the page, and return the next row."""
    from openpyxl.styles import Alignment

    _write(sheet, row, [text])
    sheet.merge_cells(start_row=row, end_row=row, start_column=1, end_column=_COLUMNS)
    sheet.cell(row, 1).alignment, sheet.cell(row, 1).font = Alignment(wrap_text=True, vertical="top"), _font(size=size)
    room = (_WIDE + _NARROW * (_COLUMNS - 1)) * 10.5 / size
    sheet.row_dimensions[row].height = 1.35 * size * ceil(width(text) / room) + 2
    return row + 1


def _write(sheet: Any, row: int, texts: Sequence[str], *, bold: bool = False) -> None:
    from openpyxl.styles import Alignment

    for column, text in enumerate(texts, start=1):
        cell = _put(sheet, row, column, text)
        if bold:
            cell.font, cell.alignment = _font(bold=True), Alignment(wrap_text=bool(column > 1), vertical="top")


def _put(sheet: Any, row: int, column: int, value: str | float) -> Any:
    """Write a number, or a text; one that begins with = must not become a formula."""
    cell = sheet.cell(row, column, printable(value) if isinstance(value, str) else value)
    cell.font = _font()
    if isinstance(value, str):
        cell.data_type = "s"
    return cell


def _font(*, size: int = 10, bold: bool = False) -> Any:
    from openpyxl.styles import Font

    return Font(name=_FONT, size=size, bold=bold)

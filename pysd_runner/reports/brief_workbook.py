"""A brief as an Excel workbook: the page, its data and native charts."""

import io
import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from pysd_runner.reports.document import Bullets, Heading, Paragraph, Picture, ReportDocument, TextTable, printable
from pysd_runner.text import say

_WIDE, _NARROW = 34, 24
_ROWS_OF_CHART = 18


def to_workbook(document: ReportDocument, data: pd.DataFrame, money: pd.DataFrame | None, lang: str) -> bytes:
    """Write a brief as a workbook."""
    from openpyxl import Workbook

    book = Workbook()
    page, numbers = book.active, book.create_sheet(say("brief.sheet_data", lang))
    page.title = say("brief.sheet", lang)
    lines = _fill(numbers, data, lang)
    charts = [_chart(numbers, lines, document.title, lang)]
    if money is not None:
        charts.append(_bars(book.create_sheet(say("brief.sheet_money", lang)), money, lang))
    _lay_out(page, document, charts)
    book.properties.title, book.properties.creator = printable(document.title), "gapsim"
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _fill(sheet: Any, data: pd.DataFrame, lang: str) -> list[int]:
    """Write one column per series, and return the columns to plot."""
    columns: dict[str, pd.Series[float]] = {}
    drawn = []
    for (_, kind), part in data.groupby(["line", "kind"], sort=False):
        values, name = part.set_index("year"), str(part["name"].iloc[0])
        if kind == "observed":
            drawn.append(len(columns))
            columns[name] = values["median"]
            continue
        title = name if kind == "level" else say(f"brief.{kind}_of", lang, name=name, unit=part["unit"].iloc[0])
        drawn += [len(columns)] if kind == "level" else []
        columns[title] = values["median"]
        # A single draw has no interval.
        if (values["low"] < values["high"]).any():
            columns[say("brief.low", lang, name=title)] = values["low"]
            columns[say("brief.high", lang, name=title)] = values["high"]
    years = sorted({int(year) for series in columns.values() for year in series.index})
    _write(sheet, 1, [say("brief.year", lang), *columns], bold=True)
    for row, year in enumerate(years, start=2):
        sheet.cell(row, 1, year)
        for column, series in enumerate(columns.values(), start=2):
            if year in series.index and pd.notna(series[year]):
                sheet.cell(row, column, float(series[year])).number_format = "0.00"
    sheet.freeze_panes = "B2"
    return [position + 2 for position in drawn]


def _chart(sheet: Any, columns: Sequence[int], title: str, lang: str) -> Any:
    from openpyxl.chart import LineChart

    chart = _drawn(LineChart(), sheet, columns, printable(title))
    chart.x_axis.title = say("brief.year", lang)
    chart.x_axis.tickLblSkip = 5
    chart.y_axis.number_format = "0"
    drawn = [row[column - 1] for row in sheet.iter_rows(min_row=2, values_only=True) for column in columns]
    values = [value for value in drawn if value is not None]
    # With an axis from zero, Excel's default, the lines would overlap.
    chart.y_axis.scaling.min, chart.y_axis.scaling.max = math.floor(min(values)), math.ceil(max(values))
    for series in chart.series:
        series.smooth = False
        series.graphicalProperties.line.width = 19050
    return chart


def _drawn(chart: Any, sheet: Any, columns: Sequence[int], title: str) -> Any:
    """A chart of some columns, whose names are in the first row."""
    from openpyxl.chart import Reference, Series

    chart.title, chart.height, chart.width = title, 8.5, 24
    # Without this, recent versions of Excel hide both axes.
    chart.x_axis.delete = chart.y_axis.delete = False
    for column in columns:
        cells = Reference(sheet, min_col=column, min_row=1, max_row=sheet.max_row)
        chart.series.append(Series(cells, title_from_data=True))
    chart.set_categories(Reference(sheet, min_col=1, min_row=2, max_row=sheet.max_row))
    return chart


def _bars(sheet: Any, money: pd.DataFrame, lang: str) -> Any:
    """Write spending by lever, per head and in total, and chart spending per head."""
    from openpyxl.chart import BarChart

    names = money.drop_duplicates("scenario")["mix"].tolist()
    titles = [say(f"brief.money_{kind}", lang, name=name) for kind in ("head", "total") for name in names]
    _write(sheet, 1, [say("brief.lever", lang), *titles], bold=True)
    for row, (lever, values) in enumerate(money.groupby("lever", sort=False), start=2):
        _write(sheet, row, [str(lever)])
        for column, value in enumerate([*values["head"], *values["total"]], start=2):
            sheet.cell(row, column, float(value)).number_format = "#,##0.0"
    sheet.column_dimensions["A"].width, sheet.freeze_panes = _WIDE, "B2"
    chart = _drawn(BarChart(), sheet, range(2, 2 + len(names)), say("brief.money_plain", lang))
    chart.type, chart.x_axis.scaling.orientation = "bar", "maxMin"
    return chart


def _lay_out(sheet: Any, document: ReportDocument, charts: Sequence[Any]) -> None:
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    sheet.page_setup.orientation, sheet.page_setup.paperSize = "portrait", sheet.PAPERSIZE_A4
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    widest = max((len(part.header) for part in document.parts if isinstance(part, TextTable)), default=1)
    sheet.column_dimensions["A"].width = _WIDE
    for column in range(2, widest + 1):
        sheet.column_dimensions[get_column_letter(column)].width = _NARROW
    _write(sheet, 1, [document.title])
    sheet.cell(1, 1).font = Font(bold=True, size=14)
    row, left = 3, iter(charts)
    for part in document.parts:
        match part:
            case Heading(text):
                _write(sheet, row + 1, [text], bold=True)
                row += 2
            case Paragraph(text):
                row = _sentence(sheet, row, text, widest)
            case Bullets(items):
                for item in items:
                    row = _sentence(sheet, row, item, widest)
            case Picture():
                sheet.add_chart(next(left), f"A{row + 1}")
                row += _ROWS_OF_CHART + 1
            case TextTable():
                row = _sentence(sheet, row, part.caption, widest)
                _write(sheet, row, part.header, bold=True)
                for offset, cells in enumerate(part.rows, start=1):
                    _write(sheet, row + offset, cells)
                row += len(part.rows) + 2


def _sentence(sheet: Any, row: int, text: str, columns: int) -> int:
    """Write a paragraph across the page, and return the next row."""
    from openpyxl.styles import Alignment

    _write(sheet, row, [text])
    sheet.merge_cells(start_row=row, end_row=row, start_column=1, end_column=max(columns, 4))
    sheet.cell(row, 1).alignment = Alignment(wrap_text=True, vertical="top")
    room = _WIDE + _NARROW * (max(columns, 4) - 1)
    wide = sum(2 if ord(sign) > 0x2E80 else 1 for sign in text)
    sheet.row_dimensions[row].height = 15 * (1 + wide // room)
    return row + 1


def _write(sheet: Any, row: int, texts: Sequence[str], *, bold: bool = False) -> None:
    from openpyxl.styles import Alignment, Font

    for column, text in enumerate(texts, start=1):
        cell = sheet.cell(row, column, printable(text))
        # Text that begins with = must not become a formula.
        cell.data_type = "s"
        if bold:
            cell.font = Font(bold=True)
            cell.alignment = Alignment(wrap_text=True, vertical="top")

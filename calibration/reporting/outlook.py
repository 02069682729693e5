"""The report of a forecast, and its fan chart: every region, history and bands of futures."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from calibration.forecasting import Outlook
from calibration.forecasting.words import paragraph
from pysd_runner.plots.bands import Bands
from pysd_runner.plots.fan import draw_fan, draw_history, draw_origin, set_years
from pysd_runner.plots.figure import LABEL_SIZE, PAGE_WIDTH, ReportFigure, open_sheet
from pysd_runner.plots.fonts import usable_language
from pysd_runner.plots.palette import INK, drawing
from pysd_runner.plots.save import save_figure
from pysd_runner.plots.typography import shortened
from pysd_runner.reports.document import Document, Paragraph, Part, Picture, Table, save_document
from pysd_runner.text import say
from pysd_runner.text.notices import panel_title

_COLUMNS, _GAP, _LEFT, _HIGH, _PITCH = 4, 0.38, 0.35, 0.95, 1.45
# Years of history that are drawn.
_BEHIND = 15


def plot_outlook(outlook: Outlook, *, lang: str = "en") -> ReportFigure:
    """Draw a fan for every region."""
    lang = usable_language(lang)
    bands = percent(outlook.bands())
    history = percent(outlook.history.isel(year=slice(-_BEHIND, None)))
    past, ahead = (part["year"].to_numpy().astype(float) for part in (history, bands))
    title, subtitle, caption = (
        say(
            f"forecast.figure.{part}",
            lang,
            until=int(ahead[-1]),
            panel=panel_title(outlook.panel, lang),
            origin=outlook.origin,
            model=outlook.model,
        )
        for part in ("title", "subtitle", "caption")
    )
    codes = [str(code) for code in outlook.draws["region"].to_numpy()]
    wide = (PAGE_WIDTH - 0.28 - _LEFT - _GAP * (_COLUMNS - 1)) / _COLUMNS
    with drawing():
        sheet = open_sheet(
            width=PAGE_WIDTH,
            height=-(-len(codes) // _COLUMNS) * _PITCH,
            title=title,
            subtitle=subtitle,
            caption=caption,
        )
        for number, code in enumerate(codes):
            row, column = divmod(number, _COLUMNS)
            left, top = _LEFT + column * (wide + _GAP), row * _PITCH
            name = outlook.names[code][0 if lang == "en" else 1]
            name = shortened(sheet.figure, name, LABEL_SIZE, wide + _GAP / 2)
            sheet.text(left, top + 0.12, name, size=LABEL_SIZE, color=INK, va="center")
            axes = sheet.axes(left, top + 0.24, wide, _HIGH)
            seen = history.sel(region=code).to_numpy()
            start = np.repeat(100 * np.exp(outlook.last[number]), len(bands["level"]))[:, None]
            quantiles = np.concatenate((start, bands.sel(region=code).to_numpy()), axis=1)
            years = np.concatenate((past[-1:], ahead))
            draw_fan(axes, Bands(years=years, quantiles=quantiles, draws=outlook.draws.sizes["draw"], failed=0))
            draw_history(axes, past, seen, width=1.0)
            draw_origin(axes, past[-1])
            set_years(axes, past[0], ahead[-1], ticks=3)
    figure = sheet.figure
    figure.data = _drawn(outlook)
    figure.sentence = paragraph(outlook, lang)
    return figure


def write_outlook(outlook: Outlook, folder: Path, *, lang: str = "en") -> None:
    """Write the figure, and what it shows in words and numbers, as Markdown and as HTML."""
    figure = plot_outlook(outlook, lang=lang)
    save_figure(figure, folder, "forecast")
    heading, frame = last_year(outlook, lang)
    table = Table(
        header=[say("report.region", lang), *map(str, frame.columns)],
        rows=[[str(name), *(f"{value:.0f}" for value in row)] for name, *row in frame.itertuples(name=None)],
        caption=heading,
    )
    title = say("forecast.figure.title", lang, until=int(outlook.draws["year"][-1]))
    parts: list[Part] = [Paragraph(paragraph(outlook, lang)), Picture("forecast.png", figure.caption), table]
    save_document(Document(title=title, lang=lang, parts=parts), folder, "forecast")


def last_year(outlook: Outlook, lang: str) -> tuple[str, pd.DataFrame]:
    """What is forecast for the last year, a row a region, and what the numbers are."""
    table = outlook.table()
    final = table[table["year"] == table["year"].max()].set_index("region")
    final.index = pd.Index([outlook.names[str(code)][0 if lang == "en" else 1] for code in final.index])
    # The year is told where it is not that of the heading for all of them.
    dated = ["last_year"] if (final["last_year"] != outlook.origin).any() else []
    told = {name: say(f"forecast.table.{name}", lang) for name in ("last", *dated)}
    heading = say("forecast.table.heading", lang, origin=outlook.origin, until=int(final["year"].iloc[0]))
    return heading, final[["last", *dated, "q05", "q20", "q50", "q80", "q95"]].rename(columns=told)


def percent(logs: xr.DataArray) -> xr.DataArray:
    """Log points relative to the mean of the regions as per cent of it."""
    return logs.copy(data=100 * np.exp(logs.to_numpy()))


def _drawn(outlook: Outlook) -> pd.DataFrame:
    names = ["region", "name_en", "name_zh", "year"]
    ahead = outlook.table().drop(columns=["last", "last_year"]).melt(id_vars=names, var_name="quantile")
    behind = percent(outlook.history.isel(year=slice(-_BEHIND, None))).to_series().dropna().reset_index(name="value")
    found = pd.concat((behind.assign(quantile="observed"), ahead), ignore_index=True)
    for place, column in enumerate(("name_en", "name_zh")):
        found[column] = [outlook.names[str(code)][place] for code in found["region"]]
    return found[[*names, "quantile", "value"]].assign(unit="per cent of the geometric mean of the regions")

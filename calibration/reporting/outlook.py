"""Report of a forecast, and its fan chart with history and forecast bands of every region."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from calibration.forecasting import Outlook
from calibration.forecasting.words import paragraph
from calibration.reporting.facts import region_name
from pysd_runner.plots.bands import MEDIAN, Bands
from pysd_runner.plots.figure import LABEL_SIZE, PAGE_WIDTH, ReportFigure, joined_sentences, open_sheet, save_figure
from pysd_runner.plots.marks import (
    MOST_CHARTS,
    Row,
    draw_fan,
    draw_history,
    draw_origin,
    draw_rows,
    largest,
    named_rows,
    room_for,
    set_years,
)
from pysd_runner.plots.style import INK, drawing, shortened, usable_language
from pysd_runner.reports.document import (
    FEW_REGIONS,
    MOST_REGIONS,
    Paragraph,
    Part,
    Picture,
    ReportDocument,
    TextTable,
    save_document,
)
from pysd_runner.text import panel_title, say

_COLUMNS, _GAP, _LEFT, _HIGH, _PITCH = 4, 0.38, 0.35, 0.95, 1.45
# Number of years of history drawn.
_BEHIND = 15


def plot_outlook(outlook: Outlook, *, lang: str = "en") -> ReportFigure:
    """Draw a fan chart for every region; with more than fifty regions, a dot plot of the last year with intervals."""
    lang = usable_language(lang)
    has_fans = outlook.paths.sizes["region"] <= MOST_CHARTS
    with drawing():
        figure = _draw_fans(outlook, lang) if has_fans else _draw_dots(outlook, lang)
    figure.data = _drawn(outlook) if has_fans else _at_the_end(_drawn(outlook))
    figure.sentence = paragraph(outlook, lang)
    return figure


def _texts(outlook: Outlook, lang: str) -> tuple[str, str]:
    """Title and subtitle of the figure."""
    values = {"panel": panel_title(outlook.target.name, lang), "origin": outlook.origin, "model": outlook.model}
    until = int(outlook.paths["year"].to_numpy()[-1])
    return say("forecast.figure.title", lang, until=until), say("forecast.figure.subtitle", lang, **values)


def _draw_fans(outlook: Outlook, lang: str) -> ReportFigure:
    bands = percent(outlook.bands())
    history = percent(outlook.history.isel(year=slice(-_BEHIND, None)))
    past, ahead = (part["year"].to_numpy().astype(float) for part in (history, bands))
    codes = [str(code) for code in outlook.paths["region"].to_numpy()]
    wide = (PAGE_WIDTH - 0.28 - _LEFT - _GAP * (_COLUMNS - 1)) / _COLUMNS
    title, subtitle = _texts(outlook, lang)
    sheet = open_sheet(
        height=-(-len(codes) // _COLUMNS) * _PITCH,
        title=title,
        subtitle=subtitle,
        caption=say("forecast.figure.caption", lang),
    )
    for number, code in enumerate(codes):
        row, column = divmod(number, _COLUMNS)
        left, top = _LEFT + column * (wide + _GAP), row * _PITCH
        name = shortened(sheet.figure, region_name(outlook.names, code, lang), LABEL_SIZE, wide + _GAP / 2)
        sheet.text(left, top + 0.12, name, size=LABEL_SIZE, color=INK, va="center")
        axes = sheet.axes(left, top + 0.24, wide, _HIGH)
        seen = history.sel(region=code).to_numpy()
        start = np.repeat(100 * np.exp(outlook.last[number]), len(bands["level"]))[:, None]
        quantiles = np.concatenate((start, bands.sel(region=code).to_numpy()), axis=1)
        years = np.concatenate((past[-1:], ahead))
        draw_fan(axes, Bands(years=years, quantiles=quantiles, draws=outlook.paths.sizes["draw"], failed=0))
        draw_history(axes, past, seen, width=1.0)
        draw_origin(axes, past[-1])
        set_years(axes, past[0], ahead[-1], ticks=3)
    return sheet.figure


def _draw_dots(outlook: Outlook, lang: str) -> ReportFigure:
    """Dot plot of the forecast for the last year against the last observation, sorted by median."""
    ends = percent(outlook.bands().isel(year=-1)).transpose("region", "level").to_numpy()
    last = 100 * np.exp(outlook.last)
    moves = np.abs(np.nan_to_num(np.log(ends[:, MEDIAN] / last)))
    codes = [str(code) for code in outlook.paths["region"].to_numpy()]
    rows = [
        Row(region=code, name=region_name(outlook.names, code, lang), quantiles=end, other=other, change=move)
        for code, end, other, move in zip(codes, ends, last, moves, strict=True)
    ]
    rows.sort(key=lambda row: -row.quantiles[MEDIAN])
    named = named_rows(rows, None)
    caption = [say("forecast.figure.caption_dots", lang, until=int(outlook.paths["year"].to_numpy()[-1]))]
    if len(named) < len(rows):
        caption.append(say("forecast.figure.caption_named", lang, shown=len(named), all=len(rows)))
    title, subtitle = _texts(outlook, lang)
    sheet = open_sheet(
        height=room_for(len(rows)),
        title=title,
        subtitle=subtitle,
        caption=joined_sentences(caption, lang),
    )
    draw_rows(sheet, rows, named, INK, is_single=False)
    return sheet.figure


def write_outlook(outlook: Outlook, folder: Path, *, lang: str = "en") -> None:
    """Write the figure, and a report with a summary and a table, as Markdown and HTML."""
    figure = plot_outlook(outlook, lang=lang)
    save_figure(figure, folder, "forecast")
    heading, frame = last_year(outlook, lang)
    table = TextTable(
        header=[say("report.region", lang), *map(str, frame.columns)],
        rows=[[str(name), *(f"{value:.0f}" for value in row)] for name, *row in frame.itertuples(name=None)],
        caption=heading,
    )
    title = say("forecast.figure.title", lang, until=int(outlook.paths["year"][-1]))
    parts: list[Part] = [Paragraph(paragraph(outlook, lang)), Picture("forecast.png", figure.caption), table]
    save_document(ReportDocument(title=title, lang=lang, parts=parts), folder, "forecast")


def last_year(outlook: Outlook, lang: str) -> tuple[str, pd.DataFrame]:
    """Heading and table of the forecast for the last year, by region; if many, those with the largest change."""
    table = outlook.table()
    final = table[table["year"] == table["year"].max()].set_index("region")
    final.index = pd.Index([region_name(outlook.names, str(code), lang) for code in final.index])
    # The year of the last observation is shown if it differs from the forecast origin for any region.
    dated = ["last_year"] if (final["last_year"] != outlook.origin).any() else []
    told = {name: say(f"forecast.table.{name}", lang) for name in ("last", *dated)}
    heading = say("forecast.table.heading", lang, origin=outlook.origin, until=int(final["year"].iloc[0]))
    if len(final) > MOST_REGIONS:
        heading += say("forecast.table.some", lang, shown=FEW_REGIONS, all=len(final))
        moves = np.log(final["q50"] / final["last"]).abs().fillna(0.0)
        final = final.iloc[largest(moves.to_numpy(), FEW_REGIONS)]
    return heading, final[["last", *dated, "q05", "q20", "q50", "q80", "q95"]].rename(columns=told)


def percent(logs: xr.DataArray) -> xr.DataArray:
    """Convert log differences from the mean of the regions to per cent of the (geometric) mean."""
    return logs.copy(data=100 * np.exp(logs.to_numpy()))


def _at_the_end(drawn: pd.DataFrame) -> pd.DataFrame:
    """Rows of the last forecast year and of the last observation of each region."""
    is_seen = drawn["quantile"] == "observed"
    last = drawn[is_seen].drop_duplicates("region", keep="last")
    return pd.DataFrame(pd.concat((last, drawn[~is_seen & (drawn["year"] == drawn["year"].max())]), ignore_index=True))


def _drawn(outlook: Outlook) -> pd.DataFrame:
    names = ["region", "name_en", "name_zh", "year"]
    ahead = outlook.table().drop(columns=["last", "last_year"]).melt(id_vars=names, var_name="quantile")
    behind = percent(outlook.history.isel(year=slice(-_BEHIND, None))).to_series().dropna().reset_index(name="value")
    found = pd.concat((behind.assign(quantile="observed"), ahead), ignore_index=True)
    for place, column in enumerate(("name_en", "name_zh")):
        found[column] = [outlook.names[str(code)][place] for code in found["region"]]
    return found[[*names, "quantile", "value"]].assign(unit="per cent of the geometric mean of the regions")

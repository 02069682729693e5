"""Report of a forecast of regions."""

from pathlib import Path

import numpy as np
import pandas as pd

from calibration.forecasting import Outlook
from calibration.forecasting.words import paragraph
from calibration.reporting.facts import region_name
from pysd_runner.plots.figure import save_figure
from pysd_runner.plots.marks import (
    largest,
)
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
from pysd_runner.text import say


def write_outlook(outlook: Outlook, folder: Path, *, lang: str = "en") -> None:
    """Write the figure, and a report with a summary and a table, as Markdown and HTML."""
    figure = outlook.plot(lang=lang)
    figure.sentence = paragraph(outlook, lang)
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

"""The report of a fit of any model to a table: pictures, parameters, what is left over."""

from collections.abc import Iterator
from pathlib import Path

from calibration.fitting.description import Description
from calibration.fitting.results import FitResult
from pysd_runner.plots.figure import ReportFigure, save_figure
from pysd_runner.plots.over_time import plot_fitted
from pysd_runner.reports.document import (
    Bullets,
    Document,
    Heading,
    Paragraph,
    Part,
    Picture,
    Table,
    save_document,
)

NAME, FIGURES = "report", "figures"


def write_table_report(result: FitResult, folder: str | Path, *, description: Description) -> tuple[Path, Path]:
    """Write the report of a fit to a table as Markdown and as one HTML page, with its pictures."""
    folder = Path(folder)
    figure = plot_fitted(result.to_frame(), time_unit=result.time_unit)
    assert isinstance(figure, ReportFigure)  # noqa: S101
    save_figure(figure, folder / FIGURES, "fit")
    fitted = result.fitted
    document = Document(
        title=f"{fitted.model} fitted to {fitted.panel}",
        lang="en",
        parts=list(_parts(result, description, figure.sentence)),
    )
    return save_document(document, folder, NAME)


def _parts(result: FitResult, description: Description, sentence: str) -> Iterator[Part]:
    yield Paragraph(result.headline)
    yield Picture(file=f"{FIGURES}/fit.png", sentence=sentence)
    yield Heading("Parameters")
    yield Table(
        header=("parameter", "unit", "estimate", "90 % interval", "prior, 90 %", "what it rests on"),
        rows=[
            (
                item.name,
                item.unit,
                f"{item.estimate:.4g}",
                f"{item.low:.4g} to {item.high:.4g}",
                f"{item.prior_low:.4g} to {item.prior_high:.4g}",
                item.words,
            )
            for item in result.parameters
        ],
        words=frozenset({1, 5}),
    )
    if result.holdout:
        yield Heading("Held out")
        yield Bullets([f"{item.words}." for item in result.holdout])
    yield Heading("Data")
    yield Bullets([f"{item.words}." for item in result.series])
    yield Bullets(description.lines())
    if result.findings:
        yield Heading("What to keep in mind")
        yield Bullets([str(item) for item in result.findings])

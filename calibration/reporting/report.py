"""Report of a fit: data, estimated parameters and their uncertainty, goodness of fit, and residual tests."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import SupportsFloat

import numpy as np

from calibration.fitting.bound import Description
from calibration.fitting.estimates import ParameterEstimate, SeriesFit
from calibration.fitting.results import Fit, cells_of
from calibration.observation import HUBER_K
from calibration.reporting.facts import (
    SeriesNumbers,
    numbers_of,
    region_name,
    say_found,
    series_name,
    settled_and_weak,
    strongest_correlations,
    window,
)
from calibration.sdeval import point_fit
from calibration.uncertainty.verdict import ENTRY as VERDICTS
from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.numbers import three_digits
from pysd_runner.core.types import Record, Texts
from pysd_runner.data import Data
from pysd_runner.plots.figure import ReportFigure
from pysd_runner.plots.marks import largest
from pysd_runner.reports.document import (
    FEW_REGIONS,
    FIGURES,
    MOST_REGIONS,
    Bullets,
    Heading,
    Paragraph,
    Part,
    Picture,
    ReportDocument,
    TextTable,
    save_document,
    saved_picture,
)
from pysd_runner.reports.evidence import SHAPES
from pysd_runner.text import translate, translated

NAME = "report"

_SHORT_HASH = 12


def write_report(
    result: Fit,
    folder: str | Path,
    *,
    figures: Texts | None = None,
    panel: Data | None = None,
    lang: str = "en",
) -> tuple[Path, Path]:
    """Write the report of a fit as Markdown, with links to its figures, and as one HTML page, which embeds them.

    Parameters
    ----------
    result
        A fit.
    folder
        Folder of the fit.
    figures
        Captions of the figures in the subfolder ``figures``, by name; None for no figures.
    panel
        Data of the fit, for their source and the problems found when they were read.
    lang
        Language of the report, ``"en"`` or ``"zh"``.

    Returns
    -------
    tuple
        Paths of the Markdown and the HTML file.
    """
    folder = Path(folder)
    document = report_of(result, figures=figures or {}, panel=panel, lang=lang)
    return save_document(document, folder, NAME)


def report_of(result: Fit, *, figures: Texts, panel: Data | None = None, lang: str = "en") -> ReportDocument:
    """Build the report.

    Parameters
    ----------
    result
        A fit.
    figures
        Captions of the figures, by name.
    panel
        Data of the fit, for their source and the problems found when they were read.
    lang
        Language of the report, ``"en"`` or ``"zh"``.

    Returns
    -------
    ReportDocument
        The report, for Markdown and HTML.

    Raises
    ------
    InvalidInput
        If there is no such language.
    """
    if lang not in ("en", "zh"):
        raise InvalidInput("no reports in language {language!r}; expected one of en, zh", language=lang)
    fitted = result.fitted
    numbers = {item.label: numbers_of(result, item) for item in result.series}
    parts = [
        *_opening(result, lang),
        *_contents(result, panel, lang),
        *_parameters(result, lang),
        *_by_series(result, numbers, lang),
        *_residual_tests(result, numbers, lang),
        *_by_region(result, lang),
        *_figures(figures, lang),
        *_searches(result, lang),
        *_provenance(result, panel, lang),
    ]
    title = translate("fit_report.title", lang, model=fitted.model, **window(result, lang))
    return ReportDocument(title=title, lang=lang, parts=parts)


def _opening(result: Fit, lang: str) -> Iterator[Part]:
    settled, prior = settled_and_weak(result.parameters)
    failed = result.check()
    yield Paragraph(
        translate(
            "fit_report.lead failed" if failed else "fit_report.lead",
            lang,
            regions=len(result.fitted.regions),
            cells=sum(item.observations for item in result.series),
            series=len(result.series),
            count=len(result.parameters),
            settled=settled,
            prior=prior,
            message=say_found(result.verdict, result, lang),
        )
    )
    if failed:
        yield Paragraph(translate("fit_report.failed", lang, count=len(failed)))
    elif not result.findings:
        yield Paragraph(translate("fit_report.passed", lang))
    if result.findings:
        yield Heading(translate("fit_report.findings", lang))
        yield Bullets([say_found(str(item), result, lang) for item in result.findings])


def _contents(result: Fit, panel: Data | None, lang: str) -> Iterator[Part]:
    found = result.description
    yield Heading(translate("fit_report.contents", lang))
    keys = [
        translated(Message("{block} ({keys})", block=Message(stage), keys=", ".join(names)), lang)
        for stage, names in found.estimated.items()
        if names
    ]
    yield Paragraph(translate("fit_report.estimated", lang, keys="; ".join(keys) or translate("fit_report.none", lang)))
    listed = {
        "observed": found.series,
        "absent": found.absent,
        "unobserved": [
            Message("{block} ({keys})", block=Message(block), keys=", ".join(names))
            for block, names in found.unobserved.items()
        ],
        "set": [f"{key} = {value:g}" for key, value in found.fixed.items()],
        "imputed": found.imputed,
        "notes": found.notes,
        "panel": [] if panel is None else [item.message for item in panel.problems],
    }
    for key, lines in listed.items():
        if lines:
            yield Paragraph(f"{translate(f'fit_report.{key}', lang)}:")
            yield Bullets([say_found(line, result, lang) for line in lines])


def _parameters(result: Fit, lang: str) -> Iterator[Part]:
    if not result.parameters:
        return
    judged: Record = (result.fitted.provenance.get(VERDICTS) or {}).get("parameters", {})
    has_profiles = any(item["shape"] is not None for item in judged.values())
    yield Heading(translate("fit_report.parameters", lang))
    yield Paragraph(translate("fit_report.parameters_note", lang))
    if has_profiles:
        yield Paragraph(translate("fit_report.profile_note", lang))
    header = ["parameter", "unit", "estimate", "interval", "prior_median", "prior_interval", "contraction", "shift"]
    header += ["rests"]
    header += ["profile"] if has_profiles else []
    rows = [_parameter_row(item, judged.get(item.key), result.shifts[item.key], lang) for item in result.shown]
    others = len(result.parameters) - len(result.shown)
    yield TextTable(
        header=[translate(f"fit_report.{key}", lang) for key in header],
        rows=[row[: len(header)] for row in rows],
        words=frozenset({1, 8, 9}),
    )
    if result.moved:
        yield Paragraph(say_found(Message("{said}.", said=result.moved), result, lang))
    if others:
        yield Paragraph(translate("fit_report.others", lang, count=others))
    pairs = strongest_correlations(result)
    if pairs:
        yield TextTable(
            header=[
                translate("fit_report.parameter", lang),
                translate("fit_report.and", lang),
                translate("fit_report.correlation", lang),
            ],
            rows=[[one, other, _number(value, 2)] for one, other, value in pairs],
            caption=translate("fit_report.correlations", lang),
            words=frozenset({1}),
        )


def _parameter_row(item: ParameterEstimate, verdict: Record | None, shift: float, lang: str) -> list[str]:
    """Table row of a parameter; the interval is that of its verdict (profile) if there is one, else that of the fit."""
    meaning = item.en if lang == "en" else item.zh
    low, high = (item.low, item.high) if verdict is None else (verdict["low"], verdict["high"])
    shape = None if verdict is None else verdict["shape"]
    return [
        f"{item.key}: {meaning}",
        item.unit,
        _significant(item.estimate),
        _range(low, high),
        _significant(item.prior_median),
        _range(item.prior_low, item.prior_high),
        _number(item.contraction, 2),
        f"{shift:+.2f}".replace("-", "−"),
        translated(item.words, lang),
        "–" if shape is None else translate(f"report.profile {SHAPES[shape]}", lang),
    ]


def _by_series(result: Fit, numbers: Mapping[str, SeriesNumbers], lang: str) -> Iterator[Part]:
    yield Heading(translate("fit_report.by_series", lang))
    yield Paragraph(translate("fit_report.series_note", lang))
    header = ("series", "cells", "missing", "rmse", "bias", "efficiency", "r2", "theil", "declared_sd", "sd")
    yield TextTable(
        header=[*(translate(f"fit_report.{key}", lang) for key in header), translate("fit_report.persistence", lang)],
        rows=[_series_row(item, numbers[item.label], lang) for item in result.series],
    )


def _series_row(item: SeriesFit, found: SeriesNumbers, lang: str) -> list[str]:
    return [
        series_name(item, lang),
        f"{found.fit.n}",
        f"{item.missing + item.unusable}",
        _number(found.fit.rmse, 4),
        _number(found.fit.mean_error, 4),
        _number(found.fit.efficiency, 2),
        _number(found.fit.squared_correlation, 2),
        " / ".join(_number(share, 2) for share in (found.fit.um, found.fit.us, found.fit.uc)),
        _number(item.declared_sd, 4),
        _number(item.sd, 4),
        _number(item.persistence, 2),
    ]


def _residual_tests(result: Fit, numbers: Mapping[str, SeriesNumbers], lang: str) -> Iterator[Part]:
    yield Heading(translate("fit_report.residuals", lang))
    yield Paragraph(translate("fit_report.residuals_note", lang, bend=f"{HUBER_K:g}"))
    keys = ("series", "watson", "memory", "band", "rejecting", "rms")
    header = [
        *(translate(f"fit_report.{key}", lang) for key in keys),
        translate("fit_report.wild", lang, bend=f"{HUBER_K:g}"),
        translate("fit_report.verdict", lang),
    ]
    rows = []
    for item in result.series:
        found = numbers[item.label]
        share = found.regions_with_memory
        rows.append(
            [
                series_name(item, lang),
                _number(found.durbin_watson, 2),
                _number(found.memory, 2),
                f"±{_number(found.memory_band, 2)}",
                "–" if math.isnan(share) else f"{_number(100 * share, 0)} %",
                _number(item.rms, 2),
                f"{item.wild}",
                translate(f"fit_report.{_verdict(found)}", lang),
            ]
        )
    yield TextTable(header=header, rows=rows, words=frozenset({7}))
    if result.shocks is not None and result.shocks.count:
        yield Paragraph(say_found(Message("Shocks: {words}.", words=result.shocks.words), result, lang))


def _verdict(found: SeriesNumbers) -> str:
    if math.isnan(found.durbin_watson) or math.isnan(found.memory_band):
        return "unknown"
    return "patterned" if abs(found.memory) > found.memory_band else "quiet"


def _by_region(result: Fit, lang: str) -> Iterator[Part]:
    regional = [item for item in result.series if not item.national]
    if not regional:
        return
    tables = [cells_of(result, item) for item in regional]
    fits = [point_fit(cells["observed"], cells["fitted"]) for cells in tables]
    names = [region_name(result.region_names, code, lang) for code in result.region_names]
    errors = np.nan_to_num(fits[0].rmse)
    yield Heading(translate("fit_report.by_region", lang))
    yield Paragraph(
        translate(
            "fit_report.region_note",
            lang,
            worst=names[int(errors.argmax())] if errors.any() else translate("fit_report.none", lang),
        )
    )
    rows = [
        [name, *(_with_bias(fit.rmse[place], fit.mean_error[place]) for fit in fits)]
        for place, name in enumerate(names)
    ]
    if len(rows) > MOST_REGIONS:
        rows = [rows[place] for place in largest(errors, FEW_REGIONS)]
        yield Paragraph(translate("fit_report.region_some", lang, shown=len(rows), all=len(names)))
    yield TextTable(
        header=[translate("fit_report.region", lang), *(series_name(item, lang) for item in regional)], rows=rows
    )


def _figures(figures: Texts, lang: str) -> Iterator[Part]:
    if figures:
        yield Heading(translate("fit_report.figures", lang))
        for name, sentence in figures.items():
            yield Picture(f"{FIGURES}/{name}.png", sentence)


def _searches(result: Fit, lang: str) -> Iterator[Part]:
    if not result.searches:
        return
    yield Heading(translate("fit_report.searches", lang))
    yield TextTable(
        header=[translate(f"fit_report.{key}", lang) for key in ("start", "cost", "outcome", "distance")],
        rows=[
            [
                say_found(item.start, result, lang),
                _number(item.cost, 3),
                say_found(item.message, result, lang),
                _number(item.distance, 3),
            ]
            for item in result.searches
        ],
        words=frozenset({2}),
    )


def _provenance(result: Fit, panel: Data | None, lang: str) -> Iterator[Part]:
    fitted, record = result.fitted, result.fitted.provenance
    basis = f", {record['price_basis']}" if record.get("price_basis") else ""
    currency = str(record.get("currency", "currency"))
    lines = [
        translate(
            "fit_report.made",
            lang,
            model=fitted.model,
            model_hash=fitted.model_sha256[:_SHORT_HASH],
            panel=fitted.panel,
            panel_hash=fitted.panel_sha256[:_SHORT_HASH],
        )
    ]
    if panel is not None and "file" in panel.provenance:
        read = panel.provenance
        digest = str(read["file_sha256"])[:_SHORT_HASH]
        lines.append(
            translate(
                "fit_report.file", lang, file=read["file"], hash=digest, encoding=read["encoding"], shape=read["shape"]
            )
        )
    named = translate("fit_report.unnamed", lang) if currency == "currency" else currency
    lines.append(
        translate("fit_report.money", lang, currency=named, basis=basis, rate=record.get("yuan_per_unit", 1.0))
    )
    keys = ("gapsim", "python", "numpy", "scipy", "seed", "starts")
    lines.append(translate("fit_report.versions", lang, **{key: record.get(key, "?") for key in keys}))
    yield Heading(translate("fit_report.provenance", lang))
    yield Bullets(lines)


def _range(low: float, high: float) -> str:
    return f"{_significant(low)} … {_significant(high)}"


def _significant(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3g}".replace("-", "−")


def _number(value: SupportsFloat, digits: int) -> str:
    """Format a number with a typographic minus sign and without negative zero; a dash for NaN."""
    return "–" if math.isnan(value) else f"{round(float(value), digits) + 0.0:.{digits}f}".replace("-", "−")


def _with_bias(rmse: float, bias: float) -> str:
    return "–" if math.isnan(rmse) else f"{_number(rmse, 3)} ({_number(bias, 3)})"


def write_table_report(
    result: Fit, folder: str | Path, *, description: Description, lang: str = "en"
) -> tuple[Path, Path]:
    """Write the report of a fit to a table as Markdown and as one HTML page, with its figure."""
    folder = Path(folder)
    picture = None
    if result.series:
        figure = result.plot(lang=lang)
        assert isinstance(figure, ReportFigure)  # noqa: S101
        picture = saved_picture(figure, folder, "fit")
    fitted = result.fitted
    document = ReportDocument(
        title=translate("fit_report.table_title", lang, model=fitted.model, panel=fitted.panel),
        lang=lang,
        parts=list(_parts_of_table(result, description, picture, lang)),
    )
    return save_document(document, folder, NAME)


def _parts_of_table(result: Fit, description: Description, picture: Picture | None, lang: str) -> Iterator[Part]:
    def told(lines: Sequence[str]) -> Bullets:
        return Bullets([say_found(line, result, lang) for line in lines])

    yield Paragraph(say_found(result.headline, result, lang))
    if picture is not None:
        yield picture
    yield Heading(translate("fit_report.parameters", lang))
    header = ("parameter", "unit", "estimate", "interval", "prior_interval", "rests")
    yield TextTable(
        header=[translate(f"fit_report.{key}", lang) for key in header],
        rows=[
            (
                item.name,
                item.unit,
                three_digits(item.estimate, digits=4),
                f"{three_digits(item.low, digits=4)} … {three_digits(item.high, digits=4)}",
                f"{three_digits(item.prior_low, digits=4)} … {three_digits(item.prior_high, digits=4)}",
                translated(item.words, lang),
            )
            for item in result.parameters
        ],
        words=frozenset({1, 5}),
    )
    if result.holdout:
        yield Heading(translate("fit_report.held_out", lang))
        yield told([Message("{said}.", said=item.words) for item in result.holdout])
    yield Heading(translate("fit_report.contents", lang))
    yield told([Message("{said}.", said=item.words) for item in result.series])
    yield told(description.lines())
    if result.findings:
        yield Heading(translate("fit_report.findings", lang))
        yield told([str(item) for item in result.findings])

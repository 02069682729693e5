"""Names that the report of a fit and its pictures share."""

from calibration.fitting.estimates import SeriesFit
from calibration.fitting.results import FitResult
from pysd_runner.text import has_text, say


def say_evidence(words: str, lang: str) -> str:
    """What an estimate rests on, in a language."""
    key = f"evidence.{words}"
    return say(key, lang) if has_text(key) else words


def window(result: FitResult) -> dict[str, object]:
    """Panel and years of a fit, for the blanks of subtitles."""
    return {"panel": result.fitted.panel, "first": result.fitted.first_year, "last": result.fitted.last_year}


def series_name(series: SeriesFit, lang: str) -> str:
    """Short name of a series."""
    key = f"series.{series.indicator}"
    return say(key, lang) if has_text(key) else series.indicator.replace("_", " ")

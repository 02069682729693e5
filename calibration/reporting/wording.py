"""Names that the report of a fit and its pictures share."""

from calibration.fitting.estimates import SeriesFit
from calibration.fitting.results import FitResult
from pysd_runner.core.errors import InvalidInput
from pysd_runner.spec.load import load_bound_spec
from pysd_runner.text import has_text, say
from pysd_runner.text.notices import in_language, panel_title, variable_names


def say_evidence(words: str, lang: str) -> str:
    """What an estimate rests on, in a language."""
    key = f"evidence.{words}"
    return say(key, lang) if has_text(key) else words


def say_found(line: str, result: FitResult, lang: str) -> str:
    """A finding or note of a fit, which is kept in English, in a language."""
    return line if lang == "en" else in_language(line, lang, _names(result, lang))


def _names(result: FitResult, lang: str) -> dict[str, str]:
    """What variables and parameters are called in a language, by variable."""
    try:
        inputs = load_bound_spec(result.fitted.model).inputs
    except InvalidInput:  # a model whose files are no longer there
        inputs = {}
    return variable_names(inputs.values(), lang) | {item.name: str(getattr(item, lang)) for item in result.parameters}


def window(result: FitResult, lang: str) -> dict[str, object]:
    """Panel and years of a fit, for the blanks of subtitles."""
    fitted = result.fitted
    return {"panel": panel_title(fitted.panel, lang), "first": fitted.first_year, "last": fitted.last_year}


def series_name(series: SeriesFit, lang: str) -> str:
    """Short name of a series."""
    key = f"series.{series.indicator}"
    return say(key, lang) if has_text(key) else series.indicator.replace("_", " ")

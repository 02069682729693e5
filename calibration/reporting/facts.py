"""Statistics and names shared by the report and the figures of a fit: goodness of fit and residual tests."""

from collections.abc import Mapping, Sequence

import numpy as np

from calibration.fitting.estimates import EVIDENCE, ParameterEstimate, SeriesFit
from calibration.fitting.results import Fit, cells_of
from calibration.sdeval import PointFit, autocorrelation_band, ljung_box, point_fit
from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Array, Texts, frozen
from pysd_runner.spec.load import load_bound_spec
from pysd_runner.text import has_text, panel_title, translate, translated, variable_names

# Significance level of the residual tests.
LEVEL = 0.05
# Minimum number of years for a region's Ljung-Box test.
FEWEST_YEARS = 5


@frozen
class SeriesNumbers:
    """Goodness of fit and residual tests of one series."""

    fit: PointFit
    durbin_watson: float  # pooled over regions, of the standardised innovations; 2 without autocorrelation
    memory: float  # lag-1 autocorrelation of the innovations, from the fit
    memory_band: float  # half-width of the 95 % band of the autocorrelation of independent innovations
    regions_with_memory: float  # share of regions whose Ljung-Box test of the first lag rejects at 5 %


def numbers_of(result: Fit, series: SeriesFit) -> SeriesNumbers:
    """Goodness of fit and residual tests of one series, pooled over its regions."""
    cells = cells_of(result, series)
    innovations = cells["standardised"].to_numpy()
    count = int(np.isfinite(innovations).sum())
    return SeriesNumbers(
        fit=point_fit(cells["observed"], cells["fitted"], pooled=True),
        durbin_watson=pooled_durbin_watson(innovations),
        memory=series.leftover,
        memory_band=float(autocorrelation_band(count)) if count else float("nan"),
        regions_with_memory=float("nan") if series.national else _share_with_memory(innovations),
    )


def pooled_durbin_watson(innovations: Array) -> float:
    r"""Durbin-Watson statistic of a panel, with sums over regions and years.

    .. math:: d = \frac{\sum_i\sum_{t=2}(e_{it}-e_{i,t-1})^2}{\sum_i\sum_t e_{it}^2}

    References
    ----------
    Bhargava, A., Franzini, L. and Narendranathan, W. (1982), Serial correlation and the fixed effects model, Review of
    Economic Studies 49(4), 533-549.
    """
    squares = float(np.nansum(innovations**2))
    return float(np.nansum(np.diff(innovations, axis=1) ** 2)) / squares if squares > 0 else float("nan")


def _share_with_memory(innovations: Array) -> float:
    """Share of regions whose Ljung-Box test rejects; regions with too few years are excluded."""
    enough = np.isfinite(innovations).sum(axis=1) >= FEWEST_YEARS
    if not enough.any():
        return float("nan")
    chance = ljung_box(innovations[enough], lags=1).p_value
    known = np.isfinite(chance)
    return float((chance[known] < LEVEL).mean()) if known.any() else float("nan")


def strongest_correlations(result: Fit, *, least: float = 0.5, most: int = 12) -> list[tuple[str, str, float]]:
    """Pairs of parameters with strong posterior correlations, which the panel hardly distinguishes."""
    table = result.correlation()
    matrix = table.to_numpy()
    keys = list(table.columns)
    pairs = [(keys[i], keys[j], float(matrix[i, j])) for i, j in zip(*np.triu_indices(len(keys), k=1), strict=True)]
    strong = [pair for pair in pairs if abs(pair[2]) >= least]
    return sorted(strong, key=lambda pair: -abs(pair[2]))[:most]


def settled_and_weak(parameters: Sequence[ParameterEstimate]) -> tuple[int, int]:
    """Numbers of parameters determined mostly by the panel, and mostly by their priors."""
    settled = sum(item.contraction >= EVIDENCE[1][0] for item in parameters)
    return settled, sum(item.contraction < EVIDENCE[2][0] for item in parameters)


def say_found(line: str, result: Fit, lang: str) -> str:
    """Translate a finding or note of a fit, which is stored in English."""
    return line if lang == "en" else translated(line, lang, _names(result, lang))


def _names(result: Fit, lang: str) -> Texts:
    """Names of variables and parameters in a language, by variable."""
    try:
        inputs = load_bound_spec(result.fitted.model).inputs
    except InvalidInput:  # the model's files no longer exist
        inputs = {}
    return variable_names(inputs.values(), lang) | {item.name: str(getattr(item, lang)) for item in result.parameters}


def window(result: Fit, lang: str) -> dict[str, object]:
    """Panel and years of a fit, to fill in subtitles."""
    fitted = result.fitted
    return {"panel": panel_title(fitted.panel, lang), "first": fitted.first_year, "last": fitted.last_year}


def region_name(names: Mapping[str, tuple[str, str]], code: str, lang: str) -> str:
    """Label of a region in a language; `names` has the English and Chinese labels by region code."""
    return names[code][0 if lang == "en" else 1]


def series_name(series: SeriesFit, lang: str) -> str:
    """Short name of a series in a language."""
    key = f"series.{series.indicator}"
    return translate(key, lang) if has_text(key) else series.indicator.replace("_", " ")

"""Tests of a fit: point fit and residuals of the series that were fitted."""

from collections.abc import Iterator, Sequence
from dataclasses import fields

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from calibration.evaluation.judgement import NOTHING, Judgement, Phrase, Section
from calibration.fitting.estimates import SeriesFit
from calibration.fitting.results import Fit, cells_of
from calibration.sdeval import autocorrelation, autocorrelation_band, breusch_pagan, cross_dependence, point_fit
from pysd_runner.core.types import frozen

NATION = "nation"


@frozen
class ComparedSeries:
    """Observed and simulated values of one series."""

    name: str
    unit: str
    observed: xr.DataArray
    simulated: xr.DataArray
    standardised: xr.DataArray | None = None
    is_relative: bool = False


def fitted_pairs(result: Fit) -> Iterator[ComparedSeries]:
    """Series of a fit as calibrated, without the first year, which the model matches by construction."""
    for item in result.series:
        cells = cells_of(result, item).dropna("region", how="all").dropna("year", how="all")
        if item.national:
            cells = cells.assign_coords(region=[NATION])
        yield ComparedSeries(
            name=item.label,
            unit=_unit(item),
            observed=cells["observed"],
            simulated=cells["fitted"],
            standardised=cells["standardised"],
            is_relative=item.relative,
        )


def _unit(item: SeriesFit) -> str:
    if not item.relative:
        return "level"
    return "log points a year" if item.increments else "log points"


KEY = "fit"

# Bias share of the mean squared error (Theil) above which the error is systematic.
BIAS = 0.1


def point_fit_tests(pairs: Sequence[ComparedSeries]) -> Section:
    """Test the fit of simulated to observed values at each time."""
    judgements = [item for pair in pairs for item in _fit(pair)]
    table = _point_fits(pairs)
    is_pooled = table["region"] == "pooled"
    tables = {"point_fit": table[is_pooled].drop(columns="region"), "point_fit_regions": table[~is_pooled]}
    return Section(
        key=KEY,
        judgements=tuple(judgements),
        tables={name: frame.reset_index(drop=True) for name, frame in tables.items()},
    )


def _fit(pair: ComparedSeries) -> Iterator[Judgement]:
    found = point_fit(pair.observed.to_numpy(), pair.simulated.to_numpy(), pooled=True)
    value, bias = float(found.efficiency), float(found.um)
    yield _judged("efficiency", pair, value, holds=value > 0, bound=0.0)
    if pair.is_relative:
        # The mean over regions is subtracted from both in every year, so the mean error is zero for any model.
        yield Judgement.untested("bias", "bias_by_construction", pair.name)
        return
    yield _judged("bias", pair, bias, holds=bias <= BIAS, bound=BIAS)
    each = point_fit(pair.observed.to_numpy(), pair.simulated.to_numpy()).u2
    better = each[np.isfinite(each)] < 1
    share = float(better.mean()) if len(better) else float("nan")
    note = Phrase("better_in", {"better": int(better.sum()), "all": len(better)})
    yield _judged("no_change", pair, share, holds=share > 0.5, bound=0.5, note=note)


def _judged(
    test: str, pair: ComparedSeries, value: float, *, holds: bool, bound: float, note: Phrase = NOTHING
) -> Judgement:
    if not np.isfinite(value):
        return Judgement.untested(test, "undefined", pair.name)
    return Judgement.of(test, pair.name, holds, value=value, bound=bound, note=note)


def _point_fits(pairs: Sequence[ComparedSeries]) -> pd.DataFrame:
    """Point-fit statistics of each series, by region and pooled."""
    parts = []
    for pair in pairs:
        values = pair.observed.to_numpy(), pair.simulated.to_numpy()
        each, whole = point_fit(*values), point_fit(*values, pooled=True)
        numbers = {item.name: np.append(getattr(each, item.name), getattr(whole, item.name)) for item in fields(each)}
        table = pd.DataFrame({"region": [*pair.observed["region"].to_numpy(), "pooled"], **numbers})
        # A percentage is meaningless for values around zero.
        table = table.assign(mape=np.nan) if pair.is_relative else table
        parts.append(table.assign(series=pair.name, unit=pair.unit))
    return first_columns(pd.concat(parts, ignore_index=True), ["series", "unit", "region"])


def first_columns(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Reorder a table so that some columns come first."""
    return table[[*names, *(name for name in table.columns if name not in names)]]


RESIDUALS = "residuals"

# Significance level, minimum number of years for autocorrelation tests, and maximum lag.
LEVEL, SHORTEST, LAGS = 0.05, 6, 3


def residual_tests(pairs: Sequence[ComparedSeries]) -> Section:
    """Test the innovations of the fit, which the calibration assumes to be independent and identically distributed."""
    judgements = [item for pair in pairs for item in _of_series(pair)]
    tables = {"residuals": pd.concat([_table(pair) for pair in pairs], ignore_index=True)}
    return Section(key=RESIDUALS, judgements=tuple(judgements), tables=tables)


def _innovations(pair: ComparedSeries) -> np.ndarray:
    innovations = pair.simulated - pair.observed if pair.standardised is None else pair.standardised
    return innovations.to_numpy()


def _of_series(pair: ComparedSeries) -> Iterator[Judgement]:
    values = _innovations(pair)
    seen = np.isfinite(values).sum(axis=1)
    long = values[seen >= SHORTEST]
    if len(long):
        yield _memory(pair, long)
    else:
        parts = {"years": int(seen.max(initial=0)), "least": SHORTEST}
        yield Judgement.untested("autocorrelation", "too_short", pair.name, **parts)
    yield _spread(pair, values)
    if values.shape[0] > 1:
        yield _together(pair, values)


def _memory(pair: ComparedSeries, values: np.ndarray) -> Judgement:
    """Test first-order autocorrelation pooled over regions, since a single region has too few years."""
    products = values[:, 1:] * values[:, :-1]
    products = products[np.isfinite(products)]
    size = float(np.sqrt((products**2).sum()))
    p_value = float(2 * stats.norm.sf(abs(products.sum() / size))) if size > 0 else float("nan")
    return _judged("autocorrelation", pair, p_value, holds=p_value >= LEVEL, bound=LEVEL)


def _spread(pair: ComparedSeries, values: np.ndarray) -> Judgement:
    """Test whether the variance of innovations depends on the fitted value (Breusch-Pagan)."""
    used = np.isfinite(values)
    found = breusch_pagan(values[used], pair.simulated.to_numpy()[used])
    p_value = float(found.p_value)
    return _judged("heteroscedasticity", pair, p_value, holds=p_value >= LEVEL, bound=LEVEL)


def _together(pair: ComparedSeries, values: np.ndarray) -> Judgement:
    """Test cross-sectional dependence of errors; not applied if the regional mean is subtracted (no power)."""
    if pair.is_relative:
        expected = f"{-1 / (values.shape[0] - 1):+.3f}"
        return Judgement.untested("cross_dependence", "mean_removed", pair.name, expected=expected)
    p_value = float(cross_dependence(values).p_value)
    return _judged("cross_dependence", pair, p_value, holds=p_value >= LEVEL, bound=LEVEL)


def _table(pair: ComparedSeries) -> pd.DataFrame:
    values = _innovations(pair)
    lags = min(LAGS, values.shape[1] - 1)
    found = autocorrelation(values, lags=lags)
    by_lag = {f"autocorrelation_{lag}": found[:, lag] for lag in range(1, lags + 1)}
    return pd.DataFrame(
        {
            "series": pair.name,
            "region": pair.observed["region"].to_numpy(),
            "n": np.isfinite(values).sum(axis=1),
            **by_lag,
            "band": autocorrelation_band(np.isfinite(values).sum(axis=1)),
        }
    )

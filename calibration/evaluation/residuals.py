"""Residuals: memory, spread that is not constant, and regions that err together."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from calibration.evaluation.judgement import Judgement, Section, Verdict
from calibration.evaluation.observed import Pair
from calibration.evaluation.phrases import NOTHING, Phrase
from calibration.sdeval import (
    autocorrelation,
    autocorrelation_band,
    breusch_pagan,
    cross_correlation,
    cross_dependence,
    durbin_watson,
    ljung_box,
)

KEY = "residuals"

# Level of every test; with so many years a series is long enough to have an autocorrelation at all.
LEVEL, SHORTEST, LAGS = 0.05, 6, 3


def residual_tests(pairs: Sequence[Pair]) -> Section:
    """Test what the fit leaves: its innovations, which the calibration takes to be independent and alike."""
    judgements = [item for pair in pairs for item in _of_series(pair)]
    tables = {"residuals": pd.concat([_table(pair) for pair in pairs], ignore_index=True)}
    several = [pair for pair in pairs if pair.observed.sizes["region"] > 1]
    if several:
        tables["cross_correlation"] = pd.concat([_crossed(pair) for pair in several], ignore_index=True)
    return Section(key=KEY, judgements=tuple(judgements), tables=tables)


def _innovations(pair: Pair) -> np.ndarray:
    innovations = pair.simulated - pair.observed if pair.standardised is None else pair.standardised
    return innovations.to_numpy()


def _of_series(pair: Pair) -> Iterator[Judgement]:
    values = _innovations(pair)
    seen = np.isfinite(values).sum(axis=1)
    long = values[seen >= SHORTEST]
    if len(long):
        yield _memory(pair, long)
        yield _ljung_box(pair, long)
    else:
        for test in ("autocorrelation", "ljung_box"):
            yield _short(pair, test, int(seen.max(initial=0)))
    yield _spread(pair, values)
    if values.shape[0] > 1:
        yield _together(pair, values)


def _short(pair: Pair, test: str, years: int) -> Judgement:
    note = Phrase("too_short", {"years": years, "least": SHORTEST})
    return Judgement(section=KEY, test=test, subject=pair.name, verdict=Verdict.NOT_TESTED, note=note)


def _memory(pair: Pair, values: np.ndarray) -> Judgement:
    """Products of neighbouring innovations, summed over all regions: ten years of one region would show nothing."""
    products = values[:, 1:] * values[:, :-1]
    products = products[np.isfinite(products)]
    size = float(np.sqrt((products**2).sum()))
    p_value = float(2 * stats.norm.sf(abs(products.sum() / size))) if size > 0 else float("nan")
    return _significant("autocorrelation", pair, p_value)


def _ljung_box(pair: Pair, values: np.ndarray) -> Judgement:
    return _against_chance("ljung_box", pair, ljung_box(values, lags=LAGS).p_value < LEVEL)


def _against_chance(test: str, pair: Pair, outside: np.ndarray) -> Judgement:
    """Fails when more regions are outside than chance would put there in 95 of 100 panels."""
    count, regions = int(outside.sum()), int(outside.size)
    most = int(stats.binom.ppf(1 - LEVEL, regions, LEVEL))
    return Judgement(
        section=KEY,
        test=test,
        subject=pair.name,
        verdict=Verdict.of(count <= most),
        value=float(count),
        bound=float(most),
        note=Phrase("outside_in", {"count": count, "all": regions, "most": most}),
    )


def _spread(pair: Pair, values: np.ndarray) -> Judgement:
    """Whether the size of innovations goes with the fitted value."""
    used = np.isfinite(values)
    found = breusch_pagan(values[used], pair.simulated.to_numpy()[used])
    return _significant("heteroscedasticity", pair, float(found.p_value))


def _together(pair: Pair, values: np.ndarray) -> Judgement:
    """Whether regions err together; where their mean is taken away the test has no power left."""
    if pair.is_relative:
        note = Phrase("mean_removed", {"expected": f"{-1 / (values.shape[0] - 1):+.3f}"})
        return Judgement(section=KEY, test="cross_dependence", subject=pair.name, verdict=Verdict.NOT_TESTED, note=note)
    return _significant("cross_dependence", pair, float(cross_dependence(values).p_value))


def _significant(test: str, pair: Pair, p_value: float, note: Phrase = NOTHING) -> Judgement:
    if not np.isfinite(p_value):
        return Judgement(
            section=KEY, test=test, subject=pair.name, verdict=Verdict.NOT_TESTED, note=Phrase("undefined")
        )
    return Judgement(
        section=KEY,
        test=test,
        subject=pair.name,
        verdict=Verdict.of(p_value >= LEVEL),
        value=p_value,
        bound=LEVEL,
        note=note,
    )


def _table(pair: Pair) -> pd.DataFrame:
    values = _innovations(pair)
    errors = (pair.simulated - pair.observed).to_numpy()
    lags = min(LAGS, values.shape[1] - 1)
    found = autocorrelation(values, lags=lags)
    by_lag = {f"autocorrelation_{lag}": found[:, lag] for lag in range(1, lags + 1)}
    return pd.DataFrame(
        {
            "series": pair.name,
            "region": pair.observed["region"].to_numpy(),
            "n": np.isfinite(values).sum(axis=1),
            "durbin_watson_errors": durbin_watson(errors),
            "durbin_watson_innovations": durbin_watson(values),
            **by_lag,
            "band": autocorrelation_band(np.isfinite(values).sum(axis=1)),
        }
    )


def _crossed(pair: Pair) -> pd.DataFrame:
    codes = pair.observed["region"].to_numpy()
    table = cross_correlation(_innovations(pair))
    first, second = np.triu_indices(len(codes), k=1)
    return pd.DataFrame(
        {"series": pair.name, "region": codes[first], "other": codes[second], "correlation": table[first, second]}
    )

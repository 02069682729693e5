"""Tests of a fit: point fit of the calibrated series and of levels, behaviour patterns, and residuals."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from calibration.evaluation.judgement import NOTHING, Judgement, Phrase, Section
from calibration.evaluation.subject import Calibrated
from calibration.fitting.entering import FromState
from calibration.fitting.estimates import SeriesFit
from calibration.fitting.results import Fit, cells_of
from calibration.fitting.tying import ModelRuns
from calibration.sdeval import (
    BehaviourPatterns,
    autocorrelation,
    autocorrelation_band,
    behaviour_patterns,
    breusch_pagan,
    cross_dependence,
    point_fit,
)
from pysd_runner.core.errors import InvalidInput, Message, joined
from pysd_runner.core.types import Array, Numbers, frozen
from pysd_runner.indicators import gap_to_leader, sigma_dispersion, theil
from pysd_runner.study.binding import RegionalModel

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
    is_increment: bool = False  # whether the values are yearly changes

    @property
    def paths(self) -> tuple[xr.DataArray, xr.DataArray]:
        """Observed and simulated paths in levels: ratios to the mean of the regions, or the values as they are."""
        # Changes are cumulated from the first year with one; the ratio is one before it.
        return _path(self, self.observed), _path(self, self.simulated)


def _path(pair: ComparedSeries, values: xr.DataArray) -> xr.DataArray:
    if not pair.is_relative:
        return values
    # The path is NaN from the first missing change on, since a sum across a gap would hide it.
    logs = values.cumsum("year", skipna=False) if pair.is_increment else values
    return xr.DataArray(np.exp(logs))


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
            is_increment=item.increments,
        )


def _unit(item: SeriesFit) -> str:
    if item.national:
        return "national level"
    return "log points a year" if item.increments else "log points"


def level_pairs(calibrated: Calibrated) -> Iterator[ComparedSeries]:
    """Output per head and population in their own units, simulated over the window of the fit at its estimates."""
    fitted, panel = calibrated.result.fitted, calibrated.panel
    tied = RegionalModel(model=calibrated.model, panel=panel, yuan_per_unit=calibrated.yuan_per_unit)
    names = calibrated.model.bindings.variables
    # Model variables that a panel observes in the same unit, by their name in the panel.
    levels = {"output_per_head": names.output_per_head, "population": names.population}
    first, last = fitted.first_year, fitted.last_year
    runs = ModelRuns(FromState(tied, first), outcomes=list(levels.values()), start=first, stop=last, save_every=1)
    found = runs.batch(calibrated.estimates, 1)
    # Without the first year, which the model matches by construction.
    years = list(range(first + 1, last + 1))
    columns = [panel.years.index(year) for year in years]
    coords = {"region": list(panel.codes), "year": years}
    money = {"output_per_head": calibrated.yuan_per_unit}
    for name, variable in levels.items():
        if name not in panel:
            continue
        observed = xr.DataArray(panel[name][:, columns], dims=("region", "year"), coords=coords)
        simulated = xr.DataArray(
            found[variable][0][:, 1:] / money.get(name, 1.0), dims=("region", "year"), coords=coords
        )
        yield ComparedSeries(name=name, unit=panel.units[name], observed=observed, simulated=simulated)


def gap_pairs(levels: Mapping[str, ComparedSeries]) -> Iterator[ComparedSeries]:
    """Measures of the gaps between regions, from observed and simulated output per head."""
    if "output_per_head" not in levels:
        return
    heads = levels["output_per_head"]
    yield _national(Message("mean gap to leader"), "Dmnl", lambda y: gap_to_leader(y).mean(axis=0), heads)
    yield _national(Message("sigma dispersion"), "log points", sigma_dispersion, heads)
    if "population" not in levels:
        return
    both = heads, levels["population"]
    yield _national(Message("Theil index"), "Dmnl", lambda y, p: theil(y * p, p), *both)
    name = Message("output per head of the nation")
    yield _national(name, heads.unit, lambda y, p: (y * p).sum(axis=0) / p.sum(axis=0), *both)


def _national(name: str, unit: str, measure: Callable[..., Array], *pairs: ComparedSeries) -> ComparedSeries:
    """A national measure computed from one or more regional series."""
    observed, simulated = (
        _series(parts[0], measure(*(part.to_numpy() for part in parts)))
        for parts in ([pair.observed for pair in pairs], [pair.simulated for pair in pairs])
    )
    return ComparedSeries(name=name, unit=unit, observed=observed, simulated=simulated)


def _series(like: xr.DataArray, values: Array) -> xr.DataArray:
    coords = {"region": [NATION], "year": like["year"].to_numpy()}
    return xr.DataArray(np.asarray(values)[None, :], dims=("region", "year"), coords=coords)


KEY = "fit"

# Bias share of the mean squared error (Theil) above which the error is systematic.
BIAS = 0.1

PATTERNS_KEY = "patterns"

# Steps of the pattern comparison.
STEPS = ("trend", "mean", "variation")


def point_fit_tests(
    fitted: Sequence[ComparedSeries], levels: Sequence[ComparedSeries], gaps: Sequence[ComparedSeries]
) -> Section:
    """Test the fit of simulated to observed values at each time."""
    judgements = [item for pair in fitted for item in _in_terms(pair)]
    judgements += [item for pair in (*levels, *gaps) for item in _in_levels(pair)]
    table = _point_fits([*fitted, *levels, *gaps])
    is_pooled, national = table["region"] == "pooled", [pair.name for pair in gaps]
    tables = {
        "point_fit": table[is_pooled].drop(columns="region"),
        "point_fit_regions": table[~is_pooled & ~table["series"].isin(national)],
    }
    return Section(
        key=KEY,
        judgements=tuple(judgements),
        tables={name: frame.reset_index(drop=True) for name, frame in tables.items()},
    )


def _in_terms(pair: ComparedSeries) -> Iterator[Judgement]:
    found = point_fit(pair.observed.to_numpy(), pair.simulated.to_numpy(), pooled=True)
    value, bias = float(found.efficiency), float(found.um)
    yield _judged("efficiency", pair, value, holds=value > 0, bound=0.0)
    if pair.is_relative:
        # The mean over regions is subtracted from both in every year, so the mean error is zero for any model.
        yield Judgement.untested("bias", "bias_by_construction", pair.name)
    else:
        yield _judged("bias", pair, bias, holds=bias <= BIAS, bound=BIAS)


def _in_levels(pair: ComparedSeries) -> Iterator[Judgement]:
    table = point_fit(pair.observed.to_numpy(), pair.simulated.to_numpy())
    pooled = point_fit(pair.observed.to_numpy(), pair.simulated.to_numpy(), pooled=True)
    bias = float(pooled.um)
    yield _judged("bias", pair, bias, holds=bias <= BIAS, bound=BIAS, note=Phrase("not_fitted"))
    defined = np.isfinite(table.u2)
    if not defined.any():
        yield Judgement.untested("no_change", "undefined", pair.name)
        return
    better = table.u2[defined] < 1
    note = Phrase("better_in", {"better": int(better.sum()), "all": len(better)})
    share = float(better.mean())
    yield Judgement.of("no_change", pair.name, share > 0.5, value=share, bound=0.5, note=note)


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


def pattern_tests(fitted: Sequence[ComparedSeries], gaps: Sequence[ComparedSeries]) -> Section:
    """Compare the behaviour patterns of simulated and observed paths."""
    judgements: list[Judgement] = []
    rows: list[pd.DataFrame] = []
    for pair in (*gaps, *fitted):
        found, reasons = _compared(pair)
        judgements += [_step(pair, name, found, reasons) for name in STEPS]
        rows += [item.table().assign(series=pair.name, region=region) for region, item in found.items()]
    table = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()
    tables = {"patterns": first_columns(table, ["series", "region"])} if rows else {}
    return Section(key=PATTERNS_KEY, judgements=tuple(judgements), tables=tables)


def _compared(pair: ComparedSeries) -> tuple[dict[str, BehaviourPatterns], list[str]]:
    """Pattern comparison of each region, and error messages of the regions where it is impossible."""
    observed, simulated = (values.transpose("region", "year").to_numpy() for values in pair.paths)
    found, reasons = {}, []
    for place, region in enumerate(pair.observed["region"].to_numpy()):
        try:
            found[str(region)] = behaviour_patterns(observed[place], simulated[place])
        except InvalidInput as error:
            reasons.append(str(error))
    return found, reasons


def _step(pair: ComparedSeries, name: str, found: Mapping[str, BehaviourPatterns], reasons: Sequence[str]) -> Judgement:
    """Judge one step of the comparison over all paths for which it was made."""
    steps = [step for item in found.values() for step in item.steps if step.name == name]
    done = [step for step in steps if step.status != "skipped"]
    test = f"pattern_{name}"
    if not done:
        said = list(dict.fromkeys([*(step.message for step in steps), *reasons]))
        note = Phrase("verbatim", {"text": said[0] if said else ""})
        return Judgement.of(test, pair.name, None, note=note)
    passed = sum(step.status == "passed" for step in done)
    note = Phrase("paths_pass", {"passed": passed, "done": len(done), "skipped": len(found) - len(done)})
    if len(found) == 1:
        note = Phrase(
            "verbatim", {"text": Message("{said} {numbers}", said=done[0].message, numbers=_numbers(done[0].values))}
        )
    share = passed / len(done)
    return Judgement.of(test, pair.name, share > 0.5, value=share, bound=0.5, note=note)


def _numbers(values: Numbers) -> Message:
    shown = {Message(name.replace("_", " ")): value for name, value in values.items() if np.isfinite(value)}
    return joined([Message("{name} {value:.3g}", name=name, value=value) for name, value in shown.items()], ", ")


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

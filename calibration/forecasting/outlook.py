"""The front door of forecasts: where regions are going, how sure that is, and how such forecasts did before."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from calibration.forecasting.backtest import backtest
from calibration.forecasting.baselines import last_level
from calibration.forecasting.combination import Mixture, member_forecast
from calibration.forecasting.empirical_intervals import FIRST_SEEN
from calibration.forecasting.forecaster import Forecaster, Memory, Origin, origin_at
from calibration.forecasting.models import FINAL, models_named
from calibration.forecasting.plan import FIRST_ORIGIN, check_draws, check_model, check_yearly
from calibration.forecasting.scored import Backtest
from calibration.forecasting.target import Target, target_of
from pysd_runner.core.errors import InvalidInput, UnknownName, apart, suggest
from pysd_runner.engine.counts import whole
from pysd_runner.export.tables import Tabled
from pysd_runner.indicators.events import Chance, Futures, chances, futures_of
from pysd_runner.model import Model
from pysd_runner.panel import Panel
from pysd_runner.spec import Baseline, FittedParameters
from pysd_runner.spec.baseline import check_ahead
from pysd_runner.study.binding import shipped_model
from pysd_runner.study.draws import check_fit

Array = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

# Edges of the 30 %, 60 % and 90 % intervals, and the median.
LEVELS = (0.05, 0.20, 0.35, 0.50, 0.65, 0.80, 0.95)
# Years ahead at which it is told how such forecasts did.
PAST_HORIZONS = (1, 3, 5)
# Every region is forecast only where widths have something to be learnt from.
LEAST_YEARS = FIRST_SEEN + 2
# What is told of a fit.
OF_FIT = ("model", "model_sha256", "panel", "panel_sha256", "first_year", "last_year", "sha256")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Outlook(Tabled):
    """A forecast of log relative output per head.

    Attributes
    ----------
    draws
        Predictive draws, dimensions (draw, region, year), joint over regions and years; log points, 0 the mean of the
        regions.
    history
        Observed, dimensions (region, year).
    names
        English and Chinese name of each region.
    groups
        Class of each region, empty for none.
    panel, panel_sha256, model, seed
        What was forecast, with which forecaster.
    chances
        Probabilities of the events that were asked for.
    past
        How the same forecaster did at past origins, rows as in `Backtest.skill`; empty when it was not asked for. They
        are those of `backtest` with its defaults; on a panel too short for it, from every origin that can be scored.
    past_origins
        Those origins; each row says how many of them were early enough for its horizon.
    dispersion
        How well it predicted from them whether dispersion falls (`Backtest.dispersion`); empty when it was not asked
        for.
    weights
        Part of each forecaster: those of a mixture by name, or the forecaster itself with 1.
    fit
        The calibration beside which the forecast is kept for runs; None for none.
    """

    draws: xr.DataArray
    history: xr.DataArray
    names: Mapping[str, tuple[str, str]]
    groups: tuple[str, ...]
    panel: str
    panel_sha256: str
    model: str
    seed: int
    chances: tuple[Chance, ...]
    past: tuple[dict[str, object], ...]
    past_origins: tuple[int, ...]
    dispersion: Mapping[str, Any]
    weights: Mapping[str, float]
    fit: FittedParameters | None

    @property
    def origin(self) -> int:
        """The last year that was seen."""
        return int(self.history["year"].to_numpy()[-1])

    @property
    def last(self) -> Array:
        """Last level that was observed of each region, shape (region,)."""
        return last_level(self.history.to_numpy())

    @property
    def last_years(self) -> NDArray[np.int64]:
        """Year of it, shape (region,); the origin where there is none."""
        seen = np.isfinite(self.history.to_numpy())[:, ::-1]
        years = self.history["year"].to_numpy()[::-1]
        return np.asarray(years[seen.argmax(axis=1)], dtype=np.int64)

    @property
    def baseline(self) -> Baseline:
        """The draws as the future without policy from which `pysd_runner.project` starts."""
        return Baseline(
            paths=self.draws.to_numpy(),
            regions=tuple(map(str, self.draws["region"].to_numpy())),
            years=tuple(map(int, self.draws["year"].to_numpy())),
            origin=self.origin,
            panel=self.panel,
            panel_sha256=self.panel_sha256,
            provenance={
                "model": self.model,
                "seed": self.seed,
                "weights": dict(self.weights),
                "fit": _told_of(self.fit),
                "gapsim": metadata.version("gapsim"),
            },
        )

    def bands(self) -> xr.DataArray:
        """Quantiles over draws, dimensions (level, region, year)."""
        return bands(self.draws)

    def table(self) -> pd.DataFrame:
        """One row a region and year: per cent of the geometric mean of regions; median, bands, last level, its year."""
        result = levels(self.draws, self.names)
        codes = self.draws["region"].to_numpy()
        result["last"] = result["region"].map(dict(zip(codes, 100 * np.exp(self.last), strict=True)))
        result["last_year"] = result["region"].map(dict(zip(codes, self.last_years, strict=True)))
        return result

    def __repr__(self) -> str:
        sizes, years = self.draws.sizes, self.draws["year"].to_numpy()
        return (
            f"<Outlook by {self.model!r} on {self.panel!r}: {sizes['region']} regions, {sizes['draw']} draws, "
            f"{years[0]} to {years[-1]}>"
        )

    def plot(self, region: str | None = None, *, ax: Any = None) -> Any:
        """Fan of a region behind what was observed, in per cent of the geometric mean of regions.

        Parameters
        ----------
        region
            Code or name; None draws a small chart for each region.
        ax
            Where to draw one region; None makes a figure.

        Returns
        -------
        ReportFigure or Axes
            The axes where some were given.

        Raises
        ------
        UnknownName
            If there is no such region.
        InvalidInput
            If there are too many regions for one picture.
        """
        from pysd_runner.plots.over_time import plot_fan

        codes = [str(code) for code in self.draws["region"].to_numpy()]
        shown = codes if region is None else [self._code(region, codes)]
        named = {"region": [self.names[code][0] for code in shown]}
        values, past = (
            part.sel(region=shown).copy(data=100 * np.exp(part.sel(region=shown).to_numpy())).assign_coords(named)
            for part in (self.draws, self.history)
        )
        title = "output per head, % of the mean of regions"
        future = values.rename({"year": "time"}).rename(title)
        seen = pd.DataFrame(
            past.transpose("year", "region").to_numpy(), index=past["year"].to_numpy(), columns=named["region"]
        )
        if region is None:
            return plot_fan(future, seen, ax=ax, time_unit="year")
        one = future.isel(region=0, drop=True)
        return plot_fan(one, seen.iloc[:, 0].dropna(), ax=ax, title=title, time_unit="year")

    def _code(self, text: str, codes: Sequence[str]) -> str:
        """Code of a region by code or name."""
        for code in codes:
            if text.casefold() in {code.casefold(), *(name.casefold() for name in self.names[code])}:
                return code
        known = [name for code in codes for name in (code, *self.names[code])]
        raise UnknownName(
            "the forecast has no region {region!r}.{suggestion}", region=text, suggestion=suggest(text, known)
        )


def bands(draws: xr.DataArray) -> xr.DataArray:
    """Quantiles over draws, dimensions (level, region, year)."""
    found = np.quantile(draws.to_numpy(), LEVELS, axis=0)
    coords = {"level": list(LEVELS), "region": draws["region"], "year": draws["year"]}
    return xr.DataArray(found, dims=("level", "region", "year"), coords=coords, attrs=dict(draws.attrs))


def levels(draws: xr.DataArray, names: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
    """One row a region and year: per cent of the geometric mean of the regions, median and bands."""
    wide = 100 * np.exp(bands(draws).to_series()).unstack("level")
    wide.columns = [f"q{round(100 * level):02d}" for level in wide.columns]
    found = pd.DataFrame(wide.reset_index())
    for place, column in enumerate(("name_en", "name_zh"), start=1):
        found.insert(place, column, [names[str(code)][place - 1] for code in found["region"]])
    return found


def forecast(  # noqa: PLR0913 - a front door
    panel: Panel,
    *,
    until: int,
    forecaster: str = FINAL,
    model: Model | None = None,
    fit: FittedParameters | None = None,
    events: Sequence[str] = (),
    draws: int = 1000,
    seed: int = 0,
    past: bool = True,
    kept: Baseline | None = None,
    progress: Progress | None = None,
) -> Outlook:
    """Forecast from the last year of a panel.

    Parameters
    ----------
    panel
        Holds output per head, or output and population.
    until
        Last year.
    forecaster
        Name of a forecaster, see `calibration.forecasting.models`; the final one as a rule.
    model
        That of the fit; None for the shipped one.
    fit
        A calibration to these regions (`FitResult.fitted`, or `pysd_runner.spec.load_fitted`) whose runs start from the
        forecast. Its parameters move no forecast.
    events
        In words, see `pysd_runner.indicators.events`.
    draws
        Number of predictive draws.
    seed
        Decides every random number.
    past
        Whether the same forecaster is scored at past origins as `backtest` does, which says what to expect of it.
    kept
        The same forecast as it was made before, say for a run: its draws are taken, if there are enough of them and
        they go far enough. One with another forecaster, seed, panel or fit is passed over.
    progress
        Called with what is being done, how much is finished and of how much.

    Returns
    -------
    Outlook
        Draws, probabilities and past scores.

    Raises
    ------
    InvalidInput
        If the panel is too short, the years make no sense, an event is not understood, or the fit saw later years or
        is one of another model or of other regions.
    UnknownName
        If there is no such forecaster, region or class.
    """
    target = check_forecast(
        panel, until=until, forecaster=forecaster, model=model, fit=fit, events=events, draws=draws, seed=seed
    )
    origin = target.years[-1]
    chosen = models_named([forecaster])[forecaster]
    years = tuple(range(origin + 1, until + 1))
    start = origin_at(target, origin, panel=panel)
    asked = _Asked(horizon=len(years), draws=draws, seed=seed)
    # The past comes first: points of earlier years, from which widths are learnt, are not computed again.
    scored = _past(panel, target, chosen, seed, start.memory, progress) if past else None
    if kept is not None and _is_this(kept, panel, target, forecaster, fit, asked):
        found = kept.paths[:draws, :, : len(years)]
    else:
        found = asked.of(chosen, start)
    attrs = {"unit": "log points", "long_name": "log output per head relative to the mean of the regions"}
    regions = list(target.regions)
    return Outlook(
        draws=xr.DataArray(
            found, dims=("draw", "region", "year"), coords={"region": regions, "year": list(years)}, attrs=attrs
        ),
        history=xr.DataArray(
            target.values, dims=("region", "year"), coords={"region": regions, "year": list(target.years)}, attrs=attrs
        ),
        names={code: (english or code, chinese or code) for code, (english, chinese) in _names(target, panel).items()},
        groups=target.groups,
        panel=target.name,
        panel_sha256=panel.sha256,
        model=forecaster,
        seed=seed,
        chances=chances(events, _futures(target, panel, found, years)),
        past=() if scored is None else _rows(scored, chosen.name),
        past_origins=() if scored is None else tuple(int(year) for year in scored.scores["origin"].values),
        dispersion={} if scored is None else scored.dispersion(chosen.name),
        weights=_weights(chosen),
        fit=fit,
    )


def baseline_for(
    panel: Panel,
    fitted: FittedParameters | None,
    *,
    until: int,
    draws: int,
    seed: int,
    model: Model | None = None,
    progress: Progress | None = None,
) -> Baseline:
    """Forecast a panel as the future without policy from which projections start."""
    outlook = forecast(
        panel, until=until, model=model, fit=fitted, draws=draws, seed=seed, past=False, progress=progress
    )
    return outlook.baseline


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """What every forecaster is asked for."""

    horizon: int
    draws: int
    seed: int

    def of(self, forecaster: Forecaster, origin: Origin) -> Array:
        """Draws of a forecaster, shape (draw, region, year), computed once."""
        return member_forecast(forecaster, origin, self.horizon, self.draws, self.seed).draws


def _told_of(fit: FittedParameters | None) -> dict[str, Any] | None:
    """What a forecast remembers of a fit."""
    return None if fit is None else {name: getattr(fit, name) for name in OF_FIT}


def _is_this(
    kept: Baseline,
    panel: Panel,
    target: Target,
    forecaster: str,
    fit: FittedParameters | None,
    asked: _Asked,
) -> bool:
    """Whether a forecast that was kept is the one that is asked for."""
    record = kept.provenance
    asked_for = {"model": forecaster, "seed": asked.seed, "fit": _told_of(fit), "gapsim": metadata.version("gapsim")}
    return (
        (kept.origin, kept.regions, kept.panel_sha256) == (target.years[-1], target.regions, panel.sha256)
        and all(record.get(name) == value for name, value in asked_for.items())
        and len(kept) >= asked.draws
        and len(kept.years) >= asked.horizon
    )


def _weights(chosen: Forecaster) -> dict[str, float]:
    """Part of each forecaster."""
    if not isinstance(chosen, Mixture):
        return {chosen.name: 1.0}
    return {member.name: weight for member, weight in zip(chosen.members, chosen.weights, strict=True)}


def check_forecast(
    panel: Panel,
    *,
    until: int,
    forecaster: str = FINAL,
    model: Model | None = None,
    fit: FittedParameters | None = None,
    events: Sequence[str] = (),
    draws: int = 1000,
    seed: int = 0,
) -> Target:
    """Refuse what `forecast` would refuse, before anything long begins."""
    target = target_of(panel)
    _check_numbers(target, until, draws)
    whole("seed", seed, least=0)
    check_model(model)
    models_named([forecaster])
    if fit is not None:
        _check_fit(fit, shipped_model() if model is None else model, target)
    years = tuple(range(target.years[-1] + 1, until + 1))
    # Names and years of events are understood without knowing a single draw.
    chances(events, _futures(target, panel, np.zeros((1, len(target.regions), len(years))), years))
    return target


def _check_fit(fit: FittedParameters, model: Model, target: Target) -> None:
    """Refuse a fit of another model, of other regions, or one that knows what came after the origin."""
    if set(fit.regions) != set(target.regions):
        raise InvalidInput(
            "the fit was made on {count} regions of panel {panel!r}, and {regions} are forecast; {why}; calibrate on "
            "the panel that is forecast",
            count=len(fit.regions),
            panel=fit.panel,
            regions=len(target.regions),
            why=apart(fit.regions, target.regions),
        )
    check_fit(fit, model, target.years[-1])


def _check_numbers(target: Target, until: int, draws: int) -> None:
    if until <= target.years[-1]:
        raise InvalidInput(
            "until is {until}; expected a year after the last one of the panel, {end}",
            until=until,
            end=target.years[-1],
        )
    check_ahead(until, target.years[-1])
    check_draws(draws)
    if len(target.seen) < LEAST_YEARS:
        raise InvalidInput(
            "panel {panel!r} has {count} years of output; a forecast needs {least} to learn from",
            panel=target.name,
            count=len(target.seen),
            least=LEAST_YEARS,
        )
    check_yearly(target)


def _futures(target: Target, panel: Panel, draws: Array, years: tuple[int, ...]) -> Futures:
    return futures_of(_names(target, panel), target.groups, last_level(target.values), draws, years)


def _names(target: Target, panel: Panel) -> dict[str, tuple[str, str]]:
    """English and Chinese name of each region by its code."""
    return {code: (panel.region(code).name_en, panel.region(code).name_zh) for code in target.regions}


def _past(
    panel: Panel, target: Target, chosen: Forecaster, seed: int, memory: Memory, progress: Progress | None
) -> Backtest:
    """How the forecaster did, as a back-test of the panel finds it, from fewer years only where there are no more."""
    years = target.seen
    usual = len(years) > FIRST_ORIGIN
    origins = None if usual else years[FIRST_SEEN:-1]
    return backtest(
        panel,
        forecasters=models_named([]) | {chosen.name: chosen},
        origins=origins,
        horizons=None if origins is None else [ahead for ahead in PAST_HORIZONS if ahead <= years[-1] - origins[0]],
        seed=seed,
        progress=progress,
        memory=memory,
    )


def _rows(scored: Backtest, name: str) -> tuple[dict[str, object], ...]:
    """What is told of a back-test."""
    return tuple(row for row in scored.skill() if row["model"] == name and row["horizon"] in PAST_HORIZONS)

"""Any model as a forecaster: fitted to the data up to an origin, its stocks filtered up to it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from calibration.filtering.ensemble import (
    Disturbance,
    FilteredEnsemble,
    FilterSetup,
    estimate_disturbance,
    filtered,
    propagate,
    setup_of,
)
from calibration.filtering.stocks import TransitionModel
from calibration.fitting.fit import fit as fit_problem
from calibration.fitting.holdout import counted, disturbed
from calibration.fitting.problem import Problem
from calibration.fitting.results import Fit
from calibration.forecasting.baselines import DampedDrift, FixedEffects, MeanReversion, Smoothing
from calibration.forecasting.combination import Combination
from calibration.forecasting.empirical_intervals import EmpiricalIntervals
from calibration.forecasting.forecaster import Forecast, Forecaster, Origin, PointMethod
from calibration.forecasting.models import FINAL, MODEL, REFERENCE
from calibration.forecasting.target import Target
from calibration.observation import Noise, Series
from calibration.observation.series import last_level
from pysd_runner.core.errors import SimulationFailed, UnsupportedFeature
from pysd_runner.core.parallel import Pool
from pysd_runner.core.types import Array, Arrays
from pysd_runner.study.inputs import fitted_values

MEMBERS = 240
# Baselines in the mixture with the model, and their prior weights; that of the model is one.
BASELINES: dict[str, tuple[PointMethod, float]] = {
    REFERENCE: (MeanReversion(rate=0.0), 0.25),
    "damped_drift": (DampedDrift(), 0.25),
    "smoothing": (Smoothing(), 0.25),
    "autoregression": (FixedEffects(), 0.25),
}
# The model is refitted at every origin with fewer than EACH observed times, then when their number grew by this factor.
EACH, ANEW = 50, 1.05
# Number of observations that a first fit needs in addition to one per parameter.
SPARE_OBSERVATIONS = 6
# Prior weight of no inflation, in origins: high, since a single series says little about the width of a mixture.
NO_INFLATION = 30.0
# Learning rate and half-life of the weights: slow, since the last errors of a single series are mostly chance.
RATE, HALF_LIFE = 0.3, 20.0


@dataclass(frozen=True, kw_only=True, eq=False)
class StockFilter:
    """The stocks of a model and the noise on them, as estimated from data up to some time."""

    law: TransitionModel
    setup: FilterSetup
    disturbance: Disturbance
    passes: list[FilteredEnsemble] = field(default_factory=list)

    def over_all(self, seed: int, members: int) -> FilteredEnsemble:
        """Filter the members over all times, once; the state at a time depends only on data up to it."""
        if not self.passes:
            self.passes.append(filtered(self.law, self.setup, self.disturbance, seed=seed, members=members))
        return self.passes[0]


@dataclass(frozen=True, kw_only=True, eq=False)
class LearntModel:
    """A fit up to some time and its filter, which is None for a model whose state cannot be set."""

    fit: Fit
    problem: Problem
    filter: StockFilter | None


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelForecaster:
    """A model whose parameters, disturbances and stocks are estimated from the data up to the origin."""

    problem: Problem
    target: Target
    members: int = MEMBERS
    given: Fit | None = None
    checkpoint: Path | None = None
    known: dict[int, LearntModel] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name shown in tables."""
        return MODEL

    @property
    def least(self) -> int:
        """Number of observations that a first fit needs: a few more than the number of parameters."""
        return SPARE_OBSERVATIONS + len(self.problem.space.keys)

    @property
    def observed(self) -> Arrays:
        """Observations by series, shape (row, time) each."""
        series = self.problem.series
        ends = np.cumsum([len(item.labels) for item in series])[:-1]
        return {item.label: part for item, part in zip(series, np.split(self.target.values, ends), strict=True)}

    def __repr__(self) -> str:
        settings = f"{self.problem.space.keys}, {self.members}, {self.given is None}"
        return f"ModelForecaster({self.problem.model.sha256[:12]}, {settings})"

    def forecast(self, origin: Origin, *, horizon: int, draws: int, seed: int) -> Forecast:
        """Forecast; see `Forecaster`."""
        place = origin.time
        known = self.learnt(origin, seed)
        later = self.target.grid[place] + self.target.spacing * np.arange(1, horizon + 1)
        if known.filter is None:
            paths = self._open(known, place, later, draws, seed)
        else:
            paths = self._filtered(known.filter, place, later, draws, seed)
        usable = np.isfinite(paths).all(axis=(1, 2))
        if not usable.any():
            raise SimulationFailed(
                "no draw of {model} gives numbers after {time:g}",
                model=self.problem.model.name,
                time=self.target.grid[place],
            )
        paths = paths[np.resize(np.flatnonzero(usable), draws)]
        return Forecast(point=np.median(paths, axis=0), draws=paths)

    def prepare(self, origins: Sequence[Origin], seed: int, pool: Pool) -> None:
        """Fit and filter for many origins in parallel; nearby origins share a fit."""
        blocks = sorted({self._block(origin) for origin in origins} - set(self.known))
        for place, known in pool.finished(partial(_prepared, replace(self, known={}), seed), blocks):
            self.known[blocks[place]] = known

    def learnt(self, origin: Origin, seed: int) -> LearntModel:
        """The fit and filter used at an origin; a fit is reused until the number of observations has grown enough."""
        block = self._block(origin)
        if block not in self.known:
            self.known[block] = self.learn(block, seed)
        return self.known[block]

    def _block(self, origin: Origin) -> int:
        """Index of the time whose fit is used: each time at first, later thresholds that grow by `ANEW`."""
        seen = int(np.isfinite(origin.target.values).any(axis=0).sum())
        block = self.least
        while (further := block + 1 if block < EACH else int(np.ceil(block * ANEW))) <= seen:
            block = further
        places = self.target.places
        if self.given is not None or seen == len(places):
            block = len(places)
        return int(places[min(block, len(places)) - 1])

    def learn(self, place: int, seed: int) -> LearntModel:
        """Fit to the observations up to a time, and estimate the disturbance of the stocks."""
        whole, series = self.problem, self.problem.series
        problem = whole.again(until=float(self.target.grid[place]) + 1e-6 * self.target.spacing, free=whole.space.keys)
        fit = self.given
        if fit is None:
            folder = None if self.checkpoint is None else self.checkpoint / f"{place}"
            fit = fit_problem(problem, starts=2, seed=seed, checkpoint=folder)
        settled = problem.with_noise_of(fit.fitted)
        values = fitted_values(whole.model, fit.fitted, draws=self.members, seed=seed)
        try:
            law = TransitionModel(whole.model, values, series, start=problem.first_year)
        except UnsupportedFeature:
            return LearntModel(fit=fit, problem=settled, filter=None)
        seen = {label: values[:, : place + 1] for label, values in self.observed.items()}
        setup = setup_of(whole.model, law, series, self.target.grid[: place + 1], seen)
        errors = {item.label: settled.noise[item.label].total_sd for item in series}
        given = {item.label: item.is_given or item.errors.is_count for item in series}
        return LearntModel(
            fit=fit,
            problem=settled,
            filter=StockFilter(
                law=law,
                setup=replace(setup, times=self.target.grid, observed=self.observed),
                disturbance=estimate_disturbance(law, setup, errors, given, seed=seed),
            ),
        )

    def _filtered(self, known: StockFilter, place: int, later: Array, draws: int, seed: int) -> Array:
        """Simulate draws of the filtered members ahead, with observation errors."""
        found = known.over_all(seed, self.members)
        paths = propagate(known.law, known.setup, found, place, later, draws=draws, seed=seed)
        rng = np.random.default_rng([seed, place, 7])
        parts = []
        for item in self.problem.series:
            raw = paths[item.label]
            if item.kind == "cumulative":
                seen = item.unscaled(self.observed[item.label][:, : place + 1])
                raw = raw + np.nan_to_num(last_level(seen))[None, :, None]
            with np.errstate(all="ignore"):
                scaled = item.scaled(raw)
            parts.append(scaled + self._noise(item, raw, found.law, rng))
        return np.concatenate(parts, axis=1)

    def _noise(self, item: Series, raw: Array, law: Disturbance, rng: np.random.Generator) -> Array:
        """Draws of observation errors on the scale of the series."""
        spread = law.errors[item.label]
        if not item.errors.is_count:
            return spread * rng.standard_normal(raw.shape)
        return counted(raw, item, Noise(spread), rng) - raw

    def _open(self, known: LearntModel, place: int, later: Array, draws: int, seed: int) -> Array:
        """Draws about the fitted path, errors continuing the last residual: for models that cannot be filtered."""
        times = np.concatenate([self.target.grid[: place + 1], later])
        run, step = known.problem.runs_to(float(times[-1]))
        rng = np.random.default_rng([seed, place, 9])
        drawn = known.fit.fitted.sample(rng, draws, spec=known.problem.spec)
        outcomes = run.batch(drawn, draws)
        parts = []
        for item in self.problem.series:
            table = np.concatenate(
                [self.observed[item.label][:, : place + 1], np.full((len(item.labels), len(later)), np.nan)], axis=1
            )
            moved = item.at(times, table, run.moments, step)
            predicted = moved.scaled(moved.compared(item.expression.value(outcomes)))
            noisy = disturbed(moved, predicted, known.problem.noise[item.label], rng, seen=times <= times[place])
            parts.append(item.scaled(noisy)[:, :, place + 1 :])
        return np.concatenate(parts, axis=1)


def _prepared(forecaster: ModelForecaster, seed: int, block: int) -> LearntModel:
    known = forecaster.learn(block, seed)
    if known.filter is not None:
        known.filter.over_all(seed, forecaster.members)
    return known


def mixture(model: ModelForecaster) -> Combination:
    """A mixture of a model and the baselines, with weights estimated from past origins."""
    members: list[Forecaster] = [model]
    members += [EmpiricalIntervals(name=name, method=method) for name, (method, _) in BASELINES.items()]
    return Combination(
        name=FINAL,
        members=tuple(members),
        prior=(1.0, *(weight for _, weight in BASELINES.values())),
        rate=RATE,
        half_life=HALF_LIFE,
        no_inflation=NO_INFLATION,
    )

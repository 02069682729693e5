"""Forecasts of what a table observes, with any model: its filtered stocks, mixed with simple baselines."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from calibration.filtering.ensemble import (
    FAR,
    Disturbance,
    FilteredEnsemble,
    FilterSetup,
    ahead,
    filtered,
    learn,
    setup_of,
)
from calibration.filtering.stocks import StockLaw
from calibration.fitting.fit import fit as fit_problem
from calibration.fitting.holdout import disturbed
from calibration.fitting.problem import CalibrationProblem
from calibration.fitting.results import FitResult
from calibration.fitting.table_tying import measurements_of
from calibration.forecasting.baselines import DampedDrift, FixedEffects, Persistence, Smoothing
from calibration.forecasting.combination import Combination
from calibration.forecasting.empirical_intervals import EmpiricalIntervals
from calibration.forecasting.forecaster import Forecast, Forecaster, Memory, Origin, PointMethod
from calibration.forecasting.scores import crps
from calibration.forecasting.target import Target
from calibration.observation import Series
from pysd_runner.core.errors import InvalidInput, SimulationFailed, UnsupportedFeature
from pysd_runner.core.parallel import open_pool
from pysd_runner.export.tables import Tabled
from pysd_runner.model import Model
from pysd_runner.panel import Table
from pysd_runner.study.inputs import fitted_values

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from pysd_runner.plots.figure import ReportFigure

Array = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

MODEL, FINAL, REFERENCE = "model", "gapsim", "persistence"
MEMBERS = 240
# Baselines that the model is mixed with, and their prior weights; that of the model is one.
BASELINES = {REFERENCE: 0.25, "damped_drift": 0.25, "smoothing": 0.25, "autoregression": 0.25}
# The model is fitted anew at every origin of so many observations, then whenever they have grown by this share.
EACH, ANEW = 50, 1.05
# Observations that a first fit needs beside one for each parameter.
FEWEST = 6
FIRST_ORIGIN = 8
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
# A mixture that is not this much better than persistence has gained nothing.
GAIN = 0.98
MOST_AHEAD = 500
# One series tells little of how wide a mixture should have been: its own width counts for this many origins.
NO_INFLATION = 30.0
# One series tells members apart slowly: weights that follow its last errors follow chance.
RATE, HALF_LIFE = 0.3, 20.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Gridded:
    """The observations of a problem on an even grid of moments."""

    problem: CalibrationProblem
    times: Array
    observed: Mapping[str, Array]

    @property
    def series(self) -> tuple[Series, ...]:
        """The observations."""
        return self.problem.series

    @property
    def spacing(self) -> float:
        """Distance of two moments."""
        return float(self.times[1] - self.times[0])

    @property
    def rows(self) -> list[str]:
        """Name of every row of the target."""
        return [f"{item.label}[{who}]" if who else item.label for item in self.series for who in item.labels]

    def target(self) -> Target:
        """All rows under each other, as forecasters know them; positions of the grid are its years."""
        values = np.concatenate([self.observed[item.label] for item in self.series])
        return Target(
            name=self.problem.panel.name,
            regions=tuple(self.rows),
            groups=(),
            years=tuple(range(len(self.times))),
            values=values,
        )

    def later(self, count: int) -> Array:
        """So many moments after the last one."""
        return np.asarray(self.times[-1] + self.spacing * np.arange(1, count + 1), dtype=float)


def gridded(problem: CalibrationProblem) -> Gridded:
    """Put observations on an even grid."""
    series = problem.series
    moments = np.unique(np.concatenate([item.times for item in series]))
    if len(moments) < 2:
        raise InvalidInput("a forecast needs observations at two moments at least")
    step = problem.runs_to(float(moments[-1]))[1]
    usual = float(np.median(np.diff(moments)))
    spacing = max(round(usual / step), 1) * step
    count = round(float(moments[-1] - moments[0]) / spacing) + 1
    times = moments[-1] - spacing * np.arange(count - 1, -1, -1)
    first = problem.first_year
    times = times[times >= first - 1e-9 * max(abs(first), 1.0)]
    observed = {}
    for item in series:
        table = np.full((len(item.labels), len(times)), np.nan)
        places = np.round((item.times - times[0]) / spacing).astype(int)
        for column, place in enumerate(places):
            if 0 <= place < len(times):
                known = np.isfinite(item.values[:, column])
                table[known, place] = item.values[known, column]
        observed[item.label] = table
    return Gridded(problem=problem, times=np.asarray(times, dtype=float), observed=observed)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Known:
    """A fit and what its filter knows, up to some moment."""

    fit: FitResult
    problem: CalibrationProblem
    law: StockLaw | None
    grid: FilterSetup | None
    disturbance: Disturbance | None
    passes: dict[int, FilteredEnsemble] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelForecaster:
    """The model, its parameters and disturbances estimated from what an origin may see, its stocks filtered to it."""

    data: Gridded
    free: tuple[str, ...]
    members: int = MEMBERS
    given: FitResult | None = None
    checkpoint: Path | None = None
    known: dict[int, _Known] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What tables call it."""
        return MODEL

    def __repr__(self) -> str:
        return (
            f"ModelForecaster({self.data.problem.model.sha256[:12]}, {self.free}, {self.members}, {self.given is None})"
        )

    def forecast(self, origin: Origin, *, horizon: int, draws: int, seed: int) -> Forecast:
        """Forecast; see `Forecaster`."""
        place = origin.year
        known = self._known(origin, seed)
        later = self.data.times[place] + self.data.spacing * np.arange(1, horizon + 1)
        if known.law is None or known.grid is None or known.disturbance is None:
            paths = self._open(known, place, later, draws, seed)
        else:
            paths = self._filtered(known, place, later, draws, seed)
        usable = np.isfinite(paths).all(axis=(1, 2))
        if not usable.any():
            raise SimulationFailed(
                "no draw of {model} gives numbers after {time:g}",
                model=self.data.problem.model.name,
                time=self.data.times[place],
            )
        paths = paths[np.resize(np.flatnonzero(usable), draws)]
        return Forecast(point=np.median(paths, axis=0), draws=paths)

    def prepare(self, origins: Sequence[Origin], seed: int, executor: str | Executor | None) -> None:
        """Fit and filter for many origins at the same time; they share the fits."""
        blocks = sorted({self._block(origin) for origin in origins} - set(self.known))
        with open_pool(executor, items=len(blocks)) as pool:
            for place, known in pool.finished(partial(_prepared, replace(self, known={}), seed), blocks):
                self.known[blocks[place]] = known

    def _known(self, origin: Origin, seed: int) -> _Known:
        """What is known at an origin; fits are kept while the observations have not grown much."""
        block = self._block(origin)
        if block not in self.known:
            self.known[block] = self._learnt(block, seed)
        return self.known[block]

    def _block(self, origin: Origin) -> int:
        """The earlier moment whose fit is taken: every one at first, later thresholds that grow by a share."""
        seen = int(np.isfinite(origin.target.values).any(axis=0).sum())
        need = FEWEST + len(self.free)
        block = need
        while (further := block + 1 if block < EACH else int(np.ceil(block * ANEW))) <= seen:
            block = further
        places = np.flatnonzero(np.isfinite(self.data.target().values).any(axis=0))
        if self.given is not None or seen == len(places):
            block = len(places)
        return int(places[min(block, len(places)) - 1])

    def _learnt(self, place: int, seed: int) -> _Known:
        until = float(self.data.times[place]) + 1e-6 * self.data.spacing
        whole = self.data.problem
        problem = whole.again(until=until, free=self.free)
        fit = self.given
        if fit is None:
            folder = None if self.checkpoint is None else self.checkpoint / f"{place}"
            fit = fit_problem(problem, starts=2, seed=seed, checkpoint=folder)
        settled = problem.with_noise_of(fit.fitted)
        values = fitted_values(whole.model, fit.fitted, draws=self.members, seed=seed)
        try:
            law = StockLaw(whole.model, values, self.data.series, start=problem.first_year)
        except UnsupportedFeature:
            return _Known(fit=fit, problem=settled, law=None, grid=None, disturbance=None)
        seen = {
            label: np.where(np.arange(len(self.data.times)) <= place, table, np.nan)
            for label, table in self.data.observed.items()
        }
        grid = setup_of(
            whole.model,
            law,
            self.data.series,
            self.data.times[: place + 1],
            {k: v[:, : place + 1] for k, v in seen.items()},
        )
        errors = {item.label: settled.noise[item.label].total_sd for item in self.data.series}
        given = {item.label: item.is_given or item.errors.is_count for item in self.data.series}
        return _Known(
            fit=fit, problem=settled, law=law, grid=grid, disturbance=learn(law, grid, errors, given, seed=seed)
        )

    def _pass(self, known: _Known, seed: int) -> tuple[FilteredEnsemble, FilterSetup]:
        """Filter all moments once with what is known; states at a moment only know what came up to it."""
        law, grid, disturbance = known.law, known.grid, known.disturbance
        assert law is not None and grid is not None and disturbance is not None  # noqa: S101, PT018
        whole = replace(grid, times=self.data.times, observed=dict(self.data.observed))
        if 0 not in known.passes:
            known.passes[0] = filtered(law, whole, disturbance, seed=seed, members=self.members)
        return known.passes[0], whole

    def _filtered(self, known: _Known, place: int, later: Array, draws: int, seed: int) -> Array:
        found, grid = self._pass(known, seed)
        law = known.law
        assert law is not None  # noqa: S101
        paths = ahead(law, grid, found, place, later, draws=draws, seed=seed)
        rng = np.random.default_rng([seed, place, 7])
        parts = []
        for item in self.data.series:
            raw = paths[item.label]
            if item.kind == "cumulative":
                last = self._last(item, place)
                raw = raw + last
            with np.errstate(all="ignore"):
                scaled = item.scaled(raw)
            parts.append(scaled + self._noise(item, raw, found.law, rng))
        return np.concatenate(parts, axis=1)

    def _last(self, item: Series, place: int) -> Array:
        table = item.unscaled(self.data.observed[item.label][:, : place + 1])
        found = np.zeros((1, len(table), 1))
        for row, line in enumerate(table):
            seen = line[np.isfinite(line)]
            found[0, row, 0] = seen[-1] if seen.size else 0.0
        return found

    def _noise(self, item: Series, raw: Array, law: Disturbance, rng: np.random.Generator) -> Array:
        """Errors of observation on the scale of the series."""
        spread = law.errors[item.label]
        if not item.errors.is_count:
            return np.asarray(spread * rng.standard_normal(raw.shape))
        mean = np.where(np.isfinite(raw), np.maximum(raw, 1e-9), 0.0)
        if item.errors.family == "negative_binomial":
            mean = mean * rng.gamma(1 / spread**2, spread**2, raw.shape)
        return np.asarray(rng.poisson(np.minimum(mean, 1e15)) - raw)

    def _open(self, known: _Known, place: int, later: Array, draws: int, seed: int) -> Array:
        """Draws of the fitted path, errors going on from the last residual: for models that cannot be filtered."""
        times = np.concatenate([self.data.times[: place + 1], later])
        run, step = known.problem.runs_to(float(times[-1]))
        rng = np.random.default_rng([seed, place, 9])
        drawn = known.fit.fitted.sample(rng, draws, spec=known.problem.spec)
        outcomes = run.batch(drawn, draws)
        parts = []
        for item in self.data.series:
            table = np.concatenate(
                [self.data.observed[item.label][:, : place + 1], np.full((len(item.labels), len(later)), np.nan)],
                axis=1,
            )
            moved = item.at(times, table, run.moments, step)
            predicted = moved.scaled(moved.compared(item.expression.value(outcomes)))
            noisy = disturbed(moved, predicted, known.problem.noise[item.label], rng, seen=times <= times[place])
            parts.append(item.scaled(noisy)[:, :, place + 1 :])
        return np.concatenate(parts, axis=1)


def _prepared(forecaster: ModelForecaster, seed: int, block: int) -> _Known:
    known = forecaster._learnt(block, seed)
    if known.law is not None:
        forecaster._pass(known, seed)
    return known


def mixture(
    data: Gridded, free: Sequence[str], *, given: FitResult | None = None, checkpoint: Path | None = None
) -> Combination:
    """The model with its baselines, weights learnt from past origins."""
    methods: dict[str, PointMethod] = {
        REFERENCE: Persistence(),
        "damped_drift": DampedDrift(),
        "smoothing": Smoothing(),
        "autoregression": FixedEffects(),
    }
    members: list[Forecaster] = [ModelForecaster(data=data, free=tuple(free), given=given, checkpoint=checkpoint)]
    members += [EmpiricalIntervals(name=name, method=method, is_relative=False) for name, method in methods.items()]
    return Combination(
        name=FINAL,
        members=tuple(members),
        prior=(1.0, *BASELINES.values()),
        rate=RATE,
        half_life=HALF_LIFE,
        no_inflation=NO_INFLATION,
    )


def origin_of(data: Gridded, place: int, memory: Memory) -> Origin:
    """What may be seen at a moment of the grid."""
    return Origin(target=data.target().until(place), memory=memory)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class TableOutlook:
    """A forecast of what a table observes.

    Attributes
    ----------
    draws
        Predictive draws of the columns by name, dimensions (draw, entity, time), in their units.
    table
        What was observed.
    columns
        Column of each entry of `draws`.
    weights
        Part of each member of the mixture.
    past
        Scores at past origins: rows of `TableBacktest.skill`.
    events
        Probabilities of events, by their text.
    verdict
        Whether anything is gained over holding the last value.
    disturbance
        How the stocks are disturbed, in words.
    time_unit
        Unit of the times.
    fit
        What was fitted to all observations.
    moved
        Why it ends elsewhere than was asked, if so.
    """

    draws: "Mapping[str, xr.DataArray]"
    table: Table
    columns: Mapping[str, str]
    weights: Mapping[str, float]
    past: "pd.DataFrame"
    events: Mapping[str, float]
    verdict: str
    disturbance: str
    time_unit: str
    fit: FitResult
    moved: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        first = next(iter(self.draws.values()))
        times = first["time"].to_numpy()
        unit = f" {self.time_unit}" if self.time_unit else ""
        return f"<Outlook of {', '.join(self.draws)}: {first.sizes['draw']} draws, {times[0]:g} to {times[-1]:g}{unit}>"

    def _repr_html_(self) -> str:
        """The last moment as a table."""
        from pysd_runner.export.tables import one_screen

        frame = self.to_frame()
        return one_screen(frame[frame["time"] == frame["time"].max()])

    def __getitem__(self, name: str) -> "xr.DataArray":
        """Draws of one column, dimensions (draw, entity, time), without ``entity`` for a single series."""
        from pysd_runner.core.errors import UnknownName, suggest

        if name not in self.draws:
            raise UnknownName(
                "nothing called {name!r} was forecast.{suggestion}", name=name, suggestion=suggest(name, self.draws)
            )
        values = self.draws[name]
        return values.isel(entity=0, drop=True) if values.sizes["entity"] == 1 else values

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.draws)

    def table_of(self) -> "pd.DataFrame":
        """Quantiles by column, entity and time; the same as `to_frame`."""
        return self.to_frame()

    def to_frame(self) -> "pd.DataFrame":
        """Quantiles over draws, one row a column, entity and time."""
        import pandas as pd

        rows = []
        for name, values in self.draws.items():
            found = np.quantile(values.to_numpy(), LEVELS, axis=0)
            for place, who in enumerate(values["entity"].to_numpy()):
                for number, time in enumerate(values["time"].to_numpy()):
                    quantiles = {
                        f"q{100 * level:02.0f}": float(found[k, place, number]) for k, level in enumerate(LEVELS)
                    }
                    rows.append({"column": name, "entity": str(who), "time": float(time), **quantiles})
        return pd.DataFrame(rows)

    def sentences(self) -> tuple[str, ...]:
        """What it says, in words."""
        found = []
        unit = f" {self.time_unit}" if self.time_unit else ""
        for name, values in self.draws.items():
            end = values.isel(time=-1)
            for place, who in enumerate(values["entity"].to_numpy()):
                low, median, high = np.quantile(end.isel(entity=place).to_numpy(), (0.05, 0.5, 0.95))
                label = f"{name} of {who}" if who else name
                found.append(
                    f"{label} at {float(end['time']):g}{unit}: {median:.4g}, with 90 % probability between {low:.4g} "
                    f"and {high:.4g}."
                )
        found += [self.moved] if self.moved else []
        found += [f"{event}: probability {probability:.2f}." for event, probability in self.events.items()]
        return (*found, self.verdict, self.disturbance)

    def plot(self, name: str | None = None, *, ax: Any = None) -> "ReportFigure | Any":
        """The fan of a column behind what was observed."""
        from pysd_runner.plots.over_time import plot_fan

        chosen = name or next(iter(self.draws))
        return plot_fan(self[chosen].rename(chosen), self.table[self.columns[chosen]], ax=ax, time_unit=self.time_unit)

    def to_excel(self, path: str | Path) -> Path:
        """Write the quantiles, scores of the past and weights into a workbook."""
        import pandas as pd

        from pysd_runner.export.tables import save_workbook

        weights = pd.DataFrame({"member": list(self.weights), "weight": list(self.weights.values())})
        return save_workbook({"forecast": self.to_frame(), "past": self.past, "weights": weights}, path)

    def save(self, folder: str | Path) -> Path:
        """Write figure, tables and text into a folder."""
        import json

        from pysd_runner.export.files import write_text_whole
        from pysd_runner.export.tables import save_csv
        from pysd_runner.plots.figure import ReportFigure, save_figure
        from pysd_runner.reports.document import Bullets, Document, Paragraph, Part, Picture, save_document

        folder = Path(folder)
        parts: list[Part] = [Bullets(self.sentences())]
        for name in self.draws:
            figure = self.plot(name)
            assert isinstance(figure, ReportFigure)  # noqa: S101
            plain = "".join(sign if sign.isalnum() else "_" for sign in name).strip("_").casefold() or "forecast"
            save_figure(figure, folder / "figures", plain)
            parts.append(Picture(f"figures/{plain}.png", figure.sentence))
        save_csv(self.to_frame(), folder / "table.csv")
        if len(self.past):
            save_csv(self.past, folder / "past.csv")
        parts.append(Paragraph("Weights: " + self._weights()))
        save_document(Document(title="Forecast", lang="en", parts=parts), folder, "forecast")
        record = {"weights": dict(self.weights), "events": dict(self.events), **self.provenance}
        write_text_whole(folder / "forecast.json", json.dumps(record, indent=1, ensure_ascii=False) + "\n")
        return folder

    def _weights(self) -> str:
        return ", ".join(f"{name} {weight:.2f}" for name, weight in self.weights.items())


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class TableBacktest(Tabled):
    """Scores of forecasts at past origins."""

    scores: "pd.DataFrame"

    def __repr__(self) -> str:
        origins = self.scores["origin"].nunique()
        return f"<Backtest of {', '.join(self.scores['forecaster'].unique())}: {origins} origins>"

    def _repr_html_(self) -> str:
        """Skill as a table."""
        from pysd_runner.export.tables import one_screen

        return one_screen(self.skill())

    def skill(self) -> "pd.DataFrame":
        """Root mean square error and CRPS relative to persistence, and coverage, by forecaster and intervals ahead."""
        import pandas as pd

        grouped = self.scores.groupby(["forecaster", "ahead"], sort=False)
        found = grouped.agg(
            origins=("origin", "nunique"),
            rmse=("error", lambda e: float(np.sqrt(np.mean(np.square(e))))),
            crps=("crps", "mean"),
            covered_50=("covered_50", "mean"),
            covered_90=("covered_90", "mean"),
        ).reset_index()
        base = found[found["forecaster"] == REFERENCE].set_index("ahead")
        for name in ("rmse", "crps"):
            found[f"relative_{name}"] = found[name] / found["ahead"].map(base[name])
        return pd.DataFrame(found)

    def table(self) -> "pd.DataFrame":
        """The same as `skill`."""
        return self.skill()

    def to_excel(self, path: str | Path) -> Path:
        """Write skill and scores into a workbook."""
        from pysd_runner.export.tables import save_workbook

        return save_workbook({"skill": self.skill(), "scores": self.scores}, path)

    def plot(self, *, ax: Any = None) -> Any:
        """Error relative to persistence by intervals ahead, a line for each forecaster."""
        from pysd_runner.plots.over_time import plot_lines

        found = self.skill()
        lines = {
            str(name): (part["ahead"].to_numpy(), part["relative_rmse"].to_numpy())
            for name, part in found.groupby("forecaster", sort=False)
        }
        return plot_lines(lines, ax=ax, across="intervals ahead", up="error relative to persistence")


def forecast_table(  # noqa: PLR0913 - a front door
    data: Table,
    *,
    model: Model,
    until: float,
    fit: FitResult | None = None,
    free: Sequence[str] | None = None,
    draws: int = 1000,
    seed: int = 0,
    events: Sequence[str] = (),
    past: bool = True,
    progress: Progress | None = None,
    **settings: Any,
) -> TableOutlook:
    """Forecast what a table observes with a model of one's own.

    Parameters
    ----------
    data
        Observations.
    model
        Any model.
    until
        Last moment, in the model's unit of time.
    fit
        A fit to all observations, whose measurements are taken too; None fits.
    free
        Parameters; None takes those of the fit, or chooses.
    draws, seed
        Number of draws; what decides them.
    events
        Such as ``"infected above 100 at 80"``; ``below`` and ``by`` are known as well.
    past
        Whether to score the same forecasters at past origins.
    progress
        Called with what is being done, steps finished and steps in all.
    **settings
        Of `CalibrationProblem`: ``priors``, ``observations``, ``values``, ``start``.

    Returns
    -------
    TableOutlook
        Draws, scores of the past and what they mean.

    Raises
    ------
    InvalidInput
        If there is nothing to forecast, or an event makes no sense.
    """
    from pysd_runner.indicators.crossings import event_of

    tell = progress or (lambda *_: None)
    if fit is not None and free is None:
        free = list(fit.fitted.keys)
    if fit is not None:
        settings = {"observations": measurements_of(fit.fitted), "start": fit.fitted.provenance["start"], **settings}
    tell("fitting the model", 0, 4)
    problem = CalibrationProblem(model, data, free=free, seed=seed, **settings)
    grid = gridded(problem)
    last = float(grid.times[-1])
    if not until > last:
        raise InvalidInput("the data end at {end:g}; a forecast goes further than {until:g}", end=last, until=until)
    count = int(np.ceil((until - last) / grid.spacing - 1e-6))
    if count > MOST_AHEAD:
        raise InvalidInput(
            "{until:g} lies {count} intervals of {spacing:g} ahead; at most {most} are forecast",
            until=until,
            count=count,
            spacing=grid.spacing,
            most=MOST_AHEAD,
        )
    asked = [event_of(text, [item.label for item in grid.series]) for text in events]
    whole = mixture(grid, problem.space.keys, given=fit)
    memory = Memory()
    tell("filtering and mixing", 1, 4)
    origin = origin_of(grid, len(grid.times) - 1, memory)
    weights = _weights(whole, grid, origin, draws, seed)
    found = _mixed(whole, origin, weights, count, draws, seed)
    tell("scoring past forecasts", 2, 4)
    scored = backtest_gridded(grid, whole, memory=memory, seed=seed).skill() if past and _can_score(grid) else None
    member = whole.members[0]
    assert isinstance(member, ModelForecaster)  # noqa: S101
    known = member._known(origin, seed)
    tell("done", 4, 4)
    later = grid.later(count)
    out = _by_column(grid, found, later)
    return TableOutlook(
        draws=out,
        table=problem.panel,
        columns={item.label: item.indicator for item in grid.series},
        weights=weights,
        past=_frame(scored),
        events={item.text: item.probability(out) for item in asked},
        verdict=_verdict(scored) if past else "Past forecasts were not scored.",
        disturbance=_disturbed_words(known, grid),
        time_unit=problem.time_unit,
        fit=known.fit,
        moved=_moved(until, later, grid.spacing),
        provenance={"seed": seed, "draws": draws, "until": until, "spacing": grid.spacing, "model": model.name},
    )


def _moved(until: float, later: Array, spacing: float) -> str:
    """A forecast goes on in whole intervals of the data."""
    if abs(later[-1] - until) <= 1e-6 * spacing:
        return ""
    return (
        f"It ends at {later[-1]:g} and not at {until:g}: it goes on in whole intervals of the data, {spacing:g} each."
    )


def _can_score(grid: Gridded) -> bool:
    return len(grid.times) > FIRST_ORIGIN + 2


def _weights(whole: Combination, grid: Gridded, origin: Origin, draws: int, seed: int) -> dict[str, float]:
    """Weights of the members that can forecast at all."""
    if len(grid.times) <= FIRST_ORIGIN:
        return {MODEL: 1.0}
    learnt = whole.learn(origin, draws=draws, seed=seed)
    return {member.name: float(weight) for member, weight in zip(whole.members, learnt.weights, strict=True)}


def _mixed(
    whole: Combination, origin: Origin, weights: Mapping[str, float], count: int, draws: int, seed: int
) -> Array:
    """Draws on the scales of the rows, shape (draw, row, time)."""
    if set(weights) == {MODEL}:
        return whole.members[0].forecast(origin, horizon=count, draws=draws, seed=seed).draws
    return whole.forecast(origin, horizon=count, draws=draws, seed=seed).draws


def _by_column(grid: Gridded, draws: Array, later: Array) -> "dict[str, xr.DataArray]":
    import xarray as xr

    found, place = {}, 0
    unit = grid.problem.time_unit
    for item in grid.series:
        part = item.unscaled(draws[:, place : place + len(item.labels)])
        place += len(item.labels)
        if item.errors.is_count:
            part = np.maximum(part, 0.0)
        coords = {
            "entity": list(item.labels),
            "time": ("time", later, {"units": unit} if unit else {}),
        }
        name = grid.problem.panel.column(item.indicator).unit
        found[item.label] = xr.DataArray(part, dims=["draw", "entity", "time"], coords=coords, attrs={"units": name})
    return found


def _verdict(skill: "pd.DataFrame | None") -> str:
    if skill is None or not len(skill):
        return "Too few observations to say how such forecasts did before."
    own = skill[skill["forecaster"] == FINAL]
    error, score = (float(np.exp(np.log(own[f"relative_{name}"]).mean())) for name in ("rmse", "crps"))
    origins, held = int(own["origins"].max()), float(np.average(own["covered_90"], weights=own["origins"]))
    gain = (
        f"Over {origins} past origins its error was {error:.2f} times that of holding the last value, its CRPS "
        f"{score:.2f} times; 90 % intervals held {100 * held:.0f} % of the realisations"
    )
    if held < 0.9 - 2 * np.sqrt(0.9 * 0.1 / origins):
        gain += ", which is too narrow"
    if not max(error, score) <= GAIN:
        return f"{gain}. Nothing is gained over that."
    best = skill[~skill["forecaster"].isin([FINAL, MODEL])].groupby("forecaster")["relative_crps"].mean()
    other = float(best.min())
    if score > GAIN * other:
        return f"{gain}. {best.idxmin()}, which knows no model, did as well (CRPS {other:.2f})."
    return f"{gain}. The CRPS of the best baseline ({best.idxmin()}) was {other:.2f} times."


def _disturbed_words(known: _Known, grid: Gridded) -> str:
    if known.law is None or known.disturbance is None or known.grid is None:
        return "The model holds fixed delays or samples, so its state is not filtered: the fitted path goes on."
    found = known.disturbance
    text = _size_words(known.law, known.grid, found, grid.spacing)
    if found.size == 0:
        text = "The observations ask for no disturbance of the stocks: the model is taken as exact."
    if known.law.replaced:
        text += (
            f" {known.law.replaced} of {known.law.members} draws of the parameters overshoot at the time step of "
            f"{known.law.step:g}; others stand in for them."
        )
    resampled = sum(item.resampled for item in known.passes.values())
    if resampled:
        text += f" {resampled} times a member left the data by more than {FAR:g} robust deviations and was resampled."
    return text


def _size_words(law: StockLaw, grid: FilterSetup, found: Disturbance, spacing: float) -> str:
    stocks = list(dict.fromkeys(law.element_of(int(place))[0] for place in grid.disturbed))
    logs = bool(grid.logs[grid.disturbed].all())
    size = f"{100 * found.size:.2g} %" if logs else f"{found.size:.3g} of their spread"
    return (
        f"Disturbed are {', '.join(stocks[:4])}, by {size} per interval of {spacing:g}, of which "
        f"{100 * found.memory:.0f} % is left an interval later."
    )


def _frame(found: "pd.DataFrame | None") -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame() if found is None else found


def backtest_table(  # noqa: PLR0913 - a front door
    data: Table,
    *,
    model: Model,
    free: Sequence[str] | None = None,
    horizons: Sequence[int] = (1, 2, 3, 5),
    draws: int = 500,
    seed: int = 0,
    executor: str | Executor | None = None,
    checkpoint: str | Path | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> TableBacktest:
    """Forecast from past origins with what was known then, and score with what came.

    Parameters
    ----------
    data, model, free
        As for `forecast_table`.
    horizons
        Intervals ahead.
    draws, seed
        Number of draws; what decides them.
    executor
        Runs the fits at the same time, as for `backtest`; results do not depend on it.
    checkpoint
        Folder that keeps finished searches; the same call goes on from there.
    progress
        Called with what is being done, origins finished and in all.
    **settings
        Of `CalibrationProblem`.

    Raises
    ------
    InvalidInput
        If there are too few observations.
    """
    problem = CalibrationProblem(model, data, free=free, seed=seed, **settings)
    grid = gridded(problem)
    if not _can_score(grid):
        raise InvalidInput(
            "a back-test needs more than {least} moments; the table has {count}",
            least=FIRST_ORIGIN + 2,
            count=len(grid.times),
        )
    whole = mixture(grid, problem.space.keys, checkpoint=None if checkpoint is None else Path(checkpoint))
    return backtest_gridded(
        grid,
        whole,
        memory=Memory(),
        horizons=horizons,
        draws=draws,
        seed=seed,
        executor=executor,
        progress=progress,
    )


def backtest_gridded(
    grid: Gridded,
    whole: Combination,
    *,
    memory: Memory,
    horizons: Sequence[int] = (1, 2, 3, 5),
    draws: int = 500,
    seed: int = 0,
    executor: str | Executor | None = None,
    progress: Progress | None = None,
) -> TableBacktest:
    """The same on a grid, with a mixture that was made."""
    import pandas as pd

    target = grid.target().values
    model = whole.members[0]
    need = FEWEST + len(model.free) if isinstance(model, ModelForecaster) else FEWEST
    first = max(FIRST_ORIGIN, int(need))
    origins = list(range(first, target.shape[1] - 1))
    if isinstance(model, ModelForecaster) and executor is not None:
        model.prepare([origin_of(grid, place, memory) for place in origins], seed, executor)
    rows = []
    for done, place in enumerate(origins):
        if progress is not None:
            progress("past origins", done, len(origins))
        origin = origin_of(grid, place, memory)
        steps = [item for item in horizons if place + item < target.shape[1]]
        if not steps:
            continue
        for forecaster in (*whole.members, whole):
            found = forecaster.forecast(origin, horizon=max(steps), draws=draws, seed=seed)
            rows += list(_scored(forecaster.name, found, target, place, steps, grid.rows))
    return TableBacktest(scores=pd.DataFrame(rows))


def _scored(
    name: str, found: Forecast, target: Array, place: int, steps: Sequence[int], rows: Sequence[str]
) -> "list[dict[str, Any]]":
    result = []
    for step in steps:
        came = target[:, place + step]
        draws = found.draws[:, :, step - 1]
        low90, low50, high50, high90 = np.quantile(draws, (0.05, 0.25, 0.75, 0.95), axis=0)
        score = crps(draws, came)
        for row, label in enumerate(rows):
            if not np.isfinite(came[row]):
                continue
            result.append(
                {
                    "forecaster": name,
                    "row": label,
                    "origin": place,
                    "ahead": step,
                    "error": float(found.point[row, step - 1] - came[row]),
                    "crps": float(score[row]),
                    "covered_50": float(low50[row] <= came[row] <= high50[row]),
                    "covered_90": float(low90[row] <= came[row] <= high90[row]),
                }
            )
    return result

"""The forecasters by name, with their defaults, and the plan of a back-test: its origins, horizons and forecasters.

``docs/forecasts.md`` describes how the defaults were chosen, and which alternatives were tried.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

import numpy as np

from calibration.filtering import FilterSettings, estimate, propagate
from calibration.forecasting.baselines import (
    DampedDrift,
    ErrorCorrection,
    FixedEffects,
    MeanReversion,
    ShrunkenErrorCorrection,
    Smoothing,
)
from calibration.forecasting.combination import Combination, Mixture
from calibration.forecasting.empirical_intervals import FIRST_SEEN, EmpiricalIntervals
from calibration.forecasting.forecaster import Forecast, Forecaster, Origin, PointMethod, digest
from calibration.forecasting.target import Target, years_told
from pysd_runner.core.errors import InvalidInput, InvalidPanel, Message, UnknownName
from pysd_runner.core.types import frozen
from pysd_runner.engine.memory import check_memory
from pysd_runner.engine.validation import check_integer
from pysd_runner.model import Model

REFERENCE = "persistence"
FINAL = "gapsim"
FILTERED = "filtered"
# Name of the user's model in a mixture.
MODEL = "model"

METHODS: dict[str, PointMethod] = {
    REFERENCE: MeanReversion(rate=0.0),
    "drift": DampedDrift(damping=1.0),
    "damped_drift": DampedDrift(),
    # The drift of a single region cannot be estimated from fewer years.
    "theta": Smoothing(drift=0.5, least=8),
    "fixed_effects": FixedEffects(),
    "mean_reversion": MeanReversion(),
    "error_correction": ErrorCorrection(),
    "error_correction_half": ErrorCorrection(strength=0.5),
    "error_correction_shrunken": ShrunkenErrorCorrection(),
}
# Weights of the members of the final forecast.
MEMBERS = {FILTERED: 0.45, "error_correction_shrunken": 0.45, REFERENCE: 0.1}


@frozen
class FilteredModel:
    """State-space model of relative output: states are filtered up to the origin, then simulated with shocks.

    Attributes
    ----------
    name
        Name shown in tables.
    settings
        Grids and priors of the filter.
    """

    name: str
    settings: FilterSettings = field(default_factory=FilterSettings)

    def forecast(self, origin: Origin, *, horizon: int, draws: int, seed: int) -> Forecast:
        """Forecast; see `Forecaster`. Regions that were never observed are NaN."""
        target = origin.target
        # Sorted by code, so that the random numbers of a region do not depend on the order of rows.
        order = np.argsort(target.rows)
        order = order[np.isfinite(target.values[order]).any(axis=1)]
        known = estimate(target.values[order], [target.groups[place] for place in order], self.settings)
        point = np.full((len(target.rows), horizon), np.nan)
        paths = np.full((draws, *point.shape), np.nan)
        rng = np.random.default_rng((seed, origin.time))
        point[order], paths[:, order] = propagate(known, self.settings, horizon=horizon, draws=draws, rng=rng)
        return Forecast(point=point, draws=paths)


def baselines() -> dict[str, Forecaster]:
    """Every baseline by name, each with empirical intervals."""
    return {name: EmpiricalIntervals(name=name, method=method) for name, method in METHODS.items()}


def models() -> dict[str, Forecaster]:
    """Every forecaster by name, the final one last."""
    known: dict[str, Forecaster] = dict(baselines())
    known[FILTERED] = FilteredModel(name=FILTERED)
    members = tuple(known[name] for name in MEMBERS)
    known[FINAL] = Mixture(name=FINAL, members=members, weights=tuple(MEMBERS.values()))
    return known


def models_named(names: Iterable[str]) -> dict[str, Forecaster]:
    """Select forecasters by name; the reference always comes first, because skill is measured against it.

    Parameters
    ----------
    names
        Names of `models`.

    Raises
    ------
    UnknownName
        If there is no such forecaster.
    """
    known = models()
    chosen = {REFERENCE: known[REFERENCE]}
    for name in names:
        if name not in known:
            raise UnknownName("there is no forecaster {name!r}; there are {known}.{suggestion}", name=name, among=known)
        chosen[name] = known[name]
    return chosen


# Number of observed years up to the first origin.
FIRST_ORIGIN = 9
NEAR, FAR = (1, 2, 3, 4, 5), (1, 2, 3, 4, 5, 10)
# For a table: minimum number of times up to the first origin (a fit may need more), and default horizons.
FIRST_OF_TABLE, OF_TABLE = 8, (1, 2, 3, 5)
# Copies of the draws of a forecast in memory: of its members, their mixture and tables (measured: 7 to 8.5).
COPIES = 8
# Minimum number of years of a panel to be scored ten years ahead as well.
LONG = 30


@frozen(eq=False)
class BacktestPlan:
    """Validated settings of a back-test."""

    target: Target  # the target with all times
    models: Mapping[str, Forecaster]  # forecasters by name, including the reference
    horizons: tuple[int, ...]  # reported horizons
    origins: tuple[int, ...]  # times from which forecasts are scored
    draws: int
    seed: int

    @property
    def horizon(self) -> int:
        """Forecast horizon: the longest requested, but at least 5, so that scores do not depend on the request."""
        return max(*self.horizons, NEAR[-1])

    def ahead(self, origin: int) -> int:
        """Forecast horizon from an origin, in time steps; for a table, at most the longest that can be scored."""
        if self.target.is_relative:
            return self.horizon
        left = len(self.target.times) - 1 - self.target.position(origin)
        return max(step for step in self.horizons if step <= left)

    @property
    def is_in_order(self) -> bool:
        """Whether a forecaster uses the forecasts from earlier origins, so that origins must run in order."""
        return any(isinstance(model, Combination) for model in self.models.values())

    @property
    def seen(self) -> tuple[int, ...]:
        """Observed years at which points may be needed: from the first with enough data to the last origin."""
        first = min(self.target.seen[FIRST_SEEN - 1], self.origins[0])
        return tuple(year for year in self.target.seen if first <= year <= self.origins[-1])

    @property
    def digest(self) -> str:
        """Digest of the data and the settings."""
        content = [
            digest(self.target.values),
            [self.target.times[0], list(self.target.rows), list(self.target.groups)],
            [[name, repr(model)] for name, model in self.models.items()],
            [list(self.horizons), self.horizon, list(self.origins), self.draws, self.seed],
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def make_plan(
    target: Target,
    *,
    names: Iterable[str] | Mapping[str, Forecaster] | None,
    horizons: Sequence[int] | None,
    first: int | None,
    last: int | None,
    draws: int,
    seed: int,
) -> BacktestPlan:
    """Fill in defaults and check all settings before anything is computed."""
    check_integer("seed", seed, least=0)
    years, seen = target.times, target.seen
    check_yearly(target)
    ahead = tuple(sorted(set(horizons))) if horizons is not None else FAR if len(seen) >= LONG else NEAR
    chosen = _origins(target, first, last)
    if not chosen:
        raise InvalidPanel(
            "panel {panel!r} has {count} year(s) of output per head ({first} to {end}); a back-test needs {least}: "
            "{learn} to learn from and one to score; give `first_origin` (--first-origin) to try with fewer",
            panel=target.name,
            count=len(seen),
            first=years[0],
            end=years[-1],
            least=FIRST_ORIGIN + 1,
            learn=FIRST_ORIGIN,
        )
    if not ahead or ahead[0] < 1 or ahead[-1] >= len(years):
        raise InvalidInput(
            "horizons are {horizons}; expected years ahead from 1 to {most}", horizons=list(ahead), most=len(years) - 1
        )
    able = seen[FIRST_SEEN:-1]
    wrong = [year for year in chosen if year not in able]
    if wrong:
        raise InvalidInput(
            "origin {origin} cannot be scored: {panel!r} has output per head in {years}, so that {what}",
            origin=wrong[0],
            panel=target.name,
            years=years_told(seen),
            what=Message("origins are {able}", able=years_told(able))
            if able
            else Message("a back-test needs {least} years", least=FIRST_SEEN + 2),
        )
    unscored = [step for step in ahead if not _reach(target, step) & set(chosen)]
    # Default horizons that cannot be scored are ignored.
    if unscored and (horizons is not None or len(unscored) == len(ahead)):
        raise InvalidInput(_too_far(target, unscored[0], chosen))
    known = names if isinstance(names, Mapping) else models() if names is None else models_named(names)
    if REFERENCE not in known:
        raise InvalidInput(
            "the forecasters are {known}; skill is measured against {reference!r}, which must be among them",
            known=", ".join(known),
            reference=REFERENCE,
        )
    return _checked(BacktestPlan(target=target, models=known, horizons=ahead, origins=chosen, draws=draws, seed=seed))


def _origins(target: Target, first: int | None, last: int | None) -> tuple[int, ...]:
    """Origins between the given bounds, without years that have no data; the usual ones if no bound was given."""
    if first is None and last is None:
        return target.seen[FIRST_ORIGIN - 1 : -1]
    years = target.times
    start = first if first is not None else years[min(FIRST_ORIGIN, len(years)) - 1]
    stop = last if last is not None else years[-1] - 1
    if start > stop:
        raise InvalidInput(
            "the first origin {first} is after the last origin {end}; give an earlier --first-origin",
            first=start,
            end=stop,
        )
    unknown = set(years) - set(target.seen)
    chosen = tuple(year for year in range(start, stop + 1) if year not in unknown)
    if not chosen:
        raise InvalidInput(
            "no region has output per head from {first} to {end}; give other origins", first=start, end=stop
        )
    return chosen


def mixture_plan(
    target: Target,
    whole: Combination,
    least: int,
    *,
    horizons: Sequence[int] | None,
    first: float | None = None,
    last: float | None = None,
    draws: int,
    seed: int,
) -> BacktestPlan:
    """Plan to score a mixture and its members from every time after the first `least` that can be scored."""
    ahead = tuple(sorted(set(horizons))) if horizons else OF_TABLE
    if ahead[0] < 1:
        raise InvalidInput("horizons are {horizons}; expected whole numbers from 1", horizons=list(ahead))
    begin, count = max(FIRST_OF_TABLE, least), len(target.times)
    if count <= (need := max(FIRST_OF_TABLE + 2, begin + ahead[0])):
        raise InvalidInput(
            "a back-test needs more than {least} moments; the table has {count}", least=need, count=count
        )
    models = {item.name: item for item in (*whole.members, whole)}
    able, moment = range(begin, count - ahead[0]), target.calendar.moment_of
    earliest, latest = -math.inf if first is None else moment(first), math.inf if last is None else moment(last)
    origins = tuple(place for place in able if earliest <= target.grid[place] <= latest)
    if not origins:
        raise InvalidInput(
            "no origin that can be scored lies within these bounds; they run from {first} to {end}",
            first=target.calendar.said(float(target.grid[able[0]])),
            end=target.calendar.said(float(target.grid[able[-1]])),
        )
    return _checked(BacktestPlan(target=target, models=models, horizons=ahead, origins=origins, draws=draws, seed=seed))


def _checked(plan: BacktestPlan) -> BacktestPlan:
    """A plan whose draws fit into memory, where origins that share it keep their forecasts."""
    check_draws(plan.draws, len(plan.target.rows), plan.horizon, len(plan.origins) if plan.is_in_order else 1)
    return plan


def check_yearly(target: Target) -> None:
    """Raise if a panel has too few changes between successive years, from which forecasts are made."""
    if target.yearly < FIRST_SEEN <= len(target.seen) - 1:
        raise InvalidPanel(
            "panel {panel!r} has output per head in {years}, and forecasts are made from changes between one year and "
            "the next, of which it has {count}; give the years between, at least {least} of them in a row",
            panel=target.name,
            years=years_told(target.seen),
            count=target.yearly,
            least=FIRST_SEEN + 1,
        )


def check_model(model: object) -> None:
    """Raise unless `model` is a model that declares bindings, or None for the shipped one."""
    if isinstance(model, Model):
        _ = model.bindings
    elif model is not None:
        raise InvalidInput("model is what load_model returned; found {found!r}", found=model)


def check_draws(draws: int, rows: int, horizon: int, kept: int = 1) -> None:
    """Raise for fewer draws than the two that a distribution needs, or more than memory holds of `kept` forecasts."""
    if check_integer("draws", draws) < 2:
        raise InvalidInput(
            "draws is {draws}; a distribution needs at least 2, and 500 or more to be of use", draws=draws
        )
    check_memory(
        8 * COPIES * draws * rows * horizon * kept,
        Message("this forecast"),
        Message("take fewer draws ({draws}), or forecast less far ahead", draws=draws),
    )


def _reach(target: Target, step: int) -> set[int]:
    """Years from which forecasts `step` years ahead can be scored."""
    return {year - step for year in target.seen} & set(target.seen[FIRST_SEEN:])


def _too_far(target: Target, step: int, origins: Sequence[int]) -> str:
    """Message that no origin can be scored `step` years ahead, with advice."""
    earlier = [year for year in _reach(target, step) if year < origins[0]]
    return Message(
        "{years} cannot be scored: the origins run from {first} to {end} and the data of {panel!r} to {year}; ask for "
        "fewer years ahead{advice}",
        years=Message("{count} years ahead", count=step) if step > 1 else Message("1 year ahead"),
        first=origins[0],
        end=origins[-1],
        panel=target.name,
        year=target.times[-1],
        advice=Message(", or give a --first-origin of {earlier} or before", earlier=max(earlier)) if earlier else "",
    )

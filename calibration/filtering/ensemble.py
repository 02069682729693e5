r"""Ensemble Kalman filter over the stocks of any model.

Each member has its own draw of the parameters. Between observations the model is run for each member; at every time of
the grid :math:`d_k = \phi d_{k-1} + q \varepsilon_k` is added to its disturbed stocks (in logarithms for stocks that
are always positive), and observations update all stocks and disturbances with the ensemble Kalman gain and perturbed
observations (Evensen 2003, Ocean Dynamics 53: 343-367). Size and persistence of the disturbances and the size of errors
maximise the likelihood of one-step-ahead predictions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from calibration.filtering.stocks import TransitionModel
from calibration.observation import Series
from calibration.observation.noise import LEAST_SPREAD
from pysd_runner.core.types import Array, Arrays, Flags, Indices, Numbers, frozen
from pysd_runner.model import Model
from pysd_runner.study.equations import Expression

# Number of members when candidates are compared, and number of rounds in which the grid is refined.
CANDIDATE_MEMBERS = 48
ROUNDS = 2
# Grids of the sizes of disturbances and errors, in units of the errors of the fit, and of persistences.
SIZES = (0.1, 0.35, 1.0)
ERRORS = (0.05, 0.35, 1.0)
MEMORIES = (0.0, 0.6, 0.9)
MIN_VARIANCE = 1e-12
# Members further from an observation than FAR robust standard deviations are resampled; minimum number of observations
# from which that deviation is estimated.
FAR, TOLD = 8.0, 6


@frozen
class Disturbance:
    """Size and persistence of the disturbances of stocks, and standard deviations of observation errors."""

    size: float
    memory: float
    errors: Numbers
    likelihood: float = float("nan")


@frozen(eq=False)
class FilterSetup:
    """Times, observations and coordinates of a filter."""

    times: Array
    observed: Arrays
    logs: Flags
    disturbed: Indices
    units: Array
    near: Array


@frozen(eq=False)
class FilteredEnsemble:
    """Members at every time of the grid, after its observations.

    Attributes
    ----------
    states
        States in the coordinates of the filter, shape (time, member, state).
    disturbances
        Disturbances, shape (time, member, disturbed).
    rows
        Index of the parameter draw of each member, shape (time, member).
    law
        Disturbances and errors used in the filter.
    resampled
        Number of members replaced because they were too far from the data or not finite, over all times.
    """

    states: Array
    disturbances: Array
    rows: Indices
    law: Disturbance
    resampled: int


def setup_of(
    model: Model, law: TransitionModel, series: Sequence[Series], times: Array, observed: Arrays
) -> FilterSetup:
    """Coordinates and disturbed stocks of a filter."""
    path = _free_path(law, times)
    logs = np.asarray((path > 0).all(axis=(0, 1)))
    read = {name for item in series for name in item.expression.variables if name in law.names}
    chosen = read or {name for name in law.names if name in model.variables}
    disturbed = np.array([place for place in range(law.size) if law.element_of(place)[0] in chosen], dtype=np.intp)
    middle = np.median(path, axis=1)
    units = np.where(logs, 1.0, np.maximum(middle.std(axis=0), MIN_VARIANCE))[disturbed]
    units = np.where(units > MIN_VARIANCE, units, np.maximum(np.abs(middle).max(axis=0)[disturbed], 1.0))
    return FilterSetup(
        times=times,
        observed=observed,
        logs=logs,
        disturbed=disturbed,
        units=units,
        near=_near(model, law, series, disturbed),
    )


def _free_path(law: TransitionModel, times: Array) -> Array:
    """Simulate the stocks without assimilating observations, shape (time, member, state)."""
    states, found, now = law.first, [law.first], law.start
    for time in times:
        if time > now:
            states = law.advance(states, now, float(time)).states
            found.append(states)
            now = float(time)
    path = np.stack(found)
    usable = np.isfinite(path).all(axis=(0, 2))
    return path[:, usable] if usable.any() else np.nan_to_num(path)


def _near(model: Model, law: TransitionModel, series: Sequence[Series], disturbed: Indices) -> Array:
    """Localisation mask of states and observations: 0 where they are different elements of one subscript range."""
    places = [law.element_of(place) for place in (*range(law.size), *map(int, disturbed))]
    states = [(model.ir.variables[name].dims, place) for name, place in places]
    columns = []
    for item in series:
        for element in item.places:
            read = _read(model, item.expression, int(element))
            columns.append(np.array([float(place in read.get(dims, {place})) for dims, place in states]))
    return np.stack(columns, axis=1)


def _read(model: Model, expression: Expression, element: int) -> dict[tuple[str, ...], set[int]]:
    """Flat indices of the elements that an observation reads, by the subscripts they belong to."""
    found = {expression.dims: {element}} if expression.dims else {}
    for variable, position in expression.read:
        if position:
            dims = model.ir.variables[variable].dims
            found.setdefault(dims, set()).add(int(np.ravel_multi_index(position, model.ir.shape(dims))))
    return found


def estimate_disturbance(
    law: TransitionModel, grid: FilterSetup, errors: Numbers, given: Mapping[str, bool], *, seed: int
) -> Disturbance:
    """Estimate process and observation noise from one-step-ahead predictions."""
    in_logs = bool(grid.logs[grid.disturbed].all())
    scale = float(np.mean([errors[item.label] / _unit(item, in_logs=in_logs) for item in law.series]))

    def candidate(size: float, memory: float, share: float) -> Disturbance:
        found = {label: value if given[label] else share * value for label, value in errors.items()}
        return Disturbance(size=size * scale, memory=memory, errors=found)

    parts = [(0.0, 0.0, share) for share in ERRORS]
    parts += [(size, memory, share) for size in SIZES for memory in MEMORIES for share in ERRORS]
    best, at = _best(law, grid, [candidate(*item) for item in parts], parts, seed)
    width = 2.0
    for _ in range(ROUNDS):
        size, memory, share = at
        memories = {min(max(memory + step / (2 * width), 0.0), 0.97) for step in (-0.5, 0.0, 0.5)} if size else {0.0}
        sizes = (size / width, size, size * width) if size else (0.0, 0.02)
        tries = [(s, m, r) for s in sizes for m in sorted(memories) for r in (share / width, share, share * width)]
        found, place = _best(law, grid, [candidate(*item) for item in tries], tries, seed)
        if found.likelihood > best.likelihood:
            best, at = found, place
        width = np.sqrt(width)
    return best


def _best(
    law: TransitionModel,
    grid: FilterSetup,
    candidates: Sequence[Disturbance],
    parts: Sequence[tuple[float, float, float]],
    seed: int,
) -> tuple[Disturbance, tuple[float, float, float]]:
    likelihoods = _worked(law, grid, candidates, seed=seed, members=CANDIDATE_MEMBERS).likelihood
    place = int(np.argmax(np.where(np.isfinite(likelihoods), likelihoods, -np.inf)))
    return replace(candidates[place], likelihood=float(likelihoods[place])), parts[place]


def _unit(series: Series, *, in_logs: bool) -> float:
    """Scale that relates errors of a series to disturbances; for levels, their mean size or standard deviation."""
    seen = series.values[np.isfinite(series.values)]
    if series.scale != "level":
        return 1.0
    size = float(np.abs(seen).mean()) if in_logs else float(seen.std())
    return size if size > 0 else max(float(np.abs(seen).max()), 1.0)


def filtered(
    law: TransitionModel, grid: FilterSetup, disturbance: Disturbance, *, seed: int, members: int
) -> FilteredEnsemble:
    """Filter with given disturbances."""
    work = _worked(law, grid, [disturbance], seed=seed, members=members)
    states, moved, rows = (np.stack(parts) for parts in zip(*work.kept, strict=True))
    return FilteredEnsemble(
        states=states, disturbances=moved, rows=rows, law=disturbance, resampled=int(work.resampled[0])
    )


def _worked(
    law: TransitionModel, grid: FilterSetup, candidates: Sequence[Disturbance], *, seed: int, members: int
) -> "_Pass":
    """Filter with several candidate disturbances in one batch of simulations, with common random numbers."""
    work = _Pass(law, grid, candidates, members, np.random.default_rng([seed, members]))
    now = law.start
    for place, time in enumerate(grid.times):
        work.forward(now, float(time), is_first=place == 0 and time <= law.start)
        work.update(place, float(time))
        now = float(time)
        work.kept.append((work.states[0].copy(), work.moved[0].copy(), work.rows[0].copy()))
    return work


class _Pass:
    """A running filter; `states` has shape (candidate, member, state), in the coordinates of the filter."""

    def __init__(
        self,
        law: TransitionModel,
        grid: FilterSetup,
        candidates: Sequence[Disturbance],
        members: int,
        rng: np.random.Generator,
    ) -> None:
        self.law, self.grid, self.rng = law, grid, rng
        self.count, self.members = len(candidates), members
        self.rows = np.tile(np.resize(np.arange(law.members), members), (self.count, 1))
        self.states = to_coordinates(law.first[self.rows], grid.logs)
        self.size = np.array([item.size for item in candidates])
        self.memory = np.array([item.memory for item in candidates])
        self.errors = {label: np.array([c.errors[label] for c in candidates]) for label in candidates[0].errors}
        self.moved = np.zeros((self.count, members, len(grid.disturbed)))
        self.totals = {item.label: np.zeros((self.count, members, len(item.labels))) for item in law.series}
        self.flowed: Arrays = {}
        self.likelihood = np.zeros(self.count)
        self.resampled = np.zeros(self.count, dtype=int)
        self.kept: list[tuple[Array, Array, Indices]] = []

    def forward(self, begin: float, end: float, *, is_first: bool) -> None:
        """Prediction step: run the members to a time and add disturbances."""
        if not is_first and end > begin:
            flat = from_coordinates(self.states.reshape(-1, self.law.size), self.grid.logs)
            stretch = self.law.advance(flat, begin, end, self.rows.ravel())
            self.flowed = {
                label: value.reshape(self.count, self.members, -1) for label, value in stretch.flowed.items()
            }
            for label, value in self.flowed.items():
                self.totals[label] = self.totals[label] + value
            found = to_coordinates(stretch.states, self.grid.logs).reshape(self.states.shape)
            usable = np.asarray(np.isfinite(found).all(axis=2, keepdims=True), dtype=bool)
            self.states = np.where(usable.any(axis=1, keepdims=True), found, self.states)
            self._resample(usable[:, :, 0])
        fresh = centred(self.rng.standard_normal((self.members, len(self.grid.disturbed))))
        self.moved = self.memory[:, None, None] * self.moved + self.size[:, None, None] * fresh[None]
        if not is_first:
            self.states[:, :, self.grid.disturbed] += self.moved * self.grid.units

    def update(self, place: int, time: float) -> None:
        """Update step: assimilate the observations of a time."""
        if not any(np.isfinite(value[:, place]).any() for value in self.grid.observed.values()):
            return
        predicted, observed, noise, near, spread = self._predicted(place, time)
        if not observed.size:
            return
        predicted = predicted[self._resample(self._stay(predicted, observed, np.hypot(spread, noise)))]
        self.likelihood += self._assimilate(predicted, observed, noise, near)

    def _stay(self, predicted: Array, observed: Array, spread: Array) -> Flags:
        """Members within `FAR` deviations of the data; all members if most are further away (the model is wrong)."""
        near = (np.abs(predicted - observed) <= FAR * spread[:, None]).all(axis=2) | ~np.isfinite(predicted).all(axis=2)
        return np.asarray(near | (2 * near.sum(axis=1, keepdims=True) < self.members), dtype=bool)

    def _resample(self, good: Flags) -> tuple[Indices, Indices]:
        """Replace members that are not good by good ones of the same candidate; return the indices taken."""
        source = np.tile(np.arange(self.members), (self.count, 1))
        for candidate in np.flatnonzero(~good.all(axis=1) & good.any(axis=1)):
            bad = np.flatnonzero(~good[candidate])
            source[candidate, bad] = np.resize(np.flatnonzero(good[candidate]), bad.size)
            self.resampled[candidate] += bad.size
        taken = np.arange(self.count)[:, None], source
        self.states, self.moved, self.rows = self.states[taken], self.moved[taken], self.rows[taken]
        self.totals = {label: value[taken] for label, value in self.totals.items()}
        self.flowed = {label: value[taken] for label, value in self.flowed.items()}
        return taken

    def _predicted(self, place: int, time: float) -> tuple[Array, Array, Array, Array, Array]:
        """Predictions of shape (candidate, member, observation), observations, errors, localisation and deviations."""
        flat = from_coordinates(self.states.reshape(-1, self.law.size), self.grid.logs)
        levels = self.law.seen(flat, time, self.rows.ravel())
        columns, observed, noise, near, spread = [], [], [], [], []
        offset = 0
        for item in self.law.series:
            values = self.grid.observed[item.label][:, : place + 1]
            known = np.flatnonzero(np.isfinite(values[:, -1]))
            raw = self._raw(item, levels)
            rows = np.arange(offset, offset + len(item.labels))
            offset += len(item.labels)
            if raw is None or not known.size:
                continue
            with np.errstate(all="ignore"):
                scaled = item.scaled(raw)[:, :, known]
            columns.append(scaled)
            observed.append(values[known, -1])
            noise.append(self._errors(item, raw[:, :, known]))
            near.append(self.grid.near[:, rows[known]])
            spread.append([_deviation(row) for row in values[known]])
        if not columns:
            empty = np.zeros((self.count, self.members, 0))
            return empty, np.zeros(0), np.zeros((self.count, 0)), np.zeros((0, 0)), np.zeros(0)
        return (
            np.concatenate(columns, axis=2),
            np.concatenate(observed),
            np.concatenate(noise, axis=1),
            np.concatenate(near, axis=1),
            np.concatenate(spread),
        )

    def _raw(self, item: Series, levels: Arrays) -> Array | None:
        if item.kind == "level":
            return levels[item.label].reshape(self.count, self.members, -1)
        if item.kind == "cumulative":
            return self.totals[item.label]
        return self.flowed.get(item.label)

    def _errors(self, item: Series, raw: Array) -> Array:
        """Standard deviation of the errors, shape (candidate, observation)."""
        spread = self.errors[item.label]
        if item.errors.is_count:
            mean = np.maximum(np.nansum(raw, axis=1) / np.maximum((~np.isnan(raw)).sum(axis=1), 1), 0.5)
            beyond = spread if item.errors.family == "negative_binomial" else np.full_like(spread, LEAST_SPREAD)
            return np.asarray(np.sqrt(mean + (beyond[:, None] * mean) ** 2), dtype=float)
        return np.repeat(spread[:, None], raw.shape[2], axis=1)

    def _assimilate(self, predicted: Array, observed: Array, noise: Array, near: Array) -> Array:
        usable: Flags = np.asarray(np.isfinite(predicted).all(axis=2) & np.isfinite(self.states).all(axis=2))
        mask, count = usable[:, :, None], np.maximum(usable.sum(axis=1), 2)[:, None, None]

        def parted(values: Array) -> tuple[Array, Array]:
            mean = np.where(mask, values, 0.0).sum(axis=1, keepdims=True) / count
            return mean, np.where(mask, values - mean, 0.0)

        both = np.concatenate([self.states, self.moved], axis=2)
        (mean, spread), (middle, away) = parted(predicted), parted(both)
        cross = np.einsum("cms,cmo->cso", away, spread) / (count - 1) * near[None]
        inner = np.einsum("cmo,cmp->cop", spread, spread) / (count - 1) * _together(near)[None]
        places = np.arange(len(observed))
        inner[:, places, places] += noise**2 + MIN_VARIANCE
        surprise = observed[None, :] - mean[:, 0]
        draw = centred(self.rng.standard_normal((self.members, len(observed))))
        away_from = observed[None, None] + noise[:, None] * draw[None] - np.where(mask, predicted, mean)
        gain = np.linalg.solve(inner, np.swapaxes(cross, 1, 2))
        moved = np.einsum("cmo,cos->cms", away_from, gain)
        found = np.where(mask, both, middle) + moved
        good = np.asarray(np.isfinite(found).all(axis=2), dtype=bool)
        can_move = usable.any(axis=1, keepdims=True) & good.any(axis=1, keepdims=True)
        both = np.where(np.expand_dims(can_move, 2), found, both)
        self.states, self.moved = both[:, :, : self.law.size], both[:, :, self.law.size :]
        self._resample(good)
        sign, volume = np.linalg.slogdet(inner)
        distance = np.einsum("co,co->c", surprise, np.linalg.solve(inner, surprise[:, :, None])[:, :, 0])
        likelihood = -0.5 * (distance + volume + len(observed) * np.log(2 * np.pi))
        return np.where((sign > 0) & (usable.sum(axis=1) > 2), likelihood, -np.inf)


def _together(near: Array) -> Array:
    """Localisation mask between observations: 1 where two share a state they may update (or are the same)."""
    return np.asarray(((near.T @ near) > 0).astype(float)) if near.size else np.ones((near.shape[1],) * 2)


def _deviation(row: Array) -> float:
    """Robust standard deviation of observations; infinite if there are too few or they never change."""
    seen = row[np.isfinite(row)]
    if seen.size < TOLD:
        return np.inf
    return 1.4826 * float(np.median(np.abs(seen - np.median(seen)))) or float(seen.std()) or np.inf


def centred(noise: Array) -> Array:
    """Subtract from random numbers their mean over members."""
    return np.asarray(noise - noise.mean(axis=0)) if len(noise) > 2 else noise


def to_coordinates(states: Array, logs: Flags) -> Array:
    """Stocks in the coordinates of the filter; not finite where a stock in logarithms is not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(logs, np.log(states), states)


def from_coordinates(states: Array, logs: Flags) -> Array:
    """The inverse of `to_coordinates`."""
    with np.errstate(over="ignore"):
        return np.where(logs, np.exp(np.where(logs, np.minimum(states, 700.0), 0.0)), states)


def propagate(
    law: TransitionModel, grid: FilterSetup, found: FilteredEnsemble, place: int, times: Array, *, draws: int, seed: int
) -> Arrays:
    """Run members from a time of the grid to later times with the same spacing, without observations.

    Returns error-free predictions on the model's scale by label, shape (draw, row, time); NaN if a member overflows.
    Cumulative series start from zero at the origin.
    """
    rng = np.random.default_rng([seed, place, draws])
    chosen = rng.permutation(np.resize(np.arange(found.states.shape[1]), draws))
    states, moved, rows = (part[place][chosen] for part in (found.states, found.disturbances, found.rows))
    columns: dict[str, list[Array]] = {item.label: [] for item in law.series}
    usable = np.full(draws, fill_value=True)
    now = float(grid.times[place])
    for time in times:
        stretch = law.advance(from_coordinates(states, grid.logs), now, float(time), rows)
        further = to_coordinates(stretch.states, grid.logs)
        usable &= np.isfinite(further).all(axis=1)
        states = np.where(usable[:, None], further, states)
        fresh = centred(rng.standard_normal(moved.shape))
        moved = found.law.memory * moved + found.law.size * fresh
        states[:, grid.disturbed] += moved * grid.units
        levels = law.seen(from_coordinates(states, grid.logs), float(time), rows)
        for label, value in {**levels, **stretch.flowed}.items():
            columns[label].append(value)
        now = float(time)
    paths = {label: np.stack(parts, axis=-1) for label, parts in columns.items()}
    paths |= {item.label: paths[item.label].cumsum(axis=-1) for item in law.series if item.kind == "cumulative"}
    return {label: np.where(usable[:, None, None], path, np.nan) for label, path in paths.items()}

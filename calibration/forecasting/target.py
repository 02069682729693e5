"""The target of forecasts: log output per head of regions relative to their mean, or the columns of a table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration.observation.series import FILLED_IN, never_changes
from pysd_runner.core.calendar import PLAIN, Calendar
from pysd_runner.core.errors import InvalidInput, InvalidPanel, Message
from pysd_runner.core.types import Array, Flags, Indices, frozen
from pysd_runner.data import Data, load_data
from pysd_runner.data.update import spans
from pysd_runner.model import Model, is_share
from pysd_runner.spec.design import StudyDesign, studied
from pysd_runner.study.arguments import loaded

if TYPE_CHECKING:
    import xarray as xr

    from calibration.fitting.problem import Problem
    from calibration.observation import Series

VARIABLE = "output_per_head"
# Name of the forecast quantity of a panel.
RELATIVE = "relative_output"
LEAST_REGIONS = 2
# Minimum number of observed years that must remain for years before a long gap to be dropped.
ENOUGH = 6
# Smallest shift of the other regions' relative output by a new region that is reported, in log points.
WORTH_SAYING = 0.005
# A change beyond BREAK robust standard deviations (MAD times median absolute changes), and of LEAST_BREAK log points at
# least, is a break of level: a judgement, far beyond what forecasts expect.
MAD, BREAK, LEAST_BREAK = 1.4826, 6.0, 0.1
# Maximum number of ranges of years listed in a message.
MAX_RANGES = 5


@frozen(eq=False)
class Target:
    """Observations to forecast, at evenly spaced times: relative output of regions, or the columns of a table.

    Attributes
    ----------
    name
        Name of the data.
    rows
        Codes of the regions, or columns of a table and their entities.
    groups
        Class of each row; empty if there are none.
    times
        Consecutive whole numbers: years, or indices of `moments`.
    values
        Shape (row, time), log points or on the scales of the columns; NaN where nothing was observed.
    back
        Function that converts draws of shape (draw, row, time) and their times to labelled arrays by name, in the
        units of the data.
    axes
        Names of the two dimensions of `values`.
    is_relative
        Whether values are relative to the mean of the rows, so that a change common to all rows cancels.
    moments
        The times in the unit of the model; None if `times` are in that unit.
    calendar
        Years or dates of these times.
    """

    name: str
    rows: tuple[str, ...]
    groups: tuple[str, ...]
    times: tuple[int, ...]
    values: Array
    back: "Callable[[Array, Sequence[float]], dict[str, xr.DataArray]]"
    axes: tuple[str, str] = ("region", "year")
    is_relative: bool = True
    moments: Array | None = None
    calendar: Calendar = PLAIN

    def __post_init__(self) -> None:
        self.values.setflags(write=False)

    @property
    def seen(self) -> tuple[int, ...]:
        """Times at which some row was observed."""
        return tuple(self.times[place] for place in self.places)

    @property
    def places(self) -> tuple[int, ...]:
        """Indices of the times at which some row was observed."""
        return tuple(int(place) for place in np.flatnonzero(np.isfinite(self.values).any(axis=0)))

    @property
    def yearly(self) -> int:
        """Number of times at which the change from the previous time was observed for some row."""
        seen = np.isfinite(self.values)
        return int((seen[:, 1:] & seen[:, :-1]).any(axis=0).sum())

    @property
    def grid(self) -> Array:
        """The times in the unit of the data, shape (time,)."""
        return np.array(self.times, dtype=float) if self.moments is None else self.moments

    @property
    def spacing(self) -> float:
        """Interval between successive times in the unit of the data."""
        return float(self.grid[1] - self.grid[0])

    def later(self, count: int) -> Array:
        """The next `count` times after the last one, in the unit of the data."""
        return np.asarray(self.grid[-1] + self.spacing * np.arange(1, count + 1), dtype=float)

    def position(self, time: int) -> int:
        """Index of a time.

        Raises
        ------
        InvalidInput
            If the time is not a time of the target.
        """
        if not self.times[0] <= time <= self.times[-1]:
            raise InvalidInput(
                "year {year} is not in {name!r}, which runs from {first} to {end}",
                year=time,
                name=self.name,
                first=self.times[0],
                end=self.times[-1],
            )
        return time - self.times[0]

    def until(self, time: int) -> "Target":
        """The target up to and including a time; a copy, so that later values cannot be accessed through it."""
        stop = self.position(time) + 1
        moments = None if self.moments is None else self.moments[:stop]
        return replace(self, times=self.times[:stop], values=self.values[:, :stop].copy(), moments=moments)


def relative(levels: Array) -> Array:
    r"""Subtract from log levels the mean over the regions of each year.

    :math:`r_{it} = y_{it} - \bar y_t`, :math:`\bar y_t` the unweighted mean. A region that was observed before and is
    missing this year enters with its last relative level, so that the others do not jump when it drops out:
    :math:`\bar y_t = (\sum_{seen} y_{it} + \sum_{missing} r_{i,last}) / n_{seen}`. No later years are used.
    """
    result = np.full(levels.shape, np.nan)
    last = np.full(len(levels), np.nan)
    for year, column in enumerate(levels.T):
        seen = np.isfinite(column)
        if seen.sum() < LEAST_REGIONS:
            continue
        absent = ~seen & np.isfinite(last)
        mean = (column[seen].sum() + last[absent].sum()) / seen.sum()
        result[seen, year] = column[seen] - mean
        last[seen] = result[seen, year]
    return result


def doubts(panel: Data, target: Target) -> tuple[str, ...]:
    """Warnings about a target: years left out, regions that begin late, and breaks of level."""
    return (*early_years(panel, target), *unfinished_years(panel, target), *late_entries(target), *breaks(target))


def early_years(panel: Data, target: Target) -> tuple[str, ...]:
    """A warning about early years that are not used, because a longer gap follows them."""
    held = np.isfinite(panel.array(VARIABLE)).sum(axis=0) >= LEAST_REGIONS
    early = [year for year, enough in zip(panel.years, held, strict=True) if enough and year < target.times[0]]
    if not early:
        return ()
    return (
        f"{years_told(early)} left out: the years without output per head that follow are more than those before; the "
        f"first year is {target.times[0]}",
    )


def years_told(years: Sequence[int]) -> str:
    """Years as text, consecutive ones as a range: ``1995, 2000-2010``."""
    told = spans(years).split(", ")
    return ", ".join(told if len(told) <= MAX_RANGES else [*told[:2], "...", told[-1]])


def late_entries(target: Target) -> tuple[str, ...]:
    """Warnings about regions that begin later than others and so shift the relative output of those."""
    # The mean is over the regions observed in a year, so a poor new region raises all others in its first year. Shifts
    # of less than half a per cent are not reported.
    seen = np.isfinite(target.values)
    first = np.where(seen.any(axis=1), seen.argmax(axis=1), len(target.times))
    last = np.full(len(seen), np.nan)
    sentences = []
    for place, year in enumerate(target.times):
        old, column = seen[:, place] & (first < place), target.values[:, place]
        shift = float((column[old] - last[old]).mean()) if old.any() else 0.0
        new = first == place
        if new.any() and abs(shift) >= WORTH_SAYING:
            names = [code for code, begins in zip(target.rows, new, strict=True) if begins]
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            sentences.append(
                f"{shown} begin(s) in {year}, later than others, which moves the relative output of those by "
                f"{100 * shift:+.1f}% in that year; leave late regions or early years out to forecast without it"
            )
        last = np.where(seen[:, place], column, last)
    return tuple(sentences)


def breaks(target: Target) -> tuple[str, ...]:
    """A warning about changes of single regions far beyond the usual, which are not undone a year later."""
    change = np.diff(target.values, axis=1)
    seen = np.isfinite(change)
    if not seen.any():
        return ()
    # A change common to all other regions, as when a region enters late, is not a break of the region itself.
    change = np.where(seen, change - _medians(change, axis=0), 0.0)
    usual = MAD * np.maximum(_medians(np.abs(np.where(seen, change, np.nan)), axis=1), np.median(np.abs(change[seen])))
    undone = np.zeros(change.shape, dtype=bool)
    undone[:, :-1] = change[:, 1:] * np.sign(change[:, :-1]) < -np.abs(change[:, :-1]) / 2
    undone[:, 1:] |= undone[:, :-1]
    found = np.argwhere((np.abs(change) > BREAK * usual) & ~undone & (np.abs(change) >= LEAST_BREAK))
    if not len(found):
        return ()
    found = found[np.argsort([-abs(change[row, place]) for row, place in found], kind="stable")]
    shown = ", ".join(
        f"{target.rows[row]} {target.times[place + 1]} ({100 * np.expm1(change[row, place]):+.0f}%)"
        for row, place in found[:3]
    )
    return (
        Message(
            "a break of level, {count} in all: {shown}; the forecast goes on from the new level, so check whether it "
            "is one of measurement or borders",
            count=len(found),
            shown=shown + (", ..." if len(found) > 3 else ""),
        ),
    )


def _medians(values: Array, axis: int) -> Array:
    """Medians along an axis, ignoring NaN; 0 where there is nothing else."""
    seen = np.isfinite(values).any(axis=axis, keepdims=True)
    return np.asarray(np.nanmedian(np.where(seen, values, 0.0), axis=axis, keepdims=True))


def unfinished_years(panel: Data, target: Target) -> tuple[str, ...]:
    """Warnings about years after the last one of a target, in which only one region has output per head."""
    sentences = []
    for place, year in enumerate(panel.years):
        names = [
            code for code, value in zip(panel.codes, panel.array(VARIABLE)[:, place], strict=True) if np.isfinite(value)
        ]
        if names and year > target.times[-1]:
            sentences.append(
                f"{year} is left out: only {', '.join(names)} has output per head in it, and a region is compared with "
                f"others; the last year is {target.times[-1]}"
            )
    return tuple(sentences)


@frozen(eq=False)
class Observed:
    """Data with the design of their study, and the model or the problem by which they are forecast.

    Attributes
    ----------
    model
        The model; None if none was given, or a problem was.
    data
        The data.
    design
        The design of their study.
    given
        The problem that was given in place of the data, if one was.
    """

    model: Model | None
    data: Data
    design: StudyDesign
    given: "Problem | None" = None

    @classmethod
    def of(cls, data: Any, model: Any = None) -> "Observed":
        """Read data and model that were given in any form, or a problem in their place."""
        from calibration.fitting.problem import Problem

        if isinstance(data, Problem):
            return cls(model=model, data=data.data, design=data.design, given=data)
        if model is None:
            read, design = studied(load_data(data))
            return cls(model=None, data=read, design=design)
        known, found = loaded(model, data)
        assert found is not None  # noqa: S101
        read, design = studied(found, known.design)
        return cls(model=known, data=read, design=design)

    def problem(self, **settings: Any) -> "Problem":
        """The problem of data and model, with settings; or the one that was given."""
        from calibration.fitting.problem import Problem

        if self.given is not None:
            return self.given
        if self.model is None:
            raise InvalidInput(
                "the columns of {data!r} are forecast with a model: give one, as in model='mine.mdl'; or give a panel "
                "of regions with output per head",
                data=self.data.name,
            )
        return Problem(self.model, self.data, **settings)


def target_of(source: "Data | Problem") -> Target:
    """Log relative output per head of a panel, or all columns that a problem compares with its model.

    Parameters
    ----------
    source
        A panel with output per head, or output and population; or a problem, whose observations are assigned to an
        evenly spaced grid of times.

    Raises
    ------
    InvalidPanel
        If there is no output per head, fewer than two regions have it, or it never changes.
    InvalidInput
        If a problem has observations at only one time, or data that are no panel are given without a model.
    """
    observed = Observed.of(source)
    return TARGETS[observed.design.target](observed)


def relative_output(observed: Observed) -> Target:
    """Log output per head of the regions of a panel relative to their mean."""
    panel = observed.data
    if VARIABLE not in panel:
        raise InvalidPanel(
            "panel {panel!r} has no output_per_head and nothing to compute it from; give output_per_head, or output "
            "and population; it has {variables}",
            panel=panel.name,
            variables=", ".join(panel.variables),
        )
    values = panel.array(VARIABLE)
    held: Flags = np.asarray(np.isfinite(values).any(axis=1))
    if held.sum() < LEAST_REGIONS:
        raise InvalidPanel(
            "panel {panel!r} has output_per_head for {count} region(s); output relative to the mean of the regions "
            "needs at least two",
            panel=panel.name,
            count=int(held.sum()),
        )
    if never_changes(np.asarray(values[held])):
        raise InvalidPanel(
            "panel {panel!r}, output_per_head: {why}; give what was observed in each year",
            panel=panel.name,
            why=FILLED_IN,
        )
    with np.errstate(divide="ignore"):
        logs = np.log(values[held])
    years, on_all = consecutive(panel.years, logs)
    chosen = [region for region, keep in zip(panel.regions, held, strict=True) if keep]
    result = relative(on_all)
    seen = np.flatnonzero(np.isfinite(result).any(axis=0))
    if not len(seen):
        raise InvalidPanel("panel {panel!r} has no year in which two regions have output_per_head", panel=panel.name)
    seen = seen[_first_kept(seen) :]
    codes = tuple(region.code for region in chosen)
    return Target(
        name=panel.name,
        rows=codes,
        groups=tuple(region.group for region in chosen),
        times=years[seen[0] : seen[-1] + 1],
        values=result[:, seen[0] : seen[-1] + 1].copy(),
        back=partial(relative_array, codes),
    )


def relative_array(codes: Sequence[str], values: Array, years: Sequence[float]) -> "dict[str, xr.DataArray]":
    """Relative output of regions as a labelled array, log points; dimensions (draw, region, year) or (region, year)."""
    import xarray as xr

    attrs = {"unit": "log points", "long_name": "log output per head relative to the mean of the regions"}
    dims = ("draw", "region", "year")[3 - values.ndim :]
    return {RELATIVE: xr.DataArray(values, dims=dims, coords={"region": list(codes), "year": list(years)}, attrs=attrs)}


def columns(observed: Observed) -> Target:
    """Observations of a problem stacked into rows, each at the nearest time of an evenly spaced grid."""
    problem = observed.problem()
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
    return Target(
        name=problem.data.name,
        rows=tuple(f"{item.label}[{who}]" if who else item.label for item in series for who in item.labels),
        groups=(),
        times=tuple(range(len(times))),
        values=np.concatenate([_on_grid(item, times, spacing) for item in series]),
        back=partial(_by_column, problem),
        axes=("row", "time"),
        is_relative=False,
        moments=np.asarray(times, dtype=float),
        calendar=problem.calendar,
    )


# Warnings about what is forecast, by the target of a design.
DOUBTS: Mapping[str, Callable[[Data, Target], tuple[str, ...]]] = {
    "relative_output": doubts,
    "columns": lambda _data, _target: (),
}
# What is forecast, by the target of a design.
TARGETS = {"relative_output": relative_output, "columns": columns}


def _on_grid(item: "Series", times: Array, spacing: float) -> Array:
    """Values of a series at the nearest times of the grid, shape (row, time)."""
    result = np.full((len(item.labels), len(times)), np.nan)
    places = np.round((item.times - times[0]) / spacing).astype(int)
    for column, place in enumerate(places):
        if 0 <= place < len(times):
            known = np.isfinite(item.values[:, column])
            result[known, place] = item.values[known, column]
    return result


def _by_column(problem: "Problem", draws: Array, times: Sequence[float]) -> "dict[str, xr.DataArray]":
    """Draws of all rows as labelled arrays in the units of the columns, dimensions (draw, entity, time)."""
    import xarray as xr

    found, place = {}, 0
    unit = problem.time_unit
    for item in problem.series:
        part = item.unscaled(draws[:, place : place + len(item.labels)])
        place += len(item.labels)
        if item.errors.is_count:
            part = np.maximum(part, 0.0)
        if is_share(problem.model.ir.variables[item.outcome]) and np.nanmax(item.observed) <= 1:
            part = np.clip(part, 0.0, 1.0)
        coords = {"entity": list(item.labels), "time": problem.calendar.axis(times, unit)}
        attrs = {"units": problem.data.column(item.indicator).unit}
        found[item.label] = xr.DataArray(part, dims=["draw", "entity", "time"], coords=coords, attrs=attrs)
    return found


def _first_kept(seen: Indices) -> int:
    """Index of the first year to use: years before a gap longer than themselves are out of date and dropped."""
    begin = 0
    for place in range(1, len(seen)):
        if seen[place] - seen[place - 1] - 1 > place - begin:
            begin = place
    return begin if len(seen) - begin >= ENOUGH else 0


def consecutive(years: Sequence[int], values: Array) -> tuple[tuple[int, ...], Array]:
    """Reindex columns to consecutive years, missing ones filled with NaN."""
    whole = tuple(range(years[0], years[-1] + 1))
    result = np.full((len(values), len(whole)), np.nan)
    result[:, np.asarray(years) - years[0]] = np.where(np.isfinite(values), values, np.nan)
    return whole, result

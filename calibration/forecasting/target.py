"""What is forecast: log output per head by region, relative to the mean of the regions of its year."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.observation.series import FILLED_IN, never_changes
from pysd_runner.core.errors import InvalidInput, InvalidPanel
from pysd_runner.panel import Panel

Array = NDArray[np.float64]

VARIABLE = "output_per_head"
LEAST_REGIONS = 2
# Years that are left when early ones before a long gap are not used.
ENOUGH = 6
# Movement of all others by a newcomer, log points, from which on it is said.
WORTH_SAYING = 0.005
# Rows of years that a message names.
TOLD = 5


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Target:
    """Log relative output per head on consecutive years.

    Attributes
    ----------
    name
        Of the panel.
    regions
        Codes of the regions.
    groups
        Class of each region; empty where none is known.
    years
        Consecutive.
    values
        Shape (region, year), dimensionless; NaN where nothing was observed, as in years that the panel leaves out.
    """

    name: str
    regions: tuple[str, ...]
    groups: tuple[str, ...]
    years: tuple[int, ...]
    values: Array

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.regions), len(self.years)):
            raise InvalidInput(
                "target {name!r} has shape {shape}; expected (region, year) = {expected}",
                name=self.name,
                shape=self.values.shape,
                expected=(len(self.regions), len(self.years)),
            )
        self.values.setflags(write=False)

    @property
    def seen(self) -> tuple[int, ...]:
        """Years in which some region was observed."""
        return tuple(self.years[place] for place in self.places)

    @property
    def places(self) -> tuple[int, ...]:
        """Positions of the years in which some region was observed."""
        return tuple(int(place) for place in np.flatnonzero(np.isfinite(self.values).any(axis=0)))

    @property
    def yearly(self) -> int:
        """Number of years whose change from the year before was observed for some region."""
        seen = np.isfinite(self.values)
        return int((seen[:, 1:] & seen[:, :-1]).any(axis=0).sum())

    def position(self, year: int) -> int:
        """Position of a year.

        Raises
        ------
        InvalidInput
            If the target does not hold it.
        """
        if not self.years[0] <= year <= self.years[-1]:
            raise InvalidInput(
                "year {year} is not in {name!r}, which runs from {first} to {end}",
                year=year,
                name=self.name,
                first=self.years[0],
                end=self.years[-1],
            )
        return year - self.years[0]

    def until(self, year: int) -> "Target":
        """Everything up to a year, this year included; a copy, so that nothing later can be reached from it."""
        stop = self.position(year) + 1
        return replace(self, years=self.years[:stop], values=self.values[:, :stop].copy())


def relative(levels: Array) -> Array:
    r"""Subtract from logs the mean over the regions of each year.

    :math:`r_{it} = y_{it} - \bar y_t`, :math:`\bar y_t` the unweighted mean. A region that was observed before and is
    missing this year counts with its last relative level, so that the others do not jump when it drops out:
    :math:`\bar y_t = (\sum_{seen} y_{it} + \sum_{missing} r_{i,last}) / n_{seen}`. Uses nothing of later years.
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


def doubts(panel: Panel, target: Target) -> tuple[str, ...]:
    """Sentences about what a user may not expect of a target: years left out, and regions that begin late."""
    return (*early_years(panel, target), *unfinished_years(panel, target), *late_entries(target))


def early_years(panel: Panel, target: Target) -> tuple[str, ...]:
    """A sentence about years before a gap longer than themselves, which are not used."""
    held = np.isfinite(panel[VARIABLE]).sum(axis=0) >= LEAST_REGIONS
    early = [year for year, enough in zip(panel.years, held, strict=True) if enough and year < target.years[0]]
    if not early:
        return ()
    return (
        f"{years_told(early)} left out: the years without output per head that follow are more than those before; the "
        f"first year is {target.years[0]}",
    )


def years_told(years: Sequence[int]) -> str:
    """Years in words, those in a row as a range: ``1995, 2000-2010``."""
    rows: list[list[int]] = []
    for year in years:
        if rows and year == rows[-1][-1] + 1:
            rows[-1].append(year)
        else:
            rows.append([year])
    told = [str(row[0]) if len(row) == 1 else f"{row[0]}-{row[-1]}" for row in rows]
    return ", ".join(told if len(told) <= TOLD else [*told[:2], "...", told[-1]])


def late_entries(target: Target) -> tuple[str, ...]:
    """Sentences about regions that begin later than others and so move the relative output of those."""
    # The mean is that of the regions that are there, so a poor newcomer lifts all others in its first year. Movements
    # of less than half a per cent are not worth a sentence.
    seen = np.isfinite(target.values)
    first = np.where(seen.any(axis=1), seen.argmax(axis=1), len(target.years))
    last = np.full(len(seen), np.nan)
    sentences = []
    for place, year in enumerate(target.years):
        old, column = seen[:, place] & (first < place), target.values[:, place]
        shift = float((column[old] - last[old]).mean()) if old.any() else 0.0
        new = first == place
        if new.any() and abs(shift) >= WORTH_SAYING:
            names = [code for code, begins in zip(target.regions, new, strict=True) if begins]
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            sentences.append(
                f"{shown} begin(s) in {year}, later than others, which moves the relative output of those by "
                f"{100 * shift:+.1f}% in that year; leave late regions or early years out to forecast without it"
            )
        last = np.where(seen[:, place], column, last)
    return tuple(sentences)


def unfinished_years(panel: Panel, target: Target) -> tuple[str, ...]:
    """Sentences about years after the last one of a target, in which one region alone has output per head."""
    sentences = []
    for place, year in enumerate(panel.years):
        names = [code for code, value in zip(panel.codes, panel[VARIABLE][:, place], strict=True) if np.isfinite(value)]
        if names and year > target.years[-1]:
            sentences.append(
                f"{year} is left out: only {', '.join(names)} has output per head in it, and a region is compared with "
                f"others; the last year is {target.years[-1]}"
            )
    return tuple(sentences)


def target_of(panel: Panel) -> Target:
    """Log relative output per head of a panel that holds output per head, or output and population.

    Raises
    ------
    InvalidPanel
        If there is no output per head, fewer than two regions with it, or if it never changes.
    """
    if VARIABLE not in panel:
        raise InvalidPanel(
            "panel {panel!r} has no output_per_head and nothing to compute it from; give output_per_head, or output "
            "and population; it has {variables}",
            panel=panel.name,
            variables=", ".join(panel.variables),
        )
    values = panel[VARIABLE]
    held: NDArray[np.bool_] = np.asarray(np.isfinite(values).any(axis=1))
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
    return Target(
        name=panel.name,
        regions=tuple(region.code for region in chosen),
        groups=tuple(region.group for region in chosen),
        years=years[seen[0] : seen[-1] + 1],
        values=result[:, seen[0] : seen[-1] + 1].copy(),
    )


def _first_kept(seen: NDArray[np.intp]) -> int:
    """Where to begin: what comes before a gap longer than itself tells nothing that is not out of date by then."""
    begin = 0
    for place in range(1, len(seen)):
        if seen[place] - seen[place - 1] - 1 > place - begin:
            begin = place
    return begin if len(seen) - begin >= ENOUGH else 0


def consecutive(years: Sequence[int], values: Array) -> tuple[tuple[int, ...], Array]:
    """Put columns on consecutive years, missing ones filled with NaN."""
    whole = tuple(range(years[0], years[-1] + 1))
    result = np.full((len(values), len(whole)), np.nan)
    result[:, np.asarray(years) - years[0]] = np.where(np.isfinite(values), values, np.nan)
    return whole, result

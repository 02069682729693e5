"""Consistency checks of a panel: gaps, values in a different unit, totals listed among the regions."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pysd_runner.core.errors import Message
from pysd_runner.core.findings import Finding, Severity, errors_of, listed
from pysd_runner.core.types import Array, Flags, frozen
from pysd_runner.data.cells import Grid, IndexArray
from pysd_runner.data.names import CURRENCY, SPELLINGS, VARIABLES, Entity, key
from pysd_runner.data.units import Measure, greatest_per_head

# Maximum number of items named in a list; minimum plausible output per head a year.
MAX_LISTED = 5
LEAST_PER_HEAD = 1e2
# If more cells than this are out of range, they are reported as one problem of the column.
MAX_SINGLE_CELLS = 5
# Factors of change between two years: from the first, a typo or a crisis (warning); from the second, another unit.
JUMP, LEAP = 5.0, 50.0
# Maximum growth factor a year, inflation included, that is plausible over a gap in the data.
FASTEST = 1.3
JUMPED = "jump"
# Maximum ratio of a region to the median: the richest economy of the world is at about 35, the poorest at 1/25.
STRANGE = 200.0
# Whole names only: no region is called "total", but many countries have a region called "central".
_NAMES = frozenset(map(key, SPELLINGS["totals"]))
# By currency, mostly without two-letter ISO codes, which provinces and states use as well.
_COUNTRIES = {currency: frozenset(map(key, names)) for currency, names in SPELLINGS["countries"].items()}
_SUMMED = ("output", "population")
LEAST_REGIONS, LEAST_YEARS, CLOSE = 4, 3, 0.01

# Order of warnings by rule: first those that affect results most, last the negligible ones, all others between.
HEAVIEST = (
    # Two spellings of one region also cause gaps and jumps.
    "region-spelling",
    "invisible",
    "jump",
    "magnitude",
    "unit-doubt",
    "number-style",
    "year-form",
    "total",
    "region-no-value",
    "zero",
    "gap",
    "incomplete-region",
    "left-out",
    "absent-region",
    "other-sheets",
    "unused-column",
)
LIGHTEST = ("blank-row", "no-population", "no-unit")


def heaviest_first(problems: Iterable[Finding]) -> list[Finding]:
    """Sort warnings by how much they may change results."""
    rank = {rule: place - len(HEAVIEST) for place, rule in enumerate(HEAVIEST)}
    rank |= {rule: place + 1 for place, rule in enumerate(LIGHTEST)}
    return sorted(problems, key=lambda problem: rank.get(problem.rule, 0))


@frozen
class Draft:
    """Panel under construction: values on grids and their units, before derived variables are added."""

    regions: tuple[Entity, ...]
    heading: str  # heading of the region column
    years: tuple[int, ...]
    grids: Mapping[str, Grid]
    measured: Mapping[str, Measure]

    @property
    def currency(self) -> str:
        """Currency of the monetary values, ``"currency"`` if the file does not give it."""
        return next((measure.currency for measure in self.measured.values() if measure.currency), CURRENCY)


def gaps(draft: Draft) -> list[Finding]:
    """Report the years that a region lacks between its first and its last."""
    rows = np.max([grid.rows for grid in draft.grids.values()], axis=0)
    present = rows > 0
    problems = _unseen_years(draft.years, rows)
    problems += [
        _gap(draft, run, row=int(rows[run.region, run.start - 1]), variable="", column="")
        for run in _inner_runs(~present)
    ]
    for variable, grid in draft.grids.items():
        if variable in VARIABLES:
            problems += _empty_cells(variable, grid, present, draft)
    return problems


class _Run(NamedTuple):
    """Missing years of one region: index of the first, and of the next year with data."""

    region: int
    start: int
    stop: int


def _empty_cells(variable: str, grid: Grid, present: Flags, draft: Draft) -> list[Finding]:
    """Report empty cells within a series, in years for which the region has a row."""
    problems = []
    for run in _inner_runs(np.isnan(grid.values) & ~grid.faulty):
        if present[run.region, run.start : run.stop].any():
            own = grid.rows[run.region, run.start : run.stop]
            row = int(own[own > 0][0]) if (own > 0).any() else int(grid.rows[run.region, run.start - 1])
            column = grid.column((run.region, run.start - 1))
            problems.append(_gap(draft, run, row=row, variable=variable, column=column))
    return problems


def _inner_runs(missing: Flags) -> list[_Run]:
    """List runs of missing years between years that have data."""
    inner = np.pad(missing & _between(~missing), ((0, 0), (1, 1))).astype(np.int8)
    edges = np.diff(inner, axis=1)
    starts, stops = np.argwhere(edges == 1), np.argwhere(edges == -1)
    return [_Run(int(region), int(start), int(stop)) for (region, start), (_, stop) in zip(starts, stops, strict=True)]


def _between(held: Flags) -> Flags:
    """Years that have data, or lie between years that have data."""
    after = np.logical_or.accumulate(held[:, ::-1], axis=1)[:, ::-1]
    return np.logical_or.accumulate(held, axis=1) & after


def _gap(draft: Draft, run: _Run, *, row: int, variable: str, column: str) -> Finding:
    years = draft.years[run.start : run.stop]
    span = str(years[0]) if len(years) == 1 else f"{years[0]} to {years[-1]}"
    what = Message("{variable} of region", variable=variable) if variable else Message("region")
    return Finding(
        "gap",
        Message(
            "{what} {region} is missing for {span}; nothing is filled in",
            what=what,
            region=draft.regions[run.region].code,
            span=span,
        ),
        row=row,
        column=column,
        found=Message("nothing for {span}", span=span),
        expected=Message("every year between the first and the last"),
        severity="warning",
    )


def _unseen_years(years: Sequence[int], rows: IndexArray) -> list[Finding]:
    """Report, once, the years that no region has although even spacing would include them."""
    steps = np.diff(years)
    if len(steps) == 0 or (steps == steps[0]).all():
        return []
    step = int(np.gcd.reduce(steps))
    unseen = [year for year in range(years[0], years[-1], step) if year not in set(years)]
    named = listed(list(map(str, unseen)))
    before = rows[:, max(position for position, year in enumerate(years) if year < unseen[0])]
    return [
        Finding(
            "gap",
            Message("no region has a row for {years}; nothing is filled in", years=named),
            row=int(before[before > 0][0]),
            found=Message("nothing for {span}", span=named),
            expected=Message("evenly spaced years"),
            severity="warning",
        )
    ]


def sizes(draft: Draft) -> list[Finding]:
    """Report output or population in a wrong unit, and jumps that suggest two units in one column."""
    problems = _magnitudes(draft)
    if not errors_of(problems):
        # Jumps of out-of-range values would report the same fault twice.
        for name in ("output", "output_per_head", "population"):
            problems += _jumps(name, draft)
        problems += _strangers(draft)
    return problems


def _magnitudes(draft: Draft) -> list[Finding]:
    """Report implausible output per head: most likely a wrong unit of output or population."""
    grids, upper = draft.grids, greatest_per_head(draft.currency)
    problems = []
    if "output_per_head" in grids:
        grid = grids["output_per_head"]
        severity: Severity = "error" if draft.measured["output_per_head"].text else "warning"
        problems += _out_of_range(grid, grid.values, upper, Message("output per head"), severity)
    if "output" in grids and "population" in grids:
        with np.errstate(over="ignore"):
            per_head = grids["output"].values / grids["population"].values
        problems += _out_of_range(grids["output"], per_head, upper, Message("output divided by population"), "error")
    return problems


def _out_of_range(grid: Grid, per_head: Array, upper: float, what: str, severity: Severity) -> list[Finding]:
    """Report values out of range; many values are reported as one finding."""
    wrong = (per_head < LEAST_PER_HEAD) | (per_head > upper)
    count, held = int(wrong.sum()), int((~np.isnan(per_head)).sum())
    places = sorted(map(tuple, np.argwhere(wrong)), key=lambda place: int(grid.rows[place]))
    more = ""
    if count > MAX_SINGLE_CELLS or (count > 1 and count > held / 2):
        places = places[:1]
        others = "" if count == held else Message("; {others} others are in range", others=held - count)
        more = Message(" (one of {count} such values{others})", count=count, others=others)
    advice = Message("check the units") if count == held or not more else Message("does the column hold two units?")
    if severity == "warning":
        advice = Message("no unit is given, and regions can be compared on any scale")
    expected = Message("output per head from {low:,.0f} to {high:,.0f}", low=LEAST_PER_HEAD, high=upper)
    problems = []
    for place in places:
        value = per_head[place]
        message = Message(
            "{what} is {value:.4g} a year{more}; {advice}", what=what, value=value, more=more, advice=advice
        )
        problems.append(grid.problem(place, "magnitude", message, expected, severity))
    return problems


def _jumps(variable: str, draft: Draft) -> list[Finding]:
    """Report the first change by `LEAP` since a region's last observation, or by `JUMP` since the year before."""
    if (grid := draft.grids.get(variable)) is None:
        return []
    # Over years without data, growth of up to `FASTEST` a year is allowed for.
    before = _last_seen(grid.values)
    earlier = np.take_along_axis(grid.values, np.maximum(before, 0), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(before >= 0, grid.values / earlier, np.nan)
    size = np.nan_to_num(np.maximum(ratio, 1 / np.where(ratio > 0, ratio, np.nan)), nan=1.0)
    years = np.asarray(draft.years)
    apart = np.maximum(years - years[np.maximum(before, 0)], 1)
    slow = size / FASTEST ** (apart - 1.0)
    beside = before == np.arange(grid.values.shape[1]) - 1
    severities: tuple[tuple[Array, float, Severity], ...] = (
        (slow, LEAP, "error"),
        (np.where(beside, slow, 1.0), JUMP, "warning"),
    )
    for changes, factor, severity in severities:
        places = np.argwhere(changes >= factor)
        if len(places):
            region, column = place = tuple(map(int, places[0]))
            start = before[place]
            message = Message(
                "{variable} of region {region} changes by a factor of {size:,.3g} from {start} to {year}{more}; does "
                "the column hold two units, or is a decimal point misplaced?",
                variable=variable,
                region=draft.regions[region].code,
                size=size[place],
                start=draft.years[start],
                year=draft.years[column],
                more=Message(" (the first of {count} such changes)", count=len(places)) if len(places) > 1 else "",
            )
            expected = Message(
                "changes by less than a factor of {factor:g}, in one unit and steady prices", factor=factor
            )
            found = Message("{first}, then {second}", first=grid.text((region, start)), second=grid.text(place))
            return [replace(grid.problem(place, JUMPED, message, expected, severity), found=found)]
    return []


def _last_seen(values: Array) -> IndexArray:
    """Index of each region's last observation before each year, -1 for none."""
    seen = np.where(np.isfinite(values), np.arange(values.shape[1]), -1)
    before = np.full(values.shape, -1, dtype=np.int64)
    before[:, 1:] = np.maximum.accumulate(seen, axis=1)[:, :-1]
    return before


def _strangers(draft: Draft) -> list[Finding]:
    """Report regions whose output per head differs implausibly from the median of all regions."""
    if (grid := draft.grids.get("output_per_head")) is None:
        return []
    import pandas as pd

    levels = pd.DataFrame(grid.values).median(axis=1).to_numpy()
    held = levels[np.isfinite(levels) & (levels > 0)]
    if len(held) < 3:
        return []
    middle = float(np.median(held))
    away = np.nan_to_num(np.maximum(levels / middle, middle / np.where(levels > 0, levels, np.nan)), nan=1.0)
    places = np.flatnonzero(away >= STRANGE)
    if not len(places):
        return []
    first = int(places[0])
    codes = listed([draft.regions[place].code for place in places])
    times = f"{away[first]:,.0f}" if away[first] < 1e12 else f"{away[first]:.0e}"
    message = Message(
        "output per head of {codes} differs from the median of the regions by a factor of {times}; does the column mix "
        "two units?",
        codes=codes,
        times=times,
    )
    expected = Message(
        "regions within a factor of {factor:g} of their median, {middle:,.0f}", factor=STRANGE, middle=middle
    )
    place = (first, int(np.flatnonzero(np.isfinite(grid.values[first]))[0]))
    return [grid.problem(place, "mixed-units", message, expected)]


def parts_and_wholes(draft: Draft) -> list[Finding]:
    """Report employment in information services that exceeds employment in all urban units."""
    part, whole = draft.grids.get("ict_employment"), draft.grids.get("urban_unit_employment")
    if part is None or whole is None:
        return []
    message = Message("more people in information services than in all urban units")
    return [
        part.problem(
            place,
            "impossible-value",
            message,
            Message("at most urban_unit_employment, {value}", value=whole.text(place)),
        )
        for place in map(tuple, np.argwhere(part.values > whole.values))
    ]


def zeros(draft: Draft) -> list[Finding]:
    """Report shares of zero between years with positive ones: most likely missing values."""
    problems = []
    for name, grid in draft.grids.items():
        if name not in VARIABLES or VARIABLES[name].kind not in ("share", "per 100"):
            continue
        for region, column in np.argwhere((grid.values == 0) & _between(grid.values > 0))[:1]:
            message = Message(
                "{variable} of region {region} is zero in {year} and above zero before and after; leave the cell empty "
                "where nothing was observed",
                variable=name,
                region=draft.regions[region].code,
                year=draft.years[column],
            )
            expected = Message("a share like those before and after")
            problems.append(grid.problem((region, column), "zero", message, expected, "warning"))
    return problems


def _country(draft: Draft) -> frozenset[str]:
    """Names of the country that the currency implies; none if several of the regions are countries."""
    every = frozenset().union(*_COUNTRIES.values())
    if sum(not every.isdisjoint({key(region.code), key(region.name_en)}) for region in draft.regions) > 1:
        return frozenset()
    return _COUNTRIES.get(draft.currency, frozenset()) if draft.currency != CURRENCY else every


def totals(draft: Draft) -> list[Finding]:
    """Warn of regions named like a total, or whose output and population are the sums of all others."""
    if len(draft.regions) == 1:
        return []
    summed = [_is_sum(draft.grids[name].values) for name in _SUMMED if name in draft.grids]
    by_number = np.all(summed, axis=0) if summed else np.zeros(len(draft.regions), dtype=bool)
    groups = Counter(region.group for region in draft.regions)
    names = _NAMES | _country(draft)
    problems = []
    for place, region in enumerate(draft.regions):
        # The group name counts only if no other region has it: a group of several regions is not a total.
        own = {key(region.code), key(region.name_en)} | ({key(region.group)} if groups[region.group] == 1 else set())
        called = not own.isdisjoint(names)
        if not (called or by_number[place]):
            continue
        summed_up = Message("it is the sum of the others within {share:.0%}", share=CLOSE)
        message = Message(
            "{region} seems to be all regions together ({why}), and counts as one of them; `drop: "
            '{{"{heading}": ["{code}"]}}` in a mapping file leaves it out',
            region=region.code,
            why=Message("it is called like that") if called else summed_up,
            heading=draft.heading,
            code=region.code,
        )
        rows = np.concatenate([grid.rows[place] for grid in draft.grids.values()])
        row = int(rows[rows > 0].min()) if (rows > 0).any() else None
        column, expected = draft.heading, Message("a region")
        problems.append(
            Finding("total", message, "warning", row=row, column=column, found=region.code, expected=expected)
        )
    return problems


def _is_sum(values: Array) -> Flags:
    """Mask of regions that are the sum of all others in every year in which all are known, shape (region,)."""
    known = np.isfinite(values).all(axis=0)
    if len(values) < LEAST_REGIONS or known.sum() < LEAST_YEARS:
        return np.zeros(len(values), dtype=bool)
    others = values[:, known].sum(axis=0) - values[:, known]
    return np.asarray((np.abs(values[:, known] - others) <= CLOSE * others).all(axis=1))


# Checks of every panel, in this order.
CHECKS: tuple[Callable[[Draft], list[Finding]], ...] = (gaps, sizes, parts_and_wholes, zeros, totals)

"""From checked cells to arrays by region and year, and what is wrong between cells."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import Message
from pysd_runner.panel.column import Array, Entity, Origins
from pysd_runner.panel.names import CURRENCY, SPELLINGS, VARIABLES, key
from pysd_runner.panel.observations import Cells, Keys
from pysd_runner.panel.problems import SHOWN, Problem, Severity
from pysd_runner.panel.regions import Places
from pysd_runner.panel.tables import IndexArray, TextArray, is_empty, is_typed, text_of
from pysd_runner.panel.units import greatest_per_head
from pysd_runner.panel.validation import Numbers

LEAST_PER_HEAD = 1e2
# More cells out of range than this are one problem of the column, not one each.
FEW = 5
# A change from one year to the next by this factor is a slip or a crisis; by the greater one it is another unit.
JUMP, LEAP = 5.0, 50.0
# Growth of a year that may go on for long, prices included: what a region has grown over a gap is no slip.
FASTEST = 1.3
JUMPED = "jump"
# The richest economy of the world has about 35 times the output per head of the middle one, the poorest a 25th of it.
STRANGE = 200.0
# Named in full: "total" is no region anywhere, "central" is one in many countries.
_NAMES = frozenset(map(key, SPELLINGS["totals"]))
# By currency; the ISO codes of two letters are those of provinces and states as well.
_COUNTRIES = {currency: frozenset(map(key, names)) for currency, names in SPELLINGS["countries"].items()}
_SUMMED = ("output", "population")
LEAST_REGIONS, LEAST_YEARS, CLOSE = 4, 3, 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """One variable on the grid of regions and years."""

    values: Array  # naN where nothing was observed
    rows: IndexArray  # row of the file, 0 where there is none
    faulty: NDArray[np.bool_]  # cells whose text could not be used
    cells: Cells
    index: IndexArray  # which of the cells stands there, -1 where none does

    def column(self, place: tuple[int, ...]) -> str:
        """Heading of the column in which a value stands; empty where nothing does."""
        index = self.index[place]
        return "" if index < 0 else str(self.cells.columns[index])

    def text(self, place: tuple[int, ...]) -> str:
        """A value as it stands in the file."""
        index = self.index[place]
        return "" if index < 0 else text_of(self.cells.entries[index])

    def origins(self) -> Origins:
        """Rows and texts of all values."""
        entries = self.cells.entries
        return Origins(rows=self.rows, texts=None if is_typed(entries) else self._placed(entries))

    def flags(self) -> TextArray | None:
        """Mark of each value; None where nothing is marked."""
        if not (self.cells.flags != "").any():
            return None
        return self._placed(np.where(is_empty(self.cells.entries), "", self.cells.flags))

    def _placed(self, texts: TextArray) -> TextArray:
        return np.where(self.index < 0, "", texts[self.index]) if len(texts) else np.full(self.index.shape, "", object)


@dataclass(frozen=True, kw_only=True, slots=True)
class Axes:
    """The axes of a panel."""

    regions: tuple[Entity, ...]
    years: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of regions and of years."""
        return len(self.regions), len(self.years)


def to_grid(
    cells: Cells, numbers: Numbers, places: Places, years: IndexArray, keys: Keys, axes: Axes
) -> tuple[Grid, list[Problem]]:
    """Put the cells of one variable on the grid."""
    region = places.index[cells.take]
    usable = np.flatnonzero((region >= 0) & (years >= 0))
    column = np.searchsorted(np.array(axes.years, dtype=np.int64), years[usable])
    row = region[usable]
    repeats = _repeats(row, column)
    kept = usable[~repeats]
    place = (row[~repeats], column[~repeats])
    grid = Grid(
        values=np.full(axes.shape, np.nan),
        rows=np.zeros(axes.shape, dtype=np.int64),
        faulty=np.zeros(axes.shape, dtype=bool),
        cells=cells,
        index=np.full(axes.shape, -1, dtype=np.int64),
    )
    grid.values[place] = numbers.values[kept]
    grid.rows[place] = keys.rows[cells.take[kept]]
    grid.faulty[place] = numbers.faulty[kept]
    grid.index[place] = kept
    problems = [
        _repeat(
            axes.regions[row[position]],
            axes.years[column[position]],
            int(keys.rows[cells.take[usable[position]]]),
            grid,
            position_of,
        )
        for position in np.flatnonzero(repeats)
        for position_of in [(row[position], column[position])]
    ]
    return grid, problems


def _repeats(row: IndexArray, column: IndexArray) -> NDArray[np.bool_]:
    """Cells of a region and year that an earlier cell is about."""
    repeated = np.ones(len(row), dtype=bool)
    place = row * (int(column.max(initial=0)) + 1) + column
    repeated[np.unique(place, return_index=True)[1]] = False
    return repeated


def _repeat(region: Entity, year: int, row: int, grid: Grid, place: tuple[int, int]) -> Problem:
    first = int(grid.rows[place])
    return Problem(
        rule="duplicate",
        message=Message(
            "region {region} in {year} already stands in row {row}", region=region.code, year=year, row=first
        ),
        row=row,
        found=Message("{what} in rows {first} and {second}", what=f"{region.code}, {year}", first=first, second=row),
        expected=Message("one row for each region and year"),
    )


def gaps(grids: Mapping[str, Grid], axes: Axes) -> list[Problem]:
    """Years that a region lacks between its first and its last."""
    present = np.zeros(axes.shape, dtype=bool)
    rows = np.zeros(axes.shape, dtype=np.int64)
    for grid in grids.values():
        present |= grid.rows > 0
        rows = np.maximum(rows, grid.rows)
    problems = _unseen_years(axes.years, rows)
    problems += [
        _gap(axes, run, row=int(rows[run.region, run.start - 1]), variable="", column="")
        for run in _inner_runs(~present)
    ]
    for variable, grid in grids.items():
        if variable in VARIABLES:
            problems += _empty_cells(variable, grid, present, axes)
    return problems


class _Run(NamedTuple):
    """Missing years of one region: the first, and the first held again."""

    region: int
    start: int
    stop: int


def _empty_cells(variable: str, grid: Grid, present: NDArray[np.bool_], axes: Axes) -> list[Problem]:
    """Report empty cells inside a series, where the region does have a row."""
    problems = []
    for run in _inner_runs(np.isnan(grid.values) & ~grid.faulty):
        if present[run.region, run.start : run.stop].any():
            own = grid.rows[run.region, run.start : run.stop]
            row = int(own[own > 0][0]) if (own > 0).any() else int(grid.rows[run.region, run.start - 1])
            column = grid.column((run.region, run.start - 1))
            problems.append(_gap(axes, run, row=row, variable=variable, column=column))
    return problems


def _inner_runs(missing: NDArray[np.bool_]) -> list[_Run]:
    """List runs of missing years between held ones."""
    held = ~missing
    before = np.logical_or.accumulate(held, axis=1)
    after = np.logical_or.accumulate(held[:, ::-1], axis=1)[:, ::-1]
    inner = np.pad(missing & before & after, ((0, 0), (1, 1))).astype(np.int8)
    edges = np.diff(inner, axis=1)
    starts, stops = np.argwhere(edges == 1), np.argwhere(edges == -1)
    return [_Run(int(region), int(start), int(stop)) for (region, start), (_, stop) in zip(starts, stops, strict=True)]


def _gap(axes: Axes, run: _Run, *, row: int, variable: str, column: str) -> Problem:
    years = axes.years[run.start : run.stop]
    span = str(years[0]) if len(years) == 1 else f"{years[0]} to {years[-1]}"
    what = Message("{variable} of region", variable=variable) if variable else Message("region")
    return Problem(
        rule="gap",
        message=Message(
            "{what} {region} is missing for {span}; nothing is filled in",
            what=what,
            region=axes.regions[run.region].code,
            span=span,
        ),
        row=row,
        column=column,
        found=Message("nothing for {span}", span=span),
        expected=Message("every year between the first and the last"),
        severity="warning",
    )


def _unseen_years(years: Sequence[int], rows: IndexArray) -> list[Problem]:
    """Report once the years that no region has though the spacing of the others asks for them."""
    steps = np.diff(years)
    if len(steps) == 0 or (steps == steps[0]).all():
        return []
    step = int(np.gcd.reduce(steps))
    unseen = [year for year in range(years[0], years[-1], step) if year not in set(years)]
    named = ", ".join(map(str, unseen[:SHOWN])) + (", ..." if len(unseen) > SHOWN else "")
    before = rows[:, max(position for position, year in enumerate(years) if year < unseen[0])]
    return [
        Problem(
            rule="gap",
            message=Message("no region has a row for {years}; nothing is filled in", years=named),
            row=int(before[before > 0][0]),
            found=Message("nothing for {span}", span=named),
            expected=Message("evenly spaced years"),
            severity="warning",
        )
    ]


def magnitudes(grids: Mapping[str, Grid], currency: str, without_unit: Collection[str] = ()) -> list[Problem]:
    """Output per head that no economy has: most likely a wrong unit of output or population."""
    upper = greatest_per_head(currency)
    problems = []
    if "output_per_head" in grids:
        grid = grids["output_per_head"]
        severity: Severity = "warning" if "output_per_head" in without_unit else "error"
        problems += _out_of_range(grid, grid.values, LEAST_PER_HEAD, upper, Message("output per head"), severity)
    if "output" in grids and "population" in grids:
        grid = grids["output"]
        with np.errstate(over="ignore"):
            per_head = grid.values / grids["population"].values
        problems += _out_of_range(
            grid,
            per_head,
            LEAST_PER_HEAD,
            upper,
            Message("output divided by population"),
        )
    return problems


def _out_of_range(
    grid: Grid, per_head: Array, lower: float, upper: float, what: str, severity: Severity = "error"
) -> list[Problem]:
    """Report values out of range: many as one."""
    wrong = (per_head < lower) | (per_head > upper)
    count, held = int(wrong.sum()), int((~np.isnan(per_head)).sum())
    places = sorted(map(tuple, np.argwhere(wrong)), key=lambda place: int(grid.rows[place]))
    more = ""
    if count > FEW or (count > 1 and count > held / 2):
        places = places[:1]
        others = "" if count == held else Message("; {others} others are in range", others=held - count)
        more = Message(" (one of {count} such values{others})", count=count, others=others)
    advice = Message("check the units") if count == held or not more else Message("does the column hold two units?")
    if severity == "warning":
        advice = Message("no unit is given, and regions can be compared on any scale")
    return [
        Problem(
            rule="magnitude",
            message=Message(
                "{what} is {value:.4g} a year{more}; {advice}",
                what=what,
                value=per_head[place],
                more=more,
                advice=advice,
            ),
            row=int(grid.rows[place]),
            column=grid.column(place),
            found=grid.text(place),
            expected=Message("output per head from {low:,.0f} to {high:,.0f}", low=lower, high=upper),
            severity=severity,
        )
        for place in places
    ]


def breaks(grids: Mapping[str, Grid], axes: Axes) -> list[Problem]:
    """Output or population that changes so much that two units must stand in one column."""
    problems = []
    for name in ("output", "output_per_head", "population"):
        if name in grids:
            problems += _jumps(name, grids[name], axes)
    if "output_per_head" in grids:
        problems += _strangers(grids["output_per_head"], axes)
    return problems


def _jumps(variable: str, grid: Grid, axes: Axes) -> list[Problem]:
    """Report the first of the changes by `LEAP` since a region was last seen, or by `JUMP` since the year before."""
    # Over years without data it may have grown as fast as `FASTEST` before.
    before = _last_seen(grid.values)
    earlier = np.take_along_axis(grid.values, np.maximum(before, 0), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(before >= 0, grid.values / earlier, np.nan)
    size = np.nan_to_num(np.maximum(ratio, 1 / np.where(ratio > 0, ratio, np.nan)), nan=1.0)
    years = np.asarray(axes.years)
    apart = np.maximum(years - years[np.maximum(before, 0)], 1)
    slow = size / FASTEST ** (apart - 1.0)
    beside = before == np.arange(grid.values.shape[1]) - 1
    for changes, factor, severity in ((slow, LEAP, "error"), (np.where(beside, slow, 1.0), JUMP, "warning")):
        places = np.argwhere(changes >= factor)
        if len(places):
            region, column = places[0]
            start = before[region, column]
            count = Message(" (the first of {count} such changes)", count=len(places)) if len(places) > 1 else ""
            return [
                Problem(
                    rule=JUMPED,
                    message=Message(
                        "{variable} of region {region} changes by a factor of {size:,.3g} from {start} to "
                        "{year}{more}; does the column hold two units, or is a decimal point misplaced?",
                        variable=variable,
                        region=axes.regions[region].code,
                        size=size[region, column],
                        start=axes.years[start],
                        year=axes.years[column],
                        more=count,
                    ),
                    row=int(grid.rows[region, column]),
                    column=grid.column((region, column)),
                    found=Message(
                        "{first}, then {second}", first=grid.text((region, start)), second=grid.text((region, column))
                    ),
                    expected=Message(
                        "changes by less than a factor of {factor:g}, in one unit and steady prices", factor=factor
                    ),
                    severity="error" if severity == "error" else "warning",
                )
            ]
    return []


def _last_seen(values: Array) -> IndexArray:
    """Column before each in which the region was last seen, -1 where there is none."""
    seen = np.where(np.isfinite(values), np.arange(values.shape[1]), -1)
    before = np.full(values.shape, -1, dtype=np.int64)
    before[:, 1:] = np.maximum.accumulate(seen, axis=1)[:, :-1]
    return before


def _middles(values: Array) -> Array:
    """Median of the finite values of each region, NaN where there is none."""
    ordered = np.sort(np.where(np.isfinite(values), values, np.nan), axis=1)
    held = np.isfinite(ordered).sum(axis=1)
    row = np.arange(len(values))
    # Without a value both are -1, where the last is NaN.
    return np.asarray((ordered[row, (held - 1) // 2] + ordered[row, held // 2 - (held == 0)]) / 2)


def _strangers(grid: Grid, axes: Axes) -> list[Problem]:
    """Report regions whose output per head lies far beyond what any two economies differ by."""
    levels = _middles(grid.values)
    held = levels[np.isfinite(levels) & (levels > 0)]
    if len(held) < 3:
        return []
    middle = float(np.median(held))
    away = np.nan_to_num(np.maximum(levels / middle, middle / np.where(levels > 0, levels, np.nan)), nan=1.0)
    places = np.flatnonzero(away >= STRANGE)
    if not len(places):
        return []
    first = int(places[0])
    column = int(np.flatnonzero(np.isfinite(grid.values[first]))[0])
    codes = ", ".join(axes.regions[place].code for place in places[:SHOWN]) + (", ..." if len(places) > SHOWN else "")
    times = f"{away[first]:,.0f}" if away[first] < 1e12 else f"{away[first]:.0e}"
    return [
        Problem(
            rule="mixed-units",
            message=Message(
                "output per head of {codes} is {times} times away from the middle of the regions; does the column "
                "hold two units?",
                codes=codes,
                times=times,
            ),
            row=int(grid.rows[first, column]),
            column=grid.column((first, column)),
            found=grid.text((first, column)),
            expected=Message(
                "regions within a factor of {factor:g} of their middle, {middle:,.0f}", factor=STRANGE, middle=middle
            ),
        )
    ]


def parts_and_wholes(grids: Mapping[str, Grid]) -> list[Problem]:
    """Employment in information services that exceeds the employment it is part of."""
    if "ict_employment" not in grids or "urban_unit_employment" not in grids:
        return []
    part, whole = grids["ict_employment"], grids["urban_unit_employment"]
    return [
        Problem(
            rule="impossible-value",
            message=Message("more people in information services than in all urban units"),
            row=int(part.rows[place]),
            column=part.column(place),
            found=part.text(place),
            expected=Message("at most urban_unit_employment, {value}", value=whole.text(place)),
        )
        for place in map(tuple, np.argwhere(part.values > whole.values))
    ]


def zeros(grids: Mapping[str, Grid], axes: Axes) -> list[Problem]:
    """Shares of nothing between years with something: most likely a cell that was not observed."""
    problems = []
    for name, grid in grids.items():
        if name not in VARIABLES or VARIABLES[name].kind not in ("share", "per 100"):
            continue
        some = grid.values > 0
        before = np.logical_or.accumulate(some, axis=1)
        after = np.logical_or.accumulate(some[:, ::-1], axis=1)[:, ::-1]
        for region, column in np.argwhere((grid.values == 0) & before & after)[:1]:
            problems.append(
                Problem(
                    rule="zero",
                    message=Message(
                        "{variable} of region {region} is zero in {year} and above zero before and after; leave the "
                        "cell empty where nothing was observed",
                        variable=name,
                        region=axes.regions[region].code,
                        year=axes.years[column],
                    ),
                    row=int(grid.rows[region, column]),
                    column=grid.column((region, column)),
                    found=grid.text((region, column)),
                    expected=Message("a share like those before and after"),
                    severity="warning",
                )
            )
    return problems


def _country(axes: Axes, currency: str) -> frozenset[str]:
    """What the country of the regions is called by its currency; nothing where several regions are countries."""
    every = frozenset().union(*_COUNTRIES.values())
    if sum(not every.isdisjoint({key(region.code), key(region.name_en)}) for region in axes.regions) > 1:
        return frozenset()
    return _COUNTRIES.get(currency, frozenset()) if currency != CURRENCY else every


def totals(grids: Mapping[str, Grid], axes: Axes, heading: str, currency: str) -> list[Problem]:
    """Doubt regions that are called like a total, or whose output and population are the sums of all others."""
    if len(axes.regions) == 1:
        return []
    summed = [_is_sum(grids[name].values) for name in _SUMMED if name in grids]
    by_number = np.all(summed, axis=0) if summed else np.zeros(len(axes.regions), dtype=bool)
    groups = Counter(region.group for region in axes.regions)
    names = _NAMES | _country(axes, currency)
    problems = []
    for place, region in enumerate(axes.regions):
        # A class of many that is called "country" is no total.
        own = {key(region.code), key(region.name_en)} | ({key(region.group)} if groups[region.group] == 1 else set())
        called = not own.isdisjoint(names)
        if called or by_number[place]:
            why = Message("it is the sum of the others within {share:.0%}", share=CLOSE)
            why = Message("it is called like that") if called else why
            rows = np.concatenate([grid.rows[place] for grid in grids.values()])
            problems.append(
                Problem(
                    rule="total",
                    message=Message(
                        "{region} seems to be all regions together ({why}), and counts as one of them; `drop: "
                        '{{"{heading}": ["{code}"]}}` in a mapping file leaves it out',
                        region=region.code,
                        why=why,
                        heading=heading,
                        code=region.code,
                    ),
                    row=int(rows[rows > 0].min()) if (rows > 0).any() else None,
                    column=heading,
                    found=region.code,
                    expected=Message("a region"),
                    severity="warning",
                )
            )
    return problems


def _is_sum(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which regions are the sum of all others wherever all are known, shape (region,)."""
    known = np.isfinite(values).all(axis=0)
    if len(values) < LEAST_REGIONS or known.sum() < LEAST_YEARS:
        return np.zeros(len(values), dtype=bool)
    others = values[:, known].sum(axis=0) - values[:, known]
    return np.asarray((np.abs(values[:, known] - others) <= CLOSE * others).all(axis=1))


def _per(numerator: str, denominator: str, scale: float, values: Mapping[str, Array]) -> Array | None:
    if numerator not in values or denominator not in values:
        return None
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = scale * values[numerator] / values[denominator]
    return np.where(np.isfinite(ratio), ratio, np.nan)


def derived(values: Mapping[str, Array]) -> dict[str, Array]:
    """Variables that can be computed and are not there."""
    # output per head = output / population; output = output per head x population; users and ports per 100 = 100 x
    # users or ports / population; share of information services = their employment / urban employment; urban share =
    # urban / (urban + rural population), which may be of another vintage than the population.
    town, country = values.get("urban_population"), values.get("rural_population")
    people = {} if town is None or country is None else {"town": town, "all": town + country}
    made: dict[str, Array | None] = {
        "output_per_head": _per("output", "population", 1.0, values),
        "output": values["output_per_head"] * values["population"]
        if {"output_per_head", "population"} <= set(values)
        else None,
        "mobile_internet_per_100": _per("mobile_internet_users", "population", 100.0, values),
        "broadband_ports_per_100": _per("broadband_ports", "population", 100.0, values),
        "ict_employment_share": _per("ict_employment", "urban_unit_employment", 1.0, values),
        "urban_share": _per("town", "all", 1.0, people),
    }
    return {name: array for name, array in made.items() if array is not None and name not in values}


def derived_unit(name: str) -> str:
    """Canonical unit of a derived variable, with ``currency`` as a placeholder."""
    return VARIABLES[name].unit

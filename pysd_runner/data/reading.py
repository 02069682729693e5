"""Convert tables to data: put cells on a grid of entities and times, and check and assemble panels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from pysd_runner.core.errors import InvalidPanel, Message
from pysd_runner.core.findings import Finding, errors_of
from pysd_runner.core.types import Arrays, Texts, frozen
from pysd_runner.data.cells import (
    DERIVED,
    Cells,
    Column,
    Grid,
    IndexArray,
    Observations,
    TextArray,
    TextFile,
    is_empty,
    joined,
    texts_of,
    to_grid,
)
from pysd_runner.data.checks import CHECKS, Draft
from pysd_runner.data.dataset import REGION, Data
from pysd_runner.data.layout import Layout, interpret, missing_column, observe, take_unit_row
from pysd_runner.data.mapping import (
    Declarations,
    PanelMapping,
    declarations_beside,
    no_such_heading,
)
from pysd_runner.data.names import CURRENCY, REQUIRED, VARIABLES, Entity, bare, key
from pysd_runner.data.numbers import numbers_of, styles_of
from pysd_runner.data.regions import (
    NOT_YEARLY,
    RegionBook,
    YearSeries,
    national_of,
    places_of,
    regions_of,
    with_tiles,
    years_of,
)
from pysd_runner.data.series import ObservedQuantity, SeriesTable
from pysd_runner.data.sources import Source, columns_of, shipped_panels
from pysd_runner.data.units import YUAN, Measure, measures

if TYPE_CHECKING:
    import pandas as pd

    Rows = pd.DataFrame | Mapping[str, Sequence[object]] | Sequence[Mapping[str, object]]

# A file, or its contents as a data frame, a dictionary of columns or a list of rows.
Regions: TypeAlias = "str | Path | Sequence[Entity] | Rows | None"
National: TypeAlias = "str | Path | Mapping[str, Mapping[int, float]] | pd.DataFrame | None"
SIDECAR = "national.csv"
MONEY = ("money", "money per head")
# A grid, the index of a cell, and the grid point of the cell, which was already taken.
Repeat: TypeAlias = tuple[Grid, int, tuple[int, ...]]


@frozen
class _Context:
    """Inputs of the panel reader other than tables."""

    files: Sequence[Source]
    mapping: PanelMapping
    declared: Declarations
    units: Texts  # by variable, where the files give none
    book: RegionBook | None
    national: YearSeries
    is_part: bool  # whether the files may lack columns and years, which another panel has


def gridded(
    observed: Sequence[Cells],
    places: Sequence[Sequence[IndexArray]],
    shape: tuple[int, ...],
    mapping: PanelMapping,
    measured: Mapping[str, Measure] = {},
) -> tuple[list[Grid], list[Finding], list[Repeat]]:
    """Convert the cells of quantities to numbers, and put them on a grid; also return those whose place was taken."""
    missing = frozenset(mapping.missing)
    styles, problems = styles_of(observed, missing, mapping.decimal)
    grids, repeats = [], []
    for cells, place in zip(observed, places, strict=True):
        measure = measured.get(cells.variable, Measure())
        values, faulty, found = numbers_of(cells, measure, missing, styles[cells.variable])
        grid, again = to_grid(cells, values, faulty, place, shape)
        grids.append(grid)
        problems += found
        repeats += [(grid, *cell) for cell in again]
    return grids, problems, repeats


def read_series(file: Source, raw: TextFile, mapping: PanelMapping) -> tuple[list[Finding], Data | None]:
    """Read a file as time series of any kind, in the units of the file."""
    found = SeriesTable(raw, mapping)
    problems = found.problems
    if errors_of(problems):
        return problems, None
    used, moments = np.unique(found.times, return_inverse=True)
    columns = {}
    for item in found.quantities.values():
        shape = (*(len(found.labels[axis]) for axis in item.axes), len(used))
        (grid,), wrong, repeats = gridded([item.cells], [[*item.places, moments[item.cells.take]]], shape, mapping)
        problems += [*wrong, *dict.fromkeys(_twice(item, found.labels, *again) for again in repeats)]
        columns[item.name] = Column(
            name=item.name, values=grid.values, axes=tuple(item.axes), unit=item.unit, variable=item.target
        )
        if not np.isfinite(grid.values).any():
            problems.append(_no_value(item.name))
    if errors_of(problems):
        return problems, None
    over = {axis for column in columns.values() for axis in column.axes}
    data = Data(
        name=Path(file.name("table")).stem,
        times=used,
        columns=columns,
        time_unit=found.time_unit,
        entities={axis: tuple(map(Entity.of, labels)) for axis, labels in found.labels.items() if axis in over},
        dates=tuple(found.dates[moment] for moment in used) if found.dates else (),
        provenance={"file": file.name(file.called)},
    )
    return problems, data


def _twice(
    item: ObservedQuantity, labels: Mapping[str, tuple[str, ...]], grid: Grid, cell: int, place: tuple[int, ...]
) -> Finding:
    names = ", ".join(labels[axis][at] for axis, at in zip(item.axes, place[:-1], strict=True))
    message = Message(
        "{name} has a second value at this time{who}; the first stands in row {row}. Name the columns that tell "
        "the rows apart with `entity` (--entity), or leave one out",
        name=item.name,
        who=Message(" for {names}", names=names) if names else "",
        row=grid.rows[place],
    )
    return item.cells.problem(cell, "duplicate", message, Message("one value for each time and entity"))


def _no_value(name: str) -> Finding:
    message = Message("{variable} has no value at all", variable=name)
    return Finding("no-values", message, column=name, expected=Message("numbers"))


def read_panel(
    files: Sequence[Source],
    tables: Sequence[TextFile],
    mapping: PanelMapping,
    regions: Regions,
    national: National,
    onto: Data | None = None,
) -> tuple[list[Finding], Data | None]:
    """Read files as one panel, or as figures for some of the columns and years of the panel `onto`."""
    context, problems = _context(files, mapping, regions, national, onto)
    parts: list[tuple[TextFile, Layout, Observations]] = []
    known: set[str] = set()
    for file, raw in zip(files, tables, strict=True):
        table, layout, observations, found = _part(file, raw, mapping)
        if len(files) > 1 or context.is_part:
            # Output may be in another file; if it is in none, that is reported below.
            found = [item for item in found if (item.rule, item.column) != ("missing-column", "output")]
        problems += in_file(found, file, files)
        known |= _spellings(table, layout)
        parts.append((table, layout, observations))
    table, layout, observations = parts[0]
    problems += [no_such_heading(heading, table, "columns") for heading in mapping.columns if key(heading) not in known]
    if len(parts) > 1:
        roles = {role: meaning for _, other, _ in reversed(parts) for role, meaning in other.roles.items()}
        layout = Layout(shape="long", roles=roles)
        observations = joined([(file.name("panel"), part[2]) for file, part in zip(files, parts, strict=True)])
    problems += [] if context.is_part else _undeclared(observations, layout, table)
    found, data = _assembled(context, table, layout, observations)
    problems += [item for item in found if not (context.is_part and item.rule == "absent-region")]
    # Whatever else is wrong with such a file follows from this.
    return [item for item in problems if item.rule == NOT_YEARLY] or problems, data


def _part(file: Source, raw: TextFile, mapping: PanelMapping) -> tuple[TextFile, Layout, Observations, list[Finding]]:
    """One file of a panel in the form of a panel file, its layout and what it holds."""
    table, selected = file.in_form(raw, mapping)
    layout, headings = interpret(table, mapping.columns)
    table, layout = take_unit_row(table, layout)
    observations, names = observe(table, layout, mapping.columns)
    return table, layout, observations, [*table.problems, *selected, *headings, *names]


def _assembled(
    context: _Context, table: TextFile, layout: Layout, observations: Observations
) -> tuple[list[Finding], Data | None]:
    mapping, keys, observed = context.mapping, observations.keys, observations.cells
    heading = layout.roles["region"].heading if "region" in layout.roles else "region"
    measured, problems = measures(observed, mapping.units, context.units, frozenset(mapping.missing))
    regions: tuple[Entity, ...] = ()
    index = of_row = np.full(len(keys["row"]), -1)
    if "region" in layout.roles:
        regions, index, found = places_of(keys, heading, context.book)
        problems += found
    if "year" in layout.roles:
        of_row, found = years_of(keys["year"], keys["row"], layout.roles["year"].heading)
        problems += found
    # Rows of an unknown region count for no year.
    of_row = np.where(index < 0, -1, of_row)
    years = np.unique(np.concatenate([of_row[:0], *(of_row[cells.take] for cells in observed)]))
    years = years[years >= 0]
    at = np.where(of_row >= 0, np.searchsorted(years, of_row), -1)
    places = [(index[cells.take], at[cells.take]) for cells in observed]
    grids, found, repeats = gridded(observed, places, (len(regions), len(years)), mapping, measured)
    # A repeated row repeats every variable, but is one problem.
    problems += [*found, *dict.fromkeys(_repeated(regions, years, *again) for again in repeats)]
    if not (grids and regions and "year" in layout.roles):
        return problems, None
    draft = Draft(
        regions=regions,
        heading=heading,
        years=tuple(map(int, years)),
        grids={grid.cells.variable: grid for grid in grids},
        measured=measured,
    )
    for check in () if context.is_part else CHECKS:
        problems += check(draft)
    return problems, _panel(context, draft, table, layout)


def _repeated(regions: Sequence[Entity], years: IndexArray, grid: Grid, cell: int, place: tuple[int, ...]) -> Finding:
    region, year = regions[place[0]].code, years[place[1]]
    first, row = int(grid.rows[place]), int(grid.cells.rows[cell])
    return Finding(
        "duplicate",
        Message("region {region} in {year} already stands in row {row}", region=region, year=year, row=first),
        row=row,
        found=Message("{what} in rows {first} and {second}", what=f"{region}, {year}", first=first, second=row),
        expected=Message("one row for each region and year"),
    )


def _panel(context: _Context, draft: Draft, table: TextFile, layout: Layout) -> Data:
    """Assemble the panel in canonical units, and add derived variables to the observed ones."""
    mapping, files = context.mapping, context.files
    rate = mapping.yuan_per_unit or 1.0
    currency = draft.currency if mapping.yuan_per_unit is None else YUAN
    values = {
        name: grid.values * (rate if name in VARIABLES and VARIABLES[name].kind in MONEY else 1.0)
        for name, grid in draft.grids.items()
    }
    columns = {}
    for name, array in {**values, **derived(values)}.items():
        # Units of variables of the user's own are as in the file.
        unit = VARIABLES[name].unit.replace(CURRENCY, currency) if name in VARIABLES else draft.measured[name].unit
        marks = (
            _marks(draft.grids[name], context.declared, draft.years)
            if name in values
            else np.where(np.isfinite(array), DERIVED, "").astype(object)
        )
        columns[name] = Column(name=name, values=array, axes=(REGION,), unit=unit, marks=marks)
    bases = (measure.price_basis for measure in draft.measured.values() if measure.price_basis)
    data = Data(
        name=context.declared.name or Path(files[0].name("panel")).stem,
        times=np.array(draft.years, dtype=float),
        columns=columns,
        entities={REGION: draft.regions},
        time_unit="year",
        currency=currency,
        price_basis=mapping.price_basis or next(bases, ""),
        provenance={
            "file": ", ".join(file.name("panel") for file in files),
            "file_sha256": " ".join(file.sha256 for file in files),
            "encoding": table.encoding,
            "shape": layout.shape,
            "headings": {meaning.name: meaning.heading for meaning in (*layout.roles.values(), *layout.observed)},
            "file_units": {name: measure.text for name, measure in draft.measured.items()},
            "yuan_per_unit": mapping.yuan_per_unit,
        },
    )
    return data.with_national(context.national)


def derived(values: Arrays) -> Arrays:
    """Compute variables that were not observed from those that were."""
    found = {}
    for name, variable in VARIABLES.items():
        if variable.formula is not None and name not in values and set(variable.needs) <= set(values):
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                array = variable.formula(*(values[needed] for needed in variable.needs))
            found[name] = np.where(np.isfinite(array), array, np.nan)
    return found


def holds_panel(file: Source, raw: TextFile, mapping: PanelMapping) -> bool:
    """Whether a file has regions, years and output."""
    if not raw.header:
        return False
    _, layout, observations, _ = _part(file, raw, mapping)
    return {"region", "year"} <= {*layout.roles} and any(cells.variable in REQUIRED for cells in observations.cells)


def in_file(problems: Sequence[Finding], file: Source, files: Sequence[Source]) -> list[Finding]:
    """Add the file name to findings, if there are several files."""
    if len(files) == 1:
        return list(problems)
    where = file.name("panel")
    return [replace(item, message=Message("{where}: {said}", where=where, said=item.message)) for item in problems]


def _context(
    files: Sequence[Source], mapping: PanelMapping, regions: Regions, national: National, onto: Data | None
) -> tuple[_Context, list[Finding]]:
    problems: list[Finding] = []
    path = files[0].path

    def tried(read: Callable[[], Any], otherwise: Any, rule: str, expected: str) -> Any:
        try:
            return read()
        except InvalidPanel as error:
            problems.append(Finding(rule, str(error), expected=expected))
            return otherwise

    declared = tried(lambda: declarations_beside(path), Declarations(), "declarations", Message("usable declarations"))
    of_regions = regions if regions is not None else mapping.regions or declared.regions
    book = tried(lambda: _book(of_regions), None, "region-file", Message("a usable region file"))
    beside = national if national is not None else mapping.national or declared.national
    series = tried(lambda: _national(beside, path), {}, "national-file", Message("a usable file of national series"))
    known: Any = {} if onto is None else onto.provenance.get("file_units", {})
    context = _Context(
        files=files,
        mapping=mapping,
        declared=declared,
        units={**declared.units, **known},
        book=book,
        national=series,
        is_part=onto is not None,
    )
    return context, problems


def _book(regions: Regions) -> RegionBook | None:
    if regions is None:
        return None
    if not isinstance(regions, str | Path):
        if not hasattr(regions, "keys") and all(isinstance(item, Entity) for item in regions):
            return RegionBook(_apart(cast("Sequence[Entity]", regions)))
        import pandas as pd

        return regions_of(columns_of(pd.DataFrame(regions)), Path("regions"))
    shipped = shipped_panels()
    if str(regions) in shipped and not Path(regions).is_file():
        file = declarations_beside(shipped[str(regions)]).regions
        return regions_of(file, file) if file else None
    return regions_of(Path(regions), Path(regions))


def _apart(regions: Sequence[Entity]) -> list[Entity]:
    """Give every region its own tile if some share one, as regions created without tiles do."""
    shared = len({(region.row, region.column) for region in regions}) < len(regions)
    return with_tiles([replace(region, row=-1, column=-1) for region in regions] if shared else regions)


def _national(given: National, path: Path) -> YearSeries:
    if hasattr(given, "columns"):
        return national_of(columns_of(cast("pd.DataFrame", given)), Path("national"))
    if isinstance(given, Mapping):
        return {name: {int(year): float(value) for year, value in series.items()} for name, series in given.items()}
    if given is not None:
        return national_of(Path(given), Path(given))
    beside = path.parent / SIDECAR
    return national_of(beside, beside) if beside.is_file() and beside != path else {}


def _spellings(table: TextFile, layout: Layout) -> set[str]:
    """Keys by which a mapping may name the columns and variables of a file."""
    position = layout.position("variable")
    names = {*table.header, *(() if position is None else texts_of(table.columns[position]))}
    return {spelled for name in names for spelled in (key(name), bare(name))}


def _undeclared(observations: Observations, layout: Layout, table: TextFile) -> list[Finding]:
    """Report required variables that a long file does not hold, and a missing population."""
    held = {cells.variable for cells in observations.cells}
    problems = []
    if layout.shape != "wide" and held and not held & set(REQUIRED):
        guess = sorted(held - {*VARIABLES})
        problems.append(missing_column("output", sorted(held), table.header_row, guess[0] if len(guess) == 1 else ""))
    if "population" not in held:
        problems.append(
            Finding(
                "no-population",
                Message("there is no population: equal shares will stand in for it, marked imputed"),
                row=table.header_row,
                expected=Message("population"),
                severity="warning",
            )
        )
    return problems + [
        _no_value(cells.variable)
        for cells in observations.cells
        if cells.variable in REQUIRED and len(cells.entries) and is_empty(cells.entries).all()
    ]


def _marks(grid: Grid, declared: Declarations, years: Sequence[int]) -> TextArray:
    marks, of_years = grid.marks(), np.array(years)
    for mark in declared.marks.get(grid.cells.variable, ()):
        marks[np.isfinite(grid.values) & (of_years >= mark.first) & (of_years <= mark.last)] = mark.flag
    return marks

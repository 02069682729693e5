"""Convert tables to data: put cells on a grid of entities and times, and check and assemble panels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

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
    mapped,
    no_such_heading,
    selected_rows,
    variable_name,
)
from pysd_runner.data.names import CURRENCY, REQUIRED, VARIABLES, Entity, bare, key, split_unit
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
from pysd_runner.data.series import Clock, ObservedQuantity, SeriesTable
from pysd_runner.data.sources import Source, columns_of, shipped_panels
from pysd_runner.data.units import YUAN, Measure, measures

if TYPE_CHECKING:
    import pandas as pd

    Rows = pd.DataFrame | Mapping[str, Sequence[object]] | Sequence[Mapping[str, object]]

# A file, or its contents as a data frame, a dictionary of columns or a list of rows.
Regions: TypeAlias = "str | Path | Sequence[Entity] | Rows | None"
National: TypeAlias = "str | Path | Mapping[str, Mapping[int, float]] | pd.DataFrame | None"
_Read = TypeVar("_Read")
SIDECAR = "national.csv"
MONEY = ("money", "money per head")
# Creates the finding for a cell whose grid point is already taken.
Repeated = Callable[[Grid, int, tuple[int, ...]], Finding]


@frozen
class _Context:
    """Inputs of the panel reader other than tables."""

    files: tuple[Source, ...]
    mapping: PanelMapping
    declared: Declarations
    book: RegionBook | None
    national: YearSeries
    is_part: bool = False  # whether the files may lack columns and years, which another panel has


def gridded(
    observed: Sequence[Cells],
    places: Sequence[Sequence[IndexArray]] | None,
    shape: tuple[int, ...],
    mapping: PanelMapping,
    repeated: Repeated,
    measured: Mapping[str, Measure] = {},
) -> tuple[list[Grid], list[Finding]]:
    """Convert the cells of quantities to numbers, and put them on a grid if their positions are known."""
    missing = frozenset(mapping.missing)
    styles, problems = styles_of(observed, missing, mapping.decimal)
    grids, repeats = [], []
    for number, cells in enumerate(observed):
        measure = measured.get(cells.variable, Measure())
        values, faulty, found = numbers_of(cells, measure, missing, styles[cells.variable])
        problems += found
        if places is not None:
            grid, again = to_grid(cells, values, faulty, places[number], shape)
            grids.append(grid)
            repeats += [repeated(grid, cell, place) for cell, place in again]
    # A repeated row repeats every variable, but is one problem.
    return grids, [*problems, *dict.fromkeys(repeats)]


def read_series(file: Source, raw: TextFile, mapping: PanelMapping, clock: Clock) -> tuple[list[Finding], Data | None]:
    """Read a file as time series of any kind, in the units of the file."""
    table, told = selected_rows(raw, mapping)
    problems = [*table.problems, *told]
    if errors_of(problems):
        return problems, None
    found = SeriesTable(table, mapping, clock)
    problems += found.problems
    if errors_of(problems):
        return problems, None
    used, moments = np.unique(found.moments.numbers, return_inverse=True)
    columns = {}
    for item in found.quantities.values():
        shape = (*(len(found.labels[axis]) for axis in item.axes), len(used))
        places = [*item.places, moments[item.cells.take]]
        (grid,), wrong = gridded([item.cells], [places], shape, mapping, _twice(item, found.labels))
        problems += wrong
        columns[item.name] = Column(
            name=item.name, values=grid.values, axes=tuple(item.axes), unit=item.unit, variable=item.target
        )
        if not np.isfinite(grid.values).any():
            problems.append(_no_value(item.name))
    if errors_of(problems):
        return problems, None
    data = Data(
        name=file.path.stem if file.held is None else "table",
        times=used,
        columns=columns,
        time_unit=found.moments.unit,
        entities={
            axis: tuple(map(Entity.of, labels))
            for axis, labels in found.labels.items()
            if any(axis in column.axes for column in columns.values())
        },
        dates=tuple(found.moments.dates[moment] for moment in used) if found.moments.dates else (),
        provenance={"file": file.name(file.called)},
    )
    return problems, data


def _twice(item: ObservedQuantity, labels: Mapping[str, tuple[str, ...]]) -> Repeated:
    def problem(grid: Grid, cell: int, place: tuple[int, ...]) -> Finding:
        names = ", ".join(labels[axis][at] for axis, at in zip(item.axes, place[:-1], strict=True))
        message = Message(
            "{name} has a second value at this time{who}; the first stands in row {row}. Name the columns that tell "
            "the rows apart with `entity` (--entity), or leave one out",
            name=item.name,
            who=Message(" for {names}", names=names) if names else "",
            row=grid.rows[place],
        )
        return item.cells.problem(cell, "duplicate", message, Message("one value for each time and entity"))

    return problem


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
    context, problems = _context(files, mapping, regions, national)
    if onto is not None:
        units = cast("Texts", onto.provenance.get("file_units", {}))
        declared = replace(context.declared, units={**context.declared.units, **units})
        context = replace(context, declared=declared, is_part=True)
    parts: list[tuple[TextFile, Layout, Observations]] = []
    unused: list[dict[str, Finding]] = []
    for file, raw in zip(files, tables, strict=True):
        table, selected = file.in_form(raw, mapping)
        layout, headings = interpret(table, mapping.columns)
        table, layout = take_unit_row(table, layout)
        observations, names = observe(table, layout, mapping.columns)
        found = [*table.problems, *selected, *headings, *names]
        if len(files) > 1 or context.is_part:
            # Output may be in another file; if it is in none, that is reported below.
            found = [item for item in found if (item.rule, item.column) != ("missing-column", "output")]
        problems += in_file(found, file, files)
        unused.append({item.column: item for item in _unused_mapping(table, layout, mapping)})
        parts.append((table, layout, observations))
    # Report headings of the mapping that are in none of the files.
    problems += [item for heading, item in unused[0].items() if all(heading in other for other in unused)]
    table, layout, observations = parts[0]
    if len(parts) > 1:
        roles = {role: meaning for _, other, _ in reversed(parts) for role, meaning in other.roles.items()}
        layout = Layout(shape="long", roles=roles)
        observations = joined([(file.name("panel"), part[2]) for file, part in zip(files, parts, strict=True)])
    problems += [] if context.is_part else _undeclared(observations, layout, table)
    found, data = _assembled(context, table, layout, observations)
    problems += [item for item in found if not (context.is_part and item.rule == "absent-region")]
    # Whatever else is wrong with such a file follows from this.
    return [item for item in problems if item.rule == NOT_YEARLY] or problems, data


def _assembled(
    context: _Context, table: TextFile, layout: Layout, observations: Observations
) -> tuple[list[Finding], Data | None]:
    mapping, keys, observed = context.mapping, observations.keys, observations.cells
    heading = layout.roles["region"].heading if "region" in layout.roles else "region"
    measured, problems = measures(observed, mapping.units, context.declared.units, frozenset(mapping.missing))
    regions: tuple[Entity, ...] = ()
    index: IndexArray = np.full(len(keys.rows), -1)
    if "region" in layout.roles:
        regions, index, found = places_of(keys, heading, context.book)
        problems += found
    of_cells, found = _years(observations, layout)
    problems += found
    years = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *of_cells]))
    years = years[years >= 0]
    is_placed = {"region", "year"} <= {*layout.roles}
    places = [
        (index[cells.take], np.where(of >= 0, np.searchsorted(years, of), -1))
        for cells, of in zip(observed, of_cells, strict=False)
    ]

    def repeated(grid: Grid, cell: int, place: tuple[int, ...]) -> Finding:
        region, year = regions[place[0]].code, years[place[1]]
        first, row = int(grid.rows[place]), int(grid.cells.rows[cell])
        return Finding(
            "duplicate",
            Message("region {region} in {year} already stands in row {row}", region=region, year=year, row=first),
            row=row,
            found=Message("{what} in rows {first} and {second}", what=f"{region}, {year}", first=first, second=row),
            expected=Message("one row for each region and year"),
        )

    shape = (len(regions), len(years))
    grids, found = gridded(observed, places if is_placed else None, shape, mapping, repeated, measured)
    problems += found
    if not grids:
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
    return problems, _panel(context, draft, _provenance(context, table, layout, measured))


def _years(observations: Observations, layout: Layout) -> tuple[list[IndexArray], list[Finding]]:
    """Year of every cell; the year column is checked only once for all variables."""
    if "year" not in layout.roles:
        return [], []
    keys = observations.keys
    years, problems = years_of(keys.years, keys.rows, layout.roles["year"].heading)
    return [years[cells.take] for cells in observations.cells], problems


def _panel(context: _Context, draft: Draft, provenance: Mapping[str, object]) -> Data:
    """Assemble the panel in canonical units, and add derived variables to the observed ones."""
    rate = context.mapping.yuan_per_unit or 1.0
    currency = draft.currency if context.mapping.yuan_per_unit is None else YUAN
    columns = {}
    for name, grid in draft.grids.items():
        known = VARIABLES.get(name)
        is_money = known is not None and known.kind in MONEY
        unit = draft.measured[name].unit
        columns[name] = Column(
            name=name,
            values=grid.values * rate if is_money else grid.values,
            axes=(REGION,),
            unit=unit if known is None else unit.replace(CURRENCY, currency),
            marks=_marks(grid, context.declared, draft.years),
        )
    columns |= {
        name: Column(
            name=name,
            values=array,
            axes=(REGION,),
            unit=VARIABLES[name].unit.replace(CURRENCY, currency),
            marks=np.where(np.isfinite(array), DERIVED, "").astype(object),
        )
        for name, array in derived({name: column.values for name, column in columns.items()}).items()
    }
    bases = (measure.price_basis for measure in draft.measured.values() if measure.price_basis)
    file = context.files[0]
    data = Data(
        name=context.declared.name or (file.path.stem if file.held is None else "panel"),
        times=np.array(draft.years, dtype=float),
        columns=columns,
        entities={REGION: draft.regions},
        time_unit="year",
        currency=currency,
        price_basis=context.mapping.price_basis or next(bases, ""),
        provenance=provenance,
    )
    return data.with_national(context.national)


def derived(values: Arrays) -> Arrays:
    """Compute the variables that were not observed but can be derived."""
    found = {}
    for name, variable in VARIABLES.items():
        if variable.formula is not None and name not in values and set(variable.needs) <= set(values):
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                array = variable.formula(*(values[needed] for needed in variable.needs))
            found[name] = np.where(np.isfinite(array), array, np.nan)
    return found


def holds_panel(table: TextFile, mapping: PanelMapping) -> bool:
    """Whether a file has regions, years and output."""
    if not table.header:
        return False
    layout, _ = interpret(table, mapping.columns)
    position = layout.position("variable")
    names = {meaning.name for meaning in layout.observed}
    if position is not None and layout.shape != "wide":
        texts = set(texts_of(table.columns[position]))
        names |= {variable_name(mapped(text, mapping.columns) or split_unit(text)[0]) for text in texts}
    return {"region", "year"} <= {*layout.roles} and not names.isdisjoint(REQUIRED)


def in_file(problems: Sequence[Finding], file: Source, files: Sequence[Source]) -> list[Finding]:
    """Add the file name to findings, if there are several files."""
    if len(files) == 1:
        return list(problems)
    where = file.name("panel")
    return [replace(item, message=Message("{where}: {said}", where=where, said=item.message)) for item in problems]


def _context(
    files: Sequence[Source], mapping: PanelMapping, regions: Regions, national: National
) -> tuple[_Context, list[Finding]]:
    problems: list[Finding] = []
    path, files = files[0].path, tuple(files)

    def tried(read: Callable[[], _Read], otherwise: _Read, rule: str, expected: str) -> _Read:
        try:
            return read()
        except InvalidPanel as error:
            problems.append(Finding(rule, str(error), expected=expected))
            return otherwise

    declared = tried(lambda: declarations_beside(path), Declarations(), "declarations", Message("usable declarations"))
    of_regions = regions if regions is not None else mapping.regions or declared.regions
    book = tried(lambda: _book(of_regions), None, "region-file", Message("a usable region file"))
    beside = national if national is not None else mapping.national or declared.national
    expected = Message("a usable file of national series")
    nothing: YearSeries = {}
    series = tried(lambda: _national(beside, path), nothing, "national-file", expected)
    return _Context(files=files, mapping=mapping, declared=declared, book=book, national=series), problems


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


def _unused_mapping(table: TextFile, layout: Layout, mapping: PanelMapping) -> list[Finding]:
    names = set(table.header)
    position = layout.position("variable")
    if position is not None:
        names |= set(texts_of(table.columns[position]))
    loose = {spelled for name in names for spelled in (key(name), bare(name))}
    return [no_such_heading(heading, table, "columns") for heading in mapping.columns if key(heading) not in loose]


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


def _marks(grid: Grid, declared: Declarations, years: Sequence[int]) -> TextArray | None:
    name, marks = grid.cells.variable, grid.marks()
    if marks is None and name not in declared.marks:
        return None
    marks = np.full(grid.values.shape, "", dtype=object) if marks is None else marks
    of_years = np.array(years)
    for mark in declared.marks.get(name, ()):
        marked = np.isfinite(grid.values) & (of_years >= mark.first) & (of_years <= mark.last)
        marks[marked] = mark.flag
    return marks


def _provenance(
    context: _Context, table: TextFile, layout: Layout, measured: Mapping[str, Measure]
) -> dict[str, object]:
    headings = {meaning.name: meaning.heading for meaning in (*layout.roles.values(), *layout.observed)}
    return {
        "file": ", ".join(file.name("panel") for file in context.files),
        "file_sha256": " ".join(file.sha256 for file in context.files),
        "encoding": table.encoding,
        "shape": layout.shape,
        "headings": headings,
        "file_units": {name: measure.text for name, measure in measured.items()},
        "yuan_per_unit": context.mapping.yuan_per_unit,
    }

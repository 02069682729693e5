"""Regions by year with their output: from files to data in canonical units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np

from pysd_runner.core.errors import InvalidPanel, Message, suggest
from pysd_runner.panel.assembly import (
    Axes,
    Grid,
    breaks,
    derived,
    derived_unit,
    gaps,
    magnitudes,
    parts_and_wholes,
    to_grid,
    totals,
    zeros,
)
from pysd_runner.panel.column import DERIVED, Column, Entity
from pysd_runner.panel.conversion import MONEY, Measure, currency_of, measures, panel_unit
from pysd_runner.panel.data import REGION, Data
from pysd_runner.panel.layout import Layout, interpret, mapped, missing_column, take_unit_row, variable_name
from pysd_runner.panel.mapping import PanelMapping
from pysd_runner.panel.names import REQUIRED, VARIABLES, key, split_unit, visible
from pysd_runner.panel.observations import (
    SIDECAR,
    Observations,
    Series,
    joined,
    national_of,
    observe,
    read_national,
    years_of,
)
from pysd_runner.panel.problems import Problem, with_hint
from pysd_runner.panel.regions import Places, RegionBook, places_of, read_regions, regions_of, with_tiles
from pysd_runner.panel.shipped import Declarations, declarations_beside, shipped_panels
from pysd_runner.panel.sources import Source, columns_of
from pysd_runner.panel.tables import IndexArray, TextArray, TextFile, is_empty, texts_of
from pysd_runner.panel.units import YUAN, canonical_text
from pysd_runner.panel.validation import Numbers, numbers_of, styles_of

if TYPE_CHECKING:
    import pandas as pd

    Rows = pd.DataFrame | Mapping[str, Sequence[object]] | Sequence[Mapping[str, object]]

# A file, or what stands for one: a data frame, a dictionary of columns, a list of rows.
Regions: TypeAlias = "str | Path | Sequence[Entity] | Rows | None"
National: TypeAlias = "str | Path | Mapping[str, Mapping[int, float]] | pd.DataFrame | None"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Context:
    """Everything besides the file itself."""

    files: tuple[Source, ...]
    mapping: PanelMapping
    declared: Declarations
    book: RegionBook | None
    national: Series


def read_panel(
    files: Sequence[Source],
    tables: Sequence[TextFile],
    mapping: PanelMapping,
    regions: Regions,
    national: National,
) -> tuple[list[Problem], Data | None]:
    """Read files as one panel."""
    context, problems = _context(files, mapping, regions, national)
    parts: list[tuple[TextFile, Layout, Observations]] = []
    unused: list[dict[str, Problem]] = []
    for file, raw in zip(files, tables, strict=True):
        table, selected = selected_rows(file.in_form(raw), mapping)
        layout, headings = interpret(table.header, table.header_row, mapping.columns)
        table, layout = take_unit_row(table, layout)
        observations, names = observe(table, layout, mapping.columns)
        found = [*table.problems, *selected, *headings, *names]
        if len(files) > 1:
            # Another file may hold what this one lacks; what none holds is said below.
            found = [item for item in found if (item.rule, item.column) != ("missing-column", "output")]
        problems += in_file(found, file, files)
        unused.append({item.column: item for item in _unused_mapping(table, layout, mapping)})
        parts.append((table, layout, observations))
    # What the mapping names stands in one of the files at least.
    problems += [item for heading, item in unused[0].items() if all(heading in other for other in unused)]
    table, layout, observations = parts[0]
    if len(parts) > 1:
        named = [(_file_name(file), *part[1:]) for file, part in zip(files, parts, strict=True)]
        layout, observations = joined(named)
    problems += _undeclared(observations, layout, table)
    found, data = _assembled(context, table, layout, observations)
    return [*problems, *found], data


def holds_panel(table: TextFile, mapping: PanelMapping) -> bool:
    """Whether a file has regions, years and their output."""
    if not table.readable:
        return False
    layout, _ = interpret(table.header, table.header_row, mapping.columns)
    position = layout.position("variable")
    names = {meaning.name for meaning in layout.observed} | {layout.value_variable}
    if position is not None and layout.shape != "wide":
        texts = set(texts_of(table.columns[position]))
        names |= {variable_name(mapped(text, mapping.columns) or split_unit(text)[0]) for text in texts}
    return "region" in layout.roles and bool(layout.years or "year" in layout.roles) and not names.isdisjoint(REQUIRED)


def in_file(problems: Sequence[Problem], file: Source, files: Sequence[Source]) -> list[Problem]:
    """Problems with the name of their file, where there are several."""
    if len(files) == 1:
        return list(problems)
    return [replace(item, message=f"{_file_name(file)}: {item.message}") for item in problems]


def _context(
    files: Sequence[Source],
    mapping: PanelMapping,
    regions: Regions,
    national: National,
) -> tuple[_Context, list[Problem]]:
    problems: list[Problem] = []
    path = files[0].path
    declared = Declarations()
    book: RegionBook | None = None
    series: Series = {}
    try:
        declared = declarations_beside(path)
    except InvalidPanel as error:
        problems.append(Problem(rule="declarations", message=str(error), expected=Message("usable declarations")))
    try:
        book = _book(regions if regions is not None else mapping.regions or declared.regions)
    except InvalidPanel as error:
        problems.append(Problem(rule="region-file", message=str(error), expected=Message("a usable region file")))
    try:
        series = _national(national if national is not None else mapping.national or declared.national, path)
    except InvalidPanel as error:
        problems.append(
            Problem(rule="national-file", message=str(error), expected=Message("a usable file of national series"))
        )
    return _Context(files=tuple(files), mapping=mapping, declared=declared, book=book, national=series), problems


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
        return read_regions(file) if file else None
    return read_regions(Path(regions))


def _apart(regions: Sequence[Entity]) -> list[Entity]:
    """Give every region a tile of its own when some share one, as regions made without tiles do."""
    shared = len({(region.row, region.column) for region in regions}) < len(regions)
    return with_tiles([replace(region, row=-1, column=-1) for region in regions] if shared else regions)


def _national(given: National, path: Path) -> Series:
    if hasattr(given, "columns"):
        return national_of(columns_of(cast("pd.DataFrame", given)), Path("national"))
    if isinstance(given, Mapping):
        return {name: {int(year): float(value) for year, value in series.items()} for name, series in given.items()}
    if given is not None:
        return read_national(Path(given))
    beside = path.parent / SIDECAR
    return read_national(beside) if beside.is_file() and beside != path else {}


def selected_rows(table: TextFile, mapping: PanelMapping) -> tuple[TextFile, list[Problem]]:
    """Rows the mapping leaves out, each selection reported."""
    kept = np.ones(len(table.rows), dtype=bool)
    problems: list[Problem] = []
    for selections, dropping in ((mapping.drop, True), (mapping.keep, False)):
        for heading, values in selections.items():
            position = next((place for place, name in enumerate(table.header) if key(name) == key(heading)), None)
            if position is None:
                problems.append(_no_such_heading(heading, table, "drop" if dropping else "keep"))
                continue
            texts = texts_of(table.columns[position])
            chosen = np.array([not {text, visible(text)}.isdisjoint(values) for text in texts], dtype=bool)
            out = chosen if dropping else ~chosen
            kept &= ~out
            problems.append(_left_out(table, heading, values, out, dropping=dropping))
    return table if kept.all() else table.taken(kept), problems


def _no_such_heading(heading: str, table: TextFile, what: str) -> Problem:
    near = suggest(heading, table.header)
    return Problem(
        rule="unknown-column",
        message=Message(
            "the mapping names a column that the file does not have ({what}){hint}", what=what, hint=with_hint(near)
        ),
        column=heading,
        found=", ".join(table.header),
        expected=heading,
    )


def _left_out(table: TextFile, heading: str, values: tuple[str, ...], out: np.ndarray, *, dropping: bool) -> Problem:
    places = np.flatnonzero(out)
    rule = f"{heading} is{'' if dropping else ' not'} {' or '.join(values)}"
    return Problem(
        rule="left-out",
        message=Message("{count} rows are left out because the mapping says so: {rule}", count=len(places), rule=rule),
        row=int(table.rows[places[0]]) if len(places) else None,
        column=heading,
        found=Message("{count} of {all} rows", count=len(places), all=len(out)),
        severity="warning",
    )


def _unused_mapping(table: TextFile, layout: Layout, mapping: PanelMapping) -> list[Problem]:
    names = set(table.header)
    position = layout.position("variable")
    if position is not None:
        names |= set(texts_of(table.columns[position]))
    loose = {key(name) for name in names} | {key(split_unit(name)[0]) for name in names}
    if layout.shape == "years":
        loose.add(key("value"))
    return [_no_such_heading(heading, table, "columns") for heading in mapping.columns if key(heading) not in loose]


def _undeclared(observations: Observations, layout: Layout, table: TextFile) -> list[Problem]:
    """Report required variables that a long file does not hold, and a missing population."""
    held = {cells.variable for cells in observations.cells}
    problems = []
    if layout.shape != "wide" and held and not held & set(REQUIRED):
        problems.append(missing_column("output", sorted(held), table.header_row))
    if "population" not in held:
        problems.append(
            Problem(
                rule="no-population",
                message=Message("there is no population: equal shares will stand in for it, marked imputed"),
                row=table.header_row,
                expected=Message("population"),
                severity="warning",
            )
        )
    return problems + [
        Problem(
            rule="no-values",
            message=Message("{variable} has no value at all", variable=cells.variable),
            column=cells.variable,
            expected=Message("numbers"),
        )
        for cells in observations.cells
        if cells.variable in REQUIRED and len(cells.entries) and is_empty(cells.entries).all()
    ]


def _assembled(
    context: _Context, table: TextFile, layout: Layout, observations: Observations
) -> tuple[list[Problem], Data | None]:
    missing = frozenset(context.mapping.missing)
    heading = layout.roles["region"].heading if "region" in layout.roles else "region"
    measured, problems = measures(observations, context.mapping.units, context.declared.units, missing)
    places, found = _places(observations, layout, heading, context)
    problems += found
    years, found = _years(observations, layout)
    problems += found
    styles, found = styles_of(observations, missing, context.mapping.decimal)
    problems += found
    numbers: list[Numbers] = []
    for cells in observations.cells:
        read, found = numbers_of(cells, observations.keys, measured[cells.variable], missing, styles[cells.variable])
        numbers.append(read)
        problems += found
    if places is None or years is None or not observations.cells:
        return problems, None
    axes = Axes(
        regions=places.regions,
        years=tuple(sorted({int(year) for of in years for year in np.unique(of) if year >= 0})),
    )
    grids, found = _grids(observations, numbers, places, years, axes)
    problems += found
    problems += _between_cells(grids, axes, measured)
    problems += totals(grids, axes, heading, currency_of(measured))
    data = _panel(context, table, layout, axes, grids, measured)
    return problems, data


def _places(
    observations: Observations, layout: Layout, heading: str, context: _Context
) -> tuple[Places | None, list[Problem]]:
    if "region" not in layout.roles:
        return None, []
    return places_of(observations.keys, heading, context.book)


def _years(observations: Observations, layout: Layout) -> tuple[list[IndexArray] | None, list[Problem]]:
    """Year of every cell; the year column is checked once, whatever the number of variables."""
    if layout.shape == "years":
        return [np.array([int(text) for text in cells.years], dtype=np.int64) for cells in observations.cells], []
    if "year" not in layout.roles:
        return None, []
    keys = observations.keys
    years, problems = years_of(keys.years, keys.rows, layout.roles["year"].heading)
    return [years[cells.take] for cells in observations.cells], problems


def _grids(
    observations: Observations, numbers: list[Numbers], places: Places, years: list[IndexArray], axes: Axes
) -> tuple[dict[str, Grid], list[Problem]]:
    grids: dict[str, Grid] = {}
    repeats: dict[tuple[int | None, str], Problem] = {}
    for cells, read, of in zip(observations.cells, numbers, years, strict=True):
        grid, found = to_grid(cells, read, places, of, observations.keys, axes)
        grids[cells.variable] = grid
        # A wide row repeats every variable at once: one problem a row.
        repeats |= {
            (problem.row, problem.found): problem for problem in found if (problem.row, problem.found) not in repeats
        }
    return grids, list(repeats.values())


def _between_cells(grids: dict[str, Grid], axes: Axes, measured: Mapping[str, Measure]) -> list[Problem]:
    problems = gaps(grids, axes)
    without_unit = {name for name, measure in measured.items() if not measure.text}
    sizes = magnitudes(grids, currency_of(measured), without_unit)
    problems += sizes
    # Values out of range that are faults have been reported as such; their jumps are the same fault again.
    if all(problem.severity == "warning" for problem in sizes):
        problems += breaks(grids, axes)
    problems += parts_and_wholes(grids)
    problems += zeros(grids, axes)
    return problems


def _panel(
    context: _Context,
    table: TextFile,
    layout: Layout,
    axes: Axes,
    grids: Mapping[str, Grid],
    measured: Mapping[str, Measure],
) -> Data:
    rate = context.mapping.yuan_per_unit
    currency = currency_of(measured) if rate is None else YUAN
    values = {name: grid.values * (rate or 1.0) if _is_money(name) else grid.values for name, grid in grids.items()}
    columns = {
        name: Column(
            name=name,
            values=values[name],
            axes=(REGION,),
            unit=panel_unit(measured[name], currency, known=name in VARIABLES),
            marks=_marks(grid, context.declared, name, axes),
            origins=grid.origins(),
        )
        for name, grid in grids.items()
    }
    for name, array in derived(values).items():
        marks = np.where(np.isfinite(array), DERIVED, "").astype(object)
        unit = canonical_text(derived_unit(name), currency)
        columns[name] = Column(name=name, values=array, axes=(REGION,), unit=unit, marks=marks)
    data = Data(
        name=context.declared.name or _name(context.files[0]),
        times=np.array(axes.years, dtype=float),
        columns=columns,
        entities={REGION: axes.regions},
        time_unit="year",
        currency=currency,
        price_basis=_price_basis(measured, context.mapping),
        provenance=_provenance(context, table, layout, measured),
    )
    return data.with_national(context.national)


def _name(file: Source) -> str:
    return file.path.stem if file.held is None else "panel"


def _file_name(file: Source) -> str:
    return file.path.name if file.held is None else "panel"


def _is_money(name: str) -> bool:
    return name in VARIABLES and VARIABLES[name].kind in MONEY


def _price_basis(measured: Mapping[str, Measure], mapping: PanelMapping) -> str:
    return mapping.price_basis or next(
        (measure.price_basis for measure in measured.values() if measure.price_basis), ""
    )


def _marks(grid: Grid, declared: Declarations, name: str, axes: Axes) -> TextArray | None:
    marks = grid.flags()
    if marks is None and name not in declared.marks:
        return None
    marks = np.full(grid.values.shape, "", dtype=object) if marks is None else marks
    years = np.array(axes.years)
    for mark in declared.marks.get(name, ()):
        marked = np.isfinite(grid.values) & (years >= mark.first) & (years <= mark.last)
        marks[marked] = mark.flag
    return marks


def _provenance(
    context: _Context, table: TextFile, layout: Layout, measured: Mapping[str, Measure]
) -> dict[str, object]:
    headings = {meaning.name: meaning.heading for meaning in (*layout.roles.values(), *layout.observed)}
    return {
        "file": ", ".join(map(_file_name, context.files)),
        "file_sha256": " ".join(file.sha256 for file in context.files),
        "encoding": table.encoding,
        "shape": layout.shape,
        "headings": headings,
        "file_units": {name: measure.text for name, measure in measured.items()},
        "yuan_per_unit": context.mapping.yuan_per_unit,
    }

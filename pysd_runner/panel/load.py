"""The front doors: load a panel, or list everything that is wrong with one."""

import hashlib
import logging
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
from pysd_runner.panel.data import REGION
from pysd_runner.panel.joining import joined
from pysd_runner.panel.layout import Layout, interpret, missing_column, take_unit_row
from pysd_runner.panel.mapping import PanelMapping, as_mapping
from pysd_runner.panel.names import key, visible
from pysd_runner.panel.observations import (
    SIDECAR,
    Observations,
    Series,
    national_of,
    observe,
    read_national,
    years_of,
)
from pysd_runner.panel.office import in_form
from pysd_runner.panel.old import Panel
from pysd_runner.panel.problems import Problem, errors_of, in_file_order, summary, with_hint
from pysd_runner.panel.regions import Places, RegionBook, places_of, read_regions, regions_of, with_tiles
from pysd_runner.panel.shipped import Declarations, declarations_beside, panel_file, shipped_panels
from pysd_runner.panel.tables import IndexArray, TextArray, TextFile, is_empty, is_typed, of_frame, read_table, texts_of
from pysd_runner.panel.units import YUAN, canonical_text
from pysd_runner.panel.validation import Numbers, numbers_of, styles_of
from pysd_runner.panel.variables import REQUIRED, VARIABLES

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    import pandas as pd

    Rows = pd.DataFrame | Mapping[str, Sequence[object]] | Sequence[Mapping[str, object]]
    OneSource = str | Path | pd.DataFrame | Mapping[str, Sequence[object]]
    Source = OneSource | Sequence[OneSource]

Mappable = PanelMapping | Mapping[str, str] | str | Path | None
# A file, or what stands for one: a data frame, a dictionary of columns, a list of rows.
Regions: TypeAlias = "str | Path | Sequence[Entity] | Rows | None"
National: TypeAlias = "str | Path | Mapping[str, Mapping[int, float]] | pd.DataFrame | None"


def load_panel(
    name_or_path: "Source",
    *,
    mapping: Mappable = None,
    regions: Regions = None,
    encoding: str | None = None,
    units: Mapping[str, str] | None = None,
    national: National = None,
    yuan_per_unit: float | None = None,
) -> Panel:
    """Load a shipped panel or a panel of your own.

    Parameters
    ----------
    name_or_path
        ``"china"``, or a CSV or xlsx file: long (region, year, variable, value), wide (a column for each
        variable) or with a column for each year; headings in English or Chinese; also as China's NBS, Eurostat
        and the World Bank export it. A data frame, or a dictionary of columns, of one of these forms. A list of
        them is one panel, for instance output and population from two downloads.
    mapping
        What other headings mean: ``{"heading": "variable"}``, a `PanelMapping`, or the path of a mapping
        file.
    regions
        Region file with names, groups and tiles, the name of a shipped panel whose regions these are, or the
        regions themselves: a data frame or dictionary of the columns of such a file, a list of rows, or `Entity`
        objects. The panel may then name a region by code or by either name.
    encoding
        Encoding of a text file; None recognises UTF-8, UTF-16 by its mark, and GB18030 (which includes GBK).
    units
        Unit of a variable or column that the file does not give: ``{"output": "100 million yuan"}``.
    national
        National series by name and year, a data frame of them, or a file; None takes a ``national.csv`` beside the
        panel.
    yuan_per_unit
        Yuan for one unit of the panel's currency; None keeps its currency.

    Returns
    -------
    Panel
        In canonical units; warnings are in its `problems`.

    Raises
    ------
    InvalidPanel
        If anything is wrong with the file; the message shows the first problems, `check_panel` lists all.
    UnknownName
        If there is no such file or shipped panel.
    """
    asked = as_mapping(mapping).merged(encoding=encoding, units=units, yuan_per_unit=yuan_per_unit)
    files = _files(name_or_path)
    examination = _examine(files, asked, regions, national)
    wrong = errors_of(examination.problems)
    called = ", ".join(item.called for item in files)
    if wrong or examination.panel is None:
        raise InvalidPanel(summary(wrong, called))
    if examination.problems:
        logger.warning("%s: %d doubts, listed in the panel's `problems`", called, len(examination.problems))
    return examination.panel


def check_panel(
    name_or_path: "Source",
    *,
    mapping: Mappable = None,
    regions: Regions = None,
    encoding: str | None = None,
    units: Mapping[str, str] | None = None,
    national: National = None,
    yuan_per_unit: float | None = None,
) -> list[Problem]:
    """List everything that is wrong with a panel, in one pass.

    The parameters are those of `load_panel`.

    Returns
    -------
    list[Problem]
        Errors and warnings in the order of the file's rows, those of the whole file first; empty when all is
        well.

    Raises
    ------
    UnknownName
        If there is no such file or shipped panel.
    InvalidPanel
        If the mapping file itself is not usable.
    """
    asked = as_mapping(mapping).merged(encoding=encoding, units=units, yuan_per_unit=yuan_per_unit)
    return _examine(_files(name_or_path), asked, regions, national).problems


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    """A file, or a data frame that stands for one."""

    called: str  # as the caller wrote it
    path: Path  # without a file for a data frame
    held: TextFile | None = None

    def table(self, mapping: PanelMapping) -> TextFile:
        """What it holds."""
        if self.held is not None:
            return self.held
        return in_form(read_table(self.path, encoding=mapping.encoding, sheet=mapping.sheet), self.path)

    @property
    def sha256(self) -> str:
        """Hash of its content."""
        if self.held is None:
            return hashlib.sha256(self.path.read_bytes()).hexdigest()
        digest = hashlib.sha256(repr([(name, is_typed(column)) for name, column in self.held.named]).encode())
        for _, column in self.held.named:
            digest.update(column.astype(float).tobytes() if is_typed(column) else "\0".join(column).encode())
        return digest.hexdigest()


def _columns_of(frame: "pd.DataFrame") -> TextFile:
    """A data frame as a file; an index that has a name is a column."""
    return of_frame(frame.reset_index() if any(name is not None for name in frame.index.names) else frame)


def _files(source: "Source") -> tuple[_File, ...]:
    if isinstance(source, list | tuple) and source:
        return tuple(file for item in source for file in _files(item))
    if isinstance(source, Mapping):
        import pandas as pd

        return (_File(called="dictionary", path=Path("panel"), held=_columns_of(pd.DataFrame(dict(source)))),)
    if hasattr(source, "columns"):
        return (_File(called="data frame", path=Path("panel"), held=_columns_of(cast("pd.DataFrame", source))),)
    return (_File(called=str(source), path=panel_file(source)),)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Examination:
    """What a file holds and what is wrong with it; without a panel there is at least one error."""

    problems: list[Problem]
    panel: Panel | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Context:
    """Everything besides the file itself."""

    files: tuple[_File, ...]
    mapping: PanelMapping
    declared: Declarations
    book: RegionBook | None
    national: Series


def _examine(
    files: Sequence[_File],
    mapping: PanelMapping,
    regions: Regions,
    national: National,
) -> _Examination:
    context, problems = _context(files, mapping, regions, national)
    parts: list[tuple[TextFile, Layout, Observations]] = []
    unused: list[dict[str, Problem]] = []
    for file in files:
        table = file.table(mapping)
        if not table.readable:
            return _Examination(problems=in_file_order([*problems, *_in_file(table.problems, file, files)]))
        table, selected = _selected(table, mapping)
        layout, headings = interpret(table.header, table.header_row, mapping.columns)
        table, layout = take_unit_row(table, layout)
        observations, names = observe(table, layout, mapping.columns)
        found = [*table.problems, *selected, *headings, *names]
        if len(files) > 1:
            # Another file may hold what this one lacks; what none holds is said below.
            found = [item for item in found if (item.rule, item.column) != ("missing-column", "output")]
        problems += _in_file(found, file, files)
        unused.append({item.column: item for item in _unused_mapping(table, layout, mapping)})
        parts.append((table, layout, observations))
    # What the mapping names stands in one of the files at least.
    problems += [item for heading, item in unused[0].items() if all(heading in other for other in unused)]
    table, layout, observations = parts[0]
    if len(parts) > 1:
        named = [(file.path.name, *part[1:]) for file, part in zip(files, parts, strict=True)]
        layout, observations = joined(named)
    problems += _undeclared(observations, layout, table)
    examination = _assembled(context, table, layout, observations)
    return replace(
        examination,
        problems=in_file_order([*problems, *examination.problems]),
        panel=_with_warnings(examination, problems),
    )


def _with_warnings(examination: _Examination, problems: list[Problem]) -> Panel | None:
    if examination.panel is None or errors_of([*problems, *examination.problems]):
        return None
    return replace(examination.panel, problems=tuple(in_file_order([*problems, *examination.problems])))


def _in_file(problems: Sequence[Problem], file: _File, files: Sequence[_File]) -> list[Problem]:
    """Problems with the name of their file, where there are several."""
    if len(files) == 1:
        return list(problems)
    return [replace(item, message=f"{file.path.name}: {item.message}") for item in problems]


def _context(
    files: Sequence[_File],
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

        return regions_of(_columns_of(pd.DataFrame(regions)), Path("regions"))
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
        return national_of(_columns_of(cast("pd.DataFrame", given)), Path("national"))
    if isinstance(given, Mapping):
        return {name: {int(year): float(value) for year, value in series.items()} for name, series in given.items()}
    if given is not None:
        return read_national(Path(given))
    beside = path.parent / SIDECAR
    return read_national(beside) if beside.is_file() and beside != path else {}


def _selected(table: TextFile, mapping: PanelMapping) -> tuple[TextFile, list[Problem]]:
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
    from pysd_runner.panel.names import split_unit

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


def _assembled(context: _Context, table: TextFile, layout: Layout, observations: Observations) -> _Examination:
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
        return _Examination(problems=problems)
    axes = Axes(
        regions=places.regions,
        years=tuple(sorted({int(year) for of in years for year in np.unique(of) if year >= 0})),
    )
    grids, found = _grids(observations, numbers, places, years, axes)
    problems += found
    problems += _between_cells(grids, axes, measured)
    problems += totals(grids, axes, heading, currency_of(measured))
    panel = _panel(context, table, layout, axes, grids, measured)
    return _Examination(problems=problems, panel=panel)


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
) -> Panel:
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
    panel = Panel(
        name=context.declared.name or context.files[0].path.stem,
        times=np.array(axes.years, dtype=float),
        columns=columns,
        entities={REGION: axes.regions},
        time_unit="year",
        currency=currency,
        price_basis=_price_basis(measured, context.mapping),
        provenance=_provenance(context, table, layout, measured),
    )
    return panel.with_national(context.national)


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
        "file": ", ".join(file.path.name for file in context.files),
        "file_sha256": " ".join(file.sha256 for file in context.files),
        "encoding": table.encoding,
        "shape": layout.shape,
        "headings": headings,
        "file_units": {name: measure.text for name, measure in measured.items()},
        "yuan_per_unit": context.mapping.yuan_per_unit,
    }

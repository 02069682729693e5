"""The front doors: load data, or list everything that is wrong with them; and those of earlier versions."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pysd_runner.core.errors import InvalidInput, InvalidPanel
from pysd_runner.core.findings import Finding, errors_of
from pysd_runner.data.cells import Array
from pysd_runner.data.checks import SHOWN
from pysd_runner.data.dataset import Data
from pysd_runner.data.mapping import PanelMapping, as_mapping
from pysd_runner.data.names import Entity
from pysd_runner.data.reading import National, Regions, holds_panel, in_file, read_panel, read_series
from pysd_runner.data.series import Clock
from pysd_runner.data.sources import Source, sources_of

logger = logging.getLogger(__name__)
# Doubts are told to those who load; those who check see them anyway.
_level = ContextVar("level", default=logging.WARNING)

if TYPE_CHECKING:
    import pandas as pd

    from pysd_runner.data.sources import AnySource

Roles = PanelMapping | Mapping[str, str] | str | Path | None


def load_data(  # noqa: PLR0913 - a front door
    source: "AnySource | Data",
    *,
    roles: Roles = None,
    units: Mapping[str, str] | None = None,
    regions: Regions = None,
    national: National = None,
    yuan_per_unit: float | None = None,
    entity: str | Sequence[str] | None = None,
    time: str | None = None,
    time_unit: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    panel: bool | None = None,
) -> Data:
    """Read observations of anything over time; regions by year with their output become a panel.

    A file has a row for each moment and a column for each quantity (``day, infected, recovered``), or a row for each
    value (``day, variable, value``), or a column for each moment. Entities have a column of their own (``region``), or
    stand in the headings (``infected[north]``). Cells may be empty, and series of any length and frequency stand
    beside each other. Headings are in English or Chinese; tables of China's NBS, Eurostat and the World Bank are read
    as they export them.

    Parameters
    ----------
    source
        ``"china"``, a CSV or xlsx file, data frame, dictionary of columns, or xarray object. A list of them is one
        panel, for instance output and population from two downloads.
    roles
        What headings mean, ``{"heading": "variable"}``: ``"region"``, ``"year"`` and the like, a variable of a panel,
        the variable of the model that a column observes, or ``"ignore"``; a `PanelMapping`, or the path of a mapping
        file, which say more, as which texts stand for a missing value.
    units
        Unit by variable or heading, where the file does not give it: ``{"output": "100 million yuan"}``.
    regions
        Region file of a panel with names, groups and tiles, the name of a shipped panel whose regions these are, or
        the regions themselves: a data frame or dictionary of the columns of such a file, a list of rows, or `Entity`
        objects. The panel may then name a region by code or by either name.
    national
        National series by name and year, a data frame of them, or a file; None takes a ``national.csv`` beside a
        panel.
    yuan_per_unit
        Yuan for one unit of a panel's currency; None keeps its currency.
    entity
        Headings of the columns that name entities; None takes those that hold texts.
    time
        Heading of the times; None finds it. Times are numbers in any unit, or dates (``2020-03-01``, ``2020-03``,
        ``2020Q1``).
    time_unit
        Unit of the times; for dates the one in which they are counted, from the first of them.
    encoding, sheet
        Encoding of a text file, None recognises UTF-8, UTF-16 by its mark, and GB18030 (which includes GBK); sheet of
        a workbook.
    panel
        Whether these are regions by year with their output, which are checked as such, put into canonical units and
        completed by what can be derived; None takes them for it where they have all three columns.

    Returns
    -------
    Data
        The observations; doubts are in their `problems`.

    Raises
    ------
    InvalidPanel
        If anything is wrong with them; the message shows the first problems, `check_data` lists all.
    UnknownName
        If there is no such file or shipped panel.
    InvalidInput
        If the source is of another kind, or there is no such unit of time.

    Examples
    --------
    >>> load_data({"day": [0, 1, 4], "infected": [5, 8, None], "recovered": [0, 1, 5]})
    <Data 'table': infected, recovered; 3 moments from 0 to 4 day>
    """
    if isinstance(source, Data):
        return source
    clock = Clock(time=time, entity=(entity,) if isinstance(entity, str) else entity, unit=time_unit)
    asked = as_mapping(roles).merged(encoding=encoding, units=units, yuan_per_unit=yuan_per_unit, sheet=sheet)
    files = sources_of(source)
    problems, data = _examined(files, asked, clock, regions, national, panel)
    called = ", ".join(item.called for item in files)
    if data is None or errors_of(problems):
        raise FaultyData(problems, called)
    if problems and data.is_panel:
        logger.log(_level.get(), "%s: %d doubts, listed in the panel's `problems`", called, len(problems))
    return replace(data, problems=tuple(problems))


class FaultyData(InvalidPanel):
    """Data with errors; `problems` holds all of them and the warnings."""

    def __init__(self, problems: Sequence[Finding], where: str) -> None:
        wrong = errors_of(problems)
        lines = [f"{where}: {len(wrong)} {'problem' if len(wrong) == 1 else 'problems'}"]
        lines += [f"  {problem}" for problem in wrong[:SHOWN]]
        if len(wrong) > SHOWN:
            lines.append(f"  ... and {len(wrong) - SHOWN} more; `check_data` or `gapsim data check` lists them all")
        super().__init__("\n".join(lines))
        self.problems = list(problems)


def check_data(source: "AnySource | Data", **settings: Any) -> list[Finding]:
    """List everything that is wrong with observations, in one pass.

    Parameters
    ----------
    source
        As for `load_data`.
    **settings
        Of `load_data`.

    Returns
    -------
    list of Finding
        Errors, which stop `load_data`, and warnings in the order of the file's rows, those of the whole file first;
        empty when all is well.

    Raises
    ------
    UnknownName
        If there is no such file or shipped panel.
    InvalidPanel
        If the mapping file itself is not usable.

    Examples
    --------
    >>> [(fault.rule, fault.row) for fault in check_data({"day": [0, 1], "infected": [5, "many"]})]
    [('not-a-number', 3)]
    """
    quiet = _level.set(logging.DEBUG)
    try:
        return list(load_data(source, **settings).problems)
    except FaultyData as error:
        return error.problems
    finally:
        _level.reset(quiet)


def _examined(
    files: Sequence[Source],
    asked: PanelMapping,
    clock: Clock,
    regions: Regions,
    national: National,
    panel: bool | None,
) -> tuple[list[Finding], Data | None]:
    """Problems in the order of the file, those of the whole file first, and the data unless there is an error."""
    tables = [file.table(asked.encoding, asked.sheet) for file in files]
    unreadable = next((place for place, table in enumerate(tables) if not table.header), None)
    if panel is None:
        told = regions is not None or national is not None or asked.yuan_per_unit is not None or len(files) > 1
        panel = clock == Clock() and (told or holds_panel(files[0].in_form(tables[0]), asked))
    if unreadable is not None:
        problems, data = in_file(tables[unreadable].problems, files[unreadable], files), None
    elif panel:
        problems, data = read_panel(files, tables, asked, regions, national)
    elif len(files) > 1:
        raise InvalidInput("several files are read together as one panel only; read them one by one")
    else:
        problems, data = read_series(files[0], tables[0], asked, clock)
    return sorted(problems, key=lambda problem: -1 if problem.row is None else problem.row), data


# Scripts of earlier versions have data under two names.
_FIELDS = {item.name for item in fields(Data)}


class Panel(Data):
    """Data by region and year; ``panel[name]`` is a plain array of shape (region, year)."""

    __slots__ = ()

    def __init__(self, **given: Any) -> None:
        if "columns" not in given:
            made = Data.by_region(**given)
            given = {name: getattr(made, name) for name in _FIELDS}
        super().__init__(**given)

    def __getitem__(self, name: str) -> Array:  # type: ignore[override]
        return self.array(name)

    def region(self, name: str) -> Entity:
        """Return the region with this code or name."""
        return self.entity(name)

    def subset(
        self, *, regions: Iterable[str] | None = None, years: Iterable[float] | None = None, **given: Any
    ) -> "Panel":
        """Choose regions and years."""
        return super().subset(**({"entities": regions, "times": years} | given))


class Table(Data):
    """Data over any entities; ``table[name]`` is a pandas series by time, or a frame with a column for each entity."""

    __slots__ = ()

    @property
    def axes(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the entities, by name of the axis."""
        return self.labels

    @property
    def source(self) -> str:
        """Where they come from."""
        return str(self.provenance.get("file", ""))

    def __getitem__(self, name: str) -> "pd.Series[float] | pd.DataFrame":  # type: ignore[override]
        """Observed values by time, missing ones left out."""
        return self.by_time(name)


def load_panel(name_or_path: Any, *, mapping: Any = None, **settings: Any) -> Panel:
    """Load a shipped panel or a panel of your own; `load_data` is its name now."""
    data = load_data(name_or_path, roles=mapping, panel=True, **settings)
    return Panel(**{name: getattr(data, name) for name in _FIELDS})


def check_panel(name_or_path: Any, *, mapping: Any = None, **settings: Any) -> list[Finding]:
    """List everything that is wrong with a panel; `check_data` is its name now."""
    return check_data(name_or_path, roles=mapping, panel=True, **settings)


def load_table(source: Any, *, name: str | None = None, **settings: Any) -> Table:
    """Read observations of anything over time; `load_data` is its name now."""
    data = load_data(source, **_of_table(**settings))
    fields = {field: getattr(data, field) for field in _FIELDS}
    return Table(**(fields if name is None else fields | {"name": name}))


def check_table(source: Any, **settings: Any) -> list[Finding]:
    """List everything that is wrong with observations; `check_data` is its name now."""
    return check_data(source, **_of_table(**settings))


def _of_table(
    *,
    columns: Mapping[str, str] | None = None,
    missing: Iterable[str] = (),
    decimal: str | None = None,
    **settings: Any,
) -> dict[str, Any]:
    roles = PanelMapping(columns=columns or {}, missing=tuple(missing), decimal=decimal)
    return {"roles": roles, "panel": False, **settings}

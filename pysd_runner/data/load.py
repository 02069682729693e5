"""Public entry points to load and check data."""

import logging
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from pysd_runner.core.errors import InvalidInput, InvalidPanel, Message
from pysd_runner.core.findings import Finding, errors_of
from pysd_runner.core.types import Record, Texts
from pysd_runner.data.cells import TextFile
from pysd_runner.data.checks import MAX_LISTED
from pysd_runner.data.dataset import Data
from pysd_runner.data.mapping import PanelMapping, as_mapping, hash_of, readings_of
from pysd_runner.data.reading import National, Regions, holds_panel, in_file, read_panel, read_series
from pysd_runner.data.sources import Source, shipped_panels, sources_of

logger = logging.getLogger(__name__)
# `load_data` logs that there are warnings; `check_data` returns them and therefore lowers the level.
_level = ContextVar("level", default=logging.WARNING)

if TYPE_CHECKING:
    from pysd_runner.data.sources import AnySource

Roles = PanelMapping | Texts | str | Path | None


def load_data(  # noqa: PLR0913 - a public entry point
    source: "AnySource | Data",
    *,
    roles: Roles = None,
    units: Texts | None = None,
    regions: Regions = None,
    national: National = None,
    yuan_per_unit: float | None = None,
    entity: str | Sequence[str] | None = None,
    time: str | None = None,
    time_unit: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    panel: bool | Data | None = None,
) -> Data:
    """Read observed time series of any kind; regions by year with their output become a panel.

    A file has one row per time and one column per quantity (``day, infected, recovered``), or one row per value
    (``day, variable, value``), or one column per time. Entities are named in a column of their own (``region``) or in
    the headings (``infected[north]``). Cells may be empty, and series may differ in length and frequency. Headings are
    in English or Chinese; tables exported by statistical offices are read as they are.

    Parameters
    ----------
    source
        ``"china"``, a CSV or xlsx file, data frame, series with a name, dictionary of columns, or xarray object. A list
        of these is read as one panel, for instance output and population from two downloads.
    roles
        Meaning of headings, ``{"heading": "variable"}``: a role such as ``"region"`` or ``"year"``, a panel variable,
        the model variable that a column observes, or ``"ignore"``. A `PanelMapping` or the path of a mapping file has
        further settings, such as the texts that stand for missing values; it takes the place of the file
        ``NAME.reading.toml`` beside ``NAME.csv``, by which the data are read otherwise, as all other arguments change.
    units
        Unit by variable or heading, if the file does not give it: ``{"output": "100 million yuan"}``.
    regions
        Region file of a panel with names, groups and tiles; the name of a shipped panel with the same regions; or the
        regions as a data frame or dictionary with the columns of such a file, a list of rows, or `Entity` objects. The
        panel may then identify regions by code or by name in either language.
    national
        National series by name and year, as a data frame, or as a file; None uses a ``national.csv`` in the folder of
        the panel.
    yuan_per_unit
        Exchange rate, in yuan per unit of the panel's currency; None keeps that currency.
    entity
        Headings of the columns that name entities; None uses the text columns.
    time
        Heading of the time column; None detects it. Times are numbers or dates (``2020-03-01``, ``2020-03``,
        ``2020Q1``).
    time_unit
        Unit of the times; dates are converted to this unit, counted from the first date.
    encoding, sheet
        Encoding of a text file; None detects UTF-8, UTF-16 (by its byte-order mark) and GB18030 (which includes GBK).
        Sheet of a workbook; None uses the first.
    panel
        Whether to read the data as a panel (regions by year with their output), which is checked as such, converted to
        canonical units and completed with derived variables; None does so if region, year and output are found. Given
        a panel, the data are new figures for it: they may lack columns and years, and numbers without a unit have that
        of the panel's own file.

    Returns
    -------
    Data
        The observations, with warnings in `problems`.

    Raises
    ------
    InvalidPanel
        If the data have errors; the message shows the first ones, `check_data` lists all.
    UnknownName
        If there is no such file or shipped panel.
    InvalidInput
        If the source has an unsupported type, or the time unit is unknown.

    Examples
    --------
    >>> load_data({"day": [0, 1, 4], "infected": [5, 8, None], "recovered": [0, 1, 5]})
    <Data 'table': infected, recovered; 3 moments from 0 to 4 day>
    """
    if isinstance(source, Data):
        return source
    files = sources_of(source)
    asked, reading = _reading(roles, files, panel)
    entities = (entity,) if isinstance(entity, str) else entity
    asked = asked.merged(encoding=encoding, units=units, yuan_per_unit=yuan_per_unit, sheet=sheet)
    asked = asked.merged(time=time, entity=None if entities is None else tuple(entities), time_unit=time_unit)
    if panel is None and (time, entity, time_unit) != (None,) * 3:
        panel = False
    by = ", ".join(path for told in reading.values() for path in told["files"])
    problems, data = _examined(files, asked, by, regions, national, panel)
    called = ", ".join(item.called for item in files)
    if data is None or errors_of(problems):
        raise InvalidData(problems, called)
    if problems and data.is_panel:
        logger.log(_level.get(), "%s: %d doubts, listed in the panel's `problems`", called, len(problems))
    return replace(data, problems=tuple(problems), provenance={**data.provenance, **reading})


def _reading(roles: Roles, files: Sequence[Source], onto: bool | Data | None) -> tuple[PanelMapping, Record]:
    """Settings for reading files, and their provenance: from a given mapping, or from files beside the data."""
    if isinstance(roles, PanelMapping):
        return roles, {}
    if isinstance(roles, str | Path):
        asked, hashes = as_mapping(roles), {str(roles): hash_of(Path(roles))}
    else:
        before: Any = onto.provenance.get("reading", {}) if isinstance(onto, Data) else {}
        asked, hashes = readings_of(
            (file.path for file in files if file.held is None), map(Path, before.get("files", ()))
        )
        asked = asked.merged(columns=roles)
    told = {"files": list(hashes), "sha256": " ".join(hashes.values()), "settings": str(asked)}
    return asked, {"reading": told} if hashes else {}


def list_data() -> list[str]:
    """Names of the shipped data, which `load_data` takes."""
    return list(shipped_panels())


class InvalidData(InvalidPanel):
    """Data with errors; `problems` holds all of them and the warnings."""

    def __init__(self, problems: Sequence[Finding], where: str) -> None:
        wrong = errors_of(problems)
        lines = [f"{where}: {len(wrong)} {'problem' if len(wrong) == 1 else 'problems'}"]
        lines += [f"  {problem}" for problem in wrong[:MAX_LISTED]]
        if len(wrong) > MAX_LISTED:
            more = len(wrong) - MAX_LISTED
            lines.append(f"  ... and {more} more; `check_data` or `gapsim data check` lists them all")
        super().__init__("\n".join(lines))
        self.problems = list(problems)


class ReadingSettings(TypedDict, total=False):
    """How data are read: arguments of `load_data`."""

    roles: Any
    units: Texts | None
    regions: Any
    national: Any
    yuan_per_unit: float | None
    entity: str | Sequence[str] | None
    time: str | None
    time_unit: str | None
    encoding: str | None
    sheet: str | None
    panel: bool | Data | None


def check_data(source: "AnySource | Data", **settings: Unpack[ReadingSettings]) -> list[Finding]:
    """List all errors and warnings of observations in one pass.

    Parameters
    ----------
    source
        As for `load_data`.
    **settings
        Other arguments of `load_data`.

    Returns
    -------
    list of Finding
        Errors, which make `load_data` fail, and warnings, in the order of the file's rows, those about the whole file
        first; empty if there are none.

    Raises
    ------
    UnknownName
        If there is no such file or shipped panel.
    InvalidPanel
        If the mapping file itself is invalid.

    Examples
    --------
    >>> [(fault.rule, fault.row) for fault in check_data({"day": [0, 1], "infected": [5, "many"]})]
    [('not-a-number', 3)]
    """
    quiet = _level.set(logging.DEBUG)
    try:
        return list(load_data(source, **settings).problems)
    except InvalidData as error:
        return error.problems
    finally:
        _level.reset(quiet)


def _examined(
    files: Sequence[Source],
    asked: PanelMapping,
    by: str,
    regions: Regions,
    national: National,
    panel: bool | Data | None,
) -> tuple[list[Finding], Data | None]:
    """Findings in order of rows, those about the whole file first, and the data (None after an error)."""
    tables = [file.table(asked.encoding, asked.sheet) for file in files]
    unreadable = next((place for place, table in enumerate(tables) if not table.header), None)
    _check_headings(asked, by, files, tables)
    onto = panel if isinstance(panel, Data) else None
    if onto is not None:
        regions, national = onto.regions, {} if national is None else national
    if panel is None:
        given = [item for item in (regions, national, asked.yuan_per_unit) if item is not None]
        panel = len(given) + len(files) > 1 or holds_panel(files[0], tables[0], asked.of_panel)
    is_panel = panel or onto is not None
    others = ("time_unit",) if is_panel else ("regions", "national", "yuan_per_unit")
    if surplus := [name for name in others if getattr(asked, name) is not None]:
        raise InvalidInput(
            "{names}: {kind} takes nothing of the kind; leave it out of how {file} is read",
            names=", ".join(surplus),
            kind=Message("a panel of regions by year") if is_panel else Message("a table of series"),
            file=", ".join(item.called for item in files),
        )
    if unreadable is not None:
        problems, data = in_file(tables[unreadable].problems, files[unreadable], files), None
    elif is_panel:
        problems, data = read_panel(files, tables, asked.of_panel, regions, national, onto)
    elif len(files) > 1:
        raise InvalidInput("several files are read together as one panel only; read them one by one")
    else:
        problems, data = read_series(files[0], tables[0], asked)
    if errors_of(problems):
        # The table may be on another sheet.
        problems = [replace(item, severity="error") if item.rule == "other-sheets" else item for item in problems]
    return sorted(problems, key=lambda problem: -1 if problem.row is None else problem.row), data


def _check_headings(asked: PanelMapping, by: str, files: Sequence[Source], tables: Sequence[TextFile]) -> None:
    """Refuse to read files by settings that were made for other columns."""
    held = {heading for table in tables for heading in table.header}
    if lost := [heading for heading in asked.headings if heading not in held]:
        raise InvalidPanel(
            "{by} says how to read columns that {file} does not have: {lost}; write it again with `gapsim data check "
            "{file} --force` and its options, or give the file that it was written for",
            by=by,
            file=", ".join(file.called for file in files),
            lost=", ".join(lost),
        )

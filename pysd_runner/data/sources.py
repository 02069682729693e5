"""Sources of data: files, shipped panels, data frames, dictionaries and xarray objects.

Tables exported by statistical offices are converted to the form of a panel file: China's National Bureau of Statistics
(one indicator per file, named above the table with its unit), Eurostat (SDMX-CSV, TSV) and the World Bank (a column for
each year, the indicator in a column). Layouts are as documented in 2025.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pysd_runner.core.errors import InvalidInput, Message, UnknownName, suggest
from pysd_runner.core.findings import Finding
from pysd_runner.core.paths import models_folder
from pysd_runner.data.cells import Entries, TextFile, is_typed, of_frame, of_texts
from pysd_runner.data.files import read_table
from pysd_runner.data.names import OFFICES, ROLE_OF, VARIABLE_OF, key, split_unit, tidy, year_heading

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    OneSource = str | Path | pd.DataFrame | Mapping[str, Any] | xr.Dataset | xr.DataArray
    AnySource = OneSource | Sequence[OneSource]

# First heading of a TSV, which names the keys of a row, such as ``freq,unit,geo\TIME_PERIOD``.
_KEYS = re.compile(r"(?P<names>[\w,]+)\\(?:time(?:_period)?)", re.IGNORECASE)
_NUMBER = re.compile(r"(?P<number>[-+\d.eE]++)?\s*(?P<flags>[:a-z]*)")
_FLOW = re.compile(r"(?:[A-Z_]+:)?(?P<code>\w+)")
_DATED = re.compile(r"(?:estat_)?(?P<code>[a-z0-9]+(?:_[a-z0-9]+)*)", re.IGNORECASE)

_EUROSTAT: Mapping[str, Any] = OFFICES["eurostat"]
_WORDS = {kind: set(map(key, words)) for kind, words in OFFICES["words"].items()}


def shipped_panels() -> dict[str, Path]:
    """Names of the shipped panels and their files.

    Returns
    -------
    dict[str, Path]
        ``{"china": .../china/panel.csv}``.
    """
    return {path.parent.name: path for path in sorted(models_folder().glob("*/data/*/panel.csv"))}


def panel_file(name_or_path: str | Path) -> Path:
    """Return the file of a shipped panel, or of a path."""
    if not isinstance(name_or_path, str | Path):
        raise UnknownName("a panel is the name of a shipped one or a path; found {found!r}", found=name_or_path)
    path = Path(name_or_path)
    if path.is_file():
        return path
    shipped = shipped_panels()
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    if path.is_dir():
        raise UnknownName("{path!r} is a folder; expected a CSV or xlsx file in it", path=str(path))
    raise UnknownName(
        "no file and no shipped panel is called {panel!r}; shipped: {panels}.{suggestion}",
        panel=str(name_or_path),
        panels=", ".join(shipped),
        suggestion=suggest(str(name_or_path), shipped),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A file, or a table in memory."""

    called: str  # path or name given by the caller, or the kind of object
    path: Path  # a placeholder for a table in memory
    held: TextFile | None = None

    def table(self, encoding: str | None, sheet: str | None) -> TextFile:
        """Read the contents, unchanged."""
        return read_table(self.path, encoding=encoding, sheet=sheet) if self.held is None else self.held

    def in_form(self, table: TextFile) -> TextFile:
        """Convert a table exported by a statistical office to the form of a panel file."""
        return _in_form(table, self.path) if self.held is None else table

    def name(self, unnamed: str) -> str:
        """Name of the file, or `unnamed` for a table in memory."""
        return self.path.name if self.held is None else unnamed

    @property
    def sha256(self) -> str:
        """SHA-256 of the contents."""
        if self.held is None:
            return hashlib.sha256(self.path.read_bytes()).hexdigest()
        digest = hashlib.sha256(repr([(name, is_typed(column)) for name, column in self.held.named]).encode())
        for _, column in self.held.named:
            digest.update(column.astype(float).tobytes() if is_typed(column) else "\0".join(column).encode())
        return digest.hexdigest()


def sources_of(source: "AnySource") -> tuple[Source, ...]:
    """List the files or tables that are read together."""
    if isinstance(source, list | tuple) and source:
        return tuple(file for item in source for file in sources_of(item))
    if isinstance(source, str | Path):
        return (Source(called=str(source), path=panel_file(source)),)
    import pandas as pd

    kind = f"{type(source).__module__.partition('.')[0]}.{type(source).__name__}"
    if kind in ("xarray.DataArray", "xarray.Dataset"):
        return (Source(called="xarray", path=Path("data"), held=of_frame(_frame_of_labelled(source, kind))),)
    if isinstance(source, pd.DataFrame):
        return (Source(called="data frame", path=Path("data"), held=columns_of(source)),)
    if isinstance(source, Mapping):
        try:
            frame = pd.DataFrame(dict(source))
        except ValueError as error:
            raise InvalidInput("the dictionary is no table: {error}; give lists of one length", error=error) from error
        return (Source(called="dictionary", path=Path("data"), held=columns_of(frame)),)
    raise InvalidInput(
        "data are read from a file, a data frame, a dictionary of columns or an xarray object; found {found!r}",
        found=source,
    )


def columns_of(frame: "pd.DataFrame") -> TextFile:
    """Convert a data frame; an index that has a name or holds dates becomes a column."""
    import pandas as pd

    names = frame.index.names
    told = any(name is not None for name in names) or isinstance(frame.index, pd.DatetimeIndex | pd.MultiIndex)
    if told and not set(names) & set(frame.columns):
        frame = frame.reset_index(names="time" if list(names) == [None] else None)
    return of_frame(frame)


def _frame_of_labelled(source: Any, kind: str) -> "pd.DataFrame":
    """Convert an xarray object to a data frame, with units in the headings."""
    if kind == "xarray.DataArray":
        source = source.to_dataset(name=source.name or "value")
    units = {str(item): str(source[item].attrs.get("units", "")) for item in source.data_vars}
    frame = source.to_dataframe().reset_index()
    frame = frame[[item for item in frame.columns if item in source.dims or item in source.data_vars]]
    renamed: pd.DataFrame = frame.rename(columns={item: f"{item} ({unit})" for item, unit in units.items() if unit})
    return renamed


def _in_form(table: TextFile, path: Path) -> TextFile:
    """Convert a table exported by a statistical office to the form of a panel file; leave others unchanged."""
    if not table.header:
        return table
    if _KEYS.fullmatch(table.header[0]):
        return _of_tsv(table, path)
    if {"geo", "obsvalue", "timeperiod"} <= {key(heading) for heading in table.header}:
        return _of_sdmx(table)
    if {"countryname", "countrycode"} <= {key(heading) for heading in table.header}:
        return _of_world_bank(table)
    return _with_indicator(table)


def _of_tsv(table: TextFile, path: Path) -> TextFile:
    """Convert a Eurostat TSV: split the keys in the first column, and remove flags from numbers."""
    match = _KEYS.fullmatch(table.header[0])
    assert match is not None  # noqa: S101
    names = match["names"].split(",")
    parts = [text.split(",") for text in table.columns[0]]
    uneven = next((place for place, part in enumerate(parts) if len(part) != len(names)), None)
    if uneven is not None:
        problem = Finding(
            "row-length",
            Message("the first column does not have a key for each name in its heading"),
            row=int(table.rows[uneven]),
            column=table.header[0],
            found=str(table.columns[0][uneven]),
            expected=Message("{count} keys with commas between", count=len(names)),
        )
        return replace(table, problems=(*table.problems, problem))
    keys = [of_texts([part.strip() for part in column]) for column in zip(*parts, strict=True)]
    columns = (*keys, *(of_texts([*map(_plain, column)]) for column in table.columns[1:]))
    code = _DATED.match(path.stem)
    return _named(replace(table, header=(*names, *table.header[1:]), columns=columns), code["code"] if code else "")


def _plain(text: str) -> str:
    """Remove the flags from a number; a colon means a missing value."""
    match = _NUMBER.fullmatch(text)
    return text if match is None else match["number"] or ""


def _of_sdmx(table: TextFile) -> TextFile:
    """Convert a Eurostat SDMX-CSV: drop descriptive columns, and name the variable by the data set."""
    flow = next((place for place, name in enumerate(table.header) if key(name) in ("dataflow", "structureid")), None)
    told = str(table.columns[flow][0]) if flow is not None and len(table.rows) else ""
    match = _FLOW.match(told)
    return _named(_without(table, map(key, _EUROSTAT["described"])), match["code"] if match else "")


def _without(table: TextFile, names: Iterable[str]) -> TextFile:
    """Drop columns by the keys of their headings."""
    gone = set(names)
    return _chosen(table, [place for place, name in enumerate(table.header) if key(name) not in gone])


def _chosen(table: TextFile, places: Sequence[int]) -> TextFile:
    header = tuple(table.header[place] for place in places)
    return replace(table, header=header, columns=tuple(table.columns[place] for place in places))


def _named(table: TextFile, code: str) -> TextFile:
    """Name the variable by data set and unit, spell units out, and drop keys that are the same in all rows."""
    plain = [key(name) for name in table.header]
    unit = plain.index("unit") if "unit" in plain else None
    constant = [
        place
        for place, name in enumerate(table.header)
        if ROLE_OF.get(key(name)) is None and year_heading(name) is None and len(set(table.columns[place])) == 1
    ]
    variable = _EUROSTAT["variables"].get(code.lower(), code.lower())
    given = table.columns[unit] if unit is not None else [""] * len(table.rows)
    names = of_texts([_EUROSTAT["by_unit"].get(text, variable) for text in given])
    columns = list(table.columns)
    if unit is not None:
        columns[unit] = of_texts([_EUROSTAT["units"].get(text, text) for text in given])
    header = tuple("region" if key(name) == "geo" else name for name in table.header)
    kept = [place for place in range(len(header)) if place not in constant]
    return _beside(_chosen(replace(table, header=header, columns=tuple(columns)), kept), names)


def _beside(table: TextFile, names: Entries) -> TextFile:
    """Append a column of variable names."""
    return replace(table, header=(*table.header, "variable"), columns=(*table.columns, names))


def _of_world_bank(table: TextFile) -> TextFile:
    """Convert a World Bank table: drop indicator codes, which repeat the names, and read ``..`` as missing."""
    kept = _without(table, map(key, OFFICES["world_bank"]["described"]))
    return replace(kept, columns=tuple(np.where(column == "..", "", column) for column in kept.columns))


def _with_indicator(table: TextFile) -> TextFile:
    """Add the indicator named above a table to each of its rows."""
    plain = [ROLE_OF.get(key(split_unit(name)[0])) for name in table.header]
    years = [name for name in table.header if year_heading(name) is not None]
    if not table.titles or "variable" in plain or not (len(years) > 1 or "value" in plain):
        return table
    indicator = _indicator(table.titles)
    if not indicator:
        return table
    return _beside(table, np.full(len(table.rows), indicator, dtype=object))


def _indicator(titles: Sequence[str]) -> str:
    """Name and unit of a table's indicator, from the lines above the table."""
    found, unit = "", ""
    for title in titles:
        for line in title.split("\n"):
            word, _, rest = tidy(line).partition(":")
            if rest and key(word) in _WORDS["unit"]:
                unit = rest.strip()
            elif rest and key(word) in _WORDS["indicator"]:
                found = rest.strip()
            elif not found and VARIABLE_OF.get(key(split_unit(line)[0])):
                found = tidy(line)
    return f"{found} ({unit})" if found and unit and not split_unit(found)[1] else found


def nearest_layout(header: Sequence[str]) -> str:
    """Describe the known layout that is most similar to a header row."""
    names = {key(split_unit(name)[0]) for name in header}
    if {"geo", "timeperiod", "obsvalue"} & names or any("\\" in name for name in header):
        return Message("Eurostat's SDMX-CSV or TSV: geo, TIME_PERIOD, OBS_VALUE, or keys and a column for each year")
    if {"countryname", "countrycode", "seriesname", "indicatorname"} & names:
        return Message("the World Bank's: Country Name, Country Code, Indicator Name, and a column for each year")
    if sum(year_heading(name) is not None for name in header) > 1:
        return Message(
            "a column for each year, as China's NBS exports it: a region column, and the indicator in a line above"
        )
    if {ROLE_OF.get(name) for name in names} & {"variable", "value"}:
        return Message("long: columns region, year, variable and value")
    return Message("wide: columns region and year, and one for each variable")

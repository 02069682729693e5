"""Import of data from files, shipped panels, data frames and xarray objects; export to tables and workbooks."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.core.findings import Finding
from pysd_runner.core.paths import models_folder
from pysd_runner.core.types import Record, frozen
from pysd_runner.data.cells import TextFile, is_typed, of_frame, of_texts
from pysd_runner.data.files import read_table
from pysd_runner.data.mapping import PanelMapping, selected_rows
from pysd_runner.data.offices import in_panel_form, parted, with_years_below

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from pysd_runner.data.dataset import Data

    OneSource = str | Path | pd.DataFrame | pd.Series[float] | Record | xr.Dataset | xr.DataArray
    AnySource = OneSource | Sequence[OneSource]

# Name of the panel in a folder with all that belongs to it.
PANEL_FILE = "panel.csv"


def shipped_panels() -> dict[str, Path]:
    """Names of the shipped panels and their files.

    Returns
    -------
    dict[str, Path]
        ``{"china": .../china/panel.csv}``.
    """
    return {path.parent.name: path for path in sorted(models_folder().glob(f"*/data/*/{PANEL_FILE}"))}


def panel_file(name_or_path: str | Path) -> Path:
    """Return the file of a shipped panel, or of a path."""
    if not isinstance(name_or_path, str | Path):
        raise UnknownName("a panel is the name of a shipped one or a path; found {found!r}", found=name_or_path)
    path = Path(name_or_path)
    if path.is_file():
        return path
    if (path / PANEL_FILE).is_file():
        return path / PANEL_FILE
    shipped = shipped_panels()
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    if path.is_dir():
        raise UnknownName("{path!r} is a folder; expected a CSV or xlsx file in it", path=str(path))
    raise UnknownName(
        "no file and no shipped panel is called {panel!r}; shipped: {panels}.{suggestion}",
        panels=", ".join(shipped),
        panel=str(name_or_path),
        among=shipped,
    )


@frozen
class Source:
    """A file, or a table in memory."""

    called: str  # path or name given by the caller, or the kind of object
    path: Path  # a placeholder for a table in memory
    held: TextFile | None = None

    def table(self, encoding: str | None, sheet: str | None) -> TextFile:
        """Read the contents, unchanged."""
        return read_table(self.path, encoding=encoding, sheet=sheet) if self.held is None else self.held

    def in_form(self, table: TextFile, mapping: PanelMapping) -> tuple[TextFile, list[Finding]]:
        """Select rows as the mapping says, and convert an export of an office to the form of a panel file."""
        is_file = self.held is None and bool(table.header)
        table, told = selected_rows(parted(table, self.path.stem) if is_file else table, mapping)
        table = with_years_below(table, mapping.columns)
        table, found = in_panel_form(table, mapping.columns, is_file=is_file)
        return table, [*told, *found]

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

    called = "data frame"
    if isinstance(source, pd.Series):
        if source.name is None:
            raise InvalidInput("a series needs the name of what it observes, as in series.rename('Infected')")
        source = source.to_frame()
    elif hasattr(source, "to_dataframe"):
        called, source = "xarray", _frame_of_labelled(source)
    elif isinstance(source, Mapping):
        try:
            called, source = "dictionary", pd.DataFrame(dict(source))
        except ValueError as error:
            raise InvalidInput("the dictionary is no table: {error}; give lists of one length", error=error) from error
    if not isinstance(source, pd.DataFrame):
        raise InvalidInput(
            "data are read from a file, a data frame, a dictionary of columns or an xarray object; found {found!r}",
            found=source,
        )
    return (Source(called=called, path=Path("data"), held=columns_of(source)),)


def columns_of(frame: "pd.DataFrame") -> TextFile:
    """Convert a data frame; an index that has a name or holds dates becomes a column."""
    import pandas as pd

    names = frame.index.names
    told = any(name is not None for name in names) or isinstance(frame.index, pd.DatetimeIndex | pd.MultiIndex)
    if told and not set(names) & set(frame.columns):
        frame = frame.reset_index(names="time" if list(names) == [None] else None)
    return of_frame(frame)


def _frame_of_labelled(source: Any) -> "pd.DataFrame":
    """Convert an xarray object to a data frame, with units in the headings."""
    if not hasattr(source, "data_vars"):
        source = source.to_dataset(name=source.name or "value")
    units = {str(item): str(source[item].attrs.get("units", "")) for item in source.data_vars}
    frame = source.to_dataframe().reset_index()
    frame = frame[[item for item in frame.columns if item in source.dims or item in source.data_vars]]
    renamed: pd.DataFrame = frame.rename(columns={item: f"{item} ({unit})" for item, unit in units.items() if unit})
    return renamed


_NAMES = ("name_en", "name_zh", "group")


def contents(data: "Data") -> "pd.DataFrame":
    """Summary table of data, one row per column."""
    import pandas as pd

    rows = []
    for name in data.variables:
        column = data.columns[name]
        seen = np.isfinite(column.values).reshape(-1, len(data.times))
        held = np.flatnonzero(seen.any(axis=0))
        inside = seen[:, held[0] : held[-1] + 1] if held.size else seen[:, :0]
        times = data.years if data.is_panel else data.times
        rows.append(
            {
                "variable": column.name,
                "observes": column.variable,
                "unit": column.unit,
                "over": ", ".join(column.axes),
                "first": times[held[0]] if held.size else np.nan,
                "last": times[held[-1]] if held.size else np.nan,
                "values": int(seen.sum()),
                "missing": int((~inside).sum()),
            }
        )
    return pd.DataFrame(rows)


def frame(data: "Data") -> "pd.DataFrame":
    """Long table, one row per observation; for a panel also missing ones, with units and marks."""
    import pandas as pd

    labels = {axis: of_texts(codes) for axis, codes in data.labels.items()}
    labels[data.axis] = np.array(data.years, dtype=np.int64) if data.is_panel else data.moments
    order = ["time", *data.entities, "column", "value"]
    if data.is_panel:
        order = [*data.entities, "year", "variable", "value", "unit", "flag"]
    frames = []
    for column in map(data.column, data.variables):
        kept = np.isfinite(column.values) | data.is_panel
        axes = zip((*column.axes, data.axis), np.nonzero(kept), strict=True)
        part = {axis: labels[axis][place] for axis, place in axes}
        flags = "" if column.marks is None else column.marks[kept]
        more = {"column": column.name, "value": column.values[kept], "unit": column.unit, "flag": flags}
        frames.append(pd.DataFrame({**part, **more, "variable": column.name})[order])
    return pd.concat(frames, ignore_index=True)


def by_time(data: "Data", name: str) -> "pd.Series[float] | pd.DataFrame":
    """Values of one column by time, without times at which nothing was observed."""
    import pandas as pd

    column = data.column(name)
    index = pd.Index(data.moments, name="time")
    if not column.axes:
        return pd.Series(column.values, index=index, name=column.name).dropna()
    labels = pd.MultiIndex.from_product([data.labels[axis] for axis in column.axes], names=list(column.axes))
    columns = labels if len(column.axes) > 1 else labels.get_level_values(0)
    frame = pd.DataFrame(column.values.reshape(-1, len(data.times)).T, index=index, columns=columns)
    return frame.dropna(how="all")


def labelled(data: "Data", names: Iterable[str]) -> "xr.Dataset":
    """Columns as an xarray data set."""
    import xarray as xr

    arrays = {
        item.name: xr.DataArray(item.values, dims=[*item.axes, data.axis], attrs={"units": item.unit})
        for item in map(data.column, names)
    }
    times = list(data.years) if data.is_panel else data.moments
    coords: dict[str, object] = {axis: list(codes) for axis, codes in data.labels.items()}
    coords[data.axis] = (data.axis, times, {"units": data.time_unit} if data.time_unit and not data.dates else {})
    attributes = {"name": data.name}
    if data.is_panel:
        coords |= {part: ("region", [getattr(item, part) for item in data.regions]) for part in _NAMES}
        attributes |= {"currency": data.currency, "price_basis": data.price_basis, "sha256": data.sha256}
    return xr.Dataset(arrays, coords=coords, attrs=attributes)


def workbook(data: "Data", path: str | Path) -> Path:
    """Write the observations and the summary table to a workbook."""
    from pysd_runner.export.files import save_workbook

    observed = data.to_frame()
    if not data.entities:
        observed = observed.pivot_table(index=data.axis, columns="column", values="value").reset_index()
    return save_workbook({"observations": observed, "columns": data.table()}, path)


def hash_of_panel(data: "Data") -> str:
    """Hash of regions and groups, years, values, units, flags and national series; not of further groupings."""
    header = {
        "regions": [[region.code, region.group] for region in data.regions],
        "years": list(data.years),
        "units": dict(sorted(data.units.items())),
        "national": {name: sorted(series.items()) for name, series in sorted(data.national.items())},
        "flags": sorted([*place, mark] for place, mark in data.flags.items()),
        "currency": data.currency,
        "price_basis": data.price_basis,
    }
    digest = hashlib.sha256(json.dumps(header, ensure_ascii=True, separators=(",", ":")).encode())
    for _, values in sorted(data.values.items()):
        array = np.where(np.isnan(values), np.nan, values) + 0.0
        digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return digest.hexdigest()


def hash_of_table(data: "Data") -> str:
    """Hash of times, values, names, units and entity labels."""
    digest = hashlib.sha256(np.ascontiguousarray(data.times).tobytes())
    for name, values in sorted(data.values.items()):
        column = data.columns[name]
        digest.update(repr((name, column.axes, column.unit, column.variable)).encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    digest.update(repr(sorted(data.labels.items())).encode())
    return digest.hexdigest()

"""What data are read from: a file, a shipped panel, a data frame, a dictionary or a labelled data set."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pysd_runner.core.errors import InvalidInput
from pysd_runner.panel.office import in_form
from pysd_runner.panel.shipped import panel_file
from pysd_runner.panel.tables import TextFile, is_typed, of_frame, read_table

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    OneSource = str | Path | pd.DataFrame | Mapping[str, Any] | xr.Dataset | xr.DataArray
    AnySource = OneSource | Sequence[OneSource]


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A file, or what stands for one."""

    called: str  # as the caller wrote it
    path: Path  # without a file for what stands in memory
    held: TextFile | None = None

    def table(self, encoding: str | None, sheet: str | None) -> TextFile:
        """What it holds, as it stands."""
        return read_table(self.path, encoding=encoding, sheet=sheet) if self.held is None else self.held

    def in_form(self, table: TextFile) -> TextFile:
        """What it holds in the form of a panel file, where an office exported it."""
        return in_form(table, self.path) if self.held is None else table

    @property
    def sha256(self) -> str:
        """Hash of its content."""
        if self.held is None:
            return hashlib.sha256(self.path.read_bytes()).hexdigest()
        digest = hashlib.sha256(repr([(name, is_typed(column)) for name, column in self.held.named]).encode())
        for _, column in self.held.named:
            digest.update(column.astype(float).tobytes() if is_typed(column) else "\0".join(column).encode())
        return digest.hexdigest()


def sources_of(source: "AnySource") -> tuple[Source, ...]:
    """The files, or what stands for them, that are read together."""
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
    """A data frame as a file; an index that has a name, or holds dates, is a column."""
    import pandas as pd

    names = frame.index.names
    told = any(name is not None for name in names) or isinstance(frame.index, pd.DatetimeIndex | pd.MultiIndex)
    if told and not set(names) & set(frame.columns):
        frame = frame.reset_index(names="time" if list(names) == [None] else None)
    return of_frame(frame)


def _frame_of_labelled(source: Any, kind: str) -> "pd.DataFrame":
    """A labelled data set with its units in the headings."""
    if kind == "xarray.DataArray":
        source = source.to_dataset(name=source.name or "value")
    units = {str(item): str(source[item].attrs.get("units", "")) for item in source.data_vars}
    frame = source.to_dataframe().reset_index()
    frame = frame[[item for item in frame.columns if item in source.dims or item in source.data_vars]]
    renamed: pd.DataFrame = frame.rename(columns={item: f"{item} ({unit})" for item, unit in units.items() if unit})
    return renamed

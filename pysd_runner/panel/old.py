"""Panels and tables as scripts of earlier versions use them: data under two names."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from pysd_runner.panel.column import Array, Column, Entity
from pysd_runner.panel.data import Data

if TYPE_CHECKING:
    import pandas as pd

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

    def with_variable(self, variable: str, values: ArrayLike, *, unit: str, flag: str = "") -> "Panel":
        """Add or replace one variable."""
        array = np.array(values, dtype=float)
        marks = np.where(np.isfinite(array), flag, "").astype(object)
        return self.with_column(Column(name=variable, values=array, axes=("region",), unit=unit, marks=marks))


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
        import pandas as pd

        column = self.column(name)
        index = pd.Index(self.times, name="time")
        if not column.axes:
            return pd.Series(column.values, index=index, name=column.name).dropna()
        labels = pd.MultiIndex.from_product([self.labels[axis] for axis in column.axes], names=list(column.axes))
        columns = labels if len(column.axes) > 1 else labels.get_level_values(0)
        frame = pd.DataFrame(column.values.reshape(-1, len(self.times)).T, index=index, columns=columns)
        return frame.dropna(how="all")

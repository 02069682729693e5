"""Panels and tables as scripts of earlier versions use them: data under two names."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from pysd_runner.panel.column import Array, Entity
from pysd_runner.panel.data import Data
from pysd_runner.panel.load import check_data, load_data
from pysd_runner.panel.mapping import PanelMapping
from pysd_runner.panel.problems import Problem

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


def check_panel(name_or_path: Any, *, mapping: Any = None, **settings: Any) -> list[Problem]:
    """List everything that is wrong with a panel; `check_data` is its name now."""
    return check_data(name_or_path, roles=mapping, panel=True, **settings)


def load_table(source: Any, *, name: str | None = None, **settings: Any) -> Table:
    """Read observations of anything over time; `load_data` is its name now."""
    data = load_data(source, **_of_table(**settings))
    fields = {field: getattr(data, field) for field in _FIELDS}
    return Table(**(fields if name is None else fields | {"name": name}))


def check_table(source: Any, **settings: Any) -> list[Problem]:
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

"""Observations by region and year, in canonical units, with where they came from."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pysd_runner.core.errors import InvalidInput, UnknownName, suggest
from pysd_runner.export.tables import Tabled
from pysd_runner.panel.problems import Problem

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

FloatArray = NDArray[np.float64]
Key = tuple[str, str, int]

DERIVED = "derived"
SPLICED = "spliced"
IMPUTED = "imputed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """One region: its code, its names, its group and its place on the tile grid.

    Parameters
    ----------
    code
        What the panel calls it; unique.
    name_en, name_zh
        Labels.
    group
        Class of regions it belongs to; empty when none is known.
    row, column
        Tile, counted from zero at the top left.
    """

    code: str
    name_en: str
    name_zh: str
    group: str = ""
    row: int = 0
    column: int = 0

    def name(self, language: str = "en") -> str:
        """Return the label in a language, ``"en"`` or ``"zh"``."""
        return self.name_zh if language == "zh" else self.name_en


class Flags(Mapping[Key, str]):
    """Marks on single observations, by variable, region code and year.

    Parameters
    ----------
    regions, years
        The axes.
    marks
        For each marked variable an array (region, year) of text, empty where nothing is marked.
    """

    def __init__(
        self,
        regions: Iterable[str],
        years: Iterable[int],
        marks: Mapping[str, NDArray[np.object_]] | None = None,
    ) -> None:
        self._regions = {code: position for position, code in enumerate(regions)}
        self._years = {year: position for position, year in enumerate(years)}
        self._marks = {name: array for name, array in (marks or {}).items() if (array != "").any()}

    def __getitem__(self, key: Key) -> str:
        variable, region, year = key
        mark = str(self._marks[variable][self._regions[region], self._years[year]])
        if not mark:
            raise KeyError(key)
        return mark

    def __iter__(self) -> Iterator[Key]:
        regions, years = list(self._regions), list(self._years)
        for variable, array in self._marks.items():
            for row, column in np.argwhere(np.asarray(array != "")):
                yield variable, regions[row], years[column]

    def __len__(self) -> int:
        return sum(int((array != "").sum()) for array in self._marks.values())

    def of(self, variable: str) -> NDArray[np.object_]:
        """Return the marks of one variable, text of shape (region, year), empty where nothing is marked."""
        blank = np.full((len(self._regions), len(self._years)), "", dtype=object)
        return self._marks.get(variable, blank).copy()

    def marks(self) -> dict[str, NDArray[np.object_]]:
        """Return the marks of every marked variable, each of shape (region, year)."""
        return {name: array.copy() for name, array in self._marks.items()}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Panel(Tabled):
    """Observations by region and year.

    ``panel[variable]`` is an array of shape (region, year) in the canonical unit, NaN where nothing was
    observed.

    Parameters
    ----------
    name
        Shipped name or file name.
    regions
        In order of first appearance in the file.
    years
        Ascending.
    values
        Arrays (region, year) by variable.
    units
        Canonical unit by variable: output in currency/Year, people in Person, shares as fractions (Dmnl).
    national
        National series, ``{variable: {year: value}}``; shares as fractions.
    flags
        Marks such as ``derived``, ``spliced`` or ``imputed`` by (variable, region code, year).
    currency
        Currency of the money values; ``"currency"`` when the file does not say.
    price_basis
        For instance ``"current prices"``; empty when the file does not say.
    file_rows
        Row of the file each observation came from, (region, year) by variable; 0 where there is none.
    original
        Text of each observation as it stood in the file, (region, year) by variable.
    provenance
        How the panel was read: file, its SHA-256, encoding, layout, headings used, units given.
    problems
        Warnings that did not stop the panel from loading.
    """

    name: str
    regions: tuple[Region, ...]
    years: tuple[int, ...]
    values: Mapping[str, FloatArray]
    units: Mapping[str, str]
    national: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    flags: Flags = field(default_factory=lambda: Flags((), ()))
    currency: str = "currency"
    price_basis: str = ""
    file_rows: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    original: Mapping[str, NDArray[np.object_]] = field(default_factory=dict)
    provenance: Mapping[str, object] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def __post_init__(self) -> None:
        shape = (len(self.regions), len(self.years))
        for variable, array in self.values.items():
            if array.shape != shape:
                raise InvalidInput(
                    f"panel variable {variable!r} has shape {array.shape}; expected (region, year) = {shape}"
                )
            array.setflags(write=False)
        if not self.flags:
            # Marks of nothing are those of any axes; a panel made by hand need not give them.
            object.__setattr__(self, "flags", Flags(self.codes, self.years))

    def __getitem__(self, variable: str) -> FloatArray:
        """Return the observations of one variable, (region, year), NaN where missing."""
        if variable not in self.values:
            known = f"{', '.join(self.values)}.{suggest(variable, self.values)}"
            raise UnknownName(f"panel {self.name!r} has no variable {variable!r}; it has {known}")
        return self.values[variable]

    def __contains__(self, variable: object) -> bool:
        """Whether the panel has this variable."""
        return variable in self.values

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables, those of the file first, derived ones last."""
        return tuple(self.values)

    @property
    def codes(self) -> tuple[str, ...]:
        """Region codes, in order."""
        return tuple(region.code for region in self.regions)

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the region groups, in order of first appearance, without the empty one."""
        return tuple(dict.fromkeys(region.group for region in self.regions if region.group))

    def region(self, name: str) -> Region:
        """Return the region with this code or name.

        Raises
        ------
        UnknownName
            If no region is called so.
        """
        wanted = name.casefold()
        for region in self.regions:
            if wanted in {region.code.casefold(), region.name_en.casefold(), region.name_zh}:
                return region
        labels = [label for region in self.regions for label in (region.code, region.name_en, region.name_zh)]
        raise UnknownName(f"panel {self.name!r} has no region {name!r}.{suggest(name, labels)}")

    def years_with(self, variable: str) -> tuple[int, ...]:
        """Return the years in which at least one region has an observation.

        Raises
        ------
        UnknownName
            If the panel has no such variable.
        """
        seen = np.flatnonzero(np.isfinite(self[variable]).any(axis=0))
        return tuple(self.years[position] for position in seen)

    def subset(self, *, regions: Iterable[str] | None = None, years: Iterable[int] | None = None) -> "Panel":
        """Choose regions and years; the order is the panel's own.

        Parameters
        ----------
        regions
            Codes or names; None keeps all.
        years
            Years, for instance a range; None keeps all. Years the panel lacks are an error unless a range is
            given.

        Raises
        ------
        UnknownName
            If a region or a year is not in the panel.
        """
        codes = set(self.codes) if regions is None else {self.region(name).code for name in regions}
        wanted = self._chosen_years(years)
        rows = [position for position, region in enumerate(self.regions) if region.code in codes]
        columns = [position for position, year in enumerate(self.years) if year in wanted]
        if not rows or not columns:
            raise UnknownName(f"nothing of panel {self.name!r} is left: {len(rows)} regions, {len(columns)} years")
        cut = np.ix_(rows, columns)
        kept_regions = tuple(self.regions[row] for row in rows)
        kept_years = tuple(self.years[column] for column in columns)
        marks = {name: array[cut] for name, array in self.flags.marks().items()}
        return replace(
            self,
            regions=kept_regions,
            years=kept_years,
            values={name: array[cut] for name, array in self.values.items()},
            flags=Flags((region.code for region in kept_regions), kept_years, marks),
            file_rows={name: array[cut] for name, array in self.file_rows.items()},
            original={name: array[cut] for name, array in self.original.items()},
        )

    def _chosen_years(self, years: Iterable[int] | None) -> set[int]:
        if years is None:
            return set(self.years)
        wanted = set(years)
        missing = sorted(wanted - set(self.years))
        if missing and not isinstance(years, range):
            raise UnknownName(
                f"panel {self.name!r} has no year {missing[0]}; it has {self.years[0]} to {self.years[-1]}"
            )
        return wanted

    def with_variable(self, variable: str, values: ArrayLike, *, unit: str, flag: str = "") -> "Panel":
        """Add or replace one variable.

        Parameters
        ----------
        variable
            Its name.
        values
            Array (region, year) in `unit`.
        unit
            Canonical unit.
        flag
            Mark for every finite value, for instance ``"imputed"``.
        """
        array = np.array(values, dtype=float)
        marks = self.flags.marks()
        marks[variable] = np.where(np.isfinite(array), flag, "").astype(object)
        return replace(
            self,
            values={**self.values, variable: array},
            units={**self.units, variable: unit},
            flags=Flags(self.codes, self.years, marks),
        )

    def __repr__(self) -> str:
        span = f"{self.years[0]} to {self.years[-1]}" if self.years else "no year"
        return f"<Panel {self.name!r}: {len(self.regions)} regions, {span}; {', '.join(self.variables)}>"

    def table(self) -> "pd.DataFrame":
        """What the panel holds: one row a variable, with unit, years, and how many values are there and missing."""
        import pandas as pd

        rows = []
        for variable in self.variables:
            years = self.years_with(variable)
            seen = int(np.isfinite(self[variable]).sum())
            inside = len(self.regions) * (self.years.index(years[-1]) - self.years.index(years[0]) + 1) if years else 0
            rows.append(
                {
                    "variable": variable,
                    "unit": self.units[variable],
                    "first": years[0] if years else None,
                    "last": years[-1] if years else None,
                    "values": seen,
                    "missing": inside - seen,
                }
            )
        return pd.DataFrame(rows)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.variables)

    def to_frame(self) -> "pd.DataFrame":
        """Every observation as a long table: region, year, variable, value, unit, flag.

        Missing observations are rows with a missing value, so that nothing disappears.
        """
        import pandas as pd

        count = len(self.regions) * len(self.years)
        codes = np.repeat(np.array(self.codes, dtype=object), len(self.years))
        years = np.tile(np.array(self.years, dtype=np.int64), len(self.regions))
        frames = [
            pd.DataFrame(
                {
                    "region": codes,
                    "year": years,
                    "variable": np.full(count, variable, dtype=object),
                    "value": array.ravel(),
                    "unit": np.full(count, self.units[variable], dtype=object),
                    "flag": self.flags.of(variable).ravel(),
                }
            )
            for variable, array in self.values.items()
        ]
        return pd.concat(frames, ignore_index=True)

    def to_xarray(self) -> "xr.Dataset":
        """Return a labelled data set with dims region and year; each variable carries its unit."""
        import xarray as xr

        coordinates = {
            "region": list(self.codes),
            "year": list(self.years),
            "name_en": ("region", [region.name_en for region in self.regions]),
            "name_zh": ("region", [region.name_zh for region in self.regions]),
            "group": ("region", [region.group for region in self.regions]),
        }
        data = {
            variable: (("region", "year"), array, {"units": self.units[variable]})
            for variable, array in self.values.items()
        }
        attributes = {
            "panel": self.name,
            "currency": self.currency,
            "price_basis": self.price_basis,
            "sha256": self.sha256,
        }
        return xr.Dataset(data, coords=coordinates, attrs=attributes)

    @property
    def sha256(self) -> str:
        """SHA-256 of the canonical content: regions and groups, years, values, units, flags, national series.

        File format, encoding, headings and row numbers do not change it.
        """
        header = {
            "regions": [[region.code, region.group] for region in self.regions],
            "years": list(self.years),
            "units": {name: self.units[name] for name in sorted(self.values)},
            "national": {name: sorted(series.items()) for name, series in sorted(self.national.items())},
            "flags": sorted([*key, mark] for key, mark in self.flags.items()),
            "currency": self.currency,
            "price_basis": self.price_basis,
        }
        digest = hashlib.sha256(json.dumps(header, ensure_ascii=True, separators=(",", ":")).encode())
        for name in sorted(self.values):
            array = np.where(np.isnan(self.values[name]), np.nan, self.values[name]) + 0.0
            digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        return digest.hexdigest()

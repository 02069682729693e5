"""One observed quantity, and the entities it is observed for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pysd_runner.panel.names import CHINESE_ENDING, key

Array = NDArray[np.float64]
TextArray = NDArray[np.object_]

DERIVED = "derived"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entity:
    """Something that is observed again and again; a region also has names, a class and a place on the tile grid.

    Parameters
    ----------
    code
        What the data call it; unique.
    name_en, name_zh
        Labels.
    group
        Class of entities it belongs to; empty when none is known.
    row, column
        Tile, counted from zero at the top left.
    """

    code: str
    name_en: str
    name_zh: str
    group: str = ""
    row: int = 0
    column: int = 0

    @classmethod
    def of(cls, code: str) -> "Entity":
        """An entity of which only the code is known."""
        return cls(code=code, name_en=code, name_zh=code)

    def name(self, language: str = "en") -> str:
        """Return the label in a language, ``"en"`` or ``"zh"``."""
        return self.name_zh if language == "zh" else self.name_en


def by_label(entities: Iterable[Entity]) -> dict[str, Entity]:
    """Entities by each of their labels in the form of `label_key`; the first of equal ones."""
    found: dict[str, Entity] = {}
    for entity in entities:
        for label in (entity.code, entity.name_en, entity.name_zh):
            found.setdefault(label_key(label), entity)
    return found


def label_key(text: str) -> str:
    """Form of a label in which case, spaces, signs and the kind of a Chinese region do not matter."""
    return CHINESE_ENDING.sub("", key(text))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Origins:
    """Where the values of a column stand in a file, each of the shape of the values.

    Parameters
    ----------
    rows
        Row of the file, 0 where there is no value.
    texts
        Text as it stood there; None for numbers of a data frame.
    """

    rows: NDArray[np.int64]
    texts: TextArray | None = None


@dataclass(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Column:
    """One observed quantity.

    Parameters
    ----------
    name
        As it is called in the data.
    values
        Shape (entity..., time), one axis for each of `axes`; NaN where nothing was observed.
    axes
        Names of the axes of entities, empty for a single series.
    unit
        As written in the data, or the canonical unit; empty where none is given.
    variable
        Variable of the model that it observes, if the caller said so.
    marks
        Marks such as ``"derived"`` or ``"imputed"``, text of the shape of the values, empty where nothing is marked;
        None where nothing is marked at all.
    origins
        Rows and texts of the file; None where they are not known.
    times
        Moments of a series that stands beside the data, such as a national one; None for the moments of the data.
    """

    name: str
    values: Array
    axes: tuple[str, ...] = ()
    unit: str = ""
    variable: str = ""
    marks: TextArray | None = None
    origins: Origins | None = None
    times: Array | None = None

    def __post_init__(self) -> None:
        self.values.setflags(write=False)
        if self.marks is not None and not (self.marks != "").any():
            object.__setattr__(self, "marks", None)

    def __repr__(self) -> str:
        over = f" over {', '.join(self.axes)}" if self.axes else ""
        return f"<Column {self.name!r}{over}, {int(np.isfinite(self.values).sum())} values>"

    def cut(self, where: tuple[NDArray[np.intp], ...]) -> "Column":
        """Some entities and moments, given as what `numpy.ix_` makes of their places."""
        origins = self.origins
        if origins is not None:
            texts = None if origins.texts is None else origins.texts[where]
            origins = Origins(rows=origins.rows[where], texts=texts)
        marks = None if self.marks is None else self.marks[where]
        return replace(self, values=self.values[where], marks=marks, origins=origins)

    def series(self) -> dict[int, float]:
        """A series by year that stands beside the data."""
        times = () if self.times is None else self.times
        return {int(time): float(value) for time, value in zip(times, self.values, strict=True)}


def series_column(name: str, series: Mapping[int, float]) -> Column:
    """A series by year as a column with moments of its own."""
    times = np.array(list(series), dtype=float)
    return Column(name=name, values=np.array(list(series.values()), dtype=float), times=times)

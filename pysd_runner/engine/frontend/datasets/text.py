"""Data sets in text: ``.dat``, with a name above its points, and tables of any of three layouts."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pysd_runner.engine.errors import InvalidModel, Message
from pysd_runner.engine.frontend.datasets.series import Gathered, Label, Series, at_line, number
from pysd_runner.engine.kinds import Array

Row = Sequence[Any]


def read_dat(text: str) -> dict[Label, Series]:
    """Read a ``.dat``: the name of a series on its line, then lines of a time and a value."""
    found = Gathered()
    name: str = ""
    points: list[tuple[float, float]] = []
    for place, line in enumerate(text.splitlines(), 1):
        parts = line.replace(",", " ").split()
        if not parts:
            continue
        time = number(parts[0])
        if math.isnan(time):
            _close(found, name, points)
            # A comment follows a slash, the name of a time base stands in angle brackets.
            name, points = line.partition("/")[0].partition("<")[0].strip(), []
        elif len(parts) < 2 or not name:
            raise at_line(
                place, Message("a time without a value") if name else Message("points before the name of a series")
            )
        else:
            points.append((time, number(parts[1])))
    _close(found, name, points)
    return found.series()


def _close(found: Gathered, name: str, points: list[tuple[float, float]]) -> None:
    if points:
        found.add(name, (), *np.array(points).T)


def read_table(text: str, delimiter: str) -> dict[Label, Series]:
    """Read a text table, see `read_rows`."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    try:
        return read_rows(list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)))
    except csv.Error as error:
        raise InvalidModel("the file cannot be read as a table: {error}", error=error) from error


def read_rows(rows: Iterable[Row]) -> dict[Label, Series]:
    """Read a table with times across, with times down, or as a list with one point in each row."""
    filled = [(place, [_text(cell) for cell in row]) for place, row in enumerate(rows, 1)]
    filled = [(place, row) for place, row in filled if any(row)]
    if not filled:
        return {}
    found = Gathered()
    _layout(filled)(filled, found)
    return found.series()


def _text(cell: object) -> str:
    return "" if cell is None else str(cell).strip()


def _numbers(row: Row) -> Array:
    return np.array([number(cell) for cell in row])


def _layout(rows: list[tuple[int, list[str]]]) -> Any:
    head = _numbers(rows[0][1])
    if len(rows) > 1 and all(_is_point(row) for _, row in rows[1:]):
        names = [tuple(cell for cell in row if math.isnan(number(cell))) for _, row in rows[1:]]
        # Of two columns of times each name has one row only.
        if np.isnan(head).all() or len(set(names)) < len(names):
            return _listed
    if not np.isnan(head).all() and (np.isnan(head[0]) or not rows[0][1][0]):
        return _across
    if np.isnan(head).all() and any(not math.isnan(number(row[0])) for _, row in rows[1:]):
        return _down
    raise at_line(
        rows[0][0],
        Message("no table of series: expected times in the first row or column, and names beside or above them"),
    )


def _is_point(row: Row) -> bool:
    """Whether a row has a name, maybe subscripts, and then one time and one value."""
    cells = [cell for cell in row if cell]
    are_numbers = [not math.isnan(number(cell)) for cell in cells]
    return len(cells) > 2 and are_numbers == [False] * (len(cells) - 2) + [True, True]


def _listed(rows: list[tuple[int, list[str]]], found: Gathered) -> None:
    points: dict[tuple[str, ...], list[list[str]]] = {}
    for _, row in rows:
        *labels, time, value = [cell for cell in row if cell] if _is_point(row) else ["", "", ""]
        points.setdefault(tuple(labels), []).append([time, value])
    for names, pairs in points.items():
        times, values = zip(*pairs, strict=True)
        if names[0]:
            found.add(names[0], names[1:], _numbers(times), _numbers(values))


def _across(rows: list[tuple[int, list[str]]], found: Gathered) -> None:
    times = _numbers(rows[0][1])
    first = int(np.flatnonzero(~np.isnan(times))[0])
    for _, row in rows[1:]:
        labels = [cell for cell in row[:first] if cell]
        values = _numbers(row[first : times.size])
        if labels:
            found.add(labels[0], labels[1:], times[first : first + values.size], values)


def _down(rows: list[tuple[int, list[str]]], found: Gathered) -> None:
    begin = next(place for place, (_, row) in enumerate(rows) if not math.isnan(number(row[0])))
    width = max(len(row) for _, row in rows)
    cells = np.array([[*row, *[""] * (width - len(row))] for _, row in rows[begin:]], dtype=object)
    times = _numbers(cells[:, 0].tolist())
    for column in range(1, width):
        labels = [row[column] for _, row in rows[:begin] if column < len(row) and row[column]]
        if labels:
            found.add(labels[0], labels[1:], times, _numbers(cells[:, column].tolist()))

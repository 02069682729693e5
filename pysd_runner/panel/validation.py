"""Cell by cell and row by row: everything wrong with the keys and the values, all of it in one pass."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pysd_runner.panel.conversion import Measure
from pysd_runner.panel.number_style import PLAIN, STYLES, NumberStyle
from pysd_runner.panel.observations import Cells, Keys
from pysd_runner.panel.problems import Problem
from pysd_runner.panel.variables import VARIABLES

PERCENT = 0.01

_EITHER_WAY = re.compile(r"[+-]?[0-9]{1,3}[,，][0-9]{3}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbers:
    """Cells of one variable as numbers in the panel's unit."""

    values: NDArray[np.float64]  # naN where the cell is empty or faulty
    faulty: NDArray[np.bool_]  # cells that are not a number, cannot be one of this variable, or are in no known unit


def numbers_of(
    cells: Cells, keys: Keys, measure: Measure, missing: frozenset[str], style: NumberStyle = PLAIN
) -> tuple[Numbers, list[Problem]]:
    """Read the cells of one variable."""
    raw, not_numbers = _parse(cells, keys, missing, style)
    unclear = np.zeros(len(raw), dtype=bool) if measure.unclear is None else measure.unclear
    raw[unclear] = np.nan
    values = raw * measure.factor if measure.factor >= 1 else raw / (1 / measure.factor)
    impossible = _impossible(cells, keys, raw, values, measure)
    doubts = _fraction_for_percent(cells, keys, raw, measure)
    faulty = unclear.copy()
    faulty[[position for position, _ in (*not_numbers, *impossible)]] = True
    values[faulty] = np.nan
    problems = [problem for _, problem in (*not_numbers, *impossible)]
    return Numbers(values=values, faulty=faulty), problems + doubts


def _parse(
    cells: Cells, keys: Keys, missing: frozenset[str], style: NumberStyle
) -> tuple[NDArray[np.float64], list[tuple[int, Problem]]]:
    texts = cells.texts.copy()
    if missing:
        texts[np.isin(texts.astype(str), list(missing))] = ""
    bad = [position for position, text in enumerate(texts) if text and not style.fits(text)]
    problems = [(position, _not_a_number(cells, keys, position)) for position in bad]
    texts[bad] = ""
    numbers = np.array([float(style.plain(text)) if text else np.nan for text in texts], dtype=float)
    return numbers, problems


def _not_a_number(cells: Cells, keys: Keys, position: int) -> Problem:
    text = str(cells.texts[position])
    if _EITHER_WAY.fullmatch(text):
        advice = "; is the comma the decimal point? say `decimal: ','` or `decimal: '.'` in a mapping file"
    elif any(style.fits(text) for style in STYLES):
        advice = "; others are written in another way; write it like them, or say `decimal` in a mapping file"
    elif text.endswith(("%", "％", "‰")):
        advice = "; write the number alone and give the unit in the heading"
    else:
        advice = "; leave the cell empty where nothing was observed, or list the text under `missing` in a mapping file"
    return Problem(
        rule="not-a-number",
        message=f"{cells.variable} is not a number{advice}",
        row=int(keys.rows[cells.take[position]]),
        column=str(cells.columns[position]),
        found=text,
        expected="a plain number such as 1234.5",
    )


def _impossible(
    cells: Cells, keys: Keys, raw: NDArray[np.float64], values: NDArray[np.float64], measure: Measure
) -> list[tuple[int, Problem]]:
    known = VARIABLES.get(cells.variable)
    wrong = np.isinf(values)
    if known is not None:
        too_low = values < known.lower if known.lower_allowed else values <= known.lower
        wrong |= too_low | (values > known.upper)
    bad = np.flatnonzero(wrong).tolist()
    expected = known.limits if known is not None else "a finite number"
    if known is not None and known.upper == 1.0 and _percent_for_fraction(raw, measure):
        return [(position, problem) for position, problem in _as_percent(cells, keys, raw, bad)]
    return [(position, _impossible_value(cells, keys, position, expected)) for position in bad]


def _impossible_value(cells: Cells, keys: Keys, position: int, expected: str) -> Problem:
    return Problem(
        rule="impossible-value",
        message=f"impossible value of {cells.variable}; leave the cell empty where nothing was observed",
        row=int(keys.rows[cells.take[position]]),
        column=str(cells.columns[position]),
        found=str(cells.texts[position]),
        expected=expected,
    )


def _percent_for_fraction(raw: NDArray[np.float64], measure: Measure) -> bool:
    held = raw[np.isfinite(raw)]
    return (
        measure.factor == 1.0 and len(held) > 0 and float(np.mean(held > 1)) > 0.5 and float(np.mean(held <= 100)) > 0.5
    )


# A share this many times below the middle of its column is more likely a fraction among percentages.
FAR_BELOW = 30


def _fraction_for_percent(cells: Cells, keys: Keys, raw: NDArray[np.float64], measure: Measure) -> list[Problem]:
    """Doubt a share in percent that looks like a fraction: a spreadsheet shows 8 % where it stores 0.08."""
    held = np.flatnonzero(np.isfinite(raw))
    known = VARIABLES.get(cells.variable)
    if known is None or known.upper != 1.0 or measure.factor != PERCENT or not len(held):
        return []
    if raw[held].max() <= 1:
        message = f"{cells.variable} is given in percent but never exceeds 1; are these fractions?"
        return [_doubt(cells, keys, int(held[0]), message)]
    low = held[(raw[held] > 0) & (raw[held] <= 1) & (raw[held] * FAR_BELOW < np.median(raw[held]))]
    if not len(low):
        return []
    message = (
        f"{cells.variable} is given in percent, but {len(low)} of {len(held)} values lie far below the others; "
        "are these fractions?"
    )
    return [_doubt(cells, keys, int(low[0]), message)]


def _doubt(cells: Cells, keys: Keys, position: int, message: str) -> Problem:
    return Problem(
        rule="unit-doubt",
        message=message,
        row=int(keys.rows[cells.take[position]]),
        column=str(cells.columns[position]),
        found=str(cells.texts[position]),
        expected="percent from 0 to 100",
        severity="warning",
    )


def _as_percent(cells: Cells, keys: Keys, raw: NDArray[np.float64], bad: list[int]) -> list[tuple[int, Problem]]:
    """Report the unit of the column once; values that no percentage could be stay problems of their own."""
    above = [position for position in bad if 1 < raw[position] <= 100]
    rest = [position for position in bad if position not in set(above)]
    problem = Problem(
        rule="unit-mismatch",
        message=f"{cells.variable} is read as a fraction but looks like percent ({len(above)} above 1)",
        row=int(keys.rows[cells.take[above[0]]]),
        column=str(cells.columns[above[0]]),
        found=str(cells.texts[above[0]]),
        expected="a fraction from 0 to 1, or the unit percent",
    )
    others = [
        (position, _impossible_value(cells, keys, position, "a share from 0 to 100 percent")) for position in rest
    ]
    return [(above[0], problem), *others]

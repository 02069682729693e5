"""From the units of a file to the canonical units, and whether the file agrees with itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, Message, suggest
from pysd_runner.panel.names import CURRENCY, VARIABLE_OF, VARIABLES, key
from pysd_runner.panel.observations import Cells, Observations
from pysd_runner.panel.problems import Problem, with_hint
from pysd_runner.panel.tables import IndexArray, is_empty
from pysd_runner.panel.units import EXAMPLES, PLAIN, Unit, canonical_text, factor_for, parse_unit

MONEY = ("money", "money per head")


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """How one variable is measured in the file."""

    text: str  # unit as written; empty when none was given and the canonical one was taken
    unit: str  # unit of the panel
    factor: float = 1.0  # value in the file times `factor` is the value in the panel
    currency: str = ""
    price_basis: str = ""
    unclear: NDArray[np.bool_] | None = None  # cells whose unit is not known: their numbers mean nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class _Given:
    """A unit text, and who gave it."""

    text: str
    by: str


def measures(
    observations: Observations,
    given: Mapping[str, str],
    declared: Mapping[str, str],
    missing: frozenset[str] = frozenset(),
) -> tuple[dict[str, Measure], list[Problem]]:
    """Find the unit of each variable."""
    found: dict[str, Measure] = {}
    problems = _unknown_targets(observations, given)
    for cells in observations.cells:
        own, mixed = _file_unit(cells, observations.keys.rows, missing)
        problems += mixed
        asked = _asked(cells, given)
        if asked and own and not _agree(own.text, asked):
            problems.append(_contradiction(cells, own.text, asked))
        chosen = own or (_Given(text=asked, by="the caller") if asked else None)
        if chosen is None and cells.variable in declared:
            chosen = _Given(text=declared[cells.variable], by="the declarations")
        measure, faults = _measure(cells, chosen, observations.keys.rows)
        found[cells.variable] = replace(measure, unclear=_other_unit(cells, own)) if mixed else measure
        problems += faults
    return _one_currency(found, problems, observations)


def _asked(cells: Cells, given: Mapping[str, str]) -> str:
    loose = {VARIABLE_OF.get(key(name), key(name)): unit for name, unit in given.items()}
    headings = {key(str(heading)) for heading in cells.columns[:1]}
    return (
        loose.get(cells.variable)
        or loose.get(key(cells.variable))
        or next((loose[name] for name in headings if name in loose), "")
    )


def _unknown_targets(observations: Observations, given: Mapping[str, str]) -> list[Problem]:
    names = {cells.variable for cells in observations.cells}
    headings = {str(heading) for cells in observations.cells for heading in cells.columns[:1]}
    known = {key(name) for name in names | headings}
    return [
        Problem(
            rule="unit-of-nothing",
            message=Message(
                "a unit is given for {name!r}, which is not in the file{hint}",
                name=name,
                hint=with_hint(suggest(name, sorted(names))),
            ),
            column=name,
            found=unit,
            expected=Message("one of {names}", names=", ".join(sorted(names))),
        )
        for name, unit in given.items()
        if key(name) not in known and VARIABLE_OF.get(key(name)) not in names
    ]


def _file_unit(cells: Cells, rows: IndexArray, missing: frozenset[str]) -> tuple[_Given | None, list[Problem]]:
    """Find the unit the file gives, and where it changes its mind."""
    import pandas as pd

    codes, texts = pd.factorize(cells.units)
    if not any(texts):
        return None, []
    held = np.flatnonzero(~is_empty(cells.entries, missing))
    first_of = {str(texts[code]): held[place] for place, code in _firsts(codes[held])}
    main = next((text for text in first_of if text), "")
    if not main:
        return _Given(text=next(str(text) for text in texts if text), by="the file"), []
    problems = [
        Problem(
            rule="mixed-units",
            message=Message("{variable} is given in two units; convert the file to one", variable=cells.variable),
            row=int(rows[cells.take[position]]),
            column=str(cells.columns[position]),
            found=text or Message("no unit"),
            expected=main,
        )
        for text, position in first_of.items()
        if text != main and not (text and _agree(text, main))
    ]
    return _Given(text=main, by="the file"), problems


def _firsts(codes: IndexArray) -> list[tuple[int, int]]:
    """Place and code of the first of each, in order."""
    found, places = np.unique(codes, return_index=True)
    return sorted(zip(places.tolist(), found.tolist(), strict=True))


def _other_unit(cells: Cells, main: _Given | None) -> NDArray[np.bool_]:
    agreeing = {
        text for text in set(cells.units) if main is not None and (text == main.text or _agree(text, main.text))
    }
    return ~np.isin(cells.units.astype(str), sorted(agreeing))


def _agree(first: str, second: str) -> bool:
    one, other = _parsed(first), _parsed(second)
    if one is None or other is None:
        return first.strip().casefold() == second.strip().casefold()
    return one.same_as(other)


def _parsed(text: str) -> Unit | None:
    try:
        return parse_unit(text)
    except InvalidInput:
        return None


def _contradiction(cells: Cells, file_unit: str, asked: str) -> Problem:
    return Problem(
        rule="unit-mismatch",
        message=Message("the file gives {variable} in one unit and you in another", variable=cells.variable),
        column=str(cells.columns[0]) if len(cells.columns) else cells.variable,
        found=file_unit,
        expected=asked,
    )


def _measure(cells: Cells, chosen: _Given | None, rows: IndexArray) -> tuple[Measure, list[Problem]]:
    known = VARIABLES.get(cells.variable)
    if known is None:
        return Measure(text=chosen.text if chosen else "", unit=chosen.text if chosen else ""), []
    if chosen is None:
        return Measure(text="", unit=known.unit), [_no_unit(cells)]
    try:
        unit = parse_unit(chosen.text)
        factor = factor_for(unit, known.kind)
    except InvalidInput as error:
        problem = Problem(
            rule="unit-mismatch",
            message=Message("{where}: {said}", where=cells.variable, said=error),
            row=_first_row_with(cells, chosen.text, rows),
            column=str(cells.columns[0]) if len(cells.columns) else cells.variable,
            found=chosen.text,
            expected=Message("a unit such as {examples}", examples=EXAMPLES[known.kind]),
        )
        unclear = np.ones(len(cells.entries), dtype=bool)
        return Measure(text=chosen.text, unit=known.unit, unclear=unclear), [problem]
    return Measure(
        text=chosen.text, unit=known.unit, factor=factor, currency=unit.currency, price_basis=unit.price_basis
    ), []


def _first_row_with(cells: Cells, unit: str, rows: IndexArray) -> int | None:
    """Find the row that first gives this unit; None when it came from outside."""
    if cells.unit_row is not None:
        return cells.unit_row if (cells.units == unit).any() else None
    places = np.flatnonzero(cells.units == unit)
    return int(rows[cells.take[places[0]]]) if len(places) > 0 else None


def _no_unit(cells: Cells) -> Problem:
    known = VARIABLES[cells.variable]
    return Problem(
        rule="no-unit",
        message=Message(
            "no unit is given for {variable}; it is read as {unit}", variable=cells.variable, unit=PLAIN[known.kind]
        ),
        column=str(cells.columns[0]) if len(cells.columns) else cells.variable,
        expected=Message("a unit such as {examples}", examples=EXAMPLES[known.kind]),
        severity="warning",
    )


def _one_currency(
    found: dict[str, Measure], problems: list[Problem], observations: Observations
) -> tuple[dict[str, Measure], list[Problem]]:
    """Hold output and output per head to one currency."""
    currencies = {name: measure.currency for name, measure in found.items() if measure.currency}
    distinct = list(dict.fromkeys(currencies.values()))
    if len(distinct) > 1:
        name = next(name for name, currency in currencies.items() if currency != distinct[0])
        column = next(str(cells.columns[0]) for cells in observations.cells if cells.variable == name)
        problems.append(
            Problem(
                rule="mixed-units",
                message=Message(
                    "{one} and {other} are in two currencies; a panel has one", one=name, other=next(iter(currencies))
                ),
                column=column,
                found=currencies[name],
                expected=distinct[0],
            )
        )
    return found, problems


def currency_of(found: Mapping[str, Measure]) -> str:
    """Currency of a panel's money, ``"currency"`` when the file does not say."""
    return next((measure.currency for measure in found.values() if measure.currency), CURRENCY)


def panel_unit(measure: Measure, currency: str, *, known: bool) -> str:
    """Return the unit that a variable has in the panel."""
    return canonical_text(measure.unit, currency) if known else measure.unit

"""Parse units as statistical offices write them, in Chinese and English, and find those of a file's columns."""

import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal, TypeVar

import numpy as np

from pysd_runner.core.errors import InvalidInput, Message, suggest
from pysd_runner.core.findings import Finding, with_hint
from pysd_runner.core.types import Array, Flags, Texts, frozen
from pysd_runner.data.cells import Cells, is_empty
from pysd_runner.data.names import VARIABLE_OF, VARIABLES, Kind, key, split_unit

Dimension = Literal[
    "money", "money per head", "person", "user", "port", "count", "share", "per 100", "duration", "rate"
]

YUAN = "Yuan"
Number = TypeVar("Number", float, Array)

_WORDS: dict[str, Any] = json.loads(files("pysd_runner.data").joinpath("units.json").read_text(encoding="utf-8"))
_CURRENCIES: dict[str, list[str]] = _WORDS["currencies"]
# Other currencies are given by their ISO 4217 code, and their exchange rates by the user.
_CODES = frozenset(_WORDS["codes"])
_NOUNS: dict[str, tuple[Dimension, float]] = {
    word: (noun["dimension"], noun["factor"]) for noun in _WORDS["nouns"] for word in noun["words"]
}
_MULTIPLIERS: dict[str, float] = _WORDS["multipliers"]
_PATTERNS = {name: re.compile(pattern) for name, pattern in _WORDS["patterns"].items()}
_CURRENT, _CONSTANT, _PRICE_WORDS = (_PATTERNS[name] for name in ("current", "constant", "price_words"))
# Denominators of units, such as people or years.
_BELOW = {name: _PATTERNS[name] for name in ("per_year", "per_person", "per_hundred")}
# "Millions of dollars"; and a remark before "per person".
_OF = re.compile(r"^((?:hundred|thousand|million|billion|trillion)s?) of ")
_REMARK = re.compile(r"(?: \([^()]*\))?,? (?=per (?!cent|mil))")
_PRICE_YEAR = re.compile(r"\b((?:19|20)\d\d)\b")
_NUMBER = re.compile(r"(?:10\^(?P<power>\d+)|(?P<number>\d+(?:\.\d+)?(?:e\d+)?))\s*(?P<rest>.*)")

EXAMPLES: dict[Kind, str] = _WORDS["examples"]

# Descriptions of the canonical units.
PLAIN: dict[Kind, str] = {
    "money": Message("single units of the currency a year, not thousands or millions"),
    "money per head": Message("single units of the currency per person and year"),
    "person": Message("persons, not thousands"),
    "user": Message("users, not thousands"),
    "port": Message("ports, not thousands"),
    "share": Message("fractions from 0 to 1"),
    "per 100": Message("per 100 persons"),
    "index": Message("an index"),
    "duration": Message("years"),
    "rate": Message("a fraction per year"),
}

# Dimensions accepted for each kind of variable; a bare "10 thousand" is a count of the variable's own unit.
_ACCEPTED: dict[Kind, tuple[Dimension, ...]] = {
    "money": ("money",),
    "money per head": ("money per head", "money"),
    "person": ("person", "count"),
    "user": ("user", "person", "count"),
    "port": ("port", "user", "count"),
    "share": ("share", "count"),
    "per 100": ("per 100", "share"),
    "index": ("share", "duration", "count"),
    "duration": ("duration",),
    "rate": ("rate", "share"),
}


@frozen
class Unit:
    """A parsed unit."""

    text: str  # as written
    dimension: Dimension
    factor: float  # value in the unit times `factor` is the value in the canonical unit
    currency: str = ""  # for money, its currency
    price_basis: str = ""  # for money, ``"current prices"``, ``"constant 2017 prices"`` or empty


@lru_cache(maxsize=512)
def parse_unit(text: str) -> Unit:
    """Parse a unit.

    >>> parse_unit("100 million yuan").factor, parse_unit("10 thousand persons").factor, parse_unit("%").factor
    (100000000.0, 10000.0, 0.01)
    """
    plain = _tidied(text)
    whole = _numerator(_without_remarks(plain))
    if whole is None:
        whole = _quotient(_without_remarks(plain))
    if whole is None or not 0 < whole.factor < math.inf:
        raise InvalidInput("unknown unit {unit!r}", unit=text)
    basis = price_basis(plain) if whole.dimension in {"money", "money per head"} else ""
    return replace(whole, text=text, price_basis=basis)


def known_unit(text: str) -> Unit | None:
    """Parse a unit; None if the string is not a unit."""
    try:
        return parse_unit(text)
    except InvalidInput:
        return None


def scaled(values: Number, factor: float) -> Number:
    """Values times a factor; 1/100 is exact only as a divisor."""
    return values * factor if factor >= 1 else values / (1 / factor)


def _tidied(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).strip().casefold().replace("\u2019", "'")
    plain = _OF.sub(r"\1 ", _REMARK.sub(" ", plain))
    for noise in _WORDS["prefixes"]:
        plain = plain.replace(noise, "")
    enclosed = plain.startswith(("(", "[")) and plain.endswith((")", "]")) and not re.search(r"[()\[\]]", plain[1:-1])
    return plain[1:-1].strip() if enclosed else plain


def price_basis(text: str) -> str:
    """Price basis named in a string."""
    plain = text.casefold()
    if _CONSTANT.search(plain):
        year = _PRICE_YEAR.search(plain)
        return f"constant {year[1]} prices" if year else "constant prices"
    return Message("current prices") if _CURRENT.search(plain) else ""


def _without_remarks(plain: str) -> str:
    head = re.split(r"[,;]|\bof\b|\(", plain, maxsplit=1)[0] if not plain.startswith(("(", "1/")) else plain
    if "/(" in plain.replace(" ", ""):
        head = plain
    return " ".join(_PRICE_WORDS.sub(" ", head).split())


def _quotient(plain: str) -> Unit | None:
    parts = [part.strip(" ()") for part in re.split(r"/|\*|\bper\b", plain)]
    if len(parts) < 2:
        return None
    below = {next((name for name, words in _BELOW.items() if words.fullmatch(part)), "") for part in parts[1:]}
    if "" in below:
        return None
    if "per_hundred" in below:
        return Unit(text="", dimension="per 100", factor=1.0)
    top = _numerator(parts[0] or "1")
    if top is None:
        return None
    if top.dimension == "money":
        return replace(top, dimension="money per head") if "per_person" in below else top
    return replace(top, dimension="rate") if "per_year" in below and top.dimension in ("share", "count") else None


def _numerator(text: str) -> Unit | None:
    factor, rest = 1.0, text.strip()
    if match := _NUMBER.fullmatch(rest):
        factor = float(f"1e{match['power']}" if match["power"] else match["number"])
        rest = match["rest"].strip()
    scale, noun = _split_multiplier(rest)
    factor *= scale
    if not noun:
        return Unit(text="", dimension="count", factor=factor) if text.strip() else None
    if currency := _currency(noun):
        return Unit(text="", dimension="money", factor=factor, currency=currency)
    if noun in _NOUNS:
        dimension, unit_factor = _NOUNS[noun]
        return Unit(text="", dimension=dimension, factor=factor * unit_factor)
    return None


def _split_multiplier(text: str) -> tuple[float, str]:
    """Split off a leading multiplier, the longest that matches, and return its value and the rest."""
    scale, rest = 1.0, text
    for word in sorted(_MULTIPLIERS, key=len, reverse=True):
        separate = word.isascii()
        if rest == word or (rest.startswith(f"{word} ") if separate else rest.startswith(word)):
            scale, rest = _MULTIPLIERS[word], rest[len(word) :].strip()
            break
    return scale, rest


def _currency(noun: str) -> str:
    for currency, spellings in _CURRENCIES.items():
        if noun in spellings:
            return currency
    return noun.upper() if noun in _CODES else ""


def greatest_per_head(currency: str) -> float:
    """Maximum plausible output per head a year; lower for major currencies than for others, some of low value."""
    return 1e7 if currency in _CURRENCIES else 1e11


def factor_for(unit: Unit, kind: Kind) -> float:
    """Factor from a unit to the canonical unit of a kind of variable."""
    if unit.dimension not in _ACCEPTED[kind]:
        raise InvalidInput(
            "{unit!r} is a unit of {dimension}, not of {kind}", unit=unit.text, dimension=unit.dimension, kind=kind
        )
    if kind == "per 100" and unit.dimension == "share":
        return unit.factor * 100
    return unit.factor


def fits(text: str, kind: Kind) -> bool:
    """Whether a string is a unit of a kind of variable."""
    unit = known_unit(text)
    return unit is not None and unit.dimension in _ACCEPTED[kind]


def unit_in(text: str) -> str:
    """Unit of money or people in a title or label: in brackets, after a colon or after "in"; empty if there is none."""
    label, bracketed = split_unit(text)
    after = re.split(r"(?:^|[\s,])(?:in|en)\s", label, flags=re.IGNORECASE)[1:]
    return next(filter(is_main_unit, (bracketed, text, text.partition(":")[2], *after)), "")


def is_main_unit(text: str) -> bool:
    """Whether a string is a unit of money or people."""
    unit = known_unit(text)
    return unit is not None and unit.dimension in ("money", "money per head", "person")


@frozen
class Measure:
    """Unit of one variable in the file, and its conversion to that of the panel."""

    text: str = ""  # unit as written; empty if none was given and the canonical one is assumed
    unit: str = ""  # unit in the panel, with ``currency`` as a placeholder
    factor: float = 1.0  # value in the file times `factor` is the value in the panel
    currency: str = ""
    price_basis: str = ""
    unclear: Flags | None = None  # cells with an unknown or different unit, whose numbers are not used


def measures(
    observed: Sequence[Cells],
    given: Texts,
    declared: Texts,
    missing: frozenset[str] = frozenset(),
) -> tuple[dict[str, Measure], list[Finding]]:
    """Find the unit of each variable: from the file, else from the caller, else from the declarations."""
    found: dict[str, Measure] = {}
    problems = _unknown_targets(observed, given)
    for cells in observed:
        own, mixed = _file_unit(cells, missing)
        problems += mixed
        asked = _asked(cells, given)
        if asked and own and not _agree(own, asked):
            message = Message("the file gives {variable} in one unit and you in another", variable=cells.variable)
            problems.append(Finding("unit-mismatch", message, column=cells.heading, found=own, expected=asked))
        measure, faults = _measure(cells, own or asked or declared.get(cells.variable, ""))
        found[cells.variable] = replace(measure, unclear=_other_unit(cells, own)) if mixed else measure
        problems += faults
    return found, problems + _two_currencies(found, observed)


def _asked(cells: Cells, given: Texts) -> str:
    loose = {VARIABLE_OF.get(key(name), key(name)): unit for name, unit in given.items()}
    return loose.get(cells.variable) or loose.get(key(cells.variable)) or loose.get(key(cells.heading), "")


def _unknown_targets(observed: Sequence[Cells], given: Texts) -> list[Finding]:
    names = {cells.variable for cells in observed}
    known = {key(name) for cells in observed for name in (cells.variable, cells.heading)}
    return [
        Finding(
            "unit-of-nothing",
            Message(
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


def _file_unit(cells: Cells, missing: frozenset[str]) -> tuple[str, list[Finding]]:
    """Find the unit that the file gives, and report cells with a different one."""
    import pandas as pd

    codes, texts = pd.factorize(cells.units)
    if not any(texts):
        return "", []
    held = np.flatnonzero(~is_empty(cells.entries, missing))
    codes_held, places = np.unique(codes[held], return_index=True)
    first_of = {str(texts[code]): int(held[place]) for place, code in sorted(zip(places, codes_held, strict=True))}
    main = next((text for text in first_of if text), "")
    if not main:
        return next(str(text) for text in texts if text), []
    return main, [
        Finding(
            "mixed-units",
            Message("{variable} is given in two units; convert the file to one", variable=cells.variable),
            row=int(cells.rows[place]),
            column=str(cells.columns[place]),
            found=text or Message("no unit"),
            expected=main,
        )
        for text, place in first_of.items()
        if text != main and not (text and _agree(text, main))
    ]


def _other_unit(cells: Cells, main: str) -> Flags:
    agreeing = {text for text in set(cells.units) if text == main or _agree(text, main)}
    return ~np.isin(cells.units.astype(str), sorted(agreeing))


def _agree(first: str, second: str) -> bool:
    """Whether two strings denote the same unit."""
    one, other = known_unit(first), known_unit(second)
    if one is None or other is None:
        return first.strip().casefold() == second.strip().casefold()
    return replace(one, text="") == replace(other, text="")


def _measure(cells: Cells, text: str) -> tuple[Measure, list[Finding]]:
    known = VARIABLES.get(cells.variable)
    if known is None:
        return Measure(text=text, unit=text), []
    expected = Message("a unit such as {examples}", examples=EXAMPLES[known.kind])
    if not text:
        message = Message(
            "no unit is given for {variable}; it is read as {unit}", variable=cells.variable, unit=PLAIN[known.kind]
        )
        return Measure(unit=known.unit), [
            Finding("no-unit", message, "warning", column=cells.heading, expected=expected)
        ]
    try:
        unit = parse_unit(text)
        factor = factor_for(unit, known.kind)
    except InvalidInput as error:
        message = Message("{where}: {said}", where=cells.variable, said=error)
        row = _first_row_with(cells, text)
        problem = Finding("unit-mismatch", message, row=row, column=cells.heading, found=text, expected=expected)
        return Measure(text=text, unit=known.unit, unclear=np.ones(len(cells.entries), dtype=bool)), [problem]
    return Measure(text=text, unit=known.unit, factor=factor, currency=unit.currency, price_basis=unit.price_basis), []


def _first_row_with(cells: Cells, unit: str) -> int | None:
    """Find the row that first gives this unit; None if the file does not give it."""
    places = np.flatnonzero(cells.units == unit)
    if not len(places):
        return None
    return int(cells.rows[places[0]]) if cells.unit_row is None else cells.unit_row


def _two_currencies(found: Mapping[str, Measure], observed: Sequence[Cells]) -> list[Finding]:
    """Report monetary variables that are in different currencies."""
    currencies = {name: measure.currency for name, measure in found.items() if measure.currency}
    first = next(iter(currencies), "")
    name = next((name for name, currency in currencies.items() if currency != currencies[first]), None)
    if name is None:
        return []
    return [
        Finding(
            "mixed-units",
            Message("{one} and {other} are in two currencies; a panel has one", one=name, other=first),
            column=next(cells.heading for cells in observed if cells.variable == name),
            found=currencies[name],
            expected=currencies[first],
        )
    ]

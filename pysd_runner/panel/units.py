"""Units as statistical offices and analysts write them, in Chinese and English."""

import json
import math
import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.panel.names import CURRENCY, Kind

Dimension = Literal[
    "money", "money per head", "person", "user", "port", "count", "share", "per 100", "duration", "rate"
]

YUAN = "Yuan"

_WORDS: dict[str, Any] = json.loads(files("pysd_runner.panel").joinpath("units.json").read_text(encoding="utf-8"))
_CURRENCIES: dict[str, list[str]] = _WORDS["currencies"]
# Others are written as their ISO 4217 code; what they are worth is the user's to say.
_CODES = frozenset(_WORDS["codes"])
_NOUNS: dict[str, tuple[Dimension, float]] = {
    word: (noun["dimension"], noun["factor"]) for noun in _WORDS["nouns"] for word in noun["words"]
}
_MULTIPLIERS: dict[str, float] = _WORDS["multipliers"]
_PER_PERSON, _PER_HUNDRED, _PER_YEAR, _CURRENT, _CONSTANT, _PRICE_WORDS = (
    re.compile(_WORDS["patterns"][name])
    for name in ("per_person", "per_hundred", "per_year", "current", "constant", "price_words")
)
_PRICE_YEAR = re.compile(r"\b((?:19|20)\d\d)\b")
_NUMBER = re.compile(r"(?:10\^(?P<power>\d+)|(?P<number>\d+(?:\.\d+)?(?:e\d+)?))\s*(?P<rest>.*)")

EXAMPLES: dict[Kind, str] = _WORDS["examples"]

# The canonical units in words.
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

# What each kind of variable may be given in; a bare "10 thousand" counts whatever the variable counts.
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """A unit that was read."""

    text: str  # as it was written
    dimension: Dimension
    factor: float  # value in the unit times `factor` is the value in the canonical unit
    currency: str = ""  # for money, its currency
    price_basis: str = ""  # for money, ``"current prices"``, ``"constant 2017 prices"`` or empty

    def same_as(self, other: "Unit") -> bool:
        """Whether both stand for the same quantity, however they are spelt."""
        mine = (self.dimension, self.factor, self.currency, self.price_basis)
        return mine == (other.dimension, other.factor, other.currency, other.price_basis)


@lru_cache(maxsize=512)
def parse_unit(text: str) -> Unit:
    """Read a unit.

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


def _tidied(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).strip().casefold()
    for noise in _WORDS["prefixes"]:
        plain = plain.replace(noise, "")
    enclosed = plain.startswith(("(", "[")) and plain.endswith((")", "]")) and not re.search(r"[()\[\]]", plain[1:-1])
    return plain[1:-1].strip() if enclosed else plain


def price_basis(text: str) -> str:
    """Price basis named in a text."""
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
    per_person = per_hundred = per_year = False
    for part in parts[1:]:
        if _PER_YEAR.fullmatch(part):
            per_year = True
        elif _PER_PERSON.fullmatch(part):
            per_person = True
        elif _PER_HUNDRED.fullmatch(part):
            per_hundred = True
        else:
            return None
    if per_hundred:
        return Unit(text="", dimension="per 100", factor=1.0)
    top = _numerator(parts[0] or "1")
    return None if top is None else _divided(top, per_person=per_person, per_year=per_year)


def _divided(top: Unit, *, per_person: bool, per_year: bool) -> Unit | None:
    if top.dimension == "money":
        return replace(top, dimension="money per head") if per_person else top
    if per_year and top.dimension in {"share", "count"}:
        return replace(top, dimension="rate")
    return None


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
    """Leading multiplier words and what follows, the longest word first."""
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
    """Largest yearly output per head that is no mistake of units; some currencies count in tens of thousands."""
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


def canonical_text(canonical: str, currency: str) -> str:
    """Canonical unit with the panel's currency put in."""
    return canonical.replace(CURRENCY, currency)

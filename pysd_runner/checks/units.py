"""Units of measure in the notation of Vensim and XMILE files, and their algebra.

A unit is a product of powers of names. Units are not converted: as in Vensim, a day and a year are different units,
because a model computes with the numbers as they are.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NoReturn

from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.types import Texts

# Vensim's default equivalences, further words for "no unit", and the currency of the shipped model.
SYNONYMS = (
    ("Dmnl", "dimensionless", "fraction", "ratio", "unitless", "radian", "radians", "nodim"),
    ("$", "dollar", "dollars", "$s"),
    ("Second", "seconds", "sec"),
    ("Minute", "minutes", "min"),
    ("Hour", "hours", "hr"),
    ("Day", "days"),
    ("Week", "weeks"),
    ("Month", "months"),
    ("Quarter", "quarters"),
    ("Year", "years", "yr", "yrs"),
    ("Person", "persons", "people"),
    ("Unit", "units"),
    ("Percent", "%", "per cent"),
    ("Yuan", "rmb", "cny", "\u5143"),
)

Synonyms = Texts
_TABLE: Synonyms = {word.casefold(): group[0] for group in SYNONYMS for word in group}
_NO_UNIT = SYNONYMS[0][0]
# A range note such as [0,1] or [0,?,0.1] may follow a unit in Vensim.
_RANGE_NOTE = re.compile(r"\[[^\]]*\]\s*$")
_TOKEN = re.compile(r"\s*(?:(?P<sign>\*\*|[*/^()])|(?P<name>[^*/^()\[\]]+))")
_PER = re.compile(r"(?:^|(?<=\s))per\s+(?!cent\b)", re.IGNORECASE)
# Maximum number of digits of a number in a unit.
MOST_DIGITS = 20
_EXPONENT = re.compile(r"[+-]?\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class UnitProduct:
    """A product of powers of named units; the empty product is dimensionless.

    >>> str(parse_unit("Yuan/Year/Person") * parse_unit("people"))
    'Yuan/Year'
    """

    powers: Mapping[str, Fraction] = field(default_factory=dict)
    written: Texts = field(default_factory=dict, compare=False)  # display form of each name

    def __hash__(self) -> int:
        return hash(frozenset(self.powers.items()))

    def __mul__(self, other: "UnitProduct") -> "UnitProduct":
        names = dict.fromkeys([*self.powers, *other.powers])
        sums = {name: self.powers.get(name, Fraction(0)) + other.powers.get(name, Fraction(0)) for name in names}
        return UnitProduct({name: power for name, power in sums.items() if power}, {**other.written, **self.written})

    def __truediv__(self, other: "UnitProduct") -> "UnitProduct":
        return self * other ** Fraction(-1)

    def __pow__(self, exponent: Fraction) -> "UnitProduct":
        powers = {name: power * exponent for name, power in self.powers.items() if exponent}
        return UnitProduct(powers, self.written)

    @property
    def is_dimensionless(self) -> bool:
        """Whether the unit is dimensionless."""
        return not self.powers

    def __str__(self) -> str:
        above = [self._factor(name, power) for name, power in self.powers.items() if power > 0]
        below = [self._factor(name, -power) for name, power in self.powers.items() if power < 0]
        if not above and not below:
            return _NO_UNIT
        bottom = f"({'*'.join(below)})" if len(below) > 1 else "".join(below)
        return ("*".join(above) or "1") + (f"/{bottom}" if bottom else "")

    def _factor(self, name: str, power: Fraction) -> str:
        text = self.written.get(name, name)
        if power == 1:
            return text
        return f"{text}^{power}" if power.denominator == 1 else f"{text}^({power})"


DIMENSIONLESS = UnitProduct()


def parse_unit(text: str, synonyms: Synonyms = _TABLE) -> UnitProduct:
    """Parse a unit.

    >>> parse_unit("Yuan/Year/Person") == parse_unit("Yuan / (people*years)")
    True
    """
    # A name and its plural are the same unit (`Task`, `Tasks`), and so are the synonyms of a group of `SYNONYMS`.
    plain = _RANGE_NOTE.sub("", text).strip()
    if not plain:
        raise InvalidInput("a unit is empty; write Dmnl for a number without a unit")
    inverse = "1" if _PER.match(plain) else ""
    plain = inverse + _PER.sub("/", plain)
    reader = _Reader(text, list(_tokens(text, plain)), synonyms)
    unit = reader.product()
    reader.end()
    return unit


def _tokens(text: str, plain: str) -> Iterator[str]:
    place = 0
    while place < len(plain):
        match = _TOKEN.match(plain, place)
        if match is None:
            raise InvalidInput(
                "the unit {text!r} cannot be read at {plain!r}; {expected}",
                text=text,
                plain=plain[place:],
                expected=_EXPECTED,
            )
        place = match.end()
        part = (match["sign"] or match["name"]).strip()
        if part:
            yield "^" if part == "**" else part


_EXPECTED = Message("expected names joined by *, / and ^, such as Yuan/(Year*Person)")


class _Reader:
    """Parser of products, quotients and powers, evaluated from left to right."""

    def __init__(self, text: str, tokens: list[str], synonyms: Synonyms) -> None:
        self._text = text
        self._tokens = tokens
        self._synonyms = synonyms

    def product(self) -> UnitProduct:
        unit = self._power()
        while self._next() in ("*", "/"):
            sign = self._take()
            factor = self._power()
            unit = unit * factor if sign == "*" else unit / factor
        return unit

    def end(self) -> None:
        if self._tokens:
            self._refuse(Message("{part!r} is not expected there", part=self._tokens[0]))

    def _power(self) -> UnitProduct:
        unit = self._atom()
        if self._next() != "^":
            return unit
        self._take()
        return unit ** self._exponent()

    def _exponent(self) -> Fraction:
        part = self._take()
        if part != "(":
            return self._number(part)
        exponent = self._number(self._take())
        if self._next() == "/":
            self._take()
            divisor = self._number(self._take())
            if not divisor:
                self._refuse(Message("an exponent is divided by zero"))
            exponent /= divisor
        self._close()
        return exponent

    def _number(self, part: str) -> Fraction:
        if not _EXPONENT.fullmatch(part):
            self._refuse(
                Message("{part!r} is no exponent", part=part) if part else Message("an exponent is missing at the end")
            )
        return self._fraction(part)

    def _fraction(self, part: str) -> Fraction:
        if len(part) > MOST_DIGITS:
            self._refuse(Message("a number has more than {most} digits", most=MOST_DIGITS))
        return Fraction(part)

    def _atom(self) -> UnitProduct:
        part = self._take()
        if part == "(":
            unit = self.product()
            self._close()
            return unit
        if part in ("", "*", "/", "^", ")"):
            self._refuse(
                Message("a name is missing before {part!r}", part=part)
                if part
                else Message("a name is missing at the end")
            )
        if not _EXPONENT.fullmatch(part):
            return _named(part, self._synonyms)
        if self._fraction(part) != 1:
            self._refuse(Message("the number {part} is no unit", part=part))
        return DIMENSIONLESS

    def _close(self) -> None:
        if self._take() != ")":
            self._refuse(Message("a bracket is not closed"))

    def _next(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def _take(self) -> str:
        return self._tokens.pop(0) if self._tokens else ""

    def _refuse(self, reason: Message) -> NoReturn:
        raise InvalidInput(
            "the unit {text!r} cannot be read: {reason}; {expected}",
            text=self._text,
            reason=reason,
            expected=_EXPECTED,
        )


def _named(part: str, synonyms: Synonyms) -> UnitProduct:
    tidy = " ".join(part.replace("_", " ").split())
    name = synonyms.get(tidy.casefold())
    if name is None:
        singular = _singular(tidy)
        name = synonyms.get(singular.casefold(), singular)
    if name == _NO_UNIT:
        return DIMENSIONLESS
    return UnitProduct({name.casefold(): Fraction(1)}, {name.casefold(): name})


def _singular(name: str) -> str:
    """Strip the plural ending of a name; short names such as "ms" are not changed."""
    if re.search(r"\w(?:x|ch|sh|ss)es$", name, re.IGNORECASE):
        return name[:-2]
    return name[:-1] if re.search(r"\w{3}[^s\W]s$", name, re.IGNORECASE) else name


def with_equivalences(groups: Iterable[Sequence[str]]) -> Synonyms:
    """Add the unit equivalences of a model file to the known synonyms.

    >>> parse_unit("m/s", with_equivalences([("s", "Second")])) == parse_unit("m/Second")
    True
    """
    known = dict(_TABLE)
    for group in groups:
        meant = next((known[word.casefold()] for word in group if word.casefold() in known), group[0])
        known.update((word.casefold(), meant) for word in group)
    return known

"""Names: the variables of a panel, spellings of headings in Chinese and English, and entities."""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

from pysd_runner.core.errors import Message
from pysd_runner.core.types import Texts, frozen

Kind = Literal["money", "money per head", "person", "user", "port", "share", "per 100", "index", "duration", "rate"]

CURRENCY = "currency"

# Upper limits of people and of output per head in the smallest currency; low enough that the product of two values
# cannot overflow.
MOST_PEOPLE, MOST_PER_HEAD = 2e10, 1e30

# Canonical unit of each kind of variable; `currency` is replaced by the panel's currency.
CANONICAL: dict[Kind, str] = {
    "money": "currency/Year",
    "money per head": "currency/(Year*Person)",
    "person": "Person",
    "user": "User",
    "port": "Port",
    "share": "Dmnl",
    "per 100": "per 100 persons",
    "index": "Dmnl",
    "duration": "Year",
    "rate": "1/Year",
}


@frozen
class PanelVariable:
    """A variable known to the panel reader."""

    name: str  # name in the panel
    kind: Kind  # what it measures; fixes its canonical unit
    lower: float = 0.0
    upper: float = float("inf")
    lower_allowed: bool = True  # whether `lower` itself is possible
    needs: tuple[str, ...] = ()  # variables from which it is derived if not observed
    formula: Callable[..., Any] | None = None  # function of `needs` that derives it

    @property
    def limits(self) -> str:
        """Description of the possible values."""
        values = {"low": self.lower, "high": self.upper, "unit": Message(self.unit)}
        if self.upper != float("inf"):
            if self.lower_allowed:
                return Message("a value from {low:g} to {high:g} {unit}", **values)
            return Message("a value above {low:g}, at most {high:g} {unit}", **values)
        if self.lower_allowed:
            return Message("a value of at least {low:g}", **values)
        return Message("a value above {low:g}", **values)

    @property
    def unit(self) -> str:
        """Canonical unit, with ``currency`` as a placeholder for the panel's currency."""
        return CANONICAL[self.kind]


def _share(name: str, needs: tuple[str, ...] = (), formula: Callable[..., Any] | None = None) -> PanelVariable:
    return PanelVariable(name=name, kind="share", upper=1.0, needs=needs, formula=formula)


def _per_100(name: str, counted: str) -> PanelVariable:
    formula: Callable[..., Any] = lambda count, population: 100.0 * count / population  # noqa: E731
    return PanelVariable(name=name, kind="per 100", needs=(counted, "population"), formula=formula)


def _people(name: str) -> PanelVariable:
    return PanelVariable(name=name, kind="person", upper=MOST_PEOPLE)


_KNOWN = (
    PanelVariable(
        name="output",
        kind="money",
        upper=MOST_PEOPLE * MOST_PER_HEAD,
        lower_allowed=False,
        needs=("output_per_head", "population"),
        formula=lambda per_head, population: per_head * population,
    ),
    PanelVariable(name="population", kind="person", upper=MOST_PEOPLE, lower_allowed=False),
    PanelVariable(
        name="output_per_head",
        kind="money per head",
        upper=MOST_PER_HEAD,
        lower_allowed=False,
        needs=("output", "population"),
        formula=lambda output, population: output / population,
    ),
    PanelVariable(name="mobile_internet_users", kind="user", upper=MOST_PEOPLE),
    _per_100("mobile_internet_per_100", "mobile_internet_users"),
    PanelVariable(name="broadband_ports", kind="port"),
    _per_100("broadband_ports_per_100", "broadband_ports"),
    _people("ict_employment"),
    _people("urban_unit_employment"),
    _people("urban_population"),
    _people("rural_population"),
    _share(
        "ict_employment_share",
        ("ict_employment", "urban_unit_employment"),
        lambda employed, everybody: employed / everybody,
    ),
    _share("firms_with_ecommerce"),
    # Derived from these two, because the population may be from another vintage of the data.
    _share("urban_share", ("urban_population", "rural_population"), lambda town, country: town / (town + country)),
    _share("access"),
    _share("skills"),
    _share("application"),
    PanelVariable(name="schooling", kind="index", lower_allowed=False),
    PanelVariable(name="capital_output_ratio", kind="duration", lower_allowed=False),
    _share("investment_rate"),
    PanelVariable(name="natural_growth", kind="rate", lower=-0.2, upper=0.2),
    _share("shared_data"),
    _share("governance"),
    _share("platform"),
    PanelVariable(name="terrain", kind="index", lower_allowed=False),
)

VARIABLES: dict[str, PanelVariable] = {variable.name: variable for variable in _KNOWN}

REQUIRED = ("output", "output_per_head")

# Roles of columns that do not hold a variable.
ROLES = ("region", "region_name", "year", "group", "variable", "value", "unit", "flag", "source")

# Spellings of roles, variables, headings of codes, names of totals and others.
SPELLINGS: dict[str, Any] = json.loads(files("pysd_runner.data").joinpath("headings.json").read_text(encoding="utf-8"))

# Conventions of tables exported by statistical offices.
OFFICES: dict[str, Any] = SPELLINGS["offices"]

# Suffixes of Chinese region names, such as those for province and city; they are optional.
CHINESE_ENDING = re.compile(rf"(?<=..)(?:{'|'.join(SPELLINGS['endings'])})$")

_SPACES = re.compile(r"\s+")
# Spaces between two Chinese characters.
_PADDING = re.compile(r"(?<=[\u3400-\u9fff])\s+(?=[\u3400-\u9fff])")
_SEPARATORS = re.compile(r"[\s_\-./]+")
# Possessive quantifiers limit backtracking, so that long strings are matched quickly.
_SUFFIX = re.compile(r"^(?P<label>.*?)(?<!\s)\s*+[(\[](?P<unit>[^()\[\]]++(?:\([^()]*+\))?[^()\[\]]*+)[)\]]$")
_YEAR = re.compile(r"(?P<year>\d{4})(?:\.0)?\s*+\u5e74?(?:\s*\[YR\d{4}\])?")


def tidy(text: str) -> str:
    """Normalise a heading (NFKC), without byte-order marks and surrounding space."""
    return unicodedata.normalize("NFKC", text.replace("\ufeff", "")).strip()


# Zero-width characters that affect how letters of some scripts are joined.
_JOINERS = "\u200c\u200d"


def visible(text: str) -> str:
    """Normalise a name (NFC), without surrounding space and invisible characters that make equal names differ."""
    if text.isascii() and text.isprintable():
        return text.strip()
    # Line breaks and other kinds of space become a plain space.
    spaced = _SPACES.sub(" ", text)
    seen = "".join(sign for sign in spaced if sign in _JOINERS or not _is_invisible(sign))
    return unicodedata.normalize("NFC", seen).strip().strip(_JOINERS)


def _is_invisible(sign: str) -> bool:
    return unicodedata.category(sign) in ("Cc", "Cf") or "\ufe00" <= sign <= "\ufe0f" or sign == "\u034f"


@lru_cache(maxsize=50_000)
def key(text: str) -> str:
    """Comparison key of a name: ignores case, spaces, other separators and invisible characters."""
    plain = text.strip() if text.isascii() else "".join(sign for sign in tidy(text) if not _is_invisible(sign))
    return _SEPARATORS.sub("", plain.casefold())


def _table(aliases: Mapping[str, Iterable[str]], own: Iterable[str]) -> Texts:
    spellings = {key(alias): name for name, names in aliases.items() for alias in names}
    return spellings | {key(name): name for name in own}


ROLE_OF = _table(SPELLINGS["roles"], ROLES)
VARIABLE_OF = _table(SPELLINGS["variables"], VARIABLES)


def split_unit(heading: str) -> tuple[str, str]:
    """Split a heading into its label and the unit in brackets at its end.

    >>> split_unit("output [100 million yuan]")
    ('output', '100 million yuan')
    """
    plain = tidy(heading)
    match = _SUFFIX.match(plain)
    return (match["label"], match["unit"].strip()) if match and match["label"] else (plain, "")


def bare(heading: str) -> str:
    """Comparison key of a heading without its unit."""
    return key(split_unit(heading)[0])


def year_heading(heading: str) -> int | None:
    """Year that a heading names, or None."""
    match = _YEAR.fullmatch(tidy(heading))
    return int(match["year"]) if match else None


@frozen
class Entity:
    """An observed entity; a region also has names, a group and a position on the tile grid.

    Parameters
    ----------
    code
        Name in the data; unique.
    name_en, name_zh
        Labels in English and Chinese.
    group
        Group of entities to which it belongs; empty if unknown.
    row, column
        Position on the tile grid, counted from zero at the top left.
    groupings
        Further groups, as pairs of the heading of a column of the region file and the group in it.
    """

    code: str
    name_en: str
    name_zh: str
    group: str = ""
    row: int = 0
    column: int = 0
    groupings: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        # Stored files hold lists.
        object.__setattr__(self, "groupings", tuple(map(tuple, self.groupings)))
        # Yearbooks space out names of two characters to the width of three; codes keep their spelling, as their hash
        # depends on it.
        for field in ("name_en", "name_zh"):
            object.__setattr__(self, field, _PADDING.sub("", getattr(self, field)))

    @classmethod
    def of(cls, code: str) -> "Entity":
        """Create an entity of which only the code is known."""
        return cls(code=code, name_en=code, name_zh=code)

    def name(self, language: str = "en") -> str:
        """Return the label in a language, ``"en"`` or ``"zh"``."""
        return self.name_zh if language == "zh" else self.name_en


def by_label(entities: Iterable[Entity]) -> dict[str, Entity]:
    """Map the `label_key` of each label to its entity, the first one if several share a label."""
    found: dict[str, Entity] = {}
    for entity in entities:
        for label in (entity.code, entity.name_en, entity.name_zh):
            found.setdefault(label_key(label), entity)
    return found


def label_key(text: str) -> str:
    """Comparison key of a label: as `key`, and without the suffix of a Chinese region name."""
    return CHINESE_ENDING.sub("", key(text))

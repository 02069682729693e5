"""Headings and variable names as people write them, in Chinese and English, and what they stand for here."""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from pysd_runner.panel.variables import VARIABLES

# What a column can be besides a variable.
ROLES = ("region", "region_name", "year", "group", "variable", "value", "unit", "flag", "source")

# As people write them: roles, variables, headings of codes, and names of rows that are totals.
SPELLINGS: dict[str, Any] = json.loads(files("pysd_runner.panel").joinpath("headings.json").read_text(encoding="utf-8"))

# How offices export tables.
OFFICES: dict[str, Any] = SPELLINGS["offices"]

# Kinds of Chinese regions at the end of a name: with it and without it is one region.
CHINESE_ENDING = re.compile(rf"(?<=..)(?:{'|'.join(SPELLINGS['endings'])})$")

_SPACES = re.compile(r"\s+")
_SEPARATORS = re.compile(r"[\s_\-./]+")
# No blank and no letter is looked at again from another start, so that a long text takes no long time.
_SUFFIX = re.compile(
    r"^(?P<label>.*?)(?<!\s)\s*+[(\[](?P<unit>[^()\[\]]++(?:\([^()]*+\))?[^()\[\]]*+)[)\]]$",
)
_YEAR = re.compile(r"(?P<year>\d{4})(?:\.0)?\s*+\u5e74?(?:\s*\[YR\d{4}\])?")


def tidy(text: str) -> str:
    """Heading without byte-order marks, full-width signs or outer space."""
    return unicodedata.normalize("NFKC", text.replace("\ufeff", "")).strip()


# They change how letters of some scripts are joined.
_JOINERS = "\u200c\u200d"


def visible(text: str) -> str:
    """A name without invisible characters, which would make two of it, composed (NFC), without outer space."""
    if text.isascii() and text.isprintable():
        return text.strip()
    # A line break or a space of another kind parts words as a space does.
    spaced = _SPACES.sub(" ", text)
    seen = "".join(sign for sign in spaced if sign in _JOINERS or not _is_invisible(sign))
    return unicodedata.normalize("NFC", seen).strip().strip(_JOINERS)


def _is_invisible(sign: str) -> bool:
    return unicodedata.category(sign) in ("Cc", "Cf") or "\ufe00" <= sign <= "\ufe0f" or sign == "\u034f"


@lru_cache(maxsize=50_000)
def key(text: str) -> str:
    """Form of a name in which case, spaces, underscores, dashes and what cannot be seen do not matter."""
    plain = text.strip() if text.isascii() else "".join(sign for sign in tidy(text) if not _is_invisible(sign))
    return _SEPARATORS.sub("", plain.casefold())


def _table(aliases: Mapping[str, Iterable[str]], own: Iterable[str]) -> dict[str, str]:
    spellings = {key(alias): name for name, names in aliases.items() for alias in names}
    return spellings | {key(name): name for name in own}


ROLE_OF = _table(SPELLINGS["roles"], ROLES)
VARIABLE_OF = _table(SPELLINGS["variables"], VARIABLES)


def split_unit(heading: str) -> tuple[str, str]:
    """Heading without the unit in brackets at its end, and that unit.

    >>> split_unit("output [100 million yuan]")
    ('output', '100 million yuan')
    """
    plain = tidy(heading)
    match = _SUFFIX.match(plain)
    return (match["label"], match["unit"].strip()) if match and match["label"] else (plain, "")


def year_heading(heading: str) -> int | None:
    """Year that a heading names, or None."""
    match = _YEAR.fullmatch(tidy(heading))
    return int(match["year"]) if match else None

"""Texts in English and Chinese: keyed texts from one file per language, and translated message templates."""

import json
import locale
import os
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from pysd_runner.core.errors import NOTHING, InvalidInput, Message, UnknownName, suggest

LANGUAGES = ("en", "zh")


def usual_language() -> str:
    """Language of GAPSIM_LANG or, where that is not set, of the locale: Chinese or else English."""
    asked = filter(None, map(os.environ.get, ("GAPSIM_LANG", "LC_ALL", "LC_MESSAGES", "LANG")))
    # Windows sets none of them, and calls the locale "Chinese (Simplified)_China".
    name = next(asked, None) or locale.getlocale()[0] or ""
    return LANGUAGES[name.casefold().startswith(("zh", "chinese"))]


def translate(key: str, lang: str, **values: object) -> str:
    """Return the text of a key in a language, with placeholders filled in; spaces in a key mean underscores.

    >>> translate("axis.year", "en")
    'Year'
    """
    known, plain = texts(lang), _plain(key)
    if plain not in known:
        raise UnknownName("no text is called {key!r}.{suggestion}", key=plain, suggestion=suggest(plain, known))
    return known[plain].format(**values)


def translated(text: object, lang: str, names: Mapping[str, str] = NOTHING) -> str:
    """Translate a message or error, or a variable name found in `names`; other texts are returned unchanged.

    >>> translated(Message("{file} has no column {column!r}", file="a.csv", column="year"), "en")
    "a.csv has no column 'year'"
    """
    message = str(text)
    return message.said(templates(lang), names) if isinstance(message, Message) else names.get(message, message)


def name_in(lang: str, kind: str, name: str) -> str:
    """Label of a name, such as that of a class of regions or a unit; the name itself if it has no label."""
    return translate(f"{kind}.{name}", lang) if has_text(f"{kind}.{name}") else name


def panel_title(name: str, lang: str) -> str:
    """Title of a shipped panel; the name of any other panel."""
    return name_in(lang, "panel", name)


def variable_names(entries: Iterable[Any], lang: str) -> dict[str, str]:
    """Names of variables in a language, by variable, from declarations; some are of numbers outside the model."""
    return {item.variable: str(getattr(item, lang)) for item in entries if item.variable}


@cache
def templates(lang: str) -> Mapping[str, str]:
    """Message templates in a language by English template; empty for English, which is in the code."""
    if lang == LANGUAGES[0]:
        return MappingProxyType({})
    found: dict[str, str] = json.loads(_file(f"messages.{lang}.json"))
    return MappingProxyType(found)


def has_text(key: str) -> bool:
    """Whether the catalogue has a text for a key."""
    return _plain(key) in texts(LANGUAGES[0])


def _plain(key: str) -> str:
    return key.replace(" ", "_").replace(",", "")


def in_both(key: str, **values: object) -> dict[str, str]:
    """Texts of a key by language."""
    return {lang: translate(key, lang, **values) for lang in LANGUAGES}


@cache
def texts(lang: str, room: str = "") -> Mapping[str, str]:
    """All texts of a language by key, or those whose keys begin with `room`, without that prefix."""
    if lang not in LANGUAGES:
        raise InvalidInput(
            "lang={lang!r} is not a language of the texts; choose one of {known}", lang=lang, known=", ".join(LANGUAGES)
        )
    if room:
        return MappingProxyType(
            {key.removeprefix(f"{room}."): text for key, text in texts(lang).items() if key.startswith(f"{room}.")}
        )
    found: dict[str, str] = json.loads(_file(f"{lang}.json"))
    return MappingProxyType(found)


def _file(name: str) -> str:
    return files("pysd_runner.text").joinpath(name).read_text(encoding="utf-8")


def width(text: str) -> int:
    """Width of a text in a terminal, in columns."""
    return sum(1 + _is_wide(character) for character in text)


def pieces(text: str) -> list[str]:
    """Split a text into the smallest pieces between which a line may be broken."""
    found: list[str] = []
    for character in text:
        wide = _is_wide(character)
        closing = unicodedata.category(character) in {"Pe", "Pf", "Po"}
        after_opening = bool(found) and unicodedata.category(found[-1][-1]) in {"Ps", "Pi"}
        breaks_before = wide or (bool(found) and (_is_wide(found[-1][-1]) or found[-1][-1] == " "))
        if found and (not breaks_before or (closing and wide) or after_opening or character == " "):
            found[-1] += character
        else:
            found.append(character)
    return found


def _is_wide(character: str) -> bool:
    """Whether a character is double width."""
    return unicodedata.east_asian_width(character) in "WF"


def lines_of(text: str, most: int) -> list[str]:
    """Break a text into lines of at most a number of columns.

    >>> lines_of("one two", 5)
    ['one', 'two']
    """
    lines = [""]
    for piece in pieces(text):
        if lines[-1] and width(lines[-1] + piece.rstrip()) > most:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]

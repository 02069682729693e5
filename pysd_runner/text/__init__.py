"""Texts in English and Chinese: those with a key, from two files of equal keys, and messages, by their templates."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from string import Formatter
from types import MappingProxyType
from typing import Any

from pysd_runner.core.errors import NOTHING, InvalidInput, Message, UnknownName, suggest

LANGUAGES = ("en", "zh")


def say(key: str, lang: str, **values: object) -> str:
    """Text of a key in a language, with its blanks filled in; spaces in a key stand for underscores.

    >>> say("axis.year", "en")
    'Year'
    """
    known, plain = texts(lang), _plain(key)
    if plain not in known:
        raise UnknownName(f"no text is called {plain!r}.{suggest(plain, known)}")
    return known[plain].format(**values)


def said(text: object, lang: str, names: Mapping[str, str] = NOTHING) -> str:
    """Say a message or an error in a language, with the names that variables have in it; any other text stays.

    >>> said(Message("{file} has no column {column!r}", file="a.csv", column="year"), "en")
    "a.csv has no column 'year'"
    """
    message = str(text)
    return message.said(templates(lang), names) if isinstance(message, Message) else names.get(message, message)


def panel_title(name: str, lang: str) -> str:
    """Title of a shipped panel; any other goes by its name."""
    return say(f"panel.{name}", lang) if has_text(f"panel.{name}") else name


def variable_names(entries: Iterable[Any], lang: str) -> dict[str, str]:
    """What variables are called in a language, from their declarations, by variable."""
    return {item.variable: str(getattr(item, lang)) for item in entries}


@cache
def templates(lang: str) -> Mapping[str, str]:
    """Templates of messages in a language, by the English template; English stands in the code alone."""
    if lang == LANGUAGES[0]:
        return MappingProxyType({})
    found: dict[str, str] = json.loads(_file(f"messages.{lang}.json"))
    return MappingProxyType(found)


def has_text(key: str) -> bool:
    """Whether there is a text of a key."""
    return _plain(key) in texts(LANGUAGES[0])


def _plain(key: str) -> str:
    return key.replace(" ", "_").replace(",", "")


def in_both(key: str, **values: object) -> dict[str, str]:
    """Text of a key by language."""
    return {lang: say(key, lang, **values) for lang in LANGUAGES}


@cache
def texts(lang: str, room: str = "") -> Mapping[str, str]:
    """All texts of a language, or those whose keys begin with the name of a room, without that name."""
    if lang not in LANGUAGES:
        raise InvalidInput(f"lang={lang!r} is not a language of the texts; choose one of {', '.join(LANGUAGES)}")
    if room:
        return MappingProxyType(
            {key.removeprefix(f"{room}."): text for key, text in texts(lang).items() if key.startswith(f"{room}.")}
        )
    found: dict[str, str] = json.loads(_file(f"{lang}.json"))
    return MappingProxyType(found)


def _file(name: str) -> str:
    return files("pysd_runner.text").joinpath(name).read_text(encoding="utf-8")


def blanks(text: str) -> frozenset[str]:
    """Names of the blanks in a text.

    >>> sorted(blanks("{low} to {high}"))
    ['high', 'low']
    """
    return frozenset(name for _, name, _, _ in Formatter().parse(text) if name)

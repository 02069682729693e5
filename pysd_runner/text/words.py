"""The words of tables and pictures, in English and Chinese, from two dictionaries of equal keys."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import Formatter
from types import MappingProxyType

from pysd_runner.core.errors import InvalidInput, UnknownName, suggest

LANGUAGES = ("en", "zh")


def word(key: str, lang: str, **values: object) -> str:
    """Text of a key in a language, with its blanks filled in.

    >>> word("axis.year", "en")
    'Year'
    """
    known = dictionary(lang)
    if key not in known:
        raise UnknownName(f"no word is called {key!r}.{suggest(key, known)}")
    return known[key].format(**values)


def has_word(key: str) -> bool:
    """Whether the dictionaries have a key."""
    return key in dictionary(LANGUAGES[0])


@cache
def dictionary(lang: str) -> Mapping[str, str]:
    """All words of a language."""
    if lang not in LANGUAGES:
        raise InvalidInput(f"lang={lang!r} is not a language of the labels; choose one of {', '.join(LANGUAGES)}")
    text = files("pysd_runner.text").joinpath(f"words_{lang}.json").read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)
    return MappingProxyType(found)


def blanks(text: str) -> frozenset[str]:
    """Names of the blanks in a text.

    >>> sorted(blanks("{low} to {high}"))
    ['high', 'low']
    """
    return frozenset(name for _, name, _, _ in Formatter().parse(text) if name)

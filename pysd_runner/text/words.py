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

    Parameters
    ----------
    key
        A key of the dictionaries, such as ``"axis.year"``.
    lang
        ``"en"`` or ``"zh"``.
    values
        What to put into the blanks of the text.

    Returns
    -------
    str
        The text.

    Raises
    ------
    InvalidInput
        If the language is not one of `LANGUAGES`.
    UnknownName
        If there is no such key.

    Examples
    --------
    >>> word("axis.year", "en")
    'Year'
    """
    known = dictionary(lang)
    if key not in known:
        raise UnknownName(f"no word is called {key!r}.{suggest(key, known)}")
    return known[key].format(**values)


def has_word(key: str) -> bool:
    """Whether the dictionaries have a key.

    Parameters
    ----------
    key
        What to look for.

    Returns
    -------
    bool
        True when `word` can answer.
    """
    return key in dictionary(LANGUAGES[0])


@cache
def dictionary(lang: str) -> Mapping[str, str]:
    """All words of a language.

    Parameters
    ----------
    lang
        ``"en"`` or ``"zh"``.

    Returns
    -------
    mapping of str to str
        Text, with named blanks in braces, for each key.

    Raises
    ------
    InvalidInput
        If the language is not one of `LANGUAGES`.
    """
    if lang not in LANGUAGES:
        raise InvalidInput(f"lang={lang!r} is not a language of the labels; choose one of {', '.join(LANGUAGES)}")
    text = files("pysd_runner.text").joinpath(f"words_{lang}.json").read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)
    return MappingProxyType(found)


def blanks(text: str) -> frozenset[str]:
    """Names of the blanks in a text.

    Parameters
    ----------
    text
        A text of the dictionaries.

    Returns
    -------
    frozenset of str
        What `word` has to be given for it.

    Examples
    --------
    >>> sorted(blanks("{low} to {high}"))
    ['high', 'low']
    """
    return frozenset(name for _, name, _, _ in Formatter().parse(text) if name)

"""Notices that are kept in English with results, said in the language of the reader."""

import re
from collections.abc import Mapping
from functools import cache

from pysd_runner.text import has_text, say, texts

ROOM, NESTED = "notice", "how"
_FILLED = re.compile(r"\{\w+\}")
_BLANK = re.compile(r"\\\{(\w+)\\\}")


def in_language(text: str, lang: str, names: Mapping[str, str] | None = None) -> str:
    """Say a notice in a language.

    Notices are written in English, because they are kept in records of results; in another language they are
    recognised by their texts in the room ``notice``, part by part.

    Parameters
    ----------
    text
        A notice, or any other text, which stays as it is.
    lang
        ``"en"`` or ``"zh"``.
    names
        What variables are called in the language.

    Examples
    --------
    >>> in_language("missing; inferred", "en")
    'missing; inferred'
    """
    known = names or {}
    if text in known:
        return known[text]
    for key, pattern in _patterns():
        if match := pattern.fullmatch(text):
            blanks = {name: in_language(part, lang, known) for name, part in match.groupdict().items()}
            return say(key, lang, **blanks)
    return text


def panel_title(name: str, lang: str) -> str:
    """Title of a shipped panel; any other goes by its name."""
    return say(f"panel.{name}", lang) if has_text(f"panel.{name}") else name


def _blank(match: re.Match[str]) -> str:
    """One part of a notice; how something was filled has parts of its own, with semicolons between."""
    return rf"(?P<{match[1]}>{'.+?' if match[1] == NESTED else '[^;]+?'})"


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Each notice with what it looks like in English; those that say most themselves come first."""
    known = texts("en", ROOM)
    found = [
        (f"{ROOM}.{key}", re.compile(_BLANK.sub(_blank, re.escape(text))))
        for key, text in sorted(known.items(), key=lambda item: -len(_FILLED.sub("", item[1])))
    ]
    return tuple(found)

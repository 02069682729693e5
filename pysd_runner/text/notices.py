"""Notices that are kept in English with results, and errors, said in the language of the reader."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache, reduce
from typing import Any

from pysd_runner.core.errors import NOTHING, Message
from pysd_runner.text import LANGUAGES, has_text, said, say, texts

ROOM, NESTED = "notice", "how"
# Problems of panels, findings of fits, and lines on the screen are found again as well.
ROOMS = (ROOM, "problem", "fit", "screen")
# Errors are many, so they are looked through only where one is told; they quote problems and findings.
ERROR = "error"
OF_ERRORS = ("problem", "fit", ERROR)
# Between several reasons.
SEPARATOR = "; "
# Parts of parts of an error, and characters of one: taking more apart takes long, and no message of ours is like that.
DEEPEST, LONGEST = 8, 2000
# Blanks of those that hold a text of their own; others hold names and numbers, which stay.
SAID = frozenset(
    {
        "advice",
        "basis",
        "currency",
        "errors",
        "expected",
        "family",
        "found",
        "hint",
        "layout",
        "marks",
        "memory",
        "message",
    }
    | {"more", "name", "reason", "remedy", "said", "side", "style", "title", "unit", "what", "where", "why", "words"}
)
# Blanks of those that hold a number, or several with signs between.
NUMBERS = frozenset(
    {"all", "byte", "count", "done", "estimate", "high", "last", "low", "number", "row", "score", "sd", "seconds"}
    | {"share", "size", "year", "years"}
)
# Blanks of errors that hold a place in a table, and those that hold a whole error.
PLACES = frozenset({"row", "column"})
QUOTED = frozenset({"reason", "said", "why"})
_FILLED = re.compile(r"\{\w+\}")
_SUGGESTION = re.compile(r""" Did you mean ('[^']*'|"[^"]*"|`[^`]*`)\?""")
_LEAD = re.compile(r"( *)(.*)")
_BLANK = re.compile(r"\\\{(\w+)\\\}")


def in_language(text: str, lang: str, names: Mapping[str, str] | None = None) -> str:
    """Say a notice in a language.

    Notices, problems and findings are written in English, because they are kept in records of results and told to
    programs; in another language they are recognised by their texts in the rooms of `ROOMS`, part by part.

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
    if isinstance(text, Message) and (told := said(text, lang, names or NOTHING)) != text:
        return told
    known = names or {}
    if lang == LANGUAGES[0] and not known:
        return text
    if text in known:
        return known[text]

    def inner(name: str, part: str) -> str:
        return _part_of_error(part, lang) if name == "reason" else in_language(part, lang, known)

    return _told(text, lang, ROOMS, inner)


def _told(text: str, lang: str, rooms: tuple[str, ...], inner: Callable[[str, str], str]) -> str:
    """Say a text that is known in some rooms, with what stands in its blanks; any other stays."""
    for key, pattern in _patterns(rooms):
        if match := pattern.fullmatch(text):
            parts = match.groupdict()
            blanks = {
                name: inner(name, part) if key.startswith(f"{ROOM}.") or name in SAID else part
                for name, part in parts.items()
            }
            # An error that is put together of parts is known only where the part that says most is.
            if not (key.startswith(f"{ERROR}.") and "said" in parts and blanks["said"] == parts["said"]):
                return say(key, lang, **blanks)
    return text


@lru_cache(maxsize=4096)
def _part_of_error(text: str, lang: str, depth: int = 0) -> str:
    # The same part is met again and again while ways to take a text apart are tried.
    if depth > DEEPEST or len(text) > LONGEST:
        return text

    def inner(name: str, part: str) -> str:
        said = [_part_of_error(piece, lang, depth + 1) for piece in part.split(SEPARATOR)] if name == "why" else []
        if len(said) > 1 and not set(said) & set(part.split(SEPARATOR)):
            return reduce(lambda first, more: say(f"{ERROR}.and", lang, said=first, more=more), said)
        return _part_of_error(part, lang, depth + 1)

    return _told(text, lang, OF_ERRORS, inner)


def variable_names(entries: Iterable[Any], lang: str) -> dict[str, str]:
    """What variables are called in a language, from their declarations, by variable."""
    return {item.variable: str(getattr(item, lang)) for item in entries}


def in_lines(text: str, lang: str, names: Mapping[str, str] | None = None) -> str:
    """Say every line of a text in a language; what stands before a line stays."""
    if isinstance(text, Message) and (told := said(text, lang, names or NOTHING)) != text:
        return told
    lines = [_LEAD.fullmatch(line) for line in text.split("\n")]
    return "\n".join(match[1] + in_language(match[2], lang, names) for match in lines if match is not None)


def error_in_language(text: str, lang: str) -> str:
    """Say every line of an error in a language; a name that may have been meant comes last.

    >>> error_in_language("there is no year 2050", "en")
    'there is no year 2050'
    """
    if isinstance(text, Message) and (told := said(text, lang)) != text:
        return told
    return text if lang == LANGUAGES[0] else "\n".join(_error_line(line, lang) for line in text.split("\n"))


def _error_line(line: str, lang: str) -> str:
    indent, told = _LEAD.fullmatch(_SUGGESTION.sub("", line)).groups()  # type: ignore[union-attr]
    said = _part_of_error(told, lang)
    if said == told:
        return line
    stop = say(f"{ERROR}.end", lang, said="")
    for name in _SUGGESTION.findall(line):
        said = say(f"{ERROR}.meant" if said.endswith(stop) else f"{ERROR}.meant_apart", lang, said=said, name=name)
    return indent + said


def panel_title(name: str, lang: str) -> str:
    """Title of a shipped panel; any other goes by its name."""
    return say(f"panel.{name}", lang) if has_text(f"panel.{name}") else name


def _filling(blank: re.Match[str]) -> str:
    """What a blank of an error may hold: at the beginning no place, which has a text of its own."""
    if blank[1] in PLACES:
        return "[^:;]+?"
    return ".+?" if blank.start() or blank[1] in QUOTED else "(?:(?!: ).)+?"


def _shape(key: str, text: str) -> re.Pattern[str]:
    """What a text looks like in English; how something was filled has parts of its own, with semicolons between."""
    room = key.partition(".")[0]

    def blank(match: re.Match[str]) -> str:
        if room == ROOM:
            return rf"(?P<{match[1]}>{'.+?' if match[1] == NESTED else '[^;]+?'})"
        if room == ERROR:  # what an error found may be anything, also where a number was expected
            return rf"(?P<{match[1]}>{_filling(match)})"
        return rf"(?P<{match[1]}>{'[-+−.,0-9e]+' if match[1] in NUMBERS else '.+?'})"

    return re.compile(_BLANK.sub(blank, re.escape(text)))


@cache
def _patterns(rooms: tuple[str, ...]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Each text with what it looks like in English; those that say most themselves come first."""
    known = {f"{room}.{key}": text for room in rooms for key, text in texts("en", room).items()}
    ordered = sorted(known.items(), key=lambda item: -len(_FILLED.sub("", item[1])))
    return tuple((key, _shape(key, text)) for key, text in ordered)

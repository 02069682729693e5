"""Parsers made from the grammars beside them, and what they say about a text they cannot read."""

from pathlib import Path
from typing import Any

from lark import Lark, Transformer, UnexpectedInput

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.frontend.syntax import SourcePlace, fault, shortened

# What a terminal of a grammar is called in a message; all others are shown as they are written.
WORDS = {
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": "a text in single quotes",
    "SIGN": "+ or -",
    "TIMES": "* or /",
    "POWER": "^",
    "COMPARE": "a comparison",
    "EQUAL": "=",
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "[",
    "RSQB": "]",
    "COMMA": ",",
    "COLON": ":",
    "SEMICOLON": ";",
    "$END": "the end",
}


class Misread(Exception):
    """Something that a grammar allows and the format does not; `offset` says where in the text it stands."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def make_parser(grammar: Path, reader: Transformer[Any, Any], start: str = "start") -> Lark:
    """Parser of a grammar whose rules a reader turns into nodes while it parses."""
    return Lark(
        grammar.read_text(encoding="utf-8"),
        parser="lalr",
        start=start,
        maybe_placeholders=False,
        transformer=reader,
    )


def parsed(parser: Lark, text: str, place: SourcePlace) -> Any:
    """Read a text."""
    try:
        return parser.parse(text)
    except UnexpectedInput as error:
        raise _unexpected(error, text, place) from error
    except Misread as error:
        raise fault(place, error.offset, f"{error} in {shortened(text)!r}") from error


def _unexpected(error: UnexpectedInput, text: str, place: SourcePlace) -> InvalidModel:
    offset = error.pos_in_stream
    if offset is None or not text[offset:].strip() or getattr(getattr(error, "token", None), "type", "") == "$END":
        offset = len(text.rstrip())
    rest = text[offset:].strip()
    what = f"makes no sense from {shortened(rest)!r} on" if rest else "ends too early"
    return fault(place, offset, f"{shortened(text)!r} {what}{_expected(error)}")


def _expected(error: UnexpectedInput) -> str:
    names = set(getattr(error, "accepts", None) or getattr(error, "allowed", None) or ())
    words = [word for name, word in WORDS.items() if name in names]
    return f"; expected {', '.join(words)}" if words else ""

"""Build parsers from the grammars of the two formats, and turn parse errors into messages."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedInput

from pysd_runner.engine.errors import InvalidModel, Message, joined
from pysd_runner.engine.frontend.syntax import (
    Call,
    Name,
    Node,
    Numeral,
    OperatorCall,
    SourcePlace,
    Subscript,
    fault,
    negative,
    shortened,
)
from pysd_runner.engine.ir import key, tidy

# Names of grammar terminals in messages about the expected input; other terminals are not mentioned.
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
    """Error for text that the grammar accepts but the format does not allow; `offset` is its position in the text."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def make_parser(grammar: Path, reader: Transformer[Any, Any]) -> Lark:
    """LALR parser of a grammar file; `reader` builds the syntax tree during parsing."""
    return Lark(grammar.read_text(encoding="utf-8"), parser="lalr", maybe_placeholders=False, transformer=reader)


def parsed(parser: Lark, text: str, place: SourcePlace) -> Any:
    """Parse a text; errors state the position in the file."""
    try:
        return parser.parse(text)
    except UnexpectedInput as error:
        raise _unexpected(error, text, place) from error
    except Misread as error:
        said = Message("{error} in {text!r}", error=error.args[0], text=shortened(text))
        raise fault(place, error.offset, said) from error


def _unexpected(error: UnexpectedInput, text: str, place: SourcePlace) -> InvalidModel:
    offset = error.pos_in_stream
    if offset is None or not text[offset:].strip() or getattr(getattr(error, "token", None), "type", "") == "$END":
        offset = len(text.rstrip())
    rest = text[offset:].strip()
    text, expected = shortened(text), _expected(error)
    if not rest:
        return fault(place, offset, Message("{text!r} ends too early{expected}", text=text, expected=expected))
    told = Message(
        "{text!r} makes no sense from {rest!r} on{expected}", text=text, rest=shortened(rest), expected=expected
    )
    return fault(place, offset, told)


def _expected(error: UnexpectedInput) -> Message:
    names = set(getattr(error, "accepts", None) or getattr(error, "allowed", None) or ())
    words = [Message(word) for name, word in WORDS.items() if name in names]
    return Message("; expected {words}", words=joined(words, ", ")) if words else Message("")


class Labels(tuple[Subscript, ...]):
    """Subscripts."""


class Outputs(tuple[Name, ...]):
    """Variables that receive the additional outputs of a macro."""


def offset_of(token: Any) -> int:
    """Offset of a token, or of a name, in its text."""
    return token.start_pos or 0


class ExpressionReader(Transformer[Token, Any]):
    """Tree builder for the rules that both grammars share: numbers, operators and calls."""

    def __init__(self, own: frozenset[str], known: Callable[[str, tuple[Node, ...]], Node | None]) -> None:
        super().__init__()
        # Keys of names that the file defines, and the function that translates calls of built-in functions.
        self.own, self.known = own, known

    def call(self, parts: list[Any]) -> Node:
        """Call of a function, a macro or a table function."""
        name, given = parts[0], {type(item): item for item in parts[1:]}
        at, arguments, subscripts = offset_of(name), tuple(given.get(list, ())), given.get(Labels)
        if subscripts is None and key(name) not in self.own:
            try:
                found = self.known(key(name), arguments)
            except InvalidModel as error:
                raise Misread(str(error), at) from error
            if found is not None:
                return replace(found, at=at) if isinstance(found, Call) else found
        return Call(tidy(name), arguments, subscripts, given.get(Outputs, ()), at=at)

    def subscripts(self, parts: list[Any]) -> "Labels":
        """Subscripts of a name or a call."""
        return Labels(parts)

    def arguments(self, parts: list[Any]) -> list[Any]:
        """Arguments of a call, without punctuation tokens."""
        return [item for item in parts if not isinstance(item, Token)]

    def number(self, parts: list[Token]) -> Numeral:
        """Number literal."""
        return Numeral(float(parts[0]))

    def sign(self, parts: list[Any]) -> Node:
        """Unary plus or minus."""
        return parts[1] if parts[0] == "+" else negative(parts[1])

    def invert(self, parts: list[Any]) -> OperatorCall:
        """Logical NOT."""
        return OperatorCall((":NOT:",), (parts[1],))

    def comparison(self, parts: list[Any]) -> Node:
        """Chain of binary operators of the same precedence."""
        operators = ("<>" if item == "!=" else str(item) for item in parts[1::2])
        return OperatorCall(tuple(operators), tuple(parts[::2]))

    sum = product = comparison

    def alternative(self, parts: list[Any]) -> OperatorCall:
        """Logical OR of conditions."""
        return OperatorCall((":OR:",) * (len(parts) // 2), tuple(parts[::2]))

    def condition(self, parts: list[Any]) -> OperatorCall:
        """Logical AND of conditions."""
        return OperatorCall((":AND:",) * (len(parts) // 2), tuple(parts[::2]))

    def power(self, parts: list[Any]) -> OperatorCall:
        """Exponentiation."""
        return OperatorCall(("^",), (parts[0], parts[-1]))

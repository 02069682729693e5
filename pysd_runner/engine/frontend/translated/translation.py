"""Code shared by the readers of both formats through PySD's translators."""

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.ir import Integration

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file holds."""

    abstract: Any  # pySD's ``AbstractModel``: plain data classes
    integration: Integration  # how the file wants its stocks integrated
    files: Mapping[str, str] = field(default_factory=dict)  # what names of data files stand for


# Characters of a text of the file that a message quotes.
QUOTED = 200


def read_literals_only(module: Any) -> None:
    """Make a translator read numbers and strings as literals."""
    # The translators of PySD 3.14.3 call ``eval`` on text of the file; the limits of a table function may hold
    # anything.
    module.eval = _literal


# A sum of numbers, which PySD takes for one number.
_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_SUM = re.compile(rf"\s*(?:[-+]\s*)?{_NUMBER}(?:\s*[-+]\s*{_NUMBER})*\s*")


def _literal(text: str) -> Any:
    if _SUM.fullmatch(text):
        terms = re.findall(rf"([-+]?)\s*({_NUMBER})", text)
        return sum(-ast.literal_eval(number) if sign == "-" else ast.literal_eval(number) for sign, number in terms)
    return ast.literal_eval(text)


# Quoted names, which may hold anything, and comments.
_COMMENT = re.compile(r'("(?:\\"|[^"])*")|\{[^{}]*\}')


def without_comments(text: str) -> str:
    """Text of an equation without what stands in braces."""
    return _COMMENT.sub(lambda found: found[1] or " ", text)


def keep_brackets(module: Any) -> None:
    """Make a translator tell (-2)^2 from -2^2, which is -4: what stands in brackets is negated as an expression is."""
    # The translators of PySD 3.14.3 drop brackets and join a minus with the number behind it.
    arithmetic = module.structures["arithmetic"]

    def visit_parens(self: Any, _node: Any, parts: Sequence[Any]) -> Any:
        inside = self.elements.get(parts[2])
        if isinstance(inside, int | float) and inside < 0:
            self.elements[parts[2]] = arithmetic(["negative"], (-inside,))
        return parts[2]

    module.EquationVisitor.visit_parens = visit_parens


def explained(place: str, action: Callable[[], Result]) -> Result:
    """Do one step of reading a file, and say where in the file it failed."""
    try:
        return action()
    except InvalidModel:
        raise
    except Exception as error:
        raise InvalidModel(f"PySD's translator cannot read {place}: {_reason(error)}") from error


def shortened(text: str) -> str:
    """A text of the file on one line, cut where it is long."""
    line = " ".join(text[: 2 * QUOTED].split())
    return line if len(text) <= QUOTED else line[:QUOTED] + "..."


def _reason(error: Exception) -> str:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, RecursionError | MemoryError):
        return "it is nested too deeply"
    if isinstance(cause, TypeError) and "positional argument" in str(cause):
        return "a function is given too many or too few arguments"
    text, position = getattr(cause, "text", None), getattr(cause, "pos", None)
    if isinstance(text, str) and isinstance(position, int):
        rest = text[position:].strip()
        return f"it makes no sense from {shortened(rest)!r} on" if rest else "it ends too early"
    return f"{type(cause).__name__}: {shortened(str(cause))}"

"""One exception root, few children, and messages that can be said in another language.

Each exception carries the exit code the command line answers with.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from string import Formatter
from types import MappingProxyType
from typing import Self

NOTHING: Mapping[str, str] = MappingProxyType({})


class Message(str):
    """A sentence in English that knows its template and what stands in the blanks.

    The template is looked up to say the sentence in another language, and so are values that are messages themselves;
    other values are kept as they look in English. Without values a template has no blanks, whatever signs are in it.

    Examples
    --------
    >>> Message("{file} has no column {column!r}", file="a.csv", column="year")
    "a.csv has no column 'year'"
    """

    __slots__ = ("template", "values")
    template: str
    values: Mapping[str, str]

    def __new__(cls, template: str, /, **values: object) -> Self:
        """Fill a template; a message stays what it is."""
        if isinstance(template, cls) and not values:
            return template
        return cls.restored(template, _shown(template, values) if values else {})

    @classmethod
    def restored(cls, template: str, values: Mapping[str, str]) -> Self:
        """Put a message together again from its template and what stood in its blanks."""
        message = super().__new__(cls, _replaced(template, values))
        message.template, message.values = str(template), values
        return message

    def __str__(self) -> str:
        """The message itself, so that the text of an error keeps its template."""
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return type(self).restored, (self.template, self.values)

    def said(self, known: Mapping[str, str], names: Mapping[str, str] = NOTHING) -> str:
        """Say it with the templates of another language, and with other names for what names stand for."""
        if self in names:
            return names[self]
        values = {
            name: text.said(known, names) if isinstance(text, Message) else names.get(text, text)
            for name, text in self.values.items()
        }
        return _replaced(known.get(self.template, self.template), values)


def _shown(template: str, values: Mapping[str, object]) -> dict[str, str]:
    """What stands in each blank of a template; messages stay messages."""
    form, shown = Formatter(), {}
    for _, name, spec, conversion in form.parse(template):
        if name is not None:
            value = form.convert_field(values[name], conversion) if conversion else values[name]
            value = str(value) if isinstance(value, GapsimError) else value
            shown[name] = value if isinstance(value, Message) and not spec else format(value, spec or "")
    return shown


def _replaced(template: str, values: Mapping[str, str]) -> str:
    """A template with texts in its blanks, whose forms were seen to before."""
    if not values:
        return template
    return "".join(text + ("" if name is None else values[name]) for text, name, *_ in Formatter().parse(template))


def joined(parts: Iterable[str], separator: str) -> Message:
    """Several messages in one; what stands between them is said in the language of the reader, too.

    >>> joined(["a is missing", "b is missing"], "; ")
    'a is missing; b is missing'
    """
    values = {f"part{place}": part for place, part in enumerate(parts)}
    if len(values) == 1:
        return Message(values["part0"])
    return Message("{between}".join(f"{{{name}}}" for name in values), between=Message(separator), **values)


class GapsimError(Exception):
    """Anything this package raises on purpose: a template and what fills it, see `Message`."""

    exit_code = 1

    def __init__(self, template: str = "", /, **values: object) -> None:
        super().__init__(Message(template, **values))


class InvalidInput(GapsimError, ValueError):
    """Input that cannot be used; the message says what, where, what was expected and what to do."""

    exit_code = 2


class InvalidModel(InvalidInput):
    """A model file or its declarations are not usable."""


class UnknownName(InvalidInput):
    """A name was asked for that does not exist."""


class UnsupportedFeature(InvalidModel):
    """A model uses a feature this engine does not cover; ``engine="pysd"`` may still run it."""


class SimulationFailed(GapsimError):
    """A simulation produced no usable numbers."""

    exit_code = 4


# A longer name is no slip of the pen, and looking for one that is like it takes long.
LONGEST = 200


def suggest(name: str, candidates: Iterable[str]) -> Message:
    """Sentence that offers the nearest known name.

    >>> suggest("acess", ["access", "skills"])
    " Did you mean 'access'?"
    """
    if len(name) > LONGEST:
        return Message("")
    known = {candidate.casefold(): candidate for candidate in candidates}
    # Names of two characters are usual in Chinese: one of them alone may be wrong.
    near = get_close_matches(name.casefold(), list(known), n=1, cutoff=0.6 if name.isascii() else 0.5)
    return Message(" Did you mean {name!r}?", name=known[near[0]]) if near else Message("")

"""The exceptions of the package, and messages that can be translated.

Each exception has the exit code that the command line returns for it.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from string import Formatter
from types import MappingProxyType
from typing import Self

NOTHING: Mapping[str, str] = MappingProxyType({})


class Message(str):
    """A sentence in English that keeps its template and the values of its placeholders.

    To translate a sentence its template is looked up, and so are those of values that are messages themselves; other
    values stay as formatted for English. Without values a template has no placeholders, even if it contains braces.

    Examples
    --------
    >>> Message("{file} has no column {column!r}", file="a.csv", column="year")
    "a.csv has no column 'year'"
    """

    __slots__ = ("template", "values")
    template: str
    values: Mapping[str, str]

    def __new__(cls, template: str, /, **values: object) -> Self:
        """Fill in a template; a message is returned unchanged."""
        if isinstance(template, cls) and not values:
            return template
        return cls.restored(template, _shown(template, values) if values else {})

    @classmethod
    def restored(cls, template: str, values: Mapping[str, str]) -> Self:
        """Restore a message from its template and the strings of its placeholders."""
        message = super().__new__(cls, _replaced(template, values))
        message.template, message.values = str(template), values
        return message

    def __str__(self) -> str:
        """The message itself, so that the text of an error keeps its template."""
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return type(self).restored, (self.template, self.values)

    def said(self, known: Mapping[str, str], names: Mapping[str, str] = NOTHING) -> str:
        """Translate the message, with templates of the other language by English template, and translated names."""
        if self in names:
            return names[self]
        values = {
            name: text.said(known, names) if isinstance(text, Message) else names.get(text, text)
            for name, text in self.values.items()
        }
        return _replaced(known.get(self.template, self.template), values)


def _shown(template: str, values: Mapping[str, object]) -> dict[str, str]:
    """The string for each placeholder of a template; values that are messages stay messages."""
    form, shown = Formatter(), {}
    for _, name, spec, conversion in form.parse(template):
        if name is not None:
            value = form.convert_field(values[name], conversion) if conversion else values[name]
            value = str(value) if isinstance(value, GapsimError) else value
            value = Message(value) if isinstance(value, str) and value in ("None", "True", "False") else value
            shown[name] = value if isinstance(value, Message) and not spec else format(value, spec or "")
    return shown


def _replaced(template: str, values: Mapping[str, str]) -> str:
    """Fill in a template with strings that are already formatted."""
    if not values:
        return template
    return "".join(text + ("" if name is None else values[name]) for text, name, *_ in Formatter().parse(template))


def joined(parts: Iterable[str], separator: str) -> Message:
    """Join several messages into one; the separator is translated, too.

    >>> joined(["a is missing", "b is missing"], "; ")
    'a is missing; b is missing'
    """
    values = {f"part{place}": part for place, part in enumerate(parts)}
    if len(values) == 1:
        return Message(values["part0"])
    return Message("{between}".join(f"{{{name}}}" for name in values), between=Message(separator), **values)


class GapsimError(Exception):
    """Base class of the exceptions of this package, created from a template and its values; see `Message`."""

    exit_code = 1

    def __init__(self, template: str = "", /, **values: object) -> None:
        super().__init__(Message(template, **values))


class InvalidInput(GapsimError, ValueError):
    """Input that cannot be used; the message says what is wrong, where, what was expected and what to do."""

    exit_code = 2


class InvalidModel(InvalidInput):
    """A model file or its declarations are not usable."""


class UnknownName(InvalidInput):
    """A requested name, the last of the values, is not `among` the existing ones; the most similar is suggested."""

    def __init__(self, template: str = "", /, among: Iterable[str] = (), **values: object) -> None:
        known = list(among)
        asked = str(list(values.values())[-1]) if known else ""
        super().__init__(template, **{"known": ", ".join(known), "suggestion": suggest(asked, known), **values})


class UnsupportedFeature(InvalidModel):
    """A model uses a feature this engine does not cover; ``engine="pysd"`` may still run it."""


class SimulationFailed(GapsimError):
    """A simulation produced no usable results."""

    exit_code = 4


class ProbableSlip(UserWarning):
    """An equation of a model file is run as it stands although it is probably a slip."""


# Maximum length of names for which similar names are suggested: longer ones are not typos, and the search is slow.
MAX_NAME = 200


def suggest(name: str, candidates: Iterable[str]) -> Message:
    """Suggest the most similar known name.

    >>> suggest("acess", ["access", "skills"])
    " Did you mean 'access'?"
    """
    if len(name) > MAX_NAME:
        return Message("")
    known = {candidate.casefold(): candidate for candidate in candidates}
    # Names of two characters are usual in Chinese: the cutoff must allow one of them to be wrong.
    near = get_close_matches(name.casefold(), list(known), n=1, cutoff=0.6 if name.isascii() else 0.5)
    return Message(" Did you mean {name!r}?", name=known[near[0]]) if near else Message("")

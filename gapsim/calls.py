"""Errors for calls with wrong arguments, which suggest the intended one and name only public functions."""

import inspect
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from pysd_runner.core.errors import InvalidInput, Message, suggest
from pysd_runner.core.former import ARGUMENTS


@cache
def offered(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function so that unknown, missing and surplus arguments raise `InvalidInput`."""
    signature = inspect.signature(function)
    known, open_ended = [], False
    for name, item in signature.parameters.items():
        if item.kind is not inspect.Parameter.VAR_KEYWORD:
            known += [name] * (name != "self")
            continue
        typed = getattr(item.annotation, "__args__", ())
        known += list(typed[0].__annotations__) if typed else []
        open_ended = not typed

    called_as = function.__qualname__.removesuffix(".__init__")

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        for name in kwargs:
            if name not in known and not open_ended:
                new = ARGUMENTS.get(name)
                raise InvalidInput(
                    "{function} has no argument {name!r}; it takes {known}.{suggestion}",
                    function=called_as,
                    name=name,
                    known=", ".join(known),
                    suggestion=Message(" It is now {new!r}.", new=new) if new in known else suggest(name, known),
                )
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            raise InvalidInput(
                "{function}: {error}; it takes {known}",
                function=called_as,
                error=error,
                known=", ".join(known),
            ) from None
        return function(*args, **kwargs)

    return called


def constructed(kind: type) -> type:
    """Wrap the constructor of a class in the same way as `offered`."""
    if not hasattr(kind.__init__, "__wrapped__"):  # type: ignore[misc]
        kind.__init__ = offered(kind.__init__)  # type: ignore[misc]
    return kind

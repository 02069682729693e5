"""Say of a call with a wrong argument which one was meant, in the words of the door and not of what is behind it."""

import inspect
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from pysd_runner.core.errors import InvalidInput, suggest


@cache
def offered(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose unknown, missing and surplus arguments raise `InvalidInput`."""
    signature = inspect.signature(function)
    known, open_ended = [], False
    for name, item in signature.parameters.items():
        if item.kind is not inspect.Parameter.VAR_KEYWORD:
            known.append(name)
            continue
        typed = getattr(item.annotation, "__args__", ())
        known += list(typed[0].__annotations__) if typed else []
        open_ended = not typed

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        for name in kwargs:
            if name not in known and not open_ended:
                raise InvalidInput(
                    "{function} has no argument {name!r}; it takes {known}.{suggestion}",
                    function=function.__name__,
                    name=name,
                    known=", ".join(known),
                    suggestion=suggest(name, known),
                )
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            raise InvalidInput(
                "{function}: {error}; it takes {known}",
                function=function.__name__,
                error=error,
                known=", ".join(known),
            ) from None
        return function(*args, **kwargs)

    return called

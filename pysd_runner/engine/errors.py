"""One exception root, few children; each carries the exit code the command line answers with."""

from collections.abc import Iterable
from difflib import get_close_matches


class GapsimError(Exception):
    """Anything this package raises on purpose."""

    exit_code = 1


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


def suggest(name: str, candidates: Iterable[str]) -> str:
    """Sentence that offers the nearest known name.

    >>> suggest("acess", ["access", "skills"])
    " Did you mean 'access'?"
    """
    if len(name) > LONGEST:
        return ""
    known = {candidate.casefold(): candidate for candidate in candidates}
    # Names of two characters are usual in Chinese: one of them alone may be wrong.
    near = get_close_matches(name.casefold(), list(known), n=1, cutoff=0.6 if name.isascii() else 0.5)
    return f" Did you mean {known[near[0]]!r}?" if near else ""

"""Whole numbers that callers hand over, and the number of cores."""

import operator
import os
from typing import Any

from pysd_runner.core.errors import InvalidInput


def whole(what: str, value: Any, *, least: int) -> int:
    """A whole number.

    Parameters
    ----------
    what
        What it is, for the message.
    value
        What was handed over.
    least
        The smallest that is allowed.

    Returns
    -------
    int
        The number.

    Raises
    ------
    InvalidInput
        If it is none, or too small.

    Examples
    --------
    >>> whole("draws", 3, least=1)
    3
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, bool):
        raise InvalidInput(f"{what} must be a whole number from {least}; found {value!r}")
    return number


def cores() -> int:
    """Cores this process may use."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not on every system
        return max(1, os.cpu_count() or 1)

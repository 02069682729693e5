"""Check numbers and series given by the caller, and count processor cores."""

import operator
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pysd_runner.engine.errors import InvalidInput, Message

if TYPE_CHECKING:
    from pysd_runner.engine.ir import ModelIr


def check_integer(what: str, value: Any, *, least: int | None = None) -> int:
    """Check that a value is a whole number and at least `least`, and return it as an int.

    >>> check_integer("draws", 3, least=1)
    3
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or (least is not None and number < least):
        limit = "" if least is None else Message(" from {least}", least=least)
        raise InvalidInput("{name} must be a whole number{limit}; found {found!r}", name=what, limit=limit, found=value)
    return number


def year(what: str, value: Any) -> int:
    """Check that a time of a panel is a whole number, of any type, and return it as an int."""
    return check_integer(what, int(value) if isinstance(value, float) and value.is_integer() else value)


def check_series(model: "ModelIr", name: str, value: Any, dims: tuple[str, ...]) -> None:
    """Raise `InvalidInput` for a series of pandas over times, which would be read as draws or as elements of `dims`."""
    import numpy as np  # imported here, because the command line uses this module before it loads numpy

    index = getattr(value, "index", None)
    if index is None or callable(index) or np.ndim(value) != 1 or not len(index) or index.name == "draw":
        return
    at, called = np.asarray(index), _singular(index.name)
    moments = {_singular(text) for text in ("time", "year", "date", model.time_unit)} - {
        _singular(text) for text in dims
    }
    # Only indexes of dates and periods have a frequency.
    if not hasattr(index, "freq") and (not called or called not in moments):
        is_counted = index.name is None and np.array_equal(at, np.arange(len(at)))
        if at.shape == model.shape(dims) or at.dtype.kind in "OUSb" or is_counted:
            return
    raise InvalidInput(
        "value of {name!r} is a series over {first} to {last}: a path over time is `TimePath(times=series.index, "
        "values=series.to_numpy())`, one value for each draw is `series.to_numpy()`",
        name=name,
        first=index[0],
        last=index[-1],
    )


def _singular(text: Any) -> str:
    return str(text or "").strip().casefold().removesuffix("s")


# Settings of the current thread.
_here = threading.local()


def cores() -> int:
    """Number of cores this thread may use: those of the process, or one within `one_core`."""
    if getattr(_here, "is_alone", False):
        return 1
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not available on every system
        return max(1, os.cpu_count() or 1)


@contextmanager
def one_core() -> Iterator[None]:
    """Limit this thread to one core, because other threads run in parallel."""
    before = getattr(_here, "is_alone", False)
    _here.is_alone = True
    try:
        yield
    finally:
        _here.is_alone = before

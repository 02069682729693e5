"""Events of any series: whether it lies above or below a value at a moment, or has been by then."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, suggest

if TYPE_CHECKING:
    import xarray as xr

_FORM = re.compile(
    r"(?P<name>.+?)\s+(?P<way>above|over|below|under)\s+(?P<value>[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s+"
    r"(?P<when>at|by|in)\s+(?P<time>[-+]?[0-9.]+)",
    re.IGNORECASE,
)


def share_of_draws(happens: NDArray[np.bool_], *, is_ever: bool) -> float:
    """Share of draws in which it happens: at any time, as "by" means, or at the last one; shape (draw, time)."""
    return float(np.mean(happens.any(axis=1) if is_ever else happens[:, -1]))


@dataclass(frozen=True, kw_only=True, slots=True)
class Crossing:
    """Whether a series lies beyond a value."""

    text: str
    name: str
    value: float
    is_above: bool
    time: float
    is_ever: bool

    def probability(self, draws: "Mapping[str, xr.DataArray]") -> float:
        """Share of draws in which it happens."""
        values = draws[self.name]
        times = values["time"].to_numpy()
        if self.time > times[-1] + 1e-9 or self.time < times[0] - 1e-9:
            raise InvalidInput(f"event {self.text!r}: the forecast runs from {times[0]:g} to {times[-1]:g}")
        if values.sizes["entity"] > 1:
            raise InvalidInput(f"event {self.text!r}: {self.name!r} has several entities; forecast one of them")
        paths = values.isel(entity=0).transpose("draw", "time").to_numpy()
        place = int(np.abs(times - self.time).argmin())
        until = paths[:, : place + 1]
        return share_of_draws(until > self.value if self.is_above else until < self.value, is_ever=self.is_ever)


def event_of(text: str, names: Sequence[str]) -> Crossing:
    """Read an event.

    Parameters
    ----------
    text
        ``"infected above 100 at 80"``: at that moment; ``by 80``: at some moment up to it.
    names
        Series that are forecast.

    Raises
    ------
    InvalidInput
        If it is none, or names no series.

    Examples
    --------
    >>> event_of("infected above 100 by 80", ["infected"]).is_ever
    True
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise InvalidInput(
            f"event {text!r}: expected something like 'infected above 100 by 80', at any time until then, or 'at 80'"
        )
    known = {name.casefold(): name for name in names}
    name = known.get(match["name"].strip().casefold())
    if name is None:
        raise InvalidInput(
            f"event {text!r}: nothing called {match['name']!r} is forecast.{suggest(match['name'], names)}"
        )
    return Crossing(
        text=text,
        name=name,
        value=float(match["value"]),
        is_above=match["way"].casefold() in ("above", "over"),
        time=float(match["time"]),
        is_ever=match["when"].casefold() == "by",
    )

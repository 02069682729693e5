"""What a quantity is called, in which unit it is drawn, and which direction is better."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from pysd_runner.core.numbers import written
from pysd_runner.text import has_text, say

_DIMENSIONLESS = frozenset({"", "1", "Dmnl", "dmnl", "dimensionless", "share", "fraction"})
_INDICES = frozenset({"theil", "theil_between", "theil_within", "sigma", "gini", "coefficient_of_variation"})
_PROPER = frozenset({"Theil", "Gini"})
_LOG_POINTS = "log points x100"
_GAPS = frozenset({"gap_to_leader", "national_gap", "class_gap", "laggard_gap", "brief_leader"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantity:
    """How a variable is drawn."""

    name: str  # its name in the data
    title: str  # what it is called in the language of the picture
    inline: str  # the same within a sentence
    unit: str  # unit of the axis, in words
    short_unit: str  # unit behind a number
    difference_unit: str  # unit of a difference between two scenarios
    counted_unit: str  # the same behind a number in a sentence
    scale: float  # factor from the data to what is drawn: 100 for shares, shown in per cent
    digits: int  # digits after the point in sentences and labels
    difference_digits: int  # the same for differences, which are smaller than levels
    lower_is_better: bool  # true for gaps and measures of dispersion
    is_gap: bool  # true when a difference is told as narrower or wider

    @property
    def difference_scale(self) -> float:
        """Factor from the data to a difference: of what is better the lower it is, it is told how much is closed."""
        return -self.scale if self.lower_is_better else self.scale


def quantity_of(values: xr.DataArray, lang: str) -> Quantity:
    """How the variable of an array is drawn."""
    name = str(values.name or "value")
    units = str(values.attrs.get("units", values.attrs.get("unit", "")))
    is_index, is_share = name in _INDICES, units in _DIMENSIONLESS and name not in _INDICES
    percent = say("unit.percent", lang)
    units = say("unit.log_points", lang) if units == _LOG_POINTS else units
    points = "points" if is_share else "index_points" if is_index else ""
    own_unit = say(f"unit.{name}", lang) if has_text(f"unit.{name}") else (percent if is_share else units)
    title = _title(values, name, lang)
    digits = 1 if is_share else 3 if is_index else _digits(values)
    return Quantity(
        name=name,
        title=title,
        inline=_inline(title),
        unit=own_unit,
        short_unit=percent if is_share else ("" if is_index else units),
        difference_unit=say(f"unit.{points}", lang) if points else units,
        counted_unit=say(f"unit.{points}_counted", lang) if points else units,
        scale=100.0 if is_share else 1.0,
        digits=digits,
        difference_digits=digits + 1 if digits else 0,
        lower_is_better=name in _INDICES or name in _GAPS,
        is_gap=name in _GAPS,
    )


def number(value: float, digits: int, *, signed: bool = False) -> str:
    """A number in text, with a true minus sign.

    >>> number(-1.64, 1), number(0.04, 1, signed=True)
    ('−1.6', '0.0')
    """
    return written(float(value), digits, signed=signed)


def _title(values: xr.DataArray, name: str, lang: str) -> str:
    """What the quantity is called: a word of ours, the array's own words, or its name."""
    if has_text(f"quantity.{name}"):
        return say(f"quantity.{name}", lang)
    own = values.attrs.get(f"long_name_{lang}") or values.attrs.get("long_name") or name.replace("_", " ")
    return str(own)


def _digits(values: xr.DataArray) -> int:
    """Digits after the point that leave three that count in the largest value."""
    largest = float(np.nanmax(np.abs(values.to_numpy()), initial=0.0))
    return int(np.clip(2 - np.floor(np.log10(largest)), 0, 6)) if largest > 0 else 0


def _inline(title: str) -> str:
    """Title within a sentence: a small initial, unless the first word is a name or an abbreviation."""
    first = title.split(" ")[0]
    is_name = first in _PROPER or not first[1:].islower()
    return title if is_name else title[:1].lower() + title[1:]

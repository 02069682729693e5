"""Keys of a schedule: calendar years, or years counted from the start of the policy."""

import math
import re
from dataclasses import dataclass
from decimal import Decimal

INTERPOLATE = "interpolate"
YEAR_PATTERN = r"^(-?[0-9]+(\.[0-9]+)?|start( *\+ *[0-9]+(\.[0-9]+)?)?)$"
_YEAR = re.compile(
    r"(?:(?P<start>start)(?: *\+ *(?P<after>\d+(?:\.\d+)?))?|(?P<year>-?\d+(?:\.\d+)?))",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleYear:
    """One key of a schedule."""

    time: float  # calendar year, or years since the policy starts
    since_start: bool  # whether it counts from the start of the policy


def parse_year(text: str) -> ScheduleYear | None:
    """Read a key of a schedule.

    >>> parse_year("start+5")
    ScheduleYear(time=5.0, since_start=True)
    """
    match = _YEAR.fullmatch(text.strip())
    if match is None:
        return None
    since_start = match["start"] is not None
    time = float((match["after"] or 0) if since_start else match["year"])
    return ScheduleYear(time=time, since_start=since_start) if math.isfinite(time) else None


def write_year(time: float, since_start: bool) -> str:
    """Key of a schedule, the inverse of `parse_year`."""
    number = f"{time:.0f}" if time == int(time) else f"{Decimal(repr(time)):f}"
    if not since_start:
        return number
    return f"start+{number}" if time else "start"


def is_schedule(value: object) -> bool:
    """Whether a mapping of a scenario file is a schedule rather than a mix."""
    if not isinstance(value, dict):
        return False
    return any(
        isinstance(entry, dict) or key == INTERPOLATE or parse_year(str(key)) is not None or str(key)[:1].isdigit()
        for key, entry in value.items()
    )

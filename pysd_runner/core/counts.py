"""Whole numbers that callers hand over, the number of cores, and how far ahead a forecast may look."""

from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine.counts import cores, one_core, whole

__all__ = ["FARTHEST", "check_ahead", "cores", "one_core", "whole"]

# So many years ahead a forecast says nothing that its bands do not.
FARTHEST = 50


def check_ahead(until: float, last: int) -> None:
    """Refuse a year too far ahead."""
    if until > last + FARTHEST:
        raise InvalidInput(
            f"until is {until}; expected at most {FARTHEST} years after the last one of the panel, {last}"
        )

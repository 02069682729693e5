"""Limits of what a file may ask for before anything is computed; each is a number that whoever loads it can raise."""

import re

from pysd_runner.errors import InvalidModel

_NUMBERED = re.compile(r"(.*?)(\d+)\Z", re.DOTALL)

# Elements of all subscript ranges together.
MOST_ELEMENTS = 1_000_000


def numbered(first: str, last: str) -> list[str]:
    """Elements from ``first`` to ``last``, which end in numbers.

    Examples
    --------
    >>> numbered("a9", "a11")
    ['a9', 'a10', 'a11']
    """
    ends = [_NUMBERED.match(item) for item in (first, last)]
    if ends[0] is None or ends[1] is None or not ends[0][1] or ends[0][1] != ends[1][1]:
        raise InvalidModel(f"({first}-{last}) stands for elements that end in numbers, such as (a1-a9)")
    low, high = int(ends[0][2]), int(ends[1][2])
    if low >= high:
        raise InvalidModel(f"({first}-{last}): the first number is not below the last")
    if high - low >= MOST_ELEMENTS:
        raise InvalidModel(
            f"({first}-{last}) stands for {high - low + 1:,} elements; at most {MOST_ELEMENTS:,} are read"
        )
    return [f"{ends[0][1]}{number}" for number in range(low, high + 1)]

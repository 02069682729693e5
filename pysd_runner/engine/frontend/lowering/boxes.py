"""Which cells of an array each of its equations defines, cut into boxes."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The places it covers along every dimension.
Box = tuple[tuple[int, ...], ...]


def remaining(boxes: Sequence[Box], exceptions: Sequence[Sequence[Box]]) -> list[list[Box]]:
    """What is left of each box without its exceptions and without what later boxes define again.

    >>> remaining([((0, 1, 2),), ((1,),)], [[], []])
    [[((0, 2),)], [((1,),)]]
    """
    if len(boxes) == 1 and not any(exceptions):
        return [list(boxes)]
    rank = len(boxes[0])
    alike = [
        _Alike([box[dim] for box in (*boxes, *(item for part in exceptions for item in part))]) for dim in range(rank)
    ]

    def grid(box: Box) -> Any:
        return np.ix_(*(known.classes[places] for known, places in zip(alike, box, strict=True))) if rank else ()

    owner = np.full([known.count for known in alike], -1)
    for number, (box, left_out) in enumerate(zip(boxes, exceptions, strict=True)):
        before = owner.copy() if left_out else owner
        owner[grid(box)] = number
        for item in left_out:
            owner[grid(item)] = before[grid(item)]
    found = []
    for number, box in enumerate(boxes):
        mine = owner[grid(box)] == number
        found.append([box] if mine.all() else [_places(alike, box, part) for part in _rectangles(mine)])
    return found


class _Alike:
    """Places along a dimension that stand in the same lists count as one, so that the work does not grow with them."""

    def __init__(self, lists: Sequence[tuple[int, ...]]) -> None:
        stands_in: dict[int, list[int]] = {}
        distinct = dict.fromkeys(lists)
        for number, places in enumerate(distinct):
            for place in places:
                stands_in.setdefault(place, []).append(number)
        numbers: dict[tuple[int, ...], int] = {}
        self.of = {place: numbers.setdefault(tuple(found), len(numbers)) for place, found in stands_in.items()}
        self.count = len(numbers)
        self.classes = {places: list(dict.fromkeys(self.of[place] for place in places)) for places in distinct}


def _places(alike: Sequence[_Alike], box: Box, part: Sequence[Sequence[int]]) -> Box:
    """A rectangle of a box as places, in the order of the box."""
    chosen = []
    for known, places, rows in zip(alike, box, part, strict=True):
        wanted = {known.classes[places][row] for row in rows}
        chosen.append(tuple(place for place in places if known.of[place] in wanted))
    return tuple(chosen)


def _rectangles(mask: NDArray[np.bool_]) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Rectangles that make up a mask: rows that look the same go together."""
    if mask.ndim == 0:
        if mask:
            yield ()
        return
    rows: dict[bytes, list[int]] = {}
    for number, row in enumerate(mask):
        rows.setdefault(row.tobytes(), []).append(number)
    for numbers in rows.values():
        for rest in _rectangles(mask[numbers[0]]):
            yield (tuple(numbers), *rest)

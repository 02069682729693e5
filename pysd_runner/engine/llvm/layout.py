"""Where the values of a compiled program lie in its working memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from pysd_runner.engine.memory import LINE


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of one variable."""

    offset: int  # its first number, counted in numbers
    lengths: tuple[int, ...]  # lengths of its dimensions
    strides: tuple[int, ...]  # distance between neighbours along each dimension, counted in cells
    cells: int  # number of cells, the padding of the last dimension included
    wide: bool  # whether each cell holds one number per lane


def padded(lengths: tuple[int, ...], multiple: int) -> tuple[int, ...]:
    """Lengths with the last one rounded up to a multiple."""
    if not lengths:
        return ()
    return (*lengths[:-1], -(-lengths[-1] // multiple) * multiple)


class Layout:
    """Hands out the working memory."""

    def __init__(self, lanes: int, real_bytes: int, pad: int) -> None:
        self.lanes = lanes
        self.pad = pad
        self._line = LINE // real_bytes
        self._slots: dict[str, Slot] = {}
        self._end = 0

    def add(self, name: str, lengths: tuple[int, ...], *, wide: bool) -> Slot:
        """A place for a variable; the same name has one place."""
        if name not in self._slots:
            room = padded(lengths, self.pad)
            strides = tuple(prod(room[place + 1 :]) for place in range(len(room)))
            slot = Slot(self._end, lengths, strides, prod(room), wide)
            size = slot.cells * (self.lanes if wide else 1)
            self._end += -(-size // self._line) * self._line
            self._slots[name] = slot
        return self._slots[name]

    @property
    def slots(self) -> Mapping[str, Slot]:
        """Every place by name."""
        return self._slots

    @property
    def size(self) -> int:
        """Memory size in numbers, padded for vector reads past the last value."""
        return self._end + 2 * max(self.lanes, self.pad, self._line)

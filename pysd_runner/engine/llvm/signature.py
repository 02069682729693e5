"""How a compiled program is called: its table of entries, its working memory, what it is handed and what it saves."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from pysd_runner.engine.llvm.emitter import Types
from pysd_runner.engine.memory import LINE

# Entries of the table a program is handed, 64 bits each; inputs (address, size) and outputs follow.

# Addresses of the steps, their lengths, which are saved, and their number.
TIMES, STEPS, SAVED, COUNT = range(4)

# Distance between the draws of two cells, in inputs and in outputs.
IN_STRIDE, OUT_STRIDE = 4, 5

# Of paths over time: moments before and after each step, and the share of the way between them.
POSITIONS, SHARES = 6, 7

# Saved moments; what is called for whole arrays and for pipes; what random numbers depend on.
ROWS, ARRAYS, SEED, FIRST_DRAW = range(8, 12)

# What flowed into pipes, and for how many steps it is kept: the number of a step is taken modulo this.
HISTORY, RING = 12, 13

# Zero, which the compiler cannot know.
NEVER = 14

HEADER = 15

# What is called with this number makes room for pipes, once their delays are known.
MAKE_ROOM = -1


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of one variable."""

    offset: int  # its first number, counted in numbers
    lengths: tuple[int, ...]  # lengths of its dimensions
    strides: tuple[int, ...]  # distance between neighbours along each dimension, counted in cells
    cells: int  # number of cells, the padding of the last dimension included
    wide: bool  # whether each cell holds one number per lane

    @property
    def room(self) -> tuple[int, ...]:
        """Lengths of its dimensions, with the padding of the last one."""
        return (*self.lengths[:-1], self.cells // max(1, prod(self.lengths[:-1]))) if self.lengths else ()


def strides_of(lengths: tuple[int, ...]) -> tuple[int, ...]:
    """Distance between neighbours along each dimension of an array that lies row by row."""
    return tuple(prod(lengths[place + 1 :]) for place in range(len(lengths)))


def padded(lengths: tuple[int, ...], multiple: int) -> tuple[int, ...]:
    """Lengths with the last one rounded up to a multiple."""
    if not lengths:
        return ()
    return (*lengths[:-1], -(-lengths[-1] // multiple) * multiple)


class MemoryLayout:
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
            slot = Slot(self._end, lengths, strides_of(room), prod(room), wide)
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


@dataclass(frozen=True, slots=True)
class Processor:
    """A processor that code is compiled for."""

    cpu: str
    features: str
    vector_bytes: int  # width of its vectors
    triple: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides a program besides the model."""

    outcomes: tuple[str, ...]
    given: tuple[str, ...]  # variables whose values come from outside
    moving: frozenset[str]  # those among `given` that change over time
    varying: frozenset[str] | None  # those among `given` that differ between draws
    types: Types
    processor: Processor | None = None  # what it is compiled for; None for the one this runs on


@dataclass(frozen=True, slots=True)
class Input:
    """A value a program is handed."""

    name: str
    slot: Slot
    moving: bool


@dataclass(frozen=True, slots=True)
class ArrayCall:
    """A call of a function of whole arrays."""

    name: str
    arguments: tuple[Slot, ...]  # where its arguments lie
    core: tuple[int, ...]  # how many of the last dimensions of each argument the function works on
    result: Slot  # where its result goes


@dataclass(frozen=True, slots=True)
class Signature:
    """How a program is called."""

    inputs: tuple[Input, ...]  # what it is handed, in order
    outputs: tuple[Slot, ...]  # what it saves, in the order of the outcomes
    arrays: tuple[ArrayCall, ...]  # functions of whole arrays it calls back
    size: int  # numbers in its working memory
    pipes: int = 0  # numbers that flow into pipes at one step
    delays: tuple[Slot, ...] = ()  # where it says how long a value stays in each pipe

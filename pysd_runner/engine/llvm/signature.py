"""The calling convention of compiled programs: argument table, working memory, inputs and outputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from pysd_runner.engine.llvm.emitter import Types
from pysd_runner.engine.memory import LINE

# Indices of the entries of the argument table, 64 bits each; inputs (address, size) and outputs follow.

# Addresses of the times, lengths and save flags of the steps; the number of steps.
TIMES, STEPS, SAVED, COUNT = range(4)

# Distance between adjacent cells for the same draw, in inputs and in outputs.
IN_STRIDE, OUT_STRIDE = 4, 5

# Addresses, for paths over time, of the positions before and after each step, and of interpolation weights.
POSITIONS, SHARES = 6, 7

# Number of saved times; address of the callback for array functions and delay buffers; seed, first draw.
ROWS, ARRAYS, SEED, FIRST_DRAW = range(8, 12)

# Address of the ring buffer of delays, and its length in steps: steps are stored at their index modulo this.
HISTORY, RING = 12, 13

# An entry that is always zero, which the compiler cannot know.
NEVER = 14

HEADER = 15

# Number with which the callback is called to allocate delay buffers, once delays are known.
MAKE_ROOM = -1


@dataclass(frozen=True, slots=True)
class Slot:
    """Location of one variable in the working memory."""

    offset: int  # offset of its first number, in numbers
    lengths: tuple[int, ...]  # lengths of its dimensions
    strides: tuple[int, ...]  # distance between adjacent elements along each dimension, in cells
    cells: int  # number of cells, including the padding of the last dimension
    wide: bool  # whether each cell has one number per lane

    @property
    def room(self) -> tuple[int, ...]:
        """Lengths of its dimensions, including the padding of the last one."""
        return (*self.lengths[:-1], self.cells // max(1, prod(self.lengths[:-1]))) if self.lengths else ()


def strides_of(lengths: tuple[int, ...]) -> tuple[int, ...]:
    """Strides, in elements, of an array in C order."""
    return tuple(prod(lengths[place + 1 :]) for place in range(len(lengths)))


def padded(lengths: tuple[int, ...], multiple: int) -> tuple[int, ...]:
    """Lengths with the last one rounded up to a multiple."""
    if not lengths:
        return ()
    return (*lengths[:-1], -(-lengths[-1] // multiple) * multiple)


class MemoryLayout:
    """Allocates the working memory of a program."""

    def __init__(self, lanes: int, real_bytes: int, pad: int) -> None:
        self.lanes = lanes
        self.pad = pad
        self._line = LINE // real_bytes
        self._slots: dict[str, Slot] = {}
        self._end = 0

    def add(self, name: str, lengths: tuple[int, ...], *, wide: bool) -> Slot:
        """The slot of a variable, allocated when its name is first used."""
        if name not in self._slots:
            room = padded(lengths, self.pad)
            slot = Slot(self._end, lengths, strides_of(room), prod(room), wide)
            size = slot.cells * (self.lanes if wide else 1)
            self._end += -(-size // self._line) * self._line
            self._slots[name] = slot
        return self._slots[name]

    @property
    def slots(self) -> Mapping[str, Slot]:
        """All slots by name."""
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
    """Everything except the model that determines a program."""

    outcomes: tuple[str, ...]
    given: tuple[str, ...]  # variables whose values are inputs
    moving: frozenset[str]  # those among `given` that change over time
    varying: frozenset[str] | None  # those among `given` that differ between draws
    types: Types
    processor: Processor | None = None  # processor it is compiled for; None for that of this machine


@dataclass(frozen=True, slots=True)
class Input:
    """An input of a program."""

    name: str
    slot: Slot
    moving: bool


@dataclass(frozen=True, slots=True)
class ArrayCall:
    """A call of an array function."""

    name: str
    arguments: tuple[Slot, ...]  # slots of its arguments
    core: tuple[int, ...]  # number of core axes (the last dimensions) of each argument
    result: Slot  # slot of its result


@dataclass(frozen=True, slots=True)
class Signature:
    """The interface of a program."""

    inputs: tuple[Input, ...]  # in the order of the argument table
    outputs: tuple[Slot, ...]  # slots of the saved outcomes, in order
    arrays: tuple[ArrayCall, ...]  # array functions it calls by callback
    size: int  # size of its working memory, in numbers
    pipes: int = 0  # inflows of fixed delays at one step, in numbers
    delays: tuple[Slot, ...] = ()  # slots of the delay times of fixed delays

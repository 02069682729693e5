"""The calling convention of compiled programs, and the state shared by all parts of one while it is generated."""

from collections.abc import Mapping, Sequence
from math import prod

from pysd_runner.engine.ir import Axis, ModelIr
from pysd_runner.engine.kinds import frozen
from pysd_runner.engine.llvm.emitter import REAL_BYTES, Types, reals_literal
from pysd_runner.engine.llvm.schedule import Item, Temporaries
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


@frozen
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

    def __init__(self, lanes: int, pad: int) -> None:
        self.lanes = lanes
        self.pad = pad
        self._line = LINE // REAL_BYTES
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


@frozen
class Processor:
    """A processor that code is compiled for."""

    cpu: str
    features: str
    vector_bytes: int  # width of its vectors
    triple: str


@frozen
class Recipe:
    """Everything except the model that determines a program."""

    outcomes: tuple[str, ...]
    given: tuple[str, ...]  # variables whose values are inputs
    moving: frozenset[str]  # those among `given` that change over time
    varying: frozenset[str] | None  # those among `given` that differ between draws
    types: Types
    processor: Processor | None = None  # processor it is compiled for; None for that of this machine


@frozen
class Input:
    """An input of a program."""

    name: str
    slot: Slot
    moving: bool


@frozen
class ArrayCall:
    """A call of an array function."""

    name: str
    arguments: tuple[Slot, ...]  # slots of its arguments
    core: tuple[int, ...]  # number of core axes (the last dimensions) of each argument
    result: Slot  # slot of its result


@frozen
class Signature:
    """The interface of a program."""

    inputs: tuple[Input, ...]  # in the order of the argument table
    outputs: tuple[Slot, ...]  # slots of the saved outcomes, in order
    arrays: tuple[ArrayCall, ...]  # array functions it calls by callback
    size: int  # size of its working memory, in numbers
    pipes: int = 0  # inflows of fixed delays at one step, in numbers
    delays: tuple[Slot, ...] = ()  # slots of the delay times of fixed delays


class Frame:
    """Shared state during the generation of a program."""

    def __init__(self, model: ModelIr, types: Types, layout: MemoryLayout, wide: frozenset[str] | None) -> None:
        self.model = model
        self.types = types
        self.layout = layout
        self.wide = wide
        self.temporaries = Temporaries({})
        self.globals: list[str] = []
        self.allocas: list[str] = []
        self.functions: set[tuple[str, int]] = set()
        self.intrinsics: dict[str, str] = {}
        self.nests = 0
        self.phase = "start"
        self.arrays: list[Item] = []
        self.pipes = 0
        self._pipes: dict[str, int] = {}
        self._literals: dict[str, str] = {}

    @property
    def over_draws(self) -> bool:
        """Whether lanes run over draws."""
        return self.wide is not None

    def length_of(self, item: Item, loop: int) -> int:
        """Length of one of the loops of an item."""
        label = item.loops[loop]
        for place, axis in enumerate(item.index):
            if isinstance(axis, Axis) and axis.label == label:
                return len(axis.places(self.dims(item.target)[place]))
        return self.model.shape((label,))[0]

    def array_call(self, item: Item) -> int:
        """Register a call of an array function and return its number."""
        self.arrays.append(item)
        return len(self.arrays) - 1

    def pipe(self, name: str, numbers: int) -> int:
        """Offset of the inflow of a fixed delay within the row of one step in the delay buffer."""
        if name not in self._pipes:
            self._pipes[name] = self.pipes
            self.pipes += -(-numbers // self.types.lanes) * self.types.lanes
        return self._pipes[name]

    def dims(self, name: str) -> tuple[int, ...]:
        """Lengths of the dimensions of a variable or temporary."""
        if name in self.temporaries.shapes:
            return self.model.shape(self.temporaries.shapes[name])
        return self.model.shape(self.model.variables[name].dims)

    def is_wide(self, name: str) -> bool:
        """Whether a variable has one number per lane."""
        return self.wide is not None and name in self.wide

    def slot(self, name: str) -> Slot:
        """Slot of a variable in the working memory."""
        return self.layout.add(name, self.dims(name), wide=self.is_wide(name))

    def reals(self, values: Sequence[float]) -> str:
        """Name of a literal array of numbers, padded for vector reads beyond its end."""
        return self._literal("double", reals_literal([*values, *[0.0] * self.types.lanes]), len(values))

    def integers(self, values: Sequence[int]) -> str:
        """Name of a literal array of integers, padded for vector reads beyond its end."""
        body = ", ".join(f"i64 {value}" for value in [*values, *[0] * self.types.lanes])
        return self._literal("i64", body, len(values))

    def _literal(self, kind: str, body: str, count: int) -> str:
        """Name of a literal array with the given contents."""
        if body not in self._literals:
            name = self._literals[body] = f"@c{len(self.globals)}"
            array = f"[{count + self.types.lanes} x {kind}] [{body}]"
            self.globals.append(f"{name} = private unnamed_addr constant {array}, align 64")
        return self._literals[body]

    def alloca(self, kind: str) -> str:
        """Allocate a stack variable, which the optimiser turns into a register."""
        name = f"%a{len(self.allocas)}"
        self.allocas.append(f"{name} = alloca {kind}, align 64")
        return name

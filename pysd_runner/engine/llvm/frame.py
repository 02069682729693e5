"""State shared by all parts of a program while it is generated: types, memory, literals, axes of the model."""

from collections.abc import Sequence

from pysd_runner.engine.ir import Axis, ModelIr
from pysd_runner.engine.llvm.emitter import Types
from pysd_runner.engine.llvm.schedule import Item, Temporaries
from pysd_runner.engine.llvm.signature import MemoryLayout, Slot


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
        self.functions: set[tuple[str, int, str]] = set()
        self.intrinsics: dict[str, str] = {}
        self.nests = 0
        self.phase = "start"
        self.arrays: list[Item] = []
        self.pipes = 0
        self._pipes: dict[str, int] = {}
        self._literals: dict[tuple[object, ...], str] = {}

    @property
    def over_draws(self) -> bool:
        """Whether lanes run over draws."""
        return self.wide is not None

    def length(self, label: str) -> int:
        """Length of an axis."""
        return len(self.model.ranges[label.removesuffix("!")])

    def length_of(self, item: Item, loop: int) -> int:
        """Length of one of the loops of an item."""
        label = item.loops[loop]
        for place, axis in enumerate(item.index):
            if isinstance(axis, Axis) and axis.label == label:
                if axis.positions is not None:
                    return len(axis.positions)
                return self.dims(item.target)[place]
        return self.length(label)

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
            return tuple(self.length(label) for label in self.temporaries.shapes[name])
        return self.model.shape(self.model.variables[name].dims)

    def is_wide(self, name: str) -> bool:
        """Whether a variable has one number per lane."""
        return self.wide is not None and name in self.wide

    def slot(self, name: str) -> Slot:
        """Slot of a variable in the working memory."""
        return self.layout.add(name, self.dims(name), wide=self.is_wide(name))

    def reals(self, values: Sequence[float]) -> str:
        """Name of a literal array of numbers, padded for vector reads beyond its end."""
        identity = ("real", *values)
        if identity not in self._literals:
            room = [*values, *[0.0] * self.types.lanes]
            body = ", ".join(f"{self.types.real} {self.types.real_literal(value)}" for value in room)
            self._literals[identity] = self._constant(f"[{len(room)} x {self.types.real}] [{body}]")
        return self._literals[identity]

    def integers(self, values: Sequence[int]) -> str:
        """Name of a literal array of integers, padded for vector reads beyond its end."""
        identity = ("integer", *values)
        if identity not in self._literals:
            room = [*values, *[0] * self.types.lanes]
            body = ", ".join(f"i64 {value}" for value in room)
            self._literals[identity] = self._constant(f"[{len(room)} x i64] [{body}]")
        return self._literals[identity]

    def _constant(self, body: str) -> str:
        name = f"@c{len(self.globals)}"
        self.globals.append(f"{name} = private unnamed_addr constant {body}, align 64")
        return name

    def alloca(self, kind: str) -> str:
        """Allocate a stack variable, which the optimiser turns into a register."""
        name = f"%a{len(self.allocas)}"
        self.allocas.append(f"{name} = alloca {kind}, align 64")
        return name

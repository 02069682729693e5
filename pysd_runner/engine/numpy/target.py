"""Run a lowered model with NumPy over the axes (scenario, draw): portable, and the reference for other engines."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.ir import SMALL, Block, Interpolation, Mode, ModelIr, draws_numbers, remembered, shown
from pysd_runner.engine.kinds import Array, Flags, Indices, frozen
from pysd_runner.engine.memory import check_run
from pysd_runner.engine.numpy.array_functions import FUNCTIONS
from pysd_runner.engine.random_numbers import RandomStream
from pysd_runner.engine.values import TimePath, cases_of, leading_shape, over_time, some_cases

# Maximum size in bytes of the largest array of a block of draws: about the size of the cache of a core.
BLOCK_BYTES = 2_000_000


@frozen
class NumpyProgram:
    """A model compiled to NumPy, with its inputs and outcomes."""

    outcomes: tuple[str, ...]
    given: tuple[str, ...]  # variables whose values are arguments, in order
    shapes: tuple[tuple[int, ...], ...]  # shape of each outcome over its own dimensions
    cells: int  # number of elements of its largest variable
    simulate: Callable[..., None]
    text: str


def compiled(
    model: ModelIr, outcomes: Sequence[str], given: Sequence[str] = (), moving: frozenset[str] = frozenset()
) -> NumpyProgram:
    """Compile a model for some outcomes; results are cached."""
    return _compiled(model, tuple(outcomes), tuple(given), moving)


@remembered(64)
def _compiled(
    model: ModelIr, outcomes: tuple[str, ...], given: tuple[str, ...], moving: frozenset[str]
) -> NumpyProgram:
    # Imported here because other engines do not need them.
    from pysd_runner.engine.numpy.code import write_program
    from pysd_runner.engine.passes.order import plan

    order = plan(model, outcomes, frozenset(given), moving)
    order.check_covered(model, given)
    try:
        text, literals = write_program(order, outcomes, given, moving)
        code = compile(text, "<model>", "exec")
    except (RecursionError, SyntaxError, MemoryError) as error:
        raise UnsupportedFeature("an equation is nested too deeply for this engine") from error
    namespace: dict[str, Any] = _namespace() | {name: _literal(value) for name, value in literals.items()}
    # The source is from `numpy.code`: generated identifiers and literal numbers, no text from the model file.
    exec(code, namespace)  # noqa: S102
    sizes = (int(np.prod(model.shape(order.model.variables[name].dims))) for name in order.used)
    cells = max(sizes, default=1)
    shapes = tuple(model.shape(model.variables[name].dims) for name in outcomes)
    return NumpyProgram(outcomes, given, shapes, cells, namespace["simulate"], text)


def equation_of(model: ModelIr, block: Block) -> Callable[[Mapping[str, Array], Array], Array]:
    """The equation of a block as a function, for evaluation on values of a run.

    Parameters
    ----------
    model
        The model.
    block
        One of the blocks of one of its variables; of a stock it gives the net flow.

    Returns
    -------
    Callable
        Function of values of the variables that the equation refers to, shape (case, time, ...) by name, and of times,
        shape (1, time); it returns an array of shape (case or 1, time or 1, ...) with the axes of the block.

    Raises
    ------
    UnsupportedFeature
        If the equation draws random numbers, whose values a run does not save.
    """
    from pysd_runner.engine.numpy.code import PythonWriter

    if draws_numbers(block.expression):
        raise UnsupportedFeature("random numbers outside of a run, in {shown!r}", shown=shown(block.text))
    symbols = {name: f"v{number}" for number, name in enumerate(model.variables)}
    writer = PythonWriter(model, symbols)
    code = compile(writer.aligned(block.expression, block.axes), "<equation>", "eval")
    space = _namespace() | {name: _literal(value) for name, value in writer.literals.items()}
    axes = len(block.axes) + 2

    def evaluate(values: Mapping[str, Array], times: Array) -> Array:
        own = {symbols[name]: value for name, value in values.items()}
        with np.errstate(all="ignore"):
            # The source is from `numpy.code`, as above.
            found = np.asarray(eval(code, {**space, **own, "t": times}), dtype=float)  # noqa: S307
        return found.reshape(found.shape + (1,) * (axes - found.ndim))

    return evaluate


@lru_cache(maxsize=1)
def _namespace() -> dict[str, Any]:
    names = (
        "add divide power logical_and logical_or logical_not where minimum maximum absolute exp log sqrt sin cos tan"
    )
    names += " arcsin arccos arctan sinh cosh tanh trunc mod full matmul einsum fmax"
    own = {
        "xidz": _xidz,
        "quantum": _quantum,
        "modulo": lambda value, base: value - _quantum(value, base),
        "assemble": _assemble,
        "put": _put,
        "leading": _leading,
        "nan": np.nan,
        "spread": _spread,
        "Pipe": Pipe,
        "apply": _apply,
        "erfc": _erfc,
    }
    return {name: getattr(np, name) for name in names.split()} | own


def _literal(value: tuple[Any, ...]) -> Any:
    if value[0] == "array":
        return np.asarray(value[1], dtype=float).reshape(value[2])
    if value[0] == "index":
        return np.asarray(value[1], dtype=np.intp)
    return Tables.of(value[1], value[2]) if value[0] == "tables" else CellPlaces.of(value[1], value[2])


def _erfc(value: Array) -> Array:
    from scipy.special import erfc

    return np.asarray(erfc(value))


def _apply(name: str, loop: int, parts: Sequence[tuple[Any, int]]) -> Array:
    """Call an array function; arguments have the axes (scenario, draw), those looped over, then their core axes."""
    lead = loop + 2
    arrays = []
    for value, core in parts:
        array = np.asarray(value, dtype=float)
        arrays.append(array if array.ndim else array.reshape((1,) * (lead + core)))
    batch = np.broadcast_shapes(*(array.shape[:lead] for array in arrays))
    return FUNCTIONS[name](*(np.broadcast_to(array, (*batch, *array.shape[lead:])) for array in arrays))


def _xidz(numerator: Array, denominator: Array, otherwise: Array) -> Array:
    return np.where(np.abs(denominator) < SMALL, otherwise, np.divide(numerator, denominator))


def _quantum(value: Array, base: Array) -> Array:
    return np.where(np.asarray(base) < SMALL, value, base * np.trunc(np.divide(value, base)))


def _spread(value: Array, shape: tuple[int, ...]) -> Array:
    value = np.asarray(value, dtype=float)
    if value.ndim < len(shape) + 2:
        value = value.reshape(value.shape + (1,) * (len(shape) + 2 - value.ndim))
    return np.broadcast_to(value, (*value.shape[:2], *shape))


@frozen
class CellPlaces:
    """Index of cells of an array with leading axes (scenario, draw)."""

    target: tuple[Any, ...]  # index of the cells
    shown: tuple[Any, ...]  # index that adds the missing dimensions of the array to the value of a block

    @classmethod
    def of(cls, slots: Sequence[tuple[int, ...]], axes: Sequence[bool]) -> "CellPlaces":
        """Create from the positions along every dimension, and whether each dimension is an axis of the block."""
        lead = (slice(None), slice(None))
        stretches = [_stretch(places) for places in slots]
        if all(stretch is not None for stretch in stretches):
            target: tuple[Any, ...] = tuple(stretches)
        else:
            target = np.ix_(*slots)
        return cls((*lead, *target), (*lead, *(slice(None) if axis else None for axis in axes)))


def _stretch(places: tuple[int, ...]) -> slice | None:
    """Consecutive positions as a slice; None if there are gaps."""
    first = places[0]
    return slice(first, first + len(places)) if places == tuple(range(first, first + len(places))) else None


def _assemble(shape: tuple[int, ...], parts: Sequence[tuple[CellPlaces, Any]]) -> Array:
    values = [np.asarray(value, dtype=float) for _, value in parts]
    lead = np.broadcast_shapes((1, 1), *(value.shape[:2] for value in values if value.ndim))
    result = np.full((*lead, *shape), np.nan)
    for (place, _), value in zip(parts, values, strict=True):
        _put(result, place, value)
    return result


def _put(result: Array, place: CellPlaces, value: Any) -> None:
    array = np.asarray(value, dtype=float)
    result[place.target] = array[place.shown] if array.ndim else array


def _leading(given: Sequence[Array | TimePath]) -> tuple[int, ...]:
    """Numbers of scenarios and draws of the given values."""
    leads = map(cases_of, given)
    return np.broadcast_shapes((1, 1), *leads)


def computed(
    model: ModelIr,
    outcomes: Sequence[str],
    values: Mapping[str, Array | TimePath],
    times: Array,
    saved: Flags | None = None,
    **settings: Any,
) -> dict[str, Array]:
    """Compile a model and run it; all times are saved unless `saved` is given."""
    program = compiled(model, outcomes, tuple(values), over_time(values))
    return run(program, values, times, np.ones(times.size, dtype=bool) if saved is None else saved, **settings)


def run(
    program: NumpyProgram,
    values: Mapping[str, Array | TimePath],
    times: Array,
    saved: Flags,
    *,
    step: float = 0.0,
    seed: int = 0,
    first_draw: int = 0,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Array]:
    """Run a program for all scenarios and draws, shape (scenario, draw, ..., year)."""
    arrays = [values[name] for name in program.given]
    scenarios, draws = leading_shape(values)
    rows = int(saved.sum())
    check_run(program.shapes, program.cells, (scenarios, draws), rows)
    out = [np.empty((rows, scenarios, draws, *shape)) for shape in program.shapes]
    size = max(1, BLOCK_BYTES // (8 * program.cells * scenarios))
    clock = times.tolist()
    with np.errstate(all="ignore"):
        for first in range(0, draws, size):
            part = slice(first, min(first + size, draws))
            given = [some_cases(item, slice(None), part) for item in arrays]
            chance = RandomStream(seed, first_draw + first, part.stop - part.start)
            program.simulate(given, clock, step, saved, [item[:, :, part] for item in out], chance)
            if progress is not None:
                progress(part.stop - part.start)
    return {name: np.moveaxis(item, 0, -1) for name, item in zip(program.outcomes, out, strict=True)}


class Tables:
    """The table functions of one expression, prepared for evaluation."""

    def __init__(self, x: Array, y: Array, mode: Mode) -> None:
        self._x, self._y = x, y
        self._single = x.size == x.shape[-1]
        flat = x.reshape(-1, x.shape[-1])
        self._same_x = bool((flat == flat[0]).all())
        self._first = flat[0]
        with np.errstate(all="ignore"):
            width = np.diff(x)
            self._slope = np.where(width > 0, np.diff(y) / width, 0.0)
        # Shorter tables are padded with their last point: the last slope is that of the last segment of positive width.
        last = np.maximum((width > 0).sum(axis=-1, keepdims=True) - 1, 0)
        self._low = self._slope[..., 0] if x.shape[-1] > 1 else np.zeros(x.shape[:-1])
        self._high = _at(self._slope, last) if x.shape[-1] > 1 else np.zeros(x.shape[:-1])
        self.at: Callable[[Array], Array] = _READERS[mode].__get__(self)

    @classmethod
    def of(cls, expression: Interpolation, lengths: Mapping[str, int]) -> "Tables":
        """Create the tables of an expression, with axes that broadcast with its argument."""
        own = (*(lengths[axis] for axis in expression.tables), expression.points)
        order = [expression.tables.index(axis) for axis in expression.axes if axis in expression.tables]
        shape = (1, 1, *(lengths[axis] if axis in expression.tables else 1 for axis in expression.axes))
        shape = (*shape, expression.points) if expression.tables else own
        sides = (np.asarray(side, dtype=float).reshape(own) for side in (expression.x, expression.y))
        x, y = (side.transpose(*order, len(order)).reshape(shape) for side in sides)
        return cls(x, y, expression.mode)

    def _interpolated(self, argument: Array) -> Array:
        if self._single and self._first.size > 1:
            return np.asarray(np.interp(argument, self._first, self._y.ravel()))
        argument = self._shaped(argument)
        inside = self._between(argument)
        low, high = self._x[..., 0], self._x[..., -1]
        return np.where(argument <= low, self._y[..., 0], np.where(argument >= high, self._y[..., -1], inside))

    def _extrapolated(self, argument: Array) -> Array:
        if self._single:
            x, y = self._first, self._y.ravel()
            argument = np.asarray(argument, dtype=float)
            low, high = self._low.ravel()[0], self._high.ravel()[0]
            below, above = y[0] + (argument - x[0]) * low, y[-1] + (argument - x[-1]) * high
            inside = np.interp(argument, x, y) if x.size > 1 else self._between(argument)
            return np.where(argument < x[0], below, np.where(argument > x[-1], above, inside))
        argument = self._shaped(argument)
        low, high = self._x[..., 0], self._x[..., -1]
        below = self._y[..., 0] + (argument - low) * self._low
        above = self._y[..., -1] + (argument - high) * self._high
        return np.where(argument <= low, below, np.where(argument >= high, above, self._between(argument)))

    def _held(self, argument: Array) -> Array:
        argument = self._shaped(argument)
        return np.where(np.isnan(argument), np.nan, _at(self._y, self._place(argument, "right", 1)))

    def _looked_forward(self, argument: Array) -> Array:
        argument = self._shaped(argument)
        return np.where(np.isnan(argument), np.nan, _at(self._y, self._place(argument, "left", 0)))

    def _raw(self, argument: Array) -> Array:
        argument = self._shaped(argument)
        place = self._place(argument, "left", 0)
        return np.where(_at(self._x, place) == argument, _at(self._y, place), np.nan)

    def _shaped(self, argument: Array) -> Array:
        argument = np.asarray(argument, dtype=float)
        missing = self._x.ndim - 1 - argument.ndim
        return argument.reshape(argument.shape + (1,) * missing) if missing > 0 else argument

    def _between(self, argument: Array) -> Array:
        """Linear interpolation between the points around the argument, with the formula of `numpy.interp`."""
        if self._x.shape[-1] == 1:
            return np.where(np.isnan(argument), np.nan, self._y[..., 0])
        place = np.minimum(self._place(argument, "right", 1), self._x.shape[-1] - 2)
        return _at(self._slope, place) * (argument - _at(self._x, place)) + _at(self._y, place)

    def _place(self, argument: Array, side: str, back: int) -> Indices:
        """Index of the point at or before (or after) the argument, with a trailing axis of length one."""
        count = self._x.shape[-1]
        if self._same_x:
            found = np.searchsorted(self._first, argument, side=side)  # type: ignore[call-overload]
        else:
            shape = np.broadcast_shapes(argument.shape, self._x.shape[:-1])
            argument = np.broadcast_to(argument, shape)
            found = np.empty(shape, dtype=np.intp)
            for table in np.ndindex(*self._x.shape[:-1]):
                lengths = zip(table, self._x.shape, strict=False)
                part = tuple(slice(None) if length == 1 else place for place, length in lengths)
                found[part] = np.searchsorted(self._x[table], argument[part], side=side)  # type: ignore[call-overload]
        clipped: Indices = np.clip(found - back, 0, count - 1)[..., None]
        return clipped


def _at(values: Array, place: Indices) -> Array:
    """Values at the given positions along the last axis."""
    shape = np.broadcast_shapes(values.shape[:-1], place.shape[:-1])
    spread = np.broadcast_to(values, (*shape, values.shape[-1]))
    picked: Array = np.take_along_axis(spread, np.broadcast_to(place, (*shape, 1)), axis=-1)[..., 0]
    return picked


_READERS: dict[Mode, Callable[[Tables, Array], Array]] = {
    "interpolate": Tables._interpolated,
    "extrapolate": Tables._extrapolated,
    "hold_backward": Tables._held,
    "look_forward": Tables._looked_forward,
    "raw": Tables._raw,
}


def steps_of(delay: Array, step: float) -> NDArray[np.int64]:
    """Length of a fixed delay in steps: ``max(delay / step, 1)``, rounded to the nearest integer, halves upwards.

    >>> steps_of(np.array([0.0, 1.25, 1.0]), 0.5).tolist()
    [1, 3, 2]
    """
    ratio = np.nan_to_num(np.asarray(delay, dtype=float) / step, nan=1.0, posinf=np.inf)
    return np.asarray(np.floor(np.clip(ratio, 1.0, 2.0**62) + SMALL + 0.5), dtype=np.int64)


class Pipe:
    """Delay buffer of a fixed delay (DELAY FIXED), over (scenario, draw, ...)."""

    def __init__(self, initial: Array, delay: Array, step: float) -> None:
        self._initial = initial
        self._steps = steps_of(delay, step) if step > 0 else np.ones_like(delay, dtype=np.int64)
        self._kinds: list[int] = np.unique(self._steps).tolist()
        self._past: deque[Array] = deque()

    def after(self, inflow: Array) -> Array:
        """Add the inflow of this step, and return the outflow of the next step."""
        self._past.append(inflow)
        if len(self._past) > self._kinds[-1]:
            self._past.popleft()
        result = self._initial
        for steps in self._kinds:
            if steps <= len(self._past):
                result = self._past[-steps] if len(self._kinds) == 1 else self._chosen(steps, result)
        return result

    def _chosen(self, steps: int, otherwise: Array) -> Array:
        return np.where(self._steps == steps, self._past[-steps], otherwise)

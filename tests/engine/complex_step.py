"""Runs a lowered model with complex numbers, node by node: an oracle of derivatives that shares no code with a target.

The derivative of an analytic function is the imaginary part it gives for a tiny imaginary step, exact to rounding.
Comparisons and what jumps look at the real part only. Integration is Euler's.
"""

import numpy as np
from scipy.special import erfc

from pysd_runner.engine.ir import (
    ArrayFunction,
    Axis,
    Interpolation,
    Number,
    Operation,
    Reduction,
    Reference,
    Table,
    Time,
)
from pysd_runner.engine.numpy.target import steps_of
from pysd_runner.engine.passes.order import plan

STEP = 1e-40
SMALL = 1e-6


def _where(condition, first, second):
    return np.where(condition.real != 0, first, second)


def _truth(function):
    return lambda *parts: function(*(part.real for part in parts)).astype(complex)


def _quantum(value, base):
    return np.where(base.real < SMALL, value, base * np.trunc(value.real / base.real))


OPERATIONS = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "negative": np.negative,
    "power": np.power,
    "less": _truth(np.less),
    "less_equal": _truth(np.less_equal),
    "greater": _truth(np.greater),
    "greater_equal": _truth(np.greater_equal),
    "equal": _truth(np.equal),
    "not_equal": _truth(np.not_equal),
    "and": _truth(np.logical_and),
    "or": _truth(np.logical_or),
    "not": _truth(np.logical_not),
    "where": _where,
    "min": lambda a, b: np.where(a.real <= b.real, a, b),
    "known_max": lambda a, b: np.where(~(a.real < b.real) & (a == a) | (b != b), a, b),
    "max": lambda a, b: np.where(a.real >= b.real, a, b),
    "abs": lambda a: np.where(a.real >= 0, a, -a),
    "exp": np.exp,
    "ln": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "arcsin": np.arcsin,
    "arccos": np.arccos,
    "arctan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "integer": _truth(np.trunc),
    "quantum": _quantum,
    "modulo": lambda a, b: a - _quantum(a, b),
    "remainder": lambda a, b: a - b * np.floor(a.real / b.real),
    "erfc": lambda a: erfc(a.real) - 2j / np.sqrt(np.pi) * a.imag * np.exp(-(a.real**2)),
    "xidz": lambda a, b, c: np.where(np.abs(b.real) < SMALL, c, a / b),
}


def _spread(array, own, axes):
    """An array over some of the axes, with length one along the others; axes keep their order."""
    order = sorted(range(len(own)), key=lambda place: axes.index(own[place]))
    array = array.transpose(0, *(1 + place for place in order))
    return array[(slice(None), *(slice(None) if label in own else None for label in axes))]


def _read(x, y, mode, value):
    """One table; at a point the segment to the right, beyond the ends held or gone on."""
    x, first = np.unique(x, return_index=True)
    y = y[first]
    after = np.searchsorted(x, value.real, side="right")
    if mode == "hold_backward":
        return y[np.maximum(after - 1, 0)].astype(complex)
    if mode in ("look_forward", "raw"):
        place = np.searchsorted(x, value.real, side="left")
        held = y[np.minimum(place, x.size - 1)]
        return np.where(np.isin(value.real, x) | (mode != "raw"), held, np.nan).astype(complex)
    place = np.clip(after - 1, 0, x.size - 2)
    line = y[place] + (value - x[place]) * (y[place + 1] - y[place]) / (x[place + 1] - x[place])
    if mode == "extrapolate":
        return line
    return np.where(value.real < x[0], y[0], np.where(value.real >= x[-1], y[-1], line))


class _Machine:
    """Values of a model over cases; every array has the axis of cases first."""

    def __init__(self, model, values, shifts):
        self.model, self.values, self.shifts, self.time = model, dict(values), shifts, 0.0
        self.past = {}
        self.cases = max(item.shape[0] for item in [*values.values(), *shifts.values()])

    def lengths(self, axes):
        return tuple(len(self.model.ranges[label.removesuffix("!")]) for label in axes)

    def aligned(self, part, axes):
        return _spread(self.of(part), part.axes, list(axes))

    def of(self, node):
        return _NODES[type(node)](self, node)

    def number(self, node):
        return np.full((1,), node.value, dtype=complex)

    def table(self, node):
        return np.asarray(node.values, dtype=complex).reshape(1, *node.shape)

    def moment(self, _node):
        return np.full((1,), self.time, dtype=complex)

    def reference(self, node):
        value = self.values[node.variable]
        for place in reversed(range(len(node.index))):
            item = node.index[place]
            if not isinstance(item, Axis):
                value = value.take(item.position, axis=place + 1)
            elif item.positions is not None:
                value = value.take(item.positions, axis=place + 1)
        return value

    def operation(self, node):
        return OPERATIONS[node.name](*(self.aligned(part, node.axes) for part in node.arguments))

    def reduction(self, node):
        inner = node.argument
        kept = [label for label in inner.axes if label not in node.over]
        value = self.aligned(inner, [*kept, *node.over])
        value = value.reshape(*value.shape[: 1 + len(kept)], -1)
        if node.name in ("sum", "product"):
            value = value.sum(axis=-1) if node.name == "sum" else value.prod(axis=-1)
        else:
            place = value.real.argmin(axis=-1) if node.name == "least" else value.real.argmax(axis=-1)
            value = np.take_along_axis(value, place[..., None], axis=-1)[..., 0]
        order = [kept.index(label) for label in node.axes]
        return value.transpose(0, *(1 + place for place in order))

    def interpolation(self, node):
        value = self.aligned(node.argument, list(node.axes))
        tables = self.table(Table(tuple(range(len(node.x) // node.points)), self.lengths(node.tables), node.tables))
        which = np.broadcast_arrays(_spread(tables.real.astype(int), node.tables, node.axes), value)[0]
        value = np.broadcast_to(value, which.shape)
        found = np.empty(which.shape, dtype=complex)
        for number in np.unique(which):
            part = slice(number * node.points, (number + 1) * node.points)
            inside = which == number
            found[inside] = _read(np.asarray(node.x[part]), np.asarray(node.y[part]), node.mode, value[inside])
        return found

    def array_function(self, node):
        loop = node.axes[: len(node.axes) - len(node.result)]
        parts = [self.aligned(part, [*loop, *core]) for part, core in zip(node.arguments, node.core, strict=True)]
        return _ARRAYS[node.name](*parts)

    def assign(self, name, part):
        variable = self.model.variables[name]
        result = None
        for block in variable.blocks:
            expression = part(block)
            value = self.aligned(expression, list(block.axes))
            if result is None:
                result = np.full((self.cases, *self.model.shape(variable.dims)), np.nan, dtype=complex)
            places = [
                list(item.positions)
                if isinstance(item, Axis) and item.positions is not None
                else list(range(length))
                if isinstance(item, Axis)
                else [item.position]
                for item, length in zip(block.index, result.shape[1:], strict=True)
            ]
            target = result[(slice(None), *np.ix_(*places))] if places else result
            shown = value[(slice(None), *(slice(None) if isinstance(item, Axis) else None for item in block.index))]
            result[(slice(None), *np.ix_(*places)) if places else ...] = np.broadcast_to(shown, target.shape)
        return result


def _order(vector, direction):
    places = np.argsort(vector.real, axis=-1, kind="stable")
    return np.where(direction.real[..., None] > 0, places, places[..., ::-1])


_ARRAYS = {
    "invert_matrix": np.linalg.inv,
    "vector_sort_order": lambda vector, direction: _order(vector, direction).astype(complex),
    "vector_rank": lambda vector, direction: np.argsort(_order(vector, direction), axis=-1) + 1.0 + 0j,
    "vector_reorder": lambda vector, places: np.take_along_axis(vector, places.real.astype(int), axis=-1),
}

_NODES = {
    ArrayFunction: _Machine.array_function,
    Number: _Machine.number,
    Table: _Machine.table,
    Time: _Machine.moment,
    Reference: _Machine.reference,
    Operation: _Machine.operation,
    Reduction: _Machine.reduction,
    Interpolation: _Machine.interpolation,
}


def _running(block):
    return block.expression


def _at_start(block):
    return block.expression if block.initial is None else block.initial


def _following(machine, name, value, step):
    """What a variable is at the next step; a pipe is as long everywhere."""
    variable = machine.model.variables[name]
    if variable.kind == "pipe":
        if name not in machine.past:
            steps = int(steps_of(machine.of(variable.blocks[0].delay).real, step).ravel()[0])
            machine.past[name] = (steps, [machine.values[name]])
        steps, past = machine.past[name]
        past.append(value)
        return past[-steps] if len(past) > steps else past[0]
    if variable.kind == "memory":
        return value
    found = machine.values[name] + step * value
    return np.where(found.real < 0, 0, found) if variable.blocks[0].non_negative else found


def run_complex(model, values, shifts, outcomes, times, step):
    """Outcomes of all cases, shape (case, ..., time).

    `values` replace variables, `shifts` are added to them, to what carries a value at the start; shape (case, ...).
    """
    with np.errstate(all="ignore"):
        return _run(_Machine(model, values, shifts), values, outcomes, times, step)


def _run(machine, values, outcomes, times, step):
    model, shifts = machine.model, machine.shifts
    order = plan(model, outcomes, frozenset(values), frozenset())

    def compute(statements, part):
        for name in dict.fromkeys(item.variable for item in statements):
            machine.values[name] = machine.assign(name, part) + shifts.get(name, 0)

    machine.time = times[0]
    compute(order.invariant, _running)
    compute(order.starting, _at_start)
    found = {name: [] for name in outcomes}
    for moment in times:
        machine.time = moment
        compute(order.dynamic, _running)
        for name in outcomes:
            found[name].append(machine.values[name])
        changed = {}
        for name in order.stocks:
            value = machine.assign(name, _running)
            changed[name] = _following(machine, name, value, step)
        machine.values |= changed
    return {
        name: np.stack([np.broadcast_to(item, (machine.cases, *item.shape[1:])) for item in items], axis=-1)
        for name, items in found.items()
    }

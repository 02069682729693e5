"""Takes out of the derivative of a sum what the sum does not run over: ``sum_j s_ij dx_i = (sum_j s_ij) dx_i``.

A sum over pairs, ``sum_j f(x_i, x_j)``, then costs one product of a matrix and a vector for each direction. A variable
over pairs that stands in between, such as ``g_ij = x_j - x_i``, is replaced by what it moves with.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod

from pysd_runner.engine.ir import Axis, Expression, Number, Reduction, Reference, Variable
from pysd_runner.engine.passes.linear import Derivative, Form
from pysd_runner.engine.passes.partials import ZERO, negative, times, unsigned, where
from pysd_runner.engine.passes.rewriting import relabelled, relabelled_reference
from pysd_runner.engine.passes.sharing import only_block


class Factoring:
    """The derivatives of the equations of some variables, those of sums factored."""

    def __init__(
        self,
        variables: Mapping[str, Variable],
        derivatives: Mapping[str, Mapping[Expression, Derivative]],
        ranges: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._ranges = ranges
        self._derivatives = derivatives
        self._variables = variables
        self._between: dict[str, Form | None] = {}

    def factored(self, derivative: Derivative) -> Derivative:
        """Every term of a sum over as few axes as it needs; any other derivative as it is."""
        over = derivative.over
        if not over:
            return derivative
        flat = self._flat(derivative.form, over)
        if all(set(over) <= set(reference.axes) for reference in flat.slopes):
            return derivative
        parts: dict[tuple[str, ...], Form] = {}
        for reference, slope in flat.slopes.items():
            own = tuple(axis for axis in over if axis in reference.axes)
            summed = self._summed(slope, tuple(axis for axis in over if axis not in own))
            part = parts.setdefault(own, Form())
            part.add(reference, summed, infinite=reference in flat.infinite, guarded=reference in flat.guarded)
        first, *rest = (Derivative(form, own) for own, form in parts.items())
        return replace(first, rest=tuple(rest))

    def _flat(self, form: Form, over: tuple[str, ...]) -> Form:
        """A form without choices, in which variables in between are replaced."""
        flat = Form()
        for reference, slope, infinite, guarded in _terms(form):
            between = None if infinite or not set(over) & set(reference.axes) else self._form_between(reference)
            if between is None:
                flat.add(reference, slope, infinite=infinite, guarded=guarded)
                continue
            for inner, factor in between.slopes.items():
                known = guarded or inner in between.guarded
                flat.add(inner, times(slope, factor), infinite=inner in between.infinite, guarded=known)
        return flat

    def _form_between(self, reference: Reference) -> Form | None:
        """What a reference moves with, where each of that has fewer axes; otherwise None."""
        labels = [item.label for item in reference.index if isinstance(item, Axis) and item.positions is None]
        if len(set(labels)) != len(reference.index):
            return None
        if reference.variable not in self._between:
            self._between[reference.variable] = self._own_form(reference.variable)
        form = self._between[reference.variable]
        if form is None:
            return None
        own = self._variables[reference.variable].blocks[0].axes
        names = dict(zip(own, labels, strict=True))
        found = Form()
        for inner, slope in form.slopes.items():
            new = relabelled_reference(inner, names)
            infinite, guarded = inner in form.infinite, inner in form.guarded
            found.add(new, relabelled(slope, names), infinite=infinite, guarded=guarded)
        return found

    def _own_form(self, name: str) -> Form | None:
        block = only_block(self._variables[name]) if name in self._variables else None
        if block is None:
            return None
        derivative = self._derivatives[name][block.expression]
        if derivative.over or derivative.node is not None:
            return None
        form = self._flat(derivative.form, block.axes)
        return form if all(len(inner.axes) < len(block.axes) for inner in form.slopes) else None

    def _summed(self, slope: Expression, over: tuple[str, ...]) -> Expression:
        """A slope summed over some axes."""
        minus, size = unsigned(slope)
        inner = tuple(axis for axis in over if axis in size.axes)
        if inner:
            size = Reduction("sum", size, inner, tuple(axis for axis in size.axes if axis not in inner))
        alike = prod(len(self._ranges[axis.removesuffix("!")]) for axis in over if axis not in inner)
        found = times(Number(float(alike)), size)
        return negative(found) if minus else found


def _terms(form: Form) -> Iterator[tuple[Reference, Expression, bool, bool]]:
    """Reference, slope, whether it can be infinite and whether a branch that is not taken makes it zero."""
    for reference, slope in form.slopes.items():
        yield reference, slope, reference in form.infinite, reference in form.guarded
    for condition, first, second in form.choices:
        for reference, slope, infinite, _ in _terms(first):
            yield reference, where(condition, slope, ZERO), infinite, True
        for reference, slope, infinite, _ in _terms(second):
            yield reference, where(condition, ZERO, slope), infinite, True

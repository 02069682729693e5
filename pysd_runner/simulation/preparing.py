"""A model made ready once and then called again and again: numbers in, an array out, for optimisers and samplers."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine import Direction, Task
from pysd_runner.model import Model
from pysd_runner.simulation.elements import element_name
from pysd_runner.simulation.sensitivities import JacobianFunction, Parameter, Point, task_of
from pysd_runner.simulation.task import RunSettings

Array = NDArray[np.float64]


def prepare(
    model: Model,
    parameters: Sequence[Parameter],
    outcomes: Sequence[str],
    *,
    values: Mapping[str, Any] | None = None,
    **settings: Unpack[RunSettings],
) -> "PreparedModel":
    """Make a function of a model, ``f(numbers) -> array``, for code that calls it thousands of times.

    Everything that does not depend on the numbers is done here, once: names are looked up, values checked, the model
    compiled, memory taken. What is left for a call is the run itself.

    Parameters
    ----------
    model
        What `load_model` returned.
    parameters
        What the numbers are, in order: constants of the file, or variables that `values` gives; a variable with
        subscripts takes one number for every element, ``"contact rate[young]"`` or ``("contact rate", "young")`` is one
        of them.
    outcomes
        Variables that are returned.
    values
        Values of other variables that replace those of the file, as for `simulate`, for one case.
    **settings
        As for `simulate`, the engine ``"pysd"`` excepted; the numbers cannot move bounds and steps.

    Returns
    -------
    PreparedModel
        The function, with its derivatives.

    Raises
    ------
    UnknownName
        If a variable or an element does not exist.
    InvalidInput
        If a parameter has an equation, or a value does not fit its variable or varies between cases.
    UnsupportedFeature
        If the engine does not cover the model, or bounds or steps of the run depend on a parameter.

    Examples
    --------
    >>> f = prepare(model, ["contact rate", "recovery time"], ["infected"])  # doctest: +SKIP
    >>> infected = f([0.25, 6.0])[0]  # doctest: +SKIP
    >>> values, slopes = f.with_jacobian([0.25, 6.0])  # doctest: +SKIP
    """
    if isinstance(outcomes, str) or not len(outcomes):
        raise InvalidInput(f"outcomes are a list of at least one name; found {outcomes!r}")
    task, moved = task_of(model, values, parameters, outcomes, settings)
    if task.engine == "pysd":
        raise InvalidInput("a prepared model is computed by engine 'llvm' or 'numpy'; found 'pysd'")
    return PreparedModel(task, moved)


class PreparedModel:
    """A function from numbers to outcomes; made by `prepare`.

    It keeps the memory it works in, and so serves one thread at a time.

    Attributes
    ----------
    parameters
        What the numbers are, in order: names, with the element in brackets.
    start
        Values of the file, or those handed to `prepare`; shape (parameter,).
    series
        Rows of the result: outcomes, with the element in brackets.
    years
        Saved moments, shape (year,).
    """

    def __init__(self, task: Task, moved: Sequence[Direction]) -> None:
        self._point = Point(task, moved)
        self._task, self._moved = self._point.task, tuple(moved)
        self._case = self._task.single()
        self._slopes: JacobianFunction | None = None
        self.parameters, self.start = self._point.parameters, self._point.start
        self.years = task.clock.saved_times
        self.series = tuple(label for name in task.outcomes for label in _labels(task, name))

    def __repr__(self) -> str:
        shape = f"{len(self.series)} series x {self.years.size} moments"
        return f"<PreparedModel of {self._task.file.name!r}: {len(self.parameters)} parameters -> {shape}>"

    def __call__(self, numbers: Any) -> Array:
        """Run the model."""
        self._enter(numbers)
        with np.errstate(all="ignore"):
            if self._case is not None:
                return self._stacked(self._case.run(self._point.values))
            return self._stacked(self._task.compute())

    def with_jacobian(self, numbers: Any) -> tuple[Array, Array]:
        """Run the model with its derivatives, exact to rounding.

        Parameters
        ----------
        numbers
            As for a call.

        Returns
        -------
        values, derivatives : array
            Shape (series, year) and (series, year, parameter).

        Raises
        ------
        InvalidInput
            As for a call.
        UnsupportedFeature
            If the model cannot be differentiated by a parameter.
        """
        point = self._enter(numbers)
        if self._slopes is None:
            self._slopes = JacobianFunction(self._task, self._moved)
        with np.errstate(all="ignore"):
            values, derivatives = self._slopes(point, copy=False)
        rows, years = len(self.series), self.years.size
        found = [values[name].reshape(-1, years) for name in self._task.outcomes]
        slopes = [derivatives[name].reshape(-1, years, point.size) for name in self._task.outcomes]
        return np.concatenate(found).reshape(rows, years), np.concatenate(slopes).reshape(rows, years, point.size)

    def jacobian(self, numbers: Any) -> Array:
        """Derivatives alone, shape (series, year, parameter); see `with_jacobian`."""
        return self.with_jacobian(numbers)[1]

    def _enter(self, numbers: Any) -> Array:
        try:
            point = np.atleast_1d(np.asarray(numbers, dtype=float))
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"values of the parameters are numbers; found {numbers!r}") from error
        if point.shape != self.start.shape:
            names = ", ".join(self.parameters)
            raise InvalidInput(
                f"expected {self.start.size} numbers, of {names} in this order; found shape {point.shape}"
            )
        if not np.isfinite(point).all():
            wrong = int(np.flatnonzero(~np.isfinite(point))[0])
            raise InvalidInput(f"{self.parameters[wrong]!r} is {point[wrong]}; expected a finite number")
        self._point.enter(point.tolist())
        if self._task.ir.structural:
            self._task.check_orders()
        return point

    def _stacked(self, data: Mapping[str, Array]) -> Array:
        years = self.years.size
        return np.concatenate([data[name][0, 0].reshape(-1, years) for name in self._task.outcomes])


def _labels(task: Task, name: str) -> list[str]:
    """Names of the elements of an outcome, in the order of the rows."""
    model = task.ir
    places = product(*(range(length) for length in model.shape(model.variables[name].dims)))
    return [element_name(model, name, place) for place in places]

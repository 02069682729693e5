"""Derivatives of the outcomes of a model, exact up to rounding, and models prepared for repeated calls.

Derivatives with respect to parameters and initial values are computed in forward mode (`engine.passes.derivatives`). At
kinks they are one-sided: of equal arguments of a minimum or maximum the first one is used, of a table function the
segment to the right, of a choice the active branch. Step functions have derivative zero.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from pysd_runner.core.errors import InvalidInput, SimulationFailed, UnknownName, suggest
from pysd_runner.core.types import Array, Arrays, Values
from pysd_runner.engine import Direction, Linearised, Task, TimePath, leading_shape
from pysd_runner.engine.ir import FINAL_TIME, INITIAL_TIME, SAVEPER, TIME_STEP, ModelIr
from pysd_runner.model import Model
from pysd_runner.simulation.run import constant_values, element_name, failure_message, located, position_of
from pysd_runner.simulation.task import Labelled, RunSettings, labels, one_line, prepared, provenance, spelled

if TYPE_CHECKING:
    import xarray as xr

# A variable, each element of which is a parameter; or a variable with the labels of one element.
Parameter = str | tuple[str, ...]


@dataclass(frozen=True, kw_only=True, repr=False)
class Jacobian(Labelled):
    """Outcomes as in a `Run`, and their derivatives with respect to parameters."""

    parameters: tuple[str, ...]  # names of the parameters, with the element in brackets
    derivatives: Arrays  # by outcome, shape (scenario, draw, ..., year, parameter)
    parameter_units: tuple[str, ...]  # unit of each parameter, in order

    def __repr__(self) -> str:
        scenarios, draws = self.failed.shape
        kind = f"Jacobian by {len(self.parameters)} parameter{'' if len(self.parameters) == 1 else 's'}"
        return one_line(kind, self.data, (scenarios, draws), self.years, self.provenance)

    def __getitem__(self, name: str) -> Array:
        """Derivatives of one outcome, shape (scenario, draw, ..., year, parameter)."""
        found = spelled(name, self.derivatives)
        if found is None:
            raise UnknownName(
                "there are no derivatives of {name!r}.{suggestion}",
                name=name,
                suggestion=suggest(name, self.derivatives),
            )
        return self.derivatives[found]

    def to_xarray(self) -> "xr.Dataset":
        """Values and derivatives as an xarray data set; derivatives of x are called ``d x``."""
        import xarray as xr

        arrays = {}
        for name, values in self._arrays().items():
            arrays[name] = values
            attributes = {"units": f"{self.units[name] or 'Dmnl'} per unit of the parameter"}
            axes = [*values.dims, "parameter"]
            arrays[f"d {name}"] = xr.DataArray(self.derivatives[name], dims=axes, attrs=attributes)
        moved = {"parameter": list(self.parameters), "parameter_units": ("parameter", list(self.parameter_units))}
        return xr.Dataset(arrays, coords={**self._coords(), **moved}, attrs=dict(self.provenance))


def jacobian(
    model: Model,
    values: Values | None = None,
    *,
    parameters: Sequence[Parameter],
    outcomes: Sequence[str],
    threads: int | None = None,
    throw: bool = True,
    progress: Callable[[int], None] | None = None,
    **settings: Unpack[RunSettings],
) -> Jacobian:
    """Simulate a model together with the derivatives of its outcomes.

    Parameters
    ----------
    model
        Model returned by `load_model`.
    values
        As for `simulate`: values that replace those of the file, with axes (scenario, draw) where they vary.
    parameters
        Parameters, by variable name or key of the declarations: a number; an array, each element of which is a
        parameter; or one element, as ``"Initial Output[R001]"`` or ``("Initial Output", "R001")``. Derivatives are with
        respect to an added constant for a variable with its own equation, to the initial value for a stock, and to a
        shift of all values for a path over time.
    outcomes
        Variables whose derivatives are computed.
    threads
        Number of blocks of draws that the compiled engine runs in parallel; None uses every available core.
    throw
        Whether a case with a non-finite value raises; otherwise it is marked in the result.
    progress
        Function that is called with the number of draws that have just been finished.
    **settings
        As for `simulate`; PySD computes no derivatives, and random numbers do not depend on parameters.

    Returns
    -------
    Jacobian
        Values with axes (scenario, draw, ..., year), derivatives with a trailing axis (parameter).

    Raises
    ------
    UnknownName
        If a variable or an element does not exist.
    InvalidInput
        If a value does not fit its variable, or a parameter is given twice.
    UnsupportedFeature
        If the engine does not support the model, or something cannot be differentiated: the time of a fixed delay, the
        time controls of the run, some array functions.
    SimulationFailed
        If a case has a non-finite value and `throw` is true.
    """
    task = prepared(model, values, outcomes=outcomes, threads=threads, **settings)
    moved = directions(model, parameters)
    _check_controls(task, moved, settings)
    work = Linearised(task, moved)
    data, derivatives = work.run(progress=progress)
    failed = task.failed_cases(data)
    if throw and failed.any():
        raise SimulationFailed(failure_message(failed, task.traced(failed, data)))
    variables = model.ir.variables
    return Jacobian(
        years=task.clock.saved_times,
        parameters=tuple(label_of(model.ir, item) for item in moved),
        data=data,
        derivatives=derivatives,
        parameter_units=tuple(variables[item.variable].unit for item in moved),
        failed=failed,
        provenance=provenance(model, task),
        **labels(model, data),
    )


def task_of(
    model: Model,
    values: Values | None,
    parameters: Sequence[Parameter],
    outcomes: Sequence[str],
    settings: RunSettings,
) -> tuple[Task, tuple[Direction, ...]]:
    """The task of one case for repeated runs, and its parameters."""
    moved = directions(model, parameters)
    known = model.by_variable({} if values is None else values)
    # In a fixed order, as a program is compiled and kept for an order of its inputs.
    ready = {item.variable: _constant(model, item.variable) for item in moved if item.variable not in known} | known
    task = prepared(model, ready, outcomes=outcomes, **settings)
    _check_controls(task, moved, settings)
    return task, moved


def _constant(model: Model, name: str) -> Array:
    """Values of a constant in the model file; raises for other variables."""
    if model.ir.variables[name].kind != "constant":
        raise InvalidInput(
            "{name!r} has an equation; give it a value, or take `jacobian`, which adds to the equation", name=name
        )
    return constant_values(model, name)


def directions(model: Model, parameters: Sequence[Parameter]) -> tuple[Direction, ...]:
    """Directions for all elements of the parameters."""
    if isinstance(parameters, str) or not parameters:
        raise InvalidInput("parameters are a list of at least one name; found {parameters!r}", parameters=parameters)
    return Direction.of(model.ir, [_positioned(model, item) for item in parameters])


def _positioned(model: Model, parameter: Parameter) -> str | tuple[str, tuple[int, ...]]:
    if isinstance(parameter, str):
        name, position = located(model, parameter)
        return name if position is None else (name, position)
    name = model.find(parameter[0])
    return name, position_of(model, name, parameter[1:])


def label_of(model: ModelIr, direction: Direction) -> str:
    """Name of a parameter, with its element in brackets."""
    return element_name(model, direction.variable, direction.position)


def _check_controls(task: Task, moved: Sequence[Direction], settings: RunSettings) -> None:
    """Raise an error if time controls of the run depend on the parameters."""
    asked = {
        INITIAL_TIME: settings.get("start"),
        FINAL_TIME: settings.get("stop"),
        TIME_STEP: settings.get("step"),
        SAVEPER: settings.get("save_every"),
    }
    own = [name for name, value in asked.items() if value is None and name not in task.values]
    if own:
        Linearised.check_still(task, moved, own)


def prepare(
    model: Model,
    parameters: Sequence[Parameter],
    outcomes: Sequence[str],
    *,
    values: Values | None = None,
    **settings: Unpack[RunSettings],
) -> "PreparedModel":
    """Create a function of a model, ``f(numbers) -> array``, for code that calls it thousands of times.

    Everything that does not depend on the numbers is done here, once: names are looked up, values checked, the model
    compiled, memory allocated. A call only runs the model.

    Parameters
    ----------
    model
        Model returned by `load_model`.
    parameters
        Parameters the numbers are values of, in order: constants of the file, or variables given in `values`; a
        variable with subscripts takes one number per element, ``"contact rate[young]"`` or
        ``("contact rate", "young")`` is a single element.
    outcomes
        Variables that are returned.
    values
        Values of other variables that replace those of the file, as for `simulate`, for one case.
    **settings
        As for `simulate`, except for engine ``"pysd"``; time controls cannot depend on the parameters.

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
        If the engine does not support the model, or time controls of the run depend on a parameter.

    Examples
    --------
    >>> f = prepare(model, ["contact rate", "recovery time"], ["infected"])  # doctest: +SKIP
    >>> infected = f([0.25, 6.0])[0]  # doctest: +SKIP
    >>> values, slopes = f.with_jacobian([0.25, 6.0])  # doctest: +SKIP
    """
    if isinstance(outcomes, str) or not len(outcomes):
        raise InvalidInput("outcomes are a list of at least one name; found {outcomes!r}", outcomes=outcomes)
    task, moved = task_of(model, values, parameters, outcomes, settings)
    if task.engine == "pysd":
        raise InvalidInput("a prepared model is computed by engine 'llvm' or 'numpy'; found 'pysd'")
    return PreparedModel(task, moved)


class PreparedModel:
    """A function from parameter values to outcomes; created by `prepare`.

    Its working memory is reused between calls, so use it from one thread at a time.

    Attributes
    ----------
    parameters
        Names of the parameters in order, with the element in brackets.
    start
        Parameter values in the file, or those given to `prepare`; shape (parameter,).
    series
        Names of the rows of the result: outcomes, with the element in brackets.
    years
        Saved times, shape (year,).
    """

    def __init__(self, task: Task, moved: Sequence[Direction]) -> None:
        names = {item.variable for item in moved}
        self._values: dict[str, Array] = {}  # of the variables that contain parameters
        for name, value in task.values.items():
            if isinstance(value, TimePath) and name in names:
                raise InvalidInput("{name!r} changes over time; take `jacobian`, which adds to all of it", name=name)
            if leading_shape({name: value}) != (1, 1):
                raise InvalidInput(
                    "{name!r} varies over scenarios or draws; this function computes one case", name=name
                )
            if name in names:
                self._values[name] = np.array(value)
        self._places = [(self._values[item.variable], (0, 0, *item.position)) for item in moved]
        self._task = replace(task, values={**task.values, **self._values})
        self._case, self._moved = self._task.single(), moved
        self._slopes: Linearised | None = None
        self.parameters = tuple(label_of(task.ir, item) for item in moved)
        self.start = np.array([array[place] for array, place in self._places])
        self.years = task.clock.saved_times
        self.series = tuple(label for name in task.outcomes for label in _labels(task, name))

    def __repr__(self) -> str:
        shape = f"{len(self.series)} series x {self.years.size} moments"
        return f"<PreparedModel of {self._task.file.name!r}: {len(self.parameters)} parameters -> {shape}>"

    def __call__(self, numbers: Any) -> Array:
        """Run the model, shape (series, year)."""
        self._enter(numbers)
        with np.errstate(all="ignore"):
            if self._case is not None:
                return self._stacked(self._case.run(self._values))
            return self._stacked(self._task.compute())

    def with_jacobian(self, numbers: Any) -> tuple[Array, Array]:
        """Run the model with its derivatives, exact up to rounding.

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
            If the model cannot be differentiated with respect to a parameter.
        """
        point = self._enter(numbers)
        if self._slopes is None:
            self._slopes = Linearised(self._task, self._moved)
        with np.errstate(all="ignore"):
            values, derivatives = self._slopes.run(self._values, copy=False)
        rows, years = len(self.series), self.years.size
        found = [values[name].reshape(-1, years) for name in self._task.outcomes]
        slopes = [derivatives[name].reshape(-1, years, point.size) for name in self._task.outcomes]
        return np.concatenate(found).reshape(rows, years), np.concatenate(slopes).reshape(rows, years, point.size)

    def jacobian(self, numbers: Any) -> Array:
        """Derivatives only, shape (series, year, parameter); see `with_jacobian`."""
        return self.with_jacobian(numbers)[1]

    def _enter(self, numbers: Any) -> Array:
        try:
            point = np.atleast_1d(np.asarray(numbers, dtype=float))
        except (TypeError, ValueError) as error:
            raise InvalidInput("values of the parameters are numbers; found {numbers!r}", numbers=numbers) from error
        if point.shape != self.start.shape:
            names = ", ".join(self.parameters)
            raise InvalidInput(
                "expected {count} numbers, of {names} in this order; found shape {shape}",
                count=self.start.size,
                names=names,
                shape=point.shape,
            )
        if not np.isfinite(point).all():
            wrong = int(np.flatnonzero(~np.isfinite(point))[0])
            raise InvalidInput(
                "{name!r} is {value}; expected a finite number", name=self.parameters[wrong], value=point[wrong]
            )
        for (array, place), number in zip(self._places, point.tolist(), strict=True):
            array[place] = number
        if self._task.ir.structural:
            self._task.check_orders()
        return point

    def _stacked(self, data: Arrays) -> Array:
        years = self.years.size
        return np.concatenate([data[name][0, 0].reshape(-1, years) for name in self._task.outcomes])


def _labels(task: Task, name: str) -> list[str]:
    """Names of the elements of an outcome, in the order of the rows."""
    model = task.ir
    places = product(*(range(length) for length in model.shape(model.variables[name].dims)))
    return [element_name(model, name, place) for place in places]

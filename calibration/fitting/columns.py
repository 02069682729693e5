"""Match the columns of a table to a model: columns with observations, and columns that are inputs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from calibration.observation.series import Series, chosen_scale, to_scale, weights_of
from pysd_runner.core.errors import InvalidInput, InvalidPanel, Message, UnknownName, joined, suggest
from pysd_runner.core.types import Array, Indices, Values
from pysd_runner.data import Column, Data
from pysd_runner.engine import TimePath
from pysd_runner.model import Model
from pysd_runner.simulation.task import prepared
from pysd_runner.spec import Observation
from pysd_runner.spec.design import ErrorSizes
from pysd_runner.study.binding import matched, same
from pysd_runner.study.equations import Expression, expression_of

# Initial standard deviation of the errors, relative to that of the observations.
START_SD = 0.5
Measurements = Mapping[str, Observation] | Iterable[Observation]


def matched_columns(
    model: Model, table: Data, measurements: Measurements
) -> tuple[dict[str, Observation], dict[str, Column], list[Message]]:
    """Columns as observations, columns that are inputs by variable, and notes on those that match neither."""
    given = _by_key(measurements)
    declared = {**model.declarations.observations, **given}
    observations: dict[str, Observation] = {}
    for key, item in declared.items():
        if key in given or item.column in table:
            observations[key] = replace(item, column=table.column(item.column).name)
            expression_of(model, item.outcome)
    taken = {item.column for item in observations.values()}
    driven: dict[str, Column] = {}
    found = matched(model, table)
    unused = [name for name in table.columns if name not in taken and name not in found]
    for name, target in found.items():
        if name in taken:
            continue
        column = table.columns[name]
        expression = expression_of(model, target)
        kinds = {model.ir.variables[item].kind for item in expression.variables}
        if kinds <= {"constant", "data"}:
            driven[expression.variables[0]] = column
        else:
            observations[name] = Observation(column=name, outcome=target)
    if not observations:
        raise InvalidPanel(_nothing(model, table, unused))
    notes = [Message("Column {name!r} matches no variable and is not used.", name=name) for name in unused]
    return observations, driven, notes


def _by_key(measurements: Measurements) -> dict[str, Observation]:
    if isinstance(measurements, Mapping):
        return dict(measurements)
    found = {}
    for item in measurements:
        if not isinstance(item, Observation):
            raise InvalidInput("measurements are a list of Observation; found {found!r}", found=item)
        found[item.column if item.column not in found else f"{item.column}: {item.outcome}"] = item
    return found


def _nothing(model: Model, table: Data, unused: Sequence[str]) -> str:
    example = unused[0] if unused else "column"
    return Message(
        "no column of table {table!r} ({columns}) is called like a variable of {model}.{suggestion} Say which variable "
        "a column observes: roles={{{example!r}: ...}} in load_data, or --map column=variable",
        table=table.name,
        columns=", ".join(table.columns),
        model=model.path.name,
        suggestion=suggest(example, model.variables) if unused else "",
        example=example,
    )


def series_of(
    model: Model,
    table: Data,
    observations: Mapping[str, Observation],
    *,
    held: Values,
    moments: Array,
    step: float,
    sizes: ErrorSizes,
) -> tuple[tuple[Series, ...], list[str]]:
    """Build the series of a table within the time span of a run, with notes on omitted values."""
    found: list[Series] = []
    notes: list[str] = []
    for key, observation in observations.items():
        series, told = _series(model, table, key, observation, moments=moments, step=step)
        notes += told
        if series is not None and _starts_at_zero(model, series, held, moments[0], step):
            series = replace(series, values=np.where(series.times <= moments[0], np.nan, series.values))
            notes.append(
                Message(
                    "The first value of {column!r} is left out: {what} starts at zero or below, which has no "
                    "logarithm.",
                    column=observation.column,
                    what=series.expression.text,
                )
            )
        if series is not None and series.seen.any():
            found.append(replace(series, sizes=sizes))
    if not found:
        raise InvalidPanel(
            "table {table!r} ({span}) has no usable observation in the time of the run, {first:g} to {end:g}: {why}",
            table=table.name,
            span=table.span,
            first=moments[0],
            end=moments[-1],
            why=joined(notes, " "),
        )
    return tuple(found), notes


def _starts_at_zero(model: Model, series: Series, held: Values, start: float, step: float) -> bool:
    """Whether a series on the log scale is observed at the start of the run, where the model gives zero or less."""
    if series.scale != "log" or series.times[0] > start:
        return False
    task = prepared(model, held, outcomes=list(series.expression.variables), start=start, stop=start + step)
    first = {name: values[0, ..., :1] for name, values in task.compute().items()}
    compared = series.expression.value(first)
    return bool((compared.reshape(1, -1)[:, series.elements] <= 0).any())


def _series(
    model: Model, table: Data, key: str, observation: Observation, *, moments: Array, step: float
) -> tuple[Series | None, list[str]]:
    column = table.column(observation.column)
    expression = expression_of(model, observation.outcome)
    labels, elements, raw = _rows(model, table, column, expression)
    slack = 1e-6 * step
    inside = (table.times >= moments[0] - slack) & (table.times <= moments[-1] + slack)
    outside = int(np.isfinite(raw[:, ~inside]).sum())
    notes: list[str] = []
    if outside:
        notes.append(
            Message(
                "{count} value{s} of {column!r} before or after the run ({first:g} to {last:g}) {are} not used.",
                count=outside,
                s="" if outside == 1 else "s",
                column=column.name,
                first=moments[0],
                last=moments[-1],
                are="is" if outside == 1 else "are",
            )
        )
    kept = inside & np.isfinite(raw).any(axis=0)
    times, raw = np.clip(table.times[kept], moments[0], moments[-1]), raw[:, kept]
    scale = chosen_scale(observation, raw)
    values = to_scale(raw, scale)
    if observation.errors.is_count:
        _check_counts(column, raw)
    lost = int((np.isfinite(raw) & ~np.isfinite(values)).sum())
    if lost:
        why = Message("have no logarithm (zero or less)") if scale == "log" else Message("lie outside 0 to 1")
        notes.append(
            Message("{count} values of {column!r} {why} and are left out.", count=lost, column=column.name, why=why)
        )
    if observation.kind == "flow":
        values = _without_first(values, times, moments)
    if observation.kind == "cumulative":
        # A cumulative flow is zero at the start, whatever the parameters.
        values = np.where(times <= moments[0] + slack, np.nan, values)
    if not np.isfinite(values).any():
        return None, [*notes, Message("Column {column!r} has no value that can be compared.", column=column.name)]
    return Series(
        measurement=key,
        label=key,
        indicator=column.name,
        expression=expression,
        scale=scale,
        kind=observation.kind,
        errors=observation.errors,
        sd=observation.sd,
        is_first_given=False,
        labels=labels,
        elements=elements,
        times=times,
        raw=raw,
        values=values,
        weights=_weights(times, values, moments, observation.kind, step),
        declared_sd=_start_sd(observation, values),
        spacing=float(np.median(np.diff(times))) if times.size > 1 else 1.0,
        missing=int((~np.isfinite(values)).sum()),
        unusable=lost,
    ), notes


def _check_counts(column: Column, raw: Array) -> None:
    seen = raw[np.isfinite(raw)]
    bad = seen[(seen < 0) | (seen != np.round(seen))]
    if bad.size:
        raise InvalidInput(
            "column {column!r} is declared to hold counts; found {found:g}, expected whole numbers from 0",
            column=column.name,
            found=bad[0],
        )


def _start_sd(observation: Observation, values: Array) -> float:
    """Initial standard deviation of the errors, large so that distant starting points are not excluded."""
    if observation.sd is not None:
        return observation.sd
    if observation.errors.is_count:
        return 0.3
    seen = values[np.isfinite(values)]
    spread = float(seen.std()) if seen.size > 1 else abs(float(seen[0]))
    return START_SD * spread if spread > 0 else max(0.1 * abs(float(seen[0])), 1e-6)


def _without_first(values: Array, times: Array, moments: Array) -> Array:
    """Drop the first value of a flow if its interval began before the run."""
    if times.size > 1 and times[0] - (times[1] - times[0]) < moments[0] - 1e-9:
        values = values.copy()
        values[:, 0] = np.nan
    return values


def _weights(times: Array, values: Array, moments: Array, kind: str, step: float) -> Array:
    common = weights_of(times, moments, kind, step)[None]
    if kind != "flow" or np.isfinite(values[:, 1:]).all():
        return common
    found = np.zeros((len(values), *common.shape[1:]))
    for row, line in enumerate(values):
        seen = np.isfinite(line)
        if seen.sum() > 1:
            found[row, seen] = weights_of(times[seen], moments, kind, step)
    return found


def _rows(model: Model, table: Data, column: Column, expression: Expression) -> tuple[tuple[str, ...], Indices, Array]:
    """Labels of a column's entities, their indices among the elements of the expression, and the values by row."""
    if not expression.dims:
        if column.axes:
            raise InvalidInput(
                "column {column!r} has values by {axes}, but {expression!r} is a single number; name one element in "
                "the heading, or sum the column up first",
                column=column.name,
                axes=", ".join(column.axes),
                expression=expression.text,
            )
        return ("",), np.zeros(1, dtype=np.intp), column.values[None]
    shape = model.ir.shape(expression.dims)
    if len(column.axes) != len(expression.dims):
        ranges = ", ".join(f"{dim} ({', '.join(model.ir.ranges[dim][:4])}, ...)" for dim in expression.dims)
        raise InvalidInput(
            "{expression!r} runs over {ranges}, but column {column!r} has {names}; name the columns "
            "that hold them with `entity` (--entity), or one element: {example}",
            expression=expression.text,
            ranges=ranges,
            column=column.name,
            names=Message("{count} names of entities", count=len(column.axes))
            if column.axes
            else Message("no names of entities"),
            example=f"{expression.text}[{', '.join(model.ir.ranges[dim][0] for dim in expression.dims)}]",
        )
    places = [_places(model, table, column, axis, dim) for axis, dim in zip(column.axes, expression.dims, strict=True)]
    elements = np.arange(np.prod(shape), dtype=np.intp).reshape(shape)[np.ix_(*places)].ravel()
    labels = [", ".join(parts) for parts in product(*(table.labels[axis] for axis in column.axes))]
    raw = column.values.reshape(-1, column.values.shape[-1])
    seen = np.isfinite(raw).any(axis=1)
    return tuple(np.array(labels, dtype=object)[seen]), elements[seen], raw[seen]


def _places(model: Model, table: Data, column: Column, axis: str, dim: str) -> Indices:
    known = {item: place for place, item in enumerate(model.ir.ranges[dim])}
    found = []
    for label in table.labels[axis]:
        match = next((place for item, place in known.items() if same(item, label)), None)
        if match is None:
            raise UnknownName(
                "column {column!r}: {axis} {label!r} is no element of {dim}.{suggestion} Expected one of {known}",
                column=column.name,
                axis=axis,
                dim=dim,
                known=", ".join([*list(known)[:6], *["..."][: len(known) > 6]]),
                label=label,
                among=known,
            )
        found.append(match)
    return np.array(found, dtype=np.intp)


def driven_paths(model: Model, table: Data, driven: Mapping[str, Column]) -> tuple[dict[str, TimePath], list[str]]:
    """Time paths of inputs from columns: linear interpolation, with the last value carried forward."""
    paths: dict[str, TimePath] = {}
    notes: list[str] = []
    for variable, column in driven.items():
        expression = expression_of(model, variable)
        shape = model.ir.shape(expression.dims)
        _, elements, raw = _rows(model, table, column, expression)
        kept = np.isfinite(raw).all(axis=0)
        if not kept.any() or len(elements) < np.prod(shape):
            raise InvalidInput(
                "column {column!r} drives {variable!r} and never has a value for every element",
                column=column.name,
                variable=variable,
            )
        values = np.empty((int(kept.sum()), len(elements)))
        values[:, elements] = raw[:, kept].T
        times = table.times[kept]
        paths[variable] = TimePath(times=times, values=values.reshape(-1, *shape), interpolate="linear")
        notes.append(
            Message(
                "{variable} follows column {column!r} to {end:g}; after that its last value holds unless a scenario "
                "gives a path.",
                variable=variable,
                column=column.name,
                end=times[-1],
            )
        )
    return paths, notes

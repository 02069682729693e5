"""Run a model file with PySD: the slow reference implementation with which the other engines are compared."""

import ast
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pysd_runner.engine.cache import ModelFile
from pysd_runner.engine.clock import Clock
from pysd_runner.engine.errors import GapsimError, InvalidInput, Message, SimulationFailed, UnsupportedFeature
from pysd_runner.engine.frontend.lowering.external import place_of
from pysd_runner.engine.frontend.lowering.limits import is_non_negative
from pysd_runner.engine.frontend.source import VENSIM, data_files
from pysd_runner.engine.frontend.vensim.text import aliases, read_text
from pysd_runner.engine.ir import ModelIr, Reduction, key, walk
from pysd_runner.engine.kinds import Array, frozen
from pysd_runner.engine.passes.order import plan
from pysd_runner.engine.values import TimePath, leading_shape, picked

# PySD evaluates numbers in a file with ``eval``, and writes names into a Python module without escaping all of them.
_NUMBERS = re.compile(r"[\d\s.,eE+()\[\]-]*")
_UNSAFE = re.compile(r"['\"\\\n\r]")


@frozen
class BuiltModel:
    """A model built by PySD, with the spelling of names in PySD by their normalised form."""

    runner: Any
    variables: Mapping[str, str]
    ranges: Mapping[str, str]
    elements: Mapping[str, str]
    series: frozenset[str]  # normalised names of the variables that read a series from a file


def build(file: ModelFile, model: ModelIr, folder: Path) -> BuiltModel:
    """Let PySD translate a model file into a Python module in a folder; text of the file is never executed."""
    import pysd
    from pysd.builders.python.python_model_builder import ModelBuilder

    abstract = _read(file.path)
    files = {**_named_in_settings(file.path), **file.files}
    main = abstract.sections[0]
    for item in main.subscripts:
        if not isinstance(item.subscripts, str):
            item.subscripts = _labels(item, model)
    for number, section in enumerate(abstract.sections):
        section.path = folder / ("model.py" if number == 0 else f"macro{number}.py")
        section.split, section.views_dict = False, None
        section.constraints = section.test_inputs = ()
        section.elements = tuple(_element(item, file.path, files) for item in section.elements)
    for text in _texts(abstract.sections):
        if _UNSAFE.search(text.strip('"')):
            raise UnsupportedFeature("{path}: {text!r} cannot be handed to PySD safely", path=file.path, text=text)
    series = [item.name for item in main.elements if type(item.components[0].ast).__name__ == "GetDataStructure"]
    labels = [label for item in main.subscripts if not isinstance(item.subscripts, str) for label in item.subscripts]
    runner = pysd.load(ModelBuilder(abstract).build_model())
    return BuiltModel(
        runner,
        {key(name): python_name for name, python_name in runner.namespace.items()},
        {key(item.name): item.name for item in main.subscripts},
        {key(label): label for label in labels},
        frozenset(map(key, series)),
    )


def _read(path: Path) -> Any:
    """Read a model file into the abstract model of PySD."""
    from pysd.translators.vensim import vensim_element
    from pysd.translators.vensim.vensim_file import VensimFile
    from pysd.translators.xmile import xmile_element
    from pysd.translators.xmile.xmile_file import XmileFile

    vensim_element.eval = xmile_element.eval = _literal
    found = (VensimFile if path.suffix.lower() in VENSIM else XmileFile)(path)
    found.parse()
    return found.get_abstract_model()


def _named_in_settings(path: Path) -> dict[str, Path]:
    """Data files by the aliases that the settings of a Vensim file define."""
    if path.suffix.lower() not in VENSIM:
        return {}
    return data_files(aliases(read_text(path.read_bytes()).settings), path)


def _literal(text: str) -> Any:
    """Evaluate a literal: a number, a sum of numbers, points of a table or a string."""
    if _NUMBERS.fullmatch(text):
        return eval(text, {"__builtins__": {}})  # noqa: S307 - digits, signs and brackets
    return ast.literal_eval(text)


def _labels(item: Any, model: ModelIr) -> list[str]:
    """Elements of a range: as PySD spells them, unless those in the model differ or come from a file."""
    ours = next((labels for name, labels in model.ranges.items() if key(name) == key(item.name)), None)
    theirs = item.subscripts if isinstance(item.subscripts, list) else []
    return theirs if ours is None or [*map(key, ours)] == [*map(key, theirs)] else list(ours)


def _element(item: Any, path: Path, files: Mapping[str, Path]) -> Any:
    """A variable without the strings that PySD would write into its module, and with its data files resolved."""
    parts = [_component(part, path, files) for part in item.components]
    return replace(item, components=parts, units="", limits=(None, None), documentation="")


def _component(part: Any, path: Path, files: Mapping[str, Path]) -> Any:
    from pysd.translators.structures.abstract_model import AbstractComponent

    kind = type(part.ast).__name__
    if kind == "DataStructure":
        # The caller gives its values, as for any other variable.
        return AbstractComponent(part.subscripts, 0)
    if kind in ("GetDataStructure", "GetLookupsStructure", "GetConstantsStructure"):
        place = place_of(part.ast.file, path, files)
        return replace(part, ast=replace(part.ast, file=place.as_posix()))
    return part


def _texts(node: Any) -> Iterator[str]:
    """Yield every string of an abstract model."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, list | tuple):
        for part in node:
            yield from _texts(part)
    elif is_dataclass(node):
        for item in fields(node):
            yield from _texts(getattr(node, item.name))


class UnlimitedOutflow(UserWarning):
    """PySD does not limit the outflows of an empty non-negative stock."""


def run_reference(
    file: ModelFile,
    model: ModelIr,
    values: Mapping[str, Array | TimePath],
    clock: Clock,
    outcomes: Sequence[str],
    *,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Array]:
    """Run every case with PySD, one after the other, from a private temporary folder."""
    file.check_unchanged(model)
    _refuse_missing_data(model, values)
    _warn_of_limits(model)
    try:
        return _run_cases(file, model, values, clock, outcomes, progress)
    except SimulationFailed as error:
        if _is_circle(error.__cause__):
            # Planning raises an error that names the variables, if the whole model is supported.
            plan(model, outcomes, frozenset(values), frozenset())
        raise


def _is_circle(error: BaseException | None) -> bool:
    return isinstance(error, RecursionError) or "Circular initialization" in str(error)


def _run_cases(
    file: ModelFile,
    model: ModelIr,
    values: Mapping[str, Array | TimePath],
    clock: Clock,
    outcomes: Sequence[str],
    progress: Callable[[int], None] | None,
) -> dict[str, Array]:
    for name in _reduced_ranges(model):
        if len(model.ranges[name]) == 1:
            raise InvalidInput(
                'range {name!r} has one element, which PySD cannot sum over; use engine="numpy"', name=name
            )
    scenarios, draws = leading_shape(values)
    rows = int(clock.saved.sum())
    data = {name: np.empty((scenarios, draws, *model.shape(model.variables[name].dims), rows)) for name in outcomes}
    with tempfile.TemporaryDirectory(prefix="gapsim-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        built = _guarded(file, lambda: build(file, model, Path(folder)))
        for draw in range(draws):
            for scenario in range(scenarios):
                # The model is reloaded for each case, so that no value of one case persists into the next.
                built.runner.reload()
                case = (scenario, draw)
                frame = _guarded(file, partial(_run_case, built, model, values, clock, outcomes, case))
                for name in outcomes:
                    data[name][scenario, draw] = _column(frame, built, model, name)
            if progress is not None:
                progress(1)
    return data


def _warn_of_limits(model: ModelIr) -> None:
    names = [repr(name) for name, variable in model.variables.items() if is_non_negative(variable)]
    if names:
        warnings.warn(
            Message(
                "PySD keeps the non-negative stock {name} at zero while its outflows go "
                "on{more}; the other engines limit them",
                name=names[0],
                more=Message(", and {count} others", count=len(names) - 1) if len(names) > 1 else "",
            ),
            UnlimitedOutflow,
            stacklevel=5,
        )


def _refuse_missing_data(model: ModelIr, values: Mapping[str, Array | TimePath]) -> None:
    for name, variable in model.variables.items():
        if variable.kind == "data" and name not in values:
            raise InvalidInput(variable.unassigned)


def _reduced_ranges(model: ModelIr) -> set[str]:
    """Ranges over which some equation computes a sum, product, minimum or maximum."""
    return {
        axis.removesuffix("!")
        for variable in model.variables.values()
        for block in variable.blocks
        for part in walk(block.expression)
        if isinstance(part, Reduction)
        for axis in part.over
    }


def _guarded(file: ModelFile, action: Callable[[], Any]) -> Any:
    try:
        return action()
    except GapsimError:
        raise
    except Exception as error:
        # The generated code of PySD can raise any exception.
        reason = " ".join(str(error).split())[:300]
        raise SimulationFailed(
            "{path}: PySD cannot run this model: {name}: {reason}",
            path=file.path,
            name=type(error).__name__,
            reason=reason,
        ) from error


def _run_case(
    built: BuiltModel,
    model: ModelIr,
    values: Mapping[str, Array | TimePath],
    clock: Clock,
    outcomes: Sequence[str],
    case: tuple[int, int],
) -> Any:
    given = {
        built.variables[key(name)]: _given(built, model, name, value, clock, case) for name, value in values.items()
    }
    return built.runner.run(
        params=given,
        return_columns=[built.variables[key(name)] for name in outcomes],
        initial_condition=(clock.start, {}),
        final_time=None if "FINAL TIME" in clock.own else float(clock.times[-1]),
        time_step=None if "TIME STEP" in clock.own else clock.step,
        saveper=None if "SAVEPER" in clock.own else clock.save_every,
        progress=False,
        flatten_output=False,
    )


def _given(
    built: BuiltModel, model: ModelIr, name: str, value: Array | TimePath, clock: Clock, case: tuple[int, int]
) -> Any:
    dims = model.variables[name].dims
    if not isinstance(value, TimePath):
        return _labelled(built, model, dims, picked(value, case))
    path = TimePath(
        times=value.times, values=np.stack([picked(item, case) for item in value.values]), interpolate=value.interpolate
    )
    if key(name) in built.series:
        # In PySD a new value for such a variable replaces the points of its series.
        import pandas as pd

        return pd.Series({time: _labelled(built, model, dims, path.at(time)) for time in clock.times.tolist()})
    return lambda: _labelled(built, model, dims, path.at(built.runner.time()))


def _labelled(built: BuiltModel, model: ModelIr, dims: tuple[str, ...], value: Array) -> Any:
    if not dims:
        return float(value)
    import xarray as xr

    names = [built.ranges[key(dim)] for dim in dims]
    coords = {
        name: [built.elements[key(label)] for label in model.ranges[dim]] for name, dim in zip(names, dims, strict=True)
    }
    return xr.DataArray(value, coords, names)


def _column(frame: Any, built: BuiltModel, model: ModelIr, name: str) -> Array:
    """Saved values of a variable, shape (..., year), in the order of its ranges."""
    column = frame[built.variables[key(name)]]
    dims = model.variables[name].dims
    steps = []
    for item in column.to_numpy():
        if dims and hasattr(item, "dims"):
            steps.append(_placed(item, built, model, dims))
        else:
            steps.append(np.broadcast_to(np.asarray(item, dtype=float), model.shape(dims)))
    return np.stack(steps, axis=-1)


def _placed(item: Any, built: BuiltModel, model: ModelIr, dims: tuple[str, ...]) -> Array:
    """An array from PySD, with the dimensions and elements in the order of the model's ranges."""
    # PySD may use a different range for a variable that is defined element by element: its dimensions are then in the
    # order of the left-hand side, and missing elements are NaN.
    order = [built.ranges.get(key(dim), "") for dim in dims]
    if set(item.dims) == set(order):
        item = item.transpose(*order)
    result = np.full(model.shape(dims), np.nan)
    ours, theirs = [], []
    for dim, other in zip(dims, item.dims, strict=True):
        found = {str(label): place for place, label in enumerate(item.coords[other].to_numpy())}
        named = [built.elements[key(label)] for label in model.ranges[dim]]
        ours.append([place for place, label in enumerate(named) if label in found])
        theirs.append([found[label] for label in named if label in found])
    result[np.ix_(*ours)] = np.asarray(item.to_numpy(), dtype=float)[np.ix_(*theirs)]
    return result

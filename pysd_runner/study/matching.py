"""Columns of a table and variables of a model that have one name."""

from pysd_runner.core.errors import InvalidInput, suggest
from pysd_runner.engine.ir import key
from pysd_runner.model import Model
from pysd_runner.panel import Column, Problem, Table
from pysd_runner.simulation.elements import located
from pysd_runner.simulation.task import prepared
from pysd_runner.study.clock import in_time_of


def same(name: str, other: str) -> bool:
    """Whether two names are one but for case, spaces and underscores.

    Parameters
    ----------
    name, other
        The names.

    Examples
    --------
    >>> same("Contact Rate", "contact_rate"), same("infected", "Infection")
    (True, False)
    """
    return key(name.replace("_", " ")) == key(other.replace("_", " "))


def matched(model: Model, table: Table) -> dict[str, str]:
    """Variables by the columns that are called like them, or that the caller mapped to them."""
    found = {}
    for name, column in table.columns.items():
        target = column.variable or next((item for item in model.variables if same(item, name)), "")
        if target:
            found[name] = _element(model, target, column)
    return found


def _element(model: Model, target: str, column: Column) -> str:
    """One element of a variable where a heading alone of its kind names it, ``Stock[north]``: it was read as a unit."""
    element = f"{target}[{column.unit}]"
    if not column.unit or column.axes or target not in model.variables or not model.variables[target].dims:
        return target
    try:
        located(model, element)
    except InvalidInput:
        return target
    return element


def uses_of(model: Model, table: Table) -> dict[str, str]:
    """What each column of a table is to a model, in words; empty for one that is not used."""
    declared = {} if model.spec is None else {item.column: item.outcome for item in model.spec.observations.values()}
    found = dict.fromkeys(table.columns, "")
    for name, target in matched(model, table).items():
        variable = model.ir.variables.get(target)
        drives = variable is not None and variable.kind in ("constant", "data")
        found[name] = f"{'drives' if drives else 'observes'} {target}"
    for column, outcome in declared.items():
        if column in table:
            found[table.column(column).name] = f"observes {outcome}"
    return found


def problems_of(model: Model, table: Table) -> list[Problem]:
    """What is wrong between a table and a model: columns that match nothing, times of another unit or too early."""
    uses = uses_of(model, table)
    found = _unknown(model, table)
    for name, use in uses.items():
        if not use:
            near = suggest(name, model.variables)
            message = f"no variable of {model.path.name} is called like column {name!r}, so it is not used.{near}"
            found.append(
                Problem(
                    rule="unused-column",
                    message=message,
                    column=name,
                    expected=f"a name of the model, or --map {name}=variable",
                    severity="warning",
                )
            )
    if not any(use.startswith("observes") for use in uses.values()):
        message = f"no column observes anything of {model.path.name}; say what one is with --map column=variable"
        found.append(Problem(rule="nothing-observed", message=message))
    clock = prepared(model, {}, outcomes=[]).clock
    try:
        moments = in_time_of(model, table, clock.start)[0].times
    except InvalidInput as error:
        return [*found, Problem(rule="time-unit", message=str(error))]
    early = int((moments < clock.start - 1e-9).sum())
    if early:
        message = (
            f"{early} of {len(moments)} moments lie before the start of the model ({clock.start:g}) and are left out; "
            "--start says otherwise"
        )
        is_all = early == len(moments)
        found.append(Problem(rule="before-start", message=message, severity="error" if is_all else "warning"))
    return found


def _unknown(model: Model, table: Table) -> list[Problem]:
    """Columns that were mapped to a name the model has not; expressions are read by the fit."""
    found = []
    for name, column in table.columns.items():
        if not column.variable or any(sign in column.variable for sign in "+-*/("):
            continue
        try:
            located(model, column.variable)
        except InvalidInput as error:
            found.append(Problem(rule="unknown-variable", message=str(error), column=name, found=column.variable))
    return found

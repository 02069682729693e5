"""Columns of a table and variables of a model that have one name."""

from pysd_runner.engine.ir import key
from pysd_runner.model import Model
from pysd_runner.panel.table import Table


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
    """Variables by the columns that are called like them, or that the caller mapped to them.

    Parameters
    ----------
    model
        Any model.
    table
        Observations.

    Returns
    -------
    dict
        What a column observes or drives, by column; columns without a match are left out.
    """
    found = {}
    for name, column in table.columns.items():
        target = column.variable or next((item for item in model.variables if same(item, name)), "")
        if target:
            found[name] = target
    return found

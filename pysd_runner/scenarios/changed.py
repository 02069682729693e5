"""Scenarios of change files: the constants and times that they change, and equations of tables and texts."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from pysd_runner.core.errors import InvalidInput, InvalidScenario
from pysd_runner.engine.ir import FINAL_TIME, INITIAL_TIME, SAVEPER, TIME_STEP, ModelIr, Number
from pysd_runner.published.files import CHANGES, equations_of
from pysd_runner.scenarios.scenario import Scenario

if TYPE_CHECKING:
    from pysd_runner.model import Model

TIMES = (INITIAL_TIME, FINAL_TIME, TIME_STEP, SAVEPER)


def change_files(name: str | Path, model: "Model") -> list[Path] | None:
    """Change files of a scenario that the declarations name, or the one that is named; None for anything else."""
    declared = model.declarations.scenarios.get(str(name))
    if declared is not None:
        return [model.path.parent / PureWindowsPath(file).as_posix() for file in declared.changes]
    return [Path(name)] if Path(name).suffix.lower() in CHANGES else None


def scenario_of_files(name: str, files: Sequence[Path], model: "Model") -> Scenario:
    """Read change files as a scenario of a model: values of elements that they change, and all else as equations."""
    from pysd_runner.model import facts_of

    try:
        equations = tuple(item for file in files for item in equations_of(file))
        changed = model.changed(equations)
    except InvalidInput as error:
        raise InvalidScenario("scenario {scenario!r}: {error}", scenario=name, error=error) from error
    before, after = (
        {
            item.name: item.value
            for item in facts_of(found).values()
            if found.variables[item.variable].kind == "constant"
        }
        | times_of(found)
        for found in (model.ir, changed)
    )
    values = {item: value for item, value in after.items() if value is not None and value != before.get(item)}
    rest = tuple(item for item in equations if " = " not in item[0] or " :IS: " in item[0])
    return replace(Scenario.of(name, values), equations=rest)


def times_of(model: ModelIr) -> dict[str, float | None]:
    """Time controls of a model that are plain numbers."""
    blocks = {name: model.variables[name].blocks for name in TIMES}
    return {
        name: found[0].expression.value for name, found in blocks.items() if isinstance(found[0].expression, Number)
    }

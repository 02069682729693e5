"""Whether a model can run as it stands, and whether its runs keep to its rules."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pysd_runner.checks.behaviour import check_behaviour, outcomes_of
from pysd_runner.checks.declarations import BehaviourRule, rules_of
from pysd_runner.checks.dimensions import check_dimensions
from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine import plan
from pysd_runner.model import Model
from pysd_runner.simulation import Run
from pysd_runner.simulation.task import prepared


@dataclass(frozen=True, kw_only=True, slots=True)
class Obstacle:
    """One thing that stops a model from running.

    Parameters
    ----------
    variable
        Name of the variable, empty where it is not one alone.
    equation
        Its equation, as a person would write it.
    message
        What it is and what to do.
    """

    variable: str
    equation: str
    message: str

    def __str__(self) -> str:
        return self.message


def check_running(model: Model) -> list[Obstacle]:
    """Everything that stops a model from running as it stands; nothing is run.

    Found are equations that the engine does not cover, data the file names no source of, bounds and steps that are
    missing or contradict each other, and variables that depend on each other at the same moment.

    Parameters
    ----------
    model
        What `load_model` returned.

    Returns
    -------
    list of Obstacle
        In the order of the file; empty when the model can run.

    Raises
    ------
    UnsupportedFeature
        If the model could not be lowered at all.
    """
    variables = model.ir.variables
    stopped = [item for item in variables.values() if item.uncovered]
    found = [Obstacle(variable=item.name, equation=item.equation, message=item.uncovered) for item in stopped]
    return found + _of_the_whole(model, frozenset(item.name for item in stopped))


def _of_the_whole(model: Model, stopped: frozenset[str]) -> list[Obstacle]:
    """What is wrong with the clock and with the order of equations, taking what is stopped as given."""
    found = []
    outcomes = [name for name, item in model.variables.items() if item.kind != "lookup" and name not in stopped]
    ir, method = model.ir, model.ir.integration.method
    for check in (
        lambda: prepared(model, None, outcomes=(), method=method),
        lambda: plan(ir, outcomes, stopped, frozenset()),
    ):
        try:
            check()
        except InvalidInput as error:
            if not any(model.variables[name].uncovered in str(error) for name in stopped):
                found.append(Obstacle(variable="", equation="", message=str(error)))
    return found


@dataclass(slots=True)
class ModelChecks:
    """Applies the behaviour rules beside a model to a simulation, and reads the units of its equations."""

    model: Model
    broken: list[str] = field(default_factory=list)  # what was found so far, one sentence each

    @property
    def rules(self) -> tuple[BehaviourRule, ...]:
        """Behaviour rules beside the model; empty when there are none."""
        return rules_of(self.model)

    @property
    def outcomes(self) -> Sequence[str]:
        """Variables a simulation must save so that the rules can be applied to it."""
        return outcomes_of(self.rules)

    def inspect(self, run: Run) -> None:
        """Apply every rule to a simulation."""
        self.broken += [problem.message for problem in check_behaviour(run, self.rules)]

    def inspect_units(self) -> None:
        """Read the units of every equation."""
        self.broken += [problem.message for problem in check_dimensions(self.model) if problem.is_failure]

    @property
    def verdict(self) -> str:
        """One sentence on all that was checked."""
        what = f"{len(self.rules)} behaviour rules in every draw, units of {len(self.model.variables)} variables"
        return f"Checks: {what}: " + (f"{len(self.broken)} broken" if self.broken else "all hold")

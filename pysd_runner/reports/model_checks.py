"""Checks of a model and of the runs behind a projection, in words."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pysd_runner.checks import BehaviourRule, check_behaviour, check_dimensions, outcomes_of, rules_of
from pysd_runner.model import Model
from pysd_runner.simulation import Run


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

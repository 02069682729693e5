"""Checks of a model and its runs: whether it can run, its units, and its declared behaviour rules and experiments."""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from pysd_runner.checks.behaviour import (
        BehaviourProblem as BehaviourProblem,
        check_behaviour as check_behaviour,
        check_running as check_running,
        outcomes_of as outcomes_of,
    )
    from pysd_runner.checks.declarations import (
        BehaviourRule as BehaviourRule,
        Experiment as Experiment,
        Experiments as Experiments,
        experiments_of as experiments_of,
        load_rules as load_rules,
        rules_of as rules_of,
    )
    from pysd_runner.checks.dimensions import EquationProblem as EquationProblem, check_dimensions as check_dimensions
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)

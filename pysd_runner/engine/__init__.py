"""Read a model file and simulate it: the public entry point of the engine, together with `engine.ir`.

``frontend`` reads a file into the intermediate representation of ``ir``, ``passes`` rewrite it, the engines ``numpy``
and ``llvm`` run it for all scenarios and draws at once, and ``reference`` runs the model with PySD, for comparison.
Names listed here are imported when they are first used.
"""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from pysd_runner.engine.cache import ModelFile as ModelFile, load_lowered as load_lowered
    from pysd_runner.engine.frontend.datasets.read import read_set as read_set
    from pysd_runner.engine.frontend.source import SUFFIXES as SUFFIXES
    from pysd_runner.engine.frontend.syntax import Budgets as Budgets
    from pysd_runner.engine.linearised import Linearised as Linearised
    from pysd_runner.engine.llvm.programs import host as host
    from pysd_runner.engine.numpy.target import equation_of as equation_of
    from pysd_runner.engine.passes.derivatives import Direction as Direction
    from pysd_runner.engine.passes.elements import read_undefined as read_undefined
    from pysd_runner.engine.passes.integration import difference_of_methods as difference_of_methods
    from pysd_runner.engine.passes.order import plan as plan
    from pysd_runner.engine.task import (
        Engine as Engine,
        Task as Task,
        chosen as chosen,
        prepared as prepared,
    )
    from pysd_runner.engine.tracing import Failure as Failure
    from pysd_runner.engine.values import (
        TimePath as TimePath,
        check_cases as check_cases,
        fitted_to as fitted_to,
        leading_shape as leading_shape,
    )
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)

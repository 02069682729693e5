"""Functions that need more than their arguments: hidden variables, whole arrays, random numbers."""

from collections.abc import Callable

from pysd_runner.engine.frontend.lowering import arrays, distributions, inputs
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.functions import operation
from pysd_runner.engine.ir import Expression, Number, Time
from pysd_runner.errors import UnsupportedFeature


def _active_initial(scope: Scope, active: Expression, initial: Expression) -> Expression:
    return scope.hide("auxiliary", active, initial)


def _get_time_value(_scope: Scope, relative: Expression, offset: Expression, measure: Expression) -> Expression:
    if not isinstance(relative, Number) or not isinstance(measure, Number):
        raise UnsupportedFeature("GET TIME VALUE whose first or last argument is not a number")
    if relative.value == 2:
        raise UnsupportedFeature("GET TIME VALUE of the computer's clock, which no run could repeat,")
    if relative.value != 0 or measure.value != 0:
        raise UnsupportedFeature(
            f"GET TIME VALUE({relative.value:g}, ..., {measure.value:g}), which has no meaning without a calendar,"
        )
    return operation("add", Time(), offset)


Build = Callable[..., Expression]


def _seeded(build: Build) -> Build:
    """Leave out the last argument: the seed in the file, as numbers go by the seed of the run."""
    return lambda scope, *arguments: build(scope, *arguments[:-1])


# Name in PySD's abstract model -> (number of arguments, how to build it in a scope).
CALLS: dict[str, tuple[int, Build]] = {
    "step": (2, inputs.step),
    "pulse": (2, inputs.pulse),
    "pulse_train": (4, inputs.pulse_train),
    "Xpulse": (2, inputs.impulse),
    "Xpulse_train": (3, inputs.impulses),
    "active_initial": (2, _active_initial),
    "get_time_value": (3, _get_time_value),
    "invert_matrix": (2, arrays.invert_matrix),
    "vector_sort_order": (2, arrays.vector_sort_order),
    "vector_rank": (2, arrays.vector_rank),
    "vector_reorder": (2, arrays.vector_reorder),
    "vector_select": (5, arrays.vector_select),
    "vmin_xmile": (1, arrays.whole("least")),
    "vmax_xmile": (1, arrays.whole("largest")),
    "random_0_1": (0, distributions.standard),
    "random_uniform": (3, _seeded(distributions.uniform)),
    "random_normal": (5, _seeded(distributions.normal)),
    "random_exponential": (5, _seeded(distributions.exponential)),
}

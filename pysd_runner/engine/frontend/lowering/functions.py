"""What each function of the common tree becomes; the names are those of `syntax.Call`."""

import math
from collections.abc import Callable

from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.frontend.lowering import arrays, delays, distributions, library
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.ir import INITIAL_TIME, SMALL, Expression, Number, Reference, Time, operation

Build = Callable[..., Expression]


def _plain(name: str) -> Build:
    return lambda *arguments: operation(name, *arguments)


def _ramp(slope: Expression, start: Expression, finish: Expression | None = None) -> Expression:
    end = Time() if finish is None else operation("min", finish, Time())
    reached = operation("greater", operation("add", Time(), Number(SMALL)), start)
    risen = operation("multiply", slope, operation("subtract", end, start))
    return operation("where", reached, risen, Number(0.0))


def _zidz(numerator: Expression, denominator: Expression) -> Expression:
    return operation("xidz", numerator, denominator, Number(0.0))


def _log(value: Expression, base: Expression) -> Expression:
    return operation("divide", operation("ln", value), operation("ln", base))


# Name -> (number of arguments, how to build it from them alone).
FUNCTIONS: dict[str, tuple[int, Build]] = {
    "abs": (1, _plain("abs")),
    "power": (2, _plain("power")),
    "min": (2, _plain("min")),
    "max": (2, _plain("max")),
    "exp": (1, _plain("exp")),
    "sin": (1, _plain("sin")),
    "cos": (1, _plain("cos")),
    "tan": (1, _plain("tan")),
    "arcsin": (1, _plain("arcsin")),
    "arccos": (1, _plain("arccos")),
    "arctan": (1, _plain("arctan")),
    "sinh": (1, _plain("sinh")),
    "cosh": (1, _plain("cosh")),
    "tanh": (1, _plain("tanh")),
    "sqrt": (1, _plain("sqrt")),
    "ln": (1, _plain("ln")),
    "log": (2, _log),
    "integer": (1, _plain("integer")),
    "quantum": (2, _plain("quantum")),
    "modulo": (2, _plain("modulo")),
    "if then else": (3, _plain("where")),
    "xidz": (3, _plain("xidz")),
    "zidz": (2, _zidz),
    "ramp": (3, _ramp),
    "ramp on": (2, _ramp),
    "pi": (0, lambda: Number(math.pi)),
    "floor": (1, library.floor),
    "remainder": (2, _plain("remainder")),
    "round": (1, library.rounded),
    "rootn": (2, library.root),
    "log10": (1, library.logarithm10),
    "percent": (1, library.percent),
    "sinwave": (2, library.wave("sin")),
    "coswave": (2, library.wave("cos")),
    "normal probability": (4, distributions.probability_between),
    "if missing": (2, library.if_missing),
    "gamma ln": (1, library.log_gamma),
    "factorial": (1, library.factorial),
    "permutations": (2, library.permutations),
    "combinations": (2, library.combinations),
    "pmt": (4, library.payment),
    "fv": (4, library.future_value),
    "pv": (4, library.present_value),
    "counter": (2, library.counter),
    "time base": (2, library.time_base),
}


def _active_initial(scope: Scope, active: Expression, initial: Expression) -> Expression:
    return scope.hide("auxiliary", active, initial)


def _initial(scope: Scope, value: Expression) -> Expression:
    return scope.hide("initial", value, None)


def _get_time_value(_scope: Scope, relative: Expression, offset: Expression, measure: Expression) -> Expression:
    if not isinstance(relative, Number) or not isinstance(measure, Number):
        raise UnsupportedFeature("GET TIME VALUE whose first or last argument is not a number")
    if relative.value == 2:
        raise UnsupportedFeature("GET TIME VALUE of the computer's clock, which no run could repeat,")
    if relative.value not in (0, 1) or measure.value != 0:
        raise UnsupportedFeature(
            f"GET TIME VALUE({relative.value:g}, ..., {measure.value:g}), which asks for a date of a calendar,"
        )
    return operation("add", Reference(INITIAL_TIME, ()) if relative.value else Time(), offset)


def _seeded(build: Build) -> Build:
    """Leave out the last argument: the seed in the file, as numbers go by the seed of the run."""
    return lambda scope, *arguments: build(scope, *arguments[:-1])


# Name -> (number of arguments, how to build it from a scope and them): hidden variables, whole arrays, random numbers.
CALLS: dict[str, tuple[int, Build]] = {
    "initial": (1, _initial),
    "smooth": (4, delays.smooth),
    "smooth n": (4, delays.smooth),
    "delay": (4, delays.delay),
    "delay n": (4, delays.delay_n),
    "delay fixed": (3, delays.delay_fixed),
    "delay material": (4, delays.delay_material),
    "delay information": (3, delays.delay_material),
    "trend": (3, delays.trend),
    "forecast": (4, delays.forecast),
    "npv": (4, library.net_present_value),
    "cgrowth": (1, library.growth),
    "npve": (4, library.net_present_value_at_ends),
    "derivn": (2, library.derivative),
    "sinteg": (7, library.bounded_integral),
    "previous": (2, library.previous),
    "step": (2, library.step),
    "pulse": (2, library.pulse),
    "pulse train": (4, library.pulse_train),
    "impulse": (2, library.impulse),
    "impulses": (3, library.impulses),
    "active initial": (2, _active_initial),
    "get time value": (3, _get_time_value),
    "vector sort order": (2, arrays.vector_sort_order),
    "vector rank": (2, arrays.vector_rank),
    "vector reorder": (2, arrays.vector_reorder),
    "vector select": (5, arrays.vector_select),
    "allocate by priority": (4, arrays.allocate_by_priority),
    "random 0 1": (0, distributions.standard),
    "random uniform": (3, _seeded(distributions.uniform)),
    "random normal": (5, _seeded(distributions.normal)),
    "random exponential": (5, _seeded(distributions.exponential)),
    "random triangular": (6, _seeded(distributions.triangular_within)),
    "random gamma": (6, _seeded(distributions.gamma_from_one)),
    "random beta": (7, _seeded(distributions.stretched("beta_quantile", 2))),
    "random weibull": (6, _seeded(distributions.weibull_of_mean_one)),
    "random poisson": (6, _seeded(distributions.stretched("poisson_quantile", 1))),
    "random binomial": (7, _seeded(distributions.binomial_successes)),
    "random negative binomial": (7, _seeded(distributions.trials_for)),
    "free normal": (2, distributions.free_normal),
    "log normal": (2, distributions.log_normal),
    "free exponential": (1, distributions.free_exponential),
    "triangular": (3, distributions.triangular),
    "weibull": (2, distributions.weibull),
    "pareto": (2, distributions.pareto),
    "logistic": (2, distributions.logistic),
    "chance": (1, distributions.chance),
    "uniform": (2, distributions.uniform),
    "gamma": (5, distributions.stretched("gamma_quantile", 1)),
    "beta": (6, distributions.stretched("beta_quantile", 2)),
    "poisson": (5, distributions.stretched("poisson_quantile", 1)),
    "binomial": (6, distributions.stretched("binomial_quantile", 2)),
    "failures": (6, distributions.stretched("failures_quantile", 2)),
    "normal quantile": (1, distributions.normal_quantile),
}

"""Random functions by inverse transform sampling: quantiles of uniform random numbers."""

import math
from collections.abc import Callable, Sequence

from pysd_runner.engine.frontend.lowering import arrays
from pysd_runner.engine.frontend.lowering.library import log_gamma
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.ir import Expression, Number, Random, joined_axes, operation, time_step

# Algorithm AS 241 (Wichura 1988), PPND16: rational approximations of the normal quantile in the centre, the flanks and
# the far tails, accurate to about 1e-16; coefficients of numerator and denominator in ascending order.
MIDDLE = (
    (
        *(3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4),
        *(4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    ),
    (
        *(1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3),
        *(2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
    ),
)
FLANK = (
    (
        *(1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0),
        *(1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    ),
    (
        *(1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1),
        *(1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
    ),
)
TAIL_QUANTILE = (
    (
        *(6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1),
        *(2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    ),
    (
        *(1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2),
        *(7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
    ),
)
MIDDLE_HALF, FLANK_END, FLANK_START = 0.425, 5.0, 1.6

# Smallest tail probability whose quantile is computed; the quantile is 37 standard deviations from the mean.
SMALLEST_TAIL = 1e-300


def uniform(scope: Scope, low: Expression, high: Expression) -> Expression:
    """Uniform between two bounds: ``low + u * (high - low)``."""
    return low + standard(scope, low, high) * (high - low)


def standard(scope: Scope, *parts: Expression) -> Expression:
    """Uniform between zero and one, independent for all elements of the equation and of other parts of it."""
    axes = tuple(dict.fromkeys([*scope.block_axes, *joined_axes(*parts)]))
    return scope.hide("auxiliary", Random(scope.site(), axes))


def exponential(scope: Scope, low: Expression, high: Expression, shift: Expression, stretch: Expression) -> Expression:
    """``shift + stretch * E``, with E exponential of mean one, truncated to two bounds."""
    # The excess over the lower bound is exponential again, so only the upper bound enters the inverse.
    start = operation("max", low, shift)
    length = operation("xidz", high - start, stretch, math.inf)
    share = 1.0 - operation("exp", -length)
    number = standard(scope, low, high, shift, stretch)
    waited = operation("ln", 1.0 - number * share)
    return start - stretch * waited


def normal(scope: Scope, low: Expression, high: Expression, mean: Expression, deviation: Expression) -> Expression:
    """Normal, truncated to two bounds: quantile of a uniform number between the probabilities of the bounds."""
    lower = operation("xidz", low - mean, deviation, (-math.inf))
    upper = operation("xidz", high - mean, deviation, math.inf)
    # Probabilities in the upper tail are too close to one to be precise; there the mirror image is computed.
    sign = scope.hide("auxiliary", operation("where", lower > 0.0, -1.0, 1.0))
    mirrored = sign < 0.0
    first = scope.hide("auxiliary", operation("where", mirrored, -upper, lower))
    last = scope.hide("auxiliary", operation("where", mirrored, -lower, upper))
    inside = _open(standard(scope, low, high, mean, deviation))
    below, span = _probability(first), _probability(last) - _probability(first)
    quantile = normal_quantile(scope, below + inside * span)
    bounded = operation("min", operation("max", quantile, first), last)
    return mean + deviation * (sign * bounded)


def normal_quantile(scope: Scope, probability: Expression) -> Expression:
    """Quantile of the standard normal distribution, by AS 241."""
    chance = scope.hide("auxiliary", probability)
    centred = scope.hide("auxiliary", chance - 0.5)
    square = centred * centred
    middle = scope.hide("auxiliary", (MIDDLE_HALF**2) - square)
    outer = operation("max", operation("min", chance, 1.0 - chance), SMALLEST_TAIL)
    tail = scope.hide("auxiliary", operation("sqrt", -operation("ln", outer)))
    near = scope.hide("auxiliary", tail - FLANK_START)
    beyond = scope.hide("auxiliary", tail - FLANK_END)
    inner = centred * _ratio(MIDDLE, middle)
    flank = operation("where", tail <= FLANK_END, _ratio(FLANK, near), _ratio(TAIL_QUANTILE, beyond))
    signed = operation("where", centred < 0.0, -flank, flank)
    return operation("where", operation("abs", centred) <= MIDDLE_HALF, inner, signed)


def free_normal(scope: Scope, mean: Expression, deviation: Expression) -> Expression:
    """Normal without bounds."""
    return mean + deviation * normal_quantile(scope, _open(standard(scope, mean, deviation)))


def log_normal(scope: Scope, low: Expression, high: Expression, mean: Expression, deviation: Expression) -> Expression:
    """Log-normal, truncated; mean and standard deviation are those of the variable, not of its logarithm."""
    share = deviation / mean
    variance = operation("ln", 1.0 + share * share)
    middle = operation("ln", mean) - 0.5 * variance
    return operation("exp", normal(scope, *_logarithms(low, high), middle, operation("sqrt", variance)))


def pareto(scope: Scope, low: Expression, high: Expression, shape: Expression, scale: Expression) -> Expression:
    """Pareto with minimum `scale`, truncated: its logarithm is exponential."""
    return operation("exp", exponential(scope, *_logarithms(low, high), operation("ln", scale), 1.0 / shape))


def _logarithms(low: Expression, high: Expression) -> tuple[Expression, Expression]:
    return operation("ln", operation("max", low, 0.0)), operation("ln", operation("max", high, 0.0))


def logistic(scope: Scope, low: Expression, high: Expression, mean: Expression, scale: Expression) -> Expression:
    """Logistic, truncated: ``mean + scale * ln(p / (1 - p))``, p uniform between the probabilities of the bounds."""
    below, above = (1.0 / (1.0 + operation("exp", (mean - bound) / scale)) for bound in (low, high))
    inside = below + _open(standard(scope, low, high, mean, scale)) * (above - below)
    return mean + scale * operation("ln", inside / (1.0 - inside))


def pink(scope: Scope, mean: Expression, deviation: Expression, time: Expression) -> Expression:
    """RANDOM PINK NOISE: normal noise with a correlation time, and the same deviation for all steps (Anderson)."""
    share = operation("min", time_step() / time, 1.0)
    white = free_normal(scope, mean, deviation * operation("sqrt", (2.0 - share) / share))
    noise = scope.hide("memory", white, free_normal(scope, mean, deviation))
    scope.replace_hidden(noise, noise + share * (white - noise))
    return noise


def triangular_within(scope: Scope, *bounds_and_parameters: Expression) -> Expression:
    """RANDOM TRIANGULAR: triangular with a start, a peak and an end, truncated to two bounds."""
    return stretched("triangular_quantile", 3)(scope, *bounds_and_parameters, Number(0.0), Number(1.0))


def stretched(name: str, count: int) -> Callable[..., Expression]:
    """Builder of ``shift + stretch * X``, truncated to two bounds; `name`: quantile of X, with `count` parameters."""

    def build(scope: Scope, low: Expression, high: Expression, *more: Expression) -> Expression:
        parameters, (shift, stretch) = more[:count], more[count:]
        number = standard(scope, low, high, *more)
        found = arrays.element_wise(scope, name, (number, low, high, shift, stretch, *parameters))
        return shift + stretch * found

    return build


def gamma_from_one(scope: Scope, low: Expression, high: Expression, order: Expression, *more: Expression) -> Expression:
    """RANDOM GAMMA; its order is at least one."""
    return stretched("gamma_quantile", 1)(scope, low, high, operation("max", order, 1.0), *more)


def binomial_successes(scope: Scope, low: Expression, high: Expression, *more: Expression) -> Expression:
    """RANDOM BINOMIAL: number of successes; the probability is given before the number of trials."""
    share, trials, shift, stretch = more
    return stretched("binomial_quantile", 2)(scope, low, high, trials, share, shift, stretch)


def trials_for(scope: Scope, low: Expression, high: Expression, *more: Expression) -> Expression:
    """RANDOM NEGATIVE BINOMIAL: number of trials until a given number of successes."""
    share, successes, shift, stretch = more
    moved = shift + stretch * successes
    return stretched("failures_quantile", 2)(scope, low, high, successes, share, moved, stretch)


def weibull_of_mean_one(scope: Scope, low: Expression, high: Expression, *more: Expression) -> Expression:
    """RANDOM WEIBULL: Weibull of a given shape, scaled to mean one before it is stretched and shifted."""
    shape, shift, stretch = more
    mean = operation("exp", log_gamma(1.0 + 1.0 / shape))
    return stretched("weibull_quantile", 1)(scope, low, high, shape, shift, stretch / mean)


def chance(scope: Scope, percent: Expression) -> Expression:
    """MONTECARLO: one if an event occurs in the step, else zero; `percent` is its probability per unit of time."""
    share = percent * time_step() / 100.0
    return operation("where", standard(scope, percent) < share, 1.0, 0.0)


def probability_between(low: Expression, high: Expression, mean: Expression, deviation: Expression) -> Expression:
    """NORMALCDF: probability that a normal variable lies between two values."""
    first, last = (_probability((end - mean) / deviation) for end in (low, high))
    return last - first


def _open(number: Expression) -> Expression:
    """Map [0, 1) linearly into (0, 1), as the quantile of zero is infinite."""
    return number * (1 - 2.0**-53) + 2.0**-54


def _probability(quantile: Expression) -> Expression:
    scaled = quantile * (-math.sqrt(0.5))
    return 0.5 * operation("erfc", scaled)


def _ratio(coefficients: tuple[Sequence[float], Sequence[float]], value: Expression) -> Expression:
    return operation("divide", *(_polynomial(side, value) for side in coefficients))


def _polynomial(coefficients: Sequence[float], value: Expression) -> Expression:
    result: Expression = Number(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        result = result * value + coefficient
    return result

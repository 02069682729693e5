"""Functions of whole arrays: matrix inverse, sorting, allocation.

The last axes of each argument are the core axes of the function; leading axes are looped over and have the same shape
in every argument, or length one. The result has the leading axes and then those of the function's result.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from pysd_runner.engine.kinds import Array, Flags

# Maximum distance of an initial guess from the mean in standard deviations; maximum step of the search for a quantile.
FARTHEST, MOST = 40.0, 2.0**60

# A cumulative distribution function, or a quantile function.
Law = Callable[..., Any]


def _between(chance: Array, low: Array, high: Array, below: Law, at_most: Law, quantile: Law) -> Array:
    """Quantile, at probability `chance`, of a distribution truncated to two bounds."""
    first = below(low)
    found = quantile(first + chance * (at_most(high) - first))
    return np.asarray(np.clip(found, low, high))


def _continuous(chance: Array, low: Array, high: Array, law: Law, quantile: Law) -> Array:
    """Quantile of a truncated continuous distribution with cumulative distribution function `law`."""
    return _between(chance, low, high, law, law, quantile)


def _whole(chance: Array, low: Array, high: Array, law: Law, mean: Array, variance: Array) -> Array:
    """Quantile of a truncated distribution over non-negative integers with cumulative distribution function `law`."""
    from scipy.special import ndtri

    def at_most(number: Array) -> Array:
        return np.where(number < 0, 0.0, law(np.maximum(number, 0.0)))

    def least(probability: Array) -> Array:
        """Quantile of the distribution, searched from a guess by its normal approximation."""
        guess = mean + np.sqrt(variance) * np.clip(ndtri(probability), -FARTHEST, FARTHEST)
        above = np.floor(np.maximum(np.nan_to_num(guess), 0.0))
        below, step = above - 1, np.ones_like(above)
        while (wide := (below >= 0) & (at_most(below) >= probability)).any():
            above, below = np.where(wide, below, above), np.where(wide, np.maximum(below - step, -1.0), below)
            step = np.where(wide, 2 * step, step)
        while (short := at_most(above) < probability).any() and (step < MOST).all():
            below, above = np.where(short, above, below), np.where(short, above + step, above)
            step = np.where(short, 2 * step, step)
        while (open_ := above - below > 1).any():
            middle = np.floor((above + below) / 2)
            enough = at_most(middle) >= probability
            above, below = np.where(open_ & enough, middle, above), np.where(open_ & ~enough, middle, below)
        return np.asarray(above)

    return _between(chance, np.ceil(low), np.floor(high), lambda number: at_most(number - 1), at_most, least)


def gamma_quantile(chance: Array, low: Array, high: Array, shape: Array) -> Array:
    """Quantile of a truncated gamma distribution of scale one."""
    from scipy.special import gammainc, gammaincinv

    def law(number: Array) -> Array:
        return np.asarray(gammainc(shape, np.maximum(number, 0.0)))

    return _continuous(chance, low, high, law, lambda probability: gammaincinv(shape, probability))


def beta_quantile(chance: Array, low: Array, high: Array, alpha: Array, beta: Array) -> Array:
    """Quantile of a truncated beta distribution."""
    from scipy.special import betainc, betaincinv

    def law(number: Array) -> Array:
        return np.asarray(betainc(alpha, beta, np.clip(number, 0.0, 1.0)))

    return _continuous(chance, low, high, law, lambda probability: betaincinv(alpha, beta, probability))


def weibull_quantile(chance: Array, low: Array, high: Array, shape: Array) -> Array:
    """Quantile of a truncated Weibull distribution of scale one."""

    def law(number: Array) -> Array:
        return np.asarray(-np.expm1(-(np.maximum(number, 0.0) ** shape)))

    return _continuous(chance, low, high, law, lambda probability: (-np.log1p(-probability)) ** (1 / shape))


def triangular_quantile(chance: Array, low: Array, high: Array, start: Array, peak: Array, end: Array) -> Array:
    """Quantile of a truncated triangular distribution."""
    width, rise, fall = end - start, peak - start, end - peak

    def law(number: Array) -> Array:
        number = np.clip(number, start, end)
        risen = (number - start) ** 2 / np.where(rise > 0, width * rise, 1.0)
        left = (end - number) ** 2 / np.where(fall > 0, width * fall, 1.0)
        return np.where(number < peak, risen, 1 - left)

    def quantile(probability: Array) -> Array:
        rising = start + np.sqrt(probability * width * rise)
        return np.where(probability * width < rise, rising, end - np.sqrt((1 - probability) * width * fall))

    return _continuous(chance, low, high, law, quantile)


def poisson_quantile(chance: Array, low: Array, high: Array, mean: Array) -> Array:
    """Quantile of a truncated Poisson distribution."""
    from scipy.special import pdtr

    valid = mean >= 0
    mean = np.where(valid, mean, 0.0)
    found = _whole(chance, low, high, lambda count: pdtr(count, mean), mean, mean)
    return np.where(valid, found, np.nan)


def binomial_quantile(chance: Array, low: Array, high: Array, trials: Array, share: Array) -> Array:
    """Quantile of a truncated binomial distribution: number of successes, each with probability `share`."""
    from scipy.special import betaincc  # bdtr is wrong for a billion (10^9) trials

    valid = (trials >= 0) & (share >= 0) & (share <= 1)
    trials, share = np.where(valid, np.floor(trials), 0.0), np.where(valid, share, 0.0)

    def law(count: Array) -> Array:
        return np.where(count >= trials, 1.0, betaincc(count + 1, np.maximum(trials - count, 1.0), share))

    found = _whole(chance, low, high, law, trials * share, trials * share * (1 - share))
    return np.where(valid, found, np.nan)


def failures_quantile(chance: Array, low: Array, high: Array, successes: Array, share: Array) -> Array:
    """Quantile of a truncated negative binomial distribution: number of failures before a given number of successes."""
    from scipy.special import betainc

    valid = (successes > 0) & (share > 0) & (share <= 1)
    successes, share = np.where(valid, successes, 1.0), np.where(valid, share, 1.0)
    mean = successes * (1 - share) / share
    found = _whole(chance, low, high, lambda count: betainc(successes, count + 1, share), mean, mean / share)
    return np.where(valid, found, np.nan)


def _of_stretched(quantile: Callable[..., Array]) -> Callable[..., Array]:
    """Quantile of X, with the bounds given for ``shift + stretch * X``."""

    def found(chance: Array, low: Array, high: Array, shift: Array, stretch: Array, *parameters: Array) -> Array:
        ends = [
            np.where(stretch == 0, otherwise, (end - shift) / np.where(stretch == 0, 1.0, stretch))
            for end, otherwise in ((low, -np.inf), (high, np.inf))
        ]
        return quantile(chance, np.minimum(*ends), np.maximum(*ends), *parameters)

    return found


# Arguments: probability, lower and upper bound, shift and stretch, then the parameters of the distribution.
QUANTILES: dict[str, Callable[..., Array]] = {
    function.__name__: _of_stretched(function)
    for function in (
        gamma_quantile,
        beta_quantile,
        weibull_quantile,
        triangular_quantile,
        poisson_quantile,
        binomial_quantile,
        failures_quantile,
    )
}

# Number of bisections for the price of an allocation; quantities are interpolated linearly over the remaining interval.
HALVINGS = 80

# Distance from the priority, in widths, beyond which a priority curve is 0 or 1 in double precision, by kind.
REACH = {1: 0.5, 2: 0.5, 3: 9.0, 4: 40.0}

# As `REACH`, for market prices: Vensim searches for the price within these distances and neglects the tails beyond.
MARKET = (0.5, 0.5, 5.0, 10.0)


def invert_matrix(matrix: Array) -> Array:
    """Inverse of square matrices; NaN where a matrix is singular."""
    try:
        return np.asarray(np.linalg.inv(matrix), dtype=float)
    except np.linalg.LinAlgError:
        if matrix.ndim == 2:
            return np.full(matrix.shape, np.nan)
        # A singular matrix must not prevent the inversion of the others.
        return np.asarray([invert_matrix(item) for item in matrix])


def vector_sort_order(vector: Array, direction: Array) -> Array:
    """Positions, from zero, of the elements in sorted order."""
    places = np.argsort(vector, axis=-1, kind="stable")
    return np.where(direction[..., None] > 0, places, places[..., ::-1]).astype(float)


def vector_rank(vector: Array, direction: Array) -> Array:
    """Rank of every element, from one."""
    order = vector_sort_order(vector, direction)
    return np.asarray(np.argsort(order, axis=-1, kind="stable") + 1, dtype=float)


def vector_reorder(vector: Array, places: Array) -> Array:
    """Elements of a vector at the given positions."""
    count = vector.shape[-1]
    whole = np.trunc(places)
    inside = (whole >= 0) & (whole < count)
    index = np.where(inside, whole, 0).astype(np.intp)
    batch = np.broadcast_shapes(vector.shape[:-1], index.shape[:-1])
    vector, index = np.broadcast_to(vector, (*batch, count)), np.broadcast_to(index, (*batch, index.shape[-1]))
    return np.where(inside, np.take_along_axis(vector, index, axis=-1), np.nan)


def allocate_available(request: Array, profile: Array, available: Array) -> Array:
    """Allocate a supply among requests by priority curves, at the price where total demand equals the supply."""
    # At price x the demand of a request q is ``q * share((x - priority) / width)``, where the share falls from one to
    # zero as the survival function of a uniform (kind 1), triangular (2), normal (3) or exponential (4) distribution;
    # for kind 0 it is q at any price.
    return _allocated(request, *_curves(profile), available)


def allocate_by_priority(request: Array, priority: Array, width: Array, supply: Array) -> Array:
    """Allocate a supply among requests, higher priorities first."""
    # A lower priority is served only if it lies within `width` of one that is not yet satisfied, or once those are
    # satisfied; amounts of requests served together grow in proportion to their sizes. This is an allocation by
    # rectangular curves of one width.
    return _allocated(request, np.ones_like(priority), priority, width[..., None], supply)


def allocate(request: Array, kind: Array, priority: Array, width: Array, supply: Array) -> Array:
    """Allocate a supply among requests by the curves of `allocate_available`."""
    curves = (item if item.ndim > supply.ndim else item[..., None] for item in (request, kind, priority, width))
    request, kind, priority, width = curves
    return _allocated(request, kind, priority, width, supply)


def _allocated(request: Array, kind: Array, priority: Array, width: Array, supply: Array) -> Array:
    request, kind, priority, width = np.broadcast_arrays(request, kind, priority, width)
    supply = np.broadcast_to(supply, np.broadcast_shapes(request.shape[:-1], supply.shape))
    # Kind 0 demands its request at any price: it is served first, in proportion to requests if supply is short.
    fixed = np.where(kind == 0, request, 0.0)
    total = fixed.sum(axis=-1)
    share = np.where(total > supply, supply / np.where(total > 0, total, 1.0), 1.0)
    enough = supply >= request.sum(axis=-1)
    if (enough & (request >= 0).all(axis=-1)).all():
        return np.broadcast_to(request, (*enough.shape, request.shape[-1]))
    found, usable = _at_one_price(np.where(kind == 0, 0.0, request), kind, priority, width, supply - share * total)
    found = found + share[..., None] * fixed
    found = np.where(enough[..., None], request, np.where(supply[..., None] == 0, 0.0, found))
    valid = (request >= 0).all(axis=-1) & (enough | usable) & (supply >= 0)
    return np.where(valid[..., None], found, np.nan)


def _at_one_price(request: Array, kind: Array, priority: Array, width: Array, supply: Array) -> tuple[Array, Flags]:
    """Quantities at the price where demand equals the supply, and whether all priority curves are valid."""
    # Requests of zero neither bound the price nor make an allocation invalid.
    wants = request > 0
    # A width of zero is a step of the curve at the priority.
    reach = np.where(width == 0, 1.0, _by_kind(kind, REACH.values()) * width)
    width = np.where(width == 0, np.finfo(np.float64).tiny, width)
    usable = ~wants | ((width > 0) & np.isfinite(reach))
    width, reach = np.where(usable & (width > 0), width, 1.0), np.where(usable & wants, reach, 1.0)
    low = np.broadcast_to(np.where(wants, priority - reach, np.inf).min(axis=-1), supply.shape)
    high = np.broadcast_to(np.where(wants, priority + reach, -np.inf).max(axis=-1), supply.shape)
    some = wants.any(axis=-1)
    low, high = np.where(some, low, 0.0), np.where(some, high, 0.0)

    def wanted(price: Array) -> Array:
        return np.where(wants, request * _share(kind, (price[..., None] - priority) / width), 0.0)

    def is_enough(price: Array) -> Array:
        return np.asarray(wanted(price).sum(axis=-1) <= supply)

    if (kind == 1).all():
        low, high = _between_corners(np.broadcast_to(priority, (*supply.shape, kind.shape[-1])), width, is_enough)
    else:
        low, high = _bisected(low, high, is_enough)
    most, least = wanted(low), wanted(high)
    gap = most.sum(axis=-1) - least.sum(axis=-1)
    part = np.where(gap > 0, (supply - least.sum(axis=-1)) / np.where(gap > 0, gap, 1.0), 0.0)
    found = least + np.clip(part, 0.0, 1.0)[..., None] * (most - least)
    return found, np.asarray(usable.all(axis=-1))


def _between_corners(priority: Array, width: Array, is_enough: Callable[[Array], Array]) -> tuple[Array, Array]:
    """Corners of rectangular curves around the lowest price at which there is enough; between them demand is linear."""
    ends = np.nextafter(priority - width / 2, -np.inf), np.nextafter(priority + width / 2, np.inf)
    prices = np.sort(np.moveaxis(np.concatenate(ends, axis=-1), -1, 0), axis=0)
    first = np.maximum(is_enough(prices).argmax(axis=0), 1)[None]
    low, high = (np.take_along_axis(prices, place, axis=0)[0] for place in (first - 1, first))
    return low, high


def market_price(wanted: Array, demand: Array, capacity: Array, supply: Array) -> Array:
    """Lowest price at which demand does not exceed supply, from the priority profiles of both sides."""
    kind, priority, width = _curves(np.concatenate([demand, supply], axis=-2))
    reach = np.where(kind == 0, 0.0, _by_kind(kind, MARKET)) * width
    low, high = (priority - reach).min(axis=-1), (priority + reach).max(axis=-1)

    def is_enough(price: Array) -> Array:
        needed = demand_at_price(wanted, demand, price[..., None]).sum(axis=-1)
        return np.asarray(needed <= supply_at_price(capacity, supply, price[..., None]).sum(axis=-1))

    return np.where(is_enough(low), low, _bisected(low, high, is_enough)[1])


def demand_at_price(quantity: Array, profile: Array, price: Array) -> Array:
    """Quantities demanded at a price, given those demanded at a price of zero."""
    kind, priority, width = _curves(profile)
    return quantity * np.where(kind == 0, 1.0, _share(kind, (price - priority) / width))


def supply_at_price(quantity: Array, profile: Array, price: Array) -> Array:
    """Quantities supplied at a price, given the capacities of the suppliers."""
    kind, priority, width = _curves(profile)
    return quantity * np.where(kind == 0, 1.0, 1 - _share(kind, (price - priority) / width))


def _curves(profile: Array) -> tuple[Array, Array, Array]:
    """Kind, priority and width of the curves of a priority profile."""
    return profile[..., 0], profile[..., 1], profile[..., 2]


def _by_kind(kind: Array, choices: Iterable[Any]) -> Array:
    """A value by the kind of a curve from one to four; NaN for other kinds."""
    return np.select([kind == number for number in REACH], list(choices), np.nan)


def _bisected(low: Array, high: Array, is_enough: Callable[[Array], Array]) -> tuple[Array, Array]:
    """Narrow the interval around the lowest price at which there is enough."""
    for _ in range(HALVINGS):
        middle = low + (high - low) / 2
        enough = is_enough(middle)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return low, high


def _share(kind: Array, distance: Array) -> Array:
    """Share of a request that is demanded at a price `distance` widths above the priority."""
    from scipy.special import erfc

    inside = np.clip(distance, -0.5, 0.5)
    rectangle = 0.5 - inside
    if (kind == 1).all():
        return np.asarray(rectangle)
    triangle = np.where(inside < 0, 1 - 2 * (inside + 0.5) ** 2, 2 * (0.5 - inside) ** 2)
    normal = 0.5 * erfc(distance / np.sqrt(2.0))
    tail = 0.5 * np.exp(-np.abs(distance))
    exponential = np.where(distance < 0, 1 - tail, tail)
    return _by_kind(kind, [rectangle, triangle, normal, exponential])


FUNCTIONS: dict[str, Callable[..., Array]] = QUANTILES | {
    function.__name__: function
    for function in (
        invert_matrix,
        vector_sort_order,
        vector_rank,
        vector_reorder,
        allocate_available,
        allocate_by_priority,
        allocate,
        market_price,
        demand_at_price,
        supply_at_price,
    )
}

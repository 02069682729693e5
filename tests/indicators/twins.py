"""Slow twins: the definitions written out with plain loops over plain numbers."""

import math


def theil(output, population):
    """Population-replicated form: mean over people of (y / mu) ln(y / mu)."""
    people, total = sum(population), sum(output)
    mean = total / people
    answer = 0.0
    for produced, heads in zip(output, population, strict=True):
        level = produced / heads
        if level > 0:
            answer += heads / people * (level / mean) * math.log(level / mean)
    return answer


def gini(values, population=None):
    """Half the mean absolute difference of all pairs over the mean."""
    weights = [1.0] * len(values) if population is None else list(population)
    total = sum(weights)
    mean = sum(w * v for w, v in zip(weights, values, strict=True)) / total
    pairs = 0.0
    for first, own in zip(values, weights, strict=True):
        for second, other in zip(values, weights, strict=True):
            pairs += own * other * abs(first - second)
    return pairs / (2 * mean * total * total)


def sigma(values):
    """Root mean square of all pairwise log differences, halved: the same as the population deviation."""
    n = len(values)
    squares = sum((math.log(a) - math.log(b)) ** 2 for a in values for b in values)
    return math.sqrt(squares / (2 * n * n))


def variation(values, population):
    """Weighted standard deviation over mean, through raw moments."""
    total = sum(population)
    mean = sum(w * v for w, v in zip(population, values, strict=True)) / total
    square = sum(w * v * v for w, v in zip(population, values, strict=True)) / total
    return math.sqrt(max(square - mean * mean, 0.0)) / mean

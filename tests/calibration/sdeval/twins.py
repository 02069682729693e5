"""The formulas as they stand in the books, with fractions and plain loops."""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

DIGITS = 60


def root(value: Fraction) -> Decimal:
    with localcontext() as context:
        context.prec = DIGITS
        return (Decimal(value.numerator) / Decimal(value.denominator)).sqrt()


def exact(values: Sequence[float]) -> list[Fraction]:
    return [Fraction(value) for value in values]


def mean(values: Sequence[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def covariance(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    """Of the population: divided by n."""
    return mean([(x - mean(left)) * (y - mean(right)) for x, y in zip(left, right, strict=True)])


def point_fit(observed: Sequence[float], simulated: Sequence[float]) -> dict[str, float]:
    actual, model = exact(observed), exact(simulated)
    error = [s - a for s, a in zip(model, actual, strict=True)]
    mse = mean([e * e for e in error])
    found = {
        "n": len(error),
        "mean_error": mean(error),
        "mae": mean([abs(e) for e in error]),
        "mse": mse,
        "rmse": root(mse),
        "squared_correlation": covariance(actual, model) ** 2 / covariance(actual, actual) / covariance(model, model),
        "efficiency": 1 - mse / covariance(actual, actual),
    }
    if all(actual):
        relative = [e / a for e, a in zip(error, actual, strict=True)]
        found |= {"mape": mean([abs(r) for r in relative])}
    return {name: float(value) for name, value in found.items()} | theil(observed, simulated)


def theil(observed: Sequence[float], simulated: Sequence[float]) -> dict[str, float]:
    actual, model = exact(observed), exact(simulated)
    error = [s - a for s, a in zip(model, actual, strict=True)]
    mse = mean([e * e for e in error])
    change = [(after - before) ** 2 for before, after in pairwise(actual)]
    with localcontext() as context:
        context.prec = DIGITS
        spread_model, spread_actual = root(covariance(model, model)), root(covariance(actual, actual))
        correlation = _decimal(covariance(actual, model)) / spread_model / spread_actual
        return {
            "u1": float(root(mse) / (root(mean([s * s for s in model])) + root(mean([a * a for a in actual])))),
            "u2": float(root(sum(e * e for e in error[1:]) / sum(change))),
            "um": float((mean(model) - mean(actual)) ** 2 / mse),
            "us": float((spread_model - spread_actual) ** 2 / _decimal(mse)),
            "uc": float(2 * (1 - correlation) * spread_model * spread_actual / _decimal(mse)),
        }


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)

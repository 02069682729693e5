"""In which futures something happens: a box. Arrays only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Part of the futures in the box that a step of peeling cuts off, and least part of all futures a box keeps.
PEEL, LEAST = 0.05, 0.1
# A side must raise the share of hits by this much when the others stay, and what it cuts off must have a share that is
# lower by this many standard errors; the best of many slices looks good by chance.
GAIN, ERRORS = 0.02, 4.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One side of a box."""

    factor: int
    low: float
    high: float
    gain: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """Futures in which something happens more often than elsewhere."""

    sides: tuple[Side, ...]
    density: float
    coverage: float
    mass: float

    def inside(self, factors: Array) -> NDArray[np.bool_]:
        """Which futures lie in it."""
        found = np.ones(len(factors), dtype=bool)
        for side in self.sides:
            found &= (factors[:, side.factor] >= side.low) & (factors[:, side.factor] <= side.high)
        return found


def prim(factors: Array, hits: NDArray[np.bool_]) -> Box:
    r"""Find a box by peeling: thin slices are cut off, each time the one that raises the share of hits most.

    Of the boxes on the way the one is kept that holds most hits beyond what as many futures hold on average,

    .. math:: \text{mass} \cdot (\text{density} - \text{share of hits in all futures});

    sides that add little, or no more than chance, are taken back.

    Parameters
    ----------
    factors
        Shape (future, factor); a switch has the values 0 and 1.
    hits
        Whether it happens, shape (future,).

    Returns
    -------
    Box
        Without sides where nothing helps.

    References
    ----------
    Friedman, J. H. and Fisher, N. I. (1999), Bump hunting in high-dimensional data; Bryant, B. P. and Lempert, R. J.
    (2010), Thinking inside the box; Lavrac, N., Flach, P. and Zupan, B. (1999), Rule evaluation measures.
    """
    limits = np.tile([-np.inf, np.inf], (factors.shape[1], 1))
    best, best_score = limits.copy(), _score(factors, hits, limits)
    while True:
        slices = _slices(factors, hits, limits)
        if not slices:
            break
        limits = max(slices, key=lambda item: item[0])[1]
        score = _score(factors, hits, limits)
        if score > best_score + 1e-12:
            best, best_score = limits.copy(), score
    return _box(factors, hits, _simplified(factors, hits, best))


def _inside(factors: Array, limits: Array) -> NDArray[np.bool_]:
    return np.asarray(((factors >= limits[:, 0]) & (factors <= limits[:, 1])).all(axis=1))


def _score(factors: Array, hits: NDArray[np.bool_], limits: Array) -> float:
    """Hits beyond what as many futures hold on average, as a part of all futures."""
    inside = _inside(factors, limits)
    return float((hits & inside).mean() - inside.mean() * hits.mean())


def _slices(factors: Array, hits: NDArray[np.bool_], limits: Array) -> list[tuple[float, Array]]:
    """Boxes with one slice less, with their share of hits."""
    inside = _inside(factors, limits)
    found = []
    for factor in range(factors.shape[1]):
        values = factors[inside, factor]
        kinds = np.unique(values)
        if len(kinds) < 2:
            continue
        cuts = (
            ((1, kinds[0]), (0, kinds[-1]))
            if len(kinds) == 2
            else ((0, np.quantile(values, PEEL)), (1, np.quantile(values, 1 - PEEL)))
        )
        for end, cut in cuts:
            new = limits.copy()
            if len(kinds) > 2:
                # The slice goes away whole, also where many futures share its value.
                rest = kinds[kinds > cut] if end == 0 else kinds[kinds < cut]
                if not len(rest):
                    continue
                cut = rest[0] if end == 0 else rest[-1]
            new[factor, end] = cut
            left = _inside(factors, new)
            if left.sum() >= max(1, LEAST * len(factors)) and left.sum() < inside.sum():
                found.append((float(hits[left].mean()), new))
    return found


def _simplified(factors: Array, hits: NDArray[np.bool_], limits: Array) -> Array:
    """Take back sides without which the share of hits hardly falls, the least telling first."""
    current = limits.copy()
    while True:
        set_sides = [(factor, end) for factor, end in np.argwhere(np.isfinite(current)).tolist()]
        if not set_sides:
            return current
        inside = _inside(factors, current)
        losses = []
        for factor, end in set_sides:
            without = current.copy()
            without[factor, end] = -np.inf if end == 0 else np.inf
            wider = _inside(factors, without)
            loss = float(hits[inside].mean() - hits[wider].mean())
            losses.append((loss if _is_sure(hits[inside], hits[wider & ~inside]) else 0.0, without))
        loss, without = min(losses, key=lambda item: item[0])
        if loss >= GAIN:
            return current
        current = without


def _is_sure(inside: NDArray[np.bool_], cut: NDArray[np.bool_]) -> bool:
    """Whether the shares of hits differ by more than chance."""
    if not len(cut):
        return False
    share = (inside.sum() + cut.sum()) / (len(inside) + len(cut))
    error = np.sqrt(share * (1 - share) * (1 / len(inside) + 1 / len(cut)))
    return bool(inside.mean() - cut.mean() > ERRORS * error)


def _box(factors: Array, hits: NDArray[np.bool_], limits: Array) -> Box:
    inside = _inside(factors, limits)
    density = float(hits[inside].mean())
    sides = []
    for factor in np.flatnonzero(np.isfinite(limits).any(axis=1)).tolist():
        without = limits.copy()
        without[factor] = (-np.inf, np.inf)
        gain = density - float(hits[_inside(factors, without)].mean())
        sides.append(Side(factor=factor, low=float(limits[factor, 0]), high=float(limits[factor, 1]), gain=gain))
    return Box(
        sides=tuple(sorted(sides, key=lambda side: -side.gain)),
        density=density,
        coverage=float((hits & inside).sum() / max(hits.sum(), 1)),
        mass=float(inside.mean()),
    )

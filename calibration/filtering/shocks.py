"""Random growth of regions: heavy tails, in part common to a class."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def heavy(rng: np.random.Generator, draws: int, groups: Sequence[str], shared: float, tails: float) -> Array:
    r"""Student's t with unit variance, in part common to regions of a class.

    :math:`x_i = \sqrt{s}\, c_{g(i)} + \sqrt{1 - s}\, e_i`. What all regions of a nation share cancels in relative
    output and is left out.
    """
    names = sorted({name for name in groups if name})
    half = (draws + 1) // 2
    own = _unit(rng, tails, (half, len(groups)))
    common = _unit(rng, tails, (half, max(len(names), 1)))
    member = np.array([names.index(group) if group else -1 for group in groups])
    part = np.where(member >= 0, shared, 0.0)
    found = np.sqrt(part) * common[:, np.maximum(member, 0)] + np.sqrt(1 - part) * own
    mirrored = np.concatenate((found, -found))[:draws]
    result: Array = mirrored - mirrored.mean(axis=0)
    return result


def _unit(rng: np.random.Generator, tails: float, shape: tuple[int, int]) -> Array:
    """Student's t with unit variance."""
    if np.isinf(tails):
        return rng.standard_normal(shape)
    return np.asarray(np.sqrt((tails - 2) / tails) * rng.standard_t(tails, size=shape))


def left_of_relative(groups: Sequence[str], shared: float) -> float:
    r"""Part of the standard deviation of `heavy` that is left, on average, when the mean over regions is taken out.

    :math:`\sqrt{1 - \frac{1}{n^2} \sum_{ij} \rho_{ij}}`. Sizes are learnt from relative output, so that noise has to be
    divided by this to have them again.
    """
    labels = np.array(groups)
    correlations = np.where((labels[:, None] == labels) & (labels != ""), shared, 0.0)
    np.fill_diagonal(correlations, 1.0)
    left = 1 - float(correlations.mean())
    return float(np.sqrt(left)) if len(labels) > 1 else 1.0


def shared_part(innovations: Array, groups: Sequence[str]) -> float:
    """Share of the variance of innovations that regions of a class have in common, by moments."""
    seen = np.isfinite(innovations)
    if not seen.any():
        return 0.0
    variance = float((innovations[seen] ** 2).mean())
    labels = np.array(groups)
    excess, weight = 0.0, 0.0
    for group in sorted({name for name in groups if name}):
        members = innovations[labels == group]
        members = members[:, np.isfinite(members).all(axis=0)]
        count = len(members)
        if count < 2 or not members.size:
            continue
        excess += count * (float((members.mean(axis=0) ** 2).mean()) - variance / count) / (1 - 1 / count)
        weight += count
    return 0.0 if not weight or variance == 0 else min(max(excess / weight / variance, 0.0), 0.9)

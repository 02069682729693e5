r"""How strong the couplings beyond momentum and pull are: near zero unless the panel insists.

From the observed state of each year the compiled model says by how much each group of couplings, at its declared
values, would move relative output in the year that follows. The small filter turns these movements, added up over the
years, into the surprises they would make (`made`); real surprises are regressed on them:

.. math:: \nu_y = \sum_g \lambda_g \nu_g + e,\quad \lambda_g \ge 0,\quad
          \lambda_g \sim \text{half-normal}(\tau),

with the mode of the prior at the random walk. Members draw their multipliers from the posterior.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from calibration.filtering.dynamics import GROUPS, advance, central, start
from calibration.filtering.evidence import Evidence
from calibration.filtering.learning import Laws
from calibration.filtering.made import taken_for
from calibration.filtering.settings import FilterSettings
from calibration.filtering.trend import positions, steps

Array = NDArray[np.float64]

SWEEPS, ROUNDS = 30, 8
SMALLEST = 1e-12


@dataclass(frozen=True, kw_only=True, slots=True)
class Couplings:
    """Posterior of the multipliers before they are cut off at zero: normal.

    Attributes
    ----------
    groups
        Names.
    mean, precision
        Shapes (group,) and (group, group), in units of the declared values.
    moves
        By how much each group at its declared values moves relative output in the year after each, zero before the
        first whose surprises are used; shape (group, region, year - 1).
    """

    groups: tuple[str, ...]
    mean: Array
    precision: Array
    moves: Array

    def draw(self, count: int, rng: np.random.Generator) -> Mapping[str, Array]:
        """Multipliers of so many members, shape (member,) by group; Gibbs sampling from zero."""
        found = np.zeros((count, len(self.mean)))
        diagonal = np.diag(self.precision)
        for _ in range(SWEEPS):
            for place in range(len(self.mean)):
                pull = (found - self.mean) @ self.precision[place] - (found[:, place] - self.mean[place]) * diagonal[
                    place
                ]
                centre = self.mean[place] - pull / diagonal[place]
                found[:, place] = _positive(centre, 1 / np.sqrt(diagonal[place]), rng.uniform(size=count))
        return dict(zip(self.groups, found.T, strict=True))


def _positive(centre: Array, sd: float, uniform: Array) -> Array:
    """A normal variable cut off below zero, by its distribution function."""
    above = ndtr(centre / sd)
    return np.maximum(centre - sd * ndtri(np.maximum(uniform * above, 1e-300)), 0.0)


def learn_couplings(evidence: Evidence, laws: Laws, settings: FilterSettings, first_year: int) -> Couplings:
    """Regress surprises on those the couplings would make.

    Parameters
    ----------
    evidence
        Observations up to the origin.
    laws
        What was learnt about output.
    settings
        Scale of the prior, `couplings`; zero leaves all of them out.
    first_year
        Of those whose surprises are used.

    Returns
    -------
    Couplings
        For the groups of `dynamics.GROUPS`.
    """
    names = tuple(GROUPS)
    scale = max(settings.couplings, SMALLEST)
    precision = np.eye(len(names)) / scale**2
    if not settings.couplings:
        still = np.zeros((len(names), len(evidence.values), len(evidence.years) - 1))
        return Couplings(groups=names, mean=np.zeros(len(names)), precision=precision, moves=still)
    begin = first_year - evidence.years[0]
    moves = np.stack([movements(evidence, laws, year) for year in range(first_year, evidence.years[-1])], axis=-1)
    likely = laws.likely
    values, size = evidence.values[:, begin:], likely.sd[:, None] * likely.by_region
    centres = positions(evidence.values, settings.memory_years)[:, begin:]
    free = np.full(len(likely.sd), np.inf)
    found = [step.innovation for step in steps(values, centres, likely.trend, free, settings)]
    seen = np.stack(found, axis=-1) / size[..., None]
    made = np.stack(
        [taken_for(item, np.isfinite(values), likely.trend, settings).surprises / size[..., None] for item in moves]
    )
    mean, precision = _regressed(seen, made, likely.weight, scale, settings.tails)
    return Couplings(groups=names, mean=mean, precision=precision, moves=np.pad(moves, ((0, 0), (0, 0), (begin, 0))))


def _regressed(seen: Array, made: Array, weight: Array, scale: float, tails: float) -> tuple[Array, Array]:
    """Reweighted least squares for errors of Student's t whose size is that of what is left.

    Parameters
    ----------
    seen
        Surprises, shape (law, region, year), NaN where there is none.
    made
        Those each group makes, shape (group, law, region, year).
    weight
        Of the laws.
    scale
        Of the prior.
    tails
        Degrees of freedom.

    Returns
    -------
    tuple[Array, Array]
        Mean, shape (group,), and precision of the posterior.
    """
    known = np.isfinite(seen)
    seen, made = np.where(known, seen, 0.0), np.where(known, made, 0.0)
    prior = np.eye(len(made)) / scale**2
    mean, size = np.zeros(len(made)), np.ones((len(weight), 1, 1))
    precision = prior
    for _ in range(ROUNDS):
        left = np.where(known, seen - np.tensordot(mean, made, axes=1), 0.0)
        robust = (tails + 1) / (tails - 2 + (left / size) ** 2)
        total = np.maximum(known.sum(axis=(1, 2), keepdims=True), 1)
        scales = (np.where(known, robust * left**2, 0.0)).sum(axis=(1, 2), keepdims=True) / total
        size = np.sqrt(np.maximum(scales, SMALLEST))
        counts = np.where(known, weight[:, None, None] * robust / size**2, 0.0)
        precision = prior + np.einsum("glry,hlry,lry->gh", made, made, counts)
        mean = np.linalg.solve(precision, np.einsum("glry,lry,lry->g", made, seen, counts))
    return mean, precision


def movements(evidence: Evidence, laws: Laws, year: int) -> Array:
    """By how much each group of couplings at its declared values moves the coming year's relative output.

    Returns
    -------
    Array
        Log points, shape (group, region).
    """
    rows = len(GROUPS) + 1
    multipliers = {name: np.eye(rows)[place + 1] for place, name in enumerate(GROUPS)}
    members, state = start(evidence, laws, year, central(evidence, rows, multipliers))
    shape = state.level.shape
    position = state.level.mean(axis=0) - state.level.mean()
    after = advance(state, members, np.zeros(shape), position).level
    relative = after - after.mean(axis=1, keepdims=True)
    return np.asarray(relative[1:] - relative[0])

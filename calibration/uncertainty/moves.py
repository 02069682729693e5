"""How the walkers of a sampler move: several ensembles in one batch, helped by the normal approximation."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Length of a step of Crank-Nicolson moves, drawn anew for every walker: short ones are accepted where the normal
# approximation is poor, long ones forget where a walker was.
SHORTEST, LONGEST = 0.2, 0.8

# How often each move is made. Differential evolution follows what no normal distribution describes; whole differences
# jump between modes.
SHARES = (0.85, 0.10, 0.05)

# Of the spread of walkers that is found while warming up, so much counts against the normal approximation's.
TRUST = 0.7


class Reference:
    """The normal distribution, independent in every coordinate, that Crank-Nicolson moves leave as it is."""

    def __init__(self, count: int) -> None:
        self._centre, self._width = np.zeros(count), np.ones(count)

    def learn(self, points: Array) -> None:
        """Move to where walkers have been, shape (point, parameter); only while warming up."""
        self._centre = points.mean(axis=0)
        self._width = np.sqrt(TRUST * points.var(axis=0) + (1 - TRUST))

    def propose(self, points: Array, random: np.random.RandomState) -> tuple[Array, Array]:
        """Propose by preconditioned Crank-Nicolson: ``y' = sqrt(1 - b^2) y + b e`` in units of the reference.

        References
        ----------
        Cotter, S. L., Roberts, G. O., Stuart, A. M. and White, D. (2013), MCMC methods for functions: modifying old
        algorithms to make them faster, Statistical Science 28(3).
        """
        # Were the posterior the reference, every proposal would be accepted, whatever the number of parameters.
        length = random.uniform(SHORTEST, LONGEST, size=(len(points), 1))
        before = (points - self._centre) / self._width
        after = np.sqrt(1 - length**2) * before + length * random.standard_normal(points.shape)
        factors = 0.5 * ((after**2).sum(axis=1) - (before**2).sum(axis=1))
        return self._centre + self._width * after, factors


def moves(ensembles: int, reference: Reference) -> list[tuple[Any, float]]:
    """The moves of `calibration.uncertainty.sample` for emcee, where the normal approximation is standard normal.

    References
    ----------
    Foreman-Mackey, D. et al. (2013), emcee: the MCMC hammer, PASP 125. ter Braak, C. J. F. (2006), A Markov chain Monte
    Carlo version of the genetic algorithm differential evolution, Statistics and Computing 16.
    """
    from emcee.moves import DEMove, MHMove

    made = (MHMove(reference.propose), _apart(DEMove(), ensembles), _apart(DEMove(gamma0=1.0), ensembles))
    return list(zip(made, SHARES, strict=True))


def _apart(move: Any, ensembles: int) -> Any:
    """Let a move of emcee take its partners from the walker's own ensemble alone."""
    # Walkers of all ensembles step together, so that one batch of simulations serves all of them. Even and odd walkers
    # take turns; with an even number in each ensemble both halves keep the ensembles one behind the other.
    propose: Callable[..., tuple[Array, Array]] = move.get_proposal

    def get_proposal(moved: Array, others: Sequence[Array], random: np.random.RandomState) -> tuple[Array, Array]:
        partners = np.split(np.concatenate(others), ensembles)
        parts = [propose(own, [near], random) for own, near in zip(np.split(moved, ensembles), partners, strict=True)]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    move.randomize_split = False
    move.get_proposal = get_proposal
    return move

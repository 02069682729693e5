"""How the walkers of a sampler move: several ensembles in one batch, helped by the normal approximation."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Degrees of freedom of the independent proposals: tails heavier than any posterior with these priors.
DEGREES = 5.0

# How often each move is made. Independent proposals forget where a walker was; differential evolution follows what the
# normal approximation does not describe; whole differences jump between modes.
SHARES = (0.5, 0.4, 0.1)


def moves(ensembles: int) -> list[tuple[Any, float]]:
    """The moves of `calibration.uncertainty.sample` for emcee, where the normal approximation is standard normal.

    Parameters
    ----------
    ensembles
        Number of ensembles whose walkers lie one behind the other; they never look at each other.

    Returns
    -------
    list
        Moves with their shares.

    References
    ----------
    Foreman-Mackey, D. et al. (2013), emcee: the MCMC hammer, PASP 125. ter Braak, C. J. F. (2006), A Markov chain Monte
    Carlo version of the genetic algorithm differential evolution, Statistics and Computing 16.
    """
    from emcee.moves import DEMove, MHMove

    made = (MHMove(independent), _apart(DEMove(), ensembles), _apart(DEMove(gamma0=1.0), ensembles))
    return list(zip(made, SHARES, strict=True))


def independent(points: Array, random: np.random.RandomState) -> tuple[Array, Array]:
    """Propose from a multivariate Student-t around the estimate, wherever a walker is.

    Parameters
    ----------
    points
        Where the walkers are, shape (walker, parameter).
    random
        The generator emcee hands over.

    Returns
    -------
    proposals : ndarray
        Shape of `points`.
    factors : ndarray
        Logarithm of the density of coming back over that of going, shape (walker,).
    """
    size = points.shape
    width = np.sqrt(random.chisquare(DEGREES, size=(size[0], 1)) / DEGREES)
    proposals = random.standard_normal(size) / width
    return proposals, log_student(points) - log_student(proposals)


def log_student(points: Array) -> Array:
    """Log density of the proposals of `independent`, up to a constant, shape (walker,)."""
    squares = (points**2).sum(axis=1)
    return np.asarray(-0.5 * (DEGREES + points.shape[1]) * np.log1p(squares / DEGREES))


def _apart(move: Any, ensembles: int) -> Any:
    """Let a move of emcee take its partners from the walker's own ensemble alone.

    Walkers of all ensembles step together, so that one batch of simulations serves all of them. Even and odd walkers
    take turns; with an even number in each ensemble both halves keep the ensembles one behind the other.
    """
    propose: Callable[..., tuple[Array, Array]] = move.get_proposal

    def get_proposal(moved: Array, others: Sequence[Array], random: np.random.RandomState) -> tuple[Array, Array]:
        partners = np.split(np.concatenate(others), ensembles)
        parts = [propose(own, [near], random) for own, near in zip(np.split(moved, ensembles), partners, strict=True)]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    move.randomize_split = False
    move.get_proposal = get_proposal
    return move

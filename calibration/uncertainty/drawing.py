"""Draws that a fit gets if nobody sampled it: those that `gapsim calibrate` keeps, made in a script when needed."""

from functools import cached_property

from calibration.fitting.point import fitted_point
from calibration.fitting.results import Fit
from calibration.uncertainty.importance import FOR_INTERVALS, WeightedDraws, weighted_at
from calibration.uncertainty.sampling import PosteriorSample, sample
from pysd_runner.core.progress import ProgressCallback
from pysd_runner.evidence.weights import DRAWS

# Effective draws wanted per draw that an interval needs where measured effects weigh them too.
LEFT = 5


class Posterior:
    """The posterior of a fit, drawn from when it is first called and not again: the entry `Fit.posterior`.

    Weighted draws are made of a model of regions, with the seed of the fit; where fewer than 400 are effective, the
    sampler makes as many. Fits of other models keep the normal approximation, and so do one that moved no parameter and
    one that was loaded.

    Parameters
    ----------
    fit
        A fit in the session that made it.
    progress
        As for `sample`.
    """

    def __init__(self, fit: Fit, progress: ProgressCallback = None) -> None:
        self._fit, self._progress = fit, progress

    @property
    def is_drawn(self) -> bool:
        """Whether there is anything to draw, and whether projections of the model warn of what is not sampled."""
        problem = self._fit.problem
        return problem is not None and len(problem.space) > 0 and bool(problem.design.unsampled)

    @cached_property
    def draws(self) -> WeightedDraws | PosteriorSample:
        """Weighted draws, or those of the sampler if too few are effective."""
        seed, problem = self._fit.fitted.provenance["seed"], self._fit.problem
        is_weighed = any(item.is_used for item in problem.spec.evidence.values())
        least = FOR_INTERVALS * (LEFT if is_weighed else 1)
        found = weighted_at(fitted_point(self._fit), least=least, seed=seed)
        if found.effective >= FOR_INTERVALS:
            return found
        return sample(self._fit, draws=DRAWS, seed=seed, progress=self._progress)

    def __call__(self, fit: Fit) -> Fit:
        """Add the draws to the fit, or to one that says more of it."""
        if not self.is_drawn:
            return fit
        draws = self.draws
        if isinstance(draws, PosteriorSample):
            return draws.attached(fit)
        return draws.attached(fit, DRAWS, fit.fitted.provenance["seed"])

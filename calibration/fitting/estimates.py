"""Results of a fit for each parameter, series and search, the normal approximation, and findings about problems."""

from collections.abc import Iterator, Sequence
from dataclasses import field

import numpy as np

from calibration.fitting.space import ParameterSpace
from calibration.optimisers import SAME_COST, SearchOutcome, Starts
from pysd_runner.core.errors import Message, joined
from pysd_runner.core.findings import Finding
from pysd_runner.core.numbers import three_digits
from pysd_runner.core.types import Array, Numbers, frozen

# Minimum contraction for each phrase, in descending order.
EVIDENCE = (
    (0.90, Message("determined by the {source}")),
    (0.50, Message("mostly the {source}")),
    (0.20, Message("{source} and prior")),
    (0.05, Message("mostly prior")),
)
PRIOR_ONLY = Message("prior")
# Minimum contraction for tables to show a parameter whose role is neither FREE nor FREE*.
LEAST_SHOWN = 0.05
# Distance between the end of the stages and the joint optimum, in posterior standard deviations, to report as conflict.
STAGES_APART = 2.0
# Maximum gradient per prior standard deviation at an optimum, for a curvature of one on that scale (priors alone): the
# optimum is then within 0.02 prior standard deviations of the end point and 0.0002 of its cost. The limit grows with
# the root of the curvature that the data add. Optima at a kink of a table function have a gradient on either side.
# Gradients below the limit depend on rounding in the libraries: 0.0014 occurred with some versions.
STEEPEST = 0.02
# Maximum autocorrelation of innovations, and minimum number of observations of a series to test it.
LEFTOVER = 0.3
MIN_OBSERVATIONS = 60
# Distance from the prior median, in prior standard deviations, beyond which an estimate contradicts its prior.
CONTRADICTS_PRIOR = 3.0
# Poisson errors are reported as overdispersed if Pearson's chi-square per degree of freedom exceeds DISPERSED and its
# p-value is below BY_CHANCE.
DISPERSED, BY_CHANCE = 2.0, 0.01


# In place of `evidence` where a check of the fit failed.
NOT_JUDGED = Message("not judged, since a check failed")


def evidence(contraction: float, *, source: str = Message("panel")) -> str:
    """Phrase for the sources of an estimate, panel or prior, according to its contraction.

    >>> evidence(0.95), evidence(0.1), evidence(0.0)
    ('determined by the panel', 'mostly prior', 'prior')
    """
    found = next((words for least, words in EVIDENCE if contraction >= least), PRIOR_ONLY)
    return Message(found, source=source)


@frozen
class ParameterEstimate:
    """Estimate of one parameter, with its prior and how far the panel determines it."""

    key: str
    name: str
    unit: str
    role: str
    stage: str
    estimate: float
    standard_error: float
    low: float
    high: float
    lower_bound: float
    upper_bound: float
    prior_median: float
    prior_low: float
    prior_high: float
    score: float  # distance of the estimate from the prior median in prior standard deviations
    contraction: float  # one minus ratio of posterior to prior variance
    at_bound: str  # ``""``, ``"lower"`` or ``"upper"``
    words: str  # phrase for the sources of the estimate, see `evidence`
    price_basis: str  # price basis of a monetary parameter; empty otherwise
    en: str
    zh: str

    @property
    def is_shown(self) -> bool:
        """Whether tables show the parameter: its role is FREE or FREE*, or its contraction exceeds `LEAST_SHOWN`."""
        return self.role.startswith("FREE") or self.contraction > LEAST_SHOWN


@frozen
class RidgeEstimate:
    """Estimate of an identified combination of parameters that the panel does not identify separately."""

    ridge: str  # key of the declaration
    name: str
    estimate: float
    low: float
    high: float
    contraction: float  # one minus ratio of posterior to prior variance of the logarithm (for shares, the logit)
    en: str
    zh: str

    @property
    def words(self) -> str:
        """Description in one clause, for reports."""
        return Message(
            "Ridge {ridge}: {name} {estimate:.4g} ({low:.4g} to {high:.4g}): {words}",
            ridge=self.ridge,
            name=Message(self.name),
            estimate=self.estimate,
            low=self.low,
            high=self.high,
            words=evidence(self.contraction),
        )


@frozen
class SeriesFit:
    """Fit of one series: its error model, and diagnostics of the residuals."""

    measurement: str
    indicator: str
    relative: bool
    increments: bool
    national: bool
    observations: int
    missing: int
    unusable: int
    declared_sd: float  # standard deviation before the fit
    sd: float
    persistence: float
    total_sd: float
    rms: float
    wild: int  # number of outliers, whose innovation exceeds `calibration.observation.HUBER_K` standard deviations
    leftover: float
    en: str
    zh: str
    errors: str = ""  # description of the declared error distribution
    region_sds: tuple[float, ...] = ()  # standard deviation of the innovations of each region
    interval: str = Message("a year")  # time lag of the persistence, in words

    @property
    def label(self) -> str:
        """Measurement and indicator, separated by a colon."""
        return f"{self.measurement}:{self.indicator}"

    @property
    def words(self) -> str:
        """Description of the errors in one clause, for reports."""
        name = self.measurement if self.measurement == self.indicator else self.label
        parts = [Message("{label}: {errors}", label=name, errors=self.errors)]
        if self.sd:
            parts.append(Message("; sd {sd:.3g}", sd=self.sd))
        if self.region_sds:
            low, high = min(self.region_sds), max(self.region_sds)
            parts.append(Message(", in regions {low:.3g} to {high:.3g}", low=low, high=high))
        if self.persistence > 0:
            parts.append(
                Message(
                    ", autocorrelation {share:.2f} after {interval}", share=self.persistence, interval=self.interval
                )
            )
        return joined(parts, "")


@frozen
class HeldOut:
    """Forecast skill of a fit for held-out observations."""

    measurement: str  # key of the column
    observations: int  # number of held-out values
    rmse: float  # root mean square error of the median forecast, in the unit of the column
    naive_rmse: float  # root mean square error if the last observation is carried forward
    bias: float  # mean of forecast minus observed
    covered: float  # share of the values within the interval
    level: float  # probability of the interval

    @property
    def words(self) -> str:
        """Description in one sentence, for reports."""
        ratio = self.rmse / self.naive_rmse if self.naive_rmse > 0 else float("inf")
        return Message(
            "Held out, {column}: {count} values, root mean square error {error}, {ratio:.2f} times that of holding the "
            "last value{verdict}; {covered:.0f} % lie in the {level:.0f} % interval",
            column=self.measurement,
            count=self.observations,
            error=three_digits(self.rmse, digits=4),
            ratio=ratio,
            verdict="" if ratio < 1 else Message(": nothing is gained over it"),
            covered=100 * self.covered,
            level=100 * self.level,
        )


@frozen
class Search:
    """Result of one search."""

    start: str  # starting point: ``"staged"`` for the end of the stages, otherwise ``"prior draw"``
    cost: float  # half the sum of squared residuals
    outcome: str
    message: str
    evaluations: int
    distance: float  # largest difference of a parameter from the best end, in posterior standard deviations


@frozen
class LocalOptimum:
    """Searches that ended at the same optimum, see `calibration.optimisers.multistart.basins`."""

    starts: tuple[int, ...]  # indices of the starting points, 0 for the end of the stages
    cost: float
    rise: float
    distance: float
    furthest: str
    point: Numbers  # values of the estimated parameters, by key

    @property
    def words(self) -> str:
        """Description in one sentence, for reports."""
        count = {"count": len(self.starts), "searches": "search" if len(self.starts) == 1 else "searches"}
        if not self.furthest:
            return Message("{count} {searches} ended at the best optimum, cost {cost:.6g}", cost=self.cost, **count)
        return Message(
            "{count} {searches} ended at another local optimum, cost higher by {rise:.2g}, {distance:.2g} prior "
            "standard deviations away in {parameter}",
            rise=self.rise,
            distance=self.distance,
            parameter=self.furthest,
            **count,
        )


@frozen(eq=False)
class Laplace:
    """Normal approximation of the posterior."""

    covariance: Array  # on the unconstrained scale, shape (parameter, parameter)
    contraction: Array  # one minus ratio of posterior to prior variance, shape (parameter,)
    is_positive_definite: bool  # whether the curvature at the mode is finite and positive in every direction
    flattest: float  # smallest eigenvalue of the curvature, in prior standard deviations; one if from the prior alone
    # Of a payoff: roots of the eigenvalues, and eigenvectors in rows, both in prior standard deviations.
    strengths: Array = field(default_factory=lambda: np.zeros(0))
    directions: Array = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def spread(self) -> Array:
        """Posterior standard deviations on the unconstrained scale, shape (parameter,)."""
        return np.sqrt(np.diag(self.covariance))


def laplace(space: ParameterSpace, z: Array, jacobian: Array) -> Laplace:
    """Normal approximation at the mode: ``covariance = (J'J)^-1``, with J including the rows of the priors."""
    slopes = space.prior_slopes(z)
    # In units of prior standard deviations the prior rows are the identity, so that the inverse is well conditioned.
    scaled = jacobian / slopes
    curvature = scaled.T @ scaled
    sound = bool(np.isfinite(curvature).all())
    eigenvalues, vectors = np.linalg.eigh(curvature) if sound else (np.ones(len(z)), np.eye(len(z)))
    sound = sound and bool((eigenvalues > 0).all())
    spread = (vectors / eigenvalues) @ vectors.T if sound else np.eye(len(z))
    covariance = spread / np.outer(slopes, slopes)
    return Laplace(
        covariance=0.5 * (covariance + covariance.T),
        contraction=1 - np.diag(spread),
        is_positive_definite=sound,
        flattest=float(eigenvalues.min()) if sound and len(z) else 1.0,
    )


def search_findings(starts: Starts, searches: Sequence[Search], laplace: Laplace) -> Iterator[Finding]:
    """Findings on searches that failed or ended at different optima, and on a singular curvature."""
    best = starts.best
    is_steep = best.slope > STEEPEST * laplace.flattest**0.5 and best.outcome is SearchOutcome.CONVERGED
    if not best.outcome.is_success:
        yield Finding("not-converged", best.outcome.value, "error")
    elif is_steep and not len(laplace.strengths):
        yield Finding(
            "not-flat",
            Message("The best end is no optimum: its scaled gradient is {slope:.2g}.", slope=best.slope),
            "error",
        )
    if not laplace.is_positive_definite:
        yield Finding(
            "covariance",
            Message("The curvature at the optimum is not positive definite; standard errors are those of the prior."),
            "error",
        )
    if starts.failed and best.outcome.is_success:
        text = Message(
            "{failed} of {all} searches did not converge and were left out.",
            failed=len(starts.failed),
            all=len(starts.optima),
        )
        yield Finding("failed-starts", text, "warning")
    if starts.elsewhere:
        rises = ", ".join(f"{item.cost - best.cost:.2g}" for item in starts.elsewhere)
        agree = sum(item.outcome == best.outcome.word for item in searches) - len(starts.elsewhere)
        yield Finding(
            "local-optima",
            Message(
                "{other} of {all} searches ended at another optimum, higher by {rises}; {agree} found the best one.",
                other=len(starts.elsewhere),
                all=len(starts.optima),
                rises=rises,
                agree=agree,
            ),
            "warning",
        )


def twin_findings(optima: Sequence[LocalOptimum]) -> Iterator[Finding]:
    """Findings on distinct optima with the same cost as the best one."""
    for item in optima:
        if item.furthest and item.rise < SAME_COST:
            yield Finding(
                "twin-optima",
                Message(
                    "Searches ended equally low {distance:.2g} prior standard deviations apart in {parameter}: panel "
                    "and priors do not tell these values from each other.",
                    distance=item.distance,
                    parameter=item.furthest,
                ),
                "warning",
            )


def parameter_findings(parameters: Sequence[ParameterEstimate]) -> Iterator[Finding]:
    """Findings on estimates at bounds, intervals cut by bounds, and estimates far from their priors."""
    for item in parameters:
        if item.at_bound:
            yield Finding(
                "at-bound",
                Message(
                    "{name} ({parameter}) ended at its {side} bound, {estimate:.4g} {unit}: its standard error means "
                    "little, as nothing beyond is held possible. Check unit and definition of the columns that pull it "
                    'there; if they are right, hold it at a known value (values= in Python, role = "FIX" in '
                    "declarations of your own) or move the bound.",
                    name=item.name,
                    parameter=item.key,
                    side=Message(item.at_bound),
                    estimate=item.estimate,
                    unit=item.unit,
                ),
                "error" if item.role == "FREE" else "warning",
            )
            continue
        if abs(item.score) > CONTRADICTS_PRIOR:
            yield Finding(
                "far-from-prior",
                Message(
                    "{name} ({parameter}) lies {score:.1f} prior standard deviations from its prior median: data "
                    "and prior contradict each other.",
                    name=item.name,
                    parameter=item.key,
                    score=abs(item.score),
                ),
                "warning",
            )
        if item.low <= item.lower_bound or item.high >= item.upper_bound:
            side, bound = ("lower", item.lower_bound) if item.low <= item.lower_bound else ("upper", item.upper_bound)
            yield Finding(
                "interval-cut",
                Message(
                    "The 90 % interval of {name} ({parameter}) is cut by its {side} bound, {bound:.4g} {unit}.",
                    name=item.name,
                    parameter=item.key,
                    side=Message(side),
                    bound=bound,
                    unit=item.unit,
                ),
                "warning",
            )


def series_findings(series: Sequence[SeriesFit]) -> Iterator[Finding]:
    """Findings on series whose innovations are still autocorrelated."""
    for item in series:
        if item.observations >= MIN_OBSERVATIONS and abs(item.leftover) > LEFTOVER:
            yield Finding(
                "leftover-persistence",
                Message(
                    "Errors of {measurement} ({indicator}) still follow each other (correlation {value:+.2f}): "
                    "standard errors that rest on it are too small or too large.",
                    measurement=item.measurement,
                    indicator=item.indicator,
                    value=item.leftover,
                ),
                "warning",
            )


def dispersion_findings(measurement: str, indicator: str, statistic: float, freedom: float) -> Iterator[Finding]:
    """Finding on counts that vary more than Poisson errors allow, by Pearson's chi-square."""
    from scipy.stats import chi2

    ratio = statistic / freedom
    if ratio > DISPERSED and chi2.sf(statistic, freedom) < BY_CHANCE:
        yield Finding(
            "overdispersed",
            Message(
                "Counts of {measurement} ({indicator}) vary more than Poisson errors allow: Pearson's chi-square is "
                "{score:.2g} per degree of freedom, 1 is expected, so intervals are too narrow by a factor of "
                "{size:.2g}; declare errors of the family negative_binomial.",
                measurement=measurement,
                indicator=indicator,
                score=ratio,
                size=ratio**0.5,
            ),
            "error",
        )


def stage_findings(key: str, distance: float) -> Iterator[Finding]:
    """Finding on a parameter that differs between the end of the stages and the joint optimum."""
    if distance > STAGES_APART:
        yield Finding(
            "stages-apart",
            Message(
                "Fitted block by block and jointly, {parameter} differs by {distance:.1f} standard errors: the blocks "
                "pull it in different directions.",
                parameter=key,
                distance=distance,
            ),
            "warning",
        )

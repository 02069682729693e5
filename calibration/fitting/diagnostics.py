"""What a reader must know before trusting a fit."""

from collections.abc import Iterator, Sequence

from calibration.fitting.estimates import Laplace, LocalOptimum, ParameterEstimate, Search, SeriesFit
from calibration.optimisers import SAME_COST, SearchOutcome, Starts
from pysd_runner.core.errors import Message
from pysd_runner.core.findings import Finding

# Stages that end further from the joint optimum than this disagree about a parameter, in posterior standard deviations.
STAGES_APART = 2.0
# Gradient per prior standard deviation above which an end is no optimum, where the curvature on that scale is one, that
# of the priors alone: the optimum lies within 0.02 prior standard deviations and 0.0002 in the cost of a flatter end.
# Where the data add curvature, a steeper end is as close; at the corner of a table an optimum has a slope on either
# side. Where a search ends below that hangs on the library's last digits: 0.0014 was seen with some versions.
STEEPEST = 0.02
# Correlation of innovations that is left, for series long enough to tell.
LEFTOVER = 0.3
FEWEST = 60
# An estimate this many prior standard deviations from the prior's centre contradicts it.
FAR = 3.0
# Pearson's chi-square per degree of freedom above which counts are no Poisson's, where chance gives as much in one fit
# of a hundred at most.
DISPERSED, BY_CHANCE = 2.0, 0.01


def search_findings(starts: Starts, searches: Sequence[Search], laplace: Laplace) -> Iterator[Finding]:
    """Look at how the searches ended."""
    best = starts.best
    if not best.outcome.is_success:
        yield Finding("not-converged", best.outcome.value, "error")
    elif best.slope > STEEPEST * laplace.flattest**0.5 and best.outcome is SearchOutcome.CONVERGED:
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
    """Look for optima that are as low as the best one."""
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
    """Look at estimates at bounds and far from their priors."""
    for item in parameters:
        if item.at_bound:
            yield Finding(
                "at-bound",
                Message(
                    "{name} ({parameter}) ended at its {side} bound, {estimate:.4g} {unit}: its standard error means "
                    "little; look at the bound or the measurement.",
                    name=item.name,
                    parameter=item.key,
                    side=Message(item.at_bound),
                    estimate=item.estimate,
                    unit=item.unit,
                ),
                "error" if item.role == "FREE" else "warning",
            )
            continue
        if abs(item.score) > FAR:
            yield Finding(
                "far-from-prior",
                Message(
                    "{name} ({parameter}) lies {score:.1f} prior standard deviations from its prior median: panel "
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
    """Look at what the errors of the series leave unexplained."""
    for item in series:
        if item.observations >= FEWEST and abs(item.leftover) > LEFTOVER:
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
    """Compare Pearson's chi-square of Poisson errors with its degrees of freedom."""
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


def stage_finding(key: str, distance: float) -> Finding | None:
    """Compare the end of the stages with the joint optimum."""
    if distance <= STAGES_APART:
        return None
    return Finding(
        "stages-apart",
        Message(
            "Fitted block by block and jointly, {parameter} differs by {distance:.1f} standard errors: the blocks "
            "pull it in different directions.",
            parameter=key,
            distance=distance,
        ),
        "warning",
    )


def settling_finding() -> Finding:
    """Say that the errors of the series were still moving when the fit ended."""
    text = Message("The errors of the series still moved when the last round ended; standard errors are approximate.")
    return Finding("errors-moving", text, "warning")

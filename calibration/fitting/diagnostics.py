"""What a reader must know before trusting a fit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from calibration.fitting.estimates import LocalOptimum, ParameterEstimate, Search, SeriesFit
from calibration.fitting.laplace import Laplace
from calibration.optimisers import SAME_COST, Outcome, Starts

Severity = Literal["error", "warning"]

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


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a fit that a reader must know."""

    rule: str  # short name, stable for programs
    message: str
    severity: Severity  # ``"error"``: a diagnostic failed; ``"warning"``: it holds, with this in mind

    def __str__(self) -> str:
        """Severity and sentence."""
        return f"{self.severity}: {self.message}"


def search_findings(starts: Starts, searches: Sequence[Search], laplace: Laplace) -> Iterator[Finding]:
    """Look at how the searches ended."""
    best = starts.best
    if not best.outcome.is_success:
        yield Finding("not-converged", best.outcome.value, "error")
    elif best.slope > STEEPEST * laplace.flattest**0.5 and best.outcome is Outcome.CONVERGED:
        yield Finding("not-flat", f"The best end is no optimum: its scaled gradient is {best.slope:.2g}.", "error")
    if not laplace.is_positive_definite:
        yield Finding(
            "covariance",
            "The curvature at the optimum is not positive definite; standard errors are those of the prior.",
            "error",
        )
    if starts.failed and best.outcome.is_success:
        counts = f"{len(starts.failed)} of {len(starts.optima)}"
        yield Finding("failed-starts", f"{counts} searches did not converge and were left out.", "warning")
    if starts.elsewhere:
        rises = ", ".join(f"{item.cost - best.cost:.2g}" for item in starts.elsewhere)
        agree = sum(item.outcome == best.outcome.word for item in searches) - len(starts.elsewhere)
        yield Finding(
            "local-optima",
            f"{len(starts.elsewhere)} of {len(starts.optima)} searches ended at another optimum, higher by {rises}; "
            f"{agree} found the best one.",
            "warning",
        )


def twin_findings(optima: Sequence[LocalOptimum]) -> Iterator[Finding]:
    """Look for optima that are as low as the best one."""
    for item in optima:
        if item.furthest and item.rise < SAME_COST:
            yield Finding(
                "twin-optima",
                f"Searches ended equally low {item.distance:.2g} prior standard deviations apart in {item.furthest}: "
                "panel and priors do not tell these values from each other.",
                "warning",
            )


def parameter_findings(parameters: Sequence[ParameterEstimate]) -> Iterator[Finding]:
    """Look at estimates at bounds and far from their priors."""
    for item in parameters:
        if item.at_bound:
            yield Finding(
                "at-bound",
                f"{item.name} ({item.key}) ended at its {item.at_bound} bound, {item.estimate:.4g} {item.unit}: "
                "its standard error means little; look at the bound or the measurement.",
                "error" if item.role == "FREE" else "warning",
            )
            continue
        if abs(item.score) > FAR:
            yield Finding(
                "far-from-prior",
                f"{item.name} ({item.key}) lies {abs(item.score):.1f} prior standard deviations from its prior median: "
                "panel and prior contradict each other.",
                "warning",
            )
        if item.low <= item.lower_bound or item.high >= item.upper_bound:
            side, bound = ("lower", item.lower_bound) if item.low <= item.lower_bound else ("upper", item.upper_bound)
            yield Finding(
                "interval-cut",
                f"The 90 % interval of {item.name} ({item.key}) is cut by its {side} bound, {bound:.4g} {item.unit}.",
                "warning",
            )


def series_findings(series: Sequence[SeriesFit]) -> Iterator[Finding]:
    """Look at what the errors of the series leave unexplained."""
    for item in series:
        if item.observations >= FEWEST and abs(item.leftover) > LEFTOVER:
            yield Finding(
                "leftover-persistence",
                f"Errors of {item.measurement} ({item.indicator}) still follow each other (correlation "
                f"{item.leftover:+.2f}): standard errors that rest on it are too small or too large.",
                "warning",
            )


def dispersion_findings(measurement: str, indicator: str, statistic: float, freedom: float) -> Iterator[Finding]:
    """Compare Pearson's chi-square of Poisson errors with its degrees of freedom."""
    from scipy.stats import chi2

    ratio = statistic / freedom
    if ratio > DISPERSED and chi2.sf(statistic, freedom) < BY_CHANCE:
        yield Finding(
            "overdispersed",
            f"Counts of {measurement} ({indicator}) vary more than Poisson errors allow: Pearson's chi-square is "
            f"{ratio:.2g} per degree of freedom, 1 is expected, so intervals are too narrow by a factor of "
            f"{ratio**0.5:.2g}; declare errors of the family negative_binomial.",
            "error",
        )


def stage_finding(key: str, distance: float) -> Finding | None:
    """Compare the end of the stages with the joint optimum."""
    if distance <= STAGES_APART:
        return None
    return Finding(
        "stages-apart",
        f"Fitted block by block and jointly, {key} differs by {distance:.1f} standard errors: "
        "the blocks pull it in different directions.",
        "warning",
    )


def settling_finding() -> Finding:
    """Say that the errors of the series were still moving when the fit ended."""
    text = "The errors of the series still moved when the last round ended; standard errors are approximate."
    return Finding("errors-moving", text, "warning")

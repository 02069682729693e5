"""What the authors of a payoff could not know: bounds, directions that it does not settle, steps against points."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from calibration.fitting.bound_series import compared_series, series_of_variable
from calibration.fitting.estimates import BY_CHANCE, DISPERSED, Laplace, ParameterEstimate
from calibration.fitting.payoff import Payoff
from calibration.observation.noise import LEAST_COUNT
from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.findings import Finding
from pysd_runner.core.numbers import three_digits
from pysd_runner.core.types import Array
from pysd_runner.simulation.run import element_name, located
from pysd_runner.spec.declarations import ObjectiveTerm
from pysd_runner.study.equations import expression_of

if TYPE_CHECKING:
    from calibration.fitting.problem import Problem

# Strength of a direction below which its prior is narrower than what the payoff says of it.
SETTLED = 1.0
# Ratio of steps to points above which it is told.
OVERCOUNTED = 1.5
# Minimum weight of a parameter in a direction to be named, and maximum number of directions and of parameters named.
LEAST_SHARE, MOST_DIRECTIONS, MOST_NAMED = 0.3, 6, 4


def payoff_findings(
    problem: "Problem", point: Array, curvature: Laplace, parameters: Sequence[ParameterEstimate]
) -> Iterator[Finding]:
    """Findings on the fit of a payoff."""
    yield from _at_bounds(parameters)
    yield from _unsettled(problem.space.keys, curvature)
    if problem.payoff is None:
        yield from _squares(problem, point)
        return
    yield from _steps_against_points(problem, problem.payoff)
    pairs = [term.declared for term in problem.payoff.terms if term.declared.data]
    for term in pairs:
        yield from _residuals(problem, problem.payoff, term, point)
    if not problem.series and not pairs:
        text = Message(
            "The payoff names no pairs of data and model, so that there are no residuals: chi-square, correlation of "
            "errors, values held out and coverage of intervals are not known."
        )
        yield Finding("no-residuals", text, "warning")


def _at_bounds(parameters: Sequence[ParameterEstimate]) -> Iterator[Finding]:
    held = [item for item in parameters if item.at_bound]
    if held:
        listed = ", ".join(f"{item.key} = {three_digits(item.estimate)}" for item in held)
        text = Message(
            "{count} of {all} parameters ended at a bound, which decides them: {listed}.",
            count=len(held),
            all=len(parameters),
            listed=listed,
        )
        yield Finding("at-bound", text, "warning")


def _unsettled(keys: Sequence[str], curvature: Laplace) -> Iterator[Finding]:
    """Eigenvectors of the curvature along which the payoff falls by less than the prior allows."""
    flat = [place for place in np.argsort(curvature.strengths) if curvature.strengths[place] < SETTLED]
    if flat:
        named = "; ".join(_direction(keys, curvature.directions[place]) for place in flat[:MOST_DIRECTIONS])
        text = Message(
            "{count} of {all} directions inside the bounds are not settled by the payoff, which changes by less than "
            "one half within a prior standard deviation: {named}{more}.",
            count=len(flat),
            all=len(curvature.strengths),
            named=named,
            more=", ..." if len(flat) > MOST_DIRECTIONS else "",
        )
        yield Finding("unsettled", text, "warning")


def _direction(keys: Sequence[str], vector: Array) -> str:
    order = np.argsort(-np.abs(vector), kind="stable")[:MOST_NAMED]
    sign = np.sign(vector[order[0]])
    kept = [place for place in order if abs(vector[place]) >= LEAST_SHARE] or [order[0]]
    return " ".join(f"{sign * vector[place]:+.2f} {keys[place]}" for place in kept).lstrip("+")


def _steps_against_points(problem: "Problem", payoff: Payoff) -> Iterator[Finding]:
    """Finding on a payoff that counts values between the points of its data as if they were observed."""
    names = [name for term in payoff.terms if term.declared.at == "steps" for name in term.variable.variables]
    first, last = payoff.runs.moments[[0, -1]]
    inside = [
        int(((item.times >= first) & (item.times <= last)).sum())
        for item in compared_series(problem.model.ir, names).values()
        if item.is_filled
    ]
    counts = [count for count in inside if count]
    # With the time step as a factor, the payoff does not grow with the number of steps in a unit of time.
    step = (last - first) / max(payoff.steps - 1, 1) if payoff.objective.times == "time" else 1.0
    ratio = payoff.steps * step / max(float(np.mean(counts)), 1.0) if counts else 0.0
    if ratio > OVERCOUNTED:
        text = Message(
            "The payoff counts {steps} steps{by}, but the data that it reads have {points} points ({series} series, "
            "{least} to {most} points each): for independent errors, intervals are up to {factor} times too narrow if "
            "nothing else in the payoff corrects it.",
            steps=payoff.steps,
            by=Message(" of {step}", step=three_digits(step)) if step != 1.0 else "",
            points=three_digits(float(np.mean(counts))),
            series=len(counts),
            least=min(counts),
            most=max(counts),
            factor=three_digits(ratio**0.5),
        )
        yield Finding("steps-and-points", text, "warning")


def _squares(problem: "Problem", point: Array) -> Iterator[Finding]:
    """Finding on the residuals of all measurements if their errors are normal and of given size."""
    if all(item.is_given and item.errors.family == "normal" for item in problem.series):
        names = (", ".join(dict.fromkeys(item.indicator for item in problem.series)), problem.model.path.name)
        count = sum(len(item.cells) for item in problem.series)
        yield _chi_square(names, -problem.payoff_at(point), count, len(point), Message("normal errors"))


def _residuals(problem: "Problem", payoff: Payoff, term: ObjectiveTerm, point: Array) -> Iterator[Finding]:
    """Finding on the residuals of a named pair at the points of its data, by Pearson's chi-square under its law."""
    observed, expected = _at_points(problem, payoff, term, point)
    if term.law and len(observed):
        is_count = term.law == "poisson"
        variances = np.maximum(expected, LEAST_COUNT) if is_count else 1.0
        statistic = float(((observed - expected) ** 2 / variances).sum())
        law = Message("Poisson counts") if is_count else Message("normal errors")
        yield _chi_square((term.data, term.model), statistic, len(observed), len(point), law)


def _chi_square(names: tuple[str, str], statistic: float, count: int, free: int, law: str) -> Finding:
    """Finding on Pearson's chi-square of data and a model, named in this order."""
    from scipy.stats import chi2

    freedom = max(count - free, 1)
    score = statistic / freedom
    is_wide = score > DISPERSED and chi2.sf(statistic, freedom) < BY_CHANCE
    text = Message(
        "{data} about {model}: Pearson's chi-square is {score} per degree of freedom ({count} points) under {law}, "
        "where 1 is expected{verdict}.",
        data=names[0],
        model=names[1],
        score=three_digits(score),
        count=count,
        law=law,
        verdict=Message(", so intervals are too narrow by {size}", size=three_digits(score**0.5)) if is_wide else "",
    )
    return Finding("chi-square", text, "warning" if is_wide else "ok")


def _at_points(problem: "Problem", payoff: Payoff, term: ObjectiveTerm, point: Array) -> tuple[Array, Array]:
    """Observed and simulated values of a named pair at all points of its data within the run, shape (value,) each."""
    model, compared = problem.model, expression_of(problem.model, term.model)
    runs = payoff.runs.copied(outcomes=compared.variables)
    variable, position = located(model, term.data)
    every = list(series_of_variable(model.ir, variable))
    seen = [item for item in every if position is None or item.name == element_name(model.ir, variable, position)]
    values = compared.value(runs.batch(problem.parameters_at(point), 1))[0]
    rows = values.reshape(-1, values.shape[-1])
    if len(rows) != len(seen):
        raise InvalidInput(
            "objective: {data} has {found} series of points, and {model} {expected} elements; name one element of each",
            data=term.data,
            found=len(seen),
            model=term.model,
            expected=len(rows),
        )
    moments = runs.moments
    observed, expected = [], []
    for item, row in zip(seen, rows, strict=True):
        inside = (item.times >= moments[0]) & (item.times <= moments[-1])
        observed.append(item.values[inside])
        expected.append(np.interp(item.times[inside], moments, row))
    return np.concatenate(observed), np.concatenate(expected)

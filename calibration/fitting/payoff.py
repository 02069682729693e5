"""A log posterior that the model computes itself: a weighted sum of its variables over time, with its derivatives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from calibration.fitting.bound import ModelRuns
from calibration.fitting.entering import Entering, Parameters, Spreads
from pysd_runner.core.errors import InvalidInput, Message, joined
from pysd_runner.core.types import Array, Arrays, Flags
from pysd_runner.model import Model
from pysd_runner.spec.declarations import Objective, ObjectiveTerm
from pysd_runner.study.equations import Expression, expression_of

# Largest number of parameters that a search of a payoff takes.
MOST_FREE = 200
# Times at which a term counts.
_PLACES = {"steps": slice(None), "end": slice(-1, None), "start": slice(0, 1)}


@dataclass(frozen=True, slots=True)
class Term:
    """A term of a payoff, ready to be computed."""

    declared: ObjectiveTerm
    variable: Expression
    weight: Expression | float
    factor: float  # time step if sums over steps are multiplied by it, otherwise one

    @classmethod
    def of(cls, model: Model, declared: ObjectiveTerm, factor: float) -> "Term":
        """Find the variables of a term in a model."""
        weight = declared.weight
        return cls(
            declared=declared,
            variable=expression_of(model, declared.variable),
            weight=expression_of(model, weight) if isinstance(weight, str) else weight,
            factor=factor if declared.at == "steps" else 1.0,
        )

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Variables that are computed for the term."""
        weights = () if isinstance(self.weight, float) else self.weight.variables
        return (*self.variable.variables, *weights)

    @property
    def words(self) -> str:
        """The term in a few words."""
        at = {"steps": "", "end": Message(" at the end"), "start": Message(" at the start")}[self.declared.at]
        weight = self.declared.weight
        size = f"{weight:g}" if isinstance(weight, float) else weight
        return Message("{weight} x {variable}{at}", weight=size, variable=self.declared.variable, at=at)

    def missing(self, outcomes: Arrays) -> Flags:
        """Counted cells (element..., time) of the variable that are missing in a single run."""
        found: Flags = np.isnan(self.variable.value(outcomes)[0])
        counted = np.zeros(found.shape[-1], dtype=bool)
        counted[_PLACES[self.declared.at]] = True
        return np.asarray(found & counted)

    def value(self, outcomes: Arrays, left: Flags) -> Array:
        """Contribution for many draws, shape (draw,), without the cells in `left`."""
        values = np.where(left, 0.0, self.variable.value(outcomes))
        weights = self.weight if isinstance(self.weight, float) else self.weight.value(outcomes)
        found = _product(values, weights, lead=1)[..., _PLACES[self.declared.at]]
        return np.asarray(self.factor * found.reshape(len(found), -1).sum(axis=1))

    def linearised(self, outcomes: Arrays, slopes: Arrays, left: Flags) -> tuple[float, Array]:
        """Contribution in one run, and its derivatives, shape (parameter,)."""
        values, moved = self.variable.linearised(outcomes, slopes)
        values, moved = np.where(left, 0.0, values), np.where(left[..., None], 0.0, moved)
        weights: Array | float = 1.0
        if isinstance(self.weight, float):
            slope = self.weight * moved
            weights = self.weight
        else:
            weights, turned = self.weight.linearised(outcomes, slopes)
            slope = _product(moved, weights[..., None]) + _product(values[..., None], turned)
        counted = _PLACES[self.declared.at]
        slope = slope[..., counted, :]
        value = _product(values, weights)[..., counted].sum()
        return self.factor * float(value), self.factor * slope.reshape(-1, slope.shape[-1]).sum(axis=0)


def _product(values: Array, weights: Array | float, *, lead: int = 0) -> Array:
    """Product of two arrays of which one may lack the elements between the `lead` first axes and the last ones."""
    if isinstance(weights, float):
        return values * weights
    most = max(values.ndim, weights.ndim)
    first, second = (
        item.reshape(item.shape[:lead] + (1,) * (most - item.ndim) + item.shape[lead:]) for item in (values, weights)
    )
    return np.asarray(first * second)


class Payoff:
    """A weighted sum of model variables as a function of parameters; like `ModelRuns` it is not thread-safe."""

    def __init__(self, objective: Objective, terms: Sequence[Term], runs: ModelRuns, left: Sequence[Flags]) -> None:
        self.objective, self.terms, self.runs, self.left = objective, tuple(terms), runs, tuple(left)

    @classmethod
    def of(cls, model: Model, objective: Objective, entering: Entering, first: Parameters, **span: Any) -> "Payoff":
        """Set up the payoff of a model.

        Parameters
        ----------
        model, objective
            The model, and what it declares.
        entering
            How parameters enter runs.
        first
            Parameter values at which cells that are missing are found; these are never counted.
        **span
            Start, stop and step of the runs.

        Raises
        ------
        InvalidInput
            If a term is missing at all times, or its weight has other subscripts than its variable.
        """
        factor = float(span["save_every"]) if objective.times == "time" else 1.0
        terms = [Term.of(model, item, factor) for item in objective.terms]
        for term in terms:
            _check_weight(term)
        outcomes = tuple(dict.fromkeys(name for term in terms for name in term.outcomes))
        if lost := sorted(set(outcomes) & set(model.ir.unsettled)):
            raise InvalidInput(
                "the objective of {model} depends on GET DATA AT TIME at the time :NA:, whose meaning is not settled, "
                "through {names}: give that call a time, or take these terms out",
                model=model.path.name,
                names=", ".join(lost),
            )
        runs = ModelRuns(entering, outcomes=outcomes, **span)
        found = runs.batch(first, 1)
        return cls(objective, terms, runs, [term.missing(found) for term in terms])

    def copied(self) -> "Payoff":
        """Copy with its own working memory."""
        return Payoff(self.objective, self.terms, self.runs.copied(), self.left)

    @property
    def steps(self) -> int:
        """Number of times that are counted by a term that counts all of them."""
        return len(self.runs.moments)

    @property
    def words(self) -> str:
        """What is summed, in one sentence."""
        summed = joined((term.words for term in self.terms), " + ")
        by = Message(", times the time step") if self.objective.times == "time" else ""
        return Message(
            "The log posterior is {terms}, summed over {count} steps{by}.", terms=summed, count=self.steps, by=by
        )

    @property
    def notes(self) -> list[str]:
        """Sentences on values that are missing at the start of the search and left out."""
        return [
            Message(
                "{count} of {all} values of {variable} are missing and left out.",
                count=int(left.sum()),
                all=left[..., _PLACES[term.declared.at]].size,
                variable=term.declared.variable,
            )
            for term, left in zip(self.terms, self.left, strict=True)
            if left.any()
        ]

    def values(self, parameters: Parameters, draws: int) -> Array:
        """The payoff of many parameter vectors, shape (draw,); not finite where a run fails."""
        outcomes = self.runs.batch(parameters, draws)
        with np.errstate(all="ignore"):
            return np.asarray(sum(term.value(outcomes, left) for term, left in zip(self.terms, self.left, strict=True)))

    def linearised(self, parameters: Parameters, spreads: Spreads) -> tuple[float, Array]:
        """The payoff of one parameter vector, and its derivatives by the values of parameters, shape (parameter,)."""
        outcomes, slopes = self.runs.linearised(parameters, spreads)
        with np.errstate(all="ignore"):
            parts = [term.linearised(outcomes, slopes, left) for term, left in zip(self.terms, self.left, strict=True)]
        return float(sum(value for value, _ in parts)), np.asarray(sum(slope for _, slope in parts))


def _check_weight(term: Term) -> None:
    if isinstance(term.weight, Expression) and term.weight.dims and term.weight.dims != term.variable.dims:
        raise InvalidInput(
            "objective: weight {weight!r} runs over {found}, but {variable!r} over {expected}; name one element of it",
            weight=term.weight.text,
            found=", ".join(term.weight.dims),
            variable=term.variable.text,
            expected=", ".join(term.variable.dims) or Message("no subscript"),
        )


def check_count(count: int, model: Model) -> None:
    """Raise if there are more free numbers than a search of a payoff takes, or none."""
    if not count:
        raise InvalidInput(
            "{model} declares an objective, but no number to estimate; name some with free (--free), or in "
            "[parameters] of its declarations",
            model=model.path.name,
        )
    if count > MOST_FREE:
        raise InvalidInput(
            "{count} numbers are free, and a search of a payoff takes {most} at most: name fewer with free (--free), "
            'or give the others role = "FIX" in the declarations',
            count=count,
            most=MOST_FREE,
        )

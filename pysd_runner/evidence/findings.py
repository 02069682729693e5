"""Effects that a model implies for its evidence terms, before and after a fit, and how long they last in the model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Array, Arrays, Values, frozen
from pysd_runner.data import Data
from pysd_runner.evidence.implied import ExperimentRuns, beginning_of, experiments_of
from pysd_runner.evidence.weights import is_weighed, terms_of, weigh
from pysd_runner.model import Model
from pysd_runner.spec import FittedParameters, ModelSpec
from pysd_runner.spec.evidence import EvidenceTerm
from pysd_runner.study.draws import parameter_draws
from pysd_runner.study.inputs import declared_in

# Sets up the experiments of some terms.
Asked = Callable[[Sequence[EvidenceTerm]], ExperimentRuns]

# Draws from the priors, and draws in which effects are followed over time.
PRIOR_DRAWS, FOLLOWED = 1000, 200
# Years after the year of the money in which people are looked at; early and late years that are compared.
AFTER, EARLY, LATE = (1, 2, 3, 5, 8, 11, 14), (1, 3), (8, 12)


@frozen(eq=False)
class Persistence:
    """Persistence of the effects of one year's spending.

    Attributes
    ----------
    term
        The evidence term whose experiment is followed: money of one year for people.
    left
        People left in the years `AFTER`, as a share of those at the end of the year of the money; shape (draw, year).
    gains
        Outcome a year for each unit of money in these years, by the couplings that are set to zero; shape (draw, year).
    late_to_early
        Mean outcome in the years `LATE` over that in the years `EARLY`, by the same; shape (draw,).
    """

    term: EvidenceTerm
    left: Array
    gains: dict[tuple[str, ...], Array]
    late_to_early: dict[tuple[str, ...], Array]


def persistence(term: EvidenceTerm, experiments: Asked, parameters: Values, draws: int) -> Persistence:
    """Simulate how the effects of one year's spending persist among the people it reaches.

    Parameters
    ----------
    term
        An evidence term of money in one year, read from the first year after it on, with `EvidenceTerm.people`.
    experiments
        Sets up the experiments of terms, as `experiments_of` does.
    parameters, draws
        As for `ExperimentRuns.implied`.

    Returns
    -------
    Persistence
        Shares and ratios by draw.
    """
    scenario: dict[str, Any] = term.scenario if isinstance(term.scenario, dict) else {"extends": term.scenario}
    once = partial(_read, experiments, term, {**scenario, "name": f"{term.key}_once"}, draws)
    end = int(term.after[0]) - 1
    years = [(end + year, end + year) for year in (0, *AFTER)]
    left = once(years, "difference", parameters, outcome=term.people)
    gains, ratios = {}, {}
    for names in dict.fromkeys(((), *((key,) for key in term.couplings), term.couplings)):
        spans = [*years[1:], *((first + end, final + end) for first, final in (EARLY, LATE))]
        found = once(spans, "return", {**parameters, **dict.fromkeys(names, 0.0)})
        gains[names], ratios[names] = found[:, : len(AFTER)], found[:, -1] / found[:, -2]
    return Persistence(term=term, left=left[:, 1:] / left[:, :1], gains=gains, late_to_early=ratios)


def _read(
    experiments: Asked,
    term: EvidenceTerm,
    scenario: dict[str, Any],
    draws: int,
    spans: Sequence[tuple[int, int]],
    measure: Literal["difference", "return"],
    parameters: Values,
    *,
    outcome: str = "",
) -> Array:
    """Effects that one scenario implies in some spans of years, shape (draw, span)."""
    asked: dict[str, Any] = {"scenario": scenario, "measure": measure, "outcome": outcome or term.outcome}
    asked["money"] = term.money
    unused: dict[str, Any] = {"family": "normal", "centre": 0.0, "low": -1.0, "high": 1.0}
    terms = [EvidenceTerm(key=f"t{place}", after=span, **asked, **unused) for place, span in enumerate(spans)]
    return np.stack(list(experiments(terms).implied(parameters, draws).values()), axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class ImpliedEffects:
    """Effects implied by some draws, by term, and the weights of the draws; equally likely without."""

    implied: Arrays
    weights: Array | None = None

    def interval(self, key: str) -> tuple[float, float, float]:
        """Median and 90 % interval of the effects implied for a term; draws whose run failed are left out."""
        values = self.implied[key]
        weights, seen = np.ones(len(values)) if self.weights is None else self.weights, np.isfinite(values)
        asked: dict[str, Any] = {"weights": weights[seen], "method": "inverted_cdf"}
        middle, low, high = np.quantile(values[seen], (0.5, 0.05, 0.95), **asked).tolist()
        return middle, low, high


@frozen(eq=False)
class Findings:
    """Effects that a model implies for its evidence terms.

    Attributes
    ----------
    model
        The model.
    stages
        ``"prior"``; with a fit ``"posterior"``, without the terms in use, and ``"weighted"``, with them.
    lasting
        How long effects last, for each term that names people.
    effective
        Effective number of distinct draws after they were weighed; 0 if none were.
    refusal
        Why the draws could not be weighed; empty otherwise.
    """

    model: Model
    stages: Mapping[str, ImpliedEffects]
    lasting: Sequence[Persistence] = ()
    effective: float = 0.0
    refusal: str = ""

    @property
    def terms(self) -> Mapping[str, EvidenceTerm]:
        """The evidence terms of the model, by key."""
        return self.model.declarations.evidence

    def conflict(self, key: str) -> float:
        """Two-sided probability that the prior, with the spread of a term, gives an effect beyond its centre."""
        distances = self.terms[key].residuals(self.stages["prior"].implied[key])
        below = float((distances + np.random.default_rng(0).standard_normal(len(distances)) < 0).mean())
        return 2 * min(below, 1 - below)


def findings(model: Model, data: Data | None, fitted: FittedParameters | None = None) -> Findings:
    """Compute the effects that a model implies for its evidence terms.

    Parameters
    ----------
    model
        A model with evidence terms; for regions with as many as the panel.
    data
        Panel of regions; None for a model without regions.
    fitted
        Result of a calibration; None for the priors of a model of regions.

    Returns
    -------
    Findings
        Implied effects before and after the fit, and how long they last.

    Raises
    ------
    InvalidInput
        If the model declares no measured effects, the fit is of another version of it, or it has no regions and no fit.
    """
    terms_of(model)
    spec = model.declarations
    asked: Asked = partial(experiments_of, begun=beginning_of(model, data, fitted))
    if fitted is not None:
        spec = replace(declared_in(fitted, model), evidence=spec.evidence)
    rng = np.random.default_rng(0)
    drawn = parameter_draws(spec, None, PRIOR_DRAWS, rng)
    terms = tuple(spec.evidence.values())
    stages = {"prior": ImpliedEffects(asked(terms).implied(drawn, PRIOR_DRAWS))}
    told: dict[str, Any] = {}
    if fitted is not None:
        after, fitted, told = _after(model, data, fitted, asked, spec)
        stages |= after
        drawn = parameter_draws(spec, fitted, FOLLOWED, rng)
    few = {key: values[:FOLLOWED] for key, values in drawn.items()}
    lasting = [persistence(item, asked, few, FOLLOWED) for item in terms if item.people]
    return Findings(model=model, stages=stages, lasting=lasting, **told)


def _after(
    model: Model, data: Data | None, fitted: FittedParameters, asked: Asked, spec: ModelSpec
) -> tuple[dict[str, ImpliedEffects], FittedParameters, dict[str, Any]]:
    """Stages after a fit, the fit whose draws are followed over time, and facts on the reweighting."""
    terms = tuple(spec.evidence.values())
    if is_weighed(fitted):
        return {"weighted": ImpliedEffects(_implied(asked, terms, fitted, spec))}, fitted, {}
    try:
        found = weigh(model, data, fitted)
    except InvalidInput as error:
        return {"posterior": ImpliedEffects(_implied(asked, terms, fitted, spec))}, fitted, {"refusal": error.args[0]}
    rest = [item for item in terms if item.key not in found.implied]
    implied = {**found.implied, **_implied(asked, rest, found.before, spec)}
    stages = {"posterior": ImpliedEffects(implied), "weighted": ImpliedEffects(implied, found.weights)}
    return stages, found.fitted, {"effective": found.effective}


def _implied(asked: Asked, terms: Sequence[EvidenceTerm], fitted: FittedParameters, spec: ModelSpec) -> Arrays:
    """Effects that all draws of a fit imply for terms."""
    if not terms:
        return {}
    draws = len(fitted.draws) or PRIOR_DRAWS
    drawn = fitted.sample(np.random.default_rng(0), draws, spec=spec)
    if fitted.draws:  # in the order of the draws, like the weights
        drawn |= dict(zip(fitted.keys, np.array(fitted.draws).T, strict=True))
    return asked(terms).implied(drawn, draws)

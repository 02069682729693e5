"""Reweight the draws of a fit (importance reweighting) by measured effects that the fit did not use."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.core.types import Array, Arrays, Indices, frozen
from pysd_runner.evidence.implied import beginning_of, experiments_of
from pysd_runner.model import Model
from pysd_runner.spec import FittedParameters
from pysd_runner.spec.evidence import EvidenceTerm
from pysd_runner.spec.fitted import DENSITIES
from pysd_runner.study.arguments import AnyFit, AnyModel, loaded, parameters_of
from pysd_runner.study.inputs import declared_in

if TYPE_CHECKING:
    from pysd_runner.data import Data
    from pysd_runner.data.sources import AnySource

# Number of draws that are taken from a normal approximation, and least effective number of distinct draws.
DRAWS = 2500
MIN_EFFECTIVE = 400
# Entry of `FittedParameters.provenance` under which the terms are named.
ENTRY = "evidence"


@frozen(eq=False)
class Reweighted:
    """A fit whose draws were reweighted by evidence terms.

    Attributes
    ----------
    fitted
        The fit with draws taken again in proportion to their weights.
    before
        The fit with equally likely draws.
    implied
        Effects that the model implies, by term, for the draws of `before`; shape (draw,).
    weights
        Weights of these draws, with sum 1, shape (draw,).
    effective
        Effective number of distinct draws, ``1 / sum w^2``.
    """

    fitted: FittedParameters
    before: FittedParameters
    implied: Arrays
    weights: Array
    effective: float


def terms_of(model: Model, keys: Iterable[str] | None = None) -> tuple[EvidenceTerm, ...]:
    """The evidence terms by which the posterior of a model is multiplied: those in use, or those with given keys.

    Parameters
    ----------
    model
        A model with evidence terms.
    keys
        Keys of the terms; None for those in use.

    Returns
    -------
    tuple
        The terms, in the order of the keys.

    Raises
    ------
    InvalidInput
        If the model declares no terms, or none of them is in use.
    UnknownName
        If there is no term of a key.
    """
    declared = model.declarations.evidence
    if not declared:
        raise InvalidInput(
            "model {model} declares no measured effects; add [evidence.NAME] to the file beside it", model=model.name
        )
    chosen = [key for key, item in declared.items() if item.is_used] if keys is None else list(keys)
    if not chosen:
        raise InvalidInput("none of the measured effects of {model} is in use", model=model.name)
    for key in chosen:
        if key not in declared:
            raise UnknownName("the model declares no evidence {name!r}.{suggestion}", name=key, among=declared)
    return tuple(declared[key] for key in chosen)


def is_weighed(fitted: FittedParameters) -> bool:
    """Whether a fit used evidence terms, in its search or by reweighting.

    Parameters
    ----------
    fitted
        Result of a calibration.

    Returns
    -------
    bool
        As its provenance says.
    """
    return bool(fitted.provenance.get(ENTRY))


def weigh(
    model: AnyModel,
    data: "Data | AnySource | None",
    fit: AnyFit,
    terms: Iterable[str] | None = None,
    *,
    seed: int = 0,
) -> Reweighted:
    """Reweight the draws of a fit by the density of measured effects at the effects that each draw implies.

    ``w_i ~ prod_k p_k(q_k(theta_i))``, with the effect ``q_k`` of the experiment of term ``k`` on the model's own path
    and the density ``p_k`` of what was measured. This is the posterior with the terms in its likelihood, as far as the
    draws reach.

    Parameters
    ----------
    model
        The model of the fit, with as many regions as the data.
    data
        Data from which the fit was made; None for a model without regions.
    fit
        A fit that did not use the terms; without a posterior sample, draws are taken from its normal approximation.
    terms
        Keys of evidence terms; None for those in use.
    seed
        Seed of the draws.

    Returns
    -------
    Weighted
        The fit with draws taken again, at least `MIN_EFFECTIVE` of them effectively distinct.

    Raises
    ------
    InvalidInput
        If the fit used evidence already, there are no terms, or too few draws remain.
    UnknownName
        If there is no such term.
    """
    model, data = loaded(model, data)
    fitted = parameters_of(fit)
    if fitted is None:
        raise InvalidInput("measured effects weigh the draws of a fit; give one")
    kept = terms_of(model, terms)
    if is_weighed(fitted):
        raise InvalidInput("the fit has used measured effects already; they count once")
    before = fitted if fitted.draws else _drawn(model, fitted, seed)
    rows = np.array(before.draws)
    parameters = {**dict(fitted.fixed), **dict(zip(fitted.keys, rows.T, strict=True))}
    implied = experiments_of(kept, beginning_of(model, data, fitted)).implied(parameters, len(rows))
    weights, effective = importance(kept, implied, rows)
    if effective < MIN_EFFECTIVE:
        raise InvalidInput(
            "only {effective} of {count} draws of the fit agree with the measured effects, fewer than {least}: "
            "calibrate with them in the search (--evidence), or keep more draws (--sample)",
            effective=round(effective),
            count=len(rows),
            least=MIN_EFFECTIVE,
        )
    taken = systematic(weights, len(rows), np.random.default_rng(seed))
    densities = {name: np.asarray(values) for name, values in (fitted.provenance.get(DENSITIES) or {}).items()}
    densities |= {item.key: -0.5 * item.residuals(implied[item.key]) ** 2 for item in kept}
    record = {"how": "weights", "terms": [item.key for item in kept], "effective": effective, "draws": len(rows)}
    provenance = {
        **fitted.provenance,
        ENTRY: record,
        DENSITIES: {name: values[taken].tolist() for name, values in densities.items()},
    }
    made = replace(before, draws=tuple(map(tuple, rows[taken].tolist())), provenance=provenance)
    return Reweighted(fitted=made, before=before, implied=implied, weights=weights, effective=effective)


def _drawn(model: Model, fitted: FittedParameters, seed: int) -> FittedParameters:
    """The fit with draws from its normal approximation."""
    drawn = fitted.sample(np.random.default_rng(seed), DRAWS, spec=declared_in(fitted, model))
    return replace(fitted, draws=tuple(zip(*(drawn[key].tolist() for key in fitted.keys), strict=True)))


def importance(terms: Sequence[EvidenceTerm], implied: Arrays, rows: Array | None = None) -> tuple[Array, float]:
    """Weights of draws with sum 1, shape (draw,), and how many distinct `rows` they are worth; 0 if none agrees."""
    logs = np.sum([-0.5 * item.residuals(implied[item.key]) ** 2 for item in terms], axis=0)
    if not np.isfinite(logs).any():
        return np.zeros(len(logs)), 0.0
    weights = np.where(np.isnan(logs), 0.0, np.exp(logs - np.nanmax(logs)))
    weights /= weights.sum()
    places = np.arange(len(logs)) if rows is None else np.unique(rows, axis=0, return_inverse=True)[1].ravel()
    return weights, float(1 / (np.bincount(places, weights) ** 2).sum())


def systematic(weights: Array, count: int, rng: np.random.Generator) -> Indices:
    """Indices taken in proportion to weights by systematic resampling, in ascending order."""
    points = (rng.random() + np.arange(count)) / count
    return np.minimum(np.searchsorted(np.cumsum(weights), points), len(weights) - 1)

"""The model itself as a forecaster: states filtered up to the origin, then members run on."""

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np

from calibration.filtering import FilterSettings, ahead, check_fit_of, estimate, evidence_of
from calibration.forecasting.combination import Combination
from calibration.forecasting.forecaster import Forecast, Forecaster, Origin
from pysd_runner.core.errors import InvalidInput
from pysd_runner.model import Model
from pysd_runner.regional.binding import shipped_model
from pysd_runner.spec import FittedParameters


@dataclass(frozen=True, kw_only=True, slots=True)
class FilteredModel:
    """The system-dynamics model started from the state the filter finds at the origin.

    Attributes
    ----------
    name
        What tables call it.
    settings
        Ensemble, grids and priors.
    fit
        A calibration of the model to these regions: its draws take the place of the priors of what the laws of output
        do not decide. Effects of regions are not taken. None for the priors.
    model
        A model that declares bindings, with any number of regions; None for the shipped one.
    fit_digest, model_digest
        Of the fit and the model, which stand for them in ``repr`` and comparisons; empty for none.
    """

    name: str
    settings: FilterSettings = field(default_factory=FilterSettings)
    fit: FittedParameters | None = field(default=None, repr=False, compare=False)
    model: Model | None = field(default=None, repr=False, compare=False)
    fit_digest: str = field(init=False, default="")
    model_digest: str = field(init=False, default="")

    def __post_init__(self) -> None:
        if self.fit is not None:
            object.__setattr__(self, "fit_digest", _digest(repr(self.fit)))
        object.__setattr__(self, "model_digest", model_digest(self.model))

    def forecast(self, origin: Origin, *, horizon: int, draws: int, seed: int) -> Forecast:
        """Forecast; see `Forecaster`. Regions never seen stay unknown.

        Raises
        ------
        InvalidInput
            If the fit saw years after the origin, or is one of another model or of other regions.
        """
        target = origin.target
        if self.fit is not None:
            check_fit_of(self.fit, self.model or shipped_model(), target.regions, origin.year)
        seen = np.asarray(np.isfinite(target.values).any(axis=1))
        evidence = evidence_of(
            target.values[seen],
            target.years,
            [code for code, keep in zip(target.regions, seen, strict=True) if keep],
            [group for group, keep in zip(target.groups, seen, strict=True) if keep],
            origin.panel,
            self.model,
        )
        known = estimate(evidence, self.settings, seed=seed, fit=self.fit)
        found = ahead(known, self.settings, horizon=horizon, draws=draws, seed=seed)
        paths = np.full((draws, len(seen), horizon), np.nan)
        paths[:, seen] = found
        return Forecast(point=paths.mean(axis=0), draws=paths)


def model_digest(model: Model | None) -> str:
    """Digest of a model file and its declarations; empty for the shipped one."""
    return "" if model is None or model.path == shipped_model().path else _digest(model.sha256 + repr(model.spec))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class SinceFit:
    """The model with a fit from the last year the fit saw on; at earlier origins, which it knows, with priors."""

    model: FilteredModel  # the model, with a fit

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.model.name

    def forecast(self, origin: Origin, *, horizon: int, draws: int, seed: int) -> Forecast:
        """Forecast; see `Forecaster`."""
        return self.at(origin.year).forecast(origin, horizon=horizon, draws=draws, seed=seed)

    def at(self, year: int) -> FilteredModel:
        """The model as it may be used at an origin."""
        fit = self.model.fit
        return self.model if fit is None or fit.last_year <= year else replace(self.model, fit=None)


def check_model(model: object) -> None:
    """Refuse what is no model that declares bindings; None is the shipped one."""
    if isinstance(model, str):
        raise InvalidInput(
            f"model is what load_model returned; found the text {model!r}; a forecaster is named by `forecaster` "
            "(--forecaster)"
        )
    if isinstance(model, Model):
        _ = model.bindings
    elif model is not None:
        raise InvalidInput(f"model is what load_model returned; found {model!r}")


def with_fit(forecaster: Forecaster, fit: FittedParameters) -> Forecaster:
    """Let the model take its parameters from a fit, by itself or in a mixture."""
    if isinstance(forecaster, FilteredModel):
        return SinceFit(model=replace(forecaster, fit=fit))
    if isinstance(forecaster, Combination) and any(isinstance(item, FilteredModel) for item in forecaster.members):
        members = (with_fit(item, fit) if isinstance(item, FilteredModel) else item for item in forecaster.members)
        return replace(forecaster, members=tuple(members))
    raise InvalidInput(
        f"forecaster {forecaster.name!r} has no parameters of the model, so that a fit has no place in it; leave the "
        "fit away, or take 'gapsim' or 'filtered'"
    )


def model_in(forecaster: Forecaster, year: int) -> FilteredModel | None:
    """The model a forecaster is at an origin; None for one that is another method or a mixture."""
    if isinstance(forecaster, SinceFit):
        return forecaster.at(year)
    return forecaster if isinstance(forecaster, FilteredModel) else None

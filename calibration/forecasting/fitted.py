"""Forecasters that take the parameters of the model from a fit, where that fit knows nothing of what is forecast."""

from dataclasses import dataclass, replace

from calibration.forecasting.combination import Combination
from calibration.forecasting.filtered import FilteredModel
from calibration.forecasting.forecaster import Forecast, Forecaster, Origin
from pysd_runner.core.errors import InvalidInput
from pysd_runner.spec import FittedParameters


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

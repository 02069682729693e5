"""What a back-test is to do: which years are origins, how far ahead, with which forecasters."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from calibration.forecasting.combination import JUDGED_YEARS
from calibration.forecasting.forecaster import Forecaster
from calibration.forecasting.learnt import FIRST_SEEN
from calibration.forecasting.memory import digest
from calibration.forecasting.models import REFERENCE, models, models_named
from calibration.forecasting.target import Target
from pysd_runner.counts import whole
from pysd_runner.errors import InvalidInput, InvalidPanel

# The first origin has seen this many years.
FIRST_ORIGIN = 9
NEAR, FAR = (1, 2, 3, 4, 5), (1, 2, 3, 4, 5, 10)
# Panels of so many years are scored ten years ahead as well.
LONG = 30


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Plan:
    """Settings of a back-test, checked.

    Attributes
    ----------
    target
        What is forecast, all years.
    models
        Forecasters by name, the reference first.
    horizons
        Years ahead that are reported.
    origins
        Years that are scored.
    draws, seed
        Of every forecast.
    """

    target: Target
    models: Mapping[str, Forecaster]
    horizons: tuple[int, ...]
    origins: tuple[int, ...]
    draws: int
    seed: int

    @property
    def horizon(self) -> int:
        """Years that are forecast: to the longest horizon, and as many as members of mixtures are judged by."""
        return max(*self.horizons, JUDGED_YEARS)

    @property
    def seen(self) -> tuple[int, ...]:
        """Every year a forecaster may have to repeat itself at: from the first with enough years to the last origin."""
        first = self.target.years[0] + FIRST_SEEN - 1
        return tuple(range(min(first, self.origins[0]), self.origins[-1] + 1))

    @property
    def digest(self) -> str:
        """Digest of the data and the settings."""
        content = [
            digest(self.target.values),
            [self.target.years[0], list(self.target.regions)],
            [[name, repr(model)] for name, model in self.models.items()],
            [list(self.horizons), self.horizon, list(self.origins), self.draws, self.seed],
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def make_plan(
    target: Target,
    *,
    names: Iterable[str] | Mapping[str, Forecaster] | None,
    horizons: Sequence[int] | None,
    origins: Iterable[int] | None,
    draws: int,
    seed: int,
) -> Plan:
    """Fill in defaults and check everything before anything is computed.

    Parameters
    ----------
    target
        What is forecast.
    names
        Names of forecasters, or forecasters by name; None for all.
    horizons
        Years ahead; None for 1 to 5, and 10 where the panel has thirty years.
    origins
        Years; None from the ninth year of the panel to the last but one, those in which a region was observed.
    draws, seed
        Of every forecast.

    Raises
    ------
    InvalidInput
        If the panel is too short, an origin or horizon makes no sense, a horizon cannot be scored from any origin, or
        the reference is not among the forecasters.
    """
    whole("seed", seed, least=0)
    check_draws(draws)
    years = target.years
    ahead = tuple(sorted(set(horizons))) if horizons is not None else FAR if len(years) >= LONG else NEAR
    chosen = tuple(sorted(set(origins))) if origins is not None else _default_origins(target)
    if not chosen:
        raise InvalidPanel(
            f"panel {target.name!r} has {len(target.seen)} year(s) of output per head ({years[0]} to {years[-1]}); a "
            f"back-test needs {FIRST_ORIGIN + 1}: {FIRST_ORIGIN} to learn from and one to score; give `origins` "
            "(--first-origin) to try with fewer"
        )
    if not ahead or ahead[0] < 1 or ahead[-1] >= len(years):
        raise InvalidInput(f"horizons are {list(ahead)}; expected years ahead from 1 to {len(years) - 1}")
    first, last = years[0] + FIRST_SEEN, years[-1] - 1
    wrong = [year for year in chosen if not first <= year <= last]
    if wrong:
        raise InvalidInput(
            f"origin {wrong[0]} cannot be scored: {target.name!r} runs from {years[0]} to {years[-1]}, so that origins "
            f"run from {first} to {last}"
        )
    unscored = [step for step in ahead if not _reach(target, step) & set(chosen)]
    # Defaults ask for what there is.
    if unscored and (horizons is not None or len(unscored) == len(ahead)):
        raise InvalidInput(_too_far(target, unscored[0], chosen))
    known = names if isinstance(names, Mapping) else models() if names is None else models_named(names)
    if REFERENCE not in known:
        raise InvalidInput(
            f"the forecasters are {', '.join(known)}; skill is measured against {REFERENCE!r}, which must be among them"
        )
    return Plan(target=target, models=known, horizons=ahead, origins=chosen, draws=draws, seed=seed)


def check_draws(draws: int) -> None:
    """Refuse fewer draws than a distribution needs.

    Parameters
    ----------
    draws
        Number of predictive draws.

    Raises
    ------
    InvalidInput
        If there are fewer than two.
    """
    if draws < 2:
        raise InvalidInput(f"draws is {draws}; a distribution needs at least 2, and 500 or more to be of use")


def _default_origins(target: Target) -> tuple[int, ...]:
    """From the ninth year to the last but one, without years of which nothing is known."""
    return tuple(year for year in target.seen if target.years[0] + FIRST_ORIGIN - 1 <= year < target.years[-1])


def _reach(target: Target, step: int) -> set[int]:
    """Years from which forecasts so many years ahead can be scored."""
    return {year - step for year in target.seen if year - step >= target.years[0] + FIRST_SEEN}


def _too_far(target: Target, step: int, origins: Sequence[int]) -> str:
    """Why no origin can be scored so many years ahead, and what to do."""
    years = f"{step} year{'s' * (step > 1)} ahead"
    told = (
        f"{years} cannot be scored: the origins run from {origins[0]} to {origins[-1]} and the data of {target.name!r} "
        f"to {target.years[-1]}; ask for fewer years ahead"
    )
    earlier = [year for year in _reach(target, step) if year < origins[0]]
    return f"{told}, or give an earlier --first-origin: {years} needs an origin by {max(earlier)}" if earlier else told

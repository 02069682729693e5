"""What a model and a panel say of the same things, set against each other for many parameter vectors at once."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.forward import Forward
from calibration.fitting.stages import Stage, declarations
from calibration.fitting.tangent import Tangent
from calibration.fitting.window import OUTPUT
from calibration.observation import (
    MOST_PERSISTENT,
    Noise,
    Series,
    Whitening,
    declared_noise,
    estimate_noise,
    loss_of,
)
from pysd_runner.core.errors import InvalidInput
from pysd_runner.regional.inputs import time_step, yearly_memory, yearly_memory_slope

Array = NDArray[np.float64]
Parameters = Mapping[str, Array | float]

# Key of the parameter that says how fast extra growth fades.
MOMENTUM_DECAY = "tau_m"


class Comparison:
    """Fitted and observed values of every series, and their standardised differences."""

    def __init__(self, forward: Forward, series: tuple[Series, ...]) -> None:
        self.series = series
        self._forward = forward
        self._tangent = Tangent(forward)
        self._declared = declarations(forward.model).parameters
        for item in series:
            if has_momentum(item) and MOMENTUM_DECAY not in self._declared:
                raise InvalidInput(
                    f"errors of {item.measurement} fade like momentum, and the model declares no {MOMENTUM_DECAY!r}"
                )
        self._whitenings = {item.label: Whitening(item) for item in series}
        self._losses = {item.label: loss_of(item.errors) for item in series}
        self._rows: dict[str, NDArray[np.intp]] = {}
        start = 0
        for item in series:
            size = len(self._whitenings[item.label])
            self._rows[item.label] = np.arange(start, start + size)
            start += size

    def declared_noise(self) -> dict[str, Noise]:
        """Independent errors of the declared size, by label of the series."""
        return {item.label: declared_noise(item) for item in self.series}

    def rows(self, stage: Stage | None = None) -> NDArray[np.intp]:
        """Positions of the residuals of a block, or of all."""
        kept = [self._rows[item.label] for item in self.series if stage is None or stage.owns(item)]
        return np.concatenate(kept) if kept else np.arange(0)

    def predicted(self, parameters: Parameters, draws: int) -> list[Array]:
        """What the model says in the terms of each series."""
        names = list(dict.fromkeys(item.outcome for item in self.series))
        outcomes = self._forward.outcomes(parameters, names)
        found = []
        for item in self.series:
            loading = self._value(parameters, item.loading) if item.loading else 1.0
            outcome = np.broadcast_to(outcomes[item.outcome], (draws, *outcomes[item.outcome].shape[1:]))
            found.append(item.predicted(outcome, np.broadcast_to(np.asarray(loading, dtype=float), (draws,))))
        return found

    def residuals(self, parameters: Parameters, draws: int, noise: Mapping[str, Noise]) -> Array:
        """Standardised innovations of all series, bent where they are wild, shape (draw, cell)."""
        memory = self._memory(parameters, draws)
        parts = []
        for item, predicted in zip(self.series, self.predicted(parameters, draws), strict=True):
            persistence = memory if has_momentum(item) else None
            whitening, errors = self._whitenings[item.label], noise[item.label]
            innovations = whitening.standardised(predicted - item.values, errors, persistence=persistence)
            parts.append(self._losses[item.label].bent(innovations))
        return np.concatenate(parts, axis=1)

    def linearised(
        self, parameters: Mapping[str, float], spreads: Mapping[str, float], noise: Mapping[str, Noise]
    ) -> tuple[Array, Array]:
        """Standardised innovations of one parameter vector and their derivatives, shape (cell,)."""
        names = list(dict.fromkeys(item.outcome for item in self.series))
        outcomes, moved = self._tangent.outcomes(parameters, spreads, names)
        memory = self._memory(parameters, 1)
        memory_slopes = self._memory_slopes(parameters, spreads)
        residuals, slopes = [], []
        for item in self.series:
            whitening, errors = self._whitenings[item.label], noise[item.label]
            has_memory = memory is not None and has_momentum(item)
            loading = float(self._value(parameters, item.loading)) if item.loading else 1.0
            outcome = outcomes[item.outcome]
            known = item.predicted(outcome[None], np.array([loading]))[0] - item.values
            turned = item.slopes(outcome, loading, moved[item.outcome], _unit(spreads, item.loading))
            raw = whitening.standardised(known[None], errors, persistence=memory if has_memory else None)[0]
            raw_slopes = whitening.slopes(
                known,
                turned,
                errors,
                persistence=float(memory[0]) if memory is not None and has_memory else None,
                persistence_slopes=memory_slopes if has_memory else None,
            )
            loss = self._losses[item.label]
            residuals.append(loss.bent(raw))
            slopes.append(loss.slope(raw) * raw_slopes)
        return np.concatenate(residuals), np.concatenate(slopes, axis=1).T

    def estimated_noise(self, parameters: Parameters) -> dict[str, Noise]:
        """Estimate the errors of every series from the residuals of one parameter vector."""
        memory = self._memory(parameters, 1)
        found = {}
        for item, predicted in zip(self.series, self.predicted(parameters, 1), strict=True):
            persistence = float(memory[0]) if memory is not None and has_momentum(item) else None
            found[item.label] = estimate_noise(item, predicted[0] - item.values, persistence=persistence)
        return found

    def log_likelihood(self, residuals: Array, noise: Mapping[str, Noise]) -> Array:
        """Log density of the observations given their residuals."""
        scales = sum(
            self._whitenings[item.label].log_scale(noise[item.label])
            + len(self._whitenings[item.label]) * self._losses[item.label].log_mass
            for item in self.series
        )
        is_known = np.asarray(np.isfinite(residuals).all(axis=1))
        squares = (np.where(is_known[:, None], residuals, 0.0) ** 2).sum(axis=1)
        return np.where(is_known, -0.5 * squares - scales, -np.inf)

    def _memory(self, parameters: Parameters, draws: int) -> Array | None:
        """Share of extra growth that is left a year later, shape (draw,), as the model integrates it."""
        if MOMENTUM_DECAY not in self._declared:
            return None
        decay = np.asarray(self._value(parameters, MOMENTUM_DECAY), dtype=float)
        step = time_step(self._forward.model)
        memory = np.minimum(yearly_memory(decay, step), MOST_PERSISTENT)
        return np.broadcast_to(memory, (draws,))

    def _memory_slopes(self, parameters: Parameters, spreads: Mapping[str, float]) -> Array | None:
        """Derivatives of that share, shape (parameter,)."""
        if MOMENTUM_DECAY not in spreads:
            return None
        decay = np.asarray(self._value(parameters, MOMENTUM_DECAY), dtype=float)
        step = time_step(self._forward.model)
        is_held = yearly_memory(decay, step) > MOST_PERSISTENT
        slope = 0.0 if is_held else float(yearly_memory_slope(decay, step))
        return slope * _unit(spreads, MOMENTUM_DECAY)

    def _value(self, parameters: Parameters, key: str) -> Array | float:
        return parameters.get(key, self._declared[key].value)


def _unit(spreads: Mapping[str, float], key: str) -> Array:
    """One at the place of a parameter, else zero."""
    return np.array([float(item == key) for item in spreads])


def is_growth(series: Series) -> bool:
    """Whether a series is growth of output, whose misses are the shocks of a projection."""
    return series.increments and series.indicator == OUTPUT


def has_momentum(series: Series) -> bool:
    """Whether the misses of a series fade like the model's own momentum."""
    # Extra growth that goes on is momentum, whether it was there at the start or came by a shock: one decay time for
    # both, and a projection gives its shocks the same memory.
    return series.errors.memory == "momentum"

"""Persistence: every region keeps its last relative level."""

from dataclasses import dataclass

from calibration.forecasting.baselines.history import Array, held, last_level


@dataclass(frozen=True, slots=True)
class Persistence:
    r"""The random walk, :math:`\hat r_{T+h} = r_T`."""

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        return held(last_level(history), horizon)

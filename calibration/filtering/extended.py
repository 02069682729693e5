r"""Extended Kalman filter over the stocks of any model: exact where the model is linear in its stocks.

Mean and covariance go through the model with its derivatives, :math:`P \leftarrow F P F' + Q`, and observations through
those of what they read. No random numbers: the yardstick of the ensemble, and quicker for a few stocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.general.series import ObservedSeries
from pysd_runner.core.errors import UnsupportedFeature
from pysd_runner.engine.ir import HIDDEN
from pysd_runner.general.starting import PREFIX, stocks_of, with_starts, without_start
from pysd_runner.model import Model
from pysd_runner.simulation.run import simulate
from pysd_runner.simulation.sensitivities import jacobian

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Gaussian:
    """What is known at every moment, after its observations.

    Attributes
    ----------
    means
        Shape (time, state).
    covariances
        Shape (time, state, state).
    likelihood
        Log likelihood of the observations, each foretold from those before.
    states
        Names of the states.
    """

    means: Array
    covariances: Array
    likelihood: float
    states: tuple[str, ...]


def extended_filter(
    model: Model,
    values: dict[str, float],
    series: Sequence[ObservedSeries],
    times: Array,
    *,
    disturbances: Array,
    errors: dict[str, float],
    spread: Array | None = None,
    start: float,
) -> Gaussian:
    """Filter the stocks of a model.

    Parameters
    ----------
    model
        Any model whose memory is stocks alone, without subscripts.
    values
        Constants that replace those of the file.
    series
        Observations as levels, on the scale ``"level"``.
    times
        Moments, the first at the start, shape (time,).
    disturbances
        Covariance of what is added to the stocks at each later moment, shape (state, state).
    errors
        Standard deviation of the errors of observation, by label.
    spread
        Covariance of the stocks at the start; None where they are known.
    start
        First moment.

    Returns
    -------
    Gaussian
        Means and covariances.

    Raises
    ------
    UnsupportedFeature
        If the model has fixed delays or subscripts, or cannot be differentiated.
    """
    names = stocks_of(model.ir)
    if without_start(model.ir) or any(model.ir.variables[name].dims for name in names):
        raise UnsupportedFeature("the exact filter covers stocks without subscripts, and no fixed delays")
    law = with_starts(model, names)
    first = simulate(model, dict(values), outcomes=list(names), start=start, throw=False)
    mean = np.array(
        [float(first[name][0, 0, 0]) if HIDDEN not in name else float(first.data[name][0, 0, 0]) for name in names]
    )
    covariance = np.zeros((len(names),) * 2) if spread is None else np.array(spread, dtype=float)
    likelihood, means, covariances = 0.0, [], []
    now = start
    for place, time in enumerate(times):
        if time > now:
            mean, turn = _moved(law, values, names, mean, now, float(time))
            covariance = turn @ covariance @ turn.T + disturbances
            now = float(time)
        observed, read, noise, said = _observations(law, values, names, mean, series, float(time), errors)
        if observed.size:
            inner = read @ covariance @ read.T + np.diag(noise**2)
            gain = np.linalg.solve(inner, read @ covariance).T
            surprise = observed - said
            mean = mean + gain @ surprise
            covariance = covariance - gain @ read @ covariance
            covariance = (covariance + covariance.T) / 2
            _, volume = np.linalg.slogdet(inner)
            distance = float(surprise @ np.linalg.solve(inner, surprise))
            likelihood -= 0.5 * (distance + volume + len(observed) * np.log(2 * np.pi))
        means.append(mean.copy())
        covariances.append(covariance.copy())
        assert place >= 0  # noqa: S101
    return Gaussian(
        means=np.stack(means), covariances=np.stack(covariances), likelihood=likelihood, states=tuple(names)
    )


def _entered(values: dict[str, float], names: Sequence[str], mean: Array) -> dict[str, float]:
    return {**values, **{f"{PREFIX}{name}": float(item) for name, item in zip(names, mean, strict=True)}}


def _moved(
    law: Model, values: dict[str, float], names: Sequence[str], mean: Array, begin: float, end: float
) -> tuple[Array, Array]:
    """Stocks at a later moment and their derivatives by the stocks now."""
    found = jacobian(
        law,
        _entered(values, names, mean),
        parameters=[f"{PREFIX}{name}" for name in names],
        outcomes=list(names),
        start=begin,
        stop=end,
        save_every=end - begin,
    )
    after = np.array([float(found.data[name][0, 0, -1]) for name in names])
    return after, np.stack([found.derivatives[name][0, 0, -1] for name in names])


def _observations(
    law: Model,
    values: dict[str, float],
    names: Sequence[str],
    mean: Array,
    series: Sequence[ObservedSeries],
    time: float,
    errors: dict[str, float],
) -> tuple[Array, Array, Array, Array]:
    """What was seen at a moment, how it reads the stocks, its errors, and what the mean says of it."""
    seen = []
    for item in series:
        place = np.flatnonzero(np.abs(item.times - time) < 1e-9)
        if place.size and np.isfinite(item.values[0, place[0]]):
            seen.append((item, float(item.values[0, place[0]])))
    if not seen:
        empty = np.zeros(0)
        return empty, np.zeros((0, len(names))), empty, empty
    variables = list(dict.fromkeys(name for item, _ in seen for name in item.expression.variables))
    found = jacobian(
        law,
        _entered(values, names, mean),
        parameters=[f"{PREFIX}{name}" for name in names],
        outcomes=variables,
        start=time,
        stop=time + _step(law, values, names, mean, time),
    )
    now = {name: found.data[name][0, 0, ..., :1] for name in variables}
    slopes = {name: found.derivatives[name][0, 0, ..., :1, :] for name in variables}
    rows, said = [], []
    for item, _ in seen:
        value, slope = item.expression.linearised(now, slopes)
        said.append(float(np.ravel(value)[0]))
        rows.append(slope.reshape(-1, slope.shape[-1])[0])
    noise = np.array([errors[item.label] for item, _ in seen])
    return np.array([value for _, value in seen]), np.stack(rows), noise, np.array(said)


def _step(law: Model, values: dict[str, float], names: Sequence[str], mean: Array, time: float) -> float:
    from pysd_runner.simulation.task import prepared

    return float(prepared(law, _entered(values, names, mean), start=time, outcomes=[]).clock.step)

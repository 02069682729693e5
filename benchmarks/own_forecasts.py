"""Forecasts of a stock that an unseen inflow drives, against what theory allows.

``python -m benchmarks.own_forecasts --series 200``: the inflow is AR(1), or white noise (a random walk).
The ratio of the root mean square error to that of persistence is compared with the least ratio any forecast can reach,

``theta_h^2 = sum_j (sum_{i<h-j} phi^i)^2 / (same + (sum_{i=1..h} phi^i)^2 / (1 - phi^2))``.

``known_law`` is that forecast on the same series, whose ratio differs from ``theory`` by the chance of the draw alone.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from calibration.fitting.problem import Problem
from calibration.forecasting import origin_at, target_of
from calibration.forecasting.model_forecaster import ModelForecaster, mixture
from calibration.forecasting.models import REFERENCE
from pysd_runner import load_data, load_model
from pysd_runner.model import Model
from pysd_runner.spec import Normal, Prior

STOCK = """{UTF-8}
Mean Inflow = 1 ~ t/month ~|
Initial Stock = 100 ~ t ~|
Stock = INTEG(Mean Inflow, Initial Stock) ~ t ~|
INITIAL TIME = 0 ~ month ~|
FINAL TIME = 80 ~ month ~|
TIME STEP = 1 ~ month ~|
SAVEPER = 1 ~ month ~|
"""
HORIZON = 5


def theory(memory: float, horizon: int) -> float:
    """Least error of any forecast relative to persistence with a known mean inflow."""
    powers = memory ** np.arange(horizon + 1)
    noise = sum(powers[: horizon - j].sum() ** 2 for j in range(horizon))
    known = powers[1:].sum() ** 2 / (1 - memory**2)
    return float(np.sqrt(noise / (noise + known)))


def series(memory: float, number: int, length: int, seed: int) -> np.ndarray:
    """A stock driven by an AR(1) inflow with mean zero."""
    rng = np.random.default_rng([seed, number])
    inflow = rng.standard_normal() / np.sqrt(1 - memory**2)
    level, found = 100.0, [100.0]
    for _ in range(length - 1):
        inflow = memory * inflow + rng.standard_normal()
        level += inflow
        found.append(level)
    return np.array(found)


def known_law(seen: np.ndarray, memory: float) -> np.ndarray:
    """The best forecast of all: law and inflow are known."""
    return np.asarray(seen[-1] + np.diff(seen)[-1] * np.cumsum(memory ** np.arange(1, HORIZON + 1)))


def main() -> None:
    """Forecast, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=40)
    parser.add_argument("--length", type=int, default=60)
    parser.add_argument("--memory", type=float, nargs="+", default=[0.0, 0.7])
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    path = Path(tempfile.mkdtemp()) / "stock.mdl"
    path.write_text(STOCK, encoding="utf-8")
    model = load_model(path)
    for memory in options.memory:
        errors: dict[str, list[np.ndarray]] = {}
        try:
            for number in range(options.series):
                for name, error in one_series(model, memory, number, options).items():
                    errors.setdefault(name, []).append(error)
                print(f"\rmemory {memory:g}: {number + 1} of {options.series}", end="", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            print("\ninterrupted: what was finished is told", file=sys.stderr)
        if errors:
            report(memory, errors)


def one_series(model: Model, memory: float, number: int, options: argparse.Namespace) -> dict[str, np.ndarray]:
    """Errors of every forecaster at every horizon on one series."""
    values = series(memory, number, options.length + HORIZON, options.seed)
    known, ahead = values[: options.length], values[options.length :]
    seen = load_data({"month": np.arange(options.length), "stock": known})
    problem = Problem(model, seen, free=["Mean Inflow"], priors=_priors())
    target = target_of(problem)
    whole = mixture(ModelForecaster(problem=problem, target=target))
    origin = origin_at(target, target.times[-1])
    found = {
        forecaster.name: forecaster.forecast(origin, horizon=HORIZON, draws=400, seed=0).point[0] - ahead
        for forecaster in (*whole.members, whole)
    }
    return {**found, "known_law": known_law(known, memory) - ahead}


def report(memory: float, errors: dict[str, list[np.ndarray]]) -> None:
    """Print the ratios."""
    count = min(len(rows) for rows in errors.values())
    rmse = {name: np.sqrt((np.stack(rows[:count]) ** 2).mean(axis=0)) for name, rows in errors.items()}
    ratios = {name: [round(float(x), 3) for x in value / rmse[REFERENCE]] for name, value in rmse.items()}
    ratios["theory"] = [round(theory(memory, h), 3) for h in range(1, HORIZON + 1)]
    ratios["error_of_gapsim"] = [round(float(x), 3) for x in jackknife(errors, count)]
    print(json.dumps({"memory": memory, "series": count, "ratio_to_persistence": ratios}, indent=1), flush=True)


def jackknife(errors: dict[str, list[np.ndarray]], count: int) -> np.ndarray:
    """Standard error of the ratio of the mixture by leaving out one series at a time, shape (horizon,)."""
    ours, theirs = (np.stack(errors[name][:count]) ** 2 for name in ("gapsim", REFERENCE))
    ratios = np.sqrt((ours.sum(axis=0) - ours) / (theirs.sum(axis=0) - theirs))
    return np.asarray(np.sqrt((count - 1) * ratios.var(axis=0)))


def _priors() -> dict[str, Prior]:
    return {"Mean Inflow": Normal(0.0, 1.0)}


if __name__ == "__main__":
    main()

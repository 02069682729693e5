"""Tiny models as callables: nothing of this package, so that the statistics are seen to need nothing of it."""

from collections.abc import Mapping

import numpy as np

YEARS = 10
# Parameters of the epidemic: contacts times infectivity, recovery, and first infected of 1000.
EPIDEMIC = {"contacts": 1.6, "recovery": 0.4, "infected": 1.0}


def decay(step: float) -> dict[str, np.ndarray]:
    """Levels 1 and 5 that decay at rates 1 and 0.5, by Euler's method; reported each year."""
    return {
        "level": np.array([[1.0], [5.0]]) * (1 - step * np.array([[1.0], [0.5]])) ** (np.arange(YEARS + 1.0) / step)
    }


def epidemic(parameters: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Susceptible, infected and recovered people by Euler's method with a step of a quarter."""
    values = {**EPIDEMIC, **parameters}
    if values["recovery"] < 0:
        raise ValueError("recovery is negative")
    step, susceptible, infected, recovered = 0.25, 1000.0 - values["infected"], values["infected"], 0.0
    path = [(susceptible, infected, recovered)]
    for _ in range(160):
        catching = values["contacts"] * susceptible * infected / 1000
        recovering = values["recovery"] * infected
        susceptible, infected, recovered = (
            susceptible - step * catching, infected + step * (catching - recovering), recovered + step * recovering,
        )  # fmt: skip
        path.append((susceptible, infected, recovered))
    return dict(zip(("susceptible", "infected", "recovered"), np.array(path).T, strict=True))

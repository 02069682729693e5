"""One fit of a panel whose truth is known, shared by the tests."""

import pytest

from calibration import Fit, Problem, fit
from pysd_runner.data import Data
from tests.calibration.panels import made_panel, model_of

COUNT, YEARS = 6, 7
TRUTH = {"q_a": 0.25, "g_D": 0.04, "lam_U": 0.25, "q_u": 0.3, "c0": 0.02, "pi": 0.5, "tau_m": 0.9, "lambda_s": 2.0}


@pytest.fixture(scope="session")
def fitted_panel() -> Data:
    return made_panel(COUNT, YEARS, TRUTH, noise=1.0)


@pytest.fixture(scope="session")
def fitted_problem(fitted_panel: Data) -> Problem:
    return Problem(model_of(COUNT), fitted_panel, values={"dep_u": 0.02})


@pytest.fixture(scope="session")
def told() -> list[tuple[str, int, int]]:
    return []


@pytest.fixture(scope="session")
def result(fitted_problem: Problem, told: list[tuple[str, int, int]]) -> Fit:
    return fit(fitted_problem, starts=2, seed=0, progress=lambda *step: told.append(step))

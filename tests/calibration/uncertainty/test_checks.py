"""Predictive checks: panels of the right model look like the observed one, those of a wrong one do not."""

from dataclasses import replace

import numpy as np
import pytest

from calibration import Fit, Problem, fit
from calibration.observation import Noise
from calibration.reporting import plot_predictive
from calibration.uncertainty import PredictiveCheck, predictive_checks
from calibration.uncertainty.checks import _errors
from pysd_runner.core.errors import InvalidInput
from pysd_runner.data import Data
from tests.calibration.conftest import COUNT
from tests.calibration.observation.test_observation import series_of
from tests.calibration.panels import model_of
from tests.plots.reading import covered_texts, cut_texts


@pytest.fixture(scope="module")
def checks(fitted_problem: Problem, result: Fit) -> tuple[PredictiveCheck, ...]:
    return predictive_checks(fitted_problem, result, draws=60)


def test_panels_of_the_posterior_look_like_the_one_the_model_made(
    checks: tuple[PredictiveCheck, ...], fitted_problem: Problem
) -> None:
    assert len(checks) == 2 * len(fitted_problem.series)
    inside = [item.posterior[0] <= item.observed <= item.posterior[2] for item in checks]
    assert np.mean(inside) > 0.6
    for item in checks:
        assert item.posterior[0] < item.posterior[2]


def test_a_series_of_one_value_has_neither_spread_nor_movement(fitted_panel: Data) -> None:
    surveyed = fitted_panel.with_national(
        {**fitted_panel.national, "digital_skill_intermediate": {fitted_panel.years[-2]: 0.6}}
    )
    problem = Problem(model_of(COUNT), surveyed, free=["lam_U", "h_s"])
    found = fit(problem, starts=1)
    checks = predictive_checks(problem, found, draws=20)
    assert len(checks) == 2 * (len(problem.series) - 1)
    assert all(item.observed > 0 for item in checks)
    plot_predictive(found, checks)


def test_errors_of_the_wrong_size_are_noticed(fitted_problem: Problem, result: Fit) -> None:
    errors = result.fitted.provenance["errors"]
    larger = {label: {**item, "sd": 5 * item["sd"]} for label, item in errors.items()}
    wrong = replace(result, fitted=replace(result.fitted, provenance={**result.fitted.provenance, "errors": larger}))
    found = predictive_checks(fitted_problem, wrong, draws=40)
    movement = [item for item in found if item.statistic == "movement"]
    assert all(item.below < 0.05 for item in movement)


def test_the_figure_shows_every_statistic(checks: tuple[PredictiveCheck, ...], result: Fit) -> None:
    figure = plot_predictive(result, checks)
    assert not cut_texts(figure)
    assert not covered_texts(figure)
    assert len(figure.data) == len(checks)
    assert str(len(checks)) in figure.sentence
    with pytest.raises(InvalidInput, match="no predictive checks"):
        plot_predictive(result, ())
    with pytest.raises(InvalidInput, match="draws must be at least 1"):
        predictive_checks(None, result, draws=0)  # type: ignore[arg-type]


def test_errors_start_after_the_first_year_and_cancel_over_the_regions_that_were_seen() -> None:
    values = np.zeros((4, 3))
    values[3, 1] = np.nan
    found = _errors(series_of(values, relative=True), Noise(sd=1.0, persistence=0.5), 5, np.random.default_rng(0))
    assert (found[..., 0] == 0).all()
    assert (np.nanstd(found[..., 1:], axis=1) > 0).all()
    np.testing.assert_allclose(np.nansum(found, axis=1), 0.0, atol=1e-12)

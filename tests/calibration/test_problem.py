"""The calibration problem: what it compares, its Jacobian against a slow twin, laws, and bad input."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration import CalibrationProblem
from calibration.observation import Noise
from calibration.problem import STEP
from pysd_runner.errors import InvalidInput, InvalidPanel, UnknownName
from pysd_runner.model import load_model
from pysd_runner.panel import Panel
from tests.calibration.panels import FIRST, made_panel, model_of, permuted, renamed, start_panel, without

COUNT = 6


@pytest.fixture(scope="module")
def panel() -> Panel:
    return made_panel(COUNT, 8, noise=1.0)


@pytest.fixture(scope="module")
def problem(panel: Panel) -> CalibrationProblem:
    return CalibrationProblem(model_of(COUNT), panel)


def somewhere(problem: CalibrationProblem, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return problem.space.centre + 0.5 * problem.space.scale * rng.normal(size=len(problem.space))


def test_the_truth_leaves_no_residual_without_noise() -> None:
    truth = {"q_a": 0.3, "lam_U": 0.25, "q_u": 0.3, "c0": 0.02, "pi": 0.4, "tau_m": 1.0, "lambda_s": 2.0}
    problem = CalibrationProblem(model_of(COUNT), made_panel(COUNT, 8, truth), free=list(truth))
    z = problem.space.to_vector(truth)
    data = problem.residuals(z)[: len(problem.rows())]
    assert np.abs(data).max() < 1e-9


def test_the_window_starts_where_the_last_indicator_begins(problem: CalibrationProblem) -> None:
    assert (problem.first_year, problem.last_year) == (FIRST, FIRST + 8)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_jacobian_equals_a_slow_one(problem: CalibrationProblem, seed: int) -> None:
    """One parameter at a time, twice the step and half of it: Richardson's limit of central differences."""
    noisy = problem.with_noise({item.label: Noise(0.05, 0.6) for item in problem.series})
    z = somewhere(noisy, seed)
    found = noisy.jacobian(z)

    def slope(column: int, step: float) -> np.ndarray:
        up, down = z.copy(), z.copy()
        up[column] += step
        down[column] -= step
        return (noisy.residuals(up) - noisy.residuals(down)) / (2 * step)

    for column, scale in enumerate(noisy.space.scale):
        exact = (4 * slope(column, STEP * scale) - slope(column, 2 * STEP * scale)) / 3
        size = np.abs(exact).max()
        np.testing.assert_allclose(found[:, column], exact, atol=1e-5 * size)


def test_the_jacobian_of_some_columns_is_a_part_of_the_whole(problem: CalibrationProblem) -> None:
    z = somewhere(problem)
    np.testing.assert_allclose(problem.jacobian(z, columns=[3, 1]), problem.jacobian(z)[:, [3, 1]], atol=1e-9)


def test_the_jacobian_looks_inwards_at_a_bound(problem: CalibrationProblem) -> None:
    z = problem.space.centre
    column = problem.space.keys.index("g_D")
    z[column] = problem.space.bounds[1][column]
    assert np.isfinite(problem.jacobian(z)).all()
    assert np.abs(problem.jacobian(z)[:, column]).max() > 0


def test_batches_give_what_single_vectors_give(problem: CalibrationProblem) -> None:
    z = np.stack([somewhere(problem, seed) for seed in range(3)])
    batch = problem.residual_batch(z)
    for row in range(3):
        np.testing.assert_allclose(batch[row], problem.residuals(z[row]), atol=1e-9)


def test_prior_residuals_stand_at_the_end(problem: CalibrationProblem) -> None:
    z = somewhere(problem)
    size = len(problem.space)
    np.testing.assert_array_equal(problem.residuals(z)[-size:], problem.space.prior_residuals(z))
    assert np.abs(problem.residuals(problem.space.centre)[-size:]).max() < 1e-9


def test_order_and_names_of_regions_do_not_matter(panel: Panel, problem: CalibrationProblem) -> None:
    order = np.random.default_rng(1).permutation(COUNT)
    moved = CalibrationProblem(model_of(COUNT), renamed(permuted(panel, order)))
    z = somewhere(problem)
    for first, second in zip(problem.raw_residuals(z), moved.raw_residuals(z), strict=True):
        np.testing.assert_allclose(second, first[order] if len(first) > 1 else first, atol=1e-11)
    assert moved.log_posterior(z) == pytest.approx(problem.log_posterior(z), rel=1e-9)


def test_currency_does_not_matter(panel: Panel, problem: CalibrationProblem) -> None:
    dollars = replace(
        panel,
        values={**panel.values, "output_per_head": panel["output_per_head"] / 7, "output": panel["output"] / 7},
        currency="dollar",
    )
    other = CalibrationProblem(model_of(COUNT), dollars, yuan_per_unit=7.0)
    np.testing.assert_allclose(
        other.residuals(somewhere(problem)), problem.residuals(somewhere(problem)), rtol=1e-7, atol=1e-7
    )


def test_parameters_no_series_speaks_of_are_held_and_named(panel: Panel) -> None:
    bare = without(
        panel,
        "mobile_internet_per_100",
        "broadband_ports_per_100",
        "ict_employment_share",
        "firms_with_ecommerce",
        national=False,
    )
    problem = CalibrationProblem(model_of(COUNT), bare)
    assert set(problem.space.keys) <= {"th_U", "c0", "c1", "lam_I", "pi", "tau_m"}
    assert {"q_a", "g_D", "lam_S", "lam_U", "q_u", "lambda_s", "lambda_u"} <= set(problem.held.keys)
    assert "no series" in problem.held_reasons["q_a"]
    assert "next to nothing" in problem.held_reasons["g0"]
    text = str(problem.describe())
    assert "Held at the prior:" in text
    assert "access (mobile_internet_per_100): not in the panel" in text


def test_a_choice_of_free_parameters_is_kept(panel: Panel) -> None:
    problem = CalibrationProblem(model_of(COUNT), panel, free=["g0", "c0"])
    assert problem.space.keys == ("g0", "c0")
    assert len(problem.held) == 0


def test_values_hold_and_change_the_residuals(panel: Panel, problem: CalibrationProblem) -> None:
    other = CalibrationProblem(model_of(COUNT), panel, values={"alpha": 0.33, "c0": 0.05})
    assert "c0" not in other.space.keys
    assert other.fixed == {"alpha": 0.33, "c0": 0.05}
    assert other.describe().fixed["alpha"] == 0.33
    z = other.space.centre
    assert (
        np.abs(
            other.residuals(z)[: len(other.rows())] - problem.residuals(problem.space.centre)[: len(other.rows())]
        ).max()
        > 0.01
    )


def test_the_description_tells_everything_before_it_starts(problem: CalibrationProblem) -> None:
    lines = "\n".join(problem.describe().lines())
    for text in (
        f"6 regions, {FIRST} to {FIRST + 8}",
        "first year gives no residual",
        "output from output_per_head: 48 changes",
        "access_level from internet_penetration: 8 values",
        "needs 'natural_growth'",
        "Access: q_a, g_D",
        "Initial Governance Integration: no series; 0.25",
    ):
        assert text in lines


def test_nothing_after_the_last_year_is_used(panel: Panel) -> None:
    cut = CalibrationProblem(model_of(COUNT), panel, last_year=FIRST + 5)
    spoilt_values = {name: array.copy() for name, array in panel.values.items()}
    for array in spoilt_values.values():
        array[:, -3:] *= 3
    national = {"internet_penetration": {**panel.national["internet_penetration"], FIRST + 8: 0.1}}
    spoilt = CalibrationProblem(
        model_of(COUNT), replace(panel, values=spoilt_values, national=national), last_year=FIRST + 5
    )
    np.testing.assert_array_equal(cut.residuals(somewhere(cut)), spoilt.residuals(somewhere(cut)))


def test_stages_follow_the_ladder(problem: CalibrationProblem) -> None:
    assert [stage.name for stage in problem.stages] == ["Access", "Skills", "Application", "Output"]
    assert problem.stage_of("lambda_s").name == "Skills"
    assert problem.stage_of("tau_m").name == "Output"
    assert problem.stages[0].measurements == ("access", "access_level")
    rows = np.concatenate([problem.rows(stage) for stage in problem.stages])
    np.testing.assert_array_equal(np.sort(rows), problem.rows())


def test_two_regions_and_three_years_work() -> None:
    small = CalibrationProblem(model_of(2), made_panel(2, 2, noise=1.0))
    assert np.isfinite(small.residuals(small.space.centre)).all()
    assert np.isfinite(small.jacobian(small.space.centre)).all()


def test_one_region_is_compared_with_its_national_series_alone() -> None:
    problem = CalibrationProblem(model_of(1), made_panel(1, 6))
    assert [item.label for item in problem.series] == ["access_level:internet_penetration"]
    assert "nothing can be said about gaps" in str(problem.describe())


def test_one_region_without_a_national_series_gets_one_clear_message() -> None:
    with pytest.raises(InvalidPanel, match=r"says nothing the model can be compared with.*there is only one"):
        CalibrationProblem(model_of(1), without(made_panel(1, 6), national=False))


def test_one_year_gets_one_clear_message() -> None:
    with pytest.raises(InvalidPanel, match="in 1 year; a calibration needs at least two"):
        CalibrationProblem(model_of(3), start_panel(3, before=0))


@pytest.mark.parametrize(
    ("years", "message"),
    [
        ({"first_year": 1900}, "first_year 1900 is not in panel 'made', which has 2008 to 2018"),
        ({"first_year": 2018}, "first_year must lie before last_year"),
        ({"last_year": 2040}, "last_year 2040 is not in panel"),
        ({"first_year": 2015, "last_year": 2012}, "first_year must lie before last_year"),
    ],
)
def test_windows_that_do_not_fit(panel: Panel, years: dict[str, int], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        CalibrationProblem(model_of(COUNT), panel, **years)


def test_a_first_year_with_a_gap_names_the_region(panel: Panel) -> None:
    head = panel["output_per_head"].copy()
    head[4, panel.years.index(2012)] = np.nan
    holed = replace(panel, values={**panel.values, "output_per_head": head})
    with pytest.raises(InvalidInput, match=f"first_year 2012: output per head is missing for {panel.codes[4]}"):
        CalibrationProblem(model_of(COUNT), holed, first_year=2012)
    assert CalibrationProblem(model_of(COUNT), holed).last_year == FIRST + 8


def test_a_panel_full_of_gaps_says_which_regions_to_leave_out(panel: Panel) -> None:
    head = panel["output_per_head"].copy()
    head[1, 1:] = np.nan
    holed = replace(panel, values={**panel.values, "output_per_head": head})
    with pytest.raises(InvalidPanel, match=rf"leave regions out; fewest values: {panel.codes[1]} \(1 of 11 years\)"):
        CalibrationProblem(model_of(COUNT), holed)


def test_a_panel_without_output_is_refused(panel: Panel) -> None:
    with pytest.raises(
        InvalidPanel, match="no output per head: expected a column output_per_head, or output and population"
    ):
        CalibrationProblem(model_of(COUNT), without(panel, "output_per_head", "output"))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"free": ["q_b"]}, UnknownName, "Did you mean"),
        ({"values": {"alpha": 2.0}}, InvalidInput, "bounds"),
        ({"free": ["c0"], "values": {"c0": 0.01}}, InvalidInput, "both set"),
    ],
)
def test_choices_that_do_not_fit(
    panel: Panel, options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        CalibrationProblem(model_of(COUNT), panel, **options)


def test_a_model_without_declarations_is_refused(panel: Panel, tmp_path: Path) -> None:
    path = tmp_path / "plain.mdl"
    path.write_text(
        "{UTF-8}\nx= INTEG(1, 0)\n~ Dmnl\n~ |\nINITIAL TIME=0\n~ Year\n~ |\nFINAL TIME=1\n~ Year\n~ |\n"
        "TIME STEP=1\n~ Year\n~ |\nSAVEPER=1\n~ Year\n~ |\n",
        encoding="utf-8",
    )
    with pytest.raises(InvalidInput, match=r"plain\.mdl has no declarations"):
        CalibrationProblem(load_model(path), panel)


def test_errors_are_needed_for_every_series(problem: CalibrationProblem) -> None:
    with pytest.raises(InvalidInput, match="no noise is given for series 'output:output_per_head'"):
        problem.with_noise({})


def test_other_errors_leave_the_problem_alone(problem: CalibrationProblem) -> None:
    before = dict(problem.noise)
    other = problem.with_noise({item.label: Noise(1.0) for item in problem.series})
    assert dict(problem.noise) == before
    assert other.space.keys == problem.space.keys

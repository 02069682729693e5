"""The calibration problem: what it compares, its Jacobian against a slow twin, laws, and bad input."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration import Problem, fit
from calibration.fitting.window import window_of
from calibration.observation import Noise
from pysd_runner.core.errors import InvalidInput, InvalidPanel, UnknownName
from pysd_runner.data import Data, load_data
from pysd_runner.model import load_model
from tests.calibration.panels import (
    FIRST,
    UNITS,
    made_panel,
    model_of,
    permuted,
    regions_of,
    renamed,
    start_panel,
    without,
)

COUNT = 6


@pytest.fixture(scope="module")
def panel() -> Data:
    return made_panel(COUNT, 8, noise=1.0)


@pytest.fixture(scope="module")
def problem(panel: Data) -> Problem:
    return Problem(model_of(COUNT), panel)


def somewhere(problem: Problem, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return problem.space.centre + 0.5 * problem.space.scale * rng.normal(size=len(problem.space))


def test_the_truth_leaves_no_residual_without_noise() -> None:
    truth = {"q_a": 0.3, "lam_U": 0.25, "q_u": 0.3, "c0": 0.02, "pi": 0.4, "tau_m": 1.0, "lambda_s": 2.0}
    problem = Problem(model_of(COUNT), made_panel(COUNT, 8, truth), free=list(truth))
    for item, left in zip(problem.series, problem.raw_residuals(problem.space.to_vector(truth)), strict=True):
        # Levels keep the distance of the first year: shares start a little lower where they near their ceiling.
        start = 0.0 if item.increments or item.national else left[:, :1]
        assert np.nanmax(np.abs((left - start)[:, 1:])) < 1e-9
        assert np.nanmax(np.abs(start)) < 1e-3


def test_the_window_starts_where_the_last_indicator_begins(problem: Problem) -> None:
    assert (problem.first_year, problem.last_year) == (FIRST, FIRST + 8)


def test_a_window_holds_25_years_at_most() -> None:
    years = tuple(range(1980, 2025))
    values = {"output_per_head": np.full((2, len(years)), 1e4)}
    units = {"output_per_head": UNITS["output_per_head"]}
    long = Data.by_region(name="long", regions=regions_of(2), years=years, values=values, units=units)
    assert window_of(model_of(2).spec, long, None, None) == (1999, 2024)


def test_the_jacobian_looks_inwards_at_a_bound(problem: Problem) -> None:
    z = problem.space.centre
    column = problem.space.keys.index("g_D")
    z[column] = problem.space.bounds[1][column]
    assert np.isfinite(problem.jacobian(z)).all()
    assert np.abs(problem.jacobian(z)[:, column]).max() > 0


def test_a_problem_without_parameters_has_a_jacobian_without_columns(panel: Data) -> None:
    fixed = Problem(model_of(COUNT), panel, free=[])
    z = fixed.space.centre
    assert fixed.jacobian(z).shape == (len(fixed.residuals(z)), 0)


def test_batches_give_what_single_vectors_give(problem: Problem) -> None:
    z = np.stack([somewhere(problem, seed) for seed in range(3)])
    batch = problem.residual_batch(z)
    for row in range(3):
        np.testing.assert_allclose(batch[row], problem.residuals(z[row]), atol=1e-9)


def test_prior_residuals_stand_at_the_end(problem: Problem) -> None:
    z = somewhere(problem)
    size = len(problem.space)
    np.testing.assert_array_equal(problem.residuals(z)[-size:], problem.space.prior_residuals(z))
    assert np.abs(problem.residuals(problem.space.centre)[-size:]).max() < 1e-9


def test_order_and_names_of_regions_do_not_matter(panel: Data, problem: Problem) -> None:
    order = np.random.default_rng(1).permutation(COUNT)
    moved = Problem(model_of(COUNT), renamed(permuted(panel, order)))
    z = somewhere(problem)
    for first, second in zip(problem.raw_residuals(z), moved.raw_residuals(z), strict=True):
        np.testing.assert_allclose(second, first[order] if len(first) > 1 else first, atol=1e-11)
    assert moved.log_posterior_batch(z[None])[0] == pytest.approx(problem.log_posterior_batch(z[None])[0], rel=1e-9)


def test_currency_does_not_matter(panel: Data, problem: Problem) -> None:
    money = {name: panel.array(name) / 7 for name in ("output_per_head", "output")}
    dollars = replace(panel.with_values({**panel.values, **money}), currency="dollar")
    other = Problem(model_of(COUNT), dollars, yuan_per_unit=7.0)
    np.testing.assert_allclose(
        other.residuals(somewhere(problem)), problem.residuals(somewhere(problem)), rtol=1e-7, atol=1e-7
    )


def test_parameters_no_series_speaks_of_are_named(panel: Data, problem: Problem) -> None:
    bare = without(
        panel,
        "mobile_internet_per_100",
        "broadband_ports_per_100",
        "ict_employment_share",
        "firms_with_ecommerce",
        national=False,
    )
    alone = Problem(model_of(COUNT), bare)
    # They are estimated like all others, and their priors go into one posterior with what output says.
    assert alone.space.keys == problem.space.keys
    found = alone.describe()
    assert list(found.estimated) == ["Output"]
    assert list(found.unobserved) == ["Access", "Skills", "Application"]
    assert {"q_a", "g_D"} <= set(found.unobserved["Access"])
    assert {"lam_S", "lam_U", "lambda_s", "h_s"} <= set(found.unobserved["Skills"])
    assert {"q_u", "lambda_u", "h_u"} <= set(found.unobserved["Application"])
    assert {"c0", "alpha", "c_R"} <= set(found.estimated["Output"])
    text = str(found)
    assert "In blocks without a series, so close to their priors:\n  Access: " in text
    assert "access (mobile_internet_per_100): not in the panel" in text


def test_a_choice_of_free_parameters_is_kept(panel: Data) -> None:
    problem = Problem(model_of(COUNT), panel, free=["g0", "c0"])
    assert problem.space.keys == ("g0", "c0")
    assert problem.describe().estimated == {"Output": ("g0", "c0")}


def test_a_ridge_of_which_a_part_is_moved_is_told(panel: Data, problem: Problem) -> None:
    assert "is cut because" not in str(problem.describe())
    assert [item.key for item in problem.ridges.ridges] == ["migration", "skills"]
    cut = Problem(model_of(COUNT), panel, free=["lam_S", "lam_U", "m0"])
    text = str(cut.describe())
    assert "The ridge migration (m0, eps) is cut because eps is not moved" in text
    assert "The ridge skills (lam_S, lam_U, dep_S) is cut because dep_S is not moved" in text


def anchored(panel: Data, **levels: float) -> Data:
    """The panel with surveys of digital skills in one year."""
    return panel.with_national({**panel.national, **{name: {FIRST + 6: value} for name, value in levels.items()}})


def test_a_survey_of_skills_is_compared_with_the_users_who_have_them(panel: Data) -> None:
    problem = Problem(model_of(COUNT), anchored(panel, digital_skill_intermediate=0.6))
    assert problem.series[-1].label == "skill_level:digital_skill_intermediate"
    assert problem.stages[1].measurements == ("skills", "skill_level")
    z = somewhere(problem)
    run = problem.runs.copied(outcomes=["Skilled People", "Connected People"]).batch(problem.parameters_at(z), 1)
    share = run["Skilled People"].sum(axis=1) / run["Connected People"].sum(axis=1)
    assert problem.raw_residuals(z)[-1][0, 6] == pytest.approx(share[0, 6] - 0.6, rel=1e-12)
    text = str(problem.describe())
    assert (
        "skill_level from digital_skill_intermediate: 1 value, compared with Skilled Share of Connected People: "
        "normal errors, independent, standard deviation known, on the original scale" in text
    )
    assert "declared independent although" not in text
    assert problem.residuals(z)[problem.rows()][-1] == pytest.approx((share[0, 6] - 0.6) / 0.04, rel=1e-12)


def test_an_anchors_error_is_known_and_never_estimated_again(panel: Data) -> None:
    problem = Problem(model_of(COUNT), anchored(panel, digital_skill_intermediate=0.99))
    label = problem.series[-1].label
    assert problem.noise[label] == Noise(0.04, 0.0)
    for seed in range(3):
        z = somewhere(problem, seed)
        assert abs(problem.raw_residuals(z)[-1][0, 6]) > 0.1  # so far off that another error would be found
        found = problem.estimated_noise(z)
        assert found[label] == Noise(0.04, 0.0)
        assert found["skills:ict_employment_share"] != problem.noise["skills:ict_employment_share"]
    # Declared as unknown it is estimated, and takes the contradiction away.
    open_ended = replace(problem.spec.measurements["skill_level"].errors, known=False)
    other = Problem(model_of(COUNT), problem.data, observations={"skill_level": {"errors": open_ended}})
    assert other.estimated_noise(somewhere(other))[label].sd > 0.045


def test_a_fit_says_which_anchors_it_misses(panel: Data) -> None:
    far = anchored(panel, digital_skill_intermediate=0.99)
    found = fit(Problem(model_of(COUNT), far, free=["q_a", "q_u"]), starts=1)
    (missed,) = found.fitted.provenance["misses"]
    (row,) = found.residuals.to_frame().query("measurement == 'skill_level'").to_dict("records")
    assert (missed["measurement"], missed["year"], missed["observed"]) == ("skill_level", FIRST + 6, 0.99)
    assert missed["fitted"] == pytest.approx(row["fitted"], rel=1e-12)
    assert missed["fitted"] < 0.99 - 2 * 0.04
    near = anchored(panel, digital_skill_intermediate=0.46)
    again = fit(Problem(model_of(COUNT), near, free=["q_a", "q_u"]), starts=1)
    assert again.fitted.provenance["misses"] == []


def test_another_definition_of_a_national_series_is_read(panel: Data) -> None:
    both = anchored(panel, digital_skill_intermediate=0.6, digital_skill_basic=0.87)
    declared = Problem(model_of(COUNT), both)
    other = Problem(model_of(COUNT), both, observations={"skill_level": {"national": "digital_skill_basic"}})
    same = Problem(model_of(COUNT), both, observations={"skill_level": {"national": "digital_skill_intermediate"}})
    assert [item.label for item in other.series][-1] == "skill_level:digital_skill_basic"
    assert other.digest() != declared.digest()
    assert same.digest() == declared.digest()
    z = somewhere(declared)
    apart = declared.raw_residuals(z)[-1] - other.raw_residuals(z)[-1]
    assert apart[0, 6] == pytest.approx(0.27)


@pytest.mark.parametrize(
    ("definitions", "says"),
    [
        ({"skill_level": "digital_skill_advanced"}, "expected digital_skill_intermediate or digital_skill_basic"),
        ({"access_level": "internet_penetration_rural"}, "cannot be read from .* expected internet_penetration"),
        ({"output": "digital_skill_basic"}, "expected nothing else"),
        ({"skils_level": "digital_skill_basic"}, "no measurement 'skils_level'.*Did you mean 'skill_level'"),
    ],
)
def test_definitions_that_are_not_declared_are_refused(panel: Data, definitions: dict[str, str], says: str) -> None:
    with pytest.raises(UnknownName, match=says):
        Problem(model_of(COUNT), panel, observations={key: {"national": series} for key, series in definitions.items()})


@pytest.mark.parametrize("name", ["frist_year", "first_year", "last_year", "measurements", "errors", "definitions"])
def test_keywords_that_mean_nothing_are_refused(panel: Data, name: str) -> None:
    # The door `gapsim` answers for the class once it was used.
    with pytest.raises((TypeError, InvalidInput), match=f"argument '{name}'"):
        Problem(model_of(COUNT), panel, **{name: FIRST})


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"start": FIRST + 0.5}, "start must be a whole number"),
        ({"priors": {"alpha": None}}, "priors do not apply to a panel"),
        ({"observations": {"skill_level": {"nation": "x"}}}, "cannot be set. Did you mean 'national'"),
    ],
)
def test_what_does_not_apply_to_a_panel_is_refused(panel: Data, choice: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        Problem(model_of(COUNT), panel, **choice)  # type: ignore[arg-type]


def test_the_prior_leaves_the_level_of_skills_open_but_not_absurd() -> None:
    """Nine of ten draws of the prior put the share of skilled people in 2023 between a fifth and four fifths."""
    whole = load_data("china")
    problem = Problem(load_model("regional_digital", regions=31), whole)
    z = problem.space.sample(np.random.default_rng(0), 400)
    runs = problem.runs.copied(outcomes=["National Skill Share"])
    share = runs.batch(problem.parameters_at(z), len(z))["National Skill Share"]
    found = share[:, 2023 - problem.first_year]
    low, high = np.quantile(found, [0.05, 0.95])
    assert 0.2 <= low < high <= 0.8
    # The declared definition is in the middle of it, before anything is fitted: .604 of the users, .775 of the people.
    assert low < 0.604 * 0.775 < high


def test_values_hold_and_change_the_residuals(panel: Data, problem: Problem) -> None:
    other = Problem(model_of(COUNT), panel, values={"alpha": 0.33, "c0": 0.05})
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


def test_the_description_tells_everything_before_it_starts(problem: Problem) -> None:
    lines = "\n".join(problem.describe().lines())
    for text in (
        f"6 regions, {FIRST} to {FIRST + 8}",
        "first year gives no residual",
        "output from output_per_head: 48 changes",
        "access_level from internet_penetration: 8 values",
        "needs 'natural_growth'",
        "Access: p_a, q_a, a_max",
        "Estimated together:",
        "Initial Governance Integration: no series; 0.25",
    ):
        assert text in lines


def test_nothing_after_the_last_year_is_used(panel: Data) -> None:
    cut = Problem(model_of(COUNT), panel, until=FIRST + 5)
    spoilt_values = {name: array.copy() for name, array in panel.values.items()}
    for array in spoilt_values.values():
        array[:, -3:] *= 3
    national = {"internet_penetration": {**panel.national["internet_penetration"], FIRST + 8: 0.1}}
    spoilt = Problem(model_of(COUNT), panel.with_values(spoilt_values).with_national(national), until=FIRST + 5)
    np.testing.assert_array_equal(cut.residuals(somewhere(cut)), spoilt.residuals(somewhere(cut)))


def test_stages_follow_the_ladder(problem: Problem) -> None:
    assert [stage.name for stage in problem.stages] == ["Access", "Skills", "Application", "Output"]
    assert problem.stage_of("lambda_s").name == "Skills"
    assert problem.stage_of("tau_m").name == "Output"
    assert problem.stages[0].measurements == ("access", "access_level")
    rows = np.concatenate([problem.rows(stage) for stage in problem.stages])
    np.testing.assert_array_equal(np.sort(rows), problem.rows())


@pytest.mark.parametrize("national", [False, True])
def test_one_region_is_refused(national: bool) -> None:
    panel = made_panel(1, 6)
    with pytest.raises(InvalidPanel, match=r"has one region, .*; a calibration needs at least two"):
        Problem(model_of(1), panel if national else without(panel, national=False))


def test_one_year_gets_one_clear_message() -> None:
    with pytest.raises(InvalidPanel, match="in 1 year; a calibration needs at least two"):
        Problem(model_of(3), start_panel(3, before=0))


@pytest.mark.parametrize(
    ("years", "message"),
    [
        ({"start": 1900}, "start 1900 is not in panel 'made', which has 2008 to 2018"),
        ({"start": 2018}, "start must lie before until"),
        ({"until": 2040}, "until 2040 is not in panel"),
        ({"start": 2015, "until": 2012}, "start must lie before until"),
    ],
)
def test_windows_that_do_not_fit(panel: Data, years: dict[str, int], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Problem(model_of(COUNT), panel, **years)


def test_a_first_year_with_a_gap_names_the_region(panel: Data) -> None:
    head = panel.array("output_per_head").copy()
    head[4, panel.years.index(2012)] = np.nan
    holed = panel.with_values({**panel.values, "output_per_head": head})
    with pytest.raises(InvalidInput, match=f"start 2012: output per head is missing for {panel.codes[4]}"):
        Problem(model_of(COUNT), holed, start=2012)
    assert Problem(model_of(COUNT), holed).last_year == FIRST + 8


def test_a_panel_full_of_gaps_says_which_regions_to_leave_out(panel: Data) -> None:
    head = panel.array("output_per_head").copy()
    head[1, 1:] = np.nan
    holed = panel.with_values({**panel.values, "output_per_head": head})
    with pytest.raises(InvalidPanel, match=rf"leave regions out; fewest values: {panel.codes[1]} \(1 of 11 years\)"):
        Problem(model_of(COUNT), holed)


def test_a_panel_without_output_is_refused(panel: Data) -> None:
    with pytest.raises(
        InvalidPanel, match="no output per head: expected a column output_per_head, or output and population"
    ):
        Problem(model_of(COUNT), without(panel, "output_per_head", "output"))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"free": ["q_b"]}, UnknownName, "Did you mean"),
        ({"values": {"alpha": 2.0}}, InvalidInput, "bounds"),
        ({"free": ["c0"], "values": {"c0": 0.01}}, InvalidInput, "both set"),
    ],
)
def test_choices_that_do_not_fit(panel: Data, options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Problem(model_of(COUNT), panel, **options)


def test_a_model_without_declarations_is_refused(panel: Data, tmp_path: Path) -> None:
    path = tmp_path / "plain.mdl"
    path.write_text(
        "{UTF-8}\nx= INTEG(1, 0)\n~ Dmnl\n~ |\nINITIAL TIME=0\n~ Year\n~ |\nFINAL TIME=1\n~ Year\n~ |\n"
        "TIME STEP=1\n~ Year\n~ |\nSAVEPER=1\n~ Year\n~ |\n",
        encoding="utf-8",
    )
    with pytest.raises(InvalidInput, match=r"is called like a variable of plain\.mdl"):
        Problem(load_model(path), panel)


def test_declared_errors_are_independent(problem: Problem) -> None:
    assert problem.noise == {item.label: Noise(item.declared_sd, 0.0) for item in problem.series}


def test_errors_are_needed_for_every_series(problem: Problem) -> None:
    with pytest.raises(InvalidInput, match="no noise is given for series 'output:output_per_head'"):
        problem.with_noise({})

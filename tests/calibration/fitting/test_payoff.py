"""A log posterior that the model computes: values and derivatives by hand, searches at bounds, and what is told."""

import numpy as np
import pytest

from calibration import Problem, fit
from calibration.fitting.curved import NINETY, approximation
from calibration.fitting.results import load_fit
from calibration.uncertainty import sample
from pysd_runner import load_model
from pysd_runner.core.errors import InvalidInput, InvalidModel

LINE = """{UTF-8}
Place: north, south ~~|
Slope = 1 ~ 1 ~|
Level[Place] = 2, 1 ~ 1 [-5,5] ~|
Weight = 0.5 ~ 1 ~|
Weights[Place] = 0.5, 2 ~ 1 ~|
Line = INTEG(Slope, 0) ~ 1 ~|
Miss[Place] = (Line - 2 * Time)^2 + (Level[Place] - 3)^2 ~ 1 ~|
Clipped = MAX(0, Line) ~ 1 ~|
Lost = IF THEN ELSE(Time > 2, :NA:, Line) ~ 1 ~|
INITIAL TIME = 0 ~ day ~|
FINAL TIME = 4 ~ day ~|
TIME STEP = 0.5 ~ day ~|
SAVEPER = 1 ~ day ~|
"""
TIMES = np.arange(0, 4.01, 0.5)
FLAT = "prior = { family = 'uniform', lower = -5, upper = 5 }"


def made(folder, terms, *, free=("Slope",), more="", text=LINE):
    (folder / "mine.mdl").write_text(text, encoding="utf-8")
    numbers = "".join(f'[parameters."{name}"]\n{FLAT}\n' for name in free)
    (folder / "mine.toml").write_text(f"schema = 2\n{numbers}[objective]\nterms = [{terms}]\n{more}", encoding="utf-8")
    return load_model(folder / "mine.mdl")


def payoff(problem, *values):
    return -problem.beside(np.array(values, dtype=float))[0]


@pytest.mark.parametrize(
    ("terms", "more", "expected"),
    [
        ('{ variable = "Miss", weight = -0.5 }', "", -0.5 * (2 * (TIMES**2).sum() + 9 * (1 + 4))),
        ('{ variable = "miss[South]", weight = -1 }', "", -((TIMES**2).sum() + 9 * 4)),
        ('{ variable = "Miss", weight = -0.5 }', 'times = "time"', -0.25 * (2 * (TIMES**2).sum() + 9 * (1 + 4))),
        ('{ variable = "Line", at = "end" }', 'times = "time"', 4.0),
        ('{ variable = "Miss", at = "start" }, { variable = "Line", at = "end", weight = 3 }', "", 5 + 12.0),
        ('{ variable = "Line", weight = "weight" }', "", 0.5 * TIMES.sum()),
        ('{ variable = "Miss", weight = "Weights", at = "end" }', "", 0.5 * 17 + 2 * 20),
        ('{ variable = "Miss", weight = "Weights[south]", at = "end" }', "", 2 * (17 + 20.0)),
    ],
)
def test_a_payoff_is_the_sum_by_hand(tmp_path, terms, more, expected):
    problem = Problem(made(tmp_path, terms, more=more), None)
    assert payoff(problem, 1) == pytest.approx(expected, rel=1e-12)
    assert -problem.beside_batch(np.array([[1.0], [1.0]])) == pytest.approx([expected] * 2, rel=1e-12)


def test_derivatives_equal_differences_also_by_a_weight_that_is_estimated(tmp_path):
    terms = '{ variable = "Miss", weight = "Weights" }, { variable = "Line", weight = "Weight", at = "end" }'
    free = ("Slope", "Level", "Weight", "Weights[south]")
    problem = Problem(made(tmp_path, terms, free=free), None)
    assert problem.space.keys == ("Slope", "Level[north]", "Level[south]", "Weight", "Weights[south]")
    point = np.array([1.3, 0.7, 2.1, 0.4, 1.1])
    step = 1e-5 * np.eye(5)
    differences = [(payoff(problem, *point + one) - payoff(problem, *point - one)) / 2e-5 for one in step]
    assert -problem.beside(point)[1] == pytest.approx(differences, rel=1e-6)
    assert problem.gradient(point) == pytest.approx(differences, rel=1e-6)


def test_optimum_and_intervals_equal_the_closed_form(tmp_path):
    """-S (a - 2)^2 / 2 + 4 a has its maximum at 2 + 4 / S, with the standard error 1 / sqrt(S)."""
    model = made(tmp_path, '{ variable = "Miss[north]", weight = -0.5 }, { variable = "Line", at = "end" }')
    found = fit(model, None, starts=2)
    size = (TIMES**2).sum()
    (slope,) = found.parameters
    assert slope.estimate == pytest.approx(2 + 4 / size, rel=1e-7)
    assert slope.standard_error == pytest.approx(size**-0.5, rel=1e-5)
    assert slope.high - slope.estimate == pytest.approx(NINETY * size**-0.5, rel=1e-5)
    assert slope.words == "determined by the data"
    assert found.success
    assert found.fitted.provenance["payoff"] == pytest.approx(-found.cost)
    assert "no step nearby raises the payoff" in found.summary()
    assert "there are no residuals" in found.summary()
    assert np.std(found.fitted.draws) == pytest.approx(size**-0.5, rel=0.1)


def test_a_fit_is_kept_whole_and_can_be_sampled(tmp_path):
    problem = Problem(made(tmp_path, '{ variable = "Miss[north]", weight = -0.5 }'), None)
    found = fit(problem, starts=1)
    kept = load_fit(found.save(tmp_path / "fit"))
    assert kept.summary() == found.summary()
    drawn = sample(problem, kept, 400, steps=300)
    assert drawn.draws.std() == pytest.approx((TIMES**2).sum() ** -0.5, rel=0.25)


def test_an_optimum_at_a_bound_is_found_listed_and_has_a_one_sided_interval(tmp_path):
    """The payoff 36 a, 0 at the bound 5 below, is an exponential distribution of the rate 18."""
    model = made(tmp_path, '{ variable = "Line", weight = 1 }, { variable = "Miss[north]", weight = 0 }')
    found = fit(model, None, starts=3)
    (slope,) = found.parameters
    assert (slope.estimate, slope.at_bound, slope.words) == (5.0, "upper", "at its upper bound")
    assert slope.high == 5
    assert slope.low == pytest.approx(5 - np.log(10) / TIMES.sum(), rel=1e-6)
    assert found.check() == []
    assert "1 of 1 parameters ended at a bound, which decides them: Slope = 5." in found.summary()


def test_directions_that_the_payoff_does_not_settle_are_named(tmp_path):
    text = LINE.replace("(Level[Place] - 3)^2", "(Level[north] - Level[south] - 1)^2")
    model = made(tmp_path, '{ variable = "Miss", weight = -5 }', free=("Slope", "Level"), text=text)
    found = fit(model, None, starts=1)
    assert found.check() == []
    assert "1 of 3 directions inside the bounds are not settled" in found.summary()
    assert "0.71 Level[north] +0.71 Level[south]" in found.summary()
    assert found.parameter("Slope").words == "determined by the data"
    assert found.parameter("Level[north]").contraction < 0.6


def test_missing_values_are_left_out_and_counted(tmp_path):
    problem = Problem(made(tmp_path, '{ variable = "Lost" }'), None)
    assert payoff(problem, 1) == pytest.approx(TIMES[TIMES <= 2].sum())
    assert "4 of 9 values of Lost are missing and left out." in str(problem.describe())


def test_a_model_without_derivatives_is_searched_by_differences(tmp_path):
    terms = '{ variable = "Miss[north]", weight = -0.5 }, { variable = "Clipped", weight = 0 }'
    found = fit(Problem(made(tmp_path, terms), None).with_wide_steps(), starts=1)
    assert found.params["Slope"] == pytest.approx(2, abs=1e-4)


def test_data_and_payoff_add(tmp_path):
    """Nine values 3 t with standard deviation 1, and the payoff of 2 t: the mean of both slopes."""
    model = made(tmp_path, '{ variable = "Miss[north]", weight = -0.5 }')
    (tmp_path / "mine.toml").write_text(
        (tmp_path / "mine.toml").read_text()
        + '[measurements.Line]\noutcome = "Line"\nscale = "level"\nsd = 1.0\n'
        + 'errors = { family = "normal", memory = "independent" }\n'
    )
    found = fit(load_model(model.path), {"day": TIMES.tolist(), "Line": (3 * TIMES).tolist()}, starts=1)
    assert found.params["Slope"] == pytest.approx(2.5, abs=1e-4)
    assert found.bse["Slope"] == pytest.approx((2 * (TIMES**2).sum()) ** -0.5, rel=0.01)
    assert "there are no residuals" not in found.summary()


@pytest.mark.parametrize("optimiser", ["cma", "quasi_newton"])
def test_other_searches_reach_the_same(tmp_path, optimiser):
    found = fit(made(tmp_path, '{ variable = "Miss[north]", weight = -0.5 }'), None, starts=1, optimiser=optimiser)
    assert found.params["Slope"] == pytest.approx(2, abs=1e-4)


@pytest.mark.parametrize(
    ("terms", "more", "told"),
    [
        ("", "", "objective.terms is empty"),
        (
            '{ variable = "Mis" }',
            "",
            "objective.terms[1].variable: the model has no such variable. Did you mean 'Miss'",
        ),
        (
            '{ variable = "Line", weight = "Wieght" }',
            "",
            "no such constant; expected a number or the name of a constant",
        ),
        ('{ variable = "Line", at = "ends" }', "", "expected one of steps, end, start, found 'ends'"),
        ('{ variable = "Line" }', 'times = "dt"', "objective.times: expected one of step, time"),
        ('{ variable = "Line", data = "Line" }', "", "data and model are named together"),
        ('{ variable = "Line", weight = true }', "", "expected a number"),
        ('{ variable = "Line", wieght = 2 }', "", "unknown key"),
    ],
)
def test_bad_declarations_say_where(tmp_path, terms, more, told):
    with pytest.raises(InvalidModel, match=r"mine\.toml: ") as failure:
        made(tmp_path, terms, more=more)
    assert told in str(failure.value)


def test_bad_problems_say_what_to_do(tmp_path):
    with pytest.raises(InvalidInput, match="weight 'Weights' runs over Place, but 'Line' over no subscript; name one"):
        Problem(made(tmp_path, '{ variable = "Line", weight = "Weights" }'), None)
    with pytest.raises(InvalidInput, match="no element 'west'"):
        Problem(made(tmp_path, '{ variable = "Miss[west]" }'), None)
    model = made(tmp_path, '{ variable = "Line" }')
    with pytest.raises(InvalidInput, match="no sum of squares: leave the optimiser out"):
        fit(model, None, optimiser="least_squares")
    (tmp_path / "mine.toml").unlink()
    bare = load_model(model.path)
    with pytest.raises(InvalidInput, match="mine is fitted to data"):
        fit(bare, None)


def test_more_free_numbers_than_a_search_takes_are_refused_by_count(tmp_path):
    many = ", ".join(f"p{number}" for number in range(201))
    text = LINE.replace("Place: north, south", f"Many: {many} ~~|\nPlace: north, south")
    text = text.replace("Slope = 1", "Sizes[Many] = 1 ~ 1 ~|\nSlope = 1")
    with pytest.raises(InvalidInput, match="201 numbers are free, and a search of a payoff takes 200 at most"):
        Problem(made(tmp_path, '{ variable = "Line" }', free=("Sizes",), text=text), None)


SEEN = """{UTF-8}
Place: north, south ~~|
Kept[Place] := GET XLS DATA('seen.csv', ',', '1', 'B2') ~ 1 ~|
Seen[Place] :INTERPOLATE: := Kept[Place] + 0 ~ 1 ~|
Rough[Place] :RAW: := Seen[Place] ~ 1 ~|
Driver := GET XLS DATA('seen.csv', ',', '1', 'B2') ~ 1 ~|
Slope = 1 ~ 1 ~|
Wave = WITH LOOKUP(Time, ((0,0),(4,1))) ~ 1 ~|
Line[Place] = INTEG(Slope + 0 * Driver, 0) ~ 1 ~|
Miss[Place] = (Line[Place] - Seen[Place])^2 + 0 * Wave ~ 1 ~|
Coarse[Place] = IF THEN ELSE(Rough[Place] = :NA:, 0, Line[Place] - Rough[Place])^2 ~ 1 ~|
INITIAL TIME = 0 ~ day ~|
FINAL TIME = 4 ~ day ~|
TIME STEP = 0.125 ~ day ~|
SAVEPER = 1 ~ day ~|
"""


@pytest.fixture
def seen(tmp_path):
    """Series of the north at 0, 2 and 4, and of the south at 0 and 4."""
    (tmp_path / "seen.csv").write_text("1,0,2,4\n2,0,3,8\n3,1,,9\n")
    return tmp_path


def test_steps_are_told_against_the_points_of_the_data(seen):
    told = "The payoff counts 33 steps, but the data that it reads have 2.5 points (2 series, 2 to 3 points each)"
    found = fit(made(seen, '{ variable = "Miss", weight = -0.5 }', text=SEEN), None, starts=1)
    assert f"{told}: for independent errors, intervals are up to 3.63 times too narrow" in found.summary()
    assert found.check() == []
    found = fit(made(seen, '{ variable = "Miss", weight = -0.5 }', text=SEEN, more='times = "time"'), None, starts=1)
    assert "33 steps of 0.125, but" in found.summary()
    assert "up to 1.28 times" in found.summary()
    for terms in ('{ variable = "Coarse", weight = -0.5 }', '{ variable = "Miss", weight = -0.5, at = "end" }'):
        assert "The payoff counts" not in fit(made(seen, terms, text=SEEN), None, starts=1).summary()


def test_residuals_of_named_pairs_are_held_against_their_law(seen):
    """The slope that fits (2, 3), (4, 8) and (4, 9) best is 37 / 18; residuals at five points, one parameter."""
    pair = '{ variable = "Coarse", weight = -0.5, data = "Seen", model = "Line", law = "normal" }'
    found = fit(made(seen, pair, text=SEEN), None, starts=1)
    slope = found.params["Slope"]
    assert slope == pytest.approx((2 * 3 + 4 * 8 + 4 * 9) / 36)
    score = (1 + (2 * slope - 3) ** 2 + (4 * slope - 8) ** 2 + (4 * slope - 9) ** 2) / 4
    assert f"chi-square is {score:.3g} per degree of freedom (5 points) under normal errors" in found.summary()
    assert "there are no residuals" not in found.summary()
    pair = pair.replace(
        '"Seen", model = "Line", law = "normal"', '"Seen[south]", model = "Line[south]", law = "poisson"'
    )
    assert "Seen[south] about Line[south]" in fit(made(seen, pair, text=SEEN), None, starts=1).summary()
    with pytest.raises(InvalidInput, match="Seen has 2 series of points"):
        fit(made(seen, pair.replace("Seen[south]", "Seen"), text=SEEN), None, starts=1)


def test_measurements_of_data_that_the_model_reads_need_no_table(seen):
    """At points only, with given errors and flat priors: least squares."""
    (seen / "mine.mdl").write_text(SEEN)
    declared = (
        f'schema = 2\n[parameters.Slope]\n{FLAT}\n[measurements.one]\ncolumn = "Seen"\noutcome = "Line"\n'
        'scale = "level"\nsd = 2.0\nerrors = { family = "normal", memory = "independent" }\n'
    )
    (seen / "mine.toml").write_text(declared)
    found = fit(load_model(seen / "mine.mdl"), None, starts=2)
    slope = (2 * 3 + 4 * 8 + 4 * 9) / 36
    assert found.params["Slope"] == pytest.approx(slope)
    assert found.bse["Slope"] == pytest.approx(2 / 6, rel=1e-5)
    assert found.nobs == 5
    squares = 1 + (2 * slope - 3) ** 2 + (4 * slope - 8) ** 2 + (4 * slope - 9) ** 2
    assert found.fitted.provenance["payoff"] == pytest.approx(-squares / 4)
    assert f"chi-square is {squares / 4 / 4:.3g} per degree of freedom (5 points) under normal" in found.summary()
    (seen / "mine.toml").write_text(declared.replace("upper = 5", "upper = 1.5"))
    found = fit(load_model(seen / "mine.mdl"), None, starts=1)
    assert (found.params["Slope"], found.parameters[0].at_bound, found.check()) == (1.5, "upper", [])
    (seen / "mine.toml").write_text(declared.replace('"Seen"', '"Seem"'))
    with pytest.raises(InvalidInput, match=r"'Seem' is no data series of mine\.mdl"):
        fit(load_model(seen / "mine.mdl"), None)


def test_a_payoff_of_unsettled_meaning_is_refused_by_name(seen):
    text = SEEN.replace("Slope = 1", "First = GET DATA AT TIME(Seen[north], :NA:) ~ 1 ~|\nSlope = 1")
    text = text.replace("0 * Wave", "0 * Wave + IF THEN ELSE(First = :NA:, 0, 1)")
    with (
        pytest.warns(match="meaning|trust"),
        pytest.raises(InvalidInput, match=r"GET DATA AT TIME at the time :NA:.*through Miss"),
    ):
        Problem(made(seen, '{ variable = "Miss", weight = -0.5 }', text=text), None)


def test_variances_are_cut_by_flat_priors_and_end_at_bounds():
    flat, scale = np.ones(2, dtype=bool), np.array([2.0, 1.0])
    tight = approximation(np.diag([400.0, 100.0]), np.zeros(2), flat, scale)
    assert tight.spread == pytest.approx([2 / 20, 1 / 10], rel=1e-9)
    loose = approximation(np.diag([1e-9, 1.0]), np.zeros(2), flat, scale)
    end = 3**0.5  # a standard normal cut at this has the variance 0.663
    grid = np.linspace(-end, end, 20001)
    weights = np.exp(-(grid**2) / 2)
    assert loose.spread**2 == pytest.approx([4.0, (weights @ grid**2) / weights.sum()], rel=1e-4)
    assert loose.contraction[0] == pytest.approx(0, abs=1e-9)
    curvature = np.array([[100.0, 30.0], [30.0, 50.0]])
    pushed = approximation(curvature, np.array([0.0, 7.0]), flat, np.ones(2))
    grid = np.linspace(0, 3, 300001)
    density = np.cumsum(np.exp(-7 * grid - (50 - 9) * grid**2 / 2))
    assert pushed.spread[1] * NINETY == pytest.approx(grid[np.searchsorted(density, 0.9 * density[-1])], rel=1e-3)
    assert pushed.spread[0] ** 2 == pytest.approx(1 / 100 + 0.3**2 * pushed.spread[1] ** 2, rel=1e-9)
    assert not approximation(np.diag([-5.0, 1.0]), np.zeros(2), flat, scale).is_positive_definite

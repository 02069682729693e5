"""Calibration of any model: exact derivatives, recovery, choices, failures, storage."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import least_squares

from calibration import Fit, Problem, fit
from calibration.observation.noise import deviance_residual, deviance_slope, saturated
from calibration.reporting.report import write_table_report
from calibration.uncertainty import identify, sample
from pysd_runner import load_data, load_model, simulate
from pysd_runner.cli.initialise import declarations_text
from pysd_runner.core.errors import InvalidInput, InvalidPanel, SimulationFailed, UnknownName
from pysd_runner.core.findings import Finding
from pysd_runner.spec import ErrorModel, LogNormal, Normal, Observation
from pysd_runner.text import translated
from tests.study.models import (
    DRIVEN,
    FRAGILE,
    HUNTED,
    JUMPY,
    LOGISTIC,
    REGIONS,
    REPORTED,
    SIR,
    infections,
    made,
    written,
)

FREE = ["Contact Rate", "Duration"]


@pytest.fixture(scope="module")
def sir(tmp_path_factory):
    return made(tmp_path_factory.mktemp("sir"), SIR, unit="day", stop=60)


@pytest.fixture(scope="module")
def found(sir):
    return fit(Problem(sir, infections(sir), free=FREE))


def test_a_fit_finds_the_truth_and_says_how_sure(sir, found):
    for key, truth in (("Contact Rate", 8.0), ("Duration", 5.0)):
        item = found.parameter(key)
        assert item.low < truth < item.high
        assert item.contraction > 0.95
    assert found.fitted.status == "converged"
    assert not found.check()
    assert "to 40 day" in found.headline
    assert len(found.to_frame()) == 41
    assert "Contact Rate" in repr(found)


def test_it_is_the_least_squares_estimate_where_errors_are_normal(sir):
    """The slow twin: SciPy on runs of the model, without derivatives and priors."""
    table = infections(sir)
    observed = np.log(table["infected"].to_numpy())
    seen = [
        Observation(
            column="infected", outcome="Infected", scale="log", errors=ErrorModel(family="normal", memory="independent")
        )
    ]
    wide = {name: LogNormal(7, 30.0, 1e-3, 1e3) for name in FREE}
    ours = fit(Problem(sir, table, free=FREE, observations=seen, priors=wide))

    def missed(values):
        run = simulate(sir, dict(zip(FREE, values, strict=True)), outcomes=["Infected"], stop=40, engine="numpy")
        return np.log(run["Infected"][0, 0]) - observed

    theirs = least_squares(missed, [9.0, 4.0], xtol=1e-12, ftol=1e-12)
    np.testing.assert_allclose([ours.parameter(name).estimate for name in FREE], theirs.x, rtol=2e-4)


@pytest.mark.parametrize("family", ["normal", "huber", "student", "poisson", "negative_binomial"])
@pytest.mark.parametrize("kind", ["level", "flow", "cumulative"])
def test_derivatives_are_those_of_differences(sir, family, kind):
    table = infections(sir, stop=15)
    counts = load_data({"day": table.times, "infected": np.round(table["infected"].to_numpy())})
    memory = "independent" if family in ("poisson", "negative_binomial") else "ar1"
    errors = ErrorModel(family=family, memory=memory)
    outcome = "Infected" if kind == "level" else "Infection"
    seen = {"x": Observation(column="infected", outcome=outcome, kind=kind, errors=errors)}
    problem = Problem(sir, counts, free=FREE, observations=seen)
    z = problem.space.centre + 0.1
    exact = problem.jacobian(z)
    step = 1e-5 * np.eye(2)
    near = np.stack([(problem.residuals(z + h) - problem.residuals(z - h)) / 2e-5 for h in step], axis=1)
    np.testing.assert_allclose(exact, near, atol=2e-6 * np.abs(near).max())


def test_the_likelihood_of_counts_is_the_density_of_the_library():
    from scipy.stats import nbinom, poisson

    counts, mean = np.array([0.0, 1, 5, 40]), np.array([0.3, 2.0, 4.0, 41.0])
    for size in (np.inf, 3.0):
        ours = saturated(counts, size) - 0.5 * (deviance_residual(counts, mean, size) ** 2).sum()
        theirs = (poisson(mean) if np.isinf(size) else nbinom(size, size / (size + mean))).logpmf(counts).sum()
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
        moved = (deviance_residual(counts, mean + 1e-6, size) - deviance_residual(counts, mean - 1e-6, size)) / 2e-6
        np.testing.assert_allclose(deviance_slope(counts, mean, size), moved, rtol=1e-6)


def test_a_flow_is_added_up_over_its_interval_and_a_total_from_the_start(sir):
    run = simulate(sir, outcomes=["Infection"], save_every=0.25, stop=6)
    path = run["Infection"][0, 0]
    table = load_data({"day": [2, 4, 6], "new": [1, 1, 1], "all": [1, 1, 1]})
    seen = {
        "new": Observation(column="new", outcome="Infection", kind="flow", scale="level"),
        "all": Observation(column="all", outcome="Infection", kind="cumulative", scale="level"),
    }
    problem = Problem(sir, table, free=["Contact Rate"], observations=seen, priors={"Contact Rate": Normal(9, 1)})
    new, total = problem.fitted(np.array([9.0]))
    np.testing.assert_allclose(total[0], [0.25 * path[: 4 * t].sum() for t in (2, 4, 6)])
    np.testing.assert_allclose(new[0], [0.25 * path[4 * (t - 2) : 4 * t].sum() for t in (2, 4, 6)])


def test_an_expression_of_variables_is_observed(sir):
    table = load_data({"day": [0, 5], "x": [1.0, 2.0]})
    seen = {"x": Observation(column="x", outcome="(Infected + susceptible) / Population", scale="level")}
    problem = Problem(sir, table, free=["Duration"], observations=seen)
    run = simulate(sir, {"Duration": 4.0}, outcomes=["Infected", "Susceptible"], stop=5)
    expected = (run["Infected"] + run["Susceptible"])[0, 0, [0, -1]] / 1000
    np.testing.assert_allclose(problem.fitted(problem.space.centre)[0][0], expected)
    with pytest.raises(InvalidInput, match="is no formula"):
        Problem(sir, table, free=["Duration"], observations={"x": Observation(column="x", outcome="exp(Infected)")})


def test_the_starting_value_of_a_stock_is_a_parameter(tmp_path):
    model = made(tmp_path, LOGISTIC)
    run = simulate(model, {"Growth Rate": 0.25}, outcomes=["Stock"])
    table = load_data({"year": run.years, "stock": run["Stock"][0, 0]})
    result = fit(Problem(model, table, free=["Growth Rate", "initial Stock"], priors={"Stock": LogNormal(9, 1)}))
    assert abs(result.parameter("Growth Rate").estimate - 0.25) < 1e-3
    assert abs(result.parameter("Stock").estimate - 5) < 1e-2


def test_elements_over_two_ranges(tmp_path):
    model = made(tmp_path, REGIONS, stop=10)
    truth = simulate(model, {"Rate": np.array([0.15, 0.05])}, outcomes=["Stock"])["Stock"][0, 0]
    rows = [
        {"year": t, "place": place, "sort": sort, "stock": truth[i, j, t]}
        for t in range(11)
        for i, place in enumerate(("North", "South"))
        for j, sort in enumerate(("old", "new"))
    ]
    import pandas as pd

    table = load_data(pd.DataFrame(rows))
    result = fit(Problem(model, table, free=["Rate"]))
    assert abs(result.parameter("Rate[North]").estimate - 0.15) < 1e-3
    assert abs(result.parameter("Rate[South]").estimate - 0.05) < 1e-3
    single = fit(Problem(model, table, free=["Rate[South]"], values={"Rate[North]": 0.15}))
    assert abs(single.parameter("Rate[South]").estimate - 0.05) < 1e-3


def test_a_heading_may_name_one_element(tmp_path):
    model = made(tmp_path, REGIONS)
    alone = Problem(model, load_data({"year": [0, 1], "Stock[South, new]": [4, 5]}), free=["Rate[South]"])
    np.testing.assert_allclose(alone.fitted(alone.space.centre)[0][0, 0], 4)


def test_without_names_parameters_are_chosen_and_the_reason_is_given(sir):
    problem = Problem(sir, infections(sir))
    assert 1 < len(problem.space) <= 10
    assert not {"Contact Rate", "Infectivity"} <= set(problem.space.keys)
    notes = " ".join(problem.describe().notes)
    assert "is estimated: one standard deviation of its prior" in notes
    assert "the data cannot tell it from those that are estimated" in notes


def test_a_model_that_jumps_is_told_and_searched_without_slopes(tmp_path):
    model = made(tmp_path, JUMPY, stop=20, step=1)
    run = simulate(model, {"Threshold": 11.2}, outcomes=["Stock"])
    noise = 0.05 * np.random.default_rng(0).standard_normal(21)
    result = fit(
        Problem(model, load_data({"year": run.years, "stock": run["Stock"][0, 0] + noise}), free=["Threshold"])
    )
    assert [item.rule for item in result.findings].count("jumps") == 1
    assert 11 <= result.parameter("Threshold").estimate < 12


def test_draws_that_fail_are_counted_and_described(tmp_path):
    model = made(tmp_path, FRAGILE, stop=10)
    run = simulate(model, {"Rate": 0.8}, outcomes=["Stock"])
    table = load_data({"year": run.years, "stock": run["Stock"][0, 0]})
    result = fit(Problem(model, table, free=["Rate"]))
    told = next(item.message for item in result.findings if item.rule == "failed-draws")
    assert "draws of the prior give no usable numbers" in told
    assert "Rate from" in told
    assert abs(result.parameter("Rate").estimate - 0.8) < 1e-3
    with pytest.raises(SimulationFailed, match="gives no numbers"):
        fit(Problem(model, table, free=["Rate"], priors={"Rate": Normal(5, 0.1, 4, 6)}))


def test_a_column_that_is_a_constant_drives_it_and_is_held_at_the_end(tmp_path):
    model = made(tmp_path, DRIVEN, stop=10, step=1)
    table = load_data({"year": [0, 1, 2, 3], "price": [1, 2, 3, None], "stock": [0, 0.25, 0.75, 1.5]})
    problem = Problem(model, table, free=["Response"])
    path = problem.runs.batch({problem.space.keys[0]: 0.25}, 1)["Stock"][0]
    np.testing.assert_allclose(path, [0, 0.25, 0.75, 1.5])
    assert any("its last value holds" in note for note in problem.describe().notes)


@pytest.mark.parametrize("until", ["2020", 2020, "2020-03-01"])
def test_a_year_that_is_no_moment_of_the_model_is_refused(sir, until):
    with pytest.raises(InvalidInput, match=r"until 2020.* lies more than 5 times as far as mine\.mdl and its data go"):
        Problem(sir, infections(sir), free=FREE, until=until)


def test_what_comes_after_until_is_held_out_and_scored(sir):
    result = fit(Problem(sir, infections(sir), free=FREE, until=12))
    (score,) = result.holdout
    assert score.observations == 28
    assert score.rmse < 0.5 * score.naive_rmse
    assert "times that of holding the last value" in score.words


def test_a_fit_is_saved_sampled_and_judged(sir, found, tmp_path):
    problem = Problem(sir, infections(sir), free=FREE)
    found.save(tmp_path / "fit")
    again = Fit.load(tmp_path / "fit")
    assert again.summary() == found.summary()
    drawn = sample(problem, again, 200, steps=600)
    np.testing.assert_allclose(drawn.table()["mean"], [found.parameter(key).estimate for key in FREE], rtol=0.05)
    verdicts = identify(problem, again)
    assert len(verdicts.table()) == 2
    found.to_excel(tmp_path / "fit.xlsx")
    assert found.plot().sentence.startswith("Fitted and observed")


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"free": ["Contct Rate"]}, UnknownName, "Did you mean 'Contact Rate'"),
        ({"free": ["Infection"]}, InvalidInput, "computed by an equation"),
        ({"free": ["Infected"]}, InvalidInput, "computed from other numbers"),
        ({"free": FREE, "values": {"Duration": 3}}, InvalidInput, "both set and to be estimated"),
        ({"free": FREE, "priors": {"Population": Normal(1, 1)}}, UnknownName, "which is not estimated"),
        ({"free": FREE, "start": 50.0}, InvalidInput, "are the times in the model's unit"),
        (
            {"free": FREE, "observations": [Observation(column="sick", outcome="Infected")]},
            UnknownName,
            "no column 'sick'",
        ),
    ],
)
def test_bad_choices_are_refused(sir, change, error, told):
    with pytest.raises(error, match=r".*") as caught:
        Problem(sir, infections(sir), **change)
    assert told in str(caught.value)


def test_bad_tables_are_refused(sir):
    with pytest.raises(InvalidPanel, match="is called like a variable"):
        Problem(sir, load_data({"day": [0, 1], "cases": [1, 2]}), free=FREE)
    with pytest.raises(InvalidInput, match="are in months"):
        Problem(sir, load_data({"month": [0, 1], "infected": [1, 2]}), free=FREE)
    table = load_data({"day": [0, 1], "place": ["a", "b"], "infected": [1, 2]})
    with pytest.raises(InvalidInput, match="has values by place"):
        Problem(sir, table, free=FREE)
    counts = [
        Observation(column="infected", outcome="Infected", errors=ErrorModel(family="poisson", memory="independent"))
    ]
    with pytest.raises(InvalidInput, match="expected whole numbers"):
        Problem(sir, load_data({"day": [0, 1], "infected": [1, 2.5]}), free=FREE, observations=counts)


@pytest.mark.parametrize(
    ("family", "size", "fails"), [("poisson", 4, True), ("poisson", None, False), ("negative_binomial", 4, False)]
)
def test_counts_that_vary_more_than_poisson_errors_allow_fail_a_diagnostic(sir, family, size, fails):
    rng = np.random.default_rng(2)
    mean = simulate(sir, {"Contact Rate": 8, "Duration": 5}, outcomes=["Infected"], stop=40)["Infected"][0, 0]
    counts = rng.poisson(mean if size is None else mean * rng.gamma(size, 1 / size, mean.shape))
    errors = ErrorModel(family=family, memory="independent")
    problem = Problem(
        sir,
        load_data({"day": np.arange(41), "infected": counts}),
        free=FREE,
        observations=[Observation(column="infected", outcome="Infected", errors=errors)],
    )
    found = [item for item in fit(problem, starts=1).check() if item.rule == "overdispersed"]
    assert bool(found) == fails
    for item in found:
        assert "declare errors of the family negative_binomial" in item.message
        assert "泊松" in translated(item.message, "zh")


@pytest.mark.parametrize("unit", ["day", "month", "quarter", "year"])
def test_dates_meet_a_model_in_its_own_unit(tmp_path, unit):
    model = made(tmp_path, LOGISTIC.replace("/year", f"/{unit}"), unit=unit, stop=12)
    run = simulate(model, outcomes=["Stock"])["Stock"][0, 0]
    dates = {
        "day": [f"2020-01-{day:02d}" for day in range(1, 14)],
        "month": [f"2020-{month:02d}" for month in range(1, 13)] + ["2021-01"],
        "quarter": [f"{2020 + n // 4}Q{n % 4 + 1}" for n in range(13)],
        "year": [f"{2000 + n}-01-01" for n in range(13)],
    }[unit]
    table, free = load_data({"date": dates, "stock": run}), ["Growth Rate"]
    early = Problem(model, table, free=free, start="1999-06-30")
    np.testing.assert_array_equal(early.again(until=None, free=free).data.times, early.data.times)
    problem = Problem(model, table, free=free)
    np.testing.assert_allclose(problem.raw_residuals(problem.space.to_vector({"Growth Rate": 0.3}))[0], 0, atol=2e-2)
    assert any("is moment 0 of the model" in note for note in problem.describe().notes)


def test_observations_closer_than_a_step_cast_doubt_on_the_unit_of_the_model(tmp_path):
    model = made(tmp_path, LOGISTIC.replace("/year", "/month"), unit="month", stop=12)
    daily = load_data({"date": [f"2020-03-{day:02d}" for day in range(1, 32)], "stock": np.linspace(5, 6, 31)})
    problem = Problem(model, daily, free=["Growth Rate"])
    assert any("closer than a step of mine.mdl (0.25 month)" in note for note in problem.describe().notes)
    monthly = load_data({"month": [0, 1, 2], "stock": [5, 6, 7]})
    assert not any("closer than a step" in note for note in Problem(model, monthly).describe().notes)


def test_calendar_years_meet_a_model_that_counts_from_zero(tmp_path):
    model = made(tmp_path, LOGISTIC, stop=12)
    run = simulate(model, outcomes=["Stock"])["Stock"][0, 0]
    problem = Problem(model, load_data({"year": range(1862, 1875), "stock": run}), free=["Growth Rate"])
    np.testing.assert_allclose(problem.raw_residuals(problem.space.to_vector({"Growth Rate": 0.3}))[0], 0, atol=2e-2)
    assert "1862 is moment 0 of the model." in problem.describe().notes
    later = made(tmp_path, LOGISTIC, stop=1900)
    kept = Problem(later, load_data({"year": range(1862, 1875), "stock": run}), free=["Growth Rate"])
    assert kept.data.times[0] == 1862


# A model of electric cars as they are on the web: from nought, with registers, literal arithmetic and no limits.
CARS = """{UTF-8}
EV initial = 4500 ~ vehicle ~|
CV initial = 4.3e+07 ~ vehicle ~|
Test dose = 5 ~ Dmnl ~|
desired percentage = 0.2 ~ Dmnl ~|
Speed = 1 / 2 ~ 1/Year ~|
New cars = 3e+06 ~ vehicle/Year ~|
share of EVs = EVs / (EVs + CVs) ~ Dmnl ~|
bought = New cars * desired percentage * (1 - EXP(-Speed * Time / Test dose)) ~ vehicle/Year ~|
EVs = INTEG(bought - EVs / 13, EV initial) ~ vehicle ~|
CVs = INTEG(New cars - bought - CVs / 13, CV initial) ~ vehicle ~|
"""


def test_known_numbers_stay_and_shares_are_shares(tmp_path):
    model = made(tmp_path, CARS, unit="Year", stop=28)
    run = simulate(model, {"Speed": 0.4}, outcomes=["EVs"], stop=12)["EVs"][0, 0]
    data = load_data({"year": range(2012, 2025), "EVs": run})
    problem = Problem(model, data)
    told = [note for note in problem.describe().notes if "stays at" in note]
    assert (
        "EV initial stays at 4,500: it only starts EVs, which is observed then; named with --free it is estimated."
        in told
    )
    assert any(note.startswith("Test dose stays at 5: a dose is known") for note in told)
    assert not {"EV initial", "Test dose"} & set(problem.space.keys)
    assert any("Speed" in item for item in (*told, *problem.space.keys))
    both = Problem(model, data, free=["EV initial", "desired percentage", "Speed"])
    share = both.space.parameters[1]
    assert (share.lower, share.upper, both.space.parameters[2].value) == (0, 1, 0.5)


def test_a_fit_that_fails_a_check_is_praised_nowhere(found, tmp_path):
    assert "determined by the data" in found.summary()
    failed = found.with_findings(Finding("not-flat", "It is no optimum.", "error"))
    (page, _) = write_table_report(failed, tmp_path, description=failed.description)
    for text in (failed.summary(), repr(failed), page.read_text(encoding="utf-8"), str(failed.table())):
        assert not [word for word in ("determined by", "mostly the data", "converged") if word in text]
    assert "It is no optimum." in failed.summary().splitlines()[0]
    assert failed.summary().count("It is no optimum.") == 1


# A stock with policies that are off: one at 0, one at the upper end, one between its ends that is declared as a lever.
POLICIES = """{UTF-8}
Growth = 0.2 ~ 1/year ~|
Lockdown = 0 ~ Dmnl [0,1] ~|
Openness = 1 ~ Dmnl [0,1] ~|
Subsidy = 0.5 ~ Dmnl [0,1] ~|
Switch = 0 ~~|
Stock = INTEG(Growth * (1 - Lockdown) * Openness * (0.5 + Subsidy) * Stock + Switch, 5) ~ t ~|
"""
LEVER = "schema = 2\n[levers.Subsidy]\noff = 0.5\nupper = 1\n"


def with_policies(folder, declared=LEVER):
    path = written(folder, POLICIES, stop=20)
    path.with_suffix(".toml").write_text(declared, encoding="utf-8")
    run = simulate(load_model(path), {"Lockdown": 0.1}, outcomes=["Stock"])["Stock"][0, 0]
    return load_model(path), load_data({"year": np.arange(len(run)), "Stock": run})


def test_what_is_off_is_estimated_only_if_it_is_named(tmp_path):
    model, data = with_policies(tmp_path)
    problem = Problem(model, data)
    assert problem.space.keys == ("Growth",)
    told = "\n".join(problem.describe().notes)
    for name in ("Lockdown (0)", "Openness (1)", "Subsidy (0.5)", "Switch"):
        assert name in told
    assert "--free" in told
    named = Problem(model, data, free=["Lockdown", "Openness", "Subsidy"])
    assert named.space.keys == ("Lockdown", "Openness", "Subsidy")
    assert "Switch" in Problem(model, data, priors={"Switch": LogNormal(1, 1)}).space.keys


def test_a_fit_with_the_declarations_of_init_frees_what_it_frees_without(tmp_path):
    model, data = with_policies(tmp_path, "schema = 2\n")
    without = Problem(model, data).space.keys
    (tmp_path / "mine.toml").write_text(declarations_text(model, data), encoding="utf-8")
    assert Problem(load_model(model.path), data).space.keys == without


def test_a_model_with_nothing_but_policies_is_refused_in_one_sentence(tmp_path):
    declared = LEVER + '[parameters.Growth]\nrole = "FIX"\n[parameters.Lockdown]\n'
    model, data = with_policies(tmp_path, declared)
    with pytest.raises(InvalidInput, match=r"has no constant that could be estimated.*Lockdown.*--free\)$"):
        Problem(model, data)


def test_a_total_that_starts_at_nothing_is_compared_by_logarithms_after_its_start(tmp_path):
    model = made(tmp_path, REPORTED, unit="week", stop=40, step=0.125)
    run = simulate(model, {"Contact Rate": 0.3}, outcomes=["Total Reported"], stop=30)["Total Reported"][0, 0]
    seen = {"week": np.arange(31), "total": np.maximum(run, 1)}
    table = load_data(seen, roles={"total": "Total Reported"})
    problem = Problem(model, table, free=["Contact Rate"], until=25)
    (series,) = problem.series
    assert series.observation.scale == "log"
    assert np.flatnonzero(~series.seen[0]).tolist() == [0]
    assert any("'total' is left out: Total Reported starts at zero" in note for note in problem.describe().notes)
    found = fit(problem)
    assert found.parameter("Contact Rate").estimate == pytest.approx(0.3, rel=1e-3)
    assert found.holdout[0].observations == 5


def test_parameters_are_chosen_for_a_model_that_overflows_near_its_own_values(tmp_path):
    model = made(tmp_path, HUNTED, unit="day", stop=50, step=0.125)
    table = load_data({"day": np.arange(0, 50, 2), "prey": np.geomspace(300, 90000, 25)}, roles={"prey": "Prey"})
    problem = Problem(model, table)
    assert set(problem.space.keys) <= {"Fertility", "Predation", "Feeding"}


def test_declarations_beside_the_model_are_read(tmp_path):
    path = written(tmp_path, SIR, unit="day", stop=60)
    path.with_suffix(".toml").write_text(
        'schema = 2\n[parameters."contact rate"]\nlower = 1\nupper = 15\n'
        'prior = {family = "normal", mean = 8, sd = 2}\n'
        '[measurements.cases]\noutcome = "Infection"\nkind = "flow"\nscale = "level"\n'
        '[outcomes.Infected]\nbetter = "lower"\n',
        encoding="utf-8",
    )
    model = load_model(path)
    assert model.spec is not None
    assert model.spec.outcomes["Infected"].better == "lower"
    problem = Problem(model, load_data({"day": [1, 2], "cases": [5, 7]}))
    assert problem.space.keys == ("Contact Rate",)
    assert problem.space.priors == (Normal(8, 2, 1, 15),)
    declared = [f"[parameters.{name}]\nvalue = 7\n" for name in ('"Rate[South]"', '"Stock[South, new]"')]
    elements = written(tmp_path, REGIONS, name="regions")
    elements.with_suffix(".toml").write_text("schema = 2\n" + "".join(declared), encoding="utf-8")
    run = simulate(load_model(elements), outcomes=["Rate", "Stock"], stop=0.25)
    assert run["Rate"][0, 0, :, 0].tolist()[1] == run["Stock"][0, 0, 1, 1, 0] == 7
    path.with_suffix(".toml").write_text("schema = 2\n[parameters.Contct]\nvalue = 3\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="no such constant or stock"):
        load_model(path)


def test_declared_values_hold_with_other_regions_and_for_levers(tmp_path):
    equations = 'Region: r1, r2 ~~|\nk = 2 ~~|\n"in [t]" = 2 ~~|\nS[Region] = INTEG(k + "in [t]", k) ~~|\n'
    path = written(tmp_path, "{UTF-8}\n" + equations, stop=2)
    declared = "schema = 2\n[parameters.'\"in [t]\"']\nvalue = 5\n[levers.k]\n[parameters.k]\nvalue = "
    for value in (3, 9):  # as edited between two loads
        path.with_suffix(".toml").write_text(f"{declared}{value}\n", encoding="utf-8")
        model = load_model(path)
        assert model.spec.levers["k"].off == value
        for run in (simulate(model), simulate(model.with_regions(3))):
            assert (run["S"][0, 0, :, -1] == value + 2 * (value + 5)).all()
    path.with_suffix(".toml").write_text(f"{declared}4\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="declared beside it, has changed"):
        model.with_regions(4)
    with pytest.raises(InvalidInput, match="without the values declared"):
        simulate(model, engine="pysd")


def test_runs_that_overflow_are_no_warning(sir):
    (item,) = Problem(sir, infections(sir), free=FREE).series
    raw = np.ones((2, item.weights.shape[-1]))
    raw[1, -1] = np.inf
    found = item.compared(raw)
    assert np.isfinite(found[0]).all()
    assert not np.isfinite(found[1]).all()


def test_intervals_are_students_where_the_size_of_errors_is_estimated(tmp_path):
    """A model that is linear in its parameter: the standard error of ordinary least squares, and Student's variance."""
    model = made(tmp_path, "{UTF-8}\nFlow = 1\n\t~\tt/year\t~\t|\nStock = INTEG(Flow, 0)\n\t~\tt\t~\t|\n", stop=9)
    times = np.arange(10)
    values = 2 * times + np.random.default_rng(4).standard_normal(10)
    errors = ErrorModel(family="normal", memory="independent")
    for sd, factor in ((None, np.sqrt(9 / 7)), (1.0, 1.0)):
        seen = [Observation(column="stock", outcome="Stock", scale="level", errors=errors, sd=sd)]
        problem = Problem(
            model,
            load_data({"year": times, "stock": values}),
            free=["Flow"],
            priors={"Flow": Normal(0, 1000)},
            observations=seen,
        )
        result = fit(problem)
        estimate = (times @ values) / (times @ times)
        size = 1.0 if sd else np.sqrt(((values - estimate * times) ** 2).sum() / 9)
        found = float(np.sqrt(np.array(result.fitted.covariance).item()))
        assert found == pytest.approx(factor * size / np.sqrt(times @ times), rel=1e-3)


def test_what_is_fitted_may_be_a_path_and_a_frame(tmp_path):
    model = made(tmp_path, SIR, unit="day", stop=60)
    table = infections(model, stop=12)
    frame = pd.DataFrame({"day": table.times, "infected": table["infected"].to_numpy()})
    known = fit(model, load_data(frame), starts=1)
    for named, seen in ((model, frame), (model.source, frame)):
        again = fit(named, seen, starts=1)
        assert [item.estimate for item in again.parameters] == [item.estimate for item in known.parameters]


def test_a_problem_takes_the_name_of_a_shipped_model_with_the_regions_of_its_panel():
    panel = load_data("china")
    named = Problem("regional_digital", panel)
    known = Problem(load_model("regional_digital", regions=len(panel.regions)), panel)
    np.testing.assert_array_equal(named.residuals(named.space.centre), known.residuals(known.space.centre))

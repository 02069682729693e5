"""State estimation and forecasts with any model."""

import numpy as np
import pytest

from calibration import Problem, backtest, fit, forecast
from calibration.filtering.ensemble import Disturbance, FilteredEnsemble, FilterSetup, filtered, propagate, setup_of
from calibration.filtering.stocks import TransitionModel
from calibration.forecasting import origin_at, target_of
from calibration.forecasting.model_forecaster import ModelForecaster, mixture
from calibration.forecasting.models import mixture_plan
from pysd_runner import load_data, project, simulate
from pysd_runner.core.calendar import said_time
from pysd_runner.core.errors import InvalidInput, UnsupportedFeature
from pysd_runner.scenarios import Scenario
from pysd_runner.spec import ErrorModel, LogNormal, Normal, Observation
from tests.study.models import DELAYED, LINEAR, REGIONS, SEIR, made

SPREAD, ERROR, MOMENTS = 0.5, 0.4, 25


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    return made(tmp_path_factory.mktemp("linear"), LINEAR, unit="month", stop=60, step=1)


@pytest.fixture(scope="module")
def problem(linear):
    rng = np.random.default_rng(3)
    level, levels = 5.0, [5.0]
    for _ in range(MOMENTS - 1):
        level += 2 - level / 10 + SPREAD * rng.standard_normal()
        levels.append(level)
    seen = np.array(levels) + ERROR * rng.standard_normal(MOMENTS)
    table = load_data({"month": np.arange(MOMENTS), "stock": seen})
    level_scale = [
        Observation(
            column="stock", outcome="Stock", scale="level", errors=ErrorModel(family="normal", memory="independent")
        )
    ]
    return Problem(linear, table, free=["Inflow"], observations=level_scale)


@pytest.fixture(scope="module")
def plain(linear, problem):
    return Problem(linear, problem.data, free=["Inflow"])


def kalman(seen):
    """The textbook filter of ``x' = .9 x + 2 + e``, by hand."""
    mean, variance, likelihood, means, variances = 5.0, 0.0, 0.0, [], []
    for place, value in enumerate(seen):
        if place:
            mean, variance = 0.9 * mean + 2, 0.81 * variance + SPREAD**2
        inner = variance + ERROR**2
        gain = variance / inner
        likelihood -= 0.5 * ((value - mean) ** 2 / inner + np.log(2 * np.pi * inner))
        mean, variance = mean + gain * (value - mean), (1 - gain) * variance
        means.append(mean)
        variances.append(variance)
    return np.array(means), np.array(variances), likelihood


def linear_law(linear, problem):
    """The linear model as a law of its stock, and the grid of its observations."""
    law = TransitionModel(linear, {"Inflow": np.full((1, 1), 2.0)}, problem.series, start=0.0)
    return law, FilterSetup(
        times=np.arange(float(MOMENTS)),
        observed={"stock": problem.data.column("stock").values[None]},
        logs=np.array([False]),
        disturbed=np.array([0]),
        units=np.ones(1),
        near=np.ones((2, 1)),
    )


def ensemble_error(linear, problem, members, seeds=6):
    """Root mean square distance of the ensemble's means from the filter by hand, in standard errors and plain."""
    means, variances, _ = kalman(problem.data.column("stock").values)
    law, grid = linear_law(linear, problem)
    moved = Disturbance(size=SPREAD, memory=0.0, errors={"stock": ERROR})
    paths = np.stack(
        [filtered(law, grid, moved, seed=seed, members=members).states[..., 0].mean(axis=1) for seed in range(seeds)]
    )
    standard = np.sqrt(variances[1:] / members)
    return np.abs(paths[:, 1:] - means[1:]) / standard, np.sqrt(((paths - means) ** 2).mean())


def test_the_ensemble_is_it_within_its_sampling_error_which_falls_as_the_root(linear, problem):
    scores, small = ensemble_error(linear, problem, 200)
    assert np.quantile(scores, 0.99) < 4
    _, large = ensemble_error(linear, problem, 3200)
    assert 2.5 < small / large < 6.5


def test_a_disturbance_at_the_origin_fades_by_its_memory(linear, problem):
    law, grid = linear_law(linear, problem)
    known = FilteredEnsemble(
        states=np.full((1, 2, 1), 20.0),
        disturbances=np.full((1, 2, 1), 1.0),
        rows=np.zeros((1, 2), dtype=np.intp),
        law=Disturbance(size=0.0, memory=0.5, errors={"stock": ERROR}),
        resampled=0,
    )
    found = propagate(law, grid, known, 0, np.array([1.0, 2.0]), draws=2, seed=0)["stock"]
    np.testing.assert_allclose(found[:, 0], [[20.5, 0.9 * 20.5 + 2.25]] * 2)


@pytest.mark.parametrize("alone", [False, True])
def test_an_element_says_nothing_of_another(tmp_path, alone):
    model = made(tmp_path, REGIONS, stop=8, step=1)
    columns = [f"stock[{place}, {sort}]" for place in ("North", "South") for sort in ("old", "new")]
    columns = columns[-1:] if alone else columns
    table = load_data({"year": np.arange(4), **{name: np.arange(1.0, 5.0) for name in columns}})
    problem = Problem(model, table, free=["Rate"])
    rates = np.repeat(np.linspace(0.05, 0.15, 20)[None, :, None], 2, axis=2)
    law = TransitionModel(model, {"Rate": rates}, problem.series, start=0.0)
    moved, found = Disturbance(size=0.05, memory=0.0, errors={"stock": 0.05}), []
    for last in (0.2, 0.3):
        seen = np.full((len(columns), 4), np.nan)
        seen[0, 3] = last
        grid = setup_of(model, law, law.series, np.arange(4.0), {"stock": seen})
        found.append(filtered(law, grid, moved, seed=0, members=20).states[-1])
    own = 3 if alone else 0
    assert (found[0][:, own] != found[1][:, own]).all()
    np.testing.assert_array_equal(*(np.delete(states, own, axis=1) for states in found))


def counted(folder, kind="flow", family="negative_binomial"):
    """A forecaster of an epidemic of which one case more is counted every day."""
    model = made(folder, SEIR, unit="day", stop=60, step=0.125)
    measured = [Observation(column="cases", outcome="Cases", kind=kind, errors=ErrorModel(family=family))]
    table = load_data({"day": np.arange(12), "cases": np.arange(12)})
    problem = Problem(model, table, free=["Contact Rate"], observations=measured)
    return ModelForecaster(problem=problem, target=target_of(problem))


def test_a_member_without_numbers_after_an_observation_is_resampled(tmp_path):
    # Counts a hundred times those that the model can make.
    forecaster = counted(tmp_path)
    seen = np.round(1e3 * np.exp(np.arange(12) / 2))[None]
    law = TransitionModel(
        forecaster.problem.model, {"Contact Rate": np.linspace(0.2, 2, 20)[None]}, forecaster.problem.series, start=0
    )
    grid = setup_of(forecaster.problem.model, law, law.series, np.arange(12.0), {"cases": seen})
    for size in (0.0, 0.5):
        found = filtered(law, grid, Disturbance(size=size, memory=0.5, errors={"cases": 0.1}), seed=0, members=20)
        assert np.isfinite(found.states).all()
        assert np.isfinite(found.disturbances).all()


def test_what_flows_is_what_stocks_lose(tmp_path):
    problem = counted(tmp_path).problem
    law = TransitionModel(problem.model, {"Contact Rate": np.full((1, 1), 1.3)}, problem.series, start=0.0)
    stretch = law.advance(law.first, 0.0, 3.0)
    sick = [law.names.index(name) for name in ("Susceptible", "Exposed")]
    lost = (law.first - stretch.states)[:, sick].sum(axis=1)
    np.testing.assert_allclose(stretch.flowed["cases"][:, 0], lost)


def test_errors_of_counts_spread_as_they_are_declared(tmp_path):
    forecaster = counted(tmp_path)
    law = Disturbance(size=0.0, memory=0.0, errors={"cases": 0.2})
    raw, rng = np.full((20000, 1, 1), 1000.0), np.random.default_rng(0)
    found = forecaster._noise(forecaster.problem.series[0], raw, law, rng)
    np.testing.assert_allclose(found.std(), np.sqrt(1000 + 200**2), rtol=0.03)


def test_observations_go_to_the_nearest_moment(linear):
    table = load_data({"month": [0, 3, 5, 9, 12, 15], "stock": np.arange(6.0)})
    target = target_of(Problem(linear, table, free=["Inflow"]))
    assert target.grid.tolist() == [0, 3, 6, 9, 12, 15]
    assert np.isfinite(target.values).all()


def test_a_total_goes_on_from_the_last_one(tmp_path):
    forecaster = counted(tmp_path, "cumulative", "poisson")
    found = forecaster.forecast(origin_at(forecaster.target, 8), horizon=1, draws=200, seed=0)
    assert 8 < found.point.item() < 12


def test_what_holds_memory_beside_stocks_is_refused(tmp_path):
    model = made(tmp_path, DELAYED, unit="month", stop=30, step=1)
    with pytest.raises(UnsupportedFeature, match="holds memory that cannot be set"):
        TransitionModel(model, {}, [], start=0.0)
    table = load_data({"month": np.arange(20), "stock": 5 + np.sin(np.arange(20))})
    outlook = forecast(Problem(model, table, free=["Inflow"]), until=22, draws=50, past=False)
    assert "not filtered" in outlook.disturbance


def test_a_forecast_says_what_it_is_worth(linear, problem, tmp_path):
    outlook = forecast(
        Problem(linear, problem.data, free=["Inflow"], priors={"Inflow": LogNormal(2, 0.5)}),
        until=30,
        draws=200,
        events=["stock above 0 at 28", "stock below -100 by 30"],
    )
    assert outlook.events == {"stock above 0 at 28": 1.0, "stock below -100 by 30": 0.0}
    assert list(outlook["stock"]["time"].to_numpy()) == [25, 26, 27, 28, 29, 30]
    np.testing.assert_allclose(sum(outlook.weights.values()), 1.0)
    assert "past origins its error was" in outlook.verdict
    frame = outlook.to_frame()
    assert (frame["q05"] < frame["q95"]).all()
    outlook.save(tmp_path / "outlook")
    outlook.to_excel(tmp_path / "outlook.xlsx")
    assert (tmp_path / "outlook" / "forecast.md").is_file()


def test_a_backtest_only_sees_what_was_known(linear, problem):
    """Changing what came after an origin changes nothing that was forecast from it."""
    changed = load_data(
        {
            "month": np.arange(MOMENTS),
            "stock": np.where(np.arange(MOMENTS) > 15, 99.0, problem.data.column("stock").values),
        }
    )
    other = Problem(linear, changed, free=["Inflow"], observations=[item.observation for item in problem.series])
    found = []
    for item in (problem, other):
        whole = mixture(ModelForecaster(problem=item, target=target_of(item)))
        found.append(whole.forecast(origin_at(target_of(item), 15), horizon=3, draws=100, seed=0).draws)
    np.testing.assert_allclose(found[0], found[1])


def test_scores_have_the_reference_at_one(plain):
    scored = backtest(plain, horizons=(1, 3), draws=100)
    skill = scored.table()
    reference = skill[skill["model"] == "persistence"]
    np.testing.assert_allclose(reference["rmse_ratio_to_persistence"], 1.0)
    assert set(skill["horizon"]) == {1, 3}


def test_an_end_between_two_intervals_of_the_data_is_told(plain):
    outlook = forecast(plain, until=25.5, draws=50, past=False)
    assert outlook["stock"]["time"].to_numpy()[-1] == 26
    assert "It ends at 26 and not at 25.5" in " ".join(outlook.sentences())
    assert not forecast(plain, until=26, draws=50, past=False).moved


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"until": 10}, "the data end at 24"),
        ({"until": 1e6}, "at most 500"),
        ({"until": 30, "events": ["stok above 3 at 30"]}, "Did you mean 'stock'"),
        ({"until": 30, "events": ["rain"]}, "expected something like"),
    ],
)
def test_bad_wishes_are_refused(plain, change, told):
    with pytest.raises(InvalidInput) as caught:
        forecast(plain, **change)
    assert told in str(caught.value)


def test_columns_without_a_model_or_with_what_is_for_regions_are_answered_in_a_sentence(plain, tmp_path):
    for ask in (lambda: forecast(plain.data, horizon=3), lambda: backtest(plain.data)):
        with pytest.raises(InvalidInput, match="are forecast with a model: give one"):
            ask()
    with pytest.raises(InvalidInput, match="forecaster is for relative output of regions"):
        forecast(plain, until=30, forecaster="damped_drift")
    with pytest.raises(InvalidInput, match="forecasters is for relative output of regions"):
        backtest(plain, forecasters=["persistence"])
    found = fit(plain, starts=1)
    with pytest.raises(InvalidInput, match="not with its parameters alone"):
        forecast(plain, until=30, fit=found.fitted)
    folder = found.save(tmp_path / "fit")
    one, other = (forecast(plain, until=26, fit=given, draws=20, past=False) for given in (found, folder))
    np.testing.assert_array_equal(one["stock"], other["stock"])


def test_two_ranges_and_quarters_go_through_fit_projection_and_forecast(tmp_path):
    model = made(tmp_path, REGIONS.replace("/year", "/quarter"), unit="quarter", stop=24)
    path = simulate(model, {"Rate": np.array([0.05, 0.02])}, outcomes=["Stock"])["Stock"][0, 0]
    noise = 0.02 * np.random.default_rng(3).standard_normal(path.shape)
    content = {"date": [f"{2018 + n // 4}Q{n % 4 + 1}" for n in range(17)]}
    for row, place in enumerate(("North", "South")):
        for column, sort in enumerate(("old", "new")):
            content[f"stock[{place}, {sort}]"] = (path * np.exp(noise))[row, column, :17]
    table = load_data(content)
    result = fit(Problem(model, table, free=["Rate"]))
    assert abs(result.parameter("Rate[North]").estimate - 0.05) < 0.005
    future = project(model, table, [Scenario.of("none", {"Rate[South]": 0})], result.fitted, draws=20)
    assert future["Stock"].sizes["Place"] == future["Stock"].sizes["Sort"] == 2
    outlook = forecast(table, model=model, until="2022Q4", fit=result, draws=50, past=False)
    assert [said_time(item) for item in outlook["stock"]["time"].to_numpy()] == [
        "2022-04-01",
        "2022-07-01",
        "2022-10-01",
    ]
    assert outlook["stock"].sizes["entity"] == 4
    middle = outlook["stock"].median("draw").to_numpy()
    np.testing.assert_allclose(middle, path.reshape(4, -1)[:, 17:20], rtol=0.1)


def test_disturbances_are_looked_for_at_the_size_of_the_errors(tmp_path):
    # A random walk with steps of one, far from nought, that hardly leaves a straight line.
    model = made(
        tmp_path,
        "{UTF-8}\nInflow = 1\n\t~\tt/month\t~\t|\nStock = INTEG(Inflow, 100)\n\t~\tt\t~\t|\n",
        unit="month",
        step=1,
    )
    rng = np.random.default_rng([5, 5])
    rng.standard_normal()
    walk = 100 + np.concatenate([[0], np.cumsum(rng.standard_normal(59))])
    table = load_data({"month": np.arange(60), "stock": walk})
    problem = Problem(model, table, free=["Inflow"], priors={"Inflow": Normal(0, 1)})
    target = target_of(problem)
    found = ModelForecaster(problem=problem, target=target).learnt(origin_at(target, 59), seed=0)
    # Per cent of the stock, as it is told.
    assert 0.005 < found.filter.disturbance.size < 0.02


@pytest.mark.parametrize(("kind", "last"), [("level", 23), ("flow", 23), ("cumulative", 23), ("flow", 55)])
def test_a_stock_that_starts_at_nothing_is_forecast(tmp_path, kind, last):
    model = made(tmp_path, SEIR, unit="day", stop=60, step=0.125)
    path = simulate(model, outcomes=["Cases"])["Cases"][0, 0]
    rng = np.random.default_rng(1)
    counts = rng.poisson(path * rng.gamma(4, 0.25, path.shape))
    seen = counts.cumsum() if kind == "cumulative" else counts
    measured = [
        Observation(
            column="cases", outcome="Cases", kind=kind, errors=ErrorModel(family="poisson", memory="independent")
        )
    ]
    table = load_data({"day": np.arange(last + 1), "cases": seen[: last + 1]})
    problem = Problem(model, table, free=["Contact Rate"], observations=measured)
    target = target_of(problem)
    found = ModelForecaster(problem=problem, target=target).forecast(
        origin_at(target, last), horizon=4, draws=100, seed=0
    )
    truth = path.cumsum() if kind == "cumulative" else path
    np.testing.assert_allclose(found.point[0, -1], truth[last + 4], rtol=0.5, atol=3)


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_scores_do_not_depend_on_the_executor_and_kept_fits_are_taken(plain, executor, tmp_path):
    settings = {"horizons": (1,), "draws": 20, "last_origin": 18}
    alone = backtest(plain, **settings).scores
    found = backtest(plain, executor=executor, checkpoint=tmp_path / "kept", **settings).scores
    assert found.identical(alone)
    ends = sorted((tmp_path / "kept").glob("*/start-*.npz"))
    assert len(ends) > 2
    written = [path.stat().st_mtime_ns for path in ends]
    assert backtest(plain, checkpoint=tmp_path / "kept", **settings).scores.identical(alone)
    assert [path.stat().st_mtime_ns for path in ends] == written


def test_origins_of_a_table_can_be_bounded_by_its_times(tmp_path):
    model = made(tmp_path, REGIONS.replace("/year", "/quarter"), unit="quarter", stop=24)
    path = simulate(model, {"Rate": np.array([0.05, 0.02])}, outcomes=["Stock"])["Stock"][0, 0]
    content = {"date": [f"{2018 + n // 4}Q{n % 4 + 1}" for n in range(17)]}
    noise = 0.02 * np.random.default_rng(3).standard_normal(17)
    content["stock[North, old]"] = path[0, 0, :17] * np.exp(noise)
    problem = Problem(model, load_data(content), free=["Rate"])
    target = target_of(problem)
    member = mixture(ModelForecaster(problem=problem, target=target))

    def dates(**bounds):
        plan = mixture_plan(target, member, 0, horizons=[1], draws=20, seed=0, **bounds)
        return [target.calendar.said(float(target.grid[place])) for place in plan.origins]

    every = dates()
    assert len(every) > 4
    assert every == dates(first=2018.0, last=2030.0)
    early, late = dates(last=2020.75), dates(first=2020.76)
    assert early
    assert late
    assert early + late == every
    with pytest.raises(InvalidInput, match=f"they run from {every[0]} to {every[-1]}"):
        dates(first=2023.0)

"""An ensemble is what one run after the other gives, whatever the blocks, the threads and what is kept of it."""

import itertools
import json
import signal
import threading
import time
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest

from pysd_runner.core.errors import InvalidInput, SimulationFailed, UnknownName
from pysd_runner.engine import Task
from pysd_runner.engine.values import TimePath
from pysd_runner.ensemble import Ensemble, Statistics, grid, run as running, run_ensemble
from pysd_runner.ensemble.cases import BLOCK_BYTES, VECTOR, blocks
from pysd_runner.export import load_netcdf
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import write_model

EQUATIONS = (
    "Region: A, B, C ~~|\n"
    "rate = 0.1 ~ 1/Year ~|\n"
    "share[Region] = 0.2, 0.3, 0.5 ~ Dmnl ~|\n"
    "policy = 0 ~ Euro/Year ~|\n"
    "wealth[Region] = INTEG(rate*wealth[Region] + share[Region]*policy - wealth[Region]^2/1000, 10) ~ Euro ~|\n"
    "total = SUM(wealth[Region!]) ~ Euro ~|"
)
OUTCOMES = ["wealth", "total"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(write_model(tmp_path_factory.mktemp("ensemble"), EQUATIONS, final=5, step=0.25, saveper=1))


@pytest.fixture(scope="module")
def explosive(tmp_path_factory):
    """Overflows where the rate is large, in finite time."""
    equations = "rate = 0.1 ~~|\ns = INTEG(rate*s^2, 1) ~~|\nhalf = s/2 ~~|"
    return load_model(write_model(tmp_path_factory.mktemp("explosive"), equations, final=20, step=0.25, saveper=1))


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of sixteen draws."""
    monkeypatch.setattr("pysd_runner.ensemble.cases.VECTOR", 16)
    monkeypatch.setattr("pysd_runner.ensemble.cases.MOST_DRAWS", 16)
    monkeypatch.setattr("pysd_runner.ensemble.cases.LEAST_WORK", 0)


def draws_of(count, seed=0):
    rng = np.random.default_rng(seed)
    return {"rate": rng.uniform(0, 0.3, count), "share": rng.dirichlet([2, 3, 5], count)}


SCENARIOS = {
    "nothing": {},
    "money": {"policy": TimePath(times=np.array([1.0, 3.0]), values=np.array([5.0, 1.0]))},
    "even": {"share": np.array([1, 1, 1]) / 3, "policy": 2},
}


def one_by_one(model, cases, count, scenarios):
    found = {name: [] for name in OUTCOMES}
    for overrides in scenarios.values():
        runs = []
        for draw in range(count):
            values = {name: values[draw] for name, values in cases.items()}
            runs.append(simulate(model, {**values, **overrides}, outcomes=OUTCOMES))
        for name in OUTCOMES:
            found[name].append([run[name][0, 0] for run in runs])
    return {name: np.array(values) for name, values in found.items()}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("engine", ["llvm", "numpy"])
def test_an_ensemble_is_one_run_after_the_other(model, small_blocks, engine, threads):
    cases = draws_of(37)
    found = run_ensemble(model, cases, outcomes=OUTCOMES, scenarios=SCENARIOS, engine=engine, threads=threads)
    assert found.provenance["engine"] == engine
    twin = one_by_one(model, cases, 37, SCENARIOS)
    assert found.scenarios == tuple(SCENARIOS)
    assert found["wealth"].shape == (3, 37, 3, 6)
    for name in OUTCOMES:
        np.testing.assert_allclose(found[name], twin[name], rtol=1e-13)
    assert found.complete
    assert found.draws == 37
    assert not found.failed.any()


def test_stocks_are_integrated_as_asked(model):
    cases = draws_of(5)
    found = run_ensemble(model, cases, outcomes=OUTCOMES, method="rk4")
    twin = simulate(model, {"rate": cases["rate"], "share": cases["share"][None]}, outcomes=OUTCOMES, method="rk4")
    np.testing.assert_array_equal(found["total"], twin["total"])
    assert found.provenance["method"] == "rk4"


def test_every_variable_is_saved_when_none_is_named(model):
    found = run_ensemble(model, {"rate": [0.1, 0.2]})
    assert set(found.data) == set(simulate(model).data)
    np.testing.assert_array_equal(found["RATE"][0, :, 0], [0.1, 0.2])


@pytest.mark.parametrize("keep", ["full", Statistics(quantiles=(0.1, 0.5), tolerance=0.05)], ids=["full", "statistics"])
def test_threads_do_not_change_a_bit_whatever_their_order(model, small_blocks, monkeypatch, keep):
    monkeypatch.setattr("pysd_runner.ensemble.statistics.MAX_EXACT", 100)
    monkeypatch.setattr("pysd_runner.ensemble.statistics.LEAF", 16)
    cases = draws_of(400)
    alone = run_ensemble(model, cases, outcomes=OUTCOMES, keep=keep, threads=1)
    original, seen = Task.compute, set()

    def dawdling(task, **options):
        seen.add(threading.get_ident())
        time.sleep(0.002 * (len(seen) + hash(threading.get_ident()) % 3))
        return original(task, **options)

    monkeypatch.setattr(Task, "compute", dawdling)
    for threads in (2, 5):
        several = run_ensemble(model, cases, outcomes=OUTCOMES, keep=keep, threads=threads)
        for name in OUTCOMES:
            for first, second in zip(_arrays(alone, name), _arrays(several, name), strict=True):
                np.testing.assert_array_equal(first, second)
    assert len(seen) > 1


def _arrays(ensemble: Ensemble, name: str) -> list[np.ndarray]:
    return [ensemble[name]] if ensemble.data else list(ensemble.statistics[name].values())


def test_statistics_are_those_of_the_runs(model, small_blocks):
    cases = draws_of(1000)
    runs = run_ensemble(model, cases, outcomes=OUTCOMES, scenarios=SCENARIOS)
    kept = run_ensemble(model, cases, outcomes=OUTCOMES, scenarios=SCENARIOS, keep=Statistics(), threads=2)
    assert kept.quantile_error == 0
    assert not kept.data
    for name in OUTCOMES:
        full = runs[name]
        small = 1e-24 * full[0].max() ** 2
        np.testing.assert_allclose(kept.statistic("mean", name), full.mean(axis=1), rtol=1e-12)
        np.testing.assert_allclose(kept.statistic("variance", name), full.var(axis=1, ddof=1), rtol=1e-12, atol=small)
        np.testing.assert_array_equal(kept.statistic("minimum", name), full.min(axis=1))
        np.testing.assert_array_equal(kept.statistic("maximum", name), full.max(axis=1))
        quantiles = np.moveaxis(np.quantile(full, (0.05, 0.5, 0.95), axis=1), 0, 1)
        np.testing.assert_array_equal(kept.statistic("quantile", name), quantiles)


def test_many_draws_keep_the_stated_tolerance(model):
    cases = {"rate": np.random.default_rng(0).uniform(0, 0.3, 12_000)}
    runs = run_ensemble(model, cases, outcomes=["total"])["total"][0]
    kept = run_ensemble(model, cases, outcomes=["total"], keep=Statistics(quantiles=(0.05, 0.5, 0.99), tolerance=0.004))
    assert 0 < kept.quantile_error <= 0.004
    found = kept.statistic("quantile", "total")[0]
    for level, values in zip((0.05, 0.5, 0.99), found, strict=True):
        assert ((runs <= values).mean(axis=0) >= level - kept.quantile_error - 1e-12).all()
        assert ((runs < values).mean(axis=0) <= level + kept.quantile_error + 1e-12).all()


def test_memory_of_statistics_does_not_grow_with_the_draws(model):
    keep = Statistics(quantiles=(0.5,), tolerance=0.02)
    asked = {"outcomes": OUTCOMES, "keep": keep, "threads": 2, "save_every": 0.25}
    run_ensemble(model, {"rate": np.linspace(0, 0.1, 100)}, **asked)
    peaks = []
    for draws in (70_000, 210_000):
        cases = {"rate": np.linspace(0, 0.1, draws)}
        tracemalloc.start()
        run_ensemble(model, cases, **asked)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    full = 210_000 * 4 * 21 * 8
    assert peaks[1] < full / 5
    assert peaks[1] < 1.3 * peaks[0] + 5 * 140_000  # what a draw itself takes: whether it failed


def test_failed_cases_are_counted_and_described(explosive, small_blocks):
    rates = np.full(100, 0.01)
    rates[[17, 60, 61, 99]] = 5.0
    found = run_ensemble(explosive, {"rate": rates}, scenarios={"calm": {"rate": 0.01}, "as drawn": {}}, threads=2)
    assert np.flatnonzero(found.failed[1]).tolist() == [17, 60, 61, 99]
    assert not found.failed[0].any()
    assert [(item.scenario, item.draw, item.variable) for item in found.failures] == [
        (1, 17, "s"),
        (1, 60, "s"),
        (1, 61, "s"),
    ]
    assert "4 cases gave values that are not finite" in found.describe()
    assert "s became inf" in found.describe()
    dataset = found.to_xarray()
    assert dataset["failed cases"].values.tolist() == [0, 4]
    assert dataset["failed"].values.sum() == 4
    assert "s became inf" in dataset.attrs["failures"][0]


def test_statistics_leave_failed_cases_out_and_count_them(explosive, small_blocks):
    rates = np.random.default_rng(0).uniform(0.0, 0.03, 500)
    failing = np.arange(500) % 7 == 3
    found = run_ensemble(
        explosive, {"rate": np.where(failing, 9.0, rates)}, keep=Statistics(quantiles=(0.25,)), outcomes=["half"]
    )
    sound = run_ensemble(explosive, {"rate": rates[~failing]}, outcomes=["half"])["half"][0]
    assert found.failed.sum() == failing.sum()
    np.testing.assert_allclose(found.statistic("mean", "half")[0], sound.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.statistic("variance", "half")[0], sound.var(axis=0, ddof=1), rtol=1e-12)
    np.testing.assert_array_equal(found.statistic("quantile", "half")[0, 0], np.quantile(sound, 0.25, axis=0))
    assert "71 cases" in found.describe()


def test_statistics_of_nothing_but_failures_are_missing(explosive):
    found = run_ensemble(explosive, {"rate": [9.0, 8.0]}, keep=Statistics(), outcomes=["half"])
    assert found.failed.all()
    assert np.isnan(found.statistic("mean", "half")).all()
    assert np.isnan(found.statistic("quantile", "half")).all()


def test_a_failure_is_raised_when_that_is_asked_for(explosive, small_blocks):
    rates = np.full(70, 0.01)
    rates[20] = 5
    with pytest.raises(SimulationFailed, match=r"1 of the first 32 cases.*s became inf .* draw 20"):
        run_ensemble(explosive, {"rate": rates}, throw=True)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("keep", ["full", Statistics()], ids=["full", "statistics"])
def test_an_interruption_keeps_what_was_finished(model, small_blocks, threads, keep):
    cases, told = draws_of(200), []

    def interrupt(_, draws, __):
        told.append(draws)
        if len(told) == 3:
            raise KeyboardInterrupt

    found = run_ensemble(model, cases, outcomes=["total"], keep=keep, threads=threads, progress=interrupt)
    assert not found.complete
    assert (found.draws, found.planned, told[-1]) == (48, 200, 48)
    assert found.failed.shape == (1, 48)
    assert found.parameters["rate"].shape == (48,)
    assert "interrupted: 48 of 200 draws" in found.describe()
    assert found.to_xarray().attrs["complete"] == 0
    first = {name: values[:48] for name, values in cases.items()}
    whole = run_ensemble(model, first, outcomes=["total"], keep=keep)
    for one, other in zip(_arrays(found, "total"), _arrays(whole, "total"), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_interruption_before_anything_was_finished_is_one(model, monkeypatch):
    def interrupted(task, **_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Task, "compute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_ensemble(model, draws_of(10))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_signal_waits_for_the_block_at_hand(model, small_blocks, monkeypatch, threads):
    begun, take = [], running._Work.take

    def interrupted(self, part, found):
        begun.append(part)
        if len(begun) == 3:
            signal.raise_signal(signal.SIGINT)
        take(self, part, found)

    monkeypatch.setattr(running._Work, "take", interrupted)
    handler = signal.getsignal(signal.SIGINT)
    found = run_ensemble(model, draws_of(200), outcomes=["total"], keep=Statistics(), threads=threads)
    assert found.draws == 48
    assert signal.getsignal(signal.SIGINT) is handler
    whole = run_ensemble(model, {k: v[:48] for k, v in draws_of(200).items()}, outcomes=["total"], keep=Statistics())
    np.testing.assert_array_equal(found.statistic("quantile", "total"), whole.statistic("quantile", "total"))


def test_a_second_signal_does_not_wait(model, small_blocks, monkeypatch):
    def interrupted(task, **_):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Task, "compute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_ensemble(model, draws_of(200), threads=1)


def test_an_ensemble_runs_outside_the_main_thread(model):
    found = []
    worker = threading.Thread(target=lambda: found.append(run_ensemble(model, draws_of(3), outcomes=["total"])))
    worker.start()
    worker.join()
    assert found[0].complete


def test_progress_adds_up_to_the_draws(model, small_blocks):
    told = []
    run_ensemble(model, draws_of(50), outcomes=["total"], progress=lambda *step: told.append(step))
    assert told[-1] == ("draws", 50, 50)


def test_a_path_may_differ_between_draws(model):
    times, values = np.array([0.0, 2.0]), np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    found = run_ensemble(model, {"policy": TimePath(times=times, values=values)}, outcomes=["total"])
    for draw in range(3):
        one = simulate(model, {"policy": TimePath(times=times, values=values[:, draw])}, outcomes=["total"])
        np.testing.assert_allclose(found["total"][:, draw], one["total"][0], rtol=1e-13)


def test_a_scenario_may_have_draws_of_its_own(model):
    found = run_ensemble(
        model, {}, scenarios={"none": {}, "some": {"policy": np.array([0.0, 1.0, 2.0])}}, outcomes=["policy", "total"]
    )
    assert found["policy"][:, :, 0].tolist() == [[0, 0, 0], [0, 1, 2]]
    assert np.ptp(found["total"][0], axis=0).max() == 0


@pytest.mark.parametrize("engine", ["llvm", "numpy"])
def test_results_in_single_precision_take_half_the_memory(model, engine):
    cases = draws_of(20)
    double, single = (
        run_ensemble(model, cases, outcomes=["total"], precision=precision, engine=engine)
        for precision in ("float64", "float32")
    )
    assert single["total"].dtype == np.float32
    np.testing.assert_array_equal(single["total"], double["total"].astype(np.float32))
    assert single.provenance["precision"] == "float32"


def test_the_data_set_has_labels_units_and_parameters(model, tmp_path):
    design = grid(model, {"rate": [0.1, 0.2]})
    found = run_ensemble(model, design, outcomes=OUTCOMES, scenarios=SCENARIOS, start=1, stop=4)
    dataset = found.to_xarray()
    assert dataset["wealth"].dims == ("scenario", "draw", "region", "year")
    assert dataset["region"].values.tolist() == ["A", "B", "C"]
    assert dataset["year"].values.tolist() == [1, 2, 3, 4]
    assert dataset["wealth"].attrs["units"] == "Euro"
    assert dataset["rate"].dims == ("draw",)
    assert dataset["rate"].attrs["units"] == "1/Year"
    made = json.loads(dataset.attrs["provenance"])
    assert made["model_sha256"] == model.sha256
    assert made["cases"] == {"method": "grid", "draws": 2, "levels": {"rate": 2}}
    assert made["scenarios"]["even"]["policy"] == 2
    assert made["seed"] == 0
    assert "numpy" in made["versions"]
    assert (made["start"], made["stop"]) == (1, 4)
    loaded = load_netcdf(found.save(tmp_path / "ensemble.nc"))
    np.testing.assert_array_equal(loaded["wealth"].values, found["wealth"])
    assert loaded["rate"].values.tolist() == [0.1, 0.2]


def test_provenance_tells_values_apart(model):
    path = {"policy": TimePath(times=np.array([0.0, 1.0]), values=np.array([1.0, 2.0]))}
    asked = [
        ({"rate": [0.1, 0.2]}, None),
        ({"rate": [0.1, 0.3]}, None),
        ({"rate": [0.1, 0.2]}, {"a": {"policy": 1}}),
        ({"rate": [0.1, 0.2]}, {"a": path}),
    ]
    found = [run_ensemble(model, cases, scenarios=scenarios, outcomes=["total"]) for cases, scenarios in asked]
    assert len({item.provenance["values_sha256"] for item in found}) == 4
    again = run_ensemble(model, grid(model, {"rate": [0.1, 0.2]}), outcomes=["total"])
    assert again.provenance["values_sha256"] == found[0].provenance["values_sha256"]


def test_what_overflows_single_precision_has_failed(explosive):
    cases = {"rate": [0.04, 1.2]}
    double = run_ensemble(explosive, cases, outcomes=["s"], engine="numpy", stop=3)
    assert np.isfinite(double["s"]).all()
    assert double["s"][0, 1].max() > 1e39
    for engine in ("llvm", "numpy"):
        single = run_ensemble(explosive, cases, outcomes=["s"], engine=engine, precision="float32", stop=3)
        assert single.failed.tolist() == [[False, True]]
        (failure,) = single.failures
        years = np.flatnonzero(~np.isfinite(single["s"][0, 1]))
        assert (failure.draw, failure.variable, failure.time) == (1, "s", single.years[years[0]])
        assert str(failure).endswith("(scenario 0, draw 1); the same case with arrays in double precision is finite")


def test_statistics_have_labels_and_units(model, tmp_path):
    found = run_ensemble(model, draws_of(20), outcomes=OUTCOMES, keep=Statistics())
    loaded = load_netcdf(found.save(tmp_path / "statistics.nc"))
    assert loaded["wealth, variance"].attrs["units"] == "(Euro)^2"
    assert loaded["wealth, quantile"].dims == ("scenario", "quantile", "region", "year")
    assert loaded["quantile"].values.tolist() == [0.05, 0.5, 0.95]
    assert "draw" not in loaded.dims
    assert loaded.attrs["draws"] == 20


def test_names_that_clash_with_dimensions_or_files_are_marked(tmp_path):
    equations = 'Year: A, B ~~|\ndraw = 1 ~~|\nx[Year] = draw*2 ~~|\n"a/b" = 3 ~~|\nLong name = 4 ~~|\ny=Long name ~~|'
    model = load_model(write_model(tmp_path, equations))
    cases = {"draw": [1.0, 2.0], "Long name": [4.0, 5.0]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = run_ensemble(model, cases, outcomes=["draw", "x", '"a/b"', "y"])
        loaded = load_netcdf(found.save(tmp_path / "names.nc"))
    assert loaded["draw_"].dims == ("scenario", "draw", "year")
    assert loaded["x"].dims == ("scenario", "draw", "year_", "year")
    assert loaded["Long name"].values.tolist() == [4, 5]
    assert float(loaded['"a\u2215b"'].max()) == 3


@pytest.mark.parametrize(
    ("cases", "options", "error", "text"),
    [
        ({"rato": [1.0]}, {}, UnknownName, "Did you mean 'rate'"),
        ({"rate": [1.0]}, {"outcomes": ["welth"]}, UnknownName, "Did you mean 'wealth'"),
        ({"rate": [1.0, 2.0], "policy": [1.0, 2.0, 3.0]}, {}, InvalidInput, "has 2 draws, 'policy' has 3"),
        ({"rate": [1.0, np.nan]}, {}, InvalidInput, "contains NaN"),
        ({"rate": ["a"]}, {}, InvalidInput, "not numeric"),
        ({"rate": np.ones((2, 2))}, {}, InvalidInput, "the first axis is the draw"),
        ({"share": np.ones((2, 4))}, {}, InvalidInput, r"\(3,\) for all draws, or \(draw, 3\)"),
        ({"TIME STEP": [0.1, 0.2]}, {}, InvalidInput, "holds for a whole run"),
        ([1.0], {}, InvalidInput, "a design, a data frame with a row for each draw, or a mapping"),
        ({"rate": np.empty(0)}, {}, InvalidInput, "value of 'rate' holds no draw"),
        ({"share": np.empty((0, 3))}, {}, InvalidInput, "value of 'share' holds no draw"),
        ({"rate": [0.1], "Rate": [0.2]}, {}, InvalidInput, "'rate' is given twice, as 'rate' and as 'Rate'"),
        ({}, {"scenarios": {"a": {"RATE": 1, "rate": 2}}}, InvalidInput, "'rate' is given twice"),
        ({"rate": [0.1]}, {"scenarios": {"a": {"policy": np.empty(0)}}}, InvalidInput, "'policy' holds no draw"),
        ({"rate": [1.0, 2.0]}, {"draws": 3}, InvalidInput, "values have 2 draws, 3 were asked for"),
        ({}, {"outcomes": "wealth"}, InvalidInput, "outcomes are a list of names"),
        ({}, {"engine": "fast"}, InvalidInput, "engine"),
        ({}, {"keep": "mean"}, InvalidInput, "keep must be"),
        ({}, {"precision": "half"}, InvalidInput, "precision must be"),
        ({}, {"threads": 0}, InvalidInput, "threads must be"),
        ({}, {"seed": -1}, InvalidInput, "seed must be"),
        ({}, {"scenarios": {}}, InvalidInput, "at least one"),
        ({}, {"scenarios": {"a": 3}}, InvalidInput, "scenario 'a': expected a mapping"),
        ({}, {"scenarios": {"a": {}, "b": {"FINAL TIME": 3}}}, InvalidInput, "share one clock"),
        ({}, {"scenarios": {"a": {"rate": np.ones((2, 1))}}}, InvalidInput, "several scenarios of its own"),
        (
            {"rate": [1.0, 2.0]},
            {"scenarios": {"a": {"policy": np.ones(3)}}},
            InvalidInput,
            "'rate' has 2 draws, 'policy' has 3",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(model, cases, options, error, text):
    with pytest.raises(error, match=text):
        run_ensemble(model, cases, **options)


def test_more_runs_than_memory_holds_point_to_statistics(model, monkeypatch):
    monkeypatch.setattr("pysd_runner.engine.memory.machine_bytes", lambda: 1000.0)
    with pytest.raises(InvalidInput, match=r"keep=Statistics\(\)"):
        run_ensemble(model, draws_of(10))


@pytest.mark.parametrize(("draws", "size"), [(1, 8), (1000, 40_000), (10**6, 40_000), (1000, 10**9), (10**6, 8)])
def test_blocks_cover_all_draws_in_order_and_are_bounded(draws, size):
    parts = blocks(draws, size)
    assert parts[0].start == 0
    assert parts[-1].stop == draws
    assert all(first.stop == second.start for first, second in itertools.pairwise(parts))
    lengths = {part.stop - part.start for part in parts}
    assert max(lengths) * size <= max(BLOCK_BYTES + VECTOR * size, size)
    assert len(parts) == 1 or min(lengths) >= min(64, parts[0].stop)
    assert min(lengths) >= min(16, draws)
    assert all(part.start % min(64, parts[0].stop) == 0 for part in parts)
    assert all(part.start % 16 == 0 for part in parts)


LARGE = (
    "R: r1, r2, r3, r4, r5, r6, r7, r8, r9 ~~|\ng = 0.1 ~~|\ns[R] = INTEG(g*s[R] - SUM(s[R!])*0.003, 1+0.37*g) ~~|\n"
    "x[R] = INTEG(s[R]/SUM(s[R!])*EXP(-g), 1) ~~|"
)


def test_a_draw_has_the_same_bits_however_large_its_outcomes_are(tmp_path, monkeypatch):
    large = load_model(write_model(tmp_path, LARGE, final=300, step=0.5, saveper=0.5))
    g = np.linspace(-1e-4, 1e-4, 45)
    monkeypatch.setattr("pysd_runner.ensemble.cases.BLOCK_BYTES", 1)
    for draws in (4, 45):
        apart = run_ensemble(large, {"g": g[:draws]}, outcomes=["s", "x"])
        together = simulate(large, {"g": g[None, :draws]}, outcomes=["s", "x"])
        for name in ("s", "x"):
            np.testing.assert_array_equal(apart[name], together[name])


def test_what_threads_share_is_compiled_for_blocks_as_they_are(tmp_path, monkeypatch):
    pytest.importorskip("llvmlite")
    from pysd_runner.engine.llvm import programs

    large = load_model(write_model(tmp_path, LARGE, final=10, step=0.5, saveper=0.5))
    monkeypatch.setattr("pysd_runner.ensemble.cases.BLOCK_BYTES", 1)
    made, make = [], programs._program
    monkeypatch.setattr(programs, "_program", lambda *request: made.append(request) or make(*request))
    run_ensemble(large, {"g": np.linspace(0, 1e-4, 40)}, outcomes=["s"], threads=2)
    assert [recipe.varying for _, recipe in made] == [frozenset({"g"})]


def test_blocks_of_a_small_model_have_enough_work():
    assert len(blocks(1000, 8, 1000)) == 1
    assert [part.stop for part in blocks(1000, 8, 10**6)][:2] == [64, 128]


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    equations = (
        "Region: A, B ~~|\ngain = 1 ~~|\nnoise[Region] = RANDOM NORMAL(-5, 5, 0, 1, 0) ~~|\n"
        "s[Region] = INTEG(gain*noise[Region], 0) ~~|"
    )
    return load_model(write_model(tmp_path_factory.mktemp("noisy"), equations, final=3, step=0.5, saveper=0.5))


def test_chance_is_the_same_in_all_scenarios_and_blocks_and_differs_between_draws(noisy, small_blocks):
    scenarios = {"once": {}, "twice": {"gain": 2}}
    found = run_ensemble(noisy, {"gain": np.ones(70)}, scenarios=scenarios, outcomes=["s"], seed=0, threads=2)
    np.testing.assert_allclose(2 * found["s"][0], found["s"][1], rtol=1e-12)
    last = found["s"][0, ..., -1].ravel()
    assert np.unique(last).size == last.size
    again = run_ensemble(noisy, {}, draws=70, outcomes=["s"], seed=0)
    np.testing.assert_array_equal(found["s"][:1], again["s"])
    assert (run_ensemble(noisy, {}, draws=70, outcomes=["s"], seed=1)["s"][..., -1] != again["s"][..., -1]).all()
    twin = simulate(noisy, {"gain": np.ones(70)}, outcomes=["s"], seed=0)
    np.testing.assert_array_equal(twin["s"], again["s"])
    fewer = run_ensemble(noisy, {}, draws=20, outcomes=["s"], seed=0)
    np.testing.assert_array_equal(fewer["s"], again["s"][:, :20])


@pytest.mark.parametrize("engine", ["llvm", "numpy"])
def test_what_a_run_remembers_is_its_own_in_every_thread(tmp_path, small_blocks, engine):
    equations = (
        "rate = 0.1 ~~|\nnoise = RANDOM UNIFORM(0, 1, 0) ~~|\nlate = DELAY FIXED(rate*Time + noise, 1, rate) ~~|\n"
        "kept = SAMPLE IF TRUE(noise > 0.5, late, 0) ~~|\nslow = SMOOTH3I(late, 2*rate + 0.5, 0) ~~|\n"
        "sent = DELAY N(slow, 2, rate, 3) ~~|"
    )
    model = load_model(write_model(tmp_path, equations))
    cases = {"rate": np.random.default_rng(0).uniform(0.1, 1, 320)}
    alone, several = (run_ensemble(model, cases, engine=engine, threads=threads) for threads in (1, 4))
    whole = simulate(model, cases, engine=engine)
    for name in alone.data:
        np.testing.assert_array_equal(alone[name], several[name], err_msg=name)
        np.testing.assert_array_equal(alone[name], np.broadcast_to(whole[name], alone[name].shape), err_msg=name)


def regions_of(tmp_path):
    equations = "R: A, B, C ~~|\nk[R] = 1, 2, 3 ~~|\nrate = 0.1 ~~|\ns[R] = INTEG(rate*k[R], k[R]) ~~|"
    return load_model(write_model(tmp_path, equations, final=2, step=0.5, saveper=0.5))


def test_numbers_by_element_are_never_taken_for_draws(tmp_path):
    model = regions_of(tmp_path)
    found = run_ensemble(model, {"k": [4.0, 5.0, 6.0], "rate": [0.1, 0.2, 0.3, 0.4]}, outcomes=["s"])
    assert found.draws == 4
    np.testing.assert_array_equal(found["s"][0, :, :, 0], np.tile([4.0, 5.0, 6.0], (4, 1)))
    path = TimePath(
        times=np.array([0.0, 2.0]), values=np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]]), interpolate="linear"
    )
    moved = run_ensemble(model, {"k": path}, outcomes=["k"])
    np.testing.assert_allclose(moved["k"][0, 0, :, 2], [2.0, 3.0, 4.0])


def test_other_lengths_and_designs_are_draws(tmp_path):
    model = regions_of(tmp_path)
    found = run_ensemble(model, {"k": [4.0, 5.0]}, outcomes=["s"])
    np.testing.assert_array_equal(found["s"][0, :, :, 0], [[4.0] * 3, [5.0] * 3])
    drawn = run_ensemble(model, grid(model, {"k": [4.0, 5.0, 6.0]}), outcomes=["s"])
    np.testing.assert_array_equal(drawn["s"][0, :, :, 0], [[4.0] * 3, [5.0] * 3, [6.0] * 3])


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("draws", [5, 64, 100, 200, 256])
def test_blocks_written_in_place_are_those_of_one_block(tmp_path, monkeypatch, precision, draws):
    pytest.importorskip("llvmlite")
    model = regions_of(tmp_path)
    cases = {"rate": np.random.default_rng(draws).random(draws)}
    settings = {"scenarios": {"a": {}, "b": {"k": [1.0, 5.0, 2.0]}}, "outcomes": ["s", "rate"], "precision": precision}
    expected = {
        name: np.concatenate(
            [
                run_ensemble(model, {**cases, **other}, outcomes=["s", "rate"], precision=precision, threads=1)[name]
                for other in ({}, {"k": [1.0, 5.0, 2.0]})
            ]
        )
        for name in ("s", "rate")
    }
    monkeypatch.setattr("pysd_runner.ensemble.cases.MOST_DRAWS", 48)
    monkeypatch.setattr("pysd_runner.ensemble.cases.VECTOR", 16)
    for threads in (1, 3):
        found = run_ensemble(model, cases, threads=threads, **settings)
        for name, values in expected.items():
            assert found[name].shape == values.shape
            assert found[name].dtype == precision
            np.testing.assert_array_equal(found[name], values)


def test_data_frames_stand_for_designs_and_scenarios(model):
    design = pd.DataFrame({"rate": [0.1, 0.2, 0.3]})
    scenarios = pd.DataFrame({"policy": [0.0, 5.0], "share": [np.nan, np.nan]}, index=["none", "some"])
    found = run_ensemble(model, design, outcomes=OUTCOMES, scenarios=scenarios)
    known = run_ensemble(
        model,
        {"rate": design["rate"].to_numpy()},
        outcomes=OUTCOMES,
        scenarios={"none": {"policy": 0.0}, "some": {"policy": 5.0}},
    )
    assert found.scenarios == ("none", "some")
    for name in OUTCOMES:
        np.testing.assert_array_equal(found[name], known[name])


def test_the_table_is_the_last_moment(model):
    found = run_ensemble(
        model, {"rate": np.linspace(0.1, 0.3, 9)}, outcomes=OUTCOMES, scenarios={"a": {}, "b": {"policy": 5}}
    )
    table = found.table()
    assert len(table) == 2 * (3 + 1)
    row = table[(table["scenario"] == "b") & (table["Region"] == "C")].iloc[0]
    assert row[["low_90", "median", "high_90"]].tolist() == pytest.approx(
        np.quantile(found["wealth"][1, :, 2, -1], [0.05, 0.5, 0.95]).tolist()
    )
    assert set(found.table("total")["outcome"]) == {"total"}
    assert len(found.plot().axes) == 3
    means = run_ensemble(model, {"rate": np.linspace(0.1, 0.3, 9)}, outcomes=["total"], keep=Statistics(mean=True))
    assert means.table()["variable"].tolist()[0].startswith("total, ")

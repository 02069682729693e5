"""Scenarios and draws at once give what one case at a time gives, whatever the blocks and the order."""

import pickle

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidInput, SimulationFailed, UnknownName
from pysd_runner.engine.numpy import target as numpy_target
from pysd_runner.engine.values import TimePath
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.test_shipped_parity import region_values


@pytest.fixture(scope="module")
def model():
    return load_model("regional_digital", regions=5)


@pytest.fixture
def values():
    return region_values(np.random.default_rng(0), 5)


def test_a_batch_equals_single_runs(model, values):
    effects = np.linspace(0.02, 0.3, 7)
    budgets = np.array([0.0, 0.003, 0.01])
    shocks = np.random.default_rng(1).normal(0, 0.02, (3, 1, 7, 5))
    path = TimePath(times=np.array([2014.0, 2016.0, 2018.0]), values=shocks)
    batch = simulate(
        model,
        values
        | {
            "Application Output Effect": effects,
            "Policy Budget Share": budgets[:, None],
            "Policy Start Time": 2015,
            "Technology Shock": path,
        },
        stop=2020,
    )
    for scenario, budget in enumerate(budgets):
        for draw, effect in enumerate(effects):
            one = simulate(
                model,
                values
                | {
                    "Application Output Effect": effect,
                    "Policy Budget Share": budget,
                    "Policy Start Time": 2015,
                    "Technology Shock": TimePath(times=path.times, values=shocks[:, 0, draw]),
                },
                stop=2020,
            )
            for name in batch.data:
                lead = np.broadcast_to(batch[name], (3, 7, *batch[name].shape[2:]))
                # A single run adds over regions in another order than a batch does.
                np.testing.assert_allclose(lead[scenario, draw], one[name][0, 0], rtol=1e-10, atol=1e-14, err_msg=name)


def test_blocks_do_not_change_a_bit(model, values, monkeypatch):
    given = values | {"Application Output Effect": np.linspace(0.02, 0.3, 11)}
    whole = simulate(model, given, stop=2018)
    monkeypatch.setattr(numpy_target, "BLOCK_BYTES", 1000)
    parts = simulate(model, given, stop=2018)
    for name in whole.data:
        np.testing.assert_array_equal(whole[name], parts[name], err_msg=name)


def test_order_of_regions_does_not_matter(model, values):
    order = np.random.default_rng(5).permutation(5)
    policy = {"Policy Budget Share": 0.003, "Policy Start Time": 2016, "Rolling Evaluation Switch": 1}
    straight = simulate(model, values | policy)
    shuffled = simulate(model, {name: array[order] for name, array in values.items()} | policy)
    for name, expected in straight.data.items():
        dims = model.variables[name].dims
        for place, dim in enumerate(dims):
            if dim in ("Region", "Partner"):
                expected = expected.take(order, axis=2 + place)
        np.testing.assert_allclose(shuffled[name], expected, rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("count", [1, 2, 60])
def test_any_number_of_regions(count):
    model = load_model("regional_digital", regions=count)
    run = simulate(model, region_values(np.random.default_rng(count), count), stop=2020)
    assert run["Output"].shape == (1, 1, count, 7)
    assert np.isfinite(run["Theil Index"]).all()


def test_one_region_is_refused_by_pysd_in_words():
    with pytest.raises(InvalidInput, match="one element"):
        simulate(load_model("regional_digital", regions=1), stop=2015, engine="pysd")


def test_no_region_is_refused():
    with pytest.raises(InvalidInput, match="at least one region"):
        load_model("regional_digital", regions=0)


@pytest.mark.unruly
def test_overrides_do_not_persist(model):
    before = simulate(model, stop=2016)
    simulate(model, {"Application Output Effect": 0.5, "Output": 1e9}, stop=2016)
    after = simulate(model, stop=2016)
    for name in before.data:
        np.testing.assert_array_equal(before[name], after[name])


def test_a_loaded_model_can_be_pickled(model, values):
    copy = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own bytes
    np.testing.assert_array_equal(simulate(copy, values)["Output"], simulate(model, values)["Output"])


def test_declared_keys_and_any_spelling_name_a_variable(model):
    by_key = simulate(model, {"th_U": 0.3}, outcomes=["gap_to_leader"])
    by_name = simulate(model, {"application_output  effect": 0.3}, outcomes=["Gap to Leader"])
    np.testing.assert_array_equal(by_key["Gap to Leader"], by_name["gap to leader"])


def test_unknown_names_get_a_suggestion(model):
    with pytest.raises(UnknownName, match="Did you mean 'Application Output Effect'"):
        simulate(model, {"Aplication Output Effect": 1})
    with pytest.raises(UnknownName, match="Did you mean 'Output'"):
        simulate(model, stop=2015, outcomes=["Output"])["Outputs"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.ones(4), r"shape \(4,\); expected \(5,\) over Region"),
        (np.ones((1, 5)), r"shape \(1, 5\)"),
        ("many", "not numeric"),
        (float("nan"), "NaN"),
        (np.array([1, 2, np.nan, 4, 5]), "NaN"),
        (np.empty((1, 0, 5)), r"value of 'Initial Population' holds no draw \(shape \(1, 0, 5\)\)"),
        (np.empty((0, 1, 5)), "at least one scenario"),
    ],
)
def test_values_that_do_not_fit(model, value, message):
    with pytest.raises(InvalidInput, match=message):
        simulate(model, {"Initial Population": value})


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"stop": 2010}, "goes forward"),
        ({"step": 0}, "must be positive"),
        ({"save_every": -1}, "must be positive"),
        ({"start": float("inf")}, "must be finite"),
        ({"stop": float("nan")}, "FINAL TIME must be finite; found nan"),
    ],
)
def test_bounds_that_do_not_fit(model, bounds, message):
    with pytest.raises(InvalidInput, match=message):
        simulate(model, **bounds)


def test_unknown_engine(model):
    with pytest.raises(InvalidInput, match="one of 'auto', 'llvm', 'numpy', 'pysd'"):
        simulate(model, engine="fortran")


def test_the_first_variable_that_is_no_number_is_named(model, values):
    capital = np.full((1, 3, 5), 3.0)
    capital[0, 1, 2] = -1.0
    with pytest.raises(SimulationFailed, match=r"1 of 3 cases.*\[R003\].*time 2014 \(scenario 0, draw 1\)"):
        simulate(model, values | {"Initial Capital Output Ratio": capital})


def test_failures_are_counted_when_they_do_not_raise(model, values):
    run = simulate(model, values | {"Trend Growth of Output per Worker": np.array([0.03, 1e6])}, throw=False)
    assert run.failed.tolist() == [[False, True]]
    assert run.failures[0].draw == 1
    assert run.failures[0].time >= 2014


def test_frame_and_dataset_hold_the_same_numbers(model, values):
    run = simulate(model, values, stop=2016, outcomes=["Output", "Theil Index"])
    dataset, frame = run.to_xarray(), run.to_frame()
    assert dataset["Output"].dims == ("scenario", "draw", "region", "year")
    assert dataset["Output"].attrs["units"] == "Yuan/Year"
    assert set(frame["variable"]) == {"Output", "Theil Index"}
    row = frame[(frame.variable == "Output") & (frame.region == "R002") & (frame.year == 2016)]
    assert row["value"].item() == run["Output"][0, 0, 1, 2]


def test_a_run_can_be_saved_and_read(model, tmp_path):
    import xarray as xr

    run = simulate(model, stop=2016, outcomes=["Output"])
    path = run.save(tmp_path / "run.nc")
    with xr.open_dataset(path, engine="h5netcdf") as stored:
        np.testing.assert_array_equal(stored["Output"].to_numpy(), run["Output"])


@pytest.mark.parametrize(
    ("values", "bounds", "message"),
    [
        ({"th_U": np.ones(3), "nu": np.ones(2)}, {}, "has 3 draws, .* has 2"),
        ({"FINAL TIME": np.array([2015.0, 2016.0])}, {}, "FINAL TIME holds for a whole run"),
        ({"TIME STEP": 0.5}, {"step": 0.25}, "TIME STEP holds for a whole run"),
        ({}, {"start": "abc"}, "INITIAL TIME must be a number"),
        ({"th_U": np.empty(0)}, {}, "holds no draw"),
        ({"th_U": np.empty(0)}, {"engine": "numpy"}, "holds no draw"),
        (
            {"Policy Start Time": 1, "policy start  TIME": 2},
            {},
            "'Policy Start Time' is given twice, .*'policy start  T",
        ),
        ([1.0], {}, "values are a mapping"),
        ({1: 1.0}, {}, "named by a text; found 1"),
        ({}, {"outcomes": [None]}, "named by a text; found None"),
        ({}, {"outcomes": 3}, "outcomes are a list of names"),
        ({}, {"seed": -1}, "seed must be a whole number from 0"),
        ({}, {"threads": True}, "threads must be a whole number from 1"),
    ],
)
def test_axes_and_controls_that_do_not_fit(model, values, bounds, message):
    with pytest.raises(InvalidInput, match=message):
        simulate(model, values, **bounds)


def test_outcomes_are_any_names_and_mistakes_are_told_each_time(model):
    for names in (iter(["Output"]), np.array(["Output"]), ("Output",)):
        assert list(simulate(model, outcomes=names).data) == ["Output"]
    for _ in range(2):
        with pytest.raises(InvalidInput, match="INITIAL TIME must be a number"):
            simulate(model, outcomes=["Output"], start=np.array([1, 2]))


def test_controls_may_be_given_as_values(model):
    assert simulate(model, {"FINAL TIME": 2016}, outcomes=["Output"]).years.tolist() == [2014, 2015, 2016]


@pytest.mark.parametrize("regions", ["china", 3.5, None.__class__])
def test_regions_that_are_no_regions(regions):
    with pytest.raises(InvalidInput, match="regions are"):
        load_model("regional_digital", regions=regions)


def test_a_run_that_does_not_fit_into_memory_is_refused():
    big = load_model("regional_digital", regions=4000)
    budgets = np.linspace(0, 0.01, 400)[:, None]
    with pytest.raises(InvalidInput, match="GB of memory"):
        simulate(big, {"Policy Budget Share": budgets}, stop=2015, outcomes=["Theil Index"], engine="numpy")


def test_a_numpy_integer_counts_regions():
    assert len(load_model("regional_digital", regions=np.int64(3)).ranges["Region"]) == 3

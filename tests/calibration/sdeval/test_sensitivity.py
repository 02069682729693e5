"""Sensitivity: the estimators in plain loops, and runs that fail."""

import math
from collections.abc import Mapping

import numpy as np
import pytest
import xarray as xr

from calibration.sdeval import morris
from pysd_runner.core.errors import InvalidInput

UNIT = dict.fromkeys("abc", (0.0, 1.0))


def g_function(parameters: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Sobol's g with a = (0, 1, 4.5)."""
    product = 1.0
    for value, a in zip(parameters.values(), (0, 1, 4.5), strict=True):
        product *= (abs(4 * value - 2) + a) / (1 + a)
    return {"y": np.asarray(product)}


def test_elementary_effects_of_morris_in_plain_loops() -> None:
    runs: list[tuple[dict[str, float], float]] = []
    bounds = {"a": (0.0, 10.0), "b": (-1.0, 1.0), "c": (5.0, 6.0)}

    def remembers(parameters: Mapping[str, float]) -> dict[str, np.ndarray]:
        value = parameters["a"] ** 2 + math.sin(parameters["b"]) * parameters["c"]
        runs.append((dict(parameters), value))
        return {"y": np.asarray(value)}

    found = morris(remembers, bounds, trajectories=6).indices["y"]
    effects: dict[str, list[float]] = {name: [] for name in bounds}
    for start in range(0, len(runs), 4):
        for (before, low), (after, high) in zip(runs[start : start + 3], runs[start + 1 : start + 4], strict=True):
            (name,) = [key for key in bounds if before[key] != after[key]]
            width = (after[name] - before[name]) / (bounds[name][1] - bounds[name][0])
            effects[name].append((high - low) / width)
    for number, name in enumerate(bounds):
        values = effects[name]
        mean = math.fsum(values) / 6
        assert float(found["mu"][number]) == pytest.approx(mean, rel=1e-12, abs=1e-12)
        assert float(found["mu_star"][number]) == pytest.approx(math.fsum(map(abs, values)) / 6, rel=1e-12)
        deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / 5)
        assert float(found["sigma"][number]) == pytest.approx(deviation, rel=1e-10, abs=1e-12)


def test_outcomes_keep_their_labels_and_each_element_its_own_indices() -> None:
    coords = {"region": ["north", "south"], "year": [2020, 2030, 2040]}

    def simulate(parameters: Mapping[str, float]) -> dict[str, xr.DataArray]:
        values = np.array([[0.0, 1, 2], [0, 0, 0]]) * parameters["a"] + np.array([[1.0], [2.0]]) * parameters["b"]
        return {"output": xr.DataArray(values, dims=("region", "year"), coords=coords), "other": xr.DataArray([0.0])}

    found = morris(simulate, UNIT, trajectories=3, outcomes=["output"])
    assert list(found.indices) == ["output"]
    assert (found.runs, found.failed) == (3 * 4, 0)
    dataset = found.indices["output"]
    assert dataset["mu_star"].dims == ("parameter", "region", "year")
    assert (dataset["used"] == 3).all()
    assert dataset["mu"].sel(parameter="a", region="north").to_numpy() == pytest.approx([0, 1, 2], abs=1e-12)


def test_runs_that_fail_lose_their_block_for_the_elements_they_spoil() -> None:
    calls = iter(range(1000))

    def fails(parameters: Mapping[str, float]) -> dict[str, np.ndarray]:
        call = next(calls)
        if call == 7:
            raise ValueError("breaks down")
        values = np.array([1.0, 2.0]) * parameters["a"] + parameters["b"]
        if call == 21:
            values[1] = np.nan
        return {"y": values}

    found = morris(fails, UNIT, trajectories=8)
    assert (found.runs, found.failed) == (32, 1)
    assert found.indices["y"]["used"].to_numpy().tolist() == [7, 6]
    assert found.indices["y"]["mu"].sel(parameter="a").to_numpy() == pytest.approx([1, 2], abs=1e-12)


def test_what_has_no_index_is_missing() -> None:
    gone = morris(lambda p: {"y": np.array([np.nan, p["a"]])}, UNIT, trajectories=3).indices["y"]
    assert np.isnan(gone["mu"].to_numpy()[:, 0]).all()
    assert gone["used"].to_numpy().tolist() == [0, 3]


def test_a_seed_of_zero_repeats_and_another_does_not() -> None:
    def product(parameters: Mapping[str, float]) -> dict[str, np.ndarray]:
        return {"y": np.asarray(parameters["a"] * parameters["b"] + parameters["c"] ** 2)}

    screened = [morris(product, UNIT, trajectories=3, seed=seed).indices["y"] for seed in (0, 0, 1)]
    xr.testing.assert_identical(*screened[:2])
    assert not np.array_equal(screened[0]["mu_star"], screened[2]["mu_star"])


def test_a_batch_gives_what_single_runs_give() -> None:
    def batch(rows: list[Mapping[str, float]]) -> list[dict[str, np.ndarray] | None]:
        return [g_function(row) for row in rows]

    one, many = (morris(g_function, UNIT, trajectories=4, batch=way).indices["y"] for way in (None, batch))
    xr.testing.assert_identical(one, many)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: morris(g_function, UNIT, trajectories=1), "trajectories is 1; at least two"),
        (lambda: morris(g_function, {}), "names no parameter"),
        (lambda: morris(g_function, {"a": (1.0, 1.0)}), "bounds of 'a' are 1.0 and 1.0"),
        (lambda: morris(lambda p: {}["y"] if p is None else 1 / 0, UNIT), "runs of the design fail"),
        (lambda: morris(g_function, UNIT, batch=lambda _: []), "it must give one for each"),
        (lambda: morris(lambda p: {"y": np.ones(1 + int(p["a"] > 0.5))}, UNIT), "has the shape"),
    ],
)
def test_bad_input(call: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        call()

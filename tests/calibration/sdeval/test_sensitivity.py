"""Sensitivity: functions with known indices, the estimators in plain loops, and runs that fail."""

import math
from collections.abc import Mapping

import numpy as np
import pytest
import xarray as xr

from calibration.sdeval import morris, sobol
from pysd_runner.core.errors import InvalidInput

ISHIGAMI = dict.fromkeys(("x1", "x2", "x3"), (-math.pi, math.pi))
UNIT = dict.fromkeys("abc", (0.0, 1.0))


def ishigami(parameters: Mapping[str, float]) -> dict[str, np.ndarray]:
    x1, x2, x3 = parameters.values()
    return {"y": np.asarray(math.sin(x1) + 7 * math.sin(x2) ** 2 + 0.1 * x3**4 * math.sin(x1))}


def ishigami_indices() -> tuple[list[float], list[float]]:
    """Closed form for a = 7, b = 0.1: Ishigami and Homma (1990); first order and total."""
    a, b, pi = 7, 0.1, math.pi
    first = [0.5 * (1 + b * pi**4 / 5) ** 2, a**2 / 8, 0.0]
    both = b**2 * pi**8 * (1 / 18 - 1 / 50)
    whole = sum(first) + both
    total = [first[0] + both, first[1], both]
    return [part / whole for part in first], [part / whole for part in total]


def g_function(parameters: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Sobol's g with a = (0, 1, 4.5)."""
    product = 1.0
    for value, a in zip(parameters.values(), (0, 1, 4.5), strict=True):
        product *= (abs(4 * value - 2) + a) / (1 + a)
    return {"y": np.asarray(product)}


def test_sobol_of_ishigami() -> None:
    found = sobol(ishigami, ISHIGAMI, samples=2048).indices["y"]
    first, total = ishigami_indices()
    assert found["S1"].to_numpy() == pytest.approx(first, abs=0.03)
    assert found["ST"].to_numpy() == pytest.approx(total, abs=0.03)
    assert (np.abs(found["S1"].to_numpy() - first) < 2 * found["S1_conf"].to_numpy() + 1e-3).all()


def test_estimators_of_sobol_in_plain_loops() -> None:
    """Saltelli et al. (2010), equations (b) and (f), on the normalised outcome, from the very runs that were made."""
    runs: list[float] = []

    def remembers(parameters: Mapping[str, float]) -> dict[str, np.ndarray]:
        runs.append(float(g_function(parameters)["y"]))
        return {"y": np.asarray(runs[-1])}

    found = sobol(remembers, UNIT, samples=32).indices["y"]
    n, size = 32, 5
    mean = math.fsum(runs) / len(runs)
    spread = math.sqrt(math.fsum((y - mean) ** 2 for y in runs) / len(runs))
    scaled = [(y - mean) / spread for y in runs]
    first, last = scaled[::size], scaled[size - 1 :: size]
    both = first + last
    variance = math.fsum((y - math.fsum(both) / len(both)) ** 2 for y in both) / len(both)
    for number in range(3):
        mixed = scaled[number + 1 :: size]
        alone = math.fsum(last[k] * (mixed[k] - first[k]) for k in range(n)) / n / variance
        total = math.fsum((first[k] - mixed[k]) ** 2 for k in range(n)) / n / 2 / variance
        assert float(found["S1"][number]) == pytest.approx(alone, abs=1e-12)
        assert float(found["ST"][number]) == pytest.approx(total, abs=1e-12)


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

    found = sobol(simulate, UNIT, samples=64, outcomes=["output"])
    assert list(found.indices) == ["output"]
    assert (found.runs, found.failed) == (64 * 5, 0)
    dataset = found.indices["output"]
    assert dataset["ST"].dims == ("parameter", "region", "year")
    assert dataset["ST"].sel(parameter="a", region="south").to_numpy() == pytest.approx(0, abs=1e-12)
    assert float(dataset["S1"].sel(parameter="a", region="north", year=2030)) == pytest.approx(0.5, abs=0.1)
    assert (dataset["used"] == 64).all()
    screened = morris(simulate, UNIT, trajectories=3).indices["output"]
    assert screened["mu"].sel(parameter="a", region="north").to_numpy() == pytest.approx([0, 1, 2], abs=1e-12)


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
    still = sobol(lambda p: {"y": np.array([0.1, p["a"]])}, UNIT, samples=8).indices["y"]
    assert np.isnan(still["ST"].to_numpy()[:, 0]).all()
    assert np.isfinite(still["ST"].to_numpy()[:, 1]).all()
    gone = morris(lambda p: {"y": np.array([np.nan, p["a"]])}, UNIT, trajectories=3).indices["y"]
    assert np.isnan(gone["mu"].to_numpy()[:, 0]).all()
    assert gone["used"].to_numpy().tolist() == [0, 3]


def test_a_seed_of_zero_repeats_and_another_does_not() -> None:
    def product(parameters: Mapping[str, float]) -> dict[str, np.ndarray]:
        return {"y": np.asarray(parameters["a"] * parameters["b"] + parameters["c"] ** 2)}

    first, again, other = (sobol(ishigami, ISHIGAMI, samples=16, seed=seed).indices["y"] for seed in (0, 0, 1))
    xr.testing.assert_identical(first, again)
    assert not np.array_equal(first["S1"], other["S1"])
    screened = [morris(product, UNIT, trajectories=3, seed=seed).indices["y"] for seed in (0, 0, 1)]
    xr.testing.assert_identical(*screened[:2])
    assert not np.array_equal(screened[0]["mu_star"], screened[2]["mu_star"])


def test_a_batch_gives_what_single_runs_give() -> None:
    def batch(rows: list[Mapping[str, float]]) -> list[dict[str, np.ndarray] | None]:
        return [g_function(row) for row in rows]

    one, many = (sobol(g_function, UNIT, samples=16, batch=way).indices["y"] for way in (None, batch))
    xr.testing.assert_identical(one, many)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sobol(g_function, UNIT, samples=100), "power of two"),
        (lambda: morris(g_function, UNIT, trajectories=1), "trajectories is 1; at least two"),
        (lambda: sobol(g_function, {}), "names no parameter"),
        (lambda: sobol(g_function, {"a": (1.0, 1.0)}), "bounds of 'a' are 1.0 and 1.0"),
        (lambda: morris(lambda p: {}["y"] if p is None else 1 / 0, UNIT), "runs of the design fail"),
        (lambda: morris(g_function, UNIT, batch=lambda _: []), "it must give one for each"),
        (lambda: morris(lambda p: {"y": np.ones(1 + int(p["a"] > 0.5))}, UNIT), "has the shape"),
    ],
)
def test_bad_input(call: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        call()

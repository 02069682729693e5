"""The public Jacobian: labels, axes, cases, and agreement with differences between runs."""

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidInput, SimulationFailed, UnknownName, UnsupportedFeature
from pysd_runner.engine.values import TimePath
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from pysd_runner.simulation.sensitivities import jacobian, prepare
from tests.engine.small_models import write_model

EQUATIONS = (
    "R: A, B ~~|\nrate = 0.1 ~ 1/Year ~ |\nk[R] = 1, 2 ~ Dmnl ~ |\npush = 1 ~~|\n"
    "s[R] = INTEG(rate*s[R]*(1 - s[R]/(10*k[R])) + push, k[R]) ~ Person ~ |\n"
    "total = SUM(s[R!]) ~ Person ~ |\nfixed = 3 ~~|\n"
)


@pytest.fixture
def model(tmp_path):
    return load_model(write_model(tmp_path, EQUATIONS))


def differences(model, values, name, step, outcome):
    """Sixth-order central differences."""
    moved = [values[name] + k * step for k in (-3, -2, -1, 1, 2, 3)]
    runs = [simulate(model, {**values, name: item})[outcome] for item in moved]
    weights = np.array([-1, 9, -45, 45, -9, 1]) / 60
    return sum(weight * run for weight, run in zip(weights, runs, strict=True)) / step


def test_axes_and_labels(model):
    found = jacobian(model, {"rate": np.array([0.1, 0.2, 0.3])}, parameters=["rate", "k"], outcomes=["s", "total"])
    assert found.parameters == ("rate", "k[A]", "k[B]")
    assert found.parameter_units == ("1/Year", "Dmnl", "Dmnl")
    assert found["s"].shape == (1, 3, 2, 25, 3)
    assert found["Total"].shape == (1, 3, 25, 3)
    assert found.data["total"].shape == (1, 3, 25)
    labelled = found.to_xarray()
    assert labelled["d s"].dims == ("scenario", "draw", "r", "year", "parameter")
    assert labelled["s"].attrs["units"] == "Person"
    assert labelled["parameter"].to_numpy().tolist() == ["rate", "k[A]", "k[B]"]


def test_values_are_those_of_a_simulation(model):
    values = {"rate": np.array([0.1, 0.2])[None, :], "push": np.array([0.0, 1.0, 2.0])[:, None]}
    found = jacobian(model, values, parameters=["rate"], outcomes=["s"])
    np.testing.assert_allclose(found.data["s"], simulate(model, values)["s"], rtol=1e-14)
    assert found["s"].shape == (3, 2, 2, 25, 1)


def test_every_case_agrees_with_differences(model):
    values = {"rate": np.array([0.1, 0.2])[None, :], "push": np.array([0.5, 1.0, 2.0])[:, None]}
    found = jacobian(model, values, parameters=["push", "rate"], outcomes=["total"])
    for number, name in enumerate(found.parameters):
        expected = differences(model, values, name, 2e-2 if name == "push" else 2e-3, "total")
        np.testing.assert_allclose(found["total"][..., number], expected, rtol=1e-9, atol=1e-10)


def test_a_stock_is_moved_at_the_start(model):
    found = jacobian(model, parameters=[("s", "B")], outcomes=["s"])
    assert found.parameters == ("s[B]",)
    assert found["s"][0, 0, :, 0, 0].tolist() == [0, 1]
    assert (found["s"][0, 0, 0] == 0).all()


def test_a_path_over_time_is_moved_as_a_whole(model):
    def path(shift):
        return TimePath(times=np.array([0.0, 2.0]), values=np.array([1.0, 2.0]) + shift)

    found = jacobian(model, {"push": path(0.0)}, parameters=["push"], outcomes=["total"])
    up, down = (simulate(model, {"push": path(shift)})["total"] for shift in (1e-4, -1e-4))
    np.testing.assert_allclose(found["total"][..., 0], (up - down) / 2e-4, rtol=1e-6, atol=1e-8)


def test_what_does_not_depend_on_a_parameter_has_derivative_zero(model):
    found = jacobian(model, parameters=["rate"], outcomes=["fixed", "total"])
    assert found["fixed"].shape == (1, 1, 25, 1)
    assert not found["fixed"].any()


def test_bounds_of_the_run(model):
    found = jacobian(model, parameters=["rate"], outcomes=["total"], start=1, stop=3, step=0.5, save_every=1)
    assert found.years.tolist() == [1, 2, 3]
    assert found["total"].shape == (1, 1, 3, 1)


def test_refusals(model, tmp_path):
    with pytest.raises(UnknownName, match="Did you mean 'rate'"):
        jacobian(model, parameters=["rat"], outcomes=["s"])
    with pytest.raises(UnknownName, match="no element 'C'"):
        jacobian(model, parameters=[("k", "C")], outcomes=["s"])
    with pytest.raises(InvalidInput, match=r"subscripts \(R\); 2 labels"):
        jacobian(model, parameters=[("k", "A", "B")], outcomes=["s"])
    with pytest.raises(InvalidInput, match="list of at least one name"):
        jacobian(model, parameters="rate", outcomes=["s"])
    with pytest.raises(InvalidInput, match="outcomes are a list of names; found 's'"):
        jacobian(model, parameters=["rate"], outcomes="s")
    with pytest.raises(InvalidInput, match="'rate' holds no draw"):
        jacobian(model, {"rate": np.empty((1, 0))}, parameters=["push"], outcomes=["s"])
    with pytest.raises(InvalidInput, match="'rate' is given twice"):
        jacobian(model, {"rate": 1, "RATE": 2}, parameters=["push"], outcomes=["s"])
    with pytest.raises(InvalidInput, match="named twice"):
        jacobian(model, parameters=["k", ("k", "A")], outcomes=["s"])
    with pytest.raises(InvalidInput, match="PySD has no derivatives"):
        jacobian(model, parameters=["rate"], outcomes=["s"], engine="pysd")
    with pytest.raises(UnknownName, match="no derivatives of 'x'"):
        jacobian(model, parameters=["rate"], outcomes=["s"])["x"]
    with pytest.raises(SimulationFailed, match="1 of 2 cases"):
        jacobian(model, {"rate": np.array([0.1, 1e300])}, parameters=["push"], outcomes=["s"])


def test_a_run_whose_length_depends_on_a_parameter_is_refused(tmp_path):
    path = tmp_path / "model.mdl"
    path.write_text(
        "{UTF-8}\nlength = 4 ~~|\ns = INTEG(length, 0) ~~|\nINITIAL TIME = 0 ~~|\nFINAL TIME = length*2 ~~|\n"
        "TIME STEP = 1 ~~|\nSAVEPER = 1 ~~|\n"
    )
    model = load_model(path)
    with pytest.raises(UnsupportedFeature, match="time control 'FINAL TIME'"):
        jacobian(model, parameters=["length"], outcomes=["s"])
    assert jacobian(model, parameters=["length"], outcomes=["s"], stop=3)["s"][0, 0, :, 0].tolist() == [0, 1, 2, 3]


def test_keys_of_the_declarations_are_known():
    model = load_model("regional_digital", regions=2)
    found = jacobian(model, parameters=["tau_m"], outcomes=["Output"], stop=2016)
    assert found.parameters == (model.find("tau_m"),)
    assert np.isfinite(found["Output"]).all()


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_engines_and_methods_agree_with_differences(model, engine, method):
    if engine == "llvm":
        pytest.importorskip("llvmlite")
    values = {"rate": np.array([0.3])}
    found = jacobian(model, values, parameters=["rate"], outcomes=["s"], engine=engine, method=method)
    moved = [simulate(model, {"rate": 0.3 + k * 2e-3}, method=method, engine="numpy")["s"] for k in (-2, -1, 1, 2)]
    expected = (moved[0] - 8 * moved[1] + 8 * moved[2] - moved[3]) / (12 * 2e-3)
    np.testing.assert_allclose(found["s"][..., 0], expected, rtol=1e-8, atol=1e-9)


def test_a_parameter_over_time_with_runge_and_kutta_is_refused(model):
    path = TimePath(times=np.array([0.0, 2.0]), values=np.array([1.0, 2.0]))
    with pytest.raises(UnsupportedFeature, match="changes over time, with method 'rk4'"):
        jacobian(model, {"push": path}, parameters=["push"], outcomes=["s"], method="rk4")


def test_the_function_refuses_what_it_cannot_take(model):
    with pytest.raises(InvalidInput, match="has an equation"):
        prepare(model, ["total"], ["s"])
    with pytest.raises(InvalidInput, match="computes one case"):
        prepare(model, ["rate"], ["s"], values={"push": np.array([1.0, 2.0])})
    path = TimePath(times=np.array([0.0, 2.0]), values=np.array([1.0, 2.0]))
    with pytest.raises(InvalidInput, match="changes over time"):
        prepare(model, ["push"], ["s"], values={"push": path})

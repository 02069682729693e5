"""The method of integration that a file asks for is the one it is run by, everywhere, or it is said."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from pysd_runner import jacobian, load_model, prepare, run_ensemble, simulate
from pysd_runner.core.errors import InvalidInput, UnsupportedFeature
from pysd_runner.engine.ir import Integration
from pysd_runner.engine.passes import integration
from pysd_runner.engine.passes.integration import OtherMethod
from pysd_runner.simulation.task import prepared
from tests.engine.small_models import write_model
from tests.engine.xmile_files import aux, flow, load_xmile, stock, write_xmile

GROWTH = "r = 1 ~~|\ns = INTEG(r*s, 1) ~~|\n"

# What the files say in front of their settings.
SKETCH = "\\\\\\---/// Sketch information\nV300 do not edit\n*View 1\n15:0,0,0,1,0,0\n///---\\\\\\\n"
MARKS = {"mark": ":L<%^E!@\n", "mark with delete": ":L\x7f<%^E!@\n"}


def with_setting(folder, setting, mark=":L\x7f<%^E!@\n"):
    path = write_model(folder, GROWTH, final=2, step=0.5, saveper=0.5)
    text = path.read_text(encoding="utf-8") + SKETCH + mark + f"1:run.vdf\n{setting}\n19:1,2\n"
    path.write_text(text, encoding="utf-8")
    return load_model(path)


def one_step(method, z):
    return 1 + z if method == "euler" else 1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24


def assert_integrated(run, method, rate=1.0):
    np.testing.assert_allclose(run["s"][0, 0], one_step(method, 0.5 * rate) ** np.arange(5), rtol=1e-14)
    assert run.provenance["method"] == method


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize(
    ("setting", "method"), [("15:0,0,0,0,0,0", "euler"), ("15:0,0,0,5,0,0", "rk4"), ("9:x", "euler")]
)
def test_the_setting_of_vensim_decides(setting, method, mark, tmp_path):
    model = with_setting(tmp_path, setting, MARKS[mark])
    for engine in ("numpy", "llvm"):
        assert_integrated(simulate(model, engine=engine), method)
    assert_integrated(simulate(load_model(model.path)), method)  # from the cache


def test_a_file_without_settings_is_run_by_euler(tmp_path):
    assert_integrated(simulate(load_model(write_model(tmp_path, GROWTH, final=2, step=0.5, saveper=0.5))), "euler")


@pytest.mark.parametrize(("code", "name"), [(1, "automatic steps"), (3, "second order"), (4, "second order")])
def test_methods_of_vensim_that_rk4_stands_in_for_are_told(code, name, tmp_path):
    model = with_setting(tmp_path, f"15:0,0,0,{code},0,0")
    with pytest.warns(OtherMethod, match=f"{name}.*; it is integrated by method 'rk4' with the file's step") as caught:
        run = simulate(model)
    assert_integrated(run, "rk4")
    assert caught[0].filename == __file__


def test_difference_equations_are_run_by_euler_and_told(tmp_path):
    model = with_setting(tmp_path, "15:0,0,0,2,0,0")
    with pytest.warns(OtherMethod, match="save auxiliaries one interval later"):
        assert_integrated(simulate(model), "euler")


def test_an_unknown_setting_is_refused_until_the_caller_chooses(tmp_path):
    model = with_setting(tmp_path, "15:0,0,0,9,0,0")
    with pytest.raises(UnsupportedFeature, match=r"model.mdl asks for integration setting '9'.*pass method='rk4' or"):
        simulate(model)
    assert_integrated(simulate(model, method="rk4"), "rk4")


@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_the_caller_wins_over_the_file_without_a_warning(method, tmp_path):
    for setting in (0, 1, 5, 9):
        assert_integrated(simulate(with_setting(tmp_path, f"15:0,0,0,{setting},0,0"), method=method), method)


SPECS = stock("s", 1, inflows=["f"]) + flow("f", "r*s") + aux("r", 1)


@pytest.mark.parametrize(
    ("asked", "method"),
    [("", "euler"), ("Euler", "euler"), ("RK4", "rk4"), ("rk4, gear", "rk4"), (" euler , rk4", "euler")],
)
def test_the_method_of_an_xmile_file_decides(asked, method, tmp_path):
    assert_integrated(simulate(load_xmile(tmp_path, SPECS, method=asked, stop=2, step=0.5)), method)


@pytest.mark.parametrize("asked", ["rk2", "RK45", "gear, rk4", "rk4_auto"])
def test_methods_of_xmile_that_rk4_stands_in_for_are_told(asked, tmp_path):
    model = load_xmile(tmp_path, SPECS, method=asked, stop=2, step=0.5)
    with pytest.warns(OtherMethod, match=f"asks for method '{asked}'"):
        assert_integrated(simulate(model), "rk4")


def test_a_method_of_xmile_that_nothing_stands_in_for_is_refused(tmp_path):
    model = load_xmile(tmp_path, SPECS, method="gear", stop=2, step=0.5)
    with pytest.raises(UnsupportedFeature, match="asks for method 'gear', which this engine does not know"):
        simulate(model)


def test_ensembles_and_derivatives_take_the_method_of_the_file(tmp_path):
    model = with_setting(tmp_path, "15:0,0,0,5,0,0")
    ensemble = run_ensemble(model, {"r": np.array([1.0, 0.5])}, outcomes=["s"])
    assert ensemble.provenance["method"] == "rk4"
    for draw, rate in enumerate((1.0, 0.5)):
        np.testing.assert_allclose(ensemble["s"][0, draw, -1], one_step("rk4", 0.5 * rate) ** 4, rtol=1e-14)
    z = 0.5
    slope = 4 * one_step("rk4", z) ** 3 * (1 + z + z**2 / 2 + z**3 / 6) * 0.5
    found = jacobian(model, parameters=["r"], outcomes=["s"])
    assert found["s"][0, 0, -1, 0] == pytest.approx(slope, rel=1e-13)
    function = prepare(model, ["r"], ["s"])
    assert function.jacobian(function.start)[0, -1, 0] == pytest.approx(slope, rel=1e-13)


def test_a_task_without_a_method_has_that_of_the_model_as_fits_do():
    model = load_model("regional_digital", regions=2)
    other = replace(model, lowered=replace(model.ir, integration=Integration("rk4")))
    assert prepared(model, None).method == "euler"
    assert prepared(other, None).method == "rk4"


def test_pysd_is_not_passed_off_as_what_the_file_asks_for(tmp_path):
    model = with_setting(tmp_path, "15:0,0,0,5,0,0")
    with pytest.raises(InvalidInput, match=r"PySD knows 'euler' only; found method 'rk4', which model.mdl asks for"):
        simulate(model, engine="pysd")
    assert_integrated(simulate(model, engine="pysd", method="euler"), "euler")


def test_the_doctor_says_what_is_done_otherwise_and_what_is_not(tmp_path, capsys):
    from pysd_runner.cli import main

    model = with_setting(tmp_path, "15:0,0,0,1,0,0")
    with warnings.catch_warnings():
        assert main(["doctor", str(model.path)]) == 0
        shown = capsys.readouterr()
    assert "warning model.mdl: the file asks for Runge and Kutta's method with automatic steps" in shown.out
    assert shown.err.count("asks for") == 0
    assert main(["doctor", str(write_xmile(tmp_path, SPECS, method="cycletime"))]) == 2
    assert "asks for method 'cycletime', which this engine does not know" in capsys.readouterr().out


def test_every_known_method_of_the_settings_is_one_that_runs():
    from pysd_runner.engine.frontend.vensim.text import METHODS

    assert {item.method for item in METHODS.values()} <= set(integration.METHODS)


@pytest.mark.parametrize("ending", ["mdl", "xmile"])
def test_simlin_gives_the_same(ending, tmp_path):
    simlin = pytest.importorskip("simlin")
    if ending == "mdl":
        model = with_setting(tmp_path, "15:0,0,0,5,0,0")
    else:
        variables = stock("s", 1, inflows=["f"]) + stock("q", 2, outflows=["g"])
        variables += flow("f", "r*s*q*TIME") + flow("g", "q*s/9") + aux("r", 0.3)
        model = load_xmile(tmp_path, variables, method="RK4", stop=2, step=0.5)
    theirs = simlin.load(str(model.path)).run().results
    np.testing.assert_allclose(simulate(model)["s"][0, 0], theirs["s"], rtol=1e-12)

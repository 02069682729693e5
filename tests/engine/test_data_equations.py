"""Data equations have points where their data have, and a mode of their own; answers by hand."""

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidInput, InvalidModel, ProbableSlip, UnsupportedFeature
from pysd_runner.engine.values import TimePath
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import write_model

ENGINES = ["numpy", "llvm"]

# Points of a at 0, 2 and 4, of b at 0, 2 and 3.
NUMBERS = "time,a,b\n0,2,4\n2,6,2\n3,,8\n4,8,\n"
DATA = (
    "R: u, v ~~|\na :RAW: := GET DIRECT DATA('d.csv', ',', 'A', 'B2') ~~|\n"
    "b := GET DIRECT DATA('d.csv', ',', 'A', 'C2') ~~|\nc[R] := GET DIRECT DATA('d.csv', ',', 'A', 'B2') ~~|\n"
    "switch = 1 ~~|\n"
)
N = np.nan
BY_HAND = {
    # Between its points at 0 and 2 it is interpolated: not a / b there, which is 4 / 3.
    "ratio := a / b": [0.5, 1.75, 3, 3, 3],
    "held :HOLD BACKWARD: := (1 - switch) * a + switch * b": [4, 4, 2, 2, 2],
    "raw :RAW: := a - b": [-2, N, 4, N, N],
    "forward :LOOK FORWARD: := MAX(a, b) + MIN(a, 7)": [6, 12, 12, 15, 15],
    "both := X IF MISSING(SUM(c[R!]), 0)": [6, 7, 8, 8, 8],
    "known[R] := IF THEN ELSE(c[R] = :NA:, 0, 2 * c[R])": [[4, 8, 12, 14, 16], [8, 6, 4, 16, 16]],
    "chosen :RAW: := IF THEN ELSE(a = :NA:, -b, IF THEN ELSE(b < 3, a, 10))": [10, N, 6, -8, 8],
    "chain :RAW: := 10 * ratio": [5, N, 30, N, N],
    "points = GET DATA TOTAL POINTS(ratio, 0, 9)": [2] * 5,
    "last[R] = GET DATA LAST TIME(known[R])": [[4] * 5, [3] * 5],
    "mixed[u] :HOLD BACKWARD: := 2 * a": [[4, 4, 12, 12, 16], [0, 1, 2, 3, 4]],
}


def load(folder, equations):
    (folder / "d.csv").write_text(NUMBERS, encoding="utf-8")
    return load_model(write_model(folder, DATA + equations, final=4, step=1, saveper=1))


@pytest.mark.parametrize("engine", ENGINES)
def test_data_equations_by_hand(engine, tmp_path):
    model = load(tmp_path, "".join(f"{text} ~~|\n" for text in (*BY_HAND, "mixed[v] = Time")))
    run = simulate(model, engine=engine, throw=False)
    for text, expected in BY_HAND.items():
        np.testing.assert_array_equal(run[text.split()[0].split("[")[0]][0, 0], expected, err_msg=text)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_part_of_a_variable_that_is_no_data_has_no_points(engine, tmp_path):
    equations = "mixed[u] :HOLD BACKWARD: := 2 * a ~~|\nmixed[v] = Time ~~|\nmost[R] = GET DATA MAX(mixed[R], 0, 9) ~~|"
    with pytest.warns(ProbableSlip, match="GET DATA MAX of 'mixed' is missing: it is no data"):
        run = simulate(load(tmp_path, equations), outcomes=["most"], engine=engine)
    np.testing.assert_array_equal(run["most"][0, 0, :, 0], [16, N])


def test_a_constant_in_a_data_equation_is_fixed_when_a_model_is_loaded(tmp_path):
    model = load(tmp_path, "x := switch * a ~~|\ny = x ~~|")
    assert simulate(model, {"switch": 1})["y"][0, 0, 0] == 2
    with pytest.raises(InvalidInput, match="the data equation of 'x' is computed when a model is loaded"):
        simulate(model, {"switch": 0})
    (tmp_path / "other.cin").write_text("switch = 3\n", encoding="utf-8")
    assert simulate(load_model(model.path, changes=[tmp_path / "other.cin"]))["y"][0, 0].tolist() == [6, 12, 18, 21, 24]


@pytest.mark.parametrize("equation", ["x := a * b", "x = GET DATA MAX(a, 0, 9)"])
def test_a_run_takes_no_other_values_of_data_whose_points_are_read(equation, tmp_path):
    model = load(tmp_path, f"{equation} ~~|")
    path = TimePath(times=np.arange(5.0), values=np.arange(5.0))
    assert simulate(model, {"b": path} if "b" not in equation else {}, outcomes=["x"])["x"].shape == (1, 1, 5)
    with pytest.raises(
        InvalidInput, match="'a' is data of which a function of data or a data equation reads the points"
    ):
        simulate(model, {"a": path})


@pytest.mark.parametrize(
    ("equations", "message"),
    [
        (
            "free ~~|\nx := free * a ~~|",
            "data equation of 'x', of 'free', which neither GET XLS DATA nor a data set has",
        ),
        ("s = INTEG(1, 0) ~~|\nx := s * a ~~|", "s in its data equation changes while the model runs"),
        ("y := x + a ~~|\nx := y + a ~~|", "depends on itself"),
        ("x := SMOOTH(a, 2) ~~|", "a function that keeps a state, in a data equation"),
    ],
)
def test_what_is_no_data_equation_is_refused(equations, message, tmp_path):
    with pytest.raises((InvalidModel, UnsupportedFeature), match=message):
        simulate(load(tmp_path, equations), outcomes=["x"])

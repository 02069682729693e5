"""Series of data read at other times than the one at hand, against Vensim's documentation and by hand."""

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidModel, ProbableSlip, UnsupportedFeature
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import write_model

ENGINES = ["numpy", "llvm"]

# Of the series of SDEverywhere's model `getdata`: its run by Vensim interpolates them as the test below says.
NUMBERS = "time,a,b,c\n0,0,10,\n1,10,20,5\n2,20,30,\n9,70,80,3\n10,80,90,\n"
DATA = (
    "R: u, v ~~|\nd := GET DIRECT DATA('d.csv', ',', 'A', 'B2') ~~|\n"
    "e[R] := GET DIRECT DATA('d.csv', ',', 'A', 'B2') ~~|\n"
    "few :RAW: := GET DIRECT DATA('d.csv', ',', 'A', 'D2') ~~|\n"
    "free ~~|\n"
)


def load(folder, equations):
    (folder / "d.csv").write_text(NUMBERS, encoding="utf-8")
    return load_model(write_model(folder, DATA + equations, final=10, step=1, saveper=1))


@pytest.mark.parametrize("engine", ENGINES)
def test_data_at_other_times(engine, tmp_path):
    equations = "soon = GET DATA BETWEEN TIMES(d, MIN(FINAL TIME, Time + 1), 0) ~~|\n"
    equations += "past = GET DATA BETWEEN TIMES(d, MAX(INITIAL TIME, Time - 1), 0) ~~|\n"
    equations += "both[R] = GET DATA BETWEEN TIMES(e[R], Time, 0) ~~|\nbeyond = GET DATA BETWEEN TIMES(d, 11, 0) ~~|\n"
    equations += "at = GET DATA AT TIME(few, 9) ~~|\nnone = GET DATA AT TIME(few, 2) ~~|\n"
    equations += "shifted := TIME SHIFT(d, 1) ~~|\nheld :HOLD BACKWARD: := TIME SHIFT(d, -1) ~~|"
    run = simulate(
        load(tmp_path, equations),
        engine=engine,
        outcomes=["soon", "past", "both", "beyond", "at", "none", "shifted", "held"],
    )
    line = np.interp(np.arange(11), [0, 1, 2, 9, 10], [0, 10, 20, 70, 80])
    soon = [10, 20, 27.1429, 34.2857, 41.4286, 48.5714, 55.7143, 62.8571, 70, 80, 80]
    np.testing.assert_allclose(run["soon"][0, 0], soon, atol=1e-4)
    np.testing.assert_allclose(run["past"][0, 0], line[[0, *range(10)]])
    np.testing.assert_allclose(run["both"][0, 0], [line, line + 10])
    np.testing.assert_allclose(run["shifted"][0, 0], run["soon"][0, 0])
    assert run["held"][0, 0].tolist() == [0, 0, 10, *[20] * 7, 70]
    assert np.isnan(run["beyond"]).all()
    assert (run["at"] == 3).all()
    assert np.isnan(run["none"]).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_numbers_about_data(engine, tmp_path):
    equations = "first = GET DATA FIRST TIME(few) ~~|\nlast[R] = GET DATA LAST TIME(e[R]) ~~|\n"
    equations += "most[R] = GET DATA MAX(e[R], INITIAL TIME, Time) ~~|\nleast = GET DATA MIN(d, 1, 9) ~~|\n"
    equations += "mean = INITIAL(GET DATA MEAN(few, 0, 10)) ~~|\ncount = GET DATA TOTAL POINTS(few, 2, 10) ~~|\n"
    equations += "empty = GET DATA MEAN(d, 3, 8) ~~|"
    names = ["first", "last", "most", "least", "mean", "count", "empty"]
    run = simulate(load(tmp_path, equations), engine=engine, outcomes=names)
    assert [run[name][0, 0, 0] for name in ("first", "least", "mean", "count")] == [1, 10, 4, 1]
    assert run["last"][0, 0, :, 0].tolist() == [10, 10]
    assert run["most"][0, 0, 1].tolist() == [10, 20, *[30] * 7, 80, 90]
    assert np.isnan(run["empty"]).all()


# Four points at 1, 2, 3 and 5, the last without a value, and what is asked of them; by hand.
POINTS = "time,a,none\n1,4,\n2,6,\n3,2,\n5,,\n"
ASKED = {
    "GET DATA MEAN(w, 1, 2)": 5,
    "GET DATA MEAN(w, 1.5, 2.9)": 6,
    "GET DATA MAX(w, 2, 3)": 6,
    "GET DATA MIN(w, 2, 9)": 2,
    "GET DATA TOTAL POINTS(w, 1, 3)": 3,
    "GET DATA TOTAL POINTS(w, 2.5, 2.9)": 0,
    "GET DATA MEAN(w, 2.5, 2.9)": np.nan,
    "GET DATA LAST TIME(w)": 3,
    "GET DATA AT TIME(w, 2.5)": np.nan,
    "GET DATA TOTAL POINTS(empty[b], 0, 9)": 0,
    "GET DATA FIRST TIME(empty[b])": np.nan,
    "GET DATA MAX(empty[b], 0, 9)": np.nan,
}


@pytest.mark.parametrize("engine", ENGINES)
def test_functions_of_data_see_the_points_and_both_ends_count(engine, tmp_path):
    (tmp_path / "w.csv").write_text(POINTS, encoding="utf-8")
    equations = "S: a, b ~~|\nw :HOLD BACKWARD: := GET DIRECT DATA('w.csv', ',', 'A', 'B2') ~~|\n"
    equations += "empty[S] := GET DIRECT DATA('w.csv', ',', 'A', 'B2') ~~|\n"
    equations += "".join(f"x{place} = {text} ~~|\n" for place, text in enumerate(ASKED))
    run = simulate(load_model(write_model(tmp_path, equations, final=1)), engine=engine, throw=False)
    for place, (text, expected) in enumerate(ASKED.items()):
        np.testing.assert_array_equal(run[f"x{place}"][0, 0], expected, err_msg=text)


# Values at times 0 to 6 of the points (1, 4), (2, 6), (3, 2), (5, 8) in each mode; by hand.
MODES = {
    "INTERPOLATE": [4, 4, 6, 2, 5, 8, 8],
    "HOLD BACKWARD": [4, 4, 6, 2, 2, 8, 8],
    "LOOK FORWARD": [4, 4, 6, 2, 8, 8, 8],
    "RAW": [np.nan, 4, 6, 2, np.nan, 8, np.nan],
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("mode", MODES)
def test_outside_its_points_a_series_has_its_first_or_last_value_and_raw_data_none(engine, mode, tmp_path):
    (tmp_path / "w.csv").write_text(POINTS.replace("5,,", "5,8,"), encoding="utf-8")
    equations = f"w :{mode}: := GET DIRECT DATA('w.csv', ',', 'A', 'B2') ~~|"
    run = simulate(load_model(write_model(tmp_path, equations, final=6, step=1, saveper=1)), engine=engine)
    np.testing.assert_array_equal(run["w"][0, 0], MODES[mode])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_function_of_data_of_a_variable_that_is_no_data_is_missing_and_told(engine, tmp_path):
    equations = "p = 2 ~~|\ntop = GET DATA MAX(p, 0, 9) ~~|\nlast = GET DATA LAST TIME(p) ~~|\n"
    model = load(tmp_path, f"{equations}count = GET DATA TOTAL POINTS(p, 0, 9) ~~|")
    with pytest.warns(ProbableSlip, match="of 'p' is missing: it is no data, as := makes"):
        run = simulate(model, outcomes=["top", "last", "count"], engine=engine)
    assert [run[name][0, 0, 0] for name in ("top", "last", "count")] == pytest.approx([np.nan, np.nan, 0], nan_ok=True)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("GET DATA AT TIME(free, 1)", UnsupportedFeature, "GET DATA AT TIME of 'free', which neither GET XLS DATA"),
        ("GET DATA BETWEEN TIMES(d, 1, -1)", UnsupportedFeature, "GET DATA BETWEEN TIMES in another mode than 0"),
        ("GET DATA STDV(d, 0, 9)", UnsupportedFeature, "function GET DATA STDV in variable 'x' is not covered"),
        ("GET DATA AT TIME(3, 1)", InvalidModel, "GET DATA AT TIME takes a data variable and a number"),
        ("GET DATA MAX(d)", InvalidModel, "GET DATA MAX takes a data variable and two numbers"),
    ],
)
def test_what_is_no_series_is_refused(text, error, message, tmp_path):
    with pytest.raises(error, match=message):
        simulate(load(tmp_path, f"x = {text} ~~|"), outcomes=["x"])

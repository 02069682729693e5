"""Loops that matter: against plain arithmetic, against simlin, and what is merged, named and left out."""

import numpy as np
import pytest
from matplotlib.dates import date2num

from pysd_runner import load_data, load_model, loops
from pysd_runner.core.errors import InvalidInput, InvalidModel, UnknownName
from pysd_runner.study.inputs import inputs_of
from pysd_runner.text import LANGUAGES
from tests.engine.small_models import write_model

MODELS = {
    "logistic": "P = INTEG(births - deaths, 10); births = 0.1 * P; deaths = births * P / 1000",
    "Bass": (
        "Potential = INTEG(-adoption, 990); Adopters = INTEG(adoption, 10); adoption = innovation + imitation;"
        "innovation = 0.01 * Potential; imitation = 0.4 * Potential * Adopters / 1000"
    ),
    "Lotka-Volterra": (
        "Prey = INTEG(prey births - prey deaths, 40); Predators = INTEG(predator births - predator deaths, 9);"
        "prey births = 0.6 * Prey; prey deaths = 0.03 * Prey * Predators;"
        "predator births = 0.02 * Prey * Predators; predator deaths = 0.8 * Predators"
    ),
    "workforce": (
        "Backlog = INTEG(orders - completion, 200); Workers = INTEG(hiring - quitting, 20);"
        "orders = 100 + STEP(30, 5); completion = Workers * productivity; productivity = 5 * effect;"
        "effect = WITH LOOKUP(pressure, ([(0,0)-(4,2)],(0,0.4),(1,1),(2,1.5),(4,1.8))); pressure = Backlog / 200;"
        "wanted = Backlog / 10; hiring = MAX(0, (wanted - Workers) / 4 + quitting); quitting = Workers / 20"
    ),
    "arms race": (
        "A = INTEG(A build, 10); B = INTEG(B build, 12); A build = (wanted A - A) / 4; B build = (wanted B - B) / 5;"
        "wanted A = 0.9 * B + 4; wanted B = 0.8 * A + 6"
    ),
    "SIR": (
        "S = INTEG(births - infection, 999); I = INTEG(infection - recovery, 1); R = INTEG(recovery, 0);"
        "infection = contacts * I * S / total; total = S + I + R; births = 0.01 * total;"
        "contacts = 0.8 - 0.3 * I / 1000; recovery = I / 5"
    ),
    "delays": (
        "S = INTEG(inflow - outflow, 10); inflow = 0.2 * perceived; perceived = SMOOTH(S, 3);"
        "outflow = 0.5 * DELAY3(inflow, 2) + 0.001 * S * S"
    ),
}


def model_of(folder, equations, **more):
    path = write_model(folder, "".join(f"{item} ~~|\n" for item in equations.split(";")), **{"final": 20, **more})
    return load_model(path)


def scores(found):
    """Relative scores by the set of variables."""
    by_loop = dict(zip(found.paths.values(), found.relative.to_numpy(), strict=True))
    return {frozenset(item.lower().replace(" ", "_") for item in path): by_loop[path,] for (path,) in by_loop}


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_those_of_simlin(name, tmp_path):
    simlin = pytest.importorskip("simlin")
    ours = scores(loops(model_of(tmp_path, MODELS[name])))
    theirs = simlin.load(tmp_path / "model.mdl").run(analyze_loops=True).loops
    assert len(ours) == len(theirs)
    for loop in theirs:
        own = ours[frozenset(item for item in loop.variables if not item.startswith("$"))]
        # simlin has a first row for the start, and its first scores are those of two changes.
        assert np.nan_to_num(own[2:]) == pytest.approx(loop.behavior_time_series[3:], abs=1e-9)


def test_scores_are_those_of_plain_arithmetic(tmp_path):
    crossed = "x = INTEG(a - b, 2); y = INTEG(b - c, 1); a = 0.3 * x - 0.02 * y; b = 0.1 * x * y; c = 0.2 * y"
    found = scores(loops(model_of(tmp_path, crossed, final=8)))
    x, y, rows = 2.0, 1.0, []
    for _ in range(33):
        a, b, c = 0.3 * x - 0.02 * y, 0.1 * x * y, 0.2 * y
        rows.append((x, y, a, b, c))
        x, y = x + 0.25 * (a - b), y + 0.25 * (b - c)
    rows = np.array(rows)
    for step, (dx, dy, da, db, dc) in enumerate(np.diff(rows, axis=0)):
        b_by_x, b_by_y = abs(0.1 * dx * rows[step, 1] / db), abs(0.1 * rows[step, 0] * dy / db)
        a_by_x, a_by_y = abs(0.3 * dx / da), abs(0.02 * dy / da)
        x_by, y_by = abs(np.array([da, db]) / (da - db)), abs(np.array([db, dc]) / (db - dc))
        known = {"ax": a_by_x * x_by[0], "bx": -b_by_x * x_by[1], "by": b_by_y * y_by[0], "cy": -y_by[1]}
        known["abxy"] = -a_by_y * x_by[0] * b_by_x * y_by[0]
        total = sum(map(abs, known.values()))
        for name, value in known.items():
            assert found[frozenset(name)][step] == pytest.approx(value / total, abs=1e-12)


def test_a_table_and_a_sentence_say_what_is_held_and_left_out(tmp_path):
    noisy = "S = INTEG(i - o, 9); i = 0.2 * S; o = 0.01 * S * S + RANDOM UNIFORM(0, 1, 3); f = DELAY FIXED(S, 1, 0)"
    found = loops(model_of(tmp_path, noisy))
    assert found.left_out == {"o": ("random",), "f": ("pipe",)}
    assert float(np.abs(found.relative).sum("loop").min()) == pytest.approx(1)
    assert list(found.table(2).columns) == ["share", "0.25-10", "10.25-20", "path"]
    for lang in LANGUAGES:
        assert "100" in found.sentence(lang)
        assert "o (" in found.sentence(lang)
        assert found.plot(lang=lang).sentence == found.sentence(lang)
    assert loops(model_of(tmp_path, "S = INTEG(1, 0)")).sentence().startswith("Nothing")


CHAIN = (
    "S = INTEG(g - d, 10); d = 0.1 * S; a = 0.2 * S; b = a; c = b; e = 1.1 * c; f = e; h = 0.5 * e;"
    "k = f + h; l = k; m = l; g = 0.1 * m"
)


def test_labels_of_loops_that_begin_and_end_alike_show_what_differs(tmp_path):
    found = loops(model_of(tmp_path, CHAIN, final=4))
    told = [found.label(name).removeprefix(name) for name in found.paths]
    assert sorted(told) == [" (S > a > b > … > f > … > g)", " (S > a > b > … > h > … > g)", " (S > d)"]


def test_the_axis_of_a_picture_shows_the_dates_of_the_calendar(tmp_path):
    path = model_of(tmp_path, MODELS["logistic"], final=20).path
    path.write_text(path.read_text(encoding="utf-8").replace("~ Year ~", "~ Day ~"), encoding="utf-8")
    seen = {"date": [f"2020-03-{day:02d}" for day in range(1, 22)], "P": range(10, 31)}
    drawn = loops(inputs_of(load_model(path), load_data(seen), draws=1)).plot()
    ends = [np.datetime64("2020-03-01T06:00"), np.datetime64("2020-03-21")]
    assert [drawn.data["time"].min(), drawn.data["time"].max()] == ends
    drawn.figure.canvas.draw()
    (axes,) = drawn.figure.axes
    assert list(axes.get_xlim()) == [float(date2num(end)) for end in ends]
    assert axes.xaxis.get_offset_text().get_text().startswith("2020-Mar")


def test_rounding_is_no_change(tmp_path):
    found = loops(model_of(tmp_path, MODELS["SIR"].replace("0.01 * total", "0")))
    assert not any("total" in path for ways in found.paths.values() for path in ways)


def test_elements_can_be_kept_apart(tmp_path):
    rates = "b[Age] = 0.1 * N[Age] + 0.01 * SUM(N[Age!]); d[Age] = 0.001 * N[Age] ^ 2"
    model = model_of(tmp_path, f"Age: young, old; N[Age] = INTEG(b[Age] - d[Age], 9); {rates}")
    assert len(loops(model).paths) == 5
    one = loops(model, focus={"age": "Old"})
    assert {*one.paths.values()} == {(("N", "b"),), (("N", "d"),)}
    through = loops(model, of="N[old]", find="strongest")
    assert all("N[old]" in path for ways in through.paths.values() for path in ways)
    assert through.longest is None
    for wrong in ({"focus": {"Sex": "x"}}, {"focus": {"Age": 5}}, {"find": "few"}, {"of": "M"}):
        with pytest.raises(UnknownName):
            loops(model, **wrong)
    with pytest.raises(InvalidInput, match="one run"):
        loops(model, {"N": np.ones((1, 3, 2))})


def test_declared_loops_go_by_their_names(tmp_path):
    toml = tmp_path / "model.toml"
    toml.write_text('schema = 2\n[loops.Growth]\npath = ["births", "p"]\nen = "more by more"', encoding="utf-8")
    found = loops(model_of(tmp_path, MODELS["logistic"]), find="named")
    assert list(found.paths) == ["Growth"]
    assert found.sentence().startswith("Of the loops listed, Growth (more by more)")
    assert found.held < 1
    toml.write_text('schema = 2\n[loops.r1]\npath = ["births", "p"]', encoding="utf-8")
    assert {*loops(load_model(tmp_path / "model.mdl")).paths} == {"r1", "b1", "b2"}
    toml.write_text("schema = 2\n[loops.r1]\npath = []", encoding="utf-8")
    with pytest.raises(InvalidModel, match="path is empty"):
        load_model(tmp_path / "model.mdl")
    toml.write_text('schema = 2\n[loops.Growth]\npath = ["births", "deaths"]', encoding="utf-8")
    with pytest.raises(InvalidModel, match=r"loops\[\"Growth\"\].path: 'births' does not depend on 'deaths'"):
        load_model(tmp_path / "model.mdl")


def test_what_does_not_change_or_is_not_finite_is_said(tmp_path):
    late = loops(model_of(tmp_path, "S = INTEG(IF THEN ELSE(Time >= 10, S * x, 0), 1); x = 0.1 / (20 - Time); y = S"))
    assert (late.left_out, late.held, late.table()["share"].item()) == ({"x": ("not_finite",)}, 1, 1)
    assert "x (not finite" in late.caveat()
    apart = model_of(tmp_path, "X = INTEG(Y - X, 1); Y = INTEG(X / 3 - Y / 7, 1); Z = INTEG(Z / 9, 1); k = 1")
    assert "R2" not in loops(apart).sentence().partition("period")[2]
    assert loops(apart, find="named").sentence().startswith("No loop that has a score is named")
    assert loops(apart, of="k").sentence() == "k lies on no feedback loop that has a score in this run."

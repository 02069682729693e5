"""Equations for parts of arrays, mappings of ranges, and what a subscript stands for: by hand and against PySD."""

import itertools
import re

import numpy as np
import pytest

from pysd_runner.checks import check_running
from pysd_runner.core.errors import InvalidModel, SimulationFailed, UnsupportedFeature
from pysd_runner.engine.frontend.lowering.subscripts import remaining
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.parity import assert_same
from tests.engine.small_models import write_model

RANGES = "R: A, B, C, D ~~|\nEnds: A, D ~~|\nL: u, v ~~|\nk[R] = 1, 2, 3, 4 ~~|\nm[R,L] = 1, 2; 3, 4; 5, 6; 7, 8; ~~|\n"

EXCEPT = {
    "one element": "x[R] :EXCEPT: [B] = k[R]*10 ~~|\nx[B] = 5 + Time ~~|",
    "a part of a range": "x[R] :EXCEPT: [Ends] = k[R]*10 ~~|\nx[Ends] = -k[Ends] ~~|",
    "one cell": "x[R,L] :EXCEPT: [B,v] = m[R,L]*Time ~~|\nx[B,v] = k[C] ~~|",
    "several groups": (
        "x[R,L] :EXCEPT: [Ends,u], [B,L] = m[R,L] + k[R] ~~|\nx[Ends,u] = m[Ends,v] ~~|\nx[B,L] = m[B,L]*100 ~~|"
    ),
    "a stock": (
        "x[R] :EXCEPT: [C] = INTEG(k[R] - x[R]/2, k[R]) ~~|\nx[C] = INTEG(extra, 7) ~~|\nextra = SUM(x[Ends!]) ~~|"
    ),
    "a smooth and sums": (
        "x[R] :EXCEPT: [C] = SMOOTH(k[R]*Time, 2) + SUM(m[R,L!]) ~~|\nx[C] = SUM(k[R!]) + VMAX(m[R!,u]) ~~|"
    ),
    "a function of a whole array": (
        "x[R] :EXCEPT: [B] = VECTOR SORT ORDER(y[R], -1)*10 ~~|\nx[B] = 9 ~~|\ny[R] = (k[R] - 2.2)^2 ~~|"
    ),
    "a number and an array": "x[R,L] :EXCEPT: [A,L] = 3 ~~|\nx[A,L] = m[D,L] ~~|",
    "another order on the right": "x[L,R] :EXCEPT: [u,Ends] = m[R,L] ~~|\nx[u,Ends] = k[Ends] ~~|",
}

MAPPED = {
    "one by one": "S: s1, s2 -> T ~~|\nT: t1, t2 ~~|\np[S] = 5, 10 ~~|\nx[T] = p[S]*2 ~~|",
    "both ways": (
        "S: s1, s2, s3 -> T ~~|\nT: t1, t2, t3 -> S ~~|\np[S] = 1, 2, 3 ~~|\nx[R,T] = k[R]*p[S] ~~|\n"
        "y[R,S] = x[R,T] + p[S] ~~|"
    ),
    "shifted": (
        "later: B, C, D ~~|\nbefore: A, B, C -> later ~~|\nx[A] = INTEG(3 - k[A]*x[A]/10, 1) ~~|\n"
        "x[later] = INTEG(k[before]*x[before]/10 - k[later]*x[later]/10, k[later]) ~~|"
    ),
    "to several": (
        "S: s1, s2 -> T, L ~~|\nT: t1, t2 ~~|\np[S] = 5, 10 ~~|\nx[T] = p[S] ~~|\ny[R,L] = p[S] + m[R,L] ~~|"
    ),
    "the second because the first is taken": (
        "S: s1, s2 -> L, T ~~|\nT: t1, t2 ~~|\nq[L,S] = 1, 2; 3, 4; ~~|\nx[L,T] = q[L,S]*10 ~~|"
    ),
    "a copy": "P <-> R ~~|\np[P] = 4, 3, 2, 1 ~~|\nx[R] = k[R]*p[R] ~~|\ny[R,P] = k[R] + p[P]*10 ~~|",
}


MACRO = ":MACRO: FILLED(input, by)\nFILLED = INTEG(input*by + extra, input) ~~|\nextra = 1 ~~|\n:END OF MACRO:\n"
EXCEPT["a macro"] = f"{MACRO}x[R,L] :EXCEPT: [B,L] = FILLED(m[R,L], k[R]) + R ~~|\nx[B,L] = 0 ~~|"


@pytest.mark.parametrize("equations", [*EXCEPT.values(), *MAPPED.values()], ids=[*EXCEPT, *MAPPED])
def test_parts_and_mappings_agree_with_pysd(equations, tmp_path):
    model = load_model(write_model(tmp_path, RANGES + equations, final=2))
    expected = simulate(model, engine="pysd")
    for engine in ("numpy", "llvm"):
        assert_same(simulate(model, engine=engine), expected)


def final(folder, equations, name):
    model = load_model(write_model(folder, RANGES + equations, final=2))
    runs = [simulate(model, outcomes=[name], engine=engine) for engine in ("numpy", "llvm")]
    found = [run[name][0, 0, ..., -1].tolist() for run in runs]
    assert found[0] == found[1]
    return found[0]


def test_exceptions_by_hand(tmp_path):
    assert final(tmp_path, EXCEPT["one element"], "x") == [10, 7, 30, 40]
    assert final(tmp_path, EXCEPT["several groups"], "x") == [[2, 3], [300, 400], [8, 9], [8, 12]]


def test_the_later_of_two_equations_holds_as_in_pysd(tmp_path):
    # PySD cannot run an equation for the whole of a variable beside others.
    equations = "x[R,u] = 1 ~~|\nx[R,v] = 1 ~~|\nx[Ends,L] = 2 ~~|\nx[A,u] = 3 ~~|\nx[R,v] :EXCEPT: [C,v] = k[R]*10 ~~|"
    model = load_model(write_model(tmp_path, RANGES + equations, final=1))
    run = simulate(model, outcomes=["x"])
    assert run["x"][0, 0, ..., -1].tolist() == [[3, 10], [1, 20], [1, 1], [2, 40]]
    assert_same(run, simulate(model, outcomes=["x"], engine="pysd"))


def test_what_no_equation_defines_is_no_number_and_no_failure(tmp_path):
    model = load_model(write_model(tmp_path, RANGES + "x[R] :EXCEPT: [B] = k[R] ~~|", final=1))
    np.testing.assert_array_equal(simulate(model)["x"][0, 0, :, -1], [1, np.nan, 3, 4])


PARTIAL = (
    "Q: B, C, D ~~|\nx[A] = 1 ~~|\nx[B] = 2 ~~|\nx[C] = 3 ~~|\nplace = 2 ~~|\n"
    "table[A]( (0,0), (1,1) ) ~~|\ntable[C]( (0,0), (1,2) ) ~~|\n"
)
READ = {
    "y = IF THEN ELSE(x[D] > 1, 5, 6)": "x[D]",
    "y = SUM(IF THEN ELSE(x[R!] > 1, 1, 0))": "x[D]",
    "y = SUM(x[Q!])": "x[D]",
    "y[R] = IF THEN ELSE(R = D, 0, x[R])": "x[D]",
    "y = INTEG(1, IF THEN ELSE(x[D] > 1, 5, 6))": "x[D]",
    "y = DELAY1(IF THEN ELSE(x[D] > 1, 5, 6), 2)": "x[D]",
    "y = IF THEN ELSE(table[B](.5) > 0, 5, 6)": "table[B]",
    "y[R] = table[R](.5)": "table[B]",
}
NOT_READ = {
    "y = IF THEN ELSE(x[C] > 1, 5, 6)": 5,
    "y[Ends] = x[A]": [1, 1],
    "y = VECTOR ELM MAP(x[A], place)": 3,
    "y = table[C](.5)": 1,
}


@pytest.mark.parametrize(("equation", "element"), READ.items())
def test_an_element_that_is_read_and_has_no_equation_is_refused_by_name(equation, element, tmp_path):
    model = load_model(write_model(tmp_path, f"{RANGES}{PARTIAL}{equation} ~~|\nz = x[A] ~~|", final=1))
    message = f"{re.escape(element)} is read .*has no equation.*Equation: y"
    for engine in ("numpy", "llvm"):
        with pytest.raises(UnsupportedFeature, match=message):
            simulate(model, outcomes=["y"], engine=engine)
        assert simulate(model, outcomes=["z"], engine=engine)["z"][0, 0, -1] == 1
    (problem,) = check_running(model)
    assert problem.variable == "y"
    assert re.search(message, problem.message)


@pytest.mark.parametrize(("equation", "value"), NOT_READ.items())
def test_an_element_that_is_not_read_needs_no_equation(equation, value, tmp_path):
    model = load_model(write_model(tmp_path, f"{RANGES}{PARTIAL}{equation} ~~|", final=1))
    assert check_running(model) == []
    for engine in ("numpy", "llvm"):
        assert simulate(model, outcomes=["y"], engine=engine)["y"][0, 0, ..., -1].tolist() == value


def test_an_element_without_an_equation_may_be_given(tmp_path):
    model = load_model(write_model(tmp_path, RANGES + PARTIAL + "y = SUM(x[R!]) ~~|", final=1))
    assert simulate(model, {"x": [1, 2, 3, 4]}, outcomes=["y"])["y"][0, 0, -1] == 10


def test_a_range_with_exceptions_still_counts_from_its_first_element(tmp_path):
    equations = "x[R] :EXCEPT: [A] = R*10 ~~|\nx[A] = 0 ~~|\ny[Ends] = Ends ~~|\nz[R] = IF THEN ELSE(R = C, 1, 0) ~~|"
    model = load_model(write_model(tmp_path, RANGES + equations, final=1))
    run = simulate(model)
    assert [run[name][0, 0, ..., -1].tolist() for name in "xyz"] == [[0, 20, 30, 40], [1, 4], [0, 0, 1, 0]]
    assert_same(run, simulate(model, engine="pysd"))


def test_the_text_of_an_equation_names_its_exceptions(tmp_path):
    model = load_model(write_model(tmp_path, RANGES + EXCEPT["several groups"]))
    assert model.variables["x"].equation.splitlines()[0] == "x[R,L] :EXCEPT: [Ends,u], [B,L] = m[R,L] + k[R]"
    assert set(model.ranges) == {"R", "Ends", "L"}


def test_a_list_says_what_each_element_of_a_mapping_stands_for(tmp_path):
    equations = (
        "S: s1, s2 -> (T: t2, t1), (W: Odd, w2) ~~|\nT: t1, t2 ~~|\nW: w1, w2, w3 ~~|\nOdd: w1, w3 ~~|\n"
        "p[S] = 5, 10 ~~|\nx[T] = p[S] ~~|\ny[W] = p[S] + W ~~|\nz[Odd] = p[S] ~~|\none[w2] = p[S] ~~|\n"
        "q[W] :EXCEPT: [w1] = p[S] ~~|\nq[w1] = 1 ~~|"
    )
    model = load_model(write_model(tmp_path, RANGES + equations, final=1))
    run = simulate(model, outcomes=["x", "y", "z", "q"])
    assert {name: run[name][0, 0, ..., -1].tolist() for name in run.data} == {
        "x": [10, 5],
        "y": [6, 12, 8],
        "z": [5, 5],
        "q": [1, 10, 5],
    }
    assert model.ranges["S"] == ("s1", "s2")
    with pytest.raises(SimulationFailed, match="PySD cannot run this model"):
        simulate(model, engine="pysd")


def test_a_mapping_is_followed_backwards(tmp_path):
    equations = "S: s1, s2 -> T ~~|\nT: t1, t2 ~~|\np[T] = 5, 10 ~~|\nx[S] = p[T]*S ~~|"
    assert final(tmp_path, equations, "x") == [5, 20]


def test_a_mapping_through_elements_of_the_same_array_is_put_in_order(tmp_path):
    equations = (
        "later: B, C, D ~~|\nbefore: A, B, C -> later ~~|\nx[A,L] = m[A,L] ~~|\n"
        "x[later,L] = x[before,L]*2 + y[before,L] ~~|\ny[R,L] = x[R,L] + k[R] ~~|"
    )
    first, found = np.array([1.0, 2.0]), []
    for place in range(4):
        found.append(first.tolist())
        first = first * 2 + first + place + 1
    assert final(tmp_path, equations, "x") == found


@pytest.mark.parametrize(
    ("equations", "message"),
    [
        (
            "S: s1, s2, s3 -> T ~~|\nT: t1, t2 ~~|\np[S] = 1 ~~|\nx[T] = p[S] ~~|",
            "'S' has 3 elements, its mapping to 'T' has 2",
        ),
        (
            "S: s1, s2 -> (T: t1, t3) ~~|\nT: t1, t2, t3 ~~|\np[S] = 1 ~~|\nx[T] = p[S] ~~|",
            "does not say what 't2' stands for",
        ),
        (
            "S: s1, s2 -> T ~~|\nT: t1, t2 ~~|\np[S] = 1 ~~|\nx[R] = p[S] ~~|",
            "runs over 'S', .* no mapping leads to it",
        ),
        (
            "S: s1, s2 -> Tt ~~|\nT: t1, t2 ~~|\np[S] = 1 ~~|\nx[T] = p[S] ~~|",
            "'S' is mapped to 'Tt'. Did you mean 'T'",
        ),
        ("x[R] :EXCEPT: [Z] = 1 ~~|", "'Z' is not in subscript range 'R'.*Equation: x.R. :EXCEPT: .Z. = 1"),
        ("x[R,L] :EXCEPT: [A] = 1 ~~|", "1 subscripts are left out of 2"),
        ("x[R] = k[Nowhere] ~~|", "'Nowhere' is not in subscript range 'R'"),
    ],
)
def test_subscripts_that_make_no_sense_are_refused(equations, message, tmp_path):
    with pytest.raises(InvalidModel, match=message):
        simulate(load_model(write_model(tmp_path, RANGES + equations)))


def test_the_same_range_twice_is_the_diagonal(tmp_path):
    equations = (
        "P: R ~~|\nw[R,P] = 10*R + P ~~|\nx[R] = w[R,R] + k[R] ~~|\ntrace = SUM(w[R!,R!]) ~~|\n"
        "all = SUM(w[R!,P!]) ~~|\ncube[R,P,L] = w[R,P]*L ~~|\ny[L,R] = cube[R,R,L] + 1 ~~|\nz[Ends] = w[Ends,Ends] ~~|"
    )
    w = np.array([[10 * row + column for column in range(1, 5)] for row in range(1, 5)])
    assert final(tmp_path, equations, "x") == np.add(np.diag(w), [1, 2, 3, 4]).tolist()
    assert final(tmp_path, equations, "trace") == np.trace(w)
    assert final(tmp_path, equations, "all") == w.sum()
    assert final(tmp_path, equations, "y") == (np.outer([1, 2], np.diag(w)) + 1).tolist()
    assert final(tmp_path, equations, "z") == [11, 44]


def test_boxes_left_over_hold_every_cell_once():
    rng = np.random.default_rng(5)
    for _ in range(50):
        shape = tuple(rng.integers(1, 6, size=rng.integers(0, 4)))

        def box(shape=shape):
            return tuple(tuple(rng.permutation(length)[: rng.integers(1, length + 1)].tolist()) for length in shape)

        boxes = [box() for _ in range(rng.integers(1, 5))]
        exceptions = [[box() for _ in range(rng.integers(0, 3))] for _ in boxes]
        expected = np.full(shape, -1)
        for number, (whole, left_out) in enumerate(zip(boxes, exceptions, strict=True)):
            kept = set(itertools.product(*whole)) - {cell for item in left_out for cell in itertools.product(*item)}
            for cell in kept:
                expected[cell] = number
        found = np.full(shape, -1)
        for number, parts in enumerate(remaining(boxes, exceptions)):
            for part in parts:
                for cell in itertools.product(*part):
                    assert found[cell] == -1, "two boxes hold the same cell"
                    found[cell] = number
        np.testing.assert_array_equal(found, expected)


LISTED = "R: GET DIRECT SUBSCRIPT('labels.csv', ',', 'B2', 'B4', 'no ') ~~|\nx[R] = R*Time ~~|\nlast = x[no C] ~~|"


def test_a_range_is_read_from_a_file_beside_the_model(tmp_path):
    (tmp_path / "labels.csv").write_text('name,label\n1,"A"\n2,"B"")+(""x"\n3,C\n', encoding="utf-8")
    model = load_model(write_model(tmp_path, LISTED, final=1))
    assert model.ranges["R"] == ("no A", 'no B")+("x', "no C")
    run = simulate(model)
    assert run["last"][0, 0, -1] == 3
    with pytest.raises(UnsupportedFeature, match="cannot be handed to PySD safely"):
        simulate(model, engine="pysd")


def test_a_range_is_read_from_a_spreadsheet(tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Lists"
    for row, label in enumerate(["head", "north", None, "south"], start=1):
        sheet.cell(row=row, column=3, value=label)
    (tmp_path / "data").mkdir()
    book.save(tmp_path / "data" / "lists.xlsx")
    listed = "R: GET XLS SUBSCRIPT('data/lists.xlsx', 'Lists', 'C2', 'C4', '') ~~|\n"
    equations = f"{listed}P <-> R ~~|\nk[R] = 5, 6 ~~|\nx[R] = k[P] ~~|"
    model = load_model(write_model(tmp_path, equations, final=1))
    assert model.ranges["P"] == ("north", "south")
    assert simulate(model)["x"][0, 0, :, -1].tolist() == [5, 6]
    assert simulate(model, engine="pysd", outcomes=["k"])["k"][0, 0, :, -1].tolist() == [5, 6]


def test_a_range_that_cannot_be_read_says_where(tmp_path):
    with pytest.raises(InvalidModel, match=r"subscript range 'R': reading file 'labels.csv', .*there is no file"):
        load_model(write_model(tmp_path, LISTED))
    (tmp_path / "labels.csv").write_text("name,label\n", encoding="utf-8")
    with pytest.raises(InvalidModel, match=r"subscript range 'R': reading file 'labels.csv', .*"):
        load_model(write_model(tmp_path, LISTED))


def test_a_changed_file_changes_the_range(tmp_path):
    (tmp_path / "labels.csv").write_text("name,label\n1,A\n2,B\n3,C\n", encoding="utf-8")
    path = write_model(tmp_path, LISTED, final=1)
    assert load_model(path).ranges["R"] == ("no A", "no B", "no C")
    (tmp_path / "labels.csv").write_text("name,label\n1,Z\n2,Y\n3,C\n", encoding="utf-8")
    assert load_model(path).ranges["R"] == ("no Z", "no Y", "no C")


NAMED = {
    "numbered": "S: (s1-s3), extra, (s7-s8) ~~|\nx[S] = S ~~|\nn = ELMCOUNT(S) ~~|\ny = x[s7]*x[extra] ~~|",
    "ranges within ranges": (
        "S: Low, top ~~|\nLow: (s1-s2), Mid ~~|\nMid: m1 ~~|\nx[S] = S ~~|\ny[Low] = x[Low]*Low ~~|\n"
        "n = ELMCOUNT(S)*10 + ELMCOUNT(Low) ~~|\nz = SUM(x[Low!]) ~~|"
    ),
    "only elements, all of a range": (
        "S: a, b, c ~~|\nAll: S, d ~~|\nx[a] = 1 ~~|\nx[c] = 2 ~~|\nx[b] = 6 ~~|\ny[S] = x[S] ~~|"
    ),
    "only elements, some of a range": "S: a, b, c ~~|\nx[a] = Time ~~|\nx[c] = 2 ~~|\ny = x[a] + x[c] ~~|",
    "elements of a part": "S: a, b, c, d ~~|\nPart: b, d ~~|\nx[b] = 1 ~~|\nx[d] = Time ~~|\ny[Part] = x[Part]*2 ~~|",
    "a part and an element": "S: a, b, c ~~|\nPart: a, b ~~|\nx[Part] = 1 ~~|\nx[c] = Time ~~|\ny[S] = x[S]*2 ~~|",
    "two dimensions of one range": (
        "S: a, b ~~|\nw[a,S] = 1, 10 ~~|\nw[b,S] = 5, 40 ~~|\nx = w[a,b] ~~|\ny[S] = w[b,S] ~~|"
    ),
    "the same elements twice": (
        "S: a, b, c ~~|\nT: a, b, c ~~|\nw[S,T] = 1, 2, 3; 4, 5, 6; 7, 8, 9; ~~|\nx[S] = w[S,b] ~~|\ny[S] = w[c,S] ~~|"
    ),
}


def test_names_of_ranges_and_elements_may_differ_in_case_and_spaces(tmp_path):
    equations = "My S: One el, two_el ~~|\nx[my s] = MY S ~~|\ny = x[one_EL] + x[Two El] ~~|"
    run = simulate(load_model(write_model(tmp_path, equations, final=1)))
    assert run["x"][0, 0, :, -1].tolist() == [1, 2]
    assert run["y"][0, 0, -1] == 3


@pytest.mark.parametrize("equations", NAMED.values(), ids=NAMED)
def test_names_of_ranges_and_elements_agree_with_pysd(equations, tmp_path):
    model = load_model(write_model(tmp_path, equations, final=1))
    assert_same(simulate(model), simulate(model, engine="pysd"))


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
def test_a_range_that_is_summed_over_is_a_number_in_the_sum(engine, tmp_path):
    equations = "R: A, B, C ~~|\nSub: B, C ~~|\nv[R] = 5, 3, 9 ~~|\nx = SUM(IF THEN ELSE(R! = 2, v[R!], 0)) ~~|\n"
    equations += "y = SUM(IF THEN ELSE(v[R!] = VMAX(v[R!]), R!, 0)) ~~|\nz = SUM(v[Sub!]*Sub!) ~~|\n"
    equations += "w[R] = SUM(IF THEN ELSE(R! <= R, v[R!], 0)) ~~|"
    run = simulate(load_model(write_model(tmp_path, equations)), engine=engine)
    assert [run[name][0, 0, 0] for name in "xyz"] == [3, 3, 2 * 3 + 3 * 9]
    assert run["w"][0, 0, :, 0].tolist() == [5, 8, 17]


def test_a_range_may_list_an_element_twice_to_match_a_mapping(tmp_path):
    equations = (
        "All: coal, gas, solar ~~|\nsub: coal, gas, solar, solar ~~|\nBig: c1, g1, pv, thermal -> sub ~~|\n"
        "x[Big] = 1, 2, 3, 4 ~~|\ny[sub] :EXCEPT: [solar] = x[Big] ~~|\ny[solar] = x[pv] + x[thermal] ~~|\n"
    )
    assert simulate(load_model(write_model(tmp_path, equations)))["y"][0, 0, :, 0].tolist() == [1, 2, 7]
    with pytest.raises(InvalidModel, match="the mapping of 'Big' to 'sub' does not say what 'solar' stands for"):
        load_model(write_model(tmp_path, equations.replace(":EXCEPT: [solar]", "").partition("y[solar]")[0]))

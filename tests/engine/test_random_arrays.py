"""Random arrays whose cells depend on each other, against an evaluation cell by cell."""

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidModel
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import write_model

RANGES = {"R": "ABCD", "Ends": "AD", "Late": "BCD", "Early": "ABC", "L": "uv"}
TEXT = "R: A, B, C, D ~~|\nEnds: A, D ~~|\nLate: B, C, D ~~|\nEarly: A, B, C -> Late ~~|\nL: u, v ~~|\n"

# How an array over R and L can be put together: left sides with what they leave out.
WHOLES = [
    [("R,L", "")],
    [("A,L", ""), ("Late,L", "")],
    [("R,u", ""), ("A,v", ""), ("Late,v", "")],
    [("R,L", "[Ends,u]"), ("Ends,u", "")],
    [("R,L", "[B,L], [Ends,v]"), ("B,L", ""), ("Ends,v", "")],
    [("Late,L", "[C,u]"), ("C,u", ""), ("A,u", ""), ("A,v", "")],
    [("R,u", ""), ("R,v", "[A,v]"), ("A,v", "")],
    [("Early,L", ""), ("Late,L", "[D,v]"), ("D,v", "")],
]


class Circle(Exception):
    """A cell needs itself."""


@dataclass(frozen=True)
class Term:
    factor: int
    variable: str
    subscripts: tuple[str, str]

    @property
    def text(self):
        inner = f"{self.variable}[{','.join(self.subscripts)}]"
        return f"{self.factor}*" + (f"SUM({inner})" if "!" in inner else inner)


@dataclass(frozen=True)
class Equation:
    left: tuple[str, str]
    left_out: str
    constant: int
    terms: tuple[Term, ...]
    initial: tuple[Term, ...] | None

    def text(self, name):
        head = f"{name}[{','.join(self.left)}]" + (f" :EXCEPT: {self.left_out}" if self.left_out else "")
        flow = " + ".join([f"{self.constant}*(Time + 1)", *(term.text for term in self.terms)])
        if self.initial is None:
            return f"{head} = {flow} ~~|\n"
        start = " + ".join([str(self.constant), *(term.text for term in self.initial)])
        return f"{head} = INTEG({flow}, {start}) ~~|\n"

    def holds(self, cell):
        inside = all(item in RANGES.get(label, label) for label, item in zip(self.left, cell, strict=True))
        groups = [group.strip("[], ").split(",") for group in self.left_out.split("], [") if group]
        out = any(all(item in RANGES.get(x, x) for x, item in zip(group, cell, strict=True)) for group in groups)
        return inside and not out


class Cells:
    """Values of all cells, by recursion."""

    def __init__(self, model):
        self.model, self.known, self.open = model, {}, set()

    def value(self, name, cell, time):
        asked = (name, cell, time)
        if asked in self.known:
            return self.known[asked]
        if asked in self.open:
            raise Circle
        self.open.add(asked)
        equation = [item for item in self.model[name] if item.holds(cell)][-1]
        if equation.initial is None:
            found = self.total(equation, equation.terms, cell, time, time + 1)
        elif time == 0:
            found = self.total(equation, equation.initial, cell, 0, 1)
        else:
            flow = self.total(equation, equation.terms, cell, time - 1, time)
            found = self.value(name, cell, time - 1) + flow
        self.known[asked] = found
        return found

    def total(self, equation, terms, cell, time, scale):
        total = equation.constant * scale
        for term in terms:
            places = [
                self.places(subscript, label, item)
                for subscript, label, item in zip(term.subscripts, equation.left, cell, strict=True)
            ]
            total += term.factor * sum(self.value(term.variable, place, time) for place in itertools.product(*places))
        return total

    @staticmethod
    def places(subscript, label, item):
        if subscript.endswith("!"):
            return RANGES[subscript[:-1]]
        if subscript == "Early" and label == "Late":
            return RANGES["Early"][RANGES["Late"].index(item)]
        return item if subscript in RANGES else subscript


def drawn(rng):
    """A model of three arrays and, half of the time, a stock; terms that make a circle are mostly left out."""
    names = ["x", "y", "z", *(["s"] if rng.random() < 0.5 else [])]
    model = {}
    for name in names:
        parts = WHOLES[rng.integers(len(WHOLES))]
        start = () if name == "s" else None
        model[name] = [Equation(tuple(left.split(",")), out, int(rng.integers(1, 9)), (), start) for left, out in parts]
    for _ in range(12):
        name = str(rng.choice(names))
        place = rng.integers(len(model[name]))
        changed = {**model, name: list(model[name])}
        changed[name][place] = longer(model[name][place], names, rng)
        if rng.random() < 0.07 or is_ordered(changed):
            model = changed
    return model


def longer(equation, names, rng):
    """The equation with one more term."""

    def subscript(label, elements):
        choices = [label] * 4 + ["Early"] * 4 * (label == "Late") + list(elements)[:2] + ["L!"] * (elements == "uv")
        return str(rng.choice(choices))

    subscripts = subscript(equation.left[0], "AD"), subscript(equation.left[1], "uv")
    term = Term(int(rng.integers(1, 4)), str(rng.choice(names)), subscripts)
    if equation.initial is not None and rng.random() < 0.5:
        return replace(equation, initial=(*equation.initial, term))
    return replace(equation, terms=(*equation.terms, term))


def is_ordered(model):
    try:
        expected(model)
    except Circle:
        return False
    return True


def expected(model):
    cells = Cells(model)
    return {name: [[[cells.value(name, (r, c), t) for t in range(3)] for c in "uv"] for r in "ABCD"] for name in model}


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
@pytest.mark.parametrize("seed", range(2))
def test_random_arrays_are_computed_in_order_or_refused(seed, engine, tmp_path):
    rng = np.random.default_rng([20, seed])
    outcomes = {"same": 0, "circle": 0}
    for number in range(40):
        equations = drawn(rng)
        text = TEXT + "".join(item.text(name) for name, items in equations.items() for item in items)
        (tmp_path / str(number)).mkdir()
        model = load_model(write_model(tmp_path / str(number), text, final=2, step=1, saveper=1))
        try:
            wanted = expected(equations)
        except Circle:
            with pytest.raises(InvalidModel, match="depend on each other"):
                simulate(model, engine=engine)
            outcomes["circle"] += 1
            continue
        run = simulate(model, engine=engine)
        for name, values in wanted.items():
            np.testing.assert_array_equal(run[name][0, 0], values, err_msg=text)
        outcomes["same"] += 1
    assert min(outcomes.values()) > 3, outcomes

"""A run of Vensim's agrees with our engine where PySD keeps whole numbers; small models of our own stand in for it."""

import pytest

from tests.engine.small_models import write_model
from tests.validation.world3 import compare, main

# As World3-03 has it: a first-order smooth that starts at a whole number.
EQUATIONS = "x = 1.08404 + 0*Time ~~|\na = SMOOTHI(x, 2, 1) ~~|\nb = a*x ~~|\n"


def published(tmp_path):
    """What the steps of a' = (x - a)/2 give from a = 1, written with six digits."""
    values = [1 + 0.08404 * (1 - (1 - 0.5 / 2) ** step) for step in range(9)]
    lines = ["time,a,b,#level#", *(f"{0.5 * step},{a:.6g},{a * 1.08404:.6g},0" for step, a in enumerate(values))]
    path = tmp_path / "run.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_our_engine_agrees_where_pysd_does_not(tmp_path, capsys):
    model = write_model(tmp_path, EQUATIONS, final=4, step=0.5, saveper=0.5)
    run = published(tmp_path)
    found = compare(model, run, ("numpy", "pysd"))
    assert {item.column for item in found["numpy"]} == {"a", "b"}
    assert max(item.relative for item in found["numpy"]) < 1e-5
    # PySD keeps the level as a whole number only in the first step of its loop.
    worst = found["pysd"][0]
    assert worst.relative > 1e-3
    assert main([str(model), str(run), "--engine", "numpy"]) == 0
    assert "numpy: 2 columns, 0 differ" in capsys.readouterr().out


def test_a_run_that_differs_is_told(tmp_path, capsys):
    model = write_model(tmp_path, EQUATIONS, final=4, step=0.5, saveper=0.5)
    run = tmp_path / "run.csv"
    run.write_text("time,a\n0,1\n2,1.2\n2.25,9\n", encoding="utf-8")
    assert main([str(model), str(run), "--engine", "numpy"]) == 1
    text = capsys.readouterr().out
    assert "a at 2: 1.2 there, 1.05745 here" in text
    [only] = compare(model, run, ("numpy",))["numpy"]
    assert only.found == pytest.approx(1 + 0.08404 * (1 - 0.75**4), rel=1e-12)

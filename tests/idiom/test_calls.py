"""A hundred calls typed unread give what they ask for or say what to do; misspelt names get the right one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gapsim
from gapsim.errors import GapsimError
from tests.idiom.calls import CALLS, MISSPELT
from tests.idiom.more_calls import MORE
from tests.idiom.third_calls import THIRD
from tests.study.models import SIR, made

SMALL = ("110000", "510000", "520000", "620000")
SCENARIO = "name: lockdown\nchanges:\n  Contact Rate: {10: x0.5}\n"


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """What a session has when it types the calls, in a folder with a model, its data and a scenario."""
    folder = tmp_path_factory.mktemp("idiom")
    made(folder, SIR, unit="day", stop=30, step=0.25, name="sir")
    rng = np.random.default_rng(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        path = gapsim.load_model("sir.mdl").run()["Infected"].iloc[::2]
        frame = pd.DataFrame({"time": path.index, "Infected": (path * np.exp(rng.normal(0, 0.05, len(path)))).round(2)})
        frame = frame.reset_index(drop=True)
        frame.to_csv("obs.csv", index=False)
        Path("sir.yaml").write_text(SCENARIO, encoding="utf-8")
        sir, data = gapsim.load_model("sir.mdl"), gapsim.load_data("obs.csv")
        small = gapsim.load_data("china").subset(entities=SMALL)
        fit = gapsim.fit(sir, data, free=["Contact Rate", "Duration"], starts=1)
        yield {
            "gapsim": gapsim,
            "Path": Path,
            "np": np,
            "pd": pd,
            "frame": frame,
            "sir": sir,
            "data": data,
            "small": small,
            "fit": fit,
            "run": gapsim.simulate(sir),
            "outlook": gapsim.forecast(data, model=sir, until=40, draws=20, past=False),
            "future": gapsim.project(sir, data, {"Contact Rate": 5}, fit, draws=5),
            "cn": gapsim.project("regional_digital", small, "zoned_need", draws=3, until=2028),
        }


def is_given(call, kind, fact, names):
    """Whether a call gives the type and the fact; or, if it is told, an error of the package with these words."""
    if kind == "told":
        with pytest.raises(GapsimError, match=fact):
            eval(call, dict(names))
        return True
    it = eval(call, dict(names))
    return kind in {item.__name__ for item in type(it).__mro__} and bool(eval(fact, {**names, "it": it}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "kind", "fact"), CALLS + MORE + THIRD, ids=[call for call, *_ in CALLS + MORE + THIRD]
)
def test_a_call_gives_what_it_asks_for(names, call, kind, fact):
    assert is_given(call, kind, fact, names)


def test_nothing_is_not_what_is_asked_for():
    """A function that gives None for everything passes no line."""
    held = []
    for call, kind, fact in CALLS + MORE + THIRD:
        try:
            held += [call] * (kind == "NoneType" and bool(eval(fact, {"it": None})))
        except (AttributeError, TypeError, KeyError, NameError):
            continue
    assert held == []


@pytest.mark.parametrize("owner", MISSPELT)
def test_a_misspelt_name_is_answered_with_the_right_one(names, owner):
    wrong = {}
    for typed, meant in MISSPELT[owner].items():
        with pytest.raises(AttributeError) as told:
            getattr(names[owner], typed)
        if f"Did you mean '{meant}'?" not in str(told.value):
            wrong[typed] = str(told.value)
    assert wrong == {}


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        ("gapsim.fit(sir, data, fre=['Duration'])", "free"),
        ("gapsim.simulate(sir, outcome=['Infected'])", "outcomes"),
        ("gapsim.project(sir, data, {}, drawss=3)", "draws"),
        ("gapsim.forecast(data, model=sir, untill=40)", "until"),
        ("gapsim.load_data('obs.csv', role={})", "roles"),
        ("gapsim.backtest(data, model=sir, draw=3)", "draws"),
        ("gapsim.optimise(sir, data, lever={})", "levers"),
        ("gapsim.brief(cn, 'Sichuan', language='zh')", "lang"),
        ("gapsim.explore(sir, output='x.html')", "out"),
        ("gapsim.load_model('sir.mdl', region=3)", "regions"),
        ("gapsim.Problem(sir, data, fre=['Duration'])", "free"),
        ("gapsim.Scenario(nme='x')", "name"),
        ("gapsim.Observation(colum='I', outcome='I')", "column"),
    ],
)
def test_a_misspelt_argument_is_answered_with_the_right_one(names, call, meant):
    with pytest.raises(GapsimError, match=f"Did you mean '{meant}'"):
        eval(call, dict(names))


@pytest.mark.parametrize(
    ("call", "new"),
    [
        ("gapsim.Problem(sir, data, first_year=1)", "start"),
        ("gapsim.Problem(sir, data, measurements={})", "observations"),
        ("gapsim.fit(sir, data, last_year=20)", "until"),
        ("gapsim.project(sir, data, {}, baseline=None)", "forecast"),
        ("gapsim.load_data('obs.csv', columns={})", "roles"),
    ],
)
def test_a_former_argument_is_answered_with_the_new_one(names, call, new):
    with pytest.raises(GapsimError, match=f"It is now '{new}'"):
        eval(call, dict(names))

"""One guard of draws and memory: every command and every function that takes draws asks it before it works."""

import time
from functools import partial

import pytest

import gapsim as package
from calibration.fitting.problem import Problem
from pysd_runner import load_data, load_model, run_ensemble
from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine import memory
from pysd_runner.ensemble import ensemble_job, latin_hypercube, random_draws, sobol
from tests.study.models import SIR, infections, made, written

# Too many for a machine with as little memory as this, and few enough to end soon where they are not refused.
DRAWS, BYTES = 10**6, 1e7


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A model, its data and a fit."""
    folder = tmp_path_factory.mktemp("own")
    model = made(folder, SIR, unit="day", stop=60)
    data = infections(model)
    data.by_time("infected").rename("infected").rename_axis("day").to_csv(folder / "obs.csv")
    (folder / "a.yaml").write_text("changes: {Duration: 3}\n", encoding="utf-8")
    problem = Problem(model, data, free=["Duration"])
    fit = package.fit(problem, starts=1)
    fit.save(folder / "fit")
    return folder, problem, fit


@pytest.fixture
def small_machine(monkeypatch):
    monkeypatch.setattr(memory, "machine_bytes", lambda: BYTES)


COMMANDS = [
    "run zoned_need --data china",
    "attribute zoned_need",
    "optimise",
    "brief Sichuan",
    "explore",
    "forecast china",
    "backtest china",
    "run a.yaml --model mine.mdl --fit fit",
    "explore mine.mdl --data obs.csv --fit fit",
    "forecast obs.csv --model mine.mdl --until 60",
    "forecast obs.csv --model mine.mdl --until 60 --fit fit",
    "backtest obs.csv --model mine.mdl",
    "calibrate obs.csv --model mine.mdl --free Duration",
    "ensemble mine.mdl --bound Duration=1:5",
    "ensemble mine.mdl --bound Duration=1:5 --design sobol",
    "ensemble mine.mdl --bound Duration=1:5 --statistics",
    "ensemble mine.mdl --bound Duration=1:5 --store store",
]


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_refuses_draws_that_no_memory_holds_before_it_works(
    gapsim, own, small_machine, monkeypatch, words
):
    monkeypatch.chdir(own[0])
    before = sorted(path.name for path in own[0].rglob("*"))
    option = "--sample" if words.startswith("calibrate") else "--draws"
    for draws in (DRAWS, 10**400):
        began = time.process_time()
        answer = gapsim(*words.split(), option, draws, code=2)
        assert time.process_time() - began < 4
        assert "GB of memory, the machine has 0.01: " in answer.err
    assert sorted(path.name for path in own[0].rglob("*")) == before


CHANCE = "{UTF-8}\nStock = INTEG(RANDOM NORMAL(-1, 1, 0, 1, 3), 0) ~~|\n"


def calls(folder, problem, fit):
    """Every function that takes a number of draws, as a function of it."""
    model, china, bounds = problem.model, load_data("china"), {"Duration": (1, 5)}
    chance = load_model(written(folder, CHANCE, name="chance"))
    yield partial(package.project, "regional_digital", china, "zoned_need")
    yield partial(package.project, model, None, [{"Duration": 3}], fit)
    yield partial(package.forecast, china, until=2030)
    yield partial(package.forecast, problem, until=60, fit=fit)
    yield partial(package.backtest, china)
    yield partial(package.backtest, problem)
    yield partial(package.sample, problem, fit)
    for design in (latin_hypercube, sobol, random_draws):
        yield partial(design, model, bounds)
    yield partial(run_ensemble, chance, {})
    yield partial(ensemble_job, chance, {}, store=folder / "store")


def test_every_function_refuses_them_as_well(own, small_machine):
    for call in calls(*own):
        # A store keeps what failed alone in memory, a byte for each draw.
        draws = 100 * DRAWS if call.func is ensemble_job else DRAWS
        began = time.process_time()
        with pytest.raises(InvalidInput, match=r"GB of memory, the machine has 0\.01: "):
            call(draws=draws)
        assert time.process_time() - began < 4

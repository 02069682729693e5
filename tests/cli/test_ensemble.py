"""``gapsim ensemble``: any model, many draws, one file."""

from pathlib import Path

import numpy as np
import pytest

from pysd_runner.export import load_netcdf
from tests.engine.small_models import write_model

EQUATIONS = "rate = 0.1 ~~|\ns = INTEG(rate*s^2, 1) ~~|\nhalf = s/2 ~~|"


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path, EQUATIONS, final=4, step=0.25, saveper=1)


@pytest.mark.parametrize("kind", ["lhs", "sobol", "random"])
def test_it_writes_the_runs(gapsim, model, kind):
    answer = gapsim(
        "ensemble", model, "--bound", "Rate=0.01:0.1", "--draws", 8, "--design", kind, "--outcome", "half", "--quiet"
    )
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "8 draws, 0 of them failed: ensemble.nc\n"
    dataset = load_netcdf("ensemble.nc")
    assert dataset["half"].shape == (1, 8, 5)
    assert 0.01 <= float(dataset["rate"].min()) < float(dataset["rate"].max()) <= 0.1


def test_it_writes_statistics_of_given_rows(gapsim, model, tmp_path):
    (tmp_path / "rows.csv").write_text("rate\n0.01\n0.02\n9\n")
    answer = gapsim("ensemble", model, "--rows", "rows.csv", "--statistics", "--out", "s.nc", "--json", code=0)
    data = answer.json["data"]
    assert (data["draws"], data["failed"], data["outcomes"]) == (3, 1, ["rate", "s", "half"])
    assert "s became" in data["failures"][0]
    assert "1 case gave values that are not finite" in answer.json["warnings"][0]
    assert float(load_netcdf("s.nc")["rate, mean"].max()) == 0.015


def test_bounds_come_from_the_declarations(gapsim):
    gapsim(
        "ensemble", "regional_digital", "--bound", "q_a", "--draws", 2, "--outcome", "Access Share", "--quiet", code=0
    )


def test_an_ensemble_of_failures_is_one(gapsim, model, tmp_path):
    (tmp_path / "rows.csv").write_text("rate\n9\n")
    assert gapsim("ensemble", model, "--rows", "rows.csv").code == 4


def test_an_interruption_writes_what_was_finished(gapsim, model, monkeypatch):
    from pysd_runner.cli import session
    from pysd_runner.ensemble import cases

    monkeypatch.setattr(cases, "VECTOR", 16)
    monkeypatch.setattr(cases, "MOST_DRAWS", 16)
    told = []

    def at(self, *step):
        told.append(step)
        if len(told) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(session.Stage, "at", at)
    answer = gapsim("ensemble", model, "--bound", "rate=0:0.1", "--draws", 64, code=130)
    assert "32 of 64 draws had been finished and are kept in ensemble.nc" in answer.err
    assert load_netcdf("ensemble.nc").sizes["draw"] == 32
    before = Path("ensemble.nc").read_bytes()
    told.clear()
    answer = gapsim("ensemble", model, "--bound", "rate=0:0.1", "--draws", 48, "--force", code=130)
    assert "32 of 48 draws had been finished and are kept in ensemble-2.nc" in answer.err
    assert Path("ensemble.nc").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--bound", "rato=0:1"], "Did you mean 'rate'"),
        (["--bound", "rate=0-1"], "expected NAME=LOW:HIGH"),
        (["--bound", "rate=1:0"], "low < high"),
        (["--bound", "rate"], "gives no bounds of 'rate'; give them: --bound rate=LOW:HIGH"),
        ([], "nothing varies between draws"),
        (["--bound", "rate=0:1", "--rows", "x.csv"], "give one of them"),
        (["--rows", "letter.csv"], "letter.csv, row 3, column 'rate': expected a number; found 'a'\n"),
        (["--rows", "gap.csv"], "gap.csv, row 2, column 'rate': expected a number; found nothing\n"),
        (["--rows", "absent.csv"], "absent.csv"),
        (["--rows", "empty.csv"], "empty.csv: expected a CSV file"),
        (["--bound", "rate=0:1", "--outcome", "halv"], "Did you mean 'half'"),
    ],
)
def test_bad_input_is_said(gapsim, model, tmp_path, options, text):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "letter.csv").write_text("rate\n0.1\na\n0.2\n")
    (tmp_path / "gap.csv").write_text("rate,half\n,1\n")
    answer = gapsim("ensemble", model, *options, code=2)
    assert text in answer.err


def test_a_file_is_replaced_only_when_that_is_asked_for(gapsim, model, tmp_path):
    (tmp_path / "ensemble.nc").write_text("mine")
    asked = ("ensemble", model, "--bound", "rate=0:0.1", "--draws", 2)
    assert "exists already" in gapsim(*asked).err
    assert (tmp_path / "ensemble.nc").read_text() == "mine"
    assert gapsim(*asked, "--force").code == 0


def test_bounds_of_the_file_are_taken_when_both_are_given(gapsim, tmp_path):
    equations = "rate = 0.1 ~ Dmnl [0.05,0.2,0.01] ~|\nfree = 1 ~ Dmnl [0,?] ~|\ns = INTEG(rate*s*free, 1) ~~|"
    path = write_model(tmp_path, equations, final=2, step=0.5, saveper=1)
    assert gapsim("ensemble", path, "--bound", "rate", "--draws", 16).code == 0
    rates = load_netcdf("ensemble.nc")["rate"]
    assert 0.05 <= float(rates.min()) < 0.06
    assert 0.19 < float(rates.max()) <= 0.2
    answer = gapsim("ensemble", path, "--bound", "free", "--force")
    assert (answer.code, "--bound free=LOW:HIGH" in answer.err) == (2, True)


def test_chance_alone_may_make_draws_differ(gapsim, tmp_path):
    path = write_model(tmp_path, "noise = RANDOM UNIFORM(0, 1, 1) ~~|", final=1, step=0.5, saveper=0.5)
    answer = gapsim("ensemble", path, "--draws", 4, code=0)
    assert answer.out.startswith("4 draws, 0 of them failed")
    assert len(set(load_netcdf("ensemble.nc")["noise"].to_numpy()[0, :, 0])) == 4


def test_a_store_is_filled_in_parts_and_summed_up(gapsim, model):
    line = ("ensemble", model, "--bound", "Rate=0.01:0.1", "--draws", 200, "--design", "random", "--outcome", "half")
    half = gapsim(*line, "--store", "runs", "--part", "1/2", "--quiet")
    assert (half.code, half.err) == (0, "")
    assert half.out == "1 of 2 blocks, 0 cases in them failed: runs\n"
    again = gapsim(*line, "--store", "runs", "--quiet")
    assert again.out == "2 of 2 blocks, 0 cases in them failed: runs\n"
    verified = gapsim(*line, "--store", "runs", "--verify", "--quiet")
    assert (verified.code, verified.out) == (0, "2 of 2 blocks, all as they were written: runs\n")
    (chunk,) = Path("runs/runs.zarr/half/c/0/0").glob("1")
    sound = chunk.read_bytes()
    chunk.unlink()
    named = gapsim(*line, "--store", "runs", "--verify")
    assert (named.code, "blocks are damaged, number 1; the same command without --verify" in named.err) == (2, True)
    assert not chunk.exists()
    assert gapsim(*line, "--store", "runs", "--quiet").code == 0
    assert chunk.read_bytes() == sound
    gapsim(*line, "--store", "kept", "--statistics", "--out", "s.nc", "--quiet", code=0)
    assert gapsim(*line, "--statistics", "--out", "direct.nc", "--quiet").code == 0
    with load_netcdf("s.nc") as stored, load_netcdf("direct.nc") as direct:
        np.testing.assert_allclose(stored["half, mean"], direct["half, mean"], rtol=1e-13)
        np.testing.assert_array_equal(stored["half, quantile"], direct["half, quantile"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--part", "1/2"], "need --store FOLDER"),
        (["--verify"], "need --store FOLDER"),
        (["--store", "runs", "--verify"], "runs is no stored ensemble"),
        (["--store", "runs", "--part", "half"], "expected K/N, for instance 3/64"),
        (["--store", "runs", "--part", "3/2"], "between 1 and 2"),
        (["--store", "rows.csv"], "is no stored ensemble"),
    ],
)
def test_what_a_store_cannot_do_is_said(gapsim, model, tmp_path, options, message):
    (tmp_path / "rows.csv").write_text("rate\n9\n")
    answer = gapsim("ensemble", model, "--bound", "Rate=0.01:0.1", "--draws", 8, *options, code=2)
    assert message in answer.err
    assert "--verify" not in options or not (tmp_path / "runs").exists()

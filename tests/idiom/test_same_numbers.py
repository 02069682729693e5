"""A script and the command line give the same numbers, to the last digit, for regions and for a model of one's own."""

from pathlib import Path

import pytest
import xarray as xr

import gapsim
from pysd_runner.cli import main
from tests.study.models import SIR, infections, made


def same(script, folder):
    """Whether a future holds what a command wrote: the outcomes that are stored, as they are stored."""
    script.save("script")
    with xr.open_dataset("script/projection.nc") as mine, xr.open_dataset(Path(folder) / "projection.nc") as its:
        names = set(mine.data_vars) & set(its.data_vars)
        assert names
        return all(mine[name].equals(its[name]) for name in names)


def test_a_model_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = made(tmp_path, SIR, unit="day", stop=60)
    infections(model).by_time("infected").rename("Infected").rename_axis("time").to_csv("obs.csv")
    fit = gapsim.fit(model, "obs.csv", free=["Contact Rate", "Duration"], starts=1)
    fit.save("fit")
    Path("less.yaml").write_text("changes: {Contact Rate: {10: x0.5}}\n", encoding="utf-8")
    line = f"run less.yaml --model {model.path} --data obs.csv --fit fit --out command --quiet"
    assert main(line.split()) == 0
    assert same(gapsim.project(fit, "less.yaml"), "command")
    assert main(["run", "command/run.json", "--out", "again", "--quiet"]) == 0
    assert Path("again/projection.nc").read_bytes() == Path("command/projection.nc").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("open_loop", [False, True])
def test_regions(tmp_path, monkeypatch, open_loop):
    monkeypatch.chdir(tmp_path)
    small = gapsim.load_data("china").subset(entities=("110000", "510000", "520000", "620000"))
    small.to_frame().to_csv("small.csv", index=False)
    line = "run zoned_need --data small.csv --draws 4 --until 2027 --out command --quiet"
    assert main([*line.split(), *["--without", "forecast"] * open_loop]) == 0
    script = gapsim.project(
        "regional_digital", "small.csv", "zoned_need", draws=4, until=2027, forecast=None if open_loop else "auto"
    )
    assert same(script, "command")


def test_a_fit_of_regions_has_the_same_draws(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = gapsim.load_data("china").subset(entities=("110000", "510000", "520000", "620000"))
    small.to_frame().to_csv("small.csv", index=False)
    line = "calibrate small.csv --free q_a,g_D --starts 1 --without profiles,forecast --out command --quiet"
    assert main(line.split()) in {0, 3}
    fit = gapsim.fit("regional_digital", "small.csv", free=["q_a", "g_D"], starts=1)
    assert not fit.fitted.draws
    script, command = gapsim.load_fit(fit.save("script")).fitted, gapsim.load_fit("command").fitted
    assert len(script.draws) == 2500
    assert script.draws == command.draws == fit.drawn.fitted.draws
    assert script.provenance["weighting"] == command.provenance["weighting"]
    run = "run zoned_need --data small.csv --fit command --draws 4 --until 2027 --without forecast --out run --quiet"
    assert main(run.split()) == 0
    assert same(gapsim.project(fit, "zoned_need", draws=4, until=2027, forecast=None), "run")

"""The gate counts over all panels what back-tests say, and fetched panels are what was expected."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from benchmarks import gate, panels
from benchmarks.comparators import compared
from benchmarks.gate import cells, clustered, measures, without_one
from benchmarks.panels import CHOSEN_ON, REFERENCES, SOURCES, countries
from tests.calibration.forecasting.series import panel_of, walk


def scores() -> pd.DataFrame:
    """Three panels of made scores; pull is the best baseline of the first, persistence of the others."""
    found = []
    for panel, own, pull in (("A", 0.9, 0.8), ("B", 1.0, 1.1), ("C", 1.04, 1.2)):
        for horizon in (1, 2):
            for model, rmse in (("persistence", 1.0), ("mean_reversion", pull), ("filtered", 0.1), ("gapsim", own)):
                covered = 0.5 + 0.1 * (panel == "A")
                row = {"panel": panel, "horizon": horizon, "model": model, "rmse": rmse * horizon, "crps": rmse}
                found.append({**row, "coverage_50": covered, "coverage_90": 0.9, "origins": 9})
    return pd.DataFrame(found)


def test_regret_is_against_the_best_baseline_of_each_panel_and_horizon() -> None:
    table = cells(scores())
    assert_allclose(table["regret"], np.repeat([0.9 / 0.8 - 1, 0.0, 0.04], 2))
    assert_allclose(table["ratio"], np.repeat([0.9, 1.0, 1.04], 2))
    found = measures(table)
    assert_allclose(found["median regret"], 0.04)
    assert_allclose(found["mean ratio to persistence"], 0.98)
    assert_allclose(found["coverage of 50 %"], (0.6 + 0.5 + 0.5) / 3)
    low, high = without_one(table)["mean ratio to persistence"]
    assert_allclose((low, high), (0.95, 1.02))


def test_coverage_is_as_sure_as_panels_are_many() -> None:
    values = np.random.default_rng(0).normal(0.5, 0.1, 400)
    mean, low, high = clustered(pd.Series(values))
    assert_allclose(mean, values.mean())
    assert_allclose([low, high], mean + np.array([-1, 1]) * 1.645 * 0.1 / 20, atol=0.002)
    few = clustered(pd.Series(values[:10]))
    assert few[2] - few[1] > 3 * (high - low)


def test_every_panel_has_a_digest_and_another_file_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(len(source.sha256) == 64 for source in (*SOURCES, *CHOSEN_ON))
    shipped = [source for source in SOURCES if not source.file]
    assert [source.name for source in shipped] == ["china", "us_workers"]
    for source in shipped:
        assert panels.digest_of(source, tmp_path) == source.sha256
    assert len(REFERENCES) == 10
    assert set(REFERENCES) <= set(compared())
    (tmp_path / "eu_regions.csv").write_bytes(b"another")
    monkeypatch.setattr(gate, "read", lambda *_: panel_of(walk(4, 12)))
    list(gate.panels(tmp_path, [item for item in SOURCES if item.name == "eu"]))
    assert "EU: another file than the one in benchmarks/panels.py" in capsys.readouterr().err


def test_countries_with_enough_regions_are_panels() -> None:
    made = panel_of(walk(11, 12), groups=("a", "b"))
    assert [(item.name, len(item.regions)) for item in countries(made)] == [("made a", 6), ("made b", 5)]
    assert [item.name for item in countries(panel_of(walk(9, 12), groups=("a", "b")))] == ["made a"]

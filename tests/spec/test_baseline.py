"""The forecast that runs start from: its file, its order, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidInput
from pysd_runner.spec import Baseline, load_baseline


@pytest.fixture
def baseline():
    rng = np.random.default_rng(0)
    return Baseline(
        paths=rng.normal(size=(20, 3, 4)),
        regions=("a", "b", "c"),
        years=(2025, 2026, 2027, 2028),
        origin=2024,
        panel="made",
        panel_sha256="0" * 64,
        provenance={"model": "made up", "weights": {"one": 1.0}},
    )


def test_draws_are_centred(baseline):
    np.testing.assert_allclose(baseline.paths.mean(axis=1), 0, atol=1e-15)


def test_it_is_read_as_it_was_written(baseline, tmp_path):
    path = baseline.save(tmp_path)
    for place in (path, tmp_path):
        read = load_baseline(place)
        np.testing.assert_array_equal(read.paths, baseline.paths)
        assert (read.regions, read.years, read.origin) == (baseline.regions, baseline.years, baseline.origin)
        assert (read.panel, read.panel_sha256) == (baseline.panel, baseline.panel_sha256)
        assert read.provenance == baseline.provenance


def test_more_draws_keep_those_there_were_and_the_seed_decides(baseline):
    few, many = baseline.drawn(5, 0), baseline.drawn(12, 0)
    np.testing.assert_array_equal(many[:5], few)
    assert not np.array_equal(baseline.drawn(5, 1), few)
    whole = {row.tobytes() for row in baseline.drawn(20, 0)}
    assert whole == {row.tobytes() for row in baseline.paths}


def test_one_draw_is_the_middle(baseline):
    (only,) = baseline.drawn(1, 0)
    middle = np.median(baseline.paths, axis=0)
    np.testing.assert_allclose(only, middle - middle.mean(axis=0))


def test_what_does_not_fit_is_refused(baseline, tmp_path):
    with pytest.raises(InvalidInput, match="holds 20 draws, 21 are wanted"):
        baseline.drawn(21, 0)
    with pytest.raises(InvalidInput, match="needs every year after its origin 2023"):
        replace(baseline, origin=2023)
    with pytest.raises(InvalidInput, match="2 regions and 4 years"):
        replace(baseline, regions=("a", "b"))
    with pytest.raises(InvalidInput, match="not finite"):
        replace(baseline, paths=np.full((2, 3, 4), np.nan))
    with pytest.raises(InvalidInput, match="holds no baseline"):
        load_baseline(tmp_path)
    (tmp_path / "baseline.nc").write_bytes(b"not netCDF")
    with pytest.raises(InvalidInput, match="holds no baseline"):
        load_baseline(tmp_path)

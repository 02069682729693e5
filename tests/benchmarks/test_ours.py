"""Every way the benchmarks call the engine gives the same numbers."""

import numpy as np
import pytest

from benchmarks.agreement import difference
from benchmarks.differentiating import Jacobian, differences
from benchmarks.engines.ours import Ours
from benchmarks.models import SHIPPED_OUTCOMES, SHIPPED_PARAMETERS, subject, write_shipped

pytest.importorskip("llvmlite")


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    path = write_shipped(tmp_path_factory.mktemp("shipped") / "three.mdl", 3)
    return subject("regional_digital", path, SHIPPED_PARAMETERS, SHIPPED_OUTCOMES)


@pytest.fixture(scope="module")
def compiled(shipped, tmp_path_factory):
    return Ours("llvm").prepare(shipped, tmp_path_factory.mktemp("compiled"))


def test_targets_and_calls_agree(shipped, compiled, tmp_path):
    draws = shipped.draws(37)
    oracle = Ours("numpy").prepare(shipped, tmp_path)
    expected = oracle.series(oracle.ensemble(draws))
    assert difference(compiled.series(compiled.ensemble(draws)), expected) < 1e-10
    assert difference(compiled.loaded.series(compiled.fresh(draws)), expected) < 1e-10
    assert difference(compiled.series(compiled.single(draws[5])), expected[5:6]) < 1e-10
    assert difference(compiled.loaded.series(compiled.once(draws[5])), expected[5:6]) < 1e-10
    assert difference(compiled.loaded.series(compiled.labelled(draws[5]).data), expected[5:6]) < 1e-10


def test_blocks_and_threads_change_nothing(shipped, compiled, tmp_path, monkeypatch):
    draws = shipped.draws(50, seed=2)
    expected = compiled.series(compiled.ensemble(draws))
    monkeypatch.setattr("benchmarks.engines.ours.BLOCK", 16)
    threaded = Ours("llvm", threads=2).prepare(shipped, tmp_path)
    np.testing.assert_array_equal(threaded.series(threaded.ensemble(draws)), expected)
    # Buffers are used again with other numbers.
    assert difference(threaded.series(threaded.ensemble(draws[::-1].copy())), expected[::-1]) == 0


def test_the_jacobian_agrees_with_differences(shipped, compiled):
    row = shipped.draws(1, seed=3)[0]
    values, slopes = Jacobian(shipped)(row)
    assert difference(values[None], compiled.series(compiled.single(row))) < 1e-10
    expected = differences(compiled, row)
    scale = np.abs(expected).max(axis=-2, keepdims=True)
    np.testing.assert_allclose(
        slopes / np.where(scale > 0, scale, 1), expected / np.where(scale > 0, scale, 1), atol=1e-4
    )

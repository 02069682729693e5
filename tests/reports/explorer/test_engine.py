"""The program of a page in Node against NumPy."""

import base64
import gzip

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="llvmlite cannot be loaded here, so nothing can be compiled")

from pysd_runner.core.errors import UnsupportedFeature
from pysd_runner.engine import TimePath
from pysd_runner.model import load_model
from pysd_runner.reports.explorer.page import PackedNumbers, input_records
from pysd_runner.simulation.task import prepared
from tests.engine.small_models import FEATURES, RANDOM, write_model
from tests.reports.explorer.node import needs_node
from tests.reports.explorer.parity import departures

CALLED_BACK = frozenset({"allocation", "arrays", "pipe"})


@pytest.fixture(autouse=True, scope="module")
def _node():
    needs_node()


def covered(path, values=None, **settings):
    model = load_model(path)
    return model, prepared(model, values or {}, **settings)


@pytest.mark.parametrize("feature", FEATURES)
def test_every_feature_equals_numpy(feature, tmp_path):
    model, task = covered(write_model(tmp_path, FEATURES[feature]))
    if feature in CALLED_BACK:
        with pytest.raises(UnsupportedFeature, match="a page runs without Python"):
            departures(model, task)
        return
    assert not departures(model, task)


def test_random_functions_give_the_same_numbers(tmp_path):
    model, task = covered(write_model(tmp_path, RANDOM))
    assert not departures(model, task)


def test_shipped_model_equals_numpy():
    assert not departures(*covered("regional_digital", stop=2030))


def test_draws_and_paths_equal_numpy(tmp_path):
    path = write_model(
        tmp_path, "R: A, B, C ~~|\nk[R] = 1, 2, 3 ~~|\nx = 1 ~~|\ns[R] = INTEG(x*k[R] - s[R]/4, k[R]) ~~|"
    )
    rng = np.random.default_rng(0)
    moving = TimePath(times=np.array([0.0, 2.0, 5.0]), values=rng.normal(size=(3, 1, 7)), interpolate="linear")
    model, task = covered(path, {"k": rng.normal(size=(1, 7, 3)), "x": moving})
    assert not departures(model, task)


def test_fixed_delays_are_refused_by_name(tmp_path):
    with pytest.raises(UnsupportedFeature, match="DELAY FIXED"):
        covered(write_model(tmp_path, FEATURES["pipe"]))[1].for_browsers()


def test_functions_of_whole_arrays_are_refused_by_name(tmp_path):
    equations = "R: A, B, C ~~|\nk[R] = 3, 1, 2 ~~|\nrank[R] = VECTOR SORT ORDER(k[R], 1) + Time ~~|"
    with pytest.raises(UnsupportedFeature, match="SORT"):
        covered(write_model(tmp_path, equations))[1].for_browsers()


def test_module_of_the_shipped_model_is_small():
    program = covered("regional_digital", stop=2030)[1].for_browsers()
    assert len(program.module.code) <= 60_000


def test_same_request_gives_the_same_bytes(tmp_path):
    _, task = covered(write_model(tmp_path, FEATURES["functions"]))
    expected = task.for_browsers().module.code
    assert covered(tmp_path / "model.mdl")[1].for_browsers().module.code == expected


def test_packed_numbers_are_those_put_in_cell_by_cell_and_exact():
    numbers = PackedNumbers()
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(3, 4)).T, np.array([np.pi, -0.0, np.inf])
    assert numbers.add(first) == [0, 12]
    assert numbers.add(second) == [12, 3]
    shuffled = np.frombuffer(gzip.decompress(base64.b64decode(numbers.text())), np.uint8)
    found = np.ascontiguousarray(shuffled.reshape(8, -1).T).view("<f8").ravel()
    np.testing.assert_array_equal(found[:12].reshape(4, 3), first)
    np.testing.assert_array_equal(found[12:], second)


def test_inputs_are_laid_out_by_moment_draw_and_cell():
    numbers = PackedNumbers()
    values = np.arange(24.0).reshape(1, 2, 3, 4)[0][None]
    path = TimePath(times=np.array([0.0, 1.0]), values=np.arange(12.0).reshape(2, 1, 3, 2), interpolate="step")
    found = input_records({"x": values, "y": path}, numbers)
    assert [item["values"] for item in found] == [[0, 24], [24, 12]]
    np.testing.assert_array_equal(numbers.parts[0], values.ravel())
    np.testing.assert_array_equal(numbers.parts[1], path.values[:, 0].ravel())

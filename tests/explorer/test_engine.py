"""The program of a page in Node against NumPy."""

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="llvmlite cannot be loaded here, so nothing can be compiled")

from pysd_runner.core.errors import UnsupportedFeature
from pysd_runner.engine.paths import TimePath
from pysd_runner.explorer.packing import compiled_task
from pysd_runner.model import load_model
from pysd_runner.simulation.task import prepared
from tests.engine.small_models import FEATURES, RANDOM, write_model
from tests.explorer.node import needs_node
from tests.explorer.parity import departures

CALLED_BACK = frozenset({"pipe"})


@pytest.fixture(autouse=True, scope="module")
def _node():
    needs_node()


def covered(path):
    return prepared(load_model(path), {})


@pytest.mark.parametrize("feature", FEATURES)
def test_every_feature_equals_numpy(feature, tmp_path):
    task = covered(write_model(tmp_path, FEATURES[feature]))
    if feature in CALLED_BACK:
        with pytest.raises(UnsupportedFeature, match="a page runs without Python"):
            departures(task)
        return
    assert not departures(task)


def test_random_functions_give_the_same_numbers(tmp_path):
    task = covered(write_model(tmp_path, RANDOM))
    assert not departures(task)


def test_shipped_model_equals_numpy():
    assert not departures(prepared(load_model("regional_digital"), {}, stop=2030))


def test_draws_and_paths_equal_numpy(tmp_path):
    path = write_model(
        tmp_path, "R: A, B, C ~~|\nk[R] = 1, 2, 3 ~~|\nx = 1 ~~|\ns[R] = INTEG(x*k[R] - s[R]/4, k[R]) ~~|"
    )
    rng = np.random.default_rng(0)
    moving = TimePath(times=np.array([0.0, 2.0, 5.0]), values=rng.normal(size=(3, 1, 7)), interpolate="linear")
    task = prepared(load_model(path), {"k": rng.normal(size=(1, 7, 3)), "x": moving})
    assert not departures(task)


def test_fixed_delays_are_refused_by_name(tmp_path):
    with pytest.raises(UnsupportedFeature, match="DELAY FIXED"):
        compiled_task(covered(write_model(tmp_path, FEATURES["pipe"])))


def test_functions_of_whole_arrays_are_refused_by_name(tmp_path):
    equations = "R: A, B, C ~~|\nk[R] = 3, 1, 2 ~~|\nrank[R] = VECTOR SORT ORDER(k[R], 1) + Time ~~|"
    with pytest.raises(UnsupportedFeature, match="SORT"):
        compiled_task(covered(write_model(tmp_path, equations)))


def test_module_of_the_shipped_model_is_small():
    module, _ = compiled_task(prepared(load_model("regional_digital"), {}, stop=2030))
    assert len(module.code) <= 60_000


def test_same_request_gives_the_same_bytes(tmp_path):
    task = covered(write_model(tmp_path, FEATURES["functions"]))
    assert compiled_task(task)[0].code == compiled_task(task)[0].code

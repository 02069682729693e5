"""Sums over any axis of what is read along any other give the same in a single case as with NumPy."""

import itertools

import numpy as np
import pytest

from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import write_model

RANGES = (
    "K: (k1-k5) ~~|\nL: (l1-l6) ~~|\nM: (m1-m7) ~~|\n"
    "a[K,L] = K*1.5 + L*L - 4 ~~|\nb[K,M] = K - M*0.25 + Time ~~|\nc[L,M] = L*M/3 - Time ~~|\n"
)
# Which axes a result has; the others of a[K,L] and b[K,M] are summed over.
RESULTS = [
    "",
    "K",
    "L",
    "M",
    *map(",".join, itertools.permutations("KLM", 2)),
    *map(",".join, itertools.permutations("KLM")),
]


def summed(axes):
    one, two, three = (name if name in axes else f"{name}!" for name in "KLM")
    left = f"y[{axes}]" if axes else "y"
    parts = f"IF THEN ELSE(a[{one},{two}] > 3, b[{one},{three}] + a[{one},{two}], 0.5)"
    return f"{left} = {'SUM' if '!' in one + two + three else ''}({parts}) ~~|\nz = VMAX(c[L!,M!]) ~~|\n"


@pytest.mark.parametrize("axes", RESULTS)
def test_a_sum_over_any_axes(axes, tmp_path):
    model = load_model(write_model(tmp_path, RANGES + summed(axes), final=2, step=1, saveper=1))
    compiled, plain = (simulate(model, engine=engine) for engine in ("llvm", "numpy"))
    for name in ("y", "z"):
        np.testing.assert_allclose(compiled[name], plain[name], rtol=1e-13, atol=1e-13, err_msg=name)

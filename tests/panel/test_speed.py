"""Ten thousand regions load in seconds; the limit is loose because machines differ."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pysd_runner.panel import load_panel


def test_ten_thousand_regions(write: Callable[..., Path]) -> None:
    output = np.random.default_rng(0).uniform(1e4, 1e5, (10_000, 25)).round(2)
    lines = ["region,year,output [yuan],population [persons]"]
    lines += [f"R{row},{2000 + column},{output[row, column]},1" for row in range(10_000) for column in range(25)]
    path = write("\n".join(lines))
    start = time.perf_counter()
    panel = load_panel(path)
    assert time.perf_counter() - start < 30
    np.testing.assert_array_equal(panel["output"], output)

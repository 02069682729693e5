"""Large files and frames load fast; the limits are loose because machines differ."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pysd_runner.data import load_data


def test_ten_thousand_regions(write: Callable[..., Path]) -> None:
    output = np.random.default_rng(0).uniform(1e4, 1e5, (10_000, 25)).round(2)
    lines = ["region,year,output [yuan],population [persons]"]
    lines += [f"R{row},{2000 + column},{output[row, column]},1" for row in range(10_000) for column in range(25)]
    path = write("\n".join(lines))
    start = time.perf_counter()
    panel = load_data(path, panel=True)
    assert time.perf_counter() - start < 120
    np.testing.assert_array_equal(panel.array("output"), output)


@pytest.mark.parametrize("load", [partial(load_data, roles={f"x{n}": f"mine {n}" for n in range(1, 10)}), load_data])
def test_numbers_of_a_frame_are_not_written_out_and_read_again(load: Callable[..., Any], tmp_path: Path) -> None:
    columns = np.random.default_rng(0).uniform(1e4, 5e4, (10, 20_000))
    frame = pd.DataFrame(
        {"region": [f"R{row // 20}" for row in range(20_000)], "year": np.tile(np.arange(2000, 2020), 1000)}
        | {"output_per_head": columns[0]}
        | {f"x{place}": columns[place] for place in range(1, 10)}
    )
    load(frame.head())
    start = time.process_time()
    found = load(frame)
    # A twentieth of a second here; a second and a half where every number becomes a text.
    assert time.process_time() - start < 0.5
    frame.to_csv(tmp_path / "data.csv", index=False)
    assert found.sha256 == load(tmp_path / "data.csv").sha256

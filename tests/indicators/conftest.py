"""Official figures for the tests of indicators."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


@pytest.fixture(scope="session")
def chinese_output_per_head():
    """Output per head of the 31 provinces by year from the shared data; skips when absent."""
    path = SHARED / "data" / "china_province_core.csv"
    if not path.exists():
        pytest.skip("the shared data are not here")
    import pandas as pd

    frame = pd.read_csv(path)
    return frame[frame["variable"] == "gdp_per_capita"].pivot_table(index="region", columns="year", values="value")

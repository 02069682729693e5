"""One small projection for all tests of reports."""

import pytest

from pysd_runner.model import load_model
from pysd_runner.panel import load_data
from pysd_runner.study.projection import project

REGIONS = ("110000", "310000", "410000", "620000")


@pytest.fixture(scope="session")
def panel():
    return load_data("china").subset(entities=REGIONS)


@pytest.fixture(scope="session")
def model():
    return load_model("regional_digital", regions=len(REGIONS))


@pytest.fixture(scope="session")
def projection(model, panel):
    return project(model, panel, ["zoned_need", "uniform_per_head"], until=2028, draws=5, seed=3)

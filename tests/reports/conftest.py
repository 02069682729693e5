"""One small projection for all tests of reports."""

import pytest

from pysd_runner.study.projection import project


@pytest.fixture(scope="session")
def projection(model, panel):
    return project(model, panel, ["zoned_need", "uniform_per_head"], until=2028, draws=5, seed=3)

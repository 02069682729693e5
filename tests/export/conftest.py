"""The invented futures of the pictures serve the tables too."""

import pytest

from pysd_runner.indicators import indicators_of
from tests.plots.conftest import make_future


@pytest.fixture(scope="session")
def panel():
    """Output and population of nine regions."""
    return make_future(count=9, draws=25)


@pytest.fixture(scope="session")
def futures(panel):
    """Indicators."""
    return indicators_of(*panel)

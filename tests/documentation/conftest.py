"""Pages are run for what they say: one figure of a projection, and one ranking, are enough."""

import pytest


@pytest.fixture(autouse=True)
def _quick_results(one_figure, one_ranking):
    """Leave out what takes time and no page is about."""

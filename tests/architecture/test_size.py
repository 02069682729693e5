"""What a newcomer has to hold in mind does not grow: counts of the source have ceilings, to be lowered."""

import pytest

from tests.architecture.size import counts

CEILINGS = {
    "files": 308,
    "lines": 79_412,
    "nodes": 604_838,
    "functions": 4_981,
    "docstring lines": 11_999,
    "lines of other texts": 5_576,
    "circles": 0,
    "functions of many parameters": 0,
    "classes defined twice": 8,
    "imports of the engine from outside": 0,
    "entries of the largest room": 18,
    "lines of tests": 42_785,
}


@pytest.fixture(scope="module")
def found():
    return counts()


@pytest.mark.parametrize("name", CEILINGS)
def test_a_count_stays_below_its_ceiling(found, name):
    assert found[name] <= CEILINGS[name]


def test_every_count_has_a_ceiling(found):
    assert found.keys() == CEILINGS.keys()

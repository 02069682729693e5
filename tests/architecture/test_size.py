"""What a newcomer has to hold in mind does not grow: counts of the source have ceilings, to be lowered."""

import pytest

from tests.architecture.size import counts

CEILINGS = {
    "files": 410,
    "lines": 86_000,
    "nodes": 635_000,
    "functions": 5_260,
    "docstring lines": 14_400,
    "lines of other texts": 5_500,
    "circles": 1,
    "functions of many parameters": 6,
    "classes defined twice": 20,
    "imports of the engine from outside": 0,
    "entries of the largest room": 23,
    "lines of tests": 48_000,
}


@pytest.fixture(scope="module")
def found():
    return counts()


@pytest.mark.parametrize("name", CEILINGS)
def test_a_count_stays_below_its_ceiling(found, name):
    assert found[name] <= CEILINGS[name]


def test_every_count_has_a_ceiling(found):
    assert found.keys() == CEILINGS.keys()

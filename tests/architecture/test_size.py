"""What a newcomer has to hold in mind does not grow: counts of the source have ceilings, to be lowered."""

import pytest

from tests.architecture.size import counts

CEILINGS = {
    "files": 381,
    "lines": 84_330,
    "nodes": 628_900,
    "functions": 5_223,
    "docstring lines": 13_570,
    "lines of other texts": 5_486,
    "circles": 0,
    "functions of many parameters": 1,
    "classes defined twice": 8,
    "imports of the engine from outside": 0,
    "entries of the largest room": 23,
    "lines of tests": 46_930,
}


@pytest.fixture(scope="module")
def found():
    return counts()


@pytest.mark.parametrize("name", CEILINGS)
def test_a_count_stays_below_its_ceiling(found, name):
    assert found[name] <= CEILINGS[name]


def test_every_count_has_a_ceiling(found):
    assert found.keys() == CEILINGS.keys()

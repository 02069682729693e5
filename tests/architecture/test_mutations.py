"""Every small error that is listed can be put into the source as it stands now."""

import pytest

from tests.architecture.checkout import ROOT
from tests.mutations import mutations


@pytest.mark.parametrize("mutation", mutations(), ids=lambda item: item["name"])
def test_its_place_is_there_once_and_its_tests_are_there(mutation):
    assert (ROOT / mutation["file"]).read_text("utf-8").count(mutation["now"]) == 1
    assert all((ROOT / tests.split("::")[0]).exists() for tests in mutation["tests"].split())

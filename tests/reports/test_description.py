"""Everything that has a name can be listed and shown, of any model."""

import pytest

from pysd_runner.core.errors import UnknownName
from pysd_runner.model import Model, load_model
from pysd_runner.reports.description import KINDS, catalogue, items_named
from tests.study.models import SIR, made


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("regional_digital")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("models", "variables")])
def test_what_is_listed_can_be_shown(kind, model):
    for entry in catalogue(kind, model)[::3]:
        found = [item for item in items_named(entry.name, model) if item.kind == entry.kind]
        assert len(found) == 1, entry
        assert found[0].en
        assert found[0].zh
        assert all(line == line.rstrip() for line in found[0].lines("zh"))


def test_regions_are_found_in_either_language(model):
    (region,) = items_named("四川", model)
    assert (region.kind, region.name, region.en) == ("region", "510000", "Sichuan")
    assert items_named("sichuan", model) == (region,)


def test_variables_of_any_model_have_unit_and_equation(tmp_path):
    own = made(tmp_path, SIR, unit="day", stop=60)
    assert {item.name for item in catalogue("variables", own)} == set(own.variables)
    name = next(name for name, item in own.variables.items() if item.kind == "stock")
    (found,) = items_named(name.upper(), own)
    assert found.facts["unit"] == own.variables[name].unit
    assert any("INTEG" in line for line in found.facts["equation"])
    assert catalogue("outcomes", own) == catalogue("scenarios", own) == ()


def test_nothing_has_that_name(model):
    with pytest.raises(UnknownName, match="Did you mean 'zoned_need'"):
        items_named("zoned_ned", model)
    with pytest.raises(UnknownName, match="Did you mean 'scenarios'"):
        items_named("scenario", model)

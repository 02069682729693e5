"""Everything that has a name can be described, and says where it comes from."""

import pytest

from pysd_runner.core.errors import UnknownName
from pysd_runner.core.paths import model_folder
from pysd_runner.model import load_model
from pysd_runner.reports.description import KINDS, catalogue, cited, describe_name, prior_words
from pysd_runner.spec import Beta, Normal, Uniform, load_spec

MODEL = "regional_digital"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "models"])
def test_what_is_listed_can_be_described(kind):
    for entry in catalogue(kind, model=MODEL)[::3]:
        found = [item for item in describe_name(entry.name, model=MODEL) if item.kind == entry.kind]
        assert len(found) == 1, entry
        assert found[0].en
        assert found[0].zh
        assert all(line == line.rstrip() for line in found[0].lines())


def test_every_source_resolves_to_a_work():
    spec = load_spec(model_folder(MODEL) / "model.toml")
    for parameter in spec.parameters.values():
        for key in parameter.sources:
            assert cited(key, MODEL) != key, key


def test_an_unknown_source_is_its_key():
    assert cited("nobody1999", MODEL) == "nobody1999"


def test_users_of_a_variable_are_those_whose_equation_names_it():
    found = describe_name("Access Share", model=MODEL)[0]
    users = found.facts["used by"]
    assert {"Market Connection", "Application Ceiling", "Raw Need", "Log Digital Index"} <= set(users)
    variables = load_model(MODEL).variables
    assert all("Access Share" in variables[name].equation for name in users)


def test_priors_in_words():
    assert prior_words(None) == "none: compared, not drawn"
    assert prior_words(Normal(0.5, 0.1, 0.0, 1.0)) == "normal: mean 0.5, sd 0.1"
    assert prior_words(Uniform(0.9, 1.0)) == "uniform: lower 0.9, upper 1"
    assert prior_words(Beta(2.0, 3.0, 0.0, 1.0)).startswith("beta: a 2, b 3")


def test_regions_and_classes_of_a_panel_have_a_description(tmp_path):
    (region,) = describe_name("四川", model=MODEL)
    assert (region.kind, region.name, region.en) == ("region", "510000", "Sichuan")
    assert region.facts["output per head in 2024"].endswith("rank 17 of 31")
    (group,) = describe_name("West", model=MODEL)
    assert group.kind == "class of regions"
    assert "Gansu" in group.facts["regions"]
    file = tmp_path / "mine.csv"
    file.write_text("region,year,output_per_head\nNorth Bay,2020,1\nSouth Bay,2020,2\n", encoding="utf-8")
    (own,) = describe_name("North Bay", model=MODEL, panel=str(file))
    assert own.facts["one page on it"] == "gapsim brief 'North Bay'"
    with pytest.raises(UnknownName, match="Did you mean 'North Bay'"):
        describe_name("North Bey", model=MODEL, panel=str(file))


def test_nothing_has_that_name():
    with pytest.raises(UnknownName, match="Did you mean 'zoned_need'"):
        describe_name("zoned_ned", model=MODEL)
    with pytest.raises(UnknownName, match="Did you mean 'scenarios'"):
        catalogue("scenario", model=MODEL)

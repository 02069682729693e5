"""The page of what rests on judgement is the one its command writes, and leaves nothing out."""

import importlib.util
from types import ModuleType

import pytest

from pysd_runner.model import Model, load_model
from pysd_runner.spec import Beta, Normal, Uniform
from tests.documentation.readme import ROOT


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("judgement", ROOT / "docs" / "judgement.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("regional_digital")


def test_the_page_is_current(writer: ModuleType, model: Model) -> None:
    written = writer.PAGE.read_text(encoding="utf-8")
    assert written == writer.page(model), "run `python docs/judgement.py`"


def test_every_judged_parameter_and_every_start_value_is_on_it(writer: ModuleType, model: Model) -> None:
    page = writer.page(model)
    for item in model.spec.parameters.values():
        assert (f"(`{item.key}`)" in page) == item.judgement, item.key
        assert item.note.replace("|", "\\|") in page or not item.judgement or item.role not in writer.EXPLAINED
    for item in model.spec.inputs.values():
        assert (f"{item.variable} (`{item.key}`)" in page) == (item.rule != "required"), item.key


def test_every_source_resolves_to_a_work(writer: ModuleType, model: Model) -> None:
    for parameter in model.spec.parameters.values():
        for key in parameter.sources:
            assert writer.cited(key) != key, key
    assert writer.cited("nobody1999") == "nobody1999"


def test_priors_in_words(writer: ModuleType) -> None:
    assert writer.prior_words(None) == "none: compared, not drawn"
    assert writer.prior_words(Normal(0.5, 0.1, 0.0, 1.0)) == "normal: mean 0.5, sd 0.1"
    assert writer.prior_words(Uniform(0.9, 1.0)) == "uniform: lower 0.9, upper 1"
    assert writer.prior_words(Beta(2.0, 3.0, 0.0, 1.0)).startswith("beta: a 2, b 3")

"""The page of what rests on judgement is the one its command writes, and leaves nothing out."""

import importlib.util
from types import ModuleType

import pytest

from pysd_runner.model import Model, load_model
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

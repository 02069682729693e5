"""Our own readers and PySD's translators make the same of every file that both read."""

import pytest

from pysd_runner.core.paths import model_folder
from pysd_runner.engine.frontend.lowering.model import lower
from pysd_runner.engine.frontend.source import read_source
from pysd_runner.engine.frontend.translated.source import translate
from tests.engine.small_models import FEATURES, RANDOM, write_model
from tests.engine.test_xmile_functions import EQUATIONS, write
from tests.engine.xmile_files import OVER_D, aux, flow, stock, write_xmile
from tests.validation.readers import differences

MODELS = {**FEATURES, "random": RANDOM}


def both(path):
    return lower(read_source(path)), lower(translate(path).source())


@pytest.mark.parametrize("feature", MODELS)
def test_vensim_files_are_read_alike(feature, tmp_path):
    assert differences(*both(write_model(tmp_path, MODELS[feature]))) == []


@pytest.mark.parametrize("name", ["regional_digital"])
def test_the_shipped_model_is_read_alike(name):
    assert differences(*both(model_folder(name) / "model.mdl")) == []


def test_xmile_files_are_read_alike(tmp_path):
    variables = stock("a", 10, ["i"], ["o"], more="<non_negative/>") + flow("i", "2*k[b]", "<non_negative/>")
    variables += flow("o", "a/3 - 1") + f'<aux name="k">{OVER_D}<eqn>3, 4</eqn></aux>' + aux("s", "SUM(k[*]) + TIME*DT")
    variables += aux("f", "TIME", '<gf><xscale min="0" max="2"/><ypts>0,5,7</ypts></gf>') + aux("g", "LOOKUP(f, 1)")
    assert differences(*both(write_xmile(tmp_path, variables))) == []
    # XMILE's INT rounds down, and PySD's towards zero.
    names = {name: text for name, text in EQUATIONS.items() if "INT(" not in text}
    assert differences(*both(write(tmp_path, names).path)) == []


def test_differences_are_found(tmp_path):
    equations = "x = 1 + Time ~~|\ns = SMOOTH3I(x, 2, 1) ~~|\nb = x*2 ~~|\n"
    first = lower(read_source(write_model(tmp_path, equations)))
    for other, expected in (("b = x*2", "b = x*3"), ("SMOOTH3I(x, 2, 1)", "SMOOTH3I(x, 2, 2)")):
        second = lower(read_source(write_model(tmp_path, equations.replace(other, expected))))
        assert differences(first, second) == [other[0] if other[0] == "b" else "s"]
    assert differences(first, first) == []

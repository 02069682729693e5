"""A file that asks for too much is refused at once, by a limit that a caller can raise."""

import pytest

from pysd_runner import load_model, simulate
from pysd_runner.core.errors import InvalidModel
from pysd_runner.engine import Budgets
from tests.engine.small_models import write_model
from tests.engine.xmile_files import DIMENSIONS, aux, load_xmile

SMALL = Budgets(elements=5, equations=5, name=12)


def doubling(depth):
    """Macros that each call the one before twice."""
    macros = ":MACRO: M0(x) M0 = x + 1 ~~| :END OF MACRO:\n"
    for level in range(1, depth + 1):
        macros += f":MACRO: M{level}(x) M{level} = M{level - 1}(x) + M{level - 1}(x) ~~| :END OF MACRO:\n"
    return macros + f"a = M{depth}(1) ~~|\n"


@pytest.mark.parametrize(
    ("equations", "message"),
    [
        (
            "R: (a1-a2000000000) ~~|\nk[R] = 1 ~~|",
            r"line 2, column 1: subscript range 'R' asks for 2,000,000,000 elements; at most 1,000,000 are read, "
            r"unless the model is loaded with load_model\(path, budgets=Budgets\(elements=2000000000\)\)",
        ),
        (f"R: (a1-a{'9' * 5000}) ~~|", "subscript range 'R' asks for"),
        ("".join(f"R{n}: (a1-a900000) ~~|\n" for n in range(9)), "subscript range 'R1' asks for 1,800,000 elements"),
        (doubling(40), r"macros are expanded into [\d,]+ equations; at most 100,000 .*Budgets\(equations="),
        (f"{'x' * 1_000_000} = 1 ~~|", r"the name 'x{40}'\.\.\. has 1,000,000 characters; at most 1,000"),
        (f"{'x' * 2000}: b, c ~~|", "has 2,000 characters"),
        (f"R: b, {'x' * 2000} ~~|", "has 2,000 characters"),
        (f"a = {'x' * 1_000_000} ~~|", r"'x{200}\.\.\.' is not defined"),
    ],
)
def test_what_is_too_much_is_refused_at_once(equations, message, tmp_path):
    path = write_model(tmp_path, equations)
    with pytest.raises(InvalidModel, match=message) as caught:
        load_model(path)
    assert len(str(caught.value)) < 1500


def test_budgets_can_be_raised(tmp_path):
    elements = write_model(tmp_path, "R: (a1-a6) ~~|\nk[R] = 1 ~~|\ns = SUM(k[R!]) ~~|")
    with pytest.raises(InvalidModel, match="asks for 6 elements; at most 5"):
        load_model(elements, budgets=SMALL)
    assert simulate(load_model(elements, budgets=Budgets(elements=6)), outcomes=["s"])["s"][0, 0, 0] == 6
    macros = write_model(tmp_path, doubling(2))
    with pytest.raises(InvalidModel, match="expanded into 7 equations; at most 5"):
        load_model(macros, budgets=SMALL)
    assert simulate(load_model(macros, budgets=Budgets(equations=7)))["a"][0, 0, 0] == 8
    long = write_model(tmp_path, "a much longer name = 1 ~~|")
    with pytest.raises(InvalidModel, match=r"'a much longer name'\.\.\. has 18 characters; at most 12"):
        load_model(long, budgets=SMALL)
    assert simulate(load_model(long, budgets=Budgets(name=18)))["a much longer name"][0, 0, 0] == 1


def test_sizes_and_modules_of_xmile_have_budgets(tmp_path):
    for size in ("1000001", "9" * 400):
        with pytest.raises(InvalidModel, match="subscript range 'N' asks for"):
            load_xmile(tmp_path, aux("a", 1), before=DIMENSIONS.replace('size="3"', f'size="{size}"'))
    models = "".join(
        f'</model><model name="m{n}"><variables>{aux("a", n)}'
        f'<module name="p" model_name="m{n - 1}"/><module name="q" model_name="m{n - 1}"/></variables>'
        for n in range(1, 30)
    )
    leaf = f'</model><model name="m0"><variables>{aux("a", 0)}</variables>'
    variables = f'<module name="top" model_name="m29"/></variables>{models}{leaf}<variables>'
    with pytest.raises(InvalidModel, match=r"modules are expanded into [\d,]+ equations; at most 100,000"):
        load_xmile(tmp_path, variables)

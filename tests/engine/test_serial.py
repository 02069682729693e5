"""A lowered model survives being written, to the last bit; what somebody else wrote is refused."""

import inspect
import json
import math
import struct
from dataclasses import is_dataclass

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pysd_runner import load_model
from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine import ir, serial
from pysd_runner.engine.serial import dumps, loads


def assert_survives(model: ir.ModelIr) -> None:
    data = dumps(model)
    back = loads(data)
    # Representations tell NaN, -0.0 and 0.0 apart, which equality does not.
    assert repr(back) == repr(model)
    assert list(back.variables) == list(model.variables)
    assert list(back.ranges) == list(model.ranges)
    assert dumps(back) == data


@pytest.mark.parametrize("regions", [None, 1, 31])
def test_the_shipped_model(regions):
    model = load_model("regional_digital", regions=regions)
    assert_survives(model.ir)
    assert loads(dumps(model.ir)) == model.ir


def test_every_class_of_the_representation_is_written():
    defined = {item for _, item in inspect.getmembers(ir, is_dataclass) if item.__module__ == ir.__name__}
    assert defined == set(serial.CLASSES)


def model_of(node) -> ir.ModelIr:
    """A model with a node of any class somewhere in it."""
    if isinstance(node, ir.ModelIr):
        return node
    if isinstance(node, ir.Variable):
        return ir.ModelIr(ranges={"R": ("a", "b"), "": ()}, variables={"x": node, "y": node}, fingerprint="f")
    if isinstance(node, ir.Block):
        return model_of(
            ir.Variable(name="x", unit="", dims=(), kind="stock", doc="", group="", blocks=(node,), unassigned="no")
        )
    if isinstance(node, ir.Axis | ir.Element):
        return model_of(ir.Reference("x", (node, node)))
    return model_of(ir.Block((), node, node, "text", node, True))


@pytest.mark.parametrize(
    "kind", [kind for kind in serial.CLASSES if kind is not ir.ModelIr], ids=lambda kind: kind.__name__
)
def test_any_node_of_each_class(kind):
    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.from_type(kind))
    def check(node):
        assert_survives(model_of(node))

    check()


NUMBERS = [
    0.0,
    -0.0,
    0.1,
    1 / 3,
    5e-324,
    2.2250738585072014e-308,
    1.7976931348623157e308,
    1e22,
    -1e-7,
    math.inf,
    -math.inf,
]


@pytest.mark.parametrize("count", [1, 4, 5, 11])
def test_numbers_keep_every_bit(count):
    # Two NaN that differ in their payload.
    strange = struct.unpack("<2d", bytes.fromhex("010000000000f87f020000000000f8ff"))
    values = (*NUMBERS, *strange)
    for first in range(len(values)):
        some = (values + values)[first : first + count]
        table = ir.Table(some, (count,), ("R",))
        back = loads(dumps(model_of(table))).variables["x"].blocks[0].expression
        assert struct.pack(f"<{count}d", *back.values) == struct.pack(f"<{count}d", *some)
        single = loads(dumps(model_of(ir.Number(values[first])))).variables["x"].blocks[0].expression
        assert struct.pack("<d", single.value) == struct.pack("<d", values[first])


def test_zero_and_minus_zero_are_not_taken_for_equal_nodes():
    both = ir.Operation("add", (ir.Number(0.0), ir.Number(-0.0)), ())
    assert_survives(model_of(both))


@pytest.mark.parametrize("text", ["", "\0", "\ud800", '"\n\\', "中文 \u202e", "__import__('os')", "x" * 100_000])
def test_any_text(text):
    block = ir.Block((ir.Axis(text),), ir.Reference(text, ()), None, text)
    variable = ir.Variable(name=text, unit=text, dims=(text,), kind="constant", doc=text, group=text, blocks=(block,))
    assert_survives(ir.ModelIr(ranges={text: (text,)}, variables={text: variable}, fingerprint=text))


def test_depth_and_sharing_have_no_limit():
    chain = shared = ir.Time()
    for _ in range(20_000):
        chain = ir.Operation("negative", (chain,), ())
    back = loads(dumps(model_of(chain))).variables["x"].blocks[0].expression
    depth = 0
    while isinstance(back, ir.Operation):
        back, depth = back.arguments[0], depth + 1
    assert depth == 20_000
    for _ in range(200):
        shared = ir.Operation("add", (shared, shared), ())
    data = dumps(model_of(shared))
    assert len(data) < 20_000
    assert dumps(loads(data)) == data


def test_the_bytes_are_plain_json():
    data = dumps(model_of(ir.Number(math.nan)))

    def refuse(name):
        raise AssertionError(name)

    assert list(json.loads(data.decode("ascii"), parse_constant=refuse)) == ["format", "rows"]


def test_another_format_is_refused():
    data = json.loads(dumps(model_of(ir.Time())))
    data["format"] = "0-0000"
    with pytest.raises(InvalidInput, match="format '0-0000', this version reads '2-"):
        loads(json.dumps(data).encode())


def test_a_changed_class_changes_the_format(monkeypatch):
    before = serial._signature()
    monkeypatch.setattr(serial, "CLASSES", serial.CLASSES[1:])
    assert serial._signature() != before


@pytest.mark.parametrize(
    "change",
    [
        lambda _: [],
        lambda rows: rows[:-1],
        lambda rows: [["Module", "os"], *rows],
        lambda rows: [["Number", 1.0, [], "more"], *rows],
        lambda rows: [["Number", "####", []], *rows],
        lambda rows: [["Number", "AAAA", []], *rows],
        lambda rows: [["Operation", "add", [7_000], []], *rows],
        lambda rows: [1, *rows],
        lambda _: None,
    ],
)
def test_rows_that_make_no_model_are_refused(change):
    data = json.loads(dumps(model_of(ir.Time())))
    data["rows"] = change(data["rows"])
    with pytest.raises(InvalidInput, match="no lowered model"):
        loads(json.dumps(data).encode())


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[]", b"{}", b"null", b'{"format": 1', b"[" * 100_000])
def test_other_bytes_are_refused(data):
    with pytest.raises(InvalidInput):
        loads(data)


def test_a_type_nobody_says_how_to_write_is_noticed():
    for kind in (bytes, list[str], int | str, dict[str, int]):
        with pytest.raises(TypeError, match="say in serial"):
            serial._codec(kind)

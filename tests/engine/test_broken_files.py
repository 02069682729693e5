"""A file that is broken, cut off or contradicts itself gives one clear error of ours, on every engine."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidInput, InvalidModel, UnsupportedFeature
from pysd_runner.core.paths import model_folder
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import FEATURES, write_model
from tests.engine.test_hostile_files import ENGINES, xmile

WHOLE = xmile().encode()


def load(folder: Path, data: bytes, ending: str = ".xmile"):
    path = folder / f"model{ending}"
    path.write_bytes(data)
    return load_model(path)


def test_the_small_xmile_file_is_whole(tmp_path):
    model = load(tmp_path, WHOLE)
    assert simulate(model)["s"][0, 0].tolist() == [2, 4]


DOCTYPES = {
    "external entity": '<!DOCTYPE xmile [<!ENTITY secret SYSTEM "secret.txt">]>',
    "external file": '<!DOCTYPE xmile [<!ENTITY secret SYSTEM "file://{folder}/secret.txt">]>',
    "parameter entity": '<!DOCTYPE xmile [<!ENTITY % all SYSTEM "file://{folder}/secret.dtd"> %all;]>',
    "external subset": '<!DOCTYPE xmile SYSTEM "secret.dtd">',
    "network": '<!DOCTYPE xmile PUBLIC "-//none//none" "http://localhost:9/none.dtd">',
    "billion laughs": '<!DOCTYPE xmile [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{number} "{f"&a{number - 1};" * 10}">' for number in range(1, 11))
    + '<!ENTITY secret "&a10;">]>',
    "quadratic": f'<!DOCTYPE xmile [<!ENTITY secret "{"x" * 100_000}">]>',
    "attributes": '<!DOCTYPE xmile [<!ATTLIST aux name CDATA "b">]>',
    "after comments": '<!-- > <x> <!DOCTYPE --> <?stop ?>\n<!DOCTYPE xmile [<!ENTITY secret "2">]>',
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("kind", DOCTYPES)
def test_a_document_type_declaration_is_refused(kind, encoding, tmp_path):
    (tmp_path / "secret.txt").write_text("1234567", encoding="utf-8")
    (tmp_path / "secret.dtd").write_text('<!ENTITY secret "1234567">', encoding="utf-8")
    declaration = DOCTYPES[kind].replace("{folder}", tmp_path.as_posix())
    text = WHOLE.decode().replace("<xmile", declaration + "<xmile", 1).replace(">2<", ">&secret;<")
    text = text.replace(">comment<", ">&secret;<").replace('encoding="utf-8"', f'encoding="{encoding}"')
    with pytest.raises(InvalidModel, match="document type declaration") as caught:
        load(tmp_path, text.encode(encoding))
    assert "1234567" not in str(caught.value)


def test_a_declared_encoding_is_no_way_around_it(tmp_path):
    declaration = '<!DOCTYPE xmile [<!ENTITY secret "2">]>'
    text = WHOLE.decode().replace("<xmile", declaration + "<xmile", 1).replace(">2<", ">&secret;<")
    for encoding in ("utf-7", "cp037", "utf-32"):
        with pytest.raises(InvalidModel):
            load(tmp_path, text.replace('encoding="utf-8"', f'encoding="{encoding}"').encode(encoding))


INCLUDED = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="secret.txt" parse="text"/>'


def test_nothing_is_included_from_other_files(tmp_path):
    (tmp_path / "secret.txt").write_text("1234567", encoding="utf-8")
    model = load(tmp_path, WHOLE.replace(b">comment<", f">comment{INCLUDED}<".encode()))
    assert model.ir.variables["a"].doc == "comment"
    with pytest.raises(InvalidModel, match="<XInclude:include> in <eqn> is not known here"):
        load(tmp_path, WHOLE.replace(b"<eqn>2</eqn>", f"<eqn>{INCLUDED}</eqn>".encode(), 1))
    styled = WHOLE.replace(b"<xmile", b'<?xml-stylesheet href="secret.txt" type="text/xsl"?><xmile', 1)
    assert load(tmp_path, styled).ir.variables["a"].doc == "comment"


def test_many_comments_in_front_are_read_at_once(tmp_path):
    text = WHOLE.decode().replace("<xmile", "<!-- <!DOCTYPE - -->\n" * 500 + "<xmile", 1)
    assert load(tmp_path, text.encode()).ir.variables["a"].doc == "comment"


def test_comments_inside_an_equation_do_not_cut_it(tmp_path):
    model = load(tmp_path, WHOLE.replace(b"<eqn>2</eqn>", b"<eqn>2<!-- and --> + <![CDATA[3]]><?p?> + 4</eqn>", 1))
    assert simulate(model)["a"][0, 0, 0] == 9


def test_what_stella_writes_badly_into_its_interface_is_no_fault(tmp_path):
    drawn = b'<views><view>\n<isee:animation_css_transform a="1"b="2"/>\n<table font="\xd0R"/>\n</view></views></model>'
    named = WHOLE.replace(b"<xmile", b'<xmile xmlns:isee="http://iseesystems.com/XMILE"', 1)
    text = named.replace(b"</model>", drawn, 1)
    assert simulate(load(tmp_path, text))["a"][0, 0, 0] == 2
    with pytest.raises(InvalidModel, match="Invalid bytes"):
        load(tmp_path, text.replace(b"<table font", b"<stock font"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (">comment<", ">&nothing;<", "Entity 'nothing' not defined"),
        (">comment<", ">&#0;<", "no well-formed XML"),
        ("<doc>", "", "tag mismatch"),
        ("2</eqn><inflow>", "2<inflow>", "tag mismatch: eqn"),
        ('<aux name="a">', "<aux>", "<aux> has no name"),
        ('<elem name="A"/>', "<elem/>", "<elem> has no name"),
        ('<elem name="A"/>', '<elem name="&#9;"/>', "<elem> has no name"),
        ("<start>0</start>", "", "no <sim_specs> with <start> and <stop>"),
        ("<eqn>2</eqn>", "<eqn/>", "line 7, column .*: variable 'a' has no equation; write one, or give its values"),
        ("<inflow>a</inflow>", "<inflow></inflow>", "<inflow> is empty"),
        ("0,1", "0,x,1", "variable 'f': .*could not be read to its end"),
        ("0,1", "", "variable 'f': line 9, .*<gf> has no <ypts>"),
        (
            "<eqn>2</eqn>",
            "<eqn>2 +</eqn>",
            r"variable 'a': line 7, column 41: '2 \+' ends too early; expected a name, a number",
        ),
        ("<eqn>2</eqn>", "<eqn>NOSUCH(2)</eqn>", "NOSUCH"),
        ("<eqn>2</eqn>", "<eqn>spead</eqn>", "'spead' is not defined"),
        ("<xmile", "<model", "no XMILE document"),
        (' xmlns="http://docs.oasis-open.org/xmile/ns/XMILE/v1.0"', "", "no XMILE document"),
        ('<aux name="a">', '<aux name="k">', "'k' is defined 2 times|different numbers of subscripts|defined twice"),
        ('<dim name="R"/>', '<dim name="Q"/>', "variable 'k': no subscript range holds Q"),
    ],
)
def test_faults_of_an_xmile_file(old, new, message, tmp_path):
    text = WHOLE.decode()
    assert old in text
    with pytest.raises(InvalidModel, match=message):
        simulate(load(tmp_path, text.replace(old, new, 1).encode()))


def test_a_variable_whose_end_tag_is_missing_hides_none_after_it(tmp_path):
    text = WHOLE.decode().replace("</aux>\n<aux", "\n<aux", 1).replace("</aux>\n<gf", "\n<gf", 1)
    model = load(tmp_path, text.encode())
    whole = load(tmp_path, WHOLE)
    assert [name for name in model.variables if name != "f"] == [name for name in whole.variables if name != "f"]
    assert simulate(model)["s"][0, 0].tolist() == [2, 4]


def test_an_xmile_file_cut_off_anywhere_is_refused(tmp_path):
    for length in range(len(WHOLE.rstrip()) - 1):
        with pytest.raises(InvalidModel):
            load(tmp_path, WHOLE[:length])


def assert_a_beginning(part, whole) -> None:
    """Every variable of a part of a file is the one of the whole file."""
    shown = [variable for variable in part.variables.values() if not variable.hidden]
    for variable in shown:
        assert variable.blocks == whole.variables[variable.name].blocks[: len(variable.blocks)]
        assert variable.unit == whole.variables[variable.name].unit


@pytest.mark.parametrize("feature", ["stock", "tables", "subscripts"])
def test_a_vensim_file_cut_off_anywhere_is_refused_or_a_beginning(feature, tmp_path):
    path = write_model(tmp_path, FEATURES[feature])
    whole, data = load_model(path), path.read_bytes()
    refused = 0
    for length in range(0, len(data), 3):
        try:
            part = load(tmp_path, data[:length], ".mdl")
        except InvalidModel:
            refused += 1
        else:
            assert_a_beginning(part.ir, whole.ir)
    assert refused > 0.8 * len(data) / 3


def test_the_shipped_model_cut_off_at_every_tenth(tmp_path):
    data = (model_folder("regional_digital") / "model.mdl").read_bytes()
    for tenth in range(10):
        with pytest.raises(InvalidInput):
            simulate(load(tmp_path, data[: len(data) * tenth // 10], ".mdl"))


def noise(seed: int, length: int) -> bytes:
    return np.random.default_rng(seed).bytes(length)


STRANGE = {
    "empty": b"",
    "blank": b" \n\t\r\n",
    "NUL": bytes(5000),
    "random": noise(0, 5000),
    "packed": gzip.compress(WHOLE),
    "spreadsheet": b"PK\x03\x04" + noise(1, 3000),
    "picture": b"\x89PNG\r\n\x1a\n" + noise(2, 3000),
    "UTF-16 without a mark": "a = 1 ~~|".encode("utf-16-be"),
    "one line": b"a" * 100_000,
    "tildes": b"~" * 2000 + b"|" * 2000,
    "brackets": b"{" * 3000 + b"[" * 3000 + b"(" * 3000,
    "open tags": b'<xmile xmlns="x">' + b"<model>" * 100_000,
    "code": b"__import__('os').system('touch canary')",
}


@pytest.mark.parametrize("ending", [".mdl", ".xmile", ".xml", ".stmx"])
@pytest.mark.parametrize("kind", STRANGE)
def test_files_that_are_no_models(kind, ending, tmp_path):
    with pytest.raises(InvalidModel) as caught:
        load(tmp_path, STRANGE[kind], ending)
    assert str(tmp_path / f"model{ending}") in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_folder_and_a_file_nobody_may_read(tmp_path, monkeypatch):
    (tmp_path / "folder.mdl").mkdir()
    with pytest.raises(InvalidModel, match="no such file"):
        load_model(tmp_path / "folder.mdl")
    (tmp_path / "model.mdl").write_bytes(b"")

    def denied(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(InvalidModel, match="cannot be read: Permission denied"):
        load_model(tmp_path / "model.mdl")


def test_paths_that_cannot_be(tmp_path):
    for name in ("x" * 5000 + ".mdl", "a\0b.mdl", "中" * 300 + ".xmile"):
        with pytest.raises(InvalidModel):
            load_model(tmp_path / name)


VENSIM = {
    "circle": ("a = b ~~|\nb = c ~~|\nc = a ~~|", "'a' -> 'b' -> 'c' -> 'a'"),
    "circle at the start": ("s = INTEG(1, a) ~~|\na = 2*s ~~|", "'s' -> 'a' -> 's'"),
    "circle of one": ("a = a + 1 ~~|", "'a' -> 'a'"),
    "unknown variable": ("speed = 1 ~~|\na = spead ~~|", "Did you mean 'speed'"),
    "unknown subscript": ("R: A, B ~~|\nk[R] = 1 ~~|\na = k[C] ~~|", "'C' is not in subscript range 'R'"),
    "unknown range": ("k[Q] = 1 ~~|", "no subscript range holds Q"),
    "wrong number of subscripts": ("R: A, B ~~|\nk[R] = 1 ~~|\na = k[A,B] ~~|", "1 subscripts, 2 are given"),
    "subscripts of a number": ("R: A, B ~~|\nk = 1 ~~|\na = k[A] ~~|", "0 subscripts, 1 are given"),
    "twice": ("a = 1 ~~|\nb = 2 ~~|\nA = 3 ~~|", "'a' is defined 2 times|defined twice"),
    "range twice": ("R: A, B ~~|\nr: C, D ~~|\nk[R] = 1 ~~|", "subscript range 'r' is defined twice, first as 'R'"),
    "copy of nothing": ("Ran: A ~~|\nQ <-> Rann ~~|\nk[Q] = 1 ~~|", "is no subscript range. Did you mean 'Ran'"),
    "time": ("Time = 3 ~~|", "Time is the current time"),
    "no end": ("a = 1 ~~|\nb = 2 ~ unit", "line 3, column 1: the entry .b = 2. seems to hold another one"),
    "no file": ("a = GET DIRECT CONSTANTS('none.csv', ',', 'A1') ~~|", "there is no file .*none.csv"),
    "no spreadsheet": ("a = GET XLS CONSTANTS('none.xlsx', 'Sheet', 'A1') ~~|", "there is no file .*none.xlsx"),
    "no data": ("a := GET DIRECT DATA('none.csv', ',', 'A', 'B2') ~~|\nb = a ~~|", "there is no file .*none.csv"),
    "no table": ("f = GET DIRECT LOOKUPS('none.csv', ',', '1', 'B2') ~~|\nb = f(1) ~~|", "there is no file .*none.csv"),
    "no elements": (
        "R: GET DIRECT SUBSCRIPT('none.csv', ',', 'A1', 'A', '') ~~|\nk[R] = 1 ~~|",
        "there is no file .*none.csv",
    ),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", VENSIM)
def test_models_that_contradict_themselves(kind, engine, tmp_path):
    equations, message = VENSIM[kind]
    with pytest.raises(InvalidModel, match=message):
        simulate(load_model(write_model(tmp_path, equations, final=1)), engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"equation": "a + 1"}, "'a' -> 'a'"),
        ({"equation": "spead"}, "'spead' is not defined"),
        ({"equation": "k[C]"}, "'C' is not in subscript range 'R'"),
        ({"equation": "k[A, B]"}, "1 subscripts, 2 are given"),
        ({"inflow": "flow_that_is_not_there"}, "is not defined"),
    ],
)
def test_xmile_models_that_contradict_themselves(texts, message, engine, tmp_path):
    with pytest.raises(InvalidModel, match=message):
        simulate(load(tmp_path, xmile(**texts).encode()), engine=engine)


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
def test_an_unknown_function_is_named(engine, tmp_path):
    with pytest.raises(UnsupportedFeature, match=r"(?i)function '?nosuch"):
        simulate(load_model(write_model(tmp_path, "a = NOSUCH(1) ~~|")), engine=engine)


def test_a_file_that_ends_in_its_first_tag_is_no_xml(tmp_path):
    with pytest.raises(InvalidModel, match="no well-formed XML"):
        load(tmp_path, b"<xm\n")

"""Bytes of a Vensim file are read by its encoding, all of them, or refused with their place."""

import contextlib

import pytest
from hypothesis import given, strategies as st

from pysd_runner.core.errors import InvalidModel
from pysd_runner.engine.frontend.vensim.text import read_text
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import CONTROL

STARS = "*" * 56
GROUP = f"{STARS}\n\t.人口部门\n{STARS}~\n\t|\n"
EQUATIONS = GROUP + "人口 = 3 ~ 人 ~ 说明 |\ny = 人口*2 ~~|\n"


def write(folder, data: bytes):
    path = folder / "model.mdl"
    path.write_bytes(data)
    return path


def file_of(declared: str, equations: str, encoding: str, *, mark: bytes = b"", end: str = "\n") -> bytes:
    text = declared + "\n" + equations + CONTROL.format(final=1, step=1, saveper=1)
    return mark + text.replace("\n", end).encode(encoding)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("declared", "encoding", "mark"),
    [
        ("{UTF-8}", "utf-8", b""),
        ("{UTF-8}", "utf-8", b"\xef\xbb\xbf"),
        ("", "utf-8", b""),
        ("{a comment of the author}", "utf-8", b""),
        ("{GBK}", "gbk", b""),
        ("{GB18030}", "gb18030", b""),
    ],
)
def test_the_declared_encoding_is_read(declared, encoding, mark, end, tmp_path):
    model = load_model(write(tmp_path, file_of(declared, EQUATIONS, encoding, mark=mark, end=end)))
    assert simulate(model)["y"][0, 0, 0] == 6
    assert model.variables["人口"].doc == "说明"
    assert model.variables["人口"].group == "人口部门"


def test_the_code_page_of_the_settings_is_read(tmp_path):
    text = EQUATIONS + CONTROL.format(final=1, step=1, saveper=1) + "\\\\\\---///\n///---\\\\\\\n:L<%^E!@\n61:936\n"
    assert simulate(load_model(write(tmp_path, text.encode("gbk"))))["人口"][0, 0, 0] == 3


def test_a_comment_on_a_run_is_listed_and_one_setting_that_nobody_knows_is_refused(tmp_path):
    text = "a = 1 ~~|\n" + CONTROL.format(final=1, step=1, saveper=1) + "\\\\\\---///\n///---\\\\\\\n:L<%^E!@\n"
    model = load_model(write(tmp_path, (text + "21:Base run: no policy\n").encode()))
    assert ("setting: comment on a run", 1) in {(item.name, item.count) for item in model.ir.features}
    with pytest.raises(InvalidModel, match=r"line \d+: '14:x'"):
        load_model(write(tmp_path, (text + "21:Base run\n14:x\n").encode()))


def test_bytes_of_another_encoding_are_refused_with_their_place_and_what_they_may_be(tmp_path):
    path = write(tmp_path, file_of("{UTF-8}", "a = 1 ~~|\n人口 = 3 ~~|\n", "gbk"))
    with pytest.raises(InvalidModel) as caught:
        load_model(path)
    message = str(caught.value)
    assert "line 3, byte 1: 0xc8 is no UTF-8." in message
    assert "with {GB18030} this line is '人口 = 3 ~~|'" in message
    assert "with {Windows-1252} this line is 'ÈË¿Ú = 3 ~~|'" in message
    path.write_bytes(path.read_bytes().replace(b"{UTF-8}", b"{GB18030}"))
    assert simulate(load_model(path))["人口"][0, 0, 0] == 3


@pytest.mark.parametrize("declared", ["{UTF-8}", ""])
def test_no_letter_of_a_name_is_lost(declared, tmp_path):
    path = write(tmp_path, file_of(declared, "bevölkerung = 3 ~~|\n", "latin-1"))
    with pytest.raises(InvalidModel, match=r"line 2, byte 4: 0xf6 .* this line is 'bevölkerung = 3 ~~|'"):
        load_model(path)


@pytest.mark.parametrize("declared", ["{UTF-8}", ""])
def test_bytes_of_comments_and_units_may_be_of_another_encoding(declared, tmp_path):
    equations = "a = 1 {caf\xe9 au lait} ~ \xb0C ~ caf\xe9 au lait |\nb = a + 1 ~~ \x80 5 |\n"
    model = load_model(write(tmp_path, file_of(declared, equations, "latin-1")))
    assert simulate(model)["b"][0, 0, 0] == 2
    assert model.variables["a"].unit == "\ufffdC"
    assert model.variables["a"].doc == "caf\ufffd au lait"
    assert ("bytes of comments and units that are no UTF-8", 4) in {
        (item.name, item.count) for item in model.ir.features
    }


def test_a_byte_in_front_of_a_mark_may_be_half_a_character(tmp_path):
    # The second half of this character is the mark that ends an entry.
    hidden = "a = 1 ~~ \u4e85 |\n".encode("gbk")
    assert b"|" in hidden[:-3]
    with pytest.raises(InvalidModel, match="line 2, byte 10: 0x81 is no UTF-8"):
        load_model(write(tmp_path, b"{UTF-8}\n" + hidden + CONTROL.format(final=1, step=1, saveper=1).encode()))


def test_a_macro_is_named_in_the_encoding_of_the_file(tmp_path):
    macro = ":MACRO: Gr\xf6\xdfe(x)\ny = x ~~|\n:END OF MACRO:\n"
    with pytest.raises(InvalidModel, match="line 2, byte 11: 0xf6 is no UTF-8"):
        load_model(write(tmp_path, file_of("{UTF-8}", macro, "latin-1")))


def test_what_the_sketch_holds_is_of_no_account(tmp_path):
    data = file_of("{UTF-8}", "a = 1 ~~|\n", "utf-8") + b"\\\\\\---/// Sketch\n*\xc8\xcb\xff\n"
    assert simulate(load_model(write(tmp_path, data)))["a"][0, 0, 0] == 1


@given(st.text(st.characters(exclude_characters="\r\\{}", exclude_categories=["Cs"])))
def test_every_text_comes_back_whole(text):
    assert read_text(("{UTF-8}\n" + text).encode()).equations == "{UTF-8}\n" + text


@given(st.binary())
def test_any_bytes_are_text_or_refused(data):
    with contextlib.suppress(InvalidModel):
        assert read_text(data).integration.method == "euler"

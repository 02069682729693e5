"""Counting the functions that files call."""

from tests.engine.small_models import write_model
from tests.validation.functions import called, main


def test_functions_are_counted_but_neither_macros_nor_tables(tmp_path):
    text = (
        ":MACRO: TWICE(x) TWICE = 2*MAX(x, 0) ~~| :END OF MACRO:\nf((0,0),(1,1)) ~~|\n"
        "a = TWICE(f(Time)) + SMOOTH3(Time, 2) ~~|\nb = SINTEG(a, 1) ~~|"
    )
    assert called(write_model(tmp_path, text)) == {"max", "smooth", "sinteg"}


def test_files_that_cannot_be_read_call_nothing(tmp_path):
    path = tmp_path / "broken.mdl"
    path.write_text("{UTF-8}\na = MAX(1 ~~|\n")
    assert called(path) == set()
    assert called(tmp_path / "nothing.mdl") == set()


def test_a_folder_without_collections_has_no_functions(tmp_path, capsys):
    assert main([str(tmp_path)]) == 0
    assert "refused by name: 0" in capsys.readouterr().out

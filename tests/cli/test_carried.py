"""Results hold their model, its declarations and the files that it reads, and their data."""

import shutil

from tests.study.models import CONTROLS

READER = """{UTF-8}
Rate = GET DIRECT CONSTANTS('?book', ',', 'B2')
	~	1/year	~	|
Price = GET DIRECT DATA('sub/price.csv', ',', 'A', 'B2')
	~	1	~	|
:MACRO: GROWN(a, b)
GROWN = a * b
	~	a	~	|
:END OF MACRO:
Stock = INTEG(GROWN(Stock, Rate) * Price, Start)
	~	t	~	|
Start = 5
	~	t	~	|
"""


def test_results_are_made_again_where_the_model_its_files_and_data_have_gone(gapsim, tmp_path, monkeypatch):
    monkeypatch.setenv("GAPSIM_OUTSIDE", "1")
    home = tmp_path / "mine"
    (home / "sub").mkdir(parents=True)
    text = READER.replace("?book", "../book.csv") + CONTROLS.format(unit="year", stop=8, step=0.5)
    (home / "m.mdl").write_text(text, encoding="utf-8")
    (home / "sub" / "price.csv").write_text("t,price\n0,1\n8,3\n", encoding="utf-8")
    (tmp_path / "book.csv").write_text("a,b\n1,0.1\n", encoding="utf-8")
    (home / "m.toml").write_text("schema = 2\n[parameters.Start]\nvalue = 6\n", encoding="utf-8")
    (home / "checks.toml").write_text("schema = 1\n", encoding="utf-8")
    (home / "a.yaml").write_text("changes: {Start: 7}\n", encoding="utf-8")
    (home / "obs.csv").write_text("year,Stock\n0,6\n4,8\n8,12\n", encoding="utf-8")
    said = gapsim("run", home / "a.yaml", "--model", home / "m.mdl", "--data", home / "obs.csv", "--out", "own", code=0)
    assert "The model and the data lie there too" in said.out
    shutil.rmtree(home)
    (tmp_path / "book.csv").unlink()
    monkeypatch.delenv("GAPSIM_OUTSIDE")
    shutil.move("own", "elsewhere")
    answer = gapsim("run", "elsewhere/run.json", "--json", code=0)
    assert answer.json["data"]["identical"] is True
    assert answer.json["data"]["changed"] == []
    gapsim("run", "elsewhere/run.json", "--out", "again", code=0)
    assert gapsim("run", "again/run.json", "--json", code=0).json["data"]["identical"] is True
    gapsim("explore", "elsewhere", "--out", "page.html", code=0)
    (tmp_path / "elsewhere" / "model" / "m.mdl").write_text("other", encoding="utf-8")
    refused = gapsim("run", "elsewhere/run.json", code=2)
    assert "m.mdl is not the file this run wrote" in refused.err
